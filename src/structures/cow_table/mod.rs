//! The copy-on-write hash table: keys of a database, members of large sets, fields of large hashes.
//!
//! A directory in hash order (`edge`) leads to pages of cache-line buckets (`page`), whose words
//! point to entries, one allocation each, of whatever type implements [`Thin`]. Pages and directory
//! nodes carry the epoch of their birth (see [`super::epoch`]): a change first copies what a living
//! snapshot may be reading, at most one page, its few directory nodes and one entry, and leaves the
//! original to limbo. Reading never writes, so snapshots are read by other threads without locks.
//!
//! - A lookup touches the directory (hot), one bucket, one entry; a miss touches no entry, but for
//!   one in some thousand.
//! - Pages grow in small steps, split one by one and merge when sparse: no operation moves more than
//!   one page's entries, one directory node (8 KiB) at most, and memory follows the number of keys.
//!   Overhead is about 9.5 bytes per entry at any size; an empty table owns no memory.
//! - Keys are ordered by hash: a scan's cursor is a point in hash space, undisturbed by growth.
//! - All hashes equal still works, slowly.

#![allow(unsafe_code, reason = "the copy-on-write core; the interface is safe")]
#![allow(clippy::cast_ptr_alignment, reason = "pages and nodes are allocated with their alignment")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "bit fields of 64-bit words, whose widths are asserted"
)]

mod changed;
mod duplicate;
mod edge;
mod grow;
mod page;
mod relocate;
mod scan;
mod slot;
mod snapshot;
#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr::NonNull;
use std::sync::Arc;

use super::epoch::{Dead, Epochs, Husk, Shared};
use super::prefetch::prefetch;
pub use changed::Differences;
use edge::Edge;
pub use relocate::Renew;
pub use scan::Iter;
pub use slot::{Occupied, Slot, Vacant};
pub use snapshot::TableSnapshot;

/// Of an entry, the lines with its first byte and with this one are loaded ahead: a small entry
/// has both in it, and lies across two lines as often as not.
const ENTRY_AHEAD: usize = 40;

/// How many buckets are loaded at the same time: about as many misses as a core keeps open.
const PREFETCHED_TOGETHER: usize = 16;

