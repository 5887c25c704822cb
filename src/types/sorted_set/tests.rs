//! Against a sorted vector, in every form and across each threshold. Leaves and runs are short
//! here, so that a few hundred elements make a deep tree.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::base::time::UnixMillis;
use crate::structures::lifespan::Lifespan;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SMALL: PackLimits = PackLimits { entries: usize::MAX, value: usize::MAX };
const MIXED: PackLimits = PackLimits { entries: 8, value: 12 };
const LARGE: PackLimits = PackLimits { entries: 0, value: 0 };

/// Scores of members, and deadlines, as they should be.
#[derive(Clone, Debug, Default)]
struct Model(BTreeMap<Vec<u8>, f64>, BTreeMap<Vec<u8>, i64>);

impl Model {
    fn sorted(&self) -> Vec<(f64, Vec<u8>)> {
        let mut all: Vec<_> =
            self.0.iter().map(|(member, score)| (*score, member.clone())).collect();
        all.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap().then_with(|| a.1.cmp(&b.1)));
        all
    }

    /// Elements that are not over.
    fn living(&self, now: i64) -> Vec<(f64, Vec<u8>)> {
        let mut all = self.sorted();
        all.retain(|(_, member)| self.1.get(member).is_none_or(|at| *at > now));
        all
    }
}

fn owned(element: Scored<'_>) -> (f64, Vec<u8>) {
    (element.score, element.member.to_vec())
}

/// The same in both directions, by rank, by member, by cut and by scan.
fn compare(set: &SortedSet, model: &Model) {
    let all = model.sorted();
    assert_eq!(set.len(), all.len());
    assert_eq!(set.iter().map(owned).collect::<Vec<_>>(), all);
    let back = set.iter_from(all.len(), End::Front).map(owned);
    assert!(back.eq(all.iter().rev().cloned()), "backwards");
    for (rank, (score, member)) in all.iter().enumerate() {
        assert_eq!(set.rank(member), Some((rank, *score)));
        assert_eq!(set.score(member), Some(*score));
        assert_eq!(set.iter_from(rank, End::Back).next().map(owned), Some(all[rank].clone()));
        assert_eq!(set.iter_from(rank, End::Front).next().map(owned), Some(all[rank].clone()));
        let below = all.iter().filter(|other| other.0 < *score).count();
        let upto = all.iter().filter(|other| other.0 <= *score).count();
        assert_eq!(
            set.ranks_between(Cut::BeforeScore(*score), Cut::AfterScore(*score)),
            below..upto
        );
    }
    assert_eq!(set.score(b"absent"), None);
    assert_eq!(set.rank(b"absent"), None);
    let mut seen = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = set.scan(cursor, 3, &mut |element| seen.push(owned(element)));
        if cursor == 0 {
            break;
        }
    }
    seen.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap().then_with(|| a.1.cmp(&b.1)));
    assert_eq!(seen, all, "a scan visits each element once");
}

/// What is seen at some moment.
fn compare_live(set: &SortedSet, model: &Model, now: i64) {
    let (all, moment) = (model.living(now), UnixMillis(now));
    assert_eq!(set.next_due().map(|at| at.0), model.1.values().min().copied());
    assert_eq!(set.live_len(moment), all.len());
    let live = set.live(moment);
    assert_eq!((live.len(), live.encoding()), (all.len(), set.encoding()));
    assert!(live.iter().map(owned).eq(all.iter().cloned()));
    assert!(set.live_iter(End::Back, moment).map(owned).eq(all.iter().cloned()));
    assert!(set.live_iter(End::Front, moment).map(owned).eq(all.iter().rev().cloned()));
    for (member, score) in &model.0 {
        let seen = all.iter().position(|(_, own)| own == member);
        assert_eq!(set.live_score(member, moment), seen.map(|_| *score));
        assert_eq!(live.rank(member), seen.map(|rank| (rank, *score)));
        let at = model.1.get(member).copied().map(UnixMillis);
        assert_eq!(set.deadline(member), Some(at));
    }
    let (mut seen, mut cursor) = (0, 0);
    loop {
        cursor = set.live_scan(cursor, 3, moment, &mut |_| seen += 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, all.len());
}

#[derive(Clone, Debug)]
enum Op {
    Put(u16, f64),
    PutLong(u16, usize, f64),
    Remove(u16),
    Pop(bool, usize),
    RemoveRange(u16, u16),
    RemoveScores(f64, f64),
    Settle,
    Clone,
    SetDeadline(u16, Option<i64>),
    Expire(i64, usize),
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-3_i32..4).prop_map(f64::from),
        2 => (-300_i32..300).prop_map(|whole| f64::from(whole) / 8.0),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e300), Just(5e-324)],
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (0_u16..90, score()).prop_map(|(member, score)| Op::Put(member, score)),
        1 => (0_u16..4, 1000_usize..70_000, score())
            .prop_map(|(member, len, score)| Op::PutLong(member, len, score)),
        6 => (0_u16..90).prop_map(Op::Remove),
        2 => (any::<bool>(), 1_usize..20).prop_map(|(front, count)| Op::Pop(front, count)),
        1 => (0_u16..60, 0_u16..40).prop_map(|(from, count)| Op::RemoveRange(from, count)),
        1 => (score(), score()).prop_map(|(min, max)| Op::RemoveScores(min, max)),
        1 => Just(Op::Settle),
        1 => Just(Op::Clone),
        6 => (0_u16..90, prop::option::of(0_i64..40)).prop_map(|(it, at)| Op::SetDeadline(it, at)),
        1 => (0_i64..40, 1_usize..5).prop_map(|(now, budget)| Op::Expire(now, budget)),
    ]
}

