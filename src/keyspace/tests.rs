//! The keyspace against plain maps, with time moving and snapshots alive.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::eviction::{EvictionPolicy, Order, Scope};
use super::journal::{Change, EXPIRE, Event, Listening};
use super::packed::ValueView;
use super::probe::Probe;
use super::snapshot::KeyspaceSnapshot;
use super::value::{NewString, StringRef, ValueRef, WrongType};
use super::write::{Free, Lifetime, Writer};
use super::{DbIndex, Expiry, Keyspace};
use crate::base::blob::Blob;
use crate::base::time::UnixMillis;
use crate::structures::access_clock::AccessPolicy;
use proptest::prelude::*;
use std::collections::BTreeMap;

const START: i64 = 1_790_000_000_000;
const ZERO: DbIndex = DbIndex(0);
const SET: Event = Event::string("set");
const DEL: Event = Event::generic("del");
const PERSIST: Event = Event::generic("persist");
const PUSH: Event = Event { class: b'l', name: "rpush" };

fn at(ms: i64) -> UnixMillis {
    UnixMillis(START + ms)
}

fn text(value: ValueView<'_>) -> Vec<u8> {
    match value.open().as_ref() {
        ValueRef::String(StringRef::Int(value)) => value.to_string().into_bytes(),
        ValueRef::String(StringRef::Inline(bytes)) => bytes.to_vec(),
        ValueRef::String(StringRef::Shared(blob)) => blob.to_vec(),
        ValueRef::Stream(_) => b"stream".to_vec(),
        ValueRef::List(_) => b"list".to_vec(),
        ValueRef::SortedSet(_) => b"sorted set".to_vec(),
        ValueRef::Hash(_) => b"hash".to_vec(),
        ValueRef::Set(_) => b"set".to_vec(),
        ValueRef::Probe(probe) => [b"probe:".to_vec(), probe.0.concat()].concat(),
    }
}

fn put(keys: &mut Writer<'_>, key: &[u8], value: &[u8]) {
    keys.put_string(key, NewString::Bytes(value), Lifetime::Forever, SET);
}

fn push(keys: &mut Writer<'_>, key: &[u8], word: &[u8]) -> Result<usize, WrongType> {
    keys.upsert(key, |probe: &mut Probe, _| {
        probe.0.push(word.to_vec());
        (probe.0.len(), Change::Did(PUSH, 1))
    })
}

fn events(keyspace: &mut Keyspace) -> Vec<String> {
    let records = keyspace.journal_mut().take_records();
    let names = records
        .iter()
        .map(|record| format!("{} {}", record.event.name, String::from_utf8_lossy(record.key)));
    names.collect()
}

fn listening() -> Keyspace {
    let mut keyspace = Keyspace::new(4, 7);
    keyspace.journal_mut().listen(true);
    keyspace
}

#[test]
fn strings_are_kept_in_the_form_that_redis_names() {
    let mut keyspace = Keyspace::new(1, 7);
    let mut keys = keyspace.writer(ZERO, at(0));
    let long = vec![b'x'; 5000];
    let cases: [(&[u8], &str); 8] = [
        (b"12", "int"),
        (b"-9223372036854775808", "int"),
        (b"9223372036854775808", "embstr"),
        (b"012", "embstr"),
        (b"", "embstr"),
        (&long[..44], "embstr"),
        (&long[..45], "raw"),
        (&long, "raw"),
    ];
    for (value, encoding) in cases {
        put(&mut keys, b"k", value);
        assert_eq!(keys.reader().encoding(b"k"), Some(encoding));
        assert_eq!(text(keys.reader().peek(b"k").unwrap()), value);
        let blob = Blob::new(value.to_vec());
        keys.put_string(b"k", NewString::Shared(&blob), Lifetime::Forever, SET);
        assert_eq!(keys.reader().encoding(b"k"), Some(encoding));
    }
    put(&mut keys, b"k", b"1");
    let edited: Result<(), WrongType> = keys.edit_string(b"k", |string| {
        string.bytes_mut().push(b'2');
        Ok(((), Change::Did(SET, 1)))
    });
    assert_eq!(edited, Ok(()));
    assert_eq!(text(keys.reader().peek(b"k").unwrap()), b"12");
    assert_eq!(keys.reader().encoding(b"k"), Some("raw"));
}

