//! `redis-check-aof`: tells whether the files of a log are whole, and cuts off what isn't.
//!
//! Given a manifest it looks at everything the manifest names; given another file, at that file.
//! Only the end of the last file can be repaired without losing what comes behind.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::command::context::EncodingLimits;
use crate::engine::append::loading::limits_of;
use crate::keyspace::Keyspace;
use crate::persistence::aof::manifest::Manifest;
use crate::persistence::aof::reader::{Item, LogError, Reader, timestamp_of};
use crate::server::cli::version_of;
use crate::server::config_files::reason;

const USAGE: &str = "Usage: redis-check-aof [--fix|--truncate-to-timestamp $timestamp] \
                     <file.manifest|file.aof>\n";

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Check,
    Fix,
    /// Cut off what came after this second.
    CutAt(i64),
}

/// What a file is like.
#[derive(Debug, Default)]
pub(super) struct Findings {
    size: u64,
    /// Up to here everything is whole.
    pub(super) whole: u64,
    /// Lines up to there, counted from 1.
    line: u64,
    pub(super) problem: Option<String>,
    /// Where the first note of a later second stands.
    pub(super) later: Option<u64>,
    /// The second in which the snapshot at the front was made.
    pub(super) made: Option<i64>,
    /// The last second that is noted up to there.
    pub(super) stamp: Option<i64>,
    /// Commands up to there.
    pub(super) commands: u64,
}

/// Runs the tool with the words behind its name; what it says goes to `out`, answers come from
/// `answers`.
pub fn run(words: &[String], answers: &mut dyn BufRead, out: &mut dyn Write) -> ExitCode {
    match run_for(words, answers, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // Who closed the output does not want to read it.
            let _ = write!(out, "{why}");
            ExitCode::FAILURE
        }
    }
}

fn run_for(words: &[String], answers: &mut dyn BufRead, out: &mut dyn Write) -> Result<(), String> {
    let (aim, path) = match words {
        [word] if word == "-v" || word == "--version" => {
            // Who closed the output does not want to read it.
            let _ = write!(out, "{}", version_of("redis-check-aof"));
            return Ok(());
        }
        [path] if !path.starts_with("--") => (Aim::Check, path),
        [option, path] if option == "--fix" => (Aim::Fix, path),
        [option, moment, path] if option == "--truncate-to-timestamp" => {
            let moment = moment.parse().ok().filter(|moment| *moment > 0);
            (Aim::CutAt(moment.ok_or("Invalid timestamp, aborting...\n")?), path)
        }
        _ => return Err(USAGE.to_owned()),
    };
    let path = Path::new(path);
    let mut check = Check { aim, answers, out };
    if let Some(manifest) = manifest_of(path)? {
        return check.all(path, &manifest);
    }
    check.say("Start checking Old-Style AOF\n");
    check.file(path, "AOF", true)
}

/// The manifest in a file, if it is one.
pub(super) fn manifest_of(path: &Path) -> Result<Option<Manifest>, String> {
    let mut file = File::open(path).map_err(|error| {
        format!("Cannot open file {}: {}, aborting...\n", path.display(), reason(&error))
    })?;
    let mut start = [0; 5];
    let count = file.read(&mut start).unwrap_or(0);
    if !start[..count].starts_with(b"file ") && !start[..count].starts_with(b"#") {
        return Ok(None);
    }
    if start[..count].starts_with(b"#TS:") {
        return Ok(None);
    }
    let text = std::fs::read(path).map_err(|error| format!("{}\n", reason(&error)))?;
    Manifest::parse(&text)
        .map(Some)
        .map_err(|error| format!("{} at line {}: '{}'\n", error.reason, error.line, error.text))
}

struct Check<'a> {
    aim: Aim,
    answers: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
}