fn name(number: u16) -> Vec<u8> {
    match number % 3 {
        0 => number.to_string().into_bytes(),
        1 => format!("member:{number}").into_bytes(),
        _ => format!("a much longer member, number {number}").into_bytes(),
    }
}

fn set_deadline(set: &mut SortedSet, model: &mut Model, member: &[u8], at: Option<i64>) {
    let is_there = model.0.contains_key(member);
    assert_eq!(set.set_deadline(member, at.map(UnixMillis), &Epochs::new()), is_there);
    match at.filter(|_| is_there) {
        Some(at) => model.1.insert(member.to_vec(), at),
        None => model.1.remove(member),
    };
    // What the keyspace does when a change is over.
    set.set_schedule(Lifespan::until(set.next_due().map(|at| at.0)));
}

fn run_ops(ops: Vec<Op>, limits: PackLimits) {
    let (mut set, mut model) = (SortedSet::default(), Model::default());
    let mut kept: Option<(SortedSet, Model)> = None;
    for op in ops {
        match op {
            Op::Put(member, score) => {
                let member = name(member);
                let likely = (score > -2.0).then_some(score.trunc());
                let old = set.update(&member, likely, limits, &Epochs::new(), |_| Some(score));
                assert_eq!(old, model.0.insert(member, score));
            }
            Op::PutLong(member, len, score) => {
                let member = [name(member), vec![b'x'; len]].concat();
                set.insert(&member, score, limits, &Epochs::new());
                model.0.insert(member, score);
            }
            Op::Remove(member) => {
                assert_eq!(set.remove(&name(member)), model.0.remove(&name(member)));
            }
            Op::Pop(front, count) => {
                for _ in 0..count {
                    let all = model.sorted();
                    let end = if front { End::Front } else { End::Back };
                    let expected = if front { all.first() } else { all.last() };
                    assert_eq!(set.pop(end, owned).as_ref(), expected);
                    expected.map(|(_, member)| model.0.remove(member));
                }
            }
            Op::RemoveRange(from, count) => {
                let (from, count) = (usize::from(from), usize::from(count));
                for (_, member) in model.sorted().into_iter().skip(from).take(count) {
                    model.0.remove(&member);
                }
                set.remove_range(from..from + count);
            }
            Op::RemoveScores(min, max) => {
                set.remove_range(set.ranks_between(Cut::BeforeScore(min), Cut::AfterScore(max)));
                model.0.retain(|_, score| *score < min || *score > max);
            }
            Op::Settle => set.settle(limits),
            Op::SetDeadline(member, at) => set_deadline(&mut set, &mut model, &name(member), at),
            Op::Expire(now, budget) => {
                let due = set.due_count(UnixMillis(now)).min(budget);
                let mut gone = |member: &[u8]| {
                    assert!(model.1.remove(member).is_some_and(|at| at <= now));
                    model.0.remove(member);
                };
                let count = set.expire(UnixMillis(now), budget, &mut Epochs::new(), &mut gone);
                assert_eq!(count, due);
            }
            Op::Clone => {
                if let Some((set, model)) = &kept {
                    compare(set, model);
                }
                kept = Some((set.clone(), model.clone()));
            }
        }
        assert_eq!(set.len(), model.0.len());
        model.1.retain(|member, _| model.0.contains_key(member));
    }
    for (set, model) in kept.iter().map(|(set, model)| (set, model)).chain([(&set, &model)]) {
        compare(set, model);
        compare_live(set, model, 20);
        compare_live(set, model, -1);
    }
}

