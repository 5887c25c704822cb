//! A Lua state made safe for scripts, and the job it does on the fiber.
//!
//! There are two, both made when first needed: one for EVAL, one for libraries of functions. Code
//! is kept in a table of Lua under numbers: what Rust itself refers to takes one of few slots.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::rc::Rc;

use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};

use crate::base::limits::{SCRIPT_MEMORY_MAX, SCRIPT_TICK_INSTRUCTIONS};
use crate::protocol::reply::{Output, Reply};

use super::convert::{Encoder, Fields};
use super::fiber::{Event, Input, suspend};
use super::native;
use super::raw::{self, Ended, Names};
use super::shared::{Failure, Shared};
use super::thrown::{PRELUDE_NAME, Thrown};

const PRELUDE: &str = include_str!("prelude.lua");

/// Where a function's arguments lie among the code.
const KEYS_PLACE: c_int = -1;
const ARGS_PLACE: c_int = -2;

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
    names: Names,
    /// Globals behind the proxy.
    globals: Table,
    environment: Table,
    blame: Function,
    reset: Function,
    load: Option<Function>,
    /// Code by slot.
    code: Table,
    free_slots: RefCell<Vec<usize>>,
    next_slot: Cell<usize>,
    job: RefCell<Option<Job>>,
    /// Whether something ran since garbage was last collected.
    is_littered: Cell<bool>,
    /// Under what `code` or `globals` have the arguments.
    argument_names: (Value, Value),
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
        let (load, argument_names) = match purpose {
            Purpose::Scripts => {
                let name = |name: &str| lua.create_string(name).map(Value::String);
                (None, (name("KEYS")?, name("ARGV")?))
            }
            Purpose::Functions => (
                Some(entries.raw_get("load_library")?),
                (Value::Integer(KEYS_PLACE.into()), Value::Integer(ARGS_PLACE.into())),
            ),
        };
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
            names,
            globals: entries.raw_get("globals")?,
            environment,
            blame: entries.raw_get("blame")?,
            reset: entries.raw_get("reset")?,
            load,
            code,
            free_slots: RefCell::default(),
            next_slot: Cell::new(1),
            job: RefCell::default(),
            is_littered: Cell::new(true),
            argument_names,
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
        let function = native::compile(&self.lua, code, name, &self.environment)?;
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

    /// Sets what the next job is given: for scripts the globals `KEYS` and `ARGV`.
    pub(super) fn set_arguments<'a>(
        &self,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        args: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> mlua::Result<()> {
        let table = match self.purpose {
            Purpose::Scripts => &self.globals,
            Purpose::Functions => &self.code,
        };
        let (first, second) = &self.argument_names;
        raw::set_lists(&self.lua, table, (first, keys), (second, args))
    }

    /// What the fiber is to do next.
    pub(super) fn prepare(&self, job: Job) {
        self.shared.is_loading.set(matches!(job, Job::Load(_)));
        self.shared.is_resp3.set(false);
        self.shared.is_muted.set(false);
        self.shared.failure.replace(None);
        self.shared.reply.borrow_mut().clear();
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
            Ok(Ended::By(value)) => {
                self.note_failure(&value);
                self.reset.call(())
            }
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            let text = format!("ERR {}", Thrown::of(&error));
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
            Job::Script(slot) => self.run(*slot, &[]),
            Job::Function(slot) => self.run(*slot, &[KEYS_PLACE, ARGS_PLACE]),
            Job::Load(slot) => {
                let Some(load) = &self.load else { return Ok(Ended::By(Value::Nil)) };
                let (is_ok, value) = load.call(self.code.raw_get::<Function>(*slot)?)?;
                Ok(if is_ok { Ended::With(value) } else { Ended::By(value) })
            }
        }
    }

    fn run(&self, slot: usize, arguments: &[c_int]) -> mlua::Result<Ended> {
        let slot = c_int::try_from(slot).map_err(mlua::Error::external)?;
        let (code, blame, names) = (&self.code, &self.blame, &self.names);
        let is_resp3_script = &|| self.shared.is_resp3.get();
        // The script's own commands use the shared buffer meanwhile.
        let mut output = Output::default();
        let mut reply = Reply::new(&mut output, self.shared.dialect.get());
        let run = raw::Run { code, slot, arguments, blame, names, is_resp3_script };
        let ended = raw::run(&self.lua, &run, &mut reply)?;
        if matches!(ended, Ended::Replied) {
            self.shared.reply.replace(output);
        }
        Ok(ended)
    }

    fn write_reply(&self, value: &Value) -> mlua::Result<()> {
        let shared = &self.shared;
        let mut output = shared.reply.borrow_mut();
        output.clear();
        let mut reply = Reply::new(&mut output, shared.dialect.get());
        let mut encoder =
            Encoder { fields: &self.fields, is_resp3_script: shared.is_resp3.get(), failure: None };
        encoder.value(value, 0, &mut reply)?;
        shared.failure.replace(encoder.failure);
        Ok(())
    }

    /// Completes what the message handler has noted, or takes its place when it was not asked.
    fn note_failure(&self, value: &Value) {
        self.shared.reply.borrow_mut().clear();
        let mut failure = self.shared.failure.borrow_mut();
        if failure.is_none() {
            let text = match value {
                Value::String(text) => text.to_string_lossy(),
                Value::Error(error) => Thrown::of(error).to_string(),
                _ => "error in error handling".to_owned(),
            };
            *failure = Some(Failure { text: format!("ERR {text}"), ..Failure::default() });
        }
    }
}
