//! The options that XREAD and XREADGROUP share.

use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::families::timeout;
use crate::protocol::error::ReplyError;

const MISSING_GROUP: ReplyError = ReplyError::Fixed("ERR Missing GROUP option for XREADGROUP");
const ONLY_GROUPS: [(&str, ReplyError); 3] = [
    (
        "GROUP",
        ReplyError::Fixed(
            "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
        ),
    ),
    (
        "NOACK",
        ReplyError::Fixed(
            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
        ),
    ),
    (
        "CLAIM",
        ReplyError::Fixed(
            "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.",
        ),
    ),
];
const UNBALANCED: ReplyError = ReplyError::Fixed(
    "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be \
     specified.",
);
const UNBALANCED_GROUP: ReplyError = ReplyError::Fixed(
    "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be \
     specified.",
);
const IDLE_NOT_INTEGER: ReplyError =
    ReplyError::Fixed("ERR min-idle-time is not an integer or out of range");
const IDLE_NEGATIVE: ReplyError = ReplyError::Fixed("ERR min-idle-time must be a positive integer");
const MAXCOUNT_RANGE: ReplyError = ReplyError::Fixed("ERR MAXCOUNT must be a positive integer");
const MAXCOUNT_BELOW: ReplyError =
    ReplyError::Fixed("ERR MAXCOUNT must be greater than or equal to COUNT");
const MAXSIZE_RANGE: ReplyError = ReplyError::Fixed("ERR MAXSIZE must be a positive integer");

/// Which of the two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Plainly,
    ForGroup,
}

/// What a call asks for.
#[derive(Clone, Debug)]
pub(super) struct ReadArgs<'a> {
    /// Group and consumer.
    pub(super) group: Option<(&'a [u8], &'a [u8])>,
    /// Most entries of each stream.
    pub(super) count: usize,
    /// How much in all.
    pub(super) budget: Budget,
    /// Whether to wait when there is nothing.
    pub(super) waits: bool,
    /// The last moment of waiting; `None` is for ever.
    pub(super) deadline: Option<UnixMillis>,
    /// Entries don't become pending.
    pub(super) no_ack: bool,
    /// Take over what has been pending for so many milliseconds.
    pub(super) claim: Option<i64>,
    /// Keys with what is to be read of each, and the word that says so.
    pub(super) streams: Vec<(&'a [u8], &'a [u8])>,
    /// Index of the first word behind the keys.
    pub(super) ids_at: usize,
}

/// How much may still be replied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    entries: usize,
    bytes: usize,
    is_untouched: bool,
}

impl Budget {
    /// Most entries that the next stream may give.
    pub(super) fn entries(&self) -> usize {
        if self.bytes == 0 && !self.is_untouched { 0 } else { self.entries }
    }

    /// Notes an entry that took so many bytes; whether there may be more.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        self.is_untouched = false;
        self.entries -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.entries > 0 && self.bytes > 0
    }
}

impl<'a> ReadArgs<'a> {
    /// Reads all words.
    pub(super) fn read(
        args: &mut Args<'a>,
        reads: Reads,
        now: UnixMillis,
    ) -> Result<Self, ReplyError> {
        let mut read = Self {
            group: None,
            count: usize::MAX,
            budget: Budget { entries: usize::MAX, bytes: usize::MAX, is_untouched: true },
            waits: false,
            deadline: None,
            no_ack: false,
            claim: None,
            streams: Vec::new(),
            ids_at: 0,
        };
        while !args.is_done() {
            let has_more = args.left() > 1;
            if has_more && args.accept("STREAMS") {
                read.read_streams(args, reads)?;
                break;
            }
            if !read.accept(args, reads, now)? {
                return Err(ReplyError::Syntax);
            }
        }
        if read.streams.is_empty() {
            return Err(ReplyError::Syntax);
        }
        if reads == Reads::ForGroup && read.group.is_none() {
            return Err(MISSING_GROUP);
        }
        if read.count != usize::MAX && read.budget.entries < read.count {
            return Err(MAXCOUNT_BELOW);
        }
        Ok(read)
    }

    /// Reads an option; whether there was one.
    fn accept(
        &mut self,
        args: &mut Args<'a>,
        reads: Reads,
        now: UnixMillis,
    ) -> Result<bool, ReplyError> {
        let has_more = args.left() > 1;
        if has_more && args.accept("BLOCK") {
            self.deadline = timeout::in_millis(args.bytes()?, now)?;
            self.waits = true;
        } else if has_more && args.accept("COUNT") {
            let count = usize::try_from(args.int()?).unwrap_or(0);
            self.count = if count == 0 { usize::MAX } else { count };
        } else if has_more && args.accept("MAXCOUNT") {
            self.budget.entries = args.positive(MAXCOUNT_RANGE)?;
        } else if has_more && args.accept("MAXSIZE") {
            self.budget.bytes = args.positive(MAXSIZE_RANGE)?;
        } else if reads == Reads::Plainly {
            let mut refused = ONLY_GROUPS.into_iter().filter(|(word, _)| {
                args.left() > usize::from(*word == "GROUP") * 2 && args.clone().accept(word)
            });
            return refused.next().map_or(Ok(false), |(_, error)| Err(error));
        } else if args.left() > 2 && args.accept("GROUP") {
            self.group = Some((args.bytes()?, args.bytes()?));
        } else if args.accept("NOACK") {
            self.no_ack = true;
        } else if has_more && args.accept("CLAIM") {
            let idle = args.int().map_err(|_| IDLE_NOT_INTEGER)?;
            self.claim = Some(idle).filter(|idle| *idle >= 0);
            if self.claim.is_none() {
                return Err(IDLE_NEGATIVE);
            }
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn read_streams(&mut self, args: &mut Args<'a>, reads: Reads) -> Result<(), ReplyError> {
        let (first, words) = (args.position(), args.left());
        if words % 2 != 0 {
            return Err(match reads {
                Reads::Plainly => UNBALANCED,
                Reads::ForGroup => UNBALANCED_GROUP,
            });
        }
        self.ids_at = first + words / 2;
        self.streams = (first..self.ids_at)
            .map(|index| (args.word(index), args.word(index + words / 2)))
            .collect();
        Ok(())
    }
}
