//! Expressions: evaluated with unknowns, as Terraform plans them.

use super::ast::{Binary, Expr, ForExpr, Kind, Op, Piece, TemplateFor};
use super::decimal;
use super::types::{self, type_name};
use super::unify;
use super::world::World;
use crate::source::Span;
use crate::value::{Data, Members, Part, Val, Why, WhyKind};
use std::sync::Arc;

/// An expression that cannot be evaluated: Terraform would refuse it.
#[derive(Debug, Clone)]
pub(crate) struct Fault(Arc<(Span, String)>);

impl Fault {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self(Arc::new((span, message.into())))
    }

    pub(crate) fn span(&self) -> Span {
        self.0.0
    }

    pub(crate) fn message(&self) -> &str {
        &self.0.1
    }
}

pub(crate) type Res = Result<Val, Fault>;

/// What names mean where an expression stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Env {
    /// The module instance.
    pub scope: usize,
    /// Loop variables, dynamic iterators and template variables; the last wins.
    pub names: Vec<(Arc<str>, Val)>,
    /// `each.key` and `each.value`.
    pub each: Option<(Val, Val)>,
    /// `count.index`.
    pub count: Option<Val>,
    /// The resource `self` means.
    pub this: Option<Val>,
    /// Whether only `names` are known (template files).
    pub closed: bool,
}

/// How deep evaluation may go: expressions inside values inside modules.
const MAX_DEPTH: u32 = 220;
/// The longest text, in bytes.
pub(crate) const MAX_TEXT: usize = 4 << 20;

