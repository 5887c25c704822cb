//! What a collection of five million elements costs the engine: a snapshot, a write after it, and
//! its end, touch a path through its pages, not all of them. Counted in bytes that the allocator
//! hands out and takes back, so the machine's load doesn't matter.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use ochre::base::time::UnixMillis;
use ochre::keyspace::journal::{Change, Event};
use ochre::keyspace::value::Stored;
use ochre::keyspace::write::{Free, Lifetime};
use ochre::keyspace::{DbIndex, Keyspace};
use ochre::server::allocator::{CountingAllocator, bytes_used};
use ochre::structures::cow_tree::End;
use ochre::structures::epoch::Epochs;
use ochre::types::hash::{self, Hash, NewValue};
use ochre::types::list::{List, PackLimit};
use ochre::types::set::{Set, SetLimits};
use ochre::types::sorted_set::{PackLimits, SortedSet};
use ochre::types::stream::Stream;
use ochre::types::stream::id::Id;
use ochre::types::stream::node::NodeLimits;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;
/// The counts are of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const ELEMENTS: u32 = 5_000_000;
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const ZERO: DbIndex = DbIndex(0);
const KEY: &[u8] = b"large";
const CHANGED: Event = Event { class: b'g', name: "changed" };
/// Two bytes an element would be more; a path of pages is not.
const TOUCHED_MAX: usize = 128 * 1024;
/// No type needs less for an element.
const ELEMENT_BYTES_MIN: usize = 8;
/// Freeing all would take a hundred times as long, on any machine.
const REMOVAL_MAX: Duration = Duration::from_millis(5);

/// What an act leaves allocated, or has freed, whichever it does.
fn bytes_moved<R>(act: impl FnOnce() -> R) -> (R, usize) {
    let before = bytes_used();
    let result = act();
    (result, bytes_used().abs_diff(before))
}

fn name(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// Takes a snapshot of a large value, changes the value with `change`, which tells its size, and
/// removes it.
fn check<T: Stored + 'static>(
    fill: impl FnOnce(&mut T, &mut Epochs),
    mut change: impl FnMut(&mut T, &mut Epochs) -> usize,
) {
    let mut keyspace = Keyspace::new(1, 42);
    let mut writer = keyspace.writer(ZERO, NOW);
    let large = writer.derive(|_, epochs| {
        let mut large = T::default();
        fill(&mut large, epochs);
        large
    });
    let ((), size) = bytes_moved(|| {
        writer.put(KEY, large, Lifetime::Forever, CHANGED);
    });
    assert!(size < TOUCHED_MAX, "putting it copied {size} bytes");

    let (snapshot, taken) = bytes_moved(|| keyspace.snapshot(NOW));
    assert!(taken < TOUCHED_MAX, "a snapshot took {taken} bytes");

    for _ in 0..3 {
        let (len, copied) = bytes_moved(|| {
            let mut writer = keyspace.writer(ZERO, NOW);
            writer.upsert(KEY, |value: &mut T, epochs| {
                (change(value, epochs), Change::Did(CHANGED, 1))
            })
        });
        assert!(len.unwrap() >= ELEMENTS as usize);
        assert!(copied < TOUCHED_MAX, "a write after a snapshot copied {copied} bytes");
    }

    drop(snapshot);
    keyspace.reap(usize::MAX);
    drop(keyspace.take_garbage());
    let start = Instant::now();
    let del = Event::generic("del");
    let (is_there, freed) =
        bytes_moved(|| keyspace.writer(ZERO, NOW).remove(KEY, Free::Later, del));
    let spent = start.elapsed();
    assert!(is_there);
    assert!(freed < TOUCHED_MAX, "removing the key freed {freed} bytes at once");
    assert!(spent < REMOVAL_MAX, "removing the key took {spent:?}");

    let ((), freed) = bytes_moved(|| drop(keyspace.take_garbage()));
    assert!(freed > ELEMENTS as usize * ELEMENT_BYTES_MIN, "a worker frees only {freed} bytes");
}

fn alone() -> impl Drop {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_large_list_is_shared_changed_and_removed_at_once() {
    let _alone = alone();
    check_list(PackLimit::of_directive(-2));
}

#[test]
fn a_compressed_list_is_shared_changed_and_removed_at_once() {
    let _alone = alone();
    check_list(PackLimit::of_directive(-2).with_depth(1));
}

fn check_list(limit: PackLimit) {
    check(
        |list: &mut List, _| {
            // Half of it can be compressed.
            let mut rng = fastrand::Rng::with_seed(1);
            for number in 0..ELEMENTS {
                let element = format!("e{number:08}{:08x}", rng.u32(..));
                list.push(End::Back, std::iter::once(element.as_bytes()), limit);
            }
        },
        |list, _| {
            list.set(ELEMENTS as usize / 2, b"changed", limit);
            list.insert(ELEMENTS as usize / 3, b"new", limit);
            list.len()
        },
    );
}

#[test]
fn a_large_set_is_shared_changed_and_removed_at_once() {
    let _alone = alone();
    let limits = SetLimits { ints_max: 512, pack_max: 128, pack_member_max: 64 };
    let mut new = ELEMENTS;
    check(
        |set: &mut Set, epochs| {
            for member in 0..ELEMENTS {
                set.insert(&name(member), limits, epochs);
            }
        },
        |set, epochs| {
            set.insert(&name(new), limits, epochs);
            new += 1;
            set.len()
        },
    );
}

#[test]
fn a_large_sorted_set_is_shared_changed_and_removed_at_once() {
    let _alone = alone();
    let limits = PackLimits { entries: 128, value: 64 };
    let mut changed = 3;
    check(
        |set: &mut SortedSet, epochs| {
            for member in 0..ELEMENTS {
                set.insert(&name(member), f64::from(member), limits, epochs);
            }
        },
        |set, epochs| {
            set.insert(&name(changed), -f64::from(changed), limits, epochs);
            assert_eq!(set.rank(&name(changed)), Some((0, -f64::from(changed))));
            changed += 1;
            set.len()
        },
    );
}

#[test]
fn a_large_hash_is_shared_changed_and_removed_at_once() {
    let _alone = alone();
    let limits = hash::Limits { entries: 128, bytes: 64 };
    let forever = hash::Lifetime::Forever;
    let mut changed = 3;
    check(
        |hash: &mut Hash, epochs| {
            for field in 0..ELEMENTS {
                hash.set(&name(field), NewValue::Bytes(b"value"), forever, limits, epochs);
            }
        },
        |hash, epochs| {
            hash.set(&name(changed), NewValue::Bytes(b"other"), forever, limits, epochs);
            changed += 1;
            hash.len()
        },
    );
}

#[test]
fn a_large_stream_is_shared_changed_and_removed_at_once() {
    let _alone = alone();
    let limits = NodeLimits::of_directives(4096, 100);
    let entry = [&b"field"[..], b"value"].into_iter();
    let mut new = ELEMENTS;
    check(
        |stream: &mut Stream, _| {
            stream.establish();
            let log = &mut stream.body_mut().log;
            for number in 0..ELEMENTS {
                log.add(Id::new(u64::from(number) + 1, 0), entry.clone(), limits).unwrap();
            }
        },
        |stream, _| {
            new += 1;
            let log = &mut stream.body_mut().log;
            log.add(Id::new(u64::from(new), 0), entry.clone(), limits).unwrap();
            assert!(log.delete(Id::new(u64::from(new) - 1_000_000, 0)));
            log.len()
        },
    );
}
