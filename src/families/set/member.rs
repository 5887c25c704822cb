//! Members one by one: SADD, SREM, SISMEMBER, SMISMEMBER, SCARD, SMOVE.

use super::Living;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{Command, DENY_OOM, FAST, Group, Key, at_least, exactly, key, text};
use crate::keyspace::journal::{Change, Event};
use crate::keyspace::read::Reader;
use crate::keyspace::value::{Kind, WrongType};
use crate::types::set::Set;
use std::iter;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("SADD", at_least(3), Group::Set, Write(sadd))
        .keys(&[Key::at(1, &["RW", "insert"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), text("member").repeated()])
        .doc("1.0.0", "Puts members into a set, made when absent.", "O(1)")
        .history(&[("2.4.0", "Several members in one call.")]),
    Command::new("SREM", at_least(3), Group::Set, Write(srem))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .flags(FAST)
        .args(&[key("key"), text("member").repeated()])
        .doc("1.0.0", "Takes members out of a set; without any left, it goes.", "O(N)")
        .history(&[("2.4.0", "Several members in one call.")]),
    Command::new("SISMEMBER", exactly(3), Group::Set, Read(sismember))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .args(&[key("key"), text("member")])
        .doc("1.0.0", "Tells whether a set has a member.", "O(1)"),
    Command::new("SMISMEMBER", at_least(3), Group::Set, Read(smismember))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), text("member").repeated()])
        .doc("6.2.0", "Tells of each of several members whether a set has it.", "O(N)"),
    Command::new("SCARD", exactly(2), Group::Set, Read(scard))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .args(&[key("key")])
        .doc("1.0.0", "Counts the members of a set.", "O(1)"),
    Command::new("SMOVE", exactly(4), Group::Set, Write(smove))
        .keys(&[Key::at(1, &["RW", "access", "delete"]), Key::at(2, &["RW", "insert"])])
        .flags(FAST)
        .args(&[key("source"), key("destination").spec(1), text("member")])
        .doc("1.0.0", "Takes a member out of one set and puts it into another.", "O(1)"),
];

const SADD: Event = super::event("sadd");
const SREM: Event = super::event("srem");

/// As many units as members; nothing when there are none.
fn did(event: Event, members: usize) -> Change {
    if members == 0 { Change::None } else { Change::Did(event, members as u64) }
}

fn sadd(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, first, limits) = (cx.args.bytes()?, cx.args.word(2), cx.limits.encodings.set());
    let members = cx.args.rest();

    cx.keys.expire_named(key, members.clone());
    let added = cx.keys.upsert(key, |set: &mut Set, epochs| {
        set.expect(first, members.len(), limits, epochs);
        let added = members.filter(|member| set.insert(member, limits, epochs)).count();
        (added, did(SADD, added))
    })?;

    cx.reply.count(added);
    Ok(Flow::Replied)
}

fn srem(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let members = cx.args.rest();

    cx.keys.expire_named(key, members.clone());
    let removed = cx.keys.update(key, |set: &mut Set, epochs| {
        let removed = members.filter(|member| set.remove(member, epochs)).count();
        (removed, did(SREM, removed))
    })?;

    cx.reply.count(removed.unwrap_or(0));
    Ok(Flow::Replied)
}

fn sismember(cx: &mut ReadCx<'_>) -> CmdResult {
    let (key, member) = (cx.args.bytes()?, cx.args.bytes()?);
    let set = super::living(&cx.keys, key)?;
    let set = set.as_ref().map(Living::view);
    cx.reply.flag(set.is_some_and(|set| set.contains(member)));
    Ok(Flow::Replied)
}

fn smismember(cx: &mut ReadCx<'_>) -> CmdResult {
    let set = super::living(&cx.keys, cx.args.bytes()?)?;
    let set = set.as_ref().map(Living::view);
    let members = cx.args.rest();
    cx.reply.array(members.len());
    for member in members {
        cx.reply.flag(set.is_some_and(|set| set.contains(member)));
    }
    Ok(Flow::Replied)
}

