//! Workers for reads that take long: a few threads, which start when there is work for them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::engine::away::{LongRead, Returned};

use super::clock::Clock;
use super::host::SharedHost;
use super::pace::Pace;
use super::process;

/// Reads under way at a time. More would only share the processors; each holds a snapshot and a
/// reply.
const WORKERS_MAX: usize = 4;

/// How readily workers leave the processor to the thread that serves everybody.
const NICENESS: i32 = 10;

/// The engine's way to the workers.
#[derive(Debug)]
pub(super) struct Readers {
    desk: Rc<RefCell<Desk>>,
}

/// The way back.
#[derive(Debug)]
pub(super) struct Returns {
    desk: Rc<RefCell<Desk>>,
    inbox: UnboundedReceiver<(WorkerIndex, Returned)>,
}

type WorkerIndex = usize;

/// Who does what. The clients that wait are the bound of the queue.
#[derive(Debug)]
struct Desk {
    waiting: VecDeque<LongRead>,
    workers: Vec<Sender<LongRead>>,
    idle: Vec<WorkerIndex>,
    outbox: UnboundedSender<(WorkerIndex, Returned)>,
    clock: Clock,
}

/// Both ways.
pub(super) fn open(clock: Clock) -> (Readers, Returns) {
    let (outbox, inbox) = unbounded_channel();
    let (waiting, workers, idle) = (VecDeque::new(), Vec::new(), Vec::new());
    let desk = Rc::new(RefCell::new(Desk { waiting, workers, idle, outbox, clock }));
    (Readers { desk: Rc::clone(&desk) }, Returns { desk, inbox })
}

impl Readers {
    /// Has a read done, sooner or later.
    pub(super) fn take(&self, read: LongRead) {
        let mut desk = self.desk.borrow_mut();
        desk.waiting.push_back(read);
        desk.distribute();
    }
}

impl Desk {
    fn distribute(&mut self) {
        // Whose client has gone must not hold its snapshot until its turn.
        self.waiting.retain(LongRead::is_wanted);
        while !self.waiting.is_empty() {
            let Some(index) = self.idle.pop().or_else(|| self.hire()) else { return };
            let Some(read) = self.waiting.pop_front() else { return };
            // A worker ends only with the process.
            let _ = self.workers[index].send(read);
        }
    }

    /// One more worker, unless there are enough of them.
    fn hire(&mut self) -> Option<WorkerIndex> {
        let index = self.workers.len();
        if index >= WORKERS_MAX {
            return None;
        }
        let (sender, receiver) = channel();
        let (outbox, clock) = (self.outbox.clone(), self.clock);
        let hired = thread::Builder::new()
            .name(format!("read_{index}"))
            .spawn(move || work(index, &receiver, &outbox, clock));
        if let Err(error) = hired {
            tracing::warn!("Can't start a thread for long reads: {error}");
            if index > 0 {
                return None;
            }
            // Nobody else can do it, so it is done here.
            while let Some(read) = self.waiting.pop_front() {
                let _ = self.outbox.send((usize::MAX, read.run(|| clock.ticks())));
            }
            return None;
        }
        self.workers.push(sender);
        Some(index)
    }
}

fn work(
    index: WorkerIndex,
    inbox: &Receiver<LongRead>,
    outbox: &UnboundedSender<(WorkerIndex, Returned)>,
    clock: Clock,
) {
    process::be_nice(NICENESS);
    for read in inbox {
        let pace = Pace::begin();
        let done = catch_unwind(AssertUnwindSafe(|| read.run(|| clock.ticks())));
        // As in the engine: data that are wrong are worse than data that are away.
        let Ok(returned) = done else { std::process::abort() };
        drop(pace);
        if outbox.send((index, returned)).is_err() {
            return;
        }
    }
}

/// Hands outcomes to the engine, for ever.
pub(super) async fn bring_back(host: SharedHost, mut returns: Returns) {
    while let Some((index, returned)) = returns.inbox.recv().await {
        {
            let mut desk = returns.desk.borrow_mut();
            if index < desk.workers.len() {
                desk.idle.push(index);
            }
            desk.distribute();
        }
        let mut host = host.borrow_mut();
        host.begin_turn();
        host.engine.come_back(returned);
        host.end_turn();
    }
}
