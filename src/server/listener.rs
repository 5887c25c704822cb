//! Sockets that accept: TCP on several addresses, and one unix socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;

use crate::config::Config;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Binds `port` on each address. An address with `-` in front may be missing on this machine;
/// at least one must work.
pub(super) fn bind_tcp(
    addresses: &[String],
    port: u16,
    backlog: i32,
) -> io::Result<Vec<std::net::TcpListener>> {
    let mut bound = Vec::new();
    for address in addresses {
        let (address, is_optional) = match address.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (address.as_str(), false),
        };
        match resolve(address).and_then(|ip| bind_one(SocketAddr::new(ip, port), backlog)) {
            Ok(listener) => bound.push(listener),
            Err(error) if is_optional && is_absent(&error) => {}
            Err(error) => {
                tracing::warn!(
                    "Warning: Could not create server TCP listening socket {address}:{port}: {}",
                    reason(&error)
                );
                return Err(error);
            }
        }
    }
    Ok(bound)
}

/// The backlog as a C integer; more than that makes no kernel accept more.
pub(super) fn backlog(config: &Config) -> i32 {
    i32::try_from(config.tcp_backlog).unwrap_or(i32::MAX)
}

fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EADDRNOTAVAIL
                | libc::EAFNOSUPPORT
                | libc::ENOPROTOOPT
                | libc::EPROTONOSUPPORT
                | libc::ESOCKTNOSUPPORT
                | libc::EPFNOSUPPORT
        )
    )
}

fn resolve(address: &str) -> io::Result<IpAddr> {
    match address {
        "*" => Ok(Ipv4Addr::UNSPECIFIED.into()),
        "::*" => Ok(Ipv6Addr::UNSPECIFIED.into()),
        _ => match address.parse() {
            Ok(ip) => Ok(ip),
            Err(_) => std::net::ToSocketAddrs::to_socket_addrs(&(address, 0))?
                .next()
                .map(|found| found.ip())
                .ok_or_else(|| io::Error::from_raw_os_error(libc::EADDRNOTAVAIL)),
        },
    }
}

fn bind_one(address: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// Binds the unix socket; a stale one at `path` is replaced.
pub(super) fn bind_unix(
    path: &str,
    config: &Config,
    backlog: i32,
) -> io::Result<std::os::unix::net::UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(backlog)?;
    if !config.unixsocketgroup.is_empty() {
        let group = super::process::group_id(&config.unixsocketgroup)?;
        std::os::unix::fs::chown(path, None, Some(group))?;
    }
    if config.unixsocketperm.0 != 0 {
        let mode = std::fs::Permissions::from_mode(config.unixsocketperm.0);
        std::fs::set_permissions(path, mode)?;
    }
    Ok(socket.into())
}
