//! Enumerations: values that are one of a few words.

use super::kinds::{Refusal, Setting, Source};
use super::row::Row;

/// Declares enumerations. Words after the semicolon are accepted, but not listed to the user: values
/// that only Valkey knows.
macro_rules! choices {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[$doc:meta])* $variant:ident = $word:literal, )+
            $( ; $( $(#[$also_doc:meta])* $also:ident = $also_word:literal, )+ )?
        }
    )*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$doc])* $variant, )+
            $( $( $(#[$also_doc])* $also, )+ )?
        }

        impl $name {
            /// The word.
            pub const fn word(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )+
                    $( $( Self::$also => $also_word, )+ )?
                }
            }

            const ALL: &[Self] = &[$( Self::$variant, )+ $( $( Self::$also, )+ )?];
            const LISTED: &[&str] = &[$( $word ),+];
        }

        impl Setting for $name {
            fn assign(&mut self, words: &[&[u8]], _: &Row, _: Source) -> Result<(), Refusal> {
                let found = Self::ALL.iter().find(|choice| match words {
                    [word] => word.eq_ignore_ascii_case(choice.word().as_bytes()),
                    _ => false,
                });
                *self = *found.ok_or_else(|| one_of(Self::LISTED))?;
                Ok(())
            }

            fn text(&self) -> Vec<u8> {
                self.word().into()
            }

            fn syntax(_row: &Row) -> String {
                Self::LISTED.join(" | ")
            }
        }
    )* };
}

pub(super) fn one_of(words: &[&str]) -> Refusal {
    format!("argument(s) must be one of the following: {}", words.join(", ")).into()
}

