//! Places: a sorted set whose scores are hashes of longitude and latitude.

pub mod place;

pub mod search;

mod area;

use crate::command::args::Args;
use crate::command::spec::{Arg, one_of, pure};
use crate::protocol::error::ReplyError;
use crate::structures::geohash::{Point, Unit};
use crate::types::sorted_set::SortedSet;

const UNIT: Arg =
    one_of("unit", &[pure("m", "M"), pure("km", "KM"), pure("ft", "FT"), pure("mi", "MI")]);

const NO_UNIT: ReplyError =
    ReplyError::Fixed("ERR unsupported unit provided. please use M, KM, FT, MI");

/// Reads longitude and latitude.
fn point(args: &mut Args<'_>) -> Result<Point, ReplyError> {
    let (longitude, latitude) = (args.double()?, args.double()?);
    Point::new(longitude, latitude).ok_or_else(|| {
        let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        ReplyError::Text(text.into())
    })
}

/// Reads a unit.
fn unit(args: &mut Args<'_>) -> Result<Unit, ReplyError> {
    Unit::parse(args.bytes()?).ok_or(NO_UNIT)
}

/// The hash that a score is. Scores that aren't hashes become what the reference's conversion makes
/// of them: clients that put any numbers into the set see places, the same ones.
fn hash_of(score: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    #[allow(clippy::cast_possible_truncation, reason = "checked, but for what becomes the least")]
    if score < HALF {
        (score as i64).cast_unsigned()
    } else if score < 2.0 * HALF {
        ((score - HALF) as i64).cast_unsigned() ^ 1 << 63
    } else {
        0
    }
}

/// Where a member is.
fn place_of(set: &SortedSet, member: &[u8]) -> Option<Point> {
    set.score(member).map(|score| Point::of_hash(hash_of(score)))
}
