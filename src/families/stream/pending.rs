//! What groups have delivered and not seen acknowledged: XACK, XNACK, XPENDING.

use crate::base::number::parse_int;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Command, FAST, Group, Key, at_least, block, integer, key, one_of, pure, text,
};
use crate::keyspace::journal::Change;
use crate::protocol::error::ReplyError;
use crate::types::stream::group::{Group as ConsumerGroup, Pending};
use crate::types::stream::id::Id;
use crate::types::stream::{Body, Stream};

use super::{no_group, parse, write_id};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("XACK", at_least(4), Group::Stream, Write(xack))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .args(&[key("key"), text("group"), text("id").repeated()])
        .doc("5.0.0", "Says that entries delivered to a group are done with.", "O(1)"),
    Command::new("XNACK", at_least(7), Group::Stream, Write(xnack))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .args(&[
            key("key"),
            text("group"),
            one_of(
                "mode",
                &[pure("silent", "SILENT"), pure("fail", "FAIL"), pure("fatal", "FATAL")],
            ),
            block("ids", &[integer("numids"), text("id").repeated()]).token("IDS"),
            integer("count").token("RETRYCOUNT").optional(),
            pure("force", "FORCE").optional(),
        ])
        .doc("8.8.0", "Gives entries back to the group for others to claim.", "O(log N)"),
    Command::new("XPENDING", at_least(3), Group::Stream, Read(xpending))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            text("group"),
            block(
                "filters",
                &[
                    integer("min-idle-time").token("IDLE").optional().since("6.2.0"),
                    text("start"),
                    text("end"),
                    integer("count"),
                    text("consumer").optional(),
                ],
            )
            .optional(),
        ])
        .tips(&["nondeterministic_output"])
        .doc("5.0.0", "Tells what a group has delivered and not seen acknowledged.", "O(N)"),
];

const BAD_MODE: ReplyError = ReplyError::Fixed("ERR mode must be SILENT, FAIL, or FATAL");
const IDS_MISCOUNTED: ReplyError = ReplyError::Fixed("ERR number of IDs doesn't match numids");
const BAD_RETRIES: ReplyError = ReplyError::Fixed("ERR Invalid RETRYCOUNT value, must be >= 0");
const NO_IDS: ReplyError = ReplyError::Fixed("ERR syntax error, expected IDS keyword");
const IDS_NOT_POSITIVE: ReplyError =
    ReplyError::Fixed("ERR Number of IDs must be a positive integer");

fn xack(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, name) = (cx.args.bytes()?, cx.args.bytes()?);
    let args = &mut cx.args;

    // Clients see no bad identifier where there is no group.
    let count = cx.keys.update(key, |stream: &mut Stream, _| {
        let acknowledge = |group: &mut ConsumerGroup| -> Result<usize, ReplyError> {
            let ids = parse::ids(args)?;
            Ok(ids.into_iter().filter(|id| group.acknowledge(*id)).count())
        };
        match stream.body_mut().groups.update(name, acknowledge) {
            None | Some(Ok(0)) => (Ok(0), Change::None),
            Some(Ok(count)) => (Ok(count), Change::Quietly(count as u64)),
            Some(Err(error)) => (Err(error), Change::None),
        }
    })?;

    cx.reply.count(count.transpose()?.unwrap_or(0));
    Ok(Flow::Replied)
}

/// How entries are given back.
#[derive(Clone, Copy, Debug)]
enum Mode {
    /// As if they had not been delivered.
    Silent,
    Fail,
    /// Nobody shall try again.
    Fatal,
}

impl Mode {
    fn retries(self, before: u64) -> u64 {
        match self {
            Self::Silent => before.saturating_sub(1),
            Self::Fail => before,
            Self::Fatal => i64::MAX.unsigned_abs(),
        }
    }
}

fn xnack(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, name) = (cx.args.bytes()?, cx.args.bytes()?);
    let modes = [("SILENT", Mode::Silent), ("FAIL", Mode::Fail), ("FATAL", Mode::Fatal)];
    let mode = modes.into_iter().find(|(word, _)| cx.args.accept(word)).ok_or(BAD_MODE)?.1;
    if !cx.args.accept("IDS") {
        return Err(NO_IDS);
    }
    let count = cx.args.bytes().ok().and_then(parse_int).filter(|count| *count > 0);
    let count = count.and_then(|count| usize::try_from(count).ok()).ok_or(IDS_NOT_POSITIVE)?;
    if count > cx.args.left() {
        return Err(IDS_MISCOUNTED);
    }
    let ids: Result<Vec<Id>, _> = (0..count).map(|_| parse::id(cx.args.bytes()?)).collect();
    let ids = ids?;
    let (mut retries, mut is_forced) = (None, false);
    while let Some(word) = cx.args.peek() {
        if cx.args.left() > 1 && cx.args.accept("RETRYCOUNT") {
            let read = parse_int(cx.args.bytes()?).and_then(|count| u64::try_from(count).ok());
            retries = Some(read.ok_or(BAD_RETRIES)?);
        } else if cx.args.accept("FORCE") {
            is_forced = true;
        } else {
            let parts: [&[u8]; 3] = [b"ERR Unrecognized XNACK option '", word, b"'"];
            return Err(ReplyError::Bytes(parts.concat().into()));
        }
    }

    let released = cx.keys.update(key, |stream: &mut Stream, _| {
        let Body { log, groups, .. } = stream.body_mut();
        let release = |group: &mut ConsumerGroup| {
            let release = |id: &&Id| {
                let before = group.pending().get(*id).map(|pending| pending.count);
                if before.is_none() && !(is_forced && log.entry(**id).is_some()) {
                    return false;
                }
                let retries = retries.unwrap_or_else(|| mode.retries(before.unwrap_or(0)));
                group.release(**id, retries);
                true
            };
            ids.iter().filter(release).count()
        };
        match groups.update(name, release) {
            Some(0) => (Some(0), Change::None),
            Some(count) => (Some(count), Change::Quietly(count as u64)),
            None => (None, Change::None),
        }
    })?;

    cx.reply.count(released.flatten().ok_or_else(|| no_group(key, name, ""))?);
    Ok(Flow::Replied)
}

