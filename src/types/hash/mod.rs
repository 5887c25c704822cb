//! A hash: one listpack while small, a copy-on-write table of fields when large.
//!
//! ```text
//!   listpack     pairs of field and value, in the order in which they came
//!   listpackex   triplets of field, value and deadline, those that go first
//!   hashtable    a table of entries: field, value and deadline in one allocation
//! ```
//!
//! A small hash of 5 short fields takes some 100 bytes beside its key; a field of a large one takes
//! 10 bytes and the class of its own, which is 8 bytes larger than field and value together. A
//! small hash becomes large beyond [`Limits`], and never small again, as in Redis.
//!
//! Fields may have a deadline. The type doesn't know what time it is: whoever reads compares, and
//! the keyspace has due fields removed ([`Hash::expire`]) when the first is due ([`Hash::next_due`]).

mod field;
mod iter;
mod large;
mod packed;
#[cfg(test)]
mod tests;

pub use field::{Field, FieldValue, NewValue};
pub use iter::Iter;

use crate::base::time::UnixMillis;
use crate::structures::entry::Succession;
use crate::structures::epoch::Epochs;
use crate::structures::lifespan::{Lifespan, Word};
use crate::structures::listpack::{Digits, ListPack};
use crate::structures::relocation::Mover;
use large::Large;
use packed::{PAIR, Timed};

/// Draws before [`Hash::random`] takes the first living field from a random place on.
const RANDOM_TRIES: usize = 100;

/// How large a hash may become in one listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fields.
    pub entries: usize,
    /// Bytes of a field or a value.
    pub bytes: usize,
}

/// What becomes of a field's deadline when its value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As it was.
    Keep,
    /// No deadline.
    Forever,
    /// Gone from this moment on.
    Until(UnixMillis),
}

impl Lifetime {
    fn deadline(self, old: Option<i64>) -> Option<i64> {
        match self {
            Self::Keep => old,
            Self::Forever => None,
            Self::Until(at) => Some(storable(at)),
        }
    }
}

/// Moments before 1970 are over like any other; 0 stands for none where fields are packed.
fn storable(at: UnixMillis) -> i64 {
    at.0.max(1)
}

/// See the head of the file. 24 bytes beside its allocation.
#[derive(Debug)]
pub struct Hash(Form);

#[derive(Debug)]
enum Form {
    Pairs(ListPack),
    Timed(Box<Timed>),
    Table(Box<Large>),
}

impl Default for Hash {
    fn default() -> Self {
        Self(Form::Pairs(ListPack::new()))
    }
}

impl<'a> IntoIterator for &'a Hash {
    type Item = Field<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Reading.
impl Hash {
    /// Number of fields, those that are over but not yet removed included. O(1).
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Pairs(pack) => pack.len() / PAIR,
            Form::Timed(timed) => timed.len(),
            Form::Table(large) => large.table.len(),
        }
    }

    /// Whether there is no field, not even one that is over.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of fields that are not over. O(1) while none is, else O(log n) or a walk of one pack.
    pub fn live_len(&self, now: UnixMillis) -> usize {
        self.len() - self.due_count(now)
    }

    /// As OBJECT ENCODING prints it.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Pairs(_) => "listpack",
            Form::Timed(_) => "listpackex",
            Form::Table(_) => "hashtable",
        }
    }

    /// The field of this name, be it over. O(1); a walk of one pack while small.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        match &self.0 {
            Form::Pairs(pack) => packed::pair(&mut pack.iter_from(pack.find_pair(name)?)),
            Form::Timed(timed) => timed.get(name),
            Form::Table(large) => large.get(name),
        }
    }

    /// The field of this name that is not over at `now`.
    #[inline]
    pub fn get_live(&self, name: &[u8], now: UnixMillis) -> Option<Field<'_>> {
        self.get(name).filter(|field| !field.is_over(now))
    }

    /// All fields, those that are over included.
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self)
    }

    /// The fields that are not over at `now`.
    pub fn live(&self, now: UnixMillis) -> impl Iterator<Item = Field<'_>> {
        self.iter().filter(move |field| !field.is_over(now))
    }

    /// Visits fields from `cursor` on, about `budget`; gives the next cursor, 0 at the end. A small
    /// hash is visited as a whole. Whoever is there throughout a full walk is visited.
    pub fn scan<'a>(&'a self, cursor: u64, budget: usize, visit: &mut dyn FnMut(Field<'a>)) -> u64 {
        let Form::Table(large) = &self.0 else {
            self.iter().for_each(visit);
            return 0;
        };
        let (mut left, mut cursor) = (budget, cursor);
        loop {
            cursor = large.table.scan(cursor, &mut |entry| {
                left = left.saturating_sub(1);
                visit(entry.into());
            });
            if cursor == 0 || left == 0 {
                return cursor;
            }
        }
    }

    /// A field that is not over, drawn fairly while most are not; `None` when all are.
    pub fn random(&self, now: UnixMillis, rng: &mut fastrand::Rng) -> Option<Field<'_>> {
        for _ in 0..RANDOM_TRIES {
            let field = match &self.0 {
                Form::Table(large) => large.table.random(|| rng.u64(..)).map(Field::from),
                _ => self.iter().nth(rng.usize(..self.len().max(1))),
            }?;
            if !field.is_over(now) {
                return Some(field);
            }
        }
        let mut found = None;
        for start in [rng.u64(..), 0] {
            let mut cursor = start;
            loop {
                cursor = self.scan(cursor, 1, &mut |field| {
                    found = found.or((!field.is_over(now)).then_some(field));
                });
                if found.is_some() || cursor == 0 {
                    break;
                }
            }
        }
        found
    }

    /// The packed fields, while small; for files. `true` says that they are triplets.
    pub fn pack(&self) -> Option<(&ListPack, bool)> {
        match &self.0 {
            Form::Pairs(pack) => Some((pack, false)),
            Form::Timed(timed) => Some((&timed.pack, true)),
            Form::Table(_) => None,
        }
    }

    /// Bytes allocated; of a large hash estimated from `samples` fields, 0 being all.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        match &self.0 {
            Form::Pairs(pack) => pack.heap_bytes(),
            Form::Timed(timed) => size_of::<Timed>() + timed.pack.heap_bytes(),
            Form::Table(large) => large.memory_bytes(samples),
        }
    }

    /// Allocations that freeing it gives back, about.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Pairs(_) | Form::Timed(_) => 1,
            Form::Table(large) => large.table.len(),
        }
    }
}

