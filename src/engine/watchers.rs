//! Who watches which key: the journal's facts become a flag of the client, which EXEC heeds.

use std::collections::BTreeMap;

use crate::keyspace::DbIndex;
use crate::keyspace::journal::{EXPIRED, FLUSHED, Listening, Record, SWAPPED};

use super::Engine;
use super::client::{ClientFlags, ClientKey};
use crate::structures::size_class::{btree_bytes, size_class};

/// Watchers of a key for which there is room from the first one on.
const WATCHERS_MIN: usize = 4;

/// Clients by the keys they watch.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    keys: BTreeMap<DbIndex, BTreeMap<Box<[u8]>, Vec<ClientKey>>>,
    /// Of all keys.
    key_bytes: usize,
    /// Pairs of a key and a client that watches it.
    count: usize,
}

impl Watchers {
    /// Whether nobody watches anything.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys are watched by somebody.
    pub(super) fn key_count(&self) -> usize {
        self.keys.values().map(BTreeMap::len).sum()
    }

    /// Bytes of memory taken, what transactions keep excepted, about. O(databases).
    pub(super) fn memory_bytes(&self) -> usize {
        let item = size_of::<(Box<[u8]>, Vec<ClientKey>)>();
        let trees = self.keys.values().map(|keys| btree_bytes(keys.len(), item));
        let places = self.count.max(WATCHERS_MIN * self.key_count()) * size_of::<ClientKey>();
        trees.sum::<usize>() + self.key_bytes + places
    }

    /// `client` watches `key` from now on. O(log watched keys).
    pub(super) fn add(&mut self, db: DbIndex, key: &[u8], client: ClientKey) {
        let clients = self.keys.entry(db).or_default().entry(key.into()).or_default();
        if clients.is_empty() {
            self.key_bytes += size_class(key.len());
        }
        clients.push(client);
        self.count += 1;
    }

    /// `client` watches `key` no longer. O(log watched keys + watchers of the key).
    pub(super) fn remove(&mut self, db: DbIndex, key: &[u8], client: ClientKey) {
        let Some(keys) = self.keys.get_mut(&db) else { return };
        if let Some(clients) = keys.get_mut(key) {
            let before = clients.len();
            clients.retain(|watcher| *watcher != client);
            self.count -= before - clients.len();
            if clients.is_empty() {
                keys.remove(key);
                self.key_bytes -= size_class(key.len());
            }
        }
        if keys.is_empty() {
            self.keys.remove(&db);
        }
    }

    /// Watchers of one key.
    fn of(&self, db: DbIndex, key: &[u8]) -> &[ClientKey] {
        self.keys.get(&db).and_then(|keys| keys.get(key)).map_or(&[], Vec::as_slice)
    }
}

impl Engine {
    /// Which facts are needed to tell whoever watches.
    pub(super) fn watched_events(&self) -> Listening {
        if self.watchers.is_empty() { Listening::Nothing } else { Listening::Everything }
    }

    /// A fact for those who watch.
    pub(super) fn tell_watchers(&mut self, record: &Record<'_>) {
        if self.watchers.is_empty() {
            return;
        }
        match record.event {
            FLUSHED => self.tell_watchers_of(record.db, |_, existed, _| existed),
            // A key that is in neither of two exchanged databases has not changed.
            SWAPPED => self.tell_watchers_of(record.db, |engine, existed, key| {
                let now = engine.now.unix_ms();
                existed || engine.keyspace.reader(record.db, now).kind(key).is_some()
            }),
            event => {
                for client in self.watchers.of(record.db, record.key).to_vec() {
                    // What was over its time when WATCH looked was already gone for the client.
                    if event != EXPIRED || self.existed(client, record.db, record.key) {
                        self.soil(client);
                    }
                }
            }
        }
    }

    /// Flags the watchers of those keys of a database that `concerns` picks.
    fn tell_watchers_of(&mut self, db: DbIndex, concerns: impl Fn(&Self, bool, &[u8]) -> bool) {
        let Some(keys) = self.watchers.keys.get(&db) else { return };
        let mut found = Vec::new();
        for (key, clients) in keys {
            for client in clients {
                if concerns(self, self.existed(*client, db, key), key) {
                    found.push(*client);
                }
            }
        }
        for client in found {
            self.soil(client);
        }
    }

    fn existed(&self, client: ClientKey, db: DbIndex, key: &[u8]) -> bool {
        let transaction = self.clients.get(client).and_then(|client| client.transaction.as_deref());
        transaction.is_some_and(|transaction| {
            let mut watched = transaction.watched.iter();
            watched.any(|watched| watched.existed && watched.db == db && *watched.key == *key)
        })
    }

    fn soil(&mut self, client: ClientKey) {
        if let Some(client) = self.clients.get_mut(client) {
            client.flags.set(ClientFlags::DIRTY_CAS, true);
        }
    }
}
