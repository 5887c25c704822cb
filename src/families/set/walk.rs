//! All members: SMEMBERS, SSCAN.

use super::Living;
use crate::base::glob::{self, Case};
use crate::base::number::parse_uint_loose;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, Group, Key, at_least, exactly, integer, key, pattern};
use crate::protocol::error::ReplyError;
use crate::structures::listpack::{Digits, Item};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("SMEMBERS", exactly(2), Group::Set, Read(smembers))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key")])
        .tips(&["nondeterministic_output_order"])
        .doc("1.0.0", "Gives all members of a set.", "O(N)"),
    Command::new("SSCAN", at_least(3), Group::Set, Read(sscan))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .doc("2.8.0", "Lists some members and a cursor for asking on.", "O(1)"),
];

/// Members that SSCAN visits when not told how many.
const SCAN_COUNT: usize = 10;

const NOVALUES: ReplyError = ReplyError::Fixed("ERR NOVALUES option can only be used in HSCAN");

fn smembers(cx: &mut ReadCx<'_>) -> CmdResult {
    let set = super::living(&cx.keys, cx.args.bytes()?)?;
    let set = set.as_ref().map(Living::view);
    let len = set.map_or(0, |set| set.len());
    if cx.is_long(len) {
        return Ok(Flow::Away(None));
    }

    cx.reply.set(len);
    for member in set.into_iter().flatten() {
        super::write(&mut cx.reply, member);
    }
    Ok(Flow::Replied)
}

/// `[MATCH pattern] [COUNT count]`
struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Options<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let mut options = Self { pattern: None, count: SCAN_COUNT };
        while !args.is_done() {
            if args.left() >= 2 && args.accept("COUNT") {
                let count = usize::try_from(args.int()?).ok().filter(|count| *count > 0);
                options.count = count.ok_or(ReplyError::Syntax)?;
            } else if args.left() >= 2 && args.accept("MATCH") {
                options.pattern = Some(args.bytes()?).filter(|pattern| *pattern != b"*");
            } else if args.accept("NOVALUES") {
                return Err(NOVALUES);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(options)
    }

    fn admits(&self, member: Item<'_>) -> bool {
        self.pattern.is_none_or(|pattern| {
            glob::matches(pattern, member.as_text(&mut Digits::default()), Case::Sensitive)
        })
    }
}

fn sscan(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let cursor = parse_uint_loose(cx.args.bytes()?).ok_or(ReplyError::InvalidCursor)?;
    let mut found = Vec::new();
    let mut next = 0;
    // Clients see that without a set nobody looks at the options.
    let set = super::living(&cx.keys, key)?;
    if let Some(set) = set.as_ref().map(Living::view) {
        let options = Options::read(&mut cx.args)?;
        if cx.is_long(options.count.min(set.len())) {
            return Ok(Flow::Away(None));
        }
        next = set.scan(cursor, options.count, &mut |member| {
            if options.admits(member) {
                found.push(member);
            }
        });
    }

    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    cx.reply.array(found.len());
    for member in found {
        super::write(&mut cx.reply, member);
    }
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use std::collections::BTreeSet;

    #[test]
    fn scan_reads_its_options() {
        Bench::new().check(&[
            "smembers missing => []",
            "sadd s 1 2 30 => :3",
            "sadd t a b => :2",
            r#"smembers s => ["1" "2" "30"]"#,
            r#"sscan s 0 => ["0" ["1" "2" "30"]]"#,
            r#"sscan s 77 match 3* count 1 => ["0" ["30"]]"#,
            r#"sscan t 0 match a* => ["0" ["a"]]"#,
            "sscan missing x => -ERR invalid cursor",
            "sscan s -1 => -ERR invalid cursor",
            r#"sscan missing 0 foo bar => ["0" []]"#,
            "sscan s 0 count 0 => -ERR syntax error",
            "sscan s 0 count a => -ERR value is not an integer or out of range",
            "sscan s 0 match => -ERR syntax error",
            "sscan s 0 type set => -ERR syntax error",
            "sscan s 0 novalues => -ERR NOVALUES option can only be used in HSCAN",
            "set str v => +OK",
            "sscan str 0 count a => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn a_whole_walk_meets_every_member_that_stays() {
        let mut bench = Bench::new();
        for i in 0..2000 {
            bench.run(&format!("sadd s member:{i} passing:{i}"));
        }
        let (mut cursor, mut found) = ("0".to_owned(), BTreeSet::new());
        let mut leaving = 0..2000;
        loop {
            let page = bench.run(&format!("sscan s {cursor} match member:*5 count 7"));
            for i in leaving.by_ref().take(10) {
                bench.run(&format!("srem s passing:{i}"));
            }
            let words: Vec<&str> = page.split('"').skip(1).step_by(2).collect();
            found.extend(words[1..].iter().map(|member| (*member).to_owned()));
            cursor = words[0].to_owned();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found.len(), 200);
    }
}
