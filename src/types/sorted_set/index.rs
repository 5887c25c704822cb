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
//! Whoever pops elements doesn't look for their pairs, which would be what a pop costs most: they
//! are swept up later, leaf by leaf. So there may be pairs that lead to no element.
//!
//! 1. There is one pair for each element; others beside, of elements that were popped.
//! 2. If more than `RUN_TRIED_MAX` elements have a score, `names` has all of them; it may have
//!    others, but only members of the set.

use super::run::{self, Element, Run};
use crate::structures::cow_tree::{self, CowTree, Destination, End, Path};
use crate::structures::relocation::{Mover, address_of};

/// Most elements of one score that a scan tries one after the other.
pub(super) const RUN_TRIED_MAX: usize = if cfg!(test) { 10 } else { 1024 };
/// Bytes of a leaf with all that it needs to be shared: an allocator's class.
const LEAF_BYTES: usize = 2048;
/// Most pairs of a leaf.
const COUNT_MAX: usize =
    if cfg!(test) { 8 } else { (LEAF_BYTES - 2 * size_of::<u64>()) / size_of::<Pair>() };
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

/// A leaf: pairs in order. They stand in the counted struct itself, so that a search waits for
/// memory once here, and all leaves are of one size: see [`run`].
#[derive(Clone, Debug)]
struct Pairs {
    len: u32,
    all: [Pair; COUNT_MAX],
}

/// Where a pair is: as long as the index isn't changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    leaf: Path,
    at: usize,
}

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
            index.pairs.push(Pairs::of(chunk), End::Back);
        }
        index
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Number of pairs.
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Number of pairs before those with a hash.
    fn rank_of(&self, hash: u32) -> usize {
        let from = self.pairs.locate_by(|key| key[0] < hash);
        from.map_or(0, |(leaf, before)| before + leaf.before_hash(hash))
    }

    /// The pairs from a hash on, in order.
    pub(super) fn from(&self, hash: u32) -> impl Iterator<Item = (u32, f64)> {
        let (leaves, within) = self.pairs.leaves(self.rank_of(hash), End::Back);
        leaves.flat_map(Pairs::pairs).skip(within).map(|pair| (pair[0], score_of(*pair)))
    }

    /// The first score with this hash that satisfies `is`, and where that pair is, if at hand.
    pub(super) fn find(&self, hash: u32, is: impl Fn(f64) -> bool) -> Option<(f64, Option<Place>)> {
        let Destination { leaf, path, key, next } = self.pairs.leaf_by(|key| key[0] < hash)?;
        let from = leaf.before_hash_within(hash, key[0], next.map_or(u32::MAX, |next| next[0]));
        for (at, pair) in leaf.pairs().iter().enumerate().skip(from) {
            let score = score_of(*pair);
            if pair[0] != hash {
                return None;
            }
            if is(score) {
                return Some((score, Some(Place { leaf: path, at })));
            }
        }
        // They may go on in the next leaves, or begin there.
        let rest = self.from(hash).skip(leaf.pairs().len() - from);
        let mut equal = rest.take_while(|(own, _)| *own == hash);
        equal.find(|(_, score)| is(*score)).map(|(_, score)| (score, None))
    }

    pub(super) fn insert(&mut self, hash: u32, score: f64) {
        let new = pair(hash, score);
        let put = |leaf: &mut Pairs, after: &mut Vec<Pairs>| leaf.insert(new, after);
        if self.pairs.edit_by(|key| *key <= new, (), put).is_none() {
            self.pairs.push(Pairs::of(&[new]), End::Back);
        }
    }

    pub(super) fn remove(&mut self, hash: u32, score: f64, place: Option<Place>) {
        let old = pair(hash, score);
        let remove = |leaf: &mut Pairs, at: usize| {
            let is_there = leaf.pairs().get(at) == Some(&old);
            debug_assert!(is_there, "there is a pair for each element");
            if is_there {
                leaf.remove(at);
            }
        };
        match place {
            Some(Place { leaf, at }) => self.pairs.edit_along(leaf, (), |leaf, _| remove(leaf, at)),
            None => self.pairs.edit_by(
                |key| *key <= old,
                (),
                |leaf, _| {
                    let at = leaf.before(&old);
                    remove(leaf, at);
                },
            ),
        };
    }

    /// Puts another score into a pair.
    pub(super) fn rescore(&mut self, hash: u32, score: f64, place: Option<Place>, other: f64) {
        let (old, new) = (pair(hash, score), pair(hash, other));
        let leaf = place.and_then(|Place { leaf, .. }| self.pairs.leaf_along(leaf));
        let is_done = leaf.zip(place).is_some_and(|(leaf, place)| leaf.replace(place.at, old, new));
        if !is_done {
            self.remove(hash, score, place);
            self.insert(hash, other);
        }
    }

    /// Looks through the leaf from a hash on for pairs of which there are more than `count` says;
    /// gives the hash to go on with. Does nothing and gives none behind the last.
    pub(super) fn sweep(&mut self, from: u32, count: impl Fn(u32, f64) -> usize) -> Option<u32> {
        let at = self.rank_of(from);
        if at >= self.pairs.len() {
            return None;
        }
        let swept = self.pairs.edit(at, (), |leaf, _, _| {
            let next = leaf.pairs().last().and_then(|last| last[0].checked_add(1));
            let (mut last, mut kept, mut most) = (None, 0, 0);
            let living: Vec<Pair> = leaf
                .pairs()
                .iter()
                .copied()
                .filter(|pair| {
                    if last != Some(*pair) {
                        (last, kept, most) = (Some(*pair), 0, count(pair[0], score_of(*pair)));
                    }
                    kept += 1;
                    kept <= most
                })
                .collect();
            leaf.set(&living);
            next
        });
        swept.flatten()
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
        let pairs = super::large::tree_bytes(&self.pairs, samples, |_| size_of::<Pairs>());
        pairs + super::large::tree_bytes(&self.names, samples, Run::heap_bytes)
    }

    /// Leaves, about.
    pub(super) fn leaves(&self) -> usize {
        self.pairs.leaves_estimated() + self.names.leaves_estimated()
    }
}