/// An owned pointer to one heap allocation: an entry of a [`CowTable`].
///
/// An entry may own further copy-on-write structures, such as a `CowTable` of its own. Dropping such
/// an entry is always sound, whatever snapshots live: the structure inside looks after itself.
///
/// # Safety
/// - `into_raw` gives an address that is a multiple of 8 and below 2^48, with provenance over the
///   whole allocation, and `from_raw` is its inverse.
/// - A `View` reads only, and other threads may read through views of the same entry at the same
///   time: what changes behind a view (access clocks) is atomic. Views may be sent between threads
///   as far as their lifetime goes.
/// - Entries may be dropped, and shells freed, on any thread.
/// - `share` leaves the original as it was.
pub unsafe trait Thin: Send + Sized + 'static {
    /// What a reader gets: a reference, or better a small struct around the raw pointer, so that it
    /// may read the bytes that follow a header.
    type View<'a>: Copy;

    /// Gives up ownership.
    fn into_raw(self) -> NonNull<u8>;

    /// Takes ownership back.
    ///
    /// # Safety
    /// - `raw` came from `into_raw`, and is taken back once.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;

    /// Reads an entry.
    ///
    /// # Safety
    /// - `raw` came from `into_raw`; for `'a` the entry is neither changed nor freed.
    unsafe fn view<'a>(raw: NonNull<u8>) -> Self::View<'a>;

    /// The hash under which the entry was inserted in a table of this seed. Asked for rarely, when
    /// a page's tags run out of bits.
    fn hash(view: Self::View<'_>, seed: u64) -> u64;

    /// A copy to be changed while snapshots go on reading the original. Plain data are copied; a
    /// nested table moves to the copy by [`CowTable::alias`] and so keeps sharing its pages.
    ///
    /// # Safety
    /// - The original is from now on only read, and then freed by `free_shell`.
    unsafe fn share(view: Self::View<'_>) -> Self;

    /// Frees this allocation and its plain data, but no nested table: that belongs to the copy.
    ///
    /// # Safety
    /// - The entry was the original of a `share`.
    unsafe fn free_shell(self);

    /// Frees the entry, and of nested tables what was born after the epoch `kept`.
    ///
    /// # Safety
    /// - Nothing else refers to the entry, nor to what was born later and is inside.
    unsafe fn demolish(self, kept: u64) {
        // What has no table inside is nobody else's.
        let _ = kept;
        drop(self);
    }

    /// Bytes of the entry and what it owns; may be an estimate. Counts what snapshots hold back.
    fn bytes(view: Self::View<'_>) -> usize;
}

/// A hash table of entries `T` whose snapshots cost nothing to take. The caller supplies the 64-bit
/// hash of each key, which must be seeded and of good quality in its high bits.
///
/// Dropping it frees everything, or leaves it to limbo while snapshots live. Any thread may do so;
/// freeing takes time in proportion to the entries, so leave large tables to a worker.
pub struct CowTable<T: Thin> {
    /// The only page, the root node, or nothing.
    top: Edge,
    len: usize,
    seed: u64,
    /// Bytes of pages and nodes.
    bytes: usize,
    /// State of the engine whose epochs the pages carry; known from the first insertion on.
    shared: Option<Arc<Shared>>,
    marker: PhantomData<T>,
}

// SAFETY: pages are owned or frozen, and `Thin` demands that entries may be freed anywhere.
unsafe impl<T: Thin> Send for CowTable<T> {}
// SAFETY: `&CowTable` only reads, and `Thin` demands that views may be used on several threads.
unsafe impl<T: Thin> Sync for CowTable<T> {}

impl<T: Thin> fmt::Debug for CowTable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CowTable").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T: Thin> CowTable<T> {
    /// An empty table, which owns no memory. `seed` is what [`Thin::hash`] is given.
    pub const fn new(seed: u64) -> Self {
        Self { top: Edge::NONE, len: 0, seed, bytes: 0, shared: None, marker: PhantomData }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The seed given to [`CowTable::new`].
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Bytes of pages and directory, without entries.
    pub fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// Starts loading the bucket for `hash`.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        prefetch(page::line(self.leaf(hash), hash));
    }

    /// Starts loading what lookups of these hashes will read: all buckets at the same time, then
    /// the entries that the tags suggest. O(hashes).
    pub fn prefetch(&self, hashes: &[u64]) {
        let mut edges = [Edge::NONE; PREFETCHED_TOGETHER];
        for hashes in hashes.chunks(PREFETCHED_TOGETHER) {
            for (edge, hash) in edges.iter_mut().zip(hashes) {
                *edge = self.leaf(*hash);
                prefetch(page::line(*edge, *hash));
            }
            for (edge, hash) in edges.iter().zip(hashes).filter(|(edge, _)| !edge.is_none()) {
                let first = |entry: NonNull<u8>| {
                    prefetch(entry.as_ptr());
                    prefetch(entry.as_ptr().wrapping_add(ENTRY_AHEAD));
                    true
                };
                // SAFETY: an edge of this table, on the way to `hash`, refers to a living page.
                unsafe { page::find(*edge, *hash, first) };
            }
        }
    }

    /// The entry with this hash that satisfies `is`.
    #[inline]
    pub fn find<'t>(&'t self, hash: u64, is: impl Fn(T::View<'t>) -> bool) -> Option<T::View<'t>> {
        let edge = self.leaf(hash);
        if edge.is_none() {
            return None;
        }
        // SAFETY: an edge of this table, on the way to `hash`, refers to a living page; its entries
        // are neither changed nor freed while the table is borrowed.
        unsafe {
            let index = page::find(edge, hash, |entry| is(T::view(entry)))?;
            (*page::word(edge, index)).entry().map(|entry| T::view(entry))
        }
    }

    /// Looks up `hash` for a change: one lookup serves reading, inserting, changing and removing.
    /// Nothing is copied until something is changed.
    ///
    /// # Panics
    /// When the table belongs to other epochs.
    pub fn slot<'t>(
        &'t mut self,
        epochs: &'t mut Epochs,
        hash: u64,
        is: impl Fn(T::View<'_>) -> bool,
    ) -> Slot<'t, T> {
        self.check(epochs);
        let edge = self.leaf(hash);
        // SAFETY: an edge of this table, on the way to `hash`, refers to a living page; its entries
        // are neither changed nor freed meanwhile.
        let found = (!edge.is_none())
            .then(|| unsafe { page::find(edge, hash, |entry| is(T::view(entry))) })
            .flatten();
        match found {
            Some(index) => Slot::Occupied(Occupied::new(self, epochs, hash, edge, index)),
            None => Slot::Vacant(Vacant::new(self, epochs, hash)),
        }
    }

    /// Detaches everything, in O(1). Dropping the result frees it: leave that to a worker.
    #[must_use = "dropping a large table takes long"]
    pub fn take(&mut self) -> Self {
        mem::replace(self, Self::new(self.seed))
    }

    /// A second handle to the same pages, for [`Thin::share`].
    ///
    /// # Safety
    /// - From now on this handle is only read, and never dropped ([`CowTable::disown`] forgets it).
    #[must_use]
    pub unsafe fn alias(&self) -> Self {
        let Self { top, len, seed, bytes, ref shared, marker } = *self;
        Self { top, len, seed, bytes, shared: shared.clone(), marker }
    }

    /// Forgets a handle whose pages are another one's by now.
    pub fn disown(mut self) {
        self.top = Edge::NONE;
    }

    /// Frees what was born after the epoch `kept`.
    ///
    /// # Safety
    /// - Nothing else refers to that.
    pub unsafe fn demolish(mut self, kept: u64) {
        let top = mem::replace(&mut self.top, Edge::NONE);
        if !top.is_none() {
            // SAFETY: by the caller's word.
            unsafe { free_tree::<T>(top, kept) }
        }
    }

    /// Whether snapshots live that may read it, so that dropping it leaves it to limbo at once.
    pub fn is_watched(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| !shared.is_unwatched())
    }

    /// Makes a table from a nursery one of this engine's. O(1).
    ///
    /// All of it was born in the first epoch, and no snapshot has ever read it. So it counts as
    /// read by every snapshot of an epoch from the first on, those included that it isn't in: at
    /// worst a page is copied that needn't be.
    ///
    /// # Panics
    /// When it belongs to another engine.
    pub fn adopt(&mut self, epochs: &Epochs) {
        match &mut self.shared {
            Some(shared) if shared.is_nursery() => {
                *shared = Arc::clone(epochs.shared());
                epochs.shared().note_ageless();
            }
            _ => self.check(epochs),
        }
    }

    fn check(&self, epochs: &Epochs) {
        if let Some(shared) = &self.shared {
            assert!(Arc::ptr_eq(shared, epochs.shared()), "the table belongs to another engine");
        }
    }

    /// The edge to the page for `hash`; none if the table is empty.
    #[inline]
    fn leaf(&self, hash: u64) -> Edge {
        let mut edge = self.top;
        while edge.meta.is_node() {
            // SAFETY: a node of this table is living, and `index` has as many bits as it.
            edge = unsafe { *edge.nth(edge.index(hash)) };
        }
        edge
    }
}

