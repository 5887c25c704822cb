//! The copy-on-write table with 16-byte keys and 32-byte values, at one and at ten million entries.
//!
//! `cargo bench --bench table` measures means with criterion; with `TABLE_REPORT=1` in the
//! environment it prints instead what means hide: tails of insertion, the price of a snapshot, and
//! memory per key.

#![allow(missing_docs, reason = "a benchmark")]
#![allow(clippy::print_stdout, reason = "the report")]
#![allow(unsafe_code, reason = "entries are made of raw memory")]
#![allow(clippy::cast_precision_loss, reason = "figures to look at")]

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use ochre::structures::cow_table::{CowTable, Slot, Thin};
use ochre::structures::epoch::Epochs;
use tikv_jemalloc_sys as _;

type Key = [u64; 2];

#[repr(C)]
struct Body {
    key: Key,
    value: [u64; 4],
}

struct Item(Box<Body>);

// SAFETY: a box of plain data, 8-aligned.
unsafe impl Thin for Item {
    type View<'a> = &'a Body;

    fn into_raw(self) -> NonNull<u8> {
        NonNull::from(Box::leak(self.0)).cast()
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        // SAFETY: by the caller's word.
        Self(unsafe { Box::from_raw(raw.cast().as_ptr()) })
    }
    unsafe fn view<'a>(raw: NonNull<u8>) -> &'a Body {
        // SAFETY: by the caller's word.
        unsafe { raw.cast().as_ref() }
    }
    fn hash(view: &Body, _seed: u64) -> u64 {
        hash(&view.key)
    }
    unsafe fn share(view: &Body) -> Self {
        Self(Box::new(Body { key: view.key, value: view.value }))
    }
    unsafe fn free_shell(self) {
        drop(self);
    }
    fn bytes(_view: &Body) -> usize {
        size_of::<Body>()
    }
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn hash(key: &Key) -> u64 {
    mix(key[0] ^ key[1].rotate_left(32))
}

fn key(number: u64) -> Key {
    [number, 0x6b65_793a]
}

struct Bench {
    epochs: Epochs,
    table: CowTable<Item>,
    count: u64,
    random: u64,
}

impl Bench {
    fn new(count: u64) -> Self {
        let mut bench =
            Self { epochs: Epochs::new(), table: CowTable::new(0), count: 0, random: 1 };
        while bench.count < count {
            bench.insert();
        }
        bench
    }
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(1);
        mix(self.random)
    }
    fn any_key(&mut self) -> Key {
        key(self.random() % self.count)
    }
    fn insert(&mut self) {
        let key = key(self.count);
        self.count += 1;
        let slot = self.table.slot(&mut self.epochs, hash(&key), |body| body.key == key);
        if let Slot::Vacant(slot) = slot {
            slot.insert(Item(Box::new(Body { key, value: [self.count; 4] })));
        }
    }
    fn find(&self, key: &Key) -> Option<u64> {
        self.table.find(hash(key), |body| body.key == *key).map(|body| body.value[3])
    }
    fn overwrite(&mut self) {
        let (key, value) = (self.any_key(), self.random());
        let slot = self.table.slot(&mut self.epochs, hash(&key), |body| body.key == key);
        if let Slot::Occupied(mut slot) = slot {
            slot.edit(|item, _| item.0.value[0] = value);
        }
    }
    fn batch(&mut self) -> u64 {
        let keys: [Key; 16] = std::array::from_fn(|_| self.any_key());
        self.table.prefetch(&keys.map(|key| hash(&key)));
        keys.iter().filter_map(|key| self.find(key)).fold(0, u64::wrapping_add)
    }
}

/// Gives the first half of a key's hash to std's map: its own would measure `SipHash`.
#[derive(Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks_exact(8) {
            let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
            self.0 = mix(self.0.rotate_left(32) ^ word);
        }
    }
}

/// What std's flat table of the same boxes takes on the same machine in the same hour.
fn yardstick(c: &mut Criterion, count: u64) {
    let mut map = HashMap::<Key, Item, BuildHasherDefault<Plain>>::default();
    for number in 0..count {
        map.insert(key(number), Item(Box::new(Body { key: key(number), value: [number; 4] })));
    }
    let mut random = 0_u64;
    let mut any_key = || {
        random += 1;
        key(mix(random) % count)
    };
    let mut group = c.benchmark_group(format!("flat table of {count}"));
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group.sample_size(20);
    group.bench_function("find a hit", |b| {
        b.iter(|| map.get(&any_key()).map(|item| item.0.value[3]));
    });
    group.bench_function("find a miss", |b| {
        b.iter(|| {
            let mut key = any_key();
            key[0] |= 1 << 63;
            map.get(&key).map(|item| item.0.value[3])
        });
    });
    group.finish();
}

