//! A list beyond one pack.

use super::iter::{Oriented, Parts};
use super::leaf::{Leaf, Open, Segment};
use super::{Nodes, PackLimit, place};
use crate::base::blob::Blob;
use crate::structures::cow_tree::{CowTree, End, Leaf as _};
use crate::structures::listpack::{Item, ListPack};
use crate::structures::relocation::Mover;
use std::borrow::Cow;

/// What a leaf takes beside its elements: its counted struct, and its place in the parent.
const LEAF_OVERHEAD: usize = 64;
/// Bytes that the smallest entry of a pack takes.
const ENTRY_MIN: usize = 2;

/// See the head of [`super`].
#[derive(Clone, Debug, Default)]
pub(super) struct Large {
    /// In reverse.
    head: ListPack,
    middle: CowTree<Leaf>,
    tail: ListPack,
    /// Parts at each end that are not compressed, an open pack being one unless it is empty; 0
    /// compresses none. As it was when the list became large.
    ///
    /// No leaf so near an end is compressed; any other is, unless that isn't worth it.
    depth: u32,
}

/// Leaves that were looked at.
#[derive(Default)]
struct Measured {
    leaves: usize,
    elements: usize,
    bytes: usize,
}

impl Measured {
    fn of<'a>(leaves: impl Iterator<Item = &'a Leaf>) -> Self {
        leaves.fold(Self::default(), |so_far, leaf| Self {
            leaves: so_far.leaves + 1,
            elements: so_far.elements + leaf.weight(),
            bytes: so_far.bytes + leaf.heap_bytes() + LEAF_OVERHEAD,
        })
    }

    /// What so many leaves take that are like these.
    fn bytes_of(&self, leaves: usize) -> usize {
        self.bytes / self.leaves.max(1) * leaves
    }
}

/// Which part an element is in, and its number there.
enum Part {
    Head(usize),
    Middle(usize),
    Tail(usize),
}

impl Large {
    pub(super) fn new(tail: ListPack, depth: u32) -> Self {
        Self { tail, depth, ..Self::default() }
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    pub(super) fn len(&self) -> usize {
        self.head.len() + self.middle.len() + self.tail.len()
    }

    fn part(&self, at: usize) -> Part {
        let (head, middle) = (self.head.len(), self.middle.len());
        if at < head {
            Part::Head(at)
        } else if at < head + middle {
            Part::Middle(at - head)
        } else {
            Part::Tail(at - head - middle)
        }
    }

    pub(super) fn parts(&self, at: usize, towards: End) -> Parts<'_> {
        let head = Oriented { pack: &self.head, is_reversed: true };
        let tail = Oriented { pack: &self.tail, is_reversed: false };
        let last = match towards {
            End::Front => head,
            End::Back => tail,
        };
        let rest = |within: usize| {
            let (leaves, within) = self.middle.leaves(within, towards);
            (Parts::of_rest(Some(leaves), last, towards), within)
        };
        match (self.part(at), towards) {
            (Part::Head(at), End::Front) => Parts::of_end(head, at, towards),
            (Part::Head(at), End::Back) => rest(0).0.beginning(head, at),
            (Part::Middle(at), _) => {
                let (parts, within) = rest(at);
                parts.beginning_within(within)
            }
            (Part::Tail(at), End::Back) => Parts::of_end(tail, at, towards),
            (Part::Tail(at), End::Front) => {
                let parts = rest(self.middle.len()).0;
                // Beyond the last element stands for the last.
                match self.tail.len().checked_sub(1) {
                    Some(last) => parts.beginning(tail, at.min(last)),
                    None => parts,
                }
            }
        }
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let head = (!self.head.is_empty()).then(|| Segment::Pack(Cow::Owned(reversed(&self.head))));
        let tail = (!self.tail.is_empty()).then(|| Segment::of_pack(&self.tail));
        let (leaves, _) = self.middle.leaves(0, End::Back);
        head.into_iter().chain(leaves.map(Segment::of_leaf)).chain(tail)
    }

