//! Deadlines of fields: HEXPIRE and its relatives, HTTL and its relatives, HPERSIST.

use crate::command::spec::{Command, DataRun, Group, block, integer, text};
use crate::families::member_deadlines::{Dated, Events, Words};
use crate::types::hash::Hash;

use super::{HDEL, HEXPIRE, HPERSIST};

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &Hash::ROWS;

impl Dated for Hash {
    const GROUP: Group = Group::Hash;
    const WORDS: Words = Words {
        token: "FIELDS",
        block: block("fields", &[integer("numfields"), text("field").repeated()]).token("FIELDS"),
        no_token: "ERR Mandatory argument FIELDS is missing or not at the right position",
        other_count: "ERR The `numfields` parameter must match the number of arguments",
        no_number: "ERR Parameter `numFields` should be greater than 0",
        not_positive: "ERR Number of fields must be a positive integer",
    };
    const EVENTS: Events = Events { dated: HEXPIRE, persisted: HPERSIST, removed: HDEL };
    const REMOVE: &'static str = "HDEL";
    const SINCE: &'static str = "7.4.0";
    const NAMES: [(&'static str, &'static str); 9] = [
        ("HEXPIRE", "Lets fields go after some seconds."),
        ("HPEXPIRE", "Lets fields go after some milliseconds."),
        ("HEXPIREAT", "Lets fields go at a Unix time in seconds."),
        ("HPEXPIREAT", "Lets fields go at a Unix time in milliseconds."),
        ("HTTL", "Tells how many seconds fields still have."),
        ("HPTTL", "Tells how many milliseconds fields still have."),
        ("HEXPIRETIME", "Tells the Unix times in seconds at which fields go."),
        ("HPEXPIRETIME", "Tells the Unix times in milliseconds at which fields go."),
        ("HPERSIST", "Takes the deadlines from fields: they stay."),
    ];
}

#[cfg(test)]
mod tests {
    use crate::base::time::UnixMillis;
    use crate::families::bench::Bench;
    use crate::keyspace::Expiry;

    fn bench(entries: usize) -> Bench {
        let mut bench = Bench::new();
        bench.limits.encodings.hash_pack_entries = entries;
        bench
    }

    #[test]
    fn deadlines_are_set_shown_and_taken() {
        for entries in [512, 0] {
            bench(entries).check(&[
                "hset h a 1 b 2 c 3 => :3",
                "hexpire h 100 fields 2 a nosuch => [:1 :-2]",
                "hpexpire h 1400 fields 1 b => [:1]",
                "httl h fields 4 a b c nosuch => [:100 :2 :-1 :-2]",
                "hpttl h fields 2 a b => [:100000 :1400]",
                "hexpiretime h fields 2 a b => [:1795000100 :1795000002]",
                "hpexpiretime h fields 2 a b => [:1795000100000 :1795000001400]",
                "hpersist h fields 3 a c nosuch => [:1 :-1 :-2]",
                "hpersist h fields 2 a b => [:-1 :1]",
                "hexpireat h 1795000007 fields 1 a => [:1]",
                "hpexpireat h 1795000007001 fields 1 b => [:1]",
                "hpttl h fields 2 a b => [:7000 :7001]",
                "hexpire h 0 fields 3 a a nosuch => [:2 :-2 :-2]",
                "hexpireat h 1 fields 2 b c => [:2 :2]",
                "exists h => :0",
                "hexpire h 100 fields 2 a b => [:-2 :-2]",
                "httl h fields 1 a => [:-2]",
                "hpersist h fields 1 a => [:-2]",
            ]);
        }
    }

    #[test]
    fn conditions_decide() {
        for entries in [512, 0] {
            bench(entries).check(&[
                "hset h a 1 b 2 => :2",
                "hexpire h 100 xx fields 1 a => [:0]",
                "hexpire h 100 gt fields 1 a => [:0]",
                "hexpire h 100 lt fields 1 a => [:1]",
                "hexpire h 200 nx fields 2 a b => [:0 :1]",
                "hexpire h 150 gt fields 2 a b => [:1 :0]",
                "hexpire h 150 gt fields 1 a => [:0]",
                "hexpire h 150 lt fields 2 a b => [:0 :1]",
                "hexpire h 0 nx fields 1 a => [:0]",
                "hexpire h 0 gt fields 1 a => [:0]",
                "hexpire h 0 lt fields 1 a => [:2]",
            ]);
        }
    }

