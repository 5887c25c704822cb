//! How far a group has come: counted while that is certain, else derived from where it stands.

use super::group::Group;
use super::id::Id;
use super::log::Log;

impl Log {
    /// Whether entries may have been deleted from `from` on.
    fn has_gaps_from(&self, from: Id) -> bool {
        !self.is_empty() && self.max_deleted_id() != Id::MIN && from <= self.max_deleted_id()
    }

    /// Whether all deleted entries lie before the first one that is left.
    fn is_gapless(&self) -> bool {
        self.max_deleted_id() == Id::MIN || self.max_deleted_id() < self.first_id()
    }

    /// How many entries were ever added up to `id`, if that can be told.
    pub fn position(&self, id: Id) -> Option<u64> {
        let added = self.entries_added();
        if added == 0 {
            return Some(0);
        }
        if self.is_empty() && id <= self.last_id() {
            return Some(added);
        }
        if id != Id::MIN && id < self.max_deleted_id() {
            return None;
        }
        if id >= self.last_id() {
            return (id == self.last_id()).then_some(added);
        }
        let (first, len) = (self.first_id(), u64::try_from(self.len()).ok()?);
        if !self.is_gapless() || id > first {
            return None;
        }
        added.checked_sub(len).map(|before| before + u64::from(id == first))
    }

    /// How many entries a group has yet to read, if that can be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let len = u64::try_from(self.len()).ok()?;
        if self.entries_added() == 0 {
            return Some(0);
        }
        let added = self.entries_added().cast_signed();
        if group.last_id < self.first_id() && self.is_gapless() {
            return Some(len.cast_signed());
        }
        match group.entries_read {
            Some(read) if !self.has_gaps_from(group.last_id) => {
                Some(added.wrapping_sub(read.cast_signed()))
            }
            _ => Some(added.wrapping_sub(self.position(group.last_id)?.cast_signed())),
        }
    }
}

impl Group {
    /// Notes that entry `id`, the next one, is delivered.
    pub fn advance(&mut self, id: Id, log: &Log) {
        if id <= self.last_id {
            return;
        }
        self.entries_read = match self.entries_read {
            Some(read) if self.last_id >= log.first_id() && !log.has_gaps_from(self.last_id) => {
                Some(read + 1)
            }
            read if log.entries_added() == 0 => read,
            _ => log.position(id),
        };
        self.last_id = id;
    }
}
