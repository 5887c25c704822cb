//! Facts about what changed, for whoever reacts to them.
//!
//! The dirty count always runs. Records of single events are kept only while somebody listens, in
//! two flat buffers that are handed out and given back, so that noting one allocates nothing.

use super::DbIndex;
use std::cell::RefCell;
use std::mem;
use std::ops::Range;

/// A keyspace event: its name as notifications spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Class letter of `notify-keyspace-events`, such as `$` or `g`; 0: never notified.
    pub class: u8,
    /// Name, such as `set`.
    pub name: &'static str,
}

impl Event {
    /// Event of strings.
    pub const fn string(name: &'static str) -> Self {
        Self { class: b'$', name }
    }
    /// Event of hashes.
    pub const fn hash(name: &'static str) -> Self {
        Self { class: b'h', name }
    }
    /// Event of keys of any type.
    pub const fn generic(name: &'static str) -> Self {
        Self { class: b'g', name }
    }
}

/// A key got a deadline.
pub const EXPIRE: Event = Event::generic("expire");
/// A key that was absent is there; comes before the event that says how.
pub const NEW: Event = Event { class: b'n', name: "new" };
/// A value is replaced as a whole; comes before the event that says how.
pub const OVERWRITTEN: Event = Event { class: b'o', name: "overwritten" };
/// A value is replaced by one of another type; follows `overwritten`.
pub const TYPE_CHANGED: Event = Event { class: b'c', name: "type_changed" };
/// A key went because its time was over. To be propagated as a deletion.
pub const EXPIRED: Event = Event { class: b'x', name: "expired" };
/// Fields of a hash went because their time was over. To be propagated as a deletion of these.
pub const HEXPIRED: Event = Event::hash("hexpired");
/// Members of a set went because their time was over. To be propagated as a deletion of these.
pub const SEXPIRED: Event = Event { class: b's', name: "sexpired" };
/// Members of a sorted set went because their time was over. To be propagated as a deletion of these.
pub const ZEXPIRED: Event = Event { class: b'z', name: "zexpired" };
/// A key went to make room. To be propagated as a deletion.
pub const EVICTED: Event = Event { class: b'e', name: "evicted" };
/// A collection went because its last element did, or a value because it was taken.
pub const DEL: Event = Event::generic("del");
/// The source of a RENAME.
pub const RENAME_FROM: Event = Event::generic("rename_from");
/// The target of a RENAME.
pub const RENAME_TO: Event = Event::generic("rename_to");
/// The target of a COPY.
pub const COPY_TO: Event = Event::generic("copy_to");
/// A key left this database.
pub const MOVE_FROM: Event = Event::generic("move_from");
/// A key came to this database.
pub const MOVE_TO: Event = Event::generic("move_to");
/// All keys of the database went; the record has no key. Not a notification.
pub const FLUSHED: Event = Event { class: 0, name: "flushed" };
/// The database was exchanged with another; the record has no key. Not a notification.
pub const SWAPPED: Event = Event { class: 0, name: "swapped" };

/// A reader looked for a key that is not there.
pub const KEY_MISS: Event = Event { class: b'm', name: "keymiss" };

/// What an edit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The event, and how many units became dirty.
    Did(Event, u64),
    /// Two events in this order, and how many units became dirty.
    Both(Event, Event, u64),
    /// Something that no event tells and no watcher minds; how many units became dirty.
    Quietly(u64),
}

/// An event of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where.
    pub db: DbIndex,
    /// The key; empty for events of a whole database.
    pub key: &'a [u8],
    /// What.
    pub event: Event,
    /// How many units became dirty by it.
    pub units: u64,
    /// The members that went by themselves, if it is about these.
    pub members: Members<'a>,
}

/// Names of members in a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members<'a> {
    bytes: &'a [u8],
    names: &'a [Range<usize>],
}

impl<'a> Members<'a> {
    /// The names, in the order in which they went.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.names.iter().map(move |name| bytes.get(name.clone()).unwrap_or_default())
    }
}

#[derive(Debug)]
struct Fact {
    db: DbIndex,
    key: Range<usize>,
    event: Event,
    units: u64,
    /// In the list of members' names.
    members: Range<usize>,
}

/// Events in the order in which they took place.
#[derive(Debug, Default)]
pub struct Records {
    /// Names of keys and members.
    keys: Vec<u8>,
    facts: Vec<Fact>,
    members: Vec<Range<usize>>,
}

impl Records {
    /// The events, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.facts.iter().map(|fact| Record {
            db: fact.db,
            key: self.keys.get(fact.key.clone()).unwrap_or_default(),
            event: fact.event,
            units: fact.units,
            members: Members {
                bytes: &self.keys,
                names: self.members.get(fact.members.clone()).unwrap_or_default(),
            },
        })
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }
}

/// Which events somebody wants to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listening {
    /// None.
    #[default]
    Nothing,
    /// What no command asked for: [`EXPIRED`], its likes for members, and [`EVICTED`].
    Removals,
    /// All.
    Everything,
}

/// Counts changes and keeps records while somebody listens.
#[derive(Debug, Default)]
pub struct Journal {
    dirty: u64,
    listening: Listening,
    records: Records,
    hears_misses: bool,
    /// Apart from the records: nothing has changed by a miss, and readers share the keyspace.
    misses: RefCell<Records>,
}

