//! A message on its way to everybody who listens: encoded once per dialect, however many they are.

use std::sync::Arc;

use crate::base::blob::Blob;
use crate::engine::Engine;
use crate::engine::client::{Client, ClientFlags, ClientKey};
use crate::protocol::reply::{Dialect, Output, Reply, SHARED_BULK_MIN};

use super::table::Kind;

/// What is said, and how it is framed.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    word: &'static [u8],
    pattern: Option<&'a [u8]>,
    channel: &'a [u8],
    payload: Payload<'a>,
}

/// What is published.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) enum Payload<'a> {
    /// Copied into every output.
    Plain(&'a [u8]),
    /// Held by reference.
    Shared(&'a Blob),
}

impl Message<'_> {
    fn encode(&self, dialect: Dialect) -> Output {
        let mut frame = Output::default();
        let mut reply = Reply::new(&mut frame, dialect);
        reply.push(3 + usize::from(self.pattern.is_some()));
        reply.bulk(self.word);
        if let Some(pattern) = self.pattern {
            reply.bulk(pattern);
        }
        reply.bulk(self.channel);
        match self.payload {
            Payload::Plain(bytes) => reply.bulk(bytes),
            Payload::Shared(blob) => reply.bulk_shared(blob),
        }
        frame
    }
}

impl Engine {
    /// Sends `payload` to all listeners of `channel` and, unless it is a sharded one, to those of
    /// matching patterns; how many they are. O(listeners + patterns).
    pub(in crate::engine) fn publish(
        &mut self,
        kind: Kind,
        channel: &[u8],
        payload: Payload<'_>,
    ) -> usize {
        let patterns = match kind {
            Kind::Shard => Vec::new(),
            Kind::Channel | Kind::Pattern => self.pubsub.patterns_of(channel),
        };
        let own;
        let payload = match payload {
            Payload::Plain(bytes) if bytes.len() >= SHARED_BULK_MIN => {
                own = Blob::new(bytes.to_vec());
                Payload::Shared(&own)
            }
            payload => payload,
        };
        let word: &[u8] = if kind == Kind::Shard { b"smessage" } else { b"message" };
        let message = Message { word, pattern: None, channel, payload };
        let mut heard = self.send_to_all(kind, channel, &message);
        for pattern in &patterns {
            let message = Message { word: b"pmessage", pattern: Some(pattern), channel, payload };
            heard += self.send_to_all(Kind::Pattern, pattern, &message);
        }
        heard
    }

    fn send_to_all(&mut self, kind: Kind, name: &[u8], message: &Message<'_>) -> usize {
        let listeners = self.pubsub.lend(kind, name);
        let mut frames: [Option<Output>; 2] = [None, None];
        let mut heard = 0;
        for key in &listeners {
            let Some(client) = self.clients.get_mut(*key) else { continue };
            if client.flags.has(ClientFlags::CLOSE_ASAP) {
                continue;
            }
            heard += 1;
            let dialect = client.dialect;
            let frame = frames[dialect as usize].get_or_insert_with(|| message.encode(dialect));
            client.output.push_copy(frame);
            self.announce(*key);
            self.check_output_limit(*key);
            self.weigh(*key);
        }
        if !listeners.is_empty() {
            self.pubsub.give_back(kind, name, listeners);
        }
        heard
    }

    /// Says something to a client that it did not ask for just now.
    pub(in crate::engine) fn push_to(&mut self, key: ClientKey, say: impl FnOnce(Reply<'_>)) {
        let Some(client) = self.clients.get_mut(key) else { return };
        if client.flags.has(ClientFlags::CLOSE_ASAP) {
            return;
        }
        say(Reply::new(&mut client.output, client.dialect));
        self.announce(key);
        self.check_output_limit(key);
        self.weigh(key);
    }

    /// `key` listens to `name`; how many subscriptions it is told to have.
    pub(super) fn subscribe(&mut self, key: ClientKey, kind: Kind, name: &[u8]) -> usize {
        self.pubsub.subscribe(&mut self.clients, key, kind, name);
        self.after_subscription(key, kind)
    }

    /// `key` listens to `name` no longer; how many subscriptions it is told to have.
    pub(super) fn unsubscribe(&mut self, key: ClientKey, kind: Kind, name: &[u8]) -> usize {
        self.pubsub.unsubscribe(&mut self.clients, key, kind, name);
        self.after_subscription(key, kind)
    }

    /// Ends all subscriptions of a client without a word.
    pub(in crate::engine) fn unsubscribe_all(&mut self, key: ClientKey) {
        for kind in super::table::KINDS {
            for name in self.subscribed_names(key, kind) {
                self.unsubscribe(key, kind, &name);
            }
        }
    }

    /// What a client listens to.
    pub(super) fn subscribed_names(&self, key: ClientKey, kind: Kind) -> Vec<Arc<[u8]>> {
        let client = self.clients.get(key);
        let subscriptions = client.and_then(|client| client.subscriptions.as_deref());
        subscriptions.map_or_else(Vec::new, |subscriptions| subscriptions.names(kind))
    }

    fn after_subscription(&mut self, key: ClientKey, kind: Kind) -> usize {
        let Some(client) = self.clients.get_mut(key) else { return 0 };
        let told = client.subscription_count(kind);
        let listens = client.subscriptions.as_ref().is_some_and(|own| !own.is_empty());
        client.flags.set(ClientFlags::PUBSUB, listens);
        if !listens {
            client.subscriptions = None;
        }
        self.choose_listening();
        told
    }
}

impl Client {
    /// The count of subscriptions that replies tell.
    pub(super) fn subscription_count(&self, kind: Kind) -> usize {
        self.subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.told(kind))
    }
}
