//! How the fields of a kind are compared: which never drift, which lists have an order, which hold policies.

use plumb_model::{KindId, Value};
use std::{collections::BTreeMap, sync::Arc};

/// One field of a kind.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Field {
    /// Its name, as rules write it.
    pub name: Arc<str>,
    /// Changes by itself (a counter, a last-used date): never drift.
    #[serde(default)]
    pub volatile: bool,
    /// Lists in it have an order that means something; else they are compared as bags.
    #[serde(default)]
    pub ordered: bool,
    /// Holds a policy document, where one text and a list of one are the same.
    #[serde(default)]
    pub policy: bool,
}

impl Field {
    /// A field that is compared as it is, lists as bags.
    pub fn plain(name: &str) -> Self {
        Self { name: name.into(), volatile: false, ordered: false, policy: false }
    }
}

/// The fields of every kind, in the order of the kind's table.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shapes(pub BTreeMap<KindId, Vec<Field>>);

impl Shapes {
    /// The fields of a kind; empty for one that is not known, whose resources are then compared by presence only.
    pub fn of(&self, kind: &KindId) -> &[Field] {
        self.0.get(kind).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A value in the form it is compared in: bags sorted, policies with every single text as a list of one.
pub(crate) fn canonical(value: &Value, field: &Field) -> Value {
    match value {
        Value::List(items) => {
            let mut items: Vec<Value> = items.iter().map(|i| canonical(i, field)).collect();
            if !field.ordered {
                items.sort_by_cached_key(|v| v.to_json().to_string());
            }
            // The order and the number of equal entries of a policy's lists mean nothing.
            if field.policy {
                items.dedup();
            }
            Value::list(items)
        }
        Value::Map(map) => Value::map(map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| {
            let v = canonical(v, field);
            (k, if field.policy && stands_for_list(k, &v) { Value::list([v]) } else { v })
        })),
        other => other.clone(),
    }
}

/// Whether a member of a policy is one value where a list of one would mean the same (IAM JSON policy grammar):
/// every single text but the four that are never lists, and a statement by itself.
fn stands_for_list(name: &str, value: &Value) -> bool {
    match value {
        Value::Str(_) | Value::Bool(_) | Value::Int(_) => !matches!(name, "Version" | "Id" | "Sid" | "Effect"),
        Value::Map(_) => name == "Statement",
        _ => false,
    }
}
