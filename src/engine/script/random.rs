//! Numbers for `math.random`: the 48-bit linear congruence of `lrand48`, whose sequences scripts
//! have come to rely on.

use std::cell::Cell;

const FACTOR: u64 = 0x0005_deec_e66d;
const ADDEND: u64 = 0xb;
const MASK: u64 = (1 << 48) - 1;
/// Low bits of a seeded state.
const SEED_TAIL: u64 = 0x330e;

/// A generator, seeded with 0 at first.
#[derive(Debug)]
pub(super) struct Random(Cell<u64>);

impl Default for Random {
    fn default() -> Self {
        Self(Cell::new(SEED_TAIL))
    }
}

impl Random {
    /// Starts the sequence of a seed, of which 32 bits count.
    pub(super) fn seed(&self, seed: i64) {
        self.0.set((seed.cast_unsigned() << 16 | SEED_TAIL) & MASK);
    }

    /// The next number of 0 up to 1.
    pub(super) fn unit(&self) -> f64 {
        const LIMIT: u32 = 0x7fff_ffff;
        let state = self.0.get().wrapping_mul(FACTOR).wrapping_add(ADDEND) & MASK;
        self.0.set(state);
        let bits = u32::try_from(state >> 17).unwrap_or(0);
        f64::from(bits % LIMIT) / f64::from(LIMIT)
    }
}
