//! When keys are moved together, and how fast: the directives of Redis's active defragmentation,
//! which here need not be switched on.
//!
//! Pages of the allocator that are partly empty are wasted. Once a second it is asked how much that
//! is; beyond `active-defrag-threshold-lower` and `active-defrag-ignore-bytes` all keys are visited
//! once, in slices of `active-defrag-cycle-us`, with a share of the processor between
//! `active-defrag-cycle-min` and `-max`, the more the more is wasted. Bytes are ignored in full where
//! they are just the lower threshold's part of what is held: the larger the part, the fewer, down to
//! a tenth, because so much less is to be visited for what is gained. A visit that helped is followed
//! by others until that tenth is left: keys may have gone meanwhile from pages that were full when it
//! came by. One that did not help is not repeated before a tenth more is wasted, or ten seconds have
//! passed. While keys are being evicted nothing is moved: it might have gone a moment later.

use crate::base::time::MonotonicMicros;
use crate::keyspace::compaction::{Compacted, Place};

use super::Engine;
use super::latency::Delay;
use super::outside::AllocatorFigures;

/// Allocations between two looks at the clock.
const VISITS_PER_LOOK: usize = 128;
/// Time between two questions to the allocator. Microseconds.
const REST_US: u64 = 1_000_000;
/// Time after which a visit that did not help may be repeated. Microseconds.
const HOPELESS_US: u64 = 10_000_000;

/// The part of `active-defrag-ignore-bytes` that is never worth a visit.
const LEAST_SHARE: usize = 10;

/// How far moving is.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    /// Where it goes on, while there is something to move.
    place: Option<Place>,
    /// Percent of the processor's time that it takes.
    effort: u64,
    /// Bytes that were wasted when the last visit began.
    wasted_before: usize,
    /// Bytes that were wasted after a visit that did not help, and when that was.
    hopeless: Option<(usize, MonotonicMicros)>,
    /// Whether the last visit helped.
    has_helped: bool,
    /// When the allocator was asked.
    looked: MonotonicMicros,
    /// Counters for INFO.
    pub done: Compacted,
    /// Keys that were visited and moved, and those that stayed.
    pub nanos: u64,
    /// Nanoseconds of the visit that is under way.
    pub nanos_now: u64,
}

impl Compaction {
    /// Percent of the processor's time that moving takes now; 0: nothing is moved.
    pub(super) fn effort(&self) -> u64 {
        if self.place.is_some() { self.effort } else { 0 }
    }

    /// Forgets the counters.
    pub(super) fn reset(&mut self) {
        (self.done, self.nanos, self.nanos_now) = (Compacted::default(), 0, 0);
    }
}

impl Engine {
    /// Moves keys together for a while, if there is reason to. Returns after how many microseconds
    /// it wants to be called again.
    pub fn compact(&mut self) -> u64 {
        let is_hindered = self.has_paused_script() || self.is_loading();
        if is_hindered || self.keyspace.snapshots() > 0 {
            // What a snapshot reads stays where it is.
            self.compaction.place = None;
            return REST_US;
        }
        if self.now.monotonic.since(self.compaction.looked) >= REST_US {
            self.compaction.looked = self.now.monotonic;
            self.look_for_waste();
        }
        if self.compaction.place.is_none() || self.has_room_to_make() {
            return REST_US;
        }
        let (started, slice) = (self.outside.ticks(), u64::from(self.slice_us()) * 1000);
        let (mut place, mut done) = (self.compaction.place.take(), self.compaction.done);
        let Self { outside, keyspace, nanos_per_tick, .. } = self;
        let passed = |ticks: u64| {
            let nanos = u128::from(ticks.saturating_sub(started)) * u128::from(*nanos_per_tick);
            u64::try_from(nanos >> 32).unwrap_or(u64::MAX)
        };
        outside.compact(&mut |world, is_misplaced| {
            while passed(world.ticks()) < slice
                && let Some(at) = place.take()
            {
                place = keyspace.compact(at, VISITS_PER_LOOK, is_misplaced, &mut done);
            }
        });
        let nanos = self.nanos_between(started, self.outside.ticks());
        self.note_delay(Delay::Compaction, nanos);
        let state = &mut self.compaction;
        let goes_on = place.is_some();
        (state.place, state.done) = (place, done);
        state.nanos += nanos;
        state.nanos_now += nanos;
        if !goes_on {
            self.end_compacting();
            return REST_US;
        }
        nanos / 1000 * (100 - self.compaction.effort) / self.compaction.effort
    }

