//! The log's files: written by the engine's thread, synced and replaced by others.
//!
//! Changes are appended with one system call per turn. With `always` they are synced right there,
//! once for everybody served in the turn; with `everysec` a thread syncs, and writing waits for it
//! for up to two seconds, because a write during a sync stops this thread.
//!
//! 1. Every file ends with a whole unit: what was written in part is cut off again.
//! 2. What the manifest names is there and complete; it is replaced atomically, after what it names
//!    is synced.

pub mod check;
mod folder;
pub mod past;
mod rewriter;
pub(super) mod startup;
mod syncer;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::time::{MonotonicMicros, Now};
use crate::config::Config;
use crate::config::choices::AppendFsync;
use crate::engine::append::files::{
    BaseJob, BaseProgress, BaseReport, LogFigures, LogFiles, LogPart, LogTurn,
};
use crate::persistence::aof::manifest::Manifest;

use super::config_files::reason;
use folder::{Folder, Names};
use syncer::Syncer;

/// Longest that writing waits for a sync, as in Redis.
const POSTPONED_US_MAX: u64 = 2_000_000;
/// Microseconds between two syncs of `everysec`.
const SYNC_EVERY_US: u64 = 1_000_000;
/// Microseconds between two lines in the log about the same trouble.
const COMPLAIN_EVERY_US: u64 = 30_000_000;

/// The file that changes go to.
#[derive(Debug)]
struct Current {
    file: Arc<File>,
    /// Bytes in it.
    len: u64,
}

/// A base that is being written.
#[derive(Debug)]
struct Base {
    thread: JoinHandle<()>,
    progress: Arc<BaseProgress>,
    /// Increments up to this number go when it is there.
    cut: u64,
    is_snapshot: bool,
}

/// See the head of the file.
#[derive(Debug)]
pub(super) struct Log {
    reports: UnboundedSender<BaseReport>,
    folder: Option<Folder>,
    manifest: Manifest,
    current: Option<Current>,
    /// Whether the manifest names the current file. A log that begins at run time writes to a file
    /// without a place in it until its first base is there.
    is_listed: bool,
    syncer: Syncer,
    base: Option<Base>,
    /// Gathered and not written yet.
    unwritten: Vec<u8>,
    postponed_since: Option<MonotonicMicros>,
    /// Bytes written since the start, of all files together.
    written: u64,
    /// Bytes of those, framing aside, that callers gave.
    given: u64,
    last_sync: MonotonicMicros,
    last_stamp_s: i64,
    failure: Option<String>,
    complained: Option<MonotonicMicros>,
    delayed_syncs: u64,
    /// Bytes of complete files before the current one.
    earlier_bytes: u64,
    base_size: u64,
    slowness_us: u64,
    /// Files that a rewrite has replaced are kept.
    keeps_history: bool,
    /// What names and directory are to be when the log begins.
    names: Names,
}

impl Log {
    pub(super) fn new(reports: UnboundedSender<BaseReport>, config: &Config) -> Self {
        Self {
            reports,
            folder: None,
            manifest: Manifest::default(),
            current: None,
            is_listed: false,
            syncer: Syncer::default(),
            base: None,
            unwritten: Vec::new(),
            postponed_since: None,
            written: 0,
            given: 0,
            last_sync: MonotonicMicros(0),
            last_stamp_s: 0,
            failure: None,
            complained: None,
            delayed_syncs: 0,
            earlier_bytes: 0,
            base_size: 0,
            slowness_us: 0,
            keeps_history: config.aof_disable_auto_gc,
            names: Names::of(config),
        }
    }

    /// Takes in changed directives.
    pub(super) fn obey(&mut self, config: &Config) {
        self.keeps_history = config.aof_disable_auto_gc;
        self.names = Names::of(config);
    }

