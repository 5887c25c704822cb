//! The engine with the shell of its thread: the clock, the scratch buffers, the lines to the
//! connections' tasks. All of them share one thread, so a task calls the engine directly.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::Notify;

use crate::base::time::UnixMillis;
use crate::engine::client::{ClientFlags, ClientKey};
use crate::engine::{Effect, Engine};
use crate::protocol::request::Batch;

use super::clock::Clock;
use super::io_threads::{Delayed, IoThreads, thread_of};
use super::line::{self, Line};
use super::reader::SCRATCH_BYTES;
use super::socket::Fresh;

/// Engine and shell.
#[derive(Debug)]
pub(super) struct Host {
    pub engine: Engine,
    pub clock: Clock,
    /// Decoder's scratch.
    pub batch: Batch,
    /// Read buffer of connections that have no partial request.
    pub scratch: Vec<u8>,
    lines: Vec<Option<Rc<Line>>>,
    /// The I/O threads, when sockets are not on this thread.
    pub threads: Option<IoThreads>,
    /// Wakes the timer's task when something is due earlier than it knows.
    pub timer: Rc<Notify>,
    /// What the timer's task waits for.
    pub timer_due: Option<UnixMillis>,
    /// Clients with output that they didn't ask for, to be sent when nothing else is ready.
    pub pushes: Vec<ClientKey>,
    /// Their task has been woken.
    is_sending: bool,
    /// Wakes the task that sends it.
    pub pushed: Rc<Notify>,
    /// Wakes the scripts' task when one has to go on later.
    pub script_paused: Rc<Notify>,
    /// Clients with output that must not leave before the log is written.
    uncommitted: Vec<ClientKey>,
    /// What the I/O threads are told once the log is written.
    pub delayed: Vec<Delayed>,
    /// Wakes the task that writes the log.
    pub commit_wanted: Rc<Notify>,
    is_committing: bool,
    /// Wakes the main task when the process is to end.
    pub ending: Rc<Notify>,
}

/// The host as its thread's tasks share it.
pub(super) type SharedHost = Rc<RefCell<Host>>;

impl Host {
    pub(super) fn new(engine: Engine, clock: Clock) -> Self {
        Self {
            engine,
            clock,
            batch: Batch::default(),
            scratch: vec![0; SCRATCH_BYTES],
            lines: Vec::new(),
            threads: None,
            timer: Rc::new(Notify::new()),
            timer_due: None,
            pushes: Vec::new(),
            is_sending: false,
            pushed: Rc::new(Notify::new()),
            script_paused: Rc::new(Notify::new()),
            uncommitted: Vec::new(),
            delayed: Vec::new(),
            commit_wanted: Rc::new(Notify::new()),
            is_committing: false,
            ending: Rc::new(Notify::new()),
        }
    }

    /// Reads the clocks for what follows.
    pub(super) fn begin_turn(&mut self) {
        self.engine.now = self.clock.now();
    }

    /// Performs what the turn asked for, and sees to it that what is due is done in time.
    pub(super) fn end_turn(&mut self) {
        if self.threads.is_some() {
            self.engine.deliver();
            // Nobody is told anything before the log is written, once for the whole turn.
            self.engine.write_log();
            self.send_delayed();
        } else if self.engine.log_is_behind() {
            self.want_commit();
        }
        if self.engine.has_effects() {
            for effect in self.engine.take_effects() {
                match effect {
                    Effect::Send(key) => self.raise(key, line::SEND),
                    Effect::Deliver => self.note_push(None),
                    Effect::Close(key) => self.raise(key, line::CLOSE),
                    Effect::Resume(key) => self.raise(key, line::RESUME),
                    Effect::Relax(key) => self.raise(key, line::RELAX),
                    Effect::Configured => self.obey_config(),
                    Effect::Shutdown => self.ending.notify_one(),
                }
            }
        }
        if self.engine.has_paused_script() {
            self.script_paused.notify_one();
        }
        if let Some(due) = self.engine.next_due()
            && self.timer_due.is_none_or(|known| due < known)
        {
            self.timer_due = Some(due);
            self.timer.notify_one();
        }
    }

