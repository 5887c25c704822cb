//! Streams against naive models.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::group::{Group, Name};
use super::id::Id;
use super::log::{AddError, Keep, Log, Trim};
use super::node::{Entry, Node, NodeLimits};
use crate::structures::cow_tree::End;
use crate::structures::cow_tree::Leaf;
use crate::structures::relocation::{Mover, Reached, Relocated};
use crate::types::stream::Stream;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn pairs(entry: &Entry<'_>) -> Pairs {
    entry.pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn flat(pairs: &Pairs) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
    let words: Vec<&[u8]> =
        pairs.iter().flat_map(|(name, value)| [&name[..], &value[..]]).collect();
    words.into_iter()
}

#[derive(Clone, Debug)]
enum Op {
    Add { ms: u64, seq: u64, pairs: Pairs },
    Delete(usize),
    Trim { count: Option<usize>, from: usize, is_approximate: bool, limit: Option<usize> },
    Range(usize, usize),
    Clone,
}

fn some_pairs() -> impl Strategy<Value = Pairs> {
    let name =
        prop_oneof![4 => Just(b"name".to_vec()), 1 => Just(b"7".to_vec()), 1 => Just(Vec::new())];
    let value = prop_oneof![
        2 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        3 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 60..200),
    ];
    prop::collection::vec((name, value), 1..4)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0u64..4, 0u64..3, some_pairs()).prop_map(|(ms, seq, pairs)| Op::Add { ms, seq, pairs }),
        4 => (0usize..60).prop_map(Op::Delete),
        1 => (prop::option::of(0usize..60), 0usize..60, any::<bool>(), prop::option::of(0usize..30))
            .prop_map(|(count, from, is_approximate, limit)| {
                Op::Trim { count, from, is_approximate, limit: limit.filter(|_| is_approximate) }
            }),
        2 => (0usize..60, 0usize..60).prop_map(|(from, to)| Op::Range(from, to)),
        1 => Just(Op::Clone),
    ]
}

fn check_whole(log: &Log, model: &BTreeMap<Id, Pairs>) {
    let all: Vec<_> = log.iter().map(|entry| (entry.id, pairs(&entry))).collect();
    let expected: Vec<_> = model.iter().map(|(id, pairs)| (*id, pairs.clone())).collect();
    assert_eq!(all, expected);
    assert_eq!(log.len(), model.len());
    assert_eq!(log.nodes().count(), log.node_count());
    let mut copy = Log::default();
    for node in log.nodes() {
        let read = Node::from_bytes(node.master(), node.as_bytes().to_vec()).unwrap();
        assert_eq!((read.len(), read.last_id()), (node.len(), node.last_id()));
        copy.push_node(read).unwrap();
    }
    assert_eq!(copy.len(), model.len());
}

fn run(ops: Vec<Op>, limits: NodeLimits) {
    let (mut log, mut model) = (Log::default(), BTreeMap::new());
    let mut last = Id::MIN;
    let mut clones = Vec::new();
    let nth = |model: &BTreeMap<Id, Pairs>, index: usize| {
        model.keys().nth(index).copied().unwrap_or(Id::new(1000, index as u64))
    };
    for op in ops {
        match op {
            Op::Add { ms, seq, pairs } => {
                let id = Id::new(last.ms + ms, if ms == 0 { last.seq + seq } else { seq });
                let added = log.add(id, flat(&pairs), limits);
                if id > last {
                    assert_eq!(added, Ok(()));
                    model.insert(id, pairs);
                    last = id;
                } else {
                    assert_eq!(added, Err(AddError::IdTooSmall));
                }
            }
            Op::Delete(index) => {
                let id = nth(&model, index);
                assert_eq!(log.delete(id), model.remove(&id).is_some());
                assert!(log.entry(id).is_none());
            }
            Op::Trim { count, from, is_approximate, limit } => {
                let keep = count.map_or_else(|| Keep::From(nth(&model, from)), Keep::Last);
                let expected = match keep {
                    Keep::Last(count) => model.len().saturating_sub(count),
                    Keep::From(id) => model.range(..id).count(),
                };
                let mut heard = Vec::new();
                let mut hear = |id| heard.push(id);
                let trim = Trim { keep, is_approximate, limit };
                let trimmed = log.trim(trim, Some(&mut hear));
                assert!(trimmed <= expected.min(limit.unwrap_or(usize::MAX)));
                assert!(is_approximate || trimmed == expected);
                let gone: Vec<_> = (0..trimmed).map(|_| model.pop_first().unwrap().0).collect();
                assert_eq!(heard, gone);
            }
            Op::Range(from, to) => {
                let (from, to) = (nth(&model, from), nth(&model, to));
                let expected: Vec<Id> = if from <= to {
                    model.range(from..=to).map(|(id, _)| *id).collect()
                } else {
                    Vec::new()
                };
                let found: Vec<Id> = log.range(from, to, End::Back).map(|entry| entry.id).collect();
                assert_eq!(found, expected);
                let mut found: Vec<Id> =
                    log.range(from, to, End::Front).map(|entry| entry.id).collect();
                found.reverse();
                assert_eq!(found, expected);
            }
            Op::Clone => clones.push((log.clone(), model.clone())),
        }
        assert_eq!(log.first().map(|entry| entry.id), model.keys().next().copied());
        assert_eq!(log.last().map(|entry| entry.id), model.keys().last().copied());
    }
    check_whole(&log, &model);
    for (log, model) in clones {
        check_whole(&log, &model);
    }
}

