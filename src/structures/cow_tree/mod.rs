//! The copy-on-write counted tree: large lists by position, sorted sets by score, streams by id.
//!
//! A B+tree whose inner nodes keep, of each child, how many elements are below it and the key of
//! the first one. Leaves are whatever implements [`Leaf`]: a leaf holds many elements, the tree
//! knows only how many. All leaves are equally deep. There are no links between siblings: who walks
//! keeps a stack.
//!
//! ```text
//!   root   [ 5200: . | 4100: . | 300: . ]            weight: child
//!              |         |
//!          [ 700: . | 640: . | ... ]   [ ... ]
//!              |
//!            leaf of 700 elements
//! ```
//!
//! Nodes are counted references: a clone of the tree is one more reference to the root, a change
//! copies the nodes on its way that are not its own (`Arc::make_mut`), and the copies are then its
//! own. Readers of a clone may be on other threads.
//!
//! 1. A parent's weight and key of a child are exact.
//! 2. No node is empty, and no inner root has a single child.
//! 3. An inner node has at most `FANOUT` children. How full nodes are is a matter of care, not of
//!    correctness: the height grows only when a root overflows.

mod build;
#[cfg(test)]
mod tests;
mod walk;

pub use walk::Leaves;

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

/// Most children of an inner node.
const FANOUT: usize = 64;
/// An inner node with less tries to join a sibling.
const SPARSE: usize = FANOUT / 4;

/// Elements that are kept together.
pub trait Leaf: Clone {
    /// What a parent keeps of a leaf to find elements by; `()` where only positions matter.
    type Key: Clone;
    /// Bounds of a leaf, which users may change at any time.
    type Limits: Copy;

    /// Number of elements.
    fn weight(&self) -> usize;
    /// The key of the first element. Not asked of an empty leaf.
    fn key(&self) -> Self::Key;
    /// Takes the elements from number `offset` on out of it.
    #[must_use]
    fn split_off(&mut self, offset: usize) -> Self;
    /// Whether it would better be joined with a sibling.
    fn is_sparse(&self, limits: Self::Limits) -> bool;
    /// Whether one leaf can well hold the elements of both.
    fn fits_with(&self, right: &Self, limits: Self::Limits) -> bool;
    /// Adds the elements of `right` behind its own.
    fn absorb(&mut self, right: &Self);
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum End {
    Front,
    Back,
}

/// A tree of leaves. An empty one owns no memory; `clone` is O(1).
pub struct CowTree<L: Leaf> {
    root: Option<Link<L>>,
    /// Levels of inner nodes.
    height: usize,
}

/// A node as its parent sees it.
struct Link<L: Leaf> {
    node: Node<L>,
    weight: usize,
    key: L::Key,
}

enum Node<L: Leaf> {
    Leaf(Arc<L>),
    Inner(Arc<Inner<L>>),
}

struct Inner<L: Leaf> {
    children: Vec<Link<L>>,
}

impl<L: Leaf> Clone for CowTree<L> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), height: self.height }
    }
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
        let mut children = Vec::with_capacity((self.children.len() + 1).min(FANOUT + 1));
        children.extend(self.children.iter().cloned());
        Self { children }
    }
}

impl<L: Leaf> Default for CowTree<L> {
    fn default() -> Self {
        Self { root: None, height: 0 }
    }
}

impl<L: Leaf> fmt::Debug for CowTree<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("CowTree");
        out.field("len", &self.len()).field("height", &self.height).finish_non_exhaustive()
    }
}

impl<L: Leaf> Link<L> {
    fn leaf(leaf: L) -> Self {
        Self { weight: leaf.weight(), key: leaf.key(), node: Node::Leaf(Arc::new(leaf)) }
    }

    /// A node with these children, of which there is at least one.
    fn inner(children: Vec<Self>) -> Self {
        Self {
            weight: children.iter().map(|child| child.weight).sum(),
            key: children[0].key.clone(),
            node: Node::Inner(Arc::new(Inner { children })),
        }
    }

    /// Brings weight and key up to date after a change of the first child or of many.
    fn refresh(&mut self) {
        match &self.node {
            Node::Leaf(leaf) => {
                self.weight = leaf.weight();
                if self.weight > 0 {
                    self.key = leaf.key();
                }
            }
            Node::Inner(inner) => {
                self.weight = inner.children.iter().map(|child| child.weight).sum();
                if let Some(first) = inner.children.first() {
                    self.key = first.key.clone();
                }
            }
        }
    }

