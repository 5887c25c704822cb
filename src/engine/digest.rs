//! One number for all data: equal data give equal digests, whatever the order, encoding or history.
//!
//! A key's digest is the SHA-1 of its name and value; those of a data set are combined by XOR, so
//! that the order of the walk does not matter. Only tests and curious people compare them.

use sha1::{Digest, Sha1};

use crate::base::time::UnixMillis;
use crate::keyspace::read::Reader;
use crate::keyspace::value::{StringRef, ValueRef};
use crate::keyspace::{DbIndex, Keyspace};
use crate::structures::cow_tree::End;
use crate::structures::listpack::Digits;
use crate::structures::member_deadlines::MemberDeadlines;
use crate::types::stream::Stream;
use crate::types::stream::group::Name;
use crate::types::timed::Companioned;

/// 160 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DataDigest([u8; 20]);

impl DataDigest {
    fn mix(&mut self, other: [u8; 20]) {
        for (byte, other) in self.0.iter_mut().zip(other) {
            *byte ^= other;
        }
    }

    /// Forty hexadecimal digits.
    pub(super) fn hex(self) -> String {
        hex(&self.0)
    }
}

/// Two hexadecimal digits per byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Digest of all databases. O(data).
pub(super) fn of_keyspace(keyspace: &Keyspace, now: UnixMillis) -> DataDigest {
    of_all(&keyspace.reader(DbIndex(0), now))
}

/// Digest of all databases that a view of one of them leads to. O(data).
pub(super) fn of_all(keys: &Reader<'_>) -> DataDigest {
    let mut digest = DataDigest::default();
    for db in (0..keys.db_count()).map(DbIndex) {
        let reader = keys.other(db);
        let mut cursor = 0;
        loop {
            cursor = reader.scan(cursor, usize::MAX, &mut |key, value| {
                digest.mix(of_key(db, key, value.open().as_ref(), &reader));
            });
            if cursor == 0 {
                break;
            }
        }
    }
    digest
}

/// Digest of a value alone.
pub(super) fn of_value(value: ValueRef<'_>) -> DataDigest {
    let mut hash = Sha1::new();
    feed(&mut hash, value);
    DataDigest(hash.finalize().into())
}

fn of_key(db: DbIndex, key: &[u8], value: ValueRef<'_>, reader: &Reader<'_>) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(db.0.to_be_bytes());
    feed_bytes(&mut hash, key);
    feed(&mut hash, value);
    if reader.deadline(key).flatten().is_some() {
        hash.update(b"ends");
    }
    hash.finalize().into()
}

fn feed(hash: &mut Sha1, value: ValueRef<'_>) {
    hash.update(value.kind().name());
    match value {
        ValueRef::String(string) => match string {
            StringRef::Int(value) => {
                feed_bytes(hash, itoa::Buffer::new().format(value).as_bytes());
            }
            StringRef::Inline(bytes) => feed_bytes(hash, bytes),
            StringRef::Shared(blob) => feed_bytes(hash, blob),
        },
        ValueRef::List(list) => {
            list.show(0, End::Back, usize::MAX, |element| {
                feed_bytes(hash, element.as_text(&mut Digits::default()));
            });
        }
        ValueRef::Set(set) => {
            let mut members = DataDigest::default();
            for member in set {
                let member = member.to_vec();
                let mut own = Sha1::new_with_prefix(&member);
                feed_end(&mut own, set.deadlines(), &member);
                members.mix(own.finalize().into());
            }
            hash.update(members.0);
        }
        ValueRef::Stream(stream) => feed_stream(hash, stream),
        ValueRef::SortedSet(set) => {
            for element in set {
                let member = element.member.to_vec();
                feed_bytes(hash, &member);
                hash.update(element.score.to_bits().to_be_bytes());
                feed_end(hash, set.deadlines(), &member);
            }
        }
        ValueRef::Hash(fields) => {
            let mut digest = DataDigest::default();
            for field in fields {
                let mut own = Sha1::new();
                feed_bytes(&mut own, &field.name_to_vec());
                feed_bytes(&mut own, field.value.as_text(&mut itoa::Buffer::new()));
                if field.deadline.is_some() {
                    own.update(b"ends");
                }
                digest.mix(own.finalize().into());
            }
            hash.update(digest.0);
        }
        #[cfg(test)]
        ValueRef::Probe(_) => {}
    }
}

fn feed_stream(hash: &mut Sha1, stream: &Stream) {
    let log = stream.log();
    for entry in log {
        hash.update(entry.id.to_bytes());
        for (name, value) in entry.pairs() {
            feed_bytes(hash, &name.to_vec());
            feed_bytes(hash, &value.to_vec());
        }
    }
    hash.update(log.last_id().to_bytes());
    hash.update(log.max_deleted_id().to_bytes());
    hash.update(log.entries_added().to_be_bytes());
    for (name, group) in stream.groups().iter() {
        feed_bytes(hash, name.as_slice());
        hash.update(group.last_id.to_bytes());
        for (id, pending) in group.pending().iter() {
            hash.update(id.to_bytes());
            feed_bytes(hash, pending.owner().map_or(b"", Name::as_slice));
        }
    }
}

/// Whether a member has a deadline.
fn feed_end(hash: &mut Sha1, deadlines: Option<&MemberDeadlines>, member: &[u8]) {
    if deadlines.is_some_and(|deadlines| deadlines.get(member).is_some()) {
        hash.update(b"ends");
    }
}

/// Length and bytes, so that what follows can't be taken for a part of them.
fn feed_bytes(hash: &mut Sha1, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}
