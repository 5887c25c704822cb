//! Log lines in Redis's form: `pid:role date level message`.
//!
//! A layer of `tracing`. Levels map by importance: `error` and `warn` are Redis's warning (`#`),
//! `info` notice (`*`), `debug` verbose (`-`), `trace` debug (`.`). Only events of this crate are
//! logged. A line is one write: to standard output, or to a file that is opened for each line,
//! so that it can be moved away at any time, as log rotation for Redis does. All settings may
//! change while the server runs.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::local_time::{LocalTime, unix_ms};
use super::syslog;
use crate::config::Config;
use crate::config::choices::{LogFormat, LogLevel, LogTimestamp};

/// Who writes a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A primary.
    Primary,
    /// A replica.
    Replica,
    /// A background worker, or a server that is not one yet.
    Child,
    /// A Sentinel.
    Sentinel,
}

impl Role {
    const ALL: [Self; 4] = [Self::Primary, Self::Replica, Self::Child, Self::Sentinel];

    const fn letter(self) -> char {
        match self {
            Self::Primary => 'M',
            Self::Replica => 'S',
            Self::Child => 'C',
            Self::Sentinel => 'X',
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Child => "child",
            Self::Sentinel => "sentinel",
        }
    }
}

const LEVELS: [LogLevel; 5] =
    [LogLevel::Debug, LogLevel::Verbose, LogLevel::Notice, LogLevel::Warning, LogLevel::Nothing];
const FORMATS: [LogFormat; 3] = [LogFormat::Legacy, LogFormat::Logfmt, LogFormat::Json];
const TIMESTAMPS: [LogTimestamp; 3] =
    [LogTimestamp::Legacy, LogTimestamp::Iso8601, LogTimestamp::Milliseconds];

/// One of a few values that any thread may read and change.
#[derive(Debug)]
struct Choice<T: 'static> {
    of: &'static [T],
    at: AtomicU8,
}

impl<T: Copy + PartialEq> Choice<T> {
    fn new(of: &'static [T], value: T) -> Self {
        let choice = Self { of, at: AtomicU8::new(0) };
        choice.store(value);
        choice
    }

    fn store(&self, value: T) {
        let at = self.of.iter().position(|choice| *choice == value).unwrap_or(0);
        self.at.store(u8::try_from(at).unwrap_or(0), Relaxed);
    }

    fn load(&self) -> T {
        self.of[usize::from(self.at.load(Relaxed)).min(self.of.len() - 1)]
    }
}

/// Where lines go.
#[derive(Debug)]
enum Target {
    Stdout,
    File(String),
}

#[derive(Debug)]
struct Settings {
    level: Choice<LogLevel>,
    format: Choice<LogFormat>,
    timestamp: Choice<LogTimestamp>,
    role: Choice<Role>,
    target: Target,
    has_syslog: bool,
}

/// The log, to change its settings.
#[derive(Clone, Debug)]
pub struct Log(Arc<Settings>);

impl Log {
    /// Checks that the file can be written, and opens the connection to syslog.
    pub fn open(config: &Config) -> io::Result<Self> {
        let target = if config.logfile.is_empty() {
            Target::Stdout
        } else {
            // A relative path means the directory of the start, whatever `dir` is set to later.
            let path = std::path::absolute(&config.logfile)?.to_string_lossy().into_owned();
            append_to(&path)?;
            Target::File(path)
        };
        if config.syslog_enabled {
            syslog::open(&config.syslog_ident, config.syslog_facility);
        }
        Ok(Self(Arc::new(Settings {
            level: Choice::new(&LEVELS, config.loglevel),
            format: Choice::new(&FORMATS, config.log_format),
            timestamp: Choice::new(&TIMESTAMPS, config.log_timestamp_format),
            role: Choice::new(&Role::ALL, Role::Primary),
            target,
            has_syslog: config.syslog_enabled,
        })))
    }

