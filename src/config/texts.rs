//! Checks of texts: names of files, hosts and the like. `{name}` in a refusal is the directive's.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The name of a file, without a directory.
pub fn file_name(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("{name} can't be empty"),
        _ if text.contains(['/', '\\']) => Err("{name} can't be a path, just a filename"),
        _ => Ok(()),
    }
}

/// The name of a directory within another.
pub fn dir_name(text: &str) -> Result<(), &'static str> {
    match text {
        "" => file_name(text),
        _ => file_name(text).map_err(|_| "{name} can't be a path, just a dirname"),
    }
}

/// A host name, or nothing.
pub fn host_name(text: &str) -> Result<(), &'static str> {
    if text.len() >= 256 {
        return Err("Hostnames must be less than 256 characters");
    }
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) {
        Ok(())
    } else {
        Err("Hostnames may only contain alphanumeric characters, hyphens or dots")
    }
}

/// A name of a node for people, or nothing.
pub fn node_name(text: &str) -> Result<(), &'static str> {
    let fits = |c: char| c.is_alphanumeric() || " -._,=/\"'`\\".contains(c);
    if text.chars().all(fits) {
        Ok(())
    } else {
        Err("Announced human node name contained invalid character")
    }
}

/// An IPv4 address, or nothing.
pub fn ipv4(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.parse::<Ipv4Addr>().is_ok() {
        Ok(())
    } else {
        Err("Invalid IPv4 address")
    }
}

/// An IPv6 address, or nothing.
pub fn ipv6(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.parse::<Ipv6Addr>().is_ok() {
        Ok(())
    } else {
        Err("Invalid IPv6 address")
    }
}

const TITLE_VARIABLES: [&str; 7] =
    ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];

/// A template of the process title: text with known variables in braces.
pub fn title_template(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "template format is invalid or contains unknown variables";
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let (variable, after) = after.split_once('}').ok_or(FORM)?;
        if !TITLE_VARIABLES.contains(&variable) {
            return Err(FORM);
        }
        rest = after;
    }
    if text.is_empty() { Err(FORM) } else { Ok(()) }
}
