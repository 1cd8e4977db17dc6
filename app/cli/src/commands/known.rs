//! What the record knows about identities: authorization details put together again from the answers kept, policies
//! of resources, credential reports.

use crate::out::Failure;
use plumb_assess::identity::aws::{
    Document, Policy, World, data,
    inventory::{AccessKey, Activity, Credentials},
};
use plumb_model::Time;
use plumb_record::Record;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Identities of the accounts on the record.
pub struct Known {
    /// Principals and resource policies.
    pub world: World,
    /// Passwords, second factors and keys.
    pub activity: Activity,
    /// What could not be read or is not taken into account, in words.
    pub gaps: Vec<String>,
    /// When the last scan judged.
    pub as_of: Option<Time>,
}

/// The kinds with authorization details and the lists they come from.
const LISTS: [(&str, &str); 4] = [
    ("aws.iam.policy", "Policies"),
    ("aws.iam.group", "GroupDetailList"),
    ("aws.iam.user", "UserDetailList"),
    ("aws.iam.role", "RoleDetailList"),
];

/// Rows of a query, by column.
pub fn rows(record: &Record, sql: &str) -> Result<Vec<BTreeMap<String, Json>>, Failure> {
    let table = record.query(sql)?;
    Ok(table.rows.into_iter().map(|row| table.columns.iter().cloned().zip(row).collect()).collect())
}

/// A text of a row; empty when there is none.
pub fn text<'a>(row: &'a BTreeMap<String, Json>, name: &str) -> &'a str {
    row.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// Reads the identities on the record, of one account or of all.
pub fn identities(record: &Record, account: Option<&str>) -> Result<Known, Failure> {
    let mut lists: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
    let mut activity = Activity::default();
    for (kind, list) in LISTS {
        for row in rows(
            record,
            &format!("SELECT account, id FROM resource WHERE kind = '{kind}' AND misses = 0 ORDER BY account, id"),
        )? {
            let (owner, id) = (text(&row, "account"), text(&row, "id"));
            // The documents of AWS's own policies come with the program.
            if account.is_some_and(|a| a != owner) || data::is_managed_policy(id) {
                continue;
            }
            let raw: Json = serde_json::from_str(&record.raw(owner, kind, id)?)?;
            if let Some(report) = raw.get("Report").filter(|r| r.is_object()) {
                activity.credentials.insert(id.to_owned(), credentials(report));
            }
            lists.entry(list).or_default().push(raw);
        }
    }
    for row in rows(record, "SELECT account, id FROM resource WHERE kind = 'aws.iam.account' AND misses = 0")? {
        let raw: Json =
            serde_json::from_str(&record.raw(text(&row, "account"), "aws.iam.account", text(&row, "id"))?)?;
        let report = match raw.get("Report") {
            Some(Json::Array(list)) => {
                list.iter().find(|r| r.get("arn").and_then(Json::as_str).is_some_and(|a| a.ends_with(":root")))
            }
            other => other.filter(|r| r.is_object()),
        };
        if let Some((arn, report)) = report.and_then(|r| Some((r.get("arn")?.as_str()?, r))) {
            activity.credentials.insert(arn.to_owned(), credentials(report));
        }
    }
    let mut gaps = unread(record, account)?;
    let details = if lists.is_empty() {
        Default::default()
    } else {
        plumb_assess::identity::aws::Details::from_json(&json!(lists))?
    };
    gaps.extend(details.problems.iter().cloned());
    let organization = plumb_run::organization(record, &mut gaps)?;
    let mut world = World::new(details, organization, None);
    resource_policies(record, &mut world, &mut gaps)?;
    grants(record, &mut world)?;
    for row in rows(record, "SELECT account, id FROM resource WHERE id LIKE 'arn:%:s3:::%' AND misses = 0")? {
        world.add_owner(text(&row, "id"), text(&row, "account"));
    }
    let as_of = record.scan(None).ok().and_then(|s| s.judged_at.parse().ok());
    Ok(Known { world, activity, gaps, as_of })
}

/// Lists of identities that were not read completely when they were read last.
fn unread(record: &Record, account: Option<&str>) -> Result<Vec<String>, Failure> {
    let sql = "SELECT account, kind, reason FROM unit u WHERE kind IN ('aws.iam.user', 'aws.iam.role', 'aws.iam.group', 'aws.iam.policy') \
               AND state = 'incomplete' AND scan = (SELECT max(scan) FROM unit WHERE account = u.account AND region = u.region AND kind = u.kind)";
    let mut out = Vec::new();
    for row in rows(record, sql)? {
        if account.is_none_or(|a| a == text(&row, "account")) {
            out.push(format!(
                "{} of {} were not read completely: {}",
                text(&row, "kind"),
                text(&row, "account"),
                text(&row, "reason")
            ));
        }
    }
    Ok(out)
}

/// The policies that resources carry themselves: the field `policy` of any kind whose ids are ARNs.
fn resource_policies(record: &Record, world: &mut World, gaps: &mut Vec<String>) -> Result<(), Failure> {
    let sql = "SELECT kind, id, json_extract(doc, '$.policy') AS policy FROM resource \
               WHERE id LIKE 'arn:%' AND misses = 0 AND json_type(doc, '$.policy') = 'object' ORDER BY kind, id";
    let mut broken: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows(record, sql)? {
        let parsed = serde_json::from_str::<Json>(text(&row, "policy")).ok().filter(|p| p.get("Statement").is_some());
        match parsed.and_then(|p| Document::parse(&p).ok()) {
            Some(document) => world.add_resource_policy(text(&row, "id"), Policy::new(text(&row, "id"), document)),
            None => {
                world.add_unread_policy(text(&row, "id"));
                *broken.entry(text(&row, "kind").to_owned()).or_default() += 1;
            }
        }
    }
    gaps.extend(broken.into_iter().map(|(kind, n)| format!("policies of {n} {kind} are not known")));
    Ok(())
}

/// The grants on keys.
fn grants(record: &Record, world: &mut World) -> Result<(), Failure> {
    let sql = "SELECT id, json_extract(doc, '$.grants') AS grants, json_type(doc, '$.grants') AS type FROM resource \
               WHERE kind = 'aws.kms.key' AND misses = 0 ORDER BY id";
    for row in rows(record, sql)? {
        match serde_json::from_str::<Json>(text(&row, "grants")) {
            Ok(listed) if text(&row, "type") == "array" => world.add_grants(text(&row, "id"), &listed),
            _ => world.unread_grants += 1,
        }
    }
    Ok(())
}

/// A row of the credential report as the record keeps it.
fn credentials(report: &Json) -> Credentials {
    let truth = |name: &str| report.get(name).and_then(Json::as_bool);
    let time = |name: &str| report.get(name).and_then(Json::as_str).and_then(|t| t.parse::<Time>().ok());
    let keys = (1..=2_u8)
        .filter_map(|slot| {
            let active = truth(&format!("access_key_{slot}_active"))?;
            let rotated = time(&format!("access_key_{slot}_last_rotated"));
            let used = time(&format!("access_key_{slot}_last_used_date"));
            // A slot that never held a key is inactive and was never rotated.
            (active || rotated.is_some()).then_some(AccessKey { slot, active, rotated, used })
        })
        .collect();
    Credentials {
        password: truth("password_enabled"),
        password_used: time("password_last_used"),
        mfa: truth("mfa_active"),
        keys,
    }
}
