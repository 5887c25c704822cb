//! INCREX: a counter with bounds and a deadline, as rate limiters need it.

use crate::base::long_double::LongDouble;
use crate::base::number::{digits, parse_double, parse_int};
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::propagate::Telling;
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, FAST, Group, Key, at_least, double, integer, key, one_of, pure,
    text as string, unix_time,
};
use crate::families::deadline::Expiry;
use crate::keyspace::journal::{Change, EXPIRE, Event};
use crate::keyspace::value::NewString;
use crate::keyspace::write::{Lifetime, StringEdit};
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;

use super::number::{INCRBY, INCRBYFLOAT, decimal_of, integer_of};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] =
    &[Command::new("INCREX", at_least(2), Group::String, Write(increx))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[
            key("key"),
            one_of(
                "increment",
                &[
                    double("float-increment").token("BYFLOAT"),
                    integer("integer-increment").token("BYINT"),
                ],
            )
            .optional(),
            string("lower-bound").token("LBOUND").optional(),
            string("upper-bound").token("UBOUND").optional(),
            pure("saturate", "SATURATE").optional(),
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
            pure("enx", "ENX").optional(),
        ])
        .doc("8.8.0", "Adds to a number within bounds and sets its deadline.", "O(1)")];

const DEL: Event = Event::generic("del");
const PERSIST: Event = Event::generic("persist");

const BOUNDS: ReplyError = ReplyError::Fixed("ERR LBOUND can't be greater than UBOUND");
const ENX_ALONE: ReplyError = ReplyError::Fixed("ERR ENX flag requires an expiration");
const BAD_INT: ReplyError = ReplyError::Fixed("ERR Increment is not an integer or out of range");
const BAD_FLOAT: ReplyError = ReplyError::Fixed("ERR Increment is not a valid float");
const INFINITE_INCREMENT: ReplyError =
    ReplyError::Fixed("ERR BYFLOAT increment cannot be Infinity");
const INFINITE_VALUE: ReplyError = ReplyError::Fixed("ERR value cannot be Infinity");
const INFINITE_APPLIED: ReplyError = ReplyError::Fixed("ERR applied increment would be Infinity");
const APPLIED_OVERFLOW: ReplyError = ReplyError::Fixed("ERR applied increment would overflow");

/// The options as they stand in the request; numbers are read once their kind is known.
#[derive(Default)]
struct Options<'a> {
    by_int: Option<&'a [u8]>,
    by_float: Option<&'a [u8]>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturates: bool,
    expiry: Option<Expiry<'a>>,
    persists: bool,
    keeps_deadline: bool,
}

impl<'a> Options<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let mut options = Self::default();
        while !args.is_done() {
            if args.accept("BYINT") {
                options.by_int = Some(args.bytes()?);
            } else if args.accept("BYFLOAT") {
                options.by_float = Some(args.bytes()?);
            } else if args.accept("LBOUND") {
                options.lower = Some(args.bytes()?);
            } else if args.accept("UBOUND") {
                options.upper = Some(args.bytes()?);
            } else if args.accept("SATURATE") {
                options.saturates = true;
            } else if args.accept("ENX") {
                options.keeps_deadline = true;
            } else if args.accept("PERSIST") {
                options.persists = true;
            } else if let Some(expiry) = Expiry::accept(args, options.expiry)? {
                options.expiry = Some(expiry);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        let is_torn = options.by_int.is_some() && options.by_float.is_some()
            || options.persists && (options.expiry.is_some() || options.keeps_deadline);
        if is_torn {
            return Err(ReplyError::Syntax);
        }
        if options.keeps_deadline && options.expiry.is_none() {
            return Err(ENX_ALONE);
        }
        Ok(options)
    }
}

fn increx(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let options = Options::read(&mut cx.args)?;
    let counter = Counter::read(&options)?;
    let now = cx.keys.now();
    let deadline = options.expiry.map(|expiry| expiry.resolve(now, "increx")).transpose()?;
    let is_over = deadline.is_some_and(|at| cx.keys.is_over(at));

    cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        let Some(event) = counter.step(slot, &mut cx.reply)? else {
            return Ok(((), Change::None));
        };
        let change = settle_deadline(slot, &options, deadline, is_over, event);
        if cx.telling.is_heard() {
            tell(cx.telling, key, slot);
        }
        Ok(((), change))
    })?;
    Ok(Flow::Replied)
}

