//! Changing in the middle: LSET, LINSERT, LREM, LTRIM.

use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, Group, Key, exactly, integer, key, one_of, pure, text,
};
use crate::keyspace::journal::{Change, Event};
use crate::keyspace::value::Kind;
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;
use crate::types::list::{List, Sought};

use super::read::place;
use std::ops::ControlFlow;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("LSET", exactly(4), Group::List, Write(lset))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM)
        .args(&[key("key"), integer("index"), text("element")])
        .doc("1.0.0", "Replaces the element at a position of a list.", "O(N)"),
    Command::new("LINSERT", exactly(5), Group::List, Write(linsert))
        .keys(&[Key::at(1, &["RW", "insert"])])
        .flags(DENY_OOM)
        .args(&[
            key("key"),
            one_of("where", &[pure("before", "BEFORE"), pure("after", "AFTER")]),
            text("pivot"),
            text("element"),
        ])
        .doc("2.2.0", "Inserts an element beside the first that equals another.", "O(N)"),
    Command::new("LREM", exactly(4), Group::List, Write(lrem))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .args(&[key("key"), integer("count"), text("element")])
        .doc("1.0.0", "Removes elements of a list that equal one.", "O(N+M)"),
    Command::new("LTRIM", exactly(4), Group::List, Write(ltrim))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .args(&[key("key"), integer("start"), integer("stop")])
        .doc("1.0.0", "Removes what is not between two positions of a list.", "O(N)"),
];

const LSET: Event = super::event("lset");
const LINSERT: Event = super::event("linsert");
const LREM: Event = super::event("lrem");
const LTRIM: Event = super::event("ltrim");

fn lset(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    match cx.keys.reader().kind(key) {
        None => return Err(ReplyError::NoSuchKey),
        Some(Kind::List) => {}
        Some(_) => return Err(ReplyError::WrongType),
    }
    let (index, element) = (cx.args.int()?, cx.args.bytes()?);
    let limit = cx.limits.encodings.list_pack;

    let is_set = cx.keys.update(key, |list: &mut List, _| {
        let is_set = place(index, list.len()).is_some_and(|at| list.set(at, element, limit));
        (is_set, if is_set { Change::Did(LSET, 1) } else { Change::None })
    })?;

    if is_set != Some(true) {
        return Err(ReplyError::IndexOutOfRange);
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn linsert(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let steps = if cx.args.accept("AFTER") {
        1
    } else if cx.args.accept("BEFORE") {
        0
    } else {
        return Err(ReplyError::Syntax);
    };
    let (pivot, element) = (cx.args.bytes()?, cx.args.bytes()?);
    let limit = cx.limits.encodings.list_pack;

    let len = cx.keys.update(key, |list: &mut List, _| {
        // Whether or not the pivot is found: clients see the encoding.
        list.make_room_for(element, limit);
        let sought = Sought::new(pivot);
        let mut at = 0;
        let found = list.try_show(0, End::Back, |item| {
            if sought.is(item) {
                return ControlFlow::Break(());
            }
            at += 1;
            ControlFlow::Continue(())
        });
        if found.is_continue() {
            return (None, Change::None);
        }
        list.insert(at + steps, element, limit);
        (Some(list.len()), Change::Did(LINSERT, 1))
    })?;

    match len {
        None => cx.reply.count(0),
        Some(None) => cx.reply.int(-1),
        Some(Some(len)) => cx.reply.count(len),
    }
    Ok(Flow::Replied)
}

fn lrem(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let (count, element) = (super::signed(&mut cx.args)?, cx.args.bytes()?);
    let from = if count < 0 { End::Back } else { End::Front };
    let count = match count {
        0 => usize::MAX,
        count => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    };
    let limit = cx.limits.encodings.list_pack;

    let removed = cx.keys.update(key, |list: &mut List, _| {
        let removed = list.remove_equal(from, element, count, limit);
        let change = if removed == 0 { Change::None } else { Change::Did(LREM, removed as u64) };
        (removed, change)
    })?;

    cx.reply.count(removed.unwrap_or(0));
    Ok(Flow::Replied)
}

fn ltrim(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, start, stop) = (cx.args.bytes()?, cx.args.int()?, cx.args.int()?);
    let limit = cx.limits.encodings.list_pack;

    cx.keys.update::<List, _>(key, |list, _| {
        let len = list.len();
        let kept = super::span(start, stop, len);
        let kept = if kept.is_empty() { len..len } else { kept };
        list.remove(kept.end, len - kept.end, limit);
        list.remove(0, kept.start, limit);
        ((), Change::Did(LTRIM, (len - kept.len()) as u64))
    })?;

    cx.reply.ok();
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::types::list::PackLimit;

    #[test]
    fn elements_are_replaced() {
        Bench::new().check(&[
            "lset l 0 x => -ERR no such key",
            "lset l a x => -ERR no such key",
            "rpush l a b c => :3",
            "lset l 1 x => +OK",
            "lset l -1 17 => +OK",
            r#"lrange l 0 -1 => ["a" "x" "17"]"#,
            "lset l 3 x => -ERR index out of range",
            "lset l -4 x => -ERR index out of range",
            "lset l a x => -ERR value is not an integer or out of range",
        ]);
    }

    #[test]
    fn elements_are_inserted_beside_others() {
        Bench::new().check(&[
            "linsert l before a x => :0",
            "rpush l a b => :2",
            "linsert l before a x => :3",
            "linsert l after b y => :4",
            "linsert l AFTER x z => :5",
            r#"lrange l 0 -1 => ["x" "z" "a" "b" "y"]"#,
            "linsert l before nosuch x => :-1",
            "linsert l beside a x => -ERR syntax error",
        ]);
    }

    #[test]
    fn room_is_made_before_a_place_is_sought() {
        let mut bench = Bench::new();
        bench.limits.encodings.list_pack = PackLimit::of_directive(3);
        bench.check(&[
            "rpush l a b c => :3",
            "linsert l before nosuch x => :-1",
            r#"object encoding l => "quicklist""#,
            r#"lrange l 0 -1 => ["a" "b" "c"]"#,
        ]);
    }

    #[test]
    fn elements_are_removed_by_value() {
        Bench::new().check(&[
            "lrem l 0 a => :0",
            "rpush l a b a 1 a 1 => :6",
            "lrem l 0 nosuch => :0",
            "lrem l 2 a => :2",
            "lrem l -1 1 => :1",
            r#"lrange l 0 -1 => ["b" "1" "a"]"#,
            "lrem l -9223372036854775807 a => :1",
            "lrem l -9223372036854775808 a => -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            "lrem l 0 b => :1",
            "lrem l 0 1 => :1",
            "exists l => :0",
        ]);
    }

    #[test]
    fn ends_are_trimmed() {
        let check = |range: &str, rest: &str| {
            let mut bench = Bench::new();
            bench.run("rpush l 1 2 3 4 5");
            assert_eq!(bench.run(&format!("ltrim l {range}")), "+OK");
            assert_eq!(bench.run("lrange l 0 -1"), rest, "{range}");
        };
        check("0 -1", r#"["1" "2" "3" "4" "5"]"#);
        check("1 3", r#"["2" "3" "4"]"#);
        check("-2 100", r#"["4" "5"]"#);
        check("0 0", r#"["1"]"#);
        check("3 2", "[]");
        check("9 12", "[]");
        check("-3 -4", "[]");
        check("-9 -7", "[]");
        Bench::new().check(&["ltrim nosuch 0 1 => +OK", "exists nosuch => :0"]);
    }
}
