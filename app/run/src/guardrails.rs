//! The organization's policies as the record has them: for each account the chain from the root over its units.

use plumb_assess::identity::aws::{Chain, Document, Organization, Policy, decide::Level};
use plumb_model::Value;
use plumb_record::{Record, RecordError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Units stand at most this deep in an organization, the root included.
const DEEPEST: usize = 7;

/// Reads the organization's policies and what each account is bound by; what could not be taken into account is noted.
///
/// # Errors
/// When the record fails.
pub fn organization(record: &Record, notes: &mut Vec<String>) -> Result<Organization, RecordError> {
    let sql = "SELECT doc FROM resource WHERE kind = 'aws.organizations.organization' AND misses = 0 ORDER BY account LIMIT 1";
    let table = record.query(sql)?;
    let doc = table.rows.first().and_then(|row| row.first()).and_then(serde_json::Value::as_str);
    let Some(doc) = doc.and_then(|text| serde_json::from_str(text).ok()) else {
        notes.push("the organization's policies are not on the record and were not considered".into());
        return Ok(Organization::default());
    };
    let accounts: BTreeSet<String> =
        record.accounts()?.into_iter().filter(|a| a.provider == "aws").map(|a| a.id).collect();
    Ok(read(&Value::from_json(&doc), &accounts, notes))
}

/// What a document of the kind `aws.organizations.organization` says about accounts.
fn read(document: &Value, accounts: &BTreeSet<String>, notes: &mut Vec<String>) -> Organization {
    let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let management = text("management_account");
    let id = Some(text("organization_id")).filter(|id| !id.is_empty());
    let mut tell = Vec::new();
    let scps = Attached::read(document, "scp", &mut tell);
    let rcps = Attached::read(document, "rcp", &mut tell);
    let root = scps.root().or_else(|| rcps.root());
    let parents = parents(document, root.as_deref());
    let mut out = Organization { id: id.clone(), ..Organization::default() };
    let mut lost: BTreeSet<String> = BTreeSet::new();
    for account in accounts {
        let (way, whole) = way(account, &parents, root.as_deref());
        if !whole && (scps.elsewhere(&way) || rcps.elsewhere(&way)) && *account != management {
            lost.insert(account.clone());
        }
        let chain = Chain {
            scps: scps.levels(&way, whole, true),
            rcps: rcps.levels(&way, whole, false),
            management: *account == management,
            path: id.as_ref().filter(|_| whole).map(|id| {
                let units: Vec<&str> = way.iter().map(String::as_str).filter(|w| w != account).collect();
                format!("{id}/{}/", units.join("/"))
            }),
        };
        out.accounts.insert(account.clone(), chain);
    }
    if !lost.is_empty() {
        let list: Vec<String> = lost.into_iter().collect();
        notes.push(format!(
            "policies of organizational units are not considered for {}: their place in the tree is not on the record",
            list.join(", ")
        ));
    }
    notes.extend(tell);
    out
}

/// The fields that say what is in which unit, down to the fifth level, which is the deepest AWS allows.
const TREE: [&str; 9] =
    ["units_2", "units_3", "units_4", "units_5", "accounts_1", "accounts_2", "accounts_3", "accounts_4", "accounts_5"];

/// Whose child each account and unit is.
fn parents(document: &Value, root: Option<&str>) -> BTreeMap<String, String> {
    fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
        list.and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str)
    }
    let mut out = BTreeMap::new();
    if let Some(root) = root {
        for field in ["units", "root_accounts"] {
            out.extend(texts(document.get(field)).map(|child| (child.to_owned(), root.to_owned())));
        }
    }
    for field in TREE {
        for row in document.get(field).and_then(Value::as_list).unwrap_or_default() {
            let Some(unit) = row.get("unit").and_then(Value::as_str).filter(|u| !u.is_empty()) else { continue };
            out.extend(texts(row.get("ids")).map(|child| (child.to_owned(), unit.to_owned())));
        }
    }
    out
}

/// The way from the root to an account, both included, and whether it is known as a whole.
fn way(account: &str, parents: &BTreeMap<String, String>, root: Option<&str>) -> (Vec<String>, bool) {
    let mut up = vec![account.to_owned()];
    while let Some(parent) = up.last().and_then(|at| parents.get(at)).filter(|_| up.len() < DEEPEST + 1) {
        up.push(parent.clone());
    }
    let whole = up.last().is_some_and(|last| last.starts_with("r-"));
    if let (false, Some(root)) = (whole, root) {
        up.push(root.to_owned());
    }
    up.reverse();
    (up, whole)
}

/// Policies of one type by where they are attached.
struct Attached {
    by_target: BTreeMap<String, Vec<Arc<Policy>>>,
    /// Whether the type is in use and could be read.
    known: bool,
}

