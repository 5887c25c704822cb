//! What several sets make together: SINTER, SUNION, SDIFF, and how many members that would be.

use super::sources::{Each, Sources};
use crate::base::number::parse_int;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, Group, Key, MOVABLE_KEYS, at_least, integer, key, pure};
use crate::protocol::error::ReplyError;
use crate::structures::hyperloglog;
use crate::structures::listpack::Digits;
use crate::types::set::Live;
use std::ops::ControlFlow;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("SINTER", at_least(2), Group::Set, Read(sinter))
        .keys(&[Key::at(1, &["RO", "access"]).through(-1, 1, 0)])
        .args(&[key("key").repeated()])
        .tips(&["nondeterministic_output_order"])
        .doc("1.0.0", "Gives the members that all of several sets have.", "O(N*M)"),
    Command::new("SINTERCARD", at_least(3), Group::Set, Read(sintercard))
        .keys(&[Key::at(1, &["RO", "access"]).counted(0, 1, 1)])
        .flags(MOVABLE_KEYS)
        .args(&[
            integer("numkeys"),
            key("key").repeated(),
            integer("limit").token("LIMIT").optional(),
        ])
        .doc("7.0.0", "Counts the members that all of several sets have.", "O(N*M)"),
    Command::new("SUNION", at_least(2), Group::Set, Read(sunion))
        .keys(&[Key::at(1, &["RO", "access"]).through(-1, 1, 0)])
        .args(&[key("key").repeated()])
        .tips(&["nondeterministic_output_order"])
        .doc("1.0.0", "Gives the members that any of several sets has.", "O(N)"),
    Command::new("SUNIONCARD", at_least(3), Group::Set, Read(sunioncard))
        .keys(&[Key::at(1, &["RO", "access"]).counted(0, 1, 1)])
        .flags(MOVABLE_KEYS)
        .args(&[
            integer("numkeys"),
            key("key").repeated(),
            pure("approx", "APPROX").optional(),
            integer("limit").token("LIMIT").optional(),
        ])
        .doc("8.10.0", "Counts the members that any of several sets has.", "O(N)"),
    Command::new("SDIFF", at_least(2), Group::Set, Read(sdiff))
        .keys(&[Key::at(1, &["RO", "access"]).through(-1, 1, 0)])
        .args(&[key("key").repeated()])
        .tips(&["nondeterministic_output_order"])
        .doc("1.0.0", "Gives the members of a set that no other of several has.", "O(N)"),
    Command::new("SDIFFCARD", at_least(3), Group::Set, Read(sdiffcard))
        .keys(&[Key::at(1, &["RO", "access"]).counted(0, 1, 1)])
        .flags(MOVABLE_KEYS)
        .args(&[
            integer("numkeys"),
            key("key").repeated(),
            integer("limit").token("LIMIT").optional(),
        ])
        .doc("8.10.0", "Counts the members of a set that no other of several has.", "O(N)"),
];

const NUMKEYS: ReplyError = ReplyError::Fixed("ERR numkeys should be greater than 0");
const TOO_FEW: ReplyError =
    ReplyError::Fixed("ERR Number of keys can't be greater than number of args");
const LIMIT: ReplyError = ReplyError::Fixed("ERR LIMIT can't be negative");

