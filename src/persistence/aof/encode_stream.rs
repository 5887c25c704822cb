//! A stream as commands.
//!
//! Entries that are gone may still be pending, or known by a producer's name, and the commands that
//! say so want to see the entry. Such a stream is therefore written in two acts: first everything
//! that is referred to stands in as an entry, groups and names are told, and all stand-ins are
//! trimmed, which leaves what is pending alone; then the entries themselves come.
//!
//! When consumers were seen last is not told: no command can say it.

use std::collections::BTreeSet;

use super::encode::command;
use crate::base::number::digits;
use crate::protocol::encode;
use crate::types::stream::Stream;
use crate::types::stream::group::{Group, Pending};
use crate::types::stream::id::Id;

/// Adds the commands that make `key` this stream, where there is none of its name.
pub(super) fn write(out: &mut Vec<u8>, key: &[u8], stream: &Stream) {
    let referred = referred(stream);
    let log = stream.log();
    // Groups have read no more than was added, as long as nobody has set that back.
    let read = stream.groups().iter().filter_map(|(_, group)| group.entries_read).max();
    let added = log.entries_added().max(read.unwrap_or(0)).max(referred.len() as u64);
    match referred.last() {
        Some(last) if referred.iter().any(|id| log.entry(*id).is_none()) => {
            for id in &referred {
                command(out, &[b"XADD", key, id.text().as_bytes(), b"x", b"y"]);
            }
            write_ids(out, key, *last, added, Id::MIN);
            write_groups(out, key, stream);
            write_producers(out, key, stream);
            command(out, &[b"XTRIM", key, b"MAXLEN", b"0"]);
            command(out, &[b"XSETID", key, Id::MIN.text().as_bytes()]);
            write_entries(out, key, stream);
        }
        _ => {
            write_entries(out, key, stream);
            if log.is_empty() {
                // An entry that goes at once leaves the stream behind.
                command(out, &[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
            }
            if !stream.groups().is_empty() {
                // What a group has read is believed up to what was added by then.
                write_ids(out, key, log.last_id(), added, Id::MIN);
            }
            write_groups(out, key, stream);
            write_producers(out, key, stream);
        }
    }
    write_ids(out, key, log.last_id(), log.entries_added(), log.max_deleted_id());
}

/// Entries that somebody has pending, or that a producer's name leads to.
fn referred(stream: &Stream) -> BTreeSet<Id> {
    let groups = stream.groups().iter();
    let pending = groups.flat_map(|(_, group)| group.pending().iter().map(|(id, _)| *id));
    let named = stream.idempotence().into_iter().flat_map(|known| known.iter().map(|(.., id)| id));
    pending.chain(named).collect()
}

fn write_entries(out: &mut Vec<u8>, key: &[u8], stream: &Stream) {
    for entry in stream.log() {
        encode::begin(out, 3 + 2 * entry.len());
        encode::word(out, b"XADD");
        encode::word(out, key);
        encode::word(out, entry.id.text().as_bytes());
        for (name, value) in entry.pairs() {
            encode::word(out, &name.to_vec());
            encode::word(out, &value.to_vec());
        }
    }
}

fn write_ids(out: &mut Vec<u8>, key: &[u8], last: Id, added: u64, deleted: Id) {
    let (last, added, deleted) = (last.text(), digits(added), deleted.text());
    let (last, deleted) = (last.as_bytes(), deleted.as_bytes());
    let tail: [&[u8]; 4] = [b"ENTRIESADDED", added.as_bytes(), b"MAXDELETEDID", deleted];
    command(out, &[&[b"XSETID", key, last], &tail[..]].concat());
}

fn write_groups(out: &mut Vec<u8>, key: &[u8], stream: &Stream) {
    for (name, group) in stream.groups().iter() {
        let name = name.as_slice();
        let (last, read) = (group.last_id.text(), group.entries_read.map_or("-1".into(), digits));
        let (last, read) = (last.as_bytes(), read.as_bytes());
        command(out, &[b"XGROUP", b"CREATE", key, name, last, b"ENTRIESREAD", read]);
        for (consumer, _) in group.consumers().iter() {
            command(out, &[b"XGROUP", b"CREATECONSUMER", key, name, consumer.as_slice()]);
        }
        write_pending(out, &[key, name], group);
    }
}

/// `whose` are key and group.
fn write_pending(out: &mut Vec<u8>, whose: &[&[u8]; 2], group: &Group) {
    for (id, pending) in group.pending().iter() {
        let Some(owner) = pending.owner() else { continue };
        let (id, time, count) = (id.text(), digits(pending.time()), digits(pending.count));
        let head = [owner.as_slice(), b"0", id.as_bytes(), b"TIME", time.as_bytes()];
        let tail: [&[u8]; 4] = [b"RETRYCOUNT", count.as_bytes(), b"JUSTID", b"FORCE"];
        command(out, &[&[&b"XCLAIM"[..]][..], whose, &head, &tail].concat());
    }
    // The first released is the first to be claimed.
    for id in group.released() {
        let count = digits(group.pending().get(&id).map_or(0, |pending: &Pending| pending.count));
        let id = id.text();
        let head: [&[u8]; 4] = [b"FAIL", b"IDS", b"1", id.as_bytes()];
        let tail: [&[u8]; 3] = [b"RETRYCOUNT", count.as_bytes(), b"FORCE"];
        command(out, &[&[&b"XNACK"[..]][..], whose, &head, &tail].concat());
    }
}

/// Under which names producers added entries.
fn write_producers(out: &mut Vec<u8>, key: &[u8], stream: &Stream) {
    let Some(known) = stream.idempotence() else { return };
    let window = known.window();
    let (duration, names) = (digits(window.duration_s), digits(window.names_max));
    let (duration, names) = (duration.as_bytes(), names.as_bytes());
    command(out, &[b"XCFGSET", key, b"IDMP-DURATION", duration, b"IDMP-MAXSIZE", names]);
    for (producer, name, id) in known.iter() {
        let id = id.text();
        let words = [b"XIDMPRECORD", key, producer.as_slice(), name.as_slice(), id.as_bytes()];
        command(out, &words);
    }
}
