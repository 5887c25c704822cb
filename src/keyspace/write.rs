//! Changing one database: the only way to a `&mut` value, so that nothing that follows from a
//! change (events, watchers, deadlines, dirty count, memory) can be forgotten.
//!
//! Strings in place are in `string_edit`, other types in `collection_edit`, whole keys and whole
//! databases in `relocate`.

use super::journal::{EXPIRE, Event};
use super::read::{Reader, is_dead};
use super::spot::{Ledger, Replacing, Spot};
pub use super::string_edit::StringEdit;
use super::value::{KeyEntry, NewString, content_of};
use super::{Database, DbIndex, Expiry, Keyspace};
use crate::base::time::UnixMillis;
use crate::structures::cow_table::{CowTable, Slot};
use crate::structures::entry::Form;
use crate::structures::epoch::Epochs;

/// What becomes of a key's deadline when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As it was.
    Keep,
    /// No deadline.
    Forever,
    /// Gone from this moment on.
    Until(UnixMillis),
}

/// Where a value's memory is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// Now, by the engine.
    Now,
    /// By a worker, when it is large.
    Later,
}

/// What is known of a key's past use (RESTORE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastUse {
    /// Seconds since the last access.
    Idle(u64),
    /// Logarithmic access counter.
    Frequency(u8),
}

/// A database as of `now`, to be changed.
#[derive(Debug)]
pub struct Writer<'a> {
    pub(super) keyspace: &'a mut Keyspace,
    pub(super) db: DbIndex,
    pub(super) now: UnixMillis,
}

/// A database and all that a change of it may concern.
pub(super) struct Parts<'a> {
    pub(super) table: &'a mut CowTable<KeyEntry>,
    pub(super) epochs: &'a mut Epochs,
    pub(super) ledger: Ledger<'a>,
}

impl Writer<'_> {
    /// The same database, for reading. Shows the keys that this writer finds: where a primary
    /// decides what expires, also those whose time is over by our clock.
    pub fn reader(&self) -> Reader<'_> {
        let reader = Reader::new(self.keyspace, self.db, self.now);
        match self.keyspace.expiry {
            Expiry::Own => reader,
            Expiry::Followed => reader.with_dead(),
        }
    }
    /// Whether a key with this deadline would go at once. Never so where a primary decides what
    /// expires: by its clock the deadline may lie ahead, and it may yet take it away.
    pub fn is_over(&self, deadline: UnixMillis) -> bool {
        deadline <= self.now && self.keyspace.expiry == Expiry::Own
    }
    /// The moment this view shows.
    pub fn now(&self) -> UnixMillis {
        self.now
    }
    /// The database.
    pub fn db(&self) -> DbIndex {
        self.db
    }
    /// Another database of the same keyspace.
    pub fn other(&mut self, db: DbIndex) -> Writer<'_> {
        self.keyspace.writer(db, self.now)
    }
    /// Number of databases.
    pub fn db_count(&self) -> u16 {
        self.keyspace.db_count()
    }

    /// Makes something of what is there: a value with tables inside, to be [`Writer::put`] then.
    pub fn derive<R>(&mut self, make: impl FnOnce(Reader<'_>, &mut Epochs) -> R) -> R {
        // A reader has no use for epochs; apart from them, both can be lent.
        let mut epochs = std::mem::take(&mut self.keyspace.epochs);
        let made = make(self.reader(), &mut epochs);
        self.keyspace.epochs = epochs;
        made
    }

    #[inline]
    pub(super) fn parts(&mut self) -> Parts<'_> {
        let Keyspace { databases, epochs, journal, stats, clock, graveyard, used, .. } =
            &mut *self.keyspace;
        *used = (*used).max(self.db.0.saturating_add(1));
        let Database { table, timers, members } = &mut databases[usize::from(self.db.0)];
        let (db, now) = (self.db, self.now);
        Parts {
            table,
            epochs,
            ledger: Ledger { timers, members, journal, graveyard, stats, clock, db, now },
        }
    }

    /// The place of `key`, found by one lookup.
    pub(super) fn spot<'s, 'k>(&'s mut self, key: &'k [u8]) -> Spot<'s, 'k> {
        self.spot_inline(key)
    }

    /// The same for the few callers that are so frequent that moving a spot about would show.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "a spot is some 150 bytes, taken apart where it is used"
    )]
    pub(super) fn spot_inline<'s, 'k>(&'s mut self, key: &'k [u8]) -> Spot<'s, 'k> {
        let hash = self.keyspace.hash_of(key);
        let (now, expiry) = (self.now, self.keyspace.expiry);
        let Parts { table, epochs, ledger } = self.parts();
        let slot = table.slot(epochs, hash, |entry| entry.has_key(key));
        let is_ghost = match &slot {
            Slot::Occupied(slot) => is_dead(slot.get().deadline(), now) && expiry == Expiry::Own,
            Slot::Vacant(_) => false,
        };
        Spot { key, hash, slot, ledger, is_ghost }
    }

    /// Makes `key` hold a string, whatever it held. One lookup; in place when the size allows.
    /// Notes `event`, then [`EXPIRE`] when it gets a deadline; one dirty unit.
    pub fn put_string(
        &mut self,
        key: &[u8],
        value: NewString<'_>,
        lifetime: Lifetime,
        event: Event,
    ) {
        let (content, mut spot) = (content_of(value), self.spot_inline(key));
        let (form, replacing) = (Form::Whole, Replacing::Overwrites);
        if spot.overwrite(&content, form, lifetime, replacing) {
            spot.ledger.note(key, event, 1);
            return;
        }
        let mut ledger = spot.store(content, form, lifetime, replacing);
        ledger.note(key, event, 1);
        if let Lifetime::Until(_) = lifetime {
            ledger.note(key, EXPIRE, 0);
        }
    }

    /// Removes `key`; whether it was there.
    pub fn remove(&mut self, key: &[u8], free: Free, event: Event) -> bool {
        let spot = self.spot(key);
        if spot.entry().is_none() {
            spot.settle();
            return false;
        }
        spot.remove(free).note(key, event, 1);
        true
    }

    /// Sets or clears the deadline of `key`; whether the key exists. Clearing none notes nothing.
    pub fn set_deadline(&mut self, key: &[u8], deadline: Option<UnixMillis>, event: Event) -> bool {
        let mut spot = self.spot(key);
        let Some(entry) = spot.entry() else {
            spot.settle();
            return false;
        };
        let old = entry.deadline();
        spot.touch();
        if deadline.is_some() || old.is_some() {
            spot.set_deadline(deadline.map(|at| at.0));
            spot.ledger.note(key, event, 1);
        }
        true
    }

    /// Resets the access clock of `key`; whether it exists. Counts a hit or a miss.
    pub fn touch(&mut self, key: &[u8]) -> bool {
        self.reader().value(key).is_some()
    }

    /// Sets the access clock of `key`, if the policy keeps what is known of it.
    pub fn set_past_use(&mut self, key: &[u8], past: PastUse) {
        let (now, policy) = (self.now, self.keyspace.clock.policy);
        let clock = match past {
            PastUse::Idle(seconds) => policy.idle_for(seconds, now),
            PastUse::Frequency(counter) => policy.used(counter, now),
        };
        if let (Some(entry), Some(clock)) = (self.spot(key).entry(), clock) {
            entry.set_clock(clock);
        }
    }
}
