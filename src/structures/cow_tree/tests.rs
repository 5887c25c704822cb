//! The tree against a plain vector, with snapshots kept along the way.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::structures::relocation::{Relocated, address_of};
use proptest::prelude::*;

/// A few words in order; how many is the limit.
#[derive(Clone, Debug, Default, PartialEq)]
struct Words(Vec<u32>);

impl Leaf for Words {
    type Key = u32;
    type Limits = usize;
    fn weight(&self) -> usize {
        self.0.len()
    }
    fn key(&self) -> u32 {
        self.0[0]
    }
    fn split_off(&mut self, offset: usize) -> Self {
        Self(self.0.split_off(offset))
    }
    fn is_sparse(&self, limit: usize) -> bool {
        self.0.len() < limit / 3
    }
    fn fits_with(&self, right: &Self, limit: usize) -> bool {
        self.0.len() + right.0.len() <= limit * 3 / 4
    }
    fn absorb(&mut self, right: &Self) {
        self.0.extend(&right.0);
    }
    fn address(&self) -> usize {
        address_of(&*self.0)
    }
    fn can_share(&self, middle: &Self, right: &Self) -> bool {
        // What each gets is below any limit here.
        self.0.len() + middle.0.len() + right.0.len() <= 6
    }
    fn share(&mut self, middle: &Self, right: &mut Self) -> bool {
        let all = [&self.0[..], &middle.0, &right.0].concat();
        let (left, rest) = all.split_at(all.len() / 2);
        (self.0, right.0) = (left.to_vec(), rest.to_vec());
        true
    }
}

type Tree = CowTree<Words>;

/// Checks the invariants below `link` and gives its leaves' words.
fn words_below(link: &Link<Words>, height: usize, out: &mut Vec<u32>) {
    let from = out.len();
    match &link.node {
        Node::Leaf(leaf) => {
            assert_eq!(height, 0);
            out.extend(&leaf.0);
        }
        Node::Inner(inner) => {
            assert!((1..=FANOUT).contains(&inner.len()));
            for child in inner.as_ref().clone().into_links() {
                words_below(&child, height - 1, out);
            }
        }
    }
    assert!(link.weight > 0);
    assert_eq!(link.weight, out.len() - from);
    assert_eq!(link.key, out[from]);
}

fn words(tree: &Tree) -> Vec<u32> {
    let mut out = Vec::new();
    match &tree.root {
        Some(root) => {
            words_below(root, tree.height, &mut out);
            if let Node::Inner(inner) = &root.node {
                assert!(inner.len() > 1);
            }
        }
        None => assert_eq!(tree.height, 0),
    }
    assert_eq!(tree.len(), out.len());
    out
}

#[track_caller]
fn check(tree: &Tree, model: &[u32]) {
    assert_eq!(words(tree), model);
    for at in [0, 1, model.len() / 3, model.len().saturating_sub(1), model.len()] {
        let found = tree.locate(at).map(|(leaf, offset)| leaf.0[offset]);
        assert_eq!(found, model.get(at).copied());
        let (leaves, offset) = tree.leaves(at, End::Back);
        let forward: Vec<u32> =
            leaves.flat_map(|leaf| leaf.0.iter().copied()).skip(offset).collect();
        assert_eq!(forward, model.get(at..).unwrap_or_default());
        let (mut leaves, offset) = tree.leaves(at, End::Front);
        let mut backward = Vec::new();
        if at < model.len() {
            backward.extend(leaves.next().unwrap().0[..=offset].iter().rev());
        }
        backward.extend(leaves.flat_map(|leaf| leaf.0.iter().rev().copied()));
        backward.reverse();
        assert_eq!(backward, model[..model.len().min(at + 1)]);
    }
    assert_eq!(tree.leaf(End::Front).map(|leaf| leaf.0[0]), model.first().copied());
    assert_eq!(tree.leaf(End::Back).map(|leaf| *leaf.0.last().unwrap()), model.last().copied());
}

fn insert(tree: &mut Tree, at: usize, word: u32, limit: usize) {
    let done = tree.edit(at, limit, |leaf, offset, after| {
        leaf.0.insert(offset, word);
        if leaf.0.len() > limit {
            after.push(leaf.split_off(limit / 2));
        }
    });
    if done.is_none() {
        tree.push(Words(vec![word]), End::Back);
    }
}

fn remove(tree: &mut Tree, at: usize, limit: usize) -> u32 {
    tree.edit(at, limit, |leaf, offset, _| leaf.0.remove(offset)).unwrap()
}

