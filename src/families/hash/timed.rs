//! Values and deadlines of fields in one step: HGETEX, HSETEX, HGETDEL.

use crate::base::number::{digits, parse_int};
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, FAST, Group, Key, at_least, block, integer, key, one_of, pure, text,
    unix_time,
};
use crate::families::deadline::Clock;
use crate::families::member_deadlines::{Dated, check_type, named, read_deadline, tell};
use crate::keyspace::journal::Change;
use crate::protocol::error::ReplyError;
use crate::types::hash::{Hash, Lifetime};

use super::{HDEL, HEXPIRE, HPERSIST, HSET, limits, value, write};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("HGETEX", at_least(5), Group::Hash, Write(hgetex))
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
            Hash::WORDS.block,
        ])
        .doc("8.0.0", "Gives the values of fields and changes their deadlines.", "O(N)"),
    Command::new("HSETEX", at_least(6), Group::Hash, Write(hsetex))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[
            key("key"),
            one_of("condition", &[pure("fnx", "FNX"), pure("fxx", "FXX")]).optional(),
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
            block(
                "fields",
                &[integer("numfields"), block("data", &[text("field"), text("value")]).repeated()],
            )
            .token("FIELDS"),
        ])
        .doc("8.0.0", "Sets fields and their deadlines together.", "O(N)"),
    Command::new("HGETDEL", at_least(5), Group::Hash, Write(hgetdel))
        .keys(&[Key::at(1, &["RW", "access", "delete"])])
        .flags(FAST)
        .args(&[key("key"), Hash::WORDS.block])
        .doc("8.0.0", "Gives the values of fields and removes them.", "O(N)"),
];

const TWO_CONDITIONS: ReplyError =
    ReplyError::Fixed("ERR Only one of FXX or FNX arguments can be specified");
const TWO_DEADLINES: ReplyError =
    ReplyError::Fixed("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
const BAD_NUMBER: ReplyError = ReplyError::Fixed("ERR invalid number of fields");

/// What is done to the fields that are read.
#[derive(Clone, Copy, PartialEq)]
enum Aim {
    Read,
    Persist,
    Until(UnixMillis),
    /// A deadline that has passed.
    Over,
    Remove,
}

fn hgetex(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    check_type::<Hash>(&cx.keys, key)?;
    let mut aim = Aim::Read;
    if cx.args.accept("PERSIST") {
        aim = Aim::Persist;
    } else if let Some(clock) = Clock::accept(&mut cx.args) {
        let at = read_deadline(&mut cx.args, clock, cx.keys.now(), "hgetex")?;
        aim = if cx.keys.is_over(at) { Aim::Over } else { Aim::Until(at) };
        if cx.args.left() < 2 {
            return Err(ReplyError::WrongArity("hgetex".into()));
        }
    }
    let names = named::<Hash>(&mut cx.args, Hash::WORDS.not_positive)?;

    cx.keys.expire_named(key, names.clone());
    if aim == Aim::Read {
        let hash = cx.keys.reader();
        let hash = hash.get::<Hash>(key)?;
        let hash = hash.as_deref();
        cx.reply.array(names.len());
        for name in names {
            match hash.and_then(|hash| hash.get(name)) {
                Some(field) => write(&mut cx.reply, field.value),
                None => cx.reply.null(),
            }
        }
        return Ok(Flow::Replied);
    }
    read_and_change(cx, key, names, aim)
}

fn hgetdel(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    check_type::<Hash>(&cx.keys, key)?;
    let names = named::<Hash>(&mut cx.args, Hash::WORDS.not_positive)?;

    cx.keys.expire_named(key, names.clone());
    read_and_change(cx, key, names, Aim::Remove)
}

fn read_and_change<'a>(
    cx: &mut WriteCx<'_>,
    key: &[u8],
    names: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    aim: Aim,
) -> CmdResult {
    let WriteCx { keys, reply, telling, .. } = cx;
    let mut touched: Vec<&[u8]> = Vec::new();
    reply.array(names.len());
    let changed = keys.update(key, |hash: &mut Hash, epochs| {
        if matches!(aim, Aim::Until(_) | Aim::Over | Aim::Persist) {
            hash.allow_deadlines();
        }
        let mut units = 0;
        for name in names.clone() {
            let Some(field) = hash.get(name) else {
                reply.null();
                continue;
            };
            write(reply, field.value);
            let has_deadline = field.deadline.is_some();
            units += u64::from(aim != Aim::Persist || has_deadline);
            if telling.is_heard() {
                touched.push(name);
            }
            match aim {
                Aim::Read => {}
                Aim::Persist => {
                    hash.set_deadline(name, None, epochs);
                }
                Aim::Until(at) => {
                    hash.set_deadline(name, Some(at), epochs);
                }
                Aim::Over | Aim::Remove => {
                    hash.remove(name, epochs);
                }
            }
        }
        let change = match aim {
            _ if units == 0 => Change::None,
            Aim::Read => Change::None,
            Aim::Persist => Change::Did(HPERSIST, units),
            Aim::Until(_) => Change::Did(HEXPIRE, units),
            Aim::Over | Aim::Remove => Change::Did(HDEL, units),
        };
        ((), change)
    })?;
    match aim {
        Aim::Read => {}
        Aim::Until(at) => tell::<Hash>(telling, key, &touched, Some(at)),
        Aim::Over | Aim::Remove => tell::<Hash>(telling, key, &touched, None),
        Aim::Persist if touched.is_empty() => {}
        Aim::Persist => {
            let count = digits(touched.len());
            let head: [&[u8]; 4] = [b"HPERSIST", key, b"FIELDS", count.as_bytes()];
            telling.instead([&head, touched.as_slice()].concat());
        }
    }
    if changed.is_none() {
        names.for_each(|_| reply.null());
    }
    Ok(Flow::Replied)
}

