//! What several sets make together, member by member, in the order that is cheapest.

use super::Living;
use super::distinct::Distinct;
use crate::keyspace::read::Reader;
use crate::keyspace::value::WrongType;
use crate::structures::listpack::Item;
use crate::types::set::Live;
use std::cmp::Reverse;
use std::ops::ControlFlow;

/// Of so many sets each asks all larger ones whether they have a member; of more, members seen are
/// remembered.
const ASKED_MAX: usize = 4;

/// Receives members until it breaks.
pub(super) type Each<'e, 'a> = &'e mut dyn FnMut(Item<'a>) -> ControlFlow<()>;

/// The sets of a call; `None` is a missing key, an empty set.
pub(super) struct Sources<'a> {
    keys: Reader<'a>,
    sets: Vec<Option<Living<'a>>>,
}

impl<'a> Sources<'a> {
    /// Looks all keys up, and refuses other types even where the outcome is clear before.
    pub(super) fn find<'k>(
        keys: Reader<'a>,
        names: impl Iterator<Item = &'k [u8]>,
    ) -> Result<Self, WrongType> {
        let sets = names.map(|name| super::living(&keys, name)).collect::<Result<_, _>>()?;
        Ok(Self { keys, sets })
    }

    /// The sets, as they were named.
    pub(super) fn iter(&self) -> impl Iterator<Item = Option<Live<'_>>> {
        self.sets.iter().map(|set| set.as_ref().map(Living::view))
    }

    /// Number of keys that were named.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// The first set, if it is there, and the others.
    pub(super) fn split(&self) -> Option<(Live<'_>, impl Iterator<Item = Option<Live<'_>>>)> {
        let mut sets = self.iter();
        Some((sets.next()??, sets))
    }

    /// All sets, smallest first; `None` if one is missing.
    pub(super) fn ascending(&self) -> Option<Vec<Live<'_>>> {
        let mut sets: Vec<Live<'_>> = self.iter().collect::<Option<_>>()?;
        sets.sort_by_key(Live::len);
        Some(sets)
    }

    /// Members of all sets together.
    pub(super) fn members(&self) -> usize {
        self.iter().map(|set| set.map_or(0, |set| set.len())).sum()
    }

    fn seen(&self) -> Distinct<'a, impl Fn(&[u8]) -> u64 + use<'a>> {
        let keys = self.keys;
        Distinct::new(move |text: &[u8]| keys.hash_of(text))
    }

    /// The members that all sets have. O(smallest * sets).
    pub(super) fn intersect<'s>(&'s self, each: Each<'_, 's>) {
        let Some(sets) = self.ascending() else { return };
        let Some((smallest, others)) = sets.split_first() else { return };
        for member in *smallest {
            let in_all =
                others.iter().all(|other| other.is_same(smallest) || other.contains_item(member));
            if in_all && each(member).is_break() {
                return;
            }
        }
    }

    /// The members that any set has. O(all members).
    pub(super) fn unite<'s>(&'s self, each: Each<'_, 's>) {
        let mut sets: Vec<Live<'_>> = self.iter().flatten().collect();
        sets.sort_by_key(|set| Reverse(set.len()));
        sets.dedup_by(|one, other| one.is_same(other));
        let mut seen = (sets.len() > ASKED_MAX).then(|| self.seen());
        for (number, set) in sets.iter().enumerate() {
            for member in *set {
                let is_new = match &mut seen {
                    Some(seen) => seen.insert(member),
                    None => !sets[..number].iter().any(|larger| larger.contains_item(member)),
                };
                if is_new && each(member).is_break() {
                    return;
                }
            }
        }
    }

    /// The members of the first set that no other has. O(all members) at worst, O(first * sets) if
    /// that is less.
    pub(super) fn subtract<'s>(&'s self, each: Each<'_, 's>) {
        let Some((first, others)) = self.split() else { return };
        if self.first_is_repeated() {
            return;
        }
        let mut others: Vec<Live<'_>> = others.flatten().collect();
        if self.asks_others() {
            // The largest is the likeliest to have a member.
            others.sort_by_key(|set| Reverse(set.len()));
            for member in first {
                let is_left = !others.iter().any(|other| other.contains_item(member));
                if is_left && each(member).is_break() {
                    return;
                }
            }
            return;
        }
        let mut gone = self.seen();
        for member in others.iter().flat_map(|other| other.iter()) {
            if first.contains_item(member) {
                gone.insert(member);
            }
        }
        for member in first {
            if !gone.contains(member) && each(member).is_break() {
                return;
            }
        }
    }

    /// Whether the first set is named again among those to be subtracted. Small ones are not told
    /// to be the same: there is little to subtract.
    pub(super) fn first_is_repeated(&self) -> bool {
        let Some((first, mut others)) = self.split() else { return false };
        others.any(|other| other.is_some_and(|other| other.is_same(&first)))
    }

    /// Whether a subtraction does better to ask the others for each member of the first set than
    /// to look at all of theirs.
    pub(super) fn asks_others(&self) -> bool {
        let first = self.iter().next().flatten().map_or(0, |set| set.len());
        let present = self.sets.iter().flatten().count();
        // Asking ends early when a set has the member: half of it is likely spared.
        first.saturating_mul(present) / 2 <= self.members()
    }
}
