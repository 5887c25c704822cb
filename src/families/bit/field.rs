//! BITFIELD and `BITFIELD_RO`: integers of any width inside a string.

use crate::base::number::parse_int;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Arg, Command, DENY_OOM, FAST, Group, Key, at_least, block, integer, key, one_of, pure,
    text as string,
};
use crate::families::text;
use crate::keyspace::journal::{Change, Event};
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::structures::bits::{Field, Overflow};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("BITFIELD", at_least(2), Group::Bitmap, Write(bitfield))
        .keys(&[Key::at(1, &["RW", "access", "update", "variable_flags"])])
        .flags(DENY_OOM)
        .args(&[key("key"), one_of("operation", &[GET, WRITE]).optional().repeated()])
        .doc("3.2.0", "Reads and writes integers of any width inside a string.", "O(1)"),
    Command::new("BITFIELD_RO", at_least(2), Group::Bitmap, Read(bitfield_ro))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[
            key("key"),
            block("get-block", &[string("encoding"), integer("offset")])
                .token("GET")
                .optional()
                .repeats_token(),
        ])
        .doc("6.0.0", "Reads integers of any width inside a string.", "O(1)"),
];

const GET: Arg = block("get-block", &[string("encoding"), integer("offset")]).token("GET");
const WRITE: Arg = block(
    "write",
    &[
        one_of("overflow-block", &[pure("wrap", "WRAP"), pure("sat", "SAT"), pure("fail", "FAIL")])
            .token("OVERFLOW")
            .optional(),
        one_of(
            "write-operation",
            &[
                block("set-block", &[string("encoding"), integer("offset"), integer("value")])
                    .token("SET"),
                block(
                    "incrby-block",
                    &[string("encoding"), integer("offset"), integer("increment")],
                )
                .token("INCRBY"),
            ],
        ),
    ],
);

const SETBIT: Event = Event::string("setbit");
const TYPE: ReplyError = ReplyError::Fixed(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but \
     i64 is.",
);
const OVERFLOW: ReplyError = ReplyError::Fixed("ERR Invalid OVERFLOW type specified");
const GET_ONLY: ReplyError = ReplyError::Fixed("ERR BITFIELD_RO only supports the GET subcommand");

/// What is done with a field.
#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

/// One field and what is done with it.
#[derive(Clone, Copy)]
struct Step {
    action: Action,
    overflow: Overflow,
    field: Field,
    at: usize,
}

impl Step {
    /// One past its last bit.
    fn end(&self) -> usize {
        self.at + self.field.width()
    }

    fn writes(&self) -> bool {
        !matches!(self.action, Action::Get)
    }
}

/// Reads all steps; no string may grow to more than `bytes_max`.
fn read_steps(args: &mut Args<'_>, bytes_max: usize) -> Result<Vec<Step>, ReplyError> {
    let mut steps = Vec::new();
    let mut overflow = Overflow::Wrap;
    while !args.is_done() {
        let left = args.left() - 1;
        let wants_value = if args.accept("GET") && left >= 2 {
            None
        } else if args.accept("SET") && left >= 3 {
            Some(Action::Set as fn(i64) -> Action)
        } else if args.accept("INCRBY") && left >= 3 {
            Some(Action::Add as fn(i64) -> Action)
        } else if args.accept("OVERFLOW") && left >= 1 {
            overflow = read_overflow(args)?;
            continue;
        } else {
            return Err(ReplyError::Syntax);
        };
        let field = read_field(args.bytes()?)?;
        let at = read_offset(args.bytes()?, field, bytes_max)?;
        let action = match wants_value {
            None => Action::Get,
            Some(action) => action(args.int()?),
        };
        steps.push(Step { action, overflow, field, at });
    }
    Ok(steps)
}

fn read_overflow(args: &mut Args<'_>) -> Result<Overflow, ReplyError> {
    if args.accept("WRAP") {
        Ok(Overflow::Wrap)
    } else if args.accept("SAT") {
        Ok(Overflow::Saturate)
    } else if args.accept("FAIL") {
        Ok(Overflow::Fail)
    } else {
        Err(OVERFLOW)
    }
}

fn read_field(word: &[u8]) -> Result<Field, ReplyError> {
    let (is_signed, width) = match word {
        [b'i', width @ ..] => (true, width),
        [b'u', width @ ..] => (false, width),
        _ => return Err(TYPE),
    };
    parse_int(width).and_then(|width| Field::new(is_signed, width)).ok_or(TYPE)
}

/// A bit, or `#n` for the n-th field of this width.
fn read_offset(word: &[u8], field: Field, bytes_max: usize) -> Result<usize, ReplyError> {
    let (word, scale) = match word {
        [b'#', word @ ..] => (word, field.width()),
        word => (word, 1),
    };
    let at = parse_int(word).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| at.checked_mul(scale))
        .filter(|at| at / 8 < bytes_max)
        .ok_or(ReplyError::BitOffset)
}

