//! The principals of an estate: users, groups, roles and policies as their kinds' fields tell, with the organization's
//! guardrails and what could not be read.

use crate::{
    exposure::{Estate, Item, Need},
    identity::aws::{
        Details, Organization, Policy,
        decide::Level,
        details::DetailsReader,
        document::Document,
        inventory::{AccessKey, Activity, Credentials},
    },
};
use plumb_model::{Reason, Unknown, Value};
use serde_json::{Map, Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The kind that holds the organization's policies.
pub const ORGANIZATION_KIND: &str = "aws.organizations.organization";

/// The kind that says whether an account is in an organization.
pub const MEMBERSHIP_KIND: &str = "aws.organizations.account";

/// Who is in an account, what binds them, and what is not known of it.
#[derive(Debug, Clone, Default)]
pub struct Principals {
    /// Users, groups, roles and policies.
    pub details: Details,
    /// Passwords, second factors and keys.
    pub activity: Activity,
    /// The policies above the account.
    pub organization: Organization,
    /// What could not be read.
    pub needs: Vec<Need>,
    /// Of it, what keeps open whether a guardrail forbids something.
    pub guardrails: Vec<Need>,
}

/// Lets go of the documents that [`principals`] has read, which stand compiled in its details. What is not known of them
/// stays, and says why.
pub fn let_go(estate: &mut Estate) {
    for table in estate.tables.values_mut().filter(|t| t.kind.id.as_str().starts_with("aws.iam.")) {
        for slot in ["inline_policies", "versions"].into_iter().filter_map(|field| table.kind.slot(field)) {
            for value in table.resources.iter_mut().filter_map(|r| r.fields.get_mut(slot)) {
                if value.first_unknown().is_none() {
                    *value = Value::Null;
                }
            }
        }
    }
}

/// Reads the principals of an estate.
pub fn principals(estate: &Estate) -> Principals {
    let mut out = Principals::default();
    let mut reader = DetailsReader::default();
    type Take = fn(&mut DetailsReader, &Json);
    let lists: [(&str, Take); 4] = [
        ("aws.iam.policy", DetailsReader::policy),
        ("aws.iam.group", DetailsReader::group),
        ("aws.iam.user", DetailsReader::user),
        ("aws.iam.role", DetailsReader::role),
    ];
    for (kind, take) in lists {
        match estate.tables.get(kind) {
            Some(table) => out.needs.extend(table.gap.clone()),
            None => out.needs.push(estate.missing(kind, "the account's identities")),
        }
        // One at a time: the answers of a large account would be several times its resources.
        estate.of(kind).for_each(|item| take(&mut reader, &as_answered(&item, &mut out.needs)));
    }
    out.details = reader.finish();
    for item in estate.of("aws.iam.user") {
        if let Some(credentials) = credentials(&item) {
            out.activity.credentials.insert(item.id().to_owned(), credentials);
        }
    }
    let lost = out.details.problems.iter().cloned().chain(
        out.details.principals.iter().flat_map(|p| p.unread.iter().map(|u| format!("{u} of {} is not known", p.arn))),
    );
    out.needs.extend(lost.map(|detail| {
        let mut unknown = Unknown::new(Reason::NotAsked, "iam:GetAccountAuthorizationDetails");
        unknown.detail = detail;
        Arc::new(unknown)
    }));
    let identities = std::mem::take(&mut out.needs);
    organization(estate, &mut out);
    out.guardrails.clone_from(&out.needs);
    out.guardrails.sort_by_key(|n| n.describe());
    out.guardrails.dedup();
    out.needs.extend(identities);
    out.needs.sort_by_key(|n| n.describe());
    out.needs.dedup();
    out
}

/// A principal or policy in the shape in which IAM answers.
fn as_answered(item: &Item<'_>, needs: &mut Vec<Need>) -> Json {
    let mut out = Map::new();
    let mut put = |name: &str, field: &str, make: &dyn Fn(&Value) -> Json| {
        let value = item.get(field);
        if let Some(unknown) = value.first_unknown() {
            // What is known of a list counts all the same.
            needs.push(Arc::clone(unknown));
        }
        if !value.is_null() && !matches!(value, Value::Unknown(_)) {
            out.insert(name.to_owned(), make(value));
        }
    };
    let plain = |v: &Value| v.to_plain_json();
    let known = |v: &Value| -> Vec<Value> {
        let items = v.as_list().unwrap_or_default();
        items.iter().filter(|i| i.first_unknown().is_none()).cloned().collect()
    };
    let inline = |v: &Value| {
        let entry = |p: &Value| {
            let part = |name: &str| p.get(name).map_or(Json::Null, Value::to_plain_json);
            json!({ "PolicyName": part("policy_name"), "PolicyDocument": part("document") })
        };
        known(v).iter().map(entry).collect()
    };
    let arns = |name: &'static str| {
        move |v: &Value| -> Json { known(v).iter().map(|p| json!({ name: p.to_plain_json() })).collect() }
    };
    put("Path", "path", &plain);
    put("CreateDate", "created_at", &plain);
    put("AttachedManagedPolicies", "attached_policies", &arns("PolicyArn"));
    put("Tags", "tags", &|v| {
        let pairs = v.as_map().into_iter().flat_map(|m| m.iter());
        pairs.map(|(k, v)| json!({ "Key": k, "Value": v.to_plain_json() })).collect()
    });
    match item.kind.id.as_str() {
        "aws.iam.user" => {
            put("UserName", "user_name", &plain);
            put("GroupList", "groups", &plain);
            put("UserPolicyList", "inline_policies", &inline);
        }
        "aws.iam.group" => {
            put("GroupName", "group_name", &plain);
            put("GroupPolicyList", "inline_policies", &inline);
        }
        "aws.iam.role" => {
            put("RoleName", "role_name", &plain);
            put("RolePolicyList", "inline_policies", &inline);
            put("AssumeRolePolicyDocument", "trust", &plain);
            put("InstanceProfileList", "instance_profiles", &arns("Arn"));
            put("RoleLastUsed", "used_at", &|v| json!({ "LastUsedDate": v.to_plain_json() }));
        }
        _ => {
            put("PolicyName", "policy_name", &plain);
            put("PolicyVersionList", "versions", &|v| {
                let version = |(at, p): (usize, &Value)| {
                    let part = |name: &str| p.get(name).map_or(Json::Null, Value::to_plain_json);
                    json!({ "VersionId": format!("v{}", at + 1), "IsDefaultVersion": part("is_default"), "Document": part("document") })
                };
                known(v).iter().enumerate().map(version).collect()
            });
        }
    }
    let boundary = item.get("boundary");
    if let Some(arn) = boundary.as_str().filter(|a| !a.is_empty()) {
        out.insert("PermissionsBoundary".into(), json!({ "PermissionsBoundaryArn": arn }));
    } else if let Some(unknown) = boundary.first_unknown() {
        needs.push(Arc::clone(unknown));
    }
    out.insert("Arn".into(), json!(item.id()));
    for name in ["UserName", "RoleName", "GroupName"] {
        if out.get(name).and_then(Json::as_str).is_some_and(str::is_empty) {
            out.insert(name.into(), json!(item.id().rsplit('/').next()));
        }
    }
    Json::Object(out)
}

