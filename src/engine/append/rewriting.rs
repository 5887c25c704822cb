//! Rewriting the log: a snapshot becomes the new base while changes go on behind it.

use std::sync::Arc;

use crate::base::time::Now;
use crate::engine::Engine;
use crate::engine::client::ClientKey;
use crate::persistence::rdb::SaveOptions;

use super::files::{BaseJob, BaseProgress, BaseReport};
use super::writing::LogState;

/// Version of the base's format: that of Redis 8.0.
const RDB_VERSION: u32 = 12;
/// Failures after which rewriting by itself pauses, and the longest pause, as in Redis.
const FAILURES_FREE: u64 = 3;
const PAUSE_MINUTES_MAX: u64 = 60;

/// What is known of rewriting.
#[derive(Debug, Default)]
pub(in crate::engine) struct Rewriting {
    current: Option<Current>,
    is_scheduled: bool,
    has_failed: bool,
    last_duration_s: Option<u64>,
    count: u64,
    failures_in_a_row: u64,
    /// No rewriting by itself before this moment, microseconds of the steady clock.
    pauses_until_us: u64,
    last_held_bytes: usize,
}

#[derive(Debug)]
struct Current {
    progress: Arc<BaseProgress>,
    started: Now,
}

/// Figures of INFO.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct RewriteFigures {
    pub is_running: bool,
    pub is_scheduled: bool,
    pub has_failed: bool,
    pub last_duration_s: Option<u64>,
    pub duration_s: Option<u64>,
    pub count: u64,
    pub failures_in_a_row: u64,
    pub last_held_bytes: usize,
}

impl Rewriting {
    /// Whether one is under way.
    pub(in crate::engine) fn is_running(&self) -> bool {
        self.current.is_some()
    }

    /// Figures of INFO.
    pub(in crate::engine) fn figures(&self, now: Now) -> RewriteFigures {
        let current = self.current.as_ref();
        RewriteFigures {
            is_running: current.is_some(),
            is_scheduled: self.is_scheduled,
            has_failed: self.has_failed,
            last_duration_s: self.last_duration_s,
            duration_s: current.map(|current| seconds_since(current.started, now)),
            count: self.count,
            failures_in_a_row: self.failures_in_a_row,
            last_held_bytes: self.last_held_bytes,
        }
    }
}

fn seconds_since(started: Now, now: Now) -> u64 {
    now.monotonic.since(started.monotonic) / 1_000_000
}

impl Engine {
    /// Whether the log is being rewritten.
    pub(in crate::engine) fn is_rewriting(&self) -> bool {
        self.appending.rewriting.is_running()
    }

    /// Whether a client's transaction is being run.
    pub(super) fn is_in_exec(&self, key: ClientKey) -> bool {
        let transaction = self.clients.get(key).and_then(|client| client.transaction.as_deref());
        transaction.is_some_and(|transaction| transaction.executing > 0)
    }

    /// Has the log rewritten as soon as nothing else keeps the disk busy.
    pub(in crate::engine) fn schedule_rewrite(&mut self) {
        self.appending.rewriting.is_scheduled = true;
    }

    /// Begins to rewrite the log.
    pub(in crate::engine) fn begin_rewrite(&mut self) -> Result<(), String> {
        // What was told so far belongs before the cut.
        self.write_log();
        self.appending.rewriting.is_scheduled = false;
        let job = self.base_job();
        let progress = Arc::clone(&job.progress);
        self.outside.log_files().begin_base(job).inspect_err(|_| {
            self.appending.rewriting.has_failed = true;
        })?;
        self.propagation.start_anew();
        tracing::info!(
            "Background append only file rewriting started by pid {}",
            self.identity.pid
        );
        self.appending.rewriting.count += 1;
        self.appending.rewriting.current = Some(Current { progress, started: self.now });
        Ok(())
    }

