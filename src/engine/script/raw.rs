//! The short way through Lua: a script's result out, a command's reply in.
//!
//! A script of one command takes about a microsecond, most of which went into making references of
//! Rust to values of Lua and guarding each single step. Here everything is done on Lua's stack,
//! within one protected call. What is rare (errors, the types of RESP3, deep nesting) is left to
//! [`super::convert`], which knows all of it.
//!
//! Errors of Lua leave these functions by a jump: nothing that needs to be dropped may be alive
//! where Lua may allocate.

#![allow(unsafe_code, reason = "values are moved on Lua's stack")]

use std::ffi::{CString, c_int};

use mlua::{Lua, Table, Value, ffi};

use crate::base::number::parse_int;
use crate::protocol::reply::Reply;

use super::convert::push_line;
use super::shared::truncated;

/// How deep values may nest here.
pub(super) const DEPTH_MAX: usize = 8;

/// Slots of Lua's stack that a level of nesting takes.
const SLOTS_PER_LEVEL: c_int = 4;

/// Fields of tables that are no plain arrays, by their places in [`Names`].
const FIELDS: [&str; 7] = ["ok", "err", "double", "map", "set", "big_number", "verbatim_string"];

/// The place of `ok`.
const OK: c_int = 1;

/// Names of fields as a table of Lua, so that none is made anew for a look.
#[derive(Clone, Debug)]
pub(super) struct Names(Table);

impl Names {
    pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
        let table = lua.create_table_with_capacity(FIELDS.len(), 0)?;
        for (index, name) in FIELDS.iter().enumerate() {
            table.raw_set(index + 1, *name)?;
        }
        Ok(Self(table))
    }

    /// The table, for a closure of C that needs it.
    pub(super) fn table(&self) -> &Table {
        &self.0
    }
}

/// # Safety
/// - The stack has room for a value, and errors are caught further up.
pub(super) unsafe fn push_text(state: *mut ffi::lua_State, text: &[u8]) {
    // SAFETY: the bytes are copied; of an empty slice nothing is read.
    unsafe { ffi::lua_pushlstring_(state, text.as_ptr().cast(), text.len()) }
}

/// A function made of a text of Lua, or a string that says what is wrong with it.
pub(super) fn compile(
    lua: &Lua,
    code: &[u8],
    name: &[u8],
    environment: &Table,
) -> mlua::Result<Value> {
    let name = CString::new(name).unwrap_or_default();
    // SAFETY: the environment lies at place 1, and there is room for two more values. The code is
    // no bytecode, which the caller has seen to; the name outlives the call.
    unsafe {
        let (bytes, name) = (code.as_ptr().cast(), name.as_ptr());
        lua.exec_raw(environment, |state| {
            if ffi::luaL_loadbuffer(state, bytes, code.len(), name) == ffi::LUA_OK {
                ffi::lua_pushvalue(state, 1);
                ffi::lua_setfenv(state, -2);
            }
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, 1);
        })
    }
}

/// Writes the value at `index`, if it is of a usual kind.
///
/// # Safety
/// - `index` is a place of the stack, counted from its bottom; `names` is that of [`Names`].
pub(super) unsafe fn encode(
    state: *mut ffi::lua_State,
    (index, names): (c_int, c_int),
    is_resp3_script: bool,
    levels: usize,
    reply: &mut Reply<'_>,
) -> bool {
    // SAFETY: by the caller's word; bytes of a string are used while it lies on the stack.
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TSTRING => reply.bulk(text_at(state, index)),
            ffi::LUA_TNUMBER => reply.int(truncated(ffi::lua_tonumber(state, index))),
            ffi::LUA_TBOOLEAN if is_resp3_script => {
                reply.boolean(ffi::lua_toboolean(state, index) != 0);
            }
            ffi::LUA_TBOOLEAN if ffi::lua_toboolean(state, index) != 0 => reply.int(1),
            ffi::LUA_TBOOLEAN | ffi::LUA_TNIL => reply.null(),
            ffi::LUA_TTABLE if levels > 0 => {
                return encode_table(state, (index, names), is_resp3_script, levels, reply);
            }
            _ => return false,
        }
    }
    true
}

