//! Taking from the ends: ZPOPMIN, ZPOPMAX, ZMPOP, and the forms that wait for members.

use super::{Shown, event};
use crate::base::number::{digits, parse_int};
use crate::command::context::{Absence, CmdResult, Flow, Wait, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Arg, BLOCKING, Command, FAST, Group, Key, MOVABLE_KEYS, at_least, double, integer, key, one_of,
    pure,
};
use crate::families::pop_plan::PopPlan;
use crate::families::timeout;
use crate::keyspace::journal::{Change, Event};
use crate::keyspace::value::{Kind, WrongType};
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::structures::cow_tree::End;
use crate::types::sorted_set::{Scored, SortedSet};

const WHERE: Arg = one_of("where", &[pure("min", "MIN"), pure("max", "MAX")]);

const ENDS: (&str, &str) = ("MIN", "MAX");

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("ZPOPMIN", at_least(2), Group::SortedSet, Write(zpopmin))
        .keys(&[Key::at(1, &["RW", "access", "delete"])])
        .flags(FAST)
        .args(&[key("key"), integer("count").optional()])
        .doc("5.0.0", "Takes the members with the lowest scores.", "O(log(N)*M)"),
    Command::new("ZPOPMAX", at_least(2), Group::SortedSet, Write(zpopmax))
        .keys(&[Key::at(1, &["RW", "access", "delete"])])
        .flags(FAST)
        .args(&[key("key"), integer("count").optional()])
        .doc("5.0.0", "Takes the members with the highest scores.", "O(log(N)*M)"),
    Command::new("ZMPOP", at_least(4), Group::SortedSet, Write(zmpop))
        .keys(&[Key::at(1, &["RW", "access", "delete"]).counted(0, 1, 1)])
        .flags(MOVABLE_KEYS)
        .args(&[
            integer("numkeys"),
            key("key").repeated(),
            WHERE,
            integer("count").token("COUNT").optional(),
        ])
        .doc(
            "7.0.0",
            "Takes members at one end of the first of several sorted sets that has any.",
            "O(K)",
        ),
    Command::new("BZPOPMIN", at_least(3), Group::SortedSet, Write(bzpopmin))
        .keys(&[Key::at(1, &["RW", "access", "delete"]).through(-2, 1, 0)])
        .flags(BLOCKING.and(FAST))
        .args(&[key("key").repeated(), double("timeout")])
        .doc("5.0.0", "Takes the lowest member of the first sorted set to have one.", "O(log(N))"),
    Command::new("BZPOPMAX", at_least(3), Group::SortedSet, Write(bzpopmax))
        .keys(&[Key::at(1, &["RW", "access", "delete"]).through(-2, 1, 0)])
        .flags(BLOCKING.and(FAST))
        .args(&[key("key").repeated(), double("timeout")])
        .doc("5.0.0", "Takes the highest member of the first sorted set to have one.", "O(log(N))"),
    Command::new("BZMPOP", at_least(5), Group::SortedSet, Write(bzmpop))
        .keys(&[Key::at(2, &["RW", "access", "delete"]).counted(0, 1, 1)])
        .flags(BLOCKING.and(MOVABLE_KEYS))
        .args(&[
            double("timeout"),
            integer("numkeys"),
            key("key").repeated(),
            WHERE,
            integer("count").token("COUNT").optional(),
        ])
        .doc(
            "7.0.0",
            "Takes members at one end of the first of several sorted sets to have any.",
            "O(K)",
        ),
];

fn popped(end: End) -> Event {
    match end {
        End::Front => event("zpopmin"),
        End::Back => event("zpopmax"),
    }
}

/// The command that takes from an end.
fn name_of(end: End) -> &'static [u8] {
    match end {
        End::Front => b"ZPOPMIN",
        End::Back => b"ZPOPMAX",
    }
}

/// Takes so many elements off and replies with each.
fn take(set: &mut SortedSet, end: End, count: usize, mut write: impl FnMut(Scored<'_>)) -> Change {
    for _ in 0..count {
        set.pop(end, &mut write);
    }
    if count == 0 { Change::None } else { Change::Did(popped(end), count as u64) }
}

fn zpopmin(cx: &mut WriteCx<'_>) -> CmdResult {
    pop(cx, End::Front)
}

fn zpopmax(cx: &mut WriteCx<'_>) -> CmdResult {
    pop(cx, End::Back)
}

fn pop(cx: &mut WriteCx<'_>, end: End) -> CmdResult {
    let key = cx.args.bytes()?;
    if cx.args.left() > 1 {
        return Err(ReplyError::Syntax);
    }
    let count = match cx.args.peek() {
        None => None,
        Some(word) => {
            let count = parse_int(word).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(ReplyError::NotPositive)?)
        }
    };

    cx.keys.expire_overdue(key);
    let reply = &mut cx.reply;
    let found = cx.keys.update(key, |set: &mut SortedSet, _| {
        let Some(count) = count else {
            // Without a count the only pair is not nested, in either dialect.
            reply.array(2);
            return ((), take(set, end, 1, |element| write_pair(reply, element)));
        };
        let count = count.min(set.len());
        super::open_list(reply, count, Shown::Scores);
        ((), take(set, end, count, |element| super::write(reply, element, Shown::Scores)))
    })?;

    if found.is_none() {
        cx.reply.array(0);
    }
    Ok(Flow::Replied)
}

