//! A store locator: which shops are near, and which lie in the part of the map that is shown.
//!
//! `cargo run --example store_locator -- redis://127.0.0.1:6379`

#![allow(clippy::print_stdout, reason = "it shows what it does")]

use redis::{Connection, RedisResult};

const SHOPS: &str = "shops";

/// Adds a shop, or moves it.
pub(crate) fn open(
    connection: &mut Connection,
    name: &str,
    (longitude, latitude): (f64, f64),
) -> RedisResult<usize> {
    let mut command = redis::cmd("GEOADD");
    command.arg(SHOPS).arg("CH").arg(longitude).arg(latitude).arg(name).query(connection)
}

/// The nearest shops with their distances in kilometers.
pub(crate) fn nearest(
    connection: &mut Connection,
    (longitude, latitude): (f64, f64),
    count: usize,
) -> RedisResult<Vec<(String, f64)>> {
    redis::cmd("GEOSEARCH")
        .arg(SHOPS)
        .arg("FROMLONLAT")
        .arg(longitude)
        .arg(latitude)
        .arg("BYRADIUS")
        .arg(500)
        .arg("km")
        .arg("ASC")
        .arg("COUNT")
        .arg(count)
        .arg("WITHDIST")
        .query(connection)
}

/// The shops on a map of this size around a shop.
pub(crate) fn on_the_map(
    connection: &mut Connection,
    shop: &str,
    (width, height): (u32, u32),
) -> RedisResult<Vec<String>> {
    redis::cmd("GEOSEARCH")
        .arg(SHOPS)
        .arg("FROMMEMBER")
        .arg(shop)
        .arg("BYBOX")
        .arg(width)
        .arg(height)
        .arg("km")
        .arg("ASC")
        .query(connection)
}

/// Closes a shop for good.
pub(crate) fn close(connection: &mut Connection, name: &str) -> RedisResult<usize> {
    redis::cmd("ZREM").arg(SHOPS).arg(name).query(connection)
}

#[allow(dead_code, reason = "the test has a main of its own")]
fn main() -> RedisResult<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1:6379".into());
    let mut connection = redis::Client::open(url)?.get_connection()?;
    open(&mut connection, "Alexanderplatz", (13.4132, 52.5219))?;
    open(&mut connection, "Potsdam", (13.0645, 52.3906))?;
    open(&mut connection, "Leipzig", (12.3731, 51.3397))?;
    for (shop, distance) in nearest(&mut connection, (13.3777, 52.5163), 2)? {
        println!("{shop}: {distance} km");
    }
    println!("on the map: {:?}", on_the_map(&mut connection, "Potsdam", (80, 60))?);
    println!("{} closed", close(&mut connection, "Leipzig")?);
    Ok(())
}
