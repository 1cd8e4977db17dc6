//! The policy templates of the serverless transform (`S3ReadPolicy: { BucketName: … }`), and the texts with places in
//! them that it writes.

use super::sam::object;
use crate::json;
use crate::source::Span;
use crate::value::{Data, Members, Part, Val, WhyKind};

const TEMPLATES: &str = include_str!("sam_policies.txt");

/// The policy a template stands for, with the parameters it was given; none when there is no such template.
pub(super) fn document(name: &str, given: &Val, span: Span) -> Option<Val> {
    let text = TEMPLATES.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let statements = filled(&json::parse_text(text, span)?, given, span);
    Some(object([("Version", Val::str("2012-10-17", span)), ("Statement", statements)], span))
}

/// The template with its references and texts filled in.
fn filled(val: &Val, given: &Val, span: Span) -> Val {
    match &val.data {
        Data::List(items) => Val::list(items.iter().map(|item| filled(item, given, span)).collect(), span),
        Data::Map(members) => {
            if let Some(name) = members.get("Ref").and_then(Val::as_str) {
                return parameter(name, given, span);
            }
            match members.get("Fn::Sub").map(|sub| &sub.data) {
                Some(Data::Str(text)) => sub(text, &|name| given.get(name).cloned(), span),
                Some(Data::List(parts)) => {
                    let text = parts.first().and_then(Val::as_str).unwrap_or_default();
                    let own = parts.get(1);
                    sub(text, &|name| Some(filled(own?.get(name)?, given, span)), span)
                }
                _ => {
                    let each = members.iter().map(|(key, val)| (key.clone(), filled(val, given, span)));
                    Val::map(each.collect::<Members>(), span)
                }
            }
        }
        _ => val.clone(),
    }
}

fn parameter(name: &str, given: &Val, span: Span) -> Val {
    let missing = || match name.starts_with("AWS::") {
        true => place(name, span),
        false => Val::unknown(WhyKind::Lookup, name, "a parameter of the policy template that was not given", span),
    };
    given.get(name).cloned().unwrap_or_else(missing)
}

/// A text with `${Name}` in it; what `known` does not know is decided by where the stack is deployed.
pub(super) fn sub(text: &str, known: &dyn Fn(&str) -> Option<Val>, span: Span) -> Val {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { break };
        parts.push(Part::Text(before.into()));
        parts.push(Part::Hole(known(name).unwrap_or_else(|| place(name, span))));
        rest = behind;
    }
    parts.push(Part::Text(rest.into()));
    Val::from_parts(parts, span)
}

/// The account the stack is deployed in.
pub(super) fn account(span: Span) -> Val {
    place("AWS::AccountId", span)
}

fn place(name: &str, span: Span) -> Val {
    Val::unknown(WhyKind::Lookup, name, "decided by where the stack is deployed", span)
}