/// Changing. O(1) each, and a move within the pack while small.
impl Hash {
    /// Moves what lies badly; see [`Mover`].
    pub fn relocate(&mut self, epochs: &Epochs, mover: &mut Mover<'_>) {
        match &mut self.0 {
            Form::Pairs(pack) => mover.pack(pack),
            Form::Timed(timed) => mover.pack(&mut timed.pack),
            Form::Table(large) => large.relocate(epochs, mover),
        }
    }

    /// Sets a field; whether it is new.
    pub fn set(
        &mut self,
        name: &[u8],
        value: NewValue<'_>,
        lifetime: Lifetime,
        limits: Limits,
        epochs: &mut Epochs,
    ) -> bool {
        let text = value.as_slice();
        if name.len() > limits.bytes || text.len() > limits.bytes || !self.has_room(name, text) {
            self.enlarge(epochs);
        } else if let Lifetime::Until(_) = lifetime {
            self.allow_deadlines();
        }
        let is_new = match &mut self.0 {
            Form::Pairs(pack) => packed::set_pair(pack, name, text),
            Form::Timed(timed) => timed.set(name, value, lifetime),
            Form::Table(large) => return large.set(name, value, lifetime, epochs),
        };
        // Also when a field was only overwritten: clients see a lowered limit act.
        if self.len() > limits.entries {
            self.enlarge(epochs);
        }
        is_new
    }

    /// Gets ready for so many fields to be set; equal ones count.
    pub fn reserve(&mut self, fields: usize, limits: Limits, epochs: &mut Epochs) {
        if fields > limits.entries {
            self.enlarge(epochs);
        }
    }

    /// Becomes a hash whose fields may have deadlines.
    // Clients see the encoding change even if no field of those named is there.
    pub fn allow_deadlines(&mut self) {
        if let Form::Pairs(pack) = &self.0 {
            self.0 = Form::Timed(Box::new(Timed::of_pairs(pack)));
        }
    }

    /// Gives a field a deadline, or takes it; whether there is a field of this name.
    pub fn set_deadline(
        &mut self,
        name: &[u8],
        deadline: Option<UnixMillis>,
        epochs: &mut Epochs,
    ) -> bool {
        let deadline = deadline.map(storable);
        if deadline.is_some() {
            self.allow_deadlines();
        }
        match &mut self.0 {
            Form::Pairs(pack) => pack.find_pair(name).is_some(),
            Form::Timed(timed) => timed.set_deadline(name, deadline),
            Form::Table(large) => large.set_deadline(name, deadline, epochs),
        }
    }

    /// Removes a field; whether it was there.
    pub fn remove(&mut self, name: &[u8], epochs: &mut Epochs) -> bool {
        match &mut self.0 {
            Form::Pairs(pack) => match pack.find_pair(name) {
                Some(at) => {
                    pack.remove_many(at, PAIR);
                    true
                }
                None => false,
            },
            Form::Timed(timed) => timed.remove(name),
            Form::Table(large) => large.remove(name, epochs),
        }
    }

