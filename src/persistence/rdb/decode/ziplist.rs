//! The packed formats before listpacks, read into listpacks.
//!
//! ```text
//!   ziplist    bytes: u32   offset of the last entry: u32   entries: u16   entry ...   0xff
//!     entry    length of the one before (1 byte; 254: 4 bytes more)   head   payload
//!     head     00llllll, 01llllll llllllll, 10000000 and 32 bits: a text's length, high bits first
//!              0xc0, 0xd0, 0xe0, 0xf0, 0xfe: integer of 16, 32, 64, 24, 8 bits; 0xf1..=0xfd: 0..=12
//!   zipmap     pairs (254: many)   (length   text   length   unused   text   unused bytes) ...   0xff
//!     length   one byte; 254: 4 bytes more
//! ```

use crate::structures::listpack::{Item, ListPack};

const END: u8 = 0xff;
const HEADER: usize = 10;
/// First byte of a length that doesn't fit one byte.
const LONG: u8 = 254;
/// Stands for "count them".
const UNKNOWN: u16 = u16::MAX;

/// The items of a ziplist; `None` if anything isn't as it must be.
pub(super) fn to_listpack(bytes: &[u8]) -> Option<ListPack> {
    let (header, _) = bytes.split_first_chunk::<HEADER>()?;
    let word = |at: usize| usize::try_from(u32::from_le_bytes(*header[at..].first_chunk()?)).ok();
    if word(0)? != bytes.len() || bytes.len() > ListPack::BYTES_MAX / 2 {
        return None;
    }
    // An entry takes at most one byte more in a listpack, and most take one less.
    let mut pack = ListPack::with_capacity(bytes.len());
    let (mut at, mut last, mut before, mut count) = (HEADER, HEADER, 0, 0usize);
    while *bytes.get(at)? != END {
        let (stated, size) = length_before(&bytes[at..])?;
        if stated != before {
            return None;
        }
        let (item, len) = entry(&bytes[at + size..])?;
        pack.push_back(item);
        (last, before) = (at, size + len);
        at += before;
        count += 1;
    }
    let stated = u16::from_le_bytes([header[8], header[9]]);
    let is_counted = stated == UNKNOWN || usize::from(stated) == count;
    (at + 1 == bytes.len() && word(4)? == last && is_counted).then_some(pack)
}

fn length_before(rest: &[u8]) -> Option<(usize, usize)> {
    match *rest.first()? {
        LONG => {
            let len = u32::from_le_bytes(*rest.get(1..)?.first_chunk()?);
            Some((usize::try_from(len).ok()?, 5))
        }
        END => None,
        len => Some((len.into(), 1)),
    }
}

/// The item at the front, and its length.
fn entry(rest: &[u8]) -> Option<(Item<'_>, usize)> {
    let (&head, body) = rest.split_first()?;
    let text = |len: usize, size: usize| {
        // Those that spell an integer are kept as one.
        Some((Item::text(body.get(size - 1..)?.get(..len)?), size + len))
    };
    match head >> 6 {
        0 => return text(usize::from(head), 1),
        1 => return text(usize::from(u16::from_be_bytes([head & 0x3f, *body.first()?])), 2),
        2 => return text(usize::try_from(u32::from_be_bytes(*body.first_chunk()?)).ok()?, 5),
        _ => {}
    }
    let (value, len) = match head {
        0xc0 => (i16::from_le_bytes(*body.first_chunk()?).into(), 3),
        0xd0 => (i32::from_le_bytes(*body.first_chunk()?).into(), 5),
        0xe0 => (i64::from_le_bytes(*body.first_chunk()?), 9),
        0xf0 => {
            let [low, middle, high] = *body.first_chunk()?;
            (i64::from(i32::from_le_bytes([0, low, middle, high]) >> 8), 4)
        }
        0xfe => (i8::from_le_bytes(*body.first_chunk()?).into(), 2),
        0xf1..=0xfd => (i64::from(head & 0x0f) - 1, 1),
        _ => return None,
    };
    Some((Item::Int(value), len))
}

/// The fields and values of a zipmap; `None` if anything isn't as it must be.
pub(super) fn of_zipmap(bytes: &[u8]) -> Option<ListPack> {
    let (&stated, mut rest) = bytes.split_first()?;
    let mut pack = ListPack::new();
    while *rest.first()? != END {
        let name = take_text(&mut rest, false)?;
        let value = take_text(&mut rest, true)?;
        if !pack.has_room(name.len() + value.len() + 32) {
            return None;
        }
        pack.push_pair(Item::text(name), Item::text(value));
    }
    let is_counted = stated >= LONG || usize::from(stated) == pack.len() / 2;
    (rest.len() == 1 && is_counted).then_some(pack)
}

