//! Points in time as commands spell them: in seconds or milliseconds, from now or from 1970.

use crate::base::number::parse_int;
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::protocol::error::ReplyError;

/// How a number is to be understood as a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Milliseconds per unit.
    unit: i64,
    /// Counted from now, not from 1970.
    is_relative: bool,
}

impl Clock {
    /// `EX`.
    pub(super) const SECONDS: Self = Self { unit: 1000, is_relative: true };
    /// `PX`.
    pub(super) const MILLIS: Self = Self { unit: 1, is_relative: true };
    /// `EXAT`.
    pub(super) const UNIX_SECONDS: Self = Self { unit: 1000, is_relative: false };
    /// `PXAT`.
    pub(super) const UNIX_MILLIS: Self = Self { unit: 1, is_relative: false };

    /// Reads `EX`, `PX`, `EXAT` or `PXAT`, if one of them is next.
    pub(super) fn accept(args: &mut Args<'_>) -> Option<Self> {
        const WORDS: [(&str, Clock); 4] = [
            ("EX", Clock::SECONDS),
            ("PX", Clock::MILLIS),
            ("EXAT", Clock::UNIX_SECONDS),
            ("PXAT", Clock::UNIX_MILLIS),
        ];
        WORDS.into_iter().find(|(word, _)| args.accept(word)).map(|(_, clock)| clock)
    }

    /// The point in time; `None` when it can't be written in 64 bits of milliseconds.
    pub(super) fn at(self, number: i64, now: UnixMillis) -> Option<UnixMillis> {
        let base = if self.is_relative { now.0 } else { 0 };
        number.checked_mul(self.unit)?.checked_add(base).map(UnixMillis)
    }
}

/// A deadline as it stands in the options of a call. Its number is read only after all options
/// are known to be well-formed: clients see a syntax error before a bad number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry<'a> {
    clock: Clock,
    number: &'a [u8],
}

impl<'a> Expiry<'a> {
    /// A number whose clock follows from the command's name.
    pub(super) fn new(clock: Clock, number: &'a [u8]) -> Self {
        Self { clock, number }
    }

    /// Reads `EX`, `PX`, `EXAT` or `PXAT` with its number, if one of them is next and is not at
    /// odds with `former`, the one read before: only the same word may come again.
    pub(super) fn accept(
        args: &mut Args<'a>,
        former: Option<Self>,
    ) -> Result<Option<Self>, ReplyError> {
        let Some(clock) = Clock::accept(args) else { return Ok(None) };
        if former.is_some_and(|former| former.clock != clock) {
            return Err(ReplyError::Syntax);
        }
        Ok(Some(Self { clock, number: args.bytes()? }))
    }

    /// The deadline; zero and negative numbers are refused in the name of `command`.
    pub(super) fn resolve(self, now: UnixMillis, command: &str) -> Result<UnixMillis, ReplyError> {
        let number = parse_int(self.number).ok_or(ReplyError::NotInteger)?;
        let deadline = if number > 0 { self.clock.at(number, now) } else { None };
        deadline.ok_or_else(|| ReplyError::InvalidExpire(command.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(5_000);

    fn check(clock: Clock, number: &str, expected: Option<i64>) {
        let resolved = Expiry::new(clock, number.as_bytes()).resolve(NOW, "set");
        assert_eq!(resolved.ok().map(|at| at.0), expected, "{clock:?} {number}");
    }

    #[test]
    fn deadlines_are_counted_from_now_or_from_1970() {
        check(Clock::SECONDS, "2", Some(7_000));
        check(Clock::MILLIS, "2", Some(5_002));
        check(Clock::UNIX_SECONDS, "2", Some(2_000));
        check(Clock::UNIX_MILLIS, "2", Some(2));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let max = i64::MAX.to_string();
        check(Clock::UNIX_MILLIS, &max, Some(i64::MAX));
        check(Clock::MILLIS, &max, None);
        check(Clock::UNIX_SECONDS, &max, None);
        check(Clock::SECONDS, "0", None);
        check(Clock::SECONDS, "-1", None);
        check(Clock::SECONDS, "1.5", None);
    }
}
