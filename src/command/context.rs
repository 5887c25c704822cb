//! What a handler is given, and what it gives back.
//!
//! A reader holds [`Reader`], which cannot change anything: the compiler checks the readonly flag.

use super::args::Args;
use super::propagate::Telling;
use crate::base::time::UnixMillis;
use crate::keyspace::read::Reader;
use crate::keyspace::value::{Kind, WrongType};
use crate::keyspace::write::Writer;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::types::list::PackLimit;
use crate::types::set::SetLimits;

/// Outcome of a handler; an error becomes the reply.
pub type CmdResult = Result<Flow, ReplyError>;

impl From<WrongType> for ReplyError {
    fn from(_: WrongType) -> Self {
        Self::WrongType
    }
}

/// How a call goes on after its handler.
#[derive(Clone, Debug)]
pub enum Flow {
    /// The reply is written.
    Replied,
    /// The reply is written and is an error that has been counted under its code.
    Failed,
    /// The engine has taken the call over and replies when a script is done.
    Later,
    /// There is nothing to reply with yet, and nothing is written: the client waits, unless the
    /// call is part of a transaction or a script, which get [`Wait::otherwise`] at once.
    ///
    /// When one of the keys may have what is waited for, the whole request is run again. The
    /// handler need not know: it answers now, or says once more that it would wait.
    Wait(Box<Wait>),
    /// The call would take long, and nothing is written: it is to be run over a snapshot, by a
    /// worker; with this handler, or with its own if that is one that reads. Only where
    /// [`ReadCx::is_long`] says so.
    Away(Option<ReadHandler>),
}

/// Handler of a command that only reads.
pub type ReadHandler = fn(&mut ReadCx<'_>) -> CmdResult;

/// What a call waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Type of the values that can serve it. Keys of other types don't wake it.
    pub kind: Kind,
    /// Where they may appear, in the client's database; the same key may stand here twice.
    pub keys: Vec<Box<[u8]>>,
    /// The last moment of waiting; `None` is for ever.
    pub deadline: Option<UnixMillis>,
    /// The reply where nothing waits. (When the time is over it is the absence of an array, also
    /// where this is the absence of a value: clients of BLMOVE see both.)
    pub otherwise: Absence,
    /// Run again also when a key goes or gets a value of another type (XREADGROUP).
    pub heeds_loss: bool,
    /// Run again at this moment too, whatever happens to the keys (XREADGROUP with CLAIM).
    pub retry_at: Option<UnixMillis>,
    /// Calls on the same key with the same mark, which is not empty, are alike: when one of them
    /// is run again in vain, the others behind it would be so too.
    pub mark: Box<[u8]>,
    /// The words to be run again, the command's name included, instead of the request's own
    /// (XREAD replaces `$` by the id it stands for when the waiting begins).
    pub request: Option<Vec<Box<[u8]>>>,
}

/// A reply that says that there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// The absence of a value.
    Null,
    /// The absence of an array.
    NullArray,
}

impl Wait {
    /// Waits for values of a type under any of these keys.
    pub fn new<'k>(
        kind: Kind,
        keys: impl IntoIterator<Item = &'k [u8]>,
        deadline: Option<UnixMillis>,
        otherwise: Absence,
    ) -> Self {
        let keys = keys.into_iter().map(Box::from).collect();
        let mark = Box::default();
        let (heeds_loss, retry_at, request) = (false, None, None);
        Self { kind, keys, deadline, otherwise, heeds_loss, retry_at, mark, request }
    }
}

impl From<Wait> for Flow {
    fn from(wait: Wait) -> Self {
        Self::Wait(Box::new(wait))
    }
}

impl Absence {
    /// Writes the reply.
    pub fn write(self, reply: &mut Reply<'_>) {
        match self {
            Self::Null => reply.null(),
            Self::NullArray => reply.null_array(),
        }
    }
}

/// Directives that data commands obey; a copy lives with the keyspace's owner.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "one directive each")]
pub struct DataLimits {
    /// `proto-max-bulk-len`: no string may grow beyond it. Bytes.
    pub bulk_len_max: usize,
    /// `lazyfree-lazy-user-flush`: FLUSHDB and FLUSHALL are ASYNC unless told otherwise.
    pub lazy_user_flush: bool,
    /// `maxmemory-policy` is one of the LFU ones: OBJECT FREQ answers, OBJECT IDLETIME doesn't.
    pub counts_frequency: bool,
    /// Small integers are told to have many owners: no access clock need be told apart.
    pub shares_integers: bool,
    /// `rdbcompression`, which DUMP obeys, too.
    pub compresses_payloads: bool,
    /// RESTORE takes values whose checksum is wrong (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub ignores_checksums: bool,
    /// RESTORE takes values of versions that aren't known (`rdb-version-check relaxed`).
    pub takes_any_version: bool,
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
    /// `stream-idmp-duration`, seconds.
    pub stream_idmp_duration_s: u64,
    /// `stream-idmp-maxsize`.
    pub stream_idmp_names: usize,
}

impl EncodingLimits {
    /// Those of sets.
    pub fn set(&self) -> SetLimits {
        SetLimits {
            ints_max: self.set_intset_entries,
            pack_max: self.set_pack_entries,
            pack_member_max: self.set_pack_value,
        }
    }
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
            stream_idmp_duration_s: 100,
            stream_idmp_names: 100,
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
    pub limits: &'a DataLimits,
    /// Seeded generator.
    pub rng: &'a mut fastrand::Rng,
    /// How many elements may be walked here and now.
    pub here_max: usize,
    /// Whether a script calls: its replies must not depend on how a table is laid out.
    pub in_script: bool,
}

impl ReadCx<'_> {
    /// Whether a call that has to walk about so many elements is for a worker: then nothing may
    /// have been written, and the handler returns [`Flow::Away`].
    #[inline]
    pub fn is_long(&self, elements: usize) -> bool {
        elements > self.here_max
    }
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
    pub limits: &'a DataLimits,
    /// Seeded generator.
    pub rng: &'a mut fastrand::Rng,
    /// How many elements may be walked here and now; see [`ReadCx::is_long`].
    pub here_max: usize,
    /// How the call is told to the log.
    pub telling: &'a mut Telling,
    /// Whether a script calls: its replies must not depend on how a table is laid out.
    pub in_script: bool,
}
