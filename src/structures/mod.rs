//! Containers: memory layouts and algorithms that know nothing of commands or servers.

pub mod access_clock;
pub mod bits;
pub mod cow_table;
pub mod cow_tree;
pub mod deadlines;
pub mod entry;
pub mod epoch;
pub mod frequency_sketch;
pub mod fuzz;
pub mod geohash;
pub mod hyperloglog;
pub mod intset;
pub mod lifespan;
pub mod listpack;
pub mod member;
pub mod member_deadlines;
pub mod prefetch;
pub mod relocation;
pub(crate) mod scratch;
pub mod size_class;
pub mod timing_wheel;

/// Foreign bytes aren't what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("corrupt at byte {at}")]
pub struct Corrupt {
    /// Offset of the first byte that can't be right.
    pub at: usize,
}
