//! The engine's side of saving and loading, over a disk that is made up.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::disk::{Disk, Feed, LoadJob, Portion, Progress, SaveJob, SaveOutcome, SaveReport};
use super::loading::Clash;
use super::shutdown::EndSignal;
use crate::base::time::UnixMillis;
use crate::engine::Effect;
use crate::engine::tests::{Stage, State, World};
use crate::keyspace::DbIndex;
use crate::keyspace::load::LoadedValue;

/// What a disk was asked for, and how it answers.
#[derive(Debug, Default)]
pub(in crate::engine) struct MadeUpDisk {
    /// Saves in the background that have not ended.
    running: Vec<SaveJob>,
    /// Keys of the last file.
    saved: Option<usize>,
    is_full: bool,
    stops: usize,
    /// What is in the file that is loaded.
    portions: VecDeque<Portion>,
}

#[derive(Debug)]
struct Pieces(VecDeque<Portion>);

impl Feed for Pieces {
    fn next(&mut self) -> Portion {
        self.0.pop_front().unwrap_or(Portion::End(Ok(0)))
    }
    fn try_next(&mut self) -> Option<Portion> {
        Some(self.next())
    }
    fn total_bytes(&self) -> u64 {
        100
    }
}

impl Disk for World {
    fn save_later(&mut self, job: SaveJob) -> Result<(), String> {
        self.0.borrow_mut().disk.running.push(job);
        Ok(())
    }
    fn save_now(&mut self, job: SaveJob) -> SaveOutcome {
        let disk = &mut self.0.borrow_mut().disk;
        if disk.is_full {
            return Err("full".into());
        }
        disk.saved = Some(job.snapshot.databases().map(|(_, keys)| keys).sum());
        Ok(1)
    }
    fn stop_saving(&mut self) {
        let disk = &mut self.0.borrow_mut().disk;
        disk.stops += 1;
        disk.running.clear();
    }
    fn load(&mut self, job: LoadJob) -> Result<Option<Box<dyn Feed>>, String> {
        assert_eq!(job.path, "dump.rdb");
        let pieces = std::mem::take(&mut self.0.borrow_mut().disk.portions);
        Ok(Some(Box::new(Pieces(pieces))))
    }
}

const MISCONF: &str = "-MISCONF Redis is configured to save RDB snapshots, but it's currently \
                       unable to persist to disk. Commands that may modify the data set are \
                       disabled, because this instance is configured to report errors during \
                       writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). \
                       Please check the Redis logs for details about the RDB error.";

fn state(stage: &Stage) -> Rc<RefCell<State>> {
    Rc::clone(&stage.world.0)
}

/// Ends the save in the background.
fn end(stage: &mut Stage, outcome: SaveOutcome) {
    let job = state(stage).borrow_mut().disk.running.pop().expect("one is under way");
    let SaveJob { progress, snapshot, .. } = job;
    drop(snapshot);
    stage.engine.save_ended(&SaveReport { progress, outcome });
}

fn is_saving(stage: &Stage) -> bool {
    !stage.world.0.borrow().disk.running.is_empty()
}

fn figure(stage: &mut Stage, name: &str) -> String {
    let key = stage.connect();
    let text = stage.ask(key, "info persistence");
    stage.engine.disconnect(key);
    let mut lines = text.split_ascii_whitespace();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().to_owned()
}

#[test]
fn one_save_runs_at_a_time() {
    let mut stage = Stage::new(&[("save", "")]);
    let key = stage.connect();
    stage.check(
        key,
        &[
            ("bgsave x", "-ERR syntax error"),
            ("bgsave", "+Background saving started"),
            ("bgsave", "-ERR Background save already in progress"),
            ("bgsave schedule", "-ERR Background save already in progress"),
            ("save", "-ERR Background save already in progress"),
        ],
    );
    assert_eq!(figure(&mut stage, "rdb_bgsave_in_progress"), "1");
    stage.pass_ms(2500);
    end(&mut stage, Ok(10));
    assert_eq!(figure(&mut stage, "rdb_bgsave_in_progress"), "0");
    assert_eq!(figure(&mut stage, "rdb_last_bgsave_time_sec"), "2");
    assert_eq!(figure(&mut stage, "rdb_saves"), "1");
    stage.check(key, &[("lastsave", ":1000002"), ("save", "+OK")]);
}

#[test]
fn changes_since_the_snapshot_stay_unsaved() {
    let mut stage = Stage::new(&[("save", "")]);
    let key = stage.connect();
    stage.check(key, &[("set a 1", "+OK"), ("bgsave", "+Background saving started")]);
    stage.check(key, &[("set b 1", "+OK"), ("set c 1", "+OK")]);
    assert_eq!(figure(&mut stage, "rdb_changes_since_last_save"), "3");
    end(&mut stage, Ok(10));
    assert_eq!(figure(&mut stage, "rdb_changes_since_last_save"), "2");
    stage.check(key, &[("save", "+OK")]);
    assert_eq!(figure(&mut stage, "rdb_changes_since_last_save"), "0");
    assert_eq!(state(&stage).borrow().disk.saved, Some(3));
}

