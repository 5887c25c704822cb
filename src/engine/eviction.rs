//! Keeping within `maxmemory`: keys go before a command runs, or commands that need memory are
//! refused.

use crate::config::choices::EvictionPolicy as Chosen;
use crate::keyspace::eviction::{EvictionPolicy, Order, Scope};
use crate::structures::access_clock::AccessPolicy;

use super::Engine;
use super::latency::Delay;

/// Keys removed between two looks at the clock.
const KEYS_PER_LOOK: usize = 16;
/// Keys removed by a command when the time for it is spent.
const KEYS_WHEN_LATE: usize = 2;
/// Of so much time that passes, one part is for making room while others wait.
const TIME_SHARE: u64 = 3;
/// Dead things freed per key that goes.
const REAP_PER_KEY: usize = 16;
/// How long making room may take by `maxmemory-eviction-tenacity`: up to 10 it grows by 50 us a
/// step, beyond by 15 % a step, 100 knows no bound. As in Redis.
const STEP_NANOS: u64 = 50_000;

impl Engine {
    /// Removes keys until memory is within `maxmemory`, or as long as tenacity allows. What is
    /// left to do is then done before the next commands: they pass meanwhile.
    pub(super) fn make_room(&mut self) {
        if self.memory_excess() == 0 {
            self.is_out_of_memory = false;
            self.stats.exceeded_us += self.exceeded_us();
            self.stats.exceeded_since = None;
            return;
        }
        self.stats.exceeded_since.get_or_insert(self.now.monotonic);
        let Some(policy) = policy(self.config.maxmemory_policy) else {
            self.is_out_of_memory = true;
            return;
        };
        let samples = usize::try_from(self.config.maxmemory_samples).unwrap_or(1);
        // Many clients may be served one after the other: all of them together have this time, and
        // get a share of what passes. Once it is spent, each command removes a little more than it
        // can bring.
        let refund = self.now.monotonic.since(self.eviction_spent.0) * 1000 / TIME_SHARE;
        let spent = self.eviction_spent.1.saturating_sub(refund);
        self.eviction_spent = (self.now.monotonic, spent);
        let budget = budget_nanos(self.config.maxmemory_eviction_tenacity).saturating_sub(spent);
        let keys_per_look = if budget == 0 { KEYS_WHEN_LATE } else { KEYS_PER_LOOK };
        let now = self.now.unix_ms();
        let started = self.outside.ticks();
        self.is_out_of_memory = false;
        'rounds: loop {
            for _ in 0..keys_per_look {
                if self.keyspace.evict_one(policy, samples, now, &mut self.rng).is_none() {
                    // Nothing may go any more.
                    self.is_out_of_memory = self.memory_excess() > 0;
                    break 'rounds;
                }
                self.keyspace.reap(REAP_PER_KEY);
                if self.memory_excess() == 0 {
                    break 'rounds;
                }
            }
            // What is noted of long keys would take as much memory as they gave back.
            self.tell_of_evicted();
            if self.nanos_between(started, self.outside.ticks()) > budget {
                break;
            }
        }
        self.tell_of_evicted();
        let nanos = self.nanos_between(started, self.outside.ticks());
        self.eviction_spent.1 = self.eviction_spent.1.saturating_add(nanos);
        self.note_delay(Delay::EvictionCycle, nanos);
    }

    /// Makes room while nobody asks for anything; whether there is more to remove.
    pub fn evict(&mut self) -> bool {
        let is_hindered = self.has_paused_script() || self.is_loading();
        if is_hindered || self.housekeeping_paused || self.memory_excess() == 0 {
            return false;
        }
        self.make_room();
        self.broadcast_invalidations();
        !self.is_out_of_memory && self.memory_excess() > 0
    }

    /// Whether keys are going to be removed.
    pub(super) fn has_room_to_make(&self) -> bool {
        !self.is_out_of_memory
            && policy(self.config.maxmemory_policy).is_some()
            && self.memory_excess() > 0
    }

    /// For how long memory has been above `maxmemory` by now. Microseconds.
    pub(super) fn exceeded_us(&self) -> u64 {
        let since = self.stats.exceeded_since.filter(|_| self.config.maxmemory.0 != 0);
        since.map_or(0, |since| self.now.monotonic.since(since))
    }

    /// Has everybody take note of what has gone. Whoever is told gets a message, which takes memory
    /// until it is sent: that must not be a reason to remove more keys.
    fn tell_of_evicted(&mut self) {
        let before = self.outside.memory_used();
        self.react();
        self.eviction_echo[0] += self.outside.memory_used().saturating_sub(before);
    }

    /// Bytes beyond `maxmemory`.
    fn memory_excess(&self) -> usize {
        let limit = usize::try_from(self.config.maxmemory.0).unwrap_or(usize::MAX);
        if limit == 0 {
            return 0;
        }
        let excess = self.outside.memory_used().saturating_sub(limit);
        if excess == 0 { 0 } else { excess.saturating_sub(self.uncounted_bytes()) }
    }

    /// Forgets what messages about evicted keys took at the last round of housekeeping but one:
    /// they have been sent by now. Those that nobody reads count from then on.
    pub(super) fn fade_echo(&mut self) {
        self.eviction_echo = [0, self.eviction_echo[0]];
    }

    /// Records accesses as the policy needs them.
    pub(super) fn obey_policy(&mut self) {
        let counts = matches!(
            self.config.maxmemory_policy,
            Chosen::AllkeysTinylfu | Chosen::VolatileTinylfu
        );
        if self.keyspace.counts_popularity() != counts {
            self.keyspace.set_counting_popularity(counts);
        }
        let access = match self.config.maxmemory_policy {
            Chosen::AllkeysLrm | Chosen::VolatileLrm => AccessPolicy::Lrm,
            Chosen::AllkeysLfu | Chosen::VolatileLfu => AccessPolicy::Lfu {
                log_factor: self.config.lfu_log_factor,
                decay_minutes: self.config.lfu_decay_time,
            },
            _ => AccessPolicy::Lru,
        };
        if self.keyspace.access_policy() != access {
            self.keyspace.set_access_policy(access);
        }
    }
}

