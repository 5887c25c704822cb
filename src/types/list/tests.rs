//! Lists against a plain deque, in each of their forms and across the thresholds between them.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::base::blob::Blob;
use proptest::prelude::*;

fn limit(value: i64) -> PackLimit {
    PackLimit::of_directive(value)
}

fn push(list: &mut List, end: End, elements: &[&[u8]], limit: PackLimit) {
    list.push(end, elements.iter().copied(), limit);
}

fn numbered(count: usize, limit: PackLimit) -> List {
    let mut list = List::default();
    for number in 0..count {
        push(&mut list, End::Back, &[format!("element:{number}").as_bytes()], limit);
    }
    list
}

#[track_caller]
fn check(list: &List, model: &[Vec<u8>]) {
    let shown = |at, towards| {
        let mut texts = Vec::new();
        list.show(at, towards, usize::MAX, |item| texts.push(item.to_vec()));
        assert_eq!(list.texts_from(at, towards).collect::<Vec<_>>(), texts);
        texts
    };
    assert_eq!(shown(0, End::Back), model);
    assert_eq!(list.len(), model.len());
    for at in [0, 1, model.len() / 2, model.len().saturating_sub(1), model.len(), model.len() + 9] {
        assert_eq!(list.element(at, |item| item.to_vec()), model.get(at).cloned());
        assert_eq!(shown(at, End::Back), model.get(at..).unwrap_or_default());
        let mut backward = shown(at, End::Front);
        backward.reverse();
        assert_eq!(backward, model[..model.len().min(at + 1)]);
    }
    let of_segments: usize = list
        .segments()
        .map(|segment| match segment {
            Segment::Pack(pack) => pack.len(),
            Segment::Plain(_) => 1,
            Segment::Compressed(compressed) => compressed.count(),
        })
        .sum();
    assert_eq!(of_segments, model.len());
    check_depth(list);
}

/// Whether what is compressed lies as deep as it must, and what lies so deep is compressed.
#[track_caller]
fn check_depth(list: &List) {
    let Some(Nodes { depth, count, .. }) = list.nodes() else { return };
    let depth = usize::try_from(depth).unwrap();
    for (at, segment) in list.segments().enumerate() {
        let is_inner = depth > 0 && (depth..count.saturating_sub(depth)).contains(&at);
        let open = match segment {
            Segment::Compressed(_) => {
                assert!(is_inner, "number {at} of {count} is compressed");
                continue;
            }
            Segment::Pack(pack) => leaf::Open::Pack(pack.into_owned()),
            Segment::Plain(text) => leaf::Open::Plain(Blob::new(text.into_owned())),
        };
        let is_worth_it = is_inner && Compressed::of(&open).is_some();
        assert!(!is_worth_it, "number {at} of {count} is not compressed");
    }
}

/// How many parts are compressed.
fn compressed(list: &List) -> usize {
    list.segments().filter(|segment| matches!(segment, Segment::Compressed(_))).count()
}

#[test]
fn encodings_change_where_the_reference_changes_them() {
    // Asked from Redis 8.0.6.
    let mut list = List::default();
    let four_kib = limit(-1);
    push(&mut list, End::Back, &[&[b'x'; 4000]], four_kib);
    assert_eq!(list.encoding(), "listpack");
    push(&mut list, End::Back, &[&[b'x'; 90]], four_kib);
    assert_eq!(list.encoding(), "quicklist");
    list.pop(End::Back, four_kib, |_| ());
    assert_eq!(list.encoding(), "quicklist");
    push(&mut list, End::Back, &[b"x"], four_kib);
    list.pop(End::Front, four_kib, |_| ());
    assert_eq!(list.encoding(), "listpack");

    let four = limit(4);
    let mut list = List::default();
    push(&mut list, End::Front, &[b"1", b"2", b"3", b"4"], four);
    assert_eq!(list.encoding(), "listpack");
    list.insert(1, b"5", four);
    assert_eq!(list.encoding(), "quicklist");
    list.remove(0, 2, four);
    assert_eq!(list.encoding(), "quicklist");
    list.remove(0, 1, four);
    assert_eq!(list.encoding(), "listpack");
}

