//! `redis-check-rdb FILE`, or `ochre-server check-rdb FILE`: says what is in a file, or what is
//! wrong with it and where. Exit code 0 if a server could load it, else 1.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::cli::{Outcome, version_of};
use super::clock::unix_ms;
use super::config_files::reason;
use crate::persistence::rdb::check::check;

/// Does what the words behind the name of the tool say.
pub(super) fn run(words: &[Vec<u8>]) -> Outcome {
    let [path] = words else {
        return Outcome::Fail("Usage: redis-check-rdb <rdb-file-name>\n".into());
    };
    if matches!(path.as_slice(), b"-v" | b"--version") {
        return Outcome::Print(version_of("redis-check-rdb"));
    }
    let path = Path::new(OsStr::from_bytes(path));
    let shown = path.display();
    let file = File::open(path).and_then(|file| {
        let size = file.metadata()?.len();
        Ok((file, size))
    });
    let (mut file, size) = match file {
        Ok(opened) => opened,
        Err(error) => {
            return Outcome::Fail(format!("Cannot open file {shown}: {}\n", reason(&error)));
        }
    };
    let report = check(&mut file, Some(size), unix_ms());
    let text = format!("[offset 0] Checking RDB file {shown}\n{}", report.text);
    if report.is_sound { Outcome::Print(text) } else { Outcome::Fail(text) }
}
