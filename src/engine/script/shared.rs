//! What a script and the engine hand each other across the fiber.

use std::cell::{Cell, RefCell};

use crate::base::number::{format_double, format_int};
use crate::command::args::Args;
use crate::protocol::reply::{Dialect, Output};
use crate::protocol::request::Span;

/// Words of a request that a script has put together.
#[derive(Debug, Default)]
pub(super) struct Words {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl Words {
    /// Starts anew.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Adds a word.
    pub(super) fn push(&mut self, word: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(word);
        self.close(start);
    }

    /// Adds a number: an integer where it is one, the shortest digits otherwise.
    pub(super) fn push_number(&mut self, number: f64) {
        let start = self.bytes.len();
        match to_integer(number) {
            // The least integer goes as a double, as in Redis.
            Some(integer) if integer > i64::MIN => format_int(integer, &mut self.bytes),
            _ if number.is_nan() && number.is_sign_negative() => {
                self.bytes.extend_from_slice(b"-nan");
            }
            _ => format_double(number, &mut self.bytes),
        }
        self.close(start);
    }

    fn close(&mut self, start: usize) {
        // What does not fit is refused before anybody looks at these positions.
        let position = |at: usize| u32::try_from(at).unwrap_or(0);
        self.spans.push(Span { start: position(start), end: position(self.bytes.len()) });
    }

    /// Whether the words are more than positions can tell.
    pub(super) fn is_too_large(&self) -> bool {
        self.bytes.len() >= Span::LARGE as usize
    }

    /// The words as a request.
    pub(super) fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans, &[])
    }

    /// Gives memory back that a giant request left.
    pub(super) fn shrink(&mut self) {
        const KEPT_BYTES: usize = 64 * 1024;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.spans.clear();
        self.spans.shrink_to(KEPT_BYTES / size_of::<Span>());
    }
}

/// A double as the integer that it is, if it is one.
pub(super) fn to_integer(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number.fract() != 0.0 || !(-LIMIT..LIMIT).contains(&number) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "an integer within the bounds of i64")]
    Some(number as i64)
}

/// A double without its fraction; what is beyond 64 bits, or no number, is the least of all.
pub(super) fn truncated(number: f64) -> i64 {
    to_integer(number.trunc()).unwrap_or(i64::MIN)
}

/// Why a call never left the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There was no argument.
    Nothing,
    /// An argument was neither string nor number.
    NotAWord,
}

impl Refusal {
    /// As scripts read it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Nothing => "ERR Please specify at least one argument for this redis lib call",
            Self::NotAWord => "ERR Lua redis lib command arguments must be strings or integers",
        }
    }
}

/// How a script failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure {
    /// The error reply without the leading `-`.
    pub text: Vec<u8>,
    /// Source and line.
    pub place: Option<(Vec<u8>, usize)>,
    /// Whether `errorstats` knows it already.
    pub is_counted: bool,
}

/// A function that a library has registered.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    pub name: Box<str>,
    pub slot: usize,
    pub flags: super::flags::ScriptFlags,
    pub description: Option<Box<[u8]>>,
}

/// What both sides see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The fiber that the script runs on.
    pub fiber: Cell<u64>,
    /// The script's arguments, and later the request that it makes.
    pub words: RefCell<Words>,
    /// The reply to it.
    pub reply: RefCell<Output>,
    /// The script's own reply.
    pub result: RefCell<Output>,
    /// Why there is no reply.
    refusal: Cell<Option<Refusal>>,
    /// Whether the caller may run what was inquired about; `None`: there is no such command.
    pub verdict: Cell<Option<bool>>,
    /// Whether the script's changes are kept from the log.
    pub is_muted: Cell<bool>,
    /// Whether the script wants replies in RESP3.
    pub is_resp3: Cell<bool>,
    /// The dialect of the script's own reply.
    pub dialect: Cell<Dialect>,
    /// How the script failed, if it did.
    pub failure: RefCell<Option<Failure>>,
    /// What a script is told that must end.
    pub fatal_text: Cell<&'static str>,
    /// Whether a library is being loaded.
    pub is_loading: Cell<bool>,
    /// Functions registered by the library that is being loaded.
    pub registrations: RefCell<Vec<Registration>>,
}

impl Shared {
    pub(super) fn refuse(&self, refusal: Option<Refusal>) {
        self.refusal.set(refusal);
    }

    /// Why the latest call never left the script.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get()
    }

    /// The dialect in which commands reply to the script.
    pub(super) fn script_dialect(&self) -> Dialect {
        if self.is_resp3.get() { Dialect::Resp3 } else { Dialect::Resp2 }
    }
}
