//! Nodes: what an inner one keeps of its children, in three arrays that are searched one by one.

use super::{FANOUT, Leaf};
use crate::structures::relocation::address_of;
use triomphe::Arc;

/// An inner node with less children tries to join a sibling.
const SPARSE: usize = FANOUT / 4;

/// A node as its parent sees it, on its own.
pub(super) struct Link<L: Leaf> {
    pub(super) node: Node<L>,
    pub(super) weight: usize,
    pub(super) key: L::Key,
}

/// The same, where it is kept.
pub(super) struct Edge<'a, L: Leaf> {
    pub(super) node: &'a mut Node<L>,
    pub(super) weight: &'a mut usize,
    pub(super) key: &'a mut L::Key,
}

pub(super) enum Node<L: Leaf> {
    Leaf(Arc<L>),
    Inner(Arc<Inner<L>>),
}

/// Children in order. All three have the same length, and grow with it: a tree of a few leaves
/// takes a few hundred bytes.
pub(super) struct Inner<L: Leaf> {
    weights: Vec<usize>,
    keys: Vec<L::Key>,
    nodes: Vec<Node<L>>,
}

impl<L: Leaf> Clone for Link<L> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), weight: self.weight, key: self.key.clone() }
    }
}

impl<L: Leaf> Clone for Node<L> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Inner(inner) => Self::Inner(Arc::clone(inner)),
        }
    }
}

impl<L: Leaf> Clone for Inner<L> {
    fn clone(&self) -> Self {
        // A copy is made to be changed: room for one child more spares it a reallocation.
        Self { weights: roomy(&self.weights), keys: roomy(&self.keys), nodes: roomy(&self.nodes) }
    }
}

fn roomy<T: Clone>(items: &[T]) -> Vec<T> {
    let mut copy = Vec::with_capacity((items.len() + 1).min(FANOUT));
    copy.extend_from_slice(items);
    copy
}

impl<L: Leaf> Link<L> {
    pub(super) fn leaf(leaf: L) -> Self {
        Self { weight: leaf.weight(), key: leaf.key(), node: Node::Leaf(Arc::new(leaf)) }
    }

    /// A node with these children; `None` without any.
    pub(super) fn inner(children: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut inner = Inner::default();
        children.into_iter().for_each(|child| inner.insert(inner.len(), child));
        Self::of(inner)
    }

    /// The node that `inner` is; `None` if it has no children.
    pub(super) fn of(inner: Inner<L>) -> Option<Self> {
        let key = inner.keys.first()?.clone();
        Some(Self { weight: inner.weight(), key, node: Node::Inner(Arc::new(inner)) })
    }

    /// Whether it can be the root: neither empty nor with a single child.
    #[inline]
    pub(super) fn is_settled(&self) -> bool {
        let has_one = matches!(&self.node, Node::Inner(inner) if inner.len() == 1);
        self.weight > 0 && !has_one
    }

    pub(super) fn edge(&mut self) -> Edge<'_, L> {
        Edge { node: &mut self.node, weight: &mut self.weight, key: &mut self.key }
    }
}

impl<L: Leaf> Node<L> {
    fn is_sparse(&self, limits: L::Limits) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.is_sparse(limits),
            Self::Inner(inner) => inner.len() < SPARSE,
        }
    }

    /// Takes the elements of its right sibling over, if one node can well hold both.
    fn try_join(&mut self, right: &Self, limits: L::Limits) -> bool {
        match (self, right) {
            (Self::Leaf(leaf), Self::Leaf(right)) if leaf.fits_with(right, limits) => {
                Arc::make_mut(leaf).absorb(right);
            }
            (Self::Inner(inner), Self::Inner(right))
                if inner.len() + right.len() <= FANOUT * 3 / 4 =>
            {
                let inner = Arc::make_mut(inner);
                inner.weights.extend(right.weights.iter().copied());
                inner.keys.extend(right.keys.iter().cloned());
                inner.nodes.extend(right.nodes.iter().cloned());
            }
            _ => return false,
        }
        true
    }
}

impl<L: Leaf> Default for Inner<L> {
    fn default() -> Self {
        Self { weights: Vec::new(), keys: Vec::new(), nodes: Vec::new() }
    }
}

