//! The only impure layer: sockets, files, clock, signals, threads.

pub mod cli;
pub mod config_files;
pub mod local_time;
pub mod log;
pub mod syslog;
