//! Adding entries: XADD, XSETID; entries under names of their producers: XCFGSET, XIDMPRECORD.

use xxhash_rust::xxh3::xxh3_128;

use crate::base::number::{digits, parse_int};
use crate::base::time::UnixMillis;
use crate::command::args::Args;
use crate::command::context::{CmdResult, EncodingLimits, Flow, WriteCx};
use crate::command::propagate::Telling;
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, FAST, Group, Key, at_least, block, exactly, integer, key, one_of, pure, text,
};
use crate::keyspace::journal::{Change, Event};
use crate::protocol::error::ReplyError;
use crate::types::stream::id::{Id, Spelled};
use crate::types::stream::idempotence::{Idempotence, Window};
use crate::types::stream::log::{AddError, Log, Trim};
use crate::types::stream::{Body, Stream};

use super::trim::{CONDITION, References, TRIM, TRIMMED, TrimOptions, trim};
use super::{event, node_limits, parse, write_id};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("XADD", at_least(5), Group::Stream, Write(xadd))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[
            key("key"),
            pure("nomkstream", "NOMKSTREAM").optional().since("6.2.0"),
            CONDITION,
            one_of(
                "idmp",
                &[
                    text("producer-id").token("IDMPAUTO"),
                    block("manual", &[text("producer-id"), text("idempotent-id")]).token("IDMP"),
                ],
            )
            .optional()
            .since("8.6.0"),
            TRIM.optional(),
            one_of("id-selector", &[pure("auto-id", "*"), text("id")]),
            block("data", &[text("field"), text("value")]).repeated(),
        ])
        .tips(&["nondeterministic_output"])
        .doc("5.0.0", "Adds an entry to a stream; creates it when absent.", "O(1)"),
    Command::new("XSETID", at_least(3), Group::Stream, Write(xsetid))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[
            key("key"),
            text("last-id"),
            integer("entries-added").token("ENTRIESADDED").optional().since("7.0.0"),
            text("max-deleted-id").token("MAXDELETEDID").optional().since("7.0.0"),
        ])
        .doc("5.0.0", "Sets what a stream remembers beside its entries.", "O(1)"),
    Command::new("XCFGSET", at_least(2), Group::Stream, Write(xcfgset))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(FAST)
        .args(&[
            key("key"),
            integer("idmp-duration").token("IDMP-DURATION").optional(),
            integer("idmp-maxsize").token("IDMP-MAXSIZE").optional(),
        ])
        .doc("8.6.0", "Sets for how long a stream knows its producers' entries.", "O(1)"),
    Command::new("XIDMPRECORD", exactly(5), Group::Stream, Write(xidmprecord))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), text("pid"), text("iid"), text("stream-id")])
        .doc("8.6.2", "Notes under which name a producer added an entry.", "O(1)"),
];

const ADDED: Event = event("xadd");
const ID_SET: Event = event("xsetid");

const ZERO_ID: ReplyError =
    ReplyError::Fixed("ERR The ID specified in XADD must be greater than 0-0");
const SMALL_ID: ReplyError = ReplyError::Fixed(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);
const EXHAUSTED: ReplyError = ReplyError::Fixed(
    "ERR The stream has exhausted the last possible ID, unable to add more items",
);
const TOO_LARGE: ReplyError = ReplyError::Fixed("ERR Elements are too large to be stored");
const TWO_NAMES: ReplyError =
    ReplyError::Fixed("ERR syntax error, IDMP/IDMPAUTO specified multiple times");
const NAME_AND_ID: ReplyError =
    ReplyError::Fixed("ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs");
const NO_PRODUCER: ReplyError =
    ReplyError::Fixed("ERR syntax error, IDMP requires a non-empty producer ID");
const NO_NAME: ReplyError =
    ReplyError::Fixed("ERR syntax error, IDMP requires a non-empty idempotent ID");
const NO_PRODUCER_AUTO: ReplyError =
    ReplyError::Fixed("ERR syntax error, IDMPAUTO requires a non-empty producer ID");
const DELETED_ABOVE: ReplyError = ReplyError::Fixed(
    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
);
const DELETED_ABOVE_NOW: ReplyError = ReplyError::Fixed(
    "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
);
const ENTRIES_ABOVE: ReplyError =
    ReplyError::Fixed("ERR The ID specified in XSETID is smaller than the target stream top item");
