//! Decisions about resources of other accounts: what the caller's own account says, together with a policy and
//! guardrails of the resource's account that are handed in.

use super::{
    context::Fact,
    decide::{Decision, Level, Policies, Request, Unread, decide},
    details::{Details, Kind, Principal},
    document::Policy,
    escalate::{Organization, open_context},
    principal::{Caller, CallerKind},
};
use serde_json::json;
use std::collections::BTreeSet;

/// A resource of another account.
#[derive(Debug, Clone, Copy)]
pub struct Abroad<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// The account that owns it.
    pub account: &'a str,
    /// Its own policy: a role's trust policy, a bucket policy.
    pub policy: &'a Policy,
    /// The resource control policies that bind its account.
    pub rcps: &'a [Level],
}

/// How a request over accounts is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner<'a> {
    /// The ARN of the session the principal acts in; none for whichever it is.
    pub session: Option<&'a str>,
    /// Keys that are known with their values.
    pub context: &'a [(String, Vec<String>)],
    /// Keys whose value the caller chooses.
    pub chosen: Option<&'a BTreeSet<String>>,
}

/// Decides whether a principal may do `action` on a resource of another account: its own policies, boundary and
/// guardrails (`own`) must allow it, and so must the resource's.
pub fn may_abroad(
    principal: &Principal,
    own: &Organization,
    action: &str,
    resource: &Abroad<'_>,
    manner: &Manner<'_>,
) -> Decision {
    let role = (principal.kind == Kind::Role).then(|| principal.arn.clone());
    let caller = match manner.session.and_then(Caller::parse) {
        // The session's ARN has lost the role's path.
        Some(session) if session.kind == CallerKind::Session => Caller { role, ..session },
        Some(session) => session,
        None => Caller {
            kind: if principal.kind == Kind::User { CallerKind::User } else { CallerKind::Role },
            arn: principal.arn.clone(),
            account: principal.account.clone(),
            role,
        },
    };
    let mut keys = open_context(principal, own);
    if let Some(id) = user_id(principal, &caller) {
        keys.set("aws:userid", [id.as_str()]);
    }
    if caller.kind == CallerKind::FederatedUser {
        keys.set("aws:principalarn", [caller.arn.as_str()]);
        keys.set("aws:principaltype", [caller.principal_type()]);
    }
    for (key, values) in manner.context {
        keys.set(key, values.iter().map(String::as_str));
    }
    for key in manner.chosen.into_iter().flatten() {
        keys.put(key, Fact::Chosen);
    }
    let identity = principal.policies();
    let boundary = principal.boundary.as_ref();
    let bound = boundary.and_then(|b| b.policy.clone()).map(|p| vec![p]);
    let unread = Unread {
        identity: !principal.unread.is_empty(),
        boundary: boundary.is_some_and(|b| b.policy.is_none()),
        ..Unread::default()
    };
    decide(
        &Request::new(caller, action, resource.arn, Some(resource.account), keys),
        &Policies {
            identity: &identity,
            boundary: bound.as_deref(),
            resource: Some(resource.policy),
            scps: own.scps_of(&principal.account),
            rcps: resource.rcps,
            unread,
            ..Policies::default()
        },
    )
}

/// The unique id of a request: that of the user, that of the role with the session's name. None where the id is not known,
/// or the session is whichever it is and the principal's own context says what is known of it.
fn user_id(principal: &Principal, caller: &Caller) -> Option<String> {
    let name = caller.arn.rsplit('/').next().unwrap_or_default();
    match caller.kind {
        CallerKind::FederatedUser => Some(format!("{}:{name}", caller.account)),
        CallerKind::Session if !principal.id.is_empty() => Some(format!("{}:{name}", principal.id)),
        // Who acts as a user made administrator is that user.
        _ if !principal.id.is_empty() && principal.arn.contains(":user/") => Some(principal.id.clone()),
        _ => None,
    }
}

/// A role that may do everything in its account: what an administrator can make of any principal there.
pub fn administrator(arn: &str) -> Option<Principal> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let role = json!({"Arn": arn, "RoleName": name, "RolePolicyList": [{"PolicyName": "administration",
        "PolicyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}]});
    Details::from_json(&json!({"RoleDetailList": [role]})).ok()?.principals.pop()
}