    /// Appends what is gathered; with `is_forced` even while a sync is under way.
    fn append(&mut self, turn: &LogTurn, is_forced: bool) {
        if self.unwritten.is_empty() {
            return;
        }
        let Some(file) = self.current.as_ref().map(|current| Arc::clone(&current.file)) else {
            return;
        };
        if turn.policy == AppendFsync::Everysec && !is_forced && self.syncer.is_busy() {
            let since = *self.postponed_since.get_or_insert(turn.now.monotonic);
            if turn.now.monotonic.since(since) < POSTPONED_US_MAX {
                return;
            }
            self.delayed_syncs += 1;
            tracing::info!(
                "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF \
                 buffer without waiting for fsync to complete, this may slow down Redis."
            );
        }
        self.postponed_since = None;
        if self.slowness_us > 0 {
            std::thread::sleep(std::time::Duration::from_micros(self.slowness_us));
        }
        match write_all(&file, &self.unwritten) {
            Ok(()) => {
                self.count_written(self.unwritten.len());
                self.unwritten.clear();
                self.unwritten.shrink_to(crate::base::limits::LOG_BUFFER_KEPT_BYTES);
                if self.failure.take().is_some() {
                    tracing::warn!("AOF write error looks solved. The server can write again.");
                    self.complained = None;
                }
            }
            Err((error, wrote)) => {
                let why = reason(&error);
                self.complain(turn.now, &format!("Error writing to the AOF file: {why}"));
                if turn.policy == AppendFsync::Always {
                    tracing::error!(
                        "Can't recover from AOF write error when the AOF fsync policy is \
                         'always'. Exiting..."
                    );
                    std::process::exit(1);
                }
                let whole = self.current.as_ref().map_or(0, |current| current.len);
                if wrote > 0 && file.set_len(whole).is_err() {
                    // It stays, and the rest is to follow right behind it.
                    self.count_written(wrote);
                    self.unwritten.drain(..wrote);
                }
                self.failure = Some(why);
            }
        }
    }

    /// Appends what is gathered, whatever the policy.
    fn append_now(&mut self) {
        let turn = LogTurn {
            now: Now { unix_us: 0, monotonic: self.last_sync },
            policy: AppendFsync::No,
            is_stamped: false,
            spares_disk: false,
        };
        self.append(&turn, true);
    }

    fn count_written(&mut self, bytes: usize) {
        self.written += bytes as u64;
        if let Some(current) = &mut self.current {
            current.len += bytes as u64;
        }
    }

    fn complain(&mut self, now: Now, what: &str) {
        let is_news =
            self.complained.is_none_or(|since| now.monotonic.since(since) >= COMPLAIN_EVERY_US);
        if is_news {
            self.complained = Some(now.monotonic);
            tracing::warn!("{what}");
        }
    }

    fn sync(&mut self, turn: &LogTurn) {
        self.note_synced();
        let Some(current) = &self.current else { return };
        if turn.spares_disk || self.written == self.syncer.synced() {
            return;
        }
        match turn.policy {
            AppendFsync::Always => {
                if let Err(error) = current.file.sync_data() {
                    tracing::error!(
                        "Can't persist AOF for fsync error when the AOF fsync policy is 'always': \
                         {}. Exiting...",
                        reason(&error)
                    );
                    std::process::exit(1);
                }
                self.syncer.note(self.written);
                self.last_sync = turn.now.monotonic;
            }
            AppendFsync::Everysec => {
                let is_due = turn.now.monotonic.since(self.last_sync) >= SYNC_EVERY_US;
                if is_due && !self.syncer.is_busy() {
                    self.syncer.begin(&current.file, self.written);
                    self.last_sync = turn.now.monotonic;
                }
            }
            AppendFsync::No => {}
        }
    }

    /// Takes note of how syncs in the background went.
    fn note_synced(&mut self) {
        match self.syncer.failure() {
            Some(why) => self.failure = Some(why),
            None if self.unwritten.is_empty() => self.failure = None,
            None => {}
        }
    }

    /// Notes the second before what was gathered in it, if it has not been noted.
    fn stamp(&mut self, now: Now) {
        let second = now.unix_seconds();
        if second > self.last_stamp_s {
            self.last_stamp_s = second;
            self.unwritten.extend_from_slice(format!("#TS:{second}\r\n").as_bytes());
        }
    }

    fn size(&self) -> u64 {
        self.earlier_bytes + self.current.as_ref().map_or(0, |current| current.len)
    }

