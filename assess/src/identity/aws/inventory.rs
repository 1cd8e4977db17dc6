//! The inventory of principals: what each is, whether it is in use, what it holds and does not use.

use super::{
    arn::Arn,
    bits::Bits,
    data,
    details::{Details, Kind, Principal},
    document::{Document, Effect, Statement},
    escalate::{Admin, Escalations},
    principal::PrincipalEntry,
};
use crate::policy::{self, ExternalGrant, OidcTrust};
use plumb_model::Time;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a principal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The root user of an account.
    Root,
    /// A user with a console password: a person.
    Human,
    /// A user without a console password: a program with keys.
    ServiceUser,
    /// A role people reach through an identity provider (SAML, IAM Identity Center).
    Federated,
    /// A role an outside workload reaches with an OIDC token (CI jobs, Kubernetes service accounts).
    Workload,
    /// A role of EC2 instances.
    InstanceProfile,
    /// A role an AWS service runs under.
    ServiceRole,
    /// A role a service made for itself.
    ServiceLinked,
    /// A role another account may assume.
    CrossAccount,
    /// A role principals of its own account assume.
    Role,
}

/// An access key of a user.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AccessKey {
    /// First or second.
    pub slot: u8,
    /// Whether it works.
    pub active: bool,
    /// When it was made or rotated.
    pub rotated: Option<Time>,
    /// When it was last used.
    pub used: Option<Time>,
}

/// A row of the IAM credential report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Whether a console password is set; none when the report does not say (the root user).
    pub password: Option<bool>,
    /// When the password was last used.
    pub password_used: Option<Time>,
    /// Whether a second factor is on.
    pub mfa: Option<bool>,
    /// The keys, inactive ones included.
    pub keys: Vec<AccessKey>,
}

/// What a principal used, as `iam:GetServiceLastAccessedDetails` reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Services by IAM prefix and when they were last used; none for a service never used.
    pub services: BTreeMap<String, Option<Time>>,
    /// Actions in lower case and when they were last used, where AWS tracks them.
    pub actions: BTreeMap<String, Option<Time>>,
}

/// What is known besides the authorization details.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// By the ARN of the user.
    pub credentials: HashMap<String, Credentials>,
    /// By the ARN of the principal.
    pub usage: HashMap<String, Usage>,
}

/// One principal of the inventory.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Entry {
    /// Its ARN.
    pub arn: String,
    /// Its account.
    pub account: String,
    /// What it is for.
    pub class: Class,
    /// Whether it is an administrator.
    pub admin: bool,
    /// Whether it is one or can become one.
    pub can_become_admin: bool,
    /// What must be so for it to become one, where that alone is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub could_become_admin_if: Vec<String>,
    /// The last sign of life; none when there never was one or none is known.
    pub last_active: Option<Time>,
    /// Whether it showed no life within the window; none when no input tells.
    pub dormant: Option<bool>,
    /// Whether a second factor is on; none when not known.
    pub mfa: Option<bool>,
    /// Its access keys.
    pub keys: Vec<AccessKey>,
    /// The accounts outside that may assume it.
    pub external: Vec<ExternalGrant>,
    /// The OIDC providers that may assume it.
    pub providers: Vec<OidcTrust>,
    /// The services that may run under it.
    pub services: Vec<String>,
    /// Services it may use and did not within the window; empty when use is not known.
    pub unused_services: Vec<String>,
    /// How many actions it may do on something.
    pub granted_actions: usize,
    /// How many of those it used; none when use is not known.
    pub used_actions: Option<usize>,
}

/// Reads the CSV of `iam:GetCredentialReport`; rows it cannot read are left out.
pub fn credential_report(csv: &str) -> HashMap<String, Credentials> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut out = HashMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let get =
            |name: &str| header.iter().position(|h| *h == name).and_then(|i| fields.get(i)).copied().unwrap_or("");
        let truth = |name: &str| match get(name) {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        let time = |name: &str| get(name).parse::<Time>().ok();
        let arn = get("arn");
        if arn.is_empty() {
            continue;
        }
        let keys = (1..=2_u8)
            .filter_map(|slot| {
                let active = truth(&format!("access_key_{slot}_active"))?;
                let rotated = time(&format!("access_key_{slot}_last_rotated"));
                // A slot that never held a key is inactive and was never rotated.
                (active || rotated.is_some()).then(|| AccessKey {
                    slot,
                    active,
                    rotated,
                    used: time(&format!("access_key_{slot}_last_used_date")),
                })
            })
            .collect();
        out.insert(
            arn.to_owned(),
            Credentials {
                password: truth("password_enabled"),
                password_used: time("password_last_used"),
                mfa: truth("mfa_active"),
                keys,
            },
        );
    }
    out
}

