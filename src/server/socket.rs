//! A connected stream, whatever it runs over.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::yield_now;

use crate::protocol::reply::Output;

/// Slices of one vectored write.
const SLICES_MAX: usize = 64;

/// Bytes of one write. The kernel copies about 5 GB a second: more would make others wait.
const SEND_BYTES_MAX: usize = 256 * 1024;

/// How many of `waiting` bytes one write takes. A small rest goes along: a system call and a
/// packet of its own cost more than to copy it.
fn send_limit(waiting: usize) -> usize {
    if waiting <= SEND_BYTES_MAX + SEND_BYTES_MAX / 4 { waiting } else { SEND_BYTES_MAX }
}

/// A stream on its way to the thread that will own it.
#[derive(Debug)]
pub(super) enum Fresh {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// TCP or unix.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Registers a stream with this thread's reactor.
    pub(super) fn from_fresh(stream: Fresh) -> io::Result<Self> {
        Ok(match stream {
            Fresh::Tcp(stream) => Self::Tcp(TcpStream::from_std(stream)?),
            Fresh::Unix(stream) => Self::Unix(UnixStream::from_std(stream)?),
        })
    }

    /// Appends what has arrived to `buffer`, within its spare capacity. 0 is the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.filled().len();
        match self {
            Self::Tcp(stream) => ready!(Pin::new(stream).poll_read(cx, buffer))?,
            Self::Unix(stream) => ready!(Pin::new(stream).poll_read(cx, buffer))?,
        }
        Poll::Ready(Ok(buffer.filled().len() - before))
    }

    /// Appends what has arrived to `bytes`, within its capacity and at most `limit`. 0 is the end.
    pub(super) fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut Vec<u8>,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let mut target = bytes.limit(limit);
        match self {
            Self::Tcp(stream) => pin!(stream.read_buf(&mut target)).poll(cx),
            Self::Unix(stream) => pin!(stream.read_buf(&mut target)).poll(cx),
        }
    }

    /// Sends what the socket takes of `output` in one system call of bounded length.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut Output,
    ) -> Poll<io::Result<usize>> {
        let limit = send_limit(output.len());
        let sent = if let Some(bytes) = output.as_plain() {
            let bytes = &bytes[..limit];
            match self {
                Self::Tcp(stream) => ready!(Pin::new(stream).poll_write(cx, bytes))?,
                Self::Unix(stream) => ready!(Pin::new(stream).poll_write(cx, bytes))?,
            }
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let (mut count, mut room) = (0, limit);
            for (slot, slice) in slices.iter_mut().zip(output.slices()) {
                if room == 0 {
                    break;
                }
                let slice = &slice[..slice.len().min(room)];
                *slot = IoSlice::new(slice);
                room -= slice.len();
                count += 1;
            }
            let slices = &slices[..count];
            match self {
                Self::Tcp(stream) => ready!(Pin::new(stream).poll_write_vectored(cx, slices))?,
                Self::Unix(stream) => ready!(Pin::new(stream).poll_write_vectored(cx, slices))?,
            }
        };
        output.advance(sent);
        Poll::Ready(Ok(sent))
    }
}

/// Has the task polled again once all that is ready by then has been served, the sockets included.
/// Woken at once it would be polled before anybody looks at the sockets, hundreds of times.
pub(super) fn wake_after_others(cx: &mut Context<'_>) {
    // It is never ready when it is polled first.
    let _ = pin!(yield_now()).poll(cx);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn who_goes_on_later_lets_the_sockets_be_looked_at() {
        const ROUNDS: usize = 100;
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_io().event_interval(512);
        let rounds = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&rounds);
        runtime.build().unwrap().block_on(async move {
            let (mut near, mut far) = UnixStream::pair().unwrap();
            far.write_all(b"x").await.unwrap();
            tokio::spawn(poll_fn(move |cx| {
                if rounds.fetch_add(1, Relaxed) == ROUNDS {
                    return Poll::Ready(());
                }
                wake_after_others(cx);
                Poll::Pending
            }));
            near.read_exact(&mut [0]).await.unwrap();
        });
        assert!(seen.load(Relaxed) < ROUNDS, "what has arrived is read before");
    }

    #[test]
    fn a_small_rest_goes_along() {
        let replies_of_16k = 16 * (16 * 1024 + "$16384\r\n\r\n".len());
        assert_eq!(send_limit(replies_of_16k), replies_of_16k);
        assert_eq!(send_limit(2 * SEND_BYTES_MAX), SEND_BYTES_MAX);
        assert_eq!(send_limit(10), 10);
    }
}
