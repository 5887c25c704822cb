//! A sequence of small elements in one allocation, in Redis's listpack format.
//!
//! ```text
//!   bytes: u32   items: u16   entry entry ... entry   0xff
//! ```
//!
//! Entries can be read from both ends ([`item`] draws one); integers are stored as such. Every
//! change is one move of what follows, and at most one reallocation. Capacity follows the
//! allocator's size classes, so nothing is asked for that isn't handed out anyway.
//!
//! 1. `bytes` is the length of the whole, header and end included.
//! 2. `items` is exact below 65535, which stands for "count them".
//! 3. Entries are well formed: [`ListPack::from_bytes`] is the only door for foreign ones.

mod item;
mod iter;
#[cfg(test)]
mod tests;
mod thin;

pub use item::{Digits, Item};
pub use iter::{Iter, Pairs};

use super::Corrupt;
use super::relocation::address_of;
use super::scratch;
use super::size_class::size_class;
use crate::base::bytes::same;
use std::fmt;
use std::mem;

const HEADER: usize = 6;
const EMPTY: [u8; HEADER + 1] = [7, 0, 0, 0, 0, 0, item::END];
/// The count that stands for "count them".
const UNKNOWN: u16 = u16::MAX;
/// Below this capacity a pack keeps what it has.
const SHRINK_MIN: usize = 64;
const WELL_FORMED: &str = "entries are well formed (invariant 3)";

/// Where an item is, or the end: an offset of bytes, valid until the next change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(usize);

/// A listpack. 24 bytes, and 7 bytes beside the entries; most entries cost 2 bytes beside their own.
#[derive(Clone, PartialEq, Eq)]
pub struct ListPack {
    bytes: Vec<u8>,
}

impl Default for ListPack {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ListPack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl Drop for ListPack {
    #[inline]
    fn drop(&mut self) {
        if self.is_lent() {
            scratch::give_pack(mem::take(&mut self.bytes));
        }
    }
}

impl<'a> IntoIterator for &'a ListPack {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> FromIterator<Item<'a>> for ListPack {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Self {
        let mut pack = Self::new();
        for item in items {
            pack.push_back(item);
        }
        pack
    }
}

/// Making and measuring.
impl ListPack {
    /// Largest pack that may be built, in bytes; see [`ListPack::has_room`].
    pub const BYTES_MAX: usize = 1 << 30;

    /// An empty one.
    pub fn new() -> Self {
        Self { bytes: EMPTY.to_vec() }
    }

    /// An empty one that takes entries of `bytes` in all without growing.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut pack = Vec::with_capacity(size_class(EMPTY.len() + bytes));
        pack.extend_from_slice(&EMPTY);
        Self { bytes: pack }
    }

    /// Takes foreign bytes over. Reads each entry once; O(n).
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Corrupt> {
        check(&bytes)?;
        Ok(Self { bytes })
    }

    /// Takes over what [`ListPack::as_bytes`] gave, of any listpack, unread.
    pub fn of_own_bytes(bytes: Vec<u8>) -> Self {
        debug_assert!(check(&bytes).is_ok(), "{WELL_FORMED}");
        Self { bytes }
    }

    /// The whole, header and end included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Length of the whole in bytes.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Where it lies, for [`super::relocation`].
    pub fn address(&self) -> usize {
        address_of(&*self.bytes)
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back what growing reserved.
    pub fn shrink(&mut self) {
        if size_class(self.bytes.len()) < self.bytes.capacity() {
            self.bytes.shrink_to(size_class(self.bytes.len()));
        }
    }

    /// Whether entries of `bytes` more may be added. Callers ask before they add what users chose.
    #[inline]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len().saturating_add(bytes) <= Self::BYTES_MAX
    }

    /// Number of items. O(1) below 65535, else O(n).
    #[inline]
    pub fn len(&self) -> usize {
        match self.header_count() {
            UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether there is no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == EMPTY.len()
    }
}

