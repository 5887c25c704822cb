//! The job queues and sessions of `examples/` against the real binary.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../examples/list_queue.rs"]
mod list_queue;
#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../examples/session_hash.rs"]
mod session_hash;
#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../examples/stream_queue.rs"]
mod stream_queue;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// A server on a port of its own, which ends with the test.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(env!("CARGO_BIN_EXE_ochre-server"))
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("Ready to accept")));
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url: format!("redis://127.0.0.1:{port}/") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has told then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn twelve_jobs() -> BTreeSet<String> {
    (1..=12).map(|number| format!("job {number}")).collect()
}

#[test]
fn every_job_of_a_stream_is_done_once() {
    let server = Server::start();
    let done = stream_queue::run(&server.url).unwrap();
    assert_eq!(done.len(), 12, "{done:?}");
    assert_eq!(done.iter().map(|done| done.job.clone()).collect::<BTreeSet<_>>(), twelve_jobs());
    // Who gave up did one job at most, and the one he left was delivered again.
    assert!(done.iter().filter(|done| done.worker == "quitter").count() <= 1);
    assert!(done.iter().all(|done| done.deliveries == 1 || done.worker != "quitter"));
}

#[test]
fn every_job_of_a_list_is_done_once() {
    let server = Server::start();
    let done = list_queue::run(&server.url).unwrap();
    assert_eq!(done.len(), 12, "{done:?}");
    assert_eq!(done.into_iter().map(|(_, job)| job).collect::<BTreeSet<_>>(), twelve_jobs());
}

#[test]
fn sessions_keep_what_they_should() {
    let server = Server::start();
    for protocol in ["resp2", "resp3"] {
        let outcome = session_hash::run(&format!("{}?protocol={protocol}", server.url)).unwrap();
        let left = [("pages", "1"), ("visitor", "bob")];
        assert_eq!(
            outcome,
            session_hash::Outcome {
                accepted: [true, false],
                late: false,
                notes: [Some("too late, try again".into()), None],
                left: left.map(|(field, value)| (field.into(), value.into())).into(),
                is_prolonged: true,
            }
        );
    }
}
