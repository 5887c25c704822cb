//! Data that outlive the process: saves, loads, full disks and sudden ends, with the real binary.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "harness/server.rs"]
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use redis::Connection;
use server::{READY, Server, wait_until};

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ochre-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Names of what is in it, in order.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a failed test leaves is in the machine's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts a server that works in `dir`, and waits until `line` is in its log.
fn start_until(dir: &Path, options: &[&str], line: &str) -> Server {
    let server = launch(dir, options);
    server.wait_for_line(line);
    server
}

fn start(dir: &Path, options: &[&str]) -> Server {
    start_until(dir, options, READY)
}

fn launch(dir: &Path, options: &[&str]) -> Server {
    let own = ["--dir", dir.to_str().unwrap(), "--enable-debug-command", "yes"];
    Server::launch(&[&own, options].concat())
}

fn ask<T: redis::FromRedisValue>(connection: &mut Connection, line: &str) -> T {
    try_to(connection, line).unwrap()
}

fn try_to<T: redis::FromRedisValue>(connection: &mut Connection, line: &str) -> Result<T, String> {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    for word in words {
        command.arg(if word == "''" { "" } else { word });
    }
    command.query(connection).map_err(|error| error.to_string())
}

fn figure(connection: &mut Connection, name: &str) -> String {
    let text: String = ask(connection, "info everything");
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().to_owned()
}

