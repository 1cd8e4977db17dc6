//! The static check and the compilation, in one walk over the syntax tree.

use crate::{
    CompileError, Env, EvalError, Function, Functions, References, Type, Val,
    ast::{BinaryOp, Expr, Kind, Literal, Span},
    env::{Code, Overload, Place},
    error::nearest,
    node::{Call, HostCall, Index, Node, Op, Select},
    types::Unifier,
    value::{Str, UNIMPLEMENTED},
};
use std::sync::Arc;

pub(crate) struct Compiler<'c> {
    pub source: &'c str,
    pub env: &'c Env,
    pub functions: &'c Functions,
    /// Off: what the check refuses becomes an error at evaluation.
    pub strict: bool,
    pub types: Unifier,
    /// Local names, innermost last; a name's index is its local.
    pub scope: Vec<(String, Type)>,
    pub locals: u32,
    pub references: References,
}

pub(crate) type Checked<T = (Node, Type)> = Result<T, CompileError>;

/// Names of types that are values themselves.
const TYPE_NAMES: [(&str, Type); 14] = [
    ("bool", Type::Bool),
    ("int", Type::Int),
    ("uint", Type::Uint),
    ("double", Type::Double),
    ("string", Type::String),
    ("bytes", Type::Bytes),
    ("null_type", Type::Null),
    ("google.protobuf.Timestamp", Type::Timestamp),
    ("google.protobuf.Duration", Type::Duration),
    ("net.IP", Type::Ip),
    ("net.CIDR", Type::Cidr),
    ("list", Type::Dyn),
    ("map", Type::Dyn),
    ("type", Type::Dyn),
];

