//! Snapshots to files: by a thread, or by a thread that the engine's waits for.
//!
//! A file is written beside the one it replaces, synced, and renamed; then the folder is synced. So
//! whatever happens on the way, the previous file is whole. What a killed process leaves behind is
//! locked by nobody, and the next start removes it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc::UnboundedSender;

use crate::engine::persist::disk::{
    Disk, Feed, LoadJob, Progress, SaveJob, SaveOutcome, SaveReport,
};
use crate::persistence::rdb::{self, Facts, SaveError, SaveOptions};

use super::config_files::{self, reason};
use super::spool::Spool;
use super::{loader, pace, process};

/// Bytes read at once to know the checksum of a backup.
const BUFFER_BYTES: usize = 256 * 1024;
/// Longest sleep before looking whether the save is still wanted.
const NAP: Duration = Duration::from_millis(5);
/// What comes back from threads that work on files.
#[derive(Debug)]
pub(super) enum Report {
    /// A save in the background has ended.
    Saved(SaveReport),
}

/// See [`Disk`].
#[derive(Debug)]
pub(super) struct Saver {
    reports: UnboundedSender<Report>,
    /// The thread of the save in the background, and what stops it.
    background: Option<(JoinHandle<()>, Arc<Progress>)>,
    /// Distinguishes files that are written at the same time.
    serial: u64,
}

impl Saver {
    pub(super) fn new(reports: UnboundedSender<Report>) -> Self {
        Self { reports, background: None, serial: 0 }
    }

    /// A path beside that of `job`, which becomes absolute: the working directory may change. While
    /// everybody waits there is only one, whose name is Redis's.
    fn place(job: &mut SaveJob, serial: Option<u64>) -> PathBuf {
        let pid = std::process::id();
        let name = match serial {
            None => format!("temp-{pid}.rdb"),
            Some(serial) => format!("temp-{pid}-{serial}.rdb"),
        };
        if let Ok(path) = std::path::absolute(&job.path) {
            let beside = path.with_file_name(&name);
            job.path = path.to_string_lossy().into_owned();
            return beside;
        }
        PathBuf::from(name)
    }
}

impl Disk for Saver {
    fn save_later(&mut self, mut job: SaveJob) -> Result<(), String> {
        let (reports, progress) = (self.reports.clone(), Arc::clone(&job.progress));
        self.serial += 1;
        let temporary = Self::place(&mut job, Some(self.serial));
        let known = Arc::clone(&progress);
        let is_backup = job.manifest.is_some();
        if is_backup {
            make_folder_of(Path::new(&job.path))?;
        }
        let work = move || {
            process::be_nice(process::BACKGROUND);
            let _pace = pace::Pace::begin();
            let outcome = write(&job, &temporary);
            // The snapshot goes first, so that what it held back can be freed.
            drop(job);
            // Without a receiver the server is gone.
            let _ = reports.send(Report::Saved(SaveReport { progress, outcome }));
        };
        let thread = thread::Builder::new().name("bgsave".into()).spawn(work);
        let thread = thread.map_err(|error| reason(&error))?;
        if !is_backup {
            self.background = Some((thread, known));
        }
        Ok(())
    }

    fn save_now(&mut self, mut job: SaveJob) -> SaveOutcome {
        let temporary = Self::place(&mut job, None);
        write(&job, &temporary)
    }

    fn stop_saving(&mut self) {
        if let Some((thread, progress)) = self.background.take() {
            progress.stop();
            // Had it panicked, there would be a line in the log.
            let _ = thread.join();
        }
    }

    fn load(&mut self, job: LoadJob) -> Result<Option<Box<dyn Feed>>, String> {
        let feed = loader::Loader::start(job)?;
        Ok(feed.map(|feed| Box::new(feed) as Box<dyn Feed>))
    }
}

/// Writes a job's file.
fn write(job: &SaveJob, temporary: &Path) -> SaveOutcome {
    let written = write_beside(job, temporary);
    let replaced = written.and_then(|bytes| {
        let path = Path::new(&job.path);
        fs::rename(temporary, path).map_err(|error| {
            let (from, to) = (temporary.display(), &job.path);
            format!("Error moving temp DB file {from} on the final destination {to}: {error}")
        })?;
        if let Some(manifest) = &job.manifest {
            write_manifest(path, manifest, bytes)
                .map_err(|error| format!("Can't write the manifest: {error}"))?;
        }
        sync_folder_of(path).map_err(|error| format!("Can't sync the folder: {error}"))?;
        Ok(bytes)
    });
    if replaced.is_err() {
        // It may not have come to be; the error that counts is the first one.
        let _ = fs::remove_file(temporary);
    }
    replaced
}

