//! Clients that wait for data: in order of arrival at every key, served when the journal tells
//! that a key may have what they wait for.
//!
//! Facts only mark keys as ready. After the command, the transaction or the round of expiry that
//! brought them, the waiting requests are run again from the start, oldest first, through the
//! gates and with the effects of any request; what is counted once (calls, slow log) is counted
//! when the answer comes. A request that finds nothing again keeps its place.
//!
//! 1. A client with `waiting` has the flag `BLOCKED` and stands in the line of each of its keys
//!    under its ticket, and no other does. Its later requests are held by the shell.
//! 2. A line is there as long as somebody stands in it; `is_ready` says that its key is in `ready`.
//! 3. Nobody pays for those who wait: one set of deadlines has a single earliest moment.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::Wait;
use crate::keyspace::DbIndex;
use crate::keyspace::journal::{
    COPY_TO, DEL, EVICTED, EXPIRED, Event, FLUSHED, Listening, MOVE_FROM, MOVE_TO, NEW,
    OVERWRITTEN, RENAME_FROM, RENAME_TO, Record, SWAPPED, TYPE_CHANGED,
};
use crate::keyspace::value::Kind;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::{Output, Reply};

use super::client::{ClientFlags, ClientKey};
use super::dispatch::{Cost, Manner, Unanswered};
use super::gates::Verdict;
use super::registry::RowIndex;
use super::transaction::Queued;
use super::{Effect, Engine};
use crate::structures::size_class::btree_bytes;

/// Bytes of a key that is waited for, about.
const KEY_BYTES: usize = 24;

/// Everybody who waits.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    lines: BTreeMap<DbIndex, BTreeMap<Box<[u8]>, Line>>,
    /// Keys that may have what somebody waits for, in the order in which they got it.
    ready: VecDeque<(DbIndex, Box<[u8]>)>,
    deadlines: BTreeSet<(UnixMillis, ClientKey)>,
    /// Who is to be tried again at what time, though nothing may happen until then.
    alarms: BTreeSet<(UnixMillis, ClientKey)>,
    tickets: u64,
}

/// Who waits for one key, oldest first.
#[derive(Debug, Default)]
struct Line {
    waiters: BTreeMap<u64, Waiter>,
    /// How many of them heed the loss of the key.
    heeding_loss: usize,
    is_ready: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    client: ClientKey,
    kind: Kind,
    heeds_loss: bool,
}

/// What a client waits for.
#[derive(Debug)]
pub(super) struct Waiting {
    request: Queued,
    db: DbIndex,
    keys: Vec<Box<[u8]>>,
    deadline: Option<UnixMillis>,
    retry_at: Option<UnixMillis>,
    mark: Box<[u8]>,
    ticket: u64,
    /// Time that went into running it so far.
    nanos: u64,
}

/// Why somebody waits no longer, though there is nothing for him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unblocked {
    /// The time is over, or is said to be.
    TimedOut,
    /// This is the reply.
    Refused(ReplyError),
}

impl Waiting {
    /// Bytes of memory taken.
    pub(super) fn memory_bytes(&self) -> usize {
        let keys = self.keys.iter().map(|key| key.len() + size_of::<Box<[u8]>>());
        size_of::<Self>() + self.request.memory_bytes() + keys.sum::<usize>()
    }
}

impl Blocked {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether some key may have what somebody waits for.
    #[inline]
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The first moment at which somebody's time is over, or he is to be tried again.
    pub(super) fn next_due(&self) -> Option<UnixMillis> {
        // The last moment of waiting is a whole millisecond long.
        let end = self.deadlines.first().map(|(at, _)| UnixMillis(at.0.saturating_add(1)));
        let alarm = self.alarms.first().map(|(at, _)| *at);
        end.into_iter().chain(alarm).min()
    }

    /// How many have a deadline.
    pub(super) fn deadline_count(&self) -> usize {
        self.deadlines.len()
    }

    /// Bytes of memory taken, what clients keep excepted, about. O(databases).
    pub(super) fn memory_bytes(&self) -> usize {
        let keys: usize = self.lines.values().map(BTreeMap::len).sum();
        // A tree of one waiter has a whole node.
        let waiters = btree_bytes(1, size_of::<(u64, Waiter)>());
        btree_bytes(keys, size_of::<(Box<[u8]>, Line)>())
            + keys * (waiters + KEY_BYTES)
            + btree_bytes(self.deadlines.len() + self.alarms.len(), size_of::<(u64, ClientKey)>())
    }

