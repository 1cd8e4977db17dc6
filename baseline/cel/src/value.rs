//! Values during evaluation: borrowed from the documents wherever possible.

use crate::{EvalError, Function};
use plumb_model::{Map, TextEnds, Time, Unknown, Value};
use std::{borrow::Cow, collections::BTreeMap, net::IpAddr, ops::Deref, sync::Arc};

/// A value during evaluation. `'a` is the life of the documents, the host and the program.
#[derive(Debug, Clone)]
pub enum Val<'a> {
    /// Null, or absent where the two mean the same.
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed whole number.
    Int(i64),
    /// An unsigned whole number (`5u`).
    Uint(u64),
    /// A number with a fraction.
    Double(f64),
    /// Text.
    Str(Str<'a>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// An instant, in the years 1 to 9999.
    Time(Time),
    /// A span of time in nanoseconds.
    Duration(i64),
    /// A list.
    List(List<'a>),
    /// A map.
    Map(MapVal<'a>),
    /// A resource of another kind, or anything else the host describes by name.
    Object(&'a dyn Object),
    /// A type, by name.
    Type(Str<'a>),
    /// A value that may be there.
    Optional(Option<Arc<Val<'a>>>),
    /// An IP address; IPv4-mapped IPv6 addresses are kept as IPv4.
    Ip(IpAddr),
    /// An address range.
    Cidr(Cidr),
    /// Not known, and everything that is missing.
    Unknown(Unknowns<'a>),
    /// An error; `&&` and `||` may absorb it.
    Error(Arc<EvalError>),
}

/// Something with named members, given by the host: a resource as another rule page sees it.
pub trait Object: Sync {
    /// The member, or none if there is no such member. Members nobody could read are `Val::Unknown`.
    fn get(&self, name: &str) -> Option<Val<'_>>;
    /// The member at a position that its type gave ([`crate::ObjectType::with_slots`]); `name` is its name.
    fn at(&self, slot: u32, name: &str) -> Option<Val<'_>> {
        let _ = slot;
        self.get(name)
    }
    /// Who this is, for explanations: a resource id. Objects are equal when their identities are.
    fn identity(&self) -> &str;
}

/// Many [`Object`]s, read in place.
pub trait Objects: Sync {
    /// How many.
    fn len(&self) -> usize;
    /// The one at `index`, from 0; none beyond the end.
    fn get(&self, index: usize) -> Option<&dyn Object>;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for dyn Object + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.identity())
    }
}

/// What the program cannot compute alone: other resources, the account, links between resources.
pub trait Host {
    /// Answers a function registered with [`crate::Functions::host`] under the id `function`.
    /// What it cannot know is `Val::Unknown`; a list it knows only partly is [`List::incomplete`].
    fn call<'a>(&'a self, function: u16, args: &[Val<'a>]) -> Val<'a>;

    /// The elements of the list that `call(function, args)` would give, in its order, that have any of the `keys`:
    /// pairs of a path and the value wanted there, or one of the values where the path goes through lists (`vpc_id`,
    /// `group_ids[]`, `ingress[].groups[]`). Plus every element of which part of a path is unknown, or is no text,
    /// number, truth value, list or null; more is allowed, fewer is not. `None`: no index, look at all.
    fn lookup<'a>(&'a self, function: u16, args: &[Val<'a>], keys: &[(&str, Val<'a>)]) -> Option<List<'a>> {
        let _ = (function, args, keys);
        None
    }

    /// The value of [`crate::Program::shared`]'s part, numbered from the base its program was given, when the host
    /// keeps it. `None`: evaluate it.
    fn shared<'a>(&'a self, number: u32) -> Option<Val<'a>> {
        let _ = number;
        None
    }
}

/// Text, borrowed from a document or made by the expression.
#[derive(Debug, Clone)]
pub enum Str<'a> {
    /// From a document, the program or the host.
    Borrowed(&'a str),
    /// Made during evaluation.
    Owned(Arc<str>),
}

impl Deref for Str<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

/// A list.
#[derive(Debug, Clone)]
pub enum List<'a> {
    /// A list in a document.
    Doc(&'a [Value]),
    /// A list made during evaluation, or by the host.
    Vals(Arc<[Val<'a>]>),
    /// Values kept elsewhere.
    Slice(&'a [Val<'a>]),
    /// Resources read in place.
    Objects(&'a dyn Objects),
    /// Some of them, by position.
    Picked(&'a dyn Objects, &'a [u32]),
    /// The known part of a list that has more elements, and why they are not known.
    Partial(Arc<(List<'a>, Unknowns<'a>)>),
}

impl std::fmt::Debug for dyn Objects + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} objects", self.len())
    }
}

