//! A file, read key by key and given to whoever wants it.

use std::io::Read;

use super::decode::{self, Decoder, Dialect, Limits};
use super::error::{LoadError, Reason};
use super::format::{AUX_DEADLINES, AUX_IDEMPOTENCE, VERSION_VALKEY, Versions, opcode};
use super::input::Input;
use crate::base::time::UnixMillis;
use crate::keyspace::DbIndex;
use crate::keyspace::load::LoadedValue;
use crate::keyspace::value::{Stored, Value};
use crate::keyspace::write::PastUse;
use crate::structures::epoch::Epochs;
use crate::structures::listpack::Digits;
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::Stream;
use crate::types::stream::idempotence::Idempotence;
use crate::types::timed::Companioned;

/// First version that ends with a checksum.
const CHECKSUM_SINCE: u32 = 5;

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// When values are too large for their small form.
    pub limits: Limits,
    /// Whether the checksum is compared, if the file has one.
    pub checks: bool,
    /// Which versions are read.
    pub versions: Versions,
    /// Bytes that there are, if that is known: absurd lengths are refused sooner.
    pub size: Option<u64>,
}

/// How a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the format.
    pub version: u32,
    /// Whose numbers of layouts it has.
    pub is_valkey: bool,
}

/// A key as it was read.
#[derive(Debug)]
pub struct ReadKey<'a> {
    /// Its database.
    pub db: DbIndex,
    /// Its name.
    pub key: &'a [u8],
    /// Its value.
    pub value: LoadedValue<'a>,
    /// When it goes; it may be over.
    pub deadline: Option<UnixMillis>,
    /// What the file tells of its use.
    pub past: Option<PastUse>,
    /// Offset of the first byte that belongs to it.
    pub at: u64,
    /// The number of its layout.
    pub layout: u8,
}

/// Takes what a file has. An error ends reading and comes back as [`Reason::Refused`], with the
/// offset.
pub trait Sink {
    /// The version is known.
    fn header(&mut self, header: Header) -> Result<(), String> {
        let _ = header;
        Ok(())
    }
    /// Name and value of a fact about the file.
    fn aux(&mut self, name: &[u8], value: &[u8]) -> Result<(), String> {
        let _ = (name, value);
        Ok(())
    }
    /// The text of a library of functions.
    fn library(&mut self, text: &[u8]) -> Result<(), String>;
    /// How many keys of a database follow, and how many of those have a deadline: a hint.
    fn sizes(&mut self, db: DbIndex, keys: u64, expiring: u64) -> Result<(), String> {
        let _ = (db, keys, expiring);
        Ok(())
    }
    /// A key. Whether there was one of this name before, the sink knows.
    fn key(&mut self, key: ReadKey<'_>) -> Result<(), String>;
    /// The name of a key that is left out as it has no elements: of the first ten.
    fn empty_key(&mut self, key: &[u8]) {
        let _ = key;
    }
    /// Bytes read so far, every hundred keys or so.
    fn progress(&mut self, bytes: u64) -> Result<(), String> {
        let _ = bytes;
        Ok(())
    }
}

/// A file that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// How it begins.
    pub header: Header,
    /// Keys that the sink was given.
    pub keys: u64,
    /// Keys whose value has no elements, which early servers could leave behind. The sink isn't
    /// given them.
    pub empty: u64,
    /// Bytes, the checksum included. What follows belongs to somebody else.
    pub bytes: u64,
}

/// Keys without elements that the sink is told of by name.
const EMPTY_TOLD: u64 = 10;

/// Keys between two reports of progress.
const REPORT_KEYS: u64 = 128;

/// What stands before a key and belongs to it.
#[derive(Default)]
struct Before {
    at: Option<u64>,
    deadline: Option<UnixMillis>,
    past: Option<PastUse>,
    idempotence: Option<Idempotence>,
    /// Of members.
    deadlines: Vec<(Vec<u8>, UnixMillis)>,
}

struct Loader<'a, 'i, 's> {
    input: Input<'i>,
    decoder: Decoder<'a>,
    sink: &'s mut dyn Sink,
    db: DbIndex,
    before: Before,
    key: Vec<u8>,
    keys: u64,
    empty: u64,
}

