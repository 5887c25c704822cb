//! SORT and `SORT_RO`: the elements of a list, set or sorted set in an order of choice, or what other
//! keys hold in their stead.
//!
//! A pattern names a key by putting the element in the place of its first `*`; with `->field`
//! behind it, a field of the hash there.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use crate::base::number::parse_score_bound;
use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow, ReadCx, WriteCx};
use crate::command::spec::DataRun::{self, Read, Write};
use crate::command::spec::{
    Arg, Command, DENY_OOM, Group, Key, MOVABLE_KEYS, at_least, block, integer, key, one_of,
    pattern, pure,
};
use crate::families::text;
use crate::keyspace::journal::Event;
use crate::keyspace::packed::Opened;
use crate::keyspace::read::Reader;
use crate::keyspace::value::{Kind, StringRef};
use crate::keyspace::write::Lifetime;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;
use crate::structures::cow_tree::End;
use crate::structures::listpack::Item;
use crate::types::hash::FieldValue;
use crate::types::hash::Hash;
use crate::types::list::{List, PackLimit};
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;

const BY: Arg = pattern("by-pattern").token("BY").optional();
const LIMIT: Arg = block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional();
const GET: Arg = pattern("get-pattern").token("GET").optional().repeats_token();
const ORDER: Arg = one_of("order", &[pure("asc", "ASC"), pure("desc", "DESC")]).optional();
const ALPHA: Arg = pure("sorting", "ALPHA").optional();

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("SORT", at_least(2), Group::Generic, Write(sort))
        .keys(&[
            Key::at(1, &["RO", "access"]),
            Key::unknown(&["RO", "access"]),
            Key::unknown(&["OW", "update"]),
        ])
        .keys_by(sorted_and_stored)
        .flags(DENY_OOM.and(MOVABLE_KEYS))
        .categories(&["dangerous", "list", "set", "sortedset"])
        .args(&[
            key("key"),
            BY,
            LIMIT,
            GET,
            ORDER,
            ALPHA,
            key("destination").spec(2).token("STORE").optional(),
        ])
        .doc("1.0.0", "Gives or stores elements in an order of choice.", "O(N+M*log(M))"),
    Command::new("SORT_RO", at_least(2), Group::Generic, Read(sort_ro))
        .keys(&[Key::at(1, &["RO", "access"]), Key::unknown(&["RO", "access"])])
        .flags(MOVABLE_KEYS)
        .categories(&["dangerous", "list", "set", "sortedset"])
        .args(&[key("key"), BY, LIMIT, GET, ORDER, ALPHA])
        .doc("7.0.0", "Gives elements in an order of choice and never stores.", "O(N+M*log(M))"),
];

const SORTSTORE: Event = Event { class: b'l', name: "sortstore" };
const NO_SCORE: ReplyError =
    ReplyError::Fixed("ERR One or more scores can't be converted into double");

/// The key of the elements, and where they are to be stored.
fn sorted_and_stored(args: &Args<'_>) -> Option<Vec<usize>> {
    let mut stored = None;
    let mut at = 2;
    while at < args.word_count() {
        let is = |word: &str| args.word(at).eq_ignore_ascii_case(word.as_bytes());
        if is("LIMIT") {
            at += 2;
        } else if is("BY") || is("GET") {
            at += 1;
        } else if is("STORE") && at + 1 < args.word_count() {
            // The last one counts.
            stored = Some(at + 1);
            at += 1;
        }
        at += 1;
    }
    Some(std::iter::once(1).chain(stored).collect())
}

/// What is wanted.
#[derive(Default)]
struct Wish<'a> {
    descends: bool,
    by_text: bool,
    start: i64,
    count: Option<i64>,
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    store: Option<&'a [u8]>,
}