/// Buffers beyond this many bytes are not kept for the next batch.
const KEPT_BYTES: usize = 64 * 1024;

impl Journal {
    /// Units changed since the start.
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    /// From now on, keeps records of all events, or of none.
    pub fn listen(&mut self, everything: bool) {
        self.listening = if everything { Listening::Everything } else { Listening::Nothing };
    }

    /// From now on, keeps records of these events.
    pub fn listen_to(&mut self, listening: Listening) {
        self.listening = listening;
    }

    /// Which events are recorded.
    pub fn listening(&self) -> Listening {
        self.listening
    }

    /// Whether there are records to take.
    pub fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// The records since the last call.
    pub fn take_records(&mut self) -> Records {
        mem::take(&mut self.records)
    }

    /// From now on, notes what readers look for in vain, or not.
    pub fn listen_to_misses(&mut self, hears: bool) {
        self.hears_misses = hears;
    }

    /// Whether it notes what readers look for in vain.
    pub fn hears_misses(&self) -> bool {
        self.hears_misses
    }

    /// Whether there are misses to take.
    pub fn has_misses(&self) -> bool {
        self.hears_misses && !self.misses.borrow().is_empty()
    }

    /// The misses since the last call.
    pub fn take_misses(&mut self) -> Records {
        mem::take(self.misses.get_mut())
    }

    /// Notes a miss.
    #[inline]
    pub(super) fn miss(&self, db: DbIndex, key: &[u8]) {
        if self.hears_misses {
            self.misses.borrow_mut().push(db, key, KEY_MISS, 0);
        }
    }

    /// Takes buffers back, to be used again.
    pub fn give_back(&mut self, mut records: Records) {
        if self.records.is_empty() && records.keys.capacity() <= KEPT_BYTES {
            records.keys.clear();
            records.facts.clear();
            records.members.clear();
            self.records = records;
        }
    }

    /// Counts changes that no event tells.
    pub fn add_dirty(&mut self, units: u64) {
        self.dirty += units;
    }

    /// Notes an event.
    #[inline]
    pub(super) fn note(&mut self, db: DbIndex, key: &[u8], event: Event, units: u64) {
        self.dirty += units;
        if self.wants(event) {
            self.record(db, key, event, units);
        }
    }

    /// Notes that a member went by itself; one record tells of all that go one after the other.
    pub(super) fn note_member(&mut self, db: DbIndex, key: &[u8], event: Event, member: &[u8]) {
        if !self.wants(event) {
            return;
        }
        let Records { keys, facts, .. } = &self.records;
        let goes_on = facts.last().is_some_and(|last| {
            last.db == db && last.event == event && keys.get(last.key.clone()) == Some(key)
        });
        if !goes_on {
            self.record(db, key, event, 0);
        }
        let Records { keys, facts, members } = &mut self.records;
        let start = keys.len();
        keys.extend_from_slice(member);
        members.push(start..keys.len());
        if let Some(fact) = facts.last_mut() {
            fact.members.end = members.len();
        }
    }

    #[inline]
    fn wants(&self, event: Event) -> bool {
        match self.listening {
            Listening::Nothing => false,
            Listening::Removals => {
                matches!(event, EXPIRED | HEXPIRED | SEXPIRED | ZEXPIRED | EVICTED)
            }
            Listening::Everything => true,
        }
    }

    #[cold]
    fn record(&mut self, db: DbIndex, key: &[u8], event: Event, units: u64) {
        self.records.push(db, key, event, units);
    }
}

impl Records {
    #[cold]
    fn push(&mut self, db: DbIndex, key: &[u8], event: Event, units: u64) {
        let Self { keys, facts, members } = self;
        let start = match facts.last() {
            // Several events of one key in a row share its bytes.
            Some(last) if keys.get(last.key.clone()) == Some(key) => last.key.start,
            _ => {
                keys.extend_from_slice(key);
                keys.len() - key.len()
            }
        };
        let key = start..start + key.len();
        facts.push(Fact { db, key, event, units, members: members.len()..members.len() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: Event = Event::string("set");

    fn names(records: &Records) -> Vec<(&[u8], &str)> {
        records.iter().map(|record| (record.key, record.event.name)).collect()
    }

    #[test]
    fn records_are_kept_only_for_listeners() {
        let mut journal = Journal::default();
        journal.note(DbIndex(0), b"a", SET, 1);
        assert!(!journal.has_records());
        journal.listen_to(Listening::Removals);
        journal.note(DbIndex(0), b"a", SET, 1);
        journal.note(DbIndex(0), b"b", EXPIRED, 0);
        journal.listen(true);
        journal.note(DbIndex(1), b"b", SET, 3);
        journal.note(DbIndex(1), b"c", SET, 1);
        assert_eq!(journal.dirty(), 6);
        let records = journal.take_records();
        let expected: [(&[u8], &str); 3] = [(b"b", "expired"), (b"b", "set"), (b"c", "set")];
        assert_eq!(names(&records), expected);
        assert_eq!(records.iter().map(|record| record.units).collect::<Vec<_>>(), [0, 3, 1]);
        journal.give_back(records);
        assert!(!journal.has_records());
    }
}
