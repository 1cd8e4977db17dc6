//! The way back to the identity provider: how an access that shall go is taken away, as words for a ticket, as a request to
//! the provider (SCIM) and as commands. Nothing is sent from here. What was asked for counts as done when a scan has seen
//! the access gone, never before.

use plumb_govern::review::{Access, Standing};
use serde_json::{Value as Json, json};

/// How one access is taken away.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Removal {
    /// The account it is in.
    pub account: String,
    /// The principal.
    pub principal: String,
    /// The name people know.
    pub name: String,
    /// What shall go; everything of the principal when empty.
    pub access: String,
    /// Where it is done: `identity-provider` or `cloud`.
    pub place: &'static str,
    /// What to ask for, in words.
    pub words: String,
    /// The request to the identity provider, where it is done there: method, path and body (RFC 7644).
    pub scim: Option<Json>,
    /// Commands for whoever may change the account, least drastic first. Words in capitals are to be filled in.
    pub commands: Vec<String>,
    /// What will close it.
    pub verified_by: &'static str,
}

const VERIFIED: &str = "the next complete scan of the account that does not see the access any more";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The last part of a principal's ARN, and whether it is a user or a role.
fn named(principal: &str) -> (&str, &str) {
    let path = principal.rsplit_once(':').map_or(principal, |(_, path)| path);
    let (sort, rest) = path.split_once('/').unwrap_or(("", path));
    (sort, rest.rsplit('/').next().unwrap_or(rest))
}

/// The request that disables a person, by the name the provider knows them by.
pub(super) fn disable(user: &str) -> Json {
    json!({
        "method": "PATCH",
        "path": "/Users/USER_ID",
        "find": format!("GET /Users?filter=userName eq \"{user}\""),
        "body": { "schemas": [PATCH], "Operations": [{ "op": "replace", "path": "active", "value": false }] },
    })
}

/// The request that takes a person out of the group that gives the access.
pub(super) fn leave(user: &str, group: &str) -> Json {
    json!({
        "method": "PATCH",
        "path": "/Groups/GROUP_ID",
        "find": format!("GET /Groups?filter=displayName eq \"{group}\"; GET /Users?filter=userName eq \"{user}\""),
        "body": { "schemas": [PATCH], "Operations": [{ "op": "remove", "path": "members[value eq \"USER_ID\"]" }] },
    })
}

/// How a policy is taken from a user or a role: one with an ARN is attached, one with a name may also be inline.
fn without(sort: &str, last: &str, policy: &str) -> Vec<String> {
    let of = format!("{sort}-policy --{sort}-name {last}");
    if policy.starts_with("arn:") {
        return vec![format!("aws iam detach-{of} --policy-arn '{policy}'")];
    }
    vec![
        format!("aws iam delete-{of} --policy-name '{policy}'  # when it is inline"),
        format!("aws iam detach-{of} --policy-arn POLICY_ARN  # when it is attached"),
    ]
}

