//! MONITOR: every command that is run, as a line, to whoever asked.

use crate::command::args::Args;
use crate::command::context::{CmdResult, Flow};
use crate::command::spec::{ADMIN, SKIP_MONITOR};

use crate::config::Field;

use crate::protocol::error::ReplyError;

use super::Engine;
use super::client::{ClientFlags, ClientKey};
use super::context::EngineCx;
use super::registry::RowIndex;

impl Engine {
    /// Shows a command that is about to run to all monitors.
    pub(super) fn feed_monitors(&mut self, caller: ClientKey, row: RowIndex, args: &Args<'_>) {
        let flags = self.registry.row(row).spec.flags;
        // What administrators do is not for everybody's eyes.
        if !flags.has(SKIP_MONITOR) && !flags.has(ADMIN) {
            self.show_to_monitors(caller, row, args);
        }
    }

    /// Shows a command to all monitors. Scripts do it themselves, so that they are shown before the
    /// commands that they call.
    pub(super) fn show_to_monitors(&mut self, caller: ClientKey, row: RowIndex, args: &Args<'_>) {
        if self.monitors.is_empty() {
            return;
        }
        let Some(client) = self.clients.get(caller) else { return };
        let seconds = self.now.unix_us.div_euclid(1_000_000);
        let micros = self.now.unix_us.rem_euclid(1_000_000);
        let origin = if self.scripts.is_calling() {
            "lua".to_owned()
        } else if client.origin.is_unix {
            format!("unix:{}", self.config.unixsocket)
        } else {
            client.origin.addr.clone()
        };
        let mut line = format!("+{seconds}.{micros:06} [{} {origin}]", client.db.0).into_bytes();
        let hidden = hidden_words(&self.registry.row(row).full_name, args);
        for (index, word) in args.words().enumerate() {
            line.extend_from_slice(b" ");
            if hidden.contains(&index) {
                line.extend_from_slice(b"\"(redacted)\"");
            } else {
                quote(word, &mut line);
            }
        }
        line.extend_from_slice(b"\r\n");
        for key in self.monitors.clone() {
            self.push_to(key, |mut reply| reply.output().push_raw(&line));
        }
    }

    /// Forgets a monitor that has left.
    pub(super) fn remove_monitor(&mut self, key: ClientKey) {
        self.monitors.retain(|monitor| *monitor != key);
    }
}

/// MONITOR
pub(super) fn monitor(cx: &mut EngineCx<'_>) -> CmdResult {
    let key = cx.client;
    if cx.caller().flags.has(ClientFlags::MULTI) {
        // Lines amid a transaction's replies would be taken for some of them.
        return Err(ReplyError::Fixed("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    if !cx.caller().flags.has(ClientFlags::MONITOR) {
        cx.caller().flags.set(ClientFlags::MONITOR, true);
        cx.engine.monitors.push(key);
    }
    cx.reply.ok();
    Ok(Flow::Replied)
}

/// Words that hold secrets: passwords of AUTH, HELLO, CONFIG SET of sensitive directives.
pub(super) fn hidden_words(command: &str, args: &Args<'_>) -> Vec<usize> {
    let words = args.word_count();
    match command {
        "auth" => (1..words).collect(),
        "hello" => (2..words)
            .find(|index| args.word(*index).eq_ignore_ascii_case(b"auth"))
            .map_or_else(Vec::new, |auth| (auth + 1..words.min(auth + 3)).collect()),
        "config|set" => (2..words)
            .step_by(2)
            .filter(|index| {
                Field::of(args.word(*index)).is_some_and(|field| field.directive().is_secret())
            })
            .map(|index| index + 1)
            .filter(|index| *index < words)
            .collect(),
        "acl|setuser" | "acl|deluser" | "acl|getuser" => (2..words).collect(),
        _ => Vec::new(),
    }
}

/// A word in double quotes, with what can't be printed escaped.
pub(super) fn quote(word: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in word {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(*byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}
