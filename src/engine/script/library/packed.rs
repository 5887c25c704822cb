//! `struct`: values as the bytes of C structures, after Roberto Ierusalimschy's library.
//!
//! A format is a row of letters: `<`, `>` and `=` choose the byte order, `!n` the alignment; `b`,
//! `h`, `l`, `T` and `in` are integers (capitals are unsigned), `f` and `d` floats, `s` a string up
//! to a zero, `cn` one of n bytes (`c0`: of the length just read, or all), `x` a zero byte.

use mlua::{Lua, Table, Value};

use crate::engine::script::shared::truncated;
use crate::engine::script::thrown::{bad_argument, fail, type_name};

/// Widest integer.
const INTEGER_BYTES_MAX: usize = 32;
/// Bytes of the widest type that is aligned by itself.
const NATIVE_ALIGNMENT: usize = 8;
/// Bytes of a result.
const RESULT_BYTES_MAX: usize = 512 * 1024 * 1024;

/// `pack` and `unpack` take and give tables with their counts: the prelude spreads them.
pub(in crate::engine::script) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("size", lua.create_function(size)?)?;
    Ok(table)
}

struct Format<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    name: &'static str,
    is_little: bool,
    alignment: usize,
}

/// One item of a format.
#[derive(Clone, Copy)]
enum Item {
    Integer { width: usize, is_signed: bool },
    Float,
    Double,
    Text,
    Bytes(usize),
    Padding,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, text: &'a [u8], name: &'static str) -> Self {
        // A format ends where C's strings do.
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        Self {
            lua,
            rest: &text[..end],
            name,
            is_little: cfg!(target_endian = "little"),
            alignment: 1,
        }
    }

    fn number(&mut self, absent: usize) -> mlua::Result<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(absent);
        }
        let text = std::str::from_utf8(&self.rest[..digits]).unwrap_or_default();
        self.rest = &self.rest[digits..];
        match text.parse::<usize>() {
            Ok(number) if number <= RESULT_BYTES_MAX => Ok(number),
            _ => fail(self.lua, "integral size overflow"),
        }
    }

    fn integer(&mut self, is_signed: bool) -> mlua::Result<Item> {
        let width = self.number(4)?;
        if width == 0 || width > INTEGER_BYTES_MAX {
            let most = INTEGER_BYTES_MAX;
            return fail(self.lua, format!("integral size {width} is larger than limit of {most}"));
        }
        Ok(Item::Integer { width, is_signed })
    }

    /// The next item and how many bytes fill the place up to it.
    fn next(&mut self, at: usize) -> mlua::Result<Option<(Item, usize)>> {
        loop {
            let Some((letter, rest)) = self.rest.split_first() else { return Ok(None) };
            self.rest = rest;
            let width = |width, is_signed| Item::Integer { width, is_signed };
            let item = match letter {
                b' ' => continue,
                b'<' => {
                    self.is_little = true;
                    continue;
                }
                b'>' => {
                    self.is_little = false;
                    continue;
                }
                b'!' => {
                    let alignment = self.number(NATIVE_ALIGNMENT)?;
                    if !alignment.is_power_of_two() {
                        let text = format!("alignment {alignment} is not a power of 2");
                        return fail(self.lua, text);
                    }
                    self.alignment = alignment;
                    continue;
                }
                b'b' => width(1, true),
                b'B' => width(1, false),
                b'h' => width(2, true),
                b'H' => width(2, false),
                b'l' => width(8, true),
                b'L' | b'T' => width(8, false),
                b'i' => self.integer(true)?,
                b'I' => self.integer(false)?,
                b'f' => Item::Float,
                b'd' => Item::Double,
                b's' => Item::Text,
                b'c' => Item::Bytes(self.number(1)?),
                b'x' => Item::Padding,
                other => {
                    let why = [b"invalid format option '", &[*other][..], b"'"].concat();
                    return bad_argument(self.lua, 1, self.name, &why);
                }
            };
            let gap = self.gap(item, at);
            return Ok(Some((item, gap)));
        }
    }

    fn gap(&self, item: Item, at: usize) -> usize {
        let width = match item {
            Item::Integer { width, .. } => width,
            Item::Float => 4,
            Item::Double => 8,
            Item::Text | Item::Bytes(_) | Item::Padding => return 0,
        };
        let alignment = width.min(self.alignment);
        if alignment > 1 && alignment.is_power_of_two() {
            (alignment - (at & (alignment - 1))) & (alignment - 1)
        } else {
            0
        }
    }
}

