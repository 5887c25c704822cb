//! Taking from the ends: LPOP, RPOP, LMPOP, and the forms that wait for elements.

use crate::base::number::{digits, parse_int};
use crate::command::context::{Absence, CmdResult, Flow, Wait, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Arg, BLOCKING, Command, FAST, Group, Key, MOVABLE_KEYS, at_least, double, integer, key, one_of,
    pure,
};
use crate::families::pop_plan::PopPlan;
use crate::families::timeout;
use crate::keyspace::journal::Change;
use crate::keyspace::value::{Kind, WrongType};
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;
use crate::types::list::List;

const WHERE: Arg = one_of("where", &[pure("left", "LEFT"), pure("right", "RIGHT")]);

const ENDS: (&str, &str) = ("LEFT", "RIGHT");

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("LPOP", at_least(2), Group::List, Write(lpop))
        .keys(&[Key::at(1, &["RW", "access", "delete"])])
        .flags(FAST)
        .args(&[key("key"), integer("count").optional().since("6.2.0")])
        .doc("1.0.0", "Takes elements from the front of a list.", "O(N)"),
    Command::new("RPOP", at_least(2), Group::List, Write(rpop))
        .keys(&[Key::at(1, &["RW", "access", "delete"])])
        .flags(FAST)
        .args(&[key("key"), integer("count").optional().since("6.2.0")])
        .doc("1.0.0", "Takes elements from the end of a list.", "O(N)"),
    Command::new("LMPOP", at_least(4), Group::List, Write(lmpop))
        .keys(&[Key::at(1, &["RW", "access", "delete"]).counted(0, 1, 1)])
        .flags(MOVABLE_KEYS)
        .args(&[
            integer("numkeys"),
            key("key").repeated(),
            WHERE,
            integer("count").token("COUNT").optional(),
        ])
        .doc("7.0.0", "Takes elements from the first of several lists that has any.", "O(N+M)"),
    Command::new("BLPOP", at_least(3), Group::List, Write(blpop))
        .keys(&[Key::at(1, &["RW", "access", "delete"]).through(-2, 1, 0)])
        .flags(BLOCKING)
        .args(&[key("key").repeated(), double("timeout")])
        .doc("2.0.0", "Takes the first element of the first list to have one.", "O(N)"),
    Command::new("BRPOP", at_least(3), Group::List, Write(brpop))
        .keys(&[Key::at(1, &["RW", "access", "delete"]).through(-2, 1, 0)])
        .flags(BLOCKING)
        .args(&[key("key").repeated(), double("timeout")])
        .doc("2.0.0", "Takes the last element of the first list to have one.", "O(N)"),
    Command::new("BLMPOP", at_least(5), Group::List, Write(blmpop))
        .keys(&[Key::at(2, &["RW", "access", "delete"]).counted(0, 1, 1)])
        .flags(BLOCKING.and(MOVABLE_KEYS))
        .args(&[
            double("timeout"),
            integer("numkeys"),
            key("key").repeated(),
            WHERE,
            integer("count").token("COUNT").optional(),
        ])
        .doc("7.0.0", "Takes elements from the first of several lists to have any.", "O(N+M)"),
];

/// The command that takes from an end.
fn name_of(end: End) -> &'static [u8] {
    match end {
        End::Front => b"LPOP",
        End::Back => b"RPOP",
    }
}

fn lpop(cx: &mut WriteCx<'_>) -> CmdResult {
    pop(cx, End::Front, "lpop")
}

fn rpop(cx: &mut WriteCx<'_>) -> CmdResult {
    pop(cx, End::Back, "rpop")
}

fn pop(cx: &mut WriteCx<'_>, end: End, name: &'static str) -> CmdResult {
    let (key, limit) = (cx.args.bytes()?, cx.limits.encodings.list_pack);
    if cx.args.left() > 1 {
        return Err(ReplyError::WrongArity(name.into()));
    }
    let Some(count) = cx.args.peek() else { return pop_one(cx, key, end) };
    let count = parse_int(count).and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(ReplyError::NotPositive)?;

    let reply = &mut cx.reply;
    let found = cx.keys.update(key, |list: &mut List, _| {
        let count = count.min(list.len());
        reply.array(count);
        for _ in 0..count {
            list.pop(end, limit, |element| super::write(reply, element));
        }
        let change = match count {
            0 => Change::None,
            count => Change::Did(super::popped(end), count as u64),
        };
        ((), change)
    })?;

    if found.is_none() {
        cx.reply.null_array();
    }
    Ok(Flow::Replied)
}

fn pop_one(cx: &mut WriteCx<'_>, key: &[u8], end: End) -> CmdResult {
    let (reply, limit) = (&mut cx.reply, cx.limits.encodings.list_pack);
    let found = cx.keys.update(key, |list: &mut List, _| {
        list.pop(end, limit, |element| super::write(reply, element));
        ((), Change::Did(super::popped(end), 1))
    })?;

    if found.is_none() {
        cx.reply.null();
    }
    Ok(Flow::Replied)
}

fn blpop(cx: &mut WriteCx<'_>) -> CmdResult {
    pop_or_wait(cx, End::Front)
}

