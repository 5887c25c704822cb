//! Bytes of a file or a payload on their way out: numbers, strings, the checksum.

use std::io::{self, Write};
use std::mem;

use super::format::{INT_8, INT_16, INT_32, LENGTH_32, LENGTH_64, LZF};
use crate::base::crc64::Crc64;
use crate::base::lzf::{self, Compressor};
use crate::base::number::parse_int;
use crate::structures::listpack::Item;

/// So many bytes are written at once. Bytes.
const CHUNK: usize = 256 * 1024;
/// Longest text that may be a short integer.
const INT_TEXT_MAX: usize = 11;
/// What a compressed string must spare to be worth it.
const SPARED_MIN: usize = 4;
/// Most bytes before a compressed text: its first byte and two numbers.
const LZF_HEAD_MAX: usize = 19;

/// Collects bytes, and passes them on in chunks if there is somewhere to.
pub struct Output<'a> {
    buffer: Vec<u8>,
    target: Option<&'a mut dyn Write>,
    checksum: Option<Crc64>,
    compresses: bool,
    /// Made when the first text is compressed.
    compressor: Option<Compressor>,
    /// Bytes passed on.
    passed: u64,
    /// The first failure; nothing is written after it.
    failure: Option<io::Error>,
}

impl<'a> Output<'a> {
    /// For a file.
    pub fn to(target: &'a mut dyn Write, compresses: bool, checksums: bool) -> Self {
        Self {
            buffer: Vec::with_capacity(CHUNK + CHUNK / 4),
            target: Some(target),
            checksum: checksums.then(Crc64::default),
            compresses,
            compressor: None,
            passed: 0,
            failure: None,
        }
    }

    /// For a payload in memory.
    pub fn collected(compresses: bool) -> Self {
        Self {
            buffer: Vec::new(),
            target: None,
            checksum: None,
            compresses,
            compressor: None,
            passed: 0,
            failure: None,
        }
    }

    /// All bytes of a payload in memory.
    pub fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.passed + u64::try_from(self.buffer.len()).unwrap_or(u64::MAX)
    }

    /// Whether there is no byte yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells of the first failure since the last time.
    pub fn check(&mut self) -> io::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Passes on all bytes so far.
    pub fn flush(&mut self) -> io::Result<()> {
        self.pass();
        self.check()
    }

    /// The checksum of all bytes so far; 0, which stands for none, if it isn't wanted.
    pub fn checksum(&mut self) -> u64 {
        self.pass();
        self.checksum.as_ref().map_or(0, Crc64::value)
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.buffer.push(byte);
    }

    /// Bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.pass();
        }
    }

    /// A number, in as few bytes as it needs.
    #[inline]
    pub fn number(&mut self, number: u64) {
        push_number(&mut self.buffer, number);
    }

    /// A count or a length.
    #[inline]
    pub fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A moment, 64 bits, least significant byte first.
    pub fn millis(&mut self, moment: i64) {
        self.bytes(&moment.to_le_bytes());
    }

    /// A text: as a short integer if it spells one, compressed if that is worth it.
    #[inline]
    pub fn string(&mut self, text: &[u8]) {
        if text.len() <= INT_TEXT_MAX
            && let Some(value) = parse_int(text).and_then(|value| i32::try_from(value).ok())
        {
            push_int(&mut self.buffer, value);
        } else if text.len() <= lzf::PLAIN_MAX || !self.compressed(text) {
            self.count(text.len());
            self.bytes(text);
        } else if self.buffer.len() >= CHUNK {
            self.pass();
        }
    }

    /// A text of `len` bytes that is compressed already.
    pub fn compressed_text(&mut self, compressed: &[u8], len: usize) {
        self.byte(LZF);
        self.count(compressed.len());
        self.count(len);
        self.bytes(compressed);
    }

    /// An integer as a text.
    #[inline]
    pub fn int(&mut self, value: i64) {
        if let Ok(value) = i32::try_from(value) {
            push_int(&mut self.buffer, value);
        } else {
            let mut digits = itoa::Buffer::new();
            let text = digits.format(value);
            self.count(text.len());
            self.bytes(text.as_bytes());
        }
    }

    /// An item of a listpack as a text.
    #[inline]
    pub fn item(&mut self, item: Item<'_>) {
        match item {
            Item::Int(value) => self.int(value),
            Item::Bytes(text) => self.string(text),
        }
    }

    /// Appends a text compressed; whether that was worth it.
    fn compressed(&mut self, text: &[u8]) -> bool {
        if !self.compresses {
            return false;
        }
        let compressor = self.compressor.get_or_insert_default();
        // Its length comes first, and has as many bytes as it needs: room for the most is left,
        // and closed when it is known.
        let start = self.buffer.len();
        self.buffer.resize(start + LZF_HEAD_MAX, 0);
        let most = text.len() - SPARED_MIN;
        let Some(len) = compressor.compress(text, most, &mut self.buffer) else {
            self.buffer.truncate(start);
            return false;
        };
        let mut head = Vec::with_capacity(LZF_HEAD_MAX);
        head.push(LZF);
        for number in [len, text.len()] {
            push_number(&mut head, u64::try_from(number).unwrap_or(u64::MAX));
        }
        self.buffer[start..start + head.len()].copy_from_slice(&head);
        self.buffer.copy_within(start + LZF_HEAD_MAX.., start + head.len());
        self.buffer.truncate(start + head.len() + len);
        true
    }

    /// Passes on what is there, if there is somewhere to.
    fn pass(&mut self) {
        let Some(target) = &mut self.target else { return };
        let mut chunk = mem::take(&mut self.buffer);
        if self.failure.is_none() {
            if let Some(checksum) = &mut self.checksum {
                checksum.update(&chunk);
            }
            self.passed += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            self.failure = target.write_all(&chunk).err();
        }
        chunk.clear();
        if chunk.capacity() > 4 * CHUNK {
            // A large value was on its way.
            chunk.shrink_to(CHUNK + CHUNK / 4);
        }
        self.buffer = chunk;
    }
}