proptest! {
    #[test]
    fn agrees_with_btreemap(
        ops in prop::collection::vec(op(), 0..150),
        bytes in prop_oneof![Just(0usize), 100usize..1000],
        entries in prop_oneof![Just(0usize), 1usize..20],
    ) {
        run(ops, NodeLimits::of_directives(bytes, entries));
    }

    #[test]
    fn foreign_nodes_are_refused_or_sound(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        super::fuzz(&bytes);
    }

    #[test]
    fn damaged_nodes_are_refused_or_sound(
        all in prop::collection::vec(some_pairs(), 1..8),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut log = Log::default();
        for (ms, pairs) in all.iter().enumerate() {
            log.add(Id::new(5 + ms as u64, 1), flat(pairs), NodeLimits::of_directives(0, 0)).unwrap();
        }
        let mut bytes = log.nodes().next().unwrap().as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        super::fuzz(&bytes);
    }

    #[test]
    fn halves_of_a_node_are_the_whole(all in prop::collection::vec(some_pairs(), 1..20), at in 0usize..20) {
        let limits = NodeLimits::of_directives(0, 0);
        let mut node = Node::new(Id::new(1, 0), flat(&all[0]), None).unwrap();
        for (ms, pairs) in all.iter().enumerate().skip(1) {
            assert!(node.append(Id::new(1 + ms as u64, 0), flat(pairs), limits));
        }
        let whole: Vec<_> = node.entries().map(|entry| (entry.id, pairs(&entry))).collect();
        let mut left = node.clone();
        let right = left.split_off(at.min(all.len()));
        let halves = left.entries().chain(right.entries());
        prop_assert_eq!(&whole, &halves.map(|entry| (entry.id, pairs(&entry))).collect::<Vec<_>>());
        left.absorb(&right);
        prop_assert_eq!(whole, left.entries().map(|entry| (entry.id, pairs(&entry))).collect::<Vec<_>>());
        prop_assert!(Node::from_bytes(left.master(), left.as_bytes().to_vec()).is_ok());
    }
}

#[test]
fn bytes_are_those_of_redis() {
    // Asked of Redis 8.0: XADD s 1-0 a 1 b xy, XADD s 5-3 a 300 b zz, XADD s 6-0 c 9, XDEL s 5-3.
    let limits = NodeLimits::of_directives(4096, 100);
    let mut log = Log::default();
    let words: [&[&[u8]]; 3] =
        [&[b"a", b"1", b"b", b"xy"], &[b"a", b"300", b"b", b"zz"], &[b"c", b"9"]];
    for (id, words) in [Id::new(1, 0), Id::new(5, 3), Id::new(6, 0)].into_iter().zip(words) {
        log.add(id, words.iter().copied(), limits).unwrap();
    }
    assert!(log.delete(Id::new(5, 3)));
    let node = log.nodes().next().unwrap();
    let text = node.as_bytes().escape_ascii().to_string();
    let expected = concat!(
        r"A\x00\x00\x00\x19\x00\x02\x01\x01\x01\x02\x01\x81a\x02\x81b\x02\x00\x01\x02\x01\x00\x01\x00",
        r"\x01\x01\x01\x82xy\x03\x05\x01\x03\x01\x04\x01\x03\x01\xc1,\x02\x82zz\x03\x05\x01\x00",
        r"\x01\x05\x01\x00\x01\x01\x01\x81c\x02\t\x01\x06\x01\xff",
    );
    assert_eq!(text, expected);
}

