//! How searches are spelled, and their options.

use super::place_of;
use crate::base::number::parse_int;
use crate::command::args::Args;
use crate::protocol::error::ReplyError;
use crate::structures::geohash::{Point, Search, Shape, Unit};
use crate::types::sorted_set::SortedSet;

const NO_MEMBER: ReplyError = ReplyError::Fixed("ERR could not decode requested zset member");
const RADIUS: ReplyError = ReplyError::Fixed("ERR need numeric radius");
const RADIUS_NEGATIVE: ReplyError = ReplyError::Fixed("ERR radius cannot be negative");
const WIDTH: ReplyError = ReplyError::Fixed("ERR need numeric width");
const HEIGHT: ReplyError = ReplyError::Fixed("ERR need numeric height");
const BOX_NEGATIVE: ReplyError = ReplyError::Fixed("ERR height or width cannot be negative");
const COUNT: ReplyError = ReplyError::Fixed("ERR COUNT must be > 0");
const ANY: ReplyError = ReplyError::Fixed("ERR the ANY argument requires COUNT argument");
const VERTICES: ReplyError = ReplyError::Fixed("ERR invalid number of vertices");
const FEW_VERTICES: ReplyError =
    ReplyError::Fixed("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");

/// Which command asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Centre and radius come first.
    Radius {
        /// The centre is a member.
        by_member: bool,
        /// `STORE` and `STOREDIST` are options.
        may_store: bool,
    },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

/// In which order the places are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As they are found.
    None,
    Near,
    Far,
}

/// What is kept of each place found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Hash,
    Distance,
}

/// What is told of a place besides its name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    pub(super) distance: bool,
    pub(super) hash: bool,
    pub(super) point: bool,
}

/// A search as it was asked for.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// Absent only if the source is.
    pub(super) search: Option<Search>,
    pub(super) unit: Unit,
    pub(super) shown: Shown,
    pub(super) order: Order,
    /// `COUNT`; 0 is all.
    pub(super) count: usize,
    /// `ANY`: the first that are found.
    pub(super) is_any: bool,
    pub(super) target: Option<&'a [u8]>,
    pub(super) stored: Stored,
}

/// Parts of a search while it is read.
#[derive(Default)]
struct Parts {
    centre: Option<Point>,
    /// `FROMMEMBER` was there, be it of an absent source.
    from_member: bool,
    from_point: bool,
    shape: Option<(Shape, Unit)>,
    corners: Option<Vec<Point>>,
}

impl<'a> Plan<'a> {
    /// Reads what follows the source, which is `set`. The target of GEOSEARCHSTORE is given.
    pub(super) fn read(
        args: &mut Args<'a>,
        command: Command,
        set: Option<&SortedSet>,
        target: Option<&'a [u8]>,
    ) -> Result<Self, ReplyError> {
        let mut parts = Parts::default();
        if let Command::Radius { by_member, .. } = command {
            parts.read_radius(args, set, by_member)?;
        }
        let mut plan = Self {
            search: None,
            unit: Unit::Meters,
            shown: Shown::default(),
            order: Order::None,
            count: 0,
            is_any: false,
            target,
            stored: Stored::Hash,
        };
        while !args.is_done() {
            if !plan.read_option(args, command)? && !parts.read(args, command, set)? {
                return Err(ReplyError::Syntax);
            }
        }
        plan.check(&parts, command, args.word(0))?;
        plan.unit = parts.shape.as_ref().map_or(Unit::Meters, |(_, unit)| *unit);
        plan.search = parts.into_search();
        if plan.count > 0 && plan.order == Order::None && !plan.is_any {
            plan.order = Order::Near;
        }
        Ok(plan)
    }

    /// Reads one of the options that all commands share, and of those that store.
    fn read_option(&mut self, args: &mut Args<'a>, command: Command) -> Result<bool, ReplyError> {
        if args.accept("WITHDIST") {
            self.shown.distance = true;
        } else if args.accept("WITHHASH") {
            self.shown.hash = true;
        } else if args.accept("WITHCOORD") {
            self.shown.point = true;
        } else if args.accept("ANY") {
            self.is_any = true;
        } else if args.accept("ASC") {
            self.order = Order::Near;
        } else if args.accept("DESC") {
            self.order = Order::Far;
        } else if args.left() > 1 && args.accept("COUNT") {
            let count = args.int()?;
            self.count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(COUNT)?;
        } else {
            return self.read_store(args, command);
        }
        Ok(true)
    }

