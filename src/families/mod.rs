//! Data commands: one file per family, each with its table, its handlers and their tests.

pub mod bit;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod key;
pub mod list;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;

#[cfg(test)]
mod bench;
mod deadline;
#[cfg(test)]
mod laws;
mod member_deadlines;
mod pop_plan;
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
    sorted_set::add::COMMANDS,
    sorted_set::read::COMMANDS,
    sorted_set::range::COMMANDS,
    sorted_set::remove::COMMANDS,
    sorted_set::pop::COMMANDS,
    sorted_set::algebra::COMMANDS,
    sorted_set::scan::COMMANDS,
    sorted_set::deadline::COMMANDS,
    geo::place::COMMANDS,
    geo::search::COMMANDS,
    stream::add::COMMANDS,
    stream::trim::COMMANDS,
    stream::delete::COMMANDS,
    stream::range::COMMANDS,
    stream::read::COMMANDS,
    stream::read_group::COMMANDS,
    stream::group::COMMANDS,
    stream::pending::COMMANDS,
    stream::claim::COMMANDS,
    stream::info::COMMANDS,
    hash::set::COMMANDS,
    hash::count::COMMANDS,
    hash::read::COMMANDS,
    hash::walk::COMMANDS,
    hash::deadline::COMMANDS,
    hash::timed::COMMANDS,
    key::basic::COMMANDS,
    key::place::COMMANDS,
    key::dump::COMMANDS,
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
    set::deadline::COMMANDS,
];
