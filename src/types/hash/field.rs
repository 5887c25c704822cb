//! One field as readers see it, and its allocation in a large hash.

use crate::base::blob::Blob;
use crate::base::number;
use crate::base::time::UnixMillis;
use crate::structures::entry::{
    Content, Detached, Entry, EntryRef, Form, INLINE_MAX, Nested, NewContent, Succession,
};
use crate::structures::lifespan::Lifespan;
use crate::structures::listpack::{Digits, Item};

/// The value of a field, in whichever form it is kept.
#[derive(Clone, Copy, Debug)]
pub enum FieldValue<'a> {
    /// Canonical decimal integer.
    Int(i64),
    /// Beside its field.
    Bytes(&'a [u8]),
    /// In an allocation of its own.
    Shared(&'a Blob),
}

impl FieldValue<'_> {
    /// The text, borrowed where it is stored, else from `digits`.
    pub fn as_text<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Self::Int(value) => digits.format(*value).as_bytes(),
            Self::Bytes(bytes) => bytes,
            Self::Shared(blob) => blob,
        }
    }

    /// Bytes of the text.
    pub fn text_len(&self) -> usize {
        self.as_text(&mut itoa::Buffer::new()).len()
    }

    /// The integer that it is or spells.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bytes(bytes) => number::parse_int(bytes),
            Self::Shared(blob) => number::parse_int(blob),
        }
    }
}

impl<'a> From<Item<'a>> for FieldValue<'a> {
    fn from(item: Item<'a>) -> Self {
        match item {
            Item::Int(value) => Self::Int(value),
            Item::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// A value to be stored.
#[derive(Clone, Copy, Debug)]
pub enum NewValue<'a> {
    /// Bytes, copied.
    Bytes(&'a [u8]),
    /// An allocation to share, when it is not copied beside the field.
    Shared(&'a Blob),
}

impl<'a> NewValue<'a> {
    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Shared(blob) => blob,
        }
    }

    fn content(self) -> NewContent<'a, Never> {
        let bytes = self.as_slice();
        match self {
            _ if bytes.len() <= INLINE_MAX => NewContent::Inline(bytes),
            Self::Shared(blob) => NewContent::Blob(blob.clone()),
            Self::Bytes(bytes) => NewContent::Blob(Blob::new(bytes.to_vec())),
        }
    }
}

/// A field with its value.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its name.
    pub name: Item<'a>,
    /// Its value.
    pub value: FieldValue<'a>,
    /// It is gone from this moment on.
    pub deadline: Option<UnixMillis>,
}

impl Field<'_> {
    /// Whether it is gone at `now`, removed or not.
    #[inline]
    pub fn is_over(&self, now: UnixMillis) -> bool {
        self.deadline.is_some_and(|at| at <= now)
    }

    /// A copy of the name.
    pub fn name_to_vec(&self) -> Vec<u8> {
        self.name.as_text(&mut Digits::default()).to_vec()
    }
}

impl<'a> From<FieldRef<'a>> for Field<'a> {
    #[inline]
    fn from(entry: FieldRef<'a>) -> Self {
        let value = match entry.content() {
            Content::Int(value) => FieldValue::Int(value),
            Content::Inline(bytes) => FieldValue::Bytes(bytes),
            // A field is never packed.
            Content::Packed(packed) => FieldValue::Bytes(packed.bytes),
            Content::Blob(blob) => FieldValue::Shared(blob),
            Content::Nested(never) => match *never {},
        };
        Self { name: Item::Bytes(entry.key()), value, deadline: entry.deadline().map(UnixMillis) }
    }
}

/// What a field never holds: its values are strings.
#[derive(Debug)]
pub(super) enum Never {}

impl Nested for Never {
    fn tag(&self) -> u8 {
        match *self {}
    }
    fn duplicate(&self) -> Self {
        match *self {}
    }
    fn succeed(&self, _: &Succession) -> Self {
        match *self {}
    }
    fn free_shell(self, _: &Succession) {
        match self {}
    }
    fn memory_bytes(&self) -> usize {
        match *self {}
    }
}

/// A field of a large hash: name, value and deadline in one allocation, a large value in its own.
pub(super) type FieldEntry = Entry<Never>;
/// A field of a large hash, borrowed.
pub(super) type FieldRef<'a> = EntryRef<'a, Never>;

/// A new allocation.
pub(super) fn entry(name: &[u8], value: NewValue<'_>, deadline: Option<i64>) -> FieldEntry {
    Entry::new(name, value.content(), Form::Whole, Lifespan::until(deadline), 0)
}

/// Replaces value and deadline; gives back what the old value held.
pub(super) fn renew(
    entry: &mut FieldEntry,
    value: NewValue<'_>,
    deadline: Option<i64>,
) -> Option<Detached<Never>> {
    entry.set(value.content(), Form::Whole, Lifespan::until(deadline))
}
