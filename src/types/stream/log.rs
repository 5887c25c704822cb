//! The entries of a stream: closed nodes in a tree, the node being filled beside it.
//!
//! ```text
//!   tree:  node | node | ... | node      tail: node       identifiers ascend throughout
//! ```
//!
//! Adding touches the tail only. A full tail moves into the tree as a whole. A clone is O(1) but for
//! the tail, which is copied.
//!
//! 1. No node is empty: a node goes with its last entry.
//! 2. Every identifier in the tree is below the tail's master.
//! 3. Where there are entries there is a tail: if it goes, the last closed node is opened again, as
//!    in Redis, where entries are always added to the last node.

use super::id::Id;
use super::node::{Entries, Entry, Fields, Node, NodeLimits};
use crate::structures::Corrupt;
use crate::structures::cow_tree::{CowTree, End, Leaves};
use crate::structures::relocation::Mover;

/// A closed node's counted struct, and its place in the parent.
const NODE_OVERHEAD: usize = 112;

/// Why an entry can't be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// The identifier isn't above the last one.
    IdTooSmall,
    /// No node can hold it.
    TooLarge,
}

/// Entries, and what is remembered of those that are gone.
#[derive(Clone, Debug, Default)]
pub struct Log {
    tree: CowTree<Node>,
    tail: Option<Node>,
    /// Nodes in the tree.
    closed: usize,
    /// The greatest identifier ever given.
    last_id: Id,
    /// The greatest identifier ever deleted by name.
    max_deleted_id: Id,
    /// Entries ever added.
    entries_added: u64,
}

impl<'a> IntoIterator for &'a Log {
    type Item = Entry<'a>;
    type IntoIter = Range<'a>;
    fn into_iter(self) -> Range<'a> {
        self.iter()
    }
}

/// Reading.
impl Log {
    /// Number of entries. O(1).
    pub fn len(&self) -> usize {
        self.tree.len() + self.tail.as_ref().map_or(0, Node::len)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.tail.is_none() && self.tree.is_empty()
    }

    /// The greatest identifier ever given.
    pub fn last_id(&self) -> Id {
        self.last_id
    }

    /// The greatest identifier ever deleted by name.
    pub fn max_deleted_id(&self) -> Id {
        self.max_deleted_id
    }

    /// Entries ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Number of nodes.
    pub fn node_count(&self) -> usize {
        self.closed + usize::from(self.tail.is_some())
    }

    /// The nodes in order, for files.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.tree.leaves(0, End::Back).0.chain(&self.tail)
    }

    /// The first entry's identifier, 0-0 if there is none. O(log n).
    pub fn first_id(&self) -> Id {
        self.first().map_or(Id::MIN, |entry| entry.id)
    }

    /// The first entry. O(log n).
    pub fn first(&self) -> Option<Entry<'_>> {
        self.tree.leaf(End::Front).or(self.tail.as_ref())?.entries().next()
    }

    /// The last entry. O(log n).
    pub fn last(&self) -> Option<Entry<'_>> {
        self.tail.as_ref().or_else(|| self.tree.leaf(End::Back))?.entries().next_back()
    }

    /// The entry with an identifier. O(log n), and a walk through one node.
    pub fn entry(&self, id: Id) -> Option<Entry<'_>> {
        let node = match &self.tail {
            Some(tail) if tail.master() <= id => tail,
            _ => self.tree.locate_by(|master| *master <= id)?.0,
        };
        node.entry(id)
    }

    /// The entries from `first` to `last`, both included, beginning at either. O(log n) to begin.
    pub fn range(&self, first: Id, last: Id, towards: End) -> Range<'_> {
        let begin = match towards {
            End::Front => last,
            End::Back => first,
        };
        let tail = self.tail.as_ref().filter(|tail| tail.master() <= begin);
        let mut range =
            Range { nodes: None, tail: self.tail.as_ref(), entries: None, first, last, towards };
        if first > last {
            range.tail = None;
            return range;
        }
        match (tail, towards) {
            // Only the tail, or the tail and then the tree.
            (Some(tail), End::Back) => {
                range.entries = Some(tail.entries().skip_before(first));
                range.tail = None;
            }
            (Some(tail), End::Front) => {
                range.entries = Some(tail.entries().cut_after(last));
                range.tail = None;
                range.nodes = Some(self.tree.leaves(self.tree.len(), End::Front).0);
            }
            (None, _) => {
                let before =
                    self.tree.locate_by(|master| *master <= begin).map_or(0, |found| found.1);
                let mut nodes = self.tree.leaves(before, towards).0;
                range.entries = nodes.next().map(|node| match towards {
                    End::Back => node.entries().skip_before(first),
                    End::Front => node.entries().cut_after(last),
                });
                range.nodes = Some(nodes);
                if towards == End::Front {
                    range.tail = None;
                }
            }
        }
        range
    }

    /// All entries in order.
    pub fn iter(&self) -> Range<'_> {
        self.range(Id::MIN, Id::MAX, End::Back)
    }

    /// Moves what lies badly; see [`Mover`].
    pub fn relocate(&mut self, mover: &mut Mover<'_>) {
        mover.tree(&mut self.tree);
    }

    /// Bytes allocated, estimated from `samples` nodes, 0 being all.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        let (mut bytes, mut seen) = (0, 0);
        for node in self.nodes().take(if samples == 0 { usize::MAX } else { samples }) {
            bytes += node.heap_bytes();
            seen += 1;
        }
        bytes / seen.max(1) * self.node_count() + NODE_OVERHEAD * self.closed
    }

    /// Allocations that freeing it gives back, about.
    pub fn free_effort(&self) -> usize {
        self.node_count() * 2
    }
}

