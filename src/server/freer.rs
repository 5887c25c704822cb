//! A thread that frees what is large, so that nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::engine::outside::FreeingFigures;
use crate::keyspace::graveyard::Garbage;

use super::process;

/// The way to the thread; it ends with this.
#[derive(Debug)]
pub(super) struct Freer {
    sender: Sender<Vec<Garbage>>,
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
        thread::Builder::new().name("free".into()).spawn(move || {
            // Memory is wanted back soon, but not before somebody's reply.
            process::be_nice(0);
            for batch in receiver {
                for garbage in batch {
                    let bytes = garbage.bytes();
                    drop(garbage);
                    theirs.pending.fetch_sub(1, Relaxed);
                    theirs.pending_bytes.fetch_sub(bytes, Relaxed);
                    theirs.freed.fetch_add(1, Relaxed);
                }
            }
        })?;
        Ok(Self { sender, counts })
    }

    /// Hands something over.
    pub(super) fn free(&self, garbage: Vec<Garbage>) {
        let bytes = bytes_of(&garbage);
        self.counts.pending.fetch_add(garbage.len(), Relaxed);
        self.counts.pending_bytes.fetch_add(bytes, Relaxed);
        if let Err(refused) = self.sender.send(garbage) {
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

fn bytes_of(garbage: &[Garbage]) -> usize {
    garbage.iter().map(Garbage::bytes).sum()
}
