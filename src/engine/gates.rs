//! What may refuse a command before it runs.
//!
//! First refusal wins, so the order is part of the protocol. A batch of a client with nothing
//! special about it, on a server with nothing special going on, passes without looking at any of
//! them: see [`Engine::is_guarded`].

use crate::command::args::Args;
use crate::command::spec::{ALLOW_BUSY, DENY_OOM, Flags, LOADING, NO_AUTH, NO_MULTI, WRITE};
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Dialect;

use super::Engine;
use super::client::{ClientFlags, ClientKey};
use super::registry::RowIndex;

/// How a gate lets a command pass, or not.
pub(super) enum Verdict {
    /// Goes on.
    Pass,
    /// Refused with this reply.
    Refuse(ReplyError),
    /// Stays in the connection's buffer until the client is resumed.
    Hold,
    /// Queued until EXEC.
    Queue,
}

type Gate = fn(&Engine, ClientKey, RowIndex, &Args<'_>) -> Verdict;

/// Arity comes before these, routing and permissions of keys will come between them.
const GATES: &[Gate] = &[
    authenticated,
    within_memory,
    saved,
    subscribed,
    loaded,
    not_busy,
    paused,
    multi_allowed,
    queued,
];

impl Engine {
    /// Whether any gate could refuse a command of this client.
    pub(super) fn is_guarded(&self, key: ClientKey) -> bool {
        self.config.maxmemory.0 != 0 || self.guards_reads(key)
    }

    /// Whether any gate could refuse a command of this client that adds nothing.
    pub(super) fn guards_reads(&self, key: ClientKey) -> bool {
        const SPECIAL: u32 = ClientFlags::MULTI.0
            | ClientFlags::PAUSED.0
            | ClientFlags::BLOCKED.0
            | ClientFlags::PUBSUB.0;
        let Some(client) = self.clients.get(key) else { return true };
        !client.is_authenticated
            || client.flags.has(ClientFlags(SPECIAL))
            || self.is_loading()
            || self.saving.has_failed()
            || self.appending.has_failed()
            || self.pause.is_some()
            || self.has_paused_script()
    }

    /// Whether a command has `flag`, or is an EXEC of commands one of which has it.
    fn is_or_runs(&self, key: ClientKey, row: RowIndex, flag: Flags) -> bool {
        let row = self.registry.row(row);
        if &*row.full_name != "exec" {
            return row.spec.flags.has(flag);
        }
        let transaction = self.clients.get(key).and_then(|client| client.transaction.as_deref());
        transaction.is_some_and(|transaction| {
            let mut queue = transaction.queue.iter();
            queue.any(|queued| self.registry.row(queued.row).spec.flags.has(flag))
        })
    }

    /// Why writes are refused while the disk takes nothing, if it doesn't.
    pub(super) fn refusal_of_writes(&self) -> Option<ReplyError> {
        let unsaved = self.refuses_writes_unsaved().then_some(ReplyError::NotSaved);
        unsaved.or_else(|| self.log_refusal())
    }

    /// The first verdict that is not `Pass`.
    pub(super) fn judge(&self, key: ClientKey, row: RowIndex, args: &Args<'_>) -> Verdict {
        for gate in GATES {
            match gate(self, key, row, args) {
                Verdict::Pass => {}
                verdict => return verdict,
            }
        }
        Verdict::Pass
    }
}

fn authenticated(engine: &Engine, key: ClientKey, row: RowIndex, _: &Args<'_>) -> Verdict {
    let is_authenticated = engine.clients.get(key).is_some_and(|client| client.is_authenticated);
    if is_authenticated || engine.registry.row(row).spec.flags.has(NO_AUTH) {
        Verdict::Pass
    } else {
        Verdict::Refuse(ReplyError::NoAuth)
    }
}

fn within_memory(engine: &Engine, key: ClientKey, row: RowIndex, _: &Args<'_>) -> Verdict {
    if engine.config.maxmemory.0 == 0 || !engine.is_out_of_memory {
        return Verdict::Pass;
    }
    if engine.is_or_runs(key, row, DENY_OOM) {
        Verdict::Refuse(ReplyError::OutOfMemory)
    } else {
        Verdict::Pass
    }
}

/// A disk that takes nothing makes every write one that may be lost. PING tells of it too.
fn saved(engine: &Engine, key: ClientKey, row: RowIndex, _: &Args<'_>) -> Verdict {
    let Some(refusal) = engine.refusal_of_writes() else { return Verdict::Pass };
    if engine.is_or_runs(key, row, WRITE) || &*engine.registry.row(row).full_name == "ping" {
        Verdict::Refuse(refusal)
    } else {
        Verdict::Pass
    }
}

/// In RESP2 a message can't be told from a reply, so whoever listens may ask for little else.
fn subscribed(engine: &Engine, key: ClientKey, row: RowIndex, _: &Args<'_>) -> Verdict {
    let listens = engine.clients.get(key).is_some_and(|client| {
        client.flags.has(ClientFlags::PUBSUB) && client.dialect == Dialect::Resp2
    });
    if !listens {
        return Verdict::Pass;
    }
    match &*engine.registry.row(row).full_name {
        "ping" | "quit" | "reset" | "subscribe" | "psubscribe" | "ssubscribe" | "unsubscribe"
        | "punsubscribe" | "sunsubscribe" => Verdict::Pass,
        name => Verdict::Refuse(ReplyError::NotWhileSubscribed(name.into())),
    }
}

fn loaded(engine: &Engine, _: ClientKey, row: RowIndex, _: &Args<'_>) -> Verdict {
    if engine.is_loading() && !engine.registry.row(row).spec.flags.has(LOADING) {
        Verdict::Refuse(ReplyError::Loading)
    } else {
        Verdict::Pass
    }
}

fn not_busy(engine: &Engine, _: ClientKey, row: RowIndex, _: &Args<'_>) -> Verdict {
    match engine.busy_refusal() {
        Some(refusal) if !engine.registry.row(row).spec.flags.has(ALLOW_BUSY) => {
            Verdict::Refuse(refusal)
        }
        _ => Verdict::Pass,
    }
}

fn paused(engine: &Engine, key: ClientKey, index: RowIndex, args: &Args<'_>) -> Verdict {
    let Some(pause) = engine.pause else { return Verdict::Pass };
    let row = engine.registry.row(index);
    if row.parent.is_none() && matches!(&*row.full_name, "exec") {
        // A transaction is held back as a whole when anything in it would be.
        let writes = engine.clients.get(key).and_then(|client| client.transaction.as_deref());
        let writes = writes.is_some_and(|transaction| {
            transaction.queue.iter().any(|queued| engine.may_replicate(queued.row, &queued.args()))
        });
        return if writes || !pause.writes_only { Verdict::Hold } else { Verdict::Pass };
    }
    let in_multi =
        engine.clients.get(key).is_some_and(|client| client.flags.has(ClientFlags::MULTI));
    let is_client_command = row.full_name.starts_with("client");
    let holds = if pause.writes_only {
        !in_multi && engine.may_replicate(index, args)
    } else {
        !in_multi && !is_client_command
    };
    if holds { Verdict::Hold } else { Verdict::Pass }
}

fn multi_allowed(engine: &Engine, key: ClientKey, row: RowIndex, _: &Args<'_>) -> Verdict {
    let in_multi =
        engine.clients.get(key).is_some_and(|client| client.flags.has(ClientFlags::MULTI));
    if in_multi && engine.registry.row(row).spec.flags.has(NO_MULTI) {
        Verdict::Refuse(ReplyError::NotInMulti)
    } else {
        Verdict::Pass
    }
}

fn queued(engine: &Engine, key: ClientKey, row: RowIndex, _: &Args<'_>) -> Verdict {
    let in_multi =
        engine.clients.get(key).is_some_and(|client| client.flags.has(ClientFlags::MULTI));
    let row = engine.registry.row(row);
    let runs_at_once =
        matches!(&*row.full_name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset");
    if in_multi && !runs_at_once { Verdict::Queue } else { Verdict::Pass }
}
