//! One value as a payload: DUMP, RESTORE, MIGRATE.
//!
//! ```text
//!   layout   value   version: u16   CRC-64 of all before it        least significant byte first
//! ```
//!
//! Servers refuse a version above their own. So the oldest one is written that can say what the
//! value says: Redis 7.0, Redis 8 and Valkey 9 take each other's values as long as no field of a
//! hash has a deadline. What the old form of a stream can't say is when a consumer last had
//! success; and what producers added under names of their own stands in files only, as do the deadlines
//! of members of sets and sorted sets.

use super::rdb::decode::{Decoder, Dialect, Limits};
use super::rdb::encode::Encoding;
use super::rdb::error::{LoadError, Reason};
use super::rdb::format::{VERSION_7_0, VERSION_8_0, VERSION_VALKEY, Versions};
use super::rdb::input::Input;
use super::rdb::output::Output;
use crate::base::crc64::checksum;
use crate::keyspace::load::LoadedValue;
use crate::keyspace::value::ValueRef;
use crate::structures::epoch::Epochs;

/// Bytes behind the value.
const FOOTER: usize = 10;

/// What is wrong with a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpError {
    /// Its version isn't known, or its checksum isn't that of its bytes.
    Footer,
    /// It is damaged, or of no known type: where and how, for the log.
    Value(Box<str>),
}

impl From<LoadError> for DumpError {
    fn from(error: LoadError) -> Self {
        Self::Value(error.to_string().into())
    }
}

/// The payload of a value. O(n).
pub fn dump(value: ValueRef<'_>, compresses: bool) -> Vec<u8> {
    let oldest = Encoding::choose(value, VERSION_7_0).map(|encoding| (encoding, VERSION_7_0));
    let chosen = oldest
        .or_else(|_| Encoding::choose(value, VERSION_8_0).map(|encoding| (encoding, VERSION_8_0)));
    // There is no value that the newest version has no place for.
    let Ok((encoding, version)) = chosen else { return Vec::new() };
    let mut out = Output::collected(compresses);
    out.byte(encoding.layout);
    encoding.write(&mut out);
    let [low, high, ..] = version.to_le_bytes();
    out.bytes(&[low, high]);
    let mut payload = out.into_bytes();
    payload.extend_from_slice(&checksum(&payload).to_le_bytes());
    payload
}

/// Whether a checksum is compared: tests want values that are damaged on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It must be right.
    Compared,
    /// It is passed over.
    Ignored,
}

