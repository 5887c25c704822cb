//! COMMAND: what every command is, computed from its row.

use crate::base::glob;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow};
use crate::command::keys::KeyUse;
use crate::command::spec::{
    Begin, Command, FLAG_NAMES, Find, Group, Key, LOADING, MAY_REPLICATE, NO_MANDATORY_KEYS,
    SENTINEL, STALE, at_least, exactly, one_of, pattern, text,
};
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;

use super::Engine;
use super::context::EngineCx;
use super::registry::EngineRun::{self, Engine as Run, Help};
use super::registry::{Row, RowIndex};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] =
    &[Command::new("COMMAND", at_least(1), Group::Server, Run(command))
        .flags(LOADING.and(STALE))
        .categories(&["connection"])
        .tips(&["nondeterministic_output_order"])
        .doc("2.8.13", "Describes all commands.", "O(N) where N is the number of commands")
        .subcommands(&[
            Command::new("COUNT", exactly(2), Group::Server, Run(command_count))
                .flags(LOADING.and(STALE))
                .categories(&["connection"])
                .doc("2.8.13", "Counts the commands there are.", "O(1)"),
            Command::new(
                "DOCS",
                at_least(2),
                Group::Server,
                Run(super::command_docs::command_docs),
            )
            .flags(LOADING.and(STALE))
            .categories(&["connection"])
            .args(&[text("command-name").optional().repeated()])
            .tips(&["nondeterministic_output_order"])
            .doc(
                "7.0.0",
                "Documents one, several or all commands.",
                "O(N) where N is the number of commands to look up",
            ),
            Command::new("GETKEYS", at_least(3), Group::Server, Run(command_getkeys))
                .flags(LOADING.and(STALE))
                .categories(&["connection"])
                .args(&[text("command"), text("arg").optional().repeated()])
                .doc(
                    "2.8.13",
                    "Picks the keys out of a whole command.",
                    "O(N) where N is the number of arguments to the command",
                ),
            Command::new(
                "GETKEYSANDFLAGS",
                at_least(3),
                Group::Server,
                Run(command_getkeysandflags),
            )
            .flags(LOADING.and(STALE))
            .categories(&["connection"])
            .args(&[text("command"), text("arg").optional().repeated()])
            .doc(
                "7.0.0",
                "Picks the keys out of a whole command and says what happens to each.",
                "O(N) where N is the number of arguments to the command",
            ),
            Command::new("HELP", exactly(2), Group::Server, Help(HELP))
                .flags(LOADING.and(STALE))
                .categories(&["connection"])
                .doc("5.0.0", "Lists the subcommands.", "O(1)"),
            Command::new("INFO", at_least(2), Group::Server, Run(command_info))
                .flags(LOADING.and(STALE))
                .categories(&["connection"])
                .args(&[text("command-name").optional().repeated()])
                .tips(&["nondeterministic_output_order"])
                .history(&[("7.0.0", "No name means all commands.")])
                .doc(
                    "2.8.13",
                    "Describes one, several or all commands.",
                    "O(N) where N is the number of commands to look up",
                ),
            Command::new("LIST", at_least(2), Group::Server, Run(command_list))
                .flags(LOADING.and(STALE))
                .categories(&["connection"])
                .args(&[one_of(
                    "filterby",
                    &[
                        text("module-name").token("MODULE"),
                        text("category").token("ACLCAT"),
                        pattern("pattern").token("PATTERN"),
                    ],
                )
                .token("FILTERBY")
                .optional()])
                .tips(&["nondeterministic_output_order"])
                .doc(
                    "7.0.0",
                    "Lists the names of commands.",
                    "O(N) where N is the number of commands",
                ),
        ])];

const HELP: &[&str] = &[
    "(no subcommand)",
    "    Describe every command.",
    "COUNT",
    "    Say how many commands there are.",
    "LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
    "    List the names of commands.",
    "INFO [<command-name> ...]",
    "    Describe the named commands, or all.",
    "DOCS [<command-name> ...]",
    "    Document the named commands, or all.",
    "GETKEYS <full-command>",
    "    Show which arguments of a command are keys.",
    "GETKEYSANDFLAGS <full-command>",
    "    Show which arguments of a command are keys, and what is done to them.",
];

