//! Deadlines of fields: HEXPIRE and its relatives, HTTL and its relatives, HPERSIST.

use crate::base::number::{digits, parse_int};
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::propagate::Telling;
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Arg, Command, FAST, Group, Key, at_least, block, integer, key, one_of, pure, text, unix_time,
};
use crate::families::deadline::Clock;
use crate::keyspace::journal::Change;
use crate::protocol::error::ReplyError;
use crate::types::hash::Hash;

use super::{HDEL, HEXPIRE, HPERSIST, NOT_POSITIVE, check_type, named_fields};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("HEXPIRE", at_least(6), Group::Hash, Write(hexpire))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .args(&[key("key"), integer("seconds"), CONDITION, FIELDS])
        .doc("7.4.0", "Lets fields go after some seconds.", "O(N)"),
    Command::new("HPEXPIRE", at_least(6), Group::Hash, Write(hpexpire))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .args(&[key("key"), integer("milliseconds"), CONDITION, FIELDS])
        .doc("7.4.0", "Lets fields go after some milliseconds.", "O(N)"),
    Command::new("HEXPIREAT", at_least(6), Group::Hash, Write(hexpireat))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .args(&[key("key"), unix_time("unix-time-seconds"), CONDITION, FIELDS])
        .doc("7.4.0", "Lets fields go at a Unix time in seconds.", "O(N)"),
    Command::new("HPEXPIREAT", at_least(6), Group::Hash, Write(hpexpireat))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .args(&[key("key"), unix_time("unix-time-milliseconds"), CONDITION, FIELDS])
        .doc("7.4.0", "Lets fields go at a Unix time in milliseconds.", "O(N)"),
    Command::new("HTTL", at_least(5), Group::Hash, Read(httl))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), FIELDS])
        .tips(&["nondeterministic_output"])
        .doc("7.4.0", "Tells how many seconds fields still have.", "O(N)"),
    Command::new("HPTTL", at_least(5), Group::Hash, Read(hpttl))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), FIELDS])
        .tips(&["nondeterministic_output"])
        .doc("7.4.0", "Tells how many milliseconds fields still have.", "O(N)"),
    Command::new("HEXPIRETIME", at_least(5), Group::Hash, Read(hexpiretime))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), FIELDS])
        .doc("7.4.0", "Tells the Unix times in seconds at which fields go.", "O(N)"),
    Command::new("HPEXPIRETIME", at_least(5), Group::Hash, Read(hpexpiretime))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), FIELDS])
        .doc("7.4.0", "Tells the Unix times in milliseconds at which fields go.", "O(N)"),
    Command::new("HPERSIST", at_least(5), Group::Hash, Write(hpersist))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .args(&[key("key"), FIELDS])
        .doc("7.4.0", "Takes the deadlines from fields: they stay.", "O(N)"),
];

const CONDITION: Arg =
    one_of("condition", &[pure("nx", "NX"), pure("xx", "XX"), pure("gt", "GT"), pure("lt", "LT")])
        .optional();

/// Fields behind their number.
pub(super) const FIELDS: Arg =
    block("fields", &[integer("numfields"), text("field").repeated()]).token("FIELDS");

/// Later moments are refused: Redis keeps 46 bits of milliseconds.
const DEADLINE_MAX: i64 = (1 << 46) - 1;

const NEGATIVE: ReplyError = ReplyError::Fixed("ERR invalid expire time, must be >= 0");
const NO_NUMBER: ReplyError =
    ReplyError::Fixed("ERR Parameter `numFields` should be greater than 0");

/// What is answered for a field.
mod code {
    pub(super) const NO_FIELD: i64 = -2;
    pub(super) const NO_DEADLINE: i64 = -1;
    pub(super) const NOT_ADMITTED: i64 = 0;
    pub(super) const DONE: i64 = 1;
    pub(super) const REMOVED: i64 = 2;
}

/// Reads the next word as a deadline of fields, in the name of `command`.
pub(super) fn read_deadline(
    args: &mut Args<'_>,
    clock: Clock,
    now: UnixMillis,
    command: &str,
) -> Result<UnixMillis, ReplyError> {
    let number = parse_int(args.bytes()?).ok_or(ReplyError::NotInteger)?;
    if number < 0 {
        return Err(NEGATIVE);
    }
    let deadline = clock.at(number, now).filter(|at| at.0 <= DEADLINE_MAX);
    deadline.ok_or_else(|| ReplyError::InvalidExpire(command.into()))
}