proptest! {
    #[test]
    fn agrees_with_sorted_vector(ops in prop::collection::vec(op(), 0..300)) {
        for limits in [SMALL, MIXED, LARGE] {
            run_ops(ops.clone(), limits);
        }
    }

    #[test]
    fn cuts_by_member_are_those_of_bytes(
        members in prop::collection::btree_set(prop::collection::vec(0_u8..3, 0..4), 0..60),
        sought in prop::collection::vec(0_u8..3, 0..4),
    ) {
        for limits in [SMALL, LARGE] {
            let mut set = SortedSet::default();
            for member in &members {
                set.insert(member, 1.0, limits, &Epochs::new());
            }
            let below = members.iter().filter(|member| **member < sought).count();
            let upto = members.iter().filter(|member| **member <= sought).count();
            prop_assert_eq!(set.rank_at(Cut::BeforeMember(&sought)), below);
            prop_assert_eq!(set.rank_at(Cut::AfterMember(&sought)), upto);
            prop_assert_eq!(set.ranks_between(Cut::Start, Cut::End), 0..members.len());
        }
    }
}

#[test]
fn becomes_large_where_redis_does() {
    let mut set = SortedSet::default();
    for number in 0..8_u16 {
        set.insert(&name(3 * number), 0.0, MIXED, &Epochs::new());
    }
    set.insert(&name(0), 5.0, MIXED, &Epochs::new());
    assert_eq!(set.encoding(), "listpack");
    set.insert(b"ninth", 0.0, MIXED, &Epochs::new());
    assert_eq!(set.encoding(), "skiplist");
    set.remove(b"ninth");
    assert_eq!(set.encoding(), "skiplist");
    set.settle(MIXED);
    assert_eq!(set.encoding(), "listpack");
    set.remove(&name(0));
    set.insert(b"thirteen byte", 0.0, MIXED, &Epochs::new());
    assert_eq!(set.encoding(), "skiplist");
    set.settle(MIXED);
    assert_eq!(set.encoding(), "skiplist");
}

#[test]
fn sign_of_zero_is_kept_by_large_ones_only() {
    for (limits, negative) in [(SMALL, false), (LARGE, true)] {
        let mut set = SortedSet::default();
        set.insert(b"a", -0.0, limits, &Epochs::new());
        assert_eq!(set.score(b"a").unwrap().is_sign_negative(), negative);
        set.insert(b"0", 0.0, limits, &Epochs::new());
        set.insert(b"a", 0.0, limits, &Epochs::new());
        assert_eq!(set.score(b"a").unwrap().is_sign_negative(), negative);
        assert_eq!(set.rank(b"a"), Some((1, 0.0)));
    }
}

#[test]
fn scan_returns_who_stays_however_scores_change() {
    let mut set = SortedSet::default();
    for number in 0..300_u16 {
        set.insert(&number.to_be_bytes(), f64::from(number % 4), LARGE, &Epochs::new());
    }
    let (mut seen, mut cursor, mut turn) = (BTreeMap::new(), 0, 0_u16);
    loop {
        cursor = set.scan(cursor, 5, &mut |element| {
            *seen.entry(element.member.to_vec()).or_insert(0) += 1;
        });
        if cursor == 0 {
            break;
        }
        for number in 0..300_u16 {
            set.insert(
                &number.to_be_bytes(),
                f64::from((number + turn) % 7),
                LARGE,
                &Epochs::new(),
            );
        }
        turn += 1;
    }
    assert_eq!(seen.len(), 300);
    assert!(seen.values().all(|times| *times == 1));
}

fn large_of(set: &SortedSet) -> &Large {
    let Form::Large(large) = &set.0 else { panic!("it is large") };
    large
}

/// A queue: the lowest or highest go, others come, some to where others went.
#[test]
fn pairs_of_popped_elements_are_swept_up() {
    let (mut set, mut model) = (SortedSet::default(), Model::default());
    let mut rng = fastrand::Rng::with_seed(7);
    let put = |set: &mut SortedSet, model: &mut Model, number: u16, score: f64| {
        set.insert(&number.to_be_bytes(), score, LARGE, &Epochs::new());
        model.0.insert(number.to_be_bytes().to_vec(), score);
    };
    for number in 0..600 {
        put(&mut set, &mut model, number, f64::from(number));
    }
    for turn in 0..3000_u16 {
        let all = model.sorted();
        let (end, expected) =
            if turn % 5 == 4 { (End::Back, all.last()) } else { (End::Front, all.first()) };
        assert_eq!(set.pop(end, owned).as_ref(), expected);
        expected.map(|(_, member)| model.0.remove(member));
        // The same members come again, with the same scores at times.
        let number = rng.u16(0..700);
        let score = if turn % 3 == 0 { number } else { rng.u16(0..600 + turn) };
        put(&mut set, &mut model, number, f64::from(score));
        let left = large_of(&set).pairs_left();
        assert!(left <= set.len() / 2, "{left} pairs of {}", set.len());
        if turn % 100 == 0 {
            compare(&set, &model);
        }
    }
    while let Some((_, member)) = model.sorted().first() {
        let popped = set.pop(End::Front, owned);
        assert_eq!(popped.as_ref().map(|(_, member)| member), Some(member));
        model.0.remove(member);
    }
    assert!(set.is_empty());
}
