//! A leaf of a large sorted set: scores and members in order, in one allocation.
//!
//! ```text
//!   scores: f64 each   ends: u16 each   tags: u8 each   members, one behind the other
//! ```
//!
//! Scores stand side by side, so that finding one reads a few cache lines; members stand side by
//! side, so that a range is read from front to back. An end is where a member ends, counted from
//! the first member; a tag is the low byte of its hash, by which a small set is searched without an
//! index. 11 bytes beside the member's own. Capacity follows the allocator's classes.
//!
//! 1. Elements ascend by score, those of equal score by member.
//! 2. Ends are right unless there is one element only, which may be longer than they can say.
//! 3. At most [`COUNT_MAX`] elements, and [`BYTES_MAX`] bytes unless it is a single element.

#![allow(clippy::float_cmp, reason = "no score is NaN, and equal ones are told by member")]

use super::Cut;
use crate::structures::cow_tree;
use crate::structures::relocation::address_of;
use crate::structures::size_class::size_class;
use std::ops::Range;
use std::sync::Arc;

/// Most elements of a leaf: what an insertion moves, and what a write under a snapshot copies.
pub(super) const COUNT_MAX: usize = if cfg!(test) { 6 } else { 64 };
/// Most bytes of a leaf with several elements.
const BYTES_MAX: usize = 4096;
const SCORE: usize = size_of::<f64>();
const END: usize = size_of::<u16>();
const ROW: usize = SCORE + END + 1;

const _: () = assert!(BYTES_MAX <= u16::MAX as usize);

/// See the head of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    count: usize,
    bytes: Vec<u8>,
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

fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// Reading.
impl Run {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub(super) fn score(&self, index: usize) -> f64 {
        let (scores, _) = self.bytes[..SCORE * self.count].as_chunks();
        f64::from_le_bytes(scores[index])
    }

