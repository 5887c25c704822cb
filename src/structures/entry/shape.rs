//! Where things are in the allocation of an entry: the head, its flags, and what follows from them.

use super::INLINE_MAX;
use crate::base::blob::Blob;
use crate::structures::size_class::size_class;
use std::alloc::{Layout, handle_alloc_error};
use std::sync::atomic::AtomicU32;

pub(super) const TAG_MASK: u8 = 0x0f;
pub(super) const TAG_INLINE: u8 = 0;
pub(super) const TAG_INT: u8 = 1;
pub(super) const TAG_BLOB: u8 = 2;
pub(super) const TAG_NESTED: u8 = 3;
pub(super) const HAS_WORD: u8 = 0x10;
pub(super) const LONG_KEY: u8 = 0x20;
/// Of a string: it was changed in place.
pub(super) const RAW: u8 = 0x40;
/// Of anything else: its bytes stand beside the key.
pub(super) const PACKED: u8 = RAW;
pub(super) const FILED: u8 = 0x80;

pub(super) const META_BITS: u32 = 8;
pub(super) const KEY_LEN_BITS: u32 = 8;
pub(super) const KEY_LEN_LONG: usize = 255;
pub(super) const FIELD: usize = 8;
pub(super) const ALIGN: usize = 8;

const _: () = assert!(size_of::<Head>() == FIELD);
const _: () = assert!(INLINE_MAX < 1 << (32 - KEY_LEN_BITS));
// A blob is one pointer; the payload field holds it.
const _: () = assert!(size_of::<Blob>() == size_of::<usize>());

#[repr(C)]
pub(super) struct Head {
    pub(super) clock_meta: AtomicU32,
    pub(super) lens: u32,
}

/// Where things are in an allocation.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) meta: u8,
    pub(super) key_len: usize,
    pub(super) value_len: usize,
}

impl Shape {
    #[inline]
    pub(super) fn has(self, flag: u8) -> bool {
        self.meta & flag != 0
    }
    #[inline]
    pub(super) fn tag(self) -> u8 {
        self.meta & TAG_MASK
    }
    /// Whether it is a nested value that stands beside the key.
    #[inline]
    pub(super) fn is_packed(self) -> bool {
        self.tag() >= TAG_NESTED && self.has(PACKED)
    }
    #[inline]
    pub(super) fn has_payload(self) -> bool {
        self.tag() != TAG_INLINE && !self.is_packed()
    }
    #[inline]
    pub(super) fn payload_at(self) -> usize {
        FIELD + FIELD * usize::from(self.has(HAS_WORD))
    }
    #[inline]
    pub(super) fn long_at(self) -> usize {
        self.payload_at() + FIELD * usize::from(self.has_payload())
    }
    #[inline]
    pub(super) fn key_at(self) -> usize {
        self.long_at() + FIELD * usize::from(self.has(LONG_KEY))
    }
    #[inline]
    pub(super) fn value_at(self) -> usize {
        self.key_at() + self.key_len
    }
    #[inline]
    pub(super) fn total(self) -> usize {
        self.value_at() + self.value_len
    }
    #[inline]
    pub(super) fn lens(self) -> u32 {
        let key = u32::try_from(self.key_len.min(KEY_LEN_LONG)).unwrap_or(0);
        let value = u32::try_from(self.value_len).unwrap_or(0);
        debug_assert!(self.value_len <= INLINE_MAX, "inline values are short");
        value << KEY_LEN_BITS | key
    }
    pub(super) fn layout(self) -> Layout {
        let size = size_class(self.total());
        Layout::from_size_align(size, ALIGN).unwrap_or_else(|_| {
            handle_alloc_error(Layout::new::<Head>()) // More than half of the address space.
        })
    }
}
