//! The table of directives: one row each, with field, type, default and documentation.
//!
//! A section says what its directives do in ochre today; a row may say otherwise. Names are those
//! of Redis 8, names of Valkey and of older versions are aliases. Directives of both servers that
//! mean the same share a row; where defaults differ, Redis's holds.

use super::choices::{
    AclPubsubDefault, AppendFsync, ClusterSave, DisklessLoad, Enabled, EndpointType,
    EvictionPolicy, LogFormat, LogLevel, LogTimestamp, OomScoreAdj, PropagationError, RdbCompat,
    RdbVersionCheck, SanitizePayload, SaveMethod, Supervised, SyslogFacility, TlsAuthClients,
    TlsAuthClientsUser,
};
use super::events::EventClasses;
use super::file::{RenamedCommand, UserLine};
use super::kinds::{Memory, MemoryOrPercent, MemoryOrUnbounded, Octal, Secret, Setting};
use super::lists::{
    Addresses, Endpoint, OomScores, OutputLimits, Percentiles, SavePoints, ShutdownOptions,
};
use super::row::{Directive, Effect, live, start};
use super::texts::{dir_name, file_name, host_name, ipv4, ipv6, node_name, title_template};

/// From rows to [`Config`], its defaults, [`Field`] and [`DIRECTIVES`].
macro_rules! directives {
    ($( section $section:literal $effect:expr; $(
        $(#[doc = $doc:literal])+
        $field:ident: $type:ty = $default:expr, $row:expr;
    )* )*) => {
        /// The configuration: a typed field per directive, and what files hold besides.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $( $( $(#[doc = $doc])+ pub $field: $type, )* )*
            /// `rename-command` lines, in order.
            pub renamed_commands: Vec<RenamedCommand>,
            /// `user` lines, in order.
            pub users: Vec<UserLine>,
            /// Directives that a file, the command line or the environment has set.
            pub given: Vec<Field>,
        }

        impl Default for Config {
            fn default() -> Self {
                Self {
                    $( $( $field: $default, )* )*
                    renamed_commands: Vec::new(),
                    users: Vec::new(),
                    given: Vec::new(),
                }
            }
        }

        /// A field of [`Config`] that a directive sets.
        #[allow(non_camel_case_types, reason = "the names are those of the fields")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Field { $( $( $(#[doc = $doc])+ $field, )* )* }

        impl Field {
            /// All of them, in the order of [`DIRECTIVES`].
            pub const ALL: &'static [Self] = &[$( $( Self::$field, )* )*];
        }

        /// All directives, at the place of their [`Field`].
        pub const DIRECTIVES: &[Directive] = &[$( $( Directive {
            row: $row,
            section: $section,
            section_effect: $effect,
            doc: concat!($($doc, "\n"),+),
            several: <$type as Setting>::SEVERAL,
            syntax: <$type as Setting>::syntax,
            assign: |config, words, row, source| config.$field.assign(words, row, source),
            text: |config| config.$field.text(),
            lines: |config| config.$field.lines(),
            same: |one, other| one.$field == other.$field,
        }, )* )*];
    };
}

impl Field {
    /// Its row.
    pub fn directive(self) -> &'static Directive {
        &DIRECTIVES[self as usize]
    }
}

const ACTS: Effect = Effect::Acts;
const TLS: Effect = Effect::Later("TLS");
const REPLICATION: Effect = Effect::Later("replication");
const CLUSTER: Effect = Effect::Later("cluster mode");
const WITHDRAWN: &str = "what was withdrawn from scripts is not offered";
const DEVELOPERS: Effect = Effect::Inert("it serves the tests of other servers");

const NO_SWITCH: &str = "keys are moved together whenever much is wasted";
const NO_SCAN_BOUND: &str = "a turn of moving is bounded by its time";
const NO_HUGE_PAGES: &str = "the allocator keeps to ordinary pages anyway";
const NO_FORK: &str = "snapshots need no fork";
const NO_PINNING: &str = "threads are not pinned";
const NO_PREFERENCE: &str = "no client is preferred";
const NO_RDMA: &str = "there is no RDMA transport";
const NO_TEMPLATES: &str = "hashes share no field names";

const FREED_ASIDE: &str = "a thread of its own frees what is large, whatever removed it";

/// Largest value of what Redis keeps in an `int`.
const INT: i128 = 2_147_483_647;
/// Largest value of what Redis keeps in a `long long`.
const LONG: i128 = i64::MAX as i128;

