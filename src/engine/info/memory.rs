//! Where the bytes are.

use crate::config::Field;
use crate::config::row::Directive;
use crate::engine::Engine;
use crate::engine::memory::{excess, ratio};

use super::text::{Text, human};

pub(super) fn memory(engine: &mut Engine, text: &mut Text) {
    let figures = engine.memory_figures();
    let allocator = figures.allocator;
    let rss = figures.process.rss_bytes;
    text.bytes("used_memory", figures.used);
    text.bytes("used_memory_rss", rss);
    text.bytes("used_memory_peak", figures.peak);
    text.add(format_args!("used_memory_peak_perc:{:.2}%", figures.peak_percentage()));
    text.line("used_memory_overhead", figures.overhead);
    text.line("used_memory_startup", figures.overheads.startup);
    text.line("used_memory_dataset", figures.dataset);
    text.add(format_args!("used_memory_dataset_perc:{:.2}%", figures.dataset_percentage()));
    text.line("used_memory_snapshots", figures.overheads.held);
    text.line("allocator_allocated", allocator.allocated);
    text.line("allocator_active", allocator.active);
    text.line("allocator_resident", allocator.resident);
    text.line("allocator_muzzy", allocator.muzzy);
    text.bytes("total_system_memory", figures.process.system_memory_bytes);
    scripts(engine, text);
    let limit = engine.config.maxmemory.0;
    text.line("maxmemory", limit);
    text.line("maxmemory_human", human(usize::try_from(limit).unwrap_or(usize::MAX)));
    let policy: &Directive = Field::maxmemory_policy.directive();
    text.line("maxmemory_policy", String::from_utf8_lossy(&(policy.text)(&engine.config)));
    text.decimal("allocator_frag_ratio", ratio(allocator.active, allocator.allocated), 2);
    text.line("allocator_frag_bytes", excess(allocator.active, allocator.allocated));
    text.decimal("allocator_rss_ratio", ratio(allocator.resident, allocator.active), 2);
    text.line("allocator_rss_bytes", excess(allocator.resident, allocator.active));
    text.decimal("rss_overhead_ratio", ratio(rss, allocator.resident), 2);
    text.line("rss_overhead_bytes", excess(rss, allocator.resident));
    text.decimal("mem_fragmentation_ratio", ratio(rss, figures.used), 2);
    text.line("mem_fragmentation_bytes", excess(rss, figures.used));
    text.line("mem_not_counted_for_evict", engine.uncounted_bytes());
    text.line("mem_replication_backlog", 0);
    text.line("mem_total_replication_buffers", 0);
    text.line("mem_replica_full_sync_buffer", 0);
    text.line("mem_clients_slaves", 0);
    text.line("mem_clients_normal", figures.overheads.clients);
    text.line("mem_cluster_links", 0);
    text.line("mem_aof_buffer", figures.overheads.append);
    text.line("mem_allocator", engine.outside.allocator_name());
    text.line("mem_overhead_db_hashtable_rehashing", 0);
    text.line("active_defrag_running", engine.compaction.effort());
    let freeing = engine.outside.freeing();
    text.line("lazyfree_pending_objects", freeing.pending);
    text.line("lazyfreed_objects", freeing.freed.saturating_sub(engine.stats.freed_before));
    text.line("mem_overhead_db_hashtable", figures.overheads.tables);
    for (name, bytes) in figures.overheads.own() {
        text.line(&format!("mem_overhead_{name}"), bytes);
    }
}

fn scripts(engine: &Engine, text: &mut Text) {
    let figures = engine.scripts.figures();
    let (eval, functions) = (figures.eval_state, figures.function_state);
    text.line("used_memory_lua", eval);
    text.line("used_memory_vm_eval", eval);
    text.line("used_memory_lua_human", human(eval));
    text.line("used_memory_scripts_eval", figures.scripts);
    text.line("number_of_cached_scripts", figures.script_count);
    text.line("number_of_functions", figures.function_count);
    text.line("number_of_libraries", figures.library_count);
    text.line("used_memory_vm_functions", functions);
    text.bytes("used_memory_vm_total", eval + functions);
    text.line("used_memory_functions", figures.functions);
    text.bytes("used_memory_scripts", figures.scripts + figures.functions);
}
