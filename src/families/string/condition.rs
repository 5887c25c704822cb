//! Conditions on the string that is there: the IF options of SET, DELEX, DELIFEQ.

use xxhash_rust::xxh3::xxh3_64;

use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, FAST, Group, Key, at_least, exactly, key, one_of, text as string,
};
use crate::families::text;
use crate::keyspace::journal::Event;
use crate::keyspace::value::{Kind, StringRef};
use crate::keyspace::write::Free;
use crate::protocol::error::ReplyError;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("DELEX", at_least(2), Group::String, Write(delex))
        .keys(&[Key::at(1, &["RW", "delete", "variable_flags"])])
        .flags(FAST)
        .args(&[
            key("key"),
            one_of(
                "condition",
                &[
                    string("ifeq-value").token("IFEQ"),
                    string("ifne-value").token("IFNE"),
                    string("ifdeq-digest").token("IFDEQ"),
                    string("ifdne-digest").token("IFDNE"),
                ],
            )
            .optional(),
        ])
        .doc("8.4.0", "Removes a key if its string, or the hash of it, is as told.", "O(1)"),
    Command::new("DELIFEQ", exactly(3), Group::String, Write(delifeq))
        .keys(&[Key::at(1, &["RM", "delete"])])
        .flags(FAST)
        .args(&[key("key"), string("value")])
        .doc("9.0.0", "Removes a key if it holds just this string.", "O(1)"),
];

const DEL: Event = Event::generic("del");
const NOT_A_STRING: ReplyError =
    ReplyError::Fixed("ERR Key should be of string type if conditions are specified");
const DIGEST: ReplyError = ReplyError::Fixed("ERR must be exactly 16 hexadecimal characters");

/// When a write may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    /// At any rate.
    #[default]
    Always,
    /// The key is absent.
    Absent,
    /// The key is present.
    Present,
    /// The string is this one.
    Equal(&'a [u8]),
    /// The string is absent or another.
    Different(&'a [u8]),
    /// The string has this digest.
    DigestEqual(&'a [u8]),
    /// The string is absent or has another digest.
    DigestDifferent(&'a [u8]),
}

impl<'a> Condition<'a> {
    /// Reads NX, XX or one of the IF options, if it is next. A second condition is an error,
    /// except that NX and XX may be said again.
    pub(super) fn accept(args: &mut Args<'a>, former: Self) -> Result<Option<Self>, ReplyError> {
        let condition = if args.accept("NX") {
            Self::Absent
        } else if args.accept("XX") {
            Self::Present
        } else {
            match Self::accept_value(args)? {
                None => return Ok(None),
                Some(_) if former != Self::Always => return Err(ReplyError::Syntax),
                Some(condition) => condition,
            }
        };
        if former == Self::Always || former == condition {
            Ok(Some(condition))
        } else {
            Err(ReplyError::Syntax)
        }
    }

    fn accept_value(args: &mut Args<'a>) -> Result<Option<Self>, ReplyError> {
        Ok(Some(if args.accept("IFEQ") {
            Self::Equal(args.bytes()?)
        } else if args.accept("IFNE") {
            Self::Different(args.bytes()?)
        } else if args.accept("IFDEQ") {
            Self::DigestEqual(args.bytes()?)
        } else if args.accept("IFDNE") {
            Self::DigestDifferent(args.bytes()?)
        } else {
            return Ok(None);
        }))
    }

    /// The same, once its digest is known to be one.
    pub(super) fn checked(self) -> Result<Self, ReplyError> {
        match self {
            Self::DigestEqual(digest) | Self::DigestDifferent(digest)
                if digest.len() != 16 || !digest.iter().all(u8::is_ascii_hexdigit) =>
            {
                Err(DIGEST)
            }
            _ => Ok(self),
        }
    }

    /// Whether it depends on more than the key's existence.
    pub(super) fn reads_value(self) -> bool {
        !matches!(self, Self::Always | Self::Absent | Self::Present)
    }

    /// Whether it is met by the string that is there.
    pub(super) fn holds(self, value: Option<StringRef<'_>>) -> bool {
        let mut digits = itoa::Buffer::new();
        let bytes = value.map(|value| text::as_bytes(value, &mut digits));
        match self {
            Self::Always => true,
            Self::Absent => bytes.is_none(),
            Self::Present => bytes.is_some(),
            Self::Equal(wanted) => bytes == Some(wanted),
            Self::Different(unwanted) => bytes != Some(unwanted),
            Self::DigestEqual(wanted) => bytes.is_some_and(|bytes| has_digest(bytes, wanted)),
            Self::DigestDifferent(unwanted) => {
                !bytes.is_some_and(|bytes| has_digest(bytes, unwanted))
            }
        }
    }
}

fn has_digest(bytes: &[u8], digest: &[u8]) -> bool {
    std::str::from_utf8(digest).is_ok_and(|hex| u64::from_str_radix(hex, 16) == Ok(xxh3_64(bytes)))
}

fn delex(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    if !matches!(cx.args.left(), 0 | 2) {
        return Err(ReplyError::WrongArity("delex".into()));
    }
    let condition = Condition::accept_value(&mut cx.args)?.unwrap_or_default().checked()?;
    cx.args.finish()?;

    let is_met = match cx.keys.reader().kind(key) {
        None => false,
        Some(_) if condition == Condition::Always => true,
        Some(Kind::String) => condition.holds(cx.keys.reader().string(key)?),
        Some(_) => return Err(NOT_A_STRING),
    };
    let was_removed = is_met && cx.keys.remove(key, Free::Later, DEL);
    if was_removed {
        cx.telling.instead([&b"DEL"[..], key]);
    }

    cx.reply.flag(was_removed);
    Ok(Flow::Replied)
}

fn delifeq(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, wanted) = (cx.args.bytes()?, cx.args.bytes()?);

    let is_met = Condition::Equal(wanted).holds(cx.keys.reader().string(key)?);
    let was_removed = is_met && cx.keys.remove(key, Free::Later, DEL);
    if was_removed {
        cx.telling.instead([&b"DEL"[..], key]);
    }

    cx.reply.flag(was_removed);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn keys_are_removed_on_condition() {
        Bench::new().check(&[
            "delex k => :0",
            "delex k IFEQ v => :0",
            "delex k IFNE v => :0",
            "set k hello => +OK",
            "delex k IFEQ v => :0",
            "delex k IFNE hello => :0",
            "delex k IFDNE 9555e8555c62dcfd => :0",
            "delex k IFDEQ 9555E8555C62DCFD => :1",
            "set k 12 => +OK",
            "delex k IFEQ 12 => :1",
            "set k 12 => +OK",
            "delex k => :1",
            "delex k IFEQ => -ERR wrong number of arguments for 'delex' command",
            "delex k IFEQ a b => -ERR wrong number of arguments for 'delex' command",
            "delex k FOO a => -ERR syntax error",
            "delex k IFDEQ zz => -ERR must be exactly 16 hexadecimal characters",
            "delifeq k v => :0",
            "set k v => +OK",
            "delifeq k w => :0",
            "delifeq k v => :1",
            "exists k => :0",
        ]);
    }
}