/// Reads what `iam:GetServiceLastAccessedDetails` answered for one principal.
pub fn last_accessed(json: &Json) -> Usage {
    let mut usage = Usage::default();
    let list = json.get("ServicesLastAccessed").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let time = |json: &Json, name: &str| json.get(name).and_then(Json::as_str).and_then(|t| t.parse::<Time>().ok());
    for service in list {
        let Some(prefix) = service.get("ServiceNamespace").and_then(Json::as_str) else { continue };
        usage.services.insert(prefix.to_owned(), time(service, "LastAuthenticated"));
        let tracked = service.get("TrackedActionsLastAccessed").and_then(Json::as_array);
        for action in tracked.into_iter().flatten() {
            let Some(name) = action.get("ActionName").and_then(Json::as_str) else { continue };
            let lower = format!("{prefix}:{name}").to_ascii_lowercase();
            usage.actions.insert(lower, time(action, "LastAccessedTime"));
        }
    }
    usage
}

/// The inventory of all principals, root users with a row in the credential report included.
///
/// `window_days` is how long without a sign of life makes a principal dormant. A principal is never called dormant
/// when no input tells about its use, nor when it is younger than the window.
pub fn inventory(
    details: &Details,
    escalations: &Escalations,
    activity: &Activity,
    now: Time,
    window_days: i64,
) -> Vec<Entry> {
    let accounts = details.accounts();
    let mut out: Vec<Entry> = details
        .principals
        .iter()
        .zip(&escalations.standings)
        .map(|(principal, standing)| {
            let credentials = activity.credentials.get(&principal.arn);
            let usage = activity.usage.get(&principal.arn);
            let trust = principal.trust.as_ref().map(|t| &t.document);
            let last_active = last_sign(principal, credentials, usage);
            let granted = granted(principal);
            let recent = |at: &Option<Time>| at.is_some_and(|t| now.days_since(t) <= window_days);
            let unused = usage.map(|u| {
                let held: BTreeSet<&str> = granted
                    .iter()
                    .filter_map(|i| data::actions().get(i))
                    .filter_map(|a| a.name.split(':').next())
                    .collect();
                held.into_iter().filter(|s| !u.services.get(*s).is_some_and(recent)).map(str::to_owned).collect()
            });
            Entry {
                arn: principal.arn.clone(),
                account: principal.account.clone(),
                class: class(principal, credentials),
                admin: standing.admin != Admin::No,
                can_become_admin: standing.can_become_admin,
                could_become_admin_if: standing.conditional.as_ref().map(|c| c.depends_on.clone()).unwrap_or_default(),
                last_active,
                dormant: dormant(principal, last_active, credentials.is_some() || usage.is_some(), now, window_days),
                mfa: credentials.and_then(|c| c.mfa),
                keys: credentials.map(|c| c.keys.clone()).unwrap_or_default(),
                external: trust.map(|t| policy::external_accounts(t, &principal.account, &[])).unwrap_or_default(),
                providers: trust.map(policy::oidc_trusts).unwrap_or_default(),
                services: trust.map(services).unwrap_or_default(),
                unused_services: unused.unwrap_or_default(),
                granted_actions: granted.count(),
                used_actions: usage.map(|u| {
                    granted
                        .iter()
                        .filter_map(|i| data::actions().get(i))
                        .filter(|a| u.actions.get(a.lower).is_some_and(recent))
                        .count()
                }),
            }
        })
        .collect();
    for (arn, credentials) in &activity.credentials {
        let Some(parsed) = Arn::parse(arn).filter(|a| a.resource() == "root" && accounts.contains(&a.account())) else {
            continue;
        };
        let last = credentials.keys.iter().filter_map(|k| k.used).chain(credentials.password_used).max();
        out.push(Entry {
            arn: arn.clone(),
            account: parsed.account().into(),
            class: Class::Root,
            admin: true,
            can_become_admin: true,
            could_become_admin_if: Vec::new(),
            last_active: last,
            dormant: Some(last.is_none_or(|t| now.days_since(t) > window_days)),
            mfa: credentials.mfa,
            keys: credentials.keys.clone(),
            external: Vec::new(),
            providers: Vec::new(),
            services: Vec::new(),
            unused_services: Vec::new(),
            granted_actions: data::actions().len(),
            used_actions: None,
        });
    }
    out.sort_by(|a, b| a.arn.cmp(&b.arn));
    out
}

