//! When the members of a collection go: moments with the hash of whose they are, in order.
//!
//! A collection keeps one beside its table, for the members that have a deadline; the member's own
//! entry says the same. So the first to go is found at once, all that are due in order, and how
//! many those are without a walk. A clone is O(1), as that of the tree below.
//!
//! 1. Moments are in ascending order, by time and then by hash, and no leaf is empty.

use super::cow_tree::{CowTree, End, Leaf, estimate_bytes, insert_within};
use super::relocation::{Mover, address_of};

/// Moments of a leaf: 2 KiB.
const LEAF_MAX: usize = 128;
/// Leaves looked at for an estimate of what all take.
const SAMPLES: usize = 16;

/// A member goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// When. Unix milliseconds.
    pub at: i64,
    /// Hash of the member.
    pub hash: u64,
}

#[derive(Clone, Debug)]
struct Moments(Vec<Moment>);

impl Leaf for Moments {
    type Key = Moment;
    type Limits = ();

    fn weight(&self) -> usize {
        self.0.len()
    }
    fn key(&self) -> Moment {
        self.0[0]
    }
    fn split_off(&mut self, offset: usize) -> Self {
        Self(self.0.split_off(offset))
    }
    fn is_sparse(&self, (): ()) -> bool {
        self.0.len() < LEAF_MAX / 4
    }
    fn fits_with(&self, right: &Self, (): ()) -> bool {
        self.0.len() + right.0.len() <= LEAF_MAX * 3 / 4
    }
    fn absorb(&mut self, right: &Self) {
        self.0.reserve_exact(right.0.len());
        self.0.extend_from_slice(&right.0);
    }
    fn address(&self) -> usize {
        address_of(&*self.0)
    }
}

/// See the head of the file. 17 to 32 bytes per moment, mostly about 22.
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    tree: CowTree<Moments>,
}

impl Deadlines {
    /// How many members have one.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether no member has one.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Who goes first. O(log n).
    pub fn first(&self) -> Option<Moment> {
        self.tree.leaf(End::Front)?.0.first().copied()
    }

    /// How many are due at `now`. O(log n).
    pub fn due_count(&self, now: i64) -> usize {
        let Some((leaf, before)) = self.tree.locate_by(|key| key.at <= now) else { return 0 };
        before + leaf.0.partition_point(|moment| moment.at <= now)
    }

    /// Adds a moment. O(log n).
    pub fn insert(&mut self, moment: Moment) {
        let is_before = |key: &Moment| *key <= moment;
        let added = self.tree.edit_by(is_before, (), |leaf, after| {
            let at = leaf.0.partition_point(is_before);
            after.extend(insert_within(&mut leaf.0, at, moment, LEAF_MAX).map(Moments));
        });
        if added.is_none() {
            self.tree.push(Moments(vec![moment]), End::Back);
        }
    }

    /// Removes a moment; whether it was there. O(log n).
    pub fn remove(&mut self, moment: Moment) -> bool {
        let removed = self.tree.edit_by(
            |key| *key <= moment,
            (),
            |leaf, _| leaf.0.binary_search(&moment).map(|at| leaf.0.remove(at)).is_ok(),
        );
        removed.unwrap_or(false)
    }

    /// Moves what lies badly; see [`Mover`].
    pub fn relocate(&mut self, mover: &mut Mover<'_>) {
        mover.tree(&mut self.tree);
    }

    /// Bytes allocated, about.
    pub fn memory_bytes(&self) -> usize {
        estimate_bytes(&self.tree, SAMPLES, |leaf| leaf.0.capacity() * size_of::<Moment>())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn check(real: &Deadlines, model: &BTreeSet<Moment>) {
        assert_eq!(real.len(), model.len());
        assert_eq!(real.is_empty(), model.is_empty());
        assert_eq!(real.first(), model.first().copied());
        for now in [-1, 0, 7, 20, 40, 1 << 40] {
            assert_eq!(real.due_count(now), model.iter().filter(|it| it.at <= now).count());
        }
    }

    #[test]
    fn moments_in_order_fill_their_leaves() {
        let mut deadlines = Deadlines::default();
        for at in 0..100_000 {
            deadlines.insert(Moment { at, hash: 7 });
        }
        assert!(deadlines.memory_bytes() < 100_000 * 18);
        assert_eq!(deadlines.due_count(49_999), 50_000);
        let kept = deadlines.clone();
        for at in 0..100_000 {
            assert_eq!(deadlines.first().unwrap().at, at);
            assert!(deadlines.remove(Moment { at, hash: 7 }));
        }
        assert!(deadlines.is_empty());
        assert_eq!(kept.len(), 100_000);
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set(
            steps in prop::collection::vec((0i64..40, 0u64..60, any::<bool>()), 0..2000),
        ) {
            let (mut real, mut model) = (Deadlines::default(), BTreeSet::new());
            for (at, hash, adds) in steps {
                let moment = Moment { at, hash };
                if adds {
                    if model.insert(moment) {
                        real.insert(moment);
                    }
                } else {
                    prop_assert_eq!(real.remove(moment), model.remove(&moment));
                }
            }
            check(&real, &model);
        }
    }
}
