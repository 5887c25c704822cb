//! The x87 80-bit long double, in which INCRBYFLOAT and HINCRBYFLOAT count.
//!
//! Clients see its 64-bit significand: 0.1 + 0.2 is `0.3` and not `0.30000000000000004`. Texts are
//! rounded to nearest, half to even, as `strtold` does; sums as the processor does; results are
//! printed with 17 digits behind the point, trailing zeros cut. Common numbers take 128-bit integer
//! arithmetic only, the others an exact quotient of big integers.
//!
//! 1. A finite value is `significand * 2^exponent`; the significand's top bit is set unless the
//!    exponent is `EXPONENT_MIN` (subnormal) or the value is zero.

use super::number::{Hex, parse_exponent, shift_right_rounding, split_sign};
use num_bigint::BigUint;

/// Texts from this length on are refused, as the reference copies them into a buffer that ends
/// here. Bytes.
const TEXT_LEN_MAX: usize = 5119;

/// Exponent of the last place of subnormal values, and of the largest ones.
const EXPONENT_MIN: i64 = -16_445;
const EXPONENT_MAX: i64 = 16_383 - 63;

/// Decimal exponents beyond which a number overflows or vanishes for certain.
const DECIMAL_TOP_MAX: i64 = 4_933;
const DECIMAL_TOP_MIN: i64 = -4_951;

/// Digits printed behind the point, and the power of ten that moves them before it.
const PLACES: usize = 17;
const PLACES_TEN: u128 = 10_u128.pow(17);

/// A long double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Finite { significand: u64, exponent: i64 },
    Infinite,
    Nan,
}

impl LongDouble {
    /// Reads decimal or hexadecimal text, `inf` or `infinity`. NaN, blanks, overflow and numbers
    /// that vanish to zero are refused.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_LEN_MAX {
            return None;
        }
        let (negative, magnitude) = split_sign(text);
        let kind = match magnitude {
            [b'0', b'x' | b'X', digits @ ..] => {
                let hex = Hex::parse(digits)?;
                round(hex.significand, hex.exponent)
            }
            [b'0'..=b'9' | b'.', ..] => parse_decimal(magnitude)?,
            name if name.eq_ignore_ascii_case(b"inf") || name.eq_ignore_ascii_case(b"infinity") => {
                return Some(Self { negative, kind: Kind::Infinite });
            }
            _ => return None,
        };
        match kind {
            Kind::Finite { significand: 0, .. } if !is_written_zero(magnitude) => None,
            Kind::Finite { .. } => Some(Self { negative, kind }),
            Kind::Infinite | Kind::Nan => None,
        }
    }

    /// The sum, rounded half to even.
    #[must_use]
    #[allow(
        clippy::should_implement_trait,
        reason = "callers read `value.add(increment)`, as the command does"
    )]
    pub fn add(self, other: Self) -> Self {
        match (self.kind, other.kind) {
            (Kind::Nan, _) | (_, Kind::Nan) => Self { negative: false, kind: Kind::Nan },
            (Kind::Infinite, Kind::Infinite) if self.negative != other.negative => {
                Self { negative: false, kind: Kind::Nan }
            }
            (Kind::Infinite, _) => self,
            (_, Kind::Infinite) => other,
            (
                Kind::Finite { significand: mine, exponent: my_exponent },
                Kind::Finite { significand: others, exponent: other_exponent },
            ) => {
                if others == 0 {
                    return self;
                }
                if mine == 0 {
                    return other;
                }
                let (large, small) = if (my_exponent, mine) >= (other_exponent, others) {
                    ((self.negative, mine, my_exponent), (other.negative, others, other_exponent))
                } else {
                    ((other.negative, others, other_exponent), (self.negative, mine, my_exponent))
                };
                add_aligned(large, small)
            }
        }
    }

    /// The same distance from zero on the other side.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { negative: !self.negative, ..self }
    }

    /// Whether it lies below `other`; never so with a NaN.
    pub fn is_below(self, other: Self) -> bool {
        let difference = self.add(other.negated());
        match difference.kind {
            Kind::Finite { significand, .. } => difference.negative && significand != 0,
            Kind::Infinite => difference.negative,
            Kind::Nan => false,
        }
    }

    /// Whether it is neither infinite nor NaN.
    pub fn is_finite(self) -> bool {
        matches!(self.kind, Kind::Finite { .. })
    }

    /// Appends it with at most 17 digits behind the point and no needless zero.
    pub fn format(&self, out: &mut Vec<u8>) {
        let (significand, exponent) = match self.kind {
            Kind::Finite { significand, exponent } => (significand, exponent),
            Kind::Infinite => {
                out.extend_from_slice(if self.negative { b"-inf" } else { b"inf" });
                return;
            }
            Kind::Nan => {
                out.extend_from_slice(b"nan");
                return;
            }
        };
        let start = out.len();
        if self.negative {
            out.push(b'-');
        }
        if exponent >= 64 {
            let shift = exponent.unsigned_abs();
            out.extend_from_slice((BigUint::from(significand) << shift).to_string().as_bytes());
            return;
        }
        let (whole, places) = if exponent >= 0 {
            (u128::from(significand) << exponent, 0)
        } else {
            let scaled = u128::from(significand) * PLACES_TEN;
            let scaled = shift_right_rounding(scaled, exponent.unsigned_abs());
            (scaled / PLACES_TEN, u64::try_from(scaled % PLACES_TEN).unwrap_or_default())
        };
        if whole == 0 && places == 0 {
            // Never "-0".
            out.truncate(start);
        }
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        if places > 0 {
            // A leading one keeps the zeros behind the point.
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(100_000_000_000_000_000 + places).as_bytes();
            debug_assert_eq!(digits.len(), PLACES + 1);
            let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
            out.push(b'.');
            out.extend_from_slice(&digits[1..digits.len() - zeros]);
        }
    }
}

