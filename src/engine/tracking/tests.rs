//! Clients that cache in conversation with the engine.

use crate::engine::client::ClientKey;
use crate::engine::tests::Stage;

/// A client that tracks by `options`, and another that changes keys.
fn pair(stage: &mut Stage, options: &str) -> [ClientKey; 2] {
    let (tracker, writer) = (stage.connect(), stage.connect());
    stage.ask(tracker, "HELLO 3");
    let line = format!("CLIENT TRACKING ON {options}");
    stage.check(tracker, &[(line.trim_end(), "+OK")]);
    [tracker, writer]
}

#[test]
fn what_was_read_is_void_once() {
    let mut stage = Stage::new(&[]);
    let [tracker, writer] = pair(&mut stage, "");
    stage.ask(tracker, "MGET a b");
    stage.check(writer, &[("SET a 1", "+OK"), ("SET a 2", "+OK"), ("SET c 2", "+OK")]);
    assert_eq!(stage.read(tracker), ">2 $10 invalidate *1 $1 a");
    stage.check(tracker, &[("SET b 1", "+OK >2 $10 invalidate *1 $1 b")]);
    stage.ask(tracker, "GET a");
    let info = stage.ask(writer, "INFO");
    for line in ["tracking_clients:1", "tracking_total_keys:1", "tracking_total_items:1"] {
        assert!(info.contains(line), "{line}");
    }
    stage.check(writer, &[("FLUSHALL", "+OK")]);
    assert_eq!(stage.read(tracker), ">2 $10 invalidate _");
    stage.ask(tracker, "SET a 1 PX 5");
    stage.ask(tracker, "GET a");
    stage.pass_ms(5);
    stage.engine.expire();
    assert_eq!(stage.read(tracker), ">2 $10 invalidate *1 $1 a");
    stage.check(tracker, &[("CLIENT TRACKING OFF", "+OK"), ("CLIENT GETREDIR", ":-1")]);
    stage.ask(tracker, "GET a");
    stage.ask(writer, "SET a 1");
    assert_eq!(stage.read(tracker), "");
}

#[test]
fn transactions_read_and_change_as_one() {
    let mut stage = Stage::new(&[]);
    let [tracker, writer] = pair(&mut stage, "");
    stage.check(
        tracker,
        &[
            ("MULTI", "+OK"),
            ("GET a", "+QUEUED"),
            ("SET a 1", "+QUEUED"),
            ("GET b", "+QUEUED"),
            ("EXEC", "*3 _ +OK _ >2 $10 invalidate *1 $1 a"),
        ],
    );
    stage.ask(writer, "SET b 1");
    assert_eq!(stage.read(tracker), ">2 $10 invalidate *1 $1 b");
}

#[test]
fn own_changes_are_no_news_with_noloop() {
    let mut stage = Stage::new(&[]);
    let [tracker, writer] = pair(&mut stage, "NOLOOP");
    stage.ask(tracker, "GET a");
    stage.check(tracker, &[("SET a 1", "+OK")]);
    stage.ask(tracker, "GET a");
    stage.check(writer, &[("SET a 1", "+OK")]);
    assert_eq!(stage.read(tracker), ">2 $10 invalidate *1 $1 a");
}

#[test]
fn prefixes_are_broadcast_in_one_message() {
    let mut stage = Stage::new(&[]);
    let [tracker, writer] = pair(&mut stage, "BCAST PREFIX a PREFIX b NOLOOP");
    stage.ask(writer, "MSET a 1 a2 1 c 1 b 1");
    let expected = ">2 $10 invalidate *2 $1 a $2 a2 >2 $10 invalidate *1 $1 b";
    assert_eq!(stage.read(tracker), expected);
    stage.check(tracker, &[("SET a 1", "+OK")]);
    stage.check(
        tracker,
        &[
            (
                "CLIENT TRACKING ON BCAST PREFIX ab",
                "-ERR Prefix 'ab' overlaps with an existing prefix 'a'. Prefixes for a single \
                 client must not overlap.",
            ),
            (
                "CLIENT TRACKING ON BCAST PREFIX x PREFIX xy",
                "-ERR Prefix 'x' overlaps with another provided prefix 'xy'. Prefixes for a single \
                 client must not overlap.",
            ),
            (
                "CLIENT TRACKINGINFO",
                "%3 $5 flags ~3 $2 on $5 bcast $6 noloop $8 redirect :0 $8 prefixes *2 $1 a $1 b",
            ),
        ],
    );
    assert!(stage.ask(writer, "CLIENT LIST").contains("flags=tB "));
    stage.engine.disconnect(tracker);
    assert!(stage.ask(writer, "INFO stats").contains("tracking_total_prefixes:0"));
}

