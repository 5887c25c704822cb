//! MEMORY: where the bytes are.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    Command, Group, Key, LOADING, READONLY, STALE, at_least, exactly, integer, key,
};
use crate::keyspace::DbIndex;
use crate::protocol::error::ReplyError;

use super::Engine;
use super::context::EngineCx;
use super::outside::{AllocatorFigures, ProcessFigures};
use super::overheads::Overheads;
use super::registry::EngineRun::{self, Container, Engine as Run, Help};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] =
    &[Command::new("MEMORY", at_least(2), Group::Server, Container)
        .doc("4.0.0", "Holds the commands about memory.", "Depends on subcommand.")
        .subcommands(&[
            Command::new("DOCTOR", exactly(2), Group::Server, Run(memory_doctor))
                .tips(&[
                    "nondeterministic_output",
                    "request_policy:all_shards",
                    "response_policy:special",
                ])
                .doc("4.0.0", "Explains how memory is used, in words.", "O(1)"),
            Command::new("HELP", exactly(2), Group::Server, Help(HELP))
                .flags(LOADING.and(STALE))
                .doc("4.0.0", "Lists the subcommands.", "O(1)"),
            Command::new("MALLOC-STATS", exactly(2), Group::Server, Run(memory_malloc_stats))
                .tips(&[
                    "nondeterministic_output",
                    "request_policy:all_shards",
                    "response_policy:special",
                ])
                .doc(
                    "4.0.0",
                    "Returns the report of the allocator.",
                    "Depends on how much memory is allocated, could be slow",
                ),
            Command::new("PURGE", exactly(2), Group::Server, Run(memory_purge))
                .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
                .doc(
                    "4.0.0",
                    "Gives memory that is free back to the system.",
                    "Depends on how much memory is allocated, could be slow",
                ),
            Command::new("STATS", exactly(2), Group::Server, Run(memory_stats))
                .tips(&[
                    "nondeterministic_output",
                    "request_policy:all_shards",
                    "response_policy:special",
                ])
                .doc("4.0.0", "Returns figures about the use of memory.", "O(1)"),
            Command::new("USAGE", at_least(3), Group::Server, Run(memory_usage))
                .keys(&[Key::at(2, &["RO"])])
                .flags(READONLY)
                .args(&[key("key"), integer("count").token("SAMPLES").optional()])
                .doc(
                    "4.0.0",
                    "Estimates the memory that a key takes.",
                    "O(N) where N is the number of samples.",
                ),
        ])];

const HELP: &[&str] = &[
    "DOCTOR",
    "    Explain the use of memory in words.",
    "MALLOC-STATS",
    "    Show the allocator's own report.",
    "PURGE",
    "    Give free memory back to the system.",
    "STATS",
    "    Show figures about the use of memory.",
    "USAGE <key> [SAMPLES <count>]",
    "    Estimate what a key takes. Of nested values so many are looked at, five unless",
    "    told otherwise; 0 looks at all.",
];

/// Nested values that MEMORY USAGE looks at when it is not told.
const SAMPLES: usize = 5;

/// Memory below which nothing can be said about how it is used. Bytes.
const TELLING_BYTES: usize = 5 * 1024 * 1024;
/// Waste that is worth a word. Bytes.
const WASTE_BYTES: usize = 10 * 1024 * 1024;
/// What a client may take on the average. Bytes.
const CLIENT_BYTES: usize = 200 * 1024;
/// Cached scripts beyond which something is wrong with how they are made.
const SCRIPTS_MANY: usize = 1000;

/// How much is used, and what for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MemoryFigures {
    /// Handed out by the allocator.
    pub used: usize,
    /// The most that ever was.
    pub peak: usize,
    /// Used for anything but the data, by kind.
    pub overheads: Overheads,
    /// The sum of those.
    pub overhead: usize,
    /// Used for keys and values: what no overhead accounts for.
    pub dataset: usize,
    /// Kept by the process.
    pub process: ProcessFigures,
    /// Kept by the allocator.
    pub allocator: AllocatorFigures,
}

