//! Consumer groups: how far a group has read, and what it has delivered but not seen acknowledged.
//!
//! A pending entry stands in the group's map with its owner and in the owner's set. All changes of
//! either go through [`Group::assign`], [`Group::release`] and [`Group::acknowledge`].
//!
//! 1. A pending entry with an owner stands in that owner's set and in no other.
//! 2. One without is released: it stands in `released` under the number that its `time` holds.
//! 3. `by_time`, once somebody asked for it, has all pending entries that have an owner.

use super::id::Id;
use super::ordered::Ordered;
use crate::structures::relocation::Mover;
use std::borrow::Borrow;
use std::sync::Arc;

/// Name of a group or a consumer. 16 bytes; a clone is O(1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// A copy of `name`.
    pub fn new(name: &[u8]) -> Self {
        Self(name.into())
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// An entry that was delivered and isn't acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    owner: Option<Name>,
    /// Unix milliseconds of the last delivery; without an owner, see invariant 2.
    time: i64,
    /// Deliveries so far.
    pub count: u64,
}

impl Pending {
    /// Who has it; nobody if it was released.
    pub fn owner(&self) -> Option<&Name> {
        self.owner.as_ref()
    }

    /// Unix milliseconds of the last delivery, 0 if it was released.
    pub fn time(&self) -> i64 {
        if self.owner.is_some() { self.time } else { 0 }
    }
}

/// Somebody who reads for a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Consumer {
    /// Unix milliseconds of its last attempt.
    pub seen: i64,
    /// Unix milliseconds of its last success.
    pub active: Option<i64>,
    /// What it has.
    pending: Ordered<Id, ()>,
}

impl Consumer {
    /// Number of entries that it has.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Identifiers of what it has, from `id` on.
    pub fn pending_from(&self, id: Id) -> impl Iterator<Item = Id> {
        self.pending.iter_from(&id).map(|(id, ())| *id)
    }
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last entry delivered.
    pub last_id: Id,
    /// How many entries were read in all, if that is known.
    pub entries_read: Option<u64>,
    pending: Ordered<Id, Pending>,
    consumers: Ordered<Name, Consumer>,
    released: Ordered<i64, Id>,
    releases: i64,
    by_time: Option<Ordered<(i64, Id), ()>>,
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        (self.last_id, self.entries_read) == (other.last_id, other.entries_read)
            && self.consumers == other.consumers
            && self.pending.len() == other.pending.len()
            && self.pending.iter().zip(other.pending.iter()).all(|(own, other)| {
                let facts = |(id, pending): (&Id, &Pending)| {
                    (*id, pending.owner.clone(), pending.time(), pending.count)
                };
                facts(own) == facts(other)
            })
            && self.released().eq(other.released())
    }
}

/// Reading.
impl Group {
    /// A group that has read up to `last_id`.
    pub fn new(last_id: Id, entries_read: Option<u64>) -> Self {
        Self { last_id, entries_read, ..Self::default() }
    }

    /// All that is pending, by identifier.
    pub fn pending(&self) -> &Ordered<Id, Pending> {
        &self.pending
    }

    /// All consumers, by name.
    pub fn consumers(&self) -> &Ordered<Name, Consumer> {
        &self.consumers
    }

    /// Identifiers of what was released, first released first.
    pub fn released(&self) -> impl Iterator<Item = Id> {
        self.released.iter().map(|(_, id)| *id)
    }

    /// Number of released entries.
    pub fn released_count(&self) -> usize {
        self.released.len()
    }

    /// Bytes allocated, about.
    pub fn memory_bytes(&self) -> usize {
        let own = self.pending.memory_bytes() + self.consumers.memory_bytes();
        let names: usize = self
            .consumers
            .iter()
            .map(|(name, consumer)| name.as_slice().len() + 16 + consumer.pending.memory_bytes())
            .sum();
        own + names
            + self.released.memory_bytes()
            + self.by_time.as_ref().map_or(0, Ordered::memory_bytes)
    }

    /// Allocations that freeing it gives back, about.
    pub fn free_effort(&self) -> usize {
        let by_time = self.by_time.as_ref().map_or(0, Ordered::free_effort);
        // What consumers have is in all no more than the group's.
        self.pending.free_effort() * 2
            + by_time
            + self.released.free_effort()
            + self.consumers.len() * 2
    }
}

/// Moving.
impl Group {
    /// Moves what lies badly; see [`Mover`].
    pub fn relocate(&mut self, mover: &mut Mover<'_>) {
        self.pending.relocate(mover);
        self.released.relocate(mover);
        if let Some(by_time) = &mut self.by_time {
            by_time.relocate(mover);
        }
        self.consumers.relocate(mover);
        let relocate = |consumer: &mut Consumer, mover: &mut Mover<'_>| {
            consumer.pending.relocate(mover);
        };
        self.consumers.relocate_values(mover, |_| 1, relocate);
    }

    /// As many parts as [`Group::relocate`] shows.
    pub fn parts(&self) -> usize {
        3 + usize::from(self.by_time.is_some()) + self.consumers.len()
    }
}

