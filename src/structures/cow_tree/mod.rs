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
//! own. Readers of a clone may be on other threads. The counts are without weak ones, so asking
//! whether a node is shared is a load, not a locked exchange at each level.
//!
//! 1. A parent's weight and key of a child are exact.
//! 2. No node is empty, and no inner root has a single child.
//! 3. An inner node has at most `FANOUT` children. How full nodes are is a matter of care, not of
//!    correctness: the height grows only when a root overflows.

mod build;
mod node;
mod relocate;
#[cfg(test)]
mod tests;
mod walk;

pub use walk::Leaves;

use node::{Edge, Inner, Link, Node, group};
use std::cell::Cell;
use std::fmt;
use triomphe::Arc;

/// Most children of an inner node.
const FANOUT: usize = 64;

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
    /// Brings a key up to date that was [`Leaf::key`] when the leaf was made or when this was
    /// asked last.
    fn refresh(&mut self, key: &mut Self::Key) {
        *key = self.key();
    }
    /// Takes the elements from number `offset` on out of it.
    #[must_use]
    fn split_off(&mut self, offset: usize) -> Self;
    /// Whether it would better be joined with a sibling.
    fn is_sparse(&self, limits: Self::Limits) -> bool;
    /// Whether one leaf can well hold the elements of both.
    fn fits_with(&self, right: &Self, limits: Self::Limits) -> bool;
    /// Adds the elements of `right` behind its own.
    fn absorb(&mut self, right: &Self);
    /// The address of its elements.
    fn address(&self) -> usize;
    /// The same elements in another place, for [`CowTree::relocate`].
    #[must_use]
    fn moved(&self) -> Self {
        self.clone()
    }
    /// Whether it and `right` have room for what `middle` holds, which stands between them: then an
    /// overflow makes no third leaf.
    fn can_share(&self, _middle: &Self, _right: &Self) -> bool {
        false
    }
    /// Takes as many of the elements of `middle` as make both about equally full, and gives `right`
    /// the others. Whether that went well; if not, nothing has changed.
    fn share(&mut self, _middle: &Self, _right: &mut Self) -> bool {
        false
    }
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum End {
    Front,
    Back,
}

impl End {
    /// The other one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Front => Self::Back,
            Self::Back => Self::Front,
        }
    }
}

/// The way to a leaf, for going there again: the children chosen, the root's last. It leads there
/// as long as the tree isn't changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path(u64);

const STEP_BITS: u32 = FANOUT.trailing_zeros();

// A step has a child's number. A higher tree than fits the word would have 2^40 leaves or more.
const _: () = assert!(FANOUT == 1 << STEP_BITS);

impl Path {
    fn push(&mut self, index: usize, level: u32) {
        self.0 |= (index as u64).checked_shl(STEP_BITS * level).unwrap_or(0);
    }

    fn step(&mut self) -> usize {
        let index = self.0 % FANOUT as u64;
        self.0 >>= STEP_BITS;
        usize::try_from(index).unwrap_or(0)
    }
}

/// A leaf as a search reaches it.
#[derive(Debug)]
pub struct Destination<'t, L: Leaf> {
    /// The leaf.
    pub leaf: &'t L,
    /// The way there.
    pub path: Path,
    /// The key of its first element.
    pub key: &'t L::Key,
    /// The key of the first element behind it, unless it is the last leaf.
    pub next: Option<&'t L::Key>,
}

/// A tree of leaves. An empty one owns no memory; `clone` is O(1).
pub struct CowTree<L: Leaf> {
    root: Option<Link<L>>,
    /// Levels of inner nodes.
    height: usize,
}

