//! Loading memory before it is read: several misses of the cache then take the time of one.

#![allow(unsafe_code, reason = "an instruction that changes nothing")]

/// Starts loading the cache line with this address, which may be any.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
pub fn prefetch(line: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch of any address is harmless.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) }
}

/// Starts loading the cache line with this address, which may be any. Not on this machine.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline]
pub fn prefetch(_line: *const u8) {}