/// Tells what the counter has become.
fn tell(telling: &mut Telling, key: &[u8], slot: &StringEdit<'_>) {
    let mut text = itoa::Buffer::new();
    let Some(value) = slot.value() else {
        telling.instead([&b"DEL"[..], key]);
        return;
    };
    let value = crate::families::text::as_bytes(value, &mut text);
    match slot.deadline() {
        Some(at) => telling.instead([b"SET", key, value, b"PXAT", digits(at.0).as_bytes()]),
        None => telling.instead([b"SET", key, value]),
    }
}

/// What the options make of the deadline of a counter that was just changed.
fn settle_deadline(
    slot: &mut StringEdit<'_>,
    options: &Options<'_>,
    deadline: Option<UnixMillis>,
    is_over: bool,
    event: Event,
) -> Change {
    let has_deadline = slot.deadline().is_some();
    match deadline {
        Some(at) if !(options.keeps_deadline && has_deadline) => {
            if is_over {
                slot.remove();
                return Change::Did(DEL, 1);
            }
            slot.set_lifetime(Lifetime::Until(at));
            Change::Both(event, EXPIRE, 1)
        }
        None if options.persists && has_deadline => {
            slot.set_lifetime(Lifetime::Forever);
            Change::Both(event, PERSIST, 1)
        }
        _ => Change::Did(event, 1),
    }
}

/// How far a counter goes and between which bounds.
enum Counter {
    Integer {
        by: i64,
        lower: i64,
        upper: i64,
        saturates: bool,
    },
    Decimal {
        by: LongDouble,
        lower: Option<LongDouble>,
        upper: Option<LongDouble>,
        saturates: bool,
    },
}

impl Counter {
    fn read(options: &Options<'_>) -> Result<Self, ReplyError> {
        let saturates = options.saturates;
        let Some(by) = options.by_float else {
            let by = options.by_int.map_or(Ok(1), |by| parse_int(by).ok_or(BAD_INT))?;
            let bound = |bound: Option<&[u8]>, otherwise| {
                bound.map_or(Ok(otherwise), |bound| parse_int(bound).ok_or(ReplyError::NotInteger))
            };
            let (lower, upper) = (bound(options.lower, i64::MIN)?, bound(options.upper, i64::MAX)?);
            if lower > upper {
                return Err(BOUNDS);
            }
            return Ok(Self::Integer { by, lower, upper, saturates });
        };
        let by = LongDouble::parse(by).ok_or(BAD_FLOAT)?;
        if !by.is_finite() {
            return Err(INFINITE_INCREMENT);
        }
        let bound = |bound: Option<&[u8]>| {
            bound.map(|bound| LongDouble::parse(bound).ok_or(ReplyError::NotFloat)).transpose()
        };
        let (lower, upper) = (bound(options.lower)?, bound(options.upper)?);
        if let (Some(lower), Some(upper)) = (lower, upper)
            && upper.is_below(lower)
        {
            return Err(BOUNDS);
        }
        Ok(Self::Decimal { by, lower, upper, saturates })
    }

    /// Counts on and replies with the new value and the difference; the event when it changed.
    fn step(
        &self,
        slot: &mut StringEdit<'_>,
        reply: &mut Reply<'_>,
    ) -> Result<Option<Event>, ReplyError> {
        match *self {
            Self::Integer { by, lower, upper, saturates } => {
                let old = integer_of(slot.value())?;
                let sum = i128::from(old) + i128::from(by);
                let held = sum.clamp(i128::from(lower), i128::from(upper));
                let (new, applied) = if held == sum || saturates {
                    (held, held - i128::from(old))
                } else {
                    (i128::from(old), 0)
                };
                let applied = i64::try_from(applied).map_err(|_| APPLIED_OVERFLOW)?;
                let new = i64::try_from(new).map_err(|_| APPLIED_OVERFLOW)?;
                reply.array(2);
                reply.int(new);
                reply.int(applied);
                if held != sum && !saturates {
                    return Ok(None);
                }
                slot.put(NewString::Int(new));
                Ok(Some(INCRBY))
            }
            Self::Decimal { by, lower, upper, saturates } => {
                let old = decimal_of(slot.value())?;
                let sum = old.add(by);
                let held = match (lower, upper) {
                    (Some(lower), _) if sum.is_below(lower) => lower,
                    (_, Some(upper)) if upper.is_below(sum) => upper,
                    _ => sum,
                };
                if held != sum && !saturates {
                    reply.array(2);
                    write_decimal(reply, old);
                    write_decimal(reply, by.add(by.negated()));
                    return Ok(None);
                }
                if !held.is_finite() {
                    return Err(INFINITE_VALUE);
                }
                let applied = if held == sum { by } else { held.add(old.negated()) };
                if !applied.is_finite() {
                    return Err(INFINITE_APPLIED);
                }
                let mut digits = Vec::new();
                held.format(&mut digits);
                slot.put(NewString::Bytes(&digits));
                reply.array(2);
                write_decimal(reply, held);
                write_decimal(reply, applied);
                Ok(Some(INCRBYFLOAT))
            }
        }
    }
}

