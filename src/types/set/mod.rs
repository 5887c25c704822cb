//! A set: an intset while all members are integers, one listpack while they are few and short, a
//! table of members beyond.
//!
//! It changes its form where Redis does, and in that direction only: what has become a table stays
//! one, save that taking nearly all members at once makes the rest anew ([`Set::pop_many`]).
//!
//! Members of a table cost one allocation each and about 9.5 bytes of table; integers among them
//! are kept as text.
//!
//! Members may have a deadline: then a companion knows of those ([`crate::types::timed`]), and the
//! set itself is kept in the forms above. Whoever answers clients asks [`Set::live`], which shows
//! the members that are not over; all else here is about all members.

mod iter;
mod large;
mod live;
#[cfg(test)]
mod tests;

pub use iter::Iter;
pub use live::Live;

use crate::base::number::parse_int;
use crate::base::time::UnixMillis;
use crate::structures::entry::Succession;
use crate::structures::epoch::Epochs;
use crate::structures::intset::IntSet;
use crate::structures::listpack::{Digits, Item, ListPack};
use crate::structures::member_deadlines::MemberDeadlines;
use crate::structures::relocation::Mover;
use crate::types::timed::{Companioned, Timed};
use large::Large;
use std::mem;

/// Beyond so many items an intset would be slow, whatever the directive says.
const INTS_MAX: usize = 1 << 30;
/// What is set aside for the head of a member not yet packed.
const MEMBER_OVERHEAD: usize = 8;
/// Taking so many times as many members as remain, the rest is made anew.
const REMAINS_SHARE: usize = 5;

/// When a set changes its form.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// Most members of an intset.
    pub ints_max: usize,
    /// Most members of a listpack.
    pub pack_max: usize,
    /// Longest member of a listpack. Bytes.
    pub pack_member_max: usize,
}

impl SetLimits {
    fn ints_max(self) -> usize {
        self.ints_max.min(INTS_MAX)
    }
}

/// A set of byte strings. 24 bytes.
#[derive(Debug)]
pub struct Set(Form);

#[derive(Debug)]
enum Form {
    Ints(IntSet),
    Pack(ListPack),
    Table(Box<Large>),
    Timed(Box<Timed<Set>>),
}

// It stands in every key of this type.
const _: () = assert!(size_of::<Set>() == 24);

impl Default for Set {
    fn default() -> Self {
        Self(Form::Ints(IntSet::new()))
    }
}

