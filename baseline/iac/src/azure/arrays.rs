//! Functions on lists and objects.

use super::deploy::{Deployment, Reader};
use super::eval::{MAX_ITEMS, Scope, bounded, limit, text_of, unclear, wrong};
use super::expr::{Expr, Kind};
use crate::source::Span;
use crate::value::{Data, Members, Val};
use std::rc::Rc;
use std::sync::Arc;

/// Whether two values are equal, as far as it is known: text and keys without regard to case, as templates compare.
pub(crate) fn same(a: &Val, b: &Val) -> Option<bool> {
    match (&a.data, &b.data) {
        (Data::Unknown(_) | Data::Ref(_) | Data::Partial(_), _)
        | (_, Data::Unknown(_) | Data::Ref(_) | Data::Partial(_)) => {
            let open = a.is_unknown() && b.is_unknown();
            if open && a == b {
                return Some(true);
            }
            // A resource is never null.
            if matches!(a.data, Data::Ref(_) | Data::Partial(_)) && b.is_null()
                || matches!(b.data, Data::Ref(_) | Data::Partial(_)) && a.is_null()
            {
                return Some(false);
            }
            None
        }
        (Data::List(x), Data::List(y)) => {
            if x.len() != y.len() {
                return Some(false);
            }
            all(x.iter().zip(y.iter()).map(|(a, b)| same(a, b)))
        }
        (Data::Map(x), Data::Map(y)) => {
            if x.len() != y.len() || x.keys().any(|k| !y.contains_key(k)) {
                return Some(false);
            }
            all(x.iter().map(|(k, a)| y.get(k).map_or(Some(false), |b| same(a, b))))
        }
        _ => Some(a == b),
    }
}

fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut out = Some(true);
    for answer in answers {
        match answer {
            Some(false) => return Some(false),
            None => out = None,
            Some(true) => {}
        }
    }
    out
}

