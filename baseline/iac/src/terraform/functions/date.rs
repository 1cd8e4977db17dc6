//! Instants, as RFC 3339 text.

use super::{Args, Out};
use std::cmp::Ordering;
use std::fmt::Write as _;

pub(super) fn call(name: &str, args: &Args<'_>) -> Option<Out> {
    Some(match name {
        "formatdate" => formatdate(args),
        "timeadd" => timeadd(args),
        "timecmp" => timecmp(args),
        _ => return None,
    })
}

#[derive(Clone, Copy)]
struct Instant {
    /// Seconds since 1970 as the local clock shows them.
    local: i64,
    nanos: i64,
    /// Minutes east of UTC.
    offset: i64,
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

impl Instant {
    fn parse(text: &str) -> Result<Instant, String> {
        Self::read(text).ok_or_else(|| format!("{text:?} is not an instant such as 2026-01-02T03:04:05Z"))
    }

    fn read(text: &str) -> Option<Instant> {
        let part = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
        };
        let bytes = text.as_bytes();
        let sep = |at: usize, b: u8| bytes.get(at) == Some(&b);
        if !(sep(4, b'-') && sep(7, b'-') && sep(10, b'T') && sep(13, b':') && sep(16, b':')) {
            return None;
        }
        let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
        let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
        if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let at = days(year, month, day);
        if civil(at) != (year, month, day) {
            return None;
        }
        let mut rest = text.get(19..)?;
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let digits = fraction.get(..len).filter(|d| !d.is_empty())?;
            nanos = format!("{digits:0<9}").get(..9)?.parse().ok()?;
            rest = fraction.get(len..)?;
        }
        let offset = if rest == "Z" {
            0
        } else {
            let sign = if rest.starts_with('-') {
                -1
            } else if rest.starts_with('+') {
                1
            } else {
                return None;
            };
            let (h, m) = rest.get(1..)?.split_once(':')?;
            if h.len() != 2 || m.len() != 2 {
                return None;
            }
            sign * (h.parse::<u8>().ok()? as i64 * 60 + m.parse::<u8>().ok()? as i64)
        };
        Some(Instant { local: at * 86_400 + hour * 3600 + minute * 60 + second, nanos, offset })
    }

    fn utc(self) -> (i64, i64) {
        (self.local - self.offset * 60, self.nanos)
    }

    fn zone(self, colon: bool) -> String {
        let minutes = self.offset.abs();
        let sign = if self.offset < 0 { '-' } else { '+' };
        format!("{sign}{:02}{}{:02}", minutes / 60, if colon { ":" } else { "" }, minutes % 60)
    }

    fn text(self) -> String {
        let (y, m, d) = civil(self.local.div_euclid(86_400));
        let s = self.local.rem_euclid(86_400);
        let zone = if self.offset == 0 { "Z".to_owned() } else { self.zone(true) };
        format!("{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}{zone}", s / 3600, s / 60 % 60, s % 60)
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

fn formatdate(args: &Args<'_>) -> Out {
    let spec = args.text(0)?;
    let at = Instant::parse(&args.text(1)?)?;
    let day = at.local.div_euclid(86_400);
    let (y, m, d) = civil(day);
    let s = at.local.rem_euclid(86_400);
    let (hour, minute, second) = (s / 3600, s / 60 % 60, s % 60);
    let half = if hour % 12 == 0 { 12 } else { hour % 12 };
    let month = MONTHS.get((m - 1) as usize).copied().unwrap_or("");
    let weekday = WEEKDAYS.get(day.rem_euclid(7) as usize).copied().unwrap_or("");
    let short = |t: &str| t.get(..3).unwrap_or(t).to_owned();
    let mut out = String::new();
    let mut rest = spec.as_str();
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            let mut chars = rest.char_indices().skip(1).peekable();
            let mut end = None;
            while let Some((i, c)) = chars.next() {
                if c != '\'' {
                    out.push(c);
                } else if chars.peek().is_some_and(|(_, c)| *c == '\'') {
                    out.push('\'');
                    chars.next();
                } else {
                    end = Some(i + 1);
                    break;
                }
            }
            let Some(end) = end else { return Err("a quoted part of the format has no end".into()) };
            rest = rest.get(end..).unwrap_or("");
            continue;
        }
        let run = rest.chars().take_while(|x| *x == c).count();
        let token: String = std::iter::repeat_n(c, run).collect();
        rest = rest.get(token.len()..).unwrap_or("");
        let piece = match token.as_str() {
            "YYYY" => format!("{y:04}"),
            "YY" => format!("{:02}", y % 100),
            "MMMM" => month.to_owned(),
            "MMM" => short(month),
            "MM" => format!("{m:02}"),
            "M" => m.to_string(),
            "DD" => format!("{d:02}"),
            "D" => d.to_string(),
            "EEEE" => weekday.to_owned(),
            "EEE" => short(weekday),
            "hh" => format!("{hour:02}"),
            "h" => hour.to_string(),
            "HH" => format!("{half:02}"),
            "H" => half.to_string(),
            "AA" => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            "aa" => if hour < 12 { "am" } else { "pm" }.to_owned(),
            "mm" => format!("{minute:02}"),
            "m" => minute.to_string(),
            "ss" => format!("{second:02}"),
            "s" => second.to_string(),
            "ZZZZZ" => at.zone(true),
            "ZZZZ" => at.zone(false),
            "ZZZ" => {
                if at.offset == 0 {
                    "UTC".to_owned()
                } else {
                    at.zone(false)
                }
            }
            "Z" => {
                if at.offset == 0 {
                    "Z".to_owned()
                } else {
                    at.zone(true)
                }
            }
            _ if c.is_ascii_alphabetic() => {
                return Err(format!("`{token}` is not a part of a date; quote text with '"));
            }
            _ => token,
        };
        let _ = write!(out, "{piece}");
    }
    args.str(out)
}

/// A duration such as `-1h30m`, in nanoseconds.
fn duration(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0f64;
    let mut any = false;
    while !rest.is_empty() {
        let len = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let number: f64 = rest.get(..len)?.parse().ok()?;
        rest = rest.get(len..)?;
        let units = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];
        let (unit, size) = units.iter().find(|(u, _)| rest.starts_with(u) && !(*u == "m" && rest.starts_with("ms")))?;
        total += number * size;
        rest = rest.get(unit.len()..)?;
        any = true;
    }
    if any && total.abs() < 9.2e18 { Some(sign * total as i128) } else { None }
}

fn timeadd(args: &Args<'_>) -> Out {
    let at = Instant::parse(&args.text(0)?)?;
    let text = args.text(1)?;
    let Some(nanos) = duration(&text) else { return Err(format!("{text:?} is not a duration such as 1h30m")) };
    let total = i128::from(at.local) * 1_000_000_000 + i128::from(at.nanos) + nanos;
    let local = i64::try_from(total.div_euclid(1_000_000_000)).map_err(|_| "the result is out of range")?;
    args.str(Instant { local, nanos: 0, ..at }.text())
}

fn timecmp(args: &Args<'_>) -> Out {
    let (a, b) = (Instant::parse(&args.text(0)?)?, Instant::parse(&args.text(1)?)?);
    args.num(match a.utc().cmp(&b.utc()) {
        Ordering::Less => -1.0,
        Ordering::Equal => 0.0,
        Ordering::Greater => 1.0,
    })
}