impl<'a> IntoIterator for &'a Set {
    type Item = Item<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Reading.
impl Set {
    /// Number of members. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Ints(ints) => ints.len(),
            Form::Pack(pack) => pack.len(),
            Form::Table(large) => large.len(),
            Form::Timed(timed) => timed.ask(Self::len),
        }
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As OBJECT ENCODING prints it.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Ints(_) => "intset",
            Form::Pack(_) => "listpack",
            Form::Table(_) => "hashtable",
            Form::Timed(timed) => timed.all.encoding(),
        }
    }

    /// Whether `member` is one. O(1) in a table, O(log n) among integers, O(n) in a listpack.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Form::Ints(ints) => parse_int(member).is_some_and(|value| ints.contains(value)),
            Form::Pack(pack) => find(pack, member).is_some(),
            Form::Table(large) => large.contains(member),
            Form::Timed(timed) => timed.ask(|all| all.contains(member)),
        }
    }

    /// Whether the member of another set is one here, too.
    #[inline]
    pub fn contains_item(&self, member: Item<'_>) -> bool {
        match (&self.0, member) {
            (Form::Ints(ints), Item::Int(value)) => ints.contains(value),
            _ => self.contains(member.as_text(&mut Digits::default())),
        }
    }

    /// All members: integers ascending, those of a listpack as they came, those of a table in the
    /// order of their hashes.
    pub fn iter(&self) -> Iter<'_> {
        match &self.0 {
            Form::Ints(ints) => Iter::Ints(ints.iter()),
            Form::Pack(pack) => Iter::Pack(pack.iter()),
            Form::Table(large) => Iter::Table(large.iter()),
            Form::Timed(timed) => timed.all.iter(),
        }
    }

    /// The set as it is at `now`. O(1) while nobody has a deadline, else O(log n).
    #[inline]
    pub fn live(&self, now: UnixMillis) -> Live<'_> {
        match &self.0 {
            Form::Timed(timed) => Live::new(&timed.all, self.hidden(now), now),
            _ => Live::new(self, None, now),
        }
    }

    /// Visits members from `cursor` on, about `budget` of a table and all of the other forms;
    /// returns the next cursor, 0 at the end. Who is a member throughout a walk is visited.
    pub fn scan<'s>(&'s self, cursor: u64, budget: usize, visit: &mut dyn FnMut(Item<'s>)) -> u64 {
        match &self.0 {
            Form::Table(large) => large.scan(cursor, budget, visit),
            Form::Timed(timed) => timed.all.scan(cursor, budget, visit),
            Form::Ints(_) | Form::Pack(_) => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// A fair choice among all members.
    pub fn random(&self, rng: &mut fastrand::Rng) -> Option<Item<'_>> {
        if self.is_empty() {
            return None;
        }
        match &self.0 {
            Form::Ints(ints) => ints.nth(rng.usize(..ints.len())).map(Item::Int),
            Form::Pack(pack) => pack.item(pack.nth(rng.usize(..pack.len()))?),
            Form::Table(large) => large.random(rng).map(|member| Item::Bytes(member.bytes())),
            Form::Timed(timed) => timed.all.random(rng),
        }
    }

    /// `count` different members, or all if there are fewer, each choice equally likely. In no
    /// particular order. O(count) of a table, unless it is nearly all of it; else O(n).
    pub fn sample(&self, count: usize, rng: &mut fastrand::Rng) -> Vec<Item<'_>> {
        if count >= self.len() {
            return self.iter().collect();
        }
        match &self.0 {
            Form::Table(large) => large.sample(count, rng),
            Form::Timed(timed) => timed.all.sample(count, rng),
            Form::Ints(_) | Form::Pack(_) => {
                let mut choice = Choice::new(count, self.len());
                self.iter().filter(|_| choice.takes(rng)).collect()
            }
        }
    }

    /// The whole in the format that files have for it; `None` of a table.
    pub fn packed(&self) -> Option<Packed<'_>> {
        match &self.0 {
            Form::Ints(ints) => Some(Packed::Ints(ints)),
            Form::Pack(pack) => Some(Packed::Pack(pack)),
            Form::Table(_) => None,
            Form::Timed(timed) => timed.all.packed(),
        }
    }

    /// Bytes allocated; exact whatever the form, but for deadlines.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Ints(ints) => ints.heap_bytes(),
            Form::Pack(pack) => pack.heap_bytes(),
            Form::Table(large) => large.memory_bytes(),
            Form::Timed(timed) => {
                let deadlines = timed.deadlines.memory_bytes();
                size_of::<Timed<Self>>() + timed.all.heap_bytes() + deadlines
            }
        }
    }

    /// Allocations that freeing it gives back, about.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Table(large) => large.len(),
            Form::Timed(timed) => timed.all.free_effort() + timed.deadlines.len(),
            Form::Ints(_) | Form::Pack(_) => 1,
        }
    }
}

