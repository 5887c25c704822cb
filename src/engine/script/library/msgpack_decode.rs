//! `MessagePack` as values.

use mlua::{Lua, Table, Value};

use super::DEPTH_MAX;
use crate::engine::script::native::unlimited;
use crate::engine::script::thrown::fail;

/// Reads up to `limit` values of `text` from `offset` on (0: all of them): a table with them, how
/// many they are, and where the next one begins, -1 at the end.
pub(super) fn unpack(
    lua: &Lua,
    (text, limit, offset): (mlua::String, usize, usize),
) -> mlua::Result<(Table, usize, i64)> {
    let bytes = text.as_bytes();
    let outcome = unlimited(lua, || {
        let table = lua.create_table()?;
        let mut reader = Reader { lua, rest: bytes.get(offset..).unwrap_or_default() };
        let mut count = 0;
        while !reader.rest.is_empty() && (limit == 0 || count < limit) {
            match reader.value(0) {
                Ok(value) => {
                    count += 1;
                    table.raw_set(count, value)?;
                }
                Err(Stop::Lua(error)) => return Err(error),
                Err(Stop::Wrong(text)) => return Ok(Err(text)),
            }
        }
        let at = bytes.len() - reader.rest.len();
        let next = if reader.rest.is_empty() { -1 } else { i64::try_from(at).unwrap_or(-1) };
        Ok(Ok((table, count, next)))
    })?;
    outcome.or_else(|text| fail(lua, text))
}

enum Stop {
    Wrong(&'static str),
    Lua(mlua::Error),
}

impl From<mlua::Error> for Stop {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

const MISSING: Stop = Stop::Wrong("Missing bytes in input.");
const BAD: Stop = Stop::Wrong("Bad data format in input.");

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(MISSING)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number of `width` bytes, most significant first.
    fn uint(&mut self, width: usize) -> Result<u64, Stop> {
        Ok(self.take(width)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn length(&mut self, width: usize) -> Result<usize, Stop> {
        usize::try_from(self.uint(width)?).map_err(|_| MISSING)
    }

    fn signed(&mut self, width: u32) -> Result<Value, Stop> {
        let shift = 64 - 8 * width;
        let bits = self.uint(width as usize)? << shift;
        Ok(Value::Integer(bits.cast_signed() >> shift))
    }

    fn string(&mut self, length: usize) -> Result<Value, Stop> {
        let bytes = self.take(length)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Stop> {
        if depth > DEPTH_MAX {
            return Err(BAD);
        }
        let mark = self.take(1)?[0];
        let low = usize::from(mark & 0xf);
        #[allow(clippy::cast_precision_loss, reason = "Lua's numbers are doubles")]
        Ok(match mark {
            0x00..=0x7f => Value::Integer(mark.into()),
            0xe0..=0xff => Value::Integer(mark.cast_signed().into()),
            0x80..=0x8f => self.map(low, depth)?,
            0x90..=0x9f => self.array(low, depth)?,
            0xa0..=0xbf => self.string(usize::from(mark & 0x1f))?,
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => {
                let bits = u32::try_from(self.uint(4)?).unwrap_or(0);
                Value::Number(f32::from_bits(bits).into())
            }
            0xcb => Value::Number(f64::from_bits(self.uint(8)?)),
            0xcc => Value::Number(self.uint(1)? as f64),
            0xcd => Value::Number(self.uint(2)? as f64),
            0xce => Value::Number(self.uint(4)? as f64),
            // Clients of Redis know the largest as negative numbers.
            0xcf => Value::Number(self.uint(8)?.cast_signed() as f64),
            0xd0 => self.signed(1)?,
            0xd1 => self.signed(2)?,
            0xd2 => self.signed(4)?,
            0xd3 => self.signed(8)?,
            0xd9..=0xdb => {
                let length = self.length(1 << (mark - 0xd9))?;
                self.string(length)?
            }
            0xdc | 0xdd => {
                let length = self.length(2 << (mark - 0xdc))?;
                self.array(length, depth)?
            }
            0xde | 0xdf => {
                let length = self.length(2 << (mark - 0xde))?;
                self.map(length, depth)?
            }
            _ => return Err(BAD),
        })
    }

    fn array(&mut self, length: usize, depth: usize) -> Result<Value, Stop> {
        let table = self.lua.create_table()?;
        for index in 1..=length {
            let value = self.value(depth + 1)?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value, Stop> {
        let table = self.lua.create_table()?;
        for _ in 0..length {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            match key {
                Value::Nil => return Err(Stop::Wrong("table index is nil")),
                Value::Number(number) if number.is_nan() => {
                    return Err(Stop::Wrong("table index is NaN"));
                }
                key => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }
}
