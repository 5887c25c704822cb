//! Single bits and ranges of them: SETBIT, GETBIT, BITCOUNT, BITPOS.

use std::ops::Range;

use crate::base::number::parse_int;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Arg, Command, DENY_OOM, FAST, Group, Key, at_least, block, exactly, integer, key, one_of, pure,
};
use crate::families::text;
use crate::keyspace::journal::{Change, Event};
use crate::protocol::error::ReplyError;
use crate::structures::bits;

/// Bits that are looked at in the time that an element of a collection takes.
const BITS_PER_ELEMENT: usize = 4096;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("SETBIT", exactly(4), Group::Bitmap, Write(setbit))
        .keys(&[Key::at(1, &["RW", "access", "update"])])
        .flags(DENY_OOM)
        .args(&[key("key"), integer("offset"), integer("value")])
        .doc("2.2.0", "Sets or clears one bit of a string and gives the old one.", "O(1)"),
    Command::new("GETBIT", exactly(3), Group::Bitmap, Read(getbit))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), integer("offset")])
        .doc("2.2.0", "Gives one bit of a string; 0 beyond its end.", "O(1)"),
    Command::new("BITCOUNT", at_least(2), Group::Bitmap, Read(bitcount))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), block("range", &[integer("start"), integer("end"), UNIT]).optional()])
        .doc("2.6.0", "Counts the ones of a string or of a range of it.", "O(N)"),
    Command::new("BITPOS", at_least(3), Group::Bitmap, Read(bitpos))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            integer("bit"),
            block(
                "range",
                &[integer("start"), block("end-unit-block", &[integer("end"), UNIT]).optional()],
            )
            .optional(),
        ])
        .doc("2.8.7", "Finds the first one or zero of a string or of a range of it.", "O(N)"),
];

const UNIT: Arg =
    one_of("unit", &[pure("byte", "BYTE"), pure("bit", "BIT")]).optional().since("7.0.0");

const SETBIT: Event = Event::string("setbit");
const NOT_A_BIT: ReplyError = ReplyError::Fixed("ERR bit is not an integer or out of range");
const BIT_ARGUMENT: ReplyError = ReplyError::Fixed("ERR The bit argument must be 1 or 0.");

/// Reads the place of a bit; no string may grow to more than `bytes_max`.
fn read_offset(word: &[u8], bytes_max: usize) -> Result<usize, ReplyError> {
    let offset = parse_int(word).and_then(|offset| usize::try_from(offset).ok());
    offset.filter(|offset| offset / 8 < bytes_max).ok_or(ReplyError::BitOffset)
}

fn setbit(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let offset = read_offset(cx.args.bytes()?, cx.limits.bulk_len_max)?;
    let on = match cx.args.bytes()? {
        b"0" => false,
        b"1" => true,
        _ => return Err(NOT_A_BIT),
    };

    let was_on = cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        let mut digits = itoa::Buffer::new();
        let old = slot.value().map(|value| text::as_bytes(value, &mut digits));
        let was_on = old.is_some_and(|old| bits::get(old, offset));
        let is_inside = old.is_some_and(|old| offset / 8 < old.len());
        if is_inside && was_on == on {
            return Ok((was_on, Change::None));
        }
        let bytes = slot.bytes_mut();
        if !is_inside {
            bytes.resize(offset / 8 + 1, 0);
        }
        bits::set(bytes, offset, on);
        Ok((was_on, Change::Did(SETBIT, 1)))
    })?;

    cx.reply.flag(was_on);
    Ok(Flow::Replied)
}

fn getbit(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let offset = read_offset(cx.args.bytes()?, cx.limits.bulk_len_max)?;

    let mut digits = itoa::Buffer::new();
    let value = cx.keys.string(key)?.map(|value| text::as_bytes(value, &mut digits));

    cx.reply.flag(value.is_some_and(|value| bits::get(value, offset)));
    Ok(Flow::Replied)
}

/// A range as BITCOUNT and BITPOS are given it.
#[derive(Clone, Copy)]
struct Span {
    start: i64,
    /// `None`: to the end.
    end: Option<i64>,
    counts_bits: bool,
}

impl Span {
    const ALL: Self = Self { start: 0, end: None, counts_bits: false };

    /// The bits of a string of `len` bytes, cut out by `cut`.
    fn bits(self, len: usize, cut: fn(i64, i64, usize) -> Range<usize>) -> Range<usize> {
        let scale = if self.counts_bits { 1 } else { 8 };
        let units = cut(self.start, self.end.unwrap_or(-1), len * 8 / scale);
        units.start * scale..units.end * scale
    }
}

/// Whether positions count bits: by the last word, if there is one.
fn read_unit(args: &mut Args<'_>) -> Result<bool, ReplyError> {
    let counts_bits = !args.accept("BYTE") && args.accept("BIT");
    args.finish()?;
    Ok(counts_bits)
}

fn bitcount(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let span = match cx.args.left() {
        0 => Span::ALL,
        2 | 3 => {
            let (start, end) = (cx.args.int()?, Some(cx.args.int()?));
            Span { start, end, counts_bits: read_unit(&mut cx.args)? }
        }
        _ => return Err(ReplyError::Syntax),
    };

    let mut digits = itoa::Buffer::new();
    let value = cx.keys.string(key)?.map_or(&b""[..], |value| text::as_bytes(value, &mut digits));

    let range = span.bits(value.len(), text::cut);
    if cx.is_long(range.len() / BITS_PER_ELEMENT) {
        return Ok(Flow::Away(None));
    }

    cx.reply.uint(bits::count_in(value, range));
    Ok(Flow::Replied)
}

