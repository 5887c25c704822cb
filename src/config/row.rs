//! What the table says about one directive, and how a row is written down.

use super::kinds::{Refusal, Source};
use super::table::Config;

/// When a directive may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At any time, with CONFIG SET.
    Live,
    /// Only before the server starts.
    Start,
}

/// What a directive does in ochre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does what its documentation says.
    Acts,
    /// It is understood and has no meaning here: why.
    Inert(&'static str),
    /// It is understood and waits for a subsystem: which.
    Later(&'static str),
}

const HIDDEN: u8 = 1;
const PROTECTED: u8 = 2;
const SECRET: u8 = 4;
const NOT_WHILE_LOADING: u8 = 8;

/// Checks a text that has the right form; the error is what the user reads.
pub type Check = fn(&str) -> Result<(), &'static str>;

/// The part of a directive that a human writes.
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Canonical name.
    pub name: &'static str,
    /// Other names, all of which CONFIG knows.
    pub aliases: &'static [&'static str],
    /// When it may be changed.
    pub when: When,
    /// Bounds of a number, inclusive; without, those of its type.
    pub range: Option<(i128, i128)>,
    /// Bounds that a number is silently moved into.
    pub pinned: Option<(i128, i128)>,
    /// Check of a text.
    pub check: Option<Check>,
    /// Effect, where it differs from the section's.
    pub effect: Option<Effect>,
    marks: u8,
}

/// A directive that CONFIG SET may change.
pub const fn live(name: &'static str) -> Row {
    Row {
        name,
        aliases: &[],
        when: When::Live,
        range: None,
        pinned: None,
        check: None,
        effect: None,
        marks: 0,
    }
}

/// A directive that is fixed once the server runs.
pub const fn start(name: &'static str) -> Row {
    Row { when: When::Start, ..live(name) }
}

impl Row {
    /// Other names.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Inclusive bounds, beyond which a number is refused.
    pub const fn range(self, min: i128, max: i128) -> Self {
        Self { range: Some((min, max)), ..self }
    }

    /// Inclusive bounds, beyond which a number is moved to the nearest.
    pub const fn pinned(self, min: i128, max: i128) -> Self {
        Self { pinned: Some((min, max)), ..self }
    }

    /// A check of the text.
    pub const fn check(self, check: Check) -> Self {
        Self { check: Some(check), ..self }
    }

    /// Shown by CONFIG GET only when asked for by its full name.
    pub const fn hidden(self) -> Self {
        Self { marks: self.marks | HIDDEN, ..self }
    }

    /// Changed by CONFIG SET only where `enable-protected-configs` allows it.
    pub const fn protected(self) -> Self {
        Self { marks: self.marks | PROTECTED, ..self }
    }

    /// Its value must not appear in logs, SLOWLOG or MONITOR.
    pub const fn secret(self) -> Self {
        Self { marks: self.marks | SECRET, ..self }
    }

    /// Not changed while the data set is loading.
    pub const fn not_while_loading(self) -> Self {
        Self { marks: self.marks | NOT_WHILE_LOADING, ..self }
    }

    /// Acts, in a section that does not yet.
    pub const fn acts(self) -> Self {
        Self { effect: Some(Effect::Acts), ..self }
    }

    /// Has no meaning here: why.
    pub const fn inert(self, why: &'static str) -> Self {
        Self { effect: Some(Effect::Inert(why)), ..self }
    }

    /// Waits for a subsystem: which.
    pub const fn later(self, what: &'static str) -> Self {
        Self { effect: Some(Effect::Later(what)), ..self }
    }
}

/// Sets a field from words.
pub type Assign = fn(&mut Config, &[&[u8]], &Row, Source) -> Result<(), Refusal>;

/// A directive: its row, what the macro derives, and the way to its field.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// The part written by hand.
    pub row: Row,
    /// Heading it is documented under.
    pub section: &'static str,
    /// Effect of the section's directives, unless the row says otherwise.
    pub section_effect: Effect,
    /// Documentation, raw from the table: see [`Directive::summary`].
    pub doc: &'static str,
    /// Whether it takes several words.
    pub several: bool,
    /// Values it takes, for documentation.
    pub syntax: fn(&Row) -> String,
    /// Sets the field from the words.
    pub assign: Assign,
    /// The value as CONFIG GET prints it.
    pub text: fn(&Config) -> Vec<u8>,
    /// The value as lines of a file, each without the name; none when there is nothing to say.
    pub lines: fn(&Config) -> Vec<Vec<u8>>,
    /// Whether two configurations agree in this field.
    pub same: fn(&Config, &Config) -> bool,
}

impl Directive {
    /// Canonical name.
    pub const fn name(&self) -> &'static str {
        self.row.name
    }

    /// Canonical name, then the others.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.row.name).chain(self.row.aliases.iter().copied())
    }

    /// What it does in ochre.
    pub fn effect(&self) -> Effect {
        self.row.effect.unwrap_or(self.section_effect)
    }

    /// Whether CONFIG GET shows it only by its full name.
    pub const fn is_hidden(&self) -> bool {
        self.row.marks & HIDDEN != 0
    }

    /// Whether `enable-protected-configs` guards it.
    pub const fn is_protected(&self) -> bool {
        self.row.marks & PROTECTED != 0
    }

    /// Whether its value is a secret.
    pub const fn is_secret(&self) -> bool {
        self.row.marks & SECRET != 0
    }

    /// Whether it is refused while the data set is loading.
    pub const fn is_denied_while_loading(&self) -> bool {
        self.row.marks & NOT_WHILE_LOADING != 0
    }

    /// One or two sentences of documentation, on one line.
    pub fn summary(&self) -> String {
        self.doc.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The words a line of a file or a value of CONFIG SET gives: a value that takes several
    /// words may come as one string.
    pub(super) fn words<'a>(&self, given: &[&'a [u8]]) -> Result<Vec<&'a [u8]>, Refusal> {
        match given {
            // Several may be none: the kind itself says whether that is too few.
            [] | [[]] if self.several => Ok(Vec::new()),
            // Only a single space separates here: `900  1` holds an empty word and is refused.
            [one] if self.several => Ok(one.split(|&byte| byte == b' ').collect()),
            [one] => Ok(vec![*one]),
            _ if self.several => Ok(given.to_vec()),
            _ => Err("wrong number of arguments".into()),
        }
    }
}
