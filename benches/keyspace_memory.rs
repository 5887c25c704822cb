//! Resident bytes per key: `cargo bench --bench keyspace_memory -- [keys]`.

#![allow(clippy::print_stdout, reason = "its purpose")]

mod jemalloc;

use ochre::base::time::UnixMillis;
use ochre::keyspace::journal::Event;
use ochre::keyspace::value::NewString;
use ochre::keyspace::write::Lifetime;
use ochre::keyspace::{DbIndex, Keyspace};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: jemalloc::Jemalloc = jemalloc::Jemalloc;

const NOW: i64 = 1_790_000_000_000;
const ZERO: DbIndex = DbIndex(0);

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096_usize
}

fn measure(name: &str, keys: usize, value: NewString<'_>, ttl_ms: Option<i64>) {
    let before = resident_bytes();
    let start = Instant::now();
    let mut keyspace = Keyspace::new(1, 42);
    let mut rng = fastrand::Rng::with_seed(1);
    for number in 0..keys {
        let key = format!("key:{number:012}");
        let lifetime = ttl_ms
            .map_or(Lifetime::Forever, |ttl| Lifetime::Until(UnixMillis(NOW + rng.i64(1..ttl))));
        let event = Event::string("set");
        keyspace.writer(ZERO, UnixMillis(NOW)).put_string(key.as_bytes(), value, lifetime, event);
    }
    let spent = start.elapsed();
    let resident = resident_bytes().saturating_sub(before);
    println!(
        "{name:<28} {:>6} B/key resident; table {} B/key, timers {} B/key; {:?} per insert",
        resident / keys,
        keyspace.table_bytes(ZERO) / keys,
        keyspace.timer_bytes(ZERO) / keys,
        spent / u32::try_from(keys).unwrap_or(u32::MAX),
    );
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let keys = words.next().and_then(|word| word.parse().ok()).unwrap_or(1_000_000);
    let cases = [
        ("16 B key, 32 B value", 32, None),
        ("16 B key, 32 B value, TTL", 32, Some(3_600_000)),
        ("16 B key, integer", 0, None),
        ("16 B key, integer, TTL", 0, Some(3_600_000)),
        ("16 B key, 700 B value", 700, None),
        ("16 B key, 1000 B value", 1000, None),
        ("16 B key, 1100 B value", 1100, None),
        ("16 B key, 3000 B value", 3000, None),
        ("16 B key, 4090 B value", 4090, None),
        ("16 B key, 4100 B value", 4100, None),
    ];
    let only = words.next().and_then(|word| word.parse::<usize>().ok());
    for (number, (name, len, ttl_ms)) in cases.into_iter().enumerate() {
        if only.is_some_and(|only| only != number) || only.is_none() && len >= 700 {
            continue;
        }
        let bytes = vec![b'v'; len];
        let value = if len == 0 { NewString::Int(1_234_567) } else { NewString::Bytes(&bytes) };
        // Each in a process of its own would be cleaner; freed pages are returned in between.
        measure(name, keys, value, ttl_ms);
    }
}
