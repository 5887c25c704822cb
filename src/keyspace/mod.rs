//! The keys of all databases: values, deadlines, facts about changes, snapshots.
//!
//! Knows no client, no reply, no replica. Reading goes through [`read::Reader`], changing through
//! [`write::Writer`]; both are views of one database at one moment.

mod collection_edit;
pub mod compaction;
pub mod eviction;
mod expiry;
pub mod graveyard;
mod held;
pub mod journal;
pub mod load;
pub mod members;
pub mod packed;
mod popularity;
#[cfg(test)]
pub mod probe;
pub mod read;
mod relocate;
pub mod restore;
pub mod snapshot;
mod spot;
pub mod stats;
mod string_edit;
mod timers;
pub mod value;
pub mod write;

#[cfg(test)]
mod member_tests;
#[cfg(test)]
mod packed_tests;
#[cfg(test)]
mod tests;

use crate::base::hash::KeyHasher;
use crate::base::time::UnixMillis;
use crate::structures::access_clock::AccessPolicy;
use crate::structures::cow_table::CowTable;
use crate::structures::epoch::Epochs;
use eviction::Pool;
use graveyard::{Garbage, Graveyard};
use journal::Journal;
use popularity::Popularity;
use read::Reader;
use snapshot::KeyspaceSnapshot;
use stats::{Clock, Stats};
use timers::Timers;
use value::KeyEntry;
use write::Writer;

/// Steps of [`Keyspace::fit_popularity`]: each serves 8192 keys more.
const FITTING_STEPS: usize = 16;

/// Number of a database, as SELECT takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbIndex(pub u16);

/// Who decides that an expired key goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// We do, by our clock.
    #[default]
    Own,
    /// A primary, by its DEL: until then expired keys are hidden from readers, but writers, which
    /// act on the primary's behalf, find them.
    Followed,
}

/// Figures of one database for INFO keyspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DbFigures {
    /// Keys, expired but not yet removed ones included.
    pub keys: usize,
    /// Those with a deadline.
    pub expires: usize,
    /// Mean of what those have left. Milliseconds.
    pub average_ttl_ms: u64,
    /// Keys of collections that have members with deadlines.
    pub expiring_members: usize,
}

#[derive(Debug)]
struct Database {
    table: CowTable<KeyEntry>,
    /// Of keys.
    timers: Timers,
    /// Of collections whose members go by themselves.
    members: Timers,
}

impl Database {
    fn new(seed: u64) -> Self {
        Self { table: CowTable::new(seed), timers: Timers::default(), members: Timers::default() }
    }
}

/// The whole data set.
#[derive(Debug)]
pub struct Keyspace {
    hasher: KeyHasher,
    databases: Vec<Database>,
    epochs: Epochs,
    journal: Journal,
    stats: Stats,
    clock: Clock,
    expiry: Expiry,
    graveyard: Graveyard,
    pool: Pool,
    /// Databases from here on were never written to.
    used: u16,
    /// Where the next round of expiry begins.
    turn: u16,
    /// Buffer for strings under change.
    scratch: Vec<u8>,
}

// The engine's thread is chosen at start.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Keyspace>();
};

impl Keyspace {
    /// `databases` empty ones, at least one; `seed` keys the hash, against flooding.
    pub fn new(databases: u16, seed: u64) -> Self {
        Self {
            hasher: KeyHasher::new(seed),
            databases: (0..databases.max(1)).map(|_| Database::new(seed)).collect(),
            epochs: Epochs::with_seed(seed),
            journal: Journal::default(),
            stats: Stats::default(),
            clock: Clock::new(seed),
            expiry: Expiry::Own,
            graveyard: Graveyard::default(),
            pool: Pool::default(),
            used: 0,
            turn: 0,
            scratch: Vec::new(),
        }
    }

    /// An empty one that hashes, counts and notes misses as this one does.
    fn without_data(&self) -> Self {
        let seed = self.epochs.seed();
        let mut other = Self { hasher: self.hasher, ..Self::new(self.db_count(), seed) };
        other.clock.policy = self.clock.policy;
        other.journal.listen_to_misses(self.journal.hears_misses());
        other
    }

