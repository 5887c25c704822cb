//! Storing strings: SET and its relatives, MSET and its relatives.

use crate::base::number::digits;
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, FAST, Group, Key, MOVABLE_KEYS, at_least, block, exactly, integer, key,
    one_of, pure, text as string, unix_time,
};
use crate::families::deadline::{Clock, Expiry};
use crate::families::text;
use crate::keyspace::journal::{Change, EXPIRE, Event};
use crate::keyspace::write::Lifetime;
use crate::protocol::error::ReplyError;

use super::condition::Condition;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("SET", at_least(3), Group::String, Write(set))
        .keys(&[Key::at(1, &["RW", "access", "update", "variable_flags"])])
        .flags(DENY_OOM)
        .args(&[
            key("key"),
            string("value"),
            one_of(
                "condition",
                &[
                    pure("nx", "NX"),
                    pure("xx", "XX"),
                    string("ifeq-value").token("IFEQ").since("8.4.0"),
                    string("ifne-value").token("IFNE").since("8.4.0"),
                    string("ifdeq-digest").token("IFDEQ").since("8.4.0"),
                    string("ifdne-digest").token("IFDNE").since("8.4.0"),
                ],
            )
            .optional()
            .since("2.6.12"),
            pure("get", "GET").optional().since("6.2.0"),
            one_of(
                "expiration",
                &[
                    integer("seconds").token("EX").since("2.6.12"),
                    integer("milliseconds").token("PX").since("2.6.12"),
                    unix_time("unix-time-seconds").token("EXAT").since("6.2.0"),
                    unix_time("unix-time-milliseconds").token("PXAT").since("6.2.0"),
                    pure("keepttl", "KEEPTTL").since("6.0.0"),
                ],
            )
            .optional(),
        ])
        .doc("1.0.0", "Stores a string at a key, whatever the key held before.", "O(1)"),
    Command::new("SETNX", exactly(3), Group::String, Write(setnx))
        .keys(&[Key::at(1, &["OW", "insert"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), string("value")])
        .deprecated("2.6.12", "`SET` with the `NX` argument")
        .doc("1.0.0", "Stores a string at a key that does not exist yet.", "O(1)"),
    Command::new("SETEX", exactly(4), Group::String, Write(setex))
        .keys(&[Key::at(1, &["OW", "update"])])
        .flags(DENY_OOM)
        .args(&[key("key"), integer("seconds"), string("value")])
        .deprecated("2.6.12", "`SET` with the `EX` argument")
        .doc("2.0.0", "Stores a string that stays for some seconds.", "O(1)"),
    Command::new("PSETEX", exactly(4), Group::String, Write(psetex))
        .keys(&[Key::at(1, &["OW", "update"])])
        .flags(DENY_OOM)
        .args(&[key("key"), integer("milliseconds"), string("value")])
        .deprecated("2.6.12", "`SET` with the `PX` argument")
        .doc("2.6.0", "Stores a string that stays for some milliseconds.", "O(1)"),
    Command::new("MSET", at_least(3), Group::String, Write(mset))
        .keys(&[Key::at(1, &["OW", "update"]).through(-1, 2, 0)])
        .flags(DENY_OOM)
        .args(&[block("data", &[key("key"), string("value")]).repeated()])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .doc("1.0.1", "Stores strings at several keys at once.", "O(N)"),
    Command::new("MSETNX", at_least(3), Group::String, Write(msetnx))
        .keys(&[Key::at(1, &["OW", "insert"]).through(-1, 2, 0)])
        .flags(DENY_OOM)
        .args(&[block("data", &[key("key"), string("value")]).repeated()])
        .doc("1.0.1", "Stores strings at several keys if none of them exists yet.", "O(N)"),
    Command::new("MSETEX", at_least(4), Group::String, Write(msetex))
        .keys(&[Key::at(1, &["OW", "update"]).counted(0, 1, 2)])
        .flags(DENY_OOM.and(MOVABLE_KEYS))
        .args(&[
            integer("numkeys"),
            block("data", &[key("key"), string("value")]).repeated(),
            one_of("condition", &[pure("nx", "NX"), pure("xx", "XX")]).optional(),
            one_of(
                "expiration",
                &[
                    integer("seconds").token("EX"),
                    integer("milliseconds").token("PX"),
                    unix_time("unix-time-seconds").token("EXAT"),
                    unix_time("unix-time-milliseconds").token("PXAT"),
                    pure("keepttl", "KEEPTTL"),
                ],
            )
            .optional(),
        ])
        .doc("8.4.0", "Stores several strings at once, with one deadline for all.", "O(N)"),
];

