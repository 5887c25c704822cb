//! `bit`: operations on 32 bits.

use mlua::{Lua, Table, Value};

use crate::engine::script::thrown::{bad_argument, type_name};

/// Added to a double, it leaves the low 32 bits of the nearest integer in the mantissa.
const SHIFTER: f64 = 6_755_399_441_055_744.0;

pub(in crate::engine::script) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for (name, operation) in BINARY {
        table.raw_set(
            name,
            lua.create_function(move |lua, (left, right, at): (Value, Value, Option<usize>)| {
                let left = bits(lua, left, 1, name)?;
                Ok(signed(operation(left, bits(lua, right, at.unwrap_or(2), name)?)))
            })?,
        )?;
    }
    for (name, operation) in UNARY {
        table.raw_set(
            name,
            lua.create_function(move |lua, value: Value| {
                Ok(signed(operation(bits(lua, value, 1, name)?)))
            })?,
        )?;
    }
    table.raw_set("tohex", lua.create_function(tohex)?)?;
    Ok(table)
}

type Binary = fn(u32, u32) -> u32;
type Unary = fn(u32) -> u32;

const BINARY: [(&str, Binary); 8] = [
    ("band", |left, right| left & right),
    ("bor", |left, right| left | right),
    ("bxor", |left, right| left ^ right),
    ("lshift", |value, count| value << (count & 31)),
    ("rshift", |value, count| value >> (count & 31)),
    ("arshift", |value, count| (value.cast_signed() >> (count & 31)).cast_unsigned()),
    ("rol", |value, count| value.rotate_left(count & 31)),
    ("ror", |value, count| value.rotate_right(count & 31)),
];

const UNARY: [(&str, Unary); 3] =
    [("tobit", |value| value), ("bnot", |value| !value), ("bswap", u32::swap_bytes)];

fn signed(bits: u32) -> i32 {
    bits.cast_signed()
}

fn bits(lua: &Lua, value: Value, at: usize, name: &str) -> mlua::Result<u32> {
    let found = type_name(&value);
    let Some(number) = lua.coerce_number(value)? else {
        return bad_argument(lua, at, name, format!("number expected, got {found}"));
    };
    let low = (number + SHIFTER).to_bits() & 0xffff_ffff;
    Ok(u32::try_from(low).unwrap_or(0))
}

fn tohex(lua: &Lua, (value, digits): (Value, Value)) -> mlua::Result<String> {
    let value = bits(lua, value, 1, "tohex")?;
    let digits = if digits.is_nil() { 8 } else { signed(bits(lua, digits, 2, "tohex")?) };
    let text = if digits < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    let kept = usize::try_from(digits.unsigned_abs()).unwrap_or(8).min(8);
    Ok(text[8 - kept..].to_owned())
}
