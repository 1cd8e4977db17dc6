//! Functions on text.

use super::eval::{MAX_TEXT, joined, limit, text_of, unclear, wrong};
use crate::blend::base64;
use crate::source::Span;
use crate::value::{Data, Doc, Part, Val, WhyKind};
use std::sync::Arc;

/// A text function by its name in lower case, or none when it is not one.
pub(crate) fn apply(name: &str, args: &[Val], span: Span) -> Option<Val> {
    let known =
        ["tolower", "toupper", "trim", "startswith", "endswith", "substring", "replace", "split", "padleft", "like"];
    let also = [
        "base64",
        "base64tostring",
        "base64tojson",
        "datauri",
        "datauritostring",
        "uricomponent",
        "uricomponenttostring",
        "json",
    ];
    Some(match (name, args) {
        ("concat", args) if !args.iter().any(|a| matches!(a.data, Data::List(_))) => joined(args, span),
        ("string", [one]) => string(one, span),
        ("format", [pattern, values @ ..]) => match pattern.as_str() {
            Some(text) => format_text(text, values, span),
            None => unclear("format", pattern, span),
        },
        ("join", [list, by]) => match (&list.data, by.as_str()) {
            (Data::List(items), Some(by)) => {
                let mut all = Vec::with_capacity(items.len() * 2);
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        all.push(Val::str(by, span));
                    }
                    all.push(item.clone());
                }
                if all.is_empty() { Val::str("", span) } else { joined(&all, span) }
            }
            (_, None) => unclear("join", by, span),
            _ => unclear("join", list, span),
        },
        ("uri", [base, relative]) => match base.as_str() {
            Some(text) => {
                let stem = text.rfind('/').filter(|at| *at > 8).map_or(text, |at| text.get(..=at).unwrap_or(text));
                let slash = if stem.ends_with('/') { "" } else { "/" };
                let trimmed = match relative.as_str() {
                    Some(r) => Val::str(r.trim_start_matches('/'), span),
                    None => relative.clone(),
                };
                joined(&[Val::str(format!("{stem}{slash}"), span), trimmed], span)
            }
            None => joined(&[base.clone(), Val::str("/", span), relative.clone()], span),
        },
        ("indexof" | "lastindexof", [of, what]) if of.as_list().is_none() => match (of.as_str(), what.as_str()) {
            (Some(text), Some(part)) => {
                let (text, part) = (text.to_lowercase(), part.to_lowercase());
                let at = if name == "indexof" { text.find(&part) } else { text.rfind(&part) };
                let at =
                    at.and_then(|at| text.get(..at)).map_or(-1, |b| i64::try_from(b.chars().count()).unwrap_or(-1));
                Val::int(at, span)
            }
            (None, _) => unclear(name, of, span),
            _ => unclear(name, what, span),
        },
        ("tolower" | "toupper", [Val { data: Data::Partial(parts), .. }]) => {
            let case = |t: &str| if name == "tolower" { t.to_lowercase() } else { t.to_uppercase() };
            let parts = parts.iter().map(|p| match p {
                Part::Text(t) => Part::Text(case(t).into()),
                hole => hole.clone(),
            });
            Val::from_parts(parts.collect(), span)
        }
        ("startswith" | "endswith", [Val { data: Data::Partial(parts), .. }, end]) => {
            let end = end.as_str()?.to_lowercase();
            let side = if name == "startswith" { parts.first() } else { parts.last() };
            match side {
                Some(Part::Text(t)) if name == "startswith" && t.to_lowercase().starts_with(&end) => {
                    Val::bool(true, span)
                }
                Some(Part::Text(t)) if name == "endswith" && t.to_lowercase().ends_with(&end) => Val::bool(true, span),
                _ => unclear(name, args.first()?, span),
            }
        }
        _ if known.contains(&name) || also.contains(&name) => {
            let mut texts = Vec::with_capacity(args.len());
            for arg in args {
                match text_of(arg) {
                    Some(text) => texts.push(text),
                    None => return Some(unclear(name, arg, span)),
                }
            }
            on_known(name, &texts.iter().map(String::as_str).collect::<Vec<_>>(), args, span)
        }
        _ => return None,
    })
}

