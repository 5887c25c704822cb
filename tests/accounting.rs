//! Whether the bytes that INFO and MEMORY STATS tell add up to what the allocator has handed out.
//!
//! `used_memory_dataset` is what no overhead accounts for, so the sum is right by definition. What
//! can be wrong is the overheads. So the data are weighed by another way, MEMORY USAGE of every key,
//! and both together must be what is used, within 5 %; and each kind of overhead, when it is brought
//! about, must grow by what `used_memory` grows by.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "harness/server.rs"]
mod server;

use redis::{Connection, cmd, pipe};
use server::Server;
use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// A server whose bytes are counted.
struct Books {
    server: Server,
    link: Connection,
}

impl Books {
    fn open() -> Self {
        let server = Server::start(&[]);
        Self { link: server.connect(), server }
    }

    fn run(&mut self, words: &[&str]) {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]).exec(&mut self.link).unwrap();
    }

    /// Runs `words` so many times, with each number in the place of `@`.
    fn repeat(&mut self, count: usize, words: &[&str]) {
        for start in (0..count).step_by(500) {
            let mut batch = pipe();
            for number in start..count.min(start + 500) {
                let number = number.to_string();
                batch.cmd(words[0]);
                words[1..].iter().for_each(|word| {
                    batch.arg(word.replace('@', &number));
                });
                batch.ignore();
            }
            batch.exec(&mut self.link).unwrap();
        }
    }

    fn read(&mut self) -> Figures {
        let info: String = cmd("INFO").arg("memory").query(&mut self.link).unwrap();
        let lines = info.lines().filter_map(|line| line.split_once(':'));
        Figures(lines.filter_map(|(k, v)| Some((k.to_owned(), v.parse().ok()?))).collect())
    }

    /// Figures once they stand still.
    fn figures(&mut self) -> Figures {
        let mut last = self.read();
        loop {
            std::thread::sleep(Duration::from_millis(150));
            let now = self.read();
            if now.of("used_memory").abs_diff(last.of("used_memory")) < 1024 {
                return now;
            }
            last = now;
        }
    }

    /// What all keys take, by MEMORY USAGE of each, without the tables that lead to them.
    fn weigh(&mut self) -> usize {
        let keys: Vec<Vec<u8>> = cmd("KEYS").arg("*").query(&mut self.link).unwrap();
        let mut sum = 0;
        for keys in keys.chunks(500) {
            let mut batch = pipe();
            for key in keys {
                batch.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0);
            }
            sum += batch.query::<Vec<usize>>(&mut self.link).unwrap().iter().sum::<usize>();
        }
        let figures = self.read();
        sum.saturating_sub(figures.of("mem_overhead_db_hashtable"))
            .saturating_sub(figures.of("mem_overhead_expiry"))
    }

    /// The sum of what is told, against what is used.
    fn check(&mut self, what: &str) {
        let weighed = self.weigh();
        let figures = self.figures();
        let (used, overhead) = (figures.of("used_memory"), figures.of("used_memory_overhead"));
        assert!(
            (weighed + overhead).abs_diff(used) * 20 <= used,
            "{what}: {used} bytes are used, {weighed} by keys and {overhead} beside them"
        );
        assert_eq!(figures.of("used_memory_dataset"), used - overhead, "{what}");
        let allocated = figures.of("allocator_allocated");
        assert!(allocated + allocated / 20 >= used, "{what}: the allocator knows of {allocated}");
    }

    /// Whether what `act` brings about is told by the fields, in so far as it is used.
    fn grow(&mut self, fields: &[&str], act: impl FnOnce(&mut Self) -> Vec<TcpStream>) {
        let before = self.figures();
        let held = act(self);
        let after = self.figures();
        let sum = |figures: &Figures| fields.iter().map(|field| figures.of(field)).sum::<usize>();
        let used = after.of("used_memory") - before.of("used_memory");
        let told = sum(&after) - sum(&before);
        assert!(used > 300_000, "{fields:?}: {used} bytes are too few to tell");
        assert!(told.abs_diff(used) * 10 <= used, "{fields:?}: {used} more used, {told} more told");
        drop(held);
    }

    fn connect(&self) -> TcpStream {
        self.server.stream()
    }
}

struct Figures(HashMap<String, usize>);

impl Figures {
    fn of(&self, field: &str) -> usize {
        *self.0.get(field).unwrap_or_else(|| panic!("INFO has no {field}"))
    }
}