/// Changing. All are O(log n) unless said otherwise.
impl Group {
    /// The consumer's name as the group keeps it, after creating it if need be; whether it was.
    pub fn enroll(&mut self, name: &[u8], now: i64) -> (Name, bool) {
        let at = self.consumers.iter_from(name).next().map(|(own, _)| own);
        if let Some(own) = at
            && own.as_slice() == name
        {
            return (own.clone(), false);
        }
        let name = Name::new(name);
        let consumer = Consumer { seen: now, active: None, pending: Ordered::default() };
        self.consumers.insert(name.clone(), consumer);
        (name, true)
    }

    /// A consumer as a file has it.
    pub fn restore_consumer(&mut self, name: &[u8], seen: i64, active: Option<i64>) -> Name {
        let (name, _) = self.enroll(name, seen);
        self.consumers.update(&name, |consumer| {
            consumer.seen = seen;
            consumer.active = active;
        });
        name
    }

    /// Notes that a consumer asked, and whether it got something.
    pub fn note_seen(&mut self, name: &[u8], now: i64, is_active: bool) {
        self.consumers.update(name, |consumer| {
            consumer.seen = now;
            if is_active {
                consumer.active = Some(now);
            }
        });
    }

    /// Removes a consumer with all that it has; says how much that was. O(that).
    pub fn expel(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.consumers.remove(name)?;
        for (id, ()) in consumer.pending.iter() {
            if let Some(pending) = self.pending.remove(id) {
                self.forget_time(*id, &pending);
            }
        }
        Some(consumer.pending.len())
    }

    /// Makes an entry pending for a consumer of the group, whoever had it.
    pub fn assign(&mut self, id: Id, owner: &Name, time: i64, count: u64) {
        let pending = Pending { owner: Some(owner.clone()), time, count };
        let before = self.pending.insert(id, pending);
        let is_new_owner =
            before.as_ref().is_none_or(|before| before.owner.as_ref() != Some(owner));
        if let Some(before) = before {
            self.forget_time(id, &before);
            if is_new_owner {
                self.forget_owner(id, &before);
            }
        }
        if is_new_owner {
            self.consumers.update(owner, |consumer| consumer.pending.insert(id, ()));
        }
        if let Some(by_time) = &mut self.by_time {
            by_time.insert((time, id), ());
        }
    }

    /// Takes an entry from its owner and leaves it to whoever claims first.
    pub fn release(&mut self, id: Id, count: u64) {
        self.releases += 1;
        let pending = Pending { owner: None, time: self.releases, count };
        if let Some(before) = self.pending.insert(id, pending) {
            self.forget_time(id, &before);
            self.forget_owner(id, &before);
        }
        self.released.insert(self.releases, id);
    }

    /// An entry is no longer pending; whether it was.
    pub fn acknowledge(&mut self, id: Id) -> bool {
        let Some(before) = self.pending.remove(&id) else { return false };
        self.forget_time(id, &before);
        self.forget_owner(id, &before);
        true
    }

    /// Entries that were last delivered at `until` or before, at most `count`: released ones, then
    /// the longest idle. The first call is O(n log n), later ones O(count + log n).
    pub fn idle(&mut self, until: i64, count: usize) -> Vec<Id> {
        self.order_by_time();
        let idle = self.by_time.iter().flat_map(Ordered::iter).map(|(key, ())| *key);
        let idle = idle.take_while(|(time, _)| *time <= until);
        self.released.iter().map(|(_, id)| *id).chain(idle.map(|(_, id)| id)).take(count).collect()
    }

    /// When the entry was last delivered that has been idle for longest. As costly as
    /// [`Group::idle`].
    pub fn oldest_delivery(&mut self) -> Option<i64> {
        self.order_by_time();
        self.by_time.as_ref()?.iter().next().map(|((time, _), ())| *time)
    }

    fn order_by_time(&mut self) {
        let owned =
            |(id, pending): (&Id, &Pending)| pending.owner.as_ref().map(|_| (pending.time, *id));
        self.by_time.get_or_insert_with(|| {
            let mut all: Vec<_> = self.pending.iter().filter_map(owned).collect();
            all.sort_unstable();
            let mut by_time = Ordered::default();
            for key in all {
                by_time.insert(key, ());
            }
            by_time
        });
    }

    fn forget_time(&mut self, id: Id, before: &Pending) {
        if before.owner.is_none() {
            self.released.remove(&before.time);
        } else if let Some(by_time) = &mut self.by_time {
            by_time.remove(&(before.time, id));
        }
    }

    fn forget_owner(&mut self, id: Id, before: &Pending) {
        if let Some(owner) = &before.owner {
            self.consumers.update(owner, |consumer| consumer.pending.remove(&id));
        }
    }
}
