//! The allocator: jemalloc under a layer that counts what it has handed out.
//!
//! Each thread counts in a slot of its own, so the hot path touches no shared cache line; the sum
//! over all slots is the truth. A slot outlives its thread: what one thread allocates another may
//! free, and only the sum means anything.
//!
//! What is so large that jemalloc would give its pages back at once is freed by one thread, piece
//! by piece ([`free_put_off`]): the kernel takes 10 ms for 100 MiB, and lets nobody in between.
//!
//! 1. jemalloc is built with size classes 8 bytes apart, so a plain allocation promises no more than
//!    an alignment of 8. See [`request_of`] for more.

#![allow(unsafe_code, reason = "a global allocator is an unsafe interface")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::{self, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{
    AtomicIsize, AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};
use std::thread::Thread;

use tikv_jemalloc_sys as jemalloc;

use crate::structures::size_class::size_class;

/// Up to here size classes are computed in place.
const PAGE_BYTES: usize = 4096;

/// Threads that count without sharing; those beyond share the last slot.
const SLOTS: usize = 64;

/// From here on jemalloc keeps no free pages: its `oversize_threshold`.
const OVERSIZE_BYTES: usize = 8 * 1024 * 1024;

/// Where pages are larger, the kernel refuses pieces that begin elsewhere, and nothing is lost.
const KERNEL_PAGE_BYTES: usize = 4096;

/// Bytes that the kernel is given back at a time.
const PIECE_BYTES: usize = 1024 * 1024;

/// jemalloc behind the counting layer.
#[derive(Debug)]
pub struct CountingAllocator;

#[repr(align(128))]
struct Slot(AtomicIsize);

static COUNTS: [Slot; SLOTS] = [const { Slot(AtomicIsize::new(0)) }; SLOTS];
static NEXT_SLOT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SLOT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Bytes handed out and not yet given back, size classes included. O(slots).
pub fn bytes_used() -> usize {
    // Slots nobody counts in are not worth a cache line each.
    let taken = NEXT_SLOT.load(Relaxed).clamp(1, SLOTS);
    let sum: isize = COUNTS[..taken].iter().map(|slot| slot.0.load(Relaxed)).sum();
    usize::try_from(sum).unwrap_or(0)
}

fn count(bytes: isize) {
    let index = SLOT.with(|slot| {
        if slot.get() == usize::MAX {
            slot.set(NEXT_SLOT.fetch_add(1, Relaxed).min(SLOTS - 1));
        }
        slot.get()
    });
    let slot = &COUNTS[index].0;
    if index < SLOTS - 1 {
        // Nobody else writes here, so no read-modify-write is needed.
        slot.store(slot.load(Relaxed).wrapping_add(bytes), Relaxed);
    } else {
        slot.fetch_add(bytes, Relaxed);
    }
}

/// What jemalloc is asked for: size and flags.
#[inline]
fn request_of(size: usize, align: usize) -> (usize, c_int) {
    match align {
        ..=8 => (size, 0),
        // Size classes that hold a multiple of 16 are multiples of 16 themselves, and slabs begin
        // at pages: asked like this, jemalloc takes its short way. Lua asks for nothing else.
        16 => (size.next_multiple_of(16), 0),
        _ => (size, c_int::try_from(align.trailing_zeros()).unwrap_or(0)),
    }
}

/// Bytes that an allocation really takes.
#[inline]
fn class_of((size, flags): (usize, c_int)) -> isize {
    if flags == 0 && size <= PAGE_BYTES {
        return isize::try_from(size_class(size)).unwrap_or(isize::MAX);
    }
    // SAFETY: `nallocx` only computes; the size is not zero, see the callers.
    isize::try_from(unsafe { jemalloc::nallocx(size, flags) }).unwrap_or(isize::MAX)
}

