//! A small hash: fields in one listpack, as pairs or, once a field has got a deadline, as triplets.
//!
//! Triplets are field, value and Unix milliseconds, 0 for none. Those that go are first, the
//! earliest before the others; of equal ones the latest set is first. Clients see this order, and
//! files hold it.

use super::Lifetime;
use super::field::{Field, NewValue};
use crate::base::time::UnixMillis;
use crate::structures::lifespan::{Lifespan, Word};
use crate::structures::listpack::{At, Item, Iter, ListPack};

/// What stands for no deadline.
const STAYS: i64 = 0;
/// Items per field with deadlines.
pub(super) const TRIPLET: usize = 3;
/// Items per field without.
pub(super) const PAIR: usize = 2;
/// What is set aside for the heads of a field, its value and its deadline.
const OVERHEAD: usize = 32;

/// A small hash whose fields may have deadlines.
#[derive(Clone, Debug)]
pub(super) struct Timed {
    pub(super) pack: ListPack,
    /// How the keyspace knows it; see [`super::Hash::schedule`].
    pub(super) schedule: Word,
}

/// Whether a field and its value fit beside what is there.
pub(super) fn has_room(pack: &ListPack, name: &[u8], value: &[u8]) -> bool {
    pack.has_room(name.len().saturating_add(value.len()).saturating_add(OVERHEAD))
}

/// Sets a field of pairs; whether it is new.
#[inline]
pub(super) fn set_pair(pack: &mut ListPack, name: &[u8], value: &[u8]) -> bool {
    if let Some(at) = pack.find_pair(name).and_then(|at| pack.next(at)) {
        pack.replace(at, Item::text(value));
        return false;
    }
    pack.push_pair(Item::text(name), Item::text(value));
    true
}

/// The deadline that an item says.
fn deadline_of(item: Item<'_>) -> Option<i64> {
    item.as_int().filter(|at| *at != STAYS)
}

impl Timed {
    /// Pairs that become triplets.
    pub(super) fn of_pairs(pairs: &ListPack) -> Self {
        let mut pack = ListPack::with_capacity(pairs.byte_len() + pairs.len());
        for (name, value) in pairs.pairs() {
            let end = pack.end();
            pack.insert(end, &[name, value, Item::Int(STAYS)]);
        }
        Self { pack, schedule: Lifespan::default().pack() }
    }

    /// Number of fields.
    pub(super) fn len(&self) -> usize {
        self.pack.len() / TRIPLET
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<At> {
        self.pack.find(self.pack.first()?, name, PAIR)
    }

    fn triplet(&self, at: At) -> Option<Field<'_>> {
        triplet(&mut self.pack.iter_from(at))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        self.triplet(self.find(name)?)
    }

    /// The field that goes first.
    pub(super) fn first(&self) -> Option<Field<'_>> {
        self.triplet(self.pack.first()?).filter(|field| field.deadline.is_some())
    }

    /// How many fields are due.
    pub(super) fn due_count(&self, now: i64) -> usize {
        fields(&self.pack).take_while(|field| field.is_over(UnixMillis(now))).count()
    }

    /// Sets a field; whether it is new.
    pub(super) fn set(&mut self, name: &[u8], value: NewValue<'_>, lifetime: Lifetime) -> bool {
        let found = self.find(name);
        let old = found.and_then(|at| self.triplet(at)).and_then(|field| field.deadline);
        let deadline = lifetime.deadline(old.map(|at| at.0));
        match found {
            Some(at) if deadline.is_none() && old.is_none() || lifetime == Lifetime::Keep => {
                if let Some(at) = self.pack.next(at) {
                    self.pack.replace(at, Item::text(value.as_slice()));
                }
            }
            Some(at) => {
                self.pack.remove_many(at, TRIPLET);
                self.insert(name, value.as_slice(), deadline);
            }
            None => self.insert(name, value.as_slice(), deadline),
        }
        found.is_none()
    }

    /// Changes the deadline of a field; whether there is one of this name.
    pub(super) fn set_deadline(&mut self, name: &[u8], deadline: Option<i64>) -> bool {
        let Some(at) = self.find(name) else { return false };
        let Some(field) = self.triplet(at) else { return false };
        let value = field.value.as_text(&mut itoa::Buffer::new()).to_vec();
        self.pack.remove_many(at, TRIPLET);
        self.insert(name, &value, deadline);
        true
    }

    /// Removes a field; whether it was there.
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let found = self.find(name);
        if let Some(at) = found {
            self.pack.remove_many(at, TRIPLET);
        }
        found.is_some()
    }

    /// Removes due fields, at most `budget`, after showing each.
    pub(super) fn expire(&mut self, now: i64, budget: usize, gone: &mut dyn FnMut(&[u8])) -> usize {
        let due = fields(&self.pack).take(budget).take_while(|it| it.is_over(UnixMillis(now)));
        let count = due.map(|field| gone(&field.name_to_vec())).count();
        if let Some(first) = self.pack.first() {
            self.pack.remove_many(first, count * TRIPLET);
        }
        count
    }

    fn insert(&mut self, name: &[u8], value: &[u8], deadline: Option<i64>) {
        let place = match deadline {
            None => self.pack.end(),
            Some(new) => self.place(new),
        };
        let deadline = Item::Int(deadline.unwrap_or(STAYS));
        self.pack.insert(place, &[Item::text(name), Item::text(value), deadline]);
    }

    /// Before the first field that goes at `new`, later, or never.
    fn place(&self, new: i64) -> At {
        let mut items = self.pack.iter();
        loop {
            let at = items.at();
            match triplet(&mut items) {
                Some(field) if field.deadline.is_some_and(|old| old.0 < new) => {}
                _ => return at,
            }
        }
    }
}

/// The next field of triplets.
#[inline]
pub(super) fn triplet<'a>(items: &mut Iter<'a>) -> Option<Field<'a>> {
    let (name, value) = (items.next()?, items.next()?.into());
    Some(Field { name, value, deadline: deadline_of(items.next()?).map(UnixMillis) })
}

/// The next field of pairs.
#[inline]
pub(super) fn pair<'a>(items: &mut Iter<'a>) -> Option<Field<'a>> {
    Some(Field { name: items.next()?, value: items.next()?.into(), deadline: None })
}

fn fields(pack: &ListPack) -> impl Iterator<Item = Field<'_>> {
    let mut items = pack.iter();
    std::iter::from_fn(move || triplet(&mut items))
}
