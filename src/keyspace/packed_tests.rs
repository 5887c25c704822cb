//! Small collections against plain vectors, across the bounds of what is packed, with snapshots.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::journal::{Change, Event};
use super::packed::{BYTES_MAX, ITEMS_MAX};
use super::snapshot::KeyspaceSnapshot;
use super::value::{Kind, ValueRef};
use super::write::Free;
use super::{DbIndex, Keyspace};
use crate::base::time::UnixMillis;
use crate::structures::cow_tree::End;
use crate::structures::listpack::Item;
use crate::types::hash::{Hash, Lifetime, Limits, NewValue};
use crate::types::list::{List, PackLimit};
use crate::types::set::{Set, SetLimits};
use crate::types::sorted_set::{PackLimits, SortedSet};
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::BTreeMap;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const DB: DbIndex = DbIndex(0);
const DID: Change = Change::Did(Event::generic("did"), 1);
const DEL: Event = Event::generic("del");
const SET_LIMITS: SetLimits = SetLimits { ints_max: 50, pack_max: 45, pack_member_max: 64 };
const HASH_LIMITS: Limits = Limits { entries: 25, bytes: 64 };
const SORTED_LIMITS: PackLimits = PackLimits { entries: 25, value: 64 };

type Texts = Vec<Vec<u8>>;
/// What keys of each kind hold: elements in order for lists, sorted ones for the others.
type Model = BTreeMap<Vec<u8>, Texts>;

/// The first letter of a key says what kind it is.
fn kind(key: &[u8]) -> Kind {
    match key[0] {
        b'l' => Kind::List,
        b's' => Kind::Set,
        b'h' => Kind::Hash,
        _ => Kind::SortedSet,
    }
}

fn list_limit() -> PackLimit {
    PackLimit::of_directive(40)
}

fn add(keyspace: &mut Keyspace, key: &[u8], text: &[u8]) {
    let mut writer = keyspace.writer(DB, NOW);
    let outcome = match kind(key) {
        Kind::List => writer.upsert(key, |list: &mut List, _| {
            list.push(End::Back, std::iter::once(text), list_limit());
            ((), DID)
        }),
        Kind::Set => writer.upsert(key, |set: &mut Set, epochs| {
            set.expect(text, 1, SET_LIMITS, epochs);
            set.insert(text, SET_LIMITS, epochs);
            ((), DID)
        }),
        Kind::Hash => writer.upsert(key, |hash: &mut Hash, epochs| {
            hash.set(text, NewValue::Bytes(b"value"), Lifetime::Forever, HASH_LIMITS, epochs);
            ((), DID)
        }),
        _ => writer.upsert(key, |set: &mut SortedSet, epochs| {
            set.insert(text, 1.5, SORTED_LIMITS, epochs);
            ((), DID)
        }),
    };
    outcome.unwrap();
}

fn remove(keyspace: &mut Keyspace, key: &[u8], text: &[u8]) {
    let mut writer = keyspace.writer(DB, NOW);
    let outcome = match kind(key) {
        Kind::List => writer.update(key, |list: &mut List, _| {
            list.remove_equal(End::Front, text, 1, list_limit());
            ((), DID)
        }),
        Kind::Set => writer.update(key, |set: &mut Set, epochs| {
            set.remove(text, epochs);
            ((), DID)
        }),
        Kind::Hash => writer.update(key, |hash: &mut Hash, epochs| {
            hash.remove(text, epochs);
            ((), DID)
        }),
        _ => writer.update(key, |set: &mut SortedSet, _| {
            set.remove(text);
            ((), DID)
        }),
    };
    outcome.unwrap();
}

fn texts_of(value: ValueRef<'_>) -> Texts {
    let text = |item: Item<'_>| item.to_vec();
    let mut texts: Texts = match value {
        ValueRef::List(list) => return list.texts().map(Cow::into_owned).collect(),
        ValueRef::Set(set) => set.iter().map(text).collect(),
        ValueRef::Hash(hash) => hash.iter().map(|field| text(field.name)).collect(),
        ValueRef::SortedSet(set) => set.iter().map(|element| text(element.member)).collect(),
        other => panic!("{other:?}"),
    };
    texts.sort();
    texts
}

