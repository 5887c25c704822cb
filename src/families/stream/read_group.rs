//! Reading for a group, and waiting: XREADGROUP.

use crate::base::time::UnixMillis;
use crate::command::context::{Absence, CmdResult, Flow, Wait, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    BLOCKING, Command, Group, Key, MOVABLE_KEYS, at_least, block, integer, pure, text,
};
use crate::keyspace::journal::Change;
use crate::keyspace::read::Reader;
use crate::keyspace::value::Kind;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::structures::cow_tree::End;
use crate::structures::epoch::Epochs;
use crate::types::stream::group::{Group as ConsumerGroup, Name};
use crate::types::stream::id::Id;
use crate::types::stream::log::Log;
use crate::types::stream::{Body, Stream};

use super::claim::Told;
use super::read::{BLOCK, COUNT, MAXCOUNT, MAXSIZE, STREAMS, begin_stream, close_streams, spend};
use super::read_args::{Budget, ReadArgs, Reads};
use super::{CONSUMER_CREATED, no_group, parse, write_id, write_id_and_words};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] =
    &[Command::new("XREADGROUP", at_least(7), Group::Stream, Write(xreadgroup))
        .keys(&[Key::after("STREAMS", 4, &["RO", "access"]).through(-1, 1, 2)])
        .flags(BLOCKING.and(MOVABLE_KEYS))
        .args(&[
            block("group-block", &[text("group"), text("consumer")]).token("GROUP"),
            COUNT,
            MAXCOUNT,
            MAXSIZE,
            BLOCK,
            integer("min-idle-time").token("CLAIM").optional().since("8.4.0"),
            pure("noack", "NOACK").optional(),
            STREAMS,
        ])
        .doc("5.0.0", "Gives a consumer entries of streams that its group has not read.", "O(M)")];

const DOLLAR: ReplyError = ReplyError::Fixed(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would \
     just return an empty result set.",
);
const PLUS: ReplyError = ReplyError::Fixed(
    "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would \
     just return an empty result set.",
);

/// What is asked of one stream.
#[derive(Clone, Copy, Debug)]
enum From {
    /// What nobody of the group has read.
    New,
    /// What the consumer has had, behind an entry.
    History(Id),
}

impl From {
    fn read(keys: Reader<'_>, key: &[u8], group: &[u8], word: &[u8]) -> Result<Self, ReplyError> {
        let stream = keys.borrow::<Stream>(key)?;
        if stream.and_then(|stream| stream.group(group)).is_none() {
            return Err(no_group(key, group, " in XREADGROUP with GROUP option"));
        }
        match word {
            b"$" => Err(DOLLAR),
            b"+" => Err(PLUS),
            b">" => Ok(Self::New),
            _ => Ok(match parse::id(word)? {
                // Clients that send the greatest identifier mean `>`.
                Id::MAX => Self::New,
                id => Self::History(id),
            }),
        }
    }
}

/// A consumer's visit to one stream.
struct Visit<'a, 'r> {
    log: &'a Log,
    group: &'a mut ConsumerGroup,
    consumer: Name,
    now: i64,
    count: usize,
    budget: &'a mut Budget,
    reply: &'a mut Reply<'r>,
    /// Replies tell how long and how often entries were pending.
    is_detailed: bool,
    /// Entries replied so far.
    replied: usize,
    told: Told<'a>,
}

fn xreadgroup(cx: &mut WriteCx<'_>) -> CmdResult {
    let mut read = ReadArgs::read(&mut cx.args, Reads::ForGroup, cx.keys.now())?;
    let (group, consumer) = read.group.unwrap_or_default();
    let keys = cx.keys.reader();
    let asked: Result<Vec<From>, _> =
        read.streams.iter().map(|(key, word)| From::read(keys, key, group, word)).collect();
    let asked = asked?;

    let opened = cx.reply.open();
    let mut served = 0;
    // Reading again what one has had changes nothing that counts.
    cx.telling.nothing();
    for ((key, _), from) in read.streams.iter().zip(asked) {
        let (now, count, claim, no_ack) = (cx.keys.now().0, read.count, read.claim, read.no_ack);
        let (budget, reply) = (&mut read.budget, &mut cx.reply);
        let mut told = Told { telling: cx.telling, key, group, consumer };
        let was_served = cx.keys.update(key, |stream: &mut Stream, _| {
            let Body { log, groups, .. } = stream.body_mut();
            let visit = |group: &mut ConsumerGroup| {
                let (consumer, is_new) = group.enroll(consumer, now);
                if is_new {
                    told.tell_created();
                }
                group.note_seen(consumer.as_slice(), now, false);
                let is_detailed = claim.is_some() && matches!(from, From::New);
                let replied = 0;
                let mut visit = Visit {
                    log,
                    group,
                    consumer,
                    now,
                    count,
                    budget,
                    reply,
                    is_detailed,
                    replied,
                    told,
                };
                (visit.serve(key, from, claim, no_ack), is_new)
            };
            let (was_served, is_new) = groups.update(group, visit).unwrap_or((false, false));
            let change = match (is_new, was_served) {
                (true, _) => Change::Did(CONSUMER_CREATED, 1),
                (false, true) => Change::Quietly(1),
                (false, false) => Change::None,
            };
            (was_served, change)
        })?;
        served += usize::from(was_served == Some(true));
    }

    if served > 0 {
        close_streams(&mut cx.reply, opened, served);
        return Ok(Flow::Replied);
    }
    if !read.waits {
        cx.reply.null_array();
        return Ok(Flow::Replied);
    }
    let retry_at = read.claim.and_then(|idle| first_claimable(cx, &read.streams, group, idle));
    let keys = read.streams.iter().map(|(key, _)| *key);
    let mut wait = Wait::new(Kind::Stream, keys, read.deadline, Absence::NullArray);
    wait.heeds_loss = true;
    wait.retry_at = retry_at;
    // What one consumer of a group doesn't get, no other does; but who claims has a time of his own.
    if read.claim.is_none() {
        wait.mark = group.into();
    }
    Ok(wait.into())
}