#[test]
fn events_come_in_the_order_of_redis() {
    let mut keyspace = listening();
    let mut check = |expected: &[&str], act: &mut dyn FnMut(&mut Writer<'_>)| {
        act(&mut keyspace.writer(ZERO, at(0)));
        assert_eq!(events(&mut keyspace), expected);
    };
    check(&["new a", "set a"], &mut |keys| put(keys, b"a", b"1"));
    check(&["overwritten a", "set a", "expire a"], &mut |keys| {
        keys.put_string(b"a", NewString::Int(3), Lifetime::Until(at(1000)), SET);
    });
    check(&["new l", "rpush l"], &mut |keys| {
        assert_eq!(push(keys, b"l", b"x"), Ok(1));
    });
    check(&["overwritten l", "type_changed l", "set l"], &mut |keys| put(keys, b"l", b"1"));
    check(&["overwritten l", "new l", "rename_from a", "rename_to l"], &mut |keys| {
        assert!(keys.rename(b"a", b"l"));
        assert!(!keys.rename(b"a", b"l"));
        assert!(keys.rename(b"l", b"l"));
    });
    check(&["new c", "copy_to c"], &mut |keys| assert!(keys.copy(b"l", DbIndex(1), b"c")));
    check(&["new l", "move_from l", "move_to l"], &mut |keys| {
        assert!(keys.move_to(b"l", DbIndex(2)));
        assert!(!keys.move_to(b"l", DbIndex(2)));
        assert_eq!(keys.other(DbIndex(2)).reader().deadline(b"l"), Some(Some(at(1000))));
        assert_eq!(keys.other(DbIndex(1)).reader().deadline(b"c"), Some(Some(at(1000))));
    });
    check(&["new p", "rpush p", "rpush p", "del p"], &mut |keys| {
        push(keys, b"p", b"x").unwrap();
        let popped =
            keys.update(b"p", |probe: &mut Probe, _| (probe.0.pop(), Change::Did(PUSH, 1)));
        assert_eq!(popped, Ok(Some(Some(b"x".to_vec()))));
        assert_eq!(keys.reader().kind(b"p"), None);
    });
    // Clients hear of a key that came and went within one command.
    check(&["new p", "rpush p", "del p"], &mut |keys| {
        let gone = keys.upsert(b"p", |_: &mut Probe, _| ((), Change::Did(PUSH, 1)));
        assert_eq!(gone, Ok(()));
    });
    check(&[], &mut |keys| {
        let nothing = keys.upsert(b"p", |_: &mut Probe, _| ((), Change::None));
        assert_eq!(nothing, Ok(()));
        assert!(keys.reader().is_empty());
    });
    check(&["new e", "set e", "del e"], &mut |keys| {
        put(keys, b"e", b"1");
        assert!(keys.remove(b"e", Free::Now, DEL));
        assert!(!keys.remove(b"e", Free::Now, DEL));
    });
}

#[test]
fn expired_keys_are_absent_to_readers_and_writers() {
    let mut keyspace = listening();
    let until = Lifetime::Until(at(10));
    keyspace.writer(ZERO, at(0)).put_string(b"k", NewString::Bytes(b"v"), until, SET);
    assert!(keyspace.reader(ZERO, at(9)).contains(b"k"));
    assert!(!keyspace.reader(ZERO, at(10)).contains(b"k"));
    assert_eq!(keyspace.reader(ZERO, at(10)).random_key(&mut fastrand::Rng::with_seed(1)), None);
    assert_eq!((keyspace.stats().hits.get(), keyspace.stats().misses.get()), (1, 1));
    events(&mut keyspace);

    let mut keys = keyspace.writer(ZERO, at(10));
    let seen: Result<bool, WrongType> = keys.edit_string(b"k", |string| {
        let is_there = string.value().is_some();
        string.put(NewString::Int(1));
        Ok((is_there, Change::Did(SET, 1)))
    });
    assert_eq!(seen, Ok(false));
    assert_eq!(keys.reader().deadline(b"k"), Some(None));
    assert_eq!(events(&mut keyspace), ["expired k", "new k", "set k"]);
    assert_eq!(keyspace.stats().expired.get(), 1);
    assert_eq!(keyspace.expire_due(at(1000), 100), 0);
    assert_eq!(keyspace.len(), 1);
}

