//! `cjson`: values as JSON, in the very format of lua-cjson 2.1.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::{DEPTH_MAX, general_format, json_decode};
use crate::engine::script::thrown::{bad_argument, fail, type_name};

/// What is done with numbers that JSON does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

/// Settings; they outlive the script that makes them.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "settings do not exclude each other")]
pub(super) struct Settings {
    converts_sparse: bool,
    sparse_ratio: i32,
    sparse_safe: i32,
    encode_depth: i32,
    /// How deep what is read may nest.
    pub decode_depth: i32,
    precision: i32,
    keeps_buffer: bool,
    invalid: Invalid,
    /// Whether `nan`, `inf` and hexadecimal numbers are read.
    pub reads_invalid: bool,
    /// Whether arrays that are read are marked, so that empty ones stay arrays.
    pub marks_arrays: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            converts_sparse: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1000,
            decode_depth: 1000,
            precision: 14,
            keeps_buffer: true,
            invalid: Invalid::Refused,
            reads_invalid: true,
            marks_arrays: false,
        }
    }
}

type SharedSettings = Rc<Cell<Settings>>;

/// The functions with settings of their own; `new` makes another set.
pub(in crate::engine::script) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let settings = SharedSettings::default();
    let mark = lua.create_table()?;
    add_settings(lua, &table, &settings)?;
    let buffer = Rc::new(RefCell::new(Vec::new()));
    let (own, marked) = (Rc::clone(&settings), mark.clone());
    table.raw_set(
        "encode",
        lua.create_function(move |lua, value: Value| {
            let mut out = buffer.take();
            out.clear();
            let settings = own.get();
            Encoder { lua, settings, mark: &marked, out: &mut out }.value(&value, 0)?;
            let text = lua.create_string(&out)?;
            if settings.keeps_buffer && out.capacity() <= KEPT_BYTES {
                buffer.replace(out);
            }
            Ok(text)
        })?,
    )?;
    let marked = mark.clone();
    table.raw_set(
        "decode",
        lua.create_function(move |lua, text: Value| {
            let number;
            let string;
            let bytes: &[u8] = match &text {
                Value::String(text) => {
                    string = text.as_bytes();
                    &string
                }
                Value::Integer(_) | Value::Number(_) => {
                    number = text.to_string()?.into_bytes();
                    &number
                }
                other => {
                    let why = format!("string expected, got {}", type_name(other));
                    return bad_argument(lua, 1, "decode", &why);
                }
            };
            match json_decode::decode(lua, bytes, &settings.get(), &marked)? {
                Ok(value) => Ok(value),
                Err(error) => fail(lua, &error),
            }
        })?,
    )?;
    table.raw_set("new", lua.create_function(|lua, ()| self::table(lua))?)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

/// Bytes of a buffer that is worth keeping for the next value.
const KEPT_BYTES: usize = 1024 * 1024;

type Field = fn(&mut Settings) -> &mut i32;
type Switch = fn(&mut Settings) -> &mut bool;

fn add_settings(lua: &Lua, table: &Table, settings: &SharedSettings) -> mlua::Result<()> {
    let numbers: [(&str, Field, i32); 3] = [
        ("encode_max_depth", |settings| &mut settings.encode_depth, i32::MAX),
        ("decode_max_depth", |settings| &mut settings.decode_depth, i32::MAX),
        ("encode_number_precision", |settings| &mut settings.precision, 14),
    ];
    for (name, field, most) in numbers {
        let settings = Rc::clone(settings);
        table.raw_set(
            name,
            lua.create_function(move |lua, value: Value| {
                let mut changed = settings.get();
                set_number(lua, name, 1, value, (1, most), field(&mut changed))?;
                settings.set(changed);
                Ok(*field(&mut changed))
            })?,
        )?;
    }
    let switches: [(&str, Switch); 3] = [
        ("encode_keep_buffer", |settings| &mut settings.keeps_buffer),
        ("decode_invalid_numbers", |settings| &mut settings.reads_invalid),
        ("decode_array_with_array_mt", |settings| &mut settings.marks_arrays),
    ];
    for (name, field) in switches {
        let settings = Rc::clone(settings);
        table.raw_set(
            name,
            lua.create_function(move |lua, value: Value| {
                let mut changed = settings.get();
                if !value.is_nil() {
                    *field(&mut changed) = switch(lua, name, &value)?;
                }
                settings.set(changed);
                Ok(*field(&mut changed))
            })?,
        )?;
    }
    add_choices(lua, table, settings)
}

