//! The shell: sockets, clock, signals, threads. The only layer that touches the world.

mod acceptor;
pub mod allocator;
pub mod aof;
mod check_rdb;
pub mod cli;
mod clock;
mod commits;
pub mod config_files;
mod connection;
mod freer;
mod host;
mod io_threads;
mod line;
mod listener;
mod loader;
pub mod local_time;
pub mod log;
mod long_reads;
mod pace;
mod process;
mod pushes;
mod reader;
mod saver;
mod signals;
mod socket;
mod spool;
mod startup;
mod supervision;
pub mod syslog;
mod timer;
mod world;

use std::cell::RefCell;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::choices::{OomScoreAdj, Supervised};
use crate::config::{Config, Field};
use crate::engine::append::files::BaseReport;
use crate::engine::outside::Outside;
use crate::engine::persist::shutdown::EndSignal;
use crate::engine::{Engine, Setup};

use cli::Start;
use clock::Clock;
use freer::Freer;
use host::{Host, SharedHost};
use io_threads::IoThreads;
use log::Log;
use saver::Saver;
use signals::Signals;
use supervision::Supervisor;
use world::{Rebind, World};

/// Tasks polled between two looks at the sockets. Large, so that one look serves many of them.
const EVENT_INTERVAL: u32 = 512;
/// Readiness events taken in by one look.
const EVENTS_PER_LOOK: usize = 4096;

