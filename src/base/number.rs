//! Numbers as text, the way Redis reads and writes them.
//!
//! Three readers of doubles exist because clients can tell them apart: arguments
//! ([`parse_double`]) take hexadecimal and refuse what overflows, score bounds and what SORT
//! compares ([`parse_score_bound`]) do neither, and the increments of INCRBYFLOAT have their own type in
//! [`super::long_double`]. All were asked from a live Redis 8.

use super::grisu;

/// Digits of the largest value of each type.
const I64_DIGITS: usize = 19;
const U64_DIGITS: usize = 20;

/// A 64-bit integer in canonical decimal form: no sign `+`, no leading zero, no blank.
#[inline]
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let magnitude = canonical(digits, I64_DIGITS)?;
    if negative {
        // "-0" isn't canonical.
        if magnitude == 0 { None } else { 0_i64.checked_sub_unsigned(magnitude) }
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// An unsigned 64-bit integer in canonical decimal form.
#[inline]
pub fn parse_uint(text: &[u8]) -> Option<u64> {
    canonical(text, U64_DIGITS)
}

/// An unsigned 64-bit integer as the parts of a stream ID may be written: leading blanks, a `+`,
/// leading zeros and the `-` of nothing but zeros pass.
pub fn parse_uint_loose(text: &[u8]) -> Option<u64> {
    let text = &text[text.iter().take_while(|byte| is_c_space(**byte)).count()..];
    let digits = match text {
        [b'-', zeros @ ..] if zeros.iter().all(|digit| *digit == b'0') => zeros,
        _ => text.strip_prefix(b"+").unwrap_or(text),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// What C's `isspace` says in the "C" locale; `u8::is_ascii_whitespace` lacks the vertical tab.
pub fn is_c_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// At most `digits_max` digits without a leading zero.
#[inline]
fn canonical(digits: &[u8], digits_max: usize) -> Option<u64> {
    let first = digits.first()?.wrapping_sub(b'0');
    if first == 0 {
        return (digits.len() == 1).then_some(0);
    }
    if first > 9 || digits.len() > digits_max {
        return None;
    }
    let (mut value, mut rest) = (0, &digits[..digits.len().min(I64_DIGITS)]);
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        value = value * 100_000_000 + eight_digits(u64::from_le_bytes(*eight))?;
        rest = behind;
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // 19 nines fit.
        value = value * 10 + u64::from(digit);
    }
    if let Some(byte) = digits.get(I64_DIGITS) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Eight ASCII digits, the first in the lowest byte, by adding neighbours, pairs and quadruples
/// within one word.
#[inline]
fn eight_digits(word: u64) -> Option<u64> {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    // Bytes of 0x30 to 0x3f, which stay there when six is added.
    let is_digits = word & HIGH == 0x3030_3030_3030_3030
        && word.wrapping_add(0x0606_0606_0606_0606) & HIGH == 0x3030_3030_3030_3030;
    if !is_digits {
        return None;
    }
    let digits = word - 0x3030_3030_3030_3030;
    let pairs = digits * 10 + (digits >> 8);
    let upper = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let lower = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    Some(upper.wrapping_add(lower) >> 32)
}

/// A double as Redis accepts it for an argument: decimal, hexadecimal (`0x1.8p3`), `inf` and
/// `infinity` in any case; NaN, blanks, and what overflows or vanishes to zero are refused.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    // Most scores are whole: counts, moments.
    if let Some(value) = parse_whole(text) {
        return Some(value);
    }
    let (negative, magnitude) = split_sign(text);
    if let [b'0', b'x' | b'X', digits @ ..] = magnitude {
        let value = parse_hex(digits)?;
        return Some(if negative { -value } else { value });
    }
    let value = parse_decimal(text)?;
    let named = magnitude.last().is_some_and(u8::is_ascii_alphabetic);
    if value.is_infinite() && !named {
        return None;
    }
    if value == 0.0 && !is_written_zero(magnitude) {
        return None;
    }
    Some(value)
}

/// Digits, and a minus perhaps, of a number that is exact.
fn parse_whole(text: &[u8]) -> Option<f64> {
    const DIGITS_MAX: usize = 15;
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    let mut value = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    #[allow(clippy::cast_precision_loss, reason = "so few digits are below 2^53")]
    let value = value as f64;
    Some(if is_negative { -value } else { value })
}

/// A bound of a score range behind its optional `(`, or a weight of SORT. Differs from [`parse_double`]: nothing at
/// all means 0, hexadecimal is refused, too large means infinite and too small means 0.
pub fn parse_score_bound(text: &[u8]) -> Option<f64> {
    // The reference reads a C string: what follows a NUL is not seen.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() { Some(0.0) } else { parse_decimal(text) }
}

/// Decimal digits or a name; anything but NaN.
fn parse_decimal(text: &[u8]) -> Option<f64> {
    // The reference takes "-+inf" for -inf, but "-+5" for nothing.
    let text = match text {
        [b'-', b'+', b'i' | b'I', ..] => &[b"-", &text[2..]].concat(),
        text => text,
    };
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!value.is_nan()).then_some(value)
}

/// Takes a leading `+` or `-` off; says whether it was `-`.
pub(super) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    let negative = text.first() == Some(&b'-');
    let signed = negative || text.first() == Some(&b'+');
    (negative, &text[usize::from(signed)..])
}

