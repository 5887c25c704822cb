//! Places within an area: GEOSEARCH, GEOSEARCHSTORE, and the GEORADIUS commands before them.

use super::UNIT;
use super::area::{Command as Asking, Order, Plan, Stored};
use crate::command::context::{CmdResult, Flow, ReadCx, ReadHandler, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Arg, Command, DENY_OOM, Group, Key, MOVABLE_KEYS, at_least, block, double, integer, key,
    one_of, pure, text,
};
use crate::families::sorted_set::{event, living, pack_limits, write_member};
use crate::keyspace::journal::Event;
use crate::keyspace::write::Lifetime;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::structures::cow_tree::End;
use crate::structures::geohash::{Point, format_distance};
use crate::structures::listpack::{Digits, Item};
use crate::types::sorted_set::{Cut, SortedSet};

const FROM: Arg = one_of(
    "from",
    &[
        text("member").token("FROMMEMBER"),
        block("fromlonlat", &[double("longitude"), double("latitude")]).token("FROMLONLAT"),
    ],
);
const BY: Arg = one_of(
    "by",
    &[
        block("circle", &[double("radius").token("BYRADIUS"), UNIT]),
        block("box", &[double("width").token("BYBOX"), double("height"), UNIT]),
    ],
);
const ORDER: Arg = one_of("order", &[pure("asc", "ASC"), pure("desc", "DESC")]).optional();
const COUNT: Arg =
    block("count-block", &[integer("count").token("COUNT"), pure("any", "ANY").optional()])
        .optional();
const COUNT_LATER: Arg = block(
    "count-block",
    &[integer("count").token("COUNT"), pure("any", "ANY").optional().since("6.2.0")],
)
.optional();
const WITH_COORD: Arg = pure("withcoord", "WITHCOORD").optional();
const WITH_DIST: Arg = pure("withdist", "WITHDIST").optional();
const WITH_HASH: Arg = pure("withhash", "WITHHASH").optional();
const STORE: Arg = one_of(
    "store",
    &[key("storekey").spec(1).token("STORE"), key("storedistkey").spec(2).token("STOREDIST")],
)
.optional();

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("GEOSEARCH", at_least(7), Group::Geo, Read(geosearch))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), FROM, BY, ORDER, COUNT, WITH_COORD, WITH_DIST, WITH_HASH])
        .doc("6.2.0", "Lists the places within an area.", "O(N+log(M))"),
    Command::new("GEOSEARCHSTORE", at_least(8), Group::Geo, Write(geosearchstore))
        .keys(&[Key::at(1, &["OW", "update"]), Key::at(2, &["RO", "access"])])
        .flags(DENY_OOM)
        .args(&[
            key("destination"),
            key("source").spec(1),
            FROM,
            BY,
            ORDER,
            COUNT,
            pure("storedist", "STOREDIST").optional(),
        ])
        .doc("6.2.0", "Stores the places within an area under another key.", "O(N+log(M))"),
    Command::new("GEORADIUS", at_least(6), Group::Geo, Write(georadius))
        .keys(&[
            Key::at(1, &["RO", "access"]),
            Key::after("STORE", 6, &["OW", "update"]),
            Key::after("STOREDIST", 6, &["OW", "update"]),
        ])
        .flags(DENY_OOM.and(MOVABLE_KEYS))
        .args(&[
            key("key"),
            double("longitude"),
            double("latitude"),
            double("radius"),
            UNIT,
            WITH_COORD,
            WITH_DIST,
            WITH_HASH,
            COUNT_LATER,
            ORDER,
            STORE,
        ])
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")
        .doc("3.2.0", "Lists or stores the places around a point.", "O(N+log(M))"),
    Command::new("GEORADIUS_RO", at_least(6), Group::Geo, Read(georadius_ro))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            double("longitude"),
            double("latitude"),
            double("radius"),
            UNIT,
            WITH_COORD,
            WITH_DIST,
            WITH_HASH,
            COUNT_LATER,
            ORDER,
        ])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")
        .doc("3.2.10", "Lists the places around a point.", "O(N+log(M))"),
    Command::new("GEORADIUSBYMEMBER", at_least(5), Group::Geo, Write(georadiusbymember))
        .keys(&[
            Key::at(1, &["RO", "access"]),
            Key::after("STORE", 5, &["OW", "update"]),
            Key::after("STOREDIST", 5, &["OW", "update"]),
        ])
        .flags(DENY_OOM.and(MOVABLE_KEYS))
        .args(&[
            key("key"),
            text("member"),
            double("radius"),
            UNIT,
            WITH_COORD,
            WITH_DIST,
            WITH_HASH,
            COUNT,
            ORDER,
            STORE,
        ])
        .deprecated(
            "6.2.0",
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        )
        .doc("3.2.0", "Lists or stores the places around another place.", "O(N+log(M))"),
    Command::new("GEORADIUSBYMEMBER_RO", at_least(5), Group::Geo, Read(georadiusbymember_ro))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[
            key("key"),
            text("member"),
            double("radius"),
            UNIT,
            WITH_COORD,
            WITH_DIST,
            WITH_HASH,
            COUNT,
            ORDER,
        ])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .doc("3.2.10", "Lists the places around another place.", "O(N+log(M))"),
];

