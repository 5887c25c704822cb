//! Hashes: setting and reading fields, walking over them, and fields that go by themselves.

pub mod count;
pub mod deadline;
pub mod read;
pub mod set;
pub mod timed;
pub mod walk;

use crate::command::args::Args;
use crate::command::context::DataLimits;
use crate::keyspace::journal::Event;
use crate::protocol::reply::Reply;
use crate::structures::listpack::Item;
use crate::types::hash::{FieldValue, Limits, NewValue};

/// Fields were set.
const HSET: Event = Event::hash("hset");
/// Fields were removed.
const HDEL: Event = Event::hash("hdel");
/// Fields got a deadline.
const HEXPIRE: Event = Event::hash("hexpire");
/// Fields lost their deadline.
const HPERSIST: Event = Event::hash("hpersist");

/// When a hash is no longer kept in a listpack.
fn limits(limits: &DataLimits) -> Limits {
    let encodings = &limits.encodings;
    Limits { entries: encodings.hash_pack_entries, bytes: encodings.hash_pack_value }
}

/// Word `index` of a request for storing: shared when it has an allocation of its own.
fn value<'a>(args: &Args<'a>, index: usize) -> NewValue<'a> {
    match args.blob(index) {
        Some(blob) => NewValue::Shared(blob),
        None => NewValue::Bytes(args.word(index)),
    }
}

/// Replies with a value.
fn write(reply: &mut Reply<'_>, value: FieldValue<'_>) {
    match value {
        FieldValue::Int(number) => reply.bulk_int(number),
        FieldValue::Bytes(bytes) => reply.bulk(bytes),
        FieldValue::Shared(blob) => reply.bulk_shared(blob),
    }
}

/// Replies with a name.
fn write_name(reply: &mut Reply<'_>, name: Item<'_>) {
    match name {
        Item::Int(number) => reply.bulk_int(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}