/// Whether keys go by when or how often they were used.
pub(super) fn goes_by_access(chosen: Chosen) -> bool {
    policy(chosen).is_some_and(|policy| matches!(policy.order, Order::Access | Order::Popularity))
}

fn policy(chosen: Chosen) -> Option<EvictionPolicy> {
    let (scope, order) = match chosen {
        Chosen::Noeviction => return None,
        Chosen::AllkeysLru | Chosen::AllkeysLrm | Chosen::AllkeysLfu => {
            (Scope::AllKeys, Order::Access)
        }
        Chosen::AllkeysTinylfu => (Scope::AllKeys, Order::Popularity),
        Chosen::VolatileTinylfu => (Scope::Volatile, Order::Popularity),
        Chosen::AllkeysRandom => (Scope::AllKeys, Order::Random),
        Chosen::VolatileLru | Chosen::VolatileLrm | Chosen::VolatileLfu => {
            (Scope::Volatile, Order::Access)
        }
        Chosen::VolatileRandom => (Scope::Volatile, Order::Random),
        Chosen::VolatileTtl => (Scope::Volatile, Order::Deadline),
    };
    Some(EvictionPolicy { scope, order })
}

fn budget_nanos(tenacity: u32) -> u64 {
    match tenacity {
        0..=10 => STEP_NANOS * u64::from(tenacity),
        100.. => u64::MAX,
        _ => {
            let step = |nanos: u64, _| nanos.saturating_mul(115) / 100;
            (10..tenacity).fold(STEP_NANOS * 10, step)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::Stage;

    #[test]
    fn keys_go_while_nobody_asks_for_anything() {
        let directives = [("maxmemory", "1mb"), ("maxmemory-policy", "allkeys-random")];
        let mut stage = Stage::new(&directives);
        let key = stage.connect();
        for number in 0..50 {
            stage.ask(key, &format!("set {number} v"));
        }
        assert!(!stage.engine.evict(), "there is room");
        assert_eq!(stage.engine.keyspace.len(), 50);
        stage.world.0.borrow_mut().memory_used = 2 << 20;
        assert!(!stage.engine.evict(), "what is made up does not get less, so that all go");
        assert_eq!(stage.engine.keyspace.len(), 0);
    }

    #[test]
    fn tenacity_sets_the_time_that_making_room_may_take() {
        for (tenacity, nanos) in [(0, 0), (1, 50_000), (10, 500_000), (11, 575_000)] {
            assert_eq!(budget_nanos(tenacity), nanos);
        }
        assert_eq!(budget_nanos(100), u64::MAX);
        assert!((11..100).all(|step| budget_nanos(step) < budget_nanos(step + 1)));
    }
}
