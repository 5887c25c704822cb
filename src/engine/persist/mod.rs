//! Keeping data beyond the process: saves in the background and in the foreground, save points,
//! loading, the end of the process.
//!
//! The engine decides when and what; [`disk::Disk`] writes and reads. A snapshot costs nothing to
//! take, so a save in the background is a snapshot handed to a thread, and what it did comes back
//! as a report.

pub(super) mod backup;
pub(super) mod commands;
pub mod disk;
pub mod loading;
pub(super) mod named;
pub(super) mod reload;
pub(super) mod saving;
pub mod shutdown;

#[cfg(test)]
pub(super) mod tests;
