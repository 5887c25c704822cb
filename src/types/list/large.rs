//! A list beyond one pack.

use super::iter::{Iter, Oriented};
use super::leaf::{Leaf, Segment};
use super::{PackLimit, place};
use crate::base::blob::Blob;
use crate::structures::cow_tree::{CowTree, End};
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
}

/// Which part an element is in, and its number there.
enum Part {
    Head(usize),
    Middle(usize),
    Tail(usize),
}

impl Large {
    pub(super) fn of_pack(pack: ListPack) -> Self {
        Self { tail: pack, ..Self::default() }
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

    pub(super) fn iter_from(&self, at: usize, towards: End) -> Iter<'_> {
        let head = Oriented { pack: &self.head, is_reversed: true };
        let tail = Oriented { pack: &self.tail, is_reversed: false };
        let last = match towards {
            End::Front => head,
            End::Back => tail,
        };
        let rest = |within: usize| {
            let (leaves, within) = self.middle.leaves(within, towards);
            (Iter::of_rest(Some(leaves), last, towards), within)
        };
        match (self.part(at), towards) {
            (Part::Head(at), End::Front) => Iter::of_end(head, at, towards),
            (Part::Head(at), End::Back) => rest(0).0.beginning(head, at),
            (Part::Middle(at), _) => {
                let (iter, within) = rest(at);
                iter.beginning_within(within)
            }
            (Part::Tail(at), End::Back) => Iter::of_end(tail, at, towards),
            (Part::Tail(at), End::Front) => {
                let iter = rest(self.middle.len()).0;
                // Beyond the last element stands for the last.
                match self.tail.len().checked_sub(1) {
                    Some(last) => iter.beginning(tail, at.min(last)),
                    None => iter,
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
        let (leaves, _) = self.middle.leaves(0, End::Back);
        let (mut bytes, mut count) = (0, 0);
        for leaf in leaves.take(if samples == 0 { usize::MAX } else { samples }) {
            bytes += leaf.heap_bytes() + LEAF_OVERHEAD;
            count += 1;
        }
        // All were seen, or the others are taken to be like these.
        let all = if count == samples { self.middle.leaves_estimated() } else { count };
        ends + bytes / count.max(1) * all
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
        let leaf = match segment {
            Segment::Pack(pack) => Leaf::Pack(pack.into_owned()),
            Segment::Plain(bytes) => Leaf::Plain(Blob::new(bytes.into_owned())),
        };
        self.middle.push(leaf, End::Back);
    }

    pub(super) fn push(&mut self, end: End, text: &[u8], limit: PackLimit) {
        self.push_item(end, Item::text(text), text.len(), limit);
    }

    /// `len` is that of the text.
    #[inline]
    pub(super) fn push_item(&mut self, end: End, item: Item<'_>, len: usize, limit: PackLimit) {
        if let Item::Bytes(bytes) = item
            && limit.is_large(len)
        {
            self.close(end);
            self.middle.push(Leaf::Plain(Blob::new(bytes.to_vec())), end);
            return;
        }
        if !limit.has_room(self.open(end), len) {
            self.close(end);
        }
        self.open(end).push_back(item);
    }

    pub(super) fn pop<R>(&mut self, end: End, show: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        if self.open(end).is_empty() {
            match self.middle.pop(end) {
                Some(Leaf::Plain(blob)) => return Some(show(Item::Bytes(&blob))),
                Some(Leaf::Pack(pack)) => {
                    *self.open(end) = match end {
                        End::Front => reversed(&pack),
                        End::Back => pack,
                    }
                }
                None => self.share(end),
            }
        }
        let pack = self.open(end);
        let last = pack.last()?;
        let shown = show(pack.item(last)?);
        pack.remove(last);
        Some(shown)
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
                return;
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
                return;
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
    }

    /// The whole as one pack, if that is within the limit. O(log n) if it isn't.
    pub(super) fn take_pack(&mut self, limit: PackLimit) -> Option<ListPack> {
        let len = self.len();
        let mut bytes = self.head.byte_len() + self.tail.byte_len();
        if !limit.allows(bytes.max(len * ENTRY_MIN), len) {
            return None;
        }
        for leaf in self.middle.leaves(0, End::Back).0 {
            let Leaf::Pack(pack) = leaf else { return None };
            bytes += pack.byte_len();
            if !limit.allows(bytes, len) {
                return None;
            }
        }
        let mut whole = ListPack::with_capacity(bytes);
        self.head.iter().rev().for_each(|item| whole.push_back(item));
        for leaf in self.middle.leaves(0, End::Back).0 {
            if let Leaf::Pack(pack) = leaf {
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
        let pack = std::mem::take(self.open(end));
        let pack = match end {
            End::Front => reversed(&pack),
            End::Back => pack,
        };
        self.middle.push(Leaf::Pack(pack), end);
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
}

fn reversed(pack: &ListPack) -> ListPack {
    let mut out = ListPack::with_capacity(pack.byte_len());
    for item in pack.iter().rev() {
        out.push_back(item);
    }
    out
}