impl<L: Leaf> Clone for CowTree<L> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), height: self.height }
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
        let root = self.root.as_ref().filter(|root| at < root.weight)?;
        let (mut node, mut at) = (&root.node, at);
        loop {
            match node {
                Node::Leaf(leaf) => return Some((leaf, at)),
                Node::Inner(inner) => {
                    let (index, within) = inner.route(at);
                    node = &inner.nodes()[index];
                    at = within;
                }
            }
        }
    }

    /// The leaf with the last element for which `is_before` holds, else the first leaf, and the
    /// number of elements before that leaf. The predicate holds for a prefix of all keys. O(log n).
    pub fn locate_by(&self, is_before: impl Fn(&L::Key) -> bool) -> Option<(&L, usize)> {
        let (mut node, mut before) = (&self.root.as_ref()?.node, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return Some((leaf, before)),
                Node::Inner(inner) => {
                    let index = inner.route_by(&is_before);
                    before += inner.weight_before(index);
                    node = &inner.nodes()[index];
                }
            }
        }
    }

    /// The leaf that [`CowTree::locate_by`] finds, without counting what is before it. O(log n).
    #[inline]
    pub fn leaf_by(&self, is_before: impl Fn(&L::Key) -> bool) -> Option<Destination<'_, L>> {
        let (mut path, mut level) = (Path::default(), 0);
        let root = self.root.as_ref()?;
        let (mut node, mut key, mut next) = (&root.node, &root.key, None);
        loop {
            match node {
                Node::Leaf(leaf) => return Some(Destination { leaf, path, key, next }),
                Node::Inner(inner) => {
                    let index = inner.route_by(&is_before);
                    path.push(index, level);
                    level += 1;
                    node = &inner.nodes()[index];
                    let keys = inner.keys();
                    (key, next) = (&keys[index], keys.get(index + 1).or(next));
                }
            }
        }
    }

    /// The leaf that `path` leads to; after a change it may be another than it was. O(log n).
    pub fn leaf_where(&self, mut path: Path) -> Option<&L> {
        let mut node = &self.root.as_ref()?.node;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => node = &inner.nodes()[path.step().min(inner.len() - 1)],
            }
        }
    }

    /// The first or the last leaf. O(log n).
    pub fn leaf(&self, end: End) -> Option<&L> {
        let mut node = &self.root.as_ref()?.node;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Inner(inner) => {
                    node = match end {
                        End::Front => inner.nodes().first()?,
                        End::Back => inner.nodes().last()?,
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
        let Some(root) = &self.root else { return 0 };
        let (mut factor, mut node) = (1, &root.node);
        while let Node::Inner(inner) = node {
            factor *= inner.len();
            node = &inner.nodes()[inner.len() / 2];
        }
        factor
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
        let mut choose = |inner: &Inner<L>| {
            let (index, at) = inner.route(within.get());
            within.set(at);
            index
        };
        let change = |leaf: &mut L, after: &mut Vec<L>| change(leaf, within.get(), after);
        let (result, after) = edit(self.root.as_mut()?.edge(), &mut choose, limits, change);
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
        let mut choose = |inner: &Inner<L>| inner.route_by(&is_before);
        let (result, after) = edit(self.root.as_mut()?.edge(), &mut choose, limits, change);
        self.settle(after);
        Some(result)
    }

    /// Like [`CowTree::edit`] for the leaf that `path` leads to: for one found by
    /// [`CowTree::leaf_by`] since the last change.
    pub fn edit_along<R>(
        &mut self,
        mut path: Path,
        limits: L::Limits,
        change: impl FnOnce(&mut L, &mut Vec<L>) -> R,
    ) -> Option<R> {
        let mut choose = |inner: &Inner<L>| path.step().min(inner.len() - 1);
        let (result, after) = edit(self.root.as_mut()?.edge(), &mut choose, limits, change);
        self.settle(after);
        Some(result)
    }

    /// The leaf that `path` leads to, for changes that leave alone how many elements it has and the
    /// key of the first: those are found by less work than [`CowTree::edit`]. O(log n).
    pub fn leaf_along(&mut self, mut path: Path) -> Option<&mut L> {
        self.leaf_mut(|inner| path.step().min(inner.len() - 1))
    }

    /// Like [`CowTree::leaf_along`], the leaf that holds element number `at`, or the last one.
    pub fn leaf_at(&mut self, mut at: usize) -> Option<&mut L> {
        self.leaf_mut(|inner| {
            let (index, within) = inner.route(at);
            at = within;
            index
        })
    }

    fn leaf_mut(&mut self, mut choose: impl FnMut(&Inner<L>) -> usize) -> Option<&mut L> {
        let mut node = &mut self.root.as_mut()?.node;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(Arc::make_mut(leaf)),
                Node::Inner(inner) => {
                    let inner = Arc::make_mut(inner);
                    let index = choose(inner);
                    node = inner.edge(index).node;
                }
            }
        }
    }

    /// Like [`CowTree::edit`] for the first or the last leaf.
    pub fn edit_end<R>(
        &mut self,
        end: End,
        limits: L::Limits,
        change: impl FnOnce(&mut L, &mut Vec<L>) -> R,
    ) -> Option<R> {
        let mut choose = |inner: &Inner<L>| match end {
            End::Front => 0,
            End::Back => inner.len() - 1,
        };
        let (result, after) = edit(self.root.as_mut()?.edge(), &mut choose, limits, change);
        self.settle(after);
        Some(result)
    }

    /// Puts `after` beside the root and restores invariant 2.
    #[inline]
    fn settle(&mut self, after: Vec<Link<L>>) {
        if after.is_empty() && self.root.as_ref().is_some_and(Link::is_settled) {
            return;
        }
        self.settle_slowly(after);
    }

    #[cold]
    fn settle_slowly(&mut self, after: Vec<Link<L>>) {
        if !after.is_empty()
            && let Some(root) = self.root.take()
        {
            let mut level = Vec::with_capacity(1 + after.len());
            level.extend((root.weight > 0).then_some(root));
            level.extend(after);
            while level.len() > 1 {
                level = group(level);
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
        while let Some(Link { node: Node::Inner(inner), weight, key }) = &self.root
            && let [child] = inner.nodes()
        {
            let root = Link { node: child.clone(), weight: *weight, key: key.clone() };
            self.root = Some(root);
            self.height -= 1;
        }
    }
}

/// Like the slice's method, for a predicate that is cheap and items of one node: it looks at every
/// eighth, then at those between two of them. The loads of each step don't wait for one another,
/// where halving waits for memory six times. Of small items it looks at one in each cache line, so
/// that the second step doesn't wait at all.
#[inline]
pub fn partition_point<T>(items: &[T], is_before: impl Fn(&T) -> bool) -> usize {
    let stride = const { stride_of(size_of::<T>()) };
    // Plain loops: an iterator in steps is not always inlined.
    let (mut passed, mut at) = (0, 0);
    while at < items.len() {
        passed += usize::from(is_before(&items[at]));
        at += stride;
    }
    let Some(block) = passed.checked_sub(1) else { return 0 };
    let from = block * stride + 1;
    let until = items.len().min(from + stride - 1);
    let mut found = from;
    for item in &items[from..until] {
        found += usize::from(is_before(item));
    }
    found
}

/// How many items of so many bytes [`partition_point`] passes over at once.
const fn stride_of(bytes: usize) -> usize {
    const CACHE_LINE: usize = 64;
    // Of less than four the first step would take too long.
    if 4 * bytes <= CACHE_LINE && 16 * bytes >= CACHE_LINE { CACHE_LINE / bytes } else { 8 }
}

/// Puts an item at a place of a leaf that may hold `most`; what is then too much comes back, to stand
/// behind it. A leaf that grows at its end is left full, another one is halved. Room is taken in
/// small steps: in a tree of many leaves, what doubling sets aside would be a third of all.
pub fn insert_within<T>(items: &mut Vec<T>, at: usize, item: T, most: usize) -> Option<Vec<T>> {
    let mut rest = None;
    let (mut target, mut at) = (items, at);
    if target.len() >= most {
        let split = if at == target.len() { at } else { most / 2 };
        let right = rest.insert(target.split_off(split));
        target.shrink_to_fit();
        if at >= split {
            (target, at) = (right, at - split);
        }
    }
    if target.len() == target.capacity() {
        target.reserve_exact(target.len().clamp(1, (most / 8).max(1)));
    }
    target.insert(at, item);
    rest
}

/// Bytes of a tree with items in leaves: of all of them estimated from the first `samples` leaves.
pub fn estimate_bytes<L: Leaf>(
    tree: &CowTree<L>,
    samples: usize,
    bytes: impl Fn(&L) -> usize,
) -> usize {
    let sampled = tree.leaves(0, End::Back).0.take(samples);
    let overhead = LEAF_BYTES + if tree.height == 0 { 0 } else { PLACE_BYTES };
    let (items, held) = sampled
        .fold((0, 0), |(items, held), leaf| (items + leaf.weight(), held + overhead + bytes(leaf)));
    held * tree.len() / items.max(1)
}

/// What a leaf takes beside its items: a counted struct.
const LEAF_BYTES: usize = 32;
/// What its place in a parent takes, about: weight, reference and key.
const PLACE_BYTES: usize = 64;

/// Changes the leaf that `choose` leads to; gives back the nodes that now come behind `edge`.
fn edit<L: Leaf, R>(
    edge: Edge<'_, L>,
    choose: &mut impl FnMut(&Inner<L>) -> usize,
    limits: L::Limits,
    change: impl FnOnce(&mut L, &mut Vec<L>) -> R,
) -> (R, Vec<Link<L>>) {
    let Edge { node, weight, key } = edge;
    match node {
        Node::Leaf(leaf) => {
            let leaf = Arc::make_mut(leaf);
            let mut after = Vec::new();
            let result = change(leaf, &mut after);
            *weight = leaf.weight();
            if *weight > 0 {
                leaf.refresh(key);
            }
            if after.is_empty() {
                return (result, Vec::new());
            }
            let full = after.into_iter().filter(|leaf| leaf.weight() > 0);
            (result, full.map(Link::leaf).collect())
        }
        Node::Inner(inner) => {
            let inner = Arc::make_mut(inner);
            let index = choose(inner);
            let before = inner.weight_of(index);
            let (result, after) = edit(inner.edge(index), choose, limits, change);
            *weight = *weight - before + inner.weight_of(index);
            let after = if after.is_empty() {
                inner.tidy(index, limits);
                after
            } else {
                let mut behind = index + 1;
                if inner.weight_of(index) == 0 {
                    inner.remove(index);
                    behind = index;
                }
                let after = inner.accommodate(behind, after);
                *weight = inner.weight();
                after
            };
            if let Some(first) = inner.first_key()
                && index == 0
            {
                *key = first.clone();
            }
            (result, after)
        }
    }
}
