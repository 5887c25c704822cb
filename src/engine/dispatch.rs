//! From a batch of requests to replies: look up, pass the gates, run, count.

use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx, ReadHandler, Wait, WriteCx};
use crate::command::spec::{FAST, MAY_REPLICATE, WRITE};
use crate::keyspace::DbIndex;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::{Mark, Output, Reply};
use crate::protocol::request::{Batch, Request};

use super::client::{Client, ClientFlags, ClientKey, ReplyMode};
use super::context::EngineCx;
use super::gates::Verdict;
use super::latency::Delay;
use super::registry::{Row, RowIndex, Run};
use super::transaction::Queued;
use super::{Engine, FURTHER_OUTPUT_BYTES, SPARE_OUTPUT_BYTES, SPARE_OUTPUTS};

/// How far ahead of execution commands are looked up and their keys prefetched.
const LOOKAHEAD: usize = 16;

/// How many keys are prefetched ahead of execution. Few enough for the first-level cache, where
/// each takes two or three lines.
const KEYS_AHEAD: usize = 64;

/// Why a client is about to go.
const ENDING: ClientFlags = ClientFlags(ClientFlags::CLOSING.0 | ClientFlags::CLOSE_ASAP.0);

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// How many of its requests are done.
    pub requests: usize,
    /// How the connection goes on.
    pub next: Next,
}

/// How a connection goes on after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// More requests are welcome.
    Read,
    /// Nothing more is read until the client is resumed.
    Hold,
    /// Closed once the output is sent.
    Close,
}

/// What became of one request.
pub(super) enum Step {
    Done,
    /// Done, and the client goes.
    Ended,
    /// To be served again when the client is resumed.
    Held,
    /// Taken over by those who wait.
    Waits,
}

/// How a command is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As a request of its own, which may wait.
    Alone,
    /// Again, by one who waited, after tries that took so many nanoseconds.
    Again(u64),
    /// As part of a transaction or a script: it answers at once.
    Within,
}

/// What a call took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// Time.
    pub nanos: u64,
    /// Whether the reply is an error.
    pub failed: bool,
    /// Bytes of the reply.
    pub reply_bytes: usize,
}

/// A call whose handler has run, with what was known before.
#[derive(Debug)]
pub(super) struct Ran {
    /// The clock's reading at its start.
    pub started: u64,
    /// Where its reply begins.
    pub reply_from: usize,
    /// Whose call it is part of.
    pub outer: Option<ClientKey>,
    /// Where what it does is told, and what was changed by then.
    pub told: Option<(DbIndex, u64)>,
    /// Hits and misses by then.
    pub lookups: (u64, u64),
    /// What the handler said.
    pub outcome: CmdResult,
}

/// A call that is not answered at once.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// It would wait; so many nanoseconds went into it.
    Waits(Box<Wait>, u64),
    /// A worker is to run it with this handler.
    Away(ReadHandler),
}

impl Engine {
    /// Serves the requests of one connection in order. Replies are in the client's output after.
    pub fn serve(&mut self, key: ClientKey, buffer: &[u8], batch: &Batch) -> Served {
        let gone = Served { requests: 0, next: Next::Close };
        self.deliver_before(key);
        let Some(client) = self.clients.get_mut(key) else { return gone };
        let mut replies = self.spare_outputs.pop().unwrap_or_default();
        if !client.output.is_empty() {
            // What waits already goes first.
            std::mem::swap(&mut client.output, &mut replies);
        }
        client.flags.set(ClientFlags::RUNNING, true);
        client.last_request = self.now.monotonic;
        client.query_bytes = buffer.len();
        // One who goes on after waiting may have nothing more to say.
        let brings = u64::from(!batch.requests.is_empty());
        client.reads += brings;
        client.pipelined += batch.requests.len() as u64;
        self.stats.reads += brings;
        self.ticks = self.outside.ticks();

        let served = self.serve_each(key, buffer, batch, &mut replies);
        self.broadcast_invalidations();

        let Some(client) = self.clients.get_mut(key) else { return gone };
        client.flags.set(ClientFlags::RUNNING, false);
        if client.flags.has(ClientFlags::CLOSE_ASAP) {
            replies.clear();
        } else if !client.output.is_empty() {
            replies.append(&mut client.output);
        }
        std::mem::swap(&mut client.output, &mut replies);
        self.recycle(replies);
        self.check_output_limit(key);
        self.weigh(key);
        self.drop_bulky();
        let ends = self.clients.get(key).is_none_or(|client| client.flags.has(ENDING));
        Served { next: if ends { Next::Close } else { served.next }, ..served }
    }