// SAFETY: memory comes from and goes back to jemalloc with the layout's size and alignment, or more
// of both; the counting touches only atomics and a const-initialised thread-local without destructor.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let request = request_of(layout.size(), layout.align());
        // SAFETY: the caller passes a layout of non-zero size.
        // Without flags `malloc` does the same on a shorter way.
        let memory = unsafe {
            match request {
                (size, 0) => jemalloc::malloc(size),
                (size, flags) => jemalloc::mallocx(size, flags),
            }
        };
        if !memory.is_null() {
            count(class_of(request));
        }
        memory.cast()
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let request = request_of(layout.size(), layout.align());
        // SAFETY: as in `alloc`.
        let memory = unsafe { jemalloc::mallocx(request.0, request.1 | jemalloc::MALLOCX_ZERO) };
        if !memory.is_null() {
            count(class_of(request));
        }
        memory.cast()
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let request = request_of(layout.size(), layout.align());
        count(-class_of(request));
        if request.0 >= OVERSIZE_BYTES
            && let Some(freer) = FREER.get()
        {
            // SAFETY: the caller gives the allocation away, which has room for a link.
            unsafe { put_off(memory.cast(), request) };
            freer.unpark();
            return;
        }
        // SAFETY: the caller passes what `alloc` returned for this layout.
        unsafe { jemalloc::sdallocx(memory.cast(), request.0, request.1) };
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let old = request_of(layout.size(), layout.align());
        let new = request_of(new_size, layout.align());
        if old.0 >= OVERSIZE_BYTES && new.0 > old.0 {
            // SAFETY: as below.
            return unsafe { self.grow_oversize(memory, layout, new_size) };
        }
        // SAFETY: the caller passes what `alloc` returned for this layout, and a non-zero size.
        let moved = unsafe { jemalloc::rallocx(memory.cast(), new.0, new.1) };
        if !moved.is_null() {
            count(class_of(new) - class_of(old));
        }
        moved.cast()
    }
}

impl CountingAllocator {
    /// As jemalloc would, but for the freeing of what it leaves behind.
    ///
    /// # Safety
    ///
    /// As for `realloc`, with a size larger than before.
    #[cold]
    unsafe fn grow_oversize(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let old = request_of(layout.size(), layout.align());
        let new = request_of(new_size, layout.align());
        // SAFETY: the caller passes what `alloc` returned for `layout`; both allocations hold as
        // many bytes as are copied, and a layout with this alignment was there before.
        unsafe {
            if jemalloc::xallocx(memory.cast(), new.0, 0, new.1) >= new.0 {
                count(class_of(new) - class_of(old));
                return memory;
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(memory, moved, layout.size());
                self.dealloc(memory, layout);
            }
            moved
        }
    }
}

/// An allocation that nobody uses any more, written into itself.
struct PutOff {
    next: *mut PutOff,
    request: (usize, c_int),
}

/// The allocations that are to be freed.
static PUT_OFF: AtomicPtr<PutOff> = AtomicPtr::new(null_mut());

/// Who frees them; before there is somebody nothing is put off.
static FREER: OnceLock<Thread> = OnceLock::new();

/// From now on `freer` calls [`free_put_off`] whenever it is unparked.
pub fn put_off_to(freer: Thread) {
    // A second server in one process leaves it to the first one's thread.
    let _ = FREER.set(freer);
}

/// Adds an allocation to those that are to be freed.
///
/// # Safety
///
/// It was made by jemalloc for this request, has room for a [`PutOff`], and nobody uses it.
unsafe fn put_off(memory: *mut PutOff, request: (usize, c_int)) {
    let mut next = PUT_OFF.load(Relaxed);
    loop {
        // SAFETY: the caller says so; allocations of this size begin at pages.
        unsafe { memory.write(PutOff { next, request }) };
        match PUT_OFF.compare_exchange_weak(next, memory, Release, Relaxed) {
            Ok(_) => return,
            Err(found) => next = found,
        }
    }
}

