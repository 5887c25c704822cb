//! DEBUG: what tests and developers need. Guarded by `enable-debug-command`.

use crate::base::number::{parse_double, parse_int};
use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::{ADMIN, Command, Group, LOADING, NOSCRIPT, STALE, at_least, exactly};
use crate::config::rewrite::Extent;
use crate::keyspace::journal::Event;
use crate::keyspace::value::{NewString, StringRef, ValueRef};
use crate::keyspace::write::Lifetime;
use crate::protocol::error::ReplyError;
use crate::structures::hyperloglog;
use crate::types::set::{Packed, Set};

use super::context::EngineCx;
use super::debug_values;
use super::digest;
use super::dispatch::print_help;
use super::persist::reload::reload;
use super::registry::EngineRun::{self, Engine as Run};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("DEBUG", at_least(2), Group::Server, Run(debug))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .doc_flags(&["syscmd"])
        .doc("1.0.0", "Holds what tests and developers need.", "Depends on subcommand."),
    Command::new("PFSELFTEST", exactly(1), Group::HyperLogLog, Run(pfselftest))
        .flags(ADMIN)
        .doc_flags(&["syscmd"])
        .doc("2.8.9", "Checks the machinery of sketches on random data.", "N/A"),
];

const HELP: &[&str] = &[
    "AOF-FLUSH-SLEEP <microseconds>",
    "    Wait before every write to the append-only file.",
    "ASSERT, OOM, PANIC, SEGFAULT",
    "    End the process at once.",
    "CHANGE-REPL-ID",
    "    Take a new replication id.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    Like CONFIG REWRITE, but with every directive.",
    "DIGEST",
    "    Show a digest of all data.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Show a digest of each value.",
    "ERROR <text>",
    "    Reply with this error.",
    "HTSTATS <database>",
    "    Show how large the table of a database is.",
    "LISTPACK <key>",
    "    Write to the log what the listpack of a value holds.",
    "LOADAOF",
    "    Drop all data and load the append-only file.",
    "LOG <text>",
    "    Write a line to the log.",
    "MALLCTL <name> [value]",
    "    Read a control of the allocator that is a number, and set it.",
    "MALLCTL-STR <name> [VOID]",
    "    Read a control that is a text, or call one that takes nothing.",
    "OBJECT <key>",
    "    Show how a value is kept.",
    "PAUSE-CRON <0|1>",
    "    Stop what happens by itself ten times a second.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create strings `<prefix>:0`, `<prefix>:1` and so on, `key:` unless told otherwise.",
    "PROTOCOL <type>",
    "    Reply with a value of a type: string, integer, double, bignum, null, array, set,",
    "    map, attrib, push, verbatim, true or false.",
    "QUICKLIST <key> [<0|1>]",
    "    Write to the log what nodes a large list has, and with 1 its elements.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Accepted for tests of other servers: a list's nodes know no such bound here.",
    "RELOAD [NOSAVE] [NOFLUSH] [MERGE]",
    "    Save, drop all data, and load them again. NOSAVE and NOFLUSH leave the first two out;",
    "    with MERGE a loaded key replaces one that is there.",
    "REPLYBUFFER (PEAK-RESET-TIME <NEVER|RESET|milliseconds>|RESIZING <0|1>)",
    "    Accepted for tests of other servers: reply buffers always follow their content here.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Stop removing keys that nobody looks at when their time is over, or go on.",
    "SET-DISABLE-DENY-SCRIPTS <0|1>",
    "    Let scripts call what is not for them, or not.",
    "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
    "    Let RESTORE take payloads whose checksum is wrong, or not.",
    "SLEEP <seconds>",
    "    Do nothing for a while.",
    "STRINGMATCH-TEST",
    "    Match random patterns against random texts.",
];

const NOT_ALLOWED: ReplyError = ReplyError::Fixed(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you \
     can run it from a local connection, otherwise you need to set this option in the \
     configuration file, and then restart the server.",
);