const SEARCHED: Event = event("geosearchstore");
const RADIUS: Event = event("georadiusstore");

/// A place inside of the area.
#[derive(Clone, Copy, Debug)]
struct Found<'s> {
    member: Item<'s>,
    score: f64,
    point: Point,
    /// In the search's unit.
    distance: f64,
}

/// How many places have to be looked at; none that is worth a thought when the first few that are
/// found will do. O(log n).
fn effort(plan: &Plan<'_>, set: &SortedSet) -> usize {
    match &plan.search {
        Some(search) if !plan.is_any => {
            let spans = search.spans();
            let near = spans.into_iter().map(|span| {
                set.ranks_between(Cut::BeforeScore(span.from), Cut::BeforeScore(span.until)).len()
            });
            near.sum()
        }
        _ => 0,
    }
}

/// The places that are wanted, in the order in which they are.
fn find<'s>(plan: &Plan<'_>, set: &'s SortedSet) -> Vec<Found<'s>> {
    let Some(search) = &plan.search else { return Vec::new() };
    let limit = if plan.is_any { plan.count } else { usize::MAX };
    let mut found = Vec::new();
    'spans: for span in search.spans() {
        let ranks = set.ranks_between(Cut::BeforeScore(span.from), Cut::BeforeScore(span.until));
        if ranks.is_empty() {
            continue;
        }
        for element in set.iter_from(ranks.start, End::Back).take(ranks.len()) {
            let point = Point::of_hash(super::hash_of(element.score));
            if let Some(meters) = search.distance_inside(point) {
                if found.len() == limit {
                    break 'spans;
                }
                let distance = meters / plan.unit.meters();
                let (member, score) = (element.member, element.score);
                found.push(Found { member, score, point, distance });
            }
        }
    }
    match plan.order {
        Order::None => {}
        Order::Near => found.sort_by(|one, other| one.distance.total_cmp(&other.distance)),
        Order::Far => found.sort_by(|one, other| other.distance.total_cmp(&one.distance)),
    }
    if plan.count > 0 {
        found.truncate(plan.count);
    }
    found
}

fn write(reply: &mut Reply<'_>, plan: &Plan<'_>, found: &Found<'_>) {
    let more = [plan.shown.distance, plan.shown.hash, plan.shown.point];
    let more = more.into_iter().filter(|is_shown| *is_shown).count();
    if more > 0 {
        reply.array(1 + more);
    }
    write_member(reply, found.member);
    if plan.shown.distance {
        let mut text = Vec::new();
        format_distance(found.distance, &mut text);
        reply.bulk(&text);
    }
    if plan.shown.hash {
        reply.int(super::hash_of(found.score).cast_signed());
    }
    if plan.shown.point {
        reply.array(2);
        reply.double(found.point.longitude);
        reply.double(found.point.latitude);
    }
}

fn list(cx: &mut ReadCx<'_>, asking: Asking) -> CmdResult {
    let key = cx.args.bytes()?;
    let set = living(&cx.keys, key)?;
    let set = set.as_deref();
    let plan = Plan::read(&mut cx.args, asking, set, None)?;
    if set.is_some_and(|set| cx.is_long(set.len()) && cx.is_long(effort(&plan, set))) {
        return Ok(Flow::Away(None));
    }

    let found = set.map(|set| find(&plan, set)).unwrap_or_default();
    cx.reply.array(found.len());
    for place in &found {
        write(&mut cx.reply, &plan, place);
    }
    Ok(Flow::Replied)
}

fn geosearch(cx: &mut ReadCx<'_>) -> CmdResult {
    list(cx, Asking::Search)
}

fn georadius_ro(cx: &mut ReadCx<'_>) -> CmdResult {
    list(cx, Asking::Radius { by_member: false, may_store: false })
}

