//! Delays worth remembering: what took long, when, and how long. LATENCY shows them.

use std::collections::VecDeque;
use std::fmt::Write;

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, Command, Group, LOADING, NOSCRIPT, STALE, at_least, exactly, text,
};
use crate::protocol::error::ReplyError;

use super::Engine;
use super::context::EngineCx;
use super::registry::EngineRun::{self, Container, Engine as Run, Help};
use super::registry::RowIndex;

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] = &[Command::new(
    "LATENCY",
    at_least(2),
    Group::Server,
    Container,
)
.doc("2.8.13", "Holds the commands about delays.", "Depends on subcommand.")
.subcommands(&[
    Command::new("DOCTOR", exactly(2), Group::Server, Run(latency_doctor))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc("2.8.13", "Explains the delays seen, in words.", "O(1)"),
    Command::new("GRAPH", exactly(3), Group::Server, Run(latency_graph))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("event")])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc("2.8.13", "Draws the delays of an event.", "O(1)"),
    Command::new("HELP", exactly(2), Group::Server, Help(HELP)).flags(LOADING.and(STALE)).doc(
        "2.8.13",
        "Lists the subcommands.",
        "O(1)",
    ),
    Command::new("HISTOGRAM", at_least(2), Group::Server, Run(latency_histogram))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("command").optional().repeated()])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc(
            "7.0.0",
            "Returns the distribution of the durations of commands.",
            "O(N) where N is the number of commands with latency information being retrieved.",
        ),
    Command::new("HISTORY", exactly(3), Group::Server, Run(latency_history))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("event")])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc("2.8.13", "Returns the samples of an event.", "O(1)"),
    Command::new("LATEST", exactly(2), Group::Server, Run(latency_latest))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"])
        .doc("2.8.13", "Returns the latest and the longest delay of each event.", "O(1)"),
    Command::new("RESET", at_least(2), Group::Server, Run(latency_reset))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
        .args(&[text("event").optional().repeated()])
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"])
        .doc("2.8.13", "Forgets the samples of all events, or of some.", "O(1)"),
])];

const HELP: &[&str] = &[
    "DOCTOR",
    "    Explain the delays in words.",
    "GRAPH <event>",
    "    Draw the samples of an event.",
    "HISTOGRAM [<command> ...]",
    "    Show how the durations of commands are distributed.",
    "HISTORY <event>",
    "    Show the samples of an event.",
    "LATEST",
    "    Show the latest and the longest delay of each event.",
    "RESET [<event> ...]",
    "    Forget the samples of the named events, or of all.",
];

/// Samples remembered per event.
const SAMPLES_MAX: usize = 160;

/// What can take long. The names are those of Redis, as dashboards know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Delay {
    /// A command that is expected to take a while at times.
    Command,
    /// A command of constant or logarithmic time.
    FastCommand,
    /// A round of removing expired keys.
    ExpireCycle,
    /// A round of removing keys to make room.
    EvictionCycle,
    /// A slice of moving keys together.
    Compaction,
    /// Writing changes to the append-only file.
    LogWrite,
    /// Writing changes to the append-only file and syncing it before anybody gets a reply.
    LogSync,
}

impl Delay {
    const ALL: [Self; 7] = [
        Self::Command,
        Self::FastCommand,
        Self::ExpireCycle,
        Self::EvictionCycle,
        Self::Compaction,
        Self::LogWrite,
        Self::LogSync,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::FastCommand => "fast-command",
            Self::ExpireCycle => "expire-cycle",
            Self::EvictionCycle => "eviction-cycle",
            Self::Compaction => "active-defrag-cycle",
            Self::LogWrite => "aof-write",
            Self::LogSync => "aof-fsync-always",
        }
    }

    fn of(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|delay| delay.name().as_bytes() == name)
    }

    /// What may help against it.
    const fn advice(self) -> &'static str {
        match self {
            Self::Command => {
                "Look at SLOWLOG GET for the commands, and split those that visit many elements."
            }
            Self::FastCommand => {
                "Such commands are short by themselves: the machine was busy or short of memory."
            }
            Self::ExpireCycle => {
                "Many keys ended at the same moment: spread their times to live a little."
            }
            Self::EvictionCycle => "The data set is at maxmemory: give it more, or keep less.",
            Self::Compaction => "Lower active-defrag-cycle-us, or active-defrag-cycle-max.",
            Self::LogWrite => {
                "The disk was busy: let no-appendfsync-on-rewrite spare it, or give it less to do."
            }
            Self::LogSync => "Every reply waits for the disk: appendfsync everysec does not.",
        }
    }
}

/// The longest delay of an event within one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    unix_seconds: i64,
    ms: u64,
}

/// Delays of one event.
#[derive(Debug, Default)]
struct Series {
    /// Oldest first.
    samples: VecDeque<Sample>,
    longest_ms: u64,
}

