//! MEMORY USAGE against what the allocator hands out: for each type and encoding the sum over many
//! keys is within a tenth of what `used_memory` grew by.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "harness/server.rs"]
mod server;

use redis::{Connection, Pipeline, cmd, pipe};
use server::Server;
use std::time::Duration;

/// A server whose bytes are counted.
struct Books {
    /// It ends with them.
    _server: Server,
    link: Connection,
}

impl Books {
    fn open() -> Self {
        let server = Server::start(&[]);
        Self { link: server.connect(), _server: server }
    }

    /// `used_memory` once it stands still: what was replaced is freed by another thread.
    fn used(&mut self) -> usize {
        let mut last = 0;
        loop {
            let info: String = cmd("INFO").arg("memory").query(&mut self.link).unwrap();
            let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
            let used: usize = line.parse().unwrap();
            if used.abs_diff(last) < 1024 {
                return used;
            }
            last = used;
            std::thread::sleep(Duration::from_millis(120));
        }
    }
}

/// A command that takes members, and how each is spelt.
struct Filling {
    encoding: &'static str,
    command: &'static str,
    keys: usize,
    members: usize,
    words: fn(usize) -> Vec<String>,
}

fn plain(number: usize) -> Vec<String> {
    vec![format!("value:{number:04}")]
}
fn integer(number: usize) -> Vec<String> {
    vec![number.to_string()]
}
fn pair(number: usize) -> Vec<String> {
    vec![format!("f{number}"), format!("value:{number:04}")]
}
fn scored(number: usize) -> Vec<String> {
    vec![number.to_string(), format!("value:{number:04}")]
}

const FILLINGS: &[Filling] = &[
    Filling { encoding: "listpack", command: "RPUSH", keys: 5000, members: 5, words: plain },
    Filling { encoding: "quicklist", command: "RPUSH", keys: 100, members: 2000, words: plain },
    Filling { encoding: "listpack", command: "SADD", keys: 5000, members: 5, words: plain },
    Filling { encoding: "intset", command: "SADD", keys: 5000, members: 5, words: integer },
    Filling { encoding: "hashtable", command: "SADD", keys: 100, members: 2000, words: plain },
    Filling { encoding: "listpack", command: "HSET", keys: 5000, members: 5, words: pair },
    Filling { encoding: "hashtable", command: "HSET", keys: 100, members: 2000, words: pair },
    Filling { encoding: "listpack", command: "ZADD", keys: 5000, members: 5, words: scored },
    Filling { encoding: "skiplist", command: "ZADD", keys: 100, members: 2000, words: scored },
    Filling { encoding: "stream", command: "XADD", keys: 5000, members: 5, words: pair },
    Filling { encoding: "stream", command: "XADD", keys: 100, members: 2000, words: pair },
    Filling { encoding: "raw", command: "PFADD", keys: 5000, members: 2, words: plain },
];

/// Fillings whose members get a deadline each, and the command for that.
const DATED: &[(usize, &str)] =
    &[(2, "SPEXPIRE"), (4, "SPEXPIRE"), (7, "ZPEXPIRE"), (8, "ZPEXPIRE")];

/// Gives each member a deadline of its own.
fn date(filling: &Filling, command: &str, pipelines: &mut [Pipeline]) {
    for (number, pipeline) in pipelines.iter_mut().enumerate() {
        for member in 0..filling.members {
            let name = (filling.words)(member).pop().unwrap();
            let call = pipeline.cmd(command).arg(format!("key:{number:06}"));
            call.arg(10_000_000 + member).arg("MEMBERS").arg(1).arg(name).ignore();
        }
    }
}