fn criterion(c: &mut Criterion, count: u64) {
    let mut bench = Bench::new(count);
    let mut group = c.benchmark_group(format!("table of {count}"));
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group.sample_size(20);
    group.bench_function("random key", |b| b.iter(|| bench.any_key()));
    group.bench_function("find a hit", |b| {
        b.iter(|| {
            let key = bench.any_key();
            bench.find(&key)
        });
    });
    group.bench_function("find a miss", |b| {
        b.iter(|| {
            let key = key(bench.random() | 1 << 63);
            bench.find(&key)
        });
    });
    group.bench_function("overwrite in place", |b| b.iter(|| bench.overwrite()));
    group.bench_function("random entry", |b| {
        b.iter(|| {
            let mut random = bench.random;
            bench.random += 16;
            let next = || {
                random += 1;
                mix(random)
            };
            bench.table.random(next).map(|body| body.value[1])
        });
    });
    group.bench_function("take a snapshot", |b| {
        b.iter(|| {
            let pin = bench.epochs.pin();
            drop(black_box(bench.table.snapshot(&pin)));
            drop(pin);
            bench.epochs.reap(1)
        });
    });
    group.bench_function("remove and insert", |b| {
        b.iter(|| {
            let key = bench.any_key();
            let slot = bench.table.slot(&mut bench.epochs, hash(&key), |body| body.key == key);
            let Slot::Occupied(slot) = slot else { return };
            let Some(item) = slot.remove() else { return };
            let slot = bench.table.slot(&mut bench.epochs, hash(&key), |body| body.key == key);
            let Slot::Vacant(slot) = slot else { return };
            slot.insert(item);
        });
    });
    group.throughput(Throughput::Elements(16));
    group.bench_function("find a batch of 16", |b| b.iter(|| bench.batch()));
    group.throughput(Throughput::Elements(count));
    group.sample_size(10);
    group.bench_function("iterate", |b| {
        b.iter(|| bench.table.iter().map(|body| body.value[1]).fold(0, u64::wrapping_add));
    });
    group.finish();
}

/// Durations of single operations.
#[derive(Default)]
struct Tail {
    all: Vec<u32>,
}

impl Tail {
    fn time(&mut self, operation: impl FnOnce()) {
        let begin = Instant::now();
        operation();
        self.all.push(u32::try_from(begin.elapsed().as_nanos()).unwrap_or(u32::MAX));
    }
    fn print(mut self, what: &str) {
        self.all.sort_unstable();
        let sum: u64 = self.all.iter().copied().map(u64::from).sum();
        let at = |per_mille: usize| self.all[self.all.len() * per_mille / 1000];
        println!(
            "{what:<34} mean {:>5} ns  p50 {:>5}  p99 {:>6}  p99.9 {:>6}  max {:>8}",
            sum / self.all.len() as u64,
            at(500),
            at(990),
            at(999),
            self.all.last().copied().unwrap_or(0),
        );
    }
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0) * 4096
}

fn report(count: u64) {
    println!("--- {count} keys");
    let before = resident();
    let begin = Instant::now();
    let mut bench = Bench::new(count);
    println!(
        "filling                            mean {:>5} ns",
        begin.elapsed().as_nanos() / u128::from(count)
    );
    println!(
        "memory: table {:.2} bytes/key, resident {:.2} bytes/key with entries of {}",
        bench.table.memory_bytes() as f64 / count as f64,
        (resident() - before) as f64 / count as f64,
        size_of::<Body>(),
    );
    let mut tail = Tail::default();
    (0..1_000_000).for_each(|_| tail.time(|| bench.insert()));
    tail.print("insert");
    let mut tail = Tail::default();
    (0..1_000_000).for_each(|_| tail.time(|| bench.overwrite()));
    tail.print("overwrite in place");

    let pin = bench.epochs.pin();
    let snapshot = bench.table.snapshot(&pin);
    drop(pin);
    let before = resident();
    let mut tail = Tail::default();
    (0..1_000_000).for_each(|_| tail.time(|| bench.overwrite()));
    tail.print("overwrite under a snapshot");
    println!(
        "held {:.1} MB, resident {:.1} MB more after 1M overwrites",
        bench.epochs.held_bytes() as f64 / 1e6,
        (resident().saturating_sub(before)) as f64 / 1e6
    );
    let begin = Instant::now();
    let reader = std::thread::spawn(move || {
        let begin = Instant::now();
        let mut seen = 0_u64;
        for body in snapshot.iter() {
            black_box(body.value[1]);
            seen += 1;
        }
        println!(
            "snapshot read: {:.1} M keys/s",
            seen as f64 / begin.elapsed().as_secs_f64() / 1e6
        );
    });
    let mut writes = 0_u32;
    while !reader.is_finished() {
        (0..100).for_each(|_| bench.overwrite());
        writes += 100;
    }
    println!(
        "meanwhile {writes} overwrites, {} ns each",
        begin.elapsed().as_nanos() / u128::from(writes.max(1))
    );
    let dead = bench.epochs.dead();
    let begin = Instant::now();
    while bench.epochs.reap(1000) > 0 {}
    println!("reap {dead} items: {} ns each", begin.elapsed().as_nanos() / dead.max(1) as u128);
    let mut tail = Tail::default();
    for number in 0..bench.count {
        let key = key(number);
        tail.time(|| {
            let slot = bench.table.slot(&mut bench.epochs, hash(&key), |body| body.key == key);
            if let Slot::Occupied(slot) = slot {
                drop(slot.remove());
            }
        });
    }
    tail.print("remove all");
    println!("memory at the end: {}", bench.table.memory_bytes());
}

fn main() {
    let sizes = [1_000_000, 10_000_000];
    if std::env::var_os("TABLE_REPORT").is_some() {
        sizes.into_iter().for_each(report);
        return;
    }
    let mut c = Criterion::default().configure_from_args();
    for count in sizes {
        yardstick(&mut c, count);
        criterion(&mut c, count);
    }
    c.final_summary();
}
