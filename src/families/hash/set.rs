//! Setting and removing fields: HSET, HSETNX, HMSET, HDEL.

use crate::command::context::{CmdResult, Flow, WriteCx};
use crate::command::spec::DataRun::{self, Write};
use crate::command::spec::{
    Command, DENY_OOM, FAST, Group, Key, at_least, block, exactly, key, text,
};
use crate::keyspace::journal::Change;
use crate::protocol::error::ReplyError;
use crate::types::hash::{Hash, Lifetime};

use super::{HDEL, HSET, limits, value};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &[
    Command::new("HSET", at_least(4), Group::Hash, Write(hset))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), block("data", &[text("field"), text("value")]).repeated()])
        .doc("2.0.0", "Sets fields of a hash and counts the new ones.", "O(1) per field"),
    Command::new("HSETNX", exactly(4), Group::Hash, Write(hsetnx))
        .keys(&[Key::at(1, &["RW", "insert"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), text("field"), text("value")])
        .doc("2.0.0", "Sets a field of a hash unless it is there.", "O(1)"),
    Command::new("HMSET", at_least(4), Group::Hash, Write(hmset))
        .keys(&[Key::at(1, &["RW", "update"])])
        .flags(DENY_OOM.and(FAST))
        .args(&[key("key"), block("data", &[text("field"), text("value")]).repeated()])
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
        .doc("2.0.0", "Sets fields of a hash.", "O(N)"),
    Command::new("HDEL", at_least(3), Group::Hash, Write(hdel))
        .keys(&[Key::at(1, &["RW", "delete"])])
        .flags(FAST)
        .args(&[key("key"), text("field").repeated()])
        .doc("2.0.0", "Removes fields of a hash; the last one takes the key along.", "O(N)"),
];

fn hset(cx: &mut WriteCx<'_>) -> CmdResult {
    let added = set_all(cx, "hset")?;
    cx.reply.count(added);
    Ok(Flow::Replied)
}

fn hmset(cx: &mut WriteCx<'_>) -> CmdResult {
    set_all(cx, "hmset")?;
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// Sets the pairs of the request; how many fields are new.
fn set_all(cx: &mut WriteCx<'_>, command: &str) -> Result<usize, ReplyError> {
    let WriteCx { args, keys, .. } = cx;
    let (key, limits) = (args.word(1), limits(cx.limits));
    let count = args.word_count() / 2 - 1;
    if args.word_count() % 2 != 0 {
        return Err(ReplyError::WrongArity(command.into()));
    }

    keys.expire_named(key, args.words().skip(2).step_by(2));
    let added = keys.upsert(key, |hash: &mut Hash, epochs| {
        hash.reserve(count, limits, epochs);
        let places = (2..args.word_count()).step_by(2);
        let set = |at| {
            let (name, value) = (args.word(at), value(args, at + 1));
            hash.set(name, value, Lifetime::Forever, limits, epochs)
        };
        (places.map(set).filter(|is_new| *is_new).count(), Change::Did(HSET, count as u64))
    })?;
    Ok(added)
}

fn hsetnx(cx: &mut WriteCx<'_>) -> CmdResult {
    let WriteCx { args, keys, .. } = cx;
    let (key, name, limits) = (args.word(1), args.word(2), limits(cx.limits));

    keys.expire_named(key, std::iter::once(name));
    let is_set = keys.upsert(key, |hash: &mut Hash, epochs| {
        if hash.get(name).is_some() {
            return (false, Change::None);
        }
        hash.set(name, value(args, 3), Lifetime::Forever, limits, epochs);
        (true, Change::Did(HSET, 1))
    })?;

    cx.reply.flag(is_set);
    Ok(Flow::Replied)
}

fn hdel(cx: &mut WriteCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let names = cx.args.rest();

    cx.keys.expire_named(key, names.clone());
    let removed = cx.keys.update(key, |hash: &mut Hash, epochs| {
        let removed = names.filter(|name| hash.remove(name, epochs)).count();
        let change = match removed {
            0 => Change::None,
            _ => Change::Did(HDEL, removed as u64),
        };
        (removed, change)
    })?;

    cx.reply.count(removed.unwrap_or(0));
    Ok(Flow::Replied)
}

#[cfg(test)]
mod tests {
    use crate::families::bench::Bench;
    use crate::protocol::reply::Dialect;

    #[test]
    fn fields_are_set_and_removed() {
        Bench::new().check(&[
            "hset h a 1 b 2 => :2",
            "hset h a 3 c 4 c 5 => :1",
            r#"hgetall h => ["a" "3" "b" "2" "c" "5"]"#,
            "hset h a => -ERR wrong number of arguments for 'hset' command",
            "hset h a 1 b => -ERR wrong number of arguments for 'hset' command",
            "hmset h a 1 b => -ERR wrong number of arguments for 'hmset' command",
            "hmset h d 6 => +OK",
            "hsetnx h d 7 => :0",
            "hsetnx h e 7 => :1",
            "hdel h nosuch => :0",
            "hdel h a a b c d => :4",
            "hlen h => :1",
            "hdel h e => :1",
            "exists h => :0",
            "hdel h e => :0",
        ]);
    }

    #[test]
    fn encodings_are_those_of_redis() {
        let mut bench = Bench::new();
        bench.limits.encodings.hash_pack_entries = 3;
        bench.limits.encodings.hash_pack_value = 4;
        bench.check(&[
            "hset j a 1 b 2 c 3 => :3",
            r#"object encoding j => "listpack""#,
            "hset k a 1 a 2 a 3 a 4 => :1",
            r#"object encoding k => "hashtable""#,
            "hset n abcd 1234 => :1",
            r#"object encoding n => "listpack""#,
            "hset n abc 12345 => :1",
            r#"object encoding n => "hashtable""#,
            "hset o a 1 => :1",
            "hincrby o a 99999 => :100000",
            r#"object encoding o => "hashtable""#,
            "hset p a 1 => :1",
            r#"hincrbyfloat p a 1.123456 => "2.123456""#,
            r#"object encoding p => "hashtable""#,
            "hsetnx j a 12345 => :0",
            r#"object encoding j => "listpack""#,
            "hset j d 4 => :1",
            r#"object encoding j => "hashtable""#,
            "hdel j a b c => :3",
            r#"object encoding j => "hashtable""#,
        ]);
    }

    #[test]
    fn maps_are_maps_in_resp3() {
        let mut bench = Bench::new();
        bench.dialect = Dialect::Resp3;
        bench.check(&[
            "hgetall h => {}",
            "hset h a 1 => :1",
            r#"hgetall h => {"a" "1"}"#,
            r#"hkeys h => ["a"]"#,
            r#"hvals h => ["1"]"#,
            "hget h b => nil",
            r#"hrandfield h 1 withvalues => [["a" "1"]]"#,
            r#"hscan h 0 => ["0" ["a" "1"]]"#,
        ]);
    }
}
