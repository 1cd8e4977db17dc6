//! Operators on values: equality, order, membership, arithmetic.

use crate::{Context, EvalError, List, MapVal, Val, ast::BinaryOp, node::Call};
use plumb_model::Time;
use std::{borrow::Borrow, cmp::Ordering};

/// A value as a message shows it.
pub(crate) fn show(value: &Val<'_>) -> String {
    match value {
        // Most texts are written as they are, between quotes.
        Val::Str(text) if text.bytes().all(|b| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\')) => {
            let mut quoted = String::with_capacity(text.len() + 2);
            quoted.push('"');
            quoted.push_str(text);
            quoted.push('"');
            quoted
        }
        Val::Str(text) => format!("{:?}", &**text),
        Val::Bool(truth) => truth.to_string(),
        Val::Int(number) => number.to_string(),
        Val::Uint(u) => format!("{u}u"),
        other => other.to_value().to_plain_json().to_string(),
    }
}

/// Equality: true, false, unknown (when only unknown parts are left to compare), or a limit exceeded.
#[inline]
pub(crate) fn equal<'a>(a: &Val<'a>, b: &Val<'a>, cx: &mut Context) -> Val<'a> {
    match (a, b) {
        (Val::Str(a), Val::Str(b)) => {
            // Texts of different lengths differ without a look at them.
            Val::Bool(a.len() == b.len() && cx.charge_bytes(a.len()) && **a == **b)
        }
        (Val::Int(a), Val::Int(b)) => Val::Bool(a == b),
        (Val::Bool(a), Val::Bool(b)) => Val::Bool(a == b),
        (Val::Null, Val::Null) => Val::Bool(true),
        _ => equal_rest(a, b, cx),
    }
}

fn equal_rest<'a>(a: &Val<'a>, b: &Val<'a>, cx: &mut Context) -> Val<'a> {
    if !cx.charge(1) {
        return EvalError::Limit("too many steps").into();
    }
    Val::Bool(match (a, b) {
        (Val::Unknown(a), Val::Unknown(b)) => return Val::Unknown(a.clone().merge(b.clone())),
        (Val::Unknown(u), Val::Str(text)) | (Val::Str(text), Val::Unknown(u))
            if u.ends().is_some_and(|ends| ends.differs(text)) =>
        {
            false
        }
        // A text known in part is a text.
        (Val::Unknown(u), Val::Null) | (Val::Null, Val::Unknown(u)) if u.ends().is_some() => false,
        (Val::Unknown(u), _) | (_, Val::Unknown(u)) => return Val::Unknown(u.clone().whole()),
        (error @ Val::Error(_), _) | (_, error @ Val::Error(_)) => return error.clone(),
        (Val::Int(_) | Val::Uint(_) | Val::Double(_), Val::Int(_) | Val::Uint(_) | Val::Double(_)) => {
            number_order(a, b) == Some(Ordering::Equal)
        }
        (Val::Bytes(a), Val::Bytes(b)) => a == b,
        (Val::Time(a), Val::Time(b)) => a == b,
        (Val::Duration(a), Val::Duration(b)) => a == b,
        (Val::Type(a), Val::Type(b)) => **a == **b,
        (Val::Ip(a), Val::Ip(b)) => a == b,
        (Val::Cidr(a), Val::Cidr(b)) => a == b,
        (Val::Object(a), Val::Object(b)) => a.identity() == b.identity(),
        (Val::Optional(None), Val::Optional(None)) => true,
        (Val::Optional(Some(a)), Val::Optional(Some(b))) => return equal(a, b, cx),
        (Val::List(a), Val::List(b)) => return equal_lists(a, b, cx),
        (Val::Map(a), Val::Map(b)) => return equal_maps(a, b, cx),
        _ => false,
    })
}

fn equal_lists<'a>(a: &List<'a>, b: &List<'a>, cx: &mut Context) -> Val<'a> {
    if let Some(rest) = a.rest().or(b.rest()) {
        return Val::Unknown(rest.clone());
    }
    if a.len() != b.len() {
        return Val::Bool(false);
    }
    all_equal(a.iter().zip(b.iter()), cx)
}

