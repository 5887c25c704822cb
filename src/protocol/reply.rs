//! Replies: one call per value, the dialect decided once per client.
//!
//! [`Output`] is what waits to be sent: a run of bytes with large bulks spliced in by reference,
//! so that they leave through a vectored write without being copied.

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
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// Bulks that belong right before `bytes[at]`, ascending.
    shared: Vec<(usize, Blob)>,
    shared_bytes: usize,
}

impl Output {
    /// Bytes waiting.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.shared.is_empty()
    }

    /// Bytes of memory held: capacity, not content.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.shared_bytes
            + self.shared.capacity() * size_of::<(usize, Blob)>()
    }

    /// How many bulks are held by reference.
    pub fn shared_count(&self) -> usize {
        self.shared.len()
    }

    /// The plain bytes, when no shared bulk lies among them.
    pub fn as_plain(&self) -> Option<&[u8]> {
        self.shared.is_empty().then_some(self.bytes.as_slice())
    }

    /// Everything as slices, in sending order.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let tail_from = self.shared.last().map_or(0, |(at, _)| *at);
        let mut from = 0;
        self.shared
            .iter()
            .flat_map(move |(at, blob)| {
                let head = &self.bytes[from..*at];
                from = *at;
                [head, blob.as_slice()]
            })
            .chain(std::iter::once(&self.bytes[tail_from..]))
            .filter(|slice| !slice.is_empty())
    }

    /// Drops the first `count` bytes, which have been sent. O(what remains).
    pub fn advance(&mut self, mut count: usize) {
        if count >= self.len() {
            self.clear();
            return;
        }
        let mut from = 0;
        let mut spliced = 0;
        for (at, blob) in &mut self.shared {
            let head = *at - from;
            if count < head {
                break;
            }
            count -= head;
            from = *at;
            if count < blob.len() {
                // The rest of a half-sent bulk becomes a blob of its own, once per blocked write.
                self.shared_bytes -= count;
                *blob = Blob::new(blob[count..].to_vec());
                count = 0;
                break;
            }
            count -= blob.len();
            self.shared_bytes -= blob.len();
            spliced += 1;
        }
        self.shared.drain(..spliced);
        let cut = from + count;
        self.bytes.drain(..cut);
        for (at, _) in &mut self.shared {
            *at -= cut;
        }
    }

    /// Forgets everything, keeping the allocation.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.shared.clear();
        self.shared_bytes = 0;
    }

    /// Appends raw bytes that are already RESP.
    pub fn push_raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends a bulk's content by reference.
    fn push_shared(&mut self, blob: Blob) {
        self.shared_bytes += blob.len();
        self.shared.push((self.bytes.len(), blob));
    }

    /// Moves everything of `other` behind what is here.
    pub fn append(&mut self, other: &mut Output) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.shared.extend(other.shared.drain(..).map(|(at, blob)| (base + at, blob)));
        self.shared_bytes += other.shared_bytes;
        other.clear();
    }

    /// Cuts back to an earlier [`Output::mark`]: what came after was never said.
    pub fn rewind(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        for (_, blob) in self.shared.drain(mark.shared..) {
            self.shared_bytes -= blob.len();
        }
    }

    /// The present end, for [`Output::rewind`] and for measuring a reply.
    pub fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), shared: self.shared.len() }
    }

    /// Gives memory back that an earlier burst left, when more than `keep` bytes are held.
    pub fn shrink(&mut self, keep: usize) {
        self.bytes.shrink_to(keep);
        self.shared.shrink_to(0);
    }
}

/// A position in an [`Output`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    bytes: usize,
    shared: usize,
}

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
        let text = error.to_string();
        self.out.bytes.push(b'-');
        self.out
            .bytes
            .extend(text.bytes().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
        self.out.bytes.extend_from_slice(b"\r\n");
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
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.prefixed(b'$', bytes.len());
        self.out.bytes.extend_from_slice(bytes);
        self.out.bytes.extend_from_slice(b"\r\n");
    }

    /// A bulk string, sent by reference when that pays.
    pub fn bulk_shared(&mut self, blob: &Blob) {
        if blob.len() < SHARED_BULK_MIN {
            self.bulk(blob);
            return;
        }
        self.prefixed(b'$', blob.len());
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

    /// Head of an out-of-band message. An array in RESP2.
    pub fn push(&mut self, len: usize) {
        self.prefixed(if self.is_resp3() { b'>' } else { b'*' }, len);
    }

    /// A double; in RESP2 the same digits as a bulk string.
    pub fn double(&mut self, value: f64) {
        let mut text = Vec::with_capacity(32);
        format_double(value, &mut text);
        if self.is_resp3() {
            self.out.bytes.push(b',');
            self.out.bytes.extend_from_slice(&text);
            self.out.bytes.extend_from_slice(b"\r\n");
        } else {
            self.bulk(&text);
        }
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

    fn prefixed(&mut self, prefix: u8, number: impl itoa::Integer) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        self.out.bytes.reserve(digits.len() + 3);
        self.out.bytes.push(prefix);
        self.out.bytes.extend_from_slice(digits);
        self.out.bytes.extend_from_slice(b"\r\n");
    }
}
