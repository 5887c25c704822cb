//! An entry for reading: a pointer that is copied about.

#![allow(unsafe_code, reason = "a thin allocation of varying size")]
#![allow(clippy::cast_ptr_alignment, reason = "fields lie at multiples of 8, as do allocations")]

use super::shape::{
    FIELD, FILED, HAS_WORD, Head, KEY_LEN_BITS, LONG_KEY, META_BITS, RAW, Shape, TAG_BLOB,
    TAG_INLINE, TAG_INT, TAG_MASK, TAG_NESTED,
};
use super::{Content, Entry, Form, Nested, NewContent, Packed};
use crate::base::blob::Blob;
use crate::base::bytes::same;
use crate::structures::lifespan::{Lifespan, Word, deadline_of};
use crate::structures::size_class::size_class;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

/// A borrowed entry.
pub struct EntryRef<'a, V> {
    pub(super) head: NonNull<Head>,
    pub(super) life: PhantomData<&'a V>,
}

impl<V> Clone for EntryRef<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for EntryRef<'_, V> {}

// SAFETY: a shared entry is read only, save for the clock, which is atomic; it gives out `&V` and
// `&Blob`, and `Blob` is `Sync`.
unsafe impl<V: Sync> Send for EntryRef<'_, V> {}
// SAFETY: as above.
unsafe impl<V: Sync> Sync for EntryRef<'_, V> {}

impl<V> fmt::Debug for EntryRef<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key().escape_ascii().to_string()).finish()
    }
}

