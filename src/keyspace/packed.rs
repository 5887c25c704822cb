//! Small collections: packed into the allocation of their key while nobody looks at them.
//!
//! A listpack or an intset of its own would cost two allocations beside the key's, for the type's
//! struct and for the bytes; packed, a hash of five short fields takes two thirds. Each look and
//! each change unpacks it into a buffer that the thread keeps for this
//! ([`crate::structures::scratch`]), so only what is copied in a fraction of a command's time is
//! packed: up to [`ITEMS_MAX`] items and [`BYTES_MAX`] bytes. A collection that has outgrown this is
//! packed again when half is enough, lest one at the border be made anew by every other change.
//!
//! 1. What has members that expire is not packed.
//! 2. Packed bytes were written by [`with_content`]; nothing foreign comes to be unpacked.

use super::value::{
    KeyRef, Kind, Stored, StringRef, Value, ValueRef, WrongType, encoding_of, kind_of, kind_of_tag,
    string_of, value_of_nested,
};
use crate::structures::entry::{Content, INLINE_MAX, NewContent, Packed};
use crate::structures::intset::IntSet;
use crate::structures::listpack::ListPack;
use crate::structures::scratch;
use std::ops::Deref;

/// The longest listpack or intset that is packed. Bytes.
pub(super) const BYTES_MAX: usize = 512;
/// The most items of a listpack that is packed: each costs some nanoseconds at each look.
pub(super) const ITEMS_MAX: usize = 32;
/// What is packed as an intset; listpacks have the tags of their types.
const INTEGERS: u8 = 4;

const _: () = assert!(BYTES_MAX <= INLINE_MAX && BYTES_MAX < scratch::CAPACITY);

/// What a small collection consists of.
#[derive(Clone, Copy, Debug)]
pub enum Small<'a> {
    /// A listpack.
    Items(&'a ListPack),
    /// An intset: of sets only.
    Integers(&'a IntSet),
}

impl<'a> Small<'a> {
    #[inline]
    fn fits(self, share: usize) -> bool {
        match self {
            Self::Items(pack) => {
                pack.byte_len() <= BYTES_MAX / share && pack.len() <= ITEMS_MAX / share
            }
            Self::Integers(ints) => ints.as_bytes().len() <= BYTES_MAX / share,
        }
    }

    /// Its packed form, given room and the tag of its type.
    #[inline]
    fn pack(self, tag: u8, room: &'a mut [u8]) -> Packed<'a> {
        match self {
            Self::Items(pack) => {
                let len = pack.write_thin(room);
                Packed { tag, bytes: &room[..len] }
            }
            Self::Integers(ints) => Packed { tag: INTEGERS, bytes: ints.thin() },
        }
    }
}

/// Shows how a collection is kept from now on: packed, if it is small.
#[inline]
pub(super) fn with_content<R>(value: Value, keep: impl FnOnce(NewContent<'_, Value>) -> R) -> R {
    if let Some((tag, small)) = value.small().filter(|(_, small)| small.fits(1)) {
        let mut room = scratch::lend_block();
        let kept = keep(NewContent::Packed(small.pack(tag, &mut room)));
        scratch::give_block(room);
        return kept;
    }
    keep(NewContent::Nested(Box::new(out_of_lent(value))))
}

/// Whether a collection has become small enough to be packed again.
#[inline]
pub(super) fn is_small_again(value: &Value) -> bool {
    value.small().is_some_and(|(_, small)| small.fits(2))
}

/// The value in a buffer of its own.
fn out_of_lent(value: Value) -> Value {
    let copy = match value.small() {
        Some((tag, Small::Items(pack))) if pack.is_lent() => Value::of_items(tag, pack.clone()),
        Some((_, Small::Integers(ints))) if ints.is_lent() => {
            Some(Value::of_integers(ints.clone()))
        }
        _ => None,
    };
    copy.unwrap_or(value)
}

/// Whether packed bytes stand for an empty collection.
#[inline]
pub(super) fn is_vacant(packed: Packed<'_>) -> bool {
    match packed.tag {
        INTEGERS => IntSet::thin_len(packed.bytes) == 0,
        _ => packed.bytes.is_empty(),
    }
}

/// The value that packed bytes stand for.
#[inline]
pub(super) fn unpack(packed: Packed<'_>) -> Option<Value> {
    match packed.tag {
        INTEGERS => Some(Value::of_integers(IntSet::of_thin(packed.bytes))),
        tag => Value::of_items(tag, ListPack::of_thin(packed.bytes)),
    }
}

/// The same, if it is of a certain type.
#[inline]
pub(super) fn unpack_as<T: Stored>(packed: Packed<'_>) -> Result<T, WrongType> {
    if kind_of_packed(packed) != Some(T::KIND) {
        return Err(WrongType);
    }
    unpack(packed).and_then(T::of_value).ok_or(WrongType)
}

/// The type of a packed value.
pub(super) fn kind_of_packed(packed: Packed<'_>) -> Option<Kind> {
    if packed.tag == INTEGERS { Some(Kind::Set) } else { kind_of_tag(packed.tag) }
}

/// As OBJECT ENCODING prints it.
pub(super) fn encoding_of_packed(packed: Packed<'_>) -> &'static str {
    if packed.tag == INTEGERS { "intset" } else { "listpack" }
}

/// A collection for reading: where it stands, or unpacked.
#[derive(Debug)]
pub enum Opened<'a, T> {
    /// In the keyspace.
    Borrowed(&'a T),
    /// A copy.
    Unpacked(T),
}

impl<T> Deref for Opened<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        match self {
            Self::Borrowed(value) => value,
            Self::Unpacked(value) => value,
        }
    }
}

impl<'a, T> Opened<'a, T> {
    /// The value in the keyspace, for types that are never packed.
    pub fn borrowed(self) -> Option<&'a T> {
        match self {
            Self::Borrowed(value) => Some(value),
            Self::Unpacked(_) => None,
        }
    }
}

impl<'a, T: Stored> Opened<'a, T> {
    /// The collection of an entry.
    #[inline]
    pub(super) fn of(entry: KeyRef<'a>) -> Result<Self, WrongType> {
        match entry.content() {
            Content::Nested(value) => T::of(value).map(Self::Borrowed).ok_or(WrongType),
            Content::Packed(packed) => unpack_as(packed).map(Self::Unpacked),
            Content::Int(_) | Content::Inline(_) | Content::Blob(_) => Err(WrongType),
        }
    }
}

/// The value of a key, not yet looked at.
#[derive(Clone, Copy, Debug)]
pub struct ValueView<'a>(KeyRef<'a>);

