//! A set that is a table.

use crate::base::hash::KeyHasher;
use crate::structures::cow_table::{CowTable, Iter, Slot};
use crate::structures::entry::Succession;
use crate::structures::epoch::Epochs;
use crate::structures::listpack::Item;
use crate::structures::member::{Member, MemberRef};
use crate::structures::relocation::Mover;
use crate::structures::size_class::size_class;

/// A sample of more than a third of all is drawn from a list of them.
const LISTED_SHARE: usize = 3;

/// Members by hash.
#[derive(Debug)]
pub(super) struct Large {
    table: CowTable<Member>,
    hasher: KeyHasher,
    /// Bytes of the members' allocations.
    member_bytes: usize,
}

impl Large {
    pub(super) fn new(epochs: &Epochs) -> Self {
        let table = CowTable::new(epochs.seed());
        Self { table, hasher: epochs.hasher(), member_bytes: 0 }
    }

    pub(super) fn relocate(&mut self, epochs: &Epochs, mover: &mut Mover<'_>) {
        mover.table(&mut self.table, epochs, &mut |_, _| false);
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_class(size_of::<Self>()) + self.table.memory_bytes() + self.member_bytes
    }

    #[inline]
    pub(super) fn contains(&self, member: &[u8]) -> bool {
        let hash = self.hasher.hash(member);
        self.table.find(hash, |known| known.bytes() == member).is_some()
    }

    pub(super) fn iter(&self) -> Iter<'_, Member> {
        self.table.iter()
    }

    pub(super) fn scan<'t>(
        &'t self,
        mut cursor: u64,
        budget: usize,
        visit: &mut dyn FnMut(Item<'t>),
    ) -> u64 {
        let mut left = budget.max(1);
        loop {
            cursor = self.table.scan(cursor, &mut |member| {
                left = left.saturating_sub(1);
                visit(Item::Bytes(member.bytes()));
            });
            if cursor == 0 || left == 0 {
                return cursor;
            }
        }
    }

    pub(super) fn random(&self, rng: &mut fastrand::Rng) -> Option<MemberRef<'_>> {
        self.table.random(|| rng.u64(..))
    }

    /// `count` different members, fewer than there are.
    pub(super) fn sample(&self, count: usize, rng: &mut fastrand::Rng) -> Vec<Item<'_>> {
        let mut drawn: Vec<&[u8]>;
        if count.saturating_mul(LISTED_SHARE) > self.len() {
            drawn = self.iter().map(MemberRef::bytes).collect();
        } else {
            // Repeated draws are thrown away; all are equally likely to be.
            drawn = Vec::with_capacity(count + count / 2);
            while drawn.len() < count {
                let missing = count - drawn.len();
                let more = (0..missing).filter_map(|_| self.random(rng));
                drawn.extend(more.map(MemberRef::bytes));
                drawn.sort_unstable_by_key(|member| member.as_ptr());
                drawn.dedup_by_key(|member| member.as_ptr());
            }
        }
        for at in 0..count {
            let other = rng.usize(at..drawn.len());
            drawn.swap(at, other);
        }
        drawn.truncate(count);
        drawn.into_iter().map(Item::Bytes).collect()
    }

    #[inline]
    pub(super) fn insert(&mut self, member: &[u8], epochs: &mut Epochs) -> bool {
        let hash = self.hasher.hash(member);
        let slot = self.table.slot(epochs, hash, |known| known.bytes() == member);
        let Slot::Vacant(slot) = slot else { return false };
        let added = Member::new(member);
        self.member_bytes += added.view().heap_bytes();
        slot.insert(added);
        true
    }

    pub(super) fn remove(&mut self, member: &[u8], epochs: &mut Epochs) -> bool {
        let hash = self.hasher.hash(member);
        let slot = self.table.slot(epochs, hash, |known| known.bytes() == member);
        let Slot::Occupied(slot) = slot else { return false };
        self.member_bytes -= slot.get().heap_bytes();
        slot.remove();
        true
    }

    /// Removes a member chosen fairly, after showing it.
    pub(super) fn pop<R>(
        &mut self,
        rng: &mut fastrand::Rng,
        epochs: &mut Epochs,
        show: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        self.pop_with(rng, epochs, |member, _| show(member))
    }

    /// Removes a member chosen fairly, after showing it, and lends the epochs for what becomes of it.
    pub(super) fn pop_with<R>(
        &mut self,
        rng: &mut fastrand::Rng,
        epochs: &mut Epochs,
        show: impl FnOnce(&[u8], &mut Epochs) -> R,
    ) -> Option<R> {
        let drawn = self.table.random(|| rng.u64(..))?;
        let shown = show(drawn.bytes(), epochs);
        let (hash, at) = (self.hasher.hash(drawn.bytes()), drawn.bytes().as_ptr().addr());
        self.member_bytes -= drawn.heap_bytes();
        let is_drawn = |known: MemberRef<'_>| known.bytes().as_ptr().addr() == at;
        if let Slot::Occupied(slot) = self.table.slot(epochs, hash, is_drawn) {
            slot.remove();
        }
        Some(shown)
    }

    pub(super) fn adopt(&mut self, epochs: &Epochs) {
        self.table.adopt(epochs);
    }

    pub(super) fn duplicate(&self) -> Self {
        let table = self.table.duplicate(|member| Member::new(member.bytes()));
        Self { table, ..*self }
    }

    pub(super) fn succeed(&self, how: &Succession) -> Self {
        Self { table: how.table(&self.table), ..*self }
    }

    pub(super) fn free_shell(self, how: &Succession) {
        how.forget(self.table);
    }
}
