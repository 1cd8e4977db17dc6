//! How an access in Azure or Google Cloud is taken away: the same words, requests and commands as for AWS.

use super::removal::{Removal, disable, leave};

/// Whether a principal or account is Azure's or Google's, and how its access goes; none for others.
pub(super) fn fill(out: &mut Removal, left: bool) -> bool {
    let guid = |text: &str| text.len() == 36 && text.bytes().filter(|b| *b == b'-').count() == 4;
    let p = out.principal.clone();
    let lower = p.to_lowercase();
    if lower.starts_with("arn:") {
        return false;
    }
    const MEMBERS: [&str; 6] = ["user:", "group:", "serviceaccount:", "domain:", "principal:", "principalset:"];
    let google = MEMBERS.iter().any(|m| lower.starts_with(m))
        || lower.ends_with(".gserviceaccount.com")
        || matches!(p.as_str(), "allUsers" | "allAuthenticatedUsers");
    if lower.starts_with("/subscriptions/")
        || lower.starts_with("/providers/microsoft.")
        || guid(&out.account) && !google
    {
        azure(out, left);
        return true;
    }
    if google {
        self::google(out, left);
        return true;
    }
    false
}

fn azure(out: &mut Removal, left: bool) {
    let (account, name, access, principal) =
        (out.account.clone(), out.name.clone(), out.access.clone(), out.principal.clone());
    let what = if access.is_empty() { "every access".to_owned() } else { format!("`{access}`") };
    let scope = if account.is_empty() { "SCOPE".to_owned() } else { format!("/subscriptions/{account}") };
    out.words = format!("Take {what} of {name} in subscription {account} away.");
    if principal.to_lowercase().contains("/providers/microsoft.authorization/roleassignments/") {
        out.commands.push(format!("az role assignment delete --ids {principal}"));
    } else if let Some(role) = access.strip_prefix("eligible role ") {
        out.commands.push(format!(
            "az rest --method post --url https://graph.microsoft.com/v1.0/roleManagement/directory/roleEligibilityScheduleRequests --body '{{\"action\":\"adminRemove\",\"principalId\":\"{principal}\",\"roleDefinitionId\":\"ROLE_ID\",\"directoryScopeId\":\"/\"}}'  # {role}"
        ));
    } else if let Some(role) = access.strip_prefix("directory role ") {
        out.commands.push(format!(
            "az rest --method delete --url https://graph.microsoft.com/v1.0/directoryRoles/ROLE_ID/members/{principal}/$ref  # {role}"
        ));
    } else if let Some(group) = access.strip_prefix("group ") {
        out.place = "identity-provider";
        out.words = format!("Take {name} out of the group {group}, which gives the access in subscription {account}.");
        out.scim = Some(leave(&name, group));
        out.commands.push(format!("az ad group member remove --group '{group}' --member-id {principal}"));
    } else if access.starts_with("credential") {
        out.commands.push(format!("az ad app credential list --id {principal}"));
        out.commands.push(format!("az ad app credential delete --id {principal} --key-id KEY_ID"));
    } else {
        let role = access.strip_prefix("role ").map_or_else(|| "ROLE".to_owned(), |r| format!("'{r}'"));
        out.commands.push(format!("az role assignment list --assignee {principal} --scope {scope}"));
        out.commands.push(format!("az role assignment delete --assignee {principal} --role {role} --scope {scope}"));
    }
    if left {
        out.place = "identity-provider";
        out.words = format!(
            "{name} has left. Disable the person in Microsoft Entra ID, end the sessions, then take {what} in subscription {account} away."
        );
        out.scim = Some(disable(&name));
        out.commands.insert(0, format!("az ad user update --id '{name}' --account-enabled false"));
        out.commands.insert(
            1,
            format!("az rest --method post --url https://graph.microsoft.com/v1.0/users/{name}/revokeSignInSessions"),
        );
    }
}