/// Finding and reading.
impl ListPack {
    /// All items.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(&self.bytes, HEADER, self.bytes.len() - 1)
    }

    /// The items from `at` on; `rev` walks back to `at`.
    #[inline]
    pub fn iter_from(&self, at: At) -> Iter<'_> {
        Iter::new(&self.bytes, at.0, self.bytes.len() - 1)
    }

    /// The items before `at`; `rev` walks back from there.
    #[inline]
    pub fn iter_until(&self, at: At) -> Iter<'_> {
        Iter::new(&self.bytes, HEADER, at.0)
    }

    /// All items two by two.
    #[inline]
    pub fn pairs(&self) -> Pairs<'_> {
        Pairs(self.iter())
    }

    /// The pairs from `at` on.
    #[inline]
    pub fn pairs_from(&self, at: At) -> Pairs<'_> {
        Pairs(self.iter_from(at))
    }

    /// Where the first item is.
    #[inline]
    pub fn first(&self) -> Option<At> {
        (!self.is_empty()).then_some(At(HEADER))
    }

    /// Where the last item is.
    #[inline]
    pub fn last(&self) -> Option<At> {
        self.prev(self.end())
    }

    /// Behind the last item.
    #[inline]
    pub fn end(&self) -> At {
        At(self.bytes.len() - 1)
    }

    /// The item at `at`; `None` at the end.
    #[inline]
    pub fn item(&self, at: At) -> Option<Item<'_>> {
        self.iter_from(at).next()
    }

    /// The two items from `at` on.
    #[inline]
    pub fn pair(&self, at: At) -> Option<(Item<'_>, Item<'_>)> {
        self.pairs_from(at).next()
    }

    /// Where the item behind the one at `at` is.
    #[inline]
    pub fn next(&self, at: At) -> Option<At> {
        let next = self.after(at);
        (next < self.end()).then_some(next)
    }

    /// Where the item before `at` is.
    #[inline]
    pub fn prev(&self, at: At) -> Option<At> {
        if at.0 <= HEADER {
            return None;
        }
        Some(At(entry_before(&self.bytes, at.0)))
    }

    /// Where item number `index` is. O(n), from the nearer end.
    pub fn nth(&self, index: usize) -> Option<At> {
        let count = self.len();
        if index >= count {
            return None;
        }
        if index < count / 2 {
            self.forward(self.first()?, index)
        } else {
            self.nth_back(count - 1 - index)
        }
    }

    /// Where item number `index` from the end is, 0 being the last. O(index).
    pub fn nth_back(&self, index: usize) -> Option<At> {
        (0..index).try_fold(self.last()?, |at, _| self.prev(at))
    }

    /// `steps` items on from `at`. O(steps).
    pub fn forward(&self, at: At, steps: usize) -> Option<At> {
        (0..steps).try_fold(at, |at, _| self.next(at))
    }

    /// Where `text` is, from `from` on; after each comparison `skip` items are passed over unread.
    /// O(n).
    pub fn find(&self, from: At, text: &[u8], skip: usize) -> Option<At> {
        let needle = Item::text(text);
        if let Item::Bytes(short) = needle
            && short.len() <= item::SHORT_MAX
        {
            return self.find_short(from, short, skip);
        }
        let mut iter = self.iter_from(from);
        loop {
            let at = iter.at();
            let matches = match (iter.next()?, needle) {
                (Item::Int(found), Item::Int(sought)) => found == sought,
                (Item::Bytes(found), _) => found == text,
                (Item::Int(_), Item::Bytes(_)) => false,
            };
            if matches {
                return Some(at);
            }
            for _ in 0..skip {
                iter.next()?;
            }
        }
    }

    /// The same for short bytes, which are told apart by their heads mostly.
    #[inline]
    fn find_short(&self, from: At, text: &[u8], skip: usize) -> Option<At> {
        let (head, end) = (item::short_head(text.len()), self.bytes.len() - 1);
        let (mut at, mut passing) = (from.0, 0);
        while at < end {
            let rest = &self.bytes[at..];
            if passing > 0 {
                passing -= 1;
            } else if rest[0] == head && same(&rest[1..=text.len()], text) {
                return Some(At(at));
            } else {
                passing = skip;
            }
            at += item::entry_len(rest).expect(WELL_FORMED);
        }
        None
    }

    /// The pair whose first item is `text`. O(n).
    #[inline]
    pub fn find_pair(&self, text: &[u8]) -> Option<At> {
        self.find(At(HEADER), text, 1)
    }

    /// Behind the item at `at`, or the end.
    #[inline]
    fn after(&self, at: At) -> At {
        let mut iter = self.iter_from(at);
        iter.next();
        iter.at()
    }

    #[inline]
    fn header_count(&self) -> u16 {
        u16::from_le_bytes([self.bytes[4], self.bytes[5]])
    }
}

