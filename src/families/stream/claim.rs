//! Taking pending entries over: XCLAIM, XAUTOCLAIM.

use crate::base::number::{digits, parse_int};
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::propagate::Telling;
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, FAST, Group, Key, at_least, integer, key, pure, text, unix_time,
};
use crate::keyspace::journal::Change;
use crate::keyspace::packed::Opened;
use crate::protocol::error::ReplyError;
use crate::types::stream::group::{Group as ConsumerGroup, Name};
use crate::types::stream::id::{Id, IdText};
use crate::types::stream::log::Log;
use crate::types::stream::{Body, Stream};

use super::{CONSUMER_CREATED, no_group, parse, write_entry, write_id};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("XCLAIM", at_least(6), Group::Stream, Write(xclaim))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .args(&[
            key("key"),
            text("group"),
            text("consumer"),
            text("min-idle-time"),
            text("id").repeated(),
            integer("ms").token("IDLE").optional(),
            unix_time("unix-time-milliseconds").token("TIME").optional(),
            integer("count").token("RETRYCOUNT").optional(),
            pure("force", "FORCE").optional(),
            pure("justid", "JUSTID").optional(),
            text("lastid").token("LASTID").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .doc("5.0.0", "Gives a consumer entries that are pending for others.", "O(log N)"),
    Command::new("XAUTOCLAIM", at_least(6), Group::Stream, Write(xautoclaim))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .flags(FAST)
        .args(&[
            key("key"),
            text("group"),
            text("consumer"),
            text("min-idle-time"),
            text("start"),
            integer("count").token("COUNT").optional(),
            pure("justid", "JUSTID").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .doc("6.2.0", "Gives a consumer entries that have been pending for long.", "O(1)"),
];

const BAD_COUNT: ReplyError = ReplyError::Fixed("ERR COUNT must be > 0");
const BAD_IDLE: ReplyError = ReplyError::Fixed("ERR Invalid IDLE option argument for XCLAIM");
const BAD_TIME: ReplyError = ReplyError::Fixed("ERR Invalid TIME option argument for XCLAIM");
const BAD_RETRIES: ReplyError =
    ReplyError::Fixed("ERR Invalid RETRYCOUNT option argument for XCLAIM");
const BAD_MIN_IDLE: ReplyError = ReplyError::Fixed("ERR Invalid min-idle-time argument for XCLAIM");
const BAD_MIN_IDLE_AUTO: ReplyError =
    ReplyError::Fixed("ERR Invalid min-idle-time argument for XAUTOCLAIM");

/// Pending entries that one XAUTOCLAIM looks at, per entry that it may claim.
const ATTEMPTS_PER_CLAIM: usize = 10;
const AUTOCLAIM_COUNT: usize = 100;
/// Redis would need 16 bytes for each.
const COUNT_MAX: i64 = i64::MAX / 16;

/// The options of XCLAIM.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    /// Unix milliseconds of the delivery, as said.
    time: Option<i64>,
    retries: Option<u64>,
    is_forced: bool,
    just_id: bool,
    last_id: Option<Id>,
}

impl Options {
    fn read(cx: &mut WriteCx<'_>) -> Result<Self, ReplyError> {
        let now = cx.keys.now().0;
        let mut options = Self::default();
        let number = |word, error| parse_int(word).ok_or(error);
        while let Some(word) = cx.args.peek() {
            let args = &mut cx.args;
            let has_more = args.left() > 1;
            if args.accept("FORCE") {
                options.is_forced = true;
            } else if args.accept("JUSTID") {
                options.just_id = true;
            } else if has_more && args.accept("IDLE") {
                let idle = number(args.bytes()?, BAD_IDLE)?;
                options.time = Some(now.saturating_sub(idle));
            } else if has_more && args.accept("TIME") {
                options.time = Some(number(args.bytes()?, BAD_TIME)?);
            } else if has_more && args.accept("RETRYCOUNT") {
                options.retries = u64::try_from(number(args.bytes()?, BAD_RETRIES)?).ok();
            } else if has_more && args.accept("LASTID") {
                options.last_id = Some(parse::id(args.bytes()?)?);
            } else {
                let parts: [&[u8]; 3] = [b"ERR Unrecognized XCLAIM option '", word, b"'"];
                return Err(ReplyError::Bytes(parts.concat().into()));
            }
        }
        // Nothing was delivered in the future, nor before time began.
        options.time = options.time.filter(|time| (0..=now).contains(time));
        Ok(options)
    }
}

/// A consumer claiming entries of one stream.
struct Claim<'a> {
    log: &'a Log,
    group: &'a mut ConsumerGroup,
    consumer: Name,
    now: i64,
    min_idle: i64,
    options: Options,
    claimed: Vec<Id>,
    telling: Told<'a>,
}

/// Where it is told what a consumer got.
pub(super) struct Told<'a> {
    pub telling: &'a mut Telling,
    pub key: &'a [u8],
    pub group: &'a [u8],
    pub consumer: &'a [u8],
}

