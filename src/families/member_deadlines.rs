//! Deadlines of members, in hashes, sets and sorted sets alike: HEXPIRE, SEXPIRE, ZEXPIRE and their
//! relatives. A family says by [`Dated`] how it speaks of its members, and takes the rows.

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
use crate::keyspace::journal::{Change, Event};
use crate::keyspace::members::Expiring;
use crate::keyspace::value::{Stored, WrongType};
use crate::keyspace::write::Writer;
use crate::protocol::error::ReplyError;

/// How members are named in a request, and what is said of mistakes in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// Stands before the number of members.
    pub(super) token: &'static str,
    /// Number and members in the grammar.
    pub(super) block: Arg,
    pub(super) no_token: &'static str,
    pub(super) other_count: &'static str,
    pub(super) no_number: &'static str,
    pub(super) not_positive: &'static str,
}

/// What happened to members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Events {
    /// They got a deadline.
    pub(super) dated: Event,
    /// They lost it.
    pub(super) persisted: Event,
    /// They went.
    pub(super) removed: Event,
}

/// A collection whose members may have deadlines, and its commands.
pub(super) trait Dated: Stored + Expiring {
    const GROUP: Group;
    const WORDS: Words;
    const EVENTS: Events;
    /// The command that removes members.
    const REMOVE: &'static str;
    /// Version that brought the commands.
    const SINCE: &'static str;
    /// Names and sentences, in the order of [`Dated::ROWS`].
    const NAMES: [(&'static str, &'static str); 9];

    /// Rows of the commands.
    const ROWS: [Command<DataRun>; 9] = [
        change::<Self>(0, Write(expire::<Self>), const { &grammar::<Self>(SECONDS) }),
        change::<Self>(1, Write(pexpire::<Self>), const { &grammar::<Self>(MILLIS) }),
        change::<Self>(2, Write(expireat::<Self>), const { &grammar::<Self>(AT_SECONDS) }),
        change::<Self>(3, Write(pexpireat::<Self>), const { &grammar::<Self>(AT_MILLIS) }),
        look::<Self>(4, Read(ttl::<Self>)).tips(&["nondeterministic_output"]),
        look::<Self>(5, Read(pttl::<Self>)).tips(&["nondeterministic_output"]),
        look::<Self>(6, Read(expiretime::<Self>)),
        look::<Self>(7, Read(pexpiretime::<Self>)),
        row::<Self>(8, 5, Write(persist::<Self>), CHANGED)
            .args(const { &[key("key"), Self::WORDS.block] }),
    ];
}

const CHANGED: &[Key] = &[Key::at(1, &["RW", "update"])];
const LOOKED_AT: &[Key] = &[Key::at(1, &["RO", "access"])];

const fn row<T: Dated>(
    at: usize,
    words: i32,
    run: DataRun,
    keys: &'static [Key],
) -> Command<DataRun> {
    let (name, sentence) = T::NAMES[at];
    Command::new(name, at_least(words), T::GROUP, run).keys(keys).flags(FAST).doc(
        T::SINCE,
        sentence,
        "O(N)",
    )
}

const fn change<T: Dated>(at: usize, run: DataRun, args: &'static [Arg]) -> Command<DataRun> {
    row::<T>(at, 6, run, CHANGED).args(args)
}

const fn look<T: Dated>(at: usize, run: DataRun) -> Command<DataRun> {
    row::<T>(at, 5, run, LOOKED_AT).args(const { &[key("key"), T::WORDS.block] })
}

const fn grammar<T: Dated>(when: Arg) -> [Arg; 4] {
    [key("key"), when, CONDITION, T::WORDS.block]
}

const SECONDS: Arg = integer("seconds");
const MILLIS: Arg = integer("milliseconds");
const AT_SECONDS: Arg = unix_time("unix-time-seconds");
const AT_MILLIS: Arg = unix_time("unix-time-milliseconds");
const CONDITION: Arg =
    one_of("condition", &[pure("nx", "NX"), pure("xx", "XX"), pure("gt", "GT"), pure("lt", "LT")])
        .optional();

/// Words of sets and sorted sets.
pub(super) const MEMBERS: Words = Words {
    token: "MEMBERS",
    block: block("members", &[integer("nummembers"), text("member").repeated()]).token("MEMBERS"),
    no_token: "ERR Mandatory argument MEMBERS is missing or not at the right position",
    other_count: "ERR The `nummembers` parameter must match the number of arguments",
    no_number: "ERR Parameter `numMembers` should be greater than 0",
    not_positive: "ERR Number of members must be a positive integer",
};

