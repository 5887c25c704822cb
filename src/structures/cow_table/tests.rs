//! The table against a `HashMap`, with snapshots taken, read and dropped along the way.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::*;

/// `usual`, or `slow` under Miri, which takes a thousand times as long.
const fn sized(usual: u64, slow: u64) -> u64 {
    if cfg!(miri) { slow } else { usual }
}

type Hasher = fn(u64) -> u64;

/// A test entry: counts the living, says whether its hash is a bad one.
struct Item(Box<Body>);

struct Body {
    key: u64,
    value: u64,
    hasher: Hasher,
    living: Arc<AtomicI64>,
}

impl Item {
    fn new(key: u64, value: u64, hasher: Hasher, living: &Arc<AtomicI64>) -> Self {
        living.fetch_add(1, Ordering::Relaxed);
        Self(Box::new(Body { key, value, hasher, living: Arc::clone(living) }))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.living.fetch_sub(1, Ordering::Relaxed);
    }
}

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
        (view.hasher)(view.key)
    }
    unsafe fn share(view: &Body) -> Self {
        Self::new(view.key, view.value, view.hasher, &view.living)
    }
    unsafe fn free_shell(self) {
        drop(self);
    }
    fn bytes(_view: &Body) -> usize {
        size_of::<Body>()
    }
}

fn good(key: u64) -> u64 {
    let mut z = key.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Everything in one place.
fn equal(_key: u64) -> u64 {
    0xDEAD_BEEF_0123_4567
}

/// Few hashes, far apart.
fn few(key: u64) -> u64 {
    good(key % 3)
}

/// Agrees in the first bits: one corner of the hash space.
fn corner(key: u64) -> u64 {
    0x5555_5000_0000_0000 | good(key) >> 20
}

/// A table, its model, and the snapshots of both.
struct Pair {
    epochs: Epochs,
    table: CowTable<Item>,
    model: HashMap<u64, u64>,
    snapshots: Vec<(TableSnapshot<Item>, HashMap<u64, u64>)>,
    hasher: Hasher,
    living: Arc<AtomicI64>,
}

impl Pair {
    fn new(hasher: Hasher) -> Self {
        Self {
            epochs: Epochs::new(),
            table: CowTable::new(7),
            model: HashMap::new(),
            snapshots: Vec::new(),
            hasher,
            living: Arc::default(),
        }
    }
    fn slot(&mut self, key: u64) -> Slot<'_, Item> {
        self.table.slot(&mut self.epochs, (self.hasher)(key), |body| body.key == key)
    }
    fn set(&mut self, key: u64, value: u64) {
        let (hasher, living) = (self.hasher, Arc::clone(&self.living));
        let item = Item::new(key, value, hasher, &living);
        match self.slot(key) {
            Slot::Occupied(mut slot) => drop(slot.replace(item)),
            Slot::Vacant(slot) => assert_eq!(slot.insert(item).get().value, value),
        }
        self.model.insert(key, value);
    }
    fn edit(&mut self, key: u64, by: u64) {
        if let Slot::Occupied(mut slot) = self.slot(key) {
            slot.edit(|item, _| item.0.value = item.0.value.wrapping_add(by));
            let value = self.model.get_mut(&key).unwrap();
            *value = value.wrapping_add(by);
        } else {
            assert!(!self.model.contains_key(&key));
        }
    }
    fn remove(&mut self, key: u64) {
        let removed = match self.slot(key) {
            Slot::Occupied(slot) => {
                drop(slot.remove());
                true
            }
            Slot::Vacant(_) => false,
        };
        assert_eq!(removed, self.model.remove(&key).is_some());
    }
    fn rename(&mut self, key: u64, target: u64) {
        let Slot::Occupied(slot) = self.slot(key) else { return };
        let mut item = slot.take();
        let value = self.model.remove(&key).unwrap();
        item.0.key = target;
        match self.slot(target) {
            Slot::Occupied(mut slot) => drop(slot.replace(item)),
            Slot::Vacant(slot) => drop(slot.insert(item)),
        }
        self.model.insert(target, value);
    }
    fn snapshot(&mut self) {
        let pin = self.epochs.pin();
        self.snapshots.push((self.table.snapshot(&pin), self.model.clone()));
    }
    fn check(&self) {
        same(&self.table, &self.model, self.hasher);
        for (table, model) in &self.snapshots {
            same(table, model, self.hasher);
        }
    }
    /// Everything that was ever made is freed.
    fn finish(mut self) {
        self.snapshots.clear();
        while self.epochs.reap(100) > 0 {}
        assert_eq!(self.epochs.held_bytes(), 0);
        assert_eq!(self.epochs.dead(), 0);
        assert_eq!(self.living.load(Ordering::Relaxed), self.model.len() as i64);
        drop(self.table);
        assert_eq!(self.living.load(Ordering::Relaxed), 0);
    }
}

