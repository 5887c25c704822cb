//! Hierarchical timing wheel: O(1) to file, due items in order, 8 bytes per item plus slack.
//!
//! ```text
//!   level 0   256 slots of 1 ms       level 4   64 slots of ~19 h
//!   level 1    64 slots of 256 ms     level 5   64 slots of ~50 d
//!   level 2    64 slots of ~16 s      level 6   64 slots of ~9 y, to the year 2527
//!   level 3    64 slots of ~17 min
//!
//!   item:  44 bits of the key's hash | 20 bits: moment within the slot
//! ```
//!
//! An item names a key by the first 44 bits of its hash; whether the key is due, its entry decides.
//! When the cursor reaches a slot of a higher level, the slot's items move to lower levels.
//!
//! 1. An item sits at the level of the highest bit in which its moment and the cursor differ, so
//!    each occupied slot lies after the cursor, and the first occupied one is the next to come.
//! 2. Levels 0 to 3 keep moments exactly; above, an item is filed (and fires) up to 2^18 ms early:
//!    [`TimingWheel::file`] returns the moment that counts.
//! 3. `pop_due` moves or returns one item per unit of budget; the cursor then stays behind `now`.
//! 4. The wheel never decides that a key is dead: readers compare deadlines themselves.

use super::lifespan::HORIZON;
use std::mem;

/// Bits of a key's hash that an item keeps: the first ones.
pub const HASH_MASK: u64 = !OFFSET_MASK;

const OFFSET_BITS: u32 = 20;
const OFFSET_MASK: u64 = (1 << OFFSET_BITS) - 1;
const BASE_BITS: u32 = 8;
const LEVEL_BITS: u32 = 6;
const LEVELS: u32 = 7;
const WORD_BITS: usize = 64;
const BASE_WORDS: usize = (1 << BASE_BITS) / WORD_BITS;
const WORDS: usize = BASE_WORDS + LEVELS as usize - 1;
const SLOTS: usize = WORDS * WORD_BITS;
/// 4 KiB per full chunk: no growing vector copies more than that, save the list of chunks.
const CHUNK_ITEMS: usize = 512;

const _: () = assert!(1 << (BASE_BITS + LEVEL_BITS * (LEVELS - 1)) == HORIZON);
const _: () = assert!(1 << LEVEL_BITS == WORD_BITS);

/// An item taken from the wheel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The first 44 bits of the key's hash, the rest zero; see [`HASH_MASK`].
    pub hash: u64,
    /// The moment it was filed for.
    pub moment: i64,
}

/// An item that stays in the wheel, until the wheel changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The first 44 bits of the key's hash.
    pub hash: u64,
    /// `None` is the slot being drained.
    slot: Option<usize>,
    index: usize,
}

#[derive(Debug, Default)]
struct Slot {
    full: Vec<Box<[u64]>>,
    tail: Vec<u64>,
}

impl Slot {
    fn push(&mut self, item: u64) {
        if self.tail.len() == CHUNK_ITEMS {
            self.full.push(mem::take(&mut self.tail).into_boxed_slice());
        }
        self.tail.push(item);
    }

    fn pop(&mut self) -> Option<u64> {
        if self.tail.is_empty() {
            self.tail = self.full.pop()?.into_vec();
        }
        self.tail.pop()
    }

    fn len(&self) -> usize {
        self.full.len() * CHUNK_ITEMS + self.tail.len()
    }

    fn at(&self, index: usize) -> Option<u64> {
        let chunk = self.full.get(index / CHUNK_ITEMS);
        chunk.map_or(self.tail.as_slice(), |chunk| chunk).get(index % CHUNK_ITEMS).copied()
    }

