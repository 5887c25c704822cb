//! What the keyspace asks of its types, answered by each of them.

use super::value::{Collection, Kind};
use crate::structures::entry::Succession;
use crate::types::list::List;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::Stream;

impl Collection for List {
    const KIND: Kind = Kind::List;
    fn is_vacant(&self) -> bool {
        self.is_empty()
    }
    fn duplicate(&self) -> Self {
        self.clone()
    }
    fn succeed(&self, _: &Succession) -> Self {
        self.clone()
    }
    fn free_shell(self, _: &Succession) {}
    fn encoding(&self) -> &'static str {
        Self::encoding(self)
    }
    fn memory_bytes(&self, samples: usize) -> usize {
        Self::memory_bytes(self, samples)
    }
    fn free_effort(&self) -> usize {
        Self::free_effort(self)
    }
}

impl Collection for SortedSet {
    const KIND: Kind = Kind::SortedSet;
    fn is_vacant(&self) -> bool {
        self.is_empty()
    }
    fn duplicate(&self) -> Self {
        self.clone()
    }
    fn succeed(&self, _: &Succession) -> Self {
        self.clone()
    }
    fn free_shell(self, _: &Succession) {}
    fn encoding(&self) -> &'static str {
        Self::encoding(self)
    }
    fn memory_bytes(&self, samples: usize) -> usize {
        Self::memory_bytes(self, samples)
    }
    fn free_effort(&self) -> usize {
        Self::free_effort(self)
    }
}

impl Collection for Stream {
    const KIND: Kind = Kind::Stream;
    fn is_vacant(&self) -> bool {
        Self::is_vacant(self)
    }
    fn duplicate(&self) -> Self {
        self.clone()
    }
    fn succeed(&self, _: &Succession) -> Self {
        self.clone()
    }
    fn free_shell(self, _: &Succession) {}
    fn encoding(&self) -> &'static str {
        "stream"
    }
    fn memory_bytes(&self, samples: usize) -> usize {
        Self::memory_bytes(self, samples)
    }
    fn free_effort(&self) -> usize {
        Self::free_effort(self)
    }
}
