//! Some consecutive entries in one listpack, in Redis's format of stream nodes.
//!
//! ```text
//!   live | deleted | fields | name ... name | 0              the master: what entries refer to
//!   flags | ms | seq | value ... value | items               an entry with the master's names
//!   flags | ms | seq | fields | name value ... | items       an entry with names of its own
//! ```
//!
//! `ms` and `seq` are relative to the master's identifier, which stands beside the listpack.
//! `items` counts those of the entry without itself, for reading backwards. Deleted entries keep
//! their place and get a flag.
//!
//! 1. Identifiers ascend, and none is below the master's.
//! 2. `live` and `dead` are the first two items of the pack.
//! 3. Entries are complete: [`Node::from_bytes`] is the only door for foreign ones.

use super::id::Id;
use crate::structures::Corrupt;
use crate::structures::cow_tree;
use crate::structures::listpack::{At, Item, Iter, ListPack};

/// The entry is deleted.
const DELETED: i64 = 1;
/// The entry has the names of the master.
const SAME_NAMES: i64 = 2;
/// Upper bound of what a listpack adds to an item's bytes.
const ITEM_OVERHEAD: usize = 10;
/// Bytes reserved for a node that follows a full one.
const RESERVE_MAX: usize = 4096;

/// How much a node may hold before the next one is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    bytes_max: usize,
    entries_max: usize,
}

impl NodeLimits {
    /// As the directives say it: 0 is no bound.
    pub fn of_directives(bytes: usize, entries: usize) -> Self {
        let bytes_max = if bytes == 0 { ListPack::BYTES_MAX } else { bytes };
        Self {
            bytes_max: bytes_max.min(ListPack::BYTES_MAX),
            entries_max: if entries == 0 { usize::MAX } else { entries },
        }
    }
}

/// Names and values, one after the other.
pub trait Fields<'a>: ExactSizeIterator<Item = &'a [u8]> + Clone {}
impl<'a, T: ExactSizeIterator<Item = &'a [u8]> + Clone> Fields<'a> for T {}

/// Consecutive entries.
#[derive(Clone, Debug)]
pub struct Node {
    master: Id,
    live: u32,
    dead: u32,
    pack: ListPack,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its identifier.
    pub id: Id,
    count: usize,
    /// The master's names, if it has no own ones.
    names: Option<Iter<'a>>,
    items: Iter<'a>,
}

impl<'a> Entry<'a> {
    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has no pairs; clients can't add such.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Its names and values.
    pub fn pairs(&self) -> impl Iterator<Item = (Item<'a>, Item<'a>)> + use<'a> {
        let (mut names, mut items) = (self.names.clone(), self.items.clone());
        (0..self.count).map_while(move |_| {
            let name = match &mut names {
                Some(names) => names.next()?,
                None => items.next()?,
            };
            Some((name, items.next()?))
        })
    }
}

/// An entry and where it is.
struct Found<'a> {
    entry: Entry<'a>,
    flags: i64,
    at: At,
    next: At,
}

impl Found<'_> {
    fn is_live(&self) -> bool {
        self.flags & DELETED == 0
    }
}

/// Making and measuring.
impl Node {
    /// A node of one entry; `None` if the entry is too large for any. `like` is the node before it.
    pub fn new<'a>(id: Id, fields: impl Fields<'a>, like: Option<&Self>) -> Option<Self> {
        let bytes = bytes_max(fields.clone())?;
        let reserve = like.map_or(0, |like| like.pack.byte_len()).min(RESERVE_MAX);
        let names = fields.clone().step_by(2);
        let master = [0, 0, int(names.len())].map(Item::Int);
        let mut pack = ListPack::with_capacity(reserve.max(16));
        let room = names.clone().map(<[u8]>::len).sum::<usize>() + names.len() * ITEM_OVERHEAD;
        if !pack.has_room(bytes + room + 64) {
            return None;
        }
        pack.push_all(master.into_iter().chain(names.map(Item::text)).chain([Item::Int(0)]));
        let mut node = Self { master: id, live: 0, dead: 0, pack };
        node.push(id, fields, true);
        Some(node)
    }

    /// Takes foreign bytes over after reading all of them. O(n).
    pub fn from_bytes(master: Id, bytes: Vec<u8>) -> Result<Self, Corrupt> {
        let pack = ListPack::from_bytes(bytes)?;
        let (live, dead) = check(master, &pack).ok_or(Corrupt { at: 0 })?;
        Ok(Self { master, live, dead, pack })
    }

    /// The identifier that others are relative to.
    pub fn master(&self) -> Id {
        self.master
    }

    /// The bytes, for files.
    pub fn as_bytes(&self) -> &[u8] {
        self.pack.as_bytes()
    }

    /// Entries that aren't deleted.
    pub fn len(&self) -> usize {
        count(self.live)
    }

    /// Whether all entries are deleted.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Bytes allocated.
    pub fn heap_bytes(&self) -> usize {
        self.pack.heap_bytes()
    }
}

