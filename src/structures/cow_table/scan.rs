//! Visiting: by cursor while the table changes, all at once while it does not, or at random.

use std::array;
use std::ptr::NonNull;

use super::edge::Edge;
use super::page::{self, MAX_BUCKETS, WIDTH};
use super::{CowTable, ENTRY_AHEAD, Thin, prefetch};

/// Random tries before [`CowTable::random`] counts instead. Fair coins need two to four.
const TRIES: usize = 64;

/// Places that [`CowTable::sample`] looks at together.
const TOGETHER: usize = 16;

/// How many entries an iteration prefetches.
const AHEAD: usize = 16;

/// What a random draw has hit.
#[derive(Clone, Copy)]
enum Cell {
    /// A word of a page, with an entry or without.
    Word(*const page::Word),
    /// No page has so many words.
    Beyond,
    /// Entries lie too densely for words to have the same chance: they must be counted.
    Dense,
}

impl<T: Thin> CowTable<T> {
    /// Visits the entries of at least one bucket and returns where to go on; 0 begins, 0 ends.
    ///
    /// The cursor is a point in the space of hashes: all entries whose hash lies below it were
    /// visited, so whoever stays in the table from begin to end is visited at least once, whatever
    /// happens to the table between the calls. Any number is a valid cursor.
    pub fn scan<'t>(&'t self, cursor: u64, visit: &mut dyn FnMut(T::View<'t>)) -> u64 {
        let edge = self.leaf(cursor);
        if edge.is_none() {
            return 0;
        }
        let bucket = if edge.meta.is_pile() { 0 } else { page::home(edge.meta, cursor) };
        // SAFETY: the page is living and has the bucket; entries stay as they are while the table
        // is borrowed.
        unsafe { page::visit(edge, bucket, &mut |entry| visit(T::view(entry))) };
        page::floor(edge.meta, cursor, bucket + 1)
    }

    /// Visits all entries, in the order of pages.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { table: self, page: Edge::NONE, index: 0, len: 0, next: Some(0) }
    }

    /// A fair choice among all entries; `random` supplies random numbers.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<T::View<'_>> {
        if self.top.is_none() {
            return None;
        }
        let usual = self.usual_depth();
        for _ in 0..TRIES {
            match self.cell(usual, &mut random) {
                Cell::Beyond => {}
                Cell::Dense => break,
                Cell::Word(word) => {
                    // SAFETY: words and entries of this table stay while it is borrowed.
                    let found = unsafe { (*word).entry().map(|entry| T::view(entry)) };
                    if found.is_some() {
                        return found;
                    }
                }
            }
        }
        self.nth(below(random(), self.len))
    }

    /// As many choices as there is room for, each as [`CowTable::random`] makes it; an entry may be
    /// drawn twice. What is read on the way, and the first lines of the entries, are loaded at the
    /// same time, so that many cost hardly more than one. Nothing is drawn from an empty table.
    pub fn sample<'t>(
        &'t self,
        drawn: &mut [Option<T::View<'t>>],
        mut random: impl FnMut() -> u64,
    ) {
        if self.top.is_none() {
            return;
        }
        let (usual, mut drawn) = (self.usual_depth(), drawn.iter_mut());
        for _ in 0..TRIES {
            let cells: [Cell; TOGETHER] = array::from_fn(|_| {
                let cell = self.cell(usual, &mut random);
                if let Cell::Word(word) = cell {
                    prefetch(word.cast());
                }
                cell
            });
            for cell in cells {
                let found = match cell {
                    Cell::Beyond => None,
                    Cell::Dense => self.nth(below(random(), self.len)),
                    // SAFETY: words and entries of this table stay while it is borrowed.
                    Cell::Word(word) => unsafe {
                        (*word).entry().map(|entry| {
                            prefetch(entry.as_ptr());
                            prefetch(entry.as_ptr().wrapping_add(ENTRY_AHEAD));
                            T::view(entry)
                        })
                    },
                };
                if found.is_some() {
                    let Some(place) = drawn.next() else { return };
                    *place = found;
                }
            }
        }
        drawn.for_each(|place| *place = self.nth(below(random(), self.len)));
    }

    /// Depth of most pages, or one more.
    fn usual_depth(&self) -> u32 {
        (self.len / (MAX_BUCKETS * WIDTH / 2)).max(1).ilog2()
    }

    /// A place where an entry may be, each with the same chance. Hash space is cut into cells, as
    /// many for a page as it could have entries and more, in proportion to the space it covers. The
    /// table is not empty.
    fn cell(&self, usual: u32, random: &mut impl FnMut() -> u64) -> Cell {
        let edge = self.leaf(random());
        let depth = edge.meta.depth();
        let cells = if depth <= usual {
            (2 * MAX_BUCKETS * WIDTH) << (usual - depth)
        } else {
            (2 * MAX_BUCKETS * WIDTH) >> (depth - usual)
        };
        let cell = below(random(), cells.max(1));
        // SAFETY: edges of this table refer to living pages.
        unsafe {
            let words = page::words(edge);
            if edge.meta.is_pile() || cells < words && depth > usual {
                Cell::Dense
            } else if cell < words {
                Cell::Word(page::word(edge, cell))
            } else {
                Cell::Beyond
            }
        }
    }

    /// Entry number `rank` in the order of pages. Takes time in proportion to nodes' sizes.
    fn nth(&self, mut rank: usize) -> Option<T::View<'_>> {
        let mut edge = self.top;
        // SAFETY: edges of this table refer to living pages and nodes, and counts are those of the
        // first edges.
        unsafe {
            while edge.meta.is_node() {
                let mut index = 0;
                loop {
                    let child = *edge.nth(index);
                    let count = child.count();
                    if rank < count {
                        edge = child;
                        break;
                    }
                    rank -= count;
                    index += edge.aliases(child.meta);
                }
            }
            let words = (0..page::words(edge)).filter_map(|at| (*page::word(edge, at)).entry());
            words.map(|entry| T::view(entry)).nth(rank)
        }
    }
}