impl Compiler<'_> {
    pub fn error(&self, span: Span, message: impl Into<String>, help: Option<String>) -> CompileError {
        CompileError::new(self.source, span, message, help)
    }

    /// A type error when the check is on; otherwise fine, and decided at evaluation.
    pub fn refuse(&self, span: Span, message: impl Into<String>) -> Checked<()> {
        if self.strict { Err(self.error(span, message, None)) } else { Ok(()) }
    }

    pub fn settled(&self, t: &Type) -> Type {
        self.types.resolve(t, true)
    }

    pub fn push_local(&mut self, name: String, t: Type) -> u32 {
        self.scope.push((name, t));
        self.locals = self.locals.max(self.scope.len() as u32);
        self.scope.len() as u32 - 1
    }

    pub fn expr(&mut self, e: &Expr) -> Checked {
        let (op, t) = match &e.kind {
            Kind::Literal(literal) => literal_value(literal),
            Kind::Ident { .. } => return self.name_or_select(e),
            Kind::Select { base, field, optional } => {
                if !optional && path(e).is_some() {
                    return self.name_or_select(e);
                }
                let (base, base_type) = self.expr(base)?;
                return self.select(base, &base_type, field, *optional, e.span);
            }
            Kind::Index { base, index, optional } => self.index(base, index, *optional)?,
            Kind::Call { target, name, args } => return self.call(e, target.as_deref(), name, args),
            Kind::List(items) => {
                let mut nodes = Vec::with_capacity(items.len());
                let mut element: Option<Type> = None;
                for item in items {
                    let (node, mut t) = self.expr(&item.value)?;
                    if item.optional {
                        t = self.unwrap_optional(&t, item.value.span)?;
                    }
                    element = Some(match element {
                        None => t,
                        Some(before) => self.types.join(&before, &t),
                    });
                    nodes.push((item.optional, node));
                }
                let element = element.unwrap_or_else(|| self.types.fresh());
                (fold_list(nodes), Type::list(element))
            }
            Kind::Map(entries) => {
                let mut nodes = Vec::with_capacity(entries.len());
                let mut types: Option<(Type, Type)> = None;
                for entry in entries {
                    let (key, key_type) = self.expr(&entry.key)?;
                    let (value, mut value_type) = self.expr(&entry.value)?;
                    if entry.optional {
                        value_type = self.unwrap_optional(&value_type, entry.value.span)?;
                    }
                    let settled = self.settled(&key_type);
                    if !matches!(settled, Type::Bool | Type::Int | Type::Uint | Type::String | Type::Dyn) {
                        self.refuse(
                            entry.key.span,
                            format!("a map key must be a bool, int, uint or string, not {settled}"),
                        )?;
                    }
                    types = Some(match types {
                        None => (key_type, value_type),
                        Some((k, v)) => (self.types.join(&k, &key_type), self.types.join(&v, &value_type)),
                    });
                    nodes.push((entry.optional, key, value));
                }
                let (k, v) = types.unwrap_or_else(|| (self.types.fresh(), self.types.fresh()));
                (Op::Map(nodes.into()), Type::Map(Arc::new(k), Arc::new(v)))
            }
            Kind::Message(name) => {
                return Err(self.error(
                    e.span,
                    format!("message literals (`{name}{{…}}`) are not part of the rule language"),
                    None,
                ));
            }
            Kind::Not(inner) => (Op::Not(Box::new(self.condition(inner, "`!` negates")?)), Type::Bool),
            Kind::Neg(inner) => {
                let (node, t) = self.expr(inner)?;
                let t = self.settled(&t);
                if !matches!(t, Type::Int | Type::Double | Type::Dyn) {
                    self.refuse(inner.span, format!("`-` takes an int or a double, not {t}"))?;
                }
                (Op::Neg(Box::new(node)), t)
            }
            Kind::And(items) => (Op::And(self.conditions(items, "`&&` joins")?), Type::Bool),
            Kind::Or(items) => (Op::Or(self.conditions(items, "`||` joins")?), Type::Bool),
            Kind::Cond(c) => {
                let condition = self.condition(&c.0, "`?:` decides by")?;
                let (yes, yes_type) = self.expr(&c.1)?;
                let (no, no_type) = self.expr(&c.2)?;
                let t = if yes_type == Type::Null {
                    no_type
                } else if no_type == Type::Null {
                    yes_type
                } else {
                    if !self.types.assign(&yes_type, &no_type) && !self.types.assign(&no_type, &yes_type) {
                        let message = format!(
                            "both branches of `?:` must have one type, not {} and {}",
                            self.settled(&yes_type),
                            self.settled(&no_type)
                        );
                        self.refuse(e.span, message)?;
                    }
                    self.types.join(&yes_type, &no_type)
                };
                (Op::Cond(Box::new([condition, yes, no])), t)
            }
            Kind::Binary(op, left, right) => {
                let (left, left_type) = self.expr(left)?;
                let (right, right_type) = self.expr(right)?;
                let result = match self.binary(*op, &left_type, &right_type) {
                    Some(result) => result,
                    None => {
                        let (l, r) = (self.settled(&left_type), self.settled(&right_type));
                        let message = match op {
                            BinaryOp::Eq | BinaryOp::Ne => format!("cannot compare {l} with {r}"),
                            BinaryOp::In => format!("`in` cannot look for {l} in {r}"),
                            _ => format!("`{}` does not take {l} and {r}", op.symbol()),
                        };
                        self.refuse(e.span, message)?;
                        Type::Dyn
                    }
                };
                (Op::Binary(*op, Box::new([left, right])), result)
            }
        };
        Ok((Node::new(op, e.span), t))
    }

    fn unwrap_optional(&mut self, t: &Type, span: Span) -> Checked<Type> {
        Ok(match self.settled(t) {
            Type::Optional(inner) => (*inner).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                self.refuse(span, format!("an entry marked `?` must be optional, not {other}"))?;
                Type::Dyn
            }
        })
    }

    pub fn condition(&mut self, e: &Expr, what: &str) -> Checked<Node> {
        let (node, t) = self.expr(e)?;
        let t = self.settled(&t);
        if !matches!(t, Type::Bool | Type::Dyn) {
            self.refuse(e.span, format!("{what} conditions; this is {t}"))?;
        }
        Ok(node)
    }

    fn conditions(&mut self, items: &[Expr], what: &str) -> Checked<Box<[Node]>> {
        items.iter().map(|item| self.condition(item, what)).collect()
    }

    fn binary(&mut self, op: BinaryOp, left: &Type, right: &Type) -> Option<Type> {
        use Type::{Bool, Bytes, Double, Duration, Dyn, Int, List, Map, Null, String, Timestamp, Uint};
        let (l, r) = (self.settled(left), self.settled(right));
        let same = self.types.assign(left, right) || self.types.assign(right, left);
        let numbers = l.is_numeric() && r.is_numeric();
        match op {
            BinaryOp::Eq | BinaryOp::Ne => (same || numbers || l == Null || r == Null).then_some(Bool),
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                let ordered =
                    |t: &Type| matches!(t, Bool | Int | Uint | Double | String | Bytes | Timestamp | Duration | Dyn);
                (ordered(&l) && ordered(&r) && (same || numbers)).then_some(Bool)
            }
            BinaryOp::In => match &r {
                Dyn | Null => Some(Bool),
                List(t) | Map(t, _) => {
                    let t = (**t).clone();
                    let fits = self.types.assign(left, &t) || self.types.assign(&t, left);
                    (fits || l == Null || (l.is_numeric() && t.is_numeric())).then_some(Bool)
                }
                Type::Object(object) => {
                    self.references.whole |= !object.name.is_empty();
                    matches!(l, String | Dyn).then_some(Bool)
                }
                _ => None,
            },
            BinaryOp::Add => match (&l, &r) {
                (Dyn, _) | (_, Dyn) => Some(Dyn),
                (Int, Int) | (Uint, Uint) | (Double, Double) | (String, String) | (Bytes, Bytes) => Some(l),
                (Duration, Duration) => Some(Duration),
                (Timestamp, Duration) | (Duration, Timestamp) => Some(Timestamp),
                (List(_), List(_)) => {
                    let t = self.types.fresh();
                    let list = Type::list(t);
                    let both = [list.clone(), list.clone()];
                    self.types.assign_all(&[left.clone(), right.clone()], &both).then_some(list)
                }
                _ => None,
            },
            BinaryOp::Sub => match (&l, &r) {
                (Dyn, _) | (_, Dyn) => Some(Dyn),
                (Int, Int) | (Uint, Uint) | (Double, Double) | (Duration, Duration) => Some(l),
                (Timestamp, Timestamp) => Some(Duration),
                (Timestamp, Duration) => Some(Timestamp),
                _ => None,
            },
            BinaryOp::Mul | BinaryOp::Div => match (&l, &r) {
                (Dyn, _) | (_, Dyn) => Some(Dyn),
                (Int, Int) | (Uint, Uint) | (Double, Double) => Some(l),
                _ => None,
            },
            BinaryOp::Rem => match (&l, &r) {
                (Dyn, Dyn | Int | Uint) | (Int | Uint, Dyn) => Some(Dyn),
                (Int, Int) | (Uint, Uint) => Some(l),
                _ => None,
            },
        }
    }

    fn index(&mut self, base: &Expr, index: &Expr, optional: bool) -> Checked<(Op, Type)> {
        let (base_node, base_type) = self.expr(base)?;
        let (index_node, index_type) = self.expr(index)?;
        let settled = self.settled(&base_type);
        let (inner, wrapped) = match &settled {
            Type::Optional(inner) => ((**inner).clone(), true),
            other => (other.clone(), false),
        };
        let found = match &inner {
            Type::List(element) => {
                let index_type = self.settled(&index_type);
                if !matches!(index_type, Type::Int | Type::Dyn) {
                    self.refuse(index.span, format!("a list index must be an int, not {index_type}"))?;
                }
                (**element).clone()
            }
            Type::Map(key, value) => {
                let (k, i) = (self.settled(key), self.settled(&index_type));
                let fits = self.types.assign(&index_type, key) || (k.is_numeric() && i.is_numeric());
                if !fits {
                    self.refuse(index.span, format!("this map has {k} keys, not {i}"))?;
                }
                (**value).clone()
            }
            Type::Object(object) => match &index_node.op {
                Op::Const(Val::Str(name)) => match object.member(name) {
                    Some(t) => {
                        self.references.member(&object.name, name);
                        t.clone()
                    }
                    None if self.strict => return Err(self.no_member(object, name, index.span)),
                    None => Type::Dyn,
                },
                _ => {
                    self.references.whole |= !object.name.is_empty();
                    Type::Dyn
                }
            },
            Type::Dyn | Type::Null => {
                match (&index_node.op, self.settled(&index_type)) {
                    (Op::Const(Val::Str(name)), _) => drop(self.references.loose.insert(name.to_string())),
                    (_, Type::Int | Type::Uint) => {}
                    _ => self.references.whole = true,
                }
                Type::Dyn
            }
            other => {
                self.refuse(base.span, format!("{other} cannot be indexed"))?;
                Type::Dyn
            }
        };
        let t = if optional || wrapped { Type::Optional(Arc::new(found)) } else { found };
        Ok((Op::Index(Box::new(Index { base: base_node, index: index_node, optional })), t))
    }

    fn no_member(&self, object: &crate::ObjectType, name: &str, span: Span) -> CompileError {
        let of = if object.name.is_empty() { "this object".to_owned() } else { format!("`{}`", object.name) };
        let help = match nearest(name, object.names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", listed(object.names())),
        };
        self.error(span, format!("{of} has no field `{name}`"), Some(help))
    }

    pub fn select(&mut self, base: Node, base_type: &Type, field: &str, optional: bool, span: Span) -> Checked {
        let settled = self.settled(base_type);
        let (inner, wrapped) = match &settled {
            Type::Optional(inner) => ((**inner).clone(), true),
            other => (other.clone(), false),
        };
        let mut slot = None;
        let found = match &inner {
            Type::Dyn | Type::Null => {
                self.references.loose.insert(field.to_owned());
                Type::Dyn
            }
            Type::Map(_, value) => (**value).clone(),
            Type::Object(object) => match object.member(field) {
                Some(t) => {
                    slot = object.slot(field);
                    self.references.member(&object.name, field);
                    t.clone()
                }
                None if self.strict => {
                    let at = Span { start: span.end.saturating_sub(field.len() as u32), end: span.end };
                    return Err(self.no_member(object, field, at));
                }
                None => Type::Dyn,
            },
            other => {
                self.refuse(span, format!("{other} has no fields, so no `{field}`"))?;
                Type::Dyn
            }
        };
        let t = if optional || wrapped { Type::Optional(Arc::new(found)) } else { found };
        Ok((Node::new(Op::Select(Box::new(Select { base, name: field.into(), optional, slot })), span), t))
    }

    /// `has(a.b)` and `has(a.?b.c)`.
    pub fn has(&mut self, e: &Expr, arg: &Expr) -> Checked {
        let Kind::Select { base, field, optional: false } = &arg.kind else {
            let help = "write has(a.b); a field of the resource itself is compared with null".to_owned();
            return Err(self.error(arg.span, "`has` takes a field selection", Some(help)));
        };
        if let Some((names, absolute)) = path(arg)
            && self.local(names.first().copied().unwrap_or_default(), absolute).is_none()
            && self.env.find(&names.join("."), absolute).is_some()
        {
            let (declared, _) = self.name_or_select(arg)?;
            let null = Node::new(Op::Const(Val::Null), arg.span);
            return Ok((Node::new(Op::Binary(BinaryOp::Ne, Box::new([declared, null])), e.span), Type::Bool));
        }
        let (base, base_type) = self.expr(base)?;
        let (node, _) = self.select(base, &base_type, field, false, arg.span)?;
        match node.op {
            Op::Select(select) => Ok((Node::new(Op::Has(select), e.span), Type::Bool)),
            _ => Ok((node, Type::Bool)),
        }
    }

    fn local(&self, name: &str, absolute: bool) -> Option<u32> {
        if absolute { None } else { self.scope.iter().rposition(|(n, _)| n == name).map(|at| at as u32) }
    }

    /// A name, or a qualified name: the longest declared prefix wins, then fields are selected.
    pub fn name_or_select(&mut self, e: &Expr) -> Checked {
        let Some((names, absolute)) = path(e) else { return self.expr(e) };
        let head = names.first().copied().unwrap_or_default();
        if let Some(slot) = self.local(head, absolute) {
            let t = self.scope.get(slot as usize).map_or(Type::Dyn, |(_, t)| t.clone());
            return self.selects(Node::new(Op::Local(slot), first_span(e)), t, e, names.len() - 1);
        }
        for length in (1..=names.len()).rev() {
            let name = names.get(..length).unwrap_or_default().join(".");
            let Some(declared) = self.env.find(&name, absolute) else { continue };
            let t = declared.kind.clone();
            let op = match &declared.place {
                Place::Field(slot) => {
                    self.references.field(*slot, &name);
                    Op::Field(*slot)
                }
                Place::Variable { index, part_of } => {
                    self.references.variables.insert(*index);
                    if let Some((slot, field)) = part_of {
                        self.references.field(*slot, field);
                    }
                    Op::Variable(*index)
                }
                Place::Constant(value) => Op::Const(constant(value)),
            };
            let span = prefix_span(e, names.len() - length);
            return self.selects(Node::new(op, span), t, e, names.len() - length);
        }
        for length in (1..=names.len()).rev() {
            let name = names.get(..length).unwrap_or_default().join(".");
            let t = match TYPE_NAMES.iter().find(|(n, _)| *n == name) {
                Some((_, t)) => t.clone(),
                None if name == "optional_type" => Type::Optional(Arc::new(Type::Dyn)),
                None => continue,
            };
            let node = Node::new(Op::Const(Val::Type(Str::Owned(name.into()))), e.span);
            return self.selects(node, Type::Type(Arc::new(t)), e, names.len() - length);
        }
        if !self.strict {
            let error = EvalError::Undeclared(head.to_owned());
            return Ok((Node::new(Op::Fail(Arc::new(error)), e.span), Type::Dyn));
        }
        let known = self.env.names.keys().map(String::as_str).chain(self.scope.iter().map(|(n, _)| n.as_str()));
        let whole = names.join(".");
        let known: Vec<&str> = known.collect();
        let help = nearest(&whole, known.iter().copied()).or_else(|| nearest(head, known.iter().copied()));
        let help = match help {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.functions.has(head) => format!("`{head}` is a function: `{head}(…)`"),
            None => format!("known names: {}", listed(known.iter().copied().filter(|n| !n.starts_with('@')))),
        };
        Err(self.error(first_span(e), format!("there is no `{head}` here"), Some(help)))
    }

    fn selects(&mut self, node: Node, t: Type, e: &Expr, count: usize) -> Checked {
        if count == 0 {
            return Ok((node, t));
        }
        let Kind::Select { base, field, .. } = &e.kind else { return Ok((node, t)) };
        let (base, base_type) = self.selects(node, t, base, count - 1)?;
        self.select(base, &base_type, field, false, e.span)
    }

    fn call(&mut self, e: &Expr, target: Option<&Expr>, name: &str, args: &[Expr]) -> Checked {
        if let Some(done) = self.macros(e, target, name, args)? {
            return Ok(done);
        }
        let mut nodes = Vec::with_capacity(args.len() + 1);
        let mut types = Vec::with_capacity(args.len() + 1);
        let mut full = name.to_owned();
        let mut method = false;
        if let Some(target) = target {
            let qualified = path(target).filter(|(names, absolute)| {
                let head = names.first().copied().unwrap_or_default();
                self.local(head, *absolute).is_none() && self.env.find(head, *absolute).is_none()
            });
            let qualified = qualified.map(|(names, _)| format!("{}.{name}", names.join(".")));
            match qualified.filter(|q| self.functions.has(q) || is_variadic(q)) {
                Some(qualified) => full = qualified,
                None => {
                    method = true;
                    full = format!(".{name}");
                    let (node, t) = self.expr(target)?;
                    nodes.push(node);
                    types.push(t);
                }
            }
        }
        if self.strict && !is_variadic(&full) && !self.functions.has(&full) {
            return Err(self.no_function(e, name, method));
        }
        for arg in args {
            let (node, t) = self.expr(arg)?;
            nodes.push(node);
            types.push(t);
        }
        if is_variadic(&full) {
            return self.extreme(e, full, nodes, types);
        }
        let functions = self.functions;
        let Some(overloads) = functions.find(&full) else {
            let error = EvalError::Undeclared(format!("function `{name}`"));
            return Ok((Node::new(Op::Fail(Arc::new(error)), e.span), Type::Dyn));
        };
        let mut matching: Vec<&Overload> = Vec::new();
        let mut result: Option<Type> = None;
        let mut same_arity: Vec<&Overload> = Vec::new();
        for overload in overloads.iter().filter(|o| o.args.len() == types.len()) {
            same_arity.push(overload);
            let mut names = Vec::new();
            let wanted: Vec<Type> = overload.args.iter().map(|a| self.types.instantiate(a, &mut names)).collect();
            if !self.types.assign_all(&types, &wanted) {
                continue;
            }
            let returned = self.types.instantiate(&overload.result, &mut names);
            let returned = self.types.resolve(&returned, false);
            result = Some(match result {
                None => returned,
                Some(before) if before == returned => before,
                Some(_) => Type::Dyn,
            });
            matching.push(overload);
        }
        // Any other function may read whatever it is handed.
        let hands_on =
            matches!(full.trim_start_matches('.'), "size" | "distinct" | "first" | "last" | "reverse" | "slice");
        self.references.whole |= !hands_on && types.iter().any(|t| self.settled(t).holds_resources());
        let mut result = match result {
            Some(result) => result,
            None => {
                let given: Vec<String> = types.iter().map(|t| self.settled(t).to_string()).collect();
                let shown = |list: &[String]| match list.split_first() {
                    Some((receiver, rest)) if method => format!("{receiver}.{name}({})", rest.join(", ")),
                    _ => format!("{}({})", full, list.join(", ")),
                };
                let wanted: Vec<String> = overloads
                    .iter()
                    .map(|o| shown(&o.args.iter().map(ToString::to_string).collect::<Vec<_>>()))
                    .collect();
                if self.strict {
                    let help = format!("there is {}", wanted.join(", "));
                    return Err(self.error(e.span, format!("there is no {}", shown(&given)), Some(help)));
                }
                matching = same_arity;
                Type::Dyn
            }
        };
        if matching.is_empty() {
            let codes: Box<[(Box<[Type]>, Function)]> = Box::new([(Box::default(), UNIMPLEMENTED)]);
            let call = Call { name: name.into(), method, codes, of_ends: None, ends_to: None, args: nodes.into() };
            return Ok((Node::new(Op::Call(Box::new(call)), e.span), Type::Dyn));
        }
        if let Some(Overload { code: Code::Host { id, result_of }, .. }) = matching.first() {
            let literal = match nodes.first().map(|n| &n.op) {
                Some(Op::Const(Val::Str(text))) => Some(text.to_string()),
                _ => None,
            };
            if let Some(result_of) = result_of {
                let at = args.first().map_or(e.span, |a| a.span);
                let Some(literal) = &literal else {
                    return Err(self.error(at, format!("`{name}` takes a text written out here"), None));
                };
                result = result_of(literal).map_err(|message| self.error(at, message, None))?;
            }
            self.references.call(*id, &full, literal);
            let call = HostCall {
                name: full.trim_start_matches('.').into(),
                method,
                id: *id,
                same_for_all: functions.same_for_all.contains(id),
                args: nodes.into(),
            };
            return Ok((Node::new(Op::Host(Box::new(call)), e.span), result));
        }
        if let (".matches" | "matches", [text, Node { op: Op::Const(Val::Str(pattern)), span }]) =
            (full.as_str(), nodes.as_slice())
        {
            match crate::functions::strings::pattern(pattern) {
                Ok(pattern) => {
                    let node = Node::new(Op::Matches(Box::new((text.clone(), pattern))), e.span);
                    return Ok((node, Type::Bool));
                }
                Err(error) => self.refuse(*span, error.to_string())?,
            }
        }
        let mut codes: Vec<(Box<[Type]>, Function)> = Vec::new();
        for overload in matching {
            if let Code::Pure(code) = overload.code
                && !codes.iter().any(|(_, known)| std::ptr::fn_addr_eq(*known, code))
            {
                codes.push((overload.args.clone().into(), code));
            }
        }
        if let [(types, _)] = codes.as_mut_slice() {
            *types = Box::default();
        }
        if let Some(value) = fold(&full, &nodes, &codes) {
            return Ok((Node::new(Op::Const(value), e.span), result));
        }
        let (of_ends, ends_to) = (self.functions.ends_of(&full), self.functions.new_ends_of(&full));
        let name = full.trim_start_matches('.').into();
        let call = Call { name, method, codes: codes.into(), of_ends, ends_to, args: nodes.into() };
        Ok((Node::new(Op::Call(Box::new(call)), e.span), result))
    }

    /// `math.greatest` and `math.least` take any number of arguments, or one list.
    fn extreme(&mut self, e: &Expr, name: String, nodes: Vec<Node>, types: Vec<Type>) -> Checked {
        let mut candidates: Vec<Type> = types.iter().map(|t| self.settled(t)).collect();
        if let [Type::List(element)] = candidates.as_slice() {
            candidates = vec![self.settled(&element.clone())];
        }
        if nodes.is_empty() {
            return Err(self.error(e.span, format!("`{name}` needs at least one argument"), None));
        }
        if let Some(bad) = candidates.iter().find(|t| !t.is_numeric() && **t != Type::Dyn) {
            self.refuse(e.span, format!("`{name}` takes numbers, not {bad}"))?;
        }
        let first = candidates.first().cloned().unwrap_or(Type::Dyn);
        let result = if candidates.iter().all(|t| *t == first) { first } else { Type::Dyn };
        let code =
            if name.ends_with("greatest") { crate::functions::math::greatest } else { crate::functions::math::least };
        let codes: Box<[(Box<[Type]>, Function)]> = Box::new([(Box::default(), code as Function)]);
        let call = Call { name: name.into(), method: false, codes, of_ends: None, ends_to: None, args: nodes.into() };
        Ok((Node::new(Op::Call(Box::new(call)), e.span), result))
    }

    fn no_function(&self, e: &Expr, name: &str, method: bool) -> CompileError {
        let names: Vec<&str> = self.functions.names().into_iter().map(|n| n.trim_start_matches('.')).collect();
        let macros = ["all", "exists", "exists_one", "filter", "map", "has", "transformList", "transformMap"];
        let help = if method && self.functions.has(name) {
            Some(format!("`{name}` is a function: `{name}(…)`"))
        } else if !method && self.functions.has(&format!(".{name}")) {
            Some(format!("`{name}` is called on a value: `x.{name}(…)`"))
        } else if macros.contains(&name) {
            Some(format!("`{name}` is written like `list.exists(x, condition)`"))
        } else {
            nearest(name, names.into_iter().chain(macros)).map(|near| format!("did you mean `{near}`?"))
        };
        self.error(e.span, format!("there is no function `{name}`"), help)
    }
}

