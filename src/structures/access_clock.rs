//! The 24 bits of an entry that tell how recently or how often a key was used.
//!
//! LRU and LRM keep seconds, modulo 2^24 (194 days), as Redis does; LFU keeps minutes modulo 2^16 and
//! an 8-bit logarithmic counter that decays. The value means what the current policy says; after a
//! change of policy old values are read under the new one until the next access, as in Redis.

use crate::base::time::UnixMillis;

const CLOCK_MASK: u32 = 0x00ff_ffff;
const MINUTES_MASK: u32 = 0xffff;
/// New keys start with some credit, or they would be evicted before they can prove themselves.
const COUNTER_INITIAL: u8 = 5;

/// What the access clock of an entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    /// Time of the last access.
    Lru,
    /// Time of the last change.
    Lrm,
    /// Number of accesses, on a logarithmic scale.
    Lfu {
        /// `lfu-log-factor`: how many more accesses each further step takes.
        log_factor: u32,
        /// `lfu-decay-time`: minutes after which the counter loses one; 0 is never.
        decay_minutes: u32,
    },
}

/// Whether an access read or changed the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It read.
    Read,
    /// It changed, or was about to.
    Write,
}

fn seconds(now: UnixMillis) -> u32 {
    let seconds = now.0.div_euclid(1000).rem_euclid(i64::from(CLOCK_MASK) + 1);
    u32::try_from(seconds).unwrap_or(0)
}

fn minutes(now: UnixMillis) -> u32 {
    let minutes = now.0.div_euclid(60_000).rem_euclid(i64::from(MINUTES_MASK) + 1);
    u32::try_from(minutes).unwrap_or(0)
}

fn lfu(now: UnixMillis, counter: u8) -> u32 {
    minutes(now) << 8 | u32::from(counter)
}

fn decayed(clock: u32, now: UnixMillis, decay_minutes: u32) -> u8 {
    let counter = clock.to_le_bytes()[0];
    if decay_minutes == 0 {
        return counter;
    }
    let elapsed = minutes(now).wrapping_sub(clock >> 8) & MINUTES_MASK;
    counter.saturating_sub(u8::try_from(elapsed / decay_minutes).unwrap_or(u8::MAX))
}

impl AccessPolicy {
    /// Clock of a key that appears now.
    pub fn fresh(self, now: UnixMillis) -> u32 {
        match self {
            Self::Lru | Self::Lrm => seconds(now),
            Self::Lfu { .. } => lfu(now, COUNTER_INITIAL),
        }
    }

    /// Clock of a key used now; `draw` gives uniform 32-bit numbers.
    #[inline]
    pub fn touched(
        self,
        clock: u32,
        now: UnixMillis,
        access: Access,
        draw: impl FnOnce() -> u32,
    ) -> u32 {
        match self {
            Self::Lrm if access == Access::Read => clock,
            Self::Lru | Self::Lrm => seconds(now),
            Self::Lfu { log_factor, decay_minutes } => {
                let counter = decayed(clock, now, decay_minutes);
                let above = u64::from(counter.saturating_sub(COUNTER_INITIAL));
                // One chance in `above * factor + 1`.
                let odds = above * u64::from(log_factor) + 1;
                let grows = u32::try_from(odds.saturating_mul(u64::from(draw()))).is_ok();
                lfu(now, counter.saturating_add(u8::from(grows)))
            }
        }
    }

    /// Seconds since the last access; `None` when accesses are counted instead.
    pub fn idle_seconds(self, clock: u32, now: UnixMillis) -> Option<u64> {
        match self {
            Self::Lru | Self::Lrm => Some(u64::from(seconds(now).wrapping_sub(clock) & CLOCK_MASK)),
            Self::Lfu { .. } => None,
        }
    }

    /// Logarithmic counter of accesses, decayed; `None` when times are kept instead.
    pub fn frequency(self, clock: u32, now: UnixMillis) -> Option<u8> {
        match self {
            Self::Lru | Self::Lrm => None,
            Self::Lfu { decay_minutes, .. } => Some(decayed(clock, now, decay_minutes)),
        }
    }

