//! The receiving half of a connection: bytes from the socket to batches of requests.
//!
//! Idle connections hold no buffer. Bytes are read into the thread's scratch buffer and decoded
//! there; only what is left of an incomplete request moves into `pending`. A large bulk is read
//! straight into its own allocation.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use crate::protocol::decode::{DecodeLimits, Decoded, Decoder};
use crate::protocol::request::{Batch, Request, Span};

use super::socket::Socket;

/// Bytes of a thread's scratch buffer: what is read at once.
pub(super) const SCRATCH_BYTES: usize = 64 * 1024;
/// Room that is made behind pending bytes, at least.
const PENDING_ROOM: usize = 16 * 1024;
/// Bytes that are read from a connection whose requests are put off. It is read from only so that
/// its end is seen.
const HELD_BYTES_MAX: usize = 1024 * 1024;
/// Capacity that a connection keeps when nothing is pending.
const PENDING_KEPT: usize = 64 * 1024;

/// Requests with bytes of their own: on their way to the engine's thread, or held back.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Complete requests.
    pub bytes: Vec<u8>,
    /// Where they are.
    pub batch: Batch,
}

impl Work {
    /// What is left of a batch of which `done` requests were served. O(what is left).
    pub(super) fn rest_of(bytes: &[u8], batch: &Batch, done: usize) -> Self {
        let requests = &batch.requests[done..];
        let start = if done == 0 { 0 } else { batch.requests[done - 1].ends_at };
        let end = requests.last().map_or(start, |request| request.ends_at);
        let first = requests.first().map_or(batch.spans.len(), |request| request.first as usize);
        let spans = batch.spans[first..].iter().map(|span| match span.start {
            Span::LARGE => *span,
            position => Span { start: position - start, end: span.end - start },
        });
        let mut rest = Batch { spans: spans.collect(), ..Batch::default() };
        rest.large.clone_from(&batch.large);
        rest.requests.extend(requests.iter().map(|request| Request {
            first: request.first - batch.requests[done].first,
            ends_at: request.ends_at - start,
            ..*request
        }));
        Self { bytes: bytes[start as usize..end as usize].to_vec(), batch: rest }
    }
}

/// A connection's receiving half.
#[derive(Debug, Default)]
pub(super) struct Reader {
    decoder: Decoder,
    /// Received and not yet served.
    pending: Vec<u8>,
    /// Bytes in the scratch buffer that came with the last read.
    fresh: usize,
    /// What the decoder is waiting for.
    missing: usize,
}

impl Reader {
    /// Reads once. 0 is the end of the stream.
    pub(super) fn poll_receive(
        &mut self,
        socket: &mut Socket,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Some((bytes, missing)) = self.decoder.large_target() {
            return socket.poll_append(cx, bytes, missing);
        }
        if self.pending.is_empty() {
            self.fresh = ready!(socket.poll_read(cx, &mut ReadBuf::new(scratch)))?;
            return Poll::Ready(Ok(self.fresh));
        }
        self.pending.reserve(self.missing.max(PENDING_ROOM));
        socket.poll_append(cx, &mut self.pending, usize::MAX)
    }

    /// Reads once for later, while requests are put off. 0 is the end of the stream. When enough
    /// is there already, nothing is read before the requests go on.
    pub(super) fn poll_receive_aside(
        &mut self,
        socket: &mut Socket,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.query_bytes() >= HELD_BYTES_MAX {
            return Poll::Pending;
        }
        let count = ready!(self.poll_receive(socket, scratch, cx))?;
        self.drop_served(scratch, 0);
        Poll::Ready(Ok(count))
    }

    /// Finds the complete requests among what was received; `served` of the bytes that
    /// [`Reader::bytes`] gives are then to be dropped with [`Reader::drop_served`].
    pub(super) fn decode(
        &mut self,
        scratch: &[u8],
        from: usize,
        limits: &DecodeLimits,
        batch: &mut Batch,
    ) -> Decoded {
        let bytes =
            if self.pending.is_empty() { &scratch[..self.fresh] } else { &self.pending[..] };
        let mut decoded = self.decoder.decode(&bytes[from..], limits, batch);
        self.missing = decoded.missing;
        decoded.keep_to += from;
        if decoded.keep_to < bytes.len() {
            // The rest has moved into a large bulk.
            if self.pending.is_empty() {
                self.fresh = decoded.keep_to;
            } else {
                self.pending.truncate(decoded.keep_to);
            }
        }
        decoded
    }

    /// What was received and not yet served.
    pub(super) fn bytes<'a>(&'a self, scratch: &'a [u8]) -> &'a [u8] {
        if self.pending.is_empty() { &scratch[..self.fresh] } else { &self.pending }
    }

    /// Drops the first `served` bytes and keeps the others for later, out of the scratch buffer.
    pub(super) fn drop_served(&mut self, scratch: &[u8], served: usize) {
        if self.pending.is_empty() {
            if served < self.fresh {
                self.pending.extend_from_slice(&scratch[served..self.fresh]);
            }
            self.fresh = 0;
        } else {
            self.pending.drain(..served);
            if self.pending.is_empty() && self.pending.capacity() > PENDING_KEPT {
                self.pending = Vec::new();
            }
        }
    }

    /// Takes all bytes, for a batch that is served elsewhere.
    pub(super) fn take_served(&mut self, scratch: &[u8], served: usize, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&self.bytes(scratch)[..served]);
        self.drop_served(scratch, served);
    }

    /// Whether it holds what could not be served yet.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Bytes pending, room behind them, bytes of an incomplete request elsewhere.
    pub(super) fn holdings(&self) -> (usize, usize, usize) {
        let free = self.pending.capacity() - self.pending.len();
        (self.pending.len(), free, self.decoder.memory_bytes())
    }

    /// Bytes held for the client, as `client-query-buffer-limit` counts them.
    pub(super) fn query_bytes(&self) -> usize {
        self.pending.len() + self.decoder.memory_bytes()
    }

    /// Gives back what an idle connection need not hold.
    pub(super) fn relax(&mut self) {
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }
}
