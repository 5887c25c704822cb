//! Data commands: one file per family, each with its table, its handlers and their tests.

pub mod bit;
pub mod hyperloglog;
pub mod key;
pub mod list;
pub mod set;
pub mod string;

#[cfg(test)]
mod bench;
mod deadline;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
mod text;
mod timeout;

use crate::command::spec::{Command, DataRun};

/// Every table of every family.
pub const TABLES: &[&[Command<DataRun>]] = &[
    string::read::COMMANDS,
    string::edit::COMMANDS,
    string::set::COMMANDS,
    string::number::COMMANDS,
    string::increx::COMMANDS,
    string::condition::COMMANDS,
    string::lcs::COMMANDS,
    bit::map::COMMANDS,
    bit::combine::COMMANDS,
    bit::field::COMMANDS,
    list::push::COMMANDS,
    list::pop::COMMANDS,
    list::transfer::COMMANDS,
    list::read::COMMANDS,
    list::edit::COMMANDS,
    key::basic::COMMANDS,
    key::place::COMMANDS,
    key::expire::COMMANDS,
    key::walk::COMMANDS,
    key::flush::COMMANDS,
    key::object::COMMANDS,
    key::sort::COMMANDS,
    hyperloglog::COMMANDS,
    set::member::COMMANDS,
    set::random::COMMANDS,
    set::walk::COMMANDS,
    set::algebra::COMMANDS,
    set::store::COMMANDS,
];
