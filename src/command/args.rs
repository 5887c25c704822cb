//! The arguments of one call, read from left to right.
//!
//! Handlers read everything before they change anything, so a bad argument leaves no half change.

use crate::base::blob::Blob;
use crate::base::number::{parse_double, parse_int};
use crate::protocol::error::ReplyError;
use crate::protocol::request::Span;

/// Arguments behind the command's name, with a cursor.
#[derive(Debug)]
pub struct Args<'a> {
    buffer: &'a [u8],
    spans: &'a [Span],
    large: &'a [Blob],
    at: usize,
}

impl<'a> Args<'a> {
    /// All words of a request, the name included; the cursor stands behind the name.
    pub fn new(buffer: &'a [u8], spans: &'a [Span], large: &'a [Blob]) -> Self {
        Self { buffer, spans, large, at: 1 }
    }

    /// The word at `index`; 0 is the command's name. Does not move the cursor.
    pub fn word(&self, index: usize) -> &'a [u8] {
        let span = self.spans[index];
        if span.start == Span::LARGE {
            &self.large[span.end as usize]
        } else {
            &self.buffer[span.start as usize..span.end as usize]
        }
    }

    /// The word at `index` as a shared allocation, when it was received into one of its own.
    /// Storing a clone of it copies nothing.
    pub fn blob(&self, index: usize) -> Option<&'a Blob> {
        let span = self.spans[index];
        (span.start == Span::LARGE).then(|| &self.large[span.end as usize])
    }

    /// How many words the request has, the name included.
    pub fn word_count(&self) -> usize {
        self.spans.len()
    }

    /// No less than the bytes of all words: what they take in the buffer, their framing included.
    /// O(1) unless some of them have allocations of their own.
    pub fn bytes_max(&self) -> usize {
        match (self.spans.first(), self.spans.last()) {
            (Some(first), Some(last)) if self.large.is_empty() => {
                last.end.saturating_sub(first.start) as usize
            }
            _ => self.words().map(<[u8]>::len).sum(),
        }
    }

    /// The request as it was sent, if it was sent as any server would write it: an array of bulk
    /// strings without anything superfluous.
    pub fn as_sent(&self) -> Option<&'a [u8]> {
        let (first, last) = (self.spans.first()?, self.spans.last()?);
        if !self.large.is_empty() {
            return None;
        }
        let frame = |length: u32| 1 + digit_count(length) + 2;
        let count = u32::try_from(self.spans.len()).ok()?;
        let length = first.end - first.start;
        let start = first.start.checked_sub(frame(count) + frame(length))?;
        let bytes = self.buffer.get(start as usize..last.end as usize + 2)?;
        // The first two lines are compared in full: what stands before a request that was typed
        // by hand is anybody's. Behind them only an array of bulk strings has ends of lines.
        if !begins_with(bytes, count, length) {
            return None;
        }
        let mut end = first.end;
        for span in &self.spans[1..] {
            let between = self.buffer.get(end as usize..span.start as usize)?;
            // Superfluous zeros would make the distance longer.
            let is_framed = between.len() == 2 + frame(span.end - span.start) as usize
                && between[..3] == *b"\r\n$"
                && between[between.len() - 1] == b'\n';
            if !is_framed {
                return None;
            }
            end = span.end;
        }
        (bytes[bytes.len() - 2..] == *b"\r\n").then_some(bytes)
    }

    /// How many words are still unread.
    pub fn left(&self) -> usize {
        self.spans.len() - self.at
    }

    /// Whether all words are read.
    pub fn is_done(&self) -> bool {
        self.left() == 0
    }

    /// Index of the next unread word.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Moves the cursor to word `index`.
    pub fn seek(&mut self, index: usize) {
        debug_assert!(index <= self.spans.len(), "the cursor stays within the request");
        self.at = index;
    }

    /// The next word.
    pub fn bytes(&mut self) -> Result<&'a [u8], ReplyError> {
        if self.is_done() {
            return Err(ReplyError::Syntax);
        }
        self.at += 1;
        Ok(self.word(self.at - 1))
    }

    /// The next word as a 64-bit integer.
    pub fn int(&mut self) -> Result<i64, ReplyError> {
        parse_int(self.bytes()?).ok_or(ReplyError::NotInteger)
    }

    /// The next word as a count of at least one; `refusal` if it is none.
    pub fn positive(&mut self, refusal: ReplyError) -> Result<usize, ReplyError> {
        let count = parse_int(self.bytes()?).and_then(|count| usize::try_from(count).ok());
        count.filter(|count| *count > 0).ok_or(refusal)
    }

    /// The next word as a finite or infinite double.
    pub fn double(&mut self) -> Result<f64, ReplyError> {
        parse_double(self.bytes()?).ok_or(ReplyError::NotFloat)
    }

    /// The next word, left unread.
    pub fn peek(&self) -> Option<&'a [u8]> {
        (!self.is_done()).then(|| self.word(self.at))
    }

    /// Reads the next word if it is `keyword`, in any case.
    pub fn accept(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.eq_ignore_ascii_case(keyword.as_bytes()));
        self.at += usize::from(found);
        found
    }

    /// Fails when a word is left over.
    pub fn finish(&self) -> Result<(), ReplyError> {
        if self.is_done() { Ok(()) } else { Err(ReplyError::Syntax) }
    }

    /// The request that the words from `index` on would be.
    pub fn from(&self, index: usize) -> Self {
        let spans = &self.spans[index..];
        Self { buffer: self.buffer, spans, large: self.large, at: 1 }
    }

    /// The unread words; the cursor goes to the end.
    pub fn rest(
        &mut self,
    ) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone + use<'a> {
        let (buffer, large) = (self.buffer, self.large);
        let spans = &self.spans[self.at..];
        self.at = self.spans.len();
        spans.iter().map(move |span| {
            if span.start == Span::LARGE {
                large[span.end as usize].as_slice()
            } else {
                &buffer[span.start as usize..span.end as usize]
            }
        })
    }

    /// All words, the name included; the cursor stays.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let (buffer, spans, large) = (self.buffer, self.spans, self.large);
        let whole = Self { buffer, spans, large, at: 0 };
        (0..spans.len()).map(move |index| whole.word(index))
    }
}

