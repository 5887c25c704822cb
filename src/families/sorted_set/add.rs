//! Adding and removing members: ZADD, ZINCRBY, ZREM.

use crate::base::number::parse_double;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, FAST, Group, Key, at_least, block, double, exactly, integer, key, one_of,
    pure, text,
};
use crate::keyspace::journal::{Change, Event};
use crate::protocol::error::ReplyError;
use crate::structures::epoch::Epochs;
use crate::types::sorted_set::{PackLimits, SortedSet};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("ZADD", at_least(4), Group::SortedSet, Write(zadd))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[
            key("key"),
            one_of("condition", &[pure("nx", "NX"), pure("xx", "XX")]).optional().since("3.0.2"),
            one_of("comparison", &[pure("gt", "GT"), pure("lt", "LT")]).optional().since("6.2.0"),
            pure("change", "CH").optional().since("3.0.2"),
            pure("increment", "INCR").optional().since("3.0.2"),
            block("data", &[double("score"), text("member")]).repeated(),
        ])
        .doc("1.2.0", "Adds members to a sorted set, or gives them new scores.", "O(log(N))"),
    Command::new("ZINCRBY", exactly(4), Group::SortedSet, Write(zincrby))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), integer("increment"), text("member")])
        .doc(
            "1.2.0",
            "Adds a number to the score of a member, which is made when absent.",
            "O(log(N))",
        ),
    Command::new("ZREM", at_least(3), Group::SortedSet, Write(zrem))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .flags(FAST)
        .args(&[key("key"), text("member").repeated()])
        .doc("1.2.0", "Removes members from a sorted set.", "O(M*log(N))"),
];

const ZADD: Event = super::event("zadd");
const ZINCR: Event = super::event("zincr");
const ZREM: Event = super::event("zrem");
const NX_XX: ReplyError =
    ReplyError::Fixed("ERR XX and NX options at the same time are not compatible");
const NX_GT_LT: ReplyError =
    ReplyError::Fixed("ERR GT, LT, and/or NX options at the same time are not compatible");
const SINGLE_PAIR: ReplyError =
    ReplyError::Fixed("ERR INCR option supports a single increment-element pair");
const NOT_A_NUMBER: ReplyError = ReplyError::Fixed("ERR resulting score is not a number (NaN)");

/// Which members are to be there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::families) enum Presence {
    #[default]
    Either,
    /// `NX`: none.
    Absent,
    /// `XX`: all.
    Present,
}

/// In which direction a score may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Direction {
    #[default]
    Any,
    Up,
    Down,
}

/// What is done with members and scores.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::families) struct Adding {
    pub(in crate::families) presence: Presence,
    direction: Direction,
    /// `CH`: changed members count, too.
    pub(in crate::families) counts_changes: bool,
    /// `INCR`: scores are added to those there.
    increments: bool,
}

/// What became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::families) struct Outcome {
    added: u64,
    changed: u64,
    /// The last score written or found equal.
    score: Option<f64>,
}

impl Adding {
    /// Reads options up to the first score; `INCR` may go without saying.
    fn read(args: &mut Args<'_>, increments: bool) -> Result<Self, ReplyError> {
        let mut adding = Self { increments, ..Self::default() };
        let (mut nx, mut xx, mut gt, mut lt) = (false, false, false, false);
        // Nearly always a score comes at once; of numbers only infinity begins with one of these.
        while let Some(
            [b'n' | b'N' | b'x' | b'X' | b'g' | b'G' | b'l' | b'L' | b'c' | b'C' | b'i' | b'I', ..],
        ) = args.peek()
        {
            if args.accept("NX") {
                nx = true;
            } else if args.accept("XX") {
                xx = true;
            } else if args.accept("GT") {
                gt = true;
            } else if args.accept("LT") {
                lt = true;
            } else if args.accept("CH") {
                adding.counts_changes = true;
            } else if args.accept("INCR") {
                adding.increments = true;
            } else {
                break;
            }
        }
        if args.left() % 2 == 1 || args.is_done() {
            return Err(ReplyError::Syntax);
        }
        if nx && xx {
            return Err(NX_XX);
        }
        if nx && (gt || lt) || gt && lt {
            return Err(NX_GT_LT);
        }
        if adding.increments && args.left() > 2 {
            return Err(SINGLE_PAIR);
        }
        adding.presence = match (nx, xx) {
            (true, _) => Presence::Absent,
            (_, true) => Presence::Present,
            _ => Presence::Either,
        };
        adding.direction = match (gt, lt) {
            (true, _) => Direction::Up,
            (_, true) => Direction::Down,
            _ => Direction::Any,
        };
        Ok(adding)
    }

