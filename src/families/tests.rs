//! What holds across families: events in the order in which Redis 8 tells them, and refusals of
//! values of another type, before or after other refusals as there.

use super::bench::Bench;
use crate::keyspace::Expiry;
use crate::keyspace::journal::Change;
use crate::keyspace::probe::Probe;

const REFUSAL: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

fn check_events(conversation: &[&str]) {
    let mut bench = Bench::new();
    bench.keyspace.journal_mut().listen(true);
    for line in conversation {
        let (command, expected) = line.split_once(" => ").expect("a line has events");
        bench.run(command);
        let records = bench.keyspace.journal_mut().take_records();
        // Redis 8.0 has neither of the other classes.
        let told = records.iter().filter(|record| !matches!(record.event.class, 0 | b'o' | b'c'));
        let events: Vec<String> = told
            .map(|record| {
                let key = String::from_utf8_lossy(record.key);
                let db = if record.db.0 == 0 { String::new() } else { format!("@{}", record.db.0) };
                format!("{}({key}){db}", record.event.name)
            })
            .collect();
        let events = if events.is_empty() { "nothing".into() } else { events.join(" ") };
        assert_eq!(events, *expected, "{command}");
    }
}

#[test]
fn events_of_sorted_sets_are_those_of_redis() {
    check_events(&[
        "zadd z 1 a => new(z) zadd(z)",
        "zadd z 1 a => nothing",
        "zadd z 2 a 3 b => zadd(z)",
        "zadd z nx 5 a => nothing",
        "zadd none xx 5 a => nothing",
        "zadd z incr 1 a => zincr(z)",
        "zincrby z 1 a => zincr(z)",
        "zincrby z 0 a => nothing",
        "zrem z nosuch => nothing",
        "zrem z b => zrem(z)",
        "zunionstore u 2 z none => new(u) zunionstore(u)",
        "zinterstore u 2 z none => del(u)",
        "zinterstore u 2 z none => nothing",
        "zdiffstore u 1 z => new(u) zdiffstore(u)",
        "zrangestore u z 0 -1 => zrangestore(u)",
        "zpopmin u => zpopmin(u) del(u)",
        "zpopmax z 0 => nothing",
        "zadd z 1 b 2 c 3 d 4 e 5 f => zadd(z)",
        "zmpop 1 z max count 2 => zpopmax(z)",
        "zremrangebyrank z 0 0 => zremrangebyrank(z)",
        "zremrangebyscore z 9 10 => nothing",
        "zremrangebyscore z 2 2 => zremrangebyscore(z)",
        "zremrangebylex z - + => zremrangebylex(z) del(z)",
        "geoadd g 13 38 a => new(g) zadd(g)",
        "geosearchstore h g frommember a byradius 1 km => new(h) geosearchstore(h)",
        "georadius g 13 38 1 km store h => georadiusstore(h)",
        "georadius g 0 0 1 km store h => del(h)",
    ]);
}

#[test]
fn events_of_streams_are_those_of_redis() {
    check_events(&[
        "xadd s 1-1 a 1 => new(s) xadd(s)",
        "xadd s maxlen 1 1-2 a 1 => xadd(s) xtrim(s)",
        "xgroup create s g 0 => xgroup-create(s)",
        "xreadgroup group g c streams s > => xgroup-createconsumer(s)",
        "xreadgroup group g c streams s 0 => nothing",
        "xclaim s g d 0 1-2 => xgroup-createconsumer(s)",
        "xautoclaim s g e 0 0 => xgroup-createconsumer(s)",
        "xack s g 1-2 => nothing",
        "xdel s 1-2 => xdel(s)",
        "xgroup setid s g 0 => xgroup-setid(s)",
        "xsetid s 9 => xsetid(s)",
        "xgroup createconsumer s g z => xgroup-createconsumer(s)",
        "xgroup delconsumer s g z => xgroup-delconsumer(s)",
        "xgroup delconsumer s g nope => nothing",
        "xgroup destroy s g => xgroup-destroy(s)",
        "xgroup destroy s g => nothing",
        "xgroup create t g 0 mkstream => new(t) xgroup-create(t)",
        "xadd t 1 a 1 => xadd(t)",
        "xtrim t maxlen 0 => xtrim(t)",
        "xtrim t maxlen 0 => nothing",
        "xadd t maxlen 0 2 a 1 => xadd(t) xtrim(t)",
    ]);
}