/// Settings that take more than a number or a switch.
fn add_choices(lua: &Lua, table: &Table, settings: &SharedSettings) -> mlua::Result<()> {
    let sparse = Rc::clone(settings);
    table.raw_set(
        "encode_sparse_array",
        lua.create_function(move |lua, (converts, ratio, safe): (Value, Value, Value)| {
            let name = "encode_sparse_array";
            let mut changed = sparse.get();
            if !converts.is_nil() {
                changed.converts_sparse = switch(lua, name, &converts)?;
            }
            set_number(lua, name, 2, ratio, (0, i32::MAX), &mut changed.sparse_ratio)?;
            set_number(lua, name, 3, safe, (0, i32::MAX), &mut changed.sparse_safe)?;
            sparse.set(changed);
            Ok((changed.converts_sparse, changed.sparse_ratio, changed.sparse_safe))
        })?,
    )?;
    let invalid = Rc::clone(settings);
    table.raw_set(
        "encode_invalid_numbers",
        lua.create_function(move |lua, value: Value| {
            let mut changed = invalid.get();
            let is_null = matches!(&value, Value::String(text) if *text.as_bytes() == *b"null");
            if is_null {
                changed.invalid = Invalid::Null;
            } else if !value.is_nil() {
                let is_on = switch(lua, "encode_invalid_numbers", &value)?;
                changed.invalid = if is_on { Invalid::Written } else { Invalid::Refused };
            }
            invalid.set(changed);
            match changed.invalid {
                Invalid::Null => lua.create_string("null").map(Value::String),
                Invalid::Written => Ok(Value::Boolean(true)),
                Invalid::Refused => Ok(Value::Boolean(false)),
            }
        })?,
    )
}

fn set_number(
    lua: &Lua,
    name: &str,
    at: usize,
    value: Value,
    (least, most): (i32, i32),
    field: &mut i32,
) -> mlua::Result<()> {
    if value.is_nil() {
        return Ok(());
    }
    let found = type_name(&value);
    let Some(number) = lua.coerce_number(value)? else {
        return bad_argument(lua, at, name, format!("number expected, got {found}"));
    };
    let number = crate::engine::script::shared::truncated(number);
    match i32::try_from(number) {
        Ok(number) if (least..=most).contains(&number) => *field = number,
        _ => {
            let why = format!("expected integer between {least} and {most}");
            return bad_argument(lua, at, name, &why);
        }
    }
    Ok(())
}

fn switch(lua: &Lua, name: &str, value: &Value) -> mlua::Result<bool> {
    match value {
        Value::Boolean(yes) => Ok(*yes),
        Value::String(text) if *text.as_bytes() == *b"on" => Ok(true),
        Value::String(text) if *text.as_bytes() == *b"off" => Ok(false),
        Value::String(text) => {
            let why = [b"invalid option '", text.as_bytes().as_ref(), b"'"].concat();
            bad_argument(lua, 1, name, &why)
        }
        other => {
            let why = format!("string expected, got {}", type_name(other));
            bad_argument(lua, 1, name, &why)
        }
    }
}

