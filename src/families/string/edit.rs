//! Changing strings in place: APPEND, SETRANGE; taking them away: GETDEL, GETSET, GETEX.

use crate::base::number::digits;
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
        slot.count_lookup();
        let Some(value) = slot.value() else {
            cx.reply.null();
            return Ok(((), Change::None));
        };
        text::write(&mut cx.reply, value);
        slot.remove();
        cx.telling.instead([&b"DEL"[..], key]);
        Ok(((), Change::Did(DEL, 1)))
    })?;
    Ok(Flow::Replied)
}

fn getset(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, value) = (cx.args.bytes()?, text::word(&cx.args, 2));

    cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        slot.count_lookup();
        text::write_or_null(&mut cx.reply, slot.value());
        slot.put(value);
        slot.set_lifetime(Lifetime::Forever);
        cx.telling.instead([b"SET", key, cx.args.word(2)]);
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
        Some(at) if cx.keys.is_over(at) => {
            cx.keys.remove(key, Free::Later, DEL);
            cx.telling.instead([&b"DEL"[..], key]);
        }
        Some(at) => {
            cx.keys.set_deadline(key, Some(at), EXPIRE);
            cx.telling.instead([b"PEXPIREAT", key, digits(at.0).as_bytes()]);
        }
        None if persists && matches!(reader.deadline(key), Some(Some(_))) => {
            cx.keys.set_deadline(key, None, PERSIST);
            cx.telling.instead([&b"PERSIST"[..], key]);
        }
        None => {}
    }
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn bytes_are_appended() {
        Bench::new().check(&[
            "append k 12 => :2",
            "append k 3 => :3",
            r#"append k "" => :3"#,
            r#"get k => "123""#,
            r#"object encoding k => "raw""#,
            r#"append new "" => :0"#,
            "exists new => :1",
            "incr k => :124",
        ]);
    }

    #[test]
    fn ranges_are_overwritten() {
        Bench::new().check(&[
            "set k Hello => +OK",
            "setrange k 2 XX => :5",
            r#"get k => "HeXXo""#,
            "setrange k 7 ! => :8",
            r#"get k => "HeXXo\x00\x00!""#,
            "setrange k -1 x => -ERR offset is out of range",
            "setrange k a x => -ERR value is not an integer or out of range",
            "setrange k 536870912 x => -ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            "setrange k 9223372036854775807 x => -ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            r#"setrange k 9223372036854775807 "" => :8"#,
            r#"setrange missing 5 "" => :0"#,
            "exists missing => :0",
            "setrange gap 3 a => :4",
            r#"get gap => "\x00\x00\x00a""#,
            "set i 12345 => +OK",
            "setrange i 1 9 => :5",
            r#"object encoding i => "raw""#,
        ]);
    }

    #[test]
    fn values_are_given_and_taken() {
        Bench::new().check(&[
            "getdel k => nil",
            "set k v EX 100 => +OK",
            r#"getset k w => "v""#,
            "ttl k => :-1",
            r#"getdel k => "w""#,
            "exists k => :0",
            "getset k v => nil",
            r#"get k => "v""#,
        ]);
    }

    #[test]
    fn getex_changes_the_deadline_only() {
        Bench::new().check(&[
            "getex k => nil",
            "getex k ex 0 => nil",
            "getex k ex abc => nil",
            "set k v => +OK",
            r#"getex k => "v""#,
            r#"getex k ex 100 => "v""#,
            "ttl k => :100",
            r#"getex k persist => "v""#,
            "ttl k => :-1",
            r#"getex k persist => "v""#,
            "getex k persist ex 10 => -ERR syntax error",
            "getex k ex 10 persist => -ERR syntax error",
            "getex k ex 10 px 10 => -ERR syntax error",
            "getex k ex => -ERR syntax error",
            "getex k foo => -ERR syntax error",
            "getex k keepttl => -ERR syntax error",
            "getex k ex abc => -ERR value is not an integer or out of range",
            "getex k ex -1 => -ERR invalid expire time in 'getex' command",
            r#"getex k pxat 9223372036854775807 => "v""#,
            r#"getex k exat 1 => "v""#,
            "exists k => :0",
        ]);
    }

    #[test]
    fn no_string_outgrows_the_limit() {
        let mut bench = Bench::new();
        bench.limits.bulk_len_max = 8;
        bench.check(&[
            "append k 1234567 => :7",
            "append k 89 => -ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            "setrange k 7 8 => :8",
            "setrange k 8 9 => -ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            r#"get k => "12345678""#,
        ]);
    }
}
