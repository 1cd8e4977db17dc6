//! Text: CEL's own functions and the strings extension. Positions count characters, not bytes.

use super::{Table, wrong};
use crate::{Context, EvalError, Val};

pub(crate) const TABLE: Table = &[
    ("string.startsWith(string) -> bool", starts_with),
    ("string.endsWith(string) -> bool", ends_with),
    ("string.contains(string) -> bool", contains),
    ("string.matches(string) -> bool", matches),
    ("matches(string, string) -> bool", matches),
    ("string.charAt(int) -> string", char_at),
    ("string.indexOf(string) -> int", index_of),
    ("string.indexOf(string, int) -> int", index_of),
    ("string.lastIndexOf(string) -> int", last_index_of),
    ("string.lastIndexOf(string, int) -> int", last_index_of),
    ("list(string).join() -> string", join),
    ("list(string).join(string) -> string", join),
    ("string.lowerAscii() -> string", lower_ascii),
    ("string.upperAscii() -> string", upper_ascii),
    ("strings.quote(string) -> string", quote),
    ("string.replace(string, string) -> string", replace),
    ("string.replace(string, string, int) -> string", replace),
    ("string.reverse() -> string", reverse),
    ("string.split(string) -> list(string)", split),
    ("string.split(string, int) -> list(string)", split),
    ("string.substring(int) -> string", substring),
    ("string.substring(int, int) -> string", substring),
    ("string.trim() -> string", trim),
];

/// Compiles a pattern of the RE2 family; its size is bounded, its matching time is linear.
pub(crate) fn pattern(text: &str) -> Result<regex::Regex, EvalError> {
    sized_pattern(text, 1 << 20)
}

fn sized_pattern(text: &str, bytes: usize) -> Result<regex::Regex, EvalError> {
    regex::RegexBuilder::new(text)
        .size_limit(bytes)
        .build()
        .map_err(|error| EvalError::Invalid(format!("`{text}` is not a pattern: {}", last_line(&error.to_string()))))
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}

fn starts_with<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text), Val::Str(start)] => {
            cx.charge_bytes(start.len());
            Val::Bool(text.starts_with(&**start))
        }
        _ => wrong(args),
    }
}

fn ends_with<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text), Val::Str(end)] => {
            cx.charge_bytes(end.len());
            Val::Bool(text.ends_with(&**end))
        }
        _ => wrong(args),
    }
}

fn contains<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text), Val::Str(part)] => {
            cx.charge_bytes(text.len());
            Val::Bool(text.contains(&**part))
        }
        _ => wrong(args),
    }
}

/// Patterns known at compilation are compiled once; this is for the others.
fn matches<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text), Val::Str(regex)] => {
            // Compiling costs as much as thousands of operations, and more for larger patterns.
            cx.charge(20_000 + 8 * regex.len() as u64);
            cx.charge_bytes(text.len());
            match sized_pattern(regex, 64 << 10) {
                Ok(regex) => Val::Bool(regex.is_match(text)),
                Err(error) => error.into(),
            }
        }
        _ => wrong(args),
    }
}

fn out_of_range<'a>(index: i64) -> Val<'a> {
    Val::invalid(format!("index out of range: {index}"))
}

/// The byte position of the character at `index`; the end counts as a position.
fn position(text: &str, index: i64) -> Option<usize> {
    let index = usize::try_from(index).ok()?;
    text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(index)
}

fn characters(text: &str, bytes: usize) -> i64 {
    text.get(..bytes).unwrap_or_default().chars().count() as i64
}

fn char_at<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text), Val::Int(index)] => {
            cx.charge_bytes(text.len());
            match position(text, *index) {
                Some(at) => {
                    let found: String = text.get(at..).unwrap_or_default().chars().take(1).collect();
                    Val::string(found)
                }
                None => out_of_range(*index),
            }
        }
        _ => wrong(args),
    }
}

fn index_of<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let (text, part, from) = match args {
        [Val::Str(text), Val::Str(part)] => (text, part, 0),
        [Val::Str(text), Val::Str(part), Val::Int(from)] => (text, part, *from),
        _ => return wrong(args),
    };
    cx.charge_bytes(text.len());
    let Some(start) = position(text, from) else { return out_of_range(from) };
    let found = text.get(start..).and_then(|rest| rest.find(&**part));
    Val::Int(found.map_or(-1, |at| characters(text, start + at)))
}

