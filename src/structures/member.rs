//! One member of a large set: its bytes and their length, a single allocation.
//!
//! ```text
//!   0  u8   length (7 bits; 127: see below) | 1 bit, kept free for a deadline of the member
//!      u64  length, if 127 or more
//!      ..   bytes
//! ```
//!
//! A member of up to 7 bytes takes 8, one of 10 bytes 16.

#![allow(unsafe_code, reason = "a thin allocation of varying size")]

use crate::base::hash::KeyHasher;
use crate::structures::cow_table::Thin;
use crate::structures::size_class::size_class;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};
use std::slice;

/// Stands for a length that follows.
const LONG: u8 = 127;
const SHORT_HEAD: usize = 1;
const LONG_HEAD: usize = 1 + size_of::<u64>();
/// What [`Thin`] demands.
const ALIGN: usize = 8;

/// A member and its memory.
pub struct Member {
    at: NonNull<u8>,
}

/// A borrowed member.
#[derive(Clone, Copy)]
pub struct MemberRef<'a> {
    at: NonNull<u8>,
    life: PhantomData<&'a [u8]>,
}

// SAFETY: the allocation is plain bytes, owned by the member.
unsafe impl Send for Member {}
// SAFETY: behind a reference they are only read.
unsafe impl Sync for Member {}
// SAFETY: a view reads plain bytes.
unsafe impl Send for MemberRef<'_> {}
// SAFETY: as above.
unsafe impl Sync for MemberRef<'_> {}

impl Member {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let short = u8::try_from(bytes.len()).ok().filter(|len| *len < LONG);
        let head = if short.is_some() { SHORT_HEAD } else { LONG_HEAD };
        let layout = layout(head + bytes.len());
        // SAFETY: the layout has at least the head's size.
        let Some(at) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the allocation has room for head and bytes; it is new, so nothing overlaps.
        unsafe {
            at.write(short.unwrap_or(LONG));
            if short.is_none() {
                at.add(SHORT_HEAD).cast::<u64>().write_unaligned(bytes.len() as u64);
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), at.add(head).as_ptr(), bytes.len());
        }
        Self { at }
    }

    /// The member, for reading.
    #[inline]
    pub fn view(&self) -> MemberRef<'_> {
        MemberRef { at: self.at, life: PhantomData }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let layout = layout(self.view().total());
        // SAFETY: made by `new` with this layout, and owned.
        unsafe { dealloc(self.at.as_ptr(), layout) }
    }
}

impl<'a> MemberRef<'a> {
    /// The bytes.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        let (head, len) = self.shape();
        // SAFETY: `new` wrote so many bytes there; nobody changes or frees them during 'a.
        unsafe { slice::from_raw_parts(self.at.add(head).as_ptr(), len) }
    }

    /// Bytes of the allocation.
    #[inline]
    pub fn heap_bytes(self) -> usize {
        size_class(self.total())
    }

    /// Bytes before the text, and of the text.
    #[inline]
    fn shape(self) -> (usize, usize) {
        // SAFETY: the head was written by `new`.
        let short = unsafe { self.at.read() };
        if short < LONG {
            return (SHORT_HEAD, usize::from(short));
        }
        // SAFETY: this value says that the length follows.
        let len = unsafe { self.at.add(SHORT_HEAD).cast::<u64>().read_unaligned() };
        (LONG_HEAD, usize::try_from(len).unwrap_or(0))
    }

    fn total(self) -> usize {
        let (head, len) = self.shape();
        head + len
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl fmt::Debug for MemberRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

// SAFETY: allocations are aligned to 8 and come from the allocator, whose addresses are below 2^48;
// views read only; `share` copies.
unsafe impl Thin for Member {
    type View<'a> = MemberRef<'a>;

    fn into_raw(self) -> NonNull<u8> {
        let at = self.at;
        mem::forget(self);
        at
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Self { at: raw }
    }
    #[inline]
    unsafe fn view<'a>(raw: NonNull<u8>) -> MemberRef<'a> {
        MemberRef { at: raw, life: PhantomData }
    }
    fn hash(view: MemberRef<'_>, seed: u64) -> u64 {
        KeyHasher::new(seed).hash(view.bytes())
    }
    unsafe fn share(view: MemberRef<'_>) -> Self {
        Self::new(view.bytes())
    }
    unsafe fn free_shell(self) {}
    fn bytes(view: MemberRef<'_>) -> usize {
        view.heap_bytes()
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(size_class(bytes), ALIGN).unwrap_or_else(|_| {
        handle_alloc_error(Layout::new::<Member>()) // More than half of the address space.
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_length_come_back() {
        for len in [0, 1, 7, 8, 125, 126, 127, 128, 255, 256, 70_000] {
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
            let member = Member::new(&bytes);
            assert_eq!(member.view().bytes(), bytes);
            // SAFETY: it is taken back at once.
            let back = unsafe { Member::from_raw(member.into_raw()) };
            assert_eq!(back.view().bytes(), bytes);
        }
    }

    #[test]
    fn short_members_take_little() {
        let bytes = |len| Member::new(&vec![b'x'; len]).view().heap_bytes();
        assert_eq!([0, 7, 8, 10, 15, 16, 126].map(bytes), [8, 8, 16, 16, 16, 24, 128]);
    }
}
