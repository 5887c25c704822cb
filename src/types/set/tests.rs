//! Sets against `BTreeSet`, across each threshold and in each form.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::structures::lifespan::Lifespan;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const USUAL: SetLimits = SetLimits { ints_max: 512, pack_max: 128, pack_member_max: 64 };

type Model = BTreeSet<Vec<u8>>;

/// A set, its model, and what they need.
struct Pair {
    set: Set,
    model: Model,
    deadlines: BTreeMap<Vec<u8>, i64>,
    epochs: Epochs,
    rng: fastrand::Rng,
    limits: SetLimits,
}

impl Pair {
    fn new(limits: SetLimits) -> Self {
        let (set, model) = (Set::default(), Model::new());
        let (epochs, rng) = (Epochs::with_seed(5), fastrand::Rng::with_seed(9));
        Self { set, model, deadlines: BTreeMap::new(), epochs, rng, limits }
    }

    fn insert(&mut self, member: &[u8]) {
        let is_new = self.set.insert(member, self.limits, &mut self.epochs);
        assert_eq!(is_new, self.model.insert(member.to_vec()));
    }

    fn remove(&mut self, member: &[u8]) {
        assert_eq!(self.set.remove(member, &mut self.epochs), self.model.remove(member));
        self.deadlines.remove(member);
    }

    fn pop(&mut self) {
        let popped = self.set.pop(&mut self.rng, &mut self.epochs, |member| member.to_vec());
        assert_eq!(popped.is_some(), !self.model.is_empty());
        assert!(popped.is_none_or(|member| {
            self.deadlines.remove(&member);
            self.model.remove(&member)
        }));
    }

    fn pop_many(&mut self, count: usize) {
        let mut popped = Vec::new();
        let count = count.min(self.model.len());
        let show = &mut |member: Item<'_>| popped.push(member.to_vec());
        self.set.pop_many(count, self.limits, &mut self.rng, &mut self.epochs, show);
        assert_eq!(popped.len(), count);
        assert!(popped.iter().all(|member| self.model.remove(member)), "different members");
        self.deadlines.retain(|member, _| !popped.contains(member));
    }

    fn set_deadline(&mut self, member: &[u8], at: Option<i64>) {
        let is_there = self.set.set_deadline(member, at.map(UnixMillis), &self.epochs);
        assert_eq!(is_there, self.model.contains(member));
        match at.filter(|_| is_there) {
            Some(at) => self.deadlines.insert(member.to_vec(), at),
            None => self.deadlines.remove(member),
        };
        // What the keyspace does when a change is over.
        let due = Lifespan::until(self.set.next_due().map(|at| at.0));
        self.set.set_schedule(due);
        assert_eq!(self.set.deadlines().is_some(), !self.deadlines.is_empty());
    }

    fn expire(&mut self, now: i64, budget: usize) {
        let due = self.set.due_count(UnixMillis(now)).min(budget);
        let mut gone = Vec::new();
        let mut show = |member: &[u8]| gone.push(member.to_vec());
        let count = self.set.expire(UnixMillis(now), budget, &mut self.epochs, &mut show);
        assert_eq!((count, gone.len()), (due, due));
        for member in gone {
            assert!(self.deadlines.remove(&member).is_some_and(|at| at <= now));
            assert!(self.model.remove(&member));
        }
    }