/// Changing.
impl Log {
    /// Adds an entry behind all others. Amortized O(1).
    pub fn add<'a>(
        &mut self,
        id: Id,
        fields: impl Fields<'a>,
        limits: NodeLimits,
    ) -> Result<(), AddError> {
        if id <= self.last_id {
            return Err(AddError::IdTooSmall);
        }
        let has_room =
            self.tail.as_mut().is_some_and(|tail| tail.append(id, fields.clone(), limits));
        if !has_room {
            let node = Node::new(id, fields, self.tail.as_ref()).ok_or(AddError::TooLarge)?;
            if let Some(mut full) = self.tail.replace(node) {
                full.close();
                self.tree.push(full, End::Back);
                self.closed += 1;
            }
        }
        self.last_id = id;
        self.entries_added += 1;
        Ok(())
    }

    /// Adds a node read from a file behind all others.
    pub fn push_node(&mut self, node: Node) -> Result<(), Corrupt> {
        let is_above = self.tail.as_ref().is_none_or(|tail| tail.last_id() < node.master());
        if node.is_empty() || !is_above {
            return Err(Corrupt { at: 0 });
        }
        if let Some(full) = self.tail.replace(node) {
            self.tree.push(full, End::Back);
            self.closed += 1;
        }
        Ok(())
    }

    /// Deletes an entry by name; whether it was there. O(log n), and a walk through one node.
    pub fn delete(&mut self, id: Id) -> bool {
        if !self.erase(id) {
            return false;
        }
        self.max_deleted_id = self.max_deleted_id.max(id);
        true
    }

    /// Takes an entry out without remembering that.
    fn erase(&mut self, id: Id) -> bool {
        if self.entry(id).is_none() {
            // What clones share stays shared.
            return false;
        }
        if let Some(tail) = &mut self.tail
            && tail.master() <= id
        {
            tail.delete(id);
            if tail.is_empty() {
                self.tail = self.tree.pop(End::Back);
                self.closed -= usize::from(self.tail.is_some());
            }
            return true;
        }
        let erase = |node: &mut Node, _: &mut Vec<Node>| {
            node.delete(id);
            node.is_empty()
        };
        if self.tree.edit_by(|master| *master <= id, (), erase) == Some(true) {
            self.closed -= 1;
        }
        true
    }

    /// Sets what is remembered beside the entries (XSETID, files).
    pub fn set_ids(&mut self, last_id: Id, entries_added: Option<u64>, max_deleted: Option<Id>) {
        self.last_id = last_id;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted.unwrap_or(self.max_deleted_id);
    }
}

/// What is kept when a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many entries at the end.
    Last(usize),
    /// Entries from this identifier on.
    From(Id),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What stays at least.
    pub keep: Keep,
    /// Only whole nodes go.
    pub is_approximate: bool,
    /// Most entries that go; only in whole nodes.
    pub limit: Option<usize>,
}

