//! Moving keys together after many others have gone, so that the allocator can give pages back.
//!
//! What an entry holds beside itself goes along: long strings, packed collections. The members of
//! large collections stay where they are.

use super::value::KeyEntry;
use super::{DbIndex, Keyspace};
use crate::base::blob::Blob;
use crate::structures::cow_table::{IsMisplaced, Relocated, address_of};
use crate::structures::entry::Content;

/// How far moving has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    db: u16,
    cursor: u64,
}

impl Keyspace {
    /// Goes on from `place` through all keys, and moves what `is_misplaced` says of the addresses
    /// it is asked about; stops after about `budget` keys. `None`: that was all.
    ///
    /// While a snapshot lives nothing is moved.
    pub fn compact(
        &mut self,
        mut place: Place,
        budget: usize,
        is_misplaced: IsMisplaced<'_>,
        done: &mut Relocated,
    ) -> Option<Place> {
        let before = done.moved + done.stayed;
        while place.db < self.used {
            let database = &mut self.databases[usize::from(place.db)];
            let table = &mut database.table;
            place.cursor =
                table.relocate(&self.epochs, place.cursor, is_misplaced, &mut renew, done);
            if place.cursor == 0 {
                place.db += 1;
            }
            if done.moved + done.stayed - before >= budget {
                return Some(place);
            }
        }
        None
    }

    /// Where moving begins.
    pub fn first_place(&self) -> Place {
        Place { db: DbIndex(0).0, cursor: 0 }
    }
}

/// Moves a long string that nobody else holds.
fn renew(entry: &mut KeyEntry, is_misplaced: IsMisplaced<'_>) -> bool {
    match entry.view().content() {
        Content::Blob(blob) if blob.holders() == 1 && is_misplaced(address_of(&**blob)) => {}
        _ => return false,
    }
    entry.blob_mut().is_some_and(|blob| {
        *blob = Blob::new(blob.as_slice().to_vec());
        true
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::base::time::UnixMillis;
    use crate::keyspace::journal::Event;
    use crate::keyspace::value::{NewString, StringRef};
    use crate::keyspace::write::Lifetime;

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

    fn compact(keyspace: &mut Keyspace, is_misplaced: IsMisplaced<'_>) -> Relocated {
        let (mut done, mut place) = (Relocated::default(), Some(keyspace.first_place()));
        while let Some(at) = place {
            place = keyspace.compact(at, 100, is_misplaced, &mut done);
        }
        done
    }

    #[test]
    fn moving_changes_nothing_but_addresses() {
        let keys = if cfg!(miri) { 100 } else { 5000 };
        let mut keyspace = filled(keys);
        let none = compact(&mut keyspace, &mut |_| false);
        assert_eq!(none, Relocated { moved: 0, stayed: keys });
        let mut number = 0;
        let some = compact(&mut keyspace, &mut |_| {
            number += 1;
            number % 3 == 0
        });
        assert!(some.moved > keys / 4 && some.stayed > keys / 4, "{some:?}");
        let all = compact(&mut keyspace, &mut |_| true);
        assert!(all.moved > keys && all.stayed == 0, "{all:?}");
        check(&keyspace, keys);
        assert_eq!(keyspace.expire_due(UnixMillis(NOW.0 + 2000), usize::MAX), 0);
        assert_eq!(keyspace.len(), keys - keys.div_ceil(3));
    }

    #[test]
    fn nothing_is_moved_that_a_snapshot_reads() {
        let mut keyspace = filled(200);
        let snapshot = keyspace.snapshot(NOW);
        assert_eq!(compact(&mut keyspace, &mut |_| true), Relocated::default());
        drop(snapshot);
        keyspace.reap(usize::MAX);
        assert!(compact(&mut keyspace, &mut |_| true).moved > 0);
        check(&keyspace, 200);
    }
}
