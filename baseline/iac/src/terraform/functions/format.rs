//! `format`, `formatlist` and `join`: texts of texts, with holes where a part is not known.

use super::Args;
use super::encoding::json_text;
use crate::terraform::eval::push_part;
use crate::terraform::types::{number_text, to_bool, to_number, to_string, type_name};
use crate::value::{Data, Part, Val};

type Open = Result<Option<Val>, String>;

pub(super) fn open(name: &str, args: &Args<'_>) -> Option<Open> {
    Some(match name {
        "format" => match args.get(0) {
            Ok(first) if first.is_unknown() => Ok(None),
            Ok(_) => args.text(0).and_then(|spec| format(&spec, args.all.get(1..).unwrap_or(&[]), args).map(Some)),
            Err(message) => Err(message),
        },
        "formatlist" => formatlist(args),
        "join" => join(args),
        _ => return None,
    })
}

fn join(args: &Args<'_>) -> Open {
    let by = args.get(0)?;
    if by.is_unknown() {
        return Ok(None);
    }
    let by = args.text(0)?;
    let mut parts = Vec::new();
    let mut first = true;
    for i in 1..args.all.len() {
        let val = args.get(i)?;
        let Some(items) = val.as_list() else {
            return if val.is_unknown() {
                Ok(None)
            } else {
                Err(format!("a list was expected, found {}", type_name(val)))
            };
        };
        for item in items {
            if !std::mem::take(&mut first) {
                parts.push(Part::Text(by.as_str().into()));
            }
            push_part(&mut parts, item)?;
        }
    }
    Ok(Some(Val::from_parts(parts, args.span)))
}

fn formatlist(args: &Args<'_>) -> Open {
    let spec = args.get(0)?;
    if spec.is_unknown() && spec.as_list().is_none() {
        return Ok(None);
    }
    let rest = args.all.get(1..).unwrap_or(&[]);
    if rest.iter().any(|v| matches!(v.data, Data::Unknown(_) | Data::Ref(_))) {
        return Ok(None);
    }
    let mut len: Option<usize> = None;
    for list in args.all.iter().filter_map(Val::as_list) {
        if len.is_some_and(|l| l != list.len()) {
            return Err("the lists must be equally long".into());
        }
        len = Some(list.len());
    }
    let mut out = Vec::new();
    for i in 0..len.unwrap_or(1) {
        let pick = |v: &Val| match v.as_list() {
            Some(list) => list.get(i).cloned().unwrap_or_else(|| Val::null(args.span)),
            None => v.clone(),
        };
        let spec = pick(spec);
        let row: Vec<Val> = rest.iter().map(pick).collect();
        out.push(format(spec.as_str().unwrap_or_default(), &row, args)?);
    }
    Ok(Some(Val::list(out, args.span)))
}

#[derive(Default)]
struct Verb {
    minus: bool,
    plus: bool,
    zero: bool,
    space: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

fn format(spec: &str, values: &[Val], args: &Args<'_>) -> Result<Val, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut chars = spec.chars().peekable();
    let mut next = 0;
    let mut indexed = false;
    while let Some(c) = chars.next() {
        if c != '%' {
            literal.push(c);
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            literal.push('%');
            continue;
        }
        let mut verb = Verb::default();
        let letter = loop {
            let Some(c) = chars.next() else { return Err("the format ends inside a verb".into()) };
            match c {
                '-' => verb.minus = true,
                '+' => verb.plus = true,
                '0' if verb.width.is_none() => verb.zero = true,
                ' ' => verb.space = true,
                '#' => verb.sharp = true,
                '0'..='9' => {
                    let digit = c as usize - '0' as usize;
                    verb.width = Some((verb.width.unwrap_or(0) * 10 + digit).min(4096));
                }
                '.' => {
                    let mut precision = 0usize;
                    while let Some(d) = chars.peek().and_then(|c| c.to_digit(10)) {
                        chars.next();
                        precision = (precision * 10 + d as usize).min(4096);
                    }
                    verb.precision = Some(precision);
                }
                '[' => {
                    let mut index = 0usize;
                    for c in chars.by_ref() {
                        match c.to_digit(10) {
                            Some(d) => index = (index * 10 + d as usize).min(100_000),
                            None => break,
                        }
                    }
                    next = index.saturating_sub(1);
                    indexed = true;
                }
                letter => break letter,
            }
        };
        let Some(value) = values.get(next) else {
            return Err(format!("there is no value for `%{letter}` number {}", next + 1));
        };
        next += 1;
        if value.is_unknown() {
            parts.push(Part::Text(std::mem::take(&mut literal).into()));
            if matches!(letter, 's' | 'v') && verb.width.is_none() && verb.precision.is_none() {
                push_part(&mut parts, value)?;
            } else {
                parts.push(Part::Hole(value.clone()));
            }
        } else {
            literal.push_str(&pad(one(letter, &verb, value)?, &verb, letter));
        }
    }
    if next < values.len() && !indexed {
        return Err(format!("there are {} values, the format uses {next}", values.len()));
    }
    parts.push(Part::Text(literal.into()));
    Ok(Val::from_parts(parts, args.span))
}

fn pad(text: String, verb: &Verb, letter: char) -> String {
    let Some(width) = verb.width else { return text };
    let missing = width.saturating_sub(text.chars().count());
    if verb.minus {
        format!("{text}{}", " ".repeat(missing))
    } else if verb.zero && !matches!(letter, 's' | 'q' | 'v' | 't') {
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => text
                .split_at(text.len() - digits.len())
                .0
                .chars()
                .next()
                .map_or(("", digits), |c| (if c == '-' { "-" } else { "+" }, digits)),
            None => ("", text.as_str()),
        };
        format!("{sign}{}{digits}", "0".repeat(missing))
    } else {
        format!("{}{text}", " ".repeat(missing))
    }
}

