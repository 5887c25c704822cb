//! Members in no order: ZSCAN, ZRANDMEMBER.

use super::Shown;
use crate::base::glob::{self, Case};
use crate::base::number::{format_double, parse_int, parse_uint_loose};
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, Group, Key, at_least, block, integer, key, pattern, pure};
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;
use crate::structures::listpack::Digits;
use crate::types::sorted_set::{Scored, SortedSet};
use std::collections::BTreeSet;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("ZRANDMEMBER", at_least(2), Group::SortedSet, Read(zrandmember))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            block("options", &[integer("count"), pure("withscores", "WITHSCORES").optional()])
                .optional(),
        ])
        .tips(&["nondeterministic_output"])
        .doc("6.2.0", "Draws members at random.", "O(N)"),
    Command::new("ZSCAN", at_least(3), Group::SortedSet, Read(zscan))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .doc("2.8.0", "Lists some members with scores, and a cursor for asking on.", "O(1)"),
];

/// Elements that ZSCAN visits when not told how many.
const SCAN_COUNT: usize = 10;
/// A sample of more than one in so many members is drawn by walking over all.
const WALK_SHARE: usize = 3;

/// Most draws with repetition: a reply of some gigabytes.
const DRAWS_MAX: usize = 1 << 28;

const NOVALUES: ReplyError = ReplyError::Fixed("ERR NOVALUES option can only be used in HSCAN");
const COUNT_RANGE: ReplyError = ReplyError::Fixed(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

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
                let count = args.int()?;
                let count = usize::try_from(count).ok().filter(|count| *count > 0);
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

    fn admits(&self, member: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, member, Case::Sensitive))
    }
}

fn zscan(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let cursor = parse_uint_loose(cx.args.bytes()?).ok_or(ReplyError::InvalidCursor)?;
    let Some(set) = cx.keys.get::<SortedSet>(key)? else {
        // Options are not even looked at then.
        cx.reply.array(2);
        cx.reply.bulk(b"0");
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };
    let options = Options::read(&mut cx.args)?;
    if cx.is_long(options.count.min(set.len())) {
        return Ok(Flow::Away(None));
    }

    let is_small = set.as_pack().is_some();
    let mut found: Vec<(Vec<u8>, f64)> = Vec::new();
    let now = cx.keys.horizon();
    let next = set.live_scan(cursor, options.count, now, &mut |Scored { member, score }| {
        if options.admits(member.as_text(&mut Digits::default())) {
            found.push((member.to_vec(), score));
        }
    });

    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    cx.reply.array(2 * found.len());
    for (member, score) in found {
        cx.reply.bulk(&member);
        let mut text = Vec::new();
        if is_small {
            format_double(score, &mut text);
        } else {
            format_long(score, &mut text);
        }
        cx.reply.bulk(&text);
    }
    Ok(Flow::Replied)
}

/// A double with 17 digits, less zeros at the end: scores of large sets are scanned as long doubles.
fn format_long(value: f64, out: &mut Vec<u8>) {
    if value == 0.0 || !value.is_finite() {
        return format_double(value, out);
    }
    let scientific = format!("{value:.16e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..17).contains(&exponent) {
        let decimals = usize::try_from(16 - exponent).unwrap_or(0);
        let plain = format!("{value:.decimals$}");
        let plain =
            if decimals > 0 { plain.trim_end_matches('0').trim_end_matches('.') } else { &plain };
        out.extend_from_slice(plain.as_bytes());
        return;
    }
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    let sign = if exponent < 0 { '-' } else { '+' };
    let exponent = exponent.unsigned_abs();
    out.extend_from_slice(format!("{digits}e{sign}{exponent:02}").as_bytes());
}

fn zrandmember(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let Some(count) = cx.args.peek() else { return draw_one(cx, key) };
    let count = parse_int(count).ok_or(ReplyError::NotInteger)?;
    if count == i64::MIN {
        return Err(COUNT_RANGE);
    }
    cx.args.bytes()?;
    let mut shown = Shown::Members;
    if !cx.args.is_done() {
        if !cx.args.accept("WITHSCORES") {
            return Err(ReplyError::Syntax);
        }
        cx.args.finish()?;
        if count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
            return Err(ReplyError::OutOfRange);
        }
        shown = Shown::Scores;
    }

    let Some(set) = super::living(&cx.keys, key)? else {
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        // Redis would go on until its memory is used up.
        if wanted > DRAWS_MAX {
            return Err(ReplyError::OutOfRange);
        }
        if cx.is_long(wanted) {
            return Ok(Flow::Away(None));
        }
        super::open_list(&mut cx.reply, wanted, shown);
        for _ in 0..wanted {
            if let Some(element) = at(&set, cx.rng.usize(..set.len())) {
                super::write(&mut cx.reply, element, shown);
            }
        }
        return Ok(Flow::Replied);
    }
    let wanted = wanted.min(set.len());
    if cx.is_long(wanted) {
        return Ok(Flow::Away(None));
    }
    super::open_list(&mut cx.reply, wanted, shown);
    sample(&set, wanted, cx.rng, |element| super::write(&mut cx.reply, element, shown));
    Ok(Flow::Replied)
}

