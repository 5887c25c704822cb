//! What a sorted set of five million members costs the engine: a snapshot, a write after it, and
//! its end, are matters of a path through the tree, not of its size.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use ochre::base::time::UnixMillis;
use ochre::keyspace::journal::{Change, Event};
use ochre::keyspace::write::{Free, Lifetime};
use ochre::keyspace::{DbIndex, Keyspace};
use ochre::structures::epoch::Epochs;
use ochre::types::sorted_set::{PackLimits, SortedSet};
use std::time::{Duration, Instant};

const MEMBERS: u32 = 5_000_000;
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const ZERO: DbIndex = DbIndex(0);
const LIMITS: PackLimits = PackLimits { entries: 128, value: 64 };
const ADDED: Event = Event { class: b'z', name: "zadd" };
/// Copying all of it would take a hundred times as long.
const BOUND: Duration = Duration::from_millis(1);
/// The best of several counts: others may use the machine meanwhile.
const TRIES: u32 = 9;

fn best(mut act: impl FnMut(u32) -> Duration) -> Duration {
    (0..TRIES).map(&mut act).min().unwrap()
}

fn timed<R>(act: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = act();
    (result, start.elapsed())
}

fn key(number: u32) -> Vec<u8> {
    format!("large:{number}").into_bytes()
}

#[test]
fn a_large_one_is_shared_changed_and_removed_at_once() {
    let mut large = SortedSet::default();
    let epochs = Epochs::new();
    for member in 0..MEMBERS {
        large.insert(&member.to_be_bytes(), f64::from(member), LIMITS, &epochs);
    }
    let mut keyspace = Keyspace::new(1, 42);
    for number in 0..TRIES {
        keyspace.writer(ZERO, NOW).put(&key(number), large.clone(), Lifetime::Forever, ADDED);
    }

    let mut snapshots = Vec::new();
    let snapshot = best(|_| {
        let (snapshot, spent) = timed(|| keyspace.snapshot(NOW));
        snapshots.push(snapshot);
        spent
    });
    assert!(snapshot < BOUND, "a snapshot took {snapshot:?}");

    let write = best(|number| {
        let (done, spent) = timed(|| {
            keyspace.writer(ZERO, NOW).upsert(&key(number), |set: &mut SortedSet, epochs| {
                set.insert(&number.to_be_bytes(), -1.0, LIMITS, epochs);
                (set.len(), Change::Did(ADDED, 1))
            })
        });
        assert_eq!(done.unwrap(), usize::try_from(MEMBERS).unwrap());
        spent
    });
    assert!(write < BOUND, "a write after a snapshot took {write:?}");
    assert_eq!(large.rank(&3_u32.to_be_bytes()), Some((3, 3.0)), "others are left alone");

    drop(snapshots);
    let del = Event::generic("del");
    let removal = best(|number| {
        let (is_there, spent) =
            timed(|| keyspace.writer(ZERO, NOW).remove(&key(number), Free::Later, del));
        assert!(is_there);
        spent
    });
    assert!(removal < BOUND, "removing the key took {removal:?}");
}
