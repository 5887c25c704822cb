//! Redis's `HyperLogLog`: an estimate of how many different elements were seen, as a string that can
//! be copied between servers.
//!
//! ```text
//!   "HYLL"  encoding: u8 (0 dense, 1 sparse)  3 unused  estimate: u64, top bit: out of date
//!   dense:   16384 registers of 6 bits, low bits first
//!   sparse:  runs of registers
//!              00llllll            l+1 registers of 0
//!              01llllll llllllll   l+1 registers of 0, high bits first
//!              1vvvvvll            l+1 registers of v+1
//! ```
//!
//! An element's hash chooses a register (14 bits) and a rank (1 + trailing zeros of the other 50);
//! a register keeps the highest rank. The estimator is Otmar Ertl's ("New cardinality estimation
//! algorithms for `HyperLogLog` sketches", 2017): a sum over the histogram of registers.
//!
//! 1. A sparse sketch becomes dense when a rank exceeds 32 or it would outgrow a configured size.
//! 2. Bytes are the user's: every length is checked, and a run too many is an error, not a panic.
//! 3. The order in which runs are split and joined is the reference's, so that bytes are equal.

mod sparse;
#[cfg(test)]
mod tests;

/// Registers of a sketch.
pub const REGISTERS: usize = 1 << REGISTER_BITS;
/// Bytes of a dense sketch.
pub const DENSE_LEN: usize = HEADER + REGISTERS * 6 / 8;

const REGISTER_BITS: u32 = 14;
const HASH_BITS: u32 = 64 - REGISTER_BITS;
const HEADER: usize = 16;
const MAGIC: &[u8; 4] = b"HYLL";
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// Set in the last byte of the cached estimate when it is out of date.
const OUTDATED: u8 = 0x80;
const HASH_SEED: u64 = 0xadc8_3b19;
/// Values that six bits can have.
const RANKS: usize = 64;
/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// What is wrong with a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HllError {
    /// It was never a sketch.
    #[error("not a HyperLogLog")]
    NotHll,
    /// It was one: its runs don't cover each register once.
    #[error("corrupt HyperLogLog")]
    Corrupt,
}

/// How registers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "explained in the head of this file")]
pub enum Encoding {
    Dense,
    Sparse,
}

impl Encoding {
    /// As PFDEBUG prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Sparse => "sparse",
        }
    }
}

/// An empty sketch. 18 bytes.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4] = SPARSE;
    sparse::push_zeros(REGISTERS, &mut bytes);
    bytes
}

/// Checks that `bytes` look like a sketch. O(1): runs are checked by those who walk them.
#[inline]
pub fn encoding(bytes: &[u8]) -> Result<Encoding, HllError> {
    if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
        return Err(HllError::NotHll);
    }
    match bytes[4] {
        DENSE if bytes.len() == DENSE_LEN => Ok(Encoding::Dense),
        SPARSE => Ok(Encoding::Sparse),
        _ => Err(HllError::NotHll),
    }
}

/// Adds an element; whether a register changed. Dense O(1), sparse O(n). At an error nothing has
/// changed.
pub fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_max_bytes: usize) -> Result<bool, HllError> {
    let (register, rank) = place(element);
    raise(bytes, register, rank, sparse_max_bytes)
}

/// Adds an element to a dense sketch in place; `None` if it isn't one.
#[inline]
pub fn add_dense(bytes: &mut [u8], element: &[u8]) -> Option<bool> {
    let Ok(Encoding::Dense) = encoding(bytes) else { return None };
    let (register, rank) = place(element);
    let raised = raise_dense(&mut bytes[HEADER..], register, rank);
    if raised {
        outdate(bytes);
    }
    Some(raised)
}

/// Whether adding an element to a dense sketch would change nothing; `None` if it isn't one.
#[inline]
pub fn holds_dense(bytes: &[u8], element: &[u8]) -> Option<bool> {
    let Ok(Encoding::Dense) = encoding(bytes) else { return None };
    let (register, rank) = place(element);
    Some(read_dense(&bytes[HEADER..], register) >= rank)
}

