//! Reading a log: one request after the other, with the place of each.
//!
//! Every length is checked before room is made, and nothing is skipped: what is not a request is
//! refused with its place. An end amid a request is told apart from damage.

use std::io::{self, Read};

use crate::protocol::request::Span;

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// Longest head of a request or a word.
const LINE_MAX: usize = 64;
/// Longest note.
const NOTE_MAX: usize = 1024;
/// Most words of a request: what 32-bit counts of other servers hold.
const WORDS_MAX: u64 = 1 << 31;

/// Why a log can't be read on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message documents the case")]
pub enum LogError {
    #[error("unexpected end of file in the record at byte {at}")]
    Truncated { at: u64 },
    #[error("{why} at byte {at}")]
    Corrupt { at: u64, why: &'static str },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What stands in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A request: see [`Reader::request`].
    Request,
    /// A remark: see [`Reader::note`].
    Note,
}

/// See the head of the file.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the next item begins in the buffer.
    next: usize,
    /// Place of the buffer's first byte in the file.
    base: u64,
    is_at_end: bool,
    spans: Vec<Span>,
    word_len_max: u64,
    /// Where the latest item began.
    began: u64,
    note: (usize, usize),
}

impl<R: Read> Reader<R> {
    /// Reads from `base` on, which is where `input` stands. No word may be longer than
    /// `word_len_max`.
    pub fn new(input: R, base: u64, word_len_max: u64) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            next: 0,
            base,
            is_at_end: false,
            spans: Vec::new(),
            // Positions in the buffer have 32 bits.
            word_len_max: word_len_max.min(u64::from(u32::MAX) / 2),
            began: base,
            note: (0, 0),
        }
    }

    /// Place behind what was read so far.
    pub fn offset(&self) -> u64 {
        self.base + self.next as u64
    }

    /// Place where the latest item began.
    pub fn began(&self) -> u64 {
        self.began
    }

    /// The words of the latest request: places in a buffer.
    pub fn request(&self) -> (&[u8], &[Span]) {
        (&self.buffer, &self.spans)
    }

    /// The same, one by one.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.spans.iter().map(|span| &self.buffer[span.start as usize..span.end as usize])
    }

    /// The text of the latest note, without its `#`.
    pub fn note(&self) -> &[u8] {
        &self.buffer[self.note.0..self.note.1]
    }

    /// The next item; `None` at the end.
    pub fn next_item(&mut self) -> Result<Option<Item>, LogError> {
        self.drop_read();
        self.began = self.offset();
        let Some(first) = self.byte(self.next)? else { return Ok(None) };
        if first == b'#' {
            let end = self.line(self.next, NOTE_MAX)?;
            self.note = (self.next + 1, end);
            self.next = end + 2;
            return Ok(Some(Item::Note));
        }
        if first != b'*' {
            return Err(self.corrupt(self.next, "a request begins with *"));
        }
        let (count, mut at) = self.number(self.next)?;
        if !(1..=WORDS_MAX).contains(&count) {
            return Err(self.corrupt(self.next, "a number of words that cannot be"));
        }
        self.spans.clear();
        for _ in 0..count {
            match self.byte(at)? {
                None => return Err(self.truncated()),
                Some(b'$') => {}
                Some(_) => return Err(self.corrupt(at, "a word begins with $")),
            }
            let (len, start) = self.number(at)?;
            if len > self.word_len_max {
                return Err(self.corrupt(at, "a length that cannot be"));
            }
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let end = start + len;
            self.fill(end + 2)?;
            match self.buffer.get(end..end + 2) {
                Some(b"\r\n") => {}
                // What is there must fit the line's end even when it is cut.
                None if !self.buffer[end.min(self.buffer.len())..].starts_with(b"\r")
                    && self.buffer.len() > end =>
                {
                    return Err(self.corrupt(end, "a word is not as long as it says"));
                }
                None => return Err(self.truncated()),
                Some(_) => return Err(self.corrupt(end, "a word is not as long as it says")),
            }
            let position = |at: usize| u32::try_from(at).unwrap_or(u32::MAX - 1);
            if end >= Span::LARGE as usize {
                return Err(self.corrupt(at, "a request of 4 GiB"));
            }
            self.spans.push(Span { start: position(start), end: position(end) });
            at = end + 2;
        }
        self.next = at;
        Ok(Some(Item::Request))
    }

    /// The number behind a mark, and where its line ends.
    fn number(&mut self, at: usize) -> Result<(u64, usize), LogError> {
        let end = self.line(at, LINE_MAX)?;
        let digits = &self.buffer[at + 1..end];
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        match number.filter(|_| is_number) {
            Some(number) => Ok((number, end + 2)),
            None => Err(self.corrupt(at, "not a number")),
        }
    }

    /// Where the line that begins at `at` ends: the place of its `\r\n`.
    fn line(&mut self, at: usize, limit: usize) -> Result<usize, LogError> {
        let mut looked = at;
        loop {
            let end = self.buffer[looked..].iter().position(|byte| *byte == b'\r');
            if let Some(end) = end.map(|end| looked + end) {
                return match self.byte(end + 1)? {
                    Some(b'\n') => Ok(end),
                    Some(_) => Err(self.corrupt(at, "a line without its end")),
                    None => Err(self.truncated()),
                };
            }
            looked = self.buffer.len();
            if looked - at > limit {
                return Err(self.corrupt(at, "a line without an end"));
            }
            if self.byte(looked)?.is_none() {
                return Err(self.truncated());
            }
        }
    }

    fn byte(&mut self, at: usize) -> Result<Option<u8>, LogError> {
        if at >= self.buffer.len() {
            self.fill(at + 1)?;
        }
        Ok(self.buffer.get(at).copied())
    }

    /// Has at least `len` bytes in the buffer, unless the file ends before. Room is made only for
    /// what is there.
    fn fill(&mut self, len: usize) -> Result<(), LogError> {
        while self.buffer.len() < len && !self.is_at_end {
            let wanted = (len - self.buffer.len()).clamp(CHUNK_BYTES, 16 * CHUNK_BYTES);
            let taken = (&mut self.input).take(wanted as u64).read_to_end(&mut self.buffer)?;
            self.is_at_end = taken == 0;
        }
        Ok(())
    }

    /// Moves what is not read yet to the front, now and then.
    fn drop_read(&mut self) {
        if self.next >= CHUNK_BYTES || self.next == self.buffer.len() {
            self.buffer.drain(..self.next);
            self.buffer.shrink_to(8 * CHUNK_BYTES);
            self.base += self.next as u64;
            self.next = 0;
        }
    }

    fn corrupt(&self, at: usize, why: &'static str) -> LogError {
        LogError::Corrupt { at: self.base + at as u64, why }
    }

    fn truncated(&self) -> LogError {
        LogError::Truncated { at: self.began }
    }
}

