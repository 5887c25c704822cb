//! Fields as numbers: HINCRBY, HINCRBYFLOAT.

use crate::base::long_double::LongDouble;
use crate::base::number::{format_int, parse_int};
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, FAST, Group, Key, double, exactly, integer, key, text,
};
use crate::keyspace::journal::{Change, Event};
use crate::protocol::error::ReplyError;
use crate::types::hash::{Field, Hash, Lifetime, NewValue};

use super::limits;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("HINCRBY", exactly(4), Group::Hash, Write(hincrby))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), text("field"), integer("increment")])
        .doc("2.0.0", "Adds to the integer in a field; a missing field counts as 0.", "O(1)"),
    Command::new("HINCRBYFLOAT", exactly(4), Group::Hash, Write(hincrbyfloat))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), text("field"), double("increment")])
        .doc("2.6.0", "Adds to the decimal number in a field; a missing one counts as 0.", "O(1)"),
];

const HINCRBY: Event = Event::hash("hincrby");
const HINCRBYFLOAT: Event = Event::hash("hincrbyfloat");

const NO_INTEGER: ReplyError = ReplyError::Fixed("ERR hash value is not an integer");
const NO_FLOAT: ReplyError = ReplyError::Fixed("ERR hash value is not a float");
const OVERFLOW: ReplyError = ReplyError::Fixed("ERR increment or decrement would overflow");
const INFINITE: ReplyError = ReplyError::Fixed("ERR value is NaN or Infinity");
const NOT_FINITE: ReplyError = ReplyError::Fixed("ERR increment would produce NaN or Infinity");

/// Puts what `next` makes of a field in its place, keeping the deadline; gives the new text.
fn replace(
    cx: &mut WriteCx<'_>,
    event: Event,
    next: impl FnOnce(Option<Field<'_>>, &mut Vec<u8>) -> Result<(), ReplyError>,
) -> Result<Vec<u8>, ReplyError> {
    let (key, name, limits) = (cx.args.word(1), cx.args.word(2), limits(cx.limits));
    cx.keys.expire_named(key, std::iter::once(name));
    cx.keys.upsert(key, |hash: &mut Hash, epochs| {
        let mut text = Vec::new();
        if let Err(error) = next(hash.get(name), &mut text) {
            return (Err(error), Change::None);
        }
        hash.set(name, NewValue::Bytes(&text), Lifetime::Keep, limits, epochs);
        (Ok(text), Change::Did(event, 1))
    })?
}

fn hincrby(cx: &mut WriteCx<'_>) -> CmdResult {
    let increment = parse_int(cx.args.word(3)).ok_or(ReplyError::NotInteger)?;

    let mut sum = 0;
    replace(cx, HINCRBY, |field, text| {
        let old = field.map_or(Some(0), |field| field.value.as_int()).ok_or(NO_INTEGER)?;
        sum = old.checked_add(increment).ok_or(OVERFLOW)?;
        format_int(sum, text);
        Ok(())
    })?;

    cx.reply.int(sum);
    Ok(Flow::Replied)
}

fn hincrbyfloat(cx: &mut WriteCx<'_>) -> CmdResult {
    let increment = LongDouble::parse(cx.args.word(3)).ok_or(ReplyError::NotFloat)?;
    if !increment.is_finite() {
        return Err(INFINITE);
    }

    let mut has_deadline = false;
    let text = replace(cx, HINCRBYFLOAT, |field, text| {
        has_deadline = field.as_ref().is_some_and(|field| field.deadline.is_some());
        let mut digits = itoa::Buffer::new();
        let old = field.as_ref().map_or(&b"0"[..], |field| field.value.as_text(&mut digits));
        let sum = LongDouble::parse(old).ok_or(NO_FLOAT)?.add(increment);
        if !sum.is_finite() {
            return Err(NOT_FINITE);
        }
        sum.format(text);
        Ok(())
    })?;

    let (key, name) = (cx.args.word(1), cx.args.word(2));
    if has_deadline {
        cx.telling.instead([b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", name, &text]);
    } else {
        cx.telling.instead([b"HSET", key, name, &text]);
    }
    cx.reply.bulk(&text);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn integers_are_counted() {
        Bench::new().check(&[
            "hincrby h n 5 => :5",
            "hincrby h n -7 => :-2",
            "hincrby h n x => -ERR value is not an integer or out of range",
            "hset h s abc sp \" 5\" m 9223372036854775807 empty \"\" => :4",
            "hincrby h s 1 => -ERR hash value is not an integer",
            "hincrby h sp 1 => -ERR hash value is not an integer",
            "hincrby h empty 1 => -ERR hash value is not an integer",
            "hincrby h m 1 => -ERR increment or decrement would overflow",
            "hincrby new n x => -ERR value is not an integer or out of range",
            "exists new => :0",
            "set str 1 => +OK",
            "hincrby str n x => -ERR value is not an integer or out of range",
            "hincrby str n 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn decimals_are_added_exactly() {
        Bench::new().check(&[
            r#"hincrbyfloat h f 1.5 => "1.5""#,
            r#"hincrbyfloat h f 0.1 => "1.6""#,
            "hset h third 0.1 n 9223372036854775807 inf inf s x => :4",
            r#"hincrbyfloat h third 0.2 => "0.3""#,
            r#"hincrbyfloat h n 1.5 => "9223372036854775808""#,
            "hincrbyfloat h n inf => -ERR value is NaN or Infinity",
            "hincrbyfloat h n nan => -ERR value is not a valid float",
            "hincrbyfloat h inf 1 => -ERR increment would produce NaN or Infinity",
            "hincrbyfloat h s 1 => -ERR hash value is not a float",
            "hincrbyfloat h s abc => -ERR value is not a valid float",
            "set str 1 => +OK",
            "hincrbyfloat str n x => -ERR value is not a valid float",
            "hincrbyfloat str n 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn deadline_is_kept() {
        Bench::new().check(&[
            "hset h n 1 f 1 => :2",
            "hpexpire h 100000 fields 2 n f => [:1 :1]",
            "hincrby h n 1 => :2",
            r#"hincrbyfloat h f 0.5 => "1.5""#,
            "hpttl h fields 2 n f => [:100000 :100000]",
            "hset h n 1 => :0",
            "hpttl h fields 2 n f => [:-1 :100000]",
        ]);
    }
}
