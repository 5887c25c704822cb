//! `ochre-server`: the command line, then the server.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use ochre::server::allocator::CountingAllocator;
use ochre::server::cli::{self, Outcome, Started};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
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
        Outcome::Refuse(text) => {
            let _ = std::io::stderr().write_all(text.as_bytes());
            ExitCode::FAILURE
        }
    }
}