#[test]
fn save_points_ask_for_saves() {
    let mut stage = Stage::new(&[("save", "10 2")]);
    let key = stage.connect();
    stage.check(key, &[("set a 1", "+OK")]);
    stage.pass_ms(11_000);
    stage.engine.housekeep();
    assert!(!is_saving(&stage), "too few changes");
    stage.check(key, &[("set a 2", "+OK")]);
    stage.engine.housekeep();
    assert!(is_saving(&stage));
    end(&mut stage, Ok(10));
    stage.engine.housekeep();
    assert!(!is_saving(&stage), "nothing has changed since");
}

#[test]
fn a_failed_save_refuses_writes_until_one_succeeds() {
    let mut stage = Stage::new(&[("save", "3600 1")]);
    let key = stage.connect();
    stage.check(key, &[("set a 1", "+OK"), ("bgsave", "+Background saving started")]);
    end(&mut stage, Err("full".into()));
    assert_eq!(figure(&mut stage, "rdb_last_bgsave_status"), "err");
    stage.check(
        key,
        &[
            ("set a 2", MISCONF),
            ("ping", MISCONF),
            ("get a", "$1 1"),
            ("eval return{redis.call('get','a')} 0", "*1 $1 1"),
        ],
    );
    let refused = stage.ask(key, "eval return{redis.call('set','a','2')} 0");
    assert!(refused.starts_with("-MISCONF"), "{refused}");
    stage.check(
        key,
        &[
            ("multi", "+OK"),
            ("get a", "+QUEUED"),
            ("exec", "*1 $1 1"),
            ("config set stop-writes-on-bgsave-error no", "+OK"),
            ("set a 2", "+OK"),
            ("config set stop-writes-on-bgsave-error yes", "+OK"),
        ],
    );
    stage.engine.housekeep();
    assert!(!is_saving(&stage), "not at once");
    stage.pass_ms(6000);
    stage.engine.housekeep();
    assert!(is_saving(&stage), "it is tried again without being asked");
    end(&mut stage, Ok(10));
    stage.check(key, &[("set a 3", "+OK"), ("ping", "+PONG")]);
}

#[test]
fn the_end_waits_for_the_data() {
    let mut stage = Stage::new(&[("save", "3600 1")]);
    let key = stage.connect();
    stage.engine.take_effects();
    state(&stage).borrow_mut().disk.is_full = true;
    stage.check(
        key,
        &[
            ("set a 1", "+OK"),
            ("bgsave", "+Background saving started"),
            ("shutdown", "-ERR Errors trying to SHUTDOWN. Check logs."),
            ("shutdown save", "-ERR Errors trying to SHUTDOWN. Check logs."),
        ],
    );
    assert!(!is_saving(&stage), "the one in the background is stopped");
    assert!(!stage.engine.end_by(EndSignal::Terminate));
    assert_eq!(stage.engine.take_effects(), []);
    stage.check(key, &[("config set shutdown-on-sigint nosave", "+OK")]);
    assert!(stage.engine.end_by(EndSignal::Interrupt));
    stage.engine.take_effects();
    stage.check(key, &[("shutdown force", "")]);
    assert_eq!(stage.engine.take_effects(), [Effect::Shutdown]);
    state(&stage).borrow_mut().disk.is_full = false;
    stage.check(key, &[("shutdown", "")]);
    assert_eq!(state(&stage).borrow().disk.saved, Some(1));
}

#[test]
fn flushall_empties_the_file_too() {
    let mut stage = Stage::new(&[("save", "3600 1")]);
    let key = stage.connect();
    stage.check(key, &[("set a 1", "+OK"), ("bgsave", "+Background saving started")]);
    stage.check(key, &[("flushall", "+OK")]);
    assert!(!is_saving(&stage));
    assert_eq!(state(&stage).borrow().disk.saved, Some(0));
    assert_eq!(figure(&mut stage, "rdb_changes_since_last_save"), "0");
    let mut stage = Stage::new(&[("save", "")]);
    let key = stage.connect();
    stage.check(key, &[("flushall", "+OK")]);
    assert_eq!(state(&stage).borrow().disk.saved, None);
}

fn keys(stage: &Stage, values: &[(&str, &str)]) -> Portion {
    let maker = stage.engine.load_job(String::new(), true).keys;
    let key = |(key, value): &(&str, &str)| {
        let value = LoadedValue::Text(value.as_bytes());
        (DbIndex(0), maker.key(key.as_bytes(), value, None::<UnixMillis>, 0))
    };
    Portion::Keys { keys: values.iter().map(key).collect(), expired: 1, bytes: 50 }
}

