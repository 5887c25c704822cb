//! Edges of the directory: a pointer to a page or to a node of further edges, and what is known of it.
//!
//! ```text
//!   table.top -> page                           up to some 250 entries
//!   table.top -> node of 2..512 edges -> pages                    130 thousand
//!                                     -> nodes -> pages            65 million, and so on
//! ```
//!
//! A node of 2^k edges whose prefix is `d` hash bits chooses by bits `d..d+k`. A page whose depth
//! lies between is referred to by several neighbouring edges; only the first one's count is valid.
//! A node is referred to by one edge only, in a full node (k = 9).

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr;

use super::page;
use crate::structures::epoch::{Dead, Epochs};

/// Most edges of a node, as a power of two: 8 KiB to copy or to double at worst.
pub(super) const NODE_BITS: u32 = 9;

/// What an edge knows: `node:1 | depth:6 | lag:2 | size:6 | count:9 | birth:40`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta(u64);

const DEPTH_AT: u32 = 1;
const LAG_AT: u32 = 7;
const SIZE_AT: u32 = 9;
const COUNT_AT: u32 = 15;
const BIRTH_AT: u32 = 24;

impl Meta {
    pub(super) fn page(depth: u32, lag: u32, size: usize, count: usize, birth: u64) -> Self {
        debug_assert!(lag <= page::MAX_LAG && lag <= depth && depth <= page::MAX_DEPTH);
        debug_assert!(size < 64 && count < 512);
        Self(
            u64::from(depth) << DEPTH_AT
                | u64::from(lag) << LAG_AT
                | (size as u64) << SIZE_AT
                | (count as u64) << COUNT_AT
                | birth << BIRTH_AT,
        )
    }
    /// A node of `2^bits` edges below a prefix of `depth` hash bits.
    pub(super) fn node(depth: u32, bits: u32, birth: u64) -> Self {
        debug_assert!((1..=NODE_BITS).contains(&bits));
        Self(1 | u64::from(depth) << DEPTH_AT | u64::from(bits) << SIZE_AT | birth << BIRTH_AT)
    }
    pub(super) fn is_node(self) -> bool {
        self.0 & 1 != 0
    }
    /// Hash bits that all entries below have in common.
    pub(super) fn depth(self) -> u32 {
        (self.0 >> DEPTH_AT) as u32 & 63
    }
    /// How far the tags' window starts before the depth.
    pub(super) fn lag(self) -> u32 {
        (self.0 >> LAG_AT) as u32 & 3
    }
    /// First hash bit in the tags.
    pub(super) fn start(self) -> u32 {
        self.depth() - self.lag()
    }
    /// Buckets of a page, or [`page::PILE`].
    pub(super) fn size(self) -> usize {
        (self.0 >> SIZE_AT) as usize & 63
    }
    /// A node's number of edges, as a power of two.
    pub(super) fn bits(self) -> u32 {
        (self.0 >> SIZE_AT) as u32 & 63
    }
    /// Entries of a page that is no pile.
    pub(super) fn count(self) -> usize {
        (self.0 >> COUNT_AT) as usize & 511
    }
    pub(super) fn birth(self) -> u64 {
        self.0 >> BIRTH_AT
    }
    pub(super) fn is_pile(self) -> bool {
        self.size() == page::PILE
    }
    pub(super) fn add_count(&mut self, by: isize) {
        self.0 = self.0.wrapping_add_signed((by as i64) << COUNT_AT);
    }
    pub(super) fn with_birth(self, birth: u64) -> Self {
        Self(self.0 & ((1 << BIRTH_AT) - 1) | birth << BIRTH_AT)
    }
}

/// A pointer to a page or a node. Null is the empty table's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) at: *mut u8,
    pub(super) meta: Meta,
}

/// Head of a node's memory; the edges follow.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Head {
    /// Entries below.
    pub(super) count: usize,
    /// Edges that only this prefix uses: nodes, and pages as deep as the node allows.
    pub(super) deep: usize,
}

const HEAD: usize = size_of::<Head>();

impl Edge {
    pub(super) const NONE: Self = Self { at: ptr::null_mut(), meta: Meta(0) };

    pub(super) fn is_none(self) -> bool {
        self.at.is_null()
    }

    /// Bytes of the allocation.
    ///
    /// # Safety
    /// - The edge refers to a living page or node.
    pub(super) unsafe fn bytes(self) -> usize {
        if self.meta.is_node() {
            HEAD + (size_of::<Edge>() << self.meta.bits())
        } else {
            // SAFETY: it is a living page.
            unsafe { page::bytes(self) }
        }
    }