impl Pairs {
    fn of(pairs: &[Pair]) -> Self {
        let mut leaf = Self { len: 0, all: [Pair::default(); COUNT_MAX] };
        leaf.set(pairs);
        leaf
    }

    #[inline]
    fn pairs(&self) -> &[Pair] {
        &self.all[..self.len as usize]
    }

    /// Takes these for its own; at most [`COUNT_MAX`].
    fn set(&mut self, pairs: &[Pair]) {
        self.all[..pairs.len()].copy_from_slice(pairs);
        self.len = count(pairs.len());
    }

    /// Number of pairs with lesser hashes.
    fn before_hash(&self, hash: u32) -> usize {
        cow_tree::partition_point(self.pairs(), |own| own[0] < hash)
    }

    /// The same, where `low` is not above the first hash and `high` not below the last. Hashes lie
    /// evenly between them, so looking where one should be reads a line of memory or two, instead
    /// of all that halving would wait for.
    #[inline]
    fn before_hash_within(&self, hash: u32, low: u32, high: u32) -> usize {
        let pairs = self.pairs();
        let offset = u64::from(hash.saturating_sub(low)) * pairs.len() as u64;
        let guess = offset / (u64::from(high.saturating_sub(low)) + 1);
        let mut at = usize::try_from(guess).unwrap_or(0).min(pairs.len());
        while at > 0 && pairs[at - 1][0] >= hash {
            at -= 1;
        }
        while pairs.get(at).is_some_and(|own| own[0] < hash) {
            at += 1;
        }
        at
    }

    fn before(&self, pair: &Pair) -> usize {
        let from = self.before_hash(pair[0]);
        from + self.pairs()[from..].iter().take_while(|own| *own < pair).count()
    }

    /// Puts a pair in the place of another if its place is surely that, and it isn't the leaf's key.
    fn replace(&mut self, at: usize, old: Pair, new: Pair) -> bool {
        let pairs = self.pairs();
        let follows = at > 0 && pairs[at - 1] <= new;
        let leads = pairs.get(at + 1).is_some_and(|next| new <= *next);
        let is_right = follows && leads && pairs[at] == old;
        if is_right {
            self.all[at] = new;
        }
        is_right
    }

    fn insert(&mut self, new: Pair, after: &mut Vec<Self>) {
        let at = self.before(&new);
        if self.pairs().len() < COUNT_MAX {
            self.put(at, new);
            return;
        }
        let mut right = cow_tree::Leaf::split_off(self, COUNT_MAX / 2);
        match at.checked_sub(COUNT_MAX / 2) {
            Some(at) => right.put(at, new),
            None => self.put(at, new),
        }
        after.push(right);
    }

    /// Puts one in; there must be room.
    fn put(&mut self, at: usize, new: Pair) {
        let len = self.pairs().len();
        self.all.copy_within(at..len, at + 1);
        self.all[at] = new;
        self.len += 1;
    }

    fn remove(&mut self, at: usize) {
        let len = self.pairs().len();
        self.all.copy_within(at + 1..len, at);
        self.len -= 1;
    }
}

fn count(pairs: usize) -> u32 {
    u32::try_from(pairs).unwrap_or(u32::MAX)
}

impl cow_tree::Leaf for Pairs {
    type Key = Pair;
    type Limits = ();

    fn weight(&self) -> usize {
        self.pairs().len()
    }

    fn key(&self) -> Pair {
        self.pairs().first().copied().unwrap_or_default()
    }

    fn split_off(&mut self, offset: usize) -> Self {
        let right = Self::of(&self.pairs()[offset..]);
        self.len = count(offset);
        right
    }

    fn is_sparse(&self, (): ()) -> bool {
        self.pairs().len() < COUNT_MAX * 3 / 8
    }

    fn fits_with(&self, right: &Self, (): ()) -> bool {
        self.pairs().len() + right.pairs().len() <= COUNT_BUILT
    }

    fn absorb(&mut self, right: &Self) {
        let len = self.pairs().len();
        self.all[len..][..right.pairs().len()].copy_from_slice(right.pairs());
        self.len += right.len;
    }

    fn address(&self) -> usize {
        address_of(self)
    }

    fn can_share(&self, middle: &Self, right: &Self) -> bool {
        self.pairs().len() + middle.pairs().len() + right.pairs().len() <= 2 * COUNT_BUILT
    }

    fn share(&mut self, middle: &Self, right: &mut Self) -> bool {
        let all = [self.pairs(), middle.pairs(), right.pairs()].concat();
        let (left, rest) = all.split_at(all.len() / 2);
        self.set(left);
        right.set(rest);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_guess_leads_where_a_search_does(
            mut hashes in prop::collection::vec(prop_oneof![any::<u32>(), 0_u32..6], 1..=COUNT_MAX),
            sought in prop_oneof![any::<u32>(), 0_u32..6],
            margins in (any::<u32>(), any::<u32>()),
        ) {
            hashes.sort_unstable();
            let leaf = Pairs::of(&hashes.iter().map(|hash| pair(*hash, 1.0)).collect::<Vec<_>>());
            let low = hashes[0].saturating_sub(margins.0);
            let high = hashes[hashes.len() - 1].saturating_add(margins.1);
            prop_assert_eq!(leaf.before_hash_within(sought, low, high), leaf.before_hash(sought));
        }
    }
}
