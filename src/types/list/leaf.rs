//! What the tree of a large list holds: packs, and elements too large for one, open or compressed.

use super::compressed::Compressed;
use super::{PackLimit, place};
use crate::base::blob::Blob;
use crate::structures::cow_tree;
use crate::structures::listpack::{Item, ListPack};
use crate::structures::relocation::address_of;
use std::borrow::Cow;

/// Elements that are kept together.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    Open(Open),
    Compressed(Compressed),
}

/// Elements that can be read.
#[derive(Clone, Debug)]
pub(super) enum Open {
    Pack(ListPack),
    Plain(Blob),
}

// What compressing adds costs other lists nothing.
const _: () = assert!(size_of::<Leaf>() == size_of::<ListPack>());

/// Part of a list, for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Several elements.
    Pack(Cow<'a, ListPack>),
    /// One large element.
    Plain(Cow<'a, [u8]>),
    /// Either of them.
    Compressed(Cow<'a, Compressed>),
}

impl<'a> Segment<'a> {
    pub(super) fn of_pack(pack: &'a ListPack) -> Self {
        Self::Pack(Cow::Borrowed(pack))
    }

    pub(super) fn of_leaf(leaf: &'a Leaf) -> Self {
        match leaf {
            Leaf::Open(Open::Pack(pack)) => Self::of_pack(pack),
            Leaf::Open(Open::Plain(blob)) => Self::Plain(Cow::Borrowed(blob)),
            Leaf::Compressed(compressed) => Self::Compressed(Cow::Borrowed(compressed)),
        }
    }
}

impl From<Segment<'_>> for Leaf {
    fn from(segment: Segment<'_>) -> Self {
        match segment {
            Segment::Pack(pack) => Self::pack(pack.into_owned()),
            Segment::Plain(bytes) => Self::plain(&bytes),
            Segment::Compressed(compressed) => Self::Compressed(compressed.into_owned()),
        }
    }
}

impl Open {
    /// Bytes of its elements.
    pub(super) fn byte_len(&self) -> usize {
        match self {
            Self::Pack(pack) => pack.byte_len(),
            Self::Plain(blob) => blob.len(),
        }
    }

    fn empty() -> Self {
        Self::Pack(ListPack::new())
    }

    /// Takes the elements from number `at` on out of it.
    fn split_off(&mut self, at: usize) -> Leaf {
        Leaf::Open(match self {
            Self::Pack(pack) => Self::Pack(pack.split_off(place(pack, at))),
            Self::Plain(_) if at == 0 => std::mem::replace(self, Self::empty()),
            Self::Plain(_) => Self::empty(),
        })
    }
}

impl Leaf {
    pub(super) fn pack(pack: ListPack) -> Self {
        Self::Open(Open::Pack(pack))
    }

    pub(super) fn plain(bytes: &[u8]) -> Self {
        Self::Open(Open::Plain(Blob::new(bytes.to_vec())))
    }

    /// A leaf of one element.
    fn of_text(text: &[u8], limit: PackLimit) -> Self {
        if limit.is_large(text.len()) {
            Self::plain(text)
        } else {
            Self::pack(ListPack::from_iter([Item::text(text)]))
        }
    }

    pub(super) fn is_compressed(&self) -> bool {
        matches!(self, Self::Compressed(_))
    }

    /// Compresses it, if that is worth it.
    pub(super) fn compress(&mut self) {
        if let Self::Open(open) = self
            && let Some(compressed) = Compressed::of(open)
        {
            *self = Self::Compressed(compressed);
        }
    }

    /// For changing: it stays open.
    pub(super) fn open(&mut self) -> &mut Open {
        if let Self::Compressed(compressed) = self {
            *self = Self::Open(compressed.open());
        }
        match self {
            Self::Open(open) => open,
            Self::Compressed(_) => unreachable!("was just opened"),
        }
    }

    /// For reading: borrowed if it is open.
    pub(super) fn opened(&self) -> Cow<'_, Open> {
        match self {
            Self::Open(open) => Cow::Borrowed(open),
            Self::Compressed(compressed) => Cow::Owned(compressed.open()),
        }
    }

    pub(super) fn into_open(self) -> Open {
        match self {
            Self::Open(open) => open,
            Self::Compressed(compressed) => compressed.open(),
        }
    }

    /// Whether it is one element too large for a pack.
    pub(super) fn is_plain(&self) -> bool {
        match self {
            Self::Open(open) => matches!(open, Open::Plain(_)),
            Self::Compressed(compressed) => compressed.is_plain(),
        }
    }

    /// Bytes of its elements when open.
    pub(super) fn byte_len(&self) -> usize {
        match self {
            Self::Open(open) => open.byte_len(),
            Self::Compressed(compressed) => compressed.text_len(),
        }
    }

    /// Bytes allocated.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Open(Open::Pack(pack)) => pack.heap_bytes(),
            Self::Open(Open::Plain(blob)) => blob.capacity(),
            Self::Compressed(compressed) => compressed.heap_bytes(),
        }
    }

    /// Inserts an element before number `at`, or at the end; what comes too much goes to `after`.
    pub(super) fn insert(
        &mut self,
        at: usize,
        text: &[u8],
        limit: PackLimit,
        after: &mut Vec<Self>,
    ) {
        let open = self.open();
        if let Open::Pack(pack) = open
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
                after.push(Self::pack(rest));
                return;
            }
        }
        let rest = open.split_off(at);
        after.push(Self::of_text(text, limit));
        after.push(rest);
    }

    /// Removes element number `at`.
    pub(super) fn remove(&mut self, at: usize) {
        match self.open() {
            Open::Pack(pack) => pack.remove(place(pack, at)),
            plain @ Open::Plain(_) => *plain = Open::empty(),
        }
    }

    /// Puts an element in the place of number `at`.
    pub(super) fn set(&mut self, at: usize, text: &[u8], limit: PackLimit, after: &mut Vec<Self>) {
        match self.open() {
            Open::Pack(pack) if !limit.is_large(text.len()) => {
                pack.replace(place(pack, at), Item::text(text));
                if pack.len() > 1 && !limit.allows(pack.byte_len(), pack.len()) {
                    after.push(Self::pack(pack.split_off(place(pack, pack.len() / 2))));
                }
            }
            open => {
                let mut rest = open.split_off(at);
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
            Self::Open(Open::Pack(pack)) => pack.len(),
            Self::Open(Open::Plain(_)) => 1,
            Self::Compressed(compressed) => compressed.count(),
        }
    }

    fn key(&self) {}

    fn split_off(&mut self, offset: usize) -> Self {
        self.open().split_off(offset)
    }

    fn is_sparse(&self, limit: PackLimit) -> bool {
        let quarter = limit.half().half();
        !self.is_plain() && quarter.allows(self.byte_len(), self.weight())
    }

    fn fits_with(&self, right: &Self, limit: PackLimit) -> bool {
        let bytes = self.byte_len() + right.byte_len();
        let count = self.weight() + right.weight();
        // Half would be joined again and again where lists shrink and grow.
        let fits = limit.allows(bytes + bytes / 3, count + count / 3);
        fits && !self.is_plain() && !right.is_plain()
    }

    fn absorb(&mut self, right: &Self) {
        if let (Open::Pack(own), Open::Pack(right)) = (self.open(), &*right.opened()) {
            own.append(right);
        }
    }

    fn address(&self) -> usize {
        match self {
            Self::Open(Open::Pack(pack)) => pack.address(),
            Self::Open(Open::Plain(blob)) => address_of(&**blob),
            Self::Compressed(compressed) => compressed.address(),
        }
    }

    fn moved(&self) -> Self {
        match self {
            // What a reply holds too would only be there twice.
            Self::Open(Open::Plain(blob)) if blob.holders() == 1 => Self::plain(blob),
            _ => self.clone(),
        }
    }
}
