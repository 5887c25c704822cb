//! Files that a configuration names, and the file that CONFIG REWRITE replaces, on the real disk.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::base::glob::{self, Case};
use crate::config::file::Files;

/// The machine's files. Entering a directory changes the working directory of the process.
#[derive(Clone, Copy, Debug)]
pub struct DiskFiles;

impl Files for DiskFiles {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| reason(&error))
    }

    fn matching(&mut self, pattern: &str) -> Vec<String> {
        let start = if pattern.starts_with('/') { "/" } else { "" };
        let mut found = vec![PathBuf::from(start)];
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            found = found.iter().flat_map(|dir| step(dir, part)).collect();
        }
        found.sort();
        found.into_iter().filter_map(|path| path.to_str().map(str::to_owned)).collect()
    }

    fn enter(&mut self, dir: &str) -> Result<String, String> {
        std::env::set_current_dir(dir).map_err(|error| reason(&error))?;
        working_dir().map_err(|error| reason(&error))
    }
}

/// Replaces the contents of `path`, so that a crash leaves either the old or the new ones.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // What a link points to is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside: OsString = path.clone().into_os_string();
    beside.push(format!(".{}.tmp", std::process::id()));
    let written = write_like(&path, Path::new(&beside), text);
    let replaced = written.and_then(|()| fs::rename(&beside, &path));
    if replaced.is_err() {
        // The error that counts is the first one.
        let _leftover = fs::remove_file(&beside);
    }
    replaced?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes `text` to a new file with the permissions of `path`.
fn write_like(path: &Path, beside: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(beside)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text)?;
    file.sync_all()
}

/// The working directory.
pub fn working_dir() -> io::Result<String> {
    Ok(std::env::current_dir()?.to_string_lossy().into_owned())
}

/// What is in `dir` and called `part`, which may be a pattern.
fn step(dir: &Path, part: &str) -> Vec<PathBuf> {
    if glob::is_literal(part.as_bytes()) {
        let path = dir.join(part);
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let shown = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Ok(entries) = fs::read_dir(shown) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    // As in a shell, hidden files must be asked for.
    let names = names.filter(|name| part.starts_with('.') || !name.starts_with('.'));
    let names =
        names.filter(|name| glob::matches(part.as_bytes(), name.as_bytes(), Case::Sensitive));
    names.map(|name| dir.join(name)).collect()
}

/// What the operating system says, without the number that Rust adds.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn patterns_find_files_in_order() {
        let dir = std::env::temp_dir().join(format!("ochre-paths-{}", std::process::id()));
        fs::create_dir_all(dir.join("sub")).unwrap();
        for name in ["b.conf", "a.conf", ".c.conf", "d.txt", "sub/e.conf"] {
            fs::write(dir.join(name), "").unwrap();
        }
        let root = dir.to_str().unwrap();
        let find = |pattern: &str| -> Vec<String> {
            let found = DiskFiles.matching(&format!("{root}/{pattern}")).into_iter();
            found.map(|path| path.strip_prefix(root).unwrap().to_owned()).collect()
        };
        assert_eq!(find("*.conf"), ["/a.conf", "/b.conf"]);
        assert_eq!(find("s?b/[a-f]*"), ["/sub/e.conf"]);
        assert_eq!(find("nope/*"), [""; 0]);
        assert_eq!(DiskFiles.read("/nope").unwrap_err(), "No such file or directory");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_file_is_replaced_with_its_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = std::env::temp_dir().join(format!("ochre-replace-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (path, link) = (dir.join("a.conf"), dir.join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "nothing is left beside");
        assert!(replace(Path::new("/nope/a.conf"), b"").is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