const ADDED_NEGATIVE: ReplyError = ReplyError::Fixed("ERR entries_added must be positive");
const ADDED_BELOW: ReplyError = ReplyError::Fixed(
    "ERR The entries_added specified in XSETID is smaller than the target stream length",
);
const NOTHING_SET: ReplyError = ReplyError::Fixed("ERR At least one parameter must be specified");
const DURATION_RANGE: ReplyError =
    ReplyError::Fixed("ERR IDMP-DURATION must be between 1 and 86400 seconds");
const MAXSIZE_RANGE: ReplyError =
    ReplyError::Fixed("ERR IDMP-MAXSIZE must be between 1 and 10000 entries");
const NO_ENTRY: ReplyError = ReplyError::Fixed("ERR No such message in stream");
const OTHER_ENTRY: ReplyError =
    ReplyError::Fixed("ERR IID already exists for this producer with a different stream ID");
const EMPTY_PRODUCER: ReplyError = ReplyError::Fixed("ERR producer ID must be non-empty");
const EMPTY_NAME: ReplyError = ReplyError::Fixed("ERR idempotent ID must be non-empty");

const DURATION_MAX: u64 = 86_400;
const NAMES_MAX: usize = 10_000;
/// Producers that one XADD looks at to forget what is too old.
const EXPIRE_BUDGET: usize = 4;

/// The identifier of a new entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewId {
    Auto,
    /// The millisecond is given.
    Within(u64),
    Given(Id),
}

/// How a producer names its entry.
#[derive(Clone, Copy, Debug)]
struct Named<'a> {
    producer: &'a [u8],
    /// Derived from the entry if it isn't given.
    name: Option<&'a [u8]>,
}

/// The options of XADD.
struct Addition<'a> {
    id: NewId,
    is_optional: bool,
    named: Option<Named<'a>>,
    trim: Option<(Trim, References)>,
}

impl<'a> Addition<'a> {
    fn read(args: &mut Args<'a>, limits: &EncodingLimits) -> Result<Self, ReplyError> {
        let (mut options, mut is_optional, mut named) = (TrimOptions::default(), false, None);
        let mut id = None;
        while let Some(word) = args.peek() {
            if word == b"*" {
                args.bytes()?;
                id = Some(NewId::Auto);
                break;
            }
            if options.accept(args)? {
                continue;
            }
            if args.accept("NOMKSTREAM") {
                is_optional = true;
            } else if let Some(read) = Named::accept(args)? {
                if named.replace(read).is_some() {
                    return Err(TWO_NAMES);
                }
            } else {
                id = Some(match Id::parse(args.bytes()?).ok_or(parse::INVALID_ID)? {
                    Spelled::Whole(id) => NewId::Given(id),
                    Spelled::Millis(ms) => NewId::Given(Id::new(ms, 0)),
                    Spelled::Auto(ms) => NewId::Within(ms),
                });
                break;
            }
        }
        let trim = options.finish(limits)?;
        let words = args.left();
        let Some(id) = id.filter(|_| words >= 2 && words.is_multiple_of(2)) else {
            return Err(ReplyError::WrongArity("xadd".into()));
        };
        if named.is_some() && id != NewId::Auto {
            return Err(NAME_AND_ID);
        }
        if id == NewId::Given(Id::MIN) {
            return Err(ZERO_ID);
        }
        Ok(Self { id, is_optional, named, trim })
    }
}

impl<'a> Named<'a> {
    fn accept(args: &mut Args<'a>) -> Result<Option<Self>, ReplyError> {
        if args.left() > 2 && args.accept("IDMP") {
            let (producer, name) = (args.bytes()?, args.bytes()?);
            return match (producer, name) {
                (b"", _) => Err(NO_PRODUCER),
                (_, b"") => Err(NO_NAME),
                _ => Ok(Some(Self { producer, name: Some(name) })),
            };
        }
        if args.left() > 1 && args.accept("IDMPAUTO") {
            let producer = args.bytes()?;
            if producer.is_empty() {
                return Err(NO_PRODUCER_AUTO);
            }
            return Ok(Some(Self { producer, name: None }));
        }
        Ok(None)
    }
}

