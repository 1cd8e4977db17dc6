//! Whether a value read here is the value of a plan, by the provider's schema.

use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// The types of attributes and blocks, by resource type.
pub struct Schema(BTreeMap<String, Json>);

/// What a value is compared by.
struct Look<'a> {
    /// Names of attributes and blocks that the configuration writes.
    set: &'a BTreeSet<String>,
}

impl Schema {
    pub fn read(shown: &[u8]) -> Result<Self, String> {
        let whole: Json = serde_json::from_slice(shown).map_err(|e| format!("the providers' schema: {e}"))?;
        let providers = whole.get("provider_schemas").and_then(Json::as_object).ok_or("no schema of a provider")?;
        let types = providers.values().filter_map(|p| p.get("resource_schemas")?.as_object());
        Ok(Self(types.flatten().filter_map(|(name, s)| Some((name.clone(), s.get("block")?.clone()))).collect()))
    }

    /// Whether a value says nothing: null, or nothing but empty things.
    pub fn nothing(value: &Json) -> bool {
        match value {
            Json::Null => true,
            Json::Bool(b) => !b,
            Json::Number(n) => n.as_f64() == Some(0.0),
            Json::String(s) => s.is_empty(),
            Json::Array(items) => items.iter().all(Self::nothing),
            Json::Object(members) => members.values().all(Self::nothing),
        }
    }

    /// Whether an attribute or block is the same.
    pub fn same(&self, type_: &str, name: &str, our: &Json, their: &Json, open: &Json, set: &BTreeSet<String>) -> bool {
        let look = Look { set };
        let none = Json::Null;
        if type_ == "aws_iam_policy_document" {
            return documents(our, their);
        }
        look.member(self.0.get(type_).unwrap_or(&none), name, our, their, open)
    }
}

impl Look<'_> {
    fn member(&self, block: &Json, name: &str, our: &Json, their: &Json, open: &Json) -> bool {
        if let Some(type_) = block.pointer(&format!("/attributes/{name}/type")) {
            return self.typed(type_, our, their, open);
        }
        let Some(nested) = block.pointer(&format!("/block_types/{name}")) else {
            return self.typed(&Json::Null, our, their, open);
        };
        let one = [our.clone()];
        let ours = our.as_array().map_or(&one[..], Vec::as_slice);
        let single = [their.clone()];
        let theirs = their.as_array().map_or(&single[..], Vec::as_slice);
        let inner = nested.get("block").unwrap_or(&Json::Null);
        let set = nested.get("nesting_mode") == Some(&json!("set"));
        items(ours, theirs, set, &|a, b, i| self.object(inner, a, b, part(open, i, set)))
    }

    /// Every part that is here is the same there; what is only there is the provider's, unless the configuration names it.
    fn object(&self, block: &Json, our: &Json, their: &Json, open: &Json) -> bool {
        let (Some(our), Some(their)) = (our.as_object(), their.as_object()) else { return our == their };
        let later = |name: &str| open.get(name) == Some(&Json::Bool(true));
        let there = our.iter().filter(|(name, v)| !v.is_null() && !later(name));
        there.clone().all(|(name, our)| {
            their
                .get(name)
                .is_some_and(|their| self.member(block, name, our, their, open.get(name).unwrap_or(&Json::Null)))
        }) && their
            .iter()
            .filter(|(name, v)| self.set.contains(*name) && !Schema::nothing(v))
            .all(|(name, _)| our.get(name).is_some())
    }

    fn typed(&self, type_: &Json, our: &Json, their: &Json, open: &Json) -> bool {
        if open == &Json::Bool(true) {
            return true;
        }
        let inner = type_.get(1).unwrap_or(&Json::Null);
        // The provider takes an empty list for none.
        let empty = |v: &Json| v.is_null() || v == &json!([]) || v == &json!({});
        if inner != &Json::Null && empty(our) && empty(their) {
            return true;
        }
        match (type_.get(0).and_then(Json::as_str), our, their) {
            (Some(kind @ ("list" | "set")), Json::Array(ours), Json::Array(theirs)) => {
                let set = kind == "set";
                items(ours, theirs, set, &|a, b, i| self.typed(inner, a, b, part(open, i, set)))
            }
            (Some("map"), Json::Object(ours), Json::Object(theirs)) => {
                let ours: BTreeMap<_, _> = ours.iter().filter(|(_, v)| !v.is_null()).collect();
                // An element that is null is sent to no provider.
                let theirs: BTreeMap<_, _> = theirs.iter().filter(|(_, v)| !v.is_null()).collect();
                let later = |k: &str| open.get(k) == Some(&Json::Bool(true));
                theirs.keys().all(|k| ours.contains_key(k))
                    && ours
                        .iter()
                        .all(|(k, v)| later(k) || theirs.get(k).is_some_and(|t| self.typed(inner, v, t, &Json::Null)))
            }
            (Some("object"), Json::Object(ours), Json::Object(theirs)) => {
                ours.iter().filter(|(_, v)| !v.is_null()).all(|(k, v)| {
                    let type_ = inner.get(k).unwrap_or(&Json::Null);
                    theirs.get(k).is_some_and(|t| self.typed(type_, v, t, open.get(k).unwrap_or(&Json::Null)))
                })
            }
            (None, _, _) => scalar(type_.as_str().unwrap_or("dynamic"), our, their),
            _ => false,
        }
    }
}

