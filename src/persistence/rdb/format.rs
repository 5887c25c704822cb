//! The numbers of the format, as its public descriptions and the files of real servers have them.

/// Version of Redis 7.0: the oldest that is written.
pub const VERSION_7_0: u32 = 10;
/// Version of Redis 7.2: sets in listpacks, consumers with the time of their last success.
pub const VERSION_7_2: u32 = 11;
/// Version of Redis 7.4 and 8.0: fields with deadlines. The newest that is written.
pub const VERSION_8_0: u32 = 12;
/// The newest version of Redis that is read, that of Redis 8.10: what it has beyond 8.0 are types
/// of values, and those are refused by their number.
pub const VERSION_NEWEST: u32 = 15;
/// First version of Valkey's own numbering.
pub const VERSION_VALKEY: u32 = 80;

/// Which versions are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// Known ones.
    #[default]
    Known,
    /// All: what isn't known is refused when it comes, by its number.
    Any,
}

impl Versions {
    /// Whether a file that begins so is read. What is Valkey's begins with its name.
    pub fn take(self, version: u32, is_valkey: bool) -> bool {
        match (self, is_valkey) {
            (Self::Known, false) => (1..=VERSION_NEWEST).contains(&version),
            (Self::Known, true) => version == VERSION_VALKEY,
            (Self::Any, false) => (1..VERSION_VALKEY).contains(&version),
            (Self::Any, true) => version >= VERSION_VALKEY,
        }
    }
}

/// What stands before a value, or instead of one.
pub mod opcode {
    #![allow(missing_docs, reason = "the names are those of the format")]
    /// Of Valkey from version 80 on; the metadata of modules in Redis from version 13 on.
    pub const SLOT_IMPORT: u8 = 243;
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION: u8 = 245;
    pub const FUNCTION_PRE_GA: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQUENCY: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZE_DB: u8 = 251;
    pub const EXPIRE_MS: u8 = 252;
    pub const EXPIRE_S: u8 = 253;
    pub const SELECT_DB: u8 = 254;
    pub const END: u8 = 255;
}

/// How a value is laid out.
pub mod layout {
    #![allow(missing_docs, reason = "the names are those of the format")]
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const SORTED_SET_TEXT: u8 = 3;
    pub const HASH: u8 = 4;
    pub const SORTED_SET: u8 = 5;
    pub const MODULE_PRE_GA: u8 = 6;
    pub const MODULE: u8 = 7;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const SORTED_SET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const SORTED_SET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_3: u8 = 21;
    /// Of the release candidates of Redis 7.4; Valkey's hash with deadlines from version 80 on.
    pub const HASH_TIMED_PRE_GA: u8 = 22;
    pub const HASH_LISTPACK_TIMED_PRE_GA: u8 = 23;
    pub const HASH_TIMED: u8 = 24;
    pub const HASH_LISTPACK_TIMED: u8 = 25;
}

/// First byte of a number that doesn't fit 14 bits: 32 and 64 bits follow, most significant first.
pub const LENGTH_32: u8 = 0x80;
/// See [`LENGTH_32`].
pub const LENGTH_64: u8 = 0x81;
/// First byte of a string in a form of its own: an integer of 8, 16 or 32 bits.
pub const INT_8: u8 = 0xc0;
/// See [`INT_8`].
pub const INT_16: u8 = 0xc1;
/// See [`INT_8`].
pub const INT_32: u8 = 0xc2;
/// First byte of a compressed string.
pub const LZF: u8 = 0xc3;

/// Kind of a list's node: one large element.
pub const NODE_PLAIN: u64 = 1;
/// Kind of a list's node: a listpack.
pub const NODE_PACKED: u64 = 2;

/// Aux field before a stream: what producers added under names of their own. Unknown to others,
/// who pass over it, as over every aux field that they don't know.
pub const AUX_IDEMPOTENCE: &str = "ochre-idempotence";

/// Aux field before a set or a sorted set: when members go, of those that do. Others, who don't know
/// deadlines of members, pass over it, and load the collection without them.
pub const AUX_DEADLINES: &str = "ochre-deadlines";

/// Consumer that stands in for nobody: entries that were released have it, the first released with
/// the earliest time. So other servers have them pending and idle for ever, free to be claimed.
pub const RELEASED: &[u8] = b"ochre:released";
