//! A leaf of a large sorted set: scores and members in one allocation.
//!
//! ```text
//!   rows, in order: score f64, offset and length u12 each, tag u8 | free | members, the latest first
//! ```
//!
//! Rows stand side by side, so that finding a score reads few cache lines, and are all that moves
//! when elements come and go: a member stays where it was put, its offset counted from the end.
//! What a gone member leaves is a hole, given to the next one that fits: holes are chained, each
//! begins with the offset of the next and its own length, two bytes each. What is too short or too
//! many is taken again when there is no other room, by writing the whole leaf anew. A tag is the low
//! byte of a member's hash, by which a small set is searched without an index. 12 bytes beside the
//! member's own. Small leaves have the capacity of an allocator's class; those that are half full have that
//! of all others, so that a large set's memory is of one class and none is lost between classes.
//!
//! 1. Elements ascend by score, those of equal score by member.
//! 2. At most [`COUNT_MAX`] elements, and [`BYTES_MAX`] bytes, unless it is a single element: that
//!    may be longer than offsets can say, and then has a buffer of just its size.
//! 3. Unless `is_key_stale`, the key that the parent has is that of the first element.

#![allow(clippy::float_cmp, reason = "no score is NaN, and equal ones are told by member")]

use super::Cut;
use crate::structures::cow_tree;
use crate::structures::prefetch::prefetch;
use crate::structures::relocation::address_of;
use crate::structures::size_class::size_class;
use std::ops::Range;
use std::sync::Arc;

/// Most elements of a leaf: what an insertion moves, and what a write under a snapshot copies.
pub(super) const COUNT_MAX: usize = if cfg!(test) { 6 } else { 128 };
/// Most bytes of a leaf with several elements.
const BYTES_MAX: usize = 2048;
/// From so many bytes on, a leaf of [`ROOMY_COUNT`] elements gets the capacity of a full one.
const ROOMY_BYTES: usize = if cfg!(test) { 100 } else { BYTES_MAX * 3 / 8 };
/// Leaves of a few long members are measured to fit.
const ROOMY_COUNT: usize = if cfg!(test) { 4 } else { 16 };
/// Below it a leaf would better be joined.
const SPARSE_BYTES: usize = BYTES_MAX * 3 / 8;
/// What a hole says of itself: shorter ones are not chained.
const HOLE_HEAD: usize = 2 * size_of::<u16>();
/// So many holes are tried: mostly the first will do, as members are of about one length.
const HOLES_TRIED: usize = 4;
/// How full two leaves may be after they shared with a third, or became one.
const SHARED_BYTES: usize = BYTES_MAX * 7 / 8;
const SHARED_COUNT: usize = COUNT_MAX * 7 / 8;
const SCORE: usize = size_of::<f64>();
const CACHE_LINE: usize = 64;
const ROW: usize = SCORE + size_of::<u32>();
const PLACE_BITS: u32 = 12;
const PLACE_MASK: u32 = (1 << PLACE_BITS) - 1;

const _: () = assert!(BYTES_MAX <= 1 << PLACE_BITS && size_class(BYTES_MAX) == BYTES_MAX);
const _: () = assert!(COUNT_MAX <= u8::MAX as usize);

/// See the head of the file.
#[derive(Clone, Debug)]
pub(super) struct Run {
    count: u8,
    /// Whether the first element may have changed since the parent was told its key. So that it
    /// isn't read, which would be a miss of the cache, where others change.
    is_key_stale: bool,
    /// Bytes at the end that are members, or were; [`BYTES_MAX`] at most.
    heap: u16,
    /// Bytes of gone members.
    dead: u16,
    /// Offset of the first hole; 0 is none.
    hole: u16,
    bytes: Box<[u8]>,
}

impl Default for Run {
    fn default() -> Self {
        let bytes = Box::default();
        Self { count: 0, is_key_stale: true, heap: 0, dead: 0, hole: 0, bytes }
    }
}

/// An element to be put in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) score: f64,
    pub(super) member: &'a [u8],
    pub(super) tag: u8,
}

/// What an inner node keeps of a leaf: its first element.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) score: f64,
    member: Name,
}

/// A member. 24 bytes; longer ones are shared.
#[derive(Clone, Debug)]
enum Name {
    Short(u8, [u8; SHORT_MAX]),
    Long(Arc<[u8]>),
}