fn part(open: &Json, i: usize, set: bool) -> &Json {
    if set { &Json::Null } else { open.get(i).unwrap_or(&Json::Null) }
}

/// Items in their order, or each with one that is not taken yet.
fn items(ours: &[Json], theirs: &[Json], set: bool, same: &dyn Fn(&Json, &Json, usize) -> bool) -> bool {
    if !set {
        return ours.len() == theirs.len() && ours.iter().zip(theirs).enumerate().all(|(i, (a, b))| same(a, b, i));
    }
    let ours: Vec<&Json> = ours.iter().enumerate().filter(|(i, v)| !ours[..*i].contains(v)).map(|(_, v)| v).collect();
    let mut left: Vec<&Json> = theirs.iter().collect();
    ours.len() == theirs.len()
        && ours.iter().all(|a| match left.iter().position(|b| same(a, b, 0)) {
            Some(at) => {
                left.remove(at);
                true
            }
            None => false,
        })
}

fn scalar(type_: &str, our: &Json, their: &Json) -> bool {
    let written = |v: &Json| match v {
        Json::String(s) => Some(s.clone()),
        Json::Number(_) | Json::Bool(_) => Some(v.to_string()),
        _ => None,
    };
    match type_ {
        "string" | "bool" => written(our).is_some() && written(our) == written(their) || documents(our, their),
        "number" => {
            let number = |v: &Json| written(v).and_then(|t| t.parse::<f64>().ok());
            number(our).is_some() && number(our) == number(their)
        }
        _ => numbers(our) == numbers(their),
    }
}

/// Numbers as numbers are equal, `1` and `1.0`.
pub fn numbers(value: &Json) -> Json {
    match value {
        Json::Number(n) => json!(n.as_f64()),
        Json::Array(items) => items.iter().map(numbers).collect(),
        Json::Object(members) => members.iter().map(|(k, v)| (k.clone(), numbers(v))).collect(),
        other => other.clone(),
    }
}

/// Policies, which the data source writes with its lists in another order.
fn documents(our: &Json, their: &Json) -> bool {
    fn sorted(value: Json) -> Json {
        match value {
            Json::Array(items) => {
                let mut items: Vec<Json> = items.into_iter().map(sorted).collect();
                if items.iter().all(Json::is_string) {
                    items.sort_by_key(Json::to_string);
                }
                if items.len() == 1 && items.first().is_some_and(Json::is_string) {
                    items.remove(0)
                } else {
                    Json::Array(items)
                }
            }
            Json::Object(members) => members
                .into_iter()
                .filter(|(name, value)| !(name == "Sid" && value == ""))
                .map(|(name, value)| (name, sorted(value)))
                .collect(),
            other => other,
        }
    }
    let read = |v: &Json| match v {
        Json::String(s) if s.trim_start().starts_with('{') => serde_json::from_str::<Json>(s).ok().map(sorted),
        _ => None,
    };
    read(our).is_some() && read(our) == read(their)
}
