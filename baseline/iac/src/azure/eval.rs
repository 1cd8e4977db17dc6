//! Expressions to values, within one deployment.

use super::deploy::{Deployment, Reader};
use super::expr::{Binary, Expr, Kind, Loop, Prop, Unary};
use super::{arrays, functions};
use crate::blend::{brief, either};
use crate::source::Span;
use crate::value::{Data, Members, Part, Step, Val, WhyKind};
use std::rc::Rc;
use std::sync::Arc;

/// Evaluation nested deeper than this gives an unknown: it is a function that calls itself, or a bomb.
const MAX_DEPTH: usize = 240;
/// Lists longer than this are not made.
pub(crate) const MAX_ITEMS: usize = 20_000;
/// Texts longer than this are not made.
pub(crate) const MAX_TEXT: usize = 4 << 20;
/// Values with more parts than this are not kept.
const MAX_PARTS: usize = 300_000;

/// Names bound by loops and lambdas, innermost first.
#[derive(Clone, Copy)]
pub(crate) struct Env<'e> {
    pub pairs: &'e [(Rc<str>, Val)],
    pub up: Option<&'e Env<'e>>,
}

pub(crate) type Scope<'e> = Option<&'e Env<'e>>;

/// The names a loop binds: item and position in Bicep, the copy's name in ARM.
pub(crate) type LoopNames<'n> = (Option<&'n Rc<str>>, Option<&'n Rc<str>>, Option<&'n Rc<str>>);

/// The value bound to a name.
pub(crate) fn bound<'e>(mut env: Scope<'e>, name: &str) -> Option<&'e Val> {
    while let Some(here) = env {
        if let Some((_, val)) = here.pairs.iter().find(|(n, _)| **n == *name) {
            return Some(val);
        }
        env = here.up;
    }
    None
}

pub(crate) fn limit(what: &str, span: Span) -> Val {
    Val::unknown(WhyKind::Limit, what, format!("{what}: too large to compute here"), span)
}

pub(crate) fn wrong(expr: &str, detail: impl Into<Arc<str>>, span: Span) -> Val {
    Val::unknown(WhyKind::Error, expr, detail, span)
}

/// An unknown result because of an argument that is not known: its reason is kept.
pub(crate) fn unclear(function: &str, argument: &Val, span: Span) -> Val {
    let mut val = match argument.why() {
        Some(why) => Val::unknown(why.kind, format!("{function}({})", brief(&why.expr)), &*why.detail, span),
        None => {
            let detail = "known after deployment";
            Val::unknown(WhyKind::Apply, format!("{function}({})", brief(&argument.describe())), detail, span)
        }
    };
    val.sensitive = argument.sensitive;
    match argument.edge() {
        Some(edge) => val.through(Step::Resource(edge.clone()), span),
        None => val,
    }
}

/// The value, unless it has grown beyond all use.
pub(crate) fn bounded(val: Val, what: &str) -> Val {
    fn count(val: &Val, left: &mut usize, depth: usize) {
        if *left == 0 || depth > 400 {
            *left = 0;
            return;
        }
        *left -= 1;
        match &val.data {
            Data::List(items) | Data::Set(items) => items.iter().for_each(|v| count(v, left, depth + 1)),
            Data::Map(members) => members.values().for_each(|v| count(v, left, depth + 1)),
            Data::Doc(doc) => count(&doc.value, left, depth + 1),
            _ => {}
        }
    }
    let mut left = MAX_PARTS;
    count(&val, &mut left, 0);
    if left == 0 { limit(what, val.span) } else { val }
}

