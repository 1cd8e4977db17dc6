//! Following a kind's paths through evaluated code.

use crate::source::Span;
use crate::value::{Data, Val};
use plumb_catalog::{Path, Step};

/// Follows a path. Absent gives null; what is not known on the way is the answer. Blocks are lists, so a list of one is
/// looked through, and `[0]` of a single object is that object. `folded` compares names without regard to case (ARM).
pub(crate) fn find(val: &Val, path: &Path, folded: bool) -> Val {
    walk(val, path.steps(), folded)
}

fn absent(rest: &[Step], span: Span) -> Val {
    if many(rest) { Val::list(Vec::new(), span) } else { Val::null(span) }
}

fn many(steps: &[Step]) -> bool {
    steps.iter().any(|s| matches!(s, Step::Each | Step::Values))
}

fn gather<'a>(items: impl Iterator<Item = &'a Val>, rest: &[Step], folded: bool, span: Span) -> Val {
    let nested = many(rest);
    let mut out = Vec::new();
    for item in items {
        let found = walk(item, rest, folded);
        match &found.data {
            Data::Null => {}
            Data::List(inner) | Data::Set(inner) if nested => out.extend(inner.iter().cloned()),
            _ => out.push(found),
        }
    }
    let span = out.first().map_or(span, |v| v.span);
    Val::list(out, span)
}

fn walk(val: &Val, steps: &[Step], folded: bool) -> Val {
    let Some((step, rest)) = steps.split_first() else { return val.clone() };
    match &val.data {
        Data::Doc(doc) => return walk(&doc.value, steps, folded),
        Data::Unknown(_) | Data::Ref(_) | Data::Partial(_) => return val.clone(),
        _ => {}
    }
    match step {
        Step::Member(name) => match &val.data {
            Data::Map(members) => {
                let hit = members.get(&**name).or_else(|| {
                    let same = |k: &&std::sync::Arc<str>| folded && k.eq_ignore_ascii_case(name);
                    members.iter().find(|(k, _)| same(k)).map(|(_, v)| v)
                });
                hit.map_or_else(|| absent(rest, val.span), |inner| walk(inner, rest, folded))
            }
            Data::List(items) | Data::Set(items) => match items.as_slice() {
                [one] => walk(one, steps, folded),
                _ => absent(rest, val.span),
            },
            _ => absent(rest, val.span),
        },
        Step::Index(at) => match &val.data {
            Data::List(items) | Data::Set(items) => {
                items.get(*at).map_or_else(|| absent(rest, val.span), |inner| walk(inner, rest, folded))
            }
            Data::Map(_) if *at == 0 => walk(val, rest, folded),
            _ => absent(rest, val.span),
        },
        Step::Where(key, want) => {
            let items = val.as_list().unwrap_or_default();
            let hit = items.iter().find(|i| i.get(key).and_then(Val::as_str).is_some_and(|s| s == &**want));
            match hit.or_else(|| items.iter().find(|i| i.is_unknown())) {
                Some(inner) => walk(inner, rest, folded),
                None => absent(rest, val.span),
            }
        }
        Step::Each => match &val.data {
            Data::List(items) | Data::Set(items) => gather(items.iter(), rest, folded, val.span),
            Data::Null => Val::list(Vec::new(), val.span),
            _ => gather(std::iter::once(val), rest, folded, val.span),
        },
        Step::Values => match &val.data {
            Data::Map(members) => gather(members.values(), rest, folded, val.span),
            _ => Val::list(Vec::new(), val.span),
        },
    }
}