/// Which deadlines may be replaced.
#[derive(Clone, Copy, PartialEq)]
enum Condition {
    Always,
    Absent,
    Present,
    Later,
    Earlier,
}

impl Condition {
    fn read(args: &mut Args<'_>) -> Self {
        const WORDS: [(&str, Condition); 4] = [
            ("NX", Condition::Absent),
            ("XX", Condition::Present),
            ("GT", Condition::Later),
            ("LT", Condition::Earlier),
        ];
        let read = WORDS.into_iter().find(|(word, _)| args.accept(word));
        read.map_or(Self::Always, |(_, condition)| condition)
    }

    /// Whether `new` may replace `old`. No deadline counts as the end of all time.
    fn admits(self, old: Option<UnixMillis>, new: UnixMillis) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => old.is_none(),
            Self::Present => old.is_some(),
            Self::Later => old.is_some_and(|old| new > old),
            Self::Earlier => old.is_none_or(|old| new < old),
        }
    }
}

fn hexpire(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadlines(cx, Clock::SECONDS, "hexpire")
}

fn hpexpire(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadlines(cx, Clock::MILLIS, "hpexpire")
}

fn hexpireat(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadlines(cx, Clock::UNIX_SECONDS, "hexpireat")
}

fn hpexpireat(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadlines(cx, Clock::UNIX_MILLIS, "hpexpireat")
}

fn set_deadlines(cx: &mut WriteCx<'_>, clock: Clock, command: &str) -> CmdResult {
    let key = cx.args.bytes()?;
    check_type(&cx.keys, key)?;
    let deadline = read_deadline(&mut cx.args, clock, cx.keys.now(), command)?;
    let condition = Condition::read(&mut cx.args);
    let names = named_fields(&mut cx.args, NO_NUMBER)?;
    let is_over = cx.keys.is_over(deadline);

    cx.keys.expire_named(key, names.clone());
    let codes = cx.keys.update(key, |hash: &mut Hash, epochs| {
        hash.allow_deadlines();
        let set = |name: &[u8]| {
            let Some(field) = hash.get(name) else { return code::NO_FIELD };
            if !condition.admits(field.deadline, deadline) {
                code::NOT_ADMITTED
            } else if is_over {
                hash.remove(name, epochs);
                code::REMOVED
            } else {
                hash.set_deadline(name, Some(deadline), epochs);
                code::DONE
            }
        };
        let codes: Vec<i64> = names.clone().map(set).collect();
        let done = codes.iter().filter(|code| **code > code::NOT_ADMITTED).count() as u64;
        let change = match done {
            0 => Change::None,
            _ => Change::Did(if is_over { HDEL } else { HEXPIRE }, done),
        };
        (codes, change)
    })?;

    if let Some(codes) = &codes {
        let done = names.clone().zip(codes).filter(|(_, code)| **code > code::NOT_ADMITTED);
        let done: Vec<&[u8]> = done.map(|(name, _)| name).collect();
        tell(cx.telling, key, &done, (!is_over).then_some(deadline));
    }
    write_codes(cx, codes, names.len());
    Ok(Flow::Replied)
}

/// Tells that fields got a deadline, or went because it had passed.
pub(super) fn tell(
    telling: &mut Telling,
    key: &[u8],
    names: &[&[u8]],
    deadline: Option<UnixMillis>,
) {
    if !telling.is_heard() || names.is_empty() {
        return;
    }
    let Some(at) = deadline else {
        telling.instead([&[b"HDEL", key], names].concat());
        return;
    };
    let (at, count) = (digits(at.0), digits(names.len()));
    let head: [&[u8]; 5] = [b"HPEXPIREAT", key, at.as_bytes(), b"FIELDS", count.as_bytes()];
    telling.instead([&head, names].concat());
}

fn write_codes(cx: &mut WriteCx<'_>, codes: Option<Vec<i64>>, fields: usize) {
    cx.reply.array(fields);
    for code in codes.unwrap_or_else(|| vec![code::NO_FIELD; fields]) {
        cx.reply.int(code);
    }
}