    /// Removes the item at `index`; the last one takes its place.
    fn swap_remove(&mut self, index: usize) {
        let Some(last) = self.pop() else { return };
        let chunk = self.full.get_mut(index / CHUNK_ITEMS);
        let chunk = chunk.map_or(self.tail.as_mut_slice(), |chunk| chunk);
        if let Some(item) = chunk.get_mut(index % CHUNK_ITEMS) {
            *item = last;
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.full.capacity() * size_of::<Box<[u64]>>()
            + (self.full.len() * CHUNK_ITEMS + self.tail.capacity()) * size_of::<u64>()
    }
}

/// A slot whose items are on their way to lower levels, or out.
#[derive(Debug)]
struct Draining {
    shift: u32,
    start: i64,
    slot: Box<Slot>,
}

/// The wheel; about 5 KiB when empty.
#[derive(Debug)]
pub struct TimingWheel {
    /// Every item before this moment has been returned. In `0..HORIZON`.
    cursor: i64,
    len: usize,
    occupied: [u64; WORDS],
    slots: Box<[Option<Box<Slot>>]>,
    draining: Option<Draining>,
}

/// Width of the slots of an occupancy word, as a power of two.
fn shift_of_word(word: usize) -> u32 {
    let level = u32::try_from(word.saturating_sub(BASE_WORDS - 1)).unwrap_or(0);
    shift_of_level(level)
}

fn shift_of_level(level: u32) -> u32 {
    if level == 0 { 0 } else { BASE_BITS + LEVEL_BITS * (level - 1) }
}

fn moment_of(item: u64, start: i64, shift: u32) -> i64 {
    start + ((item & OFFSET_MASK) << shift.saturating_sub(OFFSET_BITS)).cast_signed()
}

fn sample(slot: Option<usize>, items: &Slot, index: usize) -> Option<Sample> {
    let item = items.at(index)?;
    Some(Sample { hash: item & HASH_MASK, slot, index })
}

impl TimingWheel {
    /// An empty wheel whose time begins at `now`.
    pub fn new(now: i64) -> Self {
        Self {
            cursor: now.clamp(0, HORIZON - 1),
            len: 0,
            occupied: [0; WORDS],
            slots: (0..SLOTS).map(|_| None).collect(),
            draining: None,
        }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Up to where the wheel has turned.
    pub fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Bytes allocated.
    pub fn memory_bytes(&self) -> usize {
        let draining = self.draining.iter().map(|draining| &draining.slot);
        let slots: usize =
            self.slots.iter().flatten().chain(draining).map(|slot| slot.memory_bytes()).sum();
        size_of::<Self>() + size_of_val(&*self.slots) + slots
    }

    /// Files an item for `deadline`; returns the moment for which it really stands, which is
    /// later only if the wheel has passed `deadline` already. `None` beyond [`HORIZON`]. O(1).
    pub fn file(&mut self, hash: u64, deadline: i64) -> Option<i64> {
        if deadline >= HORIZON {
            return None;
        }
        let moment = deadline.max(self.cursor);
        let differing = (moment ^ self.cursor).cast_unsigned();
        let level = match differing.checked_ilog2() {
            Some(bit) if bit >= BASE_BITS => (bit - BASE_BITS) / LEVEL_BITS + 1,
            _ => 0,
        };
        let shift = shift_of_level(level);
        let unit = shift.saturating_sub(OFFSET_BITS);
        let offset = (moment.cast_unsigned() & ((1 << shift) - 1)) >> unit;
        let index = usize::try_from(moment >> shift).unwrap_or(0);
        let number = if level == 0 {
            index % (1 << BASE_BITS)
        } else {
            let word = BASE_WORDS - 1 + usize::try_from(level).unwrap_or(0);
            word * WORD_BITS + index % WORD_BITS
        };
        self.occupied[number / WORD_BITS] |= 1 << (number % WORD_BITS);
        self.slots[number].get_or_insert_default().push(hash & HASH_MASK | offset);
        self.len += 1;
        Some(moment >> unit << unit)
    }

    /// The next item due at `now`, in order of moments. Each item moved or returned takes one
    /// from `budget`; `None` when it is used up or nothing more is due.
    pub fn pop_due(&mut self, now: i64, budget: &mut usize) -> Option<Due> {
        let now = now.min(HORIZON - 1);
        while *budget > 0 {
            if let Some(due) = self.drain_one() {
                *budget -= 1;
                if due.moment <= self.cursor {
                    return Some(due);
                }
                self.file(due.hash, due.moment);
                continue;
            }
            let start = self.first_slot().map(|number| self.start_of(number));
            let Some(start) = start.filter(|start| *start <= now) else {
                self.cursor = self.cursor.max(now);
                return None;
            };
            self.cursor = self.cursor.max(start);
            self.begin_draining();
        }
        None
    }

    /// Any item, earliest slots first, without turning the wheel: for emptying it.
    pub fn pop_any(&mut self) -> Option<Due> {
        loop {
            if let Some(due) = self.drain_one() {
                return Some(due);
            }
            self.first_slot()?;
            self.begin_draining();
        }
    }

    /// When `pop_due` has something to do next; not before this moment.
    pub fn next_due(&self) -> Option<i64> {
        match &self.draining {
            Some(_) if self.len > 0 => Some(self.cursor),
            _ => self.first_slot().map(|number| self.start_of(number)),
        }
    }

    /// How many items `pop_due` could move or return at `now`.
    pub fn overdue(&self, now: i64) -> usize {
        let draining = self.draining.as_ref().map_or(0, |draining| draining.slot.len());
        let due = (0..SLOTS).filter(|number| self.start_of(*number) <= now);
        due.filter_map(|number| self.slots[number].as_ref()).map(|slot| slot.len()).sum::<usize>()
            + draining
    }

    /// An item drawn fairly. O(number of occupied slots).
    pub fn sample(&self, rng: &mut fastrand::Rng) -> Option<Sample> {
        if self.len == 0 {
            return None;
        }
        let mut index = rng.usize(..self.len);
        let draining = self.draining.iter().map(|draining| (None, &draining.slot));
        let slots = self.slots.iter().enumerate();
        let slots = slots.filter_map(|(number, slot)| Some((Some(number), slot.as_ref()?)));
        for (number, slot) in slots.chain(draining) {
            if index < slot.len() {
                return sample(number, slot, index);
            }
            index -= slot.len();
        }
        None
    }

    /// An item drawn from the first slot in time.
    pub fn earliest(&self, rng: &mut fastrand::Rng) -> Option<Sample> {
        let draining = self.draining.as_ref().map(|draining| (None, &draining.slot));
        let first = || {
            let number = self.first_slot()?;
            self.slots[number].as_ref().map(|slot| (Some(number), slot))
        };
        let (number, slot) = draining.filter(|(_, slot)| slot.len() > 0).or_else(first)?;
        sample(number, slot, rng.usize(..slot.len().max(1)))
    }

    /// Removes an item that was drawn just now.
    pub fn discard(&mut self, sample: Sample) {
        let slot = match sample.slot {
            Some(number) => self.slots.get_mut(number).and_then(Option::as_mut),
            None => self.draining.as_mut().map(|draining| &mut draining.slot),
        };
        let Some(slot) = slot.filter(|slot| sample.index < slot.len()) else { return };
        slot.swap_remove(sample.index);
        self.len -= 1;
        if let Some(number) = sample.slot
            && slot.len() == 0
        {
            self.slots[number] = None;
            self.occupied[number / WORD_BITS] &= !(1 << (number % WORD_BITS));
        }
    }

    fn drain_one(&mut self) -> Option<Due> {
        let Draining { shift, start, slot } = self.draining.as_mut()?;
        if let Some(item) = slot.pop() {
            self.len -= 1;
            let moment = moment_of(item, *start, *shift);
            return Some(Due { hash: item & HASH_MASK, moment });
        }
        self.draining = None;
        None
    }

    fn first_slot(&self) -> Option<usize> {
        let word = self.occupied.iter().position(|word| *word != 0)?;
        let bit = usize::try_from(self.occupied[word].trailing_zeros()).unwrap_or(0);
        Some(word * WORD_BITS + bit)
    }

    fn start_of(&self, number: usize) -> i64 {
        let word = number / WORD_BITS;
        let shift = shift_of_word(word);
        let (index, bits) =
            if word < BASE_WORDS { (number, BASE_BITS) } else { (number % WORD_BITS, LEVEL_BITS) };
        let block = self.cursor >> (shift + bits) << (shift + bits);
        block | i64::try_from(index).unwrap_or(0) << shift
    }

    fn begin_draining(&mut self) {
        debug_assert!(self.draining.is_none(), "one slot is drained at a time");
        let Some(number) = self.first_slot() else { return };
        let (shift, start) = (shift_of_word(number / WORD_BITS), self.start_of(number));
        self.occupied[number / WORD_BITS] &= !(1 << (number % WORD_BITS));
        self.draining = self.slots[number].take().map(|slot| Draining { shift, start, slot });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const START: i64 = 1_790_000_000_000;

    fn key(number: u64) -> u64 {
        number << OFFSET_BITS
    }

    fn drain(wheel: &mut TimingWheel, now: i64) -> Vec<Due> {
        let mut budget = usize::MAX;
        std::iter::from_fn(|| wheel.pop_due(now, &mut budget)).collect()
    }

    #[test]
    fn fires_when_filed_and_hardly_before_the_deadline() {
        for delay in [0, 1, 255, 256, 257, 16_383, 16_384, 1 << 20, 1 << 26, 1 << 32] {
            let mut wheel = TimingWheel::new(START);
            let moment = wheel.file(key(7), START + delay).unwrap();
            let early = if delay < 1 << 20 { 63 } else { 1 << 12 };
            assert!((0..=early).contains(&(START + delay - moment)), "{delay}");
            assert!(wheel.next_due().unwrap() <= moment);
            if moment > START {
                assert_eq!(drain(&mut wheel, moment - 1), []);
            }
            assert_eq!(drain(&mut wheel, moment), [Due { hash: key(7), moment }]);
            assert_eq!((wheel.len(), wheel.next_due()), (0, None));
        }
    }

    #[test]
    fn past_deadlines_are_due_at_once_and_far_ones_are_refused() {
        let mut wheel = TimingWheel::new(START);
        assert_eq!(wheel.file(key(1), -5), Some(START));
        assert_eq!(wheel.file(key(2), HORIZON), None);
        assert_eq!(wheel.file(key(2), i64::MAX), None);
        assert_eq!(drain(&mut wheel, START).len(), 1);
        wheel.file(key(3), HORIZON - 1).unwrap();
        assert_eq!(drain(&mut wheel, i64::MAX).len(), 1);
    }

    #[test]
    fn budget_bounds_the_work_and_loses_nothing() {
        let mut wheel = TimingWheel::new(START);
        for number in 0..5000 {
            wheel.file(key(number), START + 100_000).unwrap();
        }
        let (mut turns, mut fired) = (0, BTreeSet::new());
        while !wheel.is_empty() {
            let mut budget = 10;
            while let Some(due) = wheel.pop_due(START + 200_000, &mut budget) {
                assert!(fired.insert(due.hash));
            }
            turns += 1;
        }
        assert_eq!(fired.len(), 5000);
        assert!((500..=2000).contains(&turns), "{turns}");
    }

    #[test]
    fn million_items_take_little_more_than_eight_bytes_each() {
        let mut wheel = TimingWheel::new(START);
        let empty = wheel.memory_bytes();
        for number in 0..1_000_000 {
            wheel.file(key(number), START + 3_600_000).unwrap();
        }
        assert!((wheel.memory_bytes() - empty) / 1000 < 8_200);
        let mut rng = fastrand::Rng::with_seed(3);
        assert!(wheel.sample(&mut rng).is_some() && wheel.earliest(&mut rng).is_some());
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set(
            steps in prop::collection::vec((0u32..40, 0u32..30, 0usize..40), 1..200),
        ) {
            let mut wheel = TimingWheel::new(START);
            let mut model = BTreeSet::new();
            let mut now = START;
            for (number, (delay, advance, mut budget)) in steps.into_iter().enumerate() {
                let hash = key(number as u64 + 1);
                let deadline = now + (1i64 << delay) + i64::from(advance);
                let moment = wheel.file(hash, deadline).unwrap();
                prop_assert!(moment <= deadline && deadline - moment < 1 << 18);
                model.insert((moment, hash));
                now += 1 << advance;
                while let Some(due) = wheel.pop_due(now, &mut budget) {
                    prop_assert!(due.moment <= now);
                    prop_assert_eq!(model.first(), model.range((due.moment, 0)..).next());
                    prop_assert!(model.remove(&(due.moment, due.hash)));
                }
                if delay % 4 == 0 {
                    let mut rng = fastrand::Rng::with_seed(u64::from(delay));
                    let sample = wheel.sample(&mut rng);
                    prop_assert_eq!(sample.is_some(), !model.is_empty());
                    if let Some(sample) = sample {
                        wheel.discard(sample);
                        let before = model.len();
                        model.retain(|(_, hash)| *hash != sample.hash);
                        prop_assert_eq!(model.len(), before - 1);
                    }
                    let earliest = wheel.earliest(&mut rng).map(|sample| sample.hash);
                    prop_assert!(earliest.is_none_or(|hash| model.iter().any(|it| it.1 == hash)));
                }
                prop_assert_eq!(wheel.len(), model.len());
                if budget > 0 {
                    prop_assert!(model.first().is_none_or(|first| first.0 > now));
                }
                if let Some((first, _)) = model.first() {
                    prop_assert!(wheel.next_due().unwrap() <= *first);
                }
            }
            let left: BTreeSet<_> =
                std::iter::from_fn(|| wheel.pop_any()).map(|due| (due.moment, due.hash)).collect();
            prop_assert_eq!(left, model);
        }
    }
}
