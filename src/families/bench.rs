//! Runs commands against a keyspace of its own, for the tests of the families.
//!
//! A conversation is a list of lines `command => reply`. Replies are written as
//! `+OK`, `-ERR text`, `:1`, `"bulk"`, `nil`, `[array of them]`, `{map of them}`; `waits` is none.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use crate::base::blob::Blob;
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{CmdResult, DataLimits, EncodingLimits, Flow, ReadCx, WriteCx};
use crate::command::propagate::Telling;
use crate::command::spec::{Command, DataRun};
use crate::keyspace::{DbIndex, Keyspace};
use crate::protocol::error::ReplyError;
use crate::protocol::reply::{Dialect, Output, Reply};
use crate::protocol::request::Span;

/// A keyspace, a clock and a client's settings.
pub(super) struct Bench {
    pub(super) keyspace: Keyspace,
    pub(super) now: UnixMillis,
    pub(super) db: DbIndex,
    pub(super) dialect: Dialect,
    pub(super) limits: DataLimits,
    rng: fastrand::Rng,
    telling: Telling,
}

impl Bench {
    /// Sixteen empty databases, in November 2026.
    pub(super) fn new() -> Self {
        Self {
            keyspace: Keyspace::new(16, 7),
            now: UnixMillis(1_795_000_000_000),
            db: DbIndex(0),
            dialect: Dialect::Resp2,
            limits: DataLimits {
                bulk_len_max: 512 << 20,
                lazy_user_flush: false,
                counts_frequency: false,
                shares_integers: true,
                compresses_payloads: true,
                ignores_checksums: false,
                takes_any_version: false,
                encodings: EncodingLimits::default(),
            },
            rng: fastrand::Rng::with_seed(7),
            telling: Telling::default(),
        }
    }

    /// Asks every line's command and compares the reply.
    pub(super) fn check(&mut self, conversation: &[&str]) {
        for line in conversation {
            let (command, expected) = line.split_once(" => ").expect("a line has a reply");
            assert_eq!(self.run(command.trim()), expected.trim(), "{command}");
        }
    }

    /// The reply to a command written on one line; quotes and backslashes as in Rust.
    pub(super) fn run(&mut self, line: &str) -> String {
        let words = split(line);
        self.call(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// The reply to a command.
    pub(super) fn call(&mut self, words: &[&[u8]]) -> String {
        let mut buffer = Vec::new();
        let spans: Vec<Span> = words
            .iter()
            .map(|word| {
                let start = u32::try_from(buffer.len()).unwrap();
                buffer.extend_from_slice(word);
                Span { start, end: u32::try_from(buffer.len()).unwrap() }
            })
            .collect();
        let large: [Blob; 0] = [];
        let args = Args::new(&buffer, &spans, &large);
        let mut output = Output::default();
        let result = match find(words) {
            Some(row) if row.spec.arity.admits(words.len()) => {
                self.dispatch(row.run, args, &mut output)
            }
            _ => Err(ReplyError::WrongArity(
                String::from_utf8_lossy(words[0]).to_ascii_lowercase().into(),
            )),
        };
        if let Ok(Flow::Wait(_)) = result {
            assert!(output.is_empty(), "who waits has said nothing");
            return "waits".into();
        }
        if let Err(error) = result {
            assert!(output.is_empty(), "an error is the whole reply");
            Reply::new(&mut output, self.dialect).error(&error);
        }
        let bytes: Vec<u8> = output.slices().flatten().copied().collect();
        let mut rest = bytes.as_slice();
        let shown = show(&mut rest);
        assert!(rest.is_empty(), "one command, one reply");
        shown
    }

    fn dispatch(&mut self, run: DataRun, args: Args<'_>, output: &mut Output) -> CmdResult {
        let reply = Reply::new(output, self.dialect);
        let limits = &self.limits;
        match run {
            DataRun::Read(handler) => {
                let keys = self.keyspace.reader(self.db, self.now);
                let here_max = usize::MAX;
                handler(&mut ReadCx {
                    args,
                    reply,
                    keys,
                    limits,
                    rng: &mut self.rng,
                    here_max,
                    in_script: false,
                })
            }
            DataRun::Write(handler) | DataRun::Refresh(handler) => {
                let keys = self.keyspace.writer(self.db, self.now);
                let here_max = usize::MAX;
                let in_script = false;
                let (rng, telling) = (&mut self.rng, &mut self.telling);
                handler(&mut WriteCx {
                    args,
                    reply,
                    keys,
                    limits,
                    rng,
                    here_max,
                    telling,
                    in_script,
                })
            }
            DataRun::Container | DataRun::Help(_) => panic!("the engine answers these"),
        }
    }
}

fn find(words: &[&[u8]]) -> Option<&'static Command<DataRun>> {
    let named = |rows: &'static [Command<DataRun>], name: &[u8]| {
        rows.iter().find(|row| name.eq_ignore_ascii_case(row.spec.name.as_bytes()))
    };
    let row = super::TABLES.iter().find_map(|table| named(table, words[0]))?;
    if row.subcommands.is_empty() { Some(row) } else { named(row.subcommands, words.get(1)?) }
}

fn split(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let word;
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').expect("a quote is closed");
            word = &quoted[..end];
            rest = &quoted[end + 1..];
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            (word, rest) = rest.split_at(end);
        }
        words.push(unescape(word));
        rest = rest.trim_start();
    }
    words
}

fn unescape(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word;
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        bytes.push(u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap());
        rest = &rest[at + 4..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Writes one value of RESP as the lines of a conversation do.
fn show(rest: &mut &[u8]) -> String {
    let end = rest.windows(2).position(|pair| pair == b"\r\n").unwrap();
    let line = std::str::from_utf8(&rest[..end]).unwrap();
    *rest = &rest[end + 2..];
    let mut list = |open: &str, close: &str, len: usize| {
        let items: Vec<String> = (0..len).map(|_| show(rest)).collect();
        format!("{open}{}{close}", items.join(" "))
    };
    match line.split_at(1) {
        ("$" | "*", "-1") | ("_", _) => "nil".into(),
        ("*" | "~", len) => list("[", "]", len.parse().unwrap()),
        ("%", len) => list("{", "}", len.parse::<usize>().unwrap() * 2),
        ("$", len) => {
            let len: usize = len.parse().unwrap();
            let text = rest[..len].escape_ascii().to_string();
            *rest = &rest[len + 2..];
            format!("\"{text}\"")
        }
        _ => line.into(),
    }
}
