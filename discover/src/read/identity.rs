//! Who signs in where, told by the identity provider: Okta System Log, Entra sign-ins and directory audits.

use crate::{
    json,
    kinds::{AccountKey, Provider, SourceClass, SourceKind},
    mapping::Mapping,
    read::instant,
    sighting::{Facts, Gather, Sighting, SignIn, Span},
};
use plumb_model::Time;
use serde_json::Value;

/// A sighting of an account, or of a cloud application that nobody linked to one.
pub(super) struct Signed<'a> {
    pub(super) account: Option<AccountKey>,
    pub(super) provider: Provider,
    /// Empty where the event shows that the account is there, and nobody in it.
    pub(super) who: &'a str,
    pub(super) how: SignIn,
    pub(super) through: &'a str,
    pub(super) at: Option<Time>,
    pub(super) class: SourceClass,
    pub(super) evidence: String,
}

pub(super) fn signed(signed: Signed<'_>, kind: SourceKind) -> Sighting {
    let mut sighting = Sighting {
        account: signed.account,
        provider: signed.provider,
        kind,
        class: signed.class,
        seen: Span::at(signed.at),
        evidence: signed.evidence,
        facts: Facts::default(),
        activity: crate::sighting::Activity::default(),
    };
    let who: String = signed.who.to_lowercase().chars().take(200).collect();
    let through: String = signed.through.chars().take(200).collect();
    if !who.is_empty() {
        sighting.activity.sign_in(&who, signed.how, &through, signed.at);
    }
    sighting
}

/// One event of the Okta System Log: eventType, published, actor, target\[\], outcome, debugContext.debugData.
pub(super) fn okta(value: &Value, number: u64, mapping: &Mapping, gather: &mut Gather) {
    let Some(event) = json::text(value, "eventType") else {
        return gather.lost(number, "event has no `eventType`");
    };
    let at = json::text(value, "published").and_then(|t| instant(t, false));
    let targets = value.get("target").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if event.starts_with("user.lifecycle.deactivate") || event.starts_with("user.lifecycle.delete") {
        let users = targets.iter().filter(|t| json::text(t, "type") == Some("User"));
        for user in users.filter_map(|u| json::text(u, "alternateId")) {
            gather.left(user, at);
        }
        return;
    }
    let sign_in = event.starts_with("user.authentication.sso");
    if !sign_in && !event.starts_with("application.user_membership") {
        return;
    }
    if json::text(value, "outcome.result").is_some_and(|r| !matches!(r, "SUCCESS" | "ALLOW")) {
        return;
    }
    for app in targets.iter().filter(|t| json::text(t, "type") == Some("AppInstance")) {
        let name = json::text(app, "displayName").unwrap_or_default();
        let label = json::text(app, "alternateId").unwrap_or_default();
        let id = json::text(app, "id").unwrap_or_default();
        let debug = value.get("debugContext").map(Value::to_string).unwrap_or_default();
        let account = mapping.app_account(&[id, label, name, arn_in(&debug)]);
        let provider = account.as_ref().map(|a| a.provider).or_else(|| mapping.vendors(&format!("{name} {label}")));
        let Some(provider) = provider else { continue };
        // Being assigned to an application is not yet a sign-in: the assigned user counts, the administrator does not.
        let user = targets.iter().find(|t| json::text(t, "type") == Some("User"));
        let taken = ["remove", "revoke", "deprovision", "deny"].iter().any(|end| event.ends_with(end));
        let who = if sign_in {
            json::text(value, "actor.alternateId")
        } else if taken {
            Some("")
        } else {
            user.and_then(|u| json::text(u, "alternateId"))
        };
        let shown = if label.is_empty() { name } else { label };
        let evidence = match &account {
            Some(_) => format!("okta {event} app `{shown}`"),
            None => format!("okta application `{shown}` ({id})"),
        };
        let who = who.unwrap_or("unknown user");
        let (how, class) = (SignIn::Federated, SourceClass::IdpFederation);
        let one = Signed { account, provider, who, how, through: shown, at, class, evidence };
        gather.add(signed(one, SourceKind::OktaLog));
    }
}

/// The first ARN with an account inside a longer text.
fn arn_in(text: &str) -> &str {
    let Some(at) = text.find("arn:aws") else { return "" };
    let rest = text.get(at..).unwrap_or_default();
    rest.split(['"', ',', ' ', '\\']).next().unwrap_or_default()
}