fn xadd(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let addition = Addition::read(&mut cx.args, &cx.limits.encodings)?;
    let (words, limits, now) = (cx.args.rest(), cx.limits.encodings, cx.keys.now());

    let mut trimmed_to = None;
    let told = words.clone();
    let add = |stream: &mut Stream| match add(stream, &addition, words, &limits, now) {
        Ok((id, change)) => {
            let is_trimmed = matches!(change, Change::Both(..));
            trimmed_to = is_trimmed.then(|| stream.log().len());
            (Ok((id, change != Change::None)), change)
        }
        Err(error) => (Err(error), Change::None),
    };
    let added = if addition.is_optional {
        cx.keys.update(key, |stream, _| add(stream))?
    } else {
        Some(cx.keys.upsert(key, |stream, _| add(stream))?)
    };

    match added.transpose()? {
        Some((id, is_new)) => {
            if is_new && cx.telling.is_heard() {
                tell(cx.telling, key, id, &addition, trimmed_to, told);
            }
            write_id(&mut cx.reply, id);
        }
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

/// Tells the addition with the identifier it got, and a trimming by what it left.
fn tell<'a>(
    telling: &mut Telling,
    key: &[u8],
    id: Id,
    addition: &Addition<'_>,
    trimmed_to: Option<usize>,
    words: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
) {
    let (id, len) = (id.text(), digits(trimmed_to.unwrap_or(0)));
    let references = addition.trim.and_then(|(_, references)| references.word());
    let bound = trimmed_to.map(|_| [&b"MAXLEN"[..], b"=", len.as_bytes()]);
    let mut told: Vec<&[u8]> = vec![b"XADD", key];
    if addition.named.is_none() && bound.is_some() {
        told.extend(references);
        told.extend(bound.into_iter().flatten());
    }
    told.push(id.as_bytes());
    for word in words.clone() {
        told.push(word);
    }
    telling.instead(told);
    let Some(named) = addition.named else { return };
    // The name is noted before the trimming, which may take the entry itself.
    let name = named.name_of(words);
    telling.instead([b"XIDMPRECORD", key, named.producer, &name, id.as_bytes()]);
    if let Some(bound) = bound {
        let words = [&b"XTRIM"[..], key].into_iter().chain(bound).chain(references);
        telling.instead(words.collect::<Vec<_>>());
    }
}

fn add<'a>(
    stream: &mut Stream,
    addition: &Addition<'_>,
    words: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    limits: &EncodingLimits,
    now: UnixMillis,
) -> Result<(Id, Change), ReplyError> {
    let now_ms = u64::try_from(now.0).unwrap_or(0);
    let name = addition.named.map(|named| (named.producer, named.name_of(words.clone())));
    if let Some((producer, name)) = &name
        && let Some(known) = &mut stream.body_mut().idempotence
        && let Some(id) = known.find(producer, name, now_ms)
    {
        known.note_repeated();
        return Ok((id, Change::None));
    }
    let id = next_id(stream.log(), addition.id, now_ms)?;
    let body = stream.body_mut();
    body.log.add(id, words, node_limits(limits)).map_err(|error| match error {
        AddError::IdTooSmall => SMALL_ID,
        AddError::TooLarge => TOO_LARGE,
    })?;
    if let Some((producer, name)) = name {
        let known = known_names(body, limits);
        known.expire(now_ms, EXPIRE_BUDGET);
        known.remember(producer, &name, id, now_ms);
    }
    let trimmed = addition.trim.map_or(0, |(how, references)| trim(body, how, references));
    stream.establish();
    let change = if trimmed > 0 { Change::Both(ADDED, TRIMMED, 1) } else { Change::Did(ADDED, 1) };
    Ok((id, change))
}

impl Named<'_> {
    /// The name, or a hash of the entry.
    fn name_of<'a>(&self, words: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        if let Some(name) = self.name {
            return name.to_vec();
        }
        let mut whole = Vec::new();
        for word in words {
            whole.extend_from_slice(&(word.len() as u64).to_le_bytes());
            whole.extend_from_slice(word);
        }
        xxh3_128(&whole).to_be_bytes().to_vec()
    }
}

/// What is remembered of producers; made on demand.
fn known_names<'a>(body: &'a mut Body, limits: &EncodingLimits) -> &'a mut Idempotence {
    body.idempotence.get_or_insert_with(|| Box::new(Idempotence::new(usual_window(limits))))
}

/// What the directives say.
fn usual_window(limits: &EncodingLimits) -> Window {
    Window { duration_s: limits.stream_idmp_duration_s, names_max: limits.stream_idmp_names.max(1) }
}

fn next_id(log: &Log, id: NewId, now_ms: u64) -> Result<Id, ReplyError> {
    let last = log.last_id();
    if last == Id::MAX {
        return Err(EXHAUSTED);
    }
    match id {
        NewId::Given(id) => Ok(id),
        NewId::Auto if now_ms > last.ms => Ok(Id::new(now_ms, 0)),
        NewId::Auto => last.next().ok_or(EXHAUSTED),
        NewId::Within(ms) if ms > last.ms => Ok(Id::new(ms, 0)),
        NewId::Within(ms) if ms == last.ms => {
            last.seq.checked_add(1).map(|seq| Id::new(ms, seq)).ok_or(SMALL_ID)
        }
        NewId::Within(_) => Err(SMALL_ID),
    }
}