    pub(super) fn memory_bytes(&self, samples: usize) -> usize {
        let ends = size_of::<Self>() + self.head.heap_bytes() + self.tail.heap_bytes();
        let all = self.middle.leaves_estimated();
        let samples = if samples == 0 { usize::MAX } else { samples };
        let sampled = Measured::of(self.middle.leaves(0, End::Back).0.take(samples));
        if sampled.leaves < samples || self.depth == 0 {
            return ends
                + sampled.bytes_of(if sampled.leaves < samples { sampled.leaves } else { all });
        }
        // Those near the ends tell nothing about the others.
        let (front, back) =
            (Measured::of(self.near(End::Front)), Measured::of(self.near(End::Back)));
        let inner = all.saturating_sub(front.leaves + back.leaves);
        let (leaves, _) = self.middle.leaves(front.elements, End::Back);
        let sampled = Measured::of(leaves.take(samples.min(inner)));
        ends + front.bytes + back.bytes + sampled.bytes_of(inner)
    }

    /// As Redis counts its nodes.
    pub(super) fn nodes(&self) -> Nodes {
        let ends = [&self.head, &self.tail].into_iter().filter(|pack| !pack.is_empty());
        let (leaves, _) = self.middle.leaves(0, End::Back);
        let mut nodes = Nodes { count: 0, bytes_open: 0, depth: self.depth };
        for len in ends.map(ListPack::byte_len).chain(leaves.map(Leaf::byte_len)) {
            nodes.count += 1;
            nodes.bytes_open += len;
        }
        nodes
    }

    pub(super) fn relocate(&mut self, mover: &mut Mover<'_>) {
        mover.tree(&mut self.middle);
        mover.pack(&mut self.head);
        mover.pack(&mut self.tail);
    }

    pub(super) fn free_effort(&self) -> usize {
        3 + self.middle.leaves_estimated()
    }

    pub(super) fn push_segment(&mut self, segment: Segment<'_>) {
        self.close(End::Back);
        self.middle.push(Leaf::from(segment), End::Back);
        self.settle(None);
    }

    pub(super) fn push(&mut self, end: End, text: &[u8], limit: PackLimit) {
        self.push_item(end, Item::text(text), text.len(), limit);
    }

    /// `len` is that of the text.
    #[inline]
    pub(super) fn push_item(&mut self, end: End, item: Item<'_>, len: usize, limit: PackLimit) {
        let pack = self.open(end);
        // What is large has no room either.
        if pack.is_empty() || !limit.has_room(pack, len) {
            return self.push_part(end, item, len, limit);
        }
        pack.push_back(item);
    }

    /// Pushes an element that begins a new part.
    #[cold]
    fn push_part(&mut self, end: End, item: Item<'_>, len: usize, limit: PackLimit) {
        self.close(end);
        match item {
            Item::Bytes(bytes) if limit.is_large(len) => self.middle.push(Leaf::plain(bytes), end),
            item => self.open(end).push_back(item),
        }
        self.settle(None);
    }

    #[inline]
    pub(super) fn pop<R>(&mut self, end: End, show: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        if self.open(end).is_empty()
            && let Some(blob) = self.refill(end)
        {
            return Some(show(Item::Bytes(&blob)));
        }
        let pack = self.open(end);
        let last = pack.last()?;
        let shown = show(pack.item(last)?);
        pack.remove(last);
        if pack.is_empty() {
            self.settle(None);
        }
        Some(shown)
    }

    /// Takes the part at an end out of the tree, that an empty pack be filled again: a large element
    /// is given back. Without any, the other end shares what it has.
    #[cold]
    fn refill(&mut self, end: End) -> Option<Blob> {
        let pack = match self.middle.pop(end).map(Leaf::into_open) {
            Some(Open::Plain(blob)) => {
                self.settle(None);
                return Some(blob);
            }
            Some(Open::Pack(pack)) => pack,
            None => {
                self.share(end);
                return None;
            }
        };
        *self.open(end) = match end {
            End::Front => reversed(&pack),
            End::Back => pack,
        };
        None
    }