    fn read_store(&mut self, args: &mut Args<'a>, command: Command) -> Result<bool, ReplyError> {
        match command {
            Command::Radius { may_store: true, .. } if args.left() > 1 => {
                if args.accept("STORE") {
                    self.stored = Stored::Hash;
                } else if args.accept("STOREDIST") {
                    self.stored = Stored::Distance;
                } else {
                    return Ok(false);
                }
                self.target = Some(args.bytes()?);
                Ok(true)
            }
            Command::SearchStore if args.accept("STOREDIST") => {
                self.stored = Stored::Distance;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Refuses options that don't go together.
    fn check(&self, parts: &Parts, command: Command, name: &[u8]) -> Result<(), ReplyError> {
        let Shown { distance, hash, point } = self.shown;
        let shows = distance || hash || point;
        if self.target.is_some() && shows {
            let who = match command {
                Command::SearchStore => "GEOSEARCHSTORE",
                _ => "STORE option in GEORADIUS",
            };
            return Err(ReplyError::Text(
                format!(
                    "ERR {who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                )
                .into(),
            ));
        }
        if matches!(command, Command::Search | Command::SearchStore) {
            let name = String::from_utf8_lossy(name);
            let one_of = |words: &str| {
                ReplyError::Text(
                    format!("ERR exactly one of {words} can be specified for {name}").into(),
                )
            };
            let has_centre = parts.from_member || parts.from_point || parts.corners.is_some();
            if !has_centre {
                return Err(one_of("FROMMEMBER or FROMLONLAT"));
            }
            if parts.shape.is_none() && parts.corners.is_none() {
                return Err(one_of("BYRADIUS and BYBOX"));
            }
        }
        if self.is_any && self.count == 0 { Err(ANY) } else { Ok(()) }
    }
}

impl Parts {
    /// Centre and radius, as GEORADIUS begins with.
    fn read_radius(
        &mut self,
        args: &mut Args<'_>,
        set: Option<&SortedSet>,
        by_member: bool,
    ) -> Result<(), ReplyError> {
        if !by_member {
            self.centre = Some(super::point(args)?);
            self.shape = Some(radius(args)?);
            return Ok(());
        }
        let member = args.bytes()?;
        if let Some(set) = set {
            self.centre = Some(place_of(set, member).ok_or(NO_MEMBER)?);
            self.shape = Some(radius(args)?);
        } else {
            // Not even looked at.
            args.bytes()?;
            args.bytes()?;
        }
        Ok(())
    }

    /// Reads where GEOSEARCH is to look.
    fn read(
        &mut self,
        args: &mut Args<'_>,
        command: Command,
        set: Option<&SortedSet>,
    ) -> Result<bool, ReplyError> {
        if matches!(command, Command::Radius { .. }) {
            return Ok(false);
        }
        let (is_round, is_free) = (self.corners.is_none(), self.shape.is_none());
        if args.left() > 1 && is_round && !self.from_point && args.accept("FROMMEMBER") {
            let member = args.bytes()?;
            if let Some(set) = set {
                self.centre = Some(place_of(set, member).ok_or(NO_MEMBER)?);
            }
            self.from_member = true;
        } else if args.left() > 2 && is_round && !self.from_member && args.accept("FROMLONLAT") {
            self.centre = Some(super::point(args)?);
            self.from_point = true;
        } else if args.left() > 2 && is_round && self.may_be_circle() && args.accept("BYRADIUS") {
            self.shape = Some(radius(args)?);
        } else if args.left() > 3 && is_round && self.may_be_box() && args.accept("BYBOX") {
            self.shape = Some(rectangle(args)?);
        } else if args.left() > 1
            && is_free
            && !self.from_member
            && !self.from_point
            && args.accept("BYPOLYGON")
        {
            self.corners = Some(corners(args)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn may_be_circle(&self) -> bool {
        !matches!(self.shape, Some((Shape::Rectangle { .. }, _)))
    }

    fn may_be_box(&self) -> bool {
        !matches!(self.shape, Some((Shape::Circle { .. }, _)))
    }

    fn into_search(self) -> Option<Search> {
        if let Some(corners) = self.corners {
            return Search::polygon(corners);
        }
        let (shape, unit) = self.shape?;
        Some(Search::around(self.centre?, shape, unit))
    }
}

fn radius(args: &mut Args<'_>) -> Result<(Shape, Unit), ReplyError> {
    let radius = args.double().map_err(|_| RADIUS)?;
    if radius < 0.0 {
        return Err(RADIUS_NEGATIVE);
    }
    Ok((Shape::Circle { radius }, super::unit(args)?))
}

fn rectangle(args: &mut Args<'_>) -> Result<(Shape, Unit), ReplyError> {
    let width = args.double().map_err(|_| WIDTH)?;
    let height = args.double().map_err(|_| HEIGHT)?;
    if width < 0.0 || height < 0.0 {
        return Err(BOX_NEGATIVE);
    }
    Ok((Shape::Rectangle { width, height }, super::unit(args)?))
}

fn corners(args: &mut Args<'_>) -> Result<Vec<Point>, ReplyError> {
    let count = parse_int(args.bytes()?).ok_or(VERTICES)?;
    let count = usize::try_from(count).ok().filter(|count| *count >= 3).ok_or(FEW_VERTICES)?;
    if args.left() / 2 < count {
        return Err(FEW_VERTICES);
    }
    (0..count).map(|_| super::point(args)).collect()
}
