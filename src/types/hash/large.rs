//! A large hash: a copy-on-write table of fields, and the order in which those with a deadline go.
//!
//! 1. The deadlines are those that the fields' own entries say.

use super::Lifetime;
use super::field::{Field, FieldEntry, FieldRef, NewValue, entry, renew};
use crate::base::hash::KeyHasher;
use crate::structures::cow_table::{CowTable, Slot};
use crate::structures::deadlines::{Deadlines, Moment};
use crate::structures::entry::Succession;
use crate::structures::epoch::Epochs;
use crate::structures::lifespan::{Lifespan, Word};
use crate::structures::relocation::Mover;

/// What a field beyond the samples is taken to need when there are none. Bytes.
const FIELD_BYTES: usize = 48;

#[derive(Debug)]
pub(super) struct Large {
    pub(super) table: CowTable<FieldEntry>,
    hasher: KeyHasher,
    deadlines: Deadlines,
    /// How the keyspace knows it; see [`super::Hash::schedule`].
    pub(super) schedule: Word,
}

impl Large {
    pub(super) fn new(epochs: &Epochs) -> Self {
        Self {
            table: CowTable::new(epochs.seed()),
            hasher: epochs.hasher(),
            deadlines: Deadlines::default(),
            schedule: Lifespan::default().pack(),
        }
    }

    pub(super) fn relocate(&mut self, epochs: &Epochs, mover: &mut Mover<'_>) {
        mover.table(&mut self.table, epochs, &mut FieldEntry::renew_blob);
        self.deadlines.relocate(mover);
    }

    /// See [`super::Hash::adopt`].
    pub(super) fn adopt(&mut self, epochs: &Epochs) {
        self.table.adopt(epochs);
    }

    /// The same fields in a table of their own. O(n).
    pub(super) fn duplicate(&self) -> Self {
        let twin = |field: FieldRef<'_>| field.duplicate(field.key(), field.lifespan());
        Self {
            table: self.table.duplicate(twin),
            hasher: self.hasher,
            deadlines: self.deadlines.clone(),
            schedule: self.schedule,
        }
    }

    /// See [`crate::structures::entry::Nested::succeed`].
    pub(super) fn succeed(&self, how: &Succession) -> Self {
        Self {
            table: how.table(&self.table),
            hasher: self.hasher,
            deadlines: self.deadlines.clone(),
            schedule: self.schedule,
        }
    }

    /// See [`crate::structures::entry::Nested::free_shell`].
    pub(super) fn free_shell(self, how: &Succession) {
        how.forget(self.table);
    }

    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        let hash = self.hasher.hash(name);
        self.table.find(hash, |field| field.key() == name).map(Field::from)
    }

    pub(super) fn first(&self) -> Option<Moment> {
        self.deadlines.first()
    }

    pub(super) fn due_count(&self, now: i64) -> usize {
        self.deadlines.due_count(now)
    }

    /// Sets a field; whether it is new.
    pub(super) fn set(
        &mut self,
        name: &[u8],
        value: NewValue<'_>,
        lifetime: Lifetime,
        epochs: &mut Epochs,
    ) -> bool {
        let hash = self.hasher.hash(name);
        match self.table.slot(epochs, hash, |field| field.key() == name) {
            Slot::Vacant(slot) => {
                let deadline = lifetime.deadline(None);
                slot.insert(entry(name, value, deadline));
                refile(&mut self.deadlines, hash, None, deadline);
                true
            }
            Slot::Occupied(mut slot) => {
                let old = slot.get().deadline();
                let deadline = lifetime.deadline(old);
                if slot.is_exclusive() {
                    drop(slot.edit(|field, _| renew(field, value, deadline)));
                } else {
                    // A snapshot reads the old one: copying it first would be wasted.
                    slot.replace(entry(name, value, deadline));
                }
                refile(&mut self.deadlines, hash, old, deadline);
                false
            }
        }
    }

    /// Changes the deadline of a field; whether there is one of this name.
    pub(super) fn set_deadline(
        &mut self,
        name: &[u8],
        deadline: Option<i64>,
        epochs: &mut Epochs,
    ) -> bool {
        let hash = self.hasher.hash(name);
        match self.table.slot(epochs, hash, |field| field.key() == name) {
            Slot::Vacant(_) => false,
            Slot::Occupied(mut slot) => {
                let old = slot.get().deadline();
                if old != deadline {
                    slot.edit(|field, _| field.set_lifespan(Lifespan::until(deadline)));
                    refile(&mut self.deadlines, hash, old, deadline);
                }
                true
            }
        }
    }

    /// Removes a field; whether it was there.
    pub(super) fn remove(&mut self, name: &[u8], epochs: &mut Epochs) -> bool {
        let hash = self.hasher.hash(name);
        match self.table.slot(epochs, hash, |field| field.key() == name) {
            Slot::Vacant(_) => false,
            Slot::Occupied(slot) => {
                refile(&mut self.deadlines, hash, slot.get().deadline(), None);
                drop(slot.remove());
                true
            }
        }
    }

    /// Removes due fields, at most `budget`, after showing each.
    pub(super) fn expire(
        &mut self,
        now: i64,
        budget: usize,
        epochs: &mut Epochs,
        gone: &mut dyn FnMut(&[u8]),
    ) -> usize {
        let mut count = 0;
        while count < budget
            && let Some(first) = self.deadlines.first().filter(|first| first.at <= now)
        {
            self.deadlines.remove(first);
            count += 1;
            let hasher = self.hasher;
            // Hashes of two fields may be the same, if hardly ever.
            let is_first = |field: FieldRef<'_>| {
                field.deadline() == Some(first.at) && hasher.hash(field.key()) == first.hash
            };
            if let Slot::Occupied(slot) = self.table.slot(epochs, first.hash, is_first) {
                gone(slot.get().key());
                drop(slot.remove());
            }
        }
        count
    }

    /// Bytes allocated; of the fields estimated from `samples`, 0 being all.
    pub(super) fn memory_bytes(&self, samples: usize) -> usize {
        let samples = if samples == 0 { self.table.len() } else { samples.min(self.table.len()) };
        let sampled: usize = self.table.iter().take(samples).map(FieldRef::memory_bytes).sum();
        let fields = match sampled.checked_div(samples) {
            _ if samples == self.table.len() => sampled,
            Some(mean) => mean * self.table.len(),
            None => FIELD_BYTES * self.table.len(),
        };
        size_of::<Self>() + self.table.memory_bytes() + self.deadlines.memory_bytes() + fields
    }
}

fn refile(deadlines: &mut Deadlines, hash: u64, old: Option<i64>, new: Option<i64>) {
    if old == new {
        return;
    }
    if let Some(at) = old {
        deadlines.remove(Moment { at, hash });
    }
    if let Some(at) = new {
        deadlines.insert(Moment { at, hash });
    }
}
