//! Streams: nodes, counters, groups with what they have pending.
//!
//! A pending entry stands in its group with time and count, and once more in its consumer without:
//! the two lists must tell the same story.

use crate::persistence::rdb::error::LoadError;
use crate::persistence::rdb::format::{RELEASED, layout};
use crate::persistence::rdb::input::Input;
use crate::types::stream::group::{Group, Name};
use crate::types::stream::id::Id;
use crate::types::stream::idempotence::{Idempotence, Window};
use crate::types::stream::node::Node;
use crate::types::stream::progress::Facts;
use crate::types::stream::{Body, Stream};

/// A count that isn't known, as an unsigned number.
const UNKNOWN: u64 = u64::MAX;
/// Bytes of a pending entry: identifier, time, count.
const PENDING_BYTES: u64 = 25;

const OWNERS: &str = "pending entries that don't agree with their consumers";

/// A pending entry of a group, until its consumer is known.
struct Waiting {
    id: Id,
    time: i64,
    count: u64,
    is_taken: bool,
}

/// Reads a stream of any layout that it has had.
pub(super) fn read(input: &mut Input<'_>, layout: u8) -> Result<Stream, LoadError> {
    let mut stream = Stream::default();
    stream.establish();
    let body = stream.body_mut();
    read_nodes(input, body)?;
    read_counters(input, layout, body)?;
    let facts = body.log.facts();
    for _ in 0..input.count(4)? {
        let name = Name::new(&input.owned()?);
        let group = read_group(input, layout, &facts)?;
        if body.groups.insert(name, group).is_some() {
            return input.damaged("a stream that has a group twice");
        }
    }
    Ok(stream)
}

fn read_nodes(input: &mut Input<'_>, body: &mut Body) -> Result<(), LoadError> {
    for _ in 0..input.count(2)? {
        let master = input.owned()?;
        let Ok(master) = <[u8; 16]>::try_from(&master[..]) else {
            return input.damaged("a stream's node whose identifier has no 16 bytes");
        };
        let bytes = input.owned()?;
        let node = Node::from_bytes(Id::from_bytes(master), bytes);
        let node = node.or_else(|_| input.damaged("a damaged node of a stream"))?;
        if node.is_empty() {
            continue;
        }
        if body.log.push_node(node).is_err() {
            return input.damaged("nodes of a stream that are not in order");
        }
    }
    Ok(())
}

fn read_counters(input: &mut Input<'_>, layout: u8, body: &mut Body) -> Result<(), LoadError> {
    let len = input.number()?;
    let last_id = read_id(input)?;
    let (max_deleted, added) = if layout == layout::STREAM {
        (Id::MIN, len)
    } else {
        // The first identifier stands in the first entry, too.
        read_id(input)?;
        (read_id(input)?, input.number()?)
    };
    if u64::try_from(body.log.len()) != Ok(len) {
        return input.damaged("a stream that has not as many entries as it says");
    }
    if body.log.last().is_some_and(|last| last.id > last_id) || max_deleted > last_id {
        return input.damaged("a stream with identifiers above its last one");
    }
    if added < len {
        return input.damaged("a stream with more entries than were ever added");
    }
    body.log.set_ids(last_id, Some(added), Some(max_deleted));
    Ok(())
}

fn read_id(input: &mut Input<'_>) -> Result<Id, LoadError> {
    Ok(Id::new(input.number()?, input.number()?))
}

fn read_raw_id(input: &mut Input<'_>) -> Result<Id, LoadError> {
    input.array().map(Id::from_bytes)
}

fn read_group(input: &mut Input<'_>, layout: u8, facts: &Facts) -> Result<Group, LoadError> {
    let last_id = read_id(input)?;
    let read = match layout {
        // The first layout did not count: where the group stands tells it, or nothing does.
        layout::STREAM => facts.position(last_id),
        _ => Some(input.number()?).filter(|read| *read != UNKNOWN),
    };
    let mut group = Group::new(last_id, read);
    let mut waiting = read_pending(input)?;
    let mut released = Vec::new();
    for _ in 0..input.count(10)? {
        let name = input.owned()?;
        let seen = input.millis()?;
        let active = match layout {
            layout::STREAM_3 => Some(input.millis()?).filter(|at| *at != -1),
            _ => Some(seen),
        };
        if group.consumers().contains(&name[..]) {
            return input.damaged("a group that has a consumer twice");
        }
        let is_nobody = name == RELEASED;
        let owner = (!is_nobody || seen != 0).then(|| group.restore_consumer(&name, seen, active));
        for _ in 0..input.count(16)? {
            let id = read_raw_id(input)?;
            let found = waiting.binary_search_by_key(&id, |waiting| waiting.id);
            let Some(entry) = found.ok().map(|at| &mut waiting[at]).filter(|it| !it.is_taken)
            else {
                return input.damaged(OWNERS);
            };
            entry.is_taken = true;
            match &owner {
                Some(owner) if !is_nobody => group.assign(id, owner, entry.time, entry.count),
                _ => released.push((entry.time, id, entry.count)),
            }
        }
    }
    if waiting.iter().any(|waiting| !waiting.is_taken) {
        return input.damaged(OWNERS);
    }
    released.sort_unstable();
    for (_, id, count) in released {
        group.release(id, count);
    }
    Ok(group)
}

/// What a group has pending, by identifier.
fn read_pending(input: &mut Input<'_>) -> Result<Vec<Waiting>, LoadError> {
    let mut waiting: Vec<Waiting> = Vec::new();
    for _ in 0..input.count(PENDING_BYTES)? {
        let id = read_raw_id(input)?;
        let (time, count) = (input.millis()?, input.number()?);
        if waiting.last().is_some_and(|last| last.id >= id) {
            return input.damaged("pending entries that are not in order");
        }
        waiting.push(Waiting { id, time, count, is_taken: false });
    }
    Ok(waiting)
}

/// What producers have added, from an aux field.
pub(super) fn idempotence(text: &[u8]) -> Result<Idempotence, LoadError> {
    let mut source = text;
    let size = u64::try_from(text.len()).ok();
    let mut input = Input::new(&mut source, size, false);
    let duration_s = input.number()?;
    let names_max = usize::try_from(input.number()?).unwrap_or(usize::MAX);
    let (added, repeated) = (input.number()?, input.number()?);
    let mut known = Idempotence::restored(Window { duration_s, names_max }, added, repeated);
    for _ in 0..input.count(18)? {
        let (producer, name) = (input.owned()?, input.owned()?);
        let id = read_raw_id(&mut input)?;
        if !known.recall(&producer, &name, id) {
            return input.damaged("a producer that has a name twice");
        }
    }
    Ok(known)
}
