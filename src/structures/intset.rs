//! A sorted set of integers in one allocation, in Redis's intset format.
//!
//! ```text
//!   width: u32 (2, 4 or 8)   items: u32   item item ... item      all little endian
//! ```
//!
//! Each item takes as many bytes as the widest ever seen needs; a set never becomes narrower again.
//!
//! 1. Items are strictly ascending.
//! 2. `bytes` holds the whole, 8 + width * items bytes, and whatever its size class has beyond it;
//!    of a set that never had an item, nothing.

use super::Corrupt;
use super::relocation::address_of;
use super::scratch;
use super::size_class::size_class;
use std::fmt;
use std::mem;

const HEADER: usize = 8;
const EMPTY: [u8; HEADER] = [2, 0, 0, 0, 0, 0, 0, 0];
/// Where the count stands.
const COUNT_AT: usize = 4;
/// Bytes of the count.
const COUNT: usize = HEADER - COUNT_AT;
/// Below this capacity a set keeps what it has.
const SHRINK_MIN: usize = 64;

/// Bytes per item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    #[inline]
    fn of(value: i64) -> Self {
        if i16::try_from(value).is_ok() {
            Self::Two
        } else if i32::try_from(value).is_ok() {
            Self::Four
        } else {
            Self::Eight
        }
    }

    #[inline]
    fn bytes(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// Item number `index` of `items`.
    #[inline]
    fn read(self, items: &[u8], index: usize) -> Option<i64> {
        Some(match self {
            Self::Two => i16::from_le_bytes(*items.get(index * 2..)?.first_chunk()?).into(),
            Self::Four => i32::from_le_bytes(*items.get(index * 4..)?.first_chunk()?).into(),
            Self::Eight => i64::from_le_bytes(*items.get(index * 8..)?.first_chunk()?),
        })
    }

    #[inline]
    fn write(self, items: &mut [u8], index: usize, value: i64) {
        let size = self.bytes();
        let place = &mut items[index * size..(index + 1) * size];
        // The low bytes of two's complement are the narrower number.
        place.copy_from_slice(&value.to_le_bytes()[..size]);
    }
}

/// An intset. 16 bytes, and 8 bytes beside the items; one that never had an item allocates nothing.
#[derive(Default)]
pub struct IntSet {
    bytes: Box<[u8]>,
}

impl IntSet {
    /// Where it lies, for [`super::relocation`].
    pub fn address(&self) -> usize {
        address_of(&*self.bytes)
    }
}

impl Clone for IntSet {
    fn clone(&self) -> Self {
        let mut clone = Self::new();
        if !self.is_empty() {
            clone.resize(self.byte_len());
            clone.bytes[..self.byte_len()].copy_from_slice(self.as_bytes());
        }
        clone
    }
}

impl Drop for IntSet {
    #[inline]
    fn drop(&mut self) {
        if self.is_lent() {
            scratch::give_block(mem::take(&mut self.bytes));
        }
    }
}

impl PartialEq for IntSet {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for IntSet {}

impl fmt::Debug for IntSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

impl<'a> IntoIterator for &'a IntSet {
    type Item = i64;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl FromIterator<i64> for IntSet {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> Self {
        let mut set = Self::new();
        for value in values {
            set.insert(value);
        }
        set
    }
}

impl IntSet {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes foreign bytes over. Reads each item once; O(n).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Corrupt> {
        check(&bytes)?;
        Ok(Self { bytes: bytes.into_boxed_slice() })
    }

    /// The whole, header included.
    pub fn as_bytes(&self) -> &[u8] {
        if self.bytes.is_empty() { &EMPTY } else { &self.bytes[..self.byte_len()] }
    }

    /// The thin form, count and items, for standing beside a key: the width follows from both. None
    /// of a set that never had an item.
    #[inline]
    pub fn thin(&self) -> &[u8] {
        self.bytes.get(COUNT_AT..self.byte_len()).unwrap_or_default()
    }

