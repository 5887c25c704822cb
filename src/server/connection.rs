//! A connection's task on the engine's own thread: read, decode, call the engine, send.
//!
//! A turn costs one read and one write, whatever the depth of the pipeline.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::base::limits::{OUTPUT_PAUSE_BYTES, SEND_TURN_BYTES};
use crate::engine::client::{ClientFlags, ClientKey};
use crate::engine::dispatch::Next;
use crate::protocol::decode::DecodeLimits;
use crate::structures::size_class::size_class;

use super::host::{Host, SharedHost};
use super::line::{self, Line};
use super::reader::{Reader, Work};
use super::socket::{Socket, wake_after_others};

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    host: SharedHost,
    socket: Socket,
    line: Rc<Line>,
    key: ClientKey,
    reader: Reader,
    /// Requests that the engine has put off.
    held: Option<Work>,
    is_closing: bool,
}

/// Bytes that a connection takes: its task with the runtime's head, the line to it, and what the
/// runtime knows of its socket.
pub(super) const TASK_BYTES: usize = size_class(size_of::<Connection>() + TASK_HEAD_BYTES)
    + size_class(size_of::<Line>() + 16)
    + SOCKET_BYTES;

/// Of tokio's tasks.
const TASK_HEAD_BYTES: usize = 128;
/// Of a socket registered with tokio.
const SOCKET_BYTES: usize = 256;

/// The connection is over.
struct Ended;

impl Connection {
    /// A connection of a client that the engine has just been told of.
    pub(super) fn new(host: SharedHost, socket: Socket, line: Rc<Line>, key: ClientKey) -> Self {
        let reader = Reader::default();
        Self { host, socket, line, key, reader, held: None, is_closing: false }
    }

    /// Does all that can be done without waiting.
    fn turn(&mut self, host: &mut Host, cx: &mut Context<'_>) -> Result<(), Ended> {
        self.heed(host)?;
        loop {
            let is_sent = self.send(host, cx)?;
            if self.is_closing {
                return if is_sent { Err(Ended) } else { Ok(()) };
            }
            if !is_sent && self.is_overfull(host) {
                return Ok(());
            }
            if self.held.is_some() {
                let (socket, scratch) = (&mut self.socket, &mut host.scratch);
                match self.reader.poll_receive_aside(socket, scratch, cx) {
                    Poll::Pending => return Ok(()),
                    Poll::Ready(Err(_) | Ok(0)) => return Err(Ended),
                    Poll::Ready(Ok(count)) => self.report(host, count),
                }
                continue;
            }
            match self.reader.poll_receive(&mut self.socket, &mut host.scratch, cx) {
                Poll::Pending => {
                    if self.reader.has_pending() {
                        // Room was made for what is still to come.
                        self.report(host, 0);
                    }
                    return Ok(());
                }
                Poll::Ready(Err(_) | Ok(0)) => return Err(Ended),
                Poll::Ready(Ok(count)) => self.serve(host, count)?,
            }
        }
    }

    /// Acts on what the engine's side has signalled.
    fn heed(&mut self, host: &mut Host) -> Result<(), Ended> {
        let signals = self.line.take();
        if signals & line::CLOSE != 0 {
            let client = host.engine.clients.get(self.key);
            if client.is_none_or(|client| client.flags.has(ClientFlags::CLOSE_ASAP)) {
                return Err(Ended);
            }
            self.is_closing = true;
        }
        if signals & line::RELAX != 0 {
            self.reader.relax();
            self.report(host, 0);
        }
        if signals & line::RESUME != 0 {
            self.go_on(host)?;
        }
        Ok(())
    }

    /// Sends what waits; whether everything is sent. Others are let in between.
    fn send(&mut self, host: &mut Host, cx: &mut Context<'_>) -> Result<bool, Ended> {
        let mut left = SEND_TURN_BYTES;
        loop {
            let Some(output) = host.engine.output(self.key) else { return Err(Ended) };
            if output.is_empty() {
                return Ok(true);
            }
            if left == 0 {
                wake_after_others(cx);
                return Ok(false);
            }
            if !host.may_send(self.key) {
                return Ok(false);
            }
            let Some(output) = host.engine.output(self.key) else { return Err(Ended) };
            match self.socket.poll_send(cx, output) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => return Err(Ended),
                Poll::Ready(Ok(sent)) => {
                    host.engine.count_sent(self.key, sent);
                    left = left.saturating_sub(sent);
                }
            }
        }
    }

    /// Whether so much waits to be sent that nothing more is read.
    fn is_overfull(&self, host: &Host) -> bool {
        let client = host.engine.clients.get(self.key);
        client.is_some_and(|client| client.output_bytes() > OUTPUT_PAUSE_BYTES)
    }

    /// Serves everything complete among the pending bytes and the `received` ones.
    fn serve(&mut self, host: &mut Host, received: usize) -> Result<(), Ended> {
        let mut served = 0;
        loop {
            let Host { engine, batch, scratch, .. } = host;
            let Some(client) = engine.clients.get(self.key) else { return Err(Ended) };
            let limits = DecodeLimits {
                bulk_len_max: engine.bulk_len_max(),
                is_trusted: client.is_authenticated,
            };
            let decoded = self.reader.decode(scratch, served, &limits, batch);
            if !batch.requests.is_empty() {
                let bytes = &self.reader.bytes(scratch)[served..];
                let outcome = engine.serve(self.key, bytes, batch);
                if outcome.next == Next::Hold {
                    self.held = Some(Work::rest_of(bytes, batch, outcome.requests));
                }
                self.is_closing |= outcome.next == Next::Close;
            }
            served += decoded.consumed;
            if let Some(error) = &decoded.error {
                engine.protocol_error(self.key, error);
                self.is_closing = true;
            }
            if self.held.is_some() || self.is_closing || !decoded.has_more() {
                break;
            }
        }
        self.reader.drop_served(&host.scratch, served);
        self.report(host, received);
        let limit = host.engine.config.client_query_buffer_limit.0;
        if self.reader.query_bytes() as u64 > limit {
            host.engine.query_limit_reached(self.key);
            return Err(Ended);
        }
        Ok(())
    }

    /// Serves what was held back, then what came behind it.
    fn go_on(&mut self, host: &mut Host) -> Result<(), Ended> {
        let Some(work) = self.held.take() else { return Ok(()) };
        let outcome = host.engine.serve(self.key, &work.bytes, &work.batch);
        match outcome.next {
            Next::Hold => {
                self.held = Some(Work::rest_of(&work.bytes, &work.batch, outcome.requests));
                Ok(())
            }
            Next::Close => {
                self.is_closing = true;
                Ok(())
            }
            Next::Read => self.serve(host, 0),
        }
    }

    /// Tells the engine what the connection holds.
    fn report(&self, host: &mut Host, received: usize) {
        let (waiting, free, aside) = self.reader.holdings();
        host.engine.count_received(self.key, received, waiting, free, aside);
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let host = Rc::clone(&this.host);
        let mut host = host.borrow_mut();
        host.begin_turn();
        let outcome = this.turn(&mut host, cx);
        if outcome.is_err() {
            host.detach(this.key);
        } else {
            this.line.park(cx.waker());
        }
        host.end_turn();
        if outcome.is_err() { Poll::Ready(()) } else { Poll::Pending }
    }
}