impl Told<'_> {
    /// These entries are pending for the consumer, delivered at `time` for the `count`th time.
    pub(super) fn tell_owned(&mut self, ids: &[Id], time: i64, count: u64, last: Id) {
        if ids.is_empty() || !self.telling.is_heard() {
            return;
        }
        let ids: Vec<_> = ids.iter().map(|id| id.text()).collect();
        let (time, count, last) = (digits(time), digits(count), last.text());
        let mut words: Vec<&[u8]> = vec![b"XCLAIM", self.key, self.group, self.consumer, b"0"];
        words.extend(ids.iter().map(IdText::as_bytes));
        words.extend([&b"TIME"[..], time.as_bytes(), b"RETRYCOUNT", count.as_bytes()]);
        words.extend([&b"FORCE"[..], b"JUSTID", b"LASTID", last.as_bytes()]);
        self.telling.instead(words);
    }

    /// An entry is pending no longer.
    pub(super) fn tell_done(&mut self, id: Id) {
        self.telling.instead([b"XACK", self.key, self.group, id.text().as_bytes()]);
    }

    /// The consumer is new.
    pub(super) fn tell_created(&mut self) {
        let words = [&b"XGROUP"[..], b"CREATECONSUMER", self.key, self.group, self.consumer];
        self.telling.instead(words);
    }

    /// How far the group has read.
    pub(super) fn tell_position(&mut self, last: Id, entries_read: Option<u64>) {
        let (last, read) = (last.text(), entries_read.map_or("-1".into(), digits));
        let words = [b"SETID", self.key, self.group, last.as_bytes(), b"ENTRIESREAD"];
        let tail = [read.as_bytes()];
        self.telling.instead([&[&b"XGROUP"[..]][..], &words, &tail].concat());
    }
}

/// What became of one entry.
enum Outcome {
    Claimed,
    /// It is no longer in the stream, and now neither pending.
    Gone,
    /// It is not pending, or not for long enough.
    Left,
}

impl Claim<'_> {
    fn claim(&mut self, id: Id) -> Outcome {
        if self.log.entry(id).is_none() {
            if !self.group.acknowledge(id) {
                return Outcome::Left;
            }
            self.telling.tell_done(id);
            return Outcome::Gone;
        }
        let before = match self.group.pending().get(&id) {
            Some(pending) => {
                let idle = self.now.saturating_sub(pending.time());
                if self.min_idle > 0 && idle < self.min_idle {
                    return Outcome::Left;
                }
                pending.count
            }
            // As if it had been delivered once.
            None if self.options.is_forced => 1,
            None => return Outcome::Left,
        };
        let usual = before.saturating_add(u64::from(!self.options.just_id));
        let count = self.options.retries.unwrap_or(usual);
        let time = self.options.time.unwrap_or(self.now);
        self.group.assign(id, &self.consumer, time, count);
        self.telling.tell_owned(&[id], time, count, self.group.last_id);
        self.claimed.push(id);
        Outcome::Claimed
    }
}

/// Who claims, and from whom.
struct Claimant<'a> {
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    min_idle: i64,
}

