//! Clients that wait: who is served, by what, in which order, and what ends the waiting.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::Effect;
use super::client::ClientKey;
use super::dispatch::Next;
use super::tests::Stage;

/// Sends a request that is to wait.
#[track_caller]
fn wait(stage: &mut Stage, key: ClientKey, line: &str) {
    assert_eq!(stage.send(key, line), (Next::Hold, String::new()), "{line}");
    stage.engine.take_effects();
}

fn resumed(stage: &mut Stage) -> Vec<ClientKey> {
    let resumed = |effect| if let Effect::Resume(key) = effect { Some(key) } else { None };
    stage.engine.take_effects().into_iter().filter_map(resumed).collect()
}

#[test]
fn the_first_to_come_is_the_first_to_be_served() {
    let mut stage = Stage::new(&[]);
    let (giver, one, two) = (stage.connect(), stage.connect(), stage.connect());
    wait(&mut stage, one, "blpop k 0");
    wait(&mut stage, two, "brpop j k k 0");
    assert_eq!(stage.ask(giver, "rpush k a"), ":1");
    assert_eq!(resumed(&mut stage), [one]);
    assert_eq!((stage.read(one), stage.read(two)), ("*2 $1 k $1 a".into(), String::new()));
    wait(&mut stage, one, "blpop k 0");
    assert_eq!(stage.ask(giver, "rpush k b c d"), ":3");
    assert_eq!(resumed(&mut stage), [two, one]);
    assert_eq!(stage.read(two), "*2 $1 k $1 d");
    assert_eq!(stage.read(one), "*2 $1 k $1 b");
    assert_eq!(stage.ask(giver, "lrange k 0 -1"), "*1 $1 c");
    assert!(stage.engine.blocked.is_empty() && stage.engine.watchers.is_empty());
}

#[test]
fn whatever_makes_a_list_appear_serves() {
    let ways: &[(&[&str], &str)] = &[
        (&["rpush src x", "rename src k"], "$1 x"),
        (&["rpush src x", "renamenx src k"], "$1 x"),
        (&["rpush src x", "copy src k"], "$1 x"),
        (&["select 1", "rpush k x", "move k 0"], "$1 x"),
        (&["select 1", "rpush k x", "swapdb 0 1"], "$1 x"),
        (&["rpush src x", "lmove src k left left"], "$1 x"),
        (&["multi", "lpush k y", "lpush k x", "exec"], "$1 x"),
        (&["multi", "set k s", "del k", "rpush k x", "exec"], "$1 x"),
        (&["rpush src x", "set k s", "rename src k"], "$1 x"),
    ];
    for (commands, element) in ways {
        let mut stage = Stage::new(&[]);
        let (giver, taker) = (stage.connect(), stage.connect());
        wait(&mut stage, taker, "blpop k 0");
        for command in *commands {
            stage.ask(giver, command);
        }
        assert_eq!(stage.read(taker), format!("*2 $1 k {element}"), "{commands:?}");
    }
}

#[test]
fn what_is_gone_when_the_whole_is_done_serves_nobody() {
    let mut stage = Stage::new(&[]);
    let (giver, taker) = (stage.connect(), stage.connect());
    wait(&mut stage, taker, "blpop k 0");
    for command in ["multi", "lpush k a", "del k", "exec", "set k v", "flushall", "set k v"] {
        stage.ask(giver, command);
        assert_eq!(stage.read(taker), "", "{command}");
    }
    stage.check(giver, &[("del k", ":1"), ("rpush k 1", ":1"), ("exists k", ":0")]);
    assert_eq!(stage.read(taker), "*2 $1 k $1 1");
}

#[test]
fn being_served_may_serve_others() {
    let mut stage = Stage::new(&[]);
    let clients: Vec<ClientKey> = (0..4).map(|_| stage.connect()).collect();
    wait(&mut stage, clients[1], "blmove a b left right 0");
    wait(&mut stage, clients[2], "brpoplpush b c 0");
    wait(&mut stage, clients[3], "blmpop 0 1 c left");
    assert_eq!(stage.ask(clients[0], "rpush a x"), ":1");
    assert_eq!(resumed(&mut stage), clients[1..]);
    let replies: Vec<String> = clients[1..].iter().map(|key| stage.read(*key)).collect();
    assert_eq!(replies, ["$1 x", "$1 x", "*2 $1 c *1 $1 x"]);
    assert_eq!(stage.ask(clients[0], "dbsize"), ":0");
    // Two who feed each other don't go round for ever.
    wait(&mut stage, clients[1], "brpoplpush a b 0");
    wait(&mut stage, clients[2], "brpoplpush b a 0");
    stage.ask(clients[0], "rpush a y");
    assert_eq!(stage.ask(clients[0], "lrange a 0 -1"), "*1 $1 y");
}

