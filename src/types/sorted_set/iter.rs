//! Walks over a sorted set in either direction.

use super::run::Run;
use super::{Scored, small};
use crate::structures::cow_tree::{End, Leaves};
use crate::structures::listpack::{self, Item, ListPack};
use std::iter::Rev;

/// Elements in order, towards one end.
#[derive(Debug)]
pub struct Iter<'a>(Walk<'a>);

#[derive(Debug)]
enum Walk<'a> {
    Forward(listpack::Iter<'a>),
    Backward(Rev<listpack::Iter<'a>>),
    Leaves {
        run: Option<&'a Run>,
        /// The next element; one more than it when walking to the front.
        at: usize,
        leaves: Leaves<'a, Run>,
        towards: End,
    },
}

impl<'a> Iter<'a> {
    pub(super) fn of_pack(pack: &'a ListPack, rank: usize, towards: End) -> Self {
        let at = pack.nth(2 * rank);
        Self(match towards {
            End::Back => Walk::Forward(pack.iter_from(at.unwrap_or(pack.end()))),
            End::Front => {
                let until = at.and_then(|at| pack.forward(at, 2)).unwrap_or(pack.end());
                Walk::Backward(pack.iter_until(until).rev())
            }
        })
    }

    /// Begins with an element of the first leaf, or with its end if that isn't one of the set.
    pub(super) fn of_leaves(
        mut leaves: Leaves<'a, Run>,
        within: usize,
        towards: End,
        is_inside: bool,
    ) -> Self {
        let run = leaves.next();
        let at = match towards {
            End::Back => within,
            End::Front if is_inside => within + 1,
            End::Front => run.map_or(0, Run::len),
        };
        Self(Walk::Leaves { run, at, leaves, towards })
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Scored<'a>;

    #[inline]
    fn next(&mut self) -> Option<Scored<'a>> {
        match &mut self.0 {
            Walk::Forward(items) => {
                let (member, score) = (items.next()?, items.next()?);
                Some(Scored { member, score: small::score_of(score) })
            }
            Walk::Backward(items) => {
                let (score, member) = (items.next()?, items.next()?);
                Some(Scored { member, score: small::score_of(score) })
            }
            Walk::Leaves { run, at, leaves, towards: End::Back } => loop {
                let own = (*run)?;
                if *at < own.len() {
                    *at += 1;
                    return Some(element(own, *at - 1));
                }
                (*run, *at) = (leaves.next(), 0);
            },
            Walk::Leaves { run, at, leaves, towards: End::Front } => loop {
                let own = (*run)?;
                if *at > 0 {
                    *at -= 1;
                    return Some(element(own, *at));
                }
                *run = leaves.next();
                *at = run.map_or(0, Run::len);
            },
        }
    }
}

fn element(run: &Run, at: usize) -> Scored<'_> {
    Scored { member: Item::Bytes(run.member(at)), score: run.score(at) }
}
