//! `ochre-server`: the command line, then the server.

#![allow(unsafe_code, reason = "the allocator's options are a symbol of C's")]

use std::ffi::{OsString, c_char};
use std::io::Write as _;
use std::process::ExitCode;

use ochre::server::allocator::CountingAllocator;
use ochre::server::aof::{check, past};
use ochre::server::cli::{self, Outcome, Started};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A C string that never changes.
#[repr(transparent)]
struct Options(*const c_char);

// SAFETY: it points to a constant.
unsafe impl Sync for Options {}

/// Options of the allocator, read before `main`. Its memory lies in ordinary pages: the kernel clears
/// a huge one at its first touch, and everybody would wait meanwhile.
// SAFETY: jemalloc declares a C string of this name for programs to define.
#[unsafe(export_name = "malloc_conf")]
static OPTIONS: Options = Options(c"thp:never".as_ptr());

/// The words for the tool that checks append-only files, when the program is called as that: by
/// its name, or by its first word.
fn check_words() -> Option<Vec<String>> {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let called = words.next()?;
    let name = called.rsplit('/').next().unwrap_or_default();
    if matches!(name, "redis-check-aof" | "valkey-check-aof" | "ochre-check-aof") {
        return Some(words.collect());
    }
    (words.next()? == "check-aof").then(|| words.collect())
}

/// The words for the tool that goes back to a moment of a log, when the first one asks for it.
fn past_words() -> Option<Vec<String>> {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).skip(1);
    (words.next()? == "restore-aof").then(|| words.collect())
}

fn main() -> ExitCode {
    if let Some(words) = check_words() {
        return check::run(&words, &mut std::io::stdin().lock(), &mut std::io::stdout());
    }
    if let Some(words) = past_words() {
        return past::run(&words, &mut std::io::stdout());
    }
    let started = Started {
        arguments: std::env::args_os().collect::<Vec<OsString>>(),
        environment: std::env::vars_os().collect(),
        stdin: &mut std::io::stdin(),
        is_command: &ochre::engine::registry::is_command,
    };
    match cli::parse(started) {
        Outcome::Run(start) => ochre::server::run(*start),
        Outcome::Print(text) => {
            // Who closed the output does not want to read it.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Outcome::Fail(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::FAILURE
        }
        Outcome::Refuse(text) => {
            let _ = std::io::stderr().write_all(text.as_bytes());
            ExitCode::FAILURE
        }
    }
}