/// The estimate as kept in the header, unless it is out of date.
#[inline]
pub fn cached_count(bytes: &[u8]) -> Result<Option<u64>, HllError> {
    encoding(bytes)?;
    let estimate = cache(bytes);
    Ok((estimate[7] & OUTDATED == 0).then(|| u64::from_le_bytes(estimate)))
}

/// The estimate computed anew. O(n).
pub fn count(bytes: &[u8]) -> Result<u64, HllError> {
    let histogram = match encoding(bytes)? {
        Encoding::Dense => dense_histogram(&bytes[HEADER..]),
        Encoding::Sparse => {
            let mut histogram = [0; RANKS];
            sparse::walk(&bytes[HEADER..], |_, len, rank| histogram[usize::from(rank)] += len)?;
            histogram
        }
    };
    Ok(estimate(&histogram))
}

/// Keeps `count` in the header of a sketch.
pub fn store_count(bytes: &mut [u8], count: u64) -> Result<(), HllError> {
    encoding(bytes)?;
    bytes[8..HEADER].copy_from_slice(&count.to_le_bytes());
    Ok(())
}

/// Marks the estimate in the header of a sketch as out of date. PFADD does so to what it creates.
#[inline]
pub fn outdate(bytes: &mut [u8]) {
    if let Some(last) = bytes.get_mut(HEADER - 1) {
        *last |= OUTDATED;
    }
}

/// Makes a sparse sketch dense; whether it was sparse. O(n). At an error nothing has changed.
pub fn to_dense(bytes: &mut Vec<u8>) -> Result<bool, HllError> {
    if encoding(bytes)? == Encoding::Dense {
        return Ok(false);
    }
    let mut dense = vec![0; DENSE_LEN];
    dense[..HEADER].copy_from_slice(&bytes[..HEADER]);
    dense[4] = DENSE;
    let registers = &mut dense[HEADER..];
    sparse::walk(&bytes[HEADER..], |first, len, rank| {
        if rank > 0 {
            (first..first + len).for_each(|register| write_dense(registers, register, rank));
        }
    })?;
    *bytes = dense;
    Ok(true)
}

/// The runs of a sparse sketch in words: `z:` and `Z:` short and long runs of zeros, `v:` rank and
/// length. `None` if it is dense.
pub fn describe(bytes: &[u8]) -> Result<Option<String>, HllError> {
    match encoding(bytes)? {
        Encoding::Dense => Ok(None),
        Encoding::Sparse => Ok(Some(sparse::describe(&bytes[HEADER..])?)),
    }
}

/// All registers of one or several sketches.
#[derive(Clone, PartialEq, Eq)]
pub struct Registers {
    ranks: Box<[u8; REGISTERS]>,
    any_dense: bool,
}

impl std::fmt::Debug for Registers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registers").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

impl Registers {
    /// All zero. 16 KiB.
    pub fn new() -> Self {
        Self { ranks: Box::new([0; REGISTERS]), any_dense: false }
    }

    /// Raises each register to what it is in `bytes`.
    pub fn absorb(&mut self, bytes: &[u8]) -> Result<(), HllError> {
        match encoding(bytes)? {
            Encoding::Dense => {
                self.any_dense = true;
                let (packed, _) = bytes[HEADER..].as_chunks::<3>();
                let (ranks, _) = self.ranks.as_chunks_mut::<4>();
                for (ranks, packed) in ranks.iter_mut().zip(packed) {
                    for (rank, found) in ranks.iter_mut().zip(unpack(*packed)) {
                        *rank = (*rank).max(found);
                    }
                }
                Ok(())
            }
            Encoding::Sparse => sparse::walk(&bytes[HEADER..], |first, len, rank| {
                for own in &mut self.ranks[first..first + len] {
                    *own = (*own).max(rank);
                }
            }),
        }
    }

    /// Each register's rank.
    pub fn ranks(&self) -> &[u8] {
        &self.ranks[..]
    }

