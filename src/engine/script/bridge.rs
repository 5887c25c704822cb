//! `redis.call` and its like: from Lua's stack into the words of a request.
//!
//! Thousands of arguments are usual here, more than Lua lets its host refer to at a time. So they
//! are copied straight from Lua's stack, by the one function of this house that speaks Lua's C
//! interface.

#![allow(unsafe_code, reason = "the arguments of redis.call are read from Lua's stack")]

use std::ffi::c_int;
use std::rc::Rc;

use mlua::{Function, Lua, Table, ffi};

use super::fiber::{Event, suspend};
use super::raw::{self, Names};
use super::shared::{Refusal, Shared, to_integer};

/// A Lua function that makes its arguments the words of a request, suspends with `event`, and
/// returns what `answer` returns.
pub(super) fn function(
    lua: &Lua,
    shared: &Rc<Shared>,
    event: Event,
    answer: &Function,
    names: &Names,
) -> mlua::Result<Function> {
    let body = match event {
        Event::Inquire => inquire,
        _ => call,
    };
    // SAFETY: three values are pushed and taken as upvalues of a C function that expects them; the
    // pointer stays valid as long as the Lua state, because the machine that owns the state owns
    // a count of `shared` and drops it after the state.
    unsafe {
        lua.exec_raw((answer, names.table()), |state| {
            ffi::lua_pushlightuserdata(state, Rc::as_ptr(shared).cast_mut().cast());
            ffi::lua_insert(state, -3);
            ffi::lua_pushcclosure(state, body, 3);
        })
    }
}

unsafe extern "C-unwind" fn call(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this as the closure made above.
    unsafe { send(state, Event::Call) }
}

unsafe extern "C-unwind" fn inquire(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this as the closure made above.
    unsafe { send(state, Event::Inquire) }
}

/// # Safety
/// - `state` runs a closure whose upvalues are a pointer to a living `Shared`, a function and the names of
///   fields.
unsafe fn send(state: *mut ffi::lua_State, event: Event) -> c_int {
    // SAFETY: the caller vouches for the upvalue. Reading numbers and strings of the stack neither
    // allocates nor raises; what is borrowed ends before Lua may move or free it, and nothing that
    // needs to be dropped is alive when `lua_call` might raise.
    unsafe {
        let pointer = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Shared>();
        let shared = &*pointer;
        let count = ffi::lua_gettop(state);
        let refusal = gather(state, count, shared);
        shared.refuse(refusal);
        if refusal.is_none() {
            suspend(shared.fiber.get(), event);
        }
        ffi::lua_settop(state, 0);
        if refusal.is_none() && event == Event::Call {
            // Nobody changes the reply while Lua has the word, and Lua may leave here by a jump:
            // so it is read without a guard that would have to be dropped.
            let reply = &*shared.reply.as_ptr();
            let bytes = reply.as_plain().unwrap_or_default();
            if raw::decode(state, ffi::lua_upvalueindex(3), bytes) {
                return 1;
            }
            ffi::lua_settop(state, 0);
        }
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
        ffi::lua_call(state, 0, 1);
    }
    1
}

/// # Safety
/// - `state` has `count` values on its stack.
unsafe fn gather(state: *mut ffi::lua_State, count: c_int, shared: &Shared) -> Option<Refusal> {
    if count == 0 {
        return Some(Refusal::Nothing);
    }
    let mut words = shared.words.borrow_mut();
    words.clear();
    for index in 1..=count {
        // SAFETY: the index is within the stack; a string's bytes stay where they are as long as
        // it lies on the stack.
        unsafe {
            match ffi::lua_type(state, index) {
                ffi::LUA_TSTRING => {
                    let mut length = 0;
                    let bytes = ffi::lua_tolstring(state, index, &raw mut length);
                    words.push(std::slice::from_raw_parts(bytes.cast::<u8>(), length));
                }
                ffi::LUA_TNUMBER => words.push_number(ffi::lua_tonumber(state, index)),
                _ => return Some(Refusal::NotAWord),
            }
        }
    }
    words.is_too_large().then_some(Refusal::NotAWord)
}

/// A C function in front of one of the prelude's. A function of Lua that a script calls last takes
/// its caller's place on the stack, and errors would no longer know where the script stood; a C
/// function does not.
pub(super) fn forwarder(lua: &Lua, target: &Function) -> mlua::Result<Function> {
    // SAFETY: the one value on the stack becomes the closure's upvalue.
    unsafe { lua.exec_raw(target, |state| ffi::lua_pushcclosure(state, forward, 1)) }
}

/// `pcall`; what it catches goes through `reveal` first.
pub(super) fn catcher(lua: &Lua, reveal: &Function) -> mlua::Result<Function> {
    // SAFETY: the one value on the stack becomes the closure's upvalue.
    unsafe { lua.exec_raw(reveal, |state| ffi::lua_pushcclosure(state, catch, 1)) }
}

/// `xpcall` as it is, except that any number of results is safe.
pub(super) fn guard(lua: &Lua) -> mlua::Result<Function> {
    // SAFETY: the function only uses what it is called with.
    unsafe { lua.create_c_function(guarded) }
}

unsafe extern "C-unwind" fn forward(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: upvalue 1 is a function, and there is room for one more value than the arguments.
    // Nothing that needs to be dropped is alive when the call raises.
    unsafe {
        let count = ffi::lua_gettop(state);
        ffi::luaL_checkstack(state, 2, c"too many arguments".as_ptr());
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_insert(state, 1);
        ffi::lua_call(state, count, ffi::LUA_MULTRET);
        ffi::lua_gettop(state)
    }
}

