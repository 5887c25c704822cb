//! The real binary on a port of its own, for tests that talk to it.

#![allow(dead_code, reason = "each test uses its part of this")]
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use redis::Connection;

/// Nothing that a test waits for takes longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with its test.
pub(crate) struct Server {
    process: Child,
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts one that saves nothing, and waits until it is ready.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_by(Command::new(BINARY), options)
    }

    /// The same, by a command that runs the binary its own way.
    pub(crate) fn start_by(command: Command, options: &[&str]) -> Self {
        let mut server = Self::launch_by(command, &[&["--save", ""], options].concat());
        let began = Instant::now();
        while !server.has_logged(READY) {
            let ended = server.process.try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "it does not get ready, ended: {ended:?}; {:#?}",
                server.log.lock().unwrap()
            );
            thread::sleep(Duration::from_millis(5));
        }
        server
    }

    /// Starts one without waiting for it.
    pub(crate) fn launch(options: &[&str]) -> Self {
        Self::launch_by(Command::new(BINARY), options)
    }

    fn launch_by(mut command: Command, options: &[&str]) -> Self {
        let port = free_port();
        let mut process = command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, ours) = (BufReader::new(process.stdout.take().unwrap()), Arc::clone(&log));
        // The pipe is emptied to its end, so the log never holds the server up.
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                ours.lock().unwrap().push(line);
            }
        });
        Self { process, port, log }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its address as clients spell it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn connect(&self) -> Connection {
        self.connect_in(2)
    }

    /// A client of that dialect: 2 or 3.
    pub(crate) fn connect_in(&self, protocol: u8) -> Connection {
        let url = format!("{}?protocol=resp{protocol}", self.url());
        redis::Client::open(url).unwrap().get_connection().unwrap()
    }

    /// A bare connection, which waits for a reply only so long.
    pub(crate) fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(text))
    }

    pub(crate) fn wait_for_line(&self, text: &str) {
        wait_until(text, || self.has_logged(text));
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let killed = Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(killed.success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> ExitStatus {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the server does not end: {:?}", self.log.lock().unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has told then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody has. It is below those that the system gives to clients, and no other test of
/// this process is given it: between this look and the server's start it would be taken otherwise.
fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(97);
    let ports = std::iter::repeat_with(|| {
        let number = first.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        u16::try_from(FIRST + number).unwrap()
    });
    let mut ports = ports.take(usize::try_from(COUNT).unwrap());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Waits until it is so, with a moment between two looks.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the log says when clients are served.
pub(crate) const READY: &str = "Ready to accept";
/// The binary that is tested.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_ochre-server");
