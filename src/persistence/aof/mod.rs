//! The append-only file: a base (a snapshot, or commands), files of commands behind it, and a
//! manifest that says which ones in which order.
//!
//! ```text
//!   appendonlydir/appendonly.aof.manifest     file ... seq ... type b|i|h   per line
//!                 appendonly.aof.2.base.rdb   everything up to a moment
//!                 appendonly.aof.2.incr.aof   what came after it, and so on
//! ```

pub mod encode;
mod encode_stream;
pub mod manifest;
pub mod reader;