fn on_known(name: &str, texts: &[&str], args: &[Val], span: Span) -> Val {
    let text = |t: String| if t.len() > MAX_TEXT { limit(name, span) } else { Val::str(t, span) };
    match (name, texts) {
        ("tolower", [t]) => text(t.to_lowercase()),
        ("toupper", [t]) => text(t.to_uppercase()),
        ("trim", [t]) => text(t.trim().to_owned()),
        ("startswith", [t, p]) => Val::bool(t.to_lowercase().starts_with(&p.to_lowercase()), span),
        ("endswith", [t, p]) => Val::bool(t.to_lowercase().ends_with(&p.to_lowercase()), span),
        ("replace", [t, from, to]) => {
            if from.is_empty() || t.len().saturating_mul(to.len().max(1)) > MAX_TEXT {
                return if from.is_empty() { text((*t).to_owned()) } else { limit("replace", span) };
            }
            text(t.replace(from, to))
        }
        ("substring", [t, start, rest @ ..]) => {
            let all: Vec<char> = t.chars().collect();
            let start: Option<usize> = start.parse().ok();
            let length = rest.first().map_or(Some(usize::MAX), |l| l.parse().ok());
            match (start, length) {
                (Some(start), Some(length)) if start <= all.len() => {
                    text(all.iter().skip(start).take(length).collect())
                }
                _ => wrong("substring", "the start is behind the end of the text", span),
            }
        }
        ("padleft", [t, width, rest @ ..]) => {
            let width: usize = width.parse().unwrap_or(0);
            if width > 10_000 {
                return limit("padLeft", span);
            }
            let fill = rest.first().and_then(|c| c.chars().next()).unwrap_or(' ');
            let missing = width.saturating_sub(t.chars().count());
            text(std::iter::repeat_n(fill, missing).chain(t.chars()).collect())
        }
        ("split", [t, _]) => {
            let by: Vec<String> = match args.get(1).map(|a| &a.data) {
                Some(Data::List(items)) => items.iter().filter_map(text_of).collect(),
                _ => texts.get(1).map(|b| (*b).to_owned()).into_iter().collect(),
            };
            let mut pieces = vec![(*t).to_owned()];
            for b in by.iter().filter(|b| !b.is_empty()) {
                pieces = pieces.iter().flat_map(|p| p.split(b.as_str()).map(str::to_owned)).collect();
            }
            Val::list(pieces.into_iter().map(|p| Val::str(p, span)).collect(), span)
        }
        ("like", [t, pattern]) => Val::bool(like(t, pattern), span),
        ("base64", [t]) => text(base64(t.as_bytes())),
        ("base64tostring", [t]) => match decode(t) {
            Some(plain) => text(plain),
            None => wrong(name, "the text is not base64", span),
        },
        ("base64tojson", [t]) => match decode(t).and_then(|plain| crate::json::parse_text(&plain, span)) {
            Some(val) => val,
            None => wrong(name, "the text is no JSON in base64", span),
        },
        ("datauri", [t]) => text(format!("data:text/plain;charset=utf8;base64,{}", base64(t.as_bytes()))),
        ("datauritostring", [t]) => {
            let plain = t
                .split_once("base64,")
                .and_then(|(_, b)| decode(b))
                .or_else(|| t.split_once(',').map(|(_, plain)| unescape(plain)));
            plain.map_or_else(|| wrong(name, "the text is no data URI", span), text)
        }
        ("uricomponent", [t]) => text(escape(t)),
        ("uricomponenttostring", [t]) => text(unescape(t)),
        ("json", [t]) => match args.first().and_then(Val::decode_json) {
            Some(val) => val,
            None => match t.parse::<f64>() {
                Ok(number) => Val::num(number, span),
                Err(_) => wrong("json", "the text is no JSON", span),
            },
        },
        _ => wrong(name, "wrong number of arguments", span),
    }
}

/// Whether the text has the form of the pattern, in which `*` stands for any text.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn string(one: &Val, span: Span) -> Val {
    match &one.data {
        Data::Str(_) | Data::Partial(_) | Data::Doc(_) => one.clone(),
        Data::List(_) | Data::Map(_) => {
            let text = one.to_json().map(|json| json.to_string().into());
            Val::new(Data::Doc(Arc::new(Doc { text, value: one.clone() })), span)
        }
        Data::Unknown(_) | Data::Ref(_) => one.clone(),
        _ => Val::str(text_of(one).unwrap_or_default(), span),
    }
}

