//! Trimming: XTRIM, and the options that XADD shares with it.

use crate::base::number::digits;
use crate::command::args::Args;
use crate::command::context::{CmdResult, EncodingLimits, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Arg, Command, Group, Key, at_least, block, integer, key, one_of, pure, text,
};
use crate::keyspace::journal::{Change, Event};
use crate::protocol::error::ReplyError;
use crate::types::stream::id::Id;
use crate::types::stream::log::{Keep, Trim};
use crate::types::stream::{Body, Stream};

use super::{event, parse};

/// How much stays.
pub(super) const TRIM: Arg = block(
    "trim",
    &[
        one_of("strategy", &[pure("maxlen", "MAXLEN"), pure("minid", "MINID").since("6.2.0")]),
        one_of("operator", &[pure("equal", "="), pure("approximately", "~")]).optional(),
        text("threshold"),
        integer("count").token("LIMIT").optional().since("6.2.0"),
    ],
);
/// What becomes of an entry that groups still have pending.
pub(super) const CONDITION: Arg = one_of(
    "condition",
    &[pure("keepref", "KEEPREF"), pure("delref", "DELREF"), pure("acked", "ACKED")],
)
.optional()
.since("8.2.0");

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] =
    &[Command::new("XTRIM", at_least(4), Group::Stream, Write(xtrim))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .args(&[key("key"), TRIM, CONDITION])
        .tips(&["nondeterministic_output"])
        .doc("5.0.0", "Deletes the oldest entries of a stream.", "O(N)")];

pub(super) const TRIMMED: Event = event("xtrim");

/// Least and most entries per call by which an approximate trimming is limited without LIMIT.
const LIMIT_UNBOUND: usize = 10_000;
const LIMIT_MAX: usize = 1_000_000;
const NODES_PER_CALL: usize = 100;

const TWO_STRATEGIES: ReplyError = ReplyError::Fixed(
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
);
const MAXLEN_NEGATIVE: ReplyError = ReplyError::Fixed("ERR The MAXLEN argument must be >= 0.");
const LIMIT_NEGATIVE: ReplyError = ReplyError::Fixed("ERR The LIMIT argument must be >= 0.");
const LIMIT_ALONE: ReplyError = ReplyError::Fixed(
    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
);
const LIMIT_EXACT: ReplyError =
    ReplyError::Fixed("ERR syntax error, LIMIT cannot be used without the special ~ option");
const NO_STRATEGY: ReplyError =
    ReplyError::Fixed("ERR syntax error, XTRIM must be called with a trimming strategy");

/// What becomes of entries that groups have not done with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum References {
    /// They go, and stay pending.
    #[default]
    Keep,
    /// They go, and are no longer pending.
    Delete,
    /// They stay.
    Respect,
}

impl References {
    /// Reads one of the words.
    pub(super) fn accept(args: &mut Args<'_>) -> Option<Self> {
        let words = [("KEEPREF", Self::Keep), ("DELREF", Self::Delete), ("ACKED", Self::Respect)];
        words.into_iter().find(|(word, _)| args.accept(word)).map(|(_, references)| references)
    }

    /// The word, unless it goes without saying.
    pub(super) fn word(self) -> Option<&'static [u8]> {
        match self {
            Self::Keep => None,
            Self::Delete => Some(b"DELREF"),
            Self::Respect => Some(b"ACKED"),
        }
    }
}

/// The options, as far as they were read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrimOptions {
    keep: Option<Keep>,
    is_approximate: bool,
    limit: Option<usize>,
    references: Option<References>,
}

impl TrimOptions {
    /// Reads an option; whether there was one.
    pub(super) fn accept(&mut self, args: &mut Args<'_>) -> Result<bool, ReplyError> {
        let has_more = args.left() > 1;
        if has_more && args.accept("MAXLEN") {
            self.begin_strategy(args)?;
            let len = usize::try_from(args.int()?).map_err(|_| MAXLEN_NEGATIVE)?;
            self.keep = Some(Keep::Last(len));
        } else if has_more && args.accept("MINID") {
            self.begin_strategy(args)?;
            self.keep = Some(Keep::From(parse::id(args.bytes()?)?));
        } else if has_more && args.accept("LIMIT") {
            self.limit = Some(usize::try_from(args.int()?).map_err(|_| LIMIT_NEGATIVE)?);
        } else if self.references.is_none()
            && let Some(references) = References::accept(args)
        {
            self.references = Some(references);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn begin_strategy(&mut self, args: &mut Args<'_>) -> Result<(), ReplyError> {
        if self.keep.is_some() {
            return Err(TWO_STRATEGIES);
        }
        if args.left() > 1 {
            self.is_approximate = args.accept("~");
            if !self.is_approximate {
                args.accept("=");
            }
        }
        Ok(())
    }

    /// All options together; `None` when nothing is to be trimmed.
    pub(super) fn finish(
        self,
        limits: &EncodingLimits,
    ) -> Result<Option<(Trim, References)>, ReplyError> {
        let Some(keep) = self.keep else {
            return if self.limit.is_some_and(|limit| limit > 0) {
                Err(LIMIT_ALONE)
            } else {
                Ok(None)
            };
        };
        let limit = match self.limit {
            Some(_) if !self.is_approximate => return Err(LIMIT_EXACT),
            Some(limit) => Some(limit),
            None if self.is_approximate => {
                let usual = limits.stream_node_entries.saturating_mul(NODES_PER_CALL);
                Some(if usual == 0 { LIMIT_UNBOUND } else { usual.min(LIMIT_MAX) })
            }
            None => None,
        };
        let limit = limit.filter(|limit| *limit > 0);
        let trim = Trim { keep, is_approximate: self.is_approximate, limit };
        Ok(Some((trim, self.references.unwrap_or_default())))
    }
}

/// Trims; says how many entries went.
pub(super) fn trim(body: &mut Body, trim: Trim, references: References) -> usize {
    match references {
        References::Keep => body.log.trim(trim, None),
        References::Delete => {
            let mut gone: Vec<Id> = Vec::new();
            let count = body.log.trim(trim, Some(&mut |id| gone.push(id)));
            for id in gone {
                body.forget_pending(id);
            }
            count
        }
        References::Respect => {
            let Body { log, groups, .. } = body;
            let is_done = |id: Id| {
                let mut all = groups.iter().map(|(_, group)| group);
                all.all(|group| group.last_id >= id && !group.pending().contains(&id))
            };
            log.trim_where(trim, is_done)
        }
    }
}

fn xtrim(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let mut options = TrimOptions::default();
    while !cx.args.is_done() {
        if !options.accept(&mut cx.args)? {
            return Err(ReplyError::Syntax);
        }
    }
    let options = options.finish(&cx.limits.encodings)?;
    let (how, references) = options.ok_or(NO_STRATEGY)?;

    let trimmed = cx.keys.update(key, |stream: &mut Stream, _| {
        let count = trim(stream.body_mut(), how, references);
        let change = if count > 0 { Change::Did(TRIMMED, count as u64) } else { Change::None };
        ((count, stream.log().len()), change)
    })?;

    let (count, len) = trimmed.unwrap_or_default();
    if count > 0 && cx.telling.is_heard() {
        let len = digits(len);
        let words = [b"XTRIM", key, b"MAXLEN", b"=", len.as_bytes()];
        cx.telling.instead(words.into_iter().chain(references.word()).collect::<Vec<_>>());
    }
    cx.reply.count(count);
    Ok(Flow::Replied)
}
