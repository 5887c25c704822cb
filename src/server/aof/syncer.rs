//! Syncing by a thread, so that the engine's need not wait for the disk.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use crate::server::config_files::reason;

/// What both threads see.
#[derive(Debug, Default)]
struct State {
    /// Syncs that are under way or wait their turn.
    pending: AtomicUsize,
    synced: AtomicU64,
    /// Number of the error by which the latest sync failed; 0 if it didn't.
    failure: AtomicI32,
}

/// A thread that syncs; it starts with the first task and ends with this.
#[derive(Debug, Default)]
pub(super) struct Syncer {
    state: Arc<State>,
    tasks: Option<Sender<(Arc<File>, u64)>>,
}

impl Syncer {
    /// Has a file synced that, with those before it, holds everything up to so many bytes. One sync
    /// follows the other.
    pub(super) fn begin(&mut self, file: &Arc<File>, upto: u64) {
        self.state.pending.fetch_add(1, Ordering::AcqRel);
        let tasks = self.tasks.take().or_else(|| self.start());
        match tasks {
            Some(tasks) if tasks.send((Arc::clone(file), upto)).is_ok() => {
                self.tasks = Some(tasks);
            }
            // Without a thread it is done here.
            _ => self.state.sync(file, upto),
        }
    }

    /// Whether a sync is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.state.pending.load(Ordering::Acquire) > 0
    }

    /// Waits until none is.
    pub(super) fn wait(&self) {
        while self.is_busy() {
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// Up to how many bytes everything is on disk.
    pub(super) fn synced(&self) -> u64 {
        self.state.synced.load(Ordering::Acquire)
    }

    /// Everything up to so many bytes is on disk.
    pub(super) fn note(&self, upto: u64) {
        self.state.synced.fetch_max(upto, Ordering::AcqRel);
        self.state.failure.store(0, Ordering::Release);
    }

    /// Why the latest sync failed, if it did.
    pub(super) fn failure(&self) -> Option<String> {
        match self.state.failure.load(Ordering::Acquire) {
            0 => None,
            number => Some(reason(&io::Error::from_raw_os_error(number))),
        }
    }

    fn start(&self) -> Option<Sender<(Arc<File>, u64)>> {
        let (sender, receiver) = channel::<(Arc<File>, u64)>();
        let state = Arc::clone(&self.state);
        let work = move || {
            for (file, upto) in receiver {
                state.sync(&file, upto);
            }
        };
        thread::Builder::new().name("sync".into()).spawn(work).ok().map(|_| sender)
    }
}

impl State {
    fn sync(&self, file: &File, upto: u64) {
        match file.sync_data() {
            Ok(()) => {
                self.synced.fetch_max(upto, Ordering::AcqRel);
                self.failure.store(0, Ordering::Release);
            }
            Err(error) => {
                tracing::warn!("Fail to fsync the AOF file: {}", reason(&error));
                let number = error.raw_os_error().unwrap_or(libc::EIO);
                self.failure.store(number, Ordering::Release);
            }
        }
        self.pending.fetch_sub(1, Ordering::AcqRel);
    }
}