    /// What is seen at some moment.
    fn check_live(&mut self, now: i64) {
        let is_over = |member: &[u8]| self.deadlines.get(member).is_some_and(|at| *at <= now);
        let living: Model = self.model.iter().filter(|it| !is_over(it)).cloned().collect();
        let live = self.set.live(UnixMillis(now));
        assert_eq!((live.len(), live.is_empty()), (living.len(), living.is_empty()));
        assert_eq!(texts(live.iter()), living);
        for member in &self.model {
            let is_seen = !is_over(member);
            assert_eq!(live.contains(member), is_seen);
            assert_eq!(live.contains_item(Item::text(member)), is_seen);
            let at = self.deadlines.get(member).copied().map(UnixMillis);
            assert_eq!(self.set.deadline(member), Some(at));
        }
        for count in [1, living.len() / 2, living.len() + 1] {
            let sample = texts(live.sample(count, &mut self.rng).into_iter());
            assert_eq!(sample.len(), count.min(living.len()));
            assert!(sample.is_subset(&living));
        }
        let drawn = live.random(&mut self.rng).map(|member| member.to_vec());
        assert_eq!(drawn.is_some(), !living.is_empty());
        assert!(drawn.is_none_or(|member| living.contains(&member)));
        let (mut walked, mut cursor) = (Model::new(), 0);
        loop {
            cursor = live.scan(cursor, 3, &mut |member| {
                walked.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(walked, living);
        let first = self.deadlines.values().min().copied();
        assert_eq!(self.set.next_due().map(|at| at.0), first);
    }

    fn check(&mut self) {
        self.check_live(20);
        self.check_live(i64::MIN);
        let Self { set, model, rng, .. } = self;
        assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(&texts(set.iter()), model);
        assert_eq!(set.iter().count(), model.len());
        for member in model.iter() {
            assert!(set.contains(member) && set.contains_item(Item::text(member)));
        }
        for stranger in ["", "-0", "007", "x9", "9223372036854775808"] {
            assert_eq!(set.contains(stranger.as_bytes()), model.contains(stranger.as_bytes()));
        }
        for count in [0, 1, model.len() / 2, model.len(), model.len() + 1] {
            let sample = set.sample(count, rng);
            assert_eq!(sample.len(), count.min(model.len()));
            let sample = texts(sample.into_iter());
            assert_eq!(sample.len(), count.min(model.len()), "different members");
            assert!(sample.is_subset(model));
        }
        assert_eq!(set.random(rng).is_some(), !model.is_empty());
        let (mut walked, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = set.scan(cursor, 3, &mut |member| walked.push(member.to_vec()));
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(walked.len(), model.len());
        assert_eq!(&walked.into_iter().collect::<Model>(), model);
        self.check_bounds();
    }

    /// A form is left no later than its bounds say.
    fn check_bounds(&self) {
        let len = self.model.len();
        let longest = self.model.iter().map(Vec::len).max().unwrap_or(0);
        match &self.set.0 {
            Form::Ints(ints) => assert!(ints.len() <= self.limits.ints_max),
            Form::Pack(_) => {
                assert!(len <= self.limits.pack_max && longest <= self.limits.pack_member_max);
            }
            Form::Timed(timed) => assert!(!matches!(timed.all.0, Form::Timed(_))),
            Form::Table(large) => {
                let bytes = self.set.iter().map(|member| match member {
                    Item::Bytes(bytes) => size_class_of(bytes),
                    Item::Int(_) => unreachable!("tables hold text"),
                });
                let table = self.set.heap_bytes() - bytes.sum::<usize>();
                assert!(table >= size_of::<Large>() + large.len() * 8);
            }
        }
    }
}

fn size_class_of(member: &[u8]) -> usize {
    crate::structures::member::Member::new(member).view().heap_bytes()
}

fn texts<'a>(members: impl Iterator<Item = Item<'a>>) -> Model {
    members.map(|member| member.to_vec()).collect()
}

#[track_caller]
fn check_encoding(members: &[&str], limits: SetLimits, expected: &str) {
    let mut pair = Pair::new(limits);
    for member in members {
        pair.insert(member.as_bytes());
    }
    pair.check();
    assert_eq!(pair.set.encoding(), expected, "{members:?}");
}

#[test]
fn encoding_follows_the_members() {
    let tight = SetLimits { ints_max: 2, pack_max: 3, pack_member_max: 4 };
    check_encoding(&["1", "2"], tight, "intset");
    check_encoding(&["1", "2", "2"], tight, "intset");
    check_encoding(&["1", "2", "3"], tight, "hashtable");
    check_encoding(&["a", "2", "3"], tight, "listpack");
    check_encoding(&["1", "2", "a"], tight, "listpack");
    check_encoding(&["a", "b", "c", "d"], tight, "hashtable");
    check_encoding(&["abcd"], tight, "listpack");
    check_encoding(&["abcde"], tight, "hashtable");
    check_encoding(&["12345"], tight, "intset");
    check_encoding(&["12345", "a"], tight, "hashtable");
    check_encoding(&["a", "12345"], tight, "hashtable");
    check_encoding(&["01"], USUAL, "listpack");
    let none = SetLimits { ints_max: 0, pack_max: 0, pack_member_max: 64 };
    check_encoding(&["1"], none, "hashtable");
    check_encoding(&["a"], none, "hashtable");
}

#[test]
fn expected_members_count_before_they_come() {
    let tight = SetLimits { ints_max: 2, pack_max: 3, pack_member_max: 4 };
    let check = |before: &[&str], first: &str, count, expected| {
        let mut pair = Pair::new(tight);
        for member in before {
            pair.insert(member.as_bytes());
        }
        pair.set.expect(first.as_bytes(), count, tight, &mut pair.epochs);
        pair.check();
        assert_eq!(pair.set.encoding(), expected, "{before:?} and {count} more");
    };
    check(&[], "1", 2, "intset");
    check(&[], "1", 3, "listpack");
    check(&[], "1", 4, "hashtable");
    check(&[], "a", 3, "listpack");
    check(&[], "a", 4, "hashtable");
    check(&["1"], "a", 2, "intset");
    check(&["1"], "1", 3, "hashtable");
    check(&["a", "b"], "1", 3, "listpack");
    check(&["a", "b"], "1", 4, "hashtable");
}

#[test]
fn tables_stay_tables_but_for_what_remains_of_them() {
    let mut pair = Pair::new(USUAL);
    (0..600).for_each(|number: u32| pair.insert(number.to_string().as_bytes()));
    assert_eq!(pair.set.encoding(), "hashtable");
    pair.pop_many(400);
    pair.check();
    assert_eq!(pair.set.encoding(), "hashtable");
    pair.pop_many(170);
    pair.check();
    assert_eq!((pair.set.len(), pair.set.encoding()), (30, "listpack"));
    pair.set.narrow(USUAL);
    pair.check();
    assert_eq!(pair.set.encoding(), "intset");
    pair.insert(b"a");
    pair.set.narrow(USUAL);
    assert_eq!(pair.set.encoding(), "listpack");
}

#[test]
fn every_member_is_drawn_equally_often() {
    for members in [10_u32, 100, 700] {
        let mut pair = Pair::new(USUAL);
        (0..members).for_each(|number| pair.insert(format!("m{number}").as_bytes()));
        let mut drawn = BTreeMap::<Vec<u8>, u32>::new();
        let rounds = 300;
        for _ in 0..rounds {
            for member in pair.set.sample(usize::try_from(members / 5).unwrap(), &mut pair.rng) {
                *drawn.entry(member.to_vec()).or_default() += 1;
            }
            for _ in 0..members / 5 {
                let member = pair.set.random(&mut pair.rng).unwrap().to_vec();
                *drawn.entry(member).or_default() += 1;
            }
        }
        // 2 draws of 5 members each: 120 a member, with a deviation of about 10.
        let expected = rounds * 2 / 5;
        assert_eq!(drawn.len(), usize::try_from(members).unwrap());
        assert!(drawn.values().all(|count| count.abs_diff(expected) < expected / 2), "{drawn:?}");
    }
}

#[test]
fn duplicate_goes_its_own_way() {
    for members in [0_u32, 100, 2000] {
        let mut pair = Pair::new(USUAL);
        (0..members).for_each(|number| pair.insert(format!("m{number}").as_bytes()));
        let deadlines = pair.deadlines.clone();
        let (set, model) = (pair.set.duplicate(), pair.model.clone());
        let mut twin = Pair { set, model, deadlines, ..pair };
        (pair.set, pair.model) = (twin.set.duplicate(), twin.model.clone());
        (0..members / 2).for_each(|number| twin.remove(format!("m{number}").as_bytes()));
        twin.insert(b"new");
        twin.check();
        assert_eq!(texts(pair.set.iter()), pair.model);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Expect(Vec<u8>, usize),
    Insert(Vec<u8>),
    Remove(Vec<u8>),
    Pop,
    PopMany(usize),
    SetDeadline(Vec<u8>, Option<i64>),
    Expire(i64, usize),
    Duplicate,
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-9_i64..30).prop_map(|value| value.to_string().into_bytes()),
        2 => prop::collection::vec(prop::sample::select(b"ab0".to_vec()), 0..7),
        1 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (member(), 0..12_usize).prop_map(|(first, count)| Op::Expect(first, count)),
        12 => member().prop_map(Op::Insert),
        6 => member().prop_map(Op::Remove),
        2 => Just(Op::Pop),
        1 => (0..20_usize).prop_map(Op::PopMany),
        6 => (member(), prop::option::of(0_i64..40)).prop_map(|(it, at)| Op::SetDeadline(it, at)),
        1 => (0_i64..40, 1_usize..5).prop_map(|(now, budget)| Op::Expire(now, budget)),
        1 => Just(Op::Duplicate),
    ]
}

proptest! {
    #[test]
    fn agrees_with_btreeset(
        ops in prop::collection::vec(op(), 0..120),
        ints_max in 0..12_usize,
        pack_max in 0..12_usize,
        pack_member_max in 0..8_usize,
    ) {
        let mut pair = Pair::new(SetLimits { ints_max, pack_max, pack_member_max });
        for op in ops {
            match op {
                Op::Expect(first, count) => {
                    pair.set.expect(&first, count, pair.limits, &mut pair.epochs);
                }
                Op::Insert(member) => pair.insert(&member),
                Op::Remove(member) => pair.remove(&member),
                Op::SetDeadline(member, at) => pair.set_deadline(&member, at),
                Op::Expire(now, budget) => pair.expire(now, budget),
                Op::Pop => pair.pop(),
                Op::PopMany(count) => pair.pop_many(count),
                Op::Duplicate => pair.set = pair.set.duplicate(),
            }
            pair.check();
        }
    }
}
