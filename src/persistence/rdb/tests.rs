//! What is saved comes back, and what is damaged is refused: over values of every kind, on both
//! sides of every threshold.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::decode::Limits;
use super::*;
use crate::base::crc64;
use crate::base::time::UnixMillis;
use crate::keyspace::journal::Event;
use crate::keyspace::load::LoadedValue;
use crate::keyspace::snapshot::KeyspaceSnapshot;
use crate::keyspace::value::{NewString, StringRef, ValueRef};
use crate::keyspace::write::{Lifetime, PastUse};
use crate::keyspace::{DbIndex, Keyspace};
use crate::structures::access_clock::AccessPolicy;
use crate::structures::cow_tree::End;
use crate::structures::epoch::Epochs;
use crate::structures::listpack::Item;
use crate::structures::member_deadlines::MemberDeadlines;
use crate::types::hash::{self, Hash, NewValue};
use crate::types::list::{List, PackLimit};
use crate::types::set::{Set, SetLimits};
use crate::types::sorted_set::{PackLimits, SortedSet};
use crate::types::stream::Stream;
use crate::types::stream::group::Group;
use crate::types::stream::id::Id;
use crate::types::stream::idempotence::{Idempotence, Window};
use crate::types::stream::node::NodeLimits;
use crate::types::timed::Companioned;
use proptest::prelude::*;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
const EVENT: Event = Event::generic("test");

fn limits() -> Limits {
    Limits {
        list: PackLimit::of_directive(8).with_depth(1),
        set: SetLimits { ints_max: 6, pack_max: 5, pack_member_max: 20 },
        hash: hash::Limits { entries: 5, bytes: 20 },
        sorted_set: PackLimits { entries: 5, value: 20 },
    }
}

/// Texts of every form: short and long integers, compressible, not compressible.
fn text(number: usize, longest: usize) -> Vec<u8> {
    let noise = number.wrapping_mul(0x9e37_79b9) % 0xffff;
    match number % 6 {
        0 => format!("{}", number * 3).into_bytes(),
        1 => format!("-{}", 40_000 * (number + 1)).into_bytes(),
        2 => format!("{}", 5_000_000_000 + number).into_bytes(),
        3 => format!("m{number}").into_bytes(),
        4 => format!("{number}{}", "ab".repeat(longest)).into_bytes(),
        _ => format!("{number}-{noise:x}-{:x}", noise * 7919).into_bytes(),
    }
}

fn list(count: usize, longest: usize) -> List {
    let mut list = List::default();
    for number in 0..count {
        let element = text(number, longest);
        list.push(End::Back, std::iter::once(&element[..]), limits().list);
    }
    list
}

fn set(count: usize, longest: usize, epochs: &mut Epochs) -> Set {
    let mut set = Set::default();
    for number in 0..count {
        let member = if longest == 0 { number.to_string().into() } else { text(number, longest) };
        set.insert(&member, limits().set, epochs);
    }
    set
}

/// Gives every other member a deadline.
fn date(set: &mut impl Companioned, members: &[Vec<u8>], epochs: &Epochs) {
    for (number, member) in (0..).zip(members).step_by(2) {
        assert!(set.set_deadline(member, Some(UnixMillis(NOW.0 + 1000 + number)), epochs));
    }
}

/// Members and their deadlines.
fn ends(set: &impl Companioned) -> String {
    let timed = set.deadlines().into_iter().flat_map(MemberDeadlines::iter);
    let mut ends: Vec<_> =
        timed.map(|(member, at)| format!("{} {at}", member.escape_ascii())).collect();
    ends.sort();
    ends.join(" ")
}

fn hash(count: usize, longest: usize, timed: usize, epochs: &mut Epochs) -> Hash {
    let mut hash = Hash::default();
    for number in 0..count {
        let lifetime = if number < timed {
            hash::Lifetime::Until(UnixMillis(NOW.0 + 1000 - i64::try_from(number).unwrap()))
        } else {
            hash::Lifetime::Forever
        };
        let (name, value) = (text(number, longest), text(number * 7, longest));
        hash.set(&name, NewValue::Bytes(&value), lifetime, limits().hash, epochs);
    }
    hash
}

