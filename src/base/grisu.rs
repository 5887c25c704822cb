//! Digits of a double: Grisu2, as the reference server prints scores.
//!
//! Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers"
//! (PLDI 2010), algorithm Grisu2. The digits always read back as the same double, but in about
//! one of a thousand cases they are not the shortest or not the nearest ones
//! (`20.996918987497182`, where `20.99691898749718` would do). Clients and DUMP payloads see
//! these digits, so a truly shortest printer (Ryu) would differ from Redis: hence this one.
//!
//! 1. All boundaries are scaled by one cached power of ten, so that their binary exponent lies in
//!    `SCALED_EXPONENTS`; which of two suitable powers is taken decides the digits of hard cases.
//! 2. Scaled boundaries are off by at most one unit, so the interval is narrowed by one on each
//!    side: what is generated inside it is inside the true interval.

use std::ops::RangeInclusive;

/// Most digits that are ever produced.
pub const DIGITS_MAX: usize = 18;

/// Where the binary exponent of a scaled value must lie for the digit loops' arithmetic.
const SCALED_EXPONENTS: RangeInclusive<i32> = -60..=-32;

/// Decimal exponent of the first cached power, and the distance between two of them.
const POWERS_FROM: i32 = -348;
const POWERS_STEP: i32 = 8;

/// 64-bit significands of 10^-348, 10^-340, ..., 10^340, rounded to nearest.
const POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288,
    0xbaae_e17f_a23e_bf76,
    0x8b16_fb20_3055_ac76,
    0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d,
    0xe61a_cf03_3d1a_45df,
    0xab70_fe17_c79a_c6ca,
    0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c,
    0x8dd0_1fad_907f_fc3c,
    0xd351_5c28_3155_9a83,
    0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb,
    0xaecc_4991_4078_536d,
    0x823c_1279_5db6_ce57,
    0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f,
    0xd774_85cb_2582_3ac7,
    0xa086_cfcd_97bf_97f4,
    0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e,
    0x84c8_d4df_d2c6_3f3b,
    0xc5dd_4427_1ad3_cdba,
    0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584,
    0xa3ab_6658_0d5f_daf6,
    0xf3e2_f893_dec3_f126,
    0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b,
    0xc9bc_ff60_34c1_3053,
    0x964e_858c_91ba_2655,
    0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f,
    0xf8a9_5fcf_8874_7d94,
    0xb944_7093_8fa8_9bcf,
    0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6,
    0x993f_e2c6_d07b_7fac,
    0xe45c_10c4_2a2b_3b06,
    0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e,
    0xbce5_0864_9211_1aeb,
    0x8cbc_cc09_6f50_88cc,
    0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000,
    0xe8d4_a510_0000_0000,
    0xad78_ebc5_ac62_0000,
    0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3,
    0x8f7e_32ce_7bea_5c70,
    0xd5d2_38a4_abe9_8068,
    0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27,
    0xb0de_6538_8cc8_ada8,
    0x83c7_088e_1aab_65db,
    0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758,
    0xda01_ee64_1a70_8dea,
    0xa26d_a399_9aef_774a,
    0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877,
    0x865b_8692_5b9b_c5c2,
    0xc835_53c5_c896_5d3d,
    0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3,
    0xa59b_c234_db39_8c25,
    0xf6c6_9a72_a398_9f5c,
    0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2,
    0xcc20_ce9b_d35c_78a5,
    0x9816_5af3_7b21_53df,
    0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396,
    0xfb9b_7cd9_a4a7_443c,
    0xbb76_4c4c_a7a4_4410,
    0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c,
    0x9b10_a4e5_e991_3129,
    0xe710_9bfb_a19c_0c9d,
    0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85,
    0xbf21_e440_03ac_dd2d,
    0x8e67_9c2f_5e44_ff8f,
    0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9,
    0xeb96_bf6e_badf_77d9,
    0xaf87_023b_9bf0_ee6b,
];

const TENS: [u64; 20] = {
    let mut tens = [1; 20];
    let mut at = 1;
    while at < tens.len() {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};

/// Decimal digits of a positive double: the value is `digits * 10^exponent`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: [u8; DIGITS_MAX],
    len: usize,
    /// Power of ten of the last digit.
    pub exponent: i32,
}

impl Decimal {
    /// ASCII digits; the first is not zero.
    pub fn digits(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    fn push(&mut self, digit: u64) {
        // The most significant zeros say nothing.
        if digit > 0 || self.len > 0 {
            self.digits[self.len] = b'0' + u8::try_from(digit).unwrap_or_default();
            self.len += 1;
        }
    }

    /// Steps the last digit down while that brings the result closer to the value, which lies
    /// `aim` below the upper boundary; `rest` is how far below it the digits are now.
    fn round(&mut self, slack: u64, mut rest: u64, unit: u64, aim: u64) {
        while rest < aim
            && slack - rest >= unit
            && (rest + unit < aim || aim - rest > rest + unit - aim)
        {
            self.digits[self.len - 1] -= 1;
            rest += unit;
        }
    }
}

/// A value `significand * 2^exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    significand: u64,
    exponent: i32,
}

impl Scaled {
    fn normalized(self) -> Self {
        let shift = self.significand.leading_zeros();
        Self {
            significand: self.significand << shift,
            exponent: self.exponent - shift.cast_signed(),
        }
    }