    /// Tells the I/O threads the directives that they obey.
    pub(super) fn obey_config(&self) {
        if let Some(threads) = &self.threads {
            let config = &self.engine.config;
            threads.shared.bulk_len_max.store(config.proto_max_bulk_len.0, Relaxed);
            threads.shared.query_bytes_max.store(config.client_query_buffer_limit.0, Relaxed);
        }
    }

    /// Whether a client's output may leave: not before everything is in the log that was changed
    /// before it. If not, its connection is told when it may.
    #[inline]
    pub(super) fn may_send(&mut self, key: ClientKey) -> bool {
        if !self.engine.log_is_behind() {
            return true;
        }
        self.uncommitted.push(key);
        self.want_commit();
        false
    }

    #[cold]
    fn want_commit(&mut self) {
        if !std::mem::replace(&mut self.is_committing, true) {
            self.commit_wanted.notify_one();
        }
    }

    /// Writes the log, synced if the policy says so, and lets the outputs go that waited for it;
    /// says how many those were.
    pub(super) fn commit(&mut self) -> usize {
        self.is_committing = false;
        self.engine.write_log();
        let waited = std::mem::take(&mut self.uncommitted);
        for key in &waited {
            if let Some(Some(line)) = self.lines.get(key.0 as usize) {
                line.raise(line::SEND);
            }
        }
        waited.len()
    }

    /// How many outputs wait for the log.
    pub(super) fn uncommitted_count(&self) -> usize {
        self.uncommitted.len()
    }

    /// Connects a task to a client.
    pub(super) fn attach(&mut self, key: ClientKey) -> Rc<Line> {
        let index = key.0 as usize;
        if self.lines.len() <= index {
            self.lines.resize_with(index + 1, || None);
        }
        let line = Rc::new(Line::default());
        self.lines[index] = Some(Rc::clone(&line));
        line
    }

    /// The task is over.
    pub(super) fn detach(&mut self, key: ClientKey) {
        self.engine.disconnect(key);
        self.lines[key.0 as usize] = None;
    }

    /// Gives a connection to an I/O thread.
    pub(super) fn hand_to_thread(&mut self, thread: usize, key: ClientKey, stream: Fresh) {
        let is_trusted = self.engine.clients.get(key).is_some_and(|client| client.is_authenticated);
        if let Some(threads) = &self.threads {
            threads.own(thread, key, stream, is_trusted);
        }
    }

    /// Has the connections send what was pushed to them.
    pub(super) fn flush_pushes(&mut self) {
        self.engine.deliver();
        self.end_turn();
        self.is_sending = false;
        for key in std::mem::take(&mut self.pushes) {
            if let Some(Some(line)) = self.lines.get(key.0 as usize) {
                line.raise(line::SEND);
            }
        }
    }

    /// How many clients wait for what was pushed to them, about.
    pub(super) fn awaiting(&self) -> usize {
        self.pushes.len() + self.engine.awaiting_delivery()
    }

    fn note_push(&mut self, key: Option<ClientKey>) {
        self.pushes.extend(key);
        if !std::mem::replace(&mut self.is_sending, true) {
            self.pushed.notify_one();
        }
    }

    fn raise(&mut self, key: ClientKey, signal: u8) {
        let Some(threads) = &self.threads else {
            if signal == line::SEND {
                self.note_push(Some(key));
                return;
            }
            if let Some(Some(line)) = self.lines.get(key.0 as usize) {
                line.raise(signal);
            }
            return;
        };
        let Some(client) = self.engine.clients.get(key) else { return };
        let thread = thread_of(client);
        match signal {
            line::CLOSE => {
                let at_once = client.flags.has(ClientFlags::CLOSE_ASAP);
                threads.close(thread, key, at_once);
            }
            line::RESUME => threads.resume(thread, key),
            line::SEND => self.hand_over(key),
            _ => {}
        }
    }
}