impl World<'_> {
    /// The value of an expression.
    pub(crate) fn eval(&mut self, env: &mut Env, expr: &Expr) -> Res {
        match &expr.kind {
            Kind::Null => return Ok(Val::null(expr.span)),
            Kind::Bool(b) => return Ok(Val::bool(*b, expr.span)),
            Kind::Int(i) => return Ok(Val::int(*i, expr.span)),
            Kind::Num(f) => return Ok(Val::num(*f, expr.span)),
            Kind::Str(s) => return Ok(Val::str(s.clone(), expr.span)),
            _ => {}
        }
        self.spend(1, expr.span)?;
        if self.depth >= MAX_DEPTH {
            // What was met on the way must not be remembered as broken: from elsewhere it may be near enough.
            self.too_deep = true;
            return Err(Fault::new(expr.span, "evaluation goes too deep here"));
        }
        self.depth += 1;
        let result = self.eval_inner(env, expr);
        self.depth -= 1;
        result
    }

    fn eval_inner(&mut self, env: &mut Env, expr: &Expr) -> Res {
        match &expr.kind {
            Kind::Template(pieces) => self.eval_template(env, pieces, expr.span),
            Kind::Tuple(items) => {
                let items = items.iter().map(|e| self.eval(env, e)).collect::<Result<Vec<_>, _>>()?;
                Ok(Val::list(items, expr.span))
            }
            Kind::Object(items) => self.eval_object(env, items, expr.span),
            Kind::Name(_) => self.eval_name(env, expr, &[]),
            Kind::Traverse(base, ops) if matches!(base.kind, Kind::Name(_)) => {
                self.eval_name_at(env, base, ops, expr.span)
            }
            Kind::Traverse(base, ops) => {
                let base = self.eval(env, base)?;
                self.apply(env, base, ops, expr.span)
            }
            Kind::Call(call) => self.call(env, call, expr.span),
            Kind::Not(inner) => {
                let val = self.eval(env, inner)?;
                let val = self.truth(val, inner.span)?;
                Ok(match val.as_bool() {
                    Some(b) => Val { data: Data::Bool(!b), span: expr.span, ..val },
                    None => self.unknown_of(&[val], expr.span),
                })
            }
            Kind::Neg(inner) => {
                let val = self.eval(env, inner)?;
                let zero = Val::int(0, inner.span);
                self.binary(Binary::Sub, zero, val, expr.span)
            }
            Kind::Binary(b) => self.eval_binary(env, b.0, &b.1, &b.2, expr.span),
            Kind::Cond(c) => self.eval_cond(env, &c.0, &c.1, &c.2, expr.span),
            Kind::For(f) => self.eval_for(env, f, expr.span),
            _ => Ok(Val::null(expr.span)),
        }
    }

    /// Counts work; an expression that never ends well ends here.
    pub(crate) fn spend(&mut self, steps: usize, span: Span) -> Result<(), Fault> {
        self.steps = self.steps.saturating_sub(steps as u64);
        if self.steps > 0 {
            return Ok(());
        }
        Err(match self.instances.len() > self.room {
            true => Fault::new(span, format!("not evaluated: the root module has more than {} instances", self.room)),
            false => Fault::new(span, "evaluation takes too many steps"),
        })
    }

    /// An unknown in place of an expression at `span`, because some of `from` is not known.
    pub(crate) fn unknown_of(&self, from: &[Val], span: Span) -> Val {
        let mut val = Val::new(self.why_of(from, span), span);
        val.sensitive = from.iter().any(|v| v.sensitive);
        val
    }

    fn why_of(&self, from: &[Val], span: Span) -> Data {
        let mut kind = WhyKind::Apply;
        let mut detail: Arc<str> = "known after apply".into();
        let mut found = false;
        for val in from {
            val.walk("", 0, &mut |_, v| {
                if !found && v.is_unknown() {
                    found = true;
                    if let Some(why) = v.why() {
                        kind = why.kind;
                        detail = why.detail.clone();
                    } else {
                        detail = format!("depends on {}", v.describe()).into();
                    }
                }
            });
        }
        Data::Unknown(Arc::new(Why { kind, expr: self.source_text(span), detail, span }))
    }

    /// The source of a span on one line, shortened.
    pub(crate) fn source_text(&self, span: Span) -> Arc<str> {
        let text = self.sources.text(span);
        let mut out: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if out.chars().count() > 120 {
            out = out.chars().take(119).collect();
            out.push('…');
        }
        out.into()
    }

    fn truth(&self, val: Val, span: Span) -> Res {
        match types::to_bool(&val) {
            Some(b) if !b.is_null() => Ok(b),
            _ => Err(Fault::new(span, format!("true or false was expected, found {}", type_name(&val)))),
        }
    }

    fn eval_object(&mut self, env: &mut Env, items: &[(Expr, Expr)], span: Span) -> Res {
        let mut members = Members::new();
        let mut open = None;
        let mut sensitive = false;
        for (key, value) in items {
            let key_val = self.eval(env, key)?;
            let value = self.eval(env, value)?;
            sensitive |= key_val.sensitive;
            match types::to_string(&key_val) {
                Some(text) if text.as_str().is_some() => {
                    members.insert(text.as_str().unwrap_or_default().into(), value);
                }
                Some(text) if !text.is_null() => open = Some(text),
                _ => return Err(Fault::new(key.span, format!("a key must be text, found {}", type_name(&key_val)))),
            }
        }
        let mut val = match open {
            Some(key) => self.unknown_of(&[key], span),
            None => Val::map(members, span),
        };
        val.sensitive |= sensitive;
        Ok(val)
    }

    pub(crate) fn eval_template(&mut self, env: &mut Env, pieces: &[Piece], span: Span) -> Res {
        if let [Piece::Expr(only)] = pieces {
            let val = self.eval(env, only)?;
            return Ok(Val { span, ..val });
        }
        let mut parts = Vec::new();
        let mut sensitive = false;
        self.eval_pieces(env, pieces, &mut parts, &mut sensitive)?;
        let len: usize = parts.iter().map(|p| if let Part::Text(t) = p { t.len() } else { 0 }).sum();
        if len > MAX_TEXT {
            return Err(Fault::new(span, "the text is too long"));
        }
        let mut val = Val::from_parts(parts, span);
        val.sensitive |= sensitive;
        Ok(val)
    }

    fn eval_pieces(
        &mut self,
        env: &mut Env,
        pieces: &[Piece],
        out: &mut Vec<Part>,
        sensitive: &mut bool,
    ) -> Result<(), Fault> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push(Part::Text(text.clone())),
                Piece::Expr(expr) => {
                    let val = self.eval(env, expr)?;
                    *sensitive |= val.sensitive;
                    self.spend(val.as_str().map_or(0, str::len) / 64, expr.span)?;
                    push_part(out, &val).map_err(|message| Fault::new(expr.span, message))?;
                }
                Piece::If(branch) => {
                    let (cond, yes, no) = &**branch;
                    let val = self.eval(env, cond)?;
                    let val = self.truth(val, cond.span)?;
                    match val.as_bool() {
                        Some(true) => self.eval_pieces(env, yes, out, sensitive)?,
                        Some(false) => self.eval_pieces(env, no, out, sensitive)?,
                        None => out.push(Part::Hole(self.unknown_of(&[val], cond.span))),
                    }
                }
                Piece::For(head) => self.eval_template_for(env, head, out, sensitive)?,
            }
        }
        Ok(())
    }

    fn eval_template_for(
        &mut self,
        env: &mut Env,
        head: &TemplateFor,
        out: &mut Vec<Part>,
        sensitive: &mut bool,
    ) -> Result<(), Fault> {
        let over = self.eval(env, &head.over)?;
        *sensitive |= over.sensitive;
        let Some(entries) = self.entries(&over, head.over.span)? else {
            out.push(Part::Hole(self.unknown_of(&[over], head.over.span)));
            return Ok(());
        };
        for (key, value) in entries {
            let outer = env.names.len();
            if let Some(name) = &head.key_name {
                env.names.push((name.clone(), key));
            }
            env.names.push((head.value_name.clone(), value));
            let result = self.eval_pieces(env, &head.body, out, sensitive);
            env.names.truncate(outer);
            result?;
            self.spend(1, head.over.span)?;
        }
        Ok(())
    }

    /// What a loop goes over; none when that is not known.
    pub(crate) fn entries(&mut self, over: &Val, span: Span) -> Result<Option<Vec<(Val, Val)>>, Fault> {
        let part = |v: &Val| Val { sensitive: v.sensitive || over.sensitive, ..v.clone() };
        Ok(Some(match &over.data {
            Data::List(items) => items.iter().enumerate().map(|(i, v)| (Val::int(i as i64, span), part(v))).collect(),
            Data::Set(items) => items.iter().map(|v| (part(v), part(v))).collect(),
            Data::Map(members) => members.iter().map(|(k, v)| (Val::str(k.clone(), v.span), part(v))).collect(),
            Data::Unknown(_) | Data::Ref(_) => return Ok(None),
            _ => return Err(Fault::new(span, format!("a list or map was expected, found {}", type_name(over)))),
        }))
    }

    fn eval_for(&mut self, env: &mut Env, f: &ForExpr, span: Span) -> Res {
        let over = self.eval(env, &f.over)?;
        let Some(entries) = self.entries(&over, f.over.span)? else {
            return Ok(self.unknown_of(&[over], span));
        };
        let mut items = Vec::new();
        let mut members = Members::new();
        let mut groups: std::collections::BTreeMap<Arc<str>, Vec<Val>> = Default::default();
        let mut open: Option<Val> = None;
        for (key, value) in entries {
            self.spend(1, span)?;
            let outer = env.names.len();
            if let Some(name) = &f.key_name {
                env.names.push((name.clone(), key));
            }
            env.names.push((f.value_name.clone(), value));
            let step = self.for_step(env, f);
            env.names.truncate(outer);
            match step? {
                Step::Skip => {}
                Step::Open(val) => open = Some(val),
                Step::Item(value) => items.push(value),
                Step::Member(key, value) if f.group => groups.entry(key).or_default().push(value),
                Step::Member(key, value) => {
                    if members.insert(key.clone(), value).is_some() {
                        return Err(Fault::new(
                            span,
                            format!("two elements give the key `{key}`; add `...` after the value to collect them"),
                        ));
                    }
                }
            }
        }
        if let Some(val) = open {
            return Ok(self.unknown_of(&[val], span));
        }
        let mut val = if f.key.is_none() {
            Val::list(items, span)
        } else if f.group {
            Val::map(groups.into_iter().map(|(k, v)| (k, Val::list(v, span))).collect(), span)
        } else {
            Val::map(members, span)
        };
        val.sensitive |= over.sensitive;
        Ok(val)
    }

    fn for_step(&mut self, env: &mut Env, f: &ForExpr) -> Result<Step, Fault> {
        if let Some(filter) = &f.filter {
            let keep = self.eval(env, filter)?;
            let keep = self.truth(keep, filter.span)?;
            match keep.as_bool() {
                Some(true) => {}
                Some(false) => return Ok(Step::Skip),
                None => return Ok(Step::Open(keep)),
            }
        }
        let Some(key) = &f.key else { return Ok(Step::Item(self.eval(env, &f.value)?)) };
        let name = self.eval(env, key)?;
        let value = self.eval(env, &f.value)?;
        match types::to_string(&name) {
            Some(text) if text.as_str().is_some() => Ok(Step::Member(text.as_str().unwrap_or_default().into(), value)),
            Some(text) if !text.is_null() => Ok(Step::Open(text)),
            _ => Err(Fault::new(key.span, format!("a key must be text, found {}", type_name(&name)))),
        }
    }

    fn eval_cond(&mut self, env: &mut Env, cond: &Expr, yes: &Expr, no: &Expr, span: Span) -> Res {
        let test = self.eval(env, cond)?;
        let test = self.truth(test, cond.span)?;
        let Some(taken) = test.as_bool() else {
            let (yes, no) = (self.eval(env, yes)?, self.eval(env, no)?);
            let mut val = if yes == no { yes } else { self.unknown_of(std::slice::from_ref(&test), span) };
            val.sensitive |= test.sensitive;
            return Ok(val);
        };
        let (taken, other) = if taken { (yes, no) } else { (no, yes) };
        let mut val = self.eval(env, taken)?;
        if unify::open_to_change(&val) && !matches!(other.kind, Kind::Null) {
            val = self.beside(env, val, other, span)?;
        }
        val.sensitive |= test.sensitive;
        Ok(val)
    }

    /// The value a condition chose, with the type it has in common with the other: beside a text a number becomes text.
    /// What is wrong with the other, or too deep to look at, does not matter.
    fn beside(&mut self, env: &mut Env, val: Val, other: &Expr, span: Span) -> Res {
        let deep = self.too_deep;
        let other = match self.eval(env, other) {
            Ok(other) => other,
            Err(fault) if self.steps == 0 => return Err(fault),
            Err(_) => {
                self.too_deep = deep;
                return Ok(val);
            }
        };
        self.spend_on(&val, span)?;
        self.spend_on(&other, span)?;
        match unify::beside(&val, &other) {
            Some(unified) => Ok(unified),
            // Lists that have no element type in common may differ in what is not known here.
            None if unify::kin(&val, &other) => Ok(val),
            None => {
                let (one, two) = (type_name(&val), type_name(&other));
                Err(Fault::new(span, format!("both values of a condition need one type, found {one} and {two}")))
            }
        }
    }

    fn eval_binary(&mut self, env: &mut Env, op: Binary, left: &Expr, right: &Expr, span: Span) -> Res {
        let a = self.eval(env, left)?;
        if let Binary::And | Binary::Or = op {
            let stop = op == Binary::Or;
            let a = self.truth(a, left.span)?;
            if a.as_bool() == Some(stop) {
                return Ok(Val { span, ..a });
            }
            let b = self.eval(env, right)?;
            let b = self.truth(b, right.span)?;
            let sensitive = a.sensitive || b.sensitive;
            let mut val = match (a.as_bool(), b.as_bool()) {
                (_, Some(b)) if b == stop => Val::bool(stop, span),
                (Some(_), Some(b)) => Val::bool(b, span),
                _ => self.unknown_of(&[a, b], span),
            };
            val.sensitive = sensitive;
            return Ok(val);
        }
        let b = self.eval(env, right)?;
        if let Binary::Eq | Binary::Ne = op
            && (other_type(&a, right) || other_type(&b, left))
        {
            let sensitive = a.sensitive || b.sensitive;
            return Ok(Val { sensitive, ..Val::bool(op == Binary::Ne, span) });
        }
        self.binary(op, a, b, span)
    }

    fn binary(&mut self, op: Binary, a: Val, b: Val, span: Span) -> Res {
        let sensitive = a.sensitive || b.sensitive;
        let mut val = match op {
            Binary::Eq | Binary::Ne => match equal(&a, &b) {
                Some(eq) => Val::bool(eq == (op == Binary::Eq), span),
                None => self.unknown_of(&[a, b], span),
            },
            _ => {
                let number = |v: &Val| match types::to_number(v) {
                    Some(n) if !n.is_null() => Ok(n),
                    _ => Err(Fault::new(v.span, format!("a number was expected, found {}", type_name(v)))),
                };
                let (x, y) = (number(&a)?, number(&b)?);
                match (x.as_f64(), y.as_f64()) {
                    (Some(_), Some(_)) => Val { span, ..arithmetic(op, &x, &y, span)? },
                    _ => self.unknown_of(&[a, b], span),
                }
            }
        };
        val.sensitive = sensitive;
        Ok(val)
    }

    /// Applies the steps of a traversal to a value.
    pub(crate) fn apply(&mut self, env: &mut Env, base: Val, ops: &[Op], span: Span) -> Res {
        let mut val = base;
        let mut rest = ops;
        // Inside a block of a resource: the provider may give members that are not written.
        let mut block: Option<(Arc<str>, String)> = None;
        while let Some((op, after)) = rest.split_first() {
            rest = after;
            match op {
                Op::Attr(name) => {
                    match (&mut block, &val.data) {
                        (_, Data::Ref(r)) if r.path.is_empty() && self.is_block(&r.address, name) => {
                            block = Some((r.address.clone(), name.to_string()));
                        }
                        (Some((_, path)), _) => {
                            path.push('.');
                            path.push_str(name);
                        }
                        (None, _) => {}
                    }
                    val = match (self.member(&val, name, span), block.take()) {
                        (Err(_), Some((address, path))) => Val::reference(address, path, span),
                        (found, inside) => {
                            block = inside;
                            found?
                        }
                    };
                }
                Op::Index(index) => {
                    let index = self.eval(env, index)?;
                    if let (Some((_, path)), Some(i)) = (&mut block, index.as_int()) {
                        path.push_str(&format!("[{i}]"));
                    }
                    val = self.index(&val, &index, span)?;
                }
                Op::AttrSplat(steps) => {
                    let (inside, outside) = rest.split_at((*steps).min(rest.len()));
                    val = self.splat(env, val, inside, span)?;
                    rest = outside;
                }
                Op::FullSplat => return self.splat(env, val, rest, span),
            }
        }
        Ok(val)
    }

    fn splat(&mut self, env: &mut Env, val: Val, ops: &[Op], span: Span) -> Res {
        let items = match &val.data {
            Data::Null => return Ok(Val::list(Vec::new(), span)),
            Data::List(items) | Data::Set(items) => items.clone(),
            Data::Unknown(_) => return Ok(val),
            Data::Ref(r) if !r.path.is_empty() => return Ok(self.unknown_of(&[val], span)),
            Data::Ref(r) if symbolic(r) => {
                let all = self.apply(env, val.clone(), ops, span)?;
                return Ok(if matches!(all.data, Data::Ref(_)) {
                    all
                } else {
                    self.unknown_of(&[self.repeat(span)], span)
                });
            }
            _ => Arc::new(vec![val.clone()]),
        };
        let mut out = Vec::with_capacity(items.len());
        for item in items.iter() {
            self.spend(1, span)?;
            out.push(self.apply(env, item.clone(), ops, span)?);
        }
        let mut list = Val::list(out, span);
        list.sensitive = val.sensitive;
        Ok(list)
    }

    /// `val.name`
    pub(crate) fn member(&mut self, val: &Val, name: &str, span: Span) -> Res {
        let mut found = match &val.data {
            Data::Map(members) => match members.get(name) {
                Some(v) => v.clone(),
                None => return Err(Fault::new(span, missing(members, name))),
            },
            Data::Ref(r) if r.path.is_empty() => self.resource_attribute(&r.address, name, span)?,
            Data::Ref(r) => Val::reference(r.address.clone(), format!("{}.{name}", r.path), span),
            Data::Unknown(_) => val.clone(),
            Data::List(items) if name.parse::<usize>().is_ok() => {
                let i: usize = name.parse().unwrap_or(usize::MAX);
                items.get(i).cloned().ok_or_else(|| Fault::new(span, short(items.len(), name)))?
            }
            _ => return Err(Fault::new(span, format!("{} has no attribute `{name}`", type_name(val)))),
        };
        found.sensitive |= val.sensitive;
        Ok(found)
    }

    /// `val[index]`
    pub(crate) fn index(&mut self, val: &Val, index: &Val, span: Span) -> Res {
        if matches!(val.data, Data::Unknown(_)) {
            return Ok(val.clone());
        }
        if index.is_null() {
            return Err(Fault::new(span, "the index is null"));
        }
        let mut found = match &val.data {
            Data::Ref(r) if symbolic(r) => val.clone(),
            _ if index.is_unknown() => self.unknown_of(std::slice::from_ref(index), span),
            Data::List(items) => {
                let number = types::to_number(index).and_then(|n| n.as_int());
                let Some(number) = number else {
                    return Err(Fault::new(span, format!("a list is indexed by number, not by {}", type_name(index))));
                };
                let item = usize::try_from(number).ok().and_then(|i| items.get(i));
                item.cloned().ok_or_else(|| Fault::new(span, short(items.len(), &number.to_string())))?
            }
            Data::Map(_) | Data::Ref(_) => {
                let key = types::to_string(index);
                let Some(key) = key.as_ref().and_then(Val::as_str) else {
                    return Err(Fault::new(span, format!("a key is text, not {}", type_name(index))));
                };
                match &val.data {
                    Data::Ref(r) if !r.path.is_empty() => {
                        let key = if index.as_int().is_some() { format!("[{key}]") } else { format!("[{key:?}]") };
                        Val::reference(r.address.clone(), format!("{}{key}", r.path), span)
                    }
                    _ => self.member(val, key, span)?,
                }
            }
            _ => return Err(Fault::new(span, format!("{} cannot be indexed", type_name(val)))),
        };
        found.sensitive |= val.sensitive || index.sensitive;
        Ok(found)
    }
}

