//! Members that go at a time of their own: fields of hashes, members of sets and sorted sets.
//!
//! The collection knows its members' deadlines and which of them comes first. The database's second
//! wheel holds one item per such collection, filed for that moment under the hash of its key; what
//! was filed, the collection keeps ([`Expiring::schedule`]). When the item fires, a bounded number
//! of due members is removed, and the item is filed anew for the next one.
//!
//! 1. After every change, what is filed tells the first deadline, or an item is there that fires
//!    no later.
//! 2. Readers compare deadlines themselves: a member that is over is never seen.

use super::journal::{DEL, Event};
use super::read::is_dead;
use super::spot::{Ledger, Spot};
use super::stats::Stats;
use super::value::{KeyEntry, KeyRef, Value};
use super::write::{Free, Parts, Writer};
use super::{Expiry, Keyspace};
use crate::base::time::UnixMillis;
use crate::structures::cow_table::{Occupied, Slot};
use crate::structures::entry::Content;
use crate::structures::epoch::Epochs;
use crate::structures::lifespan::{Lifespan, Ticket};
use crate::structures::timing_wheel::{Due, HASH_MASK};

/// A collection whose members may have deadlines.
pub trait Expiring {
    /// Noted when members go because their time is over; the record names them.
    fn expired(&self) -> Event;
    /// When the first member goes.
    fn next_due(&self) -> Option<UnixMillis>;
    /// How many members are over at `now`, and not yet removed.
    fn due_count(&self, now: UnixMillis) -> usize;
    /// Removes members that are over at `now`, at most `budget`, the earliest first; shows each,
    /// and says how many those were.
    fn expire(
        &mut self,
        now: UnixMillis,
        budget: usize,
        epochs: &mut Epochs,
        gone: &mut dyn FnMut(&[u8]),
    ) -> usize;
    /// When a member goes; `None` if there is no such member, `Some(None)` if it stays.
    fn deadline(&self, member: &[u8]) -> Option<Option<UnixMillis>>;
    /// Gives a member a deadline, or takes it; whether there is such a member.
    fn set_deadline(
        &mut self,
        member: &[u8],
        deadline: Option<UnixMillis>,
        epochs: &mut Epochs,
    ) -> bool;
    /// Removes a member, whether or not it is over; whether it was there.
    fn remove(&mut self, member: &[u8], epochs: &mut Epochs) -> bool;
    /// Gets ready for deadlines, if clients see that in the encoding.
    fn prepare(&mut self) {}
    /// Removes one member if it is over at `now`; whether it was.
    fn expire_one(&mut self, member: &[u8], now: UnixMillis, epochs: &mut Epochs) -> bool {
        self.deadline(member).flatten().is_some_and(|at| at <= now) && self.remove(member, epochs)
    }
    /// What the keyspace has filed for the collection, as it said last.
    fn schedule(&self) -> Lifespan;
    /// Keeps what the keyspace has filed.
    fn set_schedule(&mut self, schedule: Lifespan);
}

/// The members of an entry's value, if they may have deadlines.
pub(super) fn members_of(entry: KeyRef<'_>) -> Option<&dyn Expiring> {
    // Strings are told by a bit that was read anyway.
    entry.nested_tag()?;
    match entry.content() {
        Content::Nested(value) => value.expiring(),
        _ => None,
    }
}

fn members_mut(entry: &mut KeyEntry) -> Option<&mut dyn Expiring> {
    entry.nested_mut()?.expiring_mut()
}