/// Changing. All are O(n) in bytes for the move of what follows.
///
/// What is added must fit ([`ListPack::has_room`]); they panic otherwise.
impl ListPack {
    /// Adds an item before all others.
    #[inline]
    pub fn push_front(&mut self, item: Item<'_>) {
        self.splice(HEADER, HEADER, 0, &[item]);
    }

    /// Adds an item behind all others. Amortized O(1).
    #[inline]
    pub fn push_back(&mut self, item: Item<'_>) {
        let end = self.bytes.len() - 1;
        self.splice(end, end, 0, &[item]);
    }

    /// Adds two items behind all others.
    #[inline]
    pub fn push_pair(&mut self, first: Item<'_>, second: Item<'_>) {
        let end = self.bytes.len() - 1;
        self.splice(end, end, 0, &[first, second]);
    }

    /// Adds items behind all others in one go. O(what is added), amortized.
    #[inline]
    pub fn push_all<'a>(&mut self, items: impl Iterator<Item = Item<'a>> + Clone) {
        let (mut room, mut added) = (0, 0);
        for item in items.clone() {
            room += item.packed_len();
            added += 1;
        }
        let mut at = self.bytes.len() - 1;
        self.open(at, at, room);
        for item in items {
            at += item.write(&mut self.bytes[at..]);
        }
        self.settle(0, added);
    }

    /// Adds items before the one at `at`, or at the end; the first of them is then at `at`.
    #[inline]
    pub fn insert(&mut self, at: At, items: &[Item<'_>]) {
        self.splice(at.0, at.0, 0, items);
    }

    /// Adds items behind the one at `at`; says where the first of them is.
    #[inline]
    pub fn insert_after(&mut self, at: At, items: &[Item<'_>]) -> At {
        let after = self.after(at);
        self.insert(after, items);
        after
    }

    /// Puts `item` in the place of the one at `at`.
    #[inline]
    pub fn replace(&mut self, at: At, item: Item<'_>) {
        let after = self.after(at);
        self.splice(at.0, after.0, usize::from(after != at), &[item]);
    }

    /// Puts `items` in the place of `count` items from `at` on (fewer if there are fewer).
    pub fn replace_many(&mut self, at: At, count: usize, items: &[Item<'_>]) {
        let (end, removed) = self.span(at, count);
        self.splice(at.0, end, removed, items);
    }

    /// Removes the item at `at`; the one behind it is then at `at`.
    #[inline]
    pub fn remove(&mut self, at: At) {
        self.remove_many(at, 1);
    }

    /// Removes `count` items from `at` on (fewer if there are fewer); says how many.
    pub fn remove_many(&mut self, at: At, count: usize) -> usize {
        let (end, removed) = self.span(at, count);
        self.splice(at.0, end, removed, &[]);
        removed
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Adds the items of `other` behind all others.
    pub fn append(&mut self, other: &Self) {
        let end = self.bytes.len() - 1;
        self.splice_packed(end, other);
    }

    /// Adds the items of `other` before all others.
    pub fn prepend(&mut self, other: &Self) {
        self.splice_packed(HEADER, other);
    }

    /// Takes the items from `at` on out of it.
    #[must_use]
    pub fn split_off(&mut self, at: At) -> Self {
        let moved = self.iter_from(at).count();
        let end = self.bytes.len() - 1;
        let mut tail = Self::with_capacity(end - at.0);
        tail.open(HEADER, HEADER, end - at.0);
        tail.bytes[HEADER..HEADER + end - at.0].copy_from_slice(&self.bytes[at.0..end]);
        tail.settle(0, moved);
        self.splice(at.0, end, moved, &[]);
        tail
    }

    /// Keeps the items for which `keep` says so, in one pass; says how many went.
    pub fn retain(&mut self, mut keep: impl FnMut(Item<'_>) -> bool) -> usize {
        let end = self.bytes.len() - 1;
        let (mut read, mut kept, mut removed) = (HEADER, HEADER, 0);
        while read < end {
            let mut iter = Iter::new(&self.bytes, read, end);
            let kept_one = iter.next().is_some_and(&mut keep);
            let after = iter.at().0;
            if kept_one {
                self.bytes.copy_within(read..after, kept);
                kept += after - read;
            } else {
                removed += 1;
            }
            read = after;
        }
        self.splice(kept, end, removed, &[]);
        removed
    }

    /// Puts `items` in the place of the `removed` items between two offsets.
    fn splice(&mut self, from: usize, to: usize, removed: usize, items: &[Item<'_>]) {
        let added = items.iter().map(Item::packed_len).sum();
        self.open(from, to, added);
        let mut at = from;
        for item in items {
            at += item.write(&mut self.bytes[at..]);
        }
        self.settle(removed, items.len());
    }

    fn splice_packed(&mut self, at: usize, other: &Self) {
        let packed = &other.bytes[HEADER..other.bytes.len() - 1];
        self.open(at, at, packed.len());
        self.bytes[at..at + packed.len()].copy_from_slice(packed);
        // An unknown count plus any is unknown.
        let unknown = self.header_count() == UNKNOWN || other.header_count() == UNKNOWN;
        let added = if unknown { usize::from(UNKNOWN) } else { usize::from(other.header_count()) };
        self.settle(0, added);
    }

    /// Makes the bytes between two offsets `room` long; what they hold is then undefined.
    #[inline]
    fn open(&mut self, from: usize, to: usize, room: usize) {
        let len = self.bytes.len();
        let new_len = len - (to - from) + room;
        if new_len > len {
            assert!(new_len <= Self::BYTES_MAX, "callers ask `has_room` first");
            if new_len > self.bytes.capacity() {
                self.bytes.reserve_exact(size_class(new_len) - len);
            }
            self.bytes.resize(new_len, item::END);
            self.bytes.copy_within(to..len, from + room);
        } else if new_len < len {
            self.bytes.copy_within(to..len, from + room);
            self.bytes.truncate(new_len);
            let capacity = self.bytes.capacity();
            if capacity >= SHRINK_MIN && new_len <= capacity / 2 && !scratch::is_lent(capacity) {
                self.bytes.shrink_to(size_class(new_len));
            }
        }
    }

    /// Brings the header up to date.
    #[inline]
    fn settle(&mut self, removed: usize, added: usize) {
        let [a, b, c, d, ..] = self.bytes.len().to_le_bytes();
        self.bytes[..4].copy_from_slice(&[a, b, c, d]);
        let count = match self.header_count() {
            // It may be known again.
            UNKNOWN if removed > 0 => self.iter().count(),
            UNKNOWN => usize::from(UNKNOWN),
            count => usize::from(count) + added - removed,
        };
        let count = u16::try_from(count).unwrap_or(UNKNOWN);
        self.bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
    }

    /// The end of `count` items from `at` on, and how many there are.
    fn span(&self, at: At, count: usize) -> (usize, usize) {
        let mut iter = self.iter_from(at);
        let found = iter.by_ref().take(count).count();
        (iter.at().0, found)
    }
}

/// Where the entry that ends at `end` begins.
#[inline]
fn entry_before(bytes: &[u8], end: usize) -> usize {
    let (len, size) = item::read_back_len(&bytes[..end]).expect(WELL_FORMED);
    end - len - size
}

/// Reads every entry of foreign bytes. Total: any input ends it with a verdict.
fn check(bytes: &[u8]) -> Result<(), Corrupt> {
    let header: [u8; HEADER] = *bytes.first_chunk().ok_or(Corrupt { at: bytes.len() })?;
    let [a, b, c, d, low, high] = header;
    if usize::try_from(u32::from_le_bytes([a, b, c, d])) != Ok(bytes.len())
        || bytes.len() > ListPack::BYTES_MAX
    {
        return Err(Corrupt { at: 0 });
    }
    let (mut at, mut count) = (HEADER, 0usize);
    loop {
        let rest = &bytes[at..];
        if rest.first() == Some(&item::END) {
            break;
        }
        let (_, len) = item::read(rest).ok_or(Corrupt { at })?;
        let size = item::back_len_size(len);
        let behind = bytes.get(..at + len + size).ok_or(Corrupt { at })?;
        if item::read_back_len(&behind[at + len..]) != Some((len, size)) {
            return Err(Corrupt { at: at + len });
        }
        at += len + size;
        count += 1;
    }
    if at + 1 != bytes.len() {
        return Err(Corrupt { at });
    }
    let stated = u16::from_le_bytes([low, high]);
    if stated != UNKNOWN && usize::from(stated) != count {
        return Err(Corrupt { at: 4 });
    }
    Ok(())
}
