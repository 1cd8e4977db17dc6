//! The part of YAML that mute lists use: block and flow collections, plain and quoted scalars, comments. Everything else
//! (anchors, tags, several documents, block scalars) is refused by name: a list that is read wrongly mutes the wrong things.

use serde_json::{Map, Value as Json};

struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

/// Reads a document. Scalars stay text; an empty value is null.
pub(super) fn parse(text: &str) -> Result<Json, String> {
    let mut lines = Vec::new();
    for (i, raw) in text.lines().enumerate() {
        let number = i + 1;
        let body = strip_comment(raw).trim_end();
        let trimmed = body.trim_start_matches(' ');
        if trimmed.is_empty() || trimmed == "---" {
            continue;
        }
        if trimmed.starts_with('\t') {
            return Err(format!("line {number}: indented with a tab; YAML wants spaces"));
        }
        lines.push(Line { number, indent: body.len() - trimmed.len(), text: trimmed });
    }
    let mut at = 0;
    let value = block(&lines, &mut at, 0, 0)?;
    match lines.get(at) {
        Some(l) => Err(format!("line {}: is not indented like the lines before it", l.number)),
        None => Ok(value),
    }
}

fn strip_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (i, c) in line.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') if matches!(before, ' ' | '[' | ',' | '{' | ':' | '-') => quote = Some(c),
            (Some(q), c) if q == c && before != '\\' => quote = None,
            (None, '#') if before == ' ' || i == 0 => return line.get(..i).unwrap_or_default(),
            _ => {}
        }
        before = c;
    }
    line
}

const DEEPEST: usize = 32;

fn block(lines: &[Line<'_>], at: &mut usize, indent: usize, depth: usize) -> Result<Json, String> {
    let Some(first) = lines.get(*at).filter(|l| l.indent >= indent) else { return Ok(Json::Null) };
    if depth > DEEPEST {
        return Err(format!("line {}: nested more than {DEEPEST} deep", first.number));
    }
    let indent = first.indent;
    if first.text == "-" || first.text.starts_with("- ") {
        let mut items = Vec::new();
        while let Some(l) = lines.get(*at).filter(|l| l.indent == indent && (l.text == "-" || l.text.starts_with("- ")))
        {
            *at += 1;
            let rest = l.text.get(1..).unwrap_or_default().trim();
            if rest.is_empty() {
                items.push(block(lines, at, indent + 1, depth + 1)?);
            } else if key(rest).is_some() {
                return Err(format!("line {}: a map inside a list is not part of a mute list", l.number));
            } else {
                items.push(value(rest, l.number)?);
            }
        }
        return Ok(items.into());
    }
    let mut map = Map::new();
    while let Some(l) = lines.get(*at).filter(|l| l.indent == indent) {
        let Some((name, rest)) = key(l.text) else {
            return Err(format!("line {}: `{}` is not `key: value`", l.number, l.text));
        };
        *at += 1;
        let inner = if rest.is_empty() {
            // A list may stand at the indent of its key.
            let list =
                lines.get(*at).is_some_and(|n| n.indent == indent && (n.text == "-" || n.text.starts_with("- ")));
            block(lines, at, if list { indent } else { indent + 1 }, depth + 1)?
        } else {
            value(rest, l.number)?
        };
        if map.insert(name.clone(), inner).is_some() {
            return Err(format!("line {}: `{name}` is there twice", l.number));
        }
    }
    Ok(map.into())
}

/// Splits `key: value`; the key may be quoted.
fn key(text: &str) -> Option<(String, &str)> {
    let (name, rest) = if text.starts_with(['"', '\'']) {
        let quote = text.chars().next()?;
        let end = text.get(1..)?.find(quote)? + 1;
        (text.get(1..end)?, text.get(end + 1..)?)
    } else {
        let end = text.find(": ").or_else(|| text.ends_with(':').then(|| text.len() - 1))?;
        if text.starts_with(['[', '{']) {
            return None;
        }
        (text.get(..end)?, text.get(end..)?)
    };
    Some((name.to_owned(), rest.strip_prefix(':')?.trim()))
}

fn value(text: &str, line: usize) -> Result<Json, String> {
    if let Some(c) = text.chars().next().filter(|c| matches!(c, '&' | '!' | '|' | '>' | '@' | '`' | '%')) {
        return Err(format!(
            "line {line}: `{c}` is a part of YAML that mute lists are not read with; write plain text or quotes"
        ));
    }
    // `*` alone is what everybody writes for "all", though YAML takes it for an alias.
    if text.starts_with('*') && text != "*" && !text.contains(['.', '-', '/']) {
        return Err(format!("line {line}: quote `{text}`; unquoted it is an alias"));
    }
    let unclosed = || format!("line {line}: `{text}` is not closed on its line");
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(unclosed)?;
        return split(inner, line)?.into_iter().map(|i| value(i, line)).collect::<Result<Vec<_>, _>>().map(Json::from);
    }
    if text == "{}" {
        return Ok(Map::new().into());
    }
    if text.starts_with('{') {
        return Err(format!("line {line}: write maps in block form, one key a line"));
    }
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            let inner = inner.strip_suffix(quote).ok_or_else(unclosed)?;
            let plain =
                if quote == '"' { inner.replace("\\\"", "\"").replace("\\\\", "\\") } else { inner.replace("''", "'") };
            return Ok(plain.into());
        }
    }
    Ok(if matches!(text, "null" | "~") { Json::Null } else { text.into() })
}

fn split(inner: &str, line: usize) -> Result<Vec<&str>, String> {
    let (mut out, mut from, mut quote) = (Vec::new(), 0, None);
    for (i, c) in inner.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            (None, '[' | '{') => return Err(format!("line {line}: a list inside a list is not part of a mute list")),
            (None, ',') => {
                out.push(inner.get(from..i).unwrap_or_default().trim());
                from = i + 1;
            }
            _ => {}
        }
    }
    out.push(inner.get(from..).unwrap_or_default().trim());
    out.retain(|s| !s.is_empty());
    Ok(out)
}
