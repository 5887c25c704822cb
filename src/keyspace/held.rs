//! What the keyspace asks of its types, answered by each of them.

use super::journal::{Event, HEXPIRED, SEXPIRED, ZEXPIRED};
use super::members::Expiring;
use super::packed::Small;
use super::value::{Collection, Kind};
use crate::base::time::UnixMillis;
use crate::structures::entry::Succession;
use crate::structures::epoch::Epochs;
use crate::structures::lifespan::Lifespan;
use crate::structures::listpack::ListPack;
use crate::structures::relocation::Mover;
use crate::types::hash::Hash;
use crate::types::list::List;
use crate::types::set::{Packed, Set};
use crate::types::sorted_set::SortedSet;
use crate::types::stream::Stream;
use crate::types::timed::Companioned;

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
    fn small(&self) -> Option<Small<'_>> {
        self.as_pack().map(Small::Items)
    }
    fn of_items(pack: ListPack) -> Option<Self> {
        Some(Self::of_small(pack))
    }
    fn relocate(&mut self, _: &Epochs, mover: &mut Mover<'_>) {
        Self::relocate(self, mover);
    }
    fn fresh() -> Self {
        Self::of_small(ListPack::lent())
    }
    fn free_effort(&self) -> usize {
        Self::free_effort(self)
    }
}

impl Collection for Set {
    const KIND: Kind = Kind::Set;
    fn is_vacant(&self) -> bool {
        self.is_empty()
    }
    fn duplicate(&self) -> Self {
        Self::duplicate(self)
    }
    fn succeed(&self, how: &Succession) -> Self {
        Self::succeed(self, how)
    }
    fn free_shell(self, how: &Succession) {
        Self::free_shell(self, how);
    }
    fn encoding(&self) -> &'static str {
        Self::encoding(self)
    }
    fn memory_bytes(&self, _samples: usize) -> usize {
        self.heap_bytes()
    }
    fn small(&self) -> Option<Small<'_>> {
        if self.deadlines().is_some() {
            // What was filed for its members changes: it must stand by itself.
            return None;
        }
        Some(match self.packed()? {
            Packed::Ints(ints) => Small::Integers(ints),
            Packed::Pack(pack) => Small::Items(pack),
        })
    }
    fn of_items(pack: ListPack) -> Option<Self> {
        Some(Self::of_pack(pack))
    }
    fn relocate(&mut self, epochs: &Epochs, mover: &mut Mover<'_>) {
        Self::relocate(self, epochs, mover);
    }
    fn free_effort(&self) -> usize {
        Self::free_effort(self)
    }
    fn adopt(&mut self, epochs: &Epochs) {
        Self::adopt(self, epochs);
    }
    fn expiring(&self) -> Option<&dyn Expiring> {
        if self.deadlines().is_some() { Some(self) } else { None }
    }
    fn expiring_mut(&mut self) -> Option<&mut dyn Expiring> {
        if self.deadlines().is_some() { Some(self) } else { None }
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
    fn small(&self) -> Option<Small<'_>> {
        // With deadlines it must stand by itself: what was filed for its members changes.
        self.as_pack().filter(|_| self.deadlines().is_none()).map(Small::Items)
    }
    fn of_items(pack: ListPack) -> Option<Self> {
        Some(Self::from_pack(pack))
    }
    fn relocate(&mut self, _: &Epochs, mover: &mut Mover<'_>) {
        Self::relocate(self, mover);
    }
    fn fresh() -> Self {
        Self::from_pack(ListPack::lent())
    }
    fn free_effort(&self) -> usize {
        Self::free_effort(self)
    }
    fn expiring(&self) -> Option<&dyn Expiring> {
        if self.deadlines().is_some() { Some(self) } else { None }
    }
    fn expiring_mut(&mut self) -> Option<&mut dyn Expiring> {
        if self.deadlines().is_some() { Some(self) } else { None }
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
    fn relocate(&mut self, _: &Epochs, mover: &mut Mover<'_>) {
        Self::relocate(self, mover);
    }
    fn free_effort(&self) -> usize {
        Self::free_effort(self)
    }
}

