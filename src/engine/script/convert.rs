//! Between replies and values of Lua.

use mlua::{Lua, Table, Value};

use crate::base::limits::SCRIPT_REPLY_DEPTH_MAX;
use crate::base::number::{parse_double, parse_int};
use crate::engine::dispatch::until_zero;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;

use super::shared::{Failure, truncated};

/// Names of fields that mean something, as strings that Lua need not make anew.
#[derive(Debug)]
pub(super) struct Fields {
    pub err: mlua::String,
    pub counted: mlua::String,
    ok: mlua::String,
    double: mlua::String,
    map: mlua::String,
    set: mlua::String,
    big_number: mlua::String,
    verbatim: mlua::String,
    format: mlua::String,
    string: mlua::String,
}

impl Fields {
    pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
        let name = |name: &str| lua.create_string(name);
        Ok(Self {
            err: name("err")?,
            counted: name("ignore_error_stats_update")?,
            ok: name("ok")?,
            double: name("double")?,
            map: name("map")?,
            set: name("set")?,
            big_number: name("big_number")?,
            verbatim: name("verbatim_string")?,
            format: name("format")?,
            string: name("string")?,
        })
    }
}

/// A reply in RESP as a value. What is read was written by this server, so it is well-formed.
pub(super) struct Decoder<'a> {
    pub lua: &'a Lua,
    pub fields: &'a Fields,
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Decoder<'a> {
    /// The line up to CR LF.
    fn line(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let end = rest.iter().position(|byte| *byte == b'\r').unwrap_or(rest.len());
        self.at += end + 2;
        &rest[..end]
    }

    fn bulk(&mut self, length: usize) -> &'a [u8] {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        self.at += length + 2;
        &rest[..length.min(rest.len())]
    }

    fn one_field(&self, name: &mlua::String, value: Value) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn text(&self, bytes: &[u8]) -> mlua::Result<Value> {
        self.lua.create_string(bytes).map(Value::String)
    }

    /// The next value.
    pub(super) fn value(&mut self) -> mlua::Result<Value> {
        let line = self.line();
        let Some((mark, text)) = line.split_first() else { return Ok(Value::Nil) };
        let number = || parse_int(text).unwrap_or(0);
        let length = || usize::try_from(number()).ok();
        match mark {
            b':' => Ok(Value::Integer(number())),
            b'$' => match length() {
                Some(length) => self.lua.create_string(self.bulk(length)).map(Value::String),
                None => Ok(Value::Boolean(false)),
            },
            b'+' => self.one_field(&self.fields.ok, self.text(text)?),
            b'-' => {
                let error = self.one_field(&self.fields.err, self.text(text)?)?;
                if let Value::Table(table) = &error {
                    table.raw_set(&self.fields.counted, true)?;
                }
                Ok(error)
            }
            b'*' | b'>' => match length() {
                Some(length) => self.array(length),
                None => Ok(Value::Boolean(false)),
            },
            b'#' => Ok(Value::Boolean(text == b"t")),
            b',' => {
                let double = parse_double(text).unwrap_or(f64::NAN);
                self.one_field(&self.fields.double, Value::Number(double))
            }
            b'(' => self.one_field(&self.fields.big_number, self.text(text)?),
            b'%' => self.map(length().unwrap_or(0)),
            b'~' => self.set(length().unwrap_or(0)),
            b'=' => self.verbatim(length().unwrap_or(0)),
            b'|' => {
                for _ in 0..2 * length().unwrap_or(0) {
                    self.value()?;
                }
                self.value()
            }
            // `_`, the absence of anything.
            _ => Ok(Value::Nil),
        }
    }

    fn array(&mut self, length: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(length, 0)?;
        for index in 1..=length {
            let value = self.value()?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, pairs: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, pairs)?;
        for _ in 0..pairs {
            let (key, value) = (self.value()?, self.value()?);
            if !key.is_nil() {
                table.raw_set(key, value)?;
            }
        }
        self.one_field(&self.fields.map, Value::Table(table))
    }

    fn set(&mut self, length: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, length)?;
        for _ in 0..length {
            let member = self.value()?;
            if !member.is_nil() {
                table.raw_set(member, true)?;
            }
        }
        self.one_field(&self.fields.set, Value::Table(table))
    }

    fn verbatim(&mut self, length: usize) -> mlua::Result<Value> {
        let bytes = self.bulk(length);
        let (format, text) = bytes.split_at(bytes.len().min(3));
        let table = self.lua.create_table_with_capacity(0, 2)?;
        table.raw_set(&self.fields.format, self.text(format)?)?;
        table.raw_set(&self.fields.string, self.text(text.get(1..).unwrap_or_default())?)?;
        self.one_field(&self.fields.verbatim, Value::Table(table))
    }
}

/// Writes a script's result as its reply; what it says of failing, if it is an error.
pub(super) struct Encoder<'a> {
    pub fields: &'a Fields,
    /// Whether booleans are booleans.
    pub is_resp3_script: bool,
    /// The first error among the values.
    pub failure: Option<Failure>,
}

