//! Bytes to requests, incrementally and without copying.
//!
//! [`Decoder::decode`] finds the complete requests at the front of a buffer as spans of it. Of an
//! incomplete request it remembers how far it came (or, when that is next to nothing, how many
//! bytes are missing), so a request of a million words that arrives in small pieces costs O(n) in
//! all. A large bulk that has not arrived in full gets an allocation of its own,
//! [`Decoder::large_target`], into which the socket is read directly.
//!
//! 1. Before the next call the caller drops [`Decoded::consumed`] bytes from the front of its
//!    buffer and everything from [`Decoded::keep_to`] on, and appends what it receives.
//! 2. While a large bulk arrives, all bytes received belong to it until `large_target` is `None`;
//!    then `decode` goes on where the bulk's announcement ended.
//! 3. An error is only reported when no request stands before it, so that the requests before it
//!    are served first, and under the limits that those left behind (AUTH, CONFIG SET).

use super::error::ReplyError;
use super::inline::{Word, Words};
use super::request::{Batch, Request, Span};
use crate::base::blob::Blob;
use crate::base::limits::{
    BATCH_REQUESTS_MAX, BATCH_WORDS_MAX, LARGE_BULK_MIN, LARGE_BULK_RESERVE, LINE_LEN_MAX,
    REQUEST_WORDS_MAX, UNTRUSTED_BULK_MAX, UNTRUSTED_WORDS_MAX,
};
use crate::base::number::parse_int;

/// A request of fewer words than this is decoded anew rather than remembered.
const WORDS_REMEMBERED_MIN: usize = 16;

/// An unfinished line of more bytes than this is searched for its end only once.
const LINE_REMEMBERED_MIN: usize = 32;

/// CR and LF behind a bulk.
const TERMINATOR_LEN: usize = 2;

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct DecodeLimits {
    /// `proto-max-bulk-len`, bytes.
    pub bulk_len_max: usize,
    /// Whether the client has authenticated, or need not.
    pub is_trusted: bool,
}

/// What one call found beside the batch.
#[derive(Debug)]
pub struct Decoded {
    /// Bytes at the front of the buffer that are done with once the batch is served.
    pub consumed: usize,
    /// Where the bytes begin that were moved into a large bulk; else the buffer's length.
    pub keep_to: usize,
    /// Bytes that must arrive before anything more can be found; 1 when that is not known, 0
    /// when the batch is full and more may be found at once.
    pub missing: usize,
    /// Why decoding ended for good, when it did.
    pub error: Option<ReplyError>,
}

impl Decoded {
    /// Whether to serve the batch and call again, without waiting for more bytes.
    pub fn has_more(&self) -> bool {
        self.missing == 0 && self.error.is_none()
    }
}

/// A connection's state between calls; 16 bytes unless a long or large request is incomplete.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    /// Length that the buffer must reach before a look at it pays.
    needed: u32,
    /// Position up to which the end of the present line was looked for.
    searched: u32,
}

/// An incomplete request; all positions count from its first byte.
#[derive(Debug)]
struct Partial {
    spans: Vec<Span>,
    large: Vec<Blob>,
    progress: Progress,
    filling: Option<Filling>,
}

/// A large bulk that is arriving. Its terminator stays in the buffer: the allocation is exact, or
/// bulks of a power of two would waste a fifth of their size class.
#[derive(Debug)]
struct Filling {
    bytes: Vec<u8>,
    len: usize,
}

impl Filling {
    fn missing(&self) -> usize {
        self.len - self.bytes.len()
    }
}

/// Where decoding stands within a request.
#[derive(Clone, Copy, Debug)]
struct Progress {
    at: usize,
    words_left: usize,
}

/// Why decoding can't go on.
enum Stop {
    /// So many bytes are missing at least.
    Missing(usize),
    /// The line that begins here has no end up to there.
    Line(usize, usize),
    /// A large bulk of this length begins here.
    Large(usize, usize),
    Refused(ReplyError),
}

