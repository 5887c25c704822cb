//! Places on earth as 52-bit hashes, and which hashes to look at around a place.
//!
//! Latitude and longitude are each halved 26 times; their bits alternate, latitude lowest. Nearby
//! places mostly share high bits, so an area is a few ranges of hashes: the cell that holds the
//! centre and its eight neighbours, at a step at which those cover the area. Every candidate is then
//! measured. Formulas keep the reference's order of operations, so that digits are equal.
//!
//! ```text
//!   step 1: 4 cells   step 2: 16 cells ...   step 26: 2^52 cells of 0.6 m
//!   cell of step s = hashes [cell << (52 - 2s), (cell + 1) << (52 - 2s))
//! ```

mod area;
#[cfg(test)]
mod tests;

pub use area::{Search, Shape, Span};

use crate::base::number;

/// Longitudes run from `-LONGITUDE_MAX` to `LONGITUDE_MAX`.
pub const LONGITUDE_MAX: f64 = 180.0;
/// Beyond this latitude the square map of the earth ends.
pub const LATITUDE_MAX: f64 = 85.051_128_78;

const STEP_MAX: u32 = 26;
const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
const RADIANS: f64 = std::f64::consts::PI / 180.0;
/// The alphabet of geohash.org.
const BASE32: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Characters of a geohash string; the last one has no bits left and is always 0.
const TEXT_LEN: usize = 11;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the words say it")]
pub struct Point {
    pub longitude: f64,
    pub latitude: f64,
}

/// Unit of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Unit {
    Meters,
    Kilometers,
    Feet,
    Miles,
}

impl Unit {
    /// Reads `m`, `km`, `ft` or `mi` in any case.
    pub fn parse(text: &[u8]) -> Option<Self> {
        [Self::Meters, Self::Kilometers, Self::Feet, Self::Miles]
            .into_iter()
            .find(|unit| text.eq_ignore_ascii_case(unit.name()))
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::Meters => b"m",
            Self::Kilometers => b"km",
            Self::Feet => b"ft",
            Self::Miles => b"mi",
        }
    }

    /// Meters in one.
    pub fn meters(self) -> f64 {
        match self {
            Self::Meters => 1.0,
            Self::Kilometers => 1000.0,
            Self::Feet => 0.3048,
            Self::Miles => 1609.34,
        }
    }
}

impl Point {
    /// A place on the map; `None` outside of it.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let inside = longitude.abs() <= LONGITUDE_MAX && latitude.abs() <= LATITUDE_MAX;
        inside.then_some(Self { longitude, latitude })
    }

    /// Its hash at full precision: the score of a member.
    pub fn hash(self) -> u64 {
        Cell::around(self, STEP_MAX, LATITUDE_MAX).bits()
    }

    /// Its hash as a score.
    pub fn score(self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "hashes have 53 bits at most")]
        let score = self.hash() as f64;
        score
    }

    /// The middle of the cell with this hash.
    #[inline]
    pub fn of_hash(hash: u64) -> Self {
        Cell::of_hash(hash).area().middle()
    }

    /// The middle of the cell whose hash is this score. Scores that aren't hashes give some place.
    #[inline]
    pub fn of_score(score: f64) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "saturates")]
        #[allow(clippy::cast_sign_loss, reason = "saturates")]
        Self::of_hash(score as u64)
    }

    /// As geohash.org writes it, from the whole range of latitudes.
    pub fn text(self) -> [u8; TEXT_LEN] {
        let bits = Cell::around(self, STEP_MAX, 90.0).bits();
        let mut text = [BASE32[0]; TEXT_LEN];
        let shifts = (2..=47).rev().step_by(5);
        for (character, shift) in text.iter_mut().zip(shifts) {
            let [low, ..] = (bits >> shift).to_le_bytes();
            *character = BASE32[usize::from(low & 31)];
        }
        text
    }

    /// Meters to another place along a great circle (haversine).
    pub fn distance(self, other: Self) -> f64 {
        let [from, to] = [self.longitude * RADIANS, other.longitude * RADIANS];
        let v = ((to - from) / 2.0).sin();
        if v == 0.0 {
            return self.distance_in_latitude(other);
        }
        let [south, north] = [self.latitude * RADIANS, other.latitude * RADIANS];
        let u = ((north - south) / 2.0).sin();
        let a = u * u + south.cos() * north.cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }

    /// Meters to another's parallel along a meridian.
    fn distance_in_latitude(self, other: Self) -> f64 {
        EARTH_RADIUS_M * (other.latitude * RADIANS - self.latitude * RADIANS).abs()
    }
}