fn sorted_set(count: usize, longest: usize, epochs: &mut Epochs) -> SortedSet {
    let mut set = SortedSet::default();
    for number in 0..count {
        let score = match number {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            2 => 0.1,
            _ => f64::from(u32::try_from(number / 3).unwrap()),
        };
        set.insert(&text(number, longest), score, limits().sorted_set, epochs);
    }
    set
}

fn stream(count: usize, longest: usize, groups: usize) -> Stream {
    let mut stream = Stream::default();
    stream.establish();
    let body = stream.body_mut();
    let id = |number: usize| Id::new(u64::try_from(number / 2 + 1).unwrap(), (number % 2) as u64);
    for number in 0..count {
        let (name, value) = (text(number / 3, 1), text(number, longest));
        let fields = [&name[..], &value, b"last", b"1"];
        let limits = NodeLimits::of_directives(0, 4);
        body.log.add(id(number), fields.into_iter(), limits).unwrap();
    }
    (0..count / 5).for_each(|number| assert!(body.log.delete(id(number * 4))));
    for number in 0..groups {
        let mut group = Group::new(id(count), (number % 2 == 0).then_some(3));
        let (one, _) = group.enroll(b"one", NOW.0);
        group.note_seen(b"one", NOW.0 + 5, true);
        group.enroll(b"idle", NOW.0 - 7);
        for entry in 0..count {
            group.assign(id(entry), &one, NOW.0 - 1, u64::try_from(entry).unwrap());
        }
        // The later is released first: their order must come back.
        for entry in (0..count / 2).rev() {
            group.release(id(entry), 2);
        }
        body.groups.insert(crate::types::stream::group::Name::new(&text(number, 3)), group);
    }
    if groups > 1 {
        let window = Window { duration_s: 60, names_max: 10 };
        let mut known = Idempotence::new(window);
        known.remember(b"producer", b"name", Id::new(1, 1), 1);
        known.remember(b"producer", b"other", Id::new(1, 2), 1);
        known.note_repeated();
        body.idempotence = Some(Box::new(known));
    }
    stream
}

/// A data set with values of every kind, of `count` elements each.
fn sample(count: usize, longest: usize) -> Keyspace {
    let mut keyspace = Keyspace::new(16, 7);
    for (db, lifetime) in [(0, Lifetime::Forever), (9, Lifetime::Until(UnixMillis(NOW.0 + 7)))] {
        let mut writer = keyspace.writer(DbIndex(db), NOW);
        for number in 0..count {
            let (key, value) = (text(number, 3), text(number * 5, longest));
            writer.put_string(&key, NewString::Bytes(&value), lifetime, EVENT);
        }
        writer.put(b"list", list(count, longest), lifetime, EVENT);
        let set_of_ints = writer.derive(|_, epochs| set(count, 0, epochs));
        writer.put(b"ints", set_of_ints, lifetime, EVENT);
        let plain = writer.derive(|_, epochs| set(count, longest, epochs));
        writer.put(b"set", plain, lifetime, EVENT);
        let timed = writer.derive(|_, epochs| {
            let mut timed = set(count, longest, epochs);
            let members: Vec<_> = timed.iter().map(|member| member.to_vec()).collect();
            date(&mut timed, &members, epochs);
            timed
        });
        writer.put(b"timed set", timed, lifetime, EVENT);
        for (name, timed) in [(&b"hash"[..], 0), (b"timed", count / 2), (b"all", count)] {
            let hash = writer.derive(|_, epochs| hash(count, longest, timed, epochs));
            writer.put(name, hash, lifetime, EVENT);
        }
        let sorted = writer.derive(|_, epochs| sorted_set(count, longest, epochs));
        writer.put(b"sorted", sorted, lifetime, EVENT);
        let timed = writer.derive(|_, epochs| {
            let mut timed = sorted_set(count, longest, epochs);
            let members: Vec<_> = timed.iter().map(|element| element.member.to_vec()).collect();
            date(&mut timed, &members, epochs);
            timed
        });
        writer.put(b"timed sorted", timed, lifetime, EVENT);
        for groups in 0..3 {
            let key = format!("stream{groups}");
            writer.put(key.as_bytes(), stream(count, longest, groups), lifetime, EVENT);
        }
    }
    keyspace
}

