//! Back to what was: the databases become what a snapshot of them shows.
//!
//! The pages that a database and its snapshot share tell where nothing has changed, and of the
//! others only the words that differ are looked at, so this takes time in proportion to what has. What is to come back is copied: the originals wait in limbo for
//! the snapshot's end, and what is there must not be reachable again.

use super::journal::{COPY_TO, DEL};
use super::snapshot::KeyspaceSnapshot;
use super::value::KeyRef;
use super::write::{Free, Writer};
use super::{DbIndex, Keyspace};
use crate::base::time::UnixMillis;
use crate::structures::cow_table::{CowTable, TableSnapshot};
use crate::structures::lifespan::Lifespan;
use std::ops::RangeInclusive;

use super::value::KeyEntry;

/// Collects the entries whose hashes are in a range, and perhaps some beside it. Reads pages only.
fn collect<'t>(
    table: &'t CowTable<KeyEntry>,
    range: &RangeInclusive<u64>,
    found: &mut Vec<KeyRef<'t>>,
) {
    found.clear();
    let mut cursor = *range.start();
    loop {
        cursor = table.scan(cursor, &mut |entry| found.push(entry));
        if cursor == 0 || cursor > *range.end() {
            return;
        }
    }
}

/// Removes from both what is in both. Pages that were only written to have nearly all of their
/// entries at the same places.
fn remove_common(one: &mut Vec<KeyRef<'_>>, other: &mut Vec<KeyRef<'_>>) {
    if one.len() == other.len() {
        let differ: Vec<bool> =
            one.iter().zip(&*other).map(|(one, other)| !one.is(*other)).collect();
        keep(one, &differ);
        keep(other, &differ);
    }
    let addresses = |list: &[KeyRef<'_>]| {
        let mut addresses: Vec<usize> = list.iter().map(|entry| entry.address()).collect();
        addresses.sort_unstable();
        addresses
    };
    let (in_one, in_other) = (addresses(one), addresses(other));
    one.retain(|entry| in_other.binary_search(&entry.address()).is_err());
    other.retain(|entry| in_one.binary_search(&entry.address()).is_err());
}

fn keep(list: &mut Vec<KeyRef<'_>>, marks: &[bool]) {
    let mut marks = marks.iter();
    list.retain(|_| marks.next().is_some_and(|mark| *mark));
}

/// What going back has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored<'k> {
    /// A key that was there is gone, or what it was.
    Key(DbIndex, &'k [u8]),
    /// A database is empty.
    Emptied(DbIndex),
}

