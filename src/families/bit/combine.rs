//! BITOP: whole strings joined bit by bit.

use crate::base::blob::Blob;
use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{Command, DENY_OOM, Group, Key, at_least, key, one_of, pure};
use crate::families::text;
use crate::keyspace::journal::Event;
use crate::keyspace::value::NewString;
use crate::keyspace::write::{Free, Lifetime};
use crate::protocol::error::ReplyError;
use crate::structures::bits::{self, Operator};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] =
    &[Command::new("BITOP", at_least(4), Group::Bitmap, Write(bitop))
        .keys(&[Key::at(2, &["OW", "update"]), Key::at(3, &["RO", "access"]).through(-1, 1, 0)])
        .flags(DENY_OOM)
        .args(&[
            one_of(
                "operation",
                &[
                    pure("and", "AND"),
                    pure("or", "OR"),
                    pure("xor", "XOR"),
                    pure("not", "NOT"),
                    pure("diff", "DIFF").since("8.2.0"),
                    pure("diff1", "DIFF1").since("8.2.0"),
                    pure("andor", "ANDOR").since("8.2.0"),
                    pure("one", "ONE").since("8.2.0"),
                ],
            ),
            key("destkey"),
            key("key").spec(1).repeated(),
        ])
        .doc("2.6.0", "Joins strings bit by bit and stores what comes out.", "O(N)")];

const SET: Event = Event::string("set");
const DEL: Event = Event::generic("del");

const ONE_SOURCE: ReplyError =
    ReplyError::Fixed("ERR BITOP NOT must be called with a single source key.");

fn read_operator(word: &[u8]) -> Option<(&'static str, Operator)> {
    const OPERATORS: [(&str, Operator); 8] = [
        ("AND", Operator::And),
        ("OR", Operator::Or),
        ("XOR", Operator::Xor),
        ("NOT", Operator::Not),
        ("DIFF", Operator::Diff),
        ("DIFF1", Operator::Diff1),
        ("ANDOR", Operator::AndOr),
        ("ONE", Operator::One),
    ];
    OPERATORS.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
}

fn bitop(cx: &mut WriteCx<'_>) -> CmdResult {
    let (name, operator) = read_operator(cx.args.bytes()?).ok_or(ReplyError::Syntax)?;
    let target = cx.args.bytes()?;
    let keys = cx.args.rest();
    match operator {
        Operator::Not if keys.len() != 1 => return Err(ONE_SOURCE),
        Operator::Diff | Operator::Diff1 | Operator::AndOr if keys.len() < 2 => {
            let text = format!("ERR BITOP {name} must be called with at least two source keys.");
            return Err(ReplyError::Text(text.into()));
        }
        _ => {}
    }

    let reader = cx.keys.reader();
    let mut digits = vec![itoa::Buffer::new(); keys.len()];
    let mut sources = Vec::with_capacity(keys.len());
    for (key, digits) in keys.zip(&mut digits) {
        let value = reader.string(key)?;
        sources.push(value.map_or(&b""[..], |value| text::as_bytes(value, digits)));
    }
    let joined = bits::combine(operator, &sources);

    let len = joined.len();
    if len == 0 {
        cx.keys.remove(target, Free::Later, DEL);
    } else {
        let joined = Blob::new(joined);
        cx.keys.put_string(target, NewString::Shared(&joined), Lifetime::Forever, SET);
    }
    cx.reply.count(len);
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;

    #[test]
    fn strings_are_joined() {
        Bench::new().check(&[
            r#"mset a "\xf0\x0f" b "\xff" => +OK"#,
            "bitop and d a b => :2",
            r#"get d => "\xf0\x00""#,
            "bitop or d a b => :2",
            r#"get d => "\xff\x0f""#,
            "bitop xor d a b => :2",
            r#"get d => "\x0f\x0f""#,
            "bitop not d a => :2",
            r#"get d => "\x0f\xf0""#,
            "bitop or d a missing => :2",
            r#"get d => "\xf0\x0f""#,
            "bitop not d a b => -ERR BITOP NOT must be called with a single source key.",
            "bitop foo d a => -ERR syntax error",
            "bitop and d missing => :0",
            "exists d => :0",
        ]);
    }

    #[test]
    fn newer_operators_join_too() {
        Bench::new().check(&[
            r#"mset x "\xf0\xff" y "\xcc" z "\xaa" => +OK"#,
            "bitop diff d x y z => :2",
            r#"get d => "\x10\xff""#,
            "bitop diff1 d x y z => :2",
            r#"get d => "\x0e\x00""#,
            "bitop andor d x y z => :2",
            r#"get d => "\xe0\x00""#,
            "bitop one d x y z => :2",
            r#"get d => "\x16\xff""#,
            "bitop one d x => :2",
            "bitop Diff d x => -ERR BITOP DIFF must be called with at least two source keys.",
            "bitop andor d x => -ERR BITOP ANDOR must be called with at least two source keys.",
        ]);
    }
}
