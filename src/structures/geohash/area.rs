//! Searching an area: which spans of scores can hold its members, and whether one is inside.

use super::{Cell, EARTH_RADIUS_M, LATITUDE_MAX, LONGITUDE_MAX, Point, RADIANS, STEP_MAX, Unit};

/// Half of the way around the square map, in meters.
const MAP_MAX_M: f64 = 20_037_726.37;
/// Beyond these latitudes cells are so narrow that one more step up is needed.
const NARROW_LATITUDES: [f64; 2] = [66.0, 80.0];
/// The order in which cells are searched; clients that ask for any few members see it.
const NEIGHBOURS: [(i32, i32); 9] =
    [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

/// An area.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Everything up to a distance from the centre.
    Circle {
        /// In the search's unit.
        radius: f64,
    },
    /// Everything up to half the width from the centre's meridian, measured along the member's
    /// parallel, and half the height from the centre's parallel.
    Rectangle {
        /// In the search's unit.
        width: f64,
        /// In the search's unit.
        height: f64,
    },
    /// Everything inside of lines that are straight on the map. At least three corners.
    Polygon(Vec<Point>),
}

/// An area around a centre.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    centre: Point,
    shape: Shape,
    /// Meters in a unit of the shape's lengths.
    meters: f64,
}

/// Scores from `from` up to, but without, `until`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "explained as a whole")]
pub struct Span {
    pub from: f64,
    pub until: f64,
}

impl Search {
    /// A circle or a rectangle around `centre`; lengths are in `unit`.
    pub fn around(centre: Point, shape: Shape, unit: Unit) -> Self {
        Self { centre, shape, meters: unit.meters() }
    }

    /// The inside of a polygon; distances are measured from the mean of its corners on the sphere.
    /// `None` with less than three corners.
    pub fn polygon(corners: Vec<Point>) -> Option<Self> {
        if corners.len() < 3 {
            return None;
        }
        let centre = mean(&corners);
        Some(Self { centre, shape: Shape::Polygon(corners), meters: 1.0 })
    }

    /// The centre.
    pub fn centre(&self) -> Point {
        self.centre
    }

    /// The area.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Meters from the centre to `point` if it is inside.
    pub fn distance_inside(&self, point: Point) -> Option<f64> {
        let centre = self.centre;
        match &self.shape {
            Shape::Circle { radius } => {
                let distance = centre.distance(point);
                (distance <= radius * self.meters).then_some(distance)
            }
            Shape::Rectangle { width, height } => {
                // The cheaper distance first.
                if point.distance_in_latitude(centre) > height * self.meters / 2.0 {
                    return None;
                }
                let meridian = Point { longitude: centre.longitude, latitude: point.latitude };
                let inside = point.distance(meridian) <= width * self.meters / 2.0;
                inside.then(|| centre.distance(point))
            }
            Shape::Polygon(corners) => is_inside(corners, point).then(|| centre.distance(point)),
        }
    }

