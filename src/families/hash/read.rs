//! Reading fields: HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HSTRLEN, HEXISTS.

use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, FAST, Group, Key, at_least, exactly, key, text};
use crate::protocol::reply::Reply;
use crate::types::hash::{Field, Hash};

use super::{write, write_name};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("HGET", exactly(3), Group::Hash, Read(hget))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), text("field")])
        .doc("2.0.0", "Gives the value of a field.", "O(1)"),
    Command::new("HMGET", at_least(3), Group::Hash, Read(hmget))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key"), text("field").repeated()])
        .doc("2.0.0", "Gives the values of fields, null for missing ones.", "O(N)"),
    Command::new("HGETALL", exactly(2), Group::Hash, Read(hgetall))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key")])
        .tips(&["nondeterministic_output_order"])
        .doc("2.0.0", "Gives all fields with their values.", "O(N)"),
    Command::new("HKEYS", exactly(2), Group::Hash, Read(hkeys))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key")])
        .tips(&["nondeterministic_output_order"])
        .doc("2.0.0", "Lists the fields of a hash.", "O(N)"),
    Command::new("HVALS", exactly(2), Group::Hash, Read(hvals))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key")])
        .tips(&["nondeterministic_output_order"])
        .doc("2.0.0", "Lists the values of a hash.", "O(N)"),
    Command::new("HLEN", exactly(2), Group::Hash, Read(hlen))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .args(&[key("key")])
        .doc("2.0.0", "Counts the fields of a hash.", "O(1)"),
    Command::new("HSTRLEN", exactly(3), Group::Hash, Read(hstrlen))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .args(&[key("key"), text("field")])
        .doc("3.2.0", "Gives the length of the value of a field.", "O(1)"),
    Command::new("HEXISTS", exactly(3), Group::Hash, Read(hexists))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .args(&[key("key"), text("field")])
        .doc("2.0.0", "Tells whether a hash has a field.", "O(1)"),
];

/// Shows the living field that word 2 names in the hash that word 1 names.
fn named(cx: &mut ReadCx<'_>, show: impl FnOnce(&mut Reply<'_>, Option<Field<'_>>)) -> CmdResult {
    let hash = cx.keys.get::<Hash>(cx.args.word(1))?;
    let hash = hash.as_deref();
    show(&mut cx.reply, hash.and_then(|hash| hash.get_live(cx.args.word(2), cx.keys.horizon())));
    Ok(Flow::Replied)
}

fn hget(cx: &mut ReadCx<'_>) -> CmdResult {
    named(cx, |reply, field| match field {
        Some(field) => write(reply, field.value),
        None => reply.null(),
    })
}

fn hmget(cx: &mut ReadCx<'_>) -> CmdResult {
    let (hash, now) = (cx.keys.get::<Hash>(cx.args.bytes()?)?, cx.keys.horizon());
    let (hash, names) = (hash.as_deref(), cx.args.rest());

    cx.reply.array(names.len());
    for name in names {
        match hash.and_then(|hash| hash.get_live(name, now)) {
            Some(field) => write(&mut cx.reply, field.value),
            None => cx.reply.null(),
        }
    }
    Ok(Flow::Replied)
}

fn hgetall(cx: &mut ReadCx<'_>) -> CmdResult {
    let (hash, now) = (cx.keys.get::<Hash>(cx.args.bytes()?)?, cx.keys.horizon());
    let Some(hash) = hash else {
        cx.reply.map(0);
        return Ok(Flow::Replied);
    };
    if cx.is_long(hash.len()) {
        return Ok(Flow::Away(None));
    }

    cx.reply.map(hash.live_len(now));
    for field in hash.live(now) {
        write_name(&mut cx.reply, field.name);
        write(&mut cx.reply, field.value);
    }
    Ok(Flow::Replied)
}

fn hkeys(cx: &mut ReadCx<'_>) -> CmdResult {
    list(cx, |cx, field| write_name(&mut cx.reply, field.name))
}

fn hvals(cx: &mut ReadCx<'_>) -> CmdResult {
    list(cx, |cx, field| write(&mut cx.reply, field.value))
}

fn list(cx: &mut ReadCx<'_>, show: impl Fn(&mut ReadCx<'_>, Field<'_>)) -> CmdResult {
    let (hash, now) = (cx.keys.get::<Hash>(cx.args.bytes()?)?, cx.keys.horizon());
    let Some(hash) = hash else {
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };
    if cx.is_long(hash.len()) {
        return Ok(Flow::Away(None));
    }

    cx.reply.array(hash.live_len(now));
    hash.live(now).for_each(|field| show(cx, field));
    Ok(Flow::Replied)
}

fn hlen(cx: &mut ReadCx<'_>) -> CmdResult {
    // Clients see fields counted that are over but not yet removed.
    let len = cx.keys.get::<Hash>(cx.args.bytes()?)?.map_or(0, |hash| hash.len());
    cx.reply.count(len);
    Ok(Flow::Replied)
}

fn hstrlen(cx: &mut ReadCx<'_>) -> CmdResult {
    named(cx, |reply, field| reply.count(field.map_or(0, |field| field.value.text_len())))
}

fn hexists(cx: &mut ReadCx<'_>) -> CmdResult {
    named(cx, |reply, field| reply.flag(field.is_some()))
}

#[cfg(test)]
mod tests {
    use crate::base::time::UnixMillis;
    use crate::families::bench::Bench;

    #[test]
    fn missing_hashes_are_empty() {
        Bench::new().check(&[
            "hget h a => nil",
            "hmget h a b => [nil nil]",
            "hgetall h => []",
            "hkeys h => []",
            "hvals h => []",
            "hlen h => :0",
            "hstrlen h a => :0",
            "hexists h a => :0",
        ]);
    }

    #[test]
    fn fields_are_read_from_any_encoding() {
        for entries in [512, 0] {
            let mut bench = Bench::new();
            bench.limits.encodings.hash_pack_entries = entries;
            bench.check(&[
                "hset h 17 -5 => :1",
                r#"hget h 17 => "-5""#,
                r#"hmget h x 17 => [nil "-5"]"#,
                r#"hgetall h => ["17" "-5"]"#,
                r#"hkeys h => ["17"]"#,
                r#"hvals h => ["-5"]"#,
                "hstrlen h 17 => :2",
                "hexists h 17 => :1",
                "hexists h 017 => :0",
            ]);
        }
    }

    #[test]
    fn fields_that_are_over_are_not_seen() {
        for entries in [512, 0] {
            let mut bench = Bench::new();
            bench.limits.encodings.hash_pack_entries = entries;
            bench.check(&["hset h a 1 b 2 => :2", "hpexpire h 5 fields 1 a => [:1]"]);
            bench.now = UnixMillis(bench.now.0 + 5);
            bench.check(&[
                "hget h a => nil",
                "hmget h a => [nil]",
                r#"hgetall h => ["b" "2"]"#,
                r#"hkeys h => ["b"]"#,
                r#"hvals h => ["2"]"#,
                "hstrlen h a => :0",
                "hexists h a => :0",
                r#"hrandfield h => "b""#,
                r#"hrandfield h 9 => ["b"]"#,
                r#"hrandfield h -2 => ["b" "b"]"#,
                r#"hscan h 0 => ["0" ["b" "2"]]"#,
                "httl h fields 2 a b => [:-2 :-1]",
                "hlen h => :2",
                "hincrby h a 7 => :7",
                "hlen h => :2",
            ]);
        }
    }
}
