//! A set as it is at some moment: members that are over are not there, removed or not.
//!
//! While nobody is over, which is nearly always, each question costs one comparison more than the
//! set's own.

use super::{Iter, Set};
use crate::base::time::UnixMillis;
use crate::structures::listpack::{Digits, Item};
use crate::structures::member_deadlines::MemberDeadlines;
use std::ptr;

/// Draws before one is made among the members one by one.
const RANDOM_TRIES: usize = 100;

/// See the head of the file.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    all: &'a Set,
    /// Who is over, if anybody is.
    hidden: Option<&'a MemberDeadlines>,
    now: UnixMillis,
}

impl<'a> Live<'a> {
    #[inline]
    pub(super) fn new(all: &'a Set, hidden: Option<&'a MemberDeadlines>, now: UnixMillis) -> Self {
        Self { all, hidden, now }
    }

    /// Whether a member of the set is shown.
    #[inline]
    fn shows(&self, member: Item<'_>) -> bool {
        self.hidden.is_none_or(|hidden| {
            !hidden.is_over(member.as_text(&mut Digits::default()), self.now.0)
        })
    }

    /// Number of members. O(1) while nobody is over, else O(log n).
    #[inline]
    pub fn len(&self) -> usize {
        self.all.len() - self.hidden.map_or(0, |hidden| hidden.due_count(self.now.0))
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is the same set in the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        ptr::eq(self.all, other.all)
    }

    /// See [`Set::contains`].
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.all.contains(member)
            && self.hidden.is_none_or(|hidden| !hidden.is_over(member, self.now.0))
    }

    /// See [`Set::contains_item`].
    #[inline]
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        self.all.contains_item(member) && self.shows(member)
    }

    /// See [`Set::iter`].
    pub fn iter(self) -> LiveIter<'a> {
        LiveIter { members: self.all.iter(), set: self }
    }

    /// See [`Set::scan`].
    pub fn scan(self, cursor: u64, budget: usize, visit: &mut dyn FnMut(Item<'a>)) -> u64 {
        self.all.scan(cursor, budget, &mut |member| {
            if self.shows(member) {
                visit(member);
            }
        })
    }

    /// See [`Set::random`]. Fair while most are not over.
    pub fn random(&self, rng: &mut fastrand::Rng) -> Option<Item<'a>> {
        for _ in 0..RANDOM_TRIES {
            let drawn = self.all.random(rng)?;
            if self.shows(drawn) {
                return Some(drawn);
            }
        }
        self.sample(1, rng).pop()
    }

    /// See [`Set::sample`]. O(n) while somebody is over.
    pub fn sample(&self, count: usize, rng: &mut fastrand::Rng) -> Vec<Item<'a>> {
        if self.hidden.is_none() {
            return self.all.sample(count, rng);
        }
        let mut drawn: Vec<Item<'a>> = self.iter().collect();
        let count = count.min(drawn.len());
        for at in 0..count {
            let other = rng.usize(at..drawn.len());
            drawn.swap(at, other);
        }
        drawn.truncate(count);
        drawn
    }

    /// See [`Set::vacant_twin`].
    #[must_use]
    pub fn vacant_twin(&self) -> Set {
        self.all.vacant_twin()
    }
}

impl<'a> IntoIterator for Live<'a> {
    type Item = Item<'a>;
    type IntoIter = LiveIter<'a>;
    fn into_iter(self) -> LiveIter<'a> {
        self.iter()
    }
}

/// The members that are not over, in the order of [`Set::iter`].
#[derive(Debug)]
pub struct LiveIter<'a> {
    members: Iter<'a>,
    set: Live<'a>,
}

impl<'a> Iterator for LiveIter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            let member = self.members.next()?;
            if self.set.shows(member) {
                return Some(member);
            }
        }
    }
}
