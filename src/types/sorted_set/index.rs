//! From members to scores, where a sorted set is too large to be searched: pairs of a hash and a
//! score in the order of hashes.
//!
//! A pair doesn't hold the member, only where to look for it: hash and score lead to the element in
//! the tree of scores, which is what makes sure of it. So a member's bytes exist once, an element
//! costs 12 bytes here, and a copy of the set shares the index as it shares the rest.
//!
//! A scan by hash has to find the member of a pair. Among elements of one score it tries them all,
//! so where more than [`RUN_TRIED_MAX`] share a score the names are kept a second time, in the
//! order of hashes.
//!
//! 1. There is one pair for each element, none beside.
//! 2. If more than `RUN_TRIED_MAX` elements have a score, `names` has all of them; it may have
//!    others, but only members of the set.

use super::run::{self, Element, Run};
use crate::structures::cow_tree::{self, CowTree, End};
use crate::structures::relocation::{Mover, address_of};
use crate::structures::size_class::size_class;

/// Most elements of one score that a scan tries one after the other.
pub(super) const RUN_TRIED_MAX: usize = if cfg!(test) { 10 } else { 1024 };
/// Most pairs of a leaf.
const COUNT_MAX: usize = if cfg!(test) { 8 } else { 128 };
/// How full leaves are that are built at once.
const COUNT_BUILT: usize = COUNT_MAX * 7 / 8;

// A run beyond it doesn't fit a leaf, so that its elements see each other or the leaf's edge.
const _: () = assert!(RUN_TRIED_MAX > run::COUNT_MAX);

/// A hash, and the bits of a score, high half first: 12 bytes, aligned to 4.
pub(super) type Pair = [u32; 3];

/// See the head of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    pairs: CowTree<Pairs>,
    names: CowTree<Run>,
}

/// A leaf: pairs in order.
#[derive(Clone, Debug, Default)]
struct Pairs(Vec<Pair>);

pub(super) fn pair(hash: u32, score: f64) -> Pair {
    let bits = score.to_bits();
    [hash, u32::try_from(bits >> 32).unwrap_or(0), u32::try_from(bits & 0xffff_ffff).unwrap_or(0)]
}

fn score_of([_, high, low]: Pair) -> f64 {
    f64::from_bits(u64::from(high) << 32 | u64::from(low))
}