fn xsetid(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, id) = (cx.args.bytes()?, parse::id(cx.args.bytes()?)?);
    let (mut added, mut max_deleted) = (None, None);
    while !cx.args.is_done() {
        let has_more = cx.args.left() > 1;
        if has_more && cx.args.accept("ENTRIESADDED") {
            added = Some(u64::try_from(cx.args.int()?).map_err(|_| ADDED_NEGATIVE)?);
        } else if has_more && cx.args.accept("MAXDELETEDID") {
            let deleted = parse::id(cx.args.bytes()?)?;
            if id < deleted {
                return Err(DELETED_ABOVE);
            }
            max_deleted = Some(deleted).filter(|deleted| *deleted != Id::MIN);
        } else {
            return Err(ReplyError::Syntax);
        }
    }

    let set = |stream: &mut Stream| -> Result<(), ReplyError> {
        let log = &mut stream.body_mut().log;
        if id < log.max_deleted_id() {
            return Err(DELETED_ABOVE_NOW);
        }
        if log.last().is_some_and(|last| id < last.id) {
            return Err(ENTRIES_ABOVE);
        }
        if added.is_some_and(|added| added < log.len() as u64) {
            return Err(ADDED_BELOW);
        }
        log.set_ids(id, added, max_deleted);
        Ok(())
    };
    let done = cx.keys.update(key, |stream: &mut Stream, _| match set(stream) {
        Ok(()) => (Ok(()), Change::Did(ID_SET, 1)),
        Err(error) => (Err(error), Change::None),
    })?;
    done.ok_or(ReplyError::NoSuchKey)??;

    cx.reply.ok();
    Ok(Flow::Replied)
}

fn xcfgset(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let (mut duration_s, mut names_max) = (None, None);
    while !cx.args.is_done() {
        let has_more = cx.args.left() > 1;
        if has_more && cx.args.accept("IDMP-DURATION") {
            let read = parse_int(cx.args.bytes()?).and_then(|number| u64::try_from(number).ok());
            let read = read.filter(|seconds| (1..=DURATION_MAX).contains(seconds));
            duration_s = Some(read.ok_or(DURATION_RANGE)?);
        } else if has_more && cx.args.accept("IDMP-MAXSIZE") {
            let read = parse_int(cx.args.bytes()?).and_then(|number| usize::try_from(number).ok());
            let read = read.filter(|names| (1..=NAMES_MAX).contains(names));
            names_max = Some(read.ok_or(MAXSIZE_RANGE)?);
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    if duration_s.is_none() && names_max.is_none() {
        return Err(NOTHING_SET);
    }
    let limits = cx.limits.encodings;

    let set = cx.keys.update(key, |stream: &mut Stream, _| {
        let known = known_names(stream.body_mut(), &limits);
        let Window { duration_s: old_duration_s, names_max: old_names_max } = known.window();
        known.set_window(Window {
            duration_s: duration_s.unwrap_or(old_duration_s),
            names_max: names_max.unwrap_or(old_names_max),
        });
        ((), Change::Quietly(1))
    })?;
    set.ok_or(ReplyError::NoSuchKey)?;

    cx.reply.ok();
    Ok(Flow::Replied)
}

fn xidmprecord(cx: &mut WriteCx<'_>) -> CmdResult {
    let (key, producer, name) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let id = parse::id(cx.args.bytes()?)?;
    if producer.is_empty() {
        return Err(EMPTY_PRODUCER);
    }
    if name.is_empty() {
        return Err(EMPTY_NAME);
    }
    let (limits, now) = (cx.limits.encodings, cx.keys.now());

    let record = |stream: &mut Stream| -> Result<Change, ReplyError> {
        if stream.log().entry(id).is_none() {
            return Err(NO_ENTRY);
        }
        let known = known_names(stream.body_mut(), &limits);
        // Names that are too old come back as they were.
        match known.find(producer, name, 0) {
            Some(other) if other != id => Err(OTHER_ENTRY),
            Some(_) => Ok(Change::None),
            None => {
                known.remember(producer, name, id, u64::try_from(now.0).unwrap_or(0));
                Ok(Change::Quietly(1))
            }
        }
    };
    let done = cx.keys.update(key, |stream: &mut Stream, _| match record(stream) {
        Ok(change) => (Ok(()), change),
        Err(error) => (Err(error), Change::None),
    })?;
    done.ok_or(ReplyError::NoSuchKey)??;

    cx.reply.ok();
    Ok(Flow::Replied)
}
