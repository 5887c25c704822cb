//! Members that go at a time of their own, where the collection has no room for it in its entries.
//!
//! A set or sorted set is kept as ever; once a member gets a deadline, a companion stands beside
//! the collection and knows of those members that have one. With the last deadline the companion
//! goes, and nothing is left of it. Collections without it pay nothing.
//!
//! 1. The companion names members of the collection only.
//! 2. The type doesn't know what time it is: whoever reads compares.

use crate::base::time::UnixMillis;
use crate::structures::epoch::Epochs;
use crate::structures::lifespan::Lifespan;
use crate::structures::member_deadlines::MemberDeadlines;

/// A collection and its companion.
#[derive(Clone, Debug)]
pub(super) struct Timed<T> {
    /// All members, those that are over but not yet removed included. Has no companion itself.
    pub(super) all: T,
    /// When some of them go.
    pub(super) deadlines: MemberDeadlines,
}

impl<T: Default> Timed<T> {
    /// A collection to which deadlines come.
    pub(super) fn new(all: T, epochs: &Epochs) -> Box<Self> {
        Box::new(Self { all, deadlines: MemberDeadlines::new(epochs.hasher()) })
    }
}

impl<T> Timed<T> {
    /// Asks the collection itself. Apart from the question's own function, which stays small and is
    /// inlined where collections without a companion are asked.
    #[cold]
    #[inline(never)]
    pub(super) fn ask<R>(&self, ask: impl FnOnce(&T) -> R) -> R {
        ask(&self.all)
    }

    /// Changes the collection itself; apart likewise.
    #[cold]
    #[inline(never)]
    pub(super) fn edit<R>(&mut self, edit: impl FnOnce(&mut T) -> R) -> R {
        edit(&mut self.all)
    }
}

/// A collection that may have a companion.
pub trait Companioned {
    /// The companion, if there is one.
    fn deadlines(&self) -> Option<&MemberDeadlines>;
    /// The same, for changing.
    fn deadlines_mut(&mut self) -> Option<&mut MemberDeadlines>;
    /// The companion, made when absent.
    fn found_deadlines(&mut self, epochs: &Epochs) -> &mut MemberDeadlines;
    /// Goes on without a companion.
    fn leave_deadlines(&mut self);
    /// Whether this is a member, be it over.
    fn has(&self, member: &[u8]) -> bool;
    /// Removes a member, and its deadline; whether it was there.
    fn take(&mut self, member: &[u8], epochs: &mut Epochs) -> bool;

    /// When a member goes; `None` if there is no such member, `Some(None)` if it stays. O(log n).
    fn deadline(&self, member: &[u8]) -> Option<Option<UnixMillis>> {
        let at = || self.deadlines().and_then(|deadlines| deadlines.get(member));
        self.has(member).then(|| at().map(UnixMillis))
    }

    /// Gives a member a deadline, or takes it; whether there is such a member. O(log n).
    fn set_deadline(
        &mut self,
        member: &[u8],
        deadline: Option<UnixMillis>,
        epochs: &Epochs,
    ) -> bool {
        if !self.has(member) {
            return false;
        }
        match (deadline, self.deadlines_mut()) {
            (Some(at), _) => self.found_deadlines(epochs).set(member, at.0),
            (None, Some(deadlines)) => deadlines.clear(member),
            (None, None) => {}
        }
        true
    }

    /// When the first member goes. O(log n).
    fn next_due(&self) -> Option<UnixMillis> {
        self.deadlines()?.first().map(UnixMillis)
    }

    /// How many members are over at `now`. O(log n).
    fn due_count(&self, now: UnixMillis) -> usize {
        self.deadlines().map_or(0, |deadlines| deadlines.due_count(now.0))
    }

    /// The companion, if any member is over at `now`.
    fn hidden(&self, now: UnixMillis) -> Option<&MemberDeadlines> {
        self.deadlines().filter(|deadlines| deadlines.first().is_some_and(|at| at <= now.0))
    }

    /// Removes members that are over at `now`, at most `budget`, the earliest first; shows each,
    /// and says how many those were.
    fn expire(
        &mut self,
        now: UnixMillis,
        budget: usize,
        epochs: &mut Epochs,
        gone: &mut dyn FnMut(&[u8]),
    ) -> usize {
        let mut count = 0;
        while count < budget
            && let Some(member) = self.deadlines_mut().and_then(|all| all.take_due(now.0))
        {
            gone(&member);
            self.take(&member, epochs);
            count += 1;
        }
        count
    }

    /// What the keyspace has filed for it.
    fn schedule(&self) -> Lifespan {
        self.deadlines().map(MemberDeadlines::schedule).unwrap_or_default()
    }

    /// Keeps what the keyspace has filed. Without deadlines, and nothing filed for one, there is no
    /// use for a companion any more.
    fn set_schedule(&mut self, schedule: Lifespan) {
        let Some(deadlines) = self.deadlines_mut() else { return };
        if deadlines.is_empty() && schedule.deadline.is_none() {
            self.leave_deadlines();
        } else {
            deadlines.set_schedule(schedule);
        }
    }
}
