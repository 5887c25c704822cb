//! A script's way through the engine: what may keep it from starting, the commands it calls, its
//! end.

use std::rc::Rc;

use crate::base::time::Now;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{DENY_OOM, MAY_REPLICATE, NOSCRIPT, WRITE};
use crate::engine::Engine;
use crate::engine::client::ClientKey;
use crate::engine::context::EngineCx;
use crate::engine::dispatch::until_zero;
use crate::engine::registry::RowIndex;
use crate::keyspace::DbIndex;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::{Output, Reply};

use super::cache::{Sha, digits};
use super::fiber::{Event, Input};
use super::flags::ScriptFlags;
use super::machine::{Job, Machine, Purpose};
use super::shared::Failure;

/// What a script goes by.
#[derive(Clone, Debug)]
pub(super) enum Name {
    /// The SHA-1 of its text.
    Script(Sha),
    /// A function of a library.
    Function(Rc<str>),
    /// A library that is being loaded.
    Library,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Script(sha) => f.write_str(&digits(sha)),
            Self::Function(name) => f.write_str(name),
            Self::Library => f.write_str("library"),
        }
    }
}

/// The script that runs.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not exclude each other")]
pub(super) struct Running {
    pub machine: Rc<Machine>,
    pub purpose: Purpose,
    pub client: ClientKey,
    pub name: Name,
    /// The caller's database, which SELECT inside does not change.
    db: DbIndex,
    is_read_only: bool,
    allows_oom: bool,
    was_out_of_memory: bool,
    /// Whether a command that writes was let through.
    pub has_written: bool,
    /// Whether a command of the script runs.
    pub is_calling: bool,
    /// Whether others are told that the server is busy.
    pub is_busy: bool,
    /// Whether it has been told to end.
    pub is_killed: bool,
    /// Whether the caller has left meanwhile.
    pub is_orphan: bool,
    /// When it began, in ticks.
    pub started: u64,
    /// When it last began a slice, in ticks.
    pub resumed: u64,
    /// The time that the script sees.
    pub now: Now,
}

/// How far a script got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// To its end.
    Done,
    /// It goes on later.
    Paused,
}

/// What is to be run, and as what.
#[derive(Debug)]
pub(super) struct Start {
    pub machine: Rc<Machine>,
    pub purpose: Purpose,
    pub name: Name,
    pub job: Job,
    /// What it declares; `None`: nothing at all.
    pub flags: Option<ScriptFlags>,
    /// Called by a command that promises not to write.
    pub is_read_only: bool,
}

const WRITES: ReplyError =
    ReplyError::Fixed("ERR Write commands are not allowed from read-only scripts.");

impl Start {
    /// Why the script may not start.
    fn refusal(&self, engine: &Engine) -> Option<ReplyError> {
        let flags = self.flags?;
        let writes = !flags.has(ScriptFlags::NO_WRITES);
        if writes && let Some(refusal) = engine.refusal_of_writes() {
            return Some(refusal);
        }
        if writes && self.is_read_only {
            return Some(ReplyError::Fixed(
                "ERR Can not execute a script with write flag using *_ro command.",
            ));
        }
        let is_out_of_memory = engine.config.maxmemory.0 != 0 && engine.is_out_of_memory;
        let needs_memory = writes && !flags.has(ScriptFlags::ALLOW_OOM);
        (needs_memory && is_out_of_memory).then_some(ReplyError::OutOfMemory)
    }
}

/// Runs a script for the caller of a command.
pub(super) fn run(cx: &mut EngineCx<'_>, start: Start) -> CmdResult {
    if let Some(refusal) = start.refusal(cx.engine) {
        return Err(refusal);
    }
    cx.engine.scripts.fiber()?;
    let dialect = cx.reply.dialect();
    let shared = Rc::clone(&start.machine.shared);
    shared.dialect.set(dialect);
    cx.engine.begin(cx.client, start);
    match cx.engine.drive(true) {
        Progress::Paused => Ok(cx.engine.pause_script(cx.row, &cx.args, dialect)),
        Progress::Done => Ok(cx.engine.conclude(cx.reply.output(), dialect)),
    }
}

