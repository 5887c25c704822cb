//! A Lua state made safe for scripts, and the job it does on the fiber.
//!
//! There are two, both made when first needed: one for EVAL, one for libraries of functions. Code
//! is kept in a table of Lua under numbers: what Rust itself refers to takes one of few slots.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};

use crate::base::limits::{SCRIPT_MEMORY_MAX, SCRIPT_TICK_INSTRUCTIONS};
use crate::protocol::reply::Reply;

use super::convert::{Encoder, Fields};
use super::fiber::{Event, Input, suspend};
use super::frames::PRELUDE_NAME;
use super::native;
use super::raw::Names;
use super::runner::{Ended, Fault, Runner};
use super::shared::{Failure, Shared};
use super::thrown::Thrown;

const PRELUDE: &str = include_str!("prelude.lua");

/// What a machine's scripts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Scripts of EVAL.
    Scripts,
    /// Libraries of functions.
    Functions,
}

impl Purpose {
    /// The name that code goes by in errors.
    fn chunk_name(self) -> &'static str {
        match self {
            Self::Scripts => "@user_script",
            Self::Functions => "@user_function",
        }
    }
}

/// What to do on the fiber.
#[derive(Debug)]
pub(super) enum Job {
    /// Run a script whose arguments are set.
    Script(usize),
    /// Run a function whose arguments are set.
    Function(usize),
    /// Run a library's code, which registers its functions.
    Load(usize),
}

/// A Lua state with everything that it needs.
#[derive(Debug)]
pub(super) struct Machine {
    lua: Lua,
    /// What both sides see.
    pub shared: Rc<Shared>,
    purpose: Purpose,
    fields: Rc<Fields>,
    environment: Table,
    runner: Runner,
    reset: Function,
    load: Option<Function>,
    /// Code by slot.
    code: Table,
    free_slots: RefCell<Vec<usize>>,
    next_slot: Cell<usize>,
    job: RefCell<Option<Job>>,
    /// Whether something ran since garbage was last collected.
    is_littered: Cell<bool>,
    /// How many of the arguments are keys.
    key_count: Cell<usize>,
    /// Lua frees a chunk's name while it still needs it, unless somebody else holds it.
    _chunk_name: mlua::String,
}

