//! The keyed hash of keys: fast, and unpredictable without the seed.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_inline};

/// Hashes bytes under secrets derived from a seed. All 64 bits are well mixed.
#[derive(Clone, Copy, Debug)]
pub struct KeyHasher {
    secrets: RapidSecrets,
}

impl KeyHasher {
    /// Derives the secrets; equal seeds give equal hashes.
    pub fn new(seed: u64) -> Self {
        Self { secrets: RapidSecrets::seed(seed) }
    }

    /// The hash of `bytes`. O(n), about 2 ns for 16 bytes.
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        rapidhash_v3_inline::<true, false, false>(bytes, &self.secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_decides() {
        let (one, other) = (KeyHasher::new(1), KeyHasher::new(2));
        assert_eq!(one.hash(b"key"), KeyHasher::new(1).hash(b"key"));
        assert_ne!(one.hash(b"key"), other.hash(b"key"));
        assert_ne!(one.hash(b"key"), one.hash(b"kez"));
    }
}
