//! Moving keys together after many others have gone, so that the allocator can give pages back.
//!
//! What an entry holds beside itself goes along: long strings, small collections. Large collections
//! are visited after the page of keys that refers to them, some members at a time.

use super::Keyspace;
use super::value::{KeyEntry, KeyRef};
use crate::structures::cow_table::Slot;
use crate::structures::entry::Content;
use crate::structures::relocation::{IsMisplaced, Mover, Reached, Relocated};

/// Allocations of a collection that is visited at once, together with its key.
const SMALL: usize = 32;

/// How far moving has come.
#[derive(Clone, Debug, Default)]
pub struct Place {
    db: u16,
    /// Where among the keys; `None` at their end.
    cursor: Option<u64>,
    /// Hashes of keys that were passed and whose values are still to be visited.
    large: Vec<u64>,
    /// How far the last of them has been.
    reached: Reached,
}

/// What was done with keys, and with the members of their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Keys, and their values if those are strings.
    pub keys: Relocated,
    /// What collections consist of.
    pub members: Relocated,
}

impl Compacted {
    /// All of it.
    pub fn all(&self) -> Relocated {
        let mut all = self.keys;
        all.add(self.members);
        all
    }
}

impl Keyspace {
    /// Goes on from `place` through all keys, and moves what `is_misplaced` says of the addresses
    /// it is asked about; stops after about `budget` allocations. `None`: that was all.
    ///
    /// While a snapshot lives nothing is moved.
    pub fn compact(
        &mut self,
        mut place: Place,
        budget: usize,
        is_misplaced: IsMisplaced<'_>,
        done: &mut Compacted,
    ) -> Option<Place> {
        if self.epochs.newest_living() != 0 {
            return None;
        }
        let before = done.all().visited();
        while place.db < self.used {
            let left = budget.saturating_sub(done.all().visited() - before);
            if left == 0 {
                return Some(place);
            }
            if let Some(hash) = place.large.last().copied() {
                self.compact_large(hash, left, &mut place, is_misplaced, done);
            } else if let Some(cursor) = place.cursor {
                self.compact_page(cursor, &mut place, is_misplaced, done);
            } else {
                (place.db, place.cursor) = (place.db + 1, Some(0));
            }
        }
        None
    }

    /// Where moving begins.
    pub fn first_place(&self) -> Place {
        Place { cursor: Some(0), ..Place::default() }
    }

