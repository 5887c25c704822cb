//! How a command is declared: one row beside its function, everything else derives from the row.
//!
//! A row says what only a human knows. `COMMAND INFO`, ACL categories, routing, the gates and the
//! documentation are computed from it (see `Spec::categories`, `Spec::first_key`).

use super::context::{CmdResult, ReadHandler, WriteCx};

/// A command with what runs it; `R` differs by layer (data commands: [`DataRun`]).
#[derive(Debug)]
pub struct Command<R: 'static> {
    /// Everything that can be said without running it.
    pub spec: Spec,
    /// What runs it.
    pub run: R,
    /// Subcommands, for containers such as `OBJECT`.
    pub subcommands: &'static [Command<R>],
}

/// Handler of a data command. A reader gets no way to write.
#[derive(Clone, Copy, Debug)]
pub enum DataRun {
    /// Reads the keyspace.
    Read(ReadHandler),
    /// May change the keyspace.
    Write(fn(&mut WriteCx<'_>) -> CmdResult),
    /// Reads the keyspace, and may keep in a value what it found out about it.
    Refresh(fn(&mut WriteCx<'_>) -> CmdResult),
    /// A container: only its subcommands run.
    Container,
    /// `HELP` of a container: usage and remark, line by line, without the frame that all share.
    Help(&'static [&'static str]),
}

impl DataRun {
    /// Flags that follow from the kind of handler.
    pub const fn flags(self) -> Flags {
        match self {
            Self::Read(_) => READONLY,
            Self::Write(_) => WRITE,
            Self::Refresh(_) => READONLY.and(MAY_REPLICATE),
            Self::Container | Self::Help(_) => NONE,
        }
    }
}

/// How many words a request may have, the name included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// Just so many.
    Exactly(i32),
    /// So many or more.
    AtLeast(i32),
}

impl Arity {
    /// As `COMMAND INFO` prints it: negative for a minimum.
    pub const fn signed(self) -> i32 {
        match self {
            Self::Exactly(count) => count,
            Self::AtLeast(count) => -count,
        }
    }

    /// Whether a request of `words` words fits.
    pub fn admits(self, words: usize) -> bool {
        match self {
            Self::Exactly(count) => usize::try_from(count) == Ok(words),
            Self::AtLeast(count) => usize::try_from(count).is_ok_and(|least| words >= least),
        }
    }
}

/// Just `count` words, the name included.
pub const fn exactly(count: i32) -> Arity {
    Arity::Exactly(count)
}

/// `count` words or more, the name included.
pub const fn at_least(count: i32) -> Arity {
    Arity::AtLeast(count)
}

/// Properties that gates, `COMMAND INFO` and ACL categories read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// Both sets together.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Flags = Flags(1 << $bit);)*
        /// Every flag with its name in `COMMAND INFO`, in the order it is printed.
        pub const FLAG_NAMES: &[(Flags, &str)] = &[$(($name, $text)),*];
    };
}

flags! {
    /// May change the keyspace.
    WRITE = 0, "write";
    /// Reads the keyspace only.
    READONLY = 1, "readonly";
    /// Refused when over `maxmemory`.
    DENY_OOM = 2, "denyoom";
    /// Module command.
    MODULE = 3, "module";
    /// Operates the server.
    ADMIN = 4, "admin";
    /// Publish/subscribe.
    PUBSUB = 5, "pubsub";
    /// Not from scripts.
    NOSCRIPT = 6, "noscript";
    /// May make the client wait.
    BLOCKING = 7, "blocking";
    /// Allowed while the data set loads.
    LOADING = 8, "loading";
    /// Allowed on a replica that lost its primary.
    STALE = 9, "stale";
    /// Not shown to MONITOR.
    SKIP_MONITOR = 10, "skip_monitor";
    /// Not in the slow log.
    SKIP_SLOWLOG = 11, "skip_slowlog";
    /// Implies an ASKING of its own in a cluster.
    ASKING = 12, "asking";
    /// Constant or logarithmic time.
    FAST = 13, "fast";
    /// Allowed before authentication.
    NO_AUTH = 14, "no_auth";
    /// Replicated even when nothing became dirty.
    MAY_REPLICATE = 15, "may_replicate";
    /// Only known to a Sentinel.
    ONLY_SENTINEL = 16, "only_sentinel";
    /// Known to a Sentinel too.
    SENTINEL = 17, "sentinel";
    /// May be called without any key.
    NO_MANDATORY_KEYS = 24, "no_mandatory_keys";
    /// Key positions depend on the arguments.
    MOVABLE_KEYS = 18, "movablekeys";
    /// Not inside MULTI.
    NO_MULTI = 20, "no_multi";
    /// Allowed while a script is busy.
    ALLOW_BUSY = 19, "allow_busy";
    /// Not while an asynchronous load runs.
    NO_ASYNC_LOADING = 21, "no_async_loading";
    /// Keys need not be declared.
    TOUCHES_ARBITRARY_KEYS = 22, "touches_arbitrary_keys";
    /// Concerns all databases.
    ALL_DBS = 23, "all_dbs";
}

