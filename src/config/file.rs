//! Files, standard input, environment and command line: lines become a [`Config`].
//!
//! One word of a line is the directive, the others its value; `#` starts a comment line. A fault
//! stops at the first bad line and names it the way Redis does.

use std::fmt;

use super::kinds::{Refusal, Source};
use super::suggest;
use super::table::{Config, Field};
use super::words;

/// Includes within includes, and files that one include pattern may find.
const INCLUDE_DEPTH_MAX: usize = 16;
const INCLUDE_FILES_MAX: usize = 1024;

/// Directives of old versions that are read over.
const RETIRED: [&str; 3] =
    ["list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"];

/// A `rename-command` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenamedCommand {
    /// Name that the command has.
    pub from: Vec<u8>,
    /// Name that it gets; empty takes it away.
    pub to: Vec<u8>,
}

/// A `user` line. `Debug` leaves the rules out: they hold passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct UserLine {
    /// Name of the user.
    pub name: Vec<u8>,
    /// Its rules, as ACL SETUSER takes them.
    pub rules: Vec<Vec<u8>>,
}

impl fmt::Debug for UserLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&self.name);
        f.debug_struct("UserLine").field("name", &name).finish_non_exhaustive()
    }
}

/// The world outside, for those lines that reach into it.
pub trait Files {
    /// Contents of a file; the error is what the operating system says.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String>;

    /// Files that a path with `*`, `?` or `[` names, in order.
    fn matching(&mut self, pattern: &str) -> Vec<String>;

    /// Makes `dir` the working directory; its absolute path.
    fn enter(&mut self, dir: &str) -> Result<String, String>;
}

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, by path.
    File(String),
    /// Standard input.
    Stdin,
    /// The command line.
    CommandLine,
    /// The environment, by variable.
    Environment(String),
}

