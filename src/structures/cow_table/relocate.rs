//! Moving entries and pages to better places in memory.
//!
//! Where many entries have gone, those that stay hold pages of the allocator that are mostly empty.
//! They are moved one table page at a time; whoever knows the allocator says which are worth it.

use super::edge::Edge;
use super::page;
use super::{CowTable, Thin};
use crate::structures::epoch::Epochs;
use crate::structures::relocation::{IsMisplaced, Relocated};

/// Moves what an entry refers to; whether something was moved.
pub type Renew<'a, T> = &'a mut dyn FnMut(&mut T, IsMisplaced<'_>) -> bool;

impl<T: Thin> CowTable<T> {
    /// Moves what `is_misplaced` says of the table's page at `cursor`: its entries, and itself.
    /// `renew` may then move what an entry refers to. Returns the next cursor; 0 is the end.
    ///
    /// Nothing is moved while a snapshot lives, which may be reading it. O(entries of a page).
    ///
    /// # Panics
    /// When the table belongs to other epochs.
    pub fn relocate(
        &mut self,
        epochs: &Epochs,
        cursor: u64,
        is_misplaced: IsMisplaced<'_>,
        renew: Renew<'_, T>,
        done: &mut Relocated,
    ) -> u64 {
        self.check(epochs);
        let edge = self.leaf(cursor);
        if edge.is_none() || epochs.newest_living() != 0 {
            return 0;
        }
        // SAFETY: the edge is this table's own and leads to a living page, and no snapshot lives,
        // so page and entries belong to the engine alone.
        unsafe {
            for index in 0..page::words(edge) {
                let word = page::word(edge, index);
                let Some(old) = (*word).entry() else { continue };
                let is_moved = is_misplaced(old.as_ptr().addr());
                let mut entry = if is_moved {
                    let copy = T::share(T::view(old));
                    T::from_raw(old).free_shell();
                    copy
                } else {
                    T::from_raw(old)
                };
                done.count(renew(&mut entry, is_misplaced) || is_moved);
                let new = entry.into_raw();
                if new != old {
                    let (is_own, written) = ((*word).is_own(), (*word).with_entry(new));
                    word.write(if is_own { written } else { written.disowned() });
                }
            }
            if is_misplaced(edge.at.addr()) {
                self.move_page(cursor, edge);
                done.count(true);
            }
        }
        page::floor(edge.meta, cursor, edge.meta.size())
    }

    /// Puts a copy of the page for `hash` in its place.
    ///
    /// # Safety
    /// - `page` is that page, and no snapshot lives.
    unsafe fn move_page(&mut self, hash: u64, page: Edge) {
        // SAFETY: the page is living and owned.
        unsafe {
            let moved = page::moved(page);
            self.replace_page(hash, moved);
        }
    }
}
