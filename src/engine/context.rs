//! What a handler of an engine command is given: the engine itself, its client, its reply.

use crate::base::time::Now;
use crate::command::args::Args;
use crate::protocol::error::ReplyError;
use crate::protocol::reply::Reply;

use super::Engine;
use super::client::{Client, ClientKey};
use super::registry::RowIndex;

/// For a command that works on more than the keyspace.
#[derive(Debug)]
pub struct EngineCx<'a> {
    /// Everything. The caller's own replies are not in its client's `output` meanwhile.
    pub engine: &'a mut Engine,
    /// The caller.
    pub client: ClientKey,
    /// Its row, for error texts that name the command.
    pub row: RowIndex,
    /// Words of the request.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// How many elements may be walked here and now; beyond, a worker does it.
    pub here_max: usize,
}

impl EngineCx<'_> {
    /// The batch's reading of the clocks.
    pub fn now(&self) -> Now {
        self.engine.now
    }

    /// The caller's state.
    ///
    /// # Panics
    /// Never: a caller is connected while it is served.
    pub fn caller(&mut self) -> &mut Client {
        self.engine.clients.get_mut(self.client).expect("a caller is connected while it is served")
    }

    /// The refusal of a subcommand that is unknown or has a wrong number of words.
    pub fn misused_subcommand(&self) -> ReplyError {
        let row = self.engine.registry.row(self.row);
        let command = row.full_name.split('|').next().unwrap_or_default().to_ascii_uppercase();
        let word = super::dispatch::until_zero(self.args.word(1));
        let start = b"ERR unknown subcommand or wrong number of arguments for '";
        let end = format!("'. Try {command} HELP.");
        let text = [start, &word[..word.len().min(128)], end.as_bytes()].concat();
        ReplyError::Bytes(text.into())
    }
}
