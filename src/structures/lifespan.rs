//! When a key goes, and where the timing wheel holds its item: both in one word of the entry.
//!
//! The wheel holds at most one *registered* item per key; its [`Ticket`] says which. So extending
//! a deadline needs no new item, shortening below the ticket needs one, and an item that fires
//! without matching the ticket is a left-over to be dropped. The word, when a ticket is there:
//!
//! ```text
//!   bit  0..44  deadline in Unix milliseconds (until the year 2527)
//!       44..59  the ticket's moment, in units of 2^shift, modulo 2^15
//!       59..64  shift; 31 marks a key without a deadline: 0..44 is the ticket, 44..59 its shift
//! ```
//!
//! 1. A ticket's moment never lies after the deadline. It is rounded up to a multiple of
//!    `2^shift`, so an unsuccessful comparison costs one more item, never a lost one.
//! 2. Without a ticket the word is the deadline itself, any `i64`.

/// Moments from here on are not filed with the wheel. Unix milliseconds, the year 2527.
pub const HORIZON: i64 = 1 << MOMENT_BITS;

const MOMENT_BITS: u32 = 44;
const MOMENT_MASK: u64 = (1 << MOMENT_BITS) - 1;
const CODE_BITS: u32 = 15;
const CODE_MASK: u64 = (1 << CODE_BITS) - 1;
const SHIFT_AT: u32 = MOMENT_BITS + CODE_BITS;
const NO_DEADLINE: u64 = 31;
const SHIFT_MAX: u32 = MOMENT_BITS - CODE_BITS;

const _: () = assert!(SHIFT_AT + 5 == 64);
const _: () = assert!((SHIFT_MAX as u64) < NO_DEADLINE);

/// Which item of the wheel belongs to a key: its moment, rounded up to `2^shift` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    moment: u64,
    shift: u32,
}

impl Ticket {
    /// For an item that the wheel fires at `moment`; `None` outside of `0..HORIZON`.
    pub fn new(moment: i64) -> Option<Self> {
        let moment = u64::try_from(moment).ok().filter(|at| *at <= MOMENT_MASK)?;
        Some(Self { moment, shift: 0 })
    }

    /// No later than this the item fires.
    pub fn moment(self) -> i64 {
        i64::try_from(self.moment).unwrap_or(i64::MAX)
    }

    /// Whether an item filed for exactly `moment` is the one meant.
    pub fn matches(self, moment: i64) -> bool {
        u64::try_from(moment).is_ok_and(|at| round_up(at, self.shift) == self.moment)
    }

    /// Rounded so that it can be told relative to `deadline`; `None` when it lies after that.
    fn relative_to(self, deadline: u64) -> Option<Self> {
        let mut shift = self.shift;
        loop {
            let moment = round_up(self.moment, shift);
            let distance = deadline.checked_sub(moment)?;
            if distance >> shift < CODE_MASK {
                return Some(Self { moment, shift });
            }
            shift += 1;
        }
    }
}

fn round_up(moment: u64, shift: u32) -> u64 {
    moment.div_ceil(1 << shift) << shift
}

/// Deadline and ticket of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifespan {
    /// The key is gone from this moment on; Unix milliseconds.
    pub deadline: Option<i64>,
    /// The wheel's item for the key.
    pub ticket: Option<Ticket>,
}

/// How a [`Lifespan`] is kept in an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Neither deadline nor ticket.
    Absent,
    /// The deadline.
    Plain(u64),
    /// Deadline, if any, and ticket.
    Filed(u64),
}

impl Lifespan {
    /// A deadline that the wheel does not know of.
    pub fn until(deadline: Option<i64>) -> Self {
        Self { deadline, ticket: None }
    }

    /// Drops a ticket that cannot be kept beside the deadline, because it lies after it.
    #[must_use]
    pub fn settled(self) -> Self {
        let Some(ticket) = self.ticket else { return self };
        let ticket = match self.deadline {
            None => Some(ticket),
            Some(at) => small(at).and_then(|at| ticket.relative_to(at)),
        };
        Self { deadline: self.deadline, ticket }
    }

