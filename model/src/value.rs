//! Documents: what a provider answered, or what code says, with the unknown as a value of its own.

use crate::Time;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use std::{borrow::Cow, sync::Arc};

/// A JSON-like value that can also be an instant or unknown.
///
/// Strings and containers own exactly their contents, so a document costs about twice its JSON text.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Absent or null; the two mean the same in a provider's answer.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction, or one too large for `Int`.
    Double(f64),
    /// Text.
    Str(Box<str>),
    /// An ordered list.
    List(Box<[Value]>),
    /// A map with text keys, sorted by key.
    Map(Map),
    /// An instant.
    Time(Time),
    /// Not known, and why: never to be read as absent.
    Unknown(Arc<Unknown>),
}

/// A map sorted by key; lookups are binary searches in place.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map(Box<[(Box<str>, Value)]>);

impl Map {
    /// The value under `key`, or none.
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Value> {
        // Keys of few letters apart cost less to compare for being the same than for their order.
        if self.0.len() <= 12 {
            return self.0.iter().find(|(k, _)| **k == *key).map(|(_, v)| v);
        }
        let at = self.0.binary_search_by(|(k, _)| k.as_ref().cmp(key)).ok()?;
        self.0.get(at).map(|(_, v)| v)
    }

    /// Puts a value under a key, in place of what was there.
    pub fn insert(&mut self, key: &str, value: Value) {
        match self.0.binary_search_by(|(k, _)| k.as_ref().cmp(key)) {
            Ok(at) => {
                if let Some(entry) = self.0.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(at) => {
                let mut entries = std::mem::take(&mut self.0).into_vec();
                entries.reserve_exact(1);
                entries.insert(at, (key.into(), value));
                self.0 = entries.into();
            }
        }
    }

    /// The entries in key order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + '_ {
        self.0.iter().map(|(k, v)| (k.as_ref(), v))
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Map {
    type Item = (Box<str>, Value);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    /// The entries in key order.
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<K: Into<Box<str>>> FromIterator<(K, Value)> for Map {
    /// Sorts by key; of equal keys the last wins.
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let mut entries: Vec<(Box<str>, Value)> = entries.into_iter().map(|(k, v)| (k.into(), v)).collect();
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.reverse();
            entries.dedup_by(|later, kept| later.0 == kept.0);
            entries.reverse();
        }
        Self(entries.into())
    }
}

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unknown {
    /// The class of the gap.
    pub reason: Reason,
    /// The call that would have told, `kms:GetKeyRotationStatus`; for code, the expression that is not known yet.
    pub call: String,
    /// The permission that was missing, when that is the reason; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub permission: String,
    /// What the provider said, or where the value would come from; free of secrets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Of a text in code that is known in part, what is known. Not written anywhere: what is read back knows less.
    #[serde(skip)]
    pub text: Option<Box<TextEnds>>,
}

/// How a text begins and ends of which the middle is not known: `serviceAccount:${…}@example.iam.gserviceaccount.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEnds {
    /// What it begins with; may be empty.
    pub start: Box<str>,
    /// What it ends with; may be empty.
    pub end: Box<str>,
}

impl TextEnds {
    /// Whether it cannot be this text, whatever the middle is.
    pub fn differs(&self, text: &str) -> bool {
        text.len() < self.start.len() + self.end.len() || !text.starts_with(&*self.start) || !text.ends_with(&*self.end)
    }

    /// Whether it begins with this text, where that does not hang on the middle.
    pub fn starts_with(&self, text: &str) -> Option<bool> {
        if self.start.starts_with(text) {
            return Some(true);
        }
        (!text.starts_with(&*self.start)).then_some(false)
    }

    /// Whether it ends with this text, where that does not hang on the middle.
    pub fn ends_with(&self, text: &str) -> Option<bool> {
        if self.end.ends_with(text) {
            return Some(true);
        }
        (!text.ends_with(&*self.end)).then_some(false)
    }

    /// The ends of what a function makes of the text that goes character by character.
    pub fn each(&self, to: fn(&str) -> String) -> Self {
        Self { start: to(&self.start).into(), end: to(&self.end).into() }
    }

    /// Whether it contains this text, where that does not hang on the middle: never that it does not.
    pub fn contains(&self, text: &str) -> Option<bool> {
        (self.start.contains(text) || self.end.contains(text)).then_some(true)
    }
}

/// The classes of not knowing. None of them is ever read as a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The provider refused: a permission is missing.
    Denied,
    /// The provider kept throttling until the budget of retries was spent.
    Throttled,
    /// The answer is incomplete: a page is missing or a cap was reached.
    Truncated,
    /// The region or the service is disabled or out of reach.
    Disabled,
    /// The answer could not be understood, or the connection failed.
    Broken,
    /// Nobody asked: the kind or call was outside the scope of this scan.
    NotAsked,
    /// Code: known only after apply, or depends on something that is not there to be read.
    NotComputed,
    /// A rule could not finish: its limits were exceeded, or a value had an unexpected type.
    RuleError,
}

