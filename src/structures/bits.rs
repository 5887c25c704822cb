//! Bits of byte strings: single ones, ranges, whole-string operators, fields of up to 64 bits.
//!
//! Bit 0 is the most significant bit of byte 0, as SETBIT counts. Bytes beyond the end read as
//! zeros. Everything is pure: growing the string is the caller's business.

use std::ops::Range;

/// The bit at `at`.
pub fn get(bytes: &[u8], at: usize) -> bool {
    bytes.get(at / 8).is_some_and(|byte| byte & mask(at) != 0)
}

/// Sets the bit at `at`, which lies inside `bytes`.
pub fn set(bytes: &mut [u8], at: usize, on: bool) {
    let byte = &mut bytes[at / 8];
    if on {
        *byte |= mask(at);
    } else {
        *byte &= !mask(at);
    }
}

/// Ones in `bytes`. O(n), eight bytes at a time.
pub fn count(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: u64 =
        words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// Ones among the bits `range` of `bytes`.
pub fn count_in(bytes: &[u8], range: Range<usize>) -> u64 {
    let Some(parts) = Parts::of(bytes, &range) else { return 0 };
    u64::from(parts.head.count_ones()) + count(parts.middle) + u64::from(parts.tail.count_ones())
}

/// Place of the first bit among `range` that is `wanted`. The range lies inside `bytes`.
pub fn find(bytes: &[u8], range: Range<usize>, wanted: bool) -> Option<usize> {
    let mut at = range.start;
    while at < range.end && !at.is_multiple_of(8) {
        if get(bytes, at) == wanted {
            return Some(at);
        }
        at += 1;
    }
    if at >= range.end {
        return None;
    }
    // The last byte may be looked at whole: what is found behind the range is dropped below.
    let whole = &bytes[at / 8..range.end.div_ceil(8)];
    let dull = if wanted { 0 } else { u8::MAX };
    let (words, _) = whole.as_chunks::<8>();
    let skipped = words.iter().take_while(|word| **word == [dull; 8]).count() * 8;
    let byte = skipped + whole[skipped..].iter().position(|byte| *byte != dull)?;
    let odd = if wanted { whole[byte] } else { !whole[byte] };
    let found = at + byte * 8 + usize::try_from(odd.leading_zeros()).unwrap_or(0);
    (found < range.end).then_some(found)
}

fn mask(at: usize) -> u8 {
    0x80 >> (at % 8)
}

/// A range of bits as masked bytes at its ends and whole bytes between.
struct Parts<'a> {
    head: u8,
    middle: &'a [u8],
    tail: u8,
}

impl<'a> Parts<'a> {
    fn of(bytes: &'a [u8], range: &Range<usize>) -> Option<Self> {
        if range.start >= range.end {
            return None;
        }
        let (first, last) = (range.start / 8, (range.end - 1) / 8);
        let from = u8::MAX >> (range.start % 8);
        let until = u8::MAX << (7 - (range.end - 1) % 8);
        Some(if first == last {
            Self { head: bytes[first] & from & until, middle: &[], tail: 0 }
        } else {
            let middle = &bytes[first + 1..last];
            Self { head: bytes[first] & from, middle, tail: bytes[last] & until }
        })
    }
}

/// How BITOP joins strings, bit by bit. X is the first of them, Y all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// In all.
    And,
    /// In any.
    Or,
    /// In an odd number.
    Xor,
    /// Not in the only one.
    Not,
    /// In X and in no Y.
    Diff,
    /// In a Y and not in X.
    Diff1,
    /// In X and in a Y.
    AndOr,
    /// In just one.
    One,
}

/// Bytes joined at a time: all sources of one block stay in the first-level cache.
const BLOCK: usize = 4096;

