//! The manifest: which files make up the log, and in which order.
//!
//! 1. At most one base. Numbers of the others grow from line to line within their kind.
//! 2. History files are of no use any more; they are listed so that somebody removes them.

use std::fmt::Write as _;

/// Longest line, as in Redis.
const LINE_MAX: usize = 1024;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Everything up to a moment.
    Base,
    /// What was replaced.
    History,
    /// What came after the base.
    Increment,
}

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name within the directory.
    pub name: String,
    /// Its number.
    pub sequence: u64,
    /// What it is.
    pub kind: Kind,
}

/// Which files make up the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The file that comes first.
    pub base: Option<File>,
    /// Files that follow, oldest first.
    pub increments: Vec<File>,
    /// Files to be removed.
    pub history: Vec<File>,
    /// Highest number that a base had.
    pub base_sequence: u64,
    /// Highest number that an increment had.
    pub increment_sequence: u64,
}

/// Why a text is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BadManifest {
    /// Which line, counted from 1.
    pub line: usize,
    /// Its text, where it matters.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(text: &[u8]) -> Result<Self, BadManifest> {
        let mut manifest = Self::default();
        let mut number = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            number += 1;
            let fail = |reason| {
                let text = String::from_utf8_lossy(line).trim_end().to_owned();
                BadManifest { line: number, text, reason }
            };
            if line.starts_with(b"#") {
                continue;
            }
            let Some(line) = line.strip_suffix(b"\n") else {
                let is_long = line.len() >= LINE_MAX;
                return Err(fail(if is_long { TOO_LONG } else { BAD_FORMAT }));
            };
            if line.len() >= LINE_MAX {
                return Err(fail(TOO_LONG));
            }
            let file = parse_line(line).map_err(fail)?;
            manifest.add(file).map_err(fail)?;
        }
        if number == 0 {
            return Err(BadManifest { line: 0, text: String::new(), reason: EMPTY });
        }
        Ok(manifest)
    }

    fn add(&mut self, file: File) -> Result<(), &'static str> {
        match file.kind {
            Kind::Base => {
                if self.base.is_some() {
                    return Err("Found duplicate base file information");
                }
                self.base_sequence = file.sequence;
                self.base = Some(file);
            }
            Kind::History => self.history.push(file),
            Kind::Increment => {
                if file.sequence <= self.increment_sequence {
                    return Err("Found a non-monotonic sequence number");
                }
                self.increment_sequence = file.sequence;
                self.increments.push(file);
            }
        }
        Ok(())
    }

    /// The text of the manifest.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for file in self.base.iter().chain(&self.history).chain(&self.increments) {
            let kind = match file.kind {
                Kind::Base => 'b',
                Kind::History => 'h',
                Kind::Increment => 'i',
            };
            // Writing to a string can't fail.
            let _ = writeln!(text, "file {} seq {} type {kind}", quoted(&file.name), file.sequence);
        }
        text
    }

    /// Adds the next increment, and names it.
    pub fn begin_increment(&mut self, base_name: &str) -> String {
        self.increment_sequence += 1;
        let name = increment_name(base_name, self.increment_sequence);
        let (sequence, kind) = (self.increment_sequence, Kind::Increment);
        self.increments.push(File { name: name.clone(), sequence, kind });
        name
    }

    /// The name that the next base will have.
    pub fn next_base_name(&self, base_name: &str, is_snapshot: bool) -> String {
        let ending = if is_snapshot { "rdb" } else { "aof" };
        format!("{base_name}.{}.base.{ending}", self.base_sequence + 1)
    }

    /// A new base takes the place of the old one and of all increments up to `sequence`, which
    /// become history.
    pub fn replace_base(&mut self, name: String, sequence: u64) {
        self.base_sequence += 1;
        let base = File { name, sequence: self.base_sequence, kind: Kind::Base };
        let (gone, rest): (Vec<File>, Vec<File>) =
            self.increments.drain(..).partition(|file| file.sequence <= sequence);
        self.increments = rest;
        let gone = self.base.replace(base).into_iter().chain(gone);
        self.history.extend(gone.map(|file| File { kind: Kind::History, ..file }));
    }

    /// The files to load, in order.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.base.iter().chain(&self.increments)
    }
}

/// Name of an increment.
fn increment_name(base_name: &str, sequence: u64) -> String {
    format!("{base_name}.{sequence}.incr.aof")
}

const EMPTY: &str = "Found an empty AOF manifest";
const TOO_LONG: &str = "The AOF manifest file contains too long line";
const BAD_FORMAT: &str = "Invalid AOF manifest file format";