fn hpersist(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    check_type(&cx.keys, key)?;
    let names = named_fields(&mut cx.args, NOT_POSITIVE)?;

    cx.keys.expire_named(key, names.clone());
    let codes = cx.keys.update(key, |hash: &mut Hash, epochs| {
        let persist = |name: &[u8]| match hash.get(name).map(|field| field.deadline) {
            None => code::NO_FIELD,
            Some(None) => code::NO_DEADLINE,
            Some(Some(_)) => {
                hash.set_deadline(name, None, epochs);
                code::DONE
            }
        };
        let codes: Vec<i64> = names.clone().map(persist).collect();
        let change = match codes.iter().filter(|code| **code == code::DONE).count() {
            0 => Change::None,
            done => Change::Did(HPERSIST, done as u64),
        };
        (codes, change)
    })?;

    write_codes(cx, codes, names.len());
    Ok(Flow::Replied)
}

fn httl(cx: &mut ReadCx<'_>) -> CmdResult {
    let now = cx.keys.now();
    write_deadlines(cx, |at| to_seconds(at.0.saturating_sub(now.0)))
}

fn hpttl(cx: &mut ReadCx<'_>) -> CmdResult {
    let now = cx.keys.now();
    write_deadlines(cx, |at| at.0.saturating_sub(now.0))
}

fn hexpiretime(cx: &mut ReadCx<'_>) -> CmdResult {
    write_deadlines(cx, |at| to_seconds(at.0))
}

fn hpexpiretime(cx: &mut ReadCx<'_>) -> CmdResult {
    write_deadlines(cx, |at| at.0)
}

/// To the next second. TTL of keys rounds to the nearest; clients see the difference.
fn to_seconds(millis: i64) -> i64 {
    millis.saturating_add(999) / 1000
}

