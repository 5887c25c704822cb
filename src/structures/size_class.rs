//! Sizes in which the allocator hands out memory: what an allocation really takes.
//!
//! jemalloc's classes with a quantum of 8: multiples of 8 up to 64, then four per doubling.
//! An allocation made at the size of its class can grow within it without being moved.

const GRAIN: usize = 8;
const STEPS_PER_DOUBLING_LOG2: u32 = 2;
const LINEAR_MAX: usize = 64;

/// Bytes that an allocation of `bytes` takes. At least `bytes`; O(1).
#[inline]
pub const fn size_class(bytes: usize) -> usize {
    if bytes <= LINEAR_MAX {
        return if bytes == 0 { GRAIN } else { bytes.next_multiple_of(GRAIN) };
    }
    let step_log2 = (bytes - 1).ilog2() - STEPS_PER_DOUBLING_LOG2;
    let step = 1usize << step_log2;
    match bytes.checked_next_multiple_of(step) {
        Some(class) => class,
        None => bytes,
    }
}

/// Bytes that a hash map of the standard library takes for itself, when each of its items has so
/// many: a power of two of buckets, an eighth of them vacant at least, and a byte of tags for each.
pub fn hash_map_bytes(capacity: usize, item: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let buckets = (capacity * 8).div_ceil(7).next_power_of_two().max(4);
    size_class(buckets * (item + 1) + 16)
}

/// Bytes that a B-tree of the standard library takes for itself, about: nodes have room for eleven
/// items and are two thirds full.
pub fn btree_bytes(len: usize, item: usize) -> usize {
    const ROOM: usize = 11;
    let leaf = size_class(ROOM * item + 16);
    if len == 0 { 0 } else { leaf * (3 * len).div_ceil(2 * ROOM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_jemalloc() {
        let expected =
            [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
        let mut classes: Vec<usize> = (0..=384).map(size_class).collect();
        classes.dedup();
        assert_eq!(classes, expected);
        assert_eq!(size_class(1025), 1280);
        assert_eq!(size_class(usize::MAX), usize::MAX);
        assert!((0..100_000).all(|bytes| size_class(size_class(bytes)) == size_class(bytes)));
    }
}