    pub(super) fn set(&mut self, at: usize, text: &[u8], limit: PackLimit) {
        let head = self.head.len();
        let (pack, index) = match self.part(at) {
            Part::Head(at) => (&mut self.head, head - 1 - at),
            Part::Tail(at) => (&mut self.tail, at),
            Part::Middle(at) => {
                let set =
                    |leaf: &mut Leaf, at, after: &mut Vec<_>| leaf.set(at, text, limit, after);
                self.middle.edit(at, limit, set);
                return self.settle(Some(at));
            }
        };
        if limit.is_large(text.len()) || !limit.has_room(pack, text.len()) {
            // The tree knows how to split.
            self.close_part(at);
            return self.set(at, text, limit);
        }
        pack.replace(place(pack, index), Item::text(text));
    }

    pub(super) fn insert(&mut self, at: usize, text: &[u8], limit: PackLimit) {
        let head = self.head.len();
        let (pack, index) = match self.part(at) {
            _ if at == 0 => return self.push(End::Front, text, limit),
            _ if at >= self.len() => return self.push(End::Back, text, limit),
            // In reverse, before an element is behind it.
            Part::Head(at) => (&mut self.head, head - at),
            Part::Tail(at) => (&mut self.tail, at),
            Part::Middle(at) => {
                let add =
                    |leaf: &mut Leaf, at, after: &mut Vec<_>| leaf.insert(at, text, limit, after);
                self.middle.edit(at, limit, add);
                return self.settle(Some(at));
            }
        };
        if limit.is_large(text.len()) || !limit.has_room(pack, text.len()) {
            self.close_part(at);
            return self.insert(at, text, limit);
        }
        pack.insert(place(pack, index), &[Item::text(text)]);
    }

    pub(super) fn remove(&mut self, at: usize, count: usize, limit: PackLimit) {
        let end = at.saturating_add(count).min(self.len());
        let (head, middle) = (self.head.len(), self.middle.len());
        // Last part first: the numbers before it stay right.
        let behind = head + middle;
        if end > behind {
            let from = at.max(behind);
            self.tail.remove_many(place(&self.tail, from - behind), end - from);
        }
        let (from, until) = (at.max(head), end.min(behind));
        match until.saturating_sub(from) {
            0 => {}
            1 => {
                self.middle.edit(from - head, limit, |leaf, at, _| leaf.remove(at));
            }
            count => drop(self.middle.cut_out(from - head, count, limit)),
        }
        if at < head {
            let until = end.min(head);
            self.head.remove_many(place(&self.head, head - until), until - at);
        }
        self.settle(Some(from.saturating_sub(head)));
    }

    /// The whole as one pack, if that is within the limit. O(log n) if it isn't.
    pub(super) fn take_pack(&mut self, limit: PackLimit) -> Option<ListPack> {
        let len = self.len();
        let mut bytes = self.head.byte_len() + self.tail.byte_len();
        if !limit.allows(bytes.max(len * ENTRY_MIN), len) {
            return None;
        }
        for leaf in self.middle.leaves(0, End::Back).0 {
            bytes += leaf.byte_len();
            if leaf.is_plain() || !limit.allows(bytes, len) {
                return None;
            }
        }
        let mut whole = ListPack::with_capacity(bytes);
        self.head.iter().rev().for_each(|item| whole.push_back(item));
        for leaf in self.middle.leaves(0, End::Back).0 {
            if let Open::Pack(pack) = &*leaf.opened() {
                whole.append(pack);
            }
        }
        whole.append(&self.tail);
        Some(whole)
    }

    /// The open pack at an end.
    #[inline]
    fn open(&mut self, end: End) -> &mut ListPack {
        match end {
            End::Front => &mut self.head,
            End::Back => &mut self.tail,
        }
    }

    /// Moves the open pack at an end into the tree.
    fn close(&mut self, end: End) {
        if self.open(end).is_empty() {
            return;
        }
        let pack = std::mem::take(self.open(end));
        let pack = match end {
            End::Front => reversed(&pack),
            End::Back => pack,
        };
        self.middle.push(Leaf::pack(pack), end);
    }

