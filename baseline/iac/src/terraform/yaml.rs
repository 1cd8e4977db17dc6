//! YAML for `yamldecode` and `yamlencode`.

use super::functions::Out;
use crate::source::Span;
use crate::value::{Data, Members, Val};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// How many values one document may hold, aliases counted each time.
const MAX_VALUES: usize = 200_000;
const MAX_DEPTH: usize = 96;

enum Open {
    List(Vec<Val>, usize),
    Map(Members, Option<Val>, Vec<Val>, usize),
}

/// Reads one YAML document. Plain words are read as Terraform does: `yes` and `off` are truth values, dates are
/// instants, `010` is ten.
pub(crate) fn decode(text: &str, span: Span) -> Out {
    let mut stack: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, (Val, usize)> = HashMap::new();
    let mut result = None;
    let mut left = MAX_VALUES;
    for step in Parser::new_from_str(text) {
        let (event, _) = step.map_err(|e| format!("the text is not YAML: {e}"))?;
        let (val, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(tag) = &tag
                    && tag.handle != "tag:yaml.org,2002:"
                {
                    return Err(format!("the tag `{}{}` is not known", tag.handle, tag.suffix));
                }
                let plain = style == ScalarStyle::Plain && tag.is_none_or(|t| t.suffix != "str");
                (if plain { scalar(&text, span) } else { Val::str(&*text, span) }, anchor)
            }
            Event::Alias(id) => match anchors.get(&id) {
                Some((val, size)) => {
                    left = left.saturating_sub(*size);
                    (val.clone(), 0)
                }
                None => return Err("an alias names no anchor before it".into()),
            },
            Event::SequenceStart(anchor, _) => {
                stack.push(Open::List(Vec::new(), anchor));
                continue;
            }
            Event::MappingStart(anchor, _) => {
                stack.push(Open::Map(Members::new(), None, Vec::new(), anchor));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match stack.pop() {
                Some(Open::List(items, anchor)) => (Val::list(items, span), anchor),
                Some(Open::Map(members, _, merged, anchor)) => (close(members, merged, span)?, anchor),
                None => continue,
            },
            Event::DocumentStart(_) if result.is_some() => return Err("one YAML document was expected".into()),
            _ => continue,
        };
        left = left.saturating_sub(1);
        if left == 0 || stack.len() > MAX_DEPTH {
            return Err("the document is too large".into());
        }
        if anchor > 0 {
            anchors.insert(anchor, (val.clone(), size(&val)));
        }
        match stack.last_mut() {
            None => result = Some(val),
            Some(Open::List(items, _)) => items.push(val),
            Some(Open::Map(members, key, merged, _)) => match key.take() {
                None => *key = Some(val),
                Some(name) if name.as_str() == Some("<<") => merged.push(val),
                Some(name) => {
                    let name = super::types::to_string(&name);
                    let Some(name) = name.as_ref().and_then(Val::as_str) else {
                        return Err("keys must be text".into());
                    };
                    members.insert(name.into(), val);
                }
            },
        }
    }
    result.ok_or_else(|| "the text holds no YAML document".into())
}

fn size(val: &Val) -> usize {
    let mut size = 0;
    val.walk("", 0, &mut |_, _| size += 1);
    size
}

/// Members win over what `<<` merges in.
fn close(mut members: Members, merged: Vec<Val>, span: Span) -> Out {
    for val in merged {
        let sources = val.as_list().map_or_else(|| vec![val.clone()], <[Val]>::to_vec);
        for source in sources {
            let Some(more) = source.as_map() else { return Err("`<<` needs a map".into()) };
            for (key, val) in more {
                members.entry(key.clone()).or_insert_with(|| val.clone());
            }
        }
    }
    Ok(Val::map(members, span))
}

fn scalar(text: &str, span: Span) -> Val {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Val::null(span),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Val::bool(true, span);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Val::bool(false, span);
        }
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Val::str(text, span);
    }
    let plain = text;
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, plain.strip_prefix('+').unwrap_or(plain)),
    };
    for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] {
        if let Some(number) = digits.strip_prefix(prefix).and_then(|d| i64::from_str_radix(d, radix).ok()) {
            return Val::int(sign * number, span);
        }
    }
    if let Ok(number) = plain.parse::<i64>() {
        return Val::int(number, span);
    }
    let numeric = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    if numeric && let Ok(number) = plain.parse::<f64>() {
        return Val::num(number, span);
    }
    let date = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| if matches!(i, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
    if date { Val::str(format!("{text}T00:00:00Z"), span) } else { Val::str(text, span) }
}

/// Writes YAML as Terraform does: block style, texts and keys in double quotes.
pub(super) fn encode(val: &Val) -> String {
    let mut out = String::new();
    if nested(val) {
        write(val, &mut out, 0);
    } else {
        inline(val, &mut out, 0);
        // A plain word that stands alone is followed by the end of the document.
        let plain = matches!(val.data, Data::Null | Data::Bool(_) | Data::Int(_) | Data::Num(_));
        out.push_str(if plain { "\n...\n" } else { "\n" });
    }
    out
}

fn nested(val: &Val) -> bool {
    match &val.data {
        Data::Map(m) => !m.is_empty(),
        Data::List(l) | Data::Set(l) => !l.is_empty(),
        _ => false,
    }
}

fn write(val: &Val, out: &mut String, indent: usize) {
    let pad = "  ".repeat(indent);
    match &val.data {
        Data::Map(members) => {
            for (i, (key, item)) in members.iter().enumerate() {
                if i > 0 || !out.ends_with("- ") {
                    out.push_str(&pad);
                }
                quote(key, out);
                out.push(':');
                if nested(item) {
                    out.push('\n');
                    let deeper = usize::from(matches!(item.data, Data::Map(_)));
                    write(item, out, indent + deeper);
                } else {
                    out.push(' ');
                    inline(item, out, indent + 1);
                    out.push('\n');
                }
            }
        }
        Data::List(items) | Data::Set(items) => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 || !out.ends_with("- ") {
                    out.push_str(&pad);
                }
                out.push_str("- ");
                if nested(item) {
                    write(item, out, indent + 1);
                } else {
                    inline(item, out, indent + 1);
                    out.push('\n');
                }
            }
        }
        _ => inline(val, out, indent),
    }
}

fn inline(val: &Val, out: &mut String, indent: usize) {
    match &val.data {
        Data::Map(_) => out.push_str("{}"),
        Data::List(_) | Data::Set(_) => out.push_str("[]"),
        _ => match val.as_str() {
            Some(text) if text.trim_end_matches('\n').contains('\n') && !text.starts_with([' ', '\n']) => {
                block(text, out, indent);
            }
            Some(text) => quote(text, out),
            None => out.push_str(&val.describe()),
        },
    }
}

fn block(text: &str, out: &mut String, indent: usize) {
    let body = text.strip_suffix('\n');
    out.push_str(match body {
        None => "|-",
        Some(body) if body.ends_with('\n') => "|+",
        Some(_) => "|",
    });
    for line in body.unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&"  ".repeat(indent.max(1)));
            out.push_str(line);
        }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::String(text.to_owned()).to_string());
}
