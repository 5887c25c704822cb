//! The engine as a function: requests go in, replies come out, the world is made up.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::cell::RefCell;
use std::rc::Rc;

use super::append::files::{LogFigures, LogFiles};
use super::append::tests::MadeUpLog;
use super::away::LongRead;
use super::client::{ClientKey, Origin};
use super::dispatch::Next;
use super::outside::{AllocatorFigures, Compacting, FreeingFigures, Outside, ProcessFigures};
use super::persist::disk::Disk;
use super::persist::tests::MadeUpDisk;
use super::{Effect, Engine, Setup};
use crate::base::time::{MonotonicMicros, Now};
use crate::config::{Config, Field};
use crate::keyspace::graveyard::Garbage;
use crate::protocol::request::{Batch, Request, Span};

/// What the world holds and does.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) memory_used: usize,
    pub(super) ticks: u64,
    /// Nanoseconds that a look at the clock takes, beyond the first.
    pub(super) pace: u64,
    file: Vec<u8>,
    refused: Option<Field>,
    slept_us: u64,
    /// The append-only file.
    pub(super) log: MadeUpLog,
    /// What workers are to do.
    pub(super) away: Vec<LongRead>,
    /// What the disk was asked for.
    pub(super) disk: MadeUpDisk,
}

#[derive(Clone, Debug, Default)]
pub(super) struct World(pub(super) Rc<RefCell<State>>);

impl Outside for World {
    fn memory_used(&self) -> usize {
        self.0.borrow().memory_used
    }
    fn process(&self) -> ProcessFigures {
        ProcessFigures::default()
    }
    fn allocator(&self) -> AllocatorFigures {
        AllocatorFigures::default()
    }
    fn allocator_control(&mut self, name: &str, new: Option<i64>) -> Result<i64, String> {
        if name == "arenas.page" { Ok(new.unwrap_or(4096)) } else { Err("Not known".to_owned()) }
    }
    fn allocator_text(&self, name: &str) -> Result<String, String> {
        if name == "version" { Ok("5.0".to_owned()) } else { Err("Not known".to_owned()) }
    }
    fn allocator_call(&mut self, name: &str) -> Result<(), String> {
        if name == "purge" { Ok(()) } else { Err("Not known".to_owned()) }
    }
    fn allocator_report(&self) -> String {
        String::new()
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
    fn send_away(&mut self, read: LongRead) {
        self.0.borrow_mut().away.push(read);
    }
    fn purge(&mut self) {}
    fn allocator_name(&self) -> String {
        "none".into()
    }
    fn system(&self) -> String {
        "none".into()
    }
    fn apply(&mut self, _: &Config, changed: &[Field]) -> Result<(), (Field, String)> {
        match self.0.borrow().refused {
            Some(field) if changed.contains(&field) => Err((field, "no".into())),
            _ => Ok(()),
        }
    }
    fn disk(&mut self) -> &mut dyn Disk {
        self
    }
    fn log_files(&mut self) -> &mut dyn LogFiles {
        self
    }
    fn log_figures(&self) -> LogFigures {
        self.0.borrow().log.figures.clone()
    }
    fn working_dir(&self) -> String {
        "/".into()
    }
    fn read_config_file(&mut self, _: &str) -> std::io::Result<Vec<u8>> {
        Ok(self.0.borrow().file.clone())
    }
    fn write_config_file(&mut self, _: &str, text: &[u8]) -> std::io::Result<()> {
        self.0.borrow_mut().file = text.to_vec();
        Ok(())
    }
    fn sleep_us(&mut self, micros: u64) {
        let mut state = self.0.borrow_mut();
        state.slept_us += micros;
        state.ticks += micros * 1000;
    }
    /// A tick is a nanosecond, and every look takes one at least.
    fn ticks(&self) -> u64 {
        let mut state = self.0.borrow_mut();
        state.ticks += 1 + state.pace;
        state.ticks
    }
    fn nanos_per_tick(&self) -> u64 {
        1 << 32
    }
    fn crash(&mut self, _: &str) {}
    fn entropy(&mut self) -> u64 {
        7
    }
}

/// Words parted by blanks; `''` is an empty one.
fn words_of(line: &str) -> Vec<&str> {
    line.split(' ').map(|word| if word == "''" { "" } else { word }).collect()
}

/// An engine between made-up sockets and a made-up world.
pub(super) struct Stage {
    pub(super) engine: Engine,
    pub(super) world: World,
}

impl Stage {
    pub(super) fn new(directives: &[(&str, &str)]) -> Self {
        Self::seeded(1, directives)
    }

