//! Lists, sets and maps.

use super::{Args, Out};
use crate::terraform::eval::equal;
use crate::terraform::types::{self, set_of, to_bool, to_number, to_string, type_name};
use crate::terraform::unify::{unified, unify};
use crate::value::{Data, Members, Part, Val};
use std::sync::Arc;
use unicode_segmentation::UnicodeSegmentation;

type Open = Result<Option<Val>, String>;

/// How many elements a product may have.
const MAX_PRODUCT: usize = 200_000;

pub(super) fn open(name: &str, args: &Args<'_>) -> Option<Open> {
    Some(match name {
        "length" => length(args),
        "concat" => concat(args),
        "merge" => merge(args),
        "flatten" => flatten_all(args),
        "coalesce" => coalesce(args),
        "coalescelist" => coalescelist(args),
        "lookup" => lookup(args),
        "element" => element(args),
        "keys" => map_of(args, |m, span| Val::list(m.keys().map(|k| Val::str(k.clone(), span)).collect(), span)),
        "values" => map_of(args, |m, span| Val::list(m.values().cloned().collect(), span)),
        "contains" => contains(args),
        "tolist" => convert_list(args, false),
        "toset" => convert_list(args, true),
        "tomap" => convert_map(args),
        "tostring" => args.get(0).and_then(|v| to_string(v).map(Some).ok_or_else(|| cannot(v, "text"))),
        "tonumber" => args.get(0).and_then(|v| to_number(v).map(Some).ok_or_else(|| cannot(v, "a number"))),
        "tobool" => args.get(0).and_then(|v| to_bool(v).map(Some).ok_or_else(|| cannot(v, "true or false"))),
        "zipmap" => zipmap(args),
        "compact" => compact(args),
        "distinct" => distinct(args),
        "one" => one(args),
        "slice" => slice(args),
        "reverse" => list_of(args, |mut l| {
            l.reverse();
            Ok(l)
        }),
        "chunklist" => chunklist(args),
        "setunion" => setunion(args),
        "setproduct" => setproduct(args),
        "sensitive" => args.get(0).map(|v| Some(Val { sensitive: true, ..v.clone() })),
        "nonsensitive" => args.get(0).map(|v| Some(Val { sensitive: false, ..v.clone() })),
        "ephemeralasnull" => args.get(0).map(|v| Some(v.clone())),
        "issensitive" => args.get(0).map(|v| Some(Val::bool(v.sensitive, args.span))),
        "alltrue" => truth(args, false),
        "anytrue" => truth(args, true),
        "startswith" => edge(args, true),
        "endswith" => edge(args, false),
        _ => return None,
    })
}

pub(super) fn strict(name: &str, args: &Args<'_>) -> Option<Out> {
    Some(match name {
        "range" => range(args),
        "sort" => sort(args),
        "index" => index(args),
        "matchkeys" => matchkeys(args),
        "setintersection" => set_with(args, |a, b| b.contains(a)),
        "setsubtract" => set_with(args, |a, b| !b.contains(a)),
        "transpose" => transpose(args),
        _ => return None,
    })
}

fn cannot(val: &Val, wanted: &str) -> String {
    format!("{} cannot become {wanted}", type_name(val))
}

fn closed(val: &Val) -> bool {
    !matches!(val.data, Data::Unknown(_) | Data::Ref(_))
}

fn items(val: &Val) -> Result<Option<&[Val]>, String> {
    match &val.data {
        Data::List(l) | Data::Set(l) => Ok(Some(l)),
        Data::Unknown(_) | Data::Ref(_) => Ok(None),
        _ => Err(format!("a list was expected, found {}", type_name(val))),
    }
}

fn length(args: &Args<'_>) -> Open {
    let val = args.get(0)?;
    let len = match &val.data {
        Data::List(l) => l.len(),
        Data::Set(l) if l.iter().all(Val::is_known) || l.len() < 2 => l.len(),
        Data::Map(m) => m.len(),
        Data::Set(_) | Data::Unknown(_) | Data::Ref(_) | Data::Partial(_) => return Ok(None),
        _ => match val.as_str() {
            Some(text) => text.graphemes(true).count(),
            None if matches!(val.data, Data::Doc(_)) => return Ok(None),
            None => return Err(format!("a list, map or text was expected, found {}", type_name(val))),
        },
    };
    Ok(Some(Val::int(len as i64, args.span)))
}

