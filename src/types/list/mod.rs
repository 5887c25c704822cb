//! A list: one listpack while small, a tree of listpacks with an open pack at either end when large.
//!
//! ```text
//!   large:   head  |  middle: tree of full packs and large elements  |  tail
//! ```
//!
//! Pushing and popping touch the open packs only; a full one moves into the tree as a whole. The
//! head's pack is in reverse, so that both ends grow and shrink at the end of a pack, where nothing
//! has to be moved. Elements too large for a pack stand in the tree by themselves.
//!
//! The directive `list-max-listpack-size` bounds packs in bytes or in elements ([`PackLimit`]). A
//! list becomes large when its pack would exceed it, and small again when half of it would do. It is
//! given with each change: it may change at any time.

mod iter;
mod large;
mod leaf;
#[cfg(test)]
mod tests;

pub use iter::Iter;
pub use leaf::Segment;

use crate::structures::cow_tree::End;
use crate::structures::listpack::{At, Item, ListPack};
use crate::structures::relocation::Mover;
use large::Large;

/// What is set aside for the head of an element not yet packed.
const ELEMENT_OVERHEAD: usize = 8;
/// Packs that are bounded in elements are bounded in bytes too.
const COUNTED_BYTES_MAX: usize = 8192;
/// From so many matches on, in so small a part of the list, rebuilding is cheaper than removing.
const REBUILD_MIN: usize = 64;
const REBUILD_SHARE: usize = 32;

/// How large a pack may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackLimit {
    bytes_max: usize,
    count_max: usize,
}

impl PackLimit {
    /// As the directive says it: a number of elements, or -1 to -5 for 4 to 64 KiB.
    pub fn of_directive(value: i64) -> Self {
        if let Ok(count) = usize::try_from(value) {
            return Self { bytes_max: COUNTED_BYTES_MAX, count_max: count.max(1) };
        }
        let doublings = value.saturating_neg().clamp(1, 5) - 1;
        Self { bytes_max: 4096 << doublings, count_max: usize::MAX }
    }

    fn allows(self, bytes: usize, count: usize) -> bool {
        bytes <= self.bytes_max && count <= self.count_max
    }

    /// Whether one more element of so many bytes may be added to a pack.
    #[inline]
    fn has_room(self, pack: &ListPack, len: usize) -> bool {
        pack.is_empty() || self.allows(pack.byte_len() + len + ELEMENT_OVERHEAD, pack.len() + 1)
    }

    /// Whether an element of so many bytes stands by itself.
    fn is_large(self, len: usize) -> bool {
        len > self.bytes_max
    }

    fn half(self) -> Self {
        Self { bytes_max: self.bytes_max / 2, count_max: self.count_max / 2 }
    }
}

/// A list. A clone is O(1): it copies one pack while small, two while large, and shares the rest.
#[derive(Clone, Debug)]
pub struct List(Form);

#[derive(Clone, Debug)]
enum Form {
    Small(ListPack),
    Large(Box<Large>),
}

impl Default for List {
    fn default() -> Self {
        Self(Form::Small(ListPack::new()))
    }
}

impl PartialEq for List {
    /// Whether both have the same elements, however they are kept. O(n).
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().zip(other.iter()).all(|(own, other)| own.to_vec() == other.to_vec())
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Reading.
impl List {
    /// Number of elements. O(1).
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Small(pack) => pack.len(),
            Form::Large(large) => large.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As OBJECT ENCODING prints it.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Small(_) => "listpack",
            Form::Large(_) => "quicklist",
        }
    }

    /// Element number `at`. O(log n), and a walk through one pack.
    pub fn element(&self, at: usize) -> Option<Item<'_>> {
        if at < self.len() { self.iter_from(at, End::Back).next() } else { None }
    }

    /// All elements, first to last.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0, End::Back)
    }

    /// The elements from number `at` on towards an end, that one included. With `at` beyond the
    /// last: none towards the back, all towards the front. O(log n) to begin.
    pub fn iter_from(&self, at: usize, towards: End) -> Iter<'_> {
        match &self.0 {
            Form::Small(pack) => Iter::of_pack(pack, at, towards),
            Form::Large(large) => large.iter_from(at, towards),
        }
    }

    /// The listpack of a small one.
    pub fn as_pack(&self) -> Option<&ListPack> {
        match &self.0 {
            Form::Small(pack) => Some(pack),
            Form::Large(_) => None,
        }
    }

    /// What it consists of, in order; for files.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let (pack, large) = match &self.0 {
            Form::Small(pack) => (Some(Segment::of_pack(pack)), None),
            Form::Large(large) => (None, Some(large.segments())),
        };
        pack.into_iter().chain(large.into_iter().flatten())
    }

    /// Bytes allocated; of a large list estimated from `samples` packs, 0 being all.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        match &self.0 {
            Form::Small(pack) => pack.heap_bytes(),
            Form::Large(large) => large.memory_bytes(samples),
        }
    }

    /// Allocations that freeing it gives back, about.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Small(_) => 1,
            Form::Large(large) => large.free_effort(),
        }
    }
}

