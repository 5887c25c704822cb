//! Members drawn at random: SPOP, SRANDMEMBER.

use crate::base::number::parse_int;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{Command, FAST, Group, Key, at_least, integer, key};
use crate::keyspace::journal::{Change, DEL, Event};
use crate::keyspace::write::Free;
use crate::protocol::error::ReplyError;
use crate::structures::listpack::Item;
use crate::types::set::{Live, Set};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("SPOP", at_least(2), Group::Set, Write(spop))
        .keys(&[Key::at(1, &["RW", "access", "delete"])])
        .flags(FAST)
        .args(&[key("key"), integer("count").optional().since("3.2.0")])
        .tips(&["nondeterministic_output"])
        .doc("1.0.0", "Takes members drawn at random out of a set.", "O(1)")
        .history(&[("3.2.0", "A count.")]),
    Command::new("SRANDMEMBER", at_least(2), Group::Set, Read(srandmember))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), integer("count").optional().since("2.6.0")])
        .tips(&["nondeterministic_output"])
        .doc("1.0.0", "Draws members at random, which stay in the set.", "O(1)")
        .history(&[("2.6.0", "A count.")]),
];

const SPOP: Event = super::event("spop");

/// Most draws with repetition: a reply of some gigabytes.
const DRAWS_MAX: usize = 1 << 28;

const COUNT_RANGE: ReplyError = ReplyError::Fixed(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);

fn spop(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    if !cx.args.is_done() {
        return pop_many(cx, key);
    }
    cx.keys.expire_overdue(key);
    let popped = cx.keys.update(key, |set: &mut Set, epochs| {
        let reply = &mut cx.reply;
        let telling = &mut *cx.telling;
        set.pop(cx.rng, epochs, |member| {
            if telling.is_heard() {
                telling.instead([b"SREM", key, &member.to_vec()]);
            }
            super::write(reply, member);
        });
        ((), Change::Did(SPOP, 1))
    })?;
    if popped.is_none() {
        cx.reply.null();
    }
    Ok(Flow::Replied)
}

fn pop_many(cx: &mut WriteCx<'_>, key: &[u8]) -> CmdResult {
    if cx.args.left() > 1 {
        return Err(ReplyError::Syntax);
    }
    let count = parse_int(cx.args.bytes()?).and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(ReplyError::NotPositive)?;
    let limits = cx.limits.encodings.set();
    let (is_heard, mut popped) = (cx.telling.is_heard(), Vec::new());

    cx.keys.expire_overdue(key);
    let taken_whole = cx.keys.update(key, |set: &mut Set, epochs| {
        let reply = &mut cx.reply;
        let taken = count.min(set.len());
        let change = if taken == 0 { Change::None } else { Change::Did(SPOP, taken as u64) };
        reply.set(taken);
        if count >= set.len() {
            // The set itself is removed as a whole, which may be a worker's business.
            set.iter().for_each(|member| super::write(reply, member));
            return (true, change);
        }
        set.pop_many(taken, limits, cx.rng, epochs, &mut |member| {
            if is_heard {
                popped.push(member.to_vec());
            }
            super::write(reply, member);
        });
        (false, change)
    })?;

    match taken_whole {
        None => cx.reply.set(0),
        Some(true) => {
            cx.keys.remove(key, Free::Later, DEL);
            cx.telling.instead([&b"DEL"[..], key]);
        }
        Some(false) if popped.is_empty() => {}
        Some(false) => {
            let mut words: Vec<&[u8]> = vec![b"SREM", key];
            words.extend(popped.iter().map(Vec::as_slice));
            cx.telling.instead(words);
        }
    }
    Ok(Flow::Replied)
}

fn srandmember(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    if cx.args.is_done() {
        let set = super::living(&cx.keys, key)?;
        match set.as_ref().and_then(|set| set.view().random(cx.rng)) {
            Some(member) => super::write(&mut cx.reply, member),
            None => cx.reply.null(),
        }
        return Ok(Flow::Replied);
    }
    if cx.args.left() > 1 {
        return Err(ReplyError::Syntax);
    }
    let count = cx.args.int()?;
    if count == i64::MIN {
        return Err(COUNT_RANGE);
    }
    let Some(set) = super::living(&cx.keys, key)? else {
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };
    let set = set.view();
    let effort = match usize::try_from(count) {
        Ok(count) => count.min(set.len()),
        // Beyond the limit it is refused, which takes no time.
        Err(_) => draws_of(count).unwrap_or(0),
    };
    if cx.is_long(effort) {
        return Ok(Flow::Away(None));
    }

    let drawn = match usize::try_from(count) {
        Ok(count) => set.sample(count, cx.rng),
        Err(_) => draw_repeatedly(set, count, cx.rng)?,
    };
    cx.reply.array(drawn.len());
    for member in drawn {
        super::write(&mut cx.reply, member);
    }
    Ok(Flow::Replied)
}

/// How many draws a `count` below zero stands for, if they are possible.
fn draws_of(count: i64) -> Option<usize> {
    usize::try_from(count.unsigned_abs()).ok().filter(|draws| *draws <= DRAWS_MAX)
}

/// As many draws as `count` is below zero, each independent of the others.
fn draw_repeatedly<'a>(
    set: Live<'a>,
    count: i64,
    rng: &mut fastrand::Rng,
) -> Result<Vec<Item<'a>>, ReplyError> {
    let draws = draws_of(count).ok_or(COUNT_RANGE)?;
    if draws < set.len() / 2 {
        return Ok((0..draws).filter_map(|_| set.random(rng)).collect());
    }
    let all: Vec<Item<'a>> = set.iter().collect();
    if all.is_empty() {
        return Ok(all);
    }
    Ok((0..draws).map(|_| all[rng.usize(..all.len())]).collect())
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn counts_are_checked_before_the_set() {
        Bench::new().check(&[
            "set str v => +OK",
            "sadd s a => :1",
            "spop s x => -ERR value is out of range, must be positive",
            "spop missing -1 => -ERR value is out of range, must be positive",
            "spop s 1 2 => -ERR syntax error",
            "spop str -1 => -ERR value is out of range, must be positive",
            "spop str 0 => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "spop missing => nil",
            "spop missing 5 => []",
            "spop s 0 => []",
            "srandmember s 0 => []",
            "srandmember missing => nil",
            "srandmember missing 3 => []",
            "srandmember missing x => -ERR value is not an integer or out of range",
            "srandmember missing -9223372036854775808 => -ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            "srandmember s 1 2 => -ERR syntax error",
            "srandmember str 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
            r#"srandmember s => "a""#,
            r#"srandmember s 5 => ["a"]"#,
            r#"srandmember s -3 => ["a" "a" "a"]"#,
            r#"spop s => "a""#,
            "exists s => :0",
        ]);
    }

    #[test]
    fn taking_all_removes_the_key() {
        for members in [3, 1000] {
            let mut bench = Bench::new();
            for i in 0..members {
                bench.run(&format!("sadd s {i} m{i}"));
            }
            let half = bench.run(&format!("spop s {members}"));
            assert_eq!(half.matches('"').count(), members * 2);
            bench.check(&[&format!("scard s => :{members}")]);
            bench.run(&format!("spop s {members}"));
            bench.check(&["exists s => :0"]);
        }
    }
}