/// Nothing in particular.
pub const NONE: Flags = Flags(0);

/// Documentation group; also gives the ACL category of data types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of COMMAND DOCS")]
pub enum Group {
    Generic,
    String,
    Bitmap,
    List,
    Set,
    SortedSet,
    Hash,
    HyperLogLog,
    Geo,
    Stream,
    PubSub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Cluster,
    Sentinel,
}

/// Where keys stand in the arguments, and what happens to them. One per `key_specs` element.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Where the search begins.
    pub begin: Begin,
    /// Which words from there are keys.
    pub find: Find,
    /// What happens to them.
    pub access: &'static [&'static str],
    /// A remark printed by `COMMAND INFO`.
    pub notes: Option<&'static str>,
}

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug)]
pub enum Begin {
    /// At this word; the name is word 0.
    Index(i32),
    /// Behind this word, sought from `from` (negative: backwards from the end).
    Keyword {
        /// The word, in any case.
        word: &'static str,
        /// Where to start looking.
        from: i32,
    },
    /// Only the command itself knows ([`Spec::keys_by`]).
    Unknown,
}

/// Which words are keys, counted from the begin.
#[derive(Clone, Copy, Debug)]
pub enum Find {
    /// From the begin to `last` (relative; negative: from the end) in steps.
    Range {
        /// Last key, relative to the begin; -1 is the last word, -2 the one before.
        last: i32,
        /// Distance between keys.
        step: i32,
        /// With `last` -1: 1/limit of the remaining words; 0 and 1 are all.
        limit: i32,
    },
    /// A count stands at begin + `at`, the first key at begin + `first`.
    Counted {
        /// Where the count stands.
        at: i32,
        /// Where the first key stands.
        first: i32,
        /// Distance between keys.
        step: i32,
    },
    /// Only the command itself knows.
    Unknown,
}

impl Key {
    /// One key at word `index`; extend with [`Key::through`].
    pub const fn at(index: i32, access: &'static [&'static str]) -> Self {
        let find = Find::Range { last: 0, step: 1, limit: 0 };
        Self { begin: Begin::Index(index), find, access, notes: None }
    }

    /// Keys behind a keyword.
    pub const fn after(word: &'static str, from: i32, access: &'static [&'static str]) -> Self {
        let find = Find::Range { last: 0, step: 1, limit: 0 };
        Self { begin: Begin::Keyword { word, from }, find, access, notes: None }
    }

    /// Keys whose place only [`Spec::keys_by`] knows.
    pub const fn unknown(access: &'static [&'static str]) -> Self {
        Self { begin: Begin::Unknown, find: Find::Unknown, access, notes: None }
    }

    /// Keys from the begin to `last`, every `step` words.
    pub const fn through(self, last: i32, step: i32, limit: i32) -> Self {
        Self { find: Find::Range { last, step, limit }, ..self }
    }

    /// A count of keys at begin + `at`, then the keys from begin + `first`.
    pub const fn counted(self, at: i32, first: i32, step: i32) -> Self {
        Self { find: Find::Counted { at, first, step }, ..self }
    }

    /// Adds the remark of `COMMAND INFO`.
    pub const fn note(self, notes: &'static str) -> Self {
        Self { notes: Some(notes), ..self }
    }
}

/// One argument of the grammar that `COMMAND DOCS` prints and the table laws generate from.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Name of the argument.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgKind,
    /// Word that introduces it.
    pub token: Option<&'static str>,
    /// May be left out.
    pub is_optional: bool,
    /// May be repeated.
    pub is_repeated: bool,
    /// Its token is repeated with it.
    pub repeats_token: bool,
    /// Index of its key spec.
    pub key_spec: Option<u32>,
    /// Version that added it, when later than the command.
    pub since: Option<&'static str>,
    /// Version that deprecated it.
    pub deprecated: Option<&'static str>,
    /// Parts of a block, or the choices of a one-of.
    pub parts: &'static [Arg],
    /// Text shown instead of the name.
    pub display: Option<&'static str>,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of COMMAND DOCS")]
pub enum ArgKind {
    Key,
    Text,
    Integer,
    Double,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl Arg {
    /// A required argument of some kind.
    pub const fn new(name: &'static str, kind: ArgKind) -> Self {
        Self {
            name,
            kind,
            token: None,
            is_optional: false,
            is_repeated: false,
            repeats_token: false,
            key_spec: None,
            since: None,
            deprecated: None,
            parts: &[],
            display: None,
        }
    }

    /// May be left out.
    pub const fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    /// May be repeated.
    pub const fn repeated(self) -> Self {
        Self { is_repeated: true, ..self }
    }

    /// Repeated together with its token.
    pub const fn repeats_token(self) -> Self {
        Self { is_repeated: true, repeats_token: true, ..self }
    }

    /// Introduced by a word.
    pub const fn token(self, token: &'static str) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Belongs to key spec number `index`.
    pub const fn spec(self, index: u32) -> Self {
        Self { key_spec: Some(index), ..self }
    }

    /// Added by a later version.
    pub const fn since(self, version: &'static str) -> Self {
        Self { since: Some(version), ..self }
    }

    /// Deprecated by a version.
    pub const fn deprecated(self, version: &'static str) -> Self {
        Self { deprecated: Some(version), ..self }
    }

    /// Shown under another name.
    pub const fn display(self, text: &'static str) -> Self {
        Self { display: Some(text), ..self }
    }
}

/// A key, of key spec 0.
pub const fn key(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::Key).spec(0)
}

/// A string.
pub const fn text(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::Text)
}