    /// Keys that are waited for, and those of them whose loss is heeded. O(keys).
    pub(super) fn key_counts(&self) -> (usize, usize) {
        let lines = || self.lines.values().flat_map(BTreeMap::values);
        (lines().count(), lines().filter(|line| line.heeding_loss > 0).count())
    }

    fn join(&mut self, client: ClientKey, db: DbIndex, wait: &Wait) -> u64 {
        self.tickets += 1;
        let waiter = Waiter { client, kind: wait.kind, heeds_loss: wait.heeds_loss };
        let lines = self.lines.entry(db).or_default();
        for key in &wait.keys {
            let line = lines.entry(key.clone()).or_default();
            if line.waiters.insert(self.tickets, waiter).is_none() {
                line.heeding_loss += usize::from(wait.heeds_loss);
            }
        }
        if let Some(deadline) = wait.deadline {
            self.deadlines.insert((deadline, client));
        }
        self.alarms.extend(wait.retry_at.map(|at| (at, client)));
        self.tickets
    }

    /// Sets a waiting client's alarm anew.
    fn reset_alarm(&mut self, client: ClientKey, old: Option<UnixMillis>, new: Option<UnixMillis>) {
        if let Some(old) = old {
            self.alarms.remove(&(old, client));
        }
        self.alarms.extend(new.map(|at| (at, client)));
    }

    /// O(keys log waiters).
    fn leave(&mut self, client: ClientKey, waiting: &Waiting) {
        if let Some(deadline) = waiting.deadline {
            self.deadlines.remove(&(deadline, client));
        }
        self.reset_alarm(client, waiting.retry_at, None);
        let Some(lines) = self.lines.get_mut(&waiting.db) else { return };
        for key in &waiting.keys {
            let Some(line) = lines.get_mut(key) else { continue };
            if let Some(waiter) = line.waiters.remove(&waiting.ticket) {
                line.heeding_loss -= usize::from(waiter.heeds_loss);
            }
            if line.waiters.is_empty() {
                lines.remove(key);
            }
        }
        if lines.is_empty() {
            self.lines.remove(&waiting.db);
        }
    }

    fn make_ready(&mut self, db: DbIndex, key: &[u8], concerns: impl FnOnce(&Line) -> bool) {
        let line = self.lines.get_mut(&db).and_then(|lines| lines.get_mut(key));
        if let Some(line) = line
            && !line.is_ready
            && concerns(line)
        {
            line.is_ready = true;
            self.ready.push_back((db, key.into()));
        }
    }

    fn make_all_ready(&mut self, db: DbIndex, concerns: impl Fn(&Line) -> bool) {
        for (key, line) in self.lines.get_mut(&db).into_iter().flatten() {
            if !line.is_ready && concerns(line) {
                line.is_ready = true;
                self.ready.push_back((db, key.clone()));
            }
        }
    }

    /// Nobody is told of what became ready so far.
    pub(super) fn forget_ready(&mut self) {
        while self.take_ready().is_some() {}
    }

    fn take_ready(&mut self) -> Option<(DbIndex, Box<[u8]>)> {
        let (db, key) = self.ready.pop_front()?;
        if let Some(line) = self.lines.get_mut(&db).and_then(|lines| lines.get_mut(&key)) {
            line.is_ready = false;
        }
        Some((db, key))
    }

    /// Who comes after `ticket` of those whom a value of this type may serve.
    fn next_in_line(
        &self,
        db: DbIndex,
        key: &[u8],
        ticket: u64,
        kind: Option<Kind>,
    ) -> Option<(u64, ClientKey)> {
        let line = self.lines.get(&db)?.get(key)?;
        if kind.is_none() && line.heeding_loss == 0 {
            return None;
        }
        let mut behind = line.waiters.range(ticket + 1..);
        let found = behind.find(|(_, waiter)| waiter.heeds_loss || Some(waiter.kind) == kind);
        found.map(|(ticket, waiter)| (*ticket, waiter.client))
    }
}