/// A small set as it is kept, for files.
#[derive(Clone, Copy, Debug)]
pub enum Packed<'a> {
    /// Only integers.
    Ints(&'a IntSet),
    /// Few short members.
    Pack(&'a ListPack),
}

/// Changing. What isn't said otherwise is O(1) in a table and O(n) in the other forms.
impl Set {
    /// Moves what lies badly; see [`Mover`].
    pub fn relocate(&mut self, epochs: &Epochs, mover: &mut Mover<'_>) {
        match &mut self.0 {
            Form::Ints(ints) => mover.plain(ints, ints.address()),
            Form::Pack(pack) => mover.pack(pack),
            Form::Table(large) => large.relocate(epochs, mover),
            Form::Timed(timed) => {
                timed.all.relocate(epochs, mover);
                timed.deadlines.relocate(mover);
            }
        }
    }

    /// A set read from a file. It stays an intset whatever the bounds, until the next change.
    pub fn of_ints(ints: IntSet) -> Self {
        Self(Form::Ints(ints))
    }

    /// A set read from a file; whether the members differ is the reader's business.
    pub fn of_pack(pack: ListPack) -> Self {
        Self(Form::Pack(pack))
    }

    /// To be called for a set read from a file: it becomes a table if it is beyond its form's bound.
    pub fn settle(&mut self, limits: SetLimits, epochs: &mut Epochs) {
        let most = match &mut self.0 {
            Form::Ints(_) => limits.ints_max(),
            Form::Pack(_) => limits.pack_max,
            Form::Table(_) => return,
            Form::Timed(timed) => return timed.all.settle(limits, epochs),
        };
        if self.len() > most {
            self.enlarge(epochs);
        }
    }

    /// Makes a set from a nursery one of this engine's. O(1).
    pub fn adopt(&mut self, epochs: &Epochs) {
        match &mut self.0 {
            Form::Table(large) => large.adopt(epochs),
            Form::Timed(timed) => timed.all.adopt(epochs),
            Form::Ints(_) | Form::Pack(_) => {}
        }
    }

    /// To be called before `count` members are inserted one by one: a set that may outgrow its form
    /// by them leaves it at once, and a new one takes a form for them, by the first of them.
    // Clients see that it is the number of words that counts, not that of different members.
    pub fn expect(&mut self, first: &[u8], count: usize, limits: SetLimits, epochs: &mut Epochs) {
        if let Form::Timed(timed) = &mut self.0 {
            return timed.edit(|all| all.expect(first, count, limits, epochs));
        }
        let is_new = self.is_empty() && !matches!(self.0, Form::Table(_));
        if is_new && parse_int(first).is_none_or(|_| count > limits.ints_max()) {
            self.0 = Form::Pack(ListPack::lent());
        }
        let most = match &self.0 {
            Form::Ints(_) => limits.ints_max(),
            Form::Pack(_) => limits.pack_max,
            Form::Table(_) | Form::Timed(_) => return,
        };
        if count > most {
            self.enlarge(epochs);
        }
    }

    /// Adds a member; whether it is new. One that is there keeps its deadline.
    pub fn insert(&mut self, member: &[u8], limits: SetLimits, epochs: &mut Epochs) -> bool {
        match &mut self.0 {
            Form::Table(large) => return large.insert(member, epochs),
            Form::Timed(timed) => {
                return timed.edit(|all| all.insert(member, limits, epochs));
            }
            Form::Ints(ints) => {
                if let Some(value) = parse_int(member) {
                    let is_new = ints.insert(value);
                    if is_new && ints.len() > limits.ints_max() {
                        self.enlarge(epochs);
                    }
                    return is_new;
                }
                if let Some(pack) = repack(ints, member, limits) {
                    self.0 = Form::Pack(pack);
                    return true;
                }
            }
            Form::Pack(pack) => {
                if find(pack, member).is_some() {
                    return false;
                }
                if may_pack(pack.len(), pack.byte_len(), member, limits) {
                    pack.push_back(Item::text(member));
                    return true;
                }
            }
        }
        self.enlarge(epochs).insert(member, epochs)
    }

    /// Adds the member of another set; whether it is new.
    pub fn insert_item(
        &mut self,
        member: Item<'_>,
        limits: SetLimits,
        epochs: &mut Epochs,
    ) -> bool {
        self.insert(member.as_text(&mut Digits::default()), limits, epochs)
    }

    /// Removes a member; whether it was one.
    pub fn remove(&mut self, member: &[u8], epochs: &mut Epochs) -> bool {
        match &mut self.0 {
            Form::Ints(ints) => parse_int(member).is_some_and(|value| ints.remove(value)),
            Form::Pack(pack) => {
                let found = find(pack, member);
                found.inspect(|at| pack.remove(*at)).is_some()
            }
            Form::Table(large) => large.remove(member, epochs),
            Form::Timed(timed) => {
                timed.deadlines.clear(member);
                timed.all.remove(member, epochs)
            }
        }
    }

    /// Removes the member of another set; whether it was one.
    pub fn remove_item(&mut self, member: Item<'_>, epochs: &mut Epochs) -> bool {
        self.remove(member.as_text(&mut Digits::default()), epochs)
    }

    /// Removes a member chosen fairly, after showing it.
    pub fn pop<R>(
        &mut self,
        rng: &mut fastrand::Rng,
        epochs: &mut Epochs,
        show: impl FnOnce(Item<'_>) -> R,
    ) -> Option<R> {
        if self.is_empty() {
            return None;
        }
        match &mut self.0 {
            Form::Ints(ints) => ints.remove_nth(rng.usize(..ints.len())).map(Item::Int).map(show),
            Form::Pack(pack) => {
                let at = pack.nth(rng.usize(..pack.len()))?;
                let shown = show(pack.item(at)?);
                pack.remove(at);
                Some(shown)
            }
            Form::Table(large) => large.pop(rng, epochs, |member| show(Item::Bytes(member))),
            Form::Timed(timed) => {
                let Timed { all, deadlines } = &mut **timed;
                let (mut show, mut shown) = (Some(show), None);
                // Not a closure type of its own, which would hold the caller's and so on.
                let take: &mut dyn FnMut(Item<'_>) = &mut |member| {
                    deadlines.clear(member.as_text(&mut Digits::default()));
                    shown = show.take().map(|show| show(member));
                };
                all.pop(rng, epochs, take)?;
                shown
            }
        }
    }

    /// Removes `count` members, fewer than there are, each choice equally likely, and shows them.
    pub fn pop_many(
        &mut self,
        count: usize,
        limits: SetLimits,
        rng: &mut fastrand::Rng,
        epochs: &mut Epochs,
        show: &mut dyn FnMut(Item<'_>),
    ) {
        let len = self.len();
        let count = count.min(len);
        match &mut self.0 {
            Form::Timed(timed) => {
                let Timed { all, deadlines } = &mut **timed;
                all.pop_many(count, limits, rng, epochs, &mut |member| {
                    deadlines.clear(member.as_text(&mut Digits::default()));
                    show(member);
                });
            }
            Form::Ints(ints) => {
                let mut choice = Choice::new(count, len);
                let (taken, kept): (Vec<i64>, Vec<i64>) =
                    ints.iter().partition(|_| choice.takes(rng));
                taken.into_iter().map(Item::Int).for_each(show);
                *ints = kept.into_iter().collect();
            }
            Form::Pack(pack) => {
                let mut choice = Choice::new(count, len);
                pack.retain(|member| {
                    let goes = choice.takes(rng);
                    if goes {
                        show(member);
                    }
                    !goes
                });
            }
            Form::Table(large) if (len - count).saturating_mul(REMAINS_SHARE) > count => {
                for _ in 0..count {
                    large.pop(rng, epochs, |member| show(Item::Bytes(member)));
                }
            }
            Form::Table(large) => {
                let mut rest = Self(Form::Pack(ListPack::new()));
                for _ in count..len {
                    large.pop_with(rng, epochs, |member, epochs| {
                        rest.insert(member, limits, epochs);
                    });
                }
                large.iter().for_each(|member| show(Item::Bytes(member.bytes())));
                *self = rest;
            }
        }
    }

    /// Becomes an intset again if that may hold its members, which the caller knows to be integers.
    // Clients see that what SINTERSTORE makes of integers is an intset, whatever its sources.
    pub fn narrow(&mut self, limits: SetLimits) {
        if let Form::Timed(timed) = &mut self.0 {
            return timed.all.narrow(limits);
        }
        if matches!(self.0, Form::Ints(_)) || self.len() > limits.ints_max() {
            return;
        }
        let ints: Option<IntSet> = self.iter().map(|member| member.as_int()).collect();
        if let Some(ints) = ints {
            self.0 = Form::Ints(ints);
        }
    }

    /// An empty set: an intset if this one is, else a listpack.
    #[must_use]
    pub fn vacant_twin(&self) -> Self {
        match &self.0 {
            Form::Ints(_) => Self(Form::Ints(IntSet::new())),
            Form::Pack(_) | Form::Table(_) => Self(Form::Pack(ListPack::new())),
            Form::Timed(timed) => timed.all.vacant_twin(),
        }
    }

    /// Becomes a table.
    fn enlarge(&mut self, epochs: &mut Epochs) -> &mut Large {
        if let Form::Ints(_) | Form::Pack(_) = self.0 {
            let mut large = Large::new(epochs);
            for member in self.iter() {
                large.insert(member.as_text(&mut Digits::default()), epochs);
            }
            self.0 = Form::Table(Box::new(large));
        }
        match &mut self.0 {
            Form::Table(large) => large,
            Form::Timed(timed) => timed.all.enlarge(epochs),
            Form::Ints(_) | Form::Pack(_) => unreachable!("was just made a table"),
        }
    }
}

impl Companioned for Set {
    fn deadlines(&self) -> Option<&MemberDeadlines> {
        match &self.0 {
            Form::Timed(timed) => Some(&timed.deadlines),
            _ => None,
        }
    }
    fn deadlines_mut(&mut self) -> Option<&mut MemberDeadlines> {
        match &mut self.0 {
            Form::Timed(timed) => Some(&mut timed.deadlines),
            _ => None,
        }
    }
    fn found_deadlines(&mut self, epochs: &Epochs) -> &mut MemberDeadlines {
        if !matches!(self.0, Form::Timed(_)) {
            self.0 = Form::Timed(Timed::new(mem::take(self), epochs));
        }
        match &mut self.0 {
            Form::Timed(timed) => &mut timed.deadlines,
            _ => unreachable!("was just given a companion"),
        }
    }
    fn leave_deadlines(&mut self) {
        if let Form::Timed(timed) = &mut self.0 {
            *self = mem::take(&mut timed.all);
        }
    }
    fn has(&self, member: &[u8]) -> bool {
        self.contains(member)
    }
    fn take(&mut self, member: &[u8], epochs: &mut Epochs) -> bool {
        self.remove(member, epochs)
    }
}

/// Living in the keyspace.
impl Set {
    /// A copy for another key. O(n).
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(match &self.0 {
            Form::Ints(ints) => Form::Ints(ints.clone()),
            Form::Pack(pack) => Form::Pack(pack.clone()),
            Form::Table(large) => Form::Table(Box::new(large.duplicate())),
            Form::Timed(timed) => Form::Timed(Box::new(Timed {
                all: timed.all.duplicate(),
                deadlines: timed.deadlines.clone(),
            })),
        })
    }

    /// The successor, while snapshots go on reading `self`; a table hands its pages on.
    #[must_use]
    pub fn succeed(&self, how: &Succession) -> Self {
        match &self.0 {
            Form::Table(large) => Self(Form::Table(Box::new(large.succeed(how)))),
            Form::Timed(timed) => Self(Form::Timed(Box::new(Timed {
                all: timed.all.succeed(how),
                deadlines: timed.deadlines.clone(),
            }))),
            Form::Ints(_) | Form::Pack(_) => self.duplicate(),
        }
    }

    /// Gives up what has a successor.
    pub fn free_shell(self, how: &Succession) {
        match self.0 {
            Form::Table(large) => large.free_shell(how),
            Form::Timed(timed) => timed.all.free_shell(how),
            Form::Ints(_) | Form::Pack(_) => {}
        }
    }
}

/// Draws some of many one after the other, each choice equally likely: Knuth's algorithm S.
struct Choice {
    wanted: usize,
    left: usize,
}

impl Choice {
    fn new(wanted: usize, among: usize) -> Self {
        Self { wanted, left: among }
    }

    /// Whether the next one is drawn.
    fn takes(&mut self, rng: &mut fastrand::Rng) -> bool {
        let takes = self.wanted > 0 && rng.usize(..self.left.max(1)) < self.wanted;
        self.left = self.left.saturating_sub(1);
        self.wanted -= usize::from(takes);
        takes
    }
}

#[inline]
fn find(pack: &ListPack, member: &[u8]) -> Option<crate::structures::listpack::At> {
    pack.find(pack.first()?, member, 0)
}

fn may_pack(count: usize, bytes: usize, member: &[u8], limits: SetLimits) -> bool {
    count < limits.pack_max
        && member.len() <= limits.pack_member_max
        && bytes.saturating_add(member.len() + MEMBER_OVERHEAD) <= ListPack::BYTES_MAX
}

/// Integers and the first member that is none as a listpack, if that may hold them.
fn repack(ints: &IntSet, member: &[u8], limits: SetLimits) -> Option<ListPack> {
    let longest = [ints.min(), ints.max()].into_iter().flatten();
    let longest = longest.map(|value| Item::Int(value).text_len()).max().unwrap_or(0);
    let bytes = ints.len().saturating_mul(longest + MEMBER_OVERHEAD);
    if longest > limits.pack_member_max || !may_pack(ints.len(), bytes, member, limits) {
        return None;
    }
    let members = ints.iter().map(Item::Int).chain([Item::Bytes(member)]);
    let mut pack = ListPack::with_capacity(members.clone().map(|item| item.packed_len()).sum());
    members.for_each(|item| pack.push_back(item));
    Some(pack)
}
