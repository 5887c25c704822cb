//! Reading and writing one key among a million, without sockets or protocol.

#![allow(missing_docs, reason = "criterion's macros")]

mod jemalloc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ochre::base::time::UnixMillis;
use ochre::keyspace::journal::{Change, Event};
use ochre::keyspace::value::{NewString, StringRef, WrongType};
use ochre::keyspace::write::{Free, Lifetime};
use ochre::keyspace::{DbIndex, Keyspace};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: jemalloc::Jemalloc = jemalloc::Jemalloc;

const KEYS: u64 = 1_000_000;
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const ZERO: DbIndex = DbIndex(0);
const SET: Event = Event::string("set");
const INCRBY: Event = Event::string("incrby");
const DEL: Event = Event::generic("del");
const HOUR_MS: i64 = 3_600_000;

/// 16 bytes.
fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b"0123456789"[usize::try_from(rest % 10).unwrap_or(0)];
        rest /= 10;
    }
    key
}

fn filled(value: NewString<'_>, lifetime: Lifetime) -> Keyspace {
    let mut keyspace = Keyspace::new(1, 42);
    for number in 0..KEYS {
        keyspace.writer(ZERO, NOW).put_string(&key(number), value, lifetime, SET);
    }
    keyspace
}

fn increment(keyspace: &mut Keyspace, key: &[u8]) -> Result<i64, WrongType> {
    keyspace.writer(ZERO, NOW).edit_string(key, |string| {
        let Some(StringRef::Int(value)) = string.value() else { return Err(WrongType) };
        string.put(NewString::Int(value + 1));
        Ok((value + 1, Change::Did(INCRBY, 1)))
    })
}

fn reads(c: &mut Criterion) {
    let mut rng = fastrand::Rng::with_seed(1);
    let keyspace = filled(NewString::Bytes(&[b'v'; 32]), Lifetime::Forever);
    let mut group = c.benchmark_group("read");
    group.bench_function("get", |b| {
        b.iter(|| black_box(keyspace.reader(ZERO, NOW).string(&key(rng.u64(..KEYS))).is_ok()));
    });
    group.bench_function("get, same key", |b| {
        b.iter(|| black_box(keyspace.reader(ZERO, NOW).string(&key(7)).is_ok()));
    });
    group.bench_function("miss", |b| {
        b.iter(|| black_box(keyspace.reader(ZERO, NOW).contains(&key(KEYS + rng.u64(..KEYS)))));
    });
    group.bench_function("get, 16 prefetched", |b| {
        b.iter_batched(
            || [(); 16].map(|()| key(rng.u64(..KEYS))),
            |keys| {
                let hashes = keys.map(|key| keyspace.hash_of(&key));
                keyspace.prefetch(ZERO, &hashes);
                let reader = keyspace.reader(ZERO, NOW);
                for key in &keys {
                    black_box(reader.string(key).is_ok());
                }
            },
            BatchSize::SmallInput,
        );
    });
}

fn writes(c: &mut Criterion) {
    let mut rng = fastrand::Rng::with_seed(2);
    let value = NewString::Bytes(&[b'w'; 32]);
    let mut keyspace = filled(value, Lifetime::Forever);
    let mut group = c.benchmark_group("write");
    group.bench_function("set", |b| {
        b.iter(|| {
            let key = key(rng.u64(..KEYS));
            keyspace.writer(ZERO, NOW).put_string(&key, value, Lifetime::Forever, SET);
        });
    });
    group.bench_function("set, same key", |b| {
        b.iter(|| keyspace.writer(ZERO, NOW).put_string(&key(7), value, Lifetime::Forever, SET));
    });
    group.bench_function("del and set", |b| {
        b.iter(|| {
            let key = key(rng.u64(..KEYS));
            let mut keys = keyspace.writer(ZERO, NOW);
            keys.remove(&key, Free::Later, DEL);
            keys.put_string(&key, value, Lifetime::Forever, SET);
        });
    });
    let mut numbers = filled(NewString::Int(1), Lifetime::Forever);
    group.bench_function("incr", |b| {
        b.iter(|| black_box(increment(&mut numbers, &key(rng.u64(..KEYS))).is_ok()));
    });
    group.bench_function("incr, same key", |b| {
        b.iter(|| black_box(increment(&mut numbers, &key(7)).is_ok()));
    });
}

fn deadlines(c: &mut Criterion) {
    let mut rng = fastrand::Rng::with_seed(3);
    let until = Lifetime::Until(UnixMillis(NOW.0 + HOUR_MS));
    let mut keyspace = filled(NewString::Bytes(&[b'v'; 32]), until);
    let mut group = c.benchmark_group("deadline");
    let mut now = NOW;
    group.bench_function("extend", |b| {
        b.iter(|| {
            now.0 += 1;
            let until = Some(UnixMillis(NOW.0 + HOUR_MS + now.0 % 1000));
            keyspace.writer(ZERO, NOW).set_deadline(&key(rng.u64(..KEYS)), until, SET)
        });
    });
    group.bench_function("set with deadline, and del", |b| {
        let key = key(KEYS + 1);
        b.iter(|| {
            let until = Lifetime::Until(UnixMillis(NOW.0 + 30_000));
            let mut keys = keyspace.writer(ZERO, NOW);
            keys.put_string(&key, NewString::Int(1), until, SET);
            keys.remove(&key, Free::Later, DEL);
            keyspace.expire_due(NOW, 20)
        });
    });
    group.bench_function("expire 1000", |b| {
        let mut now = NOW;
        b.iter_batched(
            || (),
            |()| {
                for number in 0..1000 {
                    let until = Lifetime::Until(UnixMillis(now.0 + 1));
                    let mut keys = keyspace.writer(ZERO, now);
                    keys.put_string(&key(2 * KEYS + number), NewString::Int(1), until, SET);
                }
                now.0 += 1;
                keyspace.expire_due(now, usize::MAX)
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = reads, writes, deadlines
}
criterion_main!(benches);
