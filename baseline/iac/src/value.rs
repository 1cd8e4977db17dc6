//! What code says: a value that may be known, unknown, partly known, or a reference, with where it was written.

use crate::source::Span;
use plumb_model::{Reason, Unknown, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The members of an object or map, in key order.
pub type Members = BTreeMap<Arc<str>, Val>;

/// One evaluated value, with the place it was written and the way it came there.
///
/// Two values are equal when their data is equal; places, provenance and sensitivity do not count.
#[derive(Debug, Clone)]
pub struct Val {
    /// What it is.
    pub data: Data,
    /// The expression that gave it, as near to the reader of the value as possible: for `acl = var.acl` the span of
    /// `var.acl`; [`Val::origin`] is where the literal stands.
    pub span: Span,
    /// Whether the author marked it sensitive: it may be judged, never shown.
    pub sensitive: bool,
    /// Whether a list or map is one by its type (`list(…)`, `map(…)`): all elements have one type, and it equals no tuple
    /// or object, `[]` and `{}` included.
    pub typed: bool,
    /// How it came here: variables, locals, arguments, outputs and resource attributes it was read through.
    pub prov: Option<Arc<Prov>>,
}

/// The data of a [`Val`].
#[derive(Debug, Clone, Default)]
pub enum Data {
    /// Null, or not set.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Num(f64),
    /// Text.
    Str(Arc<str>),
    /// A list or tuple.
    List(Arc<Vec<Val>>),
    /// A set: sorted, without duplicates.
    Set(Arc<Vec<Val>>),
    /// A map or object.
    Map(Arc<Members>),
    /// Text that encodes a structured value (a policy, say); the parts stay visible with their places.
    Doc(Arc<Doc>),
    /// Text with parts that are not known: `arn:${partition}:s3:::logs`.
    Partial(Arc<Vec<Part>>),
    /// An attribute of a resource (or a whole resource) known only after apply, whose identity is known now.
    Ref(Arc<Ref>),
    /// Not known, and why.
    Unknown(Arc<Why>),
}

/// Text that is the JSON encoding of a value.
#[derive(Debug, Clone)]
pub struct Doc {
    /// The text, when every part of the value is known.
    pub text: Option<Arc<str>>,
    /// The value it encodes.
    pub value: Val,
}

/// A piece of a [`Data::Partial`] text.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Literal text.
    Text(Arc<str>),
    /// A hole: a value that is a [`Data::Ref`] or [`Data::Unknown`].
    Hole(Val),
}

/// A resource, or an attribute of one.
#[derive(Debug, Clone)]
pub struct Ref {
    /// The full address of the resource: `module.a["k"].aws_s3_bucket.b[0]`, or a template's logical id.
    pub address: Arc<str>,
    /// The attribute path, `arn` or `origin[0].domain_name`; empty for the whole resource.
    pub path: Arc<str>,
}

impl PartialEq for Ref {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address && self.path == other.path
    }
}

/// Why a value is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The class.
    pub kind: WhyKind,
    /// The expression as written, `var.vpc_id` or `data.aws_region.here.name`.
    pub expr: Arc<str>,
    /// One sentence for a person: what is missing, and what would make it known.
    pub detail: Arc<str>,
    /// Where that expression stands.
    pub span: Span,
}

/// The classes of not knowing in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhyKind {
    /// An input (variable, parameter) without a value.
    Input,
    /// Known only after apply or deployment.
    Apply,
    /// A data source or intrinsic that asks the provider.
    Lookup,
    /// A module that is not on disk.
    Module,
    /// A file that is not in the repository.
    File,
    /// A function whose result differs each time, or needs a provider.
    Function,
    /// The expression is wrong: evaluating it is an error.
    Error,
    /// A limit on size or depth was reached.
    Limit,
    /// The count, keys or condition it depends on is not known.
    Repeat,
}

impl WhyKind {
    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Apply => "apply",
            Self::Lookup => "lookup",
            Self::Module => "module",
            Self::File => "file",
            Self::Function => "function",
            Self::Error => "error",
            Self::Limit => "limit",
            Self::Repeat => "repeat",
        }
    }
}

/// One step of a value's way.
#[derive(Debug, Clone, PartialEq)]
pub struct Prov {
    /// What it was read through.
    pub step: Step,
    /// The span of the value before this step.
    pub span: Span,
    /// The steps before.
    pub next: Option<Arc<Prov>>,
}

/// What a value was read through.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// An input variable or parameter, by name.
    Variable(Arc<str>),
    /// A local value or template variable.
    Local(Arc<str>),
    /// A module's output, `module.vpc.vpc_id`.
    Output(Arc<str>),
    /// A resource's attribute: the edge that links two resources.
    Resource(Ref),
    /// A loop's element.
    Each(Arc<str>),
}

impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Num(a), Self::Num(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Set(a), Self::Set(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Map(a), Self::Map(b)) => Arc::ptr_eq(a, b) || a == b,
            (Self::Doc(a), Self::Doc(b)) => match (&a.text, &b.text) {
                (Some(a), Some(b)) => a == b,
                (None, None) => a.value == b.value,
                _ => false,
            },
            (Self::Partial(a), Self::Partial(b)) => a == b,
            (Self::Ref(a), Self::Ref(b)) => a == b,
            (Self::Unknown(a), Self::Unknown(b)) => a.expr == b.expr && a.span == b.span,
            _ => matches!((self.text(), other.text()), (Some(a), Some(b)) if a == b),
        }
    }
}

impl Data {
    fn text(&self) -> Option<&Arc<str>> {
        match self {
            Self::Str(s) => Some(s),
            Self::Doc(d) => d.text.as_ref(),
            _ => None,
        }
    }
}

impl Val {
    /// A value written at `span`.
    pub fn new(data: Data, span: Span) -> Self {
        Self { data, span, sensitive: false, typed: false, prov: None }
    }

    /// Null.
    pub fn null(span: Span) -> Self {
        Self::new(Data::Null, span)
    }

    /// Text.
    pub fn str(text: impl Into<Arc<str>>, span: Span) -> Self {
        Self::new(Data::Str(text.into()), span)
    }

    /// A truth value.
    pub fn bool(b: bool, span: Span) -> Self {
        Self::new(Data::Bool(b), span)
    }

    /// A whole number.
    pub fn int(i: i64, span: Span) -> Self {
        Self::new(Data::Int(i), span)
    }

    /// A number; whole ones become [`Data::Int`].
    pub fn num(f: f64, span: Span) -> Self {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let data = if f.fract() == 0.0 && f.abs() <= EXACT { Data::Int(f as i64) } else { Data::Num(f) };
        Self::new(data, span)
    }

    /// A list.
    pub fn list(items: Vec<Val>, span: Span) -> Self {
        Self::new(Data::List(Arc::new(items)), span)
    }

    /// A map.
    pub fn map(members: Members, span: Span) -> Self {
        Self::new(Data::Map(Arc::new(members)), span)
    }

    /// A value that is not known.
    pub fn unknown(kind: WhyKind, expr: impl Into<Arc<str>>, detail: impl Into<Arc<str>>, span: Span) -> Self {
        Self::new(Data::Unknown(Arc::new(Why { kind, expr: expr.into(), detail: detail.into(), span })), span)
    }

    /// An attribute of a resource, known after apply; an empty path is the whole resource.
    pub fn reference(address: impl Into<Arc<str>>, path: impl Into<Arc<str>>, span: Span) -> Self {
        Self::new(Data::Ref(Arc::new(Ref { address: address.into(), path: path.into() })), span)
    }

