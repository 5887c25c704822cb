//! Buffers in which small collections are looked at and changed: lent, and given back.
//!
//! Small collections stand beside their keys as bytes. Whoever looks at one gets a copy for the
//! time of a command, and to allocate it anew each time would cost more than the look. So a thread
//! keeps a buffer of each kind; who finds it taken makes another one, and of those that come back
//! one is kept.
//!
//! A lent buffer is told by its capacity, which no size class has. It does not shrink. What is to
//! stay is copied out of it.

use std::cell::Cell;

/// The capacity of a lent buffer. Larger than anything that stands beside its key, with what is
/// mostly added to it in one change.
pub(crate) const CAPACITY: usize = 1020;

thread_local! {
    static PACK: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static BLOCK: Cell<Box<[u8]>> = Cell::default();
}

/// Whether a buffer of this capacity was lent.
#[inline]
pub(super) fn is_lent(capacity: usize) -> bool {
    capacity == CAPACITY
}

/// An empty buffer for a listpack.
#[inline]
pub(super) fn lend_pack() -> Vec<u8> {
    let mut buffer = PACK.try_with(Cell::take).unwrap_or_default();
    if !is_lent(buffer.capacity()) {
        return Vec::with_capacity(CAPACITY);
    }
    buffer.clear();
    buffer
}

/// Takes the buffer of a listpack back.
#[inline]
pub(super) fn give_pack(buffer: Vec<u8>) {
    // While a thread ends nothing is kept.
    let _ = PACK.try_with(|spare| spare.set(buffer));
}

/// A buffer for an intset, or for packing what is looked at, with whatever it held.
#[inline]
pub(crate) fn lend_block() -> Box<[u8]> {
    let buffer = BLOCK.try_with(Cell::take).unwrap_or_default();
    if is_lent(buffer.len()) { buffer } else { vec![0; CAPACITY].into_boxed_slice() }
}

/// Takes such a buffer back.
#[inline]
pub(crate) fn give_block(buffer: Box<[u8]>) {
    // While a thread ends nothing is kept.
    let _ = BLOCK.try_with(|spare| spare.set(buffer));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_lent_again_and_only_one_is_kept() {
        let (one, other) = (lend_pack(), lend_pack());
        let (first, last) = (one.as_ptr().addr(), other.as_ptr().addr());
        give_pack(one);
        give_pack(other);
        assert!(first != last);
        let again = lend_pack();
        assert!(again.is_empty() && is_lent(again.capacity()) && again.as_ptr().addr() == last);
        let block = lend_block();
        let place = block.as_ptr().addr();
        give_block(block);
        let again = lend_block();
        assert_eq!(again.as_ptr().addr(), place);
    }
}