#[inline]
fn push_number(out: &mut Vec<u8>, number: u64) {
    match u32::try_from(number) {
        Ok(number) if number < 1 << 6 => out.push(number.to_le_bytes()[0]),
        Ok(number) if number < 1 << 14 => {
            let [low, high, ..] = number.to_le_bytes();
            out.extend_from_slice(&[0x40 | high, low]);
        }
        Ok(number) => {
            out.push(LENGTH_32);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Err(_) => {
            out.push(LENGTH_64);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

#[inline]
fn push_int(out: &mut Vec<u8>, value: i32) {
    let [a, b, c, d] = value.to_le_bytes();
    if i8::try_from(value).is_ok() {
        out.extend_from_slice(&[INT_8, a]);
    } else if i16::try_from(value).is_ok() {
        out.extend_from_slice(&[INT_16, a, b]);
    } else {
        out.extend_from_slice(&[INT_32, a, b, c, d]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn check(write: impl FnOnce(&mut Output<'_>), expected: &[u8]) {
        let mut out = Output::collected(true);
        write(&mut out);
        assert_eq!(out.into_bytes(), expected);
    }

    #[test]
    fn numbers_take_what_they_need() {
        check(|out| out.number(63), &[63]);
        check(|out| out.number(64), &[0x40, 64]);
        check(|out| out.number(16_383), &[0x7f, 0xff]);
        check(|out| out.number(16_384), &[0x80, 0, 0, 0x40, 0]);
        check(|out| out.number(1 << 32), &[0x81, 0, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn strings_take_the_shortest_form() {
        check(|out| out.string(b""), &[0]);
        check(|out| out.string(b"-128"), &[0xc0, 0x80]);
        check(|out| out.string(b"128"), &[0xc1, 128, 0]);
        check(|out| out.string(b"-2147483648"), &[0xc2, 0, 0, 0, 0x80]);
        check(|out| out.string(b"2147483648"), b"\x0a2147483648");
        check(|out| out.string(b"007"), b"\x03007");
        check(|out| out.int(2_147_483_648), b"\x0a2147483648");
        check(|out| out.string(&[b'a'; 21]), &[0xc3, 5, 21, 0, b'a', 0xe0, 11, 0]);
        check(|out| out.string(b"abcdefghijklmnopqrstu"), b"\x15abcdefghijklmnopqrstu");
    }

    #[test]
    fn a_compressed_text_is_written_as_it_is() {
        check(
            |out| out.compressed_text(&[0, b'a', 0xe0, 11, 0], 21),
            &[0xc3, 5, 21, 0, b'a', 0xe0, 11, 0],
        );
    }

    #[test]
    fn chunks_arrive_in_order_with_their_checksum() {
        let mut file = Vec::new();
        let mut out = Output::to(&mut file, false, true);
        let text = vec![b'x'; 100_000];
        (0..9).for_each(|_| out.string(&text));
        let checksum = out.checksum();
        assert_eq!(out.len(), 9 * 100_005);
        out.flush().unwrap();
        drop(out);
        assert_eq!(file.len(), 900_045);
        assert_eq!(checksum, crate::base::crc64::checksum(&file));
    }

    #[test]
    fn failure_is_told_once_and_ends_writing() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut full = Full;
        let mut out = Output::to(&mut full, false, true);
        out.bytes(&vec![0; 1 << 20]);
        assert_eq!(out.check().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(out.check().is_ok());
    }
}