/// Joins `sources`; shorter ones are continued with zeros. O(total length).
pub fn combine(operator: Operator, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut joined = vec![0; len];
    for (index, block) in joined.chunks_mut(BLOCK).enumerate() {
        let block_len = block.len();
        let part = |source: &[u8]| {
            let from = (index * BLOCK).min(source.len());
            from..source.len().min(from + block_len)
        };
        let mut parts = sources.iter().map(|source| &source[part(source)]);
        let first = parts.next().unwrap_or(&[]);
        block[..first.len()].copy_from_slice(first);
        join(operator, block, parts);
    }
    joined
}

/// Joins what `block` holds with the same block of the other sources.
fn join<'a>(operator: Operator, block: &mut [u8], others: impl Iterator<Item = &'a [u8]>) {
    match operator {
        Operator::Not => block.iter_mut().for_each(|byte| *byte = !*byte),
        Operator::And => {
            for other in others {
                merge(block, other, |x, y| x & y);
                block[other.len()..].fill(0);
            }
        }
        Operator::Or => others.for_each(|other| merge(block, other, |x, y| x | y)),
        Operator::Xor => others.for_each(|other| merge(block, other, |x, y| x ^ y)),
        Operator::Diff | Operator::Diff1 | Operator::AndOr => {
            let mut any = [0; BLOCK];
            let any = &mut any[..block.len()];
            others.for_each(|other| merge(any, other, |x, y| x | y));
            match operator {
                Operator::Diff => merge(block, any, |x, y| x & !y),
                Operator::Diff1 => merge(block, any, |x, y| !x & y),
                _ => merge(block, any, |x, y| x & y),
            }
        }
        Operator::One => {
            let mut twice = [0; BLOCK];
            let twice = &mut twice[..block.len()];
            for other in others {
                for ((seen, again), new) in block.iter_mut().zip(twice.iter_mut()).zip(other) {
                    *again |= *seen & new;
                    *seen |= new;
                }
            }
            merge(block, twice, |x, y| x & !y);
        }
    }
}

fn merge(block: &mut [u8], other: &[u8], with: impl Fn(u8, u8) -> u8) {
    for (byte, other) in block.iter_mut().zip(other) {
        *byte = with(*byte, *other);
    }
}

/// What happens to a number that its field can't hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The upper bits are lost.
    #[default]
    Wrap,
    /// The nearest number that fits is taken.
    Saturate,
    /// Nothing is stored.
    Fail,
}

/// An integer of a string's bits: `i1` to `i64`, `u1` to `u63`.
///
/// Unsigned fields stop at 63 bits, so every content fits an `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    is_signed: bool,
    width: u8,
}

impl Field {
    /// A field of `width` bits; `None` when there is none so wide.
    pub fn new(is_signed: bool, width: i64) -> Option<Self> {
        let widest = if is_signed { 64 } else { 63 };
        let width = u8::try_from(width).ok().filter(|width| (1..=widest).contains(width))?;
        Some(Self { is_signed, width })
    }

    /// Bits it takes.
    pub fn width(self) -> usize {
        usize::from(self.width)
    }

    /// The number in the field that starts at bit `at`.
    pub fn read(self, bytes: &[u8], at: usize) -> i64 {
        let shift = 128 - u32::from(self.width);
        let window = window(bytes, at) << (at % 8) >> shift;
        self.extend(window)
    }

    /// Stores `value`, which fits, in the field that starts at bit `at` and lies inside `bytes`.
    pub fn write(self, bytes: &mut [u8], at: usize, value: i64) {
        let shift = 128 - self.width() - at % 8;
        let ones = u128::MAX >> (128 - u32::from(self.width));
        let kept = window(bytes, at) & !(ones << shift);
        let window = kept | (i128::from(value).cast_unsigned() & ones) << shift;
        let from = at / 8;
        let until = (at + self.width()).div_ceil(8);
        bytes[from..until].copy_from_slice(&window.to_be_bytes()[..until - from]);
    }

