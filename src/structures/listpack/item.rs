//! One entry of a listpack: an integer or bytes, and how it is spelled.
//!
//! ```text
//!   head   payload   back length        length of head and payload, readable from the right:
//!                                        7 bits a byte, high bit set on all but the leftmost
//!   0xxxxxxx                   0..=127
//!   10llllll                   up to 63 bytes
//!   110xxxxx x                 13-bit integer, high bits first
//!   1110llll l                 up to 4095 bytes, high bits first
//!   11110000 llll              longer bytes
//!   11110001 .. 11110100       16, 24, 32, 64-bit integer, little endian like all that follows
//!   11111111                   end of the listpack
//! ```

use crate::base::number;

/// Last byte of every listpack.
pub(super) const END: u8 = 0xff;

const SHORT_BYTES: u8 = 0x80;
const INT_13: u8 = 0xc0;
const MEDIUM_BYTES: u8 = 0xe0;
const LONG_BYTES: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;

pub(super) const SHORT_MAX: usize = 63;
const MEDIUM_MAX: usize = 4095;

/// An element. Equality is that of the form: `Int(5)` isn't `Bytes(b"5")`; see [`Item::is`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An integer; reads as its canonical decimal text.
    Int(i64),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// Room for the text of an integer.
#[derive(Default)]
#[allow(missing_debug_implementations, reason = "scratch space")]
pub struct Digits(itoa::Buffer);

impl Item<'_> {
    /// The element that `text` is: an integer if it spells one canonically.
    #[inline]
    pub fn text(text: &[u8]) -> Item<'_> {
        match number::parse_int(text) {
            Some(value) => Item::Int(value),
            None => Item::Bytes(text),
        }
    }

    /// Whether it reads as `text`.
    #[inline]
    pub fn is(&self, text: &[u8]) -> bool {
        match self {
            Self::Int(value) => number::parse_int(text) == Some(*value),
            Self::Bytes(bytes) => *bytes == text,
        }
    }

    /// The integer that it is or spells.
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bytes(bytes) => number::parse_int(bytes),
        }
    }

    /// The text, borrowed where it is stored, else from `digits`.
    #[inline]
    pub fn as_text<'b>(&'b self, digits: &'b mut Digits) -> &'b [u8] {
        match self {
            Self::Int(value) => digits.0.format(*value).as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Appends the text.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(value) => number::format_int(*value, out),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// A copy of the text.
    pub fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Int(_) => self.as_text(&mut Digits::default()).to_vec(),
            Self::Bytes(bytes) => bytes.to_vec(),
        }
    }

    /// Bytes of the text.
    pub fn text_len(&self) -> usize {
        self.as_text(&mut Digits::default()).len()
    }

    /// Bytes that it takes in a listpack. O(1).
    #[inline]
    pub fn packed_len(&self) -> usize {
        let len = self.coded_len();
        len + back_len_size(len)
    }

    /// Head and payload.
    #[inline]
    fn coded_len(&self) -> usize {
        match self {
            Self::Int(value) => match *value {
                0..=127 => 1,
                -4096..=4095 => 2,
                -0x8000..=0x7fff => 3,
                -0x80_0000..=0x7f_ffff => 4,
                -0x8000_0000..=0x7fff_ffff => 5,
                _ => 9,
            },
            Self::Bytes(bytes) => {
                let head = if bytes.len() <= SHORT_MAX {
                    1
                } else if bytes.len() <= MEDIUM_MAX {
                    2
                } else {
                    5
                };
                head + bytes.len()
            }
        }
    }

    /// Writes the entry to the front of `out`; says how many bytes those are.
    #[inline]
    pub(super) fn write(&self, out: &mut [u8]) -> usize {
        let len = self.coded_len();
        match self {
            Self::Int(value) => write_int(*value, len, out),
            Self::Bytes(bytes) => {
                let (head, payload) = out.split_at_mut(len - bytes.len());
                write_bytes_head(bytes.len(), head);
                payload[..bytes.len()].copy_from_slice(bytes);
            }
        }
        let size = back_len_size(len);
        write_back_len(len, &mut out[len..len + size]);
        len + size
    }
}

