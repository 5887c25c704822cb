//! Keys that were made elsewhere: a thread that reads a file makes whole entries, and the engine
//! only puts them in their places.

use super::value::{KeyEntry, NewString, Value, content_of};
use super::write::{Free, PastUse, Writer};
use super::{DbIndex, Keyspace};
use crate::base::time::UnixMillis;
use crate::structures::cow_table::Slot;
use crate::structures::entry::{Entry, Form, NewContent};
use crate::structures::epoch::Epochs;
use crate::structures::lifespan::Lifespan;

/// What another thread needs to make keys of this keyspace.
#[derive(Debug)]
pub struct Nursery {
    epochs: Epochs,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Nursery>();
    is_send::<Arrival>();
};

impl Nursery {
    /// For the tables inside values.
    pub fn epochs(&mut self) -> &mut Epochs {
        &mut self.epochs
    }
}

/// A key with its value, on its way.
#[derive(Debug)]
pub struct Arrival {
    /// Where it goes.
    pub db: DbIndex,
    entry: KeyEntry,
    deadline: Option<UnixMillis>,
    past: Option<PastUse>,
}

/// The value of an [`Arrival`].
#[derive(Debug)]
pub enum NewValue<'a> {
    /// A string.
    String(NewString<'a>),
    /// Anything else. An empty one has no business in a keyspace: whoever makes keys refuses it.
    Collection(Value),
}

impl Arrival {
    /// A key of database `db` that goes at `deadline`, if at all.
    pub fn new(
        db: DbIndex,
        key: &[u8],
        value: NewValue<'_>,
        deadline: Option<UnixMillis>,
        past: Option<PastUse>,
    ) -> Self {
        let content = match value {
            NewValue::String(string) => content_of(string),
            NewValue::Collection(value) => NewContent::Nested(Box::new(value)),
        };
        // The deadline takes its place now, so that the entry need not grow later.
        let span = Lifespan::until(deadline.map(|at| at.0));
        let entry = Entry::new(key, content, Form::Whole, span, 0);
        Self { db, entry, deadline, past }
    }

    /// Its name.
    pub fn key(&self) -> &[u8] {
        self.entry.view().key()
    }
}

/// What becomes of a key that is there already when another one of its name arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// It stays, and the other one is dropped.
    Stays,
    /// It goes.
    Goes,
}

impl Keyspace {
    /// For another thread that makes keys.
    pub fn nursery(&self) -> Nursery {
        Nursery { epochs: self.epochs.apart() }
    }

    /// Puts a key in its place; whether there was room for it. No event tells of it and nothing
    /// becomes dirty: the data are those of a file.
    pub fn admit(&mut self, arrival: Arrival, occupied: Occupied, now: UnixMillis) -> bool {
        let db = arrival.db;
        self.writer(db, now).admit(arrival, occupied)
    }
}