impl<'a> List<'a> {
    /// The part of a list that is known, when more elements may exist because of `rest`.
    pub fn incomplete(known: List<'a>, rest: impl Into<Unknowns<'a>>) -> Self {
        Self::Partial(Arc::new((known, rest.into())))
    }

    /// From values.
    pub fn of(values: Vec<Val<'a>>) -> Self {
        Self::Vals(values.into())
    }

    /// How many elements are known.
    pub fn len(&self) -> usize {
        match self {
            Self::Doc(items) => items.len(),
            Self::Vals(items) => items.len(),
            Self::Slice(items) => items.len(),
            Self::Objects(items) => items.len(),
            Self::Picked(_, at) => at.len(),
            Self::Partial(partial) => partial.0.len(),
        }
    }

    /// Whether no element is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The known element at `index`.
    pub fn get(&self, index: usize) -> Option<Val<'a>> {
        match self {
            Self::Doc(items) => items.get(index).map(Val::from),
            Self::Vals(items) => items.get(index).cloned(),
            Self::Slice(items) => items.get(index).cloned(),
            Self::Objects(items) => items.get(index).map(Val::Object),
            Self::Picked(items, at) => items.get(*at.get(index)? as usize).map(Val::Object),
            Self::Partial(partial) => partial.0.get(index),
        }
    }

    /// The known elements.
    pub fn iter(&self) -> impl Iterator<Item = Val<'a>> + '_ {
        (0..self.len()).filter_map(|i| self.get(i))
    }

    /// Why there may be more elements, or none when the list is complete.
    pub fn rest(&self) -> Option<&Unknowns<'a>> {
        if let Self::Partial(partial) = self { Some(&partial.1) } else { None }
    }
}

/// A map key; whole numbers are equal whatever their type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `true`, `false`.
    Bool(bool),
    /// A whole number of either type.
    Num(i128),
    /// Text.
    Str(Arc<str>),
}

/// A map.
#[derive(Debug, Clone)]
pub enum MapVal<'a> {
    /// A map in a document.
    Doc(&'a Map),
    /// A map made during evaluation; each entry keeps its key as written.
    Built(Arc<BTreeMap<Key, (Val<'a>, Val<'a>)>>),
}