#[test]
fn wheel_removes_what_is_due_and_nothing_else() {
    let mut keyspace = Keyspace::new(2, 7);
    keyspace.journal_mut().listen_to(Listening::Removals);
    for number in 0..1000 {
        let key = format!("k{number}").into_bytes();
        let mut keys = keyspace.writer(DbIndex(number % 2), at(0));
        keys.put_string(&key, NewString::Int(1), Lifetime::Until(at(i64::from(number) + 1)), SET);
        put(&mut keys, &[&key[..], b"-stays"].concat(), b"x");
    }
    assert_eq!(keyspace.next_due(), Some(at(1)));
    assert_eq!(keyspace.figures(ZERO, at(0)).expires, 500);
    assert_eq!(keyspace.figures(ZERO, at(0)).average_ttl_ms, 500);
    assert!(keyspace.expire_due(at(600), 100) > 0);
    while keyspace.expire_due(at(600), 100) > 0 {}
    assert_eq!(keyspace.len(), 1400);
    let records = keyspace.journal_mut().take_records();
    assert_eq!(records.len(), 600);
    assert_eq!(keyspace.expire_due(at(10_000), usize::MAX), 0);
    assert_eq!((keyspace.len(), keyspace.next_due()), (1000, None));
}

#[test]
fn replica_hides_but_keeps_what_is_due() {
    let mut keyspace = Keyspace::new(1, 7);
    keyspace.set_expiry(Expiry::Followed);
    let until = Lifetime::Until(at(10));
    keyspace.writer(ZERO, at(0)).put_string(b"k", NewString::Int(1), until, SET);
    assert_eq!(keyspace.expire_due(at(20), 100), 0);
    assert_eq!(keyspace.next_due(), None);
    assert!(!keyspace.reader(ZERO, at(20)).contains(b"k"));
    assert_eq!(keyspace.len(), 1);
    keyspace.set_expiry(Expiry::Own);
    keyspace.expire_due(at(20), 100);
    assert_eq!(keyspace.len(), 0);
}

/// No pattern of writing lets the wheel outgrow the keys by more than its slack.
#[test]
fn wheel_does_not_grow_by_changing_deadlines() {
    const SLACK: usize = 200 * 1024;
    let mut keyspace = Keyspace::new(1, 7);
    for round in 0..100_000i64 {
        let mut keys = keyspace.writer(ZERO, at(round));
        let until = |ms| Lifetime::Until(at(round + ms));
        // A lock: taken with a deadline, given back early.
        keys.put_string(b"lock", NewString::Int(1), until(30_000), SET);
        assert!(keys.remove(b"lock", Free::Now, DEL));
        // A session: extended all the time, with two lengths.
        keys.put_string(b"session", NewString::Int(1), until(1_800_000), SET);
        keys.set_deadline(b"session", Some(at(round + 900_000)), EXPIRE);
        // A key that forgets its deadline.
        keys.put_string(b"fickle", NewString::Int(1), until(1_000_000), SET);
        keys.set_deadline(b"fickle", None, PERSIST);
        keyspace.expire_due(at(round), 20);
        assert!(keyspace.timer_bytes(ZERO) < SLACK);
    }
    assert_eq!(keyspace.len(), 2);
    while keyspace.next_due().is_some_and(|due| due <= at(10_000_000)) {
        keyspace.expire_due(at(10_000_000), 1000);
    }
    assert_eq!(keyspace.len(), 1);
    assert_eq!(keyspace.reader(ZERO, at(10_000_000)).deadline(b"fickle"), Some(None));
}