/// Changing. What isn't said otherwise is O(log n), and a move within one pack.
impl List {
    /// Moves what lies badly; see [`Mover`].
    pub fn relocate(&mut self, mover: &mut Mover<'_>) {
        match &mut self.0 {
            Form::Small(pack) => mover.pack(pack),
            Form::Large(large) => large.relocate(mover),
        }
    }

    /// A small list of these elements.
    pub fn of_small(pack: ListPack) -> Self {
        Self(Form::Small(pack))
    }

    /// Takes over a pack read from a file.
    pub fn of_pack(pack: ListPack, limit: PackLimit) -> Self {
        if limit.allows(pack.byte_len(), pack.len()) {
            return Self(Form::Small(pack));
        }
        Self(Form::Large(Box::new(Large::of_pack(pack))))
    }

    /// Puts a segment read from a file behind all others.
    pub fn push_segment(&mut self, segment: Segment<'_>) {
        self.enlarged().push_segment(segment);
    }

    /// To be called after the last segment: a list that fits one pack becomes small.
    pub fn settle_segments(&mut self, limit: PackLimit) {
        self.shrink_to(limit);
    }

    /// Adds elements at an end, one after the other. Amortized O(1) each.
    pub fn push<'a>(
        &mut self,
        end: End,
        elements: impl Iterator<Item = &'a [u8]> + Clone,
        limit: PackLimit,
    ) {
        let (mut bytes, mut count) = (0, 0);
        for element in elements.clone() {
            bytes += element.len();
            count += 1;
        }
        self.make_room(bytes, count, limit);
        for element in elements {
            match &mut self.0 {
                Form::Small(pack) => match end {
                    End::Front => pack.push_front(Item::text(element)),
                    End::Back => pack.push_back(Item::text(element)),
                },
                Form::Large(large) => large.push(end, element, limit),
            }
        }
    }

    /// Takes the element at an end off, after showing it. Amortized O(1).
    pub fn pop<R>(
        &mut self,
        end: End,
        limit: PackLimit,
        show: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        let shown = match &mut self.0 {
            Form::Small(pack) => {
                let at = match end {
                    End::Front => pack.first()?,
                    End::Back => pack.last()?,
                };
                let shown = show(pack.item(at)?);
                pack.remove(at);
                shown
            }
            Form::Large(large) => large.pop(end, show)?,
        };
        self.shrink(limit);
        Some(shown)
    }

    /// Puts an element in the place of number `at`; whether there is one.
    pub fn set(&mut self, at: usize, element: &[u8], limit: PackLimit) -> bool {
        if at >= self.len() {
            return false;
        }
        self.make_room(element.len(), 1, limit);
        match &mut self.0 {
            Form::Small(pack) => {
                if let Some(place) = pack.nth(at) {
                    pack.replace(place, Item::text(element));
                }
            }
            Form::Large(large) => large.set(at, element, limit),
        }
        self.shrink(limit);
        true
    }

    /// Inserts an element before number `at`, or at the end.
    pub fn insert(&mut self, at: usize, element: &[u8], limit: PackLimit) {
        self.make_room(element.len(), 1, limit);
        match &mut self.0 {
            Form::Small(pack) => {
                pack.insert(pack.nth(at).unwrap_or(pack.end()), &[Item::text(element)]);
            }
            Form::Large(large) => large.insert(at, element, limit),
        }
    }

    /// Removes `count` elements from number `at` on; fewer if there are fewer. O(log n), and the
    /// freeing.
    pub fn remove(&mut self, at: usize, count: usize, limit: PackLimit) {
        match &mut self.0 {
            Form::Small(pack) => {
                if let Some(place) = pack.nth(at) {
                    pack.remove_many(place, count);
                }
            }
            Form::Large(large) => large.remove(at, count, limit),
        }
        self.shrink(limit);
    }

    /// Removes elements equal to `element`, at most `count`, beginning at an end; says how many.
    /// O(n).
    pub fn remove_equal(
        &mut self,
        from: End,
        element: &[u8],
        count: usize,
        limit: PackLimit,
    ) -> usize {
        let sought = Sought::new(element);
        let len = self.len();
        let mut found: Vec<usize> = match from {
            End::Front => {
                let all = self.iter().enumerate();
                all.filter(|(_, item)| sought.is(*item)).map(|(at, _)| at).take(count).collect()
            }
            End::Back => {
                let all = self.iter_from(len, End::Front).enumerate();
                let equal = all.filter(|(_, item)| sought.is(*item)).take(count);
                equal.map(|(steps, _)| len - 1 - steps).collect()
            }
        };
        if from == End::Front {
            found.reverse();
        }
        if found.len() > REBUILD_MIN && found.len() > len / REBUILD_SHARE {
            self.rebuild_without(&found, limit);
        } else {
            // Last first, so that numbers stay right.
            for at in &found {
                self.remove(*at, 1, limit);
            }
        }
        found.len()
    }

    /// Makes the list anew without the numbers of `without`, which are descending.
    fn rebuild_without(&mut self, without: &[usize], limit: PackLimit) {
        let mut without = without.iter().rev().peekable();
        let mut large = Large::default();
        for (at, item) in self.iter().enumerate() {
            if without.next_if_eq(&&at).is_none() {
                large.push_item(End::Back, item, item.text_len(), limit);
            }
        }
        self.0 = Form::Large(Box::new(large));
        self.shrink(limit);
    }

    /// Becomes large if elements of so many bytes in all are too much for a pack.
    fn make_room(&mut self, bytes: usize, count: usize, limit: PackLimit) {
        if let Form::Small(pack) = &self.0
            && !limit.allows(pack.byte_len() + bytes, pack.len() + count)
        {
            self.enlarged();
        }
    }

    fn enlarged(&mut self) -> &mut Large {
        if let Form::Small(pack) = &mut self.0 {
            let mut pack = std::mem::take(pack);
            pack.shrink();
            self.0 = Form::Large(Box::new(Large::of_pack(pack)));
        }
        match &mut self.0 {
            Form::Large(large) => large,
            Form::Small(_) => unreachable!("was just enlarged"),
        }
    }

    /// Becomes small if half of what is allowed is enough.
    #[inline]
    fn shrink(&mut self, limit: PackLimit) {
        if matches!(self.0, Form::Large(_)) {
            self.shrink_to(limit.half());
        }
    }

    fn shrink_to(&mut self, limit: PackLimit) {
        if let Form::Large(large) = &mut self.0
            && let Some(pack) = large.take_pack(limit)
        {
            self.0 = Form::Small(pack);
        }
    }
}

/// An element to compare with: its number is read once.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    text: &'a [u8],
    packed: Item<'a>,
}

impl<'a> Sought<'a> {
    /// To be compared with `text`.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, packed: Item::text(text) }
    }

    /// Whether `item` reads as the text.
    #[inline]
    pub fn is(&self, item: Item<'_>) -> bool {
        match (item, self.packed) {
            (Item::Int(own), Item::Int(sought)) => own == sought,
            (Item::Bytes(own), _) => own == self.text,
            (Item::Int(_), Item::Bytes(_)) => false,
        }
    }
}

/// Item number `index` of a pack, or its end.
fn place(pack: &ListPack, index: usize) -> At {
    pack.nth(index).unwrap_or(pack.end())
}