impl<'a> MapVal<'a> {
    /// How many entries.
    pub fn len(&self) -> usize {
        match self {
            Self::Doc(map) => map.len(),
            Self::Built(map) => map.len(),
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value under `key`, compared as CEL compares keys (`1`, `1u` and `1.0` are one key).
    pub fn get(&self, key: &Val<'_>) -> Option<Val<'a>> {
        match self {
            Self::Doc(map) => match key {
                Val::Str(name) => map.get(name).map(Val::from),
                _ => None,
            },
            Self::Built(map) => map.get(&key.to_lookup_key()?).map(|(_, v)| v.clone()),
        }
    }

    /// The value under a text key.
    pub fn member(&self, name: &str) -> Option<Val<'a>> {
        match self {
            Self::Doc(map) => map.get(name).map(Val::from),
            Self::Built(map) => map.get(&Key::Str(name.into())).map(|(_, v)| v.clone()),
        }
    }

    /// Keys and values, in key order.
    pub fn entries(&self) -> Vec<(Val<'a>, Val<'a>)> {
        match self {
            Self::Doc(map) => map.iter().map(|(k, v)| (Val::str(k), Val::from(v))).collect(),
            Self::Built(map) => map.values().cloned().collect(),
        }
    }
}

/// An address range: an address and how many of its leading bits are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// The address as written; bits beyond the prefix may be set.
    pub addr: IpAddr,
    /// Fixed leading bits: 0 to 32, or to 128.
    pub prefix: u8,
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

/// What is missing: one or more unknowns, without repeats, in the order they were met.
#[derive(Debug, Clone)]
pub enum Unknowns<'a> {
    /// One, in a document.
    One(&'a Arc<Unknown>),
    /// One, in a document, that is itself a text known in part. What is computed from it is [`Unknowns::whole`].
    Text(&'a Arc<Unknown>),
    /// As `Text`, made during evaluation: the same text in lower case, say.
    Made(Arc<Unknown>),
    /// Any number.
    Many(Arc<Vec<Arc<Unknown>>>),
}

impl<'a> Unknowns<'a> {
    /// All of them.
    pub fn list(&self) -> Vec<Arc<Unknown>> {
        self.as_slice().to_vec()
    }

    fn as_slice(&self) -> &[Arc<Unknown>] {
        match self {
            Self::One(one) | Self::Text(one) => std::slice::from_ref(*one),
            Self::Made(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    /// Without what is known of a text: as the reason why something else is not known.
    #[inline]
    pub fn whole(self) -> Self {
        match self {
            Self::Text(one) => Self::One(one),
            Self::Made(one) => Self::from(one),
            other => other,
        }
    }

    /// What is known of the text that this stands for.
    pub fn ends(&self) -> Option<&TextEnds> {
        match self {
            Self::Text(one) => one.text.as_deref(),
            Self::Made(one) => one.text.as_deref(),
            _ => None,
        }
    }

    /// The same text with other ends.
    pub(crate) fn with_ends(&self, ends: TextEnds) -> Option<Self> {
        let [one] = self.as_slice() else { return None };
        Some(Self::Made(Arc::new(Unknown { text: Some(Box::new(ends)), ..Unknown::clone(one) })))
    }

    /// Both sets.
    pub fn merge(self, other: Unknowns<'a>) -> Unknowns<'a> {
        let known = |new: &&Arc<Unknown>| self.as_slice().iter().any(|old| old.is_same_need(new));
        let new: Vec<_> = other.as_slice().iter().filter(|new| !known(new)).cloned().collect();
        if new.is_empty() {
            return self.whole();
        }
        let mut all = self.list();
        all.extend(new);
        Self::Many(Arc::new(all))
    }
}

impl<'a> From<&'a Arc<Unknown>> for Unknowns<'a> {
    fn from(one: &'a Arc<Unknown>) -> Self {
        Self::One(one)
    }
}
impl From<Arc<Unknown>> for Unknowns<'_> {
    fn from(one: Arc<Unknown>) -> Self {
        Self::Many(Arc::new(vec![one]))
    }
}

impl<'a> From<&'a Value> for Val<'a> {
    #[inline]
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Int(i) => Self::Int(*i),
            Value::Double(d) => Self::Double(*d),
            Value::Str(s) => Self::Str(Str::Borrowed(s)),
            Value::List(items) => Self::List(List::Doc(items)),
            Value::Map(map) => Self::Map(MapVal::Doc(map)),
            Value::Time(t) => Self::Time(*t),
            Value::Unknown(u) if u.text.is_some() => Self::Unknown(Unknowns::Text(u)),
            Value::Unknown(u) => Self::Unknown(Unknowns::One(u)),
        }
    }
}
impl From<bool> for Val<'_> {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
impl From<i64> for Val<'_> {
    fn from(i: i64) -> Self {
        Self::Int(i)
    }
}
impl From<EvalError> for Val<'_> {
    fn from(error: EvalError) -> Self {
        Self::Error(Arc::new(error))
    }
}
impl<'a> From<Result<Val<'a>, EvalError>> for Val<'a> {
    fn from(result: Result<Val<'a>, EvalError>) -> Self {
        result.unwrap_or_else(Val::from)
    }
}

impl<'a> Val<'a> {
    /// Borrowed text.
    pub fn str(text: &'a str) -> Self {
        Self::Str(Str::Borrowed(text))
    }