impl<'a> Wish<'a> {
    fn read(args: &mut Args<'a>, may_store: bool) -> Result<Self, ReplyError> {
        let mut wish = Self::default();
        while !args.is_done() {
            let values = args.left() - 1;
            if args.accept("ASC") {
                wish.descends = false;
            } else if args.accept("DESC") {
                wish.descends = true;
            } else if args.accept("ALPHA") {
                wish.by_text = true;
            } else if values >= 2 && args.accept("LIMIT") {
                wish.start = args.int()?;
                wish.count = Some(args.int()?);
            } else if values >= 1 && may_store && args.accept("STORE") {
                wish.store = Some(args.bytes()?);
            } else if values >= 1 && args.accept("BY") {
                wish.by = Some(args.bytes()?);
            } else if values >= 1 && args.accept("GET") {
                wish.get.push(args.bytes()?);
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(wish)
    }

    /// Whether elements stay in the order they have: BY names the same key for all.
    fn keeps_order(&self) -> bool {
        self.by.is_some_and(|by| !by.contains(&b'*'))
    }

    /// Where a walk over `len` elements begins, and where it goes: what keeps its order is turned
    /// round by DESC.
    fn beginning(&self, len: usize) -> (usize, End) {
        if self.descends && self.keeps_order() {
            (len.saturating_sub(1), End::Front)
        } else {
            (0, End::Back)
        }
    }

    /// Which of `len` sorted elements are wanted.
    fn range(&self, len: usize) -> Range<usize> {
        let whole = i64::try_from(len).unwrap_or(i64::MAX);
        let start = usize::try_from(self.start.clamp(0, whole)).unwrap_or(len);
        match self.count {
            None | Some(..0) => start..len,
            Some(count) => {
                let count = usize::try_from(count).unwrap_or(len);
                start..start.saturating_add(count).min(len)
            }
        }
    }
}

/// Words of an element or a value.
type Text<'a> = Cow<'a, [u8]>;

type Texts<'a> = Box<dyn Iterator<Item = Text<'a>> + 'a>;

/// An element with what it is sorted by.
struct Ranked<'a> {
    element: Text<'a>,
    score: f64,
    /// What a pattern led to, for sorting by text.
    weight: Option<Text<'a>>,
}

fn text_of(item: Item<'_>) -> Text<'_> {
    match item {
        Item::Bytes(bytes) => Cow::Borrowed(bytes),
        Item::Int(_) => Cow::Owned(item.to_vec()),
    }
}

fn string_text(value: StringRef<'_>) -> Text<'_> {
    match value {
        StringRef::Inline(bytes) => Cow::Borrowed(bytes),
        StringRef::Shared(blob) => Cow::Borrowed(blob),
        StringRef::Int(_) => Cow::Owned(text::as_bytes(value, &mut itoa::Buffer::new()).to_vec()),
    }
}

fn field_text(value: FieldValue<'_>) -> Text<'_> {
    match value {
        FieldValue::Bytes(bytes) => Cow::Borrowed(bytes),
        FieldValue::Shared(blob) => Cow::Borrowed(blob),
        FieldValue::Int(_) => Cow::Owned(value.as_text(&mut itoa::Buffer::new()).to_vec()),
    }
}

/// The elements of a collection, which may be a copy.
fn texts<'a, T>(opened: Opened<'a, T>, walk: impl for<'s> FnOnce(&'s T) -> Texts<'s>) -> Texts<'a> {
    match opened {
        Opened::Borrowed(collection) => walk(collection),
        Opened::Unpacked(collection) => {
            let copied: Vec<Text<'a>> =
                walk(&collection).map(|text| Cow::Owned(text.into_owned())).collect();
            Box::new(copied.into_iter())
        }
    }
}

/// What a pattern leads to from an element.
fn follow<'a>(reader: &Reader<'a>, pattern: &[u8], element: &[u8]) -> Option<Text<'a>> {
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (head, tail) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = tail.windows(2).position(|pair| pair == b"->");
    // Without a field behind it an arrow is a part of the key.
    let (tail, field) = match arrow.filter(|at| at + 2 < tail.len()) {
        Some(at) => (&tail[..at], Some(&tail[at + 2..])),
        None => (tail, None),
    };
    let key = [head, element, tail].concat();
    let value = reader.value(&key)?;
    let Some(field) = field else { return value.string().ok().map(string_text) };
    match value.collection::<Hash>().ok()? {
        Opened::Borrowed(hash) => {
            hash.get_live(field, reader.now()).map(|field| field_text(field.value))
        }
        Opened::Unpacked(hash) => {
            let found = hash.get_live(field, reader.now())?;
            Some(Cow::Owned(field_text(found.value).into_owned()))
        }
    }
}

/// What GET wants of an element.
fn get<'a>(reader: &Reader<'a>, pattern: &[u8], element: &Text<'a>) -> Option<Text<'a>> {
    if pattern == b"#" { Some(element.clone()) } else { follow(reader, pattern, element) }
}

fn rank<'a>(
    reader: &Reader<'a>,
    elements: impl Iterator<Item = Text<'a>>,
    wish: &Wish<'_>,
) -> Result<Vec<Ranked<'a>>, ReplyError> {
    let rank = |element: Text<'a>| {
        let mut ranked = Ranked { score: 0.0, weight: None, element };
        match wish.by.map(|by| follow(reader, by, &ranked.element)) {
            Some(weight) if wish.by_text => ranked.weight = weight,
            Some(weight) => {
                let found = weight.map(|weight| parse_score_bound(&weight).ok_or(NO_SCORE));
                ranked.score = found.transpose()?.unwrap_or(0.0);
            }
            None if wish.by_text => {}
            None => ranked.score = parse_score_bound(&ranked.element).ok_or(NO_SCORE)?,
        }
        Ok(ranked)
    };
    elements.map(rank).collect()
}

