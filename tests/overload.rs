//! Too much of everything: connections, requests, replies, keys, descriptors. The server stays up,
//! serves the others, and its memory stays within bounds.
//!
//! The sizes are modest. `OCHRE_OVERLOAD=full` makes them what the tests are named for: 10,000
//! connections (`ulimit -n` must allow for them), a gigabyte from one client.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "harness/server.rs"]
mod server;

use server::{BINARY, Server};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

/// The small size, or the full one if that is asked for.
fn size(small: usize, full: usize) -> usize {
    if std::env::var("OCHRE_OVERLOAD").is_ok_and(|wish| wish == "full") { full } else { small }
}

/// Says what was measured, to whoever asks for more than the outcome.
fn report(text: &str) {
    // It is only for people.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Processor time that the server used so far.
fn busy(server: &Server) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // The kernel counts hundredths of a second for programs.
    Duration::from_millis(ticks * 10)
}

/// A connection that says exactly what it is told to.
struct Link {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Link {
    fn to(server: &Server) -> Self {
        let stream = server.stream();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// A line of a reply; empty at the end of the stream.
    fn line(&mut self) -> String {
        let mut line = String::new();
        // A connection that is cut off has no more to say.
        let _ = self.reader.read_line(&mut line);
        line.trim_end().to_owned()
    }

    fn ask(&mut self, request: &str) -> String {
        self.send(&format!("{request}\r\n"));
        let line = self.line();
        let Some(len) = line.strip_prefix('$').and_then(|len| len.parse::<usize>().ok()) else {
            return line;
        };
        let mut bytes = vec![0; len + 2];
        self.reader.read_exact(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    }

    fn info(&mut self) -> HashMap<String, usize> {
        let text = self.ask("INFO");
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
    }

    /// Whether the other side has hung up, seen within some seconds.
    fn is_cut_off(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

fn set(key: &str, value: &str) -> String {
    let (key_len, len) = (key.len(), value.len());
    format!("*3\r\n$3\r\nSET\r\n${key_len}\r\n{key}\r\n${len}\r\n{value}\r\n")
}

#[test]
fn ten_thousand_connections_do_work() {
    let count = size(300, 10_000);
    let server = Server::start(&["--maxclients", &(count + 50).to_string()]);
    let mut links: Vec<TcpStream> = (0..count).map(|_| server.stream()).collect();
    for round in 0..3 {
        for (number, link) in links.iter_mut().enumerate() {
            link.write_all(format!("INCR all\r\nSET key:{number} {round}\r\n").as_bytes()).unwrap();
        }
        for link in &mut links {
            let mut found = Vec::new();
            while !found.ends_with(b"+OK\r\n") {
                let mut buffer = [0; 64];
                let len = link.read(&mut buffer).unwrap();
                assert!(len > 0, "cut off");
                found.extend_from_slice(&buffer[..len]);
            }
            assert!(found.starts_with(b":"), "{}", found.escape_ascii());
        }
    }
    let mut asker = Link::to(&server);
    assert_eq!(asker.ask("GET all"), (count * 3).to_string());
    let info = asker.info();
    assert_eq!(info["connected_clients"], count + 1);
    let each = info["mem_clients_normal"] / count;
    assert!(each < 8 * 1024, "an idle client takes {each} bytes");
}

#[test]
fn one_connection_too_many_is_told() {
    let server = Server::start(&["--maxclients", "5"]);
    let mut links: Vec<Link> = (0..5).map(|_| Link::to(&server)).collect();
    assert!(links.iter_mut().all(|link| link.ask("PING") == "+PONG"));
    assert_eq!(Link::to(&server).line(), "-ERR max number of clients reached");
    assert_eq!(links[0].info()["rejected_connections"], 1);
    drop(links.pop());
    let until = Instant::now() + Duration::from_secs(10);
    while Link::to(&server).ask("PING") != "+PONG" {
        assert!(Instant::now() < until, "nobody is let in again");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn clients_that_never_read_are_cut_off() {
    let limits = "normal 20mb 0 0 replica 256mb 64mb 60 pubsub 4mb 1mb 60";
    let server = Server::start(&["--client-output-buffer-limit", limits]);
    let mut asker = Link::to(&server);
    asker.send(&set("large", &"x".repeat(MIB)));
    asker.send(&set("small", &"x".repeat(1000)));
    assert_eq!((asker.line(), asker.line()), ("+OK".into(), "+OK".into()));
    // What is large is held by reference; what is small is copied.
    let mut deaf: Vec<Link> = ["GET large\r\n".repeat(100), "GET small\r\n".repeat(100_000)]
        .iter()
        .map(|requests| {
            let link = Link::to(&server);
            let requests = requests.clone();
            let mut stream = link.stream.try_clone().unwrap();
            // The server stops reading before it has taken all of it.
            thread::spawn(move || drop(stream.write_all(requests.as_bytes())));
            link.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            link
        })
        .collect();
    let mut listener = Link::to(&server);
    listener.send("SUBSCRIBE news\r\n");
    thread::sleep(Duration::from_millis(300));
    let message = "y".repeat(MIB);
    let mut publisher = Link::to(&server);
    for _ in 0..20 {
        let text = format!("*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n${MIB}\r\n{message}\r\n");
        publisher.send(&text);
        assert!(publisher.line().starts_with(':'));
    }
    let until = Instant::now() + Duration::from_secs(20);
    while asker.info()["client_output_buffer_limit_disconnections"] < 3 {
        assert!(Instant::now() < until, "{:?}", asker.info());
        thread::sleep(Duration::from_millis(50));
    }
    assert!(deaf.iter_mut().all(Link::is_cut_off) && listener.is_cut_off());
    assert!(
        server.has_logged("scheduled to be closed ASAP for overcoming of output buffer limits")
    );
    let used = asker.info()["used_memory"];
    assert!(used < 12 * MIB, "{used} bytes are still used");
}

#[test]
fn a_gigabyte_from_one_client_holds_nobody_up() {
    let total = size(64, 1024) * MIB;
    let server = Server::start(&[]);
    let ends = Arc::new(AtomicBool::new(false));
    let (mut other, is_over) = (Link::to(&server), Arc::clone(&ends));
    let watcher = thread::spawn(move || {
        let (mut longest, mut most) = (Duration::ZERO, 0);
        while !is_over.load(Relaxed) {
            let begun = Instant::now();
            assert_eq!(other.ask("PING"), "+PONG");
            longest = longest.max(begun.elapsed());
            most = most.max(other.info()["used_memory"]);
            thread::sleep(Duration::from_millis(2));
        }
        (longest, most)
    });
    let value = "z".repeat(1000);
    let block: String = (0..1000).map(|number| set(&format!("key:{number}"), &value)).collect();
    let blocks = total / block.len();
    let mut link = Link::to(&server);
    let mut stream = link.stream.try_clone().unwrap();
    let sender = thread::spawn(move || {
        (0..blocks).for_each(|_| stream.write_all(block.as_bytes()).unwrap());
    });
    // Nothing is read before half of it is sent.
    thread::sleep(Duration::from_millis(200));
    for _ in 0..blocks * 1000 {
        assert_eq!(link.line(), "+OK");
    }
    sender.join().unwrap();
    ends.store(true, Relaxed);
    let (longest, most) = watcher.join().unwrap();
    report(&format!("{} MiB of one client's: another waited {longest:?}", total / MIB));
    assert!(most < 32 * MIB, "{most} bytes were used");
    assert!(longest < Duration::from_secs(2), "another client waited {longest:?}");
}

#[test]
fn memory_stays_within_its_bound_while_all_write() {
    let limit = 24 * MIB;
    for policy in ["allkeys-lru", "allkeys-tinylfu", "volatile-ttl"] {
        let server =
            Server::start(&["--maxmemory", &limit.to_string(), "--maxmemory-policy", policy]);
        let ends = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..size(8, 50))
            .map(|writer| {
                let (mut link, ends) = (Link::to(&server), Arc::clone(&ends));
                thread::spawn(move || {
                    let mut rng = fastrand::Rng::with_seed(writer as u64);
                    while !ends.load(Relaxed) {
                        let mut batch = String::new();
                        for _ in 0..16 {
                            let (key, len) = (rng.u32(0..200_000), rng.usize(10..4000));
                            let value = "v".repeat(len);
                            batch += &["SETEX key:", &key.to_string(), " 1000 ", &value, "\r\n"]
                                .concat();
                        }
                        link.send(&batch);
                        (0..16).for_each(|_| assert_eq!(link.line(), "+OK"));
                    }
                })
            })
            .collect();
        let mut asker = Link::to(&server);
        let until = Instant::now() + Duration::from_millis(size(3000, 20_000) as u64);
        let (mut most, mut evicted) = (0, 0);
        while Instant::now() < until {
            let info = asker.info();
            most = most.max(info["used_memory"] - info["mem_not_counted_for_evict"]);
            evicted = info["evicted_keys"];
            thread::sleep(Duration::from_millis(3));
        }
        ends.store(true, Relaxed);
        for writer in writers {
            writer.join().unwrap();
        }
        report(&format!("{policy}: {} bytes above maxmemory", most.saturating_sub(limit)));
        assert!(evicted > 1000, "{policy}: {evicted} keys were evicted");
        // What README promises: a sixteenth, and the requests that are being served.
        assert!(most < limit + limit / 16 + MIB, "{policy}: {most} bytes of {limit} were used");
    }
}

#[test]
fn without_eviction_writes_are_refused_and_reads_are_not() {
    let server = Server::start(&["--maxmemory", "8mb"]);
    let mut link = Link::to(&server);
    let value = "v".repeat(100_000);
    let refusal = (0..200).find_map(|number| {
        link.send(&set(&format!("key:{number}"), &value));
        Some(link.line()).filter(|line| line != "+OK")
    });
    assert_eq!(refusal.unwrap(), "-OOM command not allowed when used memory > 'maxmemory'.");
    assert_eq!(link.ask("GET key:0").len(), 100_000);
    assert_eq!(link.ask("DEL key:0 key:1 key:2 key:3 key:4"), ":5");
    assert_eq!(link.ask("SET key:0 v"), "+OK");
}

#[test]
fn descriptors_that_run_out_only_keep_newcomers_waiting() {
    let server = Server::start(&[]);
    let mut first = Link::to(&server);
    assert_eq!(first.ask("PING"), "+PONG");
    let pid = server.pid().to_string();
    let lowered = Command::new("prlimit").args(["--pid", &pid, "--nofile=60:60"]).status();
    assert!(lowered.is_ok_and(|status| status.success()), "prlimit comes with util-linux");
    let mut links: Vec<Link> = (0..80).map(|_| Link::to(&server)).collect();
    thread::sleep(Duration::from_millis(300));
    // Nobody waits for those who can't come in, and nothing turns round in vain.
    let before = busy(&server);
    thread::sleep(Duration::from_secs(1));
    let spent = busy(&server).saturating_sub(before);
    assert!(spent < Duration::from_millis(250), "{spent:?} of a second were spent on nothing");
    assert_eq!(first.ask("PING"), "+PONG");
    assert!(server.has_logged("Error accepting a client connection"));
    let inside = first.info()["connected_clients"];
    assert!((20..60).contains(&inside), "{inside} clients were let in");
    // As many as go are let in.
    let waiting = links.split_off(40);
    drop(links);
    for mut link in waiting.into_iter().take(30) {
        assert_eq!(link.ask("PING"), "+PONG");
    }
}

#[test]
fn fewer_descriptors_mean_fewer_clients() {
    // Root may raise the limit, unless it gives up the right to.
    let is_root = std::fs::metadata("/proc/self")
        .is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    let mut command = Command::new(if is_root { "setpriv" } else { "sh" });
    if is_root {
        command.args(["--bounding-set=-sys_resource", "sh"]);
    }
    let script = "ulimit -n 100; exec \"$0\" \"$@\"";
    command.args(["-c", script, BINARY]);
    let server = Server::start_by(command, &["--maxclients", "1000"]);
    assert!(server.has_logged("You requested maxclients of 1000 requiring at least 1032"));
    let mut link = Link::to(&server);
    assert_eq!(link.info()["maxclients"], 68);
    let reply = link.ask("CONFIG SET maxclients 5000");
    assert!(reply.contains("not able to handle the specified number of clients"), "{reply}");
}
