//! Changing the table: unsharing the way to a page, growing, splitting and merging pages, and the
//! directory above them.
//!
//! Only one page's entries are moved per step, and one directory node. All work is on owned memory:
//! `own` comes first, so what is replaced here can be freed at once.

use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::edge::{Edge, Head, Meta, NODE_BITS};
use super::page::{self, MAX_DEPTH, MAX_LAG, Word};
use super::{CowTable, Thin, prefetch};
use crate::structures::epoch::Epochs;

/// Siblings that have no more entries than this together become one page: half a page, so that
/// a removal after a split does not undo it.
const MERGED_MAX: usize = 128;

/// From so few entries on a pile becomes a page again: they fit in whatever their hashes.
const PILE_MIN: usize = 64;

/// The way to a page: `null` stands for the table's own edge.
#[derive(Clone, Copy)]
struct Way {
    /// The edge to the node that holds `leaf`; unless `leaf` is the table's own edge.
    node: *mut Edge,
    /// The first edge to the page.
    leaf: *mut Edge,
}

impl<T: Thin> CowTable<T> {
    /// Makes the page for `hash`, and the way to it, the engine's own. Indices stay what they were.
    pub(super) fn own(&mut self, epochs: &mut Epochs, hash: u64) {
        if epochs.owns(self.leaf(hash).meta.birth()) {
            return;
        }
        self.unshare(epochs, hash);
    }

    #[cold]
    fn unshare(&mut self, epochs: &mut Epochs, hash: u64) {
        let mut node = Edge::NONE;
        let mut at = &raw mut self.top;
        loop {
            // SAFETY: `at` is the table's own edge, or in a node made our own before; what it
            // refers to is living. What is replaced is referred to by snapshots only.
            unsafe {
                let old = *at;
                if old.meta.is_node() {
                    if !epochs.owns(old.meta.birth()) {
                        at.write(old.copy_node(epochs.stamp()));
                        old.retire(epochs);
                    }
                    node = *at;
                    at = node.first(hash);
                } else {
                    let copy = page::copy(old, epochs.stamp());
                    old.retire(epochs);
                    let aliases = if node.is_none() { 1 } else { node.aliases(old.meta) };
                    (0..aliases).for_each(|alias| at.add(alias).write(copy));
                    return;
                }
            }
        }
    }

    /// Inserts an entry, already tagged as the engine's own; returns the index of its word.
    pub(super) fn attach(&mut self, epochs: &mut Epochs, hash: u64, entry: Word) -> usize {
        if self.top.is_none() {
            if self.shared.is_none() {
                self.shared = Some(Arc::clone(epochs.shared()));
            }
            self.top = page::new(Meta::page(0, 0, 1, 0, epochs.stamp()));
            // SAFETY: the page is new.
            self.bytes = unsafe { self.top.bytes() };
        }
        self.own(epochs, hash);
        loop {
            if let Some(index) = self.place(hash, entry) {
                self.len += 1;
                self.tally(hash, 1);
                return index;
            }
            self.grow(epochs, hash);
        }
    }

    /// Puts an entry in the page for `hash`, which is owned, if there is room.
    fn place(&mut self, hash: u64, entry: Word) -> Option<usize> {
        let leaf = self.edge_at(self.way(hash).leaf);
        // SAFETY: the page is owned and on the way to `hash`. A page as deep as a pile that is
        // added to has only one edge: nodes deepen for splits only.
        unsafe {
            let page = *leaf;
            if !page.meta.is_pile() {
                let index = page::place(page, hash, entry)?;
                (*leaf).meta.add_count(1);
                return Some(index);
            }
            if page.meta.depth() < MAX_DEPTH {
                return None;
            }
            let before = page.bytes();
            let (page, index) = page::heap_up(page, hash, entry);
            self.bytes = self.bytes + page.bytes() - before;
            leaf.write(page);
            Some(index)
        }
    }

    /// Takes the entry at `index` of the page for `hash` out, shrinking what became sparse.
    pub(super) fn detach(&mut self, epochs: &mut Epochs, hash: u64, index: usize) -> NonNull<u8> {
        self.own(epochs, hash);
        let leaf = self.edge_at(self.way(hash).leaf);
        // SAFETY: the page is owned, and the index that of an entry in it.
        let (word, count) = unsafe {
            let word = page::remove(*leaf, index);
            if !(*leaf).meta.is_pile() {
                (*leaf).meta.add_count(-1);
            }
            (word, page::count(*leaf))
        };
        self.len -= 1;
        self.tally(hash, -1);
        if self.len == 0 {
            drop(self.take());
        } else {
            self.shrink(epochs, hash, count);
        }
        word.entry().expect("an occupied slot has an entry")
    }

    /// The edge that a way's pointer stands for.
    fn edge_at(&mut self, at: *mut Edge) -> *mut Edge {
        if at.is_null() { &raw mut self.top } else { at }
    }

    fn way(&self, hash: u64) -> Way {
        let mut way = Way { node: ptr::null_mut(), leaf: ptr::null_mut() };
        let mut edge = self.top;
        while edge.meta.is_node() {
            way.node = way.leaf;
            // SAFETY: the node is living, and so is what its edges refer to.
            unsafe {
                way.leaf = edge.first(hash);
                edge = *way.leaf;
            }
        }
        way
    }