fn fill(filling: &Filling) -> Vec<Pipeline> {
    let mut pipelines = Vec::new();
    for number in 0..filling.keys {
        let key = format!("key:{number:06}");
        let mut pipeline = pipe();
        if filling.command == "XADD" {
            for member in 0..filling.members {
                pipeline.cmd("XADD").arg(&key).arg("*").arg((filling.words)(member)).ignore();
            }
        } else {
            let words: Vec<String> = (0..filling.members).flat_map(filling.words).collect();
            pipeline.cmd(filling.command).arg(&key).arg(words).ignore();
        }
        pipelines.push(pipeline);
    }
    pipelines
}

/// Builds the keys twice, so that what the server needs once is there, and compares.
fn compare(books: &mut Books, what: &str, encoding: &str, pipelines: &[Pipeline]) {
    let mut before = 0;
    for _ in 0..2 {
        cmd("FLUSHALL").exec(&mut books.link).unwrap();
        before = books.used();
        for pipeline in pipelines {
            pipeline.exec(&mut books.link).unwrap();
        }
    }
    let measured = books.used() - before;
    let shown: String =
        cmd("OBJECT").arg("ENCODING").arg("key:000000").query(&mut books.link).unwrap();
    assert_eq!(shown, encoding, "{what}");
    let mut pipeline = pipe();
    for number in 0..pipelines.len() {
        pipeline.cmd("MEMORY").arg("USAGE").arg(format!("key:{number:06}"));
    }
    let usages: Vec<usize> = pipeline.query(&mut books.link).unwrap();
    let told: usize = usages.iter().sum();
    assert!(
        told.abs_diff(measured) * 10 <= measured,
        "{what} ({encoding}): {} bytes a key are allocated, MEMORY USAGE tells {}",
        measured / pipelines.len(),
        told / pipelines.len()
    );
}

#[test]
fn memory_usage_tells_what_strings_take() {
    let mut books = Books::open();
    for (encoding, value, lifetime) in [
        ("int", "12345".to_owned(), None),
        ("embstr", "x".repeat(20), None),
        ("embstr", "x".repeat(20), Some(10_000)),
        ("raw", "x".repeat(100), None),
        ("raw", "x".repeat(5000), None),
    ] {
        let pipelines: Vec<Pipeline> = (0..5000)
            .map(|number| {
                let mut pipeline = pipe();
                let set = pipeline.cmd("SET").arg(format!("key:{number:06}")).arg(&value);
                if let Some(seconds) = lifetime {
                    set.arg("EX").arg(seconds);
                }
                pipeline.ignore();
                pipeline
            })
            .collect();
        compare(&mut books, "SET", encoding, &pipelines);
    }
}

#[test]
fn memory_usage_tells_what_collections_take() {
    let mut books = Books::open();
    for filling in FILLINGS {
        let what = format!("{} of {}", filling.command, filling.members);
        compare(&mut books, &what, filling.encoding, &fill(filling));
    }
    for (filling, command) in DATED {
        let filling = &FILLINGS[*filling];
        let mut pipelines = fill(filling);
        date(filling, command, &mut pipelines);
        let what = format!("{command} of {}", filling.members);
        compare(&mut books, &what, filling.encoding, &pipelines);
    }
}

#[test]
fn refreshing_deadlines_takes_no_memory() {
    let mut books = Books::open();
    let refresh = |books: &mut Books, round: usize| {
        let mut pipeline = pipe();
        for number in 0..3000 {
            let seconds = 1800 + (number * 7 + round * 13) % 600;
            pipeline.cmd("EXPIRE").arg(format!("session:{number}")).arg(seconds).ignore();
        }
        pipeline.exec(&mut books.link).unwrap();
    };
    let mut pipeline = pipe();
    for number in 0..3000 {
        let key = format!("session:{number}");
        pipeline.cmd("SET").arg(key).arg("x".repeat(100)).arg("EX").arg(1800).ignore();
    }
    pipeline.exec(&mut books.link).unwrap();
    (0..3).for_each(|round| refresh(&mut books, round));
    let before = books.used();
    (3..60).for_each(|round| refresh(&mut books, round));
    let after = books.used();
    assert!(after < before + before / 20, "{before} bytes were used, then {after}");
}
