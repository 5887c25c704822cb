//! Walks over a listpack from both ends.

use super::item::{self, Item};
use super::{At, WELL_FORMED, entry_before};

/// Items in order, from both ends.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    /// Whole entries only lie between the two.
    front: usize,
    back: usize,
}

impl<'a> Iter<'a> {
    pub(super) fn new(bytes: &'a [u8], front: usize, back: usize) -> Self {
        Self { bytes, front, back }
    }

    /// Where the next item is, or the end.
    pub fn at(&self) -> At {
        At(self.front)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (item, len) = item::read(&self.bytes[self.front..]).expect(WELL_FORMED);
        self.front += len + item::back_len_size(len);
        Some(item)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = entry_before(self.bytes, self.back);
        let (item, _) = item::read(&self.bytes[self.back..]).expect(WELL_FORMED);
        Some(item)
    }
}

impl std::iter::FusedIterator for Iter<'_> {}

/// Items two by two, from both ends; an odd one at the end it comes to is left out.
#[derive(Clone, Debug)]
pub struct Pairs<'a>(pub(super) Iter<'a>);

impl Pairs<'_> {
    /// Where the next pair is, or the end.
    pub fn at(&self) -> At {
        self.0.at()
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Item<'a>, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}

impl DoubleEndedIterator for Pairs<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let second = self.0.next_back()?;
        Some((self.0.next_back()?, second))
    }
}

impl std::iter::FusedIterator for Pairs<'_> {}
