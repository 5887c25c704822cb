//! Sessions of a web application: a hash each, whose parts go at times of their own.
//!
//! The visitor's name lasts as long as the session, which every visit makes longer; a code sent by
//! mail is good once and for a short time; a note to show on the next page goes when it is read.
//!
//! `cargo run --example session_hash -- redis://127.0.0.1:6379/`

#![allow(clippy::print_stdout, reason = "its purpose")]

use redis::{Connection, RedisResult, Value};
use std::collections::BTreeMap;

const SESSION_SECONDS: u64 = 1800;
const CODE_MILLIS: u64 = 40;
const PATIENCE_MILLIS: u64 = 10;

/// What became of two visitors.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Whether the first visitor's code was accepted, and whether it was a second time.
    pub(crate) accepted: [bool; 2],
    /// Whether a code that came too late was accepted.
    pub(crate) late: bool,
    /// The note, on the page after it was left and on the next one.
    pub(crate) notes: [Option<String>; 2],
    /// What the second session still holds.
    pub(crate) left: BTreeMap<String, String>,
    /// Whether a visit made the session longer.
    pub(crate) is_prolonged: bool,
}

fn main() -> RedisResult<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1/".into());
    let Outcome { accepted, late, notes, left, is_prolonged } = run(&url)?;
    println!("the code was accepted: {}, again: {}, late: {late}", accepted[0], accepted[1]);
    println!("note: {:?}, then {:?}", notes[0], notes[1]);
    println!("the visit made the session longer: {is_prolonged}; it holds {left:?}");
    Ok(())
}

/// Lets two visitors sign in with a code, one in time and one too late.
pub(crate) fn run(url: &str) -> RedisResult<Outcome> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let (prompt, tardy) = ("example:session:1", "example:session:2");
    redis::cmd("DEL").arg(&[prompt, tardy]).exec(&mut connection)?;
    for (session, visitor) in [(prompt, "ann"), (tardy, "bob")] {
        open(&mut connection, session, visitor)?;
        send_code(&mut connection, session, "4711")?;
    }
    let accepted =
        [redeem(&mut connection, prompt, "4711")?, redeem(&mut connection, prompt, "4711")?];
    // The second visitor reads his mail until the code is gone, which nobody has to see to.
    while exists(&mut connection, tardy, "code")? {
        std::thread::sleep(std::time::Duration::from_millis(PATIENCE_MILLIS));
    }
    let late = redeem(&mut connection, tardy, "4711")?;
    leave_note(&mut connection, tardy, "too late, try again")?;
    let notes = [take_note(&mut connection, tardy)?, take_note(&mut connection, tardy)?];
    redis::cmd("EXPIRE").arg(tardy).arg(SESSION_SECONDS / 2).exec(&mut connection)?;
    let before: u64 = redis::cmd("PTTL").arg(tardy).query(&mut connection)?;
    let left = visit(&mut connection, tardy)?;
    let after: u64 = redis::cmd("PTTL").arg(tardy).query(&mut connection)?;
    Ok(Outcome { accepted, late, notes, left, is_prolonged: after > before })
}

/// Begins a session.
fn open(connection: &mut Connection, session: &str, visitor: &str) -> RedisResult<()> {
    redis::pipe()
        .atomic()
        .cmd("HSET")
        .arg(&[session, "visitor", visitor, "pages", "0"])
        .ignore()
        .cmd("EXPIRE")
        .arg(session)
        .arg(SESSION_SECONDS)
        .ignore()
        .exec(connection)
}

/// Keeps a code beside the rest of the session, for a short time.
fn send_code(connection: &mut Connection, session: &str, code: &str) -> RedisResult<()> {
    redis::cmd("HSETEX")
        .arg(&[session, "PX"])
        .arg(CODE_MILLIS)
        .arg(&["FIELDS", "1", "code", code])
        .exec(connection)
}

/// Accepts the code if it is right, and once only.
fn redeem(connection: &mut Connection, session: &str, code: &str) -> RedisResult<bool> {
    let taken: Vec<Option<String>> =
        redis::cmd("HGETDEL").arg(&[session, "FIELDS", "1", "code"]).query(connection)?;
    Ok(taken.first().is_some_and(|taken| taken.as_deref() == Some(code)))
}

fn exists(connection: &mut Connection, session: &str, field: &str) -> RedisResult<bool> {
    redis::cmd("HEXISTS").arg(&[session, field]).query(connection)
}

fn leave_note(connection: &mut Connection, session: &str, note: &str) -> RedisResult<()> {
    redis::cmd("HSET").arg(&[session, "note", note]).exec(connection)
}

/// The note, which nobody gets again.
fn take_note(connection: &mut Connection, session: &str) -> RedisResult<Option<String>> {
    let notes: Vec<Option<String>> =
        redis::cmd("HGETDEL").arg(&[session, "FIELDS", "1", "note"]).query(connection)?;
    Ok(notes.into_iter().next().flatten())
}

/// Counts a page, makes the session longer, and gives what it holds.
fn visit(connection: &mut Connection, session: &str) -> RedisResult<BTreeMap<String, String>> {
    let (_, _, held): (Value, Value, BTreeMap<String, String>) = redis::pipe()
        .atomic()
        .cmd("HINCRBY")
        .arg(&[session, "pages", "1"])
        .cmd("EXPIRE")
        .arg(session)
        .arg(SESSION_SECONDS)
        .cmd("HGETALL")
        .arg(session)
        .query(connection)?;
    Ok(held)
}
