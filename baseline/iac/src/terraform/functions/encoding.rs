//! JSON, CSV, YAML, base 64 and URLs.

use super::{Args, Out};
use crate::source::Span;
use crate::terraform::types::number_text;
use crate::value::{Data, Doc, Members, Val};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use std::sync::Arc;

type Open = Result<Option<Val>, String>;

pub(super) fn open(name: &str, args: &Args<'_>) -> Option<Open> {
    Some(match name {
        "jsonencode" => args
            .get(0)
            .map(|v| if matches!(v.data, Data::Unknown(_)) { None } else { Some(json_doc(v.clone(), args.span)) }),
        "jsondecode" => args.get(0).and_then(|v| match v.decode_json() {
            Some(val) => Ok(Some(val)),
            None if v.is_unknown() => Ok(None),
            None => Err("the text is not JSON".into()),
        }),
        _ => return None,
    })
}

pub(super) fn strict(name: &str, args: &Args<'_>) -> Option<Out> {
    Some(match name {
        "base64encode" => args.text(0).and_then(|t| args.str(STANDARD.encode(t))),
        "base64decode" => base64decode(args),
        "textencodebase64" => textencode(args),
        "textdecodebase64" => textdecode(args),
        "urlencode" => args.text(0).and_then(|t| args.str(urlencode(&t))),
        "csvdecode" => csvdecode(args),
        "yamldecode" => args.text(0).and_then(|t| super::super::yaml::decode(&t, args.span)),
        "yamlencode" => args.get(0).and_then(|v| args.str(super::super::yaml::encode(v))),
        _ => return None,
    })
}

/// The value as text that is JSON; with unknown parts the structure stays.
pub(in crate::terraform) fn json_doc(value: Val, span: Span) -> Val {
    let text = json_text(&value).map(Arc::from);
    Val::new(Data::Doc(Arc::new(Doc { text, value })), span)
}

/// JSON as Terraform writes it: compact, keys in order, `<`, `>` and `&` escaped. None with unknown parts.
pub(super) fn json_text(val: &Val) -> Option<String> {
    let mut out = String::new();
    write_json(val, &mut out, 0).then_some(out)
}

fn write_json(val: &Val, out: &mut String, depth: u32) -> bool {
    if depth > 200 || out.len() > crate::terraform::eval::MAX_TEXT {
        return false;
    }
    match &val.data {
        Data::Null => out.push_str("null"),
        Data::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Data::Int(i) => {
            let _ = write!(out, "{i}");
        }
        Data::Num(f) => out.push_str(&number_text(*f)),
        Data::Str(s) => write_text(s, out),
        Data::Doc(d) => match &d.text {
            Some(text) => write_text(text, out),
            None => return false,
        },
        Data::List(items) | Data::Set(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                if !write_json(item, out, depth + 1) {
                    return false;
                }
            }
            out.push(']');
        }
        Data::Map(members) => {
            out.push('{');
            for (i, (key, item)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                if !write_json(item, out, depth + 1) {
                    return false;
                }
            }
            out.push('}');
        }
        Data::Partial(_) | Data::Ref(_) | Data::Unknown(_) => return false,
    }
    true
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn bytes(args: &Args<'_>) -> Result<Vec<u8>, String> {
    STANDARD.decode(args.text(0)?).map_err(|e| format!("the text is not base 64: {e}"))
}

fn base64decode(args: &Args<'_>) -> Out {
    let text = String::from_utf8(bytes(args)?).map_err(|_| "what it encodes is not UTF-8 text")?;
    args.str(text)
}

fn textencode(args: &Args<'_>) -> Out {
    let text = args.text(0)?;
    let encoded: Vec<u8> = match &*args.text(1)?.to_ascii_uppercase() {
        "UTF-8" | "UTF8" => text.into_bytes(),
        "UTF-16LE" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "UTF-16BE" | "UTF-16" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "US-ASCII" | "ASCII" | "ISO-8859-1" | "LATIN1" | "WINDOWS-1252" => {
            let one = |c: char| u8::try_from(c as u32).map_err(|_| format!("{c:?} is not in that encoding"));
            text.chars().map(one).collect::<Result<_, _>>()?
        }
        other => {
            return Err(format!("the encoding {other} is not known; UTF-8, UTF-16LE, UTF-16BE and ISO-8859-1 are"));
        }
    };
    args.str(STANDARD.encode(encoded))
}

fn textdecode(args: &Args<'_>) -> Out {
    let bytes = bytes(args)?;
    let wide = |from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|c| from([c[0], c[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match &*args.text(1)?.to_ascii_uppercase() {
        "UTF-8" | "UTF8" => String::from_utf8_lossy(&bytes).into_owned(),
        "UTF-16LE" => wide(u16::from_le_bytes),
        "UTF-16BE" | "UTF-16" => wide(u16::from_be_bytes),
        "US-ASCII" | "ASCII" | "ISO-8859-1" | "LATIN1" | "WINDOWS-1252" => bytes.iter().map(|b| *b as char).collect(),
        other => {
            return Err(format!("the encoding {other} is not known; UTF-8, UTF-16LE, UTF-16BE and ISO-8859-1 are"));
        }
    };
    args.str(text)
}

fn urlencode(text: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{b:02X}");
            }
        }
    }
    out
}

fn csvdecode(args: &Args<'_>) -> Out {
    let text = args.text(0)?;
    let mut rows = csv_rows(&text)?.into_iter();
    let Some(header) = rows.next() else { return Err("the first line must name the columns".into()) };
    if let Some((at, name)) = header.iter().enumerate().find(|(at, name)| header.iter().take(*at).any(|h| h == *name)) {
        return Err(format!("column {} has the name of an earlier one, {name:?}", at + 1));
    }
    let mut out = Vec::new();
    for row in rows {
        if row.len() != header.len() {
            return Err(format!("a line has {} columns, the first line {}", row.len(), header.len()));
        }
        let members: Members =
            header.iter().zip(row).map(|(k, v)| (Arc::from(k.as_str()), Val::str(v, args.span))).collect();
        out.push(Val::map(members, args.span));
    }
    Ok(Val::list(out, args.span))
}

fn csv_rows(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    let mut any = false;
    while let Some(c) = chars.next() {
        if quoted {
            match c {
                '"' if chars.peek() == Some(&'"') => {
                    chars.next();
                    field.push('"');
                }
                '"' if matches!(chars.peek(), None | Some(',' | '\n' | '\r')) => quoted = false,
                '"' => return Err("text follows the end of a quoted field".into()),
                _ => field.push(c),
            }
            continue;
        }
        match c {
            '"' if field.is_empty() => {
                quoted = true;
                any = true;
            }
            ',' => {
                row.push(std::mem::take(&mut field));
                any = true;
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                if any || !field.is_empty() {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
                any = false;
            }
            _ => field.push(c),
        }
    }
    if quoted {
        return Err("a quoted field has no end".into());
    }
    if any || !field.is_empty() {
        row.push(field);
        rows.push(row);
    }
    Ok(rows)
}
