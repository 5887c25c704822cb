//! A job queue on lists: a job moves from the queue to its worker's own list and leaves that when
//! it is done, so that a worker's end loses none.
//!
//! `cargo run --example list_queue -- redis://127.0.0.1:6379/`

#![allow(clippy::print_stdout, reason = "its purpose")]

use redis::{Connection, RedisResult};

const QUEUE: &str = "example:queue";
const WORKERS: [&str; 3] = ["ann", "bob", "quitter"];
const QUITTER: &str = "quitter";

fn main() -> RedisResult<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1/".into());
    for (worker, job) in run(&url)? {
        println!("{worker} did {job}");
    }
    Ok(())
}

/// Has twelve jobs done by three workers, one of whom leaves his first job undone. Says who did
/// which.
///
/// # Panics
/// When a job is lost, or a worker panics.
pub(crate) fn run(url: &str) -> RedisResult<Vec<(String, String)>> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_connection()?;
    redis::cmd("DEL").arg(QUEUE).arg(&WORKERS.map(own_list)).exec(&mut connection)?;
    let jobs: Vec<String> = (1..=12).map(|number| format!("job {number}")).collect();
    redis::cmd("LPUSH").arg(QUEUE).arg(&jobs).exec(&mut connection)?;
    let mut done = work(&mut connection, QUITTER)?;
    // Somebody watches over the workers, and gives back what one of them left.
    while let Some(job) = give_back(&mut connection, QUITTER)? {
        assert!(jobs.contains(&job), "what comes back is a job");
    }
    let others = WORKERS.iter().filter(|worker| **worker != QUITTER).map(|worker| {
        let client = client.clone();
        std::thread::spawn(move || work(&mut client.get_connection()?, worker))
    });
    for worker in others.collect::<Vec<_>>() {
        done.extend(worker.join().expect("a worker ends by himself")?);
    }
    Ok(done)
}

fn own_list(worker: &str) -> String {
    format!("{QUEUE}:{worker}")
}

/// Works until the queue stays empty; the quitter takes one job and goes.
fn work(connection: &mut Connection, worker: &str) -> RedisResult<Vec<(String, String)>> {
    let (own, mut done) = (own_list(worker), Vec::new());
    loop {
        let take = [QUEUE, &own, "RIGHT", "LEFT", "0.2"];
        let job: Option<String> = redis::cmd("BLMOVE").arg(&take).query(connection)?;
        let Some(job) = job else { return Ok(done) };
        if worker == QUITTER {
            return Ok(done);
        }
        redis::cmd("LREM").arg(&own).arg(1).arg(&job).exec(connection)?;
        done.push((worker.into(), job));
    }
}

fn give_back(connection: &mut Connection, worker: &str) -> RedisResult<Option<String>> {
    redis::cmd("LMOVE").arg(&[&own_list(worker), QUEUE, "LEFT", "RIGHT"]).query(connection)
}
