//! Hashes against a plain map, in every encoding and across each threshold.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

const LIMITS: Limits = Limits { entries: 8, bytes: 12 };
const WIDE: Limits = Limits { entries: 512, bytes: 64 };

#[derive(Clone, Debug)]
enum Op {
    Set(Vec<u8>, Vec<u8>, Lifetime),
    SetDeadline(Vec<u8>, Option<i64>),
    Remove(Vec<u8>),
    Expire(i64, usize),
    Duplicate,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0u8..12).prop_map(|n| format!("f{n}").into_bytes()),
        (0u8..6).prop_map(|n| n.to_string().into_bytes()),
        Just(b"a name of 15 b".to_vec()),
        Just(Vec::new()),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..20),
        Just(vec![b'v'; 5000]),
        (0u8..200).prop_map(|n| n.to_string().into_bytes()),
    ]
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    prop_oneof![
        Just(Lifetime::Keep),
        Just(Lifetime::Forever),
        (1i64..50).prop_map(|at| Lifetime::Until(UnixMillis(at))),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (name(), value(), lifetime()).prop_map(|(n, v, l)| Op::Set(n, v, l)),
        2 => (name(), prop::option::of(1i64..50)).prop_map(|(n, at)| Op::SetDeadline(n, at)),
        2 => name().prop_map(Op::Remove),
        1 => (0i64..50, 1usize..5).prop_map(|(now, budget)| Op::Expire(now, budget)),
        1 => Just(Op::Duplicate),
    ]
}

fn entries(hash: &Hash) -> Model {
    let text = |value: FieldValue<'_>| value.as_text(&mut itoa::Buffer::new()).to_vec();
    hash.iter().map(|it| (it.name_to_vec(), (text(it.value), it.deadline.map(|at| at.0)))).collect()
}