/// How an access of a principal is taken away; `left` when its person has left.
pub fn removal(account: &str, principal: &str, name: &str, access: &str, left: bool) -> Removal {
    let (sort, last) = named(principal);
    let mut out = Removal {
        account: account.into(),
        principal: principal.into(),
        name: name.into(),
        access: access.into(),
        place: "cloud",
        words: String::new(),
        scim: None,
        commands: Vec::new(),
        verified_by: VERIFIED,
    };
    if super::removal_others::fill(&mut out, left) {
        return out;
    }
    let what = if access.is_empty() { "every access".to_owned() } else { format!("`{access}`") };
    // Roles that Identity Center makes are named AWSReservedSSO_<permission set>_<sixteen digits>.
    let permission_set = last.strip_prefix("AWSReservedSSO_").and_then(|r| r.rsplit_once('_')).map(|(set, _)| set);
    let policy = access.strip_prefix("policy ");
    match (sort, permission_set) {
        (_, Some(set)) => {
            out.place = "identity-provider";
            out.words = format!(
                "Take {name} out of the group that is assigned the permission set {set} in account {account}, or end the assignment."
            );
            out.scim = Some(if left { disable(name) } else { leave(name, set) });
            out.commands.push(format!(
                "aws sso-admin delete-account-assignment --instance-arn INSTANCE --target-type AWS_ACCOUNT --target-id {account} --permission-set-arn {set} --principal-type GROUP --principal-id GROUP_ID"
            ));
        }
        ("user", _) => {
            out.words = format!("Take {what} of the user {last} in account {account} away.");
            if left {
                out.words = format!(
                    "{last} has left. Disable the person in the identity provider, then take {what} of the user {last} in account {account} away."
                );
                out.scim = Some(disable(name));
            }
            let all = access.is_empty();
            if all || access.starts_with("access key") {
                out.commands.push(format!("aws iam list-access-keys --user-name {last}"));
                out.commands.push(format!(
                    "aws iam update-access-key --user-name {last} --access-key-id KEY_ID --status Inactive"
                ));
                out.commands.push(format!("aws iam delete-access-key --user-name {last} --access-key-id KEY_ID"));
            }
            if all || access == "console password" {
                out.commands.push(format!("aws iam delete-login-profile --user-name {last}"));
            }
            out.commands.extend(policy.into_iter().flat_map(|policy| without(sort, last, policy)));
        }
        ("role", _) => {
            let through = access.strip_prefix("assumed through ");
            if let Some(issuer) = through {
                out.place = "identity-provider";
                out.words = format!(
                    "Take {name} away from those whom {issuer} lets assume the role {last} in account {account}."
                );
                out.scim = Some(if left { disable(name) } else { leave(name, last) });
            } else {
                out.words = format!("Take {what} of the role {last} in account {account} away.");
            }
            match (policy, access.strip_prefix("assumed by account ")) {
                (Some(policy), _) => out.commands.extend(without(sort, last, policy)),
                (None, Some(other)) => out.commands.push(format!(
                    "aws iam update-assume-role-policy --role-name {last} --policy-document file://trust.json  # without account {other}"
                )),
                (None, None) if through.is_some() => out.commands.push(format!(
                    "aws iam update-assume-role-policy --role-name {last} --policy-document file://trust.json  # without this provider"
                )),
                (None, None) => {
                    out.commands.push(format!("aws iam get-role --role-name {last} --query Role.RoleLastUsed"));
                    out.commands.push(format!("aws iam delete-role --role-name {last}  # once nothing uses it"));
                }
            }
        }
        _ => out.words = format!("Take {what} of {name} ({principal}) in account {account} away."),
    }
    out
}

/// How an access under review is taken away.
pub fn removal_of(a: &Access) -> Removal {
    removal(a.account.as_str(), &a.principal, &a.name, &a.entitlement, a.standing == Standing::Leaver)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(principal: &str, access: &str, left: bool, place: &str, scim: Option<&str>, command: &str) {
        let r = removal("111122223333", principal, "erin@example.com", access, left);
        assert_eq!(r.place, place, "{r:?}");
        let op = r.scim.as_ref().map(|s| {
            let op = &s["body"]["Operations"][0];
            format!("{} {} {}", s["path"].as_str().unwrap(), op["op"].as_str().unwrap(), op["path"].as_str().unwrap())
        });
        assert_eq!(op.as_deref(), scim, "{r:?}");
        assert!(r.commands.iter().any(|c| c.contains(command)), "{command}: {r:?}");
        assert!(!r.words.is_empty());
    }

    #[test]
    fn what_a_directory_gave_goes_through_the_directory() {
        let sso = "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef";
        let out = Some("/Groups/GROUP_ID remove members[value eq \"USER_ID\"]");
        let off = Some("/Users/USER_ID replace active");
        check(sso, "policy AdministratorAccess", false, "identity-provider", out, "delete-account-assignment");
        check(sso, "", true, "identity-provider", off, "--target-id 111122223333");
        let role = "arn:aws:iam::111122223333:role/deploy";
        check(role, "assumed through idp.example.com", false, "identity-provider", out, "update-assume-role-policy");
        check(role, "assumed by account 999988887777", false, "cloud", None, "without account 999988887777");
        let user = "arn:aws:iam::111122223333:user/ops/erin";
        check(user, "access key 1 of 2024-01-01", false, "cloud", None, "--user-name erin --access-key-id KEY_ID");
        check(user, "console password", true, "cloud", off, "delete-login-profile --user-name erin");
        check(user, "policy Admin", false, "cloud", None, "detach-user-policy --user-name erin");
        check(user, "", true, "cloud", off, "update-access-key");
    }
}