fn concat(args: &Args<'_>) -> Open {
    let mut out = Vec::new();
    for val in args.all {
        ordered(val)?;
        match items(val)? {
            Some(more) => out.extend_from_slice(more),
            None => return Ok(None),
        }
    }
    Ok(Some(if args.all.iter().all(|v| v.typed) { typed(unify(out), args) } else { Val::list(out, args.span) }))
}

fn merge(args: &Args<'_>) -> Open {
    let mut out = Members::new();
    for val in args.all {
        match &val.data {
            Data::Null => {}
            Data::Map(members) => out.extend(members.iter().map(|(k, v)| (k.clone(), v.clone()))),
            Data::Unknown(_) | Data::Ref(_) => return Ok(None),
            _ => return Err(format!("maps were expected, found {}", type_name(val))),
        }
    }
    Ok(Some(Val::map(out, args.span)))
}

fn flatten_all(args: &Args<'_>) -> Open {
    let Some(list) = items(args.get(0)?)? else { return Ok(None) };
    let mut out = Vec::new();
    if flatten_into(list, &mut out, 0) { Ok(Some(Val::list(out, args.span))) } else { Ok(None) }
}

/// False when an element is not known and might be a list. A resource's single attribute is taken as an element.
fn flatten_into(list: &[Val], out: &mut Vec<Val>, depth: u32) -> bool {
    list.iter().all(|val| match &val.data {
        Data::List(inner) | Data::Set(inner) if depth < 64 => flatten_into(inner, out, depth + 1),
        Data::Unknown(_) => false,
        _ => {
            out.push(val.clone());
            true
        }
    })
}

fn coalesce(args: &Args<'_>) -> Open {
    for val in args.all {
        match &val.data {
            Data::Null => {}
            Data::Str(s) if s.is_empty() => {}
            Data::Unknown(_) => return Ok(None),
            _ => return Ok(Some(beside_all(val, args))),
        }
    }
    Err("all arguments are null or empty".into())
}

/// An argument with the type that all have in common.
fn beside_all(val: &Val, args: &Args<'_>) -> Val {
    let mut all = args.all.to_vec();
    all.push(val.clone());
    unified(&all).and_then(|mut all| all.pop()).unwrap_or_else(|| val.clone())
}

/// A list of one element type.
fn typed(items: Vec<Val>, args: &Args<'_>) -> Val {
    Val { typed: true, ..Val::list(items, args.span) }
}

/// Refuses a set where elements are asked for by their place.
fn ordered(val: &Val) -> Result<(), String> {
    if matches!(val.data, Data::Set(_)) { Err("a list was expected, found a set".into()) } else { Ok(()) }
}

fn coalescelist(args: &Args<'_>) -> Open {
    for val in args.all {
        ordered(val)?;
        match items(val)? {
            Some([]) => {}
            Some(_) => return Ok(Some(val.clone())),
            None => return Ok(None),
        }
    }
    Err("all lists are empty".into())
}

fn lookup(args: &Args<'_>) -> Open {
    let (map, key) = (args.get(0)?, args.get(1)?);
    if !closed(map) || key.is_unknown() {
        return Ok(None);
    }
    let Some(members) = map.as_map() else { return Err(format!("a map was expected, found {}", type_name(map))) };
    let name = args.text(1)?;
    match (members.get(name.as_str()), args.all.get(2)) {
        (Some(found), _) => Ok(Some(found.clone())),
        // A map of texts gives a text.
        (None, Some(default)) if map.typed && members.values().any(|v| v.as_str().is_some()) => {
            Ok(Some(to_string(default).unwrap_or_else(|| default.clone())))
        }
        (None, Some(default)) => Ok(Some(default.clone())),
        (None, None) => Err(format!("the map has no {name:?} and no default is given")),
    }
}

fn element(args: &Args<'_>) -> Open {
    let (list, index) = (args.get(0)?, args.get(1)?);
    ordered(list)?;
    let Some(list) = items(list)? else { return Ok(None) };
    if index.is_unknown() {
        return Ok(None);
    }
    if list.is_empty() {
        return Err("the list is empty".into());
    }
    let at = args.int(1)?;
    Ok(list.get(at.rem_euclid(list.len() as i64) as usize).cloned())
}

fn map_of(args: &Args<'_>, f: impl Fn(&Members, crate::source::Span) -> Val) -> Open {
    let val = args.get(0)?;
    match &val.data {
        Data::Map(members) => Ok(Some(f(members, args.span))),
        Data::Unknown(_) | Data::Ref(_) => Ok(None),
        _ => Err(format!("a map was expected, found {}", type_name(val))),
    }
}