#[derive(Clone, Debug)]
enum Op {
    Insert(usize, u8),
    Remove(usize, u8),
    Push(bool, u8),
    Pop(bool),
    Scatter(usize, u8),
    Rotate(usize),
    CutOut(usize, usize),
    Clone,
    Swap,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (any::<usize>(), 1..80_u8).prop_map(|(at, count)| Op::Insert(at, count)),
        3 => (any::<usize>(), 1..60_u8).prop_map(|(at, count)| Op::Remove(at, count)),
        3 => (any::<bool>(), 1..90_u8).prop_map(|(front, count)| Op::Push(front, count)),
        2 => any::<bool>().prop_map(Op::Pop),
        1 => (any::<usize>(), 1..200_u8).prop_map(|(at, count)| Op::Scatter(at, count)),
        1 => any::<usize>().prop_map(Op::Rotate),
        1 => (any::<usize>(), 0..300_usize).prop_map(|(at, count)| Op::CutOut(at, count)),
        1 => Just(Op::Clone),
        1 => Just(Op::Swap),
    ]
}

struct Run {
    tree: Tree,
    model: Vec<u32>,
    next: u32,
    limit: usize,
}

impl Run {
    fn word(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn apply(&mut self, op: &Op) {
        let len = self.model.len();
        match *op {
            Op::Insert(at, count) => {
                let at = at % (len + 1);
                for _ in 0..count {
                    let word = self.word();
                    insert(&mut self.tree, at, word, self.limit);
                    self.model.insert(at, word);
                }
            }
            Op::Remove(at, count) => {
                for _ in 0..count {
                    if self.model.is_empty() {
                        break;
                    }
                    let at = at % self.model.len();
                    assert_eq!(remove(&mut self.tree, at, self.limit), self.model.remove(at));
                }
            }
            Op::Push(front, count) => {
                for _ in 0..count {
                    let pushed = vec![self.word(), self.word()];
                    let at = if front { 0 } else { self.model.len() };
                    self.model.splice(at..at, pushed.iter().copied());
                    self.tree.push(Words(pushed), if front { End::Front } else { End::Back });
                }
            }
            Op::Pop(front) => {
                let end = if front { End::Front } else { End::Back };
                let popped = self.tree.pop(end).unwrap_or_default().0;
                let range = if front { 0..popped.len() } else { len - popped.len()..len };
                assert_eq!(self.model.drain(range).collect::<Vec<_>>(), popped);
                assert!(len == 0 || !popped.is_empty());
            }
            Op::Scatter(at, count) => {
                let at = at % (len + 1);
                let added: Vec<u32> = (0..count).map(|_| self.word()).collect();
                let done = self.tree.edit(at, self.limit, |leaf, offset, after| {
                    let rest = leaf.split_off(offset);
                    after.extend(added.iter().map(|word| Words(vec![*word])));
                    after.push(rest);
                });
                if done.is_some() {
                    self.model.splice(at..at, added);
                }
            }
            Op::Rotate(at) => {
                let at = at % (len + 1);
                let mut right = self.tree.split_off(at);
                check(&right, &self.model[at..]);
                check(&self.tree, &self.model[..at]);
                right.append(std::mem::take(&mut self.tree));
                self.tree = right;
                self.model.rotate_left(at);
            }
            Op::CutOut(at, count) => {
                let at = at % (len + 1);
                let count = count.min(len - at);
                let removed = self.tree.cut_out(at, count, self.limit);
                check(&removed, &self.model.drain(at..at + count).collect::<Vec<_>>());
            }
            Op::Clone | Op::Swap => {}
        }
    }
}

/// `usual`, or `slow` under Miri, which takes a thousand times as long.
const fn sized(usual: usize, slow: usize) -> usize {
    if cfg!(miri) { slow } else { usual }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]
    #[test]
    fn agrees_with_vec(ops in prop::collection::vec(op(), 0..sized(40, 12)), limit in 3..9_usize) {
        let mut run = Run { tree: Tree::default(), model: Vec::new(), next: 0, limit };
        let (mut other, mut other_model) = (Tree::default(), Vec::new());
        for op in ops {
            match op {
                Op::Clone => (other, other_model) = (run.tree.clone(), run.model.clone()),
                Op::Swap => {
                    std::mem::swap(&mut other, &mut run.tree);
                    std::mem::swap(&mut other_model, &mut run.model);
                }
                op => run.apply(&op),
            }
            check(&run.tree, &run.model);
            check(&other, &other_model);
        }
    }

