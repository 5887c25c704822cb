//! Hashes: setting and reading fields, walking over them, and fields that go by themselves.

pub mod count;
pub mod deadline;
pub mod read;
pub mod set;
pub mod timed;
pub mod walk;

use crate::base::number::parse_int;
use crate::command::args::Args;
use crate::command::context::DataLimits;
use crate::keyspace::journal::Event;
use crate::keyspace::value::{Kind, WrongType};
use crate::keyspace::write::Writer;
use crate::protocol::error::ReplyError;
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

const NO_FIELDS: ReplyError =
    ReplyError::Fixed("ERR Mandatory argument FIELDS is missing or not at the right position");
const OTHER_COUNT: ReplyError =
    ReplyError::Fixed("ERR The `numfields` parameter must match the number of arguments");
const NOT_POSITIVE: ReplyError =
    ReplyError::Fixed("ERR Number of fields must be a positive integer");

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

/// Reads `FIELDS`, a number and as many names, which end the request; gives the names.
fn named_fields<'a>(
    args: &mut Args<'a>,
    bad_number: ReplyError,
) -> Result<impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a>, ReplyError> {
    if !args.accept("FIELDS") {
        return Err(NO_FIELDS);
    }
    let count = parse_int(args.bytes()?).filter(|count| *count > 0).ok_or(bad_number)?;
    if usize::try_from(count) != Ok(args.left()) {
        return Err(OTHER_COUNT);
    }
    Ok(args.rest())
}

/// Refuses a key of another type: clients see this before a bad option.
fn check_type(keys: &Writer<'_>, key: &[u8]) -> Result<(), WrongType> {
    match keys.reader().kind(key) {
        None | Some(Kind::Hash) => Ok(()),
        Some(_) => Err(WrongType),
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
