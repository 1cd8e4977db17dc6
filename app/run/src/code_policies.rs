//! The policy documents that infrastructure as code declares, wherever a kind keeps one.

use plumb_assess::identity::aws::lint::Use;
use plumb_catalog::Catalog;
use plumb_iac::{Reading, map};
use plumb_model::Value;
use serde_json::Value as Json;

/// What stands in a document for a value not known before apply: a principal as good as any.
pub const LATER: &str = "known-after-apply";

/// A policy in code.
#[derive(Debug, Clone)]
pub struct CodePolicy {
    /// The file of the block that holds it.
    pub file: String,
    /// The block's first line.
    pub line: u32,
    /// The resource's address.
    pub resource: String,
    /// The field: `policy`, `trust`, `inline_policies`.
    pub field: String,
    /// What it is attached to.
    pub attached: Use,
    /// The document; what is not known before apply is an ARN with [`LATER`] in it.
    pub document: Json,
}

/// Every policy of a reading, in the order of the code.
pub fn policies_in_code(catalog: &Catalog, reading: &Reading) -> Vec<CodePolicy> {
    let mut out = Vec::new();
    for one in map::resources(catalog, reading) {
        let kind_id = one.resource.kind.clone();
        let Some(kind) = catalog.kinds.get(&kind_id) else { continue };
        if !kind_id.as_str().starts_with("aws.") {
            continue;
        }
        for (field, value) in kind.fields.iter().zip(&one.resource.fields) {
            let attached = match (kind_id.as_str(), field.name.as_ref()) {
                (_, "trust") => Use::Trust,
                (k, _) if k.starts_with("aws.organizations.") => Use::Organization,
                (k, _) if k.starts_with("aws.iam.") => Use::Identity,
                _ => Use::Resource,
            };
            let mut found = Vec::new();
            documents(value, 0, &mut found);
            out.extend(found.into_iter().map(|document| CodePolicy {
                file: one.place.file.to_string(),
                line: one.place.line,
                resource: one.resource.id.to_string(),
                field: field.name.to_string(),
                attached,
                document,
            }));
        }
    }
    out
}

/// The documents inside a field.
fn documents(value: &Value, depth: u8, out: &mut Vec<Json>) {
    match value {
        Value::Map(map) if map.iter().any(|(k, _)| k == "Statement") => out.push(filled(value)),
        Value::Map(map) if depth < 4 => map.iter().for_each(|(_, v)| documents(v, depth + 1, out)),
        Value::List(items) if depth < 4 => items.iter().for_each(|v| documents(v, depth + 1, out)),
        _ => {}
    }
}

fn filled(value: &Value) -> Json {
    match value {
        Value::Unknown(_) => Json::String(format!("arn:aws:iam::000000000000:role/{LATER}")),
        Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.to_owned(), filled(v))).collect()),
        Value::List(items) => Json::Array(items.iter().map(filled).collect()),
        other => other.to_plain_json(),
    }
}
