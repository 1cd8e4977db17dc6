//! Conversions between types, `size`, `type`, `dyn`.

use super::{Table, time, wrong};
use crate::{Context, EvalError, Val, ops, value::Str};
use std::borrow::Cow;

pub(crate) const TABLE: Table = &[
    ("dyn(T) -> dyn", identity),
    ("type(T) -> type(T)", type_of),
    ("size(string) -> int", size),
    ("size(bytes) -> int", size),
    ("size(list(T)) -> int", size),
    ("size(map(K, V)) -> int", size),
    ("string.size() -> int", size),
    ("bytes.size() -> int", size),
    ("list(T).size() -> int", size),
    ("map(K, V).size() -> int", size),
    ("bool(bool) -> bool", bool),
    ("bool(string) -> bool", bool),
    ("int(int) -> int", int),
    ("int(uint) -> int", int),
    ("int(double) -> int", int),
    ("int(string) -> int", int),
    ("int(timestamp) -> int", int),
    ("int(duration) -> int", int),
    ("uint(uint) -> uint", uint),
    ("uint(int) -> uint", uint),
    ("uint(double) -> uint", uint),
    ("uint(string) -> uint", uint),
    ("double(double) -> double", double),
    ("double(int) -> double", double),
    ("double(uint) -> double", double),
    ("double(string) -> double", double),
    ("string(string) -> string", string),
    ("string(bool) -> string", string),
    ("string(int) -> string", string),
    ("string(uint) -> string", string),
    ("string(double) -> string", string),
    ("string(bytes) -> string", string),
    ("string(timestamp) -> string", string),
    ("string(duration) -> string", string),
    ("string(net.IP) -> string", string),
    ("string(net.CIDR) -> string", string),
    ("bytes(bytes) -> bytes", bytes),
    ("bytes(string) -> bytes", bytes),
];

fn identity<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    args.first().cloned().unwrap_or(Val::Null)
}

fn type_of<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args.first().map(Val::type_name) {
        Some(Cow::Borrowed(name)) => Val::Type(Str::Borrowed(name)),
        Some(Cow::Owned(name)) => Val::Type(Str::Owned(name.into())),
        None => wrong(args),
    }
}

fn size<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let size = match args {
        [Val::Str(text)] => {
            cx.charge_bytes(text.len());
            text.chars().count()
        }
        [Val::Bytes(bytes)] => bytes.len(),
        [Val::List(list)] => match list.rest() {
            Some(rest) => return Val::Unknown(rest.clone()),
            None => list.len(),
        },
        [Val::Map(map)] => map.len(),
        [Val::Null] if cx.absent_is_null => 0,
        _ => return wrong(args),
    };
    Val::Int(size as i64)
}

fn bool<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Bool(b)] => Val::Bool(*b),
        [Val::Str(text)] => match &**text {
            "1" | "t" | "true" | "TRUE" | "True" => Val::Bool(true),
            "0" | "f" | "false" | "FALSE" | "False" => Val::Bool(false),
            other => Val::invalid(format!("`{other}` is not a bool")),
        },
        _ => wrong(args),
    }
}

fn range<'a>(what: &str, value: &Val<'a>) -> Val<'a> {
    EvalError::Range(format!("{} does not fit into {what}", ops::show(value))).into()
}

fn int<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    const EDGE: f64 = 9_223_372_036_854_775_808.0;
    match args {
        [Val::Int(i)] => Val::Int(*i),
        [value @ Val::Uint(u)] => i64::try_from(*u).map_or_else(|_| range("an int", value), Val::Int),
        [Val::Double(d)] if *d > -EDGE && *d < EDGE => Val::Int(*d as i64),
        [value @ Val::Double(_)] => range("an int", value),
        [Val::Str(text)] => {
            text.parse().map_or_else(|_| Val::invalid(format!("`{}` is not an int", &**text)), Val::Int)
        }
        [Val::Time(t)] => Val::Int(t.as_jiff().as_nanosecond().div_euclid(1_000_000_000) as i64),
        [Val::Duration(d)] => Val::Int(d / 1_000_000_000),
        _ => wrong(args),
    }
}

fn uint<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Uint(u)] => Val::Uint(*u),
        [value @ Val::Int(i)] => u64::try_from(*i).map_or_else(|_| range("a uint", value), Val::Uint),
        [Val::Double(d)] if *d > -1.0 && *d < 18_446_744_073_709_551_616.0 => Val::Uint(*d as u64),
        [value @ Val::Double(_)] => range("a uint", value),
        [Val::Str(text)] => {
            text.parse().map_or_else(|_| Val::invalid(format!("`{}` is not a uint", &**text)), Val::Uint)
        }
        _ => wrong(args),
    }
}

fn double<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Double(d)] => Val::Double(*d),
        [Val::Int(i)] => Val::Double(*i as f64),
        [Val::Uint(u)] => Val::Double(*u as f64),
        [Val::Str(text)] => {
            text.parse().map_or_else(|_| Val::invalid(format!("`{}` is not a double", &**text)), Val::Double)
        }
        _ => wrong(args),
    }
}

fn string<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Str(text)] => Val::Str(text.clone()),
        [Val::Bool(b)] => Val::str(if *b { "true" } else { "false" }),
        [Val::Int(i)] => Val::string(i.to_string()),
        [Val::Uint(u)] => Val::string(u.to_string()),
        [Val::Double(d)] => Val::string(double_text(*d)),
        [Val::Bytes(bytes)] => {
            cx.charge_bytes(bytes.len());
            std::str::from_utf8(bytes).map_or_else(|_| Val::invalid("these bytes are not valid UTF-8"), Val::string)
        }
        [Val::Time(t)] => Val::string(t.to_string()),
        [Val::Duration(d)] => Val::string(time::duration_text(*d)),
        [Val::Ip(ip)] => Val::string(ip.to_string()),
        [Val::Cidr(cidr)] => Val::string(cidr.to_string()),
        [Val::Type(name)] => Val::Str(name.clone()),
        _ => wrong(args),
    }
}

fn bytes<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    match args {
        [Val::Bytes(bytes)] => Val::Bytes(bytes.clone()),
        [Val::Str(text)] => match cx.allow_text(text.len()) {
            Ok(()) => Val::Bytes(text.as_bytes().into()),
            Err(error) => error.into(),
        },
        _ => wrong(args),
    }
}

/// The shortest text that reads back as the same double, with an exponent beyond 21 digits.
pub(crate) fn double_text(d: f64) -> String {
    if d.is_nan() {
        return "NaN".into();
    }
    if d.is_infinite() {
        return if d > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    if d != 0.0 && !(1e-4..1e21).contains(&d.abs()) {
        let text = format!("{d:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) => {
                let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
                format!("{digits}e{sign}{exponent:0>2}")
            }
            None => text,
        };
    }
    d.to_string()
}
