//! Our evaluation of a folder against what Terraform itself planned for it (tests/terraform/plan/README.md).

use crate::{emulator::root, machine::lines};
use serde_json::Value as Json;
use std::{collections::BTreeMap, path::PathBuf};

fn fixture() -> PathBuf {
    root().join("tests/terraform/plan")
}

/// The resources of a plan by address, with their values.
fn planned(module: &Json, out: &mut BTreeMap<String, Json>) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        if resource["mode"] == "managed" {
            out.insert(resource["address"].as_str().unwrap().to_owned(), resource["values"].clone());
        }
    }
    for child in module["child_modules"].as_array().into_iter().flatten() {
        planned(child, out);
    }
}

/// Text that holds JSON, numbers and the order of sets are compared by what they mean.
fn meaning(value: &Json) -> Json {
    match value {
        Json::String(text) => match serde_json::from_str::<Json>(text) {
            Ok(inner @ (Json::Object(_) | Json::Array(_))) => meaning(&inner),
            _ => value.clone(),
        },
        Json::Number(n) => Json::from(n.as_f64()),
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(meaning).collect();
            items.sort_by_key(Json::to_string);
            // In policies one value and a list of it are the same.
            if let [one @ Json::String(_)] = items.as_slice() { one.clone() } else { Json::Array(items) }
        }
        Json::Object(members) => members.iter().map(|(k, v)| (k.clone(), meaning(v))).collect(),
        other => other.clone(),
    }
}

/// Counts what is written in code and what of it Terraform says too. What it adds by itself is not compared.
fn compare(path: &str, ours: &Json, theirs: &Json, same: &mut usize, differ: &mut Vec<String>) {
    match (ours, theirs) {
        (Json::Null, _) => {}
        (Json::Object(members), _) if members.len() == 1 && members.contains_key("unknown") => {
            // Not known to us must be not known to Terraform.
            if theirs.is_null() { *same += 1 } else { differ.push(format!("{path}: not known, planned {theirs}")) }
        }
        (Json::Object(a), Json::Object(b)) => {
            for (name, value) in a {
                compare(&format!("{path}.{name}"), value, b.get(name).unwrap_or(&Json::Null), same, differ);
            }
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() && a.iter().any(Json::is_object) => {
            for (i, (one, other)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{i}]"), one, other, same, differ);
            }
        }
        _ if meaning(ours) == meaning(theirs) => *same += 1,
        _ => differ.push(format!("{path}: {ours}, planned {theirs}")),
    }
}

#[test]
fn values_are_those_that_terraform_plans() {
    let dir = fixture();
    let plan: Json = serde_json::from_str(&std::fs::read_to_string(dir.join("plan.json")).unwrap()).unwrap();
    let mut want = BTreeMap::new();
    planned(&plan["planned_values"]["root_module"], &mut want);
    let rows = lines(&dir, &["code", "show", ".", "--format", "jsonl"], 0);
    let ours: BTreeMap<&str, &Json> = rows
        .iter()
        .filter(|r| r["existing"] == false && r["type"] != "provider.aws")
        .map(|r| (r["address"].as_str().unwrap(), &r["values"]))
        .collect();
    let addresses: Vec<&str> = want.keys().map(String::as_str).collect();
    assert_eq!(ours.keys().copied().collect::<Vec<_>>(), addresses, "the same instances");
    let (mut same, mut differ) = (0, Vec::new());
    for (address, values) in &ours {
        // `tags_all` is the provider's own: nobody writes it.
        for (name, value) in values.as_object().unwrap().iter().filter(|(name, _)| *name != "tags_all") {
            compare(&format!("{address}.{name}"), value, &want[*address][name], &mut same, &mut differ);
        }
    }
    println!("{} instances, {same} values the same, {} differ: {differ:#?}", ours.len(), differ.len());
    assert!(same > 80, "{same} values compared");
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn a_folder_and_its_plan_have_the_same_verdicts() {
    let dir = fixture();
    let verdicts = |what: &str| -> BTreeMap<(String, String, String), String> {
        let rows = lines(&dir, &["check", what, "--all", "--format", "jsonl"], 1);
        let text = |r: &Json, name: &str| r[name].as_str().unwrap_or_default().to_owned();
        rows.iter().map(|r| ((text(r, "rule"), text(r, "address"), text(r, "sub_key")), text(r, "outcome"))).collect()
    };
    let (code, plan) = (verdicts("."), verdicts("plan.json"));
    assert_eq!(code.keys().collect::<Vec<_>>(), plan.keys().collect::<Vec<_>>());
    let known = |o: &str| o != "unknown";
    let differ: Vec<_> = code.iter().filter(|(k, o)| known(o) && known(&plan[*k]) && plan[*k] != **o).collect();
    println!("{} verdicts, {} differ: {differ:#?}", code.len(), differ.len());
    assert!(differ.is_empty(), "{differ:#?}");
}
