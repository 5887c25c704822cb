//! `io-threads N`: sockets on threads of their own, the engine on another.
//!
//! An I/O thread owns its connections: it reads, decodes and writes. Whole batches travel to the
//! engine's thread and outputs come back. A connection has one batch under way at most, so its
//! order is kept and the channels hold no more than one batch per connection; what is pushed to a
//! connection counts towards its output-buffer limit. That is their bound.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::base::limits::{OUTPUT_PAUSE_BYTES, SEND_TURN_BYTES};
use crate::engine::client::{Client, ClientKey};
use crate::engine::dispatch::Next;
use crate::protocol::decode::DecodeLimits;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Output;

use super::host::{Host, SharedHost};
use super::reader::{Reader, SCRATCH_BYTES, Work};
use super::socket::{Fresh, Socket, wake_after_others};

/// Messages the engine takes in before it answers: one reading of the clocks serves them all.
const INBOUND_AT_ONCE: usize = 256;

/// From an I/O thread to the engine.
#[derive(Debug)]
enum Inbound {
    /// Complete requests of one connection.
    Batch { key: ClientKey, work: Work, received: usize, holdings: (usize, usize, usize) },
    /// What was received is not RESP.
    ProtocolError { key: ClientKey, error: ReplyError },
    /// The connection has sent so many bytes.
    Sent { key: ClientKey, bytes: usize },
    /// The connection holds more than `client-query-buffer-limit`.
    QueryLimit { key: ClientKey },
    /// The connection is gone.
    Closed { key: ClientKey },
}

/// What a connection is told once the log is written: the output of one turn, and behind it that
/// its batch is done.
#[derive(Debug)]
pub(super) struct Delayed {
    key: ClientKey,
    done: Option<Message>,
}

/// From the engine to an I/O thread.
#[derive(Debug)]
enum Outbound {
    /// A connection to own.
    Own { key: ClientKey, stream: Fresh, is_trusted: bool },
    /// For one of its connections.
    To(ClientKey, Message),
}

/// From the engine to a connection.
#[derive(Debug)]
enum Message {
    /// Replies or pushes.
    Output(Output),
    /// A batch came back: how many of its requests are done, and how the connection goes on.
    Done { work: Work, done: usize, next: Next, is_trusted: bool },
    /// The client was told to go.
    Close { at_once: bool },
    /// Reading may go on.
    Resume,
}

/// Directives that the I/O threads obey, read with every batch.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// `proto-max-bulk-len`.
    pub bulk_len_max: AtomicU64,
    /// `client-query-buffer-limit`.
    pub query_bytes_max: AtomicU64,
}

/// The I/O threads, as the engine's thread sees them.
#[derive(Debug)]
pub(super) struct IoThreads {
    outbound: Vec<UnboundedSender<Outbound>>,
    next: usize,
    /// Directives for them.
    pub shared: Arc<Shared>,
}

impl IoThreads {
    /// Starts `count` threads and the task that serves what they send.
    pub(super) fn start(count: usize, host: &SharedHost) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (to_engine, from_threads) = unbounded_channel();
        let mut outbound = Vec::new();
        for index in 0..count {
            let (sender, receiver) = unbounded_channel();
            let (to_engine, shared) = (to_engine.clone(), Arc::clone(&shared));
            std::thread::Builder::new()
                .name(format!("io_thd_{}", index + 1))
                .spawn(move || run(receiver, to_engine, shared))?;
            outbound.push(sender);
        }
        tokio::task::spawn_local(serve(Rc::clone(host), from_threads));
        Ok(Self { outbound, next: 0, shared })
    }

    /// Which thread the next connection goes to.
    pub(super) fn choose(&mut self) -> usize {
        self.next = (self.next + 1) % self.outbound.len();
        self.next
    }

    /// Hands a connection over.
    pub(super) fn own(&self, thread: usize, key: ClientKey, stream: Fresh, is_trusted: bool) {
        self.post(thread, Outbound::Own { key, stream, is_trusted });
    }

    /// Tells a connection that its client is to go.
    pub(super) fn close(&self, thread: usize, key: ClientKey, at_once: bool) {
        self.post(thread, Outbound::To(key, Message::Close { at_once }));
    }

    /// Lets a connection read again.
    pub(super) fn resume(&self, thread: usize, key: ClientKey) {
        self.post(thread, Outbound::To(key, Message::Resume));
    }

    fn post(&self, thread: usize, message: Outbound) {
        // A thread that has gone takes its connections with it; the process is ending then.
        let _ = self.outbound[thread].send(message);
    }
}

/// The engine's side: takes in what has come, serves it, sends the outputs.
async fn serve(host: SharedHost, mut inbound: UnboundedReceiver<Inbound>) {
    let mut taken = Vec::with_capacity(INBOUND_AT_ONCE);
    while inbound.recv_many(&mut taken, INBOUND_AT_ONCE).await > 0 {
        let mut host = host.borrow_mut();
        host.begin_turn();
        for message in taken.drain(..) {
            host.take_in(message);
        }
        host.end_turn();
    }
}