    /// Text made during evaluation.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::Str(Str::Owned(text.into()))
    }

    /// A list of values.
    pub fn list(values: Vec<Val<'a>>) -> Self {
        Self::List(List::of(values))
    }

    /// As what something else is computed from: see [`Unknowns::whole`].
    #[inline]
    pub(crate) fn whole(self) -> Self {
        match self {
            Self::Unknown(unknowns) => Self::Unknown(unknowns.whole()),
            other => other,
        }
    }

    /// An unknown.
    pub fn unknown(unknown: impl Into<Unknowns<'a>>) -> Self {
        Self::Unknown(unknown.into())
    }

    /// An error that says why a text or a number is not acceptable.
    pub fn invalid(message: impl Into<String>) -> Self {
        EvalError::Invalid(message.into()).into()
    }

    /// An optional value.
    pub fn some(value: Val<'a>) -> Self {
        Self::Optional(Some(Arc::new(value)))
    }

    /// The text, if this is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(text) = self { Some(text) } else { None }
    }

    /// The error of a function that does not take these values.
    pub fn no_overload(function: &str, args: &[Val<'_>]) -> Val<'a> {
        let types: Vec<_> = args.iter().map(|a| a.type_name().into_owned()).collect();
        EvalError::NoSuchOverload(format!("{function}({})", types.join(", "))).into()
    }

    /// CEL's name for the type of this value.
    pub fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Str(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Time(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Object(_) => "object",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
            Self::Ip(_) => "net.IP",
            Self::Cidr(_) => "net.CIDR",
            Self::Unknown(_) => "unknown",
            Self::Error(_) => "error",
        })
    }

    /// The key this value makes in a map literal; doubles, null and containers make none.
    pub(crate) fn to_key(&self) -> Option<Key> {
        Some(match self {
            Self::Bool(b) => Key::Bool(*b),
            Self::Int(i) => Key::Num(i128::from(*i)),
            Self::Uint(u) => Key::Num(i128::from(*u)),
            Self::Str(Str::Owned(s)) => Key::Str(s.clone()),
            Self::Str(s) => Key::Str((&**s).into()),
            _ => return None,
        })
    }

    /// The key this value looks up: as [`Val::to_key`], and whole doubles find whole numbers.
    pub(crate) fn to_lookup_key(&self) -> Option<Key> {
        match self {
            Self::Double(d) if d.fract() == 0.0 && d.abs() < 1e30 => Some(Key::Num(*d as i128)),
            _ => self.to_key(),
        }
    }

    /// The document form, for explanations: unsigned numbers too large become doubles, durations, types, addresses
    /// and bytes become text, objects their identity, an absent optional null.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null | Self::Optional(None) => Value::Null,
            Self::Bool(b) => Value::Bool(*b),
            Self::Int(i) => Value::Int(*i),
            Self::Uint(u) => i64::try_from(*u).map_or(Value::Double(*u as f64), Value::Int),
            Self::Double(d) => Value::Double(*d),
            Self::Str(s) | Self::Type(s) => Value::str(&**s),
            Self::Bytes(b) => Value::from(crate::functions::encoders::base64(b)),
            Self::Time(t) => Value::Time(*t),
            Self::Duration(nanos) => Value::from(crate::functions::time::duration_text(*nanos)),
            Self::List(List::Doc(items)) => Value::list(items.iter().cloned()),
            Self::List(items) => Value::list(items.iter().map(|v| v.to_value())),
            Self::Map(MapVal::Doc(map)) => Value::Map((*map).clone()),
            Self::Map(map) => Value::map(map.entries().iter().map(|(k, v)| {
                let key = match k.to_value() {
                    Value::Str(s) => s,
                    other => other.to_json().to_string().into(),
                };
                (key, v.to_value())
            })),
            Self::Object(object) => Value::str(object.identity()),
            Self::Optional(Some(inner)) => inner.to_value(),
            Self::Ip(ip) => Value::from(ip.to_string()),
            Self::Cidr(cidr) => Value::from(cidr.to_string()),
            Self::Unknown(unknowns) => unknowns.list().into_iter().next().map_or(Value::Null, Value::Unknown),
            Self::Error(error) => Value::from(format!("error: {error}")),
        }
    }

    /// The first unknown at any depth of a value made of documents and lists.
    pub(crate) fn deep_unknown(&self) -> Option<Unknowns<'a>> {
        match self {
            Self::Unknown(u) => Some(u.clone()),
            Self::List(List::Doc(items)) => items.iter().find_map(Value::first_unknown).map(Unknowns::One),
            Self::List(list) => list.rest().cloned().or_else(|| list.iter().find_map(|v| v.deep_unknown())),
            Self::Map(MapVal::Doc(map)) => map.iter().find_map(|(_, v)| v.first_unknown()).map(Unknowns::One),
            Self::Map(MapVal::Built(map)) => map.values().find_map(|(_, v)| v.deep_unknown()),
            Self::Optional(Some(inner)) => inner.deep_unknown(),
            _ => None,
        }
    }
}

/// A function in a registration: kept here so that `Val` and its functions are one vocabulary.
pub(crate) const UNIMPLEMENTED: Function = |_, args| Val::no_overload("function", args);
