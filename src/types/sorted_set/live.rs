//! A sorted set as it is at some moment: members that are over are not there, removed or not.
//!
//! While nobody is over, which is nearly always, this is the set itself.

use super::{Scored, SortedSet};
use crate::base::time::UnixMillis;
use crate::structures::cow_tree::End;
use crate::structures::listpack::Digits;
use crate::structures::member_deadlines::MemberDeadlines;
use crate::types::timed::Companioned;
use std::borrow::Cow;

/// Whether an element is shown, if some members are over.
fn shows(hidden: Option<&MemberDeadlines>, element: Scored<'_>, now: UnixMillis) -> bool {
    hidden
        .is_none_or(|hidden| !hidden.is_over(element.member.as_text(&mut Digits::default()), now.0))
}

impl SortedSet {
    /// The whole set: ranks are among those that are not over. O(1) while nobody is over, else
    /// O(m log n) with m who are.
    #[inline]
    pub fn live(&self, now: UnixMillis) -> Cow<'_, Self> {
        if self.hidden(now).is_some() { self.without_hidden(now) } else { Cow::Borrowed(self) }
    }

    #[cold]
    fn without_hidden(&self, now: UnixMillis) -> Cow<'_, Self> {
        // Everything is shared; what is taken out copies the nodes on its way.
        let mut rest = self.clone();
        while let Some(member) = rest.deadlines_mut().and_then(|all| all.take_due(now.0)) {
            rest.remove(&member);
        }
        Cow::Owned(rest)
    }

    /// Number of elements. O(1) while nobody is over, else O(log n).
    #[inline]
    pub fn live_len(&self, now: UnixMillis) -> usize {
        self.len() - self.due_count(now)
    }

    /// The score of a member. O(log n).
    #[inline]
    pub fn live_score(&self, member: &[u8], now: UnixMillis) -> Option<f64> {
        let score = self.score(member)?;
        let is_over = self.hidden(now).is_some_and(|hidden| hidden.is_over(member, now.0));
        (!is_over).then_some(score)
    }

    /// All elements, towards an end.
    pub fn live_iter(&self, towards: End, now: UnixMillis) -> impl Iterator<Item = Scored<'_>> {
        let hidden = self.hidden(now);
        let first = if towards == End::Back { 0 } else { self.len() };
        self.iter_from(first, towards).filter(move |element| shows(hidden, *element, now))
    }

    /// See [`SortedSet::scan`].
    pub fn live_scan(
        &self,
        cursor: u64,
        count: usize,
        now: UnixMillis,
        visit: &mut dyn FnMut(Scored<'_>),
    ) -> u64 {
        let hidden = self.hidden(now);
        self.scan(cursor, count, &mut |element| {
            if shows(hidden, element, now) {
                visit(element);
            }
        })
    }
}
