//! Back to what was: the databases become what a snapshot of them shows.
//!
//! If nobody wants to know what has changed, and no snapshot was taken since, the tables of the
//! snapshot are made the living ones: [`Keyspace::go_back`].
//!
//! Otherwise the pages that a database and its snapshot share tell where nothing has changed, and of
//! the others only the words that differ are looked at, so this takes time in proportion to what
//! has. What is to come back is copied: the originals wait in limbo for the snapshot's end, together
//! with what later snapshots read, and what is there must not be reachable again.

use super::journal::{COPY_TO, DEL};
use super::snapshot::KeyspaceSnapshot;
use super::timers::Mark;
use super::value::KeyRef;
use super::write::{Free, Writer};
use super::{Database, DbIndex, Keyspace};
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
    /// Makes all databases what they were when `snapshot` was taken, in O(databases): their tables
    /// become those of the snapshot, and a worker frees what came since. Nobody is told which keys
    /// have changed. Returns whether that was possible; if not, nothing has been done. It takes that
    /// nothing else needs what has changed since: no later snapshot, no table that waits to be
    /// freed; and that no deadline of then has gone by.
    pub fn go_back(&mut self, snapshot: &KeyspaceSnapshot) -> bool {
        let (Some(marks), Some(pin)) = (snapshot.marks(), snapshot.pin()) else { return false };
        let timers = self.databases.iter().zip(marks);
        let has_kept = |(database, [keys, members]): (&Database, &[Mark; 2])| {
            database.timers.has_kept(keys) && database.members.has_kept(members)
        };
        if !timers.into_iter().all(has_kept) || self.graveyard.has_tables() {
            return false;
        }
        let Some(mut revival) = self.epochs.revive(pin) else { return false };
        for (db, database) in (0..=u16::MAX).map(DbIndex).zip(&mut self.databases) {
            let [keys, members] = marks.get(usize::from(db.0)).copied().unwrap_or_default();
            database.table.go_back(snapshot.frozen_table(db), &mut revival);
            database.timers.go_back(&keys);
            database.members.go_back(&members);
        }
        self.graveyard.bury_grave(revival.finish());
        self.used = self.used.max(snapshot.table_count());
        self.pool.clear();
        self.journal.add_dirty(1);
        true
    }

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
        GoBack(usize),
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
            1 => (0_usize..4).prop_map(Step::Restore),
            3 => (0_usize..4).prop_map(Step::GoBack),
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

    /// The living data, as [`state`] shows them.
    fn living(keys: &Keyspace) -> Vec<String> {
        let mut all = Vec::new();
        for db in 0..2 {
            let reader = keys.reader(DbIndex(db), NOW);
            reader.scan(0, usize::MAX, &mut |key, value| {
                let deadline = reader.deadline(key).flatten();
                all.push(format!("{db}: {}", show(&KeyView { key, value, deadline, clock: 0 })));
            });
        }
        all.sort();
        all
    }

    /// Steps between two looks at all snapshots.
    const CHECKED_EACH: usize = if cfg!(miri) { 20 } else { 1 };

    /// How often it could go back at once.
    fn run(steps: Vec<Step>) -> usize {
        let mut went_back = 0;
        let mut keys = Keyspace::new(2, 7);
        let mut saved: Vec<(KeyspaceSnapshot, Vec<String>)> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
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
                Step::GoBack(at) => {
                    let Some((snapshot, expected)) = saved.get(at) else { continue };
                    if keys.go_back(snapshot) {
                        assert_eq!(&living(&keys), expected);
                        went_back += 1;
                    }
                }
                Step::Reap => {
                    keys.reap(50);
                    drop(keys.take_garbage());
                }
            }
            if number.is_multiple_of(CHECKED_EACH) {
                for (snapshot, expected) in &saved {
                    assert_eq!(&state(snapshot), expected);
                }
            }
        }
        drop(saved);
        drop(keys.take_garbage());
        keys.reap(usize::MAX);
        assert_eq!((keys.held_bytes(), keys.snapshots()), (0, 0));
        went_back
    }

    /// Miri takes a thousand times as long.
    const fn sized(count: u16) -> u16 {
        if cfg!(miri) { count / 5 } else { count }
    }

    #[test]
    fn tables_of_a_snapshot_become_the_living_ones() {
        let span = |from: u16, to: u16| sized(from)..sized(to);
        let mut steps: Vec<Step> = span(0, 300).map(|key| Step::Set(key, 1, None)).collect();
        steps.extend(span(300, 340).flat_map(|key| (0..9).map(move |at| Step::Field(key, at))));
        steps.push(Step::Save);
        for round in 0..5 {
            // Changed, gone and new keys; hashes whose tables share pages; databases that are empty.
            steps.extend((round..sized(60)).map(|key| Step::Set(key * 4, 2, None)));
            steps.extend(span(300, 320).map(|key| Step::Field(key, 9)));
            steps.extend(span(100, 130).map(Step::Remove));
            steps.extend(span(325, 330).map(Step::Remove));
            steps.extend(span(340, 380).flat_map(|key| (0..7).map(move |at| Step::Field(key, at))));
            steps.extend((round == 3).then_some(Step::Flush(0)));
            steps.extend((round == 4).then_some(Step::Swap));
            steps.extend([Step::GoBack(0), Step::GoBack(0), Step::Reap]);
        }
        assert_eq!(run(steps), 10);
    }

    #[test]
    fn what_others_need_is_not_gone_back_to_at_once() {
        let mut keys = Keyspace::new(2, 7);
        put(&mut keys, 2, 1, Some(2000));
        let first = keys.snapshot(NOW);
        put(&mut keys, 4, 1, None);
        let second = keys.snapshot(NOW);
        assert!(!keys.go_back(&first), "another snapshot reads what has changed");
        assert!(keys.go_back(&second));
        drop(first);
        put(&mut keys, 4, 2, None);
        keys.expire_due(UnixMillis(2500), 100);
        assert!(!keys.go_back(&second), "a key has expired whose timer is gone");
        let mut third = keys.snapshot(NOW);
        assert_eq!(keys.restore(&second, NOW, &mut |_| {}), 2);
        third = keys.snapshot(third.now());
        keys.writer(DbIndex(0), NOW).flush(Free::Later);
        assert!(!keys.go_back(&third), "the wheel was dropped with the keys");
        drop((second, third));
        put(&mut keys, 6, 1, None);
        let plain = keys.snapshot(NOW);
        keys.writer(DbIndex(0), NOW).flush(Free::Later);
        assert!(keys.go_back(&plain));
        assert_eq!(living(&keys), state(&plain));
    }

    #[test]
    fn room_of_those_who_live_again_is_freed_by_others() {
        let mut keys = Keyspace::new(1, 7);
        for number in 0..3000 {
            put(&mut keys, number * 2, 1, None);
        }
        let snapshot = keys.snapshot(NOW);
        for number in 0..3000 {
            put(&mut keys, number * 2, 2, None);
        }
        assert!(keys.go_back(&snapshot));
        // A pointer, a size and a function for each.
        assert!(keys.graveyard.bytes() >= 3000 * 3 * size_of::<usize>());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 60 }))]
        #[test]
        fn any_moment_can_be_gone_back_to(steps in prop::collection::vec(step(), 1..usize::from(sized(120)))) {
            run(steps);
        }
    }

    #[test]
    fn little_is_looked_at_when_little_has_changed() {
        let mut keys = Keyspace::new(1, 7);
        for number in 0..if cfg!(miri) { 400 } else { 20_000 } {
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