fn list_of(args: &Args<'_>, f: impl FnOnce(Vec<Val>) -> Result<Vec<Val>, String>) -> Open {
    match items(args.get(0)?)? {
        Some(list) => Ok(Some(Val::list(f(list.to_vec())?, args.span))),
        None => Ok(None),
    }
}

fn contains(args: &Args<'_>) -> Open {
    let Some(list) = items(args.get(0)?)? else { return Ok(None) };
    let wanted = args.get(1)?;
    if wanted.is_null() {
        return Err("null cannot be looked for".into());
    }
    let mut open = false;
    for val in list {
        match equal(val, wanted) {
            Some(true) => return Ok(Some(Val::bool(true, args.span))),
            Some(false) => {}
            None => open = true,
        }
    }
    Ok(if open { None } else { Some(Val::bool(false, args.span)) })
}

fn convert_list(args: &Args<'_>, set: bool) -> Open {
    let val = args.get(0)?;
    if val.is_null() {
        return Ok(Some(val.clone()));
    }
    let Some(list) = items(val)? else {
        // A set or list that is not known stays itself: its identity is worth more than its type.
        return Ok(if matches!(val.data, Data::Ref(_)) { Some(val.clone()) } else { None });
    };
    let Some(list) = unified(list) else { return Err("the elements have no type in common".into()) };
    Ok(Some(if set {
        Val { span: args.span, ..set_of(list, val) }
    } else {
        Val { data: Data::List(Arc::new(list)), typed: true, ..val.clone() }
    }))
}

fn convert_map(args: &Args<'_>) -> Open {
    let val = args.get(0)?;
    match &val.data {
        Data::Map(members) => {
            let values: Vec<Val> = members.values().cloned().collect();
            let Some(values) = unified(&values) else { return Err("the elements have no type in common".into()) };
            let members = members.keys().cloned().zip(values).collect();
            Ok(Some(Val { data: Data::Map(Arc::new(members)), typed: true, ..val.clone() }))
        }
        Data::Null => Ok(Some(val.clone())),
        Data::Unknown(_) | Data::Ref(_) => Ok(None),
        _ => Err(cannot(val, "a map")),
    }
}

fn zipmap(args: &Args<'_>) -> Open {
    args.all.iter().try_for_each(ordered)?;
    let (Some(keys), Some(values)) = (items(args.get(0)?)?, items(args.get(1)?)?) else { return Ok(None) };
    if keys.len() != values.len() {
        return Err(format!("there are {} keys and {} values", keys.len(), values.len()));
    }
    let mut out = Members::new();
    for (key, value) in keys.iter().zip(values) {
        match to_string(key) {
            Some(text) if text.as_str().is_some() => {
                out.insert(text.as_str().unwrap_or_default().into(), value.clone());
            }
            Some(text) if !text.is_null() => return Ok(None),
            _ => return Err("keys must be text".into()),
        }
    }
    Ok(Some(Val::map(out, args.span)))
}

fn compact(args: &Args<'_>) -> Open {
    if let Some(list) = items(args.get(0)?)?
        && list.iter().any(|v| matches!(v.data, Data::Unknown(_)))
    {
        return Ok(None);
    }
    let kept = list_of(args, |list| {
        let texts = list.iter().map(|v| to_string(v).ok_or_else(|| cannot(v, "text")));
        let texts: Vec<Val> = texts.collect::<Result<_, _>>()?;
        Ok(texts.into_iter().filter(|v| !v.is_null() && v.as_str() != Some("")).collect())
    })?;
    Ok(kept.map(|list| Val { typed: true, ..list }))
}

fn distinct(args: &Args<'_>) -> Open {
    let Some(list) = items(args.get(0)?)? else { return Ok(None) };
    if list.iter().any(|v| matches!(v.data, Data::Unknown(_))) {
        return Ok(None);
    }
    if list.iter().all(|v| v.as_str().is_some()) {
        let mut seen = std::collections::HashSet::new();
        return list_of(args, |list| {
            Ok(list.into_iter().filter(|v| seen.insert(v.as_str().unwrap_or("").to_owned())).collect())
        });
    }
    let mut out: Vec<Val> = Vec::new();
    for val in unify(list.to_vec()) {
        if out.len() > 5_000 {
            return Err("the list is too long".into());
        }
        if !out.contains(&val) {
            out.push(val);
        }
    }
    Ok(Some(Val::list(out, args.span)))
}