impl Decoder {
    /// Finds complete requests at the front of `buffer`. `batch` is overwritten.
    pub fn decode(&mut self, buffer: &[u8], limits: &DecodeLimits, batch: &mut Batch) -> Decoded {
        batch.clear();
        let mut decoded = Decoded { consumed: 0, keep_to: buffer.len(), missing: 1, error: None };
        if buffer.len() < self.needed as usize {
            decoded.missing = self.needed as usize - buffer.len();
            return decoded;
        }
        // The last value marks large bulks.
        if u32::try_from(buffer.len()).is_ok_and(|len| len < Span::LARGE) {
            self.needed = 0;
        } else {
            decoded.error = Some(protocol("too big request"));
            return decoded;
        }

        while decoded.consumed < buffer.len() || self.partial.is_some() {
            if batch.requests.len() >= BATCH_REQUESTS_MAX || batch.spans.len() >= BATCH_WORDS_MAX {
                decoded.missing = 0;
                break;
            }
            match self.request(buffer, decoded.consumed, limits, batch) {
                Ok(end) => {
                    self.searched = 0;
                    decoded.consumed = end;
                }
                Err(stop) => {
                    self.stop(stop, buffer, batch, &mut decoded);
                    break;
                }
            }
        }
        decoded
    }

    /// Where the rest of a large bulk goes, and how many bytes may be appended to it: the vector has
    /// room for one at least. `None` when no large bulk is arriving, or all of it is there.
    pub fn large_target(&mut self) -> Option<(&mut Vec<u8>, usize)> {
        let filling = self.partial.as_mut()?.filling.as_mut()?;
        let missing = filling.missing();
        if missing == 0 {
            return None;
        }
        if filling.bytes.len() == filling.bytes.capacity() {
            // Twice as much as has arrived, and never more than announced.
            filling.bytes.reserve_exact(missing.min(filling.bytes.len()));
        }
        Some((&mut filling.bytes, missing))
    }

    /// Whether a request has begun that needs more bytes than are in the buffer. Bytes that decode
    /// to nothing by themselves (blank lines) don't count.
    pub fn is_amid_request(&self) -> bool {
        self.partial.is_some() || self.needed > 0
    }

    /// Bytes of memory held beside the caller's buffer.
    pub fn memory_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            size_of::<Partial>()
                + partial.spans.capacity() * size_of::<Span>()
                + partial.large.iter().map(Blob::capacity).sum::<usize>()
                + partial.filling.as_ref().map_or(0, |filling| filling.bytes.capacity())
        })
    }

    /// Adds the request at `start`, if any, to the batch; returns where the next begins.
    fn request(
        &mut self,
        buffer: &[u8],
        start: usize,
        limits: &DecodeLimits,
        batch: &mut Batch,
    ) -> Result<usize, Stop> {
        let first = batch.spans.len();
        let end = if let Some(partial) = self.partial.as_mut() {
            debug_assert_eq!(start, 0, "a remembered request begins the buffer");
            let end = partial.resume(buffer, self.searched as usize, limits)?;
            batch.spans.append(&mut partial.spans);
            batch.large.append(&mut partial.large);
            self.partial = None;
            end
        } else if let Some(end) = plain_request(buffer, start, limits, &mut batch.spans) {
            end
        } else if buffer[start] == b'*' {
            let (count, at) = word_count(buffer, start, self.searched as usize, limits)?;
            let mut progress = Progress { at, words_left: count };
            match words(buffer, 0, limits, &mut progress, &mut batch.spans) {
                Ok(()) => progress.at,
                Err(stop) => {
                    return Err(self.put_aside(buffer, start, progress, batch, first, stop));
                }
            }
        } else {
            inline_words(buffer, start, self.searched as usize, batch)?
        };
        if batch.spans.len() > first {
            batch.requests.push(Request {
                first: narrow(first),
                count: narrow(batch.spans.len() - first),
                ends_at: narrow(end),
            });
        }
        Ok(end)
    }

    /// Takes an incomplete request out of the batch, and remembers it if that is worth it.
    fn put_aside(
        &mut self,
        buffer: &[u8],
        start: usize,
        progress: Progress,
        batch: &mut Batch,
        first: usize,
        stop: Stop,
    ) -> Stop {
        let is_worth_it = match stop {
            Stop::Refused(_) => false,
            Stop::Large(..) => true,
            Stop::Line(from, to) if to - from >= LINE_REMEMBERED_MIN => true,
            Stop::Line(..) | Stop::Missing(_) => batch.spans.len() - first >= WORDS_REMEMBERED_MIN,
        };
        if is_worth_it {
            let base = narrow(start);
            let spans = batch.spans[first..].iter();
            let spans =
                spans.map(|span| Span { start: span.start - base, end: span.end - base }).collect();
            let progress = Progress { at: progress.at - start, ..progress };
            let mut partial = Partial { spans, large: Vec::new(), progress, filling: None };
            if let Stop::Large(at, len) = stop {
                partial.begin_large(buffer, at, at - start, len);
            }
            self.partial = Some(Box::new(partial));
        }
        batch.spans.truncate(first);
        stop
    }

    fn need(&mut self, len: usize) {
        self.needed = u32::try_from(len).unwrap_or(u32::MAX);
    }

    /// Settles what the caller is told, and what is known when it comes again.
    fn stop(&mut self, stop: Stop, buffer: &[u8], batch: &Batch, decoded: &mut Decoded) {
        match stop {
            Stop::Missing(missing) => {
                decoded.missing = missing;
                self.searched = 0;
                self.need(buffer.len() - decoded.consumed + missing);
            }
            Stop::Line(from, to) => {
                // Where else it begins, the request is decoded anew.
                let is_first = self.partial.is_some() || from == decoded.consumed;
                self.searched = if is_first { narrow(to - decoded.consumed) } else { 0 };
                self.need(buffer.len() - decoded.consumed + 1);
            }
            Stop::Large(at, _) => {
                decoded.keep_to = at;
                self.searched = 0;
                if let Some(filling) = self.partial.as_ref().and_then(|it| it.filling.as_ref()) {
                    decoded.missing = filling.missing();
                }
            }
            Stop::Refused(_) if !batch.requests.is_empty() => decoded.missing = 0,
            Stop::Refused(error) => decoded.error = Some(error),
        }
    }
}

