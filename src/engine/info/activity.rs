//! Who is connected, and what has happened so far.

use crate::engine::Engine;
use crate::engine::client::{Client, ClientFlags};
use crate::engine::pubsub::table::Kind;

use super::text::Text;

pub(super) fn clients(engine: &mut Engine, text: &mut Text) {
    let count = |holds: &dyn Fn(&Client) -> bool| {
        engine.clients.iter().filter(|(_, client)| client.is_present() && holds(client)).count()
    };
    let most = |bytes: &dyn Fn(&Client) -> usize| {
        engine.clients.iter().map(|(_, client)| bytes(client)).max().unwrap_or(0)
    };
    text.line("connected_clients", count(&|_| true));
    text.line("cluster_connections", 0);
    text.line("maxclients", engine.config.maxclients);
    let input = most(&|client| client.query_bytes + client.query_free_bytes);
    text.line("client_recent_max_input_buffer", input);
    text.line("client_recent_max_output_buffer", most(&Client::output_bytes));
    // Who is held back by CLIENT PAUSE waits, too.
    let waiting = ClientFlags(ClientFlags::BLOCKED.0 | ClientFlags::PAUSED.0);
    text.line("blocked_clients", count(&|client| client.flags.has(waiting)));
    text.line("tracking_clients", engine.tracking.client_count());
    let listens = count(&|client| client.flags.has(ClientFlags::PUBSUB));
    text.line("pubsub_clients", listens);
    let watching = count(&|client| {
        client.transaction.as_deref().is_some_and(|transaction| transaction.watched_count() > 0)
    });
    text.line("watching_clients", watching);
    text.line("clients_in_timeout_table", engine.blocked.deadline_count());
    text.line("total_watched_keys", engine.watchers.key_count());
    let (keys, keys_heeding_loss) = engine.blocked.key_counts();
    text.line("total_blocking_keys", keys);
    text.line("total_blocking_keys_on_nokey", keys_heeding_loss);
    pause(engine, text);
}

fn pause(engine: &Engine, text: &mut Text) {
    let (reason, actions, left) = match engine.pause {
        None => ("none", "none", 0),
        Some(pause) => {
            let left = pause.until.0.saturating_sub(engine.now.unix_ms().0);
            ("client_pause", if pause.writes_only { "write" } else { "all" }, left.max(0))
        }
    };
    text.line("paused_reason", reason);
    text.line("paused_actions", actions);
    text.line("paused_timeout_milliseconds", left);
}

pub(super) fn threads(engine: &mut Engine, text: &mut Text) {
    text.add(format_args!(
        "io_thread_0:clients={},reads={},writes={}",
        engine.present_client_count(),
        engine.stats.reads,
        engine.stats.writes
    ));
}

pub(super) fn stats(engine: &mut Engine, text: &mut Text) {
    let stats = &engine.stats;
    text.line("total_connections_received", stats.connections);
    text.line("total_commands_processed", stats.commands);
    text.line("instantaneous_ops_per_sec", stats.command_rate.per_second());
    text.line("total_net_input_bytes", stats.bytes_in);
    text.line("total_net_output_bytes", stats.bytes_out);
    text.line("total_net_repl_input_bytes", 0);
    text.line("total_net_repl_output_bytes", 0);
    kibibytes(text, "instantaneous_input_kbps", stats.input_rate.per_second());
    kibibytes(text, "instantaneous_output_kbps", stats.output_rate.per_second());
    kibibytes(text, "instantaneous_input_repl_kbps", 0);
    kibibytes(text, "instantaneous_output_repl_kbps", 0);
    text.line("rejected_connections", stats.connections_refused);
    for name in ["sync_full", "sync_partial_ok", "sync_partial_err"] {
        text.line(name, 0);
    }
    keys(engine, text);
    text.line("pubsub_channels", engine.pubsub.count(Kind::Channel));
    text.line("pubsub_patterns", engine.pubsub.count(Kind::Pattern));
    text.line("pubsubshard_channels", engine.pubsub.count(Kind::Shard));
    text.line("latest_fork_usec", 0);
    text.line("total_forks", 0);
    text.line("migrate_cached_sockets", 0);
    text.line("slave_expires_tracked_keys", 0);
    let (compaction, done) = (&engine.compaction, engine.compaction.done);
    text.line("active_defrag_hits", done.all().moved);
    text.line("active_defrag_misses", done.all().stayed);
    text.line("active_defrag_key_hits", done.keys.moved);
    text.line("active_defrag_key_misses", done.keys.stayed);
    text.line("total_active_defrag_time", compaction.nanos / 1_000_000);
    text.line("current_active_defrag_time", compaction.nanos_now / 1_000_000);
    text.line("tracking_total_keys", engine.tracking.key_count());
    text.line("tracking_total_items", engine.tracking.item_count());
    text.line("tracking_total_prefixes", engine.tracking.prefix_count());
    traffic(engine, text);
}