fn georadiusbymember_ro(cx: &mut ReadCx<'_>) -> CmdResult {
    list(cx, Asking::Radius { by_member: true, may_store: false })
}

/// Lists or stores, as the options say; `elsewhere` lists in a worker.
fn list_or_store<'a>(
    cx: &mut WriteCx<'a>,
    asking: Asking,
    (source, target): (&[u8], Option<&'a [u8]>),
    event: Event,
    elsewhere: ReadHandler,
) -> CmdResult {
    let limits = pack_limits(cx.limits);
    let (args, reply, here_max) = (&mut cx.args, &mut cx.reply, cx.here_max);
    let mut is_long = false;
    let stored = cx.keys.derive(|keys, epochs| {
        let set = living(&keys, source)?;
        let set = set.as_deref();
        let plan = Plan::read(args, asking, set, target)?;
        let exceeds = |set: &SortedSet| set.len() > here_max && effort(&plan, set) > here_max;
        is_long = plan.target.is_none() && set.is_some_and(exceeds);
        if is_long {
            return Ok(None);
        }
        let found = set.map(|set| find(&plan, set)).unwrap_or_default();
        let Some(target) = plan.target else {
            reply.array(found.len());
            for place in &found {
                write(reply, &plan, place);
            }
            return Ok::<_, ReplyError>(None);
        };
        let mut stored = SortedSet::default();
        let mut digits = Digits::default();
        for place in &found {
            let score = match plan.stored {
                Stored::Hash => place.score,
                Stored::Distance => place.distance,
            };
            stored.insert(place.member.as_text(&mut digits), score, limits, epochs);
        }
        Ok(Some((target, stored)))
    })?;

    if is_long {
        return Ok(Flow::Away(Some(elsewhere)));
    }
    if let Some((target, stored)) = stored {
        let len = stored.len();
        cx.keys.put(target, stored, Lifetime::Forever, event);
        cx.reply.count(len);
    }
    Ok(Flow::Replied)
}

fn geosearchstore(cx: &mut WriteCx<'_>) -> CmdResult {
    let (target, source) = (cx.args.bytes()?, cx.args.bytes()?);
    list_or_store(cx, Asking::SearchStore, (source, Some(target)), SEARCHED, geosearch)
}

fn georadius(cx: &mut WriteCx<'_>) -> CmdResult {
    let source = cx.args.bytes()?;
    let asking = Asking::Radius { by_member: false, may_store: true };
    list_or_store(cx, asking, (source, None), RADIUS, georadius_ro)
}

