//! What happens by itself: expiry, client timeouts, rates, reaping. Each step has a budget.

use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::keyspace::journal::DEL;
use crate::keyspace::write::Free;

use super::client::{ClientFlags, ClientKey};
use super::latency::Delay;
use super::registry::RowIndex;
use super::{Effect, Engine};

/// Keys that expire between two looks at the sockets, when little is due; so many times that as
/// `active-expire-effort` says.
const EXPIRE_BUDGET: usize = 512;
/// Most keys that expire between two looks at the sockets, however many are due: about a third
/// of a millisecond's work, and as many times that. Larger portions cost others more and end a burst
/// sooner only while the sockets have work: a look without costs a microsecond.
const EXPIRE_BUDGET_MAX: usize = 1024;
/// Dead pages and entries freed per turn.
const REAP_BUDGET: usize = 2048;
/// Clients looked at per housekeeping.
const CLIENTS_PER_TURN: usize = 2000;
/// Milliseconds between two housekeepings.
pub const HOUSEKEEPING_MS: u64 = 100;

impl Engine {
    /// Removes what is due. Returns when it wants to be called next, if anything has a deadline.
    pub fn expire(&mut self) -> Option<UnixMillis> {
        if self.has_paused_script() {
            return None;
        }
        self.end_pause_when_due();
        self.end_waits_when_due();
        self.end_log_waits_when_due();
        let now = self.now.unix_ms();
        if !self.expires_actively || self.pause.is_some() {
            return self.next_due();
        }
        let effort = usize::try_from(self.config.active_expire_effort).unwrap_or(1).max(1);
        let (least, most) = (EXPIRE_BUDGET * effort, EXPIRE_BUDGET_MAX * effort);
        self.expire_budget = self.expire_budget.clamp(least, most);
        let started = self.outside.ticks();
        let left = self.keyspace.expire_due(now, self.expire_budget);
        let nanos = self.nanos_between(started, self.outside.ticks());
        self.stats.expire_nanos += nanos;
        self.stats.expire_budgets_spent += u64::from(left > self.expire_budget);
        self.note_delay(Delay::ExpireCycle, nanos);
        self.react();
        self.serve_waiters();
        self.broadcast_invalidations();
        // What is late is worked off faster and faster, so that a burst is bounded in memory too.
        self.expire_budget =
            if left > self.expire_budget { (self.expire_budget * 2).min(most) } else { least };
        if left > 0 { Some(now) } else { self.next_due() }
    }

    /// Removes those of a call's keys whose time is over. Only needed while nothing expires by
    /// itself, as tests ask for: then a key goes when somebody names it.
    #[cold]
    pub(super) fn expire_named(&mut self, key: ClientKey, row: RowIndex, args: &Args<'_>) {
        let Some(client) = self.clients.get(key) else { return };
        if self.pause.is_some() {
            return;
        }
        let (db, now) = (client.db, self.now.unix_ms());
        for used in self.registry.row(row).spec.keys_of(args).unwrap_or_default() {
            let name = args.word(used.word);
            // What a reader can't see is not there, or is over its time and goes without a trace.
            if self.keyspace.reader(db, now).kind(name).is_none() {
                self.keyspace.writer(db, now).remove(name, Free::Later, DEL);
            }
        }
    }

    /// Removes what is over of the keys that a call only reads: what it makes of the others is told
    /// as it was asked for, and who does it again does not hide what is over by his own clock.
    pub(super) fn expire_sources(&mut self, key: ClientKey, row: RowIndex, args: &Args<'_>) {
        let now = self.now.unix_ms();
        if self.keyspace.next_due().is_none_or(|due| due > now) {
            return;
        }
        let Some(client) = self.clients.get(key) else { return };
        let mut writer = self.keyspace.writer(client.db, now);
        for used in self.registry.row(row).spec.keys_of(args).unwrap_or_default() {
            if used.access.contains(&"RO") {
                writer.expire_whole(args.word(used.word));
            }
        }
    }

