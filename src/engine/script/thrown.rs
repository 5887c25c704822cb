//! Errors on their way through Lua.
//!
//! A Rust function that fails raises a userdata, which the prelude turns into what scripts expect
//! to catch: a table with `err` for what a command replied, a string for anything else.

use mlua::{Lua, Value};

/// What a Rust function raises in a script.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Thrown {
    /// The error reply of a command or of a function of `redis`, without the leading `-`.
    #[error("{0}")]
    Reply(Box<str>),
    /// Anything else, with its position.
    #[error("{0}")]
    Text(Box<str>),
    /// The script is to end. Nobody may catch it.
    #[error("{0}")]
    Fatal(&'static str),
}

impl Thrown {
    /// As Lua's host raises it.
    pub(super) fn raise<T>(self) -> mlua::Result<T> {
        Err(mlua::Error::external(self))
    }

    /// What lies behind an error of Lua's host.
    pub(super) fn of(error: &mlua::Error) -> Self {
        match error {
            mlua::Error::CallbackError { cause, .. } => Self::of(cause),
            mlua::Error::ExternalError(inner) => match inner.downcast_ref::<Self>() {
                Some(thrown) => thrown.clone(),
                None => Self::Text(inner.to_string().into()),
            },
            mlua::Error::MemoryError(_) => Self::Text("not enough memory".into()),
            mlua::Error::StackError => Self::Text("stack overflow".into()),
            mlua::Error::RuntimeError(text) => Self::Text(text.as_str().into()),
            other => Self::Text(other.to_string().into()),
        }
    }
}

/// Raises `text` behind the position of the script that called the running function.
pub(super) fn fail<T>(lua: &Lua, text: &str) -> mlua::Result<T> {
    Thrown::Text(format!("{}{text}", position(lua, 1)).into()).raise()
}

/// Complains about an argument of the running function.
pub(super) fn bad_argument<T>(lua: &Lua, at: usize, name: &str, why: &str) -> mlua::Result<T> {
    fail(lua, &format!("bad argument #{at} to '{name}' ({why})"))
}

/// The name of a value's type as errors tell it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}

/// Frames that are looked at for one that belongs to a script.
const FRAMES_MAX: usize = 12;

/// The name that the prelude's own code goes by.
pub(super) const PRELUDE_NAME: &str = "=sandbox";

/// Where the innermost script's function stands: its source and line.
pub(super) fn script_frame(lua: &Lua, from: usize) -> Option<(String, String, usize)> {
    for level in from..from + FRAMES_MAX {
        let found = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let name = source.source.as_deref().unwrap_or_default();
            let is_scripts = matches!(source.what, "Lua" | "main") && name != PRELUDE_NAME;
            is_scripts.then(|| {
                let short = source.short_src.as_deref().unwrap_or_default();
                (name.to_owned(), short.to_owned(), frame.current_line().unwrap_or(0))
            })
        })?;
        if found.is_some() {
            return found;
        }
    }
    None
}

/// `user_script:1: `, as errors of Lua begin: where the function at `level` stands that called the
/// failing one. A function of the prelude and the one of C in front of it count as the failing one.
pub(super) fn position(lua: &Lua, level: usize) -> String {
    let mut is_preludes = false;
    for level in level..level + FRAMES_MAX {
        let found = lua.inspect_stack(level, |frame| {
            let source = frame.source();
            let name = source.source.as_deref().unwrap_or_default();
            if name == PRELUDE_NAME {
                is_preludes = true;
                return None;
            }
            if std::mem::take(&mut is_preludes) && source.what == "C" {
                return None;
            }
            let short = source.short_src.as_deref().unwrap_or_default();
            let line = frame.current_line().filter(|_| source.what != "C");
            Some(line.map_or_else(String::new, |line| format!("{short}:{line}: ")))
        });
        match found {
            Some(Some(position)) => return position,
            Some(None) => {}
            None => break,
        }
    }
    String::new()
}
