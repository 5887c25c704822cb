//! From command line, environment and standard input to a configuration, or to a text to print.
//!
//! `ochre-server [file] [--directive value ...] [-]`, exactly as redis-server takes it: variables
//! `OCHRE_*` of the environment first, then the file, then standard input, then the directives.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};

use super::check_rdb;
use super::config_files::{DiskFiles, reason, working_dir};
use crate::config::file::{Fault, Files, Origin, Reader, VARIABLE_PREFIX};
use crate::config::{Config, Field, example, options};

/// What the process was started with.
pub struct Started<'a> {
    /// Arguments, the name of the program first.
    pub arguments: Vec<OsString>,
    /// Variables of the environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Standard input, read only if an argument says so.
    pub stdin: &'a mut dyn Read,
    /// Whether a name is that of a command: `rename-command` asks.
    pub is_command: &'a dyn Fn(&[u8]) -> bool,
}

/// What to do.
#[derive(Debug)]
pub enum Outcome {
    /// Run the server.
    Run(Box<Start>),
    /// Print to standard output and leave with success.
    Print(String),
    /// Print to standard output and leave with failure.
    Fail(String),
    /// Print to standard error and leave with failure.
    Refuse(String),
}

/// All that the server needs to start.
#[derive(Debug)]
pub struct Start {
    /// The configuration.
    pub config: Config,
    /// Absolute path of the file, which CONFIG REWRITE writes.
    pub file: Option<PathBuf>,
    /// Lines to log once the log is open, as warnings.
    pub warnings: Vec<String>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Decides what to do.
pub fn parse(mut started: Started<'_>) -> Outcome {
    let mut arguments: Vec<Vec<u8>> =
        started.arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
    let program = if arguments.is_empty() { Vec::new() } else { arguments.remove(0) };
    if let Some(outcome) = other_part(&program, &arguments) {
        return outcome;
    }
    if let Some(outcome) = information(&arguments) {
        return outcome;
    }

    let before = arguments.len();
    arguments.retain(|argument| argument != b"--check-config");
    let only_checks = arguments.len() < before;
    match read(arguments, &mut started) {
        Ok(start) if only_checks => Outcome::Print(checked(&start)),
        Ok(start) => Outcome::Run(Box::new(start)),
        Err(fault) => Outcome::Refuse(fault.to_string()),
    }
}

fn checked(start: &Start) -> String {
    let mut text = String::from("The configuration can be used.\n");
    for warning in &start.warnings {
        text.push_str(warning);
        text.push('\n');
    }
    text
}

/// Parts that redis-server plays under other names.
fn other_part(program: &[u8], arguments: &[Vec<u8>]) -> Option<Outcome> {
    let name = Path::new(OsStr::from_bytes(program)).file_name().map_or(&b""[..], OsStr::as_bytes);
    let is_sentinel =
        name.ends_with(b"-sentinel") || arguments.iter().any(|argument| argument == b"--sentinel");
    if name.ends_with(b"-check-rdb") {
        return Some(check_rdb::run(arguments));
    }
    if let Some((first, words)) = arguments.split_first()
        && first == b"check-rdb"
    {
        return Some(check_rdb::run(words));
    }
    let part = if is_sentinel {
        "Sentinel: the one of Redis or Valkey can watch over ochre"
    } else if name.ends_with(b"-check-aof") {
        "checking files: use the tool of Redis or Valkey"
    } else {
        return None;
    };
    Some(Outcome::Refuse(format!("ochre-server does not offer {part}.\n")))
}

/// Answers that need no configuration.
fn information(arguments: &[Vec<u8>]) -> Option<Outcome> {
    match arguments.first()?.as_slice() {
        b"-v" | b"--version" => Some(Outcome::Print(version_of("ochre-server"))),
        b"-h" | b"--help" => Some(match arguments.get(1) {
            Some(name) => described(name),
            None => Outcome::Print(command().render_help().to_string()),
        }),
        b"--test-memory" | b"--check-system" => Some(Outcome::Print(
            "Not needed: the machine's own tools test memory and kernel settings.\n".into(),
        )),
        _ => None,
    }
}

/// What a program says of itself, and of the tools that it is under other names.
pub(super) fn version_of(program: &str) -> String {
    let bits = usize::BITS;
    format!("{program} v={VERSION} malloc=jemalloc bits={bits}\n")
}

/// Documentation of one directive.
fn described(name: &[u8]) -> Outcome {
    let name = name.strip_prefix(b"--").unwrap_or(name);
    let Some(field) = Field::of(name) else {
        let name = String::from_utf8_lossy(name);
        return Outcome::Refuse(format!("There is no directive '{name}'.\n"));
    };
    let directive = field.directive();
    Outcome::Print(format!("{}\n  {}\n", directive.name(), example::describe(directive)))
}

fn command() -> Command {
    Command::new("ochre-server")
        .about("An in-memory data store that speaks the protocol of Redis")
        .override_usage("ochre-server [FILE] [--DIRECTIVE VALUE ...] [-]")
        .disable_help_flag(true)
        .arg(Arg::new("FILE").help("Configuration file, as Redis and Valkey take it"))
        .arg(
            Arg::new("stdin")
                .value_name("-")
                .help("As first or last argument: read directives from standard input too"),
        )
        .arg(
            Arg::new("DIRECTIVE")
                .long("DIRECTIVE")
                .value_name("VALUE")
                .num_args(1..)
                .help("Set a directive; wins over the file"),
        )
        .arg(Arg::new("check").long("check-config").num_args(0).help("Check and leave"))
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .value_name("DIRECTIVE")
                .num_args(0..=1)
                .help("Show this, or what a directive means"),
        )
        .arg(Arg::new("version").short('v').long("version").num_args(0).help("Show the version"))
        .after_help(
            "Variables of the environment named OCHRE_ and a directive, such as \
             OCHRE_MAXMEMORY=1gb, come before the file.\n\n\
             Examples:\n  ochre-server /etc/redis/redis.conf --port 7777\n  \
             ochre-server --save \"\" --appendonly no\n  echo 'maxmemory 128mb' | ochre-server -",
        )
}

