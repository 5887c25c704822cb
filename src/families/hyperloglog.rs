//! `HyperLogLog`: strings that estimate how many different elements they have seen.

use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Refresh, Write};
use crate::command::spec::{
    ADMIN, Command, DENY_OOM, FAST, Group, Key, at_least, exactly, key, text as string,
};
use crate::families::text;
use crate::keyspace::journal::{Change, Event};
use crate::keyspace::write::StringEdit;
use crate::protocol::error::ReplyError;
use crate::structures::hyperloglog::{self, Encoding, HllError, Registers};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("PFADD", at_least(2), Group::HyperLogLog, Write(pfadd))
        .keys(&[Key::at(1, &["RW", "insert"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), string("element").optional().repeated()])
        .doc("2.8.9", "Shows elements to a sketch, made when absent.", "O(1)"),
    Command::new("PFCOUNT", at_least(2), Group::HyperLogLog, Refresh(pfcount))
        .keys(&[Key::at(1, &["RW", "access"]).through(-1, 1, 0)])
        .args(&[key("key").repeated()])
        .doc(
            "2.8.9",
            "Estimates how many different elements sketches have seen together.",
            "O(1) for one sketch, O(N) for several",
        ),
    Command::new("PFMERGE", at_least(2), Group::HyperLogLog, Write(pfmerge))
        .keys(&[
            Key::at(1, &["RW", "access", "insert"]),
            Key::at(2, &["RO", "access"]).through(-1, 1, 0),
        ])
        .flags(DENY_OOM)
        .args(&[key("destkey"), key("sourcekey").spec(1).optional().repeated()])
        .doc("2.8.9", "Adds to a sketch what others have seen.", "O(N)"),
    Command::new("PFDEBUG", exactly(3), Group::HyperLogLog, Write(pfdebug))
        .keys(&[Key::at(2, &["RW", "access"])])
        .flags(DENY_OOM.and(ADMIN))
        .args(&[string("subcommand"), key("key")])
        .doc_flags(&["syscmd"])
        .doc("2.8.9", "Shows the inside of a sketch.", "N/A"),
];

const PFADD: Event = Event::string("pfadd");
/// A change that nobody is told about, save for those who watch the key.
const KEPT: Event = Event { class: 0, name: "pfcount" };

const NOT_HLL: ReplyError =
    ReplyError::Fixed("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPT: ReplyError = ReplyError::Fixed("INVALIDOBJ Corrupted HLL object detected");
const MISSING: ReplyError = ReplyError::Fixed("ERR The specified key does not exist");
const NOT_SPARSE: ReplyError = ReplyError::Fixed("ERR HLL encoding is not sparse");

impl From<HllError> for ReplyError {
    fn from(error: HllError) -> Self {
        match error {
            HllError::NotHll => NOT_HLL,
            HllError::Corrupt => CORRUPT,
        }
    }
}

fn pfadd(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, sparse_max) = (cx.args.bytes()?, cx.limits.encodings.hll_sparse_bytes);
    let elements = cx.args.rest();

    let changed = cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        let mut changed = u64::from(is_new(slot)?);
        if changed == 0 && holds_all(slot, elements.clone()) {
            return Ok((false, Change::None));
        }
        let bytes = sketch(slot, changed > 0);
        for element in elements {
            changed += u64::from(hyperloglog::add(bytes, element, sparse_max)?);
        }
        if changed == 0 {
            return Ok((false, Change::None));
        }
        hyperloglog::outdate(bytes);
        Ok((true, Change::Did(PFADD, changed)))
    })?;

    cx.reply.flag(changed);
    Ok(Flow::Replied)
}

/// Whether there is no sketch yet; fails if there is something else.
fn is_new(slot: &StringEdit<'_>) -> Result<bool, ReplyError> {
    let Some(value) = slot.value() else { return Ok(true) };
    hyperloglog::encoding(text::as_bytes(value, &mut itoa::Buffer::new()))?;
    Ok(false)
}

