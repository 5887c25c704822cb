//! How often hashes were seen lately, about: a count-min sketch of 4-bit counters that ages.
//!
//! A hash owns four counters in one block of 64 bytes, so noting one touches one cache line; its
//! frequency is the smallest of the four, at most 15. To forget the past, every block is halved
//! once while twenty hashes per key of the expected number are noted: one block at a time, so that
//! nobody waits for a sweep. For the same reason it grows by linear hashing, one chunk of 64 KiB at
//! a time. 8 to 16 bytes per expected key.
//!
//! The idea is that of `TinyLFU` (Einziger, Friedman, Manes: "`TinyLFU`: A Highly Efficient Cache
//! Admission Policy", 2017).

use std::cell::Cell;
use std::fmt;

/// Words of 16 counters in a block.
const WORDS: usize = 8;
/// Counters of a hash, each in a pair of words of its own.
const ROWS: usize = 4;
/// Blocks of a chunk.
const CHUNK_BLOCKS: usize = 1024;
/// Keys that a block serves.
const KEYS_PER_BLOCK: usize = 8;
/// Hashes noted per expected key while every counter is halved once.
const SAMPLE_PER_KEY: usize = 20;
/// The largest value of a counter.
const FULL: u64 = 15;
/// All counters of a word but their highest bit: what is left of them when halved.
const HALVES: u64 = 0x7777_7777_7777_7777;

type Block = [Cell<u64>; WORDS];

/// See the head of the file. Notes hashes under a shared reference.
pub struct FrequencySketch {
    chunks: Vec<Box<[Block]>>,
    /// Hashes noted until a block is halved.
    until_halved: Cell<usize>,
    /// That block.
    next_halved: Cell<usize>,
}

impl fmt::Debug for FrequencySketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrequencySketch")
            .field("chunks", &self.chunks.len())
            .finish_non_exhaustive()
    }
}

impl Default for FrequencySketch {
    fn default() -> Self {
        Self {
            chunks: vec![chunk()],
            until_halved: Cell::new(SAMPLE_PER_KEY * KEYS_PER_BLOCK),
            next_halved: Cell::new(0),
        }
    }
}

fn chunk() -> Box<[Block]> {
    (0..CHUNK_BLOCKS).map(|_| Block::default()).collect()
}

/// Where a hash's counters are within its block: word and shift of each.
fn places(hash: u64) -> [(usize, u32); ROWS] {
    // The low bits choose the block: others are mixed out of all of them. Knuth's multiplier.
    let bits = hash.wrapping_mul(6_364_136_223_846_793_005) >> 40;
    let [low, middle, high, ..] = bits.to_le_bytes();
    let [fourth, ..] = (low ^ middle.rotate_left(3) ^ high.rotate_left(5)).to_le_bytes();
    let mut row = 0;
    [low, middle, high, fourth].map(|byte| {
        let place = (2 * row + usize::from(byte >> 7), u32::from(byte & 15) * 4);
        row += 1;
        place
    })
}

impl FrequencySketch {
    /// The block of a hash. Linear hashing: chunks are split in order, each into itself and one
    /// at the end.
    fn block(&self, hash: u64) -> &Block {
        let chunks = self.chunks.len();
        let full = chunks.next_power_of_two();
        let high = usize::try_from(hash >> 10 & u64::from(u32::MAX)).unwrap_or(0);
        let wanted = high & (full - 1);
        let chunk = if wanted < chunks { wanted } else { wanted & (full / 2 - 1) };
        let index = usize::try_from(hash & (CHUNK_BLOCKS as u64 - 1)).unwrap_or(0);
        &self.chunks[chunk][index]
    }

    /// Notes that a hash was seen. O(1).
    pub fn note(&self, hash: u64) {
        let block = self.block(hash);
        let least = self.frequency(hash);
        if u64::from(least) < FULL {
            for (word, shift) in places(hash) {
                let counters = &block[word];
                // Only the smallest grow: the others belong to more frequent neighbours.
                if counters.get() >> shift & FULL == u64::from(least) {
                    counters.set(counters.get() + (1 << shift));
                }
            }
        }
        self.age();
    }

