//! The text of INFO while it is written.

use std::fmt::{Display, Write};

/// Sections, each a heading and lines of `name:value`.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a section.
    pub(super) fn head(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        self.add(format_args!("# {name}"));
    }

    /// A line.
    pub(super) fn line(&mut self, name: &str, value: impl Display) {
        self.add(format_args!("{name}:{value}"));
    }

    /// Bytes, and the same again for people.
    pub(super) fn bytes(&mut self, name: &str, bytes: usize) {
        self.line(name, bytes);
        self.add(format_args!("{name}_human:{}", human(bytes)));
    }

    /// A number with a fixed number of decimals.
    pub(super) fn decimal(&mut self, name: &str, value: f64, decimals: usize) {
        self.add(format_args!("{name}:{value:.decimals$}"));
    }

    /// Microseconds as seconds.
    pub(super) fn seconds(&mut self, name: &str, micros: u64) {
        self.add(format_args!("{name}:{}.{:06}", micros / 1_000_000, micros % 1_000_000));
    }

    /// Whole seconds; -1 without any.
    pub(super) fn seconds_or_none(&mut self, name: &str, seconds: Option<u64>) {
        match seconds {
            Some(seconds) => self.line(name, seconds),
            None => self.line(name, -1),
        }
    }

    /// A whole line.
    pub(super) fn add(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.write_fmt(line).expect("strings take everything");
        self.0.push_str("\r\n");
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A number of bytes in the largest unit that leaves something before the point.
pub(super) fn human(bytes: usize) -> String {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    #[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = *larger;
    }
    format!("{value:.2}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_the_unit_that_fits() {
        for (bytes, expected) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (703_024, "686.55K"),
            (7_761_920, "7.40M"),
            (25_276_514_304, "23.54G"),
        ] {
            assert_eq!(human(bytes), expected);
        }
    }
}