    #[test]
    fn partitions_are_those_of_slices(words in prop::collection::btree_set(0..100_u32, 0..70), sought in 0..100_u32) {
        let words: Vec<u32> = words.into_iter().collect();
        let expected = words.partition_point(|word| *word < sought);
        prop_assert_eq!(partition_point(&words, |word| *word < sought), expected);
    }

    #[test]
    fn keys_find_what_positions_find(words in prop::collection::btree_set(0..10_000_u32, 1..sized(600, 100))) {
        let mut tree = Tree::default();
        for word in words.iter().rev().step_by(2).chain(words.iter().rev().skip(1).step_by(2)) {
            let limit = 8;
            let put = |leaf: &mut Words, after: &mut Vec<Words>| {
                let at = leaf.0.partition_point(|other| other < word);
                leaf.0.insert(at, *word);
                if leaf.0.len() > limit {
                    after.push(leaf.split_off(limit / 2));
                }
            };
            if tree.edit_by(|key| key <= word, limit, put).is_none() {
                tree.push(Words(vec![*word]), End::Back);
            }
        }
        let sorted: Vec<u32> = words.into_iter().collect();
        check(&tree, &sorted);
        for sought in [0, sorted[0], sorted[sorted.len() / 2], 5_000, 9_999] {
            let (leaf, before) = tree.locate_by(|key| *key < sought).unwrap();
            let rank = before + leaf.0.partition_point(|word| *word < sought);
            prop_assert_eq!(rank, sorted.partition_point(|word| *word < sought));
        }
    }
}

#[test]
fn a_clone_shares_and_a_change_copies_the_path() {
    let mut tree = Tree::default();
    for word in 0..100_000 {
        tree.push(Words(vec![word; 4]), End::Back);
    }
    assert!(tree.height <= 3);
    assert!((90_000..=300_000).contains(&tree.leaves_estimated()));
    let clone = tree.clone();
    tree.edit(200_000, 8, |leaf, offset, _| leaf.0[offset] = 7);
    assert_eq!(clone.locate(200_000).unwrap().0.0[0], 50_000);
    assert_eq!(tree.locate(200_000).unwrap().0.0[0], 7);
    let (old, new) = (clone.leaves(0, End::Back).0, tree.leaves(0, End::Back).0);
    let copied = old.zip(new).filter(|(old, new)| !std::ptr::eq(*old, *new)).count();
    assert_eq!(copied, 1);
}

#[test]
fn sequential_growth_fills_nodes() {
    for end in [End::Front, End::Back] {
        let mut tree = Tree::default();
        for word in 0..64 * 64 {
            tree.push(Words(vec![word]), end);
        }
        assert_eq!(tree.height, 2);
    }
}

#[test]
fn leaves_are_moved_unless_a_clone_shares_them() {
    let mut tree = Tree::default();
    for word in 0..10_000 {
        tree.push(Words(vec![word; 4]), End::Back);
    }
    let addresses =
        |tree: &Tree| -> Vec<usize> { tree.leaves(0, End::Back).0.map(Leaf::address).collect() };
    let move_all = |tree: &mut Tree, is_misplaced: &mut dyn FnMut(usize) -> bool| {
        let (mut done, mut at) = (Relocated::default(), 0);
        loop {
            let before = done.visited();
            at = tree.relocate(at, is_misplaced, &mut done);
            assert!(done.visited() - before <= FANOUT + 1, "a step is bounded");
            if at == 0 {
                return done;
            }
        }
    };
    let (words_before, places) = (words(&tree), addresses(&tree));
    let clone = tree.clone();
    assert_eq!(move_all(&mut tree, &mut |_| true), Relocated::default(), "a clone reads them");
    drop(clone);
    let stayed = move_all(&mut tree, &mut |_| false);
    assert!(stayed.moved == 0 && stayed.stayed >= 10_000);
    assert_eq!(addresses(&tree), places);
    let half = places.iter().copied().step_by(2).collect::<std::collections::HashSet<_>>();
    let done = move_all(&mut tree, &mut |place| half.contains(&place));
    assert_eq!(done.moved, 5000, "{done:?}");
    let moved = addresses(&tree);
    let left = moved.iter().zip(&places).filter(|(new, old)| new == old).count();
    assert_eq!(left, 5000);
    assert_eq!(words(&tree), words_before);
}