/// Later moments are refused: Redis keeps 46 bits of milliseconds.
const DEADLINE_MAX: i64 = (1 << 46) - 1;

const NEGATIVE: ReplyError = ReplyError::Fixed("ERR invalid expire time, must be >= 0");

/// What is answered for a member.
mod code {
    pub(super) const NO_MEMBER: i64 = -2;
    pub(super) const NO_DEADLINE: i64 = -1;
    pub(super) const NOT_ADMITTED: i64 = 0;
    pub(super) const DONE: i64 = 1;
    pub(super) const REMOVED: i64 = 2;
}

/// Reads the next word as a deadline of members, in the name of `command`.
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

fn expire<T: Dated>(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadlines::<T>(cx, Clock::SECONDS, T::NAMES[0].0)
}

fn pexpire<T: Dated>(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadlines::<T>(cx, Clock::MILLIS, T::NAMES[1].0)
}

fn expireat<T: Dated>(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadlines::<T>(cx, Clock::UNIX_SECONDS, T::NAMES[2].0)
}

fn pexpireat<T: Dated>(cx: &mut WriteCx<'_>) -> CmdResult {
    set_deadlines::<T>(cx, Clock::UNIX_MILLIS, T::NAMES[3].0)
}

/// Reads the family's token, a number and as many names, which end the request; gives the names.
pub(super) fn named<'a, T: Dated>(
    args: &mut Args<'a>,
    bad_number: &'static str,
) -> Result<impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a, T>, ReplyError> {
    if !args.accept(T::WORDS.token) {
        return Err(ReplyError::Fixed(T::WORDS.no_token));
    }
    let count = parse_int(args.bytes()?).filter(|count| *count > 0);
    if usize::try_from(count.ok_or(ReplyError::Fixed(bad_number))?) != Ok(args.left()) {
        return Err(ReplyError::Fixed(T::WORDS.other_count));
    }
    Ok(args.rest())
}

/// Refuses a key of another type: clients see this before a bad option.
pub(super) fn check_type<T: Dated>(keys: &Writer<'_>, key: &[u8]) -> Result<(), WrongType> {
    match keys.reader().kind(key) {
        Some(kind) if kind != T::KIND => Err(WrongType),
        _ => Ok(()),
    }
}

fn set_deadlines<T: Dated>(cx: &mut WriteCx<'_>, clock: Clock, name: &str) -> CmdResult {
    let key = cx.args.bytes()?;
    check_type::<T>(&cx.keys, key)?;
    let command = name.to_ascii_lowercase();
    let deadline = read_deadline(&mut cx.args, clock, cx.keys.now(), &command)?;
    let condition = Condition::read(&mut cx.args);
    let names = named::<T>(&mut cx.args, T::WORDS.no_number)?;
    let is_over = cx.keys.is_over(deadline);

    cx.keys.expire_named(key, names.clone());
    let codes = cx.keys.update(key, |own: &mut T, epochs| {
        own.prepare();
        let set = |name: &[u8]| {
            let Some(old) = own.deadline(name) else { return code::NO_MEMBER };
            if !condition.admits(old, deadline) {
                code::NOT_ADMITTED
            } else if is_over {
                own.remove(name, epochs);
                code::REMOVED
            } else {
                own.set_deadline(name, Some(deadline), epochs);
                code::DONE
            }
        };
        let codes: Vec<i64> = names.clone().map(set).collect();
        let done = codes.iter().filter(|code| **code > code::NOT_ADMITTED).count() as u64;
        let change = match done {
            0 => Change::None,
            _ if is_over => Change::Did(T::EVENTS.removed, done),
            _ => Change::Did(T::EVENTS.dated, done),
        };
        (codes, change)
    })?;

    if let Some(codes) = &codes {
        let done = names.clone().zip(codes).filter(|(_, code)| **code > code::NOT_ADMITTED);
        let done: Vec<&[u8]> = done.map(|(name, _)| name).collect();
        tell::<T>(cx.telling, key, &done, (!is_over).then_some(deadline));
    }
    write_codes(cx, codes, names.len());
    Ok(Flow::Replied)
}