impl MemoryFigures {
    /// Share of the data in what was allocated since the start, percent.
    pub(super) fn dataset_percentage(&self) -> f64 {
        ratio(self.dataset, self.used.saturating_sub(self.overheads.startup)) * 100.0
    }

    /// Share of the present use in the peak, percent.
    pub(super) fn peak_percentage(&self) -> f64 {
        ratio(self.used, self.peak) * 100.0
    }
}

/// One number over another; 0 over nothing.
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "shown with a few digits")]
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// How many bytes one number is above another; negative when below.
pub(super) fn excess(more: usize, less: usize) -> i64 {
    let bytes = i128::try_from(more).unwrap_or(0) - i128::try_from(less).unwrap_or(0);
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Engine {
    /// O(clients + databases + commands).
    pub(super) fn memory_figures(&mut self) -> MemoryFigures {
        let used = self.outside.memory_used();
        self.stats.memory_peak = self.stats.memory_peak.max(used);
        let overheads = self.overheads();
        let overhead = overheads.total();
        MemoryFigures {
            used,
            peak: self.stats.memory_peak,
            overheads,
            overhead,
            dataset: used.saturating_sub(overhead),
            process: self.outside.process(),
            allocator: self.outside.allocator(),
        }
    }
}

fn memory_usage(cx: &mut EngineCx<'_>) -> CmdResult {
    let key = cx.args.bytes()?;
    let mut samples = SAMPLES;
    while !cx.args.is_done() {
        if cx.args.left() < 2 || !cx.args.accept("SAMPLES") {
            return Err(ReplyError::Syntax);
        }
        samples = usize::try_from(cx.args.int()?).map_err(|_| ReplyError::Syntax)?;
    }
    if samples == 0 {
        samples = usize::MAX;
    }
    let (db, now) = (cx.caller().db, cx.engine.now.unix_ms());
    match cx.engine.keyspace.reader(db, now).memory_bytes(key, samples) {
        Some(bytes) => cx.reply.count(bytes),
        None => cx.reply.null(),
    }
    Ok(Flow::Replied)
}

fn memory_purge(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.outside.purge();
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn memory_malloc_stats(cx: &mut EngineCx<'_>) -> CmdResult {
    let report = cx.engine.outside.allocator_report();
    cx.reply.verbatim(b"txt", report.as_bytes());
    Ok(Flow::Replied)
}

fn memory_doctor(cx: &mut EngineCx<'_>) -> CmdResult {
    let figures = cx.engine.memory_figures();
    let (clients, scripts) =
        (cx.engine.present_client_count(), cx.engine.scripts.figures().script_count);
    let text = diagnosis(&figures, clients, scripts);
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Replied)
}

/// What stands out, each with what may help. The verdicts and their bounds are Redis's, and one
/// about snapshots.
fn diagnosis(figures: &MemoryFigures, clients: usize, scripts: usize) -> String {
    if figures.used < TELLING_BYTES {
        return "This instance is empty or uses so little memory that nothing can be told of it. \
                Ask again when there are data.\n"
            .to_owned();
    }
    let (allocator, overheads) = (&figures.allocator, &figures.overheads);
    let rss = figures.process.rss_bytes;
    let is_above = |more: usize, less: usize, bound: f64| {
        ratio(more, less) > bound && more.saturating_sub(less) > WASTE_BYTES
    };
    let verdicts = [
        (
            ratio(figures.peak, figures.used) > 1.5,
            "Peak memory: once more than one and a half times as much was used as now. What the \
             allocator keeps of it goes back to the system in seconds, or by MEMORY PURGE. The \
             fragmentation ratio means little until then.",
        ),
        (
            is_above(rss, figures.used, 1.4),
            "High total RSS: the process holds more than 1.4 times what is used. Look at the \
             verdicts below for where it is.",
        ),
        (
            is_above(allocator.active, allocator.allocated, 1.1),
            "High allocator fragmentation: pages are partly empty. Keys are moved together in \
             the background; active-defrag-ignore-bytes says from how much on.",
        ),
        (
            is_above(allocator.resident, allocator.active, 1.1),
            "High allocator RSS overhead: the allocator keeps empty pages for a few seconds. \
             MEMORY PURGE gives them back at once.",
        ),
        (
            is_above(rss, allocator.resident, 1.1),
            "High process RSS overhead: the process holds memory that the allocator does not \
             know of, such as code and stacks.",
        ),
        (
            overheads.clients / clients.max(1) > CLIENT_BYTES,
            "Big client buffers: clients take more than 200 KB each on the average. Some read too \
             slowly or send large requests: CLIENT LIST shows them, by omem and qbuf, and \
             client-output-buffer-limit and maxmemory-clients bound them.",
        ),
        (
            scripts > SCRIPTS_MANY,
            "Many scripts: more than a thousand are cached. Scripts should take what differs as \
             arguments. SCRIPT FLUSH forgets them.",
        ),
        (
            overheads.held > figures.dataset / 2,
            "Old snapshots: they hold much that has been overwritten since. See SNAPSHOT LIST, \
             and whether a save is stuck.",
        ),
    ];
    let found: Vec<&str> =
        verdicts.iter().filter(|(applies, _)| *applies).map(|(_, text)| *text).collect();
    if found.is_empty() {
        return "No issue was found in how this instance uses memory.\n".to_owned();
    }
    let mut text = "What stands out in how this instance uses memory:\n\n".to_owned();
    for verdict in found {
        text.push_str(" * ");
        text.push_str(verdict);
        text.push_str("\n\n");
    }
    text
}

/// One figure of MEMORY STATS.
enum Figure {
    Count(usize),
    Signed(i64),
    Ratio(f64),
}

fn memory_stats(cx: &mut EngineCx<'_>) -> CmdResult {
    use Figure::{Count, Ratio, Signed};
    let figures = cx.engine.memory_figures();
    let now = cx.engine.now.unix_ms();
    let keyspace = &cx.engine.keyspace;
    let used_dbs: Vec<DbIndex> = (0..keyspace.db_count())
        .map(DbIndex)
        .filter(|db| keyspace.figures(*db, now).keys > 0)
        .collect();
    let keys = keyspace.len();
    let (allocator, overheads) = (figures.allocator, figures.overheads);
    let rss = figures.process.rss_bytes;
    let before = [
        ("peak.allocated", Count(figures.peak)),
        ("total.allocated", Count(figures.used)),
        ("startup.allocated", Count(overheads.startup)),
        ("replication.backlog", Count(0)),
        ("replica.fullsync.buffer", Count(0)),
        ("clients.slaves", Count(0)),
        ("clients.normal", Count(overheads.clients)),
        ("cluster.links", Count(0)),
        ("aof.buffer", Count(overheads.append)),
        ("lua.caches", Count(overheads.scripts)),
        ("functions.caches", Count(overheads.functions)),
        ("script.VMs", Count(overheads.lua)),
    ];
    let after = [
        ("overhead.db.hashtable.lut", Count(overheads.tables)),
        ("overhead.db.hashtable.rehashing", Count(0)),
        ("overhead.total", Count(figures.overhead)),
        ("db.dict.rehashing.count", Count(0)),
        ("keys.count", Count(keys)),
        (
            "keys.bytes-per-key",
            Count(figures.used.saturating_sub(overheads.startup).checked_div(keys).unwrap_or(0)),
        ),
        ("dataset.bytes", Count(figures.dataset)),
        ("dataset.percentage", Ratio(figures.dataset_percentage())),
        ("peak.percentage", Ratio(figures.peak_percentage())),
        ("allocator.allocated", Count(allocator.allocated)),
        ("allocator.active", Count(allocator.active)),
        ("allocator.resident", Count(allocator.resident)),
        ("allocator.muzzy", Count(allocator.muzzy)),
        ("allocator-fragmentation.ratio", Ratio(ratio(allocator.active, allocator.allocated))),
        ("allocator-fragmentation.bytes", Signed(excess(allocator.active, allocator.allocated))),
        ("allocator-rss.ratio", Ratio(ratio(allocator.resident, allocator.active))),
        ("allocator-rss.bytes", Signed(excess(allocator.resident, allocator.active))),
        ("rss-overhead.ratio", Ratio(ratio(rss, allocator.resident))),
        ("rss-overhead.bytes", Signed(excess(rss, allocator.resident))),
        ("fragmentation", Ratio(ratio(rss, figures.used))),
        ("fragmentation.bytes", Signed(excess(rss, figures.used))),
    ];
    let own = overheads.own();
    cx.reply.map(before.len() + used_dbs.len() + after.len() + own.len());
    for (name, figure) in before {
        write_figure(cx, name, &figure);
    }
    for db in used_dbs {
        let tables = (cx.engine.keyspace.table_bytes(db), cx.engine.keyspace.timer_bytes(db));
        cx.reply.bulk(format!("db.{}", db.0).as_bytes());
        cx.reply.map(2);
        write_figure(cx, "overhead.hashtable.main", &Count(tables.0));
        write_figure(cx, "overhead.hashtable.expires", &Count(tables.1));
    }
    for (name, figure) in after {
        write_figure(cx, name, &figure);
    }
    for (name, bytes) in own {
        write_figure(cx, &format!("overhead.{}", name.replace('_', ".")), &Count(bytes));
    }
    Ok(Flow::Replied)
}

fn write_figure(cx: &mut EngineCx<'_>, name: &str, figure: &Figure) {
    cx.reply.bulk(name.as_bytes());
    match figure {
        Figure::Count(count) => cx.reply.count(*count),
        Figure::Signed(value) => cx.reply.int(*value),
        Figure::Ratio(value) => cx.reply.double(*value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn sound() -> MemoryFigures {
        MemoryFigures {
            used: 100 * MIB,
            peak: 110 * MIB,
            dataset: 90 * MIB,
            process: ProcessFigures { rss_bytes: 106 * MIB, ..ProcessFigures::default() },
            allocator: AllocatorFigures {
                allocated: 100 * MIB,
                active: 102 * MIB,
                resident: 104 * MIB,
                ..AllocatorFigures::default()
            },
            ..MemoryFigures::default()
        }
    }

    #[test]
    fn the_doctor_names_what_stands_out() {
        let check = |spoil: &dyn Fn(&mut MemoryFigures), clients, scripts, expected: &[&str]| {
            let mut figures = sound();
            spoil(&mut figures);
            let text = diagnosis(&figures, clients, scripts);
            for verdict in expected {
                assert!(text.contains(&format!(" * {verdict}: ")), "{verdict}: {text}");
            }
            assert_eq!(text.matches(" * ").count(), expected.len(), "{text}");
        };
        check(&|_| {}, 1, 0, &[]);
        check(&|figures| figures.used = MIB, 1, 5000, &[]);
        check(&|figures| figures.peak = 151 * MIB, 1, 0, &["Peak memory"]);
        check(
            &|figures| figures.allocator.allocated = 80 * MIB,
            1,
            0,
            &["High allocator fragmentation"],
        );
        check(
            &|figures| figures.process.rss_bytes = 150 * MIB,
            1,
            0,
            &["High total RSS", "High process RSS overhead"],
        );
        check(
            &|figures| figures.allocator.active = 90 * MIB,
            1,
            0,
            &["High allocator RSS overhead"],
        );
        check(&|figures| figures.overheads.clients = MIB, 5, 0, &["Big client buffers"]);
        check(&|figures| figures.overheads.clients = MIB, 6, 1001, &["Many scripts"]);
        check(&|figures| figures.overheads.held = 46 * MIB, 1, 0, &["Old snapshots"]);
    }
}
