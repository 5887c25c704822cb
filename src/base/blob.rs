//! A large run of bytes that many may hold: cloning is a counter, changing it when alone is in place.

use std::sync::Arc;

/// Shared bytes. 8 bytes beside the allocation; `clone` is O(1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob(Arc<Vec<u8>>);

impl Blob {
    /// Takes `bytes` over without copying them.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// For changing: in place when nobody else holds them, else a copy first, O(n).
    pub fn to_mut(&mut self) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.0)
    }

    /// Bytes allocated, used or not.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// How many hold them, this one included.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl std::ops::Deref for Blob {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