/// Serves until told to stop.
pub fn run(start: Start) -> ExitCode {
    let Start { mut config, file, warnings } = start;
    let config_file = file.map_or_else(String::new, |path| path.display().to_string());
    // A supervisor keeps the process in its own hands.
    config.daemonize &= config.supervised == Supervised::No;
    if config.daemonize
        && let Err(error) = process::daemonize()
    {
        tracing::error!("Can't go to the background: {error}");
        return ExitCode::FAILURE;
    }
    let log = match Log::open(&config) {
        Ok(log) => log,
        Err(error) => {
            tracing::error!("Can't open the log file: {error}");
            return ExitCode::FAILURE;
        }
    };
    log.install();
    process::ignore_broken_pipes();
    supervision::end_at_faults(config.crash_log_enabled);
    announce_start(&config, &config_file);
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    let clients = process::raise_descriptor_limit(config.maxclients.into());
    if clients < config.maxclients.into() {
        tracing::warn!(
            "You requested maxclients of {} requiring at least {} max file descriptors. Server \
             can't set maximum open files because of the operating system's limit. Current \
             maxclients has been reduced to {clients} to compensate for low ulimit. If you need \
             higher maxclients increase 'ulimit -n'.",
            config.maxclients,
            u64::from(config.maxclients) + 32
        );
        config.maxclients = u32::try_from(clients).unwrap_or(u32::MAX);
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .max_io_events_per_tick(EVENTS_PER_LOOK)
        .build_local(LocalOptions::default());
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(serve(config, config_file, log));
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            tracing::error!("Can't start the event loop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn announce_start(config: &Config, config_file: &str) {
    let pid = std::process::id();
    tracing::warn!("oO0OoO0OoO0Oo ochre is starting oO0OoO0OoO0Oo");
    tracing::warn!(
        "ochre version={}, bits=64, commit=00000000, modified=0, pid={pid}, just started",
        env!("CARGO_PKG_VERSION")
    );
    if config_file.is_empty() {
        tracing::warn!(
            "Warning: no config file specified, using the default config. In order to specify a \
             config file use ochre-server /path/to/redis.conf"
        );
    } else {
        tracing::warn!("Configuration loaded");
    }
    if config.always_show_logo {
        tracing::info!(
            "ochre {} standalone, port {} PID: {pid}",
            env!("CARGO_PKG_VERSION"),
            config.port
        );
    }
}

async fn serve(config: Config, config_file: String, log: Log) -> ExitCode {
    let listeners = match Listeners::bind(&config) {
        Ok(listeners) => listeners,
        Err(error) => {
            tracing::warn!("Failed listening on port {} (tcp), aborting. {error}", config.port);
            return ExitCode::FAILURE;
        }
    };
    let clock = Clock::start();
    let freer = match Freer::start() {
        Ok(freer) => freer,
        Err(error) => {
            tracing::error!("Can't start the thread that frees memory: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (rebind, rebinds) = mpsc::unbounded_channel();
    let (report, reports) = mpsc::unbounded_channel();
    let executable =
        std::env::current_exe().map_or_else(|_| String::new(), |path| path.display().to_string());
    let pid_file = PidFile::write(&config);
    let (readers, returns) = long_reads::open(clock);
    let (base_report, base_reports) = mpsc::unbounded_channel();
    let append_log = aof::Log::new(base_report, &config);
    let saver = Saver::new(report);
    freer::purge_in_background(config.jemalloc_bg_thread);
    let mut world = World::new(clock, rebind, log, freer, readers, saver, append_log);
    if config.oom_score_adj != OomScoreAdj::No
        && let Err((_, why)) = world.apply(&config, &[Field::oom_score_adj])
    {
        tracing::warn!("{why}");
    }
    let setup = Setup {
        seed: process::entropy(),
        run_id: process::run_id(),
        pid: std::process::id(),
        executable,
        config_file,
        outside: Box::new(world),
        now: clock.now(),
        config,
    };
    let supervisor = Supervisor::find(setup.config.supervised);
    let io_threads = usize::try_from(setup.config.io_threads).unwrap_or(1);
    let host = Rc::new(RefCell::new(Host::new(Engine::new(setup), clock)));
    if io_threads > 1 {
        match IoThreads::start(io_threads - 1, &host) {
            Ok(threads) => {
                host.borrow_mut().threads = Some(threads);
                host.borrow().obey_config();
            }
            Err(error) => {
                tracing::error!("Can't start the I/O threads: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    begin_tasks(&host, base_reports);
    tokio::task::spawn_local(long_reads::bring_back(Rc::clone(&host), returns));
    tokio::task::spawn_local(timer::reports(Rc::clone(&host), reports));
    host.borrow_mut().engine.mark_start();
    keep_serving(&host, listeners, rebinds, supervisor, pid_file).await
}

/// From the moment at which clients can connect to the end.
async fn keep_serving(
    host: &SharedHost,
    listeners: Listeners,
    rebinds: mpsc::UnboundedReceiver<Rebind>,
    supervisor: Supervisor,
    pid_file: Option<PidFile>,
) -> ExitCode {
    // From here on a signal ends the server in order, however early it comes.
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!("Can't catch signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    tracing::info!("Server initialized");
    let accepting = tokio::task::spawn_local(accept(Rc::clone(host), listeners, rebinds));
    let loaded = tokio::select! {
        loaded = startup::load(host) => loaded,
        _ = signals.next() => {
            tracing::warn!("Received shutdown signal during loading, exiting now.");
            return farewell(host, pid_file);
        }
        () = ended(host) => return farewell(host, pid_file),
    };
    if let Err(why) = loaded {
        tracing::error!("{why}");
        if !host.borrow().engine.config.appendonly {
            tracing::error!("Fatal error loading the DB, check server logs. Exiting.");
        }
        return ExitCode::FAILURE;
    }
    tracing::info!("Ready to accept connections tcp");
    supervisor.say_ready();
    wait_for_the_end(host, signals).await;
    supervisor.say_stopping();
    // Nobody shall find an open door when his connection ends.
    accepting.abort();
    // It is over because it was aborted; there is nothing else to learn.
    let _ = accepting.await;
    tokio::task::yield_now().await;
    farewell(host, pid_file)
}

/// What goes on beside the connections.
fn begin_tasks(host: &SharedHost, bases: mpsc::UnboundedReceiver<BaseReport>) {
    tokio::task::spawn_local(timer::housekeeping(Rc::clone(host)));
    tokio::task::spawn_local(timer::expiry(Rc::clone(host)));
    tokio::task::spawn_local(timer::compaction(Rc::clone(host)));
    tokio::task::spawn_local(timer::eviction(Rc::clone(host)));
    tokio::task::spawn_local(pushes::send(Rc::clone(host)));
    tokio::task::spawn_local(timer::scripts(Rc::clone(host)));
    tokio::task::spawn_local(commits::write(Rc::clone(host)));
    tokio::task::spawn_local(commits::bases(Rc::clone(host), bases));
}

/// SHUTDOWN has ended the server.
async fn ended(host: &SharedHost) {
    let ending = Rc::clone(&host.borrow().ending);
    ending.notified().await;
}

/// SHUTDOWN, or a signal after which everything is saved that is to be.
async fn wait_for_the_end(host: &SharedHost, mut signals: Signals) {
    loop {
        let signal = tokio::select! {
            () = ended(host) => return,
            signal = signals.next() => signal,
        };
        match signal {
            EndSignal::Terminate => tracing::warn!("Received SIGTERM scheduling shutdown..."),
            EndSignal::Interrupt => tracing::warn!("Received SIGINT scheduling shutdown..."),
        }
        let mut host = host.borrow_mut();
        host.begin_turn();
        let may_end = host.engine.end_by(signal);
        host.end_turn();
        if may_end {
            return;
        }
        signals.settle();
    }
}

fn farewell(host: &SharedHost, pid_file: Option<PidFile>) -> ExitCode {
    if !host.borrow_mut().engine.settle_log() {
        tracing::warn!("The append-only file could not be written to its end.");
    }
    if let Some(file) = pid_file {
        tracing::info!("Removing the pid file.");
        file.remove();
    }
    let unix_socket = host.borrow().engine.config.unixsocket.clone();
    if !unix_socket.is_empty() {
        tracing::info!("Removing the unix socket file.");
        // A socket file that has gone already is what is wanted.
        let _ = std::fs::remove_file(unix_socket);
    }
    tracing::warn!("Redis is now ready to exit, bye bye...");
    ExitCode::SUCCESS
}

struct PidFile(String);

impl PidFile {
    /// Written when asked for by name or when in the background.
    fn write(config: &Config) -> Option<Self> {
        let path = match (config.pidfile.is_empty(), config.daemonize) {
            (false, _) => config.pidfile.clone(),
            (true, true) => "/var/run/redis.pid".to_owned(),
            (true, false) => return None,
        };
        match std::fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                tracing::warn!("Failed to write PID file: {error}");
                None
            }
        }
    }

    fn remove(self) {
        // It may have been removed by whoever started the server.
        let _ = std::fs::remove_file(self.0);
    }
}

struct Listeners {
    tcp: Vec<std::net::TcpListener>,
    unix: Option<std::os::unix::net::UnixListener>,
}

impl Listeners {
    fn bind(config: &Config) -> io::Result<Self> {
        let backlog = listener::backlog(config);
        let tcp = match config.port {
            0 => Vec::new(),
            port => listener::bind_tcp(&config.bind.0, port, backlog)?,
        };
        let unix = match config.unixsocket.as_str() {
            "" => None,
            path => Some(listener::bind_unix(path, config, backlog)?),
        };
        if tcp.is_empty() && unix.is_none() && config.port != 0 {
            return Err(io::Error::other("no address to listen on"));
        }
        if tcp.is_empty() && unix.is_none() {
            return Err(io::Error::other("Configured to not listen anywhere, exiting."));
        }
        Ok(Self { tcp, unix })
    }
}

/// One task per listener; CONFIG SET replaces those of TCP.
async fn accept(
    host: SharedHost,
    listeners: Listeners,
    mut rebinds: mpsc::UnboundedReceiver<Rebind>,
) {
    let _unix = listeners.unix.and_then(|listener| {
        let listener = tokio::net::UnixListener::from_std(listener).ok()?;
        let task = tokio::task::spawn_local(acceptor::accept_unix(Rc::clone(&host), listener));
        Some(Listening(vec![task]))
    });
    let mut tcp = spawn_tcp(&host, listeners.tcp);
    while let Some(Rebind::Tcp(fresh)) = rebinds.recv().await {
        drop(tcp);
        tcp = spawn_tcp(&host, fresh);
    }
}

/// Tasks that listen as long as somebody holds on to them.
struct Listening(Vec<JoinHandle<()>>);

impl Drop for Listening {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

fn spawn_tcp(host: &SharedHost, listeners: Vec<std::net::TcpListener>) -> Listening {
    let tasks = listeners
        .into_iter()
        .filter_map(|listener| {
            let listener = tokio::net::TcpListener::from_std(listener).ok()?;
            Some(tokio::task::spawn_local(acceptor::accept_tcp(Rc::clone(host), listener)))
        })
        .collect();
    Listening(tasks)
}
