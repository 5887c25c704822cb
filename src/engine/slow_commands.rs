//! SLOWLOG and COMMANDLOG: what was remarkable about recent calls.

use crate::base::number::parse_int;
use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, Arg, Command, Group, LOADING, STALE, at_least, exactly, integer, one_of, pure,
};
use crate::protocol::error::ReplyError;

use super::context::EngineCx;
use super::registry::EngineRun::{self, Container, Engine as Run, Help};
use super::slowlog::{Entry, Remark};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("SLOWLOG", at_least(2), Group::Server, Container)
        .doc(
            "2.2.12",
            "Holds the commands about the log of slow commands.",
            "Depends on subcommand.",
        )
        .subcommands(&[
            Command::new("GET", at_least(2), Group::Server, Run(slowlog_get))
                .flags(ADMIN.and(LOADING).and(STALE))
                .args(&[integer("count").optional()])
                .tips(&["request_policy:all_nodes", "nondeterministic_output"])
                .doc(
                    "2.2.12",
                    "Returns the latest slow commands.",
                    "O(N) where N is the number of entries returned",
                ),
            Command::new("HELP", exactly(2), Group::Server, Help(SLOWLOG_HELP))
                .flags(LOADING.and(STALE))
                .doc("6.2.0", "Lists the subcommands.", "O(1)"),
            Command::new("LEN", exactly(2), Group::Server, Run(slowlog_len))
                .flags(ADMIN.and(LOADING).and(STALE))
                .tips(&[
                    "request_policy:all_nodes",
                    "response_policy:agg_sum",
                    "nondeterministic_output",
                ])
                .doc("2.2.12", "Counts the slow commands that are remembered.", "O(1)"),
            Command::new("RESET", exactly(2), Group::Server, Run(slowlog_reset))
                .flags(ADMIN.and(LOADING).and(STALE))
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .doc(
                    "2.2.12",
                    "Forgets all slow commands.",
                    "O(N) where N is the number of entries in the slowlog",
                ),
        ]),
    Command::new("COMMANDLOG", at_least(2), Group::Server, Container)
        .doc(
            "8.1.0",
            "Holds the commands about the logs of remarkable commands.",
            "Depends on subcommand.",
        )
        .subcommands(&[
            Command::new("GET", exactly(4), Group::Server, Run(commandlog_get))
                .flags(ADMIN.and(LOADING).and(STALE))
                .args(&[integer("count"), TYPES])
                .tips(&["request_policy:all_nodes", "nondeterministic_output"])
                .doc(
                    "8.1.0",
                    "Returns the latest entries of a log.",
                    "O(N) where N is the number of entries returned",
                ),
            Command::new("HELP", exactly(2), Group::Server, Help(COMMANDLOG_HELP))
                .flags(LOADING.and(STALE))
                .doc("8.1.0", "Lists the subcommands.", "O(1)"),
            Command::new("LEN", exactly(3), Group::Server, Run(commandlog_len))
                .flags(ADMIN.and(LOADING).and(STALE))
                .args(&[TYPES])
                .tips(&[
                    "request_policy:all_nodes",
                    "response_policy:agg_sum",
                    "nondeterministic_output",
                ])
                .doc("8.1.0", "Counts the entries of a log.", "O(1)"),
            Command::new("RESET", exactly(3), Group::Server, Run(commandlog_reset))
                .flags(ADMIN.and(LOADING).and(STALE))
                .args(&[TYPES])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .doc(
                    "8.1.0",
                    "Forgets the entries of a log.",
                    "O(N) where N is the number of entries in the commandlog",
                ),
        ]),
];

const TYPES: Arg = one_of(
    "type",
    &[
        pure("slow", "SLOW"),
        pure("large-request", "LARGE-REQUEST"),
        pure("large-reply", "LARGE-REPLY"),
    ],
);

const SLOWLOG_HELP: &[&str] = &[
    "GET [<count>]",
    "    Show the latest slow commands, ten unless told otherwise; -1 shows all.",
    "    Each is an array of id, Unix time, microseconds, arguments, address and name",
    "    of the client.",
    "LEN",
    "    Say how many are remembered.",
    "RESET",
    "    Forget them.",
];

const COMMANDLOG_HELP: &[&str] = &[
    "GET <count> <type>",
    "    Show the latest calls of a type (SLOW, LARGE-REQUEST, LARGE-REPLY); -1 shows all.",
    "    Each is an array of id, Unix time, microseconds or bytes, arguments, address and",
    "    name of the client.",
    "LEN <type>",
    "    Say how many are remembered.",
    "RESET <type>",
    "    Forget them.",
];

/// Entries that SLOWLOG GET shows when no count is given.
const SHOWN_BY_DEFAULT: usize = 10;

const BAD_COUNT: ReplyError = ReplyError::Fixed("ERR count should be greater than or equal to -1");

fn slowlog_get(cx: &mut EngineCx<'_>) -> CmdResult {
    let count = match cx.args.left() {
        0 => SHOWN_BY_DEFAULT,
        1 => read_count(cx.args.bytes()?)?,
        _ => return Err(cx.misused_subcommand()),
    };
    show(cx, Remark::Slow, count);
    Ok(Flow::Replied)
}

fn slowlog_len(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.reply.count(cx.engine.slow_log.log(Remark::Slow).entries.len());
    Ok(Flow::Replied)
}

fn slowlog_reset(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.slow_log.log_mut(Remark::Slow).entries.clear();
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn commandlog_get(cx: &mut EngineCx<'_>) -> CmdResult {
    let count = read_count(cx.args.bytes()?)?;
    let remark = read_type(cx.args.bytes()?)?;
    show(cx, remark, count);
    Ok(Flow::Replied)
}

fn commandlog_len(cx: &mut EngineCx<'_>) -> CmdResult {
    let remark = read_type(cx.args.bytes()?)?;
    cx.reply.count(cx.engine.slow_log.log(remark).entries.len());
    Ok(Flow::Replied)
}

fn commandlog_reset(cx: &mut EngineCx<'_>) -> CmdResult {
    let remark = read_type(cx.args.bytes()?)?;
    cx.engine.slow_log.log_mut(remark).entries.clear();
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// A count of entries; -1 is all.
fn read_count(word: &[u8]) -> Result<usize, ReplyError> {
    match parse_int(word) {
        Some(-1) => Ok(usize::MAX),
        Some(count) => usize::try_from(count).map_err(|_| BAD_COUNT),
        None => Err(BAD_COUNT),
    }
}

fn read_type(word: &[u8]) -> Result<Remark, ReplyError> {
    match word.to_ascii_lowercase().as_slice() {
        b"slow" => Ok(Remark::Slow),
        b"large-request" => Ok(Remark::LargeRequest),
        b"large-reply" => Ok(Remark::LargeReply),
        _ => Err(ReplyError::Fixed(
            "ERR type should be one of the following: slow, large-request, large-reply",
        )),
    }
}

fn show(cx: &mut EngineCx<'_>, remark: Remark, count: usize) {
    let entries = &cx.engine.slow_log.log(remark).entries;
    let count = count.min(entries.len());
    cx.reply.array(count);
    for entry in entries.iter().take(count) {
        let Entry { id, unix_seconds, value, words, addr, name } = entry;
        cx.reply.array(6);
        cx.reply.uint(*id);
        cx.reply.int(*unix_seconds);
        cx.reply.uint(*value);
        cx.reply.array(words.len());
        for word in words {
            cx.reply.bulk(word);
        }
        cx.reply.bulk(addr.as_bytes());
        cx.reply.bulk(name);
    }
}
