//! SHUTDOWN and the signals that ask for it: what is saved before the process ends, and when it
//! doesn't end.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, ALLOW_BUSY, Command, Group, LOADING, NO_MULTI, NOSCRIPT, STALE, at_least, one_of, pure,
};
use crate::config::lists::ShutdownOptions;
use crate::engine::context::EngineCx;
use crate::engine::registry::EngineRun::{self, Engine as Run};
use crate::engine::{Effect, Engine, Shutdown};
use crate::protocol::error::ReplyError;

/// Commands of this file.
pub(in crate::engine) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("SHUTDOWN", at_least(1), Group::Server, Run(shutdown))
        .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE).and(NO_MULTI).and(ALLOW_BUSY))
        .args(&[one_of("save-selector", &[pure("nosave", "NOSAVE"), pure("save", "SAVE")]).optional(), pure("now", "NOW").optional().since("7.0.0"), pure("force", "FORCE").optional().since("7.0.0"), pure("abort", "ABORT").optional().since("7.0.0")])
        .doc("1.0.0", "Ends the server.", "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)"),
];

/// The signals that end the server in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSignal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
}

fn shutdown(cx: &mut EngineCx<'_>) -> CmdResult {
    let mut how = Shutdown::default();
    let mut aborts = false;
    let option_count = cx.args.left();
    while !cx.args.is_done() {
        if cx.args.accept("NOSAVE") {
            set_save(&mut how, false)?;
        } else if cx.args.accept("SAVE") {
            set_save(&mut how, true)?;
        } else if cx.args.accept("NOW") {
            how.now = true;
        } else if cx.args.accept("FORCE") {
            how.force = true;
        } else if cx.args.accept("ABORT") {
            aborts = true;
        } else {
            return Err(ReplyError::Syntax);
        }
    }
    if aborts {
        // Nothing is waited for yet, so a shutdown that has begun is over before the next command.
        let text = "ERR No shutdown in progress.";
        return Err(if option_count == 1 { ReplyError::Fixed(text) } else { ReplyError::Syntax });
    }
    if let Some(refusal) = cx.engine.busy_refusal()
        && how.save != Some(false)
    {
        return Err(refusal);
    }
    tracing::warn!("User requested shutdown...");
    if cx.engine.prepare_the_end(how) {
        cx.engine.effects.push(Effect::Shutdown);
        Ok(Flow::Replied)
    } else {
        Err(ReplyError::Fixed("ERR Errors trying to SHUTDOWN. Check logs."))
    }
}

fn set_save(how: &mut Shutdown, save: bool) -> Result<(), ReplyError> {
    if how.save.is_some_and(|known| known != save) {
        return Err(ReplyError::Syntax);
    }
    how.save = Some(save);
    Ok(())
}

impl Engine {
    /// A signal asks for the end; whether it may come.
    pub fn end_by(&mut self, signal: EndSignal) -> bool {
        let options = match signal {
            EndSignal::Terminate => self.config.shutdown_on_sigterm,
            EndSignal::Interrupt => self.config.shutdown_on_sigint,
        };
        let save = match options {
            _ if options.has(ShutdownOptions::SAVE) => Some(true),
            _ if options.has(ShutdownOptions::NOSAVE) => Some(false),
            _ => None,
        };
        let how = Shutdown {
            save,
            now: options.has(ShutdownOptions::NOW),
            force: options.has(ShutdownOptions::FORCE),
        };
        tracing::warn!("User requested shutdown...");
        let may_end = self.prepare_the_end(how);
        if !may_end {
            tracing::warn!(
                "Errors trying to shut down the server. Check the logs for more information."
            );
        }
        may_end
    }

    /// Does what comes before the end; whether the process may end now.
    fn prepare_the_end(&mut self, how: Shutdown) -> bool {
        if self.saving.is_running() {
            tracing::warn!("There is a child saving an .rdb. Killing it!");
        }
        self.stop_saving();
        let is_wanted = how.save.unwrap_or(!self.config.save.points().is_empty());
        // Half a data set would replace the whole one.
        if !is_wanted || self.is_loading() {
            return true;
        }
        tracing::info!("Saving the final RDB snapshot before exiting.");
        if self.save_now().is_ok() {
            return true;
        }
        if how.force {
            tracing::warn!("Error trying to save the DB. Exit anyway.");
        } else {
            tracing::warn!("Error trying to save the DB, can't exit.");
        }
        how.force
    }
}