/// Frees what was put off, and gives its pages back to the kernel in pieces, so that threads which
/// want the processor need not wait for all of it.
pub fn free_put_off() {
    let mut first = PUT_OFF.swap(null_mut(), Acquire);
    while !first.is_null() {
        // SAFETY: what is in the list was put there by `put_off` and belongs to whoever took it
        // out; its pages are not read again after they were given back.
        unsafe {
            let PutOff { next, request } = first.read();
            let bytes = first.cast::<u8>();
            // jemalloc begins anywhere within the first page.
            let (from, to) = (bytes.align_offset(KERNEL_PAGE_BYTES), request.0);
            for from in (from..to).step_by(PIECE_BYTES) {
                let piece = (to - from).min(PIECE_BYTES);
                let whole = piece - piece % KERNEL_PAGE_BYTES;
                libc::madvise(bytes.add(from).cast(), whole, libc::MADV_DONTNEED);
            }
            jemalloc::sdallocx(bytes.cast(), request.0, request.1);
            first = next;
        }
    }
}

/// Reads a `size_t` statistic of jemalloc; 0 when it is not known.
pub fn statistic(name: &'static std::ffi::CStr) -> usize {
    let mut value = 0_usize;
    let mut size = size_of::<usize>();
    // SAFETY: the name is a C string; out pointer and its size agree.
    let failed = unsafe {
        jemalloc::mallctl(name.as_ptr(), (&raw mut value).cast(), &raw mut size, null_mut(), 0)
    };
    if failed == 0 { value } else { 0 }
}

/// Name and version.
pub fn name() -> String {
    let mut version: *const c_char = ptr::null();
    let mut size = size_of::<*const c_char>();
    // SAFETY: the name is a C string; out pointer and its size agree.
    let failed = unsafe {
        jemalloc::mallctl(
            c"version".as_ptr(),
            (&raw mut version).cast(),
            &raw mut size,
            null_mut(),
            0,
        )
    };
    if failed != 0 || version.is_null() {
        return "jemalloc".to_owned();
    }
    // SAFETY: jemalloc gave a C string that lives as long as the process.
    let text = unsafe { std::ffi::CStr::from_ptr(version) }.to_string_lossy();
    let number = text.split('-').next().unwrap_or_default();
    format!("jemalloc-{number}")
}

