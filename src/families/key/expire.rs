//! Deadlines of keys: EXPIRE and its relatives, TTL and its relatives, PERSIST.

use crate::base::number::digits;
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Arg, Command, FAST, Group, Key, at_least, exactly, integer, key, one_of, pure, unix_time,
};
use crate::families::deadline::Clock;
use crate::keyspace::journal::{EXPIRE, Event};
use crate::keyspace::write::Free;
use crate::protocol::error::ReplyError;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("EXPIRE", at_least(3), Group::Generic, Write(expire))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key"), integer("seconds"), CONDITION])
        .doc("1.0.0", "Lets a key go after some seconds.", "O(1)"),
    Command::new("PEXPIRE", at_least(3), Group::Generic, Write(pexpire))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key"), integer("milliseconds"), CONDITION])
        .doc("2.6.0", "Lets a key go after some milliseconds.", "O(1)"),
    Command::new("EXPIREAT", at_least(3), Group::Generic, Write(expireat))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key"), unix_time("unix-time-seconds"), CONDITION])
        .doc("1.2.0", "Lets a key go at a Unix time in seconds.", "O(1)"),
    Command::new("PEXPIREAT", at_least(3), Group::Generic, Write(pexpireat))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key"), unix_time("unix-time-milliseconds"), CONDITION])
        .doc("2.6.0", "Lets a key go at a Unix time in milliseconds.", "O(1)"),
    Command::new("TTL", exactly(2), Group::Generic, Read(ttl))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key")])
        .tips(&["nondeterministic_output"])
        .doc("1.0.0", "Tells how many seconds a key still has.", "O(1)"),
    Command::new("PTTL", exactly(2), Group::Generic, Read(pttl))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key")])
        .tips(&["nondeterministic_output"])
        .doc("2.6.0", "Tells how many milliseconds a key still has.", "O(1)"),
    Command::new("EXPIRETIME", exactly(2), Group::Generic, Read(expiretime))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key")])
        .doc("7.0.0", "Tells the Unix time in seconds at which a key goes.", "O(1)"),
    Command::new("PEXPIRETIME", exactly(2), Group::Generic, Read(pexpiretime))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key")])
        .doc("7.0.0", "Tells the Unix time in milliseconds at which a key goes.", "O(1)"),
    Command::new("PERSIST", exactly(2), Group::Generic, Write(persist))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .categories(&["keyspace"])
        .args(&[key("key")])
        .doc("2.2.0", "Takes the deadline from a key: it stays.", "O(1)"),
];

const CONDITION: Arg =
    one_of("condition", &[pure("nx", "NX"), pure("xx", "XX"), pure("gt", "GT"), pure("lt", "LT")])
        .optional()
        .since("7.0.0");

const DEL: Event = Event::generic("del");
const PERSIST: Event = Event::generic("persist");
const NX_EXCLUDES: ReplyError =
    ReplyError::Fixed("ERR NX and XX, GT or LT options at the same time are not compatible");
const GT_EXCLUDES_LT: ReplyError =
    ReplyError::Fixed("ERR GT and LT options at the same time are not compatible");

/// Which deadlines may be replaced, as a set of options.
#[derive(Clone, Copy, Default)]
struct Conditions(u8);

impl Conditions {
    const NX: u8 = 1;
    const XX: u8 = 2;
    const GT: u8 = 4;
    const LT: u8 = 8;