impl Engine {
    /// Notes that a script runs; [`Engine::drive`] does the rest.
    pub(super) fn begin(&mut self, client: ClientKey, start: Start) {
        let Start { machine, purpose, name, job, flags, is_read_only } = start;
        machine.prepare(job);
        let declared = flags.unwrap_or_default();
        // The clock was read when the call began.
        let now_ticks = self.ticks;
        self.scripts.running = Some(Running {
            machine,
            purpose,
            client,
            name,
            db: self.clients.get(client).map_or(DbIndex(0), |client| client.db),
            is_read_only: is_read_only || declared.has(ScriptFlags::NO_WRITES),
            allows_oom: declared.has(ScriptFlags::ALLOW_OOM),
            was_out_of_memory: self.config.maxmemory.0 != 0 && self.is_out_of_memory,
            has_written: false,
            is_calling: false,
            is_busy: false,
            is_killed: false,
            is_orphan: false,
            started: now_ticks,
            resumed: now_ticks,
            now: self.now,
        });
    }

    /// Runs the script until it is done or must make way for others.
    pub(super) fn drive(&mut self, is_start: bool) -> Progress {
        let mut input = match (&self.scripts.running, is_start) {
            (Some(running), true) => Input::Start(Rc::clone(&running.machine)),
            (Some(running), false) if running.is_killed => Input::Kill,
            _ => Input::Go,
        };
        loop {
            let Some(fiber) = self.scripts.fiber.as_mut() else { return Progress::Done };
            match fiber.resume(input) {
                Event::Call => {
                    self.call_for_script();
                    input = Input::Go;
                }
                Event::Inquire => {
                    self.inquire_for_script();
                    input = Input::Go;
                }
                Event::Tick => match self.tick() {
                    Some(next) => input = next,
                    None => return Progress::Paused,
                },
                Event::Done | Event::Idle => return Progress::Done,
            }
        }
    }

    /// Runs the command that the script has put together.
    fn call_for_script(&mut self) {
        let Some(running) = self.scripts.running.as_mut() else { return };
        running.is_calling = true;
        let (machine, key) = (Rc::clone(&running.machine), running.client);
        let shared = &machine.shared;
        let mut words = shared.words.take();
        let mut output = shared.reply.take();
        output.clear();
        {
            let args = words.args();
            let mut reply = Reply::new(&mut output, shared.script_dialect());
            match self.admit(&args) {
                Ok(row) => self.call(key, row, &args, reply),
                Err((row, error)) => {
                    self.stats.count_error(&error.code());
                    if let Some(row) = row {
                        self.registry.row_mut(row).stats.rejected += 1;
                    }
                    reply.error(&error);
                }
            }
        }
        words.shrink();
        shared.words.replace(words);
        shared.reply.replace(output);
        if let Some(running) = self.scripts.running.as_mut() {
            running.is_calling = false;
        }
    }

