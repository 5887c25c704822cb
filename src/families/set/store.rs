//! What several sets make together, kept under a key: SINTERSTORE, SUNIONSTORE, SDIFFSTORE.

use super::sources::Sources;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{Command, DENY_OOM, Group, Key, at_least, key};
use crate::keyspace::journal::Event;
use crate::keyspace::write::Lifetime;
use crate::structures::epoch::Epochs;
use crate::types::set::{Live, Set, SetLimits};
use std::ops::ControlFlow;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("SINTERSTORE", at_least(3), Group::Set, Write(sinterstore))
        .keys(KEYS)
        .flags(DENY_OOM)
        .args(&[key("destination"), key("key").spec(1).repeated()])
        .doc("1.0.0", "Stores the members that all of several sets have.", "O(N*M)"),
    Command::new("SUNIONSTORE", at_least(3), Group::Set, Write(sunionstore))
        .keys(KEYS)
        .flags(DENY_OOM)
        .args(&[key("destination"), key("key").spec(1).repeated()])
        .doc("1.0.0", "Stores the members that any of several sets has.", "O(N)"),
    Command::new("SDIFFSTORE", at_least(3), Group::Set, Write(sdiffstore))
        .keys(KEYS)
        .flags(DENY_OOM)
        .args(&[key("destination"), key("key").spec(1).repeated()])
        .doc("1.0.0", "Stores the members of a set that no other of several has.", "O(N)"),
];

const KEYS: &[Key] =
    &[Key::at(1, &["OW", "update"]), Key::at(2, &["RO", "access"]).through(-1, 1, 0)];

type Making = fn(&Sources<'_>, SetLimits, &mut Epochs) -> Set;

fn sinterstore(cx: &mut WriteCx<'_>) -> CmdResult {
    store(cx, intersection, super::event("sinterstore"))
}

fn sunionstore(cx: &mut WriteCx<'_>) -> CmdResult {
    store(cx, union, super::event("sunionstore"))
}

fn sdiffstore(cx: &mut WriteCx<'_>) -> CmdResult {
    store(cx, difference, super::event("sdiffstore"))
}

fn store(cx: &mut WriteCx<'_>, make: Making, event: Event) -> CmdResult {
    let (target, limits) = (cx.args.bytes()?, cx.limits.encodings.set());
    let names = cx.args.rest();

    let set = cx.keys.derive(|keys, epochs| {
        Sources::find(keys, names).map(|sources| make(&sources, limits, epochs))
    })?;

    let len = set.len();
    cx.keys.put(target, set, Lifetime::Forever, event);
    cx.reply.count(len);
    Ok(Flow::Replied)
}

/// Begins as an intset if the smallest set is one, else as a listpack, and ends as an intset if it
/// can.
fn intersection(sources: &Sources<'_>, limits: SetLimits, epochs: &mut Epochs) -> Set {
    let smallest = sources.ascending().and_then(|sets| sets.first().copied());
    let mut made = smallest.map_or_else(Set::default, |set| set.vacant_twin());
    let mut only_integers = true;
    sources.intersect(&mut |member| {
        only_integers &= member.as_int().is_some();
        made.insert_item(member, limits, epochs);
        ControlFlow::Continue(())
    });
    if only_integers {
        made.narrow(limits);
    }
    made
}

/// Takes the sets as they are named: clients see the form that this leads to.
fn union(sources: &Sources<'_>, limits: SetLimits, epochs: &mut Epochs) -> Set {
    let mut made = Set::default();
    for member in sources.iter().flatten().flat_map(Live::iter) {
        made.insert_item(member, limits, epochs);
    }
    made
}

fn difference(sources: &Sources<'_>, limits: SetLimits, epochs: &mut Epochs) -> Set {
    let mut made = Set::default();
    if sources.asks_others() || sources.first_is_repeated() {
        sources.subtract(&mut |member| {
            made.insert_item(member, limits, epochs);
            ControlFlow::Continue(())
        });
        return made;
    }
    // Clients see the form that the first set has as a whole, whatever remains of it.
    let Some((first, others)) = sources.split() else { return made };
    for member in first {
        made.insert_item(member, limits, epochs);
    }
    for member in others.flatten().flat_map(Live::iter) {
        if made.is_empty() {
            break;
        }
        made.remove_item(member, epochs);
    }
    made
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn results_are_stored_over_whatever_is_there() {
        Bench::new().check(&[
            "sadd a 1 2 3 => :3",
            "sadd b 2 3 4 => :3",
            "set d v EX 100 => +OK",
            "sinterstore d a b => :2",
            r#"smembers d => ["2" "3"]"#,
            "ttl d => :-1",
            "sunionstore d d a b => :4",
            r#"smembers d => ["1" "2" "3" "4"]"#,
            "sdiffstore a a b => :1",
            r#"smembers a => ["1"]"#,
            "sinterstore d missing a => :0",
            "exists d => :0",
            "set str v => +OK",
            "sinterstore d a str => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "sinterstore str missing a => :0",
            "exists str => :0",
        ]);
    }

    #[test]
    fn forms_of_results_are_those_of_redis() {
        let mut bench = Bench::new();
        bench.limits.encodings.set_intset_entries = 3;
        bench.limits.encodings.set_pack_entries = 4;
        bench.check(&[
            "sadd i 1 2 3 => :3",
            "sadd h 1 2 3 4 5 => :5",
            "sadd t 1 a b c d => :5",
            "sadd p 1 a => :2",
            r#"object encoding h => "hashtable""#,
            "sinterstore d h h => :5",
            r#"object encoding d => "hashtable""#,
            "sinterstore d i h => :3",
            r#"object encoding d => "intset""#,
            "sinterstore d h t => :1",
            r#"object encoding d => "intset""#,
            "sinterstore d p t => :2",
            r#"object encoding d => "listpack""#,
            "sinterstore d t t => :5",
            r#"object encoding d => "hashtable""#,
            "srem t b c => :2",
            "sinterstore d t t => :3",
            r#"object encoding d => "listpack""#,
            "sunionstore d t missing => :3",
            r#"object encoding d => "listpack""#,
            "sunionstore d i p => :4",
            r#"object encoding d => "listpack""#,
            "sunionstore d i h => :5",
            r#"object encoding d => "hashtable""#,
            "sdiffstore d h i => :2",
            r#"object encoding d => "intset""#,
        ]);
    }
}
