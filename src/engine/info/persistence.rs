//! What is kept: on disk, at replicas, in the databases.

use crate::engine::Engine;
use crate::keyspace::DbIndex;

use super::text::Text;

/// A server that has never saved and keeps no log.
pub(super) fn persistence(engine: &mut Engine, text: &mut Text) {
    text.line("loading", u8::from(engine.loading));
    text.line("async_loading", 0);
    text.line("current_cow_peak", 0);
    text.line("current_cow_size", 0);
    text.line("current_cow_size_age", 0);
    text.decimal("current_fork_perc", 0.0, 2);
    text.line("current_save_keys_processed", 0);
    text.line("current_save_keys_total", 0);
    text.line("rdb_changes_since_last_save", engine.keyspace.journal().dirty());
    text.line("rdb_bgsave_in_progress", 0);
    text.line("rdb_last_save_time", engine.identity.started.unix_seconds());
    text.line("rdb_last_bgsave_status", "ok");
    text.line("rdb_last_bgsave_time_sec", -1);
    text.line("rdb_current_bgsave_time_sec", -1);
    text.line("rdb_saves", 0);
    text.line("rdb_last_cow_size", 0);
    text.line("rdb_last_load_keys_expired", 0);
    text.line("rdb_last_load_keys_loaded", 0);
    text.line("aof_enabled", 0);
    text.line("aof_rewrite_in_progress", 0);
    text.line("aof_rewrite_scheduled", 0);
    text.line("aof_last_rewrite_time_sec", -1);
    text.line("aof_current_rewrite_time_sec", -1);
    text.line("aof_last_bgrewrite_status", "ok");
    text.line("aof_rewrites", 0);
    text.line("aof_rewrites_consecutive_failures", 0);
    text.line("aof_last_write_status", "ok");
    text.line("aof_last_cow_size", 0);
    text.line("module_fork_in_progress", 0);
    text.line("module_fork_last_cow_size", 0);
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