/// Whether it is a dense sketch to which elements add nothing: then nothing is moved or copied to
/// be changed. What a sketch has long seen is mostly that.
fn holds_all<'e>(slot: &StringEdit<'_>, mut elements: impl Iterator<Item = &'e [u8]>) -> bool {
    let Some(value) = slot.value() else { return false };
    let mut digits = itoa::Buffer::new();
    let bytes = text::as_bytes(value, &mut digits);
    elements.all(|element| hyperloglog::holds_dense(bytes, element) == Some(true))
}

/// The sketch for changing.
fn sketch<'s>(slot: &'s mut StringEdit<'_>, is_new: bool) -> &'s mut Vec<u8> {
    let bytes = slot.bytes_mut();
    if is_new {
        *bytes = hyperloglog::empty();
    }
    bytes
}

fn pfcount(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let count = if cx.args.is_done() { count_one(cx, key)? } else { registers(cx, 1)?.count() };
    cx.reply.uint(count);
    Ok(Flow::Replied)
}

/// The estimate in the sketch, or a new one, which is then kept in it.
fn count_one(cx: &mut WriteCx<'_>, key: &[u8]) -> Result<u64, ReplyError> {
    let Some(value) = cx.keys.reader().string(key)? else { return Ok(0) };
    let mut digits = itoa::Buffer::new();
    let bytes = text::as_bytes(value, &mut digits);
    if let Some(count) = hyperloglog::cached_count(bytes)? {
        return Ok(count);
    }
    let count = hyperloglog::count(bytes)?;
    cx.keys.edit_string::<_, ReplyError>(key, |slot| {
        hyperloglog::store_count(slot.bytes_mut(), count)?;
        Ok(((), Change::Did(KEPT, 1)))
    })?;
    Ok(count)
}

/// What the sketches named from word `first` on have seen together.
fn registers(cx: &WriteCx<'_>, first: usize) -> Result<Registers, ReplyError> {
    let keys = cx.keys.reader();
    let mut registers = Registers::new();
    for key in cx.args.words().skip(first) {
        if let Some(value) = keys.string(key)? {
            registers.absorb(text::as_bytes(value, &mut itoa::Buffer::new()))?;
        }
    }
    Ok(registers)
}

fn pfmerge(cx: &mut WriteCx<'_>) -> CmdResult {
    let (target, sparse_max) = (cx.args.bytes()?, cx.limits.encodings.hll_sparse_bytes);
    let registers = registers(cx, 1)?;

    cx.keys.edit_string::<_, ReplyError>(target, |slot| {
        let is_new = is_new(slot)?;
        registers.store(sketch(slot, is_new), sparse_max)?;
        Ok(((), Change::Did(PFADD, 1)))
    })?;

    cx.reply.ok();
    Ok(Flow::Replied)
}

fn pfdebug(cx: &mut WriteCx<'_>) -> CmdResult {
    let (subcommand, key) = (cx.args.bytes()?, cx.args.bytes()?);
    let keys = cx.keys.reader();
    let value = keys.string(key)?.ok_or(MISSING)?;
    let mut digits = itoa::Buffer::new();
    let bytes = text::as_bytes(value, &mut digits);
    let encoding = hyperloglog::encoding(bytes)?;

    match subcommand.to_ascii_lowercase().as_slice() {
        b"getreg" => {
            let mut registers = Registers::new();
            registers.absorb(bytes)?;
            // Clients see that asking makes the sketch dense.
            make_dense(cx, key)?;
            cx.reply.array(registers.ranks().len());
            for rank in registers.ranks() {
                cx.reply.int(i64::from(*rank));
            }
        }
        b"decode" => {
            let runs = hyperloglog::describe(bytes)?.ok_or(NOT_SPARSE)?;
            cx.reply.bulk(runs.as_bytes());
        }
        b"encoding" => cx.reply.simple(encoding.name()),
        b"todense" => {
            make_dense(cx, key)?;
            cx.reply.flag(encoding == Encoding::Sparse);
        }
        _ => {
            let name = String::from_utf8_lossy(subcommand);
            return Err(ReplyError::Text(
                format!("ERR Unknown PFDEBUG subcommand '{name}'").into(),
            ));
        }
    }
    Ok(Flow::Replied)
}

