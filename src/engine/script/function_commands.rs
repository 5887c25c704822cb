//! FUNCTION, FCALL.

use std::rc::Rc;

use crate::base::glob::{Case, matches};
use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ALLOW_BUSY, Arg, Command, DENY_OOM, Group, LOADING, MAY_REPLICATE, NOSCRIPT, READONLY, STALE,
    WRITE, at_least, exactly, one_of, pure, text,
};
use crate::engine::Engine;
use crate::engine::client::ClientKey;
use crate::engine::context::EngineCx;
use crate::engine::registry::EngineRun::{self, Container, Engine as Run, Help};
use crate::protocol::error::ReplyError;

use super::commands::{ANY_KEYS, KEYS_AND_ARGS, OUT_OF_LUA, READ_KEYS, RUNNER, key_count};
use super::dump;
use super::flags::{self, ScriptFlags};
use super::functions::{BAD_NAME, Function, Functions, Library, is_name};
use super::machine::{Job, Machine, Purpose};
use super::run::{Name, Start, run};

const CALL_ARGS: &[Arg] = &[text("function"), KEYS_AND_ARGS[0], KEYS_AND_ARGS[1], KEYS_AND_ARGS[2]];
const COST: &str = "Depends on the function that is executed.";

/// Commands of this file.
pub(in crate::engine) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("FCALL", at_least(3), Group::Scripting, Run(fcall))
        .keys(ANY_KEYS)
        .flags(RUNNER.and(MAY_REPLICATE))
        .args(CALL_ARGS)
        .doc("7.0.0", "Calls a function of a library.", COST),
    Command::new("FCALL_RO", at_least(3), Group::Scripting, Run(fcall_ro))
        .keys(READ_KEYS)
        .flags(RUNNER.and(READONLY))
        .args(CALL_ARGS)
        .doc("7.0.0", "Calls a function of a library that doesn't write.", COST),
    Command::new("FUNCTION", at_least(2), Group::Scripting, Container)
        .doc("7.0.0", "Holds the commands about functions.", "Depends on subcommand.")
        .subcommands(SUBCOMMANDS),
];

const EVERYWHERE: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

const SUBCOMMANDS: &[Command<EngineRun>] = &[
    Command::new("DELETE", exactly(3), Group::Scripting, Run(function_delete))
        .flags(NOSCRIPT.and(WRITE))
        .args(&[text("library-name")])
        .tips(EVERYWHERE)
        .doc("7.0.0", "Removes a library and its functions.", "O(1)"),
    Command::new("DUMP", exactly(2), Group::Scripting, Run(function_dump)).flags(NOSCRIPT).doc(
        "7.0.0",
        "Returns all libraries as one payload.",
        "O(N) where N is the number of functions",
    ),
    Command::new("FLUSH", at_least(2), Group::Scripting, Run(function_flush))
        .flags(NOSCRIPT.and(WRITE))
        .args(&[one_of("flush-type", &[pure("async", "ASYNC"), pure("sync", "SYNC")]).optional()])
        .tips(EVERYWHERE)
        .doc("7.0.0", "Removes all libraries.", "O(N) where N is the number of functions deleted"),
    Command::new("HELP", exactly(2), Group::Scripting, Help(HELP)).flags(LOADING.and(STALE)).doc(
        "7.0.0",
        "Lists the subcommands.",
        "O(1)",
    ),
    Command::new("KILL", exactly(2), Group::Scripting, Run(function_kill))
        .flags(NOSCRIPT.and(ALLOW_BUSY))
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
        .doc("7.0.0", "Ends the function that runs, unless it has written.", "O(1)"),
    Command::new("LIST", at_least(2), Group::Scripting, Run(function_list))
        .flags(NOSCRIPT)
        .args(&[
            text("library-name-pattern").token("LIBRARYNAME").optional(),
            pure("withcode", "WITHCODE").optional(),
        ])
        .tips(&["nondeterministic_output_order"])
        .doc("7.0.0", "Describes all libraries.", "O(N) where N is the number of functions"),
    Command::new("LOAD", at_least(3), Group::Scripting, Run(function_load))
        .flags(DENY_OOM.and(NOSCRIPT).and(WRITE))
        .args(&[pure("replace", "REPLACE").optional(), text("function-code")])
        .tips(EVERYWHERE)
        .doc("7.0.0", "Adds a library.", "O(1) (considering compilation time is redundant)"),
    Command::new("RESTORE", at_least(3), Group::Scripting, Run(function_restore))
        .flags(DENY_OOM.and(NOSCRIPT).and(WRITE))
        .args(&[
            text("serialized-value"),
            one_of(
                "policy",
                &[pure("flush", "FLUSH"), pure("append", "APPEND"), pure("replace", "REPLACE")],
            )
            .optional(),
        ])
        .tips(EVERYWHERE)
        .doc(
            "7.0.0",
            "Adds the libraries of a payload.",
            "O(N) where N is the number of functions on the payload",
        ),
    Command::new("STATS", exactly(2), Group::Scripting, Run(function_stats))
        .flags(NOSCRIPT.and(ALLOW_BUSY))
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .doc("7.0.0", "Describes the function that runs, and counts libraries.", "O(1)"),
];

