//! What can be wrong with a file or a payload.

use std::io;

use super::format::{VERSION_NEWEST, VERSION_VALKEY};

/// Why a file or a payload is refused, and where.
#[derive(Debug, thiserror::Error)]
#[error("at byte {at}: {reason}")]
pub struct LoadError {
    /// Offset behind what was read last.
    pub at: u64,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message documents the case")]
pub enum Reason {
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    #[error("it ends in the middle of something")]
    Cut,
    #[error("this is no RDB file: it begins with neither REDIS nor VALKEY and a version")]
    Magic,
    #[error("version {0} isn't known: neither 1 to {VERSION_NEWEST} nor {VERSION_VALKEY}")]
    Version(u32),
    #[error("the checksum is {found:016x}, but that of the content is {expected:016x}")]
    Checksum { expected: u64, found: u64 },
    #[error("values of type {0}{newer} aren't known", newer = newer_than_ours(*.0))]
    Layout(u8),
    #[error("value of the module type '{0}', which isn't known")]
    Module(String),
    #[error("data of the module '{0}', which isn't known")]
    ModuleAux(String),
    #[error("a function in the format of a release candidate of Redis 7.0")]
    OldFunction,
    #[error("an unfinished migration of slots")]
    SlotImport,
    #[error("metadata of modules, which aren't known")]
    KeyMetadata,
    #[error("database {0} is out of range")]
    Database(u64),
    #[error("{0}")]
    Damaged(&'static str),
    #[error("the value has no elements")]
    Empty,
    #[error("{0}")]
    Refused(String),
}

/// What newer servers call a layout that isn't known, for who reads why a file is refused.
fn newer_than_ours(layout: u8) -> &'static str {
    match layout {
        26 => " (streams of Redis 8.6)",
        27 => " (streams of Redis 8.8)",
        28 => " (arrays of Redis 8.8)",
        _ => "",
    }
}

impl Reason {
    /// At a place.
    pub fn at(self, at: u64) -> LoadError {
        LoadError { at, reason: self }
    }
}