/// Whether this is the one symbolic instance of a resource whose number is not known.
fn symbolic(r: &crate::value::Ref) -> bool {
    r.path.is_empty() && r.address.ends_with("[*]")
}

/// Whether a value, a list or map by its type, stands beside a tuple or object written there: those are never equal, empty
/// ones neither (`var.names == []`).
fn other_type(val: &Val, beside: &Expr) -> bool {
    match &beside.kind {
        Kind::Tuple(_) => val.typed && matches!(val.data, Data::List(_)) || matches!(val.data, Data::Set(_)),
        Kind::Object(_) => val.typed && matches!(val.data, Data::Map(_)),
        _ => false,
    }
}

enum Step {
    Skip,
    Open(Val),
    Item(Val),
    Member(Arc<str>, Val),
}

fn short(len: usize, index: &str) -> String {
    format!("there is no element {index}; the list has {len}")
}

fn missing(members: &Members, name: &str) -> String {
    let known: Vec<&str> = members.keys().take(8).map(|k| &**k).collect();
    if known.is_empty() {
        format!("there is no `{name}`; the object is empty")
    } else {
        format!("there is no `{name}`; there is {}", known.join(", "))
    }
}

/// Adds a value to a text.
pub(crate) fn push_part(out: &mut Vec<Part>, val: &Val) -> Result<(), String> {
    match types::to_string(val) {
        Some(text) if text.as_str().is_some() => {
            let Val { data, .. } = text;
            match data {
                Data::Str(s) => out.push(Part::Text(s)),
                Data::Doc(d) => out.extend(d.text.clone().map(Part::Text)),
                _ => {}
            }
        }
        Some(Val { data: Data::Partial(parts), .. }) => out.extend(parts.iter().cloned()),
        Some(text) if !text.is_null() => out.push(Part::Hole(text)),
        _ => return Err(format!("only text, numbers and truth values go into a text, not {}", type_name(val))),
    }
    Ok(())
}

