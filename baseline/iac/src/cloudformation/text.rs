//! Values as text, and text with holes.

use crate::source::Span;
use crate::value::{Data, Part, Step, Val, WhyKind};

/// The parts of the text a value stands for: known scalars as CloudFormation writes them, everything else a hole.
pub(super) fn parts(val: &Val) -> Vec<Part> {
    match &val.data {
        Data::Partial(parts) => parts.to_vec(),
        _ => match known(val) {
            Some(text) => vec![Part::Text(text.into())],
            None => vec![Part::Hole(val.clone())],
        },
    }
}

/// The text of a known scalar; a list of known scalars is joined with commas, as `Ref` to a list parameter is.
pub(super) fn known(val: &Val) -> Option<String> {
    match &val.data {
        Data::Str(s) => Some(s.to_string()),
        Data::Bool(b) => Some(b.to_string()),
        Data::Int(i) => Some(i.to_string()),
        Data::Num(f) => Some(f.to_string()),
        Data::Doc(d) => d.text.as_ref().map(ToString::to_string),
        Data::List(items) | Data::Set(items) => {
            let texts: Option<Vec<String>> = items.iter().map(known).collect();
            Some(texts?.join(","))
        }
        Data::Null => Some(String::new()),
        Data::Map(_) | Data::Partial(_) | Data::Ref(_) | Data::Unknown(_) => None,
    }
}

/// Joins values into one text value; sensitive when any of them is.
pub(super) fn join<'v>(values: impl IntoIterator<Item = &'v Val>, between: &str, span: Span) -> Val {
    let mut all = Vec::new();
    let mut sensitive = false;
    for (i, value) in values.into_iter().enumerate() {
        if i > 0 && !between.is_empty() {
            all.push(Part::Text(between.into()));
        }
        sensitive |= value.sensitive;
        all.extend(parts(value));
    }
    let mut val = Val::from_parts(all, span);
    val.sensitive |= sensitive;
    dynamic(val)
}

/// Text that holds a dynamic reference (`{{resolve:secretsmanager:…}}`) is not known before deployment; the
/// reference itself stays readable as the unknown's expression, so that a rule can tell it from a secret in clear.
pub(super) fn dynamic(val: Val) -> Val {
    let holds = match &val.data {
        Data::Str(text) => text.contains("{{resolve:"),
        Data::Partial(parts) => parts.iter().any(|p| matches!(p, Part::Text(t) if t.contains("{{resolve:"))),
        _ => false,
    };
    if !holds {
        return val;
    }
    let span = val.span;
    if let Data::Str(text) = &val.data
        && let Some(parts) = split(text, span)
    {
        let mut out = Val::from_parts(parts, span);
        if let Data::Partial(parts) = &out.data
            && let [Part::Hole(only)] = parts.as_slice()
        {
            out = only.clone();
        }
        out.sensitive = val.sensitive;
        return out;
    }
    let mut out = reference(&val.describe(), span);
    out.sensitive = val.sensitive;
    if let Data::Partial(parts) = &val.data {
        for part in parts.iter() {
            if let Part::Hole(hole) = part
                && let Some(edge) = hole.edge()
            {
                out = out.through(Step::Resource(edge.clone()), span);
                break;
            }
        }
    }
    out
}

fn reference(text: &str, span: Span) -> Val {
    let service = text.trim_start_matches("{{resolve:").split(':').next().unwrap_or_default().to_owned();
    let place = match service.as_str() {
        "secretsmanager" => "AWS Secrets Manager",
        "ssm-secure" => "an encrypted Systems Manager parameter",
        _ => "a Systems Manager parameter",
    };
    Val::unknown(
        WhyKind::Lookup,
        text,
        format!("read from {place} at deployment; no value is stored in the template"),
        span,
    )
}

/// Cuts `a{{resolve:…}}b` into text and references.
fn split(text: &str, span: Span) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{resolve:") {
        let (before, from) = rest.split_at(at);
        let end = from.find("}}")? + 2;
        let (token, after) = from.split_at(end);
        if !before.is_empty() {
            parts.push(Part::Text(before.into()));
        }
        parts.push(Part::Hole(reference(token, span)));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.into()));
    }
    Some(parts)
}
