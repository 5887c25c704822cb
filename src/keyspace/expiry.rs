//! Removing keys whose time is over, as the timing wheels find them.

use super::read::is_dead;
use super::timers::Timers;
use super::value::KeyRef;
use super::write::{Free, Parts, Writer};
use super::{Database, DbIndex, Expiry, Keyspace};
use crate::base::time::UnixMillis;
use crate::structures::cow_table::Slot;
use crate::structures::lifespan::{Lifespan, Ticket};
use crate::structures::timing_wheel::{Due, HASH_MASK};

impl Keyspace {
    /// When [`Keyspace::expire_due`] has something to do next; not before. A moment in the past
    /// means at once.
    pub fn next_due(&self) -> Option<UnixMillis> {
        let used = self.databases.iter().take(usize::from(self.used));
        let due = used.flat_map(|db| [&db.timers, &db.members]);
        let due = due.filter(|timers| self.expiry == Expiry::Own || timers.is_checking());
        due.filter_map(Timers::next_due).min().map(UnixMillis)
    }

    /// Percent of the keys with a deadline whose time is over and which are still to be removed.
    pub fn stale_percent(&self, now: UnixMillis) -> f64 {
        let used = self.databases.iter().take(usize::from(self.used));
        let (late, all) = used.fold((0, 0), |(late, all), db| {
            (late + db.timers.overdue(now.0), all + db.timers.len())
        });
        #[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
        if all == 0 { 0.0 } else { late.min(all) as f64 * 100.0 / all as f64 }
    }

    /// Removes keys and members that are due, noting `expired` or its like. At most `budget` items of the wheels
    /// are looked at; returns about how many remain to be.
    pub fn expire_due(&mut self, now: UnixMillis, budget: usize) -> usize {
        let (used, mut left, mut late) = (self.used, budget, 0);
        for step in 0..used {
            let db = DbIndex((self.turn % used + step) % used);
            let mut writer = self.writer(db, now);
            writer.expire(&mut left);
            writer.expire_members(&mut left, &mut late);
        }
        if left > 0 || used == 0 {
            return 0;
        }
        // The next round begins elsewhere, so that one database cannot starve the others.
        self.turn = (self.turn + 1) % used;
        let used = self.databases.iter().take(usize::from(used));
        let overdue = |db: &Database| db.timers.overdue(now.0) + db.members.overdue(now.0);
        late + used.map(overdue).sum::<usize>()
    }
}

impl Writer<'_> {
    fn expire(&mut self, budget: &mut usize) {
        let now = self.now.0;
        self.parts().ledger.timers.turn_over(now);
        while *budget > 0
            && let Some(due) = self.parts().ledger.timers.pop_unchecked()
        {
            *budget -= 1;
            self.check(due);
        }
        if self.keyspace.expiry == Expiry::Followed {
            return;
        }
        while let Some(due) = self.parts().ledger.timers.pop_due(now, budget) {
            self.fire(due);
        }
    }

    /// Removes the key of an item that fired, or files a new item for it if it has got more time.
    fn fire(&mut self, due: Due) {
        let (now, names) = (self.now, names(self.keyspace, due));
        let Parts { table, epochs, mut ledger } = self.parts();
        let is_over = |entry: KeyRef<'_>| is_dead(entry.deadline(), now) && names(entry);
        if let Slot::Occupied(slot) = table.slot(epochs, due.hash, is_over) {
            ledger.note_expired(slot.get().key());
            ledger.forget(slot.get());
            ledger.graveyard.bury_entry(slot.remove(), Free::Later);
            return;
        }
        // The item may be a left-over: of a key that is gone, or has another item by now.
        let is_filed = |entry: KeyRef<'_>| {
            entry.lifespan().ticket.is_some_and(|ticket| ticket.matches(due.moment)) && names(entry)
        };
        if let Slot::Occupied(mut slot) = table.slot(epochs, due.hash, is_filed) {
            let open = Lifespan::until(slot.get().deadline());
            let span = ledger.timers.file(due.hash, open, now.0);
            slot.edit(|entry, _| entry.set_lifespan(span));
        }
    }

    /// Files an item of a retired wheel again, unless it is a left-over.
    fn check(&mut self, due: Due) {
        let (now, names) = (self.now, names(self.keyspace, due));
        let Parts { table, epochs, ledger } = self.parts();
        let is_filed = |entry: KeyRef<'_>| {
            let span = entry.lifespan();
            let is_meant = match span.ticket {
                Some(ticket) => ticket.matches(due.moment),
                None => span.deadline.is_some(),
            };
            is_meant && names(entry)
        };
        let Slot::Occupied(mut slot) = table.slot(epochs, due.hash, is_filed) else { return };
        let old = slot.get().lifespan();
        let span = match (old.deadline, old.ticket) {
            (Some(_), Some(_)) => {
                let moment = ledger.timers.refile(due, now.0);
                if moment == Some(due.moment) {
                    return;
                }
                Lifespan { ticket: moment.and_then(Ticket::new), ..old }.settled()
            }
            _ => ledger.timers.file(due.hash, Lifespan::until(old.deadline), now.0),
        };
        if span != old {
            slot.edit(|entry, _| entry.set_lifespan(span));
        }
    }
}

/// Whether an entry is the one that an item names.
fn names(keyspace: &Keyspace, due: Due) -> impl Fn(KeyRef<'_>) -> bool + use<> {
    let hasher = keyspace.hasher;
    move |entry| hasher.hash(entry.key()) & HASH_MASK == due.hash
}