impl<T: Thin> Drop for CowTable<T> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else { return };
        let top = mem::replace(&mut self.top, Edge::NONE);
        if top.is_none() {
            return;
        }
        if shared.is_unwatched() {
            // SAFETY: no snapshot lives, and the table is gone.
            unsafe { free_tree::<T>(top, 0) };
        } else {
            // SAFETY: entries of a living page.
            let bytes = self.bytes + self.len * unsafe { entry_bytes::<T>(top) };
            shared.bequeath(husk::<T>(top, 0, bytes));
        }
    }
}

/// What is left of a table.
#[repr(C)]
struct TableHusk {
    head: Husk,
    top: Edge,
}

/// What is left of a table of which the pages born after `kept`, so many bytes, are to be freed.
fn husk<T: Thin>(top: Edge, kept: u64, bytes: usize) -> Dead {
    let husk = TableHusk { head: Husk { kept }, top };
    Dead { raw: Box::into_raw(Box::new(husk)).cast(), bytes, free: free_husk::<T> }
}

/// Average bytes of some entries.
///
/// # Safety
/// - `edge` refers to a living page or node.
unsafe fn entry_bytes<T: Thin>(mut edge: Edge) -> usize {
    // SAFETY: whatever a living node or page refers to is living.
    unsafe {
        while edge.meta.is_node() {
            edge = *edge.nth(0);
        }
        let entries = (0..page::words(edge)).filter_map(|i| (*page::word(edge, i)).entry());
        let (mut sum, mut count) = (0, 0);
        for entry in entries.take(16) {
            sum += T::bytes(T::view(entry));
            count += 1;
        }
        sum.checked_div(count).unwrap_or(0)
    }
}

/// Frees what a dropped table left to limbo.
///
/// # Safety
/// - `raw` was made by `husk`, and nothing refers to what was born after the epoch it says.
unsafe fn free_husk<T: Thin>(raw: *mut u8, _bytes: usize) {
    // SAFETY: by the caller's word.
    unsafe {
        let TableHusk { head, top } = *Box::from_raw(raw.cast::<TableHusk>());
        free_tree::<T>(top, head.kept);
    }
}

/// Frees a page or node with all below it, entries included, save what was born in the epoch `kept`
/// or before.
///
/// # Safety
/// - Nothing refers to what was born later; if `kept` is not 0, no other epoch than the one behind
///   it has seen that.
unsafe fn free_tree<T: Thin>(edge: Edge, kept: u64) {
    if edge.meta.birth() <= kept {
        return;
    }
    // SAFETY: everything below is living and belongs to the caller, or else is older; each page is
    // visited by its first alias only. An entry is as old as its page unless it is marked.
    unsafe {
        if edge.meta.is_node() {
            let mut index = 0;
            while index < 1 << edge.meta.bits() {
                let child = *edge.nth(index);
                index += edge.aliases(child.meta);
                free_tree::<T>(child, kept);
            }
        } else {
            for index in 0..page::words(edge) {
                let word = *page::word(edge, index);
                let entry = word.entry().filter(|_| kept == 0 || word.is_own());
                if let Some(entry) = entry {
                    T::from_raw(entry).demolish(kept);
                }
            }
        }
        edge.free();
    }
}

/// Frees an entry that died whole.
///
/// # Safety
/// - `raw` is an entry that nothing refers to.
unsafe fn free_entry<T: Thin>(raw: *mut u8, _bytes: usize) {
    if let Some(raw) = NonNull::new(raw) {
        // SAFETY: by the caller's word; what is inside died with it.
        unsafe { T::from_raw(raw).demolish(0) }
    }
}

/// Frees an entry whose copy lives on.
///
/// # Safety
/// - `raw` is the original of a `share` that nothing refers to.
unsafe fn free_shell<T: Thin>(raw: *mut u8, _bytes: usize) {
    if let Some(raw) = NonNull::new(raw) {
        // SAFETY: by the caller's word.
        unsafe { T::from_raw(raw).free_shell() }
    }
}
