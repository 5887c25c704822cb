//! Sorted sets: bytes a member takes, and what large ones cost: `cargo bench --bench sorted_set`.

#![allow(clippy::print_stdout, reason = "its purpose")]

mod jemalloc;

use ochre::base::time::UnixMillis;
use ochre::keyspace::journal::{Change, Event};
use ochre::keyspace::write::Free;
use ochre::keyspace::{DbIndex, Keyspace};
use ochre::structures::cow_tree::End;
use ochre::structures::epoch::Epochs;
use ochre::types::sorted_set::{Cut, PackLimits, SortedSet};
use std::hint::black_box;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: jemalloc::Jemalloc = jemalloc::Jemalloc;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const ZERO: DbIndex = DbIndex(0);
const LIMITS: PackLimits = PackLimits { entries: 128, value: 64 };
const ADDED: Event = Event { class: b'z', name: "zadd" };

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096_usize
}

fn fill(set: &mut SortedSet, members: u32, rng: &mut fastrand::Rng, epochs: &Epochs) {
    for member in 0..members {
        let member = format!("member:{member:010}");
        set.insert(member.as_bytes(), f64::from(rng.u32(..1_000_000_000)), LIMITS, epochs);
    }
}

/// Many keys with sorted sets of one size.
fn resident(keys: usize, members: u32) {
    let before = resident_bytes();
    let mut keyspace = Keyspace::new(1, 42);
    let mut rng = fastrand::Rng::with_seed(1);
    for number in 0..keys {
        let key = format!("key:{number:012}");
        let made = keyspace.writer(ZERO, NOW).upsert(key.as_bytes(), |set, epochs| {
            fill(set, members, &mut rng, epochs);
            ((), Change::Did(ADDED, 1))
        });
        assert_eq!(made, Ok(()), "the key was free");
    }
    let bytes = (resident_bytes() - before) / keys;
    let each = bytes / usize::try_from(members).unwrap_or(1);
    println!("{members:>8} members of 17 B: {bytes:>10} B/key resident, {each} B/member");
}

fn time<R>(name: &str, times: u32, mut act: impl FnMut() -> R) {
    let start = Instant::now();
    for _ in 0..times {
        black_box(act());
    }
    println!("{name:<40} {:>10.1?}", start.elapsed() / times);
}

fn worst<R>(name: &str, times: u32, mut act: impl FnMut() -> R) {
    let mut worst = Duration::ZERO;
    for _ in 0..times {
        let start = Instant::now();
        black_box(act());
        worst = worst.max(start.elapsed());
    }
    println!("{name:<40} {worst:>10.1?} at worst");
}

fn operations(members: u32) {
    println!("of {members} members:");
    let epochs = Epochs::with_seed(42);
    let mut rng = fastrand::Rng::with_seed(1);
    let mut set = SortedSet::default();
    fill(&mut set, members, &mut rng, &epochs);
    let mut draw = fastrand::Rng::with_seed(2);
    let mut name = move || format!("member:{:010}", draw.u32(..members)).into_bytes();
    let times = 200_000;
    time("draw a name, to be subtracted", times, &mut name);
    time("score", times, || set.score(&name()));
    time("rank", times, || set.rank(&name()));
    time("new score", times, || {
        set.insert(&name(), f64::from(rng.u32(..1_000_000_000)), LIMITS, &epochs);
    });
    time("remove and insert", times, || {
        let name = name();
        if let Some(score) = set.remove(&name) {
            set.insert(&name, score, LIMITS, &epochs);
        }
    });
    time("100 by score", times / 10, || {
        let from = set.rank_at(Cut::BeforeScore(f64::from(rng.u32(..900_000_000))));
        set.iter_from(from, End::Back)
            .take(100)
            .map(|element| element.member.text_len())
            .sum::<usize>()
    });
    worst("clone", 100, || set.clone());
    let kept = set.clone();
    worst("new score, each after a clone", 1000, || {
        let kept = set.clone();
        set.insert(&name(), f64::from(rng.u32(..1_000_000_000)), LIMITS, &epochs);
        kept
    });
    drop(kept);
}

/// What removing a key with a large one takes, the engine and the worker apart.
fn removal(members: u32) {
    let mut keyspace = Keyspace::new(1, 42);
    let mut rng = fastrand::Rng::with_seed(1);
    let made = keyspace.writer(ZERO, NOW).upsert(b"large", |set, epochs| {
        fill(set, members, &mut rng, epochs);
        ((), Change::Did(ADDED, 1))
    });
    assert_eq!(made, Ok(()), "the key was free");
    let start = Instant::now();
    let del = Event::generic("del");
    assert!(keyspace.writer(ZERO, NOW).remove(b"large", Free::Later, del), "it is there");
    println!("{:<40} {:>10.1?}", "remove the key, freeing later", start.elapsed());
    let start = Instant::now();
    drop(keyspace);
    println!("{:<40} {:>10.1?}", "freeing", start.elapsed());
}

fn main() {
    resident(200_000, 5);
    resident(20_000, 200);
    resident(1, 5_000_000);
    operations(200);
    operations(100_000);
    operations(5_000_000);
    removal(5_000_000);
}