impl Check<'_> {
    fn say(&mut self, text: &str) {
        // Who closed the output does not want to read it.
        let _ = self.out.write_all(text.as_bytes());
    }

    fn all(&mut self, path: &Path, manifest: &Manifest) -> Result<(), String> {
        self.say("Start checking Multi Part AOF\n");
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let files: Vec<_> = manifest.files().collect();
        for (place, file) in files.iter().enumerate() {
            let is_base = manifest.base.as_ref() == Some(*file);
            let what = if is_base { "BASE AOF" } else { "INCR AOF" };
            if is_base {
                let is_snapshot = starts_with_snapshot(&folder.join(&file.name));
                let format = if is_snapshot { "RDB" } else { "RESP" };
                self.say(&format!("Start to check BASE AOF ({format} format).\n"));
            } else if place == usize::from(manifest.base.is_some()) {
                self.say("Start to check INCR files.\n");
            }
            self.file(&folder.join(&file.name), what, place + 1 == files.len())?;
        }
        self.say("All AOF files and manifest are valid\n");
        Ok(())
    }

    fn file(&mut self, path: &Path, what: &str, is_last: bool) -> Result<(), String> {
        let shown = path.display();
        let limit = match self.aim {
            Aim::CutAt(moment) => Some(moment),
            Aim::Check | Aim::Fix => None,
        };
        let found = examine(path, limit).map_err(|error| {
            format!("Cannot open file {shown}: {}, aborting...\n", reason(&error))
        })?;
        if starts_with_snapshot(path) && found.whole > 0 {
            self.say("RDB preamble is OK, proceeding with AOF tail...\n");
        }
        if let Some(problem) = &found.problem {
            self.say(&format!("{problem}\n"));
        }
        if let Aim::CutAt(moment) = self.aim {
            return self.cut_at(path, &found, moment, what, is_last);
        }
        if found.size == 0 {
            self.say(&format!("{what} {shown} is empty\n"));
            return Ok(());
        }
        let lost = found.size - found.whole;
        self.say(&format!(
            "AOF analyzed: filename={shown}, size={}, ok_up_to={}, ok_up_to_line={}, diff={lost}\n",
            found.size, found.whole, found.line
        ));
        if lost == 0 {
            self.say(&format!("{what} {shown} is valid\n"));
            return Ok(());
        }
        if self.aim == Aim::Check {
            return Err(format!(
                "AOF {shown} is not valid. Use the --fix option to try fixing it.\n"
            ));
        }
        if !is_last {
            return Err(format!(
                "Failed to truncate AOF {shown} because it is not the last file\n"
            ));
        }
        self.say(&format!(
            "This will shrink the AOF {shown} from {} bytes, with {lost} bytes, to {} bytes\n\
             Continue? [y/N]: ",
            found.size, found.whole
        ));
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        if read.is_err() || !answer.trim_start().to_ascii_lowercase().starts_with('y') {
            return Err("Aborting...\n".to_owned());
        }
        truncate(path, found.whole)?;
        self.say(&format!("Successfully truncated AOF {shown}\n"));
        Ok(())
    }

    fn cut_at(
        &mut self,
        path: &Path,
        found: &Findings,
        moment: i64,
        what: &str,
        is_last: bool,
    ) -> Result<(), String> {
        let shown = path.display();
        if found.whole < found.size && found.later.is_none() {
            return Err(format!(
                "AOF {shown} is not valid. Use the --fix option to try fixing it.\n"
            ));
        }
        let Some(place) = found.later else {
            self.say(&format!("Truncate nothing in AOF {shown} to timestamp {moment}\n"));
            self.say(&format!("{what} {shown} is valid\n"));
            return Ok(());
        };
        if place == 0 {
            return Err(format!(
                "AOF {shown} has nothing before timestamp {moment}, aborting...\n"
            ));
        }
        if !is_last {
            return Err(format!(
                "Failed to truncate AOF {shown} to timestamp {moment} to offset {place} because it \
                 is not the last file.\nIf you insist, please delete all files after this file \
                 according to the manifest file and delete the corresponding records in manifest \
                 file manually. Then re-run redis-check-aof.\n"
            ));
        }
        truncate(path, place)?;
        self.say(&format!("Successfully truncated AOF {shown} to timestamp {moment}\n"));
        Ok(())
    }
}

