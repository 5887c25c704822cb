//! Large things that are no longer reachable, waiting for a worker to free them.

use super::value::{KeyEntry, Value};
use super::write::Free;
use crate::structures::cow_table::CowTable;
use crate::structures::entry::{Content, Detached};
use crate::structures::epoch::Grave;
use std::mem;

/// Freeing a string of at least this many bytes is worth the way to a worker.
const LARGE_BYTES: usize = 64 * 1024;
/// So is freeing a collection that takes this many steps.
const LARGE_EFFORT: usize = 64;
/// And so is a table with this many keys.
const LARGE_KEYS: usize = 64;

/// Something large; dropping it frees it, on whatever thread.
#[derive(Debug)]
pub struct Garbage {
    _held: Held,
}

#[derive(Debug)]
#[allow(dead_code, reason = "held only to be dropped")]
enum Held {
    Entry(KeyEntry),
    Value(Detached<Value>),
    Table(CowTable<KeyEntry>),
    Grave(Grave),
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Garbage>();
};

/// Collects garbage until it is taken.
#[derive(Debug, Default)]
pub(super) struct Graveyard {
    garbage: Vec<Garbage>,
}

impl Graveyard {
    pub(super) fn take(&mut self) -> Vec<Garbage> {
        mem::take(&mut self.garbage)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.garbage.is_empty()
    }

    /// Frees an entry, or keeps it for a worker.
    pub(super) fn bury_entry(&mut self, entry: Option<KeyEntry>, free: Free) {
        let Some(entry) = entry else { return };
        let is_large = match entry.view().content() {
            Content::Int(_) | Content::Inline(_) => false,
            Content::Blob(blob) => blob.capacity() >= LARGE_BYTES,
            Content::Nested(value) => value.free_effort() >= LARGE_EFFORT,
        };
        if is_large && free == Free::Later {
            self.garbage.push(Garbage { _held: Held::Entry(entry) });
        }
    }

    /// Frees a value, or keeps it for a worker.
    pub(super) fn bury_value(&mut self, value: Option<Detached<Value>>) {
        let Some(value) = value else { return };
        let is_large = match &value {
            Detached::Blob(blob) => blob.capacity() >= LARGE_BYTES,
            Detached::Nested(value) => value.free_effort() >= LARGE_EFFORT,
        };
        if is_large {
            self.garbage.push(Garbage { _held: Held::Value(value) });
        }
    }

    /// Frees a table, or keeps it for a worker.
    pub(super) fn bury_table(&mut self, table: CowTable<KeyEntry>, free: Free) {
        if table.len() >= LARGE_KEYS && free == Free::Later {
            self.garbage.push(Garbage { _held: Held::Table(table) });
        }
    }

    /// Keeps what snapshots held back.
    pub(super) fn bury_grave(&mut self, grave: Grave) {
        self.garbage.push(Garbage { _held: Held::Grave(grave) });
    }
}
