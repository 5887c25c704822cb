//! A sorted set beyond one listpack: the tree of scores and, from some size on, the index.

#![allow(clippy::float_cmp, reason = "no score is NaN, and equal ones are told by member")]

use super::index::{self, Index, Pair, Place, RUN_TRIED_MAX};
use super::iter::Iter;
use super::popped::Popped;
use super::run::{Element, Run};
use super::{Cut, Scored};
use crate::base::hash::KeyHasher;
use crate::structures::cow_tree::{CowTree, End, Leaf, Path};
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
    popped: Popped,
}

/// A member as it is looked for.
#[derive(Clone, Copy)]
struct Sought<'a> {
    member: &'a [u8],
    /// By which it is indexed.
    hash: u32,
    tag: u8,
}

/// An element that was found: until the set is changed.
#[derive(Clone, Copy)]
struct Found {
    score: f64,
    /// Its leaf in the tree, and the number there.
    leaf: Path,
    at: usize,
    /// Its pair in the index, if at hand.
    pair: Option<Place>,
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
        let (tree, index) = (CowTree::default(), Index::default());
        Self { tree, index, hasher, popped: Popped::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    fn sought<'a>(&self, member: &'a [u8]) -> Sought<'a> {
        let hash = hash_of(&self.hasher, member);
        Sought { member, hash, tag: tag_of(hash) }
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(self.sought(member)).map(|found| found.score)
    }

    fn find(&self, sought: Sought<'_>) -> Option<Found> {
        let Sought { member, tag, hash } = sought;
        if self.index.is_empty() {
            let (mut leaves, _) = self.tree.leaves(0, End::Back);
            let score = leaves.find_map(|run| run.find(member, tag).map(|at| run.score(at)))?;
            let (leaf, at) = self.leaf_of(score, member)?;
            return Some(Found { score, leaf, at, pair: None });
        }
        let place = Cell::new(None);
        let (score, pair) = self.index.find(hash, |score| {
            place.set(self.leaf_of(score, member));
            place.get().is_some()
        })?;
        place.get().map(|(leaf, at)| Found { score, leaf, at, pair })
    }

    /// Where in the tree an element is; its score may be a zero, but of this sign.
    fn leaf_of(&self, score: f64, member: &[u8]) -> Option<(Path, usize)> {
        let to = self.tree.leaf_by(|key| key.is_up_to(score, member))?;
        let at = to.leaf.position(score, member).ok()?;
        (to.leaf.score(at).to_bits() == score.to_bits()).then_some((to.path, at))
    }

    /// Whether there is this element.
    fn has(&self, score: f64, member: &[u8]) -> bool {
        self.leaf_of(score, member).is_some()
    }

    /// Rank of an element.
    fn place(&self, score: f64, member: &[u8]) -> Option<usize> {
        let (run, before) = self.tree.locate_by(|key| key.is_up_to(score, member))?;
        let at = run.position(score, member).ok()?;
        (run.score(at).to_bits() == score.to_bits()).then_some(before + at)
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
        let (score, _) = self.index.find(self.sought(member).hash, |score| {
            rank.set(self.place(score, member));
            rank.get().is_some()
        })?;
        Some((rank.get()?, score))
    }

    /// Number of elements before a cut.
    pub(super) fn rank_at(&self, cut: Cut<'_>) -> usize {
        rank_at(&self.tree, cut)
    }

    pub(super) fn iter_from(&self, rank: usize, towards: End) -> Iter<'_> {
        let (leaves, within) = self.tree.leaves(rank, towards);
        Iter::of_leaves(leaves, within, towards, rank < self.len())
    }

    /// See [`super::SortedSet::update`].
    pub(super) fn update(
        &mut self,
        member: &[u8],
        likely: Option<f64>,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Option<f64> {
        let sought = self.sought(member);
        let aimed = likely.and_then(|score| self.aim(score, member));
        let found = self.find(sought);
        let old = found.map(|found| found.score);
        if let Some(score) = decide(old) {
            match found {
                Some(found) if found.score == score => {}
                Some(found) => self.rescore(sought, found, score, aimed),
                None => self.add(sought, score, aimed),
            }
        }
        old
    }

    /// Where an element would come. What is there is loaded while the element's present place is
    /// looked up: neither search waits for the other.
    #[inline]
    fn aim(&self, score: f64, member: &[u8]) -> Option<Path> {
        let to = self.tree.leaf_by(|key| key.is_up_to(score, member))?;
        to.leaf.prefetch();
        Some(to.path)
    }

    fn add(&mut self, sought: Sought<'_>, score: f64, aimed: Option<Path>) {
        let company = self.plant(sought, score, aimed);
        if !self.index.is_empty() {
            self.index.insert(sought.hash, score);
            self.keep_name(sought, score, company);
        } else if self.len() > UNINDEXED_MAX {
            self.build_index();
        }
    }

    fn rescore(&mut self, sought: Sought<'_>, found: Found, score: f64, aimed: Option<Path>) {
        let Found { leaf, at, .. } = found;
        let is_moved = self.tree.edit_along(leaf, (), |run, _| {
            let stays = run.rescore(at, score);
            if !stays {
                run.remove(at..at + 1);
            }
            stays
        });
        let company = match is_moved {
            Some(true) => Company::Maybe,
            _ => self.plant(sought, score, aimed),
        };
        if !self.index.is_empty() {
            self.index.rescore(sought.hash, found.score, found.pair, score);
            self.keep_name(sought, score, company);
        }
    }

    /// Puts an element into the tree; `aimed` leads to its leaf, or did before the last change.
    fn plant(&mut self, sought: Sought<'_>, score: f64, aimed: Option<Path>) -> Company {
        let Sought { member, tag, .. } = sought;
        let element = Element { score, member, tag };
        let put = |run: &mut Run, after: &mut Vec<Run>| {
            let at = run.position(score, member).unwrap_or_else(|at| at);
            let len = run.len();
            let is_at_edge = at == len || run.score(0) == score || run.score(len - 1) == score;
            run.insert(at, element, after);
            if is_at_edge { Company::Maybe } else { Company::Little }
        };
        // A change may have led the path astray: the leaf itself tells.
        if let Some(path) = aimed
            && self.tree.leaf_where(path).is_some_and(|run| run.surrounds(score))
            && let Some(company) = self.tree.edit_along(path, (), put)
        {
            return company;
        }
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
        run_of(&self.tree, score)
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
        let Found { score, leaf, at, pair } = self.find(sought)?;
        self.tree.edit_along(leaf, (), |run, _| run.remove(at..at + 1));
        self.unindex(sought, score, pair);
        Some(score)
    }

    pub(super) fn pop<R>(&mut self, end: End, show: impl FnOnce(Scored<'_>) -> R) -> Option<R> {
        let Self { tree, index, hasher, .. } = self;
        let (has_names, is_indexed) = (index.has_names(), !index.is_empty());
        let popped = tree.edit_end(end, (), |run, _| {
            let at = if end == End::Front { 0 } else { run.len() - 1 };
            let (score, member) = (run.score(at), run.member(at));
            let name = has_names.then(|| member.to_vec());
            let shown = show(Scored { member: Item::Bytes(member), score });
            let next = if end == End::Front { 1 } else { run.len().wrapping_sub(2) };
            let is_last = next < run.len() && run.score(next) != score;
            let hash = (is_indexed && !is_last).then(|| hash_of(hasher, member));
            run.remove(at..at + 1);
            (score, name, hash, shown)
        });
        let (score, name, hash, shown) = popped?;
        if let Some(member) = name {
            let hash = self.sought(&member).hash;
            self.index.unname(hash, &member);
        }
        match hash {
            Some(hash) => self.forget_pair(hash, score, None),
            None => self.leave_pair(end, score),
        }
        Some(shown)
    }

    fn unindex(&mut self, sought: Sought<'_>, score: f64, pair: Option<Place>) {
        self.index.unname(sought.hash, sought.member);
        self.forget_pair(sought.hash, score, pair);
    }

    fn forget_pair(&mut self, hash: u32, score: f64, pair: Option<Place>) {
        if !self.is_indexless() {
            self.index.remove(hash, score, pair);
        }
    }

    /// Whether there is no index, or no longer.
    fn is_indexless(&mut self) -> bool {
        if !self.index.is_empty() && self.len() < INDEXED_MIN {
            self.index = Index::default();
            self.popped = Popped::default();
        }
        self.index.is_empty()
    }

    /// Takes note that the pair of the last element with a score at one end leads nowhere now, and
    /// sweeps up some others if there are many.
    fn leave_pair(&mut self, end: End, score: f64) {
        if self.is_indexless() {
            return;
        }
        self.popped.note(end, score);
        let left = self.index.len().saturating_sub(self.len());
        let Some(from) = self.popped.sweeping(left, self.len()) else {
            return;
        };
        // Other fields than the index, which is being changed.
        let Self { tree, index, hasher, popped } = self;
        let outer = |end| {
            tree.leaf(end)
                .map(|run: &Run| run.score(if end == End::Front { 0 } else { run.len() - 1 }))
        };
        let range = outer(End::Front).zip(outer(End::Back));
        let next = index.sweep(from, |hash, score| {
            if popped.is_beyond(score) {
                return usize::MAX;
            }
            match range {
                Some((low, high)) if low <= score && score <= high => {
                    candidates(tree, hasher, hash, score).count()
                }
                _ => 0,
            }
        });
        popped.swept(next);
    }

    /// Removes the elements of these ranks.
    pub(super) fn remove_range(&mut self, range: Range<usize>) {
        let gone = self.tree.cut_out(range.start, range.len(), ());
        if self.is_indexless() {
            return;
        }
        if gone.len() > self.len() {
            self.build_index();
        } else {
            for run in gone.leaves(0, End::Back).0 {
                for at in 0..run.len() {
                    self.unindex(self.sought(run.member(at)), run.score(at), None);
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
        self.popped = Popped::default();
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
        candidates(&self.tree, &self.hasher, hash, score).for_each(show);
        visited
    }

    /// Pairs that lead to no element.
    #[cfg(test)]
    pub(super) fn pairs_left(&self) -> usize {
        self.index.len().saturating_sub(self.len())
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

/// By which a member is indexed.
fn hash_of(hasher: &KeyHasher, member: &[u8]) -> u32 {
    u32::try_from(hasher.hash(member) >> 32).unwrap_or(0)
}

/// Number of elements before a cut.
fn rank_at(tree: &CowTree<Run>, cut: Cut<'_>) -> usize {
    if matches!(cut, Cut::End) {
        return tree.len();
    }
    let found = tree.locate_by(|key| cut.is_behind(key.score, key.member()));
    found.map_or(0, |(run, before)| before + run.rank_at(cut))
}

/// Ranks of the elements with a score.
fn run_of(tree: &CowTree<Run>, score: f64) -> Range<usize> {
    rank_at(tree, Cut::BeforeScore(score))..rank_at(tree, Cut::AfterScore(score))
}

/// Members with this hash and score, found by trying all with the score.
fn candidates<'a>(
    tree: &'a CowTree<Run>,
    hasher: &KeyHasher,
    hash: u32,
    score: f64,
) -> impl Iterator<Item = &'a [u8]> {
    let run = run_of(tree, score);
    let (leaves, within) = tree.leaves(run.start, End::Back);
    let all = leaves.flat_map(|leaf| (0..leaf.len()).map(move |at| (leaf, at)));
    // The score's own bits: elements of score 0 may have different signs.
    all.skip(within)
        .take(run.len())
        .filter(move |(leaf, at)| {
            leaf.tag(*at) == tag_of(hash) && leaf.score(*at).to_bits() == score.to_bits()
        })
        .map(|(leaf, at)| leaf.member(at))
        .filter(move |member| hash_of(hasher, member) == hash)
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
