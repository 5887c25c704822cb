//! Keys made elsewhere: another thread reads a file and builds values, the engine only puts them in.
//!
//! The other thread has a [`Maker`]: a hasher of the keyspace's seed, and epochs of its own for the
//! tables inside values, which know no snapshots. The engine adopts such tables when it puts the
//! key in.

use super::journal::Event;
use super::packed::with_content;
use super::value::{KeyEntry, NewString, Value, content_of};
use super::write::{Parts, Writer};
use crate::base::blob::Blob;
use crate::base::hash::KeyHasher;
use crate::base::time::UnixMillis;
use crate::structures::cow_table::Slot;
use crate::structures::entry::{Entry, Form, NewContent};
use crate::structures::epoch::Epochs;
use crate::structures::lifespan::Lifespan;

/// A value to be put in.
#[derive(Debug)]
pub enum LoadedValue<'a> {
    /// A string that is an integer.
    Int(i64),
    /// A string, to be copied.
    Text(&'a [u8]),
    /// A large string, to be kept where it is.
    Blob(Vec<u8>),
    /// Anything else.
    Other(Value),
}

impl From<Value> for LoadedValue<'_> {
    fn from(value: Value) -> Self {
        Self::Other(value)
    }
}

/// Makes keys on a thread of its own.
#[derive(Debug)]
pub struct Maker {
    epochs: Epochs,
    hasher: KeyHasher,
}

impl Maker {
    pub(super) fn new(seed: u64) -> Self {
        Self { epochs: Epochs::nursery(seed), hasher: KeyHasher::new(seed) }
    }

    /// For the tables inside values.
    pub fn epochs(&mut self) -> &mut Epochs {
        &mut self.epochs
    }

    /// A key with its value and the 24 bits of its access clock.
    pub fn key(
        &self,
        key: &[u8],
        value: LoadedValue<'_>,
        deadline: Option<UnixMillis>,
        clock: u32,
    ) -> LoadedKey {
        let lifespan = Lifespan::until(deadline.map(|at| at.0));
        let entry = entry(key, value, lifespan, clock);
        LoadedKey { hash: self.hasher.hash(key), entry }
    }
}

fn entry(key: &[u8], value: LoadedValue<'_>, lifespan: Lifespan, clock: u32) -> KeyEntry {
    let blob;
    let make =
        |content: NewContent<'_, Value>| Entry::new(key, content, Form::Whole, lifespan, clock);
    let content = match value {
        LoadedValue::Int(value) => NewContent::Int(value),
        LoadedValue::Text(text) => content_of(NewString::Bytes(text)),
        LoadedValue::Blob(bytes) => {
            blob = Blob::new(bytes);
            content_of(NewString::Shared(&blob))
        }
        LoadedValue::Other(value) => return with_content(value, make),
    };
    make(content)
}

/// A key that is ready to be put in. Dropping it frees it.
#[derive(Debug)]
pub struct LoadedKey {
    hash: u64,
    entry: KeyEntry,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Maker>();
    is_send::<LoadedKey>();
};

impl LoadedKey {
    /// The key.
    pub fn key(&self) -> &[u8] {
        self.entry.view().key()
    }

    /// When it goes.
    pub fn deadline(&self) -> Option<UnixMillis> {
        self.entry.view().deadline().map(UnixMillis)
    }

    /// For [`super::Keyspace::prefetch`].
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

impl Writer<'_> {
    /// Makes `key` hold a value that was made with these epochs ([`Writer::derive`]), whatever it
    /// held. Notes what COPY does, and `event`.
    pub fn restore(
        &mut self,
        key: &[u8],
        value: LoadedValue<'_>,
        deadline: Option<UnixMillis>,
        event: Event,
    ) {
        let clock = self.keyspace.access_policy().fresh(self.now);
        let mut entry = entry(key, value, Lifespan::default(), clock);
        let make = |span| {
            entry.set_lifespan(span);
            entry
        };
        self.spot(key).put_entry(deadline.map(|at| at.0), make).note(key, event, 1);
    }