/// A decimal number: its digits in RESP2, a double in RESP3.
fn write_decimal(reply: &mut Reply<'_>, value: LongDouble) {
    let mut digits = Vec::new();
    value.format(&mut digits);
    match parse_double(&digits).filter(|_| reply.is_resp3()) {
        Some(value) => reply.double(value),
        None => reply.bulk(&digits),
    }
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    #[test]
    fn counters_stay_within_their_bounds() {
        Bench::new().check(&[
            "increx k => [:1 :1]",
            "increx k BYINT 4 UBOUND 5 => [:5 :4]",
            "increx k UBOUND 5 => [:5 :0]",
            "increx k BYINT 9 UBOUND 7 SATURATE => [:7 :2]",
            "increx k BYINT -9 LBOUND 0 SATURATE => [:0 :-7]",
            "increx k BYINT 9223372036854775807 => [:9223372036854775807 :9223372036854775807]",
            "increx k => [:9223372036854775807 :0]",
            "increx k SATURATE => [:9223372036854775807 :0]",
            "set k -9223372036854775808 => +OK",
            "increx k LBOUND 1 SATURATE => -ERR applied increment would overflow",
            "set k abc => +OK",
            "increx k => -ERR value is not an integer or out of range",
        ]);
    }

    #[test]
    fn decimals_stay_within_their_bounds() {
        let mut bench = Bench::new();
        bench.check(&[
            "set k 4 => +OK",
            r#"increx k BYFLOAT 1.5 => ["5.5" "1.5"]"#,
            r#"increx k BYFLOAT 1.5 UBOUND 6 => ["5.5" "0"]"#,
            r#"increx k BYFLOAT 1.5 UBOUND 6.25 SATURATE => ["6.25" "0.75"]"#,
            r#"increx k BYFLOAT -9 LBOUND -1 SATURATE => ["-1" "-7.25"]"#,
            "increx k BYFLOAT inf => -ERR BYFLOAT increment cannot be Infinity",
            "increx k BYFLOAT x => -ERR Increment is not a valid float",
        ]);
        bench.dialect = Dialect::Resp3;
        bench.check(&["increx k BYFLOAT 2.5 => [,1.5 ,2.5]"]);
    }

    #[test]
    fn options_are_checked_before_anything_happens() {
        Bench::new().check(&[
            "increx k BYINT x => -ERR Increment is not an integer or out of range",
            "increx k BYINT 1 BYFLOAT 1 => -ERR syntax error",
            "increx k EX 1 PX 1 => -ERR syntax error",
            "increx k EX 1 PERSIST => -ERR syntax error",
            "increx k ENX PERSIST => -ERR syntax error",
            "increx k ENX => -ERR ENX flag requires an expiration",
            "increx k LBOUND 2 UBOUND 1 => -ERR LBOUND can't be greater than UBOUND",
            "increx k EX 0 => -ERR invalid expire time in 'increx' command",
            "increx k FOO => -ERR syntax error",
            "exists k => :0",
        ]);
    }

    #[test]
    fn deadlines_are_set_once_or_each_time() {
        Bench::new().check(&[
            "increx k EX 100 => [:1 :1]",
            "increx k => [:2 :1]",
            "ttl k => :100",
            "increx k EX 50 ENX => [:3 :1]",
            "ttl k => :100",
            "increx k EX 50 UBOUND 3 => [:3 :0]",
            "ttl k => :100",
            "increx k EX 50 => [:4 :1]",
            "ttl k => :50",
            "increx k PERSIST => [:5 :1]",
            "ttl k => :-1",
            "increx k EXAT 1 => [:6 :1]",
            "exists k => :0",
        ]);
    }
}
