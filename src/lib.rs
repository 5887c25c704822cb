//! ochre: a Redis-compatible in-memory data store whose keyspace is copy-on-write.

pub mod base;
pub mod command;
pub mod config;
pub mod engine;
pub mod families;
pub mod keyspace;
pub mod persistence;
pub mod protocol;
pub mod server;
pub mod structures;
pub mod types;