impl Partial {
    /// Starts a large bulk with what has arrived of it; `buffer` has it from `from` on.
    fn begin_large(&mut self, buffer: &[u8], from: usize, at: usize, len: usize) {
        let mut bytes = Vec::new();
        let arrived = &buffer[from..];
        bytes.reserve_exact(len.min(LARGE_BULK_RESERVE.max(arrived.len())));
        bytes.extend_from_slice(arrived);
        self.progress.at = at;
        self.filling = Some(Filling { bytes, len });
    }

    /// Goes on with the request; returns where it ends.
    fn resume(
        &mut self,
        buffer: &[u8],
        searched: usize,
        limits: &DecodeLimits,
    ) -> Result<usize, Stop> {
        if let Some(mut filling) = self.filling.take() {
            // Callers that can't read into the target pass its bytes through the buffer.
            let arrived = &buffer[self.progress.at..];
            let taken = arrived.len().min(filling.missing());
            filling.bytes.extend_from_slice(&arrived[..taken]);
            if filling.missing() > 0 {
                let len = filling.len;
                self.filling = Some(filling);
                return Err(Stop::Large(self.progress.at, len));
            }
            self.progress.at += taken;
            let end = self.progress.at + TERMINATOR_LEN;
            if end > buffer.len() {
                self.filling = Some(filling);
                return Err(Stop::Missing(end - buffer.len()));
            }
            self.progress.at = end;
            self.progress.words_left -= 1;
            self.spans.push(Span { start: Span::LARGE, end: narrow(self.large.len()) });
            self.large.push(Blob::new(filling.bytes));
        }
        let outcome = words(buffer, searched, limits, &mut self.progress, &mut self.spans);
        if let Err(Stop::Large(at, len)) = outcome {
            self.begin_large(buffer, at, at, len);
        }
        outcome.map(|()| self.progress.at)
    }
}

/// The request at `start`, if it is a short array of short bulk strings, all of it there: the
/// usual case in the fewest steps. Returns where the next begins, or leaves `spans` as they were.
#[inline]
fn plain_request(
    buffer: &[u8],
    start: usize,
    limits: &DecodeLimits,
    spans: &mut Vec<Span>,
) -> Option<usize> {
    const SHORT_MAX: usize = 99;
    let [b'*', count @ b'1'..=b'9', b'\r', _] = *buffer[start..].first_chunk::<4>()? else {
        return None;
    };
    if limits.bulk_len_max < SHORT_MAX {
        return None;
    }
    let count = usize::from(count - b'0');
    let first = spans.len();
    spans.reserve(count);
    let mut at = start + 4;
    for _ in 0..count {
        let span =
            buffer.get(at..).and_then(|rest| rest.first_chunk::<8>()).copied().and_then(tiny_len);
        match span.map(|(len, head)| (at + head, at + head + len)) {
            // The two bytes behind the content are not looked at: clients see that Redis doesn't.
            Some((from, to)) if to + TERMINATOR_LEN <= buffer.len() => {
                spans.push(Span { start: narrow(from), end: narrow(to) });
                at = to + TERMINATOR_LEN;
            }
            _ => {
                spans.truncate(first);
                return None;
            }
        }
    }
    Some(at)
}

