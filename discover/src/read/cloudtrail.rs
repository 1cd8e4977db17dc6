//! Who signs in and which roles are assumed, told by AWS CloudTrail.
//! Fields: "CloudTrail record contents" and "Logging IAM and AWS STS API calls" of the AWS documentation.

use crate::{
    json,
    kinds::{AccountKey, Provider, SourceClass, SourceKind},
    mapping::{Mapping, aws_account_in},
    read::{
        identity::{Signed, signed},
        instant,
    },
    sighting::{Gather, Reach, RoleReach, Sighting, SignIn},
};
use serde_json::Value;

/// One event: ConsoleLogin, SwitchRole of the console, AssumeRole, AssumeRoleWithSAML, AssumeRoleWithWebIdentity,
/// AssumeRoot, and Federate of IAM Identity Center. Other events are passed over. `LookupEvents` answers hold the event as text in `CloudTrailEvent`.
pub(super) fn event(value: &Value, number: u64, _: &Mapping, gather: &mut Gather) {
    one(value, number, gather);
}

fn one(value: &Value, number: u64, gather: &mut Gather) {
    if let Some(inner) = json::text(value, "CloudTrailEvent") {
        return match serde_json::from_str::<Value>(inner) {
            Ok(inner) if inner.get("CloudTrailEvent").is_none() => one(&inner, number, gather),
            _ => gather.lost(number, "`CloudTrailEvent` holds no event"),
        };
    }
    let Some(name) = json::text(value, "eventName") else {
        return gather.lost(number, "event has no `eventName`");
    };
    let failed = json::text(value, "errorCode").is_some()
        || ["responseElements.ConsoleLogin", "responseElements.SwitchRole"]
            .iter()
            .any(|answer| json::text(value, answer).is_some_and(|r| r != "Success"));
    if failed {
        return;
    }
    let at = json::text(value, "eventTime").and_then(|t| instant(t, false));
    let recipient = json::text(value, "recipientAccountId").or_else(|| json::text(value, "userIdentity.accountId"));
    let recipient = recipient.and_then(|id| AccountKey::new(Provider::Aws, id).ok());
    let kind = SourceKind::CloudTrail;
    let arn = json::text(value, "userIdentity.arn").unwrap_or_default();
    let user = json::text(value, "userIdentity.userName")
        .or_else(|| json::text(value, "userIdentity.principalId").and_then(|p| p.split(':').nth(1)))
        .unwrap_or(if arn.is_empty() { "unknown" } else { arn });
    match name {
        "ConsoleLogin" => {
            let Some(account) = recipient else {
                return gather.lost(number, "ConsoleLogin names no account");
            };
            let how = match json::text(value, "userIdentity.type") {
                Some("Root") => SignIn::Root,
                Some("IAMUser") => SignIn::Local,
                _ => SignIn::Federated,
            };
            let who = if how == SignIn::Root { "root" } else { user };
            let evidence = format!("cloudtrail ConsoleLogin {}", json::text(value, "eventID").unwrap_or_default());
            gather.add(signed(
                Signed {
                    account: Some(account),
                    provider: Provider::Aws,
                    who,
                    how,
                    through: arn,
                    at,
                    class: SourceClass::IdpFederation,
                    evidence,
                },
                kind,
            ));
        }
        "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity" => {
            let role = json::text(value, "requestParameters.roleArn").unwrap_or_default();
            let Some(account) = aws_account_in(role).or(recipient) else {
                return gather.lost(number, format!("{name} names no account"));
            };
            let evidence = format!("cloudtrail {name} {}", json::text(value, "eventID").unwrap_or_default());
            let (how, class) = (SignIn::Federated, SourceClass::IdpFederation);
            let one = Signed {
                account: Some(account),
                provider: Provider::Aws,
                who: user,
                how,
                through: role,
                at,
                class,
                evidence,
            };
            gather.add(signed(one, kind));
        }
        // Somebody went on from Identity Center, whose account the event lies in, to the account it names.
        "Federate" => {
            let Some(id) = json::text(value, "serviceEventDetails.account_id") else { return };
            let Ok(account) = AccountKey::new(Provider::Aws, id) else {
                return gather.lost(number, "Federate names no account number in `serviceEventDetails.account_id`");
            };
            let evidence = format!("cloudtrail Federate {}", json::text(value, "eventID").unwrap_or_default());
            let through = json::text(value, "serviceEventDetails.role_name").unwrap_or_default();
            let (how, class) = (SignIn::Federated, SourceClass::IdpFederation);
            let account = Some(account);
            let one = Signed { account, provider: Provider::Aws, who: user, how, through, at, class, evidence };
            gather.add(signed(one, kind));
        }
        "AssumeRole" | "AssumeRoot" | "SwitchRole" => {
            let request = |member| json::text(value, member).unwrap_or_default();
            let identity = || json::text(value, "userIdentity.accountId");
            let (role, by, caller) = match name {
                // The switch lies in the account switched to and says where from.
                "SwitchRole" => {
                    let from = request("additionalEventData.SwitchFrom");
                    (arn.to_owned(), from, aws_account_in(from))
                }
                // A task of a member account's root user, from the management or a delegated account.
                "AssumeRoot" => {
                    let target = request("requestParameters.targetPrincipal");
                    let root = aws_account_in(target).map(|a| format!("arn:aws:iam::{}:root", a.id));
                    (root.unwrap_or_default(), arn, identity().and_then(|id| AccountKey::new(Provider::Aws, id).ok()))
                }
                _ => {
                    let role = request("requestParameters.roleArn").to_owned();
                    (role, arn, identity().and_then(|id| AccountKey::new(Provider::Aws, id).ok()))
                }
            };
            let Some(target) = aws_account_in(&role) else { return };
            // Services assume roles inside the account; that tells nothing about other accounts.
            let Some(caller) = caller.filter(|c| *c != target) else { return };
            let evidence = format!("cloudtrail {name} {}", json::text(value, "eventID").unwrap_or_default());
            for (account, reach) in [(target, Reach::Assumed), (caller, Reach::AssumedFrom)] {
                let mut sighting = Sighting::new(kind, account, at, evidence.clone());
                sighting.class = SourceClass::CrossAccountRole;
                sighting.activity.roles.insert(RoleReach { reach, role: role.clone(), by: by.into() });
                gather.add(sighting);
            }
        }
        _ => {}
    }
}
