//! A snapshot as commands: the base of a log without a snapshot in front.

use std::io::{self, Write};

use crate::base::number::{digits, format_double};
use crate::keyspace::snapshot::{KeyView, KeyspaceSnapshot};
use crate::keyspace::value::{StringRef, ValueRef};
use crate::protocol::encode;
use crate::structures::member_deadlines::MemberDeadlines;
use crate::types::hash::Hash;
use crate::types::timed::Companioned;

use super::encode_stream;

/// Elements per command, as in Redis.
const ITEMS_PER_COMMAND: usize = 64;
/// Bytes gathered before they are written.
const CHUNK_BYTES: usize = 64 * 1024;
/// Keys between two reports of progress.
const REPORT_KEYS: u64 = 1024;

/// Why there is no base.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message documents the case")]
pub enum EncodeError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("stopped")]
    Stopped,
}

/// Writes libraries and keys as commands; any thread may do so. `progress` is told every thousand
/// keys how many there are in the file so far, and says whether to go on. Keys whose time is over
/// are written too: whoever loads decides. Says how many bytes were written. `stamp_s`, if given, is
/// noted as the time of the file.
pub fn write(
    snapshot: &KeyspaceSnapshot,
    libraries: &[Vec<u8>],
    stamp_s: Option<i64>,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<u64, EncodeError> {
    let (mut buffer, mut written, mut keys) = (Vec::new(), 0, 0);
    if let Some(second) = stamp_s {
        buffer.extend_from_slice(format!("#TS:{second}\r\n").as_bytes());
    }
    for library in libraries {
        command(&mut buffer, &[b"FUNCTION", b"LOAD", library]);
    }
    for (db, _) in snapshot.databases() {
        command(&mut buffer, &[b"SELECT", digits(db.0).as_bytes()]);
        for view in snapshot.keys(db) {
            write_key(&mut buffer, &view);
            keys += 1;
            if buffer.len() >= CHUNK_BYTES {
                out.write_all(&buffer)?;
                written += buffer.len() as u64;
                buffer.clear();
            }
            if keys % REPORT_KEYS == 0 && !progress(keys) {
                return Err(EncodeError::Stopped);
            }
        }
    }
    out.write_all(&buffer)?;
    written += buffer.len() as u64;
    out.flush()?;
    if progress(keys) { Ok(written) } else { Err(EncodeError::Stopped) }
}

/// Adds one command.
pub(super) fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    encode::request(out, words.iter().copied());
}

/// Adds the commands that make a key what it is, where there is none of its name.
pub fn write_key(out: &mut Vec<u8>, view: &KeyView<'_>) {
    let key = view.key;
    match view.value.open().as_ref() {
        ValueRef::String(string) => match string {
            StringRef::Int(value) => command(out, &[b"SET", key, digits(value).as_bytes()]),
            StringRef::Inline(bytes) => command(out, &[b"SET", key, bytes]),
            StringRef::Shared(blob) => command(out, &[b"SET", key, blob]),
        },
        ValueRef::List(list) => {
            in_portions(out, &[b"RPUSH", key], list.texts().map(|text| [text.into_owned()]));
        }
        ValueRef::Set(set) => {
            in_portions(out, &[b"SADD", key], set.iter().map(|member| [member.to_vec()]));
            write_deadlines(out, &[b"SPEXPIREAT", key], set);
        }
        ValueRef::SortedSet(set) => {
            let pairs = set.into_iter().map(|element| {
                let mut score = Vec::new();
                format_double(element.score, &mut score);
                [score, element.member.to_vec()]
            });
            in_portions(out, &[b"ZADD", key], pairs);
            write_deadlines(out, &[b"ZPEXPIREAT", key], set);
        }
        ValueRef::Hash(hash) => write_hash(out, key, hash),
        ValueRef::Stream(stream) => encode_stream::write(out, key, stream),
        #[cfg(test)]
        ValueRef::Probe(_) => {}
    }
    if let Some(at) = view.deadline {
        command(out, &[b"PEXPIREAT", key, digits(at.0).as_bytes()]);
    }
}

/// One command for so many items, each of so many words.
fn in_portions<const N: usize>(
    out: &mut Vec<u8>,
    head: &[&[u8]],
    items: impl Iterator<Item = [Vec<u8>; N]>,
) {
    let mut items = items.peekable();
    while items.peek().is_some() {
        let portion: Vec<[Vec<u8>; N]> = items.by_ref().take(ITEMS_PER_COMMAND).collect();
        encode::begin(out, head.len() + portion.len() * N);
        for word in head.iter().copied().chain(portion.iter().flatten().map(Vec::as_slice)) {
            encode::word(out, word);
        }
    }
}

/// When members go, of those that do.
fn write_deadlines(out: &mut Vec<u8>, head: &[&[u8]], collection: &impl Companioned) {
    let timed = collection.deadlines().into_iter().flat_map(MemberDeadlines::iter);
    for (member, at) in timed {
        let at = digits(at);
        command(out, &[head, &[at.as_bytes(), b"MEMBERS", b"1", member]].concat());
    }
}

fn write_hash(out: &mut Vec<u8>, key: &[u8], hash: &Hash) {
    let pairs = hash.into_iter().map(|field| {
        let mut text = itoa::Buffer::new();
        [field.name_to_vec(), field.value.as_text(&mut text).to_vec()]
    });
    in_portions(out, &[b"HMSET", key], pairs);
    for field in hash {
        if let Some(at) = field.deadline {
            let (at, name) = (digits(at.0), field.name_to_vec());
            command(out, &[b"HPEXPIREAT", key, at.as_bytes(), b"FIELDS", b"1", &name]);
        }
    }
}