#[test]
fn only_the_first_node_is_rewritten() {
    let limits = NodeLimits::of_directives(0, 10);
    let mut log = Log::default();
    for ms in 1..=30 {
        log.add(Id::new(ms, 0), [&b"a"[..], b"b"].into_iter(), limits).unwrap();
    }
    let before = log.clone();
    let trim = Trim { keep: Keep::Last(13), is_approximate: false, limit: None };
    assert_eq!(log.trim(trim, None), 17);
    assert_eq!((log.node_count(), log.len()), (2, 13));
    assert_eq!((before.node_count(), before.len()), (3, 30));
    let trim = Trim { keep: Keep::Last(5), is_approximate: true, limit: None };
    assert_eq!(log.trim(trim, None), 3);
}

#[derive(Clone, Debug)]
enum GroupOp {
    Assign(u64, u8, i64),
    Release(u64),
    Acknowledge(u64),
    Expel(u8),
    Idle(i64, usize),
}

fn group_op() -> impl Strategy<Value = GroupOp> {
    prop_oneof![
        6 => (0u64..80, 0u8..4, 0i64..20).prop_map(|(id, who, time)| GroupOp::Assign(id, who, time)),
        1 => (0u64..80).prop_map(GroupOp::Release),
        3 => (0u64..80).prop_map(GroupOp::Acknowledge),
        1 => (0u8..4).prop_map(GroupOp::Expel),
        1 => (0i64..20, 0usize..20).prop_map(|(until, count)| GroupOp::Idle(until, count)),
    ]
}

proptest! {
    #[test]
    fn pending_entries_have_one_owner(ops in prop::collection::vec(group_op(), 0..300)) {
        let mut group = Group::default();
        // Owner and time; released ones have none and stand in order.
        let mut model: BTreeMap<u64, Option<(u8, i64)>> = BTreeMap::new();
        let mut released: Vec<u64> = Vec::new();
        for op in ops {
            match op {
                GroupOp::Assign(id, who, time) => {
                    let (name, _) = group.enroll(&[who], 0);
                    group.assign(Id::new(id, 0), &name, time, 1);
                    model.insert(id, Some((who, time)));
                    released.retain(|own| *own != id);
                }
                GroupOp::Release(id) => {
                    group.release(Id::new(id, 0), 1);
                    model.insert(id, None);
                    released.retain(|own| *own != id);
                    released.push(id);
                }
                GroupOp::Acknowledge(id) => {
                    let was = model.remove(&id).is_some();
                    prop_assert_eq!(group.acknowledge(Id::new(id, 0)), was);
                    released.retain(|own| *own != id);
                }
                GroupOp::Expel(who) => {
                    let has = |owner: &Option<(u8, i64)>| owner.is_some_and(|(own, _)| own == who);
                    let count = model.values().filter(|owner| has(owner)).count();
                    prop_assert_eq!(group.expel(&[who]).unwrap_or(0), count);
                    model.retain(|_, owner| !has(owner));
                }
                GroupOp::Idle(until, count) => {
                    let mut owned: Vec<(i64, u64)> = model
                        .iter()
                        .filter_map(|(id, owner)| owner.map(|(_, time)| (time, *id)))
                        .filter(|(time, _)| *time <= until)
                        .collect();
                    owned.sort_unstable();
                    let expected = released.iter().copied().chain(owned.iter().map(|(_, id)| *id));
                    let expected: Vec<Id> = expected.take(count).map(|id| Id::new(id, 0)).collect();
                    prop_assert_eq!(group.idle(until, count), expected);
                }
            }
            prop_assert_eq!(group.pending().len(), model.len());
            prop_assert_eq!(group.released_count(), released.len());
            for who in 0..4u8 {
                let expected = model.iter().filter(|(_, owner)| owner.is_some_and(|(own, _)| own == who));
                let expected: Vec<Id> = expected.map(|(id, _)| Id::new(*id, 0)).collect();
                let consumer = group.consumers().get(&[who][..]);
                let found = consumer.map(|consumer| consumer.pending_from(Id::MIN).collect());
                prop_assert_eq!(found.unwrap_or(Vec::new()), expected);
            }
        }
    }
}