    pub(super) fn base_job(&mut self) -> BaseJob {
        let options = SaveOptions {
            compresses: self.config.rdbcompression,
            checksums: self.config.rdbchecksum,
            version: RDB_VERSION,
            access: None,
        };
        BaseJob {
            snapshot: self.keyspace.snapshot(self.now.unix_ms()),
            libraries: self.scripts.library_texts(),
            aux: vec![
                ("redis-ver", crate::engine::REDIS_VERSION.to_owned()),
                ("redis-bits", "64".to_owned()),
                ("ctime", self.now.unix_seconds().to_string()),
                ("used-mem", self.outside.memory_used().to_string()),
                ("aof-base", "1".to_owned()),
            ],
            options: self.config.aof_use_rdb_preamble.then_some(options),
            stamp_s: self.config.aof_timestamp_enabled.then(|| self.now.unix_seconds()),
            syncs_piecewise: self.config.aof_rewrite_incremental_fsync,
            key_delay: self.config.rdb_key_save_delay,
            progress: Arc::new(BaseProgress::default()),
        }
    }

    /// A base has been written, or not.
    pub fn base_ended(&mut self, report: &BaseReport) {
        let is_known = |current: &mut Current| Arc::ptr_eq(&current.progress, &report.progress);
        // One that was stopped is forgotten already.
        let Some(current) = self.appending.rewriting.current.take_if(is_known) else { return };
        self.appending.rewriting.last_held_bytes = self.keyspace.held_bytes();
        self.appending.rewriting.last_duration_s = Some(seconds_since(current.started, self.now));
        self.write_log();
        let adopted = match &report.outcome {
            Ok(_) => self.outside.log_files().adopt_base(report),
            Err(why) => Err(why.clone()),
        };
        let rewriting = &mut self.appending.rewriting;
        match adopted {
            Ok(()) => {
                tracing::info!("Background AOF rewrite terminated with success");
                tracing::info!("Background AOF rewrite finished successfully");
                (rewriting.has_failed, rewriting.failures_in_a_row) = (false, 0);
                if self.appending.state == LogState::Starting {
                    self.appending.state = LogState::On;
                }
            }
            Err(why) => {
                tracing::warn!("Background AOF rewrite terminated with error: {why}");
                rewriting.has_failed = true;
                rewriting.failures_in_a_row += 1;
                if rewriting.failures_in_a_row >= FAILURES_FREE {
                    let doublings = (rewriting.failures_in_a_row - FAILURES_FREE).min(6);
                    let minutes = (1 << doublings).min(PAUSE_MINUTES_MAX);
                    rewriting.pauses_until_us = self.now.monotonic.0 + minutes * 60_000_000;
                }
                // Without a base there is no log yet: it is tried again.
                rewriting.is_scheduled |= self.appending.state == LogState::Starting;
            }
        }
    }

    /// Stops rewriting, if it is under way; nothing is left of it.
    pub(in crate::engine) fn stop_rewrite(&mut self) {
        self.appending.rewriting.is_scheduled = false;
        if let Some(current) = self.appending.rewriting.current.take() {
            tracing::info!("Killing AOF child");
            current.progress.stop();
            self.appending.rewriting.last_duration_s =
                Some(seconds_since(current.started, self.now));
            self.outside.log_files().stop_base();
        }
    }

    /// Begins to rewrite when it was asked for, or the log has grown enough.
    pub(super) fn rewrite_when_due(&mut self) {
        if self.background_work().is_some() || self.is_loading() {
            return;
        }
        let is_due = self.appending.state == LogState::On && self.has_grown();
        let rewriting = &mut self.appending.rewriting;
        let pauses = rewriting.pauses_until_us > self.now.monotonic.0;
        if pauses || !rewriting.is_scheduled && !is_due {
            return;
        }
        if let Err(why) = self.begin_rewrite() {
            tracing::warn!("Can't rewrite the append only file: {why}");
            self.appending.rewriting.pauses_until_us = self.now.monotonic.0 + 60_000_000;
        }
    }

    fn has_grown(&self) -> bool {
        let percent = u64::from(self.config.auto_aof_rewrite_percentage);
        if percent == 0 {
            return false;
        }
        let figures = self.outside.log_figures();
        let base = figures.base_size.max(1);
        let growth = figures.size.saturating_mul(100) / base;
        let is_due = figures.size > self.config.auto_aof_rewrite_min_size.0
            && growth.saturating_sub(100) >= percent;
        if is_due {
            tracing::info!(
                "Starting automatic rewriting of AOF on {}% growth",
                growth.saturating_sub(100)
            );
        }
        is_due
    }
}
