//! The server's allocator, for benches whose memory figures shall be those of the server.

#![allow(unsafe_code, reason = "the allocator's C interface")]

use std::alloc::{GlobalAlloc, Layout};
use tikv_jemalloc_sys::{MALLOCX_ALIGN, MALLOCX_ZERO, mallocx, rallocx, sdallocx};

/// jemalloc with explicit alignments.
pub(crate) struct Jemalloc;

fn align(layout: Layout) -> i32 {
    if layout.align() <= 8 { 0 } else { MALLOCX_ALIGN(layout.align()) }
}

// SAFETY: jemalloc meets the contract; alignments beyond its quantum of 8 are asked for.
unsafe impl GlobalAlloc for Jemalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not zero, by the caller's word.
        unsafe { mallocx(layout.size(), align(layout)).cast() }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { mallocx(layout.size(), align(layout) | MALLOCX_ZERO).cast() }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: allocated by this allocator with this layout.
        unsafe { sdallocx(at.cast(), layout.size(), align(layout)) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: allocated by this allocator with this layout.
        unsafe { rallocx(at.cast(), size, align(layout)).cast() }
    }
}