#[test]
fn a_large_element_stands_by_itself() {
    let limit = limit(-1);
    let mut list = numbered(1000, limit);
    let large = vec![b'l'; 5000];
    list.insert(500, &large, limit);
    list.set(3, &large, limit);
    push(&mut list, End::Front, &[&large], limit);
    let plain = list.segments().filter(|segment| matches!(segment, Segment::Plain(_))).count();
    assert_eq!(plain, 3);
    assert_eq!(list.element(501, |item| item == Item::Bytes(&large)), Some(true));
    assert_eq!(list.remove_equal(End::Back, &large, 2, limit), 2);
    assert_eq!(list.element(0, |item| item.is(&large)), Some(true));
    assert_eq!(list.len(), 1000);
}

#[test]
fn segments_make_the_same_list() {
    for (count, depth) in [(0, 0), (10, 0), (5000, 0), (10, 2), (5000, 2)] {
        let limit = limit(-2).with_depth(depth);
        let list = numbered(count, limit);
        let mut read = List::default();
        for segment in list.segments() {
            read.push_segment(segment, limit);
        }
        read.settle_segments(limit);
        assert_eq!(read, list);
        assert_eq!(read.encoding(), list.encoding());
        assert_eq!(compressed(&read), compressed(&list));
        check_depth(&read);
    }
}

#[test]
fn a_clone_is_left_alone() {
    for depth in [0, 1] {
        let limit = limit(-2).with_depth(depth);
        let mut list = numbered(100_000, limit);
        let clone = list.clone();
        list.set(50_000, b"other", limit);
        list.remove(10, 60_000, limit);
        for _ in 0..1000 {
            list.pop(End::Front, limit, |_| ());
            list.pop(End::Back, limit, |_| ());
        }
        assert_eq!(clone.len(), 100_000);
        assert_eq!(clone, numbered(100_000, limit));
        assert_eq!(list.element(0, |item| item.to_vec()).unwrap(), b"element:61000");
        check_depth(&list);
        check_depth(&clone);
    }
}

#[test]
fn memory_is_near_what_elements_take() {
    let list = numbered(100_000, limit(-2));
    let entries: usize = list.texts().map(|text| Item::text(&text).packed_len()).sum();
    let all = list.memory_bytes(0);
    assert!((entries..entries * 11 / 10).contains(&all), "{all} for {entries}");
    assert!(list.memory_bytes(5).abs_diff(all) < all / 5);
    assert!((100..500).contains(&list.free_effort()));

    let packed = numbered(100_000, limit(-2).with_depth(3));
    let less = packed.memory_bytes(0);
    assert!(less < all / 2, "{less} compressed, {all} not");
    // A sample of the ends would say twice as much.
    assert!(packed.memory_bytes(5).abs_diff(less) < less / 10, "{}", packed.memory_bytes(5));
    let nodes = packed.nodes().unwrap();
    assert_eq!((nodes.depth, Some(nodes.bytes_open)), (3, list.nodes().map(|it| it.bytes_open)));
}

#[test]
fn the_depth_is_that_of_when_a_list_became_large() {
    let (flat, deep) = (limit(4), limit(4).with_depth(1));
    let word = [b'w'; 40];
    let mut list = List::default();
    (0..40).for_each(|_| push(&mut list, End::Back, &[&word], flat));
    // Becoming large with `flat`, it goes on so.
    (0..40).for_each(|_| push(&mut list, End::Back, &[&word], deep));
    list.insert(20, b"other", deep);
    assert_eq!(compressed(&list), 0);
    list.remove(1, 90, deep);
    assert_eq!(list.encoding(), "listpack");
    (0..79).for_each(|_| push(&mut list, End::Back, &[&word], deep));
    assert_eq!((list.nodes().unwrap().count, compressed(&list)), (20, 18));
    list.set(40, b"other", flat);
    list.remove_equal(End::Front, b"other", 1, flat);
    check_depth(&list);
    assert_eq!(compressed(&list), 18);
}