#[test]
fn clock_set_back_does_not_stop_expiry() {
    let mut keyspace = Keyspace::new(1, 7);
    let year = 365 * 86_400_000;
    let put_until = |keyspace: &mut Keyspace, key: &[u8], now, ms| {
        let until = Lifetime::Until(at(ms));
        keyspace.writer(ZERO, at(now)).put_string(key, NewString::Int(1), until, SET);
    };
    put_until(&mut keyspace, b"far", year, 2 * year);
    keyspace.expire_due(at(year), 100);
    put_until(&mut keyspace, b"near", 0, 500);
    keyspace.expire_due(at(0), 100);
    assert_eq!(keyspace.expire_due(at(500), 100), 0);
    assert_eq!(keyspace.len(), 1);
    while keyspace.next_due().is_some_and(|due| due <= at(2 * year)) {
        keyspace.expire_due(at(2 * year), 100);
    }
    assert_eq!(keyspace.len(), 0);
}

#[test]
fn error_leaves_a_large_string_as_it_was() {
    let mut keyspace = listening();
    let mut keys = keyspace.writer(ZERO, at(0));
    put(&mut keys, b"k", &vec![b'x'; 30_000]);
    let failed: Result<(), WrongType> = keys.edit_string(b"k", |string| {
        assert_eq!(string.bytes_mut().len(), 30_000);
        Err(WrongType)
    });
    assert_eq!(failed, Err(WrongType));
    assert_eq!(text(keys.reader().peek(b"k").unwrap()).len(), 30_000);
    assert_eq!(push(&mut keys, b"k", b"x"), Err(WrongType));
    push(&mut keys, b"p", b"x").unwrap();
    let failed: Result<(), WrongType> = keys.edit_string(b"p", |_| Ok(((), Change::None)));
    assert_eq!(failed, Err(WrongType));
    assert!(keys.reader().string(b"p").is_err() && keys.reader().get::<Probe>(b"k").is_err());
    let probe = keys.reader().borrow::<Probe>(b"p");
    assert_eq!(probe, Ok(Some(&Probe(vec![b"x".to_vec()]))));
}

#[test]
fn large_strings_are_changed_in_place_unless_somebody_holds_them() {
    let mut keyspace = Keyspace::new(1, 7);
    let address = |keyspace: &Keyspace| match keyspace.reader(ZERO, at(0)).string(b"k") {
        Ok(Some(StringRef::Shared(blob))) => blob.as_ptr(),
        other => panic!("{other:?}"),
    };
    let edit = |keyspace: &mut Keyspace| {
        let edited: Result<(), WrongType> = keyspace.writer(ZERO, at(0)).edit_string(b"k", |s| {
            s.bytes_mut()[0] = b'y';
            Ok(((), Change::Did(SET, 1)))
        });
        edited.unwrap();
    };
    put(&mut keyspace.writer(ZERO, at(0)), b"k", &[b'x'; 5000]);
    let before = address(&keyspace);
    edit(&mut keyspace);
    assert_eq!(address(&keyspace), before);
    let snapshot = keyspace.snapshot(at(0));
    edit(&mut keyspace);
    assert_ne!(address(&keyspace), before);
    assert_eq!(snapshot.keys(ZERO).count(), 1);
}

#[test]
fn flushed_tables_go_to_the_worker() {
    let mut keyspace = listening();
    let mut keys = keyspace.writer(DbIndex(1), at(0));
    for number in 0..100 {
        put(&mut keys, &[number], b"v");
    }
    put(&mut keys, b"large", &vec![0; 100_000]);
    assert!(keys.remove(b"large", Free::Later, DEL));
    keys.swap(DbIndex(1), DbIndex(2));
    assert_eq!(keys.flush(Free::Later), 0);
    assert_eq!(keys.flush_all(Free::Later), 100);
    assert!(keyspace.is_empty() && keyspace.has_garbage());
    assert_eq!(keyspace.take_garbage().len(), 2);
    let events = events(&mut keyspace);
    assert!(events.iter().any(|event| event == "swapped "));
    assert!(events.iter().any(|event| event == "flushed "));
}

