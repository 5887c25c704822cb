//! Members that go by themselves: on time, in bounded steps, wherever their key is by then.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::journal::{Change, Event};
use super::packed::ValueView;
use super::write::Free;
use super::{DbIndex, Expiry, Keyspace};
use crate::base::time::UnixMillis;
use crate::keyspace::value::ValueRef;
use crate::structures::epoch::Epochs;
use crate::types::hash::{Hash, Lifetime, Limits, NewValue};
use crate::types::set::{Set, SetLimits};
use crate::types::sorted_set::{PackLimits, SortedSet};
use crate::types::timed::Companioned;
use proptest::prelude::*;
use std::collections::BTreeMap;

const START: i64 = 1_790_000_000_000;
const ZERO: DbIndex = DbIndex(0);
const ONE: DbIndex = DbIndex(1);
const HSET: Event = Event::hash("hset");
const SMALL: Form = Form::Hash(512);
const LARGE: Form = Form::Hash(0);
const FORMS: [Form; 6] =
    [SMALL, LARGE, Form::Set(512), Form::Set(0), Form::SortedSet(512), Form::SortedSet(0)];

/// A type, and of how many members a small one may be.
#[derive(Clone, Copy)]
enum Form {
    Hash(usize),
    Set(usize),
    SortedSet(usize),
}

impl Form {
    fn is_small(self) -> bool {
        let (Self::Hash(most) | Self::Set(most) | Self::SortedSet(most)) = self;
        most > 0
    }

    fn expired(self) -> &'static str {
        match self {
            Self::Hash(_) => "hexpired",
            Self::Set(_) => "sexpired",
            Self::SortedSet(_) => "zexpired",
        }
    }
}

fn at(ms: i64) -> UnixMillis {
    UnixMillis(START + ms)
}

/// Sets a field that goes after some milliseconds, 0 being never.
fn set(keyspace: &mut Keyspace, key: &[u8], field: &str, ttl: i64, form: Form) {
    set_in(keyspace, ZERO, key, field, ttl, form);
}

fn set_in(keys: &mut Keyspace, db: DbIndex, key: &[u8], field: &str, ttl: i64, form: Form) {
    let (member, until) = (field.as_bytes(), (ttl != 0).then(|| at(ttl)));
    let mut writer = keys.writer(db, at(0));
    let did = ((), Change::Did(HSET, 1));
    match form {
        Form::Hash(entries) => writer.upsert(key, |hash: &mut Hash, epochs| {
            let lifetime = until.map_or(Lifetime::Forever, Lifetime::Until);
            let limits = Limits { entries, bytes: 64 };
            hash.set(member, NewValue::Bytes(b"v"), lifetime, limits, epochs);
            did
        }),
        Form::Set(max) => writer.upsert(key, |set: &mut Set, epochs: &mut Epochs| {
            let limits = SetLimits { ints_max: max, pack_max: max, pack_member_max: 64 };
            set.insert(member, limits, epochs);
            set.set_deadline(member, until, epochs);
            did
        }),
        Form::SortedSet(entries) => writer.upsert(key, |set: &mut SortedSet, epochs| {
            set.insert(member, 1.0, PackLimits { entries, value: 64 }, epochs);
            set.set_deadline(member, until, epochs);
            did
        }),
    }
    .unwrap();
}