#[test]
fn clones_go_on_by_themselves() {
    let mut stream = Stream::default();
    assert!(stream.is_vacant());
    stream.establish();
    let limits = NodeLimits::of_directives(0, 10);
    let body = stream.body_mut();
    for ms in 1..=50 {
        body.log.add(Id::new(ms, 0), [&b"a"[..], b"b"].into_iter(), limits).unwrap();
    }
    let mut group = Group::new(Id::MIN, Some(0));
    let (name, _) = group.enroll(b"c", 0);
    for ms in 1..=50 {
        group.assign(Id::new(ms, 0), &name, 7, 1);
    }
    body.groups.insert(Name::new(b"g"), group);
    let before = stream.clone();
    let body = stream.body_mut();
    assert!(!body.is_done_with(Id::new(7, 0)));
    body.forget_pending(Id::new(7, 0));
    assert!(!body.is_done_with(Id::new(7, 0)));
    body.groups.update(&b"g"[..], |group| group.last_id = Id::new(50, 0));
    assert!(body.is_done_with(Id::new(7, 0)));
    body.log.delete(Id::new(7, 0));
    assert_eq!(stream.group(b"g").unwrap().pending().len(), 49);
    assert_eq!(before.group(b"g").unwrap().pending().len(), 50);
    assert_eq!((before.log().len(), stream.log().len()), (50, 49));
    assert!(before != stream && before == before.clone());
}

/// Small nodes, so that there are as many of them as in a stream of millions.
#[test]
fn a_clone_of_a_large_stream_costs_nothing_and_a_write_its_path() {
    let limits = NodeLimits::of_directives(0, 5);
    let mut stream = Stream::default();
    stream.establish();
    let log = &mut stream.body_mut().log;
    for ms in 1..=250_000 {
        log.add(Id::new(ms, 0), [&b"a"[..], b"b"].into_iter(), limits).unwrap();
    }
    let start = std::time::Instant::now();
    let clones: Vec<Stream> = (0..1000).map(|_| stream.clone()).collect();
    // A copy of 250,000 entries would take milliseconds; a thousand of them, seconds.
    assert!(start.elapsed().as_millis() < 500);
    let shared = |one: &Stream, other: &Stream| {
        let addresses = |stream: &Stream| -> BTreeSet<*const Node> {
            stream.log().nodes().map(std::ptr::from_ref).collect()
        };
        addresses(one).intersection(&addresses(other)).count()
    };
    assert!(stream.body_mut().log.delete(Id::new(125_000, 0)));
    assert_eq!(stream.log().node_count(), 50_000);
    // The open node is copied with every clone, the changed one by the write.
    assert_eq!(shared(&clones[0], &stream), 49_998);
    assert_eq!(clones[0].log().len(), 250_000);
}

#[test]
fn what_belongs_to_groups_is_moved_in_steps() {
    let entries: u64 = if cfg!(miri) { 200 } else { 2000 };
    let mut stream = Stream::default();
    for name in ["one", "two", "three"] {
        let mut group = Group::default();
        for number in 0..entries {
            let (owner, _) = group.enroll(&(number % 7).to_le_bytes(), 0);
            group.assign(Id::new(number, 0), &owner, 5, 1);
            if number.is_multiple_of(5) {
                group.release(Id::new(number, 0), 2);
            }
        }
        assert_eq!(group.idle(5, usize::MAX).len() as u64, entries);
        stream.body_mut().groups.insert(Name::new(name.as_bytes()), group);
    }
    let before = format!("{:?}", stream.groups());
    let mut is_misplaced = |_| true;
    let mut mover = Mover::new(&mut is_misplaced, Reached::default(), usize::MAX);
    stream.relocate(&mut mover);
    let (whole, rest) = mover.end();
    assert_eq!((whole.stayed, rest), (0, None));
    // Of each group the entries, those of the consumers, and those in the order of time.
    assert!(whole.moved as u64 > 3 * 3 * entries / 64, "{whole:?}");
    let (mut parts, mut reached) = (Relocated::default(), Some(Reached::default()));
    while let Some(from) = reached {
        let mut mover = Mover::new(&mut is_misplaced, from, 3);
        stream.relocate(&mut mover);
        let (part, rest) = mover.end();
        parts.add(part);
        reached = rest;
    }
    assert_eq!(parts, whole, "each is visited once");
    assert_eq!(format!("{:?}", stream.groups()), before);
}
