//! Directives: one table from which file, command line, CONFIG and the example file derive.
//!
//! Pure: files are read through [`file::Files`], which the server implements.

pub mod change;
pub mod choices;
pub mod events;
pub mod example;
pub mod file;
pub mod fuzz;
pub mod kinds;
pub mod lists;
pub mod options;
pub mod rewrite;
pub mod row;
pub mod suggest;
pub mod table;
pub mod texts;
pub mod words;

pub use table::{Config, DIRECTIVES, Field};
