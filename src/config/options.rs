//! The directives of a command line: `--port 6379 --save 900 1`.

use super::words;

/// One directive of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOption {
    /// As an error shows it.
    pub text: Vec<u8>,
    /// Directive and value.
    pub words: Vec<Vec<u8>>,
}

/// Groups arguments into directives.
///
/// `--` opens a directive, except as the first value of one that has none yet: `--logfile --x`
/// logs into `--x`. A directive and its value may share an argument: `"--port 1"`. `--save`
/// without a value, before another directive or at the end, is `save ""`.
pub fn group(arguments: &[Vec<u8>]) -> Vec<CommandOption> {
    let mut groups: Vec<Vec<&[u8]>> = Vec::new();
    let mut wants_value = false;
    for argument in arguments {
        let is_save = groups.last().is_some_and(|group| opens_save(group));
        match argument.strip_prefix(b"--") {
            Some(directive) if !wants_value || is_save => {
                // With a value in the same argument the next `--` opens a directive again.
                wants_value = words::split(directive).is_none_or(|words| words.len() < 2);
                groups.push(vec![directive]);
            }
            _ => {
                wants_value = false;
                match groups.last_mut() {
                    Some(group) => group.push(argument),
                    None => groups.push(vec![b"", argument]),
                }
            }
        }
    }
    groups.iter().filter_map(|group| option(group)).collect()
}

/// Whether a group is `--save` and nothing else so far.
fn opens_save(group: &[&[u8]]) -> bool {
    matches!(group, [directive] if directive.eq_ignore_ascii_case(b"save"))
}

/// A group as a line: the directive as it stands, the values quoted.
fn option(group: &[&[u8]]) -> Option<CommandOption> {
    let (directive, values) = group.split_first()?;
    let mut text = directive.to_vec();
    for value in values {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend(words::quote(value));
    }
    // A directive with unbalanced quotes is left whole; it will not be a known one.
    let mut words = words::split(directive).unwrap_or_else(|| vec![directive.to_vec()]);
    words.extend(values.iter().map(|value| value.to_vec()));
    if opens_save(group) {
        words.push(Vec::new());
    }
    (!words.is_empty()).then_some(CommandOption { text, words })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn check(arguments: &[&str], expected: &[&str]) {
        let arguments: Vec<Vec<u8>> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
        let shown = group(&arguments).into_iter().map(|o| String::from_utf8(o.text).unwrap());
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{arguments:?}");
    }

    #[test]
    fn dashes_open_directives() {
        check(&["--port", "1", "--loglevel"], &[r#"port "1""#, "loglevel"]);
        check(&["--port", "1", "2"], &[r#"port "1" "2""#]);
        check(&["port", "1", "--timeout", "2"], &[r#""port" "1""#, r#"timeout "2""#]);
        check(&["-x"], &[r#""-x""#]);
        check(&["--"], &[]);
        check(&[], &[]);
    }

    #[test]
    fn a_first_value_may_have_dashes() {
        check(
            &["--port", "--bla", "--loglevel", "verbose"],
            &[r#"port "--bla""#, r#"loglevel "verbose""#],
        );
        check(&["--port", "--loglevel", "verbose"], &[r#"port "--loglevel" "verbose""#]);
        check(&["--replicaof", "--127.0.0.1", "--abc"], &[r#"replicaof "--127.0.0.1""#, "abc"]);
    }

    #[test]
    fn one_argument_may_hold_directive_and_value() {
        check(
            &["--maxmemory 700mb", "--maxmemory-policy 'volatile-lru'"],
            &["maxmemory 700mb", "maxmemory-policy 'volatile-lru'"],
        );
        let options = group(&[b"--maxmemory-policy 'volatile-lru'".to_vec()]);
        assert_eq!(options[0].words, [b"maxmemory-policy".to_vec(), b"volatile-lru".to_vec()]);
    }

    #[test]
    fn save_without_value_clears() {
        for arguments in [
            &["--save", "--loglevel", "verbose"][..],
            &["--loglevel", "verbose", "--save"],
            &["--save", "", "--loglevel", "verbose"],
        ] {
            let arguments: Vec<Vec<u8>> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
            let options = group(&arguments);
            assert_eq!(options.len(), 2);
            assert!(options.iter().any(|o| o.words == [b"save".to_vec(), Vec::new()]));
        }
        check(
            &["--proc-title-template", "--save", "--save", ""],
            &[r#"proc-title-template "--save""#, r#"save """#],
        );
    }
}
