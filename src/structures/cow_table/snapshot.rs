//! A table as it was: read by any thread while the engine goes on changing its own.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;

use super::edge::Edge;
use super::{CowTable, Thin, husk};
use crate::structures::epoch::{Pin, Revival};
use std::mem;

/// The state of a [`CowTable`] at the time of [`CowTable::snapshot`]: derefs to a table that is
/// never changed. As long as it lives, what it shows is held in memory.
pub struct TableSnapshot<T: Thin> {
    table: ManuallyDrop<CowTable<T>>,
    pin: Pin,
}

impl<T: Thin> CowTable<T> {
    /// Shows the table as of now to whoever wants to read it, in O(1).
    ///
    /// # Panics
    /// When the table was changed after `pin` was taken, or belongs to another engine.
    pub fn snapshot(&mut self, pin: &Pin) -> TableSnapshot<T> {
        if let Some(shared) = &self.shared {
            assert!(pin.is_of(shared), "the table belongs to another engine");
        }
        // What is reachable from a frozen page is frozen, so looking at the first one is enough.
        assert!(
            self.top.meta.birth() <= pin.epoch(),
            "the table was changed after the pin was taken"
        );
        // SAFETY: the second handle is only read, and never dropped. The pin keeps all it leads to:
        // it was born in the pin's epoch or before, and has not died yet.
        let table = ManuallyDrop::new(unsafe { self.alias() });
        TableSnapshot { table, pin: pin.clone() }
    }

    /// Becomes what the snapshot shows, or empty, on the way back that
    /// [`Epochs::revive`](crate::structures::epoch::Epochs::revive) has begun; all other tables have
    /// to go as well. O(1).
    ///
    /// # Panics
    /// When the snapshot is not the one that was begun with.
    pub fn go_back(&mut self, snapshot: Option<&TableSnapshot<T>>, revival: &mut Revival) {
        let kept = revival.epoch();
        let new = snapshot.map_or_else(
            || Self::new(self.seed),
            |snapshot| {
                assert_eq!(snapshot.pin.epoch(), kept, "a snapshot of another moment");
                // SAFETY: what the snapshot reads is living again, and it is older than all that
                // may be changed in place; the handle of the snapshot is only read.
                unsafe { snapshot.table.alias() }
            },
        );
        let mut old = mem::replace(self, new);
        let top = mem::replace(&mut old.top, Edge::NONE);
        if top.meta.birth() > kept {
            // What is younger than the snapshot is the engine's own, and out of its reach now. How
            // much that is, nobody has counted.
            revival.leave(husk::<T>(top, kept, 0));
        }
    }
}

impl<T: Thin> Drop for TableSnapshot<T> {
    fn drop(&mut self) {
        // SAFETY: it is taken once, here.
        unsafe { ManuallyDrop::take(&mut self.table) }.disown();
    }
}

impl<T: Thin> TableSnapshot<T> {
    /// What keeps it alive.
    pub fn pin(&self) -> &Pin {
        &self.pin
    }
}

impl<T: Thin> Deref for TableSnapshot<T> {
    type Target = CowTable<T>;

    fn deref(&self) -> &CowTable<T> {
        &self.table
    }
}

impl<T: Thin> fmt::Debug for TableSnapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableSnapshot")
            .field("len", &self.len())
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}
