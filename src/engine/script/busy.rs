//! Scripts that take long: others are told so, and may end them.
//!
//! After `busy-reply-threshold` a script is left where it stands, in the middle of an instruction.
//! Its caller waits; the shell serves other clients, most of whom are refused, and lets the script
//! go on for a slice at a time. Nothing else touches the data meanwhile.

use crate::command::args::Args;
use crate::command::context::Flow;
use crate::engine::client::{ClientFlags, ClientKey};
use crate::engine::dispatch::Cost;
use crate::engine::registry::RowIndex;
use crate::engine::transaction::Queued;
use crate::engine::{Effect, Engine};
use crate::protocol::error::ReplyError;
use crate::protocol::reply::{Dialect, Output};

use super::fiber::Input;
use super::machine::Purpose;
use super::run::{Name, Progress};

/// How long a busy script goes on between two looks at the sockets. Nanoseconds.
const SLICE_NANOS: u64 = 1_000_000;

/// How long a library may take to register its functions. Milliseconds, as in Redis.
const LOAD_MS_MAX: u64 = 500;

const BUSY_SCRIPT: ReplyError = ReplyError::Fixed(
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);
const BUSY_FUNCTION: ReplyError = ReplyError::Fixed(
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);

/// The request whose script is busy.
#[derive(Debug)]
pub(in crate::engine) struct PausedCall {
    request: Queued,
    dialect: Dialect,
    /// Replies that its client gets before the script's: those of its batch, and of the
    /// transaction that the call is part of.
    said: Output,
    /// What is left of the transaction.
    rest: Vec<Queued>,
}

/// Name, words and age of the function that runs.
type RunningFunction = (String, Vec<Box<[u8]>>, u64);

impl Engine {
    /// The clock has moved on: whether the script goes on, and how.
    pub(super) fn tick(&mut self) -> Option<Input> {
        let ticks = self.outside.ticks();
        let Some(running) = &self.scripts.running else { return Some(Input::Go) };
        if running.is_killed {
            return Some(Input::Kill);
        }
        let millis = self.nanos_between(running.started, ticks) / 1_000_000;
        if matches!(running.name, Name::Library) {
            return Some(if millis > LOAD_MS_MAX { Input::Kill } else { Input::Go });
        }
        if running.is_busy {
            let is_over = self.nanos_between(running.resumed, ticks) >= SLICE_NANOS;
            return if is_over { None } else { Some(Input::Go) };
        }
        let threshold = self.config.busy_reply_threshold;
        if threshold == 0 || millis < threshold {
            return Some(Input::Go);
        }
        tracing::warn!(
            "Slow script detected: still in execution after {millis} milliseconds. You can try \
             killing the script using the {} command.",
            match running.purpose {
                Purpose::Scripts => "SCRIPT KILL",
                Purpose::Functions => "FUNCTION KILL",
            }
        );
        None
    }

    /// The script goes on later; so does its caller.
    pub(super) fn pause_script(
        &mut self,
        row: RowIndex,
        args: &Args<'_>,
        dialect: Dialect,
    ) -> Flow {
        let Some(running) = self.scripts.running.as_mut() else { return Flow::Later };
        running.is_busy = true;
        let request = Queued::new(row, args);
        self.scripts.paused =
            Some(PausedCall { request, dialect, said: Output::default(), rest: Vec::new() });
        if let Some(client) = self.clients.get_mut(running.client) {
            client.flags.set(ClientFlags::BLOCKED, true);
        }
        Flow::Later
    }

    /// Whether a script waits to go on.
    pub fn has_paused_script(&self) -> bool {
        self.scripts.paused.is_some()
    }

    /// Whether a script runs or waits to go on.
    pub(in crate::engine) fn is_in_script(&self) -> bool {
        self.scripts.running.is_some()
    }

    /// Whether the script that runs keeps its changes from the log.
    pub(in crate::engine) fn script_is_muted(&self) -> bool {
        self.scripts.running.as_ref().is_some_and(|running| running.machine.shared.is_muted.get())
    }

    /// Whether this client's script waits to go on.
    pub(in crate::engine) fn is_paused_in_script(&self, key: ClientKey) -> bool {
        self.scripts.paused.is_some()
            && self.scripts.running.as_ref().is_some_and(|running| running.client == key)
    }

    /// What else belongs to the paused call: replies before it, and calls behind it.
    pub(in crate::engine) fn extend_paused_call(&mut self, said: &mut Output, rest: Vec<Queued>) {
        if let Some(paused) = self.scripts.paused.as_mut() {
            paused.said.append(said);
            paused.rest.extend(rest);
        }
    }

