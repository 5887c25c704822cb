//! Packs and large elements of a list's middle, compressed with LZF.
//!
//! ```text
//!   len: u32   count: u32   LZF bytes
//! ```
//!
//! `len` is that of the text that was compressed; its highest bit marks a large element, else the
//! text is a listpack of `count` elements. Both are kept beside it, so that trees are weighed and
//! leaves compared without reading any. What compressing needs is kept from one time to the next by
//! the thread that did it, which is the engine's mostly.

use super::leaf::Open;
use crate::base::blob::Blob;
use crate::base::lzf::{self, Compressor};
use crate::structures::listpack::ListPack;
use crate::structures::relocation::address_of;
use crate::structures::size_class::size_class;
use std::cell::Cell;

/// Shorter ones stay as they are, as in Redis.
const LEN_MIN: usize = 48;
/// Others are compressed only if that spares more than so many bytes, as in Redis.
const SPARED_MIN: usize = 8;

const HEAD: usize = 8;
const PLAIN: u32 = 1 << 31;
/// Output of more bytes is not kept for the next time.
const KEPT_MAX: usize = 64 * 1024;
const SOUND: &str = "what was compressed here is sound";

/// A compressed leaf. One allocation, 8 bytes beside what LZF makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed(Box<[u8]>);

/// What compressing needs from one time to the next.
#[derive(Default)]
struct Press {
    compressor: Compressor,
    out: Vec<u8>,
}

thread_local! {
    static PRESS: Cell<Option<Box<Press>>> = const { Cell::new(None) };
}

impl Compressed {
    /// A compressed form, if it is worth it. O(n).
    pub(super) fn of(open: &Open) -> Option<Self> {
        let (text, count, mark) = match open {
            Open::Pack(pack) => (pack.as_bytes(), pack.len(), 0),
            Open::Plain(blob) => (blob.as_slice(), 1, PLAIN),
        };
        let (Ok(len), Ok(count)) = (u32::try_from(text.len()), u32::try_from(count)) else {
            return None;
        };
        if text.len() < LEN_MIN || len >= PLAIN {
            return None;
        }
        // While a thread ends nothing is kept.
        let mut press = PRESS.try_with(Cell::take).ok().flatten().unwrap_or_default();
        let Press { compressor, out } = &mut *press;
        out.clear();
        out.extend_from_slice(&(len | mark).to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        let made = compressor.compress(text, text.len() - SPARED_MIN - 1, out);
        let compressed = made.map(|_| Self(out.as_slice().into()));
        if out.capacity() > KEPT_MAX {
            *out = Vec::new();
        }
        let _ = PRESS.try_with(|kept| kept.set(Some(press)));
        compressed
    }

    /// What was compressed. O(n).
    pub(super) fn open(&self) -> Open {
        let len = self.text_len();
        let mut text = Vec::with_capacity(size_class(len));
        let is_sound = lzf::decompress_into(self.bytes(), len, &mut text);
        assert!(is_sound, "{SOUND}");
        if self.is_plain() {
            Open::Plain(Blob::new(text))
        } else {
            Open::Pack(ListPack::of_own_bytes(text))
        }
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        usize::try_from(self.word(4)).unwrap_or(usize::MAX)
    }

    /// Bytes of what was compressed.
    pub fn text_len(&self) -> usize {
        usize::try_from(self.word(0) & !PLAIN).unwrap_or(usize::MAX)
    }

    /// Whether it is one large element, not a listpack.
    pub fn is_plain(&self) -> bool {
        self.word(0) & PLAIN != 0
    }

    /// What LZF made of it.
    pub fn bytes(&self) -> &[u8] {
        &self.0[HEAD..]
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_class(self.0.len())
    }

    pub(super) fn address(&self) -> usize {
        address_of(&*self.0)
    }

    fn word(&self, at: usize) -> u32 {
        let word = self.0[at..].first_chunk().expect(SOUND);
        u32::from_le_bytes(*word)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::structures::listpack::Item;

    fn check(text: &[u8], is_worth_it: bool) {
        let plain = Open::Plain(Blob::new(text.to_vec()));
        let compressed = Compressed::of(&plain);
        assert_eq!(compressed.is_some(), is_worth_it, "{} bytes", text.len());
        let Some(compressed) = compressed else { return };
        assert!(compressed.is_plain());
        assert_eq!((compressed.count(), compressed.text_len()), (1, text.len()));
        match compressed.open() {
            Open::Plain(blob) => assert_eq!(blob.as_slice(), text),
            Open::Pack(_) => panic!("it was a large element"),
        }
    }

    #[test]
    fn what_is_worth_it_is_compressed() {
        check(&[b'a'; LEN_MIN - 1], false);
        check(&[b'a'; LEN_MIN], true);
        check(&vec![b'a'; 3 * KEPT_MAX], true);
        // Without any repetition, then with one that spares seven bytes, then more.
        let mut text: Vec<u8> = (0..100).collect();
        check(&text, false);
        text.extend(0..13);
        check(&text, false);
        text.extend(13..40);
        check(&text, true);
    }

    #[test]
    fn a_pack_keeps_its_elements() {
        let texts: Vec<String> = (0..500).map(|number| format!("element:{number}")).collect();
        let pack: ListPack = texts.iter().map(|text| Item::text(text.as_bytes())).collect();
        let compressed = Compressed::of(&Open::Pack(pack.clone())).unwrap();
        assert!(!compressed.is_plain());
        assert_eq!((compressed.count(), compressed.text_len()), (500, pack.byte_len()));
        assert!(compressed.heap_bytes() < pack.heap_bytes());
        match compressed.open() {
            Open::Pack(opened) => assert_eq!(opened, pack),
            Open::Plain(_) => panic!("it was a pack"),
        }
    }
}