/// Whether the digits before an exponent are all zero: such a text means 0 and is no underflow.
fn is_written_zero(magnitude: &[u8]) -> bool {
    magnitude
        .iter()
        .take_while(|byte| !matches!(byte, b'e' | b'E'))
        .all(|byte| matches!(byte, b'0' | b'.'))
}

/// A hexadecimal number behind `0x`, reduced to what rounding needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hex {
    /// Leading bits; the value is `significand * 2^exponent`.
    pub(super) significand: u128,
    /// Binary exponent, saturated far outside of what any format holds.
    pub(super) exponent: i64,
}

impl Hex {
    /// Reads `digits[.digits][p[sign]digits]`. Bits that don't fit are or-ed into the lowest, which
    /// is enough for any rounding to 64 bits.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
        let (mantissa, power) = match end {
            Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let mut hex = Self { significand: 0, exponent: power };
        let (mut seen, mut behind_point) = (false, false);
        for byte in mantissa {
            if *byte == b'.' && !behind_point {
                behind_point = true;
                continue;
            }
            let digit = char::from(*byte).to_digit(16)?;
            seen = true;
            if hex.significand >> 120 == 0 {
                hex.significand = hex.significand << 4 | u128::from(digit);
                hex.exponent -= if behind_point { 4 } else { 0 };
            } else {
                hex.significand |= u128::from(digit != 0);
                hex.exponent += if behind_point { 0 } else { 4 };
            }
        }
        seen.then_some(hex)
    }
}

/// A decimal exponent with an optional sign, saturated at a billion either way.
pub(super) fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = (value * 10 + i64::from(digit)).min(1_000_000_000);
    }
    Some(if negative { -value } else { value })
}

/// The magnitude of a hexadecimal double, rounded half to even; `None` outside of the range.
fn parse_hex(digits: &[u8]) -> Option<f64> {
    let hex = Hex::parse(digits)?;
    if hex.significand == 0 {
        return Some(0.0);
    }
    let top = 127 - i64::from(hex.significand.leading_zeros()) + hex.exponent;
    if top > 1023 {
        return None;
    }
    // The value's last place: 52 bits below the first, but never below the smallest subnormal.
    let last = (top - 52).max(-1074);
    let shift = last - hex.exponent;
    let rounded = if shift <= 0 {
        hex.significand << u32::try_from(-shift).ok()?
    } else {
        shift_right_rounding(hex.significand, u64::try_from(shift).ok()?)
    };
    // A carry out of the significand moves into the exponent field by itself.
    let biased = u64::try_from(last + 1074).ok()?;
    let bits = (biased << 52) + u64::try_from(rounded).ok()?;
    let value = f64::from_bits(bits);
    (value.is_finite() && value > 0.0).then_some(value)
}

/// `value / 2^shift`, half to even.
pub(super) fn shift_right_rounding(value: u128, shift: u64) -> u128 {
    if shift == 0 {
        return value;
    }
    if shift > 128 {
        return 0;
    }
    let half = 1_u128 << (shift - 1);
    let (kept, rest) =
        if shift == 128 { (0, value) } else { (value >> shift, value & ((half << 1) - 1)) };
    kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
}