/// What a diagnostic setting of Azure Monitor writes wraps the entry of Microsoft Graph in `properties`.
fn unwrapped<'a>(value: &'a Value, member: &str) -> &'a Value {
    value.get("properties").filter(|inner| value.get(member).is_none() && inner.get(member).is_some()).unwrap_or(value)
}

/// One Microsoft Entra `signIn`: appId, appDisplayName, resourceDisplayName, resourceTenantId, homeTenantId,
/// userPrincipalName or servicePrincipalName, status.errorCode, createdDateTime.
pub(super) fn entra_sign_in(value: &Value, number: u64, mapping: &Mapping, gather: &mut Gather) {
    let value = unwrapped(value, "appDisplayName");
    let (Some(app), Some(created)) = (json::text(value, "appDisplayName"), json::text(value, "createdDateTime")) else {
        return gather.lost(number, "sign-in has no `appDisplayName` and `createdDateTime`");
    };
    if json::at(value, "status.errorCode").and_then(Value::as_i64).is_some_and(|code| code != 0) {
        return;
    }
    let at = instant(created, false);
    let who = ["userPrincipalName", "servicePrincipalName", "servicePrincipalId"]
        .iter()
        .find_map(|n| json::text(value, n))
        .unwrap_or("unknown user");
    let app_id = json::text(value, "appId").unwrap_or_default();
    let resource = json::text(value, "resourceDisplayName").unwrap_or_default();
    let account = mapping.app_account(&[app_id, app, resource]);
    let (home, target) = (json::text(value, "homeTenantId"), json::text(value, "resourceTenantId"));
    let evidence = match (&account, home, target) {
        (Some(_), _, _) => format!("entra sign-in to `{app}`"),
        // Somebody of ours works in a tenant that is not ours.
        (None, Some(home), Some(target)) if home != target => format!("entra sign-in to tenant {target} by `{app}`"),
        _ => format!("entra application `{app}` ({app_id})"),
    };
    let outside = home.zip(target).is_some_and(|(h, t)| h != t);
    let provider = account.as_ref().map(|a| a.provider).or_else(|| {
        // Azure's own portal in our own tenant is no hint of an account nobody knows.
        if outside { Some(Provider::Azure) } else { mapping.vendors(app).filter(|p| *p != Provider::Azure) }
    });
    let Some(provider) = provider else { return };
    let (how, class) = (SignIn::Federated, SourceClass::IdpFederation);
    let one = Signed { account, provider, who, how, through: app, at, class, evidence };
    gather.add(signed(one, SourceKind::EntraSignIns));
}

/// One Microsoft Entra directory audit: `Add service principal` for an application of a cloud vendor;
/// `Disable account` and `Delete user` name leavers.
pub(super) fn entra_audit(value: &Value, number: u64, mapping: &Mapping, gather: &mut Gather) {
    let value = unwrapped(value, "activityDisplayName");
    let Some(activity) = json::text(value, "activityDisplayName") else {
        return gather.lost(number, "audit entry has no `activityDisplayName`");
    };
    if json::text(value, "result").is_some_and(|r| !r.eq_ignore_ascii_case("success")) {
        return;
    }
    let at = json::text(value, "activityDateTime").and_then(|t| instant(t, false));
    let targets = value.get("targetResources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if matches!(activity, "Disable account" | "Delete user") {
        for user in targets.iter().filter_map(|t| json::text(t, "userPrincipalName")) {
            gather.left(user, at);
        }
        return;
    }
    if activity != "Add service principal" {
        return;
    }
    let who = json::text(value, "initiatedBy.user.userPrincipalName")
        .or_else(|| json::text(value, "initiatedBy.app.displayName"))
        .unwrap_or("unknown user");
    for target in targets {
        let name = json::text(target, "displayName").unwrap_or_default();
        let id = json::text(target, "id").unwrap_or_default();
        let account = mapping.app_account(&[id, name]);
        let provider = account.as_ref().map(|a| a.provider).or_else(|| mapping.vendors(name));
        let Some(provider) = provider else { continue };
        let evidence = match &account {
            Some(_) => format!("entra service principal `{name}` added"),
            None => format!("entra application `{name}` ({id})"),
        };
        let (how, class) = (SignIn::Federated, SourceClass::IdpFederation);
        let one = Signed { account, provider, who, how, through: name, at, class, evidence };
        gather.add(signed(one, SourceKind::EntraAudit));
    }
}