    /// Moves the open pack that holds element number `at` into the tree.
    fn close_part(&mut self, at: usize) {
        self.close(if at < self.head.len() { End::Front } else { End::Back });
    }

    /// Gives the empty pack at an end, the tree being empty too, half of the other end's elements.
    fn share(&mut self, end: End) {
        let other = match end {
            End::Front => &mut self.tail,
            End::Back => &mut self.head,
        };
        // The nearer half is at the front of the other pack, in its order.
        let half = other.len().div_ceil(2);
        let rest = other.split_off(place(other, half));
        let nearer = std::mem::replace(other, rest);
        *self.open(end) = reversed(&nearer);
    }

    /// Compresses and opens leaves as the depth wants it, after a change at the ends or of the leaf
    /// that held element number `changed` of the tree.
    #[inline]
    fn settle(&mut self, changed: Option<usize>) {
        if self.depth > 0 && !self.middle.is_empty() {
            self.settle_leaves(changed);
        }
    }

    #[cold]
    fn settle_leaves(&mut self, changed: Option<usize>) {
        let (front, back) = (self.open_near(End::Front), self.open_near(End::Back));
        let inner = front..self.middle.len() - back.min(self.middle.len());
        if inner.is_empty() {
            return;
        }
        // What came or went at an end, or what overflowed there, has moved the next leaf; what was
        // cut into three has moved two.
        if let Some((_, after)) = self.compress(inner.start)
            && inner.contains(&after)
        {
            self.compress(after);
        }
        if let Some((Some(before), _)) = self.compress(inner.end - 1)
            && inner.contains(&before)
        {
            self.compress(before);
        }
        let Some(at) = changed.map(|at| at.min(self.middle.len() - 1)) else { return };
        // A leaf that was cut into two or three, or joined.
        let Some((before, after)) = self.beside(at) else { return };
        for at in [before, Some(at), Some(after)].into_iter().flatten() {
            if inner.contains(&at) {
                self.compress(at);
            }
        }
    }

    /// Numbers of the elements before and behind the leaf with element number `at` of the tree.
    fn beside(&self, at: usize) -> Option<(Option<usize>, usize)> {
        let (leaf, within) = self.middle.locate(at)?;
        Some(((at - within).checked_sub(1), at - within + leaf.weight()))
    }

    /// The leaves at an end that stay open, the last one first.
    fn near(&self, end: End) -> impl Iterator<Item = &Leaf> {
        let (pack, from, towards) = match end {
            End::Front => (&self.head, 0, End::Back),
            End::Back => (&self.tail, self.middle.len(), End::Front),
        };
        let depth = usize::try_from(self.depth).unwrap_or(usize::MAX);
        self.middle
            .leaves(from, towards)
            .0
            .take(depth.saturating_sub(usize::from(!pack.is_empty())))
    }

    /// Opens what is compressed of them; says how many elements they have.
    fn open_near(&mut self, end: End) -> usize {
        let (mut elements, mut compressed) = (0, Vec::new());
        for leaf in self.near(end) {
            if leaf.is_compressed() {
                compressed.push(elements);
            }
            elements += leaf.weight();
        }
        let last = self.middle.len() - 1;
        for before in compressed {
            let at = match end {
                End::Front => before,
                End::Back => last - before,
            };
            if let Some(leaf) = self.middle.leaf_at(at) {
                leaf.open();
            }
        }
        elements
    }

    /// Compresses the leaf with element number `at` of the tree, if that is worth it. The elements
    /// [beside](Self::beside) it.
    fn compress(&mut self, at: usize) -> Option<(Option<usize>, usize)> {
        let is_open = !self.middle.locate(at)?.0.is_compressed();
        if is_open && let Some(leaf) = self.middle.leaf_at(at) {
            leaf.compress();
        }
        self.beside(at)
    }
}

fn reversed(pack: &ListPack) -> ListPack {
    let mut out = ListPack::with_capacity(pack.byte_len());
    for item in pack.iter().rev() {
        out.push_back(item);
    }
    out
}
