//! The comparison of two values: what was lost and what came, by path; and where nobody can tell.

use crate::shape::{Field, canonical};
use plumb_model::{Unknown, Value};
use std::sync::Arc;

/// One difference inside a field.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// Where: `policy.Statement`, `ingress`.
    pub path: String,
    /// What was there; for a bag, the items lost.
    pub before: Value,
    /// What is there; for a bag, the items that came.
    pub after: Value,
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) differences: Vec<Difference>,
    /// Places where one side is unknown: no drift, and no proof of its absence.
    pub(crate) undecided: Vec<(String, Arc<Unknown>)>,
}

/// Compares the values of one field.
pub(crate) fn compare(before: &Value, after: &Value, field: &Field) -> Found {
    let mut found = Found::default();
    // Most fields are as they were; only the others are worth bringing to one form.
    if !field.volatile && (before != after || before.first_unknown().is_some()) {
        let (before, after) = (canonical(before, field), canonical(after, field));
        walk(&field.name, &before, &after, field, &mut found);
    }
    found
}

fn walk(path: &str, before: &Value, after: &Value, field: &Field, found: &mut Found) {
    match (before, after) {
        (Value::Unknown(u), _) | (_, Value::Unknown(u)) => found.undecided.push((path.to_owned(), u.clone())),
        (Value::Map(a), Value::Map(b)) => {
            let mut keys: Vec<&str> = a.iter().chain(b.iter()).map(|(k, _)| k).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let (x, y) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                walk(&format!("{path}.{key}"), x, y, field, found);
            }
        }
        (Value::List(a), Value::List(b)) if field.ordered => {
            for i in 0..a.len().max(b.len()) {
                let (x, y) = (a.get(i).unwrap_or(&Value::Null), b.get(i).unwrap_or(&Value::Null));
                walk(&format!("{path}[{i}]"), x, y, field, found);
            }
        }
        (Value::List(a), Value::List(b)) => {
            // With an unknown item nobody can tell which of the others it equals.
            if let Some(u) = before.first_unknown().or_else(|| after.first_unknown()) {
                if a != b {
                    found.undecided.push((path.to_owned(), u.clone()));
                }
                return;
            }
            let (lost, came) = (without(a, b), without(b, a));
            if !lost.is_empty() || !came.is_empty() {
                found.differences.push(Difference {
                    path: path.into(),
                    before: Value::list(lost),
                    after: Value::list(came),
                });
            }
        }
        // A list that is empty and one that is absent say the same.
        (Value::Null, Value::List(l)) | (Value::List(l), Value::Null) if l.is_empty() => {}
        (Value::Null, Value::Map(m)) | (Value::Map(m), Value::Null) if m.is_empty() => {}
        (a, b) if same(a, b) => {}
        (a, b) => match a.first_unknown().or_else(|| b.first_unknown()) {
            Some(u) => found.undecided.push((path.to_owned(), u.clone())),
            None => found.differences.push(Difference { path: path.into(), before: a.clone(), after: b.clone() }),
        },
    }
}

/// Equal, where a whole number and the same number with a fraction of zero are one.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(i), Value::Double(d)) | (Value::Double(d), Value::Int(i)) => *d == *i as f64,
        (Value::Double(a), Value::Double(b)) => a == b || (a.is_nan() && b.is_nan()),
        (a, b) => a == b,
    }
}

/// The items of `a` that `b` lacks, counting repeats.
fn without(a: &[Value], b: &[Value]) -> Vec<Value> {
    let mut left: Vec<&Value> = b.iter().collect();
    let mut out = Vec::new();
    for item in a {
        match left.iter().position(|other| same(other, item)) {
            Some(at) => drop(left.swap_remove(at)),
            None => out.push(item.clone()),
        }
    }
    out
}