/// A list or object function by its name in lower case, or none when it is not one.
pub(crate) fn apply(name: &str, args: &[Val], span: Span) -> Option<Val> {
    Some(match (name, args) {
        ("array", [one]) => match &one.data {
            Data::List(_) => one.clone(),
            _ => Val::list(vec![one.clone()], span),
        },
        ("createarray", items) => Val::list(items.to_vec(), span),
        ("createobject", pairs) => {
            let mut out = Members::new();
            for pair in pairs.chunks(2) {
                if let [key, value] = pair {
                    out.insert(key.describe().into(), value.clone());
                }
            }
            Val::map(out, span)
        }
        ("length", [one]) => match &one.data {
            Data::List(items) => count(items.len(), span),
            Data::Map(members) => count(members.len(), span),
            Data::Str(text) => count(text.chars().count(), span),
            Data::Null => Val::int(0, span),
            _ => unclear("length", one, span),
        },
        ("empty", [one]) => match &one.data {
            Data::List(items) => Val::bool(items.is_empty(), span),
            Data::Map(members) => Val::bool(members.is_empty(), span),
            Data::Str(text) => Val::bool(text.is_empty(), span),
            Data::Null => Val::bool(true, span),
            // Text with a known part is not empty, and neither is a resource's name or id.
            Data::Partial(_) | Data::Ref(_) => Val::bool(false, span),
            _ => unclear("empty", one, span),
        },
        ("contains", [of, what]) => contains(of, what, span),
        ("first" | "last", [one]) => match &one.data {
            Data::List(items) => {
                let item = if name == "first" { items.first() } else { items.last() };
                item.cloned().unwrap_or_else(|| Val::null(span))
            }
            Data::Str(text) => {
                let c = if name == "first" { text.chars().next() } else { text.chars().next_back() };
                Val::str(c.map(String::from).unwrap_or_default(), span)
            }
            _ => unclear(name, one, span),
        },
        ("skip" | "take", [of, n]) => {
            let Some(n) = n.as_int() else { return Some(unclear(name, n, span)) };
            let n = usize::try_from(n.max(0)).unwrap_or(usize::MAX);
            match &of.data {
                Data::List(items) => {
                    let n = n.min(items.len());
                    let (head, tail) = items.split_at(n);
                    Val::list(if name == "take" { head } else { tail }.to_vec(), span)
                }
                Data::Str(text) if name == "take" => Val::str(text.chars().take(n).collect::<String>(), span),
                Data::Str(text) => Val::str(text.chars().skip(n).collect::<String>(), span),
                _ => unclear(name, of, span),
            }
        }
        ("union", all) => union(all, span),
        ("intersection", [first, rest @ ..]) => {
            let mut out = first.clone();
            for other in rest {
                out = match (&out.data, &other.data) {
                    (Data::List(a), Data::List(b)) => {
                        let mut kept = Vec::new();
                        for item in a.iter() {
                            if b.iter().any(|x| same(x, item) == Some(true)) && !kept.contains(item) {
                                kept.push(item.clone());
                            }
                        }
                        Val::list(kept, span)
                    }
                    (Data::Map(a), Data::Map(b)) => {
                        let kept = a.iter().filter(|(k, v)| b.get(*k).is_some_and(|x| same(x, v) == Some(true)));
                        Val::map(kept.map(|(k, v)| (k.clone(), v.clone())).collect(), span)
                    }
                    _ => return Some(unclear("intersection", if out.is_unknown() { &out } else { other }, span)),
                };
            }
            out
        }
        ("flatten", [list]) => match &list.data {
            Data::List(items) => {
                let mut out = Vec::new();
                for item in items.iter() {
                    match &item.data {
                        Data::List(inner) => out.extend(inner.iter().cloned()),
                        _ if item.is_unknown() => return Some(unclear("flatten", item, span)),
                        _ => out.push(item.clone()),
                    }
                    if out.len() > MAX_ITEMS {
                        return Some(limit("flatten", span));
                    }
                }
                Val::list(out, span)
            }
            _ => unclear("flatten", list, span),
        },
        ("distinct", [list]) => match &list.data {
            Data::List(items) if items.len() <= 2_000 => {
                let mut out: Vec<Val> = Vec::new();
                for item in items.iter() {
                    if !out.iter().any(|x| same(x, item) == Some(true)) {
                        out.push(item.clone());
                    }
                }
                Val::list(out, span)
            }
            _ => unclear("distinct", list, span),
        },
        ("items", [object]) => match &object.data {
            Data::Map(members) => Val::list(
                members
                    .iter()
                    .map(|(k, v)| {
                        let key = (Arc::from("key"), Val::str(k.clone(), v.span));
                        Val::map([key, (Arc::from("value"), v.clone())].into(), v.span)
                    })
                    .collect(),
                span,
            ),
            Data::Null => Val::list(Vec::new(), span),
            _ => unclear("items", object, span),
        },
        ("objectkeys", [object]) => match &object.data {
            Data::Map(members) => Val::list(members.iter().map(|(k, v)| Val::str(k.clone(), v.span)).collect(), span),
            _ => unclear("objectKeys", object, span),
        },
        ("shallowmerge", [list]) => match &list.data {
            Data::List(items) => {
                let mut out = Members::new();
                for item in items.iter() {
                    match &item.data {
                        Data::Map(members) => out.extend(members.iter().map(|(k, v)| (k.clone(), v.clone()))),
                        _ => return Some(unclear("shallowMerge", item, span)),
                    }
                }
                Val::map(out, span)
            }
            _ => unclear("shallowMerge", list, span),
        },
        ("indexof" | "lastindexof", [of, what]) if of.as_list().is_some() => {
            let items = of.as_list().unwrap_or_default();
            let found = if name == "indexof" {
                items.iter().position(|x| same(x, what) == Some(true))
            } else {
                items.iter().rposition(|x| same(x, what) == Some(true))
            };
            Val::int(found.and_then(|i| i64::try_from(i).ok()).unwrap_or(-1), span)
        }
        ("concat", args) if args.iter().any(|a| matches!(a.data, Data::List(_))) => {
            let mut out = Vec::new();
            for arg in args {
                match &arg.data {
                    Data::List(items) if out.len() + items.len() <= MAX_ITEMS => out.extend(items.iter().cloned()),
                    Data::List(_) => return Some(limit("concat", span)),
                    _ => return Some(unclear("concat", arg, span)),
                }
            }
            Val::list(out, span)
        }
        _ => return None,
    })
}

fn count(n: usize, span: Span) -> Val {
    Val::int(i64::try_from(n).unwrap_or(i64::MAX), span)
}

fn contains(of: &Val, what: &Val, span: Span) -> Val {
    match &of.data {
        Data::Map(members) => match text_of(what) {
            Some(key) => Val::bool(members.keys().any(|k| k.eq_ignore_ascii_case(&key)), span),
            None => unclear("contains", what, span),
        },
        Data::List(items) => {
            let answers: Vec<Option<bool>> = items.iter().map(|x| same(x, what)).collect();
            if answers.contains(&Some(true)) {
                Val::bool(true, span)
            } else if answers.contains(&None) {
                let unknown = items.iter().find(|x| x.is_unknown()).unwrap_or(what);
                unclear("contains", unknown, span)
            } else {
                Val::bool(false, span)
            }
        }
        Data::Str(text) => match text_of(what) {
            Some(part) => Val::bool(text.contains(&part), span),
            None => unclear("contains", what, span),
        },
        Data::Null => Val::bool(false, span),
        _ => unclear("contains", of, span),
    }
}

/// Lists without duplicates; objects merged deeply, the later winning.
fn union(args: &[Val], span: Span) -> Val {
    if let Some(unknown) = args.iter().find(|a| a.is_unknown()) {
        return unclear("union", unknown, span);
    }
    if args.iter().any(|a| matches!(a.data, Data::List(_))) {
        let mut out: Vec<Val> = Vec::new();
        for item in args.iter().filter_map(Val::as_list).flatten() {
            if !out.iter().any(|x| same(x, item) == Some(true)) {
                out.push(item.clone());
            }
            if out.len() > 2_000 {
                return limit("union", span);
            }
        }
        return Val::list(out, span);
    }
    let mut out = Val::map(Members::new(), span);
    for arg in args {
        out = merge(&out, arg, 0);
    }
    bounded(out, "union")
}