/// Whether a key may have more than before. Values that are there for their first time, in
/// whatever way, are told as `new` or as replacing others.
fn brings_data(event: Event) -> bool {
    matches!(event, NEW | OVERWRITTEN | TYPE_CHANGED | RENAME_TO | MOVE_TO | COPY_TO)
        || matches!(
            (event.class, event.name),
            (b'l', "lpush" | "rpush" | "linsert") | (b't', "xadd")
        )
}

/// Whether what was there may be so no longer.
fn takes_data(event: Event) -> bool {
    matches!(event, DEL | EXPIRED | EVICTED | RENAME_FROM | MOVE_FROM)
        || event.name == "xgroup-destroy"
}

impl Engine {
    /// Which facts are needed to wake whoever waits.
    pub(super) fn awaited_events(&self) -> Listening {
        if self.blocked.is_empty() { Listening::Nothing } else { Listening::Everything }
    }

    /// A fact for those who wait.
    pub(super) fn tell_waiters(&mut self, record: &Record<'_>) {
        if self.blocked.is_empty() {
            return;
        }
        match record.event {
            FLUSHED => self.blocked.make_all_ready(record.db, |line| line.heeding_loss > 0),
            SWAPPED => self.blocked.make_all_ready(record.db, |_| true),
            event if brings_data(event) => {
                self.blocked.make_ready(record.db, record.key, |_| true);
            }
            event if takes_data(event) => {
                self.blocked.make_ready(record.db, record.key, |line| line.heeding_loss > 0);
            }
            _ => {}
        }
    }

