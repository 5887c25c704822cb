//! The single-threaded heart: clients and their conversations around the keyspace.
//!
//! A plain function of (now, input). The shell in `server` sets [`Engine::now`] once per turn,
//! hands batches to [`Engine::serve`], sends what stands in the clients' outputs and performs the
//! [`Effect`]s. No socket, no clock, no thread is known here; what a command must ask of the world
//! at once goes through [`outside::Outside`].

mod aftermath;
pub mod append;
pub mod away;
#[cfg(test)]
mod away_tests;
mod blocked;
#[cfg(test)]
mod blocked_tests;
mod bulky;
pub mod client;
mod compaction;
pub mod context;
#[cfg(test)]
mod convergence;
pub mod dispatch;
mod fast_path;
mod gates;
pub mod outside;
mod overheads;
pub mod persist;
mod propagate;
pub mod registry;
pub mod replay;
pub mod stats;
pub mod timers;
mod tracking;
mod transaction;
mod watchers;

mod connection;
mod limits;
mod monitor;
mod notify;
mod pubsub;
mod slowlog;

mod client_commands;
mod client_filter;
mod client_line;
mod command_docs;
mod command_info;

mod config_commands;
mod info;
mod latency;
mod memory;
mod slow_commands;

mod script;

mod acl;
mod admin;
mod cluster_commands;
mod debug;
mod debug_values;
mod digest;
mod eviction;
mod lolwut;
#[cfg(test)]
mod tests;

use crate::base::time::{MonotonicMicros, Now, UnixMillis};
use crate::command::context::{DataLimits, EncodingLimits};
use crate::command::spec::Command;
use crate::config::Config;
use crate::config::choices::{EvictionPolicy, RdbVersionCheck};
use crate::keyspace::Keyspace;
use crate::protocol::reply::Output;
use crate::types::list::PackLimit;

use append::writing::Appending;
use blocked::Blocked;
use client::{ClientFlags, ClientKey, Clients, Pause};
use latency::Latency;
use outside::Outside;
use persist::loading::Loading;
use persist::named::Named;
use persist::saving::Saving;
use propagate::Propagation;
use pubsub::deliver::{Gathered, Spare};
use pubsub::table::PubSub;
use registry::{EngineRun, Registry, RowIndex};
use script::Scripts;
use slowlog::SlowLog;
use stats::Stats;
use tracking::table::TrackingTable;
use watchers::Watchers;

/// Capacity that the shared output buffer keeps between batches.
const SPARE_OUTPUT_BYTES: usize = 64 * 1024;
/// Further output buffers, for clients that are served in one turn of the log.
const SPARE_OUTPUTS: usize = 64;
/// Capacity that each of these keeps.
const FURTHER_OUTPUT_BYTES: usize = 8 * 1024;

/// The newest Redis whose core commands are all here: what `redis_version` and HELLO say.
pub const REDIS_VERSION: &str = "8.0.0";

/// Commands that need more than the keyspace, in the order they are listed.
const TABLES: &[&[Command<EngineRun>]] = &[
    connection::COMMANDS,
    transaction::COMMANDS,
    pubsub::commands::COMMANDS,
    client_commands::COMMANDS,
    command_info::COMMANDS,
    config_commands::COMMANDS,
    info::COMMANDS,
    slow_commands::COMMANDS,
    latency::COMMANDS,
    memory::COMMANDS,
    admin::COMMANDS,
    persist::commands::COMMANDS,
    persist::shutdown::COMMANDS,
    persist::named::COMMANDS,
    persist::backup::COMMANDS,
    append::commands::COMMANDS,
    acl::COMMANDS,
    cluster_commands::COMMANDS,
    script::commands::COMMANDS,
    script::function_commands::COMMANDS,
    debug::COMMANDS,
];

/// What the shell is to do after a turn, in this order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// The client has output that it did not ask for itself.
    Send(ClientKey),
    /// Messages are gathered: [`Engine::deliver`] is to be called when nothing else is ready.
    Deliver,
    /// The client has been told to go; what it has in its output is sent first unless it was cut.
    Close(ClientKey),
    /// The client may be read from again.
    Resume(ClientKey),
    /// The client is idle: its connection need not hold buffers.
    Relax(ClientKey),
    /// Directives have changed.
    Configured,
    /// The process ends; what was to be saved is saved.
    Shutdown,
}

