//! What runs, and what it costs the processor.

use crate::config::Config;
use crate::engine::{Engine, REDIS_VERSION};

use super::text::Text;

/// Nanoseconds per tick when ticks are nanoseconds: the clock is read from the kernel.
const TICK_IS_NANO: u64 = 1 << 32;

pub(super) fn server(engine: &mut Engine, text: &mut Text) {
    let identity = &engine.identity;
    let config = &engine.config;
    let uptime = engine.now.monotonic.since(identity.started.monotonic) / 1_000_000;
    text.line("redis_version", REDIS_VERSION);
    text.line("server_name", "ochre");
    text.line("ochre_version", env!("CARGO_PKG_VERSION"));
    text.line("redis_git_sha1", "00000000");
    text.line("redis_git_dirty", 0);
    text.line("redis_mode", "standalone");
    text.line("os", engine.outside.system());
    text.line("arch_bits", usize::BITS);
    text.line("monotonic_clock", clock_name(engine.nanos_per_tick));
    text.line("multiplexing_api", if cfg!(target_os = "linux") { "epoll" } else { "kqueue" });
    text.line("process_id", identity.pid);
    text.line("process_supervised", "no");
    text.line("run_id", &identity.run_id);
    text.line("tcp_port", config.port);
    text.line("server_time_usec", engine.now.unix_us);
    text.line("uptime_in_seconds", uptime);
    text.line("uptime_in_days", uptime / 86_400);
    text.line("hz", config.hz);
    text.line("configured_hz", config.hz);
    // Access clocks are the low 24 bits of the time in seconds.
    text.line("lru_clock", engine.now.unix_seconds() & 0xff_ffff);
    text.line("executable", &identity.executable);
    text.line("config_file", &identity.config_file);
    text.line("io_threads_active", 0);
    if !config.availability_zone.is_empty() {
        text.line("availability_zone", &config.availability_zone);
    }
    listeners(config, text);
}

fn clock_name(nanos_per_tick: u64) -> String {
    if nanos_per_tick == TICK_IS_NANO {
        return "POSIX clock_gettime".to_owned();
    }
    let per_micro = (1000_u128 << 32) / u128::from(nanos_per_tick.max(1));
    format!("X86 TSC @ {per_micro} ticks/us")
}

fn listeners(config: &Config, text: &mut Text) {
    let mut listeners = Vec::new();
    if config.port != 0 && !config.bind.0.is_empty() {
        let addresses = config.bind.0.join(",bind=");
        listeners.push(format!("name=tcp,bind={addresses},port={}", config.port));
    }
    if !config.unixsocket.is_empty() {
        listeners.push(format!("name=unix,bind={}", config.unixsocket));
    }
    for (index, listener) in listeners.iter().enumerate() {
        text.add(format_args!("listener{index}:{listener}"));
    }
}

pub(super) fn cpu(engine: &mut Engine, text: &mut Text) {
    let process = engine.outside.process();
    text.seconds("used_cpu_sys", process.system_us);
    text.seconds("used_cpu_user", process.user_us);
    text.seconds("used_cpu_sys_children", process.children_system_us);
    text.seconds("used_cpu_user_children", process.children_user_us);
    text.seconds("used_cpu_sys_main_thread", process.thread_system_us);
    text.seconds("used_cpu_user_main_thread", process.thread_user_us);
}
