//! The law of propagation: what is told of random commands, done again under another clock and
//! another seed, makes the same data.
//!
//! Commands come from the grammar of every row that writes, with words that mean something to most
//! of them, and from examples for those that need more. After every call what was told is replayed
//! into a second engine and both data sets are compared, deadlines included.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::BTreeMap;

use super::digest;
use super::registry::Run;
use super::replay::Replay;
use super::tests::Stage;
use crate::command::args::Args;
use crate::command::spec::{Arg, ArgKind, Group, WRITE};
use crate::keyspace::DbIndex;
use crate::persistence::aof::reader::{Item, Reader};
use crate::types::stream::Stream;
use crate::types::stream::group::{Group as StreamGroup, Name};

/// Calls that the grammar alone hardly ever gets right; `#` is a small number.
const EXAMPLES: &[&str] = &[
    "xadd x# * a #",
    "xadd x# maxlen ~ # * a # b #",
    "xadd x# minid ~ 5 delref * a #",
    "xadd x# maxlen # acked * a #",
    "xadd x# idmp p# i# * a #",
    "xadd x# idmpauto p# * a #",
    "xtrim x# maxlen ~ #",
    "xtrim x# maxlen # acked",
    "xtrim x# maxlen # delref",
    "xgroup create x# g# 0 mkstream",
    "xgroup create x# g# $ mkstream",
    "xgroup createconsumer x# g# c#",
    "xgroup delconsumer x# g# c#",
    "xgroup destroy x# g#",
    "xgroup setid x# g# $",
    "xgroup setid x# g# 0",
    "xreadgroup group g# c# streams x# >",
    "xreadgroup group g# c# count # streams x# >",
    "xreadgroup group g# c# noack streams x# >",
    "xreadgroup group g# c# claim 0 streams x# >",
    "xreadgroup group g# c# streams x# 0",
    "xautoclaim x# g# c# 0 0",
    "xautoclaim x# g# c# 0 0 count # justid",
    "xclaim x# g# c# 0 ID",
    "xclaim x# g# c# 0 ID ID force",
    "xclaim x# g# c# 0 ID justid retrycount 7 lastid ID",
    "xack x# g# ID",
    "xnack x# g# fail ids 1 ID",
    "xnack x# g# silent ids 1 ID force",
    "xdel x# ID",
    "xdelex x# acked ids 1 ID",
    "xdelex x# delref ids 1 ID",
    "xackdel x# g# ids 1 ID",
    "xackdel x# g# delref ids 2 ID ID",
    "xsetid x# 99999999999999-1",
    "xcfgset x# idmp-maxsize 5",
    "xidmprecord x# p1 i9 ID",
    "bitfield s# set u8 # #",
    "bitfield s# incrby u4 # 9",
    "setrange s# # abc",
    "setbit s# # 1",
    "bitop xor s# s# s#",
    "geoadd z# 13.5 37.# a",
    "georadius z# 13 37 500 km store z#",
    "georadiusbymember z# a 500 km store z#",
    "geosearchstore z# z# frommember a byradius 500 km",
    "sort l# store l#",
    "sort q# by nosort store l#",
    "hset h# a # b #",
    "hpexpire h# 1# fields 2 a b",
    "hexpire h# 100 nx fields 1 a",
    "hexpire h# 0 fields 1 a",
    "hpersist h# fields 1 a",
    "sadd q# a b c d",
    "spexpire q# 1# members 2 a b",
    "sexpire q# 100 nx members 1 c",
    "sexpire q# 0 members 1 a",
    "sexpireat q# 99999999999 gt members 2 a b",
    "sexpire q# 10# members 2 b c",
    "spersist q# members 1 b",
    "spersist q# members 2 b c",
    "spop q#",
    "spop q# 2",
    "zpexpire z# 1# members 2 a b",
    "zexpire z# 100 nx members 1 c",
    "zexpire z# 0 members 1 a",
    "zexpireat z# 99999999999 gt members 2 a b",
    "zexpire z# 10# members 2 b c",
    "zpersist z# members 2 a b",
    "zpersist z# members 2 b c",
    "zpopmin z#",
    "zpopmax z# 2",
    "zincrby z# 2 a",
    "hgetex h# px 2# fields 2 a b",
    "hgetex h# persist fields 1 a",
    "hsetex h# px 3# fields 2 a 1 b 2",
    "hsetex h# exat 1 fields 1 a 1",
    "hgetdel h# fields 1 a",
    "hincrby h# a #",
    "hincrbyfloat h# a 1.5",
    "hsetnx h# a #",
    "increx s# byint # px 9#",
    "increx s# byfloat 1.5",
    "increx s# ubound 3 saturate",
    "msetex 2 s1 # s2 # px 5#",
    "incrbyfloat s# 0.5",
    "set s# #",
    "pfadd p# a# b# c#",
    "pfcount p#",
    "pfmerge p# p# p#",
    "lmovem l# l# left right count 2 bulk",
    "blmovem l# l# left left 0 count 2 obo",
    "swapdb 0 1",
    "delifeq s# #",
    "delex s# ifeq #",
    "zrangestore z# z# 0 1",
    "rpush l# # 1 2",
    "sadd q# a b c # 12 13",
    "zadd z# # a 2 b 3 c",
    "zrem z# a",
    "zremrangebyscore z# 1 2",
    "zremrangebylex z# [a [b",
    "zremrangebyrank z# 0 0",
    "linsert l# before 1 x",
    "lrem l# 1 1",
    "lset l# 0 y",
    "ltrim l# 0 3",
    "srem q# a",
    "smove q# q# b",
    "zunionstore z# 2 z# z#",
    "zinterstore z# 2 z# z#",
    "zdiffstore z# 2 z# z#",
    "restore r# 0 nonsense",
    "snapshot save moment",
    "snapshot restore moment",
    "eval return{redis.call('incr','s1'),redis.call('spop','q#')} 0",
    "eval redis.set_repl(redis.REPL_ALL)redis.call('set','s#',1)return(redis.call('get','s1')) 0",
];