const SHORT_MAX: usize = 22;

impl Name {
    fn new(member: &[u8]) -> Self {
        match u8::try_from(member.len()) {
            Ok(len) if member.len() <= SHORT_MAX => {
                let mut bytes = [0; SHORT_MAX];
                bytes[..member.len()].copy_from_slice(member);
                Self::Short(len, bytes)
            }
            _ => Self::Long(member.into()),
        }
    }
}

impl Key {
    pub(super) fn member(&self) -> &[u8] {
        match &self.member {
            Name::Short(len, bytes) => &bytes[..usize::from(*len)],
            Name::Long(bytes) => bytes,
        }
    }

    /// Whether the element stands before another or is it.
    #[inline]
    pub(super) fn is_up_to(&self, score: f64, member: &[u8]) -> bool {
        self.score < score || self.score == score && self.member() <= member
    }
}

type Row = [u8; ROW];

fn score_of(row: &Row) -> f64 {
    row.first_chunk().map_or(0.0, |score| f64::from_le_bytes(*score))
}

/// Offset and length of a member, and its tag.
fn place_of(row: &Row) -> (usize, usize, u8) {
    let [.., a, b, c, d] = *row;
    let word = u32::from_le_bytes([a, b, c, d]);
    let [tag, ..] = word.to_le_bytes();
    ((word >> 8 & PLACE_MASK) as usize, (word >> (8 + PLACE_BITS)) as usize, tag)
}

fn row_of(score: f64, offset: usize, len: usize, tag: u8) -> Row {
    let bits = |count: usize| u32::try_from(count).unwrap_or(0) & PLACE_MASK;
    let word = bits(len) << (8 + PLACE_BITS) | bits(offset) << 8 | u32::from(tag);
    let mut row = [0; ROW];
    row[..SCORE].copy_from_slice(&score.to_le_bytes());
    row[SCORE..].copy_from_slice(&word.to_le_bytes());
    row
}

