//! Lists of five million elements: in the middle, at the ends, shared and given up.

#![allow(missing_docs, reason = "criterion's macros")]

mod jemalloc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ochre::structures::cow_tree::End;
use ochre::types::list::{List, PackLimit};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: jemalloc::Jemalloc = jemalloc::Jemalloc;

const ELEMENTS: usize = 5_000_000;

fn limit() -> PackLimit {
    PackLimit::of_directive(-2)
}

fn filled() -> List {
    let mut list = List::default();
    for number in 0..ELEMENTS {
        let element = format!("element:{number:07}");
        list.push(End::Back, std::iter::once(element.as_bytes()), limit());
    }
    list
}

fn middle(c: &mut Criterion) {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut list = filled();
    let mut group = c.benchmark_group("of 5M");
    group.bench_function("lindex", |b| {
        b.iter(|| black_box(list.element(rng.usize(..ELEMENTS), |_| ()).is_some()));
    });
    group.bench_function("lrange of 100", |b| {
        b.iter(|| {
            let (at, mut bytes) = (rng.usize(..ELEMENTS), 0);
            list.show(at, End::Back, 100, |element| bytes += element.packed_len());
            black_box(bytes)
        });
    });
    group.bench_function("lset", |b| {
        b.iter(|| list.set(rng.usize(..ELEMENTS), b"element:changed", limit()));
    });
    group.bench_function("insert and remove", |b| {
        b.iter(|| {
            let at = rng.usize(..ELEMENTS);
            list.insert(at, b"element:new", limit());
            list.remove(at, 1, limit());
        });
    });
    group.bench_function("clone, lset in it, drop it", |b| {
        b.iter(|| {
            let mut copy = list.clone();
            copy.set(rng.usize(..ELEMENTS), b"element:changed", limit());
        });
    });
    group.sample_size(10);
    group.bench_function("drop", |b| {
        b.iter_batched(filled, drop, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, middle);
criterion_main!(benches);