/// One key of every type.
fn fill(connection: &mut Connection) {
    for line in [
        "set text some",
        "set number 12345",
        "set late value px 100000000",
        "rpush list a b c",
        "sadd ints 1 2 3",
        "sadd names a b c",
        "spexpire names 100000000 members 1 a",
        "zadd scores 1 a 2.5 b",
        "zpexpire scores 100000000 members 1 b",
        "hset hash f v g w",
        "xadd stream 1-1 f v",
        "xgroup create stream group 0",
        "function load #!lua\u{a0}name=lib\nredis.register_function('f',function()return\u{a0}7\u{a0}end)",
    ] {
        let mut words = line.split(' ').map(|word| word.replace('\u{a0}', " "));
        let mut command = redis::cmd(&words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        command.query::<redis::Value>(connection).unwrap();
    }
    let big: Vec<String> = (0..3000).map(|number| format!("member{number}")).collect();
    redis::cmd("sadd").arg("members").arg(&big).query::<i64>(connection).unwrap();
    redis::cmd("rpush").arg("elements").arg(&big).query::<i64>(connection).unwrap();
    let pairs: Vec<&String> = big.iter().flat_map(|member| [member, member]).collect();
    redis::cmd("hset").arg("fields").arg(&pairs).query::<i64>(connection).unwrap();
    ask::<String>(connection, "select 3");
    ask::<String>(connection, "set elsewhere too");
    ask::<String>(connection, "select 0");
}

fn digest(connection: &mut Connection) -> String {
    ask(connection, "debug digest")
}

#[test]
fn data_come_back_after_every_kind_of_save() {
    let folder = Folder::new("saves");
    let mut known = String::new();
    for round in ["save", "bgsave", "shutdown", "sigterm", "sigint"] {
        let server = start(&folder.0, &[]);
        let mut client = server.connect();
        if known.is_empty() {
            fill(&mut client);
            known = digest(&mut client);
        }
        assert_eq!(digest(&mut client), known, "before {round}");
        assert_eq!(ask::<i64>(&mut client, "fcall f 0"), 7);
        match round {
            "save" => {
                ask::<String>(&mut client, "save");
                server.signal("KILL");
            }
            "bgsave" => {
                ask::<String>(&mut client, "bgsave");
                server.wait_for_line("Background saving terminated with success");
                server.signal("KILL");
            }
            "shutdown" => drop(try_to::<String>(&mut client, "shutdown")),
            "sigterm" => server.signal("TERM"),
            _ => server.signal("INT"),
        }
        let is_killed = round.contains("save");
        assert_eq!(server.end().success(), !is_killed, "{round}");
        assert_eq!(folder.names(), ["dump.rdb"], "{round}");
    }
}

#[test]
fn deadlines_of_members_are_in_every_log() {
    for preamble in ["yes", "no"] {
        let folder = Folder::new(&format!("members-{preamble}"));
        let options = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
        let options = [&options[..], &["--aof-use-rdb-preamble", preamble]].concat();
        for round in ["written", "replayed", "rewritten", "loaded"] {
            let server = start(&folder.0, &options);
            let mut client = server.connect();
            if round == "written" {
                ask::<i64>(&mut client, "sadd s a b c");
                ask::<i64>(&mut client, "zadd z 1 a 2 b 3 c");
                ask::<Vec<i64>>(&mut client, "spexpireat s 4102444800123 members 2 a b");
                ask::<Vec<i64>>(&mut client, "zpexpireat z 4102444800456 members 2 b c");
                ask::<Vec<i64>>(&mut client, "spersist s members 1 b");
                ask::<Vec<i64>>(&mut client, "zexpire z 0 members 1 c");
            }
            let ends: Vec<i64> = ask(&mut client, "spexpiretime s members 3 a b c");
            assert_eq!(ends, [4_102_444_800_123, -1, -1], "{round}");
            let ends: Vec<i64> = ask(&mut client, "zpexpiretime z members 3 a b c");
            assert_eq!(ends, [-1, 4_102_444_800_456, -2], "{round}");
            if round == "replayed" {
                ask::<String>(&mut client, "bgrewriteaof");
                server.wait_for_line("Background AOF rewrite finished successfully");
            }
            server.signal("KILL");
            assert!(!server.end().success());
        }
    }
}

#[test]
fn changes_during_a_save_are_not_in_it() {
    let folder = Folder::new("during");
    let server = start(&folder.0, &["--rdb-key-save-delay", "300", "--save", ""]);
    let mut client = server.connect();
    ask::<String>(&mut client, "debug populate 1000");
    ask::<String>(&mut client, "bgsave");
    ask::<String>(&mut client, "set key:1 changed");
    ask::<i64>(&mut client, "del key:2");
    ask::<String>(&mut client, "set new key");
    assert_eq!(figure(&mut client, "rdb_bgsave_in_progress"), "1");
    wait_until("progress", || {
        let mut client = server.connect();
        figure(&mut client, "current_save_keys_processed").parse::<u64>().unwrap() > 0
    });
    server.wait_for_line("Background saving terminated with success");
    drop(server);
    let server = start(&folder.0, &["--save", ""]);
    let mut client = server.connect();
    assert_eq!(ask::<i64>(&mut client, "dbsize"), 1000);
    assert_eq!(ask::<String>(&mut client, "get key:1"), "value:1");
    assert_eq!(ask::<i64>(&mut client, "exists key:2 new"), 1);
}

#[test]
fn a_kill_during_a_save_leaves_the_old_file_whole() {
    let folder = Folder::new("killed");
    let server = start(&folder.0, &["--save", ""]);
    let mut client = server.connect();
    ask::<String>(&mut client, "set old value");
    ask::<String>(&mut client, "save");
    let old = fs::read(folder.file("dump.rdb")).unwrap();
    ask::<String>(&mut client, "debug populate 5000");
    ask::<String>(&mut client, "config set rdb-key-save-delay 1000");
    ask::<String>(&mut client, "bgsave");
    wait_until("a second file", || folder.names().len() == 2);
    server.signal("KILL");
    assert!(!server.end().success());
    assert_eq!(fs::read(folder.file("dump.rdb")).unwrap(), old);
    assert_eq!(folder.names().len(), 2, "nobody was left to tidy up");
    let server = start(&folder.0, &["--save", ""]);
    assert!(server.has_logged("cut short"));
    assert_eq!(folder.names(), ["dump.rdb"]);
    assert_eq!(ask::<i64>(&mut server.connect(), "dbsize"), 1);
}

#[test]
fn the_end_stops_a_save_in_the_background() {
    let folder = Folder::new("stopped");
    let options = ["--save", "", "--rdb-key-save-delay", "10000000"];
    let server = start(&folder.0, &options);
    let mut client = server.connect();
    ask::<String>(&mut client, "debug populate 10");
    ask::<String>(&mut client, "bgsave");
    wait_until("a file", || folder.names().len() == 1);
    let started = Instant::now();
    drop(try_to::<String>(&mut client, "shutdown"));
    assert!(server.end().success());
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn loading_answers_and_shows_how_far_it_is() {
    let folder = Folder::new("loading");
    let server = start(&folder.0, &["--save", ""]);
    let mut client = server.connect();
    ask::<String>(&mut client, "debug populate 20000");
    ask::<String>(&mut client, "save");
    drop(server);
    let options = ["--save", "", "--key-load-delay", "50"];
    let server = start_until(&folder.0, &options, "Server initialized");
    let mut client = server.connect();
    let refused = try_to::<String>(&mut client, "get key:1").unwrap_err();
    assert!(refused.contains("Redis is loading the dataset in memory"), "{refused}");
    assert_eq!(figure(&mut client, "loading"), "1");
    wait_until("progress", || {
        let loaded = figure(&mut server.connect(), "loading_loaded_bytes");
        loaded.parse::<u64>().unwrap_or(1) > 0
    });
    assert!(!server.has_logged("Ready to accept"));
    server.wait_for_line("Ready to accept");
    assert!(server.has_logged("Done loading RDB, keys loaded: 20000, keys expired: 0."));
    assert!(server.has_logged("DB loaded from disk"));
    assert_eq!(ask::<i64>(&mut client, "dbsize"), 20_000);
    assert_eq!(figure(&mut client, "loading"), "0");
}

#[test]
fn a_signal_during_loading_ends_without_a_save() {
    let folder = Folder::new("signal");
    let server = start(&folder.0, &["--save", ""]);
    let mut client = server.connect();
    ask::<String>(&mut client, "debug populate 20000");
    ask::<String>(&mut client, "save");
    drop(server);
    let before = fs::read(folder.file("dump.rdb")).unwrap();
    let options = ["--save", "1 0", "--key-load-delay", "500"];
    let server = start_until(&folder.0, &options, "Server initialized");
    server.signal("TERM");
    assert!(server.end().success());
    assert_eq!(fs::read(folder.file("dump.rdb")).unwrap(), before);
}

#[test]
fn keys_whose_time_is_over_stay_away() {
    let folder = Folder::new("expired");
    let server = start(&folder.0, &["--save", ""]);
    let mut client = server.connect();
    ask::<String>(&mut client, "debug set-active-expire 0");
    ask::<String>(&mut client, "set short value px 1");
    ask::<String>(&mut client, "set long value");
    ask::<String>(&mut client, "save");
    drop(server);
    std::thread::sleep(Duration::from_millis(5));
    let server = start(&folder.0, &["--save", ""]);
    assert!(server.has_logged("keys loaded: 1, keys expired: 1"));
    assert_eq!(figure(&mut server.connect(), "rdb_last_load_keys_expired"), "1");
}

#[test]
fn damaged_files_are_refused_and_kept() {
    let folder = Folder::new("damaged");
    let server = start(&folder.0, &["--save", ""]);
    let mut client = server.connect();
    fill(&mut client);
    ask::<String>(&mut client, "save");
    drop(server);
    let whole = fs::read(folder.file("dump.rdb")).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    let cut = whole[..whole.len() - 20].to_vec();
    for (damaged, what) in [(flipped, "flipped"), (cut, "cut"), (b"garbage".to_vec(), "garbage")] {
        fs::write(folder.file("dump.rdb"), &damaged).unwrap();
        let server = launch(&folder.0, &[]);
        server.wait_for_line("Fatal error loading the DB");
        assert!(server.has_logged("at byte"), "{what}");
        assert_eq!(server.end().code(), Some(1), "{what}");
        assert_eq!(fs::read(folder.file("dump.rdb")).unwrap(), damaged, "{what}");
    }
}

/// A small file system; `None` where none may be mounted.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "ochre-test", path.to_str().unwrap()])
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(path.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The machine's own end unmounts what is left.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_writes_and_heals() {
    let folder = Folder::new("full");
    let Some(disk) = Disk::mount(&folder.file("disk"), "1m") else {
        // Mounting takes rights that not everybody has; the engine's own tests cover the states.
        return;
    };
    let server = start(&disk.0, &["--save", "3600 1"]);
    let mut client = server.connect();
    ask::<String>(&mut client, "set a 1");
    ask::<String>(&mut client, "save");
    let old = fs::read(disk.0.join("dump.rdb")).unwrap();
    let ballast = disk.0.join("ballast");
    // Whatever fits; that it ends in an error is the point.
    drop(fs::write(&ballast, vec![1; 2 << 20]));
    ask::<String>(&mut client, "config set rdbcompression no");
    ask::<String>(&mut client, "debug populate 1000 key 100");
    let refused = try_to::<String>(&mut client, "save").unwrap_err();
    assert!(refused.contains("No space left"), "{refused}");
    ask::<String>(&mut client, "bgsave");
    server.wait_for_line("Background saving error");
    let refused = try_to::<String>(&mut client, "set a 2").unwrap_err();
    assert!(refused.contains("configured to save RDB snapshots"), "{refused}");
    assert!(try_to::<String>(&mut client, "ping").is_err());
    assert!(try_to::<String>(&mut client, "shutdown").unwrap_err().contains("Errors trying"));
    assert_eq!(fs::read(disk.0.join("dump.rdb")).unwrap(), old, "the old file is whole");
    assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 2, "no part of the new one is left");
    fs::remove_file(&ballast).unwrap();
    wait_until("healing", || try_to::<String>(&mut server.connect(), "set a 2").is_ok());
    assert_eq!(figure(&mut client, "rdb_last_bgsave_status"), "ok");
}

#[test]
fn a_folder_that_is_gone_is_told() {
    let folder = Folder::new("gone");
    let data = folder.file("data");
    fs::create_dir(&data).unwrap();
    let server = start(&data, &["--save", "3600 1"]);
    let mut client = server.connect();
    fs::remove_dir(&data).unwrap();
    assert!(try_to::<String>(&mut client, "save").unwrap_err().contains("No such file"));
    ask::<String>(&mut client, "bgsave");
    server.wait_for_line("Background saving error");
    server.signal("TERM");
    server.wait_for_line("Errors trying to shut down the server");
    drop(try_to::<String>(&mut client, "shutdown nosave"));
    assert!(server.end().success());
}

#[test]
fn the_save_point_of_a_config_file_is_kept() {
    let folder = Folder::new("points");
    let server = start(&folder.0, &["--save", "1 1"]);
    let mut client = server.connect();
    ask::<String>(&mut client, "set a 1");
    server.wait_for_line("1 changes in 1 seconds. Saving...");
    server.wait_for_line("Background saving terminated with success");
    assert_eq!(figure(&mut client, "rdb_changes_since_last_save"), "0");
}

#[test]
fn reload_keeps_everything() {
    let folder = Folder::new("reload");
    let server = start(&folder.0, &["--save", ""]);
    let mut client = server.connect();
    fill(&mut client);
    let known = digest(&mut client);
    ask::<String>(&mut client, "debug reload");
    assert_eq!(digest(&mut client), known);
    let left = ask::<i64>(&mut client, "pttl late");
    assert!((90_000_000..=100_000_000).contains(&left), "{left}");
    assert_eq!(ask::<i64>(&mut client, "fcall f 0"), 7);
    let figures = figure(&mut client, "db0");
    assert!(figures.contains("expires=1"), "{figures}");
}

#[test]
fn a_backup_is_complete_with_its_manifest() {
    let folder = Folder::new("backup");
    let server = start(&folder.0, &["--save", ""]);
    let mut client = server.connect();
    fill(&mut client);
    let known = digest(&mut client);
    let copy = folder.file("copies/one");
    let line = format!("backup to {}", copy.display());
    assert_eq!(ask::<String>(&mut client, &line), "Background backup started");
    ask::<String>(&mut client, "set later value");
    server.wait_for_line("Backup finished");
    let manifest = fs::read_to_string(copy.join("backup.manifest")).unwrap();
    let bytes = fs::metadata(copy.join("dump.rdb")).unwrap().len();
    assert!(manifest.contains(&format!("bytes {bytes}\n")), "{manifest}");
    assert!(manifest.contains("keys 13\n") && manifest.contains("\nsha256 "), "{manifest}");
    assert!(try_to::<String>(&mut client, &line).unwrap_err().contains("isn't empty"));
    let restored = start(&copy, &["--save", ""]);
    assert_eq!(digest(&mut restored.connect()), known);
}

#[test]
fn a_second_interrupt_does_not_wait_for_the_save() {
    let folder = Folder::new("insist");
    let server = start(&folder.0, &["--save", "3600 1", "--rdb-key-save-delay", "100000"]);
    let mut client = server.connect();
    ask::<String>(&mut client, "debug populate 50");
    server.signal("INT");
    wait_until("a file", || folder.names().len() == 1);
    server.signal("INT");
    assert_eq!(server.end().code(), Some(1));
    assert_eq!(folder.names(), [""; 0]);
}
