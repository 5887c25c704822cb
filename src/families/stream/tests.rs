//! Conversations about streams: what Redis 8.0 answers, and what later versions added.

use crate::families::bench::Bench;
use crate::protocol::reply::Dialect;

#[test]
fn entries_are_added_in_order() {
    Bench::new().check(&[
        r#"xadd s 1-1 a 1 => "1-1""#,
        r#"xadd s 1-* a 2 => "1-2""#,
        r#"xadd s 2 b 3 => "2-0""#,
        "xadd s 2-0 b 3 => -ERR The ID specified in XADD is equal or smaller than the target stream top item",
        "xadd s 1-* b 3 => -ERR The ID specified in XADD is equal or smaller than the target stream top item",
        "xadd s 0-0 b 3 => -ERR The ID specified in XADD must be greater than 0-0",
        "xadd s 3-x b 3 => -ERR Invalid stream ID specified as stream command argument",
        "xadd s 3 b => -ERR wrong number of arguments for 'xadd' command",
        "xadd s 3 a b c => -ERR wrong number of arguments for 'xadd' command",
        r#"xadd s * a 1 => "1795000000000-0""#,
        r#"xadd s * a 1 => "1795000000000-1""#,
        "xlen s => :5",
        "xadd none nomkstream * a 1 => nil",
        "exists none => :0",
        "xadd none 0-0 a 1 => -ERR The ID specified in XADD must be greater than 0-0",
        "exists none => :0",
        r#"xadd t 0-* a 1 => "0-1""#,
        r#"xadd t 18446744073709551615-18446744073709551615 a 1 => "18446744073709551615-18446744073709551615""#,
        "xadd t * a 1 => -ERR The stream has exhausted the last possible ID, unable to add more items",
        "type s => +stream",
        r#"object encoding s => "stream""#,
        "set str x => +OK",
        "xadd str 1-1 a 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
    ]);
}

#[test]
fn ranges_are_read_both_ways() {
    Bench::new().check(&[
        r#"xadd s 1-1 a 1 => "1-1""#,
        r#"xadd s 2-1 a 2 b x => "2-1""#,
        r#"xadd s 2-2 a 3 => "2-2""#,
        r#"xrange s - + => [["1-1" ["a" "1"]] ["2-1" ["a" "2" "b" "x"]] ["2-2" ["a" "3"]]]"#,
        r#"xrange s 2 2 count 1 => [["2-1" ["a" "2" "b" "x"]]]"#,
        r#"xrange s (2-1 + => [["2-2" ["a" "3"]]]"#,
        r#"xrevrange s (2-2 - => [["2-1" ["a" "2" "b" "x"]] ["1-1" ["a" "1"]]]"#,
        "xrange s + - => []",
        "xrange s - + count 0 => nil",
        "xrange none - + count 0 => []",
        "xrange s (18446744073709551615-18446744073709551615 + => -ERR invalid start ID for the interval",
        "xrange s - (0-0 => -ERR invalid end ID for the interval",
        "xrange s - + limit 3 => -ERR syntax error",
        "xdel s 2-1 7-7 => :1",
        "xdel none x => :0",
        "xdel s 1-1 x => -ERR Invalid stream ID specified as stream command argument",
        "xlen s => :2",
        r#"xread streams s 1-1 => [["s" [["2-2" ["a" "3"]]]]]"#,
        r#"xread count 1 streams none s 0 0 => [["s" [["1-1" ["a" "1"]]]]]"#,
        r#"xread streams s + => [["s" [["2-2" ["a" "3"]]]]]"#,
        "xread streams s $ => nil",
        "xread streams s none 0 => -ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.",
        r#"xread maxcount 1 streams s s 0 0 => [["s" [["1-1" ["a" "1"]]]]]"#,
    ]);
}