/// `$`, one or two canonical digits and the line's end: the length, and how many bytes say it.
#[inline]
fn tiny_len(head: [u8; 8]) -> Option<(usize, usize)> {
    let [_, a, b, ..] = head.map(|byte| usize::from(byte & 0x0f));
    let head = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    // A byte whose upper half is that of digits is one if its lower half is below ten.
    if head & 0x00ff_f0ff == u32::from_le_bytes(*b"$0\r\0") && a < 10 {
        Some((a, 4))
    } else if head & 0xfff0_f0ff == u32::from_le_bytes(*b"$00\r") && (1..10).contains(&a) && b < 10
    {
        Some((a * 10 + b, 5))
    } else {
        None
    }
}

/// `*<count>` at `start`: the count, and where the words begin.
#[inline]
fn word_count(
    buffer: &[u8],
    start: usize,
    searched: usize,
    limits: &DecodeLimits,
) -> Result<(usize, usize), Stop> {
    if let Some((count, next)) = short_number(buffer, start + 1)
        && (limits.is_trusted || count < 10)
    {
        return Ok((count, next));
    }
    let (end, next) = line(buffer, start, searched, "too big mbulk count string")?;
    let Some(count) =
        parse_int(&buffer[start + 1..end]).filter(|count| *count <= REQUEST_WORDS_MAX)
    else {
        return Err(Stop::Refused(protocol("invalid multibulk length")));
    };
    if !limits.is_trusted && count > UNTRUSTED_WORDS_MAX {
        return Err(Stop::Refused(protocol("unauthenticated multibulk length")));
    }
    // Nothing and less than nothing are passed over.
    Ok((usize::try_from(count).unwrap_or(0), next))
}

/// Reads the words of a request until none is left or something is missing.
#[inline]
fn words(
    buffer: &[u8],
    searched: usize,
    limits: &DecodeLimits,
    progress: &mut Progress,
    spans: &mut Vec<Span>,
) -> Result<(), Stop> {
    while progress.words_left > 0 {
        let at = progress.at;
        let (len, start) = match short_bulk(buffer, at) {
            Some(found) if found.0 <= limits.bulk_len_max => found,
            _ => bulk_len(buffer, at, searched, limits)?,
        };
        // The two bytes behind the content are not looked at: clients see that Redis doesn't.
        let end = start + len;
        if end + TERMINATOR_LEN > buffer.len() {
            let is_large = len >= LARGE_BULK_MIN && end > buffer.len();
            return Err(if is_large {
                Stop::Large(start, len)
            } else {
                Stop::Missing(end + TERMINATOR_LEN - buffer.len())
            });
        }
        spans.push(Span { start: narrow(start), end: narrow(end) });
        progress.at = end + TERMINATOR_LEN;
        progress.words_left -= 1;
    }
    Ok(())
}

/// `$<length>` at `at`: the length, and where the content begins.
#[cold]
fn bulk_len(
    buffer: &[u8],
    at: usize,
    searched: usize,
    limits: &DecodeLimits,
) -> Result<(usize, usize), Stop> {
    let (end, next) = line(buffer, at, searched, "too big bulk count string")?;
    let mark = buffer[at];
    // A wrong mark is only noticed once its line is complete.
    if mark != b'$' {
        let mark = char::from(mark);
        return Err(Stop::Refused(protocol(&format!("expected '$', got '{mark}'"))));
    }
    let len = parse_int(&buffer[at + 1..end]).and_then(|len| usize::try_from(len).ok());
    let Some(len) = len.filter(|len| *len <= limits.bulk_len_max) else {
        return Err(Stop::Refused(protocol("invalid bulk length")));
    };
    if !limits.is_trusted && len > UNTRUSTED_BULK_MAX {
        return Err(Stop::Refused(protocol("unauthenticated bulk length")));
    }
    Ok((len, next))
}

/// `$` and a length of one or two digits, the usual case, by one load; or of three.
#[inline]
fn short_bulk(buffer: &[u8], at: usize) -> Option<(usize, usize)> {
    let Some(head) = buffer.get(at..).and_then(|rest| rest.first_chunk::<8>()) else {
        return short_number(buffer, at + 1).filter(|_| buffer[at] == b'$');
    };
    if head[0] != b'$' {
        return None;
    }
    let (a, b) = (head[1].wrapping_sub(b'0'), head[2].wrapping_sub(b'0'));
    if head[2] == b'\r' && a <= 9 {
        Some((usize::from(a), at + 4))
    } else if head[3] == b'\r' && (1..=9).contains(&a) && b <= 9 {
        Some((usize::from(a) * 10 + usize::from(b), at + 5))
    } else {
        short_number(buffer, at + 1)
    }
}

