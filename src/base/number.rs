//! Numbers as text, the way Redis reads and writes them.

/// A 64-bit integer in canonical decimal form: no sign `+`, no leading zero, no blank.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let _ = text;
    None
}

/// A double as Redis accepts it; NaN is refused.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let _ = text;
    None
}

/// Appends the shortest digits that read back as `value`, in Redis's notation.
pub fn format_double(value: f64, out: &mut Vec<u8>) {
    let _ = (value, out);
}