fn pack(lua: &Lua, (format, values): (mlua::String, Table)) -> mlua::Result<mlua::String> {
    let format = format.as_bytes();
    let mut format = Format::new(lua, &format, "pack");
    let mut out: Vec<u8> = Vec::new();
    let mut taken = 0_usize;
    while let Some((item, gap)) = format.next(out.len())? {
        out.resize(out.len() + gap, 0);
        if matches!(item, Item::Padding) {
            out.push(0);
            continue;
        }
        taken += 1;
        let value: Value = values.raw_get(taken)?;
        let at = taken + 1;
        match item {
            Item::Integer { width, .. } => {
                let number = truncated(number(lua, value, at)?);
                push_ordered(&integer_bytes(number, width), format.is_little, &mut out);
            }
            Item::Float => {
                #[allow(clippy::cast_possible_truncation, reason = "what `f` stands for")]
                let number = number(lua, value, at)? as f32;
                push_ordered(&number.to_le_bytes(), format.is_little, &mut out);
            }
            Item::Double => {
                let number = number(lua, value, at)?;
                push_ordered(&number.to_le_bytes(), format.is_little, &mut out);
            }
            Item::Text | Item::Bytes(_) => {
                let text = text(lua, value, at)?;
                let bytes = text.as_bytes();
                let length = match item {
                    Item::Bytes(length) if length > 0 => length,
                    _ => bytes.len(),
                };
                if bytes.len() < length {
                    return bad_argument(lua, at + 1, "pack", "string too short");
                }
                out.extend_from_slice(&bytes[..length]);
                if matches!(item, Item::Text) {
                    out.push(0);
                }
            }
            Item::Padding => {}
        }
        if out.len() > RESULT_BYTES_MAX {
            return fail(lua, "resulting string too large");
        }
    }
    lua.create_string(&out)
}

fn number(lua: &Lua, value: Value, at: usize) -> mlua::Result<f64> {
    let found = type_name(&value);
    match lua.coerce_number(value)? {
        Some(number) => Ok(number),
        None => bad_argument(lua, at, "pack", format!("number expected, got {found}")),
    }
}

fn text(lua: &Lua, value: Value, at: usize) -> mlua::Result<mlua::String> {
    let found = type_name(&value);
    match lua.coerce_string(value)? {
        Some(text) => Ok(text),
        None => bad_argument(lua, at, "pack", format!("string expected, got {found}")),
    }
}

/// `width` bytes of a number, least significant first.
fn integer_bytes(number: i64, width: usize) -> Vec<u8> {
    let fill = if number < 0 { 0xff } else { 0 };
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(width.max(8), fill);
    bytes.truncate(width);
    bytes
}

fn push_ordered(little: &[u8], is_little: bool, out: &mut Vec<u8>) {
    if is_little {
        out.extend_from_slice(little);
    } else {
        out.extend(little.iter().rev());
    }
}

fn ordered<const WIDTH: usize>(bytes: &[u8], is_little: bool) -> [u8; WIDTH] {
    let mut little = [0; WIDTH];
    for (index, to) in little.iter_mut().enumerate() {
        let from = if is_little { index } else { bytes.len().wrapping_sub(index + 1) };
        *to = bytes.get(from).copied().unwrap_or(0);
    }
    little
}

