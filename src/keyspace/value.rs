//! Values as readers see them and as writers give them.

use crate::base::blob::Blob;

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

/// A value of any type.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// A string.
    String(StringRef<'a>),
}

/// Longest string that OBJECT ENCODING calls `embstr`. Bytes.
pub const EMBSTR_LEN_MAX: usize = 44;

impl ValueRef<'_> {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::String(_) => Kind::String,
        }
    }

    /// The form it is kept in, as OBJECT ENCODING names it.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::String(StringRef::Int(_)) => "int",
            Self::String(StringRef::Inline(bytes)) if bytes.len() <= EMBSTR_LEN_MAX => "embstr",
            Self::String(_) => "raw",
        }
    }
}
