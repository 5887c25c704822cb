//! Who listens to which names.
//!
//! 1. Every subscription stands twice: in the list of its name, and with its place in that list
//!    among the client's own. So both ends find the other in O(1) or O(log n), and a client that
//!    leaves a crowded channel costs no more than any other.
//! 2. A name is there as long as somebody listens to it.
//!
//! A subscription takes about 80 bytes beside its name, which all listeners share.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::base::glob::{Case, matches};
use crate::base::hash::KeyHasher;
use crate::engine::client::{ClientKey, Clients};
use crate::structures::size_class::{hash_map_bytes, size_class};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Kind {
    /// Of PUBLISH.
    Channel,
    /// A glob of channels.
    Pattern,
    /// Of SPUBLISH.
    Shard,
}

/// All kinds.
pub(in crate::engine) const KINDS: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];

/// Names with who listens to them.
type Names = HashMap<Arc<[u8]>, Vec<ClientKey>, KeyHasher>;

/// All subscriptions, by name.
#[derive(Debug)]
pub(in crate::engine) struct PubSub {
    names: [Names; 3],
    /// Of all names.
    name_bytes: usize,
    /// Subscriptions of all clients.
    count: usize,
}

/// One client's subscriptions, each with its place among those of the name.
#[derive(Debug, Default)]
pub(in crate::engine) struct Subscriptions {
    names: [BTreeMap<Arc<[u8]>, usize>; 3],
}

/// Bytes of a subscription beside its name: two pointers to it and two places.
const SUBSCRIPTION_BYTES: usize = 48;

impl Subscriptions {
    /// How many of one kind.
    pub(in crate::engine) fn count(&self, kind: Kind) -> usize {
        self.names[kind as usize].len()
    }

    /// The count that replies tell: sharded channels count for themselves.
    pub(in crate::engine) fn told(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.count(Kind::Channel) + self.count(Kind::Pattern),
            Kind::Shard => self.count(Kind::Shard),
        }
    }

    /// Whether there is none of any kind.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeMap::is_empty)
    }

    /// Names of one kind, in their order.
    pub(in crate::engine) fn names(&self, kind: Kind) -> Vec<Arc<[u8]>> {
        self.names[kind as usize].keys().cloned().collect()
    }

    /// Bytes of memory taken, about.
    pub(in crate::engine) fn memory_bytes(&self) -> usize {
        let count: usize = self.names.iter().map(BTreeMap::len).sum();
        size_of::<Self>() + count * SUBSCRIPTION_BYTES
    }
}

impl PubSub {
    /// Nobody listens; `seed` keys the hash.
    pub(in crate::engine) fn new(seed: u64) -> Self {
        let names = std::array::from_fn(|_| Names::with_hasher(KeyHasher::new(seed)));
        Self { names, name_bytes: 0, count: 0 }
    }

    /// Bytes of memory taken, what clients keep of their subscriptions excepted. O(1).
    pub(in crate::engine) fn memory_bytes(&self) -> usize {
        let item = size_of::<(Arc<[u8]>, Vec<ClientKey>)>();
        let maps = self.names.iter().map(|names| hash_map_bytes(names.capacity(), item));
        maps.sum::<usize>() + self.name_bytes + self.count * size_of::<ClientKey>()
    }

    /// How many names of a kind somebody listens to.
    pub(in crate::engine) fn count(&self, kind: Kind) -> usize {
        self.names[kind as usize].len()
    }

    /// Whether nobody could hear a PUBLISH.
    pub(in crate::engine) fn is_deaf(&self) -> bool {
        self.count(Kind::Channel) == 0 && self.count(Kind::Pattern) == 0
    }

    /// How many listen to `name`.
    pub(in crate::engine) fn listeners(&self, kind: Kind, name: &[u8]) -> usize {
        self.names[kind as usize].get(name).map_or(0, Vec::len)
    }

    /// The name and who listens to it, if somebody does.
    pub(super) fn listeners_of(
        &self,
        kind: Kind,
        name: &[u8],
    ) -> Option<(Arc<[u8]>, &[ClientKey])> {
        let (name, listeners) = self.names[kind as usize].get_key_value(name)?;
        Some((Arc::clone(name), listeners))
    }

