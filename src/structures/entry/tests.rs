//! Entries against plain fields.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use crate::structures::lifespan::Ticket;
use proptest::prelude::*;

#[derive(Debug, PartialEq)]
struct Words(Vec<Vec<u8>>);

impl Nested for Words {
    fn tag(&self) -> u8 {
        4
    }
    fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
    fn succeed(&self, _: &Succession) -> Self {
        self.duplicate()
    }
    fn free_shell(self, _: &Succession) {}
    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Int(i64),
    Bytes(Vec<u8>),
    Blob(Vec<u8>),
    Packed(u8, Vec<u8>),
    Words(Vec<Vec<u8>>),
}

impl Value {
    fn to_content(&self) -> NewContent<'_, Words> {
        match self {
            Self::Int(value) => NewContent::Int(*value),
            Self::Bytes(bytes) => NewContent::Inline(bytes),
            Self::Blob(bytes) => NewContent::Blob(Blob::new(bytes.clone())),
            Self::Packed(tag, bytes) => NewContent::Packed(Packed { tag: *tag, bytes }),
            Self::Words(words) => NewContent::Nested(Box::new(Words(words.clone()))),
        }
    }
}

fn check(entry: &Entry<Words>, key: &[u8], value: &Value, lifespan: Lifespan) {
    let view = entry.view();
    assert_eq!(view.key(), key);
    match (view.content(), value) {
        (Content::Int(real), Value::Int(model)) => assert_eq!(real, *model),
        (Content::Inline(real), Value::Bytes(model)) => assert_eq!(real, model),
        (Content::Blob(real), Value::Blob(model)) => assert_eq!(real.as_slice(), model),
        (Content::Packed(real), Value::Packed(tag, model)) => {
            assert_eq!((real.tag, real.bytes), (*tag, &model[..]));
            assert_eq!(view.nested_tag(), Some(*tag));
        }
        (Content::Nested(real), Value::Words(model)) => {
            assert_eq!(&real.0, model);
            assert_eq!(view.nested_tag(), Some(4));
        }
        (real, model) => panic!("{real:?} is not {model:?}"),
    }
    assert_eq!(view.lifespan(), lifespan.settled());
    assert_eq!(view.deadline(), lifespan.deadline);
}

#[test]
fn small_keys_take_little() {
    let bytes = |value: &Value, lifespan| {
        Entry::new(b"0123456789abcdef", value.to_content(), Form::Whole, lifespan, 0)
            .view()
            .shell_bytes()
    };
    let until = Lifespan { deadline: Some(1_790_000_000_000), ticket: Ticket::new(5) };
    let text = Value::Bytes(vec![b'x'; 32]);
    assert_eq!(bytes(&text, Lifespan::default()), 56);
    assert_eq!(bytes(&text, until), 64);
    assert_eq!(bytes(&Value::Packed(2, vec![b'x'; 32]), Lifespan::default()), 56);
    assert_eq!(bytes(&Value::Int(-1), Lifespan::default()), 32);
    assert_eq!(bytes(&Value::Int(-1), until), 40);
}

#[test]
fn value_of_the_same_class_stays_in_place() {
    let mut entry: Entry<Words> =
        Entry::new(b"key", NewContent::Inline(b"12345"), Form::Whole, Lifespan::default(), 9);
    let address = entry.head;
    assert!(entry.overwrite(&NewContent::Inline(b"123"), Form::Whole));
    assert!(!entry.overwrite(&NewContent::Inline(&[b'x'; 40]), Form::Whole));
    assert!(!entry.overwrite(&NewContent::Inline(b"12"), Form::Edited));
    assert!(!entry.overwrite(&NewContent::Int(1), Form::Whole));
    check(&entry, b"key", &Value::Bytes(b"123".to_vec()), Lifespan::default());
    assert!(entry.set(NewContent::Inline(b"12"), Form::Whole, Lifespan::default()).is_none());
    assert_eq!((entry.head, entry.view().clock()), (address, 9));
    assert!(entry.set(NewContent::Int(7), Form::Whole, Lifespan::default()).is_none());
    assert_ne!(entry.head, address);
    assert_eq!(entry.view().clock(), 9);
}

#[test]
fn keys_are_told_apart_at_every_length() {
    for len in 0..70 {
        let key: Vec<u8> = (0..len).collect();
        let entry: Entry<Words> =
            Entry::new(&key, NewContent::Int(1), Form::Whole, Lifespan::default(), 0);
        assert!(entry.view().has_key(&key));
        assert!(!entry.view().has_key(&[&key[..], b"x"].concat()));
        for at in 0..usize::from(len) {
            let mut other = key.clone();
            other[at] ^= 0x80;
            assert!(!entry.view().has_key(&other), "byte {at} of {len}");
            assert!(!entry.view().has_key(&key[..at]));
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..80);
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        bytes().prop_map(Value::Bytes),
        bytes().prop_map(Value::Blob),
        (0..=TAGS_MAX, bytes()).prop_map(|(tag, bytes)| Value::Packed(tag, bytes)),
        prop::collection::vec(bytes(), 0..3).prop_map(Value::Words),
    ]
}

