//! Long reads: what others do meanwhile, and what the client sees.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::Effect;
use super::client::ClientKey;
use super::dispatch::Next;
use super::tests::Stage;

const DIRECTIVES: &[(&str, &str)] = &[("offload-threshold", "3"), ("latency-tracking", "yes")];

impl Stage {
    /// Sends a request that a worker is to do.
    fn send_away(&mut self, key: ClientKey, line: &str) {
        let (next, said) = self.send(key, line);
        assert_eq!((next, said.as_str()), (Next::Hold, ""), "{line}");
    }

    /// A worker does the oldest read, on a thread of its own.
    fn work(&mut self) {
        let read = self.world.0.borrow_mut().away.remove(0);
        let returned = std::thread::spawn(move || read.run(|| 0)).join().unwrap();
        self.engine.come_back(returned);
    }

    fn under_way(&self) -> usize {
        self.world.0.borrow().away.len()
    }
}

fn stage_of_numbers() -> (Stage, ClientKey, ClientKey) {
    let mut stage = Stage::new(DIRECTIVES);
    let (one, other) = (stage.connect(), stage.connect());
    stage.ask(one, "rpush l 4 2 3 1");
    (stage, one, other)
}

#[test]
fn a_reply_shows_the_moment_of_the_call() {
    let (mut stage, one, other) = stage_of_numbers();
    stage.send_away(one, "lrange l 0 -1");
    stage.check(other, &[("rpush l 5", ":5"), ("del l", ":1"), ("lrange l 0 -1", "*0")]);
    stage.engine.take_effects();
    stage.work();
    assert_eq!(stage.read(one), "*4 $1 4 $1 2 $1 3 $1 1");
    let effects = stage.engine.take_effects();
    assert!(effects.contains(&Effect::Resume(one)), "{effects:?}");
    assert_eq!(stage.engine.keyspace.snapshots(), 0);
}

#[test]
fn what_is_short_is_answered_at_once() {
    let (mut stage, one, _) = stage_of_numbers();
    stage.check(
        one,
        &[
            ("lrange l 0 2", "*3 $1 4 $1 2 $1 3"),
            ("sadd s a", ":1"),
            ("smembers s", "*1 $1 a"),
            ("keys *", "*2 $1 l $1 s"),
            ("xadd x 1-0 a 1", "$3 1-0"),
            ("xadd x 2-0 a 2", "$3 2-0"),
            ("xadd x 3-0 a 3", "$3 3-0"),
            ("xadd x 4-0 a 4", "$3 4-0"),
            ("xrange x - 1", "*1 *2 $3 1-0 *2 $1 a $1 1"),
            ("xrange x - + count 1", "*1 *2 $3 1-0 *2 $1 a $1 1"),
            ("geoadd g 13.4 38.1 Palermo 15.1 37.5 a 15.1 37.5 b 15.1 37.5 c", ":4"),
            ("georadius g 13.4 38.1 1 km", "*1 $7 Palermo"),
            ("georadius g 15 37 400 km count 1 any store t", ":1"),
            ("georadius g 15 37 400 km store t", ":4"),
            ("config set offload-threshold 0", "+OK"),
            ("lrange l 0 -1", "*4 $1 4 $1 2 $1 3 $1 1"),
        ],
    );
    assert_eq!(stage.under_way(), 0);
}

/// Reads of the data that the test below makes, all of them long for a threshold of 3.
const LONG_READS: &[&str] = &[
    "keys *",
    "lrange l 0 -1",
    "lpos l 9",
    "smembers s",
    "sinter s t",
    "sunion s t",
    "sdiff s t",
    "sintercard 2 s t",
    "sunioncard 2 s t",
    "sdiffcard 2 s t",
    "hgetall h",
    "hkeys h",
    "hvals h",
    "zrange z 0 -1 withscores",
    "zrange z -inf +inf byscore",
    "zrevrangebylex z + -",
    "zunion 2 z y withscores",
    "zinter 2 z y",
    "zdiff 2 z y",
    "zintercard 2 z y",
    "sort l",
    "sort_ro l by w_* get w_* get #",
    "sort l by w_* desc",
    "bitcount bits",
    "bitpos bits 1",
    "debug digest",
    "dump h",
    "dump l",
    "hrandfield h 5",
    "srandmember s 5",
    "zrandmember z 5 withscores",
    "scan 0 count 100",
    "hscan h 0 count 100",
    "sscan s 0 count 100",
    "zscan z 0 count 100",
    "xinfo stream x full count 0",
    "xrange x - +",
    "xrevrange x + - count 4",
    "xread streams x 0",
    "geosearch g fromlonlat 15 37 byradius 400 km withdist asc",
    "georadius g 15 37 400 km withcoord",
    "georadius_ro g 15 37 400 km",
    "georadiusbymember g Palermo 400 km withhash",
    "georadiusbymember_ro g Palermo 400 km",
];