/// How SHUTDOWN was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// Save even without save points; `Some(false)`: don't save.
    pub save: Option<bool>,
    /// Don't wait for lagging replicas.
    pub now: bool,
    /// Go even when saving fails.
    pub force: bool,
}

/// What the engine is made from.
#[derive(Debug)]
pub struct Setup {
    /// Directives.
    pub config: Config,
    /// Keys the hash and seeds the generator.
    pub seed: u64,
    /// 40 hexadecimal digits, new for every start.
    pub run_id: String,
    /// Process id.
    pub pid: u32,
    /// Path of the executable.
    pub executable: String,
    /// Path of the configuration file; empty without one.
    pub config_file: String,
    /// The world.
    pub outside: Box<dyn Outside>,
    /// The moment of the start.
    pub now: Now,
}

/// The server without its sockets.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "states that do not exclude each other")]
pub struct Engine {
    /// The turn's reading of the clocks.
    pub now: Now,
    /// Directives.
    pub config: Config,
    /// All data.
    pub keyspace: Keyspace,
    /// All connections.
    pub clients: Clients,
    /// All commands.
    pub registry: Registry,
    /// Counters.
    pub stats: Stats,
    /// What this server is.
    pub identity: Identity,
    outside: Box<dyn Outside>,
    limits: DataLimits,
    /// `offload-threshold`.
    here_max: usize,
    rng: fastrand::Rng,
    effects: Vec<Effect>,
    spare_outputs: Vec<Output>,
    /// Hashes of the keys that the next requests name, for prefetching.
    hashes: Vec<u64>,
    slow_log: SlowLog,
    latency: Latency,
    watchers: Watchers,
    blocked: Blocked,
    pubsub: PubSub,
    gathered: Option<Gathered>,
    spare_messages: Spare,
    tracking: TrackingTable,
    /// Whose call is being run.
    caller: Option<ClientKey>,
    scripts: Scripts,
    propagation: Propagation,
    appending: Appending,
    monitors: Vec<ClientKey>,
    held: Vec<ClientKey>,
    pause: Option<Pause>,
    saving: Saving,
    named: Named,
    /// The row after which the file is emptied too.
    flushall: RowIndex,
    loading: Loading,
    is_out_of_memory: bool,
    expires_actively: bool,
    housekeeping_paused: bool,
    expire_budget: usize,
    client_cursor: usize,
    /// Bytes of all clients, as long as they are bounded.
    client_bytes: usize,
    /// `maxmemory-clients`.
    client_bytes_max: Option<u64>,
    ticks: u64,
    nanos_per_tick: u64,
    compaction: compaction::Compaction,
    /// Bytes of messages about evicted keys that may not have been sent: since the last round of
    /// housekeeping, and between that and the one before.
    eviction_echo: [usize; 2],
    /// When room was made last, and nanoseconds that it has taken and time has not yet paid back.
    eviction_spent: (MonotonicMicros, u64),
    /// Bytes of the buffers that the shell's tasks share.
    pub shell_bytes: usize,
}

/// What a server can say about itself without looking.
#[derive(Clone, Debug)]
pub struct Identity {
    /// 40 hexadecimal digits, new for every start.
    pub run_id: String,
    /// Process id.
    pub pid: u32,
    /// Path of the executable.
    pub executable: String,
    /// Path of the configuration file; empty without one.
    pub config_file: String,
    /// Names this server's history of changes to replicas: 40 hexadecimal digits.
    pub replication_id: String,
    /// The moment of the start.
    pub started: Now,
    /// Bytes in use when everything was set up.
    pub memory_at_start: usize,
}

