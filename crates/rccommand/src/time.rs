//! TIME of a contact: `20080625161611.761000`.

use std::fmt;
use std::str::FromStr;

/// When a contact was made or changed ([MS-RA] 2.2.5): fourteen digits for date and time, then, after a point, the
/// microseconds. The time zone is not specified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactTime {
    /// Year, 0 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 60.
    pub second: u8,
    /// Microsecond, 0 to 999,999.
    pub microsecond: u32,
}

/// The text is not a TIME.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeError;

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time of the form YYYYMMDDhhmmss.ffffff ([MS-RA] 2.2.5)")
    }
}

impl std::error::Error for TimeError {}

impl FromStr for ContactTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() != 14 || fraction.len() > 6 || !digits(whole) || !digits(fraction) {
            return Err(TimeError);
        }
        let part = |from: usize, to: usize| whole.get(from..to).ok_or(TimeError);
        let byte = |from: usize, min: u8, max: u8| {
            let value = part(from, from.saturating_add(2))?.parse().map_err(|_| TimeError)?;
            if (min..=max).contains(&value) { Ok(value) } else { Err(TimeError) }
        };
        Ok(Self {
            year: part(0, 4)?.parse().map_err(|_| TimeError)?,
            month: byte(4, 1, 12)?,
            day: byte(6, 1, 31)?,
            hour: byte(8, 0, 23)?,
            minute: byte(10, 0, 59)?,
            second: byte(12, 0, 60)?,
            microsecond: format!("{fraction:0<6}").parse().map_err(|_| TimeError)?,
        })
    }
}

impl fmt::Display for ContactTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, microsecond } = self;
        write!(f, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}.{microsecond:06}")
    }
}
