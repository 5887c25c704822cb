//! Saves: their state, when they begin by themselves, what follows from their end.

use std::sync::Arc;

use crate::base::time::Now;
use crate::config::choices::{EvictionPolicy, RdbCompat};
use crate::engine::Engine;
use crate::persistence::rdb::format::{VERSION_7_0, VERSION_7_2, VERSION_8_0};
use crate::protocol::error::ReplyError;

use super::disk::{Progress, SaveJob, SaveOutcome, SaveReport, SaveStyle};

/// Seconds between a failed save and the next try.
const RETRY_S: i64 = 5;

/// What is known of saves.
#[derive(Debug)]
pub(in crate::engine) struct Saving {
    background: Option<Background>,
    /// The backup under way.
    backup: Option<Arc<Progress>>,
    /// One is to begin as soon as nothing else keeps the disk busy.
    is_scheduled: bool,
    /// Seconds of the wall clock at the last success; of the start, without one.
    last_success_s: i64,
    last_try_s: i64,
    /// Whether the last one in the background failed.
    has_failed: bool,
    /// Seconds the last one in the background took.
    last_duration_s: Option<u64>,
    /// Changes that the file has, as the journal counts them.
    saved_changes: u64,
    /// Most bytes that the last one's snapshot held back.
    last_held_bytes: usize,
}

#[derive(Debug)]
struct Background {
    progress: Arc<Progress>,
    started: Now,
    /// Changes that the snapshot has.
    changes: u64,
    keys: usize,
    held_bytes_max: usize,
}

/// Figures of INFO.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct SaveFigures {
    pub changes: u64,
    pub is_saving: bool,
    pub last_success_s: i64,
    pub has_failed: bool,
    pub last_duration_s: Option<u64>,
    pub duration_s: Option<u64>,
    pub last_held_bytes: usize,
    pub held_bytes: usize,
    pub held_bytes_max: usize,
    pub keys_done: u64,
    pub keys_total: usize,
}

impl Saving {
    /// As if everything had been saved at `now`.
    pub(in crate::engine) fn new(now: Now) -> Self {
        Self {
            background: None,
            backup: None,
            is_scheduled: false,
            last_success_s: now.unix_seconds(),
            last_try_s: 0,
            has_failed: false,
            last_duration_s: None,
            saved_changes: 0,
            last_held_bytes: 0,
        }
    }

    /// Whether one is under way.
    pub(in crate::engine) fn is_running(&self) -> bool {
        self.background.is_some()
    }

    /// Whether a backup is under way.
    pub(in crate::engine) fn is_backing_up(&self) -> bool {
        self.backup.is_some()
    }

    /// A backup has begun.
    pub(in crate::engine) fn note_backup(&mut self, progress: Arc<Progress>) {
        self.backup = Some(progress);
    }

    /// Whether the last one in the background failed.
    #[inline]
    pub(in crate::engine) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Seconds of the wall clock at the last success.
    pub(in crate::engine) fn last_success_s(&self) -> i64 {
        self.last_success_s
    }
}

/// Why a save in the background doesn't begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Busy {
    /// One is under way.
    Saving,
    /// The log is being rewritten.
    Rewriting,
}

impl Engine {
    /// What keeps the disk busy in the background.
    pub(in crate::engine) fn background_work(&self) -> Option<Busy> {
        if self.saving.is_running() {
            Some(Busy::Saving)
        } else {
            self.is_rewriting().then_some(Busy::Rewriting)
        }
    }

    /// Changes that no file has.
    pub(in crate::engine) fn unsaved_changes(&self) -> u64 {
        self.keyspace.journal().dirty().saturating_sub(self.saving.saved_changes)
    }

    /// From now on the data count as saved.
    pub(in crate::engine) fn count_as_saved(&mut self) {
        self.saving.saved_changes = self.keyspace.journal().dirty();
    }