    pub(super) fn seeded(seed: u64, directives: &[(&str, &str)]) -> Self {
        let mut config = Config::default();
        for (name, value) in directives {
            let field = Field::of(name.as_bytes()).unwrap();
            let source = crate::config::kinds::Source::File;
            config.assign(field, &[value.as_bytes()], source).unwrap();
        }
        let world = World::default();
        let now = Now { unix_us: 1_000_000_000_000, monotonic: MonotonicMicros(1_000_000) };
        let engine = Engine::new(Setup {
            config,
            seed,
            run_id: "f".repeat(40),
            pid: 1,
            executable: String::new(),
            config_file: "/made-up.conf".into(),
            outside: Box::new(world.clone()),
            now,
        });
        Self { engine, world }
    }

    pub(super) fn connect(&mut self) -> ClientKey {
        let origin = Origin { addr: "1.2.3.4:5".into(), is_loopback: true, ..Origin::default() };
        self.engine.connect(origin).unwrap()
    }

    pub(super) fn pass_ms(&mut self, millis: u64) {
        self.engine.now.unix_us += i64::try_from(millis).unwrap() * 1000;
        self.engine.now.monotonic.0 += millis * 1000;
    }

    /// Sends one request; words are parted by blanks, `''` is an empty one. How it went on, and
    /// what is in the client's output.
    pub(super) fn send(&mut self, key: ClientKey, line: &str) -> (Next, String) {
        let words = words_of(line);
        self.send_words(key, &words)
    }

    /// Sends one request of these words.
    pub(super) fn send_words(&mut self, key: ClientKey, words: &[&str]) -> (Next, String) {
        let next = self.serve(key, words);
        (next, self.read(key))
    }

    /// Sends one request of words that need not be text; the bytes of its reply.
    pub(super) fn send_bytes(&mut self, key: ClientKey, words: &[&[u8]]) -> Vec<u8> {
        self.serve(key, words);
        self.engine.deliver();
        let Some(output) = self.engine.output(key) else { return b"gone".to_vec() };
        let bytes = output.slices().flatten().copied().collect();
        output.clear();
        bytes
    }

    /// The same, but what others are to be told waits.
    pub(super) fn tell(&mut self, key: ClientKey, line: &str) -> String {
        self.serve(key, &words_of(line));
        self.take(key)
    }

    fn serve(&mut self, key: ClientKey, words: &[impl AsRef<[u8]>]) -> Next {
        let mut bytes = Vec::new();
        let mut batch = Batch::default();
        for word in words {
            let start = u32::try_from(bytes.len()).unwrap();
            bytes.extend_from_slice(word.as_ref());
            batch.spans.push(Span { start, end: u32::try_from(bytes.len()).unwrap() });
        }
        let count = u32::try_from(batch.spans.len()).unwrap();
        let ends_at = u32::try_from(bytes.len()).unwrap();
        batch.requests.push(Request { first: 0, count, ends_at });
        self.engine.serve(key, &bytes, &batch).next
    }

    /// Takes what is in a client's output.
    pub(super) fn read(&mut self, key: ClientKey) -> String {
        self.engine.deliver();
        self.take(key)
    }

    fn take(&mut self, key: ClientKey) -> String {
        let Some(output) = self.engine.output(key) else { return "gone".into() };
        let text = output.slices().flatten().copied().collect::<Vec<u8>>();
        output.clear();
        String::from_utf8_lossy(&text).replace("\r\n", " ").trim_end().to_owned()
    }

    pub(super) fn check(&mut self, key: ClientKey, lines: &[(&str, &str)]) {
        for (line, expected) in lines {
            assert_eq!(self.send(key, line).1, *expected, "{line}");
        }
    }