/// Appends a decimal integer.
#[inline]
pub fn format_int(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends digits that read back as `value`, in Redis's notation: whole numbers up to 2^62 as
/// integers, else plain decimals unless an exponent is clearly shorter.
pub fn format_double(value: f64, out: &mut Vec<u8>) {
    const WHOLE_MAX: f64 = 4_611_686_018_427_387_904.0;
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if value.is_sign_negative() && (value == 0.0 || value.is_infinite()) {
        out.push(b'-');
    }
    if value == 0.0 {
        out.push(b'0');
    } else if value.is_infinite() {
        out.extend_from_slice(b"inf");
    } else if value.abs() <= WHOLE_MAX && value.trunc().to_bits() == value.to_bits() {
        #[allow(clippy::cast_possible_truncation, reason = "whole and within range")]
        format_int(value as i64, out);
    } else {
        if value < 0.0 {
            out.push(b'-');
        }
        format_digits(&grisu::decimal(value.abs()), out);
    }
}

/// Lays digits out: plain, with a point, or with an exponent.
fn format_digits(decimal: &grisu::Decimal, out: &mut Vec<u8>) {
    const ZEROS: [u8; 32] = [b'0'; 32];
    let digits = decimal.digits();
    let len = i32::try_from(digits.len()).unwrap_or_default();
    let leading = decimal.exponent + len - 1;
    if decimal.exponent >= 0 && leading < len + 7 {
        out.extend_from_slice(digits);
        let zeros = usize::try_from(decimal.exponent).unwrap_or_default();
        out.extend_from_slice(&ZEROS[..zeros]);
    } else if decimal.exponent < 0 && (decimal.exponent > -7 || leading.abs() < 4) {
        match usize::try_from(leading + 1) {
            Ok(point) if point > 0 => {
                out.extend_from_slice(&digits[..point]);
                out.push(b'.');
                out.extend_from_slice(&digits[point..]);
            }
            _ => {
                let zeros = usize::try_from(-leading - 1).unwrap_or_default();
                out.extend_from_slice(b"0.");
                out.extend_from_slice(&ZEROS[..zeros]);
                out.extend_from_slice(digits);
            }
        }
    } else {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if leading < 0 { b"e-" } else { b"e+" });
        format_int(i64::from(leading.abs()), out);
    }
}