/// The value that a payload holds. O(n).
pub fn restore(
    payload: &[u8],
    limits: Limits,
    sum: Checksum,
    versions: Versions,
    epochs: &mut Epochs,
) -> Result<LoadedValue<'static>, DumpError> {
    let (summed, stated) = payload.split_last_chunk::<8>().ok_or(DumpError::Footer)?;
    let (body, version) = summed.split_last_chunk::<2>().ok_or(DumpError::Footer)?;
    let version = u32::from(u16::from_le_bytes(*version));
    let is_known = versions.take(version, version >= VERSION_VALKEY);
    let is_right = sum == Checksum::Ignored || checksum(summed) == u64::from_le_bytes(*stated);
    if !is_known || !is_right {
        return Err(DumpError::Footer);
    }
    debug_assert_eq!(body.len() + FOOTER, payload.len());
    let mut source = body;
    let mut input = Input::new(&mut source, u64::try_from(body.len()).ok(), false);
    let layout = input.byte()?;
    let mut decoder = Decoder::new(limits, epochs, Dialect::of(version));
    let value = match decoder.value(&mut input, layout)? {
        LoadedValue::Int(value) => LoadedValue::Int(value),
        LoadedValue::Text(text) => LoadedValue::Blob(text.to_vec()),
        LoadedValue::Blob(bytes) => LoadedValue::Blob(bytes),
        LoadedValue::Other(value) => LoadedValue::Other(value),
    };
    if input.position() != u64::try_from(body.len()).unwrap_or(u64::MAX) {
        return Err(input.error(Reason::Damaged("something behind the value")).into());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::keyspace::value::StringRef;
    use crate::types::hash;
    use crate::types::list::PackLimit;
    use crate::types::set::SetLimits;
    use crate::types::sorted_set::PackLimits;
    use proptest::prelude::*;

    const LIMITS: fn() -> Limits = || Limits {
        list: PackLimit::of_directive(-2),
        set: SetLimits { ints_max: 512, pack_max: 128, pack_member_max: 64 },
        hash: hash::Limits { entries: 512, bytes: 64 },
        sorted_set: PackLimits { entries: 128, value: 64 },
    };

    fn check(payload: &[u8], expected: &Result<&str, DumpError>) {
        let mut epochs = Epochs::nursery(1);
        let restored = restore(payload, LIMITS(), Checksum::Compared, Versions::Known, &mut epochs);
        let shown = restored.map(|value| match value {
            LoadedValue::Int(value) => value.to_string(),
            LoadedValue::Text(text) => text.escape_ascii().to_string(),
            LoadedValue::Blob(bytes) => bytes.escape_ascii().to_string(),
            LoadedValue::Other(value) => value.encoding().to_owned(),
        });
        assert_eq!(shown.as_deref(), expected.as_ref().copied());
    }

    #[test]
    fn payloads_of_real_servers_are_read() {
        check(b"\0\xc0\x01\x0a\0&x\xe7\xb6\xd1\x01\x11\xfc", &Ok("1"));
        // Redis 8.0: a hash with a deadline, small and large, a set, a sorted set.
        let small = b"\x19\0 J\xa9\xd1\x01\0\0\x1f\x1f\0\0\0\x06\0\x81a\x02\x81b\x02\xf4\0 J\xa9\
            \xd1\x01\0\0\t\x81c\x02\x81d\x02\0\x01\xff\x0c\0oK\xdc\xce\x85+O[";
        check(small, &Ok("listpackex"));
        let large =
            b"\x18\0 J\xa9\xd1\x01\0\0\x02@d\x01c\x01d\x01\x01a\x01b\x0c\0R\x8cVrq\xa4\x98\x90";
        check(large, &Ok("listpackex"));
        let set = b"\x14\x10\x10\0\0\0\x03\0\x81a\x02\x81b\x02\x81c\x02\xff\x0c\0\xcf\x9c\xdd\xd4\xcc\xbd\xee\xf7";
        check(set, &Ok("listpack"));
    }

    #[test]
    fn oldest_possible_version_is_written() {
        let payload = dump(ValueRef::String(StringRef::Inline(b"value")), true);
        assert_eq!(payload[..8], *b"\0\x05value\x0a");
        check(&payload, &Ok("value"));
        let mut newer = payload.clone();
        newer[7] = 16;
        check(&newer, &Err(DumpError::Footer));
        let body = newer.len() - 8;
        let sum = checksum(&newer[..body]);
        newer[body..].copy_from_slice(&sum.to_le_bytes());
        check(&newer, &Err(DumpError::Footer));
        for cut in 0..payload.len() {
            check(&payload[..cut], &Err(DumpError::Footer));
        }
    }

    #[test]
    fn nothing_may_follow_the_value() {
        let mut payload = b"\0\x01a?\x0a\0".to_vec();
        let sum = checksum(&payload);
        payload.extend_from_slice(&sum.to_le_bytes());
        check(&payload, &Err(DumpError::Value("at byte 3: something behind the value".into())));
    }

    proptest! {
        #[test]
        fn any_payload_is_survived(layout in 0u8..30, mut payload: Vec<u8>, valkey: bool) {
            payload.insert(0, layout);
            payload.extend_from_slice(&[if valkey { 80 } else { 12 }, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            let mut epochs = Epochs::nursery(1);
            let _ = restore(&payload, LIMITS(), Checksum::Ignored, Versions::Any, &mut epochs);
        }
    }
}
