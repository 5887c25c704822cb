//! A small listpack as it stands beside its key, and the buffers in which such are looked at.
//!
//! ```text
//!   head payload   head payload ...
//! ```
//!
//! Header, end and back lengths are left out: 7 bytes, and mostly one per entry. That decides on
//! the size class of what is kept most: with them, a list of eight elements of 16 bytes would take
//! 32 bytes more.

use super::{EMPTY, HEADER, ListPack, WELL_FORMED, item};
use crate::structures::scratch;

/// Entries up to this length are copied without a call. Bytes.
const SHORT: usize = 32;
/// Back lengths that room is set aside for, one byte each, and what copying short entries writes
/// beyond the last.
const AROUND: usize = HEADER + 1 + 32 + SHORT;

/// Length of head and payload of the entry in front.
#[inline]
fn coded_len(rest: &[u8]) -> usize {
    match item::short_coded_len(rest[0]) {
        Some(len) => len,
        None => item::read(rest).expect(WELL_FORMED).1,
    }
}

/// Copies an entry from the front of `from` to the front of `to`; of a short one perhaps more than
/// its bytes, which are overwritten by what follows.
#[inline]
fn copy_entry(from: &[u8], to: &mut [u8], len: usize) {
    if len <= SHORT
        && let (Some(from), Some(to)) = (from.first_chunk::<SHORT>(), to.first_chunk_mut::<SHORT>())
    {
        *to = *from;
    } else {
        to[..len].copy_from_slice(&from[..len]);
    }
}

impl ListPack {
    /// Writes the thin form to the front of `out`, where there must be room for
    /// [`ListPack::byte_len`]; says how many bytes those are. O(n).
    #[inline]
    pub fn write_thin(&self, out: &mut [u8]) -> usize {
        let (mut rest, mut written) = (&self.bytes[HEADER..], 0);
        while rest[0] != item::END {
            let len = coded_len(rest);
            copy_entry(rest, &mut out[written..], len);
            written += len;
            rest = &rest[len + item::back_len_size(len)..];
        }
        written
    }

    /// The listpack of a thin form that [`ListPack::write_thin`] wrote, in a buffer that is lent.
    /// O(n).
    #[inline]
    pub fn of_thin(thin: &[u8]) -> Self {
        let mut bytes = scratch::lend_pack();
        bytes.resize(thin.len() + AROUND, 0);
        let (mut rest, mut written, mut count) = (thin, HEADER, 0u16);
        while !rest.is_empty() {
            let len = coded_len(rest);
            let back = item::back_len_size(len);
            // The rest may come without a back length; the end takes one more byte.
            if bytes.len() - written <= rest.len() + back {
                bytes.resize(2 * bytes.len(), 0);
            }
            copy_entry(rest, &mut bytes[written..], len);
            written += len;
            if back == 1 {
                bytes[written] = len.to_le_bytes()[0];
            } else {
                item::write_back_len(len, &mut bytes[written..written + back]);
            }
            written += back;
            rest = &rest[len..];
            count = count.saturating_add(1);
        }
        bytes[written] = item::END;
        bytes.truncate(written + 1);
        let [a, b, c, d, ..] = bytes.len().to_le_bytes();
        let [low, high] = count.to_le_bytes();
        bytes[..HEADER].copy_from_slice(&[a, b, c, d, low, high]);
        Self { bytes }
    }

    /// An empty one in a buffer that is lent: for what will be written thin soon.
    pub fn lent() -> Self {
        let mut bytes = scratch::lend_pack();
        bytes.extend_from_slice(&EMPTY);
        Self { bytes }
    }

    /// Whether its buffer is lent: too large to be kept.
    #[inline]
    pub fn is_lent(&self) -> bool {
        scratch::is_lent(self.bytes.capacity())
    }
}