/// Reading.
impl Node {
    /// The entries that aren't deleted, from both ends.
    pub fn entries(&self) -> Entries<'_> {
        let (names, count, body) = self.names();
        Entries { node: self, names, count, front: body, back: self.pack.end() }
    }

    /// The entry with this identifier, unless it is deleted.
    pub fn entry(&self, id: Id) -> Option<Entry<'_>> {
        let found = self.find(id)?;
        Some(found.entry)
    }

    /// The last identifier, of deleted entries too.
    pub fn last_id(&self) -> Id {
        let entries = self.entries();
        entries.before(entries.back).map_or(self.master, |found| found.entry.id)
    }

    fn find(&self, id: Id) -> Option<Found<'_>> {
        let entries = self.entries();
        let mut at = entries.front;
        loop {
            let found = entries.read(at)?;
            if found.entry.id >= id {
                return (found.entry.id == id && found.is_live()).then_some(found);
            }
            at = found.next;
        }
    }

    /// The master's names, their number, and where the first entry is.
    fn names(&self) -> (Iter<'_>, usize, At) {
        let mut items = self.pack.iter();
        let count =
            items.nth(2).and_then(|item| item.as_int()).and_then(|n| usize::try_from(n).ok());
        let (names, count) = (items.clone(), count.unwrap_or(0));
        // The names, and the zero behind them.
        items.nth(count);
        (names, count, items.at())
    }
}