fn class(principal: &Principal, credentials: Option<&Credentials>) -> Class {
    if principal.kind == Kind::User {
        let password = credentials.and_then(|c| c.password).unwrap_or(!principal.last_used.is_empty());
        return if password { Class::Human } else { Class::ServiceUser };
    }
    if principal.is_service_linked() {
        return Class::ServiceLinked;
    }
    let Some(trust) = principal.trust.as_ref().map(|t| &t.document) else { return Class::Role };
    let entries = || trust.statements.iter().filter(|s| s.effect == Effect::Allow).flat_map(|s| s.principals.iter());
    let federated = |wanted: &dyn Fn(&str) -> bool| {
        entries().flat_map(|p| p.entries.iter()).any(|e| matches!(e, PrincipalEntry::Federated(name) if wanted(name)))
    };
    if federated(&|name| name.contains(":saml-provider/")) {
        return Class::Federated;
    }
    if federated(&|_| true) {
        return Class::Workload;
    }
    let services = services(trust);
    let profiled = principal.profiles.as_ref().is_some_and(|p| !p.is_empty());
    if profiled || services.iter().any(|s| s == "ec2.amazonaws.com") {
        return Class::InstanceProfile;
    }
    if !services.is_empty() {
        return Class::ServiceRole;
    }
    if !policy::external_accounts(trust, &principal.account, &[]).is_empty() {
        return Class::CrossAccount;
    }
    Class::Role
}

fn services(trust: &Document) -> Vec<String> {
    let mut out: Vec<String> = trust
        .statements
        .iter()
        .filter(|s| s.effect == Effect::Allow)
        .flat_map(|s| s.principals.iter())
        .flat_map(|p| p.entries.iter())
        .filter_map(|e| match e {
            PrincipalEntry::Service(name) => Some(name.to_string()),
            _ => None,
        })
        .collect();
    out.sort();
    out.dedup();
    out
}

fn last_sign(principal: &Principal, credentials: Option<&Credentials>, usage: Option<&Usage>) -> Option<Time> {
    let own = principal.last_used.parse::<Time>().ok();
    let credential = credentials.into_iter().flat_map(|c| c.keys.iter().filter_map(|k| k.used).chain(c.password_used));
    let used = usage.into_iter().flat_map(|u| u.services.values().chain(u.actions.values()).filter_map(|t| *t));
    own.into_iter().chain(credential).chain(used).max()
}

fn dormant(principal: &Principal, last: Option<Time>, known: bool, now: Time, window_days: i64) -> Option<bool> {
    if let Some(last) = last {
        return Some(now.days_since(last) > window_days);
    }
    if !known {
        return None;
    }
    let age = principal.created.parse::<Time>().ok().map(|t| now.days_since(t));
    Some(age.is_none_or(|days| days > window_days))
}

/// The actions some Allow statement grants on something.
fn granted(principal: &Principal) -> Bits {
    let mut sets = super::action_sets::ActionSets::default();
    let mut out = Bits::empty(data::actions().len());
    for attachment in &principal.attachments {
        for statement in attachment.policy.document.statements.iter().filter(|s| s.effect == Effect::Allow) {
            out.union(&sets.of(&statement.actions));
        }
    }
    out
}

/// An active key older than `most_days`.
pub fn long_lived_keys(entries: &[Entry], now: Time, most_days: i64) -> Vec<(&str, &AccessKey)> {
    entries
        .iter()
        .flat_map(|e| e.keys.iter().map(move |k| (e.arn.as_str(), k)))
        .filter(|(_, k)| k.active && k.rotated.is_some_and(|t| now.days_since(t) > most_days))
        .collect()
}

/// Who can assume an administrator's role.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AdminAssumer {
    /// The role.
    pub role: String,
    /// The principal: an ARN of the accounts, or an account or provider outside.
    pub principal: String,
    /// Whether it is from outside.
    pub external: bool,
}