/// Reads everything in order of precedence, lowest first.
fn read(arguments: Vec<Vec<u8>>, started: &mut Started<'_>) -> Result<Start, Fault> {
    let Arguments { file, stdin, directives } = Arguments::sort(arguments);
    let file = file.map(|path| absolute(&path));
    let mut files = DiskFiles;
    let mut warnings = Vec::new();
    let mut reader = Reader::new(&mut files, started.is_command);

    let mut variables: Vec<_> = started
        .environment
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value.as_bytes())))
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
        .collect();
    variables.sort_unstable();
    for (name, value) in variables {
        if !reader.variable(name, value)? {
            warnings.push(format!("The environment's {name} names no directive"));
        }
    }
    if let Some(path) = &file {
        reader.file(&path.to_string_lossy())?;
    }
    if stdin {
        let mut text = Vec::new();
        started
            .stdin
            .read_to_end(&mut text)
            .map_err(|error| Fault::Unreadable { path: "stdin".into(), why: reason(&error) })?;
        reader.lines(&text, &Origin::Stdin)?;
    }
    for option in options::group(&directives) {
        let words: Vec<&[u8]> = option.words.iter().map(Vec::as_slice).collect();
        reader.option(&option.text, &words)?;
    }

    let mut config = reader.finish()?;
    if config.dir.is_empty() {
        config.dir = working_dir()
            .map_err(|error| Fault::Unreadable { path: ".".into(), why: reason(&error) })?;
    }
    warnings.extend(config.without_effect());
    Ok(Start { config, file, warnings })
}

fn absolute(path: &[u8]) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(path));
    // An empty path stays what it is: reading it fails with the system's reason.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Arguments by what they are.
#[derive(Debug, Default)]
struct Arguments {
    file: Option<Vec<u8>>,
    stdin: bool,
    directives: Vec<Vec<u8>>,
}

impl Arguments {
    fn sort(mut arguments: Vec<Vec<u8>>) -> Self {
        let mut sorted = Self::default();
        match arguments.first().map(Vec::as_slice) {
            Some(b"-") => {
                arguments.remove(0);
                sorted.stdin = true;
            }
            Some(first) if !first.starts_with(b"-") => sorted.file = Some(arguments.remove(0)),
            _ => {}
        }
        if !sorted.stdin && arguments.last().is_some_and(|last| last == b"-") {
            arguments.pop();
            sorted.stdin = true;
        }
        sorted.directives = arguments;
        sorted
    }
}

