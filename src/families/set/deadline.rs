//! Deadlines of members: SEXPIRE and its relatives, STTL and its relatives, SPERSIST. Ochre has
//! them beyond Redis, with the grammar and the replies of the commands for fields of hashes.

use crate::command::spec::{Command, DataRun, Group};
use crate::families::member_deadlines::{Dated, Events, MEMBERS, Words};
use crate::types::set::Set;

use super::event;

/// Table of this file.
pub const COMMANDS: &[Command<DataRun>] = &Set::ROWS;

impl Dated for Set {
    const GROUP: Group = Group::Set;
    const WORDS: Words = MEMBERS;
    const EVENTS: Events =
        Events { dated: event("sexpire"), persisted: event("spersist"), removed: event("srem") };
    const REMOVE: &'static str = "SREM";
    const SINCE: &'static str = "8.0.0";
    const NAMES: [(&'static str, &'static str); 9] = [
        ("SEXPIRE", "Lets members of a set go after some seconds; not in Redis."),
        ("SPEXPIRE", "Lets members of a set go after some milliseconds; not in Redis."),
        ("SEXPIREAT", "Lets members of a set go at a Unix time in seconds; not in Redis."),
        ("SPEXPIREAT", "Lets members of a set go at a Unix time in milliseconds; not in Redis."),
        ("STTL", "Tells how many seconds members of a set still have; not in Redis."),
        ("SPTTL", "Tells how many milliseconds members of a set still have; not in Redis."),
        (
            "SEXPIRETIME",
            "Tells the Unix times in seconds at which members of a set go; not in Redis.",
        ),
        (
            "SPEXPIRETIME",
            "Tells the Unix times in milliseconds at which members of a set go; not in Redis.",
        ),
        ("SPERSIST", "Takes the deadlines from members of a set: they stay; not in Redis."),
    ];
}