/// When HSETEX sets anything at all.
#[derive(Clone, Copy, PartialEq)]
enum Condition {
    Always,
    AllAbsent,
    AllPresent,
}

/// The options of HSETEX; the cursor stands at the first field then.
struct Options {
    condition: Condition,
    lifetime: Lifetime,
}

impl Options {
    fn read(args: &mut Args<'_>, now: UnixMillis) -> Result<Self, ReplyError> {
        let (mut condition, mut lifetime) = (Condition::Always, Lifetime::Forever);
        loop {
            if let Some(read) = accept_condition(args) {
                if condition != Condition::Always {
                    return Err(TWO_CONDITIONS);
                }
                condition = read;
            } else if args.accept("FIELDS") {
                break;
            } else if args.accept("KEEPTTL") {
                if lifetime != Lifetime::Forever {
                    return Err(TWO_DEADLINES);
                }
                lifetime = Lifetime::Keep;
            } else if let Some(clock) = Clock::accept(args) {
                if lifetime != Lifetime::Forever {
                    return Err(TWO_DEADLINES);
                }
                lifetime = Lifetime::Until(read_deadline(args, clock, now, "hsetex")?);
            } else {
                let word = String::from_utf8_lossy(args.bytes()?);
                return Err(ReplyError::Text(format!("ERR unknown argument: {word}").into()));
            }
        }
        Ok(Self { condition, lifetime })
    }
}

fn accept_condition(args: &mut Args<'_>) -> Option<Condition> {
    if args.accept("FNX") {
        Some(Condition::AllAbsent)
    } else if args.accept("FXX") {
        Some(Condition::AllPresent)
    } else {
        None
    }
}