    /// Keeps a warm output buffer for the next batch, or for one of those after it: while replies
    /// wait for the log, each client of a turn takes one.
    #[inline]
    pub fn recycle(&mut self, mut output: Output) {
        let spare = self.spare_outputs.len();
        if output.capacity() > 0 && spare < SPARE_OUTPUTS {
            output.clear();
            output.shrink(if spare == 0 { SPARE_OUTPUT_BYTES } else { FURTHER_OUTPUT_BYTES });
            self.spare_outputs.push(output);
        }
    }

    fn serve_each(
        &mut self,
        key: ClientKey,
        buffer: &[u8],
        batch: &Batch,
        replies: &mut Output,
    ) -> Served {
        let mut rows = [None; LOOKAHEAD];
        let mut done = 0;
        while done < batch.requests.len() {
            let ahead = &batch.requests[done..];
            let planned = self.plan(key, buffer, batch, ahead, &mut rows);
            let mut at = 0;
            while at < planned {
                let run =
                    self.run_plain(key, buffer, batch, &ahead[at..planned], &rows[at..], replies);
                at += run.done;
                done += run.done;
                if at == planned {
                    break;
                }
                let args = args_of(buffer, batch, &ahead[at]);
                let step = match (run.unfinished, rows[at]) {
                    (Some(unfinished), Some(row)) => {
                        self.finish_plain(key, row, &args, unfinished, replies)
                    }
                    // A run makes room before it begins.
                    (_, row) => self.request(key, row, &args, run.done == 0, replies),
                };
                if matches!(step, Step::Held) {
                    return Served { requests: done, next: Next::Hold };
                }
                at += 1;
                done += 1;
                if matches!(step, Step::Waits) {
                    return Served { requests: done, next: Next::Hold };
                }
                if self.blocked.has_ready() {
                    self.serve_waiters();
                }
                if matches!(step, Step::Ended) {
                    return Served { requests: done, next: Next::Close };
                }
            }
        }
        Served { requests: done, next: Next::Read }
    }

    /// Looks up the commands of the next few requests and asks the processor for the cache lines
    /// of their keys, when there are several: the misses then overlap instead of following each
    /// other. Returns how many requests that are.
    fn plan(
        &mut self,
        key: ClientKey,
        buffer: &[u8],
        batch: &Batch,
        ahead: &[Request],
        rows: &mut [Option<RowIndex>; LOOKAHEAD],
    ) -> usize {
        if let [only] = ahead {
            rows[0] = self.registry.find_called(&args_of(buffer, batch, only));
            if rows[0].is_none_or(|row| !self.registry.row(row).has_many_keys()) {
                return 1;
            }
        }
        let Some(db) = self.clients.get(key).map(|client| client.db) else { return 1 };
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        let mut planned = 0;
        for (request, row) in ahead.iter().zip(rows) {
            let args = args_of(buffer, batch, request);
            *row = self.registry.find_called(&args);
            planned += 1;
            let Some(row) = *row else { continue };
            let row = self.registry.row(row);
            if row.only_key != 0 && row.only_key < args.word_count() {
                hashes.push(self.keyspace.hash_of(args.word(row.only_key)));
            } else {
                let (first, step, last) = row.key_range(args.word_count());
                let mut word = first;
                while word != 0 && word <= last && hashes.len() < KEYS_AHEAD {
                    hashes.push(self.keyspace.hash_of(args.word(word)));
                    word += step;
                }
            }
            if hashes.len() >= KEYS_AHEAD {
                break;
            }
        }
        self.keyspace.prefetch(db, &hashes);
        self.stats.prefetch_batches += 1;
        self.stats.prefetch_keys += hashes.len() as u64;
        self.hashes = hashes;
        planned
    }

