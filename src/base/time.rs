//! Points in time as types: wall clock in milliseconds, monotonic clock in microseconds.
//!
//! Nothing here reads a clock. The server does, once per batch, and hands a [`Now`] down.

/// Milliseconds since the Unix epoch; what deadlines are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub i64);

/// Microseconds of a clock that never goes back; only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonotonicMicros(pub u64);

impl MonotonicMicros {
    /// Microseconds since `earlier`, zero when `earlier` lies ahead.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The one reading of both clocks that a batch of commands is served under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Wall clock, microseconds since the Unix epoch.
    pub unix_us: i64,
    /// Monotonic clock.
    pub monotonic: MonotonicMicros,
}

impl Now {
    /// Wall clock in whole milliseconds.
    pub fn unix_ms(self) -> UnixMillis {
        UnixMillis(self.unix_us.div_euclid(1000))
    }

    /// Wall clock in whole seconds.
    pub fn unix_seconds(self) -> i64 {
        self.unix_us.div_euclid(1_000_000)
    }
}