    /// Everything that is done about ten times a second.
    pub fn housekeep(&mut self) {
        if self.housekeeping_paused {
            return;
        }
        let now_us = self.now.monotonic.0;
        self.stats.command_rate.sample(self.stats.commands, now_us);
        self.stats.input_rate.sample(self.stats.bytes_in, now_us);
        self.stats.output_rate.sample(self.stats.bytes_out, now_us);
        self.stats.turn_rate.sample(self.stats.loop_turns, now_us);
        self.stats.memory_peak = self.stats.memory_peak.max(self.outside.memory_used());
        if !self.has_paused_script() {
            if self.config.maxmemory.0 != 0 {
                self.fade_echo();
                self.make_room();
            }
            self.keyspace.fit_popularity();
            self.keyspace.reap(REAP_BUDGET);
            self.keep_saved();
            self.react();
            self.serve_waiters();
            self.broadcast_invalidations();
            self.bound_tracking();
            self.end_pause_when_due();
            self.keep_log();
        }
        self.visit_clients();
        self.drop_bulky();
    }

    /// Frees a portion of what no snapshot needs any more; whether there is more.
    pub fn reap(&mut self) -> bool {
        if self.has_paused_script() {
            return false;
        }
        let left = self.keyspace.reap(REAP_BUDGET);
        self.react();
        left > 0
    }

    fn visit_clients(&mut self) {
        let slots = self.clients.slot_count();
        if slots == 0 {
            return;
        }
        for _ in 0..slots.min(CLIENTS_PER_TURN) {
            self.client_cursor = (self.client_cursor + 1) % slots;
            let Ok(index) = u32::try_from(self.client_cursor) else { return };
            let key = ClientKey(index);
            let Some(client) = self.clients.get(key) else { continue };
            let idle_us = self.now.monotonic.since(client.last_request);
            let timeout_us = u64::from(self.config.timeout) * 1_000_000;
            let is_exempt = client.flags.has(ClientFlags(
                ClientFlags::MONITOR.0
                    | ClientFlags::BLOCKED.0
                    | ClientFlags::PAUSED.0
                    | ClientFlags::PUBSUB.0,
            ));
            if timeout_us != 0 && idle_us > timeout_us && !is_exempt {
                tracing::debug!("Closing idle client");
                self.close(key, true);
                continue;
            }
            self.check_output_limit(key);
            self.weigh(key);
        }
    }

    /// Lets the held clients go on once the pause is over.
    pub(crate) fn end_pause_when_due(&mut self) {
        if self.pause.is_some_and(|pause| pause.until <= self.now.unix_ms()) {
            self.unpause();
        }
    }

    /// Ends CLIENT PAUSE.
    pub(crate) fn unpause(&mut self) {
        self.pause = None;
        for key in std::mem::take(&mut self.held) {
            if let Some(client) = self.clients.get_mut(key)
                && client.flags.has(ClientFlags::PAUSED)
            {
                client.flags.set(ClientFlags::PAUSED, false);
                self.effects.push(Effect::Resume(key));
            }
        }
        self.serve_waiters();
    }

    /// When the pause ends, for the shell's timer.
    pub fn pause_ends(&self) -> Option<UnixMillis> {
        self.pause.map(|pause| pause.until)
    }
}

/// Budget a new engine starts with.
pub(super) const EXPIRE_BUDGET_AT_START: usize = EXPIRE_BUDGET;

#[cfg(test)]
mod tests {
    use crate::engine::tests::Stage;

    /// Turns that it takes to remove this many keys that are due.
    fn turns(stage: &mut Stage, keys: usize) -> usize {
        let key = stage.connect();
        for number in 0..keys {
            stage.ask(key, &format!("set {number} v px 50"));
        }
        stage.pass_ms(50);
        let mut turns = 0;
        while !stage.engine.keyspace.is_empty() {
            stage.engine.expire();
            turns += 1;
        }
        turns
    }

    #[test]
    fn more_effort_removes_more_keys_in_a_turn() {
        let mut stage = Stage::new(&[]);
        // 512, and then 1024 a turn.
        assert_eq!(turns(&mut stage, 8000), 9);
        let key = stage.connect();
        stage.ask(key, "config set active-expire-effort 4");
        assert_eq!(turns(&mut stage, 8000), 3);
        stage.ask(key, "config set active-expire-effort 1");
        assert_eq!(turns(&mut stage, 8000), 9);
    }
}
