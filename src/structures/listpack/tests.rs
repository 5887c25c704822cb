//! Listpacks against a plain vector of entries, and against bytes that are no listpack.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::structures::fuzz;
use proptest::prelude::*;

/// DUMP of a list of `TEXTS` on Redis 8.0.6, the listpack inside of it.
const REFERENCE: &str = "\
    0d0100001a0000017f01c08002dfff02d00002cfff02f1001003f1ffef03f1ff7f03f1008003f200800004f2ff\
    ff7f04f200008004f30000800005f3ffffff7f05f30000008005f4000000800000000009f4ffffffffffffff7f\
    09f4000000000000008009933932323333373230333638353437373538303814822d3003833030370480018161\
    02bf78787878787878787878787878787878787878787878787878787878787878787878787878787878787878\
    787878787878787878787878787878787878787840e04079797979797979797979797979797979797979797979\
    79797979797979797979797979797979797979797979797979797979797979797979797979797979797942ff";

fn texts() -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = "0 127 128 -1 -4096 4095 4096 -4097 32767 -32768 32768 8388607 \
        -8388608 8388608 2147483647 -2147483648 2147483648 9223372036854775807 \
        -9223372036854775808 9223372036854775808 -0 007"
        .split_whitespace()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    texts.extend([b"".to_vec(), b"a".to_vec(), vec![b'x'; 63], vec![b'y'; 64]]);
    texts
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn pack(texts: &[&str]) -> ListPack {
    texts.iter().map(|text| Item::text(text.as_bytes())).collect()
}

#[track_caller]
fn check_is(pack: &ListPack, expected: &[Vec<u8>]) {
    let forward: Vec<_> = pack.iter().map(|item| item.to_vec()).collect();
    assert_eq!(forward, expected);
    let mut backward: Vec<_> = pack.iter().rev().map(|item| item.to_vec()).collect();
    backward.reverse();
    assert_eq!(backward, expected);
    assert_eq!(pack.len(), expected.len());
    assert_eq!(check(pack.as_bytes()), Ok(()));
    check_thin(pack);
}

#[track_caller]
fn check_thin(pack: &ListPack) {
    let mut thin = vec![0; pack.byte_len()];
    let len = pack.write_thin(&mut thin);
    assert!(len + HEADER + 1 + pack.len() <= pack.byte_len());
    assert_eq!(&ListPack::of_thin(&thin[..len]), pack);
}

#[test]
fn thin_form_comes_back() {
    check_thin(&ListPack::new());
    let texts = texts();
    let mut made: ListPack = texts.iter().map(|text| Item::text(text)).collect();
    check_thin(&made);
    for len in [125, 126, 127, 128, 4095, 4096, 16_380, 16_390] {
        made.push_back(Item::Bytes(&vec![b'z'; len]));
        check_thin(&made);
    }
}

#[test]
fn bytes_are_those_of_the_reference() {
    let texts = texts();
    let made: ListPack = texts.iter().map(|text| Item::text(text)).collect();
    assert_eq!(made.as_bytes(), unhex(REFERENCE));
    check_is(&made, &texts);
    let read = ListPack::from_bytes(unhex(REFERENCE)).unwrap();
    check_is(&read, &texts);
}

#[test]
fn back_lengths_widen_where_the_reference_widens_them() {
    // (bytes of the element, last bytes of the pack before the end), seen in DUMPs of Redis 8.0.6.
    let seen: [(usize, &[u8]); 7] = [
        (125, b"z\x7f"),
        (126, b"z\x01\x80"),
        (4095, b"z\x20\x81"),
        (4096, b"z\x20\x85"),
        (16_377, b"z\x7f\xfe"),
        (16_378, b"z\x00\xff\xff"),
        (16_379, b"z\x01\x80\x80"),
    ];
    for (len, tail) in seen {
        let text = vec![b'z'; len];
        let pack: ListPack = [Item::text(&text)].into_iter().collect();
        let bytes = pack.as_bytes();
        assert!(bytes[..bytes.len() - 1].ends_with(tail), "{len}");
        check_is(&pack, &[text]);
    }
    for len in [2_097_145, 2_097_146, 2_097_147, 268_435_449, 268_435_450] {
        let text = vec![b'z'; len];
        let pack: ListPack = [Item::text(&text), Item::Int(1)].into_iter().collect();
        assert_eq!(check(pack.as_bytes()), Ok(()));
        assert_eq!(pack.iter().rev().nth(1), Some(Item::Bytes(&text)));
    }
}

#[test]
fn the_count_is_found_again_when_the_header_cannot_hold_it() {
    let mut pack = ListPack::new();
    for _ in 0..65_534 {
        pack.push_back(Item::Int(1));
    }
    assert_eq!(pack.as_bytes()[4..6], 65_534_u16.to_le_bytes());
    for _ in 0..10 {
        pack.push_back(Item::Int(2));
    }
    assert_eq!(pack.as_bytes()[4..6], [0xff, 0xff]);
    assert_eq!(pack.len(), 65_544);
    assert_eq!(pack.item(pack.nth(65_535).unwrap()), Some(Item::Int(2)));
    let more = pack.clone();
    pack.append(&more);
    assert_eq!(pack.len(), 2 * 65_544);
    assert_eq!(pack.remove_many(pack.first().unwrap(), 131_000), 131_000);
    assert_eq!(pack.as_bytes()[4..6], 88_u16.to_le_bytes());
    assert_eq!(pack.len(), 88);
}