fn short(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

fn tiny(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// What a leaf of so many bytes and elements gets.
fn capacity(bytes: usize, count: usize) -> usize {
    let is_roomy = bytes > ROOMY_BYTES && count >= ROOMY_COUNT;
    if is_roomy && bytes <= BYTES_MAX { BYTES_MAX } else { size_class(bytes) }
}

/// Reading.
impl Run {
    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.count)
    }

    #[inline]
    fn rows(&self) -> &[Row] {
        &self.bytes.as_chunks().0[..self.len()]
    }

    /// Starts loading what an insertion reads and writes.
    #[inline]
    pub(super) fn prefetch(&self) {
        for line in (0..ROW * self.len()).step_by(CACHE_LINE) {
            prefetch(self.bytes.as_ptr().wrapping_add(line));
        }
        // Where the next member is put, mostly.
        let offset = if self.hole == 0 { self.heap } else { self.hole };
        prefetch(self.bytes.as_ptr().wrapping_add(self.bytes.len() - usize::from(offset)));
    }

    /// Whether an element of this score would surely come into this leaf, and not at its edge.
    #[inline]
    pub(super) fn surrounds(&self, score: f64) -> bool {
        let last = self.len().wrapping_sub(1);
        last < self.len() && self.score(0) < score && score < self.score(last)
    }

    #[inline]
    pub(super) fn score(&self, index: usize) -> f64 {
        score_of(&self.rows()[index])
    }

    /// Whether it is a single element, longer than offsets can say.
    #[inline]
    fn is_oversize(&self) -> bool {
        self.bytes.len() > BYTES_MAX
    }

    #[inline]
    pub(super) fn member(&self, index: usize) -> &[u8] {
        self.member_of(&self.rows()[index])
    }

    #[inline]
    fn member_of(&self, row: &Row) -> &[u8] {
        if self.is_oversize() {
            return &self.bytes[ROW..];
        }
        let (offset, len, _) = place_of(row);
        &self.bytes[self.bytes.len() - offset..][..len]
    }

    /// The low byte of a member's hash, as it was given.
    pub(super) fn tag(&self, index: usize) -> u8 {
        place_of(&self.rows()[index]).2
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that its elements need.
    fn live(&self) -> usize {
        if self.is_oversize() {
            return self.bytes.len();
        }
        ROW * self.len() + usize::from(self.heap - self.dead)
    }

    /// Bytes that some of them need.
    fn bytes_of(&self, range: Range<usize>) -> usize {
        self.rows()[range].iter().map(|row| ROW + self.member_of(row).len()).sum()
    }

    /// Number of elements whose score is below `score`, or not above it.
    #[inline]
    fn scores_before(&self, score: f64, with_equal: bool) -> usize {
        let rows = self.rows();
        if with_equal {
            cow_tree::partition_point(rows, |row| score_of(row) <= score)
        } else {
            cow_tree::partition_point(rows, |row| score_of(row) < score)
        }
    }

    /// Number of elements of a range of equal scores whose member is below `member`.
    fn members_before(&self, equal: Range<usize>, member: &[u8], with_equal: bool) -> usize {
        let below = self.rows()[equal.clone()].partition_point(|row| {
            let own = self.member_of(row);
            own < member || with_equal && own == member
        });
        equal.start + below
    }

    /// Where an element is, else where it would come.
    pub(super) fn position(&self, score: f64, member: &[u8]) -> Result<usize, usize> {
        let low = self.scores_before(score, false);
        let is_equal = |row: &&Row| score_of(row) == score;
        // Mostly nobody else has the score.
        let equal = match self.rows().get(low..low + 2) {
            Some([_, second]) if !is_equal(&second) => 1,
            _ => self.rows()[low..].iter().take_while(is_equal).count(),
        };
        let rows = &self.rows()[low..low + equal.min(self.len() - low)];
        let below = match rows {
            [only] if !is_equal(&only) => return Err(low),
            [only] => usize::from(self.member_of(only) < member),
            _ => rows.partition_point(|row| self.member_of(row) < member),
        };
        let found = rows.get(below).is_some_and(|row| self.member_of(row) == member);
        if found { Ok(low + below) } else { Err(low + below) }
    }

    /// Number of elements before a cut.
    pub(super) fn rank_at(&self, cut: Cut<'_>) -> usize {
        match cut {
            Cut::Start => 0,
            Cut::End => self.len(),
            Cut::BeforeScore(score) => self.scores_before(score, false),
            Cut::AfterScore(score) => self.scores_before(score, true),
            Cut::BeforeMember(member) => self.members_before(0..self.len(), member, false),
            Cut::AfterMember(member) => self.members_before(0..self.len(), member, true),
        }
    }

    /// Where a member is, found by its tag. O(n).
    pub(super) fn find(&self, member: &[u8], tag: u8) -> Option<usize> {
        let is_sought = |row: &Row| row[SCORE] == tag && self.member_of(row) == member;
        self.rows().iter().position(is_sought)
    }
}

/// Changing.
impl Run {
    pub(super) fn of(element: Element<'_>) -> Self {
        let mut run = Self::default();
        run.put(0, element);
        run
    }

    /// Whether the element can be added to these.
    fn has_room(&self, element: Element<'_>) -> bool {
        let needed = self.live() + ROW + element.member.len();
        self.count == 0 || self.len() < COUNT_MAX && needed <= BYTES_MAX
    }

    /// Inserts an element at its place; what comes too much goes to `after`.
    pub(super) fn insert(&mut self, at: usize, element: Element<'_>, after: &mut Vec<Self>) {
        if self.has_room(element) {
            self.put(at, element);
        } else if at == self.len() {
            // Ascending elements fill their leaves.
            after.push(Self::of(element));
        } else if at == 0 {
            after.push(std::mem::replace(self, Self::of(element)));
        } else {
            let half = self.middle();
            let mut right = cow_tree::Leaf::split_off(self, half);
            let (target, within) =
                if at <= half { (&mut *self, at) } else { (&mut right, at - half) };
            if target.has_room(element) {
                target.put(within, element);
                after.push(right);
            } else {
                // A long member stands by itself, whether the halves could be larger or not.
                let rest = cow_tree::Leaf::split_off(target, within);
                let alone = Self::of(element);
                after.extend(if at <= half { [alone, rest, right] } else { [right, alone, rest] });
            }
        }
    }

    /// Where to split: half of the elements, or of the bytes where members are long.
    fn middle(&self) -> usize {
        if self.len() >= COUNT_MAX {
            return self.len() / 2;
        }
        self.within(self.live() / 2).clamp(1, self.len() - 1)
    }

    /// How many of the first elements have so many bytes together, at most.
    fn within(&self, bytes: usize) -> usize {
        let mut sum = 0;
        let is_beyond = |row: &Row| {
            sum += ROW + self.member_of(row).len();
            sum > bytes
        };
        self.rows().iter().position(is_beyond).unwrap_or(self.len())
    }

    fn put(&mut self, at: usize, element: Element<'_>) {
        let Element { score, member, tag } = element;
        let (count, len) = (self.len(), member.len());
        if ROW + len > BYTES_MAX {
            debug_assert_eq!(count, 0, "it stands by itself");
            self.bytes = [&row_of(score, 0, 0, tag), member].concat().into();
            self.count = 1;
            return;
        }
        let offset = self.fill_hole(len).unwrap_or_else(|| self.extend_heap(len));
        let start = self.bytes.len() - offset;
        self.bytes[start..start + len].copy_from_slice(member);
        let rows = &mut self.bytes.as_chunks_mut::<ROW>().0[..=count];
        rows.copy_within(at..count, at + 1);
        rows[at] = row_of(score, offset, len, tag);
        self.count += 1;
        self.is_key_stale |= at == 0;
    }

    /// Room for a row and so many bytes behind all members; gives the bytes' offset.
    fn extend_heap(&mut self, len: usize) -> usize {
        let count = self.len();
        if ROW * (count + 1) + usize::from(self.heap) + len > self.bytes.len() {
            let needed = self.live() + ROW + len;
            let fits = needed <= self.bytes.len();
            let capacity = if fits { self.bytes.len() } else { capacity(needed, count + 1) };
            *self = self.copy(0..count, capacity);
        }
        let offset = usize::from(self.heap) + len;
        self.heap = short(offset);
        offset
    }

    /// The offset of a hole of so many bytes or more, which is one no longer; there must be room
    /// for a row. What it has too much stays dead.
    fn fill_hole(&mut self, len: usize) -> Option<usize> {
        let rows_end = ROW * (self.len() + 1);
        if self.hole == 0 || rows_end + usize::from(self.heap) > self.bytes.len() {
            return None;
        }
        let (mut before, mut offset) = (0, self.hole);
        for _ in 0..HOLES_TRIED {
            let (next, room) = self.hole_at(offset)?;
            if usize::from(room) >= len {
                if before == 0 {
                    self.hole = next;
                } else {
                    self.set_hole(before, next, self.hole_at(before)?.1);
                }
                self.dead -= short(len);
                return Some(usize::from(offset));
            }
            (before, offset) = (offset, next);
        }
        None
    }

    /// What a hole says: the offset of the next, and its length. None for no hole.
    fn hole_at(&self, offset: u16) -> Option<(u16, u16)> {
        let start = self.bytes.len().checked_sub(usize::from(offset))?;
        let [a, b, c, d] = *self.bytes[start..].first_chunk::<HOLE_HEAD>()?;
        Some((u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])))
    }

    fn set_hole(&mut self, offset: u16, next: u16, len: u16) {
        let start = self.bytes.len() - usize::from(offset);
        let ([a, b], [c, d]) = (next.to_le_bytes(), len.to_le_bytes());
        self.bytes[start..start + HOLE_HEAD].copy_from_slice(&[a, b, c, d]);
    }

    /// Gives up the bytes of an element.
    fn bury(&mut self, index: usize) {
        let (offset, len, _) = place_of(&self.rows()[index]);
        let (offset, len) = (short(offset), short(len));
        if offset == self.heap {
            self.heap -= len;
            return;
        }
        self.dead += len;
        if usize::from(len) >= HOLE_HEAD {
            self.set_hole(offset, self.hole, len);
            self.hole = offset;
        }
    }

    /// Some of the elements in an allocation of their own, of at least their size.
    fn copy(&self, range: Range<usize>, capacity: usize) -> Self {
        if self.is_oversize() {
            return self.clone();
        }
        let mut run = Self { bytes: vec![0; capacity].into(), ..Self::default() };
        let begins_alike = range.start == 0;
        run.take_in(0, self, range);
        run.is_key_stale = self.is_key_stale || !begins_alike;
        run
    }

    /// Puts elements of another leaf in, which come at one place; there must be room.
    fn take_in(&mut self, at: usize, other: &Self, range: Range<usize>) {
        let (count, more) = (self.len(), range.len());
        self.bytes.copy_within(ROW * at..ROW * count, ROW * (at + more));
        let (mut heap, all) = (usize::from(self.heap), self.bytes.len());
        for (row, to) in other.rows()[range].iter().zip(at..) {
            let member = other.member_of(row);
            heap += member.len();
            self.bytes[all - heap..][..member.len()].copy_from_slice(member);
            let moved = row_of(score_of(row), heap, member.len(), place_of(row).2);
            self.bytes[ROW * to..ROW * (to + 1)].copy_from_slice(&moved);
        }
        (self.count, self.heap) = (tiny(count + more), short(heap));
        self.is_key_stale |= at == 0;
    }

    /// The same with so many bytes, for which room is made.
    fn take_over(&mut self, at: usize, other: &Self, range: Range<usize>, bytes: usize) {
        if ROW * self.len() + usize::from(self.heap) + bytes > self.bytes.len() {
            let capacity = capacity(self.live() + bytes, self.len() + range.len());
            *self = self.copy(0..self.len(), capacity.max(self.bytes.len()));
        }
        self.take_in(at, other, range);
    }

    pub(super) fn remove(&mut self, range: Range<usize>) {
        let count = self.len();
        if range.len() == count {
            *self = Self::default();
            return;
        }
        range.clone().for_each(|index| self.bury(index));
        self.is_key_stale |= range.start == 0;
        self.bytes.copy_within(ROW * range.end..ROW * count, ROW * range.start);
        self.count -= tiny(range.len());
        self.shrink();
    }

    /// Gives back what it has too much, if that is three quarters.
    fn shrink(&mut self) {
        let capacity = capacity(self.live(), self.len());
        if 4 * capacity < self.bytes.len() {
            *self = self.copy(0..self.len(), capacity);
        }
    }

    /// Changes a score without a change of order.
    fn set_score(&mut self, index: usize, score: f64) {
        self.bytes[ROW * index..][..SCORE].copy_from_slice(&score.to_le_bytes());
    }

    /// Gives element number `at` another score, if it stays within this leaf for sure.
    pub(super) fn rescore(&mut self, at: usize, score: f64) -> bool {
        let (count, old) = (self.len(), self.score(at));
        if score < self.score(0) || score > self.score(count - 1) {
            return false;
        }
        let to = self.position(score, self.member(at)).unwrap_or_else(|to| to);
        let to = if to > at { to - 1 } else { to };
        let stays = (to > 0 || score >= old) && (to + 1 < count || score <= old);
        if !stays {
            return false;
        }
        self.set_score(at, score);
        self.is_key_stale |= at == 0 || to == 0;
        let rows = &mut self.bytes.as_chunks_mut::<ROW>().0[..count];
        if to < at {
            rows[to..=at].rotate_right(1);
        } else {
            rows[at..=to].rotate_left(1);
        }
        true
    }
}