    fn has_room(&self, name: &[u8], value: &[u8]) -> bool {
        match &self.0 {
            Form::Pairs(pack) => packed::has_room(pack, name, value),
            Form::Timed(timed) => packed::has_room(&timed.pack, name, value),
            Form::Table(_) => true,
        }
    }

    fn enlarge(&mut self, epochs: &mut Epochs) {
        if let Form::Table(_) = self.0 {
            return;
        }
        let mut large = Large::new(epochs);
        large.schedule = self.schedule_word();
        for field in self.iter() {
            let (mut name, mut value) = (Digits::default(), itoa::Buffer::new());
            let (name, value) = (field.name.as_text(&mut name), field.value.as_text(&mut value));
            let lifetime = field.deadline.map_or(Lifetime::Forever, Lifetime::Until);
            large.set(name, NewValue::Bytes(value), lifetime, epochs);
        }
        self.0 = Form::Table(Box::new(large));
    }
}

/// Fields that go.
impl Hash {
    /// Whether it is kept in a way that admits deadlines.
    pub fn may_expire(&self) -> bool {
        !matches!(self.0, Form::Pairs(_))
    }

    /// When the first field goes; `None` when all stay. O(log n).
    pub fn next_due(&self) -> Option<UnixMillis> {
        match &self.0 {
            Form::Pairs(_) => None,
            Form::Timed(timed) => timed.first()?.deadline,
            Form::Table(large) => large.first().map(|first| UnixMillis(first.at)),
        }
    }

    /// How many fields are over at `now`. O(log n); a walk of one pack while small.
    pub fn due_count(&self, now: UnixMillis) -> usize {
        match &self.0 {
            Form::Pairs(_) => 0,
            Form::Timed(timed) => timed.due_count(now.0),
            Form::Table(large) => large.due_count(now.0),
        }
    }

    /// Removes fields that are over at `now`, at most `budget`, the earliest first; shows each, and
    /// says how many those were.
    pub fn expire(
        &mut self,
        now: UnixMillis,
        budget: usize,
        epochs: &mut Epochs,
        gone: &mut dyn FnMut(&[u8]),
    ) -> usize {
        match &mut self.0 {
            Form::Pairs(_) => 0,
            Form::Timed(timed) => timed.expire(now.0, budget, gone),
            Form::Table(large) => large.expire(now.0, budget, epochs, gone),
        }
    }

    /// What the keyspace has filed for it: the deadline it knows, and the wheel's ticket.
    pub fn schedule(&self) -> Lifespan {
        Lifespan::unpack(self.schedule_word())
    }

    /// Keeps what the keyspace has filed. Without fields that go there is nothing to keep.
    pub fn set_schedule(&mut self, schedule: Lifespan) {
        match &mut self.0 {
            Form::Pairs(_) => {}
            Form::Timed(timed) => timed.schedule = schedule.pack(),
            Form::Table(large) => large.schedule = schedule.pack(),
        }
    }

    fn schedule_word(&self) -> Word {
        match &self.0 {
            Form::Pairs(_) => Word::Absent,
            Form::Timed(timed) => timed.schedule,
            Form::Table(large) => large.schedule,
        }
    }
}

/// From files.
impl Hash {
    /// Takes over a listpack of fields and values by turns; whether they are well formed, and no
    /// field comes twice, is the reader's business.
    pub fn of_pairs(pack: ListPack) -> Self {
        Self(Form::Pairs(pack))
    }

    /// Takes over a listpack of fields, values and deadlines by turns, those that go first, the
    /// earliest before the others.
    pub fn of_triplets(pack: ListPack) -> Self {
        Self(Form::Timed(Box::new(Timed { pack, schedule: Word::Absent })))
    }

    /// Makes a hash from a nursery one of this engine's. O(1).
    pub fn adopt(&mut self, epochs: &Epochs) {
        if let Form::Table(large) = &mut self.0 {
            large.adopt(epochs);
        }
    }
}

/// Copies.
impl Hash {
    /// The same fields, for another key. O(n).
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(match &self.0 {
            Form::Pairs(pack) => Form::Pairs(pack.clone()),
            Form::Timed(timed) => Form::Timed(timed.clone()),
            Form::Table(large) => Form::Table(Box::new(large.duplicate())),
        })
    }

    /// The successor of `self`, while snapshots go on reading `self`. O(1), or a copy of one pack.
    #[must_use]
    pub fn succeed(&self, how: &Succession) -> Self {
        Self(match &self.0 {
            Form::Pairs(pack) => Form::Pairs(pack.clone()),
            Form::Timed(timed) => Form::Timed(timed.clone()),
            Form::Table(large) => Form::Table(Box::new(large.succeed(how))),
        })
    }

    /// Gives up what has a successor.
    pub fn free_shell(self, how: &Succession) {
        if let Form::Table(large) = self.0 {
            large.free_shell(how);
        }
    }
}