fn bitfield(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let steps = read_steps(&mut cx.args, cx.limits.bulk_len_max)?;
    let Some(end) = steps.iter().filter(|step| step.writes()).map(Step::end).max() else {
        let mut digits = itoa::Buffer::new();
        let value = cx.keys.reader().string(key)?;
        let value = value.map_or(&b""[..], |value| text::as_bytes(value, &mut digits));
        read_fields(&mut cx.reply, &steps, value);
        return Ok(Flow::Replied);
    };

    cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        let bytes = slot.bytes_mut();
        // Clients see the string grow even when the write then fails.
        let has_grown = bytes.len() < end.div_ceil(8);
        if has_grown {
            bytes.resize(end.div_ceil(8), 0);
        }
        let mut changes = 0;
        cx.reply.array(steps.len());
        for step in &steps {
            match run(step, bytes) {
                Some((shown, has_changed)) => {
                    cx.reply.int(shown);
                    changes += u64::from(has_changed || has_grown && step.writes());
                }
                None => cx.reply.null(),
            }
        }
        if has_grown {
            changes = changes.max(1);
        }
        let change = if changes > 0 { Change::Did(SETBIT, changes) } else { Change::None };
        Ok(((), change))
    })?;
    Ok(Flow::Replied)
}

/// What a step shows and whether it changed anything; `None` when it failed.
fn run(step: &Step, bytes: &mut [u8]) -> Option<(i64, bool)> {
    let old = step.field.read(bytes, step.at);
    let (new, shown) = match step.action {
        Action::Get => return Some((old, false)),
        Action::Set(value) => (step.field.fit(value, step.overflow)?, old),
        Action::Add(increment) => {
            let sum = step.field.add(old, increment, step.overflow)?;
            (sum, sum)
        }
    };
    if new != old {
        step.field.write(bytes, step.at, new);
    }
    // An increment counts as a change even by zero.
    Some((shown, new != old || matches!(step.action, Action::Add(_))))
}

fn bitfield_ro(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let steps = read_steps(&mut cx.args, cx.limits.bulk_len_max)?;
    if steps.iter().any(Step::writes) {
        return Err(GET_ONLY);
    }

    let mut digits = itoa::Buffer::new();
    let value = cx.keys.string(key)?.map_or(&b""[..], |value| text::as_bytes(value, &mut digits));

    read_fields(&mut cx.reply, &steps, value);
    Ok(Flow::Replied)
}

fn read_fields(reply: &mut Reply<'_>, steps: &[Step], value: &[u8]) {
    reply.array(steps.len());
    for step in steps {
        reply.int(step.field.read(value, step.at));
    }
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn fields_are_read_and_written() {
        Bench::new().check(&[
            "bitfield k => []",
            "exists k => :0",
            "bitfield k get u8 0 => [:0]",
            "exists k => :0",
            "bitfield k set u8 0 255 get u8 0 => [:0 :255]",
            "bitfield k incrby u8 0 10 => [:9]",
            "bitfield k overflow sat incrby u8 0 255 => [:255]",
            "bitfield k overflow fail incrby u8 0 255 => [nil]",
            "bitfield k overflow wrap incrby i8 0 -200 => [:55]",
            "bitfield k set u8 #1 256 get u8 8 => [:0 :0]",
            "bitfield k overflow sat set i8 0 200 get i8 0 => [:55 :127]",
            "bitfield k overflow sat set u63 0 -1 get u63 0 => [:4575657221408423936 :9223372036854775807]",
            "bitfield k overflow sat incrby i64 0 10 get i64 3 => [:8 :64]",
            "bitfield k overflow fail set u8 0 256 set u8 0 1 get u8 0 => [nil :0 :1]",
            "bitfield k get u8 4294967288 => [:0]",
            "strlen k => :8",
            "bitfield short overflow fail set u8 100 256 => [nil]",
            "strlen short => :14",
        ]);
    }

    #[test]
    fn steps_are_checked_before_anything_happens() {
        Bench::new().check(&[
            "bitfield k set u8 0 1 overflow foo incrby u8 0 255 => -ERR Invalid OVERFLOW type specified",
            "bitfield k set u8 0 1 get u64 0 => -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            "bitfield k get u0 0 => -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            "bitfield k get i65 0 => -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            "bitfield k get x8 0 => -ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            "bitfield k get u8 -1 => -ERR bit offset is not an integer or out of range",
            "bitfield k get u8 #a => -ERR bit offset is not an integer or out of range",
            "bitfield k get u8 #536870912 => -ERR bit offset is not an integer or out of range",
            "bitfield k get u8 9223372036854775807 => -ERR bit offset is not an integer or out of range",
            "bitfield k get u8 => -ERR syntax error",
            "bitfield k set u8 0 => -ERR syntax error",
            "bitfield k set u8 0 a => -ERR value is not an integer or out of range",
            "bitfield k foo => -ERR syntax error",
            "bitfield k overflow => -ERR syntax error",
            "bitfield k overflow wrap => []",
            "exists k => :0",
        ]);
    }

    #[test]
    fn the_reader_only_reads() {
        Bench::new().check(&[
            r#"set k "\x80" => +OK"#,
            "bitfield_ro k get u8 0 get u4 3 => [:128 :0]",
            "bitfield_ro k overflow wrap get u8 0 => [:128]",
            "bitfield_ro k set u8 0 1 => -ERR BITFIELD_RO only supports the GET subcommand",
            "bitfield_ro missing get u8 0 => [:0]",
            "bitfield_ro k => []",
        ]);
    }
}