/// Tells that members got a deadline, or went because it had passed.
pub(super) fn tell<T: Dated>(
    telling: &mut Telling,
    key: &[u8],
    names: &[&[u8]],
    deadline: Option<UnixMillis>,
) {
    if !telling.is_heard() || names.is_empty() {
        return;
    }
    let Some(at) = deadline else {
        telling.instead([&[T::REMOVE.as_bytes(), key], names].concat());
        return;
    };
    let (name, token) = (T::NAMES[3].0.as_bytes(), T::WORDS.token.as_bytes());
    let (at, count) = (digits(at.0), digits(names.len()));
    let head: [&[u8]; 5] = [name, key, at.as_bytes(), token, count.as_bytes()];
    telling.instead([&head, names].concat());
}

fn write_codes(cx: &mut WriteCx<'_>, codes: Option<Vec<i64>>, members: usize) {
    cx.reply.array(members);
    for code in codes.unwrap_or_else(|| vec![code::NO_MEMBER; members]) {
        cx.reply.int(code);
    }
}

fn persist<T: Dated>(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    check_type::<T>(&cx.keys, key)?;
    let names = named::<T>(&mut cx.args, T::WORDS.not_positive)?;

    cx.keys.expire_named(key, names.clone());
    let codes = cx.keys.update(key, |own: &mut T, epochs| {
        let persist = |name: &[u8]| match own.deadline(name) {
            None => code::NO_MEMBER,
            Some(None) => code::NO_DEADLINE,
            Some(Some(_)) => {
                own.set_deadline(name, None, epochs);
                code::DONE
            }
        };
        let codes: Vec<i64> = names.clone().map(persist).collect();
        let change = match codes.iter().filter(|code| **code == code::DONE).count() {
            0 => Change::None,
            done => Change::Did(T::EVENTS.persisted, done as u64),
        };
        (codes, change)
    })?;

    write_codes(cx, codes, names.len());
    Ok(Flow::Replied)
}

fn ttl<T: Dated>(cx: &mut ReadCx<'_>) -> CmdResult {
    let now = cx.keys.now();
    write_deadlines::<T>(cx, |at| to_seconds(at.0.saturating_sub(now.0)))
}

fn pttl<T: Dated>(cx: &mut ReadCx<'_>) -> CmdResult {
    let now = cx.keys.now();
    write_deadlines::<T>(cx, |at| at.0.saturating_sub(now.0))
}

fn expiretime<T: Dated>(cx: &mut ReadCx<'_>) -> CmdResult {
    write_deadlines::<T>(cx, |at| to_seconds(at.0))
}

fn pexpiretime<T: Dated>(cx: &mut ReadCx<'_>) -> CmdResult {
    write_deadlines::<T>(cx, |at| at.0)
}

/// To the next second. TTL of keys rounds to the nearest; clients see the difference.
fn to_seconds(millis: i64) -> i64 {
    millis.saturating_add(999) / 1000
}