/// `timestamp("…")`, `duration("…")`, `ip("…")`, `cidr("…")` of a text written out, when it is well formed.
fn fold(name: &str, args: &[Node], codes: &[(Box<[Type]>, Function)]) -> Option<Val<'static>> {
    let ([Node { op: Op::Const(text @ Val::Str(_)), .. }], [(_, code)]) = (args, codes) else { return None };
    matches!(name, "timestamp" | "duration" | "ip" | "cidr").then_some(())?;
    match code(&mut crate::Context::for_constants(), std::slice::from_ref(text)) {
        Val::Error(_) => None,
        value => Some(value),
    }
}

fn is_variadic(name: &str) -> bool {
    name == "math.greatest" || name == "math.least"
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let more = names.len() > 12;
    names.truncate(12);
    if names.is_empty() { "none".into() } else { format!("{}{}", names.join(", "), if more { ", …" } else { "" }) }
}

/// The names of `a.b.c`, and whether it starts with a dot.
pub(crate) fn path(e: &Expr) -> Option<(Vec<&str>, bool)> {
    match &e.kind {
        Kind::Ident { name, absolute } => Some((vec![name.as_str()], *absolute)),
        Kind::Select { base, field, optional: false } => {
            let (mut names, absolute) = path(base)?;
            names.push(field);
            Some((names, absolute))
        }
        _ => None,
    }
}

