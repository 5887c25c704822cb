//! MEMORY: where the bytes are.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    Command, Group, Key, LOADING, READONLY, STALE, at_least, exactly, integer, key,
};
use crate::keyspace::DbIndex;
use crate::protocol::error::ReplyError;

use super::Engine;
use super::client::Client;
use super::context::EngineCx;
use super::outside::{AllocatorFigures, ProcessFigures};
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

/// Bytes by what they are for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MemoryFigures {
    /// Handed out by the allocator.
    pub used: usize,
    /// The most that ever was.
    pub peak: usize,
    /// Used when everything was set up.
    pub startup: usize,
    /// Clients and their buffers.
    pub clients: usize,
    /// Tables and wheels by which keys and deadlines are found.
    pub tables: usize,
    /// Dead, but needed by a snapshot or not yet freed.
    pub held: usize,
    /// Used for anything but the data.
    pub overhead: usize,
    /// Used for keys and values.
    pub dataset: usize,
    /// Kept by the process.
    pub process: ProcessFigures,
    /// Kept by the allocator.
    pub allocator: AllocatorFigures,
}

impl MemoryFigures {
    /// Share of the data in what was allocated since the start, percent.
    pub(super) fn dataset_percentage(&self) -> f64 {
        ratio(self.dataset, self.used.saturating_sub(self.startup)) * 100.0
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
    /// Asks everybody who holds memory. O(clients + databases).
    pub(super) fn memory_figures(&mut self) -> MemoryFigures {
        let used = self.outside.memory_used();
        self.stats.memory_peak = self.stats.memory_peak.max(used);
        let clients = self.clients.iter().map(|(_, client)| Client::memory_bytes(client)).sum();
        let databases = (0..self.keyspace.db_count()).map(DbIndex);
        let tables = databases
            .map(|db| self.keyspace.table_bytes(db) + self.keyspace.timer_bytes(db))
            .sum::<usize>();
        let startup = self.identity.memory_at_start;
        let held = self.keyspace.held_bytes();
        let scripts = self.scripts.figures();
        let overhead = startup + clients + tables + held + scripts.scripts + scripts.functions;
        MemoryFigures {
            used,
            peak: self.stats.memory_peak,
            startup,
            clients,
            tables,
            held,
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
    let mut text = String::new();
    if figures.used < TELLING_BYTES {
        text.push_str("Too little memory is used to say anything about it.\n");
    } else {
        let clients = cx.engine.present_client_count();
        let remarks = [
            (
                figures.peak > figures.used + figures.used / 2,
                "The peak was much higher than the present use: the allocator may keep pages for \
                 later. MEMORY PURGE gives them back.\n",
            ),
            (
                ratio(figures.allocator.active, figures.allocator.allocated) > 1.4,
                "Allocations lie scattered over pages that are mostly empty.\n",
            ),
            (
                ratio(figures.process.rss_bytes, figures.allocator.resident) > 1.3
                    && figures.allocator.resident > 0,
                "The process holds much more memory than the allocator knows of.\n",
            ),
            (
                figures.clients / clients.max(1) > 200 * 1024,
                "Clients hold large buffers: some read slowly, or send large requests.\n",
            ),
            (
                figures.held > figures.dataset / 2,
                "Snapshots hold much that has been overwritten since: they live too long.\n",
            ),
        ];
        for (_, remark) in remarks.into_iter().filter(|(applies, _)| *applies) {
            text.push_str(remark);
        }
        if text.is_empty() {
            text.push_str("Nothing stands out in the use of memory.\n");
        }
    }
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Replied)
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
    let scripts = cx.engine.scripts.figures();
    let now = cx.engine.now.unix_ms();
    let keyspace = &cx.engine.keyspace;
    let used_dbs: Vec<DbIndex> = (0..keyspace.db_count())
        .map(DbIndex)
        .filter(|db| keyspace.figures(*db, now).keys > 0)
        .collect();
    let keys = keyspace.len();
    let allocator = figures.allocator;
    let rss = figures.process.rss_bytes;
    let before = [
        ("peak.allocated", Count(figures.peak)),
        ("total.allocated", Count(figures.used)),
        ("startup.allocated", Count(figures.startup)),
        ("replication.backlog", Count(0)),
        ("replica.fullsync.buffer", Count(0)),
        ("clients.slaves", Count(0)),
        ("clients.normal", Count(figures.clients)),
        ("cluster.links", Count(0)),
        ("aof.buffer", Count(0)),
        ("lua.caches", Count(scripts.scripts)),
        ("functions.caches", Count(scripts.functions)),
        ("script.VMs", Count(scripts.eval_state + scripts.function_state)),
    ];
    let after = [
        ("overhead.db.hashtable.lut", Count(figures.tables)),
        ("overhead.db.hashtable.rehashing", Count(0)),
        ("overhead.snapshots", Count(figures.held)),
        ("overhead.total", Count(figures.overhead)),
        ("db.dict.rehashing.count", Count(0)),
        ("keys.count", Count(keys)),
        (
            "keys.bytes-per-key",
            Count(figures.used.saturating_sub(figures.startup).checked_div(keys).unwrap_or(0)),
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

    cx.reply.map(before.len() + used_dbs.len() + after.len());
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