/// Commands that change nothing in the keyspace, or nothing that is told.
const UNTOLD: &[&str] = &[
    "FUNCTION|DELETE",
    "FUNCTION|FLUSH",
    "FUNCTION|LOAD",
    "FUNCTION|RESTORE",
    "PFDEBUG",
    "RESTORE",
    "RESTORE-ASKING",
];

struct Author {
    rng: fastrand::Rng,
    now_ms: i64,
    group: Group,
    /// How many of what is repeated next.
    count: Option<usize>,
}

impl Author {
    fn key(&mut self) -> String {
        let own = match self.group {
            Group::List => 'l',
            Group::Set => 'q',
            Group::Hash => 'h',
            Group::SortedSet | Group::Geo => 'z',
            Group::Stream => 'x',
            Group::HyperLogLog => 'p',
            _ => 's',
        };
        let any = ['s', 'l', 'q', 'h', 'z', 'x', 'p'];
        let is_generic = matches!(self.group, Group::Generic);
        let letter =
            if is_generic || self.rng.u8(..8) == 0 { any[self.rng.usize(..7)] } else { own };
        format!("{letter}{}", self.rng.u8(1..4))
    }

    fn pick(&mut self, words: &[&str]) -> String {
        words[self.rng.usize(..words.len())].to_owned()
    }

    fn word(&mut self, arg: &Arg) -> String {
        match (arg.kind, arg.name) {
            (ArgKind::Key, _) => self.key(),
            (ArgKind::Integer, name) if name.starts_with("num") => {
                let count = self.rng.usize(1..3);
                self.count = Some(count);
                count.to_string()
            }
            (ArgKind::Integer, "seconds") => self.pick(&["1", "10", "100"]),
            (ArgKind::Integer, "milliseconds") => self.pick(&["1", "50", "5000", "0"]),
            (ArgKind::Integer, _) => self.pick(&["0", "1", "2", "3", "10", "-1", "7"]),
            (ArgKind::Double, "timeout") => "0".to_owned(),
            (ArgKind::Double, _) => self.pick(&["1", "1.5", "-2", "0.1", "3e2"]),
            (ArgKind::UnixTime, name) => {
                let ahead = self.rng.i64(-5..10_000);
                let is_seconds = name.contains("seconds") && !name.contains("milli");
                let at = self.now_ms + ahead;
                (if is_seconds { at / 1000 + 1 } else { at }).to_string()
            }
            (ArgKind::Text, "start" | "min" | "threshold") => self.pick(&["-inf", "1", "0", "[a"]),
            (ArgKind::Text, "stop" | "max") => self.pick(&["+inf", "2", "-1", "[c"]),
            (ArgKind::Text, _) => self.pick(&["a", "b", "c", "12", "x y", "", "u8"]),
            (ArgKind::Pattern, _) => "*".to_owned(),
            (ArgKind::PureToken | ArgKind::OneOf | ArgKind::Block, _) => String::new(),
        }
    }

