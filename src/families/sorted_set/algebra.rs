//! Several sorted sets at once: ZUNION, ZINTER, ZDIFF, the forms that store, ZINTERCARD. Sets take
//! part as if all scores were 1.

use super::{Shown, event};
use crate::base::number::{parse_double, parse_int};
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Arg, Command, DENY_OOM, Group, Key, MOVABLE_KEYS, at_least, integer, key, one_of, pure,
};
use crate::keyspace::packed::Opened;
use crate::keyspace::read::Reader;
use crate::keyspace::value::Kind;
use crate::keyspace::write::Lifetime;
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;
use crate::structures::listpack::Item;
use crate::types::set::Set;
use crate::types::sorted_set::{Scored, SortedSet};
use std::borrow::Cow;
use std::collections::BTreeMap;

const WITH_SCORES: Arg = pure("withscores", "WITHSCORES").optional();
const WEIGHTS: Arg = integer("weight").token("WEIGHTS").optional().repeated();
const AGGREGATE: Arg = one_of(
    "aggregate",
    &[
        pure("sum", "SUM"),
        pure("min", "MIN"),
        pure("max", "MAX"),
        pure("count", "COUNT").since("8.8.0"),
    ],
)
.token("AGGREGATE")
.optional();

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("ZUNION", at_least(3), Group::SortedSet, Read(zunion))
        .keys(&[Key::at(1, &["RO", "access"]).counted(0, 1, 1)])
        .flags(MOVABLE_KEYS)
        .args(&[integer("numkeys"), key("key").repeated(), WEIGHTS, AGGREGATE, WITH_SCORES])
        .doc("6.2.0", "Lists the members of any of several sorted sets.", "O(N)"),
    Command::new("ZINTER", at_least(3), Group::SortedSet, Read(zinter))
        .keys(&[Key::at(1, &["RO", "access"]).counted(0, 1, 1)])
        .flags(MOVABLE_KEYS)
        .args(&[integer("numkeys"), key("key").repeated(), WEIGHTS, AGGREGATE, WITH_SCORES])
        .doc("6.2.0", "Lists the members that several sorted sets have in common.", "O(N*K)"),
    Command::new("ZDIFF", at_least(3), Group::SortedSet, Read(zdiff))
        .keys(&[Key::at(1, &["RO", "access"]).counted(0, 1, 1)])
        .flags(MOVABLE_KEYS)
        .args(&[integer("numkeys"), key("key").repeated(), WITH_SCORES])
        .doc("6.2.0", "Lists the members of a sorted set that no other has.", "O(L + (N-K)log(N))"),
    Command::new("ZUNIONSTORE", at_least(4), Group::SortedSet, Write(zunionstore))
        .keys(&[Key::at(1, &["OW", "update"]), Key::at(2, &["RO", "access"]).counted(0, 1, 1)])
        .flags(DENY_OOM.and(MOVABLE_KEYS))
        .args(&[
            key("destination"),
            integer("numkeys"),
            key("key").spec(1).repeated(),
            WEIGHTS,
            AGGREGATE,
        ])
        .doc("2.0.0", "Stores the members of any of several sorted sets.", "O(N)"),
    Command::new("ZINTERSTORE", at_least(4), Group::SortedSet, Write(zinterstore))
        .keys(&[Key::at(1, &["OW", "update"]), Key::at(2, &["RO", "access"]).counted(0, 1, 1)])
        .flags(DENY_OOM.and(MOVABLE_KEYS))
        .args(&[
            key("destination"),
            integer("numkeys"),
            key("key").spec(1).repeated(),
            WEIGHTS,
            AGGREGATE,
        ])
        .doc("2.0.0", "Stores the members that several sorted sets have in common.", "O(N*K)"),
    Command::new("ZDIFFSTORE", at_least(4), Group::SortedSet, Write(zdiffstore))
        .keys(&[Key::at(1, &["OW", "update"]), Key::at(2, &["RO", "access"]).counted(0, 1, 1)])
        .flags(DENY_OOM.and(MOVABLE_KEYS))
        .args(&[key("destination"), integer("numkeys"), key("key").spec(1).repeated()])
        .doc(
            "6.2.0",
            "Stores the members of a sorted set that no other has.",
            "O(L + (N-K)log(N))",
        ),
    Command::new("ZINTERCARD", at_least(3), Group::SortedSet, Read(zintercard))
        .keys(&[Key::at(1, &["RO", "access"]).counted(0, 1, 1)])
        .flags(MOVABLE_KEYS)
        .args(&[
            integer("numkeys"),
            key("key").repeated(),
            integer("limit").token("LIMIT").optional(),
        ])
        .doc("7.0.0", "Counts the members that several sorted sets have in common.", "O(N*K)"),
];