fn scard(cx: &mut ReadCx<'_>) -> CmdResult {
    let set = super::living(&cx.keys, cx.args.bytes()?)?;
    let set = set.as_ref().map(Living::view);
    cx.reply.count(set.map_or(0, |set| set.len()));
    Ok(Flow::Replied)
}

/// Whether there is a set.
fn is_there(keys: &Reader<'_>, key: &[u8]) -> Result<bool, WrongType> {
    match keys.kind(key) {
        None => Ok(false),
        Some(Kind::Set) => Ok(true),
        Some(_) => Err(WrongType),
    }
}

fn smove(cx: &mut WriteCx<'_>) -> CmdResult {
    let (source, target, member) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let limits = cx.limits.encodings.set();
    for key in [source, target] {
        cx.keys.expire_named(key, iter::once(member));
    }
    let keys = cx.keys.reader();
    // Clients see that without a source the type of the target does not matter.
    if !is_there(&keys, source)? {
        cx.reply.flag(false);
        return Ok(Flow::Replied);
    }
    is_there(&keys, target)?;

    let moved = cx.keys.update(source, |set: &mut Set, epochs| {
        if source == target {
            return (set.contains(member), Change::None);
        }
        let removed = set.remove(member, epochs);
        (removed, did(SREM, usize::from(removed)))
    })?;
    let moved = moved.unwrap_or(false);
    if moved && source != target {
        cx.keys.upsert(target, |set: &mut Set, epochs| {
            set.expect(member, 1, limits, epochs);
            let added = set.insert(member, limits, epochs);
            ((), did(SADD, usize::from(added)))
        })?;
    }

    cx.reply.flag(moved);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn members_come_and_go() {
        Bench::new().check(&[
            "sadd s a b a => :2",
            "sadd s a c => :1",
            "scard s => :3",
            "sismember s a => :1",
            "sismember s x => :0",
            "smismember s a x c => [:1 :0 :1]",
            "smismember missing a b => [:0 :0]",
            "srem s a x b => :2",
            "srem s c => :1",
            "exists s => :0",
            "srem s c => :0",
            "scard s => :0",
            "sismember s a => :0",
        ]);
    }

    #[test]
    fn encodings_are_those_of_redis() {
        let mut bench = Bench::new();
        bench.limits.encodings.set_intset_entries = 3;
        bench.limits.encodings.set_pack_entries = 3;
        bench.limits.encodings.set_pack_value = 4;
        bench.check(&[
            "sadd i 1 2 3 => :3",
            r#"object encoding i => "intset""#,
            "sadd i 3 => :0",
            "sadd i 4 => :1",
            r#"object encoding i => "hashtable""#,
            "sadd p 1 a => :2",
            r#"object encoding p => "listpack""#,
            "sadd p b c => :2",
            r#"object encoding p => "hashtable""#,
            "srem p b c a => :3",
            r#"object encoding p => "hashtable""#,
            "sadd v abcde => :1",
            r#"object encoding v => "hashtable""#,
            "sadd w 1 1 1 1 => :1",
            r#"object encoding w => "hashtable""#,
        ]);
    }

    #[test]
    fn members_move_between_sets() {
        Bench::new().check(&[
            "sadd a 1 2 => :2",
            "sadd b x => :1",
            "set str v => +OK",
            "smove a b 1 => :1",
            "smove a b 1 => :0",
            "smembers a => [\"2\"]",
            "smembers b => [\"x\" \"1\"]",
            "smove a a 2 => :1",
            "smove a a 3 => :0",
            "smove a new 2 => :1",
            "exists a => :0",
            "object encoding new => \"intset\"",
            "smove missing str 1 => :0",
            "smove b str x => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "smove str b x => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "scard b => :2",
        ]);
    }
}
