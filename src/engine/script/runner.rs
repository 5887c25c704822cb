//! One script's run: arguments in, code, result out, within a single protected call.
//!
//! A protected call, a closure or a table that has to be made costs as much as the rest of a script
//! of one command. So the function that does all of it is made once ([`Runner::new`]), and the
//! tables `KEYS` and `ARGV` of scripts are used again: no script can hold on to them beyond its
//! end. What else a script left in one of them is not found by the next, which gets a fresh table
//! then. Functions of libraries get tables of their own, since libraries may keep them.

#![allow(unsafe_code, reason = "values are moved on Lua's stack")]

use std::cell::Cell;
use std::ffi::c_int;
use std::rc::Rc;

use mlua::{Function, Lua, Table, Value, ffi};

use crate::protocol::reply::{Dialect, Output, Reply};

use super::machine::Purpose;
use super::raw::{DEPTH_MAX, Names, encode, push_text};
use super::shared::{Shared, Words};

/// Words that a table which is used again can take.
const KEPT_WORDS: usize = 8;

/// After so many scripts the tables are made anew: what one has blown up does not last.
const USES_MAX: u32 = 64;

/// Where a result that is not written here is put among the code.
const RESULT_PLACE: c_int = -1;

/// Upvalues of [`perform`].
const CODE: c_int = ffi::lua_upvalueindex(1);
const NAMES: c_int = ffi::lua_upvalueindex(2);
const GLOBALS: c_int = ffi::lua_upvalueindex(3);
const LISTS: c_int = ffi::lua_upvalueindex(4);

/// Names of the lists of arguments, by their places in the table at [`LISTS`].
const LIST_NAMES: [&[u8]; 2] = [b"KEYS", b"ARGV"];

/// How a run ended.
pub(super) enum Ended {
    /// Its reply is written.
    Replied,
    /// With this value, which is not written.
    With(Value),
    /// By an error, of which `blame` has been told if it was asked.
    By(Fault),
}

/// Errors of which nobody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// None: `blame` knows.
    Told,
    /// There was no memory left.
    Memory,
    /// The message handler failed itself.
    Handler,
}

/// What runs scripts of one state.
#[derive(Debug)]
pub(super) struct Runner {
    state: *mut ffi::lua_State,
    /// `blame` and [`perform`] in Lua's registry.
    blame: c_int,
    perform: c_int,
    purpose: Purpose,
    shared: Rc<Shared>,
    /// Words in the lists that are used again; `None`: there is no list yet.
    held: Cell<[Option<c_int>; 2]>,
    uses: Cell<u32>,
}

/// One run.
struct Task<'a> {
    runner: &'a Runner,
    slot: c_int,
    key_count: usize,
    reply: Reply<'a>,
    is_written: bool,
}

impl Runner {
    /// Makes what is needed for every run. The machine that owns `lua` drops the runner first.
    pub(super) fn new(
        lua: &Lua,
        shared: &Rc<Shared>,
        purpose: Purpose,
        (code, names, globals, blame): (&Table, &Names, &Table, &Function),
    ) -> mlua::Result<Self> {
        // The place is there from now on, so that using it takes no memory.
        code.raw_set(RESULT_PLACE, false)?;
        let lists = lua.create_table_with_capacity(LIST_NAMES.len(), 0)?;
        let (mut main, mut refs) = (std::ptr::null_mut(), (0, 0));
        let values = (blame, code, names.table(), globals, lists);
        // SAFETY: the handler lies below the four upvalues; both are taken off into the registry,
        // and there is room for what is pushed.
        unsafe {
            let (main, refs) = (&mut main, &mut refs);
            lua.exec_raw::<()>(values, |state| {
                *main = state;
                ffi::lua_pushcclosure(state, perform, 4);
                refs.1 = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
                refs.0 = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
            })?;
        }
        Ok(Self {
            state: main,
            blame: refs.0,
            perform: refs.1,
            purpose,
            shared: Rc::clone(shared),
            held: Cell::default(),
            uses: Cell::default(),
        })
    }

