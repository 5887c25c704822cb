//! Pages: up to 32 buckets of one cache line, eight words each.
//!
//! ```text
//!   word     tag:16 | entry pointer:45 | spilled:2 | own:1
//!   bucket   8 words; their `spilled` bits are one mask of 16: bit i set = an entry at home here
//!            sits in the bucket i + 1 further on (cyclically)
//!   page     1..=32 buckets, nothing else: what is known of it stands in its edge
//!   hash     ....ddddddhhhhhhhhhhhhh....     d: the page's prefix (depth bits), h: 13 bits that
//!               tttttttttttttttt             choose the home bucket, t: the tag, which begins up
//!                                            to three bits before the prefix ends
//! ```
//!
//! 1. Tag and prefix together give the home bucket of an entry: growing, splitting, merging touch no
//!    entry, except every fourth split of the same page, when the tags' window is used up.
//! 2. Buckets are in the order of hashes, whatever the number of buckets: a bucket is a range.
//! 3. A word's own bit is set only if the entry was born after the page. It means something only
//!    while the page itself is owned.
//! 4. A *pile* stands in where pages cannot help (hundreds of equal hash prefixes): an unordered
//!    array, searched from end to end.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};

use super::edge::{Edge, Meta};

/// Words of a bucket.
pub(super) const WIDTH: usize = 8;
/// Most buckets of a page.
pub(super) const MAX_BUCKETS: usize = 32;
/// `Meta::size` of a pile.
pub(super) const PILE: usize = 63;
/// How far the tag window may start before the depth: 13 of 16 bits remain for the home bucket.
pub(super) const MAX_LAG: u32 = 3;
/// Deepest page. Entries that agree in more bits than that share a pile.
pub(super) const MAX_DEPTH: u32 = 40;
/// Hash bits that choose the home bucket.
const HOME_BITS: u32 = 16 - MAX_LAG;
/// How far from home an entry may sit.
const REACH: usize = 16;

/// Sizes of pages in buckets: those for which the allocator has size classes.
const SIZES: [usize; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32];

const _: () = assert!(usize::BITS == 64, "a word packs a tag above a 48-bit pointer");
const _: () = assert!(MAX_DEPTH + 16 <= 64, "the tag window must fit");

const LINE: usize = 64;
const ENTRY: usize = 0x0000_FFFF_FFFF_FFF8;
const OWN: usize = 1;
const SPILLED: usize = 0b110;

/// Size of a page for `count` entries: the smallest that leaves room for some more, if possible.
fn fitting(count: usize) -> Option<usize> {
    let roomy = SIZES.iter().copied().find(|size| size * WIDTH * 13 / 16 >= count);
    roomy.or((count <= MAX_BUCKETS * WIDTH).then_some(MAX_BUCKETS))
}

/// Next larger size of page, if any.
pub(super) fn larger(size: usize) -> Option<usize> {
    SIZES.iter().copied().find(|next| *next > size)
}

/// An entry pointer, its tag and flags; or nothing, and flags.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Word(*mut u8);

impl Word {
    pub(super) fn is_empty(self) -> bool {
        self.0.addr() & ENTRY == 0
    }
    /// The entry, if there is one.
    pub(super) fn entry(self) -> Option<NonNull<u8>> {
        NonNull::new(self.0.map_addr(|addr| addr & ENTRY))
    }
    pub(super) fn is_own(self) -> bool {
        self.0.addr() & OWN != 0
    }
    fn tag(self) -> u64 {
        (self.0.addr() >> 48) as u64
    }
    /// This word with another entry, which is the engine's own.
    pub(super) fn with_entry(self, entry: NonNull<u8>) -> Self {
        let rest = self.0.addr() & !ENTRY | OWN;
        Self(entry.as_ptr().map_addr(|addr| addr | rest))
    }
    /// This word's entry and own bit under another tag, without `spilled` bits.
    fn with_tag(self, tag: u64) -> Self {
        Self(self.0.map_addr(|addr| addr & (ENTRY | OWN) | (tag as usize) << 48))
    }
    /// The same entry, shared from now on.
    pub(super) fn disowned(self) -> Self {
        Self(self.0.map_addr(|addr| addr & !OWN))
    }
    /// A word for an entry that the engine owns; tagged when it is placed.
    pub(super) fn new(entry: NonNull<u8>) -> Self {
        debug_assert!(entry.addr().get() & !ENTRY == 0, "an entry is 8-aligned, below 2^48");
        Self(entry.as_ptr().map_addr(|addr| addr | OWN))
    }
    fn spilled(self) -> usize {
        self.0.addr() & SPILLED
    }
    /// This word's tag, entry and own bit with the `spilled` bits of `slot`.
    fn into_slot(self, slot: Self) -> Self {
        Self(self.0.map_addr(|addr| addr & !SPILLED | slot.spilled()))
    }
    /// Nothing, with the `spilled` bits of this word.
    fn cleared(self) -> Self {
        Self(ptr::without_provenance_mut(self.spilled()))
    }
}