    /// The next increment, to be written from now on.
    fn cut(&mut self) -> Result<(), String> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut manifest = self.manifest.clone();
        let name = manifest.begin_increment(&self.names.base);
        let file = folder.open_new(&name)?;
        folder.write_manifest(&manifest)?;
        self.manifest = manifest;
        self.earlier_bytes = self.size();
        self.last_stamp_s = 0;
        // What the old file holds must last before anything in the new one counts as synced.
        if let Some(old) = self.current.replace(Current { file: Arc::new(file), len: 0 }) {
            self.syncer.begin(&old.file, self.written);
        }
        Ok(())
    }

    fn remove_history(&mut self) {
        let Some(folder) = &self.folder else { return };
        if self.keeps_history || self.manifest.history.is_empty() {
            return;
        }
        let gone = std::mem::take(&mut self.manifest.history);
        let gone: Vec<String> = gone.into_iter().map(|file| file.name).collect();
        folder.remove_later(&gone);
        if let Err(why) = folder.write_manifest(&self.manifest) {
            tracing::warn!("{why}");
        }
    }
}

impl LogFiles for Log {
    fn parts(&mut self) -> Result<Vec<LogPart>, String> {
        let folder = Folder::new(&self.names)?;
        let manifest = match folder.adopt_single_file()? {
            Some(manifest) => Some(manifest),
            None => folder.read_manifest()?,
        };
        let manifest = manifest.unwrap_or_default();
        let mut parts = Vec::new();
        for file in manifest.files() {
            parts.push(folder.part(&file.name)?);
        }
        if let Some(last) = parts.last_mut() {
            last.is_last = true;
        }
        Ok(parts)
    }

