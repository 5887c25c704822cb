//! The data set as it was, for another thread to read.

use super::DbIndex;
use super::value::{KeyEntry, ValueRef, value_of};
use crate::base::time::UnixMillis;
use crate::structures::cow_table::TableSnapshot;

/// All databases at one moment. Holds back memory of what is changed or removed later.
#[derive(Debug)]
pub struct KeyspaceSnapshot {
    tables: Vec<TableSnapshot<KeyEntry>>,
    /// Keys with a deadline, per table.
    expiring: Vec<usize>,
    now: UnixMillis,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<KeyspaceSnapshot>();
};

/// A key with all that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct KeyView<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value.
    pub value: ValueRef<'a>,
    /// When it goes.
    pub deadline: Option<UnixMillis>,
    /// The 24 bits of its access clock.
    pub clock: u32,
}

impl KeyspaceSnapshot {
    pub(super) fn new(
        tables: Vec<TableSnapshot<KeyEntry>>,
        expiring: Vec<usize>,
        now: UnixMillis,
    ) -> Self {
        Self { tables, expiring, now }
    }

    /// When it was taken.
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// Databases that have keys, with the number of these, expired ones included.
    pub fn databases(&self) -> impl Iterator<Item = (DbIndex, usize)> {
        let tables = (0..=u16::MAX).map(DbIndex).zip(&self.tables);
        tables.map(|(db, table)| (db, table.len())).filter(|(_, keys)| *keys > 0)
    }

    /// How many keys of one database have a deadline.
    pub fn expiring(&self, db: DbIndex) -> usize {
        self.expiring.get(usize::from(db.0)).copied().unwrap_or(0)
    }

    /// The keys of one database, in the order of their hashes, expired ones included: whoever
    /// saves them leaves the decision to whoever loads them.
    pub fn keys(&self, db: DbIndex) -> impl Iterator<Item = KeyView<'_>> {
        let table = self.tables.get(usize::from(db.0));
        table.into_iter().flat_map(|table| table.iter()).map(|entry| KeyView {
            key: entry.key(),
            value: value_of(entry),
            deadline: entry.deadline().map(UnixMillis),
            clock: entry.clock(),
        })
    }
}