    /// Names somebody listens to, those that `pattern` matches if there is one.
    pub(in crate::engine) fn matching<'a>(
        &'a self,
        kind: Kind,
        pattern: Option<&'a [u8]>,
    ) -> impl Iterator<Item = &'a [u8]> {
        let names = self.names[kind as usize].keys();
        names
            .map(|name| &**name)
            .filter(move |name| pattern.is_none_or(|glob| matches(glob, name, Case::Sensitive)))
    }

    /// Patterns that match `channel`. O(patterns).
    pub(super) fn patterns_of(&self, channel: &[u8]) -> Vec<Arc<[u8]>> {
        let patterns = self.names[Kind::Pattern as usize].keys();
        patterns.filter(|glob| matches(glob, channel, Case::Sensitive)).cloned().collect()
    }

    /// Lends the list of a name's listeners; to be given back by [`PubSub::give_back`].
    pub(super) fn lend(&mut self, kind: Kind, name: &[u8]) -> Vec<ClientKey> {
        self.names[kind as usize].get_mut(name).map(std::mem::take).unwrap_or_default()
    }

    /// Takes a lent list back.
    pub(super) fn give_back(&mut self, kind: Kind, name: &[u8], listeners: Vec<ClientKey>) {
        if let Some(place) = self.names[kind as usize].get_mut(name) {
            *place = listeners;
        }
    }

    /// `key` listens to `name` from now on, if it did not.
    pub(super) fn subscribe(
        &mut self,
        clients: &mut Clients,
        key: ClientKey,
        kind: Kind,
        name: &[u8],
    ) {
        let Some(client) = clients.get_mut(key) else { return };
        let own = &mut client.subscriptions.get_or_insert_default().names[kind as usize];
        if own.contains_key(name) {
            return;
        }
        let names = &mut self.names[kind as usize];
        if let Some((known, listeners)) = names.get_key_value(name) {
            own.insert(Arc::clone(known), listeners.len());
        } else {
            let name: Arc<[u8]> = name.into();
            own.insert(Arc::clone(&name), 0);
            self.name_bytes += bytes_of(&name);
            self.count += 1;
            names.insert(name, vec![key]);
            return;
        }
        if let Some(listeners) = names.get_mut(name) {
            listeners.push(key);
            self.count += 1;
        }
    }

    /// `key` listens to `name` no longer.
    pub(super) fn unsubscribe(
        &mut self,
        clients: &mut Clients,
        key: ClientKey,
        kind: Kind,
        name: &[u8],
    ) {
        let own = |clients: &mut Clients, key, act: &mut dyn FnMut(&mut BTreeMap<_, usize>)| {
            let client = clients.get_mut(key);
            if let Some(subscriptions) = client.and_then(|client| client.subscriptions.as_mut()) {
                act(&mut subscriptions.names[kind as usize]);
            }
        };
        let mut place = None;
        own(clients, key, &mut |names| place = names.remove(name));
        let Some(place) = place else { return };
        let names = &mut self.names[kind as usize];
        let Some(listeners) = names.get_mut(name) else { return };
        debug_assert_eq!(listeners.get(place), Some(&key), "both ends know the same place");
        listeners.swap_remove(place);
        self.count -= 1;
        if let Some(moved) = listeners.get(place) {
            own(clients, *moved, &mut |names| {
                if let Some(at) = names.get_mut(name) {
                    *at = place;
                }
            });
        } else if listeners.is_empty()
            && let Some((name, _)) = names.remove_entry(name)
        {
            self.name_bytes -= bytes_of(&name);
        }
    }
}

/// Bytes allocated for a name.
fn bytes_of(name: &Arc<[u8]>) -> usize {
    size_class(name.len() + 2 * size_of::<usize>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::base::time::MonotonicMicros;
    use crate::engine::client::Origin;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn both_ends_agree(ops in prop::collection::vec((0..5_u32, 0..4_u8, any::<bool>()), 0..120)) {
            let mut clients = Clients::default();
            let keys: Vec<_> =
                (0..5).map(|_| clients.insert(Origin::default(), MonotonicMicros(0))).collect();
            let (mut pubsub, mut model) = (PubSub::new(1), BTreeSet::new());
            for (client, name, subscribes) in ops {
                let key = keys[client as usize];
                if subscribes {
                    pubsub.subscribe(&mut clients, key, Kind::Shard, &[name]);
                    model.insert((name, key));
                } else {
                    pubsub.unsubscribe(&mut clients, key, Kind::Shard, &[name]);
                    model.remove(&(name, key));
                }
            }
            for name in 0..4_u8 {
                let mut listeners = pubsub.lend(Kind::Shard, &[name]);
                listeners.sort_unstable();
                let expected: Vec<_> =
                    model.iter().filter(|(known, _)| *known == name).map(|(_, key)| *key).collect();
                prop_assert_eq!(listeners, expected);
            }
            let names: BTreeSet<u8> = model.iter().map(|(name, _)| *name).collect();
            prop_assert_eq!(pubsub.count(Kind::Shard), names.len());
            for key in keys {
                let own = clients.get(key).unwrap().subscriptions.as_ref();
                let expected = model.iter().filter(|(_, known)| *known == key).count();
                prop_assert_eq!(own.map_or(0, |own| own.told(Kind::Shard)), expected);
            }
        }
    }
}