fn georadiusbymember(cx: &mut WriteCx<'_>) -> CmdResult {
    let source = cx.args.bytes()?;
    let asking = Asking::Radius { by_member: true, may_store: true };
    list_or_store(cx, asking, (source, None), RADIUS, georadiusbymember_ro)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    fn sicily() -> Bench {
        let mut bench = Bench::new();
        bench.check(&[
            "geoadd g 13.4 38.1 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge => :3",
        ]);
        bench
    }

    #[test]
    fn places_are_found() {
        sicily().check(&[
            r#"geosearch g fromlonlat 15 37 byradius 200 km => ["Palermo" "Catania"]"#,
            r#"geosearch g fromlonlat 15 37 byradius 200 km withdist withcoord withhash asc => [["Catania" "56.4413" :3479447370796909 ["15.087267458438873" "37.50266842333162"]] ["Palermo" "186.7460" :3479099937378871 ["13.400002419948578" "38.10000081174143"]]]"#,
            r#"geosearch g fromlonlat 15 37 bybox 400 400 km withdist desc count 2 => [["edge" "279.7405"] ["Palermo" "186.7460"]]"#,
            r#"geosearch g fromlonlat 15 37 bybox 400 400 km withdist count 1 any => [["Palermo" "186.7460"]]"#,
            r#"geosearch g fromlonlat 15 37 bybox 400 400 km any count 1 => ["Palermo"]"#,
            r#"geosearch g frommember Palermo byradius 100 km desc => ["edge" "Palermo"]"#,
            "geosearch g fromlonlat 15 37 byradius 0 km => []",
            "geosearch none frommember nosuch byradius 1 km => []",
            r#"georadius g 15 37 200 km withdist => [["Palermo" "186.7460"] ["Catania" "56.4413"]]"#,
            r#"georadius g 15 37 200 km count 1 any asc => ["Palermo"]"#,
            r#"georadius_ro g 15 37 200 km count 1 => ["Catania"]"#,
            r#"georadiusbymember g Palermo 200 km => ["Palermo" "edge" "Catania"]"#,
            "georadiusbymember none nosuch x km => []",
            r#"georadiusbymember_ro g Palermo 200 km withdist count 2 desc => [["Catania" "162.4846"] ["edge" "94.7690"]]"#,
        ]);
    }

    #[test]
    fn places_inside_of_a_polygon_are_found() {
        sicily().check(&[
            r#"geosearch g bypolygon 3 12 36 17 36 15 40 withdist => [["Catania" "41268.9614"]]"#,
            "geosearch g bypolygon 2 12 36 17 36 => -ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
            "geosearch g bypolygon 3 12 36 17 36 15 => -ERR GEOSEARCH BYPOLYGON must have at least 3 vertices",
            "geosearch g bypolygon x 12 36 17 36 15 40 => -ERR invalid number of vertices",
            "geosearch g fromlonlat 15 37 bypolygon 3 12 36 17 36 15 40 => -ERR syntax error",
            "geosearch g bypolygon 3 12 36 17 36 15 40 frommember Palermo => -ERR syntax error",
            "geosearch g bypolygon 3 12 36 17 36 15 40 byradius 1 km => -ERR syntax error",
            "geosearch none bypolygon 3 12 36 17 36 15 40 => []",
        ]);
    }

    #[test]
    fn places_are_stored() {
        sicily().check(&[
            "geosearchstore d g fromlonlat 15 37 byradius 200 km => :2",
            r#"zrange d 0 -1 withscores => ["Palermo" "3479099937378871" "Catania" "3479447370796909"]"#,
            "geosearchstore d g fromlonlat 15 37 byradius 200 km storedist => :2",
            r#"zrange d 0 -1 withscores => ["Catania" "56.4412578701582" "Palermo" "186.74597615283065"]"#,
            "georadius g 15 37 200 km store d => :2",
            "georadius g 15 37 200 km store d storedist e => :2",
            "exists d e => :2",
            "georadiusbymember g Palermo 1 km store d => :1",
            "geosearchstore d g fromlonlat 0 0 byradius 2 km => :0",
            "exists d => :0",
            "georadius none 15 37 200 km store e => :0",
            "exists e => :0",
        ]);
    }

    #[test]
    fn refusals_are_those_of_redis() {
        let mut bench = sicily();
        for (command, refusal) in [
            ("geosearch g fromlonlat 15 37 bybox 400 400 km count 0", "COUNT must be > 0"),
            (
                "geosearch g fromlonlat 15 37 bybox 400 400 km count x",
                "value is not an integer or out of range",
            ),
            (
                "geosearch g fromlonlat 15 37 bybox 400 400 km any",
                "the ANY argument requires COUNT argument",
            ),
            ("geosearch g fromlonlat 15 37 bybox -1 400 km", "height or width cannot be negative"),
            ("geosearch g fromlonlat 15 37 bybox x 400 km", "need numeric width"),
            ("geosearch g fromlonlat 15 37 byradius -1 km", "radius cannot be negative"),
            ("geosearch g fromlonlat 15 37 byradius x km", "need numeric radius"),
            (
                "geosearch g fromlonlat 15 37 byradius 1 foo",
                "unsupported unit provided. please use M, KM, FT, MI",
            ),
            ("geosearch g fromlonlat 15 37 frommember Palermo byradius 1 km", "syntax error"),
            (
                "geosearch g fromlonlat 15 37 count 1",
                "exactly one of BYRADIUS and BYBOX can be specified for geosearch",
            ),
            (
                "geosearch g byradius 1 km count 1",
                "exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch",
            ),
            (
                "geosearch g frommember nosuch byradius 1 km",
                "could not decode requested zset member",
            ),
            ("geosearch g fromlonlat 1 1 byradius 1 km storedist", "syntax error"),
            (
                "geosearchstore d g fromlonlat 15 37 byradius 200 km withdist",
                "GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            ),
            (
                "georadius g 15 37 200 km store d withdist",
                "STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            ),
            ("georadius g 15 37 200 km store", "syntax error"),
            ("georadius_ro g 15 37 200 km store d", "syntax error"),
            ("georadius g 15 37 200 km frommember Palermo", "syntax error"),
        ] {
            assert_eq!(bench.run(command), format!("-ERR {refusal}"), "{command}");
        }
        bench.check(&[
            "set s v => +OK",
            "geosearch s fromlonlat 15 37 byradius 200 km foo => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }
}
