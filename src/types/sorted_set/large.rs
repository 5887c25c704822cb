//! A sorted set beyond one listpack: the tree of scores and, from some size on, the index.

#![allow(clippy::float_cmp, reason = "no score is NaN, and equal ones are told by member")]

use super::index::{self, Index, Pair, RUN_TRIED_MAX};
use super::iter::Iter;
use super::run::{Element, Run};
use super::{Cut, Scored};
use crate::base::hash::KeyHasher;
use crate::structures::cow_tree::{CowTree, End, Leaf};
use crate::structures::listpack::Item;
use crate::structures::relocation::Mover;
use std::cell::Cell;
use std::ops::Range;

/// Up to so many elements are searched by their tags: about 100 ns, and 13 bytes an element spared.
const UNINDEXED_MAX: usize = if cfg!(test) { 12 } else { 256 };
/// With less, an index is given up.
const INDEXED_MIN: usize = UNINDEXED_MAX / 2;
/// What a leaf takes beside its elements: counted struct, place in the parent.
const LEAF_OVERHEAD: usize = 96;
/// Leaves looked at for an estimate of all.
const SAMPLED_LEAVES: usize = 32;

/// See the head of [`super`].
#[derive(Clone, Debug)]
pub(super) struct Large {
    tree: CowTree<Run>,
    index: Index,
    hasher: KeyHasher,
}

/// A member as it is looked for.
#[derive(Clone, Copy)]
struct Sought<'a> {
    member: &'a [u8],
    /// By which it is indexed.
    hash: u32,
    tag: u8,
}

/// What an insertion knows of its neighbours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Company {
    /// Few or none have its score.
    Little,
    /// Its score may fill the leaf and more.
    Maybe,
}

impl Large {
    pub(super) fn new(hasher: KeyHasher) -> Self {
        Self { tree: CowTree::default(), index: Index::default(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    fn sought<'a>(&self, member: &'a [u8]) -> Sought<'a> {
        let hash = u32::try_from(self.hasher.hash(member) >> 32).unwrap_or(0);
        Sought { member, hash, tag: tag_of(hash) }
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(self.sought(member))
    }

    fn find(&self, sought: Sought<'_>) -> Option<f64> {
        if self.index.is_empty() {
            let (mut leaves, _) = self.tree.leaves(0, End::Back);
            return leaves
                .find_map(|run| run.find(sought.member, sought.tag).map(|at| run.score(at)));
        }
        self.index.find(sought.hash, |score| self.has(score, sought.member))
    }

    /// Whether there is this element.
    fn has(&self, score: f64, member: &[u8]) -> bool {
        let run = self.tree.leaf_by(|key| key.is_up_to(score, member));
        run.is_some_and(|run| run.position(score, member).is_ok())
    }

    /// Rank of an element.
    fn place(&self, score: f64, member: &[u8]) -> Option<usize> {
        let (run, before) = self.tree.locate_by(|key| key.is_up_to(score, member))?;
        run.position(score, member).ok().map(|at| before + at)
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        if self.index.is_empty() {
            let sought = self.sought(member);
            let mut before = 0;
            for run in self.tree.leaves(0, End::Back).0 {
                if let Some(at) = run.find(member, sought.tag) {
                    return Some((before + at, run.score(at)));
                }
                before += run.len();
            }
            return None;
        }
        // What makes sure of the element tells its rank as well.
        let rank = Cell::new(None);
        let score = self.index.find(self.sought(member).hash, |score| {
            rank.set(self.place(score, member));
            rank.get().is_some()
        })?;
        Some((rank.get()?, score))
    }

    /// Number of elements before a cut.
    pub(super) fn rank_at(&self, cut: Cut<'_>) -> usize {
        if matches!(cut, Cut::End) {
            return self.len();
        }
        let found = self.tree.locate_by(|key| cut.is_behind(key.score, key.member()));
        found.map_or(0, |(run, before)| before + run.rank_at(cut))
    }

    pub(super) fn iter_from(&self, rank: usize, towards: End) -> Iter<'_> {
        let (leaves, within) = self.tree.leaves(rank, towards);
        Iter::of_leaves(leaves, within, towards, rank < self.len())
    }

