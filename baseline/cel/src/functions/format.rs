//! `format`: printf for CEL.

use super::{Table, convert, time, wrong};
use crate::{Context, List, Val};

pub(crate) const TABLE: Table = &[("string.format(list(dyn)) -> string", format)];

fn format<'a>(cx: &mut Context, args: &[Val<'a>]) -> Val<'a> {
    let [Val::Str(pattern), whole @ Val::List(list)] = args else { return wrong(args) };
    if let Some(unknown) = whole.deep_unknown() {
        return Val::Unknown(unknown);
    }
    match fill(cx, pattern, list) {
        Ok(text) => Val::string(text),
        Err(error) => error,
    }
}

fn fill<'a>(cx: &mut Context, pattern: &str, list: &List<'a>) -> Result<String, Val<'a>> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        cx.charge(1);
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut precision = None;
        if chars.peek() == Some(&'.') {
            chars.next();
            let mut digits = String::new();
            while let Some(d) = chars.peek().filter(|c| c.is_ascii_digit()) {
                digits.push(*d);
                chars.next();
            }
            match digits.parse::<usize>() {
                Ok(p) if p <= 100 => precision = Some(p),
                _ => return Err(Val::invalid(format!("`{digits}` is not a precision up to 100"))),
            }
        }
        let clause = chars.next();
        if clause == Some('%') && precision.is_none() {
            out.push('%');
            continue;
        }
        let clause = clause.filter(|c| "sdfebxXo".contains(*c));
        let Some(clause) = clause else {
            return Err(Val::invalid("unrecognized formatting clause; known are %s %d %f %e %b %x %X %o %%"));
        };
        let Some(value) = list.get(next) else { return Err(Val::invalid(format!("index {next} out of range"))) };
        next += 1;
        one(cx, &mut out, clause, precision, &value)?;
        cx.fits_text(out.len())?;
    }
    cx.charge_bytes(out.len());
    Ok(out)
}

fn refused<'a>(wanted: &str, value: &Val<'_>) -> Val<'a> {
    Val::invalid(format!("error during formatting: {wanted}, was given {}", value.type_name()))
}

fn one<'a>(
    cx: &mut Context,
    out: &mut String,
    clause: char,
    precision: Option<usize>,
    value: &Val<'a>,
) -> Result<(), Val<'a>> {
    let not_finite = |d: f64| {
        if d.is_nan() {
            "NaN"
        } else if d > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
    };
    match (clause, value) {
        ('s', value) => shown(cx, out, value)?,
        ('d', Val::Int(i)) => out.push_str(&i.to_string()),
        ('d', Val::Uint(u)) => out.push_str(&u.to_string()),
        ('d' | 'f' | 'e', Val::Double(d)) if !d.is_finite() => out.push_str(not_finite(*d)),
        ('d', Val::Double(d)) => out.push_str(&convert::double_text(*d)),
        ('f' | 'e', Val::Double(_) | Val::Int(_) | Val::Uint(_)) => {
            let d = match value {
                Val::Double(d) => *d,
                Val::Int(i) => *i as f64,
                Val::Uint(u) => *u as f64,
                _ => 0.0,
            };
            let precision = precision.unwrap_or(6);
            if clause == 'f' {
                out.push_str(&format!("{d:.precision$}"));
            } else {
                let text = format!("{d:.precision$e}");
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
                out.push_str(&format!("{digits}e{sign}{exponent:0>2}"));
            }
        }
        ('b', Val::Bool(b)) => out.push(if *b { '1' } else { '0' }),
        ('b' | 'o' | 'x' | 'X', Val::Int(_) | Val::Uint(_)) => {
            let (sign, magnitude) = match value {
                Val::Int(i) => (if *i < 0 { "-" } else { "" }, i.unsigned_abs()),
                Val::Uint(u) => ("", *u),
                _ => ("", 0),
            };
            out.push_str(sign);
            out.push_str(&match clause {
                'b' => format!("{magnitude:b}"),
                'o' => format!("{magnitude:o}"),
                'x' => format!("{magnitude:x}"),
                _ => format!("{magnitude:X}"),
            });
        }
        ('x' | 'X', Val::Str(_) | Val::Bytes(_)) => {
            let bytes: &[u8] = match value {
                Val::Str(text) => text.as_bytes(),
                Val::Bytes(bytes) => bytes,
                _ => &[],
            };
            for byte in bytes {
                out.push_str(&if clause == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") });
            }
        }
        ('d', value) => return Err(refused("decimal clause can only be used on integers", value)),
        ('f', value) => return Err(refused("fixed-point clause can only be used on doubles", value)),
        ('e', value) => return Err(refused("scientific clause can only be used on doubles", value)),
        ('b', value) => return Err(refused("only integers and bools can be formatted as binary", value)),
        ('o', value) => return Err(refused("octal clause can only be used on integers", value)),
        (_, value) => return Err(refused("only integers, byte buffers, and strings can be formatted as hex", value)),
    }
    Ok(())
}

/// `%s`: the readable form; texts without quotes, maps sorted by the text of their keys.
fn shown<'a>(cx: &mut Context, out: &mut String, value: &Val<'a>) -> Result<(), Val<'a>> {
    cx.charge(1);
    match value {
        Val::Null => out.push_str("null"),
        Val::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Val::Int(i) => out.push_str(&i.to_string()),
        Val::Uint(u) => out.push_str(&u.to_string()),
        Val::Double(d) if d.is_nan() => out.push_str("NaN"),
        Val::Double(d) if d.is_infinite() => out.push_str(if *d > 0.0 { "Infinity" } else { "-Infinity" }),
        Val::Double(d) => out.push_str(&convert::double_text(*d)),
        Val::Str(text) | Val::Type(text) => out.push_str(text),
        Val::Bytes(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
        Val::Time(t) => out.push_str(&t.to_string()),
        Val::Duration(d) => out.push_str(&time::duration_text(*d)),
        Val::Ip(ip) => out.push_str(&ip.to_string()),
        Val::Cidr(cidr) => out.push_str(&cidr.to_string()),
        Val::Object(object) => out.push_str(object.identity()),
        Val::List(list) => {
            out.push('[');
            for (at, item) in list.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                shown(cx, out, &item)?;
                cx.fits_text(out.len())?;
            }
            out.push(']');
        }
        Val::Map(map) => {
            let (mut entries, mut length) = (Vec::new(), out.len());
            for (key, value) in map.entries() {
                let (mut k, mut v) = (String::new(), String::new());
                shown(cx, &mut k, &key)?;
                shown(cx, &mut v, &value)?;
                length += k.len() + v.len() + 4;
                cx.fits_text(length)?;
                entries.push(format!("{k}: {v}"));
            }
            entries.sort();
            out.push('{');
            out.push_str(&entries.join(", "));
            out.push('}');
        }
        other => {
            let wanted = "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, \
                          durations, and timestamps";
            return Err(refused(wanted, other));
        }
    }
    Ok(())
}
