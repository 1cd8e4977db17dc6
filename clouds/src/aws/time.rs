//! Instants as the protocols write them.

use jiff::{Timestamp, fmt::rfc2822, tz::TimeZone};

/// Any of the protocols' formats as RFC 3339 in UTC; none if it is not an instant.
pub fn to_rfc3339(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return epoch_to_rfc3339(seconds);
    }
    let at = text.parse::<Timestamp>().ok().or_else(|| rfc2822_instant(text)).or_else(|| zoneless(text));
    at.map(|at| at.to_string())
}

/// Epoch seconds, to the millisecond, as RFC 3339 in UTC.
pub fn epoch_to_rfc3339(seconds: f64) -> Option<String> {
    let millis = (seconds * 1e3).round();
    // Beyond the years that can be written, and for what is not a number.
    if !(-1e14..1e15).contains(&millis) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked above")]
    Timestamp::from_millisecond(millis as i64).ok().map(|at| at.to_string())
}

/// An HTTP date or RFC 2822 date.
pub fn rfc2822_instant(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text.replace("GMT", "+0000")).ok()
}

/// `2024-01-02T03:04:05` and `2024-01-02`: some services leave the zone out and mean UTC.
fn zoneless(text: &str) -> Option<Timestamp> {
    let at = text.parse::<jiff::civil::DateTime>().ok();
    let at = at.or_else(|| text.parse::<jiff::civil::Date>().ok().map(|date| date.at(0, 0, 0, 0)));
    at?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// RFC 3339 text or epoch seconds as an instant.
pub fn instant(value: &serde_json::Value) -> Option<Timestamp> {
    match value {
        serde_json::Value::Number(seconds) => epoch_to_rfc3339(seconds.as_f64()?)?.parse().ok(),
        serde_json::Value::String(text) => to_rfc3339(text)?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_formats_become_rfc3339() {
        for (from, to) in [
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05.678Z"),
            ("2024-01-02T05:04:05+02:00", "2024-01-02T03:04:05Z"),
            ("Tue, 02 Jan 2024 03:04:05 GMT", "2024-01-02T03:04:05Z"),
            ("1704164645", "2024-01-02T03:04:05Z"),
            ("1.704164645678E9", "2024-01-02T03:04:05.678Z"),
            ("2024-01-02T03:04:05", "2024-01-02T03:04:05Z"),
            ("2024-01-02", "2024-01-02T00:00:00Z"),
        ] {
            assert_eq!(to_rfc3339(from).as_deref(), Some(to), "{from}");
        }
        for nonsense in ["", "yesterday", "NaN", "1e300", "-inf"] {
            assert_eq!(to_rfc3339(nonsense), None, "{nonsense}");
        }
    }
}
