//! What is kept: on disk, at replicas, in the databases.

use crate::engine::Engine;
use crate::engine::append::writing::LogState;
use crate::keyspace::DbIndex;

use super::text::Text;

/// Loading and saves; no log is kept.
pub(super) fn persistence(engine: &mut Engine, text: &mut Text) {
    let saves = engine.save_figures();
    text.line("loading", u8::from(engine.is_loading()));
    text.line("async_loading", 0);
    text.line("current_cow_peak", saves.held_bytes_max);
    text.line("current_cow_size", saves.held_bytes);
    text.line("current_cow_size_age", 0);
    text.decimal("current_fork_perc", percent(saves.keys_done, saves.keys_total as u64), 2);
    text.line("current_save_keys_processed", saves.keys_done);
    text.line("current_save_keys_total", saves.keys_total);
    text.line("rdb_changes_since_last_save", saves.changes);
    text.line("rdb_bgsave_in_progress", u8::from(saves.is_saving));
    text.line("rdb_last_save_time", saves.last_success_s);
    text.line("rdb_last_bgsave_status", if saves.has_failed { "err" } else { "ok" });
    text.seconds_or_none("rdb_last_bgsave_time_sec", saves.last_duration_s);
    text.seconds_or_none("rdb_current_bgsave_time_sec", saves.duration_s);
    text.line("rdb_saves", engine.stats.rdb_saves);
    text.line("rdb_last_cow_size", saves.last_held_bytes);
    text.line("rdb_last_load_keys_expired", engine.loading.expired());
    text.line("rdb_last_load_keys_loaded", engine.loading.loaded());
    text.line("backup_in_progress", u8::from(engine.saving.is_backing_up()));
    log_lines(engine, text);
    text.line("module_fork_in_progress", 0);
    text.line("module_fork_last_cow_size", 0);
    if let Some(load) = engine.loading.figures(engine.now) {
        text.line("loading_start_time", load.started_s);
        text.line("loading_total_bytes", load.total_bytes);
        text.line("loading_rdb_used_mem", load.used_memory);
        text.line("loading_loaded_bytes", load.loaded_bytes);
        text.decimal("loading_loaded_perc", percent(load.loaded_bytes, load.total_bytes), 2);
        text.line("loading_eta_seconds", load.eta_s);
    }
}

#[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 }
}

/// What is told of the append-only file.
fn log_lines(engine: &Engine, text: &mut Text) {
    let status = |failed: bool| if failed { "err" } else { "ok" };
    let rewrites = engine.appending.rewrites(engine.now);
    let log = engine.outside.log_figures();
    let is_on = engine.appending.state() != LogState::Off;
    text.line("aof_enabled", u8::from(is_on));
    text.line("aof_rewrite_in_progress", u8::from(rewrites.is_running));
    text.line("aof_rewrite_scheduled", u8::from(rewrites.is_scheduled));
    text.seconds_or_none("aof_last_rewrite_time_sec", rewrites.last_duration_s);
    text.seconds_or_none("aof_current_rewrite_time_sec", rewrites.duration_s);
    text.line("aof_last_bgrewrite_status", status(rewrites.has_failed));
    text.line("aof_rewrites", rewrites.count);
    text.line("aof_rewrites_consecutive_failures", rewrites.failures_in_a_row);
    text.line("aof_last_write_status", status(log.failure.is_some()));
    text.line("aof_last_cow_size", rewrites.last_held_bytes);
    if is_on {
        text.line("aof_current_size", log.size);
        text.line("aof_base_size", log.base_size);
        text.line("aof_pending_rewrite", u8::from(rewrites.is_scheduled));
        text.line("aof_buffer_length", log.unwritten);
        text.line("aof_pending_bio_fsync", log.pending_syncs);
        text.line("aof_delayed_fsync", log.delayed_syncs);
    }
}

/// A primary without replicas.
pub(super) fn replication(engine: &mut Engine, text: &mut Text) {
    text.line("role", "master");
    text.line("connected_slaves", 0);
    text.line("master_failover_state", "no-failover");
    text.line("master_replid", &engine.identity.replication_id);
    text.line("master_replid2", "0".repeat(40));
    text.line("master_repl_offset", 0);
    text.line("second_repl_offset", -1);
    text.line("repl_backlog_active", 0);
    text.line("repl_backlog_size", engine.config.repl_backlog_size.0);
    text.line("repl_backlog_first_byte_offset", 0);
    text.line("repl_backlog_histlen", 0);
}

pub(super) fn cluster(engine: &mut Engine, text: &mut Text) {
    text.line("cluster_enabled", u8::from(engine.config.cluster_enabled));
}

pub(super) fn keyspace(engine: &mut Engine, text: &mut Text) {
    let now = engine.now.unix_ms();
    for db in (0..engine.keyspace.db_count()).map(DbIndex) {
        let figures = engine.keyspace.figures(db, now);
        if figures.keys > 0 {
            text.add(format_args!(
                "db{}:keys={},expires={},avg_ttl={},subexpiry={}",
                db.0,
                figures.keys,
                figures.expires,
                figures.average_ttl_ms,
                figures.expiring_members
            ));
        }
    }
}
