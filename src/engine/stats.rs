//! What the server has done so far, for INFO, LATENCY HISTOGRAM and CLIENT LIST.

use std::collections::BTreeMap;

use crate::base::time::MonotonicMicros;

/// Durations by powers of two, in microseconds: bucket `n` counts calls of less than 2^n us.
///
/// 40 counters, allocated at the first call; a percentile is the upper bound of its bucket refined
/// by eight linear steps, so its error is below 12.5 %.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Option<Box<[u64; Histogram::BUCKETS]>>,
    total: u64,
}

impl Histogram {
    const STEPS: usize = 8;
    const BUCKETS: usize = 40 * Self::STEPS;

    /// Counts one duration in nanoseconds. O(1).
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        let counts = self.counts.get_or_insert_with(|| Box::new([0; Self::BUCKETS]));
        counts[Self::bucket(nanos)] += 1;
        self.total += 1;
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes allocated.
    pub fn memory_bytes(&self) -> usize {
        self.counts.as_ref().map_or(0, |_| size_of::<[u64; Self::BUCKETS]>())
    }

    /// The duration in nanoseconds that `percent` of the calls did not exceed.
    pub fn percentile(&self, percent: f64) -> u64 {
        let Some(counts) = &self.counts else { return 0 };
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank between 1 and the total"
        )]
        let rank =
            ((percent / 100.0 * self.total as f64).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (bucket, count) in counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Self::upper_bound(bucket);
            }
        }
        0
    }

    /// Cumulative counts at powers of two of a microsecond, as LATENCY HISTOGRAM prints them: only
    /// the bounds at which the count grows.
    pub fn cumulative_us(&self) -> Vec<(u64, u64)> {
        let Some(counts) = &self.counts else { return Vec::new() };
        let mut found = Vec::new();
        let (mut seen, mut printed, mut bucket) = (0, 0, 0);
        for power in 0..32_u32 {
            let bound = 1024_u64 << power;
            while bucket < Self::BUCKETS && Self::upper_bound(bucket) <= bound {
                seen += counts[bucket];
                bucket += 1;
            }
            if seen > printed {
                found.push((1 << power, seen));
                printed = seen;
            }
            if seen == self.total {
                break;
            }
        }
        found
    }

    /// Values below 8 have buckets of their own; above, each power of two has eight.
    #[inline]
    fn bucket(nanos: u64) -> usize {
        if nanos < 8 {
            return usize::try_from(nanos).unwrap_or(0);
        }
        let power = nanos.ilog2() as usize;
        let step = usize::try_from((nanos >> (power - 3)) & 7).unwrap_or(0);
        ((power - 2) * Self::STEPS + step).min(Self::BUCKETS - 1)
    }

    fn upper_bound(bucket: usize) -> u64 {
        if bucket < 8 {
            return bucket as u64 + 1;
        }
        let power = bucket / Self::STEPS + 2;
        let step = (bucket % Self::STEPS) as u64;
        (1_u64 << power) + ((step + 1) << (power - 3))
    }
}

/// What the calls of one command have cost.
#[derive(Clone, Debug, Default)]
pub struct CallStats {
    /// Calls that ran.
    pub calls: u64,
    /// Time they took, nanoseconds.
    pub nanos: u64,
    /// Calls refused before running.
    pub rejected: u64,
    /// Calls that ended in an error.
    pub failed: u64,
    /// Distribution of the times.
    pub histogram: Histogram,
}

impl CallStats {
    /// Bytes allocated.
    pub fn memory_bytes(&self) -> usize {
        self.histogram.memory_bytes()
    }
}

/// Sixteen samples of a counter, 100 ms apart, for the instantaneous rates of INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    samples: [u64; 16],
    next: usize,
    last_count: u64,
    last_us: u64,
}

impl Rate {
    /// Takes a sample: the counter's value now.
    pub fn sample(&mut self, count: u64, now_us: u64) {
        if self.last_us != 0 && now_us > self.last_us {
            let grown = count.saturating_sub(self.last_count);
            self.samples[self.next] = grown.saturating_mul(1_000_000) / (now_us - self.last_us);
            self.next = (self.next + 1) % self.samples.len();
        }
        self.last_count = count;
        self.last_us = now_us;
    }

    /// Mean of the samples, per second.
    pub fn per_second(&self) -> u64 {
        self.samples.iter().sum::<u64>() / self.samples.len() as u64
    }

    /// Forgets the samples.
    pub fn clear(&mut self) {
        *self = Self { last_count: self.last_count, last_us: self.last_us, ..Self::default() };
    }
}

/// Distinct error codes that are counted apart; a client that makes codes up can't grow the table.
pub const ERROR_CODES_MAX: usize = 128;

/// Counters of the whole server; CONFIG RESETSTAT clears them.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections refused because of `maxclients` or protected mode.
    pub connections_refused: u64,
    /// Commands run.
    pub commands: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Error replies.
    pub errors: u64,
    /// Error replies by code.
    pub errors_by_code: BTreeMap<Box<str>, u64>,
    /// Whether so many codes came up that `errorstats` was switched off until a reset.
    pub errors_overflowed: bool,
    /// Saves that SAVE, BGSAVE and save points began.
    pub rdb_saves: u64,
    /// Clients closed at their output buffer limit.
    pub output_limit_closings: u64,
    /// Clients closed at the query buffer limit.
    pub query_limit_closings: u64,
    /// Clients evicted by `maxmemory-clients`.
    pub evicted_clients: u64,
    /// Failed AUTH.
    pub auth_failures: u64,
    /// Unexpected errors while writing to sockets and the like.
    pub unexpected_errors: u64,
    /// Reads that brought requests.
    pub reads: u64,
    /// Writes to sockets.
    pub writes: u64,
    /// Batches whose keys were prefetched.
    pub prefetch_batches: u64,
    /// Keys prefetched.
    pub prefetch_keys: u64,
    /// Turns of the event loop.
    pub loop_turns: u64,
    /// Time spent serving, microseconds.
    pub loop_us: u64,
    /// Time spent removing expired keys, nanoseconds.
    pub expire_nanos: u64,
    /// Rounds of removing expired keys that ended with keys left over.
    pub expire_budgets_spent: u64,
    /// Slow commands logged.
    pub slow_commands: u64,
    /// Commands per second.
    pub command_rate: Rate,
    /// Bytes received per second.
    pub input_rate: Rate,
    /// Bytes sent per second.
    pub output_rate: Rate,
    /// Loop turns per second.
    pub turn_rate: Rate,
    /// Most memory ever used, bytes.
    pub memory_peak: usize,
    /// Time during which memory was above `maxmemory`, up to when it last was not. Microseconds.
    pub exceeded_us: u64,
    /// Since when it is.
    pub exceeded_since: Option<MonotonicMicros>,
    /// Large things that had been freed when counting began.
    pub freed_before: usize,
}

impl Stats {
    /// Counts an error reply under its code.
    pub fn count_error(&mut self, code: &str) {
        self.errors += 1;
        if self.errors_overflowed {
            return;
        }
        if let Some(count) = self.errors_by_code.get_mut(code) {
            *count += 1;
        } else if self.errors_by_code.len() < ERROR_CODES_MAX {
            self.errors_by_code.insert(code.into(), 1);
        } else {
            self.errors_by_code.clear();
            self.errors_by_code.insert("ERRORSTATS_OVERFLOW".into(), 1);
            self.errors_overflowed = true;
        }
    }
}
