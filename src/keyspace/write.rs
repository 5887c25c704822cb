//! Changing one database: the only way to a `&mut` value, so that nothing that follows from a
//! change (events, watchers, deadlines, dirty count, memory) can be forgotten.

use super::journal::{Change, Event};
use super::read::Reader;
use super::value::{NewString, StringRef, WrongType};
use super::{DbIndex, Keyspace};
use crate::base::time::UnixMillis;

/// What becomes of a key's deadline when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As it was.
    Keep,
    /// No deadline.
    Forever,
    /// Gone from this moment on.
    Until(UnixMillis),
}

/// Where a value's memory is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// Now, by the engine.
    Now,
    /// By a worker, when it is large.
    Later,
}

/// A database as of `now`, to be changed.
#[derive(Debug)]
pub struct Writer<'a> {
    pub(super) keyspace: &'a mut Keyspace,
    pub(super) db: DbIndex,
    pub(super) now: UnixMillis,
}

impl Writer<'_> {
    /// The same database, for reading.
    pub fn reader(&self) -> Reader<'_> {
        Reader { keyspace: self.keyspace, db: self.db, now: self.now }
    }
    /// The moment this view shows.
    pub fn now(&self) -> UnixMillis {
        self.now
    }
    /// The database.
    pub fn db(&self) -> DbIndex {
        self.db
    }
    /// Another database of the same keyspace.
    pub fn other(&mut self, _db: DbIndex) -> Writer<'_> {
        todo!()
    }
    /// Number of databases.
    pub fn db_count(&self) -> u16 {
        todo!()
    }
    /// Makes `key` hold a string, whatever it held. One lookup; in place when the size allows.
    /// Notes `event`, then [`super::journal::EXPIRE`] when it gets a deadline; one dirty unit.
    pub fn put_string(
        &mut self,
        _key: &[u8],
        _value: NewString<'_>,
        _lifetime: Lifetime,
        _event: Event,
    ) {
        todo!()
    }
    /// Looks at the string of `key` and changes it, in one lookup. An absent key appears when the
    /// closure puts something. The change is what the closure says it did.
    pub fn edit_string<R, E: From<WrongType>>(
        &mut self,
        _key: &[u8],
        _edit: impl FnOnce(&mut StringEdit<'_>) -> Result<(R, Change), E>,
    ) -> Result<R, E> {
        todo!()
    }
    /// Removes `key`; whether it was there.
    pub fn remove(&mut self, _key: &[u8], _free: Free, _event: Event) -> bool {
        todo!()
    }
    /// Sets or clears the deadline of `key`; whether the key exists.
    pub fn set_deadline(
        &mut self,
        _key: &[u8],
        _deadline: Option<UnixMillis>,
        _event: Event,
    ) -> bool {
        todo!()
    }
    /// Gives `source`'s value and deadline to `target`, replacing it; whether `source` existed.
    /// Notes `rename_from` and `rename_to`.
    pub fn rename(&mut self, _source: &[u8], _target: &[u8]) -> bool {
        todo!()
    }
    /// Copies value and deadline to `target` in `db`, replacing it. O(1) for large values.
    pub fn copy(&mut self, _source: &[u8], _db: DbIndex, _target: &[u8]) -> bool {
        todo!()
    }
    /// Moves `key` to `db`, where it must be absent. Notes `move_from` and `move_to`.
    pub fn move_to(&mut self, _key: &[u8], _db: DbIndex) -> bool {
        todo!()
    }
    /// Empties this database; returns how many keys went.
    pub fn flush(&mut self, _free: Free) -> usize {
        todo!()
    }
    /// Empties all databases; returns how many keys went.
    pub fn flush_all(&mut self, _free: Free) -> usize {
        todo!()
    }
    /// Exchanges two databases.
    pub fn swap(&mut self, _one: DbIndex, _other: DbIndex) {
        todo!()
    }
    /// Resets the access clock of `key`; whether it exists. Counts a hit or a miss.
    pub fn touch(&mut self, _key: &[u8]) -> bool {
        todo!()
    }
}

/// The string of one key inside [`Writer::edit_string`].
#[derive(Debug)]
pub struct StringEdit<'a> {
    _lookup: std::marker::PhantomData<&'a ()>,
}

impl StringEdit<'_> {
    /// The string; `None` when the key is absent.
    pub fn value(&self) -> Option<StringRef<'_>> {
        todo!()
    }
    /// Its deadline, if any.
    pub fn deadline(&self) -> Option<UnixMillis> {
        todo!()
    }
    /// Replaces the string.
    pub fn put(&mut self, _value: NewString<'_>) {
        todo!()
    }
    /// The bytes for changing in place; an absent key starts empty. The string is then `raw`.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        todo!()
    }
    /// Sets or clears the deadline.
    pub fn set_lifetime(&mut self, _lifetime: Lifetime) {
        todo!()
    }
    /// Removes the key.
    pub fn remove(&mut self) {
        todo!()
    }
}
