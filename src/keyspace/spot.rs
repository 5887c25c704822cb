//! The place of one key while it is being changed: found once, then read, filled or vacated, with
//! all that follows for timers, events, counters and garbage.
//!
//! A key whose time is over is treated as absent, though its entry is still there (a *ghost*):
//! storing reuses the entry, anything else removes it; either way `expired` is noted first.

use super::DbIndex;
use super::graveyard::Graveyard;
use super::journal::{EXPIRED, Event, Journal, NEW, OVERWRITTEN, TYPE_CHANGED};
use super::packed::kind_of_packed;
use super::stats::{Clock, Stats};
use super::timers::Timers;
use super::value::{KeyEntry, KeyRef, Kind, Value, kind_of};
use super::write::{Free, Lifetime};
use crate::base::time::UnixMillis;
use crate::structures::access_clock::Access;
use crate::structures::cow_table::Slot;
use crate::structures::entry::{Entry, Form, NewContent};
use crate::structures::lifespan::Lifespan;

/// Everything but the table and the epochs that a change may concern.
#[derive(Debug)]
pub(super) struct Ledger<'a> {
    pub(super) timers: &'a mut Timers,
    pub(super) members: &'a mut Timers,
    pub(super) journal: &'a mut Journal,
    pub(super) graveyard: &'a mut Graveyard,
    pub(super) stats: &'a Stats,
    pub(super) clock: &'a Clock,
    pub(super) db: DbIndex,
    pub(super) now: UnixMillis,
}

impl Ledger<'_> {
    #[inline]
    pub(super) fn note(&mut self, key: &[u8], event: Event, units: u64) {
        self.journal.note(self.db, key, event, units);
    }

    pub(super) fn note_expired(&mut self, key: &[u8]) {
        Stats::count(&self.stats.expired);
        self.note(key, EXPIRED, 0);
    }

    #[inline]
    fn note_replacing(&mut self, key: &[u8], replacing: Replacing, old: Kind, new: Kind) {
        if replacing == Replacing::Overwrites {
            self.note(key, OVERWRITTEN, 0);
        }
        if old != new {
            self.note(key, TYPE_CHANGED, 0);
        }
    }
}

/// Whether a value that replaces another one is announced as doing so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replacing {
    /// The new value stands in for the old one: `overwritten`.
    Overwrites,
    /// It is the old one, changed.
    Continues,
}

/// See the head of the file.
#[derive(Debug)]
pub(super) struct Spot<'a, 'k> {
    pub(super) key: &'k [u8],
    pub(super) hash: u64,
    pub(super) slot: Slot<'a, KeyEntry>,
    pub(super) ledger: Ledger<'a>,
    pub(super) is_ghost: bool,
}