fn write_pair(reply: &mut Reply<'_>, element: Scored<'_>) {
    super::write_member(reply, element.member);
    reply.double(element.score);
}

fn bzpopmin(cx: &mut WriteCx<'_>) -> CmdResult {
    pop_or_wait(cx, End::Front)
}

fn bzpopmax(cx: &mut WriteCx<'_>) -> CmdResult {
    pop_or_wait(cx, End::Back)
}

fn pop_or_wait(cx: &mut WriteCx<'_>, end: End) -> CmdResult {
    let last = cx.args.word_count() - 1;
    let deadline = timeout::in_seconds(cx.args.word(last), cx.keys.now())?;
    let keys = cx.args.rest().take(last - 1);

    for key in keys.clone() {
        cx.keys.expire_overdue(key);
        let reply = &mut cx.reply;
        let found = cx.keys.update(key, |set: &mut SortedSet, _| {
            reply.array(3);
            reply.bulk(key);
            ((), take(set, end, 1, |element| write_pair(reply, element)))
        })?;
        if found.is_some() {
            cx.telling.instead([name_of(end), key]);
            return Ok(Flow::Replied);
        }
    }
    Ok(Wait::new(Kind::SortedSet, keys, deadline, Absence::NullArray).into())
}

/// Takes from the first sorted set; whether there was one.
fn run(plan: &PopPlan<'_>, cx: &mut WriteCx<'_>) -> Result<bool, WrongType> {
    for key in &plan.keys {
        cx.keys.expire_overdue(key);
        let reply = &mut cx.reply;
        let found = cx.keys.update(key, |set: &mut SortedSet, _| {
            let count = plan.count.min(set.len());
            reply.array(2);
            reply.bulk(key);
            reply.array(count);
            let change = take(set, plan.end, count, |element| {
                reply.array(2);
                write_pair(reply, element);
            });
            (count, change)
        })?;
        if let Some(count) = found {
            cx.telling.instead([name_of(plan.end), key, digits(count).as_bytes()]);
            return Ok(true);
        }
    }
    Ok(false)
}

fn zmpop(cx: &mut WriteCx<'_>) -> CmdResult {
    let plan = PopPlan::read(&mut cx.args, ENDS)?;

    if !run(&plan, cx)? {
        cx.reply.null_array();
    }
    Ok(Flow::Replied)
}

fn bzmpop(cx: &mut WriteCx<'_>) -> CmdResult {
    let deadline = timeout::in_seconds(cx.args.bytes()?, cx.keys.now())?;
    let plan = PopPlan::read(&mut cx.args, ENDS)?;

    if run(&plan, cx)? {
        return Ok(Flow::Replied);
    }
    plan.wait(Kind::SortedSet, deadline)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    #[test]
    fn members_go_at_either_end() {
        let mut bench = Bench::new();
        bench.check(&[
            "zpopmin z => []",
            "zpopmin z 2 => []",
            "zadd z 1 a 2 b 3 c 4 d 5 e => :5",
            r#"zpopmin z => ["a" "1"]"#,
            r#"zpopmax z => ["e" "5"]"#,
            "zpopmin z 0 => []",
            "zpopmin z -1 => -ERR value is out of range, must be positive",
            "zpopmin z x => -ERR value is out of range, must be positive",
            "zpopmin z 1 2 => -ERR syntax error",
            r#"zpopmax z 2 => ["d" "4" "c" "3"]"#,
        ]);
        bench.dialect = Dialect::Resp3;
        bench.check(&[
            "zadd z 3 c => :1",
            r#"zpopmin z => ["b" ,2]"#,
            r#"zpopmin z 5 => [["c" ,3]]"#,
            "exists z => :0",
        ]);
    }

    #[test]
    fn the_first_with_members_is_taken_from() {
        Bench::new().check(&[
            "zmpop 2 a b min => nil",
            "zadd b 1 x 2 y 3 z => :3",
            r#"zmpop 2 a b min => ["b" [["x" "1"]]]"#,
            r#"zmpop 2 a b max count 9 => ["b" [["z" "3"] ["y" "2"]]]"#,
            "zmpop 0 a min => -ERR numkeys should be greater than 0",
            "zmpop 1 a foo => -ERR syntax error",
            "zmpop 1 a min count 0 => -ERR count should be greater than 0",
            "zmpop 1 a min count 1 count 2 => -ERR syntax error",
            "zmpop 3 a min => -ERR syntax error",
        ]);
    }

    #[test]
    fn who_finds_nothing_waits() {
        Bench::new().check(&[
            "bzpopmin a b 0 => waits",
            "bzmpop 1 2 a b min => waits",
            "zadd b 1 x 2 y 3 z => :3",
            r#"bzpopmin a b 0.5 => ["b" "x" "1"]"#,
            r#"bzpopmax a b 0 => ["b" "z" "3"]"#,
            r#"bzmpop 0 2 a b min => ["b" [["y" "2"]]]"#,
            "bzpopmin a x => -ERR timeout is not a float or out of range",
            "bzmpop -1 1 a min => -ERR timeout is negative",
            "set s v => +OK",
            "bzpopmin a s 0 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }
}