    /// The estimate of the union.
    pub fn count(&self) -> u64 {
        let mut histogram = [0; RANKS];
        for rank in self.ranks() {
            histogram[usize::from(*rank)] += 1;
        }
        estimate(&histogram)
    }

    /// Raises the registers of `bytes` to these; dense if one of the absorbed was. The estimate in
    /// its header is then out of date, whatever changed. At an error some may have changed.
    pub fn store(&self, bytes: &mut Vec<u8>, sparse_max_bytes: usize) -> Result<(), HllError> {
        encoding(bytes)?;
        if self.any_dense {
            to_dense(bytes)?;
        }
        let mut own = Self::new();
        own.absorb(bytes)?;
        for (register, (rank, old)) in self.ranks.iter().zip(own.ranks()).enumerate() {
            // Raising to what it is already changes no byte.
            if rank > old {
                raise(bytes, register, *rank, sparse_max_bytes)?;
            }
        }
        outdate(bytes);
        Ok(())
    }
}

/// The register that an element belongs to, and its rank there.
#[inline]
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element, HASH_SEED);
    let [low, high, ..] = hash.to_le_bytes();
    let register = usize::from(u16::from_le_bytes([low, high])) % REGISTERS;
    // A bit behind the last ends the count.
    let rest = (hash >> REGISTER_BITS) | (1 << HASH_BITS);
    let rank = u8::try_from(rest.trailing_zeros() + 1).unwrap_or_default();
    (register, rank)
}

/// Raises one register; whether it was lower.
fn raise(
    bytes: &mut Vec<u8>,
    register: usize,
    rank: u8,
    sparse_max_bytes: usize,
) -> Result<bool, HllError> {
    let raised = match encoding(bytes)? {
        Encoding::Dense => raise_dense(&mut bytes[HEADER..], register, rank),
        Encoding::Sparse => match sparse::raise(bytes, register, rank, sparse_max_bytes)? {
            sparse::Raised::No => false,
            sparse::Raised::Yes => true,
            sparse::Raised::TooLarge => {
                to_dense(bytes)?;
                raise_dense(&mut bytes[HEADER..], register, rank)
            }
        },
    };
    if raised {
        outdate(bytes);
    }
    Ok(raised)
}

#[inline]
fn cache(bytes: &[u8]) -> [u8; 8] {
    bytes[8..].first_chunk().copied().unwrap_or_default()
}

/// Four registers out of three bytes.
#[inline]
fn unpack([a, b, c]: [u8; 3]) -> [u8; 4] {
    [a & 63, (a >> 6 | b << 2) & 63, (b >> 4 | c << 4) & 63, c >> 2]
}

#[inline]
fn raise_dense(registers: &mut [u8], register: usize, rank: u8) -> bool {
    let lower = read_dense(registers, register) < rank;
    if lower {
        write_dense(registers, register, rank);
    }
    lower
}

#[inline]
fn read_dense(registers: &[u8], register: usize) -> u8 {
    let at = register / 4 * 3;
    unpack([registers[at], registers[at + 1], registers[at + 2]])[register % 4]
}

#[inline]
fn write_dense(registers: &mut [u8], register: usize, rank: u8) {
    let at = register / 4 * 3;
    let packed = &mut registers[at..at + 3];
    match register % 4 {
        0 => packed[0] = packed[0] & 0xc0 | rank,
        1 => {
            packed[0] = packed[0] & 0x3f | rank << 6;
            packed[1] = packed[1] & 0xf0 | rank >> 2;
        }
        2 => {
            packed[1] = packed[1] & 0x0f | rank << 4;
            packed[2] = packed[2] & 0xfc | rank >> 4;
        }
        _ => packed[2] = packed[2] & 0x03 | rank << 2,
    }
}

/// How many registers have each rank.
fn dense_histogram(registers: &[u8]) -> [usize; RANKS] {
    // Four counters per rank: neighbours of equal rank don't wait for each other.
    let mut counts = [[0_u16; RANKS]; 4];
    for packed in registers.as_chunks::<3>().0 {
        for (counts, rank) in counts.iter_mut().zip(unpack(*packed)) {
            counts[usize::from(rank)] += 1;
        }
    }
    std::array::from_fn(|rank| counts.iter().map(|counts| usize::from(counts[rank])).sum())
}