/// Whether a request begins with the lines of its number of words and of its first word's length.
fn begins_with(bytes: &[u8], words: u32, length: u32) -> bool {
    if let (Ok(words @ 0..=9), Ok(length @ 0..=9)) = (u8::try_from(words), u8::try_from(length)) {
        // Nearly all do: one comparison of eight bytes.
        let lines = [b'*', b'0' + words, b'\r', b'\n', b'$', b'0' + length, b'\r', b'\n'];
        return bytes.first_chunk() == Some(&lines);
    }
    bytes.starts_with(format!("*{words}\r\n${length}\r\n").as_bytes())
}

/// Decimal digits of a number.
fn digit_count(number: u32) -> u32 {
    number.checked_ilog10().unwrap_or(0) + 1
}

impl Clone for Args<'_> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::protocol::decode::{DecodeLimits, Decoder};
    use crate::protocol::request::Batch;

    #[test]
    fn only_what_needs_no_other_form_is_taken_as_sent() {
        let check = |sent: &str, expected: Option<&str>| {
            let limits = DecodeLimits { bulk_len_max: 1000, is_trusted: true };
            let mut batch = Batch::default();
            // What stands before it must not matter.
            let bytes = [b"*1\r\n$4\r\nPING\r\n", sent.as_bytes()].concat();
            Decoder::default().decode(&bytes, &limits, &mut batch);
            // Some forms are refused by the decoder already.
            let found = batch.requests.get(1).and_then(|request| {
                Args::new(&bytes, batch.spans_of(request), &batch.large).as_sent()
            });
            assert_eq!(found, expected.map(str::as_bytes), "{sent}");
        };
        let plain = "*2\r\n$3\r\nGET\r\n$10\r\n0123456789\r\n";
        check(plain, Some(plain));
        check("*02\r\n$3\r\nGET\r\n$1\r\na\r\n", None);
        check("*2\r\n$03\r\nGET\r\n$1\r\na\r\n", None);
        check("*2\r\n$3\r\nGET\r\n$01\r\na\r\n", None);
        check("GET a\r\n", None);
        check("GET        aaaaaaaaaa       \r\n", None);
        // A word that ends like the head of a request, and a request typed behind it.
        let forged = [&b"*1\r\n$6\r\n*7\r\n$9\r\n"[..], b"FLUSHALL\r\n"].concat();
        let mut batch = Batch::default();
        let limits = DecodeLimits { bulk_len_max: 1000, is_trusted: true };
        Decoder::default().decode(&forged, &limits, &mut batch);
        let last = batch.requests.last().unwrap();
        let args = Args::new(&forged, batch.spans_of(last), &batch.large);
        assert_eq!((args.word(0), args.as_sent()), (&b"FLUSHALL"[..], None));
    }
}