    /// What is stored for `value`; `None` when it is to fail.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        // A negative number for an unsigned field is a very large one.
        let value =
            if self.is_signed { i128::from(value) } else { i128::from(value.cast_unsigned()) };
        // Redis takes the distance to the largest number in 64 bits: from the very smallest numbers
        // on it looks negative, as if the value were too large.
        let max = (1_i128 << (self.width() - usize::from(self.is_signed))) - 1;
        let is_taken_for_large =
            self.is_signed && self.width() < 64 && max - value > i128::from(i64::MAX);
        if is_taken_for_large && matches!(overflow, Overflow::Saturate) {
            return i64::try_from(max).ok();
        }
        self.settle(value, overflow)
    }

    /// What is stored for `value` + `increment`; `None` when it is to fail.
    pub fn add(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.settle(i128::from(value) + i128::from(increment), overflow)
    }

    fn settle(self, value: i128, overflow: Overflow) -> Option<i64> {
        let bits = u32::from(self.width) - u32::from(self.is_signed);
        let max = (1_i128 << bits) - 1;
        let min = if self.is_signed { -max - 1 } else { 0 };
        match overflow {
            Overflow::Fail if !(min..=max).contains(&value) => None,
            Overflow::Saturate | Overflow::Fail => i64::try_from(value.clamp(min, max)).ok(),
            Overflow::Wrap => {
                let ones = u128::MAX >> (128 - u32::from(self.width));
                Some(self.extend(value.cast_unsigned() & ones))
            }
        }
    }

    /// The number that the low bits of `raw` spell.
    fn extend(self, raw: u128) -> i64 {
        let shift = 128 - u32::from(self.width);
        let raw = raw << shift;
        let value =
            if self.is_signed { raw.cast_signed() >> shift } else { (raw >> shift).cast_signed() };
        // Every width of `Field::new` fits.
        i64::try_from(value).unwrap_or_default()
    }
}

