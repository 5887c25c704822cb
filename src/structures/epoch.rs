//! Birth epochs: who may be changed in place, and when the dead may be freed.
//!
//! One [`Epochs`] belongs to one engine thread. Every page of a copy-on-write structure carries the
//! epoch it was born in. Taking a snapshot ([`Epochs::pin`]) closes the current epoch: what was born
//! in it or before may be read by the snapshot's holder and is copied before the next change; what
//! is born later belongs to the engine alone. What a change replaces goes to limbo, tagged with the
//! epoch of its death, and is freed in bounded steps once every snapshot taken before is gone.
//! There are no reference counts and no atomics on the way of a read or a write.
//!
//! ```text
//!   born:      2      2    3       5            epochs   2 | 3 | 4 | 5 ...
//!   snapshots:      |2|         |4|             born in 3 or before: shared with snapshot 4
//!   died in 5: freed when snapshots 2 and 4 are gone
//! ```
//!
//! 1. A living snapshot of epoch `s` reads only what was born in `s` or before and died after `s`.
//! 2. What is reachable and owned (born after the newest living snapshot) has owned ancestors.
//! 3. Limbo is in the order of death, so its front decides.

#![allow(unsafe_code, reason = "limbo frees type-erased allocations once nobody can read them")]

use std::collections::{LinkedList, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::base::hash::KeyHasher;

/// Items of one chunk of limbo: 96 KiB, so that growing it never pauses for long.
const CHUNK: usize = 4096;

/// From this size on a dead item is worth a worker's time.
const BULKY_BYTES: usize = 64 * 1024;

/// So are so many that lie together.
const BULKY_ITEMS: usize = 1024;

/// The last epoch a page can carry. At 10,000 snapshots a second it is 3 years away.
pub(super) const LAST: u64 = (1 << 40) - 1;

/// An allocation nobody in the living tree refers to any more.
pub(super) struct Dead {
    /// What to free.
    pub(super) raw: *mut u8,
    /// Its size, also handed to `free`.
    pub(super) bytes: usize,
    /// How to free it.
    pub(super) free: unsafe fn(*mut u8, usize),
}

impl Dead {
    /// What it takes until it is freed: its bytes, and its place in limbo.
    fn weight(&self) -> usize {
        self.bytes + size_of::<Self>()
    }
}

// SAFETY: a dead item is owned by whoever holds it; `Thin` demands that entries may be freed anywhere.
unsafe impl Send for Dead {}

/// A large dead thing, or many things, that no snapshot needs: dropping it frees them, on whatever
/// thread.
pub struct Grave {
    items: Vec<Dead>,
    /// Where others lay that live again: only room.
    vacated: Vec<Vec<Dead>>,
}

impl Grave {
    fn of(items: Vec<Dead>) -> Self {
        Self { items, vacated: Vec::new() }
    }

    /// Bytes that dropping it frees.
    pub fn bytes(&self) -> usize {
        let rooms = self.vacated.iter().map(|room| room.capacity() * size_of::<Dead>());
        self.items.iter().map(Dead::weight).chain(rooms).sum()
    }
}

impl Drop for Grave {
    fn drop(&mut self) {
        for dead in self.items.drain(..) {
            // SAFETY: made in `reap_into` from items no snapshot can reach, and in `finish`, where
            // what snapshots reach is exempt.
            unsafe { (dead.free)(dead.raw, dead.bytes) }
        }
    }
}

impl fmt::Debug for Revival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revival").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl fmt::Debug for Grave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grave").field("items", &self.items.len()).finish_non_exhaustive()
    }
}

/// What other threads tell the engine.
enum Note {
    /// A snapshot of this epoch is gone.
    Unpinned(u64),
    /// A table was dropped while snapshots lived.
    Dead(Dead),
}

/// What tables and pins keep of their engine.
pub(super) struct Shared {
    newest: AtomicU64,
    outbox: Sender<Note>,
    /// Whether tables came since the latest snapshot whose pages say that they are older.
    is_ageless: AtomicBool,
    /// Whether it is the state of a nursery, see [`Epochs::nursery`].
    is_nursery: bool,
}

impl Shared {
    /// Whether tables that know this state may be adopted: no snapshot has ever read them, and all
    /// that is in them was born in the first epoch.
    pub(super) fn is_nursery(&self) -> bool {
        self.is_nursery
    }

