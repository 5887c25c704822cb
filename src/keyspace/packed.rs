//! Small collections: packed into the allocation of their key while nobody looks at them.
//!
//! A listpack or an intset of its own would cost two allocations beside the key's, for the type's
//! struct and for the bytes; packed, a hash of five short fields takes two thirds. Each look and
//! each change unpacks it, so only what is unpacked in a fraction of a command's time is kept so:
//! up to [`ITEMS_MAX`] items and [`BYTES_MAX`] bytes. A collection that has outgrown this is packed
//! again when half is enough, lest one at the border be made anew by every other change.
//!
//! 1. What is packed is vacant only if it has no bytes, and has no members that expire.
//! 2. Packed bytes were written by [`content_of_value`]; nothing foreign comes to be unpacked.

use super::value::{
    KeyRef, Kind, Stored, StringRef, Value, ValueRef, WrongType, encoding_of, kind_of, kind_of_tag,
    string_of, value_of_nested,
};
use crate::structures::entry::{Content, INLINE_MAX, NewContent, Packed};
use crate::structures::intset::IntSet;
use crate::structures::listpack::ListPack;
use std::ops::Deref;

/// The longest listpack or intset that is packed. Bytes.
pub(super) const BYTES_MAX: usize = 512;
/// The most items of a listpack that is packed: each costs some nanoseconds at each look.
pub(super) const ITEMS_MAX: usize = 32;
/// What is packed as an intset; listpacks have the tags of their types.
const INTEGERS: u8 = 4;

const _: () = assert!(BYTES_MAX <= INLINE_MAX);

/// Room for packed bytes.
pub(super) type Room = [u8; BYTES_MAX];
/// Room to be lent to [`content_of_value`].
pub(super) const ROOM: Room = [0; BYTES_MAX];

/// What a small collection consists of.
#[derive(Clone, Copy, Debug)]
pub enum Small<'a> {
    /// A listpack.
    Items(&'a ListPack),
    /// An intset: of sets only.
    Integers(&'a IntSet),
}

impl Small<'_> {
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
    fn pack(self, tag: u8, room: &mut Room) -> Packed<'_> {
        let (tag, len) = match self {
            Self::Items(pack) => (tag, pack.write_thin(room)),
            Self::Integers(ints) => (INTEGERS, ints.write_thin(room)),
        };
        Packed { tag, bytes: &room[..len] }
    }
}

/// How a collection is kept from now on: packed, if it is small.
#[inline]
pub(super) fn content_of_value(value: Value, room: &mut Room) -> NewContent<'_, Value> {
    match value.small() {
        Some((tag, small)) if small.fits(1) => NewContent::Packed(small.pack(tag, room)),
        _ => NewContent::Nested(Box::new(value)),
    }
}

/// The packed form of a collection that has become small enough.
#[inline]
pub(super) fn repacked<'r>(value: &Value, room: &'r mut Room) -> Option<Packed<'r>> {
    let (tag, small) = value.small().filter(|(_, small)| small.fits(2))?;
    Some(small.pack(tag, room))
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
