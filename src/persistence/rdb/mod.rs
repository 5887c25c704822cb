//! RDB, the format of snapshots in files: a snapshot written, any version read.
//!
//! ```text
//!   "REDIS" version   aux ...   library ...
//!   per database:     number   sizes   (deadline)? (idle | frequency)? type key value ...
//!   end   checksum
//! ```
//!
//! Numbers have one to nine bytes; strings have their length before them, and short integers and
//! compressible texts a shorter form ([`output`], [`input`]).

pub mod check;
pub mod decode;
pub mod encode;
pub mod error;
pub mod format;
pub mod input;
pub mod load;
pub mod output;
pub mod save;
#[cfg(test)]
mod tests;

pub use error::{LoadError, Reason};
pub use format::Versions;
pub use load::{Header, LoadOptions, Loaded, ReadKey, Sink, load};
pub use save::{Facts, SaveError, SaveOptions, Saved, save};