    /// Where members can be: up to nine spans of scores, none twice, in the order of searching.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        let bounds = self.bounds();
        // The mean of corners near a pole can lie beyond the map.
        let latitude = self.centre.latitude.clamp(-LATITUDE_MAX, LATITUDE_MAX);
        let centre = Point { latitude, ..self.centre };
        let mut cell = Cell::around(centre, self.step(), LATITUDE_MAX);
        if cell.step > 1 && !covers(cell, bounds) {
            cell = Cell::around(centre, cell.step - 1, LATITUDE_MAX);
        }
        let area = cell.area();
        // Of large cells one can be its own neighbour's neighbour: none is left out.
        let (east, west, north, south) = (
            cell.step < 2 || area.east <= bounds.east,
            cell.step < 2 || area.west >= bounds.west,
            cell.step < 2 || area.north <= bounds.north,
            cell.step < 2 || area.south >= bounds.south,
        );
        let mut last = None;
        NEIGHBOURS.into_iter().filter_map(move |(x, y)| {
            let wanted =
                (x <= 0 || east) && (x >= 0 || west) && (y <= 0 || north) && (y >= 0 || south);
            let neighbour = cell.neighbour(x, y);
            if !wanted || last.replace(neighbour) == Some(neighbour) {
                return None;
            }
            Some(span(neighbour))
        })
    }

    /// The step at which nine cells cover the area, or nearly so.
    fn step(&self) -> u32 {
        let mut reach = self.reach();
        if reach <= 0.0 {
            return STEP_MAX;
        }
        let mut step = 1_i32;
        // Ends: it at least doubles from the smallest number on.
        while reach < MAP_MAX_M {
            reach *= 2.0;
            step += 1;
        }
        // Two more, so that the cell's neighbours reach far enough.
        step -= 2;
        let latitude = self.centre.latitude.abs();
        step -=
            i32::from(latitude > NARROW_LATITUDES[0]) + i32::from(latitude > NARROW_LATITUDES[1]);
        u32::try_from(step).unwrap_or_default().clamp(1, STEP_MAX)
    }

    /// Meters from the centre to the farthest point.
    fn reach(&self) -> f64 {
        match &self.shape {
            Shape::Circle { radius } => radius * self.meters,
            Shape::Rectangle { width, height } => {
                let (x, y) = (width / 2.0, height / 2.0);
                (x * x + y * y).sqrt() * self.meters
            }
            Shape::Polygon(corners) => Bounds::of(corners)
                .corners()
                .map(|corner| self.centre.distance(corner))
                .into_iter()
                .fold(0.0, f64::max),
        }
    }

    /// A box of degrees around the area.
    fn bounds(&self) -> Bounds {
        let (half_width, half_height) = match &self.shape {
            Shape::Circle { radius } => (self.meters * radius, self.meters * radius),
            Shape::Rectangle { width, height } => {
                (self.meters * (width / 2.0), self.meters * (height / 2.0))
            }
            Shape::Polygon(corners) => return Bounds::of(corners),
        };
        let Point { longitude, latitude } = self.centre;
        let high = half_height / EARTH_RADIUS_M / RADIANS;
        // A parallel is shortest at the side of the pole.
        let poleward = if latitude < 0.0 { latitude - high } else { latitude + high };
        let wide = half_width / EARTH_RADIUS_M / (poleward * RADIANS).cos() / RADIANS;
        Bounds {
            west: longitude - wide,
            east: longitude + wide,
            south: latitude - high,
            north: latitude + high,
        }
    }
}

/// A box of degrees; unlike a cell's it may leave the map.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

impl Bounds {
    fn of(corners: &[Point]) -> Self {
        let nothing = Self {
            west: LONGITUDE_MAX,
            east: -LONGITUDE_MAX,
            south: LATITUDE_MAX,
            north: -LATITUDE_MAX,
        };
        corners.iter().fold(nothing, |bounds, corner| Self {
            west: bounds.west.min(corner.longitude),
            east: bounds.east.max(corner.longitude),
            south: bounds.south.min(corner.latitude),
            north: bounds.north.max(corner.latitude),
        })
    }

    fn corners(self) -> [Point; 4] {
        [
            Point { longitude: self.west, latitude: self.south },
            Point { longitude: self.west, latitude: self.north },
            Point { longitude: self.east, latitude: self.south },
            Point { longitude: self.east, latitude: self.north },
        ]
    }
}

/// Whether the cell's neighbours reach the bounds on all sides.
fn covers(cell: Cell, bounds: Bounds) -> bool {
    let [north, south] = [1, -1].map(|by| cell.neighbour(0, by).area());
    let [east, west] = [1, -1].map(|by| cell.neighbour(by, 0).area());
    north.north >= bounds.north
        && south.south <= bounds.south
        && east.east >= bounds.east
        && west.west <= bounds.west
}

fn span(cell: Cell) -> Span {
    let shift = 2 * (STEP_MAX - cell.step);
    #[allow(clippy::cast_precision_loss, reason = "hashes have 53 bits at most")]
    let score = |cell: u64| (cell << shift) as f64;
    Span { from: score(cell.bits()), until: score(cell.bits() + 1) }
}

/// The mean of points on the sphere.
fn mean(points: &[Point]) -> Point {
    let sum = points.iter().fold([0.0; 3], |[x, y, z], point| {
        let (longitude, latitude) = (point.longitude * RADIANS, point.latitude * RADIANS);
        let parallel = latitude.cos();
        [x + parallel * longitude.cos(), y + parallel * longitude.sin(), z + latitude.sin()]
    });
    let count = f64::from(u32::try_from(points.len()).unwrap_or(u32::MAX));
    let [x, y, z] = sum.map(|sum| sum / count);
    Point { longitude: y.atan2(x) / RADIANS, latitude: z.atan2((x * x + y * y).sqrt()) / RADIANS }
}

/// Whether a ray from `point` to the east crosses the outline an odd number of times.
fn is_inside(corners: &[Point], point: Point) -> bool {
    let mut inside = false;
    let mut from = corners[corners.len() - 1];
    for to in corners {
        if (to.latitude > point.latitude) != (from.latitude > point.latitude) {
            let crossing = (from.longitude - to.longitude) * (point.latitude - to.latitude)
                / (from.latitude - to.latitude)
                + to.longitude;
            inside ^= point.longitude < crossing;
        }
        from = *to;
    }
    inside
}
