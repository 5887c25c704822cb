//! New connections: admitted or turned away at the door.

use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::engine::client::Origin;

use super::connection::Connection;
use super::host::SharedHost;
use super::socket::{Fresh, Socket};

/// How long accepting rests when the process has run out of descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// Accepts TCP connections until aborted.
pub(super) async fn accept_tcp(host: SharedHost, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                prepare(&stream, host.borrow().engine.config.tcp_keepalive);
                let local = stream.local_addr();
                let origin = Origin {
                    addr: peer.to_string(),
                    laddr: local.map_or_else(|_| String::new(), |local| local.to_string()),
                    fd: stream.as_raw_fd(),
                    is_unix: false,
                    is_loopback: peer.ip().to_canonical().is_loopback(),
                    io_thread: 0,
                };
                admit(&host, Socket::Tcp(stream), origin);
            }
            Err(error) => rest(&error).await,
        }
    }
}

/// Accepts connections on the unix socket until aborted.
pub(super) async fn accept_unix(host: SharedHost, listener: UnixListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let path = format!("{}:0", host.borrow().engine.config.unixsocket);
                let origin = Origin {
                    addr: path.clone(),
                    laddr: path,
                    fd: stream.as_raw_fd(),
                    is_unix: true,
                    is_loopback: false,
                    io_thread: 0,
                };
                admit(&host, Socket::Unix(stream), origin);
            }
            Err(error) => rest(&error).await,
        }
    }
}

/// Accepting fails when descriptors run out: those who wait in the backlog are served later.
async fn rest(error: &std::io::Error) {
    tracing::warn!("Error accepting a client connection: {error}");
    tokio::time::sleep(BREATHER).await;
}

fn prepare(stream: &TcpStream, keepalive_seconds: u32) {
    // Without these options the connection works, only less well.
    let _ = stream.set_nodelay(true);
    if keepalive_seconds > 0 {
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(keepalive_seconds.into()))
            .with_interval(Duration::from_secs((keepalive_seconds / 3).max(1).into()))
            .with_retries(3);
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
}

fn admit(shared: &SharedHost, socket: Socket, mut origin: Origin) {
    let mut host = shared.borrow_mut();
    host.begin_turn();
    let thread = host.threads.as_mut().map(super::io_threads::IoThreads::choose);
    origin.io_thread = u16::try_from(thread.map_or(0, |thread| thread + 1)).unwrap_or(u16::MAX);
    match host.engine.connect(origin) {
        Err(refusal) => turn_away(&socket, refusal),
        Ok(key) => match thread {
            None => {
                let line = host.attach(key);
                let connection = Connection::new(Rc::clone(shared), socket, line, key);
                tokio::task::spawn_local(connection);
            }
            Some(thread) => match into_fresh(socket) {
                Ok(stream) => host.hand_to_thread(thread, key, stream),
                Err(_) => host.engine.disconnect(key),
            },
        },
    }
    host.end_turn();
}

fn into_fresh(socket: Socket) -> std::io::Result<Fresh> {
    Ok(match socket {
        Socket::Tcp(stream) => Fresh::Tcp(stream.into_std()?),
        Socket::Unix(stream) => Fresh::Unix(stream.into_std()?),
    })
}

/// Says why, as far as the socket takes it without waiting, and hangs up.
fn turn_away(socket: &Socket, refusal: &[u8]) {
    // Whoever does not hear it learns from the closed connection.
    let _ = match socket {
        Socket::Tcp(stream) => try_write_tcp(stream, refusal),
        Socket::Unix(stream) => try_write_unix(stream, refusal),
    };
}

fn try_write_tcp(stream: &TcpStream, bytes: &[u8]) -> std::io::Result<usize> {
    SockRef::from(stream).send(bytes)
}

fn try_write_unix(stream: &UnixStream, bytes: &[u8]) -> std::io::Result<usize> {
    SockRef::from(stream).send(bytes)
}
