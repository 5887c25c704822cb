//! Laws that every command row keeps, checked on a whole engine without sockets.
//!
//! Calls are made from each row's own grammar. A row whose call would end, stop or alter the
//! process rather than the data is left out by name, with the reason.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use ochre::base::time::{MonotonicMicros, Now};
use ochre::command::spec::{Arg, ArgKind, Group, READONLY, Spec, WRITE};
use ochre::config::{Config, Field};
use ochre::engine::append::files::{BaseJob, BaseReport, LogFigures, LogFiles, LogPart, LogTurn};
use ochre::engine::away::LongRead;
use ochre::engine::client::{ClientKey, Origin};
use ochre::engine::outside::{
    AllocatorFigures, Compacting, FreeingFigures, Outside, ProcessFigures,
};
use ochre::engine::persist::disk::{Disk, Feed, LoadJob, SaveJob, SaveOutcome};
use ochre::engine::registry::{Row, Run};
use ochre::engine::{Engine, Setup};
use ochre::keyspace::graveyard::Garbage;
use ochre::protocol::decode::{DecodeLimits, Decoder};
use ochre::protocol::frame::Frame;
use ochre::protocol::request::Batch;

/// Rows that are not called, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("shutdown", "ends the process"),
    ("debug", "some of its words end the process"),
    ("quit", "closes the connection"),
    ("client|reply", "takes replies away"),
    ("client|kill", "closes the connection"),
    ("client|pause", "puts the next call off"),
    ("monitor", "shows every further call"),
    ("multi", "queues every further call"),
    ("reset", "goes back to RESP2"),
    ("hello", "changes the dialect"),
];

/// A world where nothing happens.
#[derive(Debug)]
struct Nowhere;

impl Outside for Nowhere {
    fn memory_used(&self) -> usize {
        0
    }
    fn process(&self) -> ProcessFigures {
        ProcessFigures::default()
    }
    fn allocator(&self) -> AllocatorFigures {
        AllocatorFigures::default()
    }
    fn allocator_control(&mut self, _: &str, _: Option<i64>) -> Result<i64, String> {
        Err(String::new())
    }
    fn allocator_text(&self, _: &str) -> Result<String, String> {
        Err(String::new())
    }
    fn allocator_call(&mut self, _: &str) -> Result<(), String> {
        Err(String::new())
    }
    fn allocator_report(&self) -> String {
        String::new()
    }
    fn send_away(&mut self, read: LongRead) {
        panic!("nothing here is long: {read:?}");
    }
    fn purge(&mut self) {}
    fn allocator_name(&self) -> String {
        "none".into()
    }
    fn system(&self) -> String {
        "nowhere".into()
    }
    fn apply(&mut self, _: &Config, _: &[Field]) -> Result<(), (Field, String)> {
        Ok(())
    }
    fn disk(&mut self) -> &mut dyn Disk {
        self
    }
    fn log_files(&mut self) -> &mut dyn LogFiles {
        self
    }
    fn log_figures(&self) -> LogFigures {
        LogFigures::default()
    }
    fn working_dir(&self) -> String {
        "/".into()
    }
    fn read_config_file(&mut self, _: &str) -> std::io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn write_config_file(&mut self, _: &str, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
    fn free(&mut self, _: Vec<Garbage>) {}
    fn freeing(&self) -> FreeingFigures {
        FreeingFigures::default()
    }
    fn compact(&mut self, work: Compacting<'_>) {
        work(self, &mut |_| true);
    }
    fn connection_bytes(&self) -> usize {
        0
    }
    fn sleep_us(&mut self, _: u64) {}
    fn ticks(&self) -> u64 {
        0
    }
    fn nanos_per_tick(&self) -> u64 {
        1 << 32
    }
    fn crash(&mut self, how: &str) {
        panic!("nothing here asks for {how}");
    }
    fn entropy(&mut self) -> u64 {
        7
    }
}

/// A disk that takes everything and keeps nothing.
impl Disk for Nowhere {
    fn save_later(&mut self, _: SaveJob) -> Result<(), String> {
        Ok(())
    }
    fn save_now(&mut self, _: SaveJob) -> SaveOutcome {
        Ok(0)
    }
    fn stop_saving(&mut self) {}
    fn load(&mut self, _: LoadJob) -> Result<Option<Box<dyn Feed>>, String> {
        Ok(None)
    }
}

/// A log that takes everything and keeps nothing.
impl LogFiles for Nowhere {
    fn parts(&mut self) -> Result<Vec<LogPart>, String> {
        Ok(Vec::new())
    }
    fn read(&mut self, _: &LogPart, _: u64) -> Result<Box<dyn std::io::Read>, String> {
        Err("there is none".into())
    }
    fn open(&mut self, _: Option<u64>, _: BaseJob) -> Result<(), String> {
        Ok(())
    }
    fn write(&mut self, _: &mut Vec<u8>, _: &LogTurn) {}
    fn tick(&mut self, _: &LogTurn) {}
    fn settle(&mut self) -> bool {
        true
    }
    fn begin_base(&mut self, _: BaseJob) -> Result<(), String> {
        Ok(())
    }
    fn adopt_base(&mut self, _: &BaseReport) -> Result<(), String> {
        Ok(())
    }
    fn stop_base(&mut self) {}
    fn close(&mut self) {}
    fn figures(&self) -> LogFigures {
        LogFigures::default()
    }
    fn slow_down(&mut self, _: u64) {}
}

struct Bench {
    engine: Engine,
    client: ClientKey,
}

impl Bench {
    fn new() -> Self {
        let now = Now { unix_us: 1_700_000_000_000_000, monotonic: MonotonicMicros(1) };
        let mut engine = Engine::new(Setup {
            config: Config::default(),
            seed: 1,
            run_id: "0".repeat(40),
            pid: 1,
            executable: String::new(),
            config_file: String::new(),
            outside: Box::new(Nowhere),
            now,
        });
        let client = engine.connect(Origin { is_loopback: true, ..Origin::default() }).unwrap();
        Self { engine, client }
    }