impl Encoder<'_> {
    /// Writes one value.
    pub(super) fn value(
        &mut self,
        value: &Value,
        depth: usize,
        reply: &mut Reply<'_>,
    ) -> mlua::Result<()> {
        if depth > SCRIPT_REPLY_DEPTH_MAX {
            reply.error(&ReplyError::Fixed("ERR reached lua stack limit"));
            return Ok(());
        }
        match value {
            Value::String(text) => reply.bulk(&text.as_bytes()),
            Value::Integer(number) => reply.int(*number),
            Value::Number(number) => reply.int(truncated(*number)),
            Value::Boolean(yes) if self.is_resp3_script => reply.boolean(*yes),
            Value::Boolean(true) => reply.int(1),
            Value::Table(table) => self.table(table, depth, reply)?,
            _ => reply.null(),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize, reply: &mut Reply<'_>) -> mlua::Result<()> {
        let fields = self.fields;
        if let Value::String(text) = table.raw_get::<Value>(&fields.err)? {
            let text = text.as_bytes();
            let text = without_line_end(until_zero(&text)).to_vec();
            let is_counted = matches!(table.raw_get(&fields.counted)?, Value::Boolean(true));
            reply.error(&ReplyError::Bytes(text.as_slice().into()));
            self.failure.get_or_insert(Failure { text, place: None, is_counted });
            return Ok(());
        }
        if let Value::String(text) = table.raw_get::<Value>(&fields.ok)? {
            push_line(b'+', &text.as_bytes(), reply);
            return Ok(());
        }
        match table.raw_get::<Value>(&fields.double)? {
            Value::Number(number) => {
                reply.double(number);
                return Ok(());
            }
            #[allow(clippy::cast_precision_loss, reason = "it was a double before")]
            Value::Integer(number) => {
                reply.double(number as f64);
                return Ok(());
            }
            _ => {}
        }
        if let Value::Table(map) = table.raw_get::<Value>(&fields.map)? {
            return self.map(&map, depth, reply);
        }
        if let Value::Table(set) = table.raw_get::<Value>(&fields.set)? {
            return self.set(&set, depth, reply);
        }
        if let Value::String(digits) = table.raw_get::<Value>(&fields.big_number)? {
            if reply.is_resp3() {
                push_line(b'(', &digits.as_bytes(), reply);
            } else {
                reply.bulk(&one_line(&digits.as_bytes()));
            }
            return Ok(());
        }
        if let Value::Table(verbatim) = table.raw_get::<Value>(&fields.verbatim)?
            && let Value::String(text) = verbatim.raw_get::<Value>(&fields.string)?
            && let Value::String(format) = verbatim.raw_get::<Value>(&fields.format)?
        {
            let mut three = *b"   ";
            for (to, from) in three.iter_mut().zip(format.as_bytes().iter()) {
                *to = *from;
            }
            reply.verbatim(&three, &text.as_bytes());
            return Ok(());
        }
        self.array(table, depth, reply)
    }

    /// Values up to the first that is nil.
    fn array(&mut self, table: &Table, depth: usize, reply: &mut Reply<'_>) -> mlua::Result<()> {
        let opened = reply.open();
        let mut length = 0;
        loop {
            let value = table.raw_get::<Value>(length + 1)?;
            if value.is_nil() {
                break;
            }
            self.value(&value, depth + 1, reply)?;
            length += 1;
        }
        reply.close_array(opened, length);
        Ok(())
    }

    fn map(&mut self, map: &Table, depth: usize, reply: &mut Reply<'_>) -> mlua::Result<()> {
        let opened = reply.open();
        let mut pairs = 0;
        map.for_each(|key: Value, value: Value| {
            self.value(&key, depth + 1, reply)?;
            self.value(&value, depth + 1, reply)?;
            pairs += 1;
            Ok(())
        })?;
        reply.close_map(opened, pairs);
        Ok(())
    }

    fn set(&mut self, set: &Table, depth: usize, reply: &mut Reply<'_>) -> mlua::Result<()> {
        let opened = reply.open();
        let mut members = 0;
        set.for_each(|member: Value, _: Value| {
            self.value(&member, depth + 1, reply)?;
            members += 1;
            Ok(())
        })?;
        reply.close_set(opened, members);
        Ok(())
    }
}

/// Bytes with CR and LF made blanks, so that they can't begin another reply.
fn one_line(bytes: &[u8]) -> Vec<u8> {
    let blank = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
    bytes.iter().map(blank).collect()
}

/// An error's text without the ends of lines behind it.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
    &bytes[..end.map_or(0, |last| last + 1)]
}

pub(super) fn push_line(mark: u8, bytes: &[u8], reply: &mut Reply<'_>) {
    let mut line = vec![mark];
    // Clients of Redis never see what comes behind a zero.
    line.extend(one_line(until_zero(bytes)));
    line.extend_from_slice(b"\r\n");
    reply.output().push_raw(&line);
}