    pub(super) fn update(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Option<f64> {
        let sought = self.sought(member);
        let old = self.find(sought);
        if let Some(score) = decide(old) {
            match old {
                Some(old) if old == score => {}
                Some(old) => self.rescore(sought, old, score),
                None => self.add(sought, score),
            }
        }
        old
    }

    fn add(&mut self, sought: Sought<'_>, score: f64) {
        let company = self.plant(sought, score);
        if !self.index.is_empty() {
            self.index.insert(sought.hash, score);
            self.keep_name(sought, score, company);
        } else if self.len() > UNINDEXED_MAX {
            self.build_index();
        }
    }

    fn rescore(&mut self, sought: Sought<'_>, old: f64, score: f64) {
        let Sought { member, .. } = sought;
        let is_moved = self.tree.edit_by(
            |key| key.is_up_to(old, member),
            (),
            |run, _| {
                let Ok(at) = run.position(old, member) else { return false };
                let stays = run.rescore(at, score);
                if !stays {
                    run.remove(at..at + 1);
                }
                stays
            },
        );
        let company = match is_moved {
            Some(true) => Company::Maybe,
            _ => self.plant(sought, score),
        };
        if !self.index.is_empty() {
            self.index.rescore(sought.hash, old, score);
            self.keep_name(sought, score, company);
        }
    }

    /// Puts an element into the tree.
    fn plant(&mut self, sought: Sought<'_>, score: f64) -> Company {
        let Sought { member, tag, .. } = sought;
        let element = Element { score, member, tag };
        let put = |run: &mut Run, after: &mut Vec<Run>| {
            let at = run.position(score, member).unwrap_or_else(|at| at);
            let len = run.len();
            let is_surrounded = at == len || run.score(0) == score || run.score(len - 1) == score;
            run.insert(at, element, after);
            if is_surrounded { Company::Maybe } else { Company::Little }
        };
        let planted = self.tree.edit_by(|key| key.is_up_to(score, member), (), put);
        planted.unwrap_or_else(|| {
            self.tree.push(Run::of(element), End::Back);
            Company::Little
        })
    }

    /// Upholds the index's invariant 2 after one more element has got a score.
    fn keep_name(&mut self, sought: Sought<'_>, score: f64, company: Company) {
        if company == Company::Little {
            return;
        }
        let run = self.run_of(score);
        if run.len() <= RUN_TRIED_MAX {
            return;
        }
        if run.len() == RUN_TRIED_MAX + 1 {
            self.name_all(run);
        } else {
            self.index.name(sought.hash, sought.member);
        }
    }

    /// Ranks of the elements with a score.
    fn run_of(&self, score: f64) -> Range<usize> {
        self.rank_at(Cut::BeforeScore(score))..self.rank_at(Cut::AfterScore(score))
    }

    fn name_all(&mut self, run: Range<usize>) {
        let tree = self.tree.clone();
        let (leaves, within) = tree.leaves(run.start, End::Back);
        let all = leaves.flat_map(|leaf| (0..leaf.len()).map(move |at| leaf.member(at)));
        for member in all.skip(within).take(run.len()) {
            let sought = self.sought(member);
            self.index.name(sought.hash, member);
        }
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let sought = self.sought(member);
        let score = self.find(sought)?;
        self.tree.edit_by(
            |key| key.is_up_to(score, member),
            (),
            |run, _| {
                if let Ok(at) = run.position(score, member) {
                    run.remove(at..at + 1);
                }
            },
        );
        self.unindex(sought, score);
        Some(score)
    }

    pub(super) fn pop<R>(&mut self, end: End, show: impl FnOnce(Scored<'_>) -> R) -> Option<R> {
        let at = match end {
            End::Front => 0,
            End::Back => self.len().checked_sub(1)?,
        };
        let (run, at_run) = self.tree.locate(at)?;
        let (score, member) = (run.score(at_run), run.member(at_run));
        let sought = self.sought(member);
        let (hash, shown) = (sought.hash, show(Scored { member: Item::Bytes(member), score }));
        if self.index.has_names() {
            let member = member.to_vec();
            self.index.unname(hash, &member);
        }
        self.tree.edit(at, (), |run, at, _| run.remove(at..at + 1));
        self.forget_pair(hash, score);
        Some(shown)
    }

    fn unindex(&mut self, sought: Sought<'_>, score: f64) {
        self.index.unname(sought.hash, sought.member);
        self.forget_pair(sought.hash, score);
    }

    fn forget_pair(&mut self, hash: u32, score: f64) {
        if self.index.is_empty() {
            return;
        }
        if self.len() < INDEXED_MIN {
            self.index = Index::default();
        } else {
            self.index.remove(hash, score);
        }
    }

    /// Removes the elements of these ranks.
    pub(super) fn remove_range(&mut self, range: Range<usize>) {
        let gone = self.tree.cut_out(range.start, range.len(), ());
        if self.index.is_empty() {
            return;
        }
        if self.len() < INDEXED_MIN {
            self.index = Index::default();
        } else if gone.len() > self.len() {
            self.build_index();
        } else {
            for run in gone.leaves(0, End::Back).0 {
                for at in 0..run.len() {
                    self.unindex(self.sought(run.member(at)), run.score(at));
                }
            }
        }
    }

    fn build_index(&mut self) {
        let mut pairs: Vec<Pair> = Vec::with_capacity(self.len());
        let (mut equal, mut crowded, mut last) = (0, Vec::new(), f64::NAN);
        for run in self.tree.leaves(0, End::Back).0 {
            for at in 0..run.len() {
                let score = run.score(at);
                pairs.push(index::pair(self.sought(run.member(at)).hash, score));
                let is_equal = score == last;
                (equal, last) = (if is_equal { equal + 1 } else { 1 }, score);
                if equal == RUN_TRIED_MAX + 1 {
                    crowded.push(score);
                }
            }
        }
        self.index = Index::build(pairs);
        for score in crowded {
            self.name_all(self.run_of(score));
        }
    }

    /// Visits some elements in the order of hashes; the cursor is the next hash.
    pub(super) fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(Scored<'_>)) -> u64 {
        let Ok(from) = u32::try_from(cursor) else { return 0 };
        if self.index.is_empty() {
            for element in self.iter_from(0, End::Back) {
                if let Item::Bytes(member) = element.member
                    && self.sought(member).hash >= from
                {
                    visit(element);
                }
            }
            return 0;
        }
        let (mut visited, mut last) = (0, None);
        for (hash, score) in self.index.from(from) {
            if last.is_some_and(|(last, _)| last != hash) && visited >= count {
                return u64::from(hash);
            }
            if last != Some((hash, score.to_bits())) {
                visited += self.visit_pair(hash, score, visit);
            }
            last = Some((hash, score.to_bits()));
        }
        0
    }

    /// Visits all elements with this hash and score; says how many.
    fn visit_pair(&self, hash: u32, score: f64, visit: &mut dyn FnMut(Scored<'_>)) -> usize {
        let mut visited = 0;
        let mut show = |member| {
            visited += 1;
            visit(Scored { member: Item::Bytes(member), score });
        };
        let run = self.run_of(score);
        if run.len() > RUN_TRIED_MAX {
            let named = self.index.named(hash);
            named.filter(|member| self.has(score, member)).for_each(&mut show);
            return visited;
        }
        // The score's own bits: elements of score 0 may have different signs.
        let (leaves, within) = self.tree.leaves(run.start, End::Back);
        let all = leaves.flat_map(|leaf| (0..leaf.len()).map(move |at| (leaf, at)));
        for (leaf, at) in all.skip(within).take(run.len()) {
            let is_candidate =
                leaf.tag(at) == tag_of(hash) && leaf.score(at).to_bits() == score.to_bits();
            if is_candidate && self.sought(leaf.member(at)).hash == hash {
                show(leaf.member(at));
            }
        }
        visited
    }

    pub(super) fn memory_bytes(&self, samples: usize) -> usize {
        let tree = tree_bytes(&self.tree, samples, Run::heap_bytes);
        size_of::<Self>() + tree + self.index.memory_bytes(samples)
    }

    pub(super) fn relocate(&mut self, mover: &mut Mover<'_>) {
        mover.tree(&mut self.tree);
        self.index.relocate(mover);
    }

    pub(super) fn free_effort(&self) -> usize {
        2 * (self.tree.leaves_estimated() + self.index.leaves())
    }
}

fn tag_of(hash: u32) -> u8 {
    hash.to_le_bytes()[0]
}

/// Bytes of a tree, about: of all leaves for 0 `samples`, else of some.
pub(super) fn tree_bytes<L: Leaf>(
    tree: &CowTree<L>,
    samples: usize,
    heap_bytes: impl Fn(&L) -> usize,
) -> usize {
    let (leaves, _) = tree.leaves(0, End::Back);
    if samples == 0 {
        return leaves.map(|leaf| heap_bytes(leaf) + LEAF_OVERHEAD).sum();
    }
    let (mut bytes, mut elements) = (0, 0);
    for leaf in leaves.take(SAMPLED_LEAVES) {
        bytes += heap_bytes(leaf) + LEAF_OVERHEAD;
        elements += leaf.weight();
    }
    (bytes * tree.len()).checked_div(elements).unwrap_or(0)
}