fn one(letter: char, verb: &Verb, value: &Val) -> Result<String, String> {
    if letter == 'v' {
        return Ok(match &value.data {
            _ if verb.sharp => json_text(value).unwrap_or_default(),
            Data::Null => "null".into(),
            Data::List(_) | Data::Set(_) | Data::Map(_) => json_text(value).unwrap_or_default(),
            _ => to_string(value).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default(),
        });
    }
    if value.is_null() {
        return Err(format!("`%{letter}` cannot show null"));
    }
    let text = || {
        let text = to_string(value).and_then(|v| v.as_str().map(str::to_owned));
        text.ok_or_else(|| format!("`%{letter}` needs text, found {}", type_name(value)))
    };
    let number = || {
        let number = to_number(value).and_then(|v| v.as_f64());
        number.ok_or_else(|| format!("`%{letter}` needs a number, found {}", type_name(value)))
    };
    let whole = || {
        let n = number()?;
        if n.fract() == 0.0 { Ok(n) } else { Err(format!("`%{letter}` needs a whole number")) }
    };
    let signed = |text: String, negative: bool| {
        if negative {
            text
        } else if verb.plus {
            format!("+{text}")
        } else if verb.space {
            format!(" {text}")
        } else {
            text
        }
    };
    Ok(match letter {
        's' => match verb.precision {
            Some(precision) => text()?.chars().take(precision).collect(),
            None => text()?,
        },
        'q' => json_text(&Val::str(text()?, value.span)).unwrap_or_default(),
        't' => {
            let b = to_bool(value).and_then(|b| b.as_bool());
            b.ok_or_else(|| format!("`%t` needs true or false, found {}", type_name(value)))?.to_string()
        }
        'd' => {
            let n = whole()?;
            signed(number_text(n), n < 0.0)
        }
        'b' | 'o' | 'x' | 'X' => {
            let n = whole()?;
            let magnitude = n.abs() as u128;
            let digits = match letter {
                'b' => format!("{magnitude:b}"),
                'o' => format!("{magnitude:o}"),
                'x' => format!("{magnitude:x}"),
                _ => format!("{magnitude:X}"),
            };
            let prefix = match letter {
                'x' | 'X' if verb.sharp => format!("0{letter}"),
                'o' if verb.sharp => "0".to_owned(),
                _ => String::new(),
            };
            signed(format!("{}{prefix}{digits}", if n < 0.0 { "-" } else { "" }), n < 0.0)
        }
        'f' | 'F' => {
            let n = number()?;
            signed(format!("{n:.*}", verb.precision.unwrap_or(6)), n < 0.0)
        }
        'e' | 'E' => {
            let n = number()?;
            let text = exponent(n, verb.precision.unwrap_or(6));
            signed(if letter == 'E' { text.to_uppercase() } else { text }, n < 0.0)
        }
        'g' | 'G' => {
            let n = number()?;
            let text = general(n, verb.precision);
            signed(if letter == 'G' { text.to_uppercase() } else { text }, n < 0.0)
        }
        _ => return Err(format!("`%{letter}` is not a verb")),
    })
}

fn exponent(n: f64, precision: usize) -> String {
    let text = format!("{n:.precision$e}");
    match text.split_once('e') {
        Some((digits, exp)) => {
            let exp: i32 = exp.parse().unwrap_or(0);
            format!("{digits}e{}{:02}", if exp < 0 { '-' } else { '+' }, exp.abs())
        }
        None => text,
    }
}

fn general(n: f64, precision: Option<usize>) -> String {
    if n == 0.0 {
        return "0".into();
    }
    let exp = n.abs().log10().floor() as i32;
    let limit = precision.map_or(6, |p| p.max(1) as i32);
    if exp < -4 || exp >= limit {
        // Without a precision as many digits as the number has.
        let own = || format!("{n:e}").split('e').next().map_or(0, |d| d.bytes().filter(u8::is_ascii_digit).count() - 1);
        let text = exponent(n, precision.map_or_else(own, |p| p.max(1) - 1));
        return match text.split_once('e') {
            Some((digits, exp)) if digits.contains('.') => {
                format!("{}e{exp}", digits.trim_end_matches('0').trim_end_matches('.'))
            }
            _ => text,
        };
    }
    match precision {
        Some(p) => {
            let decimals = (p.max(1) as i32 - 1 - exp).max(0) as usize;
            let text = format!("{n:.decimals$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
        None => number_text(n),
    }
}
