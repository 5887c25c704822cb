//! A plain collection by which tests try what holds for all of them.

use super::value::{Collection, Kind};
use crate::structures::entry::Succession;
use crate::structures::epoch::Epochs;
use crate::structures::relocation::{Mover, address_of};

/// Words, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probe(pub Vec<Vec<u8>>);

impl Collection for Probe {
    const KIND: Kind = Kind::List;
    fn is_vacant(&self) -> bool {
        self.0.is_empty()
    }
    fn duplicate(&self) -> Self {
        self.clone()
    }
    fn succeed(&self, _: &Succession) -> Self {
        self.clone()
    }
    fn free_shell(self, _: &Succession) {}
    fn encoding(&self) -> &'static str {
        "probe"
    }
    fn memory_bytes(&self, _samples: usize) -> usize {
        self.0.iter().map(Vec::capacity).sum()
    }
    fn relocate(&mut self, _: &Epochs, mover: &mut Mover<'_>) {
        for word in &mut self.0 {
            mover.plain(word, address_of(&**word));
        }
    }
    fn free_effort(&self) -> usize {
        self.0.len()
    }
}