#[test]
fn a_client_may_choose_what_is_remembered() {
    let mut stage = Stage::new(&[]);
    let [tracker, writer] = pair(&mut stage, "OPTIN");
    stage.check(
        tracker,
        &[
            ("GET a", "_"),
            ("CLIENT CACHING YES", "+OK"),
            ("GET b", "_"),
            ("GET c", "_"),
            ("CLIENT CACHING YES", "+OK"),
            ("MULTI", "+OK"),
            ("GET d", "+QUEUED"),
            ("EXEC", "*1 _"),
            (
                "CLIENT CACHING NO",
                "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ),
        ],
    );
    stage.ask(writer, "MSET a 1 b 1 c 1 d 1");
    let expected = ">2 $10 invalidate *1 $1 b >2 $10 invalidate *1 $1 d";
    assert_eq!(stage.read(tracker), expected);
    stage.ask(tracker, "CLIENT TRACKING OFF");
    stage.ask(tracker, "CLIENT TRACKING ON OPTOUT");
    stage.check(tracker, &[("CLIENT CACHING NO", "+OK"), ("GET a", "$1 1"), ("GET b", "$1 1")]);
    stage.ask(writer, "MSET a 1 b 1");
    assert_eq!(stage.read(tracker), ">2 $10 invalidate *1 $1 b");
}

#[test]
fn another_client_may_be_told_instead() {
    let mut stage = Stage::new(&[]);
    let (tracker, listener) = (stage.connect(), stage.connect());
    let id = stage.ask(listener, "CLIENT ID").replace(':', "");
    stage.ask(listener, "SUBSCRIBE __redis__:invalidate");
    let line = format!("CLIENT TRACKING ON REDIRECT {id}");
    stage.check(tracker, &[(&line, "+OK"), ("GET a", "$-1"), ("SET a 1", "+OK")]);
    assert_eq!(stage.read(listener), "*3 $7 message $20 __redis__:invalidate *1 $1 a");
    stage.check(tracker, &[("FLUSHALL", "+OK"), ("HELLO 3", &stage_hello()), ("GET a", "_")]);
    assert_eq!(stage.read(listener), "*3 $7 message $20 __redis__:invalidate $-1");
    stage.engine.disconnect(listener);
    let expected = format!("+OK >2 $21 tracking-redir-broken :{id}");
    stage.check(tracker, &[("SET a 1", &expected)]);
    assert!(stage.ask(tracker, "CLIENT TRACKINGINFO").contains("broken_redirect"));
}

fn stage_hello() -> String {
    let version = crate::engine::REDIS_VERSION;
    format!(
        "%7 $6 server $5 redis $7 version $5 {version} $5 proto :3 $2 id :1 $4 mode $10 standalone \
         $4 role $6 master $7 modules *0"
    )
}

#[test]
fn no_more_is_remembered_than_may_be() {
    let mut stage = Stage::new(&[("tracking-table-max-keys", "2")]);
    let [tracker, writer] = pair(&mut stage, "");
    stage.ask(tracker, "MGET a b c d");
    // Four were read: two are void at once.
    assert!(stage.ask(writer, "INFO stats").contains("tracking_total_keys:2"));
    stage.read(tracker);
    stage.ask(writer, "CONFIG SET tracking-table-max-keys 1");
    stage.engine.housekeep();
    assert!(stage.read(tracker).starts_with(">2 $10 invalidate *1 $1 "));
    assert!(stage.ask(writer, "INFO stats").contains("tracking_total_keys:1"));
}

#[test]
fn a_lower_bound_is_met_before_the_next_reply() {
    let mut stage = Stage::new(&[]);
    let [tracker, writer] = pair(&mut stage, "");
    stage.check(tracker, &[("MGET a a", "*2 _ _"), ("GET b", "_"), ("MULTI", "+OK")]);
    stage.ask(writer, "CONFIG SET tracking-table-max-keys 1");
    let mut replies = stage.ask(tracker, "PING");
    assert!(replies.is_empty() || replies.ends_with("+QUEUED"), "{replies}");
    replies.push_str(&stage.ask(tracker, "EXEC"));
    assert_eq!(replies.matches("invalidate").count(), 1, "{replies}");
}
