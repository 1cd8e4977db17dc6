//! Instants, always UTC, always passed in as values: the core reads no clock.

use std::{fmt, str::FromStr};

/// An instant in UTC with nanosecond precision, shown as RFC 3339 (`2026-11-21T10:00:00Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Time(jiff::Timestamp);

/// The text is not an RFC 3339 instant or an epoch second in range.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not an instant like 2026-11-21T10:00:00Z")]
pub struct TimeError {
    text: String,
}

impl Time {
    /// Seconds since 1970-01-01T00:00:00Z; clamped to the years jiff can express (−9999 … 9999).
    pub fn from_seconds(seconds: i64) -> Self {
        Self(jiff::Timestamp::from_second(seconds).unwrap_or(if seconds < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        }))
    }

    /// From any jiff instant.
    pub fn from_jiff(at: jiff::Timestamp) -> Self {
        Self(at)
    }

    /// The jiff instant inside.
    pub fn as_jiff(self) -> jiff::Timestamp {
        self.0
    }

    /// Whole seconds since the epoch, rounded towards zero.
    pub fn seconds(self) -> i64 {
        self.0.as_second()
    }

    /// Whole days from `earlier` to `self`, rounded down; negative when `earlier` is later.
    pub fn days_since(self, earlier: Time) -> i64 {
        (self.seconds() - earlier.seconds()).div_euclid(86_400)
    }

    /// This instant moved by a number of days of 86,400 seconds; saturates.
    pub fn plus_days(self, days: i64) -> Self {
        Self::from_seconds(self.seconds().saturating_add(days.saturating_mul(86_400)))
    }

    /// The calendar date in UTC: `2026-11-21`.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl FromStr for Time {
    type Err = TimeError;

    /// Reads RFC 3339; a bare date means its midnight in UTC.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError { text: text.into() };
        if text.len() == 10 && text.is_ascii() {
            return format!("{text}T00:00:00Z").parse().map(Self).map_err(|_| wrong());
        }
        text.parse().map(Self).map_err(|_| wrong())
    }
}

impl TryFrom<String> for Time {
    type Error = TimeError;
    fn try_from(text: String) -> Result<Self, TimeError> {
        text.parse()
    }
}

impl From<Time> for String {
    fn from(time: Time) -> String {
        time.to_string()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows_rfc_3339() {
        let t: Time = "2026-11-21T10:00:00Z".parse().unwrap();
        assert_eq!(t.to_string(), "2026-11-21T10:00:00Z");
        assert_eq!(t.date(), "2026-11-21");
        assert_eq!("2026-11-21".parse::<Time>().unwrap().to_string(), "2026-11-21T00:00:00Z");
        assert_eq!("2026-11-21T10:00:00+00:00".parse::<Time>().unwrap(), t);
        assert!("yesterday".parse::<Time>().is_err());
        assert_eq!(t.days_since("2026-11-20T10:00:01Z".parse().unwrap()), 0);
        assert_eq!(t.days_since("2026-11-20T10:00:00Z".parse().unwrap()), 1);
    }
}
