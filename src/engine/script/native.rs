//! The Rust functions behind the prelude.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, Table, Value};
use sha1::{Digest, Sha1};

use crate::base::limits::SCRIPT_MEMORY_MAX;
use crate::engine::REDIS_VERSION;
use crate::engine::dispatch::until_zero;

use super::bridge::Check;
use super::convert::{Decoder, Fields};
use super::fiber::Event;
use super::flags::ScriptFlags;
use super::frames::{position, script_frame};
use super::library::{bits, json, msgpack, packed};
use super::raw::{self, Names};
use super::shared::{Failure, Registration, Shared};
use super::thrown::{Thrown, bad_argument, fail};
use super::{bridge, random::Random};

/// The environment of scripts in Lua's registry.
pub(super) const ENVIRONMENT: &str = "environment";

/// Everything that the prelude is given.
pub(super) fn table(
    lua: &Lua,
    shared: &Rc<Shared>,
    fields: &Rc<Fields>,
    names: &Names,
    code: &Table,
) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("string_bytes_max", SCRIPT_MEMORY_MAX)?;
    add_errors(lua, &table, shared, fields)?;
    add_code(lua, &table)?;
    add_random(lua, &table)?;
    table
        .raw_set("forward", lua.create_function(|lua, f: Function| bridge::forwarder(lua, &f))?)?;
    table.raw_set("catcher", lua.create_function(|lua, f: Function| bridge::catcher(lua, &f))?)?;
    for (name, check) in
        [("matcher", Check::Pattern), ("changer", Check::Change), ("walker", Check::Walk)]
    {
        let made = lua.create_function(move |lua, (f, behind): (Function, Table)| {
            bridge::checked(lua, (&f, &behind), check)
        })?;
        table.raw_set(name, made)?;
    }
    table.raw_set("guard", bridge::guard(lua)?)?;
    table.raw_set("unpack", bridge::unpacker(lua)?)?;
    table.raw_set("redis", redis(lua, shared, fields, names)?)?;
    table.raw_set("register", register(lua, shared, code)?)?;
    table.raw_set("bit", bits::table(lua)?)?;
    table.raw_set("cjson", json::table(lua)?)?;
    table.raw_set("cmsgpack", msgpack::table(lua)?)?;
    table.raw_set("struct", packed::table(lua)?)?;
    Ok(table)
}

/// Errors: what becomes of them when they are caught, and when they are not.
fn add_errors(
    lua: &Lua,
    table: &Table,
    shared: &Rc<Shared>,
    fields: &Rc<Fields>,
) -> mlua::Result<()> {
    let names = Rc::clone(fields);
    table.raw_set(
        "plain",
        lua.create_function(move |lua, value: Value| {
            let Value::Error(error) = &value else { return Ok(value) };
            match Thrown::of(error) {
                Thrown::Text(text) => lua.create_string(&*text).map(Value::String),
                fatal @ Thrown::Fatal(_) => fatal.raise(),
                said => {
                    let table = lua.create_table()?;
                    table.raw_set(&names.err, lua.create_string(said.bytes())?)?;
                    if matches!(said, Thrown::Counted(_)) {
                        table.raw_set(&names.counted, true)?;
                    }
                    Ok(Value::Table(table))
                }
            }
        })?,
    )?;
    table.raw_set(
        "is_fatal",
        lua.create_function(|_, value: Value| {
            Ok(matches!(&value, Value::Error(error) if matches!(Thrown::of(error), Thrown::Fatal(_))))
        })?,
    )?;
    table.raw_set(
        "position",
        lua.create_function(|lua, level: u8| lua.create_string(position(lua, level.into())))?,
    )?;
    table.raw_set(
        "fail",
        lua.create_function(|_, text: mlua::String| -> mlua::Result<()> {
            Thrown::reply(text.as_bytes()).raise()
        })?,
    )?;
    let (shared, names) = (Rc::clone(shared), Rc::clone(fields));
    table.raw_set(
        "blame",
        lua.create_function(move |lua, value: Value| {
            let (text, is_counted) = describe(&value, &names)?;
            let place = script_frame(lua, 1);
            shared.failure.replace(Some(Failure { text, place, is_counted }));
            Ok(())
        })?,
    )
}

/// The error reply that an uncaught error becomes, and whether it has been counted.
fn describe(value: &Value, fields: &Fields) -> mlua::Result<(Vec<u8>, bool)> {
    let said = |text: &[u8]| ([b"ERR ", text].concat(), false);
    Ok(match value {
        Value::Table(table) => {
            let is_counted = matches!(table.raw_get(&fields.counted)?, Value::Boolean(true));
            match table.raw_get::<Value>(&fields.err)? {
                Value::String(text) => (text.as_bytes().to_vec(), is_counted),
                _ => (b"ERR unknown error".to_vec(), is_counted),
            }
        }
        Value::Error(error) => match Thrown::of(error) {
            Thrown::Counted(text) => (text.into(), true),
            Thrown::Reply(text) => (text.into(), false),
            other => said(other.bytes()),
        },
        Value::String(text) => said(&text.as_bytes()),
        Value::Nil => said(b"nil"),
        Value::Boolean(yes) => said(yes.to_string().as_bytes()),
        Value::Integer(number) => said(number.to_string().as_bytes()),
        Value::Number(number) => said(number.to_string().as_bytes()),
        other => said(other.type_name().as_bytes()),
    })
}