impl Reason {
    /// The stable name used in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Truncated => "truncated",
            Self::Disabled => "disabled",
            Self::Broken => "broken",
            Self::NotAsked => "not-asked",
            Self::NotComputed => "not-computed",
            Self::RuleError => "rule-error",
        }
    }
}

impl Unknown {
    /// An unknown of this class from this call.
    pub fn new(reason: Reason, call: impl Into<String>) -> Self {
        Self { reason, call: call.into(), permission: String::new(), detail: String::new(), text: None }
    }

    /// Whether both ask for the same, whatever is known of their texts.
    pub fn is_same_need(&self, other: &Self) -> bool {
        let Self { reason, call, permission, detail, text: _ } = self;
        (reason, call, permission, detail) == (&other.reason, &other.call, &other.permission, &other.detail)
    }

    /// One line for a person: `needs kms:GetKeyRotationStatus` or `throttled: iam:ListUsers`.
    pub fn describe(&self) -> String {
        let what = match self.reason {
            Reason::Denied if !self.permission.is_empty() => format!("needs {}", self.permission),
            Reason::NotComputed => format!("not known before apply: {}", self.call),
            reason if self.call.is_empty() => reason.name().to_owned(),
            reason => format!("{}: {}", reason.name(), self.call),
        };
        if self.detail.is_empty() { what } else { format!("{what} ({})", self.detail) }
    }
}

const UNKNOWN_KEY: &str = "$unknown";
const TIME_KEY: &str = "$time";

impl Value {
    /// A text value.
    pub fn str(text: impl Into<Box<str>>) -> Self {
        Self::Str(text.into())
    }

    /// A list value.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// A map value.
    pub fn map<K: Into<Box<str>>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(entries.into_iter().collect())
    }

    /// An unknown value.
    pub fn unknown(unknown: Unknown) -> Self {
        Self::Unknown(Arc::new(unknown))
    }

    /// Whether this is `Null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if this is text.
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(s) = self { Some(s) } else { None }
    }

    /// The items, if this is a list.
    #[inline]
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(l) = self { Some(l) } else { None }
    }

    /// The map, if this is one.
    #[inline]
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(m) = self { Some(m) } else { None }
    }

    /// The whole number, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(i) = self { Some(*i) } else { None }
    }

    /// The truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(b) = self { Some(*b) } else { None }
    }

    /// The member of a map, or none for any other value.
    #[inline]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// The first unknown inside this value, depth first.
    pub fn first_unknown(&self) -> Option<&Arc<Unknown>> {
        match self {
            Self::Unknown(u) => Some(u),
            Self::List(items) => items.iter().find_map(Value::first_unknown),
            Self::Map(map) => map.iter().find_map(|(_, v)| v.first_unknown()),
            _ => None,
        }
    }

    /// Reads a JSON document. `{"$unknown": …}` and `{"$time": …}` become what they stand for; a malformed one of
    /// them stays the map it looks like.
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(n) => n.as_i64().map_or_else(|| Self::Double(n.as_f64().unwrap_or(f64::NAN)), Self::Int),
            Json::String(s) => Self::Str(s.as_str().into()),
            Json::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Json::Object(members) => {
                if members.len() == 1 {
                    if let Some(inner) = members.get(UNKNOWN_KEY)
                        && let Ok(unknown) = serde_json::from_value(inner.clone())
                    {
                        return Self::unknown(unknown);
                    }
                    if let Some(Json::String(text)) = members.get(TIME_KEY)
                        && let Ok(time) = text.parse()
                    {
                        return Self::Time(time);
                    }
                }
                Self::Map(members.iter().map(|(k, v)| (k.as_str(), Self::from_json(v))).collect())
            }
        }
    }

    /// As [`Value::from_json`], of a document nobody else needs.
    pub fn of_json(json: Json) -> Self {
        match json {
            Json::String(s) => Self::Str(s.into()),
            Json::Array(items) => Self::List(items.into_iter().map(Self::of_json).collect()),
            Json::Object(members) if members.len() != 1 => {
                Self::Map(members.into_iter().map(|(k, v)| (k, Self::of_json(v))).collect())
            }
            other => Self::from_json(&other),
        }
    }

    /// The JSON form that [`Value::from_json`] reads back to an equal value (numbers that JSON cannot express,
    /// NaN and infinities, become null).
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Int(i) => Json::from(*i),
            Self::Double(d) => Json::from(*d),
            Self::Str(s) => Json::String(s.to_string()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.to_owned(), v.to_json())).collect()),
            Self::Time(t) => serde_json::json!({ TIME_KEY: t.to_string() }),
            Self::Unknown(u) => serde_json::json!({ UNKNOWN_KEY: u.as_ref() }),
        }
    }

    /// The form people and other programs see: instants as RFC 3339 text, unknowns as `{"unknown": "needs …"}`.
    pub fn to_plain_json(&self) -> Json {
        match self {
            Self::Time(t) => Json::String(t.to_string()),
            Self::Unknown(u) => serde_json::json!({ "unknown": u.describe() }),
            Self::List(items) => Json::Array(items.iter().map(Self::to_plain_json).collect()),
            Self::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.to_owned(), v.to_plain_json())).collect()),
            other => other.to_json(),
        }
    }
}

