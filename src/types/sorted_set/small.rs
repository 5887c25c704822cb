//! A sorted set in one listpack: member and score by turns, in order of scores, as Redis keeps it.

#![allow(clippy::float_cmp, reason = "no score is NaN, and equal ones are told by member")]

use super::{Cut, Scored};
use crate::base::number::{format_double, parse_double};
use crate::structures::listpack::{At, Digits, Item, ListPack};

/// The score that an item says; 0 for what is none.
#[inline]
pub(super) fn score_of(item: Item<'_>) -> f64 {
    match item {
        #[allow(clippy::cast_precision_loss, reason = "only what was whole is kept as an integer")]
        Item::Int(value) => value as f64,
        Item::Bytes(text) => parse_double(text).unwrap_or(0.0),
    }
}

/// A score as an item, given room for its text. The sign of zero is lost, as in Redis.
fn item_of(score: f64, text: &mut Vec<u8>) -> Item<'_> {
    if score == 0.0 {
        return Item::Int(0);
    }
    format_double(score, text);
    Item::text(text)
}

/// Where a member is, and its score.
pub(super) fn find(pack: &ListPack, member: &[u8]) -> Option<(At, f64)> {
    let at = pack.find_pair(member)?;
    let (_, score) = pack.pair(at)?;
    Some((at, score_of(score)))
}

/// Puts an element in its place; its member must not be there.
pub(super) fn insert(pack: &mut ListPack, member: &[u8], score: f64) {
    let mut pairs = pack.pairs();
    let at = loop {
        let at = pairs.at();
        let Some((own, own_score)) = pairs.next() else { break at };
        let own_score = score_of(own_score);
        if own_score > score || own_score == score && own.as_text(&mut Digits::default()) > member {
            break at;
        }
    };
    let mut text = Vec::new();
    pack.insert(at, &[Item::text(member), item_of(score, &mut text)]);
}

/// Adds an element behind all others.
pub(super) fn push(pack: &mut ListPack, member: Item<'_>, score: f64) {
    let mut text = Vec::new();
    let (mut digits, score) = (Digits::default(), item_of(score, &mut text));
    // A member that reads as an integer is kept as one.
    pack.push_pair(Item::text(member.as_text(&mut digits)), score);
}

/// Gives the element at a place another score.
pub(super) fn rescore(pack: &mut ListPack, at: At, member: &[u8], score: f64) {
    let stays = {
        let is_before = |other: Option<(Item<'_>, Item<'_>)>, if_none: bool, want: bool| {
            other.map_or(if_none, |(own, own_score)| {
                let own_score = score_of(own_score);
                let precedes = own_score < score
                    || own_score == score && own.as_text(&mut Digits::default()) < member;
                precedes == want
            })
        };
        let previous = pack.prev(at).and_then(|score| pack.prev(score));
        let next = pack.forward(at, 2);
        is_before(previous.and_then(|at| pack.pair(at)), true, true)
            && is_before(next.and_then(|at| pack.pair(at)), true, false)
    };
    if stays && let Some(place) = pack.next(at) {
        let mut text = Vec::new();
        pack.replace(place, item_of(score, &mut text));
    } else {
        pack.remove_many(at, 2);
        insert(pack, member, score);
    }
}

/// Rank and score of a member.
pub(super) fn rank(pack: &ListPack, member: &[u8]) -> Option<(usize, f64)> {
    let mut pairs = pack.pairs().enumerate();
    let (rank, (_, score)) = pairs.find(|(_, (own, _))| own.is(member))?;
    Some((rank, score_of(score)))
}

/// Number of elements before a cut.
pub(super) fn rank_at(pack: &ListPack, cut: Cut<'_>) -> usize {
    let before = pack.pairs().take_while(|(member, score)| {
        cut.is_behind(score_of(*score), member.as_text(&mut Digits::default()))
    });
    before.count()
}

/// The elements, in order.
pub(super) fn elements(pack: &ListPack) -> impl Iterator<Item = Scored<'_>> {
    pack.pairs().map(|(member, score)| Scored { member, score: score_of(score) })
}
