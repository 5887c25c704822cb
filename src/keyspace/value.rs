//! Values as readers see them and as writers give them.

use super::members::Expiring;
use super::packed::{Small, encoding_of_packed, kind_of_packed};
use crate::base::blob::Blob;
use crate::base::number::parse_int;
use crate::structures::entry::{
    Content, Entry, EntryRef, Form, INLINE_MAX, Nested, NewContent, Packed, Succession,
};
use crate::structures::epoch::Epochs;
use crate::structures::intset::IntSet;
use crate::structures::listpack::ListPack;
use crate::structures::relocation::Mover;
use crate::structures::size_class::size_class;
use crate::types::hash::Hash;
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::Stream;

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the data types of Redis")]
pub enum Kind {
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
}

impl Kind {
    /// As TYPE prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
        }
    }
}

/// The key holds another type. Becomes the WRONGTYPE reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A string, in whichever form it is kept.
#[derive(Clone, Copy, Debug)]
pub enum StringRef<'a> {
    /// Canonical decimal integer.
    Int(i64),
    /// Beside its key.
    Inline(&'a [u8]),
    /// In an allocation of its own.
    Shared(&'a Blob),
}

/// A string to be stored. Bytes that spell a canonical integer are kept as one.
#[derive(Clone, Copy, Debug)]
pub enum NewString<'a> {
    /// An integer.
    Int(i64),
    /// Bytes, copied.
    Bytes(&'a [u8]),
    /// An allocation to share.
    Shared(&'a Blob),
}

/// What the keyspace asks of a type other than strings.
pub trait Collection: Default + Send + Sync {
    /// The type, as TYPE and WRONGTYPE know it.
    const KIND: Kind;
    /// Whether it is empty: such a value does not stay in the keyspace.
    fn is_vacant(&self) -> bool;
    /// A copy for another key.
    #[must_use]
    fn duplicate(&self) -> Self;
    /// The successor of `self`, while snapshots go on reading `self`; see [`Nested::succeed`].
    #[must_use]
    fn succeed(&self, how: &Succession) -> Self;
    /// Gives up what has a successor; see [`Nested::free_shell`].
    fn free_shell(self, how: &Succession);
    /// As OBJECT ENCODING prints it.
    fn encoding(&self) -> &'static str;
    /// Bytes allocated, without the struct itself; estimated from `samples` elements, 0 is all.
    fn memory_bytes(&self, samples: usize) -> usize;
    /// Steps that freeing it takes, about: beyond a bound a worker does it.
    fn free_effort(&self) -> usize;
    /// Moves what lies badly in the allocator's pages; see [`Mover`].
    fn relocate(&mut self, epochs: &Epochs, mover: &mut Mover<'_>);
    /// An empty one that will be packed, mostly.
    fn fresh() -> Self {
        Self::default()
    }
    /// What it consists of, if that may stand beside its key.
    fn small(&self) -> Option<Small<'_>> {
        None
    }
    /// The value of a [`Small::Items`].
    fn of_items(_pack: ListPack) -> Option<Self> {
        None
    }
    /// Makes a value that a nursery's epochs were lent for one of this engine's: hands its tables
    /// to [`CowTable::adopt`](crate::structures::cow_table::CowTable::adopt).
    fn adopt(&mut self, _epochs: &Epochs) {}
    /// Its members, if they may have deadlines of their own.
    fn expiring(&self) -> Option<&dyn Expiring> {
        None
    }
    /// The same, for changing.
    fn expiring_mut(&mut self) -> Option<&mut dyn Expiring> {
        None
    }
}

/// A [`Collection`] that the keyspace can hold. Made by the list of types below.
pub trait Stored: Collection {
    /// The value, if it is of this type.
    fn of(value: &Value) -> Option<&Self>;
    /// The value for changing, if it is of this type.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// As a value.
    fn into_value(self) -> Value;
    /// Out of the value, if it is of this type.
    fn of_value(value: Value) -> Option<Self>;
}

/// Declares the types besides strings: variant and type, in the order of their tags.
macro_rules! collections {
    ($($(#[$attr:meta])* $name:ident($type:ty) = $tag:literal;)*) => {
        /// A value of any type.
        #[derive(Clone, Copy, Debug)]
        pub enum ValueRef<'a> {
            /// A string.
            String(StringRef<'a>),
            $($(#[$attr])* #[doc = "See the type."] $name(&'a $type),)*
        }

        impl ValueRef<'_> {
            /// Its type.
            pub fn kind(&self) -> Kind {
                match *self {
                    Self::String(_) => Kind::String,
                    $($(#[$attr])* Self::$name(_) => <$type>::KIND,)*
                }
            }
        }

        /// A value that is no string.
        #[derive(Debug)]
        pub enum Value {
            $($(#[$attr])* #[doc = "See the type."] $name($type),)*
        }

        impl Value {
            /// The type.
            pub fn kind(&self) -> Kind {
                match *self {
                    $($(#[$attr])* Self::$name(_) => <$type>::KIND,)*
                }
            }
            /// As OBJECT ENCODING prints it.
            pub fn encoding(&self) -> &'static str {
                match *self {
                    $($(#[$attr])* Self::$name(ref value) => value.encoding(),)*
                }
            }
            /// Whether it is empty.
            pub(super) fn is_vacant(&self) -> bool {
                match *self {
                    $($(#[$attr])* Self::$name(ref value) => value.is_vacant(),)*
                }
            }
            /// Bytes allocated, estimated from `samples` elements, 0 is all.
            pub(super) fn estimated_bytes(&self, samples: usize) -> usize {
                let held: usize = match *self {
                    $($(#[$attr])* Self::$name(ref value) => value.memory_bytes(samples),)*
                };
                size_class(size_of::<Self>()) + held
            }
            /// Steps that freeing it takes, about.
            pub(super) fn free_effort(&self) -> usize {
                match *self {
                    $($(#[$attr])* Self::$name(ref value) => value.free_effort(),)*
                }
            }
            /// Moves what lies badly in the allocator's pages; see [`Mover`].
            pub(super) fn relocate(&mut self, epochs: &Epochs, mover: &mut Mover<'_>) {
                match self {
                    $($(#[$attr])* Self::$name(value) => Collection::relocate(value, epochs, mover),)*
                }
            }
            /// Its members, if they may have deadlines of their own.
            pub(super) fn expiring(&self) -> Option<&dyn Expiring> {
                match *self {
                    $($(#[$attr])* Self::$name(ref value) => value.expiring(),)*
                }
            }
            /// The same, for changing.
            pub(super) fn expiring_mut(&mut self) -> Option<&mut dyn Expiring> {
                match *self {
                    $($(#[$attr])* Self::$name(ref mut value) => value.expiring_mut(),)*
                }
            }
            /// Makes a value from a nursery one of this engine's.
            pub(super) fn adopt(&mut self, epochs: &Epochs) {
                match self {
                    $($(#[$attr])* Self::$name(value) => value.adopt(epochs),)*
                }
            }
            /// Its tag, and what it consists of, if that may stand beside its key.
            #[inline]
            pub(super) fn small(&self) -> Option<(u8, Small<'_>)> {
                match *self {
                    $($(#[$attr])* Self::$name(ref value) => Some(($tag, value.small()?)),)*
                }
            }
            /// The value of a [`Small::Items`] with this tag.
            #[inline]
            pub(super) fn of_items(tag: u8, pack: ListPack) -> Option<Self> {
                match tag {
                    $($(#[$attr])* $tag => <$type>::of_items(pack).map(Self::$name),)*
                    _ => None,
                }
            }
            fn as_value_ref(&self) -> ValueRef<'_> {
                match *self {
                    $($(#[$attr])* Self::$name(ref value) => ValueRef::$name(value),)*
                }
            }
        }

        impl Nested for Value {
            fn tag(&self) -> u8 {
                match *self {
                    $($(#[$attr])* Self::$name(_) => $tag,)*
                }
            }
            fn duplicate(&self) -> Self {
                match *self {
                    $($(#[$attr])* Self::$name(ref value) => Self::$name(value.duplicate()),)*
                }
            }
            fn succeed(&self, how: &Succession) -> Self {
                match *self {
                    $($(#[$attr])* Self::$name(ref value) => Self::$name(value.succeed(how)),)*
                }
            }
            fn free_shell(self, how: &Succession) {
                match self {
                    $($(#[$attr])* Self::$name(value) => value.free_shell(how),)*
                }
            }
            fn memory_bytes(&self) -> usize {
                // Asked when a snapshot holds an old version back: to walk through all of a large
                // value would take longer than the change.
                self.estimated_bytes(HELD_SAMPLES)
            }
        }

        /// The type that a tag of [`Nested::tag`] stands for.
        pub(super) fn kind_of_tag(tag: u8) -> Option<Kind> {
            match tag {
                $($(#[$attr])* $tag => Some(<$type>::KIND),)*
                _ => None,
            }
        }

        $($(#[$attr])*
        impl Stored for $type {
            fn of(value: &Value) -> Option<&Self> {
                #[allow(unreachable_patterns, reason = "while there is only one type")]
                match value {
                    Value::$name(value) => Some(value),
                    _ => None,
                }
            }
            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                #[allow(unreachable_patterns, reason = "while there is only one type")]
                match value {
                    Value::$name(value) => Some(value),
                    _ => None,
                }
            }
            fn into_value(self) -> Value {
                Value::$name(self)
            }
            fn of_value(value: Value) -> Option<Self> {
                #[allow(unreachable_patterns, reason = "while there is only one type")]
                match value {
                    Value::$name(value) => Some(value),
                    _ => None,
                }
            }
        })*
    };
}

collections! {
    List(List) = 0;
    Set(Set) = 1;
    Stream(Stream) = 5;
    SortedSet(SortedSet) = 2;
    Hash(Hash) = 3;
    #[cfg(test)]
    Probe(super::probe::Probe) = 12;
}

/// An entry of a database.
pub(super) type KeyEntry = Entry<Value>;
/// An entry of a database, borrowed.
pub(super) type KeyRef<'a> = EntryRef<'a, Value>;

/// Elements looked at for what a value takes that a snapshot holds back.
const HELD_SAMPLES: usize = 5;
/// Longer strings are `raw` to OBJECT ENCODING.
const EMBSTR_MAX: usize = 44;
/// Digits and sign of the longest 64-bit integer.
const INT_TEXT_MAX: usize = 20;

impl Value {
    /// The value of a [`Small::Integers`].
    pub(super) fn of_integers(ints: IntSet) -> Self {
        Self::Set(Set::of_ints(ints))
    }
}

/// A value that is no string, for reading.
pub(super) fn value_of_nested(value: &Value) -> ValueRef<'_> {
    value.as_value_ref()
}

/// The string of an entry.
pub(super) fn string_of(entry: KeyRef<'_>) -> Result<StringRef<'_>, WrongType> {
    match entry.content() {
        Content::Int(value) => Ok(StringRef::Int(value)),
        Content::Inline(bytes) => Ok(StringRef::Inline(bytes)),
        Content::Blob(blob) => Ok(StringRef::Shared(blob)),
        Content::Packed(_) | Content::Nested(_) => Err(WrongType),
    }
}

/// The type of an entry's value.
pub(super) fn kind_of(entry: KeyRef<'_>) -> Kind {
    let kind = match entry.nested_tag() {
        // Only packed values have tags that aren't those of their types.
        Some(tag) => kind_of_tag(tag).or_else(|| kind_of_packed(Packed { tag, bytes: &[] })),
        None => None,
    };
    kind.unwrap_or(Kind::String)
}

/// As OBJECT ENCODING prints it.
pub(super) fn encoding_of(entry: KeyRef<'_>) -> &'static str {
    let len = match entry.content() {
        Content::Int(_) => return "int",
        Content::Nested(value) => return value.encoding(),
        Content::Packed(packed) => return encoding_of_packed(packed),
        Content::Inline(bytes) => bytes.len(),
        Content::Blob(blob) => blob.len(),
    };
    if len <= EMBSTR_MAX && entry.form() == Form::Whole { "embstr" } else { "raw" }
}

/// Chooses how a string is kept.
#[inline]
pub(super) fn content_of(value: NewString<'_>) -> NewContent<'_, Value> {
    let bytes = match value {
        NewString::Int(value) => return NewContent::Int(value),
        NewString::Bytes(bytes) => bytes,
        NewString::Shared(blob) => blob.as_slice(),
    };
    if let Some(value) = canonical_int(bytes) {
        return NewContent::Int(value);
    }
    match value {
        _ if bytes.len() <= INLINE_MAX => NewContent::Inline(bytes),
        NewString::Shared(blob) => NewContent::Blob(blob.clone()),
        _ => NewContent::Blob(Blob::new(bytes.to_vec())),
    }
}

#[inline]
fn canonical_int(bytes: &[u8]) -> Option<i64> {
    match bytes.first() {
        Some(b'-' | b'0'..=b'9') if bytes.len() <= INT_TEXT_MAX => parse_int(bytes),
        _ => None,
    }
}
