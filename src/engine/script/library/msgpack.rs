//! `cmsgpack`: values as `MessagePack`, as lua-cmsgpack 0.4 chooses among its forms.

use mlua::{Lua, Table, Value};

use super::msgpack_decode;
use crate::engine::script::shared::to_integer;

/// How deep tables may nest; what lies deeper becomes nil.
const DEPTH_MAX: usize = 16;

/// `pack` takes a table of values and their count: the prelude has collected them.
pub(in crate::engine::script) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set(
        "pack",
        lua.create_function(|lua, (values, count): (Table, usize)| {
            let mut out = Vec::new();
            for index in 1..=count {
                value(&values.raw_get(index)?, 0, &mut out)?;
            }
            lua.create_string(&out)
        })?,
    )?;
    table.raw_set("unpack", lua.create_function(msgpack_decode::unpack)?)?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

fn value(found: &Value, depth: usize, out: &mut Vec<u8>) -> mlua::Result<()> {
    match found {
        Value::String(text) => string(&text.as_bytes(), out),
        Value::Boolean(yes) => out.push(if *yes { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => integer(*number, out),
        Value::Number(number) => double(*number, out),
        Value::Table(table) if depth < DEPTH_MAX => return aggregate(table, depth, out),
        _ => out.push(0xc0),
    }
    Ok(())
}

fn integer(number: i64, out: &mut Vec<u8>) {
    if let Ok(number) = u64::try_from(number) {
        if let Ok(byte) = u8::try_from(number) {
            if byte > 0x7f {
                out.push(0xcc);
            }
            out.push(byte);
        } else if let Ok(number) = u16::try_from(number) {
            out.push(0xcd);
            out.extend_from_slice(&number.to_be_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            out.push(0xce);
            out.extend_from_slice(&number.to_be_bytes());
        } else {
            out.push(0xcf);
            out.extend_from_slice(&number.to_be_bytes());
        }
    } else if let Ok(byte) = i8::try_from(number) {
        if byte < -32 {
            out.push(0xd0);
        }
        out.push(byte.cast_unsigned());
    } else if let Ok(number) = i16::try_from(number) {
        out.push(0xd1);
        out.extend_from_slice(&number.to_be_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        out.push(0xd2);
        out.extend_from_slice(&number.to_be_bytes());
    } else {
        out.push(0xd3);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn double(number: f64, out: &mut Vec<u8>) {
    if let Some(number) = to_integer(number) {
        integer(number, out);
        return;
    }
    #[allow(clippy::cast_possible_truncation, reason = "taken only when nothing is lost")]
    let single = number as f32;
    // As the reference compares: what is no number equals nothing, so it keeps all of its bits.
    if !number.is_nan() && f64::from(single).to_bits() == number.to_bits() {
        out.push(0xca);
        out.extend_from_slice(&single.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    let length = text.len();
    match u8::try_from(length) {
        Ok(length) if length < 32 => out.push(0xa0 | length),
        Ok(length) => out.extend_from_slice(&[0xd9, length]),
        Err(_) => counted(length, [0xda, 0xdb], out),
    }
    out.extend_from_slice(text);
}

/// A length in 16 or 32 bits behind its mark.
fn counted(length: usize, marks: [u8; 2], out: &mut Vec<u8>) {
    if let Ok(length) = u16::try_from(length) {
        out.push(marks[0]);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        // Lua's strings and tables are bounded by its memory, which is below 4 GiB.
        out.push(marks[1]);
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
}

fn aggregate(table: &Table, depth: usize, out: &mut Vec<u8>) -> mlua::Result<()> {
    let (mut most, mut count, mut is_array) = (0, 0, true);
    table.for_each(|key: Value, _: Value| {
        match key {
            Value::Integer(index) if index > 0 => most = most.max(index),
            _ => is_array = false,
        }
        count += 1;
        Ok(())
    })?;
    let length = usize::try_from(count).unwrap_or(0);
    let small = u8::try_from(length).ok().filter(|length| *length < 16);
    if is_array && most == count && count > 0 {
        match small {
            Some(length) => out.push(0x90 | length),
            None => counted(length, [0xdc, 0xdd], out),
        }
        for index in 1..=count {
            value(&table.raw_get(index)?, depth + 1, out)?;
        }
        return Ok(());
    }
    match small {
        Some(length) => out.push(0x80 | length),
        None => counted(length, [0xde, 0xdf], out),
    }
    table.for_each(|key: Value, found: Value| {
        value(&key, depth + 1, out)?;
        value(&found, depth + 1, out)
    })
}