    /// Begins a save in the background.
    pub(in crate::engine) fn begin_save(&mut self) -> Result<(), ReplyError> {
        let now = self.now;
        self.saving.is_scheduled = false;
        self.saving.last_try_s = now.unix_seconds();
        self.stats.rdb_saves += 1;
        let (changes, keys) = (self.keyspace.journal().dirty(), self.keyspace.len());
        let job = self.save_job(self.config.dbfilename.clone());
        let progress = Arc::clone(&job.progress);
        match self.outside.disk().save_later(job) {
            Ok(()) => {
                tracing::info!("Background saving started by pid {}", self.identity.pid);
                self.saving.background =
                    Some(Background { progress, started: now, changes, keys, held_bytes_max: 0 });
                Ok(())
            }
            Err(why) => {
                tracing::warn!("Can't save in background: {why}");
                self.saving.has_failed = true;
                Err(ReplyError::Text(format!("ERR Can't save in background: {why}").into()))
            }
        }
    }

    /// Begins a save in the background as soon as nothing else keeps the disk busy.
    pub(in crate::engine) fn schedule_save(&mut self) {
        self.saving.is_scheduled = true;
    }

    /// Saves while everybody waits.
    pub(in crate::engine) fn save_now(&mut self) -> Result<(), String> {
        let changes = self.keyspace.journal().dirty();
        let job = self.save_job(self.config.dbfilename.clone());
        let outcome = self.outside.disk().save_now(job);
        // The snapshot is gone, and nothing was changed while it lived.
        self.keyspace.reap(1);
        match outcome {
            Ok(_) => {
                self.note_saved(changes);
                tracing::info!("DB saved on disk");
                Ok(())
            }
            Err(why) => {
                tracing::warn!("Error saving DB on disk: {why}");
                Err(why)
            }
        }
    }

    fn note_saved(&mut self, changes: u64) {
        self.saving.saved_changes = changes;
        self.saving.last_success_s = self.now.unix_seconds();
        self.saving.has_failed = false;
    }

    /// A save in the background has ended.
    pub fn save_ended(&mut self, report: &SaveReport) {
        let is_backup = |progress: &mut Arc<Progress>| Arc::ptr_eq(progress, &report.progress);
        if self.saving.backup.take_if(is_backup).is_some() {
            super::backup::log_end(&report.outcome);
            return;
        }
        let is_known = |work: &Background| Arc::ptr_eq(&work.progress, &report.progress);
        // One that was stopped is forgotten already.
        let Some(work) = self.saving.background.take_if(|work| is_known(work)) else { return };
        self.end_background(&work, &report.outcome);
    }

    fn end_background(&mut self, work: &Background, outcome: &SaveOutcome) {
        let took_us = self.now.monotonic.since(work.started.monotonic);
        self.saving.last_duration_s = Some(took_us / 1_000_000);
        self.saving.last_held_bytes = work.held_bytes_max.max(self.keyspace.held_bytes());
        match outcome {
            Ok(bytes) => {
                tracing::info!("DB saved on disk");
                tracing::info!(
                    "BGSAVE done, {} keys saved, 0 keys skipped, {bytes} bytes written.",
                    work.keys
                );
                tracing::info!("Background saving terminated with success");
                self.note_saved(work.changes);
            }
            Err(why) => {
                tracing::warn!("Error saving DB on disk: {why}");
                tracing::warn!("Background saving error");
                self.saving.has_failed = true;
            }
        }
    }

    /// Stops the save in the background, if there is one; nothing is left of it.
    pub(in crate::engine) fn stop_saving(&mut self) {
        self.saving.is_scheduled = false;
        if let Some(work) = self.saving.background.take() {
            work.progress.stop();
            self.saving.last_duration_s =
                Some(self.now.monotonic.since(work.started.monotonic) / 1_000_000);
            self.outside.disk().stop_saving();
            tracing::warn!("Background saving terminated by request");
        }
    }

    /// Begins a save when it is time for one. Called ten times a second.
    pub(in crate::engine) fn keep_saved(&mut self) {
        let held = self.keyspace.held_bytes();
        if let Some(work) = &mut self.saving.background {
            work.held_bytes_max = work.held_bytes_max.max(held);
        }
        if self.background_work().is_some() || self.is_loading() {
            return;
        }
        if let Some((changes, seconds)) = self.due_save_point() {
            tracing::info!("{changes} changes in {seconds} seconds. Saving...");
        } else if !self.saving.is_scheduled && !self.must_try_again() {
            return;
        }
        // What went wrong is in the log, and INFO shows it.
        let _ = self.begin_save();
    }