fn google(out: &mut Removal, left: bool) {
    let (account, name, access) = (out.account.clone(), out.name.clone(), out.access.clone());
    let what = if access.is_empty() { "every access".to_owned() } else { format!("`{access}`") };
    let service = out.principal.ends_with(".gserviceaccount.com");
    let member = match (service, out.principal.contains(':')) {
        (true, false) => format!("serviceAccount:{}", out.principal),
        _ => out.principal.clone(),
    };
    let email = member.split_once(':').map_or(member.as_str(), |(_, e)| e).to_owned();
    out.words = match member.as_str() {
        "allUsers" => format!("Take {what} away from everybody on the internet in project {account}."),
        "allAuthenticatedUsers" => {
            format!("Take {what} away from everybody with a Google account in project {account}.")
        }
        _ => format!("Take {what} of {name} in project {account} away."),
    };
    if service && (access.starts_with("access key") || access.starts_with("key")) {
        out.commands.push(format!("gcloud iam service-accounts keys list --iam-account={email} --project={account}"));
        out.commands
            .push(format!("gcloud iam service-accounts keys disable KEY_ID --iam-account={email} --project={account}"));
        out.commands
            .push(format!("gcloud iam service-accounts keys delete KEY_ID --iam-account={email} --project={account}"));
    } else if let Some(group) = access.strip_prefix("group ") {
        out.place = "identity-provider";
        out.words = format!("Take {name} out of the group {group}, which gives the access in project {account}.");
        out.scim = Some(leave(&email, group));
        out.commands
            .push(format!("gcloud identity groups memberships delete --group-email={group} --member-email={email}"));
    } else {
        let role = access.strip_prefix("role ").unwrap_or("ROLE");
        out.commands.push(format!(
            "gcloud projects get-iam-policy {account} --flatten=bindings --filter='bindings.members:{member}' --format='value(bindings.role)'"
        ));
        out.commands.push(format!(
            "gcloud projects remove-iam-policy-binding {account} --member='{member}' --role='{role}' --all"
        ));
        if service && access.is_empty() {
            out.commands.push(format!("gcloud iam service-accounts disable {email} --project={account}"));
        }
    }
    if left && !service {
        out.place = "identity-provider";
        out.words = format!(
            "{name} has left. Suspend the person in Cloud Identity or the identity provider, then take {what} in project {account} away."
        );
        out.scim = Some(disable(&email));
    }
}

#[cfg(test)]
mod tests {
    use super::super::removal::removal;

    #[track_caller]
    fn check(account: &str, principal: &str, access: &str, left: bool, place: &str, command: &str, words: &str) {
        let r = removal(account, principal, "erin@example.com", access, left);
        assert_eq!((r.place, r.scim.is_some()), (place, place == "identity-provider"), "{r:?}");
        assert!(r.commands.iter().any(|c| c.contains(command)), "{command}: {r:?}");
        assert!(r.words.contains(words), "{r:?}");
    }

    #[test]
    fn azure_and_google_take_access_away_by_their_own_names() {
        let sub = "6f0c2f34-0000-4000-8000-000000000001";
        let person = "9d1b7a1e-0000-4000-8000-000000000002";
        let assignment = format!("/subscriptions/{sub}/providers/Microsoft.Authorization/roleAssignments/{person}");
        check(sub, person, "role Owner", false, "cloud", "--role 'Owner' --scope /subscriptions/6f0c", "subscription");
        check(sub, &assignment, "", false, "cloud", "az role assignment delete --ids /subscriptions/", "every access");
        check(sub, person, "directory role Global Administrator", false, "cloud", "directoryRoles/ROLE_ID/members", "");
        check(sub, person, "group admins", false, "identity-provider", "az ad group member remove", "admins");
        check(sub, person, "credential of 2024-01-01", false, "cloud", "app credential delete", "credential");
        check(sub, person, "role Owner", true, "identity-provider", "--account-enabled false", "has left");
        let key = "build@shop-prod.iam.gserviceaccount.com";
        check(
            "shop-prod",
            key,
            "access key 1",
            false,
            "cloud",
            "keys disable KEY_ID --iam-account=build@",
            "shop-prod",
        );
        check("shop-prod", key, "", false, "cloud", "--member='serviceAccount:build@", "every access");
        check("shop-prod", "user:erin@example.com", "role roles/owner", false, "cloud", "--role='roles/owner'", "erin");
        check("shop-prod", "user:erin@example.com", "", true, "identity-provider", "--member='user:erin", "has left");
        check("shop-prod", "allUsers", "role roles/viewer", false, "cloud", "--member='allUsers'", "everybody");
    }
}
