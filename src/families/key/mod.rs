//! Commands of keys, whatever their value.

pub mod basic;
pub mod dump;
pub mod expire;
pub mod flush;
pub mod object;
pub mod place;
pub mod sort;
pub mod walk;
