//! Where a table differs from what it was.

use std::ops::RangeInclusive;

use super::edge::Edge;
use super::{CowTable, TableSnapshot, Thin};

impl<T: Thin> CowTable<T> {
    /// Ranges of hashes, ascending, outside of which the table is what the snapshot shows: pages
    /// that both share are passed over, most of them by the dozen. Takes time in proportion to the
    /// pages that were changed and the directory above them, and to the whole directory for a table
    /// that has nothing to do with the snapshot.
    pub fn changed_since(&self, snapshot: &TableSnapshot<T>) -> Vec<RangeInclusive<u64>> {
        let mut found = Vec::new();
        if self.top.is_none() {
            if !snapshot.is_empty() {
                found.push(0..=u64::MAX);
            }
            return found;
        }
        // SAFETY: both tables are borrowed, so what their tops lead to is living.
        unsafe { walk(self.top, snapshot.top, 0, &mut found) };
        found
    }
}

/// Adds the ranges below `edge`, whose prefix is that of `start`, that the tree of `old` lacks.
///
/// # Safety
/// - Both edges refer to living pages or nodes, or `old` to none.
unsafe fn walk(edge: Edge, old: Edge, start: u64, found: &mut Vec<RangeInclusive<u64>>) {
    // SAFETY: by the caller's word.
    if unsafe { leads_to(old, edge, start) } {
        return;
    }
    if !edge.meta.is_node() {
        found.push(start..=start | u64::MAX >> edge.meta.depth());
        return;
    }
    let mut index = 0;
    while index < 1 << edge.meta.bits() {
        // SAFETY: a living node has so many edges, and what they refer to is living.
        let child = unsafe { *edge.nth(index) };
        let below = (index as u64) << (64 - edge.meta.depth() - edge.meta.bits());
        // SAFETY: as above.
        unsafe { walk(child, old, start | below, found) };
        index += edge.aliases(child.meta);
    }
}

/// Whether the tree of `old` has this very page or node at this place. Nobody changes what both
/// have, so then all below is the same.
///
/// # Safety
/// - `old` refers to a living page or node, or to none.
unsafe fn leads_to(mut old: Edge, edge: Edge, start: u64) -> bool {
    loop {
        if old.is_none() {
            return false;
        }
        if old.at == edge.at {
            return true;
        }
        if !old.meta.is_node() {
            return false;
        }
        // SAFETY: the index has as many bits as the living node.
        old = unsafe { *old.nth(old.index(start)) };
    }
}