/// Why a control of the allocator could not be read or changed, as the system says it.
fn refusal(error: c_int) -> String {
    let text = std::io::Error::from_raw_os_error(error).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Whether a control may be set, or called, from outside: anything else could take memory away
/// from under those who use it.
fn may_change(name: &str) -> bool {
    let of_arena = name.strip_prefix("arena.").and_then(|rest| rest.split_once('.'));
    match of_arena {
        Some((number, what)) => {
            number.bytes().all(|digit| digit.is_ascii_digit())
                && matches!(what, "purge" | "decay" | "dirty_decay_ms" | "muzzy_decay_ms")
        }
        None => matches!(name, "epoch" | "background_thread" | "thread.tcache.flush"),
    }
}

/// Reads a control that is a number or a switch, and sets it to `new`; what it was.
pub fn control(name: &str, new: Option<i64>) -> Result<i64, String> {
    let name_c = CString::new(name).map_err(|_| refusal(libc::ENOENT))?;
    if new.is_some() && !may_change(name) {
        return Err(refusal(libc::EPERM));
    }
    let mut failed = libc::EINVAL;
    // Its width is not known, but only one fits.
    for width in [8, 4, 1] {
        let (mut old, mut size, mut input) = ([0_u8; 8], width, new.unwrap_or(0).to_le_bytes());
        let input = if new.is_some() { input.as_mut_ptr().cast() } else { null_mut() };
        let input_size = if new.is_some() { width } else { 0 };
        // SAFETY: the name is a C string; both pointers lead to eight bytes, of which no more than
        // the sizes say are used; what could do harm is not set, see `may_change`.
        failed = unsafe {
            let old = (&raw mut old).cast();
            jemalloc::mallctl(name_c.as_ptr(), old, &raw mut size, input, input_size)
        };
        match failed {
            0 => return Ok(i64::from_le_bytes(old)),
            libc::EINVAL => {}
            _ => break,
        }
    }
    Err(refusal(failed))
}

/// Reads a control that is a text.
pub fn text_control(name: &str) -> Result<String, String> {
    let is_text = matches!(name, "version" | "opt.dss" | "opt.percpu_arena" | "opt.thp")
        || matches!(name, "opt.metadata_thp" | "opt.zero_realloc" | "config.malloc_conf");
    if !is_text {
        // A number would be taken for a pointer.
        return control(name, None).and(Err(refusal(libc::EINVAL)));
    }
    let name = CString::new(name).map_err(|_| refusal(libc::ENOENT))?;
    let mut text: *const c_char = ptr::null();
    let mut size = size_of::<*const c_char>();
    // SAFETY: the name is a C string; out pointer and its size agree.
    let failed = unsafe {
        let text = (&raw mut text).cast();
        jemalloc::mallctl(name.as_ptr(), text, &raw mut size, null_mut(), 0)
    };
    if failed != 0 || text.is_null() {
        return Err(refusal(failed));
    }
    // SAFETY: the controls named above give C strings that live as long as the process.
    Ok(unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Calls a control that takes and gives nothing.
pub fn call_control(name: &str) -> Result<(), String> {
    let name_c = CString::new(name).map_err(|_| refusal(libc::ENOENT))?;
    if !may_change(name) {
        return Err(refusal(libc::EPERM));
    }
    // SAFETY: the name is a C string; what could do harm is not called, see `may_change`.
    let failed =
        unsafe { jemalloc::mallctl(name_c.as_ptr(), null_mut(), null_mut(), null_mut(), 0) };
    if failed == 0 { Ok(()) } else { Err(refusal(failed)) }
}

/// Makes the statistics current.
pub fn refresh() {
    let mut epoch = 1_u64;
    // SAFETY: "epoch" takes a u64 in.
    unsafe {
        jemalloc::mallctl(c"epoch".as_ptr(), null_mut(), null_mut(), (&raw mut epoch).cast(), 8);
    }
}

/// Gives all free pages of all arenas back to the kernel.
pub fn purge() {
    // 4096 is MALLCTL_ARENAS_ALL.
    // SAFETY: the control takes no argument.
    unsafe {
        jemalloc::mallctl(c"arena.4096.purge".as_ptr(), null_mut(), null_mut(), null_mut(), 0);
    }
}

/// Has a thread of jemalloc's give free pages back, in the seconds after they were freed, or leaves
/// it to whoever allocates or frees next; an idle server would then keep them.
pub fn free_in_background(on: bool) {
    write_flag(c"background_thread", on);
}

/// Runs `work` without this thread's cache of freed allocations: what is freed goes back to its
/// page, and what is allocated comes from the oldest page that has room.
pub fn without_cache<R>(work: impl FnOnce() -> R) -> R {
    write_flag(c"thread.tcache.enabled", false);
    let outcome = work();
    write_flag(c"thread.tcache.enabled", true);
    outcome
}

fn write_flag(name: &'static std::ffi::CStr, mut on: bool) {
    // SAFETY: the name is a C string of a control that takes a bool.
    unsafe {
        let value = (&raw mut on).cast();
        jemalloc::mallctl(name.as_ptr(), null_mut(), null_mut(), value, size_of::<bool>());
    }
}

/// Whether the allocation at this address shares its page with much that is free: an eighth of the
/// page's room at least. jemalloc finds the page of any of its allocations, and looks for that of
/// anything else in memory that need not be there; 0 stands for no allocation.
pub fn is_misplaced(address: usize) -> bool {
    static CONTROL: OnceLock<Option<[usize; 3]>> = OnceLock::new();
    if address == 0 {
        return false;
    }
    let Some(control) = CONTROL.get_or_init(utilization_control) else { return false };
    let mut pointer: *const c_void = ptr::without_provenance(address);
    // Free and all places of the page, and its bytes.
    let mut figures = [0_usize; 3];
    let mut size = size_of_val(&figures);
    // SAFETY: the control was looked up; it reads pointers, which it does not follow, and writes
    // three words for each.
    let failed = unsafe {
        jemalloc::mallctlbymib(
            control.as_ptr(),
            control.len(),
            figures.as_mut_ptr().cast(),
            &raw mut size,
            (&raw mut pointer).cast(),
            size_of::<*const c_void>(),
        )
    };
    let [free, places, _] = figures;
    failed == 0 && places > 1 && free * 8 >= places
}

/// The number of the control that tells how full pages are.
fn utilization_control() -> Option<[usize; 3]> {
    let (mut control, mut len) = ([0; 3], 3);
    let name = c"experimental.utilization.batch_query";
    // SAFETY: the name is a C string, and its parts are as many as there is room for.
    let failed =
        unsafe { jemalloc::mallctlnametomib(name.as_ptr(), control.as_mut_ptr(), &raw mut len) };
    (failed == 0 && len == 3).then_some(control)
}

/// jemalloc's report, as MEMORY MALLOC-STATS prints it.
pub fn report() -> String {
    unsafe extern "C" fn append(target: *mut c_void, text: *const c_char) {
        // SAFETY: `target` is the vector below, `text` a C string, both alive during the call.
        unsafe {
            let text = std::ffi::CStr::from_ptr(text);
            (*target.cast::<Vec<u8>>()).extend_from_slice(text.to_bytes());
        }
    }
    let mut text = Vec::<u8>::new();
    // SAFETY: the callback gets our vector back as its first argument and outlives no call.
    unsafe {
        jemalloc::malloc_stats_print(Some(append), (&raw mut text).cast(), ptr::null());
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn controls_are_read_whatever_their_width() {
        assert_eq!(control("arenas.page", None), Ok(4096));
        assert!(control("opt.narenas", None).unwrap() > 0);
        assert_eq!(control("thread.tcache.enabled", None), Ok(1));
        assert_eq!(control("nope", None), Err("No such file or directory".to_owned()));
        assert_eq!(control("no\0pe", None), Err("No such file or directory".to_owned()));
        assert!(text_control("version").unwrap().starts_with("5."));
        assert!(text_control("arenas.page").is_err() && text_control("nope").is_err());
    }

    #[test]
    fn controls_that_do_no_harm_may_be_set() {
        let refused = || Err("Operation not permitted".to_owned());
        assert_eq!(control("arenas.page", Some(5)), refused());
        assert_eq!(call_control("arena.0.reset"), refused().map(drop));
        assert_eq!(control("arena.0.extent_hooks", Some(0)), refused());
        assert_eq!(call_control("thread.tcache.flush"), Ok(()));
        let old = control("arena.0.dirty_decay_ms", Some(7000)).unwrap();
        assert_eq!(control("arena.0.dirty_decay_ms", Some(old)), Ok(7000));
    }

    #[test]
    fn sizes_are_those_of_the_allocator() {
        for align in [1, 8, 16, 64] {
            for size in 1..10_000 {
                let (asked, flags) = request_of(size, align);
                // SAFETY: allocated, looked at and freed with the same size and alignment.
                let (is_aligned, usable) = unsafe {
                    let layout = Layout::from_size_align(size, align).unwrap();
                    let memory = CountingAllocator.alloc(layout);
                    let usable = jemalloc::sallocx(memory.cast(), flags);
                    CountingAllocator.dealloc(memory, layout);
                    (memory.addr().is_multiple_of(align), usable)
                };
                assert!(is_aligned, "{size} bytes at {align}");
                assert_eq!(class_of((asked, flags)), isize::try_from(usable).unwrap());
            }
        }
    }

    #[test]
    fn what_is_large_is_freed_by_the_thread_that_it_was_put_off_to() {
        put_off_to(std::thread::current());
        let layout = Layout::from_size_align(2 * OVERSIZE_BYTES + 5, 1).unwrap();
        let pending = || PUT_OFF.load(Acquire);
        // SAFETY: allocated, written, grown and freed with layouts that belong together.
        unsafe {
            let memory = CountingAllocator.alloc(layout);
            memory.write_bytes(7, layout.size());
            let size = 8 * OVERSIZE_BYTES;
            let grown = CountingAllocator.realloc(memory, layout, size);
            assert_eq!(grown.add(layout.size() - 1).read(), 7);
            let layout = Layout::from_size_align(size, 1).unwrap();
            CountingAllocator.dealloc(grown, layout);
        }
        assert!(!pending().is_null());
        free_put_off();
        assert!(pending().is_null());
    }
}
