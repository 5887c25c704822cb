//! Deadlines of one database: what the timing wheel holds for its keys, and how many there are.
//!
//! A key has at most one registered item in the wheel; the entry's ticket names it. Items that no
//! ticket names any more (of deleted keys, of shortened deadlines) stay until they fire. When they
//! outnumber the keys, the wheel is retired and its items are checked one by one into a new one,
//! so that SET with a TTL and DEL in a loop does not grow it.

use crate::structures::lifespan::{Lifespan, Ticket};
use crate::structures::timing_wheel::{Due, Sample, TimingWheel};

/// Left-overs that are not worth a check; 32 KiB.
const STALE_FREE: usize = 4096;
/// A wall clock set back by more than this many milliseconds makes the wheel start over.
const SETBACK_MS: i64 = 1000;

/// Among which items to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// All.
    All,
    /// Those that are due next.
    Next,
}

/// See the head of the file.
#[derive(Debug, Default)]
pub(super) struct Timers {
    wheel: Option<Box<TimingWheel>>,
    retired: Vec<TimingWheel>,
    keys: usize,
    deadline_sum: i128,
    losses: u64,
}

/// What a moment can be gone back to by: see [`Timers::go_back`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    keys: usize,
    deadline_sum: i128,
    losses: u64,
}

impl Timers {
    /// This moment.
    pub(super) fn mark(&self) -> Mark {
        Mark { keys: self.keys, deadline_sum: self.deadline_sum, losses: self.losses }
    }

    /// Whether the items of all keys that there were at a moment are still filed.
    pub(super) fn has_kept(&self, mark: &Mark) -> bool {
        mark.keys == 0 || mark.losses == self.losses
    }

    /// The keys are again those of that moment. What was filed since becomes a left-over.
    pub(super) fn go_back(&mut self, mark: &Mark) {
        (self.keys, self.deadline_sum) = (mark.keys, mark.deadline_sum);
    }

    /// Forgets all keys.
    pub(super) fn clear(&mut self) {
        let is_filed = self.wheel.is_some() || self.is_checking();
        *self = Self { losses: self.losses + u64::from(is_filed), ..Self::default() };
    }

    /// Of two databases that were exchanged, neither has kept what it had.
    pub(super) fn disturb(one: &mut Self, other: &mut Self) {
        let losses = one.losses.max(other.losses) + 1;
        (one.losses, other.losses) = (losses, losses);
    }

    /// Number of keys with a deadline.
    pub(super) fn len(&self) -> usize {
        self.keys
    }

    /// Mean of what the keys have left, in milliseconds; 0 without any.
    pub(super) fn average_ttl(&self, now: i64) -> u64 {
        let Ok(keys) = i128::try_from(self.keys) else { return 0 };
        let mean = self.deadline_sum.checked_div(keys).map(|mean| mean - i128::from(now));
        mean.map_or(0, |mean| u64::try_from(mean.max(0)).unwrap_or(u64::MAX))
    }

    /// Bytes allocated.
    pub(super) fn memory_bytes(&self) -> usize {
        self.wheel
            .iter()
            .map(|wheel| &**wheel)
            .chain(&self.retired)
            .map(TimingWheel::memory_bytes)
            .sum()
    }

    /// When [`Timers::pop_due`] or [`Timers::pop_unchecked`] has work next.
    pub(super) fn next_due(&self) -> Option<i64> {
        if self.is_checking() {
            return Some(i64::MIN);
        }
        self.wheel.as_ref()?.next_due()
    }

    /// Items that are due and not yet taken, about.
    pub(super) fn overdue(&self, now: i64) -> usize {
        let retired: usize = self.retired.iter().map(TimingWheel::len).sum();
        self.wheel.as_ref().map_or(0, |wheel| wheel.overdue(now)) + retired
    }

    /// What to keep in the entry of a key that had `old` and goes at `deadline` from now on.
    pub(super) fn renew(
        &mut self,
        hash: u64,
        old: Lifespan,
        deadline: Option<i64>,
        now: i64,
    ) -> Lifespan {
        self.count(old.deadline, deadline);
        if deadline.is_none() && old.ticket.is_none() {
            return Lifespan::default();
        }
        let span = Lifespan { deadline, ticket: old.ticket }.settled();
        if span.ticket.is_some() { span } else { self.file(hash, span, now) }
    }

    /// Files a new item for a key that has no ticket.
    pub(super) fn file(&mut self, hash: u64, span: Lifespan, now: i64) -> Lifespan {
        let Some(deadline) = span.deadline else { return span };
        self.turn_over(now);
        let wheel = self.wheel.get_or_insert_with(|| Box::new(TimingWheel::new(now)));
        let ticket = wheel.file(hash, deadline).and_then(Ticket::new);
        Lifespan { deadline: span.deadline, ticket }.settled()
    }

    /// Takes note that a key which had `old` is gone.
    pub(super) fn forget(&mut self, old: Lifespan) {
        self.count(old.deadline, None);
    }

    /// The next item that is due.
    pub(super) fn pop_due(&mut self, now: i64, budget: &mut usize) -> Option<Due> {
        let due = self.wheel.as_mut()?.pop_due(now, budget);
        self.losses += u64::from(due.is_some());
        due
    }

    /// Whether [`Timers::pop_unchecked`] has something.
    pub(super) fn is_checking(&self) -> bool {
        !self.retired.is_empty()
    }

    /// An item of a retired wheel: to be filed again if a ticket names it.
    pub(super) fn pop_unchecked(&mut self) -> Option<Due> {
        loop {
            let wheel = self.retired.last_mut()?;
            if let Some(due) = wheel.pop_any() {
                self.losses += 1;
                return Some(due);
            }
            self.retired.pop();
        }
    }

    /// Files an item again; the moment for which it now stands.
    pub(super) fn refile(&mut self, due: Due, now: i64) -> Option<i64> {
        let wheel = self.wheel.get_or_insert_with(|| Box::new(TimingWheel::new(now)));
        wheel.file(due.hash, due.moment)
    }

    /// An item drawn from the wheel, fairly or from the next ones due; `None` without any, or
    /// while a retired wheel is being checked.
    pub(super) fn sample(&self, rng: &mut fastrand::Rng, from: Range) -> Option<Sample> {
        let wheel = self.wheel.as_ref()?;
        match from {
            Range::All => wheel.sample(rng),
            Range::Next => wheel.earliest(rng),
        }
    }

    /// Removes an item that was drawn just now, and names no key.
    pub(super) fn discard(&mut self, sample: Sample) {
        if let Some(wheel) = &mut self.wheel {
            self.losses += 1;
            wheel.discard(sample);
        }
    }

    /// Retires a wheel with too many left-overs, or one that is ahead of the clock.
    pub(super) fn turn_over(&mut self, now: i64) {
        let Some(wheel) = &self.wheel else { return };
        let stale = wheel.len() > 2 * self.keys + STALE_FREE && !self.is_checking();
        if stale || wheel.cursor() > now.saturating_add(SETBACK_MS).max(0) {
            self.retired.extend(self.wheel.take().map(|wheel| *wheel));
        }
    }

    fn count(&mut self, old: Option<i64>, new: Option<i64>) {
        self.keys = (self.keys + usize::from(new.is_some())) - usize::from(old.is_some());
        self.deadline_sum += i128::from(new.unwrap_or(0)) - i128::from(old.unwrap_or(0));
    }
}