fn format_text(pattern: &str, values: &[Val], span: Span) -> Val {
    let mut out: Vec<Val> = Vec::new();
    let mut text = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '{' if rest.peek() == Some(&'{') => {
                rest.next();
                text.push('{');
            }
            '}' if rest.peek() == Some(&'}') => {
                rest.next();
                text.push('}');
            }
            '{' => {
                let inside: String = rest.by_ref().take_while(|c| *c != '}').collect();
                let (at, shape) = inside.split_once(':').unwrap_or((&inside, ""));
                let at = at.split(',').next().unwrap_or(at).trim();
                let Some(val) = at.parse::<usize>().ok().and_then(|at| values.get(at)) else {
                    return wrong("format", format!("the pattern asks for argument {at}, which is not given"), span);
                };
                if !text.is_empty() {
                    out.push(Val::str(std::mem::take(&mut text), span));
                }
                out.push(shaped(val, shape, span));
            }
            c => text.push(c),
        }
    }
    if !text.is_empty() || out.is_empty() {
        out.push(Val::str(text, span));
    }
    joined(&out, span)
}

/// A value in a format such as `D3` or `00`.
fn shaped(val: &Val, shape: &str, span: Span) -> Val {
    let Some(number) = val.as_int().filter(|_| !shape.is_empty()) else { return val.clone() };
    let digits = shape.get(1..).and_then(|d| d.parse::<usize>().ok()).unwrap_or(0).min(100);
    match shape.chars().next() {
        Some('D' | 'd') => Val::str(format!("{number:0digits$}"), span),
        Some('X') => Val::str(format!("{number:0digits$X}"), span),
        Some('x') => Val::str(format!("{number:0digits$x}"), span),
        Some('0') if shape.chars().all(|c| c == '0') => {
            Val::str(format!("{number:0width$}", width = shape.len()), span)
        }
        _ => {
            Val::unknown(WhyKind::Function, format!("format({shape})"), "this number format is not computed here", span)
        }
    }
}

fn decode(text: &str) -> Option<String> {
    use ::base64::Engine as _;
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    String::from_utf8(::base64::engine::general_purpose::STANDARD.decode(compact).ok()?).ok()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = text.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(|d| u8::from_str_radix(d, 16).ok());
        match code {
            Some(code) => {
                out.push(code);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

// ---- time ----

/// Seconds since 1970 of `2024-01-31T12:30:00Z` or `2024-01-31 12:30:00Z`; the date alone is midnight.
fn seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let days = days_from_civil(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let clock = if text.len() >= 19 { number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)? } else { 0 };
    Some(days * 86_400 + clock)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

fn written(at: i64) -> String {
    let (year, month, day) = civil(at.div_euclid(86_400));
    let clock = at.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", clock / 3600, clock / 60 % 60, clock % 60)
}

/// Adds an ISO 8601 duration, `P1Y2M3DT4H5M6S` with an optional minus before it.
fn plus(at: i64, duration: &str) -> Option<i64> {
    let (sign, rest) = duration.strip_prefix('-').map_or((1, duration), |rest| (-1, rest));
    let rest = rest.strip_prefix('P')?;
    let (mut months, mut secs, mut clock, mut number) = (0_i64, 0_i64, false, String::new());
    for c in rest.chars() {
        if c.is_ascii_digit() && number.len() < 9 {
            number.push(c);
            continue;
        }
        if c == 'T' {
            clock = true;
            continue;
        }
        let n: i64 = number.parse().ok()?;
        number.clear();
        match (c, clock) {
            ('Y', false) => months += 12 * n,
            ('M', false) => months += n,
            ('W', false) => secs += n * 7 * 86_400,
            ('D', false) => secs += n * 86_400,
            ('H', true) => secs += n * 3600,
            ('M', true) => secs += n * 60,
            ('S', true) => secs += n,
            _ => return None,
        }
    }
    let (year, month, day) = civil(at.div_euclid(86_400));
    let total = year * 12 + month - 1 + sign * months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let length = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    Some(days_from_civil(year, month, day.min(length)) * 86_400 + at.rem_euclid(86_400) + sign * secs)
}

/// `dateTimeAdd`, `dateTimeFromEpoch`, `dateTimeToEpoch` of known arguments.
pub(crate) fn time(name: &str, args: &[Val], span: Span) -> Val {
    let answer = match (name, args) {
        ("datetimeadd", [base, duration]) => {
            let moved = base.as_str().and_then(seconds).zip(duration.as_str()).and_then(|(at, d)| plus(at, d));
            moved.map(|at| Val::str(written(at), span))
        }
        ("datetimefromepoch", [at]) => {
            at.as_int().filter(|at| at.abs() < 1 << 40).map(|at| Val::str(written(at), span))
        }
        ("datetimetoepoch", [text]) => text.as_str().and_then(seconds).map(|at| Val::int(at, span)),
        _ => None,
    };
    answer.unwrap_or_else(|| {
        Val::unknown(WhyKind::Function, format!("{name}()"), "this form of time is not computed here", span)
    })
}