fn equal_maps<'a>(a: &MapVal<'a>, b: &MapVal<'a>, cx: &mut Context) -> Val<'a> {
    if a.len() != b.len() {
        return Val::Bool(false);
    }
    let mut pairs = Vec::with_capacity(a.len());
    for (key, value) in a.entries() {
        match b.get(&key) {
            Some(other) => pairs.push((value, other)),
            None => return Val::Bool(false),
        }
    }
    all_equal(pairs.into_iter(), cx)
}

fn all_equal<'a>(pairs: impl Iterator<Item = (Val<'a>, Val<'a>)>, cx: &mut Context) -> Val<'a> {
    let mut result = Val::Bool(true);
    for (a, b) in pairs {
        if !cx.charge(1) {
            return EvalError::Limit("too many steps").into();
        }
        match (equal(&a, &b, cx), &result) {
            (Val::Bool(true), _) => {}
            (Val::Bool(false), _) => return Val::Bool(false),
            (Val::Unknown(new), Val::Unknown(before)) => result = Val::Unknown(before.clone().merge(new)),
            (other, Val::Bool(_)) => result = other,
            _ => {}
        }
    }
    result
}

/// The order of two numbers of any type; none when one is not a number.
pub(crate) fn number_order(a: &Val<'_>, b: &Val<'_>) -> Option<Ordering> {
    let whole = |v: &Val<'_>| match v {
        Val::Int(i) => Some(i128::from(*i)),
        Val::Uint(u) => Some(i128::from(*u)),
        _ => None,
    };
    // Against a double, a whole number is compared as the double nearest to it: CEL's rule.
    match (a, b) {
        (Val::Double(a), Val::Double(b)) => a.partial_cmp(b),
        (Val::Double(d), w) => d.partial_cmp(&(whole(w)? as f64)),
        (w, Val::Double(d)) => (whole(w)? as f64).partial_cmp(d),
        _ => Some(whole(a)?.cmp(&whole(b)?)),
    }
}

/// The order of two values of one ordered type.
pub(crate) fn order(a: &Val<'_>, b: &Val<'_>) -> Option<Ordering> {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
        (Val::Str(a), Val::Str(b)) => Some((**a).cmp(&**b)),
        (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
        (Val::Bytes(a), Val::Bytes(b)) => Some(a.cmp(b)),
        (Val::Time(a), Val::Time(b)) => Some(a.cmp(b)),
        (Val::Duration(a), Val::Duration(b)) => Some(a.cmp(b)),
        _ => number_order(a, b),
    }
}

pub(crate) fn compare<'a>(op: BinaryOp, a: &Val<'a>, b: &Val<'a>) -> Val<'a> {
    let Some(order) = order(a, b) else {
        let numbers = |v: &Val<'_>| matches!(v, Val::Int(_) | Val::Uint(_) | Val::Double(_));
        // Only NaN has no place among numbers.
        return if numbers(a) && numbers(b) {
            Val::Bool(false)
        } else {
            Val::no_overload(op.symbol(), &[a.clone(), b.clone()])
        };
    };
    Val::Bool(match op {
        BinaryOp::Lt => order.is_lt(),
        BinaryOp::Le => order.is_le(),
        BinaryOp::Gt => order.is_gt(),
        _ => order.is_ge(),
    })
}

/// What a comparison gives with a text that is known in part, where the known part decides it.
pub(crate) fn by_known_ends<'a>(op: BinaryOp, a: &Val<'a>, b: &Val<'a>, cx: &mut Context) -> Option<Val<'a>> {
    let known = |val: &Val<'_>| matches!(val, Val::Unknown(u) if u.ends().is_some());
    let decided = match op {
        BinaryOp::Eq | BinaryOp::Ne if known(a) || known(b) => equal(a, b, cx),
        BinaryOp::In if known(a) && matches!(b, Val::List(_)) => contains(a, b, cx),
        _ => return None,
    };
    match (decided, op) {
        (Val::Bool(equal), BinaryOp::Ne) => Some(Val::Bool(!equal)),
        (decided @ Val::Bool(_), _) => Some(decided),
        _ => None,
    }
}

/// What a function of a text gives whose ends alone are known, where they decide it.
pub(crate) fn call_of_ends<'a>(call: &Call, args: &[Val<'a>]) -> Option<Val<'a>> {
    let (Val::Unknown(text), rest) = args.split_first()? else { return None };
    let ends = text.ends()?;
    if let Some(code) = call.ends_to {
        return text.with_ends(code(ends)).map(Val::Unknown);
    }
    if rest.iter().any(|arg| matches!(arg, Val::Unknown(_) | Val::Error(_))) {
        return None;
    }
    call.of_ends?(ends, rest).map(Val::Bool)
}