    fn slice_us(&self) -> u32 {
        self.config.active_defrag_cycle_us.max(1)
    }

    /// Asks the allocator whether keys are to be visited, and how fast.
    fn look_for_waste(&mut self) {
        let config = &self.config;
        let ignored = usize::try_from(config.active_defrag_ignore_bytes.0).unwrap_or(usize::MAX);
        if self.stats.memory_peak.max(self.outside.memory_used()) < ignored / LEAST_SHARE {
            // There can't be as much waste.
            return;
        }
        let figures = self.outside.allocator();
        let (wasted, percent) = (wasted_bytes(&figures), percent_of(&figures));
        let range = [config.active_defrag_threshold_lower, config.active_defrag_threshold_upper];
        let times = [config.active_defrag_cycle_min, config.active_defrag_cycle_max];
        let state = &mut self.compaction;
        state.effort = effort(percent, range.map(u64::from), times.map(u64::from));
        let is_hopeless = state.hopeless.is_some_and(|(old, when)| {
            wasted < old + old / 10 && self.now.monotonic.since(when) < HOPELESS_US
        });
        let lower = u64::from(range[0]);
        let ignored = if state.has_helped { 0 } else { ignored_bytes(ignored, percent, lower) }
            .max(ignored / LEAST_SHARE);
        let is_little = wasted < ignored || percent < lower;
        if state.place.is_none() && !is_little && !is_hopeless {
            tracing::debug!("Moving keys together: {wasted} bytes are wasted, {percent} %");
            state.place = Some(self.keyspace.first_place());
            (state.wasted_before, state.nanos_now) = (wasted, 0);
        }
    }

    fn end_compacting(&mut self) {
        let wasted = wasted_bytes(&self.outside.allocator());
        let state = &mut self.compaction;
        state.has_helped = wasted < state.wasted_before / 8 * 7;
        state.hopeless = (!state.has_helped).then_some((wasted, self.now.monotonic));
        state.nanos_now = 0;
        tracing::debug!("Moved keys together: {wasted} bytes are still wasted");
    }
}

/// Percent of the processor's time for moving, when so much is wasted.
fn effort(percent: u64, [lower, upper]: [u64; 2], [least, most]: [u64; 2]) -> u64 {
    let above = percent.min(upper).saturating_sub(lower);
    let range = upper.saturating_sub(lower).max(1);
    (least + above * most.saturating_sub(least) / range).clamp(1, most.max(1))
}

/// Bytes that are not worth a visit when they are so many percent of what is held.
fn ignored_bytes(directive: usize, percent: u64, lower: u64) -> usize {
    let share = usize::try_from(percent / lower.max(1)).unwrap_or(LEAST_SHARE);
    directive / share.clamp(1, LEAST_SHARE)
}

/// Bytes of pages that hold something, beyond what they hold.
fn wasted_bytes(figures: &AllocatorFigures) -> usize {
    figures.active.saturating_sub(figures.allocated)
}

/// The same in percent of what they hold.
fn percent_of(figures: &AllocatorFigures) -> u64 {
    (wasted_bytes(figures) as u64).saturating_mul(100) / (figures.allocated as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_waste_is_worth_more_time() {
        for (percent, expected) in [(0, 1), (10, 1), (55, 13), (100, 25), (900, 25)] {
            assert_eq!(effort(percent, [10, 100], [1, 25]), expected, "{percent} %");
        }
        assert_eq!(effort(50, [100, 10], [80, 20]), 20);
    }

    #[test]
    fn of_a_larger_part_fewer_bytes_are_ignored() {
        let cases = [(0, 1000), (10, 1000), (20, 500), (95, 111), (100, 100), (9000, 100)];
        for (percent, expected) in cases {
            assert_eq!(ignored_bytes(1000, percent, 10), expected, "{percent} %");
        }
        assert_eq!(ignored_bytes(1000, 50, 0), 100);
    }
}
