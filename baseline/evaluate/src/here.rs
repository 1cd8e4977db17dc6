//! The world, seen from one resource.

use crate::{Judging, World, asked::Found, functions::host, table::Table};
use plumb_catalog::{Kind, Link, Scope};
use plumb_cel::{Host, List, MapVal, Val};
use plumb_model::{Reason, Resource, Unknown, Value};
use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    sync::Arc,
};

/// The account of code that is not deployed.
const CODE: &str = "code";

/// Values of the parts of conditions that are the same for every resource, evaluated when first asked for.
pub(crate) struct Kept<'w> {
    anywhere: Vec<OnceCell<Val<'w>>>,
    by_place: RefCell<HashMap<(u32, Box<str>), Val<'w>>>,
}

impl<'w> Kept<'w> {
    pub fn new(parts: usize) -> Self {
        Self { anywhere: (0..parts).map(|_| OnceCell::new()).collect(), by_place: RefCell::default() }
    }

    pub fn anywhere(&self, number: u32, value: impl FnOnce() -> Val<'w>) -> Option<Val<'w>> {
        Some(self.anywhere.get(number as usize)?.get_or_init(value).clone())
    }

    pub fn in_place(&self, number: u32, place: &str, value: impl FnOnce() -> Val<'w>) -> Val<'w> {
        let key = (number, Box::from(place));
        if let Some(value) = self.by_place.borrow().get(&key) {
            return value.clone();
        }
        let value = value();
        self.by_place.borrow_mut().insert(key, value.clone());
        value
    }
}

/// The world, seen from one resource. What was found out for one rule is kept for the next.
pub(crate) struct Here<'a, 'w> {
    judging: &'a Judging<'w>,
    world: &'w World<'w>,
    resource: &'a Resource,
    kind: &'a Kind,
    links: RefCell<Vec<(*const Link, Val<'a>)>>,
    /// The documents of the resource's own that were asked about.
    found: Found,
}

impl<'a, 'w: 'a> Here<'a, 'w> {
    pub fn new(judging: &'a Judging<'w>, resource: &'a Resource, kind: &'a Kind) -> Self {
        let (world, links) = (judging.world(), RefCell::default());
        Self { judging, world, resource, kind, links, found: Found::default() }
    }

    fn link(&self, name: &str) -> Val<'a> {
        let Some(link) = self.kind.links.get(name) else { return Val::invalid(format!("no link `{name}`")) };
        let known = self.links.borrow().iter().find(|(l, _)| std::ptr::eq(*l, link)).map(|(_, value)| value.clone());
        known.unwrap_or_else(|| {
            let value = self.linked(link);
            self.links.borrow_mut().push((link, value.clone()));
            value
        })
    }

    fn linked(&self, link: &'a Link) -> Val<'a> {
        let (root, rest) = link.from.split_once('.').map_or((link.from.as_str(), ""), |(a, b)| (a, b));
        let slot = self.kind.slot(root);
        let value = slot.and_then(|s| self.resource.fields.get(s)).unwrap_or(&Value::Null);
        let Some(table) = self.world.table(link.kind.as_str()) else { return World::not_asked(link.kind.as_str()) };
        let found = match rest.parse::<plumb_catalog::Path>() {
            Ok(path) if !rest.is_empty() => Some(path.find(value)),
            _ => None,
        };
        match found.as_ref().unwrap_or(value) {
            Value::Unknown(unknown) => Val::unknown(Arc::clone(unknown)),
            Value::List(items) => {
                let linked: Vec<Val<'a>> = items
                    .iter()
                    .map(|item| self.follow(link, table, item))
                    .filter(|v| !matches!(v, Val::Null))
                    .collect();
                Val::list(linked)
            }
            one => self.follow(link, table, one),
        }
    }

    fn follow(&self, link: &Link, table: &'w Table, value: &Value) -> Val<'a> {
        let text = match value {
            Value::Str(s) if !s.is_empty() => s,
            Value::Unknown(u) => return Val::unknown(Arc::clone(u)),
            _ => return Val::Null,
        };
        let mut unsure = None;
        // In code a reference is the address of what it means, whatever attribute it reads.
        let in_code = self.resource.account.as_str() == CODE;
        let by_address = (in_code && !link.to.iter().any(|f| f == "id")).then_some("id");
        for field in link.to.iter().map(String::as_str).chain(by_address) {
            let Some(index) = table.by(field) else { continue };
            if let Some(at) = index.by_text.get(text).and_then(|hits| hits.first())
                && let Some(row) = table.rows.get(*at as usize)
            {
                return Val::Object(row);
            }
            // A row whose field is of a strange type is no candidate for what is linked; one that is unknown is.
            let unknown = |at: &u32| {
                let row = table.rows.get(*at as usize)?;
                row.kind.slot(field).and_then(|slot| row.resource.fields.get(slot)).and_then(Value::first_unknown)
            };
            if let Some(found) = index.unsure.iter().find_map(unknown) {
                unsure = Some(Arc::clone(found));
            }
        }
        if let Some(unknown) = table.gap(self.kind.scope).cloned().or(unsure) {
            return Val::unknown(unknown);
        }
        if in_code {
            let mut unknown = Unknown::new(Reason::NotComputed, &**text);
            unknown.detail = "it is not in this code".into();
            return Val::unknown(Arc::new(unknown));
        }
        let account = text.split(':').nth(4).unwrap_or_default();
        let elsewhere = text.starts_with("arn:")
            && !account.is_empty()
            && account != "aws"
            && account != self.resource.account.as_str();
        if elsewhere {
            let mut unknown = Unknown::new(Reason::NotAsked, link.kind.as_str());
            unknown.detail = format!("it is in account {account}");
            return Val::unknown(Arc::new(unknown));
        }
        Val::Null
    }

    /// Answers a question about a policy once per document.
    fn policy(&self, function: u16, args: &[Val<'_>]) -> Option<Val<'static>> {
        let Some(Val::Map(MapVal::Doc(map))) = args.first().filter(|_| !self.judging.is_plain()) else {
            return self.world.policy(function, args);
        };
        // What the resource itself holds stands still for as long as it is looked at, the tables as long as the world.
        if self.world.found.holds(*map) {
            return self.world.call_policy(function, args);
        }
        let own = self.found.holds(*map) || self.resource.fields.iter().any(|field| holds(field, *map));
        if own { self.world.ask_policy(function, args, &self.found) } else { self.world.call_policy(function, args) }
    }
}

/// Whether a map is part of a value, by where it stands.
fn holds(value: &Value, map: *const plumb_model::Map) -> bool {
    match value {
        Value::Map(own) => std::ptr::eq(own, map) || own.iter().any(|(_, v)| holds(v, map)),
        Value::List(items) => items.iter().any(|v| holds(v, map)),
        _ => false,
    }
}

impl Host for Here<'_, '_> {
    fn call<'b>(&'b self, function: u16, args: &[Val<'b>]) -> Val<'b> {
        match function {
            host::LINK => self.link(args.first().and_then(Val::as_str).unwrap_or_default()),
            host::PUBLIC_STATEMENTS..=host::ESCALATIONS => {
                self.policy(function, args).unwrap_or_else(|| Val::no_overload("policy function", args))
            }
            other => self.world.call(other, args),
        }
    }

    fn lookup<'b>(&'b self, function: u16, args: &[Val<'b>], keys: &[(&str, Val<'b>)]) -> Option<List<'b>> {
        self.world.lookup(function, args, keys)
    }

    fn shared<'b>(&'b self, number: u32) -> Option<Val<'b>> {
        self.judging.shared(number, &self.resource.region)
    }
}

/// What does not depend on a resource.
impl Host for World<'_> {
    fn call<'a>(&'a self, function: u16, args: &[Val<'a>]) -> Val<'a> {
        let text = |i: usize| args.get(i).and_then(Val::as_str).unwrap_or_default();
        match function {
            host::ALL | host::ALL_REGIONAL => match self.table(text(0)) {
                Some(table) => Val::List(table.all(scope_of(function))),
                None => Self::not_asked(text(0)),
            },
            host::ACCOUNT => Val::Object(self.account()),
            host::RUNTIME_END => match self.helpers.end_of_support.end(text(0), text(1)) {
                Some(end) => Val::Time(end),
                None => {
                    let mut unknown = Unknown::new(Reason::NotAsked, "end-of-support data");
                    unknown.detail = format!("they do not know {} {}; a newer edition may", text(0), text(1));
                    Val::unknown(Arc::new(unknown))
                }
            },
            host::PUBLIC_STATEMENTS..=host::ESCALATIONS => {
                self.call_policy(function, args).unwrap_or_else(|| Val::no_overload("policy function", args))
            }
            _ => Val::invalid("the rule asks for what only a resource can answer"),
        }
    }

    fn lookup<'a>(&'a self, function: u16, args: &[Val<'a>], keys: &[(&str, Val<'a>)]) -> Option<List<'a>> {
        if !matches!(function, host::ALL | host::ALL_REGIONAL) {
            return None;
        }
        self.table(args.first()?.as_str()?)?.lookup(keys, scope_of(function))
    }
}

fn scope_of(function: u16) -> Scope {
    if function == host::ALL_REGIONAL { Scope::Region } else { Scope::Global }
}
