//! The log as the engine drives it, with made-up files.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::files::{BaseJob, BaseReport, LogFigures, LogFiles, LogPart, LogTurn};
use crate::engine::tests::{Stage, World};

/// Files that exist in memory alone.
#[derive(Debug, Default)]
pub(in crate::engine) struct MadeUpLog {
    /// What was written.
    pub bytes: Vec<u8>,
    /// What is told of it.
    pub figures: LogFigures,
    /// Bases that were asked for.
    pub jobs: Vec<BaseJob>,
    /// Bases that took their place.
    pub adopted: usize,
    /// Nanoseconds that a write takes.
    pub pace: u64,
}

impl LogFiles for World {
    fn parts(&mut self) -> Result<Vec<LogPart>, String> {
        Ok(Vec::new())
    }
    fn read(&mut self, _: &LogPart, _: u64) -> Result<Box<dyn std::io::Read>, String> {
        Err("there is none".into())
    }
    fn open(&mut self, _: Option<u64>, _: BaseJob) -> Result<(), String> {
        Ok(())
    }
    fn write(&mut self, changes: &mut Vec<u8>, _: &LogTurn) {
        let mut state = self.0.borrow_mut();
        state.log.bytes.extend_from_slice(changes);
        state.ticks += state.log.pace;
    }
    fn tick(&mut self, _: &LogTurn) {}
    fn settle(&mut self) -> bool {
        true
    }
    fn begin_base(&mut self, job: BaseJob) -> Result<(), String> {
        self.0.borrow_mut().log.jobs.push(job);
        Ok(())
    }
    fn adopt_base(&mut self, _: &BaseReport) -> Result<(), String> {
        self.0.borrow_mut().log.adopted += 1;
        Ok(())
    }
    fn stop_base(&mut self) {}
    fn close(&mut self) {}
    fn figures(&self) -> LogFigures {
        self.0.borrow().log.figures.clone()
    }
    fn slow_down(&mut self, _: u64) {}
}

fn text(stage: &Stage) -> String {
    String::from_utf8(stage.world.0.borrow().log.bytes.clone()).unwrap().replace("\r\n", " ")
}

#[test]
fn changes_are_written_before_replies_leave() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.check(key, &[("set a 1", "+OK")]);
    assert!(!stage.engine.log_is_behind(), "without a log nothing waits");
    stage.engine.log_opened();
    stage.check(key, &[("set a 2", "+OK"), ("get a", "$1 2")]);
    assert!(stage.engine.log_is_behind());
    stage.engine.write_log();
    assert!(!stage.engine.log_is_behind());
    assert_eq!(text(&stage), "*2 $6 SELECT $1 0 *3 $3 set $1 a $1 2 ");
}

#[test]
fn a_slow_disk_is_told_by_latency() {
    let mut stage = Stage::new(&[("latency-monitor-threshold", "5")]);
    let key = stage.connect();
    stage.engine.log_opened();
    for (policy, event, millis) in [("everysec", "aof-write", 7), ("always", "aof-fsync-always", 9)]
    {
        stage.ask(key, &format!("config set appendfsync {policy}"));
        stage.check(key, &[("set a 1", "+OK")]);
        stage.engine.write_log();
        assert!(!stage.ask(key, "latency latest").contains(event), "it was quick");
        stage.world.0.borrow_mut().log.pace = millis * 1_000_000;
        stage.check(key, &[("set a 2", "+OK")]);
        stage.engine.write_log();
        stage.world.0.borrow_mut().log.pace = 0;
        let latest = stage.ask(key, "latency latest");
        assert!(latest.contains(event) && latest.contains(&format!(" :{millis} ")), "{latest}");
    }
}