fn take_text<'a>(rest: &mut &'a [u8], may_have_unused: bool) -> Option<&'a [u8]> {
    let (&first, mut behind) = rest.split_first()?;
    let len = match first {
        LONG => {
            let (len, more) = behind.split_first_chunk::<4>()?;
            behind = more;
            usize::try_from(u32::from_le_bytes(*len)).ok()?
        }
        END => return None,
        len => len.into(),
    };
    let mut unused = 0;
    if may_have_unused {
        let (&count, more) = behind.split_first()?;
        (unused, behind) = (usize::from(count), more);
    }
    let (text, behind) = behind.split_at_checked(len)?;
    *rest = behind.get(unused..)?;
    Some(text)
}

/// A ziplist or a zipmap is refused or becomes a sound listpack.
#[cfg(test)]
pub(super) fn fuzz(bytes: &[u8]) {
    for pack in [to_listpack(bytes), of_zipmap(bytes)].into_iter().flatten() {
        assert!(ListPack::from_bytes(pack.as_bytes().to_vec()).is_ok());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use proptest::prelude::*;

    fn texts(pack: &ListPack) -> Vec<String> {
        pack.iter().map(|item| String::from_utf8(item.to_vec()).unwrap()).collect()
    }

    /// A ziplist of these entries, each without the length before it.
    fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
        let (mut body, mut before, mut last) = (Vec::new(), 0usize, HEADER);
        for entry in entries {
            last = HEADER + body.len();
            let start = body.len();
            match u8::try_from(before) {
                Ok(len) if len < LONG => body.push(len),
                _ => {
                    body.push(LONG);
                    body.extend_from_slice(&u32::try_from(before).unwrap().to_le_bytes());
                }
            }
            body.extend_from_slice(entry);
            before = body.len() - start;
        }
        let mut bytes = u32::try_from(HEADER + body.len() + 1).unwrap().to_le_bytes().to_vec();
        bytes.extend_from_slice(&u32::try_from(last).unwrap().to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(entries.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.push(END);
        bytes
    }

    #[test]
    fn every_kind_of_entry_is_read() {
        let long = [&[0x41, 0x2c][..], &[b'x'; 300]].concat();
        let wide = [&[0x80, 0, 0, 0, 2][..], b"ab"].concat();
        let entries: &[&[u8]] = &[
            b"\x05hello",
            &long,
            &wide,
            b"\xc0\xff\xff",
            b"\xd0\0\0\x01\0",
            b"\xf0\0\0\x80",
            b"\xe0\0\0\0\0\0\0\0\x80",
            b"\xfe\x80",
            b"\xf1",
            b"\xfd",
            b"\x02-7",
        ];
        let pack = to_listpack(&ziplist(entries)).unwrap();
        let long = "x".repeat(300);
        let expected = [
            "hello",
            &long,
            "ab",
            "-1",
            "65536",
            "-8388608",
            "-9223372036854775808",
            "-128",
            "0",
            "12",
            "-7",
        ];
        assert_eq!(texts(&pack), expected);
        assert_eq!(to_listpack(&ziplist(&[])).unwrap().len(), 0);
    }

    #[test]
    fn every_flip_and_cut_of_a_ziplist_is_survived() {
        let bytes = ziplist(&[b"\x03one", b"\xc0\x01\x02", b"\xfd", b"\x03two"]);
        for cut in 0..bytes.len() {
            assert!(to_listpack(&bytes[..cut]).is_none());
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[cut] ^= 1 << bit;
                fuzz(&flipped);
            }
        }
    }

    #[test]
    fn zipmaps_are_read() {
        let pack = of_zipmap(b"\x02\x03foo\x03\x02bar..\x05hello\x05\x00world\xff").unwrap();
        assert_eq!(texts(&pack), ["foo", "bar", "hello", "world"]);
        for damaged in [&b""[..], b"\x00", b"\x01\xff", b"\x01\x03foo\x03\x00ba", b"\x00\xff\xff"] {
            assert!(of_zipmap(damaged).is_none());
        }
        assert!(of_zipmap(b"\xfe\x01a\x01\x00b\xff").is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes: Vec<u8>, counted: bool) {
            fuzz(&bytes);
            if counted {
                let len = u32::try_from(bytes.len() + HEADER).unwrap();
                let head = [&len.to_le_bytes()[..], &10u32.to_le_bytes(), &[0xff, 0xff]].concat();
                bytes.splice(0..0, head);
                fuzz(&bytes);
            }
        }
    }
}