fn file_of(snapshot: &KeyspaceSnapshot, version: u32, compresses: bool) -> Vec<u8> {
    let access = Some(AccessPolicy::Lru);
    let options = SaveOptions { compresses, checksums: true, version, access };
    let facts = Facts { aux: vec![("fact", "7".into())], libraries: vec![b"library".to_vec()] };
    let mut file = Vec::new();
    save(snapshot, &facts, &options, &mut file, &mut |_| true).unwrap();
    file
}

/// Puts keys into a keyspace, as a server does at start.
struct Into<'k> {
    keyspace: &'k mut Keyspace,
    maker: crate::keyspace::load::Maker,
    aux: Vec<(Vec<u8>, Vec<u8>)>,
    libraries: Vec<Vec<u8>>,
    empty: Vec<Vec<u8>>,
}

impl Sink for Into<'_> {
    fn empty_key(&mut self, key: &[u8]) {
        self.empty.push(key.to_vec());
    }
    fn aux(&mut self, name: &[u8], value: &[u8]) -> Result<(), String> {
        self.aux.push((name.to_vec(), value.to_vec()));
        Ok(())
    }
    fn library(&mut self, text: &[u8]) -> Result<(), String> {
        self.libraries.push(text.to_vec());
        Ok(())
    }
    fn key(&mut self, read: ReadKey<'_>) -> Result<(), String> {
        let policy = AccessPolicy::Lru;
        let clock = match read.past {
            Some(PastUse::Idle(seconds)) => policy.idle_for(seconds, NOW),
            _ => None,
        };
        let clock = clock.unwrap_or_else(|| policy.fresh(NOW));
        let key = self.maker.key(read.key, read.value, read.deadline, clock);
        let mut writer = self.keyspace.writer(read.db, NOW);
        writer.load(key).map_err(|_| "twice".to_owned())
    }
}

fn load_into(keyspace: &mut Keyspace, file: &[u8], size: bool) -> Result<Loaded, LoadError> {
    let (maker, mut epochs) = (keyspace.maker(), keyspace.maker());
    let mut sink = Into { keyspace, maker, aux: vec![], libraries: vec![], empty: vec![] };
    let size = u64::try_from(file.len()).ok().filter(|_| size);
    let options =
        LoadOptions { limits: limits(), checks: true, versions: Versions::default(), size };
    let mut source = file;
    let loaded = load(&mut source, &options, epochs.epochs(), &mut sink)?;
    assert_eq!(sink.libraries, [b"library".to_vec()]);
    assert_eq!(sink.aux, [(b"fact".to_vec(), b"7".to_vec())]);
    assert_eq!(u64::try_from(sink.empty.len()), Ok(loaded.empty));
    Ok(loaded)
}