    /// The command that a script may call with these words, or why it may not.
    fn admit(&mut self, args: &Args<'_>) -> Result<RowIndex, (Option<RowIndex>, ReplyError)> {
        let unknown = || (None, ReplyError::Fixed("ERR Unknown Redis command called from script"));
        let index = self.registry.find_called(args).ok_or_else(unknown)?;
        let row = self.registry.row(index);
        let refused = |error| Err((Some(index), error));
        if row.is_container() && args.word_count() > 1 {
            return refused(unknown().1);
        }
        if !row.spec.arity.admits(args.word_count()) {
            return refused(ReplyError::Fixed(
                "ERR Wrong number of args calling Redis command from script",
            ));
        }
        let flags = row.spec.flags;
        let is_loading = matches!(
            self.scripts.running.as_ref().map(|running| &running.name),
            Some(Name::Library)
        );
        if is_loading {
            return refused(ReplyError::Fixed(
                "ERR redis.call/pcall can only be called inside a script invocation",
            ));
        }
        if flags.has(NOSCRIPT) && !self.scripts.allows_everything {
            return refused(ReplyError::Fixed("ERR This Redis command is not allowed from script"));
        }
        let disk_refusal = self.refusal_of_writes();
        let Some(running) = self.scripts.running.as_mut() else { return Ok(index) };
        if running.is_read_only && (flags.has(WRITE) || flags.has(MAY_REPLICATE)) {
            return refused(WRITES);
        }
        if flags.has(WRITE)
            && let Some(refusal) = disk_refusal
        {
            return refused(refusal);
        }
        let may_grow = running.allows_oom || running.has_written || !running.was_out_of_memory;
        if flags.has(DENY_OOM) && !may_grow {
            return refused(ReplyError::OutOfMemory);
        }
        running.has_written |= flags.has(WRITE);
        Ok(index)
    }

    /// Finds out whether the caller may run what the script asks about.
    fn inquire_for_script(&mut self) {
        let Some(running) = &self.scripts.running else { return };
        let machine = Rc::clone(&running.machine);
        let words = machine.shared.words.borrow();
        let args = words.args();
        // There is one user, who may do everything there is. A container stands here only alone or
        // before a subcommand that it doesn't have.
        let is_known = self
            .registry
            .find_called(&args)
            .is_some_and(|row| args.word_count() == 1 || !self.registry.row(row).is_container());
        machine.shared.verdict.set(is_known.then_some(true));
    }

    /// The script is done: its reply goes to `output`.
    pub(super) fn conclude(
        &mut self,
        output: &mut Output,
        dialect: crate::protocol::reply::Dialect,
    ) -> Flow {
        let Some((running, failure)) = self.end_script() else { return Flow::Replied };
        let mut said = running.machine.shared.result.borrow_mut();
        let Some(failure) = failure else {
            output.append(&mut said);
            return Flow::Replied;
        };
        if !failure.is_counted {
            self.stats.count_error(&ReplyError::Bytes(failure.text.as_slice().into()).code());
        }
        if said.is_empty() {
            // What a script raises ends at a zero, as in Redis; what is said behind it does not.
            let mut text = until_zero(&failure.text).to_vec();
            if let Some((source, line)) = &failure.place {
                text.extend_from_slice(format!(" script: {}, on ", running.name).as_bytes());
                text.extend_from_slice(source);
                text.extend_from_slice(format!(":{line}.").as_bytes());
            }
            Reply::new(output, dialect).error(&ReplyError::Bytes(text.into()));
        } else {
            output.append(&mut said);
        }
        Flow::Failed
    }

    /// Ends the script's time: what ran, and how it failed if it did.
    pub(super) fn end_script(&mut self) -> Option<(Running, Option<Failure>)> {
        let running = self.scripts.running.take()?;
        if let Some(client) = self.clients.get_mut(running.client) {
            client.db = running.db;
        }
        let failure = running.machine.shared.failure.take();
        Some((running, failure))
    }
}

impl Engine {
    /// Whether a call could change what replicas hold, as far as a script says so itself.
    pub(in crate::engine) fn script_may_write(&self, row: RowIndex, args: &Args<'_>) -> bool {
        if args.word_count() < 2 {
            return true;
        }
        let word = args.word(1);
        let flags = match &*self.registry.row(row).full_name {
            "eval" => super::flags::of_script(word).ok().and_then(|(flags, _)| flags),
            "evalsha" => {
                let script = super::cache::Cache::parse_name(word)
                    .and_then(|name| self.scripts.cache.get(&name));
                script.and_then(|script| script.flags)
            }
            "fcall" => self.scripts.functions.get(word).map(|function| function.flags),
            _ => None,
        };
        !flags.is_some_and(|flags| flags.has(ScriptFlags::NO_WRITES))
    }
}
