//! A new base, written by a thread of its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::engine::append::files::{BaseJob, BaseReport};
use crate::persistence::aof::encode;
use crate::persistence::rdb::{self, Facts};
use crate::server::config_files::reason;
use crate::server::pace::Pace;
use crate::server::process;

/// Bytes between two syncs of a file that is synced piece by piece.
const PIECE_BYTES: usize = 4 * 1024 * 1024;
/// Longest sleep before looking whether the file is still wanted.
const NAP: Duration = Duration::from_millis(5);

/// Begins to write a base to `path`; a report tells what became of it.
pub(super) fn start(
    job: BaseJob,
    path: PathBuf,
    reports: UnboundedSender<BaseReport>,
) -> Result<JoinHandle<()>, String> {
    let progress = Arc::clone(&job.progress);
    let work = move || {
        process::be_nice(process::BACKGROUND);
        let _pace = Pace::begin();
        let outcome = write(&job, &path);
        drop(job);
        if outcome.is_err() {
            // It may not have come to be; the error that counts is the first one.
            let _ = fs::remove_file(&path);
        }
        // Without a receiver the server is gone.
        let _ = reports.send(BaseReport { progress, outcome });
    };
    let thread = thread::Builder::new().name("rewrite".into()).spawn(work);
    thread.map_err(|error| format!("Can't start a thread: {}", reason(&error)))
}

/// Writes a base and syncs it; says how long it is.
pub(super) fn write(job: &BaseJob, path: &Path) -> Result<u64, String> {
    let failed = |error: io::Error| format!("Error writing {}: {}", path.display(), reason(&error));
    let file = File::create(path).map_err(failed)?;
    let mut file = Piecewise { file, unsynced: 0, syncs: job.syncs_piecewise };
    let mut reached = 0;
    let mut progress = |keys: u64| {
        slow_down(job, reached, keys);
        reached = keys;
        job.progress.reach(keys)
    };
    let written = match &job.options {
        Some(options) => {
            let facts = Facts { aux: job.aux.clone(), libraries: job.libraries.clone() };
            rdb::save(&job.snapshot, &facts, options, &mut file, &mut progress)
                .map(|saved| saved.bytes)
                .map_err(|error| error.to_string())
        }
        None => encode::write(&job.snapshot, &job.libraries, job.stamp_s, &mut file, &mut progress)
            .map_err(|error| error.to_string()),
    };
    let written = written?;
    file.file.sync_all().map_err(failed)?;
    Ok(written)
}

/// Waits as a test asks for it.
fn slow_down(job: &BaseJob, from: u64, to: u64) {
    if job.key_delay == 0 {
        return;
    }
    let per_key = u64::from(job.key_delay.unsigned_abs());
    let micros = if job.key_delay > 0 { (to - from) * per_key } else { (to - from) / per_key };
    let mut left = Duration::from_micros(micros);
    while !left.is_zero() && !job.progress.is_stopped() {
        let piece = left.min(NAP);
        thread::sleep(piece);
        left -= piece;
    }
}

/// A file that is synced now and then while it is written.
struct Piecewise {
    file: File,
    unsynced: usize,
    syncs: bool,
}

impl Write for Piecewise {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.unsynced += count;
        if self.syncs && self.unsynced >= PIECE_BYTES {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