const HELP: &[&str] = &[
    "DELETE <library-name>",
    "    Remove a library and its functions.",
    "DUMP",
    "    Show all libraries as one payload, which RESTORE understands.",
    "FLUSH [ASYNC|SYNC]",
    "    Remove all libraries.",
    "KILL",
    "    End the function that runs, unless it has written.",
    "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
    "    Describe all libraries, or those whose names match; with their code if asked to.",
    "LOAD [REPLACE] <code>",
    "    Add a library; with REPLACE one of the same name may be there already.",
    "RESTORE <payload> [FLUSH|APPEND|REPLACE]",
    "    Add the libraries of a payload: after removing all others (FLUSH), if none of",
    "    their names is taken (APPEND, which is the default), or instead of those of the",
    "    same name (REPLACE).",
    "STATS",
    "    Describe the function that runs, and count libraries and functions.",
];

fn fcall(cx: &mut EngineCx<'_>) -> CmdResult {
    call(cx, false)
}

fn fcall_ro(cx: &mut EngineCx<'_>) -> CmdResult {
    call(cx, true)
}

fn call(cx: &mut EngineCx<'_>, is_read_only: bool) -> CmdResult {
    cx.engine.show_to_monitors(cx.client, cx.row, &cx.args);
    let name = cx.args.bytes()?;
    let found = cx.engine.scripts.functions.get(name).cloned();
    let function = found.ok_or(ReplyError::Fixed("ERR Function not found"))?;
    let key_count = key_count(cx, ReplyError::Fixed("ERR Bad number of keys provided"))?;
    let machine = cx.engine.scripts.machine(Purpose::Functions)?;
    if !machine.set_arguments(cx.args.rest(), key_count) {
        return Err(OUT_OF_LUA);
    }
    run(
        cx,
        Start {
            machine,
            purpose: Purpose::Functions,
            name: Name::Function(function.name),
            job: Job::Function(function.slot),
            flags: Some(function.flags),
            is_read_only,
        },
    )
}

/// A library that has been run but is not yet among the others.
struct Staged {
    name: String,
    library: Library,
}

impl Staged {
    fn slots(&self) -> impl Iterator<Item = usize> {
        self.library.functions.iter().map(|function| function.slot)
    }
}

fn said(text: &str) -> ReplyError {
    ReplyError::Text(text.into())
}

/// An error that repeats bytes of the request.
fn repeated(before: &str, word: &[u8], after: &str) -> ReplyError {
    ReplyError::Bytes([before.as_bytes(), word, after.as_bytes()].concat().into())
}

