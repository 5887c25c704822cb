//! Values from bytes, of every layout there has been, checked before anything relies on them.
//!
//! What comes may be damaged though its checksum is right, and may be meant to: every length,
//! order, count and reference is looked at, equal members are found, and a value either keeps the
//! invariants of its type or is refused. Small values are kept as they come, after conversion from
//! the older ziplists and zipmaps; large ones are built element by element.

mod hash;
mod list;
mod set;
mod sorted_set;
mod stream;
mod ziplist;

use super::error::{LoadError, Reason};
use super::format::{VERSION_VALKEY, layout};
use super::input::{Input, Text};
use crate::base::hash::KeyHasher;
use crate::base::time::UnixMillis;
use crate::keyspace::load::LoadedValue;
use crate::keyspace::value::Stored;
use crate::structures::epoch::Epochs;
use crate::structures::listpack::{Digits, Item, ListPack};
use crate::types::list::PackLimit;
use crate::types::set::SetLimits;
use crate::types::sorted_set::PackLimits;
use crate::types::{hash as hashes, stream as streams};

/// Up to so many items, equal ones are found by comparing each with each.
const COMPARED_MAX: usize = 6;
/// Deadlines of fields and members are below this: 46 bits, as in Redis.
const DEADLINE_MAX: i64 = 1 << 46;
/// The letters of a module's name, six bits each.
const MODULE_LETTERS: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// When a value is too large for its small form, as the directives say.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the types say it")]
pub struct Limits {
    pub list: PackLimit,
    pub set: SetLimits,
    pub hash: hashes::Limits,
    pub sorted_set: PackLimits,
}

/// Whose numbers of layouts these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Redis, and Valkey before it counted by itself.
    Redis,
    /// Valkey from version 80 on.
    Valkey,
}

impl Dialect {
    /// That of a version.
    pub fn of(version: u32) -> Self {
        if version >= VERSION_VALKEY { Self::Valkey } else { Self::Redis }
    }
}

/// Reads values.
pub struct Decoder<'a> {
    /// When values change their form.
    pub limits: Limits,
    /// For tables inside values.
    pub epochs: &'a mut Epochs,
    /// Whose numbers those of layouts are.
    pub dialect: Dialect,
    scratch: Scratch,
}

/// Memory that is used again from value to value.
#[derive(Default)]
struct Scratch {
    name: Vec<u8>,
    hashes: Vec<u64>,
}

impl<'a> Decoder<'a> {
    /// With room to reuse.
    pub fn new(limits: Limits, epochs: &'a mut Epochs, dialect: Dialect) -> Self {
        Self { limits, epochs, dialect, scratch: Scratch::default() }
    }

    /// Reads a value of this layout. [`Reason::Empty`] says that it was read to its end, but has
    /// no elements.
    pub fn value<'i>(
        &mut self,
        input: &'i mut Input<'_>,
        layout: u8,
    ) -> Result<LoadedValue<'i>, LoadError> {
        match layout {
            layout::STRING => Ok(match input.string()? {
                Text::Int(value) => LoadedValue::Int(value),
                Text::Lent(bytes) => LoadedValue::Text(bytes),
                Text::Owned(bytes) => LoadedValue::Blob(bytes),
            }),
            layout::LIST
            | layout::LIST_ZIPLIST
            | layout::LIST_QUICKLIST
            | layout::LIST_QUICKLIST_2 => self.list(input, layout),
            layout::SET | layout::SET_INTSET | layout::SET_LISTPACK => self.set(input, layout),
            layout::SORTED_SET_TEXT
            | layout::SORTED_SET
            | layout::SORTED_SET_ZIPLIST
            | layout::SORTED_SET_LISTPACK => self.sorted_set(input, layout),
            layout::HASH
            | layout::HASH_ZIPMAP
            | layout::HASH_ZIPLIST
            | layout::HASH_LISTPACK
            | layout::HASH_TIMED_PRE_GA
            | layout::HASH_LISTPACK_TIMED_PRE_GA
            | layout::HASH_TIMED
            | layout::HASH_LISTPACK_TIMED => self.hash(input, layout),
            layout::STREAM | layout::STREAM_2 | layout::STREAM_3 => {
                Ok(stream::read(input, layout)?.into_value().into())
            }
            layout::MODULE_PRE_GA | layout::MODULE => {
                let name = module_name(input.number()?);
                Err(input.error(Reason::Module(name)))
            }
            _ => Err(input.error(Reason::Layout(layout))),
        }
    }

    /// Whether no item reads as another one does.
    fn are_distinct<'p>(&mut self, items: impl ExactCount<'p>) -> bool {
        let hasher = self.epochs.hasher();
        let hashes = &mut self.scratch.hashes;
        hashes.clear();
        hashes.extend(items.clone().map(|item| hash_of(&hasher, item)));
        let count = hashes.len();
        let is_distinct = if count <= COMPARED_MAX {
            (1..count).all(|at| !hashes[..at].contains(&hashes[at]))
        } else {
            hashes.sort_unstable();
            hashes.windows(2).all(|pair| pair[0] != pair[1])
        };
        // Equal hashes are nearly always, but not always, those of equal texts.
        is_distinct || {
            let mut texts: Vec<Vec<u8>> = items.map(|item| item.to_vec()).collect();
            texts.sort_unstable();
            texts.windows(2).all(|pair| pair[0] != pair[1])
        }
    }
}

