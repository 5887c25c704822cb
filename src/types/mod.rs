//! The data types: which structure a value has, and when it changes.

pub mod hash;
pub mod list;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod timed;
