//! BGREWRITEAOF, WAITAOF.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, BLOCKING, Command, Group, NO_ASYNC_LOADING, NOSCRIPT, exactly, integer,
};
use crate::engine::context::EngineCx;
use crate::engine::registry::EngineRun::{self, Engine as Run};
use crate::protocol::error::ReplyError;

use super::waiting::waitaof;

/// Commands of this file.
pub(in crate::engine) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("BGREWRITEAOF", exactly(1), Group::Server, Run(bgrewriteaof))
        .flags(ADMIN.and(NOSCRIPT).and(NO_ASYNC_LOADING))
        .doc("1.0.0", "Writes the append-only file anew, as short as it can be.", "O(1)"),
    Command::new("WAITAOF", exactly(4), Group::Generic, Run(waitaof))
        .flags(BLOCKING)
        .categories(&["connection"])
        .args(&[integer("numlocal"), integer("numreplicas"), integer("timeout")])
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .doc(
            "7.2.0",
            "Waits until the connection's writes are on disk, here and at replicas.",
            "O(1)",
        ),
];

fn bgrewriteaof(cx: &mut EngineCx<'_>) -> CmdResult {
    if cx.engine.is_rewriting() {
        return Err(ReplyError::Fixed(
            "ERR Background append only file rewriting already in progress",
        ));
    }
    if cx.engine.background_work().is_some()
        || cx.engine.is_in_script()
        || cx.engine.is_in_exec(cx.client)
    {
        cx.engine.schedule_rewrite();
        cx.reply.simple("Background append only file rewriting scheduled");
        return Ok(Flow::Replied);
    }
    if let Err(why) = cx.engine.begin_rewrite() {
        tracing::warn!("Can't rewrite the append only file: {why}");
        return Err(ReplyError::Fixed(
            "ERR Can't execute an AOF background rewriting. Please check the server logs for more \
             information.",
        ));
    }
    cx.reply.simple("Background append only file rewriting started");
    Ok(Flow::Replied)
}
