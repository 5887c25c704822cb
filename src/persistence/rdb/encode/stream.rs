//! Streams: nodes as they are kept, counters, groups with what they have pending.

use crate::persistence::rdb::format::{RELEASED, layout};
use crate::persistence::rdb::output::Output;
use crate::types::stream::Stream;
use crate::types::stream::group::{Consumer, Group};
use crate::types::stream::id::Id;

/// Writes a stream in the layout `STREAM_2` or `STREAM_3`.
pub(super) fn write(stream: &Stream, layout: u8, out: &mut Output<'_>) {
    let log = stream.log();
    out.count(log.node_count());
    for node in log.nodes() {
        out.string(&node.master().to_bytes());
        out.string(node.as_bytes());
    }
    out.count(log.len());
    for id in [log.last_id(), log.first_id(), log.max_deleted_id()] {
        write_id(id, out);
    }
    out.number(log.entries_added());
    out.count(stream.groups().len());
    for (name, group) in stream.groups().iter() {
        out.string(name.as_slice());
        write_group(group, layout, out);
    }
}

fn write_id(id: Id, out: &mut Output<'_>) {
    out.number(id.ms);
    out.number(id.seq);
}

fn write_group(group: &Group, layout: u8, out: &mut Output<'_>) {
    write_id(group.last_id, out);
    // What isn't known is -1, as an unsigned number.
    out.number(group.entries_read.unwrap_or(u64::MAX));
    // The first released has the earliest time, so that their order comes back.
    let mut released: Vec<(Id, i64)> = group.released().zip(1..).collect();
    released.sort_unstable();
    let order = |id: Id| released.binary_search_by_key(&id, |(id, _)| *id).ok();
    out.count(group.pending().len());
    for (id, pending) in group.pending().iter() {
        out.bytes(&id.to_bytes());
        let place = if pending.owner().is_none() { order(*id) } else { None };
        out.millis(place.map_or(pending.time(), |at| released[at].1));
        out.number(pending.count);
    }
    let is_shared = group.consumers().contains(RELEASED);
    out.count(group.consumers().len() + usize::from(!released.is_empty() && !is_shared));
    for (name, consumer) in group.consumers().iter() {
        let also = if name.as_slice() == RELEASED { &released[..] } else { &[] };
        write_consumer(name.as_slice(), consumer, also, layout, out);
    }
    if !released.is_empty() && !is_shared {
        out.string(RELEASED);
        write_times(0, None, layout, out);
        out.count(released.len());
        for (id, _) in &released {
            out.bytes(&id.to_bytes());
        }
    }
}

fn write_consumer(
    name: &[u8],
    consumer: &Consumer,
    also: &[(Id, i64)],
    layout: u8,
    out: &mut Output<'_>,
) {
    out.string(name);
    write_times(consumer.seen, consumer.active, layout, out);
    out.count(consumer.pending_count() + also.len());
    consumer.pending_from(Id::MIN).for_each(|id| out.bytes(&id.to_bytes()));
    for (id, _) in also {
        out.bytes(&id.to_bytes());
    }
}

fn write_times(seen: i64, active: Option<i64>, layout: u8, out: &mut Output<'_>) {
    out.millis(seen);
    if layout == layout::STREAM_3 {
        out.millis(active.unwrap_or(-1));
    }
}
