//! Terraform state: the accounts that code makes, and those it works in.

use crate::{
    json,
    kinds::{AccountKey, Provider},
    mapping::Mapping,
    read::{instant, org},
    sighting::{Gather, Sighting, Status},
    unpack,
};
use serde_json::Value;
use std::io::BufRead;

/// Reads a state file of format version 4 (`terraform state pull`).
pub(super) fn read(mut input: Box<dyn BufRead + '_>, mapping: &Mapping, gather: &mut Gather) {
    let bytes = match unpack::whole(input.as_mut(), &mapping.limits) {
        Ok(bytes) => bytes,
        Err(problem) => return gather.lost(0, format!("the file {problem}")),
    };
    let state: Value = match serde_json::from_slice(&bytes) {
        Ok(state) => state,
        Err(e) => return gather.lost(0, format!("the file is not JSON: {e}")),
    };
    let Some(resources) = state.get("resources").and_then(Value::as_array) else {
        return gather.lost(0, "the file has no `resources`: not a Terraform state of version 4");
    };
    let label = if mapping.label.is_empty() { "terraform state" } else { mapping.label.as_str() };
    for (i, resource) in resources.iter().enumerate() {
        gather.rows += 1;
        let (Some(kind), Some(name)) = (json::text(resource, "type"), json::text(resource, "name")) else {
            gather.lost(i as u64 + 1, "resource has no `type` and `name`");
            continue;
        };
        let module = json::text(resource, "module").map(|m| format!("{m}.")).unwrap_or_default();
        let address = format!("{module}{kind}.{name}");
        let instances = resource.get("instances").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for attributes in instances.iter().filter_map(|i| i.get("attributes")) {
            if let Some(sighting) = one(kind, attributes, &format!("{label} {address}"), mapping, gather) {
                gather.add(sighting);
            }
        }
    }
}

fn one(kind: &str, a: &Value, evidence: &str, mapping: &Mapping, gather: &Gather) -> Option<Sighting> {
    let text = |name: &str| json::text(a, name);
    let new = |key: AccountKey| Sighting::new(gather.kind(), key, None, evidence);
    let owned = |name: &str| text(name).map(|t| t.chars().take(500).collect::<String>());
    let mut sighting = match kind {
        "aws_organizations_account" => {
            let mut s = new(AccountKey::new(Provider::Aws, text("id")?).ok()?);
            s.facts.name = owned("name");
            s.facts.email = owned("email");
            s.facts.native_parent = owned("parent_id");
            s.facts.created_at = text("joined_timestamp").and_then(|t| instant(t, false));
            s.facts.status = (text("status") == Some("SUSPENDED")).then_some(Status::Suspended);
            s
        }
        "azurerm_subscription" => {
            let mut s = new(AccountKey::new(Provider::Azure, text("subscription_id").or_else(|| text("id"))?).ok()?);
            s.facts.name = owned("subscription_name").or_else(|| owned("display_name"));
            s.facts.tenant = owned("tenant_id");
            s
        }
        "google_project" => {
            let mut s = new(AccountKey::new(Provider::Gcp, text("project_id")?).ok()?);
            s.facts.name = owned("name");
            s.facts.project_number = owned("number");
            s.facts.native_parent = owned("folder_id").or_else(|| owned("org_id"));
            s
        }
        // Anything else shows the account it lies in; its tags are its own, not the account's.
        kind if kind.starts_with("aws_") => {
            let arn = text("arn").and_then(|arn| arn.split(':').nth(4));
            return AccountKey::new(Provider::Aws, text("account_id").or(arn)?).ok().map(new);
        }
        kind if kind.starts_with("azurerm_") => {
            return AccountKey::new(Provider::Azure, text("id").filter(|id| id.starts_with("/subscriptions/"))?)
                .ok()
                .map(new);
        }
        kind if kind.starts_with("google_") => return AccountKey::new(Provider::Gcp, text("project")?).ok().map(new),
        _ => return None,
    };
    org::tags(a.get("tags").or_else(|| a.get("labels")), mapping, &mut sighting);
    Some(sighting)
}
