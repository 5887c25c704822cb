//! Values as payloads: DUMP, RESTORE.

use crate::base::number::{digits, parse_int};
use crate::base::time::UnixMillis;
use crate::command::context::{CmdResult, DataLimits, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Command, DENY_OOM, Group, Key, at_least, exactly, integer, key, pure, text,
};
use crate::keyspace::journal::{DEL, Event};
use crate::keyspace::packed::ValueView;
use crate::keyspace::value::{StringRef, ValueRef};
use crate::keyspace::write::{Free, PastUse};
use crate::persistence::dump::{self as payload, Checksum, DumpError};
use crate::persistence::rdb::Versions;
use crate::persistence::rdb::decode::Limits;
use crate::protocol::error::ReplyError;
use crate::types::{hash, sorted_set};

/// Bytes of a string whose payload costs as much as an element's.
const BYTES_PER_ELEMENT: usize = 64;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("DUMP", exactly(2), Group::Generic, Read(dump))
        .keys(&[Key::at(1, &["RO", "access"])])
        .categories(&["keyspace"])
        .args(&[key("key")])
        .tips(&["nondeterministic_output"])
        .doc("2.6.0", "Returns a value as a payload for RESTORE.", "O(N), N being its elements"),
    Command::new("RESTORE", at_least(4), Group::Generic, Write(restore))
        .keys(&[Key::at(1, &["OW", "update"])])
        .flags(DENY_OOM)
        .categories(&["dangerous", "keyspace"])
        .args(&[
            key("key"),
            integer("ttl"),
            text("serialized-value"),
            pure("replace", "REPLACE").optional().since("3.0.0"),
            pure("absttl", "ABSTTL").optional().since("5.0.0"),
            integer("seconds").token("IDLETIME").optional().since("5.0.0"),
            integer("frequency").token("FREQ").optional().since("5.0.0"),
        ])
        .doc("2.6.0", "Makes a key of a payload of DUMP.", "O(N log N), N being its elements"),
];

const RESTORED: Event = Event::generic("restore");

const BAD_TTL: ReplyError = ReplyError::Fixed("ERR Invalid TTL value, must be >= 0");
const BAD_IDLE: ReplyError = ReplyError::Fixed("ERR Invalid IDLETIME value, must be >= 0");
const BAD_FREQUENCY: ReplyError =
    ReplyError::Fixed("ERR Invalid FREQ value, must be >= 0 and <= 255");

impl From<DumpError> for ReplyError {
    fn from(error: DumpError) -> Self {
        match error {
            DumpError::Footer => Self::BadPayload,
            DumpError::Value(why) => {
                tracing::warn!("RESTORE refused: the value's integrity check failed {why}");
                Self::BadData
            }
        }
    }
}

fn limits(limits: &DataLimits) -> Limits {
    let limits = &limits.encodings;
    Limits {
        list: limits.list_pack,
        set: limits.set(),
        hash: hash::Limits { entries: limits.hash_pack_entries, bytes: limits.hash_pack_value },
        sorted_set: sorted_set::PackLimits {
            entries: limits.sorted_set_pack_entries,
            value: limits.sorted_set_pack_value,
        },
    }
}

fn dump(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let value = cx.keys.value(key).map(ValueView::open);
    if value.as_ref().is_some_and(|value| cx.is_long(effort(value.as_ref()))) {
        return Ok(Flow::Away(None));
    }

    match value {
        Some(value) => {
            let payload = payload::dump(value.as_ref(), cx.limits.compresses_payloads);
            cx.reply.bulk(&payload);
        }
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

/// What a payload costs, in elements that are walked.
fn effort(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::String(StringRef::Shared(blob)) => blob.len() / BYTES_PER_ELEMENT,
        ValueRef::String(_) => 0,
        ValueRef::List(list) => list.len(),
        ValueRef::Set(set) => set.len(),
        ValueRef::Stream(stream) => stream.log().len(),
        ValueRef::SortedSet(set) => set.len(),
        ValueRef::Hash(hash) => hash.len(),
        #[cfg(test)]
        ValueRef::Probe(_) => 0,
    }
}

/// What stands behind the payload.
#[derive(Default)]
struct Options {
    replaces: bool,
    is_absolute: bool,
    past: Option<PastUse>,
}

fn restore(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, ttl, bytes) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let Options { replaces, is_absolute, past } = read_options(cx)?;
    let is_there = cx.keys.reader().kind(key).is_some();
    if is_there && !replaces {
        return Err(ReplyError::BusyKey);
    }
    let ttl = parse_int(ttl).ok_or(ReplyError::NotInteger)?;
    if ttl < 0 {
        return Err(BAD_TTL);
    }
    let base = if is_absolute { 0 } else { cx.keys.now().0 };
    let deadline = (ttl != 0).then(|| UnixMillis(base.saturating_add(ttl)));
    let sum = if cx.limits.ignores_checksums { Checksum::Ignored } else { Checksum::Compared };
    let versions = if cx.limits.takes_any_version { Versions::Any } else { Versions::Known };
    let limits = limits(cx.limits);
    let value =
        cx.keys.derive(|_, epochs| payload::restore(bytes, limits, sum, versions, epochs))?;

    if deadline.is_some_and(|at| cx.keys.is_over(at)) {
        if is_there {
            cx.keys.remove(key, Free::Later, DEL);
            cx.telling.instead([&b"DEL"[..], key]);
        }
    } else {
        cx.keys.restore(key, value, deadline, RESTORED);
        let at = digits(deadline.map_or(0, |at| at.0));
        cx.telling.instead([b"RESTORE", key, at.as_bytes(), bytes, b"REPLACE", b"ABSTTL"]);
        if let Some(past) = past {
            cx.keys.set_past_use(key, past);
        }
    }

    cx.reply.ok();
    Ok(Flow::Replied)
}

