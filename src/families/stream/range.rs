//! Reading a part of a stream: XLEN, XRANGE, XREVRANGE.

use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, FAST, Group, Key, at_least, exactly, integer, key, text};
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;
use crate::types::stream::Stream;

use super::{parse, write_entries};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("XLEN", exactly(2), Group::Stream, Read(xlen))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .args(&[key("key")])
        .doc("5.0.0", "Counts the entries of a stream.", "O(1)"),
    Command::new("XRANGE", at_least(4), Group::Stream, Read(xrange))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), text("start"), text("end"), integer("count").token("COUNT").optional()])
        .doc("5.0.0", "Gives the entries between two identifiers.", "O(N)"),
    Command::new("XREVRANGE", at_least(4), Group::Stream, Read(xrevrange))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), text("end"), text("start"), integer("count").token("COUNT").optional()])
        .doc("5.0.0", "Gives the entries between two identifiers, last first.", "O(N)"),
];

fn xlen(cx: &mut ReadCx<'_>) -> CmdResult {
    let len = cx.keys.borrow::<Stream>(cx.args.bytes()?)?.map_or(0, |stream| stream.log().len());

    cx.reply.count(len);
    Ok(Flow::Replied)
}

fn xrange(cx: &mut ReadCx<'_>) -> CmdResult {
    range(cx, End::Back)
}

fn xrevrange(cx: &mut ReadCx<'_>) -> CmdResult {
    range(cx, End::Front)
}

fn range(cx: &mut ReadCx<'_>, towards: End) -> CmdResult {
    let key = cx.args.bytes()?;
    let (one, other) = (cx.args.bytes()?, cx.args.bytes()?);
    let (start, end) = match towards {
        End::Back => (one, other),
        End::Front => (other, one),
    };
    let (start, end) = (parse::start(start)?, parse::end(end)?);
    let mut count = None;
    while !cx.args.is_done() {
        if cx.args.left() < 2 || !cx.args.accept("COUNT") {
            return Err(ReplyError::Syntax);
        }
        count = Some(parse::count(&mut cx.args)?);
    }

    let Some(stream) = cx.keys.borrow::<Stream>(key)? else {
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };
    if count == Some(0) {
        cx.reply.null_array();
        return Ok(Flow::Replied);
    }
    let wanted = count.unwrap_or(usize::MAX);
    let is_long = cx.is_long(wanted.min(stream.log().len()))
        && stream.log().range(start, end, towards).nth(cx.here_max).is_some();
    if is_long {
        return Ok(Flow::Away(None));
    }
    let entries = stream.log().range(start, end, towards);
    write_entries(&mut cx.reply, entries.take(wanted));
    Ok(Flow::Replied)
}
