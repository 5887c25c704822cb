//! EVAL and its like, SCRIPT.

use std::rc::Rc;

use crate::base::number::parse_int;
use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ALLOW_BUSY, Arg, Command, Group, Key, LOADING, MAY_REPLICATE, MOVABLE_KEYS, NO_MANDATORY_KEYS,
    NOSCRIPT, READONLY, SKIP_MONITOR, STALE, at_least, exactly, integer, key, one_of, pure, text,
};
use crate::engine::context::EngineCx;
use crate::engine::registry::EngineRun::{self, Container, Engine as Run, Help};
use crate::protocol::error::ReplyError;

use super::cache::{Cache, Sha, digits};
use super::flags;
use super::machine::{Job, Machine, Purpose};
use super::run::{Name, Start, run};

/// Flags of whatever runs a script.
pub(super) const RUNNER: crate::command::spec::Flags =
    NOSCRIPT.and(STALE).and(SKIP_MONITOR).and(NO_MANDATORY_KEYS).and(MOVABLE_KEYS);

/// Keys of a script that may do anything to them.
pub(super) const ANY_KEYS: &[Key] = &[Key::at(2, &["RW", "access", "update"])
    .counted(0, 1, 1)
    .note("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")];

/// Keys of a script that only reads.
pub(super) const READ_KEYS: &[Key] = &[Key::at(2, &["RO", "access"])
    .counted(0, 1, 1)
    .note("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")];

/// Arguments behind the script's name.
pub(super) const KEYS_AND_ARGS: [Arg; 3] =
    [integer("numkeys"), key("key").optional().repeated(), text("arg").optional().repeated()];

const TEXT_ARGS: &[Arg] = &[text("script"), KEYS_AND_ARGS[0], KEYS_AND_ARGS[1], KEYS_AND_ARGS[2]];
const SHA_ARGS: &[Arg] = &[text("sha1"), KEYS_AND_ARGS[0], KEYS_AND_ARGS[1], KEYS_AND_ARGS[2]];
const COST: &str = "Depends on the script that is executed.";

/// Commands of this file.
pub(in crate::engine) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("EVAL", at_least(3), Group::Scripting, Run(eval))
        .keys(ANY_KEYS)
        .flags(RUNNER.and(MAY_REPLICATE))
        .args(TEXT_ARGS)
        .doc("2.6.0", "Runs a Lua script.", COST),
    Command::new("EVAL_RO", at_least(3), Group::Scripting, Run(eval_ro))
        .keys(READ_KEYS)
        .flags(RUNNER.and(READONLY))
        .args(TEXT_ARGS)
        .doc("7.0.0", "Runs a Lua script that doesn't write.", COST),
    Command::new("EVALSHA", at_least(3), Group::Scripting, Run(evalsha))
        .keys(ANY_KEYS)
        .flags(RUNNER.and(MAY_REPLICATE))
        .args(SHA_ARGS)
        .doc("2.6.0", "Runs a Lua script that the server knows, named by its SHA-1.", COST),
    Command::new("EVALSHA_RO", at_least(3), Group::Scripting, Run(evalsha_ro))
        .keys(READ_KEYS)
        .flags(RUNNER.and(READONLY))
        .args(SHA_ARGS)
        .doc("7.0.0", "Runs a known Lua script that doesn't write, named by its SHA-1.", COST),
    Command::new("SCRIPT", at_least(2), Group::Scripting, Container)
        .doc("2.6.0", "Holds the commands about Lua scripts.", "Depends on subcommand.")
        .subcommands(SUBCOMMANDS),
];