    fn is_sparse(&self, limits: L::Limits) -> bool {
        match &self.node {
            Node::Leaf(leaf) => leaf.is_sparse(limits),
            Node::Inner(inner) => inner.children.len() < SPARSE,
        }
    }

    /// Takes the elements of its right sibling over, if one node can well hold both.
    fn try_join(&mut self, right: &Self, limits: L::Limits) -> bool {
        match (&mut self.node, &right.node) {
            (Node::Leaf(leaf), Node::Leaf(right)) if leaf.fits_with(right, limits) => {
                Arc::make_mut(leaf).absorb(right);
            }
            (Node::Inner(inner), Node::Inner(right))
                if inner.children.len() + right.children.len() <= FANOUT * 3 / 4 =>
            {
                Arc::make_mut(inner).children.extend(right.children.iter().cloned());
            }
            _ => return false,
        }
        self.weight += right.weight;
        true
    }
}

/// Where among its children a position is, and the position within that child. The end belongs to
/// the last child.
fn route<L: Leaf>(children: &[Link<L>], mut at: usize) -> (usize, usize) {
    let last = children.len() - 1;
    for (index, child) in children[..last].iter().enumerate() {
        if at < child.weight {
            return (index, at);
        }
        at -= child.weight;
    }
    (last, at)
}

/// The last child whose key satisfies a predicate that holds for a prefix of all elements; else the
/// first.
fn route_by_key<L: Leaf>(children: &[Link<L>], is_before: &impl Fn(&L::Key) -> bool) -> usize {
    children.partition_point(|child| is_before(&child.key)).saturating_sub(1)
}

/// Reading.
impl<L: Leaf> CowTree<L> {
    /// Number of elements. O(1).
    pub fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.weight)
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The leaf that holds element number `at`, and the element's number in it. O(log n).
    pub fn locate(&self, at: usize) -> Option<(&L, usize)> {
        let (mut link, mut at) = (self.root.as_ref()?, at);
        if at >= link.weight {
            return None;
        }
        loop {
            match &link.node {
                Node::Leaf(leaf) => return Some((leaf, at)),
                Node::Inner(inner) => {
                    let (index, within) = route(&inner.children, at);
                    link = &inner.children[index];
                    at = within;
                }
            }
        }
    }

    /// The leaf with the last element for which `is_before` holds, else the first leaf, and the
    /// number of elements before that leaf. The predicate holds for a prefix of all keys. O(log n).
    pub fn locate_by(&self, is_before: impl Fn(&L::Key) -> bool) -> Option<(&L, usize)> {
        let (mut link, mut before) = (self.root.as_ref()?, 0);
        loop {
            match &link.node {
                Node::Leaf(leaf) => return Some((leaf, before)),
                Node::Inner(inner) => {
                    let index = route_by_key(&inner.children, &is_before);
                    before +=
                        inner.children[..index].iter().map(|child| child.weight).sum::<usize>();
                    link = &inner.children[index];
                }
            }
        }
    }

    /// The first or the last leaf. O(log n).
    pub fn leaf(&self, end: End) -> Option<&L> {
        let mut link = self.root.as_ref()?;
        loop {
            match &link.node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => {
                    link = match end {
                        End::Front => inner.children.first()?,
                        End::Back => inner.children.last()?,
                    }
                }
            }
        }
    }

    /// All leaves, beginning with the one that holds element number `at`, towards `end`. The second
    /// is the element's number in that leaf. With `at` beyond the last element: none towards the
    /// back, all towards the front.
    pub fn leaves(&self, at: usize, end: End) -> (Leaves<'_, L>, usize) {
        Leaves::new(self.root.as_ref(), at, end)
    }

    /// Number of leaves, estimated from the path to the middle: for memory figures. O(log n).
    pub fn leaves_estimated(&self) -> usize {
        let (mut factor, mut link) = (1, self.root.as_ref());
        while let Some(Link { node: Node::Inner(inner), .. }) = link {
            factor *= inner.children.len();
            link = inner.children.get(inner.children.len() / 2);
        }
        if link.is_some() { factor } else { 0 }
    }
}