#[inline]
fn write_int(value: i64, len: usize, out: &mut [u8]) {
    let bytes = value.to_le_bytes();
    match len {
        1 => out[0] = bytes[0],
        2 => {
            out[0] = INT_13 | (bytes[1] & 0x1f);
            out[1] = bytes[0];
        }
        _ => {
            out[0] = match len {
                3 => INT_16,
                4 => INT_24,
                5 => INT_32,
                _ => INT_64,
            };
            out[1..len].copy_from_slice(&bytes[..len - 1]);
        }
    }
}

#[inline]
fn write_bytes_head(len: usize, head: &mut [u8]) {
    // A listpack's own length has 32 bits.
    let [low, high, ..] = len.to_le_bytes();
    match head.len() {
        1 => head[0] = SHORT_BYTES | low,
        2 => head.copy_from_slice(&[MEDIUM_BYTES | high, low]),
        _ => {
            head[0] = LONG_BYTES;
            head[1..].copy_from_slice(&len.to_le_bytes()[..4]);
        }
    }
}

/// The entry at the front of `rest` and the length of its head and payload.
#[inline]
pub(super) fn read(rest: &[u8]) -> Option<(Item<'_>, usize)> {
    let (&head, body) = rest.split_first()?;
    match head {
        0..SHORT_BYTES => Some((Item::Int(i64::from(head)), 1)),
        SHORT_BYTES..INT_13 => {
            let len = usize::from(head & 0x3f);
            Some((Item::Bytes(body.get(..len)?), 1 + len))
        }
        INT_13..MEDIUM_BYTES => {
            // The sign is the highest of 13 bits: shift it to the highest of 16 and back.
            let raw = u16::from_be_bytes([head, *body.first()?]) << 3;
            Some((Item::Int(i64::from(raw.cast_signed() >> 3)), 2))
        }
        MEDIUM_BYTES..LONG_BYTES => {
            let len = usize::from(u16::from_be_bytes([head & 0x0f, *body.first()?]));
            Some((Item::Bytes(body.get(1..=len)?), 2 + len))
        }
        _ => read_wide(head, body),
    }
}

/// The head of bytes of this length, at most [`SHORT_MAX`].
#[inline]
pub(super) fn short_head(len: usize) -> u8 {
    SHORT_BYTES | len.to_le_bytes()[0]
}

/// Length of head and payload of most entries, from the head alone.
#[inline]
pub(super) fn short_coded_len(head: u8) -> Option<usize> {
    match head {
        0..SHORT_BYTES => Some(1),
        SHORT_BYTES..INT_13 => Some(1 + usize::from(head & 0x3f)),
        INT_13..MEDIUM_BYTES => Some(2),
        _ => None,
    }
}

/// Length of the entry at the front of `rest`, back length included.
#[inline]
pub(super) fn entry_len(rest: &[u8]) -> Option<usize> {
    if let Some(len) = short_coded_len(*rest.first()?) {
        return Some(len + 1);
    }
    let len = read(rest)?.1;
    Some(len + back_len_size(len))
}

fn read_wide(head: u8, body: &[u8]) -> Option<(Item<'_>, usize)> {
    Some(match head {
        LONG_BYTES => {
            let len = usize::try_from(u32::from_le_bytes(*body.first_chunk()?)).ok()?;
            (Item::Bytes(body.get(4..)?.get(..len)?), 5 + len)
        }
        INT_16 => (Item::Int(i16::from_le_bytes(*body.first_chunk()?).into()), 3),
        INT_24 => {
            let [low, middle, high] = *body.first_chunk()?;
            (Item::Int(i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8)), 4)
        }
        INT_32 => (Item::Int(i32::from_le_bytes(*body.first_chunk()?).into()), 5),
        INT_64 => (Item::Int(i64::from_le_bytes(*body.first_chunk()?)), 9),
        _ => return None,
    })
}

/// Bytes that the back length of an entry takes. The bounds are the reference's: the largest
/// value of each width is written one byte wider than needed.
#[inline]
pub(super) fn back_len_size(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

#[inline]
pub(super) fn write_back_len(mut len: usize, out: &mut [u8]) {
    for byte in out.iter_mut().rev() {
        *byte = (len.to_le_bytes()[0] & 0x7f) | 0x80;
        len >>= 7;
    }
    out[0] &= 0x7f;
}

/// The back length that ends where `before` ends, and its own size.
#[inline]
pub(super) fn read_back_len(before: &[u8]) -> Option<(usize, usize)> {
    let mut len = 0;
    for (index, byte) in before.iter().rev().take(5).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((len, index + 1));
        }
    }
    None
}