/// Everyone who can assume a role that is an administrator: principals of the accounts by a drawn edge, and what the
/// trust policy admits from outside.
pub fn admin_assumers(details: &Details, escalations: &Escalations) -> Vec<AdminAssumer> {
    let admins: BTreeSet<&str> = details
        .principals
        .iter()
        .zip(&escalations.standings)
        .filter(|(p, s)| p.kind == Kind::Role && s.admin != Admin::No)
        .map(|(p, _)| p.arn.as_str())
        .collect();
    let mut out: Vec<AdminAssumer> = escalations
        .edges
        .iter()
        .filter(|e| e.method == "aws.sts.assume-role" && admins.contains(e.to.as_str()))
        .map(|e| AdminAssumer { role: e.to.clone(), principal: e.from.clone(), external: false })
        .collect();
    for principal in details.principals.iter().filter(|p| admins.contains(p.arn.as_str())) {
        let Some(trust) = principal.trust.as_ref().map(|t| &t.document) else { continue };
        let accounts = policy::external_accounts(trust, &principal.account, &[]).into_iter().map(|g| g.principal);
        let providers = policy::oidc_trusts(trust).into_iter().map(|t| t.issuer);
        out.extend(accounts.chain(providers).map(|from| AdminAssumer {
            role: principal.arn.clone(),
            principal: from,
            external: true,
        }));
    }
    out.sort_by(|a, b| (&a.role, &a.principal).cmp(&(&b.role, &b.principal)));
    out.dedup();
    out
}

/// A policy with what was used and nothing more.
#[derive(Debug, Clone, PartialEq)]
pub struct RightSized {
    /// The document.
    pub document: Json,
    /// Actions granted before.
    pub before: usize,
    /// Actions granted by the proposal.
    pub after: usize,
}

/// Proposes a policy for a principal from what it used: every Allow statement narrowed to the used actions it
/// covers, resources and conditions kept, every Deny kept as it is. None when nothing would be taken away.
///
/// Where AWS tracks no actions of a service, its use keeps the statement's actions of that service.
pub fn right_sized(principal: &Principal, usage: &Usage) -> Option<RightSized> {
    let used = |lower: &str| {
        let service = lower.split(':').next().unwrap_or_default();
        let tracked = usage.actions.keys().any(|a| a.split(':').next() == Some(service));
        if tracked {
            usage.actions.get(lower).is_some_and(Option::is_some)
        } else {
            usage.services.get(service).is_some_and(Option::is_some)
        }
    };
    let mut sets = super::action_sets::ActionSets::default();
    let (mut before, mut after) = (Bits::empty(data::actions().len()), Bits::empty(data::actions().len()));
    let mut statements = Vec::new();
    for statement in principal.attachments.iter().flat_map(|a| a.policy.document.statements.iter()) {
        if statement.effect == Effect::Deny {
            statements.push(rebuild(statement, None));
            continue;
        }
        let set = sets.of(&statement.actions);
        before.union(&set);
        let mut kept: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for at in set.iter() {
            if let Some(action) = data::actions().get(at).filter(|a| used(a.lower)) {
                kept.entry(action.name.split(':').next().unwrap_or_default()).or_default().push(at);
            }
        }
        let mut actions: Vec<String> = Vec::new();
        for (service, list) in kept {
            let whole = data::actions().with_prefix(&format!("{}:", service.to_ascii_lowercase())).len();
            if list.len() == whole {
                actions.push(format!("{service}:*"));
            } else {
                actions.extend(list.iter().filter_map(|i| data::actions().get(*i)).map(|a| a.name.to_string()));
            }
            list.into_iter().for_each(|at| after.insert(at));
        }
        if !actions.is_empty() {
            statements.push(rebuild(statement, Some(actions)));
        }
    }
    if after.count() >= before.count() {
        return None;
    }
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    Some(RightSized { document, before: before.count(), after: after.count() })
}

/// A statement as JSON, with other actions if given.
fn rebuild(statement: &Statement, actions: Option<Vec<String>>) -> Json {
    let mut out = serde_json::Map::new();
    if let Some(sid) = &statement.sid {
        out.insert("Sid".into(), json!(sid));
    }
    out.insert("Effect".into(), json!(if statement.effect == Effect::Allow { "Allow" } else { "Deny" }));
    match actions {
        Some(actions) => out.insert("Action".into(), json!(actions)),
        None => out.insert(
            if statement.actions.inverted { "NotAction" } else { "Action" }.into(),
            json!(statement.actions.texts),
        ),
    };
    if let Some(resources) = &statement.resources {
        out.insert(if resources.inverted { "NotResource" } else { "Resource" }.into(), json!(resources.texts));
    }
    if !statement.conditions.is_empty() {
        let mut blocks: BTreeMap<&str, BTreeMap<&str, &[Box<str>]>> = BTreeMap::new();
        for condition in &statement.conditions {
            blocks.entry(&condition.text).or_default().insert(&condition.key_text, &condition.values);
        }
        out.insert("Condition".into(), json!(blocks));
    }
    Json::Object(out)
}
