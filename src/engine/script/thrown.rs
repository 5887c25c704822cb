//! Errors on their way through Lua.
//!
//! A Rust function that fails raises a userdata, which the prelude turns into what scripts expect
//! to catch: a table with `err` for what a command replied, a string for anything else.

use mlua::{Lua, Value};

use super::frames::position;

/// What a Rust function raises in a script.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Thrown {
    /// The error of a function of `redis`.
    #[error("{}", String::from_utf8_lossy(.0))]
    Reply(Box<[u8]>),
    /// The error reply of a command, which has been counted.
    #[error("{}", String::from_utf8_lossy(.0))]
    Counted(Box<[u8]>),
    /// Anything else, with its position.
    #[error("{}", String::from_utf8_lossy(.0))]
    Text(Box<[u8]>),
    /// The script is to end. Nobody may catch it.
    #[error("{0}")]
    Fatal(&'static str),
}

impl Thrown {
    /// An error reply.
    pub(super) fn reply(text: impl AsRef<[u8]>) -> Self {
        Self::Reply(text.as_ref().into())
    }

    /// An error of another kind.
    pub(super) fn text(text: impl AsRef<[u8]>) -> Self {
        Self::Text(text.as_ref().into())
    }

    /// What it says.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Reply(text) | Self::Counted(text) | Self::Text(text) => text,
            Self::Fatal(text) => text.as_bytes(),
        }
    }

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
                None => Self::text(inner.to_string()),
            },
            mlua::Error::MemoryError(_) => Self::text("not enough memory"),
            mlua::Error::StackError => Self::text("stack overflow"),
            mlua::Error::RuntimeError(text) => Self::text(text),
            other => Self::text(other.to_string()),
        }
    }
}

/// Raises `text` behind the position of the script that called the running function.
pub(super) fn fail<T>(lua: &Lua, text: impl AsRef<[u8]>) -> mlua::Result<T> {
    Thrown::text([&*position(lua, 1), text.as_ref()].concat()).raise()
}

/// Complains about an argument of the running function.
pub(super) fn bad_argument<T>(
    lua: &Lua,
    at: usize,
    name: &str,
    why: impl AsRef<[u8]>,
) -> mlua::Result<T> {
    let start = format!("bad argument #{at} to '{name}' (");
    fail(lua, [start.as_bytes(), why.as_ref(), b")"].concat())
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
