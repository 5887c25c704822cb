//! What the tree of a large list holds: packs, and elements too large for one.

use super::{PackLimit, place};
use crate::base::blob::Blob;
use crate::structures::cow_tree;
use crate::structures::listpack::{Item, ListPack};
use crate::structures::relocation::address_of;
use std::borrow::Cow;

/// Elements that are kept together.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    Pack(ListPack),
    Plain(Blob),
}

/// Part of a list, for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Several elements.
    Pack(Cow<'a, ListPack>),
    /// One large element.
    Plain(Cow<'a, [u8]>),
}

impl<'a> Segment<'a> {
    pub(super) fn of_pack(pack: &'a ListPack) -> Self {
        Self::Pack(Cow::Borrowed(pack))
    }

    pub(super) fn of_leaf(leaf: &'a Leaf) -> Self {
        match leaf {
            Leaf::Pack(pack) => Self::of_pack(pack),
            Leaf::Plain(blob) => Self::Plain(Cow::Borrowed(blob)),
        }
    }
}

impl Leaf {
    /// A leaf of one element.
    pub(super) fn of_text(text: &[u8], limit: PackLimit) -> Self {
        if limit.is_large(text.len()) {
            Self::Plain(Blob::new(text.to_vec()))
        } else {
            Self::Pack(ListPack::from_iter([Item::text(text)]))
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.heap_bytes(),
            Self::Plain(blob) => blob.capacity(),
        }
    }

    fn empty() -> Self {
        Self::Pack(ListPack::new())
    }

    /// Inserts an element before number `at`, or at the end; what comes too much goes to `after`.
    pub(super) fn insert(
        &mut self,
        at: usize,
        text: &[u8],
        limit: PackLimit,
        after: &mut Vec<Self>,
    ) {
        if let Self::Pack(pack) = self
            && !limit.is_large(text.len())
        {
            let len = pack.len();
            if limit.has_room(pack, text.len()) {
                pack.insert(place(pack, at), &[Item::text(text)]);
                return;
            }
            if at > 0 && at < len {
                let half = len / 2;
                let mut rest = pack.split_off(place(pack, half));
                let (target, at) = if at <= half { (pack, at) } else { (&mut rest, at - half) };
                target.insert(place(target, at), &[Item::text(text)]);
                after.push(Self::Pack(rest));
                return;
            }
        }
        let rest = cow_tree::Leaf::split_off(self, at);
        after.push(Self::of_text(text, limit));
        after.push(rest);
    }

    /// Removes element number `at`.
    pub(super) fn remove(&mut self, at: usize) {
        match self {
            Self::Pack(pack) => pack.remove(place(pack, at)),
            Self::Plain(_) => *self = Self::empty(),
        }
    }

    /// Puts an element in the place of number `at`.
    pub(super) fn set(&mut self, at: usize, text: &[u8], limit: PackLimit, after: &mut Vec<Self>) {
        match self {
            Self::Pack(pack) if !limit.is_large(text.len()) => {
                pack.replace(place(pack, at), Item::text(text));
                if pack.len() > 1 && !limit.allows(pack.byte_len(), pack.len()) {
                    after.push(Self::Pack(pack.split_off(place(pack, pack.len() / 2))));
                }
            }
            _ => {
                let mut rest = cow_tree::Leaf::split_off(self, at);
                after.push(Self::of_text(text, limit));
                after.push(cow_tree::Leaf::split_off(&mut rest, 1));
            }
        }
    }
}

impl cow_tree::Leaf for Leaf {
    type Key = ();
    type Limits = PackLimit;

    fn weight(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.len(),
            Self::Plain(_) => 1,
        }
    }

    fn key(&self) {}

    fn split_off(&mut self, offset: usize) -> Self {
        match self {
            Self::Pack(pack) => Self::Pack(pack.split_off(place(pack, offset))),
            Self::Plain(_) if offset == 0 => std::mem::replace(self, Self::empty()),
            Self::Plain(_) => Self::empty(),
        }
    }

    fn is_sparse(&self, limit: PackLimit) -> bool {
        let quarter = limit.half().half();
        matches!(self, Self::Pack(pack) if quarter.allows(pack.byte_len(), pack.len()))
    }

    fn fits_with(&self, right: &Self, limit: PackLimit) -> bool {
        match (self, right) {
            (Self::Pack(own), Self::Pack(right)) => {
                let bytes = own.byte_len() + right.byte_len();
                let count = own.len() + right.len();
                // Half would be joined again and again where lists shrink and grow.
                limit.allows(bytes + bytes / 3, count + count / 3)
            }
            _ => false,
        }
    }

    fn absorb(&mut self, right: &Self) {
        if let (Self::Pack(own), Self::Pack(right)) = (self, right) {
            own.append(right);
        }
    }

    fn address(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.address(),
            Self::Plain(blob) => address_of(&**blob),
        }
    }

    fn moved(&self) -> Self {
        match self {
            // What a reply holds too would only be there twice.
            Self::Plain(blob) if blob.holders() == 1 => Self::Plain(Blob::new(blob.to_vec())),
            _ => self.clone(),
        }
    }
}