const NOT_FOUND: ReplyError = ReplyError::Fixed("ERR Invalid command specified");
const BAD_COUNT: ReplyError =
    ReplyError::Fixed("ERR Invalid number of arguments specified for command");
const BAD_ARGUMENTS: ReplyError = ReplyError::Fixed("ERR Invalid arguments specified for command");
const NO_KEYS: ReplyError = ReplyError::Fixed("ERR The command has no key arguments");

fn command(cx: &mut EngineCx<'_>) -> CmdResult {
    let rows: Vec<RowIndex> = cx.engine.registry.commands().collect();
    cx.reply.array(rows.len());
    for row in rows {
        describe(cx.engine, row, &mut cx.reply);
    }
    Ok(Flow::Replied)
}

fn command_count(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.reply.count(cx.engine.registry.commands().count());
    Ok(Flow::Replied)
}

fn command_info(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.args.is_done() {
        return command(cx);
    }
    let names = cx.args.rest();
    cx.reply.array(names.len());
    for name in names {
        match cx.engine.registry.find_full(name) {
            Some(row) => describe(cx.engine, row, &mut cx.reply),
            None => cx.reply.null(),
        }
    }
    Ok(Flow::Replied)
}

/// What COMMAND LIST may be narrowed down by.
enum FilterBy<'a> {
    Nothing,
    Module,
    Category(&'a [u8]),
    Pattern(&'a [u8]),
}

impl FilterBy<'_> {
    fn admits(&self, row: &Row) -> bool {
        match self {
            Self::Nothing => true,
            // There are no modules, so no command comes from one.
            Self::Module => false,
            Self::Category(wanted) => row
                .spec
                .categories(row.is_container())
                .any(|own| own.as_bytes().eq_ignore_ascii_case(wanted)),
            Self::Pattern(pattern) => {
                glob::matches(pattern, row.full_name.as_bytes(), glob::Case::Insensitive)
            }
        }
    }
}

fn command_list(cx: &mut EngineCx<'_>) -> CmdResult {
    let filter = if cx.args.is_done() {
        FilterBy::Nothing
    } else if cx.args.left() == 3 && cx.args.accept("FILTERBY") {
        if cx.args.accept("MODULE") {
            cx.args.bytes()?;
            FilterBy::Module
        } else if cx.args.accept("ACLCAT") {
            FilterBy::Category(cx.args.bytes()?)
        } else if cx.args.accept("PATTERN") {
            FilterBy::Pattern(cx.args.bytes()?)
        } else {
            return Err(ReplyError::Syntax);
        }
    } else {
        return Err(ReplyError::Syntax);
    };

    let registry = &cx.engine.registry;
    let mut names: Vec<&str> = Vec::new();
    for index in registry.commands() {
        let row = registry.row(index);
        if filter.admits(row) {
            names.push(&row.full_name);
        }
        let children = row.children.iter().map(|child| registry.row(*child));
        names.extend(children.filter(|row| filter.admits(row)).map(|row| &*row.full_name));
    }
    cx.reply.array(names.len());
    for name in names {
        cx.reply.bulk(name.as_bytes());
    }
    Ok(Flow::Replied)
}

fn command_getkeys(cx: &mut EngineCx<'_>) -> CmdResult {
    let (args, keys) = keys_of_rest(cx)?;
    cx.reply.array(keys.len());
    for key in keys {
        cx.reply.bulk(args.word(key.word));
    }
    Ok(Flow::Replied)
}

fn command_getkeysandflags(cx: &mut EngineCx<'_>) -> CmdResult {
    let (args, keys) = keys_of_rest(cx)?;
    cx.reply.array(keys.len());
    for key in keys {
        cx.reply.array(2);
        cx.reply.bulk(args.word(key.word));
        let access: Vec<&str> = printed(key.access).collect();
        cx.reply.set(access.len());
        for word in access {
            cx.reply.simple(word);
        }
    }
    Ok(Flow::Replied)
}

