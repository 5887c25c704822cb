//! BACKUP TO: a copy of all data in a folder of its own, made while clients are served.

use std::sync::Arc;

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, Command, Group, NO_ASYNC_LOADING, NOSCRIPT, at_least, exactly, text,
};
use crate::engine::Engine;
use crate::engine::context::EngineCx;
use crate::engine::registry::EngineRun::{self, Container, Engine as Run, Help};
use crate::protocol::error::ReplyError;

use super::disk::{SaveJob, SaveOutcome};

/// Commands of this file.
pub(in crate::engine) const COMMANDS: &[Command<EngineRun>] =
    &[Command::new("BACKUP", at_least(2), Group::Server, Container)
        .doc("8.0.0", "Holds the commands about backups.", "Depends on subcommand.")
        .subcommands(&[
            Command::new("HELP", exactly(2), Group::Server, Help(HELP)).doc(
                "8.0.0",
                "Lists the subcommands.",
                "O(1)",
            ),
            Command::new("TO", exactly(3), Group::Server, Run(backup_to))
                .flags(ADMIN.and(NOSCRIPT).and(NO_ASYNC_LOADING))
                .args(&[text("folder")])
                .doc("8.0.0", "Copies all data to a folder in the background.", "O(1)"),
        ])];

const HELP: &[&str] = &[
    "TO <folder>",
    "    Write a snapshot of all data, and then a manifest, to a folder that is empty or not",
    "    there yet. Without its manifest a backup is not complete.",
];

fn backup_to(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.engine.saving.is_backing_up() {
        return Err(ReplyError::Fixed("ERR Backup already in progress"));
    }
    let folder = String::from_utf8_lossy(cx.args.bytes()?).into_owned();
    cx.engine.begin_backup(&folder)?;
    cx.reply.simple("Background backup started");
    Ok(Flow::Replied)
}

impl Engine {
    fn begin_backup(&mut self, folder: &str) -> Result<(), ReplyError> {
        let mut job = self.save_job(format!("{folder}/dump.rdb"));
        job.manifest = Some(self.describe_backup(&job));
        let progress = Arc::clone(&job.progress);
        self.outside.disk().save_later(job).map_err(|why| {
            tracing::warn!("Can't back up: {why}");
            ReplyError::Text(format!("ERR Can't back up: {why}").into())
        })?;
        tracing::info!("Backup to {folder} started");
        self.saving.note_backup(progress);
        Ok(())
    }

    /// What a manifest tells that is known now: lines of name and value.
    fn describe_backup(&self, job: &SaveJob) -> String {
        let keys: usize = job.snapshot.databases().map(|(_, keys)| keys).sum();
        format!(
            "backup 1\nserver ochre {}\nrun-id {}\ntime-ms {}\nkeys {keys}\nlibraries {}\n",
            env!("CARGO_PKG_VERSION"),
            self.identity.run_id,
            job.snapshot.now().0,
            job.libraries.len()
        )
    }
}

/// A backup has ended.
pub(super) fn log_end(outcome: &SaveOutcome) {
    match outcome {
        Ok(bytes) => tracing::info!("Backup finished, {bytes} bytes written"),
        Err(why) => tracing::warn!("Backup failed: {why}"),
    }
}
