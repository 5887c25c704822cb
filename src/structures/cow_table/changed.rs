//! Where a table differs from what it was.

use std::ops::RangeInclusive;
use std::ptr::NonNull;

use super::edge::Edge;
use super::page;
use super::{CowTable, TableSnapshot, Thin};

/// What differs between a table and a snapshot of it.
pub struct Differences<'t, 'o, T: Thin> {
    /// Entries that the table has and the snapshot has not.
    pub own: Vec<T::View<'t>>,
    /// Entries that the snapshot has and the table has not.
    pub old: Vec<T::View<'o>>,
    /// Ranges of hashes, ascending, that have to be looked at besides.
    pub ranges: Vec<RangeInclusive<u64>>,
}

impl<T: Thin> CowTable<T> {
    /// How the table differs from what the snapshot shows. Pages that both share are passed over,
    /// most of them by the dozen; two that are alike but for some entries are compared word by
    /// word, a microsecond each; where pages have split or merged since, their range is given. Takes
    /// time in proportion to the pages that were changed and the directory above them, and to the
    /// whole directory for a table that has nothing to do with the snapshot.
    pub fn changed_since<'t, 'o>(
        &'t self,
        snapshot: &'o TableSnapshot<T>,
    ) -> Differences<'t, 'o, T> {
        let mut walk = Walk::default();
        if self.top.is_none() {
            if !snapshot.is_empty() {
                walk.ranges.push(0..=u64::MAX);
            }
        } else {
            // SAFETY: both tables are borrowed, so what their tops lead to is living.
            unsafe { walk.below(self.top, snapshot.top, 0) };
        }
        // SAFETY: entries of the two tables, neither changed nor freed while those are borrowed.
        unsafe {
            Differences {
                own: walk.own.into_iter().map(|entry| T::view(entry)).collect(),
                old: walk.old.into_iter().map(|entry| T::view(entry)).collect(),
                ranges: walk.ranges,
            }
        }
    }
}

#[derive(Default)]
struct Walk {
    own: Vec<NonNull<u8>>,
    old: Vec<NonNull<u8>>,
    ranges: Vec<RangeInclusive<u64>>,
}

impl Walk {
    /// Looks at what is below `edge`, whose prefix is that of `start`.
    ///
    /// # Safety
    /// - Both edges refer to living pages or nodes, or `old` to none.
    unsafe fn below(&mut self, edge: Edge, old: Edge, start: u64) {
        // SAFETY: by the caller's word.
        let there = unsafe { counterpart(old, edge, start) };
        if there.at == edge.at {
            return;
        }
        if !edge.meta.is_node() {
            // SAFETY: by the caller's word.
            if !unsafe { self.compare(edge, there) } {
                self.ranges.push(start..=start | u64::MAX >> edge.meta.depth());
            }
            return;
        }
        let mut index = 0;
        while index < 1 << edge.meta.bits() {
            // SAFETY: a living node has so many edges, and what they refer to is living.
            let child = unsafe { *edge.nth(index) };
            let below = (index as u64) << (64 - edge.meta.depth() - edge.meta.bits());
            // SAFETY: as above.
            unsafe { self.below(child, old, start | below) };
            index += edge.aliases(child.meta);
        }
    }

    /// Compares two pages word by word, if they are for the same hashes and of one size.
    ///
    /// # Safety
    /// - `edge` refers to a living page, `old` to a living page or node, or to none.
    unsafe fn compare(&mut self, edge: Edge, old: Edge) -> bool {
        let is_page = |edge: Edge| !edge.is_none() && !edge.meta.is_node() && !edge.meta.is_pile();
        if !is_page(edge) || !is_page(old) {
            return false;
        }
        if (edge.meta.depth(), edge.meta.size()) != (old.meta.depth(), old.meta.size()) {
            return false;
        }
        let (own_from, old_from) = (self.own.len(), self.old.len());
        // SAFETY: both are living pages with so many words.
        unsafe {
            for index in 0..page::words(edge) {
                let (own, old) = (*page::word(edge, index), *page::word(old, index));
                if own.entry() != old.entry() {
                    self.own.extend(own.entry());
                    self.old.extend(old.entry());
                }
            }
        }
        remove_common(&mut self.own, own_from, &mut self.old, old_from);
        true
    }
}

/// Removes from both, from these places on, what is in both: entries that only moved.
fn remove_common(
    one: &mut Vec<NonNull<u8>>,
    one_from: usize,
    other: &mut Vec<NonNull<u8>>,
    other_from: usize,
) {
    one[one_from..].sort_unstable();
    other[other_from..].sort_unstable();
    let mut common: Vec<NonNull<u8>> = Vec::new();
    let is_in_other = |entry: &&NonNull<u8>| other[other_from..].binary_search(entry).is_ok();
    common.extend(one[one_from..].iter().filter(is_in_other));
    if common.is_empty() {
        return;
    }
    for (list, from) in [(one, one_from), (other, other_from)] {
        let mut index = 0;
        list.retain(|entry| {
            index += 1;
            index <= from || common.binary_search(entry).is_err()
        });
    }
}

/// What the tree of `old` has at the place of `edge`: the very same page or node, if it has it. Nobody
/// changes what both have, so then all below is the same. Otherwise the last that was met.
///
/// # Safety
/// - `old` refers to a living page or node, or to none.
unsafe fn counterpart(mut old: Edge, edge: Edge, start: u64) -> Edge {
    while !old.is_none() && old.at != edge.at && old.meta.is_node() {
        if !edge.meta.is_node() || old.meta.depth() < edge.meta.depth() {
            // SAFETY: the index has as many bits as the living node.
            old = unsafe { *old.nth(old.index(start)) };
        } else {
            break;
        }
    }
    old
}
