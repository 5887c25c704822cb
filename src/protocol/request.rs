//! Requests as slices of the buffer they were read into.
//!
//! A [`Batch`] is what one pass of the decoder found: all complete requests of the buffer, as
//! spans. It is scratch, reused for every read, so a request costs no allocation.
//!
//! 1. A span points into the buffer the batch was decoded from, or, when `start` is
//!    [`Span::LARGE`], at `large[end]`, a bulk that was read into its own allocation.
//! 2. A request has at least one argument; the first is the command's name.

use crate::base::blob::Blob;
use crate::base::limits::BATCH_WORDS_MAX;

/// Half-open byte range of one argument in the read buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte, or [`Span::LARGE`].
    pub start: u32,
    /// One past the last byte, or the index of the large bulk.
    pub end: u32,
}

impl Span {
    /// Marks an argument that owns its allocation.
    pub const LARGE: u32 = u32::MAX;
}

/// One request of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Index of its first span in [`Batch::spans`].
    pub first: u32,
    /// How many spans, at least one.
    pub count: u32,
    /// Where in the buffer the next request begins.
    pub ends_at: u32,
}

/// All complete requests that one pass over a buffer found.
#[derive(Debug, Default)]
pub struct Batch {
    /// Arguments of all requests, in order.
    pub spans: Vec<Span>,
    /// The requests, in order.
    pub requests: Vec<Request>,
    /// Bulks with an allocation of their own, which the keyspace may come to share.
    pub large: Vec<Blob>,
}

impl Batch {
    /// Empties it, keeping the allocations.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.requests.clear();
        self.large.clear();
    }

    /// The words of one request.
    pub fn spans_of(&self, request: &Request) -> &[Span] {
        &self.spans[request.first as usize..][..request.count as usize]
    }

    /// The bytes of one word; `buffer` is the one that was decoded.
    pub fn word<'a>(&'a self, buffer: &'a [u8], span: Span) -> &'a [u8] {
        if span.start == Span::LARGE {
            &self.large[span.end as usize]
        } else {
            &buffer[span.start as usize..span.end as usize]
        }
    }

    /// Bytes allocated.
    pub fn memory_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
            + self.requests.capacity() * size_of::<Request>()
            + self.large.capacity() * size_of::<Blob>()
    }

    /// Gives memory back that a request of very many words left.
    pub fn shrink(&mut self) {
        self.spans.shrink_to(BATCH_WORDS_MAX);
        self.large.shrink_to(0);
    }
}