    /// Changes and seconds of the save point that asks for a save.
    fn due_save_point(&self) -> Option<(u64, u64)> {
        if self.saving.has_failed && !self.may_try_again() {
            return None;
        }
        let (changes, now) = (self.unsaved_changes(), self.now.unix_seconds());
        let passed = u64::try_from(now - self.saving.last_success_s).unwrap_or(0);
        let mut points = self.config.save.points().iter();
        let due = points.find(|point| changes >= point.changes && passed > point.seconds)?;
        Some((due.changes, due.seconds))
    }

    fn may_try_again(&self) -> bool {
        self.now.unix_seconds() - self.saving.last_try_s > RETRY_S
    }

    /// While a failed save has writes refused, none of them can ask for the next one.
    fn must_try_again(&self) -> bool {
        self.refuses_writes_unsaved() && self.may_try_again()
    }

    /// Whether writes are refused because the last save in the background failed.
    pub(in crate::engine) fn refuses_writes_unsaved(&self) -> bool {
        self.saving.has_failed
            && self.config.stop_writes_on_bgsave_error
            && !self.config.save.points().is_empty()
    }

    /// The data as of now, on their way to a file.
    pub(in crate::engine) fn save_job(&mut self, path: String) -> SaveJob {
        let access = matches!(
            self.config.maxmemory_policy,
            EvictionPolicy::AllkeysLru
                | EvictionPolicy::VolatileLru
                | EvictionPolicy::AllkeysLfu
                | EvictionPolicy::VolatileLfu
        );
        let style = SaveStyle {
            compresses: self.config.rdbcompression,
            checksums: self.config.rdbchecksum,
            version: match self.config.rdb_compat_version {
                RdbCompat::Redis70 => VERSION_7_0,
                RdbCompat::Redis72 => VERSION_7_2,
                RdbCompat::Redis80 => VERSION_8_0,
            },
            syncs_piecewise: self.config.rdb_save_incremental_fsync,
            key_delay: self.config.rdb_key_save_delay,
            access: access.then(|| self.keyspace.access_policy()),
        };
        let aux = vec![
            ("redis-ver", crate::engine::REDIS_VERSION.to_owned()),
            ("redis-bits", "64".to_owned()),
            ("ctime", self.now.unix_seconds().to_string()),
            ("used-mem", self.outside.memory_used().to_string()),
            ("aof-base", "0".to_owned()),
        ];
        SaveJob {
            snapshot: self.keyspace.snapshot(self.now.unix_ms()),
            libraries: self.scripts.library_texts(),
            aux,
            path,
            manifest: None,
            style,
            progress: Arc::new(Progress::default()),
        }
    }

    /// Figures of INFO.
    pub(in crate::engine) fn save_figures(&self) -> SaveFigures {
        let saving = &self.saving;
        let work = saving.background.as_ref();
        let held_bytes = if work.is_some() { self.keyspace.held_bytes() } else { 0 };
        SaveFigures {
            changes: self.unsaved_changes(),
            is_saving: work.is_some(),
            last_success_s: saving.last_success_s,
            has_failed: saving.has_failed,
            last_duration_s: saving.last_duration_s,
            duration_s: work
                .map(|work| self.now.monotonic.since(work.started.monotonic) / 1_000_000),
            last_held_bytes: saving.last_held_bytes,
            held_bytes,
            held_bytes_max: work.map_or(0, |work| work.held_bytes_max.max(held_bytes)),
            keys_done: work.map_or(0, |work| work.progress.keys()),
            keys_total: work.map_or(0, |work| work.keys),
        }
    }

    /// FLUSHALL empties the file too: whoever starts after a crash shall not find what was dropped.
    #[cold]
    pub(in crate::engine) fn save_emptiness(&mut self) {
        self.stop_saving();
        if !self.config.save.points().is_empty() && !self.is_loading() {
            // What went wrong is in the log. The data are gone as they should be.
            let _ = self.save_now();
        }
    }
}
