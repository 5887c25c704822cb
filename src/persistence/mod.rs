//! How data look outside the process: RDB files, append-only files, DUMP payloads of single values.

pub mod aof;
pub mod dump;
pub mod rdb;
