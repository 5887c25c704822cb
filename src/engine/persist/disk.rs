//! What the engine asks of the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::base::time::UnixMillis;
use crate::command::context::EncodingLimits;
use crate::keyspace::DbIndex;
use crate::keyspace::load::{LoadedKey, Maker};
use crate::keyspace::snapshot::KeyspaceSnapshot;
use crate::persistence::rdb::Versions;
use crate::structures::access_clock::AccessPolicy;

/// A snapshot that is to become a file.
#[derive(Debug)]
pub struct SaveJob {
    /// The data.
    pub snapshot: KeyspaceSnapshot,
    /// Texts of the libraries of functions.
    pub libraries: Vec<Vec<u8>>,
    /// What the file tells beside the data.
    pub aux: Vec<(&'static str, String)>,
    /// The file, which is replaced once the new one is complete and synced.
    pub path: String,
    /// The file is a backup: its folder is made, and has to be empty. Once it is complete, this and
    /// the checksum are written beside it.
    pub manifest: Option<String>,
    /// How it is written.
    pub style: SaveStyle,
    /// How far it has come, and whether it is to stop.
    pub progress: Arc<Progress>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct SaveStyle {
    /// `rdbcompression`.
    pub compresses: bool,
    /// `rdbchecksum`.
    pub checksums: bool,
    /// `rdb-compat-version`, as the format counts.
    pub version: u32,
    /// Sync piece by piece, so that the end does not keep the disk busy all at once.
    pub syncs_piecewise: bool,
    /// Microseconds to wait per key; negative: so many keys per microsecond of waiting.
    pub key_delay: i32,
    /// What the keys' access clocks tell, when eviction goes by it.
    pub access: Option<AccessPolicy>,
}

/// What both sides of a save in the background see of it.
#[derive(Debug, Default)]
pub struct Progress {
    keys: AtomicU64,
    is_stopped: AtomicBool,
}

impl Progress {
    /// So many keys are written.
    pub fn reach(&self, keys: u64) {
        self.keys.store(keys, Relaxed);
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

/// What a save did: the length of the file in bytes, or why there is none.
pub type SaveOutcome = Result<u64, String>;

/// A save in the background has ended.
#[derive(Debug)]
pub struct SaveReport {
    /// Which one.
    pub progress: Arc<Progress>,
    /// What it did.
    pub outcome: SaveOutcome,
}

/// A file that is to be loaded.
#[derive(Debug)]
pub struct LoadJob {
    /// The file.
    pub path: String,
    /// For what is inside values.
    pub values: Maker,
    /// For the keys.
    pub keys: Maker,
    /// How it is read.
    pub style: LoadStyle,
}

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct LoadStyle {
    /// The moment of reading.
    pub now: UnixMillis,
    /// The moment at which keys count as expired and stay away; `None` takes them all.
    pub expires_at: Option<UnixMillis>,
    /// `rdbchecksum`: compare the checksum.
    pub checksums: bool,
    /// `rdb-version-check`: which versions are read.
    pub versions: Versions,
    /// How accesses are recorded.
    pub access: AccessPolicy,
    /// `key-load-delay`, as [`SaveStyle::key_delay`].
    pub key_delay: i32,
    /// Bytes of a portion at most, about.
    pub portion_bytes: u64,
    /// When collections change their encoding.
    pub encodings: EncodingLimits,
}

/// A piece of a file that is being loaded.
#[derive(Debug)]
pub enum Portion {
    /// What it tells beside the data.
    Aux(String, String),
    /// A library of functions.
    Library(Vec<u8>),
    /// Keys.
    Keys {
        /// In the order of the file, with their databases.
        keys: Vec<(DbIndex, LoadedKey)>,
        /// Keys that were left out because their time was over, since the last portion.
        expired: u64,
        /// How far the file is read.
        bytes: u64,
    },
    /// Nothing more comes: how many keys were left out as their values have no elements, or what
    /// is wrong with the file and where.
    End(Result<u64, String>),
}

/// A file while it is being read by another thread.
pub trait Feed: std::fmt::Debug {
    /// The next piece; waits for it.
    fn next(&mut self) -> Portion;
    /// The next piece, if it is there.
    fn try_next(&mut self) -> Option<Portion>;
    /// Bytes of the whole file.
    fn total_bytes(&self) -> u64;
}

/// Files in the working directory.
pub trait Disk {
    /// Writes a snapshot in the background; a [`SaveReport`] tells what became of it.
    fn save_later(&mut self, job: SaveJob) -> Result<(), String>;
    /// Writes a snapshot, and waits for it.
    fn save_now(&mut self, job: SaveJob) -> SaveOutcome;
    /// Stops what is written in the background, and waits until nothing is left of it.
    fn stop_saving(&mut self);
    /// Begins to read a file; `None` without one.
    fn load(&mut self, job: LoadJob) -> Result<Option<Box<dyn Feed>>, String>;
}
