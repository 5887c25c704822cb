//! Reading one database at one moment. An expired key is never seen, removed or not.

use super::packed::{Opened, ValueView};
use super::snapshot::{KeyView, KeyspaceSnapshot};
use super::stats::Stats;
use super::value::{
    KeyEntry, KeyRef, Kind, Stored, StringRef, WrongType, encoding_of, kind_of, string_of,
};
use super::{DbIndex, Keyspace};
use crate::base::time::UnixMillis;
use crate::structures::access_clock::Access;
use crate::structures::cow_table::CowTable;
use crate::structures::entry::Content;

/// Draws before [`Reader::random_key`] looks for a living key one by one.
const RANDOM_TRIES: usize = 100;

/// Whether looking at a key is an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    Yes,
    No,
}

/// A database as of `now`.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    keyspace: &'a Keyspace,
    /// Of the database, in the keyspace or in the snapshot.
    table: &'a CowTable<KeyEntry>,
    /// Where the tables are, when not in the keyspace.
    snapshot: Option<&'a KeyspaceSnapshot>,
    db: DbIndex,
    now: UnixMillis,
    /// Keys whose deadline is not behind this moment are hidden: `now`, unless a primary decides
    /// what expires and the view is a writer's.
    horizon: UnixMillis,
    touch: Touch,
}

/// Whether a key with this deadline is gone at `now`.
#[inline]
pub(super) fn is_dead(deadline: Option<i64>, now: UnixMillis) -> bool {
    deadline.is_some_and(|at| at <= now.0)
}

impl<'a> Reader<'a> {
    pub(super) fn new(keyspace: &'a Keyspace, db: DbIndex, now: UnixMillis) -> Self {
        let table = &keyspace.databases[usize::from(db.0)].table;
        Self { keyspace, table, snapshot: None, db, now, horizon: now, touch: Touch::Yes }
    }

    /// Reads a snapshot; `keyspace` lends its hash and takes what is counted.
    pub(super) fn of_snapshot(
        keyspace: &'a Keyspace,
        snapshot: &'a KeyspaceSnapshot,
        db: DbIndex,
        now: UnixMillis,
    ) -> Self {
        let table = snapshot.table(db);
        let snapshot = Some(snapshot);
        Self { keyspace, table, snapshot, db, now, horizon: now, touch: Touch::Yes }
    }

    /// The same view, showing expired keys that are not yet removed, too.
    pub(super) fn with_dead(self) -> Self {
        Self { horizon: UnixMillis(i64::MIN), ..self }
    }

    /// The moment this view shows.
    pub fn now(&self) -> UnixMillis {
        self.now
    }
    /// Members whose deadline is not behind this moment are over: what this view compares with.
    pub fn horizon(&self) -> UnixMillis {
        self.horizon
    }
    /// The database.
    pub fn db(&self) -> DbIndex {
        self.db
    }
    /// Another database of the same keyspace.
    #[must_use]
    pub fn other(&self, db: DbIndex) -> Self {
        let db = self.keyspace.within(db);
        let table = match self.snapshot {
            Some(snapshot) => snapshot.table(db),
            None => &self.keyspace.databases[usize::from(db.0)].table,
        };
        Self { table, db, ..*self }
    }
    /// Number of databases.
    pub fn db_count(&self) -> u16 {
        self.keyspace.db_count()
    }
    /// The same view, leaving access clocks alone (CLIENT NO-TOUCH).
    #[must_use]
    pub fn no_touch(self) -> Self {
        Self { touch: Touch::No, ..self }
    }
    /// The hash of a key, or of whatever is to be spread like keys.
    pub fn hash_of(&self, key: &[u8]) -> u64 {
        self.keyspace.hash_of(key)
    }

