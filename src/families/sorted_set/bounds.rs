//! How ranges of scores and of bytes are spelled.

use crate::base::number::parse_score_bound;
use crate::protocol::error::ReplyError;
use crate::types::sorted_set::Cut;

const NOT_FLOAT: ReplyError = ReplyError::Fixed("ERR min or max is not a float");
const NOT_STRING: ReplyError = ReplyError::Fixed("ERR min or max not valid string range item");

/// From one cut to another; nothing if they are the wrong way round.
pub(super) type Between<'a> = (Cut<'a>, Cut<'a>);

/// Scores from `min` to `max`; with `(` the bound itself is out.
pub(super) fn scores(min: &[u8], max: &[u8]) -> Result<Between<'static>, ReplyError> {
    let first = match min.strip_prefix(b"(") {
        Some(min) => Cut::AfterScore(score(min)?),
        None => Cut::BeforeScore(score(min)?),
    };
    let last = match max.strip_prefix(b"(") {
        Some(max) => Cut::BeforeScore(score(max)?),
        None => Cut::AfterScore(score(max)?),
    };
    Ok((first, last))
}

fn score(word: &[u8]) -> Result<f64, ReplyError> {
    parse_score_bound(word).ok_or(NOT_FLOAT)
}

/// Members from `min` to `max`: `-`, `+`, `[` with what is in, `(` with what is out.
pub(super) fn members<'a>(min: &'a [u8], max: &'a [u8]) -> Result<Between<'a>, ReplyError> {
    let first = match min {
        b"-" => Cut::Start,
        b"+" => Cut::End,
        [b'[', min @ ..] => Cut::BeforeMember(min),
        [b'(', min @ ..] => Cut::AfterMember(min),
        _ => return Err(NOT_STRING),
    };
    let last = match max {
        b"-" => Cut::Start,
        b"+" => Cut::End,
        [b'[', max @ ..] => Cut::AfterMember(max),
        [b'(', max @ ..] => Cut::BeforeMember(max),
        _ => return Err(NOT_STRING),
    };
    Ok((first, last))
}