#[track_caller]
fn check(hash: &Hash, model: &Model) {
    assert_eq!(&entries(hash), model);
    assert_eq!((hash.len(), hash.is_empty()), (model.len(), model.is_empty()));
    let deadlines = || model.values().filter_map(|(_, deadline)| *deadline);
    assert_eq!(hash.next_due().map(|at| at.0), deadlines().min());
    for now in [0, 10, 60] {
        let due = deadlines().filter(|at| *at <= now).count();
        assert_eq!(hash.due_count(UnixMillis(now)), due);
        assert_eq!(hash.live(UnixMillis(now)).count(), hash.live_len(UnixMillis(now)));
    }
    for (name, (value, deadline)) in model {
        let field = hash.get(name).unwrap();
        assert_eq!(field.value.as_text(&mut itoa::Buffer::new()), value);
        assert_eq!(field.value.text_len(), value.len());
        assert_eq!(field.deadline.map(|at| at.0), *deadline);
    }
    let mut seen = 0;
    let mut cursor = 0;
    loop {
        cursor = hash.scan(cursor, 3, &mut |_| seen += 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, model.len());
    if let Some((pack, true)) = hash.pack() {
        let ends: Vec<i64> =
            pack.iter().skip(2).step_by(3).map(|at| at.as_int().unwrap()).collect();
        let (going, staying): (Vec<i64>, Vec<i64>) = ends.iter().partition(|at| **at != 0);
        assert!(going.is_sorted(), "who goes first is first");
        assert_eq!(ends, [going, staying].concat());
    }
}

fn set(hash: &mut Hash, name: &str, value: &str, limits: Limits, epochs: &mut Epochs) -> bool {
    let value = NewValue::Bytes(value.as_bytes());
    hash.set(name.as_bytes(), value, Lifetime::Forever, limits, epochs)
}

fn names(hash: &Hash) -> Vec<String> {
    hash.iter().map(|it| String::from_utf8(it.name_to_vec()).unwrap()).collect()
}

#[test]
fn hash_stands_beside_its_key() {
    assert!(size_of::<Hash>() <= 24);
}

#[test]
fn encodings_change_at_their_thresholds_and_never_back() {
    let mut epochs = Epochs::new();
    let mut hash = Hash::default();
    for number in 0..512 {
        set(&mut hash, &format!("f{number}"), &"v".repeat(64), WIDE, &mut epochs);
    }
    assert_eq!((hash.len(), hash.encoding()), (512, "listpack"));
    set(&mut hash, "f1", &"w".repeat(64), WIDE, &mut epochs);
    assert_eq!(hash.encoding(), "listpack");
    set(&mut hash, "one more", "v", WIDE, &mut epochs);
    assert_eq!((hash.len(), hash.encoding()), (513, "hashtable"));
    for number in 0..512 {
        assert!(hash.remove(format!("f{number}").as_bytes(), &mut epochs));
    }
    assert_eq!((hash.len(), hash.encoding()), (1, "hashtable"));

    for (name, value, encoding) in [
        ("f".repeat(64), "v".into(), "listpack"),
        ("f".repeat(65), "v".into(), "hashtable"),
        ("f".into(), "v".repeat(65), "hashtable"),
    ] {
        let mut hash = Hash::default();
        set(&mut hash, &name, &value, WIDE, &mut epochs);
        assert_eq!(hash.encoding(), encoding);
    }
    let mut hash = Hash::default();
    hash.reserve(512, WIDE, &mut epochs);
    assert_eq!(hash.encoding(), "listpack");
    hash.reserve(513, WIDE, &mut epochs);
    assert_eq!(hash.encoding(), "hashtable");
}

#[test]
fn deadlines_make_triplets_that_stay_triplets() {
    let mut epochs = Epochs::new();
    let mut hash = Hash::default();
    for name in ["a", "b", "c", "d"] {
        set(&mut hash, name, "1", WIDE, &mut epochs);
    }
    assert!(!hash.set_deadline(b"z", None, &mut epochs));
    assert_eq!(hash.encoding(), "listpack");
    for name in ["a", "b", "d"] {
        assert!(hash.set_deadline(name.as_bytes(), Some(UnixMillis(9)), &mut epochs));
    }
    assert_eq!(hash.encoding(), "listpackex");
    assert_eq!(names(&hash), ["d", "b", "a", "c"]);
    set(&mut hash, "b", "2", WIDE, &mut epochs);
    assert_eq!(names(&hash), ["d", "a", "c", "b"]);
    hash.set_deadline(b"c", Some(UnixMillis(8)), &mut epochs);
    assert_eq!(names(&hash), ["c", "d", "a", "b"]);
    hash.set(b"d", NewValue::Bytes(b"3"), Lifetime::Keep, WIDE, &mut epochs);
    assert_eq!(names(&hash), ["c", "d", "a", "b"]);
    for name in ["a", "c", "d"] {
        hash.set_deadline(name.as_bytes(), None, &mut epochs);
    }
    assert_eq!((hash.encoding(), hash.next_due()), ("listpackex", None));
}

#[test]
fn small_hash_takes_few_bytes() {
    let mut epochs = Epochs::new();
    let mut hash = Hash::default();
    for name in ["name", "mail", "city", "visits", "seen"] {
        set(&mut hash, name, "twelve bytes", WIDE, &mut epochs);
    }
    assert!(hash.memory_bytes(0) <= 112, "{}", hash.memory_bytes(0));
}

#[test]
fn large_hash_takes_at_most_72_bytes_per_field() {
    let mut epochs = Epochs::new();
    let mut hash = Hash::default();
    for number in 0..100_000 {
        let value = "v".repeat(10 + number % 11);
        set(&mut hash, &format!("fld:{number:06}"), &value, WIDE, &mut epochs);
    }
    let (whole, sampled) = (hash.memory_bytes(0) / 100_000, hash.memory_bytes(50) / 100_000);
    assert!(whole <= 54 && whole.abs_diff(sampled) <= 4, "{whole} {sampled}");
}

#[test]
fn random_draws_find_the_living() {
    let mut epochs = Epochs::new();
    let mut rng = fastrand::Rng::with_seed(7);
    for limits in [WIDE, LIMITS] {
        let mut hash = Hash::default();
        for number in 0..400 {
            let lifetime = Lifetime::Until(UnixMillis(if number == 77 { 9 } else { 5 }));
            let name = format!("f{number}");
            hash.set(name.as_bytes(), NewValue::Bytes(b"v"), lifetime, limits, &mut epochs);
        }
        assert!(hash.random(UnixMillis(4), &mut rng).is_some());
        assert_eq!(hash.random(UnixMillis(5), &mut rng).unwrap().name_to_vec(), b"f77");
        assert!(hash.random(UnixMillis(9), &mut rng).is_none());
    }
    assert!(Hash::default().random(UnixMillis(0), &mut rng).is_none());
}

proptest! {
    #[test]
    fn agrees_with_a_map(ops in prop::collection::vec(op(), 0..150), wide in any::<bool>()) {
        let limits = if wide { WIDE } else { LIMITS };
        let mut epochs = Epochs::new();
        let (mut hash, mut model) = (Hash::default(), Model::new());
        let mut kept: Vec<(Hash, Model)> = Vec::new();
        for op in ops {
            match op {
                Op::Set(name, value, lifetime) => {
                    let old = model.get(&name).and_then(|(_, deadline)| *deadline);
                    let is_new =
                        hash.set(&name, NewValue::Bytes(&value), lifetime, limits, &mut epochs);
                    let was = model.insert(name, (value, lifetime.deadline(old)));
                    prop_assert_eq!(is_new, was.is_none());
                }
                Op::SetDeadline(name, at) => {
                    let is_there =
                        hash.set_deadline(&name, at.map(UnixMillis), &mut epochs);
                    let entry = model.get_mut(&name);
                    prop_assert_eq!(is_there, entry.is_some());
                    if let Some(entry) = entry {
                        entry.1 = at;
                    }
                }
                Op::Remove(name) => {
                    prop_assert_eq!(hash.remove(&name, &mut epochs), model.remove(&name).is_some());
                }
                Op::Expire(now, budget) => {
                    let mut gone = Vec::new();
                    let due = hash.due_count(UnixMillis(now));
                    let count = hash.expire(UnixMillis(now), budget, &mut epochs, &mut |name| {
                        gone.push(name.to_vec());
                    });
                    prop_assert_eq!((count, gone.len()), (due.min(budget), due.min(budget)));
                    for name in gone {
                        let (_, deadline) = model.remove(&name).unwrap();
                        prop_assert!(deadline.unwrap() <= now);
                    }
                }
                Op::Duplicate => {
                    kept.push((hash.duplicate(), model.clone()));
                }
            }
            check(&hash, &model);
        }
        for (hash, model) in &kept {
            check(hash, model);
        }
    }
}
