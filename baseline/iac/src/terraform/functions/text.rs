//! Text.

use super::{Args, Out};
use crate::value::{Members, Val};
use regex::Regex;
use unicode_segmentation::UnicodeSegmentation;

pub(super) fn call(name: &str, args: &Args<'_>) -> Option<Out> {
    let one = |f: &dyn Fn(&str) -> String| args.text(0).and_then(|t| args.str(f(&t)));
    let two = |f: &dyn Fn(&str, &str) -> String| {
        let (a, b) = (args.text(0)?, args.text(1)?);
        args.str(f(&a, &b))
    };
    let test = |f: &dyn Fn(&str, &str) -> bool| {
        let (a, b) = (args.text(0)?, args.text(1)?);
        args.bool(f(&a, &b))
    };
    Some(match name {
        "upper" => one(&|t| t.chars().map(|c| single(c.to_uppercase(), c)).collect()),
        "lower" => one(&|t| t.chars().map(|c| single(c.to_lowercase(), c)).collect()),
        "title" => one(&title),
        "trimspace" => one(&|t| t.trim().to_owned()),
        "chomp" => one(&|t| t.trim_end_matches(['\n', '\r']).to_owned()),
        "strrev" => one(&|t| t.graphemes(true).rev().collect()),
        "trim" => two(&|t, set| t.trim_matches(|c| set.contains(c)).to_owned()),
        "trimprefix" => two(&|t, p| t.strip_prefix(p).unwrap_or(t).to_owned()),
        "trimsuffix" => two(&|t, s| t.strip_suffix(s).unwrap_or(t).to_owned()),
        "strcontains" => test(&|t, part| t.contains(part)),
        "startswith" => test(&|t, part| t.starts_with(part)),
        "endswith" => test(&|t, part| t.ends_with(part)),
        "split" => split(args),
        "substr" => substr(args),
        "indent" => match args.int(0) {
            Ok(..0) => Err("the number of blanks must not be negative".into()),
            _ => indent(args),
        },
        "replace" => replace(args),
        "regex" => regex(args),
        "regexall" => regexall(args),
        _ => return None,
    })
}

/// The other case of a letter where that is one letter; `ß` stays `ß`.
fn single(mut other: impl Iterator<Item = char>, c: char) -> char {
    match (other.next(), other.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn title(text: &str) -> String {
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if start && c.is_alphabetic() {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        start = !(c.is_alphanumeric() || c == '_');
    }
    out
}

fn split(args: &Args<'_>) -> Out {
    let (by, text) = (args.text(0)?, args.text(1)?);
    if by.is_empty() {
        return args.texts(text.chars().map(String::from));
    }
    args.texts(text.split(&by).map(str::to_owned))
}

fn substr(args: &Args<'_>) -> Out {
    let text = args.text(0)?;
    let (offset, length) = (args.int(1)?, args.int(2)?);
    let clusters: Vec<&str> = text.graphemes(true).collect();
    let len = clusters.len() as i64;
    let start = if offset < 0 { (len + offset).max(0) } else { offset.min(len) };
    let end = if length < 0 { len } else { start.saturating_add(length).min(len) };
    args.str(clusters.get(start as usize..end.max(start) as usize).unwrap_or(&[]).concat())
}

fn indent(args: &Args<'_>) -> Out {
    let spaces = args.int(0)?.clamp(0, 4096) as usize;
    args.str(args.text(1)?.replace('\n', &format!("\n{}", " ".repeat(spaces))))
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let built = regex::RegexBuilder::new(pattern).size_limit(2 << 20).build();
    built.map_err(|e| format!("{pattern:?} is not a regular expression: {e}"))
}

/// A pattern whose groups are either all named or all not: the result is a map or a list.
fn grouped(pattern: &str) -> Result<Regex, String> {
    let regex = compile(pattern)?;
    let named = regex.capture_names().skip(1).flatten().count();
    if named == 0 || named + 1 == regex.captures_len() {
        Ok(regex)
    } else {
        Err("named and unnamed groups cannot be mixed".into())
    }
}

fn replace(args: &Args<'_>) -> Out {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    let pattern = from.strip_prefix('/').and_then(|f| f.strip_suffix('/')).filter(|_| from.len() > 1);
    if let Some(pattern) = pattern {
        return args.str(compile(pattern)?.replace_all(&text, to.as_str()).into_owned());
    }
    if from.is_empty() && text.len().saturating_mul(to.len()) > (1 << 20) {
        return Err("the result is too long".into());
    }
    let longest = text.len() / from.len().max(1) * to.len();
    if longest > super::MAX_TEXT { Err("the result is too long".into()) } else { args.str(text.replace(&from, &to)) }
}

fn captured(pattern: &Regex, found: &regex::Captures<'_>, args: &Args<'_>) -> Val {
    let part = |i: usize| found.get(i).map_or_else(|| Val::null(args.span), |m| Val::str(m.as_str(), args.span));
    let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
    if names.is_empty() {
        return part(0);
    }
    if names.iter().any(Option::is_some) {
        let named = names.iter().enumerate().filter_map(|(i, n)| Some(((*n)?.into(), part(i + 1))));
        return Val::map(named.collect::<Members>(), args.span);
    }
    Val::list((1..=names.len()).map(part).collect(), args.span)
}

fn regex(args: &Args<'_>) -> Out {
    let (pattern, text) = (grouped(&args.text(0)?)?, args.text(1)?);
    match pattern.captures(&text) {
        Some(found) => Ok(captured(&pattern, &found, args)),
        None => Err("the pattern does not match".into()),
    }
}

fn regexall(args: &Args<'_>) -> Out {
    let (pattern, text) = (grouped(&args.text(0)?)?, args.text(1)?);
    let all = pattern.captures_iter(&text).map(|found| captured(&pattern, &found, args)).collect();
    Ok(Val::list(all, args.span))
}
