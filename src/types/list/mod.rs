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
//!
//! With `list-compress-depth` parts farther from the ends than so many are compressed. What reads
//! one opens it for that time only; what changes one compresses it again.

mod compressed;
mod iter;
mod large;
mod leaf;
#[cfg(test)]
mod tests;

pub use compressed::Compressed;
pub use iter::Texts;
pub use leaf::Segment;

use crate::structures::cow_tree::End;
use crate::structures::listpack::{At, Item, ListPack};
use crate::structures::relocation::Mover;
use iter::Parts;
use large::Large;
use std::ops::ControlFlow;

/// What is set aside for the head of an element not yet packed.
const ELEMENT_OVERHEAD: usize = 8;
/// Packs that are bounded in elements are bounded in bytes too.
const COUNTED_BYTES_MAX: usize = 8192;
/// From so many matches on, in so small a part of the list, rebuilding is cheaper than removing.
const REBUILD_MIN: usize = 64;
const REBUILD_SHARE: usize = 32;
/// More open parts at an end than this are as many, as in Redis.
const DEPTH_MAX: u32 = 65_535;

/// How large a pack may become, and how far from the ends of a large list packs stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackLimit {
    bytes_max: usize,
    count_max: u32,
    /// See [`PackLimit::with_depth`].
    depth: u32,
}

// It is handed down in registers.
const _: () = assert!(size_of::<PackLimit>() == 2 * size_of::<usize>());

impl PackLimit {
    /// As the directive says it: a number of elements, or -1 to -5 for 4 to 64 KiB.
    pub fn of_directive(value: i64) -> Self {
        if let Ok(count) = usize::try_from(value) {
            let count_max = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
            return Self { bytes_max: COUNTED_BYTES_MAX, count_max, depth: 0 };
        }
        let doublings = value.saturating_neg().clamp(1, 5) - 1;
        Self { bytes_max: 4096 << doublings, count_max: u32::MAX, depth: 0 }
    }

    /// With so many parts at each end that are not compressed; 0 compresses none. A list keeps what
    /// it was when it became large.
    #[must_use]
    pub fn with_depth(self, depth: u32) -> Self {
        Self { depth: depth.min(DEPTH_MAX), ..self }
    }

    fn allows(self, bytes: usize, count: usize) -> bool {
        bytes <= self.bytes_max && count <= self.count_max as usize
    }

    /// Whether one more element of so many bytes may be added to a pack.
    #[inline]
    fn has_room(self, pack: &ListPack, len: usize) -> bool {
        self.allows(pack.byte_len() + len + ELEMENT_OVERHEAD, pack.len() + 1)
    }

    /// Whether an element of so many bytes stands by itself.
    fn is_large(self, len: usize) -> bool {
        len > self.bytes_max
    }

    fn half(self) -> Self {
        Self { bytes_max: self.bytes_max / 2, count_max: self.count_max / 2, ..self }
    }
}

/// What a large list consists of, for those who look inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// Packs and large elements.
    pub count: usize,
    /// Their bytes, were none compressed.
    pub bytes_open: usize,
    /// How many at each end are not compressed; 0 when none is.
    pub depth: u32,
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
        self.len() == other.len() && self.texts().eq(other.texts())
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

    /// Shows element number `at`. O(log n), and a walk through one pack.
    pub fn element<R>(&self, at: usize, show: impl FnOnce(Item<'_>) -> R) -> Option<R> {
        if at >= self.len() {
            return None;
        }
        let mut show = Some(show);
        let shown = self
            .try_show(at, End::Back, |item| ControlFlow::Break(show.take().map(|show| show(item))));
        shown.break_value()?
    }

    /// Shows elements one by one, from number `at` on towards an end, that one included, until
    /// `show` breaks. With `at` beyond the last: none towards the back, all towards the front.
    /// O(log n) to begin.
    #[inline]
    pub fn try_show<B>(
        &self,
        at: usize,
        towards: End,
        show: impl FnMut(Item<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.parts(at, towards).show(show)
    }

    /// Shows `count` elements, or as many as there are, like [`List::try_show`].
    #[inline]
    pub fn show(&self, at: usize, towards: End, count: usize, mut show: impl FnMut(Item<'_>)) {
        let mut left = count;
        if left == 0 {
            return;
        }
        // Broken off or not, all is seen.
        let _ = self.try_show(at, towards, |item| {
            show(item);
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }

    /// The elements as texts, first to last.
    pub fn texts(&self) -> Texts<'_> {
        self.texts_from(0, End::Back)
    }

    /// The texts of the elements that [`List::try_show`] shows: for who keeps them, or can't be
    /// called. What is compressed is copied.
    pub fn texts_from(&self, at: usize, towards: End) -> Texts<'_> {
        Texts::new(self.parts(at, towards))
    }

    #[inline]
    fn parts(&self, at: usize, towards: End) -> Parts<'_> {
        match &self.0 {
            Form::Small(pack) => Parts::of_pack(pack, at, towards),
            Form::Large(large) => large.parts(at, towards),
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

    /// What a large one consists of. O(n / pack).
    pub fn nodes(&self) -> Option<Nodes> {
        match &self.0 {
            Form::Small(_) => None,
            Form::Large(large) => Some(large.nodes()),
        }
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
        Self(Form::Large(Box::new(Large::new(pack, limit.depth))))
    }

    /// Puts a segment read from a file behind all others.
    pub fn push_segment(&mut self, segment: Segment<'_>, limit: PackLimit) {
        self.enlarged(limit.depth).push_segment(segment);
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
        let first = match from {
            End::Front => 0,
            End::Back => len,
        };
        let (mut found, mut step) = (Vec::new(), 0);
        // Broken off or not, all is seen.
        let _ = self.try_show(first, from.opposite(), |item| {
            if found.len() == count {
                return ControlFlow::Break(());
            }
            if sought.is(item) {
                found.push(match from {
                    End::Front => step,
                    End::Back => len - 1 - step,
                });
            }
            step += 1;
            ControlFlow::Continue(())
        });
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
        let depth = match &self.0 {
            Form::Small(_) => limit.depth,
            Form::Large(large) => large.depth(),
        };
        let (mut large, mut at) = (Large::new(ListPack::new(), depth), 0);
        self.show(0, End::Back, usize::MAX, |item| {
            if without.next_if_eq(&&at).is_none() {
                large.push_item(End::Back, item, item.text_len(), limit);
            }
            at += 1;
        });
        self.0 = Form::Large(Box::new(large));
        self.shrink(limit);
    }

    /// Becomes large if one more element is too much for a pack, as [`List::insert`] does.
    pub fn make_room_for(&mut self, element: &[u8], limit: PackLimit) {
        self.make_room(element.len(), 1, limit);
    }

    /// Becomes large if elements of so many bytes in all are too much for a pack.
    fn make_room(&mut self, bytes: usize, count: usize, limit: PackLimit) {
        if let Form::Small(pack) = &self.0
            && !limit.allows(pack.byte_len() + bytes, pack.len() + count)
        {
            self.enlarged(limit.depth);
        }
    }

    fn enlarged(&mut self, depth: u32) -> &mut Large {
        if let Form::Small(pack) = &mut self.0 {
            let mut pack = std::mem::take(pack);
            pack.shrink();
            self.0 = Form::Large(Box::new(Large::new(pack, depth)));
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