/// Has a consumer claim; says what it got and what `run` says.
fn claim<R>(
    cx: &mut WriteCx<'_>,
    who: &Claimant<'_>,
    options: Options,
    run: impl FnOnce(&mut Claim<'_>) -> R,
) -> Result<(Vec<Id>, R), ReplyError> {
    let (now, min_idle) = (cx.keys.now().0, who.min_idle);
    let telling = &mut *cx.telling;
    // What is told is told entry by entry; what isn't has changed nothing that counts.
    telling.nothing();
    let done = cx.keys.update(who.key, |stream: &mut Stream, _| {
        let Body { log, groups, .. } = stream.body_mut();
        let claim = |group: &mut ConsumerGroup| {
            let Claimant { key, group: name, consumer, .. } = *who;
            let mut telling = Told { telling, key, group: name, consumer };
            if let Some(last_id) = options.last_id
                && last_id > group.last_id
            {
                group.last_id = last_id;
                telling.tell_position(last_id, group.entries_read);
            }
            let (consumer, is_new) = group.enroll(who.consumer, now);
            if is_new {
                telling.tell_created();
            }
            group.note_seen(who.consumer, now, false);
            let claimed = Vec::new();
            let mut claim =
                Claim { log, group, consumer, now, min_idle, options, claimed, telling };
            let result = run(&mut claim);
            let claimed = claim.claimed;
            if !claimed.is_empty() {
                group.note_seen(who.consumer, now, true);
            }
            let change = match claimed.len() as u64 {
                units if is_new => Change::Did(CONSUMER_CREATED, units + 1),
                0 => Change::None,
                units => Change::Quietly(units),
            };
            ((claimed, result), change)
        };
        match groups.update(who.group, claim) {
            Some((result, change)) => (Some(result), change),
            None => (None, Change::None),
        }
    })?;
    done.flatten().ok_or_else(|| no_group(who.key, who.group, ""))
}

/// Replies with what was claimed.
fn write_claimed(cx: &mut WriteCx<'_>, key: &[u8], claimed: &[Id], just_id: bool) {
    let reply = &mut cx.reply;
    let stream = cx.keys.reader().peek(key).and_then(|value| value.collection::<Stream>().ok());
    let Some(stream) = stream.and_then(Opened::borrowed) else {
        reply.array(0);
        return;
    };
    reply.array(claimed.len());
    for id in claimed {
        match stream.log().entry(*id) {
            Some(entry) if !just_id => write_entry(reply, &entry),
            _ => write_id(reply, *id),
        }
    }
}

fn xclaim(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, group, consumer) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    // Clients are told of an absent group first.
    let stream = cx.keys.reader().borrow::<Stream>(key)?;
    if stream.and_then(|stream| stream.group(group)).is_none() {
        return Err(no_group(key, group, ""));
    }
    let min_idle = parse_int(cx.args.bytes()?).ok_or(BAD_MIN_IDLE)?;
    let mut ids = Vec::new();
    while let Some(Ok(id)) = cx.args.peek().map(parse::id) {
        cx.args.bytes()?;
        ids.push(id);
    }
    let options = Options::read(cx)?;

    let who = Claimant { key, group, consumer, min_idle };
    let (claimed, ()) = claim(cx, &who, options, |claim| {
        for id in &ids {
            claim.claim(*id);
        }
    })?;

    write_claimed(cx, key, &claimed, options.just_id);
    Ok(Flow::Replied)
}

fn xautoclaim(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, group, consumer) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let min_idle = parse_int(cx.args.bytes()?).ok_or(BAD_MIN_IDLE_AUTO)?;
    let start = parse::start(cx.args.bytes()?)?;
    let (mut count, mut options) = (AUTOCLAIM_COUNT, Options::default());
    while !cx.args.is_done() {
        if cx.args.left() > 1 && cx.args.accept("COUNT") {
            let read = parse_int(cx.args.bytes()?).filter(|count| (1..=COUNT_MAX).contains(count));
            count = read.and_then(|count| usize::try_from(count).ok()).ok_or(BAD_COUNT)?;
        } else if cx.args.accept("JUSTID") {
            options.just_id = true;
        } else {
            return Err(ReplyError::Syntax);
        }
    }

    let stream = cx.keys.reader().borrow::<Stream>(key)?;
    let found = stream.and_then(|stream| stream.group(group));
    let pending = found.ok_or_else(|| no_group(key, group, ""))?.pending();
    // One more than is looked at: there the next call goes on.
    let attempts = count.saturating_mul(ATTEMPTS_PER_CLAIM);
    let from_start = pending.iter_from(&start).map(|(id, _)| *id);
    let candidates: Vec<Id> = from_start.take(attempts.saturating_add(1)).collect();

    let who = Claimant { key, group, consumer, min_idle };
    let mut gone = Vec::new();
    let (claimed, looked_at) = claim(cx, &who, options, |claim| {
        let mut looked_at = 0;
        while let Some(id) = candidates[..attempts.min(candidates.len())].get(looked_at)
            && claim.claimed.len() + gone.len() < count
        {
            if let Outcome::Gone = claim.claim(*id) {
                gone.push(*id);
            }
            looked_at += 1;
        }
        looked_at
    })?;

    cx.reply.array(3);
    write_id(&mut cx.reply, candidates.get(looked_at).copied().unwrap_or(Id::MIN));
    write_claimed(cx, key, &claimed, options.just_id);
    cx.reply.array(gone.len());
    for id in gone {
        write_id(&mut cx.reply, id);
    }
    Ok(Flow::Replied)
}
