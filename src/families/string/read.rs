//! Reading strings: GET, MGET, GETRANGE, SUBSTR, STRLEN, DIGEST.

use xxhash_rust::xxh3::xxh3_64;

use crate::command::context::{CmdResult, Flow, ReadCx};
use crate::command::spec::DataRun::{self, Read};
use crate::command::spec::{Command, FAST, Group, Key, at_least, exactly, integer, key};
use crate::families::text;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("GET", exactly(2), Group::String, Read(get))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key")])
        .doc("1.0.0", "Gives the string stored at a key.", "O(1)"),
    Command::new("MGET", at_least(2), Group::String, Read(mget))
        .keys(&[Key::at(1, &["RO", "access"]).through(-1, 1, 0)])
        .flags(FAST)
        .args(&[key("key").repeated()])
        .tips(&["request_policy:multi_shard"])
        .doc("1.0.0", "Gives the strings of several keys; null where there is none.", "O(N)"),
    Command::new("GETRANGE", exactly(4), Group::String, Read(getrange))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), integer("start"), integer("end")])
        .doc("2.4.0", "Cuts a part out of a string, both ends included.", "O(N)"),
    Command::new("SUBSTR", exactly(4), Group::String, Read(getrange))
        .keys(&[Key::at(1, &["RO", "access"])])
        .args(&[key("key"), integer("start"), integer("end")])
        .deprecated("2.0.0", "`GETRANGE`")
        .doc("1.0.0", "Cuts a part out of a string, both ends included.", "O(N)"),
    Command::new("STRLEN", exactly(2), Group::String, Read(strlen))
        .keys(&[Key::at(1, &["RO"])])
        .flags(FAST)
        .args(&[key("key")])
        .doc("2.2.0", "Counts the bytes of a string; 0 for a missing key.", "O(1)"),
    Command::new("DIGEST", exactly(2), Group::String, Read(digest))
        .keys(&[Key::at(1, &["RO", "access"])])
        .flags(FAST)
        .args(&[key("key")])
        .doc("8.4.0", "Gives the XXH3 hash of a string as 16 hexadecimal digits.", "O(N)"),
];

fn get(cx: &mut ReadCx<'_>) -> CmdResult {
    let value = cx.keys.string(cx.args.word(1))?;
    text::write_or_null(&mut cx.reply, value);
    Ok(Flow::Replied)
}

fn mget(cx: &mut ReadCx<'_>) -> CmdResult {
    let keys = cx.args.rest();
    cx.reply.array(keys.len());
    for key in keys {
        // A key of another type reads as missing here.
        text::write_or_null(&mut cx.reply, cx.keys.string(key).unwrap_or(None));
    }
    Ok(Flow::Replied)
}

fn getrange(cx: &mut ReadCx<'_>) -> CmdResult {
    let (key, start, end) = (cx.args.bytes()?, cx.args.int()?, cx.args.int()?);

    let mut digits = itoa::Buffer::new();
    let value = cx.keys.string(key)?.map_or(&b""[..], |value| text::as_bytes(value, &mut digits));

    cx.reply.bulk(&value[text::cut(start, end, value.len())]);
    Ok(Flow::Replied)
}

fn strlen(cx: &mut ReadCx<'_>) -> CmdResult {
    let value = cx.keys.string(cx.args.word(1))?;
    cx.reply.count(value.map_or(0, text::len));
    Ok(Flow::Replied)
}

fn digest(cx: &mut ReadCx<'_>) -> CmdResult {
    match cx.keys.string(cx.args.word(1))? {
        None => cx.reply.null(),
        Some(value) => {
            let hash = xxh3_64(text::as_bytes(value, &mut itoa::Buffer::new()));
            cx.reply.bulk(format!("{hash:016x}").as_bytes());
        }
    }
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn strings_are_read() {
        Bench::new().check(&[
            "get k => nil",
            "set k Hello => +OK",
            r#"get k => "Hello""#,
            "strlen k => :5",
            "strlen missing => :0",
            "set i -17 => +OK",
            r#"get i => "-17""#,
            "strlen i => :3",
            r#"mget k missing i => ["Hello" nil "-17"]"#,
        ]);
    }

    #[test]
    fn ranges_are_cut_out() {
        Bench::new().check(&[
            "set k Hello => +OK",
            r#"getrange k 0 -1 => "Hello""#,
            r#"getrange k -3 -1 => "llo""#,
            r#"getrange k 3 1 => """#,
            r#"getrange k -100 -200 => """#,
            r#"getrange k 0 -100 => "H""#,
            r#"getrange k 5 10 => """#,
            "getrange k a 1 => -ERR value is not an integer or out of range",
            "getrange missing a 1 => -ERR value is not an integer or out of range",
            r#"getrange missing 0 1 => """#,
            "set i 12345 => +OK",
            r#"substr i 1 2 => "23""#,
        ]);
    }

    #[test]
    fn digests_are_xxh3() {
        Bench::new().check(&[
            "digest k => nil",
            "set k hello => +OK",
            r#"digest k => "9555e8555c62dcfd""#,
            r#"set k "Hello world" => +OK"#,
            r#"digest k => "b6acb9d84a38ff74""#,
        ]);
    }
}