    fn read(&mut self, part: &LogPart, from: u64) -> Result<Box<dyn Read>, String> {
        let opened = File::open(&part.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(from))?;
            Ok(Box::new(file) as Box<dyn Read>)
        });
        opened.map_err(|error| folder::cannot_open(&part.name, &error))
    }

    fn open(&mut self, last_size: Option<u64>, base: BaseJob) -> Result<(), String> {
        let folder = Folder::new(&self.names)?;
        folder.create()?;
        let mut manifest = folder.read_manifest()?.unwrap_or_default();
        if let (Some(size), Some(last)) = (last_size, manifest.files().last()) {
            folder.truncate(&last.name, size)?;
        }
        if manifest.files().next().is_none() {
            // Without a base nobody could tell an empty log from a lost one.
            let name = manifest.next_base_name(&self.names.base, base.options.is_some());
            tracing::info!("Creating AOF base file {name} on server start");
            rewriter::write(&base, &folder.temporary_base())?;
            folder.rename(&Folder::temporary_base_name(), &name)?;
            manifest.replace_base(name, 0);
        }
        let last = manifest.increments.last().map(|file| file.name.clone());
        let file = if let Some(name) = last {
            folder.open(&name)?
        } else {
            let name = manifest.begin_increment(&self.names.base);
            tracing::info!("Creating AOF incr file {name} on server start");
            folder.open_new(&name)?
        };
        folder.write_manifest(&manifest)?;
        let len = file.metadata().map_err(|error| reason(&error))?.len();
        let all: u64 = manifest.files().filter_map(|file| folder.size_of(&file.name)).sum();
        self.earlier_bytes = all.saturating_sub(len);
        self.base_size = all;
        self.current = Some(Current { file: Arc::new(file), len });
        (self.manifest, self.folder, self.is_listed) = (manifest, Some(folder), true);
        self.remove_history();
        Ok(())
    }

    fn write(&mut self, changes: &mut Vec<u8>, turn: &LogTurn) {
        if turn.is_stamped {
            self.stamp(turn.now);
        }
        self.given += changes.len() as u64;
        if self.unwritten.is_empty() {
            // Nothing is copied, and the same few cache lines serve turn after turn.
            std::mem::swap(&mut self.unwritten, changes);
            self.append(turn, false);
            if self.unwritten.is_empty() {
                std::mem::swap(&mut self.unwritten, changes);
            }
        } else {
            self.unwritten.extend_from_slice(changes);
            self.append(turn, false);
        }
        self.sync(turn);
    }

    fn tick(&mut self, turn: &LogTurn) {
        self.append(turn, false);
        self.sync(turn);
    }

    fn settle(&mut self) -> bool {
        self.syncer.wait();
        self.append_now();
        let Some(current) = &self.current else { return true };
        match current.file.sync_data() {
            Ok(()) => self.syncer.note(self.written),
            Err(error) => {
                tracing::warn!("Fail to fsync the AOF file: {}", reason(&error));
                return false;
            }
        }
        self.unwritten.is_empty()
    }

    fn begin_base(&mut self, job: BaseJob) -> Result<(), String> {
        if self.is_listed {
            // Written, but synced in the background: up to a second's changes would take long.
            self.append_now();
            if !self.unwritten.is_empty() {
                return Err(self.failure.clone().unwrap_or_default());
            }
            self.cut()?;
        } else {
            self.begin_unlisted()?;
        }
        let Some(folder) = &self.folder else { return Err("no folder".to_owned()) };
        let cut = self.manifest.increment_sequence - u64::from(self.is_listed);
        let is_snapshot = job.options.is_some();
        let (path, progress) = (folder.temporary_base(), Arc::clone(&job.progress));
        let thread = rewriter::start(job, path, self.reports.clone())?;
        self.base = Some(Base { thread, progress, cut, is_snapshot });
        Ok(())
    }

    fn adopt_base(&mut self, report: &BaseReport) -> Result<(), String> {
        let is_known = |base: &mut Base| Arc::ptr_eq(&base.progress, &report.progress);
        let Some(base) = self.base.take_if(is_known) else { return Ok(()) };
        // It has said its last word.
        let _ = base.thread.join();
        let len = report.outcome.clone()?;
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut manifest = self.manifest.clone();
        let name = manifest.next_base_name(&self.names.base, base.is_snapshot);
        folder.rename(&Folder::temporary_base_name(), &name)?;
        manifest.replace_base(name, base.cut);
        if !self.is_listed {
            let increment = manifest.begin_increment(&self.names.base);
            folder.rename(&folder.temporary_increment(), &increment)?;
        }
        folder.write_manifest(&manifest)?;
        self.manifest = manifest;
        self.is_listed = true;
        self.earlier_bytes = len;
        self.base_size = self.size();
        self.remove_history();
        Ok(())
    }

    fn stop_base(&mut self) {
        if let Some(base) = self.base.take() {
            base.progress.stop();
            // Had it panicked, there would be a line in the log.
            let _ = base.thread.join();
            if let Some(folder) = &self.folder {
                folder.remove(&Folder::temporary_base_name());
            }
        }
    }

    fn close(&mut self) {
        self.settle();
        self.stop_base();
        self.syncer.wait();
        if let Some(folder) = self.folder.take()
            && !self.is_listed
        {
            tracing::info!("Removing the temp incr aof file");
            folder.remove(&folder.temporary_increment());
        }
        self.current = None;
        self.is_listed = false;
        self.unwritten.clear();
        self.failure = None;
    }

    fn figures(&self) -> LogFigures {
        // What callers gave is synced once everything written is; in between nobody asks.
        let is_all = self.unwritten.is_empty() && self.syncer.synced() >= self.written;
        LogFigures {
            size: self.size(),
            base_size: self.base_size,
            unwritten: self.unwritten.len(),
            pending_syncs: u64::from(self.syncer.is_busy()),
            delayed_syncs: self.delayed_syncs,
            failure: self.failure.clone(),
            synced: if is_all { self.given } else { 0 },
        }
    }

    fn slow_down(&mut self, micros: u64) {
        self.slowness_us = micros;
    }
}

impl Log {
    /// Has changes go to a file that becomes the first increment when there is a base. What an
    /// earlier try gathered is in the base.
    fn begin_unlisted(&mut self) -> Result<(), String> {
        let folder = Folder::new(&self.names)?;
        folder.create()?;
        self.manifest = folder.read_manifest()?.unwrap_or_default();
        let file = folder.open_new(&folder.temporary_increment())?;
        self.unwritten.clear();
        self.current = Some(Current { file: Arc::new(file), len: 0 });
        self.earlier_bytes = 0;
        self.folder = Some(folder);
        Ok(())
    }
}

/// Writes everything; on error also how much of it was written.
fn write_all(file: &File, bytes: &[u8]) -> Result<(), (std::io::Error, usize)> {
    let (mut file, mut wrote) = (file, 0);
    while wrote < bytes.len() {
        match file.write(&bytes[wrote..]) {
            Ok(0) => return Err((std::io::ErrorKind::WriteZero.into(), wrote)),
            Ok(count) => wrote += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err((error, wrote)),
        }
    }
    Ok(())
}