fn lifespan() -> impl Strategy<Value = Lifespan> {
    (any::<Option<i64>>(), prop::option::of(0..1i64 << 44)).prop_map(|(deadline, moment)| {
        Lifespan { deadline, ticket: moment.and_then(Ticket::new) }.settled()
    })
}

#[derive(Clone, Debug)]
enum Op {
    Set(Value, Lifespan),
    Overwrite(Value),
    Repack(u8, Vec<u8>),
    Live(Lifespan),
    Rename(usize, Lifespan),
    Append(Vec<u8>),
    Duplicate,
    Share,
    Touch(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (value(), lifespan()).prop_map(|(value, lifespan)| Op::Set(value, lifespan)),
        value().prop_map(Op::Overwrite),
        (0..=TAGS_MAX, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(tag, bytes)| Op::Repack(tag, bytes)),
        lifespan().prop_map(Op::Live),
        (0usize..600, lifespan()).prop_map(|(len, lifespan)| Op::Rename(len, lifespan)),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Op::Append),
        Just(Op::Duplicate),
        Just(Op::Share),
        (0u32..1 << 24).prop_map(Op::Touch),
    ]
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 256 })
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn agrees_with_plain_fields(
        key_len in 0usize..600,
        ops in prop::collection::vec(op(), 0..30),
    ) {
        let mut key = vec![b'k'; key_len];
        let (mut model, mut span, mut clock) = (Value::Int(1), Lifespan::default(), 3);
        let mut real = Entry::new(&key, model.to_content(), Form::Whole, span, clock);
        let mut kept = Vec::new();
        for op in ops {
            match op {
                Op::Set(value, lifespan) => {
                    let detached = real.set(value.to_content(), Form::Whole, lifespan);
                    match (detached, model) {
                        (Some(Detached::Blob(blob)), Value::Blob(old)) => {
                            prop_assert_eq!(blob.as_slice(), old);
                        }
                        (Some(Detached::Nested(words)), Value::Words(old)) => {
                            prop_assert_eq!(words.0, old);
                        }
                        (detached, _) => prop_assert!(detached.is_none()),
                    }
                    (model, span) = (value, lifespan);
                }
                Op::Overwrite(value) => {
                    let address = real.head;
                    if real.overwrite(&value.to_content(), Form::Whole) {
                        prop_assert_eq!(span, Lifespan::default());
                        model = value;
                    }
                    prop_assert_eq!(real.head, address);
                }
                Op::Repack(tag, bytes) => {
                    let address = real.head;
                    let did = real.repack(Packed { tag, bytes: &bytes });
                    prop_assert_eq!(real.head, address);
                    if let Value::Packed(_, old) = &model {
                        prop_assert!(did || old.len() != bytes.len());
                    } else {
                        prop_assert!(!did);
                    }
                    if did {
                        model = Value::Packed(tag, bytes);
                    }
                }
                Op::Live(lifespan) => {
                    real.set_lifespan(lifespan);
                    span = lifespan;
                }
                Op::Rename(len, lifespan) => {
                    key = vec![b'r'; len];
                    real = real.renamed(&key, lifespan);
                    span = lifespan;
                }
                Op::Append(bytes) => match &mut model {
                    Value::Blob(model) => {
                        model.extend(&bytes);
                        real.blob_mut().unwrap().to_mut().extend(&bytes);
                        prop_assert_eq!(real.view().form(), Form::Edited);
                    }
                    Value::Words(model) => {
                        model.push(bytes.clone());
                        real.nested_mut().unwrap().0.push(bytes);
                    }
                    _ => prop_assert!(real.blob_mut().is_none() && real.nested_mut().is_none()),
                },
                Op::Duplicate => {
                    let copy = real.view().duplicate(&key, span);
                    kept.push((copy, key.clone(), model.clone(), span));
                }
                Op::Share => {
                    // SAFETY: the original is only read, and given up by `free_shell`.
                    let copy = unsafe { Entry::share(real.view()) };
                    check(&real, &key, &model, span);
                    // SAFETY: it was shared just now.
                    unsafe { Thin::free_shell(real) };
                    real = copy;
                }
                Op::Touch(to) => {
                    real.view().set_clock(to);
                    clock = to;
                }
            }
            check(&real, &key, &model, span);
            prop_assert_eq!(real.view().clock(), clock);
        }
        // SAFETY: the address is taken back at once.
        let real = unsafe { Entry::<Words>::from_raw(real.into_raw()) };
        check(&real, &key, &model, span);
        for (entry, key, model, span) in &kept {
            check(entry, key, model, *span);
        }
    }
}