/// The digits of an integer, as a word of a request.
pub fn digits(number: impl itoa::Integer) -> String {
    itoa::Buffer::new().format(number).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_int(text: &str, expected: Option<i64>) {
        assert_eq!(parse_int(text.as_bytes()), expected, "{text:?}");
    }

    #[track_caller]
    fn check_double(text: &str, expected: Option<f64>) {
        let found = parse_double(text.as_bytes());
        assert_eq!(found.map(f64::to_bits), expected.map(f64::to_bits), "{text:?}: {found:?}");
    }

    #[track_caller]
    fn check_format(value: f64, expected: &str) {
        let mut out = Vec::new();
        format_double(value, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn only_canonical_integers_pass() {
        check_int("0", Some(0));
        check_int("-1", Some(-1));
        check_int("9223372036854775807", Some(i64::MAX));
        check_int("-9223372036854775808", Some(i64::MIN));
        for text in ["", "-", "-0", "00", "05", "-05", "+5", " 5", "5 ", "1e3", "5\0", "a", "1a"] {
            check_int(text, None);
        }
        check_int("9223372036854775808", None);
        check_int("-9223372036854775809", None);
        check_int("99999999999999999999", None);
        check_int("18446744073709551615", None);
    }

    #[test]
    fn unsigned_integers_reach_their_limit() {
        assert_eq!(parse_uint(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_uint(b"18446744073709551616"), None);
        assert_eq!(parse_uint(b"99999999999999999999"), None);
        assert_eq!(parse_uint(b"1844674407370955161a"), None);
        assert_eq!(parse_uint(b"-1"), None);
        assert_eq!(parse_uint_loose(b" \x0b+007"), Some(7));
        assert_eq!(parse_uint_loose(b"18446744073709551616"), None);
        assert_eq!(parse_uint_loose(b"+"), None);
        assert_eq!(parse_uint_loose(b"-0"), Some(0));
        assert_eq!(parse_uint_loose(b"-"), None);
        assert_eq!(parse_uint_loose(b"-1"), None);
        assert_eq!(parse_uint_loose(b"5 "), None);
    }

    #[test]
    fn doubles_are_read_as_arguments() {
        check_double("3", Some(3.0));
        check_double("-0", Some(-0.0));
        check_double("+5", Some(5.0));
        check_double("05", Some(5.0));
        check_double("1.", Some(1.0));
        check_double(".5", Some(0.5));
        check_double("1e05", Some(1e5));
        check_double("-iNFinitY", Some(f64::NEG_INFINITY));
        check_double("+inf", Some(f64::INFINITY));
        check_double("-+Inf", Some(f64::NEG_INFINITY));
        check_double("1e-320", Some(1e-320));
        check_double("0e999999999", Some(0.0));
        check_double("0x10", Some(16.0));
        check_double("0X.8", Some(0.5));
        check_double("-0x1.8p3", Some(-12.0));
        check_double("0x1p-1074", Some(5e-324));
        check_double("0x0p99999999", Some(0.0));
        check_double("0x1.00000000000008p0", Some(1.0));
        check_double("0x1.000000000000080001p0", Some(1.000_000_000_000_000_2));
        check_double("0x1.fffffffffffff7p1023", Some(f64::MAX));
        check_double("0x0.00000000000001p-1018", Some(5e-324));
        let odd = [
            "",
            ".",
            "+",
            "-",
            "++5",
            " 5",
            "5 ",
            "\t5",
            "5\n",
            "1e",
            "1e+",
            "1_0",
            "1,5",
            "nan",
            "-nan",
            "nan(1)",
            "infinit",
            "infx",
            "0x",
            "0xp1",
            "0x.",
            "0x1p",
            "0x1p+",
            "5f",
            "5\0",
            "1e400",
            "-1e400",
            "1e-400",
            "0x1p1024",
            "0x1p-1075",
            "0x1.fffffffffffff8p1023",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0x1.2.3",
            "0x-1",
        ];
        for text in odd {
            check_double(text, None);
        }
    }

    #[test]
    fn score_bounds_are_read_more_loosely() {
        assert_eq!(parse_score_bound(b""), Some(0.0));
        assert_eq!(parse_score_bound(b"1\0x"), Some(1.0));
        assert_eq!(parse_score_bound(b"1e400"), Some(f64::INFINITY));
        assert_eq!(parse_score_bound(b"1e-400"), Some(0.0));
        assert_eq!(parse_score_bound(b"0x3"), None);
        assert_eq!(parse_score_bound(b"nan"), None);
        assert_eq!(parse_score_bound(b" 3"), None);
        assert_eq!(parse_score_bound(b"+3"), Some(3.0));
    }

    #[test]
    fn doubles_are_written_as_the_reference_does() {
        check_format(3.0, "3");
        check_format(-0.0, "-0");
        check_format(f64::INFINITY, "inf");
        check_format(f64::NEG_INFINITY, "-inf");
        check_format(f64::NAN, "nan");
        check_format(0.1, "0.1");
        check_format(-0.000_012, "-0.000012");
        check_format(1e-5, "0.00001");
        check_format(1e-7, "1e-7");
        check_format(1.234_567e-4, "1.234567e-4");
        check_format(0.001_234_567_8, "0.0012345678");
        check_format(1e17, "100000000000000000");
        check_format(4_611_686_018_427_387_904.0, "4611686018427387904");
        check_format(5e18, "5e+18");
        check_format(1e20, "1e+20");
        check_format(1.23e22, "12300000000000001000000");
        check_format(1.234_567_89e20, "1.23456789e+20");
        check_format(f64::MAX, "1.7976931348623157e+308");
        check_format(-5e-324, "-5e-324");
        check_format(12_345_678.5, "12345678.5");
    }

    proptest! {
        #[test]
        fn integers_read_back(value: i64, unsigned: u64) {
            prop_assert_eq!(parse_int(value.to_string().as_bytes()), Some(value));
            prop_assert_eq!(parse_uint(unsigned.to_string().as_bytes()), Some(unsigned));
        }

        #[test]
        fn only_digits_are_integers(text in "[1-9][0-9]{0,20}", at: prop::sample::Index, byte: u8) {
            let mut text = text.into_bytes();
            prop_assert_eq!(parse_int(&text), std::str::from_utf8(&text).unwrap().parse().ok());
            let at = at.index(text.len());
            text[at] = byte;
            if !byte.is_ascii_digit() && (at > 0 || byte != b'-') {
                prop_assert_eq!((parse_int(&text), parse_uint(&text)), (None, None));
            }
        }

        #[test]
        fn doubles_read_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            let mut out = Vec::new();
            format_double(value, &mut out);
            prop_assert_eq!(parse_double(&out).map(f64::to_bits), Some(bits));
        }

        #[test]
        fn hexadecimal_is_exact(bits in 0_u64..0x7ff0_0000_0000_0000) {
            let value = f64::from_bits(bits);
            let (lead, exponent) = match bits >> 52 {
                0 => (0, -1022),
                biased => (1, i64::try_from(biased).unwrap() - 1023),
            };
            let text = format!("0x{lead}.{:013x}p{exponent}", bits & ((1 << 52) - 1));
            prop_assert_eq!(parse_double(text.as_bytes()), Some(value));
        }

        #[test]
        fn garbage_is_survived(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = (parse_int(&text), parse_uint_loose(&text), parse_score_bound(&text));
            prop_assert!(parse_double(&text).is_none_or(|value| !value.is_nan()));
        }
    }
}