/// A string was stored.
pub(super) const SET: Event = Event::string("set");

/// What follows the value of a SET.
#[derive(Default)]
struct Options<'a> {
    condition: Condition<'a>,
    returns_old: bool,
    keeps: bool,
    expiry: Option<Expiry<'a>>,
}

impl<'a> Options<'a> {
    fn read(args: &mut Args<'a>) -> Result<Self, ReplyError> {
        let mut options = Self::default();
        while !args.is_done() {
            if let Some(condition) = Condition::accept(args, options.condition)? {
                options.condition = condition;
            } else if args.accept("GET") {
                options.returns_old = true;
            } else if !options.read_lifetime(args)? {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(options)
    }

    /// Reads KEEPTTL or a deadline, whichever of them may still come.
    fn read_lifetime(&mut self, args: &mut Args<'a>) -> Result<bool, ReplyError> {
        if self.expiry.is_none() && args.accept("KEEPTTL") {
            self.keeps = true;
            return Ok(true);
        }
        if self.keeps {
            return Ok(false);
        }
        let read = Expiry::accept(args, self.expiry)?;
        self.expiry = read.or(self.expiry);
        Ok(read.is_some())
    }

    fn lifetime(&self, now: UnixMillis, command: &str) -> Result<Lifetime, ReplyError> {
        Ok(match self.expiry {
            Some(expiry) => Lifetime::Until(expiry.resolve(now, command)?),
            None if self.keeps => Lifetime::Keep,
            None => Lifetime::Forever,
        })
    }
}

fn set(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.word(1);
    let value = text::word(&cx.args, 2);
    if cx.args.word_count() == 3 {
        cx.keys.put_string(key, value, Lifetime::Forever, SET);
        cx.reply.ok();
        return Ok(Flow::Replied);
    }
    cx.args.seek(3);
    let options = Options::read(&mut cx.args)?;
    let lifetime = options.lifetime(cx.keys.now(), "set")?;
    let condition = options.condition.checked()?;
    if options.returns_old || condition.reads_value() {
        return set_with_old(cx, lifetime, condition, options.returns_old);
    }

    let holds = match condition {
        Condition::Always => true,
        Condition::Absent => cx.keys.reader().kind(key).is_none(),
        _ => cx.keys.reader().kind(key).is_some(),
    };
    if holds {
        cx.keys.put_string(key, value, lifetime, SET);
        tell_set(cx, key, 2, lifetime);
        cx.reply.ok();
    } else {
        cx.reply.null();
    }
    Ok(Flow::Replied)
}

/// SET that has to look at the string it replaces.
fn set_with_old(
    cx: &mut WriteCx<'_>,
    lifetime: Lifetime,
    condition: Condition<'_>,
    returns_old: bool,
) -> CmdResult {
    let (key, value) = (cx.args.word(1), text::word(&cx.args, 2));

    let was_set = cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        let old = slot.value();
        let holds = condition.holds(old);
        if returns_old {
            text::write_or_null(&mut cx.reply, old);
        }
        if !holds {
            return Ok((false, Change::None));
        }
        slot.put(value);
        slot.set_lifetime(lifetime);
        let change = match lifetime {
            Lifetime::Until(_) => Change::Both(SET, EXPIRE, 1),
            Lifetime::Keep | Lifetime::Forever => Change::Did(SET, 1),
        };
        Ok((true, change))
    })?;