fn one(args: &Args<'_>) -> Open {
    let val = args.get(0)?;
    match items(val)? {
        None => Ok(if matches!(val.data, Data::Ref(_)) { Some(val.clone()) } else { None }),
        Some([]) => Ok(Some(Val::null(args.span))),
        Some([only]) => Ok(Some(only.clone())),
        Some(list) => Err(format!("at most one element was expected, found {}", list.len())),
    }
}

fn slice(args: &Args<'_>) -> Open {
    ordered(args.get(0)?)?;
    let Some(list) = items(args.get(0)?)? else { return Ok(None) };
    if args.all.iter().skip(1).any(Val::is_unknown) {
        return Ok(None);
    }
    let (from, to) = (args.int(1)?, args.int(2)?);
    let part = usize::try_from(from).ok().zip(usize::try_from(to).ok()).and_then(|(a, b)| list.get(a..b));
    match part {
        Some(part) => Ok(Some(Val::list(part.to_vec(), args.span))),
        None => Err(format!("{from} to {to} is not within the list of {}", list.len())),
    }
}

fn chunklist(args: &Args<'_>) -> Open {
    let size = args.int(1)?;
    let span = args.span;
    if size < 0 {
        return Err("the size must not be negative".into());
    }
    list_of(args, |list| {
        let list = unify(list);
        let size = if size == 0 { list.len().max(1) } else { size as usize };
        Ok(list.chunks(size).map(|chunk| Val::list(chunk.to_vec(), span)).collect())
    })
}

fn setunion(args: &Args<'_>) -> Open {
    let mut all = Vec::new();
    for val in args.all {
        match items(val)? {
            Some(list) if list.iter().all(Val::is_known) => all.extend_from_slice(list),
            _ => return Ok(None),
        }
    }
    Ok(Some(set_of(unify(all), &Val::null(args.span))))
}

fn setproduct(args: &Args<'_>) -> Open {
    let mut lists = Vec::new();
    for val in args.all {
        match items(val)? {
            Some(list) => lists.push(unify(list.to_vec())),
            None => return Ok(None),
        }
    }
    let set = args.all.iter().any(|v| matches!(v.data, Data::Set(_)));
    if set {
        // One set makes all of them sets.
        for list in &mut lists {
            let of = set_of(std::mem::take(list), &Val::null(args.span));
            *list = of.as_list().unwrap_or_default().to_vec();
        }
    }
    if lists.len() < 2 {
        return Err("at least two lists were expected".into());
    }
    let size = lists.iter().try_fold(1usize, |size, l| size.checked_mul(l.len()));
    if size.is_none_or(|size| size.saturating_mul(lists.len()) > MAX_PRODUCT) {
        return Err("the product is too large".into());
    }
    let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
    for list in &lists {
        rows = rows.iter().flat_map(|row| list.iter().map(move |v| row.iter().chain([v]).cloned().collect())).collect();
    }
    let rows: Vec<Val> = rows.into_iter().map(|row| Val::list(row, args.span)).collect();
    Ok(Some(if set { Val::new(Data::Set(Arc::new(rows)), args.span) } else { typed(rows, args) }))
}

fn truth(args: &Args<'_>, any: bool) -> Open {
    let Some(list) = items(args.get(0)?)? else { return Ok(None) };
    let mut open = false;
    for val in list {
        match to_bool(val).map(|b| b.as_bool()) {
            Some(Some(b)) if b == any => return Ok(Some(Val::bool(any, args.span))),
            Some(Some(_)) => {}
            Some(None) if val.is_null() => {
                if !any {
                    return Ok(Some(Val::bool(false, args.span)));
                }
            }
            Some(None) => open = true,
            None => return Err(cannot(val, "true or false")),
        }
    }
    Ok(if open { None } else { Some(Val::bool(!any, args.span)) })
}