fn compare(one: &Ranked<'_>, other: &Ranked<'_>, wish: &Wish<'_>) -> Ordering {
    let order = match (wish.by_text, wish.by) {
        (true, Some(_)) => one.weight.cmp(&other.weight),
        (true, None) => one.element.cmp(&other.element),
        (false, _) => one
            .score
            .partial_cmp(&other.score)
            .unwrap_or(Ordering::Equal)
            .then_with(|| one.element.cmp(&other.element)),
    };
    if wish.descends { order.reverse() } else { order }
}

/// The elements that are wanted, in the order they are wanted in. O(n log n). `None` when more
/// than `here_max` would have to be looked at.
fn sorted<'a>(
    reader: &Reader<'a>,
    key: &[u8],
    wish: &mut Wish<'_>,
    in_script: bool,
    here_max: usize,
) -> Result<Option<Vec<Text<'a>>>, ReplyError> {
    let Some(value) = reader.value(key) else { return Ok(Some(Vec::new())) };
    let (len, elements): (usize, Texts<'a>) = match value.kind() {
        Kind::List => {
            let list = value.collection::<List>()?;
            let (first, towards) = wish.beginning(list.len());
            (list.len(), texts(list, |list| Box::new(list.texts_from(first, towards))))
        }
        Kind::Set => {
            let set = value.collection::<Set>()?;
            // What is stored or goes on in a script must not depend on how a table is laid out.
            if wish.keeps_order() && (wish.store.is_some() || in_script) {
                (wish.by, wish.by_text) = (None, true);
            }
            let len = set.live(reader.horizon()).len();
            (len, texts(set, |set| Box::new(set.live(reader.horizon()).iter().map(text_of))))
        }
        _ => {
            let set = value.collection::<SortedSet>()?;
            let (now, (_, towards)) = (reader.horizon(), wish.beginning(set.len()));
            let len = set.live_len(now);
            let members = texts(set, |set| {
                Box::new(set.live_iter(towards, now).map(|scored| text_of(scored.member)))
            });
            (len, members)
        }
    };
    let range = wish.range(len);
    if (if wish.keeps_order() { range.end } else { len }) > here_max {
        return Ok(None);
    }
    if wish.keeps_order() {
        return Ok(Some(elements.skip(range.start).take(range.len()).collect()));
    }
    let mut ranked = rank(reader, elements, wish)?;
    ranked.sort_by(|one, other| compare(one, other, wish));
    ranked.truncate(range.end);
    let wanted = ranked.drain(range.start.min(range.end)..);
    Ok(Some(wanted.map(|ranked| ranked.element).collect()))
}

