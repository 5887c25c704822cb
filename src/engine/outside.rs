//! What the engine asks of the world around it.
//!
//! The engine does no I/O and reads no clock. Where a command needs an answer from outside before
//! it can reply (CONFIG SET port, INFO's process figures), it goes through this one interface,
//! which the server implements and tests replace.

use crate::config::{Config, Field};
use crate::keyspace::graveyard::Garbage;

use super::append::files::{LogFigures, LogFiles};
use super::away::LongRead;
use super::persist::disk::Disk;

/// Figures of the process, read when INFO asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessFigures {
    /// Resident set, bytes.
    pub rss_bytes: usize,
    /// Memory of the machine, bytes.
    pub system_memory_bytes: usize,
    /// CPU time in user mode, microseconds.
    pub user_us: u64,
    /// CPU time in the kernel, microseconds.
    pub system_us: u64,
    /// The same of children.
    pub children_user_us: u64,
    /// The same of children.
    pub children_system_us: u64,
    /// CPU time of the engine's thread in user mode, microseconds.
    pub thread_user_us: u64,
    /// CPU time of the engine's thread in the kernel, microseconds.
    pub thread_system_us: u64,
}

/// Figures of the allocator, read when INFO or MEMORY asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllocatorFigures {
    /// Bytes handed out.
    pub allocated: usize,
    /// Bytes in pages that hold at least one allocation.
    pub active: usize,
    /// Bytes mapped and resident.
    pub resident: usize,
    /// Bytes of pages the allocator keeps but the kernel may take.
    pub muzzy: usize,
    /// Bytes kept for later.
    pub retained: usize,
}

/// What a worker frees.
#[derive(Clone, Copy, Debug, Default)]
pub struct FreeingFigures {
    /// Large things that are still to be freed.
    pub pending: usize,
    /// Their bytes, about.
    pub pending_bytes: usize,
    /// Those that have been freed.
    pub freed: usize,
}

/// What [`Outside::compact`] runs.
pub type Compacting<'a> = &'a mut dyn FnMut(&dyn Outside, &mut dyn FnMut(usize) -> bool);

/// The world, as far as commands need an answer from it at once.
pub trait Outside: std::fmt::Debug {
    /// Bytes allocated now.
    fn memory_used(&self) -> usize;
    /// Figures of the process.
    fn process(&self) -> ProcessFigures;
    /// Figures of the allocator.
    fn allocator(&self) -> AllocatorFigures;
    /// Reads a control of the allocator's, and sets it; what it was, or why not.
    fn allocator_control(&mut self, name: &str, new: Option<i64>) -> Result<i64, String>;
    /// Reads a control that is a text.
    fn allocator_text(&self, name: &str) -> Result<String, String>;
    /// Calls a control that takes and gives nothing.
    fn allocator_call(&mut self, name: &str) -> Result<(), String>;
    /// The allocator's own report, for MEMORY MALLOC-STATS.
    fn allocator_report(&self) -> String;
    /// Frees what is large, sooner or later.
    fn free(&mut self, garbage: Vec<Garbage>);
    /// How far freeing has come.
    fn freeing(&self) -> FreeingFigures;
    /// Bytes that a connection takes beside what the engine knows of it.
    fn connection_bytes(&self) -> usize;
    /// Has a worker run this; its outcome goes to [`super::Engine::come_back`].
    fn send_away(&mut self, read: LongRead);
    /// Gives free pages back to the kernel.
    fn purge(&mut self);
    /// Lets `work` move allocations: it gets this again, and whom to ask whether an address lies
    /// where most has been freed. What is allocated meanwhile goes where little is left.
    fn compact(&mut self, work: Compacting<'_>);
    /// The allocator's name and version.
    fn allocator_name(&self) -> String;
    /// The operating system: name, release, machine.
    fn system(&self) -> String;
    /// Puts changed directives into effect. On error nothing has changed: the directive that
    /// could not be applied, and why.
    fn apply(&mut self, config: &Config, changed: &[Field]) -> Result<(), (Field, String)>;
    /// The data's files.
    fn disk(&mut self) -> &mut dyn Disk;
    /// The files of the append-only file.
    fn log_files(&mut self) -> &mut dyn LogFiles;
    /// Figures of the append-only file.
    fn log_figures(&self) -> LogFigures;
    /// Absolute path of the working directory.
    fn working_dir(&self) -> String;
    /// Reads the configuration file.
    fn read_config_file(&mut self, path: &str) -> std::io::Result<Vec<u8>>;
    /// Replaces the configuration file atomically.
    fn write_config_file(&mut self, path: &str, text: &[u8]) -> std::io::Result<()>;
    /// Stands still (DEBUG SLEEP).
    fn sleep_us(&mut self, micros: u64);
    /// A monotonic reading in ticks, for durations only.
    fn ticks(&self) -> u64;
    /// Nanoseconds per tick, as a fixed-point number with 32 fractional bits.
    fn nanos_per_tick(&self) -> u64;
    /// Ends the process at once, without saying goodbye (DEBUG SEGFAULT and its like).
    fn crash(&mut self, how: &str);
    /// Unpredictable bits, for identifiers.
    fn entropy(&mut self) -> u64;
}