/// Applies a change of `dir`: enters it, and stores its absolute path.
pub fn enter_dir(config: &mut Config) -> Result<(), String> {
    config.dir = DiskFiles.enter(&config.dir)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn start(arguments: &[&str], environment: &[(&str, &str)], mut stdin: &[u8]) -> Outcome {
        let program = std::iter::once(&"ochre-server");
        parse(Started {
            arguments: program.chain(arguments).map(OsString::from).collect(),
            environment: environment.iter().map(|(n, v)| (n.into(), v.into())).collect(),
            stdin: &mut stdin,
            is_command: &|_| false,
        })
    }

    fn run(arguments: &[&str], environment: &[(&str, &str)], stdin: &[u8]) -> Start {
        match start(arguments, environment, stdin) {
            Outcome::Run(start) => *start,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(arguments: &[&str]) -> String {
        match start(arguments, &[], b"") {
            Outcome::Refuse(text) => text,
            other => panic!("{other:?}"),
        }
    }

    fn print(arguments: &[&str]) -> String {
        match start(arguments, &[], b"") {
            Outcome::Print(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn file_is_checked_under_either_name() {
        let path = std::env::temp_dir().join(format!("ochre-check-{}.rdb", std::process::id()));
        std::fs::write(&path, b"REDIS0003\xff").unwrap();
        let text = print(&["check-rdb", path.to_str().unwrap()]);
        assert!(text.contains("RDB looks OK!"), "{text}");
        std::fs::write(&path, b"REDIS0003\0\x05cut").unwrap();
        let fail = |arguments: &[&str]| match start(arguments, &[], b"") {
            Outcome::Fail(text) => text,
            other => panic!("{other:?}"),
        };
        let text = fail(&["check-rdb", path.to_str().unwrap()]);
        assert!(text.contains("[offset 14] it ends in the middle"), "{text}");
        std::fs::remove_file(&path).unwrap();
        assert!(fail(&["check-rdb"]).starts_with("Usage:"));
        assert!(fail(&["check-rdb", path.to_str().unwrap()]).starts_with("Cannot open file"));
        let arguments = vec!["/usr/bin/redis-check-rdb".into(), path.into()];
        let (mut stdin, environment) = (&b""[..], vec![]);
        let stdin = &mut stdin;
        let outcome = parse(Started { arguments, environment, stdin, is_command: &|_| false });
        assert!(matches!(outcome, Outcome::Fail(_)));
    }

    #[test]
    fn nothing_given_is_the_defaults() {
        let start = run(&[], &[("PATH", "/bin")], b"port x");
        let defaults = Config { dir: start.config.dir.clone(), ..Config::default() };
        assert!(start.config == defaults && start.config.dir.starts_with('/'));
        assert!(start.file.is_none() && start.warnings.is_empty());
    }

    #[test]
    fn later_sources_win() {
        let path = std::env::temp_dir().join(format!("ochre-cli-{}.conf", std::process::id()));
        std::fs::write(&path, "port 2\ntimeout 2\nhz 2\nsave 900 1\n").unwrap();
        let arguments = [path.to_str().unwrap(), "--port", "4", "--save", "100 100", "-"];
        let environment = [("OCHRE_PORT", "1"), ("OCHRE_TCP_KEEPALIVE", "1"), ("OCHRE_BLES", "x")];
        let start = run(&arguments, &environment, b"timeout 3\nport 3");
        std::fs::remove_file(&path).unwrap();
        let config = start.config;
        assert_eq!((config.port, config.timeout, config.hz), (4, 3, 2));
        assert_eq!(config.tcp_keepalive, 1);
        assert_eq!(config.save.points().len(), 2);
        assert_eq!(start.file.unwrap(), path);
        assert_eq!(start.warnings[0], "The environment's OCHRE_BLES names no directive");
    }

    #[test]
    fn standard_input_comes_first_or_last() {
        assert_eq!(run(&["-", "--port", "5"], &[], b"hz 3").config.hz, 3);
        assert_eq!(run(&["--port", "5", "-"], &[], b"hz 3").config.hz, 3);
        assert_eq!(run(&["-"], &[], b"").config.port, 6379);
    }

    #[test]
    fn mistakes_are_shown_with_their_option() {
        for (arguments, shown, why) in [
            (&["--port"][..], "'port'", "wrong number of arguments"),
            (&["--port", "1", "--loglevel"], "'loglevel'", "wrong number of arguments"),
            (&["--port", "1", "2"], r#"'port "1" "2"'"#, "wrong number of arguments"),
            (&["--port", "--bla", "--hz", "1"], r#"'port "--bla"'"#, "parsed into an integer"),
            (&["--logfile", "--x", "--loglevel", "--bla"], r#"'loglevel "--bla"'"#, "one of the"),
            (&["--shutdown-on-sigint"], "'shutdown-on-sigint'", "must be one of the following"),
            (&["--replicaof", "127.0.0.1", "abc"], r#""abc"'"#, "Invalid master port"),
            (&["--maxmemroy", "1"], r#"'maxmemroy "1"'"#, "Did you mean 'maxmemory'?"),
            (&["-x"], r#"'"-x"'"#, "Bad directive"),
        ] {
            let text = refusal(arguments);
            assert!(text.contains("FATAL CONFIG FILE ERROR"), "{text}");
            assert!(text.contains(shown) && text.contains(why), "{arguments:?}: {text}");
        }
        let missing = refusal(&["/nope.conf"]);
        assert_eq!(
            missing,
            "Fatal error, can't open config file '/nope.conf': No such file or directory\n"
        );
        assert!(refusal(&["--sentinel"]).contains("Sentinel"));
    }

    #[test]
    fn information_needs_no_configuration() {
        assert!(print(&["--version"]).starts_with("ochre-server v="));
        assert_eq!(print(&["-v", "x"]), print(&["--version"]));
        let help = print(&["-h"]);
        assert!(help.contains("--check-config") && help.contains("Usage: ochre-server [FILE]"));
        assert!(print(&["--help", "maxmemory"]).starts_with("maxmemory\n  Memory that data"));
        assert!(print(&["--test-memory", "1"]).starts_with("Not needed"));
        let checked = print(&["--check-config", "--activedefrag", "yes"]);
        assert!(checked.contains("can be used") && checked.contains("activedefrag"), "{checked}");
    }
}
