//! Reading one database at one moment. An expired key is never seen, removed or not.

use super::value::{Kind, StringRef, ValueRef, WrongType};
use super::{DbIndex, Keyspace};
use crate::base::time::UnixMillis;

/// A database as of `now`.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    pub(super) keyspace: &'a Keyspace,
    pub(super) db: DbIndex,
    pub(super) now: UnixMillis,
}

impl<'a> Reader<'a> {
    /// The moment this view shows.
    pub fn now(&self) -> UnixMillis {
        self.now
    }
    /// The database.
    pub fn db(&self) -> DbIndex {
        self.db
    }
    /// The string at `key`. Counts a hit or a miss, and touches the access clock.
    pub fn string(&self, _key: &[u8]) -> Result<Option<StringRef<'a>>, WrongType> {
        todo!()
    }
    /// The value at `key`. Counts a hit or a miss, and touches the access clock.
    pub fn value(&self, _key: &[u8]) -> Option<ValueRef<'a>> {
        todo!()
    }
    /// The value at `key`, leaving statistics and access clock alone (OBJECT, TYPE, DEBUG).
    pub fn peek(&self, _key: &[u8]) -> Option<ValueRef<'a>> {
        todo!()
    }
    /// Whether `key` exists; counts as `value` does, but leaves the access clock alone (EXISTS).
    pub fn contains(&self, _key: &[u8]) -> bool {
        todo!()
    }
    /// Type of `key`; neither counts nor touches.
    pub fn kind(&self, _key: &[u8]) -> Option<Kind> {
        todo!()
    }
    /// `None`: no such key; `Some(None)`: it stays; `Some(Some(at))`: it goes at `at`.
    pub fn deadline(&self, _key: &[u8]) -> Option<Option<UnixMillis>> {
        todo!()
    }
    /// Seconds since the last access (LRU policies).
    pub fn idle_seconds(&self, _key: &[u8]) -> Option<u64> {
        todo!()
    }
    /// Logarithmic access counter (LFU policies).
    pub fn frequency(&self, _key: &[u8]) -> Option<u8> {
        todo!()
    }
    /// Bytes that key, value and their share of the table take.
    pub fn memory_bytes(&self, _key: &[u8], _samples: usize) -> Option<usize> {
        todo!()
    }
    /// Keys, expired but not yet removed ones included.
    pub fn len(&self) -> usize {
        todo!()
    }
    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Visits live keys from `cursor` on, at least one bucket and about `budget` keys; returns the
    /// next cursor, 0 at the end. Every key that is there throughout a full walk is visited.
    pub fn scan(
        &self,
        _cursor: u64,
        _budget: usize,
        _visit: &mut dyn FnMut(&'a [u8], ValueRef<'a>),
    ) -> u64 {
        todo!()
    }
    /// A live key drawn fairly; `None` when there is none.
    pub fn random_key(&self, _rng: &mut fastrand::Rng) -> Option<&'a [u8]> {
        todo!()
    }
}
