//! Lists: adding and taking at the ends, moving between lists, reading and changing in the middle.

pub mod push;

pub mod pop;

pub mod transfer;

pub mod read;

pub mod edit;

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
