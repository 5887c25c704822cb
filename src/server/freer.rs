//! A thread that frees what is large, so that nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, Thread};

use crate::engine::outside::FreeingFigures;
use crate::keyspace::graveyard::Garbage;

use super::pace::Pace;
use super::{allocator, process};

/// The way to the thread; it ends with this.
#[derive(Debug)]
pub(super) struct Freer {
    sender: Option<Sender<Vec<Garbage>>>,
    thread: Thread,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    pending: AtomicUsize,
    pending_bytes: AtomicUsize,
    freed: AtomicUsize,
}

impl Freer {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = channel::<Vec<Garbage>>();
        let counts = Arc::new(Counts::default());
        let theirs = Arc::clone(&counts);
        let work = move || work(&receiver, &theirs);
        let spawned = thread::Builder::new().name("free".into()).spawn(work)?;
        let thread = spawned.thread().clone();
        allocator::put_off_to(thread.clone());
        Ok(Self { sender: Some(sender), thread, counts })
    }

    /// Hands something over.
    pub(super) fn free(&self, garbage: Vec<Garbage>) {
        let bytes = bytes_of(&garbage);
        self.counts.pending.fetch_add(garbage.len(), Relaxed);
        self.counts.pending_bytes.fetch_add(bytes, Relaxed);
        let refused = self.sender.as_ref().and_then(|sender| sender.send(garbage).err());
        self.thread.unpark();
        if let Some(refused) = refused {
            // Without the thread it is freed here.
            self.counts.pending.fetch_sub(refused.0.len(), Relaxed);
            self.counts.pending_bytes.fetch_sub(bytes, Relaxed);
        }
    }

    /// Things that are still to be freed, and those that have been.
    pub(super) fn figures(&self) -> FreeingFigures {
        FreeingFigures {
            pending: self.counts.pending.load(Relaxed),
            pending_bytes: self.counts.pending_bytes.load(Relaxed),
            freed: self.counts.freed.load(Relaxed),
        }
    }
}

impl Drop for Freer {
    fn drop(&mut self) {
        self.sender = None;
        self.thread.unpark();
    }
}

/// Frees what comes, the allocator's own included, until nothing can come any more.
fn work(inbox: &Receiver<Vec<Garbage>>, counts: &Counts) {
    // Memory is wanted back soon, but not before somebody's reply.
    process::be_nice(0);
    let mut pace = Pace::begin();
    loop {
        allocator::free_put_off();
        match inbox.try_recv() {
            Ok(batch) => {
                for garbage in batch {
                    let bytes = garbage.bytes();
                    drop(garbage);
                    counts.pending.fetch_sub(1, Relaxed);
                    counts.pending_bytes.fetch_sub(bytes, Relaxed);
                    counts.freed.fetch_add(1, Relaxed);
                }
            }
            // Who sends something, or puts something off, unparks.
            Err(TryRecvError::Empty) => {
                drop(pace);
                thread::park();
                pace = Pace::begin();
            }
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

/// Has a thread of jemalloc's give free pages back, or not. It begins with the priority of who starts
/// it, and serves nobody who waits.
pub(super) fn purge_in_background(on: bool) {
    let set = move || {
        process::be_nice(process::BACKGROUND);
        allocator::free_in_background(on);
    };
    if !thread::Builder::new().spawn(set).is_ok_and(|thread| thread.join().is_ok()) {
        allocator::free_in_background(on);
    }
}

fn bytes_of(garbage: &[Garbage]) -> usize {
    garbage.iter().map(Garbage::bytes).sum()
}
