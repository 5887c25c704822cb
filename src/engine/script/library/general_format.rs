//! Doubles as C's `%.*g` writes them.

use std::io::Write;

/// Appends `value` with `digits` significant digits.
pub(in crate::engine::script) fn push(value: f64, digits: usize, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(if value.is_sign_negative() { b"-nan" } else { b"nan" });
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
        return;
    }
    let digits = digits.max(1);
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits_wide = i32::try_from(digits).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= digits_wide {
        out.extend_from_slice(without_zeros(mantissa).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a vector can't fail.
        let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
    } else {
        let places = usize::try_from(digits_wide - 1 - exponent).unwrap_or(0);
        out.extend_from_slice(without_zeros(&format!("{value:.places$}")).as_bytes());
    }
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::push;

    #[track_caller]
    fn check(value: f64, digits: usize, expected: &str) {
        let mut out = Vec::new();
        push(value, digits, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn numbers_look_as_in_c() {
        check(0.0, 14, "0");
        check(-0.0, 14, "-0");
        check(0.1, 14, "0.1");
        check(1e20, 14, "1e+20");
        check(1e13, 14, "10000000000000");
        check(9_007_199_254_740_992.0, 14, "9.007199254741e+15");
        check(1e-5, 14, "1e-05");
        check(0.0001, 14, "0.0001");
        check(0.1, 17, "0.10000000000000001");
        check(99.99, 2, "1e+02");
        check(f64::NEG_INFINITY, 14, "-inf");
    }
}