#[test]
fn a_rewrite_cuts_the_log() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.engine.log_opened();
    stage.check(
        key,
        &[
            ("set a 1", "+OK"),
            ("bgrewriteaof", "+Background append only file rewriting started"),
            ("bgrewriteaof", "-ERR Background append only file rewriting already in progress"),
        ],
    );
    assert_eq!(text(&stage), "*2 $6 SELECT $1 0 *3 $3 set $1 a $1 1 ", "written before the cut");
    stage.world.0.borrow_mut().log.bytes.clear();
    stage.check(key, &[("set a 2", "+OK")]);
    let job = stage.world.0.borrow_mut().log.jobs.pop().unwrap();
    stage.engine.base_ended(&BaseReport { progress: job.progress, outcome: Ok(10) });
    assert_eq!(text(&stage), "*2 $6 SELECT $1 0 *3 $3 set $1 a $1 2 ", "SELECT comes anew");
    assert_eq!(stage.world.0.borrow().log.adopted, 1);
    assert!(!stage.engine.is_rewriting());
}

#[test]
fn waitaof_waits_for_the_sync() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    let refusal = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    stage.check(key, &[("waitaof 1 0 0", refusal), ("waitaof 0 0 0", "*2 :0 :0")]);
    stage.check(key, &[("waitaof 0 1 50", "")]);
    stage.pass_ms(60);
    stage.engine.expire();
    assert_eq!(stage.read(key), "*2 :0 :0", "nothing is on disk without a log");
    stage.engine.log_opened();
    stage.check(key, &[("set a 1", "+OK"), ("waitaof 1 0 0", "")]);
    stage.engine.write_log();
    assert_eq!(stage.read(key), "");
    let written = stage.world.0.borrow().log.bytes.len() as u64;
    stage.world.0.borrow_mut().log.figures.synced = written;
    stage.engine.housekeep();
    assert_eq!(stage.read(key), "*2 :1 :0");
    stage.check(key, &[("waitaof 1 0 0", "*2 :1 :0"), ("incr a", ":2"), ("waitaof 1 0 50", "")]);
    stage.pass_ms(60);
    stage.engine.expire();
    assert_eq!(stage.read(key), "*2 :0 :0");
}

#[test]
fn writes_are_refused_while_the_log_cannot_be_written() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.engine.log_opened();
    stage.world.0.borrow_mut().log.figures.failure = Some("No space left on device".into());
    stage.engine.housekeep();
    let refusal = "-MISCONF Errors writing to the AOF file: No space left on device";
    stage.check(key, &[("set a 1", refusal), ("get a", "$-1")]);
    stage.world.0.borrow_mut().log.figures.failure = None;
    stage.engine.housekeep();
    stage.check(key, &[("set a 1", "+OK")]);
}

#[test]
fn going_back_to_a_moment_is_told_as_one_unit() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    stage.engine.log_opened();
    stage.check(
        key,
        &[
            ("set a 1 pxat 2000000000000", "+OK"),
            ("rpush l x y", ":2"),
            ("snapshot save base", "+OK"),
            ("set b 1", "+OK"),
            ("set a 2", "+OK"),
            ("select 3", "+OK"),
            ("set c 1", "+OK"),
        ],
    );
    stage.engine.write_log();
    stage.world.0.borrow_mut().log.bytes.clear();
    stage.check(key, &[("snapshot restore base", "+OK")]);
    stage.engine.write_log();
    let told = text(&stage);
    let (first, rest) = told.split_once("SELECT $1 0 ").unwrap();
    assert_eq!(first, "*2 $6 ");
    assert!(rest.starts_with("*1 $5 MULTI "), "{rest}");
    assert!(rest.contains("*2 $3 DEL $1 b "), "{rest}");
    let again = "*2 $3 DEL $1 a *3 $3 SET $1 a $1 1 *3 $9 PEXPIREAT $1 a $13 2000000000000 ";
    assert!(rest.contains(again), "{rest}");
    assert!(rest.ends_with("*2 $6 SELECT $1 3 *1 $7 FLUSHDB *1 $4 EXEC "), "{rest}");
    stage.world.0.borrow_mut().log.bytes.clear();
    stage.check(key, &[("snapshot restore base", "+OK")]);
    assert!(!stage.engine.log_is_behind(), "nothing has changed");
}