impl Engine {
    /// An engine with an empty keyspace.
    pub fn new(setup: Setup) -> Self {
        let Setup { config, seed, run_id, pid, executable, config_file, mut outside, now } = setup;
        let identity = Identity {
            run_id,
            pid,
            executable,
            config_file,
            replication_id: hex_id(outside.as_mut()),
            started: now,
            memory_at_start: outside.memory_used(),
        };
        let registry = Registry::new(&config.renamed_commands);
        let mut engine = Self {
            now,
            keyspace: Keyspace::new(u16::try_from(config.databases).unwrap_or(u16::MAX), seed),
            clients: Clients::default(),
            flushall: registry.row_called("flushall"),
            registry,
            stats: Stats::default(),
            identity,
            nanos_per_tick: outside.nanos_per_tick(),
            outside,
            limits: DataLimits {
                bulk_len_max: 0,
                lazy_user_flush: false,
                counts_frequency: false,
                shares_integers: true,
                compresses_payloads: true,
                ignores_checksums: false,
                takes_any_version: false,
                encodings: EncodingLimits::default(),
            },
            here_max: usize::MAX,
            rng: fastrand::Rng::with_seed(seed.rotate_left(32)),
            effects: Vec::new(),
            spare_outputs: Vec::new(),
            hashes: Vec::new(),
            slow_log: SlowLog::default(),
            latency: Latency::default(),
            watchers: Watchers::default(),
            blocked: Blocked::default(),
            pubsub: PubSub::new(seed.rotate_left(16)),
            gathered: None,
            spare_messages: Spare::default(),
            tracking: TrackingTable::new(seed.rotate_left(48)),
            caller: None,
            scripts: Scripts::default(),
            propagation: Propagation::default(),
            appending: Appending::default(),
            monitors: Vec::new(),
            held: Vec::new(),
            pause: None,
            saving: Saving::new(now),
            named: Named::default(),
            loading: Loading::default(),
            is_out_of_memory: false,
            expires_actively: true,
            housekeeping_paused: false,
            expire_budget: timers::EXPIRE_BUDGET_AT_START,
            client_cursor: 0,
            client_bytes: 0,
            client_bytes_max: None,
            ticks: 0,
            compaction: compaction::Compaction::default(),
            eviction_echo: [0; 2],
            eviction_spent: (MonotonicMicros(0), 0),
            shell_bytes: 0,
            config,
        };
        engine.obey_config();
        engine
    }

