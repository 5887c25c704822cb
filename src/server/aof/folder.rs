//! The folder of the log: names, the manifest, what an older server left.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::thread;

use crate::config::Config;
use crate::engine::append::files::LogPart;
use crate::persistence::aof::manifest::{self, Kind, Manifest};
use crate::server::config_files::reason;

/// What the directives say.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// `appenddirname`.
    pub dir: String,
    /// `appendfilename`.
    pub base: String,
}

impl Names {
    /// Of these directives.
    pub(super) fn of(config: &Config) -> Self {
        Self { dir: config.appenddirname.clone(), base: config.appendfilename.clone() }
    }
}

/// See the head of the file.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    /// Absolute: the working directory may change.
    path: PathBuf,
    names: Names,
}

impl Folder {
    /// The one in the working directory.
    pub(super) fn new(names: &Names) -> Result<Self, String> {
        let path = std::path::absolute(&names.dir)
            .map_err(|error| format!("Can't find the working directory: {}", reason(&error)))?;
        Ok(Self { path, names: names.clone() })
    }

    /// Makes it, unless it is there.
    pub(super) fn create(&self) -> Result<(), String> {
        match fs::create_dir(&self.path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(format!(
                "Can't open or create append-only dir {}: {}",
                self.names.dir,
                reason(&error)
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The name of a base that is being written.
    pub(super) fn temporary_base_name() -> String {
        format!("temp-rewriteaof-bg-{}.aof", std::process::id())
    }

    /// Its path.
    pub(super) fn temporary_base(&self) -> PathBuf {
        self.path_of(&Self::temporary_base_name())
    }

    /// The name of an increment whose base is being written.
    pub(super) fn temporary_increment(&self) -> String {
        format!("temp-{}.incr", self.names.base)
    }

    fn manifest_name(&self) -> String {
        format!("{}.manifest", self.names.base)
    }

    /// What the manifest says; `None` when there is no log.
    pub(super) fn read_manifest(&self) -> Result<Option<Manifest>, String> {
        let path = self.path_of(&self.manifest_name());
        match fs::read(&path) {
            Ok(text) => Manifest::parse(&text).map(Some).map_err(|error| {
                format!(
                    "\n*** FATAL AOF MANIFEST FILE ERROR ***\nReading the manifest file, at line {}\n>>> '{}'\n{error}",
                    error.line, error.text
                )
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => match self.stray() {
                None => Ok(None),
                Some(name) => Err(format!(
                    "The AOF manifest {} is missing, but {name} is there beside it. Starting \
                     without it would lose its data: restore the manifest, or move the files away.",
                    path.display()
                )),
            },
            Err(error) => Err(format!(
                "Fatal error: can't open the AOF manifest file {} for reading: {}",
                self.manifest_name(),
                reason(&error)
            )),
        }
    }

    /// A file of a log without a manifest.
    fn stray(&self) -> Option<String> {
        let start = format!("{}.", self.names.base);
        let entries = fs::read_dir(&self.path).ok()?;
        let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.find(|name| {
            let Some(rest) = name.strip_prefix(&start) else { return false };
            [".base.rdb", ".base.aof", ".incr.aof"].iter().any(|end| rest.ends_with(end))
        })
    }

    /// Replaces the manifest; afterwards it and all names in the folder last.
    pub(super) fn write_manifest(&self, manifest: &Manifest) -> Result<(), String> {
        let temporary = self.path_of(&format!("temp-{}", self.manifest_name()));
        let path = self.path_of(&self.manifest_name());
        let written = write_synced(&temporary, manifest.text().as_bytes())
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| self.sync());
        written.map_err(|error| format!("Can't write {}: {}", path.display(), reason(&error)))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Opens a file for appending that was not there before.
    pub(super) fn open_new(&self, name: &str) -> Result<File, String> {
        let path = self.path_of(name);
        let opened = OpenOptions::new().append(true).create(true).open(&path).and_then(|file| {
            // What a killed process left under the name is not part of any log.
            file.set_len(0)?;
            Ok(file)
        });
        opened
            .map_err(|error| format!("Can't open the append-only file {name}: {}", reason(&error)))
    }

    /// Opens a file for appending.
    pub(super) fn open(&self, name: &str) -> Result<File, String> {
        let opened = OpenOptions::new().append(true).create(true).open(self.path_of(name));
        opened
            .map_err(|error| format!("Can't open the append-only file {name}: {}", reason(&error)))
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), String> {
        let renamed = fs::rename(self.path_of(from), self.path_of(to));
        renamed.map_err(|error| {
            format!(
                "Error trying to rename the temporary AOF file {from} into {to}: {}",
                reason(&error)
            )
        })
    }

    /// A file that is to be loaded.
    pub(super) fn part(&self, name: &str) -> Result<LogPart, String> {
        let path = self.path_of(name);
        let failed = |error: io::Error| cannot_open(name, &error);
        let mut file = File::open(&path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut magic = Vec::new();
        (&mut file).take(5).read_to_end(&mut magic).map_err(failed)?;
        Ok(LogPart {
            name: name.to_owned(),
            path: path.to_string_lossy().into_owned(),
            size,
            has_snapshot: magic == b"REDIS" || magic == b"VALKE",
            is_last: false,
        })
    }

    /// Bytes of a file.
    pub(super) fn size_of(&self, name: &str) -> Option<u64> {
        fs::metadata(self.path_of(name)).ok().map(|facts| facts.len())
    }

    /// Cuts a file's end off.
    pub(super) fn truncate(&self, name: &str, size: u64) -> Result<(), String> {
        let file = OpenOptions::new().write(true).open(self.path_of(name));
        let cut = file.and_then(|file| {
            file.set_len(size)?;
            file.sync_all()
        });
        cut.map_err(|error| format!("Error truncating the AOF file {name}: {}", reason(&error)))
    }

    /// Removes a file that may not be there.
    pub(super) fn remove(&self, name: &str) {
        // The next start or rewrite tries again what is still there.
        let _ = fs::remove_file(self.path_of(name));
    }

    /// Removes files by a thread: large ones take their time.
    pub(super) fn remove_later(&self, names: &[String]) {
        let paths: Vec<PathBuf> = names.iter().map(|name| self.path_of(name)).collect();
        let work = move || {
            for path in paths {
                // The next start or rewrite tries again what is still there.
                let _ = fs::remove_file(path);
            }
        };
        // Without a thread they stay until then.
        let _ = thread::Builder::new().name("remove".into()).spawn(work);
    }

    /// Takes over the single file of a server before version 7, if there is one and no log.
    /// Whether it did.
    pub(super) fn adopt_single_file(&self) -> Result<Option<Manifest>, String> {
        let single = Path::new(&self.names.base);
        if !single.is_file() {
            return Ok(None);
        }
        let known = match self.read_manifest() {
            Ok(Some(manifest)) => manifest,
            Ok(None) => Manifest::default(),
            Err(why) => return Err(why),
        };
        let names_only_it = known.increments.is_empty()
            && known.base.as_ref().is_some_and(|base| base.name == self.names.base)
            && !self.path_of(&self.names.base).exists();
        if known != Manifest::default() && !names_only_it {
            return Ok(None);
        }
        self.create()?;
        let base = manifest::File { name: self.names.base.clone(), sequence: 1, kind: Kind::Base };
        let manifest = Manifest { base: Some(base), base_sequence: 1, ..Manifest::default() };
        self.write_manifest(&manifest)?;
        fs::rename(single, self.path_of(&self.names.base)).map_err(|error| {
            format!(
                "Error trying to move the old AOF file {} into dir {}: {}",
                self.names.base,
                self.names.dir,
                reason(&error)
            )
        })?;
        self.sync().map_err(|error| reason(&error))?;
        tracing::info!(
            "Successfully migrated an old-style AOF configuration ({}) into the AOF directory ({}).",
            self.names.base,
            self.names.dir
        );
        Ok(Some(manifest))
    }
}

/// What is said of a file that can't be loaded.
pub(super) fn cannot_open(name: &str, error: &io::Error) -> String {
    let why = reason(error);
    format!("Fatal error: can't open the append log file {name} for reading: {why}")
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