/// Items that can be walked through twice.
trait ExactCount<'p>: Iterator<Item = Item<'p>> + Clone {}
impl<'p, T: Iterator<Item = Item<'p>> + Clone> ExactCount<'p> for T {}

fn hash_of(hasher: &KeyHasher, item: Item<'_>) -> u64 {
    hasher.hash(item.as_text(&mut Digits::default()))
}

/// The name in a module's number: nine letters, and the version of its encoding below them.
pub fn module_name(number: u64) -> String {
    let letter = |at: u32| {
        let index = usize::try_from(number >> (10 + 6 * (8 - at)) & 0x3f).unwrap_or(0);
        char::from(MODULE_LETTERS[index])
    };
    (0..9).map(letter).collect()
}

/// A listpack as it stands in the file.
fn listpack(input: &mut Input<'_>) -> Result<ListPack, LoadError> {
    let bytes = input.owned()?;
    ListPack::from_bytes(bytes).or_else(|_| input.damaged("a damaged listpack"))
}

/// A ziplist as a listpack.
fn from_ziplist(input: &mut Input<'_>) -> Result<ListPack, LoadError> {
    let bytes = input.owned()?;
    ziplist::to_listpack(&bytes).map_or_else(|| input.damaged("a damaged ziplist"), Ok)
}

/// Checks whether a stream's aux field is one, and what it says.
pub fn idempotence(text: &[u8]) -> Result<streams::idempotence::Idempotence, LoadError> {
    stream::idempotence(text)
}

/// Reads members and their deadlines from an aux field.
pub fn deadlines(text: &[u8], into: &mut Vec<(Vec<u8>, UnixMillis)>) -> Result<(), LoadError> {
    let mut source = text;
    let size = u64::try_from(text.len()).ok();
    let mut input = Input::new(&mut source, size, false);
    while input.position() < u64::try_from(text.len()).unwrap_or(0) {
        let at = input.millis()?;
        if !(0..DEADLINE_MAX).contains(&at) {
            return input.damaged("a member with an impossible deadline");
        }
        into.push((input.owned()?, UnixMillis(at)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_have_names() {
        // "ReJSON-RL" with encoding version 3.
        let letters = b"ReJSON-RL";
        let at = |letter: &u8| MODULE_LETTERS.iter().position(|own| own == letter).unwrap_or(0);
        let number = letters.iter().fold(0u64, |number, letter| number << 6 | at(letter) as u64);
        assert_eq!(module_name(number << 10 | 3), "ReJSON-RL");
    }

    #[test]
    fn equal_items_are_found_whatever_their_form() {
        let mut epochs = Epochs::nursery(1);
        let limits = Limits {
            list: PackLimit::of_directive(-2),
            set: SetLimits { ints_max: 1, pack_max: 1, pack_member_max: 1 },
            hash: hashes::Limits { entries: 1, bytes: 1 },
            sorted_set: PackLimits { entries: 1, value: 1 },
        };
        let mut decoder = Decoder::new(limits, &mut epochs, Dialect::Redis);
        for count in [2, 5, 40] {
            let items: Vec<Item<'_>> = (0..count).map(Item::Int).collect();
            assert!(decoder.are_distinct(items.iter().copied()));
            let doubled = items.iter().copied().chain([Item::Bytes(b"1")]);
            assert!(!decoder.are_distinct(doubled));
        }
    }
}