    /// All replies to one request, as they go over the wire.
    fn call(&mut self, words: &[&str]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
        let mut batch = Batch::default();
        let limits = DecodeLimits { bulk_len_max: 1 << 29, is_trusted: true };
        Decoder::default().decode(&bytes, &limits, &mut batch);
        assert_eq!(batch.requests.len(), 1, "{words:?}");
        self.engine.serve(self.client, &bytes, &batch);
        self.engine.take_effects();
        let output = self.engine.output(self.client).unwrap();
        let reply = output.slices().collect::<Vec<_>>().concat();
        output.clear();
        reply
    }

    fn dirty(&self) -> u64 {
        self.engine.keyspace.journal().dirty()
    }

    /// Names and specs of all rows that can be called.
    fn rows(&self) -> Vec<(String, Spec, bool)> {
        let rows = self.engine.registry.rows().iter();
        rows.filter(|row| !matches!(row.run, Run::Container | Run::Help(_)))
            .filter(|row| !LEFT_OUT.iter().any(|(name, _)| *name == &*row.full_name))
            .map(|row: &Row| (row.full_name.to_string(), row.spec, row.spec.keys.is_empty()))
            .collect()
    }
}

/// The shortest call that the grammar allows, with `key` wherever a key stands.
fn example(name: &str, spec: &Spec, key: &str) -> Vec<String> {
    let mut words: Vec<String> = name.split('|').map(str::to_owned).collect();
    spell(spec.args, key, &mut words);
    let least = spec.arity.signed().unsigned_abs() as usize;
    while words.len() < least {
        words.push("1".into());
    }
    words
}

fn spell(args: &[Arg], key: &str, words: &mut Vec<String>) {
    for arg in args.iter().filter(|arg| !arg.is_optional) {
        if let Some(token) = arg.token {
            words.push(token.into());
        }
        match arg.kind {
            ArgKind::Key => words.push(key.into()),
            ArgKind::PureToken => {}
            ArgKind::OneOf => spell(&arg.parts[..1], key, words),
            ArgKind::Block => spell(arg.parts, key, words),
            ArgKind::Text | ArgKind::Pattern => words.push("x".into()),
            ArgKind::Integer | ArgKind::Double | ArgKind::UnixTime => words.push("1".into()),
        }
    }
}

fn call_row(bench: &mut Bench, name: &str, spec: &Spec) -> Vec<u8> {
    let words = example(name, spec, "key");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    bench.call(&words)
}

#[test]
fn every_row_is_documented() {
    for (name, spec, _) in Bench::new().rows() {
        assert!(spec.summary.ends_with('.'), "{name}: the summary is a sentence");
        assert!(!spec.since.is_empty(), "{name}: a version brought it");
    }
}

#[test]
fn wrong_arity_is_refused_by_name() {
    let mut bench = Bench::new();
    for (name, spec, _) in bench.rows() {
        let depth = name.split('|').count();
        let signed = spec.arity.signed();
        let count = if signed > 0 { signed + 1 } else { -signed - 1 };
        let count = usize::try_from(count).unwrap();
        if count < depth {
            continue;
        }
        let mut words: Vec<&str> = name.split('|').collect();
        words.resize(count, "1");
        let reply = String::from_utf8(bench.call(&words)).unwrap();
        // An EXEC that is refused, for whatever reason, ends its transaction.
        let code =
            if name == "exec" { "EXECABORT Transaction discarded because of:" } else { "ERR" };
        let expected = format!("-{code} wrong number of arguments for '{name}' command\r\n");
        assert_eq!(reply, expected, "{words:?}");
    }
}

#[test]
fn every_call_gets_one_reply_in_both_dialects() {
    for version in ["2", "3"] {
        let mut bench = Bench::new();
        bench.call(&["HELLO", version]);
        for (name, spec, _) in bench.rows() {
            bench.call(&["SET", "key", "10"]);
            let reply = call_row(&mut bench, &name, &spec);
            let (_, length) = Frame::parse(&reply)
                .unwrap()
                .unwrap_or_else(|| panic!("{name}: an incomplete reply: {}", reply.escape_ascii()));
            assert_eq!(length, reply.len(), "{name}: {}", reply.escape_ascii());
        }
    }
}

#[test]
fn readers_change_nothing() {
    let mut bench = Bench::new();
    bench.call(&["SET", "key", "10"]);
    for (name, spec, _) in bench.rows() {
        if spec.flags.has(WRITE) {
            continue;
        }
        let (before, keys) = (bench.dirty(), bench.engine.keyspace.len());
        call_row(&mut bench, &name, &spec);
        assert_eq!((bench.dirty(), bench.engine.keyspace.len()), (before, keys), "{name}");
    }
}

#[test]
fn flags_agree_with_the_key_specs() {
    for (name, spec, has_no_keys) in Bench::new().rows() {
        let changes = spec.keys.iter().any(|key| {
            key.access.iter().any(|access| matches!(*access, "insert" | "update" | "delete"))
        });
        // What a script does to its keys is up to the script.
        let is_known = spec.group != Group::Scripting;
        let is_writer = spec.flags.has(WRITE);
        assert!(!changes || is_writer || !is_known, "{name} changes keys but is no writer");
        assert!(!(spec.flags.has(WRITE) && spec.flags.has(READONLY)), "{name} is both");
        let names_a_key = spec.args.iter().any(|arg| arg.kind == ArgKind::Key);
        assert!(!names_a_key || !has_no_keys, "{name} takes a key without a key spec");
    }
}

#[test]
fn memory_is_refused_to_those_who_ask_for_more() {
    let mut bench = Bench::new();
    bench.call(&["CONFIG", "SET", "maxmemory", "1"]);
    let reply = bench.call(&["GET", "key"]);
    assert_eq!(reply, b"$-1\r\n");
}

#[test]
fn a_stranger_may_only_authenticate() {
    let mut bench = Bench::new();
    assert_eq!(bench.call(&["CONFIG", "SET", "requirepass", "secret"]), b"+OK\r\n");
    bench.client = bench.engine.connect(Origin { is_loopback: true, ..Origin::default() }).unwrap();
    for (name, spec, _) in bench.rows() {
        if spec.flags.has(ochre::command::spec::NO_AUTH) {
            continue;
        }
        let reply = call_row(&mut bench, &name, &spec);
        let reply = String::from_utf8(reply).unwrap();
        // An EXEC that is refused, for whatever reason, ends its transaction.
        let abort = "EXECABORT Transaction discarded because of: ";
        let abort = if name == "exec" { abort } else { "" };
        assert_eq!(reply, format!("-{abort}NOAUTH Authentication required.\r\n"), "{name}");
    }
    assert_eq!(bench.call(&["AUTH", "secret"]), b"+OK\r\n");
}
