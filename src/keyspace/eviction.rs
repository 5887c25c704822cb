//! Choosing keys to be removed when memory is short.
//!
//! As in Redis, the best of a pool of candidates goes; the pool is fed by a few random draws each
//! time, and remembers good candidates between calls, so that it comes close to the true order.

use super::journal::EVICTED;
use super::popularity::Popularity;
use super::stats::Stats;
use super::timers::Range;
use super::value::KeyRef;
use super::write::{Free, Parts, Writer};
use super::{DbIndex, Keyspace};
use crate::base::time::UnixMillis;
use crate::structures::cow_table::Slot;
use crate::structures::timing_wheel::HASH_MASK;

/// Candidates that the pool remembers.
const POOL_MAX: usize = 16;
/// Keys that are drawn at the same time.
const DRAWN_TOGETHER: usize = 8;
/// Tries to draw a key with a deadline: the wheel may hold left-overs.
const ROUNDS: usize = 16;

/// Which keys may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All.
    AllKeys,
    /// Those with a deadline.
    Volatile,
}

/// Which of them goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// What the access clock says: least recently or least frequently used.
    Access,
    /// The least popular key: that of a sketch of all that was used lately. A newcomer that is no
    /// more popular than the victim goes itself. Needs [`Keyspace::set_counting_popularity`].
    Popularity,
    /// Any.
    Random,
    /// The nearest deadline.
    Deadline,
}

/// A policy of `maxmemory-policy`, other than `noeviction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionPolicy {
    /// Which keys may go.
    pub scope: Scope,
    /// Which of them goes first.
    pub order: Order,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// The larger, the better.
    score: u64,
    db: DbIndex,
    hash: u64,
}

/// Candidates of former calls, the best last.
#[derive(Debug, Default)]
pub(super) struct Pool {
    candidates: Vec<Candidate>,
    policy: Option<EvictionPolicy>,
    /// Where a random policy goes on.
    turn: u16,
}

impl Pool {
    pub(super) fn clear(&mut self) {
        self.candidates.clear();
    }

    fn add(&mut self, new: Candidate) {
        let is_same = |old: &Candidate| old.hash == new.hash && old.db == new.db;
        self.candidates.retain(|old| !is_same(old));
        let at = self.candidates.partition_point(|old| old.score <= new.score);
        self.candidates.insert(at, new);
        if self.candidates.len() > POOL_MAX {
            self.candidates.remove(0);
        }
    }
}

impl Keyspace {
    /// Removes one key that `policy` chooses from about `samples` draws per database; the bytes it
    /// took, or `None` when no key may go. Notes `evicted`.
    pub fn evict_one(
        &mut self,
        policy: EvictionPolicy,
        samples: usize,
        now: UnixMillis,
        rng: &mut fastrand::Rng,
    ) -> Option<usize> {
        if self.pool.policy != Some(policy) {
            self.pool.clear();
            self.pool.policy = Some(policy);
        }
        let used = self.used.max(1);
        for step in 0..used {
            let db = DbIndex((self.pool.turn % used + step) % used);
            self.draw(db, policy, samples.max(1), now, rng);
            if policy.order == Order::Random && !self.pool.candidates.is_empty() {
                break;
            }
        }
        self.pool.turn = (self.pool.turn + 1) % used;
        if policy.order == Order::Popularity {
            self.challenge(policy, now);
        }
        while let Some(victim) = self.pool.candidates.pop() {
            let bytes = self.writer(victim.db, now).evict(victim.hash, policy.scope);
            if bytes.is_some() {
                return bytes;
            }
        }
        let victim = match policy.scope {
            Scope::AllKeys => None,
            Scope::Volatile => self.find_volatile(policy, now, rng),
        }?;
        self.writer(victim.db, now).evict(victim.hash, policy.scope)
    }

    /// Sets the newcomer whose time of grace is over against the victim: it stays, or is the
    /// victim.
    fn challenge(&mut self, policy: EvictionPolicy, now: UnixMillis) {
        let keys = self.len();
        let Some(popularity) = &mut self.clock.popularity else { return };
        popularity.fit(keys);
        while let Some(popularity) = &self.clock.popularity
            && let Some((db, hash)) = popularity.oldest_newcomer(keys)
        {
            let is_it = |entry: KeyRef<'_>| self.hash_of(entry.key()) == hash;
            let Some(entry) = self.database(db).table.find(hash, is_it) else { continue };
            if policy.scope == Scope::Volatile && entry.deadline().is_none() {
                continue;
            }
            let newcomer = self.rate(entry, db, policy, now);
            let loses =
                |victim: &Candidate| !Popularity::is_preferable(newcomer.score, victim.score);
            if self.pool.candidates.last().is_none_or(loses) {
                self.pool.candidates.push(newcomer);
            }
            return;
        }
    }