    fn write(&mut self, arg: &Arg, words: &mut Vec<String>) {
        if arg.is_optional && self.rng.u8(..3) > 0 {
            return;
        }
        let times = match (arg.is_repeated, self.count.take()) {
            (true, Some(count)) => count,
            (true, None) => self.rng.usize(1..4),
            (false, count) => {
                self.count = count;
                1
            }
        };
        for time in 0..times {
            if let Some(token) = arg.token
                && (time == 0 || arg.repeats_token)
            {
                words.push(token.to_owned());
            }
            match arg.kind {
                ArgKind::PureToken => {}
                ArgKind::OneOf => {
                    let chosen = &arg.parts[self.rng.usize(..arg.parts.len())];
                    self.write(chosen, words);
                }
                ArgKind::Block => arg.parts.iter().for_each(|part| self.write(part, words)),
                _ => {
                    let word = self.word(arg);
                    words.push(word);
                }
            }
        }
    }

    /// An example about stream `stream`, in which `ID` is an entry of it.
    fn fill(&mut self, example: &str, stream: u8, id: &str) -> Vec<String> {
        let group = format!("g{}", self.rng.u8(1..3));
        let example = example.replace("x#", &format!("x{stream}")).replace("g#", &group);
        let fill = |word: &str| {
            let mut filled = String::new();
            for letter in word.chars() {
                match letter {
                    '#' => filled.push(char::from(b'1' + self.rng.u8(..3))),
                    other => filled.push(other),
                }
            }
            filled.replace("ID", id)
        };
        example.split(' ').map(fill).collect()
    }
}

/// Two engines, of which the second hears what the first tells.
struct Pair {
    first: Stage,
    second: Stage,
    replay: Replay,
}

impl Pair {
    fn new() -> Self {
        let mut first = Stage::new(&[]);
        first.engine.propagation.turn(true);
        first.engine.choose_listening();
        let mut second = Stage::seeded(99, &[]);
        second.pass_ms(3_600_000);
        let replay = second.engine.begin_replay();
        Self { first, second, replay }
    }

    /// Replays what was told; how many commands that were.
    fn follow(&mut self) -> Vec<String> {
        let mut log = Vec::new();
        self.first.engine.propagation.take(|bytes| log.extend_from_slice(bytes));
        let mut reader = Reader::new(log.as_slice(), 0, 1 << 30);
        let mut told = Vec::new();
        while let Some(item) = reader.next_item().unwrap() {
            assert_eq!(item, Item::Request);
            let (buffer, spans) = reader.request();
            let args = Args::new(buffer, spans, &[]);
            let words: Vec<_> = args.words().map(String::from_utf8_lossy).collect();
            told.push(words.join(" "));
            let failed = self.replay.failed();
            self.second.engine.replay(&mut self.replay, &args).unwrap();
            assert_eq!(self.replay.failed(), failed, "refused in the end: {told:?}");
        }
        assert!(!self.replay.is_in_transaction());
        told
    }

    /// Both data sets as of the first one's clock.
    fn views(&self) -> [String; 2] {
        let now = self.first.engine.now.unix_ms();
        [&self.first, &self.second].map(|stage| {
            let keyspace = &stage.engine.keyspace;
            let mut text = digest::of_keyspace(keyspace, now).hex();
            let mut keys = BTreeMap::new();
            for db in (0..keyspace.db_count()).map(DbIndex) {
                let reader = keyspace.reader(db, now);
                reader.scan(0, usize::MAX, &mut |key, value| {
                    let deadline = reader.deadline(key).flatten();
                    let digest = digest::of_value(value.open().as_ref()).hex();
                    let state = value.collection::<Stream>().ok().map(|stream| of_stream(&stream));
                    let kind = value.kind().name();
                    let line =
                        format!("{kind} {deadline:?} {digest} {}", state.unwrap_or_default());
                    keys.insert((db, String::from_utf8_lossy(key).into_owned()), line);
                });
            }
            for (key, line) in keys {
                text.extend(["\n", &format!("{key:?} "), &line]);
            }
            text
        })
    }

    /// Sends a request as a client that comes and goes.
    fn send(&mut self, requests: &[Vec<String>]) -> String {
        let client = self.first.connect();
        let mut said = String::new();
        for words in requests {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            said = self.first.send_words(client, &words).1;
        }
        self.first.engine.disconnect(client);
        said
    }
}