    /// For the entry. A ticket after the deadline is not kept.
    pub fn pack(self) -> Word {
        let Self { deadline, ticket } = self.settled();
        match (deadline, ticket) {
            (None, None) => Word::Absent,
            (Some(at), None) => Word::Plain(at.cast_unsigned()),
            (None, Some(Ticket { moment, shift })) => {
                Word::Filed(moment | u64::from(shift) << MOMENT_BITS | NO_DEADLINE << SHIFT_AT)
            }
            (Some(at), Some(Ticket { moment, shift })) => Word::Filed(
                (at.cast_unsigned() & MOMENT_MASK)
                    | (moment >> shift & CODE_MASK) << MOMENT_BITS
                    | u64::from(shift) << SHIFT_AT,
            ),
        }
    }

    /// Back from the entry.
    pub fn unpack(word: Word) -> Self {
        match word {
            Word::Absent => Self::default(),
            Word::Plain(at) => Self::until(Some(at.cast_signed())),
            Word::Filed(word) => {
                let (low, code) = (word & MOMENT_MASK, word >> MOMENT_BITS & CODE_MASK);
                let shift = word >> SHIFT_AT;
                if shift == NO_DEADLINE {
                    // The code is below 2^15, a shift is below 2^5.
                    let shift = u32::try_from(code).unwrap_or(0).min(SHIFT_MAX);
                    return Self { deadline: None, ticket: Some(Ticket { moment: low, shift }) };
                }
                let shift = u32::try_from(shift).unwrap_or(0);
                let unit = low >> shift;
                let moment = unit.saturating_sub(unit.wrapping_sub(code) & CODE_MASK) << shift;
                Self { deadline: Some(low.cast_signed()), ticket: Some(Ticket { moment, shift }) }
            }
        }
    }
}

/// The deadline of a packed lifespan, without its ticket: what every lookup asks.
#[inline]
pub fn deadline_of(word: Word) -> Option<i64> {
    match word {
        Word::Absent => None,
        Word::Plain(at) => Some(at.cast_signed()),
        Word::Filed(word) if word >> SHIFT_AT == NO_DEADLINE => None,
        Word::Filed(word) => Some((word & MOMENT_MASK).cast_signed()),
    }
}

fn small(deadline: i64) -> Option<u64> {
    u64::try_from(deadline).ok().filter(|at| *at <= MOMENT_MASK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use proptest::prelude::*;

    fn check(lifespan: Lifespan) -> Lifespan {
        let back = Lifespan::unpack(lifespan.pack());
        assert_eq!(back.deadline, lifespan.deadline);
        assert_eq!(deadline_of(lifespan.pack()), lifespan.deadline);
        assert_eq!(back, lifespan.settled());
        back
    }

    #[test]
    fn any_deadline_survives_without_a_ticket() {
        for at in [i64::MIN, -1, 0, 1, HORIZON - 1, HORIZON, i64::MAX] {
            check(Lifespan::until(Some(at)));
            check(Lifespan { deadline: Some(at), ticket: Ticket::new(0) });
        }
        check(Lifespan::default());
    }

    #[test]
    fn ticket_after_the_deadline_is_not_kept() {
        let ticket = Ticket::new(11);
        assert_eq!(check(Lifespan { deadline: Some(10), ticket }).ticket, None);
        assert_eq!(check(Lifespan { deadline: Some(11), ticket }).ticket, ticket);
        assert_eq!(check(Lifespan { deadline: None, ticket }).ticket, ticket);
    }

    proptest! {
        #[test]
        fn extended_ticket_still_matches(
            filed in 0..HORIZON,
            gaps in prop::collection::vec(0u32..44, 1..20),
        ) {
            let mut lifespan = Lifespan { deadline: Some(filed), ticket: Ticket::new(filed) };
            for gap in gaps {
                let at = (filed + (1i64 << gap) - 1).min(HORIZON - 1);
                let before = lifespan.ticket.unwrap();
                lifespan = check(Lifespan { deadline: Some(at), ..lifespan });
                let Some(ticket) = lifespan.ticket else {
                    // Rounding had moved it past a deadline that came closer again.
                    prop_assert!(before.moment() > at);
                    break;
                };
                prop_assert!(ticket.matches(filed));
                prop_assert!((filed..=at).contains(&ticket.moment()));
                let persisted = check(Lifespan { deadline: None, ..lifespan });
                prop_assert_eq!(persisted.ticket, lifespan.ticket);
            }
        }
    }
}