/// Keys of the command that the words from the third on are.
fn keys_of_rest<'a>(cx: &EngineCx<'a>) -> Result<(Args<'a>, Vec<KeyUse>), ReplyError> {
    let args = cx.args.from(2);
    let row = cx.engine.registry.find_called(&args).ok_or(NOT_FOUND)?;
    let row = cx.engine.registry.row(row);
    if row.is_container() && args.word_count() > 1 {
        return Err(NOT_FOUND);
    }
    if !row.spec.has_keys() {
        return Err(NO_KEYS);
    }
    if !row.spec.arity.admits(args.word_count()) {
        return Err(BAD_COUNT);
    }
    let keys = match row.spec.keys_of(&args) {
        Some(keys) if !keys.is_empty() => keys,
        _ if row.spec.flags.has(NO_MANDATORY_KEYS) => Vec::new(),
        _ => return Err(BAD_ARGUMENTS),
    };
    Ok((args, keys))
}

/// Access flags that clients see: how one spec's flags depend on the words does not concern them.
fn printed(access: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    access.iter().copied().filter(|flag| !matches!(*flag, "incomplete"))
}

/// One element of COMMAND INFO.
fn describe(engine: &Engine, index: RowIndex, reply: &mut Reply<'_>) {
    let row = engine.registry.row(index);
    let (first, last, step) = row.first_last_step;
    reply.array(10);
    reply.bulk(row.full_name.as_bytes());
    reply.int(i64::from(row.spec.arity.signed()));

    let flags: Vec<&str> = FLAG_NAMES
        .iter()
        // These two are not shown by Redis either.
        .filter(|(flag, _)| !matches!(*flag, SENTINEL | MAY_REPLICATE))
        .filter(|(flag, _)| row.spec.flags.has(*flag))
        .map(|(_, name)| *name)
        .collect();
    reply.set(flags.len());
    for flag in flags {
        reply.simple(flag);
    }
    reply.count(first);
    reply.int(i64::try_from(last).unwrap_or(0));
    reply.count(step);

    let categories: Vec<&str> = row.spec.categories(row.is_container()).collect();
    reply.set(categories.len());
    for category in categories {
        reply.simple(&format!("@{category}"));
    }
    reply.set(row.spec.tips.len());
    for tip in row.spec.tips {
        reply.bulk(tip.as_bytes());
    }
    reply.set(row.spec.keys.len());
    for key in row.spec.keys {
        describe_key(key, reply);
    }
    if row.children.is_empty() {
        reply.set(0);
        return;
    }
    reply.array(row.children.len());
    for child in &row.children {
        describe(engine, *child, reply);
    }
}

fn describe_key(key: &Key, reply: &mut Reply<'_>) {
    reply.map(3 + usize::from(key.notes.is_some()));
    if let Some(notes) = key.notes {
        reply.bulk(b"notes");
        reply.bulk(notes.as_bytes());
    }
    reply.bulk(b"flags");
    reply.set(key.access.len());
    for flag in key.access {
        reply.simple(flag);
    }
    reply.bulk(b"begin_search");
    match key.begin {
        Begin::Index(index) => typed(reply, "index", &[("index", Value::Int(index))]),
        Begin::Keyword { word, from } => {
            let spec = [("keyword", Value::Text(word)), ("startfrom", Value::Int(from))];
            typed(reply, "keyword", &spec);
        }
        Begin::Unknown => typed(reply, "unknown", &[]),
    }
    reply.bulk(b"find_keys");
    match key.find {
        Find::Range { last, step, limit } => {
            let spec = [("lastkey", last), ("keystep", step), ("limit", limit)];
            typed(reply, "range", &spec.map(|(name, value)| (name, Value::Int(value))));
        }
        Find::Counted { at, first, step } => {
            let spec = [("keynumidx", at), ("firstkey", first), ("keystep", step)];
            typed(reply, "keynum", &spec.map(|(name, value)| (name, Value::Int(value))));
        }
        Find::Unknown => typed(reply, "unknown", &[]),
    }
}

enum Value {
    Int(i32),
    Text(&'static str),
}

/// A map of type and spec.
fn typed(reply: &mut Reply<'_>, kind: &str, spec: &[(&str, Value)]) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(spec.len());
    for (name, value) in spec {
        reply.bulk(name.as_bytes());
        match value {
            Value::Int(value) => reply.int(i64::from(*value)),
            Value::Text(text) => reply.bulk(text.as_bytes()),
        }
    }
}