const SUBCOMMANDS: &[Command<EngineRun>] = &[
    Command::new("DEBUG", exactly(3), Group::Scripting, Run(script_debug))
        .flags(NOSCRIPT)
        .args(&[one_of("mode", &[pure("yes", "YES"), pure("sync", "SYNC"), pure("no", "NO")])])
        .doc("3.2.0", "Switches the debugging of the connection's scripts.", "O(1)"),
    Command::new("EXISTS", at_least(3), Group::Scripting, Run(script_exists))
        .flags(NOSCRIPT)
        .args(&[text("sha1").repeated()])
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
        .doc(
            "2.6.0",
            "Says which scripts the server knows.",
            "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
        ),
    Command::new("FLUSH", at_least(2), Group::Scripting, Run(script_flush))
        .flags(NOSCRIPT)
        .args(&[one_of("flush-type", &[pure("async", "ASYNC"), pure("sync", "SYNC")])
            .optional()
            .since("6.2.0")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .doc(
            "2.6.0",
            "Forgets all scripts.",
            "O(N) with N being the number of scripts in cache",
        ),
    Command::new("HELP", exactly(2), Group::Scripting, Help(HELP))
        .flags(LOADING.and(STALE))
        .doc("5.0.0", "Lists the subcommands.", "O(1)"),
    Command::new("KILL", exactly(2), Group::Scripting, Run(script_kill))
        .flags(NOSCRIPT.and(ALLOW_BUSY))
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
        .doc("2.6.0", "Ends the script that runs, unless it has written.", "O(1)"),
    Command::new("LOAD", exactly(3), Group::Scripting, Run(script_load))
        .flags(NOSCRIPT.and(STALE))
        .args(&[text("script")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .doc(
            "2.6.0",
            "Makes a script known without running it.",
            "O(N) with N being the length in bytes of the script body.",
        ),
    Command::new("SHOW", exactly(3), Group::Scripting, Run(script_show))
        .flags(NOSCRIPT.and(STALE))
        .args(&[text("sha1")])
        .doc("8.0.0", "Returns the text of a known script.", "O(1)"),
];

const HELP: &[&str] = &[
    "DEBUG (YES|SYNC|NO)",
    "    Switch the debugging of this connection's scripts. Only NO is possible.",
    "EXISTS <sha1> [<sha1> ...]",
    "    Say for each whether the server knows a script of this name.",
    "FLUSH [ASYNC|SYNC]",
    "    Forget all scripts.",
    "KILL",
    "    End the script that runs, unless it has written.",
    "LOAD <script>",
    "    Make a script known without running it.",
    "SHOW <sha1>",
    "    Show the text of a known script.",
];

const NO_SCRIPT: ReplyError = ReplyError::Fixed("NOSCRIPT No matching script. Please use EVAL.");

fn eval(cx: &mut EngineCx<'_>) -> CmdResult {
    run_text(cx, false)
}

fn eval_ro(cx: &mut EngineCx<'_>) -> CmdResult {
    run_text(cx, true)
}

fn evalsha(cx: &mut EngineCx<'_>) -> CmdResult {
    run_known(cx, false)
}

fn evalsha_ro(cx: &mut EngineCx<'_>) -> CmdResult {
    run_known(cx, true)
}

fn run_text(cx: &mut EngineCx<'_>, is_read_only: bool) -> CmdResult {
    cx.engine.show_to_monitors(cx.client, cx.row, &cx.args);
    let text = cx.args.bytes()?;
    let key_count = key_count(cx, ReplyError::NotInteger)?;
    let name = Cache::name(text);
    let machine = cx.engine.scripts.machine(Purpose::Scripts)?;
    if cx.engine.scripts.cache.get(&name).is_none() {
        add(cx, &machine, name, text, false)?;
    }
    run_cached(cx, &machine, name, key_count, is_read_only)
}

fn run_known(cx: &mut EngineCx<'_>, is_read_only: bool) -> CmdResult {
    cx.engine.show_to_monitors(cx.client, cx.row, &cx.args);
    let name = Cache::parse_name(cx.args.bytes()?).ok_or(NO_SCRIPT)?;
    let key_count = key_count(cx, ReplyError::NotInteger)?;
    let machine = cx.engine.scripts.machine(Purpose::Scripts)?;
    run_cached(cx, &machine, name, key_count, is_read_only)
}

/// Reads how many keys follow, and sees to it that they do.
pub(super) fn key_count(cx: &mut EngineCx<'_>, misread: ReplyError) -> Result<usize, ReplyError> {
    let count = parse_int(cx.args.bytes()?).ok_or(misread)?;
    if count < 0 {
        return Err(ReplyError::Fixed("ERR Number of keys can't be negative"));
    }
    usize::try_from(count)
        .ok()
        .filter(|count| *count <= cx.args.left())
        .ok_or(ReplyError::Fixed("ERR Number of keys can't be greater than number of args"))
}

fn run_cached(
    cx: &mut EngineCx<'_>,
    machine: &Rc<Machine>,
    name: Sha,
    key_count: usize,
    is_read_only: bool,
) -> CmdResult {
    let (slot, flags) = cx.engine.scripts.cache.touch(&name).ok_or(NO_SCRIPT)?;
    if !machine.set_arguments(cx.args.rest(), key_count) {
        return Err(OUT_OF_LUA);
    }
    run(
        cx,
        Start {
            machine: Rc::clone(machine),
            purpose: Purpose::Scripts,
            name: Name::Script(name),
            job: Job::Script(slot),
            flags,
            is_read_only,
        },
    )
}

/// What a client reads when Lua can't even hold its arguments.
pub(super) const OUT_OF_LUA: ReplyError = ReplyError::Fixed("ERR not enough memory");

/// Compiles a script and makes it known.
fn add(
    cx: &mut EngineCx<'_>,
    machine: &Machine,
    name: Sha,
    text: &[u8],
    stays: bool,
) -> Result<(), ReplyError> {
    let (flags, code) = flags::of_script(text)?;
    let slot = machine.compile(code).map_err(|error| {
        let text = [b"ERR Error compiling script (new function): ", &*error].concat();
        ReplyError::Bytes(text.into())
    })?;
    if let Some(slot) = cx.engine.scripts.cache.insert(name, slot, text, flags, stays) {
        machine.release(slot);
    }
    Ok(())
}

fn script_load(cx: &mut EngineCx<'_>) -> CmdResult {
    let text = cx.args.bytes()?;
    let name = Cache::name(text);
    let machine = cx.engine.scripts.machine(Purpose::Scripts)?;
    if cx.engine.scripts.cache.get(&name).is_some() {
        cx.engine.scripts.cache.keep(&name);
    } else {
        add(cx, &machine, name, text, true)?;
    }
    cx.reply.bulk(digits(&name).as_bytes());
    Ok(Flow::Replied)
}

fn script_exists(cx: &mut EngineCx<'_>) -> CmdResult {
    let names = cx.args.rest();
    cx.reply.array(names.len());
    for name in names {
        let cache = &cx.engine.scripts.cache;
        let is_known = Cache::parse_name(name).is_some_and(|name| cache.get(&name).is_some());
        cx.reply.flag(is_known);
    }
    Ok(Flow::Replied)
}

fn script_show(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = Cache::parse_name(cx.args.bytes()?);
    match name.and_then(|name| cx.engine.scripts.cache.get(&name)) {
        Some(script) => cx.reply.bulk(&script.text),
        None => return Err(ReplyError::Fixed("NOSCRIPT No matching script.")),
    }
    Ok(Flow::Replied)
}

fn script_flush(cx: &mut EngineCx<'_>) -> CmdResult {
    let is_understood = match cx.args.left() {
        0 => true,
        1 => cx.args.accept("ASYNC") || cx.args.accept("SYNC"),
        _ => false,
    };
    if !is_understood {
        return Err(ReplyError::Fixed("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    cx.engine.scripts.cache.clear();
    cx.engine.scripts.eval = None;
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn script_debug(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.args.accept("NO") {
        cx.reply.ok();
        return Ok(Flow::Replied);
    }
    if cx.args.accept("YES") || cx.args.accept("SYNC") {
        return Err(ReplyError::Fixed("ERR This server has no debugger for scripts"));
    }
    Err(ReplyError::Fixed("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}

fn script_kill(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.kill_script(Purpose::Scripts)?;
    cx.reply.ok();
    Ok(Flow::Replied)
}