    pub(super) fn ask(&mut self, key: ClientKey, line: &str) -> String {
        self.send(key, line).1
    }
}

#[test]
fn transactions_run_as_one_or_not_at_all() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.check(
        key,
        &[
            ("exec", "-ERR EXEC without MULTI"),
            ("discard", "-ERR DISCARD without MULTI"),
            ("multi", "+OK"),
            ("multi", "-ERR MULTI calls can not be nested"),
            ("watch a", "-ERR WATCH inside MULTI is not allowed"),
            ("set a 1", "+QUEUED"),
            ("incr a", "+QUEUED"),
            ("setrange a x y", "+QUEUED"),
            ("exec", "*3 +OK :2 -ERR value is not an integer or out of range"),
            ("multi", "+OK"),
            ("incr a", "+QUEUED"),
            ("nosuch", "-ERR unknown command 'nosuch', with args beginning with:"),
            ("exec", "-EXECABORT Transaction discarded because of previous errors."),
            ("multi", "+OK"),
            ("incr a", "+QUEUED"),
            ("discard", "+OK"),
            ("get a", "$1 2"),
            ("multi", "+OK"),
            ("exec", "*0"),
            ("multi", "+OK"),
            (
                "exec now",
                "-EXECABORT Transaction discarded because of: wrong number of arguments for \
                 'exec' command",
            ),
            ("exec", "-ERR EXEC without MULTI"),
        ],
    );
}

#[test]
fn exec_depends_on_what_is_watched() {
    let mut stage = Stage::new(&[]);
    let (one, other) = (stage.connect(), stage.connect());
    let attempts: &[(&str, &str, &str)] = &[
        // What is there at first, what another client does, what EXEC says.
        ("set k v", "get k", "*1 $1 v"),
        ("set k v", "set k v", "*-1"),
        ("set k v", "append j v", "*1 $1 v"),
        ("set k v", "expire k 100", "*-1"),
        ("set k v", "del k", "*-1"),
        ("set k v", "flushall", "*-1"),
        ("del k", "flushall", "*1 $-1"),
        ("del k", "del k", "*1 $-1"),
        ("del k", "set k v", "*-1"),
        ("set k v", "swapdb 0 1", "*-1"),
        ("del k", "swapdb 2 3", "*1 $-1"),
    ];
    for (first, change, outcome) in attempts {
        stage.ask(one, "flushall");
        stage.ask(one, first);
        stage.check(one, &[("watch k", "+OK")]);
        stage.ask(other, change);
        stage.check(one, &[("multi", "+OK"), ("get k", "+QUEUED")]);
        assert_eq!(stage.ask(one, "exec"), *outcome, "{first}, {change}");
    }
    assert!(stage.engine.watchers.is_empty(), "EXEC forgets what was watched");

    stage.check(one, &[("set k v", "+OK"), ("watch k", "+OK"), ("unwatch", "+OK")]);
    stage.ask(other, "set k w");
    stage.check(one, &[("multi", "+OK"), ("get k", "+QUEUED"), ("exec", "*1 $1 w")]);
}

#[test]
fn a_watched_key_that_ends_is_a_change() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.check(key, &[("set k v px 50", "+OK"), ("watch k", "+OK"), ("multi", "+OK")]);
    stage.pass_ms(50);
    stage.check(key, &[("get k", "+QUEUED"), ("exec", "*-1")]);
    // One that was over its time already when it was looked at was not there.
    stage.check(key, &[("set k v px 50", "+OK")]);
    stage.pass_ms(50);
    stage.check(key, &[("watch k", "+OK"), ("multi", "+OK")]);
    stage.engine.expire();
    stage.check(key, &[("get k", "+QUEUED"), ("exec", "*1 $-1")]);
}

#[test]
fn replies_can_be_switched_off() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.check(
        key,
        &[
            ("client reply skip", ""),
            ("ping", ""),
            ("ping", "+PONG"),
            ("client reply skip", ""),
            ("client reply on", "+OK"),
            ("ping", "+PONG"),
            ("client reply off", ""),
            ("ping", ""),
            ("nosuch", ""),
            ("client reply on", "+OK"),
            ("client reply maybe", "-ERR syntax error"),
        ],
    );
}