/// Head of a pile's memory, one line; the words follow.
#[repr(C, align(64))]
struct PileHead {
    capacity: usize,
    len: usize,
}

impl Meta {
    /// Home bucket of `hash`, which begins with the page's prefix.
    fn home(self, hash: u64) -> usize {
        (((hash << self.depth()) >> (64 - HOME_BITS)) as usize * self.size()) >> HOME_BITS
    }
    fn tag(self, hash: u64) -> u64 {
        (hash << self.start()) >> 48
    }
    /// The hash bits from the window's start on that `tag` tells.
    fn untag(self, tag: u64) -> u64 {
        (tag << 48) >> self.start()
    }
    /// Mask of the hash bits that are the page's prefix.
    pub(super) fn prefix(self) -> u64 {
        !(u64::MAX >> self.depth())
    }
}

/// Home bucket of `hash` in a page, for a scan.
pub(super) fn home(meta: Meta, hash: u64) -> usize {
    meta.home(hash)
}

/// First hash, of those with `hash`'s prefix, at home in `bucket` or beyond; 0 if that is the end of
/// the hash space.
pub(super) fn floor(meta: Meta, hash: u64, bucket: usize) -> u64 {
    let start = hash & meta.prefix();
    if meta.is_pile() || bucket >= meta.size() {
        return if meta.depth() == 0 { 0 } else { start.wrapping_add(1 << (64 - meta.depth())) };
    }
    let point = (bucket << HOME_BITS).div_ceil(meta.size()) as u64;
    start | (point << (64 - HOME_BITS)) >> meta.depth()
}

/// Address of the home bucket, for prefetching.
pub(super) fn line(edge: Edge, hash: u64) -> *const u8 {
    if edge.meta.is_pile() {
        return edge.at;
    }
    edge.at.wrapping_add(edge.meta.home(hash) * LINE)
}

/// Word number `index`.
///
/// # Safety
/// - The edge refers to a living page with more than `index` words.
pub(super) unsafe fn word(edge: Edge, index: usize) -> *mut Word {
    let head = if edge.meta.is_pile() { LINE } else { 0 };
    // SAFETY: words follow each other in one allocation.
    unsafe { edge.at.add(head).cast::<Word>().add(index) }
}

/// How many words there are to visit, empty ones included.
///
/// # Safety
/// - The edge refers to a living page.
pub(super) unsafe fn words(edge: Edge) -> usize {
    if edge.meta.is_pile() {
        // SAFETY: a living pile begins with its head.
        unsafe { (*edge.at.cast::<PileHead>()).len }
    } else {
        edge.meta.size() * WIDTH
    }
}

/// Entries of the page; the edge is the first of its aliases.
///
/// # Safety
/// - The edge refers to a living page.
pub(super) unsafe fn count(edge: Edge) -> usize {
    if edge.meta.is_pile() {
        // SAFETY: it is a living pile.
        unsafe { words(edge) }
    } else {
        edge.meta.count()
    }
}

/// Bytes of the allocation.
///
/// # Safety
/// - The edge refers to a living page.
pub(super) unsafe fn bytes(edge: Edge) -> usize {
    if edge.meta.is_pile() {
        // SAFETY: a living pile begins with its head.
        LINE + unsafe { (*edge.at.cast::<PileHead>()).capacity } * size_of::<Word>()
    } else {
        edge.meta.size() * LINE
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, LINE).expect("no allocation is that large")
}

/// A page of empty buckets.
pub(super) fn new(meta: Meta) -> Edge {
    debug_assert!((1..=MAX_BUCKETS).contains(&meta.size()));
    let layout = layout(meta.size() * LINE);
    // SAFETY: the layout is not empty.
    let at = unsafe { alloc_zeroed(layout) };
    if at.is_null() {
        handle_alloc_error(layout);
    }
    Edge { at, meta }
}

