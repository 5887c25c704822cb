//! The checksum of RDB files, DUMP payloads and FUNCTION DUMP: CRC-64 with the polynomial of Jones.

use crc::{CRC_64_REDIS, Crc, Table};

/// Sixteen bytes a step: 32 KiB of tables, several times as fast as one byte a step.
static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A checksum in the making.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "the crate's digest has none")]
pub struct Crc64(crc::Digest<'static, u64, Table<16>>);

impl Default for Crc64 {
    fn default() -> Self {
        Self(CRC.digest())
    }
}

impl Crc64 {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all added so far.
    pub fn value(&self) -> u64 {
        self.0.clone().finalize()
    }
}

/// The checksum of `bytes`.
pub fn checksum(bytes: &[u8]) -> u64 {
    CRC.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        // The check value of the catalogue of checksums.
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let mut parts = Crc64::default();
        b"123456789".chunks(2).for_each(|part| parts.update(part));
        assert_eq!(parts.value(), checksum(b"123456789"));
    }
}
