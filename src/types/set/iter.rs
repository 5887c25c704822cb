//! Walks over a set in whatever form.

use crate::structures::cow_table;
use crate::structures::listpack::Item;
use crate::structures::member::Member;
use crate::structures::{intset, listpack};

/// All members of a set. Of a table they are bytes, be they integers or not.
#[derive(Debug)]
pub enum Iter<'a> {
    /// Integers, ascending.
    Ints(intset::Iter<'a>),
    /// As they came.
    Pack(listpack::Iter<'a>),
    /// In the order of their hashes.
    Table(cow_table::Iter<'a, Member>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Self::Ints(ints) => ints.next().map(Item::Int),
            Self::Pack(pack) => pack.next(),
            Self::Table(table) => table.next().map(|member| Item::Bytes(member.bytes())),
        }
    }
}
