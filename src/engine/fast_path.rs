//! The fast path: data commands of a client with nothing special about it, on a server where
//! nobody listens.
//!
//! What a request may meet on its way is looked at once for a run of requests instead of for each
//! of them. That is enough because a data command reads and changes the keyspace alone, so it
//! can't change what was looked at. A call that leaves more behind than its reply ends the run and
//! is concluded as any other.

use crate::command::args::Args;
use crate::command::context::{Flow, ReadCx, WriteCx};
use crate::protocol::reply::{Mark, Output, Reply};
use crate::protocol::request::{Batch, Request};

use super::Engine;
use super::client::{ClientFlags, ClientKey, ReplyMode};
use super::dispatch::{Cost, Manner, Ran, Step, args_of};
use super::registry::{RowIndex, Run};

/// What makes a client's next command a matter of its own.
const MARKED: ClientFlags =
    ClientFlags(ClientFlags::CACHING.0 | ClientFlags::CLOSING.0 | ClientFlags::CLOSE_ASAP.0);

/// How far a run came.
#[derive(Debug)]
pub(super) struct PlainRun {
    /// Requests that are done.
    pub done: usize,
    /// The request behind them, when its handler ran and there is more to do than to reply.
    pub unfinished: Option<(Ran, Mark)>,
}

impl Engine {
    /// Whether nothing follows from a data command of this client that it does not cause itself.
    fn is_undisturbed(&self, key: ClientKey) -> bool {
        let Some(client) = self.clients.get(key) else { return false };
        client.reply_mode == ReplyMode::On
            && client.output.is_empty()
            && !client.flags.has(MARKED)
            && !self.tracking.has_excess
            && self.tracking.client_count() == 0
            && self.monitors.is_empty()
            && self.gathered.is_none()
            && self.expires_actively
            && self.caller.is_none()
            && !self.scripts.is_calling()
            && !self.blocked.has_ready()
            && !self.guards_reads(key)
    }

    /// Serves the data commands at the front of `requests` that need nothing but their reply.
    pub(super) fn run_plain(
        &mut self,
        key: ClientKey,
        buffer: &[u8],
        batch: &Batch,
        requests: &[Request],
        rows: &[Option<RowIndex>],
        replies: &mut Output,
    ) -> PlainRun {
        let mut run = PlainRun { done: 0, unfinished: None };
        if self.config.maxmemory.0 != 0 {
            self.make_room();
        }
        if !self.is_undisturbed(key) {
            return run;
        }
        let Some(client) = self.clients.get(key) else { return run };
        let (db, dialect) = (client.db, client.dialect);
        let touches = !client.flags.has(ClientFlags::NO_TOUCH);
        let (now, here_max) = (self.now.unix_ms(), self.here_max);
        let mut last_row = client.last_row;
        // Room is made before each write, and a log is told of it.
        let only_reads = self.config.maxmemory.0 != 0 || self.propagation.is_on();
        for (request, row) in requests.iter().zip(rows) {
            let Some(index) = *row else { break };
            let args = args_of(buffer, batch, request);
            let row = self.registry.row(index);
            if !row.fits(args.word_count()) || index == self.flushall {
                break;
            }
            let (mark, lookups) = (replies.mark(), self.keyspace.stats().lookups());
            let reply_from = replies.len();
            let reply = Reply::new(replies, dialect);
            let (limits, rng, in_script) = (&self.limits, &mut self.rng, false);
            let outcome = match row.run {
                Run::Read(handler) => {
                    let keys = self.keyspace.reader(db, now);
                    let keys = if touches { keys } else { keys.no_touch() };
                    handler(&mut ReadCx { args, reply, keys, limits, rng, here_max, in_script })
                }
                Run::Write(handler) if !only_reads => {
                    let keys = self.keyspace.writer(db, now);
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
                _ => break,
            };
            last_row = Some(index);
            if !matches!(outcome, Ok(Flow::Replied)) || self.keyspace.has_aftermath() {
                let started = self.ticks;
                let (outer, told) = (None, None);
                let ran = Ran { started, reply_from, outer, told, lookups, outcome };
                run.unfinished = Some((ran, mark));
                break;
            }
            let nanos = self.lap();
            let reply_bytes = replies.len().saturating_sub(reply_from);
            // Made anew rather than kept: mostly nothing of it is looked at.
            let args = args_of(buffer, batch, request);
            self.count_call(key, index, &args, Cost { nanos, failed: false, reply_bytes });
            run.done += 1;
        }
        if let Some(client) = self.clients.get_mut(key) {
            client.last_row = last_row;
            client.commands += run.done as u64;
        }
        run
    }

    /// Goes on with the call that ended a run.
    pub(super) fn finish_plain(
        &mut self,
        key: ClientKey,
        index: RowIndex,
        args: &Args<'_>,
        (ran, mark): (Ran, Mark),
        replies: &mut Output,
    ) -> Step {
        let Some(client) = self.clients.get_mut(key) else { return Step::Ended };
        client.commands += 1;
        self.caller = Some(key);
        let reply = Reply::new(replies, client.dialect);
        let unanswered = self.end_call(Manner::Alone, key, index, args, reply, ran);
        self.settle_call(key, index, args, mark, unanswered, replies)
    }

    /// Nanoseconds since the last reading of the clock, which is read anew.
    #[inline]
    pub(super) fn lap(&mut self) -> u64 {
        let ticks = self.outside.ticks();
        let nanos = self.nanos_between(self.ticks, ticks);
        self.ticks = ticks;
        nanos
    }
}