#[test]
fn streams_are_trimmed() {
    let mut bench = Bench::new();
    bench.limits.encodings.stream_node_entries = 3;
    for ms in 1..=10 {
        bench.run(&format!("xadd s {ms} a {ms}"));
    }
    bench.check(&[
        "xtrim s maxlen ~ 8 => :0",
        "xtrim s maxlen ~ 5 => :3",
        "xtrim s maxlen ~ 0 limit 3 => :3",
        "xtrim s minid = 8 => :1",
        "xlen s => :3",
        r#"xadd s maxlen 2 11 a 11 => "11-0""#,
        r#"xrange s - + => [["10-0" ["a" "10"]] ["11-0" ["a" "11"]]]"#,
        "xtrim s maxlen 1 limit 3 => -ERR syntax error, LIMIT cannot be used without the special ~ option",
        "xtrim s limit 3 => -ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
        "xtrim s maxlen 1 minid 1 => -ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
        "xtrim s maxlen -1 => -ERR The MAXLEN argument must be >= 0.",
        "xtrim s maxlen 0 => :2",
        "exists s => :1",
        "xlen s => :0",
    ]);
}

#[test]
fn groups_read_and_acknowledge() {
    Bench::new().check(&[
        "xgroup create s g $ => -ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
        "xgroup create s g $ mkstream mkstream mkstream mkstream => -ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP.",
        "exists s => :0",
        "xgroup create s g $ mkstream => +OK",
        "xgroup setid s g 0 entriesread 0 entriesread 0 => -ERR unknown subcommand or wrong number of arguments for 'setid'. Try XGROUP HELP.",
        "xgroup create s g $ => -BUSYGROUP Consumer Group name already exists",
        r#"xadd s 1-1 a 1 => "1-1""#,
        r#"xadd s 1-2 a 2 => "1-2""#,
        r#"xadd s 1-3 a 3 => "1-3""#,
        r#"xreadgroup group g c count 2 streams s > => [["s" [["1-1" ["a" "1"]] ["1-2" ["a" "2"]]]]]"#,
        r#"xreadgroup group g d streams s > => [["s" [["1-3" ["a" "3"]]]]]"#,
        "xreadgroup group g d streams s > => nil",
        r#"xpending s g => [:3 "1-1" "1-3" [["c" "2"] ["d" "1"]]]"#,
        r#"xpending s g - + 10 c => [["1-1" "c" :0 :1] ["1-2" "c" :0 :1]]"#,
        "xdel s 1-2 => :1",
        r#"xreadgroup group g c streams s 0 => [["s" [["1-1" ["a" "1"]] ["1-2" nil]]]]"#,
        "xack s g 1-1 1-9 => :1",
        "xack s none x => :0",
        r#"xclaim s g d 0 1-2 1-3 => [["1-3" ["a" "3"]]]"#,
        r#"xautoclaim s g e 0 - => ["0-0" [["1-3" ["a" "3"]]] []]"#,
        r#"xclaim s g e 0 1-1 force justid => ["1-1"]"#,
        r#"xpending s g - + 10 => [["1-1" "e" :0 :1] ["1-3" "e" :0 :3]]"#,
        r#"xinfo groups s => [["name" "g" "consumers" :3 "pending" :2 "last-delivered-id" "1-3" "entries-read" :3 "lag" :0]]"#,
        r#"xinfo consumers s g => [["name" "c" "pending" :0 "idle" :0 "inactive" :0] ["name" "d" "pending" :0 "idle" :0 "inactive" :0] ["name" "e" "pending" :2 "idle" :0 "inactive" :0]]"#,
        "xgroup delconsumer s g e => :2",
        "xpending s g => [:0 nil nil nil]",
        "xgroup destroy s g => :1",
        "xreadgroup group g c streams s > => -NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option",
    ]);
}

