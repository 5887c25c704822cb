//! A stream: a log of entries in the order of their identifiers, and groups that read it.
//!
//! ```text
//!   log      nodes of entries in Redis's format, in a copy-on-write tree
//!   groups   name -> how far it has read, who has what
//! ```
//!
//! Streams stay when their last entry goes. A stream that was made on demand and that nobody has
//! established is none: see [`Stream::is_vacant`].

pub mod group;
pub mod id;
pub mod idempotence;
pub mod log;
pub mod node;
pub mod ordered;
pub mod progress;
#[cfg(test)]
mod tests;

use crate::structures::relocation::Mover;
use group::{Group, Name};
use id::Id;
use idempotence::Idempotence;
use log::Log;
use ordered::Ordered;

/// A stream. 8 bytes and a box; a clone copies one node and shares the rest.
#[derive(Clone, Debug, Default)]
pub struct Stream(Box<Body>);

/// All parts of a stream, for changing one while reading another.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The entries.
    pub log: Log,
    /// The groups, by name.
    pub groups: Ordered<Name, Group>,
    /// What producers added under names of their own; absent until one did.
    pub idempotence: Option<Box<Idempotence>>,
    is_established: bool,
}

/// Reading.
impl Stream {
    /// The entries.
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// The groups, by name.
    pub fn groups(&self) -> &Ordered<Name, Group> {
        &self.0.groups
    }

    /// A group.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.0.groups.get(name)
    }

    /// What producers added under names of their own.
    pub fn idempotence(&self) -> Option<&Idempotence> {
        self.0.idempotence.as_deref()
    }

    /// Whether nothing was ever done with it.
    pub fn is_vacant(&self) -> bool {
        !self.0.is_established
    }

    /// Bytes allocated; entries estimated from `samples` nodes, 0 being all.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        let groups: usize = self
            .groups()
            .iter()
            .take(if samples == 0 { usize::MAX } else { samples })
            .map(|(name, group)| name.as_slice().len() + 16 + group.memory_bytes())
            .sum();
        let taken = if samples == 0 { usize::MAX } else { samples }.min(self.groups().len());
        let groups = groups / taken.max(1) * self.groups().len() + self.groups().memory_bytes();
        size_of::<Body>() + self.log().memory_bytes(samples) + groups
    }

    /// Allocations that freeing it gives back, about.
    pub fn free_effort(&self) -> usize {
        let groups: usize = self.groups().iter().map(|(_, group)| group.free_effort()).sum();
        1 + self.log().free_effort() + groups
    }
}

/// Changing.
impl Stream {
    /// Moves what lies badly; see [`Mover`].
    pub fn relocate(&mut self, mover: &mut Mover<'_>) {
        let Body { log, groups, .. } = &mut *self.0;
        log.relocate(mover);
        groups.relocate(mover);
        groups.relocate_values(mover, Group::parts, Group::relocate);
    }

    /// From now on it stays, with or without entries.
    pub fn establish(&mut self) {
        self.0.is_established = true;
    }

    /// All parts.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.0
    }
}

impl Body {
    /// Whether every group has been delivered and has acknowledged an entry. O(groups).
    pub fn is_done_with(&self, id: Id) -> bool {
        let is_done = |group: &Group| group.last_id >= id && !group.pending().contains(&id);
        self.groups.iter().all(|(_, group)| is_done(group))
    }

    /// Makes an entry pending in no group. O(groups).
    pub fn forget_pending(&mut self, id: Id) {
        let concerned = self.groups.iter().filter(|(_, group)| group.pending().contains(&id));
        let names: Vec<Name> = concerned.map(|(name, _)| name.clone()).collect();
        for name in names {
            self.groups.update(&name, |group| group.acknowledge(id));
        }
    }
}

impl PartialEq for Stream {
    /// Whether both have the same entries and groups, however they are kept. O(n).
    fn eq(&self, other: &Self) -> bool {
        let ids = |log: &Log| (log.len(), log.last_id(), log.max_deleted_id(), log.entries_added());
        ids(self.log()) == ids(other.log())
            && self.groups() == other.groups()
            && self.log().iter().zip(other.log().iter()).all(|(own, other)| {
                let texts = |entry: &node::Entry<'_>| -> Vec<_> {
                    entry.pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
                };
                own.id == other.id && texts(&own) == texts(&other)
            })
    }
}

/// Entry point for fuzzing: a foreign node is refused or can be walked both ways and changed.
///
/// # Panics
/// When that doesn't hold.
pub fn fuzz(bytes: &[u8]) {
    let master = Id::new(5, 1);
    let Ok(node) = node::Node::from_bytes(master, bytes.to_vec()) else { return };
    let forward: Vec<Id> = node.entries().map(|entry| entry.id).collect();
    let mut backward: Vec<Id> = node.entries().rev().map(|entry| entry.id).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    assert_eq!(forward.len(), node.len());
    assert!(forward.is_sorted() && forward.first().is_none_or(|id| *id >= master));
    let lens: usize = node.entries().map(|entry| entry.pairs().count()).sum();
    assert_eq!(lens, node.entries().map(|entry| entry.len()).sum::<usize>());
    let mut changed = node.clone();
    if let Some(next) = node.last_id().next() {
        let limits = node::NodeLimits::of_directives(0, 0);
        assert!(changed.append(next, [&b"name"[..], bytes].into_iter(), limits));
        assert!(changed.entry(next).is_some());
    }
    for id in forward {
        assert!(changed.delete(id) && changed.entry(id).is_none());
    }
    assert!(node::Node::from_bytes(master, changed.as_bytes().to_vec()).is_ok());
}