const WEIGHT: ReplyError = ReplyError::Fixed("ERR weight value is not a float");
const LIMIT: ReplyError = ReplyError::Fixed("ERR LIMIT can't be negative");

/// The score of what has none.
const PLAIN_SCORE: f64 = 1.0;

/// What is wanted of several sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What options a command takes besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// `WITHSCORES`.
    Listed,
    Stored,
    /// `LIMIT`.
    Counted,
}

/// How several scores of one member become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Aggregate {
    #[default]
    Sum,
    Min,
    Max,
    /// The sum of the weights of those that have it.
    Count,
}

impl Aggregate {
    /// What a score is worth before it is joined with others.
    fn weigh(self, weight: f64, score: f64) -> f64 {
        let weighed = if self == Self::Count { weight } else { weight * score };
        if weighed.is_nan() { 0.0 } else { weighed }
    }

    fn join(self, one: f64, other: f64) -> f64 {
        match self {
            // Infinities of both signs make nothing.
            Self::Sum | Self::Count if (one + other).is_nan() => 0.0,
            Self::Sum | Self::Count => one + other,
            Self::Min => one.min(other),
            Self::Max => one.max(other),
        }
    }
}

/// One of the sets.
#[derive(Debug)]
enum Input<'a> {
    Absent,
    /// And the moment at which it is read.
    Sorted(Opened<'a, SortedSet>, UnixMillis),
    /// The same.
    Plain(Opened<'a, Set>, UnixMillis),
}

impl<'a> Input<'a> {
    fn of(keys: &Reader<'a>, key: &[u8]) -> Result<Self, ReplyError> {
        let Some(value) = keys.value(key) else { return Ok(Self::Absent) };
        let now = keys.horizon();
        Ok(match value.kind() {
            Kind::Set => Self::Plain(value.collection()?, now),
            _ => Self::Sorted(value.collection()?, now),
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Sorted(set, now) => set.live_len(*now),
            Self::Plain(set, now) => set.live(*now).len(),
        }
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Absent => None,
            Self::Sorted(set, now) => set.live_score(member, *now),
            Self::Plain(set, now) => set.live(*now).contains(member).then_some(PLAIN_SCORE),
        }
    }

    fn elements(&self) -> Box<dyn Iterator<Item = (Cow<'_, [u8]>, f64)> + '_> {
        match self {
            Self::Absent => Box::new(std::iter::empty()),
            Self::Sorted(set, now) => {
                let elements = set.live_iter(End::Back, *now);
                Box::new(elements.map(|element| (text(element.member), element.score)))
            }
            Self::Plain(set, now) => {
                Box::new(set.live(*now).iter().map(|member| (text(member), PLAIN_SCORE)))
            }
        }
    }
}

fn text(member: Item<'_>) -> Cow<'_, [u8]> {
    match member {
        Item::Bytes(bytes) => Cow::Borrowed(bytes),
        Item::Int(_) => Cow::Owned(member.to_vec()),
    }
}

/// Members with their scores, in no order.
type Combined<'a> = Vec<(Cow<'a, [u8]>, f64)>;

/// A combination as it was asked for.
#[derive(Debug)]
struct Plan<'a> {
    operation: Operation,
    /// Smallest first, but for a difference.
    inputs: Vec<(Input<'a>, f64)>,
    aggregate: Aggregate,
    shown: Shown,
    /// `LIMIT`; 0 is none.
    limit: usize,
}

impl<'a> Plan<'a> {
    /// Reads `numkeys key [key ...]` and options. Keys of other types are refused before options.
    fn read(
        args: &mut Args<'_>,
        keys: &Reader<'a>,
        name: &str,
        operation: Operation,
        outcome: Outcome,
    ) -> Result<Self, ReplyError> {
        let count = args.int()?;
        let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
            let text = format!("ERR at least 1 input key is needed for '{name}' command");
            ReplyError::Text(text.into())
        })?;
        if count > args.left() {
            return Err(ReplyError::Syntax);
        }
        let mut inputs = Vec::new();
        for _ in 0..count {
            inputs.push((Input::of(keys, args.bytes()?)?, 1.0));
        }
        let mut plan =
            Self { operation, inputs, aggregate: Aggregate::Sum, shown: Shown::Members, limit: 0 };
        let weighs = operation != Operation::Difference && outcome != Outcome::Counted;
        while !args.is_done() {
            if weighs && args.left() > count && args.accept("WEIGHTS") {
                for (_, weight) in &mut plan.inputs {
                    *weight = parse_double(args.bytes()?).ok_or(WEIGHT)?;
                }
            } else if weighs && args.left() > 1 && args.accept("AGGREGATE") {
                plan.aggregate = aggregate(args)?;
            } else if outcome == Outcome::Listed && args.accept("WITHSCORES") {
                plan.shown = Shown::Scores;
            } else if outcome == Outcome::Counted && args.left() > 1 && args.accept("LIMIT") {
                let limit = parse_int(args.bytes()?).and_then(|limit| usize::try_from(limit).ok());
                plan.limit = limit.ok_or(LIMIT)?;
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        if operation != Operation::Difference {
            // Sums of doubles depend on their order.
            plan.inputs.sort_by_key(|(input, _)| input.len());
        }
        Ok(plan)
    }

    /// Elements that are looked at, about.
    fn effort(&self) -> usize {
        let lens = self.inputs.iter().map(|(input, _)| input.len());
        match self.operation {
            Operation::Union => lens.sum(),
            Operation::Intersection | Operation::Difference => {
                lens.take(1).sum::<usize>().saturating_mul(self.inputs.len())
            }
        }
    }

    fn run(&self) -> Combined<'_> {
        match self.operation {
            Operation::Union => self.union(),
            Operation::Intersection => self.intersection().collect(),
            Operation::Difference => self.difference(),
        }
    }

    fn union(&self) -> Combined<'_> {
        if let [(input, weight)] = &self.inputs[..] {
            let weighed = |score| self.aggregate.weigh(*weight, score);
            return input.elements().map(|(member, score)| (member, weighed(score))).collect();
        }
        let mut all: BTreeMap<Cow<'_, [u8]>, f64> = BTreeMap::new();
        for (input, weight) in &self.inputs {
            for (member, score) in input.elements() {
                let score = self.aggregate.weigh(*weight, score);
                let joined = all.entry(member);
                joined.and_modify(|own| *own = self.aggregate.join(*own, score)).or_insert(score);
            }
        }
        all.into_iter().collect()
    }

    fn intersection(&self) -> impl Iterator<Item = (Cow<'_, [u8]>, f64)> {
        const NONE: &(Input<'_>, f64) = &(Input::Absent, 1.0);
        let first = self.inputs.first().unwrap_or(NONE);
        let others = self.inputs.get(1..).unwrap_or_default();
        first.0.elements().filter_map(move |(member, score)| {
            let mut joined = self.aggregate.weigh(first.1, score);
            for (input, weight) in others {
                let score = self.aggregate.weigh(*weight, input.score(&member)?);
                joined = self.aggregate.join(joined, score);
            }
            Some((member, joined))
        })
    }

    fn difference(&self) -> Combined<'_> {
        let Some(((first, _), others)) = self.inputs.split_first() else { return Vec::new() };
        let is_left = |member: &[u8]| others.iter().all(|(input, _)| input.score(member).is_none());
        first.elements().filter(|(member, _)| is_left(member)).collect()
    }
}

