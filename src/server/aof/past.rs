//! `ochre-server restore-aof`: all data as they were at a moment, from the files of a log.
//!
//! The log is read, never changed: what counts is copied to a folder of its own, up to the last
//! change of the second that is asked for, and a server that is started there goes on from it. The
//! way back ends at the base, which is what an earlier rewrite has left of all before it; and it
//! needs the seconds that `aof-timestamp-enabled` has noted.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::persistence::aof::manifest::{self, Manifest};
use crate::server::config_files::reason;

use super::check::{examine, manifest_of};

const USAGE: &str = "Usage: ochre-server restore-aof [--until <seconds of Unix time>] \
                     <file.manifest> <new folder>\n";

/// A file, as far as it counts.
struct Piece {
    file: manifest::File,
    len: u64,
}

/// What is to be copied.
#[derive(Default)]
struct Plan {
    pieces: Vec<Piece>,
    /// The last second that is noted in it.
    stamp: Option<i64>,
    /// Remarks on the way.
    remarks: String,
}

/// Does what the words behind the tool's name say; what it has to tell goes to `out`.
pub fn run(words: &[String], out: &mut dyn Write) -> ExitCode {
    let (text, code) = match run_for(words) {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(why) => (why, ExitCode::FAILURE),
    };
    // Who closed the output does not want to read it.
    let _ = out.write_all(text.as_bytes());
    code
}

fn run_for(words: &[String]) -> Result<String, String> {
    let (until, source, target) = match words {
        [source, target] if !source.starts_with("--") => (None, source, target),
        [option, until, source, target] if option == "--until" => {
            let until = until.parse::<i64>().ok().filter(|until| *until > 0);
            (Some(until.ok_or("This is no second of Unix time.\n")?), source, target)
        }
        _ => return Err(USAGE.to_owned()),
    };
    let (source, target) = (Path::new(source), Path::new(target));
    let manifest = manifest_of(source)?.ok_or("This is no manifest of a log.\n")?;
    let source = fs::canonicalize(source).map_err(|error| failed(source, &error))?;
    let folder = source.parent().unwrap_or(Path::new("/"));
    let plan = plan(folder, &manifest, until)?;

    fs::create_dir_all(target).map_err(|error| failed(target, &error))?;
    if fs::read_dir(target).map_err(|error| failed(target, &error))?.next().is_some() {
        return Err(format!("{}: the folder isn't empty.\n", target.display()));
    }
    let place = target.join(folder.file_name().unwrap_or_default());
    fs::create_dir(&place).map_err(|error| failed(&place, &error))?;
    let bytes = copy(&plan, folder, &place)?;
    // Without its manifest it is no log yet: it comes last.
    let name = source.file_name().unwrap_or_default();
    write_manifest(&plan, &place.join(name)).map_err(|error| failed(&place, &error))?;

    let moment =
        plan.stamp.map_or_else(String::new, |stamp| format!(", the last of second {stamp}"));
    Ok(format!(
        "{}{} files, {bytes} bytes{moment}. To go on from there:\n  ochre-server --appendonly yes \
         --dir {} (and the names of the log, if they aren't the usual ones)\n",
        plan.remarks,
        plan.pieces.len(),
        target.display()
    ))
}

/// Looks at everything before anything is written.
fn plan(folder: &Path, manifest: &Manifest, until: Option<i64>) -> Result<Plan, String> {
    let files: Vec<_> = manifest.files().collect();
    let mut plan = Plan::default();
    for (number, file) in files.iter().enumerate() {
        let path = folder.join(&file.name);
        let found = examine(&path, until).map_err(|error| failed(&path, &error))?;
        let is_base = manifest.base.as_ref() == Some(*file);
        let is_later = until.zip(found.made).is_some_and(|(until, made)| made > until);
        if is_base && (is_later || found.later == Some(0)) {
            return Err(format!(
                "{}: the base is of a later moment. What was before it is in none of these files: \
                 take an older copy.\n",
                path.display()
            ));
        }
        if let Some(problem) = found.problem.filter(|_| found.later.is_none()) {
            let text = format!("{}: {problem}\n", path.display());
            if number + 1 < files.len() || found.whole == 0 && found.commands == 0 && is_base {
                return Err(text);
            }
            plan.remarks.push_str(&text);
        }
        if until.is_some() && found.later.is_none() && found.stamp.is_none() && found.commands > 0 {
            return Err(format!(
                "{}: no moments are noted in it. The log was written without \
                 aof-timestamp-enabled.\n",
                path.display()
            ));
        }
        plan.stamp = found.stamp.or(plan.stamp);
        let len = found.later.unwrap_or(found.whole);
        plan.pieces.push(Piece { file: (*file).clone(), len });
        if found.later.is_some() {
            break;
        }
    }
    Ok(plan)
}