    /// Puts a key in that must not be there yet; gives it back if it is. Nobody is told: there is
    /// no event, no dirty unit, and an entry that is over stays until its time is looked at.
    pub fn load(&mut self, loaded: LoadedKey) -> Result<(), LoadedKey> {
        let Parts { table, epochs, mut ledger } = self.parts();
        let LoadedKey { hash, mut entry } = loaded;
        if let Some(value) = entry.nested_mut() {
            value.adopt(epochs);
        }
        let key = entry.view().key();
        let Slot::Vacant(slot) = table.slot(epochs, hash, |known| known.has_key(key)) else {
            return Err(LoadedKey { hash, entry });
        };
        if let Some(value) = entry.nested_mut() {
            ledger.enroll(hash, value);
        }
        let deadline = entry.view().deadline();
        if deadline.is_some() {
            let now = ledger.now.0;
            entry.set_lifespan(ledger.timers.renew(hash, Lifespan::default(), deadline, now));
        }
        slot.insert(entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::keyspace::journal::{Change, Event};
    use crate::keyspace::value::{Stored, ValueRef};
    use crate::keyspace::{DbIndex, Keyspace};
    use crate::types::hash::{Hash, Lifetime, Limits, NewValue};
    use crate::types::set::{Set, SetLimits};

    const NOW: UnixMillis = UnixMillis(1000);
    const DB: DbIndex = DbIndex(0);
    const SET_LIMITS: SetLimits = SetLimits { ints_max: 0, pack_max: 0, pack_member_max: 0 };
    const HASH_LIMITS: Limits = Limits { entries: 0, bytes: 0 };
    const MEMBERS: usize = 3000;

    fn text(number: usize) -> Vec<u8> {
        format!("member {number}").into_bytes()
    }

    fn set(maker: &mut Maker) -> Set {
        let mut set = Set::default();
        for number in 0..MEMBERS {
            assert!(set.insert(&text(number), SET_LIMITS, maker.epochs()));
        }
        set
    }

    fn hash(maker: &mut Maker) -> Hash {
        let mut hash = Hash::default();
        for number in 0..MEMBERS {
            let lifetime = match number % 2 {
                0 => Lifetime::Forever,
                _ => Lifetime::Until(UnixMillis(NOW.0 + 5)),
            };
            let value = NewValue::Bytes(b"value");
            hash.set(&text(number), value, lifetime, HASH_LIMITS, maker.epochs());
        }
        hash
    }

    fn check(keyspace: &Keyspace, members: usize) {
        let reader = keyspace.reader(DB, NOW);
        assert_eq!(reader.get::<Set>(b"set").unwrap().unwrap().len(), members);
        assert_eq!(reader.get::<Hash>(b"hash").unwrap().unwrap().len(), members);
    }

    /// Removes and adds members, so that pages are changed, split and merged.
    fn change(keyspace: &mut Keyspace, members: std::ops::Range<usize>) {
        let mut writer = keyspace.writer(DB, NOW);
        for number in members {
            let (member, added) = (text(number), text(number + 2 * MEMBERS));
            let did = Change::Did(Event::generic("sadd"), 1);
            let edit = |set: &mut Set, epochs: &mut Epochs| {
                let is_both = set.remove(&member, epochs) & set.insert(&added, SET_LIMITS, epochs);
                (is_both, did)
            };
            assert_eq!(writer.update(b"set", edit), Ok(Some(true)));
            let edit = |hash: &mut Hash, epochs: &mut Epochs| {
                let value = NewValue::Bytes(b"other");
                let is_new = hash.set(&added, value, Lifetime::Forever, HASH_LIMITS, epochs);
                (is_new & hash.remove(&member, epochs), did)
            };
            assert_eq!(writer.update(b"hash", edit), Ok(Some(true)));
        }
    }

    fn read(snapshot: &crate::keyspace::snapshot::KeyspaceSnapshot) -> Vec<(usize, bool)> {
        let facts = |value: ValueRef<'_>| match value {
            ValueRef::Set(set) => (set.iter().count(), set.contains(&text(0))),
            ValueRef::Hash(hash) => (hash.iter().count(), hash.get(&text(0)).is_some()),
            _ => (0, false),
        };
        let mut all: Vec<_> =
            snapshot.keys(DB).map(|view| facts(view.value.open().as_ref())).collect();
        all.sort_unstable();
        all
    }

    /// Loads both values from another thread at a moment when `before` snapshots live.
    fn loaded(keyspace: &mut Keyspace) {
        let mut maker = keyspace.maker();
        let made = std::thread::spawn(move || {
            let (set, hash) = (set(&mut maker), hash(&mut maker));
            let at = Some(UnixMillis(NOW.0 + 50));
            [
                maker.key(b"set", set.into_value().into(), None, 0),
                maker.key(b"hash", hash.into_value().into(), at, 0),
            ]
        });
        for key in made.join().unwrap() {
            keyspace.writer(DB, NOW).load(key).unwrap();
        }
    }

    #[test]
    fn snapshots_around_a_load_stay_right() {
        let mut keyspace = Keyspace::new(1, 42);
        let empty = keyspace.snapshot(NOW);
        loaded(&mut keyspace);
        assert_eq!(empty.keys(DB).count(), 0);
        change(&mut keyspace, 1..500);
        let first = keyspace.snapshot(NOW);
        change(&mut keyspace, 500..1500);
        let second = keyspace.snapshot(NOW);
        keyspace.writer(DB, NOW).remove(
            b"set",
            crate::keyspace::write::Free::Now,
            Event::generic("del"),
        );
        change_hash_only(&mut keyspace);
        assert_eq!(read(&first), [(MEMBERS, true), (MEMBERS, true)]);
        drop(first);
        while keyspace.reap(100) > 0 && keyspace.snapshots() < 2 {}
        assert_eq!(read(&second), [(MEMBERS, true), (MEMBERS, true)]);
        drop((empty, second));
        keyspace.reap(usize::MAX);
        assert_eq!((keyspace.held_bytes(), keyspace.snapshots()), (0, 0));
    }

    fn change_hash_only(keyspace: &mut Keyspace) {
        let mut writer = keyspace.writer(DB, NOW);
        let edit = |hash: &mut Hash, epochs: &mut Epochs| {
            (hash.remove(&text(0), epochs), Change::Did(Event::hash("hdel"), 1))
        };
        assert_eq!(writer.update(b"hash", edit), Ok(Some(true)));
    }

    #[test]
    fn deadlines_of_loaded_keys_and_members_are_kept() {
        let mut keyspace = Keyspace::new(1, 42);
        loaded(&mut keyspace);
        check(&keyspace, MEMBERS);
        let figures = keyspace.figures(DB, NOW);
        assert_eq!((figures.keys, figures.expires, figures.expiring_members), (2, 1, 1));
        keyspace.expire_due(UnixMillis(NOW.0 + 10), usize::MAX);
        let reader = keyspace.reader(DB, NOW);
        assert_eq!(reader.get::<Hash>(b"hash").unwrap().unwrap().len(), MEMBERS / 2);
        keyspace.expire_due(UnixMillis(NOW.0 + 51), usize::MAX);
        assert_eq!(keyspace.len(), 1);
    }

    #[test]
    fn second_key_of_a_name_comes_back() {
        let mut keyspace = Keyspace::new(1, 42);
        let maker = keyspace.maker();
        let mut load = |value: &[u8]| {
            let key = maker.key(b"key", LoadedValue::Text(value), None, 0);
            keyspace.writer(DB, NOW).load(key).map_err(|key| key.key().to_vec())
        };
        assert_eq!(load(b"one"), Ok(()));
        assert_eq!(load(b"two"), Err(b"key".to_vec()));
    }

    #[test]
    #[should_panic(expected = "a nursery has no snapshots")]
    fn nursery_takes_no_snapshot() {
        drop(Epochs::nursery(1).pin());
    }
}