impl Reader<'_> {
    pub(crate) fn eval(&mut self, d: &Rc<Deployment>, env: Scope<'_>, expr: &Expr) -> Val {
        let span = d.span(expr);
        if self.steps == 0 || self.depth >= MAX_DEPTH {
            return limit("evaluation", span);
        }
        self.steps -= 1;
        self.depth += 1;
        let val = self.eval_kind(d, env, expr, span);
        self.depth -= 1;
        val
    }

    fn eval_kind(&mut self, d: &Rc<Deployment>, env: Scope<'_>, expr: &Expr, span: Span) -> Val {
        match &expr.kind {
            Kind::Null => Val::null(span),
            Kind::Bool(b) => Val::bool(*b, span),
            Kind::Int(i) => Val::int(*i, span),
            Kind::Double(f) => Val::num(*f, span),
            Kind::Str(text) => Val::str(&**text, span),
            Kind::Interp(pieces) => {
                let vals: Vec<Val> = pieces.iter().map(|p| self.eval(d, env, p)).collect();
                joined(&vals, span)
            }
            Kind::Array(_) => self.array(d, env, expr, span),
            Kind::Object(props) => self.object(d, env, props, span),
            Kind::Name(name) => self.name(d, env, name, span),
            Kind::Call(name, args) => functions::call(self, d, env, name, args, span),
            Kind::Method(of, name, args) => self.method(d, env, of, name, args, span),
            Kind::Member { of, name, safe } => {
                if let Kind::Name(alias) = &of.kind
                    && bound(env, alias).is_none()
                    && let Some(library) = d.library(alias)
                {
                    return self.variable(&library, name, span);
                }
                let of = self.eval(d, env, of);
                self.member(d, &of, name, *safe, span)
            }
            Kind::Index { of, index, safe, from_end } => {
                let of = self.eval(d, env, of);
                let index = self.eval(d, env, index);
                self.index(d, &of, &index, *safe, *from_end, span)
            }
            Kind::Nested(of, name) => {
                let of = self.eval(d, env, of);
                match &of.data {
                    Data::Ref(r) => Val::reference(format!("{}::{name}", r.address), "", span),
                    _ => wrong(name, "only a resource has nested resources", span),
                }
            }
            Kind::Unary(operator, operand) => {
                let val = self.eval(d, env, operand);
                match (operator, &val.data) {
                    (Unary::Not, Data::Bool(b)) => Val::bool(!b, span),
                    (Unary::Minus, Data::Int(i)) => {
                        i.checked_neg().map_or_else(|| limit("-", span), |i| Val::int(i, span))
                    }
                    _ if val.is_unknown() => unclear(if *operator == Unary::Not { "!" } else { "-" }, &val, span),
                    _ => wrong("operator", "the operand has another type", span),
                }
            }
            Kind::Binary(operator, a, b) => self.binary(d, env, *operator, a, b, span),
            Kind::Ternary(condition, yes, no) => self.choose(d, env, condition, yes, no, span),
            Kind::If(condition, body) => match self.eval(d, env, condition).as_bool() {
                Some(false) => Val::null(span),
                _ => self.eval(d, env, body),
            },
            Kind::Lambda(..) => wrong("=>", "a lambda is only an argument", span),
            Kind::For(each) => self.for_list(d, env, each, span),
        }
    }

    fn array(&mut self, d: &Rc<Deployment>, env: Scope<'_>, expr: &Expr, span: Span) -> Val {
        let Kind::Array(items) = &expr.kind else { return Val::null(span) };
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let val = self.eval(d, env, &item.value);
            if !item.spread {
                out.push(val);
                continue;
            }
            match &val.data {
                Data::List(more) if out.len() + more.len() <= MAX_ITEMS => out.extend(more.iter().cloned()),
                Data::List(_) => return limit("list", span),
                Data::Null => {}
                _ => return unclear("...", &val, span),
            }
        }
        Val::list(out, span)
    }

    fn object(&mut self, d: &Rc<Deployment>, env: Scope<'_>, props: &[Prop], span: Span) -> Val {
        let mut out = Members::new();
        for prop in props {
            match prop {
                Prop::Pair(key, value) => {
                    let name: Arc<str> = match key.literal() {
                        Some(name) => (&**name).into(),
                        None => self.eval(d, env, key).describe().into(),
                    };
                    out.insert(name, self.eval(d, env, value));
                }
                Prop::Spread(value) => {
                    let val = self.eval(d, env, value);
                    match &val.data {
                        Data::Map(members) => out.extend(members.iter().map(|(k, v)| (k.clone(), v.clone()))),
                        Data::Null => {}
                        _ => return unclear("...", &val, span),
                    }
                }
            }
        }
        Val::map(out, span)
    }

    /// What a bare name means: a loop or lambda variable, parameter, variable, resource, module or import.
    fn name(&mut self, d: &Rc<Deployment>, env: Scope<'_>, name: &str, span: Span) -> Val {
        if let Some(val) = bound(env, name) {
            return val.clone();
        }
        if let Some(val) = d.captured(name) {
            return val;
        }
        if d.has_param(name) {
            return self.parameter(d, name, span);
        }
        if d.has_variable(name) {
            return self.variable(d, name, span);
        }
        if let Some(address) = d.symbol(name) {
            return Val::reference(address, "", span);
        }
        if let Some((library, theirs)) = d.imported(name) {
            return self.variable(&library, &theirs, span);
        }
        if d.missing_import(name) {
            let detail = "imported from a file that is not in the repository";
            return Val::unknown(WhyKind::Module, name, detail, span);
        }
        wrong(name, format!("the file declares no `{name}`"), span)
    }

    /// The value of `of.name`.
    pub(crate) fn member(&mut self, d: &Rc<Deployment>, of: &Val, name: &str, safe: bool, span: Span) -> Val {
        match &of.data {
            Data::Map(members) => {
                let found = members
                    .get(name)
                    .or_else(|| members.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v));
                match found {
                    Some(val) => {
                        let mut val = val.clone();
                        val.sensitive |= of.sensitive;
                        if val.prov.is_none() { carry(val, of) } else { val }
                    }
                    None if safe => Val::null(span),
                    None => wrong(name, format!("the object has no member `{name}`"), span),
                }
            }
            Data::Ref(r) => self.of_resource(d, r, name, of, span),
            Data::Null if safe => Val::null(span),
            Data::Unknown(why) => {
                let mut val = Val::unknown(why.kind, format!("{}.{name}", brief(&why.expr)), why.detail.clone(), span);
                val.sensitive = of.sensitive;
                val.prov = of.prov.clone();
                val
            }
            Data::Partial(_) => unclear(name, of, span),
            Data::Null => wrong(name, format!("`{name}` of null"), span),
            _ => wrong(name, format!("only an object has members such as `{name}`"), span),
        }
    }

    fn of_resource(&mut self, d: &Rc<Deployment>, r: &crate::value::Ref, name: &str, of: &Val, span: Span) -> Val {
        if r.path.is_empty()
            && matches!(name, "name" | "type" | "apiVersion")
            && let Some(val) = self.identity(d, &r.address, name, span)
        {
            let edge = crate::value::Ref { address: r.address.clone(), path: name.into() };
            return val.through(Step::Resource(edge), span);
        }
        let path = if r.path.is_empty() { name.to_owned() } else { format!("{}.{name}", r.path) };
        if let Some(rest) = path.strip_prefix("outputs.")
            && let Some(val) = self.module_output(d, &r.address, rest, span)
        {
            return val;
        }
        let mut val = Val::reference(r.address.clone(), path, span);
        val.sensitive = of.sensitive;
        val
    }

    /// The value of `of[index]`.
    pub(crate) fn index(
        &mut self,
        d: &Rc<Deployment>,
        of: &Val,
        index: &Val,
        safe: bool,
        from_end: bool,
        span: Span,
    ) -> Val {
        match (&of.data, &index.data) {
            (Data::Ref(r), Data::Int(i)) if r.path.is_empty() => {
                Val::reference(format!("{}[{i}]", r.address), "", span)
            }
            (Data::Ref(r), Data::Int(i)) => Val::reference(r.address.clone(), format!("{}[{i}]", r.path), span),
            (Data::Ref(r), Data::Unknown(_) | Data::Ref(_) | Data::Partial(_)) if r.path.is_empty() => {
                Val::reference(format!("{}[*]", r.address), "", span)
            }
            (_, Data::Str(name)) => self.member(d, of, name, safe, span),
            (Data::List(items), Data::Int(i)) => {
                let at = usize::try_from(*i).ok();
                let at = if from_end { at.and_then(|i| items.len().checked_sub(i)) } else { at };
                match at.and_then(|at| items.get(at)) {
                    Some(val) => {
                        let mut val = val.clone();
                        val.sensitive |= of.sensitive;
                        if val.prov.is_none() { carry(val, of) } else { val }
                    }
                    None if safe => Val::null(span),
                    None => wrong("[]", format!("the list has no item {i}"), span),
                }
            }
            (Data::Null, _) if safe => Val::null(span),
            (Data::Unknown(_) | Data::Partial(_) | Data::Ref(_), _) => unclear("[]", of, span),
            (Data::List(items), _) if index.is_unknown() && items.iter().all(|v| Some(v) == items.first()) => {
                items.first().cloned().unwrap_or_else(|| wrong("[]", "the list is empty", span))
            }
            // A table looked up by an unknown key is known as far as its rows agree.
            (Data::Map(members), _) if index.is_unknown() => {
                let mut rows = members.values();
                let Some(first) = rows.next().filter(|_| members.len() <= 64) else {
                    return unclear("[]", index, span);
                };
                let on = brief(&index.describe());
                let blend = rows.try_fold(first.clone(), |all, row| either(Some(all), Some(row.clone()), &on, span));
                match blend {
                    Some(val) if val.is_unknown() => unclear("[]", index, span),
                    Some(val) => val,
                    None => unclear("[]", index, span),
                }
            }
            _ if index.is_unknown() => unclear("[]", index, span),
            _ => wrong("[]", "nothing can be looked up there", span),
        }
    }

    fn method(&mut self, d: &Rc<Deployment>, env: Scope<'_>, of: &Expr, name: &str, args: &[Expr], span: Span) -> Val {
        if let Kind::Name(space) = &of.kind
            && bound(env, space).is_none()
        {
            if let Some(library) = d.library(space) {
                return self.user_function(&library, name, d, env, args, span);
            }
            if matches!(&**space, "sys" | "az") && d.symbol(space).is_none() {
                return functions::builtin(self, d, env, name, args, span);
            }
            let full = format!("{space}.{name}");
            if d.has_function(&full) {
                return self.user_function(d, &full, d, env, args, span);
            }
            if d.missing_import(space) {
                let detail = "imported from a file that is not in the repository";
                return Val::unknown(WhyKind::Module, full, detail, span);
            }
        }
        let of = self.eval(d, env, of);
        let secret = name.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("list")) || name == "getSecret";
        let described = format!("{}.{name}()", brief(&of.describe()));
        let mut val = Val::unknown(WhyKind::Lookup, described, "asked of the provider at deployment", span);
        val.sensitive = secret;
        match of.edge() {
            Some(edge) => val.through(Step::Resource(edge.clone()), span),
            None => val,
        }
    }

    /// Calls a user-defined function of `home` with arguments evaluated where the call stands.
    pub(crate) fn user_function(
        &mut self,
        home: &Rc<Deployment>,
        name: &str,
        d: &Rc<Deployment>,
        env: Scope<'_>,
        args: &[Expr],
        span: Span,
    ) -> Val {
        let template = home.template.clone();
        let Some(function) = template.functions.iter().find(|f| f.name.eq_ignore_ascii_case(name)) else {
            if let Some((library, theirs)) = home.imported(name) {
                return self.user_function(&library, &theirs, d, env, args, span);
            }
            return wrong(name, format!("no function `{name}`"), span);
        };
        let vals: Vec<Val> = function
            .params
            .iter()
            .enumerate()
            .map(|(i, _)| args.get(i).map_or_else(|| Val::null(span), |a| self.eval(d, env, a)))
            .collect();
        self.with_names(&function.params, &vals, None, |r, env| r.eval(home, env, &function.body))
    }

    /// Runs with names bound to values.
    pub(crate) fn with_names<T>(
        &mut self,
        names: &[Rc<str>],
        vals: &[Val],
        env: Scope<'_>,
        run: impl FnOnce(&mut Self, Scope<'_>) -> T,
    ) -> T {
        let pairs: Vec<(Rc<str>, Val)> = names.iter().cloned().zip(vals.iter().cloned()).collect();
        run(self, Some(&Env { pairs: &pairs, up: env }))
    }

    fn binary(&mut self, d: &Rc<Deployment>, env: Scope<'_>, operator: Binary, a: &Expr, b: &Expr, span: Span) -> Val {
        let left = self.eval(d, env, a);
        match operator {
            Binary::Coalesce => match &left.data {
                Data::Null => return self.eval(d, env, b),
                Data::Unknown(why) => {
                    let right = self.eval(d, env, b);
                    if right == left {
                        return left;
                    }
                    // A parameter without a value is what `??` is written for, yet someone may give it one.
                    let detail = format!("{} or, when that is null, {}", why.expr, brief(&right.describe()));
                    let mut val = Val::unknown(why.kind, format!("{} ?? …", brief(&why.expr)), detail, span);
                    val.sensitive = left.sensitive || right.sensitive;
                    return val;
                }
                _ => return left,
            },
            Binary::Or | Binary::And => {
                let decides = operator == Binary::Or;
                if left.as_bool() == Some(decides) {
                    return Val::bool(decides, span);
                }
                let right = self.eval(d, env, b);
                return match (left.as_bool(), right.as_bool()) {
                    (_, Some(r)) if r == decides => Val::bool(decides, span),
                    (Some(_), Some(r)) => Val::bool(r, span),
                    (None, _) => unclear(if decides { "||" } else { "&&" }, &left, span),
                    (_, None) => unclear(if decides { "||" } else { "&&" }, &right, span),
                };
            }
            _ => {}
        }
        let right = self.eval(d, env, b);
        operate(operator, &left, &right, span)
    }

    /// `condition ? yes : no`; only the branch taken is evaluated when the condition is known.
    pub(crate) fn choose(
        &mut self,
        d: &Rc<Deployment>,
        env: Scope<'_>,
        condition: &Expr,
        yes: &Expr,
        no: &Expr,
        span: Span,
    ) -> Val {
        let condition = self.eval(d, env, condition);
        match &condition.data {
            Data::Bool(true) => self.eval(d, env, yes),
            Data::Bool(false) => self.eval(d, env, no),
            _ => {
                let on = condition.describe();
                let yes = self.eval(d, env, yes);
                let no = self.eval(d, env, no);
                either(Some(yes), Some(no), &brief(&on), span).unwrap_or_else(|| Val::null(span))
            }
        }
    }

    fn for_list(&mut self, d: &Rc<Deployment>, env: Scope<'_>, each: &Loop, span: Span) -> Val {
        let over = self.eval(d, env, &each.over);
        let items = match rounds(&over, each.copy.is_some()) {
            Ok(items) => items,
            Err(true) => return limit("loop", span),
            Err(false) => {
                let detail = format!("the loop runs over {}, which is not known", brief(&over.describe()));
                return Val::unknown(WhyKind::Repeat, "for", detail, span);
            }
        };
        // In a template in JSON `copyIndex()` without a name counts the loop of the resource, also inside one of its values.
        let outer = each.copy.as_ref().and_then(|_| bound(env, "copy:").cloned().or_else(|| d.captured("copy:")));
        let round = |r: &mut Self, env: Scope<'_>| {
            if let Kind::If(condition, body) = &each.body.kind {
                let keep = r.eval(d, env, condition);
                return (keep.as_bool() != Some(false)).then(|| r.eval(d, env, body));
            }
            Some(r.eval(d, env, &each.body))
        };
        let mut out = Vec::with_capacity(items.len());
        for (i, item) in items.into_iter().enumerate() {
            let index = Val::int(i64::try_from(i).unwrap_or(i64::MAX), span);
            let names = (each.item.as_ref(), each.index.as_ref(), each.copy.as_ref());
            let val = self.with_loop(names, (&item, &index), env, |r, env| match &outer {
                Some(outer) => r.with_names(&["copy:".into()], std::slice::from_ref(outer), env, round),
                None => round(r, env),
            });
            out.extend(val);
        }
        bounded(Val::list(out, span), "loop")
    }

    /// Runs one round of a loop with its names bound.
    pub(crate) fn with_loop<T>(
        &mut self,
        (item, index, copy): LoopNames<'_>,
        (value, at): (&Val, &Val),
        env: Scope<'_>,
        run: impl FnOnce(&mut Self, Scope<'_>) -> T,
    ) -> T {
        let mut pairs: Vec<(Rc<str>, Val)> = Vec::with_capacity(2);
        if let Some(copy) = copy {
            pairs.push((format!("copy:{}", copy.to_ascii_lowercase()).into(), at.clone()));
            pairs.push(("copy:".into(), at.clone()));
        }
        if let Some(name) = item {
            pairs.push((name.clone(), value.clone().through(Step::Each(Arc::from(&**name)), value.span)));
        }
        if let Some(name) = index {
            pairs.push((name.clone(), at.clone()));
        }
        run(self, Some(&Env { pairs: &pairs, up: env }))
    }
}

