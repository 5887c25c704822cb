//! The members of a collection that have a deadline: by name, and in the order in which they go.
//!
//! A companion for collections whose own entries have no room for a deadline, and which therefore
//! pay nothing for members without one. Both trees are copy-on-write: a clone is O(1). A member
//! takes some 65 bytes here and its name once more.
//!
//! 1. Each named member has one moment in the order, and each moment one member.
//! 2. Names are in ascending order, by hash and then by bytes, and no leaf is empty.

use super::cow_tree::{CowTree, End, Leaf, estimate_bytes, insert_within};
use super::deadlines::{Deadlines, Moment};
use super::lifespan::{Lifespan, Word};
use super::relocation::{Mover, address_of};
use super::size_class::size_class;
use crate::base::hash::KeyHasher;

/// Members of a leaf: 1 KiB, and their names.
const LEAF_MAX: usize = 32;

/// A member with its deadline.
#[derive(Clone, Debug)]
struct Named {
    hash: u64,
    at: i64,
    name: Box<[u8]>,
}

#[derive(Clone, Debug)]
struct Names(Vec<Named>);

/// Before which members a leaf stands.
#[derive(Clone, Debug)]
struct First {
    hash: u64,
    name: Box<[u8]>,
}

impl First {
    fn is_up_to(&self, hash: u64, name: &[u8]) -> bool {
        (self.hash, &*self.name) <= (hash, name)
    }
}

impl Leaf for Names {
    type Key = First;
    type Limits = ();

    fn weight(&self) -> usize {
        self.0.len()
    }
    fn key(&self) -> First {
        First { hash: self.0[0].hash, name: self.0[0].name.clone() }
    }
    fn refresh(&mut self, key: &mut First) {
        if key.hash != self.0[0].hash || key.name != self.0[0].name {
            *key = self.key();
        }
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

impl Names {
    fn position(&self, hash: u64, name: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|own| (own.hash, &*own.name).cmp(&(hash, name)))
    }

    /// Gives a member a deadline; the one from before.
    fn set(&mut self, new: Named, after: &mut Vec<Self>) -> Option<i64> {
        match self.position(new.hash, &new.name) {
            Ok(found) => Some(std::mem::replace(&mut self.0[found].at, new.at)),
            Err(place) => {
                after.extend(insert_within(&mut self.0, place, new, LEAF_MAX).map(Names));
                None
            }
        }
    }
}

/// See the head of the file.
#[derive(Clone, Debug)]
pub struct MemberDeadlines {
    order: Deadlines,
    names: CowTree<Names>,
    hasher: KeyHasher,
    schedule: Word,
}

/// Reading.
impl MemberDeadlines {
    /// None yet.
    pub fn new(hasher: KeyHasher) -> Self {
        let schedule = Lifespan::default().pack();
        Self { order: Deadlines::default(), names: CowTree::default(), hasher, schedule }
    }

    /// How many members have one.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no member has one.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The deadline of a member. O(log n).
    pub fn get(&self, member: &[u8]) -> Option<i64> {
        if self.is_empty() {
            return None;
        }
        let hash = self.hasher.hash(member);
        let leaf = self.names.leaf_by(|key| key.is_up_to(hash, member))?.leaf;
        leaf.position(hash, member).ok().map(|at| leaf.0[at].at)
    }

    /// Whether a member is gone at `now`, removed or not. O(log n).
    pub fn is_over(&self, member: &[u8], now: i64) -> bool {
        self.get(member).is_some_and(|at| at <= now)
    }

    /// When the first member goes. O(log n).
    pub fn first(&self) -> Option<i64> {
        self.order.first().map(|first| first.at)
    }

    /// How many are due at `now`. O(log n).
    pub fn due_count(&self, now: i64) -> usize {
        self.order.due_count(now)
    }

    /// All members that have one, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], i64)> {
        let (leaves, _) = self.names.leaves(0, End::Back);
        leaves.flat_map(|leaf| &leaf.0).map(|named| (&*named.name, named.at))
    }

    /// What the keyspace has filed for the collection.
    pub fn schedule(&self) -> Lifespan {
        Lifespan::unpack(self.schedule)
    }

    /// Moves what lies badly; see [`Mover`].
    pub fn relocate(&mut self, mover: &mut Mover<'_>) {
        self.order.relocate(mover);
        mover.tree(&mut self.names);
    }

    /// Bytes allocated, about.
    pub fn memory_bytes(&self) -> usize {
        let names = estimate_bytes(&self.names, SAMPLES, |leaf| {
            let texts: usize = leaf.0.iter().map(|named| size_class(named.name.len())).sum();
            let first = leaf.0.first().map_or(0, |named| size_class(named.name.len()));
            leaf.0.capacity() * size_of::<Named>() + texts + first
        });
        self.order.memory_bytes() + names
    }

