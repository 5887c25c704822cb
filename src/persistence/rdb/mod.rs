//! RDB, the format of snapshots in files: a snapshot written, any version read.
//!
//! ```text
//!   "REDIS" version   aux ...   library ...
//!   per database:     number   sizes   (deadline)? (idle | frequency)? type key value ...
//!   end   checksum
//! ```
//!
//! Numbers have one to nine bytes; strings have their length before them, and short integers and
//! compressible texts a shorter form ([`output`]).

pub mod encode;
pub mod format;
pub mod output;
pub mod save;

pub use save::{Facts, SaveError, SaveOptions, Saved, save};