/// The name that a library's head gives it, and the code behind the head.
fn read_head(text: &[u8]) -> Result<(String, &[u8]), ReplyError> {
    if !text.starts_with(b"#!") {
        return Err(ReplyError::Fixed("ERR Missing library metadata"));
    }
    let bad = ReplyError::Fixed("ERR Invalid library metadata");
    let (head, code) = flags::split_shebang(text).ok_or(bad.clone())?;
    let words = flags::words(head).ok_or(bad.clone())?;
    let (engine, options) = words.split_first().ok_or(bad)?;
    let mut name = None;
    for option in options {
        let found = option.get(..5).filter(|start| start.eq_ignore_ascii_case(b"name="));
        if found.is_none() {
            return Err(repeated("ERR Invalid metadata value given: ", option, ""));
        }
        if name.replace(&option[5..]).is_some() {
            return Err(ReplyError::Fixed(
                "ERR Invalid metadata value, name argument was given multiple times",
            ));
        }
    }
    let name = name.ok_or(ReplyError::Fixed("ERR Library name was not given"))?;
    if !is_name(name) {
        return Err(ReplyError::Fixed(BAD_NAME));
    }
    if !engine[2..].eq_ignore_ascii_case(b"lua") {
        return Err(repeated("ERR Engine '", &engine[2..], "' not found"));
    }
    Ok((String::from_utf8_lossy(name).into_owned(), code))
}

impl Engine {
    /// Adds a library, and returns its name.
    fn add_library(
        &mut self,
        client: ClientKey,
        text: &[u8],
        replaces: bool,
    ) -> Result<String, ReplyError> {
        let (name, code) = read_head(text)?;
        if !replaces && self.scripts.functions.has_library(&name) {
            return Err(said(&format!("ERR Library '{name}' already exists")));
        }
        let machine = self.scripts.machine(Purpose::Functions)?;
        let staged = self.stage(client, &machine, name, text, code)?;
        let functions = &mut self.scripts.functions;
        if let Some(error) = collision(functions, &staged) {
            machine.forget(staged.slots());
            return Err(error);
        }
        if let Some(slots) = functions.remove(&staged.name) {
            machine.forget(slots.into_iter());
        }
        functions.insert(&staged.name, staged.library);
        Ok(staged.name)
    }

    /// Adds a library that a file holds; one of its name goes if `replaces`.
    pub(in crate::engine) fn load_library(
        &mut self,
        text: &[u8],
        replaces: bool,
    ) -> Result<(), String> {
        let loaded = self.add_library(ClientKey::NOBODY, text, replaces);
        loaded.map(drop).map_err(|error| {
            let error = error.to_string();
            format!("Failed loading a library: {}", error.strip_prefix("ERR ").unwrap_or(&error))
        })
    }

    /// Drops all libraries.
    pub(in crate::engine) fn drop_libraries(&mut self) {
        self.scripts.functions = Functions::default();
        self.scripts.library = None;
    }

    /// Runs a library's code, so that it registers its functions.
    fn stage(
        &mut self,
        client: ClientKey,
        machine: &Rc<Machine>,
        name: String,
        text: &[u8],
        code: &[u8],
    ) -> Result<Staged, ReplyError> {
        let slot = machine.compile(code).map_err(|error| {
            let text = [b"ERR Error compiling function: ", &*error].concat();
            ReplyError::Bytes(text.into())
        })?;
        self.scripts.fiber()?;
        machine.shared.registrations.borrow_mut().clear();
        machine.shared.fatal_text.set("FUNCTION LOAD timeout");
        self.begin(
            client,
            Start {
                machine: Rc::clone(machine),
                purpose: Purpose::Functions,
                name: Name::Library,
                job: Job::Load(slot),
                flags: None,
                is_read_only: true,
            },
        );
        self.drive(true);
        machine.release(slot);
        let failure = self.end_script().and_then(|(_, failure)| failure);
        let functions: Vec<Function> = machine
            .shared
            .registrations
            .take()
            .into_iter()
            .map(|known| Function {
                name: (*known.name).into(),
                slot: known.slot,
                flags: known.flags,
                description: known.description,
            })
            .collect();
        let staged = Staged { name, library: Library { code: text.into(), functions } };
        if let Some(failure) = failure {
            machine.forget(staged.slots());
            return Err(repeated("ERR Error registering functions: ", &failure.text, ""));
        }
        if staged.library.functions.is_empty() {
            return Err(ReplyError::Fixed("ERR No functions registered"));
        }
        Ok(staged)
    }
}