    /// The score for a member that has `old`; `None` is to be left alone.
    fn decide(self, old: Option<f64>, score: f64) -> Result<Option<f64>, ReplyError> {
        let Some(old) = old else {
            return Ok((self.presence != Presence::Present).then_some(score));
        };
        if self.presence == Presence::Absent {
            return Ok(None);
        }
        let new = if self.increments { old + score } else { score };
        if new.is_nan() {
            return Err(NOT_A_NUMBER);
        }
        let is_allowed = match self.direction {
            Direction::Any => true,
            Direction::Up => new > old,
            Direction::Down => new < old,
        };
        Ok(is_allowed.then_some(new))
    }

    /// Adds elements, of which there are few refused: the first NaN ends it.
    pub(in crate::families) fn run<'m>(
        self,
        set: &mut SortedSet,
        limits: PackLimits,
        epochs: &Epochs,
        elements: impl ExactSizeIterator<Item = (f64, &'m [u8])> + Clone,
    ) -> Result<Outcome, ReplyError> {
        let mut done = Outcome::default();
        // The number of elements given decides, however many of them are the same, and for a new
        // set the length of the first: clients see by the sign of a zero whether it began large.
        let first = elements.clone().next().filter(|_| set.is_empty());
        set.prepare(elements.len(), first.map_or(0, |(_, member)| member.len()), limits, epochs);
        for (score, member) in elements {
            let mut decided = Ok(None);
            let likely = (!self.increments).then_some(score);
            let old = set.update(member, likely, limits, epochs, |old| {
                decided = self.decide(old, score);
                decided.clone().unwrap_or(None)
            });
            let Some(new) = decided? else { continue };
            done.score = Some(new);
            #[allow(clippy::float_cmp, reason = "the same score is no change")]
            match old {
                None => done.added += 1,
                Some(old) if old != new => done.changed += 1,
                Some(_) => {}
            }
        }
        Ok(done)
    }
}

impl Outcome {
    pub(in crate::families) fn change(&self, event: Event) -> Change {
        match self.added + self.changed {
            0 => Change::None,
            units => Change::Did(event, units),
        }
    }

    /// What the reply counts.
    pub(in crate::families) fn count(&self, adding: Adding) -> u64 {
        self.added + if adding.counts_changes { self.changed } else { 0 }
    }
}

/// Adds elements to the sorted set at a key; none if there is none and none may be made.
pub(in crate::families) fn add<'m>(
    cx: &mut WriteCx<'_>,
    key: &[u8],
    adding: Adding,
    event: Event,
    elements: impl ExactSizeIterator<Item = (f64, &'m [u8])> + Clone,
) -> Result<Outcome, ReplyError> {
    let limits = super::pack_limits(cx.limits);
    cx.keys.expire_named(key, elements.clone().map(|(_, member)| member));
    let edit = |set: &mut SortedSet, epochs: &mut Epochs| {
        let added = adding.run(set, limits, epochs, elements);
        let change = added.as_ref().map_or(Change::None, |added| added.change(event));
        (added, change)
    };
    if adding.presence == Presence::Present {
        return cx.keys.update(key, edit)?.unwrap_or_else(|| Ok(Outcome::default()));
    }
    cx.keys.upsert(key, edit)?
}

fn zadd(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let adding = Adding::read(&mut cx.args, false)?;
    if cx.args.left() == 2 {
        let (score, member) = (cx.args.double()?, cx.args.bytes()?);
        return zadd_all(cx, key, adding, [(score, member)].into_iter());
    }
    let words = cx.args.rest();
    // Read first, so that a bad score leaves no half change.
    let scores =
        words.clone().step_by(2).map(|word| parse_double(word).ok_or(ReplyError::NotFloat));
    let scores = scores.collect::<Result<Vec<_>, _>>()?;
    let members: Vec<_> = words.skip(1).step_by(2).collect();
    zadd_all(cx, key, adding, scores.into_iter().zip(members))
}

