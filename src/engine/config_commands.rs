//! CONFIG: directives of the running server.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{
    ADMIN, Command, Group, LOADING, NOSCRIPT, STALE, at_least, block, exactly, text,
};
use crate::config::Field;
use crate::config::change::Permission;
use crate::config::choices::Enabled;
use crate::config::rewrite::{self, Extent};
use crate::config::row::Effect;
use crate::protocol::error::ReplyError;

use super::Engine;
use super::client::ClientKey;
use super::context::EngineCx;
use super::registry::EngineRun::{self, Container, Engine as Run, Help};
use super::stats::{CallStats, Stats};

/// Commands of this file.
pub(super) const COMMANDS: &[Command<EngineRun>] =
    &[Command::new("CONFIG", at_least(2), Group::Server, Container)
        .doc("2.0.0", "Holds the commands about directives.", "Depends on subcommand.")
        .subcommands(&[
            Command::new("GET", at_least(3), Group::Server, Run(config_get))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .args(&[text("parameter").repeated()])
                .doc(
                    "2.0.0",
                    "Returns the values of directives.",
                    "O(N) when N is the number of configuration parameters provided",
                ),
            Command::new("HELP", exactly(2), Group::Server, Help(HELP))
                .flags(LOADING.and(STALE))
                .doc("5.0.0", "Lists the subcommands.", "O(1)"),
            Command::new("RESETSTAT", exactly(2), Group::Server, Run(config_resetstat))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .doc("2.0.0", "Sets the counters of INFO to zero.", "O(1)"),
            Command::new("REWRITE", exactly(2), Group::Server, Run(config_rewrite))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .doc("2.8.0", "Writes the present values into the configuration file.", "O(1)"),
            Command::new("SET", at_least(4), Group::Server, Run(config_set))
                .flags(ADMIN.and(NOSCRIPT).and(LOADING).and(STALE))
                .args(&[block("data", &[text("parameter"), text("value")]).repeated()])
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .doc(
                    "2.0.0",
                    "Changes directives of the running server, all or none.",
                    "O(N) when N is the number of configuration parameters provided",
                ),
        ])];

const HELP: &[&str] = &[
    "GET <pattern> [<pattern> ...]",
    "    Show the directives whose names match one of the patterns.",
    "SET <directive> <value> [<directive> <value> ...]",
    "    Change directives: all of them, or none when one is refused.",
    "RESETSTAT",
    "    Set the counters of INFO to zero.",
    "REWRITE",
    "    Write the present values into the configuration file.",
];

fn config_get(cx: &mut EngineCx<'_>) -> CmdResult {
    let patterns: Vec<&[u8]> = cx.args.rest().collect();
    let found = cx.engine.config.get(&patterns);
    cx.reply.map(found.len());
    for (name, value) in found {
        cx.reply.bulk(&name);
        cx.reply.bulk(&value);
    }
    Ok(Flow::Replied)
}

fn config_set(cx: &mut EngineCx<'_>) -> CmdResult {
    if !cx.args.left().is_multiple_of(2) {
        return Err(ReplyError::Syntax);
    }
    let words: Vec<&[u8]> = cx.args.rest().collect();
    let pairs: Vec<(&[u8], &[u8])> = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let permission = Permission {
        protected: cx.engine.is_enabled(cx.engine.config.enable_protected_configs, cx.client),
        loading: cx.engine.is_loading(),
    };

    let engine = &mut *cx.engine;
    let changes = engine.config.set(&pairs, permission)?;
    if let Err((field, why)) = engine.outside.apply(&engine.config, changes.fields()) {
        return Err(changes.undo(&mut engine.config, field, &why));
    }
    for field in changes.fields() {
        let directive = field.directive();
        if directive.effect() != Effect::Acts {
            tracing::warn!("CONFIG SET {} has no effect in this version.", directive.name());
        }
    }
    if changes.touch(Field::dir) {
        engine.config.dir = engine.outside.working_dir();
    }
    if changes.touch(Field::appendonly)
        && let Err(why) = engine.obey_appendonly()
    {
        return Err(changes.undo(&mut engine.config, Field::appendonly, &why));
    }
    engine.obey_config();
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn config_rewrite(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.rewrite_config(Extent::Changed)?;
    cx.reply.ok();
    Ok(Flow::Replied)
}

fn config_resetstat(cx: &mut EngineCx<'_>) -> CmdResult {
    cx.engine.reset_stats();
    cx.reply.ok();
    Ok(Flow::Replied)
}

impl Engine {
    /// Whether what is guarded by `guard` is open to a client.
    pub(super) fn is_enabled(&self, guard: Enabled, key: ClientKey) -> bool {
        match guard {
            Enabled::No => false,
            Enabled::Yes => true,
            Enabled::Local => self
                .clients
                .get(key)
                .is_some_and(|client| client.origin.is_loopback || client.origin.is_unix),
        }
    }

    /// Brings the configuration file up to date.
    pub(super) fn rewrite_config(&mut self, extent: Extent) -> Result<(), ReplyError> {
        let path = &self.identity.config_file;
        if path.is_empty() {
            return Err(ReplyError::Fixed("ERR The server is running without a config file"));
        }
        let old = match self.outside.read_config_file(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(rewriting_failed(&error)),
        };
        let text = rewrite::rewrite(&old, &self.config, None, extent);
        self.outside.write_config_file(path, &text).map_err(|error| rewriting_failed(&error))?;
        tracing::info!("CONFIG REWRITE executed with success.");
        Ok(())
    }

    /// Sets all counters to zero, those of commands included.
    fn reset_stats(&mut self) {
        self.compaction.reset();
        let old = std::mem::take(&mut self.stats);
        self.stats = Stats {
            memory_peak: old.memory_peak,
            freed_before: self.outside.freeing().freed,
            ..Stats::default()
        };
        self.keyspace.stats().reset();
        for row in self.registry.rows_mut() {
            row.stats = CallStats::default();
        }
    }
}

fn rewriting_failed(error: &std::io::Error) -> ReplyError {
    tracing::warn!("CONFIG REWRITE failed: {error}");
    ReplyError::Text(format!("ERR Rewriting config file: {error}").into())
}
