//! Strings of the keyspace as bytes, as replies, and cut into ranges.

use std::ops::Range;

use crate::command::args::Args;
use crate::keyspace::value::{NewString, StringRef};
use crate::protocol::reply::Reply;

/// The bytes of a string; those of an integer are spelled into `digits`.
pub(super) fn as_bytes<'a>(value: StringRef<'a>, digits: &'a mut itoa::Buffer) -> &'a [u8] {
    match value {
        StringRef::Int(number) => digits.format(number).as_bytes(),
        StringRef::Inline(bytes) => bytes,
        StringRef::Shared(blob) => blob,
    }
}

/// How many bytes a string has.
pub(super) fn len(value: StringRef<'_>) -> usize {
    match value {
        StringRef::Int(number) => itoa::Buffer::new().format(number).len(),
        StringRef::Inline(bytes) => bytes.len(),
        StringRef::Shared(blob) => blob.len(),
    }
}

/// Replies with a string.
pub(super) fn write(reply: &mut Reply<'_>, value: StringRef<'_>) {
    match value {
        StringRef::Int(number) => reply.bulk_int(number),
        StringRef::Inline(bytes) => reply.bulk(bytes),
        StringRef::Shared(blob) => reply.bulk_shared(blob),
    }
}

/// Replies with a string, or null where there is none.
pub(super) fn write_or_null(reply: &mut Reply<'_>, value: Option<StringRef<'_>>) {
    match value {
        Some(value) => write(reply, value),
        None => reply.null(),
    }
}

/// Word `index` of a request for storing: shared when it has an allocation of its own.
pub(super) fn word<'a>(args: &Args<'a>, index: usize) -> NewString<'a> {
    match args.blob(index) {
        Some(blob) => NewString::Shared(blob),
        None => NewString::Bytes(args.word(index)),
    }
}

/// Places `start..=end` among `len`; negative ones count from the end, all are cut to fit.
pub(super) fn places(start: i64, end: i64, len: usize) -> Range<usize> {
    let count = i64::try_from(len).unwrap_or(i64::MAX);
    let from_front = |at: i64| if at < 0 { (at + count).max(0) } else { at };
    let (first, last) = (from_front(start), from_front(end).min(count - 1));
    match (usize::try_from(first), usize::try_from(last)) {
        (Ok(first), Ok(last)) if first <= last => first..last + 1,
        _ => 0..0,
    }
}

/// As [`places`], but two places from the end in the wrong order cut nothing.
// Clients see that GETRANGE and BITCOUNT differ from BITPOS in this.
pub(super) fn cut(start: i64, end: i64, len: usize) -> Range<usize> {
    if start < 0 && end < 0 && start > end { 0..0 } else { places(start, end, len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_from_either_end_and_stay_inside() {
        let check = |start, end, expected: Range<usize>| {
            assert_eq!(cut(start, end, 5), expected, "{start}..={end}");
        };
        check(0, -1, 0..5);
        check(-3, -1, 2..5);
        check(3, 1, 0..0);
        check(-100, 100, 0..5);
        check(-100, -200, 0..0);
        check(0, -100, 0..1);
        check(5, 10, 0..0);
        check(i64::MIN, i64::MAX, 0..5);
        assert_eq!(places(-100, -200, 5), 0..1);
        assert_eq!(cut(0, -1, 0), 0..0);
    }
}
