//! A moment as people here read it: the C library knows the time zone.
#![allow(unsafe_code, reason = "localtime_r is the C library's")]

use std::time::{SystemTime, UNIX_EPOCH};

/// Date and time in the time zone of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Year, such as 2026.
    pub year: i32,
    /// Month, from 1.
    pub month: i32,
    /// Day of the month, from 1.
    pub day: i32,
    /// Hour.
    pub hour: i32,
    /// Minute.
    pub minute: i32,
    /// Second; 60 in a leap second.
    pub second: i32,
    /// Millisecond.
    pub millisecond: i64,
    /// Minutes east of Greenwich.
    pub offset_minutes: i64,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Milliseconds since the Unix epoch, now.
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl LocalTime {
    /// The given moment, in milliseconds since the Unix epoch.
    pub fn at(unix_ms: i64) -> Self {
        let seconds: libc::time_t = unix_ms.div_euclid(1000);
        // SAFETY: `libc::tm` is plain numbers and a pointer; all zeros is a valid value of it.
        let mut parts: libc::tm = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are to live locals, and localtime_r keeps neither.
        unsafe { libc::localtime_r(&raw const seconds, &raw mut parts) };
        Self {
            year: parts.tm_year + 1900,
            month: parts.tm_mon + 1,
            day: parts.tm_mday,
            hour: parts.tm_hour,
            minute: parts.tm_min,
            second: parts.tm_sec,
            millisecond: unix_ms.rem_euclid(1000),
            offset_minutes: parts.tm_gmtoff / 60,
        }
    }

    /// `21 Nov 2026 12:00:00.123`.
    pub fn legacy(&self) -> String {
        let month = usize::try_from(self.month - 1).ok().and_then(|month| MONTHS.get(month));
        format!(
            "{:02} {} {} {:02}:{:02}:{:02}.{:03}",
            self.day,
            month.unwrap_or(&"???"),
            self.year,
            self.hour,
            self.minute,
            self.second,
            self.millisecond
        )
    }

    /// `2026-11-21T12:00:00.123+01:00`.
    pub fn iso8601(&self) -> String {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let offset = self.offset_minutes.abs();
        format!(
            "{}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}{sign}{:02}:{:02}",
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.millisecond,
            offset / 60,
            offset % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: LocalTime = LocalTime {
        year: 2026,
        month: 11,
        day: 1,
        hour: 9,
        minute: 5,
        second: 7,
        millisecond: 42,
        offset_minutes: -210,
    };

    #[test]
    fn times_have_fixed_width() {
        assert_eq!(MOMENT.legacy(), "01 Nov 2026 09:05:07.042");
        assert_eq!(MOMENT.iso8601(), "2026-11-01T09:05:07.042-03:30");
    }

    #[test]
    fn the_local_time_less_its_offset_is_the_moment() {
        // Whatever the time zone of the machine: days since the epoch tell.
        let ms = 1_795_223_106_123;
        let local = LocalTime::at(ms);
        let minutes = i64::from(local.hour) * 60 + i64::from(local.minute) - local.offset_minutes;
        assert_eq!(minutes.rem_euclid(1440), ms / 60_000 % 1440);
        assert_eq!((local.millisecond, local.year), (123, 2026));
    }
}
