//! The stack on which scripts run.
//!
//! A script lives on a stack of its own, on the engine's thread. When it calls a command it does
//! not reach into the engine: it suspends, the engine runs the command as for any client, and goes
//! on with the script. So Lua never holds a reference to the engine, and a script that takes too
//! long can simply be left where it is while others are answered.
//!
//! 1. Only one job runs at a time; a fiber is idle between jobs.
//! 2. A fiber that is dropped amid a job is leaked, not unwound: frames of C lie on its stack.

use std::cell::Cell;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use scoped_tls::scoped_thread_local;

use crate::base::limits::SCRIPT_STACK_BYTES;

use super::machine::Machine;

scoped_thread_local!(static YIELDER: Yielder<Input, Event>);

thread_local! {
    /// Whose yielder `YIELDER` is: several engines may share a thread in tests.
    static OWNER: Cell<u64> = const { Cell::new(0) };
    static NEXT_ID: Cell<u64> = const { Cell::new(1) };
}

/// What the engine tells the fiber.
pub(super) enum Input {
    /// Do the machine's job.
    Start(Rc<Machine>),
    /// Go on.
    Go,
    /// End the script with an error.
    Kill,
}

/// What the fiber tells the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// There was nothing to do.
    Idle,
    /// The machine wants a command run.
    Call,
    /// The machine wants to know whether its caller may run a command.
    Inquire,
    /// So many instructions have passed.
    Tick,
    /// The job is done.
    Done,
}

/// A stack and what runs on it.
pub(super) struct Fiber {
    id: u64,
    coroutine: Option<Coroutine<Input, Event, ()>>,
    is_amid_job: bool,
}

impl std::fmt::Debug for Fiber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fiber")
            .field("id", &self.id)
            .field("amid_job", &self.is_amid_job)
            .finish_non_exhaustive()
    }
}

impl Fiber {
    /// An idle fiber; fails when there is no memory for its stack.
    pub(super) fn new() -> std::io::Result<Self> {
        let id = NEXT_ID.with(|next| next.replace(next.get() + 1));
        let stack = DefaultStack::new(SCRIPT_STACK_BYTES)?;
        let coroutine = Coroutine::with_stack(stack, move |yielder, first| {
            let mut input = first;
            loop {
                let event = match input {
                    Input::Start(machine) => {
                        let outer = OWNER.replace(id);
                        machine.set_fiber(id);
                        YIELDER.set(yielder, || machine.perform());
                        OWNER.set(outer);
                        Event::Done
                    }
                    Input::Go | Input::Kill => Event::Idle,
                };
                input = yielder.suspend(event);
            }
        });
        Ok(Self { id, coroutine: Some(coroutine), is_amid_job: false })
    }

    /// Runs until the fiber has something to say.
    pub(super) fn resume(&mut self, input: Input) -> Event {
        let Some(coroutine) = self.coroutine.as_mut() else { return Event::Idle };
        self.is_amid_job = true;
        let event = match coroutine.resume(input) {
            CoroutineResult::Yield(event) => event,
            CoroutineResult::Return(()) => Event::Done,
        };
        self.is_amid_job = !matches!(event, Event::Done | Event::Idle);
        event
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        if self.is_amid_job {
            std::mem::forget(self.coroutine.take());
        }
    }
}

/// Suspends the job that runs on fiber `id`, which is the caller's.
///
/// # Panics
/// When called from anywhere else.
pub(super) fn suspend(id: u64, event: Event) -> Input {
    assert_eq!(OWNER.get(), id, "a script suspends its own fiber");
    YIELDER.with(|yielder| yielder.suspend(event))
}