/// Trimming.
impl Log {
    /// Removes entries from the front; says how many. O(what goes); nodes that go as a whole are
    /// not read, unless `notice` wants to hear of each entry.
    pub fn trim(&mut self, trim: Trim, mut notice: Option<&mut dyn FnMut(Id)>) -> usize {
        let (nodes, entries) = self.whole_nodes(trim);
        if let Some(notice) = &mut notice {
            self.nodes().take(nodes).flat_map(Node::entries).for_each(|entry| notice(entry.id));
        }
        let goes_with_tail = nodes > self.closed;
        let behind = self.tree.split_off(entries.min(self.tree.len()));
        self.tree = behind;
        self.closed -= nodes.min(self.closed);
        if goes_with_tail {
            self.tail = None;
        }
        if trim.is_approximate {
            return entries;
        }
        entries + self.trim_first_node(trim.keep, notice)
    }

    /// How many nodes go as a whole, and how many entries those hold.
    fn whole_nodes(&self, trim: Trim) -> (usize, usize) {
        let (len, mut nodes, mut entries) = (self.len(), 0, 0);
        for node in self.nodes() {
            let behind = entries + node.len();
            if trim.limit.is_some_and(|limit| behind > limit) {
                break;
            }
            let goes = match trim.keep {
                Keep::Last(count) => len > entries + count && len - behind >= count,
                Keep::From(id) => node.last_id() < id,
            };
            if !goes {
                break;
            }
            entries = behind;
            nodes += 1;
        }
        (nodes, entries)
    }

    fn trim_first_node(&mut self, keep: Keep, mut notice: Option<&mut dyn FnMut(Id)>) -> usize {
        let mut surplus = match keep {
            Keep::Last(count) => self.len().saturating_sub(count),
            Keep::From(id) if self.first_id() >= id => 0,
            Keep::From(_) => usize::MAX,
        };
        if surplus == 0 || self.is_empty() {
            return 0;
        }
        let goes = |id: Id| {
            if surplus == 0 || matches!(keep, Keep::From(least) if id >= least) {
                return false;
            }
            surplus -= 1;
            if let Some(notice) = &mut notice {
                notice(id);
            }
            true
        };
        if self.tree.is_empty() {
            let deleted = self.tail.as_mut().map_or(0, |tail| tail.delete_while(goes));
            self.tail.take_if(|tail| tail.is_empty());
            return deleted;
        }
        let trim = |node: &mut Node, _: usize, _: &mut Vec<Node>| {
            let deleted = node.delete_while(goes);
            (deleted, node.is_empty())
        };
        let (deleted, is_gone) = self.tree.edit(0, (), trim).unwrap_or_default();
        self.closed -= usize::from(is_gone);
        deleted
    }

    /// Like [`Log::trim`], where only entries may go of which `may_go` says so; others are passed
    /// over. O(entries up to the bound).
    pub fn trim_where(&mut self, trim: Trim, mut may_go: impl FnMut(Id) -> bool) -> usize {
        let mut surplus = match trim.keep {
            Keep::Last(count) => self.len().saturating_sub(count),
            Keep::From(_) => usize::MAX,
        };
        let whole = trim.is_approximate.then(|| self.whole_nodes(trim).1);
        surplus = surplus.min(trim.limit.unwrap_or(usize::MAX));
        let candidates = self.iter().take(whole.unwrap_or(usize::MAX)).map(|entry| entry.id);
        let within = candidates.take_while(|id| match trim.keep {
            Keep::From(least) => *id < least,
            Keep::Last(_) => true,
        });
        let going: Vec<Id> = within.filter(|id| may_go(*id)).take(surplus).collect();
        for id in &going {
            self.erase(*id);
        }
        going.len()
    }
}

/// Entries in order, towards one end.
#[derive(Debug)]
pub struct Range<'a> {
    nodes: Option<Leaves<'a, Node>>,
    /// Comes behind the nodes.
    tail: Option<&'a Node>,
    entries: Option<Entries<'a>>,
    first: Id,
    last: Id,
    towards: End,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let entry = match (&mut self.entries, self.towards) {
                (Some(entries), End::Back) => entries.next(),
                (Some(entries), End::Front) => entries.next_back(),
                (None, _) => None,
            };
            if let Some(entry) = entry {
                let is_within = self.first <= entry.id && entry.id <= self.last;
                if !is_within {
                    *self = Self { nodes: None, tail: None, entries: None, ..*self };
                    return None;
                }
                return Some(entry);
            }
            let node = self.nodes.as_mut().and_then(Iterator::next).or_else(|| self.tail.take())?;
            self.entries = Some(node.entries());
        }
    }
}
