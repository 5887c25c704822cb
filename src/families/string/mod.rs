//! Commands of strings.

pub mod condition;
pub mod edit;
pub mod increx;
pub mod lcs;
pub mod number;
pub mod read;
pub mod set;
