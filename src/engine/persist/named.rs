//! SNAPSHOT: named moments of the data, kept in memory, that one can go back to. For developers
//! and tests: fixtures are loaded once, and between two tests only what a test has changed is
//! brought back.

use std::collections::BTreeMap;

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, Command, Group, NO_ASYNC_LOADING, NOSCRIPT, WRITE, at_least, exactly, text,
};
use crate::engine::context::EngineCx;
use crate::engine::registry::EngineRun::{self, Container, Engine as Run, Help};
use crate::keyspace::DbIndex;
use crate::keyspace::journal::Listening;
use crate::keyspace::restore::Restored;
use crate::keyspace::snapshot::KeyspaceSnapshot;
use crate::protocol::error::ReplyError;

/// Moments that are kept at most: each holds memory back.
const NAMES_MAX: usize = 64;

/// Commands of this file.
pub(in crate::engine) const COMMANDS: &[Command<EngineRun>] =
    &[Command::new("SNAPSHOT", at_least(2), Group::Server, Container)
        .doc(
            "8.0.0",
            "Holds the commands about named moments of the data.",
            "Depends on subcommand.",
        )
        .subcommands(&[
            Command::new("DEL", exactly(3), Group::Server, Run(del))
                .flags(ADMIN.and(NOSCRIPT))
                .args(&[text("name")])
                .doc("8.0.0", "Forgets a moment.", "O(1)"),
            Command::new("HELP", exactly(2), Group::Server, Help(HELP)).doc(
                "8.0.0",
                "Lists the subcommands.",
                "O(1)",
            ),
            Command::new("LIST", exactly(2), Group::Server, Run(list))
                .flags(ADMIN.and(NOSCRIPT))
                .doc("8.0.0", "Lists the moments by name.", "O(N) where N is their number"),
            Command::new("RESTORE", exactly(3), Group::Server, Run(restore))
                .flags(WRITE.and(ADMIN).and(NOSCRIPT).and(NO_ASYNC_LOADING))
                .args(&[text("name")])
                .doc(
                    "8.0.0",
                    "Makes all data what they were at a moment.",
                    "O(1); O(N) with N keys in changed pages if somebody is to be told of them",
                ),
            Command::new("SAVE", exactly(3), Group::Server, Run(save))
                .flags(ADMIN.and(NOSCRIPT).and(NO_ASYNC_LOADING))
                .args(&[text("name")])
                .doc("8.0.0", "Keeps this moment of all data under a name.", "O(1)"),
        ])];

const HELP: &[&str] = &[
    "SAVE <name>",
    "    Keep this moment of all data, in place of another one of this name.",
    "RESTORE <name>",
    "    Make all data what they were at that moment.",
    "LIST",
    "    Show the names, with the number of keys and the time in milliseconds.",
    "DEL <name>",
    "    Forget a moment, and let go of the memory that it holds back.",
];

/// Moments by name.
#[derive(Debug, Default)]
pub(in crate::engine) struct Named(BTreeMap<Box<[u8]>, KeyspaceSnapshot>);

fn save(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = cx.args.bytes()?;
    let named = &mut cx.engine.named.0;
    if named.len() >= NAMES_MAX && !named.contains_key(name) {
        return Err(ReplyError::Fixed("ERR There are too many snapshots, delete one first"));
    }
    let now = cx.engine.now.unix_ms();
    named.insert(name.into(), cx.engine.keyspace.snapshot(now));
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn restore(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = cx.args.bytes()?;
    let engine = &mut *cx.engine;
    let snapshot = engine.named.0.get(name).ok_or(UNKNOWN)?;
    let is_heard =
        engine.propagation.is_on() || engine.keyspace.journal().listening() != Listening::Nothing;
    if !is_heard && engine.keyspace.go_back(snapshot) {
        cx.reply.ok();
        return Ok(Flow::Replied);
    }
    let (name, snapshot) = engine.named.0.remove_entry(name).ok_or(UNKNOWN)?;
    let (now, taken) = (engine.now.unix_ms(), snapshot.now());
    let is_told = engine.propagation.is_on();
    let mut told: Vec<(DbIndex, Option<Vec<u8>>)> = Vec::new();
    engine.keyspace.restore(&snapshot, now, &mut |what| match what {
        Restored::Key(db, key) if is_told => told.push((db, Some(key.to_vec()))),
        Restored::Emptied(db) if is_told => told.push((db, None)),
        _ => {}
    });
    // The log gets what has changed, as one unit: it does the same without the snapshot.
    engine.propagation.telling.nothing();
    for (db, key) in &told {
        let what = key.as_deref().map_or(Restored::Emptied(*db), |key| Restored::Key(*db, key));
        engine.tell_restored(what, &snapshot);
    }
    // The same data, but shared with those of now: what has changed counts from here, and what the
    // first one held back can go.
    engine.named.0.insert(name, engine.keyspace.snapshot(taken));
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn list(cx: &mut EngineCx<'_>) -> CmdResult {
    let named = &cx.engine.named.0;
    cx.reply.array(named.len());
    for (name, snapshot) in named {
        cx.reply.array(3);
        cx.reply.bulk(name);
        cx.reply.count(snapshot.databases().map(|(_, keys)| keys).sum());
        cx.reply.int(snapshot.now().0);
    }
    Ok(Flow::Replied)
}

fn del(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = cx.args.bytes()?;
    let removed = cx.engine.named.0.remove(name);
    cx.reply.int(i64::from(removed.is_some()));
    Ok(Flow::Replied)
}

const UNKNOWN: ReplyError = ReplyError::Fixed("ERR There is no snapshot of this name");