unsafe extern "C-unwind" fn catch(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above; every push has room, which is checked where results are many.
    unsafe {
        ffi::luaL_checkany(state, 1);
        let status = ffi::lua_pcall(state, ffi::lua_gettop(state) - 1, ffi::LUA_MULTRET, 0);
        if status == ffi::LUA_OK {
            ffi::luaL_checkstack(state, 2, c"too many results".as_ptr());
            ffi::lua_pushboolean(state, 1);
            ffi::lua_insert(state, 1);
            return ffi::lua_gettop(state);
        }
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_insert(state, -2);
        ffi::lua_call(state, 1, 1);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_insert(state, -2);
        2
    }
}

unsafe extern "C-unwind" fn guarded(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        ffi::luaL_checkany(state, 2);
        ffi::lua_settop(state, 2);
        ffi::lua_insert(state, 1);
        let status = ffi::lua_pcall(state, 0, ffi::LUA_MULTRET, 1);
        ffi::luaL_checkstack(state, 2, c"too many results".as_ptr());
        ffi::lua_pushboolean(state, c_int::from(status == ffi::LUA_OK));
        ffi::lua_replace(state, 1);
        ffi::lua_gettop(state)
    }
}

/// One of Lua's own functions of C behind a check. It then runs in the place of the check, so that
/// its errors tell where the script stood, and its name as the script called it.
pub(super) fn checked(
    lua: &Lua,
    (target, behind): (&Function, &Table),
    check: Check,
) -> mlua::Result<Function> {
    let body = match check {
        Check::Pattern => match_bounded,
        Check::Change => change_own,
        Check::Walk => walk_behind,
    };
    // SAFETY: the two values on the stack become the closure's upvalues.
    unsafe { lua.exec_raw((target, behind), |state| ffi::lua_pushcclosure(state, body, 2)) }
}

/// What is checked before a function of Lua's runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// The second argument is a pattern. The matcher calls itself for every optional item of it,
    /// so its depth must have a bound.
    Pattern,
    /// The first argument is changed: it must not be shared.
    Change,
    /// The first argument is walked: what is shared is seen through.
    Walk,
}

/// Bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 100_000;

unsafe extern "C-unwind" fn match_bounded(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: a string is only measured, and nothing that needs to be dropped is alive at an error.
    unsafe {
        if ffi::lua_type(state, 2) == ffi::LUA_TSTRING
            && ffi::lua_rawlen(state, 2) > PATTERN_BYTES_MAX
        {
            return ffi::luaL_error(state, c"pattern too complex".as_ptr());
        }
        run_target(state)
    }
}

unsafe extern "C-unwind" fn change_own(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as for `run_target`.
    unsafe {
        if push_behind(state) {
            ffi::lua_settop(state, 0);
            raw::push_text(state, b"Attempt to modify a readonly table");
            ffi::lua_error(state);
        }
        run_target(state)
    }
}

unsafe extern "C-unwind" fn walk_behind(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as for `run_target`; there is a first argument to put the table into.
    unsafe {
        if push_behind(state) {
            ffi::lua_replace(state, 1);
        }
        run_target(state)
    }
}

/// Pushes the table behind the first argument, if that is shared; whether it is.
///
/// # Safety
/// - `state` runs a closure whose second upvalue is a table.
unsafe fn push_behind(state: *mut ffi::lua_State) -> bool {
    // SAFETY: room is made for what is pushed.
    unsafe {
        if ffi::lua_type(state, 1) != ffi::LUA_TTABLE {
            return false;
        }
        ffi::luaL_checkstack(state, 2, c"too many arguments".as_ptr());
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawget_(state, ffi::lua_upvalueindex(2));
        let is_shared = ffi::lua_type(state, -1) == ffi::LUA_TTABLE;
        if !is_shared {
            ffi::lua_settop(state, -2);
        }
        is_shared
    }
}

/// # Safety
/// - `state` runs a closure whose first upvalue is a function of C without upvalues.
unsafe fn run_target(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: it finds the arguments where Lua has put them.
    unsafe {
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(target) => target(state),
            None => 0,
        }
    }
}

/// `unpack` whose arithmetic can't overflow.
pub(super) fn unpacker(lua: &Lua) -> mlua::Result<Function> {
    // SAFETY: the function only uses what it is called with.
    unsafe { lua.create_c_function(unpack) }
}

/// Values that a function of C may have on Lua's stack.
const STACK_SLOTS: i64 = 8000;

unsafe extern "C-unwind" fn unpack(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above; `lua_checkstack` has made room for every value that is pushed. An error is
    // raised while nothing is alive that needs to be dropped.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        #[allow(clippy::cast_precision_loss, reason = "no table has 2^53 elements")]
        let bound = |index: c_int, absent: i64| {
            let is_given = ffi::lua_isnoneornil(state, index) == 0;
            if is_given { ffi::luaL_checknumber(state, index).trunc() } else { absent as f64 }
        };
        let length = i64::try_from(ffi::lua_rawlen(state, 1)).unwrap_or(i64::MAX);
        let (first, last) = (bound(2, 1), bound(3, length));
        if first > last {
            return 0;
        }
        let (Some(first), Some(last)) = (to_integer(first), to_integer(last)) else {
            return ffi::luaL_error(state, c"too many results to unpack".as_ptr());
        };
        let count = last.saturating_sub(first).saturating_add(1);
        let room = c_int::try_from(count).ok().filter(|_| count < STACK_SLOTS);
        let (Some(room), Ok(first), Ok(last)) =
            (room, c_int::try_from(first), c_int::try_from(last))
        else {
            return ffi::luaL_error(state, c"too many results to unpack".as_ptr());
        };
        if ffi::lua_checkstack(state, room) == 0 {
            return ffi::luaL_error(state, c"too many results to unpack".as_ptr());
        }
        for index in first..=last {
            ffi::lua_rawgeti_(state, 1, index);
        }
        room
    }
}