    /// Copies out of the directives what the hot path reads.
    pub(crate) fn obey_config(&mut self) {
        self.limits = DataLimits {
            bulk_len_max: usize::try_from(self.config.proto_max_bulk_len.0).unwrap_or(usize::MAX),
            lazy_user_flush: self.config.lazyfree_lazy_user_flush,
            shares_integers: self.config.maxmemory.0 == 0
                || !eviction::goes_by_access(self.config.maxmemory_policy),
            counts_frequency: matches!(
                self.config.maxmemory_policy,
                EvictionPolicy::AllkeysLfu | EvictionPolicy::VolatileLfu
            ),
            compresses_payloads: self.config.rdbcompression,
            ignores_checksums: self.limits.ignores_checksums,
            takes_any_version: self.config.rdb_version_check == RdbVersionCheck::Relaxed,
            encodings: encoding_limits(&self.config),
        };
        self.here_max = match usize::try_from(self.config.offload_threshold) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(elements) => elements,
        };
        self.slow_log.obey(&self.config);
        self.latency.obey(self.config.latency_monitor_threshold);
        self.obey_policy();
        self.is_out_of_memory = false;
        self.choose_listening();
        self.obey_tracking_bound();
        self.client_bytes_max = self.config.maxmemory_clients.bytes(self.config.maxmemory);
        self.weigh_all();
        self.effects.push(Effect::Configured);
    }

    /// What is in use by now is what a server takes that has no data.
    pub fn mark_start(&mut self) {
        self.identity.memory_at_start = self.outside.memory_used();
    }

    /// `proto-max-bulk-len`, bytes.
    pub fn bulk_len_max(&self) -> usize {
        self.limits.bulk_len_max
    }

    /// Bytes of a client's were received; what of them waits, and how much room is left.
    pub fn count_received(
        &mut self,
        key: ClientKey,
        received: usize,
        waiting: usize,
        free: usize,
        aside: usize,
    ) {
        self.stats.bytes_in += received as u64;
        if let Some(client) = self.clients.get_mut(key) {
            client.bytes_in += received as u64;
            client.query_bytes = waiting;
            client.query_free_bytes = free;
            client.args_bytes = aside;
        }
        self.weigh(key);
        self.drop_bulky();
    }

    /// A client holds more unserved bytes than it may.
    pub fn query_limit_reached(&mut self, key: ClientKey) {
        tracing::warn!(
            "Closing client that reached max query buffer length: {}",
            self.describe(key)
        );
        self.stats.query_limit_closings += 1;
    }

    /// Bytes of a client's output were sent. An output that is empty now lends its buffer to the
    /// next batch.
    pub fn count_sent(&mut self, key: ClientKey, sent: usize) {
        self.stats.bytes_out += sent as u64;
        self.stats.writes += 1;
        let Some(client) = self.clients.get_mut(key) else { return };
        client.bytes_out += sent as u64;
        if client.output.is_empty() {
            client.soft_limit_since = None;
            let output = std::mem::take(&mut client.output);
            self.recycle(output);
        }
    }

    /// The earliest moment at which something is to be done, if any.
    pub fn next_due(&self) -> Option<UnixMillis> {
        if self.has_paused_script() {
            // Time stands still inside.
            return None;
        }
        // While clients are held back nothing expires, so that what they see stands still.
        let due = match self.pause_ends() {
            None if self.expires_actively => self.keyspace.next_due(),
            ends => ends,
        };
        due.into_iter().chain(self.blocked.next_due()).chain(self.appending.next_due()).min()
    }

    /// Effects of this turn, in the order they must take place.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Whether there are effects to perform.
    pub fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// The client whose output is about to be sent.
    pub fn output(&mut self, key: ClientKey) -> Option<&mut Output> {
        let client = self.clients.get_mut(key)?;
        client.flags.set(ClientFlags::ANNOUNCED, false);
        Some(&mut client.output)
    }

    /// Tells the shell, once, that a client has output.
    pub(crate) fn announce(&mut self, key: ClientKey) {
        const KNOWN: ClientFlags = ClientFlags(ClientFlags::ANNOUNCED.0 | ClientFlags::RUNNING.0);
        let Some(client) = self.clients.get_mut(key) else { return };
        if !client.flags.has(KNOWN) {
            client.flags.set(ClientFlags::ANNOUNCED, true);
            self.effects.push(Effect::Send(key));
        }
    }

    /// Lets a client go: at once, or when its output has been sent.
    pub(crate) fn close(&mut self, key: ClientKey, at_once: bool) {
        self.deliver_before(key);
        let Some(client) = self.clients.get_mut(key) else { return };
        let flag = if at_once { ClientFlags::CLOSE_ASAP } else { ClientFlags::CLOSING };
        if !client.flags.has(flag) {
            client.flags.set(flag, true);
            self.effects.push(Effect::Close(key));
        }
    }
}

/// Forty hexadecimal digits that nobody can foretell.
fn hex_id(outside: &mut dyn Outside) -> String {
    let bits = [outside.entropy(), outside.entropy(), outside.entropy()];
    let mut digits: String = bits.iter().map(|bits| digest::hex(&bits.to_be_bytes())).collect();
    digits.truncate(40);
    digits
}

fn encoding_limits(config: &Config) -> EncodingLimits {
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    EncodingLimits {
        list_pack: PackLimit::of_directive(config.list_max_listpack_size.into())
            .with_depth(config.list_compress_depth),
        hash_pack_entries: count(config.hash_max_listpack_entries),
        hash_pack_value: count(config.hash_max_listpack_value.0),
        set_intset_entries: count(config.set_max_intset_entries),
        set_pack_entries: count(config.set_max_listpack_entries),
        set_pack_value: count(config.set_max_listpack_value),
        sorted_set_pack_entries: count(config.zset_max_listpack_entries),
        sorted_set_pack_value: count(config.zset_max_listpack_value.0),
        hll_sparse_bytes: count(config.hll_sparse_max_bytes.0),
        stream_node_bytes: count(config.stream_node_max_bytes.0),
        stream_node_entries: count(config.stream_node_max_entries),
        stream_idmp_duration_s: config.stream_idmp_duration,
        stream_idmp_names: count(config.stream_idmp_maxsize),
    }
}
