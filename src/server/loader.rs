//! Snapshot files read by a thread of their own, which makes whole keys of them.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::engine::persist::disk::{Feed, LoadJob, LoadStyle, Portion};
use crate::keyspace::DbIndex;
use crate::keyspace::load::{LoadedKey, Maker};
use crate::keyspace::write::PastUse;
use crate::persistence::rdb::decode::Limits;
use crate::persistence::rdb::{self, LoadOptions, ReadKey, Reason, Sink};
use crate::types::hash::Limits as HashLimits;
use crate::types::sorted_set::PackLimits;

use super::config_files::reason;

/// Portions that wait for the engine at most: some milliseconds of reading.
const PORTIONS_AHEAD: usize = 32;
/// Keys of a portion, about: a tenth of a millisecond for the engine.
const PORTION_KEYS: usize = 256;

/// A file while it is being read.
#[derive(Debug)]
pub(super) struct Loader {
    portions: Receiver<Portion>,
    total_bytes: u64,
}

impl Loader {
    /// Begins to read a job's file; `None` without one.
    pub(super) fn start(job: LoadJob) -> Result<Option<Self>, String> {
        let failed = |error: io::Error| {
            format!(
                "Fatal error: can't open the RDB file {} for reading: {}",
                job.path,
                reason(&error)
            )
        };
        let file = match File::open(&job.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let total_bytes = file.metadata().map_err(failed)?.len();
        let (sender, portions) = sync_channel(PORTIONS_AHEAD);
        let work = move || read(file, job, &sender);
        let thread = thread::Builder::new().name("load".into()).spawn(work);
        thread.map_err(|error| format!("Can't start a thread: {error}"))?;
        Ok(Some(Self { portions, total_bytes }))
    }
}

/// What a thread that has gone without a word leaves behind.
fn gone() -> Portion {
    Portion::End(Err("The thread that reads the file has ended unexpectedly".into()))
}

impl Feed for Loader {
    fn next(&mut self) -> Portion {
        self.portions.recv().unwrap_or_else(|_| gone())
    }

    fn try_next(&mut self) -> Option<Portion> {
        match self.portions.try_recv() {
            Ok(portion) => Some(portion),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(gone()),
        }
    }

    fn total_bytes(&self) -> u64 {
        self.total_bytes
    }
}

/// Reads a file to its end, or to where it is damaged.
fn read(file: File, job: LoadJob, portions: &SyncSender<Portion>) {
    let LoadJob { path, mut values, keys, style, .. } = job;
    let size = file.metadata().ok().map(|facts| facts.len());
    let encodings = &style.encodings;
    let limits = Limits {
        list: encodings.list_pack,
        set: encodings.set(),
        hash: HashLimits { entries: encodings.hash_pack_entries, bytes: encodings.hash_pack_value },
        sorted_set: PackLimits {
            entries: encodings.sorted_set_pack_entries,
            value: encodings.sorted_set_pack_value,
        },
    };
    let options = LoadOptions { limits, checks: style.checksums, versions: style.versions, size };
    let mut sorter = Sorter {
        portions,
        style,
        maker: keys,
        gathered: Vec::with_capacity(PORTION_KEYS),
        expired: 0,
        passed_on: 0,
        read: 0,
    };
    // It reads in large pieces by itself.
    let mut source = file;
    let outcome = rdb::load(&mut source, &options, values.epochs(), &mut sorter)
        .map_err(|error| match error.reason {
            // Words that tools look for.
            Reason::Checksum { .. } => format!("RDB CRC error, file {path}: {error}"),
            _ => format!("The RDB file {path} can't be loaded: {error}"),
        })
        .and_then(|loaded| sorter.pass_on(loaded.bytes).map(|()| loaded.empty));
    // Without a receiver nobody wants to know.
    let _ = portions.send(Portion::End(outcome));
}

/// Sorts what a file has into portions.
struct Sorter<'a> {
    portions: &'a SyncSender<Portion>,
    style: LoadStyle,
    maker: Maker,
    gathered: Vec<(DbIndex, LoadedKey)>,
    /// Keys left out since the last portion.
    expired: u64,
    /// Offset up to which everything was passed on.
    passed_on: u64,
    /// Keys read, for the delay that tests ask for.
    read: u64,
}

impl Sorter<'_> {
    fn send(&self, portion: Portion) -> Result<(), String> {
        self.portions.send(portion).map_err(|_| "nobody wants it any more".to_owned())
    }

    fn pass_on(&mut self, bytes: u64) -> Result<(), String> {
        self.passed_on = bytes;
        let keys = std::mem::replace(&mut self.gathered, Vec::with_capacity(PORTION_KEYS));
        let expired = std::mem::take(&mut self.expired);
        self.send(Portion::Keys { keys, expired, bytes })
    }

    #[cold]
    fn wait(&self) {
        let micros = match self.style.key_delay {
            delay if delay > 0 => u64::from(delay.unsigned_abs()),
            delay => u64::from(self.read.is_multiple_of(u64::from(delay.unsigned_abs()))),
        };
        thread::sleep(Duration::from_micros(micros));
    }
}

impl Sink for Sorter<'_> {
    fn aux(&mut self, name: &[u8], value: &[u8]) -> Result<(), String> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        self.send(Portion::Aux(text(name), text(value)))
    }

    fn library(&mut self, text: &[u8]) -> Result<(), String> {
        self.send(Portion::Library(text.to_vec()))
    }

    fn key(&mut self, key: ReadKey<'_>) -> Result<(), String> {
        self.read += 1;
        if self.style.key_delay != 0 {
            self.wait();
        }
        let is_over = |deadline| self.style.expires_at.is_some_and(|now| deadline < now);
        if key.deadline.is_some_and(is_over) {
            self.expired += 1;
            return Ok(());
        }
        let (policy, now) = (self.style.access, self.style.now);
        let clock = key.past.and_then(|past| match past {
            PastUse::Idle(seconds) => policy.idle_for(seconds, now),
            PastUse::Frequency(counter) => policy.used(counter, now),
        });
        let clock = clock.unwrap_or_else(|| policy.fresh(now));
        let made = self.maker.key(key.key, key.value, key.deadline, clock);
        self.gathered.push((key.db, made));
        if key.at.saturating_sub(self.passed_on) >= self.style.portion_bytes {
            self.pass_on(key.at)?;
        }
        Ok(())
    }

    fn empty_key(&mut self, key: &[u8]) {
        tracing::warn!("Loading RDB: skipping empty key: {}", key.escape_ascii());
    }

    fn progress(&mut self, bytes: u64) -> Result<(), String> {
        if self.gathered.len() >= PORTION_KEYS || self.expired > 0 {
            self.pass_on(bytes)?;
        }
        Ok(())
    }
}
