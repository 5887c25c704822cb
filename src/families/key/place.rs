//! Where a value is kept: RENAME, RENAMENX, COPY, MOVE.

use crate::base::number::parse_int;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, FAST, Group, Key, at_least, exactly, integer, key, pure,
};
use crate::keyspace::DbIndex;
use crate::protocol::error::ReplyError;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("RENAME", exactly(3), Group::Generic, Write(rename))
        .keys(&[Key::at(1, &["RW", "access", "delete"]), Key::at(2, &["OW", "update"])])
        .categories(&["keyspace"])
        .args(&[key("key"), key("newkey").spec(1)])
        .doc("1.0.0", "Gives a key another name, replacing what had it.", "O(1)"),
    Command::new("RENAMENX", exactly(3), Group::Generic, Write(renamenx))
        .keys(&[Key::at(1, &["RW", "access", "delete"]), Key::at(2, &["OW", "insert"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key"), key("newkey").spec(1)])
        .doc("1.0.0", "Gives a key another name if nothing has it.", "O(1)"),
    Command::new("COPY", at_least(3), Group::Generic, Write(copy))
        .keys(&[Key::at(1, &["RO", "access"]), Key::at(2, &["OW", "update"])])
        .flags(DENY_OOM)
        .categories(&["keyspace"])
        .args(&[
            key("source"),
            key("destination").spec(1),
            integer("destination-db").token("DB").optional(),
            pure("replace", "REPLACE").optional(),
        ])
        .doc("6.2.0", "Copies a value and its deadline to another key.", "O(1)"),
    Command::new("MOVE", exactly(3), Group::Generic, Write(move_key))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key"), integer("db")])
        .doc("1.0.0", "Moves a key to another database.", "O(1)"),
];

const NOT_C_INT: ReplyError =
    ReplyError::Fixed("ERR value is out of range, value must between -2147483648 and 2147483647");

/// Reads the number of a database of which there are `count`.
fn read_db(word: &[u8], count: u16) -> Result<DbIndex, ReplyError> {
    let number = parse_int(word).ok_or(ReplyError::NotInteger)?;
    let number = i32::try_from(number).map_err(|_| NOT_C_INT)?;
    let index = u16::try_from(number).ok().filter(|index| *index < count);
    index.map(DbIndex).ok_or(ReplyError::DbOutOfRange)
}

fn rename(cx: &mut WriteCx<'_>) -> CmdResult {
    let (source, target) = (cx.args.bytes()?, cx.args.bytes()?);
    if cx.keys.reader().kind(source).is_none() {
        return Err(ReplyError::NoSuchKey);
    }

    if source != target {
        cx.keys.rename(source, target);
    }

    cx.reply.ok();
    Ok(Flow::Replied)
}

fn renamenx(cx: &mut WriteCx<'_>) -> CmdResult {
    let (source, target) = (cx.args.bytes()?, cx.args.bytes()?);
    let reader = cx.keys.reader();
    if reader.kind(source).is_none() {
        return Err(ReplyError::NoSuchKey);
    }
    let is_free = reader.kind(target).is_none();

    let is_renamed = is_free && cx.keys.rename(source, target);

    cx.reply.flag(is_renamed);
    Ok(Flow::Replied)
}

fn copy(cx: &mut WriteCx<'_>) -> CmdResult {
    let (source, target) = (cx.args.bytes()?, cx.args.bytes()?);
    let mut db = cx.keys.db();
    let mut replaces = false;
    while !cx.args.is_done() {
        if cx.args.accept("REPLACE") {
            replaces = true;
        } else if cx.args.accept("DB") {
            db = read_db(cx.args.bytes()?, cx.keys.db_count())?;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    if db == cx.keys.db() && source == target {
        return Err(ReplyError::SameObject);
    }

    let is_there = cx.keys.reader().contains(source);
    let is_free = replaces || cx.keys.other(db).reader().kind(target).is_none();
    let is_copied = is_there && is_free && cx.keys.copy(source, db, target);

    cx.reply.flag(is_copied);
    Ok(Flow::Replied)
}

fn move_key(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let db = read_db(cx.args.bytes()?, cx.keys.db_count())?;
    if db == cx.keys.db() {
        return Err(ReplyError::SameObject);
    }

    let is_free = cx.keys.other(db).reader().kind(key).is_none();
    let is_moved = is_free && cx.keys.move_to(key, db);

    cx.reply.flag(is_moved);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn keys_are_renamed() {
        Bench::new().check(&[
            "rename k k => -ERR no such key",
            "renamenx k x => -ERR no such key",
            "set k v EX 100 => +OK",
            "rename k k => +OK",
            "renamenx k k => :0",
            "rename k k2 => +OK",
            "ttl k2 => :100",
            "exists k => :0",
            "set k3 x => +OK",
            "renamenx k2 k3 => :0",
            "rename k3 k2 => +OK",
            "ttl k2 => :-1",
            "renamenx k2 k3 => :1",
            r#"get k3 => "x""#,
        ]);
    }

    #[test]
    fn values_are_copied() {
        Bench::new().check(&[
            "copy k k => -ERR source and destination objects are the same",
            "copy k x => :0",
            "set k v EX 100 => +OK",
            "copy k k db 0 replace => -ERR source and destination objects are the same",
            "copy k k db 1 => :1",
            "copy k k db 1 => :0",
            "copy k k db 1 replace => :1",
            "copy k c => :1",
            "ttl c => :100",
            "copy k c => :0",
            "copy k c replace replace => :1",
            "copy k c db 16 => -ERR DB index is out of range",
            "copy k c db -1 => -ERR DB index is out of range",
            "copy k c db a => -ERR value is not an integer or out of range",
            "copy k c db 99999999999 => -ERR value is out of range, value must between -2147483648 and 2147483647",
            "copy k c foo => -ERR syntax error",
            "copy k c db => -ERR syntax error",
            "append k x => :2",
            r#"get c => "v""#,
        ]);
    }

    #[test]
    fn keys_are_moved() {
        Bench::new().check(&[
            "move k 0 => -ERR source and destination objects are the same",
            "move k 16 => -ERR DB index is out of range",
            "move k a => -ERR value is not an integer or out of range",
            "move k -1 => -ERR DB index is out of range",
            "move k 99999999999 => -ERR value is out of range, value must between -2147483648 and 2147483647",
            "move k 1 => :0",
            "set k v => +OK",
            "copy k k db 1 => :1",
            "move k 1 => :0",
            "move k 2 => :1",
            "exists k => :0",
        ]);
    }
}
