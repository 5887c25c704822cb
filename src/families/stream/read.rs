//! Reading what is new, and waiting for it: XREAD.

use crate::command::args::Args;
use crate::command::context::{Absence, CmdResult, Flow, ReadCx, Wait};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{
    Arg, BLOCKING, Command, Group, Key, MOVABLE_KEYS, at_least, block, integer, key, text,
};
use crate::keyspace::read::Reader;
use crate::keyspace::value::Kind;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::{Opened, Reply};
use crate::structures::cow_tree::End;
use crate::types::stream::Stream;
use crate::types::stream::id::Id;
use crate::types::stream::log::Log;

use super::read_args::{Budget, ReadArgs, Reads};
use super::{parse, write_entry};

pub(super) const COUNT: Arg = integer("count").token("COUNT").optional();
pub(super) const MAXCOUNT: Arg = integer("maxcount").token("MAXCOUNT").optional().since("8.10.0");
pub(super) const MAXSIZE: Arg = integer("maxsize").token("MAXSIZE").optional().since("8.10.0");
pub(super) const BLOCK: Arg = integer("milliseconds").token("BLOCK").optional();
pub(super) const STREAMS: Arg =
    block("streams", &[key("key").repeated(), text("id").repeated()]).token("STREAMS");

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] =
    &[Command::new("XREAD", at_least(4), Group::Stream, Read(xread))
        .keys(&[Key::after("STREAMS", 1, &["RO", "access"]).through(-1, 1, 2)])
        .flags(BLOCKING.and(MOVABLE_KEYS))
        .args(&[COUNT, MAXCOUNT, MAXSIZE, BLOCK, STREAMS])
        .doc("5.0.0", "Gives the entries of streams behind given ones, or waits.", "O(M)")];

const ONLY_GROUPS: ReplyError = ReplyError::Fixed(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
     <consumer> option.",
);

/// What is asked of one stream.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    key: &'a [u8],
    log: Option<&'a Log>,
    after: Id,
}

impl<'a> Asked<'a> {
    fn new(keys: Reader<'a>, key: &'a [u8], word: &[u8]) -> Result<Self, ReplyError> {
        let log = keys.borrow::<Stream>(key)?.map(Stream::log);
        let after = match word {
            b"$" => log.map_or(Id::MIN, Log::last_id),
            b"+" => {
                let last = log.and_then(Log::last).and_then(|last| last.id.prev());
                last.unwrap_or(log.map_or(Id::MIN, Log::last_id))
            }
            b">" => return Err(ONLY_GROUPS),
            _ => parse::id(word)?,
        };
        Ok(Self { key, log, after })
    }

    /// Whether there is something behind what the client has.
    fn has_more(&self) -> bool {
        self.log.and_then(Log::last).is_some_and(|last| last.id > self.after)
    }

    /// Whether giving what is wanted is work for a worker.
    fn is_long(&self, cx: &ReadCx<'_>, read: &ReadArgs<'_>) -> bool {
        let (Some(log), Some(first)) = (self.log, self.after.next()) else { return false };
        let most = read.count.min(read.budget.entries()).min(log.len());
        cx.is_long(most) && log.range(first, Id::MAX, End::Back).nth(cx.here_max).is_some()
    }
}

fn xread(cx: &mut ReadCx<'_>) -> CmdResult {
    let mut read = ReadArgs::read(&mut cx.args, Reads::Plainly, cx.keys.now())?;
    let asked: Result<Vec<_>, _> =
        read.streams.iter().map(|(key, word)| Asked::new(cx.keys, key, word)).collect();
    let asked = asked?;
    if asked.iter().any(|asked| asked.is_long(cx, &read)) {
        return Ok(Flow::Away(None));
    }

    let (whole, mut served) = (cx.reply.open(), 0);
    for Asked { key, log, after } in asked.iter().filter(|asked| asked.has_more()) {
        let (Some(log), Some(first)) = (log, after.next()) else { continue };
        let most = read.count.min(read.budget.entries());
        if most == 0 {
            break;
        }
        begin_stream(&mut cx.reply, key);
        let (opened, mut count) = (cx.reply.open(), 0);
        for entry in log.range(first, Id::MAX, End::Back).take(most) {
            let before = cx.reply.output().len();
            write_entry(&mut cx.reply, &entry);
            count += 1;
            if !spend(&mut read.budget, &mut cx.reply, before) {
                break;
            }
        }
        cx.reply.close_array(opened, count);
        served += 1;
    }
    if served == 0 {
        return Ok(nothing(cx, &read, &asked));
    }
    close_streams(&mut cx.reply, whole, served);
    Ok(Flow::Replied)
}

/// Ends a reply about so many streams.
pub(super) fn close_streams(reply: &mut Reply<'_>, opened: Opened, streams: usize) {
    if reply.is_resp3() {
        reply.close_map(opened, streams);
    } else {
        reply.close_array(opened, streams);
    }
}

/// What comes before the entries of a stream.
pub(super) fn begin_stream(reply: &mut Reply<'_>, key: &[u8]) {
    if !reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(key);
}

/// Notes what was written since the output was `before` bytes long; whether there may be more.
pub(super) fn spend(budget: &mut Budget, reply: &mut Reply<'_>, before: usize) -> bool {
    let bytes = reply.output().len() - before;
    budget.spend(bytes)
}

fn nothing(cx: &mut ReadCx<'_>, read: &ReadArgs<'_>, asked: &[Asked<'_>]) -> Flow {
    if !read.waits {
        cx.reply.null_array();
        return Flow::Replied;
    }
    let keys = asked.iter().map(|asked| asked.key);
    let mut wait = Wait::new(Kind::Stream, keys, read.deadline, Absence::NullArray);
    wait.request = Some(with_ids(&cx.args, read.ids_at, asked));
    wait.into()
}

/// The request with identifiers in place of `$` and `+`, which stand for the present.
fn with_ids(args: &Args<'_>, ids_at: usize, asked: &[Asked<'_>]) -> Vec<Box<[u8]>> {
    let word = |(index, word): (usize, &[u8])| match index.checked_sub(ids_at) {
        Some(stream) if matches!(word, b"$" | b"+") => asked[stream].after.text().as_bytes().into(),
        _ => word.into(),
    };
    args.words().enumerate().map(word).collect()
}
