//! The functions of the language.
//!
//! A function that can say something about values that are partly unknown does (a merge, a join, a format); any other
//! gives an unknown when one of its arguments is not known.

mod collection;
mod date;
pub(super) mod encoding;
mod files;
mod format;
mod hash;
mod net;
mod numeric;
mod text;

use super::ast::{CallExpr, Expr};
use super::eval::{Env, Fault, MAX_TEXT, Res};
use super::types::{to_number, to_string, type_name};
use super::world::World;
use crate::source::Span;
use crate::value::{Data, Val, WhyKind};

/// Functions that look at every part of their arguments, to give them one type.
const UNIFYING: [&str; 12] = [
    "chunklist",
    "coalesce",
    "concat",
    "distinct",
    "matchkeys",
    "setintersection",
    "setproduct",
    "setsubtract",
    "setunion",
    "tolist",
    "tomap",
    "toset",
];

/// What a function gives: a value, or what is wrong with its arguments.
pub(crate) type Out = Result<Val, String>;

/// The arguments of a call.
pub(super) struct Args<'a> {
    pub all: &'a [Val],
    pub span: Span,
}

impl<'a> Args<'a> {
    pub(super) fn get(&self, i: usize) -> Result<&'a Val, String> {
        self.all.get(i).ok_or_else(|| format!("argument {} is missing", i + 1))
    }

    pub(super) fn text(&self, i: usize) -> Result<String, String> {
        let val = self.get(i)?;
        match to_string(val).as_ref().and_then(Val::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("argument {} must be text, found {}", i + 1, type_name(val))),
        }
    }

    pub(super) fn number(&self, i: usize) -> Result<f64, String> {
        let val = self.get(i)?;
        let number = to_number(val).and_then(|n| n.as_f64());
        number.ok_or_else(|| format!("argument {} must be a number, found {}", i + 1, type_name(val)))
    }

    pub(super) fn int(&self, i: usize) -> Result<i64, String> {
        let number = self.number(i)?;
        if number.fract() == 0.0 && number.abs() < 9e15 {
            Ok(number as i64)
        } else {
            Err(format!("argument {} must be a whole number", i + 1))
        }
    }

    pub(super) fn list(&self, i: usize) -> Result<&'a [Val], String> {
        let val = self.get(i)?;
        val.as_list().ok_or_else(|| format!("argument {} must be a list, found {}", i + 1, type_name(val)))
    }

    pub(super) fn str(&self, text: impl Into<std::sync::Arc<str>>) -> Out {
        Ok(Val::str(text, self.span))
    }

    pub(super) fn bool(&self, b: bool) -> Out {
        Ok(Val::bool(b, self.span))
    }

    pub(super) fn num(&self, f: f64) -> Out {
        if !f.is_finite() { Err("the result is not a number".into()) } else { Ok(Val::num(f, self.span)) }
    }

    pub(super) fn texts(&self, items: impl IntoIterator<Item = String>) -> Out {
        Ok(Val::list(items.into_iter().map(|t| Val::str(t, self.span)).collect(), self.span))
    }
}

