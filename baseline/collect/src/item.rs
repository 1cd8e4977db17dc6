//! One item on its way from a listed row to a resource.

use crate::{decode, field_value, names::Names, names::Scope};
use plumb_catalog::{CallSpec, EachSpec, JoinSpec, Key, Kind, ListSpec, Path, Take};
use plumb_model::{KindId, Map, Reason, Region, Resource, ResourceId, Sources, Unknown, Value};
use std::sync::Arc;

/// A call that is wanted next.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The service as botocore names it.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The filled-in arguments.
    pub args: serde_json::Value,
    /// The region to ask.
    pub region: Region,
    /// Whether all pages are wanted.
    pub paged: bool,
    /// Error codes that mean the thing does not exist.
    pub absent: Vec<String>,
    /// Error codes that mean the item was deleted meanwhile.
    pub gone: Vec<String>,
}

/// What came back for an [`Ask`].
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The answer, page by page (one page when it is not paged).
    Pages(Vec<Value>),
    /// There is no such thing.
    Absent,
    /// The item itself no longer exists.
    Gone,
    /// It could not be read.
    Unknown(Arc<Unknown>),
}

/// An item that was completed.
#[derive(Debug)]
pub struct Finished {
    /// The resource.
    pub resource: Resource,
    /// The raw document it was made from.
    pub raw: Value,
    /// Why it has no id of its own: what would have told it could not be read. Then nobody knows which resource was seen, and
    /// none may be counted as missing.
    pub nameless: Option<Arc<Unknown>>,
}

/// An item being completed.
#[derive(Debug, Clone)]
pub struct Item {
    raw: Value,
    parent: Option<Arc<Value>>,
    scope: Scope,
    each: usize,
    elements: Option<(Vec<Value>, Vec<Value>)>,
    missing: Option<Arc<Unknown>>,
    gone: bool,
}

