//! Publishers and listeners in conversation with the engine.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use crate::engine::dispatch::Next;
use crate::engine::tests::Stage;
use crate::engine::{Effect, client::ClientKey};

fn listeners(stage: &mut Stage) -> [ClientKey; 2] {
    let (old, new) = (stage.connect(), stage.connect());
    stage.ask(new, "HELLO 3");
    [old, new]
}

#[test]
fn messages_reach_channels_and_patterns_in_both_dialects() {
    let mut stage = Stage::new(&[]);
    let [old, new] = listeners(&mut stage);
    let publisher = stage.connect();
    stage.check(old, &[("SUBSCRIBE a b", "*3 $9 subscribe $1 a :1 *3 $9 subscribe $1 b :2")]);
    stage.check(new, &[("PSUBSCRIBE ?", ">3 $10 psubscribe $1 ? :1")]);
    stage.check(publisher, &[("PUBLISH a hi", ":2"), ("PUBLISH ab hi", ":0")]);
    assert_eq!(stage.read(old), "*3 $7 message $1 a $2 hi");
    assert_eq!(stage.read(new), ">4 $8 pmessage $1 ? $1 a $2 hi");
    stage.check(old, &[("SSUBSCRIBE a", "*3 $10 ssubscribe $1 a :1")]);
    stage.check(publisher, &[("SPUBLISH a ho", ":1")]);
    assert_eq!(stage.read(old), "*3 $8 smessage $1 a $2 ho");
    assert_eq!(stage.read(new), "");
}

#[test]
fn counts_and_names_are_shown() {
    let mut stage = Stage::new(&[]);
    let [old, new] = listeners(&mut stage);
    stage.ask(old, "SUBSCRIBE a");
    stage.ask(old, "SSUBSCRIBE s");
    stage.ask(new, "PSUBSCRIBE x* y*");
    let asker = stage.connect();
    stage.check(
        asker,
        &[
            ("PUBSUB CHANNELS", "*1 $1 a"),
            ("PUBSUB CHANNELS b*", "*0"),
            ("PUBSUB NUMSUB a b", "*4 $1 a :1 $1 b :0"),
            ("PUBSUB NUMSUB", "*0"),
            ("PUBSUB NUMPAT", ":2"),
            ("PUBSUB SHARDCHANNELS", "*1 $1 s"),
            ("PUBSUB SHARDNUMSUB s", "*2 $1 s :1"),
            (
                "PUBSUB CHANNELS a b",
                "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB \
                 HELP.",
            ),
        ],
    );
    let list = stage.ask(asker, "CLIENT LIST");
    assert!(list.contains("flags=P db=0 sub=1 psub=0 ssub=1"), "{list}");
    assert!(list.contains("flags=P db=0 sub=0 psub=2 ssub=0"), "{list}");
    assert_eq!(stage.ask(asker, "CLIENT KILL TYPE PUBSUB"), ":2");
    stage.engine.disconnect(old);
    stage.engine.disconnect(new);
    stage.check(asker, &[("PUBSUB NUMPAT", ":0"), ("PUBSUB CHANNELS", "*0")]);
}

#[test]
fn a_listener_of_the_old_dialect_may_do_little_else() {
    let mut stage = Stage::new(&[]);
    let [old, new] = listeners(&mut stage);
    stage.ask(old, "SUBSCRIBE a");
    stage.ask(new, "SUBSCRIBE a");
    stage.check(
        old,
        &[
            (
                "GET a",
                "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                 RESET are allowed in this context",
            ),
            ("PING", "*2 $4 pong $0"),
            ("PING hi", "*2 $4 pong $2 hi"),
            ("UNSUBSCRIBE", "*3 $11 unsubscribe $1 a :0"),
            ("UNSUBSCRIBE", "*3 $11 unsubscribe $-1 :0"),
            ("PING", "+PONG"),
            ("PSUBSCRIBE *", "*3 $10 psubscribe $1 * :1"),
            ("RESET", "+RESET"),
            ("GET a", "$-1"),
        ],
    );
    stage.check(new, &[("GET a", "_"), ("PING", "+PONG")]);
    stage.check(old, &[("PUBLISH a x", ":1")]);
}

#[test]
fn what_a_client_tells_itself_comes_behind_the_reply() {
    let mut stage = Stage::new(&[]);
    let [_, new] = listeners(&mut stage);
    stage.ask(new, "SUBSCRIBE a");
    stage.check(
        new,
        &[
            ("PUBLISH a x", ":1 >3 $7 message $1 a $1 x"),
            ("MULTI", "+OK"),
            ("PUBLISH a 1", "+QUEUED"),
            ("UNSUBSCRIBE a", "+QUEUED"),
            ("PUBLISH a 2", "+QUEUED"),
            ("EXEC", "*3 :1 >3 $11 unsubscribe $1 a :0 :0 >3 $7 message $1 a $1 1"),
        ],
    );
}

#[test]
fn messages_come_even_when_replies_are_off() {
    let mut stage = Stage::new(&[]);
    let [old, _] = listeners(&mut stage);
    let publisher = stage.connect();
    stage.check(
        old,
        &[("CLIENT REPLY OFF", ""), ("SUBSCRIBE a", "*3 $9 subscribe $1 a :1"), ("PING", "")],
    );
    stage.check(publisher, &[("PUBLISH a x", ":1")]);
    assert_eq!(stage.read(old), "*3 $7 message $1 a $1 x");
}

