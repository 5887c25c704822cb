//! What a handler is given, and what it gives back.
//!
//! A reader holds [`Reader`], which cannot change anything: the compiler checks the readonly flag.

use super::args::Args;
use crate::keyspace::read::Reader;
use crate::keyspace::value::WrongType;
use crate::keyspace::write::Writer;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::types::list::PackLimit;

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
    /// When collections change their encoding.
    pub encodings: EncodingLimits,
}

/// The directives by which collections choose how they are kept.
#[derive(Clone, Copy, Debug)]
pub struct EncodingLimits {
    /// `list-max-listpack-size`.
    pub list_pack: PackLimit,
    /// `hash-max-listpack-entries`.
    pub hash_pack_entries: usize,
    /// `hash-max-listpack-value`, bytes.
    pub hash_pack_value: usize,
    /// `set-max-intset-entries`.
    pub set_intset_entries: usize,
    /// `set-max-listpack-entries`.
    pub set_pack_entries: usize,
    /// `set-max-listpack-value`, bytes.
    pub set_pack_value: usize,
    /// `zset-max-listpack-entries`.
    pub sorted_set_pack_entries: usize,
    /// `zset-max-listpack-value`, bytes.
    pub sorted_set_pack_value: usize,
    /// `hll-sparse-max-bytes`.
    pub hll_sparse_bytes: usize,
    /// `stream-node-max-bytes`; 0 is no bound.
    pub stream_node_bytes: usize,
    /// `stream-node-max-entries`; 0 is no bound.
    pub stream_node_entries: usize,
}

impl Default for EncodingLimits {
    /// As without a configuration.
    fn default() -> Self {
        Self {
            list_pack: PackLimit::of_directive(-2),
            hash_pack_entries: 512,
            hash_pack_value: 64,
            set_intset_entries: 512,
            set_pack_entries: 128,
            set_pack_value: 64,
            sorted_set_pack_entries: 128,
            sorted_set_pack_value: 64,
            hll_sparse_bytes: 3000,
            stream_node_bytes: 4096,
            stream_node_entries: 100,
        }
    }
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
