//! Each of `examples/` does what it says, against the real binary.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../examples/leaderboard.rs"]
mod leaderboard;
#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../examples/list_queue.rs"]
mod list_queue;
#[path = "harness/server.rs"]
mod server;
#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../examples/session_hash.rs"]
mod session_hash;
#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../examples/store_locator.rs"]
mod store_locator;
#[allow(dead_code, reason = "its `main` is for the command line")]
#[path = "../examples/stream_queue.rs"]
mod stream_queue;

use server::Server;
use std::collections::BTreeSet;

fn twelve_jobs() -> BTreeSet<String> {
    (1..=12).map(|number| format!("job {number}")).collect()
}

#[test]
fn every_job_of_a_stream_is_done_once() {
    let server = Server::start(&[]);
    let done = stream_queue::run(&server.url()).unwrap();
    assert_eq!(done.len(), 12, "{done:?}");
    assert_eq!(done.iter().map(|done| done.job.clone()).collect::<BTreeSet<_>>(), twelve_jobs());
    // Who gave up did one job at most, and the one he left was delivered again.
    assert!(done.iter().filter(|done| done.worker == "quitter").count() <= 1);
    assert!(done.iter().all(|done| done.deliveries == 1 || done.worker != "quitter"));
}

#[test]
fn every_job_of_a_list_is_done_once() {
    let server = Server::start(&[]);
    let done = list_queue::run(&server.url()).unwrap();
    assert_eq!(done.len(), 12, "{done:?}");
    assert_eq!(done.into_iter().map(|(_, job)| job).collect::<BTreeSet<_>>(), twelve_jobs());
}

#[test]
fn sessions_keep_what_they_should() {
    let server = Server::start(&[]);
    for protocol in ["resp2", "resp3"] {
        let outcome = session_hash::run(&format!("{}?protocol={protocol}", server.url())).unwrap();
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

#[test]
fn examples_on_sorted_sets_do_what_they_say() {
    let server = Server::start(&[]);
    for protocol in [2, 3] {
        let mut connection = server.connect_in(protocol);
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