impl World<'_> {
    /// A function call.
    pub(super) fn call(&mut self, env: &mut Env, call: &CallExpr, span: Span) -> Res {
        let name = &*call.name;
        match name {
            "try" => return self.call_try(env, &call.args, span),
            "can" => return self.call_can(env, &call.args, span),
            _ if name.contains("::") => {
                return Ok(Val::unknown(WhyKind::Function, self.source_text(span), "a provider computes it", span));
            }
            _ => {}
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.eval(env, arg)?);
        }
        if call.spread
            && let Some(last) = args.pop()
        {
            match last.as_list() {
                Some(items) => args.extend(items.iter().cloned()),
                None if last.is_unknown() => return Ok(self.unknown_of(&[last], span)),
                None => return Err(Fault::new(span, format!("`...` needs a list, found {}", type_name(&last)))),
            }
        }
        let work: usize =
            args.iter().map(|v| v.as_str().map_or(0, |s| s.len() / 64) + v.as_list().map_or(0, <[Val]>::len)).sum();
        self.spend(work, span)?;
        if UNIFYING.contains(&name) {
            args.iter().try_for_each(|v| self.spend_on(v, span))?;
        }
        let mut result = self.dispatch(name, &args, span)?;
        if !matches!(name, "nonsensitive" | "issensitive") {
            let inner = |v: &Val| v.sensitive || v.as_list().is_some_and(|l| l.iter().any(|v| v.sensitive));
            result.sensitive |=
                args.iter().any(|v| v.sensitive) || (result.as_list().is_none() && args.iter().any(inner));
        }
        if result.as_str().is_some_and(|t| t.len() > MAX_TEXT) {
            return Err(Fault::new(span, "the text is too long"));
        }
        let made = result.as_list().map_or(0, <[Val]>::len);
        self.spend(made, span)?;
        Ok(result)
    }

    fn dispatch(&mut self, name: &str, args: &[Val], span: Span) -> Res {
        let wrong = |message: String| Fault::new(span, format!("{name}: {message}"));
        if let Some(out) = self.file_function(name, args, span) {
            return out.map_err(|m| if m.span() == Span::default() { wrong(m.message().to_owned()) } else { m });
        }
        if let Some((least, most)) = arity(name)
            && !(least..=most).contains(&args.len())
        {
            return Err(wrong(format!("{} arguments are given", args.len())));
        }
        let given = Args { all: args, span };
        if let Some(out) = open(name, &given) {
            return match out {
                Ok(Some(val)) => Ok(val),
                Ok(None) => Ok(self.unknown_of(args, span)),
                Err(message) => Err(wrong(message)),
            };
        }
        if let Some(detail) = each_time(name) {
            return Ok(Val::unknown(WhyKind::Function, self.source_text(span), detail, span));
        }
        if args.iter().any(|v| !v.is_known()) {
            return if known(name) { Ok(self.unknown_of(args, span)) } else { Err(no_function(name, span)) };
        }
        match strict(name, &given) {
            Some(Ok(val)) => Ok(val),
            Some(Err(message)) => Err(wrong(message)),
            None => Err(no_function(name, span)),
        }
    }

    fn call_try(&mut self, env: &mut Env, args: &[Expr], span: Span) -> Res {
        let mut last = None;
        for arg in args {
            match self.eval(env, arg) {
                Ok(val) => return Ok(val),
                Err(fault) if self.too_deep || self.steps == 0 => return Err(fault),
                Err(fault) => last = Some(fault),
            }
        }
        let why = last.map(|f| f.message().to_owned()).unwrap_or_else(|| "it has no arguments".into());
        Err(Fault::new(span, format!("try: no argument can be evaluated; the last: {why}")))
    }

    fn call_can(&mut self, env: &mut Env, args: &[Expr], span: Span) -> Res {
        let [arg] = args else { return Err(Fault::new(span, "can: one argument was expected")) };
        Ok(match self.eval(env, arg) {
            Ok(val) if matches!(val.data, Data::Unknown(_)) => self.unknown_of(&[val], span),
            Ok(_) => Val::bool(true, span),
            Err(fault) if self.too_deep || self.steps == 0 => return Err(fault),
            Err(_) => Val::bool(false, span),
        })
    }
}

fn no_function(name: &str, span: Span) -> Fault {
    Fault::new(span, format!("there is no function `{name}`"))
}

/// How many arguments a function takes at least and at most, of those whose own reading of them would not tell.
fn arity(name: &str) -> Option<(usize, usize)> {
    const ANY: usize = usize::MAX;
    Some(match name {
        "abs" | "alltrue" | "anytrue" | "base64decode" | "base64encode" | "ceil" | "chomp" | "compact"
        | "csvdecode" | "distinct" | "flatten" | "floor" | "jsondecode" | "jsonencode" | "keys" | "length"
        | "lower" | "md5" | "one" | "reverse" | "sha1" | "sha256" | "sha512" | "signum" | "sort" | "strrev" | "sum"
        | "title" | "tobool" | "tolist" | "tomap" | "tonumber" | "toset" | "tostring" | "transpose" | "trimspace"
        | "upper" | "urlencode" | "values" | "yamldecode" | "yamlencode" => (1, 1),
        "chunklist" | "cidrhost" | "contains" | "element" | "endswith" | "formatdate" | "indent" | "index" | "log"
        | "parseint" | "pow" | "regex" | "regexall" | "setsubtract" | "split" | "startswith" | "strcontains"
        | "timeadd" | "timecmp" | "trim" | "trimprefix" | "trimsuffix" | "zipmap" => (2, 2),
        "cidrsubnet" | "matchkeys" | "replace" | "slice" | "substr" => (3, 3),
        "lookup" => (2, 3),
        "range" => (1, 3),
        "concat" | "max" | "min" | "setunion" | "setintersection" => (1, ANY),
        "join" => (2, ANY),
        _ => return None,
    })
}

/// Functions whose result is new each time, or that the scan cannot compute.
fn each_time(name: &str) -> Option<&'static str> {
    Some(match name {
        "timestamp" | "plantimestamp" => "the time of the run",
        "uuid" | "bcrypt" => "different each time",
        "rsadecrypt" => "needs a private key",
        "base64gzip" => "compressed text is not computed",
        _ => return None,
    })
}

/// Functions that see unknown arguments themselves; none inside when the result is not known.
fn open(name: &str, args: &Args<'_>) -> Option<Result<Option<Val>, String>> {
    collection::open(name, args).or_else(|| format::open(name, args)).or_else(|| encoding::open(name, args))
}

/// Functions of wholly known arguments.
fn strict(name: &str, args: &Args<'_>) -> Option<Out> {
    numeric::call(name, args)
        .or_else(|| text::call(name, args))
        .or_else(|| collection::strict(name, args))
        .or_else(|| encoding::strict(name, args))
        .or_else(|| hash::call(name, args))
        .or_else(|| net::call(name, args))
        .or_else(|| date::call(name, args))
}

/// Whether there is such a function, asked when its arguments are not known.
fn known(name: &str) -> bool {
    strict(name, &Args { all: &[], span: Span::default() }).is_some()
}

#[cfg(test)]
mod tests;
