//! The resources of one kind, and the indexes by which rules find them.

use plumb_catalog::{Kind, Scope};
use plumb_cel::{List, Object, Objects, Val};
use plumb_model::{Resource, Unknown, Value};
use std::{collections::HashMap, sync::Arc};

/// A resource with its kind, readable by field name.
pub(crate) struct Row {
    pub resource: Arc<Resource>,
    pub kind: Arc<Kind>,
}

impl Row {
    /// One of what every resource has beside its kind's fields.
    fn common(&self, name: &str) -> Option<&str> {
        Some(match name {
            "id" | "address" => self.resource.id.as_str(),
            "name" => &self.resource.name,
            "region" => self.resource.region.as_str(),
            "account_id" => self.resource.account.as_str(),
            _ => return None,
        })
    }
}

impl Object for Row {
    fn get(&self, name: &str) -> Option<Val<'_>> {
        match self.kind.slot(name) {
            Some(slot) => Some(self.resource.fields.get(slot).map_or(Val::Null, Val::from)),
            None => self.common(name).map(Val::str),
        }
    }

    fn at(&self, slot: u32, name: &str) -> Option<Val<'_>> {
        match self.resource.fields.get(slot as usize) {
            Some(value) => Some(Val::from(value)),
            None => self.get(name),
        }
    }

    fn identity(&self) -> &str {
        self.resource.id.as_str()
    }
}

/// The resources of one kind in an account, as far as they could be read.
#[derive(Default)]
pub struct Table {
    pub(crate) rows: Vec<Row>,
    /// Why there may be more; none when everything was read.
    incomplete: Option<Arc<Unknown>>,
    /// Set when regions were left out on purpose: what is regional itself has its relations in its own region and does
    /// not miss them, what is global does.
    narrowed: Option<Arc<Unknown>>,
    /// By path: `vpc_id`, `group_ids[]`, `ingress[].groups[]`; a few of them.
    indexes: Vec<(Box<str>, Index)>,
}

impl Objects for Table {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn get(&self, index: usize) -> Option<&dyn Object> {
        self.rows.get(index).map(|row| row as &dyn Object)
    }
}

/// Positions of rows by the text, number or truth value at a path; each list of positions ascends. Rows of which part
/// of the path is unknown, or of a type that is not expected there, are under none of them but in `unsure`.
#[derive(Default)]
pub(crate) struct Index {
    pub by_text: HashMap<Box<str>, Vec<u32>>,
    pub unsure: Vec<u32>,
}

/// One member of a path, and whether the elements of its list are meant.
struct Step<'p> {
    name: &'p str,
    each: bool,
}

impl Index {
    fn build(rows: &[Row], path: &str) -> Self {
        let steps: Vec<Step<'_>> = path
            .split('.')
            .map(|step| match step.strip_suffix("[]") {
                Some(name) => Step { name, each: true },
                None => Step { name: step, each: false },
            })
            .collect();
        let mut index = Self::default();
        let Some((first, rest)) = steps.split_first() else { return index };
        for (at, row) in rows.iter().enumerate() {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            match row.kind.slot(first.name) {
                Some(slot) => index.step(row.resource.fields.get(slot).unwrap_or(&Value::Null), first, rest, at),
                None => match row.common(first.name) {
                    Some(text) if rest.is_empty() && !first.each => index.put(text, at),
                    Some(_) => index.unsure(at),
                    None => {}
                },
            }
        }
        index
    }