    #[inline]
    fn end(&self, index: usize) -> usize {
        let at = SCORE * self.count + END * index;
        usize::from(u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]))
    }

    /// Where a member begins, counted from the first; for the number of elements: where all end.
    #[inline]
    fn start(&self, index: usize) -> usize {
        if index == 0 {
            0
        } else if index == self.count {
            self.bytes.len() - ROW * self.count
        } else {
            self.end(index - 1)
        }
    }

    #[inline]
    pub(super) fn member(&self, index: usize) -> &[u8] {
        let members = &self.bytes[ROW * self.count..];
        &members[self.start(index)..self.start(index + 1)]
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Number of elements whose score is below `score`, or not above it.
    #[inline]
    fn scores_before(&self, score: f64, with_equal: bool) -> usize {
        let (scores, _) = self.bytes[..SCORE * self.count].as_chunks();
        if with_equal {
            cow_tree::partition_point(scores, |own| f64::from_le_bytes(*own) <= score)
        } else {
            cow_tree::partition_point(scores, |own| f64::from_le_bytes(*own) < score)
        }
    }

    /// Number of elements of a range of equal scores whose member is below `member`.
    fn members_before(&self, equal: Range<usize>, member: &[u8], with_equal: bool) -> usize {
        let (mut low, mut high) = (equal.start, equal.end);
        while low < high {
            let middle = low.midpoint(high);
            let own = self.member(middle);
            if own < member || with_equal && own == member {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Where an element is, else where it would come.
    pub(super) fn position(&self, score: f64, member: &[u8]) -> Result<usize, usize> {
        let low = self.scores_before(score, false);
        // Mostly few elements share a score, and these are at hand.
        let (scores, _) = self.bytes[..SCORE * self.count].as_chunks();
        let equal = scores[low..].iter().take_while(|own| f64::from_le_bytes(**own) == score);
        let high = low + equal.count();
        let at = self.members_before(low..high, member, false);
        if at < high && self.member(at) == member { Ok(at) } else { Err(at) }
    }

    /// Number of elements before a cut.
    pub(super) fn rank_at(&self, cut: Cut<'_>) -> usize {
        match cut {
            Cut::Start => 0,
            Cut::End => self.count,
            Cut::BeforeScore(score) => self.scores_before(score, false),
            Cut::AfterScore(score) => self.scores_before(score, true),
            Cut::BeforeMember(member) => self.members_before(0..self.count, member, false),
            Cut::AfterMember(member) => self.members_before(0..self.count, member, true),
        }
    }

    /// Where a member is, found by its tag. O(n).
    pub(super) fn find(&self, member: &[u8], tag: u8) -> Option<usize> {
        const LANES: usize = 16;
        let tags = &self.bytes[(SCORE + END) * self.count..ROW * self.count];
        for (block, lanes) in tags.chunks(LANES).enumerate() {
            // Without branches, so that all lanes are compared at once.
            if lanes.iter().fold(0, |found, own| found | u8::from(*own == tag)) != 0 {
                for (lane, own) in lanes.iter().enumerate() {
                    let index = block * LANES + lane;
                    if *own == tag && self.member(index) == member {
                        return Some(index);
                    }
                }
            }
        }
        None
    }

    /// The low byte of a member's hash, as it was given.
    pub(super) fn tag(&self, index: usize) -> u8 {
        self.bytes[(SCORE + END) * self.count + index]
    }

    /// The same elements in an allocation of their own.
    fn copy(&self, range: Range<usize>) -> Self {
        let Range { start, end } = range;
        let (count, from, until) = (end - start, self.start(start), self.start(end));
        let len = ROW * count + until - from;
        let mut bytes = Vec::with_capacity(size_class(len));
        bytes.extend_from_slice(&self.bytes[SCORE * start..SCORE * end]);
        for index in start..end {
            let end = short(self.start(index + 1) - from);
            bytes.extend_from_slice(&end.to_le_bytes());
        }
        let tags = (SCORE + END) * self.count;
        bytes.extend_from_slice(&self.bytes[tags + start..tags + end]);
        let members = ROW * self.count;
        bytes.extend_from_slice(&self.bytes[members + from..members + until]);
        Self { count, bytes }
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
        self.count == 0
            || self.count < COUNT_MAX && self.bytes.len() + ROW + element.member.len() <= BYTES_MAX
    }

    /// Inserts an element at its place; what comes too much goes to `after`.
    pub(super) fn insert(&mut self, at: usize, element: Element<'_>, after: &mut Vec<Self>) {
        if self.has_room(element) {
            self.put(at, element);
        } else if at == self.count {
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
        if self.count >= COUNT_MAX {
            return self.count / 2;
        }
        let half = self.start(self.count) / 2;
        (1..self.count).find(|index| self.start(*index) >= half).unwrap_or(self.count - 1)
    }

    fn put(&mut self, at: usize, element: Element<'_>) {
        let Element { score, member, tag } = element;
        let (count, len) = (self.count, member.len());
        let (start, all) = (self.start(at), self.start(count));
        if count == 1 {
            self.bytes[SCORE..SCORE + END].copy_from_slice(&short(all).to_le_bytes());
        }
        let old = self.bytes.len();
        self.reserve(ROW + len);
        self.bytes.resize(old + ROW + len, 0);
        let more = count + 1;
        let bytes = &mut self.bytes;
        // From the right, so that nothing is overwritten before it has moved.
        bytes.copy_within(ROW * count + start..ROW * count + all, ROW * more + start + len);
        bytes.copy_within(ROW * count..ROW * count + start, ROW * more);
        let (ends, tags) = (SCORE * count, (SCORE + END) * count);
        let (new_ends, new_tags) = (SCORE * more, (SCORE + END) * more);
        bytes.copy_within(tags + at..tags + count, new_tags + at + 1);
        bytes.copy_within(tags..tags + at, new_tags);
        bytes.copy_within(ends + END * at..ends + END * count, new_ends + END * (at + 1));
        bytes.copy_within(ends..ends + END * at, new_ends);
        bytes.copy_within(SCORE * at..SCORE * count, SCORE * (at + 1));

        bytes[SCORE * at..SCORE * (at + 1)].copy_from_slice(&score.to_le_bytes());
        let end = short(start + len).to_le_bytes();
        bytes[new_ends + END * at..new_ends + END * (at + 1)].copy_from_slice(&end);
        for end in bytes[new_ends + END * (at + 1)..new_tags].chunks_exact_mut(END) {
            let moved = u16::from_le_bytes([end[0], end[1]]).wrapping_add(short(len));
            end.copy_from_slice(&moved.to_le_bytes());
        }
        bytes[new_tags + at] = tag;
        bytes[ROW * more + start..ROW * more + start + len].copy_from_slice(member);
        self.count = more;
    }

    fn reserve(&mut self, more: usize) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            self.bytes.reserve_exact(size_class(needed) - self.bytes.len());
        }
    }

    pub(super) fn remove(&mut self, range: Range<usize>) {
        let Range { start: first, end: behind } = range;
        let (count, gone) = (self.count, behind - first);
        if gone == 0 {
            return;
        }
        let (from, until, all) = (self.start(first), self.start(behind), self.start(count));
        let less = count - gone;
        let bytes = &mut self.bytes;
        let (ends, tags) = (SCORE * count, (SCORE + END) * count);
        let (new_ends, new_tags) = (SCORE * less, (SCORE + END) * less);
        // From the left, for the same reason.
        bytes.copy_within(SCORE * behind..ends, SCORE * first);
        bytes.copy_within(ends..ends + END * first, new_ends);
        bytes.copy_within(ends + END * behind..tags, new_ends + END * first);
        bytes.copy_within(tags..tags + first, new_tags);
        bytes.copy_within(tags + behind..tags + count, new_tags + first);
        bytes.copy_within(ROW * count..ROW * count + from, ROW * less);
        bytes.copy_within(ROW * count + until..ROW * count + all, ROW * less + from);
        for end in bytes[new_ends + END * first..new_tags].chunks_exact_mut(END) {
            let moved = u16::from_le_bytes([end[0], end[1]]).wrapping_sub(short(until - from));
            end.copy_from_slice(&moved.to_le_bytes());
        }
        self.count = less;
        self.bytes.truncate(ROW * less + all - (until - from));
        self.shrink();
    }

    /// Gives back what is a quarter of the capacity or more.
    fn shrink(&mut self) {
        let needed = size_class(self.bytes.len());
        if needed + needed / 4 < self.bytes.capacity() {
            self.bytes.shrink_to(needed);
        }
    }

    /// Changes a score without a change of order.
    pub(super) fn set_score(&mut self, index: usize, score: f64) {
        self.bytes[SCORE * index..SCORE * (index + 1)].copy_from_slice(&score.to_le_bytes());
    }

    /// Gives element number `at` another score, if it stays within this leaf for sure.
    pub(super) fn rescore(&mut self, at: usize, score: f64) -> bool {
        let old = self.score(at);
        let is_between = {
            let member = self.member(at);
            let follows =
                at == 0 && score >= old || at > 0 && precedes(self, at - 1, score, member);
            let leads = at + 1 == self.count && score <= old
                || at + 1 < self.count && !precedes(self, at + 1, score, member);
            follows && leads
        };
        if is_between {
            self.set_score(at, score);
            return true;
        }
        let to = self.position(score, self.member(at)).unwrap_or_else(|to| to);
        let to = if to > at { to - 1 } else { to };
        let stays = (to > 0 || score >= old) && (to + 1 < self.count || score <= old);
        if stays {
            let member = self.member(at).to_vec();
            let tag = self.tag(at);
            self.remove(at..at + 1);
            self.put(to, Element { score, member: &member, tag });
        }
        stays
    }
}

fn precedes(run: &Run, index: usize, score: f64, member: &[u8]) -> bool {
    let own = run.score(index);
    own < score || own == score && run.member(index) < member
}

impl cow_tree::Leaf for Run {
    type Key = Key;
    type Limits = ();

    fn weight(&self) -> usize {
        self.count
    }

    fn key(&self) -> Key {
        if self.count == 0 {
            return Key { score: 0.0, member: Name::new(b"") };
        }
        Key { score: self.score(0), member: Name::new(self.member(0)) }
    }

    fn refresh(&self, key: &mut Key) {
        key.score = self.score(0);
        if key.member() != self.member(0) {
            key.member = Name::new(self.member(0));
        }
    }

    fn split_off(&mut self, offset: usize) -> Self {
        let right = self.copy(offset..self.count);
        if offset == 0 {
            *self = Self::default();
        } else {
            self.remove(offset..self.count);
        }
        right
    }

    fn is_sparse(&self, (): ()) -> bool {
        self.count < COUNT_MAX / 4 && self.bytes.len() < BYTES_MAX / 4
    }

    fn fits_with(&self, right: &Self, (): ()) -> bool {
        self.count + right.count <= COUNT_MAX * 3 / 4
            && self.bytes.len() + right.bytes.len() <= BYTES_MAX * 3 / 4
    }

    fn absorb(&mut self, right: &Self) {
        let (own, other) = (std::mem::take(self), right);
        let count = own.count + other.count;
        let shift = own.start(own.count);
        let mut bytes = Vec::with_capacity(size_class(own.bytes.len() + other.bytes.len()));
        bytes.extend_from_slice(&own.bytes[..SCORE * own.count]);
        bytes.extend_from_slice(&other.bytes[..SCORE * other.count]);
        for index in 0..own.count {
            bytes.extend_from_slice(&short(own.start(index + 1)).to_le_bytes());
        }
        for index in 0..other.count {
            bytes.extend_from_slice(&short(shift + other.start(index + 1)).to_le_bytes());
        }
        for part in [&own, other] {
            bytes.extend_from_slice(&part.bytes[(SCORE + END) * part.count..ROW * part.count]);
        }
        for part in [&own, other] {
            bytes.extend_from_slice(&part.bytes[ROW * part.count..]);
        }
        *self = Self { count, bytes };
    }

    fn address(&self) -> usize {
        address_of(&*self.bytes)
    }
}