directives! {
    section "Network" ACTS;

    /// TCP port for clients; 0 opens none.
    port: u16 = 6379, live("port");
    /// Addresses to listen on. Empty opens no TCP port at all.
    bind: Addresses = Addresses(vec!["*".into(), "-::*".into()]), live("bind");
    /// Address that outgoing connections, such as those to a primary, come from.
    bind_source_addr: String = String::new(), live("bind-source-addr").later("replication");
    /// Refuse clients of other hosts as long as no password is set.
    protected_mode: bool = true, live("protected-mode");
    /// Length of the queue of connections that the kernel has not handed over yet.
    tcp_backlog: u32 = 511, start("tcp-backlog");
    /// Path of a Unix socket for clients; empty opens none.
    unixsocket: String = String::new(), start("unixsocket");
    /// Permission bits of the Unix socket; 0 leaves those of the umask.
    unixsocketperm: Octal = Octal(0), start("unixsocketperm");
    /// Group that owns the Unix socket.
    unixsocketgroup: String = String::new(), start("unixsocketgroup");
    /// Close a connection after so many idle seconds; 0 never does.
    timeout: u32 = 0, live("timeout");
    /// Seconds between keep-alive probes on client connections; 0 sends none.
    tcp_keepalive: u32 = 300, live("tcp-keepalive");
    /// Accept multipath TCP.
    mptcp: bool = false, start("mptcp").inert("there is no multipath TCP");
    /// Mark of the listening sockets for the kernel's packet filters; 0 sets none.
    socket_mark_id: u32 = 0,
        start("socket-mark-id").range(0, 4_294_967_295).inert("sockets carry no mark");
    /// Most clients at a time; one more is refused.
    maxclients: u32 = 10_000, live("maxclients").range(1, 4_294_967_295);
    /// Clients of `maxclients` that are kept for addresses in `priority-subnets`.
    maxclients_reserved: u32 = 0, live("maxclients-reserved").inert(NO_PREFERENCE);
    /// Networks whose clients are preferred.
    priority_subnets: String = String::new(),
        live("priority-subnets").inert(NO_PREFERENCE);
    /// Microseconds between looks at preferred clients.
    priority_preemptive_poll_interval_us: u32 = 0,
        live("priority-preemptive-poll-interval-us").inert(NO_PREFERENCE);
    /// Most connections taken over per turn of the event loop.
    max_new_connections_per_cycle: u32 = 10,
        live("max-new-connections-per-cycle").range(1, 1000).inert("the runtime shares out turns");
    /// Most TLS connections taken over per turn of the event loop.
    max_new_tls_connections_per_cycle: u32 = 1,
        live("max-new-tls-connections-per-cycle").range(1, 1000).later("TLS");
    /// Threads that own sockets; with 1 the engine's thread does it all.
    io_threads: u32 = 1, start("io-threads").range(1, 256);
    /// Read requests in the socket threads.
    io_threads_do_reads: bool = false,
        start("io-threads-do-reads").inert("socket threads always read");
    /// Keep socket threads busy even under light load.
    io_threads_always_active: bool = false,
        start("io-threads-always-active").hidden().inert("there is no busy polling");
    /// Keys fetched into the cache ahead for a batch of pipelined commands.
    prefetch_batch_max_size: u32 = 16,
        live("prefetch-batch-max-size").range(0, 128).inert("batches choose their own depth");
    /// Commands of one client that are parsed ahead.
    lookahead: u32 = 16, live("lookahead").range(1, INT).inert("a whole buffer is parsed");
    /// Socket threads from which on large replies are not copied.
    min_io_threads_avoid_copy_reply: u32 = 7,
        live("min-io-threads-avoid-copy-reply").hidden().inert("large replies are never copied");
    /// Smallest string that is sent without a copy.
    min_string_size_avoid_copy_reply: u32 = 16384,
        live("min-string-size-avoid-copy-reply").hidden().inert("the bound is fixed");
    /// The same with socket threads.
    min_string_size_avoid_copy_reply_threaded: u32 = 65536,
        live("min-string-size-avoid-copy-reply-threaded").hidden().inert("the bound is fixed");
    /// Addresses for RDMA.
    rdma_bind: String = String::new(), live("rdma-bind").inert(NO_RDMA);
    /// Port for RDMA.
    rdma_port: u16 = 0, live("rdma-port").inert(NO_RDMA);
    /// Receive buffer of an RDMA connection.
    rdma_rx_size: u32 = 1_048_576,
        start("rdma-rx-size").range(65536, 16_777_216).inert(NO_RDMA);
    /// Completion vector of RDMA connections.
    rdma_completion_vector: i32 = -1,
        start("rdma-completion-vector").range(-1, 1024).inert(NO_RDMA);

    section "TLS" TLS;

    /// Port for clients that speak TLS; 0 opens none.
    tls_port: u16 = 0, live("tls-port");
    /// Certificate, in PEM.
    tls_cert_file: String = String::new(), live("tls-cert-file");
    /// Private key of the certificate, in PEM.
    tls_key_file: String = String::new(), live("tls-key-file");
    /// Password of the private key.
    tls_key_file_pass: Secret = Secret::default(), live("tls-key-file-pass").secret();
    /// A second certificate, such as one of another algorithm.
    tls_alt_cert_file: String = String::new(), live("tls-alt-cert-file");
    /// Private key of the second certificate.
    tls_alt_key_file: String = String::new(), live("tls-alt-key-file");
    /// Password of the second private key.
    tls_alt_key_file_pass: Secret = Secret::default(), live("tls-alt-key-file-pass").secret();
    /// Certificate shown to other servers; without, the server's own.
    tls_client_cert_file: String = String::new(), live("tls-client-cert-file");
    /// Private key of the certificate shown to other servers.
    tls_client_key_file: String = String::new(), live("tls-client-key-file");
    /// Password of that private key.
    tls_client_key_file_pass: Secret = Secret::default(),
        live("tls-client-key-file-pass").secret();
    /// Diffie-Hellman parameters for old ciphers.
    tls_dh_params_file: String = String::new(),
        live("tls-dh-params-file").inert("finite-field Diffie-Hellman is not offered");
    /// File of certificates that sign those of peers.
    tls_ca_cert_file: String = String::new(), live("tls-ca-cert-file");
    /// Directory of certificates that sign those of peers.
    tls_ca_cert_dir: String = String::new(), live("tls-ca-cert-dir");
    /// Whether clients must show a certificate.
    tls_auth_clients: TlsAuthClients = TlsAuthClients::Yes, live("tls-auth-clients");
    /// Field of a client's certificate that names the user it is logged in as.
    tls_auth_clients_user: TlsAuthClientsUser = TlsAuthClientsUser::Off,
        live("tls-auth-clients-user");
    /// Seconds after which changed certificate files are read again; 0 never does.
    tls_auto_reload_interval: u32 = 0, live("tls-auto-reload-interval");
    /// Speak TLS with the primary.
    tls_replication: bool = false, live("tls-replication");
    /// Speak TLS with the other nodes of a cluster.
    tls_cluster: bool = false, live("tls-cluster");
    /// Versions of TLS, such as `TLSv1.2 TLSv1.3`; empty takes both.
    tls_protocols: String = String::new(), live("tls-protocols");
    /// Ciphers for TLS 1.2, as OpenSSL writes them.
    tls_ciphers: String = String::new(), live("tls-ciphers");
    /// Cipher suites for TLS 1.3.
    tls_ciphersuites: String = String::new(), live("tls-ciphersuites");
    /// Choose the cipher by the server's order.
    tls_prefer_server_ciphers: bool = false, live("tls-prefer-server-ciphers");
    /// Let clients resume TLS sessions.
    tls_session_caching: bool = true, live("tls-session-caching");
    /// TLS sessions that are remembered; 0 is no bound.
    tls_session_cache_size: u32 = 20480, live("tls-session-cache-size");
    /// Seconds a TLS session is remembered.
    tls_session_cache_timeout: u32 = 300, live("tls-session-cache-timeout");

    section "General" ACTS;

    /// Number of databases that SELECT reaches.
    databases: u32 = 16, start("databases");
    /// Working directory: where data files are.
    dir: String = String::new(), live("dir").protected().not_while_loading();
    /// Run in the background.
    daemonize: bool = false, start("daemonize");
    /// Who supervises the process and wants to hear when it is ready.
    supervised: Supervised = Supervised::No, start("supervised");
    /// File that holds the process id.
    pidfile: String = String::new(), start("pidfile");
    /// Show the server's state in its process title.
    set_proc_title: bool = true, start("set-proc-title").inert("the title stays as started");
    /// Form of the process title.
    proc_title_template: String = "{title} {listen-addr} {server-mode}".into(),
        live("proc-title-template").check(title_template).inert("the title stays as started");
    /// Draw a logo when starting.
    always_show_logo: bool = false, start("always-show-logo").inert("there is no logo");
    /// Locale of SORT with ALPHA.
    locale_collate: String = String::new(), live("locale-collate").inert("SORT compares bytes");
    /// Turns of the housekeeping per second.
    hz: u32 = 10, live("hz").pinned(1, 500);
    /// Turn the housekeeping faster with many clients.
    dynamic_hz: bool = true, live("dynamic-hz").inert("housekeeping follows the work there is");
    /// Write a report of the process's state when it crashes.
    crash_log_enabled: bool = true, live("crash-log-enabled");
    /// Test the memory when the process crashes.
    crash_memcheck_enabled: bool = true,
        live("crash-memcheck-enabled").inert("memory is tested by the machine's own tools");
    /// Warnings at start that don't stop the server.
    ignore_warnings: String = String::new(), live("ignore-warnings").inert("none stops ochre");
    /// Switch transparent huge pages off for the process.
    disable_thp: bool = true, start("disable-thp").inert(NO_HUGE_PAGES);
    /// Adjust the score by which the kernel chooses whom to kill when memory runs out.
    oom_score_adj: OomScoreAdj = OomScoreAdj::No, live("oom-score-adj");
    /// That score for a primary, a replica and a background child.
    oom_score_adj_values: OomScores = OomScores([0, 200, 800]),
        live("oom-score-adj-values");
    /// What SIGINT does.
    shutdown_on_sigint: ShutdownOptions = ShutdownOptions::default(),
        live("shutdown-on-sigint");
    /// What SIGTERM does.
    shutdown_on_sigterm: ShutdownOptions = ShutdownOptions::default(),
        live("shutdown-on-sigterm");
    /// Seconds that a shutdown waits for replicas to catch up.
    shutdown_timeout: u32 = 10, live("shutdown-timeout").later("replication");
    /// Text that tells where the server stands, shown by INFO and HELLO.
    availability_zone: String = String::new(), live("availability-zone");
    /// Answer some requests as Redis does where Valkey differs.
    extended_redis_compatibility: bool = false,
        live("extended-redis-compatibility").inert("ochre always does");
    /// Processors of the server's threads.
    server_cpulist: String = String::new(),
        start("server-cpulist").aliases(&["server_cpulist"]).inert(NO_PINNING);
    /// Processors of the background threads.
    bio_cpulist: String = String::new(),
        start("bio-cpulist").aliases(&["bio_cpulist"]).inert(NO_PINNING);
    /// Processors of the thread that rewrites the append-only file.
    aof_rewrite_cpulist: String = String::new(),
        start("aof-rewrite-cpulist").aliases(&["aof_rewrite_cpulist"])
            .inert(NO_PINNING);
    /// Processors of the thread that saves.
    bgsave_cpulist: String = String::new(),
        start("bgsave-cpulist").aliases(&["bgsave_cpulist"]).inert(NO_PINNING);

    section "Logging" ACTS;

    /// How much is logged.
    loglevel: LogLevel = LogLevel::Notice, live("loglevel");
    /// File that lines are appended to; empty is standard output.
    logfile: String = String::new(), start("logfile");
    /// Form of the lines.
    log_format: LogFormat = LogFormat::Legacy, live("log-format");
    /// Form of the time in a line.
    log_timestamp_format: LogTimestamp = LogTimestamp::Legacy, live("log-timestamp-format");
    /// Send the lines to syslog as well.
    syslog_enabled: bool = false, start("syslog-enabled");
    /// Name of the server in syslog.
    syslog_ident: String = "ochre".into(), start("syslog-ident");
    /// Facility of syslog.
    syslog_facility: SyslogFacility = SyslogFacility::Local0, start("syslog-facility");
    /// Keep keys and values out of the log.
    hide_user_data_from_log: bool = false,
        live("hide-user-data-from-log").inert("the log never shows them");

    section "Access" ACTS;

    /// Password of the default user; empty is none.
    requirepass: Secret = Secret::default(), live("requirepass").secret();
    /// File of users; without, they come from `user` lines.
    aclfile: String = String::new(), start("aclfile").later("users and permissions");
    /// Refused attempts that ACL LOG remembers.
    acllog_max_len: u64 = 128, live("acllog-max-len").later("users and permissions");
    /// Channels that a new user may use.
    acl_pubsub_default: AclPubsubDefault = AclPubsubDefault::Resetchannels,
        live("acl-pubsub-default").later("users and permissions");
    /// From where CONFIG SET may change protected directives.
    enable_protected_configs: Enabled = Enabled::No, start("enable-protected-configs");
    /// From where DEBUG may be used.
    enable_debug_command: Enabled = Enabled::No, start("enable-debug-command");
    /// From where MODULE may be used.
    enable_module_command: Enabled = Enabled::No,
        start("enable-module-command").inert("there are no loadable modules");

    section "Clients" ACTS;

    /// Bounds of clients' output buffers per class: hard, soft, and seconds above the soft one.
    client_output_buffer_limit: OutputLimits = OutputLimits::default(),
        live("client-output-buffer-limit");
    /// Most unprocessed bytes of one client.
    client_query_buffer_limit: Memory = Memory::mib(1024),
        live("client-query-buffer-limit").range(1 << 20, LONG);
    /// Longest single string in a request.
    proto_max_bulk_len: Memory = Memory::mib(512),
        live("proto-max-bulk-len").range(1 << 20, LONG);
    /// Memory of all clients together, above which the largest are disconnected; 0 is no bound.
    maxmemory_clients: MemoryOrPercent = MemoryOrPercent::Bytes(0), live("maxmemory-clients");
    /// Keys remembered for clients that cache; 0 is no bound.
    tracking_table_max_keys: u64 = 1_000_000, live("tracking-table-max-keys");
    /// Classes of keyspace events that are published, as letters.
    notify_keyspace_events: EventClasses = EventClasses::default(),
        live("notify-keyspace-events");

    section "Memory" ACTS;

    /// Memory that data may take; 0 is no bound. What snapshots hold, what a worker is about to free
    /// and messages about evicted keys do not count. While all clients write, a sixteenth of the
    /// bound and a megabyte more may be used: eviction is bounded in time, too.
    maxmemory: Memory = Memory(0), live("maxmemory").range(0, u64::MAX as i128);
    /// What to evict when `maxmemory` is reached, among all keys or those with a deadline: the least
    /// recently used (lru), least recently modified (lrm) or least frequently used (lfu), any
    /// (random), or what ends first (ttl). With tinylfu the uses of all keys are estimated, those
    /// that are gone included, and a newcomer goes rather than a key that was used more: it keeps
    /// the most hits, above all where scans pass by.
    maxmemory_policy: EvictionPolicy = EvictionPolicy::Noeviction, live("maxmemory-policy");
    /// Keys looked at per eviction: more is nearer to the exact order, and slower.
    maxmemory_samples: u32 = 5, live("maxmemory-samples").range(1, 64);
    /// How long one turn of eviction may take: 0 short, 10 usual, 100 as long as needed.
    maxmemory_eviction_tenacity: u32 = 10, live("maxmemory-eviction-tenacity").range(0, 100);
    /// Memory that scripts may take.
    maxmemory_scripts: Memory = Memory(0), live("maxmemory-scripts").later("scripts");
    /// How fast LFU counters grow: the higher, the more accesses it takes.
    lfu_log_factor: u32 = 10, live("lfu-log-factor");
    /// Minutes after which an LFU counter is lowered; 0 never lowers it.
    lfu_decay_time: u32 = 1, live("lfu-decay-time");
    /// How many due keys are removed between two looks at the sockets: at 1 a thousand, which takes
    /// a third of a millisecond, at 10 ten times that.
    active_expire_effort: u32 = 1, live("active-expire-effort").range(1, 10);
    /// Let commands on many keys remove expired ones that they come by.
    lazyexpire_nested_arbitrary_keys: bool = true,
        live("lazyexpire-nested-arbitrary-keys").inert("readers never remove keys");
    /// Free evicted values in a worker.
    lazyfree_lazy_eviction: bool = false, live("lazyfree-lazy-eviction").inert(FREED_ASIDE);
    /// Free expired values in a worker.
    lazyfree_lazy_expire: bool = false, live("lazyfree-lazy-expire").inert(FREED_ASIDE);
    /// Free overwritten values in a worker.
    lazyfree_lazy_server_del: bool = false, live("lazyfree-lazy-server-del").inert(FREED_ASIDE);
    /// Let DEL behave like UNLINK.
    lazyfree_lazy_user_del: bool = false, live("lazyfree-lazy-user-del").inert(FREED_ASIDE);
    /// Let FLUSHALL and FLUSHDB without argument behave as with ASYNC.
    lazyfree_lazy_user_flush: bool = false, live("lazyfree-lazy-user-flush");
    /// Grow tables in small steps.
    activerehashing: bool = true, live("activerehashing").inert("tables never rehash");
    /// Let the allocator return memory from a thread of its own.
    jemalloc_bg_thread: bool = true,
        live("jemalloc-bg-thread");
    /// Move data together to undo fragmentation.
    activedefrag: bool = false, live("activedefrag").inert(NO_SWITCH);
    /// Wasted bytes below which nothing is moved, while they are a small part of all that is held.
    active_defrag_ignore_bytes: Memory = Memory::mib(100),
        live("active-defrag-ignore-bytes").range(1, LONG);
    /// Percent of fragmentation at which moving starts.
    active_defrag_threshold_lower: u32 = 10,
        live("active-defrag-threshold-lower").range(0, 1000);
    /// Percent of fragmentation at which moving is at its fastest.
    active_defrag_threshold_upper: u32 = 100,
        live("active-defrag-threshold-upper").range(0, 1000);
    /// Least percent of processor time for moving.
    active_defrag_cycle_min: u32 = 1,
        live("active-defrag-cycle-min").range(1, 99);
    /// Most percent of processor time for moving.
    active_defrag_cycle_max: u32 = 25,
        live("active-defrag-cycle-max").range(1, 99);
    /// Microseconds of one turn of moving.
    active_defrag_cycle_us: u32 = 500,
        live("active-defrag-cycle-us").range(0, 100_000);
    /// Elements of a collection that one turn of moving may visit.
    active_defrag_max_scan_fields: u64 = 1000, live("active-defrag-max-scan-fields")
        .range(1, LONG).inert(NO_SCAN_BOUND);
    /// Report how much memory keys take, by size.
    key_memory_histograms: bool = false, live("key-memory-histograms").later("histograms");
    /// Take part of the hash seed from this text, so that servers iterate in the same order.
    hash_seed: String = String::new(),
        start("hash-seed").inert("SCAN walks in an order that needs no shared seed");
    /// Keep keys that have expired while data is imported from elsewhere.
    import_mode: bool = false, live("import-mode").later("replication");

    section "Encodings" ACTS;

    /// Most fields of a hash that is kept packed.
    hash_max_listpack_entries: u64 = 512,
        live("hash-max-listpack-entries").aliases(&["hash-max-ziplist-entries"]);
    /// Longest field or value of a hash that is kept packed, in bytes.
    hash_max_listpack_value: Memory = Memory(64),
        live("hash-max-listpack-value").aliases(&["hash-max-ziplist-value"]);
    /// Size of a list's nodes: elements if positive; -1 to -5 are 4, 8, 16, 32, 64 kB.
    list_max_listpack_size: i32 = -2,
        live("list-max-listpack-size").aliases(&["list-max-ziplist-size"]);
    /// Nodes at each end of a list that are not compressed; 0 compresses none. A list keeps to what
    /// was set when it outgrew its first node.
    list_compress_depth: u32 = 0, live("list-compress-depth");
    /// Most members of a set of integers that is kept packed.
    set_max_intset_entries: u64 = 512, live("set-max-intset-entries");
    /// Most members of a set that is kept packed.
    set_max_listpack_entries: u64 = 128, live("set-max-listpack-entries");
    /// Longest member of a set that is kept packed, in bytes.
    set_max_listpack_value: u64 = 64, live("set-max-listpack-value");
    /// Most members of a sorted set that is kept packed.
    zset_max_listpack_entries: u64 = 128,
        live("zset-max-listpack-entries").aliases(&["zset-max-ziplist-entries"]);
    /// Longest member of a sorted set that is kept packed, in bytes.
    zset_max_listpack_value: Memory = Memory(64),
        live("zset-max-listpack-value").aliases(&["zset-max-ziplist-value"]);
    /// Most bytes of a `HyperLogLog` in its sparse form.
    hll_sparse_max_bytes: Memory = Memory(3000), live("hll-sparse-max-bytes");
    /// Most bytes of a stream's node; 0 is no bound.
    stream_node_max_bytes: Memory = Memory(4096), live("stream-node-max-bytes");
    /// Most entries of a stream's node; 0 is no bound.
    stream_node_max_entries: u64 = 100, live("stream-node-max-entries");
    /// Seconds that a stream remembers the producers' ids of its entries.
    stream_idmp_duration: u64 = 100, live("stream-idmp-duration");
    /// Ids that a stream remembers per producer.
    stream_idmp_maxsize: u64 = 100, live("stream-idmp-maxsize");
    /// Elements of an array's slice, a power of two.
    array_slice_size: u32 = 4096, live("array-slice-size").later("arrays");
    /// Least elements of a slice that is kept sparse.
    array_sparse_kmin: u32 = 5, live("array-sparse-kmin").later("arrays");
    /// Most elements of a slice that is kept sparse.
    array_sparse_kmax: u32 = 10, live("array-sparse-kmax").later("arrays");
    /// Least fields of a hash that shares its field names with others.
    hash_min_template_entries: u64 = 0,
        live("hash-min-template-entries").inert(NO_TEMPLATES);
    /// Most fields of a hash that shares its field names with others.
    hash_max_template_entries: u64 = 0,
        live("hash-max-template-entries").inert(NO_TEMPLATES);
    /// The same lower bound while loading.
    hash_rdb_load_min_template_entries: u64 = 0,
        live("hash-rdb-load-min-template-entries").inert(NO_TEMPLATES);
    /// The same upper bound while loading.
    hash_rdb_load_max_template_entries: u64 = 0,
        live("hash-rdb-load-max-template-entries").inert(NO_TEMPLATES);
    /// Sharers below which loading gives a hash its own field names back.
    hash_rdb_load_template_disassembly_threshold: u64 = 0,
        live("hash-rdb-load-template-disassembly-threshold").inert(NO_TEMPLATES);
    /// Which payloads of RESTORE and files are checked deeply.
    sanitize_dump_payload: SanitizePayload = SanitizePayload::No,
        live("sanitize-dump-payload").inert("every payload is checked");

    section "Slow commands and latency" ACTS;
    /// Elements from which on a reading command outside transactions and scripts (KEYS, SMEMBERS,
    /// LRANGE and the like) is run over a snapshot by another thread, while others are served; 0
    /// is never.
    offload_threshold: u64 = 10_000, live("offload-threshold");

    /// Microseconds from which on a command is logged as slow; 0 logs all, -1 none.
    slowlog_log_slower_than: i64 = 10_000, live("slowlog-log-slower-than")
        .aliases(&["commandlog-execution-slower-than"]).range(-1, LONG);
    /// Slow commands that are remembered.
    slowlog_max_len: u64 = 128,
        live("slowlog-max-len").aliases(&["commandlog-slow-execution-max-len"]);
    /// Arguments of a slow command that are remembered.
    slowlog_entry_max_argc: u32 = 32, live("slowlog-entry-max-argc").range(2, INT);
    /// Bytes of each argument of a slow command that are remembered.
    slowlog_entry_max_string_len: u32 = 128, live("slowlog-entry-max-string-len");
    /// Bytes from which on a request is logged as large; -1 logs none.
    commandlog_request_larger_than: i64 = 1_048_576,
        live("commandlog-request-larger-than").range(-1, LONG);
    /// Large requests that are remembered.
    commandlog_large_request_max_len: u64 = 128,
        live("commandlog-large-request-max-len");
    /// Bytes from which on a reply is logged as large; -1 logs none.
    commandlog_reply_larger_than: i64 = 1_048_576,
        live("commandlog-reply-larger-than").range(-1, LONG);
    /// Large replies that are remembered.
    commandlog_large_reply_max_len: u64 = 128,
        live("commandlog-large-reply-max-len");
    /// Milliseconds from which on LATENCY remembers an event; 0 switches it off.
    latency_monitor_threshold: u64 = 0, live("latency-monitor-threshold");
    /// Keep a histogram of each command's duration.
    latency_tracking: bool = true, live("latency-tracking");
    /// Percentiles of commands' durations that INFO shows.
    latency_tracking_info_percentiles: Percentiles = Percentiles(vec![50.0, 99.0, 99.9]),
        live("latency-tracking-info-percentiles");
    /// Keys that the always-on statistics of hot keys show.
    hotkeys_top_k: u32 = 0, live("hotkeys-top-k").later("HOTKEYS");
    /// Milliseconds after which the process reports where it hangs.
    watchdog_period: u32 = 0, live("watchdog-period").hidden().inert("there is no watchdog");

    section "Scripts" ACTS;

    /// Milliseconds from which on others are told that a script keeps the server busy.
    busy_reply_threshold: u64 = 5000, live("busy-reply-threshold").aliases(&["lua-time-limit"]);
    /// Offer functions to scripts that were withdrawn.
    lua_enable_deprecated_api: bool = false, start("lua-enable-deprecated-api").hidden().inert(WITHDRAWN);
    /// Offer functions to scripts that reach beyond their sandbox.
    lua_enable_insecure_api: bool = false, start("lua-enable-insecure-api").protected().inert(WITHDRAWN);

    section "Snapshots" ACTS;

    /// Save after so many seconds if so many changes were made.
    save: SavePoints = SavePoints::default(), live("save");
    /// Name of the snapshot file in `dir`.
    dbfilename: String = "dump.rdb".into(), live("dbfilename").protected().check(file_name);
    /// Compress strings in snapshots.
    rdbcompression: bool = true, live("rdbcompression");
    /// Put a checksum at the end of snapshots, and check it when loading.
    rdbchecksum: bool = true, start("rdbchecksum");
    /// Which versions of snapshots are loaded.
    rdb_version_check: RdbVersionCheck = RdbVersionCheck::Strict,
        live("rdb-version-check");
    /// Oldest server that is to load snapshots; fields with deadlines need 8.0.
    rdb_compat_version: RdbCompat = RdbCompat::Redis80, live("rdb-compat-version");
    /// Remove snapshots that served replication only.
    rdb_del_sync_files: bool = false, live("rdb-del-sync-files").later("replication");
    /// Sync a snapshot piece by piece while it is written.
    rdb_save_incremental_fsync: bool = true, live("rdb-save-incremental-fsync");
    /// Refuse writes while the latest background save has failed.
    stop_writes_on_bgsave_error: bool = true, live("stop-writes-on-bgsave-error");
    /// How a background save takes its snapshot.
    bgsave_default_method: SaveMethod = SaveMethod::Fork,
        live("bgsave-default-method").inert(NO_FORK);
    /// Prepare for saves without a fork.
    forkless_infrastructure_enabled: bool = false,
        start("forkless-infrastructure-enabled").inert(NO_FORK);
    /// Microseconds to wait per key when saving; negative waits that many keys between.
    rdb_key_save_delay: i32 = 0, live("rdb-key-save-delay").hidden();
    /// Microseconds to wait per key when loading; negative waits that many keys between.
    key_load_delay: i32 = 0, live("key-load-delay").hidden();
    /// Bytes loaded between two looks at clients.
    loading_process_events_interval_bytes: u32 = 524_288,
        live("loading-process-events-interval-bytes").range(1024, INT).hidden();
    /// Directory of backups in `dir`.
    backupdirname: String = "backupdir".into(), start("backupdirname").check(dir_name).later("BACKUP START");
    /// Seconds that a sealed backup is kept; 0 keeps it.
    backup_sealed_ttl: u64 = 0, live("backup-sealed-ttl").later("BACKUP START");
    /// File that is loaded at first: `aof:` and a manifest, or `rdb:` and a snapshot.
    preload_file: String = String::new(), start("preload-file").later("BACKUP START");

    section "Append-only file" ACTS;

    /// Log every change to the append-only file.
    appendonly: bool = false, live("appendonly").not_while_loading();
    /// Base of the file's names.
    appendfilename: String = "appendonly.aof".into(), start("appendfilename").check(file_name);
    /// Directory of the files in `dir`.
    appenddirname: String = "appendonlydir".into(), start("appenddirname").check(dir_name);
    /// When the file is synced.
    appendfsync: AppendFsync = AppendFsync::Everysec, live("appendfsync");
    /// Don't sync while a save or rewrite keeps the disk busy.
    no_appendfsync_on_rewrite: bool = false, live("no-appendfsync-on-rewrite");
    /// Percent of growth after which the file is rewritten; 0 never does.
    auto_aof_rewrite_percentage: u32 = 100, live("auto-aof-rewrite-percentage");
    /// Size below which the file is not rewritten by itself.
    auto_aof_rewrite_min_size: Memory = Memory::mib(64), live("auto-aof-rewrite-min-size");
    /// Load a file whose end is missing, without that end.
    aof_load_truncated: bool = true, live("aof-load-truncated");
    /// Bytes of a damaged end that may be cut off when loading; 0 refuses damage.
    aof_load_corrupt_tail_max_size: Memory = Memory(0), live("aof-load-corrupt-tail-max-size");
    /// Begin a rewritten file with a snapshot.
    aof_use_rdb_preamble: bool = true, live("aof-use-rdb-preamble");
    /// Note the time in the file.
    aof_timestamp_enabled: bool = false, live("aof-timestamp-enabled");
    /// Sync a rewritten file piece by piece.
    aof_rewrite_incremental_fsync: bool = true, live("aof-rewrite-incremental-fsync");
    /// Keep files that a rewrite has replaced.
    aof_disable_auto_gc: bool = false, live("aof-disable-auto-gc").hidden();

    section "Replication" REPLICATION;

    /// Primary to follow: host and port.
    replicaof: Option<Endpoint> = None, start("replicaof").aliases(&["slaveof"]);
    /// Password for the primary.
    masterauth: Secret = Secret::default(),
        live("masterauth").aliases(&["primaryauth"]).secret();
    /// User for the primary; empty is the default user.
    masteruser: String = String::new(), live("masteruser").aliases(&["primaryuser"]).secret();
    /// Answer from old data while the primary is away or a copy is loading.
    replica_serve_stale_data: bool = true,
        live("replica-serve-stale-data").aliases(&["slave-serve-stale-data"]);
    /// Refuse writes of clients on a replica.
    replica_read_only: bool = true, live("replica-read-only").aliases(&["slave-read-only"]);
    /// Don't evict on a replica: the primary's deletions come anyway.
    replica_ignore_maxmemory: bool = true,
        live("replica-ignore-maxmemory").aliases(&["slave-ignore-maxmemory"]);
    /// Apply the stream even when it cannot be written to disk.
    replica_ignore_disk_write_errors: bool = false, live("replica-ignore-disk-write-errors");
    /// Drop the old data in a worker when a full copy arrives.
    replica_lazy_flush: bool = false,
        live("replica-lazy-flush").aliases(&["slave-lazy-flush"]);
    /// Rank for a failover: lower is preferred, 0 never becomes primary.
    replica_priority: u32 = 100, live("replica-priority").aliases(&["slave-priority"]);
    /// Let Sentinel know the replica.
    replica_announced: bool = true, live("replica-announced");
    /// Address that the replica tells its primary; empty is that of the connection.
    replica_announce_ip: String = String::new(),
        live("replica-announce-ip").aliases(&["slave-announce-ip"]);
    /// Port that the replica tells its primary; 0 is its own.
    replica_announce_port: u16 = 0,
        live("replica-announce-port").aliases(&["slave-announce-port"]);
    /// Send a full copy straight to the socket, without a file.
    repl_diskless_sync: bool = true, live("repl-diskless-sync");
    /// Seconds to wait for more replicas before a diskless copy starts.
    repl_diskless_sync_delay: u32 = 5, live("repl-diskless-sync-delay");
    /// Replicas from which on that wait ends; 0 always waits.
    repl_diskless_sync_max_replicas: u32 = 0, live("repl-diskless-sync-max-replicas");
    /// How a replica loads a full copy.
    repl_diskless_load: DisklessLoad = DisklessLoad::Disabled,
        live("repl-diskless-load").not_while_loading();
    /// Send a full copy over a connection of its own.
    repl_rdb_channel: bool = true, live("repl-rdb-channel").hidden();
    /// The same, as Valkey calls it.
    dual_channel_replication_enabled: bool = false, live("dual-channel-replication-enabled");
    /// Bytes of the stream that a replica gathers while a full copy arrives; 0 is no own bound.
    replica_full_sync_buffer_limit: Memory = Memory(0), live("replica-full-sync-buffer-limit");
    /// Compress the replication stream.
    repl_compression: bool = false, live("repl-compression");
    /// Slow writers down while replicas lag.
    repl_throttling_enabled: bool = false, live("repl-throttling-enabled");
    /// Use multipath TCP towards the primary.
    repl_mptcp: bool = false, start("repl-mptcp").inert("there is no multipath TCP");
    /// Seconds between pings to replicas.
    repl_ping_replica_period: u32 = 10,
        live("repl-ping-replica-period").aliases(&["repl-ping-slave-period"]).range(1, INT);
    /// Seconds of silence after which a replication link is given up.
    repl_timeout: u32 = 60, live("repl-timeout").range(1, INT);
    /// Let the kernel gather small packets to replicas.
    repl_disable_tcp_nodelay: bool = false, live("repl-disable-tcp-nodelay");
    /// Bytes of the stream that are kept for replicas that come back.
    repl_backlog_size: Memory = Memory::mib(1),
        live("repl-backlog-size").range(1, LONG).pinned(16384, LONG);
    /// Seconds after which those are dropped when no replica is left; 0 keeps them.
    repl_backlog_ttl: u64 = 3600, live("repl-backlog-ttl");
    /// Replicas that must be connected for writes to be taken; 0 switches the check off.
    min_replicas_to_write: u32 = 0,
        live("min-replicas-to-write").aliases(&["min-slaves-to-write"]);
    /// Seconds of lag up to which such a replica counts.
    min_replicas_max_lag: u32 = 10, live("min-replicas-max-lag").aliases(&["min-slaves-max-lag"]);
    /// What to do when a replicated command fails.
    propagation_error_behavior: PropagationError = PropagationError::Ignore,
        live("propagation-error-behavior");

    section "Cluster" CLUSTER;

    /// Be a node of a cluster.
    cluster_enabled: bool = false, start("cluster-enabled");
    /// File in `dir` in which the node keeps the cluster's state.
    cluster_config_file: String = "nodes.conf".into(), start("cluster-config-file");
    /// How that file is written.
    cluster_config_save_behavior: ClusterSave = ClusterSave::Sync,
        live("cluster-config-save-behavior");
    /// Port of the cluster bus; 0 is the client port plus 10000.
    cluster_port: u16 = 0, start("cluster-port");
    /// Databases of a cluster node.
    cluster_databases: u32 = 1, start("cluster-databases").range(1, INT);
    /// Milliseconds of silence after which a node counts as failing.
    cluster_node_timeout: u64 = 15_000, live("cluster-node-timeout");
    /// Milliseconds between pings on the bus; 0 is the usual rate.
    cluster_ping_interval: u64 = 0, live("cluster-ping-interval").hidden();
    /// Factor on the timeout within which a replica's data is fresh enough for a failover.
    cluster_replica_validity_factor: u32 = 10,
        live("cluster-replica-validity-factor").aliases(&["cluster-slave-validity-factor"]);
    /// Never let this replica take over by itself.
    cluster_replica_no_failover: bool = false,
        live("cluster-replica-no-failover").aliases(&["cluster-slave-no-failover"]);
    /// Milliseconds that a manual failover may take.
    cluster_manual_failover_timeout: u32 = 5000,
        live("cluster-manual-failover-timeout").range(1, INT);
    /// Replicas that a primary keeps when one of them moves to another primary.
    cluster_migration_barrier: u32 = 1, live("cluster-migration-barrier");
    /// Let replicas move to primaries that have none.
    cluster_allow_replica_migration: bool = true, live("cluster-allow-replica-migration");
    /// Refuse commands while some slots have no node.
    cluster_require_full_coverage: bool = true, live("cluster-require-full-coverage");
    /// Answer reads while the cluster is down.
    cluster_allow_reads_when_down: bool = false, live("cluster-allow-reads-when-down");
    /// Serve sharded channels while the cluster is down.
    cluster_allow_pubsubshard_when_down: bool = true, live("cluster-allow-pubsubshard-when-down");
    /// Most bytes that wait on a link of the bus; 0 is no bound.
    cluster_link_sendbuf_limit: Memory = Memory(0),
        live("cluster-link-sendbuf-limit").range(0, u64::MAX as i128);
    /// Seconds that a forgotten node stays forgotten.
    cluster_blacklist_ttl: i64 = 60, live("cluster-blacklist-ttl");
    /// Percent of the known nodes that one gossip message describes.
    cluster_message_gossip_perc: u32 = 10, live("cluster-message-gossip-perc").range(1, 100);
    /// Address that the node announces; empty finds it out.
    cluster_announce_ip: String = String::new(), live("cluster-announce-ip");
    /// Port that the node announces; 0 is its own.
    cluster_announce_port: u16 = 0, live("cluster-announce-port");
    /// TLS port that the node announces; 0 is its own.
    cluster_announce_tls_port: u16 = 0, live("cluster-announce-tls-port");
    /// Port of the bus that the node announces; 0 is its own.
    cluster_announce_bus_port: u16 = 0, live("cluster-announce-bus-port");
    /// IPv4 address that clients are told.
    cluster_announce_client_ipv4: String = String::new(),
        live("cluster-announce-client-ipv4").check(ipv4);
    /// IPv6 address that clients are told.
    cluster_announce_client_ipv6: String = String::new(),
        live("cluster-announce-client-ipv6").check(ipv6);
    /// Port that clients are told; 0 is the node's own.
    cluster_announce_client_port: u16 = 0, live("cluster-announce-client-port");
    /// TLS port that clients are told; 0 is the node's own.
    cluster_announce_client_tls_port: u16 = 0, live("cluster-announce-client-tls-port");
    /// Host name that the node announces.
    cluster_announce_hostname: String = String::new(),
        live("cluster-announce-hostname").check(host_name);
    /// Name of the node for people, shown in logs.
    cluster_announce_human_nodename: String = String::new(),
        live("cluster-announce-human-nodename").check(node_name);
    /// What replies call the endpoint of a node.
    cluster_preferred_endpoint_type: EndpointType = EndpointType::Ip,
        live("cluster-preferred-endpoint-type");
    /// Count keys, traffic and time per slot.
    cluster_slot_stats_enabled: bool = false, live("cluster-slot-stats-enabled");
    /// Percent of commands that are checked for whether a cluster would take them.
    cluster_compatibility_sample_ratio: u32 = 0,
        live("cluster-compatibility-sample-ratio").range(0, 100);
    /// Bytes of lag at which slots that move change hands.
    cluster_slot_migration_handoff_max_lag_bytes: Memory = Memory::mib(1),
        live("cluster-slot-migration-handoff-max-lag-bytes");
    /// Milliseconds that writes may be held back while slots change hands.
    cluster_slot_migration_write_pause_timeout: u64 = 10_000,
        live("cluster-slot-migration-write-pause-timeout");
    /// Milliseconds in which the receiver must have applied what it gathered.
    cluster_slot_migration_sync_buffer_drain_timeout: u64 = 60_000,
        live("cluster-slot-migration-sync-buffer-drain-timeout").hidden();
    /// Finished moves of slots that are remembered.
    cluster_slot_migration_max_archived_tasks: u32 = 32,
        live("cluster-slot-migration-max-archived-tasks").hidden();
    /// Finished moves of slots that are remembered, as Valkey calls it.
    cluster_slot_migration_log_max_len: u64 = 1000, live("cluster-slot-migration-log-max-len");
    /// Bytes of lag at which slots change hands, as Valkey calls it; -1 is no bound.
    slot_migration_max_failover_repl_bytes: MemoryOrUnbounded = MemoryOrUnbounded(Some(0)),
        live("slot-migration-max-failover-repl-bytes");

    section "For developers" DEVELOPERS;

    /// Leave with an exit code instead of an abort when an invariant is broken.
    use_exit_on_panic: bool = false, live("use-exit-on-panic").hidden();
    /// Check costly invariants too.
    enable_debug_assert: bool = false, start("enable-debug-assert").hidden();
    /// Text that crash reports show.
    debug_context: String = String::new(), live("debug-context").hidden();
}
