//! Replies: one call per value, the dialect decided once per client.
//!
//! [`Output`] is what waits to be sent: a run of bytes with large bulks spliced in by reference,
//! so that they leave through a vectored write without being copied.

use std::collections::VecDeque;
use std::io::Write;

use super::error::ReplyError;
use crate::base::blob::Blob;
use crate::base::number::format_double;

/// Bulks from this size on are sent by reference. Below it a copy is cheaper than an `iovec`
/// and a counter.
pub const SHARED_BULK_MIN: usize = 4096;

/// Which version of RESP a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// What every client starts with.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// Bytes on their way to a client, in order.
///
/// 1. `bytes[start..]` and `shared` are what waits; positions count from the front of `bytes`.
/// 2. `front_sent` bytes of the first shared bulk have been sent; then `start` is its position.
/// 3. What has been sent is forgotten in leaps, so that a slow reader costs O(1) per byte.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    start: usize,
    /// Bulks that belong right before `bytes[at]`, ascending.
    shared: VecDeque<(usize, Blob)>,
    /// Of the shared bulks, without `front_sent`.
    shared_bytes: usize,
    front_sent: usize,
}

/// Sent bytes at the front of the buffer that are worth a move of the rest.
const COMPACT_MIN: usize = 16 * 1024;

impl Output {
    /// Bytes waiting.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start + self.shared_bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held: capacity, not content.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.shared_bytes
            + self.shared.capacity() * size_of::<(usize, Blob)>()
    }

    /// Bytes of memory that nobody else answers for: of a bulk that several hold, a share.
    /// O(shared bulks).
    pub fn own_bytes(&self) -> usize {
        let shared = self.shared.iter().map(|(_, blob)| blob.capacity() / blob.holders());
        self.bytes.capacity()
            + self.shared.capacity() * size_of::<(usize, Blob)>()
            + shared.sum::<usize>()
    }

    /// Bytes that can be said, by copy, without an allocation.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many bulks are held by reference.
    pub fn shared_count(&self) -> usize {
        self.shared.len()
    }

    /// The plain bytes, when no shared bulk lies among them.
    pub fn as_plain(&self) -> Option<&[u8]> {
        self.shared.is_empty().then_some(&self.bytes[self.start..])
    }

    /// Everything as slices, in sending order.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let tail_from = self.shared.back().map_or(self.start, |(at, _)| *at);
        let (mut from, mut sent) = (self.start, self.front_sent);
        self.shared
            .iter()
            .flat_map(move |(at, blob)| {
                let head = &self.bytes[from..*at];
                from = *at;
                [head, &blob[std::mem::take(&mut sent)..]]
            })
            .chain(std::iter::once(&self.bytes[tail_from..]))
            .filter(|slice| !slice.is_empty())
    }

    /// Drops the first `count` bytes, which have been sent. O(1) per byte in the long run.
    pub fn advance(&mut self, mut count: usize) {
        if count >= self.len() {
            self.clear();
            return;
        }
        while let Some((at, blob)) = self.shared.front() {
            let head = *at - self.start;
            if count < head {
                break;
            }
            count -= head;
            self.start = *at;
            let rest = blob.len() - self.front_sent;
            if count < rest {
                self.front_sent += count;
                self.shared_bytes -= count;
                return;
            }
            count -= rest;
            self.shared_bytes -= rest;
            self.front_sent = 0;
            self.shared.pop_front();
        }
        self.start += count;
        if self.start >= COMPACT_MIN && self.start * 2 >= self.bytes.len() {
            self.compact();
        }
    }

    /// Moves what waits to the front of the buffer.
    fn compact(&mut self) {
        self.bytes.drain(..self.start);
        for (at, _) in &mut self.shared {
            *at -= self.start;
        }
        self.start = 0;
    }

    /// Forgets everything, keeping the allocation.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
        if !self.shared.is_empty() {
            self.shared.clear();
        }
        self.shared_bytes = 0;
        self.front_sent = 0;
    }

    /// Appends raw bytes that are already RESP.
    pub fn push_raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends bytes by reference that are already RESP, or the content of a bulk.
    pub fn push_shared(&mut self, blob: Blob) {
        self.shared_bytes += blob.len();
        self.shared.push_back((self.bytes.len(), blob));
    }

    /// Appends what `other` holds, of which nothing has been sent: bytes are copied, shared bulks
    /// shared once more.
    pub fn push_copy(&mut self, other: &Self) {
        debug_assert!(other.start == 0 && other.front_sent == 0, "a message is whole");
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        if !other.shared.is_empty() {
            self.shared.extend(other.shared.iter().map(|(at, blob)| (base + at, blob.clone())));
            self.shared_bytes += other.shared_bytes;
        }
    }

    /// Moves everything of `other` behind what is here.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
            other.clear();
            return;
        }
        if other.front_sent > 0
            && let Some((_, blob)) = other.shared.front_mut()
        {
            // Only the front of an output can be half sent; this doesn't happen in practice.
            *blob = Blob::new(blob[other.front_sent..].to_vec());
        }
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes[other.start..]);
        let moved = other.shared.drain(..).map(|(at, blob)| (base + at - other.start, blob));
        self.shared.extend(moved);
        self.shared_bytes += other.shared_bytes;
        other.clear();
    }

    /// The same bytes by reference, as far as they were not: a large output then moves from one
    /// hand to the other, and is sent bit by bit, without a byte being copied.
    #[must_use]
    pub fn into_shared(mut self) -> Self {
        if self.bytes.len() < SHARED_BULK_MIN || self.start > 0 {
            return self;
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        if self.shared.is_empty() {
            // A vector that doubles may hold nearly as much again; large ones shrink in place.
            bytes.shrink_to_fit();
            self.push_shared(Blob::new(bytes));
            return self;
        }
        let mut whole = Self::default();
        let mut from = 0;
        for (at, blob) in self.shared.drain(..) {
            if at > from {
                whole.push_shared(Blob::new(bytes[from..at].to_vec()));
            }
            whole.push_shared(blob);
            from = at;
        }
        if bytes.len() > from {
            whole.push_shared(Blob::new(bytes[from..].to_vec()));
        }
        whole
    }

    /// Cuts back to an earlier [`Output::mark`], from which on nothing was sent: what came after
    /// was never said.
    pub fn rewind(&mut self, mark: Mark) {
        debug_assert!(self.start <= mark.bytes, "what was sent can't be taken back");
        self.bytes.truncate(mark.bytes);
        for (_, blob) in self.shared.drain(mark.shared..) {
            self.shared_bytes -= blob.len();
        }
    }

    /// Takes out what came after an earlier [`Output::mark`], from which on nothing was sent.
    pub fn split_off(&mut self, mark: Mark) -> Self {
        debug_assert!(self.start <= mark.bytes, "what was sent can't be taken back");
        let bytes = self.bytes.split_off(mark.bytes);
        let shared: VecDeque<_> =
            self.shared.drain(mark.shared..).map(|(at, blob)| (at - mark.bytes, blob)).collect();
        let shared_bytes = shared.iter().map(|(_, blob)| blob.len()).sum();
        self.shared_bytes -= shared_bytes;
        Self { bytes, shared, shared_bytes, ..Self::default() }
    }

    /// The present end, for [`Output::rewind`].
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), shared: self.shared.len() }
    }

    /// Puts `head` before all that was said since `mark`. O(what was said since).
    fn insert(&mut self, mark: Mark, head: &[u8]) {
        self.bytes.splice(mark.bytes..mark.bytes, head.iter().copied());
        for (at, _) in self.shared.range_mut(mark.shared..) {
            *at += head.len();
        }
    }

    /// Gives memory back that an earlier burst left, when more than `keep` bytes are held.
    pub fn shrink(&mut self, keep: usize) {
        if self.bytes.capacity() > keep {
            self.compact();
            self.bytes.shrink_to(keep);
        }
        if self.shared.capacity() > 0 {
            self.shared.shrink_to(0);
        }
    }
}

