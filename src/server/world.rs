//! The world as the engine may ask it: process, allocator, files, sockets to rebind.

#![allow(unsafe_code, reason = "process figures come from C interfaces")]

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::config::{Config, Field};
use crate::engine::append::files::{LogFigures, LogFiles};
use crate::engine::away::LongRead;
use crate::engine::outside::{
    AllocatorFigures, Compacting, FreeingFigures, Outside, ProcessFigures,
};
use crate::engine::persist::disk::Disk;
use crate::keyspace::graveyard::Garbage;

use super::clock::Clock;
use super::freer::{self, Freer};
use super::log::Log;
use super::long_reads::Readers;
use super::saver::Saver;
use super::{allocator, aof, config_files, connection, listener, supervision};

/// Listeners that replace the present ones.
#[derive(Debug)]
pub(super) enum Rebind {
    /// All TCP listeners.
    Tcp(Vec<std::net::TcpListener>),
}

/// The engine's view of the outside.
#[derive(Debug)]
pub(super) struct World {
    clock: Clock,
    rebind: UnboundedSender<Rebind>,
    log: Log,
    freer: Freer,
    readers: Readers,
    saver: Saver,
    append_log: aof::Log,
    /// The kernel's score for killing as it was at the start, once it was changed.
    oom_score: Option<i32>,
}

impl World {
    pub(super) fn new(
        clock: Clock,
        rebind: UnboundedSender<Rebind>,
        log: Log,
        freer: Freer,
        readers: Readers,
        saver: Saver,
        append_log: aof::Log,
    ) -> Self {
        Self { clock, rebind, log, freer, readers, saver, append_log, oom_score: None }
    }

    fn bind_anew(&self, config: &Config, field: Field) -> Result<(), String> {
        let listeners = if config.port == 0 {
            Vec::new()
        } else {
            listener::bind_tcp(&config.bind.0, config.port, listener::backlog(config)).map_err(
                |error| {
                    tracing::warn!("Failed listening on port {}: {error}", config.port);
                    let why = match field {
                        Field::bind => "Failed to bind to specified addresses.",
                        _ => "Unable to listen on this port. Check server logs.",
                    };
                    why.to_owned()
                },
            )?
        };
        // The receiver lives as long as the server; without it nobody could connect anyway.
        let _ = self.rebind.send(Rebind::Tcp(listeners));
        Ok(())
    }
}

impl Outside for World {
    fn memory_used(&self) -> usize {
        allocator::bytes_used()
    }

    fn process(&self) -> ProcessFigures {
        let own = usage(libc::RUSAGE_SELF);
        let children = usage(libc::RUSAGE_CHILDREN);
        let thread = usage(libc::RUSAGE_THREAD);
        ProcessFigures {
            rss_bytes: rss_bytes(),
            system_memory_bytes: system_memory_bytes(),
            user_us: own.0,
            system_us: own.1,
            children_user_us: children.0,
            children_system_us: children.1,
            thread_user_us: thread.0,
            thread_system_us: thread.1,
        }
    }

    fn allocator(&self) -> AllocatorFigures {
        allocator::refresh();
        AllocatorFigures {
            allocated: allocator::statistic(c"stats.allocated"),
            active: allocator::statistic(c"stats.active"),
            resident: allocator::statistic(c"stats.resident"),
            muzzy: allocator::statistic(c"stats.arenas.4096.pmuzzy") * page_size(),
            retained: allocator::statistic(c"stats.retained"),
        }
    }

    fn allocator_control(&mut self, name: &str, new: Option<i64>) -> Result<i64, String> {
        allocator::control(name, new)
    }

    fn allocator_text(&self, name: &str) -> Result<String, String> {
        allocator::text_control(name)
    }

    fn allocator_call(&mut self, name: &str) -> Result<(), String> {
        allocator::call_control(name)
    }

    fn allocator_report(&self) -> String {
        allocator::report()
    }

    fn free(&mut self, garbage: Vec<Garbage>) {
        self.freer.free(garbage);
    }

    fn freeing(&self) -> FreeingFigures {
        self.freer.figures()
    }

