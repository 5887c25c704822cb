//! SIGTERM and SIGINT. They are taken in on a thread of their own: while the engine's thread saves
//! for the end, a second SIGINT must be able to say that nobody wants to wait.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::engine::persist::shutdown::EndSignal;

use super::saver;

/// Exit code of a process that did not wait for its data to be saved.
const INSISTED: i32 = 1;

/// The signals, as the main task hears of them.
#[derive(Debug)]
pub(super) struct Signals {
    received: UnboundedReceiver<EndSignal>,
    /// One has been taken up, and what follows from it is being done.
    is_ending: Arc<AtomicBool>,
}

impl Signals {
    /// From now on they end nothing by themselves.
    pub(super) fn catch() -> io::Result<Self> {
        let (sender, received) = unbounded_channel();
        let is_ending = Arc::new(AtomicBool::new(false));
        let known = Arc::clone(&is_ending);
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let (terminate, interrupt) = {
            let _inside = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || runtime.block_on(pass_on(terminate, interrupt, sender, known)))?;
        Ok(Self { received, is_ending })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> EndSignal {
        match self.received.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }

    /// The process goes on: the next signal is a first one again.
    pub(super) fn settle(&self) {
        self.is_ending.store(false, Relaxed);
    }
}

async fn pass_on(
    mut terminate: Signal,
    mut interrupt: Signal,
    sender: UnboundedSender<EndSignal>,
    is_ending: Arc<AtomicBool>,
) {
    loop {
        let signal = tokio::select! {
            Some(()) = terminate.recv() => EndSignal::Terminate,
            Some(()) = interrupt.recv() => EndSignal::Interrupt,
            else => return,
        };
        if is_ending.swap(true, Relaxed) && signal == EndSignal::Interrupt {
            tracing::warn!("You insist... exiting now.");
            saver::remove_own_temporaries();
            std::process::exit(INSISTED);
        }
        if sender.send(signal).is_err() {
            return;
        }
    }
}
