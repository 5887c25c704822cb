//! A sorted set: one listpack while small, a tree in order of scores and an index when large.
//!
//! ```text
//!   large:   tree    scores and members in order, packed       rank, ranges
//!            index   hash of a member -> its score             from some hundred elements on
//! ```
//!
//! A member's bytes exist once, beside its score in the tree: so a range is read from front to
//! back. The index has a hash and a score for each, which lead to the place in the tree that proves
//! the member ([`index`] has the details). Both are copy-on-write trees: a clone is O(1) and shares
//! everything, a change after it copies the nodes on its way. A member of 16 bytes takes about 52
//! bytes in all.
//!
//! A set becomes large when the listpack would exceed [`PackLimits`]; small again only where
//! [`SortedSet::settle`] is called.
//!
//! Members may have a deadline: then a companion knows of those ([`crate::types::timed`]), and the
//! set itself is kept as above. Whoever answers clients asks [`SortedSet::live`] or one of its likes,
//! which show the members that are not over; all else here is about all members.

#![allow(clippy::float_cmp, reason = "no score is NaN, and equal ones are told by member")]

mod index;
mod iter;
mod large;
mod live;
mod popped;
mod run;
mod small;
#[cfg(test)]
mod tests;

pub use iter::Iter;

use crate::structures::cow_tree::End;
use crate::structures::epoch::Epochs;
use crate::structures::listpack::{Digits, Item, ListPack};
use crate::structures::member_deadlines::MemberDeadlines;
use crate::structures::relocation::Mover;
use crate::types::timed::{Companioned, Timed};
use large::Large;
use std::mem;
use std::ops::Range;

/// When a sorted set is too large for a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackLimits {
    /// `zset-max-listpack-entries`.
    pub entries: usize,
    /// `zset-max-listpack-value`: bytes of a member.
    pub value: usize,
}

/// An element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored<'a> {
    /// The member.
    pub member: Item<'a>,
    /// Its score, never NaN.
    pub score: f64,
}

/// A place between elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut<'a> {
    /// Before all.
    Start,
    /// Before the first with this score or more.
    BeforeScore(f64),
    /// Behind the last with this score or less.
    AfterScore(f64),
    /// Before the first member that isn't less, where all scores are equal.
    BeforeMember(&'a [u8]),
    /// Behind the last member that isn't greater, where all scores are equal.
    AfterMember(&'a [u8]),
    /// Behind all.
    End,
}

impl Cut<'_> {
    /// Whether an element stands before it.
    #[inline]
    fn is_behind(self, score: f64, member: &[u8]) -> bool {
        match self {
            Self::Start => false,
            Self::BeforeScore(cut) => score < cut,
            Self::AfterScore(cut) => score <= cut,
            Self::BeforeMember(cut) => member < cut,
            Self::AfterMember(cut) => member <= cut,
            Self::End => true,
        }
    }
}

/// Members with scores, in order of scores, those of equal score in order of bytes. A clone is
/// O(1): it copies one pack while small, and shares everything while large.
#[derive(Clone, Debug)]
pub struct SortedSet(Form);

#[derive(Clone, Debug)]
enum Form {
    Small(ListPack),
    Large(Box<Large>),
    Timed(Box<Timed<SortedSet>>),
}

impl Default for SortedSet {
    fn default() -> Self {
        Self(Form::Small(ListPack::new()))
    }
}

impl PartialEq for SortedSet {
    /// Whether both have the same elements, however they are kept. O(n).
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(own, other): (Scored<'_>, Scored<'_>)| {
            let (mut digits, mut others) = (Digits::default(), Digits::default());
            own.score.total_cmp(&other.score).is_eq()
                && own.member.as_text(&mut digits) == other.member.as_text(&mut others)
        };
        self.len() == other.len() && self.iter().zip(other.iter()).all(is_same)
    }
}