fn prefix_span(e: &Expr, up: usize) -> Span {
    match &e.kind {
        Kind::Select { base, .. } if up > 0 => prefix_span(base, up - 1),
        _ => e.span,
    }
}

fn first_span(e: &Expr) -> Span {
    prefix_span(e, usize::MAX)
}

fn literal_value(literal: &Literal) -> (Op, Type) {
    let (value, t) = match literal {
        Literal::Null => (Val::Null, Type::Null),
        Literal::Bool(b) => (Val::Bool(*b), Type::Bool),
        Literal::Int(i) => (Val::Int(*i), Type::Int),
        Literal::Uint(u) => (Val::Uint(*u), Type::Uint),
        Literal::Double(d) => (Val::Double(*d), Type::Double),
        Literal::Str(s) => (Val::string(s.as_str()), Type::String),
        Literal::Bytes(b) => (Val::Bytes(b.as_slice().into()), Type::Bytes),
    };
    (Op::Const(value), t)
}

/// A list of constants is a constant.
fn fold_list(nodes: Vec<(bool, Node)>) -> Op {
    let constants: Option<Vec<Val<'static>>> = nodes
        .iter()
        .map(|(optional, node)| match &node.op {
            Op::Const(value) if !optional => Some(value.clone()),
            _ => None,
        })
        .collect();
    match constants {
        Some(values) => Op::Const(Val::list(values)),
        None => Op::List(nodes.into()),
    }
}

/// A constant of the caller's as a value that lives in the program.
fn constant(value: &plumb_model::Value) -> Val<'static> {
    use plumb_model::Value;
    match value {
        Value::Null => Val::Null,
        Value::Bool(b) => Val::Bool(*b),
        Value::Int(i) => Val::Int(*i),
        Value::Double(d) => Val::Double(*d),
        Value::Str(s) => Val::string(&**s),
        Value::Time(t) => Val::Time(*t),
        Value::List(items) => Val::list(items.iter().map(constant).collect()),
        Value::Map(map) => {
            let entries = map.iter().map(|(k, v)| (crate::Key::Str(k.into()), (Val::string(k), constant(v))));
            Val::Map(crate::MapVal::Built(Arc::new(entries.collect())))
        }
        Value::Unknown(unknown) => Val::unknown(unknown.clone()),
    }
}