fn draw_one(cx: &mut ReadCx<'_>, key: &[u8]) -> CmdResult {
    let set = super::living(&cx.keys, key)?;
    match set.as_deref().and_then(|set| at(set, cx.rng.usize(..set.len()))) {
        Some(element) => super::write_member(&mut cx.reply, element.member),
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

fn at(set: &SortedSet, rank: usize) -> Option<Scored<'_>> {
    set.iter_from(rank, End::Back).next()
}

/// Draws `wanted` different elements, every choice being equally likely.
fn sample<'s>(
    set: &'s SortedSet,
    wanted: usize,
    rng: &mut fastrand::Rng,
    mut write: impl FnMut(Scored<'s>),
) {
    let len = set.len();
    if wanted > len / WALK_SHARE {
        // Knuth's selection sampling: each element has the chance that is left for it.
        let mut missing = wanted;
        for (passed, element) in set.iter().enumerate() {
            if rng.usize(..len - passed) < missing {
                missing -= 1;
                write(element);
            }
        }
        return;
    }
    // Floyd's: each step adds one rank to a fair choice among those below its bound.
    let mut chosen = BTreeSet::new();
    for bound in len - wanted..len {
        let drawn = rng.usize(..=bound);
        let rank = if chosen.insert(drawn) { drawn } else { bound };
        chosen.insert(rank);
        if let Some(element) = at(set, rank) {
            write(element);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    #[test]
    fn all_are_visited() {
        let mut bench = Bench::new();
        bench.check(&[
            r#"zscan z 0 => ["0" []]"#,
            r#"zscan z 0 foo => ["0" []]"#,
            "zscan z x => -ERR invalid cursor",
            "zadd z 1 a 3.3 b => :2",
            r#"zscan z 0 => ["0" ["a" "1" "b" "3.3"]]"#,
            r#"zscan z 0 match b* count 1 => ["0" ["b" "3.3"]]"#,
            "zscan z 0 count 0 => -ERR syntax error",
            "zscan z 0 count x => -ERR value is not an integer or out of range",
            "zscan z 0 novalues => -ERR NOVALUES option can only be used in HSCAN",
            "zscan z 0 type zset => -ERR syntax error",
        ]);
        bench.limits.encodings.sorted_set_pack_entries = 0;
        bench.check(&[
            "zadd large 3.3 b => :1",
            r#"zscan large 0 => ["0" ["b" "3.2999999999999998"]]"#,
        ]);
    }

    #[test]
    fn scores_are_long_doubles_to_a_scan() {
        for (value, expected) in [
            (3.0, "3"),
            (0.1, "0.10000000000000001"),
            (1e-5, "1.0000000000000001e-05"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1e20, "1e+20"),
            (-1.5e-300, "-1.5000000000000001e-300"),
            (123.456, "123.456"),
            (-0.0, "-0"),
            (f64::INFINITY, "inf"),
        ] {
            let mut text = Vec::new();
            format_long(value, &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        }
    }

    #[test]
    fn draws_have_the_size_asked_for() {
        let mut bench = Bench::new();
        bench.check(&[
            "zrandmember z => nil",
            "zrandmember z 3 => []",
            "zadd z 1 a => :1",
            r#"zrandmember z => "a""#,
            r#"zrandmember z 3 => ["a"]"#,
            r#"zrandmember z -3 => ["a" "a" "a"]"#,
            "zrandmember z 0 => []",
            r#"zrandmember z 1 withscores => ["a" "1"]"#,
            "zrandmember z x => -ERR value is not an integer or out of range",
            "zrandmember z 1 foo => -ERR syntax error",
            "zrandmember z 1 withscores x => -ERR syntax error",
            "zrandmember z 9223372036854775807 withscores => -ERR value is out of range",
        ]);
        bench.dialect = Dialect::Resp3;
        bench.check(&[r#"zrandmember z -1 withscores => [["a" ,1]]"#]);
    }

    #[test]
    fn samples_are_fair() {
        let mut bench = Bench::new();
        let words: Vec<String> = (0..40).map(|number| format!("0 m{number}")).collect();
        bench.run(&format!("zadd z {}", words.join(" ")));
        for wanted in [3, 10, 20, 39] {
            let mut times = [0_u32; 40];
            for _ in 0..1000 {
                let reply = bench.run(&format!("zrandmember z {wanted}"));
                let drawn: Vec<usize> = reply
                    .trim_matches(['[', ']'])
                    .split(' ')
                    .map(|member| member.trim_matches('"')[1..].parse().unwrap())
                    .collect();
                assert_eq!(drawn.len(), wanted);
                assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), wanted);
                for number in drawn {
                    times[number] += 1;
                }
            }
            let expected = 1000 * u32::try_from(wanted).unwrap() / 40;
            let is_fair = |times: &u32| times.abs_diff(expected) < 30 + expected / 2;
            assert!(times.iter().all(is_fair), "{wanted}: {times:?}");
        }
    }
}