/// Changing.
impl Node {
    /// Adds an entry behind all others, if that is within the limits.
    pub fn append<'a>(&mut self, id: Id, fields: impl Fields<'a>, limits: NodeLimits) -> bool {
        let text: usize = fields.clone().map(<[u8]>::len).sum();
        if self.pack.byte_len() + text >= limits.bytes_max || self.len() >= limits.entries_max {
            return false;
        }
        if !bytes_max(fields.clone()).is_some_and(|bytes| self.pack.has_room(bytes)) {
            return false;
        }
        let (names, count, _) = self.names();
        let own = fields.clone().step_by(2);
        let is_same = own.len() == count && own.zip(names).all(|(own, name)| name.is(own));
        self.push(id, fields, is_same);
        true
    }

    /// Marks an entry as deleted; whether it was there. O(n).
    pub fn delete(&mut self, id: Id) -> bool {
        let Some(Found { at, flags, .. }) = self.find(id) else { return false };
        self.pack.replace(at, Item::Int(flags | DELETED));
        self.note_counts(self.live - 1, self.dead + 1);
        true
    }

    /// Deletes entries from the front while `goes` says so; says how many. O(n).
    pub fn delete_while(&mut self, mut goes: impl FnMut(Id) -> bool) -> usize {
        let (_, _, mut at) = self.names();
        let mut deleted = 0;
        while let Some(found) = self.entries().read(at) {
            let (flags, next, is_live) = (found.flags, found.next, found.is_live());
            if is_live {
                if !goes(found.entry.id) {
                    break;
                }
                // Flags keep their size, so that places stay right.
                self.pack.replace(at, Item::Int(flags | DELETED));
                deleted += 1;
            }
            at = next;
        }
        self.note_counts(self.live - deleted, self.dead + deleted);
        count(deleted)
    }

    /// Gives back what growing reserved; to be called when nothing more is added.
    pub fn close(&mut self) {
        self.pack.shrink();
    }

    /// A node of some of its entries with the same master.
    fn rebuilt<'a>(&'a self, entries: impl Iterator<Item = Entry<'a>>) -> Self {
        let mut pack = ListPack::with_capacity(self.pack.byte_len() / 2);
        let (names, count, _) = self.names();
        let head = [0, 0, int(count)].map(Item::Int);
        pack.push_all(head.into_iter().chain(names.take(count)).chain([Item::Int(0)]));
        let mut node = Self { master: self.master, live: 0, dead: 0, pack };
        for entry in entries {
            node.push_entry(&entry);
        }
        node
    }

    /// Adds a copy of an entry whose names, if it has no own ones, are those of this master.
    fn push_entry(&mut self, entry: &Entry<'_>) {
        let is_same = entry.names.is_some();
        let items = if is_same { entry.count } else { 2 * entry.count };
        self.push_items(entry.id, entry.count, entry.items.clone().take(items), is_same);
    }

    fn push<'a>(&mut self, id: Id, fields: impl Fields<'a>, is_same: bool) {
        let pairs = fields.len() / 2;
        if is_same {
            self.push_items(id, pairs, fields.skip(1).step_by(2).map(Item::text), true);
        } else {
            self.push_items(id, pairs, fields.map(Item::text), false);
        }
    }

    fn push_items<'a>(
        &mut self,
        id: Id,
        pairs: usize,
        items: impl Iterator<Item = Item<'a>> + Clone,
        is_same: bool,
    ) {
        let flags = if is_same { SAME_NAMES } else { 0 };
        let ms = id.ms.wrapping_sub(self.master.ms).cast_signed();
        let seq = id.seq.wrapping_sub(self.master.seq).cast_signed();
        let count = (!is_same).then_some(Item::Int(int(pairs)));
        let in_all = if is_same { pairs + 3 } else { 2 * pairs + 4 };
        let head = [flags, ms, seq].map(Item::Int).into_iter().chain(count);
        self.pack.push_all(head.chain(items).chain([Item::Int(int(in_all))]));
        self.note_counts(self.live + 1, self.dead);
    }

    fn note_counts(&mut self, live: u32, dead: u32) {
        if let Some(first) = self.pack.first() {
            self.pack.replace(first, Item::Int(live.into()));
            if dead != self.dead
                && let Some(second) = self.pack.next(first)
            {
                self.pack.replace(second, Item::Int(dead.into()));
            }
        }
        self.live = live;
        self.dead = dead;
    }
}

impl cow_tree::Leaf for Node {
    type Key = Id;
    type Limits = ();

    fn weight(&self) -> usize {
        self.len()
    }

    fn key(&self) -> Id {
        self.master
    }

    fn split_off(&mut self, offset: usize) -> Self {
        let mut right = self.rebuilt(self.entries().skip(offset));
        if let Some(first) = right.entries().next() {
            // Identifiers are relative: only a rebuilt node can have another master.
            let master = first.id;
            let source = right.clone();
            right.master = master;
            right = right.rebuilt(std::iter::empty());
            source.entries().for_each(|entry| right.push_entry(&entry));
        }
        *self = self.rebuilt(self.entries().take(offset));
        right
    }

    fn is_sparse(&self, (): ()) -> bool {
        false
    }

    fn fits_with(&self, _: &Self, (): ()) -> bool {
        false
    }

    fn absorb(&mut self, right: &Self) {
        for entry in right.entries() {
            let mut pairs = Vec::with_capacity(2 * entry.count);
            entry.pairs().for_each(|(name, value)| pairs.extend([name, value]));
            self.push_items(entry.id, entry.count, pairs.iter().copied(), false);
        }
    }

    fn address(&self) -> usize {
        self.pack.address()
    }
}

/// Entries that aren't deleted, from both ends.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    node: &'a Node,
    names: Iter<'a>,
    count: usize,
    /// Whole entries lie between the two.
    front: At,
    back: At,
}