fn copy(plan: &Plan, folder: &Path, place: &Path) -> Result<u64, String> {
    let mut bytes = 0;
    for Piece { file, len } in &plan.pieces {
        let path: PathBuf = folder.join(&file.name);
        let copied = File::open(&path).and_then(|from| {
            let mut to = File::create_new(place.join(&file.name))?;
            let copied = io::copy(&mut from.take(*len), &mut to)?;
            to.sync_all()?;
            Ok(copied)
        });
        bytes += copied.map_err(|error| failed(&path, &error))?;
    }
    Ok(bytes)
}

fn write_manifest(plan: &Plan, path: &Path) -> io::Result<()> {
    let mut manifest = Manifest::default();
    for Piece { file, .. } in &plan.pieces {
        match file.kind {
            manifest::Kind::Base => manifest.base = Some(file.clone()),
            _ => manifest.increments.push(file.clone()),
        }
    }
    let mut file = File::create_new(path)?;
    file.write_all(manifest.text().as_bytes())?;
    file.sync_all()?;
    crate::server::saver::sync_folder_of(path)
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("{}: {}\n", path.display(), reason(error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    /// Folders of a test, which go with it.
    struct Case(PathBuf);

    impl Case {
        fn new(name: &str, increments: &[&str]) -> Self {
            let root = std::env::temp_dir().join(format!("ochre-{}-{name}", std::process::id()));
            let log = root.join("log");
            fs::create_dir_all(&log).unwrap();
            let mut lines = vec!["file a.1.base.aof seq 1 type b\n".to_owned()];
            fs::write(log.join("a.1.base.aof"), "#TS:10\r\n").unwrap();
            for (number, text) in increments.iter().enumerate() {
                let number = number + 1;
                lines.push(format!("file a.{number}.incr.aof seq {number} type i\n"));
                fs::write(log.join(format!("a.{number}.incr.aof")), text).unwrap();
            }
            fs::write(log.join("a.manifest"), lines.concat()).unwrap();
            Self(root)
        }

        /// What is restored of all increments, and the manifest's lines; or why not.
        fn restore(&self, until: &str) -> Result<(String, usize), String> {
            let target = self.0.join(format!("new{until}"));
            let path = |path: &Path| path.to_string_lossy().into_owned();
            let words = [path(&self.0.join("log/a.manifest")), path(&target)];
            let option = ["--until".to_owned(), until.to_owned()];
            run_for(&[&option[..], &words[..]].concat())?;
            let manifest = fs::read_to_string(target.join("log/a.manifest")).unwrap();
            let names = manifest.lines().filter_map(|line| line.split(' ').nth(1));
            let texts = names.filter(|name| name.contains("incr"));
            let texts =
                texts.map(|name| fs::read_to_string(target.join("log").join(name)).unwrap());
            Ok((texts.collect(), manifest.lines().count()))
        }
    }

    impl Drop for Case {
        fn drop(&mut self) {
            // What a failed test leaves is in the machine's temporary folder.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const ONE: &str = "#TS:20\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
    const TWO: &str = "#TS:30\r\n*2\r\n$4\r\nINCR\r\n$1\r\nb\r\n";

    #[test]
    fn the_past_ends_with_the_second_asked_for() {
        let both = format!("{ONE}{TWO}");
        let case = Case::new("past", &[&both, "#TS:40\r\n"]);
        assert_eq!(case.restore("20"), Ok((ONE.into(), 2)));
        assert_eq!(case.restore("29"), Ok((ONE.into(), 2)));
        assert_eq!(case.restore("30"), Ok((both.clone(), 3)));
        assert_eq!(case.restore("19"), Ok((String::new(), 2)));
        assert_eq!(case.restore("50"), Ok((format!("{both}#TS:40\r\n"), 3)));
        assert!(case.restore("9").unwrap_err().contains("of a later moment"));
        assert!(case.restore("50").unwrap_err().contains("isn't empty"));
        assert!(case.restore("x").unwrap_err().contains("no second"));
    }

    #[test]
    fn a_cut_end_is_left_out_and_damage_before_it_refused() {
        let cut = &ONE[..ONE.len() - 4];
        let case = Case::new("past-cut", &[ONE, cut]);
        assert_eq!(case.restore("50"), Ok((format!("{ONE}#TS:20\r\n"), 3)));
        let case = Case::new("past-damaged", &[cut, TWO]);
        assert!(case.restore("50").unwrap_err().contains("end of file"));
    }

    #[test]
    fn a_log_without_seconds_has_no_past() {
        let plain = ONE.strip_prefix("#TS:20\r\n").unwrap();
        let case = Case::new("past-unknown", &[plain]);
        assert!(case.restore("50").unwrap_err().contains("without aof-timestamp-enabled"));
    }
}
