//! Bytes of a file or a payload on their way in: numbers, strings, the checksum.
//!
//! A length is believed as far as bytes arrive: room is made chunk by chunk, and if it is known how
//! much is left, a length beyond that ends reading at once.

use std::io::{ErrorKind, Read};

use super::error::{LoadError, Reason};
use super::format::{INT_8, INT_16, INT_32, LENGTH_32, LENGTH_64, LZF};
use crate::base::crc64::Crc64;
use crate::base::lzf;
use crate::structures::listpack::Digits;
use crate::structures::listpack::Item;

/// So many bytes are read at once. Bytes.
const CHUNK: usize = 256 * 1024;
/// Room that is made for bytes before any of them has come.
const TRUSTED_BYTES: usize = 1024 * 1024;

/// Compressed strings of up to so many bytes are lent rather than given away.
const LENT_BYTES: usize = 4096;

/// Where reading goes on, and all that has been read.
pub struct Input<'a> {
    source: &'a mut dyn Read,
    buffer: Box<[u8]>,
    /// What is unread lies between the two.
    at: usize,
    filled: usize,
    /// Offset of the buffer's first byte.
    offset: u64,
    /// Offset of the end, if it is known.
    end: Option<u64>,
    checksum: Option<Crc64>,
    /// Where in the buffer the checksum has to go on.
    summed: usize,
    scratch: Vec<u8>,
}

/// A string: an integer, bytes that are there until the next call, or bytes of its own.
#[derive(Debug)]
#[allow(missing_docs, reason = "as said")]
pub enum Text<'t> {
    Int(i64),
    Lent(&'t [u8]),
    Owned(Vec<u8>),
}

/// How a string begins.
enum Head {
    Plain(usize),
    Int(i64),
    Packed { packed: usize, len: usize },
}

impl<'a> Input<'a> {
    /// From a source, of which the number of bytes may be known.
    pub fn new(source: &'a mut dyn Read, size: Option<u64>, checksums: bool) -> Self {
        let chunk = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(CHUNK);
        Self {
            source,
            buffer: vec![0; chunk.clamp(64, CHUNK)].into(),
            at: 0,
            filled: 0,
            offset: 0,
            end: size,
            checksum: checksums.then(Crc64::default),
            summed: 0,
            scratch: Vec::new(),
        }
    }

    /// Offset of the next byte.
    pub fn position(&self) -> u64 {
        self.offset + u64::try_from(self.at).unwrap_or(u64::MAX)
    }

    /// An error here.
    pub fn error(&self, reason: Reason) -> LoadError {
        reason.at(self.position())
    }

    /// Something is damaged here.
    pub fn damaged<T>(&self, what: &'static str) -> Result<T, LoadError> {
        Err(self.error(Reason::Damaged(what)))
    }

    /// The checksum of all that was read so far, if it is kept.
    pub fn checksum(&mut self) -> Option<u64> {
        let checksum = self.checksum.as_mut()?;
        checksum.update(&self.buffer[self.summed..self.at]);
        self.summed = self.at;
        Some(checksum.value())
    }

    /// Bytes that are left, if that is known.
    fn left(&self) -> Option<u64> {
        self.end.map(|end| end.saturating_sub(self.position()))
    }

    /// Bytes in the buffer that are unread.
    #[inline]
    fn ready(&self) -> usize {
        self.filled - self.at
    }

