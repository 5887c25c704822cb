//! Sets: members one by one, an intset, or a listpack.

use super::{Decoder, listpack};
use crate::keyspace::load::LoadedValue;
use crate::keyspace::value::Stored;
use crate::persistence::rdb::error::{LoadError, Reason};
use crate::persistence::rdb::format::layout;
use crate::persistence::rdb::input::Input;
use crate::structures::intset::IntSet;
use crate::structures::listpack::Digits;
use crate::types::set::Set;

const TWICE: &str = "a set that has a member twice";

impl Decoder<'_> {
    pub(super) fn set<'i>(
        &mut self,
        input: &mut Input<'_>,
        layout: u8,
    ) -> Result<LoadedValue<'i>, LoadError> {
        let mut set = match layout {
            layout::SET_INTSET => {
                let bytes = input.owned()?;
                let ints = IntSet::from_bytes(bytes).or_else(|_| input.damaged("a damaged intset"));
                Set::of_ints(ints?)
            }
            layout::SET_LISTPACK => {
                let pack = listpack(input)?;
                if !self.are_distinct(pack.iter()) {
                    return input.damaged(TWICE);
                }
                Set::of_pack(pack)
            }
            _ => self.members(input)?,
        };
        if set.is_empty() {
            return Err(input.error(Reason::Empty));
        }
        set.settle(self.limits.set, self.epochs);
        Ok(set.into_value().into())
    }

    fn members(&mut self, input: &mut Input<'_>) -> Result<Set, LoadError> {
        let mut set = Set::default();
        let count = input.count(1)?;
        for at in 0..count {
            let member = input.text()?;
            let mut digits = Digits::default();
            let member = member.as_text(&mut digits);
            if at == 0 {
                set.expect(member, count, self.limits.set, self.epochs);
            }
            if !set.insert(member, self.limits.set, self.epochs) {
                return input.damaged(TWICE);
            }
        }
        Ok(set)
    }
}
