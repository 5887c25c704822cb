//! The example file is what the table says, and every directive of the other servers is known.
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::path::Path;

use ochre::config::example::example;
use ochre::config::file::{Files, Origin, Reader};
use ochre::config::{Config, Field};
use proptest::prelude::*;

struct NoFiles;

impl Files for NoFiles {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        // Includes itself, to show that this ends.
        Ok(format!("include {path}").into_bytes())
    }
    fn matching(&mut self, pattern: &str) -> Vec<String> {
        vec![pattern.to_owned(); 2]
    }
    fn enter(&mut self, dir: &str) -> Result<String, String> {
        Ok(dir.to_owned())
    }
}

fn read(text: &[u8]) -> Result<Config, String> {
    let mut files = NoFiles;
    let mut reader = Reader::new(&mut files, &|_| true);
    reader.lines(text, &Origin::Stdin).map_err(|fault| fault.to_string())?;
    reader.finish().map_err(|fault| fault.to_string())
}

#[test]
fn example_file_matches_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("redis.conf.example");
    let (expected, found) = (example(), std::fs::read_to_string(&path).unwrap_or_default());
    if std::env::var_os("OCHRE_BLESS").is_some() {
        std::fs::write(&path, expected).unwrap();
        return;
    }
    for (number, (expected, found)) in expected.lines().zip(found.lines()).enumerate() {
        assert_eq!(found, expected, "line {}; OCHRE_BLESS=1 rewrites the file", number + 1);
    }
    assert_eq!(found, expected, "OCHRE_BLESS=1 rewrites the file");
}

#[test]
fn example_file_shows_the_defaults() {
    // Its directives are comments; without the mark they must read back as the defaults.
    let text: Vec<&str> = example_lines();
    let config = read(text.join("\n").as_bytes()).unwrap();
    for field in Field::ALL.iter().filter(|field| **field != Field::dir) {
        let directive = field.directive();
        assert!((directive.same)(&config, &Config::default()), "{}", directive.name());
    }
}

/// Lines such as `#port 6379`, without the mark.
fn example_lines() -> Vec<&'static str> {
    let text: &'static str = Box::leak(example().into_boxed_str());
    let directive = |line: &'static str| line.strip_prefix('#').filter(|l| !l.starts_with(' '));
    text.lines().filter_map(directive).collect()
}

/// Names that CONFIG GET * of Redis 7.0, Redis 8.0 and Valkey 9.1 shows.
const KNOWN_ELSEWHERE: &str = include_str!("data/directives.txt");

#[test]
fn every_directive_of_the_others_is_known() {
    let unknown: Vec<_> =
        KNOWN_ELSEWHERE.lines().filter(|name| Field::of(name.as_bytes()).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

proptest! {
    #[test]
    fn no_file_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        ochre::config::fuzz::parse(&bytes);
    }

    #[test]
    fn accepted_lines_survive_a_rewrite(
        lines in prop::collection::vec((any::<prop::sample::Index>(), value()), 0..5),
    ) {
        let line = |(at, value): &(prop::sample::Index, String)| {
            format!("{} {value}\n", at.get(Field::ALL).directive().name())
        };
        let text: String = lines.iter().map(line).collect();
        ochre::config::fuzz::parse(text.as_bytes());
    }
}

/// Values that some directive takes, and some that none does.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("yes".to_owned()),
        Just("no".to_owned()),
        Just("\"\"".to_owned()),
        "[0-9]{1,6}(kb|mb|%)?",
        "[0-9]{1,3} [0-9]{1,3}( [0-9]{1,3})?",
        "(normal|replica|pubsub) [0-9]{1,3}kb [0-9]{1,3} [0-9]{1,3}",
        "[A-Zg$lshzxetdmn]{1,5}",
        "\"(\\\\x[0-9a-f]{2}| |\\\\\"|[a-z]){0,6}\"",
        "\\PC{0,20}",
    ]
}