/// When the first entry that is pending now will have been so for `idle` milliseconds.
fn first_claimable(
    cx: &mut WriteCx<'_>,
    streams: &[(&[u8], &[u8])],
    group: &[u8],
    idle: i64,
) -> Option<UnixMillis> {
    let look = |stream: &mut Stream, _: &mut Epochs| {
        let oldest = |group: &mut ConsumerGroup| group.oldest_delivery();
        (stream.body_mut().groups.update(group, oldest).flatten(), Change::None)
    };
    // Each is a stream, if it is there: it was read just now.
    let oldest = streams.iter().filter_map(|(key, _)| cx.keys.update(key, look).ok()??).min()?;
    // Not at once: it was tried just now.
    Some(UnixMillis(oldest.saturating_add(idle).max(cx.keys.now().0.saturating_add(1))))
}

impl Visit<'_, '_> {
    /// Replies with what is asked for; whether anything was said.
    fn serve(&mut self, key: &[u8], from: From, claim: Option<i64>, no_ack: bool) -> bool {
        match from {
            From::History(after) => {
                begin_stream(self.reply, key);
                let opened = self.reply.open();
                self.repeat(after);
                self.reply.close_array(opened, self.replied);
                true
            }
            From::New => {
                let idle = claim.map_or(Vec::new(), |idle| self.claimable(idle));
                let last = self.log.last().map_or(Id::MIN, |last| last.id);
                if idle.is_empty() && last <= self.group.last_id || self.most() == 0 {
                    return false;
                }
                begin_stream(self.reply, key);
                let opened = self.reply.open();
                self.take_over(&idle);
                self.deliver(no_ack);
                self.reply.close_array(opened, self.replied);
                // Who takes without being owed an acknowledgement isn't counted as active.
                let is_active = !no_ack || !idle.is_empty();
                self.group.note_seen(self.consumer.as_slice(), self.now, is_active);
                true
            }
        }
    }

    /// Most entries that may still be replied.
    fn most(&self) -> usize {
        self.budget.entries().min(self.count - self.replied)
    }

    /// What has been pending for `idle` milliseconds. What is no longer in the stream goes.
    fn claimable(&mut self, idle: i64) -> Vec<Id> {
        let mut ids = self.group.idle(self.now.saturating_sub(idle), self.most());
        ids.retain(|id| {
            let is_there = self.log.entry(*id).is_some();
            if !is_there {
                self.group.acknowledge(*id);
                self.told.tell_done(*id);
            }
            is_there
        });
        ids
    }

    fn take_over(&mut self, ids: &[Id]) {
        for id in ids {
            let pending = self.group.pending().get(id);
            let (time, count) = pending.map_or((self.now, 0), |own| (own.time(), own.count));
            let Some(entry) = self.log.entry(*id) else { continue };
            let before = self.reply.output().len();
            self.reply.array(4);
            write_id_and_words(self.reply, &entry);
            self.reply.int(self.now.saturating_sub(time).max(0));
            self.reply.uint(count);
            self.replied += 1;
            let count = count.saturating_add(1);
            self.group.assign(*id, &self.consumer, self.now, count);
            self.told.tell_owned(&[*id], self.now, count, self.group.last_id);
            if !spend(self.budget, self.reply, before) {
                return;
            }
        }
    }

    /// Replies with entries that nobody of the group has read.
    fn deliver(&mut self, no_ack: bool) {
        let Some(first) = self.group.last_id.next() else { return };
        let (facts, most) = (self.log.facts(), self.most());
        let mut delivered = Vec::new();
        for entry in self.log.range(first, Id::MAX, End::Back).take(most) {
            let before = self.reply.output().len();
            self.reply.array(if self.is_detailed { 4 } else { 2 });
            write_id_and_words(self.reply, &entry);
            if self.is_detailed {
                self.reply.int(0);
                self.reply.int(0);
            }
            self.replied += 1;
            self.group.advance(entry.id, &facts);
            if !no_ack {
                self.group.assign(entry.id, &self.consumer, self.now, 1);
            }
            delivered.push(entry.id);
            if !spend(self.budget, self.reply, before) {
                break;
            }
        }
        if delivered.is_empty() || !self.told.telling.is_heard() {
            return;
        }
        let (last, entries_read) = (self.group.last_id, self.group.entries_read);
        if !no_ack {
            self.told.tell_owned(&delivered, self.now, 1, last);
        }
        self.told.tell_position(last, entries_read);
    }

    /// Replies with what the consumer has, behind an entry.
    fn repeat(&mut self, after: Id) {
        let Some(first) = after.next() else { return };
        let Some(consumer) = self.group.consumers().get(self.consumer.as_slice()) else { return };
        let ids: Vec<Id> = consumer.pending_from(first).take(self.most()).collect();
        for id in ids {
            let before = self.reply.output().len();
            self.reply.array(2);
            if let Some(entry) = self.log.entry(id) {
                write_id_and_words(self.reply, &entry);
                let count = self.group.pending().get(&id).map_or(0, |own| own.count);
                self.group.assign(id, &self.consumer, self.now, count.saturating_add(1));
            } else {
                // It was deleted meanwhile.
                write_id(self.reply, id);
                self.reply.null_array();
            }
            self.replied += 1;
            if !spend(self.budget, self.reply, before) {
                return;
            }
        }
    }
}
