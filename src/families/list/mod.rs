//! Lists: adding and taking at the ends, moving between lists, reading and changing in the middle.

pub mod push;

pub mod pop;

pub mod transfer;

pub mod read;

pub mod edit;

use std::ops::Range;

use crate::command::args::Args;
use crate::keyspace::journal::Event;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::structures::cow_tree::End;
use crate::structures::listpack::Item;

const fn event(name: &'static str) -> Event {
    Event { class: b'l', name }
}

/// What a push at an end is told as.
fn pushed(end: End) -> Event {
    match end {
        End::Front => event("lpush"),
        End::Back => event("rpush"),
    }
}

/// What a pop at an end is told as.
fn popped(end: End) -> Event {
    match end {
        End::Front => event("lpop"),
        End::Back => event("rpop"),
    }
}

/// Reads `LEFT` or `RIGHT`.
fn end(args: &mut Args<'_>) -> Result<End, ReplyError> {
    if args.accept("LEFT") {
        Ok(End::Front)
    } else if args.accept("RIGHT") {
        Ok(End::Back)
    } else {
        Err(ReplyError::Syntax)
    }
}

/// Replies with an element.
fn write(reply: &mut Reply<'_>, element: Item<'_>) {
    match element {
        Item::Int(number) => reply.bulk_int(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

const TOO_SMALL: ReplyError = ReplyError::Fixed(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

/// Reads a number whose sign is a direction.
fn signed(args: &mut Args<'_>) -> Result<i64, ReplyError> {
    let number = args.int()?;
    if number == i64::MIN { Err(TOO_SMALL) } else { Ok(number) }
}

/// Places `start..=stop` among `len`; negative ones count from the end. What ends before the first
/// place is empty.
fn span(start: i64, stop: i64, len: usize) -> Range<usize> {
    let count = i64::try_from(len).unwrap_or(i64::MAX);
    let from_front = |at: i64| if at < 0 { at + count } else { at };
    let (first, last) = (from_front(start).max(0), from_front(stop).min(count - 1));
    match (usize::try_from(first), usize::try_from(last)) {
        (Ok(first), Ok(last)) if first <= last => first..last + 1,
        _ => 0..0,
    }
}