/// Whether two values are equal; none when that is not known.
pub(crate) fn equal(a: &Val, b: &Val) -> Option<bool> {
    match (&a.data, &b.data) {
        (Data::Unknown(x), Data::Unknown(y)) if Arc::ptr_eq(x, y) => Some(true),
        (Data::Ref(x), Data::Ref(y)) if x == y => Some(true),
        (Data::Null, other) | (other, Data::Null) => match other {
            Data::Null => Some(true),
            Data::Unknown(_) => None,
            Data::Ref(r) => never_null(&r.path).then_some(false),
            _ => Some(false),
        },
        (Data::Partial(parts), other) | (other, Data::Partial(parts)) => match other {
            Data::Str(text) => {
                if could_be(parts, text) {
                    None
                } else {
                    Some(false)
                }
            }
            Data::Partial(_) | Data::Unknown(_) | Data::Ref(_) | Data::Doc(_) => {
                if a == b {
                    Some(true)
                } else {
                    None
                }
            }
            _ => Some(false),
        },
        (Data::Unknown(_) | Data::Ref(_), _) | (_, Data::Unknown(_) | Data::Ref(_)) => None,
        (Data::List(x), Data::List(y)) | (Data::Set(x), Data::Set(y)) => {
            if x.len() != y.len() {
                let sure = !matches!(a.data, Data::Set(_)) || (a.is_known() && b.is_known());
                return sure.then_some(false);
            }
            all_equal(x.iter().zip(y.iter()))
        }
        (Data::Map(x), Data::Map(y)) => {
            if x.len() != y.len() || !x.keys().eq(y.keys()) {
                return Some(false);
            }
            all_equal(x.values().zip(y.values()))
        }
        (Data::Doc(d), _) | (_, Data::Doc(d)) if d.text.is_none() => None,
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) => Some(x == y),
            _ => Some(a == b),
        },
    }
}