#[test]
fn events_of_strings_are_those_of_redis() {
    check_events(&[
        "flushall => nothing",
        "set k v => new(k) set(k)",
        "set k v EX 100 => set(k) expire(k)",
        "set k v EX 100 GET => set(k) expire(k)",
        "set k v GET => set(k)",
        "set k v2 KEEPTTL => set(k)",
        "set k v PXAT 1 => set(k) expire(k)",
        "set k v NX => expired(k) new(k) set(k)",
        "set k v XX GET => set(k)",
        "set k w NX => nothing",
        "setex k 10 v => set(k) expire(k)",
        "psetex k 10000 v => set(k) expire(k)",
        "setnx n v => new(n) set(n)",
        "getex k => nothing",
        "getex k ex 100 => expire(k)",
        "getex k persist => persist(k)",
        "getex k persist => nothing",
        "getex k exat 1 => del(k)",
        "set k v => new(k) set(k)",
        "getdel k => del(k)",
        "set k v => new(k) set(k)",
        "getset k w => set(k)",
        "append k x => append(k)",
        r#"append k "" => append(k)"#,
        r#"append z "" => new(z) append(z)"#,
        "setrange k 1 x => setrange(k)",
        r#"setrange k 1 "" => nothing"#,
        "incr i => new(i) incrby(i)",
        "incrby i 5 => incrby(i)",
        "decr i => incrby(i)",
        "decrby i 2 => incrby(i)",
        "incrby i 0 => incrby(i)",
        "incrbyfloat i 1.5 => incrbyfloat(i)",
        "mset a 1 b 2 => new(a) set(a) new(b) set(b)",
        "mset a 1 a 3 => set(a) set(a)",
        "msetnx a 1 c 2 => nothing",
        "msetnx c1 1 c2 2 => new(c1) set(c1) new(c2) set(c2)",
        "setbit bb 1 1 => new(bb) setbit(bb)",
        "setbit bb 1 1 => nothing",
        "setbit bb2 100 0 => new(bb2) setbit(bb2)",
        "setbit bb 90 0 => setbit(bb)",
        "bitop and d bb bb2 => new(d) set(d)",
        "bitop and d nokey => del(d)",
        "bitop and d nokey => nothing",
        "bitfield bf set u8 0 1 get u8 0 incrby u8 0 1 => new(bf) setbit(bf)",
        "bitfield bf get u8 0 => nothing",
        "bitfield bf set u8 0 2 => nothing",
        "bitfield bf set u8 0 2 => nothing",
        "del bf nokey => del(bf)",
        "unlink bb => del(bb)",
    ]);
}