fn zadd_all<'m>(
    cx: &mut WriteCx<'_>,
    key: &[u8],
    adding: Adding,
    elements: impl ExactSizeIterator<Item = (f64, &'m [u8])> + Clone,
) -> CmdResult {
    let event = if adding.increments { ZINCR } else { ZADD };
    let added = add(cx, key, adding, event, elements)?;

    match added.score {
        _ if !adding.increments => cx.reply.uint(added.count(adding)),
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

fn zincrby(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    // An increment that is the name of an option is taken for it.
    let adding = Adding::read(&mut cx.args, true)?;
    let (increment, member) = (cx.args.double()?, cx.args.bytes()?);

    zadd_all(cx, key, adding, [(increment, member)].into_iter())
}

fn zrem(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let members = cx.args.rest();

    cx.keys.expire_named(key, members.clone());
    let removed = cx.keys.update(key, |set: &mut SortedSet, _| {
        let mut removed = 0;
        for member in members {
            removed += usize::from(set.remove(member).is_some());
        }
        let change = if removed == 0 { Change::None } else { Change::Did(ZREM, removed as u64) };
        (removed, change)
    })?;

    cx.reply.count(removed.unwrap_or(0));
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    #[test]
    fn members_are_added_and_moved() {
        Bench::new().check(&[
            "zadd z 1 a 2 b => :2",
            "zadd z 1 a 3 b 4 c => :1",
            "zadd z ch 1 a 4 b 5 d => :2",
            "zadd z nx 9 a 9 e => :1",
            "zadd z xx 9 a 9 f => :0",
            "zadd z xx ch 1 a 9 f => :1",
            "zadd z gt ch 0 a => :0",
            "zadd z gt ch 2 a => :1",
            "zadd z lt ch 3 a => :0",
            "zadd z lt ch 1 a 7 new => :2",
            r#"zrange z 0 -1 withscores => ["a" "1" "b" "4" "c" "4" "d" "5" "new" "7" "e" "9"]"#,
            "zadd none xx 1 a => :0",
            "exists none => :0",
            "zrem z a b nosuch => :2",
            "zrem none a => :0",
            "zrem z c d e new => :4",
            "exists z => :0",
        ]);
    }

    #[test]
    fn scores_are_added_to() {
        let mut bench = Bench::new();
        bench.check(&[
            r#"zincrby z 1.5 a => "1.5""#,
            r#"zincrby z -2 a => "-0.5""#,
            r#"zadd z incr 1 a => "0.5""#,
            "zadd z nx incr 1 a => nil",
            "zadd z xx incr 1 b => nil",
            r#"zadd z gt incr 1 a => "1.5""#,
            "zadd z gt incr -1 a => nil",
            r#"zincrby z inf a => "inf""#,
            "zincrby z -inf a => -ERR resulting score is not a number (NaN)",
            r#"zscore z a => "inf""#,
            "zincrby z nx a => -ERR syntax error",
            "zincrby z x a => -ERR value is not a valid float",
            "zadd z incr 1 a 2 b => -ERR INCR option supports a single increment-element pair",
        ]);
        bench.dialect = Dialect::Resp3;
        bench.check(&["zincrby z 3.14 b => ,3.14", "zadd z incr 0 b => ,3.14"]);
    }

    #[test]
    fn options_exclude_each_other() {
        Bench::new().check(&[
            "zadd z nx xx 1 a => -ERR XX and NX options at the same time are not compatible",
            "zadd z nx gt 1 a => -ERR GT, LT, and/or NX options at the same time are not compatible",
            "zadd z gt lt 1 a => -ERR GT, LT, and/or NX options at the same time are not compatible",
            "zadd z 1 a b => -ERR syntax error",
            "zadd z nx ch incr => -ERR syntax error",
            "zadd z x a => -ERR value is not a valid float",
            "zadd z nan a => -ERR value is not a valid float",
            "zadd z 1 a x b => -ERR value is not a valid float",
            "exists z => :0",
            "set s v => +OK",
            "zadd s 1 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn what_is_given_decides_the_encoding() {
        let mut bench = Bench::new();
        bench.limits.encodings.sorted_set_pack_entries = 3;
        bench.check(&[
            "zadd z 1 a => :1",
            r#"object encoding z => "listpack""#,
            "zadd z 1 a 1 a 1 a 1 a => :0",
            r#"object encoding z => "skiplist""#,
            "zadd new 1 a 1 a 1 a 1 a => :1",
            r#"object encoding new => "skiplist""#,
            "zadd k 1 a 2 b 3 c => :3",
            r#"object encoding k => "listpack""#,
            "zincrby k 1 d => \"1\"",
            r#"object encoding k => "skiplist""#,
        ]);
    }
}