impl<L: Leaf> Inner<L> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == FANOUT
    }

    /// Number of elements below it.
    pub(super) fn weight(&self) -> usize {
        self.weights.iter().sum()
    }

    /// Number of elements before child number `index`.
    pub(super) fn weight_before(&self, index: usize) -> usize {
        self.weights[..index].iter().sum()
    }

    pub(super) fn weight_of(&self, index: usize) -> usize {
        self.weights[index]
    }

    pub(super) fn first_key(&self) -> Option<&L::Key> {
        self.keys.first()
    }

    pub(super) fn keys(&self) -> &[L::Key] {
        &self.keys
    }

    pub(super) fn nodes(&self) -> &[Node<L>] {
        &self.nodes
    }

    /// Of all that it allocates, its own struct first.
    pub(super) fn addresses(&self) -> [usize; 4] {
        let (weights, keys) = (address_of(&*self.weights), address_of(&*self.keys));
        [address_of(self), weights, keys, address_of(&*self.nodes)]
    }

    /// Where among the children a position is, and the position within that child. The end belongs
    /// to the last child.
    #[inline]
    pub(super) fn route(&self, mut at: usize) -> (usize, usize) {
        let last = self.len() - 1;
        for (index, weight) in self.weights[..last].iter().enumerate() {
            if at < *weight {
                return (index, at);
            }
            at -= weight;
        }
        (last, at)
    }

    /// The last child whose key satisfies a predicate that holds for a prefix of all elements; else
    /// the first.
    #[inline]
    pub(super) fn route_by(&self, is_before: &impl Fn(&L::Key) -> bool) -> usize {
        // A closure of its own, which unlike a reference to one is inlined.
        super::partition_point(&self.keys, |key| is_before(key)).saturating_sub(1)
    }

    pub(super) fn edge(&mut self, index: usize) -> Edge<'_, L> {
        Edge {
            node: &mut self.nodes[index],
            weight: &mut self.weights[index],
            key: &mut self.keys[index],
        }
    }

    /// Adds a child; there must be room.
    pub(super) fn insert(&mut self, index: usize, child: Link<L>) {
        self.weights.insert(index, child.weight);
        self.keys.insert(index, child.key);
        self.nodes.insert(index, child.node);
    }

    pub(super) fn remove(&mut self, index: usize) -> Link<L> {
        Link {
            weight: self.weights.remove(index),
            key: self.keys.remove(index),
            node: self.nodes.remove(index),
        }
    }

    /// Takes the children from number `index` on out of it.
    pub(super) fn split_off(&mut self, index: usize) -> Self {
        Self {
            weights: self.weights.split_off(index),
            keys: self.keys.split_off(index),
            nodes: self.nodes.split_off(index),
        }
    }

    pub(super) fn into_links(self) -> impl Iterator<Item = Link<L>> {
        let parts = self.weights.into_iter().zip(self.keys).zip(self.nodes);
        parts.map(|((weight, key), node)| Link { node, weight, key })
    }

    /// Adds what was too much for the child before number `index`. A single leaf is shared out
    /// between that child and one beside it, if they have room; else it is added as it is.
    pub(super) fn accommodate(&mut self, index: usize, mut after: Vec<Link<L>>) -> Vec<Link<L>> {
        if let ([Link { node: Node::Leaf(leaf), .. }], Some(own)) =
            (&mut after[..], index.checked_sub(1))
        {
            if self.share(own, leaf, own + 1) {
                return Vec::new();
            }
            // What stands between two is then the child itself.
            if let (Some(left), Some(Node::Leaf(child))) =
                (own.checked_sub(1), self.nodes.get_mut(own))
            {
                std::mem::swap(child, leaf);
                let middle = Arc::clone(leaf);
                if self.share(left, &middle, own) {
                    return Vec::new();
                }
                if let Some(Node::Leaf(child)) = self.nodes.get_mut(own) {
                    std::mem::swap(child, leaf);
                }
            }
        }
        self.splice(index, after)
    }

    /// Shares out a leaf between numbers `left` and `right`, which it stands between.
    fn share(&mut self, left: usize, middle: &L, right: usize) -> bool {
        let Some((until, from)) = self.nodes.split_at_mut_checked(right) else { return false };
        let (Some(Node::Leaf(first)), Some(Node::Leaf(second))) =
            (until.get_mut(left), from.first_mut())
        else {
            return false;
        };
        if !first.can_share(middle, second) {
            return false;
        }
        let is_shared = Arc::make_mut(first).share(middle, Arc::make_mut(second));
        if is_shared {
            for (index, leaf) in [(left, &*first), (right, &*second)] {
                self.weights[index] = leaf.weight();
                // Not refreshed: the leaf may have stood elsewhere, see `accommodate`.
                self.keys[index] = leaf.key();
            }
        }
        is_shared
    }

    /// Adds children before number `index`; gives back nodes for what is too much, to come behind.
    pub(super) fn splice(&mut self, index: usize, children: Vec<Link<L>>) -> Vec<Link<L>> {
        if self.len() + children.len() <= FANOUT {
            for (offset, child) in children.into_iter().enumerate() {
                self.insert(index + offset, child);
            }
            return Vec::new();
        }
        let behind = self.split_off(index);
        let mut all: Vec<_> = std::mem::take(self).into_links().collect();
        all.extend(children);
        all.extend(behind.into_links());
        let kept = all.len() / all.len().div_ceil(FANOUT);
        let rest = all.split_off(kept);
        for child in all {
            self.insert(self.len(), child);
        }
        group(rest)
    }

    /// Removes child number `index` if it is empty, and joins it with a sibling if it is sparse.
    pub(super) fn tidy(&mut self, index: usize, limits: L::Limits) {
        if self.weights[index] == 0 {
            self.remove(index);
            return;
        }
        if !self.nodes[index].is_sparse(limits) {
            return;
        }
        for left in [Some(index), index.checked_sub(1)].into_iter().flatten() {
            let (until, from) = self.nodes.split_at_mut(left + 1);
            if let (Some(own), Some(right)) = (until.last_mut(), from.first())
                && own.try_join(right, limits)
            {
                let joined = self.remove(left + 1);
                self.weights[left] += joined.weight;
                return;
            }
        }
    }
}

/// Nodes for a level: as few as hold its links, evenly filled.
pub(super) fn group<L: Leaf>(level: Vec<Link<L>>) -> Vec<Link<L>> {
    let nodes = level.len().div_ceil(FANOUT);
    let (each, more) = (level.len() / nodes.max(1), level.len() % nodes.max(1));
    let mut rest = level.into_iter();
    (0..nodes)
        .filter_map(|index| {
            let count = each + usize::from(index < more);
            Link::inner(rest.by_ref().take(count))
        })
        .collect()
}
