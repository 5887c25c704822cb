//! An ordered map whose clone is O(1): a copy-on-write tree of short sorted runs.
//!
//! Holds what belongs to consumer groups. Runs that grow at the end stay full; others split in
//! halves.

use crate::structures::cow_tree::{self, CowTree, End};
use crate::structures::relocation::{Mover, address_of};
use std::borrow::Borrow;
use std::fmt;

/// Most pairs of a run.
const RUN: usize = 64;
/// A run and its place in the parent, beside its pairs.
const RUN_OVERHEAD: usize = 80;

/// Pairs in the order of their keys. About 1.2 times the pairs' own size; a clone is O(1).
#[derive(Clone)]
pub struct Ordered<K: Ord + Clone, V: Clone> {
    tree: CowTree<Run<K, V>>,
}

#[derive(Clone)]
struct Run<K, V>(Vec<(K, V)>);

impl<K: Ord + Clone, V: Clone> Default for Ordered<K, V> {
    fn default() -> Self {
        Self { tree: CowTree::default() }
    }
}

impl<K: Ord + Clone + fmt::Debug, V: Clone + fmt::Debug> fmt::Debug for Ordered<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for Ordered<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Ord + Clone, V: Clone> cow_tree::Leaf for Run<K, V> {
    type Key = K;
    type Limits = ();

    fn weight(&self) -> usize {
        self.0.len()
    }

    fn key(&self) -> K {
        self.0[0].0.clone()
    }

    fn split_off(&mut self, offset: usize) -> Self {
        Self(self.0.split_off(offset))
    }

    fn is_sparse(&self, (): ()) -> bool {
        self.0.len() < RUN / 4
    }

    fn fits_with(&self, right: &Self, (): ()) -> bool {
        self.0.len() + right.0.len() <= RUN * 3 / 4
    }

    fn absorb(&mut self, right: &Self) {
        self.0.extend(right.0.iter().cloned());
    }

    fn address(&self) -> usize {
        address_of(&*self.0)
    }
}

impl<K: Ord + Clone, V: Clone> Run<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        match self.0.last() {
            // Most come at the end.
            Some((last, _)) if last.borrow() < key => Err(self.0.len()),
            _ => self.0.binary_search_by(|(own, _)| own.borrow().cmp(key)),
        }
    }

    fn insert(&mut self, at: usize, pair: (K, V), after: &mut Vec<Self>) {
        if self.0.len() < RUN {
            self.0.insert(at, pair);
        } else if at == RUN {
            after.push(Self(vec![pair]));
        } else {
            let mut right = self.0.split_off(RUN / 2);
            match at.checked_sub(RUN / 2) {
                Some(within) => right.insert(within, pair),
                None => self.0.insert(at, pair),
            }
            after.push(Self(right));
        }
    }
}

/// Reading.
impl<K: Ord + Clone, V: Clone> Ordered<K, V> {
    /// Number of pairs. O(1).
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// The value of a key. O(log n).
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (run, _) = self.tree.locate_by(|own: &K| own.borrow() <= key)?;
        run.find(key).ok().map(|at| &run.0[at].1)
    }

    /// Whether there is such a key. O(log n).
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The pair with the least key. O(log n).
    pub fn first(&self) -> Option<(&K, &V)> {
        self.tree.leaf(End::Front)?.0.first().map(|(key, value)| (key, value))
    }

    /// The pair with the greatest key. O(log n).
    pub fn last(&self) -> Option<(&K, &V)> {
        self.tree.leaf(End::Back)?.0.last().map(|(key, value)| (key, value))
    }

    /// All pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (runs, _) = self.tree.leaves(0, End::Back);
        runs.flat_map(|run| run.0.iter()).map(|(key, value)| (key, value))
    }

    /// The pairs from a key on. O(log n) to begin.
    pub fn iter_from<'a, Q: Ord + ?Sized>(
        &'a self,
        key: &Q,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V, Q>
    where
        K: Borrow<Q>,
    {
        let found = self.tree.locate_by(|own: &K| own.borrow() <= key);
        let (before, skip) =
            found.map_or((0, 0), |(run, before)| (before, run.find(key).unwrap_or_else(|at| at)));
        let (runs, _) = self.tree.leaves(before, End::Back);
        runs.flat_map(|run| run.0.iter()).skip(skip).map(|(key, value)| (key, value))
    }

    /// Bytes allocated by the map itself, about. O(1).
    pub fn memory_bytes(&self) -> usize {
        self.tree.leaves_estimated() * (RUN_OVERHEAD + RUN * size_of::<(K, V)>())
    }

    /// Allocations that freeing it gives back, about. O(log n).
    pub fn free_effort(&self) -> usize {
        self.tree.leaves_estimated()
    }
}