#[test]
fn eviction_prefers_what_the_policy_says() {
    let mut rng = fastrand::Rng::with_seed(5);
    for (scope, order) in [
        (Scope::AllKeys, Order::Access),
        (Scope::AllKeys, Order::Random),
        (Scope::Volatile, Order::Access),
        (Scope::Volatile, Order::Random),
        (Scope::Volatile, Order::Deadline),
    ] {
        let mut keyspace = Keyspace::new(2, 7);
        for number in 0..1000i64 {
            let mut keys = keyspace.writer(DbIndex(0), at(number * 1000));
            let lifetime = if number % 2 == 0 {
                Lifetime::Until(at(10_000_000 + number * 1000))
            } else {
                Lifetime::Forever
            };
            keys.put_string(number.to_string().as_bytes(), NewString::Int(1), lifetime, SET);
        }
        let policy = EvictionPolicy { scope, order };
        for _ in 0..250 {
            assert!(keyspace.evict_one(policy, 10, at(1_000_000), &mut rng).unwrap() >= 24);
        }
        assert_eq!((keyspace.len(), keyspace.stats().evicted.get()), (750, 250));
        let reader = keyspace.reader(ZERO, at(1_000_000));
        let is_there = |number: i64| reader.kind(number.to_string().as_bytes()).is_some();
        if scope == Scope::Volatile {
            assert!((0..1000).filter(|number| number % 2 == 1).all(is_there));
        }
        let (old, new) = (
            (0..500).filter(|n| is_there(*n)).count(),
            (500..1000).filter(|n| is_there(*n)).count(),
        );
        assert_eq!(old + new, 750);
        if order != Order::Random {
            assert!(old + 100 < new, "{policy:?} kept {old} old and {new} new keys");
        }
        while keyspace.evict_one(policy, 10, at(1_000_000), &mut rng).is_some() {}
        assert_eq!(keyspace.len(), if scope == Scope::Volatile { 500 } else { 0 });
    }
}

#[test]
fn a_scan_does_not_wash_out_what_is_popular() {
    let mut rng = fastrand::Rng::with_seed(5);
    for scope in [Scope::AllKeys, Scope::Volatile] {
        let policy = EvictionPolicy { scope, order: Order::Popularity };
        let mut keyspace = Keyspace::new(1, 7);
        keyspace.set_counting_popularity(true);
        let until = Lifetime::Until(at(10_000_000));
        let put = |keyspace: &mut Keyspace, name: String| {
            let mut keys = keyspace.writer(ZERO, at(0));
            keys.put_string(name.as_bytes(), NewString::Int(1), until, SET);
        };
        (0..500).for_each(|number| put(&mut keyspace, format!("popular:{number}")));
        for number in 0..500 {
            let (reader, name) = (keyspace.reader(ZERO, at(0)), format!("popular:{number}"));
            (0..4).for_each(|_| assert!(reader.value(name.as_bytes()).is_some()));
        }
        for number in 0..5000 {
            put(&mut keyspace, format!("scanned:{number}"));
            while keyspace.len() > 1000 {
                assert!(keyspace.evict_one(policy, 5, at(0), &mut rng).is_some());
            }
        }
        let reader = keyspace.reader(ZERO, at(0));
        let kept = |number: &i32| reader.kind(format!("popular:{number}").as_bytes()).is_some();
        let kept = (0..500).filter(kept).count();
        assert!(kept > 480, "{policy:?} kept {kept}");
        assert!(keyspace.popularity_bytes() > 0);
        while keyspace.evict_one(policy, 5, at(0), &mut rng).is_some() {}
        assert!(keyspace.is_empty());
    }
}