    fn step(&mut self, value: &Value, step: &Step<'_>, rest: &[Step<'_>], at: u32) {
        match value {
            Value::List(items) if step.each => items.iter().for_each(|item| self.go(item, rest, at)),
            Value::Null => {}
            _ if step.each => self.unsure(at),
            value => self.go(value, rest, at),
        }
    }

    fn go(&mut self, value: &Value, rest: &[Step<'_>], at: u32) {
        match (value, rest.split_first()) {
            (Value::Null, _) => {}
            (Value::Str(text), None) => self.put(text, at),
            (Value::Int(i), None) => self.put(&i.to_string(), at),
            (Value::Bool(b), None) => self.put(if *b { "true" } else { "false" }, at),
            // A link's field may be a list of what it is known by.
            (Value::List(items), None) => items.iter().for_each(|item| self.go(item, rest, at)),
            (Value::Map(map), Some((next, rest))) => {
                if let Some(value) = map.get(next.name) {
                    self.step(value, next, rest, at);
                }
            }
            _ => self.unsure(at),
        }
    }

    fn put(&mut self, text: &str, at: u32) {
        let rows = match self.by_text.get_mut(text) {
            Some(rows) => rows,
            None => self.by_text.entry(text.into()).or_default(),
        };
        if rows.last() != Some(&at) {
            rows.push(at);
        }
    }

    fn unsure(&mut self, at: u32) {
        if self.unsure.last() != Some(&at) {
            self.unsure.push(at);
        }
    }

    /// The rows under a key; none when such a key is in no index.
    fn find(&self, key: &Val<'_>) -> Option<&[u32]> {
        let rows = match key {
            Val::Str(text) => self.by_text.get(&**text),
            Val::Int(i) => self.by_text.get(i.to_string().as_str()),
            Val::Bool(b) => self.by_text.get(if *b { "true" } else { "false" }),
            _ => return None,
        };
        Some(rows.map_or(&[], Vec::as_slice))
    }
}

impl Table {
    /// The resources of a kind; `incomplete` when there may be more.
    pub fn new(
        kind: Arc<Kind>,
        resources: impl IntoIterator<Item: Into<Arc<Resource>>>,
        incomplete: Option<Arc<Unknown>>,
    ) -> Self {
        let row = |resource: Arc<Resource>| Row { resource, kind: Arc::clone(&kind) };
        let rows = resources.into_iter().map(|resource| row(resource.into())).collect();
        Self { rows, incomplete, narrowed: None, indexes: Vec::new() }
    }

    /// The same, knowing that regions were left out on purpose.
    pub fn narrowed(mut self, why: Option<Arc<Unknown>>) -> Self {
        self.narrowed = why;
        self
    }

    /// What is missing from the view of a resource whose kind has this scope.
    pub(crate) fn gap(&self, scope: Scope) -> Option<&Arc<Unknown>> {
        self.incomplete.as_ref().or(self.narrowed.as_ref().filter(|_| scope != Scope::Region))
    }

    pub(crate) fn index(&mut self, path: &str) {
        if self.by(path).is_none() {
            let index = Index::build(&self.rows, path);
            self.indexes.push((path.into(), index));
        }
    }

    /// The index by a path, if there is one.
    pub(crate) fn by(&self, path: &str) -> Option<&Index> {
        self.indexes.iter().find(|(own, _)| **own == *path).map(|(_, index)| index)
    }

    /// Everything, as a resource whose kind has this scope sees it.
    pub(crate) fn all(&self, scope: Scope) -> List<'_> {
        self.seen(List::Objects(self), scope)
    }

    fn seen<'a>(&'a self, rows: List<'a>, scope: Scope) -> List<'a> {
        match self.gap(scope) {
            Some(unknown) => List::incomplete(rows, unknown),
            None => rows,
        }
    }

    /// The rows with any of the keys and those of which that is not known, in their order.
    pub(crate) fn lookup<'a>(&'a self, keys: &[(&str, Val<'a>)], scope: Scope) -> Option<List<'a>> {
        let mut only: &[u32] = &[];
        let mut merged: Vec<u32> = Vec::new();
        for (path, key) in keys {
            let index = self.by(path)?;
            for found in [index.find(key)?, index.unsure.as_slice()] {
                match (found.is_empty(), only.is_empty() && merged.is_empty()) {
                    (true, _) => {}
                    (false, true) => only = found,
                    (false, false) => {
                        merged.extend_from_slice(std::mem::take(&mut only));
                        merged.extend_from_slice(found);
                    }
                }
            }
        }
        if merged.is_empty() {
            return Some(self.seen(List::Picked(self, only), scope));
        }
        merged.sort_unstable();
        merged.dedup();
        let rows = merged.iter().filter_map(|at| self.rows.get(*at as usize)).map(|row| Val::Object(row)).collect();
        Some(self.seen(List::of(rows), scope))
    }
}
