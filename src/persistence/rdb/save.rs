//! A snapshot as a file.

use std::io::{self, Write};

use super::encode::Encoding;
use super::format::{AUX_DEADLINES, AUX_IDEMPOTENCE, VERSION_7_0, VERSION_8_0, opcode};
use super::output::Output;
use crate::keyspace::snapshot::{KeyView, KeyspaceSnapshot};
use crate::keyspace::value::ValueRef;
use crate::structures::access_clock::AccessPolicy;
use crate::structures::member_deadlines::MemberDeadlines;
use crate::types::stream::idempotence::Idempotence;
use crate::types::timed::Companioned;

/// Keys between two reports of progress.
const REPORT_KEYS: u64 = 1024;
/// Members of one field of deadlines.
const AUX_DEADLINES_MAX: usize = 1024;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct SaveOptions {
    /// Whether texts are compressed.
    pub compresses: bool,
    /// Whether the file has a checksum.
    pub checksums: bool,
    /// Version of the format: 10 (Redis 7.0) to 12 (Redis 8.0).
    pub version: u32,
    /// What access clocks tell, if that is worth saving: who evicts by it. Else `None`.
    pub access: Option<AccessPolicy>,
}

/// What a file tells beside the keys.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// Names and values.
    pub aux: Vec<(&'a str, String)>,
    /// Texts of the libraries of functions.
    pub libraries: Vec<Vec<u8>>,
}

/// A finished file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Keys in it.
    pub keys: u64,
    /// Its length.
    pub bytes: u64,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message documents the case")]
pub enum SaveError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("stopped")]
    Stopped,
    #[error("RDB version {0} can't be written, only {VERSION_7_0} to {VERSION_8_0}")]
    Version(u32),
    #[error(
        "the value of '{}' in database {db} needs RDB version {needed} or later",
        key.escape_ascii()
    )]
    TooOld { db: u16, key: Vec<u8>, needed: u32 },
}