#[test]
fn a_large_message_is_held_once() {
    let mut stage = Stage::new(&[]);
    let [old, new] = listeners(&mut stage);
    let publisher = stage.connect();
    stage.ask(old, "SUBSCRIBE a");
    stage.ask(new, "SUBSCRIBE a");
    stage.ask(publisher, &format!("PUBLISH a {}", "x".repeat(10_000)));
    for key in [old, new] {
        assert_eq!(stage.engine.output(key).unwrap().shared_count(), 1);
        let text = stage.read(key);
        assert!(text.starts_with(if key == old { "*3 " } else { ">3 " }) && text.len() > 10_000);
    }
}

#[test]
fn a_slow_listener_is_cut_and_the_others_are_not() {
    let mut stage = Stage::new(&[("client-output-buffer-limit", "pubsub 2000 1000 2")]);
    let [slow, fast] = listeners(&mut stage);
    let publisher = stage.connect();
    stage.ask(slow, "SUBSCRIBE a");
    stage.ask(fast, "SUBSCRIBE a");
    stage.engine.take_effects();
    let message = format!("PUBLISH a {}", "x".repeat(900));
    stage.check(publisher, &[(&message, ":2"), (&message, ":2")]);
    assert!(stage.read(fast).len() > 1800);
    assert!(!stage.engine.take_effects().contains(&Effect::Close(slow)));
    stage.pass_ms(2100);
    stage.engine.housekeep();
    assert_eq!(stage.engine.take_effects(), [Effect::Close(slow)]);
    assert_eq!(stage.read(slow), "");
    // Who is about to go hears no more.
    stage.check(publisher, &[(&message, ":1")]);
    stage.check(publisher, &[(&message, ":1"), (&message, ":1")]);
    assert!(stage.engine.take_effects().contains(&Effect::Close(fast)));
    assert_eq!(stage.send(publisher, "PING").0, Next::Read);
}

#[test]
fn keyspace_events_are_published_by_class() {
    let mut stage = Stage::new(&[("notify-keyspace-events", "KEA")]);
    let [old, _] = listeners(&mut stage);
    let writer = stage.connect();
    stage.ask(old, "PSUBSCRIBE *");
    let key = |event: &str, name: &str| {
        format!("*4 $8 pmessage $1 * $16 __keyspace@0__:{name} ${} {event}", event.len())
    };
    let event = |event: &str, name: &str| {
        let channel = format!("__keyevent@0__:{event}");
        format!("*4 $8 pmessage $1 * ${} {channel} $1 {name}", channel.len())
    };
    stage.ask(writer, "SET k v PX 100");
    let expected =
        [key("set", "k"), event("set", "k"), key("expire", "k"), event("expire", "k")].join(" ");
    assert_eq!(stage.read(old), expected);
    stage.pass_ms(100);
    stage.engine.expire();
    assert_eq!(stage.read(old), [key("expired", "k"), event("expired", "k")].join(" "));
    stage.ask(writer, "GET k");
    assert_eq!(stage.read(old), "", "misses are not among all classes");
    stage.ask(writer, "CONFIG SET notify-keyspace-events Em");
    stage.ask(writer, "SET k v");
    stage.ask(writer, "GET k");
    assert_eq!(stage.read(old), "");
    stage.ask(writer, "GET j");
    assert_eq!(stage.read(old), event("keymiss", "j"));
    stage.ask(writer, "CONFIG SET notify-keyspace-events ''");
    stage.ask(writer, "GET j");
    assert_eq!(stage.read(old), "");
}

#[test]
fn gathered_messages_keep_their_order() {
    let mut stage = Stage::new(&[]);
    let [old, new] = listeners(&mut stage);
    let publisher = stage.connect();
    stage.ask(old, "SUBSCRIBE a b");
    stage.ask(new, "SUBSCRIBE a");
    let publish = |stage: &mut Stage, channel: &str, text: &str| {
        stage.engine.take_effects();
        let heard = stage.tell(publisher, &format!("PUBLISH {channel} {text}"));
        (heard, stage.engine.awaiting_delivery())
    };
    assert_eq!(publish(&mut stage, "a", "1"), (":2".into(), 2));
    assert_eq!(publish(&mut stage, "a", "2"), (":2".into(), 2));
    assert!(stage.engine.take_effects().is_empty(), "the shell knows already");
    assert_eq!(publish(&mut stage, "none", "2"), (":0".into(), 2));
    assert_eq!(publish(&mut stage, "b", "3"), (":1".into(), 1));
    let one = |text: &str| format!("*3 $7 message $1 a $1 {text}");
    assert_eq!(stage.read(old), format!("{} {} *3 $7 message $1 b $1 3", one("1"), one("2")));
    // What a listener asks for comes behind what it was told before.
    publish(&mut stage, "a", "4");
    let message = ">3 $7 message $1 a $1 4";
    assert!(stage.read(new).ends_with(message));
    publish(&mut stage, "a", "5");
    stage.check(new, &[("PING", ">3 $7 message $1 a $1 5 +PONG")]);
    publish(&mut stage, "a", "6");
    stage.check(new, &[("UNSUBSCRIBE", ">3 $7 message $1 a $1 6 >3 $11 unsubscribe $1 a :0")]);
    // Many leave by themselves.
    let text = "x".repeat(4000);
    assert!((0..20).any(|_| publish(&mut stage, "a", &text).1 == 0));
}