    /// The upper 64 bits of the product, rounded half up.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.significand) * u128::from(other.significand) + (1 << 63);
        Self {
            significand: u64::try_from(product >> 64).unwrap_or(u64::MAX),
            exponent: self.exponent + other.exponent + 64,
        }
    }
}

/// Digits of a positive finite `value`.
pub fn decimal(value: f64) -> Decimal {
    debug_assert!(value > 0.0 && value.is_finite(), "signs and specials are the caller's");
    let bits = value.to_bits();
    let hidden = 1 << 52;
    let biased = i32::try_from(bits >> 52).unwrap_or_default();
    let fraction = bits & (hidden - 1);
    let exact = if biased == 0 {
        Scaled { significand: fraction, exponent: -1074 }
    } else {
        Scaled { significand: fraction | hidden, exponent: biased - 1075 }
    };

    // Half way to both neighbours; the lower one is closer right above a power of two.
    let upper = Scaled { significand: exact.significand * 2 + 1, exponent: exact.exponent - 1 };
    let upper = upper.normalized();
    let near = if exact.significand == hidden { 2 } else { 1 };
    let lower = (exact.significand << near) - 1;
    let lower = lower << (exact.exponent - near - upper.exponent);
    let lower = Scaled { significand: lower, exponent: upper.exponent };

    let (power, decimal_exponent) = cached_power(upper.exponent);
    let mut upper = upper.times(power);
    let mut lower = lower.times(power);
    upper.significand -= 1;
    lower.significand += 1;
    let aim = upper.significand - exact.normalized().times(power).significand;
    generate(upper, upper.significand - lower.significand, aim, -decimal_exponent)
}

/// The power of ten that brings `exponent` into [`SCALED_EXPONENTS`], and its decimal exponent.
fn cached_power(exponent: i32) -> (Scaled, i32) {
    // The starting point is part of the result (see the head): log10(2) is 30103 / 100000.
    let approximate = -(i64::from(exponent) + 87) * 30_102_999_566_398 / 100_000_000_000_000;
    let approximate = i32::try_from(approximate).unwrap_or_default();
    let mut index = (approximate - POWERS_FROM) / POWERS_STEP;
    loop {
        let decimal_exponent = POWERS_FROM + index * POWERS_STEP;
        // floor(log2(10^n)) for all |n| < 1650.
        let binary_exponent = ((decimal_exponent * 217_706) >> 16) - 63;
        let scaled = exponent + binary_exponent + 64;
        if scaled < *SCALED_EXPONENTS.start() {
            index += 1;
        } else if scaled > *SCALED_EXPONENTS.end() {
            index -= 1;
        } else {
            let significand = POWERS[usize::try_from(index).unwrap_or_default()];
            return (Scaled { significand, exponent: binary_exponent }, decimal_exponent);
        }
    }
}

/// Generates digits of `upper` until the rest is below `slack`.
fn generate(upper: Scaled, mut slack: u64, aim: u64, exponent: i32) -> Decimal {
    let mut out = Decimal { digits: [0; DIGITS_MAX], len: 0, exponent };
    let point = upper.exponent.unsigned_abs();
    let one = 1_u64 << point;
    let mut whole = upper.significand >> point;
    let mut fraction = upper.significand & (one - 1);

    for place in (0..10).rev() {
        let ten = TENS[place];
        out.push(whole / ten);
        whole %= ten;
        let rest = (whole << point) + fraction;
        if rest <= slack {
            out.exponent += i32::try_from(place).unwrap_or_default();
            out.round(slack, rest, ten << point, aim);
            return out;
        }
    }
    // At most 20 places: the slack grows tenfold per place and passes any fraction before.
    for ten in &TENS[1..] {
        fraction *= 10;
        slack *= 10;
        out.push(fraction >> point);
        fraction &= one - 1;
        out.exponent -= 1;
        if fraction < slack {
            out.round(slack, fraction, one, aim.wrapping_mul(*ten));
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(value: f64, digits: &str, exponent: i32) {
        let decimal = decimal(value);
        assert_eq!((decimal.digits(), decimal.exponent), (digits.as_bytes(), exponent), "{value}");
    }

    #[test]
    fn digits_are_those_of_the_reference() {
        check(1.0, "1", 0);
        check(0.1, "1", -1);
        check(5e-324, "5", -324);
        check(f64::MAX, "17976931348623157", 292);
        check(f64::MIN_POSITIVE, "22250738585072014", -324);
        // Not the shortest, on purpose: asked from a live server.
        check(20.996_918_987_497_18, "20996918987497182", -15);
        check(629.422_618, "6294226180000001", -13);
        check(1.234_567_890_123_456_7e-300, "12345678901234568", -316);
        check(1_626_983_080_611_305.8, "16269830806113057", -1);
    }

    proptest! {
        #[test]
        fn digits_read_back(bits in 1_u64..0x7ff0_0000_0000_0000) {
            let value = f64::from_bits(bits);
            let decimal = decimal(value);
            let digits = std::str::from_utf8(decimal.digits()).expect("digits are ASCII");
            let text = format!("{digits}e{}", decimal.exponent);
            prop_assert_eq!(text.parse::<f64>().expect("a number").to_bits(), bits);
        }
    }
}
