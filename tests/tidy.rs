//! Laws about the source itself: who may use whom, how files begin, how long they get.
//!
//! Each failure is one sentence that names the file and what to do about it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers from the ground up; those of one line are siblings and don't see each other.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["structures", "protocol"],
    &["types"],
    &["keyspace"],
    &["command", "persistence", "config"],
    &["families"],
    &["engine"],
    &["server"],
];

const LONGEST_FILE: usize = 800;

/// Files that may switch off clippy's limit of 70 lines a function, each for a reason.
const LONG_FUNCTIONS: &[&str] = &[];

/// Words that mark unfinished work; split so that this file doesn't hold them itself.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("/tmp/", "wt"),
    concat!("/tmp/", "peers"),
];

struct Source {
    /// Relative to the project, with forward slashes.
    name: String,
    text: String,
}

/// Every file under `directory` that `wanted` accepts by name; unreadable text is skipped.
fn sources(directory: &str, wanted: impl Fn(&str) -> bool + Copy) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut pending = vec![root.join(directory)];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let generated = path.ends_with("target") || path.ends_with("__pycache__");
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            pending.extend(entries.map(|entry| entry.path()).filter(|_| !generated));
        } else if let Some(source) = read(root, &path, wanted) {
            found.push(source);
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn read(root: &Path, path: &PathBuf, wanted: impl Fn(&str) -> bool) -> Option<Source> {
    let name = path.strip_prefix(root).ok()?.to_str()?.replace('\\', "/");
    let text = wanted(&name).then(|| fs::read_to_string(path).ok())??;
    Some(Source { name, text })
}

fn is_rust(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "rs")
}

fn rust_sources() -> Vec<Source> {
    ["src", "tests", "benches"].iter().flat_map(|at| sources(at, is_rust)).collect()
}

fn assert_none(complaints: &[String]) {
    let mut text = String::new();
    for complaint in complaints {
        let _ = writeln!(text, "  {complaint}");
    }
    assert!(complaints.is_empty(), "\n{text}");
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The module of `src/MODULE/...` or `src/MODULE.rs`; none for the roots.
fn module_of(name: &str) -> Option<&str> {
    let inside = name.strip_prefix("src/")?;
    let module = inside.split('/').next()?.trim_end_matches(".rs");
    (module != "lib" && module != "main").then_some(module)
}

/// The line without its comment. A `//` inside a string ends it too: no path follows there.
fn code_of(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// The top-level modules that `code` names by `crate::`, groups in braces included.
fn used_modules(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = code[at + "crate::".len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(group) => used.extend(group_heads(group)),
            None => used.push(identifier(rest)),
        }
    }
    used
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// First identifiers of the items of a `{ ... }` group whose opening brace is gone.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut item) = (Vec::new(), 0, String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(identifier(std::mem::take(&mut item).trim())),
            _ => {}
        }
        if depth == 0 && c != ',' && c != '}' {
            item.push(c);
        }
    }
    heads.push(identifier(item.trim()));
    heads.retain(|head| !head.is_empty());
    heads
}

#[test]
fn modules_use_lower_layers_only() {
    let mut complaints = Vec::new();
    for source in sources("src", is_rust) {
        let Some(module) = module_of(&source.name) else { continue };
        let Some(layer) = layer_of(module) else {
            complaints
                .push(format!("{}: `{module}` stands in no layer of tests/tidy.rs", source.name));
            continue;
        };
        let code: Vec<_> = source.text.lines().map(code_of).collect();
        let code = code.join("\n");
        for used in used_modules(&code) {
            let allowed = used == module || layer_of(&used).is_none_or(|of| of < layer);
            if !allowed {
                complaints.push(format!(
                    "{}: `{module}` must not use `crate::{used}`, which is not below it",
                    source.name
                ));
            }
        }
    }
    assert_none(&complaints);
}

/// How many `super::` lead from the file's own module to the crate's root.
fn depth_of(name: &str) -> usize {
    let inside = name.trim_start_matches("src/").trim_end_matches(".rs");
    let inside = inside.trim_end_matches("/mod");
    inside.split('/').count()
}

#[test]
fn no_chain_of_super_leaves_a_layer() {
    let mut complaints = Vec::new();
    for source in sources("src", is_rust) {
        if module_of(&source.name).is_none() {
            continue;
        }
        let mut allowed = depth_of(&source.name) - 1;
        for (number, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("mod ") && line.trim_end().ends_with('{') {
                allowed = depth_of(&source.name);
            }
            let chain = longest_super_chain(code_of(line));
            if chain > allowed {
                let at = number + 1;
                complaints.push(format!(
                    "{}:{at}: `super` leads out of the layer; write `crate::`",
                    source.name
                ));
            }
        }
    }
    assert_none(&complaints);
}

fn longest_super_chain(code: &str) -> usize {
    let mut longest = 0;
    for (at, _) in code.match_indices("super::") {
        let rest = &code[at..];
        let mut chain = 0;
        while rest["super::".len() * chain..].starts_with("super::") {
            chain += 1;
        }
        longest = longest.max(chain);
    }
    longest
}

#[test]
fn every_file_says_what_it_is_for() {
    let bad = rust_sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    let complaints: Vec<_> = bad
        .map(|s| format!("{}: must begin with a `//!` sentence about the file", s.name))
        .collect();
    assert_none(&complaints);
}

#[test]
fn no_file_grows_beyond_reading() {
    let mut complaints = Vec::new();
    for source in rust_sources() {
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            complaints
                .push(format!("{}: {lines} lines; split it below {LONGEST_FILE}", source.name));
        }
    }
    assert_none(&complaints);
}

#[test]
fn no_function_escapes_the_length_lint() {
    let lint = concat!("too_many", "_lines");
    let escapes = |source: &Source| {
        source.text.contains(lint) && !LONG_FUNCTIONS.contains(&source.name.as_str())
    };
    let complaints: Vec<_> = rust_sources()
        .iter()
        .filter(|source| escapes(source))
        .map(|source| format!("{}: split the long function instead of allowing it", source.name))
        .collect();
    assert_none(&complaints);
}

#[test]
fn nothing_is_left_unfinished_or_bound_to_a_machine() {
    let anything = |_: &str| true;
    let mut complaints = Vec::new();
    let places =
        ["src", "tests", "benches", "fuzz", ".ci", "README.md", "ARCHITECTURE.md", "Cargo.toml"];
    for source in places.iter().flat_map(|at| sources(at, anything)) {
        for (number, line) in source.text.lines().enumerate() {
            let words = UNFINISHED.iter().filter(|word| line.contains(**word));
            let paths = MACHINE_PATHS.iter().filter(|path| line.contains(**path));
            for found in words.chain(paths) {
                let at = number + 1;
                complaints
                    .push(format!("{}:{at}: `{found}` must not stay in the tree", source.name));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn groups_and_paths_are_both_read() {
    let code =
        "use crate::base::x; use crate::{engine::{a, b}, server, self::c};\n$crate::types::T";
    assert_eq!(used_modules(code), ["base", "engine", "server", "self"]);
    assert_eq!(longest_super_chain("use super::super::x; super::y"), 2);
    assert_eq!((depth_of("src/base/mod.rs"), depth_of("src/base/number.rs")), (1, 2));
}
