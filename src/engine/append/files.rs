//! What the engine asks of the log's files.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::base::time::Now;
use crate::config::choices::AppendFsync;
use crate::keyspace::snapshot::KeyspaceSnapshot;
use crate::persistence::rdb::SaveOptions;

/// How a turn's changes are written.
#[derive(Clone, Copy, Debug)]
pub struct LogTurn {
    /// The turn's reading of the clocks.
    pub now: Now,
    /// `appendfsync`.
    pub policy: AppendFsync,
    /// `aof-timestamp-enabled`.
    pub is_stamped: bool,
    /// Don't sync: the disk is busy with something larger, and `no-appendfsync-on-rewrite` is set.
    pub spares_disk: bool,
}

/// A new base that is to be written.
#[derive(Debug)]
pub struct BaseJob {
    /// The data.
    pub snapshot: KeyspaceSnapshot,
    /// Texts of the libraries of functions.
    pub libraries: Vec<Vec<u8>>,
    /// What the file tells beside the data.
    pub aux: Vec<(&'static str, String)>,
    /// How a snapshot is written; `None`: as commands.
    pub options: Option<SaveOptions>,
    /// Second that is noted at the front of commands, if any.
    pub stamp_s: Option<i64>,
    /// Sync piece by piece.
    pub syncs_piecewise: bool,
    /// Microseconds to wait per key; negative: so many keys per microsecond of waiting.
    pub key_delay: i32,
    /// How far it has come.
    pub progress: Arc<BaseProgress>,
}

/// What both sides see of a base that is being written.
#[derive(Debug, Default)]
pub struct BaseProgress {
    keys: AtomicU64,
    is_stopped: AtomicBool,
}

impl BaseProgress {
    /// So many keys are written; whether to go on.
    pub fn reach(&self, keys: u64) -> bool {
        self.keys.store(keys, Relaxed);
        !self.is_stopped.load(Relaxed)
    }

    /// How many keys are written.
    pub fn keys(&self) -> u64 {
        self.keys.load(Relaxed)
    }

    /// The file is not wanted any more.
    pub fn stop(&self) {
        self.is_stopped.store(true, Relaxed);
    }

    /// Whether it is not wanted any more.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Relaxed)
    }
}

/// A base has been written beside the log, or not.
#[derive(Debug)]
pub struct BaseReport {
    /// Which one.
    pub progress: Arc<BaseProgress>,
    /// Its length, or why there is none.
    pub outcome: Result<u64, String>,
}

/// Figures of the log.
#[derive(Clone, Debug, Default)]
pub struct LogFigures {
    /// Bytes of the base and all increments.
    pub size: u64,
    /// Bytes when the base was new, or at the start.
    pub base_size: u64,
    /// Bytes gathered but not written.
    pub unwritten: usize,
    /// Syncs that are under way.
    pub pending_syncs: u64,
    /// Times that writing could not wait for a sync any longer.
    pub delayed_syncs: u64,
    /// Why the latest write or sync failed, if it did.
    pub failure: Option<String>,
    /// Bytes of changes, counted as [`LogFiles::write`] was given them, that are on disk.
    pub synced: u64,
}

/// A file of the log that is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPart {
    /// Its name.
    pub name: String,
    /// Its absolute path.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Whether it begins with a snapshot.
    pub has_snapshot: bool,
    /// Whether nothing comes behind it.
    pub is_last: bool,
}

/// The files of the log.
pub trait LogFiles {
    /// What is to be loaded, in order; nothing without a log. An older server's single file is
    /// taken over.
    fn parts(&mut self) -> Result<Vec<LogPart>, String>;
    /// Begins to read a part behind so many bytes.
    fn read(&mut self, part: &LogPart, from: u64) -> Result<Box<dyn Read>, String>;
    /// The log has been loaded: changes go to its end from now on. The last part is cut to
    /// `last_size` bytes, if that is given. A log that is not there begins with `base`.
    fn open(&mut self, last_size: Option<u64>, base: BaseJob) -> Result<(), String>;
    /// Writes changes at the end, and syncs them as the policy demands. What can't be written now
    /// is kept and written later. The buffer may come back as another one, whatever is in it.
    fn write(&mut self, changes: &mut Vec<u8>, turn: &LogTurn);
    /// What is to be done from time to time: a sync every second, another try.
    fn tick(&mut self, turn: &LogTurn);
    /// Writes and syncs everything, whatever the policy; whether that was possible.
    fn settle(&mut self) -> bool;
    /// From here on changes go to another file, behind a base that is written in the background.
    /// A log that is off begins so.
    fn begin_base(&mut self, job: BaseJob) -> Result<(), String>;
    /// The base has been written: it takes the place of what stands before the cut.
    fn adopt_base(&mut self, report: &BaseReport) -> Result<(), String>;
    /// Stops the base that is being written, if there is one, and waits until nothing is left.
    fn stop_base(&mut self);
    /// Settles the log and lets go of it.
    fn close(&mut self);
    /// Figures.
    fn figures(&self) -> LogFigures;
    /// Stands still before every write for so many microseconds (DEBUG AOF-FLUSH-SLEEP).
    fn slow_down(&mut self, micros: u64);
}