    fn read(args: &mut Args<'_>) -> Result<Self, ReplyError> {
        const WORDS: [(&str, u8); 4] = [
            ("NX", Conditions::NX),
            ("XX", Conditions::XX),
            ("GT", Conditions::GT),
            ("LT", Conditions::LT),
        ];
        let mut conditions = Self::default();
        while let Some(word) = args.peek() {
            let Some((_, bit)) = WORDS.iter().find(|(name, _)| args.accept(name)) else {
                let text = [b"ERR Unsupported option ", word].concat();
                return Err(ReplyError::Bytes(text.into()));
            };
            conditions.0 |= bit;
        }
        if conditions.has(Self::NX) && conditions.0 != Self::NX {
            Err(NX_EXCLUDES)
        } else if conditions.has(Self::GT) && conditions.has(Self::LT) {
            Err(GT_EXCLUDES_LT)
        } else {
            Ok(conditions)
        }
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// Whether `new` may replace `old`. No deadline counts as the end of all time.
    fn admit(self, old: Option<UnixMillis>, new: UnixMillis) -> bool {
        !(self.has(Self::NX) && old.is_some()
            || self.has(Self::XX) && old.is_none()
            || self.has(Self::GT) && old.is_none_or(|old| new <= old)
            || self.has(Self::LT) && old.is_some_and(|old| new >= old))
    }
}

fn expire(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadline(cx, Clock::SECONDS, "expire")
}

fn pexpire(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadline(cx, Clock::MILLIS, "pexpire")
}

fn expireat(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadline(cx, Clock::UNIX_SECONDS, "expireat")
}

fn pexpireat(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadline(cx, Clock::UNIX_MILLIS, "pexpireat")
}

fn set_deadline(cx: &mut WriteCx<'_>, clock: Clock, command: &str) -> CmdResult {
    let (key, now) = (cx.args.word(1), cx.keys.now());
    // Clients see a bad option before a bad number.
    cx.args.seek(3);
    let conditions = Conditions::read(&mut cx.args)?;
    cx.args.seek(2);
    let deadline = clock.at(cx.args.int()?, now);
    let deadline = deadline.ok_or_else(|| ReplyError::InvalidExpire(command.into()))?;

    let old = cx.keys.reader().deadline(key);
    let is_admitted = old.is_some_and(|old| conditions.admit(old, deadline));
    if is_admitted && cx.keys.is_over(deadline) {
        cx.keys.remove(key, Free::Later, DEL);
        cx.telling.instead([&b"DEL"[..], key]);
    } else if is_admitted {
        cx.keys.set_deadline(key, Some(deadline), EXPIRE);
        cx.telling.instead([b"PEXPIREAT", key, digits(deadline.0).as_bytes()]);
    }

    cx.reply.flag(is_admitted);
    Ok(Flow::Replied)
}

fn ttl(cx: &mut ReadCx<'_>) -> CmdResult {
    let now = cx.keys.now();
    write_deadline(cx, |at| to_seconds(at.0.saturating_sub(now.0)))
}

fn pttl(cx: &mut ReadCx<'_>) -> CmdResult {
    let now = cx.keys.now();
    write_deadline(cx, |at| at.0.saturating_sub(now.0))
}

fn expiretime(cx: &mut ReadCx<'_>) -> CmdResult {
    write_deadline(cx, |at| to_seconds(at.0))
}

fn pexpiretime(cx: &mut ReadCx<'_>) -> CmdResult {
    write_deadline(cx, |at| at.0)
}

/// To the nearest second.
fn to_seconds(millis: i64) -> i64 {
    millis.saturating_add(500) / 1000
}

fn write_deadline(cx: &mut ReadCx<'_>, show: impl FnOnce(UnixMillis) -> i64) -> CmdResult {
    const NO_KEY: i64 = -2;
    const NO_DEADLINE: i64 = -1;
    let key = cx.args.bytes()?;
    let deadline = cx.keys.deadline(key);
    cx.keys.count_lookup(key, deadline.is_some());
    let shown = match deadline {
        None => NO_KEY,
        Some(None) => NO_DEADLINE,
        Some(Some(at)) => show(at),
    };
    cx.reply.int(shown);
    Ok(Flow::Replied)
}

fn persist(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.word(1);
    let has_deadline = matches!(cx.keys.reader().deadline(key), Some(Some(_)));
    let is_cleared = has_deadline && cx.keys.set_deadline(key, None, PERSIST);
    cx.reply.flag(is_cleared);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn deadlines_are_set_and_shown() {
        Bench::new().check(&[
            "ttl k => :-2",
            "expiretime k => :-2",
            "persist k => :0",
            "expire k 10 => :0",
            "set k v => +OK",
            "ttl k => :-1",
            "pttl k => :-1",
            "pexpiretime k => :-1",
            "persist k => :0",
            "expire k 100 => :1",
            "ttl k => :100",
            "pexpireat k 4102444800499 => :1",
            "expiretime k => :4102444800",
            "pexpiretime k => :4102444800499",
            "expireat k 4102444800 => :1",
            "pexpiretime k => :4102444800000",
            "persist k => :1",
            "ttl k => :-1",
            "pexpireat k 9223372036854775807 => :1",
            "pexpiretime k => :9223372036854775807",
        ]);
    }

    #[test]
    fn options_and_numbers_are_checked_first() {
        Bench::new().check(&[
            "expire k a => -ERR value is not an integer or out of range",
            "expire k a foo => -ERR Unsupported option foo",
            "expire k 10 NX XX => -ERR NX and XX, GT or LT options at the same time are not compatible",
            "expire k 10 GT LT => -ERR GT and LT options at the same time are not compatible",
            "expire k 9223372036854775807 => -ERR invalid expire time in 'expire' command",
            "expire k -9223372036854775808 => -ERR invalid expire time in 'expire' command",
            "pexpire k 9223372036854775807 => -ERR invalid expire time in 'pexpire' command",
            "expireat k 9223372036854775807 => -ERR invalid expire time in 'expireat' command",
            "expire k 10 nx nx => :0",
        ]);
    }

    #[test]
    fn conditions_compare_with_the_old_deadline() {
        Bench::new().check(&[
            "set k v => +OK",
            "expire k 100 xx => :0",
            "expire k 100 gt => :0",
            "expire k 100 lt => :1",
            "expire k 200 nx => :0",
            "expire k 200 lt => :0",
            "expire k 50 gt => :0",
            "expire k 200 gt => :1",
            "expire k 100 xx lt => :1",
            "expire k 300 xx gt => :1",
            "ttl k => :300",
            "expire k 0 nx => :0",
            "exists k => :1",
        ]);
    }

    #[test]
    fn a_past_deadline_removes_the_key() {
        Bench::new().check(&[
            "set k v => +OK",
            "expire k -1 => :1",
            "exists k => :0",
            "set k v => +OK",
            "pexpireat k 1 => :1",
            "exists k => :0",
            "set k v => +OK",
            "expireat k -1 => :1",
            "exists k => :0",
            "set k v => +OK",
            "pexpire k 0 xx => :0",
            "exists k => :1",
            "expire k 0 => :1",
            "exists k => :0",
        ]);
    }

    #[test]
    fn keys_go_when_their_time_has_come() {
        let mut bench = Bench::new();
        bench.check(&["set k v PX 1500 => +OK", "ttl k => :2", "pttl k => :1500"]);
        bench.now.0 += 1000;
        bench.check(&["ttl k => :1", "pttl k => :500"]);
        bench.now.0 += 499;
        bench.check(&["ttl k => :0", r#"get k => "v""#]);
        bench.now.0 += 1;
        bench.check(&["ttl k => :-2", "get k => nil", "append k x => :1", "ttl k => :-1"]);
    }
}
