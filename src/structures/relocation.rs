//! Moving what lies in thinly filled pages of the allocator to better places.
//!
//! Where many allocations have gone, those that stay hold pages that are mostly empty. Whoever knows
//! the allocator says which are worth moving; structures replace those by copies. A [`Mover`] goes
//! through the parts of one collection in bounded steps.

use std::ptr::NonNull;

use super::cow_table::{CowTable, Renew, Thin};
use super::cow_tree::{CowTree, Leaf};
use super::epoch::Epochs;
use super::listpack::ListPack;

/// What was done with some allocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relocated {
    /// Those that were moved.
    pub moved: usize,
    /// Those that stayed.
    pub stayed: usize,
}

impl Relocated {
    /// Counts one more.
    pub fn count(&mut self, is_moved: bool) {
        self.moved += usize::from(is_moved);
        self.stayed += usize::from(!is_moved);
    }

    /// Adds what was done elsewhere.
    pub fn add(&mut self, other: Self) {
        self.moved += other.moved;
        self.stayed += other.stayed;
    }

    /// All that were looked at.
    pub fn visited(&self) -> usize {
        self.moved + self.stayed
    }
}

/// Tells of an address whether what lies there had better lie elsewhere. Only to be asked of
/// allocations, and of 0, which is none.
pub type IsMisplaced<'a> = &'a mut dyn FnMut(usize) -> bool;

/// The address of what a reference points to, for `is_misplaced`; 0 for what takes no room, which
/// no allocator has made.
pub fn address_of<T: ?Sized>(at: &T) -> usize {
    if size_of_val(at) == 0 { 0 } else { NonNull::from(at).cast::<u8>().addr().get() }
}

/// How far the parts of a collection have been visited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    part: usize,
    at: u64,
}

/// Goes through the parts of one collection: whoever owns them shows each in turn, always in the
/// same order. Parts that were visited before are passed over, and those behind the bound too.
pub struct Mover<'a> {
    is_misplaced: IsMisplaced<'a>,
    done: Relocated,
    left: usize,
    reached: Reached,
    /// The part that is shown next.
    next: usize,
    is_cut: bool,
}

impl std::fmt::Debug for Mover<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mover").field("reached", &self.reached).finish_non_exhaustive()
    }
}

impl<'a> Mover<'a> {
    /// Goes on from `reached`, and stops soon after `budget` allocations.
    pub fn new(is_misplaced: IsMisplaced<'a>, reached: Reached, budget: usize) -> Self {
        let done = Relocated::default();
        Self { is_misplaced, done, left: budget, reached, next: 0, is_cut: false }
    }

    /// A part that is a table; `renew` moves what its entries refer to.
    pub fn table<T: Thin>(
        &mut self,
        table: &mut CowTable<T>,
        epochs: &Epochs,
        renew: Renew<'_, T>,
    ) {
        self.visit(|at, is_misplaced, done| {
            table.relocate(epochs, at, is_misplaced, &mut *renew, done)
        });
    }

    /// A part that is a tree.
    pub fn tree<L: Leaf>(&mut self, tree: &mut CowTree<L>) {
        self.visit(|at, is_misplaced, done| {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            tree.relocate(at, is_misplaced, done) as u64
        });
    }

    /// A part whose only allocation is the one at `address`.
    pub fn plain<T: Clone>(&mut self, value: &mut T, address: usize) {
        self.visit(|_, is_misplaced, done| {
            let is_moved = is_misplaced(address);
            if is_moved {
                *value = value.clone();
            }
            done.count(is_moved);
            0
        });
    }

    /// A part that is a listpack.
    pub fn pack(&mut self, pack: &mut ListPack) {
        self.plain(pack, pack.address());
    }

    /// Passes over the next parts, if all of them were visited before; whether it did.
    pub fn pass(&mut self, parts: usize) -> bool {
        let is_passed = self.reached.part >= self.next + parts;
        self.next += if is_passed { parts } else { 0 };
        is_passed
    }

    /// Whether nothing more will be visited.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What was done, and where to go on, if there is more.
    pub fn end(self) -> (Relocated, Option<Reached>) {
        (self.done, self.is_cut.then_some(self.reached))
    }

    /// Takes steps through the next part, if it is its turn; a step says where the next one begins,
    /// 0 being the end.
    fn visit(&mut self, mut step: impl FnMut(u64, IsMisplaced<'_>, &mut Relocated) -> u64) {
        let part = self.next;
        self.next += 1;
        while self.reached.part == part {
            if self.left == 0 {
                self.is_cut = true;
                return;
            }
            let before = self.done.visited();
            self.reached.at = step(self.reached.at, &mut *self.is_misplaced, &mut self.done);
            self.left = self.left.saturating_sub((self.done.visited() - before).max(1));
            if self.reached.at == 0 {
                self.reached.part += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_no_room_has_no_address() {
        let (none, some): (Vec<()>, Vec<u8>) = (vec![(); 5], vec![1]);
        assert_eq!(address_of(&*none), 0);
        assert_eq!(address_of(&*Vec::<u64>::with_capacity(4)), 0);
        assert_ne!(address_of(&*some), 0);
    }
}
