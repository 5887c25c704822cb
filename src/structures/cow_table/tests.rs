//! The table against a `HashMap`, with snapshots taken, read and dropped along the way.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::*;

/// Reduction of a test's size under Miri.
const SLOWNESS: usize = if cfg!(miri) { 40 } else { 1 };

/// A test entry: counts the living, says whether its hash is a bad one.
struct Item(Box<Body>);

struct Body {
    key: u64,
    value: u64,
    hasher: fn(u64) -> u64,
    living: Arc<AtomicI64>,
}

impl Item {
    fn new(key: u64, value: u64, hasher: fn(u64) -> u64, living: &Arc<AtomicI64>) -> Self {
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
    hasher: fn(u64) -> u64,
    living: Arc<AtomicI64>,
}

impl Pair {
    fn new(hasher: fn(u64) -> u64) -> Self {
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

fn same(table: &CowTable<Item>, model: &HashMap<u64, u64>, hasher: fn(u64) -> u64) {
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
const HASHERS: [(fn(u64) -> u64, u64); 4] =
    [(good, 20_000), (equal, 2000), (few, 2000), (corner, 20_000)];

#[test]
fn grows_and_shrinks_to_nothing() {
    for (hasher, count) in HASHERS {
        let mut pair = Pair::new(hasher);
        let count = count / SLOWNESS as u64;
        for key in 0..count {
            pair.set(key, key * 2);
        }
        pair.check();
        for key in 0..count {
            pair.remove(key);
            if key % (count / 8) == 0 {
                pair.check();
            }
        }
        assert_eq!(pair.table.memory_bytes(), 0);
        pair.finish();
    }
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
    let key = || 0..1500_u64;
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

fn run(ops: &[Op], hasher: fn(u64) -> u64) {
    let mut pair = Pair::new(hasher);
    for op in ops {
        match *op {
            Op::Set(key, value) => pair.set(key, value),
            Op::Edit(key, by) => pair.edit(key, by),
            Op::Remove(key) => pair.remove(key),
            Op::Rename(key, target) if key != target => pair.rename(key, target),
            Op::Rename(..) => {}
            Op::Fill(from) => (from..from + 300 / SLOWNESS as u64).for_each(|k| pair.set(k, k)),
            Op::Clear(from) => (from..from + 400).for_each(|k| pair.remove(k)),
            Op::Snapshot if pair.snapshots.len() < 6 => pair.snapshot(),
            Op::Snapshot => {}
            Op::DropSnapshot(at) if at < pair.snapshots.len() => drop(pair.snapshots.remove(at)),
            Op::DropSnapshot(_) => {}
            Op::Reap(budget) => drop(pair.epochs.reap(budget)),
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
        cases: if cfg!(miri) { 2 } else { 200 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn agrees_with_hash_map(ops in prop::collection::vec(op(), 0..100)) {
        for (hasher, _) in HASHERS {
            run(&ops, hasher);
        }
    }
}
