//! What is known of a stream, its groups and their consumers: XINFO.

use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Container, Help, Read};
use crate::command::spec::{
    Command, Group, Key, LOADING, STALE, at_least, block, exactly, integer, key, pure, text,
};
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::types::stream::Stream;
use crate::types::stream::group::{Consumer, Group as ConsumerGroup, Name, Pending};
use crate::types::stream::id::Id;
use crate::types::stream::idempotence::Idempotence;
use crate::types::stream::progress::Facts;

use super::{write_entries, write_entry, write_id};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] =
    &[Command::new("XINFO", at_least(2), Group::Stream, Container)
        .doc("5.0.0", "Tells what is known of streams.", "Depends on the subcommand.")
        .subcommands(&[
            Command::new("CONSUMERS", exactly(4), Group::Stream, Read(consumers))
                .keys(&[Key::at(2, &["RO", "access"])])
                .args(&[key("key"), text("group")])
                .tips(&["nondeterministic_output"])
                .doc("5.0.0", "Lists the consumers of a group.", "O(1)"),
            Command::new("GROUPS", exactly(3), Group::Stream, Read(groups))
                .keys(&[Key::at(2, &["RO", "access"])])
                .args(&[key("key")])
                .doc("5.0.0", "Lists the groups of a stream.", "O(1)"),
            Command::new("HELP", exactly(2), Group::Stream, Help(HELP))
                .flags(LOADING.and(STALE))
                .doc("5.0.0", "Lists the subcommands of XINFO.", "O(1)"),
            Command::new("STREAM", at_least(3), Group::Stream, Read(stream))
                .keys(&[Key::at(2, &["RO", "access"])])
                .args(&[
                    key("key"),
                    block(
                        "full-block",
                        &[pure("full", "FULL"), integer("count").token("COUNT").optional()],
                    )
                    .optional(),
                ])
                .doc("5.0.0", "Tells what is known of a stream.", "O(1)"),
        ])];

const HELP: &[&str] = &[
    "CONSUMERS <key> <groupname>",
    "    List the consumers of a group.",
    "GROUPS <key>",
    "    List the groups of a stream.",
    "STREAM <key> [FULL [COUNT <count>]]",
    "    Tell what is known of a stream; with FULL, of its groups and consumers too.",
];

/// Entries shown by FULL without COUNT.
const FULL_COUNT: usize = 10;

fn no_such_group(key: &[u8], group: &[u8]) -> ReplyError {
    let parts: [&[u8]; 5] =
        [b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"];
    ReplyError::Bytes(parts.concat().into())
}

fn found<'a>(cx: &ReadCx<'a>, key: &[u8]) -> Result<&'a Stream, ReplyError> {
    cx.keys.borrow::<Stream>(key)?.ok_or(ReplyError::NoSuchKey)
}

fn consumers(cx: &mut ReadCx<'_>) -> CmdResult {
    cx.args.seek(2);
    let (key, name) = (cx.args.bytes()?, cx.args.bytes()?);

    let stream = found(cx, key)?;
    let group = stream.group(name).ok_or_else(|| no_such_group(key, name))?;
    let now = cx.keys.now().0;
    cx.reply.array(group.consumers().len());
    for (name, consumer) in group.consumers().iter() {
        cx.reply.map(4);
        write_named(&mut cx.reply, name, consumer.pending_count());
        cx.reply.bulk(b"idle");
        cx.reply.int(now.saturating_sub(consumer.seen).max(0));
        cx.reply.bulk(b"inactive");
        let inactive = consumer.active.map(|active| now.saturating_sub(active).max(0));
        cx.reply.int(inactive.unwrap_or(-1));
    }
    Ok(Flow::Replied)
}

fn write_named(reply: &mut Reply<'_>, name: &Name, pending: usize) {
    reply.bulk(b"name");
    reply.bulk(name.as_slice());
    reply.bulk(b"pending");
    reply.count(pending);
}

fn groups(cx: &mut ReadCx<'_>) -> CmdResult {
    cx.args.seek(2);
    let stream = found(cx, cx.args.word(2))?;

    let facts = stream.log().facts();
    cx.reply.array(stream.groups().len());
    for (name, group) in stream.groups().iter() {
        cx.reply.map(6);
        cx.reply.bulk(b"name");
        cx.reply.bulk(name.as_slice());
        cx.reply.bulk(b"consumers");
        cx.reply.count(group.consumers().len());
        cx.reply.bulk(b"pending");
        cx.reply.count(group.pending().len());
        write_progress(&mut cx.reply, group, &facts);
    }
    Ok(Flow::Replied)
}

/// Three pairs.
fn write_progress(reply: &mut Reply<'_>, group: &ConsumerGroup, facts: &Facts) {
    reply.bulk(b"last-delivered-id");
    write_id(reply, group.last_id);
    reply.bulk(b"entries-read");
    match group.entries_read {
        Some(read) => reply.uint(read),
        None => reply.null(),
    }
    reply.bulk(b"lag");
    match facts.lag(group) {
        Some(lag) => reply.int(lag),
        None => reply.null(),
    }
}

fn stream(cx: &mut ReadCx<'_>) -> CmdResult {
    cx.args.seek(2);
    // Clients are told of an absent key before a bad option.
    let stream = found(cx, cx.args.word(2))?;
    cx.args.bytes()?;
    let mut full = None;
    if !cx.args.is_done() {
        let is_full = cx.args.accept("FULL");
        let has_count = is_full && cx.args.left() == 2 && cx.args.accept("COUNT");
        full = Some(FULL_COUNT);
        if has_count {
            full = Some(match cx.args.int()? {
                0 => usize::MAX,
                count => usize::try_from(count).unwrap_or(FULL_COUNT),
            });
        }
        if !is_full || !cx.args.is_done() {
            let parts: [&[u8]; 3] = [
                b"ERR unknown subcommand or wrong number of arguments for '",
                cx.args.word(1),
                b"'. Try XINFO HELP.",
            ];
            return Err(ReplyError::Bytes(parts.concat().into()));
        }
    }

    if full.is_some_and(|count| cx.is_long(shown_fully(stream, count))) {
        return Ok(Flow::Away(None));
    }
    match full {
        None => describe(cx, stream),
        Some(count) => describe_fully(cx, stream, count),
    }
    Ok(Flow::Replied)
}

