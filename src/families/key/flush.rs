//! Whole databases: DBSIZE, FLUSHDB, FLUSHALL, SWAPDB.

use crate::base::number::parse_int;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{Arg, Command, FAST, Group, at_least, exactly, integer, one_of, pure};
use crate::keyspace::DbIndex;
use crate::keyspace::write::Free;
use crate::protocol::error::ReplyError;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("DBSIZE", exactly(1), Group::Server, Read(dbsize))
        .flags(FAST)
        .categories(&["keyspace"])
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .doc("1.0.0", "Counts the keys of the selected database.", "O(1)"),
    Command::new("FLUSHDB", at_least(1), Group::Server, Write(flushdb))
        .categories(&["dangerous", "keyspace"])
        .args(&[FLUSH_TYPE])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "Empties the selected database.", "O(N)"),
    Command::new("FLUSHALL", at_least(1), Group::Server, Write(flushall))
        .categories(&["dangerous", "keyspace"])
        .args(&[FLUSH_TYPE])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .doc("1.0.0", "Empties all databases.", "O(N)"),
    Command::new("SWAPDB", exactly(3), Group::Server, Write(swapdb))
        .flags(FAST)
        .categories(&["dangerous", "keyspace"])
        .args(&[integer("index1"), integer("index2")])
        .doc("4.0.0", "Exchanges the content of two databases.", "O(1)"),
];

const FLUSH_TYPE: Arg = one_of(
    "flush-type",
    &[pure("async", "ASYNC").since("4.0.0"), pure("sync", "SYNC").since("6.2.0")],
)
.optional();

const FIRST_INDEX: ReplyError = ReplyError::Fixed("ERR invalid first DB index");
const SECOND_INDEX: ReplyError = ReplyError::Fixed("ERR invalid second DB index");

fn dbsize(cx: &mut ReadCx<'_>) -> CmdResult {
    cx.reply.count(cx.keys.len());
    Ok(Flow::Replied)
}

fn flushdb(cx: &mut WriteCx<'_>) -> CmdResult {
    let free = read_free(cx)?;
    cx.keys.flush(free);
    // Who follows may have keys that we don't see.
    cx.telling.always();
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn flushall(cx: &mut WriteCx<'_>) -> CmdResult {
    let free = read_free(cx)?;
    cx.keys.flush_all(free);
    cx.telling.always();
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn read_free(cx: &mut WriteCx<'_>) -> Result<Free, ReplyError> {
    let free = if cx.args.accept("ASYNC") || (cx.args.is_done() && cx.limits.lazy_user_flush) {
        Free::Later
    } else {
        cx.args.accept("SYNC");
        Free::Now
    };
    cx.args.finish()?;
    Ok(free)
}

fn swapdb(cx: &mut WriteCx<'_>) -> CmdResult {
    let count = cx.keys.db_count();
    let read = |word: &[u8], refusal: ReplyError| {
        parse_int(word).and_then(|number| i32::try_from(number).ok()).ok_or(refusal)
    };
    let one = read(cx.args.bytes()?, FIRST_INDEX)?;
    let other = read(cx.args.bytes()?, SECOND_INDEX)?;
    let check = |number: i32| {
        let index = u16::try_from(number).ok().filter(|index| *index < count);
        index.map(DbIndex).ok_or(ReplyError::DbOutOfRange)
    };

    cx.keys.swap(check(one)?, check(other)?);

    cx.reply.ok();
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn databases_are_emptied_and_exchanged() {
        Bench::new().check(&[
            "flushdb foo => -ERR syntax error",
            "flushall foo => -ERR syntax error",
            "flushdb async sync => -ERR syntax error",
            "flushdb a b c => -ERR syntax error",
            "mset a 1 b 2 => +OK",
            "dbsize => :2",
            "copy a a db 1 => :1",
            "swapdb 0 1 => +OK",
            "dbsize => :1",
            "flushdb sync => +OK",
            "dbsize => :0",
            "swapdb 1 0 => +OK",
            "dbsize => :2",
            "flushall async => +OK",
            "dbsize => :0",
            "swapdb 0 16 => -ERR DB index is out of range",
            "swapdb a 1 => -ERR invalid first DB index",
            "swapdb 0 b => -ERR invalid second DB index",
            "swapdb 16 a => -ERR invalid second DB index",
            "swapdb 99999999999 a => -ERR invalid first DB index",
            "swapdb 0 0 => +OK",
        ]);
    }
}