struct Encoder<'a> {
    lua: &'a Lua,
    settings: Settings,
    /// Metatable of arrays that were read as such.
    mark: &'a Table,
    out: &'a mut Vec<u8>,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> mlua::Result<()> {
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            #[allow(clippy::cast_precision_loss, reason = "it was a double before")]
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Table(table) => self.table(table, depth + 1)?,
            Value::LightUserData(pointer) if pointer.0.is_null() => {
                self.out.extend_from_slice(b"null");
            }
            other => return self.refuse(other, "type not supported"),
        }
        Ok(())
    }

    fn refuse<T>(&self, value: &Value, why: &str) -> mlua::Result<T> {
        fail(self.lua, format!("Cannot serialise {}: {why}", type_name(value)))
    }

    fn number(&mut self, number: f64) -> mlua::Result<()> {
        if !number.is_finite() {
            match self.settings.invalid {
                Invalid::Refused => {
                    return self.refuse(&Value::Number(number), "must not be NaN or Inf");
                }
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Invalid::Written => {}
            }
        }
        let digits = usize::try_from(self.settings.precision).unwrap_or(14);
        general_format::push(number, digits, self.out);
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        for byte in text {
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'/' => b"\\/",
                0x08 => b"\\b",
                b'\t' => b"\\t",
                b'\n' => b"\\n",
                0x0c => b"\\f",
                b'\r' => b"\\r",
                0..=31 | 127 => {
                    let text = format!("\\u{byte:04x}");
                    self.out.extend_from_slice(text.as_bytes());
                    continue;
                }
                _ => {
                    self.out.push(*byte);
                    continue;
                }
            };
            self.out.extend_from_slice(escape);
        }
        self.out.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        let allowed = usize::try_from(self.settings.encode_depth).unwrap_or(0).min(DEPTH_MAX);
        if depth > allowed {
            return fail(self.lua, format!("Cannot serialise, excessive nesting ({depth})"));
        }
        let length = self.array_length(table)?;
        let is_marked =
            length == Some(0) && table.metatable().is_some_and(|found| found == *self.mark);
        match length {
            Some(length) if length > 0 || is_marked => self.array(table, length, depth),
            _ => self.object(table, depth),
        }
    }

    /// The greatest index, when all keys are indexes.
    fn array_length(&self, table: &Table) -> mlua::Result<Option<i64>> {
        let (mut most, mut count, mut is_array) = (0, 0, true);
        table.for_each(|key: Value, _: Value| {
            match key {
                Value::Integer(index) if index > 0 => most = most.max(index),
                _ => is_array = false,
            }
            count += 1;
            Ok(())
        })?;
        if !is_array {
            return Ok(None);
        }
        let Settings { converts_sparse, sparse_ratio, sparse_safe, .. } = self.settings;
        let is_sparse = sparse_ratio > 0
            && most > i64::saturating_mul(count, sparse_ratio.into())
            && most > i64::from(sparse_safe);
        if !is_sparse {
            return Ok(Some(most));
        }
        if converts_sparse {
            return Ok(None);
        }
        self.refuse(&Value::Table(table.clone()), "excessively sparse array")
    }

    fn array(&mut self, table: &Table, length: i64, depth: usize) -> mlua::Result<()> {
        self.out.push(b'[');
        for index in 1..=length {
            if index > 1 {
                self.out.push(b',');
            }
            let value: Value = table.raw_get(index)?;
            self.value(&value, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        self.out.push(b'{');
        let mut is_first = true;
        table.for_each(|key: Value, value: Value| {
            if !std::mem::take(&mut is_first) {
                self.out.push(b',');
            }
            match &key {
                Value::String(text) => self.string(&text.as_bytes()),
                Value::Integer(_) | Value::Number(_) => {
                    self.out.push(b'"');
                    self.value(&key, depth)?;
                    self.out.push(b'"');
                }
                other => return self.refuse(other, "table key must be a number or string"),
            }
            self.out.push(b':');
            self.value(&value, depth)
        })?;
        self.out.push(b'}');
        Ok(())
    }
}