fn state(snapshot: &KeyspaceSnapshot) -> Model {
    let keys = snapshot.keys(DB);
    keys.map(|view| {
        assert_eq!(view.value.kind(), kind(view.key));
        (view.key.to_vec(), texts_of(view.value.open().as_ref()))
    })
    .collect()
}

fn check(keyspace: &Keyspace, model: &Model, key: &[u8]) {
    let reader = keyspace.reader(DB, NOW);
    let value = reader.peek(key);
    assert_eq!(value.is_some(), model.contains_key(key));
    let Some(value) = value else { return };
    let opened = value.open();
    assert_eq!(&texts_of(opened.as_ref()), &model[key]);
    let (encoding, small) = match opened.as_ref() {
        ValueRef::List(list) => {
            (list.encoding(), list.as_pack().map(|it| (it.byte_len(), it.len())))
        }
        ValueRef::SortedSet(set) => {
            (set.encoding(), set.as_pack().map(|it| (it.byte_len(), it.len())))
        }
        ValueRef::Hash(hash) => {
            (hash.encoding(), hash.pack().map(|(it, _)| (it.byte_len(), it.len())))
        }
        ValueRef::Set(set) => (set.encoding(), None),
        other => panic!("{other:?}"),
    };
    assert_eq!(value.encoding(), encoding);
    if let Some((bytes, items)) = small {
        let must = bytes <= BYTES_MAX / 2 && items <= ITEMS_MAX / 2;
        let may = bytes <= BYTES_MAX && items <= ITEMS_MAX;
        assert!(value.is_packed() || !must, "{bytes} bytes, {items} items stand apart");
        assert!(!value.is_packed() || may, "{bytes} bytes, {items} items are packed");
    } else if encoding != "intset" && encoding != "listpack" {
        assert!(!value.is_packed());
    }
}

