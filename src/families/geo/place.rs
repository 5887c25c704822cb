//! Single places: GEOADD, GEOPOS, GEODIST, GEOHASH.

use super::UNIT;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Command, DENY_OOM, Group, Key, at_least, block, double, key, one_of, pure, text,
};
use crate::families::sorted_set::add::{self, Adding, Presence};
use crate::families::sorted_set::{event, living};
use crate::protocol::error::ReplyError;
use crate::structures::geohash::{Unit, format_distance};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("GEOADD", at_least(5), Group::Geo, Write(geoadd))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM)
        .args(&[
            key("key"),
            one_of("condition", &[pure("nx", "NX"), pure("xx", "XX")]).optional().since("6.2.0"),
            pure("change", "CH").optional().since("6.2.0"),
            block("data", &[double("longitude"), double("latitude"), text("member")]).repeated(),
        ])
        .doc("3.2.0", "Adds places to a geospatial index, or moves them.", "O(log(N))"),
    Command::new("GEOPOS", at_least(2), Group::Geo, Read(geopos))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), text("member").optional().repeated()])
        .doc("3.2.0", "Gives longitude and latitude of places.", "O(1)"),
    Command::new("GEODIST", at_least(4), Group::Geo, Read(geodist))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), text("member1"), text("member2"), UNIT.optional()])
        .doc("3.2.0", "Gives the distance between two places.", "O(1)"),
    Command::new("GEOHASH", at_least(2), Group::Geo, Read(geohash))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), text("member").optional().repeated()])
        .doc("3.2.0", "Gives the geohash strings of places.", "O(1)"),
];

fn geoadd(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let mut adding = Adding::default();
    let (mut nx, mut xx) = (false, false);
    loop {
        if cx.args.accept("NX") {
            nx = true;
        } else if cx.args.accept("XX") {
            xx = true;
        } else if cx.args.accept("CH") {
            adding.counts_changes = true;
        } else {
            break;
        }
    }
    if !cx.args.left().is_multiple_of(3) || nx && xx {
        return Err(ReplyError::Syntax);
    }
    adding.presence = match (nx, xx) {
        (true, _) => Presence::Absent,
        (_, true) => Presence::Present,
        _ => Presence::Either,
    };
    let mut places = Vec::with_capacity(cx.args.left() / 3);
    while !cx.args.is_done() {
        let point = super::point(&mut cx.args)?;
        places.push((point.score(), cx.args.bytes()?));
    }
    if places.is_empty() {
        return Err(ReplyError::Syntax);
    }

    let added = add::add(cx, key, adding, event("zadd"), places.into_iter())?;
    cx.reply.uint(added.count(adding));
    Ok(Flow::Replied)
}

fn geopos(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let members = cx.args.rest();

    let set = living(&cx.keys, key)?;
    cx.reply.array(members.len());
    for member in members {
        match set.as_deref().and_then(|set| super::place_of(set, member)) {
            Some(point) => {
                cx.reply.array(2);
                cx.reply.double(point.longitude);
                cx.reply.double(point.latitude);
            }
            None => cx.reply.null_array(),
        }
    }
    Ok(Flow::Replied)
}

fn geodist(cx: &mut ReadCx<'_>) -> CmdResult {
    let (key, from, to) = (cx.args.bytes()?, cx.args.bytes()?, cx.args.bytes()?);
    let unit = match cx.args.left() {
        0 => Unit::Meters,
        1 => super::unit(&mut cx.args)?,
        _ => return Err(ReplyError::Syntax),
    };

    let set = living(&cx.keys, key)?;
    let set = set.as_deref();
    let ends = set.and_then(|set| Some((super::place_of(set, from)?, super::place_of(set, to)?)));
    match ends {
        Some((from, to)) => {
            let mut text = Vec::new();
            format_distance(from.distance(to) / unit.meters(), &mut text);
            cx.reply.bulk(&text);
        }
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

fn geohash(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let members = cx.args.rest();

    let set = living(&cx.keys, key)?;
    cx.reply.array(members.len());
    for member in members {
        match set.as_deref().and_then(|set| super::place_of(set, member)) {
            Some(point) => cx.reply.bulk(&point.text()),
            None => cx.reply.null(),
        }
    }
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    const TWO: &str = "geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania => :2";

    #[test]
    fn places_are_added() {
        Bench::new().check(&[
            TWO,
            "geoadd g 13.4 38.1 Palermo => :0",
            "geoadd g ch 13.5 38.1 Palermo => :1",
            "geoadd g nx ch 13.6 38.1 Palermo 1 1 new => :1",
            "geoadd g xx 13.6 38.1 other => :0",
            "zcard g => :3",
            "geoadd g nx xx 1 1 a => -ERR syntax error",
            "geoadd g 200 1 a => -ERR invalid longitude,latitude pair 200.000000,1.000000",
            "geoadd g x 1 a => -ERR value is not a valid float",
            "geoadd g ch foo 13.4 38.1 Palermo => -ERR syntax error",
            "geoadd g 1 1 a 2 2 => -ERR syntax error",
            "set s v => +OK",
            "geoadd s 1 1 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn places_are_read() {
        let mut bench = Bench::new();
        bench.check(&[
            TWO,
            "geoadd g 13.4 38.1 Palermo => :0",
            r#"geopos g Palermo x => [["13.400002419948578" "38.10000081174143"] nil]"#,
            "geopos g => []",
            "geopos none a => [nil]",
            r#"geodist g Palermo Catania => "162484.5721""#,
            r#"geodist g Palermo Catania km => "162.4846""#,
            "geodist g Palermo x => nil",
            "geodist none a b foo => -ERR unsupported unit provided. please use M, KM, FT, MI",
            "geodist g Palermo Catania km foo => -ERR syntax error",
            r#"geohash g Palermo x => ["sqc88zvsdd0" nil]"#,
            "zadd bad 1e300 y -5 z => :2",
            r#"geopos bad y z => [["-179.99999731779099" "-85.05112751263943"] ["180" "85.05112878"]]"#,
            r#"geohash bad y z => ["00bh0hbj200" "bp05b5048p0"]"#,
            r#"geodist bad y z => "18919844.5891""#,
        ]);
        bench.dialect = Dialect::Resp3;
        bench.check(&[
            "geopos g Palermo => [[,13.400002419948578 ,38.10000081174143]]",
            r#"geodist g Palermo Catania => "162484.5721""#,
        ]);
    }
}
