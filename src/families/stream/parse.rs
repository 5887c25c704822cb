//! Identifiers and counts as clients write them.

use crate::base::number::parse_int;
use crate::command::args::Args;
use crate::protocol::error::ReplyError;
use crate::types::stream::id::{Id, Spelled};

pub(super) const INVALID_ID: ReplyError =
    ReplyError::Fixed("ERR Invalid stream ID specified as stream command argument");
const INVALID_START: ReplyError = ReplyError::Fixed("ERR invalid start ID for the interval");
const INVALID_END: ReplyError = ReplyError::Fixed("ERR invalid end ID for the interval");
const IDS_NOT_POSITIVE: ReplyError =
    ReplyError::Fixed("ERR Number of IDs must be a positive integer");
const IDS_MISCOUNTED: ReplyError =
    ReplyError::Fixed("ERR The `numids` parameter must match the number of arguments");

/// An identifier; `seq` is the number of one written without.
fn with_default(word: &[u8], seq: u64) -> Result<Id, ReplyError> {
    match Id::parse(word) {
        Some(Spelled::Whole(id)) => Ok(id),
        Some(Spelled::Millis(ms)) => Ok(Id { ms, seq }),
        Some(Spelled::Auto(_)) | None => Err(INVALID_ID),
    }
}

/// An identifier, the first one of its millisecond if it is written without number.
pub(super) fn id(word: &[u8]) -> Result<Id, ReplyError> {
    with_default(word, 0)
}

/// Identifiers up to the end.
pub(super) fn ids(args: &mut Args<'_>) -> Result<Vec<Id>, ReplyError> {
    args.rest().map(id).collect()
}

/// An end of an interval, and whether it is itself left out.
fn bound(word: &[u8], seq: u64) -> Result<(Id, bool), ReplyError> {
    match word {
        b"-" => Ok((Id::MIN, false)),
        b"+" => Ok((Id::MAX, false)),
        [b'(', rest @ ..] => Ok((with_default(rest, seq)?, true)),
        _ => Ok((with_default(word, seq)?, false)),
    }
}

/// The first identifier of an interval.
pub(super) fn start(word: &[u8]) -> Result<Id, ReplyError> {
    match bound(word, 0)? {
        (id, false) => Ok(id),
        (id, true) => id.next().ok_or(INVALID_START),
    }
}

/// The last identifier of an interval.
pub(super) fn end(word: &[u8]) -> Result<Id, ReplyError> {
    match bound(word, u64::MAX)? {
        (id, false) => Ok(id),
        (id, true) => id.prev().ok_or(INVALID_END),
    }
}

/// A count; nothing less than zero.
pub(super) fn count(args: &mut Args<'_>) -> Result<usize, ReplyError> {
    Ok(usize::try_from(args.int()?).unwrap_or(0))
}

/// `numids id [id ...]`.
pub(super) fn counted_ids(args: &mut Args<'_>) -> Result<Vec<Id>, ReplyError> {
    let count = args.bytes().ok().and_then(parse_int).filter(|count| *count > 0);
    let count = count.and_then(|count| usize::try_from(count).ok()).ok_or(IDS_NOT_POSITIVE)?;
    if count > args.left() {
        return Err(IDS_MISCOUNTED);
    }
    (0..count).map(|_| id(args.bytes()?)).collect()
}
