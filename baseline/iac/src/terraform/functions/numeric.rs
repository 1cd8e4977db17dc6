//! Numbers.

use super::{Args, Out};
use crate::terraform::ast::Binary;
use crate::terraform::eval::arithmetic;
use crate::value::{Data, Val};

pub(super) fn call(name: &str, args: &Args<'_>) -> Option<Out> {
    Some(match name {
        "abs" => args.number(0).and_then(|n| args.num(n.abs())),
        "ceil" => args.number(0).and_then(|n| args.num(n.ceil())),
        "floor" => args.number(0).and_then(|n| args.num(n.floor())),
        "signum" => args.int(0).and_then(|n| args.num(n.signum() as f64)),
        "log" => log(args),
        "pow" => args.number(0).and_then(|a| args.num(a.powf(args.number(1)?))),
        "max" => extreme(args, f64::max),
        "min" => extreme(args, f64::min),
        "parseint" => parseint(args),
        "sum" => sum(args),
        _ => return None,
    })
}

fn log(args: &Args<'_>) -> Out {
    let (number, base) = (args.number(0)?, args.number(1)?);
    let result = number.ln() / base.ln();
    // log(16, 2) is 4: rounding noise of the division is not part of the answer.
    let near = result.round();
    args.num(if (result - near).abs() < 1e-12 { near } else { result })
}

fn extreme(args: &Args<'_>, pick: fn(f64, f64) -> f64) -> Out {
    let mut best = args.number(0)?;
    for i in 1..args.all.len() {
        best = pick(best, args.number(i)?);
    }
    args.num(best)
}

fn parseint(args: &Args<'_>) -> Out {
    let Some(text) = args.get(0)?.as_str().map(str::to_owned) else {
        return Err("the first argument must be text".into());
    };
    let base = args.int(1)?;
    let digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if !(2..=62).contains(&base) {
        return Err("the base must be between 2 and 62".into());
    }
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let bad = || format!("{text:?} is not a number of base {base}");
    let mut total: f64 = 0.0;
    let mut whole: Option<i64> = Some(0);
    for c in body.chars() {
        let c = if base <= 36 { c.to_ascii_lowercase() } else { c };
        let digit = digits.find(c).filter(|d| (*d as i64) < base).ok_or_else(bad)? as i64;
        whole = whole.and_then(|w| w.checked_mul(base)).and_then(|w| w.checked_add(digit));
        total = total * base as f64 + digit as f64;
    }
    if body.is_empty() {
        return Err(bad());
    }
    match whole {
        Some(whole) => Ok(Val::new(Data::Int(if negative { -whole } else { whole }), args.span)),
        None => args.num(if negative { -total } else { total }),
    }
}

fn sum(args: &Args<'_>) -> Out {
    let items = args.list(0)?;
    if items.is_empty() {
        return Err("the list must not be empty".into());
    }
    let mut total = Val::int(0, args.span);
    for item in items {
        let number = super::to_number(item).filter(|n| n.as_f64().is_some()).ok_or("all elements must be numbers")?;
        total = arithmetic(Binary::Add, &total, &number, args.span).map_err(|f| f.message().to_owned())?;
    }
    Ok(total)
}