#[test]
fn clients_are_found_and_ended_by_filters() {
    let mut stage = Stage::new(&[]);
    let (one, other) = (stage.connect(), stage.connect());
    stage.check(other, &[("client setname x", "+OK"), ("select 3", "+OK")]);
    for (filter, count) in [
        ("", 2),
        ("name x", 1),
        ("not-name x", 1),
        ("db 3", 1),
        ("id 2 1 9", 2),
        ("ip 1.2.3.4", 2),
        ("ip 1.2.3.5", 0),
        ("skipme yes", 1),
        ("flags N type normal", 2),
        ("maxage 1", 0),
    ] {
        let line = format!("client list {filter}");
        let list = stage.ask(one, line.trim_end());
        assert_eq!(list.matches("id=").count(), count, "{filter}");
    }
    stage.check(
        one,
        &[
            ("client list maxage x", "-ERR maxage is not an integer or out of range"),
            ("client list db 16", "-ERR DB number should be between 0 and 15"),
            ("client list id x", "-ERR Invalid client ID"),
            ("client kill id x", "-ERR client-id should be greater than 0"),
            ("client kill user nobody", "-ERR No such user 'nobody'"),
            ("client kill name x name", "-ERR syntax error"),
            ("client kill 9.9.9.9:9", "-ERR No such client"),
            ("client kill name x", ":1"),
            ("client kill name x", ":0"),
        ],
    );
    assert_eq!(stage.engine.take_effects().last(), Some(&Effect::Close(other)));
    assert_eq!(stage.engine.present_client_count(), 1);
    assert_eq!(stage.send(one, "client kill skipme no"), (Next::Close, ":1".into()));
}

#[test]
fn a_pause_holds_writers_back() {
    let mut stage = Stage::new(&[]);
    let (one, other) = (stage.connect(), stage.connect());
    stage.engine.take_effects();
    stage.check(one, &[("client pause 1000 write", "+OK"), ("get k", "$-1")]);
    assert_eq!(stage.send(other, "set k v"), (Next::Hold, String::new()));
    assert!(stage.ask(one, "info clients").contains("blocked_clients:1 "));
    stage.pass_ms(999);
    stage.engine.expire();
    assert!(!stage.engine.has_effects());
    stage.pass_ms(1);
    stage.engine.expire();
    assert_eq!(stage.engine.take_effects(), [Effect::Resume(other)]);
    assert_eq!(stage.send(other, "set k v"), (Next::Read, "+OK".into()));
}

#[test]
fn config_set_changes_all_or_nothing() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    let failed = "-ERR CONFIG SET failed (possibly related to argument";
    let refusals = [
        ("maxmemory 1mb hz x", "'hz') - argument couldn't be parsed into an integer"),
        ("maxmemory 1mb databases 3", "'databases') - can't set immutable config"),
        ("maxmemory 1mb dir /", "'dir') - can't set protected config"),
        ("maxmemory 1mb maxmemory 2mb", "'maxmemory') - duplicate parameter"),
        ("maxmemory 1mb port 1", "'port') - no"),
    ];
    stage.world.0.borrow_mut().refused = Some(Field::port);
    for (pairs, why) in refusals {
        let reply = stage.ask(key, &format!("config set {pairs}"));
        assert_eq!(reply, format!("{failed} {why}"));
        stage.check(key, &[("config get maxmemory", "*2 $9 maxmemory $1 0")]);
    }
    stage.check(
        key,
        &[
            ("config set maxmemory", "-ERR wrong number of arguments for 'config|set' command"),
            ("config set maxmemory 1mb hz", "-ERR syntax error"),
            ("config set maxmemory 1mb hz 20", "+OK"),
            ("config get maxmemory HZ", "*4 $9 maxmemory $7 1048576 $2 HZ $2 20"),
            ("config rewrite", "+OK"),
        ],
    );
    let file = String::from_utf8(stage.world.0.borrow().file.clone()).unwrap();
    assert!(file.contains("maxmemory 1mb") && file.contains("hz 20"), "{file}");
}

