//! YAML for `yamldecode` and `yamlencode`.

use super::functions::Out;
use crate::source::Span;
use crate::value::{Data, Members, Val};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use std::sync::Arc;

/// Reads one YAML document.
pub(super) fn decode(text: &str, span: Span) -> Out {
    let documents = Yaml::load_from_str(text).map_err(|e| format!("the text is not YAML: {e}"))?;
    match documents.as_slice() {
        [] => Ok(Val::null(span)),
        [one] => value(one, span, 0),
        _ => Err("one YAML document was expected".into()),
    }
}

fn value(node: &Yaml<'_>, span: Span, depth: u32) -> Out {
    if depth > 96 {
        return Err("the document is nested too deep".into());
    }
    Ok(match node {
        Yaml::Value(scalar) => match scalar {
            Scalar::Null => Val::null(span),
            Scalar::Boolean(b) => Val::bool(*b, span),
            Scalar::Integer(i) => Val::int(*i, span),
            Scalar::FloatingPoint(f) => Val::num(f.into_inner(), span),
            Scalar::String(s) => Val::str(&**s, span),
        },
        Yaml::Sequence(items) => {
            let items = items.iter().map(|v| value(v, span, depth + 1)).collect::<Result<Vec<_>, _>>()?;
            Val::list(items, span)
        }
        Yaml::Mapping(entries) => {
            let mut members = Members::new();
            for (key, item) in entries.iter() {
                let key = super::types::to_string(&value(key, span, depth + 1)?);
                let Some(key) = key.as_ref().and_then(Val::as_str) else { return Err("keys must be text".into()) };
                members.insert(key.into(), value(item, span, depth + 1)?);
            }
            Val::map(members, span)
        }
        Yaml::Tagged(_, inner) => value(inner, span, depth + 1)?,
        _ => return Err("the document uses YAML that is not supported (aliases)".into()),
    })
}

/// Writes YAML as Terraform does: block style, texts and keys in double quotes.
pub(super) fn encode(val: &Val) -> String {
    let mut out = String::new();
    match &val.data {
        Data::Map(m) if !m.is_empty() => write(val, &mut out, 0),
        Data::List(l) | Data::Set(l) if !l.is_empty() => write(val, &mut out, 0),
        _ => {
            inline(val, &mut out);
            out.push('\n');
        }
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
                    inline(item, out);
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
                    inline(item, out);
                    out.push('\n');
                }
            }
        }
        _ => inline(val, out),
    }
}

fn inline(val: &Val, out: &mut String) {
    match &val.data {
        Data::Map(_) => out.push_str("{}"),
        Data::List(_) | Data::Set(_) => out.push_str("[]"),
        _ => match val.as_str() {
            Some(text) if text.contains('\n') => block(text, out),
            Some(text) => quote(text, out),
            None => out.push_str(&val.describe()),
        },
    }
}

fn block(text: &str, out: &mut String) {
    quote(text, out);
}

fn quote(text: &str, out: &mut String) {
    let json = serde_json::Value::String(text.to_owned());
    out.push_str(&Arc::<str>::from(json.to_string()));
}
