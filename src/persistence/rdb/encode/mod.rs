//! Values as bytes: which layout a value gets, and the value in it.
//!
//! Small values are written as they are kept, large ones element by element. What an older version
//! can't say is said otherwise where nothing is lost by it (sets, streams), and refused where
//! something would be: fields with deadlines before version 12.

mod stream;

use super::format::{NODE_PACKED, NODE_PLAIN, VERSION_7_2, VERSION_8_0, layout};
use super::output::Output;
use crate::base::time::UnixMillis;
use crate::keyspace::value::{StringRef, ValueRef};
use crate::types::hash::{Field, FieldValue, Hash};
use crate::types::list::{List, Segment};
use crate::types::set::{Packed, Set};
use crate::types::sorted_set::SortedSet;

/// The version asked for can't say what the value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOld {
    /// The first version that can.
    pub needed: u32,
}

/// A value and the layout chosen for it.
#[derive(Clone, Copy, Debug)]
pub struct Encoding<'a> {
    value: ValueRef<'a>,
    /// Its number in the format.
    pub layout: u8,
    /// The first version that has it.
    pub version: u32,
}

impl<'a> Encoding<'a> {
    /// Chooses a layout that a version has.
    #[inline]
    pub fn choose(value: ValueRef<'a>, version: u32) -> Result<Self, TooOld> {
        let (layout, since) = match value {
            ValueRef::String(_) => (layout::STRING, 0),
            ValueRef::List(_) => (layout::LIST_QUICKLIST_2, 0),
            ValueRef::Set(set) => of_set(set, version),
            ValueRef::SortedSet(set) if set.as_pack().is_some() => (layout::SORTED_SET_LISTPACK, 0),
            ValueRef::SortedSet(_) => (layout::SORTED_SET, 0),
            ValueRef::Hash(hash) => of_hash(hash, version),
            ValueRef::Stream(_) if version >= VERSION_7_2 => (layout::STREAM_3, VERSION_7_2),
            ValueRef::Stream(_) => (layout::STREAM_2, 0),
            #[cfg(test)]
            ValueRef::Probe(_) => (layout::MODULE, u32::MAX),
        };
        if since > version {
            return Err(TooOld { needed: since });
        }
        Ok(Self { value, layout, version: since })
    }

    /// Writes the value, without the number of its layout.
    #[inline]
    pub fn write(&self, out: &mut Output<'_>) {
        match self.value {
            ValueRef::String(StringRef::Int(value)) => out.int(value),
            ValueRef::String(StringRef::Inline(text)) => out.string(text),
            ValueRef::String(StringRef::Shared(blob)) => out.string(blob),
            ValueRef::List(list) => write_list(list, out),
            ValueRef::Set(set) => write_set(set, self.layout, out),
            ValueRef::SortedSet(set) => write_sorted_set(set, out),
            ValueRef::Hash(hash) => write_hash(hash, self.layout, out),
            ValueRef::Stream(stream) => stream::write(stream, self.layout, out),
            #[cfg(test)]
            ValueRef::Probe(_) => {}
        }
    }
}

fn of_set(set: &Set, version: u32) -> (u8, u32) {
    match set.packed() {
        Some(Packed::Ints(_)) => (layout::SET_INTSET, 0),
        Some(Packed::Pack(_)) if version >= VERSION_7_2 => (layout::SET_LISTPACK, VERSION_7_2),
        _ => (layout::SET, 0),
    }
}

fn of_hash(hash: &Hash, version: u32) -> (u8, u32) {
    let is_timed = hash.next_due().is_some();
    match hash.pack() {
        Some((_, false)) => (layout::HASH_LISTPACK, 0),
        // Without any deadline only the encoding would be lost.
        Some((_, true)) if !is_timed && version < VERSION_8_0 => (layout::HASH, 0),
        Some((_, true)) => (layout::HASH_LISTPACK_TIMED, VERSION_8_0),
        None if is_timed => (layout::HASH_TIMED, VERSION_8_0),
        None => (layout::HASH, 0),
    }
}

fn write_list(list: &List, out: &mut Output<'_>) {
    out.count(list.segments().count());
    for segment in list.segments() {
        match segment {
            Segment::Pack(pack) => {
                out.number(NODE_PACKED);
                out.string(pack.as_bytes());
            }
            Segment::Plain(text) => {
                out.number(NODE_PLAIN);
                out.string(&text);
            }
            // Files have the same form of compressed texts.
            Segment::Compressed(compressed) => {
                out.number(if compressed.is_plain() { NODE_PLAIN } else { NODE_PACKED });
                out.compressed_text(compressed.bytes(), compressed.text_len());
            }
        }
    }
}

fn write_set(set: &Set, layout: u8, out: &mut Output<'_>) {
    match set.packed() {
        Some(Packed::Ints(ints)) => out.string(ints.as_bytes()),
        Some(Packed::Pack(pack)) if layout == layout::SET_LISTPACK => out.string(pack.as_bytes()),
        _ => {
            out.count(set.len());
            set.iter().for_each(|member| out.item(member));
        }
    }
}

fn write_sorted_set(set: &SortedSet, out: &mut Output<'_>) {
    if let Some(pack) = set.as_pack() {
        return out.string(pack.as_bytes());
    }
    out.count(set.len());
    // The greatest first: whoever inserts one by one finds the place at the front.
    for element in set.iter_from(usize::MAX, crate::structures::cow_tree::End::Front) {
        out.item(element.member);
        out.bytes(&element.score.to_le_bytes());
    }
}

fn write_hash(hash: &Hash, layout: u8, out: &mut Output<'_>) {
    let earliest = hash.next_due().map_or(0, |at| at.0);
    match hash.pack() {
        Some((pack, false)) => out.string(pack.as_bytes()),
        Some((pack, true)) if layout == layout::HASH_LISTPACK_TIMED => {
            out.millis(earliest);
            out.string(pack.as_bytes());
        }
        _ => {
            let is_timed = layout == layout::HASH_TIMED;
            if is_timed {
                out.millis(earliest);
            }
            out.count(hash.len());
            for field in hash {
                if is_timed {
                    out.number(time_left(field.deadline, earliest));
                }
                write_field(&field, out);
            }
        }
    }
}

/// A field's deadline after the earliest one, counted from 1; 0 for none.
fn time_left(deadline: Option<UnixMillis>, earliest: i64) -> u64 {
    deadline.map_or(0, |at| u64::try_from(at.0.saturating_sub(earliest)).unwrap_or(0) + 1)
}

#[inline]
fn write_field(field: &Field<'_>, out: &mut Output<'_>) {
    out.item(field.name);
    match field.value {
        FieldValue::Int(value) => out.int(value),
        FieldValue::Bytes(text) => out.string(text),
        FieldValue::Shared(blob) => out.string(blob),
    }
}