fn make_dense(cx: &mut WriteCx<'_>, key: &[u8]) -> Result<(), ReplyError> {
    cx.keys.edit_string(key, |slot| {
        let changed = hyperloglog::to_dense(slot.bytes_mut())?;
        // The same sketch, kept otherwise: no watcher minds.
        Ok(((), if changed { Change::Quietly(1) } else { Change::None }))
    })
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn sketches_count_what_they_see() {
        Bench::new().check(&[
            "pfadd h => :1",
            "pfadd h => :0",
            r#"object encoding h => "raw""#,
            "pfadd h a b c => :1",
            "pfadd h a b c => :0",
            "pfcount h => :3",
            "pfcount missing => :0",
            "pfadd g c d => :1",
            "pfcount h g missing => :4",
            "pfmerge u h g => +OK",
            "pfcount u => :4",
            "pfmerge new => +OK",
            "pfcount new => :0",
            "pfmerge h g => +OK",
            "pfcount h => :4",
        ]);
    }

    #[test]
    fn bytes_are_those_of_redis() {
        // Seen in Redis 8.0.6.
        Bench::new().check(&[
            "pfadd h => :1",
            r#"get h => "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff""#,
            "pfadd h a b c => :1",
            r#"get h => "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80`\xf3\x80P\xb1\x84K\xfb\x80BZ""#,
            "pfcount h => :3",
            r#"get h => "HYLL\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00`\xf3\x80P\xb1\x84K\xfb\x80BZ""#,
        ]);
    }

    #[test]
    fn other_strings_and_corrupt_ones_are_refused() {
        let not_hll = "-WRONGTYPE Key is not a valid HyperLogLog string value.";
        let corrupt = "-INVALIDOBJ Corrupted HLL object detected";
        let mut bench = Bench::new();
        bench.check(&["set s abc => +OK", "set i 5 => +OK", "pfadd h a => :1"]);
        for command in
            ["pfadd s a", "pfadd s", "pfadd i", "pfcount s", "pfcount h s", "pfmerge h s"]
        {
            bench.check(&[&format!("{command} => {not_hll}")]);
        }
        bench.check(&["pfadd c a b c => :1", r#"append c "\xff" => :28"#]);
        for command in ["pfcount c", "pfcount h c", "pfmerge h c", "pfdebug getreg c"] {
            bench.check(&[&format!("{command} => {corrupt}")]);
        }
        bench.check(&[
            "sadd set a => :1",
            "pfadd set a => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "pfcount set => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn the_inside_is_shown() {
        let mut bench = Bench::new();
        bench.check(&[
            "pfdebug getreg missing => -ERR The specified key does not exist",
            "pfadd h a b c => :1",
            "pfdebug foo h => -ERR Unknown PFDEBUG subcommand 'foo'",
            "pfdebug encoding h => +sparse",
            r#"pfdebug decode h => "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603""#,
            "pfdebug todense h => :1",
            "pfdebug todense h => :0",
            "pfdebug encoding h => +dense",
            "pfdebug decode h => -ERR HLL encoding is not sparse",
            "pfcount h => :3",
        ]);
        let registers = bench.run("pfdebug getreg h");
        assert_eq!(registers.matches(":1").count(), 2);
        assert_eq!(registers.matches(':').count(), 16_384);
    }

    #[test]
    fn sketches_become_dense_at_the_bound() {
        let mut bench = Bench::new();
        bench.limits.encodings.hll_sparse_bytes = 40;
        for element in 0..20 {
            bench.run(&format!("pfadd h {element}"));
        }
        bench.check(&["pfdebug encoding h => +dense", "pfcount h => :20", "strlen h => :12304"]);
    }
}
