//! Changing strings in place: APPEND, SETRANGE; taking them away: GETDEL, GETSET, GETEX.

use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, FAST, Group, Key, at_least, exactly, integer, key, one_of, pure,
    text as string, unix_time,
};
use crate::families::deadline::Expiry;
use crate::families::text;
use crate::keyspace::journal::{Change, EXPIRE, Event};
use crate::keyspace::write::{Free, Lifetime};
use crate::protocol::error::ReplyError;

use super::set::SET;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("APPEND", exactly(3), Group::String, Write(append))
        .keys(&[Key::at(1, &["RW", "insert"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), string("value")])
        .doc("2.0.0", "Adds bytes to the end of a string; creates it when absent.", "O(1)"),
    Command::new("SETRANGE", exactly(4), Group::String, Write(setrange))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM)
        .args(&[key("key"), integer("offset"), string("value")])
        .doc("2.2.0", "Overwrites a string from an offset on, filling gaps with zeros.", "O(N)"),
    Command::new("GETDEL", exactly(2), Group::String, Write(getdel))
        .keys(&[Key::at(1, &["RW", "access", "delete"])])
        .flags(FAST)
        .args(&[key("key")])
        .doc("6.2.0", "Gives the string stored at a key and removes the key.", "O(1)"),
    Command::new("GETSET", exactly(3), Group::String, Write(getset))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), string("value")])
        .deprecated("6.2.0", "`SET` with the `!GET` argument")
        .doc("1.0.0", "Stores a string and gives the one that was there.", "O(1)"),
    Command::new("GETEX", at_least(2), Group::String, Write(getex))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(FAST)
        .args(&[
            key("key"),
            one_of(
                "expiration",
                &[
                    integer("seconds").token("EX"),
                    integer("milliseconds").token("PX"),
                    unix_time("unix-time-seconds").token("EXAT"),
                    unix_time("unix-time-milliseconds").token("PXAT"),
                    pure("persist", "PERSIST"),
                ],
            )
            .optional(),
        ])
        .doc("6.2.0", "Gives the string stored at a key and changes its deadline.", "O(1)"),
];

const APPEND: Event = Event::string("append");
const SETRANGE: Event = Event::string("setrange");
const DEL: Event = Event::generic("del");
const PERSIST: Event = Event::generic("persist");
const OFFSET: ReplyError = ReplyError::Fixed("ERR offset is out of range");

fn append(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, tail) = (cx.args.bytes()?, cx.args.bytes()?);
    let (limit, whole) = (cx.limits.bulk_len_max, text::word(&cx.args, 2));

    let len = cx.keys.edit_string(key, |slot| {
        let Some(value) = slot.value() else {
            slot.put(whole);
            return Ok((tail.len(), Change::Did(APPEND, 1)));
        };
        let len = text::len(value) + tail.len();
        if len > limit {
            return Err(ReplyError::StringTooLong);
        }
        slot.bytes_mut().extend_from_slice(tail);
        Ok((len, Change::Did(APPEND, 1)))
    })?;

    cx.reply.count(len);
    Ok(Flow::Replied)
}

fn setrange(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, offset, patch) = (cx.args.bytes()?, cx.args.int()?, cx.args.bytes()?);
    let offset = usize::try_from(offset).map_err(|_| OFFSET)?;
    let limit = cx.limits.bulk_len_max;

    let len = cx.keys.edit_string(key, |slot| {
        let len = slot.value().map_or(0, text::len);
        if patch.is_empty() {
            return Ok((len, Change::None));
        }
        let end = offset.saturating_add(patch.len());
        if end > limit {
            return Err(ReplyError::StringTooLong);
        }
        let bytes = slot.bytes_mut();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset..end].copy_from_slice(patch);
        Ok((bytes.len(), Change::Did(SETRANGE, 1)))
    })?;

    cx.reply.count(len);
    Ok(Flow::Replied)
}

fn getdel(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;

    cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        let Some(value) = slot.value() else {
            cx.reply.null();
            return Ok(((), Change::None));
        };
        text::write(&mut cx.reply, value);
        slot.remove();
        Ok(((), Change::Did(DEL, 1)))
    })?;
    Ok(Flow::Replied)
}

fn getset(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, value) = (cx.args.bytes()?, text::word(&cx.args, 2));

    cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        text::write_or_null(&mut cx.reply, slot.value());
        slot.put(value);
        slot.set_lifetime(Lifetime::Forever);
        Ok(((), Change::Did(SET, 1)))
    })?;
    Ok(Flow::Replied)
}

fn getex(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let mut expiry = None;
    let mut persists = false;
    while !cx.args.is_done() {
        if !persists && let Some(read) = Expiry::accept(&mut cx.args, expiry)? {
            expiry = Some(read);
        } else if expiry.is_none() && cx.args.accept("PERSIST") {
            persists = true;
        } else {
            return Err(ReplyError::Syntax);
        }
    }

    let reader = cx.keys.reader();
    let Some(value) = reader.string(key)? else {
        // Clients see null before they see a bad number.
        cx.reply.null();
        return Ok(Flow::Replied);
    };
    let now = reader.now();
    let deadline = expiry.map(|expiry| expiry.resolve(now, "getex")).transpose()?;
    text::write(&mut cx.reply, value);

    match deadline {
        Some(at) if at <= now => {
            cx.keys.remove(key, Free::Later, DEL);
        }
        Some(at) => {
            cx.keys.set_deadline(key, Some(at), EXPIRE);
        }
        None if persists && matches!(reader.deadline(key), Some(Some(_))) => {
            cx.keys.set_deadline(key, None, PERSIST);
        }
        None => {}
    }
    Ok(Flow::Replied)
}