fn fields(keyspace: &Keyspace, db: DbIndex, key: &[u8]) -> Vec<String> {
    let reader = keyspace.reader(db, at(0));
    let names: Vec<Vec<u8>> = match reader.peek(key).map(ValueView::open) {
        Some(opened) => match opened.as_ref() {
            ValueRef::Hash(hash) => hash.iter().map(|field| field.name_to_vec()).collect(),
            ValueRef::Set(set) => set.iter().map(|member| member.to_vec()).collect(),
            ValueRef::SortedSet(set) => set.iter().map(|it| it.member.to_vec()).collect(),
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    let mut names: Vec<_> = names.into_iter().map(|it| String::from_utf8(it).unwrap()).collect();
    names.sort();
    names
}

fn events(keyspace: &mut Keyspace) -> Vec<String> {
    let records = keyspace.journal_mut().take_records();
    let events = records.iter().map(|record| {
        let key = String::from_utf8_lossy(record.key).into_owned();
        let members: Vec<_> = record.members.iter().map(String::from_utf8_lossy).collect();
        format!("{}({key}) {}", record.event.name, members.join(" ")).trim_end().to_owned()
    });
    events.collect()
}

fn run_out(keyspace: &mut Keyspace, now: i64) {
    while keyspace.expire_due(at(now), 100) > 0 {}
}

#[test]
fn fields_go_on_time_with_their_names() {
    for form in FORMS {
        let mut keyspace = Keyspace::new(2, 7);
        for (field, ttl) in [("a", 20), ("b", 10), ("c", 10), ("d", 0)] {
            set(&mut keyspace, b"h", field, ttl, form);
        }
        assert_eq!(keyspace.figures(ZERO, at(0)).expiring_members, 1);
        assert_eq!(keyspace.next_due(), Some(at(10)));
        keyspace.journal_mut().listen(true);
        keyspace.expire_due(at(9), 100);
        assert_eq!(events(&mut keyspace), [""; 0]);
        keyspace.expire_due(at(10), 100);
        let told = events(&mut keyspace);
        let expired = form.expired();
        let either = [format!("{expired}(h) b c"), format!("{expired}(h) c b")];
        assert!(told.len() == 1 && either.contains(&told[0]), "{told:?}");
        assert_eq!(keyspace.next_due(), Some(at(20)));
        keyspace.expire_due(at(25), 100);
        assert_eq!(events(&mut keyspace), [format!("{expired}(h) a")]);
        assert_eq!(fields(&keyspace, ZERO, b"h"), ["d"]);
        assert_eq!(keyspace.next_due(), None);
        assert_eq!(keyspace.figures(ZERO, at(0)).expiring_members, 0);
        assert_eq!(keyspace.stats().expired_members.get(), 3);
    }
}

#[test]
fn last_field_takes_its_key_along() {
    for form in FORMS {
        let mut keyspace = Keyspace::new(1, 7);
        set(&mut keyspace, b"h", "a", 5, form);
        keyspace.journal_mut().listen(true);
        keyspace.expire_due(at(5), 100);
        let expired = format!("{}(h) a", form.expired());
        assert_eq!(events(&mut keyspace), [expired, "del(h)".to_owned()]);
        assert!(keyspace.is_empty());
    }
}

#[test]
fn budget_bounds_the_work_of_one_large_collection() {
    for form in FORMS {
        let mut keyspace = Keyspace::new(1, 7);
        for number in 0..if form.is_small() { 50 } else { 5000 } {
            set(&mut keyspace, b"h", &number.to_string(), 10, form);
        }
        let len = fields(&keyspace, ZERO, b"h").len();
        let left = keyspace.expire_due(at(10), len / 5);
        let most = len * 4 / 5 + 10;
        assert!((len * 4 / 5..=most).contains(&left), "{left}");
        let kept = fields(&keyspace, ZERO, b"h").len();
        assert!((len * 4 / 5..=most).contains(&kept), "{kept}");
        assert!(keyspace.next_due().unwrap() <= at(10));
        run_out(&mut keyspace, 10);
        assert!(keyspace.is_empty());
    }
}

#[test]
fn deadlines_go_where_their_key_goes() {
    for form in FORMS {
        let mut keyspace = Keyspace::new(2, 7);
        set(&mut keyspace, b"h", "a", 10, form);
        set(&mut keyspace, b"h", "b", 0, form);
        let mut writer = keyspace.writer(ZERO, at(0));
        assert!(writer.copy(b"h", ZERO, b"copy"));
        assert!(writer.rename(b"h", b"renamed"));
        assert!(writer.copy(b"renamed", ONE, b"moved"));
        assert!(writer.rename(b"renamed", b"moves"));
        assert!(writer.move_to(b"moves", ONE));
        for db in [ZERO, ONE] {
            let keys = if db == ZERO { 1 } else { 2 };
            assert_eq!(keyspace.figures(db, at(0)).expiring_members, keys);
        }
        run_out(&mut keyspace, 10);
        for (db, key) in [(ZERO, &b"copy"[..]), (ONE, b"moves"), (ONE, b"moved")] {
            assert_eq!(fields(&keyspace, db, key), ["b"]);
        }
        for db in [ZERO, ONE] {
            assert_eq!(keyspace.figures(db, at(0)).expiring_members, 0);
        }
    }
}

#[test]
fn keys_that_go_are_counted_out() {
    for form in FORMS {
        let mut keyspace = Keyspace::new(1, 7);
        let count = |keyspace: &Keyspace| keyspace.figures(ZERO, at(0)).expiring_members;
        for key in [&b"removed"[..], b"replaced", b"overwritten", b"persisted"] {
            set(&mut keyspace, key, "a", 10, form);
        }
        set(&mut keyspace, b"plain", "a", 0, form);
        assert_eq!(count(&keyspace), 4);
        let mut writer = keyspace.writer(ZERO, at(0));
        writer.remove(b"removed", Free::Now, HSET);
        writer.copy(b"plain", ZERO, b"replaced");
        writer.put(b"overwritten", Hash::default(), super::write::Lifetime::Forever, HSET);
        assert_eq!(count(&keyspace), 1);
        set(&mut keyspace, b"persisted", "a", 0, form);
        assert_eq!(count(&keyspace), 0);
        set(&mut keyspace, b"flushed", "a", 10, form);
        keyspace.writer(ZERO, at(0)).flush(Free::Now);
        assert_eq!((count(&keyspace), keyspace.next_due()), (0, None));
    }
}

#[test]
fn named_members_that_are_over_go_before_a_change() {
    for form in FORMS {
        let mut keyspace = Keyspace::new(1, 7);
        for (field, ttl) in [("a", 10), ("b", 10), ("c", 0), ("d", 20)] {
            set(&mut keyspace, b"h", field, ttl, form);
        }
        let named: [&[u8]; 3] = [b"a", b"c", b"nosuch"];
        keyspace.set_expiry(Expiry::Followed);
        keyspace.writer(ZERO, at(50)).expire_named(b"h", named.into_iter());
        keyspace.writer(ZERO, at(50)).expire_overdue(b"h");
        keyspace.expire_due(at(50), 100);
        assert_eq!(fields(&keyspace, ZERO, b"h"), ["a", "b", "c", "d"]);
        keyspace.set_expiry(Expiry::Own);
        keyspace.writer(ZERO, at(9)).expire_named(b"h", named.into_iter());
        keyspace.writer(ZERO, at(9)).expire_overdue(b"h");
        assert_eq!(fields(&keyspace, ZERO, b"h"), ["a", "b", "c", "d"]);
        keyspace.journal_mut().listen(true);
        keyspace.writer(ZERO, at(10)).expire_named(b"h", named.into_iter());
        assert_eq!(events(&mut keyspace), [format!("{}(h) a", form.expired())]);
        assert_eq!(fields(&keyspace, ZERO, b"h"), ["b", "c", "d"]);
        keyspace.writer(ZERO, at(10)).expire_overdue(b"h");
        assert_eq!(events(&mut keyspace), [format!("{}(h) b", form.expired())]);
        run_out(&mut keyspace, 50);
        assert_eq!(fields(&keyspace, ZERO, b"h"), ["c"]);
    }
}

#[test]
fn setting_deadlines_again_and_again_does_not_grow_the_wheel() {
    for form in [LARGE, Form::Set(0), Form::SortedSet(0)] {
        let mut keyspace = Keyspace::new(1, 7);
        set(&mut keyspace, b"h", "stays", 0, form);
        for round in 0..50_000 {
            set(&mut keyspace, b"h", "a", 100_000 - round, form);
            keyspace.expire_due(at(0), 100);
        }
        assert!(keyspace.timer_bytes(ZERO) < 300_000, "{}", keyspace.timer_bytes(ZERO));
        for round in 0..20_000 {
            set(&mut keyspace, b"h", "a", round % 2 * 50_000, form);
            keyspace.expire_due(at(0), 100);
        }
        assert!(keyspace.timer_bytes(ZERO) < 300_000, "{}", keyspace.timer_bytes(ZERO));
        run_out(&mut keyspace, 100_000);
        assert_eq!(fields(&keyspace, ZERO, b"h"), ["stays"]);
    }
}

proptest! {
    #[test]
    fn agrees_with_a_map_under_snapshots(
        steps in prop::collection::vec((0u8..6, 0u8..5, 0i64..60, 0i64..4, 0u8..12), 1..120),
    ) {
        let mut keyspace = Keyspace::new(1, 7);
        let mut model: BTreeMap<(u8, u8), i64> = BTreeMap::new();
        let (mut now, mut snapshots) = (0, Vec::new());
        let mut forms = FORMS;
        for (key, field, ttl, advance, what) in steps {
            now += advance;
            match what {
                0 => snapshots.push(keyspace.snapshot(at(now))),
                1 => drop(snapshots.pop()),
                2 => {
                    let target = (key + 1) % 6;
                    if keyspace.writer(ZERO, at(now)).rename(&[key], &[target]) {
                        forms.swap(usize::from(key), usize::from(target));
                        model.retain(|(own, _), _| *own != target);
                        let moved: Vec<_> = model.extract_if_key(key);
                        model.extend(moved.into_iter().map(|(field, ttl)| ((target, field), ttl)));
                    }
                }
                _ => {
                    let ttl = if ttl == 0 { 0 } else { now + ttl };
                    let form = forms[usize::from(key)];
                    set_in(&mut keyspace, ZERO, &[key], &field.to_string(), ttl, form);
                    model.insert((key, field), ttl);
                }
            }
            while keyspace.expire_due(at(now), 7) > 0 {}
            keyspace.reap(100);
            model.retain(|_, ttl| *ttl == 0 || *ttl > now);
            for key in 0..6 {
                let own: Vec<String> =
                    model.range((key, 0)..(key + 1, 0)).map(|((_, it), _)| it.to_string()).collect();
                prop_assert_eq!(fields(&keyspace, ZERO, &[key]), own);
            }
            let timed = (0..6).filter(|key| {
                model.range((*key, 0)..(*key + 1, 0)).any(|(_, ttl)| *ttl != 0)
            });
            prop_assert_eq!(keyspace.figures(ZERO, at(now)).expiring_members, timed.count());
            let first = model.values().filter(|ttl| **ttl != 0).min();
            prop_assert!(first.is_none_or(|ttl| keyspace.next_due().unwrap() <= at(*ttl)));
        }
    }
}

trait ExtractKey {
    /// Takes out the fields of a key.
    fn extract_if_key(&mut self, key: u8) -> Vec<(u8, i64)>;
}

impl ExtractKey for BTreeMap<(u8, u8), i64> {
    fn extract_if_key(&mut self, key: u8) -> Vec<(u8, i64)> {
        let own: Vec<(u8, i64)> =
            self.range((key, 0)..(key + 1, 0)).map(|((_, it), ttl)| (*it, *ttl)).collect();
        self.retain(|(other, _), _| *other != key);
        own
    }
}