    /// One request through the gates to its reply. `has_room`: nothing has happened since room was
    /// made.
    fn request(
        &mut self,
        key: ClientKey,
        row: Option<RowIndex>,
        args: &Args<'_>,
        has_room: bool,
        replies: &mut Output,
    ) -> Step {
        let Some(index) = row else { return self.refuse_unknown(key, args, replies) };
        if !self.registry.row(index).fits(args.word_count()) {
            let error = misfit(self.registry.row(index), args);
            self.refuse(key, Some(index), &error, replies);
            return self.step_of(key);
        }
        if self.config.maxmemory.0 != 0 || self.tracking.has_excess {
            if self.config.maxmemory.0 != 0 && !has_room {
                self.make_room();
            }
            self.bound_tracking_for_call();
            // What eviction has to tell comes before the reply.
            if let Some(client) = self.clients.get_mut(key)
                && !client.output.is_empty()
            {
                replies.append(&mut client.output);
            }
        }
        if self.is_guarded(key) {
            match self.judge(key, index, args) {
                Verdict::Pass => {}
                Verdict::Refuse(error) => {
                    self.refuse(key, Some(index), &error, replies);
                    return self.step_of(key);
                }
                Verdict::Hold => {
                    self.hold(key);
                    return Step::Held;
                }
                Verdict::Queue => {
                    self.queue(key, index, args, replies);
                    return self.step_of(key);
                }
            }
        }
        let mark = replies.mark();
        let Some(client) = self.clients.get_mut(key) else { return Step::Ended };
        client.last_row = Some(index);
        client.commands += 1;
        if client.reply_mode == ReplyMode::SkipNext {
            client.reply_mode = ReplyMode::Skipping;
        }
        let reply = Reply::new(replies, client.dialect);
        let unanswered = self.call_as(Manner::Alone, key, index, args, reply);
        self.settle_call(key, index, args, mark, unanswered, replies)
    }

    /// What follows for its client from a request that ran.
    pub(super) fn settle_call(
        &mut self,
        key: ClientKey,
        index: RowIndex,
        args: &Args<'_>,
        mark: Mark,
        unanswered: Option<Unanswered>,
        replies: &mut Output,
    ) -> Step {
        if let Some(unanswered) = unanswered {
            replies.rewind(mark);
            match unanswered {
                Unanswered::Waits(wait, nanos) => self.begin_wait(key, index, args, *wait, nanos),
                Unanswered::Away(handler) => {
                    self.begin_away(key, Queued::new(index, args), handler);
                }
            }
            return Step::Waits;
        }
        if self.is_paused_in_script(key) || self.appending.waits(key) {
            return Step::Waits;
        }
        match self.settle_reply(key, mark, replies) {
            Some(client) if !client.flags.has(ENDING) => Step::Done,
            _ => Step::Ended,
        }
    }

    /// Drops what was said since `mark` when the client does not want to hear it. What was pushed
    /// to it meanwhile comes behind.
    pub(super) fn settle_reply(
        &mut self,
        key: ClientKey,
        mark: Mark,
        replies: &mut Output,
    ) -> Option<&Client> {
        let client = self.clients.get_mut(key)?;
        // CLIENT REPLY ON is answered, OFF and SKIP are not: what counts is the mode afterwards.
        if client.reply_mode != ReplyMode::On {
            replies.rewind(mark);
            if client.reply_mode == ReplyMode::Skipping {
                client.reply_mode = ReplyMode::On;
            }
        }
        if !client.output.is_empty() {
            replies.append(&mut client.output);
        }
        if client.flags.has(ClientFlags::CACHING) && !client.flags.has(ClientFlags::MULTI) {
            // CLIENT CACHING is about one command, or one transaction.
            let is_about_clients = client
                .last_row
                .is_some_and(|row| self.registry.row(row).full_name.starts_with("client|"));
            client.flags.set(ClientFlags::CACHING, is_about_clients);
        }
        Some(client)
    }

    /// Whether a client goes on after a request.
    fn step_of(&self, key: ClientKey) -> Step {
        let ends = self.clients.get(key).is_none_or(|client| client.flags.has(ENDING));
        if ends { Step::Ended } else { Step::Done }
    }

    #[cold]
    fn refuse_unknown(&mut self, key: ClientKey, args: &Args<'_>, replies: &mut Output) -> Step {
        let error = self.unknown_command(key, args);
        if matches!(self.step_of(key), Step::Done) {
            self.refuse(key, None, &error, replies);
        }
        self.step_of(key)
    }

