//! Thousands of clients that wait for data at the real binary.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "harness/server.rs"]
mod server;

use server::Server;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How many wait, where the system lets the test have so many sockets.
const WAITERS: usize = 10_000;
/// Nothing here may take longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a line and reads a reply of one line or one bulk.
fn ask(stream: &mut TcpStream, line: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    read(stream)
}

fn read(stream: &mut TcpStream) -> String {
    let head = read_line(stream);
    let (kind, rest) = head.split_at(1);
    match kind {
        "$" => {
            let mut bulk = vec![0; rest.parse::<usize>().unwrap() + 2];
            stream.read_exact(&mut bulk).unwrap();
            String::from_utf8_lossy(&bulk).trim_end().to_owned()
        }
        "*" => {
            let items: Vec<String> =
                (0..rest.parse::<usize>().unwrap()).map(|_| read(stream)).collect();
            items.join(" ")
        }
        _ => head,
    }
}

fn read_line(stream: &mut TcpStream) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line[..line.len() - 2]).into_owned()
}

/// Asks until so many clients wait.
fn await_blocked(control: &mut TcpStream, count: usize) {
    let (wanted, began) = (format!("blocked_clients:{count}\r\n"), Instant::now());
    while !ask(control, "INFO clients").contains(&wanted) {
        assert!(began.elapsed() < PATIENCE, "{count} clients wait");
        std::thread::yield_now();
    }
}

/// As many as the limit of open files allows for.
fn waiter_count() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_ascii_whitespace().nth(3)?.parse().ok());
    WAITERS.min(soft.unwrap_or(1024_usize).saturating_sub(200))
}

fn waiters(server: &Server, count: usize, key: impl Fn(usize) -> String) -> Vec<TcpStream> {
    let connect = |index| {
        let mut stream = server.stream();
        // What comes behind has to wait, too.
        stream.write_all(format!("BLPOP {} 0\r\nPING\r\n", key(index)).as_bytes()).unwrap();
        stream
    };
    (0..count).map(connect).collect()
}

fn push(control: &mut TcpStream, count: usize, key: impl Fn(usize) -> String) {
    let lines: Vec<String> =
        (0..count).map(|index| format!("RPUSH {} v{index}\r\n", key(index))).collect();
    control.write_all(lines.concat().as_bytes()).unwrap();
    for _ in 0..count {
        assert_eq!(read(control), ":1");
    }
}

#[test]
fn thousands_wait_at_one_key() {
    let server = Server::start(&["--maxclients", "12000"]);
    let mut control = server.stream();
    let count = waiter_count();
    let mut waiting = waiters(&server, count, |_| "k".into());
    await_blocked(&mut control, count);
    // Some go away; nothing is lost on them.
    let rest = count / 2;
    waiting.truncate(rest);
    await_blocked(&mut control, rest);
    push(&mut control, rest, |_| "k".into());
    let served: BTreeSet<String> = waiting.iter_mut().map(read).collect();
    assert_eq!(served, (0..rest).map(|index| format!("k v{index}")).collect());
    assert!(waiting.iter_mut().all(|stream| read(stream) == "+PONG"));
    assert!(ask(&mut control, "INFO clients").contains("total_blocking_keys:0"));
}

#[test]
fn thousands_wait_at_a_key_each() {
    let server = Server::start(&["--maxclients", "12000", "--io-threads", "2"]);
    let mut control = server.stream();
    let count = waiter_count();
    let key = |index| format!("k{index}");
    let mut waiting = waiters(&server, count, key);
    await_blocked(&mut control, count);
    let rest = count / 2;
    waiting.truncate(rest);
    await_blocked(&mut control, rest);
    push(&mut control, rest, key);
    for (index, stream) in waiting.iter_mut().enumerate() {
        assert_eq!(read(stream), format!("k{index} v{index}"));
        assert_eq!(read(stream), "+PONG");
    }
}