fn all_equal<'a>(pairs: impl Iterator<Item = (&'a Val, &'a Val)>) -> Option<bool> {
    let mut all = Some(true);
    for (x, y) in pairs {
        match equal(x, y) {
            Some(false) => return Some(false),
            None => all = None,
            Some(true) => {}
        }
    }
    all
}

/// Attributes a provider always gives.
fn never_null(path: &str) -> bool {
    matches!(path, "" | "id" | "arn" | "self_link" | "unique_id")
}

/// Whether a text with holes could turn out to be `text`: its literal beginning and end must fit.
fn could_be(parts: &[Part], text: &str) -> bool {
    let fits = |part: Option<&Part>, at: &dyn Fn(&str) -> bool| match part {
        Some(Part::Text(t)) => at(t),
        _ => true,
    };
    let least: usize = parts.iter().map(|p| if let Part::Text(t) = p { t.len() } else { 0 }).sum();
    least <= text.len() && fits(parts.first(), &|t| text.starts_with(t)) && fits(parts.last(), &|t| text.ends_with(t))
}

pub(crate) fn arithmetic(op: Binary, x: &Val, y: &Val, span: Span) -> Res {
    let (a, b) = (x.as_f64().unwrap_or(0.0), y.as_f64().unwrap_or(0.0));
    if b == 0.0 {
        match op {
            Binary::Div => return Err(Fault::new(span, "division by zero")),
            // What Terraform gives.
            Binary::Rem => return Ok(Val { span, ..x.clone() }),
            _ => {}
        }
    }
    if let (Some(i), Some(j)) = (x.as_int(), y.as_int()) {
        let whole = match op {
            Binary::Add => i.checked_add(j),
            Binary::Sub => i.checked_sub(j),
            Binary::Mul => i.checked_mul(j),
            Binary::Rem => i.checked_rem(j),
            Binary::Div if i.checked_rem(j) == Some(0) => i.checked_div(j),
            Binary::Lt => return Ok(Val::bool(i < j, span)),
            Binary::Le => return Ok(Val::bool(i <= j, span)),
            Binary::Gt => return Ok(Val::bool(i > j, span)),
            Binary::Ge => return Ok(Val::bool(i >= j, span)),
            _ => None,
        };
        if let Some(whole) = whole {
            return Ok(Val::int(whole, span));
        }
    }
    if let Some(result) = decimal::exact(op, a, b) {
        return Ok(Val::num(result, span));
    }
    Ok(match op {
        Binary::Add => Val::num(a + b, span),
        Binary::Sub => Val::num(a - b, span),
        Binary::Mul => Val::num(a * b, span),
        Binary::Div => Val::num(a / b, span),
        Binary::Rem => Val::num(a % b, span),
        Binary::Lt => Val::bool(a < b, span),
        Binary::Le => Val::bool(a <= b, span),
        Binary::Gt => Val::bool(a > b, span),
        _ => Val::bool(a >= b, span),
    })
}