    #[inline]
    fn find(&self, key: &[u8]) -> Option<KeyRef<'a>> {
        self.find_hashed(key, self.keyspace.hash_of(key))
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "of its callers only one is frequent")]
    fn find_hashed(&self, key: &[u8], hash: u64) -> Option<KeyRef<'a>> {
        let entry = self.table.find(hash, |entry| entry.has_key(key))?;
        (!is_dead(entry.deadline(), self.horizon)).then_some(entry)
    }

    /// Looks `key` up on behalf of a client.
    #[inline]
    fn look_up(&self, key: &[u8]) -> Option<KeyRef<'a>> {
        let hash = self.keyspace.hash_of(key);
        let found = self.find_hashed(key, hash);
        self.count_lookup(key, found.is_some());
        if let Some(entry) = found
            && self.touch == Touch::Yes
        {
            self.keyspace.clock.touch(entry, hash, self.now, Access::Read);
        }
        found
    }

    /// The string at `key`. Counts a hit or a miss, and touches the access clock.
    #[inline]
    pub fn string(&self, key: &[u8]) -> Result<Option<StringRef<'a>>, WrongType> {
        self.look_up(key).map(string_of).transpose()
    }
    /// The value at `key`. Counts a hit or a miss, and touches the access clock.
    pub fn value(&self, key: &[u8]) -> Option<ValueView<'a>> {
        self.look_up(key).map(ValueView::new)
    }
    /// The collection at `key`. Counts a hit or a miss, and touches the access clock.
    #[inline]
    pub fn get<T: Stored>(&self, key: &[u8]) -> Result<Option<Opened<'a, T>>, WrongType> {
        self.look_up(key).map(Opened::of).transpose()
    }
    /// The collection at `key`, of a type that is never packed. Counts and touches as `get` does.
    pub fn borrow<T: Stored>(&self, key: &[u8]) -> Result<Option<&'a T>, WrongType> {
        Ok(self.get::<T>(key)?.and_then(Opened::borrowed))
    }
    /// The value at `key`, leaving statistics and access clock alone (OBJECT, TYPE, DEBUG).
    pub fn peek(&self, key: &[u8]) -> Option<ValueView<'a>> {
        self.find(key).map(ValueView::new)
    }
    /// Whether `key` exists; counts as `value` does, but leaves the access clock alone (EXISTS).
    pub fn contains(&self, key: &[u8]) -> bool {
        let is_there = self.find(key).is_some();
        self.count_lookup(key, is_there);
        is_there
    }
    /// Type of `key`; neither counts nor touches.
    pub fn kind(&self, key: &[u8]) -> Option<Kind> {
        self.find(key).map(kind_of)
    }
    /// How the value is kept, as OBJECT ENCODING prints it; neither counts nor touches.
    pub fn encoding(&self, key: &[u8]) -> Option<&'static str> {
        self.find(key).map(encoding_of)
    }
    /// `None`: no such key; `Some(None)`: it stays; `Some(Some(at))`: it goes at `at`.
    pub fn deadline(&self, key: &[u8]) -> Option<Option<UnixMillis>> {
        self.find(key).map(|entry| entry.deadline().map(UnixMillis))
    }
    /// Seconds since the last access; 0 under LFU policies, which do not know.
    pub fn idle_seconds(&self, key: &[u8]) -> Option<u64> {
        let policy = self.keyspace.clock.policy;
        self.find(key).map(|entry| policy.idle_seconds(entry.clock(), self.now).unwrap_or(0))
    }
    /// Logarithmic access counter; 0 under policies that keep times.
    pub fn frequency(&self, key: &[u8]) -> Option<u8> {
        let policy = self.keyspace.clock.policy;
        self.find(key).map(|entry| policy.frequency(entry.clock(), self.now).unwrap_or(0))
    }
    /// Bytes that key, value and their share of table and wheel take; of a collection, estimated from
    /// `samples` elements, 0 being all.
    pub fn memory_bytes(&self, key: &[u8], samples: usize) -> Option<usize> {
        let entry = self.find(key)?;
        let value = match entry.content() {
            Content::Nested(value) => entry.shell_bytes() + value.estimated_bytes(samples),
            _ => entry.memory_bytes(),
        };
        let share = self.table.memory_bytes() / self.len().max(1);
        let timers = &self.keyspace.database(self.db).timers;
        let filed = match entry.deadline() {
            Some(_) => timers.memory_bytes() / timers.len().max(1),
            None => 0,
        };
        Some(value + share + filed)
    }
    /// Keys, expired but not yet removed ones included.
    pub fn len(&self) -> usize {
        self.table.len()
    }
    /// Keys with a deadline, the same included.
    pub fn timed_len(&self) -> usize {
        self.keyspace.database(self.db).timers.len()
    }
    /// How many keys the pages of the table could refer to, about.
    pub fn table_slots(&self) -> usize {
        self.table.memory_bytes() / size_of::<usize>()
    }
    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits live keys from `cursor` on, at least one bucket and about `budget` keys; returns the
    /// next cursor, 0 at the end. Every key that is there throughout a full walk is visited.
    pub fn scan(
        &self,
        cursor: u64,
        budget: usize,
        visit: &mut dyn FnMut(&'a [u8], ValueView<'a>),
    ) -> u64 {
        let mut left = budget.max(1);
        let mut cursor = cursor;
        loop {
            // Dead keys count too: a step over a thousand of them must end.
            cursor = self.table.scan(cursor, &mut |entry| {
                left = left.saturating_sub(1);
                if !is_dead(entry.deadline(), self.horizon) {
                    visit(entry.key(), ValueView::new(entry));
                }
            });
            if cursor == 0 || left == 0 {
                return cursor;
            }
        }
    }

    /// Visits all live keys, in the order of their hashes.
    pub fn for_each(&self, mut visit: impl FnMut(KeyView<'a>)) {
        let entries = self.table.iter();
        for entry in entries.filter(|entry| !is_dead(entry.deadline(), self.horizon)) {
            visit(KeyView {
                key: entry.key(),
                value: ValueView::new(entry),
                deadline: entry.deadline().map(UnixMillis),
                clock: entry.clock(),
            });
        }
    }

    /// A live key drawn fairly; `None` when there is none.
    pub fn random_key(&self, rng: &mut fastrand::Rng) -> Option<&'a [u8]> {
        let table = self.table;
        for _ in 0..RANDOM_TRIES {
            let entry = table.random(|| rng.u64(..))?;
            if !is_dead(entry.deadline(), self.horizon) {
                return Some(entry.key());
            }
        }
        // Nearly all are dead; the wheel will soon have removed them.
        let start = rng.u64(..);
        self.first_live(start).or_else(|| self.first_live(0))
    }

    /// The first living key from a point of the hash space on.
    fn first_live(&self, mut cursor: u64) -> Option<&'a [u8]> {
        loop {
            let mut found = None;
            cursor = self.scan(cursor, 1, &mut |key, _| found = Some(key));
            if found.is_some() || cursor == 0 {
                return found;
            }
        }
    }
}

impl Reader<'_> {
    /// Counts a hit or a miss for a client that asked about `key`, but not for its value.
    #[inline]
    pub fn count_lookup(&self, key: &[u8], is_hit: bool) {
        self.keyspace.stats.count_lookup(is_hit);
        if !is_hit {
            self.keyspace.journal.miss(self.db, key);
        }
    }
}

impl Stats {
    #[inline]
    pub(super) fn count_lookup(&self, is_hit: bool) {
        Self::count(if is_hit { &self.hits } else { &self.misses });
    }
}