    /// Adjusts the counts of the nodes on the way to `hash`, which are owned.
    fn tally(&mut self, hash: u64, by: isize) {
        let mut edge = self.top;
        while edge.meta.is_node() {
            // SAFETY: the node is living and owned.
            unsafe {
                let head = edge.head();
                (*head).count = (*head).count.wrapping_add_signed(by);
                edge = *edge.nth(edge.index(hash));
            }
        }
    }

    /// The node that holds a way's last edge; none if that is the table's own.
    fn node_of(&mut self, way: Way) -> Edge {
        if way.leaf.is_null() {
            return Edge::NONE;
        }
        // SAFETY: edges of living nodes are valid.
        unsafe { *self.edge_at(way.node) }
    }

    /// Puts `new` in the place of the page for `hash`, which is owned and freed.
    pub(super) fn replace_page(&mut self, hash: u64, new: Edge) {
        let way = self.way(hash);
        self.put_page(way, new);
    }

    /// Puts `new` in the place of an owned page, which is freed.
    fn put_page(&mut self, way: Way, new: Edge) {
        let node = self.node_of(way);
        let leaf = self.edge_at(way.leaf);
        // SAFETY: the aliases of a page follow each other in one node, which is owned.
        unsafe {
            let old = *leaf;
            let aliases = if node.is_none() { 1 } else { node.aliases(old.meta) };
            (0..aliases).for_each(|alias| leaf.add(alias).write(new));
            self.bytes = self.bytes + new.bytes() - old.bytes();
            old.free();
        }
    }

    /// Puts `new` in the place of an owned node, which is freed.
    fn put_node(&mut self, way: Way, new: Edge) {
        let at = self.edge_at(way.node);
        // SAFETY: a node has one edge only, which is owned as it is.
        unsafe {
            let old = *at;
            at.write(new);
            self.bytes = self.bytes + new.bytes() - old.bytes();
            old.free();
        }
    }

    /// Makes room in the page for `hash`, which is owned: a larger page, two pages, or a pile.
    fn grow(&mut self, epochs: &mut Epochs, hash: u64) {
        let way = self.way(hash);
        // SAFETY: edges of this table are valid.
        let old = unsafe { *self.edge_at(way.leaf) };
        let meta = old.meta;
        let larger = if meta.is_pile() { None } else { page::larger(meta.size()) };
        if let Some(size) = larger {
            let entries = self.gather(old, hash, false);
            let (depth, start, birth) = (meta.depth(), meta.start(), meta.birth());
            let entries = entries.iter().copied();
            self.put_page(way, page::build(entries, size, depth, start, birth));
        } else if meta.depth() < MAX_DEPTH {
            self.deepen(epochs, hash);
            self.split(hash);
        } else {
            let entries = self.gather(old, hash, false);
            let (depth, start, birth) = (meta.depth(), meta.start(), meta.birth());
            let entries = entries.iter().copied();
            self.put_page(way, page::build_pile(entries, depth, start, birth));
        }
    }

    /// All entries of a page on the way to `hash`, with what page and tags tell of their hashes, or
    /// with their whole hashes.
    fn gather(&self, page: Edge, hash: u64, whole: bool) -> Vec<(u64, Word)> {
        // SAFETY: pages of this table are living, and `hash` leads to this one.
        let mut entries = unsafe { page::gather(page, hash) };
        if whole {
            for (_, word) in &entries {
                word.entry().inspect(|entry| prefetch(entry.as_ptr()));
            }
            for (hash, word) in &mut entries {
                if let Some(entry) = word.entry() {
                    // SAFETY: the entry is living and nobody changes it meanwhile.
                    *hash = T::hash(unsafe { T::view(entry) }, self.seed);
                }
            }
        }
        entries
    }

    /// Gives the page for `hash`, which is owned, two edges at least.
    fn deepen(&mut self, epochs: &mut Epochs, hash: u64) {
        let way = self.way(hash);
        let node = self.node_of(way);
        let leaf = self.edge_at(way.leaf);
        // SAFETY: the way is owned and living; a new node's edges are all written.
        unsafe {
            let page = *leaf;
            let depth = page.meta.depth();
            if node.is_none() || depth == node.meta.depth() + NODE_BITS {
                let head = Head { count: page.count(), deep: 0 };
                let new = Edge::new_node(depth, 1, epochs.stamp(), head);
                (0..2).for_each(|index| new.nth(index).write(page));
                leaf.write(new);
                self.bytes += new.bytes();
            } else if depth == node.meta.depth() + node.meta.bits() {
                let bits = node.meta.bits() + 1;
                let head = Head { count: node.count(), deep: 0 };
                let new = Edge::new_node(node.meta.depth(), bits, epochs.stamp(), head);
                (0..1 << bits).for_each(|index| new.nth(index).write(*node.nth(index / 2)));
                self.put_node(way, new);
            }
        }
    }