impl Attached {
    fn read(document: &Value, prefix: &str, notes: &mut Vec<String>) -> Self {
        let (targets, contents) = (format!("{prefix}_targets"), format!("{prefix}_policies"));
        let get = |field: &str| document.get(field).unwrap_or(&Value::Null);
        let mut out = Self { by_target: BTreeMap::new(), known: true };
        if get(&targets).first_unknown().is_some() {
            notes.push(format!("the organization's {targets} could not be read and were not considered"));
            out.known = false;
            return out;
        }
        let mut skipped = BTreeSet::new();
        for entry in get(&targets).as_list().unwrap_or_default() {
            let id = entry.get("policy_id").and_then(Value::as_str).unwrap_or_default();
            let everything = entry.get("aws_managed").and_then(Value::as_bool).unwrap_or(false);
            let listed = get(&contents).as_list().unwrap_or_default().iter();
            let content = listed
                .filter(|p| p.get("policy_id").and_then(Value::as_str) == Some(id))
                .find_map(|p| p.get("content"));
            let parsed = if everything {
                let all = serde_json::json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
                Document::parse(&all).ok()
            } else {
                content.filter(|c| c.first_unknown().is_none()).and_then(|c| Document::parse(c.to_plain_json()).ok())
            };
            let Some(parsed) = parsed else {
                skipped.insert(id.to_owned());
                continue;
            };
            let policy = Arc::new(Policy::new(id, parsed));
            for target in
                entry.get("targets").and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str)
            {
                out.by_target.entry(target.to_owned()).or_default().push(Arc::clone(&policy));
            }
        }
        if !skipped.is_empty() {
            let list: Vec<String> = skipped.into_iter().collect();
            notes.push(format!(
                "organization policies not considered, for what they say is not on the record: {}",
                list.join(", ")
            ));
        }
        out
    }

    fn root(&self) -> Option<String> {
        self.by_target.keys().find(|t| t.starts_with("r-")).cloned()
    }

    /// Whether something is attached to units that are not on the way.
    fn elsewhere(&self, way: &[String]) -> bool {
        self.by_target.keys().any(|t| t.starts_with("ou-") && !way.contains(t))
    }

    /// A level for each station of the way. Where a level must allow (`each`) and the way is known as a whole, a station
    /// without policies allows nothing; else it is left out.
    fn levels(&self, way: &[String], whole: bool, each: bool) -> Vec<Level> {
        if !self.known || self.by_target.is_empty() {
            return Vec::new();
        }
        let level = |id: &String| {
            let policies = self.by_target.get(id).cloned();
            match policies {
                Some(policies) => Some(Level { id: id.as_str().into(), policies }),
                None if each && whole => Some(Level { id: id.as_str().into(), policies: Vec::new() }),
                None => None,
            }
        };
        way.iter().filter_map(level).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ACCOUNTS: [&str; 3] = ["100000000001", "200000000002", "300000000003"];

    fn document(parents: bool) -> Value {
        let everywhere = json!(["r-a", "ou-1", "ou-2", ACCOUNTS[0], ACCOUNTS[1], ACCOUNTS[2]]);
        let mut doc = json!({"management_account": ACCOUNTS[0], "organization_id": "o-1",
            "scp_policies": [{"policy_id": "p-no", "content": {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}}],
            "scp_targets": [{"policy_id": "p-full", "aws_managed": true, "targets": everywhere},
                {"policy_id": "p-no", "aws_managed": false, "targets": ["ou-2"]}, {"policy_id": "p-lost", "aws_managed": false, "targets": ["ou-1"]}],
            "rcp_targets": []});
        if parents {
            doc["root_accounts"] = json!([ACCOUNTS[0]]);
            doc["units"] = json!(["ou-1"]);
            doc["units_2"] = json!([{"unit": "ou-1", "ids": ["ou-2"]}]);
            doc["accounts_1"] = json!([{"unit": "ou-1", "ids": [ACCOUNTS[2]]}]);
            doc["accounts_2"] = json!([{"unit": "ou-2", "ids": [ACCOUNTS[1]]}]);
        }
        Value::from_json(&doc)
    }

    fn names(organization: &Organization, account: &str) -> Vec<String> {
        let levels = organization.scps_of(account).iter();
        levels
            .map(|l| format!("{}:{}", l.id, l.policies.iter().map(|p| p.name.as_ref()).collect::<Vec<_>>().join("+")))
            .collect()
    }

    #[test]
    fn each_account_is_bound_by_what_stands_above_it() {
        let accounts: BTreeSet<String> = ACCOUNTS.map(str::to_owned).into();
        let mut notes = Vec::new();
        let found = read(&document(true), &accounts, &mut notes);
        assert!(names(&found, ACCOUNTS[0]).is_empty(), "nothing binds the management account");
        assert_eq!(
            names(&found, ACCOUNTS[1]),
            ["r-a:p-full", "ou-1:p-full", "ou-2:p-full+p-no", "200000000002:p-full"]
        );
        assert_eq!(names(&found, ACCOUNTS[2]), ["r-a:p-full", "ou-1:p-full", "300000000003:p-full"]);
        let path = found.accounts.get(ACCOUNTS[1]).and_then(|c| c.path.clone());
        assert_eq!(path.as_deref(), Some("o-1/r-a/ou-1/ou-2/"));
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("p-lost"));
    }

    #[test]
    fn a_place_that_is_not_known_is_said() {
        let accounts: BTreeSet<String> = ACCOUNTS.map(str::to_owned).into();
        let mut notes = Vec::new();
        let found = read(&document(false), &accounts, &mut notes);
        assert_eq!(names(&found, ACCOUNTS[1]), ["r-a:p-full", "200000000002:p-full"]);
        assert!(notes.iter().any(|n| n.contains("200000000002, 300000000003")), "{notes:?}");
    }
}
