//! Joining, cutting and growing of whole trees.

use super::{CowTree, End, FANOUT, Inner, Leaf, Link, Node, route};
use std::sync::Arc;

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
        let leaf = detach(self.root.as_mut()?, end);
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
        let Some(beside) = attach(root, self.height - height, link, end) else { return };
        let root = root.clone();
        let children = match end {
            End::Front => vec![beside, root],
            End::Back => vec![root, beside],
        };
        self.root = Some(Link::inner(children));
        self.height += 1;
    }
}

/// Puts `new` to one side of what is `levels` below `link`; gives back the node that overflowed to
/// that side. A full node is left full: ends grow by whole nodes.
fn attach<L: Leaf>(link: &mut Link<L>, levels: usize, new: Link<L>, end: End) -> Option<Link<L>> {
    let (Node::Inner(inner), Some(below)) = (&mut link.node, levels.checked_sub(1)) else {
        return Some(new);
    };
    let children = &mut Arc::make_mut(inner).children;
    let at = match end {
        End::Front => 0,
        End::Back => children.len() - 1,
    };
    let (before, added) = (children[at].weight, new.weight);
    let overflowed = attach(&mut children[at], below, new, end);
    let Some(beside) = overflowed else {
        link.weight += children[at].weight - before;
        if end == End::Front {
            link.key = children[0].key.clone();
        }
        return None;
    };
    debug_assert_eq!(children[at].weight + beside.weight, before + added, "nothing is lost");
    link.weight = link.weight - before + children[at].weight;
    if children.len() == FANOUT {
        return Some(Link::inner(vec![beside]));
    }
    link.weight += beside.weight;
    match end {
        End::Front => {
            link.key = beside.key.clone();
            children.insert(0, beside);
        }
        End::Back => children.push(beside),
    }
    None
}

/// Takes the leaf at one end out; nodes that become empty have no weight then, and no parent.
fn detach<L: Leaf>(link: &mut Link<L>, end: End) -> Arc<L> {
    match &mut link.node {
        Node::Leaf(leaf) => {
            link.weight = 0;
            Arc::clone(leaf)
        }
        Node::Inner(inner) => {
            let children = &mut Arc::make_mut(inner).children;
            let at = match end {
                End::Front => 0,
                End::Back => children.len() - 1,
            };
            let before = children[at].weight;
            let leaf = detach(&mut children[at], end);
            link.weight -= before - children[at].weight;
            if children[at].weight == 0 {
                children.remove(at);
            }
            if let Some(first) = children.first() {
                link.key = first.key.clone();
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
            let Inner { mut children } = Arc::unwrap_or_clone(inner);
            let (index, within) = route(&children, at);
            let behind = children.split_off(index + 1);
            let (before, first) = children.pop().map_or((None, None), |child| cut(child, within));
            children.extend(before);
            let right: Vec<_> = first.into_iter().chain(behind).collect();
            let inner = |children: Vec<_>| (!children.is_empty()).then(|| Link::inner(children));
            (inner(children), inner(right))
        }
    }
}

/// Nodes for a level: as few as hold them, evenly filled.
pub(super) fn group<L: Leaf>(level: Vec<Link<L>>) -> Vec<Link<L>> {
    let nodes = level.len().div_ceil(FANOUT);
    let (each, more) = (level.len() / nodes, level.len() % nodes);
    let mut rest = level.into_iter();
    (0..nodes)
        .map(|index| {
            let count = each + usize::from(index < more);
            Link::inner(rest.by_ref().take(count).collect())
        })
        .collect()
}

/// Moves what is too much for a node into nodes behind it.
pub(super) fn overflow<L: Leaf>(children: &mut Vec<Link<L>>) -> Vec<Link<L>> {
    if children.len() <= FANOUT {
        return Vec::new();
    }
    let kept = children.len() / children.len().div_ceil(FANOUT);
    group(children.split_off(kept))
}
