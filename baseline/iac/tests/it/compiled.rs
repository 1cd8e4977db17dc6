//! Bicep and the ARM template its compiler makes of it declare the same resources, with the same values.
//!
//! The templates are written as the compiler writes them: loops as `copy` over the looped expression, children with the names of
//! their parents, modules as nested deployments with a template of their own.

use plumb_iac::{Code, MemoryFiles, Reading, plain, templates};
use serde_json::{Value as Json, json};
use std::path::Path;

fn reading(file: &str) -> Reading {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compiled");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let mut files = vec![(file.to_owned(), text(file))];
    if file.ends_with(".bicep") {
        files.extend(["inner.bicep", "shared.bicep", "store.bicep"].map(|name| (name.to_owned(), text(name))));
    }
    let mut reading = templates::read(&MemoryFiles::new(files));
    assert!(reading.problems.is_empty(), "{file}: {:?}", reading.problems);
    reading.resources.retain(|c| !c.existing && &*c.root == file);
    reading
}

/// Type, name and everything that is set, whatever the expressions of what is not known are called.
fn resource(code: &Code) -> Json {
    fn known(json: Json) -> Json {
        match json {
            Json::Object(o) if o.len() == 1 && o.contains_key("unknown") => json!("?"),
            Json::Object(o) => o.into_iter().map(|(k, v)| (k, known(v))).collect(),
            Json::Array(items) => items.into_iter().map(known).collect(),
            other => other,
        }
    }
    let of = |name: &str| code.attrs.get(name).map_or(Json::Null, |v| known(plain(v)));
    json!([code.type_.to_lowercase(), of("name"), of("location"), of("kind"), of("sku"), of("properties")])
}

fn resources(file: &str) -> Vec<String> {
    let mut all: Vec<String> = reading(file).resources.iter().map(|c| resource(c).to_string()).collect();
    // Who deploys is how, not what.
    all.retain(|r| !r.contains("microsoft.resources/deployments"));
    all.sort();
    all
}

#[track_caller]
fn same(name: &str, count: usize) {
    let (ours, compiled) = (resources(&format!("{name}.bicep")), resources(&format!("{name}.json")));
    assert_eq!(ours, compiled);
    assert_eq!(ours.len(), count, "{ours:#?}");
}

#[test]
fn loops_filters_and_scopes() {
    same("loops", 2 + 2 + 3 + 1 + 2);
}

#[test]
fn modules_children_and_what_is_there_already() {
    same("modules", 2 + 1 + 1 + 1 + 1);
}

#[test]
fn symbolic_names_imports_lambdas_and_outputs_asked_early() {
    same("symbols", 2 + 1 + 2 + 1 + 3);
}