fn write_beside(job: &SaveJob, temporary: &Path) -> SaveOutcome {
    let file = File::create(temporary).map_err(|error| {
        let dir = std::env::current_dir().unwrap_or_default();
        format!(
            "Failed opening the temp RDB file {} (in server root dir {}) for saving: {error}",
            temporary.display(),
            dir.display()
        )
    })?;
    // Tells the next start that somebody still writes it. Some file systems know no locks.
    let _ = process::try_lock(&file);
    let failed = |error: io::Error| format!("Write error while saving DB to the disk: {error}");
    let mut spool = Spool::start(file, job.style.syncs_piecewise).map_err(failed)?;
    let options = SaveOptions {
        compresses: job.style.compresses,
        checksums: job.style.checksums,
        version: job.style.version,
        access: job.style.access,
    };
    let facts = Facts { aux: job.aux.clone(), libraries: job.libraries.clone() };
    let mut pace = Pace { progress: &job.progress, delay: job.style.key_delay, keys: 0 };
    let mut progress = |keys| pace.reach(keys);
    let saved = rdb::save(&job.snapshot, &facts, &options, &mut spool, &mut progress);
    let saved = saved.map_err(|error| match error {
        SaveError::Io(error) => failed(error),
        other => other.to_string(),
    })?;
    spool.finish().map_err(failed)?;
    Ok(saved.bytes)
}

/// Reports how far a save has come, and slows it down where a test asks for it.
struct Pace<'a> {
    progress: &'a Progress,
    delay: i32,
    keys: u64,
}

impl Pace<'_> {
    /// Whether to go on.
    fn reach(&mut self, keys: u64) -> bool {
        while self.delay != 0 && self.keys < keys && !self.progress.is_stopped() {
            self.keys += 1;
            let micros = match self.delay {
                delay if delay > 0 => u64::from(delay.unsigned_abs()),
                delay => u64::from(self.keys.is_multiple_of(u64::from(delay.unsigned_abs()))),
            };
            nap(Duration::from_micros(micros), || self.progress.is_stopped());
            self.progress.reach(self.keys);
        }
        self.keys = keys;
        self.progress.reach(keys);
        !self.progress.is_stopped()
    }
}

/// Sleeps, but not much longer than until `is_over`.
pub(super) fn nap(time: Duration, is_over: impl Fn() -> bool) {
    let mut left = time;
    while !left.is_zero() && !is_over() {
        let piece = left.min(NAP);
        thread::sleep(piece);
        left -= piece;
    }
}

/// Makes the folder of a backup, which nothing else may be in.
fn make_folder_of(path: &Path) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| reason(&error))?;
    let mut entries = fs::read_dir(folder).map_err(|error| reason(&error))?;
    if entries.next().is_some() { Err("the folder isn't empty".into()) } else { Ok(()) }
}

/// Writes the manifest beside a complete backup: after it, all else is there.
fn write_manifest(path: &Path, head: &str, bytes: u64) -> io::Result<()> {
    let mut hasher = Sha256::new();
    let (mut file, mut buffer) = (File::open(path)?, vec![0; BUFFER_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    let digits = hex(&hasher.finalize());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = format!("{head}file {name}\nbytes {bytes}\nsha256 {digits}\n");
    config_files::replace(&path.with_file_name("backup.manifest"), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.map(|half| char::from(DIGITS[usize::from(half)])).collect()
}

/// Makes the names in the folder of `path` last, as far as that can be asked for: some file systems
/// sync no folders, and one may write to a folder that one may not read.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
    synced.or_else(|error| match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::PermissionDenied, _) | (_, Some(libc::EBADF | libc::EINVAL)) => Ok(()),
        _ => Err(error),
    })
}

/// Removes what killed processes have left in the working directory.
pub(super) fn remove_leftovers() {
    remove_temporaries(|name, pid| {
        let is_gone = pid == std::process::id() || !Path::new(&format!("/proc/{pid}")).exists();
        is_gone && File::open(name).is_ok_and(|file| process::try_lock(&file))
    });
}

/// Removes what this process was writing: it ends now.
pub(super) fn remove_own_temporaries() {
    remove_temporaries(|_, pid| pid == std::process::id());
}

fn remove_temporaries(is_useless: impl Fn(&str, u32) -> bool) {
    let Ok(entries) = fs::read_dir(".") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_useless = writer_of(name).is_some_and(|pid| is_useless(name, pid));
        if is_useless && fs::remove_file(name).is_ok() {
            tracing::warn!("Removed {name}, which a save that was cut short has left.");
        }
    }
}

/// The process that writes a file, if it is one of those that are renamed in the end:
/// `temp-<pid>.rdb` or `temp-<pid>-<serial>.rdb`.
fn writer_of(name: &str) -> Option<u32> {
    let middle = name.strip_prefix("temp-")?.strip_suffix(".rdb")?;
    let (pid, serial) = middle.split_once('-').unwrap_or((middle, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(pid) && is_number(serial) { pid.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_such_names_are_removed() {
        for (name, expected) in [
            ("temp-12-1.rdb", Some(12)),
            ("temp-12.rdb", Some(12)),
            ("temp-x-1.rdb", None),
            ("temp-12-.rdb", None),
            ("temp-12-1.rdb.bak", None),
            ("temp-99999999999-1.rdb", None),
            ("dump.rdb", None),
        ] {
            assert_eq!(writer_of(name), expected, "{name}");
        }
    }
}