/// The moment that a note of the log tells, if it tells one: seconds since 1970.
pub fn timestamp_of(note: &[u8]) -> Option<i64> {
    let digits = note.strip_prefix(b"TS:")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::protocol::encode;

    const MAX: u64 = 512 << 20;

    /// All requests, each with its words joined by blanks, and how reading ended.
    fn read(bytes: &[u8]) -> (Vec<String>, Result<u64, LogError>) {
        let mut reader = Reader::new(bytes, 0, MAX);
        let mut found = Vec::new();
        loop {
            match reader.next_item() {
                Ok(None) => return (found, Ok(reader.offset())),
                Ok(Some(Item::Note)) => found.push(format!("#{}", reader.note().escape_ascii())),
                Ok(Some(Item::Request)) => {
                    let words: Vec<String> =
                        reader.words().map(|word| word.escape_ascii().to_string()).collect();
                    found.push(words.join(" "));
                }
                Err(error) => return (found, Err(error)),
            }
        }
    }

    fn log() -> Vec<u8> {
        let mut log = b"#TS:1700000000\r\n".to_vec();
        encode::request(&mut log, [&b"SET"[..], b"k", b"a\r\n*"].into_iter());
        encode::request(&mut log, [&b"DEL"[..], b""].into_iter());
        log
    }

    #[test]
    fn requests_and_notes_are_read_in_order() {
        let (found, end) = read(&log());
        assert_eq!(found, ["#TS:1700000000", "SET k a\\r\\n*", "DEL "]);
        assert_eq!(end.unwrap(), log().len() as u64);
        assert_eq!(timestamp_of(b"TS:1700000000"), Some(1_700_000_000));
        assert_eq!(timestamp_of(b"TS:x"), None);
    }

    #[test]
    fn every_cut_is_an_end_amid_a_record_or_between_two() {
        let log = log();
        for cut in 0..log.len() {
            let (found, end) = read(&log[..cut]);
            match end {
                Ok(at) => assert_eq!(at, cut as u64),
                Err(LogError::Truncated { at }) => {
                    let whole = read(&log[..usize::try_from(at).unwrap()]);
                    assert_eq!(whole.0, found, "what is whole stays");
                    assert!(whole.1.is_ok());
                }
                Err(other) => panic!("cut at {cut}: {other}"),
            }
        }
    }

    #[test]
    fn damage_is_refused_with_its_place() {
        let check = |bytes: &[u8], place: u64| match read(bytes).1 {
            Err(LogError::Corrupt { at, .. }) => assert_eq!(at, place, "{}", bytes.escape_ascii()),
            other => panic!("{}: {other:?}", bytes.escape_ascii()),
        };
        check(b"!!!", 0);
        check(b"*0\r\n", 0);
        check(b"*-1\r\n", 0);
        check(b"*1\r\n$999999999999999\r\nabc", 4);
        check(b"*1\r\n$3\r\nDEL\r\n$1\r\nk\r\n", 13);
        check(b"*3\r\n$3\r\nDEL\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n", 20);
        check(b"*1\r\n$2\r\nDEL\r\n", 10);
        check(b"*99999999999999999999\r\n", 0);
        check(&[b"*1".as_slice(), &[b'1'; 100]].concat(), 0);
        check(b"*1\r$", 0);
    }

    #[test]
    fn long_logs_are_read_in_pieces() {
        let mut log = Vec::new();
        let large = vec![b'x'; 700_000];
        for number in 0..2000_u32 {
            let word = number.to_string();
            let value = if number % 500 == 0 { large.as_slice() } else { b"v" };
            encode::request(&mut log, [&b"SET"[..], word.as_bytes(), value].into_iter());
        }
        let (found, end) = read(&log);
        assert_eq!((found.len(), end.unwrap()), (2000, log.len() as u64));
    }

    proptest::proptest! {
        #[test]
        fn flipped_bytes_never_panic(at in 0_usize..64, byte in 0_u8..255) {
            let mut log = log();
            let at = at % log.len();
            log[at] = byte;
            let _ = read(&log);
        }
    }
}
