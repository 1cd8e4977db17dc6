//! The part of a provider's answer that a finding rests on, so that the evidence can be followed by eye.

use plumb_catalog::{Kind, Step};
use plumb_model::Leaf;
use serde_json::{Map, Value as Json, json};

/// Most items of a list that are shown.
const ITEMS: usize = 3;

/// The members of the raw answer that the deciding fields were read from; where that cannot be said, those that hold an
/// observed value. None when there are none.
pub fn excerpt(raw: &Json, kind: Option<&Kind>, because: &[Leaf]) -> Option<Json> {
    let observed: Vec<Json> = because.iter().map(|l| l.observed.to_plain_json()).filter(|v| !v.is_null()).collect();
    let mut kept = Json::Null;
    for leaf in because {
        let name = leaf.path.split(['.', '[']).next().unwrap_or_default();
        let field = kind.and_then(|k| k.fields.iter().find(|f| f.name == name));
        for term in field.iter().flat_map(|f| &f.live.0) {
            if let Some(part) = prune(raw, term.path.steps(), &observed) {
                kept = merge(kept, part);
            }
        }
    }
    if kept.is_null() {
        let members = raw.as_object().into_iter().flatten().filter(|(_, v)| holds(v, &observed));
        let members: Map<String, Json> = members.map(|(k, v)| (k.clone(), v.clone())).collect();
        if members.is_empty() {
            return None;
        }
        kept = Json::Object(members);
    }
    Some(kept)
}

/// Only what lies on a path; of a list's items those that hold an observed value.
fn prune(value: &Json, steps: &[Step], observed: &[Json]) -> Option<Json> {
    let Some((step, rest)) = steps.split_first() else { return Some(value.clone()) };
    match step {
        Step::Member(name) => prune(value.get(&**name)?, rest, observed).map(|v| json!({ &**name: v })),
        Step::Where(key, want) => {
            let item = value.as_array()?.iter().find(|i| i.get(&**key).and_then(Json::as_str) == Some(&**want))?;
            Some(json!([merge(json!({ &**key: &**want }), prune(item, rest, observed)?)]))
        }
        Step::Index(at) => Some(json!([prune(value.get(*at)?, rest, observed)?])),
        Step::Each => Some(Json::Array(some_of(value.as_array()?.iter(), rest, observed))),
        Step::Values => {
            let map = value.as_object()?;
            let kept = map.iter().filter(|(_, v)| holds(v, observed)).take(ITEMS);
            Some(Json::Object(kept.filter_map(|(k, v)| Some((k.clone(), prune(v, rest, observed)?))).collect()))
        }
    }
}

fn some_of<'a>(items: impl Iterator<Item = &'a Json> + Clone, rest: &[Step], observed: &[Json]) -> Vec<Json> {
    let pruned = |items: &mut dyn Iterator<Item = &'a Json>| -> Vec<Json> {
        items.filter_map(|item| prune(item, rest, observed)).take(ITEMS).collect()
    };
    let telling = pruned(&mut items.clone().filter(|item| holds(item, observed)));
    if telling.is_empty() { pruned(&mut items.clone()) } else { telling }
}

/// Whether an observed value stands anywhere in here.
fn holds(value: &Json, observed: &[Json]) -> bool {
    observed.contains(value)
        || match value {
            Json::Array(items) => items.iter().any(|v| holds(v, observed)),
            Json::Object(map) => map.values().any(|v| holds(v, observed)),
            _ => false,
        }
}

/// Two parts of one document: members of both. Lists are those of the first that has items.
fn merge(a: Json, b: Json) -> Json {
    match (a, b) {
        (Json::Null, b) => b,
        (Json::Object(mut a), Json::Object(b)) => {
            for (name, value) in b {
                let had = a.remove(&name).unwrap_or_default();
                a.insert(name, merge(had, value));
            }
            Json::Object(a)
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            Json::Array(a.into_iter().zip(b).map(|(a, b)| merge(a, b)).collect())
        }
        (Json::Array(a), b) if a.is_empty() => b,
        (a, _) => a,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_catalog::Catalog;
    use plumb_model::{Source, Value};

    fn leaf(path: &str, observed: Value) -> Leaf {
        Leaf { path: path.into(), observed, expected: "".into(), source: Source::Derived }
    }

    fn check(kind: &str, raw: Json, because: &[Leaf], wanted: &Json) {
        let (catalog, _) = Catalog::load([]);
        let kind = catalog.kinds.get(kind).map(AsRef::as_ref);
        assert_eq!(excerpt(&raw, kind, because).unwrap(), *wanted);
    }

    #[test]
    fn the_row_that_was_read_is_shown_and_not_its_neighbours() {
        let raw = json!({
            "settings": [
                { "name": "other", "value": "disabled" },
                { "name": "containerInsights", "value": "disabled", "since": "2026" },
            ],
            "status": "ACTIVE",
        });
        let wanted = json!({ "settings": [{ "name": "containerInsights", "value": "disabled" }] });
        check("aws.ecs.cluster", raw, &[leaf("container_insights", "disabled".into())], &wanted);
    }

    #[test]
    fn without_a_field_whatever_holds_the_value_is_shown() {
        check("none", json!({ "A": { "b": "x" }, "C": 1 }), &[leaf("y", "x".into())], &json!({ "A": { "b": "x" } }));
    }
}