impl cow_tree::Leaf for Run {
    type Key = Key;
    type Limits = ();

    fn weight(&self) -> usize {
        self.len()
    }

    fn key(&self) -> Key {
        if self.count == 0 {
            return Key { score: 0.0, member: Name::new(b"") };
        }
        Key { score: self.score(0), member: Name::new(self.member(0)) }
    }

    fn refresh(&mut self, key: &mut Key) {
        if !std::mem::take(&mut self.is_key_stale) {
            return;
        }
        key.score = self.score(0);
        if key.member() != self.member(0) {
            key.member = Name::new(self.member(0));
        }
    }

    fn split_off(&mut self, offset: usize) -> Self {
        if offset == 0 {
            return std::mem::take(self);
        }
        let (bytes, count) = (self.bytes_of(offset..self.len()), self.len() - offset);
        let right = self.copy(offset..self.len(), capacity(bytes, count));
        self.remove(offset..self.len());
        right
    }

    fn is_sparse(&self, (): ()) -> bool {
        self.len() < COUNT_MAX * 3 / 8 && self.live() < SPARSE_BYTES
    }

    fn fits_with(&self, right: &Self, (): ()) -> bool {
        self.len() + right.len() <= SHARED_COUNT && self.live() + right.live() <= SHARED_BYTES
    }