fn truncate(path: &Path, size: u64) -> Result<(), String> {
    let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
        file.set_len(size)?;
        file.sync_all()
    });
    cut.map_err(|error| format!("Failed to truncate AOF {}: {}\n", path.display(), reason(&error)))
}

/// Reads a file to its end, to what is wrong with it, or to the first note of a second behind
/// `limit`.
pub(super) fn examine(path: &Path, limit: Option<i64>) -> io::Result<Findings> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let (start, made) = match preamble(&mut file, size)? {
        Ok(found) => found,
        Err(problem) => {
            let problem = Some(format!("RDB preamble of AOF file is not sane: {problem}"));
            return Ok(Findings { size, line: 1, problem, ..Findings::default() });
        }
    };
    file.seek(SeekFrom::Start(start))?;
    let mut reader = Reader::new(file, start, u64::MAX);
    let mut found = Findings { size, whole: start, line: 1, made, ..Findings::default() };
    let (mut line, mut is_open) = (1, false);
    loop {
        match reader.next_item() {
            Ok(Some(Item::Note)) => {
                let moment = timestamp_of(reader.note());
                if limit.zip(moment).is_some_and(|(limit, moment)| moment > limit) {
                    found.later = Some(reader.began());
                    return Ok(found);
                }
                found.stamp = moment.or(found.stamp);
                line += 1;
            }
            Ok(Some(Item::Request)) => {
                line += 1 + 2 * reader.words().len() as u64;
                found.commands += 1;
                let name = reader.words().next().unwrap_or_default();
                let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
                if is(b"MULTI") && is_open || is(b"EXEC") && !is_open {
                    let at = reader.began();
                    found.problem = Some(format!("{at:#018x}: Unexpected MULTI or EXEC"));
                    return Ok(found);
                }
                is_open = is(b"MULTI") || is_open && !is(b"EXEC");
            }
            Ok(None) if !is_open => return Ok(found),
            Ok(None) => {
                found.problem = Some("Reached EOF before reading EXEC for MULTI".to_owned());
                return Ok(found);
            }
            Err(LogError::Io(error)) => return Err(error),
            Err(LogError::Truncated { at }) => {
                found.problem = Some(format!("{at:#018x}: Unexpected end of file"));
                return Ok(found);
            }
            Err(LogError::Corrupt { at, why }) => {
                found.problem = Some(format!("{at:#018x}: Bad file format: {why}"));
                return Ok(found);
            }
        }
        if !is_open {
            (found.whole, found.line) = (reader.offset(), line);
        }
    }
}

fn starts_with_snapshot(path: &Path) -> bool {
    let mut magic = Vec::new();
    let read = File::open(path).and_then(|file| file.take(5).read_to_end(&mut magic));
    read.is_ok() && (magic == b"REDIS" || magic == b"VALKE")
}

