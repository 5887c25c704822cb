//! Sorted sets: adding, reading by member, rank, score and bytes, taking, combining.

pub mod add;

pub mod read;

pub mod range;

pub mod remove;

pub mod pop;

pub mod algebra;

pub mod scan;

pub mod deadline;

mod bounds;

use crate::command::context::DataLimits;
use crate::keyspace::journal::Event;
use crate::keyspace::packed::Opened;
use crate::keyspace::read::Reader;
use crate::keyspace::value::WrongType;
use crate::protocol::reply::Reply;
use crate::structures::listpack::Item;
use crate::types::sorted_set::{PackLimits, Scored, SortedSet};
use std::borrow::Cow;

pub(super) const fn event(name: &'static str) -> Event {
    Event { class: b'z', name }
}

/// When sorted sets become large.
pub(super) fn pack_limits(limits: &DataLimits) -> PackLimits {
    PackLimits {
        entries: limits.encodings.sorted_set_pack_entries,
        value: limits.encodings.sorted_set_pack_value,
    }
}

/// The sorted set at a key as readers see it: without members whose time is over.
#[inline]
pub(super) fn living<'a>(
    keys: &Reader<'a>,
    key: &[u8],
) -> Result<Option<Cow<'a, SortedSet>>, WrongType> {
    let set = keys.get::<SortedSet>(key)?.map(|set| match set {
        Opened::Borrowed(set) => set.live(keys.horizon()),
        // Packed ones have no members that go.
        Opened::Unpacked(set) => Cow::Owned(set),
    });
    // One that has only such members is not there for a reader.
    Ok(set.filter(|set| matches!(set, Cow::Borrowed(_)) || !set.is_empty()))
}

/// Whether scores are wanted beside members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shown {
    #[default]
    Members,
    Scores,
}

/// Replies with a member.
pub(super) fn write_member(reply: &mut Reply<'_>, member: Item<'_>) {
    match member {
        Item::Int(number) => reply.bulk_int(number),
        Item::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// Begins a list of elements: flat in RESP2, of pairs in RESP3 if scores are shown.
fn open_list(reply: &mut Reply<'_>, len: usize, shown: Shown) {
    let is_flat = shown == Shown::Scores && !reply.is_resp3();
    reply.array(if is_flat { 2 * len } else { len });
}

/// An element of such a list.
fn write(reply: &mut Reply<'_>, element: Scored<'_>, shown: Shown) {
    if shown == Shown::Scores && reply.is_resp3() {
        reply.array(2);
    }
    write_member(reply, element.member);
    if shown == Shown::Scores {
        reply.double(element.score);
    }
}
