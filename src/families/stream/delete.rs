//! Deleting entries by name: XDEL, XDELEX, XACKDEL.

use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Arg, Command, FAST, Group, Key, at_least, block, integer, key, one_of, pure, text,
};
use crate::keyspace::journal::{Change, Event};
use crate::protocol::error::ReplyError;
use crate::types::stream::id::Id;
use crate::types::stream::{Body, Stream};

use super::trim::References;
use super::{event, parse};

const CONDITION: Arg = one_of(
    "condition",
    &[pure("keepref", "KEEPREF"), pure("delref", "DELREF"), pure("acked", "ACKED")],
)
.optional();
const IDS: Arg = block("ids", &[integer("numids"), text("id").repeated()]).token("IDS");

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("XDEL", at_least(3), Group::Stream, Write(xdel))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .flags(FAST)
        .args(&[key("key"), text("id").repeated()])
        .doc("5.0.0", "Deletes entries of a stream.", "O(1)"),
    Command::new("XDELEX", at_least(5), Group::Stream, Write(xdelex))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .flags(FAST)
        .args(&[key("key"), CONDITION, IDS])
        .doc("8.2.0", "Deletes entries, heeding groups that have not done with them.", "O(1)"),
    Command::new("XACKDEL", at_least(6), Group::Stream, Write(xackdel))
        .keys(&[Key::at(1, &["RW", "update", "delete"])])
        .flags(FAST)
        .args(&[key("key"), text("group"), CONDITION, IDS])
        .doc("8.2.0", "Acknowledges entries for a group and deletes them.", "O(1)"),
];

const DELETED: Event = event("xdel");
const NO_IDS: ReplyError = ReplyError::Fixed("ERR IDS option is required");

/// What became of one entry, as clients read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Absent = -1,
    Deleted = 1,
    Referenced = 2,
}

fn xdel(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let args = &mut cx.args;

    // Clients see no bad identifier where there is no stream.
    let deleted = cx.keys.update(key, |stream: &mut Stream, _| match parse::ids(args) {
        Err(error) => (Err(error), Change::None),
        Ok(ids) => {
            let log = &mut stream.body_mut().log;
            let count = ids.into_iter().filter(|id| log.delete(*id)).count();
            (Ok(count), did(count))
        }
    })?;

    cx.reply.count(deleted.transpose()?.unwrap_or(0));
    Ok(Flow::Replied)
}

fn did(count: usize) -> Change {
    if count > 0 { Change::Did(DELETED, count as u64) } else { Change::None }
}

/// `[KEEPREF | DELREF | ACKED] IDS numids id ...`, in any order.
fn read(args: &mut Args<'_>) -> Result<(References, Vec<Id>), ReplyError> {
    let (mut references, mut ids) = (None, None);
    while !args.is_done() {
        if references.is_none()
            && let Some(read) = References::accept(args)
        {
            references = Some(read);
        } else if ids.is_none() && args.accept("IDS") {
            ids = Some(parse::counted_ids(args)?);
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok((references.unwrap_or_default(), ids.ok_or(NO_IDS)?))
}

impl Fate {
    /// Deletes an entry in the way asked for.
    fn of(body: &mut Body, id: Id, references: References) -> Self {
        match references {
            References::Delete => body.forget_pending(id),
            References::Respect if body.log.entry(id).is_none() => return Self::Absent,
            References::Respect if !body.is_done_with(id) => return Self::Referenced,
            References::Keep | References::Respect => {}
        }
        if body.log.delete(id) { Self::Deleted } else { Self::Absent }
    }
}

fn xdelex(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let (references, ids) = read(&mut cx.args)?;

    let fates = cx.keys.update(key, |stream: &mut Stream, _| {
        let body = stream.body_mut();
        let fates: Vec<Fate> = ids.iter().map(|id| Fate::of(body, *id, references)).collect();
        let count = fates.iter().filter(|fate| **fate == Fate::Deleted).count();
        (fates, did(count))
    })?;

    write(cx, &fates.unwrap_or_else(|| vec![Fate::Absent; ids.len()]));
    Ok(Flow::Replied)
}

fn xackdel(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, group) = (cx.args.bytes()?, cx.args.bytes()?);
    let (references, ids) = read(&mut cx.args)?;

    let fates = cx.keys.update(key, |stream: &mut Stream, _| {
        let body = stream.body_mut();
        let acknowledge_and_delete = |id: &Id| {
            if body.groups.update(group, |group| group.acknowledge(*id)) != Some(true) {
                return Fate::Absent;
            }
            match Fate::of(body, *id, references) {
                // It was acknowledged, and is gone.
                Fate::Absent => Fate::Deleted,
                fate => fate,
            }
        };
        let fates: Vec<Fate> = ids.iter().map(acknowledge_and_delete).collect();
        let deleted = fates.iter().filter(|fate| **fate == Fate::Deleted).count();
        let acknowledged = fates.iter().filter(|fate| **fate != Fate::Absent).count();
        let change = match did(deleted) {
            Change::None if acknowledged > 0 => Change::Quietly(acknowledged as u64),
            change => change,
        };
        (fates, change)
    })?;

    write(cx, &fates.unwrap_or_else(|| vec![Fate::Absent; ids.len()]));
    Ok(Flow::Replied)
}

fn write(cx: &mut WriteCx<'_>, fates: &[Fate]) {
    cx.reply.array(fates.len());
    for fate in fates {
        cx.reply.int(*fate as i64);
    }
}