fn read_options(cx: &mut WriteCx<'_>) -> Result<Options, ReplyError> {
    let mut options = Options::default();
    while !cx.args.is_done() {
        let is_idle = matches!(options.past, None | Some(PastUse::Idle(_)));
        let is_frequency = matches!(options.past, None | Some(PastUse::Frequency(_)));
        if cx.args.accept("REPLACE") {
            options.replaces = true;
        } else if cx.args.accept("ABSTTL") {
            options.is_absolute = true;
        } else if is_idle && cx.args.accept("IDLETIME") {
            let seconds = number(cx)?;
            options.past = Some(PastUse::Idle(u64::try_from(seconds).map_err(|_| BAD_IDLE)?));
        } else if is_frequency && cx.args.accept("FREQ") {
            let counter = u8::try_from(number(cx)?).map_err(|_| BAD_FREQUENCY)?;
            options.past = Some(PastUse::Frequency(counter));
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    Ok(options)
}

fn number(cx: &mut WriteCx<'_>) -> Result<i64, ReplyError> {
    if cx.args.is_done() {
        return Err(ReplyError::Syntax);
    }
    parse_int(cx.args.bytes()?).ok_or(ReplyError::NotInteger)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    /// Of the string "1", as Redis 7.0 says it.
    const ONE: &str = r"\x00\xc0\x01\x0a\x00&x\xe7\xb6\xd1\x01\x11\xfc";

    fn check(conversation: &[&str]) {
        let lines: Vec<String> =
            conversation.iter().map(|line| line.replace("ONE", &format!("\"{ONE}\""))).collect();
        Bench::new().check(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn payloads_are_restored() {
        check(&[
            "restore a 0 ONE => +OK",
            r#"get a => "1""#,
            "ttl a => :-1",
            "restore a 0 ONE => -BUSYKEY Target key name already exists.",
            "restore a 5000 ONE replace replace => +OK",
            "pttl a => :5000",
            "restore b 1795000009000 ONE absttl => +OK",
            "pttl b => :9000",
            "restore c 0 ONE idletime 1000 => +OK",
            "object idletime c => :1000",
            "restore d 0 ONE freq 7 => +OK",
            "restore e 9223372036854775807 ONE => +OK",
            "dump none => nil",
        ]);
    }

    #[test]
    fn payload_that_is_over_leaves_nothing() {
        check(&[
            "restore a 1 ONE absttl => +OK",
            "exists a => :0",
            "set a x => +OK",
            "restore a 1 ONE absttl replace => +OK",
            "exists a => :0",
        ]);
    }

    #[test]
    fn first_of_several_refusals_is_that_of_redis() {
        check(&[
            "set a x => +OK",
            "restore a x bad => -BUSYKEY Target key name already exists.",
            "restore a 0 bad freq 256 => -ERR Invalid FREQ value, must be >= 0 and <= 255",
            "restore a 1 bad replace => -ERR DUMP payload version or checksum are wrong",
            "restore b x ONE => -ERR value is not an integer or out of range",
            "restore b -1 bad => -ERR Invalid TTL value, must be >= 0",
            "restore b 0 ONE foo => -ERR syntax error",
            "restore b 0 ONE idletime -1 => -ERR Invalid IDLETIME value, must be >= 0",
            "restore b 0 ONE idletime x => -ERR value is not an integer or out of range",
            "restore b 0 ONE freq x => -ERR value is not an integer or out of range",
            "restore b 0 ONE freq 1 idletime 2 => -ERR syntax error",
            "restore b 0 ONE idletime 1 freq 2 => -ERR syntax error",
            "restore b 0 ONE freq => -ERR syntax error",
            "exists b => :0",
        ]);
    }
}