/// A value as text: encoding and content, in an order of its own.
fn shown(value: ValueRef<'_>, with_encoding: bool) -> String {
    let item = |item: Item<'_>| item.to_vec().escape_ascii().to_string();
    let (encoding, mut texts): (_, Vec<String>) = match value {
        ValueRef::String(StringRef::Int(value)) => ("int", vec![value.to_string()]),
        ValueRef::String(StringRef::Inline(text)) => ("", vec![item(Item::Bytes(text))]),
        ValueRef::String(StringRef::Shared(blob)) => ("", vec![item(Item::Bytes(blob))]),
        ValueRef::List(list) => {
            (list.encoding(), list.texts().map(|text| item(Item::Bytes(&text))).collect())
        }
        ValueRef::Set(set) => (set.encoding(), set.iter().map(item).chain([ends(set)]).collect()),
        ValueRef::SortedSet(set) => {
            let show = |it: crate::types::sorted_set::Scored<'_>| {
                format!("{} {}", it.score, item(it.member))
            };
            (set.encoding(), set.iter().map(show).chain([ends(set)]).collect())
        }
        ValueRef::Hash(hash) => {
            let show = |it: hash::Field<'_>| {
                let value = it.value.as_text(&mut itoa::Buffer::new()).escape_ascii().to_string();
                format!("{} {value} {:?}", item(it.name), it.deadline)
            };
            (hash.encoding(), hash.iter().map(show).collect())
        }
        ValueRef::Stream(stream) => {
            let names = stream.idempotence().map(|known| {
                let names: Vec<_> = known.iter().collect();
                format!("{names:?} {:?} {} {}", known.window(), known.added(), known.repeated())
            });
            ("stream", names.into_iter().collect())
        }
        ValueRef::Probe(_) => ("probe", vec![]),
    };
    if matches!(value, ValueRef::Set(_) | ValueRef::Hash(_)) {
        texts.sort();
    }
    let encoding = if with_encoding { encoding } else { "" };
    format!("{encoding} {}", texts.join(" "))
}

fn assert_same(one: &KeyspaceSnapshot, other: &KeyspaceSnapshot, with_encoding: bool) {
    assert_eq!(one.databases().collect::<Vec<_>>(), other.databases().collect::<Vec<_>>());
    // Keys of one bucket stand in the order of their arrival.
    let sorted = |snapshot: &'_ KeyspaceSnapshot, db| {
        let keys = snapshot.keys(db).map(|view| (view.key.to_vec(), view.clock, view.deadline));
        let mut keys: Vec<_> = keys.collect();
        keys.sort();
        keys
    };
    for (db, _) in one.databases() {
        assert_eq!(one.expiring(db), other.expiring(db));
        assert_eq!(sorted(one, db), sorted(other, db));
        for own in one.keys(db) {
            let other = other.keys(db).find(|other| other.key == own.key).unwrap();
            let show = |value| shown(value, with_encoding);
            let (own_value, value) = (own.value.open(), other.value.open());
            let (own_value, value) = (own_value.as_ref(), value.as_ref());
            assert_eq!(show(own_value), show(value), "{}", own.key.escape_ascii());
            if let (ValueRef::Stream(own), ValueRef::Stream(other)) = (own_value, value) {
                assert!(own == other);
            }
        }
    }
}

fn check_round(count: usize, longest: usize, version: u32, compresses: bool) {
    let snapshot = sample(count, longest).snapshot(NOW);
    let file = file_of(&snapshot, version, compresses);
    let mut loaded = Keyspace::new(16, 7);
    let end = load_into(&mut loaded, &file, compresses).unwrap();
    assert_eq!(end.bytes, u64::try_from(file.len()).unwrap());
    assert_eq!(usize::try_from(end.keys).unwrap(), loaded.len());
    let again = loaded.snapshot(NOW);
    assert_same(&snapshot, &again, true);
}

#[test]
fn everything_comes_back() {
    for count in [1, 2, 4, 5, 6, 7, 9, 40, 700] {
        for longest in [1, 9, 60] {
            check_round(count, longest, 12, count % 2 == 0);
        }
    }
    check_round(3, 200_000, 12, false);
    check_round(3, 200_000, 12, true);
}

