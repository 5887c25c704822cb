//! How a command is declared and what its handler is given.

pub mod args;
pub mod context;
pub mod spec;
