//! `ochre-server`: the command line, then the server.

#![allow(unsafe_code, reason = "the allocator's options are a symbol of C's")]

use std::ffi::{OsString, c_char};
use std::io::Write as _;
use std::process::ExitCode;

use ochre::server::allocator::{CountingAllocator, allow_huge_pages};
use ochre::server::aof::check;
use ochre::server::cli::{self, Outcome, Started};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A C string that never changes.
#[repr(transparent)]
struct Options(*const c_char);

// SAFETY: it points to a constant.
unsafe impl Sync for Options {}

/// Options of the allocator, read before `main`: its memory may lie in huge pages, once the process
/// allows it (see [`allow_huge_pages`]).
// SAFETY: jemalloc declares a C string of this name for programs to define.
#[unsafe(export_name = "malloc_conf")]
static OPTIONS: Options = Options(c"thp:always".as_ptr());

/// Runs before `main`, and before anything is allocated: an empty server is a small one.
#[used]
// SAFETY: functions in this section are called once, by one thread; this one calls the kernel only.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = begin_small;

extern "C" fn begin_small() {
    allow_huge_pages(false);
}

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

fn main() -> ExitCode {
    if let Some(words) = check_words() {
        return check::run(&words, &mut std::io::stdin().lock(), &mut std::io::stdout());
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
