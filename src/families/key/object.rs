//! OBJECT: how a value is kept and when it was used.

use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Container, Help, Read};
use crate::command::spec::{Command, Group, Key, LOADING, STALE, at_least, exactly, key};
use crate::keyspace::packed::ValueView;
use crate::keyspace::value::StringRef;
use crate::protocol::error::ReplyError;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] =
    &[Command::new("OBJECT", at_least(2), Group::Generic, Container)
        .doc("2.2.3", "Tells how values are kept.", "Depends on the subcommand.")
        .subcommands(&[
            Command::new("ENCODING", exactly(3), Group::Generic, Read(encoding))
                .keys(&[Key::at(2, &["RO"])])
                .categories(&["keyspace"])
                .args(&[key("key")])
                .tips(&["nondeterministic_output"])
                .doc("2.2.3", "Names the form in which a value is kept.", "O(1)"),
            Command::new("FREQ", exactly(3), Group::Generic, Read(freq))
                .keys(&[Key::at(2, &["RO"])])
                .categories(&["keyspace"])
                .args(&[key("key")])
                .tips(&["nondeterministic_output"])
                .doc("4.0.0", "Gives the logarithmic access counter of a key.", "O(1)"),
            Command::new("HELP", exactly(2), Group::Generic, Help(HELP))
                .flags(LOADING.and(STALE))
                .categories(&["keyspace"])
                .doc("6.2.0", "Lists the subcommands of OBJECT.", "O(1)"),
            Command::new("IDLETIME", exactly(3), Group::Generic, Read(idletime))
                .keys(&[Key::at(2, &["RO"])])
                .categories(&["keyspace"])
                .args(&[key("key")])
                .tips(&["nondeterministic_output"])
                .doc("2.2.3", "Tells for how many seconds a key was not used.", "O(1)"),
            Command::new("REFCOUNT", exactly(3), Group::Generic, Read(refcount))
                .keys(&[Key::at(2, &["RO"])])
                .categories(&["keyspace"])
                .args(&[key("key")])
                .tips(&["nondeterministic_output"])
                .doc("2.2.3", "Counts the owners of a value.", "O(1)"),
        ])];

const HELP: &[&str] = &[
    "ENCODING <key>",
    "    Name the form in which the value of <key> is kept.",
    "FREQ <key>",
    "    Give the logarithmic access counter of <key>, which LFU eviction compares.",
    "IDLETIME <key>",
    "    Tell for how many seconds <key> was not used.",
    "REFCOUNT <key>",
    "    Count the owners of the value of <key>.",
];

/// Integers below it have no owner of their own in Redis.
const SHARED_INTEGERS: i64 = 10_000;

const NO_FREQUENCY: ReplyError = ReplyError::Fixed(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
     when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
const NO_IDLE_TIME: ReplyError = ReplyError::Fixed(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
     switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

fn encoding(cx: &mut ReadCx<'_>) -> CmdResult {
    match cx.keys.encoding(cx.args.word(2)) {
        Some(name) => cx.reply.bulk(name.as_bytes()),
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

fn refcount(cx: &mut ReadCx<'_>) -> CmdResult {
    match cx.keys.peek(cx.args.word(2)).map(ValueView::string) {
        // Clients and test suites know small integers as shared by all who hold them.
        Some(Ok(StringRef::Int(0..SHARED_INTEGERS))) if cx.limits.shares_integers => {
            cx.reply.int(i64::from(i32::MAX));
        }
        Some(_) => cx.reply.int(1),
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

fn freq(cx: &mut ReadCx<'_>) -> CmdResult {
    match cx.keys.frequency(cx.args.word(2)) {
        // Clients see null for a missing key under any policy.
        None => cx.reply.null(),
        Some(_) if !cx.limits.counts_frequency => return Err(NO_FREQUENCY),
        Some(counter) => cx.reply.int(i64::from(counter)),
    }
    Ok(Flow::Replied)
}

fn idletime(cx: &mut ReadCx<'_>) -> CmdResult {
    match cx.keys.idle_seconds(cx.args.word(2)) {
        None => cx.reply.null(),
        Some(_) if cx.limits.counts_frequency => return Err(NO_IDLE_TIME),
        Some(seconds) => cx.reply.uint(seconds),
    }
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn encodings_follow_the_content() {
        Bench::new().check(&[
            "object encoding k => nil",
            "object refcount k => nil",
            "object idletime k => nil",
            "object freq k => nil",
            "set k 12345678901234 => +OK",
            r#"object encoding k => "int""#,
            "object refcount k => :1",
            "set k 9999 => +OK",
            "object refcount k => :2147483647",
            "set k 10000 => +OK",
            "object refcount k => :1",
            "set k abc => +OK",
            r#"object encoding k => "embstr""#,
            "set k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa => +OK",
            r#"object encoding k => "embstr""#,
            "set k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa => +OK",
            r#"object encoding k => "raw""#,
            "object idletime k => :0",
            "object freq k => -ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ]);
    }

    #[test]
    fn frequency_and_idle_time_exclude_each_other() {
        let mut bench = Bench::new();
        bench.limits.counts_frequency = true;
        assert_eq!(bench.run("set k v"), "+OK");
        assert!(bench.run("object freq k").starts_with(':'));
        assert!(
            bench.run("object idletime k").starts_with("-ERR An LFU maxmemory policy is selected")
        );
        bench.check(&["object freq missing => nil", "object idletime missing => nil"]);
    }
}
