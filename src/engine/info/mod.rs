//! INFO: the table of sections and how they are chosen.

mod activity;
mod commands;
mod memory;
mod persistence;
mod server;
mod text;

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{Command, Group, LOADING, STALE, at_least, text};

use super::Engine;
use super::context::EngineCx;
use super::registry::EngineRun::{self, Engine as Run};
use text::Text;

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] =
    &[Command::new("INFO", at_least(1), Group::Server, Run(info))
        .flags(LOADING.and(STALE))
        .categories(&["dangerous"])
        .args(&[text("section").optional().repeated()])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .history(&[("7.0.0", "Takes several sections.")])
        .doc("1.0.0", "Reports figures about the server.", "O(1)")];

/// When a section is shown without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Always.
    ByDefault,
    /// With `all` and `everything`.
    WithAll,
}

/// One section.
struct Section {
    name: &'static str,
    shown: Shown,
    write: fn(&mut Engine, &mut Text),
}

const fn section(name: &'static str, shown: Shown, write: fn(&mut Engine, &mut Text)) -> Section {
    Section { name, shown, write }
}

/// All sections, in the order they are printed.
const SECTIONS: &[Section] = &[
    section("Server", Shown::ByDefault, server::server),
    section("Clients", Shown::ByDefault, activity::clients),
    section("Memory", Shown::ByDefault, memory::memory),
    section("Persistence", Shown::ByDefault, persistence::persistence),
    section("Threads", Shown::ByDefault, activity::threads),
    section("Stats", Shown::ByDefault, activity::stats),
    section("Replication", Shown::ByDefault, persistence::replication),
    section("CPU", Shown::ByDefault, server::cpu),
    section("Modules", Shown::ByDefault, |_, _| {}),
    section("Commandstats", Shown::WithAll, commands::calls),
    section("Errorstats", Shown::ByDefault, commands::errors),
    section("Latencystats", Shown::WithAll, commands::latencies),
    section("Cluster", Shown::ByDefault, persistence::cluster),
    section("Keyspace", Shown::ByDefault, persistence::keyspace),
];

fn info(cx: &mut EngineCx<'_>) -> CmdResult {
    let wanted: Vec<Vec<u8>> = cx.args.rest().map(<[u8]>::to_ascii_lowercase).collect();
    let mut text = Text::default();
    for section in SECTIONS {
        let is_wanted = |word: &Vec<u8>| match word.as_slice() {
            b"all" | b"everything" => true,
            b"default" => section.shown == Shown::ByDefault,
            name => section.name.as_bytes().eq_ignore_ascii_case(name),
        };
        let by_default = wanted.is_empty() && section.shown == Shown::ByDefault;
        if by_default || wanted.iter().any(is_wanted) {
            text.head(section.name);
            (section.write)(cx.engine, &mut text);
        }
    }
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Replied)
}