    /// The set of a thin form that [`IntSet::thin`] gave, in a buffer that is lent.
    #[inline]
    pub fn of_thin(thin: &[u8]) -> Self {
        let Some(bytes) = thin.len().checked_sub(COUNT) else { return Self::new() };
        let mut buffer = scratch::lend_block();
        let end = COUNT_AT + thin.len();
        if end > buffer.len() {
            buffer = vec![0; size_class(end)].into_boxed_slice();
        }
        let width = bytes.checked_div(Self::thin_len(thin)).unwrap_or(usize::from(EMPTY[0]));
        let [width, ..] = width.to_le_bytes();
        buffer[..COUNT_AT].copy_from_slice(&[width, 0, 0, 0]);
        buffer[COUNT_AT..end].copy_from_slice(thin);
        Self { bytes: buffer }
    }

    /// How many items a thin form has.
    #[inline]
    pub fn thin_len(thin: &[u8]) -> usize {
        let count = thin.first_chunk::<COUNT>();
        count.map_or(0, |count| usize::try_from(u32::from_le_bytes(*count)).unwrap_or(0))
    }

    /// Whether its buffer is lent: too large to be kept.
    #[inline]
    pub fn is_lent(&self) -> bool {
        scratch::is_lent(self.bytes.len())
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> usize {
        size_class(self.bytes.len())
    }

    /// Number of items. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        let counted = self.bytes.get(4..).and_then(<[u8]>::first_chunk);
        counted.map_or(0, |counted| usize::try_from(u32::from_le_bytes(*counted)).unwrap_or(0))
    }

    /// Whether there is no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Item number `index` in ascending order. O(1).
    #[inline]
    pub fn nth(&self, index: usize) -> Option<i64> {
        self.width().read(self.items(), index)
    }

    /// The smallest item.
    pub fn min(&self) -> Option<i64> {
        self.nth(0)
    }

    /// The largest item.
    pub fn max(&self) -> Option<i64> {
        self.nth(self.len().checked_sub(1)?)
    }

    /// Items in ascending order, from both ends.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter { set: self, front: 0, back: self.len() }
    }

    /// Whether `value` is an item. O(log n).
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        self.search(value).is_ok()
    }

    /// The number of `value` in ascending order, or of the first item beyond it. O(log n).
    #[inline]
    pub fn search(&self, value: i64) -> Result<usize, usize> {
        if Width::of(value) > self.width() {
            return Err(if value < 0 { 0 } else { self.len() });
        }
        match self.width() {
            Width::Two => search::<2>(self.items(), value, |item| i16::from_le_bytes(item).into()),
            Width::Four => search::<4>(self.items(), value, |item| i32::from_le_bytes(item).into()),
            Width::Eight => search::<8>(self.items(), value, i64::from_le_bytes),
        }
    }

    /// Adds `value`; whether it is new. O(n).
    pub fn insert(&mut self, value: i64) -> bool {
        let Err(index) = self.search(value) else { return false };
        let count = self.len();
        if Width::of(value) > self.width() {
            self.widen(Width::of(value), index == 0);
        } else {
            let (size, end) = (self.width().bytes(), self.byte_len());
            self.resize(end + size);
            let at = HEADER + index * size;
            self.bytes.copy_within(at..end, at + size);
        }
        let width = self.width();
        width.write(&mut self.bytes[HEADER..], index, value);
        self.settle(count + 1);
        true
    }

    /// Takes `value` out; whether it was there. O(n).
    pub fn remove(&mut self, value: i64) -> bool {
        match self.search(value) {
            Ok(index) => {
                self.remove_nth(index);
                true
            }
            Err(_) => false,
        }
    }

    /// Takes item number `index` out, if there is one. O(n).
    pub fn remove_nth(&mut self, index: usize) -> Option<i64> {
        let value = self.nth(index)?;
        let (size, end) = (self.width().bytes(), self.byte_len());
        let at = HEADER + index * size;
        self.bytes.copy_within(at + size..end, at);
        self.settle(self.len() - 1);
        if self.bytes.len() >= SHRINK_MIN && end - size <= self.bytes.len() / 2 {
            self.resize(end - size);
        }
        Some(value)
    }

