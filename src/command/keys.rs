//! Which words of a call are keys, and what happens to them: from the row's key specs and, where
//! those can't tell, from its own finder.

use super::args::Args;
use super::spec::{Begin, Find, Key, Spec};
use crate::base::number::parse_int;

/// One key of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Index of the word that is the key.
    pub word: usize,
    /// What happens to it, as `COMMAND GETKEYSANDFLAGS` prints it.
    pub access: &'static [&'static str],
}

/// What one spec finds.
enum Found {
    /// First word, last word, step.
    Words(usize, usize, usize),
    /// Its keyword is not there.
    Nothing,
    /// Only the command's own finder can tell.
    Unknown,
    /// The call is malformed.
    Malformed,
}

const READS: &[&str] = &["RO", "access"];
const REPLACES: &[&str] = &["OW", "update"];
const READS_AND_WRITES: &[&str] = &["RW", "access", "update"];

impl Spec {
    /// Whether calls of the command can have keys.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty() || self.keys_by.is_some()
    }

    /// The keys of a call in the order of their specs; `None` when the words don't fit the specs.
    /// O(words).
    pub fn keys_of(&self, args: &Args<'_>) -> Option<Vec<KeyUse>> {
        let mut keys = Vec::new();
        for key in self.keys {
            match find(key, args) {
                Found::Words(first, last, step) => {
                    let access = self.access_of(key, args);
                    let words = (first..=last).step_by(step);
                    keys.extend(words.map(|word| KeyUse { word, access }));
                }
                Found::Nothing | Found::Unknown => {}
                Found::Malformed => return None,
            }
        }
        let Some(finder) = self.keys_by else { return Some(keys) };
        let others = self.keys.iter().rev().find(|key| matches!(key.find, Find::Unknown));
        let others = others.or(self.keys.last()).map_or(READS_AND_WRITES, |key| key.access);
        let words = finder(args)?;
        let access_at = |word| keys.iter().find(|key: &&KeyUse| key.word == word);
        let access_at = |word| access_at(word).map_or(others, |key| key.access);
        Some(words.into_iter().map(|word| KeyUse { word, access: access_at(word) }).collect())
    }

    /// What happens to the keys of `key` in this very call.
    fn access_of(&self, key: &Key, args: &Args<'_>) -> &'static [&'static str] {
        if !key.access.contains(&"variable_flags") {
            return key.access;
        }
        let has_word = |from: usize, words: &[&str]| {
            let mut options = args.words().skip(from);
            options.any(|word| words.iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes())))
        };
        match self.name {
            "SET" if !has_word(3, &["GET", "IFEQ", "IFNE", "IFDEQ", "IFDNE"]) => REPLACES,
            "BITFIELD" if !has_word(2, &["SET", "INCRBY"]) => READS,
            _ => READS_AND_WRITES,
        }
    }
}

fn find(key: &Key, args: &Args<'_>) -> Found {
    let count = args.word_count();
    let begin = match key.begin {
        Begin::Index(index) => usize::try_from(index).unwrap_or(0),
        Begin::Keyword { word, from } => match seek(word, from, args) {
            Some(at) => at + 1,
            None => return Found::Nothing,
        },
        Begin::Unknown => return Found::Unknown,
    };
    let (first, last, step) = match key.find {
        Find::Range { last, step, limit } => {
            let last = match (usize::try_from(last), usize::try_from(limit)) {
                (Ok(last), _) => Some(begin + last),
                (Err(_), Ok(limit)) if limit > 0 => {
                    let share = count.saturating_sub(begin) / limit;
                    (begin + share).checked_sub(last.unsigned_abs() as usize)
                }
                (Err(_), _) => count.checked_sub(last.unsigned_abs() as usize),
            };
            (begin, last, step)
        }
        Find::Counted { at, first, step } => {
            let at = begin + usize::try_from(at).unwrap_or(0);
            if at >= count {
                return Found::Malformed;
            }
            let keys = parse_int(args.word(at)).and_then(|keys| usize::try_from(keys).ok());
            let Some(keys) = keys.filter(|keys| (1..=count).contains(keys)) else {
                return Found::Malformed;
            };
            let first = begin + usize::try_from(first).unwrap_or(0);
            let stride = usize::try_from(step).unwrap_or(1);
            (first, Some(first + (keys - 1) * stride), step)
        }
        Find::Unknown => return Found::Unknown,
    };
    match last {
        Some(last) if first <= last && last < count => {
            Found::Words(first, last, usize::try_from(step).unwrap_or(1).max(1))
        }
        _ => Found::Malformed,
    }
}