#[test]
fn groups_are_described_in_maps() {
    let mut bench = Bench::new();
    bench.dialect = Dialect::Resp3;
    bench.check(&[
        r#"xadd s 1-1 a 1 => "1-1""#,
        "xgroup create s g 0 => +OK",
        r#"xread streams s 0 => {"s" [["1-1" ["a" "1"]]]}"#,
        r#"xreadgroup group g c streams s > => {"s" [["1-1" ["a" "1"]]]}"#,
        r#"xinfo stream s full => {"length" :1 "radix-tree-keys" :1 "radix-tree-nodes" :2 "last-generated-id" "1-1" "max-deleted-entry-id" "0-0" "entries-added" :1 "recorded-first-entry-id" "1-1" "entries" [["1-1" ["a" "1"]]] "groups" [{"name" "g" "last-delivered-id" "1-1" "entries-read" :1 "lag" :0 "pel-count" :1 "nacked-count" :0 "pending" [["1-1" "c" :1795000000000 :1]] "consumers" [{"name" "c" "seen-time" :1795000000000 "active-time" :1795000000000 "pel-count" :1 "pending" [["1-1" :1795000000000 :1]]}]}]}"#,
    ]);
}

#[test]
fn references_are_heeded() {
    let mut bench = Bench::new();
    for ms in 1..=6 {
        bench.run(&format!("xadd s {ms} a {ms}"));
    }
    bench.check(&[
        "xdelex s acked ids 1 1 => [:1]",
        "xgroup create s g 1 => +OK",
        "xdelex s acked ids 2 2 9 => [:2 :-1]",
        "xgroup create s h 6 => +OK",
        r#"xreadgroup group g c count 3 streams s > => [["s" [["2-0" ["a" "2"]] ["3-0" ["a" "3"]] ["4-0" ["a" "4"]]]]]"#,
        "xackdel s g acked ids 2 2 6 => [:1 :-1]",
        "xdelex s delref ids 1 3 => [:1]",
        r#"xpending s g => [:1 "4-0" "4-0" [["c" "1"]]]"#,
        "xtrim s acked maxlen 0 => :0",
        "xdelex s keepref ids 1 4 => [:1]",
        "xackdel s g ids 1 4 => [:1]",
        "xtrim s maxlen 1 delref => :1",
        "xdelex s ids 0 1 => -ERR Number of IDs must be a positive integer",
        "xdelex s ids 2 1 => -ERR The `numids` parameter must match the number of arguments",
        "xdelex s keepref acked 1 => -ERR syntax error",
        "xdelex s ids 1 x => -ERR Invalid stream ID specified as stream command argument",
        "xdelex none ids 2 1 2 => [:-1 :-1]",
        "xackdel s none ids 1 6 => [:-1]",
    ]);
}

#[test]
fn released_entries_are_claimed_first() {
    let mut bench = Bench::new();
    for ms in 1..=4 {
        bench.run(&format!("xadd s {ms} a {ms}"));
    }
    bench.run("xgroup create s g 0");
    bench.run("xreadgroup group g c streams s >");
    bench.now.0 += 100;
    bench.check(&[
        "xnack s g fail ids 2 3 2 => :2",
        "xnack s g silent ids 1 9 => :0",
        r#"xpending s g => [:4 "1-0" "4-0" [["c" "2"]]]"#,
        r#"xpending s g 2 3 10 => [["2-0" "" :-1 :1] ["3-0" "" :-1 :1]]"#,
        r#"xreadgroup group g d count 3 claim 100 streams s > => [["s" [["3-0" ["a" "3"] :1795000000100 :1] ["2-0" ["a" "2"] :1795000000100 :1] ["1-0" ["a" "1"] :100 :1]]]]"#,
        r#"xadd s 5 a 5 => "5-0""#,
        r#"xreadgroup group g d claim 50 streams s > => [["s" [["4-0" ["a" "4"] :100 :1] ["5-0" ["a" "5"] :0 :0]]]]"#,
        "xreadgroup group g d claim -1 streams s > => -ERR min-idle-time must be a positive integer",
        "xreadgroup group g d claim x streams s > => -ERR min-idle-time is not an integer or out of range",
        "xread claim 5 streams s > => -ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.",
        "xnack s g fatal ids 1 1 => :1",
        r#"xpending s g 1 1 1 => [["1-0" "" :-1 :9223372036854775807]]"#,
        "xnack s g maybe ids 1 1 => -ERR mode must be SILENT, FAIL, or FATAL",
        "xnack s g fail ids 2 1 => -ERR number of IDs doesn't match numids",
        "xnack s g fail ids 1 1 retrycount -1 => -ERR Invalid RETRYCOUNT value, must be >= 0",
        "xnack s g fail ids 1 1 bar => -ERR Unrecognized XNACK option 'bar'",
        "xnack s g fail 1 1 1 => -ERR syntax error, expected IDS keyword",
        "xnack s none fail ids 1 1 => -NOGROUP No such key 's' or consumer group 'none'",
    ]);
}