    /// Runs a command as part of a whole; an error becomes its reply. Nothing waits here.
    pub(super) fn call(
        &mut self,
        key: ClientKey,
        index: RowIndex,
        args: &Args<'_>,
        reply: Reply<'_>,
    ) {
        let unanswered = self.call_as(Manner::Within, key, index, args, reply);
        debug_assert!(unanswered.is_none(), "only a request of its own can wait");
    }

    /// Runs a command that has passed its gates; an error becomes the reply. A call that would
    /// wait has not been counted: that comes when it is answered.
    pub(super) fn call_as(
        &mut self,
        manner: Manner,
        key: ClientKey,
        index: RowIndex,
        args: &Args<'_>,
        mut reply: Reply<'_>,
    ) -> Option<Unanswered> {
        let (started, reply_from) = (self.ticks, reply.output().len());
        if self.gathered.is_some() && !self.registry.row(index).lets_gather() {
            self.deliver();
        }
        let outer = self.caller.replace(key);
        let told = self.propagation.is_on().then(|| self.begin_telling(key));
        if told.is_some() && self.registry.row(index).reads_sources {
            self.expire_sources(key, index, args);
        }
        let lookups = self.keyspace.stats().lookups();
        let outcome = self.run(manner, key, index, args.clone(), reply.reborrow());
        let ran = Ran { started, reply_from, outer, told, lookups, outcome };
        self.end_call(manner, key, index, args, reply, ran)
    }

    /// Counts, tells and cleans up after a handler.
    pub(super) fn end_call(
        &mut self,
        manner: Manner,
        key: ClientKey,
        index: RowIndex,
        args: &Args<'_>,
        mut reply: Reply<'_>,
        ran: Ran,
    ) -> Option<Unanswered> {
        let Ran { started, reply_from, outer, told, lookups, outcome } = ran;
        let (mut waits, mut away) = (None, None);
        let failed = match outcome {
            Ok(Flow::Replied) => false,
            Ok(Flow::Failed) => true,
            Ok(Flow::Later) => {
                self.caller = outer;
                return None;
            }
            Ok(Flow::Wait(wait)) => {
                if manner == Manner::Within {
                    wait.otherwise.write(&mut reply);
                } else {
                    waits = Some(wait);
                }
                false
            }
            Ok(Flow::Away(handler)) => {
                away = self.prepare_away(index, handler, lookups);
                false
            }
            Err(error) => {
                self.stats.count_error(&error.code());
                reply.error(&error);
                true
            }
        };
        if !self.expires_actively {
            self.expire_named(key, index, args);
        }
        if index == self.flushall && !failed {
            self.save_emptiness();
        }
        let ticks = self.outside.ticks();
        let mut nanos = self.nanos_between(started, ticks);
        self.ticks = ticks;
        if let Manner::Again(spent) = manner {
            nanos += spent;
        }
        if waits.is_none() && away.is_none() {
            let reply_bytes = reply.output().len().saturating_sub(reply_from);
            self.count_call(key, index, args, Cost { nanos, failed, reply_bytes });
        }
        // Afterwards, so that a transaction's commands are shown before its EXEC.
        if !self.monitors.is_empty() && !matches!(manner, Manner::Again(_)) {
            self.feed_monitors(key, index, args);
        }
        if self.tracking.client_count() != 0 {
            self.remember_reads(key, index, args);
        }
        self.react();
        if let Some((db, dirty)) = told {
            self.tell_call(db, index, args, dirty);
            if outer.is_none() && !self.is_in_script() {
                self.end_unit();
            }
        }
        self.caller = outer;
        match (waits, away) {
            (Some(wait), _) => Some(Unanswered::Waits(wait, nanos)),
            (None, away) => away.map(Unanswered::Away),
        }
    }

