//! Whole keys that change their name or database, and whole databases.

use super::DbIndex;
use super::journal::{COPY_TO, FLUSHED, MOVE_FROM, MOVE_TO, RENAME_FROM, RENAME_TO, SWAPPED};
use super::spot::Spot;
use super::timers::Timers;
use super::value::KeyRef;
use super::write::{Free, Writer};
use crate::structures::lifespan::Lifespan;

impl Writer<'_> {
    /// Gives `source`'s value and deadline to `target`, replacing it; whether `source` existed.
    /// Notes `rename_from` and `rename_to`; nothing when both are the same key.
    pub fn rename(&mut self, source: &[u8], target: &[u8]) -> bool {
        if source == target {
            let spot = self.spot(source);
            let is_there = spot.entry().is_some();
            spot.settle();
            return is_there;
        }
        let Some((entry, deadline)) = self.spot(source).take_with_deadline() else { return false };
        let mut ledger = self.spot(target).put_entry(deadline, |span| entry.renamed(target, span));
        ledger.note(source, RENAME_FROM, 1);
        ledger.note(target, RENAME_TO, 0);
        true
    }

    /// Copies value and deadline to `target` in `db`, replacing it; whether `source` existed.
    /// O(1) for large strings.
    pub fn copy(&mut self, source: &[u8], db: DbIndex, target: &[u8]) -> bool {
        let spot = self.spot(source);
        let Some(entry) = spot.entry() else {
            spot.settle();
            return false;
        };
        let deadline = entry.deadline();
        let copy = entry.duplicate(target, Lifespan::default());
        let make = |span| {
            let mut copy = copy;
            copy.set_lifespan(span);
            copy
        };
        let mut writer = self.other(db);
        writer.spot(target).put_entry(deadline, make).note(target, COPY_TO, 1);
        true
    }

    /// Moves `key` to `db`, where it must be absent; whether it moved. Notes `move_from` and
    /// `move_to`.
    pub fn move_to(&mut self, key: &[u8], db: DbIndex) -> bool {
        if db == self.db || self.other(db).is_taken(key) {
            return false;
        }
        let Some((entry, deadline)) = self.spot(key).take_with_deadline() else { return false };
        let source = self.db;
        let mut target = self.other(db);
        let ledger = target.spot(key).put_entry(deadline, |span| {
            let mut entry = entry;
            entry.set_lifespan(span);
            entry
        });
        ledger.journal.note(source, key, MOVE_FROM, 1);
        ledger.journal.note(db, key, MOVE_TO, 0);
        true
    }

    /// Empties this database; returns how many keys went. Notes [`FLUSHED`].
    pub fn flush(&mut self, free: Free) -> usize {
        let mut parts = self.parts();
        let table = parts.table.take();
        let keys = table.len();
        parts.ledger.timers.clear();
        parts.ledger.members.clear();
        parts.ledger.graveyard.bury_table(table, free);
        parts.ledger.note(&[], FLUSHED, u64::try_from(keys).unwrap_or(u64::MAX));
        keys
    }

    /// Empties all databases; returns how many keys went. Notes [`FLUSHED`] for each that was
    /// used since the last time, at least for one: who was told that a key is absent is concerned.
    pub fn flush_all(&mut self, free: Free) -> usize {
        let used = self.keyspace.used.max(1);
        let keys = (0..used).map(|db| self.other(DbIndex(db)).flush(free)).sum();
        // None of them has keys, and a snapshot of empty ones is worth nothing.
        self.keyspace.used = 0;
        keys
    }

    /// Exchanges two databases. Notes [`SWAPPED`] for both.
    pub fn swap(&mut self, one: DbIndex, other: DbIndex) {
        let (one, other) = (self.keyspace.within(one), self.keyspace.within(other));
        if one == other {
            return;
        }
        let (one_at, other_at) = (usize::from(one.0), usize::from(other.0));
        self.keyspace.databases.swap(one_at, other_at);
        if let Ok([one, other]) = self.keyspace.databases.get_disjoint_mut([one_at, other_at]) {
            Timers::disturb(&mut one.timers, &mut other.timers);
            Timers::disturb(&mut one.members, &mut other.members);
        }
        self.keyspace.pool.clear();
        for db in [one, other] {
            self.other(db).parts().ledger.note(&[], SWAPPED, 0);
        }
        self.keyspace.journal.add_dirty(1);
    }

    /// Whether a living key is in the way; a dead one goes.
    fn is_taken(&mut self, key: &[u8]) -> bool {
        let spot = self.spot(key);
        let is_taken = spot.entry().is_some();
        spot.settle();
        is_taken
    }
}

impl Spot<'_, '_> {
    fn take_with_deadline(self) -> Option<(super::value::KeyEntry, Option<i64>)> {
        let deadline = self.entry().and_then(KeyRef::deadline);
        self.take().map(|entry| (entry, deadline))
    }
}
