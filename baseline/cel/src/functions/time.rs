//! Instants and spans of time.

use super::{Table, wrong};
use crate::{Context, EvalError, Val, ops};
use jiff::{civil, tz};
use plumb_model::Time;

pub(crate) const TABLE: Table = &[
    ("timestamp(timestamp) -> timestamp", timestamp),
    ("timestamp(string) -> timestamp", timestamp),
    ("timestamp(int) -> timestamp", timestamp),
    ("duration(duration) -> duration", duration),
    ("duration(string) -> duration", duration),
    ("timestamp.getFullYear() -> int", full_year),
    ("timestamp.getFullYear(string) -> int", full_year),
    ("timestamp.getMonth() -> int", month),
    ("timestamp.getMonth(string) -> int", month),
    ("timestamp.getDate() -> int", date),
    ("timestamp.getDate(string) -> int", date),
    ("timestamp.getDayOfMonth() -> int", day_of_month),
    ("timestamp.getDayOfMonth(string) -> int", day_of_month),
    ("timestamp.getDayOfWeek() -> int", day_of_week),
    ("timestamp.getDayOfWeek(string) -> int", day_of_week),
    ("timestamp.getDayOfYear() -> int", day_of_year),
    ("timestamp.getDayOfYear(string) -> int", day_of_year),
    ("timestamp.getHours() -> int", hours),
    ("timestamp.getHours(string) -> int", hours),
    ("timestamp.getMinutes() -> int", minutes),
    ("timestamp.getMinutes(string) -> int", minutes),
    ("timestamp.getSeconds() -> int", seconds),
    ("timestamp.getSeconds(string) -> int", seconds),
    ("timestamp.getMilliseconds() -> int", milliseconds),
    ("timestamp.getMilliseconds(string) -> int", milliseconds),
    ("duration.getHours() -> int", hours),
    ("duration.getMinutes() -> int", minutes),
    ("duration.getSeconds() -> int", seconds),
    ("duration.getMilliseconds() -> int", milliseconds),
];

const SECOND: i64 = 1_000_000_000;

/// `1.5s`, `1000000s`: CEL's text of a duration.
pub(crate) fn duration_text(nanos: i64) -> String {
    let (sign, magnitude) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (whole, fraction) = (magnitude / SECOND as u64, magnitude % SECOND as u64);
    if fraction == 0 {
        return format!("{sign}{whole}s");
    }
    let fraction = format!("{fraction:09}");
    format!("{sign}{whole}.{}s", fraction.trim_end_matches('0'))
}

fn timestamp<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Time(t)] => Val::Time(*t),
        [Val::Int(seconds)] => ops::instant(jiff::Timestamp::from_second(*seconds).ok()),
        [Val::Str(text)] => match read_instant(text) {
            Some(t) => ops::instant(Some(t.as_jiff())),
            None => Val::invalid(format!("`{}` is not an instant like 2026-11-21T10:00:00Z", &**text)),
        },
        _ => wrong(args),
    }
}

/// RFC 3339 and nothing else.
fn read_instant(text: &str) -> Option<Time> {
    let shape: Vec<u8> = text.bytes().take(20).map(|b| if b.is_ascii_digit() { b'0' } else { b }).collect();
    let head = shape.get(..19)?;
    (head == b"0000-00-00T00:00:00" && !text.contains('[')).then_some(())?;
    text.parse().ok()
}

fn duration<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Duration(d)] => Val::Duration(*d),
        [Val::Str(text)] => match read_duration(text) {
            Ok(nanos) => ops::duration(i64::try_from(nanos).ok()),
            Err(()) => Val::invalid(format!("`{}` is not a duration like 1h30m or 45s", &**text)),
        },
        _ => wrong(args),
    }
}

/// Go's notation: a sign, then numbers with units from `h` to `ns`.
fn read_duration(text: &str) -> Result<i128, ()> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(())?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale: i128 = match unit {
            "h" => 3_600 * i128::from(SECOND),
            "m" => 60 * i128::from(SECOND),
            "s" => i128::from(SECOND),
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return Err(()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty())
            || whole.len() > 18
            || fraction.len() > 18
            || fraction.contains('.')
        {
            return Err(());
        }
        let digits = |s: &str| if s.is_empty() { Ok(0i128) } else { s.parse::<i128>().map_err(|_| ()) };
        total += digits(whole)? * scale + digits(fraction)? * scale / 10i128.pow(fraction.len() as u32);
        rest = after;
    }
    Ok(if negative { -total } else { total })
}

/// The civil time in the zone given, or in UTC.
fn civil_time<'a>(cx: &mut Context, args: &[Val<'a>]) -> Result<civil::DateTime, Val<'a>> {
    let (at, zone) = match args {
        [Val::Time(t)] => (t, tz::TimeZone::UTC),
        [Val::Time(t), Val::Str(name)] => {
            cx.charge(50);
            (
                t,
                zone(name).ok_or_else(|| -> Val<'a> {
                    EvalError::Invalid(format!("there is no time zone `{}`", &**name)).into()
                })?,
            )
        }
        _ => return Err(wrong(args)),
    };
    Ok(zone.to_datetime(at.as_jiff()))
}

/// `Europe/Zurich`, `UTC`, `+02:00`, `-02:30` or `02:00`.
fn zone(name: &str) -> Option<tz::TimeZone> {
    let (negative, digits) = match name.as_bytes().first()? {
        b'-' => (true, name.get(1..)?),
        b'+' => (false, name.get(1..)?),
        _ => (false, name),
    };
    if let Some((hours, minutes)) = digits.split_once(':') {
        let number = |s: &str| if s.len() == 2 { s.parse::<i32>().ok() } else { None };
        let seconds = number(hours)? * 3_600 + number(minutes)? * 60;
        let offset = tz::Offset::from_seconds(if negative { -seconds } else { seconds }).ok()?;
        return Some(tz::TimeZone::fixed(offset));
    }
    tz::TimeZoneDatabase::bundled().get(name).ok()
}

fn part<'a>(
    cx: &mut Context,
    args: &[Val<'a>],
    pick: fn(civil::DateTime) -> i64,
    of_duration: Option<fn(i64) -> i64>,
) -> Val<'a> {
    if let ([Val::Duration(d)], Some(pick)) = (args, of_duration) {
        return Val::Int(pick(*d));
    }
    match civil_time(cx, args) {
        Ok(at) => Val::Int(pick(at)),
        Err(error) => error,
    }
}

fn full_year<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| t.year().into(), None)
}

/// 0 is January.
fn month<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| i64::from(t.month()) - 1, None)
}

/// 1 is the first of the month.
fn date<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| t.day().into(), None)
}

/// 0 is the first of the month.
fn day_of_month<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| i64::from(t.day()) - 1, None)
}

/// 0 is Sunday.
fn day_of_week<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| t.weekday().to_sunday_zero_offset().into(), None)
}

/// 0 is the first of January.
fn day_of_year<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| i64::from(t.day_of_year()) - 1, None)
}

fn hours<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| t.hour().into(), Some(|d| d / (3_600 * SECOND)))
}

fn minutes<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| t.minute().into(), Some(|d| d / (60 * SECOND)))
}

fn seconds<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| t.second().into(), Some(|d| d / SECOND))
}

/// Of a duration: the milliseconds beyond its whole seconds.
fn milliseconds<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    part(cx, args, |t| t.millisecond().into(), Some(|d| d % SECOND / 1_000_000))
}
