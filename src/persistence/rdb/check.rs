//! What is in a file, told for people: the whole is read as at start, and counted instead of kept.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Read;

use super::decode::Limits;
use super::format::Versions;
use super::load::{Header, LoadOptions, ReadKey, Sink, load};
use crate::base::hash::KeyHasher;
use crate::base::time::UnixMillis;
use crate::keyspace::DbIndex;
use crate::keyspace::load::LoadedValue;
use crate::structures::epoch::Epochs;
use crate::types::hash;
use crate::types::list::PackLimit;
use crate::types::set::SetLimits;
use crate::types::sorted_set::PackLimits;

/// Longer names and values are cut.
const SHOWN_MAX: usize = 64;

/// Bounds of Redis as it comes; values are thrown away, so that it hardly matters.
const LIMITS: fn() -> Limits = || Limits {
    list: PackLimit::of_directive(-2),
    set: SetLimits { ints_max: 512, pack_max: 128, pack_member_max: 64 },
    hash: hash::Limits { entries: 512, bytes: 64 },
    sorted_set: PackLimits { entries: 128, value: 64 },
};

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// For people, line by line. The first words of lines are those of redis-check-rdb.
    pub text: String,
    /// Whether a server could load the file.
    pub is_sound: bool,
}

struct Counter {
    text: String,
    now: UnixMillis,
    hasher: KeyHasher,
    seen: HashSet<u64, KeyHasher>,
    keys: u64,
    expiring: u64,
    over: u64,
    /// Keys per type: the name as TYPE says it.
    kinds: [(&'static str, u64); 6],
    last: Option<(u64, u16, String)>,
}

fn shown(text: &[u8]) -> String {
    let cut = if text.len() > SHOWN_MAX { "..." } else { "" };
    format!("{}{cut}", text[..text.len().min(SHOWN_MAX)].escape_ascii())
}

impl Sink for Counter {
    fn header(&mut self, header: Header) -> Result<(), String> {
        let whose = if header.is_valkey { "Valkey" } else { "Redis" };
        let _ = writeln!(self.text, "[info] Version {} of {whose}", header.version);
        Ok(())
    }

    fn aux(&mut self, name: &[u8], value: &[u8]) -> Result<(), String> {
        let _ = writeln!(self.text, "[info] AUX FIELD {} = '{}'", shown(name), shown(value));
        Ok(())
    }

    fn library(&mut self, text: &[u8]) -> Result<(), String> {
        let _ = writeln!(self.text, "[info] Library of functions, {} bytes", text.len());
        Ok(())
    }

    fn sizes(&mut self, db: DbIndex, keys: u64, expiring: u64) -> Result<(), String> {
        let DbIndex(db) = db;
        let _ = writeln!(self.text, "[info] DB {db}: {keys} keys, {expiring} expires announced");
        Ok(())
    }

    fn key(&mut self, read: ReadKey<'_>) -> Result<(), String> {
        let DbIndex(db) = read.db;
        let seed = u64::from(db).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if !self.seen.insert(self.hasher.hash(read.key) ^ seed) {
            return Err(format!("the key '{}' occurs twice in database {db}", shown(read.key)));
        }
        self.keys += 1;
        self.expiring += u64::from(read.deadline.is_some());
        self.over += u64::from(read.deadline.is_some_and(|at| at <= self.now));
        let kind = match &read.value {
            LoadedValue::Other(value) => value.kind().name(),
            _ => "string",
        };
        if let Some((_, count)) = self.kinds.iter_mut().find(|(name, _)| *name == kind) {
            *count += 1;
        }
        self.last = Some((read.at, db, shown(read.key)));
        Ok(())
    }
}

/// Reads a file to its end and says what is in it, or what is wrong with it and where.
pub fn check(source: &mut dyn Read, size: Option<u64>, now: UnixMillis) -> Report {
    let hasher = KeyHasher::new(0);
    let mut counter = Counter {
        text: String::new(),
        now,
        hasher,
        seen: HashSet::with_hasher(hasher),
        keys: 0,
        expiring: 0,
        over: 0,
        kinds: ["string", "list", "set", "zset", "hash", "stream"].map(|name| (name, 0)),
        last: None,
    };
    let options =
        LoadOptions { limits: LIMITS(), checks: true, versions: Versions::default(), size };
    let loaded = load(source, &options, &mut Epochs::nursery(0), &mut counter);
    let mut text = std::mem::take(&mut counter.text);
    match &loaded {
        Ok(loaded) => {
            let _ = writeln!(text, "[offset {}] Checksum OK", loaded.bytes);
            let _ = writeln!(text, "[offset {}] \\o/ RDB looks OK! \\o/", loaded.bytes);
            if size.is_some_and(|size| size > loaded.bytes) {
                text.push_str("[info] More bytes follow, which a server does not read\n");
            }
        }
        Err(error) => {
            text.push_str("--- RDB ERROR DETECTED ---\n");
            let _ = writeln!(text, "[offset {}] {}", error.at, error.reason);
            if let Some((at, db, key)) = &counter.last {
                let _ = writeln!(
                    text,
                    "[info] The last sound key is '{key}' of database {db}, from byte {at} on"
                );
            }
        }
    }
    let _ = writeln!(text, "[info] {} keys read", counter.keys);
    let _ = writeln!(text, "[info] {} expires", counter.expiring);
    let _ = writeln!(text, "[info] {} already expired", counter.over);
    for (name, count) in counter.kinds.iter().filter(|(_, count)| *count > 0) {
        let _ = writeln!(text, "[info] {count} of type {name}");
    }
    if let Ok(loaded) = &loaded
        && loaded.empty > 0
    {
        let _ = writeln!(text, "[info] {} without elements, to be passed over", loaded.empty);
    }
    Report { text, is_sound: loaded.is_ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(file: &[u8], is_sound: bool, expected: &str) {
        let mut source = file;
        let size = u64::try_from(file.len()).ok();
        let report = check(&mut source, size, UnixMillis(5));
        assert_eq!(report.text, expected);
        assert_eq!(report.is_sound, is_sound);
    }

    #[test]
    fn sound_file_is_told_in_figures() {
        let file = b"REDIS0004\xfa\x01a\x01b\xfe\0\xfb\x02\x01\xfc\x05\0\0\0\0\0\0\0\0\x01k\x01v\
            \x04\x01h\x01\x01f\x01v\xff";
        let expected = "[info] Version 4 of Redis\n[info] AUX FIELD a = 'b'\n\
            [info] DB 0: 2 keys, 1 expires announced\n[offset 42] Checksum OK\n\
            [offset 42] \\o/ RDB looks OK! \\o/\n[info] 2 keys read\n[info] 1 expires\n\
            [info] 1 already expired\n[info] 1 of type string\n[info] 1 of type hash\n";
        check_text(file, true, expected);
    }

    #[test]
    fn damage_is_told_with_its_place() {
        let file = b"REDIS0004\0\x01k\x01v\0\x01k\x01v\xff";
        let expected = "[info] Version 4 of Redis\n--- RDB ERROR DETECTED ---\n\
            [offset 19] the key 'k' occurs twice in database 0\n\
            [info] The last sound key is 'k' of database 0, from byte 9 on\n\
            [info] 1 keys read\n[info] 0 expires\n[info] 0 already expired\n\
            [info] 1 of type string\n";
        check_text(file, false, expected);
        let expected = "--- RDB ERROR DETECTED ---\n\
            [offset 0] this is no RDB file: it begins with neither REDIS nor VALKEY and a version\n\
            [info] 0 keys read\n[info] 0 expires\n[info] 0 already expired\n";
        check_text(b"no", false, expected);
    }
}