#[test]
fn pairs_and_finding_skip_what_is_not_asked() {
    let pack = pack(&["a", "b", "b", "c", "7", "a", "odd"]);
    assert_eq!(pack.pairs().count(), 3);
    assert_eq!(pack.pair(pack.find_pair(b"b").unwrap()).unwrap().1, Item::Bytes(b"c"));
    assert_eq!(pack.pair(pack.find_pair(b"7").unwrap()).unwrap().1, Item::Bytes(b"a"));
    assert_eq!(pack.find_pair(b"c"), None);
    assert_eq!(pack.find_pair(b"07"), None);
    assert_eq!(pack.find(pack.first().unwrap(), b"7", 0), pack.nth(4));
    assert_eq!(pack.find(pack.nth(1).unwrap(), b"a", 0), pack.nth(5));
    assert_eq!(pack.find(pack.first().unwrap(), b"c", 2), pack.nth(3));
    assert_eq!(pack.find(pack.end(), b"a", 0), None);
}

#[test]
fn an_integer_spelled_in_bytes_is_still_found() {
    // Other writers may not convert; this is "5" as bytes, then 5 in 64 bits.
    let bytes = unhex("14000000 0200 8135 02 f40500000000000000 09 ff");
    let pack = ListPack::from_bytes(bytes).unwrap();
    assert_eq!(pack.find(pack.first().unwrap(), b"5", 0), pack.first());
    assert!(pack.iter().all(|item| item.is(b"5") && item.as_int() == Some(5)));
}

#[test]
fn positions_count_from_either_end() {
    let pack = pack(&["a", "b", "c", "d", "e"]);
    for index in 0..5 {
        assert_eq!(pack.nth(index), pack.nth_back(4 - index));
        assert_eq!(pack.forward(pack.first().unwrap(), index), pack.nth(index));
    }
    assert_eq!(pack.nth(5), None);
    assert_eq!(pack.nth_back(5), None);
    assert_eq!(pack.next(pack.last().unwrap()), None);
    assert_eq!(pack.prev(pack.first().unwrap()), None);
    assert_eq!(pack.prev(pack.end()), pack.last());
    assert_eq!(pack.iter_until(pack.nth(2).unwrap()).next_back(), Some(Item::Bytes(b"b")));
    assert_eq!(ListPack::new().last(), None);
    assert_eq!(ListPack::new().item(ListPack::new().end()), None);
}

#[test]
fn small_packs_take_what_the_allocator_hands_out_anyway() {
    let mut pack = ListPack::new();
    for value in 0..200 {
        pack.push_back(Item::Int(value));
        assert_eq!(pack.heap_bytes(), size_class(pack.heap_bytes()));
        assert!(pack.heap_bytes() <= (pack.byte_len() * 5 / 4).max(pack.byte_len() + 7));
    }
    while let Some(at) = pack.first() {
        pack.remove(at);
        assert!(pack.heap_bytes() <= (2 * pack.byte_len()).max(SHRINK_MIN));
    }
}

#[test]
fn corruption_is_found_where_it_is() {
    let good = pack(&["a", "1000", "c"]).as_bytes().to_vec();
    let check_at = |bytes: &[u8], at| assert_eq!(check(bytes), Err(Corrupt { at }), "{bytes:x?}");
    check_at(b"", 0);
    check_at(&good[..5], 5);
    check_at(&good[..good.len() - 1], 0);
    let with = |at: usize, byte: u8, expected: usize| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        check_at(&bytes, expected);
    };
    with(4, 2, 4);
    with(6, 0xf5, 6);
    with(6, 0x90, 6);
    with(8, 3, 8);
    with(9, 0xff, 9);
    with(good.len() - 1, 0, good.len() - 1);
    // "Count them" is believed.
    let mut unknown = good.clone();
    unknown[4..6].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(ListPack::from_bytes(unknown).unwrap().len(), 3);
}