/// What the credential report says of a user; none when it was not read.
fn credentials(item: &Item<'_>) -> Option<Credentials> {
    let time = |field: &str| match item.get(field) {
        Value::Time(at) => Some(*at),
        _ => None,
    };
    let truth = |field: &str| item.get(field).as_bool();
    let password = truth("has_password");
    let keys: Vec<AccessKey> = (1..=2_u8)
        .filter_map(|slot| {
            let active = truth(&format!("key_{slot}_active"))?;
            let rotated = time(&format!("key_{slot}_rotated_at"));
            let used = time(&format!("key_{slot}_used_at"));
            (active || rotated.is_some()).then_some(AccessKey { slot, active, rotated, used })
        })
        .collect();
    let told = password.is_some() || truth("key_1_active").is_some();
    told.then(|| Credentials { password, password_used: time("password_used_at"), mfa: truth("mfa_active"), keys })
}

/// The policies of the organization that bind the account.
fn organization(estate: &Estate, out: &mut Principals) {
    let Some(item) = estate.of(ORGANIZATION_KIND).next() else {
        // An account that stands alone has no guardrails; one with siblings, or one that says it is a member, has some
        // that nobody read.
        let member = estate.of(MEMBERSHIP_KIND).next().map(|item| match item.get("organization_id").first_unknown() {
            Some(unknown) => Err(Arc::clone(unknown)),
            None => Ok(item.get("organization_id").as_str().is_some_and(|id| !id.is_empty())),
        });
        match member {
            Some(Err(unknown)) => out.needs.push(unknown),
            Some(Ok(false)) if estate.organization.is_empty() => {}
            None if estate.organization.is_empty() => {}
            _ => out.needs.push(estate.missing(ORGANIZATION_KIND, "the organization's policies")),
        }
        return;
    };
    out.organization.management = item.get("management_account").as_str() == Some(estate.account.as_str());
    let ancestors = ancestors(estate, &item, &mut out.needs);
    let mut levels: [BTreeMap<String, Vec<Arc<Policy>>>; 2] = Default::default();
    let lists = [("scp_targets", "scp_policies"), ("rcp_targets", "rcp_policies")];
    for ((targets, contents), levels) in lists.into_iter().zip(&mut levels) {
        for field in [targets, contents] {
            out.needs.extend(item.get(field).first_unknown().cloned());
        }
        for entry in item.get(targets).as_list().unwrap_or_default() {
            let policy_id = entry.get("policy_id").and_then(Value::as_str).unwrap_or_default();
            let everything = entry.get("aws_managed").and_then(Value::as_bool).unwrap_or(false);
            let own = item.get(contents).as_list().unwrap_or_default();
            let own = own.iter().find(|p| p.get("policy_id").and_then(Value::as_str) == Some(policy_id));
            let document = if everything {
                let all = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"}});
                Document::parse(&all).ok()
            } else {
                own.and_then(|p| p.get("content")).and_then(|c| Document::parse(c.to_plain_json()).ok())
            };
            let bound = entry.get("targets").and_then(Value::as_list).unwrap_or_default();
            for target in bound.iter().filter_map(Value::as_str).filter(|t| ancestors.contains(*t)) {
                match &document {
                    Some(document) => {
                        let policy = Arc::new(Policy::new(policy_id, document.clone()));
                        levels.entry(target.to_owned()).or_default().push(policy);
                    }
                    None if out.organization.management => {}
                    None => out.needs.push(not_read("organizations:DescribePolicy", policy_id)),
                }
            }
        }
    }
    let [scps, rcps] = levels
        .map(|levels| levels.into_iter().map(|(id, policies)| Level { id: id.into(), policies }).collect::<Vec<_>>());
    out.organization.scps = scps;
    // Every level of resource control policies begins with one that allows everything.
    out.organization.rcps = rcps;
}

