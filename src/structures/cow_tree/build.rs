//! Joining, cutting and growing of whole trees.

use super::{CowTree, Edge, End, Leaf, Link, Node};
use triomphe::Arc;

impl<L: Leaf> CowTree<L> {
    /// Adds a leaf at one end. An empty one is dropped. O(log n), amortized O(1).
    pub fn push(&mut self, leaf: L, end: End) {
        if leaf.weight() > 0 {
            self.attach(Link::leaf(leaf), 0, end);
        }
    }

    /// Takes the first or the last leaf off. It is copied if a clone of the tree has it too.
    /// O(log n).
    pub fn pop(&mut self, end: End) -> Option<L> {
        let leaf = detach(self.root.as_mut()?.edge(), end);
        self.settle(Vec::new());
        Some(Arc::unwrap_or_clone(leaf))
    }

    /// Adds all elements of `other` behind its own. O(log n).
    pub fn append(&mut self, other: Self) {
        let Some(right) = other.root else { return };
        let Some(left) = &self.root else {
            *self = Self { root: Some(right), height: other.height };
            return;
        };
        if self.height >= other.height {
            self.attach(right, other.height, End::Back);
        } else {
            let (left, height) = (left.clone(), self.height);
            *self = Self { root: Some(right), height: other.height };
            self.attach(left, height, End::Front);
        }
    }

    /// Takes the elements from number `at` on out of it. O(log n).
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        let height = self.height;
        let Some(root) = self.root.take() else { return Self::default() };
        let (left, right) = cut(root, at);
        let tree = |root| {
            let mut tree = Self { root, height };
            tree.settle(Vec::new());
            tree
        };
        *self = tree(left);
        tree(right)
    }

    /// Takes `count` elements from number `at` on out of it. O(log n).
    #[must_use]
    pub fn cut_out(&mut self, at: usize, count: usize, limits: L::Limits) -> Self {
        let mut removed = self.split_off(at);
        let rest = removed.split_off(count);
        self.append(rest);
        if !self.is_empty() {
            // The leaves at the seam may be sparse now.
            self.edit(at, limits, |_, _, _| ());
            self.edit(at.saturating_sub(1), limits, |_, _, _| ());
        }
        removed
    }

    /// Makes `link`, whose leaves are `height` levels below it, the neighbour of what is there.
    fn attach(&mut self, link: Link<L>, height: usize, end: End) {
        let Some(root) = &mut self.root else {
            *self = Self { root: Some(link), height };
            return;
        };
        let levels = self.height - height;
        let Some(beside) = attach(root.edge(), levels, link, end) else { return };
        let root = root.clone();
        let children = match end {
            End::Front => [beside, root],
            End::Back => [root, beside],
        };
        self.root = Link::inner(children);
        self.height += 1;
    }
}

/// Puts `new` to one side of what is `levels` below `edge`; gives back the node that overflowed to
/// that side. A full node is left full: ends grow by whole nodes.
fn attach<L: Leaf>(edge: Edge<'_, L>, levels: usize, new: Link<L>, end: End) -> Option<Link<L>> {
    let Edge { node, weight, key } = edge;
    let (Node::Inner(inner), Some(below)) = (node, levels.checked_sub(1)) else {
        return Some(new);
    };
    let inner = Arc::make_mut(inner);
    let at = match end {
        End::Front => 0,
        End::Back => inner.len() - 1,
    };
    let before = inner.weight_of(at);
    let overflowed = attach(inner.edge(at), below, new, end);
    *weight = *weight - before + inner.weight_of(at);
    if let Some(beside) = overflowed {
        if inner.is_full() {
            return Link::inner([beside]);
        }
        *weight += beside.weight;
        match end {
            End::Front => inner.insert(0, beside),
            End::Back => inner.insert(inner.len(), beside),
        }
    }
    if let Some(first) = inner.first_key() {
        *key = first.clone();
    }
    None
}

/// Takes the leaf at one end out; nodes that become empty have no weight then, and no parent.
fn detach<L: Leaf>(edge: Edge<'_, L>, end: End) -> Arc<L> {
    let Edge { node, weight, key } = edge;
    match node {
        Node::Leaf(leaf) => {
            *weight = 0;
            Arc::clone(leaf)
        }
        Node::Inner(inner) => {
            let inner = Arc::make_mut(inner);
            let at = match end {
                End::Front => 0,
                End::Back => inner.len() - 1,
            };
            let before = inner.weight_of(at);
            let leaf = detach(inner.edge(at), end);
            *weight -= before - inner.weight_of(at);
            if inner.weight_of(at) == 0 {
                inner.remove(at);
            }
            if let Some(first) = inner.first_key() {
                *key = first.clone();
            }
            leaf
        }
    }
}

/// The elements before number `at`, and the others.
fn cut<L: Leaf>(link: Link<L>, at: usize) -> (Option<Link<L>>, Option<Link<L>>) {
    if at == 0 {
        return (None, Some(link));
    }
    if at >= link.weight {
        return (Some(link), None);
    }
    match link.node {
        Node::Leaf(leaf) => {
            let mut left = Arc::unwrap_or_clone(leaf);
            let right = left.split_off(at);
            (Some(Link::leaf(left)), Some(Link::leaf(right)))
        }
        Node::Inner(inner) => {
            let mut left = Arc::unwrap_or_clone(inner);
            let (index, within) = left.route(at);
            let mut right = left.split_off(index + 1);
            let (last, first) = cut(left.remove(index), within);
            if let Some(last) = last {
                left.insert(left.len(), last);
            }
            if let Some(first) = first {
                right.insert(0, first);
            }
            (Link::of(left), Link::of(right))
        }
    }
}