/// A value of any type, opened for reading.
#[derive(Debug)]
pub struct OpenedValue<'a>(Form<'a>);

#[derive(Debug)]
enum Form<'a> {
    Borrowed(ValueRef<'a>),
    Unpacked(Value),
}

impl<'a> ValueView<'a> {
    pub(super) fn new(entry: KeyRef<'a>) -> Self {
        Self(entry)
    }

    /// Its type. O(1).
    pub fn kind(self) -> Kind {
        kind_of(self.0)
    }

    /// As OBJECT ENCODING prints it. O(1).
    pub fn encoding(self) -> &'static str {
        encoding_of(self.0)
    }

    /// Whether it stands beside its key as bytes to be unpacked.
    #[cfg(test)]
    pub(super) fn is_packed(self) -> bool {
        matches!(self.0.content(), Content::Packed(_))
    }

    /// The string that it is.
    pub fn string(self) -> Result<StringRef<'a>, WrongType> {
        string_of(self.0)
    }

    /// The collection that it is.
    pub fn collection<T: Stored>(self) -> Result<Opened<'a, T>, WrongType> {
        Opened::of(self.0)
    }

    /// Opens it, whatever it is; a small collection is unpacked.
    pub fn open(self) -> OpenedValue<'a> {
        OpenedValue(match self.0.content() {
            Content::Nested(value) => Form::Borrowed(value_of_nested(value)),
            Content::Packed(packed) => match unpack(packed) {
                Some(value) => Form::Unpacked(value),
                None => Form::Borrowed(ValueRef::String(StringRef::Inline(packed.bytes))),
            },
            Content::Int(value) => Form::Borrowed(ValueRef::String(StringRef::Int(value))),
            Content::Inline(bytes) => Form::Borrowed(ValueRef::String(StringRef::Inline(bytes))),
            Content::Blob(blob) => Form::Borrowed(ValueRef::String(StringRef::Shared(blob))),
        })
    }
}

impl OpenedValue<'_> {
    /// The value.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match &self.0 {
            Form::Borrowed(value) => *value,
            Form::Unpacked(value) => value_of_nested(value),
        }
    }
}