/// # Safety
/// - As for [`encode`]; there is a table.
unsafe fn encode_table(
    state: *mut ffi::lua_State,
    (index, names): (c_int, c_int),
    is_resp3_script: bool,
    levels: usize,
    reply: &mut Reply<'_>,
) -> bool {
    // SAFETY: by the caller's word, and room is made for what is pushed.
    unsafe {
        if ffi::lua_checkstack(state, SLOTS_PER_LEVEL) == 0 {
            return false;
        }
        for (name, _) in (1..).zip(FIELDS) {
            ffi::lua_rawgeti_(state, names, name);
            ffi::lua_rawget_(state, index);
            let kind = ffi::lua_type(state, -1);
            if kind != ffi::LUA_TNIL {
                let is_status = name == OK && kind == ffi::LUA_TSTRING;
                if is_status {
                    push_line(b'+', text_at(state, -1), reply);
                }
                ffi::lua_settop(state, -2);
                return is_status;
            }
            ffi::lua_settop(state, -2);
        }
        // Values up to the first that is nil.
        let mut count: c_int = 0;
        loop {
            ffi::lua_rawgeti_(state, index, count + 1);
            let is_end = ffi::lua_type(state, -1) == ffi::LUA_TNIL;
            ffi::lua_settop(state, -2);
            if is_end {
                break;
            }
            count += 1;
        }
        reply.array(usize::try_from(count).unwrap_or(0));
        for at in 1..=count {
            ffi::lua_rawgeti_(state, index, at);
            let place = ffi::lua_gettop(state);
            let is_written = encode(state, (place, names), is_resp3_script, levels - 1, reply);
            ffi::lua_settop(state, -2);
            if !is_written {
                return false;
            }
        }
    }
    true
}

/// # Safety
/// - A string lies at `index`, and stays there as long as its bytes are used.
unsafe fn text_at<'a>(state: *mut ffi::lua_State, index: c_int) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: of a string this is a pointer to that many bytes, and nothing is converted.
    unsafe {
        let bytes = ffi::lua_tolstring(state, index, &raw mut length);
        std::slice::from_raw_parts(bytes.cast(), length)
    }
}

/// Pushes what a command has replied, if it is of the usual kinds: whether it is. Otherwise some
/// values are left on the stack.
///
/// # Safety
/// - `names` is the place of [`Names`], as upvalue or on the stack.
/// - Errors are caught further up; the bytes outlive the call.
pub(super) unsafe fn decode(state: *mut ffi::lua_State, names: c_int, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    // SAFETY: by the caller's word.
    unsafe { decode_value(state, names, &mut rest, DEPTH_MAX) }
}

/// The line up to CR LF, which it takes off.
fn take_line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest.iter().position(|byte| *byte == b'\r').unwrap_or(rest.len());
    let (line, behind) = rest.split_at(end);
    *rest = behind.get(2..).unwrap_or_default();
    line
}

/// # Safety
/// - As for [`decode`].
unsafe fn decode_value(
    state: *mut ffi::lua_State,
    names: c_int,
    rest: &mut &[u8],
    levels: usize,
) -> bool {
    let line = take_line(rest);
    let Some((mark, text)) = line.split_first() else { return false };
    // SAFETY: by the caller's word; room is made for what is pushed.
    unsafe {
        if ffi::lua_checkstack(state, SLOTS_PER_LEVEL) == 0 {
            return false;
        }
        match mark {
            b':' => {
                let Some(number) = parse_int(text) else { return false };
                #[allow(clippy::cast_precision_loss, reason = "numbers of Lua are doubles")]
                ffi::lua_pushnumber(state, number as f64);
            }
            b'$' | b'*' if text.first() == Some(&b'-') => ffi::lua_pushboolean(state, 0),
            b'$' => {
                let length = parse_int(text).and_then(|length| usize::try_from(length).ok());
                let Some(content) = length.and_then(|length| rest.get(..length)) else {
                    return false;
                };
                push_text(state, content);
                *rest = rest.get(content.len() + 2..).unwrap_or_default();
            }
            b'+' => {
                ffi::lua_createtable(state, 0, 1);
                ffi::lua_rawgeti_(state, names, OK);
                push_text(state, text);
                ffi::lua_rawset(state, -3);
            }
            b'*' if levels > 0 => {
                let length = parse_int(text).and_then(|length| c_int::try_from(length).ok());
                let Some(length) = length else { return false };
                ffi::lua_createtable(state, length, 0);
                for index in 1..=length {
                    if !decode_value(state, names, rest, levels - 1) {
                        return false;
                    }
                    ffi::lua_rawseti_(state, -2, index);
                }
            }
            _ => return false,
        }
    }
    true
}
