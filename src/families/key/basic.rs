//! Whether keys are there, of what type, and away with them: DEL, UNLINK, EXISTS, TYPE, TOUCH.

use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{Command, FAST, Group, Key, at_least, exactly, key};
use crate::keyspace::journal::Event;
use crate::keyspace::write::Free;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("DEL", at_least(2), Group::Generic, Write(del))
        .keys(&[Key::at(1, &["RM", "delete"]).through(-1, 1, 0)])
        .categories(&["keyspace"])
        .args(&[key("key").repeated()])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc("1.0.0", "Removes keys and counts those that were there.", "O(N)"),
    Command::new("UNLINK", at_least(2), Group::Generic, Write(del))
        .keys(&[Key::at(1, &["RM", "delete"]).through(-1, 1, 0)])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key").repeated()])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc("4.0.0", "Removes keys; large values are freed in the background.", "O(N)"),
    Command::new("EXISTS", at_least(2), Group::Generic, Read(exists))
        .keys(&[Key::at(1, &["RO"]).through(-1, 1, 0)])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key").repeated()])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc("1.0.0", "Counts how many of the keys exist; repeated ones count again.", "O(N)"),
    Command::new("TYPE", exactly(2), Group::Generic, Read(kind))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key")])
        .doc("1.0.0", "Names the type of the value at a key.", "O(1)"),
    Command::new("TOUCH", at_least(2), Group::Generic, Read(touch))
        .keys(&[Key::at(1, &["RO"]).through(-1, 1, 0)])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key").repeated()])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .doc("3.2.1", "Marks keys as just used and counts those that exist.", "O(N)"),
];

const DEL: Event = Event::generic("del");

fn del(cx: &mut WriteCx<'_>) -> CmdResult {
    let removed = cx.args.rest().filter(|key| cx.keys.remove(key, Free::Later, DEL)).count();
    cx.reply.count(removed);
    Ok(Flow::Replied)
}

fn exists(cx: &mut ReadCx<'_>) -> CmdResult {
    let found = cx.args.rest().filter(|key| cx.keys.contains(key)).count();
    cx.reply.count(found);
    Ok(Flow::Replied)
}

fn kind(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let kind = cx.keys.kind(key);
    cx.keys.count_lookup(key, kind.is_some());
    cx.reply.simple(kind.map_or("none", |kind| kind.name()));
    Ok(Flow::Replied)
}

fn touch(cx: &mut ReadCx<'_>) -> CmdResult {
    let found = cx.args.rest().filter(|key| cx.keys.value(key).is_some()).count();
    cx.reply.count(found);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn keys_are_counted_and_removed() {
        Bench::new().check(&[
            "mset a 1 b 2 => +OK",
            "exists a a missing => :2",
            "touch a missing b => :2",
            "type a => +string",
            "type missing => +none",
            "del a a missing => :1",
            "unlink b => :1",
            "dbsize => :0",
        ]);
    }
}