    /// Reads database `db` as of `now`. A number out of range means the last database.
    pub fn reader(&self, db: DbIndex, now: UnixMillis) -> Reader<'_> {
        Reader::new(self, self.within(db), now)
    }

    /// Reads and changes database `db` as of `now`. A number out of range means the last database.
    pub fn writer(&mut self, db: DbIndex, now: UnixMillis) -> Writer<'_> {
        let db = self.within(db);
        Writer { keyspace: self, db, now }
    }

    /// Number of databases.
    pub fn db_count(&self) -> u16 {
        u16::try_from(self.databases.len()).unwrap_or(u16::MAX)
    }

    /// Whether there is a database of this number.
    pub fn has_db(&self, db: DbIndex) -> bool {
        db.0 < self.db_count()
    }

    /// The journal: what changed.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The journal, for listening and for taking records.
    pub fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How accesses are recorded.
    pub fn access_policy(&self) -> AccessPolicy {
        self.clock.policy
    }

    /// Changes how accesses are recorded. Clocks of keys are not converted, as in Redis.
    pub fn set_access_policy(&mut self, policy: AccessPolicy) {
        self.clock.policy = policy;
        self.pool.clear();
    }

    /// From now on, keeps count of how often keys are used, for [`eviction::Order::Popularity`],
    /// or no longer.
    pub fn set_counting_popularity(&mut self, counts: bool) {
        self.clock.popularity = counts.then(Box::<Popularity>::default);
        self.pool.clear();
    }

    /// Whether it does.
    pub fn counts_popularity(&self) -> bool {
        self.clock.popularity.is_some()
    }

    /// Lets those counts follow the number of keys, a few steps of up to 10 us each.
    pub fn fit_popularity(&mut self) {
        let keys = self.len();
        if let Some(popularity) = &mut self.clock.popularity {
            (0..FITTING_STEPS).for_each(|_| popularity.fit(keys));
        }
    }

    /// Bytes by which eviction remembers how keys were used, beside the keys themselves.
    pub fn popularity_bytes(&self) -> usize {
        self.clock.popularity.as_ref().map_or(0, |popularity| popularity.memory_bytes())
    }

    /// Who decides that an expired key goes.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// Changes who decides that an expired key goes: replication roles, import mode.
    pub fn set_expiry(&mut self, expiry: Expiry) {
        self.expiry = expiry;
    }

    /// The hash of a key, for [`Keyspace::prefetch`].
    #[inline]
    pub fn hash_of(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// Starts loading what lookups of these keys will read, all at the same time.
    #[inline]
    pub fn prefetch(&self, db: DbIndex, hashes: &[u64]) {
        self.database(db).table.prefetch(hashes);
    }

    /// Starts loading where a new key will be put.
    #[inline]
    pub fn prefetch_bucket(&self, db: DbIndex, hash: u64) {
        self.database(db).table.prefetch_bucket(hash);
    }

    /// What another thread needs to make keys for [`Writer::load`].
    pub fn maker(&self) -> load::Maker {
        load::Maker::new(self.epochs.seed())
    }

    /// Figures of one database.
    pub fn figures(&self, db: DbIndex, now: UnixMillis) -> DbFigures {
        let database = self.database(db);
        DbFigures {
            keys: database.table.len(),
            expires: database.timers.len(),
            average_ttl_ms: database.timers.average_ttl(now.0),
            expiring_members: database.members.len(),
        }
    }

    /// Keys of all databases.
    pub fn len(&self) -> usize {
        self.databases.iter().map(|database| database.table.len()).sum()
    }

    /// Whether no database has a key.
    pub fn is_empty(&self) -> bool {
        self.databases.iter().all(|database| database.table.is_empty())
    }

    /// Bytes of one database's table, without entries.
    pub fn table_bytes(&self, db: DbIndex) -> usize {
        self.database(db).table.memory_bytes()
    }

    /// Bytes by which one database's deadlines are found.
    pub fn timer_bytes(&self, db: DbIndex) -> usize {
        let database = self.database(db);
        database.timers.memory_bytes() + database.members.memory_bytes()
    }

    /// Bytes that are dead, but held back by snapshots or not yet reaped.
    pub fn held_bytes(&self) -> usize {
        self.epochs.held_bytes()
    }

    /// How many snapshots live.
    pub fn snapshots(&self) -> usize {
        self.epochs.living()
    }

    /// All databases as of now, in O(databases), for another thread.
    pub fn snapshot(&mut self, now: UnixMillis) -> KeyspaceSnapshot {
        let pin = self.epochs.pin();
        let used = usize::from(self.used);
        let expiring = self.databases.iter().take(used).map(|db| db.timers.len()).collect();
        let marks =
            self.databases.iter().take(used).map(|db| [db.timers.mark(), db.members.mark()]);
        let marks = if self.graveyard.has_tables() { None } else { Some(marks.collect()) };
        let tables = self.databases.iter_mut().take(used).map(|db| db.table.snapshot(&pin));
        KeyspaceSnapshot::new(tables.collect(), expiring, marks, now)
    }

    /// Frees at most `budget` dead things that no snapshot needs any more; returns how many such
    /// things remain. Large ones become garbage.
    pub fn reap(&mut self, budget: usize) -> usize {
        let graveyard = &mut self.graveyard;
        self.epochs.reap_into(budget, &mut |grave| graveyard.bury_grave(grave))
    }

    /// Whether [`Keyspace::take_garbage`] has something.
    pub fn has_garbage(&self) -> bool {
        !self.graveyard.is_empty()
    }

    /// Whether changes, misses or garbage wait to be dealt with.
    #[inline]
    pub fn has_aftermath(&self) -> bool {
        self.journal.has_records() || self.journal.has_misses() || self.has_garbage()
    }

    /// Bytes of those things, about.
    pub fn garbage_bytes(&self) -> usize {
        self.graveyard.bytes()
    }

    /// Large unreachable things; dropping them, best by a worker, frees their memory.
    pub fn take_garbage(&mut self) -> Vec<Garbage> {
        self.graveyard.take()
    }

    fn within(&self, db: DbIndex) -> DbIndex {
        debug_assert!(self.has_db(db), "SELECT checks the number");
        DbIndex(db.0.min(self.db_count() - 1))
    }

    fn database(&self, db: DbIndex) -> &Database {
        &self.databases[usize::from(self.within(db).0)]
    }
}
