//! Sketches against the layout and the estimates of Redis.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::structures::fuzz;
use proptest::prelude::*;
use std::collections::BTreeMap;

const MAX: usize = 3000;

fn sketch(elements: &[&[u8]]) -> Vec<u8> {
    let mut bytes = empty();
    for element in elements {
        add(&mut bytes, element, MAX).unwrap();
    }
    bytes
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn numbered(count: u32) -> Vec<u8> {
    let mut bytes = empty();
    for number in 0..count {
        add(&mut bytes, format!("element:{number}").as_bytes(), MAX).unwrap();
    }
    bytes
}

#[test]
fn bytes_are_those_of_the_reference() {
    let ten = "48594c4c0100000000000000000000804\
        48e80453b8441ed88441b80407c904501804ab38440728058dc80444f84424d";
    assert_eq!(numbered(10), unhex(ten));
    // (elements, bytes, estimate, XXH3 of the string), seen on Redis 8.0.6.
    let seen = [
        (1, 21, 1, 0x3845_09d8_2e83_8532),
        (10, 48, 10, 0x8681_3520_8c81_8e2c),
        (500, 1050, 502, 0x97de_48c2_3055_ca3a),
        (1000, 1897, 997, 0x1bf8_7987_b114_7db4),
        (5000, 12_304, 5005, 0x827e_4e00_7710_20a1),
        (100_000, 12_304, 100_039, 0x277d_234d_1d6b_d8eb),
    ];
    for (elements, len, estimate, digest) in seen {
        let bytes = numbered(elements);
        assert_eq!(bytes.len(), len, "{elements}");
        assert_eq!(count(&bytes), Ok(estimate), "{elements}");
        assert_eq!(xxhash_rust::xxh3::xxh3_64(&bytes), digest, "{elements}");
    }
}

#[test]
fn a_dense_sketch_is_the_sparse_one_unpacked() {
    let mut bytes = sketch(&[b"a", b"b", b"c"]);
    let (sparse, runs) = (bytes.clone(), describe(&bytes).unwrap().unwrap());
    assert_eq!(to_dense(&mut bytes), Ok(true));
    assert_eq!(to_dense(&mut bytes), Ok(false));
    assert_eq!(encoding(&bytes), Ok(Encoding::Dense));
    assert_eq!(describe(&bytes), Ok(None));
    assert_eq!(count(&bytes), Ok(3));
    let (mut of_sparse, mut of_dense) = (Registers::new(), Registers::new());
    of_sparse.absorb(&sparse).unwrap();
    of_dense.absorb(&bytes).unwrap();
    assert_eq!(of_sparse.ranks(), of_dense.ranks());
    assert!(runs.starts_with("Z:") && runs.contains(" v:"), "{runs}");
    let total: usize = runs
        .split(' ')
        .map(|run| run[2..].rsplit(',').next().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(total, REGISTERS);
}

#[test]
fn strangers_are_told_from_the_corrupt() {
    let good = sketch(&[b"a"]);
    for bytes in [
        &b""[..],
        b"HYLL",
        &good[..15],
        b"HYLX\x01..................",
        b"HYLL\x02....................",
    ] {
        assert_eq!(encoding(bytes), Err(HllError::NotHll));
        assert_eq!(count(bytes), Err(HllError::NotHll));
        assert_eq!(add(&mut bytes.to_vec(), b"a", MAX), Err(HllError::NotHll));
    }
    let mut short_dense = good.clone();
    to_dense(&mut short_dense).unwrap();
    short_dense.pop();
    assert_eq!(encoding(&short_dense), Err(HllError::NotHll));

    // One register too many, one run missing, half of a run.
    let longer = [&good[..], b"\x00"].concat();
    for bytes in [&longer[..], &good[..good.len() - 2], &good[..good.len() - 1], &good[..16]] {
        assert_eq!(encoding(bytes), Ok(Encoding::Sparse));
        assert_eq!(count(bytes), Err(HllError::Corrupt));
        assert_eq!(to_dense(&mut bytes.to_vec()), Err(HllError::Corrupt));
        assert_eq!(Registers::new().absorb(bytes), Err(HllError::Corrupt));
    }
    assert_eq!(add(&mut good[..16].to_vec(), b"a", MAX), Err(HllError::Corrupt));
}

#[test]
fn a_rank_beyond_the_runs_makes_it_dense() {
    let mut bytes = empty();
    assert_eq!(raise(&mut bytes, 5, 32, MAX), Ok(true));
    assert_eq!(encoding(&bytes), Ok(Encoding::Sparse));
    assert_eq!(raise(&mut bytes, 5, 32, MAX), Ok(false));
    assert_eq!(raise(&mut bytes, 5, 33, MAX), Ok(true));
    assert_eq!(encoding(&bytes), Ok(Encoding::Dense));
    assert_eq!(read_dense(&bytes[HEADER..], 5), 33);
}

#[test]
fn the_machinery_passes_its_own_test() {
    assert_eq!(self_test(1), Ok(()));
}

#[test]
fn the_cache_knows_when_it_is_out_of_date() {
    let mut bytes = empty();
    assert_eq!(cached_count(&bytes), Ok(Some(0)));
    add(&mut bytes, b"a", MAX).unwrap();
    assert_eq!(cached_count(&bytes), Ok(None));
    store_count(&mut bytes, 1).unwrap();
    assert_eq!(cached_count(&bytes), Ok(Some(1)));
    add(&mut bytes, b"a", MAX).unwrap();
    assert_eq!(cached_count(&bytes), Ok(Some(1)));
    assert_eq!(add_dense(&mut bytes, b"b"), None);
    to_dense(&mut bytes).unwrap();
    assert_eq!(cached_count(&bytes), Ok(Some(1)));
    assert_eq!(add_dense(&mut bytes, b"b"), Some(true));
    assert_eq!(cached_count(&bytes), Ok(None));
}

#[test]
fn a_dense_sketch_tells_what_it_holds() {
    let mut bytes = empty();
    add(&mut bytes, b"a", MAX).unwrap();
    assert_eq!(holds_dense(&bytes, b"a"), None);
    to_dense(&mut bytes).unwrap();
    assert_eq!(holds_dense(&bytes, b"a"), Some(true));
    for element in 0..1000_u32 {
        let element = element.to_le_bytes();
        let holds = holds_dense(&bytes, &element).unwrap();
        assert_eq!(add_dense(&mut bytes, &element), Some(!holds));
        assert_eq!(holds_dense(&bytes, &element), Some(true));
    }
}

proptest! {
    #[test]
    fn registers_agree_with_a_map(
        raises in prop::collection::vec((prop_oneof![0..40_usize, 16_370..REGISTERS], 1..36_u8), 0..150),
        max_bytes in prop::sample::select(vec![0_usize, 30, 60, MAX]),
    ) {
        let (mut bytes, mut model) = (empty(), BTreeMap::new());
        for (register, rank) in raises {
            let old = model.entry(register).or_insert(0);
            prop_assert_eq!(raise(&mut bytes, register, rank, max_bytes), Ok(*old < rank));
            *old = rank.max(*old);
            let mut found = Registers::new();
            found.absorb(&bytes).unwrap();
            let all = found.ranks().iter().enumerate().filter(|(_, rank)| **rank > 0);
            let expected = model.iter().map(|(register, rank)| (*register, rank));
            prop_assert!(all.eq(expected));
            prop_assert!(encoding(&bytes) == Ok(Encoding::Dense) || bytes.len() <= max_bytes.max(18));
        }
    }

    #[test]
    fn foreign_bytes_are_survived(
        runs in prop::collection::vec(any::<u8>(), 0..100),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 0..3),
        elements in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..30),
    ) {
        fuzz::hyperloglog(&runs);
        fuzz::hyperloglog(&[&empty()[..HEADER], &runs].concat());
        let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
        let mut bytes = sketch(&elements);
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        fuzz::hyperloglog(&bytes);
    }
}