#[test]
fn parts_are_opened_and_compressed_as_the_ends_move() {
    let limit = limit(4).with_depth(2);
    let (word, large) = ([b'w'; 40], [b'l'; 9000]);
    let mut list = List::default();
    let mut model = Vec::new();
    for number in 0..200 {
        let text = if number % 10 == 9 { &large[..] } else { &word };
        let end = if number % 3 == 0 { End::Front } else { End::Back };
        push(&mut list, end, &[text], limit);
        model.insert(if end == End::Front { 0 } else { model.len() }, text.to_vec());
        check(&list, &model);
    }
    assert!(compressed(&list) > 40);
    for number in 0..200 {
        let (end, at) =
            if number % 3 == 0 { (End::Back, model.len() - 1) } else { (End::Front, 0) };
        assert_eq!(list.pop(end, limit, |item| item.to_vec()), Some(model.remove(at)));
        check(&list, &model);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Push(End, Vec<Vec<u8>>),
    PushMany(End, u16),
    Pop(End, u16),
    Set(usize, Vec<u8>),
    Insert(usize, Vec<u8>, u8),
    Remove(usize, usize),
    RemoveEqual(End, Vec<u8>, usize),
    Limit(i64),
    Depth(u32),
    Clone,
    Swap,
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-3_i64..10).prop_map(|value| value.to_string().into_bytes()),
        4 => prop::collection::vec(b'a'..b'd', 0..3),
        2 => (10..90_usize).prop_map(|len| vec![b'w'; len]),
        1 => prop::collection::vec(any::<u8>(), 100),
        1 => (0..3000_usize).prop_map(|len| vec![b'm'; len]),
        1 => (4000..9000_usize).prop_map(|len| vec![b'l'; len]),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Front), Just(End::Back)]
}

fn directive() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![-5_i64, -2, -1, 0, 1, 2, 3, 8, 100, i64::MIN, i64::MAX])
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (end(), prop::collection::vec(text(), 0..6)).prop_map(|(end, texts)| Op::Push(end, texts)),
        2 => (end(), 0..800_u16).prop_map(|(end, count)| Op::PushMany(end, count)),
        4 => (end(), 0..600_u16).prop_map(|(end, count)| Op::Pop(end, count)),
        3 => (any::<usize>(), text()).prop_map(|(at, text)| Op::Set(at, text)),
        4 => (any::<usize>(), text(), 1..20_u8).prop_map(|(at, text, count)| Op::Insert(at, text, count)),
        3 => (any::<usize>(), prop_oneof![0..4_usize, 0..900_usize]).prop_map(|(at, count)| Op::Remove(at, count)),
        2 => (end(), text(), 0..200_usize).prop_map(|(end, text, count)| Op::RemoveEqual(end, text, count)),
        1 => directive().prop_map(Op::Limit),
        1 => (0..4_u32).prop_map(Op::Depth),
        1 => Just(Op::Clone),
        1 => Just(Op::Swap),
    ]
}

fn apply(list: &mut List, model: &mut Vec<Vec<u8>>, limit: PackLimit, op: Op) {
    let len = model.len();
    match op {
        Op::Push(end, texts) => {
            list.push(end, texts.iter().map(Vec::as_slice), limit);
            for text in texts {
                model.insert(if end == End::Front { 0 } else { model.len() }, text);
            }
        }
        Op::PushMany(end, count) => {
            for number in 0..count {
                let text = (u32::from(number) * 1000).to_string().into_bytes();
                push(list, end, &[&text], limit);
                model.insert(if end == End::Front { 0 } else { model.len() }, text);
            }
        }
        Op::Pop(end, count) => {
            for _ in 0..count {
                let expected = match end {
                    End::Front if model.is_empty() => None,
                    End::Front => Some(model.remove(0)),
                    End::Back => model.pop(),
                };
                assert_eq!(list.pop(end, limit, |item| item.to_vec()), expected);
            }
        }
        Op::Set(at, text) => {
            let at = at % (len + 1);
            assert_eq!(list.set(at, &text, limit), at < len);
            if at < len {
                model[at] = text;
            }
        }
        Op::Insert(at, text, count) => {
            for _ in 0..count {
                list.insert(at % (len + 1), &text, limit);
                model.insert(at % (len + 1), text.clone());
            }
        }
        Op::Remove(at, count) => {
            let at = at % (len + 1);
            list.remove(at, count, limit);
            model.drain(at..(at + count).min(len));
        }
        Op::RemoveEqual(end, text, count) => {
            let mut equal: Vec<usize> = (0..len).filter(|at| model[*at] == text).collect();
            if end == End::Back {
                equal.reverse();
            }
            equal.truncate(count);
            assert_eq!(list.remove_equal(end, &text, count, limit), equal.len());
            equal.sort_unstable();
            equal.iter().rev().for_each(|at| drop(model.remove(*at)));
        }
        Op::Limit(_) | Op::Depth(_) | Op::Clone | Op::Swap => {}
    }
}