#[test]
fn access_clock_follows_reads() {
    let mut keyspace = Keyspace::new(1, 7);
    put(&mut keyspace.writer(ZERO, at(0)), b"k", b"v");
    let reader = keyspace.reader(ZERO, at(60_000));
    assert_eq!(reader.idle_seconds(b"k"), Some(60));
    assert!(reader.no_touch().value(b"k").is_some() && reader.contains(b"k"));
    assert_eq!(reader.idle_seconds(b"k"), Some(60));
    assert!(reader.value(b"k").is_some());
    assert_eq!(reader.idle_seconds(b"k"), Some(0));
    keyspace.set_access_policy(AccessPolicy::Lfu { log_factor: 10, decay_minutes: 1 });
    put(&mut keyspace.writer(ZERO, at(60_000)), b"f", b"v");
    let reader = keyspace.reader(ZERO, at(60_000));
    (0..1000).for_each(|_| assert!(reader.value(b"f").is_some()));
    assert!((12..=25).contains(&reader.frequency(b"f").unwrap()));
}

/// A value as the model knows it, and when it goes.
type Model = BTreeMap<(u16, u8), (Vec<u8>, Option<i64>)>;

#[derive(Clone, Debug)]
enum Op {
    Put(u16, u8, Vec<u8>, Option<i64>, bool),
    Append(u16, u8, Vec<u8>),
    Push(u16, u8, u8),
    Pop(u16, u8),
    Remove(u16, u8),
    Deadline(u16, u8, Option<i64>),
    Rename(u16, u8, u8),
    Copy(u16, u8, u16, u8),
    Move(u16, u8, u16),
    Swap,
    Flush(u16),
    Pass(i64),
    Expire(usize),
    Snapshot,
    Forget,
    Reap(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let (db, key) = (|| 0u16..2, || 0u8..12);
    let value = || {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..70),
            prop::collection::vec(any::<u8>(), 4050..4150),
            any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        ]
    };
    let span = || prop::option::of(prop_oneof![1i64..50, 1i64..100_000, 1i64..1 << 40]);
    prop_oneof![
        8 => (db(), key(), value(), span(), any::<bool>())
            .prop_map(|(db, key, value, span, keep)| Op::Put(db, key, value, span, keep)),
        4 => (db(), key(), value()).prop_map(|(db, key, value)| Op::Append(db, key, value)),
        3 => (db(), key(), 0u8..3).prop_map(|(db, key, word)| Op::Push(db, key, word)),
        2 => (db(), key()).prop_map(|(db, key)| Op::Pop(db, key)),
        3 => (db(), key()).prop_map(|(db, key)| Op::Remove(db, key)),
        4 => (db(), key(), span()).prop_map(|(db, key, span)| Op::Deadline(db, key, span)),
        2 => (db(), key(), key()).prop_map(|(db, from, to)| Op::Rename(db, from, to)),
        2 => (db(), key(), db(), key())
            .prop_map(|(db, from, other, to)| Op::Copy(db, from, other, to)),
        2 => (db(), key(), db()).prop_map(|(db, key, other)| Op::Move(db, key, other)),
        1 => Just(Op::Swap),
        1 => db().prop_map(Op::Flush),
        4 => prop_oneof![1i64..60, 1i64..200_000].prop_map(Op::Pass),
        4 => (1usize..40).prop_map(Op::Expire),
        2 => Just(Op::Snapshot),
        2 => Just(Op::Forget),
        2 => (0usize..50).prop_map(Op::Reap),
    ]
}

struct World {
    keyspace: Keyspace,
    model: Model,
    now: i64,
    snapshots: Vec<(KeyspaceSnapshot, Model)>,
}

impl World {
    fn live(&self, db: u16, key: u8) -> Option<&(Vec<u8>, Option<i64>)> {
        let found = self.model.get(&(db, key))?;
        found.1.is_none_or(|deadline| deadline > self.now).then_some(found)
    }

