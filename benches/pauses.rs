//! The longest that the keyspace keeps its thread: while ten million keys are set, and while a
//! snapshot of them is taken. `cargo bench --bench pauses`.
//!
//! A machine interrupts whoever runs on it, for longer than what is measured here. What the
//! structure costs comes back at the same operation each time the same keys are set; what the
//! machine does is elsewhere each time. So several processes do the same, and of each operation the
//! shortest of its durations counts. How long the machine's own interruptions are is shown by a
//! loop beside it that calculates and touches no memory.

#![allow(clippy::print_stdout, reason = "the report")]

mod jemalloc;

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use ochre::base::time::UnixMillis;
use ochre::keyspace::journal::Event;
use ochre::keyspace::value::NewString;
use ochre::keyspace::write::Lifetime;
use ochre::keyspace::{DbIndex, Keyspace};

#[global_allocator]
static ALLOCATOR: jemalloc::Jemalloc = jemalloc::Jemalloc;

const KEYS: usize = 10_000_000;
const SNAPSHOTS: usize = 100_000;
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const SET: Event = Event::string("set");
/// What names the part that a process is to play.
const PART: &str = "PAUSES_PART";
/// Processes that do the same.
const ROUNDS: usize = 3;

/// What is measured, and how many operations that are.
const PARTS: [(&str, usize); 4] = [
    ("set new keys", KEYS),
    ("set new keys with deadlines", KEYS),
    ("take a snapshot, then overwrite a key", SNAPSHOTS),
    ("calculate only", KEYS),
];

fn key(number: usize) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b"0123456789"[rest % 10];
        rest /= 10;
    }
    key
}

/// Deadlines over an hour, in no order.
fn deadline(number: usize) -> Lifetime {
    let millis = number.wrapping_mul(2_654_435_761) % 3_600_000;
    Lifetime::Until(UnixMillis(NOW.0 + 1 + i64::try_from(millis).unwrap_or(0)))
}

fn set(keyspace: &mut Keyspace, number: usize, lifetime: Lifetime) {
    let value = NewString::Bytes(&[b'v'; 32]);
    keyspace.writer(DbIndex(0), NOW).put_string(&key(number), value, lifetime, SET);
}

fn calculate(number: usize) -> usize {
    (0..64).fold(number, |sum, _| black_box(sum.wrapping_mul(0x5851_F42D)).rotate_left(7))
}

/// Durations of operations 0 to `count`, nanoseconds.
fn durations(count: usize, mut operation: impl FnMut(usize)) -> Vec<u32> {
    let mut all = vec![0; count];
    for (number, nanos) in all.iter_mut().enumerate() {
        let begun = Instant::now();
        operation(number);
        *nanos = u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX);
    }
    all
}

fn play(part: usize) -> Vec<u32> {
    let count = PARTS[part].1;
    let mut keyspace = Keyspace::new(16, 42);
    match part {
        0 => durations(count, |number| set(&mut keyspace, number, Lifetime::Forever)),
        1 => durations(count, |number| set(&mut keyspace, number, deadline(number))),
        2 => {
            (0..KEYS).for_each(|number| set(&mut keyspace, number, Lifetime::Forever));
            let mut living = None;
            durations(count, |number| {
                // The one before goes when the next is there: each holds back a page.
                living = Some(keyspace.snapshot(NOW));
                set(&mut keyspace, number * 97, Lifetime::Forever);
                keyspace.reap(64);
                black_box(&living);
            })
        }
        _ => durations(count, |number| {
            black_box(calculate(number));
        }),
    }
}

/// Has another process play the part.
fn measure(part: usize) -> io::Result<Vec<u32>> {
    let mut child = Command::new(std::env::current_exe()?)
        .env(PART, part.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut bytes = Vec::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_end(&mut bytes)?;
    }
    child.wait()?;
    let words = bytes.chunks_exact(4).filter_map(|word| word.try_into().ok());
    Ok(words.map(u32::from_le_bytes).collect())
}

fn worst(all: &[u32]) -> (usize, u32) {
    let slowest = (0..).zip(all.iter().copied()).max_by_key(|(_, nanos)| *nanos);
    slowest.unwrap_or_default()
}

fn micros(nanos: u32) -> f64 {
    f64::from(nanos) / 1000.0
}

fn report(part: usize) -> io::Result<()> {
    let (name, count) = PARTS[part];
    let mut shortest = vec![u32::MAX; count];
    let mut worst_of_rounds = Vec::new();
    for _ in 0..ROUNDS {
        let all = measure(part)?;
        worst_of_rounds.push(format!("{:.1}", micros(worst(&all).1)));
        for (shortest, nanos) in shortest.iter_mut().zip(all) {
            *shortest = (*shortest).min(nanos);
        }
    }
    let (at, nanos) = worst(&shortest);
    println!("{name}, {count} times in each of {ROUNDS} processes");
    println!(
        "  worst in each, the machine's interruptions included: {} us",
        worst_of_rounds.join(", ")
    );
    println!("  worst that comes back in all: {:.1} us, operation {at}", micros(nanos));
    shortest.sort_unstable();
    let at = |part: usize| micros(shortest[count - 1 - count / part]);
    println!("  p50 {:.2} us, p99.9 {:.1} us, p99.999 {:.1} us", at(2), at(1000), at(100_000));
    Ok(())
}

fn main() -> io::Result<()> {
    if let Some(part) = std::env::var(PART).ok().and_then(|part| part.parse().ok()) {
        let bytes: Vec<u8> = play(part).into_iter().flat_map(u32::to_le_bytes).collect();
        return io::stdout().write_all(&bytes);
    }
    (0..PARTS.len()).try_for_each(report)
}
