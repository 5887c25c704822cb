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

impl Clone for Args<'_> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}
