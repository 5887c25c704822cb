//! Sorted sets: elements one by one, or a listpack of members and scores in order.

#![allow(clippy::float_cmp, reason = "equal scores are told by their members")]

use super::{Decoder, from_ziplist, listpack};
use crate::base::number::parse_double;
use crate::keyspace::load::LoadedValue;
use crate::keyspace::value::Stored;
use crate::persistence::rdb::error::{LoadError, Reason};
use crate::persistence::rdb::format::layout;
use crate::persistence::rdb::input::Input;
use crate::structures::listpack::{Digits, Item, ListPack};
use crate::types::sorted_set::SortedSet;

const TWICE: &str = "a sorted set that has a member twice";
const SCORE: &str = "a score that is no number";

/// First bytes of scores that have no digits.
const NAN: u8 = 253;
const INFINITE: u8 = 254;
const MINUS_INFINITE: u8 = 255;

impl Decoder<'_> {
    pub(super) fn sorted_set<'i>(
        &mut self,
        input: &mut Input<'_>,
        layout: u8,
    ) -> Result<LoadedValue<'i>, LoadError> {
        let set = match layout {
            layout::SORTED_SET | layout::SORTED_SET_TEXT => self.elements_scored(input, layout)?,
            _ => {
                let pack = match layout {
                    layout::SORTED_SET_ZIPLIST => from_ziplist(input)?,
                    _ => listpack(input)?,
                };
                self.check_scored(input, &pack)?;
                let count = pack.len() / 2;
                let mut set = SortedSet::from_pack(pack);
                set.prepare(count, 0, self.limits.sorted_set, self.epochs);
                set
            }
        };
        if set.is_empty() {
            return Err(input.error(Reason::Empty));
        }
        Ok(set.into_value().into())
    }

    fn elements_scored(
        &mut self,
        input: &mut Input<'_>,
        layout: u8,
    ) -> Result<SortedSet, LoadError> {
        let count = input.count(2)?;
        let mut set = SortedSet::default();
        set.prepare(count, 0, self.limits.sorted_set, self.epochs);
        let mut member = std::mem::take(&mut self.scratch.name);
        for _ in 0..count {
            input.text_into(&mut member)?;
            let score = match layout {
                layout::SORTED_SET => f64::from_le_bytes(input.array()?),
                _ => score_text(input)?,
            };
            if score.is_nan() {
                return input.damaged(SCORE);
            }
            let mut is_new = true;
            set.update(&member, None, self.limits.sorted_set, self.epochs, |known| {
                is_new = known.is_none();
                is_new.then_some(score)
            });
            if !is_new {
                return input.damaged(TWICE);
            }
        }
        self.scratch.name = member;
        Ok(set)
    }

    fn check_scored(&mut self, input: &Input<'_>, pack: &ListPack) -> Result<(), LoadError> {
        if !pack.len().is_multiple_of(2) {
            return input.damaged("a member without a score");
        }
        if !self.are_distinct(pack.pairs().map(|(member, _)| member)) {
            return input.damaged(TWICE);
        }
        let mut last: Option<(f64, Item<'_>)> = None;
        for (member, score) in pack.pairs() {
            let Some(score) = score_of(score) else { return input.damaged(SCORE) };
            if let Some((last_score, last_member)) = last {
                let (mut digits, mut others) = (Digits::default(), Digits::default());
                let is_behind = score > last_score
                    || score == last_score
                        && member.as_text(&mut digits) > last_member.as_text(&mut others);
                if !is_behind {
                    return input.damaged("elements that are not in the order of their scores");
                }
            }
            last = Some((score, member));
        }
        Ok(())
    }
}

fn score_of(item: Item<'_>) -> Option<f64> {
    match item {
        #[allow(clippy::cast_precision_loss, reason = "only what was whole is kept as an integer")]
        Item::Int(value) => Some(value as f64),
        Item::Bytes(text) => parse_double(text).filter(|score| !score.is_nan()),
    }
}

/// A score as its text, a byte of length before it.
fn score_text(input: &mut Input<'_>) -> Result<f64, LoadError> {
    let len = match input.byte()? {
        NAN => return input.damaged(SCORE),
        INFINITE => return Ok(f64::INFINITY),
        MINUS_INFINITE => return Ok(f64::NEG_INFINITY),
        len => len,
    };
    let mut text = Vec::with_capacity(usize::from(len));
    for _ in 0..len {
        text.push(input.byte()?);
    }
    parse_double(&text).map_or_else(|| input.damaged(SCORE), Ok)
}