fn write(out: &mut Reply<'_>, reader: &Reader<'_>, wish: &Wish<'_>, elements: &[Text<'_>]) {
    out.array(elements.len() * wish.get.len().max(1));
    for element in elements {
        if wish.get.is_empty() {
            out.bulk(element);
        }
        for pattern in &wish.get {
            match get(reader, pattern, element) {
                Some(value) => out.bulk(&value),
                None => out.null(),
            }
        }
    }
}

/// What is to be stored; what is not there is an empty element.
fn list_of(reader: &Reader<'_>, wish: &Wish<'_>, elements: &[Text<'_>], limit: PackLimit) -> List {
    let mut list = List::default();
    for element in elements {
        if wish.get.is_empty() {
            list.push(End::Back, std::iter::once(&**element), limit);
        }
        for pattern in &wish.get {
            let value = get(reader, pattern, element).unwrap_or_default();
            list.push(End::Back, std::iter::once(&*value), limit);
        }
    }
    list
}

fn sort_ro(cx: &mut ReadCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let mut wish = Wish::read(&mut cx.args, false)?;

    let Some(elements) = sorted(&cx.keys, key, &mut wish, cx.in_script, cx.here_max)? else {
        return Ok(Flow::Away(None));
    };
    write(&mut cx.reply, &cx.keys, &wish, &elements);
    Ok(Flow::Replied)
}

fn sort(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let mut wish = Wish::read(&mut cx.args, true)?;

    let reader = cx.keys.reader();
    let here_max = if wish.store.is_some() { usize::MAX } else { cx.here_max };
    let Some(elements) = sorted(&reader, key, &mut wish, cx.in_script, here_max)? else {
        return Ok(Flow::Away(Some(sort_ro)));
    };
    let Some(target) = wish.store else {
        write(&mut cx.reply, &reader, &wish, &elements);
        return Ok(Flow::Replied);
    };
    let list = list_of(&reader, &wish, &elements, cx.limits.encodings.list_pack);
    let len = list.len();
    cx.keys.put(target, list, Lifetime::Forever, SORTSTORE);

    cx.reply.count(len);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use crate::families::bench::Bench;
    use crate::keyspace::journal::{Change, Event};
    use crate::types::hash::{Hash, Lifetime, Limits, NewValue};
    use crate::types::set::{Set, SetLimits};
    use crate::types::sorted_set::{PackLimits, SortedSet};

    const ADDED: Change = Change::Did(Event::generic("added"), 1);

    /// A set `s` of c, a, b; a sorted set `z` of b 1, c 2, a 3; hashes `h_a` to `h_c` of a field.
    fn bench_of_types() -> Bench {
        let mut bench = Bench::new();
        let mut keys = bench.keyspace.writer(bench.db, bench.now);
        let limits = SetLimits { ints_max: 9, pack_max: 9, pack_member_max: 9 };
        let fill = |set: &mut Set, epochs: &mut _| {
            for member in [b"c", b"a", b"b"] {
                set.insert(member, limits, epochs);
            }
            ((), ADDED)
        };
        keys.upsert(b"s", fill).unwrap();
        let limits = PackLimits { entries: 9, value: 9 };
        let fill = |set: &mut SortedSet, epochs: &mut _| {
            for (member, score) in [(b"a", 3.0), (b"b", 1.0), (b"c", 2.0)] {
                set.insert(member, score, limits, epochs);
            }
            ((), ADDED)
        };
        keys.upsert(b"z", fill).unwrap();
        let limits = Limits { entries: 9, bytes: 9 };
        for (key, value) in [(b"h_a", b"2"), (b"h_b", b"3"), (b"h_c", b"1")] {
            let fill = |hash: &mut Hash, epochs: &mut _| {
                hash.set(b"f", NewValue::Bytes(value), Lifetime::Forever, limits, epochs);
                ((), ADDED)
            };
            keys.upsert(key, fill).unwrap();
        }
        bench
    }

    #[test]
    fn all_types_of_elements_are_sorted() {
        bench_of_types().check(&[
            r#"sort s alpha => ["a" "b" "c"]"#,
            r#"sort s by nosort limit 0 2 => ["c" "a"]"#,
            "sort s by nosort limit 0 2 store t => :2",
            r#"lrange t 0 -1 => ["a" "b"]"#,
            r#"sort z alpha desc => ["c" "b" "a"]"#,
            r#"sort z by nosort => ["b" "c" "a"]"#,
            r#"sort z by nosort desc limit 0 2 => ["a" "c"]"#,
            r#"sort z by h_*->f => ["c" "a" "b"]"#,
            r#"sort s by h_*->f desc get h_*->f get h_*->g limit 0 1 => ["3" nil]"#,
            "sort s by h_* alpha limit 0 0 => []",
            "sort h_a => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn elements_are_sorted_by_number_or_text() {
        Bench::new().check(&[
            "sort nosuch => []",
            "rpush l 3 10 1 2.5 -1 => :5",
            r#"sort l => ["-1" "1" "2.5" "3" "10"]"#,
            r#"sort l desc => ["10" "3" "2.5" "1" "-1"]"#,
            r#"sort l alpha => ["-1" "1" "10" "2.5" "3"]"#,
            r#"sort l limit 1 2 => ["1" "2.5"]"#,
            r#"sort l limit -5 2 => ["-1" "1"]"#,
            r#"sort l limit 3 -1 => ["3" "10"]"#,
            "sort l limit 9 2 => []",
            "sort l limit 0 0 => []",
            r#"sort_ro l desc alpha => ["3" "2.5" "10" "1" "-1"]"#,
            "sort_ro l store x => -ERR syntax error",
            "sort l limit 1 => -ERR syntax error",
            "sort l limit 1 x => -ERR value is not an integer or out of range",
            "rpush odd 1e400 2 +5 => :3",
            r#"sort odd => ["2" "+5" "1e400"]"#,
            "rpush hex 0x10 => :1",
            "sort hex => -ERR One or more scores can't be converted into double",
            "rpush l x => :6",
            "sort l => -ERR One or more scores can't be converted into double",
            "set s v => +OK",
            "sort s => -WRONGTYPE Operation against a key holding the wrong kind of value",
        ]);
    }

    #[test]
    fn other_keys_decide_and_are_given() {
        Bench::new().check(&[
            "rpush l a b c d => :4",
            "mset w_a 3 w_b 1 w_c 2 n_a Ann n_b Bob x:a-> odd => +OK",
            r#"sort l by w_* => ["d" "b" "c" "a"]"#,
            r#"sort l by w_* get n_* get # => [nil "d" "Bob" "b" nil "c" "Ann" "a"]"#,
            r#"sort l by n_* alpha desc => ["b" "a" "c" "d"]"#,
            r#"sort l by nosort => ["a" "b" "c" "d"]"#,
            r#"sort l by nosort desc limit 1 2 => ["c" "b"]"#,
            r#"sort l by nosort get x:*-> limit 0 1 => ["odd"]"#,
            "sort l by nosort get n_*->field limit 0 1 => [nil]",
            "sort l by nosort get constant limit 0 1 => [nil]",
            "sort l by n_* => -ERR One or more scores can't be converted into double",
        ]);
    }

    #[test]
    fn the_result_can_be_stored() {
        Bench::new().check(&[
            "rpush l 2 3 1 => :3",
            "sort l store t => :3",
            r#"lrange t 0 -1 => ["1" "2" "3"]"#,
            "sort l get nosuch_* get # limit 0 1 store t => :2",
            r#"lrange t 0 -1 => ["" "1"]"#,
            "sort nosuch store t => :0",
            "exists t => :0",
            "set s v => +OK",
            "sort l desc store s => :3",
            r#"lindex s 0 => "3""#,
            "sort l store l => :3",
            r#"lrange l 0 -1 => ["1" "2" "3"]"#,
        ]);
    }
}