    /// Spells all items with a larger width, leaving room for one more at either end.
    fn widen(&mut self, width: Width, room_in_front: bool) {
        let (old, count) = (self.width(), self.len());
        self.resize(HEADER + (count + 1) * width.bytes());
        let items = &mut self.bytes[HEADER..];
        let shift = usize::from(room_in_front);
        // From the end, so that nothing is overwritten before it was read.
        for index in (0..count).rev() {
            let value = old.read(items, index).unwrap_or_default();
            width.write(items, index + shift, value);
        }
        self.bytes[0] = match width {
            Width::Two => 2,
            Width::Four => 4,
            Width::Eight => 8,
        };
    }

    /// Gives the allocation the class for a whole of `len` bytes.
    fn resize(&mut self, len: usize) {
        let class = size_class(len);
        if class == self.bytes.len() || self.is_lent() && class <= self.bytes.len() {
            return;
        }
        let mut bytes = mem::take(&mut self.bytes).into_vec();
        bytes.reserve_exact(class.saturating_sub(bytes.len()));
        if bytes.is_empty() {
            bytes.extend_from_slice(&EMPTY);
        }
        bytes.resize(class, 0);
        self.bytes = bytes.into_boxed_slice();
    }

    /// Notes the count. A set of 2^32 items would take 8 GiB; callers convert long before.
    fn settle(&mut self, count: usize) {
        let [a, b, c, d, ..] = count.to_le_bytes();
        self.bytes[4..HEADER].copy_from_slice(&[a, b, c, d]);
    }

    /// Length of the whole.
    #[inline]
    fn byte_len(&self) -> usize {
        HEADER + self.len() * self.width().bytes()
    }

    #[inline]
    fn width(&self) -> Width {
        match self.bytes.first() {
            Some(4) => Width::Four,
            Some(8) => Width::Eight,
            _ => Width::Two,
        }
    }

    #[inline]
    fn items(&self) -> &[u8] {
        if self.bytes.is_empty() { &[] } else { &self.bytes[HEADER..self.byte_len()] }
    }
}

#[inline]
fn search<const SIZE: usize>(
    items: &[u8],
    value: i64,
    read: impl Fn([u8; SIZE]) -> i64,
) -> Result<usize, usize> {
    items.as_chunks::<SIZE>().0.binary_search_by(|item| read(*item).cmp(&value))
}

/// Reads every item of foreign bytes.
fn check(bytes: &[u8]) -> Result<(), Corrupt> {
    let header: [u8; HEADER] = *bytes.first_chunk().ok_or(Corrupt { at: bytes.len() })?;
    let [a, b, c, d, counted @ ..] = header;
    let width = match u32::from_le_bytes([a, b, c, d]) {
        2 => Width::Two,
        4 => Width::Four,
        8 => Width::Eight,
        _ => return Err(Corrupt { at: 0 }),
    };
    let items = &bytes[HEADER..];
    let stated = usize::try_from(u32::from_le_bytes(counted)).ok();
    if stated.and_then(|stated| stated.checked_mul(width.bytes())) != Some(items.len()) {
        return Err(Corrupt { at: 4 });
    }
    let mut before = None;
    for index in 0..items.len() / width.bytes() {
        let value = width.read(items, index);
        if value <= before {
            return Err(Corrupt { at: HEADER + index * width.bytes() });
        }
        before = value;
    }
    Ok(())
}

/// Items in ascending order, from both ends.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    set: &'a IntSet,
    front: usize,
    back: usize,
}

