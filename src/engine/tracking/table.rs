//! Which clients may hold which keys in a cache of their own.
//!
//! Two ways, as in Redis. By default a key that a client reads is remembered with the client until
//! it changes; then the client hears of it and both are forgotten. Who broadcasts instead is told
//! of every change of a key that begins with one of its prefixes, read or not.
//!
//! 1. `places` and `keys` hold the same names: a place is an index into `keys`.
//! 2. A key is remembered without its database, for at least one client.
//! 3. Clients that have left stay among a key's until it changes: their ids are never used again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::base::hash::KeyHasher;
use crate::engine::client::{Client, ClientKey};
use crate::structures::size_class::{hash_map_bytes, size_class};

/// A client that may have left: by its id one can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) struct Who {
    /// Never used twice.
    pub id: u64,
    /// Where it stands, if it is still there.
    pub key: ClientKey,
}

/// How a client wants its cache to be kept right.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Tracking {
    /// What CLIENT TRACKING asked for.
    pub wish: Wish,
    /// Whom to tell instead of the client.
    pub redirect: Option<Who>,
    /// What it broadcasts by.
    pub prefixes: BTreeSet<Box<[u8]>>,
}

/// Options of CLIENT TRACKING that are just said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a word of its own")]
pub(in crate::engine) struct Wish {
    /// BCAST.
    pub broadcasts: bool,
    /// OPTIN.
    pub opts_in: bool,
    /// OPTOUT.
    pub opts_out: bool,
    /// NOLOOP.
    pub spares_itself: bool,
}

impl Tracking {
    /// Bytes of memory taken.
    pub(in crate::engine) fn memory_bytes(&self) -> usize {
        let prefixes = self.prefixes.iter().map(|prefix| size_of::<Box<[u8]>>() + prefix.len());
        size_of::<Self>() + prefixes.sum::<usize>()
    }
}

impl Client {
    /// Whether it is the one that was meant.
    pub(super) fn is(&self, who: Who) -> bool {
        self.id == who.id
    }
}

/// Readers of a key for which there is room from the first one on.
const READERS_MIN: usize = 4;

/// A key and who read it, by id.
#[derive(Debug)]
struct Remembered {
    key: Arc<[u8]>,
    readers: Vec<Who>,
}

/// What is broadcast of one prefix.
#[derive(Debug, Default)]
pub(super) struct Broadcast {
    /// To whom.
    pub clients: BTreeSet<ClientKey>,
    /// Keys that have changed since the last time, each with the client that was the first to
    /// change it, if it was one.
    pub changed: BTreeMap<Box<[u8]>, Option<ClientKey>>,
}

/// Everything remembered.
#[derive(Debug)]
pub(in crate::engine) struct TrackingTable {
    places: HashMap<Arc<[u8]>, usize, KeyHasher>,
    keys: Vec<Remembered>,
    items: usize,
    /// Of all keys.
    key_bytes: usize,
    pub(super) prefixes: BTreeMap<Box<[u8]>, Broadcast>,
    /// Some prefix has something to broadcast.
    pub(super) has_news: bool,
    /// A database was emptied or exchanged: all caches are void.
    pub(super) is_void: bool,
    /// More keys are remembered than may be.
    pub(in crate::engine) has_excess: bool,
    /// Clients that are tracking.
    pub(super) clients: usize,
}

impl TrackingTable {
    /// Nobody tracks; `seed` keys the hash.
    pub(in crate::engine) fn new(seed: u64) -> Self {
        Self {
            places: HashMap::with_hasher(KeyHasher::new(seed)),
            keys: Vec::new(),
            items: 0,
            key_bytes: 0,
            prefixes: BTreeMap::new(),
            has_news: false,
            is_void: false,
            has_excess: false,
            clients: 0,
        }
    }

    /// How many clients track.
    pub(in crate::engine) fn client_count(&self) -> usize {
        self.clients
    }

    /// How many keys are remembered.
    pub(in crate::engine) fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// How many pairs of a key and a client are remembered.
    pub(in crate::engine) fn item_count(&self) -> usize {
        self.items
    }

