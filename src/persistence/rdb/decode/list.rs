//! Lists: elements one by one, or whole packs.

use super::{Decoder, from_ziplist, listpack};
use crate::keyspace::load::LoadedValue;
use crate::keyspace::value::Stored;
use crate::persistence::rdb::error::{LoadError, Reason};
use crate::persistence::rdb::format::{NODE_PACKED, NODE_PLAIN, layout};
use crate::persistence::rdb::input::Input;
use crate::structures::cow_tree::End;
use crate::structures::listpack::Digits;
use crate::types::list::{List, Segment};
use std::borrow::Cow;
use std::iter;

impl Decoder<'_> {
    pub(super) fn list<'i>(
        &mut self,
        input: &mut Input<'_>,
        layout: u8,
    ) -> Result<LoadedValue<'i>, LoadError> {
        let list = match layout {
            layout::LIST => self.elements(input)?,
            layout::LIST_ZIPLIST => List::of_pack(from_ziplist(input)?, self.limits.list),
            _ => self.segments(input, layout)?,
        };
        if list.is_empty() {
            return Err(input.error(Reason::Empty));
        }
        Ok(list.into_value().into())
    }

    fn elements(&self, input: &mut Input<'_>) -> Result<List, LoadError> {
        let mut list = List::default();
        for _ in 0..input.count(1)? {
            let element = input.text()?;
            let mut digits = Digits::default();
            list.push(End::Back, iter::once(element.as_text(&mut digits)), self.limits.list);
        }
        Ok(list)
    }

    fn segments(&self, input: &mut Input<'_>, layout: u8) -> Result<List, LoadError> {
        let limit = self.limits.list;
        let count = input.count(1)?;
        let mut list = List::default();
        for _ in 0..count {
            let kind = match layout {
                layout::LIST_QUICKLIST_2 => input.number()?,
                _ => NODE_PACKED,
            };
            let segment = match kind {
                NODE_PLAIN => {
                    let element = input.owned()?;
                    if element.is_empty() {
                        return input.damaged("a list with an empty node");
                    }
                    Segment::Plain(Cow::Owned(element))
                }
                NODE_PACKED => {
                    let pack = match layout {
                        layout::LIST_QUICKLIST => from_ziplist(input)?,
                        _ => listpack(input)?,
                    };
                    if pack.is_empty() {
                        continue;
                    }
                    if count == 1 {
                        return Ok(List::of_pack(pack, limit));
                    }
                    Segment::Pack(Cow::Owned(pack))
                }
                _ => return input.damaged("a list with a node of no known kind"),
            };
            list.push_segment(segment, limit);
        }
        list.settle_segments(limit);
        Ok(list)
    }
}
