//! Scripts: EVAL, libraries of functions, and the Lua that runs them.
//!
//! A script runs on a stack of its own ([`fiber`]) and speaks to the engine by suspending: to have
//! a command run, and every so many instructions, to let the engine look at the clock. The engine
//! never lends itself to Lua.

pub(super) mod commands;
pub(super) mod function_commands;

mod busy;
mod run;

mod cache;
mod dump;
mod functions;

mod bridge;
mod convert;
mod fiber;
mod flags;
mod frames;
mod library;
mod machine;
mod native;
mod random;
mod raw;
mod runner;
mod shared;
mod thrown;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use crate::protocol::error::ReplyError;

use cache::Cache;
use fiber::Fiber;
use functions::Functions;
use machine::{Machine, Purpose};
use run::Running;

/// Everything about scripts that an engine holds.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    fiber: Option<Fiber>,
    eval: Option<Rc<Machine>>,
    library: Option<Rc<Machine>>,
    cache: Cache,
    functions: Functions,
    running: Option<Running>,
    /// Scripts may call what is not for them, as tests want to.
    pub(super) allows_everything: bool,
    /// The call of the running script, when it goes on later.
    paused: Option<busy::PausedCall>,
}

/// Bytes by what they are for, for INFO and MEMORY STATS.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ScriptFigures {
    /// The Lua state of EVAL.
    pub eval_state: usize,
    /// The Lua state of functions.
    pub function_state: usize,
    /// Texts of cached scripts and what keeps them.
    pub scripts: usize,
    /// Texts of libraries and what keeps them.
    pub functions: usize,
    /// Cached scripts.
    pub script_count: usize,
    /// Functions.
    pub function_count: usize,
    /// Libraries.
    pub library_count: usize,
    /// Scripts that EVAL kept and others pushed out.
    pub evicted: u64,
}

impl Scripts {
    /// What scripts take.
    pub(super) fn figures(&self) -> ScriptFigures {
        let state = |machine: &Option<Rc<Machine>>| {
            machine.as_ref().map_or(0, |machine| {
                if self.running.is_none() {
                    machine.tidy();
                }
                machine.memory_bytes()
            })
        };
        ScriptFigures {
            eval_state: state(&self.eval),
            function_state: state(&self.library),
            scripts: self.cache.memory_bytes(),
            functions: self.functions.memory_bytes(),
            script_count: self.cache.len(),
            function_count: self.functions.function_count(),
            library_count: self.functions.library_count(),
            evicted: self.cache.evicted,
        }
    }

    /// Texts of all libraries, by name.
    pub(super) fn library_texts(&self) -> Vec<Vec<u8>> {
        self.functions.libraries().map(|(_, library)| library.code.to_vec()).collect()
    }

    /// The Lua state for a purpose, made now if need be.
    fn machine(&mut self, purpose: Purpose) -> Result<Rc<Machine>, ReplyError> {
        let place = match purpose {
            Purpose::Scripts => &mut self.eval,
            Purpose::Functions => &mut self.library,
        };
        if let Some(machine) = place {
            return Ok(Rc::clone(machine));
        }
        let machine = Machine::new(purpose).map_err(|error| {
            tracing::warn!("A Lua state could not be made: {error}");
            ReplyError::Fixed("ERR Scripts can't be run, see the log")
        })?;
        *place = Some(Rc::clone(&machine));
        Ok(machine)
    }

    /// The fiber, made now if need be.
    fn fiber(&mut self) -> Result<&mut Fiber, ReplyError> {
        if self.fiber.is_none() {
            let fiber = Fiber::new().map_err(|error| {
                tracing::warn!("No stack for scripts: {error}");
                ReplyError::Fixed("ERR Scripts can't be run, see the log")
            })?;
            self.fiber = Some(fiber);
        }
        self.fiber.as_mut().ok_or(ReplyError::Fixed("ERR Scripts can't be run, see the log"))
    }

    /// Whether a script waits for a command of its that runs right now.
    pub(super) fn is_calling(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.is_calling)
    }
}
