//! Geohashes against digits that Redis computed.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use proptest::prelude::*;

fn point(longitude: f64, latitude: f64) -> Point {
    Point::new(longitude, latitude).unwrap()
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

/// What GEOADD, ZSCORE, GEOPOS and GEOHASH of Redis 8.0.6 say.
#[track_caller]
fn check_place(longitude: f64, latitude: f64, score: f64, stored: [&str; 2], hash: &str) {
    let place = point(longitude, latitude);
    assert_eq!(place.score().to_bits(), score.to_bits());
    let found = Point::of_score(score);
    assert_eq!(text(|out| number::format_double(found.longitude, out)), stored[0]);
    assert_eq!(text(|out| number::format_double(found.latitude, out)), stored[1]);
    assert_eq!(std::str::from_utf8(&found.text()).unwrap(), hash);
}

#[test]
fn places_are_those_of_the_reference() {
    check_place(
        13.361_389,
        38.115_556,
        3_479_099_956_230_698.0,
        ["13.361389338970184", "38.1155563954963"],
        "sqc8b49rny0",
    );
    check_place(
        0.0,
        0.0,
        3_377_699_720_527_872.0,
        ["2.682209014892578e-6", "1.2673605809254695e-6"],
        "s0000000000",
    );
    check_place(
        -122.4194,
        37.7749,
        1_367_859_919_124_626.0,
        ["-122.41940170526505", "37.77490001056578"],
        "9q8yyk8ytp0",
    );
    check_place(
        180.0,
        85.051_128_78,
        13_510_798_882_111_488.0,
        ["180", "85.05112878"],
        "bp05b5048p0",
    );
    check_place(
        -180.0,
        -85.051_128_78,
        0.0,
        ["-179.99999731779099", "-85.05112751263943"],
        "00bh0hbj200",
    );
    check_place(180.0, 67.0, 10_486_064_155_268_372.0, ["180", "66.99999671395491"], "b5bj0hbp200");
}

#[test]
fn distances_are_those_of_the_reference() {
    let [palermo, catania] = [(13.361_389, 38.115_556), (15.087_269, 37.502_669)]
        .map(|(longitude, latitude)| Point::of_score(point(longitude, latitude).score()));
    let meters = palermo.distance(catania);
    let in_unit = |unit: Unit| text(|out| format_distance(meters / unit.meters(), out));
    assert_eq!(in_unit(Unit::Meters), "166274.1516");
    assert_eq!(in_unit(Unit::Kilometers), "166.2742");
    assert_eq!(in_unit(Unit::Miles), "103.3182");
    assert_eq!(in_unit(Unit::parse(b"FT").unwrap()), "545518.8700");
    assert_eq!(Unit::parse(b"mm"), None);
    assert_eq!(text(|out| format_distance(palermo.distance(palermo), out)), "0.0000");
    assert_eq!(text(|out| format_distance(0.000_25, out)), "0.0002");
}

#[test]
fn places_off_the_map_are_none() {
    assert_eq!(Point::new(180.001, 0.0), None);
    assert_eq!(Point::new(0.0, -85.06), None);
    assert_eq!(Point::new(f64::NAN, 0.0), None);
    assert_eq!(Point::new(0.0, f64::INFINITY), None);
}

#[test]
fn a_polygon_has_three_corners() {
    let corners = [(0.0, 0.0), (3.0, 0.0), (3.0, 3.0)].map(|(x, y)| point(x, y));
    assert_eq!(Search::polygon(corners[..2].to_vec()), None);
    let search = Search::polygon(corners.to_vec()).unwrap();
    let distance = |x: f64, y: f64| {
        let place = Point::of_score(point(x, y).score());
        search.distance_inside(place).map(|distance| text(|out| format_distance(distance, out)))
    };
    // Valkey 9 says so.
    assert_eq!(distance(1.0, 1.0).unwrap(), "111169.8256");
    assert_eq!(distance(2.0, 2.0).unwrap(), "111203.7376");
    assert_eq!(distance(0.5, 0.2).unwrap(), "189051.2705");
    assert_eq!(distance(1.0, 1.1), None);
    assert_eq!(distance(5.0, 5.0), None);
}

#[test]
fn a_search_of_the_whole_earth_visits_no_cell_twice() {
    for (longitude, latitude) in [(0.0, 0.0), (180.0, 85.0), (-180.0, -85.0), (90.0, -10.0)] {
        let shape = Shape::Circle { radius: 30_000.0 };
        let search = Search::around(point(longitude, latitude), shape, Unit::Kilometers);
        let mut spans: Vec<_> = search.spans().collect();
        spans.sort_by(|left, right| left.from.total_cmp(&right.from));
        assert_eq!(spans.len(), 4);
        assert!(spans.windows(2).all(|pair| pair[0].until <= pair[1].from));
    }
}

fn place() -> impl Strategy<Value = Point> {
    (-180.0..180.0, -85.0..85.0).prop_map(|(longitude, latitude)| point(longitude, latitude))
}

proptest! {
    #[test]
    fn a_hash_is_a_place_within_a_meter(place in place()) {
        let found = Point::of_hash(place.hash());
        prop_assert!(found.distance(place) < 0.6);
        prop_assert_eq!(found.hash(), place.hash());
        prop_assert_eq!(Point::of_score(place.score()), found);
    }

    #[test]
    fn bits_come_back(low: u32, high: u32) {
        let cell = Cell { longitude: high, latitude: low, step: STEP_MAX };
        prop_assert_eq!(Cell::of_hash(cell.bits()), cell);
    }

    #[test]
    fn what_is_inside_is_in_a_span(
        centre in (-170.0..170.0, -60.0..60.0),
        offset in (-2.0..2.0, -2.0..2.0),
        scale in 0.000_001..3.0,
        size in (0.0..300.0, 0.0..300.0),
        round: bool,
    ) {
        let place = Point::of_score(point(
            centre.0 + offset.0 * scale,
            centre.1 + offset.1 * scale,
        ).score());
        let (width, height) = (size.0 * scale, size.1 * scale);
        let shape = if round {
            Shape::Circle { radius: width }
        } else {
            Shape::Rectangle { width, height }
        };
        let search = Search::around(point(centre.0, centre.1), shape, Unit::Kilometers);
        let spans: Vec<_> = search.spans().collect();
        prop_assert!(spans.len() <= 9);
        if search.distance_inside(place).is_some() {
            let score = place.score();
            prop_assert_eq!(spans.iter().filter(|span| span.from <= score && score < span.until).count(), 1);
        }
    }

    #[test]
    fn any_number_is_survived(bits: u64, radius: f64, height: f64, scores: [f64; 3]) {
        let places = scores.map(Point::of_score);
        prop_assert!(places.iter().all(|place| Point::new(place.longitude, place.latitude).is_some()));
        let _ = (Point::of_hash(bits).text(), Point::of_hash(bits).hash());
        for shape in [Shape::Circle { radius }, Shape::Rectangle { width: radius, height }] {
            let search = Search::around(places[0], shape, Unit::Miles);
            prop_assert!(search.spans().count() <= 9);
            let _ = search.distance_inside(places[1]);
        }
        let search = Search::polygon(places.to_vec()).unwrap();
        prop_assert!(search.spans().count() <= 9);
    }
}
