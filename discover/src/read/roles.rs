//! Roles and policies that cross accounts, as rows the snapshots give:
//! `{"account", "role_arn", "trust_policy"}` (or `resource` and `policy`), `{"account", "assumed": [role ARNs]}`,
//! and for Google Cloud `{"account", "members": ["serviceAccount:…"]}`. A role as IAM lists it (`Arn`,
//! `AssumeRolePolicyDocument`) is read too.

use crate::{
    json,
    kinds::{AccountKey, Provider},
    mapping::{Mapping, aws_account_in},
    read::instant,
    sighting::{Gather, Reach, RoleReach, Sighting},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// What the role or the resource with the policy is called, in rows and in IAM's own answers.
const ROLE_NAMES: [&str; 4] = ["role_arn", "resource", "resource_arn", "Arn"];

pub(super) fn row(value: &Value, number: u64, mapping: &Mapping, gather: &mut Gather) {
    let role = ROLE_NAMES.iter().find_map(|n| json::text(value, n)).unwrap_or_default();
    let id = match value.get("account") {
        Some(Value::Number(n)) => Some(format!("{n:0>12}")),
        other => other.and_then(Value::as_str).map(str::to_owned),
    };
    let account = match (id, json::text(value, "provider")) {
        (Some(id), Some(provider)) => provider.parse().ok().and_then(|p| AccountKey::new(p, &id).ok()),
        (Some(id), None) => AccountKey::guess(&id),
        // A role as IAM lists it names its account in its ARN.
        (None, _) => principal_account(role),
    };
    let Some(account) = account else {
        return gather.lost(number, "row has no `account` with an account id");
    };
    let date = |name: &str| json::text(value, name).and_then(|t| instant(t, mapping.day_first));
    let (created, last) = (
        date("created_at").or_else(|| date("CreateDate")),
        date("last_used_at").or_else(|| date("RoleLastUsed.LastUsedDate")),
    );
    // That a role was made some day does not date its last use.
    let seen = crate::sighting::Span { first: created.or(last), last, count: 1 };
    let mut crosses = |other: AccountKey, by: &str, reach: Reach, role: &str| {
        let mut sighting = Sighting::new(gather.kind(), other.clone(), None, format!("{role} in {account}"));
        sighting.seen = seen.clone();
        sighting.activity.roles.insert(RoleReach { reach, role: cut(role), by: cut(by) });
        gather.add(sighting);
    };

    let policy = ["trust_policy", "policy", "AssumeRolePolicyDocument"].iter().find_map(|n| value.get(n));
    let policy = match policy {
        Some(Value::String(text)) => {
            let plain = percent_decoded(text);
            match serde_json::from_str(&plain) {
                Ok(policy) => Some(policy),
                Err(_) => return gather.lost(number, "policy is not JSON"),
            }
        }
        Some(Value::Null) | None => None,
        Some(policy) => Some(policy.clone()),
    };
    if let Some(policy) = policy {
        for principal in principals(&policy) {
            if let Some(other) = principal_account(&principal).filter(|o| *o != account) {
                crosses(other, &principal, Reach::TrustedBy, role);
            }
        }
    }
    let list = |name: &str| -> Vec<String> {
        let items = value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    for assumed in list("assumed") {
        if let Some(other) = aws_account_in(&assumed).filter(|o| *o != account) {
            let by = json::text(value, "principal").unwrap_or(account.id.as_str()).to_owned();
            crosses(other, &by, Reach::Assumed, &assumed);
        }
    }
    for member in list("members") {
        if let Some(other) = member_project(&member).filter(|o| *o != account) {
            crosses(other, &member, Reach::TrustedBy, role);
        }
    }
    // The row itself shows that its own account exists.
    let mut own = Sighting::new(gather.kind(), account.clone(), None, format!("snapshot of {account}"));
    own.seen = seen;
    gather.add(own);
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

/// AWS principals of statements that allow, and the accounts their conditions name.
fn principals(policy: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let statements = match policy.get("Statement") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for statement in statements.iter().filter(|s| json::text(s, "Effect") != Some("Deny")) {
        match statement.get("Principal") {
            Some(Value::Object(map)) => map.get("AWS").into_iter().for_each(|aws| texts(aws, &mut out)),
            Some(other) => texts(other, &mut out),
            None => {}
        }
        let Some(Value::Object(operators)) = statement.get("Condition") else { continue };
        for (operator, keys) in operators {
            // A negated condition names whom it keeps out.
            if operator.contains("Not") {
                continue;
            }
            let Value::Object(keys) = keys else { continue };
            for (key, named) in keys {
                let key = key.to_lowercase();
                if matches!(
                    key.as_str(),
                    "aws:sourceaccount" | "aws:principalaccount" | "aws:principalarn" | "aws:sourcearn"
                ) {
                    texts(named, &mut out);
                }
            }
        }
    }
    out
}

fn texts(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => out.extend([text.clone()]),
        Value::Array(items) => out.extend(items.iter().filter_map(Value::as_str).map(str::to_owned)),
        _ => {}
    }
}

/// The account of a principal: a bare number or the account part of an ARN. Digits elsewhere in an ARN are names.
fn principal_account(principal: &str) -> Option<AccountKey> {
    match principal.split(':').collect::<Vec<_>>().as_slice() {
        [number] => AccountKey::new(Provider::Aws, number).ok().filter(|_| number.len() == 12),
        ["arn", _, _, _, account, ..] if account.len() == 12 => AccountKey::new(Provider::Aws, account).ok(),
        _ => None,
    }
}

/// The project of `serviceAccount:name@project.iam.gserviceaccount.com`.
fn member_project(member: &str) -> Option<AccountKey> {
    let address = member.strip_prefix("serviceAccount:")?;
    let project = address.split_once('@')?.1.strip_suffix(".iam.gserviceaccount.com")?;
    AccountKey::new(Provider::Gcp, project).ok()
}

/// IAM answers hold policies percent-encoded.
fn percent_decoded(text: &str) -> String {
    if !text.starts_with("%7B") {
        return text.to_owned();
    }
    let hex = |b: u8| char::from(b).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let (Some(a), Some(b)) = (bytes.next().and_then(hex), bytes.next().and_then(hex)) else { break };
            out.push((a * 16 + b) as u8);
        } else {
            out.push(b);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
