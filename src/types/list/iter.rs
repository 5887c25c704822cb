//! Walks over a list in either direction.

use super::leaf::Leaf;
use super::place;
use crate::structures::cow_tree::{End, Leaves};
use crate::structures::listpack::{self, Item, ListPack};
use std::iter::Rev;

/// Elements towards one end.
#[derive(Debug)]
pub struct Iter<'a> {
    walk: Walk<'a>,
    leaves: Option<Leaves<'a, Leaf>>,
    /// The pack at the end that is walked to.
    last: Option<Oriented<'a>>,
    towards: End,
}

/// What is being walked over.
#[derive(Debug)]
enum Walk<'a> {
    Forward(listpack::Iter<'a>),
    Backward(Rev<listpack::Iter<'a>>),
    Plain(Option<&'a [u8]>),
}

/// A pack, and whether its elements are last to first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Oriented<'a> {
    pub(super) pack: &'a ListPack,
    pub(super) is_reversed: bool,
}

impl<'a> Oriented<'a> {
    /// From element number `at` of the list's part towards an end.
    fn walk_from(self, at: usize, towards: End) -> Walk<'a> {
        let Self { pack, is_reversed } = self;
        let index = if is_reversed { pack.len() - 1 - at } else { at };
        let from = place(pack, index);
        if (towards == End::Back) == is_reversed {
            let until = pack.next(from).unwrap_or(pack.end());
            Walk::Backward(pack.iter_until(until).rev())
        } else {
            Walk::Forward(pack.iter_from(from))
        }
    }

    fn walk(self, towards: End) -> Walk<'a> {
        if (towards == End::Back) == self.is_reversed {
            Walk::Backward(self.pack.iter().rev())
        } else {
            Walk::Forward(self.pack.iter())
        }
    }
}

impl<'a> Iter<'a> {
    pub(super) fn of_pack(pack: &'a ListPack, at: usize, towards: End) -> Self {
        let (whole, len) = (Oriented { pack, is_reversed: false }, pack.len());
        if at < len {
            Self::of_end(whole, at, towards)
        } else if towards == End::Front {
            Self::of_rest(None, whole, towards)
        } else {
            Self::of_end(whole, len, towards)
        }
    }

    /// From an element of the pack that ends the walk.
    pub(super) fn of_end(pack: Oriented<'a>, at: usize, towards: End) -> Self {
        let walk =
            if at < pack.pack.len() { pack.walk_from(at, towards) } else { Walk::Plain(None) };
        Self { walk, leaves: None, last: None, towards }
    }

    /// All leaves, then a pack.
    pub(super) fn of_rest(
        leaves: Option<Leaves<'a, Leaf>>,
        last: Oriented<'a>,
        towards: End,
    ) -> Self {
        Self { walk: Walk::Plain(None), leaves, last: Some(last), towards }
    }

    /// From an element of the pack with which the walk begins.
    pub(super) fn beginning(mut self, first: Oriented<'a>, at: usize) -> Self {
        self.walk = first.walk_from(at, self.towards);
        self
    }

    /// From an element of the first leaf.
    pub(super) fn beginning_within(mut self, at: usize) -> Self {
        match self.leaves.as_mut().and_then(Iterator::next) {
            Some(Leaf::Pack(pack)) => {
                self.walk = Oriented { pack, is_reversed: false }.walk_from(at, self.towards);
            }
            Some(Leaf::Plain(blob)) => self.walk = Walk::Plain(Some(blob)),
            None => {}
        }
        self
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            let item = match &mut self.walk {
                Walk::Forward(iter) => iter.next(),
                Walk::Backward(iter) => iter.next(),
                Walk::Plain(bytes) => bytes.take().map(Item::Bytes),
            };
            if item.is_some() {
                return item;
            }
            self.walk = match self.leaves.as_mut().and_then(Iterator::next) {
                Some(Leaf::Pack(pack)) => Oriented { pack, is_reversed: false }.walk(self.towards),
                Some(Leaf::Plain(blob)) => Walk::Plain(Some(blob)),
                None => self.last.take()?.walk(self.towards),
            };
        }
    }
}