/// One to three canonical digits and their line's end, when all of it is there and plain.
#[inline]
fn short_number(buffer: &[u8], at: usize) -> Option<(usize, usize)> {
    // The byte behind CR is not looked at, but has to be there.
    let [first, second, third, fourth, _] = buffer.get(at..)?.first_chunk::<5>()?;
    let (a, b, c) = (first.wrapping_sub(b'0'), second.wrapping_sub(b'0'), third.wrapping_sub(b'0'));
    if a > 9 {
        None
    } else if *second == b'\r' {
        Some((usize::from(a), at + 3))
    } else if a == 0 || b > 9 {
        None
    } else if *third == b'\r' {
        Some((usize::from(a) * 10 + usize::from(b), at + 4))
    } else if c <= 9 && *fourth == b'\r' {
        Some((usize::from(a) * 100 + usize::from(b) * 10 + usize::from(c), at + 5))
    } else {
        None
    }
}

/// Where the line at `start` has its CR, and where the next line begins. Up to `searched` there
/// is no CR of this line.
#[cold]
fn line(
    buffer: &[u8],
    start: usize,
    searched: usize,
    too_big: &str,
) -> Result<(usize, usize), Stop> {
    let from = start.max(searched);
    match buffer[from..].iter().position(|byte| *byte == b'\r') {
        Some(length) if from + length + 1 < buffer.len() => {
            Ok((from + length, from + length + TERMINATOR_LEN))
        }
        Some(length) => Err(Stop::Line(start, from + length)),
        None if buffer.len() - start > LINE_LEN_MAX => Err(Stop::Refused(protocol(too_big))),
        None => Err(Stop::Line(start, buffer.len())),
    }
}

/// The words of a plain line at `start`; returns where the next line begins.
#[cold]
fn inline_words(
    buffer: &[u8],
    start: usize,
    searched: usize,
    batch: &mut Batch,
) -> Result<usize, Stop> {
    let from = start.max(searched);
    let Some(length) = buffer[from..].iter().position(|byte| *byte == b'\n') else {
        let is_too_big = buffer.len() - start > LINE_LEN_MAX;
        return Err(if is_too_big {
            Stop::Refused(protocol("too big inline request"))
        } else {
            Stop::Line(start, buffer.len())
        });
    };
    let end = from + length;
    let (spans, large) = (batch.spans.len(), batch.large.len());
    for word in Words::new(&buffer[start..end]) {
        batch.spans.push(match word {
            Ok(Word::Plain(range)) => {
                Span { start: narrow(start + range.start), end: narrow(start + range.end) }
            }
            Ok(Word::Quoted(bytes)) => {
                batch.large.push(Blob::new(bytes));
                Span { start: Span::LARGE, end: narrow(batch.large.len() - 1) }
            }
            Err(_) => {
                batch.spans.truncate(spans);
                batch.large.truncate(large);
                return Err(Stop::Refused(protocol("unbalanced quotes in request")));
            }
        });
    }
    Ok(end + 1)
}

#[cold]
fn protocol(what: &str) -> ReplyError {
    ReplyError::Protocol(what.into())
}

/// A position in a buffer that was checked to be shorter than [`Span::LARGE`], or a count of what
/// lies in one.
#[allow(clippy::cast_possible_truncation, reason = "checked at entry")]
fn narrow(position: usize) -> u32 {
    position as u32
}

/// For the fuzzer: whatever comes, in two pieces it decodes to what it does in one. The first byte
/// says where to cut.
#[doc(hidden)]
pub fn fuzz(data: &[u8]) {
    let Some((cut, input)) = data.split_first() else { return };
    let (front, back) = input.split_at(input.len() * usize::from(*cut) / 256);
    let limits = DecodeLimits { bulk_len_max: 512 << 20, is_trusted: true };
    let run = |pieces: &[&[u8]]| {
        let (mut decoder, mut batch) = (Decoder::default(), Batch::default());
        let (mut buffer, mut found) = (Vec::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                let decoded = decoder.decode(&buffer, &limits, &mut batch);
                for request in &batch.requests {
                    let words = batch.spans_of(request).iter();
                    found.push(words.map(|span| batch.word(&buffer, *span).to_vec()).collect());
                }
                buffer.truncate(decoded.keep_to);
                buffer.drain(..decoded.consumed);
                if let Some(error) = decoded.error {
                    return (found, Some(error));
                }
                if !decoded.has_more() {
                    break;
                }
            }
        }
        (found, None)
    };
    let whole: (Vec<Vec<Vec<u8>>>, _) = run(&[input]);
    assert_eq!(run(&[front, back]), whole);
}

#[cfg(test)]
mod tests;
