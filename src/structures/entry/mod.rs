//! One key with its value: a single allocation behind a thin pointer.
//!
//! ```text
//!   0  u32  access clock (24 bits) | meta (8 bits): tag 4, word 1, long key 1, raw 1, filed 1
//!   4  u32  key length (8 bits; 255: see below) | length of an inline value (24 bits)
//!   8  u64  lifespan word, if there is a deadline or a ticket
//!      u64  integer, or pointer to a blob or a nested value, if not inline
//!      u64  key length, if 255 or more
//!      ..   bytes of the key, then of the inline value
//! ```
//!
//! Inline are short strings, and small nested values that their owner has *packed* into bytes. A
//! key of 16 bytes takes 32 bytes with an integer, 56 with an inline value of 32 bytes; a deadline
//! adds 8. Allocations have the size of their class, so a value changes in place while the class
//! stays.
//!
//! 1. The access clock changes under a shared reference, by relaxed stores of the one thread that
//!    owns the data set; everything else only under `&mut`.
//! 2. Tag, flags and lengths always describe the bytes behind them; the pointer of a payload is
//!    owned by the entry.
//! 3. `size_class(total)` is the size of the allocation.

#![allow(unsafe_code, reason = "a thin allocation of varying size")]
#![allow(clippy::cast_ptr_alignment, reason = "fields lie at multiples of 8, as do allocations")]

mod relocate;
mod shape;
mod succession;
#[cfg(test)]
mod tests;
mod view;

pub use succession::Succession;
pub use view::EntryRef;