/// A value in the form of [`Value::to_plain_json`], written without the tree between.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'v>(pub &'v Value);

impl serde::Serialize for Plain<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Time(t) => serializer.collect_str(t),
            Value::Unknown(u) => serializer.collect_map([("unknown", u.describe())]),
            Value::List(items) => serializer.collect_seq(items.iter().map(Plain)),
            Value::Map(map) => serializer.collect_map(map.iter().map(|(key, value)| (key, Plain(value)))),
            plain => plain.serialize(serializer),
        }
    }
}

/// As [`Value::to_json`]; in formats that do not describe themselves, the text of it.
impl serde::Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_str(&self.to_json().to_string());
        }
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(i) => serializer.serialize_i64(*i),
            Self::Double(d) => serializer.serialize_f64(*d),
            Self::Str(s) => serializer.serialize_str(s),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(map) => serializer.collect_map(map.iter()),
            Self::Time(t) => serializer.collect_map([(TIME_KEY, t.to_string())]),
            // Its members in the order of the tree's, so that the text is the same.
            Self::Unknown(_) => self.to_json().serialize(serializer),
        }
    }
}

/// As [`Value::from_json`], without the tree between.
impl<'de> serde::Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(Reader);
        }
        let text = <Cow<'_, str>>::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(serde::de::Error::custom)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }
    fn visit_i64<E>(self, i: i64) -> Result<Value, E> {
        Ok(Value::Int(i))
    }
    #[expect(clippy::cast_precision_loss, reason = "larger than any whole number we keep")]
    fn visit_u64<E>(self, u: u64) -> Result<Value, E> {
        Ok(i64::try_from(u).map_or(Value::Double(u as f64), Value::Int))
    }
    fn visit_f64<E>(self, d: f64) -> Result<Value, E> {
        Ok(Value::Double(d))
    }
    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::Str(s.into()))
    }
    fn visit_string<E>(self, s: String) -> Result<Value, E> {
        Ok(Value::Str(s.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items.into()))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(Box<str>, Value)> = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        // What stands for something else is one member with a name of ours.
        if let [(key, inner)] = entries.as_slice()
            && (&**key == UNKNOWN_KEY || &**key == TIME_KEY)
        {
            return Ok(Value::from_json(&serde_json::json!({ &**key: inner.to_json() })));
        }
        Ok(Value::Map(entries.into_iter().collect()))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Self::Int(i)
    }
}
impl From<Time> for Value {
    fn from(t: Time) -> Self {
        Self::Time(t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_round_trip_keeps_unknowns_and_instants() {
        let mut gap = Unknown::new(Reason::Denied, "kms:GetKeyPolicy");
        gap.permission = "kms:GetKeyPolicy".into();
        let value = Value::map([
            ("a", Value::list([Value::Int(1), Value::Null, Value::str("x")])),
            ("b", Value::unknown(gap)),
            ("t", Value::Time("2026-01-02T03:04:05Z".parse().unwrap())),
        ]);
        assert_eq!(Value::from_json(&value.to_json()), value);
        assert_eq!(Value::of_json(value.to_json()), value);
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(text, value.to_json().to_string());
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert_eq!(serde_json::from_value::<Value>(value.to_json()).unwrap(), value);
        assert_eq!(value.first_unknown().unwrap().describe(), "needs kms:GetKeyPolicy");
    }

    #[test]
    fn maps_are_sorted_and_the_last_of_equal_keys_wins() {
        let map: Map = [("b", Value::Int(1)), ("a", Value::Int(2)), ("b", Value::Int(3))].into_iter().collect();
        assert_eq!(map.iter().map(|(k, _)| k).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(map.get("b"), Some(&Value::Int(3)));
        assert_eq!(map.get("c"), None);
        let mut map = map;
        map.insert("c", Value::Int(5));
        map.insert("a", Value::Int(6));
        map.insert("aa", Value::Null);
        let all: Vec<_> = map.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        let want = [("a", Value::Int(6)), ("aa", Value::Null), ("b", Value::Int(3)), ("c", Value::Int(5))];
        assert_eq!(all, want.map(|(k, v)| (k.to_owned(), v)));
    }
}
