//! Consumer groups: XGROUP.

use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Container, Help, Write};
use crate::command::spec::{
    Arg, Command, DENY_OOM, Group, Key, LOADING, STALE, at_least, exactly, integer, key, one_of,
    pure, text,
};
use crate::keyspace::journal::{Change, Event};
use crate::protocol::error::ReplyError;
use crate::types::stream::group::{Group as ConsumerGroup, Name};
use crate::types::stream::id::Id;
use crate::types::stream::log::Log;
use crate::types::stream::{Body, Stream};

use super::{CONSUMER_CREATED, event, parse};

const ID: Arg = one_of("id-selector", &[text("id"), pure("new-id", "$")]);

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] =
    &[Command::new("XGROUP", at_least(2), Group::Stream, Container)
        .doc("5.0.0", "Manages the consumer groups of streams.", "Depends on the subcommand.")
        .subcommands(&[
            Command::new("CREATE", at_least(5), Group::Stream, Write(create))
                .keys(&[Key::at(2, &["RW", "insert"])])
                .flags(DENY_OOM)
                .args(&[
                    key("key"),
                    text("group"),
                    ID,
                    pure("mkstream", "MKSTREAM").optional(),
                    integer("entriesread").token("ENTRIESREAD").optional(),
                ])
                .doc("5.0.0", "Creates a consumer group.", "O(1)"),
            Command::new("CREATECONSUMER", exactly(5), Group::Stream, Write(createconsumer))
                .keys(&[Key::at(2, &["RW", "insert"])])
                .flags(DENY_OOM)
                .args(&[key("key"), text("group"), text("consumer")])
                .doc("6.2.0", "Creates a consumer of a group.", "O(1)"),
            Command::new("DELCONSUMER", exactly(5), Group::Stream, Write(delconsumer))
                .keys(&[Key::at(2, &["RW", "delete"])])
                .args(&[key("key"), text("group"), text("consumer")])
                .doc("5.0.0", "Removes a consumer of a group with all it has pending.", "O(1)"),
            Command::new("DESTROY", exactly(4), Group::Stream, Write(destroy))
                .keys(&[Key::at(2, &["RW", "delete"])])
                .args(&[key("key"), text("group")])
                .doc("5.0.0", "Removes a consumer group.", "O(N)"),
            Command::new("HELP", exactly(2), Group::Stream, Help(HELP))
                .flags(LOADING.and(STALE))
                .doc("5.0.0", "Lists the subcommands of XGROUP.", "O(1)"),
            Command::new("SETID", at_least(5), Group::Stream, Write(setid))
                .keys(&[Key::at(2, &["RW", "update"])])
                .args(&[
                    key("key"),
                    text("group"),
                    ID,
                    integer("entriesread").token("ENTRIESREAD").optional(),
                ])
                .doc("5.0.0", "Sets how far a consumer group has read.", "O(1)"),
        ])];

const HELP: &[&str] = &[
    "CREATE <key> <groupname> <id|$> [option]",
    "    Create a group that reads entries behind <id>. Options are:",
    "    * MKSTREAM",
    "      Create an empty stream if there is none.",
    "    * ENTRIESREAD <entries-read>",
    "      Say how many entries lie up to <id>.",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Create a consumer of a group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Remove a consumer of a group.",
    "DESTROY <key> <groupname>",
    "    Remove a group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD <entries-read>]",
    "    Let a group read entries behind <id>.",
];

const CREATED: Event = event("xgroup-create");
const ID_SET: Event = event("xgroup-setid");
const DESTROYED: Event = event("xgroup-destroy");
const CONSUMER_REMOVED: Event = event("xgroup-delconsumer");

const NO_STREAM: ReplyError = ReplyError::Fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
     the MKSTREAM option to create an empty stream automatically.",
);
const BUSY: ReplyError = ReplyError::Fixed("BUSYGROUP Consumer Group name already exists");
const BAD_READ: ReplyError = ReplyError::Fixed("ERR value for ENTRIESREAD must be positive or -1");

fn no_such_group(key: &[u8], group: &[u8]) -> ReplyError {
    let parts: [&[u8]; 5] =
        [b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"];
    ReplyError::Bytes(parts.concat().into())
}

fn misused(cx: &WriteCx<'_>) -> ReplyError {
    let parts: [&[u8]; 3] = [
        b"ERR unknown subcommand or wrong number of arguments for '",
        cx.args.word(1),
        b"'. Try XGROUP HELP.",
    ];
    ReplyError::Bytes(parts.concat().into())
}

/// Options may come twice, in any order, but not beyond so many words. Clients see that it is
/// counted only once the key and the group have been found.
const CREATE_WORDS_MAX: usize = 8;
const SETID_WORDS_MAX: usize = 7;

fn too_long(cx: &WriteCx<'_>, words_max: usize) -> Option<ReplyError> {
    (cx.args.word_count() > words_max).then(|| misused(cx))
}

/// Words behind the identifier.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

/// Reads the words behind the group's name: the identifier, unread, and the options.
fn options<'a>(
    cx: &mut WriteCx<'a>,
    may_make_stream: bool,
) -> Result<(&'a [u8], Options), ReplyError> {
    let id = cx.args.bytes()?;
    let mut options = Options::default();
    while !cx.args.is_done() {
        if may_make_stream && cx.args.accept("MKSTREAM") {
            options.makes_stream = true;
        } else if cx.args.left() > 1 && cx.args.accept("ENTRIESREAD") {
            options.entries_read = match cx.args.int()? {
                -1 => None,
                count => Some(u64::try_from(count).map_err(|_| BAD_READ)?),
            };
        } else {
            return Err(misused(cx));
        }
    }
    Ok((id, options))
}