    /// Clock of a key that was last used `idle` seconds ago; unchanged meaning under LFU.
    pub fn idle_for(self, idle: u64, now: UnixMillis) -> Option<u32> {
        match self {
            Self::Lru | Self::Lrm => {
                let idle = u32::try_from(idle.min(u64::from(CLOCK_MASK))).unwrap_or(0);
                Some(seconds(now).wrapping_sub(idle) & CLOCK_MASK)
            }
            Self::Lfu { .. } => None,
        }
    }

    /// Clock of a key with this counter; `None` when times are kept instead.
    pub fn used(self, counter: u8, now: UnixMillis) -> Option<u32> {
        match self {
            Self::Lru | Self::Lrm => None,
            Self::Lfu { .. } => Some(lfu(now, counter)),
        }
    }

    /// How good a victim the key is; the larger, the better.
    pub fn eviction_score(self, clock: u32, now: UnixMillis) -> u64 {
        match self {
            Self::Lru | Self::Lrm => self.idle_seconds(clock, now).unwrap_or(0),
            Self::Lfu { decay_minutes, .. } => {
                u64::from(u8::MAX - decayed(clock, now, decay_minutes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LFU: AccessPolicy = AccessPolicy::Lfu { log_factor: 10, decay_minutes: 1 };

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    #[test]
    fn idle_time_counts_across_the_wrap() {
        let wrap = i64::from(CLOCK_MASK) + 1;
        let clock = AccessPolicy::Lru.fresh(at(wrap - 3));
        assert_eq!(AccessPolicy::Lru.idle_seconds(clock, at(wrap + 4)), Some(7));
        assert_eq!(AccessPolicy::Lru.frequency(clock, at(wrap)), None);
        let clock = AccessPolicy::Lru.idle_for(100, at(wrap + 4)).unwrap_or(0);
        assert_eq!(AccessPolicy::Lru.idle_seconds(clock, at(wrap + 5)), Some(101));
    }

    #[test]
    fn only_changes_move_the_clock_under_lrm() {
        let clock = AccessPolicy::Lrm.fresh(at(10));
        let read = AccessPolicy::Lrm.touched(clock, at(20), Access::Read, || 0);
        assert_eq!(AccessPolicy::Lrm.idle_seconds(read, at(20)), Some(10));
        let written = AccessPolicy::Lrm.touched(clock, at(20), Access::Write, || 0);
        assert_eq!(AccessPolicy::Lrm.idle_seconds(written, at(20)), Some(0));
    }

    #[test]
    fn counter_grows_slower_the_higher_it_is() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut clock = LFU.fresh(at(0));
        let mut touch = |clock, times| {
            (0..times)
                .fold(clock, |clock, _| LFU.touched(clock, at(0), Access::Read, || rng.u32(..)))
        };
        clock = touch(clock, 100);
        let hundred = LFU.frequency(clock, at(0)).unwrap_or(0);
        // Redis's documentation gives 10 for 100 hits and 18 for 1000 hits with factor 10.
        assert!((8..=13).contains(&hundred), "{hundred}");
        clock = touch(clock, 900);
        let thousand = LFU.frequency(clock, at(0)).unwrap_or(0);
        assert!((15..=22).contains(&thousand), "{thousand}");
    }

    #[test]
    fn counter_decays_with_time() {
        let clock = LFU.used(50, at(0)).unwrap_or(0);
        assert_eq!(LFU.frequency(clock, at(59)), Some(50));
        assert_eq!(LFU.frequency(clock, at(600)), Some(40));
        assert_eq!(LFU.frequency(clock, at(60_000)), Some(0));
        let never = AccessPolicy::Lfu { log_factor: 10, decay_minutes: 0 };
        assert_eq!(never.frequency(clock, at(60_000)), Some(50));
    }
}