    /// Bytes of memory taken, about. O(1).
    pub(in crate::engine) fn memory_bytes(&self) -> usize {
        let readers = self.items.max(READERS_MIN * self.keys.len()) * size_of::<Who>();
        hash_map_bytes(self.places.capacity(), size_of::<(Arc<[u8]>, usize)>())
            + size_class(self.keys.capacity() * size_of::<Remembered>())
            + self.key_bytes
            + readers
    }

    /// How many prefixes are broadcast.
    pub(in crate::engine) fn prefix_count(&self) -> usize {
        self.prefixes.len()
    }

    /// `who` has read `key`. O(log readers), a new one O(readers).
    pub(super) fn remember(&mut self, key: &[u8], who: Who) {
        let place = if let Some(place) = self.places.get(key) {
            *place
        } else {
            let name: Arc<[u8]> = key.into();
            self.key_bytes += bytes_of(&name);
            self.places.insert(Arc::clone(&name), self.keys.len());
            self.keys.push(Remembered { key: name, readers: Vec::new() });
            self.keys.len() - 1
        };
        let readers = &mut self.keys[place].readers;
        if let Err(at) = readers.binary_search(&who) {
            readers.insert(at, who);
            self.items += 1;
        }
    }

    /// Forgets a key; who has read it.
    pub(super) fn forget(&mut self, key: &[u8]) -> Vec<Who> {
        self.places.remove(key).map_or_else(Vec::new, |place| self.take(place).readers)
    }

    /// Forgets the key that stands at `draw`, taken round; the key and who has read it.
    pub(super) fn forget_any(&mut self, draw: usize) -> Option<(Arc<[u8]>, Vec<Who>)> {
        let place = draw.checked_rem(self.keys.len())?;
        let Remembered { key, readers } = self.take(place);
        self.places.remove(&*key);
        Some((key, readers))
    }

    fn take(&mut self, place: usize) -> Remembered {
        let taken = self.keys.swap_remove(place);
        self.items -= taken.readers.len();
        self.key_bytes -= bytes_of(&taken.key);
        if let Some(moved) = self.keys.get(place)
            && let Some(known) = self.places.get_mut(&*moved.key)
        {
            *known = place;
        }
        taken
    }

    /// Forgets all keys.
    pub(super) fn forget_all(&mut self) {
        self.places.clear();
        self.places.shrink_to_fit();
        self.keys = Vec::new();
        (self.items, self.key_bytes) = (0, 0);
    }

    /// Notes for those who broadcast that `key` has changed. O(prefixes).
    pub(super) fn note_change(&mut self, key: &[u8], origin: Option<ClientKey>) {
        for (prefix, broadcast) in &mut self.prefixes {
            if key.starts_with(prefix) && !broadcast.changed.contains_key(key) {
                broadcast.changed.insert(key.into(), origin);
                self.has_news = true;
            }
        }
    }
}

/// Bytes allocated for a key.
fn bytes_of(key: &Arc<[u8]>) -> usize {
    size_class(key.len() + 2 * size_of::<usize>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_map_of_sets(
            ops in prop::collection::vec((0..4_u8, 0..6_u8, 0..5_u32), 0..120),
        ) {
            let mut table = TrackingTable::new(1);
            let mut model: BTreeMap<u8, BTreeSet<u64>> = BTreeMap::new();
            for (op, key, client) in ops {
                let who = Who { id: u64::from(client), key: ClientKey(client) };
                match op {
                    0 => {
                        let ids: BTreeSet<u64> =
                            table.forget(&[key]).iter().map(|who| who.id).collect();
                        prop_assert_eq!(ids, model.remove(&key).unwrap_or_default());
                    }
                    1 if key == 0 => {
                        let taken = table.forget_any(client as usize);
                        prop_assert_eq!(taken.is_none(), model.is_empty());
                        if let Some((name, readers)) = taken {
                            let ids: BTreeSet<u64> = readers.iter().map(|who| who.id).collect();
                            prop_assert_eq!(Some(ids), model.remove(&name[0]));
                        }
                    }
                    _ => {
                        table.remember(&[key], who);
                        model.entry(key).or_default().insert(who.id);
                    }
                }
                prop_assert_eq!(table.key_count(), model.len());
                let items: usize = model.values().map(BTreeSet::len).sum();
                prop_assert_eq!(table.item_count(), items);
            }
        }
    }
}