#[test]
fn events_of_lists_are_those_of_redis() {
    check_events(&[
        "rpush l a b c => new(l) rpush(l)",
        "lpush l d => lpush(l)",
        "lpushx l e => lpush(l)",
        "rpushx l f => rpush(l)",
        "lpushx nosuch a => nothing",
        "lpop l => lpop(l)",
        "rpop l 2 => rpop(l)",
        "lpop l 0 => nothing",
        "lpop nosuch => nothing",
        "linsert l before a x => linsert(l)",
        "linsert l before nosuch x => nothing",
        "lset l 0 y => lset(l)",
        "lset l 99 y => nothing",
        "lrem l 0 nosuch => nothing",
        "lrem l 0 y => lrem(l)",
        "ltrim l 0 -1 => ltrim(l)",
        "ltrim l 1 0 => ltrim(l) del(l)",
        "rpush l 1 2 3 4 5 6 => new(l) rpush(l)",
        "lmove l m left right => new(m) rpush(m) lpop(l)",
        "lmove l m right left => lpush(m) rpop(l)",
        "lmove l l left right => rpush(l) lpop(l)",
        "rpoplpush l m => lpush(m) rpop(l)",
        "rpoplpush m m => lpush(m) rpop(m)",
        "lmpop 2 nosuch l left => lpop(l)",
        "lmpop 1 m right count 2 => rpop(m)",
        "blpop l 0 => lpop(l)",
        "brpop m 0 => rpop(m) del(m)",
        "rpush l 1 2 3 => rpush(l)",
        "blmove l m left left 0 => new(m) lpush(m) lpop(l)",
        "brpoplpush l m 0 => lpush(m) rpop(l)",
        "blmpop 0 1 l left count 9 => lpop(l) del(l)",
        "rpoplpush m n => new(n) lpush(n) rpop(m)",
        "rpush z 3 1 2 => new(z) rpush(z)",
        "sort z => nothing",
        "sort z store t => new(t) sortstore(t)",
        "sort z store z => sortstore(z)",
        "sort nosuch store t => del(t)",
        "sort nosuch store t => nothing",
        "lrem z 0 1 => lrem(z)",
        "lrem z 0 2 => lrem(z)",
        "lrem z 0 3 => lrem(z) del(z)",
    ]);
}

#[test]
fn events_of_keys_are_those_of_redis() {
    check_events(&[
        "set k v => new(k) set(k)",
        "expire k 100 => expire(k)",
        "pexpireat k 1 => del(k)",
        "set k v => new(k) set(k)",
        "expire k -1 => del(k)",
        "set k v => new(k) set(k)",
        "expire k 100 nx => expire(k)",
        "expire k 100 nx => nothing",
        "persist k => persist(k)",
        "persist k => nothing",
        "rename k k => nothing",
        "rename k k2 => new(k2) rename_from(k) rename_to(k2)",
        "set k3 v => new(k3) set(k3)",
        "expire k3 100 => expire(k3)",
        "rename k3 k2 => new(k2) rename_from(k3) rename_to(k2)",
        "renamenx k2 k => new(k) rename_from(k2) rename_to(k)",
        "set k2 x => new(k2) set(k2)",
        "renamenx k k2 => nothing",
        r#"restore r 0 "\x00\xc0\x01\x0a\x00&x\xe7\xb6\xd1\x01\x11\xfc" => new(r) restore(r)"#,
        r#"restore r 0 "\x00\xc0\x01\x0a\x00&x\xe7\xb6\xd1\x01\x11\xfc" => nothing"#,
        r#"restore r 0 "\x00\xc0\x01\x0a\x00&x\xe7\xb6\xd1\x01\x11\xfc" replace => new(r) restore(r)"#,
        r#"restore r 1 "\x00\xc0\x01\x0a\x00&x\xe7\xb6\xd1\x01\x11\xfc" replace absttl => del(r)"#,
        "copy k k9 => new(k9) copy_to(k9)",
        "copy k k9 replace => new(k9) copy_to(k9)",
        "copy k k9 db 1 => new(k9)@1 copy_to(k9)@1",
        "copy k k9 db 1 replace => new(k9)@1 copy_to(k9)@1",
        "set mm 1 ex 100 => new(mm) set(mm) expire(mm)",
        "move mm 1 => new(mm)@1 move_from(mm) move_to(mm)@1",
        "flushdb => nothing",
        "set k v => new(k) set(k)",
        "flushdb async => nothing",
        "flushdb => nothing",
        "set k v => new(k) set(k)",
        "flushall => nothing",
        "flushall async => nothing",
    ]);
}