/// `value in container`
pub(crate) fn contains<'a>(value: &Val<'a>, container: &Val<'a>, cx: &mut Context) -> Val<'a> {
    match container {
        Val::List(List::Slice(items)) => contains_any(value, items.iter(), cx),
        Val::List(List::Vals(items)) => contains_any(value, items.iter(), cx),
        Val::List(list) => {
            let found = contains_any(value, list.iter(), cx);
            match (list.rest(), found) {
                (None, found) | (Some(_), found @ Val::Bool(true)) => found,
                (Some(rest), Val::Unknown(before)) => Val::Unknown(before.merge(rest.clone())),
                (Some(rest), _) => Val::Unknown(rest.clone()),
            }
        }
        Val::Map(map) => {
            cx.charge_bytes(value.as_str().map_or(0, str::len));
            Val::Bool(map.get(value).is_some())
        }
        Val::Object(object) => Val::Bool(value.as_str().is_some_and(|name| object.get(name).is_some())),
        Val::Null if cx.absent_is_null => Val::Bool(false),
        _ => Val::no_overload("in", &[value.clone(), container.clone()]),
    }
}

/// True as soon as one is equal; else unknown or an error when one may be.
fn contains_any<'a>(value: &Val<'a>, items: impl Iterator<Item = impl Borrow<Val<'a>>>, cx: &mut Context) -> Val<'a> {
    let mut result = Val::Bool(false);
    for item in items {
        if !cx.charge(1) {
            return EvalError::Limit("too many steps").into();
        }
        match (equal(value, item.borrow(), cx), &result) {
            (Val::Bool(true), _) => return Val::Bool(true),
            (Val::Bool(false), _) => {}
            (Val::Unknown(new), Val::Unknown(before)) => result = Val::Unknown(before.clone().merge(new)),
            (Val::Unknown(new), _) => result = Val::Unknown(new),
            (other, Val::Bool(_)) => result = other,
            _ => {}
        }
    }
    result
}

pub(crate) fn negate<'a>(value: Val<'a>) -> Val<'a> {
    match value {
        Val::Int(i) => i.checked_neg().map_or_else(|| EvalError::Overflow("-").into(), Val::Int),
        Val::Double(d) => Val::Double(-d),
        other @ (Val::Unknown(_) | Val::Error(_)) => other,
        other => Val::no_overload("-", &[other]),
    }
}

/// The instants CEL knows: the years 1 to 9999.
pub(crate) fn instant<'a>(at: Option<jiff::Timestamp>) -> Val<'a> {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;
    match at {
        Some(at)
            if at.as_second() >= FIRST
                && at.as_second() <= LAST
                && (at.as_second() > FIRST || at.subsec_nanosecond() >= 0) =>
        {
            Val::Time(Time::from_jiff(at))
        }
        _ => EvalError::Range("an instant must be in the years 1 to 9999".into()).into(),
    }
}

fn shifted<'a>(at: &Time, nanos: i64) -> Val<'a> {
    instant(at.as_jiff().checked_add(jiff::SignedDuration::from_nanos(nanos)).ok())
}