    /// Runs the code in a slot, with the words in `shared` as its arguments, and writes its result
    /// to `output`, if it is of the usual kinds.
    pub(super) fn run(
        &self,
        code: &Table,
        (slot, key_count): (usize, usize),
        (output, dialect): (&mut Output, Dialect),
    ) -> mlua::Result<Ended> {
        let slot = c_int::try_from(slot).map_err(mlua::Error::external)?;
        let reply = Reply::new(output, dialect);
        let mut task = Task { runner: self, slot, key_count, reply, is_written: false };
        let state = self.state;
        // SAFETY: this is the main state, which nobody uses meanwhile; it has room for
        // three more values, and whatever may raise happens within the protected call. The place
        // of the result exists, so that setting it takes no memory.
        let status = unsafe {
            let bottom = ffi::lua_gettop(state);
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.blame);
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.perform);
            ffi::lua_pushlightuserdata(state, (&raw mut task).cast());
            let status = ffi::lua_pcall(state, 1, 0, bottom + 1);
            ffi::lua_settop(state, bottom);
            status
        };
        if task.is_written {
            return Ok(Ended::Replied);
        }
        let fault = match status {
            ffi::LUA_OK => {
                let value = code.raw_get(RESULT_PLACE)?;
                code.raw_set(RESULT_PLACE, false)?;
                return Ok(Ended::With(value));
            }
            ffi::LUA_ERRMEM => Fault::Memory,
            ffi::LUA_ERRERR => Fault::Handler,
            _ => Fault::Told,
        };
        Ok(Ended::By(fault))
    }

    /// Fills one of the lists that scripts see, and puts it in its place if it is a new one.
    ///
    /// # Safety
    /// - `state` runs [`perform`], and errors are caught further up.
    unsafe fn refill<'a>(
        &self,
        state: *mut ffi::lua_State,
        list: usize,
        words: impl ExactSizeIterator<Item = &'a [u8]>,
    ) {
        let mut held = self.held.get();
        let place = if list == 0 { 1 } else { 2 };
        let count = c_int::try_from(words.len()).unwrap_or(c_int::MAX);
        // SAFETY: by the caller's word. The table at the place is there whenever `held` says so.
        unsafe {
            let is_kept = words.len() <= KEPT_WORDS
                && held[list].is_some_and(|former| {
                    ffi::lua_rawgeti_(state, LISTS, place);
                    let is_clean = empty(state, former);
                    if !is_clean {
                        ffi::lua_settop(state, -2);
                    }
                    is_clean
                });
            if !is_kept {
                let room = count.max(if words.len() <= KEPT_WORDS { 4 } else { 0 });
                ffi::lua_createtable(state, room, 0);
                push_text(state, LIST_NAMES[list]);
                ffi::lua_pushvalue(state, -2);
                ffi::lua_rawset(state, GLOBALS);
                ffi::lua_pushvalue(state, -1);
                ffi::lua_rawseti_(state, LISTS, place);
            }
            held[list] = (words.len() <= KEPT_WORDS).then_some(count);
            // Before what may raise: a list that is filled in part is emptied like a full one.
            self.held.set(held);
            fill(state, words);
            ffi::lua_settop(state, -2);
        }
    }
}

/// Empties the list on the stack of its `count` words; whether nothing else is in it.
///
/// # Safety
/// - There is a table on top of the stack, and room for two more values.
unsafe fn empty(state: *mut ffi::lua_State, count: c_int) -> bool {
    // SAFETY: by the caller's word; nil is a key that `lua_next` always knows.
    unsafe {
        if ffi::lua_getmetatable(state, -1) != 0 {
            ffi::lua_settop(state, -2);
            return false;
        }
        for index in 1..=count {
            ffi::lua_pushnil(state);
            ffi::lua_rawseti_(state, -2, index);
        }
        ffi::lua_pushnil(state);
        if ffi::lua_next(state, -2) != 0 {
            ffi::lua_settop(state, -3);
            return false;
        }
    }
    true
}

/// Puts words into the list on top of the stack.
///
/// # Safety
/// - There is room for a value, and errors are caught further up.
unsafe fn fill<'a>(state: *mut ffi::lua_State, words: impl Iterator<Item = &'a [u8]>) {
    // SAFETY: by the caller's word.
    unsafe {
        for (index, word) in (1..).zip(words) {
            push_text(state, word);
            ffi::lua_rawseti_(state, -2, index);
        }
    }
}

/// The function that all runs go through; its argument is a pointer to a [`Task`].
unsafe extern "C-unwind" fn perform(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `Runner::run` calls this with a task that outlives the call, and nobody else uses it
    // meanwhile. Nobody changes the words while Lua has the word, and Lua may leave here by a jump:
    // so they are read without a guard that would have to be dropped. Stacks of C functions have
    // room for twenty values.
    unsafe {
        let task = &mut *ffi::lua_touserdata(state, 1).cast::<Task<'_>>();
        let Task { runner, slot, key_count, .. } = *task;
        ffi::lua_settop(state, 0);
        ffi::lua_rawgeti_(state, CODE, slot);
        let words: *mut Words = runner.shared.words.as_ptr();
        let given = (*words).args();
        let (all, rest) = (given.words(), given.words().skip(key_count));
        let keys = all.take(key_count);
        let arguments = match runner.purpose {
            Purpose::Scripts => {
                runner.refill(state, 0, keys);
                runner.refill(state, 1, rest);
                0
            }
            Purpose::Functions => {
                ffi::lua_createtable(state, c_int::try_from(keys.len()).unwrap_or(0), 0);
                fill(state, keys);
                ffi::lua_createtable(state, c_int::try_from(rest.len()).unwrap_or(0), 0);
                fill(state, rest);
                2
            }
        };
        (*words).shrink();
        let uses = runner.uses.get() + 1;
        runner.uses.set(uses % USES_MAX);
        if uses == USES_MAX {
            runner.held.set([None; 2]);
        }
        ffi::lua_call(state, arguments, 1);
        let mark = task.reply.output().mark();
        let is_resp3_script = runner.shared.is_resp3.get();
        task.is_written = encode(state, (1, NAMES), is_resp3_script, DEPTH_MAX, &mut task.reply);
        if !task.is_written {
            task.reply.output().rewind(mark);
            ffi::lua_rawseti_(state, CODE, RESULT_PLACE);
        }
    }
    0
}