/// The account itself, the units above it, and the root.
fn ancestors(estate: &Estate, item: &Item<'_>, needs: &mut Vec<Need>) -> BTreeSet<String> {
    let own = estate.account.as_str();
    let mut out = BTreeSet::from([own.to_owned()]);
    let rows = |field: &str| item.get(field).as_list().unwrap_or_default();
    let holds = |row: &Value, id: &str| {
        row.get("ids").and_then(Value::as_list).unwrap_or_default().iter().any(|i| i.as_str() == Some(id))
    };
    const ACCOUNTS: [&str; 5] = ["accounts_1", "accounts_2", "accounts_3", "accounts_4", "accounts_5"];
    const UNITS: [&str; 4] = ["units_2", "units_3", "units_4", "units_5"];
    for field in ACCOUNTS.iter().chain(&UNITS).chain(&["root_accounts"]) {
        needs.extend(item.get(field).first_unknown().cloned());
    }
    // Targets of the root begin with `r-`; there is one root.
    for list in ["scp_targets", "rcp_targets"] {
        let all = rows(list).iter().flat_map(|e| e.get("targets").and_then(Value::as_list).unwrap_or_default());
        out.extend(all.filter_map(Value::as_str).filter(|t| t.starts_with("r-")).map(str::to_owned));
    }
    let at_root = rows("root_accounts").iter().any(|a| a.as_str() == Some(own));
    let unit = |row: &Value| row.get("unit").and_then(Value::as_str).unwrap_or_default().to_owned();
    match ACCOUNTS.iter().flat_map(|f| rows(f)).find(|r| holds(r, own)) {
        Some(row) => {
            let mut at = unit(row);
            while !at.is_empty() && out.insert(at.clone()) {
                at = UNITS.iter().flat_map(|f| rows(f)).find(|r| holds(r, &at)).map(unit).unwrap_or_default();
            }
        }
        None if at_root || item.get("management_account").as_str() == Some(own) => {}
        None => needs.push(not_read("organizations:ListAccountsForParent", own)),
    }
    out
}

fn not_read(call: &str, what: &str) -> Need {
    let mut unknown = Unknown::new(Reason::NotAsked, call);
    unknown.detail = format!("`{what}` is not on the record");
    Arc::new(unknown)
}