/// Ertl's improved estimate. The order of operations is the reference's: digits must be equal.
fn estimate(histogram: &[usize; RANKS]) -> u64 {
    let real = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let ranks_max = usize::try_from(HASH_BITS).unwrap_or_default();
    let m = real(REGISTERS);
    let mut z = m * tau((m - real(histogram[ranks_max + 1])) / m);
    for count in histogram[1..=ranks_max].iter().rev() {
        z += real(*count);
        z *= 0.5;
    }
    z += m * sigma(real(histogram[0]) / m);
    let estimate = (ALPHA * m * m / z).round();
    #[allow(clippy::cast_possible_truncation, reason = "saturates")]
    #[allow(clippy::cast_sign_loss, reason = "never negative")]
    let estimate = estimate as u64;
    estimate
}

/// What registers still at zero contribute.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z.to_bits() == before.to_bits() {
            return z;
        }
    }
}

/// What registers at the highest rank contribute.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z.to_bits() == before.to_bits() {
            return z / 3.0;
        }
    }
}

/// Austin Appleby's `MurmurHash64A`, read as little endian everywhere.
#[inline]
fn murmur64a(data: &[u8], seed: u64) -> u64 {
    const MIX: u64 = 0xc6a4_a793_5bd1_e995;
    const SHIFT: u32 = 47;
    let len = u64::try_from(data.len()).unwrap_or_default();
    let mut hash = seed ^ len.wrapping_mul(MIX);
    let (words, rest) = data.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(MIX);
        word ^= word >> SHIFT;
        hash = (hash ^ word.wrapping_mul(MIX)).wrapping_mul(MIX);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(MIX);
    }
    hash = (hash ^ hash >> SHIFT).wrapping_mul(MIX);
    hash ^ hash >> SHIFT
}

/// Checks the machinery on random data: registers keep what is written, sparse and dense sketches
/// agree, and estimates are as near as theory promises. Takes some 10 ms. Says what failed.
pub fn self_test(seed: u64) -> Result<(), String> {
    const ELEMENTS: u64 = 100_000;
    const SPARSE_MAX_BYTES: usize = 3000;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut registers = vec![0; DENSE_LEN - HEADER];
    let mut model = [0; REGISTERS];
    for (register, rank) in model.iter_mut().enumerate() {
        *rank = random.u8(..64);
        write_dense(&mut registers, register, *rank);
    }
    if let Some(at) = (0..REGISTERS).find(|at| read_dense(&registers, *at) != model[*at]) {
        return Err(format!("register {at} isn't what was written"));
    }
    let (mut sparse, mut dense) = (empty(), empty());
    let says = |error: HllError| error.to_string();
    to_dense(&mut dense).map_err(says)?;
    // Standard error of an estimate; the reference allows six of them for few elements.
    let error = 1.04 / f64::from(u32::try_from(REGISTERS).unwrap_or(u32::MAX)).sqrt();
    let (base, mut checkpoint) = (random.u64(..), 1);
    for element in 1..=ELEMENTS {
        let bytes = (base ^ element).to_le_bytes();
        let changed = add(&mut sparse, &bytes, SPARSE_MAX_BYTES).map_err(says)?;
        if changed != add(&mut dense, &bytes, SPARSE_MAX_BYTES).map_err(says)? {
            return Err(format!("encodings disagree about element {element}"));
        }
        if element != checkpoint {
            continue;
        }
        checkpoint *= 10;
        let found = count(&dense).map_err(says)?;
        if found != count(&sparse).map_err(says)? {
            return Err(format!("encodings disagree about {element} elements"));
        }
        let difference = f64::from(u32::try_from(found.abs_diff(element)).unwrap_or(u32::MAX));
        let allowed = 6.0 * error * f64::from(u32::try_from(element).unwrap_or(u32::MAX));
        if difference > allowed.ceil() {
            return Err(format!("{found} estimated for {element} elements"));
        }
    }
    Ok(())
}
