//! The real binary and a real client, in both dialects.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use redis::{Connection, RedisResult, Value};

/// A server on a port of its own, which ends with the test.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        // The port is free now; should somebody take it meanwhile, the start fails and says so.
        let port = {
            let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            probe.local_addr().unwrap().port()
        };
        let mut process = Command::new(env!("CARGO_BIN_EXE_ochre-server"))
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stdout.take().unwrap());
        let mut lines = log.lines();
        let is_ready = lines.by_ref().any(|line| line.unwrap().contains("Ready to accept"));
        assert!(is_ready, "the server says when it is ready");
        // The pipe stays open and is emptied, so the log never blocks the server.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port }
    }

    fn connect(&self, protocol: u8) -> Connection {
        let url = format!("redis://127.0.0.1:{}/?protocol=resp{protocol}", self.port);
        redis::Client::open(url).unwrap().get_connection().unwrap()
    }

    fn stream(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is what some tests are about.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ask(connection: &mut Connection, line: &str) -> RedisResult<Value> {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.query(connection)
}

#[test]
fn a_client_works_in_both_dialects() {
    for options in [&[][..], &["--io-threads", "3"]] {
        let server = Server::start(options);
        for protocol in [2, 3] {
            let mut connection = server.connect(protocol);
            ask(&mut connection, "FLUSHALL").unwrap();
            assert_eq!(ask(&mut connection, "SET a 1 PX 100000").unwrap(), Value::Okay);
            assert_eq!(ask(&mut connection, "INCR a").unwrap(), Value::Int(2));
            let found: (Option<String>, Option<String>) =
                redis::cmd("MGET").arg("a").arg("b").query(&mut connection).unwrap();
            assert_eq!(found, (Some("2".into()), None));
            let error = ask(&mut connection, "INCRBY a x").unwrap_err();
            assert!(error.to_string().contains("not an integer"), "{error}");
            let info: redis::InfoDict = redis::cmd("INFO").query(&mut connection).unwrap();
            assert_eq!(info.get::<String>("server_name").unwrap(), "ochre");
        }
    }
}

#[test]
fn a_deep_pipeline_keeps_its_order() {
    for options in [&[][..], &["--io-threads", "2"]] {
        let server = Server::start(options);
        let mut connection = server.connect(2);
        let mut pipeline = redis::pipe();
        for number in 0..50_000 {
            pipeline.cmd("SET").arg("k").arg(number).ignore().cmd("GET").arg("k");
        }
        let found: Vec<i64> = pipeline.query(&mut connection).unwrap();
        assert!(found.into_iter().eq(0..50_000));
    }
}

#[test]
fn a_large_value_survives_the_way() {
    let server = Server::start(&[]);
    let mut connection = server.connect(3);
    let value: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
    let _: () = redis::cmd("SET").arg("big").arg(&value).query(&mut connection).unwrap();
    let _: i64 = redis::cmd("APPEND").arg("big").arg("end").query(&mut connection).unwrap();
    let found: Vec<u8> = redis::cmd("GET").arg("big").query(&mut connection).unwrap();
    assert_eq!((found.len(), &found[..value.len()]), (value.len() + 3, &value[..]));
}

#[test]
fn bad_input_ends_its_own_connection_only() {
    let server = Server::start(&[]);
    let mut bystander = server.connect(2);
    for (sent, expected) in [
        (&b"*1\r\n$x\r\n"[..], "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*9999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"SET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", ""),
    ] {
        let mut stream = server.stream();
        stream.write_all(sent).unwrap();
        let mut reply = String::new();
        // The connection may be reset, with bytes unread: what was said before counts.
        let _ = stream.read_to_string(&mut reply);
        assert_eq!(reply, expected, "{}", sent.escape_ascii());
    }
    assert_eq!(ask(&mut bystander, "PING").unwrap(), Value::SimpleString("PONG".into()));
}

#[test]
fn too_many_clients_are_told() {
    let server = Server::start(&["--maxclients", "2"]);
    let _first = server.connect(2);
    let mut second = server.connect(2);
    ask(&mut second, "PING").unwrap();
    let mut reply = String::new();
    let _ = server.stream().read_to_string(&mut reply);
    assert_eq!(reply, "-ERR max number of clients reached\r\n");
}

#[test]
fn shutdown_and_signals_end_with_zero() {
    let mut server = Server::start(&[]);
    let ended = ask(&mut server.connect(2), "SHUTDOWN NOSAVE");
    assert!(ended.is_err(), "nobody answers any more");
    assert!(server.process.wait().unwrap().success());
    let mut server = Server::start(&[]);
    let pid = server.process.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    assert!(server.process.wait().unwrap().success());
}

#[test]
fn a_wrong_directive_stops_the_start() {
    let output = Command::new(env!("CARGO_BIN_EXE_ochre-server"))
        .args(["--maxmemry", "1gb"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("FATAL CONFIG FILE ERROR") && text.contains("maxmemory"), "{text}");
}