/// Compiles a text; what is wrong with it otherwise.
pub(super) fn compile(
    lua: &Lua,
    code: &[u8],
    name: &[u8],
    environment: &Table,
) -> Result<Function, Box<[u8]>> {
    if code.first() == Some(&0x1b) {
        let shown = name.strip_prefix(b"@").or(name.strip_prefix(b"=")).unwrap_or(name);
        return Err([shown, b":1: unexpected symbol near 'char(27)'"].concat().into());
    }
    match raw::compile(lua, code, name, environment) {
        Ok(Value::Function(function)) => Ok(function),
        Ok(Value::String(text)) => Err(text.as_bytes().as_ref().into()),
        Ok(_) => Err(b"no function".as_slice().into()),
        Err(error) => Err(Thrown::of(&error).bytes().into()),
    }
}

fn add_code(lua: &Lua, table: &Table) -> mlua::Result<()> {
    table.raw_set(
        "compile",
        lua.create_function(|lua, (code, name): (mlua::String, mlua::String)| {
            let name = name.as_bytes();
            let name = until_zero(&name);
            // Lua may free a chunk's name while it still needs it, unless somebody holds it.
            let held = lua.create_string(name)?;
            let environment: Table = lua.named_registry_value(ENVIRONMENT)?;
            let compiled = compile(lua, &code.as_bytes(), name, &environment);
            drop(held);
            match compiled {
                Ok(function) => Ok((Value::Function(function), Value::Nil)),
                Err(text) => Ok((Value::Nil, Value::String(lua.create_string(text)?))),
            }
        })?,
    )
}

fn add_random(lua: &Lua, table: &Table) -> mlua::Result<()> {
    let random = Rc::new(Random::default());
    let seeded = Rc::clone(&random);
    table.raw_set(
        "random",
        lua.create_function(move |lua, (low, high, more): (Value, Value, Value)| {
            let unit = random.unit();
            if !more.is_nil() {
                return fail(lua, "wrong number of arguments");
            }
            let number = |value: Value, at: usize| match lua.coerce_number(value)? {
                Some(number) => Ok(number.trunc()),
                None => bad_argument(lua, at, "random", "number expected"),
            };
            let (low, high, at) = match (low, high) {
                (Value::Nil, Value::Nil) => return Ok(unit),
                (high, Value::Nil) => (1.0, number(high, 1)?, 1),
                (low, high) => (number(low, 1)?, number(high, 2)?, 2),
            };
            if low.is_nan() || high.is_nan() || low > high {
                return bad_argument(lua, at, "random", "interval is empty");
            }
            Ok((unit * (high - low + 1.0)).floor() + low)
        })?,
    )?;
    table.raw_set(
        "randomseed",
        lua.create_function(move |lua, seed: Value| {
            let why = format!("number expected, got {}", super::thrown::type_name(&seed));
            match lua.coerce_number(seed)? {
                Some(number) => seeded.seed(super::shared::truncated(number)),
                None => return bad_argument(lua, 1, "randomseed", &why),
            }
            Ok(())
        })?,
    )
}

