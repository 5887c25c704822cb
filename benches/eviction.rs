//! Hit ratios of the eviction policies: `cargo bench --bench eviction`.
//!
//! A cache that holds a tenth of the keys is asked for keys of two traces: Zipf with exponent 0.99,
//! and the same with 40 % of the requests scanning keys in their order. What is missing is stored,
//! and the policy chooses what goes. Beside the policies stand exact LRU, the best fixed set of
//! keys, and Belady's optimum, which knows the future. The first half of a trace only warms up.

#![allow(missing_docs, clippy::print_stdout, reason = "a bench prints what it measures")]

use std::collections::{BTreeSet, HashMap};

use ochre::base::time::UnixMillis;
use ochre::keyspace::eviction::{EvictionPolicy, Order, Scope};
use ochre::keyspace::journal::Event;
use ochre::keyspace::value::NewString;
use ochre::keyspace::write::Lifetime;
use ochre::keyspace::{DbIndex, Keyspace};
use ochre::structures::access_clock::AccessPolicy;

const KEYS: usize = 1_000_000;
const HELD: usize = KEYS / 10;
const REQUESTS: usize = 20_000_000;
/// The clock that policies look at goes on by a second after so many.
const REQUESTS_PER_SECOND: usize = 20_000;
const SAMPLES: usize = 5;

/// Draws ranks from a Zipf distribution.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(keys: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=u32::try_from(keys).expect("few keys")).map(|rank| {
            sum += f64::from(rank).powf(-exponent);
            sum
        });
        let mut sums: Vec<f64> = weights.collect();
        let total = sum_of(&sums);
        for sum in &mut sums {
            *sum /= total;
        }
        Self(sums)
    }

    fn draw(&self, rng: &mut fastrand::Rng) -> usize {
        let point = rng.f64();
        self.0.partition_point(|sum| *sum < point).min(self.0.len() - 1)
    }
}

fn sum_of(sums: &[f64]) -> f64 {
    sums.last().copied().unwrap_or(1.0)
}

/// Keys asked for, as numbers; `scans` in a hundred requests come from a scan.
fn trace(scans: u32) -> Vec<u32> {
    let mut rng = fastrand::Rng::with_seed(1);
    let zipf = Zipf::new(KEYS, 0.99);
    let mut places: Vec<u32> = (0..u32::try_from(KEYS).expect("few keys")).collect();
    rng.shuffle(&mut places);
    let mut next = 0;
    (0..REQUESTS)
        .map(|_| {
            if rng.u32(0..100) < scans {
                next = (next + 1) % KEYS;
                places[next]
            } else {
                places[zipf.draw(&mut rng)]
            }
        })
        .collect()
}

/// Share of the second half's requests that `asks` answers with true.
fn ratio(trace: &[u32], mut asks: impl FnMut(usize, u32) -> bool) -> f64 {
    let mut hits = 0_u32;
    for (at, key) in trace.iter().enumerate() {
        let is_hit = asks(at, *key);
        hits += u32::from(is_hit && at >= trace.len() / 2);
    }
    f64::from(hits) / f64::from(u32::try_from(trace.len() - trace.len() / 2).expect("few requests"))
}

fn policy(trace: &[u32], access: AccessPolicy, order: Order) -> f64 {
    let mut keyspace = Keyspace::new(1, 7);
    keyspace.set_access_policy(access);
    keyspace.set_counting_popularity(order == Order::Popularity);
    let policy = EvictionPolicy { scope: Scope::AllKeys, order };
    let mut rng = fastrand::Rng::with_seed(2);
    ratio(trace, |at, key| {
        let now = UnixMillis(i64::try_from(at / REQUESTS_PER_SECOND).expect("a short time") * 1000);
        let key = key.to_le_bytes();
        let reader = keyspace.reader(DbIndex(0), now);
        if matches!(reader.string(&key), Ok(Some(_))) {
            return true;
        }
        let mut keys = keyspace.writer(DbIndex(0), now);
        keys.put_string(&key, NewString::Int(1), Lifetime::Forever, Event::string("set"));
        while keyspace.len() > HELD {
            keyspace.evict_one(policy, SAMPLES, now, &mut rng).expect("all keys may go");
        }
        false
    })
}

fn exact_lru(trace: &[u32]) -> f64 {
    let (mut last_use, mut by_use) = (HashMap::new(), BTreeSet::new());
    ratio(trace, |at, key| {
        let old = last_use.insert(key, at);
        let is_hit = old.is_some_and(|old| by_use.remove(&(old, key)));
        by_use.insert((at, key));
        if by_use.len() > HELD {
            by_use.pop_first();
        }
        is_hit
    })
}

/// The keys that are asked for most in the half that counts, and nothing else.
fn best_fixed(trace: &[u32]) -> f64 {
    let mut counts: HashMap<u32, u32> = HashMap::new();
    trace[trace.len() / 2..].iter().for_each(|key| *counts.entry(*key).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
    let best: std::collections::HashSet<u32> =
        counts.iter().take(HELD).map(|(key, _)| *key).collect();
    ratio(trace, |_, key| best.contains(&key))
}

/// What goes is what is asked for latest, and a key that is asked for later than all does not come.
fn optimum(trace: &[u32]) -> f64 {
    let mut next = vec![usize::MAX; trace.len()];
    let mut seen = HashMap::new();
    for (at, key) in trace.iter().enumerate().rev() {
        next[at] = seen.insert(*key, at).unwrap_or(usize::MAX);
    }
    let mut held: BTreeSet<(usize, u32)> = BTreeSet::new();
    ratio(trace, |at, key| {
        let is_hit = held.remove(&(at, key));
        held.insert((next[at], key));
        if held.len() > HELD {
            held.pop_last();
        }
        is_hit
    })
}

fn main() {
    let lfu = AccessPolicy::Lfu { log_factor: 10, decay_minutes: 1 };
    println!("{:<22} {:>8} {:>16}", "hit ratio at 10 %", "Zipf", "with 40 % scans");
    let traces = [trace(0), trace(40)];
    let line = |name: &str, figure: &dyn Fn(&[u32]) -> f64| {
        println!("{name:<22} {:>8.3} {:>16.3}", figure(&traces[0]), figure(&traces[1]));
    };
    line("allkeys-random", &|trace| policy(trace, AccessPolicy::Lru, Order::Random));
    line("allkeys-lru", &|trace| policy(trace, AccessPolicy::Lru, Order::Access));
    line("allkeys-lfu", &|trace| policy(trace, lfu, Order::Access));
    line("allkeys-tinylfu", &|trace| policy(trace, AccessPolicy::Lru, Order::Popularity));
    line("exact LRU", &exact_lru);
    line("best fixed set", &best_fixed);
    line("Belady's optimum", &optimum);
}