/// Sign, significand and exponent of a finite value other than zero.
type Parts = (bool, u64, i64);

/// Adds two numbers, the one of larger magnitude first.
fn add_aligned(large: Parts, small: Parts) -> LongDouble {
    // 63 bits below the last place, and whether something is lost even below those.
    let (base, exponent) = (u128::from(large.1) << 63, large.2 - 63);
    let distance = u32::try_from(large.2 - small.2).unwrap_or(u32::MAX);
    let wide = u128::from(small.1) << 63;
    let shifted = match wide.checked_shr(distance) {
        Some(shifted) => shifted | u128::from(shifted << distance != wide),
        None => 1,
    };
    if large.0 == small.0 {
        return LongDouble { negative: large.0, kind: round(base + shifted, exponent) };
    }
    let difference = base - shifted;
    LongDouble { negative: large.0 && difference != 0, kind: round(difference, exponent) }
}

/// The nearest value to `significand * 2^exponent`. Whoever cut bits off has set the lowest.
fn round(significand: u128, exponent: i64) -> Kind {
    if significand == 0 {
        return Kind::Finite { significand: 0, exponent: EXPONENT_MIN };
    }
    let top = 127 - i64::from(significand.leading_zeros()) + exponent;
    let last = (top - 63).max(EXPONENT_MIN);
    if last > EXPONENT_MAX {
        return Kind::Infinite;
    }
    let shift = last - exponent;
    let rounded = if shift <= 0 {
        significand << shift.unsigned_abs()
    } else {
        shift_right_rounding(significand, shift.unsigned_abs())
    };
    match u64::try_from(rounded) {
        Ok(0) => Kind::Finite { significand: 0, exponent: EXPONENT_MIN },
        Ok(significand) => Kind::Finite { significand, exponent: last },
        // The carry made it 2^64.
        Err(_) if last == EXPONENT_MAX => Kind::Infinite,
        Err(_) => Kind::Finite { significand: 1 << 63, exponent: last + 1 },
    }
}

/// Whether all digits before an exponent are zero: such a text means 0 and is no underflow.
fn is_written_zero(magnitude: &[u8]) -> bool {
    let (digits, power) = match magnitude {
        [b'0', b'x' | b'X', digits @ ..] => (digits, b'p'),
        digits => (digits, b'e'),
    };
    digits
        .iter()
        .take_while(|byte| byte.to_ascii_lowercase() != power)
        .all(|byte| matches!(byte, b'0' | b'.'))
}

/// Decimal digits as one integer times a power of ten.
struct Decimal {
    /// Significant digits as ASCII, without leading and trailing zeros.
    digits: Vec<u8>,
    exponent: i64,
}

/// Reads `digits[.digits][e[sign]digits]` and rounds it.
fn parse_decimal(text: &[u8]) -> Option<Kind> {
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, power) = match end {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    if let Some(kind) = parse_short(mantissa, power)? {
        return Some(kind);
    }
    let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
    let behind = i64::try_from(mantissa.len().saturating_sub(point + 1)).ok()?;
    let digits = mantissa.iter().copied().filter(|byte| *byte != b'.');
    let mut digits: Vec<u8> = digits.skip_while(|byte| *byte == b'0').collect();
    let mut exponent = power - behind;
    while digits.last() == Some(&b'0') {
        digits.pop();
        exponent += 1;
    }
    round_big(&Decimal { digits, exponent })
}

