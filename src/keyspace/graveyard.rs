//! Large things that are no longer reachable, waiting for a worker to free them.

use super::value::{KeyEntry, Value};
use super::write::Free;
use crate::structures::cow_table::CowTable;
use crate::structures::entry::{Content, Detached, Nested};
use crate::structures::epoch::Grave;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// Freeing a string of at least this many bytes is worth the way to a worker.
const LARGE_BYTES: usize = 64 * 1024;
/// So is freeing a collection that takes this many steps.
const LARGE_EFFORT: usize = 64;
/// And so is a table with this many keys.
const LARGE_KEYS: usize = 64;

/// Entries that are looked at to tell what the entries of a table take.
const SAMPLES: usize = 64;

/// Something large; dropping it frees it, on whatever thread.
#[derive(Debug)]
pub struct Garbage {
    _held: Held,
    bytes: usize,
    /// Dropped after what is held.
    _token: Arc<()>,
}

impl Garbage {
    /// Bytes that dropping it frees, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
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
    bytes: usize,
    /// All garbage that may leave tables to limbo has it.
    token: Arc<()>,
    /// All other garbage has it.
    other: Arc<()>,
}

impl Graveyard {
    pub(super) fn take(&mut self) -> Vec<Garbage> {
        self.bytes = 0;
        mem::take(&mut self.garbage)
    }

    /// Bytes of what waits to be taken, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, held: Held, bytes: usize) {
        self.bytes += bytes;
        let token = if matches!(held, Held::Grave(_)) { &self.other } else { &self.token };
        self.garbage.push(Garbage { _held: held, bytes, _token: Arc::clone(token) });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.garbage.is_empty()
    }

    /// Whether something that may leave tables to limbo is still to be freed, here or elsewhere.
    pub(super) fn has_tables(&self) -> bool {
        let has_tables = Arc::strong_count(&self.token) > 1;
        // What was dropped on other threads has left its tables.
        fence(Ordering::Acquire);
        has_tables
    }

    /// Frees an entry, or keeps it for a worker.
    pub(super) fn bury_entry(&mut self, entry: Option<KeyEntry>, free: Free) {
        let Some(entry) = entry else { return };
        let is_large = match entry.view().content() {
            Content::Int(_) | Content::Inline(_) | Content::Packed(_) => false,
            Content::Blob(blob) => blob.capacity() >= LARGE_BYTES,
            Content::Nested(value) => value.free_effort() >= LARGE_EFFORT,
        };
        if is_large && free == Free::Later {
            let bytes = entry.view().memory_bytes();
            self.push(Held::Entry(entry), bytes);
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
            let bytes = match &value {
                Detached::Blob(blob) => blob.capacity(),
                Detached::Nested(value) => Nested::memory_bytes(&**value),
            };
            self.push(Held::Value(value), bytes);
        }
    }

    /// Frees a table, or keeps it for a worker.
    pub(super) fn bury_table(&mut self, table: CowTable<KeyEntry>, free: Free) {
        // One that snapshots read goes to limbo as a whole.
        if table.len() >= LARGE_KEYS && free == Free::Later && !table.is_watched() {
            let bytes = table.memory_bytes() + table.len() * mean_bytes(&table);
            self.push(Held::Table(table), bytes);
        }
    }

    /// Keeps what snapshots held back.
    pub(super) fn bury_grave(&mut self, grave: Grave) {
        let bytes = grave.bytes();
        self.push(Held::Grave(grave), bytes);
    }
}

/// What an entry of a table takes on the average of the first ones.
fn mean_bytes(table: &CowTable<KeyEntry>) -> usize {
    let (mut cursor, mut seen, mut bytes) = (0, 0, 0);
    while seen < SAMPLES {
        cursor = table.scan(cursor, &mut |entry| {
            seen += 1;
            bytes += entry.memory_bytes();
        });
        if cursor == 0 {
            break;
        }
    }
    bytes / seen.max(1)
}