type Subcommand = fn(&mut EngineCx<'_>) -> CmdResult;

/// Name, fewest and most words behind it, function.
const SUBCOMMANDS: &[(&str, usize, usize, Subcommand)] = &[
    ("aof-flush-sleep", 1, 1, aof_flush_sleep),
    ("assert", 0, 0, crash),
    ("change-repl-id", 0, 0, change_repl_id),
    ("config-rewrite-force-all", 0, 0, rewrite_all),
    ("digest", 0, 0, digest_all),
    ("digest-value", 0, usize::MAX, digest_values),
    ("error", 1, 1, error),
    ("help", 0, 0, help),
    ("htstats", 1, 2, debug_values::table_stats),
    ("listpack", 1, 1, debug_values::listpack),
    ("loadaof", 0, 0, loadaof),
    ("log", 1, 1, log),
    ("mallctl", 1, 2, mallctl),
    ("mallctl-str", 1, 2, mallctl_str),
    ("object", 1, 2, object),
    ("oom", 0, 0, crash),
    ("panic", 0, 0, crash),
    ("pause-cron", 1, 1, pause_cron),
    ("populate", 1, 3, populate),
    ("protocol", 1, 1, protocol),
    ("quicklist", 1, 2, debug_values::quicklist),
    ("quicklist-packed-threshold", 1, 1, quicklist_packed_threshold),
    ("reload", 0, usize::MAX, reload),
    ("replybuffer", 2, 2, replybuffer),
    ("segfault", 0, 0, crash),
    ("set-active-expire", 1, 1, set_active_expire),
    ("set-disable-deny-scripts", 1, 1, allow_scripts_everything),
    ("set-skip-checksum-validation", 1, 1, ignore_checksums),
    ("sleep", 1, 1, sleep),
    ("stringmatch-test", 0, 0, debug_values::match_random),
];

fn debug(cx: &mut EngineCx<'_>) -> CmdResult {
    if !cx.engine.is_enabled(cx.engine.config.enable_debug_command, cx.client) {
        return Err(NOT_ALLOWED);
    }
    let name = cx.args.bytes()?;
    let left = cx.args.left();
    let found = SUBCOMMANDS.iter().find(|(known, least, most, _)| {
        name.eq_ignore_ascii_case(known.as_bytes()) && (*least..=*most).contains(&left)
    });
    match found {
        Some((_, _, _, run)) => run(cx),
        None => Err(cx.misused_subcommand()),
    }
}

/// DEBUG AOF-FLUSH-SLEEP
fn aof_flush_sleep(cx: &mut EngineCx<'_>) -> CmdResult {
    let micros = u64::try_from(cx.args.int()?).unwrap_or(0);
    cx.engine.outside.log_files().slow_down(micros);
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// DEBUG MALLCTL
fn mallctl(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = String::from_utf8_lossy(cx.args.bytes()?);
    let new = if cx.args.is_done() { None } else { Some(cx.args.int()?) };
    let old = cx.engine.outside.allocator_control(&name, new);
    cx.reply.int(old.map_err(|why| refused_control(&why))?);
    Ok(Flow::Replied)
}

/// DEBUG MALLCTL-STR
fn mallctl_str(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = String::from_utf8_lossy(cx.args.bytes()?);
    if cx.args.accept("VOID") {
        cx.engine.outside.allocator_call(&name).map_err(|why| refused_control(&why))?;
        cx.reply.ok();
    } else if !cx.args.is_done() {
        // None of the texts can be changed while the allocator runs.
        return Err(refused_control("Operation not permitted"));
    } else {
        let text = cx.engine.outside.allocator_text(&name).map_err(|why| refused_control(&why))?;
        cx.reply.bulk(text.as_bytes());
    }
    Ok(Flow::Replied)
}

fn refused_control(why: &str) -> ReplyError {
    ReplyError::Text(format!("ERR {why}").into())
}

/// DEBUG LOADAOF
fn loadaof(cx: &mut EngineCx<'_>) -> CmdResult {
    if let Err(why) = cx.engine.reload_log() {
        tracing::warn!("{why}");
        return Err(ReplyError::Fixed(
            "ERR Error trying to load the AOF files, check server logs.",
        ));
    }
    tracing::warn!("Append Only File loaded by DEBUG LOADAOF");
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// PFSELFTEST
fn pfselftest(cx: &mut EngineCx<'_>) -> CmdResult {
    let seed = cx.engine.rng.u64(..);
    hyperloglog::self_test(seed)
        .map_err(|failed| ReplyError::Text(format!("TESTFAILED {failed}").into()))?;
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn help(cx: &mut EngineCx<'_>) -> CmdResult {
    print_help(cx.reply.reborrow(), "DEBUG", HELP);
    Ok(Flow::Replied)
}

fn crash(cx: &mut EngineCx<'_>) -> CmdResult {
    let how = String::from_utf8_lossy(cx.args.word(1)).to_ascii_uppercase();
    cx.engine.outside.crash(&how);
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn sleep(cx: &mut EngineCx<'_>) -> CmdResult {
    /// A test that asks for more has a mistake in it.
    const SECONDS_MAX: f64 = 86_400.0;
    // What is no number is no time, as ever.
    let seconds = parse_double(cx.args.bytes()?).unwrap_or(0.0).clamp(0.0, SECONDS_MAX);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between zero and a day"
    )]
    let micros = (seconds * 1e6) as u64;
    cx.engine.outside.sleep_us(micros);
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn set_active_expire(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.expires_actively = is_set(cx.args.bytes()?);
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn ignore_checksums(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.limits.ignores_checksums = is_set(cx.args.bytes()?);
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn allow_scripts_everything(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.scripts.allows_everything = is_set(cx.args.bytes()?);
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn pause_cron(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.housekeeping_paused = is_set(cx.args.bytes()?);
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// What is no number counts as 0.
fn is_set(word: &[u8]) -> bool {
    parse_int(word).unwrap_or(0) != 0
}

fn change_repl_id(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.change_replication_id();
    tracing::info!("The replication id was changed by DEBUG.");
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn rewrite_all(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.rewrite_config(Extent::All)?;
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn log(cx: &mut EngineCx<'_>) -> CmdResult {
    tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(cx.args.bytes()?));
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn error(cx: &mut EngineCx<'_>) -> CmdResult {
    Err(ReplyError::Text(String::from_utf8_lossy(cx.args.bytes()?).into()))
}

fn digest_all(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.engine.keyspace.len() > cx.here_max {
        return Ok(Flow::Away(Some(digest_away)));
    }
    let digest = digest::of_keyspace(&cx.engine.keyspace, cx.engine.now.unix_ms());
    cx.reply.simple(&digest.hex());
    Ok(Flow::Replied)
}

fn digest_away(cx: &mut ReadCx<'_>) -> CmdResult {
    cx.reply.simple(&digest::of_all(&cx.keys).hex());
    Ok(Flow::Replied)
}

fn digest_values(cx: &mut EngineCx<'_>) -> CmdResult {
    let (db, now) = (cx.caller().db, cx.engine.now.unix_ms());
    let reader = cx.engine.keyspace.reader(db, now);
    let keys = cx.args.rest();
    cx.reply.array(keys.len());
    for key in keys {
        let digest = reader
            .peek(key)
            .map(|value| digest::of_value(value.open().as_ref()))
            .unwrap_or_default();
        cx.reply.simple(&digest.hex());
    }
    Ok(Flow::Replied)
}

fn object(cx: &mut EngineCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    if cx.args.peek().is_some_and(|word| !word.eq_ignore_ascii_case(b"fast")) {
        return Err(cx.misused_subcommand());
    }
    let (db, now) = (cx.caller().db, cx.engine.now.unix_ms());
    let reader = cx.engine.keyspace.reader(db, now);
    let value = reader.peek(key).ok_or(ReplyError::NoSuchKey)?;
    let idle = reader.idle_seconds(key).unwrap_or(0);
    let last_access = now.0 / 1000 - i64::try_from(idle).unwrap_or(0);
    // There is no address to show: values move when they are rewritten.
    let mut text = format!(
        "Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{idle}",
        reader.encoding(key).unwrap_or_default(),
        serialized_bytes(value.open().as_ref()),
        last_access & 0xff_ffff,
    );
    if let ValueRef::List(list) = value.open().as_ref()
        && let Some(fields) =
            debug_values::list_fields(list, cx.engine.config.list_max_listpack_size)
    {
        text += &fields;
    }
    cx.reply.simple(&text);
    Ok(Flow::Replied)
}

/// Bytes of the value in a snapshot file, before compression.
fn serialized_bytes(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::String(StringRef::Int(value)) => match value {
            -128..=127 => 2,
            -32_768..=32_767 => 3,
            -2_147_483_648..=2_147_483_647 => 5,
            _ => with_length(itoa::Buffer::new().format(value).len()),
        },
        ValueRef::String(StringRef::Inline(bytes)) => with_length(bytes.len()),
        ValueRef::String(StringRef::Shared(blob)) => with_length(blob.len()),
        ValueRef::List(list) => list.memory_bytes(0),
        ValueRef::Set(set) => serialized_set_bytes(set),
        ValueRef::Stream(stream) => stream.memory_bytes(0),
        ValueRef::SortedSet(set) => set.memory_bytes(0),
        ValueRef::Hash(hash) => hash.memory_bytes(0),
        #[cfg(test)]
        ValueRef::Probe(_) => 0,
    }
}

/// Packed forms are written as they are, tables member by member.
fn serialized_set_bytes(set: &Set) -> usize {
    match set.packed() {
        Some(Packed::Ints(ints)) => with_length(ints.as_bytes().len()),
        Some(Packed::Pack(pack)) => with_length(pack.byte_len()),
        None => with_length(0) + set.iter().map(|item| with_length(item.text_len())).sum::<usize>(),
    }
}

fn with_length(bytes: usize) -> usize {
    bytes
        + match bytes {
            0..64 => 1,
            64..16_384 => 2,
            _ => 5,
        }
}

fn populate(cx: &mut EngineCx<'_>) -> CmdResult {
    const POPULATED: Event = Event::string("set");
    let count = match parse_int(cx.args.bytes()?) {
        Some(count) if count >= 0 => count,
        _ => return Err(ReplyError::NotPositive),
    };
    let prefix = if cx.args.is_done() { b"key".as_slice() } else { cx.args.bytes()? };
    let size = if cx.args.is_done() {
        None
    } else {
        let size = usize::try_from(cx.args.int()?).map_err(|_| ReplyError::NotPositive)?;
        Some(size.min(cx.engine.limits.bulk_len_max))
    };

    let (db, now) = (cx.caller().db, cx.engine.now.unix_ms());
    let mut writer = cx.engine.keyspace.writer(db, now);
    for number in 0..count {
        let key = [prefix, b":", itoa::Buffer::new().format(number).as_bytes()].concat();
        if writer.reader().kind(&key).is_some() {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if let Some(size) = size {
            value.resize(size, 0);
        }
        writer.put_string(&key, NewString::Bytes(&value), Lifetime::Forever, POPULATED);
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn quicklist_packed_threshold(cx: &mut EngineCx<'_>) -> CmdResult {
    let word = cx.args.bytes()?;
    let bytes = crate::config::kinds::memory(word);
    if bytes.is_none_or(|bytes| bytes > 4 << 30) {
        return Err(ReplyError::Fixed(
            "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
        ));
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn replybuffer(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.args.accept("PEAK-RESET-TIME") {
        if !cx.args.accept("NEVER") && !cx.args.accept("RESET") {
            cx.args.int()?;
        }
    } else if !cx.args.accept("RESIZING") {
        return Err(cx.misused_subcommand());
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn protocol(cx: &mut EngineCx<'_>) -> CmdResult {
    let kind = cx.args.bytes()?.to_ascii_lowercase();
    let reply = &mut cx.reply;
    match kind.as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        b"double" => {
            #[allow(clippy::approx_constant, reason = "clients expect these digits")]
            reply.double(3.141);
        }
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" | b"set" => {
            if kind == b"array" {
                reply.array(3);
            } else {
                reply.set(3);
            }
            for number in 0..3 {
                reply.int(number);
            }
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.int(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            if reply.is_resp3() {
                reply.attribute(1);
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.int(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if !reply.is_resp3() {
                return Err(ReplyError::Fixed("ERR RESP2 is not supported by this command"));
            }
            // As in Redis, what is out of band comes behind the reply.
            reply.bulk(b"Some real reply following the push reply");
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.int(42);
        }
        b"verbatim" => reply.verbatim(b"txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => {
            return Err(ReplyError::Fixed(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(Flow::Replied)
}
