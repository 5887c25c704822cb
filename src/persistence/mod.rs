//! How data look outside the process: RDB files.

pub mod rdb;
