//! Reads that would take long: a worker does them over a snapshot while others are served.
//!
//! A handler that finds more to walk than `offload-threshold` says [`crate::command::context::Flow::Away`] before it has
//! written anything. The snapshot is taken there and then, so the reply shows the data of the moment
//! at which the command had its turn. The worker runs the same handler over it; its client waits,
//! with all that it has sent behind, and is told of nothing void in between, so that what it reads
//! and what it is told come in the order in which they were true.
//!
//! 1. A client with `away` has the flag `BLOCKED`, and no read of its is under way otherwise.
//! 2. Everything that a call leaves behind at its turn (MONITOR, tracking) is left then; what needs
//!    its outcome (counts, slow log, the reply) when it comes back.

use std::sync::{Arc, Weak};

use crate::command::context::{DataLimits, ReadCx, ReadHandler};
use crate::keyspace::DbIndex;
use crate::keyspace::snapshot::Frozen;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::{Dialect, Output, Reply};

use super::client::{ClientFlags, ClientKey};
use super::dispatch::Cost;
use super::registry::{RowIndex, Run};
use super::transaction::Queued;
use super::{Effect, Engine};

/// Dead things freed when a snapshot is let go of; the rest follows in housekeeping.
const REAPED_AT_RETURN: usize = 1024;

/// What the engine keeps of a client whose read a worker does.
#[derive(Debug)]
pub(super) struct Away {
    /// Without it the work is not worth doing.
    _interest: Arc<()>,
    /// What belongs behind the reply.
    pub(super) pushed: Output,
}

impl Away {
    /// Bytes of memory taken.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.pushed.memory_bytes()
    }
}

/// A read for a worker.
#[derive(Debug)]
pub struct LongRead {
    client: ClientKey,
    id: u64,
    interest: Weak<()>,
    request: Queued,
    handler: ReadHandler,
    data: Frozen,
    db: DbIndex,
    leaves_clocks: bool,
    dialect: Dialect,
    limits: DataLimits,
    rng: fastrand::Rng,
}

/// What came of a [`LongRead`].
#[derive(Debug)]
pub struct Returned {
    client: ClientKey,
    id: u64,
    request: Queued,
    data: Frozen,
    reply: Output,
    error: Option<ReplyError>,
    ticks: u64,
}

impl LongRead {
    /// Whether anybody waits for it still.
    pub fn is_wanted(&self) -> bool {
        self.interest.strong_count() > 0
    }

    /// Does it, on whatever thread. `ticks` is [`super::outside::Outside::ticks`].
    pub fn run(self, ticks: impl Fn() -> u64) -> Returned {
        let Self { client, id, request, handler, data, db, dialect, limits, mut rng, .. } = self;
        let started = ticks();
        let mut output = Output::default();
        let keys = data.reader(db);
        let outcome = handler(&mut ReadCx {
            args: request.args(),
            reply: Reply::new(&mut output, dialect),
            keys: if self.leaves_clocks { keys.no_touch() } else { keys },
            limits: &limits,
            rng: &mut rng,
            here_max: usize::MAX,
            in_script: false,
        });
        let error = outcome.err();
        if let Some(error) = &error {
            Reply::new(&mut output, dialect).error(error);
        }
        let reply = output.into_shared();
        let ticks = ticks().saturating_sub(started);
        Returned { client, id, request, data, reply, error, ticks }
    }
}

impl Engine {
    /// How a call goes on that is to be run elsewhere: what it has looked up so far was not for
    /// good, since all of it will be looked up again.
    #[cold]
    pub(super) fn prepare_away(
        &mut self,
        index: RowIndex,
        handler: Option<ReadHandler>,
        lookups: (u64, u64),
    ) -> Option<ReadHandler> {
        self.keyspace.stats().take_back(lookups);
        // What was missed before has been told after the call that missed it.
        drop(self.keyspace.journal_mut().take_misses());
        handler.or(match self.registry.row(index).run {
            Run::Read(handler) => Some(handler),
            _ => None,
        })
    }

    /// A client's read goes to a worker.
    pub(super) fn begin_away(&mut self, key: ClientKey, request: Queued, handler: ReadHandler) {
        let interest = Arc::new(());
        let now = self.now.unix_ms();
        let rng = self.rng.fork();
        let Some(client) = self.clients.get_mut(key) else { return };
        let read = LongRead {
            client: key,
            id: client.id,
            interest: Arc::downgrade(&interest),
            request,
            handler,
            data: self.keyspace.freeze(now),
            db: client.db,
            leaves_clocks: client.flags.has(ClientFlags::NO_TOUCH),
            dialect: client.dialect,
            limits: self.limits,
            rng,
        };
        client.away = Some(Box::new(Away { _interest: interest, pushed: Output::default() }));
        client.flags.set(ClientFlags::BLOCKED, true);
        self.outside.send_away(read);
    }

    /// A worker is done: its client gets the reply and goes on.
    pub fn come_back(&mut self, returned: Returned) {
        let Returned { client: key, id, request, data, reply, error, ticks } = returned;
        self.keyspace.absorb(data);
        self.keyspace.reap(REAPED_AT_RETURN);
        self.react();
        let Some(client) = self.clients.get_mut(key).filter(|client| client.id == id) else {
            return;
        };
        let Some(mut away) = client.away.take() else { return };
        client.flags.set(ClientFlags::BLOCKED, false);
        if let Some(error) = &error {
            self.stats.count_error(&error.code());
        }
        let cost = Cost {
            nanos: self.nanos_between(0, ticks),
            failed: error.is_some(),
            reply_bytes: reply.len(),
        };
        self.count_call(key, request.row, &request.args(), cost);
        let mut reply = reply;
        self.answer(key, |engine, replies| {
            let mark = replies.mark();
            replies.append(&mut reply);
            engine.settle_reply(key, mark, replies)?;
            replies.append(&mut away.pushed);
            Some(())
        });
        self.effects.push(Effect::Resume(key));
    }
}
