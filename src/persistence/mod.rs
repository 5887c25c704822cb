//! How data look outside the process: RDB files, the append-only file.

pub mod aof;
pub mod rdb;