    /// Makes so many bytes ready, at most a chunk.
    fn fill(&mut self, count: usize) -> Result<(), LoadError> {
        if self.ready() >= count {
            return Ok(());
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.update(&self.buffer[self.summed..self.at]);
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        self.offset += u64::try_from(self.at).unwrap_or(0);
        self.filled -= self.at;
        (self.at, self.summed) = (0, 0);
        while self.filled < count {
            match self.source.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    self.at = self.filled;
                    return Err(self.error(Reason::Cut));
                }
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error.into())),
            }
        }
        Ok(())
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, LoadError> {
        self.fill(1)?;
        let byte = self.buffer[self.at];
        self.at += 1;
        Ok(byte)
    }

    /// Some bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        self.fill(N)?;
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.buffer[self.at..self.at + N]);
        self.at += N;
        Ok(bytes)
    }

    /// A moment or another number of 64 bits, least significant byte first.
    pub fn millis(&mut self) -> Result<i64, LoadError> {
        self.array().map(i64::from_le_bytes)
    }

    /// A number, in as many bytes as it needs.
    #[inline]
    pub fn number(&mut self) -> Result<u64, LoadError> {
        let first = self.byte()?;
        self.number_from(first)
    }

    #[inline]
    fn number_from(&mut self, first: u8) -> Result<u64, LoadError> {
        match first {
            0..0x40 => Ok(first.into()),
            0x40..0x80 => Ok(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            LENGTH_32 => Ok(u32::from_be_bytes(self.array()?).into()),
            LENGTH_64 => Ok(u64::from_be_bytes(self.array()?)),
            _ => self.damaged("a number of no known form"),
        }
    }

    /// A number of elements, of which each takes at least so many bytes.
    pub fn count(&mut self, bytes_each: u64) -> Result<usize, LoadError> {
        let count = self.number()?;
        if self.left().is_some_and(|left| count.saturating_mul(bytes_each) > left) {
            return Err(self.error(Reason::Cut));
        }
        usize::try_from(count).or_else(|_| self.damaged("more elements than memory has bytes"))
    }

    fn length(&mut self, length: u64) -> Result<usize, LoadError> {
        if self.left().is_some_and(|left| length > left) {
            return Err(self.error(Reason::Cut));
        }
        usize::try_from(length).or_else(|_| self.damaged("a string longer than memory"))
    }

    #[inline]
    fn head(&mut self) -> Result<Head, LoadError> {
        let first = self.byte()?;
        Ok(match first {
            0..0x40 => Head::Plain(usize::from(first)),
            INT_8 => Head::Int(i8::from_le_bytes(self.array()?).into()),
            INT_16 => Head::Int(i16::from_le_bytes(self.array()?).into()),
            INT_32 => Head::Int(i32::from_le_bytes(self.array()?).into()),
            LZF => {
                let packed = self.number()?;
                let packed = self.length(packed)?;
                let len = self.number()?;
                match usize::try_from(len) {
                    Ok(len) if lzf::is_possible(packed, len) => Head::Packed { packed, len },
                    _ => return self.damaged("a compressed string of impossible length"),
                }
            }
            _ => {
                let length = self.number_from(first)?;
                Head::Plain(self.length(length)?)
            }
        })
    }

    /// A string, without a copy if it lies in the buffer.
    #[inline]
    pub fn string(&mut self) -> Result<Text<'_>, LoadError> {
        match self.head()? {
            Head::Int(value) => Ok(Text::Int(value)),
            Head::Plain(len) if len <= self.ready() => {
                self.at += len;
                Ok(Text::Lent(&self.buffer[self.at - len..self.at]))
            }
            Head::Plain(len) => self.take(len).map(Text::Owned),
            Head::Packed { packed, len } if len <= LENT_BYTES => {
                // Most are copied beside their key: memory of their own would be in vain.
                let mut text = std::mem::take(&mut self.scratch);
                let unpacked = self.unpack(packed, len, &mut text);
                self.scratch = text;
                unpacked.map(|()| Text::Lent(&self.scratch))
            }
            Head::Packed { packed, len } => {
                let mut text = Vec::new();
                self.unpack(packed, len, &mut text).map(|()| Text::Owned(text))
            }
        }
    }

    /// A string, borrowed until the next call.
    #[inline]
    pub fn text(&mut self) -> Result<Item<'_>, LoadError> {
        match self.head()? {
            Head::Int(value) => return Ok(Item::Int(value)),
            Head::Plain(len) if len <= self.ready() => {
                self.at += len;
                return Ok(Item::Bytes(&self.buffer[self.at - len..self.at]));
            }
            Head::Plain(len) => self.scratch = self.take(len)?,
            Head::Packed { packed, len } => {
                let mut text = std::mem::take(&mut self.scratch);
                let unpacked = self.unpack(packed, len, &mut text);
                self.scratch = text;
                unpacked?;
            }
        }
        Ok(Item::Bytes(&self.scratch))
    }

    /// A string of its own.
    pub fn owned(&mut self) -> Result<Vec<u8>, LoadError> {
        let mut text = Vec::new();
        match self.head()? {
            Head::Int(value) => text = Item::Int(value).to_vec(),
            Head::Plain(len) => text = self.take(len)?,
            Head::Packed { packed, len } => self.unpack(packed, len, &mut text)?,
        }
        Ok(text)
    }

    /// Puts a string in the place of what `into` holds.
    #[inline]
    pub fn text_into(&mut self, into: &mut Vec<u8>) -> Result<(), LoadError> {
        into.clear();
        let text = self.text()?;
        into.extend_from_slice(text.as_text(&mut Digits::default()));
        Ok(())
    }

    /// So many bytes, as they come.
    fn take(&mut self, len: usize) -> Result<Vec<u8>, LoadError> {
        let mut bytes = Vec::with_capacity(len.min(TRUSTED_BYTES));
        while bytes.len() < len {
            self.fill(1)?;
            let part = self.ready().min(len - bytes.len());
            bytes.extend_from_slice(&self.buffer[self.at..self.at + part]);
            self.at += part;
        }
        Ok(bytes)
    }

    fn unpack(&mut self, packed: usize, len: usize, out: &mut Vec<u8>) -> Result<(), LoadError> {
        let is_sound = if packed <= self.ready() {
            self.at += packed;
            lzf::decompress_into(&self.buffer[self.at - packed..self.at], len, out)
        } else {
            let packed = self.take(packed)?;
            lzf::decompress_into(&packed, len, out)
        };
        if is_sound { Ok(()) } else { self.damaged("a damaged compressed string") }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::persistence::rdb::output::Output;

    fn check(texts: &[&[u8]], compresses: bool) {
        let mut out = Output::collected(compresses);
        for text in texts {
            out.string(text);
        }
        let bytes = out.into_bytes();
        for size in [None, u64::try_from(bytes.len()).ok()] {
            let mut source = &bytes[..];
            let mut input = Input::new(&mut source, size, true);
            for text in texts {
                assert_eq!(input.text().unwrap().to_vec(), *text);
            }
            assert_eq!(input.checksum(), Some(crate::base::crc64::checksum(&bytes)));
            assert!(matches!(input.byte().unwrap_err().reason, Reason::Cut));
            let mut source = &bytes[..];
            let mut input = Input::new(&mut source, size, false);
            for text in texts {
                assert_eq!(input.owned().unwrap(), *text);
            }
        }
    }

    #[test]
    fn strings_come_back() {
        let (long, huge) = (vec![b'l'; 70_000], vec![b'h'; 1_000_000]);
        let mixed: Vec<u8> = (0..600_000u32).map(|n| n.wrapping_mul(77).to_le_bytes()[2]).collect();
        for compresses in [false, true] {
            check(&[b"", b"a", b"-129", b"12345678901", &long, &huge, b"end", &mixed], compresses);
        }
    }

    #[test]
    fn absurd_lengths_are_not_believed() {
        for bytes in [
            &b"\x81\x7f\xff\xff\xff\xff\xff\xff\xffabc"[..],
            b"\x80\xff\xff\xff\xffabc",
            b"\xc3\x03\x81\x7f\xff\xff\xff\xff\xff\xff\xffabc",
            b"\xc3\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x05abc",
            b"\xc4abc",
            b"\x85abc",
            b"\x04abc",
        ] {
            for size in [None, u64::try_from(bytes.len()).ok()] {
                let mut source = bytes;
                assert!(Input::new(&mut source, size, false).owned().is_err());
            }
        }
    }
}