impl<'a> Spot<'a, '_> {
    /// The entry of a living key.
    #[inline]
    pub(super) fn entry(&self) -> Option<KeyRef<'_>> {
        match &self.slot {
            Slot::Occupied(slot) if !self.is_ghost => Some(slot.get()),
            _ => None,
        }
    }

    /// Records an access that may lead to a change.
    pub(super) fn touch(&self) {
        if let Some(entry) = self.entry() {
            self.ledger.clock.touch(entry, self.hash, self.ledger.now, Access::Write);
        }
    }

    /// Removes the entry of a dead key.
    pub(super) fn settle(self) -> Ledger<'a> {
        if self.is_ghost { self.remove(Free::Later) } else { self.ledger }
    }

    /// Removes the key, if there is one.
    pub(super) fn remove(mut self, free: Free) -> Ledger<'a> {
        if let Slot::Occupied(slot) = self.slot {
            self.ledger.forget(slot.get());
            self.ledger.graveyard.bury_entry(slot.remove(), free);
            if self.is_ghost {
                self.ledger.note_expired(self.key);
            }
        }
        self.ledger
    }

    /// Takes the living key's entry out.
    pub(super) fn take(mut self) -> Option<KeyEntry> {
        if self.is_ghost {
            self.settle();
            return None;
        }
        let Slot::Occupied(slot) = self.slot else { return None };
        self.ledger.forget(slot.get());
        Some(slot.take())
    }

    /// Stores a value, in place when size and snapshots allow. Notes what became of the old one.
    pub(super) fn store(
        mut self,
        content: NewContent<'_, Value>,
        form: Form,
        lifetime: Lifetime,
        replacing: Replacing,
    ) -> Ledger<'a> {
        if self.overwrite(&content, form, lifetime, replacing) {
            return self.ledger;
        }
        self.store_anew(content, form, lifetime, replacing)
    }

    /// Stores a string in the place of another one of its size class, without deadlines: what is
    /// most frequent, in the fewest steps. Whether that was possible; if not, nothing has changed.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "a spot is taken apart where it is used")]
    pub(super) fn overwrite(
        &mut self,
        content: &NewContent<'_, Value>,
        form: Form,
        lifetime: Lifetime,
        replacing: Replacing,
    ) -> bool {
        let Slot::Occupied(slot) = &mut self.slot else { return false };
        if self.is_ghost || !slot.is_exclusive() || matches!(lifetime, Lifetime::Until(_)) {
            return false;
        }
        let (clock, hash, now) = (self.ledger.clock, self.hash, self.ledger.now);
        let is_done = slot.edit(|entry, _| {
            let is_done = entry.overwrite(content, form);
            if is_done {
                clock.touch(entry.view(), hash, now, Access::Write);
            }
            is_done
        });
        if is_done {
            self.ledger.note_replacing(self.key, replacing, Kind::String, Kind::String);
        }
        is_done
    }

    fn store_anew(
        self,
        content: NewContent<'_, Value>,
        form: Form,
        lifetime: Lifetime,
        replacing: Replacing,
    ) -> Ledger<'a> {
        let Self { key, hash, slot, mut ledger, is_ghost } = self;
        let (now, mut content) = (ledger.now, content);
        if let NewContent::Nested(value) = &mut content {
            ledger.enroll(hash, value);
        }
        let mut slot = match slot {
            Slot::Occupied(slot) => slot,
            Slot::Vacant(slot) => {
                let deadline = lifetime.deadline(None);
                let span = ledger.timers.renew(hash, Lifespan::default(), deadline, now.0);
                let clock = ledger.clock.fresh(ledger.db, hash, now);
                slot.insert(Entry::new(key, content, form, span, clock));
                ledger.note(key, NEW, 0);
                return ledger;
            }
        };
        ledger.forget_members(slot.get());
        let (old, kind) = (slot.get().lifespan(), kind_of(slot.get()));
        let (clock, kept) = if is_ghost {
            ledger.note_expired(key);
            ledger.note(key, NEW, 0);
            (ledger.clock.fresh(ledger.db, hash, now), None)
        } else {
            ledger.note_replacing(key, replacing, kind, kind_of_content(&content));
            (ledger.clock.touched(slot.get().clock(), hash, now, Access::Write), old.deadline)
        };
        let span = ledger.timers.renew(hash, old, lifetime.deadline(kept), now.0);
        if slot.is_exclusive() {
            let detached = slot.edit(|entry, _| {
                entry.view().set_clock(clock);
                entry.set(content, form, span)
            });
            ledger.graveyard.bury_value(detached);
        } else {
            // A snapshot reads the old entry: copying it first would be wasted.
            let old = slot.replace(Entry::new(key, content, form, span, clock));
            ledger.graveyard.bury_entry(old, Free::Later);
        }
        ledger
    }

    /// Puts in an entry that was made elsewhere, under this key, going at `deadline`.
    pub(super) fn put_entry(
        self,
        deadline: Option<i64>,
        make: impl FnOnce(Lifespan) -> KeyEntry,
    ) -> Ledger<'a> {
        let Self { key, hash, slot, mut ledger, is_ghost } = self;
        let old = match &slot {
            Slot::Occupied(slot) => {
                ledger.forget_members(slot.get());
                slot.get().lifespan()
            }
            Slot::Vacant(_) => Lifespan::default(),
        };
        let mut entry = make(ledger.timers.renew(hash, old, deadline, ledger.now.0));
        if let Some(value) = entry.nested_mut() {
            ledger.enroll(hash, value);
        }
        match slot {
            Slot::Occupied(mut slot) => {
                if is_ghost {
                    ledger.note_expired(key);
                } else {
                    let (old, new) = (kind_of(slot.get()), kind_of(entry.view()));
                    ledger.note_replacing(key, Replacing::Overwrites, old, new);
                }
                ledger.graveyard.bury_entry(slot.replace(entry), Free::Later);
            }
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
        }
        // Also over an old key: RENAME and COPY remove the target first, and clients see it.
        ledger.note(key, NEW, 0);
        ledger
    }

    /// Changes the deadline of a living key.
    pub(super) fn set_deadline(&mut self, deadline: Option<i64>) {
        let Slot::Occupied(slot) = &mut self.slot else { return };
        let old = slot.get().lifespan();
        let span = self.ledger.timers.renew(self.hash, old, deadline, self.ledger.now.0);
        if span != old {
            slot.edit(|entry, _| entry.set_lifespan(span));
        }
    }
}

impl Lifetime {
    /// The deadline of a key that had `old`.
    pub(super) fn deadline(self, old: Option<i64>) -> Option<i64> {
        match self {
            Self::Keep => old,
            Self::Forever => None,
            Self::Until(at) => Some(at.0),
        }
    }
}

fn kind_of_content(content: &NewContent<'_, Value>) -> Kind {
    match content {
        NewContent::Nested(value) => value.kind(),
        NewContent::Packed(packed) => kind_of_packed(*packed).unwrap_or(Kind::String),
        _ => Kind::String,
    }
}