/// The filters of XPENDING.
struct Filters<'a> {
    idle: i64,
    start: Id,
    end: Id,
    count: usize,
    consumer: Option<&'a [u8]>,
}

fn xpending(cx: &mut ReadCx<'_>) -> CmdResult {
    let (key, name) = (cx.args.bytes()?, cx.args.bytes()?);
    let filters = filters(cx)?;

    let stream = cx.keys.borrow::<Stream>(key)?;
    let group =
        stream.and_then(|stream| stream.group(name)).ok_or_else(|| no_group(key, name, ""))?;
    match filters {
        None => summarize(cx, group),
        Some(filters) => list(cx, group, &filters),
    }
    Ok(Flow::Replied)
}

fn filters<'a>(cx: &mut ReadCx<'a>) -> Result<Option<Filters<'a>>, ReplyError> {
    let words = cx.args.word_count();
    if words == 3 {
        return Ok(None);
    }
    if !(6..=9).contains(&words) {
        return Err(ReplyError::Syntax);
    }
    let mut idle = 0;
    if cx.args.accept("IDLE") {
        idle = cx.args.int()?;
        if words < 8 {
            return Err(ReplyError::Syntax);
        }
    }
    let (start, end) = (cx.args.bytes()?, cx.args.bytes()?);
    let count = parse::count(&mut cx.args)?;
    let (start, end) = (parse::start(start)?, parse::end(end)?);
    let consumer = cx.args.bytes().ok();
    Ok(Some(Filters { idle, start, end, count, consumer }))
}

fn summarize(cx: &mut ReadCx<'_>, group: &ConsumerGroup) {
    cx.reply.array(4);
    cx.reply.count(group.pending().len());
    let (Some((first, _)), Some((last, _))) = (group.pending().first(), group.pending().last())
    else {
        cx.reply.null();
        cx.reply.null();
        cx.reply.null_array();
        return;
    };
    write_id(&mut cx.reply, *first);
    write_id(&mut cx.reply, *last);
    let opened = cx.reply.open();
    let mut count = 0;
    for (name, consumer) in group.consumers().iter().filter(|(_, own)| own.pending_count() > 0) {
        cx.reply.array(2);
        cx.reply.bulk(name.as_slice());
        let mut digits = itoa::Buffer::new();
        cx.reply.bulk(digits.format(consumer.pending_count()).as_bytes());
        count += 1;
    }
    cx.reply.close_array(opened, count);
}

fn list(cx: &mut ReadCx<'_>, group: &ConsumerGroup, filters: &Filters<'_>) {
    let now = cx.keys.now().0;
    let is_wanted =
        |pending: &Pending| filters.idle <= 0 || now.saturating_sub(pending.time()) >= filters.idle;
    let found: Vec<(Id, &Pending)> = match filters.consumer {
        None => {
            let all = group.pending().iter_from(&filters.start);
            let within = all.take_while(|(id, _)| **id <= filters.end);
            let wanted = within.filter(|(_, pending)| is_wanted(pending));
            wanted.map(|(id, pending)| (*id, pending)).take(filters.count).collect()
        }
        Some(name) => {
            let own = group.consumers().get(name).into_iter();
            let own = own.flat_map(|consumer| consumer.pending_from(filters.start));
            let within = own.take_while(|id| *id <= filters.end);
            let with_facts = within.filter_map(|id| Some((id, group.pending().get(&id)?)));
            with_facts.filter(|(_, pending)| is_wanted(pending)).take(filters.count).collect()
        }
    };
    cx.reply.array(found.len());
    for (id, pending) in found {
        cx.reply.array(4);
        write_id(&mut cx.reply, id);
        if let Some(owner) = pending.owner() {
            cx.reply.bulk(owner.as_slice());
            cx.reply.int(now.saturating_sub(pending.time()).max(0));
        } else {
            cx.reply.bulk(b"");
            cx.reply.int(-1);
        }
        cx.reply.uint(pending.count);
    }
}