/// The 16 bytes from the one that holds bit `at`, as a big-endian number.
fn window(bytes: &[u8], at: usize) -> u128 {
    let mut window = [0; 16];
    let there = bytes.get(at / 8..).unwrap_or_default();
    let there = &there[..there.len().min(16)];
    window[..there.len()].copy_from_slice(there);
    u128::from_be_bytes(window)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn naive_field(field: Field, bytes: &[u8], at: usize) -> i64 {
        let mut value = -i128::from(field.is_signed && get(bytes, at));
        for bit in at..at + field.width() {
            value = value * 2 + i128::from(get(bytes, bit));
        }
        i64::try_from(value).unwrap()
    }

    fn field() -> impl Strategy<Value = Field> {
        (any::<bool>(), 1..=63_i64).prop_map(|(is_signed, width)| {
            Field::new(is_signed, width + i64::from(is_signed)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn counting_and_finding_agree_with_single_bits(
            bytes in prop::collection::vec(prop::sample::select(vec![0, 1, 0x80, 0xfe, 0xff]), 1..40),
            ends in any::<(prop::sample::Index, prop::sample::Index)>(),
            wanted: bool,
        ) {
            let (one, other) = (ends.0.index(bytes.len() * 8), ends.1.index(bytes.len() * 8));
            let range = one.min(other)..one.max(other) + 1;
            let mut bits = range.clone();
            prop_assert_eq!(
                count_in(&bytes, range.clone()),
                bits.clone().map(|at| u64::from(get(&bytes, at))).sum::<u64>()
            );
            prop_assert_eq!(
                find(&bytes, range, wanted),
                bits.find(|at| get(&bytes, *at) == wanted)
            );
            prop_assert_eq!(count(&bytes), count_in(&bytes, 0..bytes.len() * 8));
        }

        #[test]
        fn fields_read_what_was_written_and_leave_neighbours_alone(
            mut bytes in prop::collection::vec(any::<u8>(), 20),
            field in field(),
            at in 0_usize..96,
            value: i64,
        ) {
            prop_assert_eq!(field.read(&bytes, at), naive_field(field, &bytes, at));
            let before = bytes.clone();
            let stored = field.fit(value, Overflow::Wrap).unwrap();
            field.write(&mut bytes, at, stored);
            prop_assert_eq!(field.read(&bytes, at), stored);
            for bit in (0..160).filter(|bit| !(at..at + field.width()).contains(bit)) {
                prop_assert_eq!(get(&bytes, bit), get(&before, bit));
            }
        }

        #[test]
        fn joining_agrees_with_single_bits(
            sources in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 2..5),
        ) {
            let slices: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let bits = slices.iter().map(|source| source.len()).max().unwrap() * 8;
            let check = |operator, wanted: &dyn Fn(bool, usize, usize) -> bool| {
                let joined = combine(operator, &slices);
                for at in 0..bits {
                    let first = get(slices[0], at);
                    let others = slices[1..].iter().filter(|source| get(source, at)).count();
                    assert_eq!(get(&joined, at), wanted(first, others, slices.len() - 1));
                }
                assert_eq!(joined.len() * 8, bits);
            };
            check(Operator::And, &|x, y, others| x && y == others);
            check(Operator::Or, &|x, y, _| x || y > 0);
            check(Operator::Xor, &|x, y, _| x ^ (y % 2 == 1));
            check(Operator::Diff, &|x, y, _| x && y == 0);
            check(Operator::Diff1, &|x, y, _| !x && y > 0);
            check(Operator::AndOr, &|x, y, _| x && y > 0);
            check(Operator::One, &|x, y, _| usize::from(x) + y == 1);
        }
    }

    #[test]
    fn blocks_are_joined_at_their_own_offset() {
        let long: Vec<u8> = (0..3 * BLOCK + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let short = vec![0xff; BLOCK + 9];
        let joined = combine(Operator::And, &[&long, &short]);
        assert_eq!(joined[..short.len()], long[..short.len()]);
        assert!(joined[short.len()..].iter().all(|byte| *byte == 0));
        assert_eq!(combine(Operator::Not, &[&combine(Operator::Not, &[&long])]), long);
    }

    #[test]
    fn overflow_wraps_saturates_or_fails() {
        let check = |is_signed, width, value, by, wrap, saturate| {
            let field = Field::new(is_signed, width).unwrap();
            assert_eq!(field.add(value, by, Overflow::Wrap), Some(wrap));
            assert_eq!(field.add(value, by, Overflow::Saturate), Some(saturate));
            assert_eq!(field.add(value, by, Overflow::Fail), None);
        };
        check(false, 8, 255, 1, 0, 255);
        check(false, 8, 0, -1, 255, 0);
        check(true, 8, 127, 1, -128, 127);
        check(true, 8, -1, -200, 55, -128);
        check(true, 64, i64::MAX, 10, i64::MIN + 9, i64::MAX);
        check(false, 63, i64::MAX, 1, 0, i64::MAX);
        let byte = Field::new(false, 8).unwrap();
        assert_eq!(byte.fit(-1, Overflow::Saturate), Some(255));
        assert_eq!(byte.fit(256, Overflow::Wrap), Some(0));
        assert_eq!(byte.fit(256, Overflow::Fail), None);
        assert_eq!(byte.add(254, 1, Overflow::Fail), Some(255));
        let odd = Field::new(true, 17).unwrap();
        assert_eq!(odd.fit(-9_223_372_036_854_710_272, Overflow::Saturate), Some(-65536));
        assert_eq!(odd.fit(-9_223_372_036_854_710_273, Overflow::Saturate), Some(65535));
        assert_eq!(odd.fit(-9_223_372_036_854_710_273, Overflow::Fail), None);
        let all = Field::new(true, 64).unwrap();
        assert_eq!(all.fit(i64::MIN, Overflow::Saturate), Some(i64::MIN));
    }

    #[test]
    fn widths_are_those_of_redis() {
        for (is_signed, width, exists) in [
            (false, 0, false),
            (false, 63, true),
            (false, 64, false),
            (true, 64, true),
            (true, 65, false),
        ] {
            assert_eq!(Field::new(is_signed, width).is_some(), exists);
        }
    }
}