/// Reads a file to its end. Tables inside values are made with `epochs`: those of a
/// [`Maker`](crate::keyspace::load::Maker) on a thread of its own.
pub fn load(
    source: &mut dyn Read,
    options: &LoadOptions,
    epochs: &mut Epochs,
    sink: &mut dyn Sink,
) -> Result<Loaded, LoadError> {
    let mut input = Input::new(source, options.size, options.checks);
    let header = read_header(&mut input, options.versions)?;
    sink.header(header).map_err(|why| input.error(Reason::Refused(why)))?;
    let dialect = if header.is_valkey { Dialect::Valkey } else { Dialect::of(header.version) };
    let decoder = Decoder::new(options.limits, epochs, dialect);
    let mut loader = Loader {
        input,
        decoder,
        sink,
        db: DbIndex(0),
        before: Before::default(),
        key: Vec::new(),
        keys: 0,
        empty: 0,
    };
    while loader.step()? {}
    let Loader { mut input, keys, empty, .. } = loader;
    if header.version >= CHECKSUM_SINCE {
        check(&mut input)?;
    }
    Ok(Loaded { header, keys, empty, bytes: input.position() })
}

fn read_header(input: &mut Input<'_>, versions: Versions) -> Result<Header, LoadError> {
    let first: [u8; 9] = input.array().map_err(|error| match error.reason {
        Reason::Cut => Reason::Magic.at(0),
        reason => reason.at(error.at),
    })?;
    let (digits, is_valkey) = match first.strip_prefix(b"VALKEY") {
        Some(digits) => (digits, true),
        None => (first.strip_prefix(b"REDIS").ok_or(Reason::Magic.at(0))?, false),
    };
    let is_number = digits.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(digits).ok().filter(|_| is_number);
    let version = number.and_then(|text| text.parse().ok()).ok_or(Reason::Magic.at(0))?;
    // Its number alone would tell.
    let is_valkey = is_valkey || version == VERSION_VALKEY;
    if versions.take(version, is_valkey) {
        Ok(Header { version, is_valkey })
    } else {
        Err(input.error(Reason::Version(version)))
    }
}

/// Compares the checksum of what was read with the one that follows; 0 stands for none.
fn check(input: &mut Input<'_>) -> Result<(), LoadError> {
    let expected = input.checksum();
    let found = u64::from_le_bytes(input.array()?);
    match expected {
        Some(expected) if found != 0 && found != expected => {
            Err(input.error(Reason::Checksum { expected, found }))
        }
        _ => Ok(()),
    }
}

