//! The data set as it was, for another thread to read.

use super::packed::ValueView;
use super::read::Reader;
use super::timers::Mark;
use super::value::{KeyEntry, KeyRef};
use super::{DbIndex, Keyspace};
use crate::base::time::UnixMillis;
use crate::structures::cow_table::{CowTable, TableSnapshot};
use crate::structures::epoch::Pin;

/// All databases at one moment. Holds back memory of what is changed or removed later.
#[derive(Debug)]
pub struct KeyspaceSnapshot {
    tables: Vec<TableSnapshot<KeyEntry>>,
    /// Keys with a deadline, per table.
    expiring: Vec<usize>,
    /// Timers of keys and of members, per table; none if not all that had died was dropped then.
    marks: Option<Vec<[Mark; 2]>>,
    now: UnixMillis,
}

/// A snapshot that is read as the living data are, by the same commands: [`Frozen::reader`]. What
/// they count is kept until [`Keyspace::absorb`] takes it over.
#[derive(Debug)]
pub struct Frozen {
    /// Without data: the hash, the counters, the journal.
    counter: Keyspace,
    snapshot: KeyspaceSnapshot,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<KeyspaceSnapshot>();
    is_send::<Frozen>();
};

/// What databases look like that were never written to.
static VACANT: CowTable<KeyEntry> = CowTable::new(0);

/// A key with all that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct KeyView<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value.
    pub value: ValueView<'a>,
    /// When it goes.
    pub deadline: Option<UnixMillis>,
    /// The 24 bits of its access clock.
    pub clock: u32,
}

impl KeyspaceSnapshot {
    pub(super) fn new(
        tables: Vec<TableSnapshot<KeyEntry>>,
        expiring: Vec<usize>,
        marks: Option<Vec<[Mark; 2]>>,
        now: UnixMillis,
    ) -> Self {
        Self { tables, expiring, marks, now }
    }

    pub(super) fn marks(&self) -> Option<&[[Mark; 2]]> {
        self.marks.as_deref()
    }

    /// What keeps it alive; none if there was no database in use.
    pub(super) fn pin(&self) -> Option<&Pin> {
        self.tables.first().map(TableSnapshot::pin)
    }

    pub(super) fn table(&self, db: DbIndex) -> &CowTable<KeyEntry> {
        self.tables.get(usize::from(db.0)).map_or(&VACANT, |table| table)
    }

    /// The table of a database that was in use then.
    pub(super) fn frozen_table(&self, db: DbIndex) -> Option<&TableSnapshot<KeyEntry>> {
        self.tables.get(usize::from(db.0))
    }

    /// How many databases were in use.
    pub(super) fn table_count(&self) -> u16 {
        u16::try_from(self.tables.len()).unwrap_or(u16::MAX)
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

    /// One key of a database. `hash` is [`Keyspace::hash_of`] it.
    pub fn key(&self, db: DbIndex, hash: u64, key: &[u8]) -> Option<KeyView<'_>> {
        self.table(db).find(hash, |entry| entry.has_key(key)).map(view_of)
    }

    /// The keys of one database, in the order of their hashes, expired ones included: whoever
    /// saves them leaves the decision to whoever loads them.
    pub fn keys(&self, db: DbIndex) -> impl Iterator<Item = KeyView<'_>> {
        let table = self.tables.get(usize::from(db.0));
        table.into_iter().flat_map(|table| table.iter()).map(view_of)
    }
}

fn view_of(entry: KeyRef<'_>) -> KeyView<'_> {
    KeyView {
        key: entry.key(),
        value: ValueView::new(entry),
        deadline: entry.deadline().map(UnixMillis),
        clock: entry.clock(),
    }
}

impl Frozen {
    /// Database `db` as of the snapshot's moment.
    pub fn reader(&self, db: DbIndex) -> Reader<'_> {
        let db = self.counter.within(db);
        Reader::of_snapshot(&self.counter, &self.snapshot, db, self.snapshot.now)
    }
}

impl Keyspace {
    /// All databases as of now, in O(databases), to be read by another thread.
    pub fn freeze(&mut self, now: UnixMillis) -> Frozen {
        Frozen { counter: self.without_data(), snapshot: self.snapshot(now) }
    }

    /// Counts what was looked up in a snapshot, and lets go of it.
    pub fn absorb(&mut self, frozen: Frozen) {
        let Frozen { mut counter, snapshot } = frozen;
        drop(snapshot);
        for (own, other) in
            [(&self.stats.hits, &counter.stats.hits), (&self.stats.misses, &counter.stats.misses)]
        {
            own.set(own.get().wrapping_add(other.get()));
        }
        for miss in counter.journal.take_misses().iter() {
            self.journal.miss(miss.db, miss.key);
        }
    }
}
