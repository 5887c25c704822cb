//! Entry points for fuzzing: foreign bytes in, assertions inside. Run briefly as property tests on
//! every change, longer by a fuzzer.

use super::hyperloglog::{self, Registers};
use super::intset::IntSet;
use super::listpack::{Item, ListPack};

/// A listpack either is refused or can be read from both ends and changed.
///
/// # Panics
/// When that doesn't hold.
pub fn listpack(bytes: &[u8]) {
    let Ok(mut pack) = ListPack::from_bytes(bytes.to_vec()) else { return };
    let forward = pack.iter().count();
    assert_eq!(forward, pack.iter().rev().count());
    assert_eq!(forward, pack.len());
    let texts: Vec<_> = pack.iter().map(|item| item.to_vec()).collect();
    for text in texts.iter().take(8) {
        let at = pack.find(pack.first().unwrap_or(pack.end()), text, 0);
        assert!(at.and_then(|at| pack.item(at)).is_some_and(|item| item.is(text)));
    }
    pack.push_front(Item::Int(-1));
    pack.push_back(Item::text(bytes));
    assert_eq!(pack.len(), forward + 2);
    assert!(ListPack::from_bytes(pack.as_bytes().to_vec()).is_ok());
}

/// An intset either is refused or is sorted and can be changed.
///
/// # Panics
/// When that doesn't hold.
pub fn intset(bytes: &[u8]) {
    let Ok(mut set) = IntSet::from_bytes(bytes.to_vec()) else { return };
    assert!(set.iter().is_sorted());
    assert!(set.iter().all(|value| set.contains(value)));
    let added = [set.insert(i64::MIN), set.insert(i64::MAX)];
    assert_eq!(added[0], set.remove(i64::MIN) && added[0]);
    assert!(IntSet::from_bytes(set.as_bytes().to_vec()).is_ok());
}

/// A sketch either is refused or can be counted, changed, merged and made dense.
///
/// # Panics
/// When that doesn't hold.
pub fn hyperloglog(bytes: &[u8]) {
    let mut changed = bytes.to_vec();
    let added = hyperloglog::add(&mut changed, b"element", 3000);
    if hyperloglog::count(bytes).is_err() {
        assert!(Registers::new().absorb(bytes).is_err());
        assert!(hyperloglog::describe(bytes).is_err());
        return;
    }
    assert!(added.is_ok());
    let mut registers = Registers::new();
    assert!(registers.absorb(bytes).is_ok() && registers.absorb(&changed).is_ok());
    assert_eq!(hyperloglog::count(&changed), Ok(registers.count()));
    let mut merged = hyperloglog::empty();
    assert!(registers.store(&mut merged, 3000).is_ok());
    assert_eq!(hyperloglog::count(&merged), Ok(registers.count()));
    assert!(hyperloglog::to_dense(&mut changed).is_ok());
    assert_eq!(hyperloglog::count(&changed), Ok(registers.count()));
}