    /// Makes two pages of the one for `hash`, which is owned and has two edges at least.
    fn split(&mut self, hash: u64) {
        let way = self.way(hash);
        let node = self.node_of(way);
        // SAFETY: the way is owned and living; half of the page's edges go to either new page.
        unsafe {
            let old = *way.leaf;
            let depth = old.meta.depth() + 1;
            let has_bits = depth - old.meta.start() <= MAX_LAG;
            let start = if has_bits { old.meta.start() } else { depth };
            let entries = self.gather(old, hash, !has_bits);
            let half = node.aliases(old.meta) / 2;
            for (side, begin) in [(0, 0), (1, half)] {
                let entries = entries.iter().copied();
                let entries = entries.filter(|(hash, _)| hash >> (64 - depth) & 1 == side);
                let new = page::build(entries, 1, depth, start, old.meta.birth());
                (begin..begin + half).for_each(|alias| way.leaf.add(alias).write(new));
                self.bytes += new.bytes();
            }
            if half == 1 {
                (*node.head()).deep += 2;
            }
            self.bytes -= old.bytes();
            old.free();
        }
    }

    /// Makes the page for `hash`, which is owned and has `count` entries after a removal, as small
    /// as they allow, together with its sibling if that is sparse, too.
    fn shrink(&mut self, epochs: &mut Epochs, hash: u64, mut count: usize) {
        while let Some(merged) = self.merge(epochs, hash, count) {
            count = merged;
        }
        let way = self.way(hash);
        // SAFETY: edges of this table are valid.
        let page = unsafe { *self.edge_at(way.leaf) };
        let meta = page.meta;
        let is_sparse = if meta.is_pile() {
            count <= PILE_MIN
        } else {
            meta.size() > 1 && count * 16 < meta.size() * page::WIDTH * 9
        };
        if is_sparse {
            let entries = self.gather(page, hash, false);
            let (depth, start, birth) = (meta.depth(), meta.start(), meta.birth());
            let entries = entries.iter().copied();
            self.put_page(way, page::build(entries, 1, depth, start, birth));
        }
    }

    /// Merges the page for `hash`, which has `count` entries, with its sibling, if both are sparse.
    /// Returns how many they have together.
    fn merge(&mut self, epochs: &mut Epochs, hash: u64, count: usize) -> Option<usize> {
        let way = self.way(hash);
        let node = self.node_of(way);
        if node.is_none() || count > MERGED_MAX {
            return None;
        }
        // SAFETY: the way is owned and living, and so is the sibling, but it may be shared: then
        // its entries are, too, and it goes to limbo.
        unsafe {
            let page = *way.leaf;
            let depth = page.meta.depth();
            let other_hash = hash ^ 1 << (64 - depth);
            let other_leaf = node.first(other_hash);
            let other = *other_leaf;
            let is_mergeable = other.meta.depth() == depth
                && !(other.meta.is_node() || other.meta.is_pile() || page.meta.is_pile());
            if !is_mergeable || count + other.count() > MERGED_MAX {
                return None;
            }
            let is_owned = epochs.owns(other.meta.birth());
            let mut others = self.gather(other, other_hash, false);
            if !is_owned {
                for (_, word) in &mut others {
                    *word = word.disowned();
                }
            }
            let other_birth = if is_owned { other.meta.birth() } else { epochs.stamp() };
            let mut entries = self.gather(page, hash, false);
            entries.append(&mut others);
            let start = page.meta.start().min(other.meta.start()).min(depth - 1);
            let birth = page.meta.birth().min(other_birth);
            let merged = page::build(entries.iter().copied(), 1, depth - 1, start, birth);
            self.bytes = self.bytes + merged.bytes() - page.bytes() - other.bytes();
            page.free();
            if is_owned {
                other.free();
            } else {
                other.retire(epochs);
            }
            let first = way.leaf.min(other_leaf);
            let aliases = node.aliases(merged.meta);
            (0..aliases).for_each(|alias| first.add(alias).write(merged));
            if aliases == 2 {
                (*node.head()).deep -= 2;
            }
            self.flatten(epochs, way, merged);
            Some(entries.len())
        }
    }

    /// Makes the node above `merged` as small as its pages allow.
    ///
    /// # Safety
    /// - The way is owned, and `merged` is the page it leads to.
    unsafe fn flatten(&mut self, epochs: &mut Epochs, way: Way, merged: Edge) {
        // SAFETY: by the caller's word; a new node's edges are all written.
        unsafe {
            let mut node = self.node_of(way);
            if merged.meta.depth() == node.meta.depth() {
                let at = self.edge_at(way.node);
                at.write(merged);
                self.bytes -= node.bytes();
                node.free();
                return;
            }
            while (*node.head()).deep == 0 {
                let bits = node.meta.bits() - 1;
                let head = Head { count: node.count(), deep: 0 };
                let new = Edge::new_node(node.meta.depth(), bits, epochs.stamp(), head);
                for index in 0..1 << bits {
                    let child = *node.nth(index * 2);
                    new.nth(index).write(child);
                    (*new.head()).deep += usize::from(new.aliases(child.meta) == 1);
                }
                self.put_node(way, new);
                node = new;
            }
        }
    }
}