/// `random` reduced to `0..bound`.
fn below(random: u64, bound: usize) -> usize {
    ((u128::from(random) * bound as u128) >> 64) as usize
}

impl<'t, T: Thin> IntoIterator for &'t CowTable<T> {
    type Item = T::View<'t>;
    type IntoIter = Iter<'t, T>;

    fn into_iter(self) -> Iter<'t, T> {
        self.iter()
    }
}

/// All entries of a table.
#[derive(Debug)]
pub struct Iter<'t, T: Thin> {
    table: &'t CowTable<T>,
    page: Edge,
    index: usize,
    len: usize,
    /// First hash beyond the page.
    next: Option<u64>,
}

impl<T: Thin> Iter<'_, T> {
    fn entry(&self, index: usize) -> Option<NonNull<u8>> {
        if index >= self.len {
            return None;
        }
        // SAFETY: the page is living, and the index below its number of words.
        unsafe { (*page::word(self.page, index)).entry() }
    }

    fn prefetch(&self, index: usize) {
        if let Some(entry) = self.entry(index) {
            prefetch(entry.as_ptr());
        }
    }

    /// Goes to the next page.
    fn turn(&mut self, hash: u64) {
        self.page = self.table.leaf(hash);
        self.index = 0;
        self.len = 0;
        self.next = None;
        if self.page.is_none() {
            return;
        }
        // SAFETY: the page is living.
        self.len = unsafe { page::words(self.page) };
        let end = page::floor(self.page.meta, hash, usize::MAX);
        self.next = (end != 0).then_some(end);
        if let Some(next) = self.next {
            let page = self.table.leaf(next);
            for line in 0..page.meta.size() {
                prefetch(page.at.wrapping_add(line * 64));
            }
        }
        (0..AHEAD).for_each(|index| self.prefetch(index));
    }
}

impl<'t, T: Thin> Iterator for Iter<'t, T> {
    type Item = T::View<'t>;

    fn next(&mut self) -> Option<T::View<'t>> {
        loop {
            while self.index < self.len {
                let index = self.index;
                self.index += 1;
                self.prefetch(index + AHEAD);
                if let Some(entry) = self.entry(index) {
                    // SAFETY: the entry stays as it is while the table is borrowed.
                    return Some(unsafe { T::view(entry) });
                }
            }
            let next = self.next?;
            self.turn(next);
        }
    }
}
