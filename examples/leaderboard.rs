//! A leaderboard: points add up, ranks are read while they do.
//!
//! `cargo run --example leaderboard -- redis://127.0.0.1:6379`

#![allow(clippy::print_stdout, reason = "it shows what it does")]

use redis::{Connection, RedisResult};

const BOARD: &str = "board:weekly";

/// A row of the board: place from 1 on, player, points.
pub(crate) type Row = (usize, String, f64);

/// Gives a player points; the sum.
pub(crate) fn score(connection: &mut Connection, player: &str, points: f64) -> RedisResult<f64> {
    redis::cmd("ZINCRBY").arg(BOARD).arg(points).arg(player).query(connection)
}

/// The best players.
pub(crate) fn top(connection: &mut Connection, count: isize) -> RedisResult<Vec<Row>> {
    page(connection, 0, count - 1)
}

/// A player among the neighbours on both sides.
pub(crate) fn around(
    connection: &mut Connection,
    player: &str,
    each: isize,
) -> RedisResult<Vec<Row>> {
    let rank: Option<isize> = redis::cmd("ZREVRANK").arg(BOARD).arg(player).query(connection)?;
    match rank {
        Some(rank) => page(connection, (rank - each).max(0), rank + each),
        None => Ok(Vec::new()),
    }
}

fn page(connection: &mut Connection, first: isize, last: isize) -> RedisResult<Vec<Row>> {
    let rows: Vec<(String, f64)> = redis::cmd("ZRANGE")
        .arg(BOARD)
        .arg(first)
        .arg(last)
        .arg("REV")
        .arg("WITHSCORES")
        .query(connection)?;
    let place = usize::try_from(first).unwrap_or(0);
    let rows = rows.into_iter().enumerate();
    Ok(rows.map(|(index, (player, points))| (place + index + 1, player, points)).collect())
}

/// Closes the week: the winners go to another board, the rest is forgotten.
pub(crate) fn close(connection: &mut Connection, winners: isize) -> RedisResult<usize> {
    redis::pipe()
        .atomic()
        .cmd("ZRANGESTORE")
        .arg("board:winners")
        .arg(BOARD)
        .arg(0)
        .arg(winners - 1)
        .arg("REV")
        .cmd("DEL")
        .arg(BOARD)
        .ignore()
        .query::<Vec<usize>>(connection)
        .map(|counts| counts.first().copied().unwrap_or(0))
}

#[allow(dead_code, reason = "the test has a main of its own")]
fn main() -> RedisResult<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1:6379".into());
    let mut connection = redis::Client::open(url)?.get_connection()?;
    for (player, points) in [("ada", 120.0), ("brian", 95.5), ("chen", 130.0), ("ada", 20.0)] {
        println!("{player} has {} points", score(&mut connection, player, points)?);
    }
    for (place, player, points) in top(&mut connection, 3)? {
        println!("{place}. {player} {points}");
    }
    for (place, player, _) in around(&mut connection, "ada", 1)? {
        println!("around ada: {place}. {player}");
    }
    println!("{} winners", close(&mut connection, 2)?);
    Ok(())
}