    /// Text made of parts: joined when all are literal, else [`Data::Partial`]. A single hole is that value.
    pub fn from_parts(parts: Vec<Part>, span: Span) -> Self {
        let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(t) => text.push_str(&t),
                Part::Hole(v) => {
                    if !text.is_empty() {
                        joined.push(Part::Text(std::mem::take(&mut text).into()));
                    }
                    joined.push(Part::Hole(v));
                }
            }
        }
        if joined.is_empty() {
            return Self::str(text, span);
        }
        if !text.is_empty() {
            joined.push(Part::Text(text.into()));
        } else if let [Part::Hole(only)] = joined.as_slice() {
            return only.clone();
        }
        Self::new(Data::Partial(Arc::new(joined)), span)
    }

    /// The same value as read through `step` at `span`.
    pub fn through(mut self, step: Step, span: Span) -> Self {
        self.prov = Some(Arc::new(Prov { step, span: self.span, next: self.prov }));
        self.span = span;
        self
    }

    /// Where the value was first written: the literal behind variables, locals and arguments.
    pub fn origin(&self) -> Span {
        let mut span = self.span;
        for prov in self.steps() {
            span = prov.span;
        }
        span
    }

    /// The steps the value came through, nearest first.
    pub fn steps(&self) -> impl Iterator<Item = &Prov> {
        std::iter::successors(self.prov.as_deref(), |p| p.next.as_deref())
    }

    /// The resource attribute this value is, or was read through: the edge to link by.
    pub fn edge(&self) -> Option<&Ref> {
        if let Data::Ref(r) = &self.data {
            return Some(r);
        }
        self.steps().find_map(|p| if let Step::Resource(r) = &p.step { Some(r) } else { None })
    }

    /// Calls `each` for every edge in this value: whole values, holes in texts, members, with the path to it.
    pub fn edges(&self, each: &mut dyn FnMut(&str, &Ref, Span)) {
        self.walk("", 0, &mut |path, val| {
            if let Some(edge) = val.edge() {
                each(path, edge, val.span);
            }
            if let Data::Partial(parts) = &val.data {
                for part in parts.iter() {
                    if let Part::Hole(hole) = part
                        && let Some(edge) = hole.edge()
                    {
                        each(path, edge, hole.span);
                    }
                }
            }
        });
    }

    /// Calls `each` for this value and every value inside it, with its path (`rule[0].port`); documents are entered.
    pub fn walk(&self, path: &str, depth: u32, each: &mut dyn FnMut(&str, &Val)) {
        each(path, self);
        if depth > 64 {
            return;
        }
        match &self.data {
            Data::List(items) | Data::Set(items) => {
                for (i, item) in items.iter().enumerate() {
                    item.walk(&format!("{path}[{i}]"), depth + 1, each);
                }
            }
            Data::Map(members) => {
                for (key, item) in members.iter() {
                    let sep = if path.is_empty() { "" } else { "." };
                    item.walk(&format!("{path}{sep}{key}"), depth + 1, each);
                }
            }
            Data::Doc(doc) => doc.value.walk(path, depth + 1, each),
            _ => {}
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// Whether the value itself (not merely a member of it) is not known.
    pub fn is_unknown(&self) -> bool {
        matches!(self.data, Data::Unknown(_) | Data::Ref(_) | Data::Partial(_))
            || matches!(&self.data, Data::Doc(d) if d.text.is_none())
    }

    /// Whether every part is known.
    pub fn is_known(&self) -> bool {
        match &self.data {
            Data::List(items) | Data::Set(items) => items.iter().all(Val::is_known),
            Data::Map(members) => members.values().all(Val::is_known),
            _ => !self.is_unknown(),
        }
    }

    /// The text, if this is known text.
    pub fn as_str(&self) -> Option<&str> {
        self.data.text().map(|t| &**t)
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Data::Bool(b) = self.data { Some(b) } else { None }
    }

    /// The whole number, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Data::Int(i) = self.data { Some(i) } else { None }
    }

    /// The number, if this is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self.data {
            Data::Int(i) => Some(i as f64),
            Data::Num(f) => Some(f),
            _ => None,
        }
    }

    /// The items, if this is a list or set.
    pub fn as_list(&self) -> Option<&[Val]> {
        if let Data::List(l) | Data::Set(l) = &self.data { Some(l) } else { None }
    }

    /// The members, if this is a map.
    pub fn as_map(&self) -> Option<&Members> {
        if let Data::Map(m) = &self.data { Some(m) } else { None }
    }

    /// The member `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Val> {
        self.as_map()?.get(key)
    }

    /// The value at a dotted path: members by name, items by number (`rule.0.port` or `rule[0].port`). A list of one
    /// is looked through, as blocks are lists: `versioning.enabled` finds `versioning[0].enabled`. Documents are
    /// entered. An unknown on the way is the answer.
    pub fn at(&self, path: &str) -> Option<&Val> {
        let mut here = self;
        for step in path.split(['.', '[']).map(|s| s.trim_end_matches(']').trim_matches('"')).filter(|s| !s.is_empty())
        {
            loop {
                match &here.data {
                    Data::Doc(doc) => here = &doc.value,
                    Data::List(items) | Data::Set(items) => {
                        if let Ok(i) = step.parse::<usize>() {
                            here = items.get(i)?;
                            break;
                        }
                        match items.as_slice() {
                            [one] => here = one,
                            _ => return None,
                        }
                    }
                    Data::Map(members) => {
                        here = members.get(step)?;
                        break;
                    }
                    Data::Unknown(_) | Data::Ref(_) | Data::Partial(_) => return Some(here),
                    _ => return None,
                }
            }
        }
        Some(here)
    }

    /// Reads a JSON value, every part with the span of the whole.
    pub fn from_json(json: &Json, span: Span) -> Self {
        match json {
            Json::Null => Self::null(span),
            Json::Bool(b) => Self::bool(*b, span),
            Json::Number(n) => match n.as_i64() {
                Some(i) => Self::int(i, span),
                None => Self::num(n.as_f64().unwrap_or(0.0), span),
            },
            Json::String(s) => Self::str(s.as_str(), span),
            Json::Array(items) => Self::list(items.iter().map(|v| Self::from_json(v, span)).collect(), span),
            Json::Object(o) => {
                Self::map(o.iter().map(|(k, v)| (Arc::from(k.as_str()), Self::from_json(v, span))).collect(), span)
            }
        }
    }

    /// The JSON of a wholly known value.
    pub fn to_json(&self) -> Option<Json> {
        Some(match &self.data {
            Data::Null => Json::Null,
            Data::Bool(b) => Json::Bool(*b),
            Data::Int(i) => Json::from(*i),
            Data::Num(f) => Json::from(*f),
            Data::Str(s) => Json::String(s.to_string()),
            Data::List(items) | Data::Set(items) => Json::Array(items.iter().map(Val::to_json).collect::<Option<_>>()?),
            Data::Map(m) => {
                Json::Object(m.iter().map(|(k, v)| Some((k.to_string(), v.to_json()?))).collect::<Option<_>>()?)
            }
            Data::Doc(d) => Json::String(d.text.as_ref()?.to_string()),
            Data::Partial(_) | Data::Ref(_) | Data::Unknown(_) => return None,
        })
    }

    /// The model's document of this value: unknown parts become [`Value::Unknown`] with the expression and the reason.
    ///
    /// A document whose text is not wholly known becomes the value it encodes, so that its known statements can
    /// still be judged.
    pub fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::Bool(*b),
            Data::Int(i) => Value::Int(*i),
            Data::Num(f) => Value::Double(*f),
            Data::Str(s) => Value::str(&**s),
            Data::List(items) | Data::Set(items) => Value::list(items.iter().map(Val::to_value)),
            Data::Map(m) => Value::map(m.iter().map(|(k, v)| (&**k, v.to_value()))),
            Data::Doc(d) => d.text.as_ref().map_or_else(|| d.value.to_value(), |t| Value::str(&**t)),
            Data::Partial(_) | Data::Ref(_) | Data::Unknown(_) => {
                let mut unknown = Unknown::new(Reason::NotComputed, self.describe());
                unknown.detail = self.gap().1.to_string();
                Value::unknown(unknown)
            }
        }
    }

    /// The reason the value, or the first hole of a text, is not known; none for known values and references.
    pub fn why(&self) -> Option<&Arc<Why>> {
        match &self.data {
            Data::Unknown(w) => Some(w),
            Data::Partial(parts) => parts.iter().find_map(|p| if let Part::Hole(v) = p { v.why() } else { None }),
            _ => None,
        }
    }

    /// The class of not knowing and one sentence, for a value (or the first hole of a text) that is not known.
    ///
    /// A reference is `apply` when a resource of the code will have the attribute, and `lookup` when a data source
    /// reads it from the provider.
    pub fn gap(&self) -> (WhyKind, Arc<str>) {
        if let Some(why) = self.why() {
            return (why.kind, why.detail.clone());
        }
        let read = |address: &str| address.starts_with("data.") || address.contains(".data.");
        match self.edge_in_text() {
            Some(edge) if read(&edge.address) => (WhyKind::Lookup, "read from the provider".into()),
            _ => (WhyKind::Apply, "known after apply".into()),
        }
    }

    fn edge_in_text(&self) -> Option<&Ref> {
        match &self.data {
            Data::Partial(parts) => parts.iter().find_map(|p| if let Part::Hole(v) = p { v.edge() } else { None }),
            _ => self.edge(),
        }
    }

    /// The value as one would write it: text as it is, holes as `${aws_s3_bucket.b.arn}`.
    pub fn describe(&self) -> String {
        match &self.data {
            Data::Str(s) => s.to_string(),
            Data::Partial(parts) => parts
                .iter()
                .map(|p| match p {
                    Part::Text(t) => t.to_string(),
                    Part::Hole(v) => format!("${{{}}}", v.describe()),
                })
                .collect(),
            Data::Ref(r) if r.path.is_empty() => r.address.to_string(),
            Data::Ref(r) => format!("{}.{}", r.address, r.path),
            Data::Unknown(w) => w.expr.to_string(),
            Data::Doc(d) => d.text.as_ref().map_or_else(|| d.value.describe(), |t| t.to_string()),
            _ => match self.to_json() {
                Some(json) => json.to_string(),
                None => self.to_value().to_plain_json().to_string(),
            },
        }
    }

    /// Reads text as JSON, keeping what is not known: a hole inside a JSON string leaves a partial text there, a hole
    /// in place of a value is that value. None when it is not JSON.
    pub fn decode_json(&self) -> Option<Val> {
        match &self.data {
            Data::Doc(d) => Some(d.value.clone()),
            Data::Str(s) => crate::json::parse_text(s, self.span),
            Data::Partial(parts) => crate::json::parse_parts(parts, self.span),
            _ => None,
        }
    }
}
