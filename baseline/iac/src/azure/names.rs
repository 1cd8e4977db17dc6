//! Names and addresses of resources, and finding a resource by them.

use super::deploy::{Deployment, Known, MAX_RESOURCES, Parent, Reader};
use super::eval::{Scope, rounds};
use super::template::{Decl, What};
use crate::resource::{Dialect, Key};
use crate::source::Span;
use crate::value::{Data, Val, WhyKind};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What [`Reader::identity`] is asked for to have the names of the parents too.
const FULL_NAME: &str = "full name";

impl Reader<'_> {
    /// The full name: with the names of the parents before it.
    pub(super) fn name_of(&mut self, d: &Rc<Deployment>, decl: &Decl, parent: Option<&Parent>, env: Scope<'_>) -> Val {
        let span = d.place(decl.start, decl.header_end);
        let own = match decl.body.prop("name") {
            Some(name) => self.eval(d, env, name),
            None => match &decl.symbol {
                Some(symbol) if matches!(decl.what, What::Module { .. }) => Val::str(&**symbol, span),
                _ => Val::null(span),
            },
        };
        let above = match (parent, decl.body.prop("parent")) {
            (Some(parent), _) => Some(parent.name.clone()),
            (None, Some(parent)) if d.template.dialect == Dialect::Bicep => {
                let of = self.eval(d, env, parent);
                Some(match &of.data {
                    Data::Ref(r) if r.path.is_empty() => {
                        let address = r.address.clone();
                        self.identity(d, &address, FULL_NAME, span).unwrap_or(of)
                    }
                    _ => of,
                })
            }
            _ => None,
        };
        match above {
            Some(above) => {
                // In old ARM templates nested names are written in full.
                let full = above.as_str().zip(own.as_str()).is_some_and(|(a, o)| o.starts_with(&format!("{a}/")));
                if full {
                    return own;
                }
                super::eval::joined(&[above, Val::str("/", span), own.clone()], own.span)
            }
            None => own,
        }
    }

    pub(super) fn address(
        &mut self,
        d: &Rc<Deployment>,
        decl: &Decl,
        parent: Option<&Parent>,
        type_: &str,
        name: &Val,
        key: &Key,
    ) -> String {
        if d.template.dialect == Dialect::Bicep
            && let Some(symbol) = &decl.symbol
        {
            return match parent {
                Some(parent) => format!("{}::{symbol}{key}", parent.address),
                None => format!("{}{symbol}{key}", d.prefix),
            };
        }
        let described = name.describe();
        let mut address = match name.as_str() {
            Some(name) => format!("{}{type_}/{name}", d.prefix),
            None => format!("{}{type_}/[{described}]", d.prefix),
        };
        if *key == Key::Any {
            address.push_str("[*]");
        }
        let seen = self.addresses.entry(address.clone()).or_insert(0);
        *seen += 1;
        if *seen > 1 {
            address = format!("{address}#{seen}");
        }
        address
    }

    /// The name, type or API version of a resource by its address; the position in a loop is part of the address.
    /// The name is the one its declaration gives: of a child without those of its parents.
    pub(crate) fn identity(&mut self, d: &Rc<Deployment>, address: &str, what: &str, span: Span) -> Option<Val> {
        if d.template.dialect != Dialect::Bicep {
            return None;
        }
        let decl = d.declaration(address)?;
        if let (What::Resource { api, .. }, "apiVersion") = (&decl.what, what)
            && !api.is_empty()
        {
            return Some(Val::str(&**api, span));
        }
        // Names inside a loop need its variables; the position must be known.
        let template = d.template.clone();
        let own = address.strip_prefix(&d.prefix)?;
        let mut above: Option<Val> = None;
        let mut above_type = String::new();
        let mut inherited: Rc<str> = "".into();
        let mut decls = &template.decls;
        let mut steps = own.split("::").peekable();
        while let Some(step) = steps.next() {
            let (symbol, at) = step.split_once('[').map_or((step, None), |(s, at)| (s, Some(at.trim_end_matches(']'))));
            let decl = decls.iter().find(|d| d.symbol.as_deref() == Some(symbol))?;
            if let What::Resource { type_, api } = &decl.what {
                above_type = nested_type(&above_type, type_);
                if !api.is_empty() {
                    inherited = api.clone();
                }
                match (steps.peek(), what) {
                    (None, "type") => return Some(Val::str(above_type, span)),
                    (None, "apiVersion") => return Some(Val::str(&*inherited, span)),
                    _ => {}
                }
            }
            let declared = steps.peek().is_none() && what != FULL_NAME;
            let parent = above.take().map(|name| Parent { type_: String::new(), name, address: String::new() });
            let name = match &decl.over {
                None if declared => self.declared_name(d, decl, None, step, span),
                None => self.guarded_name(d, decl, parent.as_ref(), None, step, span),
                Some(over) => {
                    let at: usize = at?.parse().ok()?;
                    let list = self.eval(d, None, &over.list);
                    let item = list.as_list()?.get(at)?.clone();
                    let index = Val::int(i64::try_from(at).ok()?, span);
                    let names = (over.item.as_ref(), over.index.as_ref(), over.copy.as_ref());
                    self.with_loop(names, (&item, &index), None, |r, env| {
                        if declared {
                            r.declared_name(d, decl, env, step, span)
                        } else {
                            r.guarded_name(d, decl, parent.as_ref(), env, step, span)
                        }
                    })
                }
            };
            above = Some(name);
            decls = &decl.children;
        }
        above
    }

    /// The name as the declaration writes it.
    fn declared_name(&mut self, d: &Rc<Deployment>, decl: &Decl, env: Scope<'_>, step: &str, span: Span) -> Val {
        let Some(name) = decl.body.prop("name") else { return self.guarded_name(d, decl, None, env, step, span) };
        self.memo(d, &format!("d:{step}:{}", decl.start), span, |r| r.eval(d, env, name))
    }

    pub(super) fn guarded_name(
        &mut self,
        d: &Rc<Deployment>,
        decl: &Decl,
        parent: Option<&Parent>,
        env: Scope<'_>,
        step: &str,
        span: Span,
    ) -> Val {
        let above = parent.map_or(String::new(), |p| p.name.describe());
        self.memo(d, &format!("n:{above}::{step}"), span, |r| r.name_of(d, decl, parent, env))
    }

    pub(super) fn knows(&mut self, d: &Rc<Deployment>) {
        if d.known.get().is_some() || d.knowing.replace(true) {
            return;
        }
        let template = d.template.clone();
        let mut known = Known::default();
        let before = std::mem::take(&mut self.addresses);
        let made: BTreeSet<String> = d.slots.borrow().keys().cloned().collect();
        self.know(d, &template.decls, None, None, &mut known);
        // A variable that a name needed was made without knowing the resources: it is made anew when asked for.
        d.slots.borrow_mut().retain(|name, _| made.contains(name));
        self.addresses = before;
        let _ = d.known.set(known);
        d.knowing.set(false);
    }

    pub(super) fn know(
        &mut self,
        d: &Rc<Deployment>,
        decls: &[Decl],
        parent: Option<&Parent>,
        env: Scope<'_>,
        known: &mut Known,
    ) {
        for decl in decls {
            let each = |r: &mut Self, env: Scope<'_>, key: &Key, known: &mut Known| {
                let type_ = match &decl.what {
                    What::Resource { type_, .. } => nested_type(parent.map_or("", |p| &p.type_), type_),
                    _ => "Microsoft.Resources/deployments".to_owned(),
                };
                let name = r.name_of(d, decl, parent, env);
                let address = r.address(d, decl, parent, &type_, &name, key);
                let lower = name.describe().to_ascii_lowercase();
                known.by_id.entry((type_.to_ascii_lowercase(), lower.clone())).or_insert_with(|| address.clone());
                known.by_name.entry(lower).or_insert_with(|| address.clone());
                if let Some(symbol) = decl.symbol.as_ref().filter(|_| d.template.dialect == Dialect::Arm) {
                    known.by_symbol.insert(format!("{symbol}{key}"), address.clone());
                }
                if !matches!(decl.what, What::Resource { .. }) {
                    known.deployments.insert(address.clone(), decl.start);
                }
                let here = Parent { type_, name, address };
                r.know(d, &decl.children, Some(&here), env, known);
            };
            let Some(over) = &decl.over else {
                each(self, env, &Key::None, known);
                continue;
            };
            let list = self.eval(d, env, &over.list);
            let names = (over.item.as_ref(), over.index.as_ref(), over.copy.as_ref());
            match rounds(&list, over.copy.is_some()) {
                Ok(items) => {
                    for (i, item) in items.into_iter().enumerate() {
                        if known.by_id.len() >= MAX_RESOURCES {
                            return;
                        }
                        let at = Val::int(i64::try_from(i).unwrap_or(i64::MAX), item.span);
                        let key = Key::Index(u64::try_from(i).unwrap_or(u64::MAX));
                        self.with_loop(names, (&item, &at), env, |r, env| each(r, env, &key, known));
                    }
                }
                Err(_) => {
                    let item =
                        Val::unknown(WhyKind::Repeat, "copyIndex()", "the loop's length is not known", list.span);
                    self.with_loop(names, (&item, &item), env, |r, env| each(r, env, &Key::Any, known));
                }
            }
        }
    }

    /// The address of a resource of this type and name in the deployment.
    pub(crate) fn find_resource(&mut self, d: &Rc<Deployment>, type_: &str, name: &str) -> Option<String> {
        self.knows(d);
        let (type_, name) = (type_.to_ascii_lowercase(), name.to_ascii_lowercase());
        let found = d.known.get()?.by_id.get(&(type_.clone(), name.clone())).cloned();
        match (&d.outer, found) {
            (Some(outer), None) => {
                let outer = outer.clone();
                self.find_resource(&outer, &type_, &name)
            }
            (_, found) => found,
        }
    }

    /// The resource that one named `parent/child` belongs to, when it is in the deployment.
    pub(super) fn parent_of(&mut self, d: &Rc<Deployment>, type_: &str, name: &Val) -> Option<String> {
        let (above, _) = type_.rsplit_once('/').filter(|(above, _)| above.contains('/'))?;
        let name = name.describe();
        let (owner, _) = name.rsplit_once('/')?;
        // A parameter alone is described bare, and in braces where it is part of a longer name.
        let bare = owner.strip_prefix("${").and_then(|o| o.strip_suffix('}')).filter(|o| !o.contains('{'));
        bare.and_then(|bare| self.find_resource(d, above, bare)).or_else(|| self.find_resource(d, above, owner))
    }

    /// The address of the resource of this symbolic name in a template in JSON.
    pub(super) fn find_symbol(&mut self, d: &Rc<Deployment>, name: &str) -> Option<String> {
        self.knows(d);
        d.known.get()?.by_symbol.get(name).cloned()
    }

    /// The address of the resource of this symbolic name, name, or id, whatever its type.
    pub(crate) fn find_named(&mut self, d: &Rc<Deployment>, name: &str) -> Option<String> {
        if let Some(found) = self.find_symbol(d, name) {
            return Some(found);
        }
        let lower = name.to_ascii_lowercase();
        if let Some(found) = d.known.get()?.by_name.get(&lower) {
            return Some(found.clone());
        }
        let (_, id) = lower.split_once("/providers/")?;
        let mut steps = id.split('/');
        let mut type_ = steps.next()?.to_owned();
        let mut names = Vec::new();
        while let Some(step) = steps.next() {
            type_ = format!("{type_}/{step}");
            names.extend(steps.next());
        }
        let name = names.join("/");
        d.known.get()?.by_id.get(&(type_, name)).cloned()
    }
}

/// The type of a resource inside another one: relative to it, in old templates full.
pub(super) fn nested_type(above: &str, own: &str) -> String {
    if above.is_empty() || own.contains('.') && own.contains('/') { own.to_owned() } else { format!("{above}/{own}") }
}