/// What an integer of up to 32 bytes is as a number; what exceeds 64 bits is lost.
fn integer(bytes: &[u8], is_little: bool, is_signed: bool) -> Value {
    let mut bits = u64::from_le_bytes(ordered::<8>(bytes, is_little));
    if is_signed {
        if let Some(unused) = 64_usize.checked_sub(8 * bytes.len()) {
            let number = (bits << unused).cast_signed() >> unused;
            return Value::Integer(number);
        }
        return Value::Integer(bits.cast_signed());
    }
    if bytes.len() < 8 {
        bits &= (1 << (8 * bytes.len())) - 1;
    }
    #[allow(clippy::cast_precision_loss, reason = "Lua's numbers are doubles")]
    Value::Number(bits as f64)
}

/// The values of `data` from byte `position` (1 is the first) on, their count, and the position
/// behind them.
fn unpack(
    lua: &Lua,
    (format, data, position): (mlua::String, mlua::String, usize),
) -> mlua::Result<(Table, usize, usize)> {
    let format = format.as_bytes();
    let mut format = Format::new(lua, &format, "unpack");
    let data = data.as_bytes();
    let table = lua.create_table()?;
    let (mut at, mut count) = (position - 1, 0_usize);
    let short = || bad_argument(lua, 2, "unpack", "data string too short");
    while let Some((item, gap)) = format.next(at)? {
        at = at.saturating_add(gap);
        let rest = data.get(at..).unwrap_or_default();
        let width = match item {
            Item::Integer { width, .. } => width,
            Item::Float => 4,
            Item::Double => 8,
            Item::Padding => 1,
            Item::Text => match rest.iter().position(|byte| *byte == 0) {
                Some(length) => length + 1,
                None if at > data.len() => return short(),
                None => return fail(lua, "unfinished string in data"),
            },
            Item::Bytes(0) => {
                let length: Value = if count == 0 { Value::Nil } else { table.raw_get(count)? };
                let Value::Integer(length) = integral(length) else {
                    return fail(lua, "format 'c0' needs a previous size");
                };
                table.raw_set(count, Value::Nil)?;
                count -= 1;
                match usize::try_from(length) {
                    Ok(length) => length,
                    Err(_) => return short(),
                }
            }
            Item::Bytes(length) => length,
        };
        let Some(bytes) = rest.get(..width).filter(|_| at <= data.len()) else { return short() };
        let value = match item {
            Item::Integer { is_signed, .. } => integer(bytes, format.is_little, is_signed),
            Item::Float => {
                Value::Number(f32::from_le_bytes(ordered(bytes, format.is_little)).into())
            }
            Item::Double => Value::Number(f64::from_le_bytes(ordered(bytes, format.is_little))),
            Item::Text => Value::String(lua.create_string(&bytes[..width - 1])?),
            Item::Bytes(_) => Value::String(lua.create_string(bytes)?),
            Item::Padding => Value::Nil,
        };
        at += width;
        if !matches!(item, Item::Padding) {
            count += 1;
            table.raw_set(count, value)?;
        }
    }
    Ok((table, count, at + 1))
}

/// A number as an integer, if it is one.
fn integral(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Integer(truncated(number)),
        other => other,
    }
}

#[allow(clippy::needless_pass_by_value, reason = "functions of Lua own their arguments")]
fn size(lua: &Lua, format: mlua::String) -> mlua::Result<usize> {
    let format = format.as_bytes();
    let mut format = Format::new(lua, &format, "size");
    let mut total = 0_usize;
    while let Some((item, gap)) = format.next(total)? {
        let width = match item {
            Item::Integer { width, .. } => width,
            Item::Float => 4,
            Item::Double => 8,
            Item::Padding => 1,
            Item::Text => {
                return bad_argument(lua, 1, "size", "option 's' has no fixed size");
            }
            Item::Bytes(0) => {
                return bad_argument(lua, 1, "size", "option 'c0' has no fixed size");
            }
            Item::Bytes(length) => length,
        };
        total = total.saturating_add(gap).saturating_add(width);
        if total > i32::MAX.unsigned_abs() as usize {
            return fail(lua, "structure size too large");
        }
    }
    Ok(total)
}
