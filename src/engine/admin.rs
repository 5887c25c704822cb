//! Commands of operators: time, role, what waits for replicas, modules.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, BLOCKING, Command, FAST, Group, LOADING, NO_ASYNC_LOADING, NOSCRIPT, READONLY, STALE,
    at_least, block, exactly, integer, text,
};
use crate::config::choices::Enabled;
use crate::protocol::error::ReplyError;

use super::client_commands::timeout_ms;
use super::context::EngineCx;
use super::lolwut::lolwut;
use super::registry::EngineRun::{self, Container, Engine as Run, Help};
use super::{Engine, hex_id};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] = &[
    Command::new("TIME", exactly(1), Group::Server, Run(time))
        .flags(LOADING.and(STALE).and(FAST))
        .tips(&["nondeterministic_output"])
        .doc("2.6.0", "Returns the server's clock.", "O(1)"),
    Command::new("LOLWUT", at_least(1), Group::Server, Run(lolwut))
        .flags(READONLY.and(FAST))
        .args(&[integer("version").token("VERSION").optional()])
        .doc("5.0.0", "Draws a picture and tells the version.", ""),
    Command::new("ROLE", exactly(1), Group::Server, Run(role))
        .flags(NOSCRIPT.and(LOADING).and(STALE).and(FAST))
        .categories(&["admin", "dangerous"])
        .doc("2.8.12", "Returns the role of the server in replication.", "O(1)"),
    Command::new("WAIT", exactly(3), Group::Generic, Run(wait))
        .flags(BLOCKING)
        .categories(&["connection"])
        .args(&[integer("numreplicas"), integer("timeout")])
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .doc("3.0.0", "Waits until replicas have taken over the connection's writes.", "O(1)"),
    Command::new("MODULE", at_least(2), Group::Server, Container)
        .doc("4.0.0", "Holds the commands about modules.", "Depends on subcommand.")
        .subcommands(&[
            Command::new("HELP", exactly(2), Group::Server, Help(HELP))
                .flags(LOADING.and(STALE))
                .doc("5.0.0", "Lists the subcommands.", "O(1)"),
            Command::new("LIST", exactly(2), Group::Server, Run(module_list))
                .flags(ADMIN.and(NOSCRIPT))
                .tips(&["nondeterministic_output_order"])
                .doc("4.0.0", "Lists the loaded modules.", "O(N)"),
            Command::new("LOAD", at_least(3), Group::Server, Run(module_load))
                .flags(ADMIN.and(NOSCRIPT).and(NO_ASYNC_LOADING))
                .args(&[text("path"), text("arg").optional().repeated()])
                .doc("4.0.0", "Loads a module.", "O(1)"),
            Command::new("LOADEX", at_least(3), Group::Server, Run(module_loadex))
                .flags(ADMIN.and(NOSCRIPT).and(NO_ASYNC_LOADING))
                .args(&[
                    text("path"),
                    block("configs", &[text("name"), text("value")])
                        .token("CONFIG")
                        .optional()
                        .repeats_token(),
                    text("args").token("ARGS").optional().repeated(),
                ])
                .doc("7.0.0", "Loads a module with directives of its own.", "O(1)"),
            Command::new("UNLOAD", exactly(3), Group::Server, Run(module_unload))
                .flags(ADMIN.and(NOSCRIPT).and(NO_ASYNC_LOADING))
                .args(&[text("name")])
                .doc("4.0.0", "Unloads a module.", "O(1)"),
        ]),
];

const HELP: &[&str] = &[
    "LIST",
    "    List the loaded modules.",
    "LOAD <path> [<argument> ...]",
    "    Load a module.",
    "LOADEX <path> [CONFIG <name> <value> ...] [ARGS <argument> ...]",
    "    Load a module with directives of its own.",
    "UNLOAD <name>",
    "    Unload a module.",
];

fn time(cx: &mut EngineCx<'_>) -> CmdResult {
    let now = cx.engine.now;
    cx.reply.array(2);
    cx.reply.bulk_int(now.unix_seconds());
    cx.reply.bulk_int(now.unix_us.rem_euclid(1_000_000));
    Ok(Flow::Replied)
}

fn role(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.reply.array(3);
    cx.reply.bulk(b"master");
    cx.reply.int(0);
    cx.reply.array(0);
    Ok(Flow::Replied)
}

/// There are no replicas: however long one waits, none will have taken over anything.
fn wait(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.args.int()?;
    timeout_ms(cx.args.bytes()?)?;
    cx.reply.int(0);
    Ok(Flow::Replied)
}

fn module_list(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.reply.array(0);
    Ok(Flow::Replied)
}

fn module_load(cx: &mut EngineCx<'_>) -> CmdResult {
    if !is_module_command_enabled(cx) {
        return Err(MODULES_NOT_ALLOWED);
    }
    tracing::warn!("There are no loadable modules: what modules offer comes with the server.");
    Err(ReplyError::Fixed("ERR Error loading the extension. Please check the server logs."))
}

fn module_loadex(cx: &mut EngineCx<'_>) -> CmdResult {
    module_load(cx)
}

fn module_unload(cx: &mut EngineCx<'_>) -> CmdResult {
    if !is_module_command_enabled(cx) {
        return Err(MODULES_NOT_ALLOWED);
    }
    Err(ReplyError::Fixed("ERR Error unloading module: no such module with that name"))
}

fn is_module_command_enabled(cx: &EngineCx<'_>) -> bool {
    let guard: Enabled = cx.engine.config.enable_module_command;
    cx.engine.is_enabled(guard, cx.client)
}

const MODULES_NOT_ALLOWED: ReplyError = ReplyError::Fixed(
    "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", \
     you can run it from a local connection, otherwise you need to set this option in the \
     configuration file, and then restart the server.",
);

impl Engine {
    /// From now on this server's history of changes has another name.
    pub(super) fn change_replication_id(&mut self) {
        self.identity.replication_id = hex_id(self.outside.as_mut());
    }
}