    /// Takes note of a table whose pages say that they are older than they are.
    pub(super) fn note_ageless(&self) {
        self.is_ageless.store(true, Ordering::Relaxed);
    }

    /// Whether no snapshot lives at all. For what is detached already this never turns false again.
    pub(super) fn is_unwatched(&self) -> bool {
        // Pairs with the store in `settle`: the last reads of snapshots come before it.
        self.newest.load(Ordering::Acquire) == 0
    }

    /// Leaves a table to the engine's limbo: `dead.raw` is a [`Husk`], or begins with one. Without
    /// an engine it is never freed: snapshots may outlive the engine, and nobody would know when
    /// they end.
    pub(super) fn bequeath(&self, dead: Dead) {
        // A failed send is the case without an engine.
        let _ = self.outbox.send(Note::Dead(dead));
    }
}

/// How what is left of a dropped table begins in limbo.
#[repr(C)]
pub(super) struct Husk {
    /// Of the table, what was born in this epoch or before is somebody else's.
    pub(super) kept: u64,
}

/// On the way back to a snapshot, see [`Epochs::revive`].
pub struct Revival {
    epoch: u64,
    wrecks: Vec<Dead>,
    vacated: Vec<Vec<Dead>>,
}

impl Revival {
    /// The epoch that the snapshot closed.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Leaves a table; like [`Shared::bequeath`], but nothing that was born later is read any more.
    pub(super) fn leave(&mut self, wreck: Dead) {
        self.wrecks.push(wreck);
    }

    /// What is left of the tables that were gone back; dropping it frees that.
    pub fn finish(self) -> Grave {
        Grave { items: self.wrecks, vacated: self.vacated }
    }
}

/// Keeps everything of its epoch alive. Cheap to clone; any thread may drop it.
#[derive(Clone)]
pub struct Pin(Arc<Ticket>);

struct Ticket {
    epoch: u64,
    shared: Arc<Shared>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Without a receiver the engine is gone, and with it the interest.
        let _ = self.shared.outbox.send(Note::Unpinned(self.epoch));
    }
}

impl Pin {
    /// The epoch that this snapshot closed.
    pub(super) fn epoch(&self) -> u64 {
        self.0.epoch
    }
    /// Whether it is a ticket of the engine with this state.
    pub(super) fn is_of(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.0.shared, shared)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pin").field(&self.0.epoch).finish()
    }
}

/// Dead items of one epoch.
struct Chunk {
    died: u64,
    /// Of all items, with their places here.
    bytes: usize,
    /// Whether they are what is left of dropped tables.
    are_husks: bool,
    items: Vec<Dead>,
}

#[allow(clippy::linkedlist, reason = "a queue that grows without ever moving what it holds")]
/// The epochs of one engine: what may be changed in place, and the dead that snapshots hold back.
pub struct Epochs {
    shared: Arc<Shared>,
    inbox: Receiver<Note>,
    /// What is born now is born in this epoch; 2 or more, so that a snapshot's is never 0.
    current: u64,
    /// Whether anything was born or died in the current epoch.
    touched: bool,
    /// Newest living snapshot; 0 is none.
    newest: u64,
    /// Epochs with living snapshots, ascending, and how many each.
    living: VecDeque<(u64, usize)>,
    limbo: LinkedList<Chunk>,
    /// Items of limbo that no living snapshot needs.
    ripe: usize,
    held_bytes: usize,
    seed: u64,
    hasher: KeyHasher,
}

impl Default for Epochs {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epochs")
            .field("current", &self.current)
            .field("living", &self.living)
            .field("held_bytes", &self.held_bytes)
            .finish_non_exhaustive()
    }
}

impl Epochs {
    /// The first epoch, no snapshot; tables hash under the seed 0.
    pub fn new() -> Self {
        Self::with_seed(0)
    }

    /// The first epoch, no snapshot. `seed` is for tables inside values, which have nobody else to
    /// ask when they are made: they come about where these epochs are at hand.
    pub fn with_seed(seed: u64) -> Self {
        Self::with(seed, false)
    }

    /// Epochs for a thread that makes values for an engine whose tables have this seed. The engine
    /// then adopts their tables, so no snapshot can be taken here.
    pub fn nursery(seed: u64) -> Self {
        Self::with(seed, true)
    }

