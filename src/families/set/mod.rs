//! Sets: members one by one, drawn at random, all of them, and what several sets have in common.

pub mod member;

pub mod random;

pub mod walk;

pub mod algebra;

pub mod store;

pub mod deadline;

mod distinct;
mod sources;

use crate::base::time::UnixMillis;
use crate::keyspace::journal::Event;
use crate::keyspace::packed::Opened;
use crate::keyspace::read::Reader;
use crate::keyspace::value::WrongType;
use crate::protocol::reply::Reply;
use crate::structures::listpack::Item;
use crate::types::set::{Live, Set};

const fn event(name: &'static str) -> Event {
    Event { class: b's', name }
}

/// A set as readers see it: without members whose time is over.
#[derive(Debug)]
struct Living<'a> {
    set: Opened<'a, Set>,
    horizon: UnixMillis,
}

impl Living<'_> {
    #[inline]
    fn view(&self) -> Live<'_> {
        self.set.live(self.horizon)
    }
}

/// The set at a key.
#[inline]
fn living<'a>(keys: &Reader<'a>, key: &[u8]) -> Result<Option<Living<'a>>, WrongType> {
    let horizon = keys.horizon();
    Ok(keys.get::<Set>(key)?.map(|set| Living { set, horizon }))
}

/// Replies with a member.
fn write(reply: &mut Reply<'_>, member: Item<'_>) {
    match member {
        Item::Int(number) => reply.bulk_int(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}