impl Collection for Hash {
    const KIND: Kind = Kind::Hash;
    fn is_vacant(&self) -> bool {
        self.is_empty()
    }
    fn duplicate(&self) -> Self {
        Self::duplicate(self)
    }
    fn succeed(&self, how: &Succession) -> Self {
        Self::succeed(self, how)
    }
    fn free_shell(self, how: &Succession) {
        Self::free_shell(self, how);
    }
    fn encoding(&self) -> &'static str {
        Self::encoding(self)
    }
    fn memory_bytes(&self, samples: usize) -> usize {
        Self::memory_bytes(self, samples)
    }
    fn small(&self) -> Option<Small<'_>> {
        match self.pack()? {
            (pack, false) => Some(Small::Items(pack)),
            // The keyspace changes what was filed for its fields: it must stand by itself.
            (_, true) => None,
        }
    }
    fn of_items(pack: ListPack) -> Option<Self> {
        Some(Self::of_pairs(pack))
    }
    fn relocate(&mut self, epochs: &Epochs, mover: &mut Mover<'_>) {
        Self::relocate(self, epochs, mover);
    }
    fn fresh() -> Self {
        Self::of_pairs(ListPack::lent())
    }
    fn free_effort(&self) -> usize {
        Self::free_effort(self)
    }
    fn adopt(&mut self, epochs: &Epochs) {
        Self::adopt(self, epochs);
    }
    fn expiring(&self) -> Option<&dyn Expiring> {
        self.may_expire().then_some(self)
    }
    fn expiring_mut(&mut self) -> Option<&mut dyn Expiring> {
        if self.may_expire() { Some(self) } else { None }
    }
}

impl Expiring for Hash {
    fn expired(&self) -> Event {
        HEXPIRED
    }
    fn next_due(&self) -> Option<UnixMillis> {
        Self::next_due(self)
    }
    fn due_count(&self, now: UnixMillis) -> usize {
        Self::due_count(self, now)
    }
    fn expire(
        &mut self,
        now: UnixMillis,
        budget: usize,
        epochs: &mut Epochs,
        gone: &mut dyn FnMut(&[u8]),
    ) -> usize {
        Self::expire(self, now, budget, epochs, gone)
    }
    fn deadline(&self, member: &[u8]) -> Option<Option<UnixMillis>> {
        self.get(member).map(|field| field.deadline)
    }
    fn set_deadline(
        &mut self,
        member: &[u8],
        deadline: Option<UnixMillis>,
        epochs: &mut Epochs,
    ) -> bool {
        Self::set_deadline(self, member, deadline, epochs)
    }
    fn remove(&mut self, member: &[u8], epochs: &mut Epochs) -> bool {
        Self::remove(self, member, epochs)
    }
    fn prepare(&mut self) {
        self.allow_deadlines();
    }
    fn schedule(&self) -> Lifespan {
        Self::schedule(self)
    }
    fn set_schedule(&mut self, schedule: Lifespan) {
        Self::set_schedule(self, schedule);
    }
}

impl<T: Collection + Companioned> Expiring for T {
    fn expired(&self) -> Event {
        if T::KIND == Kind::Set { SEXPIRED } else { ZEXPIRED }
    }
    fn next_due(&self) -> Option<UnixMillis> {
        Companioned::next_due(self)
    }
    fn due_count(&self, now: UnixMillis) -> usize {
        Companioned::due_count(self, now)
    }
    fn expire(
        &mut self,
        now: UnixMillis,
        budget: usize,
        epochs: &mut Epochs,
        gone: &mut dyn FnMut(&[u8]),
    ) -> usize {
        Companioned::expire(self, now, budget, epochs, gone)
    }
    fn deadline(&self, member: &[u8]) -> Option<Option<UnixMillis>> {
        Companioned::deadline(self, member)
    }
    fn set_deadline(
        &mut self,
        member: &[u8],
        deadline: Option<UnixMillis>,
        epochs: &mut Epochs,
    ) -> bool {
        Companioned::set_deadline(self, member, deadline, epochs)
    }
    fn remove(&mut self, member: &[u8], epochs: &mut Epochs) -> bool {
        self.take(member, epochs)
    }
    fn schedule(&self) -> Lifespan {
        Companioned::schedule(self)
    }
    fn set_schedule(&mut self, schedule: Lifespan) {
        Companioned::set_schedule(self, schedule);
    }
}