fn brpop(cx: &mut WriteCx<'_>) -> CmdResult {
    pop_or_wait(cx, End::Back)
}

fn pop_or_wait(cx: &mut WriteCx<'_>, end: End) -> CmdResult {
    let last = cx.args.word_count() - 1;
    let deadline = timeout::in_seconds(cx.args.word(last), cx.keys.now())?;
    let limit = cx.limits.encodings.list_pack;
    let keys = cx.args.rest().take(last - 1);

    for key in keys.clone() {
        let reply = &mut cx.reply;
        let found = cx.keys.update(key, |list: &mut List, _| {
            reply.array(2);
            reply.bulk(key);
            list.pop(end, limit, |element| super::write(reply, element));
            ((), Change::Did(super::popped(end), 1))
        })?;
        if found.is_some() {
            cx.telling.instead([name_of(end), key]);
            return Ok(Flow::Replied);
        }
    }
    Ok(Wait::new(Kind::List, keys, deadline, Absence::NullArray).into())
}

/// Takes from the first list; whether there was one.
fn run(plan: &PopPlan<'_>, cx: &mut WriteCx<'_>) -> Result<bool, WrongType> {
    let PopPlan { end, count, .. } = *plan;
    let limit = cx.limits.encodings.list_pack;
    for key in &plan.keys {
        let reply = &mut cx.reply;
        let found = cx.keys.update(key, |list: &mut List, _| {
            let count = count.min(list.len());
            reply.array(2);
            reply.bulk(key);
            reply.array(count);
            for _ in 0..count {
                list.pop(end, limit, |element| super::write(reply, element));
            }
            (count, Change::Did(super::popped(end), count as u64))
        })?;
        if let Some(count) = found {
            cx.telling.instead([name_of(end), key, digits(count).as_bytes()]);
            return Ok(true);
        }
    }
    Ok(false)
}

fn lmpop(cx: &mut WriteCx<'_>) -> CmdResult {
    let plan = PopPlan::read(&mut cx.args, ENDS)?;

    if !run(&plan, cx)? {
        cx.reply.null_array();
    }
    Ok(Flow::Replied)
}

fn blmpop(cx: &mut WriteCx<'_>) -> CmdResult {
    let timeout = cx.args.bytes()?;
    let plan = PopPlan::read(&mut cx.args, ENDS)?;
    // Clients see what is wrong with the rest first.
    let deadline = timeout::in_seconds(timeout, cx.keys.now())?;

    if run(&plan, cx)? {
        return Ok(Flow::Replied);
    }
    plan.wait(Kind::List, deadline)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn elements_go_at_either_end() {
        Bench::new().check(&[
            "lpop l => nil",
            "lpop l 3 => nil",
            "rpush l a b c d e => :5",
            r#"lpop l => "a""#,
            r#"rpop l => "e""#,
            "lpop l 0 => []",
            "lpop l -1 => -ERR value is out of range, must be positive",
            "lpop l x => -ERR value is out of range, must be positive",
            "lpop l 1 2 => -ERR wrong number of arguments for 'lpop' command",
            r#"rpop l 2 => ["d" "c"]"#,
            r#"lpop l 9 => ["b"]"#,
            "exists l => :0",
        ]);
    }

    #[test]
    fn the_first_list_with_elements_is_taken_from() {
        Bench::new().check(&[
            "lmpop 2 a b left => nil",
            "rpush b 1 2 3 4 => :4",
            r#"lmpop 2 a b left => ["b" ["1"]]"#,
            r#"lmpop 2 a b right count 2 => ["b" ["4" "3"]]"#,
            r#"lmpop 2 a b right count 9 => ["b" ["2"]]"#,
            "lmpop 0 a left => -ERR numkeys should be greater than 0",
            "lmpop x a left => -ERR numkeys should be greater than 0",
            "lmpop 3 a left count 1 => -ERR syntax error",
            "lmpop 1 a top => -ERR syntax error",
            "lmpop 1 a left count 0 => -ERR count should be greater than 0",
            "lmpop 1 a left count 1 count 1 => -ERR syntax error",
            "lmpop 1 a left count => -ERR syntax error",
            "set s v => +OK",
            "lmpop 2 s b left => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn who_finds_nothing_waits() {
        Bench::new().check(&[
            "blpop a b 0 => waits",
            "blmpop 1 2 a b left => waits",
            "rpush b 1 2 3 => :3",
            r#"blpop a b 0.5 => ["b" "1"]"#,
            r#"brpop a b 0 => ["b" "3"]"#,
            r#"blmpop 0 2 a b left count 2 => ["b" ["2"]]"#,
            "blpop a x => -ERR timeout is not a float or out of range",
            "blpop a -1 => -ERR timeout is negative",
            "blpop a 1e300 => -ERR timeout is out of range",
            "blmpop x 1 a left => -ERR timeout is not a float or out of range",
            "blmpop x 0 a left => -ERR numkeys should be greater than 0",
            "set s v => +OK",
            "blpop a s 0 => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "blpop s a 0 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }
}