    /// Feeds the pool from one database.
    fn draw(
        &mut self,
        db: DbIndex,
        policy: EvictionPolicy,
        samples: usize,
        now: UnixMillis,
        rng: &mut fastrand::Rng,
    ) {
        let samples = if policy.order == Order::Random { 1 } else { samples };
        // It will hardly be surpassed, and is not at hand: it was drawn some time ago.
        let victim = self.pool.candidates.last().filter(|victim| victim.db == db);
        let victim = victim.map(|victim| victim.hash);
        let mut candidates = [const { None }; DRAWN_TOGETHER];
        for drawn in 0..samples.div_ceil(DRAWN_TOGETHER) {
            let count = (samples - drawn * DRAWN_TOGETHER).min(DRAWN_TOGETHER);
            let candidates = &mut candidates[..count];
            match policy.scope {
                Scope::AllKeys if count == 1 => {
                    let key = self.database(db).table.random(|| rng.u64(..));
                    candidates[0] = key.map(|key| self.rate(key, db, policy, now));
                }
                Scope::AllKeys => {
                    let mut keys = [None; DRAWN_TOGETHER];
                    let table = &self.database(db).table;
                    table.sample(&mut keys[..count], || rng.u64(..));
                    table.prefetch(victim.as_slice());
                    for (candidate, key) in candidates.iter_mut().zip(keys) {
                        *candidate = key.map(|key| self.rate(key, db, policy, now));
                    }
                }
                Scope::Volatile => {
                    candidates.fill_with(|| self.draw_volatile(db, policy, now, rng));
                }
            }
            candidates.iter_mut().filter_map(Option::take).for_each(|new| self.pool.add(new));
        }
    }

    /// Draws a key with a deadline by its item in the wheel. Items of keys that are gone are
    /// removed on the way.
    fn draw_volatile(
        &mut self,
        db: DbIndex,
        policy: EvictionPolicy,
        now: UnixMillis,
        rng: &mut fastrand::Rng,
    ) -> Option<Candidate> {
        let range = if policy.order == Order::Deadline { Range::Next } else { Range::All };
        for _ in 0..ROUNDS {
            let database = self.database(db);
            let sample = database.timers.sample(rng, range)?;
            let names = |entry: KeyRef<'_>| {
                let span = entry.lifespan();
                (span.deadline.is_some() || span.ticket.is_some())
                    && self.hash_of(entry.key()) & HASH_MASK == sample.hash
            };
            match database.table.find(sample.hash, names) {
                Some(entry) if entry.deadline().is_some() => {
                    return Some(self.rate(entry, db, policy, now));
                }
                // Its deadline was taken away; the item may be needed again.
                Some(_) => {}
                None => self.databases[usize::from(db.0)].timers.discard(sample),
            }
        }
        None
    }

    fn rate(
        &self,
        entry: KeyRef<'_>,
        db: DbIndex,
        policy: EvictionPolicy,
        now: UnixMillis,
    ) -> Candidate {
        let hash = self.hash_of(entry.key());
        let score = match policy.order {
            Order::Popularity => {
                let idle = self.clock.policy.idle_seconds(entry.clock(), now).unwrap_or(0);
                let popularity = self.clock.popularity.as_ref();
                popularity.map_or(idle, |popularity| popularity.eviction_score(hash, idle))
            }
            Order::Access => self.clock.policy.eviction_score(entry.clock(), now),
            Order::Random => 0,
            Order::Deadline => {
                let deadline = entry.deadline().unwrap_or(i64::MAX);
                u64::MAX - u64::try_from(deadline).unwrap_or(0)
            }
        };
        Candidate { score, db, hash }
    }

    /// Any key with a deadline, found by walking: when drawing finds none though there are some.
    fn find_volatile(
        &self,
        policy: EvictionPolicy,
        now: UnixMillis,
        rng: &mut fastrand::Rng,
    ) -> Option<Candidate> {
        let numbered = (0..self.used).map(DbIndex).zip(&self.databases);
        let (db, database) = numbered.into_iter().find(|(_, db)| db.timers.len() > 0)?;
        for start in [rng.u64(..), 0] {
            let (mut cursor, mut found) = (start, None);
            loop {
                cursor = database.table.scan(cursor, &mut |entry| {
                    found = entry.deadline().map(|_| entry).or(found);
                });
                match found {
                    Some(entry) => return Some(self.rate(entry, db, policy, now)),
                    None if cursor == 0 => break,
                    None => {}
                }
            }
        }
        None
    }
}

impl Writer<'_> {
    /// Removes the key of this hash, if it is still there and may go; the bytes it took.
    fn evict(&mut self, hash: u64, scope: Scope) -> Option<usize> {
        let hasher = self.keyspace.hasher;
        let Parts { table, epochs, mut ledger } = self.parts();
        let is_victim = |entry: KeyRef<'_>| {
            (scope == Scope::AllKeys || entry.deadline().is_some())
                && hasher.hash(entry.key()) == hash
        };
        let Slot::Occupied(slot) = table.slot(epochs, hash, is_victim) else { return None };
        let bytes = slot.get().memory_bytes();
        Stats::count(&ledger.stats.evicted);
        ledger.note(slot.get().key(), EVICTED, 0);
        ledger.forget(slot.get());
        ledger.graveyard.bury_entry(slot.remove(), Free::Later);
        Some(bytes)
    }
}