    /// Entries below this edge, which is the first of its aliases.
    ///
    /// # Safety
    /// - The edge refers to a living page or node.
    pub(super) unsafe fn count(self) -> usize {
        if self.meta.is_node() {
            // SAFETY: a living node begins with its head.
            unsafe { (*self.head()).count }
        } else {
            // SAFETY: it is a living page.
            unsafe { page::count(self) }
        }
    }

    /// The head of a node.
    pub(super) fn head(self) -> *mut Head {
        debug_assert!(self.meta.is_node());
        self.at.cast()
    }

    /// Edge number `index` of a node.
    ///
    /// # Safety
    /// - The edge refers to a living node that has more than `index` edges.
    pub(super) unsafe fn nth(self, index: usize) -> *mut Edge {
        debug_assert!(self.meta.is_node() && index < 1 << self.meta.bits());
        // SAFETY: head and 2^bits edges are one allocation.
        unsafe { self.at.add(HEAD).cast::<Edge>().add(index) }
    }

    /// Index of the edge of a node that leads to `hash`.
    pub(super) fn index(self, hash: u64) -> usize {
        ((hash << self.meta.depth()) >> (64 - self.meta.bits())) as usize
    }

    /// How many of a node's edges refer to `child`.
    pub(super) fn aliases(self, child: Meta) -> usize {
        if child.is_node() {
            1
        } else {
            1 << (self.meta.depth() + self.meta.bits() - child.depth())
        }
    }

    /// The first of a node's edges to what `hash` leads to.
    ///
    /// # Safety
    /// - The edge refers to a living node.
    pub(super) unsafe fn first(self, hash: u64) -> *mut Edge {
        let index = self.index(hash);
        // SAFETY: `index` has as many bits as the node.
        let child = unsafe { (*self.nth(index)).meta };
        // SAFETY: clearing bits makes it no larger.
        unsafe { self.nth(index & !(self.aliases(child) - 1)) }
    }

    /// A node of `2^bits` edges, uninitialised but for the head.
    pub(super) fn new_node(depth: u32, bits: u32, birth: u64, head: Head) -> Self {
        let meta = Meta::node(depth, bits, birth);
        let layout = node_layout(HEAD + (size_of::<Edge>() << bits));
        // SAFETY: the layout is not empty.
        let at = unsafe { alloc(layout) };
        if at.is_null() {
            handle_alloc_error(layout);
        }
        // SAFETY: a head lies at the beginning, and the alignment is its.
        unsafe { at.cast::<Head>().write(head) };
        Self { at, meta }
    }

    /// A copy of a node, born in `birth`.
    ///
    /// # Safety
    /// - The edge refers to a living node.
    pub(super) unsafe fn copy_node(self, birth: u64) -> Self {
        // SAFETY: a living node begins with its head.
        let head = unsafe { *self.head() };
        let copy = Self::new_node(self.meta.depth(), self.meta.bits(), birth, head);
        // SAFETY: both have 2^bits edges, in different allocations.
        unsafe { ptr::copy_nonoverlapping(self.nth(0), copy.nth(0), 1 << self.meta.bits()) };
        copy
    }

    /// Frees the memory of this page or node, and nothing below.
    ///
    /// # Safety
    /// - Nothing refers to it any more.
    pub(super) unsafe fn free(self) {
        // SAFETY: it is living, as the caller owns it.
        let bytes = unsafe { self.bytes() };
        // SAFETY: allocated with this very size by `new_node` or `page`.
        unsafe { (self.free_fn())(self.at, bytes) }
    }

    /// Leaves the memory of this page or node, and nothing below, to limbo.
    ///
    /// # Safety
    /// - Only snapshots refer to it.
    pub(super) unsafe fn retire(self, epochs: &mut Epochs) {
        // SAFETY: it is living, as snapshots refer to it.
        let bytes = unsafe { self.bytes() };
        // SAFETY: by the caller's word, and the function fits the allocation.
        unsafe { epochs.retire(Dead { raw: self.at, bytes, free: self.free_fn() }) }
    }

    fn free_fn(self) -> unsafe fn(*mut u8, usize) {
        if self.meta.is_node() { free_node } else { page::free }
    }
}

fn node_layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, align_of::<Head>()).expect("a node is a few KiB")
}

/// # Safety
/// - `at` is a node of this size that nothing refers to.
unsafe fn free_node(at: *mut u8, bytes: usize) {
    // SAFETY: allocated by `new_node` with this layout.
    unsafe { dealloc(at, node_layout(bytes)) }
}