    if was_set {
        tell_set(cx, key, 2, lifetime);
    }
    match (returns_old, was_set) {
        (true, _) => {}
        (false, true) => cx.reply.ok(),
        (false, false) => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

/// With a deadline, which is told as a moment. `value` is the place of the value's word.
fn tell_set(cx: &mut WriteCx<'_>, key: &[u8], value: usize, lifetime: Lifetime) {
    if let Lifetime::Until(at) = lifetime
        && cx.telling.is_heard()
    {
        let value = cx.args.word(value);
        cx.telling.instead([b"SET", key, value, b"PXAT", digits(at.0).as_bytes()]);
    }
}

fn setnx(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, value) = (cx.args.word(1), text::word(&cx.args, 2));

    let is_absent = cx.keys.reader().kind(key).is_none();
    if is_absent {
        cx.keys.put_string(key, value, Lifetime::Forever, SET);
    }

    cx.reply.flag(is_absent);
    Ok(Flow::Replied)
}

fn setex(cx: &mut WriteCx<'_>) -> CmdResult {
    set_until(cx, Clock::SECONDS, "setex")
}

fn psetex(cx: &mut WriteCx<'_>) -> CmdResult {
    set_until(cx, Clock::MILLIS, "psetex")
}

fn set_until(cx: &mut WriteCx<'_>, clock: Clock, command: &str) -> CmdResult {
    let (key, value) = (cx.args.word(1), text::word(&cx.args, 3));
    let deadline = Expiry::new(clock, cx.args.word(2)).resolve(cx.keys.now(), command)?;

    cx.keys.put_string(key, value, Lifetime::Until(deadline), SET);
    tell_set(cx, key, 3, Lifetime::Until(deadline));

    cx.reply.ok();
    Ok(Flow::Replied)
}

fn mset(cx: &mut WriteCx<'_>) -> CmdResult {
    let words = cx.args.word_count();
    if words.is_multiple_of(2) {
        return Err(ReplyError::WrongArity("mset".into()));
    }

    put_pairs(cx, 1..words, Lifetime::Forever);

    cx.reply.ok();
    Ok(Flow::Replied)
}

fn msetnx(cx: &mut WriteCx<'_>) -> CmdResult {
    let words = cx.args.word_count();
    if words.is_multiple_of(2) {
        return Err(ReplyError::WrongArity("msetnx".into()));
    }

    let is_free = pairs_meet(cx, 1..words, Condition::Absent);
    if is_free {
        put_pairs(cx, 1..words, Lifetime::Forever);
    }

    cx.reply.flag(is_free);
    Ok(Flow::Replied)
}

fn msetex(cx: &mut WriteCx<'_>) -> CmdResult {
    const COUNT: ReplyError = ReplyError::Fixed("ERR invalid numkeys value");
    const PAIRS: ReplyError = ReplyError::Fixed("ERR wrong number of key-value pairs");
    let count = cx.args.int().ok().filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = usize::try_from(count.ok_or(COUNT)?).map_err(|_| COUNT)?;
    if count > cx.args.left() / 2 {
        return Err(PAIRS);
    }
    let pairs = 2..2 + count * 2;
    cx.args.seek(pairs.end);
    let options = Options::read(&mut cx.args)?;
    if options.returns_old || options.condition.reads_value() {
        return Err(ReplyError::Syntax);
    }
    let lifetime = options.lifetime(cx.keys.now(), "msetex")?;

    let is_met = pairs_meet(cx, pairs.clone(), options.condition);
    if is_met {
        put_pairs(cx, pairs.clone(), lifetime);
        if let Lifetime::Until(at) = lifetime
            && cx.telling.is_heard()
        {
            let (name, words) = ([&b"MSETEX"[..]], cx.args.words());
            let head: Vec<&[u8]> = name.into_iter().chain(words.take(pairs.end).skip(1)).collect();
            let at = digits(at.0);
            cx.telling.instead([head, vec![b"PXAT", at.as_bytes()]].concat());
        }
    }

    cx.reply.flag(is_met);
    Ok(Flow::Replied)
}

/// Whether all keys, every second word of `words`, are absent or present as demanded.
fn pairs_meet(cx: &WriteCx<'_>, words: std::ops::Range<usize>, condition: Condition<'_>) -> bool {
    let reader = cx.keys.reader();
    match condition {
        Condition::Always => true,
        Condition::Absent => words.step_by(2).all(|at| reader.kind(cx.args.word(at)).is_none()),
        _ => words.step_by(2).all(|at| reader.kind(cx.args.word(at)).is_some()),
    }
}

/// Stores the pairs that `words` alternate between.
fn put_pairs(cx: &mut WriteCx<'_>, words: std::ops::Range<usize>, lifetime: Lifetime) {
    for at in words.step_by(2) {
        cx.keys.put_string(cx.args.word(at), text::word(&cx.args, at + 1), lifetime, SET);
    }
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn options_are_checked_before_anything_happens() {
        Bench::new().check(&[
            "set k v NX XX => -ERR syntax error",
            "set k v EX => -ERR syntax error",
            "set k v EX 0 => -ERR invalid expire time in 'set' command",
            "set k v EX -1 => -ERR invalid expire time in 'set' command",
            "set k v EX abc => -ERR value is not an integer or out of range",
            "set k v EX 9223372036854775807 => -ERR invalid expire time in 'set' command",
            "set k v PX 9223372036854775807 => -ERR invalid expire time in 'set' command",
            "set k v EXAT 0 => -ERR invalid expire time in 'set' command",
            "set k v EX 10 PX 10 => -ERR syntax error",
            "set k v EX 10 KEEPTTL => -ERR syntax error",
            "set k v KEEPTTL EX 10 => -ERR syntax error",
            "set k v PERSIST => -ERR syntax error",
            "set k v EX 0 NX XX => -ERR syntax error",
            "set k v PX 0 XX => -ERR invalid expire time in 'set' command",
            "set k v foo => -ERR syntax error",
            "exists k => :0",
        ]);
    }

    #[test]
    fn conditions_and_the_old_value() {
        Bench::new().check(&[
            "set k v XX => nil",
            "set k v XX GET => nil",
            "set k v NX GET => nil",
            r#"set k w NX GET => "v""#,
            "set k w NX NX => nil",
            r#"get k => "v""#,
            r#"set k w GET GET => "v""#,
            "set k x XX => +OK",
            r#"get k => "x""#,
        ]);
    }

    #[test]
    fn deadlines_are_set_kept_and_dropped() {
        Bench::new().check(&[
            "set k v EX 100 => +OK",
            "ttl k => :100",
            "set k w KEEPTTL KEEPTTL => +OK",
            "ttl k => :100",
            "set k w => +OK",
            "ttl k => :-1",
            "set k v PXAT 9223372036854775807 => +OK",
            "pexpiretime k => :9223372036854775807",
            "set k v PXAT 1 => +OK",
            "get k => nil",
            "set k v EX 10 EX 20 => +OK",
            "ttl k => :20",
        ]);
    }

    #[test]
    fn older_spellings_work() {
        Bench::new().check(&[
            "setnx k v => :1",
            "setnx k w => :0",
            "setex k 0 v => -ERR invalid expire time in 'setex' command",
            "setex k abc v => -ERR value is not an integer or out of range",
            "psetex k -5 v => -ERR invalid expire time in 'psetex' command",
            "setex k 9223372036854775807 v => -ERR invalid expire time in 'setex' command",
            "setex k 100 v => +OK",
            "ttl k => :100",
            "psetex k 100000 v => +OK",
            "ttl k => :100",
        ]);
    }

    #[test]
    fn several_keys_at_once() {
        Bench::new().check(&[
            "mset a => -ERR wrong number of arguments for 'mset' command",
            "mset a 1 b => -ERR wrong number of arguments for 'mset' command",
            "mset a 1 b 2 a 3 => +OK",
            r#"mget a b => ["3" "2"]"#,
            "msetnx a 1 c 2 => :0",
            "msetnx c 1 d => -ERR wrong number of arguments for 'msetnx' command",
            "exists c => :0",
            "msetnx c 1 d 2 => :1",
            r#"mget c d => ["1" "2"]"#,
        ]);
    }

    #[test]
    fn conditions_on_the_old_value() {
        Bench::new().check(&[
            "set k v IFEQ v => nil",
            "set k v IFNE x => +OK",
            "set k w IFEQ x => nil",
            r#"set k w IFEQ x GET => "v""#,
            r#"set k w IFEQ v GET => "v""#,
            "set k hello IFNE v => +OK",
            "set k x IFDEQ 9555e8555c62dcfe => nil",
            "set k x IFDNE 9555E8555C62DCFD => nil",
            "set k x IFDEQ 9555E8555C62DCFD EX 100 => +OK",
            "ttl k => :100",
            "set k x IFDEQ 12 => -ERR must be exactly 16 hexadecimal characters",
            "set k x IFEQ x IFEQ x => -ERR syntax error",
            "set k x NX IFEQ x => -ERR syntax error",
            "set k x IFEQ x NX => -ERR syntax error",
            "set missing v IFDNE 9555e8555c62dcfd => +OK",
        ]);
    }

    #[test]
    fn msetex_sets_all_or_nothing() {
        Bench::new().check(&[
            "msetex 2 a 1 b 2 EX 100 => :1",
            "ttl b => :100",
            "msetex 2 b 3 c 4 NX => :0",
            "msetex 2 b 3 c 4 XX => :0",
            "msetex 2 a 3 b 4 XX KEEPTTL => :1",
            r#"mget a b c => ["3" "4" nil]"#,
            "ttl a => :100",
            "msetex 0 a 1 => -ERR invalid numkeys value",
            "msetex x a 1 => -ERR invalid numkeys value",
            "msetex 2 a 1 b => -ERR wrong number of key-value pairs",
            "msetex 1 a 1 b => -ERR syntax error",
            "msetex 1 a 1 NX XX => -ERR syntax error",
            "msetex 1 a 1 IFEQ x => -ERR syntax error",
            "msetex 1 a 1 EX 0 => -ERR invalid expire time in 'msetex' command",
        ]);
    }
}