fn aggregate(args: &mut Args<'_>) -> Result<Aggregate, ReplyError> {
    let names = [
        ("SUM", Aggregate::Sum),
        ("MIN", Aggregate::Min),
        ("MAX", Aggregate::Max),
        ("COUNT", Aggregate::Count),
    ];
    let found = names.into_iter().find(|(name, _)| args.accept(name));
    found.map(|(_, aggregate)| aggregate).ok_or(ReplyError::Syntax)
}

fn list(cx: &mut ReadCx<'_>, name: &str, operation: Operation) -> CmdResult {
    let plan = Plan::read(&mut cx.args, &cx.keys, name, operation, Outcome::Listed)?;
    if cx.is_long(plan.effort()) {
        return Ok(Flow::Away(None));
    }

    let mut found = plan.run();
    found.sort_unstable_by(|one, other| {
        // Zeros of both signs are equal to each other.
        let by_score = one.1.partial_cmp(&other.1).unwrap_or(std::cmp::Ordering::Equal);
        by_score.then_with(|| one.0.cmp(&other.0))
    });
    super::open_list(&mut cx.reply, found.len(), plan.shown);
    for (member, score) in &found {
        let element = Scored { member: Item::Bytes(member), score: *score };
        super::write(&mut cx.reply, element, plan.shown);
    }
    Ok(Flow::Replied)
}