#[test]
fn many_small_strings_add_up() {
    let mut books = Books::open();
    books.repeat(60_000, &["SET", "key:@", "a value of some length: @"]);
    books.check("strings");
    books.repeat(60_000, &["SET", "timed:@", "a value", "PX", "9@000"]);
    books.check("strings with deadlines");
    books.run(&["CONFIG", "SET", "maxmemory-policy", "allkeys-tinylfu"]);
    books.repeat(60_000, &["GET", "key:@"]);
    books.check("strings whose use is counted");
}

#[test]
fn few_large_collections_add_up() {
    let mut books = Books::open();
    books.repeat(30_000, &["HSET", "hash", "field:@", "a value of some length: @"]);
    books.repeat(30_000, &["RPUSH", "list", "an element of some length: @"]);
    books.repeat(30_000, &["SADD", "set", "a member of some length: @"]);
    books.repeat(30_000, &["ZADD", "ranks", "@", "a member of some length: @"]);
    books.repeat(30_000, &["XADD", "stream", "*", "field", "a value of some length: @"]);
    books.check("collections");
}

#[test]
fn a_held_snapshot_adds_up() {
    let mut books = Books::open();
    books.repeat(40_000, &["SET", "key:@", "a value of some length: @"]);
    books.run(&["SNAPSHOT", "SAVE", "base"]);
    books.grow(&["mem_overhead_snapshots"], |books| {
        books.repeat(40_000, &["SET", "key:@", "another one, as long:  @"]);
        Vec::new()
    });
    books.check("rewritten under a snapshot");
}

#[test]
fn scripts_add_up() {
    let mut books = Books::open();
    books.run(&["EVAL", "return 1", "0"]);
    let fields = &["used_memory_scripts_eval", "used_memory_vm_eval"];
    books.grow(fields, |books| {
        books.repeat(3000, &["SCRIPT", "LOAD", "local number = @ return 'a text of some length'"]);
        Vec::new()
    });
    books.check("scripts");
    books.run(&["FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() end)"]);
    let fields = &["used_memory_functions", "used_memory_vm_functions"];
    books.grow(fields, |books| {
        let text = "#!lua name=l@\nredis.register_function('f@', function() return 'a text' end)";
        books.repeat(1000, &["FUNCTION", "LOAD", text]);
        Vec::new()
    });
}

#[test]
fn clients_and_what_is_kept_for_them_add_up() {
    let mut books = Books::open();
    books.run(&["SET", "large", &"x".repeat(100_000)]);
    books.run(&["SET", "medium", &"x".repeat(3000)]);
    let clients = &["mem_clients_normal"];
    books.grow(clients, |books| (0..400).map(|_| books.connect()).collect());
    books.grow(clients, |books| {
        let sends = |_| {
            let mut stream = books.connect();
            stream.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000\r\n").unwrap();
            stream.write_all(&[b'x'; 15_000]).unwrap();
            stream
        };
        (0..50).map(sends).collect()
    });
    // What is not read piles up: copies of what is small, and what is large by reference.
    books.grow(clients, |books| {
        let asks = |number| {
            let mut stream = books.connect();
            let key = if number % 2 == 0 { "large" } else { "medium" };
            let request = format!("GET {key}\r\n").repeat(2000);
            stream.write_all(request.as_bytes()).unwrap();
            stream
        };
        (0..20).map(asks).collect()
    });
    books.grow(&["mem_overhead_pubsub", "mem_clients_normal"], |books| {
        let mut stream = books.connect();
        for number in 0..10_000 {
            stream.write_all(format!("SUBSCRIBE channel:{number}\r\n").as_bytes()).unwrap();
        }
        vec![stream]
    });
    books.grow(&["mem_overhead_watched_keys", "mem_clients_normal"], |books| {
        let mut stream = books.connect();
        for number in 0..10_000 {
            stream.write_all(format!("WATCH watched:{number}\r\n").as_bytes()).unwrap();
        }
        vec![stream]
    });
    books.grow(&["mem_overhead_tracking", "mem_clients_normal"], |books| {
        let mut stream = books.connect();
        stream.write_all(b"HELLO 3\r\nCLIENT TRACKING ON\r\n").unwrap();
        for number in 0..10_000 {
            stream.write_all(format!("GET tracked:{number}\r\n").as_bytes()).unwrap();
        }
        vec![stream]
    });
    books.run(&["CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "5000"]);
    books.grow(&["mem_overhead_slowlog"], |books| {
        books.repeat(6000, &["ECHO", "a word of some length: @"]);
        Vec::new()
    });
}