    /// The first member with this hash and this deadline.
    fn named(&self, moment: Moment) -> Option<&Named> {
        let from = self.names.locate_by(|key| key.hash < moment.hash);
        let start = from.map_or(0, |(leaf, before)| {
            before + leaf.0.partition_point(|named| named.hash < moment.hash)
        });
        let (leaves, within) = self.names.leaves(start, End::Back);
        let equal = leaves.flat_map(|leaf| &leaf.0).skip(within);
        // Hashes of two members may be the same, if hardly ever.
        equal.take_while(|named| named.hash == moment.hash).find(|named| named.at == moment.at)
    }
}

/// Leaves looked at for an estimate of what all take.
const SAMPLES: usize = 16;

/// Changing. O(log n) each.
impl MemberDeadlines {
    /// Gives a member a deadline, or another one.
    pub fn set(&mut self, member: &[u8], at: i64) {
        let hash = self.hasher.hash(member);
        let new = Named { hash, at, name: member.into() };
        let old = if self.is_empty() {
            self.names.push(Names(vec![new]), End::Back);
            None
        } else {
            let put = |leaf: &mut Names, after: &mut Vec<Names>| leaf.set(new, after);
            self.names.edit_by(|key| key.is_up_to(hash, member), (), put).flatten()
        };
        if let Some(at) = old {
            self.order.remove(Moment { at, hash });
        }
        self.order.insert(Moment { at, hash });
    }

    /// Takes the deadline from a member, or takes note that it is gone.
    pub fn clear(&mut self, member: &[u8]) {
        if self.is_empty() {
            return;
        }
        let hash = self.hasher.hash(member);
        let take = |leaf: &mut Names, _: &mut Vec<Names>| {
            leaf.position(hash, member).ok().map(|at| leaf.0.remove(at).at)
        };
        let old = self.names.edit_by(|key| key.is_up_to(hash, member), (), take);
        if let Some(at) = old.flatten() {
            self.order.remove(Moment { at, hash });
        }
    }

    /// Takes out the member that goes first, if it is due at `now`.
    pub fn take_due(&mut self, now: i64) -> Option<Box<[u8]>> {
        let first = self.order.first().filter(|first| first.at <= now)?;
        let name = self.named(first)?.name.clone();
        self.clear(&name);
        Some(name)
    }

    /// Keeps what the keyspace has filed.
    pub fn set_schedule(&mut self, schedule: Lifespan) {
        self.schedule = schedule.pack();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<Vec<u8>, i64>;

    fn check(real: &MemberDeadlines, model: &Model) {
        let all: Model = real.iter().map(|(name, at)| (name.to_vec(), at)).collect();
        assert_eq!((&all, real.iter().count()), (model, model.len()));
        assert_eq!((real.len(), real.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(real.first(), model.values().min().copied());
        for now in [-1, 7, 20, 40] {
            let due = model.values().filter(|at| **at <= now).count();
            assert_eq!(real.due_count(now), due);
        }
        for (name, at) in model {
            assert_eq!(real.get(name), Some(*at));
            assert!(real.is_over(name, *at) && !real.is_over(name, at - 1));
        }
        assert_eq!(real.get(b"nobody"), None);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Set(u16, i64),
        Clear(u16),
        Take(i64),
        Clone,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            6 => (0_u16..300, 0_i64..40).prop_map(|(name, at)| Op::Set(name, at)),
            2 => (0_u16..300).prop_map(Op::Clear),
            2 => (0_i64..40).prop_map(Op::Take),
            1 => Just(Op::Clone),
        ]
    }

    fn name(number: u16) -> Vec<u8> {
        format!("m{number}").into_bytes()
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(ops in prop::collection::vec(op(), 0..800)) {
            let mut real = MemberDeadlines::new(KeyHasher::new(5));
            let mut model = Model::new();
            let mut kept = (real.clone(), model.clone());
            for op in ops {
                match op {
                    Op::Set(member, at) => {
                        real.set(&name(member), at);
                        model.insert(name(member), at);
                    }
                    Op::Clear(member) => {
                        real.clear(&name(member));
                        model.remove(&name(member));
                    }
                    Op::Take(now) => {
                        let first = model.values().min().copied().filter(|at| *at <= now);
                        let taken = real.take_due(now);
                        let was = taken.and_then(|member| model.remove(&*member));
                        prop_assert_eq!(was, first, "the earliest goes first");
                    }
                    Op::Clone => kept = (real.clone(), model.clone()),
                }
            }
            check(&real, &model);
            check(&kept.0, &kept.1);
        }
    }

    #[test]
    fn member_takes_little_beside_its_name() {
        let mut deadlines = MemberDeadlines::new(KeyHasher::new(5));
        for number in 0..20_000 {
            deadlines.set(format!("member:{number:05}").as_bytes(), 1000 + number);
        }
        let bytes = deadlines.memory_bytes() / 20_000;
        assert!((60..=90).contains(&bytes), "{bytes}");
        assert_eq!(deadlines.due_count(10_999), 10_000);
    }
}
