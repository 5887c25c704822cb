//! Adding at the ends: LPUSH, RPUSH and their forms that need a list.

use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{Command, DENY_OOM, FAST, Group, Key, at_least, key, text};
use crate::keyspace::journal::Change;
use crate::structures::cow_tree::End;
use crate::types::list::List;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("LPUSH", at_least(3), Group::List, Write(lpush))
        .keys(&[Key::at(1, &["RW", "insert"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), text("element").repeated()])
        .doc("1.0.0", "Puts elements before the first of a list, made when absent.", "O(1)"),
    Command::new("RPUSH", at_least(3), Group::List, Write(rpush))
        .keys(&[Key::at(1, &["RW", "insert"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), text("element").repeated()])
        .doc("1.0.0", "Puts elements behind the last of a list, made when absent.", "O(1)"),
    Command::new("LPUSHX", at_least(3), Group::List, Write(lpushx))
        .keys(&[Key::at(1, &["RW", "insert"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), text("element").repeated()])
        .doc("2.2.0", "Puts elements before the first of a list, if there is one.", "O(1)"),
    Command::new("RPUSHX", at_least(3), Group::List, Write(rpushx))
        .keys(&[Key::at(1, &["RW", "insert"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), text("element").repeated()])
        .doc("2.2.0", "Puts elements behind the last of a list, if there is one.", "O(1)"),
];

fn lpush(cx: &mut WriteCx<'_>) -> CmdResult {
    push(cx, End::Front)
}

fn rpush(cx: &mut WriteCx<'_>) -> CmdResult {
    push(cx, End::Back)
}

fn lpushx(cx: &mut WriteCx<'_>) -> CmdResult {
    push_if_there(cx, End::Front)
}

fn rpushx(cx: &mut WriteCx<'_>) -> CmdResult {
    push_if_there(cx, End::Back)
}

fn push(cx: &mut WriteCx<'_>, end: End) -> CmdResult {
    let (key, limit) = (cx.args.bytes()?, cx.limits.encodings.list_pack);
    let elements = cx.args.rest();

    let len = cx.keys.upsert(key, |list: &mut List, _| {
        let count = elements.len() as u64;
        list.push(end, elements, limit);
        (list.len(), Change::Did(super::pushed(end), count))
    })?;

    cx.reply.count(len);
    Ok(Flow::Replied)
}

fn push_if_there(cx: &mut WriteCx<'_>, end: End) -> CmdResult {
    let (key, limit) = (cx.args.bytes()?, cx.limits.encodings.list_pack);
    let elements = cx.args.rest();

    let len = cx.keys.update(key, |list: &mut List, _| {
        let count = elements.len() as u64;
        list.push(end, elements, limit);
        (list.len(), Change::Did(super::pushed(end), count))
    })?;

    cx.reply.count(len.unwrap_or(0));
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn elements_come_in_at_either_end() {
        Bench::new().check(&[
            "lpush l a b => :2",
            "rpush l c 17 => :4",
            r#"lrange l 0 -1 => ["b" "a" "c" "17"]"#,
            "lpushx l d => :5",
            "rpushx l e f => :7",
            r#"lrange l 0 -1 => ["d" "b" "a" "c" "17" "e" "f"]"#,
            "lpushx nosuch a => :0",
            "rpushx nosuch a => :0",
            "exists nosuch => :0",
            "lpush l => -ERR wrong number of arguments for 'lpush' command",
        ]);
    }

    #[test]
    fn a_list_is_packed_until_it_is_large() {
        let mut bench = Bench::new();
        bench.limits.encodings.list_pack = crate::types::list::PackLimit::of_directive(3);
        bench.check(&[
            "rpush l a b c => :3",
            r#"object encoding l => "listpack""#,
            "rpush l d => :4",
            r#"object encoding l => "quicklist""#,
            r#"rpop l 3 => ["d" "c" "b"]"#,
            r#"object encoding l => "listpack""#,
        ]);
    }
}