fn last_index_of<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let (text, part, upto) = match args {
        [Val::Str(text), Val::Str(part)] => (text, part, None),
        [Val::Str(text), Val::Str(part), Val::Int(upto)] => (text, part, Some(*upto)),
        _ => return wrong(args),
    };
    cx.charge_bytes(text.len());
    let last_start = match upto {
        None => text.len(),
        Some(upto) => match position(text, upto) {
            Some(at) => at,
            None => return out_of_range(upto),
        },
    };
    let end = (last_start + part.len()).min(text.len());
    let end = (0..=end).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let found = text.get(..end).and_then(|head| head.rfind(&**part));
    Val::Int(found.filter(|at| *at <= last_start).map_or(-1, |at| characters(text, at)))
}

fn join<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let (list, separator) = match args {
        [Val::List(list)] => (list, ""),
        [Val::List(list), Val::Str(separator)] => (list, &**separator),
        _ => return wrong(args),
    };
    if let Some(rest) = list.rest() {
        return Val::Unknown(rest.clone());
    }
    let mut out = String::new();
    for (at, item) in list.iter().enumerate() {
        match item {
            Val::Str(text) => {
                if at > 0 {
                    out.push_str(separator);
                }
                out.push_str(&text);
            }
            Val::Unknown(u) => return Val::Unknown(u),
            other => return wrong(&[other]),
        }
        if let Err(error) = cx.fits_text(out.len()) {
            return error.into();
        }
        cx.charge(1);
    }
    cx.charge_bytes(out.len());
    Val::string(out)
}

fn lower_ascii<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text)] => {
            cx.charge_bytes(text.len());
            Val::string(text.to_ascii_lowercase())
        }
        _ => wrong(args),
    }
}

fn upper_ascii<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text)] => {
            cx.charge_bytes(text.len());
            Val::string(text.to_ascii_uppercase())
        }
        _ => wrong(args),
    }
}

fn quote<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let [Val::Str(text)] = args else { return wrong(args) };
    if let Err(error) = cx.allow_text(text.len() * 2) {
        return error.into();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out.push('"');
    Val::string(out)
}

fn replace<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let (text, from, to, limit) = match args {
        [Val::Str(text), Val::Str(from), Val::Str(to)] => (text, from, to, -1),
        [Val::Str(text), Val::Str(from), Val::Str(to), Val::Int(limit)] => (text, from, to, *limit),
        _ => return wrong(args),
    };
    cx.charge_bytes(text.len());
    let most = if from.is_empty() { text.chars().count() + 1 } else { text.matches(&**from).count() };
    let most = usize::try_from(limit).unwrap_or(most).min(most);
    if let Err(error) = cx.allow_text(text.len().saturating_add(most.saturating_mul(to.len()))) {
        return error.into();
    }
    Val::string(text.replacen(&**from, to, most))
}

fn reverse<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text)] => {
            cx.charge_bytes(text.len());
            Val::string(text.chars().rev().collect::<String>())
        }
        _ => wrong(args),
    }
}

fn split<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let (text, separator, limit) = match args {
        [Val::Str(text), Val::Str(separator)] => (text, separator, -1),
        [Val::Str(text), Val::Str(separator), Val::Int(limit)] => (text, separator, *limit),
        _ => return wrong(args),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Val::list(Vec::new());
    }
    if let Err(error) = cx.allow(if separator.is_empty() { text.len() } else { text.matches(&**separator).count() }) {
        return error.into();
    }
    cx.charge_bytes(text.len());
    let parts: Vec<Val<'a>> = if separator.is_empty() {
        // As in CEL: an empty separator splits between all characters.
        let mut parts = Vec::new();
        let mut rest = &**text;
        while let Some(c) = rest.chars().next() {
            let end = if parts.len() + 1 == limit { rest.len() } else { c.len_utf8() };
            let (part, after) = rest.split_at(end);
            parts.push(Val::string(part));
            rest = after;
        }
        parts
    } else {
        text.splitn(limit, &**separator).map(Val::string).collect()
    };
    Val::list(parts)
}

fn substring<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let (text, start, end) = match args {
        [Val::Str(text), Val::Int(start)] => (text, *start, None),
        [Val::Str(text), Val::Int(start), Val::Int(end)] => (text, *start, Some(*end)),
        _ => return wrong(args),
    };
    cx.charge_bytes(text.len());
    let Some(from) = position(text, start) else { return out_of_range(start) };
    let to = match end {
        None => text.len(),
        Some(end) => match position(text, end) {
            Some(to) => to,
            None => return out_of_range(end),
        },
    };
    match text.get(from..to) {
        Some(part) => Val::string(part),
        None => Val::invalid(format!("invalid substring range. start: {start}, end: {}", end.unwrap_or_default())),
    }
}

fn trim<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text)] => {
            cx.charge_bytes(text.len());
            Val::string(text.trim())
        }
        _ => wrong(args),
    }
}