    /// Counts a call that has been answered.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "each request passes through one of two callers")]
    pub(super) fn count_call(
        &mut self,
        key: ClientKey,
        index: RowIndex,
        args: &Args<'_>,
        Cost { nanos, failed, reply_bytes }: Cost,
    ) {
        self.stats.commands += 1;
        let tracks = self.config.latency_tracking;
        let row = self.registry.row_mut(index);
        row.stats.calls += 1;
        row.stats.nanos += nanos;
        row.stats.failed += u64::from(failed);
        if tracks {
            row.stats.histogram.record(nanos);
        }
        let is_remarkable = self.slow_log.is_remarkable(args, nanos, reply_bytes);
        if is_remarkable || nanos >= self.latency.threshold_nanos() {
            self.remark_on(key, index, args, Cost { nanos, failed, reply_bytes });
        }
    }

    #[cold]
    fn remark_on(&mut self, key: ClientKey, index: RowIndex, args: &Args<'_>, cost: Cost) {
        let Cost { nanos, reply_bytes, .. } = cost;
        if self.slow_log.is_remarkable(args, nanos, reply_bytes) {
            self.log_slow(key, index, args, nanos, reply_bytes);
        }
        if nanos >= self.latency.threshold_nanos() {
            let is_fast = self.registry.row(index).spec.flags.has(FAST);
            self.note_delay(if is_fast { Delay::FastCommand } else { Delay::Command }, nanos);
        }
    }

    fn run(
        &mut self,
        manner: Manner,
        key: ClientKey,
        index: RowIndex,
        args: Args<'_>,
        reply: Reply<'_>,
    ) -> CmdResult {
        let Some(client) = self.clients.get(key) else { return Ok(Flow::Replied) };
        let (db, now) = (client.db, self.now.unix_ms());
        // What is part of a whole is not put off.
        let here_max = if manner == Manner::Alone { self.here_max } else { usize::MAX };
        let in_script = self.scripts.is_calling();
        match self.registry.row(index).run {
            Run::Read(handler) => {
                let no_touch = client.flags.has(ClientFlags::NO_TOUCH);
                let keys = self.keyspace.reader(db, now);
                let keys = if no_touch { keys.no_touch() } else { keys };
                let (limits, rng) = (&self.limits, &mut self.rng);
                handler(&mut ReadCx { args, reply, keys, limits, rng, here_max, in_script })
            }
            Run::Write(handler) => {
                let keys = self.keyspace.writer(db, now);
                let (limits, rng) = (&self.limits, &mut self.rng);
                let telling = &mut self.propagation.telling;
                handler(&mut WriteCx {
                    args,
                    reply,
                    keys,
                    limits,
                    rng,
                    here_max,
                    telling,
                    in_script,
                })
            }
            Run::Engine(handler) => {
                let mut args = args;
                if self.registry.row(index).parent.is_some() {
                    // A subcommand's own words come behind its name.
                    args.seek(2);
                }
                let flow = handler(&mut EngineCx {
                    engine: self,
                    client: key,
                    row: index,
                    args,
                    reply,
                    here_max,
                })?;
                if self.registry.row(index).spec.flags.has(WRITE) {
                    // What such commands change is not in the keyspace, but is saved with it.
                    self.keyspace.journal_mut().add_dirty(1);
                }
                Ok(flow)
            }
            Run::Help(lines) => {
                let row = self.registry.row(index);
                let container = row.parent.map_or(row, |parent| self.registry.row(parent));
                print_help(reply, &container.full_name.to_ascii_uppercase(), lines);
                Ok(Flow::Replied)
            }
            Run::Container => Err(unknown_subcommand(self.registry.row(index), &args)),
        }
    }

    fn unknown_command(&mut self, key: ClientKey, args: &Args<'_>) -> ReplyError {
        let name = args.word(0);
        if name.eq_ignore_ascii_case(b"host:") || name.eq_ignore_ascii_case(b"post") {
            // A browser was talked into sending a request here: no answer, no second chance.
            tracing::warn!(
                "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or \
                 Host: commands to Redis. This is likely due to an attacker attempting to use \
                 Cross Protocol Scripting to compromise your Redis instance. Connection aborted."
            );
            if let Some(client) = self.clients.get_mut(key) {
                client.flags.set(ClientFlags::CLOSE_ASAP, true);
            }
        }
        let mut shown = Vec::new();
        for word in args.words().skip(1) {
            if shown.len() >= 128 {
                break;
            }
            let room = 128 - shown.len();
            let word = until_zero(word);
            shown.push(b'\'');
            shown.extend_from_slice(&word[..word.len().min(room)]);
            shown.extend_from_slice(b"' ");
        }
        let name = until_zero(name);
        ReplyError::unknown_command(&name[..name.len().min(128)], &shown)
    }

