//! A client as CLIENT LIST and CLIENT INFO print it: one line of fields in the order of Redis 8.0.

use std::io::Write;

use crate::protocol::reply::Dialect;

use super::Engine;
use super::client::{Client, ClientFlags, ClientKey};
use super::pubsub::table::Kind;

/// What a client is to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientType {
    Normal,
    Primary,
    Replica,
    PubSub,
}

impl ClientType {
    /// The type that clients call `name`.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Some(Self::Normal),
            b"master" | b"primary" => Some(Self::Primary),
            b"slave" | b"replica" => Some(Self::Replica),
            b"pubsub" => Some(Self::PubSub),
            _ => None,
        }
    }
}

/// What is known of the caller only while it is served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// Who.
    pub key: ClientKey,
    /// Bytes of the words of its request.
    pub args_bytes: usize,
    /// Bytes of its replies that wait.
    pub reply_bytes: usize,
}

/// Letters of `flags=`, in the order they are printed.
const LETTERS: &[(ClientFlags, u8)] = &[
    (ClientFlags::MONITOR, b'O'),
    (ClientFlags::PUBSUB, b'P'),
    (ClientFlags::MULTI, b'x'),
    (ClientFlags(ClientFlags::BLOCKED.0 | ClientFlags::PAUSED.0), b'b'),
    (ClientFlags::TRACKING, b't'),
    (ClientFlags::TRACKING_BROKEN, b'R'),
    (ClientFlags::BROADCASTS, b'B'),
    (ClientFlags::DIRTY_CAS, b'd'),
    (ClientFlags::CLOSING, b'c'),
    (ClientFlags::CLOSE_ASAP, b'A'),
];

/// Letters that come after the one for unix sockets.
const LATE_LETTERS: &[(ClientFlags, u8)] =
    &[(ClientFlags::NO_EVICT, b'e'), (ClientFlags::NO_TOUCH, b'T')];

/// Every letter that `flags=` may hold here or in Redis and Valkey.
pub(super) const KNOWN_LETTERS: &[u8] = b"OSMPxbtRBdcuAUreTINGi";

impl Client {
    /// What kind of client it is.
    pub(super) fn client_type(&self) -> ClientType {
        if self.flags.has(ClientFlags::PUBSUB) { ClientType::PubSub } else { ClientType::Normal }
    }

    /// The letters of `flags=`.
    pub(super) fn letters(&self) -> Vec<u8> {
        let set = |list: &'static [(ClientFlags, u8)]| {
            list.iter().filter(|(flag, _)| self.flags.has(*flag)).map(|(_, letter)| *letter)
        };
        let unix = self.origin.is_unix.then_some(b'U');
        let letters: Vec<u8> = set(LETTERS).chain(unix).chain(set(LATE_LETTERS)).collect();
        if letters.is_empty() { vec![b'N'] } else { letters }
    }

    /// Whether it still takes part: one that was killed is only waiting to be taken away.
    pub(super) fn is_present(&self) -> bool {
        !self.flags.has(ClientFlags::CLOSE_ASAP)
    }
}

impl Engine {
    /// Clients that take part, oldest first.
    pub(super) fn present_clients(&self) -> Vec<ClientKey> {
        let mut keys = self.clients.keys_by_age();
        keys.retain(|key| self.clients.get(*key).is_some_and(Client::is_present));
        keys
    }

    /// How many clients take part.
    pub(super) fn present_client_count(&self) -> usize {
        self.clients.iter().filter(|(_, client)| client.is_present()).count()
    }

    /// Appends a client's line and a line feed.
    pub(super) fn write_client_line(&self, key: ClientKey, caller: Caller, out: &mut Vec<u8>) {
        let Some(client) = self.clients.get(key) else { return };
        let is_caller = key == caller.key;
        let now = self.now.monotonic;
        let seconds_since = |then| now.since(then) / 1_000_000;
        let transaction = client.transaction.as_deref();
        let queued = if client.flags.has(ClientFlags::MULTI) {
            transaction.map_or(0, |t| i64::try_from(t.command_count()).unwrap_or(i64::MAX))
        } else {
            -1
        };
        let watched = transaction.map_or(0, super::transaction::Transaction::watched_count);
        let redirect = client.tracking.as_ref().map_or(-1, |tracking| {
            tracking.redirect.map_or(0, |who| i64::try_from(who.id).unwrap_or(i64::MAX))
        });
        let subscriptions = client.subscriptions.as_deref();
        let subscribed = |kind| subscriptions.map_or(0, |subscriptions| subscriptions.count(kind));
        let multi_bytes = transaction.map_or(0, |transaction| transaction.queued_bytes);
        // What has arrived of a large bulk stands aside, but is of the query all the same.
        let (args_bytes, query_bytes) = if is_caller {
            (caller.args_bytes, client.query_bytes)
        } else {
            (0, client.query_bytes + client.args_bytes)
        };
        let waiting = if is_caller { caller.reply_bytes } else { client.output.len() };
        let capacity = client.output.memory_bytes();
        let bulks = client.output.shared_count() + usize::from(client.output_in_flight != 0);
        let pending = client.output_bytes();
        let events = if pending == 0 { "r" } else { "rw" };
        let command = client.last_row.map_or("NULL", |row| &*self.registry.row(row).full_name);
        let dialect = if client.dialect == Dialect::Resp3 { 3 } else { 2 };

        let mut text = |part: std::fmt::Arguments<'_>| {
            out.write_fmt(part).expect("memory takes every byte");
        };
        text(format_args!(
            "id={} addr={} laddr={} fd={} name=",
            client.id, client.origin.addr, client.origin.laddr, client.origin.fd
        ));
        out.extend_from_slice(&client.name);
        let mut text = |part: std::fmt::Arguments<'_>| {
            out.write_fmt(part).expect("memory takes every byte");
        };
        text(format_args!(
            " age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={queued} watch={watched}",
            seconds_since(client.created),
            seconds_since(client.last_request),
            String::from_utf8_lossy(&client.letters()),
            client.db.0,
            subscribed(Kind::Channel),
            subscribed(Kind::Pattern),
            subscribed(Kind::Shard),
        ));
        text(format_args!(
            " qbuf={} qbuf-free={} argv-mem={args_bytes} multi-mem={multi_bytes} rbs={capacity} \
             rbp={capacity} obl={waiting} oll={bulks} omem={pending} tot-mem={} events={events} \
             cmd={command} user=default redir={redirect} resp={dialect} lib-name=",
            query_bytes,
            client.query_free_bytes,
            client.memory_bytes(),
        ));
        out.extend_from_slice(&client.lib_name);
        out.extend_from_slice(b" lib-ver=");
        out.extend_from_slice(&client.lib_version);
        out.write_fmt(format_args!(" io-thread={}\n", client.origin.io_thread))
            .expect("memory takes every byte");
    }
}