use crate::base::blob::Blob;
use crate::base::hash::KeyHasher;
use crate::structures::cow_table::Thin;
use crate::structures::lifespan::{Lifespan, Word};
use crate::structures::size_class::size_class;
use shape::{
    FIELD, FILED, HAS_WORD, Head, KEY_LEN_LONG, LONG_KEY, META_BITS, PACKED, RAW, Shape, TAG_BLOB,
    TAG_INLINE, TAG_INT, TAG_MASK, TAG_NESTED,
};
use std::alloc::{alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

/// The longest value beside its key. Bytes. A value of its own costs 72 bytes and two cache misses
/// more in the same size classes; beyond a page, copying it under a snapshot would cost more.
pub const INLINE_MAX: usize = 4096;

/// A value too large or too structured to stand beside its key.
pub trait Nested: Sized {
    /// Number of the type, at most [`TAGS_MAX`].
    fn tag(&self) -> u8;
    /// A copy for another key; what can be shared is.
    #[must_use]
    fn duplicate(&self) -> Self;
    /// The successor of `self`, while snapshots go on reading `self`: a clone of plain data, and
    /// [`Succession::table`] for each table inside.
    #[must_use]
    fn succeed(&self, how: &Succession) -> Self;
    /// Gives up what has a successor: drops plain data, and [`Succession::forget`]s the tables.
    fn free_shell(self, how: &Succession);
    /// Bytes allocated, this struct included.
    fn memory_bytes(&self) -> usize;
}

/// The largest tag of a nested type.
pub const TAGS_MAX: u8 = TAG_MASK - TAG_NESTED;

/// The value of an entry.
#[derive(Debug)]
pub enum Content<'a, V> {
    /// An integer.
    Int(i64),
    /// Bytes beside the key.
    Inline(&'a [u8]),
    /// Bytes in an allocation of their own.
    Blob(&'a Blob),
    /// Anything else, as bytes beside the key.
    Packed(Packed<'a>),
    /// Anything else.
    Nested(&'a V),
}

/// A nested value as bytes; what they mean is its owner's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed<'a> {
    /// Which kind of bytes it is, at most [`TAGS_MAX`]; told apart from the tags of nested values.
    pub tag: u8,
    /// At most [`INLINE_MAX`].
    pub bytes: &'a [u8],
}

/// A value to be put into an entry.
#[derive(Debug)]
pub enum NewContent<'a, V> {
    /// An integer.
    Int(i64),
    /// Bytes, to be copied beside the key; at most [`INLINE_MAX`].
    Inline(&'a [u8]),
    /// Bytes in an allocation of their own.
    Blob(Blob),
    /// Anything else, as bytes to be copied beside the key.
    Packed(Packed<'a>),
    /// Anything else.
    Nested(Box<V>),
}

/// A value that an entry held by pointer, for the caller to free.
#[derive(Debug)]
pub enum Detached<V> {
    /// Bytes.
    Blob(Blob),
    /// Anything else.
    Nested(Box<V>),
}

/// What is said about a string besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Written as a whole.
    Whole,
    /// Changed in place at some time: OBJECT ENCODING says `raw`.
    Edited,
}

// SAFETY: allocations are aligned to 8 and come from the allocator, whose addresses are below 2^48;
// views read only, but for the clock, which is atomic; `share` copies.
unsafe impl<V: Nested + Send + Sync + 'static> Thin for Entry<V> {
    type View<'a> = EntryRef<'a, V>;

    fn into_raw(self) -> NonNull<u8> {
        Self::into_raw(self)
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        // SAFETY: by the caller's word.
        unsafe { Self::from_raw(raw) }
    }
    #[inline]
    unsafe fn view<'a>(raw: NonNull<u8>) -> EntryRef<'a, V> {
        // SAFETY: by the caller's word.
        unsafe { EntryRef::from_raw(raw) }
    }
    fn hash(view: EntryRef<'_, V>, seed: u64) -> u64 {
        KeyHasher::new(seed).hash(view.key())
    }
    unsafe fn share(view: EntryRef<'_, V>) -> Self {
        view.rebuilt(view.key(), view.lifespan(), |nested| nested.succeed(&Succession(None)))
    }
    unsafe fn free_shell(mut self) {
        if let Some(Detached::Nested(nested)) = self.detach() {
            nested.free_shell(&Succession(None));
        }
    }
    unsafe fn demolish(mut self, kept: u64) {
        if let Some(Detached::Nested(nested)) = self.detach() {
            nested.free_shell(&Succession(Some(kept)));
        }
    }
    fn bytes(view: EntryRef<'_, V>) -> usize {
        view.memory_bytes()
    }
}

/// An entry and everything it holds. 8 bytes; see the head of the file for what it points to.
pub struct Entry<V: Nested> {
    head: NonNull<Head>,
    owns: PhantomData<Box<V>>,
}

// SAFETY: the entry owns its allocation, a `Blob` (`Send` and `Sync`) or a `Box<V>`.
unsafe impl<V: Nested + Send + Sync> Send for Entry<V> {}
// SAFETY: as above; sharing it gives out `&V` and an atomic clock.
unsafe impl<V: Nested + Send + Sync> Sync for Entry<V> {}

impl<V: Nested> fmt::Debug for Entry<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl<V: Nested> Drop for Entry<V> {
    fn drop(&mut self) {
        drop(self.detach());
        self.free_shell();
    }
}

/// The payload to be written; pointers are owned.
enum Payload {
    None,
    Int(i64),
    Pointer(*mut ()),
}

impl<V: Nested> Entry<V> {
    /// A new entry.
    pub fn new(
        key: &[u8],
        content: NewContent<'_, V>,
        form: Form,
        lifespan: Lifespan,
        clock: u32,
    ) -> Self {
        let (mut shape, payload, inline) = Self::plan(content, form);
        let word = lifespan.pack();
        shape.meta |= word_flags(word) | if key.len() >= KEY_LEN_LONG { LONG_KEY } else { 0 };
        shape.key_len = key.len();
        let entry = Self { head: allocate(shape, clock), owns: PhantomData };
        // SAFETY: the allocation has room for the key at this offset, and nobody else knows it.
        unsafe { ptr::copy_nonoverlapping(key.as_ptr(), entry.byte(shape.key_at()), key.len()) };
        entry.write_rest(shape, word, &payload, inline);
        entry
    }

    /// The entry, for reading.
    #[inline]
    pub fn view(&self) -> EntryRef<'_, V> {
        EntryRef { head: self.head, life: PhantomData }
    }

    /// The address to keep; the entry is then owned by whoever holds it.
    pub fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).head.cast()
    }

    /// Takes ownership back.
    ///
    /// # Safety
    /// - `raw` comes from [`Entry::into_raw`], with the same `V`, and was not taken back before.
    /// - No [`EntryRef`] of it lives.
    pub unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Self { head: raw.cast(), owns: PhantomData }
    }

    /// Replaces the value by one of the same kind in the same allocation, if that is possible and
    /// the entry has no lifespan; whether it did. What is most frequent, in the fewest steps.
    #[inline]
    pub fn overwrite(&mut self, content: &NewContent<'_, V>, form: Form) -> bool {
        let old = self.view().shape();
        let (tag, inline): (u8, &[u8]) = match content {
            NewContent::Int(_) => (TAG_INT, &[]),
            NewContent::Inline(bytes) => (TAG_INLINE, bytes),
            NewContent::Blob(_) | NewContent::Packed(_) | NewContent::Nested(_) => return false,
        };
        let raw = if form == Form::Edited { RAW } else { 0 };
        if old.meta & !LONG_KEY != tag | raw {
            return false;
        }
        let new = Shape { value_len: inline.len(), ..old };
        if let NewContent::Int(value) = content {
            // SAFETY: the tag says that the payload is an integer; `self` is borrowed mutably.
            unsafe { self.byte(old.payload_at()).cast::<i64>().write(*value) };
            return true;
        }
        if new.value_len != old.value_len {
            if size_class(new.total()) != size_class(old.total()) {
                return false;
            }
            // SAFETY: `self` is borrowed mutably, and the allocation has the new shape's class.
            unsafe { (*self.head.as_ptr()).lens = new.lens() };
        }
        // SAFETY: the value's range lies in the allocation, and `inline` is borrowed from elsewhere.
        unsafe {
            ptr::copy_nonoverlapping(inline.as_ptr(), self.byte(new.value_at()), inline.len());
        }
        true
    }

    /// Replaces a packed value by another one of the same size class; whether it did. The lifespan
    /// stays.
    #[inline]
    pub fn repack(&mut self, packed: Packed<'_>) -> bool {
        let old = self.view().shape();
        let meta = old.meta & !TAG_MASK | (TAG_NESTED + packed.tag.min(TAGS_MAX));
        let new = Shape { meta, value_len: packed.bytes.len(), ..old };
        if !old.is_packed() || size_class(new.total()) != size_class(old.total()) {
            return false;
        }
        self.write_head(new);
        // SAFETY: the value's range lies in the allocation, which has the new shape's class, and
        // `packed` is borrowed from elsewhere.
        unsafe {
            let (from, to) = (packed.bytes.as_ptr(), self.byte(new.value_at()));
            ptr::copy_nonoverlapping(from, to, packed.bytes.len());
        }
        true
    }

    /// Replaces value and lifespan; the key stays. Returns what the old value held by pointer.
    #[inline]
    pub fn set(
        &mut self,
        content: NewContent<'_, V>,
        form: Form,
        lifespan: Lifespan,
    ) -> Option<Detached<V>> {
        let old = self.view().shape();
        let detached = self.detach();
        let (mut new, payload, inline) = Self::plan(content, form);
        let word = lifespan.pack();
        new.meta |= word_flags(word) | old.meta & LONG_KEY;
        new.key_len = old.key_len;
        self.reshape(old, new, (old.key_at(), new.key_at(), old.key_len));
        self.write_rest(new, word, &payload, inline);
        detached
    }

    /// Changes the lifespan; the value stays.
    pub fn set_lifespan(&mut self, lifespan: Lifespan) {
        let old = self.view().shape();
        let word = lifespan.pack();
        let meta = old.meta & !(HAS_WORD | FILED) | word_flags(word);
        let new = Shape { meta, ..old };
        // Payload, long length, key and value move as one block.
        let len = old.total() - old.payload_at();
        self.reshape(old, new, (old.payload_at(), new.payload_at(), len));
        self.write_word(word);
    }

    /// The nested value, for changing.
    pub fn nested_mut(&mut self) -> Option<&mut V> {
        let shape = self.view().shape();
        if shape.tag() < TAG_NESTED || shape.is_packed() {
            return None;
        }
        let payload = self.byte(shape.payload_at()).cast::<Box<V>>();
        // SAFETY: the tag says that the payload is a box of `V`; `self` is borrowed mutably.
        Some(unsafe { &mut **payload })
    }

    /// The blob, for changing; the string is `raw` from now on.
    pub fn blob_mut(&mut self) -> Option<&mut Blob> {
        let shape = self.view().shape();
        if shape.tag() != TAG_BLOB {
            return None;
        }
        self.write_head(Shape { meta: shape.meta | RAW, ..shape });
        let payload = self.byte(shape.payload_at()).cast::<Blob>();
        // SAFETY: the tag says that the payload is a blob; `self` is borrowed mutably.
        Some(unsafe { &mut *payload })
    }

    /// The same value under another key, with another lifespan; what is large moves along.
    #[must_use]
    pub fn renamed(mut self, key: &[u8], lifespan: Lifespan) -> Self {
        let (form, clock) = (self.view().form(), self.view().clock());
        let new = match self.detach() {
            Some(Detached::Blob(blob)) => NewContent::Blob(blob),
            Some(Detached::Nested(nested)) => NewContent::Nested(nested),
            None => match self.view().content() {
                Content::Int(value) => NewContent::Int(value),
                Content::Inline(bytes) => NewContent::Inline(bytes),
                Content::Packed(packed) => NewContent::Packed(packed),
                // Those were detached just now.
                Content::Blob(_) | Content::Nested(_) => NewContent::Inline(&[]),
            },
        };
        Self::new(key, new, form, lifespan, clock)
    }

    /// Takes out what the value holds by pointer; the entry then holds an empty string.
    pub fn detach(&mut self) -> Option<Detached<V>> {
        let shape = self.view().shape();
        let payload = self.byte(shape.payload_at());
        let detached = match shape.tag() {
            TAG_INLINE | TAG_INT => return None,
            _ if shape.is_packed() => return None,
            // SAFETY: the tag says that the payload is a blob; it is forgotten below.
            TAG_BLOB => Detached::Blob(unsafe { payload.cast::<Blob>().read() }),
            // SAFETY: the tag says that the payload is a box of `V`; it is forgotten below.
            _ => Detached::Nested(unsafe { payload.cast::<Box<V>>().read() }),
        };
        // An integer has the same shape as a pointer.
        self.write_head(Shape { meta: shape.meta & !TAG_MASK | TAG_INT, ..shape });
        // SAFETY: the payload field is there.
        unsafe { payload.cast::<i64>().write(0) };
        Some(detached)
    }

    /// Frees the allocation and nothing that it points to.
    fn free_shell(&mut self) {
        let layout = self.view().shape().layout();
        // SAFETY: the allocation was made with this layout (invariant 3).
        unsafe { dealloc(self.head.as_ptr().cast(), layout) };
    }

    #[inline]
    fn byte(&self, offset: usize) -> *mut u8 {
        // SAFETY: callers take offsets from the shape: within the allocation.
        unsafe { self.head.as_ptr().cast::<u8>().add(offset) }
    }

    #[inline]
    fn plan<'b>(content: NewContent<'b, V>, form: Form) -> (Shape, Payload, &'b [u8]) {
        let (tag, payload, inline): (u8, Payload, &'b [u8]) = match content {
            NewContent::Inline(bytes) => (TAG_INLINE, Payload::None, bytes),
            NewContent::Int(value) => (TAG_INT, Payload::Int(value), &[]),
            NewContent::Blob(blob) => {
                let blob = ManuallyDrop::new(blob);
                // SAFETY: a blob is one pointer (asserted above); it is owned by the payload now.
                let raw = unsafe { ptr::from_ref(&*blob).cast::<*mut ()>().read() };
                (TAG_BLOB, Payload::Pointer(raw), &[])
            }
            NewContent::Nested(nested) => {
                let tag = TAG_NESTED + nested.tag().min(TAGS_MAX);
                (tag, Payload::Pointer(Box::into_raw(nested).cast()), &[])
            }
            NewContent::Packed(packed) => {
                let tag = TAG_NESTED + packed.tag.min(TAGS_MAX);
                (tag | PACKED, Payload::None, packed.bytes)
            }
        };
        let is_raw = form == Form::Edited && tag & TAG_MASK < TAG_NESTED;
        let raw = if is_raw { RAW } else { 0 };
        (Shape { meta: tag | raw, key_len: 0, value_len: inline.len() }, payload, inline)
    }

    /// Gives the allocation the class of `new`, keeping the block (from, to, length) and the
    /// clock; the head is rewritten.
    #[inline]
    fn reshape(&mut self, old: Shape, new: Shape, (from, to, len): (usize, usize, usize)) {
        if size_class(old.total()) == size_class(new.total()) {
            if from != to {
                // SAFETY: both ranges lie in the allocation, which has the class of either shape.
                unsafe { ptr::copy(self.byte(from), self.byte(to), len) };
            }
        } else {
            let head = allocate(new, self.view().clock());
            // SAFETY: the ranges lie in their allocations, which are different ones.
            unsafe {
                let target = head.as_ptr().cast::<u8>().add(to);
                ptr::copy_nonoverlapping(self.byte(from), target, len);
            }
            self.free_shell();
            self.head = head;
        }
        self.write_head(new);
    }

    #[inline]
    fn write_head(&self, shape: Shape) {
        let word = self.view().clock() << META_BITS | u32::from(shape.meta);
        // SAFETY: the caller owns or mutably borrows the entry.
        unsafe {
            (*self.head.as_ptr()).clock_meta.store(word, Ordering::Relaxed);
            (*self.head.as_ptr()).lens = shape.lens();
        }
    }

    #[inline]
    fn write_word(&self, word: Word) {
        if let Word::Plain(bits) | Word::Filed(bits) = word {
            // SAFETY: the shape has this field; the caller owns or mutably borrows the entry.
            unsafe { self.byte(FIELD).cast::<u64>().write(bits) };
        }
    }

    /// Everything but head and key.
    #[inline]
    fn write_rest(&self, shape: Shape, word: Word, payload: &Payload, inline: &[u8]) {
        self.write_word(word);
        let field = self.byte(shape.payload_at());
        // SAFETY: the shape has each field that is written, the value's range lies in the
        // allocation, and `inline` is borrowed from elsewhere: the entry is owned or `&mut`.
        unsafe {
            match payload {
                Payload::None => {}
                Payload::Int(value) => field.cast::<i64>().write(*value),
                Payload::Pointer(raw) => field.cast::<*mut ()>().write(*raw),
            }
            if shape.has(LONG_KEY) {
                let len = u64::try_from(shape.key_len).unwrap_or(u64::MAX);
                self.byte(shape.long_at()).cast::<u64>().write(len);
            }
            ptr::copy_nonoverlapping(inline.as_ptr(), self.byte(shape.value_at()), inline.len());
        }
    }
}

fn word_flags(word: Word) -> u8 {
    match word {
        Word::Absent => 0,
        Word::Plain(_) => HAS_WORD,
        Word::Filed(_) => HAS_WORD | FILED,
    }
}

fn allocate(shape: Shape, clock: u32) -> NonNull<Head> {
    let layout = shape.layout();
    // SAFETY: the size is at least that of the head, never zero.
    let Some(head) = NonNull::new(unsafe { alloc(layout) }.cast::<Head>()) else {
        handle_alloc_error(layout)
    };
    let word = clock << META_BITS | u32::from(shape.meta);
    // SAFETY: freshly allocated, large enough, aligned to 8.
    unsafe { head.write(Head { clock_meta: AtomicU32::new(word), lens: shape.lens() }) };
    head
}