/// An integer.
pub const fn integer(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::Integer)
}

/// A double.
pub const fn double(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::Double)
}

/// A glob pattern.
pub const fn pattern(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::Pattern)
}

/// A Unix time.
pub const fn unix_time(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::UnixTime)
}

/// A bare word.
pub const fn pure(name: &'static str, token: &'static str) -> Arg {
    Arg::new(name, ArgKind::PureToken).token(token)
}

/// One of several.
pub const fn one_of(name: &'static str, parts: &'static [Arg]) -> Arg {
    Arg { parts, ..Arg::new(name, ArgKind::OneOf) }
}

/// Several in a row.
pub const fn block(name: &'static str, parts: &'static [Arg]) -> Arg {
    Arg { parts, ..Arg::new(name, ArgKind::Block) }
}

/// Finds the keys of a call whose specs say `unknown`: indexes of words.
pub type KeysBy = fn(&super::args::Args<'_>) -> Option<Vec<usize>>;

/// All that is known about a command without running it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Name in upper case; of a subcommand, its own word only.
    pub name: &'static str,
    /// Words per request.
    pub arity: Arity,
    /// Properties.
    pub flags: Flags,
    /// Documentation group.
    pub group: Group,
    /// ACL categories that do not follow from flags and group.
    pub more_categories: &'static [&'static str],
    /// Where its keys stand.
    pub keys: &'static [Key],
    /// Finds keys that the specs can't.
    pub keys_by: Option<KeysBy>,
    /// Grammar of its arguments.
    pub args: &'static [Arg],
    /// Version of Redis (or Valkey) that brought it.
    pub since: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Complexity in words.
    pub complexity: &'static str,
    /// Version that deprecated it, and what replaces it.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Hints for cluster clients.
    pub tips: &'static [&'static str],
    /// `doc_flags` beyond `deprecated`, such as `syscmd`.
    pub doc_flags: &'static [&'static str],
    /// Changes since it was introduced: version and sentence.
    pub history: &'static [(&'static str, &'static str)],
}

impl<R> Command<R> {
    /// A row; the rest is added by the calls below.
    pub const fn new(name: &'static str, arity: Arity, group: Group, run: R) -> Self
    where
        R: Copy,
    {
        let spec = Spec {
            name,
            arity,
            flags: NONE,
            group,
            more_categories: &[],
            keys: &[],
            keys_by: None,
            args: &[],
            since: "1.0.0",
            summary: "",
            complexity: "",
            deprecated: None,
            tips: &[],
            doc_flags: &[],
            history: &[],
        };
        Self { spec, run, subcommands: &[] }
    }

    /// Properties; `write` and `readonly` follow from the handler of a data command.
    pub const fn flags(mut self, flags: Flags) -> Self {
        self.spec.flags = self.spec.flags.and(flags);
        self
    }

    /// ACL categories that flags and group don't give.
    pub const fn categories(mut self, more: &'static [&'static str]) -> Self {
        self.spec.more_categories = more;
        self
    }

    /// Where its keys stand.
    pub const fn keys(mut self, keys: &'static [Key]) -> Self {
        self.spec.keys = keys;
        self
    }

    /// How keys are found that the specs can't express.
    pub const fn keys_by(mut self, finder: KeysBy) -> Self {
        self.spec.keys_by = Some(finder);
        self
    }

    /// Grammar of its arguments.
    pub const fn args(mut self, args: &'static [Arg]) -> Self {
        self.spec.args = args;
        self
    }

    /// Version, sentence, complexity.
    pub const fn doc(
        mut self,
        since: &'static str,
        summary: &'static str,
        complexity: &'static str,
    ) -> Self {
        self.spec.since = since;
        self.spec.summary = summary;
        self.spec.complexity = complexity;
        self
    }

    /// Deprecated since a version, in favour of something.
    pub const fn deprecated(mut self, since: &'static str, replaced_by: &'static str) -> Self {
        self.spec.deprecated = Some((since, replaced_by));
        self
    }

    /// Hints for cluster clients.
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.spec.tips = tips;
        self
    }

    /// Flags of `COMMAND DOCS` beyond `deprecated`.
    pub const fn doc_flags(mut self, flags: &'static [&'static str]) -> Self {
        self.spec.doc_flags = flags;
        self
    }

    /// Later changes.
    pub const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Self {
        self.spec.history = history;
        self
    }

    /// Subcommands of a container.
    pub const fn subcommands(mut self, subcommands: &'static [Self]) -> Self {
        self.subcommands = subcommands;
        self
    }
}
