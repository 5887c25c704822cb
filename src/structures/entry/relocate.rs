//! Moving what an entry refers to.

use super::{Content, Entry, Nested};
use crate::base::blob::Blob;
use crate::structures::relocation::{IsMisplaced, address_of};

impl<V: Nested> Entry<V> {
    /// Moves a long string that nobody else holds, if it lies badly; whether it did.
    pub fn renew_blob(&mut self, is_misplaced: IsMisplaced<'_>) -> bool {
        match self.view().content() {
            Content::Blob(blob) if blob.holders() == 1 && is_misplaced(address_of(&**blob)) => {}
            _ => return false,
        }
        self.blob_mut().is_some_and(|blob| {
            *blob = Blob::new(blob.as_slice().to_vec());
            true
        })
    }
}