impl Ledger<'_> {
    /// Takes note that an entry goes, with its deadline and those of its members.
    pub(super) fn forget(&mut self, entry: KeyRef<'_>) {
        self.timers.forget(entry.lifespan());
        self.forget_members(entry);
    }

    /// Takes note that the value of an entry goes.
    pub(super) fn forget_members(&mut self, entry: KeyRef<'_>) {
        if let Some(members) = members_of(entry) {
            self.members.forget(members.schedule());
        }
    }

    /// Files the members of a value that comes to a key of this hash.
    pub(super) fn enroll(&mut self, hash: u64, value: &mut Value) {
        if let Some(members) = value.expiring_mut() {
            members.set_schedule(Lifespan::default());
            self.reschedule(hash, members);
        }
    }

    /// Files the first deadline if it has changed.
    pub(super) fn reschedule(&mut self, hash: u64, members: &mut dyn Expiring) {
        let (old, due) = (members.schedule(), members.next_due().map(|at| at.0));
        if old.deadline != due {
            members.set_schedule(self.members.renew(hash, old, due, self.now.0));
        }
    }

    fn note_gone(&mut self, key: &[u8], event: Event, member: &[u8]) {
        Stats::count(&self.stats.expired_members);
        self.journal.note_member(self.db, key, event, member);
    }

    /// Removes a key that has no member left.
    fn remove_if_vacant(&mut self, key: &[u8], slot: Occupied<'_, KeyEntry>) {
        let is_vacant = matches!(slot.get().content(), Content::Nested(value) if value.is_vacant());
        if is_vacant {
            self.forget(slot.get());
            self.graveyard.bury_entry(slot.remove(), Free::Later);
            self.note(key, DEL, 0);
        }
    }
}