    /// Lets the paused script go on for a while; whether it must again.
    pub fn continue_script(&mut self) -> bool {
        let now = self.now;
        let Some(running) = self.scripts.running.as_mut() else { return false };
        if self.scripts.paused.is_none() {
            return false;
        }
        running.resumed = self.outside.ticks();
        // Time stands still inside.
        self.now = running.now;
        self.caller = Some(running.client);
        let progress = self.drive(false);
        if progress == Progress::Done {
            self.finish_paused();
        }
        self.caller = None;
        self.now = now;
        if !self.has_paused_script() {
            self.end_unit();
        }
        self.has_paused_script()
    }

    /// The paused script is done: its caller gets its reply, and goes on.
    fn finish_paused(&mut self) {
        let Some(PausedCall { request, dialect, mut said, rest }) = self.scripts.paused.take()
        else {
            return;
        };
        let Some(running) = &self.scripts.running else { return };
        let (key, is_orphan) = (running.client, running.is_orphan);
        let nanos = self.nanos_between(running.started, self.outside.ticks());
        let before = said.len();
        let flow = self.conclude(&mut said, dialect);
        let reply_bytes = said.len() - before;
        if is_orphan {
            self.disconnect(key);
            return;
        }
        let cost = Cost { nanos, failed: matches!(flow, Flow::Failed), reply_bytes };
        self.count_call(key, request.row, &request.args(), cost);
        self.react();
        if let Some(client) = self.clients.get_mut(key) {
            client.flags.set(ClientFlags::BLOCKED, false);
        }
        if self.go_on_with_transaction(key, &mut said, rest) {
            return;
        }
        self.hand_in(key, said);
        self.effects.push(Effect::Resume(key));
        self.caller = None;
        self.end_unit();
        self.serve_waiters();
    }

    /// Puts a reply behind what a client's output holds, if its client wants to hear it.
    fn hand_in(&mut self, key: ClientKey, mut said: Output) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let mut replies = std::mem::take(&mut client.output);
        let mark = replies.mark();
        replies.append(&mut said);
        self.settle_reply(key, mark, &mut replies);
        let Some(client) = self.clients.get_mut(key) else { return };
        client.output = replies;
        self.announce(key);
        self.check_output_limit(key);
    }

    /// A client leaves whose script goes on; whether that is so.
    pub(in crate::engine) fn orphan_script(&mut self, key: ClientKey) -> bool {
        match self.scripts.running.as_mut() {
            Some(running) if running.client == key && !running.is_orphan => {
                running.is_orphan = true;
                true
            }
            _ => false,
        }
    }

    /// What others are told while a script is busy.
    pub(in crate::engine) fn busy_refusal(&self) -> Option<ReplyError> {
        self.scripts.paused.as_ref()?;
        Some(match self.scripts.running.as_ref()?.purpose {
            Purpose::Scripts => BUSY_SCRIPT,
            Purpose::Functions => BUSY_FUNCTION,
        })
    }

    /// Has the running script end at its next step.
    pub(super) fn kill_script(&mut self, purpose: Purpose) -> Result<(), ReplyError> {
        let Some(running) = self.scripts.running.as_mut() else {
            return Err(ReplyError::Fixed("NOTBUSY No scripts in execution right now."));
        };
        if running.has_written {
            return Err(ReplyError::Fixed(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. \
                 You can either wait the script termination or kill the server in a hard way using \
                 the SHUTDOWN NOSAVE command.",
            ));
        }
        match (running.purpose, purpose) {
            (Purpose::Scripts, Purpose::Functions) => return Err(BUSY_SCRIPT),
            (Purpose::Functions, Purpose::Scripts) => return Err(BUSY_FUNCTION),
            _ => {}
        }
        running.is_killed = true;
        // Clients read the same whichever command it was.
        running.machine.shared.fatal_text.set("Script killed by user with SCRIPT KILL...");
        Ok(())
    }

    /// The function that is busy, if one is.
    pub(super) fn running_function(&self) -> Result<Option<RunningFunction>, ReplyError> {
        let (Some(paused), Some(running)) = (&self.scripts.paused, &self.scripts.running) else {
            return Ok(None);
        };
        if running.purpose == Purpose::Scripts {
            return Err(BUSY_SCRIPT);
        }
        let millis = self.nanos_between(running.started, self.outside.ticks()) / 1_000_000;
        let words = paused.request.args().words().map(Box::from).collect();
        Ok(Some((running.name.to_string(), words, millis)))
    }
}