fn parse_line(line: &[u8]) -> Result<File, &'static str> {
    let words = words(line).ok_or(BAD_FORMAT)?;
    // A file has at least its three facts; facts that later versions add are passed over.
    if words.len() < 6 || !words.len().is_multiple_of(2) {
        return Err(BAD_FORMAT);
    }
    let (mut name, mut sequence, mut kind) = (None, None, None);
    for pair in words.chunks_exact(2) {
        let [fact, value] = pair else { continue };
        if fact.eq_ignore_ascii_case("file") {
            if value.is_empty() || value.contains('/') || value.contains('\\') {
                return Err("File can't be a path, just a filename");
            }
            name = Some(value.clone());
        } else if fact.eq_ignore_ascii_case("seq") {
            sequence = value.parse().ok();
        } else if fact.eq_ignore_ascii_case("type") {
            kind = Some(match value.as_str() {
                "b" => Kind::Base,
                "h" => Kind::History,
                "i" => Kind::Increment,
                _ => return Err("Unknown AOF file type"),
            });
        }
    }
    match (name, sequence, kind) {
        (Some(name), Some(sequence), Some(kind)) if sequence > 0 => {
            Ok(File { name, sequence, kind })
        }
        _ => Err(BAD_FORMAT),
    }
}

/// Words of a line; those with blanks stand in quotes.
fn words(line: &[u8]) -> Option<Vec<String>> {
    let line = std::str::from_utf8(line).ok()?;
    let (mut words, mut rest) = (Vec::new(), line.trim());
    while !rest.is_empty() {
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
            continue;
        };
        let (mut word, mut chars) = (String::new(), quoted.char_indices());
        let end = loop {
            match chars.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => match chars.next()?.1 {
                    'n' => word.push('\n'),
                    'r' => word.push('\r'),
                    't' => word.push('\t'),
                    'x' => {
                        let (high, low) = (chars.next()?.1, chars.next()?.1);
                        let code = high.to_digit(16)? * 16 + low.to_digit(16)?;
                        word.push(char::from_u32(code)?);
                    }
                    other => word.push(other),
                },
                (_, other) => word.push(other),
            }
        };
        words.push(word);
        rest = quoted[end..].trim_start();
    }
    Some(words)
}

/// A name as a word of a line.
fn quoted(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !name.is_empty() && name.bytes().all(is_plain) {
        return name.to_owned();
    }
    let mut text = String::from('"');
    for each in name.chars() {
        match each {
            '"' | '\\' => text.extend(['\\', each]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn refused(text: &str, reason: &str) {
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap_err().reason, reason, "{text}");
    }

    #[test]
    fn what_is_written_is_read() {
        let mut manifest = Manifest::default();
        manifest.replace_base("a b\"c.1.base.rdb".into(), 0);
        assert_eq!(manifest.begin_increment("a"), "a.1.incr.aof");
        assert_eq!(manifest.begin_increment("a"), "a.2.incr.aof");
        assert_eq!(Manifest::parse(manifest.text().as_bytes()).unwrap(), manifest);
        assert_eq!(manifest.next_base_name("a", false), "a.2.base.aof");
        manifest.replace_base("a.2.base.aof".into(), 1);
        let expected = "file a.2.base.aof seq 2 type b\n\
            file \"a b\\\"c.1.base.rdb\" seq 1 type h\n\
            file a.1.incr.aof seq 1 type h\n\
            file a.2.incr.aof seq 2 type i\n";
        assert_eq!(manifest.text(), expected);
    }

    #[test]
    fn what_is_wrong_is_said() {
        refused("", EMPTY);
        refused("file a seq 1 type b", BAD_FORMAT);
        refused("file a seq 1\n", BAD_FORMAT);
        refused("file a seq x type i\n", BAD_FORMAT);
        refused("\n", BAD_FORMAT);
        refused("file \"a seq 1 type i\n", BAD_FORMAT);
        refused("file a seq 1 type x\n", "Unknown AOF file type");
        refused("file x/a seq 1 type i\n", "File can't be a path, just a filename");
        let two = "file a seq 1 type b\nfile b seq 2 type b\n";
        refused(two, "Found duplicate base file information");
        let falling = "file a seq 2 type i\nfile b seq 1 type i\n";
        refused(falling, "Found a non-monotonic sequence number");
        refused(&format!("file {} seq 1 type i\n", "a".repeat(1100)), TOO_LONG);
        let more = "# note\nfile a seq 1 type i startoffset 7\n";
        assert_eq!(Manifest::parse(more.as_bytes()).unwrap().increments.len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0_u8..128, 0..200)) {
            let _ = Manifest::parse(&bytes);
        }
    }
}