    #[test]
    fn encodings_and_order_are_those_of_redis() {
        Bench::new().check(&[
            "hset h a 1 b 2 c 3 => :3",
            "hexpire h 100 fields 1 nosuch => [:-2]",
            r#"object encoding h => "listpackex""#,
            "hpexpire h 100000 fields 1 b => [:1]",
            r#"hgetall h => ["b" "2" "a" "1" "c" "3"]"#,
            "hpexpire h 50000 fields 1 c => [:1]",
            "hset h d 4 => :1",
            "hpexpire h 200000 fields 1 d => [:1]",
            r#"hgetall h => ["c" "3" "b" "2" "d" "4" "a" "1"]"#,
            "hpexpire h 100000 fields 1 a => [:1]",
            r#"hgetall h => ["c" "3" "a" "1" "b" "2" "d" "4"]"#,
            "hset h b 9 => :0",
            "hpersist h fields 1 c => [:1]",
            r#"hgetall h => ["a" "1" "d" "4" "b" "9" "c" "3"]"#,
            "hset p a 1 => :1",
            "hpersist p fields 1 a => [:-1]",
            r#"object encoding p => "listpack""#,
        ]);
    }

    #[test]
    fn bad_calls_are_refused_as_by_redis() {
        Bench::new().check(&[
            "set str x => +OK",
            "hexpire str x foo 1 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "httl str foo 1 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "hpersist str fields 0 a => -WRONGTYPE Operation against a key holding the wrong kind of value",
            "hset h a 1 => :1",
            "hexpire h x foo 1 a => -ERR value is not an integer or out of range",
            "hexpire h -1 nx foo 1 a => -ERR invalid expire time, must be >= 0",
            "hexpire h 9223372036854775807 foo 1 a => -ERR invalid expire time in 'hexpire' command",
            "hpexpire h 70368744177664 fields 1 a => -ERR invalid expire time in 'hpexpire' command",
            "hpexpireat h 70368744177664 fields 1 a => -ERR invalid expire time in 'hpexpireat' command",
            "hpexpireat h 70368744177663 fields 1 a => [:1]",
            "hexpire h 100 nx xx fields 1 a => -ERR Mandatory argument FIELDS is missing or not at the right position",
            "hexpire h 100 foo 1 a => -ERR Mandatory argument FIELDS is missing or not at the right position",
            "hexpire h 100 fields 0 a => -ERR Parameter `numFields` should be greater than 0",
            "hexpire h 100 fields x a => -ERR Parameter `numFields` should be greater than 0",
            "hexpire h 100 fields 2 a => -ERR The `numfields` parameter must match the number of arguments",
            "hexpire h 100 nx fields 1 => -ERR The `numfields` parameter must match the number of arguments",
            "httl h fields 0 a => -ERR Number of fields must be a positive integer",
            "httl nokey fields 2 a => -ERR The `numfields` parameter must match the number of arguments",
            "hpersist h 1 fields a => -ERR Mandatory argument FIELDS is missing or not at the right position",
        ]);
    }

    #[test]
    fn a_follower_lets_its_primary_decide() {
        for entries in [512, 0] {
            let mut bench = bench(entries);
            bench.keyspace.set_expiry(Expiry::Followed);
            bench.check(&["hset h a 1 b 2 => :2", "hpexpireat h 0 fields 1 a => [:1]"]);
            bench.now = UnixMillis(bench.now.0 + 1);
            bench.keyspace.expire_due(bench.now, 100);
            bench.check(&[
                "hget h a => nil",
                "hlen h => :2",
                "hincrby h a 4 => :5",
                "hpersist h fields 1 a => [:1]",
                r#"hget h a => "5""#,
            ]);
        }
    }
}