/// A position in an [`Output`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    bytes: usize,
    shared: usize,
}

/// An aggregate whose length is said when its values have been: see [`Reply::open`].
#[derive(Debug)]
#[must_use = "an aggregate that is not closed breaks the protocol"]
pub struct Opened(Mark);

/// Writes one client's replies in its dialect.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Output,
    dialect: Dialect,
}

impl<'a> Reply<'a> {
    /// A writer behind what `out` holds already.
    pub fn new(out: &'a mut Output, dialect: Dialect) -> Self {
        Self { out, dialect }
    }

    /// The dialect, for the few replies whose shape differs beyond their framing.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Goes on in another dialect (HELLO, RESET).
    pub fn speak(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Whether the client speaks RESP3.
    pub fn is_resp3(&self) -> bool {
        self.dialect == Dialect::Resp3
    }

    /// The buffer itself, for replies that were encoded elsewhere.
    pub fn output(&mut self) -> &mut Output {
        self.out
    }

    /// A writer for a part of the same reply.
    pub fn reborrow(&mut self) -> Reply<'_> {
        Reply { out: self.out, dialect: self.dialect }
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.out.bytes.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string; `text` must hold no CR or LF.
    pub fn simple(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']), "a simple string is one line");
        self.out.bytes.push(b'+');
        self.out.bytes.extend_from_slice(text.as_bytes());
        self.out.bytes.extend_from_slice(b"\r\n");
    }

    /// An error; CR and LF in it become spaces, so that user data can't forge a reply.
    pub fn error(&mut self, error: &ReplyError) {
        let out = &mut self.out.bytes;
        out.push(b'-');
        let from = out.len();
        if let ReplyError::Bytes(text) = error {
            out.extend_from_slice(text);
        } else if write!(out, "{error}").is_err() {
            debug_assert!(false, "writing to a vector can't fail");
        }
        for byte in &mut out[from..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    pub fn int(&mut self, value: i64) {
        self.prefixed(b':', value);
    }

    /// An integer that counts things.
    pub fn count(&mut self, count: usize) {
        self.prefixed(b':', count);
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) {
        self.prefixed(b':', value);
    }

    /// 1 or 0.
    pub fn flag(&mut self, yes: bool) {
        self.out.bytes.extend_from_slice(if yes { b":1\r\n" } else { b":0\r\n" });
    }

    /// A bulk string, copied.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        let out = &mut self.out.bytes;
        out.reserve(bytes.len() + HEAD_LEN_MAX + 2);
        push_head(out, b'$', bytes.len());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }

    /// A bulk string, sent by reference when that pays.
    pub fn bulk_shared(&mut self, blob: &Blob) {
        if blob.len() < SHARED_BULK_MIN {
            self.bulk(blob);
            return;
        }
        push_head(&mut self.out.bytes, b'$', blob.len());
        self.out.push_shared(blob.clone());
        self.out.bytes.extend_from_slice(b"\r\n");
    }

    /// A number as a bulk string.
    pub fn bulk_int(&mut self, value: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(value).as_bytes());
    }

    /// The absence of a value: `$-1` or `_`.
    pub fn null(&mut self) {
        let text: &[u8] = if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" };
        self.out.bytes.extend_from_slice(text);
    }

    /// The absence of an array: `*-1` or `_`.
    pub fn null_array(&mut self) {
        let text: &[u8] = if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" };
        self.out.bytes.extend_from_slice(text);
    }

    /// Head of an array of `len` values, which follow.
    pub fn array(&mut self, len: usize) {
        self.prefixed(b'*', len);
    }

    /// Head of a map of `pairs` pairs: key, value, key, value follow. A flat array in RESP2.
    pub fn map(&mut self, pairs: usize) {
        if self.is_resp3() {
            self.prefixed(b'%', pairs);
        } else {
            self.prefixed(b'*', pairs * 2);
        }
    }

    /// Head of a set of `len` values. An array in RESP2.
    pub fn set(&mut self, len: usize) {
        self.prefixed(if self.is_resp3() { b'~' } else { b'*' }, len);
    }

    /// Head of `pairs` pairs of remarks about the value that follows them. RESP3 only.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.is_resp3(), "RESP2 has no attributes");
        self.prefixed(b'|', pairs);
    }