    fn absorb(&mut self, right: &Self) {
        self.take_over(self.len(), right, 0..right.len(), right.live());
    }

    fn can_share(&self, middle: &Self, right: &Self) -> bool {
        let parts = [self, middle, right];
        let bytes: usize = parts.iter().map(|part| part.live()).sum();
        let count: usize = parts.iter().map(|part| part.len()).sum();
        bytes <= 2 * SHARED_BYTES
            && count <= 2 * SHARED_COUNT
            && !parts.iter().any(|part| part.is_oversize())
    }

    fn share(&mut self, middle: &Self, right: &mut Self) -> bool {
        let bytes = (self.live() + middle.live() + right.live()) / 2;
        let count = (self.len() + middle.len() + right.len()) / 2;
        let first = middle.within(bytes.saturating_sub(self.live()));
        let first = first.min(count.saturating_sub(self.len()));
        let taken = middle.bytes_of(0..first);
        let rest = middle.live() - taken;
        // A long member may make the halves different.
        if right.live() + rest > BYTES_MAX || right.len() + middle.len() - first > COUNT_MAX {
            return false;
        }
        self.take_over(self.len(), middle, 0..first, taken);
        right.take_over(0, middle, first..middle.len(), rest);
        true
    }

    fn address(&self) -> usize {
        address_of(&*self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(score: f64, member: &[u8]) -> Element<'_> {
        Element { score, member, tag: 0 }
    }

    fn run_of(members: &[&[u8]]) -> Run {
        let mut run = Run::default();
        for (at, member) in members.iter().enumerate() {
            run.put(at, element(0.5, member));
        }
        run
    }

    #[test]
    fn members_of_one_length_take_each_others_places() {
        let mut run = run_of(&[b"first", b"other", b"third"]);
        let heap = run.heap;
        for round in 0..100 {
            run.remove(round % 2..round % 2 + 1);
            assert_eq!(run.live(), 2 * (ROW + 5));
            run.put(round % 3, element(0.5, format!("{round:05}").as_bytes()));
            assert_eq!((run.dead, run.heap, run.hole), (0, heap, 0));
        }
    }

    #[test]
    fn a_hole_takes_what_fits_and_keeps_count_of_the_rest() {
        let mut run = run_of(&[b"long member", b"short", b"abc", b"the last of all"]);
        run.remove(0..3);
        // Three bytes are too few for a hole's own words.
        assert_eq!((run.dead, run.len()), (19, 1));
        run.put(0, element(0.5, b"seven b"));
        assert_eq!((run.dead, run.member(0)), (12, &b"seven b"[..]));
        run.put(0, element(0.5, b"five "));
        run.put(2, element(0.5, b"beyond"));
        assert_eq!((run.dead, run.hole), (7, 0));
        let members = [0, 1, 2, 3].map(|at| run.member(at));
        assert_eq!(members, [&b"five "[..], b"seven b", b"beyond", b"the last of all"]);
    }

    #[test]
    fn the_latest_member_leaves_no_hole() {
        let mut run = run_of(&[b"first", b"other"]);
        run.remove(1..2);
        assert_eq!((run.heap, run.dead, run.hole), (5, 0, 0));
    }

    #[test]
    fn the_key_is_told_anew_when_the_first_element_changes() {
        use cow_tree::Leaf as _;
        let mut run = run_of(&[b"first", b"other", b"third"]);
        let mut key = run.key();
        run.refresh(&mut key);
        let mut told = |run: &mut Run| {
            let is_stale = run.is_key_stale;
            run.refresh(&mut key);
            assert_eq!((key.score, key.member()), (run.score(0), run.member(0)));
            is_stale
        };
        run.put(3, element(0.75, b"later"));
        run.remove(1..2);
        assert!(!told(&mut run));
        run.put(0, element(0.25, b"sooner"));
        assert!(told(&mut run));
        run.remove(0..1);
        assert!(told(&mut run));
        assert!(run.rescore(0, 0.625));
        assert!(told(&mut run));
    }
}
