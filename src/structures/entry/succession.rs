//! What becomes of tables inside an entry that is replaced by its copy, or that goes.

use crate::structures::cow_table::{CowTable, Thin};

/// Proof that an entry is being replaced by a copy of itself: only `Entry` makes one, and sees to
/// it that the original is only read from then on, and freed as a shell. Or that an entry goes with
/// all that is younger than an epoch.
#[derive(Debug)]
pub struct Succession(pub(super) Option<u64>);

impl Succession {
    /// Hands the pages of a table on to the successor.
    pub fn table<T: Thin>(&self, table: &CowTable<T>) -> CowTable<T> {
        // SAFETY: the original is only read from now on; `free_shell` forgets it.
        unsafe { table.alias() }
    }

    /// Gives up the original of a table that was handed on, or a table that goes.
    pub fn forget<T: Thin>(&self, table: CowTable<T>) {
        match self.0 {
            None => table.disown(),
            // SAFETY: this was made by `demolish`, whose caller knows it.
            Some(kept) => unsafe { table.demolish(kept) },
        }
    }
}