/// `redis`, as far as it needs Rust.
fn redis(
    lua: &Lua,
    shared: &Rc<Shared>,
    fields: &Rc<Fields>,
    names: &Names,
) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    table.raw_set("REDIS_VERSION_NUM", version_number(REDIS_VERSION))?;
    table.raw_set("SERVER_NAME", "ochre")?;
    table.raw_set("SERVER_VERSION", REDIS_VERSION)?;
    table.raw_set("SERVER_VERSION_NUM", version_number(REDIS_VERSION))?;
    for (name, raises) in [("call", true), ("pcall", false)] {
        let answer = answer(lua, shared, fields, raises)?;
        table.raw_set(name, bridge::function(lua, shared, Event::Call, &answer, names)?)?;
    }
    let inquired = Rc::clone(shared);
    let verdict = lua.create_function(move |_, ()| {
        if let Some(refusal) = inquired.refusal() {
            return Thrown::reply(refusal.text()).raise();
        }
        match inquired.verdict.get() {
            Some(verdict) => Ok(verdict),
            None => Thrown::reply("ERR Invalid command passed to redis.acl_check_cmd()").raise(),
        }
    })?;
    table.raw_set(
        "acl_check_cmd",
        bridge::function(lua, shared, Event::Inquire, &verdict, names)?,
    )?;
    table.raw_set(
        "sha1hex",
        lua.create_function(|_, text: Value| {
            let bytes = match &text {
                Value::String(text) => text.as_bytes().to_vec(),
                Value::Integer(number) => number.to_string().into_bytes(),
                Value::Number(number) => number.to_string().into_bytes(),
                _ => Vec::new(),
            };
            Ok(crate::engine::digest::hex(&Sha1::digest(bytes)))
        })?,
    )?;
    table.raw_set(
        "log",
        lua.create_function(|_, (level, text): (i64, mlua::String)| {
            let text = text.to_string_lossy();
            match level {
                0 => tracing::trace!("{text}"),
                1 => tracing::debug!("{text}"),
                2 => tracing::info!("{text}"),
                _ => tracing::warn!("{text}"),
            }
            Ok(())
        })?,
    )?;
    let spoken = Rc::clone(shared);
    table.raw_set(
        "setresp",
        lua.create_function(move |_, is_resp3: bool| {
            spoken.is_resp3.set(is_resp3);
            Ok(())
        })?,
    )?;
    let spoken = Rc::clone(shared);
    table.raw_set(
        "set_repl",
        lua.create_function(move |_, is_told: bool| {
            spoken.is_muted.set(!is_told);
            Ok(())
        })?,
    )?;
    Ok(table)
}

/// `0x00MMmmpp`.
fn version_number(version: &str) -> u32 {
    version.split('.').fold(0, |number, part| (number << 8) | part.parse::<u32>().unwrap_or(0))
}

/// What a call of a command comes to, when the engine has run it.
fn answer(
    lua: &Lua,
    shared: &Rc<Shared>,
    fields: &Rc<Fields>,
    raises: bool,
) -> mlua::Result<Function> {
    let (shared, fields) = (Rc::clone(shared), Rc::clone(fields));
    lua.create_function(move |lua, ()| {
        if let Some(refusal) = shared.refusal() {
            if raises {
                return Thrown::reply(refusal.text()).raise();
            }
            let table = lua.create_table()?;
            table.raw_set(&fields.err, refusal.text())?;
            return Ok(Value::Table(table));
        }
        let output = shared.reply.borrow();
        let joined;
        let bytes = if let Some(bytes) = output.as_plain() {
            bytes
        } else {
            joined = output.slices().collect::<Vec<_>>().concat();
            &joined
        };
        if raises && bytes.first() == Some(&b'-') {
            return Thrown::Counted(bytes[1..].trim_ascii_end().into()).raise();
        }
        unlimited(lua, || Decoder { lua, fields: &fields, bytes, at: 0 }.value())
    })
}

/// Makes values without Lua's guard against running out of memory; whether it has is found out
/// afterwards.
pub(super) fn unlimited<T>(lua: &Lua, make: impl FnOnce() -> mlua::Result<T>) -> mlua::Result<T> {
    let limit = lua.set_memory_limit(0)?;
    let made = make();
    lua.set_memory_limit(limit)?;
    if limit != 0 && lua.used_memory() > limit {
        return Err(mlua::Error::MemoryError(String::new()));
    }
    made
}

/// `redis.register_function` behind its checks of arguments.
fn register(lua: &Lua, shared: &Rc<Shared>, code: &Table) -> mlua::Result<Function> {
    let (shared, code) = (Rc::clone(shared), code.clone());
    let slots = Cell::new(0_usize);
    lua.create_function(
        move |_, (name, callback, names, text): (mlua::String, Function, Value, Value)| {
            let error = |text: &str| Thrown::reply(text).raise();
            if !shared.is_loading.get() {
                return error(
                    "ERR redis.register_function can only be called on FUNCTION LOAD command",
                );
            }
            let name = name.to_string_lossy();
            if !super::functions::is_name(name.as_bytes()) {
                return error(super::functions::BAD_NAME);
            }
            let mut flags = ScriptFlags::default();
            if let Value::Table(names) = names {
                for index in 1..=names.raw_len() {
                    let flag = match names.raw_get::<Value>(index)? {
                        Value::String(name) => ScriptFlags::named(&name.as_bytes()),
                        _ => None,
                    };
                    let Some(flag) = flag else { return error("ERR unknown flag given") };
                    flags.add(flag);
                }
            }
            let description = match text {
                Value::String(text) => Some(text.as_bytes().to_vec().into()),
                _ => None,
            };
            let mut known = shared.registrations.borrow_mut();
            if known.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
                return error("ERR Function already exists in the library");
            }
            // Functions live beyond the slots of compiled code, which are given out one by one.
            slots.set(slots.get() + 1);
            let slot = FUNCTION_SLOTS + slots.get();
            code.raw_set(slot, callback)?;
            known.push(Registration { name: name.into(), slot, flags, description });
            Ok(())
        },
    )
}

/// Where the slots of functions begin.
const FUNCTION_SLOTS: usize = 1 << 30;
