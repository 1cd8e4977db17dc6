//! The optionals extension.

use super::{Table, wrong};
use crate::{Context, Val, ops};

pub(crate) const TABLE: Table = &[
    ("optional.none() -> optional(T)", none),
    ("optional.of(T) -> optional(T)", of),
    ("optional.ofNonZeroValue(T) -> optional(T)", of_non_zero_value),
    ("optional(T).hasValue() -> bool", has_value),
    ("optional(T).value() -> T", value),
    ("optional(T).or(optional(T)) -> optional(T)", or),
    ("optional(T).orValue(T) -> T", or_value),
    ("optional.unwrap(list(optional(T))) -> list(T)", unwrap),
    ("list(optional(T)).unwrapOpt() -> list(T)", unwrap),
];

fn none<'a>(_: &mut Context, _: &[Val<'a>]) -> Val<'a> {
    Val::Optional(None)
}

fn of<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [value] => Val::some(value.clone()),
        _ => wrong(args),
    }
}

fn of_non_zero_value<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [value] if ops::is_zero(value) => Val::Optional(None),
        [value] => Val::some(value.clone()),
        _ => wrong(args),
    }
}

fn has_value<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Optional(inner)] => Val::Bool(inner.is_some()),
        _ => wrong(args),
    }
}

fn value<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Optional(Some(inner))] => (**inner).clone(),
        [Val::Optional(None)] => Val::invalid("optional.none() dereference"),
        _ => wrong(args),
    }
}

fn or<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Optional(Some(inner)), _] => Val::Optional(Some(inner.clone())),
        [Val::Optional(None), other @ Val::Optional(_)] => other.clone(),
        _ => wrong(args),
    }
}

fn or_value<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Optional(Some(inner)), _] => (**inner).clone(),
        [Val::Optional(None), other] => other.clone(),
        _ => wrong(args),
    }
}

fn unwrap<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let [Val::List(list)] = args else { return wrong(args) };
    if let Some(rest) = list.rest() {
        return Val::Unknown(rest.clone());
    }
    if let Err(error) = cx.allow(list.len()) {
        return error.into();
    }
    let mut values = Vec::new();
    for item in list.iter() {
        match item {
            Val::Optional(inner) => values.extend(inner.map(|v| (*v).clone())),
            Val::Unknown(u) => return Val::Unknown(u),
            other => return wrong(&[other]),
        }
    }
    Val::list(values)
}