impl Writer<'_> {
    /// Removes those of the named members of `key` whose time is over, as if the wheel had been
    /// there: for commands that are about to change them. Nothing where a primary decides.
    #[inline]
    pub fn expire_named<'m>(&mut self, key: &[u8], members: impl Iterator<Item = &'m [u8]>) {
        if !self.has_timed() {
            return;
        }
        let now = self.now;
        self.expire_some(key, |own, epochs, gone| {
            for member in members {
                if own.expire_one(member, now, epochs) {
                    gone(member);
                }
            }
        });
    }

    /// Removes `key` if its time is over, else its members whose time is: for commands whose
    /// outcome depends on what it holds, though they don't change it.
    pub fn expire_whole(&mut self, key: &[u8]) {
        let spot = self.spot(key);
        if spot.entry().is_none() {
            spot.settle();
        } else {
            self.expire_overdue(key);
        }
    }

    /// Removes all members of `key` whose time is over: for commands that are about to choose among
    /// those it has.
    #[inline]
    pub fn expire_overdue(&mut self, key: &[u8]) {
        if !self.has_timed() {
            return;
        }
        let now = self.now;
        self.expire_some(key, |own, epochs, gone| {
            own.expire(now, usize::MAX, epochs, gone);
        });
    }

    /// Whether any collection of the database has members with deadlines: else the above cost
    /// nothing but this.
    #[inline]
    fn has_timed(&self) -> bool {
        self.keyspace.database(self.db).members.len() != 0
    }

    #[cold]
    fn expire_some(
        &mut self,
        key: &[u8],
        expire: impl FnOnce(&mut dyn Expiring, &mut Epochs, &mut dyn FnMut(&[u8])),
    ) {
        let (now, expiry) = (self.now, self.keyspace.expiry);
        if expiry == Expiry::Followed {
            return;
        }
        let spot = self.spot(key);
        let is_due = spot.entry().and_then(members_of).is_some_and(|it| is_due(it, now));
        let Spot { slot: Slot::Occupied(mut slot), mut ledger, hash, .. } = spot else { return };
        if !is_due {
            return;
        }
        slot.edit(|entry, epochs| {
            let Some(own) = members_mut(entry) else { return };
            let event = own.expired();
            expire(own, epochs, &mut |member| ledger.note_gone(key, event, member));
            ledger.reschedule(hash, own);
        });
        ledger.remove_if_vacant(key, slot);
    }

    /// Removes members that are due, as the wheel finds them; adds to `late` how many had to wait.
    pub(super) fn expire_members(&mut self, budget: &mut usize, late: &mut usize) {
        let now = self.now.0;
        self.parts().ledger.members.turn_over(now);
        while *budget > 0
            && let Some(due) = self.parts().ledger.members.pop_unchecked()
        {
            *budget -= 1;
            self.check_members(due);
        }
        if self.keyspace.expiry == Expiry::Followed {
            return;
        }
        while let Some(due) = self.parts().ledger.members.pop_due(now, budget) {
            self.fire_members(due, budget, late);
        }
    }

    /// Removes due members of the key of an item that fired, and files a new item for the rest.
    fn fire_members(&mut self, due: Due, budget: &mut usize, late: &mut usize) {
        let (now, names) = (self.now, names(self.keyspace, due));
        let Parts { table, epochs, mut ledger } = self.parts();
        // What was over when it was filed has no ticket: a ticket never lies after the deadline.
        let is_filed = |entry: KeyRef<'_>| {
            let schedule = members_of(entry).map(Expiring::schedule).unwrap_or_default();
            let is_meant = match schedule.ticket {
                Some(ticket) => ticket.matches(due.moment),
                None => schedule.deadline.is_some_and(|at| at <= now.0),
            };
            is_meant && names(entry)
        };
        // What is not found is a left-over: of a key that is gone, or has another item by now.
        let Slot::Occupied(mut slot) = table.slot(epochs, due.hash, is_filed) else { return };
        if is_dead(slot.get().deadline(), now) {
            // The key itself goes, and they with it.
            return;
        }
        let is_due = members_of(slot.get()).is_some_and(|members| is_due(members, now));
        let key = if is_due { slot.get().key().to_vec() } else { Vec::new() };
        slot.edit(|entry, epochs| {
            let Some(members) = members_mut(entry) else { return };
            if is_due {
                let event = members.expired();
                let mut note = |member: &[u8]| ledger.note_gone(&key, event, member);
                *budget -= members.expire(now, *budget, epochs, &mut note).min(*budget);
                *late += members.due_count(now);
            }
            let old = members.schedule().deadline;
            members.set_schedule(Lifespan::until(old));
            let next = members.next_due().map(|at| at.0);
            let span = ledger.members.renew(due.hash, Lifespan::until(old), next, now.0);
            members.set_schedule(span);
        });
        if is_due {
            ledger.remove_if_vacant(&key, slot);
        }
    }

    /// Files an item of a retired wheel again, unless it is a left-over.
    fn check_members(&mut self, due: Due) {
        let (now, names) = (self.now, names(self.keyspace, due));
        let Parts { table, epochs, ledger } = self.parts();
        let is_filed = |entry: KeyRef<'_>| {
            let schedule = members_of(entry).map(Expiring::schedule).unwrap_or_default();
            let is_meant = match schedule.ticket {
                Some(ticket) => ticket.matches(due.moment),
                None => schedule.deadline.is_some(),
            };
            is_meant && names(entry)
        };
        let Slot::Occupied(mut slot) = table.slot(epochs, due.hash, is_filed) else { return };
        let old = members_of(slot.get()).map(Expiring::schedule).unwrap_or_default();
        let span = match (old.deadline, old.ticket) {
            (Some(_), Some(_)) => {
                let moment = ledger.members.refile(due, now.0);
                Lifespan { ticket: moment.and_then(Ticket::new), ..old }.settled()
            }
            _ => ledger.members.file(due.hash, Lifespan::until(old.deadline), now.0),
        };
        if span != old {
            slot.edit(|entry, _| {
                if let Some(members) = members_mut(entry) {
                    members.set_schedule(span);
                }
            });
        }
    }
}

fn is_due(members: &dyn Expiring, now: UnixMillis) -> bool {
    members.next_due().is_some_and(|at| at <= now)
}

/// Whether an entry is the one that an item names.
fn names(keyspace: &Keyspace, due: Due) -> impl Fn(KeyRef<'_>) -> bool + use<> {
    let hasher = keyspace.hasher;
    move |entry| hasher.hash(entry.key()) & HASH_MASK == due.hash
}
