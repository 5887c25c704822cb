//! Reading by member, and counting: ZCARD, ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCOUNT, ZLEXCOUNT.

use super::bounds::{self, Between};
use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, FAST, Group, Key, at_least, double, exactly, key, pure, text};
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;
use crate::types::sorted_set::SortedSet;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("ZCARD", exactly(2), Group::SortedSet, Read(zcard))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .args(&[key("key")])
        .doc("1.2.0", "Counts the members of a sorted set.", "O(1)"),
    Command::new("ZSCORE", exactly(3), Group::SortedSet, Read(zscore))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), text("member")])
        .doc("1.2.0", "Gives the score of a member.", "O(1)"),
    Command::new("ZMSCORE", at_least(3), Group::SortedSet, Read(zmscore))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), text("member").repeated()])
        .doc("6.2.0", "Gives the scores of several members.", "O(N)"),
    Command::new("ZRANK", at_least(3), Group::SortedSet, Read(zrank))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), text("member"), pure("withscore", "WITHSCORE").optional()])
        .doc("2.0.0", "Tells how many members stand before one, lowest score first.", "O(log(N))"),
    Command::new("ZREVRANK", at_least(3), Group::SortedSet, Read(zrevrank))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), text("member"), pure("withscore", "WITHSCORE").optional()])
        .doc("2.0.0", "Tells how many members stand before one, highest score first.", "O(log(N))"),
    Command::new("ZCOUNT", exactly(4), Group::SortedSet, Read(zcount))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), double("min"), double("max")])
        .doc("2.0.0", "Counts the members with scores in a range.", "O(log(N))"),
    Command::new("ZLEXCOUNT", exactly(4), Group::SortedSet, Read(zlexcount))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), text("min"), text("max")])
        .doc(
            "2.8.9",
            "Counts the members in a range of bytes, all scores being equal.",
            "O(log(N))",
        ),
];

fn zcard(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;

    let (set, now) = (cx.keys.get::<SortedSet>(key)?, cx.keys.horizon());
    let len = set.map_or(0, |set| set.live_len(now));
    cx.reply.count(len);
    Ok(Flow::Replied)
}

fn zscore(cx: &mut ReadCx<'_>) -> CmdResult {
    let (key, member) = (cx.args.bytes()?, cx.args.bytes()?);

    let (set, now) = (cx.keys.get::<SortedSet>(key)?, cx.keys.horizon());
    match set.and_then(|set| set.live_score(member, now)) {
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

fn zmscore(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let members = cx.args.rest();

    let (set, now) = (cx.keys.get::<SortedSet>(key)?, cx.keys.horizon());
    let set = set.as_deref();
    cx.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.live_score(member, now)) {
            Some(score) => cx.reply.double(score),
            None => cx.reply.null(),
        }
    }
    Ok(Flow::Replied)
}

fn zrank(cx: &mut ReadCx<'_>) -> CmdResult {
    rank(cx, End::Front, "zrank")
}

fn zrevrank(cx: &mut ReadCx<'_>) -> CmdResult {
    rank(cx, End::Back, "zrevrank")
}

fn rank(cx: &mut ReadCx<'_>, from: End, name: &'static str) -> CmdResult {
    let (key, member) = (cx.args.bytes()?, cx.args.bytes()?);
    if cx.args.left() > 1 {
        return Err(ReplyError::WrongArity(name.into()));
    }
    let with_score = cx.args.accept("WITHSCORE");
    cx.args.finish()?;

    let set = super::living(&cx.keys, key)?;
    let found = set.and_then(|set| Some((set.len(), set.rank(member)?)));
    match found {
        Some((len, (rank, score))) => {
            let rank = if from == End::Front { rank } else { len - 1 - rank };
            if with_score {
                cx.reply.array(2);
            }
            cx.reply.count(rank);
            if with_score {
                cx.reply.double(score);
            }
        }
        None if with_score => cx.reply.null_array(),
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

fn zcount(cx: &mut ReadCx<'_>) -> CmdResult {
    let (key, min, max) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let between = bounds::scores(min, max)?;

    count(cx, key, between)
}

fn zlexcount(cx: &mut ReadCx<'_>) -> CmdResult {
    let (key, min, max) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let between = bounds::members(min, max)?;

    count(cx, key, between)
}

fn count(cx: &mut ReadCx<'_>, key: &[u8], (first, last): Between<'_>) -> CmdResult {
    let set = super::living(&cx.keys, key)?;
    cx.reply.count(set.map_or(0, |set| set.ranks_between(first, last).len()));
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    #[test]
    fn members_are_found() {
        let mut bench = Bench::new();
        bench.check(&[
            "zcard z => :0",
            "zscore z a => nil",
            "zmscore z a b => [nil nil]",
            "zrank z a => nil",
            "zrank z a withscore => nil",
            "zadd z 1 a 2.5 b -inf c => :3",
            "zcard z => :3",
            r#"zscore z b => "2.5""#,
            r#"zmscore z a nosuch c => ["1" nil "-inf"]"#,
            "zrank z b => :2",
            "zrevrank z b => :0",
            r#"zrank z c withscore => [:0 "-inf"]"#,
            r#"zrevrank z c withscore => [:2 "-inf"]"#,
            "zrank z nosuch withscore => nil",
            "zrank z a foo => -ERR syntax error",
            "zrank z a withscore x => -ERR wrong number of arguments for 'zrank' command",
        ]);
        bench.dialect = Dialect::Resp3;
        bench.check(&[
            "zscore z b => ,2.5",
            "zmscore z a x => [,1 nil]",
            "zrank z c withscore => [:0 ,-inf]",
        ]);
    }

    #[test]
    fn ranges_are_counted() {
        Bench::new().check(&[
            "zcount z 0 1 => :0",
            "zadd z 1 a 2 b 2 c 3 d => :4",
            "zcount z -inf +inf => :4",
            "zcount z 2 2 => :2",
            "zcount z (1 3 => :3",
            "zcount z (1 (3 => :2",
            "zcount z 3 1 => :0",
            "zcount z x 1 => -ERR min or max is not a float",
            "zcount z 1 (nan => -ERR min or max is not a float",
            "zadd l 0 a 0 b 0 c 0 d => :4",
            "zlexcount l - + => :4",
            "zlexcount l [b [c => :2",
            "zlexcount l (b + => :2",
            "zlexcount l + - => :0",
            "zlexcount l b c => -ERR min or max not valid string range item",
        ]);
    }
}
