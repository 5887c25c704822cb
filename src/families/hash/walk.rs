//! Walking over fields: HSCAN, HRANDFIELD.

use std::collections::BTreeSet;

use crate::base::glob::{self, Case};
use crate::base::number::{parse_int, parse_uint_loose};
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, Group, Key, at_least, block, integer, key, pattern, pure};
use crate::protocol::error::ReplyError;
use crate::structures::listpack::Digits;
use crate::types::hash::{Field, Hash};

use super::{write, write_name};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("HRANDFIELD", at_least(2), Group::Hash, Read(hrandfield))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            block("options", &[integer("count"), pure("withvalues", "WITHVALUES").optional()])
                .optional(),
        ])
        .tips(&["nondeterministic_output"])
        .doc("6.2.0", "Gives fields of a hash drawn at random.", "O(N)"),
    Command::new("HSCAN", at_least(3), Group::Hash, Read(hscan))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
            pure("novalues", "NOVALUES").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .doc(
            "2.8.0",
            "Lists some fields and a cursor for asking on.",
            "O(1) per call, O(N) in all",
        ),
];

/// Fields that HSCAN visits when not told how many.
const SCAN_COUNT: i64 = 10;
/// A draw of more fields than one in so many copies all of them first.
const FEW: usize = 3;
/// Most draws with repetition: 2^31 are gigabytes of reply already.
const DRAWS_MAX: u64 = 1 << 31;

const COUNT_RANGE: ReplyError = ReplyError::Fixed(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

/// What HSCAN is to show.
struct Wanted<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    values: bool,
}

impl<'a> Wanted<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let (mut pattern, mut count, mut values) = (None, SCAN_COUNT, true);
        while !args.is_done() {
            if args.left() >= 2 && args.accept("COUNT") {
                count = args.int()?;
                if count < 1 {
                    return Err(ReplyError::Syntax);
                }
            } else if args.left() >= 2 && args.accept("MATCH") {
                pattern = Some(args.bytes()?).filter(|pattern| *pattern != b"*");
            } else if args.accept("NOVALUES") {
                values = false;
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(Self { pattern, count: usize::try_from(count).unwrap_or(usize::MAX), values })
    }

    fn admits(&self, field: &Field<'_>) -> bool {
        self.pattern.is_none_or(|pattern| {
            let mut digits = Digits::default();
            glob::matches(pattern, field.name.as_text(&mut digits), Case::Sensitive)
        })
    }
}

fn hscan(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let cursor = parse_uint_loose(cx.args.bytes()?).ok_or(ReplyError::InvalidCursor)?;
    let Some(hash) = cx.keys.get::<Hash>(key)? else {
        // Clients see an empty page before they see a bad option.
        cx.reply.array(2);
        cx.reply.bulk(b"0");
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };
    let wanted = Wanted::read(&mut cx.args)?;
    if cx.is_long(wanted.count.min(hash.len())) {
        return Ok(Flow::Away(None));
    }

    let (now, mut found) = (cx.keys.horizon(), Vec::new());
    let next = hash.scan(cursor, wanted.count, &mut |field| {
        if !field.is_over(now) && wanted.admits(&field) {
            found.push(field);
        }
    });

    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    cx.reply.array(found.len() * if wanted.values { 2 } else { 1 });
    for field in found {
        write_name(&mut cx.reply, field.name);
        if wanted.values {
            write(&mut cx.reply, field.value);
        }
    }
    Ok(Flow::Replied)
}

fn hrandfield(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    if cx.args.is_done() {
        let now = cx.keys.horizon();
        let hash = cx.keys.get::<Hash>(key)?;
        match hash.as_deref().and_then(|hash| hash.random(now, cx.rng)) {
            Some(field) => write_name(&mut cx.reply, field.name),
            None => cx.reply.null(),
        }
        return Ok(Flow::Replied);
    }
    let (count, values) = read_count(&mut cx.args)?;
    let Some(hash) = cx.keys.get::<Hash>(key)? else {
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };
    if cx.is_long(effort(&hash, count)) {
        return Ok(Flow::Away(None));
    }
    if count < 0 {
        draw_again(cx, &hash, count, values)
    } else {
        draw_distinct(cx, &hash, count, values)
    }
}

/// How many fields are looked at for `count` of them.
fn effort(hash: &Hash, count: i64) -> usize {
    let drawn = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    // Beyond the limit it is refused, which takes no time.
    match count {
        ..0 if count.unsigned_abs() > DRAWS_MAX => 0,
        ..0 => drawn,
        _ if drawn > hash.len() / FEW => hash.len(),
        _ => drawn,
    }
}

fn read_count(args: &mut Args<'_>) -> Result<(i64, bool), ReplyError> {
    let count = parse_int(args.bytes()?).ok_or(ReplyError::NotInteger)?;
    if count == i64::MIN {
        return Err(COUNT_RANGE);
    }
    let values = args.accept("WITHVALUES");
    args.finish()?;
    // Twice as many words must be countable.
    if values && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(ReplyError::OutOfRange);
    }
    Ok((count, values))
}

/// Replies with as many fields as were asked for, the same ones again and again.
fn draw_again(cx: &mut ReadCx<'_>, hash: &Hash, count: i64, values: bool) -> CmdResult {
    let now = cx.keys.horizon();
    if hash.live_len(now) == 0 {
        cx.reply.array(0);
        return Ok(Flow::Replied);
    }
    let draws = count.unsigned_abs();
    if draws > DRAWS_MAX {
        return Err(ReplyError::OutOfRange);
    }
    write_head(cx, usize::try_from(draws).unwrap_or(usize::MAX), values);
    for _ in 0..draws {
        if let Some(field) = hash.random(now, cx.rng) {
            write_field(cx, field, values);
        }
    }
    Ok(Flow::Replied)
}

