//! What LMPOP and ZMPOP take apart alike: `numkeys key [key ...] END [COUNT count]`.

use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{Absence, CmdResult, Flow, Wait};
use crate::keyspace::value::Kind;
use crate::protocol::error::ReplyError;
use crate::structures::cow_tree::End;

const NUMKEYS: ReplyError = ReplyError::Fixed("ERR numkeys should be greater than 0");
const COUNT: ReplyError = ReplyError::Fixed("ERR count should be greater than 0");

/// From which keys to take how much.
pub(super) struct PopPlan<'a> {
    /// In the order in which they are tried.
    pub(super) keys: Vec<&'a [u8]>,
    /// The end to take from.
    pub(super) end: End,
    /// At most so many, at least one.
    pub(super) count: usize,
}

impl<'a> PopPlan<'a> {
    /// Reads all that is left of `args`; `front` and `back` are the words for the ends.
    pub(super) fn read(
        args: &mut Args<'a>,
        (front, back): (&str, &str),
    ) -> Result<Self, ReplyError> {
        let keys = args.positive(NUMKEYS)?;
        if keys >= args.left() {
            return Err(ReplyError::Syntax);
        }
        let keys = (0..keys).map(|_| args.bytes()).collect::<Result<_, _>>()?;
        let end = if args.accept(front) {
            End::Front
        } else if args.accept(back) {
            End::Back
        } else {
            return Err(ReplyError::Syntax);
        };
        let mut count = None;
        while !args.is_done() {
            if count.is_some() || !args.accept("COUNT") || args.is_done() {
                return Err(ReplyError::Syntax);
            }
            count = Some(args.positive(COUNT)?);
        }
        Ok(Self { keys, end, count: count.unwrap_or(1) })
    }

    /// Waits until one of the keys holds a value of this type.
    pub(super) fn wait(&self, kind: Kind, deadline: Option<UnixMillis>) -> CmdResult {
        let keys = self.keys.iter().copied();
        Ok(Flow::from(Wait::new(kind, keys, deadline, Absence::NullArray)))
    }
}