/// Where `keyword` stands; the last word does not count, as no key can follow it.
fn seek(keyword: &str, from: i32, args: &Args<'_>) -> Option<usize> {
    let count = args.word_count();
    let is_it = |index: &usize| args.word(*index).eq_ignore_ascii_case(keyword.as_bytes());
    if let Ok(from) = usize::try_from(from) {
        (from..count.saturating_sub(1)).find(is_it)
    } else {
        let from = count.checked_sub(from.unsigned_abs() as usize)?;
        (2..=from).rev().find(is_it)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use crate::command::spec::{Command, Group, at_least};
    use crate::protocol::request::Span;

    const RO: &[&str] = &["RO"];
    const OW: &[&str] = &["OW"];

    fn check(keys: &'static [Key], line: &str, expected: Option<&[usize]>) {
        let spec = Command::new("X", at_least(1), Group::Generic, ()).keys(keys).spec;
        let mut buffer = Vec::new();
        let mut spans = Vec::new();
        for word in line.split(' ') {
            let start = u32::try_from(buffer.len()).unwrap();
            buffer.extend_from_slice(word.as_bytes());
            spans.push(Span { start, end: u32::try_from(buffer.len()).unwrap() });
        }
        let args = Args::new(&buffer, &spans, &[]);
        let found = spec.keys_of(&args);
        let found: Option<Vec<usize>> =
            found.map(|keys| keys.into_iter().map(|key| key.word).collect());
        assert_eq!(found.as_deref(), expected, "{line}");
    }

    #[test]
    fn ranges_count_from_both_ends() {
        check(const { &[Key::at(1, RO)] }, "x a b", Some(&[1]));
        check(const { &[Key::at(1, RO).through(-1, 1, 0)] }, "x a b c", Some(&[1, 2, 3]));
        check(const { &[Key::at(1, RO).through(-1, 2, 0)] }, "x a 1 b", Some(&[1, 3]));
        check(const { &[Key::at(1, RO).through(-2, 1, 0)] }, "x a b 0", Some(&[1, 2]));
        check(const { &[Key::at(1, RO)] }, "x", None);
    }

    #[test]
    fn counts_are_checked_against_the_words() {
        const KEYS: &[Key] = &[Key::at(1, OW), Key::at(2, RO).counted(0, 1, 1)];
        check(KEYS, "x d 2 a b", Some(&[1, 3, 4]));
        check(KEYS, "x d 3 a b", None);
        check(KEYS, "x d 0 a b", None);
        check(KEYS, "x d -1 a b", None);
        check(KEYS, "x d 18446744073709551615 a b", None);
        check(KEYS, "x d", None);
    }

    #[test]
    fn keywords_are_sought_from_either_end() {
        const STREAMS: &[Key] = &[Key::after("STREAMS", 1, RO).through(-1, 1, 2)];
        const BACKWARDS: &[Key] = &[Key::after("KEYS", -2, RO).through(-1, 1, 0)];
        check(STREAMS, "x count 1 streams a b 1 2", Some(&[4, 5]));
        check(STREAMS, "x count 1", Some(&[]));
        check(STREAMS, "x a streams", Some(&[]));
        check(BACKWARDS, "x h 1 keys 0 9 keys a b", Some(&[7, 8]));
    }
}
