//! The append-only file as the engine sees it: what is written when, when it is rewritten, what
//! INFO tells of it. The files themselves are [`files::LogFiles`]' business.

pub(super) mod commands;
pub mod files;
pub mod loading;
pub(super) mod rewriting;
pub(super) mod waiting;
pub(super) mod writing;

#[cfg(test)]
pub(super) mod tests;
