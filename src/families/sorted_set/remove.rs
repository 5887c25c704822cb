//! Removing ranges: ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

use super::{bounds, event, range};
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{Command, Group, Key, double, exactly, integer, key, text};
use crate::keyspace::journal::{Change, Event};
use crate::types::sorted_set::SortedSet;
use std::ops::Range;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("ZREMRANGEBYRANK", exactly(4), Group::SortedSet, Write(zremrangebyrank))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .args(&[key("key"), integer("start"), integer("stop")])
        .doc("2.0.0", "Removes members by rank.", "O(log(N)+M)"),
    Command::new("ZREMRANGEBYSCORE", exactly(4), Group::SortedSet, Write(zremrangebyscore))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .args(&[key("key"), double("min"), double("max")])
        .doc("1.2.0", "Removes the members with scores in a range.", "O(log(N)+M)"),
    Command::new("ZREMRANGEBYLEX", exactly(4), Group::SortedSet, Write(zremrangebylex))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .args(&[key("key"), text("min"), text("max")])
        .doc("2.8.9", "Removes the members in a range of bytes.", "O(log(N)+M)"),
];

const BY_RANK: Event = event("zremrangebyrank");
const BY_SCORE: Event = event("zremrangebyscore");
const BY_LEX: Event = event("zremrangebylex");

fn zremrangebyrank(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, first, last) = (cx.args.bytes()?, cx.args.int()?, cx.args.int()?);

    remove(cx, key, BY_RANK, |set| {
        let (first, len) = range::ranks(first, last, set.len());
        first..first + len
    })
}

fn zremrangebyscore(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, min, max) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let (first, last) = bounds::scores(min, max)?;

    remove(cx, key, BY_SCORE, |set| set.ranks_between(first, last))
}

fn zremrangebylex(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, min, max) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let (first, last) = bounds::members(min, max)?;

    remove(cx, key, BY_LEX, |set| set.ranks_between(first, last))
}

fn remove(
    cx: &mut WriteCx<'_>,
    key: &[u8],
    event: Event,
    choose: impl FnOnce(&SortedSet) -> Range<usize>,
) -> CmdResult {
    cx.keys.expire_overdue(key);
    let removed = cx.keys.update(key, |set: &mut SortedSet, _| {
        let ranks = choose(set);
        let removed = ranks.len();
        set.remove_range(ranks);
        let change = if removed == 0 { Change::None } else { Change::Did(event, removed as u64) };
        (removed, change)
    })?;

    cx.reply.count(removed.unwrap_or(0));
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn ranges_are_removed() {
        for entries in [0, 128] {
            let mut bench = Bench::new();
            bench.limits.encodings.sorted_set_pack_entries = entries;
            bench.check(&[
                "zremrangebyrank z 0 -1 => :0",
                "zadd z 1 a 2 b 3 c 4 d 5 e 6 f => :6",
                "zremrangebyrank z 1 2 => :2",
                "zremrangebyrank z 9 10 => :0",
                r#"zrange z 0 -1 => ["a" "d" "e" "f"]"#,
                "zremrangebyscore z (1 4 => :1",
                "zremrangebyscore z 9 4 => :0",
                "zremrangebyscore z x 4 => -ERR min or max is not a float",
                r#"zrange z 0 -1 => ["a" "e" "f"]"#,
                "zadd l 0 a 0 b 0 c => :3",
                "zremrangebylex l (a [b => :1",
                "zremrangebylex l a [b => -ERR min or max not valid string range item",
                "zremrangebyrank l 0 x => -ERR value is not an integer or out of range",
                "zremrangebylex l - + => :2",
                "exists l => :0",
                "zremrangebyrank z -2 -1 => :2",
                r#"zrange z 0 -1 => ["a"]"#,
            ]);
        }
    }
}