#[derive(Clone, Debug)]
enum Op {
    PushFront(Vec<u8>),
    PushBack(Vec<u8>),
    PushPair(Vec<u8>, Vec<u8>),
    Insert(usize, Vec<u8>),
    InsertAfter(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    ReplaceMany(usize, usize, Vec<Vec<u8>>),
    Remove(usize),
    RemoveMany(usize, usize),
    Retain(u8),
    Split(usize, bool),
    Find(usize, Vec<u8>, usize),
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (-20_i64..200).prop_map(|value| value.to_string().into_bytes()),
        2 => any::<i64>().prop_flat_map(|value| {
            (0_u32..64).prop_map(move |bits| (value >> bits).to_string().into_bytes())
        }),
        3 => prop::collection::vec(b'a'..b'd', 0..3),
        2 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (60_usize..130).prop_map(|len| vec![b'm'; len]),
        1 => prop_oneof![4_000_usize..4_200, 16_370_usize..16_400].prop_map(|len| vec![b'l'; len]),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let n = 0..30_usize;
    prop_oneof![
        text().prop_map(Op::PushFront),
        text().prop_map(Op::PushBack),
        (text(), text()).prop_map(|(first, second)| Op::PushPair(first, second)),
        (n.clone(), text()).prop_map(|(at, text)| Op::Insert(at, text)),
        (n.clone(), text()).prop_map(|(at, text)| Op::InsertAfter(at, text)),
        (n.clone(), text()).prop_map(|(at, text)| Op::Replace(at, text)),
        (n.clone(), 0..4_usize, prop::collection::vec(text(), 0..4))
            .prop_map(|(at, count, texts)| Op::ReplaceMany(at, count, texts)),
        n.clone().prop_map(Op::Remove),
        (n.clone(), 0..5_usize).prop_map(|(at, count)| Op::RemoveMany(at, count)),
        any::<u8>().prop_map(Op::Retain),
        (n.clone(), any::<bool>()).prop_map(|(at, swap)| Op::Split(at, swap)),
        (n, text(), 0..3_usize).prop_map(|(at, text, skip)| Op::Find(at, text, skip)),
    ]
}

fn items(texts: &[Vec<u8>]) -> Vec<Item<'_>> {
    texts.iter().map(|text| Item::text(text)).collect()
}

/// Applies `op` to both and compares what it returns.
fn apply(real: &mut ListPack, model: &mut Vec<Vec<u8>>, op: Op) {
    let len = model.len();
    let at = |index: usize| real.nth(index.min(len)).unwrap_or(real.end());
    match op {
        Op::PushFront(text) => {
            real.push_front(Item::text(&text));
            model.insert(0, text);
        }
        Op::PushBack(text) => {
            real.push_back(Item::text(&text));
            model.push(text);
        }
        Op::PushPair(first, second) => {
            real.push_pair(Item::text(&first), Item::text(&second));
            model.extend([first, second]);
        }
        Op::Insert(index, text) => {
            real.insert(at(index), &[Item::text(&text)]);
            model.insert(index.min(len), text);
        }
        Op::InsertAfter(index, text) => {
            let made = real.insert_after(at(index), &[Item::text(&text)]);
            assert!(real.item(made).unwrap().is(&text));
            model.insert((index + 1).min(len), text);
        }
        Op::Replace(index, text) => {
            real.replace(at(index), Item::text(&text));
            model.splice(index.min(len)..(index + 1).min(len), [text]);
        }
        Op::ReplaceMany(index, count, texts) => {
            real.replace_many(at(index), count, &items(&texts));
            model.splice(index.min(len)..(index + count).min(len), texts);
        }
        Op::Remove(index) => {
            real.remove(at(index));
            model.drain(index.min(len)..(index + 1).min(len));
        }
        Op::RemoveMany(index, count) => {
            let removed = real.remove_many(at(index), count);
            assert_eq!(removed, model.drain(index.min(len)..(index + count).min(len)).count());
        }
        Op::Retain(bound) => {
            let keep = |text: &[u8]| text.first().is_none_or(|first| *first < bound);
            let removed = real.retain(|item| keep(&item.to_vec()));
            model.retain(|text| keep(text));
            assert_eq!(removed, len - model.len());
        }
        Op::Split(index, swap) => {
            let mut tail = real.split_off(at(index));
            let model_tail = model.split_off(index.min(len));
            check_is(&tail, &model_tail);
            if swap {
                tail.append(real);
                *real = tail;
                model.splice(0..0, model_tail);
            } else {
                tail.prepend(real);
                *real = tail;
                model.extend(model_tail);
            }
        }
        Op::Find(index, text, skip) => {
            let found = real.find(at(index), &text, skip);
            let mut steps = (index.min(len)..len).step_by(skip + 1);
            let expected = steps.find(|index| model[*index] == text);
            assert_eq!(found, expected.and_then(|index| real.nth(index)));
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_vec(ops in prop::collection::vec(op(), 0..60)) {
        let (mut real, mut model) = (ListPack::new(), Vec::new());
        for op in ops {
            apply(&mut real, &mut model, op);
            check_is(&real, &model);
            let len = model.len();
            prop_assert_eq!(real.pairs().count(), len / 2);
            let last = real.pairs().next_back().map(|(first, second)| [first.to_vec(), second.to_vec()]);
            let expected = (len > 1).then(|| [model[len - 2].clone(), model[len - 1].clone()]);
            prop_assert_eq!(last, expected);
        }
    }

    #[test]
    fn foreign_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::listpack(&bytes);
    }

    #[test]
    fn damaged_packs_are_survived(
        texts in prop::collection::vec(text(), 0..20),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        let pack: ListPack = texts.iter().map(|text| Item::text(text)).collect();
        let mut bytes = pack.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        fuzz::listpack(&bytes);
    }
}