    fn compact(&mut self, work: Compacting<'_>) {
        allocator::without_cache(|| work(self, &mut allocator::is_misplaced));
    }

    fn connection_bytes(&self) -> usize {
        connection::TASK_BYTES
    }

    fn send_away(&mut self, read: LongRead) {
        self.readers.take(read);
    }

    fn purge(&mut self) {
        allocator::purge();
    }

    fn allocator_name(&self) -> String {
        allocator::name()
    }

    fn system(&self) -> String {
        super::process::system()
    }

    /// What is harmless or can be taken back comes first.
    fn apply(&mut self, config: &Config, changed: &[Field]) -> Result<(), (Field, String)> {
        if changed.contains(&Field::maxclients) {
            let got = super::process::raise_descriptor_limit(u64::from(config.maxclients));
            if got < u64::from(config.maxclients) {
                let why = format!(
                    "The operating system is not able to handle the specified number of clients, \
                     try with {got}"
                );
                return Err((Field::maxclients, why));
            }
        }
        let old_score = supervision::oom_score();
        if changed.contains(&Field::oom_score_adj) || changed.contains(&Field::oom_score_adj_values)
        {
            self.oom_score = self.oom_score.or(old_score);
            supervision::set_oom_score(config, self.oom_score).map_err(|error| {
                tracing::warn!("Unable to write oom_score_adj: {error}");
                let why = "Failed to apply new oom_score_adj configuration, check server logs.";
                (Field::oom_score_adj, why.to_owned())
            })?;
        }
        let old_dir = self.working_dir();
        if changed.contains(&Field::dir) {
            std::env::set_current_dir(&config.dir)
                .map_err(|error| (Field::dir, config_files::reason(&error)))?;
        }
        let binding = changed.iter().find(|field| matches!(field, Field::port | Field::bind));
        if let Some(field) = binding
            && let Err(why) = self.bind_anew(config, *field)
        {
            // Where it was a moment ago the process can go back to, if anywhere.
            let _ = std::env::set_current_dir(old_dir);
            supervision::restore_oom_score(old_score);
            return Err((*field, why));
        }
        if changed.contains(&Field::jemalloc_bg_thread) {
            freer::purge_in_background(config.jemalloc_bg_thread);
        }
        self.log.apply(config);
        self.append_log.obey(config);
        Ok(())
    }

    fn disk(&mut self) -> &mut dyn Disk {
        &mut self.saver
    }

    fn log_files(&mut self) -> &mut dyn LogFiles {
        &mut self.append_log
    }

    fn log_figures(&self) -> LogFigures {
        self.append_log.figures()
    }

    fn working_dir(&self) -> String {
        config_files::working_dir().unwrap_or_default()
    }

    fn read_config_file(&mut self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn write_config_file(&mut self, path: &str, text: &[u8]) -> io::Result<()> {
        config_files::replace(Path::new(path), text)
    }

    fn sleep_us(&mut self, micros: u64) {
        std::thread::sleep(Duration::from_micros(micros));
    }

    fn ticks(&self) -> u64 {
        self.clock.ticks()
    }

    fn nanos_per_tick(&self) -> u64 {
        self.clock.nanos_per_tick()
    }

    fn crash(&mut self, how: &str) {
        tracing::error!("DEBUG {how}: ending the process as asked");
        std::process::abort();
    }

    fn entropy(&mut self) -> u64 {
        super::process::entropy()
    }
}

/// User and system time of `who`, microseconds.
fn usage(who: libc::c_int) -> (u64, u64) {
    // SAFETY: an all-zero rusage is valid, and the call fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(who, &raw mut usage);
        usage
    };
    let micros = |time: libc::timeval| {
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000
            + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    (micros(usage.ru_utime), micros(usage.ru_stime))
}

fn page_size() -> usize {
    // SAFETY: asks for a constant.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

fn rss_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * page_size()
}

fn system_memory_bytes() -> usize {
    // SAFETY: asks for a constant.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    usize::try_from(pages).unwrap_or(0) * page_size()
}