#[test]
fn older_versions_lose_nothing_either() {
    for (count, longest) in [(1, 1), (5, 9), (6, 60), (300, 9)] {
        let mut keyspace = sample(count, longest);
        for db in [0, 9] {
            let mut writer = keyspace.writer(DbIndex(db), NOW);
            for key in [&b"timed"[..], b"all"] {
                writer.remove(key, crate::keyspace::write::Free::Now, EVENT);
            }
            // When consumers were last successful is said from version 11 on.
            for key in [&b"stream1"[..], b"stream2"] {
                writer.remove(key, crate::keyspace::write::Free::Now, EVENT);
            }
        }
        let snapshot = keyspace.snapshot(NOW);
        let mut loaded = Keyspace::new(16, 7);
        load_into(&mut loaded, &file_of(&snapshot, 10, true), true).unwrap();
        assert_same(&snapshot, &loaded.snapshot(NOW), true);
    }
}

#[test]
fn second_key_of_a_name_is_refused_with_its_offset() {
    let file = b"REDIS0003\xfe\0\0\x01a\x01x\0\x01a\x01y\xff";
    let mut keyspace = Keyspace::new(1, 7);
    let error = load_into(&mut keyspace, file, false).unwrap_err();
    assert_eq!(error.to_string(), "at byte 21: twice");
}

#[test]
fn each_refusal_names_its_reason() {
    let check = |file: &[u8], expected: &str| {
        let mut keyspace = Keyspace::new(16, 7);
        let error = load_into(&mut keyspace, file, true).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check(
        b"",
        "at byte 0: this is no RDB file: it begins with neither REDIS nor VALKEY and a version",
    );
    check(b"REDIS0012", "at byte 9: it ends in the middle of something");
    check(b"REDIS0016", "at byte 9: version 16 isn't known: neither 1 to 15 nor 80");
    check(
        b"REDIS0012\x1a\x01k",
        "at byte 12: values of type 26 (streams of Redis 8.6) aren't known",
    );
    let module = b"REDIS0012\x07\x01k\x81\x45\xe2\x52\x38\xdf\x91\x2c\x03";
    check(module, "at byte 21: value of the module type 'ReJSON-RL', which isn't known");
    check(b"REDIS0012\xf7\x00", "at byte 11: data of the module 'AAAAAAAAA', which isn't known");
    check(
        b"REDIS0012\xf6\x00",
        "at byte 10: a function in the format of a release candidate of Redis 7.0",
    );
    check(b"VALKEY080\xf3", "at byte 10: an unfinished migration of slots");
    check(b"REDIS0013\xf3", "at byte 10: metadata of modules, which aren't known");
    check(b"REDIS0012\xfe\x80\0\x01\0\0", "at byte 15: database 65536 is out of range");
    let sum =
        "at byte 18: the checksum is 0000000000000001, but that of the content is d3f4be2041dbd010";
    check(b"REDIS0012\xff\x01\0\0\0\0\0\0\0", sum);
}

#[test]
fn emptied_values_are_passed_over() {
    let file = b"REDIS0009\xfa\x04fact\x017\xf5\x07library\x02\x01s\0\x01\x01l\0\x04\x01h\0\xff\0\0\0\0\0\0\0\0";
    let mut keyspace = Keyspace::new(1, 7);
    let loaded = load_into(&mut keyspace, file, true).unwrap();
    assert_eq!((loaded.keys, loaded.empty), (0, 3));
}

/// Damaged content with the right checksum.
fn resealed(mut file: Vec<u8>) -> Vec<u8> {
    let body = file.len() - 8;
    let checksum = crc64::checksum(&file[..body]);
    file[body..].copy_from_slice(&checksum.to_le_bytes());
    file
}

/// Loads what may be damaged; what loads can be walked, saved and loaded again.
fn survive(file: &[u8]) {
    struct Any<'k>(Into<'k>);
    impl Sink for Any<'_> {
        fn library(&mut self, _: &[u8]) -> Result<(), String> {
            Ok(())
        }
        fn key(&mut self, read: ReadKey<'_>) -> Result<(), String> {
            if let LoadedValue::Other(value) = &read.value {
                assert!(!value.encoding().is_empty());
            }
            self.0.key(ReadKey { db: DbIndex(read.db.0 % 16), ..read })
        }
    }
    let mut keyspace = Keyspace::new(16, 7);
    let (maker, mut epochs) = (keyspace.maker(), keyspace.maker());
    let into =
        Into { keyspace: &mut keyspace, maker, aux: vec![], libraries: vec![], empty: vec![] };
    let options =
        LoadOptions { limits: limits(), checks: true, versions: Versions::default(), size: None };
    let mut source = file;
    if load(&mut source, &options, epochs.epochs(), &mut Any(into)).is_ok() {
        let snapshot = keyspace.snapshot(NOW);
        let again = file_of(&snapshot, 12, true);
        let mut loaded = Keyspace::new(16, 7);
        load_into(&mut loaded, &again, true).unwrap();
        assert_same(&snapshot, &loaded.snapshot(NOW), false);
    }
}

