//! The real binary and a real client, in both dialects.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "harness/server.rs"]
mod server;

use std::io::{Read, Write};
use std::process::Command;

use redis::{Connection, RedisResult, Value};
use server::{BINARY, Server};

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
            let mut connection = server.connect_in(protocol);
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
        let mut connection = server.connect();
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
    let mut connection = server.connect_in(3);
    let value: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0] ^ 0x5a).collect();
    let _: () = redis::cmd("SET").arg("big").arg(&value).query(&mut connection).unwrap();
    let _: i64 = redis::cmd("APPEND").arg("big").arg("end").query(&mut connection).unwrap();
    let found: Vec<u8> = redis::cmd("GET").arg("big").query(&mut connection).unwrap();
    assert_eq!((found.len(), &found[..value.len()]), (value.len() + 3, &value[..]));
}

#[test]
fn bad_input_ends_its_own_connection_only() {
    let server = Server::start(&[]);
    let mut bystander = server.connect();
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
    let _first = server.connect();
    let mut second = server.connect();
    ask(&mut second, "PING").unwrap();
    let mut reply = String::new();
    let _ = server.stream().read_to_string(&mut reply);
    assert_eq!(reply, "-ERR max number of clients reached\r\n");
}

#[test]
fn shutdown_and_signals_end_with_zero() {
    let server = Server::start(&[]);
    let ended = ask(&mut server.connect(), "SHUTDOWN NOSAVE");
    assert!(ended.is_err(), "nobody answers any more");
    assert!(server.end().success());
    let server = Server::start(&[]);
    server.signal("TERM");
    assert!(server.end().success());
}

#[test]
fn a_wrong_directive_stops_the_start() {
    let output = Command::new(BINARY).args(["--maxmemry", "1gb"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("FATAL CONFIG FILE ERROR") && text.contains("maxmemory"), "{text}");
}
