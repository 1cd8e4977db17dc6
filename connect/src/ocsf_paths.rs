//! Attack paths in OCSF 1.6.0: class 2004 Detection Finding with the path as `finding_info.attack_graph`.

use crate::Exported;
use plumb_model::{Leaf, Outcome};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// A step of a path as its leaf tells: `step 2: FROM → TO (KIND): where`, over accounts `… → TO in account A (KIND): …`.
struct Step<'l> {
    from: &'l str,
    to: &'l str,
    /// The account it leads to; empty for paths within one.
    account: &'l str,
    kind: &'l str,
}

fn step(leaf: &Leaf) -> Option<Step<'_>> {
    let (_, rest) = leaf.path.strip_prefix("step ")?.split_once(": ")?;
    let (from, rest) = rest.split_once(" → ")?;
    let (to, rest) = rest.split_once(" (")?;
    let (to, account) = to.split_once(" in account ").unwrap_or((to, ""));
    Some(Step { from, to, account, kind: rest.split(')').next()? })
}

/// A finding about an attack path as a detection with its graph; any other row as it is.
pub(crate) fn as_detection(row: &Exported, mut finding: Json) -> Json {
    let steps: Vec<Step<'_>> = row.because.iter().filter_map(step).collect();
    let is_path = row.rule.contains(".no-attack-path-") && row.outcome == Outcome::Fail && !steps.is_empty();
    let Some(object) = finding.as_object_mut().filter(|_| is_path) else { return finding };
    let nodes: BTreeSet<&str> = steps.iter().flat_map(|s| [s.from, s.to]).collect();
    let edges: BTreeSet<(&str, &str, &str)> = steps.iter().map(|s| (s.from, s.to, s.kind)).collect();
    let node = |uid: &str| match steps.iter().find(|s| s.to == uid && !s.account.is_empty()) {
        Some(step) => json!({ "uid": uid, "desc": format!("account {}", step.account) }),
        None => json!({ "uid": uid }),
    };
    let graph = json!({
        "name": row.sub_key,
        "type": "attack path",
        "is_directed": true,
        "nodes": nodes.iter().map(|n| node(n)).collect::<Vec<_>>(),
        "edges": edges.iter().map(|(from, to, kind)| json!({ "name": kind, "source": from, "target": to, "relation": kind, "is_directed": true })).collect::<Vec<_>>(),
    });
    if let Some(info) = object.get_mut("finding_info").and_then(Json::as_object_mut) {
        info.insert("attack_graph".into(), graph);
    }
    let update = object.get("activity_id") == Some(&json!(2));
    object.remove("compliance");
    object.insert("class_uid".into(), json!(2004));
    object.insert("class_name".into(), json!("Detection Finding"));
    object.insert("type_uid".into(), json!(if update { 200_402 } else { 200_401 }));
    finding
}
