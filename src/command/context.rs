//! What a handler is given, and what it gives back.
//!
//! A reader holds [`Reader`], which cannot change anything: the compiler checks the readonly flag.

use super::args::Args;
use crate::keyspace::read::Reader;
use crate::keyspace::value::WrongType;
use crate::keyspace::write::Writer;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;

/// Outcome of a handler; an error becomes the reply.
pub type CmdResult = Result<Flow, ReplyError>;

impl From<WrongType> for ReplyError {
    fn from(_: WrongType) -> Self {
        Self::WrongType
    }
}

/// How a call goes on after its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The reply is written.
    Replied,
}

/// Directives that data commands obey; a copy lives with the keyspace's owner.
#[derive(Clone, Copy, Debug)]
pub struct DataLimits {
    /// `proto-max-bulk-len`: no string may grow beyond it. Bytes.
    pub bulk_len_max: usize,
    /// `lazyfree-lazy-user-del`: DEL frees like UNLINK.
    pub lazy_user_del: bool,
    /// `lazyfree-lazy-user-flush`: FLUSHDB and FLUSHALL are ASYNC unless told otherwise.
    pub lazy_user_flush: bool,
    /// `maxmemory-policy` is one of the LFU ones: OBJECT FREQ answers, OBJECT IDLETIME doesn't.
    pub counts_frequency: bool,
}

/// For a command that only reads.
#[derive(Debug)]
pub struct ReadCx<'a> {
    /// Words of the request.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// The selected database as of now.
    pub keys: Reader<'a>,
    /// Directives.
    pub limits: DataLimits,
    /// Seeded generator.
    pub rng: &'a mut fastrand::Rng,
}

/// For a command that may write.
#[derive(Debug)]
pub struct WriteCx<'a> {
    /// Words of the request.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// The selected database as of now.
    pub keys: Writer<'a>,
    /// Directives.
    pub limits: DataLimits,
    /// Seeded generator.
    pub rng: &'a mut fastrand::Rng,
}
