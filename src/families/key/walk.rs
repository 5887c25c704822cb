//! Finding keys: KEYS, SCAN, RANDOMKEY.

use crate::base::glob::{self, Case};
use crate::base::number::parse_uint_loose;
use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, Group, at_least, exactly, integer, pattern, text as string};
use crate::keyspace::packed::ValueView;
use crate::protocol::error::ReplyError;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("KEYS", exactly(2), Group::Generic, Read(keys))
        .categories(&["dangerous", "keyspace"])
        .args(&[pattern("pattern")])
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .doc("1.0.0", "Lists all keys that match a pattern.", "O(N)"),
    Command::new("SCAN", at_least(2), Group::Generic, Read(scan))
        .categories(&["keyspace"])
        .args(&[
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
            string("type").token("TYPE").optional().since("6.0.0"),
        ])
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .doc("2.8.0", "Lists some keys and a cursor for asking on.", "O(1) per call, O(N) in all"),
    Command::new("RANDOMKEY", exactly(1), Group::Generic, Read(randomkey))
        .categories(&["keyspace"])
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"])
        .doc("1.0.0", "Gives a key drawn at random; null when there is none.", "O(1)"),
];

/// Keys that SCAN visits when not told how many.
const SCAN_COUNT: i64 = 10;
/// Keys per step of a walk over all of them.
const KEYS_STEP: usize = 1024;

const NOVALUES: ReplyError = ReplyError::Fixed("ERR NOVALUES option can only be used in HSCAN");

fn keys(cx: &mut ReadCx<'_>) -> CmdResult {
    let wanted = cx.args.bytes()?;
    let mut found: Vec<&[u8]> = Vec::new();
    if glob::is_literal(wanted) {
        found.extend(cx.keys.kind(wanted).map(|_| wanted));
    } else {
        if cx.is_long(cx.keys.len()) {
            return Ok(Flow::Away(None));
        }
        // `*` alone means all keys, even the one without a name, which no pattern matches.
        let wants_all = wanted == b"*";
        let mut cursor = 0;
        loop {
            cursor = cx.keys.scan(cursor, KEYS_STEP, &mut |key, _| {
                if wants_all || glob::matches(wanted, key, Case::Sensitive) {
                    found.push(key);
                }
            });
            if cursor == 0 {
                break;
            }
        }
    }

    cx.reply.array(found.len());
    for key in found {
        cx.reply.bulk(key);
    }
    Ok(Flow::Replied)
}

fn scan(cx: &mut ReadCx<'_>) -> CmdResult {
    let cursor = parse_uint_loose(cx.args.bytes()?).ok_or(ReplyError::InvalidCursor)?;
    let (mut wanted, mut kind) = (None, None);
    let mut count = SCAN_COUNT;
    while !cx.args.is_done() {
        if cx.args.left() >= 2 && cx.args.accept("COUNT") {
            count = cx.args.int()?;
            if count < 1 {
                return Err(ReplyError::Syntax);
            }
        } else if cx.args.left() >= 2 && cx.args.accept("MATCH") {
            wanted = Some(cx.args.bytes()?).filter(|pattern| *pattern != b"*");
        } else if cx.args.left() >= 2 && cx.args.accept("TYPE") {
            kind = Some(cx.args.bytes()?);
        } else if cx.args.accept("NOVALUES") {
            return Err(NOVALUES);
        } else {
            return Err(ReplyError::Syntax);
        }
    }

    let admits = |key: &[u8], value: ValueView<'_>| {
        wanted.is_none_or(|pattern| glob::matches(pattern, key, Case::Sensitive))
            && kind.is_none_or(|kind| kind.eq_ignore_ascii_case(value.kind().name().as_bytes()))
    };
    let budget = usize::try_from(count).unwrap_or(usize::MAX);
    if cx.is_long(budget.min(cx.keys.len())) {
        return Ok(Flow::Away(None));
    }
    let mut found: Vec<&[u8]> = Vec::new();
    let next = cx.keys.scan(cursor, budget, &mut |key, value| {
        if admits(key, value) {
            found.push(key);
        }
    });

    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    cx.reply.array(found.len());
    for key in found {
        cx.reply.bulk(key);
    }
    Ok(Flow::Replied)
}

fn randomkey(cx: &mut ReadCx<'_>) -> CmdResult {
    match cx.keys.random_key(cx.rng) {
        Some(key) => cx.reply.bulk(key),
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn keys_are_found_by_pattern() {
        Bench::new().check(&[
            "keys * => []",
            "randomkey => nil",
            "set one 1 => +OK",
            r#"keys * => ["one"]"#,
            r#"keys one => ["one"]"#,
            "keys two => []",
            r#"keys o[a-n]e => ["one"]"#,
            "keys ? => []",
            r#"randomkey => "one""#,
        ]);
    }

    #[test]
    fn scan_reads_its_options() {
        Bench::new().check(&[
            "scan a => -ERR invalid cursor",
            "scan -1 => -ERR invalid cursor",
            "scan 18446744073709551616 => -ERR invalid cursor",
            r#"scan +0 => ["0" []]"#,
            r#"scan "" => -ERR invalid cursor"#,
            "scan 0 match => -ERR syntax error",
            "scan 0 count 0 => -ERR syntax error",
            "scan 0 count -1 => -ERR syntax error",
            "scan 0 count a => -ERR value is not an integer or out of range",
            "scan 0 foo => -ERR syntax error",
            "scan 0 foo bar => -ERR syntax error",
            "scan 0 type => -ERR syntax error",
            "scan 0 novalues => -ERR NOVALUES option can only be used in HSCAN",
            "set one 1 => +OK",
            r#"scan 0 => ["0" ["one"]]"#,
            r#"scan 0 match o* count 5 type STRING => ["0" ["one"]]"#,
            r#"scan 0 match x* count 1000 => ["0" []]"#,
            r#"scan 0 type list count 1000 => ["0" []]"#,
        ]);
    }

    #[test]
    fn a_whole_walk_meets_every_key() {
        let mut bench = Bench::new();
        for i in 0..1000 {
            bench.run(&format!("set key:{i} {i}"));
        }
        let (mut cursor, mut found) = ("0".to_owned(), std::collections::BTreeSet::new());
        loop {
            let page = bench.run(&format!("scan {cursor} match key:*5 count 7"));
            let words: Vec<&str> = page.split('"').skip(1).step_by(2).collect();
            found.extend(words[1..].iter().map(|key| (*key).to_owned()));
            cursor = words[0].to_owned();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found.len(), 100);
    }
}