pub(crate) fn arithmetic<'a>(op: BinaryOp, a: Val<'a>, b: Val<'a>, cx: &mut Context) -> Val<'a> {
    use BinaryOp::{Add, Div, Mul, Rem, Sub};
    let symbol = op.symbol();
    match (op, &a, &b) {
        (_, Val::Int(a), Val::Int(b)) => {
            if *b == 0 && matches!(op, Div | Rem) {
                return EvalError::DivideByZero.into();
            }
            let result = match op {
                Add => a.checked_add(*b),
                Sub => a.checked_sub(*b),
                Mul => a.checked_mul(*b),
                Div => a.checked_div(*b),
                _ => a.checked_rem(*b),
            };
            result.map_or_else(|| EvalError::Overflow(symbol).into(), Val::Int)
        }
        (_, Val::Uint(a), Val::Uint(b)) => {
            if *b == 0 && matches!(op, Div | Rem) {
                return EvalError::DivideByZero.into();
            }
            let result = match op {
                Add => a.checked_add(*b),
                Sub => a.checked_sub(*b),
                Mul => a.checked_mul(*b),
                Div => a.checked_div(*b),
                _ => a.checked_rem(*b),
            };
            result.map_or_else(|| EvalError::Overflow(symbol).into(), Val::Uint)
        }
        (Add, Val::Double(a), Val::Double(b)) => Val::Double(a + b),
        (Sub, Val::Double(a), Val::Double(b)) => Val::Double(a - b),
        (Mul, Val::Double(a), Val::Double(b)) => Val::Double(a * b),
        (Div, Val::Double(a), Val::Double(b)) => Val::Double(a / b),
        (Add, Val::Str(a), Val::Str(b)) => match cx.allow_text(a.len() + b.len()) {
            Ok(()) => Val::string([&**a, &**b].concat()),
            Err(error) => error.into(),
        },
        (Add, Val::Bytes(a), Val::Bytes(b)) => match cx.allow_text(a.len() + b.len()) {
            Ok(()) => Val::Bytes([&**a, &**b].concat().into()),
            Err(error) => error.into(),
        },
        (Add, Val::List(a), Val::List(b)) => {
            if let Err(error) = cx.allow(a.len() + b.len()) {
                return error.into();
            }
            let joined = List::of(a.iter().chain(b.iter()).collect());
            Val::List(match (a.rest().cloned(), b.rest().cloned()) {
                (Some(a), Some(b)) => List::incomplete(joined, a.merge(b)),
                (Some(rest), None) | (None, Some(rest)) => List::incomplete(joined, rest),
                (None, None) => joined,
            })
        }
        (Add, Val::Duration(a), Val::Duration(b)) => duration(a.checked_add(*b)),
        (Sub, Val::Duration(a), Val::Duration(b)) => duration(a.checked_sub(*b)),
        (Add, Val::Time(t), Val::Duration(d)) | (Add, Val::Duration(d), Val::Time(t)) => shifted(t, *d),
        (Sub, Val::Time(t), Val::Duration(d)) => match d.checked_neg() {
            Some(back) => shifted(t, back),
            None => duration(None),
        },
        (Sub, Val::Time(a), Val::Time(b)) => {
            let nanos = a.as_jiff().as_nanosecond() - b.as_jiff().as_nanosecond();
            duration(i64::try_from(nanos).ok())
        }
        _ => Val::no_overload(symbol, &[a, b]),
    }
}

/// A span of time, when it fits into 64 bits of nanoseconds (about 292 years).
pub(crate) fn duration<'a>(nanos: Option<i64>) -> Val<'a> {
    nanos.map_or_else(|| EvalError::Range("a duration must be within 292 years".into()).into(), Val::Duration)
}

/// The values in the order of their keys; none when two keys cannot be ordered.
pub(crate) fn sort<'a>(mut keyed: Vec<(Val<'a>, Val<'a>)>) -> Option<Vec<Val<'a>>> {
    let rank = |v: &Val<'_>| match v {
        Val::Int(_) | Val::Uint(_) | Val::Double(_) => Some(0),
        Val::Bool(_) => Some(1),
        Val::Str(_) => Some(2),
        Val::Bytes(_) => Some(3),
        Val::Time(_) => Some(4),
        Val::Duration(_) => Some(5),
        _ => None,
    };
    let kind = match keyed.first() {
        Some((first, _)) => rank(first)?,
        None => return Some(Vec::new()),
    };
    if !keyed.iter().all(|(key, _)| rank(key) == Some(kind)) {
        return None;
    }
    keyed.sort_by(|(a, _), (b, _)| order(a, b).unwrap_or(Ordering::Equal));
    Some(keyed.into_iter().map(|(_, value)| value).collect())
}

/// Whether a value is what CEL calls zero: for `optional.ofNonZeroValue`.
pub(crate) fn is_zero(value: &Val<'_>) -> bool {
    match value {
        Val::Null | Val::Optional(None) => true,
        Val::Bool(b) => !b,
        Val::Int(i) | Val::Duration(i) => *i == 0,
        Val::Uint(u) => *u == 0,
        Val::Double(d) => *d == 0.0,
        Val::Str(s) => s.is_empty(),
        Val::Bytes(b) => b.is_empty(),
        Val::List(list) => list.is_empty() && list.rest().is_none(),
        Val::Map(map) => map.is_empty(),
        Val::Time(t) => t.as_jiff().as_nanosecond() == 0,
        _ => false,
    }
}
