//! A message on its way to everybody who listens: encoded once per dialect, however many they are.
//!
//! Messages that follow each other on one channel are gathered: publishing another one then costs
//! the same for one listener and for thousands, who get all of them at once, by reference.
//!
//! 1. Between opening and delivery nothing else reaches an output of a listener, and nobody joins
//!    or leaves: whatever could do so delivers first. That is what listeners do themselves, every
//!    engine command but PUBLISH, what is pushed to a listener, and its end.
//! 2. Gathered are messages of one channel that no pattern matches, up to [`GATHERED_BYTES_MAX`].
//! 3. The shell is told once by [`Effect::Deliver`] and delivers when nothing else is ready.

use std::sync::Arc;

use crate::base::blob::Blob;
use crate::engine::client::{Client, ClientFlags, ClientKey};
use crate::engine::{Effect, Engine};
use crate::protocol::reply::{Dialect, Output, Reply, SHARED_BULK_MIN};

use super::table::Kind;

/// Bytes of gathered messages that are delivered without waiting for more.
const GATHERED_BYTES_MAX: usize = 64 * 1024;

/// Encoded bytes from which on listeners share them instead of getting copies.
const SHARED_FRAME_MIN: usize = 1024;

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

/// Messages of one channel that wait for their delivery.
#[derive(Debug)]
pub(in crate::engine) struct Gathered {
    kind: Kind,
    channel: Arc<[u8]>,
    listeners: usize,
    buffers: Spare,
}

/// Buffers that messages are gathered in, kept for the next ones. What they hold is bounded.
#[derive(Debug, Default)]
pub(in crate::engine) struct Spare {
    /// How every message of the channel begins, in RESP2.
    head: Output,
    /// The messages, in RESP2.
    frames: Output,
    /// Where each of them begins: there RESP3 has another mark.
    starts: Vec<usize>,
}

impl Message<'_> {
    fn encode(&self, dialect: Dialect, listeners: usize) -> Frame<'static> {
        let mut frame = Output::default();
        encode_head(&mut frame, dialect, self.word, self.pattern, self.channel);
        let mut reply = Reply::new(&mut frame, dialect);
        match self.payload {
            Payload::Plain(bytes) => reply.bulk(bytes),
            Payload::Shared(blob) => reply.bulk_shared(blob),
        }
        Frame::of(frame, listeners)
    }
}

/// All of a message but its payload.
fn encode_head(
    frame: &mut Output,
    dialect: Dialect,
    word: &[u8],
    pattern: Option<&[u8]>,
    channel: &[u8],
) {
    let mut reply = Reply::new(frame, dialect);
    reply.push(3 + usize::from(pattern.is_some()));
    reply.bulk(word);
    if let Some(pattern) = pattern {
        reply.bulk(pattern);
    }
    reply.bulk(channel);
}

impl Spare {
    fn open(&mut self, kind: Kind, channel: &[u8]) {
        self.head.clear();
        self.frames.clear();
        self.starts.clear();
        encode_head(&mut self.head, Dialect::Resp2, word_of(kind), None, channel);
    }

    fn add(&mut self, payload: &[u8]) {
        self.starts.push(self.frames.len());
        self.frames.push_copy(&self.head);
        Reply::new(&mut self.frames, Dialect::Resp2).bulk(payload);
    }

    fn frame(&self, dialect: Dialect, listeners: usize) -> Frame<'_> {
        if dialect == Dialect::Resp2 && (listeners < 2 || self.frames.len() < SHARED_FRAME_MIN) {
            return Frame::Lent(&self.frames);
        }
        let mut bytes: Vec<u8> = self.frames.slices().flatten().copied().collect();
        if dialect == Dialect::Resp3 {
            for start in &self.starts {
                bytes[*start] = b'>';
            }
        }
        let mut frame = Output::default();
        frame.push_raw(&bytes);
        Frame::of(frame, listeners)
    }
}

fn word_of(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Channel => b"message",
        Kind::Pattern => b"pmessage",
        Kind::Shard => b"smessage",
    }
}