impl Host {
    fn take_in(&mut self, message: Inbound) {
        match message {
            Inbound::Batch { key, work, received, holdings: (waiting, free, aside) } => {
                self.engine.count_received(key, received, waiting, free, aside);
                let served = self.engine.serve(key, &work.bytes, &work.batch);
                let Some(client) = self.engine.clients.get(key) else { return };
                let is_trusted = client.is_authenticated;
                let done =
                    Message::Done { work, done: served.requests, next: served.next, is_trusted };
                self.tell(Delayed { key, done: Some(done) });
            }
            Inbound::ProtocolError { key, error } => {
                self.engine.protocol_error(key, &error);
                self.tell(Delayed { key, done: None });
            }
            Inbound::Sent { key, bytes } => {
                self.engine.count_sent(key, bytes);
                if let Some(client) = self.engine.clients.get_mut(key) {
                    client.output_in_flight = client.output_in_flight.saturating_sub(bytes);
                }
            }
            Inbound::QueryLimit { key } => self.engine.query_limit_reached(key),
            Inbound::Closed { key } => self.engine.disconnect(key),
        }
    }

    /// Tells a connection what came of its batch, but not before the log is written.
    fn tell(&mut self, delayed: Delayed) {
        if self.engine.log_is_behind() {
            self.delayed.push(delayed);
        } else {
            self.tell_now(delayed);
        }
    }

    fn tell_now(&mut self, Delayed { key, done }: Delayed) {
        self.hand_over(key);
        let Some(client) = self.engine.clients.get(key) else { return };
        let thread = thread_of(client);
        if let Some(done) = done {
            self.io_threads(|threads| threads.post(thread, Outbound::To(key, done)));
        }
    }

    /// The log is written: tells what waited for it.
    pub(super) fn send_delayed(&mut self) {
        for delayed in std::mem::take(&mut self.delayed) {
            self.tell_now(delayed);
        }
    }

    /// Moves a client's output to the thread that owns its socket.
    pub(super) fn hand_over(&mut self, key: ClientKey) {
        let Some(output) = self.engine.output(key) else { return };
        if output.is_empty() {
            return;
        }
        let output = std::mem::take(output);
        let Some(client) = self.engine.clients.get_mut(key) else { return };
        client.output_in_flight += output.len();
        let thread = thread_of(client);
        self.io_threads(|threads| threads.post(thread, Outbound::To(key, Message::Output(output))));
    }

    fn io_threads(&self, use_them: impl FnOnce(&IoThreads)) {
        if let Some(threads) = &self.threads {
            use_them(threads);
        }
    }
}

/// Index of the thread that owns a client's socket; CLIENT LIST counts from 1.
pub(super) fn thread_of(client: &Client) -> usize {
    usize::from(client.origin.io_thread).saturating_sub(1)
}

/// One I/O thread.
fn run(inbox: UnboundedReceiver<Outbound>, engine: UnboundedSender<Inbound>, shared: Arc<Shared>) {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
    match runtime {
        Ok(runtime) => runtime.block_on(distribute(inbox, engine, shared)),
        Err(error) => tracing::error!("An I/O thread can't start its event loop: {error}"),
    }
}

/// Receives what the engine sends and gives it to the connections.
async fn distribute(
    mut inbox: UnboundedReceiver<Outbound>,
    engine: UnboundedSender<Inbound>,
    shared: Arc<Shared>,
) {
    let mut lines: Vec<Option<Rc<Line>>> = Vec::new();
    let scratch = Rc::new(RefCell::new(vec![0; SCRATCH_BYTES]));
    while let Some(message) = inbox.recv().await {
        match message {
            Outbound::Own { key, stream, is_trusted } => {
                let Ok(socket) = Socket::from_fresh(stream) else {
                    // The reactor refuses it: the client is told that it has gone.
                    let _ = engine.send(Inbound::Closed { key });
                    continue;
                };
                let line = Rc::new(Line::default());
                let index = key.0 as usize;
                if lines.len() <= index {
                    lines.resize_with(index + 1, || None);
                }
                lines[index] = Some(Rc::clone(&line));
                tokio::task::spawn_local(Remote {
                    socket,
                    line,
                    key,
                    engine: engine.clone(),
                    shared: Arc::clone(&shared),
                    scratch: Rc::clone(&scratch),
                    reader: Reader::default(),
                    spare: Some(Work::default()),
                    output: Output::default(),
                    received: 0,
                    is_trusted,
                    held: None,
                    is_closing: false,
                });
            }
            Outbound::To(key, message) => {
                if let Some(Some(line)) = lines.get(key.0 as usize) {
                    line.deliver(message);
                }
            }
        }
    }
}

/// Where a connection's messages lie until its task looks.
#[derive(Debug, Default)]
struct Line {
    messages: RefCell<Vec<Message>>,
    waker: RefCell<Option<Waker>>,
}