/// What is made of several sets, and how many members have to be looked at for it.
#[derive(Clone, Copy)]
struct Operation {
    run: for<'s> fn(&'s Sources<'_>, Each<'_, 's>),
    effort: fn(&Sources<'_>) -> usize,
}

const INTERSECTION: Operation = Operation {
    run: |sources, each| sources.intersect(each),
    effort: |sources| {
        let smallest = sources.iter().map(|set| set.map_or(0, |set| set.len())).min();
        smallest.unwrap_or(0).saturating_mul(sources.len())
    },
};
const UNION: Operation =
    Operation { run: |sources, each| sources.unite(each), effort: |sources| sources.members() };
const DIFFERENCE: Operation = Operation {
    run: |sources, each| sources.subtract(each),
    effort: |sources| {
        let first = sources.iter().next().flatten().map_or(0, |set| set.len());
        first.saturating_mul(sources.len()).min(sources.members())
    },
};

fn sinter(cx: &mut ReadCx<'_>) -> CmdResult {
    members(cx, INTERSECTION)
}

fn sunion(cx: &mut ReadCx<'_>) -> CmdResult {
    members(cx, UNION)
}

fn sdiff(cx: &mut ReadCx<'_>) -> CmdResult {
    members(cx, DIFFERENCE)
}

fn sintercard(cx: &mut ReadCx<'_>) -> CmdResult {
    count(cx, INTERSECTION)
}

fn sdiffcard(cx: &mut ReadCx<'_>) -> CmdResult {
    count(cx, DIFFERENCE)
}

fn members(cx: &mut ReadCx<'_>, operation: Operation) -> CmdResult {
    let sources = Sources::find(cx.keys, cx.args.rest())?;
    if cx.is_long((operation.effort)(&sources)) {
        return Ok(Flow::Away(None));
    }
    let reply = &mut cx.reply;
    let (opened, mut len) = (reply.open(), 0);
    (operation.run)(&sources, &mut |member| {
        super::write(reply, member);
        len += 1;
        ControlFlow::Continue(())
    });
    reply.close_set(opened, len);
    Ok(Flow::Replied)
}

/// `numkeys key [key ...] [APPROX] [LIMIT limit]`
struct Counting<'a> {
    keys: Vec<&'a [u8]>,
    limit: usize,
    approximates: bool,
}