/// Replies with different fields: as many as were asked for, or all.
fn draw_distinct(cx: &mut ReadCx<'_>, hash: &Hash, count: i64, values: bool) -> CmdResult {
    let now = cx.keys.horizon();
    let live = hash.live_len(now);
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(live);
    write_head(cx, count, values);
    if count == live {
        hash.live(now).for_each(|field| write_field(cx, field, values));
    } else if hash.pack().is_some() || count > live / FEW {
        let mut fields: Vec<Field<'_>> = hash.live(now).collect();
        for drawn in 0..count {
            let at = cx.rng.usize(drawn..fields.len());
            fields.swap(drawn, at);
            write_field(cx, fields[drawn], values);
        }
    } else {
        let mut drawn = BTreeSet::new();
        while drawn.len() < count {
            if let Some(field) = hash.random(now, cx.rng)
                && drawn.insert(field.name_to_vec())
            {
                write_field(cx, field, values);
            }
        }
    }
    Ok(Flow::Replied)
}

/// Head of an array of fields; with values, each is a pair in RESP3, two words in RESP2.
fn write_head(cx: &mut ReadCx<'_>, fields: usize, values: bool) {
    let is_flat = values && !cx.reply.is_resp3();
    cx.reply.array(if is_flat { fields.saturating_mul(2) } else { fields });
}

fn write_field(cx: &mut ReadCx<'_>, field: Field<'_>, values: bool) {
    if values && cx.reply.is_resp3() {
        cx.reply.array(2);
    }
    write_name(&mut cx.reply, field.name);
    if values {
        write(&mut cx.reply, field.value);
    }
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use std::collections::BTreeSet;

    fn words(reply: &str) -> Vec<String> {
        reply.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn counts_are_read_as_by_redis() {
        Bench::new().check(&[
            "hrandfield h => nil",
            "hrandfield h 5 => []",
            "hrandfield h x => -ERR value is not an integer or out of range",
            "hrandfield h 0 foo => -ERR syntax error",
            "hset h a 1 => :1",
            "hrandfield h 0 => []",
            r#"hrandfield h => "a""#,
            r#"hrandfield h 5 => ["a"]"#,
            r#"hrandfield h -2 withvalues => ["a" "1" "a" "1"]"#,
            "hrandfield h 5 foo => -ERR syntax error",
            "hrandfield h 5 withvalues foo => -ERR syntax error",
            "hrandfield h -9223372036854775808 => -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            "hrandfield h -9223372036854775807 withvalues => -ERR value is out of range",
            "hrandfield h 9223372036854775807 withvalues => -ERR value is out of range",
            "hrandfield h -9223372036854775807 => -ERR value is out of range",
            r#"hrandfield h 9223372036854775807 => ["a"]"#,
        ]);
    }

    #[test]
    fn draws_are_fair_and_distinct() {
        for entries in [512, 0] {
            let mut bench = Bench::new();
            bench.limits.encodings.hash_pack_entries = entries;
            for number in 0..60 {
                bench.run(&format!("hset h f{number} {number}"));
            }
            let mut seen = BTreeSet::new();
            for count in [5, 30, 60, 99] {
                for _ in 0..20 {
                    let drawn = words(&bench.run(&format!("hrandfield h {count}")));
                    let distinct: BTreeSet<_> = drawn.iter().cloned().collect();
                    assert_eq!((drawn.len(), distinct.len()), (count.min(60), count.min(60)));
                    seen.extend(distinct);
                }
            }
            assert_eq!(seen.len(), 60);
            let drawn = words(&bench.run("hrandfield h -600"));
            let distinct: BTreeSet<_> = drawn.iter().collect();
            assert!(drawn.len() == 600 && distinct.len() > 50);
        }
    }

    #[test]
    fn scans_read_their_options() {
        Bench::new().check(&[
            "hscan h x => -ERR invalid cursor",
            r#"hscan h 0 => ["0" []]"#,
            r#"hscan h 0 foo => ["0" []]"#,
            "hset h a 1 b 2 33 3 => :3",
            r#"hscan h 0 novalues => ["0" ["a" "b" "33"]]"#,
            r#"hscan h 0 match [ab] count 1 => ["0" ["a" "1" "b" "2"]]"#,
            r#"hscan h 0 match 3* novalues => ["0" ["33"]]"#,
            "hscan h 0 foo => -ERR syntax error",
            "hscan h 0 count 0 => -ERR syntax error",
            "hscan h 0 count x => -ERR value is not an integer or out of range",
            "hscan h 0 match => -ERR syntax error",
            "hscan h 0 type hash => -ERR syntax error",
            "set str x => +OK",
            "hscan str 0 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn a_whole_walk_meets_every_field() {
        let mut bench = Bench::new();
        for number in 0..2000 {
            bench.run(&format!("hset h f{number} {number}"));
        }
        let (mut cursor, mut found, mut pages) = ("0".to_owned(), BTreeSet::new(), 0);
        loop {
            let page = words(&bench.run(&format!("hscan h {cursor} count 20 novalues")));
            found.extend(page[1..].iter().cloned());
            pages += 1;
            cursor.clone_from(&page[0]);
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found.len(), 2000);
        assert!((50..=110).contains(&pages), "{pages}");
    }
}
