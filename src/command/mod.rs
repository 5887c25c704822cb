//! How a command is declared and what its handler is given.

pub mod args;
pub mod category;
pub mod context;
pub mod keys;
pub mod propagate;
pub mod spec;