impl<'a> Counting<'a> {
    fn read(args: &mut Args<'a>, may_approximate: bool) -> Result<Self, ReplyError> {
        let keys = args.positive(NUMKEYS)?;
        if keys > args.left() {
            return Err(TOO_FEW);
        }
        let keys = (0..keys).map(|_| args.bytes()).collect::<Result<_, _>>()?;
        let mut counting = Self { keys, limit: usize::MAX, approximates: false };
        while !args.is_done() {
            if args.left() >= 2 && args.accept("LIMIT") {
                let limit = parse_int(args.bytes()?).and_then(|limit| usize::try_from(limit).ok());
                let limit = limit.ok_or(LIMIT)?;
                counting.limit = if limit == 0 { usize::MAX } else { limit };
            } else if may_approximate && args.accept("APPROX") {
                counting.approximates = true;
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(counting)
    }

    fn run(&self, sources: &Sources<'_>, operation: Operation) -> usize {
        let mut count = 0;
        (operation.run)(sources, &mut |_| {
            count += 1;
            if count < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        count
    }
}

fn count(cx: &mut ReadCx<'_>, operation: Operation) -> CmdResult {
    let counting = Counting::read(&mut cx.args, false)?;
    let sources = Sources::find(cx.keys, counting.keys.iter().copied())?;
    if cx.is_long((operation.effort)(&sources)) {
        return Ok(Flow::Away(None));
    }
    cx.reply.count(counting.run(&sources, operation));
    Ok(Flow::Replied)
}

fn sunioncard(cx: &mut ReadCx<'_>) -> CmdResult {
    let counting = Counting::read(&mut cx.args, true)?;
    let sources = Sources::find(cx.keys, counting.keys.iter().copied())?;
    if cx.is_long(sources.members()) {
        return Ok(Flow::Away(None));
    }
    let count = if counting.approximates {
        estimate(&sources).min(counting.limit)
    } else {
        counting.run(&sources, UNION)
    };
    cx.reply.count(count);
    Ok(Flow::Replied)
}

/// About how many different members there are, within one percent or so. Remembers none of them.
fn estimate(sources: &Sources<'_>) -> usize {
    let mut sketch = hyperloglog::empty();
    // Sketches of our own making are never corrupt.
    if hyperloglog::to_dense(&mut sketch).is_err() {
        return 0;
    }
    for member in sources.iter().flatten().flat_map(Live::iter) {
        hyperloglog::add_dense(&mut sketch, member.as_text(&mut Digits::default()));
    }
    hyperloglog::count(&sketch).map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use std::collections::BTreeSet;

    #[test]
    fn arguments_are_checked_as_by_redis() {
        Bench::new().check(&[
            "sintercard 0 a => -ERR numkeys should be greater than 0",
            "sintercard a b => -ERR numkeys should be greater than 0",
            "sintercard 2 a => -ERR Number of keys can't be greater than number of args",
            "sintercard 1 a b => -ERR syntax error",
            "sintercard 1 a limit => -ERR syntax error",
            "sintercard 1 a limit -1 => -ERR LIMIT can't be negative",
            "sintercard 1 a limit x => -ERR LIMIT can't be negative",
            "sintercard 1 a limit 1 limit 2 => :0",
            "sintercard 1 a approx => -ERR syntax error",
            "sdiffcard 1 a approx => -ERR syntax error",
            "sunioncard 1 a approx limit 3 => :0",
            "set str v => +OK",
            "sadd s 1 => :1",
            "sinter missing str => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "sunion s str => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "sdiff missing str => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "sintercard 2 missing str => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn small_sets_make_what_they_should() {
        Bench::new().check(&[
            "sadd a 1 2 3 x => :4",
            "sadd b 2 3 4 => :3",
            "sadd c x => :1",
            r#"sinter a b => ["2" "3"]"#,
            "sinter a b missing => []",
            r#"sinter a a => ["1" "2" "3" "x"]"#,
            "sintercard 2 a b => :2",
            "sintercard 2 a b limit 1 => :1",
            r#"sunion a b c => ["1" "2" "3" "x" "4"]"#,
            "sunion missing => []",
            "sunioncard 3 a b c => :5",
            "sunioncard 3 a b c limit 2 => :2",
            "sunioncard 3 a b c approx => :5",
            "sunioncard 3 a b c approx limit 4 => :4",
            r#"sdiff a b c => ["1"]"#,
            "sdiff a a => []",
            "sdiff missing a => []",
            r#"sdiff c missing => ["x"]"#,
            "sdiffcard 2 a b => :2",
            "sdiffcard 2 a b limit 1 => :1",
        ]);
    }

    /// Members of set number `number`.
    fn members(number: u32, len: u32) -> BTreeSet<String> {
        (0..len).map(|at| (at * (number + 1) % 997).to_string()).collect()
    }

    fn words(reply: &str) -> BTreeSet<String> {
        let words: Vec<String> =
            reply.split('"').skip(1).step_by(2).map(ToOwned::to_owned).collect();
        let set: BTreeSet<String> = words.iter().cloned().collect();
        assert_eq!(words.len(), set.len(), "each member once");
        set
    }

    #[test]
    fn many_sets_of_any_size_make_what_they_should() {
        for (count, len) in [(2, 700), (3, 100), (12, 20), (12, 700)] {
            let mut bench = Bench::new();
            let sets: Vec<_> = (0..count).map(|at| members(at, len + at * 7)).collect();
            let names: Vec<String> = (0..count).map(|at| format!("s{at}")).collect();
            for (name, set) in names.iter().zip(&sets) {
                for member in set {
                    bench.run(&format!("sadd {name} {member}"));
                }
            }
            let names = names.join(" ");
            let expected = sets.iter().skip(1).fold(sets[0].clone(), |all, set| &all & set);
            assert_eq!(words(&bench.run(&format!("sinter {names}"))), expected);
            let expected = sets.iter().skip(1).fold(sets[0].clone(), |all, set| &all | set);
            assert_eq!(words(&bench.run(&format!("sunion {names}"))), expected);
            let expected = sets.iter().skip(1).fold(sets[0].clone(), |all, set| &all - set);
            assert_eq!(words(&bench.run(&format!("sdiff {names}"))), expected);
            assert_eq!(bench.run(&format!("sdiffstore d {names}")), format!(":{}", expected.len()));
            assert_eq!(words(&bench.run("smembers d")), expected);
        }
    }
}