/// The items on a page, as the list's `decode`, `items` and `scalar` say.
pub fn page_items(list: &ListSpec, page: &Value) -> Vec<Value> {
    let decoded;
    let page = match list.decode {
        Some(how) => {
            let content = page.get("Content").cloned().unwrap_or_else(|| page.clone());
            decoded = decode(how, content, &list.call.name());
            &decoded
        }
        None => page,
    };
    let found = match &list.items {
        None if list.decode.is_none() => return vec![page.clone()],
        None => page.clone(),
        Some(path) => path.find(page),
    };
    let items = match found {
        Value::List(items) => items.into_vec(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    let taken = |item: &Value| {
        let left_out = !list.unless.is_empty() && list.unless.iter().all(|condition| holds(item, condition));
        !left_out && list.only.iter().all(|condition| holds(item, condition))
    };
    items
        .into_iter()
        .filter(taken)
        .map(|item| match (&list.scalar, &item) {
            (Some(name), Value::Str(_) | Value::Int(_)) => Value::map([(name.as_str(), item)]),
            _ => item,
        })
        .map(|mut item| {
            if let Value::Map(map) = &mut item {
                list.with.iter().for_each(|(name, value)| map.insert(name, value.clone()));
            }
            item
        })
        .collect()
}

/// Whether what a path finds is what is wanted, or one of a list of such.
fn holds(item: &Value, (path, want): &(Path, Value)) -> bool {
    match (path.find(item), want) {
        (got, Value::List(wanted)) => wanted.iter().any(|want| alike(&got, want)),
        (got, want) => alike(&got, want),
    }
}

/// Whether an item's value is the wanted one; a wanted text that ends in `*` tells how it begins.
fn alike(got: &Value, want: &Value) -> bool {
    match (got, want) {
        (Value::Str(got), Value::Str(want)) => {
            want.strip_suffix('*').map_or(got == want, |begin| got.starts_with(begin))
        }
        (got, want) => got == want,
    }
}

impl Item {
    /// A listed row, or `{}` for a singleton.
    pub fn new(raw: Value, parent: Option<Arc<Value>>, scope: Scope) -> Self {
        let raw = match raw {
            Value::Map(map) => Value::Map(map),
            Value::Null => Value::Map(Map::default()),
            other => Value::map([("item", other)]),
        };
        Self { raw, parent, scope, each: 0, elements: None, missing: None, gone: false }
    }

    /// Whether the provider says it was deleted meanwhile.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// The raw document so far.
    pub fn raw(&self) -> &Value {
        &self.raw
    }

    fn put(&mut self, name: &str, value: Value) {
        if let Value::Map(map) = &mut self.raw {
            map.insert(name, value);
        }
    }

    /// Merges a described row into the listed one; an unknown makes every field it would have fed unknown.
    pub fn merge(&mut self, described: Result<Option<Value>, Arc<Unknown>>) {
        match described {
            Ok(Some(Value::Map(map))) => map.into_iter().for_each(|(name, value)| self.put(&name, value)),
            Ok(_) => {}
            Err(unknown) => self.missing = Some(unknown),
        }
    }

    /// Changes the raw document as a whole: to take credentials out before it is kept.
    pub fn change(&mut self, change: impl FnOnce(Value) -> Value) {
        self.raw = change(std::mem::take(&mut self.raw));
    }

    /// What names this item to the rows of a joined list.
    pub fn key(&self, join: &JoinSpec) -> Value {
        match &join.with {
            Key::Path(path) => path.find(&self.raw),
            Key::Template(template) => {
                let parent = self.parent.as_deref();
                let names = Names { scope: &self.scope, item: &self.raw, parent, each: None };
                names.text(template).map_or(Value::Null, Value::from)
            }
        }
    }

    /// Attaches a joined row (or rows) under `into`.
    pub fn attach(&mut self, into: &str, value: Value) {
        self.put(into, value);
    }

    /// The region whose endpoint is asked about this item.
    fn region(&self, kind: &Kind) -> Region {
        let own = kind.region_path.as_ref().map(|p| p.find(&self.raw));
        match own {
            Some(Value::Str(region)) if !region.is_empty() => Region::from(&*region),
            _ => self.scope.region.clone(),
        }
    }

    /// The next call wanted for this item, or none when it is complete.
    pub fn next(&mut self, kind: &Kind) -> Option<Ask> {
        while !self.gone {
            let spec = kind.each.get(self.each)?;
            let raw = &self.raw;
            if let Some(known) = spec.known.as_ref().map(|path| path.find(raw)).filter(|known| !known.is_null()) {
                self.put(&spec.into, known);
                self.each += 1;
                continue;
            }
            if let Some(unknown) = spec.only.iter().find_map(|(path, _)| path.find(raw).first_unknown().cloned()) {
                self.settle(spec, Value::Unknown(unknown));
                continue;
            }
            if !spec.only.iter().all(|condition| holds(raw, condition)) {
                self.settle(spec, Value::Null);
                continue;
            }
            if let Some(when) = &spec.when {
                let value = when.find(raw);
                if let Value::Unknown(unknown) = value {
                    self.settle(spec, Value::Unknown(unknown));
                    continue;
                }
                let empty = match &value {
                    Value::Null | Value::Bool(false) => true,
                    Value::Str(s) => s.is_empty(),
                    Value::List(l) => l.is_empty(),
                    Value::Map(m) => m.is_empty(),
                    _ => false,
                };
                if empty {
                    self.settle(spec, Value::Null);
                    continue;
                }
            }
            let each = if let Some(over) = &spec.over {
                if self.elements.is_none() {
                    match over.find(raw) {
                        Value::Unknown(unknown) => {
                            self.settle(spec, Value::Unknown(unknown));
                            continue;
                        }
                        Value::List(items) => {
                            let mut items = items.into_vec();
                            items.reverse();
                            self.elements = Some((items, Vec::new()));
                        }
                        Value::Null => self.elements = Some((Vec::new(), Vec::new())),
                        one => self.elements = Some((vec![one], Vec::new())),
                    }
                }
                let (waiting, done) = self.elements.get_or_insert_default();
                match waiting.last() {
                    Some(element) => Some(element.clone()),
                    None => {
                        let answers = std::mem::take(done);
                        self.settle(spec, Value::list(answers));
                        continue;
                    }
                }
            } else {
                None
            };
            let names = Names { scope: &self.scope, item: raw, parent: self.parent.as_deref(), each: each.as_ref() };
            match names.args(&spec.call.args) {
                Ok(args) => {
                    return Some(Ask {
                        service: spec.call.service.clone(),
                        operation: spec.call.operation.clone(),
                        args,
                        region: self.region(kind),
                        paged: spec.items.is_some(),
                        absent: spec.absent.clone(),
                        gone: spec.gone.clone(),
                    });
                }
                Err(name) => {
                    let cause = raw.first_unknown().map(|u| u.as_ref().clone());
                    let mut unknown = cause.unwrap_or_else(|| Unknown::new(Reason::Broken, spec.call.name()));
                    if unknown.detail.is_empty() {
                        unknown.detail = format!("{} needs {name}", spec.call.name());
                    }
                    self.settle(spec, Value::unknown(unknown));
                }
            }
        }
        None
    }

    /// Takes the answer to the last [`Ask`].
    pub fn tell(&mut self, kind: &Kind, told: Told) {
        let Some(spec) = kind.each.get(self.each) else { return };
        let value = match told {
            Told::Gone => {
                self.gone = true;
                return;
            }
            Told::Absent => Value::Null,
            Told::Unknown(unknown) => Value::Unknown(unknown),
            Told::Pages(pages) => answer(spec, &pages),
        };
        if let Some((waiting, done)) = &mut self.elements {
            let element = waiting.pop().unwrap_or_default();
            // An answer remembers what it was asked about, so that fields can pair them.
            done.push(match value {
                Value::Map(map) => Value::map(map.iter().map(|(k, v)| (k, v.clone())).chain([("$each", element)])),
                other => other,
            });
        } else {
            self.settle(spec, value);
        }
    }

    fn settle(&mut self, spec: &EachSpec, value: Value) {
        let value = match spec.decode {
            Some(how) => decode(how, value, &spec.call.name()),
            None => value,
        };
        self.put(&spec.into, value);
        self.elements = None;
        self.each += 1;
    }

    /// The finished resource.
    pub fn finish(self, kind: &Kind) -> Finished {
        let raw = &self.raw;
        let mut scope = self.scope.clone();
        scope.region = self.region(kind);
        let names = Names { scope: &scope, item: raw, parent: self.parent.as_deref(), each: None };
        let id = names.text(&kind.id_template).filter(|id| !id.is_empty());
        let nameless = if id.is_some() { None } else { raw.first_unknown().or(self.missing.as_ref()).cloned() };
        let id = id.unwrap_or_else(|| {
            let digest = plumb_model::FindingKey::new(
                &kind.id.as_str().into(),
                &scope.account,
                &raw.to_json().to_string().into(),
                scope.region.as_str(),
            );
            format!("{}:{}:{}:unidentified-{}", kind.id, scope.account, scope.region, digest.short())
        });
        let name = names.text(&kind.name_template).filter(|n| !n.is_empty()).unwrap_or_else(|| id.clone());
        let fields = live_fields_of(kind, raw, self.missing.as_ref());
        let resource = Resource {
            kind: kind.id.clone(),
            account: scope.account,
            region: scope.region,
            id: ResourceId::from(id),
            name: name.into(),
            fields,
            sources: Sources::default(),
        };
        Finished { resource, raw: self.raw, nameless }
    }
}

fn live_fields_of(kind: &Kind, raw: &Value, missing: Option<&Arc<Unknown>>) -> Vec<Value> {
    kind.fields
        .iter()
        .map(|field| field_value(field, &|f| &f.live, raw, missing, &|take: &Take| take.from.is_none()))
        .collect()
}

fn answer(spec: &EachSpec, pages: &[Value]) -> Value {
    match &spec.items {
        Some(items) => Value::list(pages.iter().flat_map(|page| match items.find(page) {
            Value::List(items) => items.into_vec(),
            Value::Null => Vec::new(),
            one => vec![one],
        })),
        None => pages.first().map(|page| spec.take.find(page)).unwrap_or_default(),
    }
}

/// The list call of a kind as an [`Ask`], for a parent item when the kind has one.
pub fn list_ask(call: &CallSpec, absent: &[String], scope: &Scope, parent: Option<&Value>) -> Result<Ask, String> {
    let names = Names { scope, item: &Value::Null, parent, each: None };
    Ok(Ask {
        service: call.service.clone(),
        operation: call.operation.clone(),
        args: names.args(&call.args)?,
        region: scope.region.clone(),
        paged: true,
        absent: absent.to_vec(),
        gone: Vec::new(),
    })
}

/// A coverage scope's name in verdicts and coverage rows when a whole kind could not be read.
pub fn unread_id(kind: &KindId, scope: &Scope) -> ResourceId {
    ResourceId::from(format!("{}:{}:{kind}", scope.account, scope.region))
}