fn bitpos(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let wanted = match cx.args.int()? {
        0 => false,
        1 => true,
        _ => return Err(BIT_ARGUMENT),
    };
    let span = match cx.args.left() {
        0 => Span::ALL,
        1 => Span { start: cx.args.int()?, ..Span::ALL },
        2 => Span { start: cx.args.int()?, end: Some(cx.args.int()?), ..Span::ALL },
        3 => {
            // Clients see a bad unit before a bad end.
            let (start, end) = (cx.args.int()?, cx.args.bytes()?);
            let counts_bits = read_unit(&mut cx.args)?;
            let end = Some(parse_int(end).ok_or(ReplyError::NotInteger)?);
            Span { start, end, counts_bits }
        }
        _ => return Err(ReplyError::Syntax),
    };

    let mut digits = itoa::Buffer::new();
    let Some(value) = cx.keys.string(key)?.map(|value| text::as_bytes(value, &mut digits)) else {
        // A missing key is an endless run of zeros.
        cx.reply.int(if wanted { -1 } else { 0 });
        return Ok(Flow::Replied);
    };
    let range = span.bits(value.len(), text::places);
    if cx.is_long(range.len() / BITS_PER_ELEMENT) {
        return Ok(Flow::Away(None));
    }
    match bits::find(value, range.clone(), wanted) {
        Some(at) => cx.reply.count(at),
        // Without an end the string counts as continued with zeros.
        None if !wanted && span.end.is_none() && !range.is_empty() => {
            cx.reply.count(value.len() * 8);
        }
        None => cx.reply.int(-1),
    }
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn bits_are_set_and_read() {
        Bench::new().check(&[
            "setbit k 7 1 => :0",
            r#"get k => "\x01""#,
            "setbit k 7 0 => :1",
            "setbit k 7 0 => :0",
            "setbit k -1 1 => -ERR bit offset is not an integer or out of range",
            "setbit k a 1 => -ERR bit offset is not an integer or out of range",
            "setbit k 4294967296 1 => -ERR bit offset is not an integer or out of range",
            "setbit k 1 2 => -ERR bit is not an integer or out of range",
            "setbit k 1 a => -ERR bit is not an integer or out of range",
            "setbit k a a => -ERR bit offset is not an integer or out of range",
            "getbit k 100 => :0",
            "getbit k -1 => -ERR bit offset is not an integer or out of range",
            "getbit k 4294967296 => -ERR bit offset is not an integer or out of range",
            "strlen k => :1",
            "setbit k 17 0 => :0",
            "strlen k => :3",
            "set i 123 => +OK",
            "getbit i 3 => :1",
            "setbit i 3 0 => :1",
            r#"get i => "!23""#,
            r#"object encoding i => "raw""#,
        ]);
    }

    #[test]
    fn ones_are_counted() {
        Bench::new().check(&[
            "set k 123 => +OK",
            "bitcount k => :10",
            "bitcount missing => :0",
            "bitcount missing a b => -ERR value is not an integer or out of range",
            "bitcount missing 1 => -ERR syntax error",
            "bitcount k 0 -1 foo => -ERR syntax error",
            "bitcount k 0 -1 bit foo => -ERR syntax error",
            "bitcount k 5 17 bit => :4",
            "bitcount k 0 0 byte => :3",
            "bitcount k -2 -1 => :7",
            "bitcount k 3 2 => :0",
            "bitcount k -5 -10 => :0",
            "bitcount k -1 -2 => :0",
            "bitcount k 0 -100 => :3",
            "bitcount k 100 200 => :0",
            "bitcount k -100 -50 => :3",
            r#"set empty "" => +OK"#,
            "bitcount empty => :0",
        ]);
    }

    #[test]
    fn first_ones_and_zeros_are_found() {
        Bench::new().check(&[
            "set k 123 => +OK",
            "bitpos k 1 => :2",
            "bitpos k 0 => :0",
            "bitpos k 2 => -ERR The bit argument must be 1 or 0.",
            "bitpos k a => -ERR value is not an integer or out of range",
            "bitpos missing 1 => :-1",
            "bitpos missing 0 => :0",
            "bitpos missing 0 a => -ERR value is not an integer or out of range",
            "bitpos k 1 0 -1 foo => -ERR syntax error",
            "bitpos k 1 3 => :-1",
            "bitpos k 0 2 1 => :-1",
            "bitpos k 1 -100 -200 => :2",
            r#"set ff "\xff\xff" => +OK"#,
            "bitpos ff 0 => :16",
            "bitpos ff 0 0 => :16",
            "bitpos ff 0 0 -1 => :-1",
            "bitpos ff 0 1 => :16",
            "bitpos ff 0 2 => :-1",
            "bitpos ff 1 9 10 bit => :9",
            "bitpos ff 1 -1 -1 bit => :15",
            "bitpos ff 0 0 bit => -ERR value is not an integer or out of range",
            r#"set empty "" => +OK"#,
            "bitpos empty 0 => :-1",
            "bitpos empty 1 => :-1",
        ]);
    }
}