    /// How often it was seen lately, 0 to 15. O(1).
    pub fn frequency(&self, hash: u64) -> u8 {
        let block = self.block(hash);
        let counters = places(hash).map(|(word, shift)| block[word].get() >> shift & FULL);
        counters.into_iter().min().and_then(|least| u8::try_from(least).ok()).unwrap_or(0)
    }

    fn age(&self) {
        let left = self.until_halved.get() - 1;
        if left > 0 {
            self.until_halved.set(left);
            return;
        }
        self.until_halved.set(SAMPLE_PER_KEY * KEYS_PER_BLOCK);
        let at = self.next_halved.get();
        let block = &self.chunks[at / CHUNK_BLOCKS][at % CHUNK_BLOCKS];
        for word in block {
            word.set(word.get() >> 1 & HALVES);
        }
        self.next_halved.set((at + 1) % (self.chunks.len() * CHUNK_BLOCKS));
    }

    /// Grows by one chunk if it is too small for so many keys. O(1): 64 KiB are copied.
    pub fn fit(&mut self, keys: usize) {
        let chunks = self.chunks.len();
        if keys <= chunks * CHUNK_BLOCKS * KEYS_PER_BLOCK {
            return;
        }
        let half = (chunks + 1).next_power_of_two() / 2;
        // What is noted for the hashes that move is noted in both: an estimate may be too high.
        let copy = self.chunks[chunks - half].clone();
        self.chunks.push(copy);
    }

    /// Bytes allocated.
    pub fn memory_bytes(&self) -> usize {
        self.chunks.len() * CHUNK_BLOCKS * size_of::<Block>()
            + self.chunks.capacity() * size_of::<Box<[Block]>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::KeyHasher;

    fn hash(number: usize) -> u64 {
        KeyHasher::new(7).hash(&number.to_le_bytes())
    }

    #[test]
    fn what_is_frequent_is_told_from_what_is_rare() {
        let mut sketch = FrequencySketch::default();
        for _ in 0..40 {
            sketch.fit(100_000);
        }
        for round in 0..12 {
            (0..1000).for_each(|number| sketch.note(hash(number)));
            (0..30_000).for_each(|number| sketch.note(hash(1_000_000 + round * 30_000 + number)));
        }
        let frequent = (0..1000).filter(|number| sketch.frequency(hash(*number)) >= 6).count();
        assert!(frequent > 950, "{frequent}");
        let rare = (0..30_000).map(|number| sketch.frequency(hash(1_360_000 - 1 - number)));
        let mistaken = rare.filter(|frequency| *frequency >= 4).count();
        assert!(mistaken < 600, "{mistaken}");
    }

    #[test]
    fn the_past_is_forgotten() {
        let sketch = FrequencySketch::default();
        (0..100).for_each(|_| sketch.note(hash(1)));
        assert_eq!(sketch.frequency(hash(1)), 15);
        let sample = CHUNK_BLOCKS * KEYS_PER_BLOCK * SAMPLE_PER_KEY;
        (0..sample).for_each(|_| sketch.note(hash(2)));
        assert!((6..=8).contains(&sketch.frequency(hash(1))));
    }

    #[test]
    fn growing_keeps_what_is_known() {
        let mut sketch = FrequencySketch::default();
        (0..5000).for_each(|number| (0..3).for_each(|_| sketch.note(hash(number))));
        let chunk = CHUNK_BLOCKS * KEYS_PER_BLOCK;
        for chunks in 2..=9 {
            sketch.fit((chunks - 1) * chunk + 1);
            assert_eq!(sketch.chunks.len(), chunks);
            sketch.fit(chunks * chunk);
            assert_eq!(sketch.chunks.len(), chunks);
            assert!((0..5000).all(|number| sketch.frequency(hash(number)) >= 1));
        }
    }
}