    /// Head of an out-of-band message. An array in RESP2.
    pub fn push(&mut self, len: usize) {
        self.prefixed(if self.is_resp3() { b'>' } else { b'*' }, len);
    }

    /// A double; in RESP2 the same digits as a bulk string.
    pub fn double(&mut self, value: f64) {
        let out = &mut self.out.bytes;
        if self.dialect == Dialect::Resp3 {
            out.push(b',');
            format_double(value, out);
        } else {
            // The length is known last. It has one digit or two.
            let from = out.len();
            out.extend_from_slice(b"$00\r\n");
            format_double(value, out);
            let len = out.len() - from - 5;
            if let Ok(ones @ 0..10) = u8::try_from(len) {
                out[from + 1] = b'0' + ones;
                out.remove(from + 2);
            } else {
                let (tens, ones) = (len / 10 % 10, len % 10);
                out[from + 1] = DIGITS[tens];
                out[from + 2] = DIGITS[ones];
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// A boolean; 1 or 0 in RESP2.
    pub fn boolean(&mut self, yes: bool) {
        if self.is_resp3() {
            self.out.bytes.extend_from_slice(if yes { b"#t\r\n" } else { b"#f\r\n" });
        } else {
            self.flag(yes);
        }
    }

    /// An integer of any size, as its digits; a bulk string in RESP2.
    pub fn big_number(&mut self, digits: &str) {
        if self.is_resp3() {
            self.out.bytes.push(b'(');
            self.out.bytes.extend_from_slice(digits.as_bytes());
            self.out.bytes.extend_from_slice(b"\r\n");
        } else {
            self.bulk(digits.as_bytes());
        }
    }

    /// Text with a three-letter format (`txt`, `mkd`); a bulk string in RESP2.
    pub fn verbatim(&mut self, format: &[u8; 3], text: &[u8]) {
        if self.is_resp3() {
            self.prefixed(b'=', text.len() + 4);
            self.out.bytes.extend_from_slice(format);
            self.out.bytes.push(b':');
            self.out.bytes.extend_from_slice(text);
            self.out.bytes.extend_from_slice(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    /// Begins an aggregate whose length is not known yet; its values follow, then one of
    /// [`Reply::close_array`], [`Reply::close_map`] and [`Reply::close_set`].
    pub fn open(&mut self) -> Opened {
        Opened(self.out.mark())
    }

    /// Says that what came since `opened` were `len` values of an array.
    pub fn close_array(&mut self, opened: Opened, len: usize) {
        self.close(opened, b'*', len);
    }

    /// Says that what came since `opened` were `pairs` pairs of a map.
    pub fn close_map(&mut self, opened: Opened, pairs: usize) {
        if self.is_resp3() {
            self.close(opened, b'%', pairs);
        } else {
            self.close(opened, b'*', pairs * 2);
        }
    }

    /// Says that what came since `opened` were `len` members of a set.
    pub fn close_set(&mut self, opened: Opened, len: usize) {
        self.close(opened, if self.is_resp3() { b'~' } else { b'*' }, len);
    }

    fn close(&mut self, Opened(mark): Opened, prefix: u8, len: usize) {
        let mut head = Vec::with_capacity(HEAD_LEN_MAX);
        push_head(&mut head, prefix, len);
        self.out.insert(mark, &head);
    }

    fn prefixed(&mut self, prefix: u8, number: impl itoa::Integer) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        // Put together first: one append instead of three.
        let mut line = [0; HEAD_LEN_MAX];
        line[0] = prefix;
        let end = 1 + digits.len();
        line[1..end].copy_from_slice(digits);
        line[end] = b'\r';
        line[end + 1] = b'\n';
        self.out.bytes.extend_from_slice(&line[..end + 2]);
    }
}

const DIGITS: [u8; 10] = *b"0123456789";

/// The lines that announce lengths of up to two digits, but for their prefix.
const HEADS: [[u8; 5]; 100] = {
    let mut heads = [*b"?0\r\n\n"; 100];
    let mut len = 0;
    while len < 100 {
        if len < 10 {
            heads[len][1] = DIGITS[len];
        } else {
            heads[len] = [b'?', DIGITS[len / 10], DIGITS[len % 10], b'\r', b'\n'];
        }
        len += 1;
    }
    heads
};

/// A prefix, a 64-bit number and the line's end.
const HEAD_LEN_MAX: usize = 23;

/// A prefix with a length, which mostly has one or two digits.
#[inline]
fn push_head(out: &mut Vec<u8>, prefix: u8, len: usize) {
    if let Some(mut head) = HEADS.get(len).copied() {
        head[0] = prefix;
        if len < 10 {
            out.extend_from_slice(&head[..4]);
        } else {
            out.extend_from_slice(&head);
        }
    } else {
        let mut digits = itoa::Buffer::new();
        out.push(prefix);
        out.extend_from_slice(digits.format(len).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(say: impl Fn(&mut Reply<'_>), resp2: &str, resp3: &str) {
        for (dialect, expected) in [(Dialect::Resp2, resp2), (Dialect::Resp3, resp3)] {
            let mut out = Output::default();
            say(&mut Reply::new(&mut out, dialect));
            let found = String::from_utf8(out.slices().collect::<Vec<_>>().concat()).unwrap();
            assert_eq!(found, expected, "{dialect:?}");
        }
    }

    #[allow(clippy::redundant_closure_for_method_calls, reason = "methods are not general enough")]
    #[test]
    fn values_are_framed_in_both_dialects() {
        check(|reply| reply.ok(), "+OK\r\n", "+OK\r\n");
        check(|reply| reply.simple("PONG"), "+PONG\r\n", "+PONG\r\n");
        check(|reply| reply.int(-5), ":-5\r\n", ":-5\r\n");
        check(
            |reply| reply.uint(u64::MAX),
            ":18446744073709551615\r\n",
            ":18446744073709551615\r\n",
        );
        check(|reply| reply.flag(true), ":1\r\n", ":1\r\n");
        check(|reply| reply.null(), "$-1\r\n", "_\r\n");
        check(|reply| reply.null_array(), "*-1\r\n", "_\r\n");
        check(|reply| reply.array(120), "*120\r\n", "*120\r\n");
        check(|reply| reply.map(6), "*12\r\n", "%6\r\n");
        check(|reply| reply.set(2), "*2\r\n", "~2\r\n");
        check(|reply| reply.push(3), "*3\r\n", ">3\r\n");
        check(|reply| reply.boolean(false), ":0\r\n", "#f\r\n");
        check(|reply| reply.boolean(true), ":1\r\n", "#t\r\n");
        check(|reply| reply.big_number("123"), "$3\r\n123\r\n", "(123\r\n");
        check(|reply| reply.verbatim(b"txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
        check(|reply| reply.bulk_int(-42), "$3\r\n-42\r\n", "$3\r\n-42\r\n");
    }

    #[test]
    fn doubles_are_framed_with_their_length() {
        check(|reply| reply.double(3.0), "$1\r\n3\r\n", ",3\r\n");
        check(|reply| reply.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
        check(|reply| reply.double(123_456_789.5), "$11\r\n123456789.5\r\n", ",123456789.5\r\n");
        let longest = "-2.2250738585072014e-308";
        check(
            |reply| reply.double(-f64::MIN_POSITIVE),
            &format!("$24\r\n{longest}\r\n"),
            &format!(",{longest}\r\n"),
        );
    }

    #[test]
    fn bulks_of_every_length_are_framed() {
        for len in [0, 1, 9, 10, 11, 99, 100, 101, 4095, 4096, 100_000] {
            let text = "x".repeat(len);
            let expected = format!("${len}\r\n{text}\r\n");
            check(|reply| reply.bulk(text.as_bytes()), &expected, &expected);
            let blob = Blob::new(text.clone().into_bytes());
            check(|reply| reply.bulk_shared(&blob), &expected, &expected);
        }
    }

    #[test]
    fn errors_stay_on_one_line() {
        let error = ReplyError::Text("ERR a\r\n+OK".into());
        check(|reply| reply.error(&error), "-ERR a  +OK\r\n", "-ERR a  +OK\r\n");
        let error = ReplyError::Syntax;
        check(|reply| reply.error(&error), "-ERR syntax error\r\n", "-ERR syntax error\r\n");
    }

    #[test]
    fn lengths_may_be_said_last() {
        let blob = Blob::new(vec![b'y'; SHARED_BULK_MIN]);
        let large = format!("$4096\r\n{}\r\n", "y".repeat(SHARED_BULK_MIN));
        let say = |reply: &mut Reply<'_>| {
            reply.bulk_shared(&blob);
            let outer = reply.open();
            reply.bulk_shared(&blob);
            let inner = reply.open();
            reply.int(1);
            reply.int(2);
            reply.close_map(inner, 1);
            reply.close_array(outer, 2);
            let empty = reply.open();
            reply.close_set(empty, 0);
        };
        let resp2 = format!("{large}*2\r\n{large}*2\r\n:1\r\n:2\r\n*0\r\n");
        let resp3 = format!("{large}*2\r\n{large}%1\r\n:1\r\n:2\r\n~0\r\n");
        check(say, &resp2, &resp3);
    }

    #[test]
    fn a_shared_output_is_the_same_bytes() {
        for blobs in [0, 1, 3] {
            let mut output = Output::default();
            for _ in 0..blobs {
                output.push_raw(&[b'a'; 5000]);
                output.push_shared(Blob::new(vec![b'b'; 30]));
            }
            output.push_raw(&[b'c'; 5000]);
            let whole: Vec<u8> = output.slices().flatten().copied().collect();
            let shared = output.into_shared();
            assert_eq!((shared.len(), shared.shared_count()), (whole.len(), 2 * blobs + 1));
            assert_eq!(shared.slices().flatten().copied().collect::<Vec<u8>>(), whole);
        }
    }

    #[test]
    fn a_slow_reader_holds_no_more_than_twice_what_waits() {
        let mut out = Output::default();
        out.push_raw(&vec![b'x'; 100 * COMPACT_MIN]);
        for _ in 0..99 {
            out.advance(COMPACT_MIN);
        }
        out.shrink(0);
        assert_eq!(out.len(), COMPACT_MIN);
        assert!(out.memory_bytes() <= 2 * COMPACT_MIN);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Raw(Vec<u8>),
        Shared(usize),
        Advance(usize),
        Append(Vec<u8>, usize, usize),
        Unsaid(Vec<u8>, usize),
        Shrink,
    }

    fn op() -> impl Strategy<Value = Op> {
        let raw = || prop::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            raw().prop_map(Op::Raw),
            (0..60_usize).prop_map(Op::Shared),
            (0..120_usize).prop_map(Op::Advance),
            (raw(), 0..50_usize, 0..60_usize)
                .prop_map(|(raw, len, sent)| Op::Append(raw, len, sent)),
            (raw(), 0..50_usize).prop_map(|(raw, len)| Op::Unsaid(raw, len)),
            Just(Op::Shrink),
        ]
    }

    proptest! {
        #[test]
        fn output_agrees_with_plain_bytes(ops in prop::collection::vec(op(), 0..60)) {
            let (mut out, mut model) = (Output::default(), Vec::new());
            for op in ops {
                match op {
                    Op::Raw(bytes) => {
                        out.push_raw(&bytes);
                        model.extend(bytes);
                    }
                    Op::Shared(len) => {
                        out.push_shared(Blob::new((0..60).cycle().take(len).collect()));
                        model.extend((0..60).cycle().take(len));
                    }
                    Op::Advance(count) => {
                        out.advance(count);
                        model.drain(..count.min(model.len()));
                    }
                    Op::Append(raw, len, sent) => {
                        let mut other = Output::default();
                        other.push_shared(Blob::new(vec![7; len]));
                        other.push_raw(&raw);
                        other.advance(sent);
                        out.append(&mut other);
                        prop_assert!(other.is_empty());
                        let said = [vec![7; len], raw].concat();
                        model.extend_from_slice(&said[sent.min(said.len())..]);
                    }
                    Op::Unsaid(raw, len) => {
                        let mark = out.mark();
                        out.push_raw(&raw);
                        out.push_shared(Blob::new(vec![1; len]));
                        out.rewind(mark);
                    }
                    Op::Shrink => out.shrink(8),
                }
                prop_assert_eq!(out.slices().collect::<Vec<_>>().concat(), model.clone());
                prop_assert_eq!((out.len(), out.is_empty()), (model.len(), model.is_empty()));
                if let Some(plain) = out.as_plain() {
                    prop_assert_eq!(plain, &model);
                }
            }
        }
    }
}