#[test]
fn a_call_within_a_whole_does_not_wait() {
    let mut stage = Stage::new(&[]);
    let key = stage.connect();
    for line in ["multi", "blpop k 0", "blmove k j left left 0", "blmpop 0 1 k left"] {
        stage.ask(key, line);
    }
    assert_eq!(stage.send(key, "exec"), (Next::Read, "*3 *-1 $-1 *-1".into()));
}

#[test]
fn an_error_ends_the_waiting() {
    let mut stage = Stage::new(&[]);
    let (giver, taker) = (stage.connect(), stage.connect());
    stage.ask(giver, "set target v");
    wait(&mut stage, taker, "blmove k target left left 0");
    stage.check(giver, &[("rpush k a", ":1"), ("llen k", ":1")]);
    assert!(stage.read(taker).starts_with("-WRONGTYPE"));
    assert!(stage.engine.blocked.is_empty());
}

#[test]
fn time_ends_the_waiting() {
    let mut stage = Stage::new(&[]);
    let (one, two) = (stage.connect(), stage.connect());
    let now = stage.engine.now.unix_ms().0;
    wait(&mut stage, one, "blpop k 0.02");
    wait(&mut stage, two, "blmove k j left left 0.0101");
    assert_eq!(stage.engine.next_due().unwrap().0, now + 12);
    stage.pass_ms(11);
    stage.engine.expire();
    assert_eq!((stage.read(one), stage.read(two)), (String::new(), String::new()));
    stage.pass_ms(1);
    stage.engine.expire();
    assert_eq!((stage.read(one), stage.read(two)), (String::new(), "*-1".into()));
    assert_eq!(resumed(&mut stage), [two]);
    stage.pass_ms(9);
    stage.engine.expire();
    assert_eq!(stage.read(one), "*-1");
    assert_eq!(stage.engine.next_due(), None);
    // In the dialect of the client.
    stage.ask(one, "hello 3");
    wait(&mut stage, one, "blpop k 0.001");
    stage.pass_ms(2);
    stage.engine.expire();
    assert_eq!(stage.read(one), "_");
}

