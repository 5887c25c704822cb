//! Threads beside the engine's, for what would hold it up.

use std::sync::mpsc::{Sender, channel};

use crate::keyspace::graveyard::Garbage;

/// Starts the thread that frees large values, tables and databases. It ends with its sender; when
/// it can't be started, the sender frees.
pub(super) fn start_freeing() -> Sender<Garbage> {
    let (sender, receiver) = channel::<Garbage>();
    let started = std::thread::Builder::new()
        .name("bio_lazy_free".into())
        .spawn(move || receiver.into_iter().for_each(drop));
    if let Err(error) = started {
        tracing::warn!("The freeing thread can't be started: {error}");
    }
    sender
}
