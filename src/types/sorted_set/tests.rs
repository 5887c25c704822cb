//! Against a sorted vector, in every form and across each threshold. Leaves and runs are short
//! here, so that a few hundred elements make a deep tree.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const SMALL: PackLimits = PackLimits { entries: usize::MAX, value: usize::MAX };
const MIXED: PackLimits = PackLimits { entries: 8, value: 12 };
const LARGE: PackLimits = PackLimits { entries: 0, value: 0 };

/// Scores and members as they should be.
#[derive(Clone, Debug, Default)]
struct Model(BTreeMap<Vec<u8>, f64>);

impl Model {
    fn sorted(&self) -> Vec<(f64, Vec<u8>)> {
        let mut all: Vec<_> =
            self.0.iter().map(|(member, score)| (*score, member.clone())).collect();
        all.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap().then_with(|| a.1.cmp(&b.1)));
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
        2 => (any::<bool>(), 1_usize..4).prop_map(|(front, count)| Op::Pop(front, count)),
        1 => (0_u16..60, 0_u16..40).prop_map(|(from, count)| Op::RemoveRange(from, count)),
        1 => (score(), score()).prop_map(|(min, max)| Op::RemoveScores(min, max)),
        1 => Just(Op::Settle),
        1 => Just(Op::Clone),
    ]
}

fn name(number: u16) -> Vec<u8> {
    match number % 3 {
        0 => number.to_string().into_bytes(),
        1 => format!("member:{number}").into_bytes(),
        _ => format!("a much longer member, number {number}").into_bytes(),
    }
}

fn run_ops(ops: Vec<Op>, limits: PackLimits) {
    let (mut set, mut model) = (SortedSet::default(), Model::default());
    let mut kept: Option<(SortedSet, Model)> = None;
    for op in ops {
        match op {
            Op::Put(member, score) => {
                let member = name(member);
                let old = set.update(&member, limits, &Epochs::new(), |_| Some(score));
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
            Op::Clone => {
                if let Some((set, model)) = &kept {
                    compare(set, model);
                }
                kept = Some((set.clone(), model.clone()));
            }
        }
        assert_eq!(set.len(), model.0.len());
    }
    compare(&set, &model);
    if let Some((set, model)) = &kept {
        compare(set, model);
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