#[derive(Clone, Debug)]
enum Op {
    Add(Vec<u8>, Vec<u8>),
    RemoveNth(Vec<u8>, usize),
    Rename(Vec<u8>),
    Copy(Vec<u8>),
    Delete(Vec<u8>),
    Expire(Vec<u8>, bool),
    Pin,
    Unpin(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let key = || prop::sample::select(vec![&b"l"[..], b"s", b"h", b"z"]).prop_map(<[u8]>::to_vec);
    let text = prop_oneof![
        4 => (0..90i64).prop_map(|number| number.to_string().into_bytes()),
        1 => (0..100_000i64).prop_map(|number| number.to_string().into_bytes()),
        3 => (0..66usize, b'a'..b'e').prop_map(|(len, letter)| vec![letter; len]),
    ];
    prop_oneof![
        30 => (key(), text).prop_map(|(key, text)| Op::Add(key, text)),
        16 => (key(), 0..40usize).prop_map(|(key, index)| Op::RemoveNth(key, index)),
        1 => key().prop_map(Op::Rename),
        1 => key().prop_map(Op::Copy),
        1 => key().prop_map(Op::Delete),
        1 => (key(), any::<bool>()).prop_map(|(key, on)| Op::Expire(key, on)),
        2 => Just(Op::Pin),
        2 => (0..4usize).prop_map(Op::Unpin),
    ]
}

fn add_to_model(model: &mut Model, key: &[u8], text: &[u8]) {
    let texts = model.entry(key.to_vec()).or_default();
    if kind(key) == Kind::List {
        texts.push(text.to_vec());
    } else if let Err(at) = texts.binary_search(&text.to_vec()) {
        texts.insert(at, text.to_vec());
    }
}

fn apply(keyspace: &mut Keyspace, model: &mut Model, op: &Op) {
    match op {
        Op::Add(key, text) => {
            add(keyspace, key, text);
            add_to_model(model, key, text);
        }
        Op::RemoveNth(key, index) => {
            let Some(texts) = model.get_mut(key) else { return };
            let text = texts[index % texts.len()].clone();
            // Of equal elements of a list the first goes.
            let at = texts.iter().position(|own| *own == text).unwrap();
            texts.remove(at);
            if texts.is_empty() {
                model.remove(key);
            }
            remove(keyspace, key, &text);
        }
        Op::Rename(key) => {
            let target = [&key[..], &[b'x'; 300]].concat();
            assert_eq!(keyspace.writer(DB, NOW).rename(key, &target), model.contains_key(key));
            if let Some(texts) = model.remove(key) {
                model.insert(target, texts);
            }
        }
        Op::Copy(key) => {
            let target = [&key[..], b"y"].concat();
            let did = keyspace.writer(DB, NOW).copy(key, DB, &target);
            assert_eq!(did, model.contains_key(key));
            if let Some(texts) = model.get(key).cloned() {
                model.insert(target, texts);
            }
        }
        Op::Delete(key) => {
            let did = keyspace.writer(DB, NOW).remove(key, Free::Later, DEL);
            assert_eq!(did, model.remove(key).is_some());
        }
        Op::Expire(key, on) => {
            let until = on.then_some(UnixMillis(NOW.0 + 1000));
            keyspace.writer(DB, NOW).set_deadline(key, until, DEL);
        }
        Op::Pin | Op::Unpin(_) => {}
    }
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 200 })
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn agrees_with_vectors_under_snapshots(
        ops in prop::collection::vec(op(), 0..if cfg!(miri) { 60 } else { 300 }),
    ) {
        let (mut keyspace, mut model) = (Keyspace::new(1, 7), Model::new());
        let mut kept: Vec<(KeyspaceSnapshot, Model)> = Vec::new();
        for op in ops {
            apply(&mut keyspace, &mut model, &op);
            match op {
                Op::Pin if kept.len() < 4 => kept.push((keyspace.snapshot(NOW), model.clone())),
                Op::Unpin(at) if at < kept.len() => {
                    let (snapshot, model) = kept.swap_remove(at);
                    prop_assert_eq!(state(&snapshot), model);
                    drop(snapshot);
                    keyspace.reap(usize::MAX);
                }
                _ => {}
            }
            for key in [b"l", b"s", b"h", b"z"] {
                check(&keyspace, &model, key);
            }
        }
        prop_assert_eq!(state(&keyspace.snapshot(NOW)), model);
        for (snapshot, model) in kept {
            prop_assert_eq!(state(&snapshot), model);
        }
        keyspace.reap(usize::MAX);
        prop_assert_eq!(keyspace.held_bytes(), 0);
    }
}

#[test]
fn members_with_deadlines_stand_by_themselves() {
    let mut keyspace = Keyspace::new(1, 7);
    add(&mut keyspace, b"h", b"field");
    let packed = |keyspace: &Keyspace| keyspace.reader(DB, NOW).peek(b"h").unwrap().is_packed();
    assert!(packed(&keyspace));
    keyspace
        .writer(DB, NOW)
        .update(b"h", |hash: &mut Hash, epochs| {
            assert!(hash.set_deadline(b"field", Some(UnixMillis(NOW.0 + 5)), epochs));
            ((), DID)
        })
        .unwrap();
    assert!(!packed(&keyspace));
    keyspace.expire_due(UnixMillis(NOW.0 + 6), usize::MAX);
    assert_eq!(keyspace.len(), 0);
}

#[test]
fn another_type_is_refused_before_anything_is_changed() {
    let mut keyspace = Keyspace::new(1, 7);
    add(&mut keyspace, b"s", b"1");
    add(&mut keyspace, b"h", b"field");
    let snapshot = keyspace.snapshot(NOW);
    let mut writer = keyspace.writer(DB, NOW);
    assert!(writer.update(b"s", |_: &mut Hash, _| ((), DID)).is_err());
    assert!(writer.update(b"h", |_: &mut Set, _| ((), DID)).is_err());
    assert!(writer.upsert(b"h", |_: &mut List, _| ((), DID)).is_err());
    let reader = writer.reader();
    assert!(reader.get::<SortedSet>(b"s").is_err() && reader.get::<Set>(b"h").is_err());
    assert!(reader.string(b"s").is_err() && reader.get::<Set>(b"s").unwrap().is_some());
    assert_eq!(keyspace.held_bytes(), 0);
    drop(snapshot);
}
