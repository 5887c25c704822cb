//! A job queue on a stream: workers share a consumer group, and what one of them leaves undone is
//! taken over by another.
//!
//! `cargo run --example stream_queue -- redis://127.0.0.1:6379/`

#![allow(clippy::print_stdout, reason = "its purpose")]

use redis::{Connection, RedisResult};
use std::collections::HashMap;

const JOBS: &str = "example:jobs";
const GROUP: &str = "workers";
/// A job that nobody finished for so long is given to somebody else.
const PATIENCE_MS: u64 = 20;

/// An entry: its identifier, its names and values.
type Entry = (String, HashMap<String, String>);

/// Which worker did which job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// The worker.
    pub(crate) worker: String,
    /// What the job was.
    pub(crate) job: String,
    /// Deliveries it took.
    pub(crate) deliveries: u64,
}

fn main() -> RedisResult<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1/".into());
    for Done { worker, job, deliveries } in run(&url)? {
        println!("{worker} did {job} at delivery {deliveries}");
    }
    Ok(())
}

/// Has twelve jobs done by three workers, one of whom gives up after his first job.
///
/// # Panics
/// When a job is lost, or a worker panics.
pub(crate) fn run(url: &str) -> RedisResult<Vec<Done>> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_connection()?;
    redis::cmd("DEL").arg(JOBS).exec(&mut connection)?;
    let create = ["CREATE", JOBS, GROUP, "$", "MKSTREAM"];
    redis::cmd("XGROUP").arg(&create).exec(&mut connection)?;
    let workers = [("ann", None), ("bob", None), ("quitter", Some(1))].map(|(name, jobs_max)| {
        let client = client.clone();
        std::thread::spawn(move || work(&mut client.get_connection()?, name, jobs_max))
    });
    for number in 1..=12 {
        let job = format!("job {number}");
        // About a thousand jobs are kept for a look at the past.
        let entry = ["MAXLEN", "~", "1000", "*", "what", &job];
        redis::cmd("XADD").arg(JOBS).arg(&entry).exec(&mut connection)?;
    }
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.join().expect("a worker ends by himself")?);
    }
    let left: Vec<redis::Value> =
        redis::cmd("XPENDING").arg(&[JOBS, GROUP, "-", "+", "1"]).query(&mut connection)?;
    assert!(left.is_empty(), "all jobs are acknowledged");
    Ok(done)
}

/// Works until there is nothing left to do, or until he has done enough: then he takes one more
/// and leaves it undone.
fn work(
    connection: &mut Connection,
    worker: &str,
    jobs_max: Option<usize>,
) -> RedisResult<Vec<Done>> {
    let mut done = Vec::new();
    loop {
        let read = ["GROUP", GROUP, worker, "COUNT", "1", "BLOCK", "200", "STREAMS", JOBS, ">"];
        let streams: Option<Vec<(String, Vec<Entry>)>> =
            redis::cmd("XREADGROUP").arg(&read).query(connection)?;
        let fresh = streams.into_iter().flatten().flat_map(|(_, entries)| entries).next();
        let job = match fresh {
            Some(entry) => Some(entry),
            None if jobs_max.is_some() => return Ok(done),
            None => take_over(connection, worker)?,
        };
        let Some((id, fields)) = job else { return Ok(done) };
        if jobs_max.is_some_and(|most| done.len() >= most) {
            return Ok(done);
        }
        let deliveries = deliveries(connection, &id)?;
        redis::cmd("XACK").arg(JOBS).arg(GROUP).arg(&id).exec(connection)?;
        let job = fields.get("what").cloned().unwrap_or_default();
        done.push(Done { worker: worker.into(), job, deliveries });
    }
}

/// A job that another worker has left undone for too long.
fn take_over(connection: &mut Connection, worker: &str) -> RedisResult<Option<Entry>> {
    let claim = redis::cmd("XAUTOCLAIM")
        .arg(&[JOBS, GROUP, worker])
        .arg(PATIENCE_MS)
        .arg(&["0", "COUNT", "1"])
        .query(connection);
    let (_next, mut entries, _gone): (String, Vec<Entry>, Vec<String>) = claim?;
    Ok(entries.pop())
}

/// How often a pending job was delivered.
fn deliveries(connection: &mut Connection, id: &str) -> RedisResult<u64> {
    let pending: Vec<(String, String, u64, u64)> =
        redis::cmd("XPENDING").arg(&[JOBS, GROUP, id, id, "1"]).query(connection)?;
    Ok(pending.first().map_or(0, |(_, _, _, deliveries)| *deliveries))
}