/// A cell of the grid of `4^step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    longitude: u32,
    latitude: u32,
    step: u32,
}

/// What a cell covers, in degrees.
#[derive(Clone, Copy, Debug)]
struct Area {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

impl Area {
    fn middle(self) -> Point {
        let middle = |low: f64, high: f64, max: f64| f64::midpoint(low, high).clamp(-max, max);
        Point {
            longitude: middle(self.west, self.east, LONGITUDE_MAX),
            latitude: middle(self.south, self.north, LATITUDE_MAX),
        }
    }
}

impl Cell {
    /// The cell that holds `point`. A point on the very edge of the map is beyond the last cell: the
    /// reference makes such hashes, and so there are 2^step + 1 numbers.
    fn around(point: Point, step: u32, latitude_max: f64) -> Self {
        let number = |value: f64, max: f64| {
            let offset = (value + max) / (max + max);
            #[allow(clippy::cast_possible_truncation, reason = "up to 2^26")]
            #[allow(clippy::cast_sign_loss, reason = "the value is within -max..=max")]
            let number = (offset * f64::from(1_u32 << step)) as u32;
            number
        };
        Self {
            longitude: number(point.longitude, LONGITUDE_MAX),
            latitude: number(point.latitude, latitude_max),
            step,
        }
    }

    #[inline]
    fn of_hash(hash: u64) -> Self {
        Self { longitude: gather(hash >> 1), latitude: gather(hash), step: STEP_MAX }
    }

    #[inline]
    fn bits(self) -> u64 {
        spread(self.latitude) | spread(self.longitude) << 1
    }

    #[inline]
    fn area(self) -> Area {
        let cells = f64::from(1_u32 << self.step);
        let edge = |number: f64, max: f64| number / cells * (max + max) - max;
        let [longitude, latitude] = [f64::from(self.longitude), f64::from(self.latitude)];
        Area {
            west: edge(longitude, LONGITUDE_MAX),
            east: edge(longitude + 1.0, LONGITUDE_MAX),
            south: edge(latitude, LATITUDE_MAX),
            north: edge(latitude + 1.0, LATITUDE_MAX),
        }
    }

    /// The cell so many to the east and to the north; the map is a torus here.
    fn neighbour(self, east: i32, north: i32) -> Self {
        let moved = |number: u32, by: i32| match by {
            0 => number,
            by => number.wrapping_add_signed(by) & ((1 << self.step) - 1),
        };
        Self {
            longitude: moved(self.longitude, east),
            latitude: moved(self.latitude, north),
            step: self.step,
        }
    }
}

/// Puts a zero above each bit.
#[inline]
fn spread(bits: u32) -> u64 {
    let mut bits = u64::from(bits);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Keeps every other bit, from the lowest on: undoes [`spread`].
#[inline]
fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    u32::try_from(bits).unwrap_or_default()
}

/// Appends a distance the way GEODIST writes it: four decimals, half to even.
pub fn format_distance(distance: f64, out: &mut Vec<u8>) {
    let scaled = (distance * 10_000.0).round_ties_even();
    #[allow(clippy::cast_possible_truncation, reason = "the earth is 4e7 m around")]
    let scaled = scaled as i64;
    if scaled < 0 {
        out.push(b'-');
    }
    let (whole, rest) = (scaled.abs() / 10_000, scaled.abs() % 10_000);
    number::format_int(whole, out);
    out.push(b'.');
    // Four digits behind a 1 that is cut off.
    let mut digits = Vec::with_capacity(5);
    number::format_int(10_000 + rest, &mut digits);
    out.extend_from_slice(&digits[1..]);
}