/// A pile of `words`, with room for one more at least.
fn new_pile(words: &[Word], meta: Meta) -> Edge {
    let capacity = (words.len() + 1).next_power_of_two();
    let layout = layout(LINE + capacity * size_of::<Word>());
    // SAFETY: the layout is not empty.
    let at = unsafe { alloc(layout) };
    if at.is_null() {
        handle_alloc_error(layout);
    }
    let edge = Edge { at, meta };
    // SAFETY: the head has a line of its own at the beginning, and `capacity` words follow it.
    unsafe {
        at.cast::<PileHead>().write(PileHead { capacity, len: words.len() });
        ptr::copy_nonoverlapping(words.as_ptr(), word(edge, 0), words.len());
    }
    edge
}

/// Frees a page's memory.
///
/// # Safety
/// - `at` is a page of this size that nothing refers to.
pub(super) unsafe fn free(at: *mut u8, bytes: usize) {
    // SAFETY: allocated with this layout.
    unsafe { dealloc(at, layout(bytes)) }
}

/// The same page, with the same entries, in another place; the old one is to be freed.
///
/// # Safety
/// - The edge refers to a living page.
pub(super) unsafe fn moved(edge: Edge) -> Edge {
    // SAFETY: it is a living page.
    let bytes = unsafe { bytes(edge) };
    let layout = layout(bytes);
    // SAFETY: the layout is not empty.
    let at = unsafe { alloc(layout) };
    if at.is_null() {
        handle_alloc_error(layout);
    }
    // SAFETY: both have so many bytes, in different allocations. Words are moved as such, so that
    // their pointers stay what they are.
    unsafe {
        let words = bytes / size_of::<Word>();
        ptr::copy_nonoverlapping(edge.at.cast::<Word>(), at.cast::<Word>(), words);
    }
    Edge { at, meta: edge.meta }
}

/// A copy that shares the entries, born in `birth`.
///
/// # Safety
/// - The edge refers to a living page.
pub(super) unsafe fn copy(edge: Edge, birth: u64) -> Edge {
    // SAFETY: it is a living page.
    let (bytes, words) = unsafe { (bytes(edge), words(edge)) };
    let layout = layout(bytes);
    // SAFETY: the layout is not empty.
    let at = unsafe { alloc(layout) };
    if at.is_null() {
        handle_alloc_error(layout);
    }
    let copy = Edge { at, meta: edge.meta.with_birth(birth) };
    // SAFETY: both have the same size and as many words, in different allocations.
    unsafe {
        if edge.meta.is_pile() {
            ptr::copy_nonoverlapping(edge.at, at, LINE);
        }
        for index in 0..words {
            word(copy, index).write((*word(edge, index)).disowned());
        }
    }
    copy
}