choices! {
    /// How much is logged: a level logs itself and what is more important.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// Connections and periodic figures.
        Verbose = "verbose",
        /// What an operator wants to know.
        Notice = "notice",
        /// What an operator must know.
        Warning = "warning",
        /// No line at all.
        Nothing = "nothing",
    }

    /// Form of a log line.
    LogFormat {
        /// `pid:role date level message`.
        Legacy = "legacy",
        /// `key=value` pairs.
        Logfmt = "logfmt",
        /// One JSON object.
        Json = "json",
    }

    /// Form of a log line's time.
    LogTimestamp {
        /// `21 Nov 2026 12:00:00.123`, local time.
        Legacy = "legacy",
        /// `2026-11-21T12:00:00.123+00:00`, local time with its offset.
        Iso8601 = "iso8601",
        /// Milliseconds since the Unix epoch.
        Milliseconds = "milliseconds",
    }

    /// Facility of syslog.
    SyslogFacility {
        /// `LOG_USER`.
        User = "user",
        /// `LOG_LOCAL0`.
        Local0 = "local0",
        /// `LOG_LOCAL1`.
        Local1 = "local1",
        /// `LOG_LOCAL2`.
        Local2 = "local2",
        /// `LOG_LOCAL3`.
        Local3 = "local3",
        /// `LOG_LOCAL4`.
        Local4 = "local4",
        /// `LOG_LOCAL5`.
        Local5 = "local5",
        /// `LOG_LOCAL6`.
        Local6 = "local6",
        /// `LOG_LOCAL7`.
        Local7 = "local7",
    }

    /// Who supervises the process.
    Supervised {
        /// Upstart: stop oneself when ready.
        Upstart = "upstart",
        /// systemd: notify over `NOTIFY_SOCKET`.
        Systemd = "systemd",
        /// Whoever the environment shows.
        Auto = "auto",
        /// Nobody.
        No = "no",
    }

    /// Which keys are evicted under `maxmemory`.
    EvictionPolicy {
        /// Keys with a deadline, least recently used first.
        VolatileLru = "volatile-lru",
        /// Keys with a deadline, least often used first.
        VolatileLfu = "volatile-lfu",
        /// Keys with a deadline, least recently changed first.
        VolatileLrm = "volatile-lrm",
        /// Keys with a deadline, those asked for rarely lately first.
        VolatileTinylfu = "volatile-tinylfu",
        /// Keys with a deadline, any.
        VolatileRandom = "volatile-random",
        /// Keys with a deadline, nearest deadline first.
        VolatileTtl = "volatile-ttl",
        /// Least recently used first.
        AllkeysLru = "allkeys-lru",
        /// Least often used first.
        AllkeysLfu = "allkeys-lfu",
        /// Least recently changed first.
        AllkeysLrm = "allkeys-lrm",
        /// Those asked for rarely lately first; what is new has to prove itself.
        AllkeysTinylfu = "allkeys-tinylfu",
        /// Any.
        AllkeysRandom = "allkeys-random",
        /// None: commands that need memory are refused.
        Noeviction = "noeviction",
    }

    /// When the append-only file is synced.
    AppendFsync {
        /// Once per second.
        Everysec = "everysec",
        /// Before the reply.
        Always = "always",
        /// When the operating system pleases.
        No = "no",
    }

    /// From where a dangerous facility may be used.
    Enabled {
        /// From nowhere.
        No = "no",
        /// From everywhere.
        Yes = "yes",
        /// From connections of the same host.
        Local = "local",
    }

    /// Channels of a new user.
    AclPubsubDefault {
        /// All.
        Allchannels = "allchannels",
        /// None.
        Resetchannels = "resetchannels",
    }

    /// Whether a client certificate is wanted.
    TlsAuthClients {
        /// No certificate is asked for.
        No = "no",
        /// Each client must show a valid one.
        Yes = "yes",
        /// A certificate that is shown must be valid.
        Optional = "optional",
    }

    /// The field of a client certificate that names its user.
    TlsAuthClientsUser {
        /// Common name.
        CommonName = "CN",
        /// Subject alternative name of kind URI.
        Uri = "URI",
        /// None.
        Off = "off",
    }

    /// How a replica loads a diskless full copy.
    DisklessLoad {
        /// From a file on disk.
        Disabled = "disabled",
        /// Straight from the socket when it holds no keys.
        OnEmptyDb = "on-empty-db",
        /// Into a second data set that then replaces the first.
        Swapdb = "swapdb",
        ;
        /// Straight from the socket after dropping the old keys.
        FlushBeforeLoad = "flush-before-load",
    }

    /// Which payloads are validated deeply.
    SanitizePayload {
        /// None.
        No = "no",
        /// All.
        Yes = "yes",
        /// Those of clients, not those of files and primaries.
        Clients = "clients",
    }

    /// What to do when a replicated command fails.
    PropagationError {
        /// Go on.
        Ignore = "ignore",
        /// Stop.
        Panic = "panic",
        /// Stop, on a replica.
        PanicOnReplicas = "panic-on-replicas",
    }

    /// What cluster replies call a node's endpoint.
    EndpointType {
        /// Address.
        Ip = "ip",
        /// `cluster-announce-hostname`.
        Hostname = "hostname",
        /// None: the client keeps the one that it used.
        UnknownEndpoint = "unknown-endpoint",
    }

    /// How the cluster's state file is written.
    ClusterSave {
        /// With a sync; failing stops the node.
        Sync = "sync",
        /// Failing is logged only.
        BestEffort = "best-effort",
    }

    /// Whether to adjust the kernel's out-of-memory score.
    OomScoreAdj {
        /// No.
        No = "no",
        /// Like `relative`.
        Yes = "yes",
        /// Add to the score at start.
        Relative = "relative",
        /// Replace the score.
        Absolute = "absolute",
    }

    /// Which RDB versions are loaded.
    RdbVersionCheck {
        /// Known ones.
        Strict = "strict",
        /// Newer ones too, as far as they can be understood.
        Relaxed = "relaxed",
    }

    /// The oldest server that is to load snapshots.
    RdbCompat {
        /// Without deadlines of fields.
        Redis70 = "7.0",
        /// The same.
        Redis72 = "7.2",
        /// With all.
        Redis80 = "8.0",
    }

    /// How a background save takes its snapshot.
    SaveMethod {
        /// By fork.
        Fork = "fork",
        /// Without.
        Forkless = "forkless",
    }
}

impl Enabled {
    /// Whether a connection may use the facility; `is_local` tells where it comes from.
    pub const fn allows(self, is_local: bool) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Local => is_local,
        }
    }
}