impl Line {
    fn deliver(&self, message: Message) {
        self.messages.borrow_mut().push(message);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// A connection on an I/O thread.
struct Remote {
    socket: Socket,
    line: Rc<Line>,
    key: ClientKey,
    engine: UnboundedSender<Inbound>,
    shared: Arc<Shared>,
    scratch: Rc<RefCell<Vec<u8>>>,
    reader: Reader,
    /// Buffers for the next batch; away while one is under way.
    spare: Option<Work>,
    output: Output,
    received: usize,
    is_trusted: bool,
    /// Requests that the engine has put off.
    held: Option<Work>,
    is_closing: bool,
}

/// Why a connection's task ends.
struct Ended;

impl Future for Remote {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.turn(cx).is_ok() {
            *this.line.waker.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        // Without an engine there is nobody to tell.
        let _ = this.engine.send(Inbound::Closed { key: this.key });
        Poll::Ready(())
    }
}

impl Remote {
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<(), Ended> {
        for message in self.line.messages.take() {
            self.heed(message)?;
        }
        loop {
            let is_sent = self.send(cx)?;
            if self.is_closing && is_sent && self.spare.is_some() {
                return Err(Ended);
            }
            let is_overfull = !is_sent && self.output.len() > OUTPUT_PAUSE_BYTES;
            if self.is_closing || is_overfull || self.spare.is_none() {
                return Ok(());
            }
            let scratch = Rc::clone(&self.scratch);
            let mut scratch = scratch.borrow_mut();
            if self.held.is_some() {
                match self.reader.poll_receive_aside(&mut self.socket, &mut scratch, cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Err(_) | Ok(0)) => return Err(Ended),
                    Poll::Ready(Ok(count)) => self.received += count,
                }
                continue;
            }
            if self.submit(&scratch)? {
                continue;
            }
            match self.reader.poll_receive(&mut self.socket, &mut scratch, cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(_) | Ok(0)) => return Err(Ended),
                Poll::Ready(Ok(count)) => self.received += count,
            }
            self.submit(&scratch)?;
        }
    }

    fn heed(&mut self, message: Message) -> Result<(), Ended> {
        match message {
            Message::Output(mut output) => self.output.append(&mut output),
            Message::Done { work, done, next, is_trusted } => {
                match next {
                    Next::Read => {}
                    Next::Hold => self.held = Some(Work::rest_of(&work.bytes, &work.batch, done)),
                    Next::Close => self.is_closing = true,
                }
                self.is_trusted = is_trusted;
                self.spare = Some(work);
            }
            Message::Close { at_once: true } => return Err(Ended),
            Message::Close { at_once: false } => self.is_closing = true,
            Message::Resume => {
                if let Some(work) = self.held.take() {
                    self.spare = None;
                    let holdings = self.reader.holdings();
                    self.tell(Inbound::Batch { key: self.key, work, received: 0, holdings })?;
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, cx: &mut Context<'_>) -> Result<bool, Ended> {
        let mut left = SEND_TURN_BYTES;
        while !self.output.is_empty() {
            if left == 0 {
                wake_after_others(cx);
                return Ok(false);
            }
            match self.socket.poll_send(cx, &mut self.output) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => return Err(Ended),
                Poll::Ready(Ok(bytes)) => {
                    left = left.saturating_sub(bytes);
                    self.tell(Inbound::Sent { key: self.key, bytes })?;
                }
            }
        }
        Ok(true)
    }

    /// Sends the complete requests among what was received to the engine; whether there were any.
    fn submit(&mut self, scratch: &[u8]) -> Result<bool, Ended> {
        let Some(mut work) = self.spare.take() else { return Ok(false) };
        let limits = DecodeLimits {
            bulk_len_max: usize::try_from(self.shared.bulk_len_max.load(Relaxed))
                .unwrap_or(usize::MAX),
            is_trusted: self.is_trusted,
        };
        let decoded = self.reader.decode(scratch, 0, &limits, &mut work.batch);
        let has_requests = !work.batch.requests.is_empty();
        if has_requests {
            self.reader.take_served(scratch, decoded.consumed, &mut work.bytes);
            let (received, holdings) = (std::mem::take(&mut self.received), self.reader.holdings());
            self.tell(Inbound::Batch { key: self.key, work, received, holdings })?;
        } else {
            self.reader.drop_served(scratch, decoded.consumed);
            self.spare = Some(work);
        }
        if let Some(error) = decoded.error {
            self.tell(Inbound::ProtocolError { key: self.key, error })?;
            self.is_closing = true;
        }
        if self.reader.query_bytes() as u64 > self.shared.query_bytes_max.load(Relaxed) {
            self.tell(Inbound::QueryLimit { key: self.key })?;
            return Err(Ended);
        }
        Ok(has_requests)
    }

    fn tell(&self, message: Inbound) -> Result<(), Ended> {
        self.engine.send(message).map_err(|_| Ended)
    }
}