impl Loader<'_, '_, '_> {
    /// Reads the next thing; whether another one follows.
    fn step(&mut self) -> Result<bool, LoadError> {
        let at = self.input.position();
        let code = self.input.byte()?;
        match code {
            opcode::EXPIRE_MS => {
                let deadline = self.input.millis()?;
                self.before.deadline = Some(UnixMillis(deadline));
            }
            opcode::EXPIRE_S => {
                let seconds = i64::from(i32::from_le_bytes(self.input.array()?));
                self.before.deadline = Some(UnixMillis(seconds * 1000));
            }
            opcode::IDLE => self.before.past = Some(PastUse::Idle(self.input.number()?)),
            opcode::FREQUENCY => {
                self.before.past = Some(PastUse::Frequency(self.input.byte()?));
            }
            opcode::END => return Ok(false),
            opcode::AUX => return self.aux().map(|()| true),
            opcode::SELECT_DB
            | opcode::RESIZE_DB
            | opcode::SLOT_INFO
            | opcode::FUNCTION
            | opcode::FUNCTION_PRE_GA
            | opcode::MODULE_AUX
            | opcode::SLOT_IMPORT => return self.beside_keys(code).map(|()| true),
            layout => {
                let at = self.before.at.unwrap_or(at);
                return self.read_key(layout, at).map(|()| true);
            }
        }
        self.before.at.get_or_insert(at);
        Ok(true)
    }

    fn aux(&mut self) -> Result<(), LoadError> {
        let name = self.input.owned()?;
        let value = self.input.owned()?;
        if name == AUX_IDEMPOTENCE.as_bytes() {
            self.before.idempotence =
                Some(decode::idempotence(&value).map_err(|error| self.input.error(error.reason))?);
            return Ok(());
        }
        if name == AUX_DEADLINES.as_bytes() {
            let known = &mut self.before.deadlines;
            return decode::deadlines(&value, known)
                .map_err(|error| self.input.error(error.reason));
        }
        let took = self.sink.aux(&name, &value);
        self.took(took)
    }

    fn beside_keys(&mut self, code: u8) -> Result<(), LoadError> {
        match code {
            opcode::SELECT_DB => {
                let db = self.input.number()?;
                let out_of_range = |_| self.input.error(Reason::Database(db));
                self.db = DbIndex(u16::try_from(db).map_err(out_of_range)?);
                Ok(())
            }
            opcode::RESIZE_DB => {
                let (keys, expiring) = (self.input.number()?, self.input.number()?);
                let took = self.sink.sizes(self.db, keys, expiring);
                self.took(took)
            }
            opcode::SLOT_INFO => {
                for _ in 0..3 {
                    self.input.number()?;
                }
                Ok(())
            }
            opcode::FUNCTION => {
                let text = self.input.owned()?;
                let took = self.sink.library(&text);
                self.took(took)
            }
            opcode::FUNCTION_PRE_GA => Err(self.input.error(Reason::OldFunction)),
            opcode::MODULE_AUX => {
                let name = decode::module_name(self.input.number()?);
                Err(self.input.error(Reason::ModuleAux(name)))
            }
            _ if self.decoder.dialect == Dialect::Valkey => {
                Err(self.input.error(Reason::SlotImport))
            }
            _ => Err(self.input.error(Reason::KeyMetadata)),
        }
    }

    fn read_key(&mut self, layout: u8, at: u64) -> Result<(), LoadError> {
        let before = std::mem::take(&mut self.before);
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        let name = self.input.text()?;
        key.extend_from_slice(name.as_text(&mut Digits::default()));
        let value = match self.decoder.value(&mut self.input, layout) {
            Ok(value) => {
                let value = with_idempotence(value, before.idempotence);
                with_deadlines(value, &before.deadlines, self.decoder.epochs)
            }
            Err(LoadError { reason: Reason::Empty, .. }) => {
                self.empty += 1;
                if self.empty <= EMPTY_TOLD {
                    self.sink.empty_key(&key);
                }
                self.key = key;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let Before { deadline, past, .. } = before;
        let read = ReadKey { db: self.db, key: &key, value, deadline, past, at, layout };
        let took = self.sink.key(read);
        self.took(took)?;
        self.key = key;
        self.keys += 1;
        if self.keys.is_multiple_of(REPORT_KEYS) {
            let took = self.sink.progress(self.input.position());
            self.took(took)?;
        }
        Ok(())
    }

    /// Turns a sink's refusal into an error here.
    fn took(&self, took: Result<(), String>) -> Result<(), LoadError> {
        took.map_err(|why| self.input.error(Reason::Refused(why)))
    }
}

/// Gives a stream what stood before its key.
fn with_idempotence(value: LoadedValue<'_>, known: Option<Idempotence>) -> LoadedValue<'_> {
    match (value, known) {
        (LoadedValue::Other(mut value), Some(known)) => {
            if let Some(stream) = <Stream as Stored>::of_mut(&mut value) {
                stream.body_mut().idempotence = Some(Box::new(known));
            }
            LoadedValue::Other(value)
        }
        (value, _) => value,
    }
}

/// Gives a collection's members the deadlines that stood before its key. Whom they don't concern
/// goes without: another program may have taken members out.
fn with_deadlines<'a>(
    mut value: LoadedValue<'a>,
    deadlines: &[(Vec<u8>, UnixMillis)],
    epochs: &Epochs,
) -> LoadedValue<'a> {
    if let LoadedValue::Other(value) = &mut value {
        for (member, at) in deadlines {
            if let Some(set) = <Set as Stored>::of_mut(value) {
                set.set_deadline(member, Some(*at), epochs);
            } else if let Some(set) = <SortedSet as Stored>::of_mut(value) {
                set.set_deadline(member, Some(*at), epochs);
            }
        }
    }
    value
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Value>();
};