    /// Replies with a refusal, before anything ran.
    #[cold]
    pub(super) fn refuse(
        &mut self,
        key: ClientKey,
        index: Option<RowIndex>,
        error: &ReplyError,
        replies: &mut Output,
    ) {
        let ends_transaction = index.is_some_and(|index| self.registry.row(index).is_exec());
        let aborted = ends_transaction.then(|| error.as_abort());
        let error = aborted.as_ref().unwrap_or(error);
        self.stats.count_error(&error.code());
        if let Some(index) = index {
            self.registry.row_mut(index).stats.rejected += 1;
        }
        if ends_transaction {
            self.end_transaction(key);
        }
        let Some(client) = self.clients.get_mut(key) else { return };
        if client.flags.has(ClientFlags::MULTI) {
            client.flags.set(ClientFlags::DIRTY_EXEC, true);
        }
        match client.reply_mode {
            ReplyMode::On => Reply::new(replies, client.dialect).error(error),
            ReplyMode::Off | ReplyMode::Skipping => {}
            ReplyMode::SkipNext => client.reply_mode = ReplyMode::On,
        }
    }

    fn queue(&mut self, key: ClientKey, index: RowIndex, args: &Args<'_>, replies: &mut Output) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let queued = Queued::new(index, args);
        let transaction = client.transaction.get_or_insert_default();
        transaction.queued_bytes += queued.memory_bytes();
        transaction.queue.push(queued);
        match client.reply_mode {
            ReplyMode::On => Reply::new(replies, client.dialect).simple("QUEUED"),
            ReplyMode::SkipNext => client.reply_mode = ReplyMode::On,
            ReplyMode::Off | ReplyMode::Skipping => {}
        }
    }

    fn hold(&mut self, key: ClientKey) {
        if let Some(client) = self.clients.get_mut(key)
            && !client.flags.has(ClientFlags::PAUSED)
        {
            client.flags.set(ClientFlags::PAUSED, true);
            self.held.push(key);
        }
    }

    /// Whether this call could change what replicas hold.
    pub(super) fn may_replicate(&self, row: RowIndex, args: &Args<'_>) -> bool {
        row_may_replicate(self.registry.row(row)) && self.script_may_write(row, args)
    }

    pub(super) fn nanos_between(&self, from: u64, to: u64) -> u64 {
        let nanos = u128::from(to.saturating_sub(from)) * u128::from(self.nanos_per_tick);
        u64::try_from(nanos >> 32).unwrap_or(u64::MAX)
    }
}

/// Whether running `row` could change what replicas hold.
pub(super) fn row_may_replicate(row: &Row) -> bool {
    row.spec.flags.has(WRITE) || row.spec.flags.has(MAY_REPLICATE)
}

/// Usage of a container, headed and closed as Redis does.
pub(super) fn print_help(mut reply: Reply<'_>, container: &str, lines: &[&str]) {
    reply.array(lines.len() + 3);
    reply.simple(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for line in lines {
        reply.simple(line);
    }
    reply.simple("HELP");
    reply.simple("    Print this help.");
}

/// As much of a word as error texts repeat: in Redis a zero ends it.
pub(super) fn until_zero(word: &[u8]) -> &[u8] {
    word.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Why the number of words does not fit.
#[cold]
fn misfit(row: &Row, args: &Args<'_>) -> ReplyError {
    if row.is_container() && args.word_count() > 1 {
        return unknown_subcommand(row, args);
    }
    ReplyError::WrongArity(row.full_name.clone())
}

fn unknown_subcommand(row: &Row, args: &Args<'_>) -> ReplyError {
    let word = until_zero(args.word(1));
    let command = row.full_name.to_ascii_uppercase();
    ReplyError::unknown_subcommand(&command, &word[..word.len().min(128)])
}

pub(super) fn args_of<'a>(buffer: &'a [u8], batch: &'a Batch, request: &Request) -> Args<'a> {
    let first = request.first as usize;
    Args::new(buffer, &batch.spans[first..first + request.count as usize], &batch.large)
}
