//! FUNCTION DUMP's payload: libraries as in an RDB file, its version, a checksum.
//!
//!   0xf5, text    once per library; the text has its length before it and may be compressed
//!   version       16 bits, least significant byte first
//!   CRC-64        of all before it, least significant byte first

use crate::base::crc64::checksum;
use crate::base::lzf;
use crate::persistence::rdb::format::opcode::FUNCTION;
use crate::persistence::rdb::output::Output;

/// Version that is written: that of Redis 8.0.
const VERSION: u16 = 12;
/// First version of Valkey's own numbering, whose libraries look the same.
const FOREIGN_VERSION: u16 = 80;

/// What is wrong with a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DumpError {
    /// The footer does not fit.
    Footer,
    /// There is something else than a library.
    Kind,
    /// A text is cut off or damaged.
    Text,
}

/// The payload that holds these texts.
pub(super) fn encode<'a>(texts: impl Iterator<Item = &'a [u8]>, compresses: bool) -> Vec<u8> {
    let mut out = Output::collected(compresses);
    for text in texts {
        out.byte(FUNCTION);
        out.string(text);
    }
    out.bytes(&VERSION.to_le_bytes());
    let mut payload = out.into_bytes();
    let checksum = checksum(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// The texts in a payload.
pub(super) fn decode(payload: &[u8]) -> Result<Vec<Vec<u8>>, DumpError> {
    let (body, stated) = payload.split_last_chunk::<8>().ok_or(DumpError::Footer)?;
    let (mut rest, version) = body.split_last_chunk::<2>().ok_or(DumpError::Footer)?;
    let version = u16::from_le_bytes(*version);
    let is_known = version <= VERSION || version >= FOREIGN_VERSION;
    if !is_known || u64::from_le_bytes(*stated) != checksum(body) {
        return Err(DumpError::Footer);
    }
    let mut texts = Vec::new();
    while let Some((kind, behind)) = rest.split_first() {
        if *kind != FUNCTION {
            return Err(DumpError::Kind);
        }
        rest = behind;
        texts.push(take_text(&mut rest).ok_or(DumpError::Text)?);
    }
    Ok(texts)
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    match first >> 6 {
        0 => Some(usize::from(first & 0x3f)),
        1 => {
            let (second, behind) = rest.split_first()?;
            *rest = behind;
            Some(usize::from(first & 0x3f) << 8 | usize::from(*second))
        }
        2 if *first == 0x80 => {
            let (bytes, behind) = rest.split_first_chunk::<4>()?;
            *rest = behind;
            usize::try_from(u32::from_be_bytes(*bytes)).ok()
        }
        2 if *first == 0x81 => {
            let (bytes, behind) = rest.split_first_chunk::<8>()?;
            *rest = behind;
            usize::try_from(u64::from_be_bytes(*bytes)).ok()
        }
        _ => None,
    }
}

fn take_text(rest: &mut &[u8]) -> Option<Vec<u8>> {
    if rest.first() != Some(&0xc3) {
        let length = take_length(rest)?;
        let (text, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        return Some(text.to_vec());
    }
    *rest = &rest[1..];
    let packed_length = take_length(rest)?;
    let length = take_length(rest)?;
    let (packed, behind) = rest.split_at_checked(packed_length)?;
    *rest = behind;
    lzf::decompress(packed, length)
}

/// For the fuzzer: whatever comes is read or refused.
#[cfg(test)]
pub(super) fn fuzz(payload: &[u8]) {
    let _ = decode(payload);
    let mut sealed = payload.to_vec();
    sealed.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = checksum(&sealed);
    sealed.extend_from_slice(&checksum.to_le_bytes());
    let _ = decode(&sealed);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn payloads_are_those_of_redis() {
        let text = b"#!lua name=a\nredis.register_function('fa',function() return 1 end)";
        let dump = "f5404223216c7561206e616d653d610a72656469732e72656769737465725f66756e6374696f6e\
                    28276661272c66756e6374696f6e28292072657475726e203120656e64290c00f44a55e099581a\
                    0c";
        let digits = crate::engine::digest::hex(&encode([text.as_slice()].into_iter(), true));
        assert_eq!(digits, dump);
        let empty = crate::engine::digest::hex(&encode(std::iter::empty(), true));
        assert_eq!(empty, "0c0096ed6880f5553c93");
    }

    proptest! {
        #[test]
        fn texts_come_back(texts in prop::collection::vec("(a|b|xyz){0,60}", 0..4)) {
            for compresses in [false, true] {
                let payload = encode(texts.iter().map(String::as_bytes), compresses);
                let found = decode(&payload).unwrap();
                prop_assert_eq!(&found, &texts.iter().map(|t| t.clone().into_bytes()).collect::<Vec<_>>());
                for cut in 0..payload.len() {
                    prop_assert!(decode(&payload[..cut]).is_err());
                }
            }
        }

        #[test]
        fn garbage_is_survived(mut bytes: Vec<u8>, head in 0_usize..4) {
            fuzz(&bytes);
            let heads: [&[u8]; 4] = [b"\xf5", b"\xf5\xc3", b"\xf5\x80", b"\xf5\xc3\x03\x0a"];
            bytes.splice(0..0, heads[head].iter().copied());
            fuzz(&bytes);
        }
    }
}