/// The identifier that a word stands for.
fn resolve(word: &[u8], log: &Log) -> Result<Id, ReplyError> {
    if word == b"$" { Ok(log.last_id()) } else { parse::id(word) }
}

/// Groups can't have read more than was added.
fn within(entries_read: Option<u64>, log: &Log) -> Option<u64> {
    entries_read.map(|read| read.min(log.entries_added()))
}

fn create(cx: &mut WriteCx<'_>) -> CmdResult {
    cx.args.seek(2);
    let (key, name) = (cx.args.bytes()?, cx.args.bytes()?);
    let (id, options) = options(cx, true)?;
    let refusal = too_long(cx, CREATE_WORDS_MAX);

    let create = |stream: &mut Stream| -> Result<(), ReplyError> {
        refusal.map_or(Ok(()), Err)?;
        let Body { log, groups, .. } = stream.body_mut();
        let id = resolve(id, log)?;
        if groups.contains(name) {
            return Err(BUSY);
        }
        let group = ConsumerGroup::new(id, within(options.entries_read, log));
        groups.insert(Name::new(name), group);
        stream.establish();
        Ok(())
    };
    let edit = |stream: &mut Stream| match create(stream) {
        Ok(()) => (Ok(()), Change::Did(CREATED, 1)),
        Err(error) => (Err(error), Change::None),
    };
    if options.makes_stream {
        cx.keys.upsert(key, |stream, _| edit(stream))??;
    } else {
        cx.keys.update(key, |stream, _| edit(stream))?.ok_or(NO_STREAM)??;
    }

    cx.reply.ok();
    Ok(Flow::Replied)
}

/// Changes a group that must be there.
fn change<R>(
    cx: &mut WriteCx<'_>,
    key: &[u8],
    name: &[u8],
    edit: impl FnOnce(&mut ConsumerGroup, &Log) -> Result<(R, Change), ReplyError>,
) -> Result<R, ReplyError> {
    let edit = |stream: &mut Stream| {
        let Body { log, groups, .. } = stream.body_mut();
        let edited = groups.update(name, |group| edit(group, log));
        edited.unwrap_or_else(|| Err(no_such_group(key, name)))
    };
    let changed = cx.keys.update(key, |stream, _| match edit(stream) {
        Ok((result, change)) => (Ok(result), change),
        Err(error) => (Err(error), Change::None),
    })?;
    changed.ok_or(NO_STREAM)?
}

fn setid(cx: &mut WriteCx<'_>) -> CmdResult {
    cx.args.seek(2);
    let (key, name) = (cx.args.bytes()?, cx.args.bytes()?);
    let (id, options) = options(cx, false)?;
    let refusal = too_long(cx, SETID_WORDS_MAX);

    change(cx, key, name, |group, log| {
        refusal.map_or(Ok(()), Err)?;
        // Unlike CREATE, it knows the ends of a range too.
        group.last_id = match id {
            b"-" => Id::MIN,
            b"+" => Id::MAX,
            _ => resolve(id, log)?,
        };
        group.entries_read = within(options.entries_read, log);
        Ok(((), Change::Did(ID_SET, 1)))
    })?;

    cx.reply.ok();
    Ok(Flow::Replied)
}

fn destroy(cx: &mut WriteCx<'_>) -> CmdResult {
    cx.args.seek(2);
    let (key, name) = (cx.args.bytes()?, cx.args.bytes()?);

    let destroyed = cx.keys.update(key, |stream: &mut Stream, _| {
        match stream.body_mut().groups.remove(name) {
            Some(_) => (true, Change::Did(DESTROYED, 1)),
            None => (false, Change::None),
        }
    })?;

    cx.reply.flag(destroyed.ok_or(NO_STREAM)?);
    Ok(Flow::Replied)
}

fn createconsumer(cx: &mut WriteCx<'_>) -> CmdResult {
    cx.args.seek(2);
    let (key, name, consumer) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let now = cx.keys.now().0;

    let is_new = change(cx, key, name, |group, _| {
        let (_, is_new) = group.enroll(consumer, now);
        Ok((is_new, if is_new { Change::Did(CONSUMER_CREATED, 1) } else { Change::None }))
    })?;

    cx.reply.flag(is_new);
    Ok(Flow::Replied)
}

fn delconsumer(cx: &mut WriteCx<'_>) -> CmdResult {
    cx.args.seek(2);
    let (key, name, consumer) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);

    let pending = change(cx, key, name, |group, _| {
        Ok(match group.expel(consumer) {
            Some(pending) => (pending, Change::Did(CONSUMER_REMOVED, 1)),
            None => (0, Change::None),
        })
    })?;

    cx.reply.count(pending);
    Ok(Flow::Replied)
}