/// Bytes of the snapshot at the front of a file, 0 without one, and the second in which it was made;
/// or what is wrong with it.
fn preamble(file: &mut File, size: u64) -> io::Result<Result<(u64, Option<i64>), String>> {
    use crate::persistence::rdb;

    struct Time(Option<i64>);
    impl rdb::Sink for Time {
        fn aux(&mut self, name: &[u8], value: &[u8]) -> Result<(), String> {
            if name == b"ctime" {
                self.0 = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
            Ok(())
        }
        fn library(&mut self, _: &[u8]) -> Result<(), String> {
            Ok(())
        }
        fn key(&mut self, _: rdb::ReadKey<'_>) -> Result<(), String> {
            Ok(())
        }
    }

    let mut magic = Vec::new();
    file.take(5).read_to_end(&mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    if magic != b"REDIS" && magic != b"VALKE" {
        return Ok(Ok((0, None)));
    }
    let limits = limits_of(&EncodingLimits::default());
    let options = rdb::LoadOptions {
        limits,
        checks: true,
        versions: rdb::Versions::default(),
        size: Some(size),
    };
    let mut maker = Keyspace::new(1, 0).maker();
    let mut input = io::BufReader::new(file);
    let mut time = Time(None);
    let loaded = rdb::load(&mut input, &options, maker.epochs(), &mut time);
    Ok(loaded.map(|loaded| (loaded.bytes, time.0)).map_err(|error| error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::protocol::encode;

    /// A file of its own for a test.
    struct Case(PathBuf);

    impl Case {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("ochre-{}-{name}", std::process::id()));
            std::fs::write(&path, bytes).unwrap();
            Self(path)
        }

        fn run(&self, options: &[&str], answer: &str) -> (bool, String) {
            let mut words: Vec<String> = options.iter().map(|&word| word.to_owned()).collect();
            words.push(self.0.to_string_lossy().into_owned());
            let mut out = Vec::new();
            let done = run_for(&words, &mut answer.as_bytes(), &mut out);
            let mut text = String::from_utf8(out).unwrap();
            text.push_str(done.as_ref().err().map_or("", String::as_str));
            (done.is_ok(), text)
        }
    }

    impl Drop for Case {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn log(commands: &[&[&[u8]]]) -> Vec<u8> {
        let mut log = Vec::new();
        for words in commands {
            encode::request(&mut log, words.iter().copied());
        }
        log
    }

    #[test]
    fn a_damaged_end_is_found_and_cut_off() {
        let whole = log(&[&[b"set", b"foo", b"hello"]]);
        let case = Case::new("damage.aof", &[whole.as_slice(), b"!!!"].concat());
        let (is_valid, text) = case.run(&[], "");
        assert!(!is_valid && text.contains("not valid"), "{text}");
        assert!(text.contains("ok_up_to=33, ok_up_to_line=8, diff=3"), "{text}");
        let (is_fixed, text) = case.run(&["--fix"], "n\n");
        assert!(!is_fixed && text.ends_with("Aborting...\n"), "{text}");
        let (is_fixed, text) = case.run(&["--fix"], "y\n");
        assert!(is_fixed && text.contains("Successfully truncated AOF"), "{text}");
        assert_eq!(std::fs::read(&case.0).unwrap(), whole);
        assert!(case.run(&[], "").0);
    }

    #[test]
    fn an_open_transaction_goes_as_a_whole() {
        let commands: [&[&[u8]]; 3] = [&[b"set", b"a", b"1"], &[b"multi"], &[b"set", b"b", b"1"]];
        let case = Case::new("multi.aof", &log(&commands));
        let (is_valid, text) = case.run(&[], "");
        assert!(!is_valid && text.contains("Reached EOF before reading EXEC for MULTI"), "{text}");
        assert!(case.run(&["--fix"], "y\n").0);
        assert_eq!(std::fs::read(&case.0).unwrap(), log(&commands[..1]));
    }

    #[test]
    fn nothing_is_neither_valid_nor_damaged() {
        let case = Case::new("empty.aof", b"");
        let (is_valid, text) = case.run(&["--fix"], "");
        assert!(is_valid && text.ends_with("empty.aof is empty\n"), "{text}");
    }

    #[test]
    fn what_came_later_is_cut_off() {
        let one = [b"#TS:100\r\n".as_slice(), &log(&[&[b"incr", b"a"]])].concat();
        let two = [b"#TS:200\r\n".as_slice(), &log(&[&[b"incr", b"a"]])].concat();
        let case = Case::new("time.aof", &[one.as_slice(), &two].concat());
        let text = case.run(&["--truncate-to-timestamp", "200"], "").1;
        assert!(
            text.contains("Truncate nothing") && text.ends_with("time.aof is valid\n"),
            "{text}"
        );
        assert!(case.run(&["--truncate-to-timestamp", "150"], "").0);
        assert_eq!(std::fs::read(&case.0).unwrap(), one);
        assert!(!case.run(&["--truncate-to-timestamp", "x"], "").0);
    }
}