    /// Makes it the log of the whole process; false if there is one already.
    pub fn install(&self) -> bool {
        let subscriber = tracing_subscriber::registry().with(self.layer());
        tracing::subscriber::set_global_default(subscriber).is_ok()
    }

    /// Its layer, for a subscriber.
    pub fn layer<S: Subscriber>(&self) -> impl Layer<S> + use<S> {
        Lines(Arc::clone(&self.0))
    }

    /// Takes over the live directives.
    pub fn apply(&self, config: &Config) {
        self.0.format.store(config.log_format);
        self.0.timestamp.store(config.log_timestamp_format);
        self.0.level.store(config.loglevel);
        // Callsites remember whether anybody wants them.
        tracing::callsite::rebuild_interest_cache();
    }

    /// The role that lines show from now on.
    pub fn set_role(&self, role: Role) {
        self.0.role.store(role);
    }
}

fn append_to(path: &str) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Importance as Redis counts it.
fn importance(level: Level) -> LogLevel {
    match level {
        Level::ERROR | Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Notice,
        Level::DEBUG => LogLevel::Verbose,
        Level::TRACE => LogLevel::Debug,
    }
}

struct Lines(Arc<Settings>);

impl Lines {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        // The library is `ochre`, the binary `ochre_server`.
        let is_ours = metadata.target().starts_with("ochre");
        is_ours && filter(self.0.level.load()) >= *metadata.level()
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::TRACE,
        LogLevel::Verbose => LevelFilter::DEBUG,
        LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Nothing => LevelFilter::OFF,
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(filter(self.0.level.load()))
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let level = importance(*event.metadata().level());
        let form = Form {
            pid: std::process::id(),
            role: self.0.role.load(),
            level,
            format: self.0.format.load(),
            timestamp: self.0.timestamp.load(),
        };
        let line = form.line(&parts, unix_ms());
        // There is nobody to tell that the log cannot be written.
        let _lost = match &self.0.target {
            Target::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(line.as_bytes()).and_then(|()| out.flush())
            }
            Target::File(path) => {
                append_to(path).and_then(|mut file| file.write_all(line.as_bytes()))
            }
        };
        if self.0.has_syslog {
            syslog::send(level, &parts.message);
        }
    }
}

/// Message and fields of an event.
#[derive(Debug, Default)]
struct Parts {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.fields.push((field.name(), format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.push((field.name(), value.to_owned()));
        }
    }
}

/// All that shapes a line but its text and time.
#[derive(Clone, Copy, Debug)]
struct Form {
    pid: u32,
    role: Role,
    level: LogLevel,
    format: LogFormat,
    timestamp: LogTimestamp,
}

impl Form {
    fn line(self, parts: &Parts, unix_ms: i64) -> String {
        let time = match self.timestamp {
            LogTimestamp::Legacy => LocalTime::at(unix_ms).legacy(),
            LogTimestamp::Iso8601 => LocalTime::at(unix_ms).iso8601(),
            LogTimestamp::Milliseconds => unix_ms.to_string(),
        };
        let mut line = match self.format {
            LogFormat::Legacy => self.legacy(&time, parts),
            LogFormat::Logfmt => self.logfmt(&time, parts),
            LogFormat::Json => self.json(&time, parts),
        };
        line.push('\n');
        line
    }

    fn legacy(self, time: &str, parts: &Parts) -> String {
        let mark = match self.level {
            LogLevel::Debug => '.',
            LogLevel::Verbose => '-',
            LogLevel::Notice => '*',
            LogLevel::Warning | LogLevel::Nothing => '#',
        };
        let mut line =
            format!("{}:{} {time} {mark} {}", self.pid, self.role.letter(), parts.message);
        for (name, value) in &parts.fields {
            let _infallible = write!(line, " {name}={value}");
        }
        line
    }

