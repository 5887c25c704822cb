//! How far a group has come: counted while that is certain, else derived from where it stands.

use super::group::Group;
use super::id::Id;
use super::log::Log;

/// What is known of a log without looking at its entries one by one.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The first entry's identifier, 0-0 if there is none.
    pub first_id: Id,
    /// The greatest identifier ever given.
    pub last_id: Id,
    /// The greatest identifier ever deleted by name.
    pub max_deleted_id: Id,
    /// Entries ever added.
    pub added: u64,
    /// Number of entries.
    pub len: u64,
}

impl Log {
    /// What is known without looking at the entries one by one. O(log n).
    pub fn facts(&self) -> Facts {
        Facts {
            first_id: self.first_id(),
            last_id: self.last_id(),
            max_deleted_id: self.max_deleted_id(),
            added: self.entries_added(),
            len: u64::try_from(self.len()).unwrap_or(u64::MAX),
        }
    }
}

impl Facts {
    /// Whether entries may have been deleted from `from` on.
    fn has_gaps_from(&self, from: Id) -> bool {
        self.len > 0 && self.max_deleted_id != Id::MIN && from <= self.max_deleted_id
    }

    /// Whether all deleted entries lie before the first one that is left.
    fn is_gapless(&self) -> bool {
        self.max_deleted_id == Id::MIN || self.max_deleted_id < self.first_id
    }

    /// How many entries were ever added up to `id`, if that can be told.
    pub fn position(&self, id: Id) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.added);
        }
        if id != Id::MIN && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.added);
        }
        if !self.is_gapless() || id > self.first_id {
            return None;
        }
        let before = self.added.checked_sub(self.len)?;
        Some(before + u64::from(id == self.first_id))
    }

    /// How many entries a group has yet to read, if that can be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.added == 0 || self.len == 0 {
            return Some(0);
        }
        if group.last_id < self.first_id && self.is_gapless() {
            return Some(self.len.cast_signed());
        }
        let read = match group.entries_read {
            Some(read) if !self.has_gaps_from(group.last_id) => read,
            _ => self.position(group.last_id)?,
        };
        Some(self.added.wrapping_sub(read).cast_signed())
    }
}

impl Group {
    /// Notes that entry `id`, the next one, is delivered.
    pub fn advance(&mut self, id: Id, facts: &Facts) {
        if id <= self.last_id {
            return;
        }
        self.entries_read = match self.entries_read {
            Some(read) if self.last_id >= facts.first_id && !facts.has_gaps_from(self.last_id) => {
                Some(read + 1)
            }
            read if facts.added == 0 => read,
            _ => facts.position(id),
        };
        self.last_id = id;
    }
}
