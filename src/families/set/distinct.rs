//! Members already seen, by reference: for unions and differences of many sets, where asking each
//! of the sets anew would take the square of their number.
//!
//! Open addressing with linear probing over numbers of members; no more than half of the slots are
//! used. 40 to 48 bytes per member.

use crate::structures::listpack::{Digits, Item};

const SLOTS_MIN: usize = 16;
const VACANT: u32 = u32::MAX;

/// Borrowed members, each once.
pub(super) struct Distinct<'a, H> {
    hash: H,
    /// Numbers of members; a power of two of them.
    slots: Vec<u32>,
    members: Vec<(u64, Item<'a>)>,
}

impl<'a, H: Fn(&[u8]) -> u64> Distinct<'a, H> {
    /// None yet. `hash` must be keyed.
    pub(super) fn new(hash: H) -> Self {
        Self { hash, slots: vec![VACANT; SLOTS_MIN], members: Vec::new() }
    }

    /// Whether it has seen a member.
    pub(super) fn contains(&self, member: Item<'_>) -> bool {
        let mut digits = Digits::default();
        let text = member.as_text(&mut digits);
        let slot = self.slot((self.hash)(text), text);
        self.slots[slot] != VACANT
    }

    /// Remembers a member; whether it is new.
    pub(super) fn insert(&mut self, member: Item<'a>) -> bool {
        let mut digits = Digits::default();
        let text = member.as_text(&mut digits);
        let hash = (self.hash)(text);
        let slot = self.slot(hash, text);
        if self.slots[slot] != VACANT {
            return false;
        }
        // Replies of more than 2^32 members don't fit in memory.
        self.slots[slot] = u32::try_from(self.members.len()).unwrap_or(VACANT);
        self.members.push((hash, member));
        if self.members.len() * 2 > self.slots.len() {
            self.grow();
        }
        true
    }

    /// The slot that has the member, or where it would come.
    fn slot(&self, hash: u64, text: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = low_bits(hash) & mask;
        loop {
            let number = self.slots[slot];
            let known = usize::try_from(number).ok().and_then(|number| self.members.get(number));
            match known {
                Some((other, known)) if *other != hash || !known.is(text) => {
                    slot = (slot + 1) & mask;
                }
                _ => return slot,
            }
        }
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![VACANT; mask + 1];
        for (number, (hash, _)) in (0..).zip(&self.members) {
            let mut slot = low_bits(*hash) & mask;
            while self.slots[slot] != VACANT {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = number;
        }
    }
}

fn low_bits(hash: u64) -> usize {
    usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_is_new_once() {
        let texts: Vec<String> = (0..3000).map(|number| format!("m{}", number % 1000)).collect();
        // A bad hash is slow, not wrong.
        for hash in [|text: &[u8]| text.len() as u64, |text: &[u8]| u64::from(text[text.len() - 1])]
        {
            let mut distinct = Distinct::new(hash);
            let count = texts.iter().filter(|text| distinct.insert(Item::Bytes(text.as_bytes())));
            assert_eq!(count.count(), 1000);
            assert!(distinct.contains(Item::Bytes(b"m999")) && !distinct.contains(Item::Int(999)));
            assert!(distinct.insert(Item::Int(999)) && !distinct.insert(Item::Bytes(b"999")));
        }
    }
}