/// The name of a function that another library has already.
fn collision(known: &Functions, staged: &Staged) -> Option<ReplyError> {
    let taken = staged.library.functions.iter().find(|function| {
        known.library_of(&function.name).is_some_and(|library| library != staged.name)
    })?;
    Some(said(&format!("ERR Function {} already exists", taken.name)))
}

fn function_load(cx: &mut EngineCx<'_>) -> CmdResult {
    let mut replaces = false;
    while cx.args.left() > 1 {
        if !cx.args.accept("REPLACE") {
            return Err(repeated("ERR Unknown option given: ", cx.args.bytes()?, ""));
        }
        replaces = true;
    }
    let text = cx.args.bytes()?;
    let name = cx.engine.add_library(cx.client, text, replaces)?;
    cx.reply.bulk(name.as_bytes());
    Ok(Flow::Replied)
}

fn function_delete(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = String::from_utf8_lossy(cx.args.bytes()?);
    let slots = cx.engine.scripts.functions.remove(&name);
    let slots = slots.ok_or(ReplyError::Fixed("ERR Library not found"))?;
    cx.engine.scripts.machine(Purpose::Functions)?.forget(slots.into_iter());
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn function_flush(cx: &mut EngineCx<'_>) -> CmdResult {
    match cx.args.left() {
        0 => {}
        1 if cx.args.accept("ASYNC") || cx.args.accept("SYNC") => {}
        1 => {
            return Err(ReplyError::Fixed("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"));
        }
        _ => return Err(cx.misused_subcommand()),
    }
    cx.engine.drop_libraries();
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn function_dump(cx: &mut EngineCx<'_>) -> CmdResult {
    let compresses = cx.engine.config.rdbcompression;
    let texts = cx.engine.scripts.functions.libraries().map(|(_, library)| &*library.code);
    let payload = dump::encode(texts, compresses);
    cx.reply.bulk(&payload);
    Ok(Flow::Replied)
}

/// What becomes of libraries that are there when others are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Flush,
    Append,
    Replace,
}

fn function_restore(cx: &mut EngineCx<'_>) -> CmdResult {
    let payload = cx.args.bytes()?;
    if cx.args.left() > 1 {
        return Err(cx.misused_subcommand());
    }
    let policy = if cx.args.is_done() || cx.args.accept("APPEND") {
        Policy::Append
    } else if cx.args.accept("FLUSH") {
        Policy::Flush
    } else if cx.args.accept("REPLACE") {
        Policy::Replace
    } else {
        return Err(ReplyError::Fixed(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
        ));
    };
    let texts = dump::decode(payload).map_err(|error| match error {
        dump::DumpError::Footer => {
            ReplyError::Fixed("ERR DUMP payload version or checksum are wrong")
        }
        dump::DumpError::Kind => ReplyError::Fixed("ERR given type is not a function"),
        dump::DumpError::Text => ReplyError::Fixed("ERR failed loading functions payload"),
    })?;
    let machine = if policy == Policy::Flush {
        Machine::new(Purpose::Functions).map_err(|_| OUT_OF_LUA)?
    } else {
        cx.engine.scripts.machine(Purpose::Functions)?
    };
    let mut staged = Vec::new();
    if let Err(error) = stage_all(cx, &machine, policy, &texts, &mut staged) {
        for one in &staged {
            machine.forget(one.slots());
        }
        return Err(error);
    }
    if policy == Policy::Flush {
        cx.engine.scripts.functions = Functions::default();
        cx.engine.scripts.library = Some(Rc::clone(&machine));
    }
    let functions = &mut cx.engine.scripts.functions;
    for one in staged {
        if let Some(slots) = functions.remove(&one.name) {
            machine.forget(slots.into_iter());
        }
        functions.insert(&one.name, one.library);
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// Runs all libraries of a payload; none of their names may be taken, as far as the policy heeds
/// that.
fn stage_all(
    cx: &mut EngineCx<'_>,
    machine: &Rc<Machine>,
    policy: Policy,
    texts: &[Vec<u8>],
    staged: &mut Vec<Staged>,
) -> Result<(), ReplyError> {
    for text in texts {
        let (name, code) = read_head(text)?;
        let known = &cx.engine.scripts.functions;
        let is_taken = policy == Policy::Append && known.has_library(&name)
            || staged.iter().any(|one| one.name == name);
        if is_taken {
            return Err(said(&format!("ERR Library {name} already exists")));
        }
        staged.push(cx.engine.stage(cx.client, machine, name, text, code)?);
    }
    if policy == Policy::Flush {
        return Ok(());
    }
    let known = &cx.engine.scripts.functions;
    for one in staged.iter() {
        // A library that is replaced takes its functions with it.
        let taken = one.library.functions.iter().find(|function| {
            known
                .library_of(&function.name)
                .is_some_and(|library| staged.iter().all(|one| one.name != library))
        });
        if let Some(taken) = taken {
            return Err(said(&format!("ERR Function {} already exists", taken.name)));
        }
    }
    Ok(())
}

fn function_list(cx: &mut EngineCx<'_>) -> CmdResult {
    let (mut pattern, mut with_code) = (None, false);
    while !cx.args.is_done() {
        if !with_code && cx.args.accept("WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && cx.args.accept("LIBRARYNAME") {
            let missing = ReplyError::Fixed("ERR library name argument was not given");
            pattern = Some(cx.args.bytes().map_err(|_| missing)?);
        } else {
            return Err(repeated("ERR Unknown argument ", cx.args.bytes()?, ""));
        }
    }
    let functions = &cx.engine.scripts.functions;
    let is_shown = |name: &str| {
        pattern.is_none_or(|pattern| matches(pattern, name.as_bytes(), Case::Insensitive))
    };
    let shown: Vec<_> = functions.libraries().filter(|(name, _)| is_shown(name)).collect();
    cx.reply.array(shown.len());
    for (name, library) in shown {
        cx.reply.map(if with_code { 4 } else { 3 });
        cx.reply.bulk(b"library_name");
        cx.reply.bulk(name.as_bytes());
        cx.reply.bulk(b"engine");
        cx.reply.bulk(b"LUA");
        cx.reply.bulk(b"functions");
        cx.reply.array(library.functions.len());
        for function in &library.functions {
            describe(function, &mut cx.reply);
        }
        if with_code {
            cx.reply.bulk(b"library_code");
            cx.reply.bulk(&library.code);
        }
    }
    Ok(Flow::Replied)
}

fn describe(function: &Function, reply: &mut crate::protocol::reply::Reply<'_>) {
    reply.map(3);
    reply.bulk(b"name");
    reply.bulk(function.name.as_bytes());
    reply.bulk(b"description");
    match &function.description {
        Some(text) => reply.bulk(text),
        None => reply.null(),
    }
    reply.bulk(b"flags");
    let names = ScriptFlags::names(function.flags);
    reply.set(names.len());
    for name in names {
        reply.simple(name);
    }
}

fn function_kill(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.kill_script(Purpose::Functions)?;
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn function_stats(cx: &mut EngineCx<'_>) -> CmdResult {
    let running = cx.engine.running_function()?;
    cx.reply.map(2);
    cx.reply.bulk(b"running_script");
    match running {
        None => cx.reply.null(),
        Some((name, words, millis)) => {
            cx.reply.map(3);
            cx.reply.bulk(b"name");
            cx.reply.bulk(name.as_bytes());
            cx.reply.bulk(b"command");
            cx.reply.array(words.len());
            for word in &words {
                cx.reply.bulk(word);
            }
            cx.reply.bulk(b"duration_ms");
            cx.reply.uint(millis);
        }
    }
    cx.reply.bulk(b"engines");
    cx.reply.map(1);
    cx.reply.bulk(b"LUA");
    cx.reply.map(2);
    cx.reply.bulk(b"libraries_count");
    cx.reply.count(cx.engine.scripts.functions.library_count());
    cx.reply.bulk(b"functions_count");
    cx.reply.count(cx.engine.scripts.functions.function_count());
    Ok(Flow::Replied)
}
