//! Strings as numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.

use crate::base::long_double::LongDouble;
use crate::base::number::parse_int;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{Command, DENY_OOM, FAST, Group, Key, double, exactly, integer, key};
use crate::families::text;
use crate::keyspace::journal::{Change, Event};
use crate::keyspace::value::{NewString, StringRef};
use crate::protocol::error::ReplyError;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("INCR", exactly(2), Group::String, Write(incr))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key")])
        .doc("1.0.0", "Adds one to the integer at a key; a missing key counts as 0.", "O(1)"),
    Command::new("DECR", exactly(2), Group::String, Write(decr))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key")])
        .doc("1.0.0", "Takes one from the integer at a key; a missing key counts as 0.", "O(1)"),
    Command::new("INCRBY", exactly(3), Group::String, Write(incrby))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), integer("increment")])
        .doc("1.0.0", "Adds to the integer at a key; a missing key counts as 0.", "O(1)"),
    Command::new("DECRBY", exactly(3), Group::String, Write(decrby))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), integer("decrement")])
        .doc("1.0.0", "Takes from the integer at a key; a missing key counts as 0.", "O(1)"),
    Command::new("INCRBYFLOAT", exactly(3), Group::String, Write(incrbyfloat))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), double("increment")])
        .doc("2.6.0", "Adds to the decimal number at a key; a missing key counts as 0.", "O(1)"),
];

/// An integer was added.
pub(super) const INCRBY: Event = Event::string("incrby");
/// A decimal number was added.
pub(super) const INCRBYFLOAT: Event = Event::string("incrbyfloat");

const OVERFLOW: ReplyError = ReplyError::Fixed("ERR increment or decrement would overflow");
const NO_NEGATIVE: ReplyError = ReplyError::Fixed("ERR decrement would overflow");
const NOT_FINITE: ReplyError = ReplyError::Fixed("ERR increment would produce NaN or Infinity");

/// The integer a string spells; 0 for none.
pub(super) fn integer_of(value: Option<StringRef<'_>>) -> Result<i64, ReplyError> {
    match value {
        None => Ok(0),
        Some(StringRef::Int(number)) => Ok(number),
        Some(StringRef::Inline(bytes)) => parse_int(bytes).ok_or(ReplyError::NotInteger),
        Some(StringRef::Shared(blob)) => parse_int(blob).ok_or(ReplyError::NotInteger),
    }
}

/// The decimal number a string spells; 0 for none.
pub(super) fn decimal_of(value: Option<StringRef<'_>>) -> Result<LongDouble, ReplyError> {
    let mut digits = itoa::Buffer::new();
    let bytes = value.map_or(&b"0"[..], |value| text::as_bytes(value, &mut digits));
    LongDouble::parse(bytes).ok_or(ReplyError::NotFloat)
}

fn incr(cx: &mut WriteCx<'_>) -> CmdResult {
    add(cx, 1)
}

fn decr(cx: &mut WriteCx<'_>) -> CmdResult {
    add(cx, -1)
}

fn incrby(cx: &mut WriteCx<'_>) -> CmdResult {
    let increment = parse_int(cx.args.word(2)).ok_or(ReplyError::NotInteger)?;
    add(cx, increment)
}

fn decrby(cx: &mut WriteCx<'_>) -> CmdResult {
    let decrement = parse_int(cx.args.word(2)).ok_or(ReplyError::NotInteger)?;
    add(cx, decrement.checked_neg().ok_or(NO_NEGATIVE)?)
}

fn add(cx: &mut WriteCx<'_>, increment: i64) -> CmdResult {
    let sum = cx.keys.edit_int(cx.args.word(1), INCRBY, |value| {
        integer_of(value)?.checked_add(increment).ok_or(OVERFLOW)
    })?;

    cx.reply.int(sum);
    Ok(Flow::Replied)
}

fn incrbyfloat(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, increment) = (cx.args.bytes()?, cx.args.bytes()?);

    // Clients see a wrong type before a bad increment.
    cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        let value = decimal_of(slot.value())?;
        let increment = LongDouble::parse(increment).ok_or(ReplyError::NotFloat)?;
        let sum = value.add(increment);
        if !sum.is_finite() {
            return Err(NOT_FINITE);
        }
        let mut digits = Vec::new();
        sum.format(&mut digits);
        slot.put(NewString::Bytes(&digits));
        cx.telling.instead([b"SET", key, &digits, b"KEEPTTL"]);
        cx.reply.bulk(&digits);
        Ok(((), Change::Did(INCRBYFLOAT, 1)))
    })?;
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn integers_are_counted() {
        Bench::new().check(&[
            "incr k => :1",
            "incrby k 5 => :6",
            "decr k => :5",
            "decrby k -2 => :7",
            "incrby k abc => -ERR value is not an integer or out of range",
            "incrby k +5 => -ERR value is not an integer or out of range",
            r#"incrby k " 5" => -ERR value is not an integer or out of range"#,
            "set k 9223372036854775807 => +OK",
            "incr k => -ERR increment or decrement would overflow",
            "decrby k -9223372036854775808 => -ERR decrement would overflow",
            "incrby k -9223372036854775808 => :-1",
            r#"get k => "-1""#,
            "set k abc => +OK",
            "incr k => -ERR value is not an integer or out of range",
            r#"set k " 11" => +OK"#,
            "incr k => -ERR value is not an integer or out of range",
            "set k 007 => +OK",
            "incr k => -ERR value is not an integer or out of range",
            r#"set k "" => +OK"#,
            "incr k => -ERR value is not an integer or out of range",
            "set k 5 EX 100 => +OK",
            "incr k => :6",
            "ttl k => :100",
        ]);
    }

    #[test]
    fn decimals_are_counted() {
        Bench::new().check(&[
            r#"incrbyfloat k 1.5 => "1.5""#,
            r#"incrbyfloat k 1 => "2.5""#,
            r#"incrbyfloat k 0.1 => "2.6""#,
            r#"incrbyfloat k -2.6 => "0""#,
            "set k 3.0e3 => +OK",
            r#"incrbyfloat k 200 => "3200""#,
            "incrbyfloat k abc => -ERR value is not a valid float",
            "incrbyfloat k nan => -ERR value is not a valid float",
            "incrbyfloat k inf => -ERR increment would produce NaN or Infinity",
            r#"incrbyfloat k " 1" => -ERR value is not a valid float"#,
            "incrbyfloat missing abc => -ERR value is not a valid float",
            "exists missing => :0",
            "set k abc => +OK",
            "incrbyfloat k 1 => -ERR value is not a valid float",
            "set k 1.1e4932 => +OK",
            "incrbyfloat k 1.1e4932 => -ERR increment would produce NaN or Infinity",
            "set k 0.1 EX 100 => +OK",
            r#"incrbyfloat k 0.2 => "0.3""#,
            "ttl k => :100",
        ]);
    }
}