#[test]
fn every_cut_is_refused() {
    let file = file_of(&sample(4, 9).snapshot(NOW), 12, true);
    for cut in 0..file.len() {
        let mut keyspace = Keyspace::new(16, 7);
        assert!(load_into(&mut keyspace, &file[..cut], cut % 2 == 0).is_err(), "{cut}");
    }
}

#[test]
fn every_flipped_byte_is_survived() {
    for count in [2, 6] {
        let file = file_of(&sample(count, 9).snapshot(NOW), 12, count == 2);
        for at in (0..file.len() - 8).step_by(3) {
            let mut flipped = file.clone();
            flipped[at] ^= [0x01, 0x80, 0xff, 0x10][at % 4];
            survive(&resealed(flipped));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_damage_is_survived(
        count in 1usize..12,
        longest in 1usize..40,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        compresses: bool,
    ) {
        let mut file = file_of(&sample(count, longest).snapshot(NOW), 12, compresses);
        let body = file.len() - 8;
        for (at, byte) in damage {
            file[at.index(body)] = byte;
        }
        survive(&resealed(file));
    }

    #[test]
    fn values_of_any_bytes_are_survived(layout in 0u8..30, body: Vec<u8>) {
        for header in [&b"REDIS0012"[..], b"VALKEY080"] {
            let mut file = header.to_vec();
            file.extend_from_slice(&[layout, 1, b'k']);
            file.extend_from_slice(&body);
            survive(&file);
        }
    }
}

#[test]
fn versions_that_are_not_known_are_read_only_if_wanted() {
    struct Silent;
    impl Sink for Silent {
        fn library(&mut self, _: &[u8]) -> Result<(), String> {
            Ok(())
        }
        fn key(&mut self, _: ReadKey<'_>) -> Result<(), String> {
            Ok(())
        }
    }
    let read = |head: &str, layout: u8, versions: Versions| {
        let mut file = head.as_bytes().to_vec();
        file.extend_from_slice(&[0xfe, 0, layout, 1, b'k', 1, b'v', 0xff]);
        file.extend_from_slice(&[0; 8]);
        let options = LoadOptions { limits: limits(), checks: true, versions, size: None };
        load(&mut &file[..], &options, &mut Epochs::nursery(1), &mut Silent)
            .map(|loaded| loaded.keys)
            .map_err(|error| error.to_string())
    };
    for (head, known, any) in [
        ("REDIS0015", true, true),
        ("VALKEY080", true, true),
        ("REDIS0016", false, true),
        ("REDIS0079", false, true),
        ("VALKEY081", false, true),
        ("VALKEY011", false, false),
        ("REDIS0099", false, false),
    ] {
        assert_eq!(read(head, 0, Versions::Known).is_ok(), known, "{head}");
        assert_eq!(read(head, 0, Versions::Any).is_ok(), any, "{head}");
    }
    let refused = read("REDIS0016", 99, Versions::Any).unwrap_err();
    assert!(refused.ends_with("values of type 99 aren't known"), "{refused}");
}