/// Changing.
impl<L: Leaf> CowTree<L> {
    /// Changes the leaf that holds element number `at`, or the last one for the end; there must be
    /// a leaf, else `None`. `change` gets the element's number in the leaf, and may add leaves that
    /// come behind it. An emptied leaf is removed, a sparse one joined with a sibling. O(log n).
    pub fn edit<R>(
        &mut self,
        at: usize,
        limits: L::Limits,
        change: impl FnOnce(&mut L, usize, &mut Vec<L>) -> R,
    ) -> Option<R> {
        // What is left of the position after each level; the leaf's is read last.
        let within = Cell::new(at);
        let mut choose = |children: &[Link<L>]| {
            let (index, at) = route(children, within.get());
            within.set(at);
            index
        };
        let change = |leaf: &mut L, after: &mut Vec<L>| change(leaf, within.get(), after);
        let (result, after) = edit(self.root.as_mut()?, &mut choose, limits, change);
        self.settle(after);
        Some(result)
    }

    /// Like [`CowTree::edit`] for the leaf that [`CowTree::locate_by`] finds.
    pub fn edit_by<R>(
        &mut self,
        is_before: impl Fn(&L::Key) -> bool,
        limits: L::Limits,
        change: impl FnOnce(&mut L, &mut Vec<L>) -> R,
    ) -> Option<R> {
        let mut choose = |children: &[Link<L>]| route_by_key(children, &is_before);
        let (result, after) = edit(self.root.as_mut()?, &mut choose, limits, change);
        self.settle(after);
        Some(result)
    }

    /// Puts `after` beside the root and restores invariant 2.
    fn settle(&mut self, after: Vec<Link<L>>) {
        if !after.is_empty()
            && let Some(root) = self.root.take()
        {
            let mut level = Vec::with_capacity(1 + after.len());
            level.extend((root.weight > 0).then_some(root));
            level.extend(after);
            while level.len() > 1 {
                level = build::group(level);
                self.height += 1;
            }
            self.root = level.pop();
        }
        if self.root.as_ref().is_none_or(|root| root.weight == 0) {
            *self = Self::default();
        }
        self.lower();
    }

    /// Removes inner roots with a single child.
    fn lower(&mut self) {
        while let Some(Link { node: Node::Inner(inner), .. }) = &self.root
            && let [child] = &inner.children[..]
        {
            self.root = Some(child.clone());
            self.height -= 1;
        }
    }
}

/// Changes the leaf that `choose` leads to; gives back the nodes that now come behind `link`.
fn edit<L: Leaf, R>(
    link: &mut Link<L>,
    choose: &mut impl FnMut(&[Link<L>]) -> usize,
    limits: L::Limits,
    change: impl FnOnce(&mut L, &mut Vec<L>) -> R,
) -> (R, Vec<Link<L>>) {
    match &mut link.node {
        Node::Leaf(leaf) => {
            let mut after = Vec::new();
            let result = change(Arc::make_mut(leaf), &mut after);
            link.refresh();
            let full = after.into_iter().filter(|leaf| leaf.weight() > 0);
            (result, full.map(Link::leaf).collect())
        }
        Node::Inner(inner) => {
            let children = &mut Arc::make_mut(inner).children;
            let index = choose(children);
            let before = children[index].weight;
            let (result, after) = edit(&mut children[index], choose, limits, change);
            let added: usize = after.iter().map(|child| child.weight).sum();
            link.weight = link.weight - before + children[index].weight + added;
            let behind = index + 1;
            children.splice(behind..behind, after);
            tidy(children, index, limits);
            let after = build::overflow(children);
            let moved: usize = after.iter().map(|node| node.weight).sum();
            link.weight -= moved;
            if let Some(first) = children.first()
                && index == 0
            {
                link.key = first.key.clone();
            }
            (result, after)
        }
    }
}

/// Removes child number `index` if it is empty, and joins it with a sibling if it is sparse.
fn tidy<L: Leaf>(children: &mut Vec<Link<L>>, index: usize, limits: L::Limits) {
    if children[index].weight == 0 {
        children.remove(index);
        return;
    }
    if !children[index].is_sparse(limits) {
        return;
    }
    for left in [Some(index), index.checked_sub(1)].into_iter().flatten() {
        let (until, from) = children.split_at_mut(left + 1);
        if let (Some(own), Some(right)) = (until.last_mut(), from.first())
            && own.try_join(right, limits)
        {
            children.remove(left + 1);
            return;
        }
    }
}
