//! Streams: adding and trimming, reading and waiting, consumer groups and what they have pending.

pub mod add;

pub mod trim;

pub mod delete;

pub mod range;

pub mod read;

pub mod read_group;

pub mod group;

pub mod pending;

pub mod claim;

pub mod info;

mod parse;

mod read_args;

#[cfg(test)]
mod tests;

use crate::command::context::EncodingLimits;
use crate::keyspace::journal::Event;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::structures::listpack::Item;
use crate::types::stream::id::Id;
use crate::types::stream::node::{Entry, NodeLimits};

const fn event(name: &'static str) -> Event {
    Event { class: b't', name }
}

const CONSUMER_CREATED: Event = event("xgroup-createconsumer");

/// How much a node may hold.
fn node_limits(limits: &EncodingLimits) -> NodeLimits {
    NodeLimits::of_directives(limits.stream_node_bytes, limits.stream_node_entries)
}

/// Neither key nor group.
fn no_group(key: &[u8], group: &[u8], end: &str) -> ReplyError {
    let parts: [&[u8]; 6] =
        [b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'", end.as_bytes()];
    ReplyError::Bytes(parts.concat().into())
}

/// Replies with a word of an entry.
fn write_word(reply: &mut Reply<'_>, word: Item<'_>) {
    match word {
        Item::Int(number) => reply.bulk_int(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// Replies with an identifier.
fn write_id(reply: &mut Reply<'_>, id: Id) {
    reply.bulk(id.text().as_bytes());
}

/// Replies with an entry: its identifier, its names and values.
fn write_entry(reply: &mut Reply<'_>, entry: &Entry<'_>) {
    reply.array(2);
    write_id_and_words(reply, entry);
}

/// The two parts of an entry without their frame.
fn write_id_and_words(reply: &mut Reply<'_>, entry: &Entry<'_>) {
    write_id(reply, entry.id);
    reply.array(2 * entry.len());
    for (name, value) in entry.pairs() {
        write_word(reply, name);
        write_word(reply, value);
    }
}

/// Replies with entries; says how many.
fn write_entries<'a>(reply: &mut Reply<'_>, entries: impl Iterator<Item = Entry<'a>>) -> usize {
    let opened = reply.open();
    let mut count = 0;
    for entry in entries {
        write_entry(reply, &entry);
        count += 1;
    }
    reply.close_array(opened, count);
    count
}