fn keys(engine: &Engine, text: &mut Text) {
    let keys = engine.keyspace.stats();
    text.line("expired_subkeys", keys.expired_members.get());
    text.line("expired_keys", keys.expired.get());
    text.decimal("expired_stale_perc", engine.keyspace.stale_percent(engine.now.unix_ms()), 2);
    text.line("expired_time_cap_reached_count", engine.stats.expire_budgets_spent);
    text.line("expire_cycle_cpu_milliseconds", engine.stats.expire_nanos / 1_000_000);
    text.line("evicted_keys", keys.evicted.get());
    text.line("evicted_clients", engine.stats.evicted_clients);
    text.line("evicted_scripts", engine.scripts.figures().evicted);
    let exceeded_us = engine.exceeded_us();
    text.line("total_eviction_exceeded_time", (engine.stats.exceeded_us + exceeded_us) / 1000);
    text.line("current_eviction_exceeded_time", exceeded_us / 1000);
    text.line("keyspace_hits", keys.hits.get());
    text.line("keyspace_misses", keys.misses.get());
}

fn traffic(engine: &Engine, text: &mut Text) {
    let stats = &engine.stats;
    text.line("unexpected_error_replies", stats.unexpected_errors);
    text.line("total_error_replies", stats.errors);
    text.line("dump_payload_sanitizations", 0);
    text.line("total_reads_processed", stats.reads);
    text.line("total_writes_processed", stats.writes);
    text.line("io_threaded_reads_processed", 0);
    text.line("io_threaded_writes_processed", 0);
    text.line("io_threaded_total_prefetch_batches", stats.prefetch_batches);
    text.line("io_threaded_total_prefetch_entries", stats.prefetch_keys);
    text.line("client_query_buffer_limit_disconnections", stats.query_limit_closings);
    text.line("client_output_buffer_limit_disconnections", stats.output_limit_closings);
    text.line("reply_buffer_shrinks", 0);
    text.line("reply_buffer_expands", 0);
    let commands_nanos: u64 = engine.registry.rows().iter().map(|row| row.stats.nanos).sum();
    text.line("eventloop_cycles", stats.loop_turns);
    text.line("eventloop_duration_sum", stats.loop_us);
    text.line("eventloop_duration_cmd_sum", commands_nanos / 1000);
    text.line("instantaneous_eventloop_cycles_per_sec", stats.turn_rate.per_second());
    let mean_us = stats.loop_us.checked_div(stats.loop_turns).unwrap_or(0);
    text.line("instantaneous_eventloop_duration_usec", mean_us);
    text.line("acl_access_denied_auth", stats.auth_failures);
    text.line("acl_access_denied_cmd", 0);
    text.line("acl_access_denied_key", 0);
    text.line("acl_access_denied_channel", 0);
    text.line("slowlog_commands_count", stats.slow_commands);
}

fn kibibytes(text: &mut Text, name: &str, bytes_per_second: u64) {
    #[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
    let value = bytes_per_second as f64 / 1024.0;
    text.decimal(name, value, 2);
}
