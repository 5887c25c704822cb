//! How long a call may wait.

use crate::base::long_double::LongDouble;
use crate::base::number::parse_double;
use crate::base::time::UnixMillis;
use crate::protocol::error::ReplyError;

const NOT_FLOAT: ReplyError = ReplyError::Fixed("ERR timeout is not a float or out of range");
const NOT_INTEGER: ReplyError = ReplyError::Fixed("ERR timeout is not an integer or out of range");
const NEGATIVE: ReplyError = ReplyError::Fixed("ERR timeout is negative");
const OUT_OF_RANGE: ReplyError = ReplyError::Fixed("ERR timeout is out of range");

/// The last moment of waiting for `word` seconds, which may have fractions; 0 is for ever.
pub(super) fn in_seconds(word: &[u8], now: UnixMillis) -> Result<Option<UnixMillis>, ReplyError> {
    // Rounded up, so that less than a millisecond is not for ever.
    let millis = (parse_seconds(word).ok_or(NOT_FLOAT)? * 1000.0).ceil();
    #[allow(clippy::cast_precision_loss, reason = "compared with a power of two")]
    let is_too_long = millis > i64::MAX as f64;
    if is_too_long {
        return Err(OUT_OF_RANGE);
    }
    #[allow(clippy::cast_possible_truncation, reason = "whole, and checked above; -inf saturates")]
    let millis = millis as i64;
    from_now(millis, now)
}

/// A number whose exponent may be that of a long double, in which Redis reads it: what a double
/// has no place for is as good as infinite, or as nothing.
fn parse_seconds(word: &[u8]) -> Option<f64> {
    parse_double(word).or_else(|| {
        let (number, one) = (LongDouble::parse(word)?, LongDouble::parse(b"1")?);
        Some(match (one.is_below(number), number.is_below(one.negated())) {
            (true, _) => f64::INFINITY,
            (_, true) => f64::NEG_INFINITY,
            _ if number.is_below(one.add(one.negated())) => -f64::MIN_POSITIVE,
            _ => f64::MIN_POSITIVE,
        })
    })
}

/// The last moment of waiting for `word` milliseconds; 0 is for ever.
pub(super) fn in_millis(word: &[u8], now: UnixMillis) -> Result<Option<UnixMillis>, ReplyError> {
    from_now(crate::base::number::parse_int(word).ok_or(NOT_INTEGER)?, now)
}

fn from_now(millis: i64, now: UnixMillis) -> Result<Option<UnixMillis>, ReplyError> {
    match millis {
        0 => Ok(None),
        ..0 => Err(NEGATIVE),
        _ => now.0.checked_add(millis).map(|at| Some(UnixMillis(at))).ok_or(OUT_OF_RANGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_rounded_up_to_milliseconds() {
        let check = |word: &str, expected: Result<Option<i64>, ReplyError>| {
            let found = in_seconds(word.as_bytes(), UnixMillis(1000));
            assert_eq!(found.map(|at| at.map(|at| at.0)), expected, "{word}");
        };
        check("0", Ok(None));
        check("1", Ok(Some(2000)));
        check("0.001", Ok(Some(1001)));
        check("0.0001", Ok(Some(1001)));
        check("1.5", Ok(Some(2500)));
        check("-0.0001", Ok(None));
        check("-1", Err(NEGATIVE));
        check("-inf", Err(NEGATIVE));
        check("inf", Err(OUT_OF_RANGE));
        check("9223372036854775", Err(OUT_OF_RANGE));
        check("9223372036854775807", Err(OUT_OF_RANGE));
        check("1e30", Err(OUT_OF_RANGE));
        check("1e400", Err(OUT_OF_RANGE));
        check("-1e400", Err(NEGATIVE));
        check("1e-400", Ok(Some(1001)));
        check("-1e-400", Ok(None));
        check("1e5000", Err(NOT_FLOAT));
        check("1e-5000", Err(NOT_FLOAT));
        check("nan", Err(NOT_FLOAT));
        check("x", Err(NOT_FLOAT));
        check("", Err(NOT_FLOAT));
    }

    #[test]
    fn milliseconds_are_whole() {
        assert_eq!(in_millis(b"5", UnixMillis(7)), Ok(Some(UnixMillis(12))));
        assert_eq!(in_millis(b"0", UnixMillis(7)), Ok(None));
        assert_eq!(in_millis(b"1.5", UnixMillis(7)), Err(NOT_INTEGER));
        assert_eq!(in_millis(b"-1", UnixMillis(7)), Err(NEGATIVE));
    }
}