fn merge(a: &Val, b: &Val, depth: usize) -> Val {
    match (&a.data, &b.data) {
        (Data::Map(x), Data::Map(y)) if depth < 64 => {
            let mut out: Members = (**x).clone();
            for (key, val) in y.iter() {
                let merged = match x.get(key) {
                    Some(old) => merge(old, val, depth + 1),
                    None => val.clone(),
                };
                out.insert(key.clone(), merged);
            }
            Val::map(out, b.span)
        }
        (Data::Map(_), Data::Null) if depth == 0 => a.clone(),
        _ => b.clone(),
    }
}

/// A lambda's parameters and body: written with `=>`, or ARM's `lambda('x', …)`.
fn lambda(expr: &Expr) -> Option<(&[Rc<str>], &Expr)> {
    if let Kind::Lambda(names, body) = &expr.kind { Some((names, body)) } else { None }
}

/// Functions that take a lambda.
pub(crate) fn with_lambda(
    reader: &mut Reader<'_>,
    d: &Rc<Deployment>,
    env: Scope<'_>,
    name: &str,
    list: &Expr,
    rest: &[Expr],
    span: Span,
) -> Val {
    let of = reader.eval(d, env, list);
    let Some((function, more)) = (match name {
        "reduce" => rest.split_last(),
        _ => rest.split_first(),
    }) else {
        return wrong(name, "a lambda is missing", span);
    };
    let Some((names, body)) = lambda(function) else { return wrong(name, "a lambda is missing", span) };
    if name == "mapvalues" {
        let Some(members) = of.as_map() else { return unclear(name, &of, span) };
        let mut out = Members::new();
        for (key, val) in members {
            let made = reader.with_names(names, std::slice::from_ref(val), env, |r, env| r.eval(d, env, body));
            out.insert(key.clone(), made);
        }
        return Val::map(out, span);
    }
    let items = match &of.data {
        Data::List(items) => items.clone(),
        Data::Null => Arc::new(Vec::new()),
        _ => return unclear(name, &of, span),
    };
    let run =
        |reader: &mut Reader<'_>, vals: &[Val]| reader.with_names(names, vals, env, |r, env| r.eval(d, env, body));
    let at = |i: usize| Val::int(i64::try_from(i).unwrap_or(i64::MAX), span);
    match name {
        "map" => {
            let mut out = Vec::with_capacity(items.len());
            for (i, item) in items.iter().enumerate() {
                out.push(run(reader, &[item.clone(), at(i)]));
            }
            bounded(Val::list(out, span), "map")
        }
        "filter" => {
            let mut out = Vec::new();
            for (i, item) in items.iter().enumerate() {
                let keep = run(reader, &[item.clone(), at(i)]);
                match keep.as_bool() {
                    Some(true) => out.push(item.clone()),
                    Some(false) => {}
                    None => return unclear("filter", &keep, span),
                }
            }
            Val::list(out, span)
        }
        "reduce" => {
            let Some(first) = more.first() else { return wrong("reduce", "a first value is missing", span) };
            let mut sum = reader.eval(d, env, first);
            for (i, item) in items.iter().enumerate() {
                sum = bounded(run(reader, &[sum, item.clone(), at(i)]), "reduce");
            }
            sum
        }
        "toobject" | "groupby" => {
            let value = more.first().and_then(lambda);
            let mut out = Members::new();
            for item in items.iter() {
                let key = run(reader, std::slice::from_ref(item));
                let Some(key) = text_of(&key) else { return unclear(name, &key, span) };
                let val = match value {
                    Some((names, body)) => {
                        reader.with_names(names, std::slice::from_ref(item), env, |r, env| r.eval(d, env, body))
                    }
                    None => item.clone(),
                };
                if name == "toobject" {
                    out.insert(key.into(), val);
                } else if let Data::List(group) =
                    &mut out.entry(key.into()).or_insert_with(|| Val::list(Vec::new(), span)).data
                {
                    Arc::make_mut(group).push(val);
                }
            }
            Val::map(out, span)
        }
        _ => sort(reader, &items, &run, span),
    }
}

fn sort(reader: &mut Reader<'_>, items: &[Val], less: &dyn Fn(&mut Reader<'_>, &[Val]) -> Val, span: Span) -> Val {
    // An insertion by the author's own order: it may be inconsistent, so no sort of the library is trusted with it.
    if items.len() > 400 {
        return limit("sort", span);
    }
    let mut out: Vec<Val> = Vec::with_capacity(items.len());
    for item in items {
        let mut at = out.len();
        while let Some(before) = at.checked_sub(1).and_then(|i| out.get(i)) {
            let smaller = less(reader, &[item.clone(), before.clone()]);
            match smaller.as_bool() {
                Some(true) => at -= 1,
                Some(false) => break,
                None => return unclear("sort", &smaller, span),
            }
        }
        out.insert(at, item.clone());
    }
    Val::list(out, span)
}
