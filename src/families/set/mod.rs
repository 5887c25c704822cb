//! Sets: members one by one, drawn at random, all of them, and what several sets have in common.

pub mod member;

pub mod random;

pub mod walk;

pub mod algebra;

pub mod store;

mod distinct;
mod sources;

use crate::keyspace::journal::Event;
use crate::protocol::reply::Reply;
use crate::structures::listpack::Item;

const fn event(name: &'static str) -> Event {
    Event { class: b's', name }
}

/// Replies with a member.
fn write(reply: &mut Reply<'_>, member: Item<'_>) {
    match member {
        Item::Int(number) => reply.bulk_int(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}
