//! Walks over a list in either direction.
//!
//! A compressed leaf has no elements to lend. So elements are shown to a function one by one, for
//! the time of its call ([`Parts::show`]), or handed out as texts, which are copies where a leaf is
//! compressed ([`Texts`]).

use super::leaf::{Leaf, Open};
use super::place;
use crate::structures::cow_tree::{End, Leaves};
use crate::structures::listpack::{self, Item, ListPack};
use std::borrow::Cow;
use std::iter::Rev;
use std::ops::ControlFlow;
use std::vec;

/// A pack, and whether its elements are last to first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Oriented<'a> {
    pub(super) pack: &'a ListPack,
    pub(super) is_reversed: bool,
}

/// The parts of a list towards one end.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// The part that the walk begins with, and the number of its element that does.
    first: Option<(Part<'a>, usize)>,
    leaves: Option<Leaves<'a, Leaf>>,
    /// The pack at the end that is walked to.
    last: Option<Oriented<'a>>,
    towards: End,
}

#[derive(Clone, Copy, Debug)]
enum Part<'a> {
    Pack(Oriented<'a>),
    Leaf(&'a Leaf),
}

/// What is being walked over.
#[derive(Debug)]
enum Walk<'a> {
    Forward(listpack::Iter<'a>),
    Backward(Rev<listpack::Iter<'a>>),
    Plain(Option<&'a [u8]>),
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

    fn walk(self, at: Option<usize>, towards: End) -> Walk<'a> {
        match at {
            Some(at) => self.walk_from(at, towards),
            None if (towards == End::Back) == self.is_reversed => {
                Walk::Backward(self.pack.iter().rev())
            }
            None => Walk::Forward(self.pack.iter()),
        }
    }
}

impl Open {
    fn walk(&self, at: Option<usize>, towards: End) -> Walk<'_> {
        match self {
            Self::Pack(pack) => Oriented { pack, is_reversed: false }.walk(at, towards),
            Self::Plain(blob) => Walk::Plain(Some(blob)),
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Walk::Forward(iter) => iter.next(),
            Walk::Backward(iter) => iter.next(),
            Walk::Plain(bytes) => bytes.take().map(Item::Bytes),
        }
    }
}

impl<'a> Parts<'a> {
    pub(super) fn of_pack(pack: &'a ListPack, at: usize, towards: End) -> Self {
        let (whole, len) = (Oriented { pack, is_reversed: false }, pack.len());
        if at >= len && towards == End::Front {
            Self::of_rest(None, whole, towards)
        } else {
            Self::of_end(whole, at, towards)
        }
    }

    /// From an element of the pack that ends the walk.
    pub(super) fn of_end(pack: Oriented<'a>, at: usize, towards: End) -> Self {
        let first = (at < pack.pack.len()).then_some((Part::Pack(pack), at));
        Self { first, leaves: None, last: None, towards }
    }

    /// All leaves, then a pack.
    pub(super) fn of_rest(
        leaves: Option<Leaves<'a, Leaf>>,
        last: Oriented<'a>,
        towards: End,
    ) -> Self {
        Self { first: None, leaves, last: Some(last), towards }
    }

    /// From an element of the pack with which the walk begins.
    pub(super) fn beginning(mut self, first: Oriented<'a>, at: usize) -> Self {
        self.first = Some((Part::Pack(first), at));
        self
    }

    /// From an element of the first leaf.
    pub(super) fn beginning_within(mut self, at: usize) -> Self {
        let leaf = self.leaves.as_mut().and_then(Iterator::next);
        self.first = leaf.map(|leaf| (Part::Leaf(leaf), at));
        self
    }

    /// The next part, and the number of its element to begin with, if that isn't the nearest.
    #[inline]
    fn next(&mut self) -> Option<(Part<'a>, Option<usize>)> {
        if let Some((part, at)) = self.first.take() {
            return Some((part, Some(at)));
        }
        let part = match self.leaves.as_mut().and_then(Iterator::next) {
            Some(leaf) => Part::Leaf(leaf),
            None => Part::Pack(self.last.take()?),
        };
        Some((part, None))
    }

    /// Shows the elements one by one, until `show` breaks. A compressed leaf is opened for it.
    #[inline]
    pub(super) fn show<B>(
        mut self,
        mut show: impl FnMut(Item<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let towards = self.towards;
        while let Some((part, at)) = self.next() {
            let opened;
            let walk = match part {
                Part::Pack(pack) => pack.walk(at, towards),
                Part::Leaf(Leaf::Open(open)) => open.walk(at, towards),
                Part::Leaf(Leaf::Compressed(compressed)) => {
                    opened = compressed.open();
                    opened.walk(at, towards)
                }
            };
            for item in walk {
                show(item)?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Elements towards one end, as texts.
#[derive(Debug)]
pub struct Texts<'a> {
    walk: Walk<'a>,
    /// Copies of a compressed leaf's elements, which come first.
    copies: vec::IntoIter<Vec<u8>>,
    parts: Parts<'a>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(parts: Parts<'a>) -> Self {
        Self { walk: Walk::Plain(None), copies: Vec::new().into_iter(), parts }
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Cow<'a, [u8]>> {
        loop {
            if let Some(copy) = self.copies.next() {
                return Some(Cow::Owned(copy));
            }
            match self.walk.next() {
                Some(Item::Bytes(bytes)) => return Some(Cow::Borrowed(bytes)),
                Some(number @ Item::Int(_)) => return Some(Cow::Owned(number.to_vec())),
                None => {}
            }
            let (part, at) = self.parts.next()?;
            let towards = self.parts.towards;
            match part {
                Part::Pack(pack) => self.walk = pack.walk(at, towards),
                Part::Leaf(Leaf::Open(open)) => self.walk = open.walk(at, towards),
                Part::Leaf(Leaf::Compressed(compressed)) => {
                    let open = compressed.open();
                    let copies: Vec<_> = open.walk(at, towards).map(|item| item.to_vec()).collect();
                    self.copies = copies.into_iter();
                }
            }
        }
    }
}
