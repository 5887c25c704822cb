//! The keys of all databases: values, deadlines, facts about changes, snapshots.
//!
//! Knows no client, no reply, no replica. Reading goes through [`read::Reader`], changing through
//! [`write::Writer`]; both are views of one database at one moment.

pub mod journal;
pub mod read;
pub mod value;
pub mod write;

/// Number of a database, as SELECT takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbIndex(pub u16);

/// The whole data set.
#[derive(Debug)]
pub struct Keyspace {}

impl Keyspace {
    /// `databases` empty ones; `seed` keys the hash, against flooding.
    pub fn new(_databases: u16, _seed: u64) -> Self {
        todo!()
    }
    /// Reads database `db` as of `now`.
    pub fn reader(&self, _db: DbIndex, _now: crate::base::time::UnixMillis) -> read::Reader<'_> {
        todo!()
    }
    /// Reads and changes database `db` as of `now`.
    pub fn writer(
        &mut self,
        _db: DbIndex,
        _now: crate::base::time::UnixMillis,
    ) -> write::Writer<'_> {
        todo!()
    }
}