impl Iterator for Iter<'_> {
    type Item = i64;

    #[inline]
    fn next(&mut self) -> Option<i64> {
        if self.front == self.back {
            return None;
        }
        self.front += 1;
        self.set.nth(self.front - 1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.back - self.front, Some(self.back - self.front))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<i64> {
        if self.front == self.back {
            return None;
        }
        self.back -= 1;
        self.set.nth(self.back)
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl std::iter::FusedIterator for Iter<'_> {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::structures::fuzz;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[track_caller]
    fn check_bytes(values: &[i64], expected: &[u8]) {
        let set: IntSet = values.iter().copied().collect();
        assert_eq!(set.as_bytes(), expected);
        assert_eq!(IntSet::from_bytes(expected.to_vec()), Ok(set));
    }

    #[test]
    fn bytes_are_those_of_the_reference() {
        // Seen in DUMPs of Redis 8.0.6.
        check_bytes(&[3, 1, 2], b"\x02\0\0\0\x03\0\0\0\x01\0\x02\0\x03\0");
        check_bytes(&[1, -70_000], b"\x04\0\0\0\x02\0\0\0\x90\xee\xfe\xff\x01\0\0\0");
        check_bytes(
            &[-1, 1 << 40],
            b"\x08\0\0\0\x02\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\x01\0\0",
        );
    }

    #[test]
    fn a_set_never_becomes_narrower() {
        let mut set: IntSet = [1, i64::MAX].into_iter().collect();
        assert!(set.remove(i64::MAX));
        assert_eq!(set.as_bytes(), b"\x08\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0");
        assert_eq!(set.remove_nth(0), Some(1));
        assert_eq!(set.remove_nth(0), None);
        assert!(set.is_empty() && set.min().is_none() && set.max().is_none());
    }

    #[test]
    fn corruption_is_found_where_it_is() {
        let check_at = |bytes: &[u8], at| {
            assert_eq!(IntSet::from_bytes(bytes.to_vec()), Err(Corrupt { at }), "{bytes:x?}");
        };
        check_at(b"", 0);
        check_at(b"\x02\0\0\0\0\0\0", 7);
        check_at(b"\x03\0\0\0\0\0\0\0", 0);
        check_at(b"\x02\0\0\0\x01\0\0\0", 4);
        check_at(b"\x02\0\0\0\x01\0\0\0\x01\0\0", 4);
        check_at(b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0", 10);
        check_at(b"\x08\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 4);
    }

    #[derive(Clone, Debug)]
    enum Op {
        Insert(i64),
        Remove(i64),
        RemoveNth(usize),
    }

    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![
            8 => -10_i64..10,
            2 => any::<i16>().prop_map(i64::from),
            1 => any::<i32>().prop_map(i64::from),
            1 => any::<i64>(),
            1 => prop::sample::select(vec![i64::MIN, i64::MAX, -32_769, 32_768, -32_768, 32_767]),
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            3 => value().prop_map(Op::Insert),
            2 => value().prop_map(Op::Remove),
            1 => (0..20_usize).prop_map(Op::RemoveNth),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_btreeset(ops in prop::collection::vec(op(), 0..120)) {
            let (mut real, mut model) = (IntSet::new(), BTreeSet::new());
            for op in ops {
                match op {
                    Op::Insert(value) => prop_assert_eq!(real.insert(value), model.insert(value)),
                    Op::Remove(value) => prop_assert_eq!(real.remove(value), model.remove(&value)),
                    Op::RemoveNth(index) => {
                        let expected = model.iter().nth(index).copied();
                        prop_assert_eq!(real.remove_nth(index), expected);
                        expected.map(|value| model.remove(&value));
                    }
                }
                prop_assert!(real.iter().eq(model.iter().copied()));
                prop_assert!(real.iter().rev().eq(model.iter().rev().copied()));
                prop_assert_eq!((real.min(), real.max()), (model.first().copied(), model.last().copied()));
                prop_assert_eq!(check(real.as_bytes()), Ok(()));
                let mut back = IntSet::of_thin(real.thin());
                prop_assert_eq!(IntSet::thin_len(real.thin()), model.len());
                prop_assert!(back == real || real.is_empty() && back.is_empty());
                prop_assert!(back.insert(5) != model.contains(&5) && back.contains(5));
                for probe in [-3, 0, 40_000, i64::MIN] {
                    prop_assert_eq!(real.contains(probe), model.contains(&probe));
                }
            }
        }

        #[test]
        fn foreign_bytes_are_survived(
            width in prop::sample::select(vec![2_u8, 4, 8, 3]),
            count in 0..5_u8,
            items in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = vec![width, 0, 0, 0, count, 0, 0, 0];
            bytes.extend(items);
            fuzz::intset(&bytes);
            fuzz::intset(&bytes[8..]);
        }
    }
}
