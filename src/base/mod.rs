//! Ground floor: numbers, bytes, time and limits that every other layer may use.

pub mod blob;
pub mod bytes;
pub mod crc64;
pub mod glob;
pub mod grisu;
pub mod hash;
pub mod limits;
pub mod long_double;
pub mod lzf;
pub mod number;
pub mod time;