fn hsetex(cx: &mut WriteCx<'_>) -> CmdResult {
    let WriteCx { args, keys, telling, .. } = cx;
    let (key, limits) = (args.bytes()?, limits(cx.limits));
    let Options { condition, lifetime } = Options::read(args, keys.now())?;
    let wrong_arity = || ReplyError::WrongArity("hsetex".into());
    let count = parse_int(args.bytes().map_err(|_| wrong_arity())?);
    // Redis counts in 32 bits here.
    let count = count.and_then(|count| i32::try_from(count).ok()).filter(|count| *count > 0);
    let count = usize::try_from(count.ok_or(BAD_NUMBER)?).unwrap_or(0);
    if args.left() != count.saturating_mul(2) {
        return Err(wrong_arity());
    }
    check_type::<Hash>(keys, key)?;
    let is_over = matches!(lifetime, Lifetime::Until(at) if keys.is_over(at));
    let names = args.words().skip(args.position()).step_by(2);

    keys.expire_named(key, names.clone());
    let places = (args.position()..args.word_count()).step_by(2);
    let is_set = keys.upsert(key, |hash: &mut Hash, epochs| {
        let is_met = match condition {
            Condition::Always => true,
            Condition::AllAbsent => names.clone().all(|name| hash.get(name).is_none()),
            Condition::AllPresent => names.clone().all(|name| hash.get(name).is_some()),
        };
        if !is_met {
            return (false, Change::None);
        }
        hash.reserve(count, limits, epochs);
        let is_timed = matches!(lifetime, Lifetime::Until(_));
        if is_timed {
            hash.allow_deadlines();
        }
        for at in places {
            // What is over at once was there for a moment: its size may change the encoding.
            hash.set(args.word(at), value(args, at + 1), lifetime, limits, epochs);
            if is_over {
                hash.remove(args.word(at), epochs);
            }
        }
        let units = count as u64;
        let change = match lifetime {
            Lifetime::Until(_) if is_over => Change::Both(HSET, HDEL, units),
            Lifetime::Until(_) => Change::Both(HSET, HEXPIRE, units),
            Lifetime::Keep | Lifetime::Forever => Change::Did(HSET, units),
        };
        (true, change)
    })?;

    if is_set && telling.is_heard() {
        let words: Vec<&[u8]> = args.rest().collect();
        if let (Lifetime::Until(at), false) = (lifetime, is_over) {
            let (at, count) = (digits(at.0), digits(count));
            let head: [&[u8]; 6] =
                [b"HSETEX", key, b"PXAT", at.as_bytes(), b"FIELDS", count.as_bytes()];
            telling.instead([&head, words.as_slice()].concat());
        } else if is_over {
            let names: Vec<&[u8]> = words.into_iter().step_by(2).collect();
            tell::<Hash>(telling, key, &names, None);
        }
    }
    cx.reply.flag(is_set);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    fn bench(entries: usize) -> Bench {
        let mut bench = Bench::new();
        bench.limits.encodings.hash_pack_entries = entries;
        bench
    }

    #[test]
    fn hgetex_reads_and_changes_deadlines() {
        for entries in [512, 0] {
            bench(entries).check(&[
                "hgetex h fields 2 a b => [nil nil]",
                "hset h a 1 b 2 c 3 => :3",
                r#"hgetex h fields 2 a nosuch => ["1" nil]"#,
                r#"hgetex h ex 100 fields 2 a nosuch => ["1" nil]"#,
                "hpttl h fields 2 a b => [:100000 :-1]",
                r#"hgetex h pxat 1795000000007 fields 1 b => ["2"]"#,
                "hpttl h fields 1 b => [:7]",
                r#"hgetex h persist fields 2 a c => ["1" "3"]"#,
                "hpttl h fields 2 a c => [:-1 :-1]",
                r#"hgetex h ex 0 fields 3 a a nosuch => ["1" nil nil]"#,
                r#"hgetex h exat 1 fields 2 b c => ["2" "3"]"#,
                "exists h => :0",
            ]);
        }
    }

    #[test]
    fn hgetex_refuses_as_redis_does() {
        Bench::new().check(&[
            "hgetex nokey ex 10 foo => -ERR wrong number of arguments for 'hgetex' command",
            "hgetex nokey ex fields 1 a => -ERR value is not an integer or out of range",
            "hgetex nokey ex x foo 1 a => -ERR value is not an integer or out of range",
            "hgetex nokey ex -1 foo 1 a => -ERR invalid expire time, must be >= 0",
            "hgetex nokey px 70368744177664 fields 1 a => -ERR invalid expire time in 'hgetex' command",
            "hgetex nokey ex 10 px 10 fields 1 a => -ERR Mandatory argument FIELDS is missing or not at the right position",
            "hgetex nokey persist persist fields 1 a => -ERR Mandatory argument FIELDS is missing or not at the right position",
            "hgetex nokey ex 10 fields 1 => -ERR The `numfields` parameter must match the number of arguments",
            "hgetex nokey fields 0 a => -ERR Number of fields must be a positive integer",
            "hgetex nokey fields 1 a ex 10 => -ERR The `numfields` parameter must match the number of arguments",
            "set str x => +OK",
            "hgetex str ex -1 foo 1 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn hsetex_sets_all_or_nothing() {
        for entries in [512, 0] {
            bench(entries).check(&[
                "hsetex h fxx fields 1 a 1 => :0",
                "exists h => :0",
                "hsetex h ex 100 fields 2 a 1 b 2 => :1",
                "hpttl h fields 2 a b => [:100000 :100000]",
                "hsetex h fnx fields 2 a 3 c 3 => :0",
                "hsetex h fxx fields 2 a 3 c 3 => :0",
                "hsetex h fxx keepttl fields 1 a 3 => :1",
                "hsetex h fnx fields 1 c 4 => :1",
                "hsetex h px 50 fields 1 c 4 => :1",
                "hsetex h fields 1 b 4 => :1",
                "hpttl h fields 3 a b c => [:100000 :-1 :50]",
                r#"hmget h a b c => ["3" "4" "4"]"#,
                "hsetex h exat 1 fields 2 a 1 d 1 => :1",
                "hmget h a d => [nil nil]",
                "hsetex h ex 0 fields 2 b 1 c 1 => :1",
                "exists h => :0",
                "hsetex h pxat 1 fields 1 a 1 => :1",
                "exists h => :0",
            ]);
        }
    }

    #[test]
    fn hsetex_refuses_as_redis_does() {
        Bench::new().check(&[
            "set str 1 => +OK",
            "hsetex str fields 1 a 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "hsetex str foo fields 1 a 1 => -ERR unknown argument: foo",
            "hsetex str fields 0 a 1 => -ERR invalid number of fields",
            "hsetex h fields 4294967297 a 1 => -ERR invalid number of fields",
            "hsetex h fnx fxx fields 1 a 1 => -ERR Only one of FXX or FNX arguments can be specified",
            "hsetex h ex 10 keepttl fields 1 a 1 => -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
            "hsetex h fnx ex 10 px => -ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
            "hsetex h ex fields 1 a 1 => -ERR value is not an integer or out of range",
            "hsetex h ex -1 fields 0 a 1 => -ERR invalid expire time, must be >= 0",
            "hsetex h ex 9223372036854775807 foo 1 a 1 => -ERR invalid expire time in 'hsetex' command",
            "hsetex h fields 2 a 1 => -ERR wrong number of arguments for 'hsetex' command",
            "hsetex h fields 1 a 1 b => -ERR wrong number of arguments for 'hsetex' command",
            "hsetex h fnx ex 10 fields => -ERR wrong number of arguments for 'hsetex' command",
            "exists h => :0",
        ]);
    }

    #[test]
    fn hgetdel_gives_what_it_removes() {
        for entries in [512, 0] {
            bench(entries).check(&[
                "hgetdel h fields 1 a => [nil]",
                "hset h a 1 b 2 => :2",
                r#"hgetdel h fields 3 a a nosuch => ["1" nil nil]"#,
                "hlen h => :1",
                "hgetdel h fields 0 a => -ERR Number of fields must be a positive integer",
                "hgetdel h 1 a b => -ERR Mandatory argument FIELDS is missing or not at the right position",
                r#"hgetdel h fields 1 b => ["2"]"#,
                "exists h => :0",
                "set str x => +OK",
                "hgetdel str fields 2 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
            ]);
        }
    }
}