fn zunion(cx: &mut ReadCx<'_>) -> CmdResult {
    list(cx, "zunion", Operation::Union)
}

fn zinter(cx: &mut ReadCx<'_>) -> CmdResult {
    list(cx, "zinter", Operation::Intersection)
}

fn zdiff(cx: &mut ReadCx<'_>) -> CmdResult {
    list(cx, "zdiff", Operation::Difference)
}

fn store(cx: &mut WriteCx<'_>, name: &'static str, operation: Operation) -> CmdResult {
    let target = cx.args.bytes()?;
    let limits = super::pack_limits(cx.limits);
    let args = &mut cx.args;

    let stored = cx.keys.derive(|keys, epochs| {
        let plan = Plan::read(args, &keys, name, operation, Outcome::Stored)?;
        let found = plan.run();
        let mut stored = SortedSet::default();
        let longest = found.iter().map(|(member, _)| member.len()).max().unwrap_or(0);
        stored.prepare(found.len(), longest, limits, epochs);
        for (member, score) in &found {
            stored.insert(member, *score, limits, epochs);
        }
        Ok::<_, ReplyError>(stored)
    })?;

    let len = stored.len();
    cx.keys.put(target, stored, Lifetime::Forever, event(name));
    cx.reply.count(len);
    Ok(Flow::Replied)
}

fn zunionstore(cx: &mut WriteCx<'_>) -> CmdResult {
    store(cx, "zunionstore", Operation::Union)
}

fn zinterstore(cx: &mut WriteCx<'_>) -> CmdResult {
    store(cx, "zinterstore", Operation::Intersection)
}

fn zdiffstore(cx: &mut WriteCx<'_>) -> CmdResult {
    store(cx, "zdiffstore", Operation::Difference)
}