/// Delays of all events.
#[derive(Debug)]
pub(super) struct Latency {
    threshold_nanos: u64,
    series: [Series; Delay::ALL.len()],
}

impl Default for Latency {
    fn default() -> Self {
        Self { threshold_nanos: u64::MAX, series: Default::default() }
    }
}

impl Latency {
    /// `latency-monitor-threshold`; 0 switches sampling off.
    pub(super) fn obey(&mut self, threshold_ms: u64) {
        self.threshold_nanos = match threshold_ms {
            0 => u64::MAX,
            threshold => threshold.saturating_mul(1_000_000),
        };
    }

    /// From how many nanoseconds on a delay is remembered.
    #[inline]
    pub(super) fn threshold_nanos(&self) -> u64 {
        self.threshold_nanos
    }

    /// Notes a delay if it is long enough.
    pub(super) fn note(&mut self, delay: Delay, nanos: u64, unix_seconds: i64) {
        if nanos < self.threshold_nanos {
            return;
        }
        let ms = nanos / 1_000_000;
        let series = &mut self.series[delay as usize];
        series.longest_ms = series.longest_ms.max(ms);
        match series.samples.back_mut() {
            Some(latest) if latest.unix_seconds == unix_seconds => latest.ms = latest.ms.max(ms),
            _ => {
                if series.samples.len() == SAMPLES_MAX {
                    series.samples.pop_front();
                }
                series.samples.push_back(Sample { unix_seconds, ms });
            }
        }
    }

    fn of(&self, delay: Delay) -> &Series {
        &self.series[delay as usize]
    }

    /// Events with samples.
    fn seen(&self) -> impl Iterator<Item = Delay> + '_ {
        Delay::ALL.into_iter().filter(|delay| !self.of(*delay).samples.is_empty())
    }

    /// Forgets an event; whether there was something to forget.
    fn forget(&mut self, delay: Delay) -> bool {
        let series = std::mem::take(&mut self.series[delay as usize]);
        !series.samples.is_empty()
    }
}

fn latency_latest(cx: &mut EngineCx<'_>) -> CmdResult {
    let latency = &cx.engine.latency;
    cx.reply.array(latency.seen().count());
    for delay in latency.seen() {
        let series = latency.of(delay);
        cx.reply.array(4);
        cx.reply.bulk(delay.name().as_bytes());
        if let Some(latest) = series.samples.back() {
            cx.reply.int(latest.unix_seconds);
            cx.reply.uint(latest.ms);
            cx.reply.uint(series.longest_ms);
        }
    }
    Ok(Flow::Replied)
}

fn latency_history(cx: &mut EngineCx<'_>) -> CmdResult {
    let Some(delay) = Delay::of(cx.args.bytes()?) else {
        cx.reply.array(0);
        return Ok(Flow::Replied);
    };
    let samples = &cx.engine.latency.of(delay).samples;
    cx.reply.array(samples.len());
    for sample in samples {
        cx.reply.array(2);
        cx.reply.int(sample.unix_seconds);
        cx.reply.uint(sample.ms);
    }
    Ok(Flow::Replied)
}

fn latency_reset(cx: &mut EngineCx<'_>) -> CmdResult {
    let delays: Vec<Delay> = if cx.args.is_done() {
        Delay::ALL.to_vec()
    } else {
        cx.args.rest().filter_map(Delay::of).collect()
    };
    let forgotten = delays.into_iter().filter(|delay| cx.engine.latency.forget(*delay)).count();
    cx.reply.count(forgotten);
    Ok(Flow::Replied)
}

fn latency_graph(cx: &mut EngineCx<'_>) -> CmdResult {
    let name = cx.args.bytes()?;
    let seen = Delay::of(name).filter(|delay| !cx.engine.latency.of(*delay).samples.is_empty());
    let Some(delay) = seen else {
        let name = String::from_utf8_lossy(name);
        let text = format!("ERR No samples available for event '{name}'");
        return Err(ReplyError::Text(text.into()));
    };
    let now = cx.engine.now.unix_seconds();
    let text = drawing(delay, cx.engine.latency.of(delay), now);
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Replied)
}

/// Rows of a drawing, the lowest for the shortest delay.
const ROWS: u64 = 4;
/// Newest samples that are drawn.
const COLUMNS: usize = 80;

