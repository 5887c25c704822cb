//! Commands that see a string as an array of bits.

pub mod combine;
pub mod field;
pub mod map;
