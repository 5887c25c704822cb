//! DEBUG's looks into how values are kept: LISTPACK, QUICKLIST, HTSTATS, STRINGMATCH-TEST.

use crate::base::glob::{self, Case};
use crate::command::context::{CmdResult, Flow};
use crate::keyspace::DbIndex;
use crate::keyspace::value::ValueRef;
use crate::protocol::error::ReplyError;
use crate::structures::listpack::{Digits, ListPack};
use crate::types::list::{List, Nodes, Segment};
use crate::types::set::Packed;

use super::context::EngineCx;

const NO_LISTPACK: ReplyError = ReplyError::Fixed("ERR Not a listpack encoded object.");
const NO_QUICKLIST: ReplyError = ReplyError::Fixed("ERR Not a quicklist encoded object.");
const NO_DATABASE: ReplyError = ReplyError::Fixed("ERR Out of range database");

/// What DEBUG OBJECT tells of a large list beside the rest.
#[allow(clippy::cast_precision_loss, reason = "an average with two decimals")]
pub(super) fn list_fields(list: &List, listpack_max: i32) -> Option<String> {
    let Nodes { count, bytes_open, depth } = list.nodes()?;
    Some(format!(
        " ql_nodes:{count} ql_avg_node:{:.2} ql_listpack_max:{listpack_max} ql_compressed:{} \
         ql_uncompressed_size:{bytes_open}",
        list.len() as f64 / count.max(1) as f64,
        u8::from(depth > 0),
    ))
}

/// DEBUG LISTPACK: the log gets what the value's listpack holds.
pub(super) fn listpack(cx: &mut EngineCx<'_>) -> CmdResult {
    let (key, db, now) = (cx.args.bytes()?, cx.caller().db, cx.engine.now.unix_ms());
    let reader = cx.engine.keyspace.reader(db, now);
    let value = reader.peek(key).ok_or(ReplyError::NoSuchKey)?.open();
    let pack = match value.as_ref() {
        ValueRef::List(list) => list.as_pack(),
        ValueRef::Hash(hash) => hash.pack().map(|(pack, _)| pack),
        ValueRef::SortedSet(set) => set.as_pack(),
        ValueRef::Set(set) => match set.packed() {
            Some(Packed::Pack(pack)) => Some(pack),
            _ => None,
        },
        _ => None,
    };
    log_items(pack.ok_or(NO_LISTPACK)?);
    cx.reply.simple("Listpack structure printed on stdout");
    Ok(Flow::Replied)
}

fn log_items(pack: &ListPack) {
    tracing::warn!("listpack: {} items, {} bytes", pack.len(), pack.byte_len());
    for (number, item) in pack.iter().enumerate() {
        let (bytes, mut digits) = (item.packed_len(), Digits::default());
        let text = item.as_text(&mut digits).escape_ascii();
        tracing::warn!("  {number}: {bytes} bytes, {text}");
    }
}

/// DEBUG QUICKLIST: the log gets the nodes of a large list, with detail 1 their elements too.
pub(super) fn quicklist(cx: &mut EngineCx<'_>) -> CmdResult {
    let (key, db, now) = (cx.args.bytes()?, cx.caller().db, cx.engine.now.unix_ms());
    let is_full = !cx.args.is_done() && cx.args.int()? != 0;
    let reader = cx.engine.keyspace.reader(db, now);
    let value = reader.peek(key).ok_or(ReplyError::NoSuchKey)?.open();
    let ValueRef::List(list) = value.as_ref() else { return Err(NO_QUICKLIST) };
    let Nodes { count, bytes_open, depth } = list.nodes().ok_or(NO_QUICKLIST)?;
    tracing::warn!("quicklist: {count} nodes, {bytes_open} bytes, depth {depth}");
    for (number, segment) in list.segments().enumerate() {
        match segment {
            Segment::Pack(pack) => {
                tracing::warn!("  {number}: {} elements, {} bytes", pack.len(), pack.byte_len());
            }
            Segment::Plain(text) => tracing::warn!("  {number}: plain, {} bytes", text.len()),
            Segment::Compressed(it) => {
                let (len, bytes) = (it.bytes().len(), it.text_len());
                tracing::warn!("  {number}: {} elements, {bytes} bytes as {len}", it.count());
            }
        }
    }
    if is_full {
        for (number, text) in list.texts().enumerate() {
            tracing::warn!("  [{number}] {}", text.escape_ascii());
        }
    }
    cx.reply.simple("Quicklist structure printed on stdout");
    Ok(Flow::Replied)
}