impl<'a> IntoIterator for &'a SortedSet {
    type Item = Scored<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Reading.
impl SortedSet {
    /// Number of elements. O(1).
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Small(pack) => pack.len() / 2,
            Form::Large(large) => large.len(),
            Form::Timed(timed) => timed.ask(Self::len),
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
            Form::Large(_) => "skiplist",
            Form::Timed(timed) => timed.all.encoding(),
        }
    }

    /// The listpack of a small one; for files.
    pub fn as_pack(&self) -> Option<&ListPack> {
        match &self.0 {
            Form::Small(pack) => Some(pack),
            Form::Large(_) => None,
            Form::Timed(timed) => timed.all.as_pack(),
        }
    }

    /// The score of a member. O(log n).
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Form::Small(pack) => small::find(pack, member).map(|(_, score)| score),
            Form::Large(large) => large.score(member),
            Form::Timed(timed) => timed.ask(|all| all.score(member)),
        }
    }

    /// How many elements stand before a member, and its score. O(log n).
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Form::Small(pack) => small::rank(pack, member),
            Form::Large(large) => large.rank(member),
            Form::Timed(timed) => timed.ask(|all| all.rank(member)),
        }
    }

    /// Number of elements before a cut. O(log n).
    pub fn rank_at(&self, cut: Cut<'_>) -> usize {
        match &self.0 {
            Form::Small(pack) => small::rank_at(pack, cut),
            Form::Large(large) => large.rank_at(cut),
            Form::Timed(timed) => timed.all.rank_at(cut),
        }
    }

    /// Ranks of the elements between two cuts; empty if the second doesn't come behind the first.
    pub fn ranks_between(&self, first: Cut<'_>, last: Cut<'_>) -> Range<usize> {
        let start = self.rank_at(first);
        start..self.rank_at(last).max(start)
    }

    /// All elements, lowest first.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(0, End::Back)
    }

    /// The elements from a rank on towards an end, that one included. With a rank beyond the last:
    /// none towards the back, all towards the front. O(log n) to begin.
    pub fn iter_from(&self, rank: usize, towards: End) -> Iter<'_> {
        match &self.0 {
            Form::Small(pack) => Iter::of_pack(pack, rank, towards),
            Form::Large(large) => large.iter_from(rank, towards),
            Form::Timed(timed) => timed.all.iter_from(rank, towards),
        }
    }

    /// Visits some elements, `count` or a few more, and gives the cursor to go on with; 0 begins
    /// and ends. Whoever stays in the set is visited at least once, whatever its score becomes
    /// meanwhile.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Scored<'_>)) -> u64 {
        match &self.0 {
            Form::Small(pack) => {
                small::elements(pack).for_each(visit);
                0
            }
            Form::Large(large) => large.scan(cursor, count, visit),
            Form::Timed(timed) => timed.all.scan(cursor, count, visit),
        }
    }

    /// Bytes allocated; of a large one estimated, unless `samples` is 0.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        match &self.0 {
            Form::Small(pack) => pack.heap_bytes(),
            Form::Large(large) => large.memory_bytes(samples),
            Form::Timed(timed) => {
                let deadlines = timed.deadlines.memory_bytes();
                size_of::<Timed<Self>>() + timed.all.memory_bytes(samples) + deadlines
            }
        }
    }

    /// Allocations that freeing it gives back, about.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Small(_) => 1,
            Form::Large(large) => large.free_effort(),
            Form::Timed(timed) => timed.all.free_effort() + timed.deadlines.len(),
        }
    }
}

/// Changing.
impl SortedSet {
    /// Moves what lies badly; see [`Mover`].
    pub fn relocate(&mut self, mover: &mut Mover<'_>) {
        match &mut self.0 {
            Form::Small(pack) => mover.pack(pack),
            Form::Large(large) => large.relocate(mover),
            Form::Timed(timed) => {
                timed.all.relocate(mover);
                timed.deadlines.relocate(mover);
            }
        }
    }

    /// Takes over a listpack of members and scores by turns, in order; from a file.
    pub fn from_pack(pack: ListPack) -> Self {
        Self(Form::Small(pack))
    }

    /// Becomes large if so many elements, the longest member being of `longest` bytes, are more
    /// than a listpack may hold.
    pub fn prepare(
        &mut self,
        elements: usize,
        longest: usize,
        limits: PackLimits,
        epochs: &Epochs,
    ) {
        if elements > limits.entries || longest > limits.value {
            self.enlarge(epochs);
        }
    }

    /// Gives a member the score that `decide` says when told the present one; without one, nothing
    /// changes. Gives the score from before. A deadline is kept. What it decides may be foretold,
    /// which makes it faster: `likely`. O(log n).
    pub fn update(
        &mut self,
        member: &[u8],
        likely: Option<f64>,
        limits: PackLimits,
        epochs: &Epochs,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Option<f64> {
        let pack = match &mut self.0 {
            Form::Small(pack) => pack,
            Form::Large(large) => return large.update(member, likely, decide),
            Form::Timed(timed) => {
                return timed.edit(|all| all.update(member, likely, limits, epochs, decide));
            }
        };
        let found = small::find(pack, member);
        let old = found.map(|(_, score)| score);
        let Some(score) = decide(old) else { return old };
        match found {
            Some((_, old)) if old == score => {}
            Some((at, _)) => small::rescore(pack, at, member, score),
            None if pack.len() / 2 < limits.entries
                && member.len() <= limits.value
                && pack.has_room(member.len() + SCORE_TEXT_MAX) =>
            {
                small::insert(pack, member, score);
            }
            None => {
                self.enlarge(epochs).update(member, None, |_| Some(score));
            }
        }
        old
    }

    /// Puts an element in, or gives it another score.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: PackLimits, epochs: &Epochs) {
        self.update(member, Some(score), limits, epochs, |_| Some(score));
    }

