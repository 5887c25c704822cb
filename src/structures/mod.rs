//! Containers: memory layouts and algorithms that know nothing of commands or servers.

pub mod bits;
pub mod cow_table;
pub mod epoch;