    fn with(seed: u64, is_nursery: bool) -> Self {
        let (outbox, inbox) = channel();
        Self {
            shared: Arc::new(Shared {
                newest: AtomicU64::new(0),
                outbox,
                is_ageless: AtomicBool::new(false),
                is_nursery,
            }),
            inbox,
            current: 2,
            touched: false,
            newest: 0,
            living: VecDeque::new(),
            limbo: LinkedList::new(),
            ripe: 0,
            held_bytes: 0,
            seed,
            hasher: KeyHasher::new(seed),
        }
    }

    /// The seed for new tables, see [`super::cow_table::CowTable::new`].
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The hasher of that seed. A table's owner keeps a copy (64 bytes): making one anew takes
    /// longer than a lookup.
    pub fn hasher(&self) -> KeyHasher {
        self.hasher
    }

    /// Epoch of the newest living snapshot; 0 when none lives and everything may be changed in place.
    pub fn newest_living(&self) -> u64 {
        self.newest
    }

    /// A ticket for a snapshot of this moment, in O(1). Take the tables' snapshots with it before
    /// the next change. Without a change since the last one no new epoch begins.
    ///
    /// # Panics
    /// After 2^40 snapshots, and in a nursery.
    pub fn pin(&mut self) -> Pin {
        assert!(!self.shared.is_nursery, "a nursery has no snapshots");
        // What was dropped before this moment died before it.
        self.receive();
        self.shared.is_ageless.store(false, Ordering::Relaxed);
        if self.touched {
            assert!(self.current < LAST, "2^40 snapshots were taken");
            self.current += 1;
            self.touched = false;
        }
        let epoch = self.current - 1;
        match self.living.back_mut() {
            Some((last, pins)) if *last == epoch => *pins += 1,
            _ => self.living.push_back((epoch, 1)),
        }
        self.settle();
        Pin(Arc::new(Ticket { epoch, shared: Arc::clone(&self.shared) }))
    }

    /// Frees at most `budget` dead items that no snapshot needs any more; returns how many such
    /// items remain. Call it between commands, with more budget when more remains.
    pub fn reap(&mut self, budget: usize) -> usize {
        self.reap_with(budget, false, &mut drop)
    }

    /// Like [`Epochs::reap`], but large items are given to `bury`, so that a worker frees them, and
    /// so are whole chunks, which count as one.
    pub fn reap_into(&mut self, budget: usize, bury: &mut dyn FnMut(Grave)) -> usize {
        self.reap_with(budget, true, bury)
    }

    fn reap_with(&mut self, budget: usize, hands_over: bool, bury: &mut dyn FnMut(Grave)) -> usize {
        self.receive();
        let mut left = budget.min(self.ripe);
        while left > 0 {
            let Some(chunk) = self.limbo.front_mut() else { break };
            // Chunks are ripe as a whole: what they hold died in one epoch.
            if hands_over && chunk.items.len() >= BULKY_ITEMS {
                let Some(chunk) = self.limbo.pop_front() else { break };
                left -= 1;
                self.ripe -= chunk.items.len();
                self.held_bytes -= chunk.bytes;
                bury(Grave::of(chunk.items));
                left = left.min(self.ripe);
                continue;
            }
            let Some(dead) = chunk.items.pop() else {
                self.limbo.pop_front();
                continue;
            };
            left -= 1;
            self.ripe -= 1;
            self.held_bytes -= dead.weight();
            chunk.bytes -= dead.weight();
            if hands_over && dead.bytes >= BULKY_BYTES {
                bury(Grave::of(vec![dead]));
            } else {
                // SAFETY: `ripe` counts only items of epochs that no living snapshot can reach.
                unsafe { (dead.free)(dead.raw, dead.bytes) }
            }
        }
        self.ripe
    }