fn write_deadlines<T: Dated>(cx: &mut ReadCx<'_>, show: impl Fn(UnixMillis) -> i64) -> CmdResult {
    let own = cx.keys.get::<T>(cx.args.bytes()?)?;
    let names = named::<T>(&mut cx.args, T::WORDS.not_positive)?;
    let (own, now) = (own.as_deref(), cx.keys.horizon());

    cx.reply.array(names.len());
    for name in names {
        cx.reply.int(match own.and_then(|own| own.deadline(name)) {
            None => code::NO_MEMBER,
            Some(None) => code::NO_DEADLINE,
            Some(Some(at)) if at <= now => code::NO_MEMBER,
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

    /// Holds a conversation about a set, small and large, and about a sorted set: `$` is the first
    /// letter of a command, `$add` and `$all` put members in and show all.
    fn check(conversation: &[&str], turn: impl Fn(&mut Bench)) {
        for (letter, entries) in [("s", 128), ("s", 0), ("z", 128), ("z", 0)] {
            let mut bench = bench(entries);
            for line in conversation {
                if line.is_empty() {
                    turn(&mut bench);
                    continue;
                }
                let line = if letter == "s" {
                    line.replace("$add k", "sadd k").replace("$all", "sort_ro k alpha")
                } else {
                    let line = line.replace("$add k a b c d", "zadd k 1 a 2 b 3 c 4 d");
                    line.replace("$add k a", "zadd k 1 a").replace("$all", "zrange k 0 -1")
                };
                bench.check(&[&line.replace('$', letter)]);
            }
        }
    }

    fn bench(entries: usize) -> Bench {
        let mut bench = Bench::new();
        bench.limits.encodings.set_pack_entries = entries;
        bench.limits.encodings.sorted_set_pack_entries = entries;
        bench
    }

    #[test]
    fn deadlines_are_set_shown_and_taken() {
        let conversation = [
            "$add k a b c d => :4",
            "$expire k 100 members 2 a nosuch => [:1 :-2]",
            "$pexpire k 1400 members 1 b => [:1]",
            "$ttl k members 4 a b c nosuch => [:100 :2 :-1 :-2]",
            "$pttl k members 2 a b => [:100000 :1400]",
            "$expiretime k members 2 a b => [:1795000100 :1795000002]",
            "$pexpiretime k members 2 a b => [:1795000100000 :1795000001400]",
            "$persist k members 3 a c nosuch => [:1 :-1 :-2]",
            "$persist k members 2 a b => [:-1 :1]",
            "$expireat k 1795000007 members 1 a => [:1]",
            "$pexpireat k 1795000007001 members 1 b => [:1]",
            "$pttl k members 2 a b => [:7000 :7001]",
            "$expire k 9 lt members 3 a b c => [:0 :0 :1]",
            "$expire k 8 nx members 2 c d => [:0 :1]",
            "$expire k 10 gt members 1 c => [:1]",
            "$expire k 0 members 3 a a nosuch => [:2 :-2 :-2]",
            "$expireat k 1 members 3 b c d => [:2 :2 :2]",
            "exists k => :0",
            "$expire k 100 members 2 a b => [:-2 :-2]",
            "$ttl k members 1 a => [:-2]",
            "$persist k members 1 a => [:-2]",
        ];
        check(&conversation, |_| ());
    }

    #[test]
    fn bad_calls_are_refused() {
        let conversation = [
            "set str x => +OK",
            "$expire str x foo 1 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "$add k a => :1",
            "$expire k x foo 1 a => -ERR value is not an integer or out of range",
            "$expire k -1 nx foo 1 a => -ERR invalid expire time, must be >= 0",
            "$pexpire k 70368744177664 members 1 a => -ERR invalid expire time in '$pexpire' command",
            "$expire k 100 nx xx members 1 a => -ERR Mandatory argument MEMBERS is missing or not at the right position",
            "$expire k 100 members 0 a => -ERR Parameter `numMembers` should be greater than 0",
            "$ttl k members 0 a => -ERR Number of members must be a positive integer",
            "$persist k members 2 a => -ERR The `nummembers` parameter must match the number of arguments",
        ];
        check(&conversation, |_| ());
    }

    #[test]
    fn who_is_over_is_not_seen_before_the_wheel_comes_by() {
        let conversation = [
            "$add k a b c d => :4",
            "$pexpire k 10 members 2 b c => [:1 :1]",
            "",
            r#"$all => ["a" "d"]"#,
            "$card k => :2",
            "$ttl k members 4 a b c d => [:-1 :-2 :-2 :-1]",
            "$rem k a b => :1",
            r#"$all => ["d"]"#,
            "$add k a => :1",
            r#"$all => ["a" "d"]"#,
            "$expire k 100 members 1 b => [:-2]",
        ];
        check(&conversation, |bench| bench.now = UnixMillis(bench.now.0 + 10));
    }

    #[test]
    fn deadlines_stay_with_their_members() {
        let conversation = [
            "$add k a b c d => :4",
            "$pexpire k 10 members 3 a b c => [:1 :1 :1]",
            "$add k a => :0",
            "copy k l => :1",
            "rename k m => +OK",
            "$pttl l members 2 a b => [:10 :10]",
            "$pttl m members 2 a b => [:10 :10]",
            "$rem m b => :1",
            "$persist m members 1 c => [:1]",
            "",
            "$card m => :2",
            "$card l => :1",
            "$rem l d => :1",
            "exists l => :0",
        ];
        check(&conversation, |bench| {
            bench.now = UnixMillis(bench.now.0 + 10);
            bench.keyspace.expire_due(bench.now, 100);
        });
    }

    #[test]
    fn a_follower_lets_its_primary_decide() {
        let conversation = [
            "",
            "$add k a b c d => :4",
            "$pexpireat k 1 members 2 a b => [:1 :1]",
            r#"$all => ["c" "d"]"#,
            "$card k => :2",
            "$persist k members 1 a => [:1]",
            r#"$all => ["a" "c" "d"]"#,
            "$rem k b => :1",
        ];
        check(&conversation, |bench| bench.keyspace.set_expiry(Expiry::Followed));
    }
}