/// Pairs of streams whose producers name their entries. Others don't have them: clients of before
/// Redis 8.6 count the pairs.
const IDEMPOTENCE_PAIRS: usize = 6;

/// Number of pairs that both forms begin with.
fn common_pairs(stream: &Stream) -> usize {
    7 + stream.idempotence().map_or(0, |_| IDEMPOTENCE_PAIRS)
}

fn write_common(cx: &mut ReadCx<'_>, stream: &Stream) {
    let (log, facts) = (stream.log(), stream.log().facts());
    let reply = &mut cx.reply;
    let mut count = |name: &[u8], count: usize| {
        reply.bulk(name);
        reply.count(count);
    };
    count(b"length", log.len());
    count(b"radix-tree-keys", log.node_count());
    // One for each key and one above them: what Redis has while keys have nothing in common.
    count(b"radix-tree-nodes", log.node_count() + 1);
    let mut id = |name: &[u8], id: Id| {
        reply.bulk(name);
        write_id(reply, id);
    };
    id(b"last-generated-id", facts.last_id);
    id(b"max-deleted-entry-id", facts.max_deleted_id);
    reply.bulk(b"entries-added");
    reply.uint(facts.added);
    reply.bulk(b"recorded-first-entry-id");
    write_id(reply, facts.first_id);
    if let Some(known) = stream.idempotence() {
        write_idempotence(reply, known);
    }
}

fn write_idempotence(reply: &mut Reply<'_>, known: &Idempotence) {
    let window = known.window();
    let pairs: [(&[u8], u64); IDEMPOTENCE_PAIRS] = [
        (b"idmp-duration", window.duration_s),
        (b"idmp-maxsize", window.names_max as u64),
        (b"pids-tracked", known.producer_count() as u64),
        (b"iids-tracked", known.name_count() as u64),
        (b"iids-added", known.added()),
        (b"iids-duplicates", known.repeated()),
    ];
    for (name, number) in pairs {
        reply.bulk(name);
        reply.uint(number);
    }
}

fn describe(cx: &mut ReadCx<'_>, stream: &Stream) {
    cx.reply.map(common_pairs(stream) + 3);
    write_common(cx, stream);
    cx.reply.bulk(b"groups");
    cx.reply.count(stream.groups().len());
    let ends = [(&b"first-entry"[..], stream.log().first()), (b"last-entry", stream.log().last())];
    for (name, entry) in ends {
        cx.reply.bulk(name);
        match entry {
            Some(entry) => write_entry(&mut cx.reply, &entry),
            None => cx.reply.null(),
        }
    }
}

/// How many entries, and owners of entries, FULL shows when it shows `count` of each list.
fn shown_fully(stream: &Stream, count: usize) -> usize {
    let of_group = |group: &ConsumerGroup| {
        let consumers = group.consumers().len();
        consumers + 2 * group.pending().len().min(count.saturating_mul(consumers + 1))
    };
    let groups: usize = stream.groups().iter().map(|(_, group)| of_group(group)).sum();
    stream.log().len().min(count) + groups
}

fn describe_fully(cx: &mut ReadCx<'_>, stream: &Stream, count: usize) {
    cx.reply.map(common_pairs(stream) + 2);
    write_common(cx, stream);
    cx.reply.bulk(b"entries");
    write_entries(&mut cx.reply, stream.log().iter().take(count));
    cx.reply.bulk(b"groups");
    cx.reply.array(stream.groups().len());
    let facts = stream.log().facts();
    for (name, group) in stream.groups().iter() {
        let reply = &mut cx.reply;
        reply.map(8);
        reply.bulk(b"name");
        reply.bulk(name.as_slice());
        write_progress(reply, group, &facts);
        reply.bulk(b"pel-count");
        reply.count(group.pending().len());
        reply.bulk(b"nacked-count");
        reply.count(group.released_count());
        reply.bulk(b"pending");
        reply.array(group.pending().len().min(count));
        for (id, pending) in group.pending().iter().take(count) {
            reply.array(4);
            write_id(reply, *id);
            reply.bulk(pending.owner().map_or(b"", Name::as_slice));
            reply.int(pending.time());
            reply.uint(pending.count);
        }
        reply.bulk(b"consumers");
        reply.array(group.consumers().len());
        for (name, consumer) in group.consumers().iter() {
            write_consumer(reply, group, (name, consumer), count);
        }
    }
}

fn write_consumer(
    reply: &mut Reply<'_>,
    group: &ConsumerGroup,
    (name, consumer): (&Name, &Consumer),
    count: usize,
) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(name.as_slice());
    reply.bulk(b"seen-time");
    reply.int(consumer.seen);
    reply.bulk(b"active-time");
    reply.int(consumer.active.unwrap_or(-1));
    reply.bulk(b"pel-count");
    reply.count(consumer.pending_count());
    reply.bulk(b"pending");
    reply.array(consumer.pending_count().min(count));
    for id in consumer.pending_from(Id::MIN).take(count) {
        let pending = group.pending().get(&id);
        reply.array(3);
        write_id(reply, id);
        reply.int(pending.map_or(0, Pending::time));
        reply.uint(pending.map_or(0, |pending| pending.count));
    }
}