impl Engine {
    /// Sends `payload` to all listeners of `channel` and, unless it is a sharded one, to those of
    /// matching patterns; how many they are. O(patterns) while messages are gathered, else
    /// O(listeners + patterns).
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
        let caller = self.caller.and_then(|key| self.clients.get(key));
        let tells_itself = caller.is_some_and(|client| client.flags.has(ClientFlags::PUBSUB));
        if patterns.is_empty()
            && !tells_itself
            && let Payload::Plain(bytes) = payload
            && bytes.len() < SHARED_BULK_MIN
        {
            return self.gather(kind, channel, bytes);
        }
        self.deliver();
        let own;
        let payload = match payload {
            Payload::Plain(bytes) if bytes.len() >= SHARED_BULK_MIN => {
                own = Blob::new(bytes.to_vec());
                Payload::Shared(&own)
            }
            payload => payload,
        };
        let message = Message { word: word_of(kind), pattern: None, channel, payload };
        let say = |dialect, listeners| message.encode(dialect, listeners);
        let mut heard = self.send_to_all(kind, channel, say);
        for pattern in &patterns {
            let word = word_of(Kind::Pattern);
            let message = Message { word, pattern: Some(pattern), channel, payload };
            let say = |dialect, listeners| message.encode(dialect, listeners);
            heard += self.send_to_all(Kind::Pattern, pattern, say);
        }
        heard
    }

    /// Adds a message to those that wait, if it is for the same channel.
    fn gather(&mut self, kind: Kind, channel: &[u8], payload: &[u8]) -> usize {
        let is_same = |open: &Gathered| open.kind == kind && *open.channel == *channel;
        if !self.gathered.as_ref().is_some_and(is_same) {
            let Some((channel, listeners)) = self.pubsub.listeners_of(kind, channel) else {
                return 0;
            };
            let stays = |key: &&ClientKey| self.clients.get(**key).is_some_and(Client::is_present);
            let listeners = listeners.iter().filter(stays).count();
            self.deliver();
            let mut buffers = std::mem::take(&mut self.spare_messages);
            buffers.open(kind, &channel);
            self.gathered = Some(Gathered { kind, channel, listeners, buffers });
            self.effects.push(Effect::Deliver);
        }
        let Some(open) = &mut self.gathered else { return 0 };
        open.buffers.add(payload);
        let heard = open.listeners;
        if open.buffers.frames.len() >= GATHERED_BYTES_MAX {
            self.deliver();
        }
        heard
    }

    /// How many listeners wait for what is gathered.
    pub fn awaiting_delivery(&self) -> usize {
        self.gathered.as_ref().map_or(0, |open| open.listeners)
    }

    /// Puts what is gathered into the outputs of its listeners. O(listeners).
    pub fn deliver(&mut self) {
        let Some(open) = self.gathered.take() else { return };
        let frame = |dialect, listeners| open.buffers.frame(dialect, listeners);
        self.send_to_all(open.kind, &open.channel, frame);
        self.spare_messages = open.buffers;
    }

    /// Delivers first, if `key` is of those who listen.
    pub(in crate::engine) fn deliver_before(&mut self, key: ClientKey) {
        let listens = |client: &Client| client.flags.has(ClientFlags::PUBSUB);
        if self.gathered.is_some() && self.clients.get(key).is_some_and(listens) {
            self.deliver();
        }
    }

    fn send_to_all<'f>(
        &mut self,
        kind: Kind,
        name: &[u8],
        encode: impl Fn(Dialect, usize) -> Frame<'f>,
    ) -> usize {
        let listeners = self.pubsub.lend(kind, name);
        let mut frames: [Option<Frame<'f>>; 2] = [None, None];
        let mut heard = 0;
        let mut cut = Vec::new();
        for key in &listeners {
            let Some(client) = self.clients.get_mut(*key) else { continue };
            if client.flags.has(ClientFlags::CLOSE_ASAP) {
                cut.push(*key);
                continue;
            }
            heard += 1;
            let dialect = client.dialect;
            let frame =
                frames[dialect as usize].get_or_insert_with(|| encode(dialect, listeners.len()));
            match frame {
                Frame::Lent(frame) => client.output.push_copy(frame),
                Frame::Copied(frame) => client.output.push_copy(frame),
                Frame::Shared(blob) => client.output.push_shared(blob.clone()),
            }
            self.announce(*key);
            self.check_output_limit(*key);
            self.weigh(*key);
        }
        if !listeners.is_empty() {
            self.pubsub.give_back(kind, name, listeners);
        }
        for key in cut {
            self.unsubscribe_all(key);
        }
        heard
    }

    /// Says something to a client that it did not ask for just now.
    pub(in crate::engine) fn push_to(&mut self, key: ClientKey, say: impl FnOnce(Reply<'_>)) {
        self.deliver_before(key);
        let Some(client) = self.clients.get_mut(key) else { return };
        if client.flags.has(ClientFlags::CLOSE_ASAP) {
            return;
        }
        if let Some(away) = client.away.as_deref_mut() {
            // Behind the reply that a worker is at: what is void must have been read before.
            say(Reply::new(&mut away.pushed, client.dialect));
        } else {
            say(Reply::new(&mut client.output, client.dialect));
            self.announce(key);
        }
        self.check_output_limit(key);
        self.weigh(key);
    }

    /// `key` listens to `name`; how many subscriptions it is told to have.
    pub(super) fn subscribe(&mut self, key: ClientKey, kind: Kind, name: &[u8]) -> usize {
        self.deliver();
        self.pubsub.subscribe(&mut self.clients, key, kind, name);
        self.after_subscription(key, kind)
    }

    /// `key` listens to `name` no longer; how many subscriptions it is told to have.
    pub(super) fn unsubscribe(&mut self, key: ClientKey, kind: Kind, name: &[u8]) -> usize {
        self.deliver();
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

/// Encoded messages as outputs take them.
enum Frame<'f> {
    /// The same, of somebody else's.
    Lent(&'f Output),
    /// Bytes to be copied, with large payloads among them by reference.
    Copied(Output),
    /// Bytes that all listeners hold together.
    Shared(Blob),
}

impl Frame<'_> {
    fn of(frame: Output, listeners: usize) -> Self {
        match frame.as_plain() {
            Some(bytes) if bytes.len() >= SHARED_FRAME_MIN && listeners > 1 => {
                Self::Shared(Blob::new(bytes.to_vec()))
            }
            _ => Self::Copied(frame),
        }
    }
}

impl Client {
    /// The count of subscriptions that replies tell.
    pub(super) fn subscription_count(&self, kind: Kind) -> usize {
        self.subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.told(kind))
    }
}
