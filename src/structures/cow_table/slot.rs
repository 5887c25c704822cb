//! The place of one key, found once, to be read, filled, changed or vacated.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use super::edge::Edge;
use super::page::{self, Word};
use super::{CowTable, Thin, free_entry, free_shell};
use crate::structures::epoch::{Dead, Epochs};

/// Where a key is or would be.
#[derive(Debug)]
pub enum Slot<'t, T: Thin> {
    /// The key is there.
    Occupied(Occupied<'t, T>),
    /// It is not.
    Vacant(Vacant<'t, T>),
}

/// The place of an entry.
#[derive(Debug)]
pub struct Occupied<'t, T: Thin> {
    table: &'t mut CowTable<T>,
    epochs: &'t mut Epochs,
    hash: u64,
    /// An edge to the page for `hash`.
    page: Edge,
    /// Number of the word in the page.
    index: usize,
}

/// The place where an entry may come.
#[derive(Debug)]
pub struct Vacant<'t, T: Thin> {
    table: &'t mut CowTable<T>,
    epochs: &'t mut Epochs,
    hash: u64,
}

/// Writes an entry back to its word when an edit ends, be it by a panic.
struct Edited<T: Thin> {
    word: *mut Word,
    entry: ManuallyDrop<T>,
}

impl<T: Thin> Drop for Edited<T> {
    fn drop(&mut self) {
        // SAFETY: the entry is taken once, here; the word is that of an owned page which `edit`
        // keeps borrowed.
        unsafe {
            let raw = ManuallyDrop::take(&mut self.entry).into_raw();
            let word = *self.word;
            if word.entry() == Some(raw) {
                // Changed in place: the bucket's line stays clean.
                return;
            }
            self.word.write(if word.is_own() {
                word.with_entry(raw)
            } else {
                word.with_entry(raw).disowned()
            });
        }
    }
}

impl<'t, T: Thin> Occupied<'t, T> {
    pub(super) fn new(
        table: &'t mut CowTable<T>,
        epochs: &'t mut Epochs,
        hash: u64,
        page: Edge,
        index: usize,
    ) -> Self {
        Self { table, epochs, hash, page, index }
    }

    /// Makes the page the engine's own.
    fn own(&mut self) {
        if !self.epochs.owns(self.page.meta.birth()) {
            self.table.own(self.epochs, self.hash);
            self.page = self.table.leaf(self.hash);
        }
    }

    fn word(&self) -> *mut Word {
        // SAFETY: the index was found in this page, and stays the same in a copy of it.
        unsafe { page::word(self.page, self.index) }
    }

    fn raw(&self) -> NonNull<u8> {
        // SAFETY: the word is in a living page.
        unsafe { *self.word() }.entry().expect("an occupied slot has an entry")
    }

    /// The entry.
    pub fn get(&self) -> T::View<'_> {
        // SAFETY: the entry is living, and not changed while `self` is borrowed.
        unsafe { T::view(self.raw()) }
    }

    /// The entry, for as long as the table stays borrowed.
    pub fn into_view(self) -> T::View<'t> {
        // SAFETY: the entry is living, and the table stays borrowed.
        unsafe { T::view(self.raw()) }
    }

    /// Whether [`Occupied::edit`] will change the entry in place, because no snapshot reads it.
    pub fn is_exclusive(&self) -> bool {
        // SAFETY: the word is in a living page.
        let is_own = unsafe { (*self.word()).is_own() };
        self.epochs.newest_living() == 0 || is_own && self.epochs.owns(self.page.meta.birth())
    }

    /// Changes the entry; a copy of it, if a snapshot reads it. The closure may reallocate the
    /// entry, even replace it by one of the same key; it gets the epochs for tables inside.
    pub fn edit<R>(&mut self, change: impl FnOnce(&mut T, &mut Epochs) -> R) -> R {
        let is_exclusive = self.is_exclusive();
        self.own();
        let word = self.word();
        if !is_exclusive {
            let old = self.raw();
            // SAFETY: the page is owned. The original goes to limbo as a shell, so only its copy
            // will free what is inside.
            unsafe {
                let copy = T::share(T::view(old)).into_raw();
                word.write((*word).with_entry(copy));
                let bytes = T::bytes(T::view(old));
                let free = free_shell::<T>;
                self.epochs.retire(Dead { raw: old.as_ptr(), bytes, free });
            }
        }
        // SAFETY: the entry is exclusive, and its word is rewritten when `edited` goes.
        let entry = ManuallyDrop::new(unsafe { T::from_raw(self.raw()) });
        let mut edited = Edited { word, entry };
        change(&mut edited.entry, self.epochs)
    }

    /// Puts another entry of the same key in place; gives the old one back, unless a snapshot
    /// still reads it: then it goes to limbo.
    pub fn replace(&mut self, entry: T) -> Option<T> {
        let is_exclusive = self.is_exclusive();
        self.own();
        let (word, old) = (self.word(), self.raw());
        // SAFETY: the page is owned.
        unsafe {
            word.write((*word).with_entry(entry.into_raw()));
            self.bury(old, is_exclusive)
        }
    }

    /// Removes the entry; gives it back, unless a snapshot still reads it: then it goes to limbo.
    pub fn remove(mut self) -> Option<T> {
        let is_exclusive = self.is_exclusive();
        let old = self.table.detach(self.epochs, self.hash, self.index);
        // SAFETY: the entry is out of the table.
        unsafe { self.bury(old, is_exclusive) }
    }

    /// Removes the entry and gives it back, a copy of it if a snapshot still reads it. For what
    /// moves to another key or another table.
    pub fn take(self) -> T {
        let is_exclusive = self.is_exclusive();
        let old = self.table.detach(self.epochs, self.hash, self.index);
        // SAFETY: the entry is out of the table; if snapshots read it, it goes to limbo as a shell.
        unsafe {
            if is_exclusive {
                return T::from_raw(old);
            }
            let copy = T::share(T::view(old));
            let bytes = T::bytes(T::view(old));
            self.epochs.retire(Dead { raw: old.as_ptr(), bytes, free: free_shell::<T> });
            copy
        }
    }

    /// # Safety
    /// - The entry is out of the table; if it is not exclusive, only snapshots read it.
    unsafe fn bury(&mut self, old: NonNull<u8>, is_exclusive: bool) -> Option<T> {
        // SAFETY: exclusive entries belong to the caller now, the others to limbo.
        unsafe {
            if is_exclusive {
                return Some(T::from_raw(old));
            }
            let bytes = T::bytes(T::view(old));
            self.epochs.retire(Dead { raw: old.as_ptr(), bytes, free: free_entry::<T> });
            None
        }
    }
}

impl<'t, T: Thin> Vacant<'t, T> {
    pub(super) fn new(table: &'t mut CowTable<T>, epochs: &'t mut Epochs, hash: u64) -> Self {
        Self { table, epochs, hash }
    }

    /// The epochs, for tables inside the entry to come.
    pub fn epochs(&mut self) -> &mut Epochs {
        self.epochs
    }

    /// Inserts an entry, whose key has the slot's hash.
    pub fn insert(self, entry: T) -> Occupied<'t, T> {
        let Self { table, epochs, hash } = self;
        let index = table.attach(epochs, hash, Word::new(entry.into_raw()));
        let page = table.leaf(hash);
        Occupied { table, epochs, hash, page, index }
    }
}