impl<'a, V> EntryRef<'a, V> {
    /// An entry that something else owns.
    ///
    /// # Safety
    /// - `raw` comes from [`Entry::into_raw`], or is the address of an entry that is kept so.
    /// - During `'a` it is not changed, save for its clock, and not freed.
    #[inline]
    pub unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Self { head: raw.cast(), life: PhantomData }
    }

    #[inline]
    fn clock_meta(self) -> &'a AtomicU32 {
        // SAFETY: `head` points to a live entry for 'a; this field only changes atomically while
        // the entry is borrowed.
        unsafe { &(*self.head.as_ptr()).clock_meta }
    }

    #[inline]
    fn meta(self) -> u8 {
        self.clock_meta().load(Ordering::Relaxed).to_le_bytes()[0]
    }

    /// Reads the 8 bytes at `offset`, which must be one of the fields of this entry.
    #[inline]
    fn field(self, offset: usize) -> *const u64 {
        // SAFETY: callers take the offset from the shape, whose fields lie in the allocation.
        unsafe { self.head.as_ptr().cast::<u8>().add(offset).cast::<u64>() }
    }

    #[inline]
    pub(super) fn shape(self) -> Shape {
        let meta = self.meta();
        // SAFETY: the entry is live; `lens` does not change while it is borrowed.
        let lens = unsafe { (*self.head.as_ptr()).lens };
        let value_len = usize::try_from(lens >> KEY_LEN_BITS).unwrap_or(0);
        let mut shape = Shape { meta, key_len: usize::from(lens.to_le_bytes()[0]), value_len };
        if shape.has(LONG_KEY) {
            // SAFETY: the flag says that this field is there; fields are aligned to 8.
            let len = unsafe { self.field(shape.long_at()).read() };
            shape.key_len = usize::try_from(len).unwrap_or(0);
        }
        shape
    }

    fn bytes_at(self, offset: usize, len: usize) -> &'a [u8] {
        // SAFETY: the range lies in the allocation (invariant 2), is initialized, and does not
        // change during 'a.
        unsafe { slice::from_raw_parts(self.head.as_ptr().cast::<u8>().add(offset), len) }
    }

    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        let shape = self.shape();
        self.bytes_at(shape.key_at(), shape.key_len)
    }

    /// Where it lies: tells entries apart without looking at them.
    pub fn address(self) -> usize {
        self.head.as_ptr().addr()
    }

    /// Whether it is the same entry, not only an equal one.
    pub fn is(self, other: Self) -> bool {
        self.head == other.head
    }

    /// Whether this is the entry of `key`. Without a call for the usual lengths.
    #[inline]
    pub fn has_key(self, key: &[u8]) -> bool {
        same(self.key(), key)
    }

    /// The value.
    #[inline]
    pub fn content(self) -> Content<'a, V> {
        let shape = self.shape();
        let payload = self.field(shape.payload_at());
        match shape.tag() {
            TAG_INLINE => Content::Inline(self.bytes_at(shape.value_at(), shape.value_len)),
            // SAFETY: the tag says that the payload is an integer.
            TAG_INT => Content::Int(unsafe { payload.cast::<i64>().read() }),
            // SAFETY: the tag says that the payload is a blob, which is one pointer.
            TAG_BLOB => Content::Blob(unsafe { &*payload.cast::<Blob>() }),
            tag if shape.is_packed() => {
                let bytes = self.bytes_at(shape.value_at(), shape.value_len);
                Content::Packed(Packed { tag: tag - TAG_NESTED, bytes })
            }
            // SAFETY: other tags say that the payload is a box of `V`, which is one pointer.
            _ => Content::Nested(unsafe { &**payload.cast::<Box<V>>() }),
        }
    }

    /// Tag of a nested value, packed or not.
    #[inline]
    pub fn nested_tag(self) -> Option<u8> {
        (self.meta() & TAG_MASK).checked_sub(TAG_NESTED)
    }

    /// Whether a string was changed in place.
    pub fn form(self) -> Form {
        if self.meta() & RAW == 0 { Form::Whole } else { Form::Edited }
    }

    #[inline]
    fn word(self) -> Word {
        let meta = self.meta();
        if meta & HAS_WORD == 0 {
            return Word::Absent;
        }
        // SAFETY: the flag says that this field is there.
        let word = unsafe { self.field(FIELD).read() };
        if meta & FILED == 0 { Word::Plain(word) } else { Word::Filed(word) }
    }

    /// Deadline and ticket.
    pub fn lifespan(self) -> Lifespan {
        Lifespan::unpack(self.word())
    }

    /// The deadline, in Unix milliseconds.
    #[inline]
    pub fn deadline(self) -> Option<i64> {
        deadline_of(self.word())
    }

    /// The 24 bits of the access clock.
    #[inline]
    pub fn clock(self) -> u32 {
        self.clock_meta().load(Ordering::Relaxed) >> META_BITS
    }

    /// Sets the access clock. Only for the thread that owns the data set.
    #[inline]
    pub fn set_clock(self, clock: u32) {
        let word = self.clock_meta().load(Ordering::Relaxed);
        let new = clock << META_BITS | word & u32::from(u8::MAX);
        // Storing only what differs keeps the cache line clean under many reads.
        if new != word {
            self.clock_meta().store(new, Ordering::Relaxed);
        }
    }

    /// Bytes of the allocation, without those behind pointers.
    pub fn shell_bytes(self) -> usize {
        size_class(self.shape().total())
    }
}

impl<V: Nested> EntryRef<'_, V> {
    /// Bytes of the entry and of what it holds by pointer; shared blobs count in full.
    pub fn memory_bytes(self) -> usize {
        let held = match self.content() {
            Content::Int(_) | Content::Inline(_) | Content::Packed(_) => 0,
            // Two counters and the vector's three words stand before the bytes.
            Content::Blob(blob) => size_class(5 * size_of::<usize>()) + size_class(blob.capacity()),
            Content::Nested(nested) => nested.memory_bytes(),
        };
        self.shell_bytes() + held
    }

    /// The same value under another key; large strings are shared.
    pub fn duplicate(self, key: &[u8], lifespan: Lifespan) -> Entry<V> {
        self.rebuilt(key, lifespan, V::duplicate)
    }

    pub(super) fn rebuilt(
        self,
        key: &[u8],
        lifespan: Lifespan,
        copy: impl FnOnce(&V) -> V,
    ) -> Entry<V> {
        let content = match self.content() {
            Content::Int(value) => NewContent::Int(value),
            Content::Inline(bytes) => NewContent::Inline(bytes),
            Content::Blob(blob) => NewContent::Blob(blob.clone()),
            Content::Packed(packed) => NewContent::Packed(packed),
            Content::Nested(nested) => NewContent::Nested(Box::new(copy(nested))),
        };
        Entry::new(key, content, self.form(), lifespan, self.clock())
    }
}
