//! The only place that reads clocks.

#![allow(unsafe_code, reason = "the processor's time-stamp counter has no safe interface")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::base::time::{MonotonicMicros, Now, UnixMillis};

/// How long the tick counter is compared with the monotonic clock at the start.
const CALIBRATION: Duration = Duration::from_micros(1500);

/// Both clocks, and a counter of ticks for durations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    base: Instant,
    nanos_per_tick: u64,
    counts_cycles: bool,
}

impl Clock {
    /// Calibrates the tick counter; takes 1.5 ms.
    pub(super) fn start() -> Self {
        let base = now_instant();
        let mut clock = Self { base, nanos_per_tick: 1 << 32, counts_cycles: has_steady_counter() };
        if clock.counts_cycles {
            let (instant, ticks) = (now_instant(), cycle_counter());
            while instant.elapsed() < CALIBRATION {
                std::hint::spin_loop();
            }
            let (nanos, ticks) = (instant.elapsed().as_nanos(), cycle_counter() - ticks);
            let scaled = (nanos << 32) / u128::from(ticks.max(1));
            clock.nanos_per_tick = u64::try_from(scaled).unwrap_or(1 << 32);
        }
        clock
    }

    /// Reads both clocks. About 40 ns.
    pub(super) fn now(&self) -> Now {
        Now { unix_us: unix_us(), monotonic: MonotonicMicros(micros(self.base.elapsed())) }
    }

    /// A reading of the tick counter. About 7 ns where the processor has a steady one.
    pub(super) fn ticks(&self) -> u64 {
        if self.counts_cycles {
            cycle_counter()
        } else {
            u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX)
        }
    }

    /// Nanoseconds per tick, with 32 fractional bits.
    pub(super) fn nanos_per_tick(&self) -> u64 {
        self.nanos_per_tick
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the one home of the clock")]
fn now_instant() -> Instant {
    Instant::now()
}

/// The wall clock, for what runs without a server.
pub(super) fn unix_ms() -> UnixMillis {
    Now { unix_us: unix_us(), monotonic: MonotonicMicros(0) }.unix_ms()
}

#[allow(clippy::disallowed_methods, reason = "this is the one home of the clock")]
fn unix_us() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(target_arch = "x86_64")]
fn has_steady_counter() -> bool {
    use std::arch::x86_64::__cpuid;
    // Leaf 0x8000_0007, EDX bit 8: the counter runs at one rate in all power states.
    __cpuid(0x8000_0000).eax >= 0x8000_0007 && __cpuid(0x8000_0007).edx & (1 << 8) != 0
}

#[cfg(target_arch = "x86_64")]
fn cycle_counter() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Linux leaves it to user mode.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn has_steady_counter() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn cycle_counter() -> u64 {
    0
}