impl Machine {
    /// A fresh state.
    pub(super) fn new(purpose: Purpose) -> mlua::Result<Rc<Self>> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::OS;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let shared = Rc::new(Shared::default());
        let fields = Rc::new(Fields::new(&lua)?);
        let code = lua.create_table()?;
        let names = Names::new(&lua)?;
        let natives = native::table(&lua, &shared, &fields, &names, &code)?;
        let entries: Table = lua
            .load(PRELUDE)
            .set_name(PRELUDE_NAME)
            .call((natives, purpose == Purpose::Functions))?;
        let environment: Table = entries.raw_get("environment")?;
        lua.set_named_registry_value(native::ENVIRONMENT, &environment)?;
        let load = match purpose {
            Purpose::Scripts => None,
            Purpose::Functions => Some(entries.raw_get("load_library")?),
        };
        let (globals, blame) = (entries.raw_get("globals")?, entries.raw_get("blame")?);
        let runner = Runner::new(&lua, &shared, purpose, (&code, &names, &globals, &blame))?;
        let ticker = Rc::clone(&shared);
        lua.set_global_hook(
            HookTriggers::new().every_nth_instruction(SCRIPT_TICK_INSTRUCTIONS),
            move |_, _| match suspend(ticker.fiber.get(), Event::Tick) {
                Input::Kill => Thrown::Fatal(ticker.fatal_text.get()).raise(),
                Input::Go | Input::Start(_) => Ok(VmState::Continue),
            },
        )?;
        // The only failure is a state without a count of its bytes, and this is none.
        let _ = lua.set_memory_limit(SCRIPT_MEMORY_MAX);
        Ok(Rc::new(Self {
            shared,
            purpose,
            fields,
            environment,
            runner,
            reset: entries.raw_get("reset")?,
            load,
            code,
            free_slots: RefCell::default(),
            next_slot: Cell::new(1),
            job: RefCell::default(),
            is_littered: Cell::new(true),
            key_count: Cell::default(),
            _chunk_name: lua.create_string(purpose.chunk_name())?,
            lua,
        }))
    }

    /// Bytes that the state holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// Collects garbage, if there may be some and it takes no more than a millisecond or so. No job
    /// may be under way.
    pub(super) fn tidy(&self) {
        const QUICK_BYTES: usize = 512 * 1024;
        if self.lua.used_memory() <= QUICK_BYTES && self.is_littered.replace(false) {
            // What fails here is a finalizer, of which there are none.
            let _ = self.lua.gc_collect();
        }
    }

    /// Compiles code; the slot that it is kept in, or what is wrong with it.
    pub(super) fn compile(&self, code: &[u8]) -> Result<usize, Box<[u8]>> {
        let name = self.purpose.chunk_name();
        let function = native::compile(&self.lua, code, name.as_bytes(), &self.environment)?;
        let slot = self.new_slot();
        let kept = self.code.raw_set(slot, function);
        kept.map_err(|error| error.to_string().into_bytes())?;
        Ok(slot)
    }

    /// A slot for code that is about to come.
    fn new_slot(&self) -> usize {
        self.free_slots.borrow_mut().pop().unwrap_or_else(|| {
            let slot = self.next_slot.get();
            self.next_slot.set(slot + 1);
            slot
        })
    }

    /// Forgets code.
    pub(super) fn release(&self, slot: usize) {
        if self.code.raw_set(slot, Value::Nil).is_ok() {
            self.free_slots.borrow_mut().push(slot);
        }
    }

    /// Forgets functions.
    pub(super) fn forget(&self, slots: impl Iterator<Item = usize>) {
        for slot in slots {
            // Overwriting what is there takes no memory, so it can't fail.
            let _ = self.code.raw_set(slot, Value::Nil);
        }
    }

    /// Sets what the next job is given; whether it is not too much.
    pub(super) fn set_arguments<'a>(
        &self,
        words: impl Iterator<Item = &'a [u8]>,
        key_count: usize,
    ) -> bool {
        let mut held = self.shared.words.borrow_mut();
        held.clear();
        for word in words {
            held.push(word);
        }
        self.key_count.set(key_count);
        !held.is_too_large()
    }

    /// What the fiber is to do next.
    pub(super) fn prepare(&self, job: Job) {
        self.shared.is_loading.set(matches!(job, Job::Load(_)));
        self.shared.is_resp3.set(false);
        self.shared.is_muted.set(false);
        self.shared.failure.replace(None);
        self.shared.result.borrow_mut().clear();
        self.job.replace(Some(job));
    }

    /// The fiber that does the job.
    pub(super) fn set_fiber(&self, id: u64) {
        self.shared.fiber.set(id);
    }

    /// Does the job; the reply and the failure are in `shared` afterwards.
    pub(super) fn perform(&self) {
        let Some(job) = self.job.take() else { return };
        self.is_littered.set(true);
        let outcome = self.start(&job);
        let result = match outcome {
            Ok(Ended::Replied) => Ok(()),
            Ok(Ended::With(value)) => self.write_reply(&value),
            Ok(Ended::By(fault)) => {
                self.note_failure(fault);
                self.reset.call(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            let text = [b"ERR ", Thrown::of(&error).bytes()].concat();
            self.shared.failure.replace(Some(Failure { text, ..Failure::default() }));
        }
        if self.lua.used_memory() > SCRIPT_MEMORY_MAX / 4 {
            // Garbage counts towards the limit; the next script shall not pay for this one. What
            // fails here is a finalizer, of which there are none.
            let _ = self.lua.gc_collect();
        }
    }

    fn start(&self, job: &Job) -> mlua::Result<Ended> {
        match job {
            Job::Script(slot) | Job::Function(slot) => self.run(*slot),
            Job::Load(slot) => {
                let Some(load) = &self.load else { return Ok(Ended::By(Fault::Handler)) };
                let (is_ok, value) = load.call(self.code.raw_get::<Function>(*slot)?)?;
                Ok(if is_ok { Ended::With(value) } else { Ended::By(Fault::Told) })
            }
        }
    }

    fn run(&self, slot: usize) -> mlua::Result<Ended> {
        // Taken out meanwhile, since a script that is left where it is holds nothing.
        let mut output = self.shared.result.take();
        output.clear();
        let to = (&mut output, self.shared.dialect.get());
        let ended = self.runner.run(&self.code, (slot, self.key_count.get()), to);
        self.shared.result.replace(output);
        ended
    }

    fn write_reply(&self, value: &Value) -> mlua::Result<()> {
        let shared = &self.shared;
        let mut output = shared.result.borrow_mut();
        output.clear();
        let mut reply = Reply::new(&mut output, shared.dialect.get());
        let mut encoder =
            Encoder { fields: &self.fields, is_resp3_script: shared.is_resp3.get(), failure: None };
        encoder.value(value, 0, &mut reply)?;
        shared.failure.replace(encoder.failure);
        Ok(())
    }

    /// Completes what the message handler has noted, or takes its place when it was not asked.
    fn note_failure(&self, fault: Fault) {
        self.shared.result.borrow_mut().clear();
        let mut failure = self.shared.failure.borrow_mut();
        if failure.is_none() {
            let text = match fault {
                Fault::Memory => "ERR not enough memory",
                Fault::Told | Fault::Handler => "ERR error in error handling",
            };
            *failure = Some(Failure { text: text.into(), ..Failure::default() });
        }
    }
}
