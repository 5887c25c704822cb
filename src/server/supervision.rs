//! What a server owes to its surroundings: the supervisor that started it, the kernel that may have
//! to choose whom to kill, and whoever reads the log after a fault.

#![allow(unsafe_code, reason = "process attributes come from C interfaces")]

use std::backtrace::Backtrace;
use std::io;
use std::panic::PanicHookInfo;

use sd_notify::NotifyState;

use crate::config::Config;
use crate::config::choices::{OomScoreAdj, Supervised};

const OOM_SCORE_FILE: &str = "/proc/self/oom_score_adj";

/// Who waits for word from this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supervisor {
    /// Nobody.
    None,
    /// systemd, over `NOTIFY_SOCKET`.
    Systemd,
    /// Upstart, which waits for the process to stop itself.
    Upstart,
}

impl Supervisor {
    /// As configured and as the environment shows.
    pub(super) fn find(wanted: Supervised) -> Self {
        let has = |variable: &str| std::env::var_os(variable).is_some();
        match wanted {
            Supervised::Systemd | Supervised::Auto if has("NOTIFY_SOCKET") => Self::Systemd,
            Supervised::Upstart | Supervised::Auto if has("UPSTART_JOB") => Self::Upstart,
            Supervised::Systemd => {
                tracing::warn!(
                    "systemd supervision requested or auto-detected, but Redis is not \
                    running under it: NOTIFY_SOCKET is not set"
                );
                Self::None
            }
            Supervised::Upstart => {
                tracing::warn!("upstart supervision requested, but UPSTART_JOB not found!");
                Self::None
            }
            _ => Self::None,
        }
    }

    /// Connections are accepted from now on.
    pub(super) fn say_ready(self) {
        match self {
            Self::None => {}
            Self::Systemd => {
                notify(&[NotifyState::Status("Ready to accept connections"), NotifyState::Ready]);
            }
            Self::Upstart => {
                tracing::info!("supervised by upstart, will stop to signal readiness");
                // SAFETY: a signal to oneself; Upstart continues the process.
                unsafe { libc::raise(libc::SIGSTOP) };
            }
        }
    }

    /// The server is about to end.
    pub(super) fn say_stopping(self) {
        if self == Self::Systemd {
            notify(&[NotifyState::Stopping]);
        }
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::warn!("systemd can't be notified: {error}");
    }
}

/// Sets the score by which the kernel chooses whom to kill: `base` is that at the start.
pub(super) fn set_oom_score(config: &Config, base: Option<i32>) -> io::Result<()> {
    // Both roles are there, but a primary's only can be taken so far.
    let value = config.oom_score_adj_values.0[0];
    let score = match config.oom_score_adj {
        OomScoreAdj::No => match base {
            Some(base) => base,
            None => return Ok(()),
        },
        OomScoreAdj::Absolute => value,
        OomScoreAdj::Yes | OomScoreAdj::Relative => base.unwrap_or(0) + value,
    };
    std::fs::write(OOM_SCORE_FILE, score.clamp(-1000, 1000).to_string())
}

/// The score as it is; `None` where there is none.
pub(super) fn oom_score() -> Option<i32> {
    std::fs::read_to_string(OOM_SCORE_FILE).ok()?.trim().parse().ok()
}

/// Goes back to an earlier score.
pub(super) fn restore_oom_score(score: Option<i32>) {
    if let Some(score) = score
        && let Err(error) = std::fs::write(OOM_SCORE_FILE, score.to_string())
    {
        tracing::warn!("Unable to write oom_score_adj: {error}");
    }
}

/// From now on a fault in any thread is logged and ends the process: data that may be wrong are
/// worse than data that are away.
pub(super) fn end_at_faults(with_report: bool) {
    std::panic::set_hook(Box::new(move |fault| {
        if with_report {
            report(fault);
        } else {
            tracing::error!("Guru Meditation: {fault}");
        }
        std::process::abort();
    }));
}

fn report(fault: &PanicHookInfo<'_>) {
    tracing::error!("=== REDIS BUG REPORT START: Cut & paste starting from here ===");
    tracing::error!("ochre {} crashed: {fault}", env!("CARGO_PKG_VERSION"));
    tracing::error!("------ STACK TRACE ------\n{}", Backtrace::force_capture());
    tracing::error!("=== REDIS BUG REPORT END. ===");
}