    /// The client's request is put off until there is something for it.
    pub(super) fn begin_wait(
        &mut self,
        key: ClientKey,
        row: RowIndex,
        args: &Args<'_>,
        wait: Wait,
        nanos: u64,
    ) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let request = match &wait.request {
            Some(words) => Queued::of_words(row, words),
            None => Queued::new(row, args),
        };
        let db = client.db;
        let ticket = self.blocked.join(key, db, &wait);
        let Wait { keys, deadline, retry_at, mark, .. } = wait;
        let waiting = Waiting { request, db, keys, deadline, retry_at, mark, ticket, nanos };
        client.waiting = Some(Box::new(waiting));
        client.flags.set(ClientFlags::BLOCKED, true);
        self.choose_listening();
    }

    /// Runs the requests again that keys which have become ready may serve. Not while clients are
    /// held back: then it is done when the pause is over.
    pub(super) fn serve_waiters(&mut self) {
        while self.pause.is_none()
            && !self.has_paused_script()
            && let Some((db, key)) = self.blocked.take_ready()
        {
            let (mut ticket, mut in_vain) = (0, Vec::new());
            loop {
                let kind = self.keyspace.reader(db, self.now.unix_ms()).kind(&key);
                let next = self.blocked.next_in_line(db, &key, ticket, kind);
                let Some((next, client)) = next else { break };
                ticket = next;
                self.retry(client, &mut in_vain);
            }
        }
    }

    /// Runs a waiting request again, unless one with the same mark was so in vain.
    fn retry(&mut self, key: ClientKey, in_vain: &mut Vec<Box<[u8]>>) {
        let Some(client) = self.clients.get_mut(key) else { return };
        if !client.is_present() || client.flags.has(ClientFlags::CLOSING) {
            return;
        }
        let Some(mut waiting) = client.waiting.take() else { return };
        if in_vain.contains(&waiting.mark) {
            client.waiting = Some(waiting);
            return;
        }
        self.ticks = self.outside.ticks();
        let row = waiting.request.row;
        let unanswered = self.answer(key, |engine, replies| {
            let args = waiting.request.args();
            if engine.config.maxmemory.0 != 0 {
                engine.make_room();
            }
            // What was allowed when the waiting began may be so no longer.
            if engine.is_guarded(key)
                && let Verdict::Refuse(error) = engine.judge(key, row, &args)
            {
                engine.refuse(key, Some(row), &error, replies);
                return None;
            }
            let mark = replies.mark();
            let dialect = engine.clients.get(key).map(|client| client.dialect)?;
            let manner = Manner::Again(waiting.nanos);
            let unanswered = engine.call_as(manner, key, row, &args, Reply::new(replies, dialect));
            if unanswered.is_some() {
                replies.rewind(mark);
            } else {
                engine.settle_reply(key, mark, replies);
            }
            unanswered
        });
        if let Some(Unanswered::Waits(wait, nanos)) = unanswered {
            waiting.nanos = nanos;
            self.blocked.reset_alarm(key, waiting.retry_at, wait.retry_at);
            waiting.retry_at = wait.retry_at;
            if !waiting.mark.is_empty() {
                in_vain.push(waiting.mark.clone());
            }
            if let Some(client) = self.clients.get_mut(key) {
                client.waiting = Some(waiting);
            }
            return;
        }
        self.end_wait(key, &waiting);
    }

    /// Has a reply written that its client didn't just ask for, behind what waits to be sent.
    pub(super) fn answer<R>(
        &mut self,
        key: ClientKey,
        write: impl FnOnce(&mut Self, &mut Output) -> Option<R>,
    ) -> Option<R> {
        self.deliver_before(key);
        let client = self.clients.get_mut(key)?;
        let mut replies = std::mem::take(&mut client.output);
        let was_running = client.flags.has(ClientFlags::RUNNING);
        client.flags.set(ClientFlags::RUNNING, true);
        let result = write(self, &mut replies);
        let client = self.clients.get_mut(key)?;
        client.flags.set(ClientFlags::RUNNING, was_running);
        replies.append(&mut client.output);
        std::mem::swap(&mut client.output, &mut replies);
        if !client.output.is_empty() {
            self.announce(key);
        }
        self.check_output_limit(key);
        result
    }

    /// The client goes on with what it sent meanwhile.
    fn end_wait(&mut self, key: ClientKey, waiting: &Waiting) {
        self.blocked.leave(key, waiting);
        if let Some(client) = self.clients.get_mut(key) {
            client.flags.set(ClientFlags::BLOCKED, false);
            self.effects.push(Effect::Resume(key));
        }
        self.choose_listening();
    }

    /// Ends a client's waiting without anything for it; whether it was waiting.
    pub(super) fn unblock(&mut self, key: ClientKey, reason: &Unblocked) -> bool {
        let Some(client) = self.clients.get_mut(key) else { return false };
        let Some(waiting) = client.waiting.take() else { return false };
        let row = waiting.request.row;
        self.answer(key, |engine, replies| {
            let mark = replies.mark();
            let dialect = engine.clients.get(key).map(|client| client.dialect)?;
            let mut reply = Reply::new(replies, dialect);
            match reason {
                Unblocked::TimedOut => reply.null_array(),
                Unblocked::Refused(error) => {
                    engine.stats.count_error(&error.code());
                    reply.error(error);
                }
            }
            engine.settle_reply(key, mark, replies);
            let failed = matches!(reason, Unblocked::Refused(_));
            let cost = Cost { nanos: waiting.nanos, failed, reply_bytes: 0 };
            engine.count_call(key, row, &waiting.request.args(), cost);
            Some(())
        });
        self.end_wait(key, &waiting);
        true
    }

    /// A client that has gone waits no longer.
    pub(super) fn stop_waiting(&mut self, key: ClientKey) {
        let waiting = self.clients.get_mut(key).and_then(|client| client.waiting.take());
        if let Some(waiting) = waiting {
            self.blocked.leave(key, &waiting);
            self.choose_listening();
        }
    }

    /// Answers those whose time is over, and tries those again whose alarm has rung.
    pub(super) fn end_waits_when_due(&mut self) {
        let now = self.now.unix_ms();
        while let Some((at, client)) = self.blocked.alarms.first().copied()
            && at <= now
        {
            self.blocked.alarms.pop_first();
            let client = self.clients.get_mut(client);
            let Some(waiting) = client.and_then(|client| client.waiting.as_mut()) else { continue };
            waiting.retry_at = None;
            for key in &waiting.keys {
                self.blocked.make_ready(waiting.db, key, |_| true);
            }
        }
        self.serve_waiters();
        while let Some((deadline, client)) = self.blocked.deadlines.first().copied()
            && deadline < now
        {
            if !self.unblock(client, &Unblocked::TimedOut) {
                debug_assert!(false, "who has a deadline waits");
                self.blocked.deadlines.pop_first();
            }
        }
    }
}