/// The items of a loop: of a list in Bicep, of a count in ARM. `Err(true)` when there are too many.
pub(crate) fn rounds(over: &Val, count: bool) -> Result<Vec<Val>, bool> {
    match &over.data {
        Data::List(items) if !count => {
            if items.len() > MAX_ITEMS {
                return Err(true);
            }
            // What is kept secret as a whole is kept secret in its parts.
            let secret = |v: &Val| Val { sensitive: v.sensitive || over.sensitive, ..v.clone() };
            Ok(items.iter().map(secret).collect())
        }
        Data::Int(n) if count => match usize::try_from(*n) {
            Ok(n) if n <= MAX_ITEMS => Ok(vec![Val::null(over.span); n]),
            Ok(_) => Err(true),
            Err(_) => Ok(Vec::new()),
        },
        Data::Null => Ok(Vec::new()),
        _ => Err(false),
    }
}

/// A part of a value keeps the way the whole came.
fn carry(mut val: Val, of: &Val) -> Val {
    val.prov = of.prov.as_ref().map(|p| {
        // The step's span is that of the value before it: the literal part, not the whole.
        Arc::new(crate::value::Prov { step: p.step.clone(), span: val.span, next: None })
    });
    val
}

/// Values joined into one text.
pub(crate) fn joined(vals: &[Val], span: Span) -> Val {
    if let [only] = vals
        && only.is_unknown()
    {
        return only.clone();
    }
    let mut parts = Vec::with_capacity(vals.len());
    let mut sensitive = false;
    let mut length = 0;
    for val in vals {
        sensitive |= val.sensitive;
        match &val.data {
            Data::Partial(inner) => parts.extend(inner.iter().cloned()),
            Data::Unknown(_) | Data::Ref(_) => parts.push(Part::Hole(val.clone())),
            _ => match text_of(val) {
                Some(text) => {
                    length += text.len();
                    parts.push(Part::Text(text.into()));
                }
                None => parts.push(Part::Hole(unclear("string", val, span))),
            },
        }
    }
    if length > MAX_TEXT || parts.len() > MAX_ITEMS {
        return limit("text", span);
    }
    let mut val = Val::from_parts(parts, span);
    val.sensitive |= sensitive;
    val
}