#[test]
fn every_long_reader_gives_the_same_from_a_worker() {
    let mut stage = Stage::new(&[("offload-threshold", "0"), ("enable-debug-command", "yes")]);
    let one = stage.connect();
    for line in [
        "rpush l 4 2 3 1 9",
        "sadd s a b c d e",
        "sadd t a b c d x",
        "zadd z 1 a 2 b 3 c 4 d 5 e",
        "zadd y 1 a 2 b 3 c 4 d 6 x",
        "hset h a 1 b 2 c 3 d 4 e 5",
        "mset k1 v k2 v w_1 3 w_2 2",
        "setbit bits 65535 1",
        "geoadd g 13.4 38.1 Palermo 15.1 37.5 Catania 12.8 38.8 edge 14 38 four",
        "xadd x 1-0 a 1",
        "xadd x 2-0 a 2",
        "xadd x 3-0 a 3",
        "xadd x 4-0 a 4",
    ] {
        stage.ask(one, line);
    }
    let direct: Vec<String> = LONG_READS.iter().map(|line| stage.ask(one, line)).collect();
    stage.ask(one, "config set offload-threshold 3");
    for (line, expected) in LONG_READS.iter().zip(direct) {
        stage.send_away(one, line);
        stage.work();
        assert_eq!(stage.read(one), expected, "{line}");
    }
}

#[test]
fn transactions_and_scripts_do_it_themselves() {
    let (mut stage, one, _) = stage_of_numbers();
    stage.check(
        one,
        &[("multi", "+OK"), ("lrange l 0 -1", "+QUEUED"), ("exec", "*1 *4 $1 4 $1 2 $1 3 $1 1")],
    );
    let script = ["eval", "return #redis.call('lrange','l',0,-1)", "0"];
    assert_eq!(stage.send_words(one, &script).1, ":4");
    assert_eq!(stage.under_way(), 0);
}

#[test]
fn calls_are_counted_when_they_are_answered() {
    let (mut stage, one, other) = stage_of_numbers();
    stage.send_away(one, "lrange l 0 -1");
    assert!(!stage.ask(other, "info commandstats").contains("lrange"));
    assert!(stage.ask(other, "info clients").contains("blocked_clients:1"));
    stage.work();
    let text = stage.ask(other, "info commandstats");
    assert!(text.contains("cmdstat_lrange:calls=1,usec=0,"), "{text}");
    assert!(stage.ask(other, "info stats").contains("keyspace_hits:1 keyspace_misses:0"));
    assert!(stage.ask(other, "info clients").contains("blocked_clients:0"));
}

#[test]
fn an_error_in_a_worker_is_the_reply() {
    let (mut stage, one, _) = stage_of_numbers();
    stage.ask(one, "rpush l x");
    stage.send_away(one, "sort l");
    stage.work();
    assert_eq!(stage.read(one), "-ERR One or more scores can't be converted into double");
    assert!(stage.ask(one, "info errorstats").contains("errorstat_ERR:count=1"));
}

#[test]
fn whoever_has_gone_is_forgotten() {
    let (mut stage, one, other) = stage_of_numbers();
    stage.send_away(one, "lrange l 0 -1");
    stage.engine.disconnect(one);
    assert!(!stage.world.0.borrow().away[0].is_wanted());
    let third = stage.connect();
    assert_eq!(third, one, "the slot is used again");
    stage.work();
    assert_eq!(stage.read(third), "");
    assert!(stage.ask(other, "info clients").contains("blocked_clients:0"));
}

#[test]
fn what_becomes_void_meanwhile_is_told_behind_the_reply() {
    let (mut stage, one, other) = stage_of_numbers();
    stage.ask(one, "hello 3");
    stage.ask(one, "client tracking on");
    stage.send_away(one, "lrange l 0 -1");
    stage.ask(other, "rpush l 5");
    assert_eq!(stage.read(one), "");
    stage.work();
    assert_eq!(stage.read(one), "*4 $1 4 $1 2 $1 3 $1 1 >2 $10 invalidate *1 $1 l");
}

#[test]
fn who_wants_no_replies_gets_none() {
    let (mut stage, one, _) = stage_of_numbers();
    stage.ask(one, "client reply skip");
    stage.send_away(one, "lrange l 0 -1");
    stage.work();
    assert_eq!(stage.read(one), "");
    assert_eq!(stage.ask(one, "ping"), "+PONG");
}

#[test]
fn monitors_see_a_call_once_and_at_its_turn() {
    let (mut stage, one, other) = stage_of_numbers();
    stage.ask(other, "monitor");
    stage.send_away(one, "lrange l 0 -1");
    assert!(stage.read(other).contains("\"lrange\" \"l\""));
    stage.work();
    assert_eq!(stage.read(other), "");
}

#[test]
fn expired_keys_stay_hidden_from_workers() {
    let mut stage = Stage::new(DIRECTIVES);
    let one = stage.connect();
    stage.ask(one, "mset a 1 b 2 c 3 d 4");
    stage.ask(one, "pexpire a 10");
    stage.ask(one, "debug set-active-expire 0");
    stage.pass_ms(11);
    stage.send_away(one, "keys *");
    stage.work();
    assert!(stage.read(one).starts_with("*3 "));
}