fn write_deadlines(cx: &mut ReadCx<'_>, show: impl Fn(UnixMillis) -> i64) -> CmdResult {
    let hash = cx.keys.get::<Hash>(cx.args.bytes()?)?;
    let names = named_fields(&mut cx.args, NOT_POSITIVE)?;
    let now = cx.keys.horizon();

    cx.reply.array(names.len());
    for name in names {
        let field = hash.and_then(|hash| hash.get_live(name, now));
        cx.reply.int(match field.map(|field| field.deadline) {
            None => code::NO_FIELD,
            Some(None) => code::NO_DEADLINE,
            Some(Some(at)) => show(at),
        });
    }
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::base::time::UnixMillis;
    use crate::families::bench::Bench;
    use crate::keyspace::Expiry;

    fn bench(entries: usize) -> Bench {
        let mut bench = Bench::new();
        bench.limits.encodings.hash_pack_entries = entries;
        bench
    }

    #[test]
    fn deadlines_are_set_shown_and_taken() {
        for entries in [512, 0] {
            bench(entries).check(&[
                "hset h a 1 b 2 c 3 => :3",
                "hexpire h 100 fields 2 a nosuch => [:1 :-2]",
                "hpexpire h 1400 fields 1 b => [:1]",
                "httl h fields 4 a b c nosuch => [:100 :2 :-1 :-2]",
                "hpttl h fields 2 a b => [:100000 :1400]",
                "hexpiretime h fields 2 a b => [:1795000100 :1795000002]",
                "hpexpiretime h fields 2 a b => [:1795000100000 :1795000001400]",
                "hpersist h fields 3 a c nosuch => [:1 :-1 :-2]",
                "hpersist h fields 2 a b => [:-1 :1]",
                "hexpireat h 1795000007 fields 1 a => [:1]",
                "hpexpireat h 1795000007001 fields 1 b => [:1]",
                "hpttl h fields 2 a b => [:7000 :7001]",
                "hexpire h 0 fields 3 a a nosuch => [:2 :-2 :-2]",
                "hexpireat h 1 fields 2 b c => [:2 :2]",
                "exists h => :0",
                "hexpire h 100 fields 2 a b => [:-2 :-2]",
                "httl h fields 1 a => [:-2]",
                "hpersist h fields 1 a => [:-2]",
            ]);
        }
    }

    #[test]
    fn conditions_decide() {
        for entries in [512, 0] {
            bench(entries).check(&[
                "hset h a 1 b 2 => :2",
                "hexpire h 100 xx fields 1 a => [:0]",
                "hexpire h 100 gt fields 1 a => [:0]",
                "hexpire h 100 lt fields 1 a => [:1]",
                "hexpire h 200 nx fields 2 a b => [:0 :1]",
                "hexpire h 150 gt fields 2 a b => [:1 :0]",
                "hexpire h 150 gt fields 1 a => [:0]",
                "hexpire h 150 lt fields 2 a b => [:0 :1]",
                "hexpire h 0 nx fields 1 a => [:0]",
                "hexpire h 0 gt fields 1 a => [:0]",
                "hexpire h 0 lt fields 1 a => [:2]",
            ]);
        }
    }

    #[test]
    fn encodings_and_order_are_those_of_redis() {
        Bench::new().check(&[
            "hset h a 1 b 2 c 3 => :3",
            "hexpire h 100 fields 1 nosuch => [:-2]",
            r#"object encoding h => "listpackex""#,
            "hpexpire h 100000 fields 1 b => [:1]",
            r#"hgetall h => ["b" "2" "a" "1" "c" "3"]"#,
            "hpexpire h 50000 fields 1 c => [:1]",
            "hset h d 4 => :1",
            "hpexpire h 200000 fields 1 d => [:1]",
            r#"hgetall h => ["c" "3" "b" "2" "d" "4" "a" "1"]"#,
            "hpexpire h 100000 fields 1 a => [:1]",
            r#"hgetall h => ["c" "3" "a" "1" "b" "2" "d" "4"]"#,
            "hset h b 9 => :0",
            "hpersist h fields 1 c => [:1]",
            r#"hgetall h => ["a" "1" "d" "4" "b" "9" "c" "3"]"#,
            "hset p a 1 => :1",
            "hpersist p fields 1 a => [:-1]",
            r#"object encoding p => "listpack""#,
        ]);
    }

    #[test]
    fn bad_calls_are_refused_as_by_redis() {
        Bench::new().check(&[
            "set str x => +OK",
            "hexpire str x foo 1 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "httl str foo 1 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "hpersist str fields 0 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "hset h a 1 => :1",
            "hexpire h x foo 1 a => -ERR value is not an integer or out of range",
            "hexpire h -1 nx foo 1 a => -ERR invalid expire time, must be >= 0",
            "hexpire h 9223372036854775807 foo 1 a => -ERR invalid expire time in 'hexpire' command",
            "hpexpire h 70368744177664 fields 1 a => -ERR invalid expire time in 'hpexpire' command",
            "hpexpireat h 70368744177664 fields 1 a => -ERR invalid expire time in 'hpexpireat' command",
            "hpexpireat h 70368744177663 fields 1 a => [:1]",
            "hexpire h 100 nx xx fields 1 a => -ERR Mandatory argument FIELDS is missing or not at the right position",
            "hexpire h 100 foo 1 a => -ERR Mandatory argument FIELDS is missing or not at the right position",
            "hexpire h 100 fields 0 a => -ERR Parameter `numFields` should be greater than 0",
            "hexpire h 100 fields x a => -ERR Parameter `numFields` should be greater than 0",
            "hexpire h 100 fields 2 a => -ERR The `numfields` parameter must match the number of arguments",
            "hexpire h 100 nx fields 1 => -ERR The `numfields` parameter must match the number of arguments",
            "httl h fields 0 a => -ERR Number of fields must be a positive integer",
            "httl nokey fields 2 a => -ERR The `numfields` parameter must match the number of arguments",
            "hpersist h 1 fields a => -ERR Mandatory argument FIELDS is missing or not at the right position",
        ]);
    }

    #[test]
    fn a_follower_lets_its_primary_decide() {
        for entries in [512, 0] {
            let mut bench = bench(entries);
            bench.keyspace.set_expiry(Expiry::Followed);
            bench.check(&["hset h a 1 b 2 => :2", "hpexpireat h 0 fields 1 a => [:1]"]);
            bench.now = UnixMillis(bench.now.0 + 1);
            bench.keyspace.expire_due(bench.now, 100);
            bench.check(&[
                "hget h a => nil",
                "hlen h => :2",
                "hincrby h a 4 => :5",
                "hpersist h fields 1 a => [:1]",
                r#"hget h a => "5""#,
            ]);
        }
    }
}