impl<'a> Entries<'a> {
    /// The entry at `at`, deleted or not.
    fn read(&self, at: At) -> Option<Found<'a>> {
        if at >= self.node.pack.end() {
            return None;
        }
        let mut items = self.node.pack.iter_from(at);
        let flags = items.next()?.as_int()?;
        let (ms, seq) = (items.next()?.as_int()?, items.next()?.as_int()?);
        let master = self.node.master;
        let id = Id {
            ms: master.ms.wrapping_add(ms.cast_unsigned()),
            seq: master.seq.wrapping_add(seq.cast_unsigned()),
        };
        let is_same = flags & SAME_NAMES != 0;
        let count =
            if is_same { self.count } else { usize::try_from(items.next()?.as_int()?).ok()? };
        let names = is_same.then(|| self.names.clone());
        let entry = Entry { id, count, names, items: items.clone() };
        // The values, and the number of items behind them.
        items.nth(if is_same { count } else { 2 * count })?;
        Some(Found { entry, flags, at, next: items.at() })
    }

    /// The entry that ends at `end`, deleted or not.
    fn before(&self, end: At) -> Option<Found<'a>> {
        if end <= self.front {
            return None;
        }
        let pack = &self.node.pack;
        let last = pack.prev(end)?;
        let items = usize::try_from(pack.item(last)?.as_int()?).ok()?;
        let at = (0..items).try_fold(last, |at, _| pack.prev(at))?;
        self.read(at)
    }

    /// Passes over entries before an identifier.
    pub fn skip_before(mut self, id: Id) -> Self {
        while self.front < self.back
            && let Some(found) = self.read(self.front)
            && found.entry.id < id
        {
            self.front = found.next;
        }
        self
    }

    /// Leaves out entries behind an identifier.
    pub fn cut_after(mut self, id: Id) -> Self {
        while let Some(found) = self.before(self.back)
            && found.entry.id > id
        {
            self.back = found.at;
        }
        self
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        while self.front < self.back {
            let found = self.read(self.front)?;
            self.front = found.next;
            if found.is_live() {
                return Some(found.entry);
            }
        }
        None
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            let found = self.before(self.back)?;
            self.back = found.at;
            if found.is_live() {
                return Some(found.entry);
            }
        }
    }
}

/// Upper bound of the bytes that an entry takes; `None` when no node can hold it.
fn bytes_max<'a>(fields: impl Fields<'a>) -> Option<usize> {
    let items = fields.len() + 8;
    let bytes = fields.map(<[u8]>::len).sum::<usize>() + items * ITEM_OVERHEAD;
    (bytes <= ListPack::BYTES_MAX).then_some(bytes)
}

fn int(count: usize) -> i64 {
    // A pack has less than 2^30 items.
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(entries: u32) -> usize {
    usize::try_from(entries).unwrap_or(usize::MAX)
}

/// Reads a foreign node item by item; `None` if anything isn't as it must be.
fn check(master: Id, pack: &ListPack) -> Option<(u32, u32)> {
    let mut items = pack.iter();
    let number = |items: &mut Iter<'_>| items.next()?.as_int();
    let live = u32::try_from(number(&mut items)?).ok()?;
    let dead = u32::try_from(number(&mut items)?).ok()?;
    let names = usize::try_from(number(&mut items)?).ok()?;
    let skip = |items: &mut Iter<'_>, count: usize| {
        count.checked_sub(1).map_or(Some(()), |last| items.nth(last).map(|_| ()))
    };
    skip(&mut items, names)?;
    if number(&mut items)? != 0 {
        return None;
    }
    let (mut found_live, mut found_dead, mut least) = (0u32, 0u32, Some(master));
    while items.at() < pack.end() {
        let flags = number(&mut items)?;
        let (ms, seq) = (number(&mut items)?, number(&mut items)?);
        if flags & !(DELETED | SAME_NAMES) != 0 {
            return None;
        }
        let id = Id {
            ms: master.ms.checked_add(u64::try_from(ms).ok()?)?,
            seq: master.seq.wrapping_add(seq.cast_unsigned()),
        };
        if id < least? {
            return None;
        }
        least = id.next();
        let own = if flags & SAME_NAMES == 0 {
            let own = usize::try_from(number(&mut items)?).ok()?.checked_mul(2)?;
            skip(&mut items, own)?;
            own.checked_add(4)?
        } else {
            skip(&mut items, names)?;
            names.checked_add(3)?
        };
        if number(&mut items)? != i64::try_from(own).ok()? {
            return None;
        }
        let counter = if flags & DELETED == 0 { &mut found_live } else { &mut found_dead };
        *counter += 1;
    }
    ((found_live, found_dead) == (live, dead)).then_some((live, dead))
}