    fn writer(&mut self, db: u16) -> Writer<'_> {
        self.keyspace.writer(DbIndex(db), at(self.now))
    }

    fn put(&mut self, db: u16, key: u8, value: &[u8], span: Option<i64>, keep: bool) {
        let old = self.live(db, key).and_then(|(_, deadline)| *deadline);
        let (lifetime, deadline) = match span {
            Some(span) => (Lifetime::Until(at(self.now + span)), Some(self.now + span)),
            None if keep => (Lifetime::Keep, old),
            None => (Lifetime::Forever, None),
        };
        self.writer(db).put_string(&[key], NewString::Bytes(value), lifetime, SET);
        self.model.insert((db, key), (value.to_vec(), deadline));
    }

    fn edit(&mut self, op: Op) {
        let now = self.now;
        match op {
            Op::Append(db, key, tail) => {
                let old = self.live(db, key).cloned();
                let edited: Result<(), WrongType> = self.writer(db).edit_string(&[key], |s| {
                    s.bytes_mut().extend_from_slice(&tail);
                    Ok(((), Change::Did(SET, 1)))
                });
                let (old, deadline) = old.unwrap_or_default();
                assert_eq!(edited.is_err(), old.starts_with(b"probe:"));
                if edited.is_ok() {
                    self.model.insert((db, key), ([old, tail].concat(), deadline));
                }
            }
            Op::Push(db, key, word) => {
                let (old, deadline) =
                    self.live(db, key).cloned().unwrap_or((b"probe:".to_vec(), None));
                let pushed = push(&mut self.writer(db), &[key], &[word]);
                assert_eq!(pushed.is_ok(), old.starts_with(b"probe:"));
                if pushed.is_ok() {
                    self.model.insert((db, key), ([&old[..], &[word]].concat(), deadline));
                }
            }
            Op::Pop(db, key) => {
                let old = self.live(db, key).cloned();
                let popped = self
                    .writer(db)
                    .update(&[key], |probe: &mut Probe, _| (probe.0.pop(), Change::Did(PUSH, 1)));
                match (popped, old) {
                    (Ok(None), None) => {}
                    (Err(WrongType), Some((old, _))) => assert!(!old.starts_with(b"probe:")),
                    (Ok(Some(word)), Some((mut old, deadline))) => {
                        assert_eq!(word, Some(vec![old.pop().unwrap()]));
                        if old == b"probe:" {
                            self.model.remove(&(db, key));
                        } else {
                            self.model.insert((db, key), (old, deadline));
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            Op::Deadline(db, key, span) => {
                let deadline = span.map(|span| now + span);
                let is_there = self.live(db, key).is_some();
                let set = self.writer(db).set_deadline(&[key], deadline.map(at), EXPIRE);
                assert_eq!(set, is_there);
                if is_there {
                    self.model.get_mut(&(db, key)).unwrap().1 = deadline;
                }
            }
            _ => self.relocate(op),
        }
    }

    #[allow(clippy::needless_pass_by_value, reason = "as its callers have it")]
    fn relocate(&mut self, op: Op) {
        match op {
            Op::Remove(db, key) => {
                let is_there = self.live(db, key).is_some();
                assert_eq!(self.writer(db).remove(&[key], Free::Now, DEL), is_there);
                self.model.remove(&(db, key));
            }
            Op::Rename(db, from, to) => {
                let value = self.live(db, from).cloned();
                assert_eq!(self.writer(db).rename(&[from], &[to]), value.is_some());
                if let Some(value) = value {
                    self.model.remove(&(db, from));
                    self.model.insert((db, to), value);
                }
            }
            Op::Copy(db, from, other, to) => {
                if (db, from) == (other, to) {
                    return;
                }
                let value = self.live(db, from).cloned();
                let copied = self.writer(db).copy(&[from], DbIndex(other), &[to]);
                assert_eq!(copied, value.is_some());
                if let Some(value) = value {
                    self.model.insert((other, to), value);
                }
            }
            Op::Move(db, key, other) => {
                let value = self.live(db, key).cloned();
                let moves = value.is_some() && db != other && self.live(other, key).is_none();
                assert_eq!(self.writer(db).move_to(&[key], DbIndex(other)), moves);
                if moves {
                    self.model.remove(&(db, key));
                    self.model.insert((other, key), value.unwrap());
                }
            }
            Op::Swap => {
                self.writer(0).swap(DbIndex(0), DbIndex(1));
                let model = std::mem::take(&mut self.model);
                let swapped = model.into_iter().map(|((db, key), value)| ((1 - db, key), value));
                self.model = swapped.collect();
            }
            Op::Flush(db) => {
                self.writer(db).flush(Free::Later);
                self.model.retain(|(other, _), _| *other != db);
            }
            _ => self.tend(&op),
        }
    }

    fn tend(&mut self, op: &Op) {
        match *op {
            Op::Pass(span) => self.now += span,
            Op::Expire(budget) => {
                self.keyspace.expire_due(at(self.now), budget);
            }
            Op::Snapshot => {
                let snapshot = self.keyspace.snapshot(at(self.now));
                self.snapshots.push((snapshot, self.model.clone()));
            }
            Op::Forget if !self.snapshots.is_empty() => {
                self.snapshots.remove(0);
            }
            Op::Reap(budget) => {
                self.keyspace.reap(budget);
                self.keyspace.take_garbage();
            }
            _ => {}
        }
    }

    fn check(&self) {
        for db in 0..2 {
            let reader = self.keyspace.reader(DbIndex(db), at(self.now));
            for key in 0..12 {
                let real = reader.value(&[key]).map(text);
                assert_eq!(real.as_ref(), self.live(db, key).map(|(value, _)| value));
                let deadline = reader.deadline(&[key]).flatten();
                assert_eq!(deadline, self.live(db, key).and_then(|(_, at)| *at).map(at));
            }
            let (mut cursor, mut seen) = (0, 0);
            loop {
                cursor = reader.scan(cursor, 3, &mut |_, _| seen += 1);
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen, (0..12).filter(|key| self.live(db, *key).is_some()).count());
        }
        for (snapshot, model) in &self.snapshots {
            let mut real = Model::new();
            for (db, _) in snapshot.databases() {
                for view in snapshot.keys(db) {
                    let deadline = view.deadline.map(|deadline| deadline.0 - START);
                    real.insert((db.0, view.key[0]), (text(view.value), deadline));
                }
            }
            // Dead keys may be gone already, or still there.
            let now = snapshot.now().0 - START;
            let live = |model: &Model| {
                let mut model = model.clone();
                model.retain(|_, (_, deadline)| deadline.is_none_or(|deadline| deadline > now));
                model
            };
            assert_eq!(live(&real), live(model));
        }
    }
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 400 })
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn agrees_with_plain_maps(ops in prop::collection::vec(op(), 1..120)) {
        let keyspace = Keyspace::new(2, 7);
        let mut world = World { keyspace, model: Model::new(), now: 0, snapshots: Vec::new() };
        for op in ops {
            match op {
                Op::Put(db, key, value, span, keep) => world.put(db, key, &value, span, keep),
                op => world.edit(op),
            }
            world.check();
        }
        // In the end all that has a deadline goes, by the wheel alone.
        world.snapshots.clear();
        world.now = 1 << 43;
        while world.keyspace.next_due().is_some_and(|due| due <= at(world.now)) {
            world.keyspace.expire_due(at(world.now), 1000);
        }
        let stay = world.model.values().filter(|(_, deadline)| deadline.is_none()).count();
        prop_assert_eq!(world.keyspace.len(), stay);
        let figures = world.keyspace.figures(ZERO, at(world.now));
        prop_assert_eq!((figures.expires, figures.average_ttl_ms), (0, 0));
        while world.keyspace.reap(usize::MAX) > 0 {}
        prop_assert_eq!(world.keyspace.held_bytes(), 0);
    }
}
