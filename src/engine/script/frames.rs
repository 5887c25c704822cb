//! Where a script stands: the frames of Lua's stack, by the bytes that Lua names them with.

#![allow(unsafe_code, reason = "the host's own view of frames does not keep the bytes of names")]

use std::ffi::{CStr, c_char, c_int};

use mlua::{Lua, ffi};

/// Frames that are looked at for one that belongs to a script.
const FRAMES_MAX: c_int = 12;

/// The name that the prelude's own code goes by.
pub(super) const PRELUDE_NAME: &str = "=sandbox";

/// A function that has been called and not yet left.
struct Frame {
    /// The name of its code.
    source: Vec<u8>,
    /// That name as errors show it.
    short: Vec<u8>,
    /// Where it stands; negative in functions of C.
    line: c_int,
    is_c: bool,
    /// Whether it is a function of Lua or a whole text of it.
    is_lua: bool,
}

impl Frame {
    fn is_preludes(&self) -> bool {
        self.source == PRELUDE_NAME.as_bytes()
    }
}

/// The frame `level` calls away from the innermost.
fn frame(lua: &Lua, level: c_int) -> Option<Frame> {
    #[allow(clippy::redundant_closure_for_method_calls, reason = "the type has no public name")]
    let state = lua.exec_raw_lua(|raw| raw.state());
    // SAFETY: this is the state that runs; both functions only fill in what is zero here, take no
    // memory and raise nothing. The names that they point to live as long as the frame.
    unsafe {
        let mut found = std::mem::zeroed::<ffi::lua_Debug>();
        if ffi::lua_getstack(state, level, &raw mut found) == 0
            || ffi::lua_getinfo(state, c"Sl".as_ptr(), &raw mut found) == 0
        {
            return None;
        }
        let what = text(found.what);
        Some(Frame {
            source: text(found.source),
            short: text(found.short_src.as_ptr()),
            line: found.currentline,
            is_c: what == b"C",
            is_lua: what == b"Lua" || what == b"main",
        })
    }
}

/// # Safety
/// - A string that ends with a zero, or null.
unsafe fn text(start: *const c_char) -> Vec<u8> {
    if start.is_null() {
        return Vec::new();
    }
    // SAFETY: by the caller's word.
    unsafe { CStr::from_ptr(start).to_bytes().to_vec() }
}

/// Where the innermost script's function stands: its source and line.
pub(super) fn script_frame(lua: &Lua, from: c_int) -> Option<(Vec<u8>, usize)> {
    for level in from..from + FRAMES_MAX {
        let frame = frame(lua, level)?;
        if frame.is_lua && !frame.is_preludes() {
            return Some((frame.source, usize::try_from(frame.line).unwrap_or(0)));
        }
    }
    None
}

/// `user_script:1: `, as errors of Lua begin: where the function at `level` stands that called the
/// failing one. A function of the prelude and the one of C in front of it count as the failing one.
pub(super) fn position(lua: &Lua, level: c_int) -> Vec<u8> {
    let mut is_preludes = false;
    for level in level..level + FRAMES_MAX {
        let Some(frame) = frame(lua, level) else { break };
        if frame.is_preludes() {
            is_preludes = true;
            continue;
        }
        if std::mem::take(&mut is_preludes) && frame.is_c {
            continue;
        }
        if frame.is_c || frame.line < 0 {
            break;
        }
        let line = format!(":{}: ", frame.line);
        return [&*frame.short, line.as_bytes()].concat();
    }
    Vec::new()
}