/// Writes a snapshot; any thread may do so. `progress` is told every thousand keys, and at the
/// end, how many there are in the file so far, and says whether to go on.
///
/// Keys and fields whose time is over are written too: whoever loads decides. What the version
/// can't hold is an error, not a loss: a file for Redis 7.0 has no place for fields with deadlines.
/// Deadlines of other members stand where no server but this one looks, in a file of any version.
pub fn save(
    snapshot: &KeyspaceSnapshot,
    facts: &Facts<'_>,
    options: &SaveOptions,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<Saved, SaveError> {
    if !(VERSION_7_0..=VERSION_8_0).contains(&options.version) {
        return Err(SaveError::Version(options.version));
    }
    let mut out = Output::to(out, options.compresses, options.checksums);
    write_head(facts, options, &mut out);
    let mut keys: u64 = 0;
    for (db, count) in snapshot.databases() {
        out.byte(opcode::SELECT_DB);
        out.number(db.0.into());
        out.byte(opcode::RESIZE_DB);
        out.count(count);
        out.count(snapshot.expiring(db));
        for view in snapshot.keys(db) {
            write_key(&view, snapshot, options, &mut out).map_err(|needed| SaveError::TooOld {
                db: db.0,
                key: view.key.to_vec(),
                needed,
            })?;
            keys += 1;
            if keys.is_multiple_of(REPORT_KEYS) {
                out.check()?;
                if !progress(keys) {
                    return Err(SaveError::Stopped);
                }
            }
        }
    }
    out.byte(opcode::END);
    let checksum = out.checksum();
    out.bytes(&checksum.to_le_bytes());
    out.flush()?;
    if !progress(keys) {
        return Err(SaveError::Stopped);
    }
    Ok(Saved { keys, bytes: out.len() })
}

fn write_head(facts: &Facts<'_>, options: &SaveOptions, out: &mut Output<'_>) {
    out.bytes(format!("REDIS{:04}", options.version).as_bytes());
    for (name, value) in &facts.aux {
        write_aux(name, value.as_bytes(), out);
    }
    for library in &facts.libraries {
        out.byte(opcode::FUNCTION);
        out.string(library);
    }
}

fn write_aux(name: &str, value: &[u8], out: &mut Output<'_>) {
    out.byte(opcode::AUX);
    out.string(name.as_bytes());
    out.string(value);
}

/// Writes one key; the version that it needs if this one can't hold it.
#[inline]
fn write_key(
    view: &KeyView<'_>,
    snapshot: &KeyspaceSnapshot,
    options: &SaveOptions,
    out: &mut Output<'_>,
) -> Result<(), u32> {
    let value = view.value.open();
    let encoding = Encoding::choose(value.as_ref(), options.version).map_err(|old| old.needed)?;
    match value.as_ref() {
        ValueRef::Stream(stream) => {
            if let Some(known) = stream.idempotence() {
                write_aux(AUX_IDEMPOTENCE, &idempotence(known), out);
            }
        }
        ValueRef::Set(set) => write_deadlines(set.deadlines(), out),
        ValueRef::SortedSet(set) => write_deadlines(set.deadlines(), out),
        _ => {}
    }
    if let Some(deadline) = view.deadline {
        out.byte(opcode::EXPIRE_MS);
        out.millis(deadline.0);
    }
    if let Some(policy) = options.access {
        if let Some(idle) = policy.idle_seconds(view.clock, snapshot.now()) {
            out.byte(opcode::IDLE);
            out.number(idle);
        } else if let Some(counter) = policy.frequency(view.clock, snapshot.now()) {
            out.byte(opcode::FREQUENCY);
            out.byte(counter);
        }
    }
    out.byte(encoding.layout);
    out.string(view.key);
    encoding.write(out);
    Ok(())
}

/// Who of a collection goes, and when: in portions, since a reader takes a field as a whole.
fn write_deadlines(deadlines: Option<&MemberDeadlines>, out: &mut Output<'_>) {
    let mut timed = deadlines.into_iter().flat_map(MemberDeadlines::iter).peekable();
    while timed.peek().is_some() {
        let mut portion = Output::collected(false);
        for (member, at) in timed.by_ref().take(AUX_DEADLINES_MAX) {
            portion.millis(at);
            portion.string(member);
        }
        write_aux(AUX_DEADLINES, &portion.into_bytes(), out);
    }
}

/// Window, counters, then producer, name and entry of all that is remembered.
fn idempotence(known: &Idempotence) -> Vec<u8> {
    let mut out = Output::collected(false);
    let window = known.window();
    out.number(window.duration_s);
    out.count(window.names_max);
    out.number(known.added());
    out.number(known.repeated());
    out.count(known.name_count());
    for (producer, name, id) in known.iter() {
        out.string(producer.as_slice());
        out.string(name.as_slice());
        out.bytes(&id.to_bytes());
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::base::crc64;
    use crate::base::time::UnixMillis;
    use crate::keyspace::journal::Event;
    use crate::keyspace::value::NewString;
    use crate::keyspace::write::Lifetime;
    use crate::keyspace::{DbIndex, Keyspace};
    use crate::types::hash::{self, Hash, NewValue};

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    const OPTIONS: SaveOptions =
        SaveOptions { compresses: true, checksums: true, version: 12, access: None };

    fn check(keyspace: &mut Keyspace, options: SaveOptions, expected: &[u8]) {
        let mut file = Vec::new();
        let facts = Facts { aux: vec![("a", "1".into())], libraries: vec![b"code".to_vec()] };
        let snapshot = keyspace.snapshot(NOW);
        let saved = save(&snapshot, &facts, &options, &mut file, &mut |_| true).unwrap();
        assert_eq!(saved.bytes, u64::try_from(file.len()).unwrap());
        let (body, checksum) = file.split_last_chunk::<8>().unwrap();
        let sum = if options.checksums { crc64::checksum(body) } else { 0 };
        assert_eq!(u64::from_le_bytes(*checksum), sum);
        assert_eq!(body.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    fn with_string() -> Keyspace {
        let mut keyspace = Keyspace::new(16, 1);
        let until = Lifetime::Until(UnixMillis(NOW.0 + 1));
        keyspace.writer(DbIndex(3), NOW).put_string(
            b"key",
            NewString::Bytes(b"value"),
            until,
            Event::string("set"),
        );
        keyspace
    }

    #[test]
    fn file_is_laid_out_as_documented() {
        let expected = b"REDIS0012\xfa\x01a\xc0\x01\xf5\x04code\xfe\x03\xfb\x01\x01\
            \xfc\x01\x68\xe5\xcf\x8b\x01\0\0\0\x03key\x05value\xff";
        check(&mut with_string(), OPTIONS, expected);
        let expected = b"REDIS0010\xfa\x01a\xc0\x01\xf5\x04code\xfe\x03\xfb\x01\x01\
            \xfc\x01\x68\xe5\xcf\x8b\x01\0\0\xf8\0\0\x03key\x05value\xff";
        let access = Some(AccessPolicy::Lru);
        check(
            &mut with_string(),
            SaveOptions { checksums: false, version: 10, access, ..OPTIONS },
            expected,
        );
    }

    #[test]
    fn timed_fields_are_not_lost_silently() {
        let mut keyspace = Keyspace::new(1, 1);
        let limits = hash::Limits { entries: 8, bytes: 8 };
        let mut writer = keyspace.writer(DbIndex(0), NOW);
        let hash = writer.derive(|_, epochs| {
            let mut hash = Hash::default();
            let until = hash::Lifetime::Until(UnixMillis(9));
            hash.set(b"f", NewValue::Bytes(b"v"), until, limits, epochs);
            hash
        });
        writer.put(b"h", hash, Lifetime::Forever, Event::hash("hset"));
        let snapshot = keyspace.snapshot(NOW);
        let options = SaveOptions { version: 11, ..OPTIONS };
        let saved = save(&snapshot, &Facts::default(), &options, &mut Vec::new(), &mut |_| true);
        let text = saved.unwrap_err().to_string();
        assert_eq!(text, "the value of 'h' in database 0 needs RDB version 12 or later");
    }

    #[test]
    fn progress_may_stop_it() {
        let snapshot = with_string().snapshot(NOW);
        let saved = save(&snapshot, &Facts::default(), &OPTIONS, &mut Vec::new(), &mut |keys| {
            assert_eq!(keys, 1);
            false
        });
        assert!(matches!(saved, Err(SaveError::Stopped)));
        let options = SaveOptions { version: 9, ..OPTIONS };
        let saved = save(&snapshot, &Facts::default(), &options, &mut Vec::new(), &mut |_| true);
        assert!(matches!(saved, Err(SaveError::Version(9))));
    }
}
