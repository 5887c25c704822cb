//! Counters for INFO, and the clock that accesses are recorded with.

use super::DbIndex;
use super::popularity::Popularity;
use super::value::KeyRef;
use crate::base::time::UnixMillis;
use crate::structures::access_clock::{Access, AccessPolicy};
use std::cell::Cell;

/// What happened to keys since the start, or since CONFIG RESETSTAT.
#[derive(Debug, Default)]
pub struct Stats {
    /// Lookups of readers that found their key.
    pub hits: Cell<u64>,
    /// Lookups of readers that did not.
    pub misses: Cell<u64>,
    /// Keys removed because their time was over.
    pub expired: Cell<u64>,
    /// Members of collections removed because their time was over.
    pub expired_members: Cell<u64>,
    /// Keys removed to make room.
    pub evicted: Cell<u64>,
}

impl Stats {
    /// Sets all to zero.
    pub fn reset(&self) {
        let Self { hits, misses, expired, expired_members, evicted } = self;
        for counter in [hits, misses, expired, expired_members, evicted] {
            counter.set(0);
        }
    }

    /// Lookups that found their key and lookups that did not, so far.
    #[inline]
    pub fn lookups(&self) -> (u64, u64) {
        (self.hits.get(), self.misses.get())
    }

    /// Takes back what was counted since [`Stats::lookups`] said this.
    pub fn take_back(&self, (hits, misses): (u64, u64)) {
        self.hits.set(hits);
        self.misses.set(misses);
    }

    pub(super) fn count(counter: &Cell<u64>) {
        counter.set(counter.get().wrapping_add(1));
    }
}

/// Records accesses under the current policy, with numbers of its own to draw from: a lookup has
/// only a shared reference.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) policy: AccessPolicy,
    pub(super) popularity: Option<Box<Popularity>>,
    draws: Cell<u64>,
}

impl Clock {
    pub(super) fn new(seed: u64) -> Self {
        Self { policy: AccessPolicy::Lru, popularity: None, draws: Cell::new(seed | 1) }
    }

    /// Clock of a key that appears now.
    #[inline]
    pub(super) fn fresh(&self, db: DbIndex, hash: u64, now: UnixMillis) -> u32 {
        if let Some(popularity) = &self.popularity {
            popularity.welcome(db, hash);
        }
        self.policy.fresh(now)
    }

    /// Clock of a key that is used now.
    #[inline]
    pub(super) fn touched(&self, clock: u32, hash: u64, now: UnixMillis, access: Access) -> u32 {
        if let Some(popularity) = &self.popularity {
            popularity.note(hash);
        }
        self.policy.touched(clock, now, access, || self.draw())
    }

    #[inline]
    pub(super) fn touch(&self, entry: KeyRef<'_>, hash: u64, now: UnixMillis, access: Access) {
        entry.set_clock(self.touched(entry.clock(), hash, now, access));
    }

    /// The upper half of a linear congruential generator; Knuth's multiplier.
    fn draw(&self) -> u32 {
        let next = self.draws.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.draws.set(next);
        u32::try_from(next >> 32).unwrap_or(0)
    }
}