/// DEBUG HTSTATS: the table of a database, which has neither chains nor a second table.
pub(super) fn table_stats(cx: &mut EngineCx<'_>) -> CmdResult {
    let index = cx.args.int()?;
    let databases = cx.engine.config.databases;
    let index = u16::try_from(index).ok().filter(|index| u32::from(*index) < databases);
    let (db, now) = (DbIndex(index.ok_or(NO_DATABASE)?), cx.engine.now.unix_ms());
    let reader = cx.engine.keyspace.reader(db, now);
    let text = format!(
        "[Dictionary HT]\nHash table 0 stats (main hash table):\n table size: {}\n number of \
         elements: {}\n[Expires HT]\n number of elements: {}\n",
        reader.table_slots(),
        reader.len(),
        reader.timed_len(),
    );
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Replied)
}

/// DEBUG STRINGMATCH-TEST: random patterns against random texts, for a while.
pub(super) fn match_random(cx: &mut EngineCx<'_>) -> CmdResult {
    const ROUNDS: usize = 100_000;
    let rng = &mut cx.engine.rng;
    let mut random = |alphabet: &[u8]| -> Vec<u8> {
        (0..rng.usize(..32)).map(|_| alphabet[rng.usize(..alphabet.len())]).collect()
    };
    let mut matched = 0;
    for _ in 0..ROUNDS {
        let (pattern, text) = (random(b"ab*?[]^-\\"), random(b"ab[]-"));
        matched += usize::from(glob::matches(&pattern, &text, Case::Sensitive));
    }
    tracing::info!("{matched} of {ROUNDS} random patterns matched");
    cx.reply.simple("Apparently Redis did not crash: test passed");
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::engine::tests::Stage;

    #[test]
    fn large_lists_are_compressed_as_the_directive_says() {
        let mut stage = Stage::new(&[
            ("enable-debug-command", "yes"),
            ("list-max-listpack-size", "4"),
            ("list-compress-depth", "1"),
        ]);
        let key = stage.connect();
        let words = vec!["w".repeat(60); 40].join(" ");
        let push = |stage: &mut Stage, name: &str| {
            assert_eq!(stage.ask(key, &format!("rpush {name} {words}")), ":40");
        };
        let seen = |stage: &mut Stage, name: &str| {
            let told = stage.ask(key, &format!("debug object {name}"));
            let bytes = stage.ask(key, &format!("memory usage {name} samples 0"));
            let fields = told.find("ql_nodes").map(|at| told[at..].to_owned());
            (fields.unwrap_or_default(), bytes[1..].parse().unwrap_or(0))
        };
        push(&mut stage, "packed");
        let depth = "config set list-compress-depth 0";
        stage.check(key, &[(depth, "+OK")]);
        push(&mut stage, "open");
        let fields = |is_compressed: u8| {
            format!(
                "ql_nodes:10 ql_avg_node:4.00 ql_listpack_max:4 ql_compressed:{is_compressed} \
                 ql_uncompressed_size:2550"
            )
        };
        let ((packed, less), (open, more)) = (seen(&mut stage, "packed"), seen(&mut stage, "open"));
        assert_eq!((packed, open), (fields(1), fields(0)));
        let (less, more): (usize, usize) = (less, more);
        assert!(less + 8 * 200 < more, "{less} bytes compressed, {more} not");
        // Each goes on as it is, and nobody can tell them apart.
        stage.check(key, &[("lset packed 20 x", "+OK"), ("lset open 20 x", "+OK")]);
        assert!(seen(&mut stage, "packed").0.contains("ql_compressed:1"));
        let open = stage.ask(key, "lrange open 0 -1");
        stage.check(key, &[("lrange packed 0 -1", &open), ("lpos packed x", ":20")]);
        let digest = stage.ask(key, "debug digest-value open");
        stage.check(key, &[("debug digest-value packed", &digest)]);
    }

    #[test]
    fn values_are_looked_into() {
        let mut stage = Stage::new(&[("enable-debug-command", "yes")]);
        let key = stage.connect();
        let (no_pack, no_list) =
            ("-ERR Not a listpack encoded object.", "-ERR Not a quicklist encoded object.");
        let printed = "+Listpack structure printed on stdout";
        stage.check(
            key,
            &[
                ("debug listpack nosuch", "-ERR no such key"),
                ("rpush l a 1", ":2"),
                ("debug listpack l", printed),
                ("debug quicklist l", no_list),
                ("hset h a 1", ":1"),
                ("debug listpack h", printed),
                ("zadd z 1 a", ":1"),
                ("debug listpack z", printed),
                ("sadd s a", ":1"),
                ("debug listpack s", printed),
                ("sadd i 1", ":1"),
                ("debug listpack i", no_pack),
                ("set k v", "+OK"),
                ("debug listpack k", no_pack),
                ("config set list-max-listpack-size 1", "+OK"),
                ("rpush l b", ":3"),
                ("debug listpack l", no_pack),
                ("debug quicklist l 1", "+Quicklist structure printed on stdout"),
                ("debug htstats 16", "-ERR Out of range database"),
                ("debug stringmatch-test", "+Apparently Redis did not crash: test passed"),
            ],
        );
        let stats = stage.ask(key, "debug htstats 0");
        assert!(stats.contains("number of elements: 6"), "{stats}");
    }
}
