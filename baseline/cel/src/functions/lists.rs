//! The lists and sets extensions.

use super::{Table, wrong};
use crate::{Context, List, Val, ops};

pub(crate) const TABLE: Table = &[
    ("list(T).slice(int, int) -> list(T)", slice),
    ("list(list(T)).flatten() -> list(T)", flatten),
    ("list(dyn).flatten(int) -> list(dyn)", flatten),
    ("list(T).sort() -> list(T)", sort),
    ("list(T).distinct() -> list(T)", distinct),
    ("list(T).reverse() -> list(T)", reverse),
    ("list(T).first() -> optional(T)", first),
    ("list(T).last() -> optional(T)", last),
    ("lists.range(int) -> list(int)", range),
    ("sets.contains(list(T), list(T)) -> bool", sets_contains),
    ("sets.intersects(list(T), list(T)) -> bool", sets_intersects),
    ("sets.equivalent(list(T), list(T)) -> bool", sets_equivalent),
];

/// The elements of a list that is known completely; an unknown element is an element.
fn complete<'a>(cx: &mut Context, list: &List<'a>) -> Result<Vec<Val<'a>>, Val<'a>> {
    if let Some(rest) = list.rest() {
        return Err(Val::Unknown(rest.clone()));
    }
    cx.allow(list.len())?;
    Ok(list.iter().collect())
}

/// A function of one list that is known completely, and null is an empty list where absence is harmless.
fn of_list<'a>(
    cx: &mut Context,
    args: &[Val<'a>],
    code: impl FnOnce(&mut Context, Vec<Val<'a>>) -> Val<'a>,
) -> Val<'a> {
    match args.first() {
        Some(Val::List(list)) => match complete(cx, list) {
            Ok(items) => code(cx, items),
            Err(done) => done,
        },
        Some(Val::Null) if cx.absent_is_null => code(cx, Vec::new()),
        _ => wrong(args),
    }
}

fn slice<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let [_, Val::Int(start), Val::Int(end)] = args else { return wrong(args) };
    of_list(cx, args, |_, items| {
        let bounds = usize::try_from(*start).ok().zip(usize::try_from(*end).ok());
        match bounds.and_then(|(start, end)| items.get(start..end)) {
            Some(part) => Val::list(part.to_vec()),
            None => Val::invalid(format!("cannot slice({start}, {end}) a list of {}", items.len())),
        }
    })
}

fn flatten<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let depth = match args {
        [_] => 1,
        [_, Val::Int(depth)] if *depth >= 0 => *depth,
        [_, Val::Int(_)] => return Val::invalid("flatten needs a depth of at least 0"),
        _ => return wrong(args),
    };
    of_list(cx, args, |cx, items| {
        let mut items = items;
        for _ in 0..depth {
            let mut changed = false;
            let mut out = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    Val::List(inner) => {
                        changed = true;
                        match complete(cx, &inner) {
                            Ok(inner) => out.extend(inner),
                            Err(done) => return done,
                        }
                    }
                    Val::Unknown(u) => return Val::Unknown(u),
                    other => out.push(other),
                }
            }
            if let Err(error) = cx.allow(out.len()) {
                return error.into();
            }
            items = out;
            if !changed {
                break;
            }
        }
        Val::list(items)
    })
}

fn sort<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    of_list(cx, args, |cx, items| {
        if let Some(unknown) = items.iter().find(|v| matches!(v, Val::Unknown(_))) {
            return unknown.clone();
        }
        cx.charge(items.len() as u64 * 4);
        match ops::sort(items.iter().cloned().zip(items.iter().cloned()).collect()) {
            Some(sorted) => Val::list(sorted),
            None => wrong(&items),
        }
    })
}

fn distinct<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    of_list(cx, args, |cx, items| {
        let mut kept: Vec<Val<'a>> = Vec::new();
        for item in items {
            let mut seen = false;
            for before in &kept {
                match equal_charged(before, &item, cx) {
                    Val::Bool(true) => {
                        seen = true;
                        break;
                    }
                    Val::Bool(false) => {}
                    undecided => return undecided,
                }
            }
            if !seen {
                kept.push(item);
            }
        }
        Val::list(kept)
    })
}

fn equal_charged<'a>(a: &Val<'a>, b: &Val<'a>, cx: &mut Context) -> Val<'a> {
    if !cx.charge(1) {
        return crate::EvalError::Limit("too many steps").into();
    }
    ops::equal(a, b, cx)
}

fn reverse<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    of_list(cx, args, |_, mut items| {
        items.reverse();
        Val::list(items)
    })
}

fn optional<'a>(item: Option<&Val<'a>>) -> Val<'a> {
    match item {
        Some(Val::Unknown(u)) => Val::Unknown(u.clone()),
        Some(item) => Val::some(item.clone()),
        None => Val::Optional(None),
    }
}

fn first<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    of_list(cx, args, |_, items| optional(items.first()))
}

fn last<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    of_list(cx, args, |_, items| optional(items.last()))
}

fn range<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let [Val::Int(n)] = args else { return wrong(args) };
    let n = (*n).max(0);
    match cx.allow(usize::try_from(n).unwrap_or(usize::MAX)) {
        Ok(()) => Val::list((0..n).map(Val::Int).collect()),
        Err(error) => error.into(),
    }
}

/// Whether every (`all`) or some element of `items` is in `list`.
fn members<'a>(cx: &mut Context, items: &List<'a>, list: &List<'a>, all: bool) -> Val<'a> {
    let whole = Val::List(list.clone());
    let mut undecided: Option<Val<'a>> = items.rest().map(|rest| Val::Unknown(rest.clone()));
    for item in items.iter() {
        match ops::contains(&item, &whole, cx) {
            Val::Bool(found) if found != all => return Val::Bool(found),
            Val::Bool(_) => {}
            Val::Unknown(new) => {
                undecided = Some(match undecided {
                    Some(Val::Unknown(before)) => Val::Unknown(before.merge(new)),
                    _ => Val::Unknown(new),
                });
            }
            error => undecided = undecided.or(Some(error)),
        }
    }
    undecided.unwrap_or(Val::Bool(all))
}

fn sets_contains<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::List(list), Val::List(items)] => members(cx, items, list, true),
        _ => wrong(args),
    }
}

fn sets_intersects<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::List(a), Val::List(b)] => members(cx, a, b, false),
        _ => wrong(args),
    }
}

fn sets_equivalent<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let [Val::List(a), Val::List(b)] = args else { return wrong(args) };
    match (members(cx, a, b, true), members(cx, b, a, true)) {
        (Val::Bool(false), _) | (_, Val::Bool(false)) => Val::Bool(false),
        (Val::Bool(true), other) | (other, _) => other,
    }
}
