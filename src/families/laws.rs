//! Laws that every row of every table obeys.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use crate::command::spec::{Arg, ArgKind, Arity, Begin, Command, DataRun, Find};

/// Fewest and most words that a grammar admits; `None` is without bound.
#[derive(Clone, Copy, Debug)]
struct Words {
    least: usize,
    most: Option<usize>,
}

impl Words {
    const NONE: Self = Self { least: 0, most: Some(0) };

    fn then(self, next: Self) -> Self {
        let most = self.most.zip(next.most).map(|(one, other)| one + other);
        Self { least: self.least + next.least, most }
    }

    fn of_all(args: &[Arg]) -> Self {
        args.iter().map(Self::of).fold(Self::NONE, Self::then)
    }

    fn of(arg: &Arg) -> Self {
        let token = Self { least: 1, most: Some(1) };
        let mut words = match arg.kind {
            ArgKind::Block => Self::of_all(arg.parts),
            ArgKind::OneOf => {
                let parts = || arg.parts.iter().map(Self::of);
                let least = parts().map(|part| part.least).min().unwrap_or(0);
                Self { least, most: parts().map(|part| part.most).max().flatten() }
            }
            _ => token,
        };
        if arg.token.is_some() && arg.kind != ArgKind::PureToken {
            words = words.then(token);
        }
        let least = if arg.is_optional { 0 } else { words.least };
        Self { least, most: words.most.filter(|_| !arg.is_repeated) }
    }
}

fn rows() -> impl Iterator<Item = (String, usize, &'static Command<DataRun>)> {
    let tables = super::TABLES.iter().flat_map(|table| table.iter());
    tables.flat_map(|row| {
        let own = (row.spec.name.to_owned(), 1, row);
        let sub = |sub: &'static Command<DataRun>| {
            (format!("{}|{}", row.spec.name, sub.spec.name), 2, sub)
        };
        std::iter::once(own).chain(row.subcommands.iter().map(sub))
    })
}

#[test]
fn arity_follows_from_the_grammar() {
    for (name, own_words, row) in rows().filter(|(_, _, row)| row.subcommands.is_empty()) {
        let words = Words { least: own_words, most: Some(own_words) };
        let words = words.then(Words::of_all(row.spec.args));
        let expected = match row.spec.arity {
            Arity::Exactly(count) => {
                assert_eq!(words.most, Some(words.least), "{name} has no options");
                count
            }
            Arity::AtLeast(count) => {
                assert_ne!(words.most, Some(words.least), "{name} has options");
                count
            }
        };
        assert_eq!(usize::try_from(expected), Ok(words.least), "{name}");
    }
}

#[test]
fn every_row_is_documented() {
    for (name, _, row) in rows() {
        let spec = &row.spec;
        assert!(spec.summary.ends_with('.') && spec.summary.len() > 20, "{name} has a sentence");
        assert!(!spec.complexity.is_empty(), "{name} has a complexity");
        assert!(spec.since.split('.').count() == 3, "{name} has a version");
        assert_eq!(spec.name, spec.name.to_ascii_uppercase());
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<String> = rows().map(|(name, _, _)| name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn grammar_and_key_specs_agree() {
    fn key_specs(args: &[Arg], found: &mut Vec<u32>) {
        for arg in args {
            found.extend(arg.key_spec);
            key_specs(arg.parts, found);
        }
    }
    for (name, _, row) in rows() {
        let mut named = Vec::new();
        key_specs(row.spec.args, &mut named);
        named.sort_unstable();
        named.dedup();
        let placed = row.spec.keys.iter().filter(|key| {
            !matches!(key.begin, Begin::Unknown) && !matches!(key.find, Find::Unknown)
        });
        assert!(placed.count() <= named.len(), "{name} names the keys of its specs");
        let beyond =
            named.iter().any(|spec| row.spec.keys.get(usize::try_from(*spec).unwrap()).is_none());
        assert!(!beyond, "{name} has the specs its grammar speaks of");
    }
}