impl Writer<'_> {
    fn admit(&mut self, arrival: Arrival, occupied: Occupied) -> bool {
        let Arrival { mut entry, deadline, past, .. } = arrival;
        let hash = self.keyspace.hash_of(entry.view().key());
        let (now, policy) = (self.now, self.keyspace.clock.policy);
        let past = past.and_then(|past| match past {
            PastUse::Idle(seconds) => policy.idle_for(seconds, now),
            PastUse::Frequency(counter) => policy.used(counter, now),
        });
        entry.view().set_clock(past.unwrap_or_else(|| policy.fresh(now)));
        let mut parts = self.parts();
        let slot = parts.table.slot(parts.epochs, hash, |known| known.has_key(entry.view().key()));
        if let Slot::Occupied(known) = &slot {
            if occupied == Occupied::Stays {
                return false;
            }
            parts.ledger.forget(known.get());
        }
        if deadline.is_some() {
            let deadline = deadline.map(|at| at.0);
            let span = parts.ledger.timers.renew(hash, Lifespan::default(), deadline, now.0);
            entry.set_lifespan(span);
        }
        if let Some(value) = entry.nested_mut() {
            parts.ledger.enroll(hash, value);
        }
        match slot {
            Slot::Occupied(mut slot) => {
                parts.ledger.graveyard.bury_entry(slot.replace(entry), Free::Later);
            }
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::journal::{Change, Event};
    use super::super::value::{Stored, StringRef, ValueRef};
    use super::*;
    use crate::types::hash::{Hash, Lifetime, Limits, NewValue as FieldValue};

    const NOW: UnixMillis = UnixMillis(1000);
    const DB: DbIndex = DbIndex(1);
    /// So that every hash is a table.
    const LIMITS: Limits = Limits { entries: 0, bytes: 0 };
    const EDITED: Event = Event::hash("hset");

    fn set(hash: &mut Hash, field: &str, value: &str, epochs: &mut Epochs) {
        let value = FieldValue::Bytes(value.as_bytes());
        hash.set(field.as_bytes(), value, Lifetime::Forever, LIMITS, epochs);
    }

    fn string(key: &str, value: &str, deadline: Option<i64>) -> Arrival {
        let value = NewValue::String(NewString::Bytes(value.as_bytes()));
        Arrival::new(DB, key.as_bytes(), value, deadline.map(UnixMillis), None)
    }

    fn text(keys: &Keyspace, key: &str) -> Option<Vec<u8>> {
        match keys.reader(DB, NOW).peek(key.as_bytes())? {
            ValueRef::String(StringRef::Inline(bytes)) => Some(bytes.to_vec()),
            other => Some(format!("{other:?}").into_bytes()),
        }
    }

    #[test]
    fn keys_arrive_once_unless_told_otherwise() {
        let mut keys = Keyspace::new(2, 7);
        assert!(keys.admit(string("a", "one", None), Occupied::Stays, NOW));
        assert!(!keys.admit(string("a", "two", Some(5000)), Occupied::Stays, NOW));
        assert_eq!(text(&keys, "a").as_deref(), Some(&b"one"[..]));
        assert!(keys.admit(string("a", "two", Some(5000)), Occupied::Goes, NOW));
        assert_eq!(text(&keys, "a").as_deref(), Some(&b"two"[..]));
        let figures = keys.figures(DB, NOW);
        assert_eq!((figures.keys, figures.expires, figures.average_ttl_ms), (1, 1, 4000));
        assert_eq!(keys.journal().dirty(), 0);
        keys.expire_due(UnixMillis(5001), 10);
        assert_eq!(keys.len(), 0, "the wheel knows of it");
    }

    #[test]
    fn values_made_on_another_thread_are_like_any_other() {
        let mut keys = Keyspace::new(2, 7);
        let snapshot = keys.snapshot(NOW);
        let mut nursery = keys.nursery();
        let made = std::thread::spawn(move || {
            let mut hash = Hash::default();
            for number in 0..1000 {
                set(&mut hash, &format!("field{number}"), "value", nursery.epochs());
            }
            Arrival::new(DB, b"hash", NewValue::Collection(hash.into_value()), None, None)
        });
        let arrival = made.join().expect("the thread makes a hash");
        assert!(keys.admit(arrival, Occupied::Stays, NOW));
        let later = keys.snapshot(NOW);
        let edited = keys.writer(DB, NOW).update(b"hash", |hash: &mut Hash, epochs| {
            set(hash, "field7", "other", epochs);
            ((), Change::Did(EDITED, 1))
        });
        assert_eq!(edited, Ok(Some(())));
        let count = |snapshot: &super::super::snapshot::KeyspaceSnapshot| snapshot.keys(DB).count();
        assert_eq!((count(&snapshot), count(&later)), (0, 1));
        drop((snapshot, later));
        while keys.reap(1000) > 0 {}
        assert_eq!(keys.held_bytes(), 0);
    }
}