impl Keyspace {
    /// Makes all databases what they were when `snapshot` was taken; returns how many keys that
    /// concerned. Whoever watches these keys is told, and so is `see`.
    pub fn restore(
        &mut self,
        snapshot: &KeyspaceSnapshot,
        now: UnixMillis,
        see: &mut dyn FnMut(Restored<'_>),
    ) -> usize {
        let used = self.used.max(snapshot.table_count());
        (0..used)
            .map(DbIndex)
            .map(|db| match snapshot.frozen_table(db) {
                Some(old) => self.writer(db, now).go_back_to(old, see),
                None if self.database(db).table.is_empty() => 0,
                None => {
                    see(Restored::Emptied(db));
                    self.writer(db, now).flush(Free::Later)
                }
            })
            .sum()
    }
}

impl Writer<'_> {
    fn go_back_to(
        &mut self,
        old: &TableSnapshot<KeyEntry>,
        see: &mut dyn FnMut(Restored<'_>),
    ) -> usize {
        let live = &self.keyspace.database(self.db).table;
        let hasher = self.keyspace.hasher;
        let hash_of = |entry: KeyRef<'_>| hasher.hash(entry.key());
        let mut excess = Vec::new();
        let mut note_own = |entry: KeyRef<'_>| {
            let key = entry.key();
            if old.find(hash_of(entry), |known| known.has_key(key)).is_none() {
                excess.push(key.to_vec());
            }
        };
        let found = live.changed_since(old);
        found.own.into_iter().for_each(&mut note_own);
        let mut missing = found.old;
        let (mut own, mut olds) = (Vec::new(), Vec::new());
        for range in found.ranges {
            collect(live, &range, &mut own);
            collect(old, &range, &mut olds);
            remove_common(&mut own, &mut olds);
            // What is beside the range is in one of the lists only, and none of its business.
            own.drain(..).filter(|entry| range.contains(&hash_of(*entry))).for_each(&mut note_own);
            missing.extend(olds.drain(..).filter(|entry| range.contains(&hash_of(*entry))));
        }
        let changed = excess.len() + missing.len();
        for key in excess {
            self.remove(&key, Free::Later, DEL);
            see(Restored::Key(self.db, &key));
        }
        for entry in missing {
            let copy = entry.duplicate(entry.key(), Lifespan::default());
            let make = |span| {
                let mut copy = copy;
                copy.set_lifespan(span);
                copy
            };
            self.spot(entry.key()).put_entry(entry.deadline(), make).note(entry.key(), COPY_TO, 1);
            see(Restored::Key(self.db, entry.key()));
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::keyspace::journal::{Change, Event};
    use crate::keyspace::snapshot::KeyView;
    use crate::keyspace::value::{NewString, StringRef, ValueRef};
    use crate::keyspace::write::Lifetime;
    use crate::structures::epoch::Epochs;
    use crate::types::hash::{Hash, Lifetime as FieldLife, Limits, NewValue};
    use proptest::prelude::*;

    const NOW: UnixMillis = UnixMillis(1000);
    const WROTE: Event = Event::string("set");
    const LIMITS: Limits = Limits { entries: 3, bytes: 64 };

    #[derive(Clone, Debug)]
    enum Step {
        Set(u16, u16, Option<i64>),
        Field(u16, u16),
        Remove(u16),
        Flush(u16),
        Swap,
        Save,
        Restore(usize),
        Reap,
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0_u16..400;
        prop_oneof![
            8 => (key.clone(), 0_u16..9, prop::option::of(2000_i64..3000))
                .prop_map(|(key, value, at)| Step::Set(key, value, at)),
            6 => (key.clone(), 0_u16..9).prop_map(|(key, field)| Step::Field(key, field)),
            4 => key.prop_map(Step::Remove),
            1 => (0_u16..2).prop_map(Step::Flush),
            1 => Just(Step::Swap),
            2 => Just(Step::Save),
            2 => (0_usize..4).prop_map(Step::Restore),
            2 => Just(Step::Reap),
        ]
    }

    fn name(key: u16) -> Vec<u8> {
        format!("key{key}").into_bytes()
    }

    fn put(keys: &mut Keyspace, key: u16, value: u16, at: Option<i64>) {
        let lifetime = at.map_or(Lifetime::Forever, |at| Lifetime::Until(UnixMillis(at)));
        let text = format!("value{value}");
        let mut writer = keys.writer(DbIndex(key % 2), NOW);
        writer.put_string(&name(key), NewString::Bytes(text.as_bytes()), lifetime, WROTE);
    }

    fn put_field(keys: &mut Keyspace, key: u16, field: u16) {
        let mut writer = keys.writer(DbIndex(key % 2), NOW);
        let field = format!("field{field}");
        let edit = |hash: &mut Hash, epochs: &mut Epochs| {
            let value = NewValue::Bytes(b"value");
            hash.set(field.as_bytes(), value, FieldLife::Forever, LIMITS, epochs);
            ((), Change::Did(WROTE, 1))
        };
        // A string of this name stays.
        let _ = writer.upsert(&name(key), edit);
    }

    fn show(view: &KeyView<'_>) -> String {
        let value = match view.value.open().as_ref() {
            ValueRef::String(StringRef::Inline(bytes)) => String::from_utf8_lossy(bytes).into(),
            ValueRef::Hash(hash) => {
                let mut fields: Vec<_> =
                    hash.iter().map(|field| format!("{:?}", field.name)).collect();
                fields.sort();
                fields.concat()
            }
            other => format!("{other:?}"),
        };
        let key = String::from_utf8_lossy(view.key);
        format!("{key}={value} until {:?}", view.deadline)
    }

    fn state(snapshot: &KeyspaceSnapshot) -> Vec<String> {
        let of_db = |db: u16| {
            let keys = snapshot.keys(DbIndex(db));
            keys.map(move |view| format!("{db}: {}", show(&view))).collect::<Vec<_>>()
        };
        let mut all: Vec<String> = (0..2).flat_map(of_db).collect();
        all.sort();
        all
    }

    fn run(steps: Vec<Step>) {
        let mut keys = Keyspace::new(2, 7);
        let mut saved: Vec<(KeyspaceSnapshot, Vec<String>)> = Vec::new();
        for step in steps {
            match step {
                Step::Set(key, value, at) => put(&mut keys, key, value, at),
                Step::Field(key, field) => put_field(&mut keys, key, field),
                Step::Remove(key) => {
                    keys.writer(DbIndex(key % 2), NOW).remove(&name(key), Free::Now, DEL);
                }
                Step::Flush(db) => {
                    keys.writer(DbIndex(db), NOW).flush(Free::Now);
                }
                Step::Swap => keys.writer(DbIndex(0), NOW).swap(DbIndex(0), DbIndex(1)),
                Step::Save => {
                    let snapshot = keys.snapshot(NOW);
                    let shown = state(&snapshot);
                    saved.push((snapshot, shown));
                    if saved.len() > 4 {
                        saved.remove(0);
                    }
                }
                Step::Restore(at) => {
                    let Some((snapshot, expected)) = saved.get_mut(at) else { continue };
                    keys.restore(snapshot, NOW, &mut |_| {});
                    // The new one shares all with the living data, the old one may go.
                    *snapshot = keys.snapshot(NOW);
                    assert_eq!(&state(snapshot), expected);
                    let deadlines = expected.iter().filter(|line| line.contains("Some")).count();
                    let counted: usize =
                        (0..2).map(|db| keys.figures(DbIndex(db), NOW).expires).sum();
                    assert_eq!(counted, deadlines);
                    assert_eq!(
                        keys.restore(snapshot, NOW, &mut |_| {}),
                        0,
                        "nothing has changed since"
                    );
                }
                Step::Reap => {
                    keys.reap(50);
                }
            }
            for (snapshot, expected) in &saved {
                assert_eq!(&state(snapshot), expected);
            }
        }
        drop(saved);
        keys.reap(usize::MAX);
        assert_eq!((keys.held_bytes(), keys.snapshots()), (0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 60 }))]
        #[test]
        fn any_moment_can_be_gone_back_to(steps in prop::collection::vec(step(), 1..120)) {
            run(steps);
        }
    }

    #[test]
    fn little_is_looked_at_when_little_has_changed() {
        let mut keys = Keyspace::new(1, 7);
        for number in 0..20_000 {
            put(&mut keys, number * 2, 1, None);
        }
        let snapshot = keys.snapshot(NOW);
        for key in [6, 8, 10] {
            put(&mut keys, key, 2, None);
        }
        put(&mut keys, 50_000, 1, None);
        let table = &keys.database(DbIndex(0)).table;
        let found = table.changed_since(snapshot.frozen_table(DbIndex(0)).unwrap());
        // What is new may have split a page.
        assert!(found.own.len() >= 3 && found.ranges.len() <= 1, "{}", found.ranges.len());
        assert!(found.old.len() >= 2, "{}", found.old.len());
        assert_eq!(keys.restore(&snapshot, NOW, &mut |_| {}), 4);
    }
}
