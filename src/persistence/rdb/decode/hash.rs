//! Hashes: fields one by one or packed, with or without deadlines.

use super::{DEADLINE_MAX, Decoder, Dialect, from_ziplist, listpack, ziplist};
use crate::base::time::UnixMillis;
use crate::keyspace::load::LoadedValue;
use crate::keyspace::value::Stored;
use crate::persistence::rdb::error::{LoadError, Reason};
use crate::persistence::rdb::format::layout;
use crate::persistence::rdb::input::Input;
use crate::structures::listpack::{Digits, Item, ListPack};
use crate::types::hash::{Hash, Lifetime, NewValue};

/// Deadline of a field without one in files of Valkey.
const STAYS: i64 = -1;

const TWICE: &str = "a hash that has a field twice";
const DEADLINE: &str = "a field with an impossible deadline";

/// How deadlines are told.
#[derive(Clone, Copy)]
enum Deadlines {
    None,
    /// Before the field: 0 for none, else milliseconds after this moment, counted from 1.
    After(i64),
    /// Before the field: Unix milliseconds, 0 for none.
    Before,
    /// Behind the value: Unix milliseconds in 64 bits, -1 for none.
    Behind,
}

impl Decoder<'_> {
    pub(super) fn hash<'i>(
        &mut self,
        input: &mut Input<'_>,
        layout: u8,
    ) -> Result<LoadedValue<'i>, LoadError> {
        let hash = match layout {
            layout::HASH => self.fields(input, Deadlines::None)?,
            layout::HASH_TIMED => {
                let earliest = input.millis()?;
                self.fields(input, Deadlines::After(earliest))?
            }
            layout::HASH_TIMED_PRE_GA if self.dialect == Dialect::Valkey => {
                self.fields(input, Deadlines::Behind)?
            }
            layout::HASH_TIMED_PRE_GA => self.fields(input, Deadlines::Before)?,
            layout::HASH_LISTPACK_TIMED => {
                input.millis()?;
                self.triplets(input)?
            }
            layout::HASH_LISTPACK_TIMED_PRE_GA => self.triplets(input)?,
            layout::HASH_ZIPMAP => {
                let bytes = input.owned()?;
                let pack = ziplist::of_zipmap(&bytes);
                let pack = pack.map_or_else(|| input.damaged("a damaged zipmap"), Ok)?;
                self.pairs(input, pack)?
            }
            layout::HASH_ZIPLIST => {
                let pack = from_ziplist(input)?;
                self.pairs(input, pack)?
            }
            _ => {
                let pack = listpack(input)?;
                self.pairs(input, pack)?
            }
        };
        if hash.is_empty() {
            return Err(input.error(Reason::Empty));
        }
        Ok(hash.into_value().into())
    }

    fn fields(&mut self, input: &mut Input<'_>, deadlines: Deadlines) -> Result<Hash, LoadError> {
        let count = input.count(2)?;
        let mut hash = Hash::default();
        hash.reserve(count, self.limits.hash, self.epochs);
        let mut name = std::mem::take(&mut self.scratch.name);
        for _ in 0..count {
            let before = match deadlines {
                Deadlines::After(_) | Deadlines::Before => input.number()?,
                Deadlines::None | Deadlines::Behind => 0,
            };
            input.text_into(&mut name)?;
            let value = input.text()?;
            let mut digits = Digits::default();
            let value = NewValue::Bytes(value.as_text(&mut digits));
            let limits = self.limits.hash;
            if !hash.set(&name, value, Lifetime::Forever, limits, self.epochs) {
                return input.damaged(TWICE);
            }
            let deadline = match deadlines {
                Deadlines::None => None,
                Deadlines::Behind => Some(input.millis()?).filter(|at| *at != STAYS),
                Deadlines::Before => i64::try_from(before).ok().filter(|at| *at != 0),
                Deadlines::After(_) if before == 0 => None,
                Deadlines::After(earliest) => {
                    let after = i64::try_from(before - 1).unwrap_or(i64::MAX);
                    Some(earliest.saturating_add(after))
                }
            };
            if deadline.is_some_and(|at| !(0..DEADLINE_MAX).contains(&at)) {
                return input.damaged(DEADLINE);
            }
            if deadline.is_some() {
                hash.set_deadline(&name, deadline.map(UnixMillis), self.epochs);
            }
        }
        self.scratch.name = name;
        Ok(hash)
    }

    fn pairs(&mut self, input: &Input<'_>, pack: ListPack) -> Result<Hash, LoadError> {
        let count = pack.len();
        if !count.is_multiple_of(2) {
            return input.damaged("a field without a value");
        }
        if !self.are_distinct(pack.pairs().map(|(name, _)| name)) {
            return input.damaged(TWICE);
        }
        Ok(self.sized(Hash::of_pairs(pack)))
    }

    fn triplets(&mut self, input: &mut Input<'_>) -> Result<Hash, LoadError> {
        let pack = listpack(input)?;
        if !pack.len().is_multiple_of(3) {
            return input.damaged("a field without a value or a deadline");
        }
        if !self.are_distinct(pack.iter().step_by(3)) {
            return input.damaged(TWICE);
        }
        let mut last = 1;
        for deadline in pack.iter().skip(2).step_by(3) {
            let next = match deadline {
                Item::Int(0) => i64::MAX,
                Item::Int(at) if (1..DEADLINE_MAX).contains(&at) => at,
                _ => return input.damaged(DEADLINE),
            };
            if next < last {
                return input.damaged("fields that are not in the order of their deadlines");
            }
            last = next;
        }
        Ok(self.sized(Hash::of_triplets(pack)))
    }

    /// Makes it a table if it is too large for a pack.
    fn sized(&mut self, mut hash: Hash) -> Hash {
        hash.reserve(hash.len(), self.limits.hash, self.epochs);
        hash
    }
}
