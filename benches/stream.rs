//! Streams without a server: bytes and time per entry. `cargo bench --bench stream -- [entries]`.

#![allow(clippy::print_stdout, reason = "its purpose")]

mod jemalloc;

use ochre::structures::cow_tree::End;
use ochre::types::stream::Stream;
use ochre::types::stream::group::{Group, Name};
use ochre::types::stream::id::Id;
use ochre::types::stream::node::NodeLimits;
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: jemalloc::Jemalloc = jemalloc::Jemalloc;

const START: u64 = 1_790_000_000_000;

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096_usize
}

/// Runs `work` and says what one of `count` took.
fn report<R>(name: &str, count: u64, work: impl FnOnce() -> R) -> R {
    let (before, start) = (resident_bytes(), Instant::now());
    let result = work();
    let spent = start.elapsed();
    let bytes = resident_bytes().saturating_sub(before);
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let (bytes, nanos) = (bytes as f64 / count as f64, spent.as_nanos() as f64 / count as f64);
    println!("{name:<34} {nanos:>10.1} ns {bytes:>8.1} B");
    result
}

fn filled(entries: u64, value_len: usize) -> Stream {
    let limits = NodeLimits::of_directives(4096, 100);
    let mut stream = Stream::default();
    let log = &mut stream.body_mut().log;
    for number in 0..entries {
        let value = format!("{number:0value_len$}x");
        let words = [&b"field"[..], value.as_bytes()];
        let id = Id::new(START + number / 5, number % 5);
        assert!(log.add(id, words.into_iter(), limits).is_ok());
    }
    stream.establish();
    stream
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let entries: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(1_000_000);
    println!("{entries} entries; time and resident bytes of each");
    drop(report("add, 10 B value", entries, || filled(entries, 9)));
    let mut stream = report("add, 30 B value", entries, || filled(entries, 29));
    println!("{:<34} {:>24} B", "estimated", stream.memory_bytes(0) as u64 / entries);
    let mut rng = fastrand::Rng::with_seed(1);
    let times = 100_000;
    report("find one", times, || {
        for _ in 0..times {
            let number = rng.u64(..entries);
            black_box(stream.log().entry(Id::new(START + number / 5, number % 5)));
        }
    });
    report("range of 100 from anywhere", times, || {
        for _ in 0..times {
            let first = Id::new(START + rng.u64(..entries) / 5, 0);
            let range = stream.log().range(first, Id::MAX, End::Back);
            black_box(range.take(100).map(|entry| entry.pairs().count()).sum::<usize>());
        }
    });
    let mut group = Group::new(Id::MIN, Some(0));
    let (name, _) = group.enroll(b"consumer", 0);
    report("make pending", entries, || {
        for number in 0..entries {
            group.assign(Id::new(START + number / 5, number % 5), &name, 1, 1);
        }
    });
    stream.body_mut().groups.insert(Name::new(b"group"), group);
    let snapshot = report("clone", 1, || stream.clone());
    report("delete under a clone", times, || {
        for _ in 0..times {
            let number = rng.u64(..entries);
            stream.body_mut().log.delete(Id::new(START + number / 5, number % 5));
        }
    });
    drop(snapshot);
}