#[test]
fn slow_commands_are_remembered_without_secrets() {
    let mut stage = Stage::new(&[("slowlog-log-slower-than", "1000")]);
    let key = stage.connect();
    stage.engine.config.enable_debug_command = crate::config::choices::Enabled::Local;
    stage.check(key, &[("debug sleep 0.002", "+OK"), ("ping", "+PONG"), ("slowlog len", ":1")]);
    assert_eq!(stage.world.0.borrow().slept_us, 2000);
    let entry = stage.ask(key, "slowlog get");
    assert!(entry.contains("*3 $5 debug $5 sleep $5 0.002 $9 1.2.3.4:5"), "{entry}");
    stage.check(key, &[("config set slowlog-log-slower-than 0", "+OK"), ("slowlog reset", "+OK")]);
    stage.ask(key, "config set requirepass secret");
    stage.ask(key, "auth secret");
    let entries = stage.ask(key, "slowlog get -1");
    assert!(entries.contains("requirepass $10 (redacted)") && !entries.contains("secret"));
    stage.check(
        key,
        &[
            ("slowlog get -2", "-ERR count should be greater than or equal to -1"),
            ("slowlog get 0", "*0"),
            ("commandlog len large-reply", ":0"),
        ],
    );
}

#[test]
fn delays_are_sampled_from_the_threshold_on() {
    let mut stage = Stage::new(&[("latency-monitor-threshold", "100")]);
    let key = stage.connect();
    stage.engine.config.enable_debug_command = crate::config::choices::Enabled::Yes;
    stage.check(
        key,
        &[
            ("debug sleep 0.05", "+OK"),
            ("latency latest", "*0"),
            ("debug sleep 0.2", "+OK"),
            ("latency latest", "*1 *4 $7 command :1000000 :200 :200"),
            ("latency history command", "*1 *2 :1000000 :200"),
            ("latency reset nosuch", ":0"),
            ("latency reset", ":1"),
            ("latency graph command", "-ERR No samples available for event 'command'"),
        ],
    );
}

#[test]
fn monitors_see_commands_in_their_order() {
    let mut stage = Stage::new(&[]);
    let (watcher, key) = (stage.connect(), stage.connect());
    let refusal = "*1 -ERR MONITOR isn't allowed for DENY BLOCKING client";
    stage.check(watcher, &[("multi", "+OK"), ("monitor", "+QUEUED"), ("exec", refusal)]);
    stage.check(watcher, &[("monitor", "+OK")]);
    for line in ["multi", "set k v", "exec", "config get port", "auth x y"] {
        stage.ask(key, line);
    }
    let seen = stage.read(watcher);
    let words: Vec<&str> =
        seen.split("] ").skip(1).map(|l| l.split(" +").next().unwrap()).collect();
    let expected =
        ["\"multi\"", "\"set\" \"k\" \"v\"", "\"exec\"", "\"auth\" \"(redacted)\" \"(redacted)\""];
    assert_eq!(words, expected);
}

#[test]
fn commands_name_their_keys() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.check(
        key,
        &[
            ("command getkeys mset a 1 b 2", "*2 $1 a $1 b"),
            ("command getkeys memory usage k", "*1 $1 k"),
            ("command getkeys ping", "-ERR The command has no key arguments"),
            ("command getkeys get", "-ERR Invalid number of arguments specified for command"),
            ("command getkeys nosuch", "-ERR Invalid command specified"),
            ("command getkeysandflags set k v", "*1 *2 $1 k *2 +OW +update"),
            ("command getkeysandflags set k v get", "*1 *2 $1 k *3 +RW +access +update"),
            ("command info nosuch", "*1 $-1"),
            ("command foo", "-ERR unknown subcommand 'foo'. Try COMMAND HELP."),
            (
                "command list filterby pattern config|*t",
                "*3 $10 config|get $16 config|resetstat \
              $10 config|set",
            ),
        ],
    );
}

#[test]
fn info_shows_the_sections_asked_for() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    let headings = |text: String| -> Vec<String> {
        text.split("# ").skip(1).map(|part| part.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(headings(stage.ask(key, "info nosuch")), [""; 0]);
    assert_eq!(headings(stage.ask(key, "info cpu CLIENTS cpu")), ["Clients", "CPU"]);
    let by_default = headings(stage.ask(key, "info"));
    assert_eq!(headings(stage.ask(key, "info default")), by_default);
    let all = headings(stage.ask(key, "info everything"));
    assert!(by_default.iter().all(|name| all.contains(name)));
    assert!(all.contains(&"Commandstats".into()) && !by_default.contains(&"Commandstats".into()));
}

#[test]
fn counters_start_again_when_reset() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.ask(key, "get");
    stage.ask(key, "get k");
    stage.ask(key, "nosuch");
    let stats = stage.ask(key, "info commandstats errorstats stats");
    assert!(stats.contains("cmdstat_get:calls=1,usec=0,usec_per_call=0.00,rejected_calls=1"));
    assert!(stats.contains("errorstat_ERR:count=2") && stats.contains("keyspace_misses:1"));
    stage.check(key, &[("config resetstat", "+OK")]);
    let stats = stage.ask(key, "info commandstats errorstats stats");
    assert!(!stats.contains("cmdstat_get:") && !stats.contains("errorstat_"));
    assert!(stats.contains("keyspace_misses:0") && stats.contains("total_error_replies:0"));
}