    /// Begins to make a snapshot the living data again, if that is possible, in time that doesn't
    /// depend on what has changed: if no snapshot of a later epoch was taken, and no table came
    /// that doesn't tell its age.
    /// Then all that has died since is in limbo for this snapshot alone, and lives again; what was
    /// born since is the engine's own, and read by nobody.
    ///
    /// All tables of the engine then have to go back ([`super::cow_table::CowTable::go_back`])
    /// before anything else is done with them, and no table, nor what had one in it, that was
    /// detached since the snapshot may still wait somewhere to be dropped.
    pub fn revive(&mut self, pin: &Pin) -> Option<Revival> {
        self.receive();
        let epoch = pin.epoch();
        let is_latest = Arc::ptr_eq(&pin.0.shared, &self.shared) && self.current == epoch + 1;
        if !is_latest || self.shared.is_ageless.load(Ordering::Relaxed) {
            return None;
        }
        let (mut wrecks, mut vacated) = (Vec::new(), Vec::new());
        while self.limbo.back().is_some_and(|chunk| chunk.died > epoch) {
            let Some(mut chunk) = self.limbo.pop_back() else { break };
            self.held_bytes -= chunk.bytes;
            if !chunk.are_husks {
                // Freeing the room for thousands takes longer than all else: not here.
                chunk.items.clear();
                vacated.push(chunk.items);
                continue;
            }
            for dead in chunk.items {
                #[allow(clippy::cast_ptr_alignment, reason = "husks are allocated as such")]
                let husk = dead.raw.cast::<Husk>();
                // SAFETY: husks begin with this struct, and are ours until they are freed.
                unsafe { (*husk).kept = epoch }
                wrecks.push(dead);
            }
        }
        // Nothing is left of the current epoch.
        self.touched = false;
        self.settle();
        Some(Revival { epoch, wrecks, vacated })
    }

    /// Bytes that are dead but held back by snapshots, or not yet reaped.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// How many snapshots live, as far as the engine has heard.
    pub fn living(&self) -> usize {
        self.living.iter().map(|(_, pins)| pins).sum()
    }

    /// How many dead items wait, needed by a snapshot or not.
    pub fn dead(&self) -> usize {
        self.limbo.iter().map(|chunk| chunk.items.len()).sum()
    }

    /// Whether what was born in `birth` may be changed in place.
    pub(super) fn owns(&self, birth: u64) -> bool {
        birth > self.newest
    }

    /// The epoch for a birth or a death that takes place now.
    pub(super) fn stamp(&mut self) -> u64 {
        self.touched = true;
        self.current
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Frees `dead` once no snapshot taken before now lives.
    ///
    /// # Safety
    /// - Nothing but snapshots refers to the allocation.
    /// - `dead.free` frees it, once, on any thread.
    pub(super) unsafe fn retire(&mut self, dead: Dead) {
        if self.newest == 0 {
            // SAFETY: no snapshot lives, so by the caller's word nothing refers to it.
            unsafe { (dead.free)(dead.raw, dead.bytes) }
        } else {
            self.lay_out(dead, false);
        }
    }

    fn lay_out(&mut self, dead: Dead, is_husk: bool) {
        let died = self.stamp();
        self.held_bytes += dead.weight();
        match self.limbo.back_mut() {
            Some(chunk)
                if (chunk.died, chunk.are_husks) == (died, is_husk)
                    && chunk.items.len() < CHUNK =>
            {
                chunk.bytes += dead.weight();
                chunk.items.push(dead);
            }
            _ => {
                let bytes = dead.weight();
                let (items, are_husks) = (vec![dead], is_husk);
                self.limbo.push_back(Chunk { died, bytes, are_husks, items });
            }
        }
    }

    fn receive(&mut self) {
        let mut changed = false;
        while let Ok(note) = self.inbox.try_recv() {
            changed = true;
            match note {
                Note::Unpinned(epoch) => {
                    if let Some(at) = self.living.iter().position(|(e, _)| *e == epoch) {
                        self.living[at].1 -= 1;
                        if self.living[at].1 == 0 {
                            self.living.remove(at);
                        }
                    }
                }
                Note::Dead(dead) => self.lay_out(dead, true),
            }
        }
        if changed {
            self.settle();
        }
    }

    /// Draws the conclusions of a changed set of living snapshots.
    fn settle(&mut self) {
        self.newest = self.living.back().map_or(0, |(epoch, _)| *epoch);
        self.shared.newest.store(self.newest, Ordering::Release);
        let oldest = self.living.front().map_or(u64::MAX, |(epoch, _)| *epoch);
        // A snapshot of epoch `s` cannot reach what died in `s` or before.
        let ripe = self.limbo.iter().take_while(|chunk| chunk.died <= oldest);
        self.ripe = ripe.map(|chunk| chunk.items.len()).sum();
    }
}

impl Drop for Epochs {
    fn drop(&mut self) {
        while self.reap(usize::MAX) > 0 {}
        if !self.living.is_empty() {
            // Snapshots outlive the engine: nothing they may read is ever freed.
            self.shared.newest.store(u64::MAX, Ordering::Release);
        }
    }
}