/// The text of a known value as templates write it: `True` and `False` for truth values, JSON for containers.
pub(crate) fn text_of(val: &Val) -> Option<String> {
    match &val.data {
        Data::Str(s) => Some(s.to_string()),
        Data::Bool(b) => Some(if *b { "True" } else { "False" }.to_owned()),
        Data::Int(i) => Some(i.to_string()),
        Data::Num(f) => Some(f.to_string()),
        Data::Null => Some(String::new()),
        Data::Doc(doc) => doc.text.as_ref().map(ToString::to_string),
        Data::List(_) | Data::Map(_) | Data::Set(_) => val.to_json().map(|json| json.to_string()),
        Data::Partial(_) | Data::Ref(_) | Data::Unknown(_) => None,
    }
}

/// An operator on two values.
pub(crate) fn operate(operator: Binary, a: &Val, b: &Val, span: Span) -> Val {
    use Binary::{
        Add, Div, Equal, EqualNoCase, Greater, GreaterEqual, Less, LessEqual, Mul, NotEqual, NotEqualNoCase, Rem, Sub,
    };
    match operator {
        Equal | NotEqual => match arrays::same(a, b) {
            Some(same) => Val::bool(same == (operator == Equal), span),
            None => unclear("==", if a.is_known() { b } else { a }, span),
        },
        EqualNoCase | NotEqualNoCase => match (a.as_str(), b.as_str()) {
            (Some(x), Some(y)) => Val::bool((x.to_lowercase() == y.to_lowercase()) == (operator == EqualNoCase), span),
            _ if a.is_unknown() || b.is_unknown() => unclear("=~", if a.is_unknown() { a } else { b }, span),
            _ => wrong("=~", "both sides must be text", span),
        },
        Less | LessEqual | Greater | GreaterEqual => {
            let order = match (a.as_f64(), b.as_f64(), a.as_str(), b.as_str()) {
                (Some(x), Some(y), ..) => x.partial_cmp(&y),
                (.., Some(x), Some(y)) => Some(x.cmp(y)),
                _ => None,
            };
            match order {
                Some(order) => Val::bool(
                    match operator {
                        Less => order.is_lt(),
                        LessEqual => order.is_le(),
                        Greater => order.is_gt(),
                        _ => order.is_ge(),
                    },
                    span,
                ),
                None if a.is_unknown() || b.is_unknown() => unclear("<", if a.is_unknown() { a } else { b }, span),
                None => wrong("<", "both sides must be numbers or texts", span),
            }
        }
        Add | Sub | Mul | Div | Rem => match (a.as_int(), b.as_int()) {
            (Some(x), Some(y)) => {
                let result = match operator {
                    Add => x.checked_add(y),
                    Sub => x.checked_sub(y),
                    Mul => x.checked_mul(y),
                    Div => x.checked_div(y),
                    _ => x.checked_rem(y),
                };
                result.map_or_else(|| wrong("arithmetic", "division by zero or overflow", span), |r| Val::int(r, span))
            }
            _ if a.is_unknown() || b.is_unknown() => unclear("arithmetic", if a.is_unknown() { a } else { b }, span),
            _ => wrong("arithmetic", "both sides must be whole numbers", span),
        },
        Binary::Coalesce | Binary::Or | Binary::And => wrong("operator", "handled where its operands are", span),
    }
}