/// Why the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A line is wrong.
    Line {
        /// Where.
        origin: Origin,
        /// Its number, from 1.
        number: usize,
        /// Its text.
        text: String,
        /// Why.
        why: Refusal,
        /// The directive that may have been meant.
        meant: Option<&'static str>,
    },
    /// Lines that don't go together.
    Together(&'static str),
    /// A file cannot be read.
    Unreadable {
        /// Which.
        path: String,
        /// What the operating system says.
        why: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = format!("\n*** FATAL CONFIG FILE ERROR (ochre {VERSION}) ***");
        match self {
            Self::Line { origin, number, text, why, meant } => {
                writeln!(f, "{head}")?;
                match origin {
                    Origin::File(path) => {
                        writeln!(
                            f,
                            "Reading the configuration file, at line {number} of '{path}'"
                        )?;
                    }
                    Origin::Stdin => {
                        writeln!(f, "Reading the configuration file, at line {number} of stdin")?;
                    }
                    Origin::CommandLine => writeln!(f, "Reading the command line")?,
                    Origin::Environment(name) => {
                        writeln!(f, "Reading the environment variable {name}")?;
                    }
                }
                writeln!(f, ">>> '{text}'\n{why}")?;
                match meant {
                    Some(name) => writeln!(f, "Did you mean '{name}'?"),
                    None => Ok(()),
                }
            }
            Self::Together(why) => writeln!(f, "{head}\n{why}"),
            Self::Unreadable { path, why } => {
                writeln!(f, "Fatal error, can't open config file '{path}': {why}")
            }
        }
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A refusal of one line, before it is known where the line stands.
enum LineFault {
    Refused(Refusal),
    Unknown,
    Nested(Fault),
}

impl From<Refusal> for LineFault {
    fn from(why: Refusal) -> Self {
        Self::Refused(why)
    }
}

impl From<&'static str> for LineFault {
    fn from(why: &'static str) -> Self {
        Self::Refused(why.into())
    }
}

/// Reads lines into a configuration.
pub struct Reader<'a> {
    files: &'a mut dyn Files,
    is_command: &'a dyn Fn(&[u8]) -> bool,
    config: Config,
    depth: usize,
    included: usize,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    /// A reader that starts with the defaults. `is_command` knows the names of commands.
    pub fn new(files: &'a mut dyn Files, is_command: &'a dyn Fn(&[u8]) -> bool) -> Self {
        Self { files, is_command, config: Config::default(), depth: 0, included: 0 }
    }

    /// What was read, checked as a whole.
    pub fn finish(self) -> Result<Config, Fault> {
        if self.config.cluster_enabled && self.config.replicaof.is_some() {
            return Err(Fault::Together("replicaof directive not allowed in cluster mode"));
        }
        Ok(self.config)
    }

    /// Reads a file.
    pub fn file(&mut self, path: &str) -> Result<(), Fault> {
        let bytes = self
            .files
            .read(path)
            .map_err(|why| Fault::Unreadable { path: path.to_owned(), why })?;
        self.lines(&bytes, &Origin::File(path.to_owned()))
    }

    /// Reads lines.
    pub fn lines(&mut self, bytes: &[u8], origin: &Origin) -> Result<(), Fault> {
        for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let Some(words) = words::split(line) else {
                let why = "Unbalanced quotes in configuration line".into();
                return Err(at_line(LineFault::Refused(why), origin, index + 1, line, b""));
            };
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            if let [directive, values @ ..] = words.as_slice() {
                self.line(directive, values, Source::File)
                    .map_err(|fault| at_line(fault, origin, index + 1, line, directive))?;
            }
        }
        Ok(())
    }

    /// Reads one directive of the command line; `text` is how it is shown.
    pub fn option(&mut self, text: &[u8], words: &[&[u8]]) -> Result<(), Fault> {
        let Some((directive, values)) = words.split_first() else { return Ok(()) };
        self.line(directive, values, Source::File)
            .map_err(|fault| at_line(fault, &Origin::CommandLine, 0, text, directive))
    }

    /// Reads `OCHRE_<DIRECTIVE>`, with `-` written as `_`; false when there is no such directive.
    pub fn variable(&mut self, variable: &str, value: &[u8]) -> Result<bool, Fault> {
        let Some(name) = variable.strip_prefix(VARIABLE_PREFIX) else { return Ok(false) };
        let named = |known: &str| {
            known.len() == name.len()
                && known.bytes().zip(name.bytes()).all(|(known, given)| {
                    known.to_ascii_uppercase() == given || (known == b'-' && given == b'_')
                })
        };
        let mut fields = Field::ALL.iter();
        let Some(&field) = fields.find(|field| field.directive().names().any(named)) else {
            return Ok(false);
        };
        let name = field.directive().name().as_bytes();
        self.line(name, &[value], Source::Environment).map(|()| true).map_err(|fault| {
            let origin = Origin::Environment(variable.to_owned());
            let shown = if field.directive().is_secret() { b"..." } else { value };
            at_line(fault, &origin, 0, shown, name)
        })
    }

    fn line(&mut self, name: &[u8], words: &[&[u8]], source: Source) -> Result<(), LineFault> {
        let name = name.to_ascii_lowercase();
        match (name.as_slice(), words) {
            (b"include", [path]) => return self.include(path),
            (b"rename-command", [from, to]) => return self.rename(from, to),
            (b"user", [name, rules @ ..]) => {
                let rules = rules.iter().map(|rule| rule.to_vec()).collect();
                self.config.users.push(UserLine { name: name.to_vec(), rules });
                return Ok(());
            }
            (b"include" | b"rename-command" | b"user", _) => {
                return Err("wrong number of arguments".into());
            }
            (b"loadmodule" | b"loadmodule-ex", _) => {
                return Err("ochre has no loadable modules: remove the line".into());
            }
            (b"sentinel", _) => return Err("sentinel directive while not in sentinel mode".into()),
            (name, [_, ..]) if RETIRED.iter().any(|old| old.as_bytes() == name) => return Ok(()),
            _ => {}
        }
        let field = Field::of(&name).ok_or(LineFault::Unknown)?;
        self.config.assign(field, words, source)?;
        if field == Field::dir {
            // Later relative paths start there, as in Redis.
            let entered = self.files.enter(&self.config.dir);
            self.config.dir = entered.map_err(|why| LineFault::Refused(why.into()))?;
        }
        Ok(())
    }

    fn include(&mut self, path: &[u8]) -> Result<(), LineFault> {
        let path = std::str::from_utf8(path).map_err(|_| "argument must be valid UTF-8")?;
        let paths = if path.contains(['*', '?', '[']) {
            self.files.matching(path)
        } else {
            vec![path.to_owned()]
        };
        self.included += paths.len();
        if self.depth == INCLUDE_DEPTH_MAX || self.included > INCLUDE_FILES_MAX {
            return Err("too many includes: does a file include itself?".into());
        }
        self.depth += 1;
        for path in &paths {
            self.file(path).map_err(LineFault::Nested)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), LineFault> {
        let renamed = &self.config.renamed_commands;
        let exists = |name: &[u8]| {
            let is_target = renamed.iter().any(|line| line.to.eq_ignore_ascii_case(name));
            let is_source = renamed.iter().any(|line| line.from.eq_ignore_ascii_case(name));
            is_target || ((self.is_command)(name) && !is_source)
        };
        if !exists(from) {
            return Err("No such command in rename-command".into());
        }
        if !to.is_empty() && exists(to) {
            return Err("Target command name already exists".into());
        }
        let line = RenamedCommand { from: from.to_vec(), to: to.to_vec() };
        self.config.renamed_commands.push(line);
        Ok(())
    }
}