/// Index of the word whose entry has `hash`'s tag and satisfies `is`.
///
/// # Safety
/// - The edge refers to a living page below which `hash` belongs.
#[inline]
pub(super) unsafe fn find(
    edge: Edge,
    hash: u64,
    mut is: impl FnMut(NonNull<u8>) -> bool,
) -> Option<usize> {
    let meta = edge.meta;
    if meta.is_pile() {
        // SAFETY: it is a living pile.
        return unsafe { find_in_pile(edge, hash, is) };
    }
    let (home, tag) = (meta.home(hash), meta.tag(hash));
    // SAFETY: a home is below the number of buckets.
    if let Some(found) = unsafe { find_in_bucket(edge, home, tag, &mut is) } {
        return Some(found);
    }
    // SAFETY: as above.
    let mut away = unsafe { spilled(edge, home) };
    while away != 0 {
        let bucket = further(meta, home, away.trailing_zeros() as usize + 1);
        away &= away - 1;
        // SAFETY: `further` stays within the page.
        let found = unsafe { find_in_bucket(edge, bucket, tag, &mut is) };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// # Safety
/// - The edge refers to a living page with more than `bucket` buckets.
#[inline]
unsafe fn find_in_bucket(
    edge: Edge,
    bucket: usize,
    tag: u64,
    is: &mut impl FnMut(NonNull<u8>) -> bool,
) -> Option<usize> {
    // SAFETY: the bucket's eight words lie within the page.
    let words = unsafe { &*word(edge, bucket * WIDTH).cast::<[Word; WIDTH]>() };
    let mut same = tagged(words, tag);
    while same != 0 {
        let index = same.trailing_zeros() as usize;
        same &= same - 1;
        if let Some(entry) = words[index].entry()
            && is(entry)
        {
            return Some(bucket * WIDTH + index);
        }
    }
    None
}

/// Which of a bucket's words have the tag, as a mask; of empty words anything may be said.
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn tagged(words: &[Word; WIDTH], tag: u64) -> u32 {
    use std::arch::x86_64::{
        __m128i, _mm_castps_si128, _mm_castsi128_ps, _mm_cmpeq_epi16, _mm_loadu_si128,
        _mm_movemask_epi8, _mm_packs_epi16, _mm_packs_epi32, _mm_set1_epi16, _mm_setzero_si128,
        _mm_shuffle_ps, _mm_srai_epi32,
    };
    let line = ptr::from_ref(words).cast::<__m128i>();
    // SAFETY: SSE2 is part of x86-64, and the four loads cover the eight words.
    unsafe {
        let tag = _mm_set1_epi16(tag as i16);
        let same = |at| _mm_castsi128_ps(_mm_cmpeq_epi16(_mm_loadu_si128(line.add(at)), tag));
        // The upper halves of two times two words, in whose uppermost 16 bits the answer is.
        let four = |at| {
            let upper = _mm_shuffle_ps::<0b11_01_11_01>(same(at), same(at + 1));
            _mm_srai_epi32::<16>(_mm_castps_si128(upper))
        };
        let eight = _mm_packs_epi32(four(0), four(2));
        _mm_movemask_epi8(_mm_packs_epi16(eight, _mm_setzero_si128())) as u32
    }
}

/// Which of a bucket's words have the tag, as a mask; of empty words anything may be said.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn tagged(words: &[Word; WIDTH], tag: u64) -> u32 {
    words.iter().rev().fold(0, |mask, word| mask << 1 | u32::from(word.tag() == tag))
}

/// # Safety
/// - The edge refers to a living pile.
unsafe fn find_in_pile(
    edge: Edge,
    hash: u64,
    mut is: impl FnMut(NonNull<u8>) -> bool,
) -> Option<usize> {
    let tag = edge.meta.tag(hash);
    // SAFETY: it is a living pile, and the index is below its length.
    unsafe {
        (0..words(edge)).find(|index| {
            let word = *word(edge, *index);
            word.tag() == tag && word.entry().is_some_and(&mut is)
        })
    }
}

/// The bucket `step` buckets after `bucket`.
#[inline]
fn further(meta: Meta, bucket: usize, step: usize) -> usize {
    let next = bucket + step;
    if next >= meta.size() { next - meta.size() } else { next }
}

/// The mask of where entries at home in `bucket` sit besides.
///
/// # Safety
/// - The edge refers to a living page with more than `bucket` buckets.
unsafe fn spilled(edge: Edge, bucket: usize) -> u32 {
    // SAFETY: the bucket's eight words lie within the page.
    let words = unsafe { &*word(edge, bucket * WIDTH).cast::<[Word; WIDTH]>() };
    if words.iter().fold(0, |any, word| any | word.0.addr()) & SPILLED == 0 {
        return 0;
    }
    words.iter().enumerate().fold(0, |mask, (index, word)| {
        let bits = word.spilled() as u32;
        mask | ((bits >> 1) & 1 | ((bits >> 2) & 1) << WIDTH) << index
    })
}

/// Notes in `bucket` whether an entry of its sits `step` buckets further on.
///
/// # Safety
/// - The edge refers to an owned page with more than `bucket` buckets.
unsafe fn note_spilled(edge: Edge, bucket: usize, step: usize, is_there: bool) {
    let flag = if step <= WIDTH { 2 } else { 4 };
    // SAFETY: the bucket's words lie within the page, which nobody else reads.
    unsafe {
        let word = word(edge, bucket * WIDTH + (step - 1) % WIDTH);
        (*word).0 = (*word).0.map_addr(|a| if is_there { a | flag } else { a & !flag });
    }
}

/// Index of a free word in `bucket`.
///
/// # Safety
/// - The edge refers to a living page with more than `bucket` buckets.
unsafe fn vacancy(edge: Edge, bucket: usize) -> Option<usize> {
    (bucket * WIDTH..(bucket + 1) * WIDTH)
        // SAFETY: the bucket's words lie within the page.
        .find(|index| unsafe { (*word(edge, *index)).is_empty() })
}

/// Places an entry; its index, or nothing if there is no room within reach of its home. The count in
/// the edge is the caller's business.
///
/// # Safety
/// - The edge refers to an owned page that is no pile, below which `hash` belongs.
pub(super) unsafe fn place(edge: Edge, hash: u64, entry: Word) -> Option<usize> {
    let meta = edge.meta;
    let home = meta.home(hash);
    let entry = entry.with_tag(meta.tag(hash));
    // SAFETY: a home is below the number of buckets.
    if let Some(index) = unsafe { vacancy(edge, home) } {
        // SAFETY: a vacancy lies within the page.
        unsafe {
            let slot = word(edge, index);
            slot.write(entry.into_slot(*slot));
        }
        return Some(index);
    }
    for step in 1..=REACH.min(meta.size() - 1) {
        let bucket = further(meta, home, step);
        // SAFETY: `further` stays within the page, and so does a vacancy.
        unsafe {
            if let Some(index) = vacancy(edge, bucket) {
                let slot = word(edge, index);
                slot.write(entry.into_slot(*slot));
                note_spilled(edge, home, step, true);
                return Some(index);
            }
        }
    }
    None
}

/// Appends an entry to a pile; the edge is a new one if the pile had to grow.
///
/// # Safety
/// - The edge refers to an owned pile below which `hash` belongs.
pub(super) unsafe fn heap_up(edge: Edge, hash: u64, entry: Word) -> (Edge, usize) {
    let head = edge.at.cast::<PileHead>();
    // SAFETY: an owned pile begins with its head, has room while `len < capacity`, and is replaced
    // by one with more room otherwise.
    unsafe {
        let len = (*head).len;
        if len < (*head).capacity {
            word(edge, len).write(entry.with_tag(edge.meta.tag(hash)));
            (*head).len += 1;
            return (edge, len);
        }
        let all = std::slice::from_raw_parts(word(edge, 0), len);
        let grown = new_pile(all, edge.meta);
        edge.free();
        heap_up(grown, hash, entry)
    }
}

/// Takes the entry at `index` out. The count in the edge is the caller's business.
///
/// # Safety
/// - The edge refers to an owned page, which has an entry at `index`.
pub(super) unsafe fn remove(edge: Edge, index: usize) -> Word {
    // SAFETY: the index lies within the page; of a pile, the last word fills the gap.
    unsafe {
        let slot = word(edge, index);
        let entry = *slot;
        if edge.meta.is_pile() {
            let head = edge.at.cast::<PileHead>();
            (*head).len -= 1;
            slot.write(*word(edge, (*head).len));
            return entry;
        }
        slot.write(entry.cleared());
        let (bucket, home) = (index / WIDTH, home_of(edge.meta, entry));
        if bucket != home {
            forget_spilled(edge, home, bucket);
        } else if let Some(last) = spilled(edge, home).checked_ilog2() {
            // Brings a spilled entry home.
            let bucket = further(edge.meta, home, last as usize + 1);
            if let Some(from) = resident(edge, bucket, home) {
                let from = word(edge, from);
                slot.write((*from).into_slot(*slot));
                from.write((*from).cleared());
            }
            forget_spilled(edge, home, bucket);
        }
        entry
    }
}

/// Home bucket of a page's entry.
fn home_of(meta: Meta, entry: Word) -> usize {
    meta.home(meta.untag(entry.tag()))
}

/// Index of an entry in `bucket` whose home is `home`.
///
/// # Safety
/// - The edge refers to a living page with more than `bucket` buckets.
pub(super) unsafe fn resident(edge: Edge, bucket: usize, home: usize) -> Option<usize> {
    (bucket * WIDTH..(bucket + 1) * WIDTH).find(|index| {
        // SAFETY: the bucket's words lie within the page.
        let word = unsafe { *word(edge, *index) };
        !word.is_empty() && home_of(edge.meta, word) == home
    })
}

/// Clears `home`'s note about `bucket` if no entry of its is left there.
///
/// # Safety
/// - The edge refers to an owned page that has both buckets, which differ.
unsafe fn forget_spilled(edge: Edge, home: usize, bucket: usize) {
    // SAFETY: both buckets lie within the page.
    unsafe {
        if resident(edge, bucket, home).is_none() {
            let step = (bucket + edge.meta.size() - home) % edge.meta.size();
            note_spilled(edge, home, step, false);
        }
    }
}

/// Visits the entries whose home is the given bucket; of a pile, all.
///
/// # Safety
/// - The edge refers to a living page that has the bucket.
pub(super) unsafe fn visit(edge: Edge, home: usize, visit: &mut dyn FnMut(NonNull<u8>)) {
    let mut each = |index: usize, any_home: bool| {
        // SAFETY: the callers below stay within the page.
        let word = unsafe { *word(edge, index) };
        if let Some(entry) = word.entry()
            && (any_home || home_of(edge.meta, word) == home)
        {
            visit(entry);
        }
    };
    if edge.meta.is_pile() {
        // SAFETY: it is a living pile.
        let len = unsafe { words(edge) };
        (0..len).for_each(|index| each(index, true));
        return;
    }
    // SAFETY: the page has the bucket.
    let away = unsafe { spilled(edge, home) };
    let spots = (0..REACH).filter(|step| away >> step & 1 != 0).map(|step| step + 1);
    for step in std::iter::once(0).chain(spots) {
        let bucket = further(edge.meta, home, step);
        (bucket * WIDTH..(bucket + 1) * WIDTH).for_each(|index| each(index, false));
    }
}

/// All entries with what page and tag tell of their hashes: the bits up to the tag window's end.
/// The last buckets come first, so that placing them in this order spills little.
///
/// # Safety
/// - The edge refers to a living page, and `hash` begins with its prefix.
pub(super) unsafe fn gather(edge: Edge, hash: u64) -> Vec<(u64, Word)> {
    let prefix = hash & edge.meta.prefix();
    // SAFETY: it is a living page, and the indices are below its number of words.
    unsafe {
        let mut entries = Vec::with_capacity(words(edge));
        for index in (0..words(edge)).rev() {
            let word = *word(edge, index);
            if !word.is_empty() {
                entries.push((prefix | edge.meta.untag(word.tag()), word));
            }
        }
        entries
    }
}

/// A page of at least `size` buckets, or a pile if need be, of the given entries. Of their hashes at
/// least 16 bits from `start` on are known.
pub(super) fn build(
    entries: impl Iterator<Item = (u64, Word)> + Clone,
    size: usize,
    depth: u32,
    start: u32,
    birth: u64,
) -> Edge {
    let count = entries.clone().count();
    let mut size = fitting(count).map(|fitting| fitting.max(size));
    while let Some(buckets) = size {
        let meta = Meta::page(depth, depth - start, buckets, count, birth);
        if let Some(edge) = fill(meta, entries.clone()) {
            return edge;
        }
        size = larger(buckets);
    }
    build_pile(entries, depth, start, birth)
}

/// A new page with the given entries, if they find room.
fn fill(meta: Meta, entries: impl Iterator<Item = (u64, Word)>) -> Option<Edge> {
    let edge = new(meta);
    let mut used = [0_u8; MAX_BUCKETS];
    for (hash, entry) in entries {
        let home = meta.home(hash);
        let reach = REACH.min(meta.size() - 1);
        let has_room = |step: &usize| usize::from(used[further(meta, home, *step)]) < WIDTH;
        let Some(step) = (0..=reach).find(has_room) else {
            // SAFETY: nothing refers to it yet.
            unsafe { edge.free() };
            return None;
        };
        let bucket = further(meta, home, step);
        // SAFETY: the bucket is one of the page's, and has room; nobody else knows the page.
        unsafe {
            let slot = word(edge, bucket * WIDTH + usize::from(used[bucket]));
            slot.write(entry.with_tag(meta.tag(hash)).into_slot(*slot));
            if step > 0 {
                note_spilled(edge, home, step, true);
            }
        }
        used[bucket] += 1;
    }
    Some(edge)
}

/// A pile of the given entries, as in [`build`].
pub(super) fn build_pile(
    entries: impl Iterator<Item = (u64, Word)>,
    depth: u32,
    start: u32,
    birth: u64,
) -> Edge {
    let meta = Meta::page(depth, depth - start, PILE, 0, birth);
    let words: Vec<Word> = entries.map(|(hash, word)| word.with_tag(meta.tag(hash))).collect();
    new_pile(&words, meta)
}