#[test]
fn producers_repeat_without_effect() {
    let mut bench = Bench::new();
    bench.check(&[
        r#"xadd s idmp p i * a 1 => "1795000000000-0""#,
        r#"xadd s idmp p i * a 2 => "1795000000000-0""#,
        r#"xadd s idmp q i * a 1 => "1795000000000-1""#,
        r#"xadd s idmpauto p * a 1 => "1795000000000-2""#,
        r#"xadd s idmpauto p * a 1 => "1795000000000-2""#,
        "xlen s => :3",
        "xadd s idmp p j 5-5 a 1 => -ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs",
        r#"xadd s idmp "" j * a 1 => -ERR syntax error, IDMP requires a non-empty producer ID"#,
        r#"xadd s idmp p "" * a 1 => -ERR syntax error, IDMP requires a non-empty idempotent ID"#,
        r#"xadd s idmpauto "" * a 1 => -ERR syntax error, IDMPAUTO requires a non-empty producer ID"#,
        "xidmprecord s p k 1795000000000-1 => +OK",
        r#"xadd s idmp p k * a 2 => "1795000000000-1""#,
        "xidmprecord s p k 1795000000000-2 => -ERR IID already exists for this producer with a different stream ID",
        "xidmprecord s p l 9-9 => -ERR No such message in stream",
        "xcfgset s => -ERR At least one parameter must be specified",
        "xcfgset s idmp-duration 0 => -ERR IDMP-DURATION must be between 1 and 86400 seconds",
        "xcfgset s idmp-maxsize 10001 => -ERR IDMP-MAXSIZE must be between 1 and 10000 entries",
        "xcfgset none idmp-maxsize 10 => -ERR no such key",
    ]);
    bench.now.0 += 100_000;
    bench.check(&[
        r#"xadd s idmp p i * a 2 => "1795000100000-0""#,
        "xcfgset s idmp-maxsize 1 => +OK",
        r#"xadd s idmp p i * a 2 => "1795000100000-1""#,
        r#"xadd s idmp p j * a 2 => "1795000100000-2""#,
        r#"xadd s idmp p i * a 2 => "1795000100000-3""#,
    ]);
}

#[test]
fn what_is_remembered_can_be_set() {
    Bench::new().check(&[
        "xsetid none 1-1 => -ERR no such key",
        r#"xadd t 5-5 a b => "5-5""#,
        "xsetid t 5-4 => -ERR The ID specified in XSETID is smaller than the target stream top item",
        "xsetid t 5-6 entriesadded 0 => -ERR The entries_added specified in XSETID is smaller than the target stream length",
        "xsetid t 5-6 entriesadded -1 => -ERR entries_added must be positive",
        "xsetid t 5-6 maxdeletedid 6-1 => -ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
        "xsetid t 5-7 entriesadded 9 maxdeletedid 5-5 => +OK",
        "xsetid t 5-6 => +OK",
        "xsetid t foo => -ERR Invalid stream ID specified as stream command argument",
        "xsetid t 5-6 foo 1 => -ERR syntax error",
        r#"xadd t 5-* a b => "5-7""#,
    ]);
}
