//! A listpack without what can be told from its entries: for keeping, not for reading.
//!
//! ```text
//!   head payload   head payload ...
//! ```
//!
//! Header, end and back lengths are left out: 7 bytes, and mostly one per entry.

use super::{HEADER, ListPack, WELL_FORMED, item};
use crate::structures::size_class::size_class;

/// Entries up to this length are copied without a call. Bytes.
const SHORT: usize = 32;
/// Back lengths that room is set aside for, one byte each.
const ENTRIES: usize = 48;

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
        let end = self.bytes.len() - 1;
        let (mut read, mut written) = (HEADER, 0);
        while read < end {
            let rest = &self.bytes[read..];
            let len = coded_len(rest);
            copy_entry(rest, &mut out[written..], len);
            written += len;
            read += len + item::back_len_size(len);
        }
        written
    }

    /// The listpack of a thin form. Only for what [`ListPack::write_thin`] has written. O(n).
    #[inline]
    pub fn of_thin(thin: &[u8]) -> Self {
        let mut bytes = vec![0; size_class(HEADER + 1 + thin.len() + ENTRIES)];
        let (mut at, mut written, mut count) = (0, HEADER, 0u16);
        while at < thin.len() {
            let rest = &thin[at..];
            let len = coded_len(rest);
            let back = item::back_len_size(len);
            // The rest may come without a back length; the end takes one more byte.
            if bytes.len() - written <= rest.len() + back {
                bytes.resize(size_class(2 * bytes.len()), 0);
            }
            copy_entry(rest, &mut bytes[written..], len);
            written += len;
            item::write_back_len(len, &mut bytes[written..written + back]);
            written += back;
            at += len;
            count = count.saturating_add(1);
        }
        bytes[written] = item::END;
        bytes.truncate(written + 1);
        let [a, b, c, d, ..] = bytes.len().to_le_bytes();
        let [low, high] = count.to_le_bytes();
        bytes[..HEADER].copy_from_slice(&[a, b, c, d, low, high]);
        Self { bytes }
    }
}