/// Changing. All are O(log n), and copy what a clone shares on the way.
impl<K: Ord + Clone, V: Clone> Ordered<K, V> {
    /// Puts a value in its place; gives back the one that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.tree.is_empty() {
            self.tree.push(Run(vec![(key, value)]), End::Back);
            return None;
        }
        let sought = key.clone();
        let put = |run: &mut Run<K, V>, after: &mut Vec<_>| match run.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut run.0[at].1, value)),
            Err(at) => {
                run.insert(at, (key, value), after);
                None
            }
        };
        self.tree.edit_by(|own| *own <= sought, (), put).flatten()
    }

    /// Changes the value of a key; `None` if there is none.
    pub fn update<Q: Ord + ?Sized, R>(
        &mut self,
        key: &Q,
        change: impl FnOnce(&mut V) -> R,
    ) -> Option<R>
    where
        K: Borrow<Q>,
    {
        if !self.contains(key) {
            return None;
        }
        let edit = |run: &mut Run<K, V>, _: &mut Vec<_>| {
            run.find(key).ok().map(|at| change(&mut run.0[at].1))
        };
        self.tree.edit_by(|own: &K| own.borrow() <= key, (), edit).flatten()
    }

    /// Takes a key out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if !self.contains(key) {
            return None;
        }
        let take =
            |run: &mut Run<K, V>, _: &mut Vec<_>| run.find(key).ok().map(|at| run.0.remove(at).1);
        self.tree.edit_by(|own: &K| own.borrow() <= key, (), take).flatten()
    }
}

/// Moving.
impl<K: Ord + Clone, V: Clone> Ordered<K, V> {
    /// Moves runs that lie badly, as one part; see [`Mover`].
    pub fn relocate(&mut self, mover: &mut Mover<'_>) {
        mover.tree(&mut self.tree);
    }

    /// Has `relocate` move what values consist of, `parts` being as many as it shows. O(pairs)
    /// beside what is moved.
    pub fn relocate_values(
        &mut self,
        mover: &mut Mover<'_>,
        parts: impl Fn(&V) -> usize,
        relocate: impl Fn(&mut V, &mut Mover<'_>),
    ) {
        let left = self.iter().skip_while(|(_, value)| mover.pass(parts(value)));
        for key in left.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            if mover.is_cut() {
                return;
            }
            self.update(&key, |value| relocate(value, mover));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u16, u8),
        Remove(u16),
        Update(u16),
        From(u16),
        Clone,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            6 => (0u16..400, any::<u8>()).prop_map(|(key, value)| Op::Insert(key, value)),
            3 => (0u16..400).prop_map(Op::Remove),
            1 => (0u16..400).prop_map(Op::Update),
            1 => (0u16..400).prop_map(Op::From),
            1 => Just(Op::Clone),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_btreemap(ops in prop::collection::vec(op(), 0..900)) {
            let (mut real, mut model) = (Ordered::default(), BTreeMap::new());
            let mut clones = Vec::new();
            for op in ops {
                match op {
                    Op::Insert(key, value) => {
                        prop_assert_eq!(real.insert(key, value), model.insert(key, value));
                    }
                    Op::Remove(key) => prop_assert_eq!(real.remove(&key), model.remove(&key)),
                    Op::Update(key) => {
                        let flip = |value: &mut u8| { *value = !*value; *value };
                        prop_assert_eq!(real.update(&key, flip), model.get_mut(&key).map(flip));
                    }
                    Op::From(key) => {
                        prop_assert!(real.iter_from(&key).eq(model.range(key..)));
                        prop_assert_eq!(real.get(&key), model.get(&key));
                    }
                    Op::Clone => clones.push((real.clone(), model.clone())),
                }
                prop_assert_eq!(real.len(), model.len());
                prop_assert_eq!(real.first(), model.first_key_value());
                prop_assert_eq!(real.last(), model.last_key_value());
            }
            prop_assert!(real.iter().eq(model.iter()));
            for (real, model) in clones {
                prop_assert!(real.iter().eq(model.iter()));
            }
        }
    }

    #[test]
    fn ascending_keys_fill_their_runs() {
        let mut map = Ordered::default();
        for key in 0..6400 {
            map.insert(key, ());
        }
        assert_eq!(map.tree.leaves(0, End::Back).0.count(), 100);
    }
}