fn same(table: &CowTable<Item>, model: &HashMap<u64, u64>, hasher: Hasher) {
    assert_eq!(table.len(), model.len());
    let found: HashMap<u64, u64> = table.iter().map(|body| (body.key, body.value)).collect();
    assert_eq!(&found, model);
    assert_eq!(table.iter().count(), model.len());
    for (key, value) in model {
        let body = table.find(hasher(*key), |body| body.key == *key);
        assert_eq!(body.map(|body| body.value), Some(*value));
    }
    let mut scanned = HashMap::new();
    let mut cursor = 0;
    loop {
        cursor = table.scan(cursor, &mut |body| {
            assert!(scanned.insert(body.key, body.value).is_none(), "visited twice");
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(&scanned, model);
}

/// A hash, and how many keys it takes to make it hurt.
const HASHERS: [(Hasher, u64); 4] = [
    (good, sized(20_000, 260)),
    (equal, sized(2000, 60)),
    (few, sized(2000, 100)),
    (corner, sized(20_000, 120)),
];

#[test]
fn grows_and_shrinks_to_nothing() {
    for (hasher, count) in HASHERS {
        let mut pair = Pair::new(hasher);
        for key in 0..count {
            pair.set(key, key * 2);
        }
        pair.check();
        for key in 0..count {
            pair.remove(key);
            if key % (count / sized(8, 2)) == 1 {
                pair.check();
            }
        }
        assert_eq!(pair.table.memory_bytes(), 0);
        pair.finish();
    }
}

#[test]
fn duplicate_and_original_go_their_own_ways() {
    for (hasher, count) in HASHERS {
        let mut pair = Pair::new(hasher);
        (0..count / 4).for_each(|key| pair.set(key, key));
        pair.snapshot();
        let copy = |body: &Body| Item::new(body.key, body.value, body.hasher, &body.living);
        let mut twin = pair.table.duplicate(copy);
        assert_eq!(twin.memory_bytes(), pair.table.memory_bytes());
        let model = pair.model.clone();
        (0..count / 8).for_each(|key| pair.edit(key, 7));
        same(&twin, &model, hasher);
        // The twin changes, too, and is read by a snapshot meanwhile.
        let pin = pair.epochs.pin();
        let frozen = twin.snapshot(&pin);
        mem::swap(&mut twin, &mut pair.table);
        let original = mem::replace(&mut pair.model, model.clone());
        (0..count / 4).filter(|key| key % 3 > 0).for_each(|key| pair.remove(key));
        pair.check();
        same(&frozen, &model, hasher);
        same(&twin, &original, hasher);
        drop((frozen, pin, twin));
        pair.finish();
    }
}

#[test]
fn memory_follows_the_number_of_keys() {
    let mut pair = Pair::new(good);
    for key in 0..sized(60_000, 200) {
        pair.set(key, key);
        let per_key = pair.table.memory_bytes() as u64 / (key + 1);
        assert!(key < 100 || per_key <= 13, "{per_key} bytes for each of {} keys", key + 1);
    }
    for key in 0..sized(60_000, 200) {
        pair.remove(key);
        let len = pair.table.len() as u64;
        let per_key = pair.table.memory_bytes() as u64 / len.max(1);
        assert!(len < 100 || per_key <= 26, "{per_key} bytes for each of {len} keys");
    }
    pair.finish();
}

#[test]
fn scan_visits_what_stays() {
    let stays = sized(2000, 100);
    for (grows, hasher) in [(true, good as Hasher), (false, good), (true, corner)] {
        let mut pair = Pair::new(hasher);
        (0..stays).for_each(|key| pair.set(key, key));
        let passing = 1000..1000 + stays * 20;
        if !grows {
            passing.clone().for_each(|key| pair.set(key << 32, 0));
        }
        let mut seen = HashMap::new();
        let (mut cursor, mut next) = (0, passing.start);
        loop {
            cursor = pair.table.scan(cursor, &mut |body| {
                seen.insert(body.key, body.value);
            });
            if cursor == 0 {
                break;
            }
            for key in next..(next + 40).min(passing.end) {
                if grows { pair.set(key << 32, 0) } else { pair.remove(key << 32) }
            }
            next += 40;
        }
        for key in 0..stays {
            assert_eq!(seen.get(&key), Some(&key));
        }
        pair.finish();
    }
}

#[test]
fn any_cursor_is_valid() {
    for (hasher, count) in HASHERS {
        let mut pair = Pair::new(hasher);
        assert_eq!(pair.table.scan(99, &mut |_| unreachable!()), 0);
        (0..count / 4).for_each(|key| pair.set(key, key));
        for cursor in [1, u64::MAX, u64::MAX >> 1, 0x5555_5555_5555_5555, hasher(3)] {
            let next = pair.table.scan(cursor, &mut |_| {});
            assert!(next == 0 || next > cursor);
        }
        pair.finish();
    }
}

#[test]
fn random_is_fair() {
    for (hasher, count) in [(good as Hasher, 3000), (corner, 700), (few, 100), (good, 1)] {
        if cfg!(miri) && count > 100 {
            continue;
        }
        let mut pair = Pair::new(hasher);
        let mut state = 0;
        let mut random = || {
            state += 1;
            good(state)
        };
        assert!(pair.table.random(&mut random).is_none());
        let mut sample = [None; 3];
        pair.table.sample(&mut sample, &mut random);
        assert!(sample.iter().all(Option::is_none));
        (0..count).for_each(|key| pair.set(key, key));
        let (mut one_by_one, mut together) =
            (vec![0_u32; count as usize], vec![0_u32; count as usize]);
        let each = sized(200, 50) as u32;
        for _ in 0..count * u64::from(each) {
            one_by_one[pair.table.random(&mut random).unwrap().key as usize] += 1;
        }
        // More than are drawn at once, and a few.
        for _ in 0..count * u64::from(each) / 25 {
            let mut sample = [None; 25];
            let (few, many) = sample.split_at_mut(5);
            pair.table.sample(few, &mut random);
            pair.table.sample(many, &mut random);
            for body in sample {
                together[body.unwrap().key as usize] += 1;
            }
        }
        for drawn in [one_by_one, together] {
            let mean = drawn.iter().sum::<u32>() / drawn.len() as u32;
            // Poisson: the sum of squared deviations over the mean is about the number of keys.
            let deviation = |n: &u32| u64::from(n.abs_diff(mean)).pow(2);
            let sum = drawn.iter().map(deviation).sum::<u64>() / u64::from(mean);
            assert!(sum < count * 3 / 2 + 10, "{sum} for {count}");
            assert!(drawn.iter().all(|n| *n > 0));
        }
        pair.finish();
    }
}

#[test]
fn snapshot_is_read_while_the_table_changes() {
    let count = sized(20_000, 150);
    let mut pair = Pair::new(good);
    (0..count).for_each(|key| pair.set(key, key));
    let mut readers = Vec::new();
    for round in 0..sized(5, 2) {
        let snapshot = pair.table.snapshot(&pair.epochs.pin());
        let model = pair.model.clone();
        readers.push(std::thread::spawn(move || same(&snapshot, &model, good)));
        for key in 0..count {
            match key % 5 {
                0 => pair.set(key, round),
                1 => pair.edit(key, round),
                2 => pair.remove(key),
                3 => pair.set(key + count * (round + 1), 3),
                _ => {}
            }
        }
        pair.epochs.reap(100);
    }
    for reader in readers {
        reader.join().unwrap();
    }
    pair.check();
    pair.finish();
}

#[test]
fn panic_in_an_edit_leaves_the_entry() {
    let mut pair = Pair::new(good);
    pair.set(1, 10);
    pair.snapshot();
    let slot = std::panic::AssertUnwindSafe(&mut pair);
    let result = std::panic::catch_unwind(move || {
        let Slot::Occupied(mut slot) = { slot }.0.slot(1) else { return };
        slot.edit(|item, _| {
            item.0.value = 11;
            std::panic::resume_unwind(Box::new(()));
        });
    });
    assert!(result.is_err());
    pair.model.insert(1, 11);
    pair.check();
    pair.finish();
}

#[test]
#[should_panic(expected = "belongs to another engine")]
fn epochs_of_another_engine_are_refused() {
    let mut pair = Pair::new(good);
    pair.set(1, 10);
    pair.table.slot(&mut Epochs::new(), good(1), |body| body.key == 1);
}

#[test]
#[should_panic(expected = "changed after the pin")]
fn old_pins_are_refused() {
    let mut pair = Pair::new(good);
    pair.set(1, 10);
    let pin = pair.epochs.pin();
    pair.set(1, 11);
    pair.table.snapshot(&pin);
}

#[test]
fn large_tables_are_left_to_workers() {
    let count = sized(5000, 2000);
    let mut pair = Pair::new(good);
    (0..count).for_each(|key| pair.set(key, key));
    pair.snapshot();
    drop(pair.table.take());
    pair.model.clear();
    pair.check();
    pair.snapshots.clear();
    let mut graves = Vec::new();
    while pair.epochs.reap_into(10, &mut |grave| graves.push(grave)) > 0 {}
    assert_eq!(graves.len(), 1);
    assert_eq!(pair.living.load(Ordering::Relaxed), count as i64);
    std::thread::spawn(move || drop(graves)).join().unwrap();
    pair.finish();
}

#[test]
fn snapshot_outlives_the_engine() {
    if cfg!(miri) {
        return; // What snapshots read is never freed then, and Miri would say so.
    }
    let mut pair = Pair::new(good);
    (0..100).for_each(|key| pair.set(key, key));
    pair.snapshot();
    let (snapshot, model) = pair.snapshots.pop().unwrap();
    (0..100).for_each(|key| pair.set(key, 2 * key));
    drop((pair.epochs, pair.table));
    same(&snapshot, &model, good);
}

/// Entries that are tables themselves.
struct Nest(Box<NestBody>);

struct NestBody {
    key: u64,
    table: CowTable<Item>,
}

// SAFETY: a box, 8-aligned; the table inside goes to the copy of a shared entry.
unsafe impl Thin for Nest {
    type View<'a> = &'a NestBody;

    fn into_raw(self) -> NonNull<u8> {
        NonNull::from(Box::leak(self.0)).cast()
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        // SAFETY: by the caller's word.
        Self(unsafe { Box::from_raw(raw.cast().as_ptr()) })
    }
    unsafe fn view<'a>(raw: NonNull<u8>) -> &'a NestBody {
        // SAFETY: by the caller's word.
        unsafe { raw.cast().as_ref() }
    }
    fn hash(view: &NestBody, _seed: u64) -> u64 {
        good(view.key)
    }
    unsafe fn share(view: &NestBody) -> Self {
        // SAFETY: the original is only read from now on, and freed as a shell.
        Self(Box::new(NestBody { key: view.key, table: unsafe { view.table.alias() } }))
    }
    unsafe fn free_shell(self) {
        { self.0 }.table.disown();
    }
    unsafe fn demolish(self, kept: u64) {
        // SAFETY: by the caller's word.
        unsafe { { self.0 }.table.demolish(kept) }
    }
    fn bytes(view: &NestBody) -> usize {
        size_of::<NestBody>() + view.table.memory_bytes()
    }
}

type Maps = HashMap<u64, HashMap<u64, u64>>;

fn same_nests(table: &CowTable<Nest>, model: &Maps) {
    assert_eq!(table.len(), model.len());
    for nest in table {
        same(&nest.table, &model[&nest.key], good);
    }
}

/// Numbers below a bound, the same ones every time.
fn draws() -> impl FnMut(u64) -> u64 {
    let mut state = 0;
    move |bound| {
        state += 1;
        good(state) % bound
    }
}

#[test]
fn nested_tables_are_shared_and_freed() {
    let living = Arc::default();
    let mut epochs = Epochs::new();
    let mut table = CowTable::<Nest>::new(0);
    let mut model = Maps::new();
    let mut snapshots = Vec::new();
    let mut below = draws();
    for _ in 0..sized(30_000, 250) {
        let (key, field, value) = (below(8), below(sized(400, 40)), below(1 << 40));
        let step = below(sized(600, 60));
        let mut slot = match table.slot(&mut epochs, good(key), |nest| nest.key == key) {
            Slot::Occupied(slot) => slot,
            Slot::Vacant(slot) => {
                model.insert(key, HashMap::new());
                slot.insert(Nest(Box::new(NestBody { key, table: CowTable::new(0) })))
            }
        };
        match step {
            0 => {
                drop(slot.remove());
                model.remove(&key);
            }
            1 => {
                drop(slot.replace(Nest(Box::new(NestBody { key, table: CowTable::new(0) }))));
                model.insert(key, HashMap::new());
            }
            2 => {
                let moved = slot.take();
                drop(moved);
                model.remove(&key);
            }
            3..=8 => {
                let pin = epochs.pin();
                snapshots.push((table.snapshot(&pin), model.clone()));
                if snapshots.len() > 4 {
                    snapshots.remove(below(4) as usize);
                }
            }
            9..=20 => {
                epochs.reap(30);
            }
            _ => {
                let item = Item::new(field, value, good, &living);
                slot.edit(|nest, epochs| {
                    let inner = &mut nest.0.table;
                    match inner.slot(epochs, good(field), |body| body.key == field) {
                        Slot::Occupied(slot) if step.is_multiple_of(3) => drop(slot.remove()),
                        Slot::Occupied(mut slot) => drop(slot.replace(item)),
                        Slot::Vacant(slot) => drop(slot.insert(item)),
                    }
                });
                let inner = model.get_mut(&key).unwrap();
                if inner.insert(field, value).is_some() && step.is_multiple_of(3) {
                    inner.remove(&field);
                }
            }
        }
    }
    same_nests(&table, &model);
    for (snapshot, model) in &snapshots {
        same_nests(snapshot, model);
    }
    drop(snapshots);
    while epochs.reap(100) > 0 {}
    let fields: usize = model.values().map(HashMap::len).sum();
    assert_eq!(living.load(Ordering::Relaxed), fields as i64);
    drop(table);
    assert_eq!(living.load(Ordering::Relaxed), 0);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Set(u64, u64),
    Edit(u64, u64),
    Remove(u64),
    Rename(u64, u64),
    /// Many keys at once.
    Fill(u64),
    Clear(u64),
    Snapshot,
    DropSnapshot(usize),
    Reap(usize),
    Take,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..sized(1500, 60);
    prop_oneof![
        8 => (key(), any::<u64>()).prop_map(|(k, v)| Op::Set(k, v)),
        8 => (key(), any::<u64>()).prop_map(|(k, v)| Op::Edit(k, v)),
        8 => key().prop_map(Op::Remove),
        2 => (key(), key()).prop_map(|(k, t)| Op::Rename(k, t)),
        4 => key().prop_map(Op::Fill),
        4 => key().prop_map(Op::Clear),
        4 => Just(Op::Snapshot),
        4 => (0..6_usize).prop_map(Op::DropSnapshot),
        2 => (0..200_usize).prop_map(Op::Reap),
        1 => Just(Op::Take),
    ]
}

fn run(ops: &[Op], hasher: Hasher) {
    let mut pair = Pair::new(hasher);
    for op in ops {
        match *op {
            Op::Set(key, value) => pair.set(key, value),
            Op::Edit(key, by) => pair.edit(key, by),
            Op::Remove(key) => pair.remove(key),
            Op::Rename(key, target) if key != target => pair.rename(key, target),
            Op::Fill(from) => (from..from + sized(300, 40)).for_each(|k| pair.set(k, k)),
            Op::Clear(from) => (from..from + sized(400, 60)).for_each(|k| pair.remove(k)),
            Op::Snapshot if pair.snapshots.len() < 6 => pair.snapshot(),
            Op::DropSnapshot(at) if at < pair.snapshots.len() => drop(pair.snapshots.remove(at)),
            Op::Rename(..) | Op::Snapshot | Op::DropSnapshot(_) => {}
            Op::Reap(budget) => {
                pair.epochs.reap(budget);
            }
            Op::Take => {
                drop(pair.table.take());
                pair.model.clear();
            }
        }
    }
    pair.check();
    pair.finish();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: sized(200, 2) as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn agrees_with_hash_map(ops in prop::collection::vec(op(), 0..sized(100, 20) as usize)) {
        for (hasher, _) in HASHERS {
            run(&ops, hasher);
        }
    }
}