/// A bench whose key `l` holds no string.
fn bench_with_list() -> Bench {
    let mut bench = Bench::new();
    let list = bench.keyspace.writer(bench.db, bench.now).upsert(b"l", |list: &mut Probe, _| {
        list.0.push(b"a".to_vec());
        ((), Change::None)
    });
    assert_eq!(list, Ok(()));
    bench
}

#[test]
fn other_types_are_refused_as_by_redis() {
    let mut bench = bench_with_list();
    bench.check(&[
        "get l => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "mget l => [nil]",
        "getrange l 0 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "getrange l a 1 => -ERR value is not an integer or out of range",
        "strlen l => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "append l x => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "setrange l -1 x => -ERR offset is out of range",
        "setrange l 0 x => -WRONGTYPE Operation against a key holding the wrong kind of value",
        r#"setrange l 0 "" => -WRONGTYPE Operation against a key holding the wrong kind of value"#,
        "getdel l => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "getset l x => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "getex l => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "getex l ex 0 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "set l v GET => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "set l v NX GET => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "set l v EX 0 GET => -ERR invalid expire time in 'set' command",
        "set l v NX => nil",
        "setnx l v => :0",
        "msetnx l v => :0",
        "incr l => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "incrby l abc => -ERR value is not an integer or out of range",
        "decrby l -9223372036854775808 => -ERR decrement would overflow",
        "incrbyfloat l abc => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "lcs l missing => -ERR The specified keys must contain string values",
        "lcs missing l foo => -ERR The specified keys must contain string values",
        "setbit l 1 2 => -ERR bit is not an integer or out of range",
        "setbit l 1 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "getbit l -1 => -ERR bit offset is not an integer or out of range",
        "getbit l 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "bitcount l a b => -ERR value is not an integer or out of range",
        "bitcount l => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "bitpos l 2 => -ERR The bit argument must be 1 or 0.",
        "bitpos l 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "bitop and d l => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "bitop not d l l => -ERR BITOP NOT must be called with a single source key.",
        "bitfield l get u8 => -ERR syntax error",
        "bitfield l get u8 0 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "bitfield l set u8 0 1 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "bitfield_ro l get u8 0 => -WRONGTYPE Operation against a key holding the wrong kind of value",
        "type l => +list",
        "exists l => :1",
        r#"scan 0 count 100 type list => ["0" ["l"]]"#,
        "copy l m => :1",
        "type m => +list",
        "set l v => +OK",
        "type l => +string",
        "mset m v => +OK",
        "type m => +string",
    ]);
}

#[test]
fn newer_commands_refuse_other_types() {
    let mut bench = bench_with_list();
    for line in ["set l v IFEQ v", "set l v IFNE v", "delifeq l v", "digest l", "increx l"] {
        assert_eq!(bench.run(line), REFUSAL, "{line}");
    }
    bench.check(&[
        "delex l IFEQ v => -ERR Key should be of string type if conditions are specified",
        "msetex 1 l v NX => :0",
        "delex l => :1",
        "exists l => :0",
    ]);
}

#[test]
fn a_follower_lets_its_primary_decide_what_is_over() {
    let mut bench = Bench::new();
    bench.keyspace.set_expiry(Expiry::Followed);
    bench.check(&["set k v => +OK", "pexpireat k 1 => :1"]);
    // A client sees nothing, but what the primary still knows can be kept.
    bench.check(&["exists k => :0", "persist k => :1", "exists k => :1", "set k v PXAT 1 => +OK"]);
    bench.check(&["rename k m => +OK", "set m w XX KEEPTTL => +OK", "setnx m x => :0"]);
    bench.check(&["getex m exat 2 => \"w\"", "get m => nil", "getex m persist => \"w\""]);
    bench.check(&[
        "get m => \"w\"",
        "increx n EXAT 1 => [:1 :1]",
        "persist n => :1",
        "get n => \"1\"",
    ]);
}