/// What groups have pending, of which a digest tells only a part. When consumers were seen is not
/// told to others, nor, as in Redis, that one has read again what is pending, which counts as a
/// delivery; and what producers have named is forgotten by everybody's own clock.
fn of_stream(stream: &Stream) -> String {
    let log = stream.log();
    let ids = (log.last_id(), log.max_deleted_id(), log.entries_added());
    let of_group = |(name, group): (&Name, &StreamGroup)| {
        let consumers: Vec<_> = group.consumers().iter().map(|(name, _)| name.clone()).collect();
        let pending = group.pending().iter().filter(|(_, pending)| pending.owner().is_some());
        let pending: Vec<_> = pending.map(|(id, _)| *id).collect();
        let released: Vec<_> = group.released().collect();
        let position = (group.last_id, group.entries_read);
        format!("{name:?} {position:?} {consumers:?} {pending:?} {released:?}")
    };
    let groups: Vec<_> = stream.groups().iter().map(of_group).collect();
    format!("{ids:?} {groups:?}")
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// An identifier that a stream has.
fn some_id(pair: &mut Pair, stream: u8, rng: &mut fastrand::Rng) -> String {
    let said = pair.send(&[words(&format!("xrange x{stream} - +"))]);
    let ids: Vec<&str> = said.split(' ').filter(|word| word.contains('-')).collect();
    if ids.is_empty() { "1-1".into() } else { ids[rng.usize(..ids.len())].into() }
}

#[test]
fn replay_converges() {
    let mut pair = Pair::new();
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    let writers: Vec<(String, Group, &'static [Arg])> = {
        let rows = pair.first.engine.registry.rows().iter();
        let rows = rows.filter(|row| {
            let writes = matches!(row.run, Run::Write(_)) || row.spec.flags.has(WRITE);
            writes && row.children.is_empty()
        });
        rows.map(|row| (row.full_name.to_ascii_uppercase(), row.spec.group, row.spec.args))
            .collect()
    };
    let mut author =
        Author { rng: fastrand::Rng::with_seed(11), now_ms: 0, group: Group::String, count: None };
    for turn in 0..15_000_u32 {
        author.now_ms = pair.first.engine.now.unix_ms().0;
        let (name, group, args) = writers[author.rng.usize(..writers.len())].clone();
        let request = if author.rng.bool() {
            author.group = group;
            author.count = None;
            let mut request: Vec<String> = name.split('|').map(str::to_owned).collect();
            for arg in args {
                author.write(arg, &mut request);
            }
            request
        } else {
            let stream = author.rng.u8(1..4);
            let id = some_id(&mut pair, stream, &mut author.rng.fork());
            let example = EXAMPLES[author.rng.usize(..EXAMPLES.len())];
            author.fill(example, stream, &id)
        };
        let is_flush = request[0].starts_with("FLUSH") || request[0] == "SWAPDB";
        if is_flush && author.rng.u8(..10) > 0 {
            continue;
        }
        let mut requests = vec![request];
        match author.rng.u8(..12) {
            0 => requests.insert(0, words(&format!("select {}", author.rng.u8(..3)))),
            1 => {
                requests.insert(0, words("multi"));
                requests.push(words("append s1 x"));
                requests.push(words("exec"));
            }
            _ => {}
        }
        let said = pair.send(&requests);
        let known = pair.follow();
        if author.rng.u8(..4) == 0 {
            pair.first.pass_ms(author.rng.u64(1..40));
            // What is over is there for a while, when there is more of it than a turn has time for.
            if author.rng.bool() {
                pair.first.engine.expire();
                pair.follow();
            }
        }
        let [first, second] = pair.views();
        assert_eq!(first, second, "turn {turn}: {requests:?} => {said}, told as {known:?}");
        if !known.is_empty() {
            let request = requests.iter().find(|words| words[0] != "select").unwrap();
            let own = request[0].to_ascii_uppercase();
            let sub = request.get(1).map(|sub| format!("{own}|{}", sub.to_ascii_uppercase()));
            let is_known = |name: &String| writers.iter().any(|(known, _, _)| known == name);
            let name = sub.filter(is_known).unwrap_or(own);
            *told.entry(name).or_default() += 1;
        }
    }
    let is_untold = |name: &&String| !told.contains_key(*name) && !UNTOLD.contains(&name.as_str());
    let untold: Vec<&String> = writers.iter().map(|(name, _, _)| name).filter(is_untold).collect();
    assert!(untold.is_empty(), "never told: {untold:?}");
}

#[test]
fn units_are_framed_and_databases_selected() {
    let mut pair = Pair::new();
    let mut check = |requests: &[&str], expected: &[&str]| {
        let requests: Vec<Vec<String>> = requests.iter().map(|line| words(line)).collect();
        let said = pair.send(&requests);
        assert_eq!(pair.follow(), expected, "{requests:?} => {said}");
    };
    check(&["set a 1"], &["SELECT 0", "set a 1"]);
    check(&["get a", "del nosuch", "setrange a 0 "], &[]);
    check(&["multi", "set a 1", "get a", "exec"], &["set a 1"]);
    check(&["multi", "set a 1", "incr a", "exec"], &["MULTI", "set a 1", "incr a", "EXEC"]);
    check(
        &["multi", "select 2", "set a 1", "select 3", "set b 1", "exec"],
        &["SELECT 2", "MULTI", "set a 1", "SELECT 3", "set b 1", "EXEC"],
    );
    check(&["eval redis.call('set','a',1) 0"], &["SELECT 0", "set a 1"]);
    check(
        &["eval redis.call('set','a',1)redis.call('incr','b') 0"],
        &["MULTI", "set a 1", "incr b", "EXEC"],
    );
    check(
        &["eval redis.set_repl(0)redis.call('set','a',1)redis.set_repl(3)redis.call('incr','b') 0"],
        &["incr b"],
    );
    check(&["select 3", "flushall"], &["SELECT 3", "flushall"]);
    check(&["select 3", "function flush"], &["function flush"]);
    check(&["select 3", "publish a b", "spublish a b", "script flush"], &[]);
}

#[test]
fn what_goes_by_itself_is_told_before_what_follows() {
    let mut pair = Pair::new();
    let set = |pair: &mut Pair, line: &str| pair.send(&[words(line)]);
    set(&mut pair, "set a 1 px 10");
    set(&mut pair, "set b 1 px 10");
    set(&mut pair, "hset h f 1 g 2");
    set(&mut pair, "hpexpire h 10 fields 2 f g");
    set(&mut pair, "sadd s m");
    set(&mut pair, "spexpire s 10 members 1 m");
    set(&mut pair, "zadd z 1 m 2 n");
    set(&mut pair, "zpexpire z 10 members 1 n");
    pair.follow();
    pair.first.pass_ms(20);
    set(&mut pair, "set a 2");
    assert_eq!(pair.follow(), ["MULTI", "DEL a", "set a 2", "EXEC"]);
    pair.first.engine.expire();
    let mut told = pair.follow();
    told.sort();
    assert_eq!(told, ["DEL b", "HDEL h g f", "SREM s m", "ZREM z n"]);
}

#[test]
fn what_is_over_takes_no_part_in_what_is_made_of_others() {
    let mut pair = Pair::new();
    for line in [
        "sadd s m n",
        "spexpire s 10 members 1 m",
        "zadd z 1 m 2 n",
        "zpexpire z 10 members 1 m",
        "set a x px 10",
        "set b y",
    ] {
        pair.send(&[words(line)]);
    }
    pair.follow();
    pair.first.pass_ms(20);
    for (line, told) in [
        // It is refused, and yet has looked.
        ("sunionstore to s b", &["SREM s m"][..]),
        ("zrangestore to z 0 -1", &["MULTI", "ZREM z m", "zrangestore to z 0 -1", "EXEC"]),
        ("bitop or to a b", &["MULTI", "DEL a", "bitop or to a b", "EXEC"]),
        ("sunionstore to s", &["sunionstore to s"]),
    ] {
        pair.send(&[words(line)]);
        assert_eq!(pair.follow(), told, "{line}");
        let [first, second] = pair.views();
        assert_eq!(first, second, "{line}");
    }
}

#[test]
fn a_stream_comes_back_with_what_is_pending_of_entries_that_are_gone() {
    let mut pair = Pair::new();
    for line in [
        "xadd x 1-1 a 1",
        "xadd x 2-1 a 2",
        "xadd x 3-1 a 3",
        "xadd x 4-1 a 4",
        "xgroup create x g 0",
        "xgroup create x h 2-1 entriesread 2",
        "xreadgroup group g c streams x >",
        "xclaim x g d 0 2-1 retrycount 7 justid",
        "xdel x 2-1",
        "xnack x g fail ids 1 3-1",
        "xnack x g fail ids 1 1-1",
        "xtrim x maxlen 1",
        "xsetid x 9-9",
        "xadd gone 1-1 a 1",
        "xgroup create gone g 0",
        "xreadgroup group g c streams gone >",
        "xtrim gone maxlen 0",
        "snapshot save moment",
        "del x gone",
        "snapshot restore moment",
    ] {
        let said = pair.send(&[words(line)]);
        assert!(!said.starts_with('-'), "{line} => {said}");
        pair.follow();
    }
    let [first, second] = pair.views();
    assert_eq!(first, second);
    for id in [1, 2, 3, 4] {
        assert!(second.contains(&format!("Id {{ ms: {id}, seq: 1 }}")), "{id} in {second}");
    }
}
