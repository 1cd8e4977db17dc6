//! The providers' own lists: AWS Organizations, the Azure tenant, the Google Cloud organisation.

use crate::{
    json,
    kinds::{AccountKey, Provider},
    mapping::Mapping,
    read::{instant, record::status},
    sighting::{Gather, Sighting, Status},
};
use serde_json::Value;

fn time(value: &Value, path: &str) -> Option<plumb_model::Time> {
    let value = json::at(value, path)?;
    match value {
        Value::String(text) => instant(text, false),
        // SDKs write timestamps as epoch seconds with a fraction.
        Value::Number(n) => n.as_f64().filter(|n| n.abs() < 1e11).map(|n| plumb_model::Time::from_seconds(n as i64)),
        _ => None,
    }
}

fn owned(value: &Value, path: &str) -> Option<String> {
    json::text(value, path).map(|t| t.chars().take(500).collect())
}

/// One entry of `organizations:ListAccounts` (`Accounts[]`): Id, Arn, Email, Name, Status, State, JoinedMethod,
/// JoinedTimestamp, and, when the caller added them, ParentId or OuPath (`Root/Workloads/Production`), and Tags.
pub(super) fn aws(value: &Value, number: u64, mapping: &Mapping, gather: &mut Gather) {
    let Some(account) = json::text(value, "Id").and_then(|id| AccountKey::new(Provider::Aws, id).ok()) else {
        return gather.lost(number, "entry has no account number in `Id`");
    };
    let organisation = json::text(value, "Arn").and_then(|arn| arn.split('/').nth(1)).unwrap_or_default();
    let joined = time(value, "JoinedTimestamp");
    let mut sighting =
        Sighting::new(gather.kind(), account, joined, format!("organizations:ListAccounts {organisation}"));
    // The list shows the account as of now; only its beginning is dated.
    sighting.seen.last = None;
    let f = &mut sighting.facts;
    f.name = owned(value, "Name");
    f.email = owned(value, "Email").map(|e| e.to_lowercase());
    f.native_parent = owned(value, "OuPath").or_else(|| owned(value, "ParentId"));
    // `State` follows `Status`, which AWS retires on 2026-09-09.
    f.status = json::text(value, "State").or_else(|| json::text(value, "Status")).and_then(status);
    // An invited account is older than its membership.
    if json::text(value, "JoinedMethod") != Some("INVITED") {
        f.created_at = joined;
    }
    tags(value.get("Tags"), mapping, &mut sighting);
    gather.add(sighting);
}

/// One entry of `GET /subscriptions` (`value[]`: subscriptionId, displayName, state, tenantId) or of `az account list`
/// (`id`, `name`, `state`, `tenantId`).
pub(super) fn azure(value: &Value, number: u64, mapping: &Mapping, gather: &mut Gather) {
    let id = json::text(value, "subscriptionId").or_else(|| json::text(value, "id"));
    let Some(account) = id.and_then(|id| AccountKey::new(Provider::Azure, id).ok()) else {
        return gather.lost(number, "entry has no subscription GUID in `subscriptionId` or `id`");
    };
    let mut sighting = Sighting::new(gather.kind(), account, None, "GET /subscriptions");
    let f = &mut sighting.facts;
    f.name = owned(value, "displayName").or_else(|| owned(value, "name"));
    f.tenant = owned(value, "tenantId");
    f.native_parent = owned(value, "managementGroupId").or_else(|| owned(value, "properties.parent.id"));
    f.status = json::text(value, "state").and_then(status);
    tags(value.get("tags"), mapping, &mut sighting);
    gather.add(sighting);
}

/// One entry of `projects.search` (v3: name, projectId, displayName, state, parent, createTime) or `projects.list`
/// (v1: projectNumber, projectId, lifecycleState, name, createTime, parent.id).
pub(super) fn gcp(value: &Value, number: u64, mapping: &Mapping, gather: &mut Gather) {
    let Some(account) = json::text(value, "projectId").and_then(|id| AccountKey::new(Provider::Gcp, id).ok()) else {
        return gather.lost(number, "entry has no `projectId`");
    };
    let created = time(value, "createTime");
    let mut sighting = Sighting::new(gather.kind(), account, created, "cloudresourcemanager projects");
    sighting.seen.last = None;
    let f = &mut sighting.facts;
    f.name = owned(value, "displayName").or_else(|| owned(value, "name").filter(|n| !n.starts_with("projects/")));
    let numbered = json::text(value, "name").and_then(|n| n.strip_prefix("projects/")).map(str::to_owned);
    f.project_number = owned(value, "projectNumber").or(numbered);
    f.native_parent = owned(value, "parent").or_else(|| owned(value, "parent.id"));
    f.status = json::text(value, "state").or_else(|| json::text(value, "lifecycleState")).and_then(status);
    f.created_at = created;
    tags(value.get("labels"), mapping, &mut sighting);
    gather.add(sighting);
}

/// What tags or labels of an account say, in the spellings most organisations use.
pub(super) fn tags(tags: Option<&Value>, mapping: &Mapping, sighting: &mut Sighting) {
    let mut each = |key: &str, value: &str| {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        let f = &mut sighting.facts;
        let text = || Some(value.chars().take(500).collect::<String>());
        match crate::mapping::canonical(key).as_str() {
            "environment" | "env" | "tier" | "stage" | "criticality" => f.tier = mapping.tier(value).or(f.tier),
            "owner" | "accountowner" | "owneremail" | "technicalowner" => {
                f.owner_person = text().map(|t| t.to_lowercase())
            }
            "team" | "ownerteam" | "squad" | "owningteam" => f.owner_team = text(),
            "purpose" | "businesspurpose" | "description" | "workload" => f.business_purpose = text(),
            "costcenter" | "costcentre" => f.cost_centre = text(),
            "contract" | "programme" | "program" => f.contract_ref = text(),
            "dataclass" | "dataclassification" | "classification" | "datasensitivity" => {
                f.data_classes.extend(mapping.data_class(value));
            }
            _ => {}
        }
    };
    match tags {
        Some(Value::Object(map)) => map.iter().for_each(|(k, v)| each(k, v.as_str().unwrap_or_default())),
        Some(Value::Array(list)) => list.iter().for_each(|t| {
            if let (Some(k), Some(v)) = (json::text(t, "Key"), json::text(t, "Value")) {
                each(k, v);
            }
        }),
        _ => {}
    }
    if sighting.facts.status.is_none() && sighting.kind == crate::kinds::SourceKind::AwsOrganizations {
        sighting.facts.status = Some(Status::Active);
    }
}
