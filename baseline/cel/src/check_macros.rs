//! The macros: `has`, the comprehensions, optionals, bindings.

use crate::{
    Type,
    ast::{Expr, Kind, Literal},
    check::{Checked, Compiler},
    cover::find_indexes,
    node::{Bind, Macro, MacroKind, Node, Op, OptMap},
};
use std::sync::Arc;

impl Compiler<'_> {
    /// Compiles a call that is a macro; `None` when it is an ordinary call.
    pub fn macros(
        &mut self,
        e: &Expr,
        target: Option<&Expr>,
        name: &str,
        args: &[Expr],
    ) -> Checked<Option<(Node, Type)>> {
        let Some(target) = target else {
            return match (name, args) {
                ("has", [arg]) => self.has(e, arg).map(Some),
                _ => Ok(None),
            };
        };
        if let Kind::Ident { name: space, absolute: false } = &target.kind
            && space == "cel"
        {
            return match (name, args) {
                ("bind", [var, value, body]) => self.bind(e, var, value, body).map(Some),
                ("block", [values, body]) => self.block(e, values, body).map(Some),
                _ => match variable(e).and_then(|v| self.scope.iter().rposition(|(n, _)| *n == v)) {
                    Some(slot) => {
                        let t = self.scope.get(slot).map_or(Type::Dyn, |(_, t)| t.clone());
                        Ok(Some((Node::new(Op::Local(slot as u32), e.span), t)))
                    }
                    None => Ok(None),
                },
            };
        }
        use MacroKind::{All, Exists, ExistsOne, Filter, Map, MapEntries, MapValues, SortBy};
        let (kind, variables) = match (name, args.len()) {
            ("all", 2) => (All, 1),
            ("all", 3) => (All, 2),
            ("exists", 2) => (Exists, 1),
            ("exists", 3) => (Exists, 2),
            ("exists_one" | "existsOne", 2) => (ExistsOne, 1),
            ("exists_one" | "existsOne", 3) => (ExistsOne, 2),
            ("filter", 2) => (Filter, 1),
            ("map", 2 | 3) => (Map, 1),
            ("transformList", 3 | 4) => (Map, 2),
            ("transformMap", 3 | 4) => (MapValues, 2),
            ("transformMapEntry", 3 | 4) => (MapEntries, 2),
            ("sortBy", 2) => (SortBy, 1),
            ("optMap" | "optFlatMap", 2) => return self.opt_map(e, target, args, name == "optFlatMap"),
            _ => return Ok(None),
        };
        let (names, rest) = args.split_at(variables);
        let Some(names) = names.iter().map(variable).collect::<Option<Vec<String>>>() else {
            let span = args.first().map_or(e.span, |a| a.span);
            return Err(self.error(span, format!("`{name}` starts with the name of its variable"), None));
        };
        if names.len() == 2 && names.first() == names.get(1) {
            return Err(self.error(e.span, format!("`{name}` needs two different variables"), None));
        }
        self.comprehension(e, target, name, kind, names, rest).map(Some)
    }

    fn comprehension(
        &mut self,
        e: &Expr,
        target: &Expr,
        name: &str,
        kind: MacroKind,
        names: Vec<String>,
        rest: &[Expr],
    ) -> Checked {
        let (range, range_type) = self.expr(target)?;
        let (first, second) = match self.settled(&range_type) {
            Type::List(element) if names.len() == 1 => ((*element).clone(), Type::Dyn),
            Type::List(element) => (Type::Int, (*element).clone()),
            Type::Map(key, value) if kind != MacroKind::SortBy => ((*key).clone(), (*value).clone()),
            Type::Object(object) if kind != MacroKind::SortBy => {
                self.references.whole |= !object.name.is_empty();
                (Type::String, Type::Dyn)
            }
            Type::Dyn | Type::Null => (Type::Dyn, Type::Dyn),
            other => {
                self.refuse(target.span, format!("`{name}` goes over lists and maps, not {other}"))?;
                (Type::Dyn, Type::Dyn)
            }
        };
        let depth = self.scope.len();
        let slot = depth as u32;
        let types = [first.clone(), second];
        for (variable, t) in names.iter().zip(types) {
            self.push_local(variable.clone(), t);
        }
        let built = self.comprehension_body(name, kind, rest);
        self.scope.truncate(depth);
        let (filter, body, body_type) = built?;
        let result = match kind {
            MacroKind::All | MacroKind::Exists | MacroKind::ExistsOne => Type::Bool,
            MacroKind::Filter => Type::list(first),
            MacroKind::SortBy => Type::list(first),
            MacroKind::Map => Type::list(body_type),
            MacroKind::MapValues => match self.settled(&range_type) {
                Type::Map(key, _) => Type::Map(key, Arc::new(body_type)),
                Type::List(_) => Type::Map(Arc::new(Type::Int), Arc::new(body_type)),
                _ => Type::Map(Arc::new(Type::Dyn), Arc::new(body_type)),
            },
            MacroKind::MapEntries => body_type,
        };
        let transforms = matches!(kind, MacroKind::Map | MacroKind::MapValues | MacroKind::MapEntries);
        let condition = if transforms { filter.as_ref() } else { Some(&body) };
        let indexes = condition.map(|c| find_indexes(kind, &range, slot, names.len(), c)).unwrap_or_default();
        if let Op::Host(call) = &range.op {
            for index in indexes.iter().flatten() {
                self.references.index(call.id, call.args.first(), &index.path);
            }
        }
        let names = names.into_iter().map(Into::into).collect();
        let node = Macro { kind, name: name.into(), range, slot, names, filter, body, indexes };
        Ok((Node::new(Op::Macro(Box::new(node)), e.span), result))
    }

    fn comprehension_body(
        &mut self,
        name: &str,
        kind: MacroKind,
        rest: &[Expr],
    ) -> Checked<(Option<Node>, Node, Type)> {
        let what = format!("`{name}` decides by");
        match (kind, rest) {
            (MacroKind::All | MacroKind::Exists | MacroKind::ExistsOne | MacroKind::Filter, [condition]) => {
                Ok((None, self.condition(condition, &what)?, Type::Bool))
            }
            (_, [filter, body]) => {
                let filter = self.condition(filter, &what)?;
                let (body, t) = self.expr(body)?;
                Ok((Some(filter), body, t))
            }
            (_, [body, ..]) => {
                let (node, t) = self.expr(body)?;
                Ok((None, node, t))
            }
            (_, []) => Err(self.error(Default::default(), format!("`{name}` needs an expression"), None)),
        }
    }

    fn opt_map(&mut self, e: &Expr, target: &Expr, args: &[Expr], flat: bool) -> Checked<Option<(Node, Type)>> {
        let [var, body] = args else { return Ok(None) };
        let Some(var) = variable(var) else {
            return Err(self.error(var.span, "`optMap` starts with the name of its variable", None));
        };
        let (target_node, target_type) = self.expr(target)?;
        let inner = match self.settled(&target_type) {
            Type::Optional(inner) => (*inner).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                self.refuse(target.span, format!("`optMap` is for optional values, not {other}"))?;
                Type::Dyn
            }
        };
        let slot = self.push_local(var, inner);
        let built = self.expr(body);
        self.scope.pop();
        let (body_node, body_type) = built?;
        let t = match (flat, self.settled(&body_type)) {
            (false, t) => Type::Optional(Arc::new(t)),
            (true, t @ (Type::Optional(_) | Type::Dyn)) => t,
            (true, other) => {
                self.refuse(body.span, format!("`optFlatMap` needs an optional result, not {other}"))?;
                Type::Dyn
            }
        };
        let node = OptMap { target: target_node, slot, body: body_node, flat };
        Ok(Some((Node::new(Op::OptMap(Box::new(node)), e.span), t)))
    }

    fn bind(&mut self, e: &Expr, var: &Expr, value: &Expr, body: &Expr) -> Checked {
        let Some(name) = variable(var) else {
            return Err(self.error(var.span, "`cel.bind` starts with the name of its variable", None));
        };
        let (value, t) = self.expr(value)?;
        let slot = self.push_local(name, t);
        let built = self.expr(body);
        self.scope.pop();
        let (body, t) = built?;
        Ok((Node::new(Op::Bind(Box::new(Bind { slot, values: Box::new([value]), body })), e.span), t))
    }

    fn block(&mut self, e: &Expr, values: &Expr, body: &Expr) -> Checked {
        let Kind::List(items) = &values.kind else {
            return Err(self.error(values.span, "`cel.block` starts with a list", None));
        };
        let depth = self.scope.len();
        let mut nodes = Vec::with_capacity(items.len());
        let mut built = Ok(());
        for (at, item) in items.iter().enumerate() {
            match self.expr(&item.value) {
                Ok((node, t)) => {
                    nodes.push(node);
                    self.push_local(format!("@index{at}"), t);
                }
                Err(error) => {
                    built = Err(error);
                    break;
                }
            }
        }
        let built = built.and_then(|()| self.expr(body));
        self.scope.truncate(depth);
        let (body, t) = built?;
        Ok((Node::new(Op::Bind(Box::new(Bind { slot: depth as u32, values: nodes.into(), body })), e.span), t))
    }
}

/// The name of a macro's variable: an identifier, or one of the generated names of `cel.block`'s notation.
fn variable(e: &Expr) -> Option<String> {
    match &e.kind {
        Kind::Ident { name, absolute: false } => Some(name.clone()),
        Kind::Call { target: Some(target), name, args } => {
            matches!(&target.kind, Kind::Ident { name, .. } if name == "cel").then_some(())?;
            let number = |e: &Expr| if let Kind::Literal(Literal::Int(i)) = &e.kind { Some(*i) } else { None };
            match (name.as_str(), args.as_slice()) {
                ("index", [n]) => Some(format!("@index{}", number(n)?)),
                ("iterVar", [n, m]) => Some(format!("@it:{}:{}", number(n)?, number(m)?)),
                ("accuVar", [n, m]) => Some(format!("@ac:{}:{}", number(n)?, number(m)?)),
                _ => None,
            }
        }
        _ => None,
    }
}
