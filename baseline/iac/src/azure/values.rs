//! Parameters and variables: evaluated when first asked for, then remembered.

use super::deploy::{Deployment, Reader, Slot};
use super::eval::bounded;
use super::expr::{Expr, Kind};
use super::template::Type;
use crate::source::Span;
use crate::value::{Step, Val, WhyKind};
use std::rc::Rc;

impl Reader<'_> {
    /// The value of a parameter.
    pub(crate) fn parameter(&mut self, d: &Rc<Deployment>, name: &str, span: Span) -> Val {
        if let Some(outer) = &d.outer {
            let outer = outer.clone();
            return self.parameter(&outer, name, span);
        }
        let template = d.template.clone();
        let Some(param) = d.params.get(&d.key(name)).and_then(|at| template.params.get(*at)) else {
            return super::eval::wrong(name, format!("the template has no parameter `{name}`"), span);
        };
        let secure = param.secure || self.secure_type(d, &param.type_, 0);
        let mut val = self.memo(d, &format!("p:{}", d.key(name)), span, |r| {
            let place = d.place(param.start, param.end);
            if let Some(val) = d.args.get(&d.key(name)) {
                return val.clone();
            }
            if let Some(default) = &param.default {
                return r.eval(d, None, default);
            }
            if let Some(Expr { kind: Kind::Array(items), .. }) = &param.allowed
                && let [only] = items.as_slice()
            {
                return r.eval(d, None, &only.value);
            }
            match r.default_of(d, &param.type_, 0) {
                Some(val) => Val { span: place, ..val },
                None => {
                    let detail = if d.is_root {
                        format!("parameter {name} has no default; give it a value to know more")
                    } else {
                        format!("parameter {name} is not given by the module call")
                    };
                    Val::unknown(WhyKind::Input, format!("parameters.{name}"), detail, place)
                }
            }
        });
        val.sensitive |= secure;
        val.through(Step::Variable(name.into()), span)
    }

    pub(super) fn secure_type(&mut self, d: &Rc<Deployment>, type_: &Type, depth: usize) -> bool {
        match type_ {
            Type::Name(name) if depth < 16 => {
                let lower = name.to_ascii_lowercase();
                if lower == "securestring" || lower == "secureobject" {
                    return true;
                }
                let found = d.template.types.iter().find(|t| t.name == *name);
                found.is_some_and(|t| t.secure || self.secure_type(d, &t.type_, depth + 1))
            }
            Type::Nullable(inner) if depth < 16 => self.secure_type(d, inner, depth + 1),
            _ => false,
        }
    }

    /// What a parameter of this type is when nobody gives it: null when it may be, the only value it can have.
    pub(super) fn default_of(&mut self, d: &Rc<Deployment>, type_: &Type, depth: usize) -> Option<Val> {
        match type_ {
            Type::Nullable(_) => Some(Val::null(Span::default())),
            Type::Literal(expr) => Some(self.eval(d, None, expr)),
            Type::Name(name) if depth < 16 => {
                if let Some(found) = d.template.types.iter().find(|t| t.name == *name) {
                    return self.default_of(d, &found.type_, depth + 1);
                }
                let (library, theirs) = d.imported(name)?;
                self.default_of(&library, &Type::Name(theirs), depth + 1)
            }
            _ => None,
        }
    }

    /// The value of a variable.
    pub(crate) fn variable(&mut self, d: &Rc<Deployment>, name: &str, span: Span) -> Val {
        if let Some(outer) = &d.outer {
            let outer = outer.clone();
            return self.variable(&outer, name, span);
        }
        let template = d.template.clone();
        let Some(var) = d.vars.get(&d.key(name)).and_then(|at| template.vars.get(*at)) else {
            if let Some((library, theirs)) = d.imported(name) {
                return self.variable(&library, &theirs, span);
            }
            return super::eval::wrong(name, format!("the template has no variable `{name}`"), span);
        };
        let val = self.memo(d, &format!("v:{}", d.key(name)), span, |r| r.eval(d, None, &var.value));
        val.through(Step::Local(name.into()), span)
    }

    pub(super) fn memo(
        &mut self,
        d: &Rc<Deployment>,
        key: &str,
        span: Span,
        make: impl FnOnce(&mut Self) -> Val,
    ) -> Val {
        match d.slots.borrow().get(key) {
            Some(Slot::Done(val)) => return val.clone(),
            Some(Slot::Busy) => return super::eval::wrong(key, "it depends on itself", span),
            None => {}
        }
        d.slots.borrow_mut().insert(key.to_owned(), Slot::Busy);
        let val = bounded(make(self), key);
        d.slots.borrow_mut().insert(key.to_owned(), Slot::Done(val.clone()));
        val
    }
}