/// What variables of the environment start with.
pub const VARIABLE_PREFIX: &str = "OCHRE_";

fn at_line(
    fault: LineFault,
    origin: &Origin,
    number: usize,
    text: &[u8],
    directive: &[u8],
) -> Fault {
    let (why, meant) = match fault {
        LineFault::Nested(fault) => return fault,
        LineFault::Refused(why) => (why, None),
        LineFault::Unknown => {
            let name = String::from_utf8_lossy(directive);
            let why = "Bad directive or wrong number of arguments".into();
            (why, suggest::nearest(&name))
        }
    };
    let text = String::from_utf8_lossy(text).into_owned();
    Fault::Line { origin: origin.clone(), number, text, why, meant }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use std::collections::BTreeMap;

    use super::*;

    /// Files in memory; a pattern with `*` names all that start with what stands before it.
    #[derive(Default)]
    struct Disk(BTreeMap<String, String>);

    impl Files for Disk {
        fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
            let text = self.0.get(path).ok_or("No such file or directory")?;
            Ok(text.clone().into_bytes())
        }
        fn matching(&mut self, pattern: &str) -> Vec<String> {
            let start = pattern.split('*').next().unwrap();
            self.0.keys().filter(|path| path.starts_with(start)).cloned().collect()
        }
        fn enter(&mut self, dir: &str) -> Result<String, String> {
            if dir == "/nope" { Err("No such file or directory".into()) } else { Ok("/abs".into()) }
        }
    }

    fn is_command(name: &[u8]) -> bool {
        [&b"get"[..], b"set", b"flushdb"].iter().any(|known| name.eq_ignore_ascii_case(known))
    }

    fn read(files: &[(&str, &str)]) -> Result<Config, String> {
        let file = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        let mut disk = Disk(files.iter().map(file).collect());
        let mut reader = Reader::new(&mut disk, &is_command);
        reader.file(files[0].0).map_err(|fault| fault.to_string())?;
        reader.finish().map_err(|fault| fault.to_string())
    }

    /// The fault's lines from the line's number on.
    fn check_fault(text: &str, expected: &str) {
        let fault = read(&[("a.conf", text)]).unwrap_err();
        let (_, tail) = fault.split_once("at line ").unwrap_or_else(|| panic!("{fault}"));
        assert_eq!(tail.trim_end(), expected, "{text}");
    }

    #[test]
    fn lines_set_fields() {
        let config = read(&[(
            "a.conf",
            "# comment\n\n  \t# another\nPORT 7000\r\nmaxmemory 100mb\nslave-priority 5\n\
             save 900 1\nsave 300 10\nrequirepass \"a b\"\nuser bob on >x\n\
             hash-max-listpack-entries 20\nhash-max-ziplist-entries 21\ndir .\n\
             lua-replicate-commands yes\nrename-command FlushDB badger\nrename-command get \"\"",
        )])
        .unwrap();
        assert_eq!(
            (config.port, config.maxmemory.0, config.replica_priority),
            (7000, 100 << 20, 5)
        );
        assert_eq!(config.save.points().len(), 2);
        assert_eq!(config.requirepass.0, b"a b");
        assert_eq!(config.users[0].rules, [b"on".to_vec(), b">x".to_vec()]);
        assert_eq!(config.hash_max_listpack_entries, 21);
        assert_eq!(config.dir, "/abs");
        assert_eq!(config.renamed_commands[0].to, b"badger");
        assert!(config.is_given(Field::port) && !config.is_given(Field::bind));
    }

    #[test]
    fn faults_name_line_and_reason() {
        check_fault(
            "# hello\nport 1\nmaxmemoryy 10mb",
            "3 of 'a.conf'\n>>> 'maxmemoryy 10mb'\n\
             Bad directive or wrong number of arguments\nDid you mean 'maxmemory'?",
        );
        for (text, expected) in [
            ("port 1\nmaxmemory \"10mb", "Unbalanced quotes in configuration line"),
            ("port", "wrong number of arguments"),
            ("port 1 2", "wrong number of arguments"),
            ("timeout 1 # comment", "wrong number of arguments"),
            ("save 1", "Invalid save parameters"),
            ("replicaof a 1 2", "wrong number of arguments"),
            ("rename-command foo bar", "No such command in rename-command"),
            ("rename-command get set", "Target command name already exists"),
            ("rename-command get", "wrong number of arguments"),
            ("sentinel monitor a 1 2 3", "sentinel directive while not in sentinel mode"),
            ("loadmodule /x.so", "ochre has no loadable modules: remove the line"),
            ("dir /nope", "No such file or directory"),
            ("frobnicate 1", "Bad directive or wrong number of arguments"),
        ] {
            let (number, line) = (text.lines().count(), text.lines().last().unwrap());
            check_fault(text, &format!("{number} of 'a.conf'\n>>> '{line}'\n{expected}"));
        }
    }

    #[test]
    fn includes_are_read_in_place() {
        let config = read(&[
            ("a.conf", "port 1\nhz 5\ninclude b.conf\nhz 7\ninclude c*\ninclude nope*"),
            ("b.conf", "port 2\nhz 6"),
            ("c1", "timeout 1"),
            ("c2", "timeout 2"),
        ])
        .unwrap();
        assert_eq!((config.port, config.hz, config.timeout), (2, 7, 2));
        let missing = read(&[("a.conf", "include x.conf")]).unwrap_err();
        assert_eq!(
            missing,
            "Fatal error, can't open config file 'x.conf': No such file or directory\n"
        );
        let nested = read(&[("a.conf", "\ninclude b.conf"), ("b.conf", "\n\nport x")]);
        assert!(nested.unwrap_err().contains("at line 3 of 'b.conf'"));
    }

    #[test]
    fn endless_includes_end() {
        for text in ["include a.conf", "include a*\ninclude a*"] {
            let fault = read(&[("a.conf", text), ("a2.conf", text)]).unwrap_err();
            assert!(fault.contains("too many includes"), "{fault}");
        }
    }

    #[test]
    fn a_cluster_node_follows_nobody() {
        let fault = read(&[("a.conf", "cluster-enabled yes\nreplicaof a 1")]).unwrap_err();
        assert!(fault.ends_with("\nreplicaof directive not allowed in cluster mode\n"));
    }

    #[test]
    fn the_environment_comes_first() {
        let mut disk = Disk::default();
        let mut reader = Reader::new(&mut disk, &is_command);
        assert_eq!(reader.variable("OCHRE_MAXMEMORY_POLICY", b"allkeys-lru"), Ok(true));
        assert_eq!(reader.variable("OCHRE_SERVER_CPULIST", b"0-3"), Ok(true));
        assert_eq!(reader.variable("OCHRE_SAVE", b"60 1 70 2"), Ok(true));
        assert_eq!(reader.variable("OCHRE_BLESS", b"1"), Ok(false));
        assert_eq!(reader.variable("PORT", b"1"), Ok(false));
        let fault = reader.variable("OCHRE_PORT", b"x").unwrap_err().to_string();
        assert!(fault.contains("Reading the environment variable OCHRE_PORT\n>>> 'x'"), "{fault}");
        reader.lines(b"save 900 1\nsave 1 1", &Origin::Stdin).unwrap();
        let config = reader.finish().unwrap();
        assert_eq!(config.save.points().len(), 2, "a file's first save line replaces");
        assert_eq!(config.server_cpulist, "0-3");
    }

    #[test]
    fn options_add_to_the_file() {
        let mut disk = Disk::default();
        let mut reader = Reader::new(&mut disk, &is_command);
        reader.lines(b"save 900 1", &Origin::Stdin).unwrap();
        reader.option(b"save", &[b"save", b"100 100"]).unwrap();
        reader.option(b"shutdown", &[b"shutdown-on-sigint", b"nosave", b"now"]).unwrap();
        let fault = reader.option(b"port \"x\"", &[b"port", b"x"]).unwrap_err().to_string();
        assert!(fault.contains("Reading the command line\n>>> 'port \"x\"'\n"), "{fault}");
        assert_eq!(reader.finish().unwrap().save.points().len(), 2);
    }
}