fn zintercard(cx: &mut ReadCx<'_>) -> CmdResult {
    let operation = Operation::Intersection;
    let plan = Plan::read(&mut cx.args, &cx.keys, "zintercard", operation, Outcome::Counted)?;
    if cx.is_long(plan.effort()) {
        return Ok(Flow::Away(None));
    }

    let limit = if plan.limit == 0 { usize::MAX } else { plan.limit };
    let count = plan.intersection().take(limit).count();
    cx.reply.count(count);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    const TWO: &[&str] = &["zadd a 1 x 2 y 3 z => :3", "zadd b 10 y 20 z 30 w => :3"];

    #[test]
    fn sets_are_combined() {
        let mut bench = Bench::new();
        bench.check(TWO);
        bench.check(&[
            r#"zunion 2 a b withscores => ["x" "1" "y" "12" "z" "23" "w" "30"]"#,
            r#"zinter 2 a b withscores => ["y" "12" "z" "23"]"#,
            r#"zdiff 2 a b withscores => ["x" "1"]"#,
            r#"zdiff 1 a => ["x" "y" "z"]"#,
            "zinter 2 a none => []",
            r#"zunion 2 a none => ["x" "y" "z"]"#,
            r#"zunion 2 a b weights 2 -1 withscores => ["w" "-30" "z" "-14" "y" "-6" "x" "2"]"#,
            r#"zinter 2 a b aggregate min withscores => ["y" "2" "z" "3"]"#,
            r#"zinter 2 a b aggregate max withscores => ["y" "10" "z" "20"]"#,
            r#"zunion 2 a b weights 2 3 aggregate count withscores => ["x" "2" "w" "3" "y" "5" "z" "5"]"#,
            "zintercard 2 a b => :2",
            "zintercard 2 a b limit 1 => :1",
            "zintercard 2 a b limit 0 => :2",
            r#"zinter 2 a a withscores => ["x" "2" "y" "4" "z" "6"]"#,
        ]);
        bench.dialect = Dialect::Resp3;
        bench.check(&[r#"zdiff 2 a b withscores => [["x" ,1]]"#, r#"zdiff 2 a b => ["x"]"#]);
    }

    #[test]
    fn infinities_make_no_nan() {
        Bench::new().check(&[
            "zadd a inf x => :1",
            "zadd b -inf x => :1",
            r#"zunion 2 a b withscores => ["x" "0"]"#,
            r#"zunion 1 a weights 0 withscores => ["x" "0"]"#,
            r#"zinter 2 a a withscores => ["x" "inf"]"#,
        ]);
    }

    #[test]
    fn combinations_are_stored() {
        let mut bench = Bench::new();
        bench.check(TWO);
        bench.check(&[
            "set t v EX 100 => +OK",
            "zunionstore t 2 a b => :4",
            "ttl t => :-1",
            r#"zrange t 0 -1 withscores => ["x" "1" "y" "12" "z" "23" "w" "30"]"#,
            "zinterstore t 2 a t => :3",
            r#"zrange t 0 -1 withscores => ["x" "2" "y" "14" "z" "26"]"#,
            "zdiffstore t 2 a b => :1",
            "zinterstore t 2 a none => :0",
            "exists t => :0",
        ]);
    }

    #[test]
    fn refusals_come_in_order() {
        Bench::new().check(&[
            "zadd z 1 a => :1",
            "zunion 0 z => -ERR at least 1 input key is needed for 'zunion' command",
            "zunion x z => -ERR value is not an integer or out of range",
            "zunion 2 z => -ERR syntax error",
            "zunion 1 z foo => -ERR syntax error",
            "zunion 1 z weights => -ERR syntax error",
            "zunion 1 z weights x => -ERR weight value is not a float",
            "zunion 1 z aggregate foo => -ERR syntax error",
            "zunion 1 z aggregate => -ERR syntax error",
            "zunionstore d 1 z withscores => -ERR syntax error",
            "zdiff 1 z weights 1 => -ERR syntax error",
            "zintercard 1 z withscores => -ERR syntax error",
            "zintercard 1 z limit -1 => -ERR LIMIT can't be negative",
            "zintercard 0 z => -ERR at least 1 input key is needed for 'zintercard' command",
            "set s v => +OK",
            "zunion 2 z s foo => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }
}
