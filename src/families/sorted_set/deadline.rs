//! Deadlines of members: ZEXPIRE and its relatives, ZTTL and its relatives, ZPERSIST. Ochre has
//! them beyond Redis, with the grammar and the replies of the commands for fields of hashes.

use crate::command::spec::{Command, DataRun, Group};
use crate::families::member_deadlines::{Dated, Events, MEMBERS, Words};
use crate::types::sorted_set::SortedSet;

use super::event;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &SortedSet::ROWS;

impl Dated for SortedSet {
    const GROUP: Group = Group::SortedSet;
    const WORDS: Words = MEMBERS;
    const EVENTS: Events =
        Events { dated: event("zexpire"), persisted: event("zpersist"), removed: event("zrem") };
    const REMOVE: &'static str = "ZREM";
    const SINCE: &'static str = "8.0.0";
    const NAMES: [(&'static str, &'static str); 9] = [
        ("ZEXPIRE", "Lets members of a sorted set go after some seconds; not in Redis."),
        ("ZPEXPIRE", "Lets members of a sorted set go after some milliseconds; not in Redis."),
        ("ZEXPIREAT", "Lets members of a sorted set go at a Unix time in seconds; not in Redis."),
        (
            "ZPEXPIREAT",
            "Lets members of a sorted set go at a Unix time in milliseconds; not in Redis.",
        ),
        ("ZTTL", "Tells how many seconds members of a sorted set still have; not in Redis."),
        ("ZPTTL", "Tells how many milliseconds members of a sorted set still have; not in Redis."),
        (
            "ZEXPIRETIME",
            "Tells the Unix times in seconds at which members of a sorted set go; not in Redis.",
        ),
        (
            "ZPEXPIRETIME",
            "Tells the Unix times in milliseconds at which members of a sorted set go; not in Redis.",
        ),
        ("ZPERSIST", "Takes the deadlines from members of a sorted set: they stay; not in Redis."),
    ];
}
