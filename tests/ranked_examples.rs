//! The examples on sorted sets and places, against the real binary.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "../examples/leaderboard.rs"]
mod leaderboard;
#[path = "../examples/store_locator.rs"]
mod store_locator;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A server on a port of its own, which ends with the test.
struct Server(Child, u16);

impl Server {
    fn start() -> Self {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = probe.local_addr().unwrap().port();
        drop(probe);
        let mut process = Command::new(env!("CARGO_BIN_EXE_ochre-server"))
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert!(lines.by_ref().any(|line| line.unwrap().contains("Ready to accept")));
        std::thread::spawn(move || lines.for_each(drop));
        Self(process, port)
    }

    fn connect(&self, protocol: u8) -> redis::Connection {
        let url = format!("redis://127.0.0.1:{}/?protocol=resp{protocol}", self.1);
        redis::Client::open(url).unwrap().get_connection().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What matters is that it doesn't outlive the test.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn examples_on_sorted_sets_do_what_they_say() {
    let server = Server::start();
    for protocol in [2, 3] {
        let mut connection = server.connect(protocol);
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
        for player in 0..300_u32 {
            let points = f64::from(player);
            let sum = leaderboard::score(&mut connection, &format!("player{player}"), points);
            assert_eq!(sum, Ok(points));
        }
        assert_eq!(leaderboard::score(&mut connection, "player7", 1000.5), Ok(1007.5));
        let top = leaderboard::top(&mut connection, 2).unwrap();
        assert_eq!(top, [(1, "player7".into(), 1007.5), (2, "player299".into(), 299.0)]);
        let around = leaderboard::around(&mut connection, "player298", 1).unwrap();
        assert_eq!(around[1], (3, "player298".into(), 298.0));
        assert_eq!(around.len(), 3);
        assert_eq!(leaderboard::around(&mut connection, "nobody", 1).unwrap(), []);
        assert_eq!(leaderboard::close(&mut connection, 10), Ok(10));
        assert_eq!(leaderboard::top(&mut connection, 2).unwrap(), []);

        for (name, place) in [
            ("Alexanderplatz", (13.4132, 52.5219)),
            ("Potsdam", (13.0645, 52.3906)),
            ("Leipzig", (12.3731, 51.3397)),
        ] {
            assert_eq!(store_locator::open(&mut connection, name, place), Ok(1));
        }
        let nearest = store_locator::nearest(&mut connection, (13.3777, 52.5163), 2).unwrap();
        let names: Vec<&str> = nearest.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Alexanderplatz", "Potsdam"]);
        assert!((2.0..3.0).contains(&nearest[0].1), "{nearest:?}");
        let shown = store_locator::on_the_map(&mut connection, "Potsdam", (80, 60)).unwrap();
        assert_eq!(shown, ["Potsdam", "Alexanderplatz"]);
        assert_eq!(store_locator::close(&mut connection, "Leipzig"), Ok(1));
        assert_eq!(store_locator::close(&mut connection, "Leipzig"), Ok(0));
    }
}
