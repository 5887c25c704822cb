//! Walks over the fields of a hash, however it is kept.

use super::field::{Field, FieldEntry};
use super::{Form, Hash, packed};
use crate::structures::cow_table;
use crate::structures::listpack;

/// All fields, those that are over but not yet removed included.
#[derive(Debug)]
pub struct Iter<'a>(Walk<'a>);

#[derive(Debug)]
enum Walk<'a> {
    Pairs(listpack::Iter<'a>),
    Triplets(listpack::Iter<'a>),
    Table(cow_table::Iter<'a, FieldEntry>),
}

impl<'a> Iter<'a> {
    pub(super) fn new(hash: &'a Hash) -> Self {
        Self(match &hash.0 {
            Form::Pairs(pack) => Walk::Pairs(pack.iter()),
            Form::Timed(timed) => Walk::Triplets(timed.pack.iter()),
            Form::Table(large) => Walk::Table(large.table.iter()),
        })
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        match &mut self.0 {
            Walk::Pairs(items) => packed::pair(items),
            Walk::Triplets(items) => packed::triplet(items),
            Walk::Table(fields) => fields.next().map(Field::from),
        }
    }
}