/// Checks the digits, and rounds at once what 128-bit arithmetic can: `Some(None)` is a number that
/// it can't.
#[allow(clippy::option_option, reason = "refused, too long and done are three answers")]
fn parse_short(mantissa: &[u8], power: i64) -> Option<Option<Kind>> {
    let (mut value, mut exponent) = (0_u64, power);
    let (mut seen, mut behind_point, mut fits) = (false, false, true);
    for byte in mantissa {
        if *byte == b'.' && !behind_point {
            behind_point = true;
            continue;
        }
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        seen = true;
        exponent -= i64::from(behind_point);
        match value.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(digit))) {
            Some(next) => value = next,
            None => fits = false,
        }
    }
    if !seen {
        return None;
    }
    if !fits {
        return Some(None);
    }
    if value == 0 {
        return Some(Some(round(0, 0)));
    }
    Some(match u32::try_from(exponent.unsigned_abs()) {
        // 2^64 * 10^19 is less than 2^128.
        Ok(places @ 0..=19) if exponent >= 0 => {
            Some(round(u128::from(value) * 10_u128.pow(places), 0))
        }
        Ok(places @ 0..=18) => {
            // The divisor has at most 60 bits: three bits of the quotient are for the rounding.
            let zeros = value.leading_zeros();
            let numerator = u128::from(value << zeros) << 64;
            let divisor = 10_u128.pow(places);
            let quotient = numerator / divisor;
            let inexact = u128::from(!numerator.is_multiple_of(divisor));
            Some(round(quotient << 1 | inexact, -65 - i64::from(zeros)))
        }
        _ => None,
    })
}