#[test]
fn clients_are_unblocked_by_others() {
    let mut stage = Stage::new(&[]);
    let (admin, waiter) = (stage.connect(), stage.connect());
    let id = stage.ask(waiter, "client id").trim_start_matches(':').to_owned();
    let unblock = |how: &str| format!("client unblock {id}{how}");
    assert_eq!(stage.ask(admin, &unblock("")), ":0");
    for (how, reply) in [
        ("", "*-1"),
        (" timeout", "*-1"),
        (" error", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        wait(&mut stage, waiter, "blpop k 0");
        assert_eq!(stage.ask(admin, &unblock(how)), ":1", "{how}");
        assert_eq!(resumed(&mut stage), [waiter]);
        assert_eq!(stage.read(waiter), reply, "{how}");
    }
    let refusal = "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
    assert_eq!(stage.ask(admin, &unblock(" x")), refusal);
    assert_eq!(
        stage.ask(admin, "client unblock x"),
        "-ERR value is not an integer or out of range"
    );
}

#[test]
fn who_has_gone_is_passed_over() {
    let mut stage = Stage::new(&[]);
    let (giver, gone, killed) = (stage.connect(), stage.connect(), stage.connect());
    let last = stage.connect();
    for key in [gone, killed, last] {
        wait(&mut stage, key, "blpop k 5");
    }
    stage.engine.disconnect(gone);
    stage.engine.close(killed, true);
    stage.ask(giver, "rpush k a");
    assert_eq!((stage.read(killed), stage.read(last)), (String::new(), "*2 $1 k $1 a".into()));
    stage.engine.disconnect(killed);
    assert!(stage.engine.blocked.is_empty() && stage.engine.next_due().is_none());
}

#[test]
fn waiting_shows_in_figures_and_counts_once() {
    let mut stage = Stage::new(&[("slowlog-log-slower-than", "0")]);
    let (one, two) = (stage.connect(), stage.connect());
    wait(&mut stage, two, "blpop k j 7");
    stage.check(one, &[("slowlog reset", "+OK")]);
    let clients = stage.ask(one, "info clients");
    for line in ["blocked_clients:1", "total_blocking_keys:2", "clients_in_timeout_table:1"] {
        assert!(clients.contains(line), "{line}: {clients}");
    }
    assert!(stage.ask(one, "client list flags b").contains("cmd=blpop"));
    assert!(!stage.ask(one, "info commandstats").contains("cmdstat_blpop"));
    stage.ask(one, "rpush k a");
    assert!(stage.ask(one, "info commandstats").contains("cmdstat_blpop:calls=1,"));
    assert!(stage.ask(one, "info clients").contains("blocked_clients:0"));
    assert_eq!(stage.ask(one, "slowlog get -1").matches("blpop").count(), 1);
}

#[test]
fn those_who_wait_are_served_when_a_pause_is_over() {
    let mut stage = Stage::new(&[]);
    let (admin, taker) = (stage.connect(), stage.connect());
    stage.check(admin, &[("multi", "+OK"), ("rpush k a", "+QUEUED")]);
    wait(&mut stage, taker, "blpop k 0");
    stage.check(admin, &[("client pause 1000 write", "+QUEUED"), ("exec", "*2 :1 +OK")]);
    assert_eq!(stage.read(taker), "");
    stage.check(admin, &[("llen k", ":1"), ("client unpause", "+OK"), ("llen k", ":0")]);
    assert_eq!(stage.read(taker), "*2 $1 k $1 a");
}

#[test]
fn replies_that_were_switched_off_stay_so() {
    let mut stage = Stage::new(&[]);
    let (giver, taker) = (stage.connect(), stage.connect());
    stage.ask(taker, "client reply skip");
    wait(&mut stage, taker, "blpop k 0");
    stage.ask(giver, "rpush k a");
    assert_eq!(stage.read(taker), "");
    stage.check(taker, &[("ping", "+PONG")]);
}

#[test]
fn memory_that_ran_short_refuses_who_waits() {
    let mut stage = Stage::new(&[]);
    let (giver, taker) = (stage.connect(), stage.connect());
    wait(&mut stage, taker, "blmove k j left left 0");
    stage.check(giver, &[("multi", "+OK"), ("rpush k a", "+QUEUED")]);
    stage.ask(giver, "config set maxmemory 1");
    stage.world.0.borrow_mut().memory_used = 2;
    stage.ask(giver, "exec");
    assert!(stage.read(taker).starts_with("-OOM"));
}

#[test]
fn thousands_wait_at_one_key_or_at_many() {
    let mut stage = Stage::new(&[("maxclients", "20000")]);
    let giver = stage.connect();
    let takers: Vec<ClientKey> = (0..10_000).map(|_| stage.connect()).collect();
    for taker in &takers {
        wait(&mut stage, *taker, "blpop k 100");
    }
    for taker in &takers {
        stage.ask(giver, "rpush k x");
        assert_eq!(stage.read(*taker), "*2 $1 k $1 x");
    }
    for (index, taker) in takers.iter().enumerate() {
        wait(&mut stage, *taker, &format!("blpop k{index} 100"));
    }
    for (index, taker) in takers.iter().enumerate().rev() {
        stage.ask(giver, &format!("rpush k{index} x"));
        assert!(stage.read(*taker).ends_with("$1 x"));
    }
    assert!(stage.engine.blocked.is_empty() && stage.engine.next_due().is_none());
}

#[test]
fn who_claims_is_woken_when_an_entry_has_been_pending_for_long() {
    let mut stage = Stage::new(&[]);
    let (giver, one, two) = (stage.connect(), stage.connect(), stage.connect());
    stage.ask(giver, "xgroup create s g $ mkstream");
    let claim = "xreadgroup group g second claim 30 block 100 streams s >";
    wait(&mut stage, one, claim);
    assert_eq!(stage.engine.blocked.next_due().unwrap().0, stage.engine.now.unix_ms().0 + 101);
    // The entry goes to whoever came first; from then on the other knows when to try again.
    stage.ask(giver, "xadd s 1-1 f v");
    assert!(stage.read(one).contains("1-1"));
    wait(&mut stage, two, "xreadgroup group g third claim 30 block 100 streams s >");
    stage.pass_ms(10);
    wait(&mut stage, one, claim);
    assert_eq!(stage.engine.next_due().unwrap().0, stage.engine.now.unix_ms().0 + 20);
    stage.pass_ms(19);
    stage.engine.expire();
    assert_eq!((stage.read(one), stage.read(two)), (String::new(), String::new()));
    stage.pass_ms(1);
    stage.engine.expire();
    // The one who has waited for longer gets it, with the time it was idle and how often it came.
    assert_eq!(stage.read(two), "*1 *2 $1 s *1 *4 $3 1-1 *2 $1 f $1 v :30 :1");
    assert_eq!(stage.read(one), "");
    assert_eq!(stage.engine.next_due().unwrap().0, stage.engine.now.unix_ms().0 + 30);
    stage.pass_ms(30);
    stage.engine.expire();
    assert_eq!(stage.read(one), "*1 *2 $1 s *1 *4 $3 1-1 *2 $1 f $1 v :30 :2");
    assert!(stage.engine.blocked.is_empty() && stage.engine.next_due().is_none());
}