impl Index {
    /// The index of elements of which there are many.
    pub(super) fn build(mut pairs: Vec<Pair>) -> Self {
        pairs.sort_unstable();
        let mut index = Self::default();
        for chunk in pairs.chunks(COUNT_BUILT) {
            index.pairs.push(Pairs(chunk.to_vec()), End::Back);
        }
        index
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs from a hash on, in order.
    pub(super) fn from(&self, hash: u32) -> impl Iterator<Item = (u32, f64)> {
        let from = self.pairs.locate_by(|key| key[0] < hash);
        let at = from.map_or(0, |(leaf, before)| before + leaf.before(&[hash, 0, 0]));
        let (leaves, within) = self.pairs.leaves(at, End::Back);
        leaves.flat_map(|leaf| &leaf.0).skip(within).map(|pair| (pair[0], score_of(*pair)))
    }

    /// The first score with this hash that satisfies `is`.
    pub(super) fn find(&self, hash: u32, is: impl Fn(f64) -> bool) -> Option<f64> {
        let leaf = self.pairs.leaf_by(|key| key[0] < hash)?;
        let at = leaf.before(&[hash, 0, 0]);
        let candidates = |pairs: &[Pair]| {
            let mut equal = pairs.iter().take_while(|pair| pair[0] == hash);
            equal.find(|pair| is(score_of(**pair))).map(|pair| score_of(*pair))
        };
        let found = candidates(&leaf.0[at..]);
        if found.is_some() || leaf.0.last().is_none_or(|last| last[0] > hash) {
            return found;
        }
        // They may go on in the next leaves, or begin there.
        let rest = self.from(hash).skip(leaf.0.len() - at);
        rest.take_while(|(own, _)| *own == hash).find(|(_, score)| is(*score)).map(|found| found.1)
    }

    pub(super) fn insert(&mut self, hash: u32, score: f64) {
        let new = pair(hash, score);
        let put = |leaf: &mut Pairs, after: &mut Vec<Pairs>| leaf.insert(new, after);
        if self.pairs.edit_by(|key| *key <= new, (), put).is_none() {
            self.pairs.push(Pairs(vec![new]), End::Back);
        }
    }

    pub(super) fn remove(&mut self, hash: u32, score: f64) {
        let old = pair(hash, score);
        self.pairs.edit_by(
            |key| *key <= old,
            (),
            |leaf, _| {
                let at = leaf.before(&old);
                debug_assert_eq!(leaf.0.get(at), Some(&old), "there is a pair for each element");
                if leaf.0.get(at) == Some(&old) {
                    leaf.0.remove(at);
                    leaf.shrink();
                }
            },
        );
    }

    /// Puts another score into a pair.
    pub(super) fn rescore(&mut self, hash: u32, score: f64, other: f64) {
        let (old, new) = (pair(hash, score), pair(hash, other));
        let is_done = self.pairs.edit_by(
            |key| *key <= old,
            (),
            |leaf, _| {
                let at = leaf.before(&old);
                let follows = at > 0 && leaf.0[at - 1] <= new;
                let leads = leaf.0.get(at + 1).is_some_and(|next| new <= *next);
                if follows && leads {
                    leaf.0[at] = new;
                }
                follows && leads
            },
        );
        if is_done != Some(true) {
            self.remove(hash, score);
            self.insert(hash, other);
        }
    }

    /// Keeps the member of an element of which the scan could not find out otherwise.
    pub(super) fn name(&mut self, hash: u32, member: &[u8]) {
        let score = f64::from(hash);
        let put = |leaf: &mut Run, after: &mut Vec<Run>| {
            if let Err(at) = leaf.position(score, member) {
                leaf.insert(at, Element { score, member, tag: 0 }, after);
            }
        };
        if self.names.edit_by(|key| key.is_up_to(score, member), (), put).is_none() {
            self.names.push(Run::of(Element { score, member, tag: 0 }), End::Back);
        }
    }

    /// Whether any member is kept by name.
    pub(super) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// Forgets a member that [`Index::name`] may have kept.
    pub(super) fn unname(&mut self, hash: u32, member: &[u8]) {
        let score = f64::from(hash);
        self.names.edit_by(
            |key| key.is_up_to(score, member),
            (),
            |leaf, _| {
                if let Ok(at) = leaf.position(score, member) {
                    leaf.remove(at..at + 1);
                }
            },
        );
    }

    /// The members kept by [`Index::name`] that have this hash.
    pub(super) fn named(&self, hash: u32) -> impl Iterator<Item = &[u8]> {
        let score = f64::from(hash);
        let from = self.names.locate_by(|key| key.score < score);
        let at =
            from.map_or(0, |(leaf, before)| before + leaf.rank_at(super::Cut::BeforeScore(score)));
        let (leaves, within) = self.names.leaves(at, End::Back);
        let all = leaves.flat_map(|leaf| (0..leaf.len()).map(move |index| (leaf, index)));
        all.skip(within)
            .take_while(move |(leaf, index)| leaf.score(*index) <= score)
            .map(|(leaf, index)| leaf.member(index))
    }

    /// Moves what lies badly; see [`Mover`].
    pub(super) fn relocate(&mut self, mover: &mut Mover<'_>) {
        mover.tree(&mut self.pairs);
        mover.tree(&mut self.names);
    }

    /// Bytes allocated, about.
    pub(super) fn memory_bytes(&self, samples: usize) -> usize {
        let pairs = super::large::tree_bytes(&self.pairs, samples, |leaf| {
            leaf.0.capacity() * size_of::<Pair>()
        });
        pairs + super::large::tree_bytes(&self.names, samples, Run::heap_bytes)
    }

    /// Leaves, about.
    pub(super) fn leaves(&self) -> usize {
        self.pairs.leaves_estimated() + self.names.leaves_estimated()
    }
}

impl Pairs {
    fn before(&self, pair: &Pair) -> usize {
        cow_tree::partition_point(&self.0, |own| own < pair)
    }

    fn insert(&mut self, new: Pair, after: &mut Vec<Self>) {
        let at = self.before(&new);
        if self.0.len() < COUNT_MAX {
            self.reserve();
            self.0.insert(at, new);
            return;
        }
        let mut right = cow_tree::Leaf::split_off(self, COUNT_MAX / 2);
        match at.checked_sub(COUNT_MAX / 2) {
            Some(at) => {
                right.reserve();
                right.0.insert(at, new);
            }
            None => self.0.insert(at, new),
        }
        after.push(right);
    }

    fn reserve(&mut self) {
        let len = self.0.len();
        if len == self.0.capacity() {
            let bytes = size_class((len + 1) * size_of::<Pair>());
            self.0.reserve_exact(bytes / size_of::<Pair>() - len);
        }
    }

    fn shrink(&mut self) {
        let needed = size_class(self.0.len() * size_of::<Pair>()) / size_of::<Pair>();
        if needed + needed / 4 < self.0.capacity() {
            self.0.shrink_to(needed);
        }
    }
}

impl cow_tree::Leaf for Pairs {
    type Key = Pair;
    type Limits = ();

    fn weight(&self) -> usize {
        self.0.len()
    }

    fn key(&self) -> Pair {
        self.0.first().copied().unwrap_or_default()
    }

    fn split_off(&mut self, offset: usize) -> Self {
        let right = self.0.split_off(offset);
        self.shrink();
        Self(right)
    }

    fn is_sparse(&self, (): ()) -> bool {
        self.0.len() < COUNT_MAX / 4
    }

    fn fits_with(&self, right: &Self, (): ()) -> bool {
        self.0.len() + right.0.len() <= COUNT_MAX * 3 / 4
    }

    fn absorb(&mut self, right: &Self) {
        self.0.reserve_exact(right.0.len());
        self.0.extend_from_slice(&right.0);
    }

    fn address(&self) -> usize {
        address_of(&*self.0)
    }
}