    /// Visits the keys of one page of the table, and their values if those are small.
    fn compact_page(
        &mut self,
        cursor: u64,
        place: &mut Place,
        is_misplaced: IsMisplaced<'_>,
        done: &mut Compacted,
    ) {
        let (epochs, hasher) = (&self.epochs, self.hasher);
        let Compacted { keys, members } = done;
        let table = &mut self.databases[usize::from(place.db)].table;
        let mut renew = |entry: &mut KeyEntry, is_misplaced: IsMisplaced<'_>| {
            match entry.view().content() {
                Content::Blob(_) => return entry.renew_blob(is_misplaced),
                Content::Nested(value) if value.free_effort() > SMALL => {
                    place.large.push(hasher.hash(entry.view().key()));
                }
                Content::Nested(_) => {
                    let mut mover = Mover::new(is_misplaced, Reached::default(), usize::MAX);
                    if let Some(value) = entry.nested_mut() {
                        value.relocate(epochs, &mut mover);
                    }
                    members.add(mover.end().0);
                }
                Content::Int(_) | Content::Inline(_) | Content::Packed(_) => {}
            }
            false
        };
        let next = table.relocate(epochs, cursor, is_misplaced, &mut renew, keys);
        place.cursor = (next != 0).then_some(next);
    }

    /// Visits some members of the value of the last key in `place.large`, which has this hash. If
    /// the key has got another value meanwhile, then members of that.
    fn compact_large(
        &mut self,
        hash: u64,
        budget: usize,
        place: &mut Place,
        is_misplaced: IsMisplaced<'_>,
        done: &mut Compacted,
    ) {
        let hasher = self.hasher;
        let table = &mut self.databases[usize::from(place.db)].table;
        let is_it = |entry: KeyRef<'_>| hasher.hash(entry.key()) == hash;
        let mut reached = None;
        if let Slot::Occupied(mut slot) = table.slot(&mut self.epochs, hash, is_it) {
            let mut mover = Mover::new(is_misplaced, place.reached, budget);
            slot.edit(|entry, epochs| {
                if let Some(value) = entry.nested_mut() {
                    value.relocate(epochs, &mut mover);
                }
            });
            let (moved, rest) = mover.end();
            done.members.add(moved);
            reached = rest;
        }
        if reached.is_none() {
            place.large.pop();
        }
        place.reached = reached.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::base::time::UnixMillis;
    use crate::keyspace::DbIndex;
    use crate::keyspace::journal::{Change, Event};
    use crate::keyspace::value::{NewString, StringRef};
    use crate::keyspace::write::{Free, Lifetime};
    use crate::structures::cow_tree::End;
    use crate::types::hash::{self, Hash};
    use crate::types::list::{List, PackLimit};
    use crate::types::set::{Set, SetLimits};
    use crate::types::sorted_set::{PackLimits, SortedSet};
    use crate::types::stream::Stream;
    use crate::types::stream::group::{Group, Name};
    use crate::types::stream::id::Id;
    use crate::types::stream::node::NodeLimits;

    const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

    fn value(number: usize) -> Vec<u8> {
        // Some beside their keys, some in allocations of their own.
        vec![
            b'a' + number.to_le_bytes()[0] % 26;
            if number.is_multiple_of(7) { 5000 } else { number % 90 }
        ]
    }

    fn filled(keys: usize) -> Keyspace {
        let mut keyspace = Keyspace::new(2, 5);
        for number in 0..keys {
            let (key, value) = (number.to_le_bytes(), value(number));
            let db = DbIndex(u16::try_from(number % 2).unwrap());
            let lifetime = match number % 3 {
                0 => Lifetime::Until(UnixMillis(NOW.0 + 1000)),
                _ => Lifetime::Forever,
            };
            let value = NewString::Bytes(&value);
            keyspace.writer(db, NOW).put_string(&key, value, lifetime, Event::string("set"));
        }
        keyspace
    }

    fn check(keyspace: &Keyspace, keys: usize) {
        for number in 0..keys {
            let db = DbIndex(u16::try_from(number % 2).unwrap());
            let reader = keyspace.reader(db, NOW);
            let expected = value(number);
            match reader.string(&number.to_le_bytes()).unwrap().unwrap() {
                StringRef::Inline(bytes) => assert_eq!(bytes, expected),
                StringRef::Shared(blob) => assert_eq!(blob.as_slice(), expected),
                StringRef::Int(_) => panic!("no integer was stored"),
            }
        }
    }

    fn compact(keyspace: &mut Keyspace, is_misplaced: IsMisplaced<'_>) -> Compacted {
        let (mut done, mut place) = (Compacted::default(), Some(keyspace.first_place()));
        while let Some(at) = place {
            let before = done.all().visited();
            place = keyspace.compact(at, 100, is_misplaced, &mut done);
            // A page of keys with all their small values, or a page of members.
            assert!(done.all().visited() - before < 100 + 256 * SMALL, "a step is bounded");
        }
        done
    }

    const MEMBERS: usize = if cfg!(miri) { 60 } else { 3000 };

    /// A large collection of each type, and some small ones.
    fn fill_collections(keyspace: &mut Keyspace) {
        let mut keys = keyspace.writer(DbIndex(1), NOW);
        for (tag, members) in [("small", 6), ("medium", MEMBERS / 10), ("large", MEMBERS)] {
            let key = |kind: &str| format!("{tag} {kind}").into_bytes();
            let word =
                |number: usize| [b"member ", &value(number)[..], &number.to_le_bytes()].concat();
            let did = || ((), Change::Did(Event::generic("test"), 1));
            keys.upsert(&key("set"), |set: &mut Set, epochs| {
                let limits = SetLimits { ints_max: 4, pack_max: 4, pack_member_max: 64 };
                for number in 0..members {
                    set.insert(&word(number), limits, epochs);
                }
                did()
            })
            .unwrap();
            keys.upsert(&key("hash"), |hash: &mut Hash, epochs| {
                let limits = hash::Limits { entries: 8, bytes: 64 };
                for number in 0..members {
                    let lifetime = match number % 5 {
                        0 => hash::Lifetime::Until(UnixMillis(NOW.0 + 500)),
                        _ => hash::Lifetime::Forever,
                    };
                    let value = value(number);
                    let value = hash::NewValue::Bytes(&value);
                    hash.set(&word(number), value, lifetime, limits, epochs);
                }
                did()
            })
            .unwrap();
            keys.upsert(&key("sorted"), |sorted: &mut SortedSet, epochs| {
                let limits = PackLimits { entries: 8, value: 64 };
                let score = |number: usize| f64::from(u32::try_from(number * 7 % 100).unwrap());
                (0..members).for_each(|n| sorted.insert(&word(n), score(n), limits, epochs));
                did()
            })
            .unwrap();
            keys.upsert(&key("list"), |list: &mut List, _| {
                let words: Vec<Vec<u8>> = (0..members).map(word).collect();
                let limit = PackLimit::of_directive(-1).with_depth(1);
                list.push(End::Back, words.iter().map(Vec::as_slice), limit);
                did()
            })
            .unwrap();
            keys.upsert(&key("stream"), |stream: &mut Stream, _| {
                stream.establish();
                let log = &mut stream.body_mut().log;
                for number in 0..members {
                    let id = Id::new(number as u64 + 1, 0);
                    let limits = NodeLimits::of_directives(4096, 100);
                    log.add(id, [&b"field"[..], &word(number)].into_iter(), limits).unwrap();
                }
                for group_name in ["one", "two", "three"] {
                    let mut group = Group::new(Id::new(members as u64, 0), None);
                    for number in 0..members {
                        let (owner, _) = group.enroll(&(number % 7).to_le_bytes(), NOW.0);
                        group.assign(Id::new(number as u64 + 1, 0), &owner, NOW.0, 1);
                        if number % 5 == 0 {
                            group.release(Id::new(number as u64 + 1, 0), 2);
                        }
                    }
                    assert_eq!(group.idle(NOW.0, members).len(), members);
                    let groups = &mut stream.body_mut().groups;
                    groups.insert(Name::new(group_name.as_bytes()), group);
                }
                did()
            })
            .unwrap();
        }
    }

    /// All members of all collections, as text.
    fn told(keyspace: &Keyspace) -> Vec<String> {
        let (reader, mut told) = (keyspace.reader(DbIndex(1), NOW), Vec::new());
        for tag in ["small", "medium", "large"] {
            let key = |kind: &str| format!("{tag} {kind}").into_bytes();
            let set = reader.get::<Set>(&key("set")).unwrap().unwrap();
            told.extend(set.iter().map(|member| format!("{member:?}")));
            let hash = reader.get::<Hash>(&key("hash")).unwrap().unwrap();
            told.extend(hash.iter().map(|field| format!("{field:?}")));
            told.push(format!("{:?} {}", hash.next_due(), hash.live_len(UnixMillis(NOW.0 + 900))));
            let sorted = reader.get::<SortedSet>(&key("sorted")).unwrap().unwrap();
            told.extend(sorted.iter().map(|element| format!("{element:?}")));
            let list = reader.get::<List>(&key("list")).unwrap().unwrap();
            told.extend(list.texts().map(|element| format!("{element:?}")));
            let stream = reader.get::<Stream>(&key("stream")).unwrap().unwrap();
            told.push(format!("{:?}", stream.groups()));
            told.extend(
                stream
                    .log()
                    .iter()
                    .map(|entry| format!("{:?} {:?}", entry.id, entry.pairs().collect::<Vec<_>>())),
            );
        }
        told
    }

    #[test]
    fn members_of_collections_move_along() {
        let mut keyspace = filled(40);
        fill_collections(&mut keyspace);
        let before = told(&keyspace);
        let none = compact(&mut keyspace, &mut |_| false);
        assert_eq!(none.all().moved, 0);
        assert!(none.members.stayed > 2 * MEMBERS, "those of the tables at least: {none:?}");
        for share in [3, 1] {
            let mut number = 0;
            let some = compact(&mut keyspace, &mut |_| {
                number += 1;
                number % share == 0
            });
            assert!(some.members.moved * share >= some.members.visited() / 2, "{some:?}");
            assert_eq!(told(&keyspace), before);
        }
        // They can still be changed.
        let mut keys = keyspace.writer(DbIndex(1), NOW);
        let removed = keys.update(b"large set", |set: &mut Set, epochs| {
            let members: Vec<Vec<u8>> = set.iter().map(|member| member.to_vec()).collect();
            let removed = members.iter().filter(|member| set.remove(member, epochs)).count();
            (removed, Change::Did(Event::generic("test"), 1))
        });
        assert_eq!(removed.unwrap(), Some(MEMBERS));
    }

    #[test]
    fn a_key_that_goes_meanwhile_is_passed_over() {
        let mut keyspace = filled(10);
        fill_collections(&mut keyspace);
        let (mut done, mut place) = (Compacted::default(), Some(keyspace.first_place()));
        let mut goes = true;
        while let Some(at) = place {
            let is_within = !at.large.is_empty();
            place = keyspace.compact(at, 1, &mut |_| true, &mut done);
            if is_within && std::mem::take(&mut goes) {
                for kind in ["set", "hash", "sorted", "list", "stream"] {
                    let key = format!("large {kind}").into_bytes();
                    keyspace.writer(DbIndex(1), NOW).remove(&key, Free::Now, Event::generic("del"));
                }
            }
        }
        assert!(!goes && done.members.moved > 0);
        assert_eq!(keyspace.reader(DbIndex(1), NOW).kind(b"large set"), None);
    }

    #[test]
    fn moving_changes_nothing_but_addresses() {
        let keys = if cfg!(miri) { 100 } else { 5000 };
        let mut keyspace = filled(keys);
        let none = compact(&mut keyspace, &mut |_| false);
        assert_eq!(none.keys, Relocated { moved: 0, stayed: keys });
        assert_eq!(none.members, Relocated::default());
        let mut number = 0;
        let some = compact(&mut keyspace, &mut |_| {
            number += 1;
            number % 3 == 0
        });
        assert!(some.keys.moved > keys / 4 && some.keys.stayed > keys / 4, "{some:?}");
        let all = compact(&mut keyspace, &mut |_| true);
        assert!(all.keys.moved > keys && all.keys.stayed == 0, "{all:?}");
        check(&keyspace, keys);
        assert_eq!(keyspace.expire_due(UnixMillis(NOW.0 + 2000), usize::MAX), 0);
        assert_eq!(keyspace.len(), keys - keys.div_ceil(3));
    }

    #[test]
    fn nothing_is_moved_that_a_snapshot_reads() {
        let mut keyspace = filled(200);
        let snapshot = keyspace.snapshot(NOW);
        assert_eq!(compact(&mut keyspace, &mut |_| true), Compacted::default());
        drop(snapshot);
        keyspace.reap(usize::MAX);
        assert!(compact(&mut keyspace, &mut |_| true).keys.moved > 0);
        check(&keyspace, 200);
    }
}