    /// Removes a member; gives its score. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Form::Small(pack) => {
                let (at, score) = small::find(pack, member)?;
                pack.remove_many(at, 2);
                Some(score)
            }
            Form::Large(large) => large.remove(member),
            Form::Timed(timed) => {
                timed.deadlines.clear(member);
                timed.all.remove(member)
            }
        }
    }

    /// Takes the lowest or the highest element off, after showing it. O(log n).
    pub fn pop<R>(&mut self, end: End, show: impl FnOnce(Scored<'_>) -> R) -> Option<R> {
        match &mut self.0 {
            Form::Small(pack) => {
                let at = match end {
                    End::Front => pack.first()?,
                    End::Back => pack.nth_back(1)?,
                };
                let (member, score) = pack.pair(at)?;
                let shown = show(Scored { member, score: small::score_of(score) });
                pack.remove_many(at, 2);
                Some(shown)
            }
            Form::Large(large) => large.pop(end, show),
            Form::Timed(timed) => {
                let Timed { all, deadlines } = &mut **timed;
                let (mut show, mut shown) = (Some(show), None);
                // Not a closure type of its own, which would hold the caller's and so on.
                let take: &mut dyn FnMut(Scored<'_>) = &mut |element| {
                    deadlines.clear(element.member.as_text(&mut Digits::default()));
                    shown = show.take().map(|show| show(element));
                };
                all.pop(end, take)?;
                shown
            }
        }
    }

    /// Removes the elements of these ranks. O(log n), and the freeing.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        let ranks = ranks.start..ranks.end.min(self.len());
        if ranks.is_empty() {
            return;
        }
        match &mut self.0 {
            Form::Small(pack) => {
                if let Some(at) = pack.nth(2 * ranks.start) {
                    pack.remove_many(at, 2 * ranks.len());
                }
            }
            Form::Large(large) => large.remove_range(ranks),
            Form::Timed(timed) => {
                let Timed { all, deadlines } = &mut **timed;
                for element in all.iter_from(ranks.start, End::Back).take(ranks.len()) {
                    deadlines.clear(element.member.as_text(&mut Digits::default()));
                }
                all.remove_range(ranks);
            }
        }
    }

    /// Becomes small if a listpack may hold all of it.
    pub fn settle(&mut self, limits: PackLimits) {
        if let Form::Timed(timed) = &mut self.0 {
            return timed.all.settle(limits);
        }
        if let Form::Large(large) = &self.0
            && large.len() <= limits.entries
            && self.iter().all(|element| element.member.text_len() <= limits.value)
        {
            let mut pack = ListPack::new();
            for Scored { member, score } in self.iter() {
                small::push(&mut pack, member, score);
            }
            self.0 = Form::Small(pack);
        }
    }

    fn enlarge(&mut self, epochs: &Epochs) -> &mut Large {
        if let Form::Small(pack) = &self.0 {
            let mut large = Large::new(epochs.hasher());
            for Scored { member, score } in small::elements(pack) {
                large.update(member.as_text(&mut Digits::default()), None, |_| Some(score));
            }
            self.0 = Form::Large(Box::new(large));
        }
        match &mut self.0 {
            Form::Large(large) => large,
            Form::Timed(timed) => timed.all.enlarge(epochs),
            Form::Small(_) => unreachable!("was just enlarged"),
        }
    }
}

impl Companioned for SortedSet {
    fn deadlines(&self) -> Option<&MemberDeadlines> {
        match &self.0 {
            Form::Timed(timed) => Some(&timed.deadlines),
            Form::Small(_) | Form::Large(_) => None,
        }
    }
    fn deadlines_mut(&mut self) -> Option<&mut MemberDeadlines> {
        match &mut self.0 {
            Form::Timed(timed) => Some(&mut timed.deadlines),
            Form::Small(_) | Form::Large(_) => None,
        }
    }
    fn found_deadlines(&mut self, epochs: &Epochs) -> &mut MemberDeadlines {
        if !matches!(self.0, Form::Timed(_)) {
            self.0 = Form::Timed(Timed::new(mem::take(self), epochs));
        }
        match &mut self.0 {
            Form::Timed(timed) => &mut timed.deadlines,
            Form::Small(_) | Form::Large(_) => unreachable!("was just given a companion"),
        }
    }
    fn leave_deadlines(&mut self) {
        if let Form::Timed(timed) = &mut self.0 {
            *self = mem::take(&mut timed.all);
        }
    }
    fn has(&self, member: &[u8]) -> bool {
        self.score(member).is_some()
    }
    fn take(&mut self, member: &[u8], _: &mut Epochs) -> bool {
        self.remove(member).is_some()
    }
}

/// Bytes of the longest score, and what its entry takes besides.
const SCORE_TEXT_MAX: usize = 64;