#[test]
fn while_loading_most_commands_wait_outside() {
    let mut stage = Stage::new(&[("save", "1 0")]);
    let key = stage.connect();
    stage.engine.begin_loading(100, Clash::Fails);
    let portion = keys(&stage, &[("a", "one")]);
    assert_eq!(stage.engine.take_in(portion), Ok(true));
    stage.check(
        key,
        &[
            ("get a", "-LOADING Redis is loading the dataset in memory"),
            ("ping", "-LOADING Redis is loading the dataset in memory"),
        ],
    );
    for (name, value) in [
        ("loading", "1"),
        ("loading_total_bytes", "100"),
        ("loading_loaded_perc", "50.00"),
        ("rdb_last_load_keys_loaded", "1"),
        ("rdb_last_load_keys_expired", "1"),
    ] {
        assert_eq!(figure(&mut stage, name), value, "{name}");
    }
    stage.pass_ms(5000);
    stage.engine.housekeep();
    assert!(!is_saving(&stage), "half of the data is not worth saving");
    assert!(stage.engine.end_by(EndSignal::Terminate));
    assert_eq!(state(&stage).borrow().disk.saved, None);
    let again = keys(&stage, &[("a", "two")]);
    let refused = stage.engine.take_in(again).unwrap_err();
    assert_eq!(refused, "RDB has duplicated key 'a' in DB 0");
    assert_eq!(stage.engine.take_in(Portion::End(Ok(0))), Ok(false));
    stage.engine.end_loading();
    stage.check(key, &[("get a", "$3 one")]);
    assert_eq!(figure(&mut stage, "rdb_changes_since_last_save"), "0");
}

#[test]
fn reload_takes_the_place_of_what_was_there() {
    let mut stage = Stage::new(&[("enable-debug-command", "yes")]);
    let key = stage.connect();
    let feed = |stage: &Stage| {
        let portion = keys(stage, &[("a", "file")]);
        state(stage).borrow_mut().disk.portions = [portion].into();
    };
    feed(&stage);
    stage.check(
        key,
        &[
            ("set a own", "+OK"),
            ("set b own", "+OK"),
            ("debug reload", "+OK"),
            ("get a", "$4 file"),
            ("get b", "$-1"),
            ("set a own", "+OK"),
            ("set b own", "+OK"),
        ],
    );
    assert_eq!(state(&stage).borrow().disk.saved, Some(2));
    feed(&stage);
    stage.check(
        key,
        &[("debug reload nosave noflush merge", "+OK"), ("get a", "$4 file"), ("get b", "$3 own")],
    );
    feed(&stage);
    stage.check(
        key,
        &[
            ("debug reload noflush", "-ERR Error trying to load the RDB dump, check server logs."),
            (
                "debug reload later",
                "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ),
        ],
    );
    let text = b"#!lua name=lib\nredis.register_function('f', function() return 1 end)".to_vec();
    state(&stage).borrow_mut().disk.portions = [Portion::Library(text)].into();
    stage.check(key, &[("debug reload", "+OK"), ("fcall f 0", ":1")]);
}

#[test]
fn a_save_that_was_stopped_has_no_say() {
    let mut stage = Stage::new(&[("save", "3600 1")]);
    let key = stage.connect();
    stage.check(key, &[("bgsave", "+Background saving started")]);
    stage.check(key, &[("flushall", "+OK"), ("bgsave", "+Background saving started")]);
    let progress = Arc::new(Progress::default());
    stage.engine.save_ended(&SaveReport { progress, outcome: Err("stopped".into()) });
    assert!(stage.engine.saving.is_running());
    assert!(!stage.engine.saving.has_failed());
}

#[test]
fn named_moments_can_be_gone_back_to() {
    let mut stage = Stage::new(&[("save", "")]);
    let key = stage.connect();
    stage.check(
        key,
        &[
            ("snapshot restore base", "-ERR There is no snapshot of this name"),
            ("set a 1", "+OK"),
            ("rpush l x y", ":2"),
            ("snapshot save base", "+OK"),
            ("snapshot list", "*1 *3 $4 base :2 :1000000000"),
            ("set a 2", "+OK"),
            ("set b 1", "+OK"),
            ("lpop l", "$1 x"),
            ("watch a", "+OK"),
            ("snapshot restore base", "+OK"),
            ("multi", "+OK"),
            ("exec", "*-1"),
            ("get a", "$1 1"),
            ("get b", "$-1"),
            ("lrange l 0 -1", "*2 $1 x $1 y"),
            ("snapshot restore base", "+OK"),
            ("flushall", "+OK"),
            ("snapshot restore base", "+OK"),
            ("get a", "$1 1"),
            ("snapshot del base", ":1"),
            ("snapshot del base", ":0"),
            ("snapshot list", "*0"),
        ],
    );
    stage.engine.housekeep();
    assert_eq!(stage.engine.keyspace.held_bytes(), 0);
}
