//! `redis.conf.example`: every directive with its default, from the table.

use std::fmt::Write as _;

use super::row::{Directive, Effect, When};
use super::table::{Config, Field};

const WIDTH: usize = 96;

/// The text of the example file.
pub fn example() -> String {
    let mut out = String::from(HEAD);
    let default = Config::default();
    let mut section = "";
    for field in Field::ALL {
        let directive = field.directive();
        if directive.is_hidden() {
            continue;
        }
        if directive.section != section {
            section = directive.section;
            let rule = "-".repeat(WIDTH - 4 - section.len());
            let _infallible = writeln!(out, "\n# {section} {rule}");
        }
        out.push('\n');
        for line in wrapped(&describe(directive)) {
            let _infallible = writeln!(out, "# {line}");
        }
        for line in (directive.lines)(&default) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let line = if directive.name() == "dir" { "./".to_owned() } else { line };
            let _infallible = writeln!(out, "#{} {line}", directive.name());
        }
    }
    out
}

const HEAD: &str = "\
# Configuration of ochre-server. Lines starting with # are comments; the directives below show
# their defaults. Start the server with the path of a file such as this one, and with directives
# as options that win over it:
#
#   ochre-server /path/to/redis.conf --port 6380
#
# Memory is written as 10 (bytes), 10k (1000), 10kb (1024), 10m, 10mb, 10g, 10gb. A value with
# blanks stands in quotes. Variables of the environment come before the file: OCHRE_MAXMEMORY=1gb.
#
# include /path/to/another.conf    reads another file here; * and ? in its name find several
# rename-command FLUSHALL \"\"       takes a command away, or gives it another name
# user name rules...               a user, as ACL SETUSER takes it
";

/// Documentation of one directive, in one paragraph.
pub fn describe(directive: &Directive) -> String {
    let mut text = directive.summary();
    let _infallible = write!(text, " [{}]", (directive.syntax)(&directive.row));
    if directive.row.when == When::Start {
        text.push_str(" Fixed once the server runs.");
    }
    if directive.is_protected() {
        text.push_str(" Guarded by enable-protected-configs.");
    }
    if !directive.row.aliases.is_empty() {
        let _infallible = write!(text, " Also known as {}.", directive.row.aliases.join(", "));
    }
    match directive.effect() {
        Effect::Acts => {}
        Effect::Inert(why) => {
            let _infallible = write!(text, " Without effect here: {why}.");
        }
        Effect::Later(what) => {
            let _infallible = write!(text, " Without effect yet: waits for {what}.");
        }
    }
    text
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().map_or(0, |line| line.len());
        if line > 0 && line + 1 + word.len() > WIDTH - 2 {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