/// One column per sample, its age below it.
fn drawing(delay: Delay, series: &Series, now: i64) -> String {
    let first = series.samples.len().saturating_sub(COLUMNS);
    let shown: Vec<Sample> = series.samples.iter().skip(first).copied().collect();
    let low = shown.iter().map(|sample| sample.ms).min().unwrap_or(0);
    let high = shown.iter().map(|sample| sample.ms).max().unwrap_or(0);
    let mut text = format!(
        "{} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        delay.name(),
        series.longest_ms,
        "-".repeat(COLUMNS),
    );
    let step = (high - low).div_ceil(ROWS).max(1);
    for row in (0..ROWS).rev() {
        for sample in &shown {
            let height = ((sample.ms - low) / step).min(ROWS - 1);
            text.push(match height.cmp(&row) {
                std::cmp::Ordering::Less => ' ',
                std::cmp::Ordering::Equal => '_',
                std::cmp::Ordering::Greater => '|',
            });
        }
        text.push('\n');
    }
    text.push('\n');
    let ages: Vec<String> = shown.iter().map(|sample| age(now - sample.unix_seconds)).collect();
    let digits = ages.iter().map(String::len).max().unwrap_or(0);
    for place in 0..digits {
        let column =
            ages.iter().map(|age| age.as_bytes().get(place).map_or(' ', |b| char::from(*b)));
        text.extend(column);
        text.push('\n');
    }
    text
}

/// A duration in the unit that keeps it short.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn latency_doctor(cx: &mut EngineCx<'_>) -> CmdResult {
    let latency = &cx.engine.latency;
    let mut text = String::new();
    if cx.engine.config.latency_monitor_threshold == 0 {
        text.push_str(
            "Nothing is being measured: set latency-monitor-threshold to the number of \
             milliseconds from which on a delay counts.\n",
        );
    }
    for delay in latency.seen() {
        let series = latency.of(delay);
        let count = series.samples.len() as u64;
        let mean = series.samples.iter().map(|sample| sample.ms).sum::<u64>() / count.max(1);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}: {count} samples, {mean} ms on average, {} ms at most. {}",
            delay.name(),
            series.longest_ms,
            delay.advice(),
        );
    }
    if text.is_empty() {
        text.push_str("No delay has reached latency-monitor-threshold.\n");
    }
    cx.reply.verbatim(b"txt", text.as_bytes());
    Ok(Flow::Replied)
}

fn latency_histogram(cx: &mut EngineCx<'_>) -> CmdResult {
    let registry = &cx.engine.registry;
    let mut rows: Vec<RowIndex> = Vec::new();
    let mut add = |index: RowIndex| {
        let children = registry.row(index).children.iter().copied();
        rows.extend(std::iter::once(index).chain(children));
    };
    if cx.args.is_done() {
        registry.commands().for_each(&mut add);
    } else {
        cx.args.rest().filter_map(|name| registry.find_full(name)).for_each(&mut add);
    }
    rows.retain(|index| registry.row(*index).stats.histogram.total() > 0);

    cx.reply.map(rows.len());
    for index in rows {
        let row = registry.row(index);
        cx.reply.bulk(row.full_name.as_bytes());
        cx.reply.map(2);
        cx.reply.bulk(b"calls");
        cx.reply.uint(row.stats.histogram.total());
        cx.reply.bulk(b"histogram_usec");
        let counts = row.stats.histogram.cumulative_us();
        cx.reply.map(counts.len());
        for (power_us, count) in counts {
            cx.reply.uint(printed_bound(power_us));
            cx.reply.uint(count);
        }
    }
    Ok(Flow::Replied)
}

/// Redis's bounds double in units of 1024 ns and include what its two digits of precision can't
/// tell apart, so that 16 is followed by 33, 66, 132.
fn printed_bound(power_us: u64) -> u64 {
    let nanos = power_us * 1024;
    (nanos + nanos / 128 - 1) / 1000
}

impl Engine {
    /// Notes a delay of the server itself.
    pub(super) fn note_delay(&mut self, delay: Delay, nanos: u64) {
        self.latency.note(delay, nanos, self.now.unix_seconds());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_per_second_keeps_the_longest() {
        let mut latency = Latency::default();
        latency.note(Delay::Command, u64::MAX - 1, 1);
        assert_eq!(latency.seen().count(), 0, "sampling is off at first");
        latency.obey(10);
        for (second, ms) in [(1, 9), (2, 10), (2, 30), (2, 20), (3, 11)] {
            latency.note(Delay::Command, ms * 1_000_000, second);
        }
        let samples: Vec<_> =
            latency.of(Delay::Command).samples.iter().map(|s| (s.unix_seconds, s.ms)).collect();
        assert_eq!(samples, [(2, 30), (3, 11)]);
        assert_eq!(latency.of(Delay::Command).longest_ms, 30);
        assert!(latency.forget(Delay::Command) && !latency.forget(Delay::Command));
    }

    #[test]
    fn bounds_are_those_of_redis() {
        let bounds: Vec<u64> = (0..9).map(|power| printed_bound(1 << power)).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 33, 66, 132, 264]);
    }

    #[test]
    fn drawings_have_a_column_per_sample() {
        let samples = [(100, 10), (101, 50), (102, 30)];
        let samples = samples.map(|(unix_seconds, ms)| Sample { unix_seconds, ms });
        let series = Series { samples: samples.into(), longest_ms: 50 };
        let text = drawing(Delay::Command, &series, 110);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines, [" _ ", " |_", " ||", "_||", "", "198", "0ss", "s  "]);
    }
}
