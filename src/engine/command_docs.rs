//! COMMAND DOCS: the documentation of commands and the grammar of their arguments.

use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{Arg, ArgKind, Spec};
use crate::protocol::reply::Reply;

use super::Engine;
use super::context::EngineCx;
use super::registry::{Row, RowIndex};

/// COMMAND DOCS
pub(super) fn command_docs(cx: &mut EngineCx<'_>) -> CmdResult {
    let registry = &cx.engine.registry;
    let rows: Vec<RowIndex> = if cx.args.is_done() {
        registry.commands().collect()
    } else {
        cx.args.rest().filter_map(|name| registry.find_full(name)).collect()
    };
    cx.reply.map(rows.len());
    for row in rows {
        document(cx.engine, row, &mut cx.reply);
    }
    Ok(Flow::Replied)
}

fn document(engine: &Engine, index: RowIndex, reply: &mut Reply<'_>) {
    let row = engine.registry.row(index);
    let spec = &row.spec;
    reply.bulk(row.full_name.as_bytes());
    reply.map(field_count(row));
    field(reply, "summary", spec.summary);
    field(reply, "since", spec.since);
    field(reply, "group", spec.group.name());
    if !spec.complexity.is_empty() {
        field(reply, "complexity", spec.complexity);
    }
    let flags = doc_flags(spec);
    if !flags.is_empty() {
        reply.bulk(b"doc_flags");
        reply.set(flags.len());
        for flag in flags {
            reply.simple(flag);
        }
    }
    if let Some((since, replaced_by)) = spec.deprecated {
        field(reply, "deprecated_since", since);
        field(reply, "replaced_by", replaced_by);
    }
    if !spec.history.is_empty() {
        reply.bulk(b"history");
        reply.set(spec.history.len());
        for (version, change) in spec.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
    }
    if !spec.args.is_empty() {
        reply.bulk(b"arguments");
        arguments(reply, spec.args);
    }
    if !row.children.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(row.children.len());
        for child in &row.children {
            document(engine, *child, reply);
        }
    }
}

fn field_count(row: &Row) -> usize {
    let spec = &row.spec;
    3 + usize::from(!spec.complexity.is_empty())
        + usize::from(!doc_flags(spec).is_empty())
        + 2 * usize::from(spec.deprecated.is_some())
        + usize::from(!spec.history.is_empty())
        + usize::from(!spec.args.is_empty())
        + usize::from(!row.children.is_empty())
}

fn doc_flags(spec: &Spec) -> Vec<&'static str> {
    let deprecated = spec.deprecated.map(|_| "deprecated");
    deprecated.into_iter().chain(spec.doc_flags.iter().copied()).collect()
}

fn field(reply: &mut Reply<'_>, name: &str, value: &str) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}

fn arguments(reply: &mut Reply<'_>, args: &[Arg]) {
    reply.array(args.len());
    for arg in args {
        argument(reply, arg);
    }
}

fn argument(reply: &mut Reply<'_>, arg: &Arg) {
    let is_group = matches!(arg.kind, ArgKind::OneOf | ArgKind::Block);
    let flags = arg_flags(arg);
    reply.map(
        2 + usize::from(!is_group)
            + usize::from(arg.key_spec.is_some())
            + usize::from(arg.token.is_some())
            + usize::from(arg.since.is_some())
            + usize::from(arg.deprecated.is_some())
            + usize::from(!flags.is_empty())
            + usize::from(is_group),
    );
    field(reply, "name", arg.name);
    field(reply, "type", arg.kind.name());
    if !is_group {
        field(reply, "display_text", arg.display.unwrap_or(arg.name));
    }
    if let Some(index) = arg.key_spec {
        reply.bulk(b"key_spec_index");
        reply.int(i64::from(index));
    }
    if let Some(token) = arg.token {
        field(reply, "token", token);
    }
    if let Some(since) = arg.since {
        field(reply, "since", since);
    }
    if let Some(deprecated) = arg.deprecated {
        field(reply, "deprecated_since", deprecated);
    }
    if !flags.is_empty() {
        reply.bulk(b"flags");
        reply.set(flags.len());
        for flag in flags {
            reply.simple(flag);
        }
    }
    if is_group {
        reply.bulk(b"arguments");
        arguments(reply, arg.parts);
    }
}

fn arg_flags(arg: &Arg) -> Vec<&'static str> {
    let flags = [
        (arg.is_optional, "optional"),
        (arg.is_repeated, "multiple"),
        (arg.repeats_token, "multiple_token"),
    ];
    flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect()
}

impl ArgKind {
    /// Name as COMMAND DOCS prints it.
    const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }
}
