//! What the server takes beside the data, kind by kind.
//!
//! Whoever keeps something tells its bytes, allocator's classes included; `tests/accounting.rs`
//! checks each against what `used_memory` loses when it goes.

use crate::keyspace::DbIndex;
use crate::protocol::reply::Output;

use super::Engine;

/// Bytes by what they are for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Overheads {
    /// Used when everything was set up.
    pub startup: usize,
    /// Clients, their buffers and what serves their sockets.
    pub clients: usize,
    /// Pages by which keys are found.
    pub tables: usize,
    /// Wheels by which deadlines are found.
    pub timers: usize,
    /// Dead, but needed by a snapshot or not yet freed.
    pub held: usize,
    /// Dead, and being freed by a worker.
    pub freeing: usize,
    /// How often keys are used, for policies that go by that.
    pub popularity: usize,
    /// Texts of cached scripts.
    pub scripts: usize,
    /// Texts of libraries.
    pub functions: usize,
    /// Both Lua states.
    pub lua: usize,
    /// Who listens to which channel.
    pub subscriptions: usize,
    /// Who may have cached which key.
    pub tracking: usize,
    /// Who watches which key.
    pub watching: usize,
    /// Who waits for which key.
    pub waiting: usize,
    /// The logs of slow and large calls.
    pub slow_log: usize,
    /// How long calls took.
    pub statistics: usize,
    /// What waits to be written to the append-only file.
    pub append: usize,
    /// Buffers that all clients share.
    pub buffers: usize,
}

impl Overheads {
    /// Those that Redis knows none of, under the names that MEMORY STATS and INFO give them.
    pub(super) fn own(&self) -> [(&'static str, usize); 10] {
        [
            ("expiry", self.timers),
            ("snapshots", self.held),
            ("freeing", self.freeing),
            ("eviction", self.popularity),
            ("pubsub", self.subscriptions),
            ("tracking", self.tracking),
            ("watched_keys", self.watching + self.waiting),
            ("slowlog", self.slow_log),
            ("statistics", self.statistics),
            ("shared_buffers", self.buffers),
        ]
    }

    /// All together.
    pub(super) fn total(&self) -> usize {
        let known = self.startup + self.clients + self.tables + self.append;
        let scripts = self.scripts + self.functions + self.lua;
        known + scripts + self.own().iter().map(|(_, bytes)| bytes).sum::<usize>()
    }
}

impl Engine {
    /// Asks everybody who keeps something. O(clients + databases + commands).
    pub(super) fn overheads(&self) -> Overheads {
        let scripts = self.scripts.figures();
        let databases = || (0..self.keyspace.db_count()).map(DbIndex);
        let connection = self.outside.connection_bytes();
        Overheads {
            startup: self.identity.memory_at_start,
            clients: self.clients.iter().map(|(_, client)| client.own_bytes() + connection).sum(),
            tables: databases().map(|db| self.keyspace.table_bytes(db)).sum(),
            timers: databases().map(|db| self.keyspace.timer_bytes(db)).sum(),
            held: self.keyspace.held_bytes(),
            freeing: self.freeing_bytes(),
            popularity: self.keyspace.popularity_bytes(),
            scripts: scripts.scripts,
            functions: scripts.functions,
            lua: scripts.eval_state + scripts.function_state,
            subscriptions: self.pubsub.memory_bytes(),
            tracking: self.tracking.memory_bytes(),
            watching: self.watchers.memory_bytes(),
            waiting: self.blocked.memory_bytes(),
            slow_log: self.slow_log.memory_bytes(),
            statistics: self.registry.rows().iter().map(|row| row.stats.memory_bytes()).sum(),
            append: self.propagation.memory_bytes() + self.outside.log_figures().unwritten,
            buffers: self.shell_bytes
                + self.spare_outputs.iter().map(Output::memory_bytes).sum::<usize>()
                + self.hashes.capacity() * size_of::<u64>(),
        }
    }

    /// Bytes of large things that are unreachable, and that a worker frees or is about to.
    pub(super) fn freeing_bytes(&self) -> usize {
        self.keyspace.garbage_bytes() + self.outside.freeing().pending_bytes
    }

    /// Bytes that removing keys would not give back, or that are on their way back: they don't
    /// count for `maxmemory`.
    pub(super) fn uncounted_bytes(&self) -> usize {
        let spare = self.spare_outputs.iter().map(Output::memory_bytes).sum::<usize>();
        self.keyspace.held_bytes()
            + self.freeing_bytes()
            + self.eviction_echo.iter().sum::<usize>()
            + spare
    }
}