    fn level_word(self) -> &'static str {
        match self.level {
            LogLevel::Verbose => "info",
            level => level.word(),
        }
    }

    fn logfmt(self, time: &str, parts: &Parts) -> String {
        // Values cannot escape a quote here.
        let quoted = |text: &str| text.replace('"', "'").replace(['\n', '\r'], " ");
        let mut line = format!(
            "pid={} role={} timestamp=\"{time}\" level={} message=\"{}\"",
            self.pid,
            self.role.word(),
            self.level_word(),
            quoted(&parts.message)
        );
        for (name, value) in &parts.fields {
            let _infallible = write!(line, " {name}=\"{}\"", quoted(value));
        }
        line
    }

    fn json(self, time: &str, parts: &Parts) -> String {
        let mut line = format!(
            "{{\"pid\":{},\"role\":\"{}\",\"timestamp\":\"{time}\",\"level\":\"{}\",\"message\":",
            self.pid,
            self.role.word(),
            self.level_word()
        );
        json_text(&parts.message, &mut line);
        for (name, value) in &parts.fields {
            line.push(',');
            json_text(name, &mut line);
            line.push(':');
            json_text(value, &mut line);
        }
        line.push('}');
        line
    }
}

fn json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn line(format: LogFormat, level: LogLevel) -> String {
        let timestamp = LogTimestamp::Milliseconds;
        let form = Form { pid: 7, role: Role::Primary, level, format, timestamp };
        let parts =
            Parts { message: "a \"q\" b\\c\td".into(), fields: vec![("path", "x y".into())] };
        form.line(&parts, 1_795_223_106_123)
    }

    #[test]
    fn lines_have_the_form_of_their_format() {
        assert_eq!(
            line(LogFormat::Legacy, LogLevel::Notice),
            "7:M 1795223106123 * a \"q\" b\\c\td path=x y\n"
        );
        assert_eq!(
            line(LogFormat::Logfmt, LogLevel::Verbose),
            "pid=7 role=primary timestamp=\"1795223106123\" level=info \
             message=\"a 'q' b\\c\td\" path=\"x y\"\n"
        );
        assert_eq!(
            line(LogFormat::Json, LogLevel::Warning),
            "{\"pid\":7,\"role\":\"primary\",\"timestamp\":\"1795223106123\",\
             \"level\":\"warning\",\"message\":\"a \\\"q\\\" b\\\\c\\td\",\"path\":\"x y\"}\n"
        );
    }

    #[test]
    fn each_level_has_its_mark() {
        for (level, mark) in LEVELS.into_iter().zip([" . ", " - ", " * ", " # "]) {
            assert!(line(LogFormat::Legacy, level).contains(mark), "{level:?}");
        }
    }

    #[test]
    fn the_level_changes_while_running() {
        let path = std::env::temp_dir().join(format!("ochre-log-{}", std::process::id()));
        let mut config = Config { logfile: path.to_str().unwrap().to_owned(), ..Config::default() };
        let log = Log::open(&config).unwrap();
        let subscriber = tracing_subscriber::registry().with(log.layer());
        tracing::subscriber::with_default(subscriber, || {
            for (level, role) in [
                (LogLevel::Notice, Role::Child),
                (LogLevel::Debug, Role::Replica),
                (LogLevel::Nothing, Role::Primary),
            ] {
                config.loglevel = level;
                log.apply(&config);
                log.set_role(role);
                tracing::warn!("warning");
                tracing::info!("notice");
                tracing::debug!("verbose");
                tracing::trace!("debug {}", 1);
                tracing::error!(target: "tokio", "not ours");
            }
        });
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let shown: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
        let ends = ["# warning", "* notice", "# warning", "* notice", "- verbose", ". debug 1"];
        assert_eq!(shown.len(), ends.len(), "{text}");
        for (at, ((who, rest), end)) in shown.iter().zip(ends).enumerate() {
            assert!(who.ends_with(if at < 2 { ":C" } else { ":S" }) && rest.ends_with(end));
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let config = Config { logfile: "/nope/x.log".into(), ..Config::default() };
        assert!(Log::open(&config).is_err());
    }
}
