//! Encoding and decoding of whole files in memory, one thread: `cargo bench --bench rdb -- [keys]`.

#![allow(clippy::print_stdout, reason = "its purpose")]

mod jemalloc;

use ochre::base::time::UnixMillis;
use ochre::keyspace::journal::Event;
use ochre::keyspace::load::{LoadedKey, Maker};
use ochre::keyspace::value::NewString;
use ochre::keyspace::write::Lifetime;
use ochre::keyspace::{DbIndex, Keyspace};
use ochre::persistence::rdb::decode::Limits;
use ochre::persistence::rdb::{
    Facts, LoadOptions, ReadKey, SaveOptions, Sink, Versions, load, save,
};
use ochre::structures::cow_tree::End;
use ochre::types::hash::{self, Hash, NewValue};
use ochre::types::list::{List, PackLimit};
use ochre::types::set::{Set, SetLimits};
use ochre::types::sorted_set::{PackLimits, SortedSet};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: jemalloc::Jemalloc = jemalloc::Jemalloc;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const ZERO: DbIndex = DbIndex(0);
const MADE: Event = Event::generic("made");

fn limits() -> Limits {
    Limits {
        list: PackLimit::of_directive(-2),
        set: SetLimits { ints_max: 512, pack_max: 128, pack_member_max: 64 },
        hash: hash::Limits { entries: 512, bytes: 64 },
        sorted_set: PackLimits { entries: 128, value: 64 },
    }
}

/// Seven of ten keys are strings of 10 to 200 bytes, the others small collections; one in ten
/// thousand has 5,000 elements.
fn fill(keyspace: &mut Keyspace, keys: usize, large: bool) {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut writer = keyspace.writer(ZERO, NOW);
    let limits = limits();
    for number in 0..keys {
        let key = format!("key:{number:012}");
        let key = key.as_bytes();
        let elements = if large && number % 10_000 == 0 { 5000 } else { rng.usize(3..20) };
        let text = |number: usize| format!("element {number} of {elements}");
        let until = UnixMillis(NOW.0 + rng.i64(1..1_000_000_000));
        let lifetime = if number % 4 == 0 { Lifetime::Until(until) } else { Lifetime::Forever };
        match number / if large { 10_000 } else { 1 } % 10 {
            kind @ 0..7 if !large || number % 10_000 != 0 => {
                let value: String = match kind {
                    0 => number.to_string(),
                    1 | 2 => "lorem ipsum dolor sit amet ".repeat(elements / 3 + 1),
                    _ => {
                        let words = std::iter::repeat_with(|| format!("{:08x}", rng.u32(..)));
                        words.take(elements).collect::<Vec<_>>().concat()
                    }
                };
                writer.put_string(key, NewString::Bytes(value.as_bytes()), lifetime, MADE);
            }
            0..2 | 7 => {
                let made = writer.derive(|_, epochs| {
                    let mut hash = Hash::default();
                    for number in 0..elements {
                        let text = text(number);
                        let value = NewValue::Bytes(text.as_bytes());
                        let name = text.as_bytes();
                        hash.set(name, value, hash::Lifetime::Forever, limits.hash, epochs);
                    }
                    hash
                });
                writer.put(key, made, lifetime, MADE);
            }
            2..4 | 8 => {
                let made = writer.derive(|_, epochs| {
                    let mut set = SortedSet::default();
                    for number in 0..elements {
                        let score = f64::from(rng.u32(..1000));
                        set.insert(text(number).as_bytes(), score, limits.sorted_set, epochs);
                    }
                    set
                });
                writer.put(key, made, lifetime, MADE);
            }
            4..6 => {
                let mut list = List::default();
                for number in 0..elements {
                    let text = text(number);
                    list.push(End::Back, std::iter::once(text.as_bytes()), limits.list);
                }
                writer.put(key, list, lifetime, MADE);
            }
            _ => {
                let made = writer.derive(|_, epochs| {
                    let mut set = Set::default();
                    for number in 0..elements {
                        set.insert(text(number).as_bytes(), limits.set, epochs);
                    }
                    set
                });
                writer.put(key, made, lifetime, MADE);
            }
        }
    }
}

struct Keep {
    maker: Maker,
    keys: Vec<LoadedKey>,
}

impl Sink for Keep {
    fn library(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
    fn key(&mut self, read: ReadKey<'_>) -> Result<(), String> {
        self.keys.push(self.maker.key(read.key, read.value, read.deadline, 0));
        Ok(())
    }
}

fn best(mut run: impl FnMut()) -> Duration {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..3).map(|_| time(&mut run)).min().unwrap_or_default()
}

fn measure(name: &str, keys: usize, large: bool) {
    let mut keyspace = Keyspace::new(1, 42);
    fill(&mut keyspace, keys, large);
    let snapshot = keyspace.snapshot(NOW);
    let mut file = Vec::new();
    for (compresses, checksums) in [(false, false), (false, true), (true, true)] {
        let options = SaveOptions { compresses, checksums, version: 12, access: None };
        let spent = best(|| {
            file.clear();
            let saved = save(&snapshot, &Facts::default(), &options, &mut file, &mut |_| true);
            assert!(saved.is_ok(), "{saved:?}");
        });
        let bytes = file.len() / 1_000_000;
        println!("{name}: save {spent:?}, {bytes} MB, LZF {compresses}, CRC {checksums}");
        let options = LoadOptions {
            limits: limits(),
            checks: true,
            versions: Versions::default(),
            size: None,
        };
        let mut last = Vec::new();
        let spent = best(|| {
            last = Vec::new();
            let mut epochs = keyspace.maker();
            let mut sink = Keep { maker: keyspace.maker(), keys: Vec::new() };
            let loaded = load(&mut &file[..], &options, epochs.epochs(), &mut sink);
            assert!(loaded.is_ok(), "{loaded:?}");
            last = sink.keys;
        });
        println!("{name}: decode {spent:?}");
        let start = Instant::now();
        let mut target = Keyspace::new(1, 42);
        let mut writer = target.writer(ZERO, NOW);
        for key in last {
            assert!(writer.load(key).is_ok(), "keys differ");
        }
        println!("{name}: insert {:?}", start.elapsed());
    }
}

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let keys = words.next().and_then(|word| word.parse().ok()).unwrap_or(1_000_000);
    measure("small values", keys, false);
    measure("with large values", keys, true);
}
