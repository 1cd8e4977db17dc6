//! The math extension.

use super::{Table, wrong};
use crate::{Context, EvalError, Val, ops};
use std::cmp::Ordering;

pub(crate) const TABLE: Table = &[
    ("math.ceil(double) -> double", ceil),
    ("math.floor(double) -> double", floor),
    ("math.round(double) -> double", round),
    ("math.trunc(double) -> double", trunc),
    ("math.sqrt(double) -> double", sqrt),
    ("math.sqrt(int) -> double", sqrt),
    ("math.sqrt(uint) -> double", sqrt),
    ("math.abs(int) -> int", abs),
    ("math.abs(uint) -> uint", abs),
    ("math.abs(double) -> double", abs),
    ("math.sign(int) -> int", sign),
    ("math.sign(uint) -> uint", sign),
    ("math.sign(double) -> double", sign),
    ("math.isNaN(double) -> bool", is_nan),
    ("math.isInf(double) -> bool", is_inf),
    ("math.isFinite(double) -> bool", is_finite),
    ("math.bitAnd(int, int) -> int", bit_and),
    ("math.bitAnd(uint, uint) -> uint", bit_and),
    ("math.bitOr(int, int) -> int", bit_or),
    ("math.bitOr(uint, uint) -> uint", bit_or),
    ("math.bitXor(int, int) -> int", bit_xor),
    ("math.bitXor(uint, uint) -> uint", bit_xor),
    ("math.bitNot(int) -> int", bit_not),
    ("math.bitNot(uint) -> uint", bit_not),
    ("math.bitShiftLeft(int, int) -> int", shift_left),
    ("math.bitShiftLeft(uint, int) -> uint", shift_left),
    ("math.bitShiftRight(int, int) -> int", shift_right),
    ("math.bitShiftRight(uint, int) -> uint", shift_right),
];

fn rounded<'a>(args: &[Val<'a>], round: fn(f64) -> f64) -> Val<'a> {
    match args {
        [Val::Double(d)] => Val::Double(round(*d)),
        _ => wrong(args),
    }
}

fn ceil<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    rounded(args, f64::ceil)
}

fn floor<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    rounded(args, f64::floor)
}

fn round<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    rounded(args, f64::round)
}

fn trunc<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    rounded(args, f64::trunc)
}

fn sqrt<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Double(d)] => Val::Double(d.sqrt()),
        [Val::Int(i)] => Val::Double((*i as f64).sqrt()),
        [Val::Uint(u)] => Val::Double((*u as f64).sqrt()),
        _ => wrong(args),
    }
}

fn abs<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Int(i)] => i.checked_abs().map_or_else(|| EvalError::Overflow("abs").into(), Val::Int),
        [Val::Uint(u)] => Val::Uint(*u),
        [Val::Double(d)] => Val::Double(d.abs()),
        _ => wrong(args),
    }
}

fn sign<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Int(i)] => Val::Int(i.signum()),
        [Val::Uint(u)] => Val::Uint(u64::from(*u > 0)),
        [Val::Double(d)] => Val::Double(if *d == 0.0 || d.is_nan() { *d } else { d.signum() }),
        _ => wrong(args),
    }
}

fn is_nan<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Double(d)] => Val::Bool(d.is_nan()),
        _ => wrong(args),
    }
}

fn is_inf<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Double(d)] => Val::Bool(d.is_infinite()),
        _ => wrong(args),
    }
}

fn is_finite<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Double(d)] => Val::Bool(d.is_finite()),
        _ => wrong(args),
    }
}

fn bits<'a>(args: &[Val<'a>], op: fn(u64, u64) -> u64) -> Val<'a> {
    match args {
        [Val::Int(a), Val::Int(b)] => Val::Int(op(*a as u64, *b as u64) as i64),
        [Val::Uint(a), Val::Uint(b)] => Val::Uint(op(*a, *b)),
        _ => wrong(args),
    }
}

fn bit_and<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    bits(args, |a, b| a & b)
}

fn bit_or<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    bits(args, |a, b| a | b)
}

fn bit_xor<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    bits(args, |a, b| a ^ b)
}

fn bit_not<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Int(i)] => Val::Int(!i),
        [Val::Uint(u)] => Val::Uint(!u),
        _ => wrong(args),
    }
}

/// Shifts treat ints as their bits; 64 or more places leave nothing.
fn shift<'a>(args: &[Val<'a>], op: fn(u64, u32) -> Option<u64>) -> Val<'a> {
    let places = match args {
        [_, Val::Int(n)] if *n < 0 => return Val::invalid(format!("negative offset {n}")),
        [_, Val::Int(n)] => u32::try_from(*n).unwrap_or(u32::MAX),
        _ => return wrong(args),
    };
    match args {
        [Val::Int(i), _] => Val::Int(op(*i as u64, places).unwrap_or(0) as i64),
        [Val::Uint(u), _] => Val::Uint(op(*u, places).unwrap_or(0)),
        _ => wrong(args),
    }
}

fn shift_left<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    shift(args, u64::checked_shl)
}

fn shift_right<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    shift(args, u64::checked_shr)
}

fn extreme<'a>(args: &[Val<'a>], wanted: Ordering) -> Val<'a> {
    let listed: Vec<Val<'a>>;
    let values = match args {
        [Val::List(list)] => {
            if let Some(rest) = list.rest() {
                return Val::Unknown(rest.clone());
            }
            listed = list.iter().collect();
            listed.as_slice()
        }
        values => values,
    };
    let mut best: Option<&Val<'a>> = None;
    for value in values {
        match value {
            Val::Unknown(u) => return Val::Unknown(u.clone()),
            Val::Int(_) | Val::Uint(_) | Val::Double(_) => {}
            _ => return wrong(args),
        }
        if best.is_none_or(|before| ops::number_order(value, before) == Some(wanted)) {
            best = Some(value);
        }
    }
    best.cloned().unwrap_or_else(|| Val::invalid("the list must not be empty"))
}

/// `math.greatest(…)`: of any number of arguments, or of one list.
pub(crate) fn greatest<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    cx.charge(args.len() as u64);
    extreme(args, Ordering::Greater)
}

/// `math.least(…)`
pub(crate) fn least<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    cx.charge(args.len() as u64);
    extreme(args, Ordering::Less)
}
