//! Figures per command and per error.

use crate::engine::Engine;
use crate::engine::registry::Row;

use super::text::Text;

pub(super) fn calls(engine: &mut Engine, text: &mut Text) {
    for row in engine.registry.rows() {
        let stats = &row.stats;
        if stats.calls == 0 && stats.rejected == 0 && stats.failed == 0 {
            continue;
        }
        #[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
        let mean_us = stats.nanos as f64 / 1000.0 / stats.calls.max(1) as f64;
        text.add(format_args!(
            "cmdstat_{}:calls={},usec={},usec_per_call={mean_us:.2},rejected_calls={},\
             failed_calls={}",
            safe_name(row),
            stats.calls,
            stats.nanos / 1000,
            stats.rejected,
            stats.failed
        ));
    }
}

pub(super) fn errors(engine: &mut Engine, text: &mut Text) {
    for (code, count) in &engine.stats.errors_by_code {
        text.add(format_args!("errorstat_{}:count={count}", safe(code)));
    }
}

pub(super) fn latencies(engine: &mut Engine, text: &mut Text) {
    if !engine.config.latency_tracking {
        return;
    }
    for row in engine.registry.rows() {
        let histogram = &row.stats.histogram;
        if histogram.total() == 0 {
            continue;
        }
        let percentiles: Vec<String> = engine
            .config
            .latency_tracking_info_percentiles
            .0
            .iter()
            .map(|percent| {
                #[allow(clippy::cast_precision_loss, reason = "shown with three decimals")]
                let micros = histogram.percentile(*percent) as f64 / 1000.0;
                format!("p{percent}={micros:.3}")
            })
            .collect();
        text.add(format_args!(
            "latency_percentiles_usec_{}:{}",
            safe_name(row),
            percentiles.join(",")
        ));
    }
}

fn safe_name(row: &Row) -> String {
    safe(&row.full_name)
}

/// A name without what would end a line or split it at the wrong place.
fn safe(name: &str) -> String {
    name.replace(['#', ':', '\n', '\r'], "_")
}
