//! Ranges: ZRANGE with all its options, the older commands that are each one of its forms, and
//! ZRANGESTORE.

use super::bounds::{self, Between};
use super::{Shown, event};
use crate::base::number::parse_int;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Arg, Command, DENY_OOM, Group, Key, at_least, block, double, integer, key, one_of, pure, text,
};
use crate::keyspace::journal::Event;
use crate::keyspace::write::Lifetime;
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;
use crate::structures::listpack::Digits;
use crate::types::sorted_set::{Iter, SortedSet};
use std::iter::Take;

const LIMIT: Arg = block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional();
const WITH_SCORES: Arg = pure("withscores", "WITHSCORES").optional();

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("ZRANGE", at_least(4), Group::SortedSet, Read(zrange))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            text("start"),
            text("stop"),
            one_of("sortby", &[pure("byscore", "BYSCORE"), pure("bylex", "BYLEX")])
                .optional()
                .since("6.2.0"),
            pure("rev", "REV").optional().since("6.2.0"),
            LIMIT.since("6.2.0"),
            WITH_SCORES,
        ])
        .doc("1.2.0", "Lists members by rank, score or bytes, in either direction.", "O(log(N)+M)"),
    Command::new("ZRANGESTORE", at_least(5), Group::SortedSet, Write(zrangestore))
        .keys(&[Key::at(1, &["OW", "update"]), Key::at(2, &["RO", "access"])])
        .flags(DENY_OOM)
        .args(&[
            key("dst"),
            key("src").spec(1),
            text("min"),
            text("max"),
            one_of("sortby", &[pure("byscore", "BYSCORE"), pure("bylex", "BYLEX")]).optional(),
            pure("rev", "REV").optional(),
            LIMIT,
        ])
        .doc(
            "6.2.0",
            "Stores members chosen by rank, score or bytes under another key.",
            "O(log(N)+M)",
        ),
    Command::new("ZREVRANGE", at_least(4), Group::SortedSet, Read(zrevrange))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), integer("start"), integer("stop"), WITH_SCORES])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` argument")
        .doc("1.2.0", "Lists members by rank, highest score first.", "O(log(N)+M)"),
    Command::new("ZRANGEBYSCORE", at_least(4), Group::SortedSet, Read(zrangebyscore))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), double("min"), double("max"), WITH_SCORES.since("2.0.0"), LIMIT])
        .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument")
        .doc("1.0.5", "Lists the members with scores in a range, lowest first.", "O(log(N)+M)"),
    Command::new("ZREVRANGEBYSCORE", at_least(4), Group::SortedSet, Read(zrevrangebyscore))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), double("max"), double("min"), WITH_SCORES, LIMIT])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")
        .doc("2.2.0", "Lists the members with scores in a range, highest first.", "O(log(N)+M)"),
    Command::new("ZRANGEBYLEX", at_least(4), Group::SortedSet, Read(zrangebylex))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), text("min"), text("max"), LIMIT])
        .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument")
        .doc("2.8.9", "Lists the members in a range of bytes, lowest first.", "O(log(N)+M)"),
    Command::new("ZREVRANGEBYLEX", at_least(4), Group::SortedSet, Read(zrevrangebylex))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), text("max"), text("min"), LIMIT])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")
        .doc("2.8.9", "Lists the members in a range of bytes, highest first.", "O(log(N)+M)"),
];

const ZRANGESTORE: Event = event("zrangestore");
const LIMIT_BY_RANK: ReplyError = ReplyError::Fixed(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const SCORES_BY_LEX: ReplyError =
    ReplyError::Fixed("ERR syntax error, WITHSCORES not supported in combination with BYLEX");

/// What the two bounds of a range are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What a command's name leaves open.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// Given by the name, not by an option.
    by: Option<By>,
    towards: Option<End>,
    /// Whether scores may be asked for.
    shows: bool,
}

const OPEN: Form = Form { by: None, towards: None, shows: true };
const STORED: Form = Form { shows: false, ..OPEN };

const fn form(by: By, towards: End) -> Form {
    Form { by: Some(by), towards: Some(towards), shows: true }
}

/// A range as it was asked for.
#[derive(Debug)]
struct Plan<'a> {
    bounds: Bounds<'a>,
    towards: End,
    offset: i64,
    /// Negative: all.
    count: i64,
    shown: Shown,
}

#[derive(Debug)]
enum Bounds<'a> {
    Ranks(i64, i64),
    Between(Between<'a>),
}

impl<'a> Plan<'a> {
    /// Reads bounds and options.
    fn read(args: &mut Args<'a>, form: Form) -> Result<Self, ReplyError> {
        let (first, last) = (args.bytes()?, args.bytes()?);
        let Form { mut by, mut towards, shows } = form;
        let (mut limit, mut shown) = (None, Shown::Members);
        while !args.is_done() {
            if shows && args.accept("WITHSCORES") {
                shown = Shown::Scores;
            } else if args.left() > 2 && args.accept("LIMIT") {
                limit = Some((args.int()?, args.int()?));
            } else if towards.is_none() && args.accept("REV") {
                towards = Some(End::Front);
            } else if by.is_none() && args.accept("BYLEX") {
                by = Some(By::Member);
            } else if by.is_none() && args.accept("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        let (by, towards) = (by.unwrap_or(By::Rank), towards.unwrap_or(End::Back));
        // A count of -1 is as good as no LIMIT, here too.
        if by == By::Rank && limit.is_some_and(|(_, count)| count != -1) {
            return Err(LIMIT_BY_RANK);
        }
        if by == By::Member && shown == Shown::Scores {
            return Err(SCORES_BY_LEX);
        }
        // In reverse the upper bound comes first.
        let (min, max) = if towards == End::Front { (last, first) } else { (first, last) };
        let int = |word| parse_int(word).ok_or(ReplyError::NotInteger);
        let bounds = match by {
            By::Rank => Bounds::Ranks(int(first)?, int(last)?),
            By::Score => Bounds::Between(bounds::scores(min, max)?),
            By::Member => Bounds::Between(bounds::members(min, max)?),
        };
        let (offset, count) = limit.unwrap_or((0, -1));
        Ok(Self { bounds, towards, offset, count, shown })
    }

    /// The elements, and how many.
    fn select<'s>(&self, set: &'s SortedSet) -> (Take<Iter<'s>>, usize) {
        let (from, len) = match self.bounds {
            Bounds::Ranks(first, last) => ranks(first, last, set.len()),
            Bounds::Between((first, last)) => {
                let range = set.ranks_between(first, last);
                let skipped = self.skipped(range.len(), set);
                let left = range.len() - skipped;
                let count = usize::try_from(self.count).unwrap_or(left).min(left);
                let from = match self.towards {
                    End::Back => range.start,
                    End::Front => set.len() - range.end,
                };
                (from + skipped, count)
            }
        };
        if len == 0 {
            return (set.iter_from(set.len(), End::Back).take(0), 0);
        }
        let rank = match self.towards {
            End::Back => from,
            End::Front => set.len() - 1 - from,
        };
        (set.iter_from(rank, self.towards).take(len), len)
    }

    /// How many elements of a range come before the first that is wanted.
    fn skipped(&self, len: usize, set: &SortedSet) -> usize {
        match usize::try_from(self.offset) {
            Ok(offset) => offset.min(len),
            // Redis 8 counts from the other end then, but of a listpack it wants nothing.
            Err(_) if set.as_pack().is_some() => len,
            Err(_) => {
                let from_end = usize::try_from(self.offset.unsigned_abs()).unwrap_or(usize::MAX);
                len.checked_sub(from_end).unwrap_or(len)
            }
        }
    }
}

/// First rank, counted in the direction of the walk, and number of elements.
pub(super) fn ranks(first: i64, last: i64, len: usize) -> (usize, usize) {
    let signed = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |rank: i64| if rank < 0 { rank.saturating_add(signed) } else { rank };
    let (first, last) = (from_end(first).max(0), from_end(last).min(signed - 1));
    if first > last {
        return (0, 0);
    }
    let index = |rank| usize::try_from(rank).unwrap_or(0);
    (index(first), index(last - first + 1))
}

fn range(cx: &mut ReadCx<'_>, form: Form) -> CmdResult {
    let key = cx.args.bytes()?;
    let plan = Plan::read(&mut cx.args, form)?;

    let Some(set) = super::living(&cx.keys, key)? else {
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };
    let (elements, len) = plan.select(&set);
    if cx.is_long(len) {
        return Ok(Flow::Away(None));
    }
    super::open_list(&mut cx.reply, len, plan.shown);
    for element in elements {
        super::write(&mut cx.reply, element, plan.shown);
    }
    Ok(Flow::Replied)
}

fn zrange(cx: &mut ReadCx<'_>) -> CmdResult {
    range(cx, OPEN)
}

fn zrevrange(cx: &mut ReadCx<'_>) -> CmdResult {
    range(cx, form(By::Rank, End::Front))
}

fn zrangebyscore(cx: &mut ReadCx<'_>) -> CmdResult {
    range(cx, form(By::Score, End::Back))
}

fn zrevrangebyscore(cx: &mut ReadCx<'_>) -> CmdResult {
    range(cx, form(By::Score, End::Front))
}

fn zrangebylex(cx: &mut ReadCx<'_>) -> CmdResult {
    range(cx, form(By::Member, End::Back))
}

fn zrevrangebylex(cx: &mut ReadCx<'_>) -> CmdResult {
    range(cx, form(By::Member, End::Front))
}

fn zrangestore(cx: &mut WriteCx<'_>) -> CmdResult {
    let (target, source) = (cx.args.bytes()?, cx.args.bytes()?);
    let plan = Plan::read(&mut cx.args, STORED)?;
    let limits = super::pack_limits(cx.limits);

    let chosen = cx.keys.derive(|keys, epochs| {
        let mut chosen = SortedSet::default();
        if let Some(set) = super::living(&keys, source)? {
            let mut digits = Digits::default();
            let (elements, len) = plan.select(&set);
            if let Bounds::Ranks(..) = plan.bounds {
                chosen.prepare(len, 0, limits, epochs);
            }
            for element in elements {
                let member = element.member.as_text(&mut digits);
                chosen.insert(member, element.score, limits, epochs);
            }
        }
        Ok::<_, ReplyError>(chosen)
    })?;

    let len = chosen.len();
    cx.keys.put(target, chosen, Lifetime::Forever, ZRANGESTORE);
    cx.reply.count(len);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    const MEMBERS: &str = "zadd z 1 a 2 b 3 c 4 d => :4";

    #[test]
    fn ranges_are_by_rank() {
        let mut bench = Bench::new();
        bench.check(&[
            "zrange z 0 -1 => []",
            MEMBERS,
            r#"zrange z 0 -1 => ["a" "b" "c" "d"]"#,
            r#"zrange z 1 2 => ["b" "c"]"#,
            r#"zrange z -2 100 => ["c" "d"]"#,
            "zrange z 3 2 => []",
            "zrange z 4 9 => []",
            r#"zrange z 0 1 rev withscores => ["d" "4" "c" "3"]"#,
            r#"zrevrange z -2 -1 => ["b" "a"]"#,
            "zrange z 0 -1 limit 0 1 => -ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            "zrange z a b => -ERR value is not an integer or out of range",
            "zrange z 0 1 byscore bylex => -ERR syntax error",
            "zrange z 0 -1 limit 0 => -ERR syntax error",
            "zrevrange z 0 -1 rev => -ERR syntax error",
            "zrange z 0 -1 rev rev => -ERR syntax error",
            "set s v => +OK",
            "zrange s 0 -1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
        bench.dialect = Dialect::Resp3;
        bench.check(&[r#"zrange z 0 1 withscores => [["a" ,1] ["b" ,2]]"#]);
    }

    #[test]
    fn ranges_are_by_score() {
        Bench::new().check(&[
            MEMBERS,
            r#"zrange z 2 3 byscore => ["b" "c"]"#,
            r#"zrange z (2 +inf byscore withscores => ["c" "3" "d" "4"]"#,
            r#"zrange z 3 (1 byscore rev => ["c" "b"]"#,
            r#"zrangebyscore z -inf +inf limit 1 2 => ["b" "c"]"#,
            r#"zrangebyscore z -inf +inf limit 1 -1 => ["b" "c" "d"]"#,
            "zrangebyscore z -inf +inf limit 9 1 => []",
            "zrangebyscore z -inf +inf limit -1 2 => []",
            "zrangebyscore z -inf +inf limit 0 0 => []",
            r#"zrevrangebyscore z 4 2 limit 1 1 withscores => ["c" "3"]"#,
            "zrangebyscore z 3 2 => []",
            "zrangebyscore z x 2 => -ERR min or max is not a float",
            "zrangebyscore z 1 2 limit x 1 => -ERR value is not an integer or out of range",
        ]);
    }

    #[test]
    fn a_negative_offset_counts_from_the_other_end_of_a_large_one() {
        let mut bench = Bench::new();
        bench.limits.encodings.sorted_set_pack_entries = 0;
        bench.check(&[
            MEMBERS,
            r#"zrangebyscore z -inf +inf limit -1 2 => ["d"]"#,
            r#"zrangebyscore z -inf 3 limit -2 2 => ["b" "c"]"#,
            r#"zrevrangebyscore z +inf -inf limit -1 2 => ["a"]"#,
            "zrangebyscore z -inf +inf limit -5 2 => []",
        ]);
    }

    #[test]
    fn ranges_are_by_bytes() {
        Bench::new().check(&[
            "zadd z 0 alpha 0 bar 0 cool 0 down => :4",
            r#"zrangebylex z - [cool => ["alpha" "bar" "cool"]"#,
            r#"zrange z (bar + bylex => ["cool" "down"]"#,
            r#"zrange z + (bar bylex rev limit 1 5 => ["cool"]"#,
            r#"zrevrangebylex z [cool - limit 0 2 => ["cool" "bar"]"#,
            "zrangebylex z + - => []",
            "zrangebylex z [x (c => []",
            "zrangebylex z bar + => -ERR min or max not valid string range item",
            "zrange z - + bylex withscores => -ERR syntax error, WITHSCORES not supported in combination with BYLEX",
        ]);
    }

    #[test]
    fn ranges_are_stored() {
        Bench::new().check(&[
            MEMBERS,
            "set t v EX 100 => +OK",
            "zrangestore t z 1 2 => :2",
            r#"zrange t 0 -1 withscores => ["b" "2" "c" "3"]"#,
            "ttl t => :-1",
            "zrangestore t z (2 +inf byscore limit 1 1 => :1",
            r#"zrange t 0 -1 => ["d"]"#,
            "zrangestore z z 0 0 => :1",
            "zrangestore t z 5 6 => :0",
            "exists t => :0",
            "zrangestore t none 0 -1 => :0",
            "zrangestore t z 0 -1 withscores => -ERR syntax error",
            "set s v => +OK",
            "zrangestore t s 0 -1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }
}