/// `startswith` and `endswith` of a text with holes: its literal beginning or end may decide.
fn edge(args: &Args<'_>, start: bool) -> Open {
    let (text, part) = (args.get(0)?, args.get(1)?);
    let Data::Partial(parts) = &text.data else {
        let (Some(text), Some(part)) = (to_string(text), to_string(part)) else {
            return Err("texts were expected".into());
        };
        return Ok(match (text.as_str(), part.as_str()) {
            (Some(t), Some(p)) => Some(Val::bool(if start { t.starts_with(p) } else { t.ends_with(p) }, args.span)),
            _ => None,
        });
    };
    let Some(wanted) = part.as_str() else { return Ok(None) };
    let outer = if start { parts.first() } else { parts.last() };
    let Some(Part::Text(literal)) = outer else { return Ok(None) };
    let (holds, could) = if start {
        (literal.starts_with(wanted), wanted.starts_with(&**literal))
    } else {
        (literal.ends_with(wanted), wanted.ends_with(&**literal))
    };
    Ok(if holds || !could { Some(Val::bool(holds, args.span)) } else { None })
}

fn range(args: &Args<'_>) -> Out {
    let (start, limit) = if args.all.len() > 1 { (args.number(0)?, args.number(1)?) } else { (0.0, args.number(0)?) };
    let step = if args.all.len() > 2 {
        args.number(2)?
    } else if limit < start {
        -1.0
    } else {
        1.0
    };
    if step == 0.0 || (step > 0.0 && limit < start) || (step < 0.0 && limit > start) {
        return Err("the step does not lead from the start to the limit".into());
    }
    let mut out = Vec::new();
    let mut at = start;
    while if step > 0.0 { at < limit } else { at > limit } {
        if out.len() >= 1024 {
            return Err("more than 1024 values".into());
        }
        out.push(Val::num(at, args.span));
        at += step;
    }
    Ok(Val::list(out, args.span))
}

fn sort(args: &Args<'_>) -> Out {
    let mut out = args.list(0)?.iter().map(|v| to_string(v).filter(|v| !v.is_null())).collect::<Option<Vec<_>>>();
    match &mut out {
        Some(list) => list.sort_by(types::order),
        None => return Err("a list of texts was expected".into()),
    }
    Ok(Val::list(out.unwrap_or_default(), args.span))
}

fn index(args: &Args<'_>) -> Out {
    let wanted = args.get(1)?;
    ordered(args.get(0)?)?;
    let at = args.list(0)?.iter().position(|v| equal(v, wanted) == Some(true));
    at.map(|i| Val::int(i as i64, args.span)).ok_or_else(|| "the list does not hold the value".into())
}

fn matchkeys(args: &Args<'_>) -> Out {
    let (values, keys, wanted) = (args.list(0)?, args.list(1)?, args.list(2)?);
    if values.len() != keys.len() {
        return Err("the lists of values and keys must be equally long".into());
    }
    if keys.len().saturating_mul(wanted.len()) > 4_000_000 {
        return Err("the lists are too long".into());
    }
    let both = unify(keys.iter().chain(wanted).cloned().collect());
    let (keys, wanted) = both.split_at(keys.len());
    let kept = values.iter().zip(keys).filter(|(_, k)| wanted.contains(k)).map(|(v, _)| v.clone());
    Ok(Val::list(kept.collect(), args.span))
}

fn set_with(args: &Args<'_>, keep: fn(&Val, &[Val]) -> bool) -> Out {
    let mut lists = Vec::new();
    for i in 0..args.all.len() {
        lists.push(args.list(i)?);
    }
    // All sets have one element type.
    let all = unify(lists.iter().flat_map(|l| l.iter().cloned()).collect());
    let mut rest = all.as_slice();
    let mut lists = lists.into_iter().map(|list| {
        let (these, after) = rest.split_at(list.len().min(rest.len()));
        rest = after;
        these
    });
    let mut out = lists.next().unwrap_or_default().to_vec();
    for other in lists {
        if out.len().saturating_mul(other.len()) > 4_000_000 {
            return Err("the sets are too large".into());
        }
        out.retain(|v| keep(v, other));
    }
    Ok(set_of(out, &Val::null(args.span)))
}

fn transpose(args: &Args<'_>) -> Out {
    let Some(members) = args.get(0)?.as_map() else { return Err("a map of lists was expected".into()) };
    let mut out: std::collections::BTreeMap<Arc<str>, Vec<Val>> = Default::default();
    for (key, list) in members {
        for val in list.as_list().ok_or("a map of lists was expected")? {
            let text = to_string(val);
            let name = text.as_ref().and_then(Val::as_str).ok_or("the lists must hold texts")?;
            out.entry(name.into()).or_default().push(Val::str(key.clone(), args.span));
        }
    }
    Ok(Val::map(out.into_iter().map(|(k, v)| (k, Val::list(v, args.span))).collect(), args.span))
}