/// Rounds digits of any number by an exact quotient.
fn round_big(decimal: &Decimal) -> Option<Kind> {
    let top = i64::try_from(decimal.digits.len()).ok()? + decimal.exponent;
    if top > DECIMAL_TOP_MAX {
        return Some(Kind::Infinite);
    }
    if top < DECIMAL_TOP_MIN {
        return Some(round(0, 0));
    }
    let digits = BigUint::parse_bytes(&decimal.digits, 10)?;
    let ten = BigUint::from(10_u8).pow(u32::try_from(decimal.exponent.unsigned_abs()).ok()?);
    let (numerator, divisor) =
        if decimal.exponent >= 0 { (digits * ten, BigUint::from(1_u8)) } else { (digits, ten) };
    // Shifted so that the quotient has 100 or 101 bits, plenty for 64 and the rounding.
    let shift = 100 + i64::try_from(divisor.bits()).ok()? - i64::try_from(numerator.bits()).ok()?;
    let (numerator, divisor) = if shift >= 0 {
        (numerator << shift.unsigned_abs(), divisor)
    } else {
        (numerator, divisor << shift.unsigned_abs())
    };
    let quotient = &numerator / &divisor;
    let inexact = &quotient * &divisor != numerator;
    let quotient = u128::try_from(quotient).ok()?;
    Some(round(quotient << 1 | u128::from(inexact), -1 - shift))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use proptest::prelude::*;

    fn format(value: LongDouble) -> String {
        let mut out = Vec::new();
        value.format(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let found = LongDouble::parse(text.as_bytes()).map(format);
        assert_eq!(found.as_deref(), expected, "{text:?}");
    }

    #[track_caller]
    fn check_sum(left: &str, right: &str, expected: &str) {
        let left = LongDouble::parse(left.as_bytes()).unwrap();
        let right = LongDouble::parse(right.as_bytes()).unwrap();
        assert_eq!(format(left.add(right)), expected);
        assert_eq!(format(right.add(left)), expected);
    }

    #[test]
    fn texts_are_read_as_the_reference_does() {
        check("+5", Some("5"));
        check("05", Some("5"));
        check("-0", Some("0"));
        check(".5", Some("0.5"));
        check("5.", Some("5"));
        check("0x10", Some("16"));
        check("0x.8", Some("0.5"));
        check("1.5E+3", Some("1500"));
        check("-INF", Some("-inf"));
        check("infinity", Some("inf"));
        check("1e-4950", Some("0"));
        check("0x1p-16445", Some("0"));
        check("0e999999", Some("0"));
        check("0x0p99999999999999", Some("0"));
        check("1e-17", Some("0.00000000000000001"));
        check("5e-18", Some("0"));
        check("-6e-18", Some("-0.00000000000000001"));
        check("-4e-18", Some("0"));
        check("123456789012345678901234567890", Some("123456789012345678899921813504"));
        check("1e17", Some("100000000000000000"));
        check(&format!("{}7", "0".repeat(5118)), Some("7"));
        let refused = [
            "",
            ".",
            "+",
            "-",
            " 5",
            "5 ",
            "\u{b}5",
            "nan",
            "-nan",
            "1e",
            "1e+",
            "0x",
            "0x.",
            "0xp3",
            "0x1p",
            "1e5000",
            "1.2e4932",
            "1e-4951",
            "0x1p16384",
            "0x1p-16446",
            "-+inf",
            "1e.5",
            "0x1.ffffffffffffffffp16383",
            "1e999999999999999999999999",
            "0.5\0",
            "1_0",
            "1.2.3",
            "1e-99999999999999999999999",
            "infinit",
        ];
        for text in refused {
            check(text, None);
        }
        check(&format!("{}7", "0".repeat(5119)), None);
    }

    #[test]
    fn extremes_are_exact() {
        let largest = LongDouble::parse(b"0x1.fffffffffffffffep16383").unwrap();
        let text = format(largest);
        assert!(text.starts_with("11897314953572317650212638530309702051690633222946242004403237"));
        assert_eq!(text.len(), 4933);
        assert!(!largest.add(largest).is_finite());
        assert_eq!(LongDouble::parse(text.as_bytes()), Some(largest));
        let infinite = LongDouble::parse(b"inf").unwrap();
        assert!(!infinite.add(LongDouble::parse(b"-inf").unwrap()).is_finite());
        assert_eq!(infinite.add(largest), infinite);
    }

    #[test]
    fn sums_have_64_bits() {
        check_sum("0.1", "0.2", "0.3");
        check_sum("3.0e3", "200", "3200");
        check_sum("1.5", "-1.5", "0");
        check_sum("-1", "0.5", "-0.5");
        check_sum("18446744073709551615", "1", "18446744073709551616");
        check_sum("18446744073709551616", "1", "18446744073709551616");
        check_sum("18446744073709551618", "1", "18446744073709551620");
        check_sum("1e4000", "1", &format(LongDouble::parse(b"1e4000").unwrap()));
    }

    proptest! {
        #[test]
        fn short_and_big_arithmetic_agree(value: u64, exponent in -18_i64..20) {
            prop_assume!(value > 0);
            let short = parse_short(value.to_string().as_bytes(), exponent).flatten();
            let digits = value.to_string().into_bytes();
            prop_assert_eq!(short, round_big(&Decimal { digits, exponent }));
        }

        #[test]
        fn whole_numbers_are_exact(left in -(1_i64 << 62)..1 << 62, right in -(1_i64 << 62)..1 << 62) {
            let sum = LongDouble::parse(left.to_string().as_bytes()).unwrap()
                .add(LongDouble::parse(right.to_string().as_bytes()).unwrap());
            prop_assert_eq!(format(sum), (left + right).to_string());
        }

        #[test]
        fn doubles_are_held_exactly(bits in 0_u64..0x7ff0_0000_0000_0000, negative: bool) {
            let value = f64::from_bits(bits | u64::from(negative) << 63);
            // All its digits, which a double has at most 1074 of behind the point.
            let parsed = LongDouble::parse(std::format!("{value:.1074}").as_bytes()).unwrap();
            let expected = std::format!("{value:.17}");
            let expected = expected.trim_end_matches('0').trim_end_matches('.');
            let expected = if expected == "-0" { "0" } else { expected };
            prop_assert_eq!(format(parsed), expected);
        }

        #[test]
        fn garbage_is_survived(left in "[-+0-9.exp]{0,30}", right: Vec<u8>) {
            for text in [left.as_bytes(), right.as_slice()] {
                prop_assert!(LongDouble::parse(text).is_none_or(LongDouble::is_finite));
            }
        }
    }

    #[test]
    fn order_follows_from_the_difference() {
        let number = |text: &str| LongDouble::parse(text.as_bytes()).unwrap();
        let ascending = ["-inf", "-1e4000", "-2.5", "-0.1", "0", "0.1", "1", "1e4000", "inf"];
        for (i, one) in ascending.iter().enumerate() {
            for (j, other) in ascending.iter().enumerate() {
                assert_eq!(number(one).is_below(number(other)), i < j, "{one} < {other}");
            }
        }
        assert!(!number("-0").is_below(number("0")));
    }
}