#[test]
fn debug_must_be_enabled() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    assert!(stage.ask(key, "debug help").starts_with("-ERR DEBUG command not allowed."));
    let mut stage = Stage::new(&[("enable-debug-command", "local")]);
    let key = stage.connect();
    stage.check(
        key,
        &[
            ("debug populate 3 k 9", "+OK"),
            ("dbsize", ":3"),
            ("strlen k:2", ":9"),
            ("debug digest-value nosuch", &format!("*1 +{}", "0".repeat(40))),
            ("debug error FOO", "-FOO"),
            (
                "debug sleep",
                "-ERR unknown subcommand or wrong number of arguments for 'sleep'. Try DEBUG HELP.",
            ),
        ],
    );
    let digest = stage.ask(key, "debug digest");
    stage.check(key, &[("rename k:0 j", "+OK")]);
    assert_ne!(stage.ask(key, "debug digest"), digest);
    stage.check(key, &[("rename j k:0", "+OK"), ("debug digest", &digest)]);
}

#[test]
fn commands_that_need_memory_are_refused_without_it() {
    let mut stage = Stage::new(&[("maxmemory", "1000")]);
    let key = stage.connect();
    stage.check(key, &[("set k v", "+OK")]);
    stage.world.0.borrow_mut().memory_used = 2000;
    let refusal = "-OOM command not allowed when used memory > 'maxmemory'.";
    stage.check(key, &[("set k w", refusal), ("get k", "$1 v"), ("del k", ":1")]);
    stage.check(key, &[("set k v", refusal), ("config set maxmemory-policy allkeys-lru", "+OK")]);
    // There is nothing to remove.
    stage
        .check(key, &[("set k v", refusal), ("config set maxmemory 0", "+OK"), ("set k v", "+OK")]);
}

#[test]
fn keys_go_when_memory_is_short() {
    let mut stage = Stage::new(&[("maxmemory", "1000"), ("maxmemory-policy", "allkeys-random")]);
    let key = stage.connect();
    stage.check(key, &[("mset a 1 b 2 c 3", "+OK")]);
    stage.world.0.borrow_mut().memory_used = 2000;
    // Whatever goes, this made-up world does not get lighter.
    stage.check(key, &[("get a", "$-1"), ("dbsize", ":0")]);
    assert!(stage.ask(key, "info stats").contains("evicted_keys:3 "));
}

#[test]
fn shutdown_takes_options_that_agree() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.engine.take_effects();
    stage.check(
        key,
        &[
            ("shutdown save nosave", "-ERR syntax error"),
            ("shutdown abort now", "-ERR syntax error"),
            ("shutdown abort", "-ERR No shutdown in progress."),
            ("shutdown nosave now", ""),
        ],
    );
    assert_eq!(stage.engine.take_effects(), [Effect::Shutdown]);
}

#[test]
fn debug_asks_the_allocator() {
    let mut stage = Stage::new(&[("enable-debug-command", "yes")]);
    let key = stage.connect();
    stage.check(
        key,
        &[
            ("debug mallctl arenas.page", ":4096"),
            ("debug mallctl arenas.page 8192", ":8192"),
            ("debug mallctl arenas.page x", "-ERR value is not an integer or out of range"),
            ("debug mallctl nope", "-ERR Not known"),
            ("debug mallctl-str version", "$3 5.0"),
            ("debug mallctl-str version 6.0", "-ERR Operation not permitted"),
            ("debug mallctl-str purge VOID", "+OK"),
            ("debug mallctl-str nope VOID", "-ERR Not known"),
        ],
    );
}
