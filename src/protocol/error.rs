//! Every error text that a client can read, in one place.
//!
//! `Display` is the exact line without the leading `-`. The first word is the error's code,
//! which `errorstats` counts.

/// A reply that refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message documents the case")]
pub enum ReplyError {
    // Arguments.
    #[error("ERR syntax error")]
    Syntax,
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    #[error("ERR value is out of range")]
    OutOfRange,
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    #[error("ERR value is not a valid float")]
    NotFloat,
    #[error("ERR wrong number of arguments for '{0}' command")]
    WrongArity(Box<str>),
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire(Box<str>),
    #[error("ERR invalid cursor")]
    InvalidCursor,

    // Keys and values.
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    #[error("ERR no such key")]
    NoSuchKey,
    #[error("ERR index out of range")]
    IndexOutOfRange,
    #[error("ERR DB index is out of range")]
    DbOutOfRange,
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringTooLong,
    #[error("ERR bit offset is not an integer or out of range")]
    BitOffset,
    #[error("ERR source and destination objects are the same")]
    SameObject,
    #[error("BUSYKEY Target key name already exists.")]
    BusyKey,
    #[error("ERR DUMP payload version or checksum are wrong")]
    BadPayload,
    #[error("ERR Bad data format")]
    BadData,

    /// What the decoder could not read; the connection is closed.
    #[error("ERR Protocol error: {0}")]
    Protocol(Box<str>),

    // State of the connection or the server.
    #[error("NOAUTH Authentication required.")]
    NoAuth,
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPassword,
    #[error(
        "ERR AUTH <password> called without any password configured for the default user. Are you \
         sure your configuration is correct?"
    )]
    NoPasswordConfigured,
    #[error("NOPROTO unsupported protocol version")]
    NoProtocol,
    #[error("ERR Protocol version is not an integer or out of range")]
    BadProtocolVersion,
    #[error("ERR Syntax error in HELLO option '{0}'")]
    HelloOption(Box<str>),
    #[error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
         <proto> AUTH <user> <pass> option can be used to authenticate the client and select the \
         RESP protocol version at the same time"
    )]
    HelloNoAuth,
    #[error("ERR Client names cannot contain spaces, newlines or special characters.")]
    BadClientName,
    #[error("ERR Command not allowed inside a transaction")]
    NotInMulti,
    #[error(
        "ERR Can't execute '{0}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
         are allowed in this context"
    )]
    NotWhileSubscribed(Box<str>),
    #[error("OOM command not allowed when used memory > 'maxmemory'.")]
    OutOfMemory,
    #[error(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist \
         to disk. Commands that may modify the data set are disabled, because this instance is \
         configured to report errors during writes if RDB snapshotting fails \
         (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the \
         RDB error."
    )]
    NotSaved,
    #[error("UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    Unblocked,
    #[error("LOADING Redis is loading the dataset in memory")]
    Loading,

    /// A text with parts known only at run time, or said by one command only: code first.
    #[error("{0}")]
    Text(Box<str>),
    /// A text that repeats bytes of the request: they need not be UTF-8. Shown elsewhere than in a
    /// reply, other bytes become U+FFFD.
    #[error("{}", String::from_utf8_lossy(.0))]
    Bytes(Box<[u8]>),
    /// A fixed text said by one command only.
    #[error("{0}")]
    Fixed(&'static str),
}

impl ReplyError {
    /// The refusal of a command that there isn't: `name` and `args` as the client is to see them.
    pub fn unknown_command(name: &[u8], args: &[u8]) -> Self {
        let parts: [&[u8]; 4] =
            [b"ERR unknown command '", name, b"', with args beginning with: ", args];
        Self::Bytes(parts.concat().into())
    }

    /// The refusal of a subcommand that `command` does not have.
    pub fn unknown_subcommand(command: &str, word: &[u8]) -> Self {
        let end = format!("'. Try {command} HELP.");
        Self::Bytes([b"ERR unknown subcommand '", word, end.as_bytes()].concat().into())
    }

    /// What a refused EXEC says: the transaction is gone.
    #[must_use]
    pub fn as_abort(&self) -> Self {
        let text = self.to_string();
        let why = text.strip_prefix("ERR ").unwrap_or(&text);
        Self::Text(format!("EXECABORT Transaction discarded because of: {why}").into())
    }

    /// The code that `errorstats` counts: the text up to the first space.
    pub fn code(&self) -> Box<str> {
        let text = self.to_string();
        text.split(' ').next().unwrap_or_default().into()
    }
}
