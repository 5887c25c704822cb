//! Which keys are wanted often, and which have yet to show it: what the `TinyLFU` policies go by.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::DbIndex;
use crate::structures::frequency_sketch::FrequencySketch;

/// One newcomer in so many keys is left in peace, so that it can be asked for again.
const KEYS_PER_NEWCOMER: usize = 100;
/// Newcomers remembered at most: older ones have proved themselves or not.
const NEWCOMERS_MAX: usize = 1 << 16;

/// Frequencies of keys, and the keys that came last.
#[derive(Debug, Default)]
pub(super) struct Popularity {
    sketch: FrequencySketch,
    newcomers: RefCell<VecDeque<(DbIndex, u64)>>,
}

impl Popularity {
    /// Notes that a key is used.
    pub(super) fn note(&self, hash: u64) {
        self.sketch.note(hash);
    }

    /// Notes that a key appears.
    pub(super) fn welcome(&self, db: DbIndex, hash: u64) {
        self.sketch.note(hash);
        let mut newcomers = self.newcomers.borrow_mut();
        if newcomers.len() == NEWCOMERS_MAX {
            newcomers.pop_front();
        }
        newcomers.push_back((db, hash));
    }

    /// How good a victim the key is; the larger, the better. Of two that are asked for equally
    /// often, the one that is idle longer.
    pub(super) fn eviction_score(&self, hash: u64, idle_seconds: u64) -> u64 {
        u64::from(u8::MAX - self.sketch.frequency(hash)) << 32 | idle_seconds & u64::from(u32::MAX)
    }

    /// Whether a newcomer is asked for more often than the victim; its use being younger does not
    /// help it. Of two eviction scores.
    pub(super) fn is_preferable(newcomer: u64, victim: u64) -> bool {
        newcomer >> 32 < victim >> 32
    }

    /// The newcomer that has been here longest, once there are too many of them.
    pub(super) fn oldest_newcomer(&self, keys: usize) -> Option<(DbIndex, u64)> {
        let mut newcomers = self.newcomers.borrow_mut();
        if newcomers.len() > keys / KEYS_PER_NEWCOMER { newcomers.pop_front() } else { None }
    }

    /// Follows the number of keys, a step at a time.
    pub(super) fn fit(&mut self, keys: usize) {
        self.sketch.fit(keys);
    }

    /// Bytes allocated.
    pub(super) fn memory_bytes(&self) -> usize {
        self.sketch.memory_bytes()
            + self.newcomers.borrow().capacity() * size_of::<(DbIndex, u64)>()
    }
}
