//! Writing: at the end of a turn, before the replies of that turn are sent.

use crate::base::time::{Now, UnixMillis};
use crate::config::choices::AppendFsync;
use crate::engine::Engine;
use crate::engine::client::ClientKey;
use crate::engine::latency::Delay;
use crate::protocol::error::ReplyError;

use super::files::LogTurn;
use super::rewriting::RewriteFigures;

/// Whether changes are written to a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) enum LogState {
    /// They are not.
    #[default]
    Off,
    /// They will be, once there is a base; until then they are only gathered behind it.
    Starting,
    /// They are.
    On,
}

/// What is known of the log.
#[derive(Debug, Default)]
pub(in crate::engine) struct Appending {
    pub(super) state: LogState,
    pub(super) rewriting: super::rewriting::Rewriting,
    pub(super) waiting: super::waiting::Waiting,
    /// Why writes are refused: the log can't be written.
    failure: Option<String>,
}

impl Appending {
    /// Figures of rewriting.
    pub(in crate::engine) fn rewrites(&self, now: Now) -> RewriteFigures {
        self.rewriting.figures(now)
    }

    /// Whether changes go anywhere.
    pub(in crate::engine) fn state(&self) -> LogState {
        self.state
    }

    /// A client has gone.
    pub(in crate::engine) fn forget(&mut self, client: ClientKey) {
        self.waiting.forget(client);
    }

    /// When the first of those who wait for the log waits no longer.
    pub(in crate::engine) fn next_due(&self) -> Option<UnixMillis> {
        self.waiting.next_due()
    }

    /// Whether a client waits for the log.
    #[inline]
    pub(in crate::engine) fn waits(&self, client: ClientKey) -> bool {
        self.waiting.has(client)
    }

    /// Whether writes are refused because the log can't be written.
    #[inline]
    pub(in crate::engine) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }
}

impl Engine {
    /// From now on changes are told to the log, or not.
    pub(super) fn turn_log(&mut self, state: LogState) {
        self.appending.state = state;
        self.propagation.turn(state != LogState::Off);
        self.choose_listening();
    }

    /// The log on disk has been loaded, or begun: changes go there from now on.
    pub fn log_opened(&mut self) {
        self.turn_log(LogState::On);
        self.note_log();
    }

    /// Whether replies must wait until the log is written.
    #[inline]
    pub fn log_is_behind(&self) -> bool {
        self.propagation.has_units()
    }

    /// Writes what was told since the last time.
    pub fn write_log(&mut self) {
        if !self.propagation.has_units() {
            return;
        }
        let turn = self.log_turn();
        let started = self.outside.ticks();
        let files = self.outside.log_files();
        self.propagation.take(|changes| files.write(changes, &turn));
        let nanos = self.nanos_between(started, self.outside.ticks());
        let syncs = turn.policy == AppendFsync::Always;
        self.note_delay(if syncs { Delay::LogSync } else { Delay::LogWrite }, nanos);
        self.note_log();
    }

    fn log_turn(&self) -> LogTurn {
        let saves = self.appending.rewriting.is_running();
        LogTurn {
            now: self.now,
            policy: self.config.appendfsync,
            is_stamped: self.config.aof_timestamp_enabled,
            spares_disk: self.config.no_appendfsync_on_rewrite && saves,
        }
    }

    /// What is to be done ten times a second.
    pub(in crate::engine) fn keep_log(&mut self) {
        if self.appending.state != LogState::Off {
            self.write_log();
            let turn = self.log_turn();
            self.outside.log_files().tick(&turn);
            self.note_log();
        }
        self.rewrite_when_due();
    }

    /// Takes note of how the latest write went.
    fn note_log(&mut self) {
        let figures = self.outside.log_files().figures();
        self.appending.failure = figures.failure;
        self.serve_synced(figures.synced);
    }

    /// Writes and syncs everything before the process ends; whether that was possible.
    pub fn settle_log(&mut self) -> bool {
        if self.appending.state == LogState::Off {
            return true;
        }
        self.stop_rewrite();
        self.write_log();
        tracing::info!("Calling fsync() on the AOF file.");
        self.outside.log_files().settle()
    }

    /// Why a write is refused while the log can't be written.
    pub(in crate::engine) fn log_refusal(&self) -> Option<ReplyError> {
        let why = self.appending.failure.as_ref()?;
        Some(ReplyError::Text(format!("MISCONF Errors writing to the AOF file: {why}").into()))
    }

    /// `appendonly` has been changed at run time. An error leaves it as it was.
    pub(in crate::engine) fn obey_appendonly(&mut self) -> Result<(), String> {
        match (self.config.appendonly, self.appending.state) {
            (true, LogState::Off) => self.start_log(),
            (false, LogState::On | LogState::Starting) => {
                self.stop_log();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start_log(&mut self) -> Result<(), String> {
        self.turn_log(LogState::Starting);
        if let Err(why) = self.begin_rewrite() {
            tracing::warn!("Redis needs to enable the AOF but can't begin it: {why}");
            self.turn_log(LogState::Off);
            return Err("Unable to turn on AOF. Check server logs.".to_owned());
        }
        Ok(())
    }

    fn stop_log(&mut self) {
        self.write_log();
        self.stop_rewrite();
        self.outside.log_files().close();
        self.turn_log(LogState::Off);
        self.appending.failure = None;
        self.refuse_all_waiting();
    }

    /// Whether every reply promises that its changes are on disk.
    pub(super) fn syncs_always(&self) -> bool {
        self.config.appendfsync == AppendFsync::Always
    }
}
