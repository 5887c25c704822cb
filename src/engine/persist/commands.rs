//! SAVE, BGSAVE, LASTSAVE.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, Command, FAST, Group, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE, at_least,
    exactly, pure,
};
use crate::engine::context::EngineCx;
use crate::engine::registry::EngineRun::{self, Engine as Run};
use crate::protocol::error::ReplyError;

use super::saving::Busy;

/// Commands of this file.
pub(in crate::engine) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("BGSAVE", at_least(1), Group::Server, Run(bgsave))
        .flags(ADMIN.and(NOSCRIPT).and(NO_ASYNC_LOADING))
        .args(&[pure("schedule", "SCHEDULE").optional().since("3.2.2")])
        .history(&[("3.2.2", "Takes SCHEDULE.")])
        .doc("1.0.0", "Saves the data set to disk in the background.", "O(1)"),
    Command::new("LASTSAVE", exactly(1), Group::Server, Run(lastsave))
        .flags(LOADING.and(STALE).and(FAST))
        .categories(&["admin", "dangerous"])
        .tips(&["nondeterministic_output"])
        .doc("1.0.0", "Returns the time of the latest successful save.", "O(1)"),
    Command::new("SAVE", exactly(1), Group::Server, Run(save))
        .flags(ADMIN.and(NOSCRIPT).and(NO_ASYNC_LOADING).and(NO_MULTI))
        .doc(
            "1.0.0",
            "Saves the data set to disk while everybody waits.",
            "O(N) where N is the total number of keys in all databases",
        ),
];

const SAVING: ReplyError = ReplyError::Fixed("ERR Background save already in progress");
const REWRITING: ReplyError = ReplyError::Fixed(
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in \
     order to schedule a BGSAVE whenever possible.",
);

fn bgsave(cx: &mut EngineCx<'_>) -> CmdResult {
    let waits = match cx.args.left() {
        0 => false,
        1 if cx.args.accept("SCHEDULE") => true,
        _ => return Err(ReplyError::Syntax),
    };
    match cx.engine.background_work() {
        Some(Busy::Saving) => Err(SAVING),
        Some(Busy::Rewriting) if waits => {
            cx.engine.schedule_save();
            cx.reply.simple("Background saving scheduled");
            Ok(Flow::Replied)
        }
        Some(Busy::Rewriting) => Err(REWRITING),
        None => {
            cx.engine.begin_save()?;
            cx.reply.simple("Background saving started");
            Ok(Flow::Replied)
        }
    }
}

fn save(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.engine.background_work() == Some(Busy::Saving) {
        return Err(SAVING);
    }
    cx.engine.stats.rdb_saves += 1;
    match cx.engine.save_now() {
        Ok(()) => {
            cx.reply.ok();
            Ok(Flow::Replied)
        }
        Err(why) => Err(ReplyError::Text(format!("ERR The snapshot can't be saved: {why}").into())),
    }
}

fn lastsave(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.reply.int(cx.engine.saving.last_success_s());
    Ok(Flow::Replied)
}