proptest! {
    #[test]
    fn agrees_with_vec(
        ops in prop::collection::vec(op(), 0..40),
        directive in directive(),
        mut depth in 0..4_u32,
    ) {
        let (mut list, mut model) = (List::default(), Vec::new());
        let (mut other, mut other_model) = (List::default(), Vec::new());
        let mut bound = limit(directive).with_depth(depth);
        for op in ops {
            match op {
                Op::Limit(value) => bound = limit(value).with_depth(depth),
                Op::Depth(value) => {
                    depth = value;
                    bound = bound.with_depth(depth);
                }
                Op::Clone => (other, other_model) = (list.clone(), model.clone()),
                Op::Swap => {
                    std::mem::swap(&mut other, &mut list);
                    std::mem::swap(&mut other_model, &mut model);
                }
                op => apply(&mut list, &mut model, bound, op),
            }
            check(&list, &model);
            check(&other, &other_model);
        }
    }
}

#[test]
fn what_is_cut_at_an_end_moves_two_leaves() {
    for (depth, is_at_front) in (1..4).flat_map(|depth| [(depth, false), (depth, true)]) {
        let bound = limit(-1).with_depth(depth);
        let mut list = numbered(580, bound);
        for _ in 0..40 {
            list.insert(if is_at_front { 0 } else { list.len() }, &[b'm'; 581], bound);
        }
        check_depth(&list);
        for at in 0..list.len() {
            let mut cut = list.clone();
            assert!(cut.set(at, &[b'l'; 4097], bound));
            check_depth(&cut);
        }
    }
}

/// How long something takes.
fn time(work: impl FnOnce()) -> std::time::Duration {
    let began = std::time::Instant::now();
    work();
    began.elapsed()
}

#[test]
fn nothing_walks_through_millions() {
    for depth in [0, 1] {
        let limit = limit(-2).with_depth(depth);
        check_millions(numbered(5_000_000, limit), limit);
    }
}

fn check_millions(mut list: List, limit: PackLimit) {
    let (count, mut rng) = (list.len(), fastrand::Rng::with_seed(1));
    let walk = |list: &List| {
        let mut walked = 0;
        list.show(0, End::Back, usize::MAX, |_| walked += 1);
        walked
    };
    // One walk lasts as long as thousands of anything else, on any machine.
    let walked = time(|| assert_eq!(walk(&list), count));
    let mut check = |what: &str, work: &mut dyn FnMut(&mut List, usize)| {
        let taken = time(|| (0..200).for_each(|_| work(&mut list, rng.usize(..count))));
        assert!(taken < walked, "200 times {what}: {taken:?}, a walk: {walked:?}");
    };
    check("LINDEX", &mut |list, at| assert_eq!(list.element(at, |_| ()), Some(())));
    check("LRANGE of 100", &mut |list, at| {
        let mut shown = 0;
        list.show(at, End::Back, 100, |_| shown += 1);
        assert!(shown > 0);
    });
    check("LSET", &mut |list, at| assert!(list.set(at, b"changed", limit)));
    check("LINSERT and LREM", &mut |list, at| {
        list.insert(at, b"new", limit);
        list.remove(at, 1, limit);
    });
    check("a copy with a change in it", &mut |list, at| {
        let mut copy = list.clone();
        copy.set(at, b"changed", limit);
        assert_eq!(copy.len(), count);
    });
    assert!(list.free_effort() > 1000, "a worker frees it");
}
