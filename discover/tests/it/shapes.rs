//! Files in the shapes publishers really write, beside those of the made organisation (D06, D08, D09, D36).

use crate::text;
use plumb_discover::{Mapping, Reading, SourceKind, read};
use serde_json::{Value, json};

fn accounts(reading: &Reading) -> Vec<String> {
    reading.sightings.iter().filter_map(|s| s.account.as_ref()).map(ToString::to_string).collect()
}

fn check(kind: SourceKind, file: &str, want: &[&str]) -> Reading {
    let reading = text(kind, file);
    assert_eq!(accounts(&reading), want, "{kind} {:?}", reading.problems);
    assert!(reading.complete, "{kind} {:?}", reading.problems);
    reading
}

fn event(name: &str, more: Value) -> Value {
    let mut event =
        json!({"eventVersion": "1.08", "eventName": name, "eventTime": "2026-11-02T10:00:00Z", "eventID": "e"});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn login(account: &str) -> Value {
    let user = json!({"type": "IAMUser", "userName": "zoe", "accountId": account});
    event(
        "ConsoleLogin",
        json!({"recipientAccountId": account, "userIdentity": user, "responseElements": {"ConsoleLogin": "Success"}}),
    )
}

/// Nothing after the first record may be lost in silence, however records are put into a file.
#[test]
fn every_way_to_put_records_into_a_file_is_read_to_its_end() {
    let (noise, login) = (event("PutBucketPolicy", json!({})), login("555555555555"));
    let long = event("PutBucketPolicy", json!({"requestParameters": {"policy": "x".repeat(300_000)}}));
    let page = |e: &Value| json!({"Records": [e]});
    let want = &["aws:555555555555"];
    let k = SourceKind::CloudTrail;
    check(k, &format!("{long}\n{login}\n"), want);
    check(k, &format!("\n\n{noise}\n{login}\n"), want);
    check(k, &format!("{noise:#}\n{login:#}\n"), want);
    check(k, &format!("{:#}\n{:#}", page(&noise), page(&login)), want);
    check(k, &format!("{}\n{}\n", page(&noise), page(&login)), want);
    let cut = text(k, &format!("{noise:#}\n{login:#}").replace("\"zoe\"", "\"zoe"));
    assert!(!cut.complete, "{:?}", cut.problems);
}

/// The ids of Microsoft's own applications end in digits that are no account.
#[test]
fn guids_of_applications_are_no_accounts() {
    let sign_in = |id: &str, name: &str| {
        json!({"createdDateTime": "2026-11-01T10:00:00Z", "userPrincipalName": "ann@x.com", "appId": id, "appDisplayName": name,
               "resourceDisplayName": name, "status": {"errorCode": 0}})
    };
    let own = [
        sign_in("00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
        sign_in("00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online"),
    ];
    let reading = check(SourceKind::EntraSignIns, &json!({"value": own}).to_string(), &[]);
    assert!(reading.sightings.is_empty(), "{:?}", reading.sightings);
    // What diagnostic settings write wraps the same entry.
    let wrapped = json!({"category": "SignInLogs", "properties": sign_in("a", "AWS prod 333333333333")});
    check(SourceKind::EntraSignIns, &format!("{wrapped}\n{wrapped}\n"), &["aws:333333333333"]);
    let audit = json!({"category": "AuditLogs", "operationName": "Add service principal", "properties": {
        "activityDisplayName": "Add service principal", "activityDateTime": "2026-11-01T10:00:00Z", "result": "success",
        "initiatedBy": {"user": {"userPrincipalName": "bob@x.com"}},
        "targetResources": [{"id": "q", "displayName": "AWS 444444444444"}]}});
    let reading = check(SourceKind::EntraAudit, &audit.to_string(), &["aws:444444444444"]);
    assert!(reading.sightings[0].activity.signers.contains_key("bob@x.com"));
}

#[test]
fn the_console_and_root_tasks_cross_accounts_as_well() {
    let switch = json!({"recipientAccountId": "666666666666", "responseElements": {"SwitchRole": "Success"},
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::666666666666:assumed-role/adm/ann", "accountId": "666666666666"},
        "additionalEventData": {"SwitchFrom": "arn:aws:iam::111111111111:user/ann"}});
    check(
        SourceKind::CloudTrail,
        &event("SwitchRole", switch.clone()).to_string(),
        &["aws:111111111111", "aws:666666666666"],
    );
    let mut refused = switch;
    refused["responseElements"]["SwitchRole"] = "Failure".into();
    check(SourceKind::CloudTrail, &event("SwitchRole", refused).to_string(), &[]);
    let root = json!({"recipientAccountId": "111111111111", "requestParameters": {"targetPrincipal": "777777777777"},
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111111111111:user/ann", "accountId": "111111111111"}});
    let reading = check(
        SourceKind::CloudTrail,
        &event("AssumeRoot", root).to_string(),
        &["aws:111111111111", "aws:777777777777"],
    );
    let roles = &reading.sightings[1].activity.roles;
    assert!(roles.iter().any(|r| r.role == "arn:aws:iam::777777777777:root"), "{roles:?}");
    let on = json!({"recipientAccountId": "111111111111", "userIdentity": {"type": "IdentityCenterUser", "userName": "ann"},
        "serviceEventDetails": {"role_name": "Admin", "account_id": "888888888888"}});
    let reading = check(SourceKind::CloudTrail, &event("Federate", on).to_string(), &["aws:888888888888"]);
    assert!(reading.sightings[0].activity.signers.contains_key("ann"));
}

/// `aws iam list-roles` and `aws iam get-account-authorization-details` as they answer.
#[test]
fn answers_of_iam_are_read_as_they_come() {
    let role = |principal: &str| {
        json!({"RoleName": "x", "Arn": "arn:aws:iam::111111111111:role/x", "AssumeRolePolicyDocument": {"Statement": [
            {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}]}})
    };
    let want = &["aws:111111111111", "aws:222222222222"];
    let k = SourceKind::CrossAccountRoles;
    check(k, &json!({"Roles": [role("arn:aws:iam::222222222222:root")], "IsTruncated": false}).to_string(), want);
    let details = json!({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role("222222222222")],
        "Policies": [{"PolicyName": "p"}], "IsTruncated": true, "Marker": "m"});
    check(k, &details.to_string(), want);
    check(
        k,
        &json!([details, {"Roles": [role("333333333333")]}]).to_string(),
        &["aws:111111111111", "aws:222222222222", "aws:333333333333"],
    );
}

#[test]
fn bills_of_other_editions() {
    // Usage details of an enterprise enrollment: the GUID has its own column.
    let guid = "6f1c2d3e-0000-4000-8000-00000000000a";
    let ea = format!(
        "Account Name,SubscriptionId,SubscriptionGuid,Subscription Name,Date,ExtendedCost\nacc,123456789,{guid},A,07/14/2026,2.5\n"
    );
    let reading = check(SourceKind::AzureCost, &ea, &[&format!("azure:{guid}")]);
    assert_eq!(reading.sightings[0].seen.first.unwrap().date(), "2026-07-14");
    let gcp = json!({"billing_account_id": "01AB-CD", "usage_start_time": "2026-10-01 08:00:00 UTC", "cost": "1.25", "currency": "EUR",
        "project": {"id": "pay-prod-1", "number": 123456, "name": "Pay", "ancestors": [{"resource_name": "projects/123456"},
            {"resource_name": "folders/555"}, {"resource_name": "organizations/999"}]}});
    let reading = check(SourceKind::GcpBilling, &gcp.to_string(), &["gcp:pay-prod-1"]);
    let facts = &reading.sightings[0].facts;
    assert_eq!(
        (facts.project_number.as_deref(), facts.native_parent.as_deref()),
        (Some("123456"), Some("folders/555"))
    );
}

/// Who lost an application is nobody who signs in with it; the application is there all the same.
#[test]
fn an_assignment_taken_away_is_no_sign_in() {
    let event = |what: &str| {
        json!({"eventType": what, "published": "2026-11-01T10:00:00Z", "outcome": {"result": "SUCCESS"}, "target": [
            {"type": "AppInstance", "id": "0oa1", "displayName": "AWS Account Federation", "alternateId": "aws 111122223333"},
            {"type": "User", "alternateId": "ann@x.com"}]})
    };
    let want = &["aws:111122223333"];
    let added = check(SourceKind::OktaLog, &event("application.user_membership.add").to_string(), want);
    let taken = check(SourceKind::OktaLog, &event("application.user_membership.remove").to_string(), want);
    assert_eq!((added.sightings[0].activity.signers.len(), taken.sightings[0].activity.signers.len()), (1, 0));
}

#[test]
fn a_number_that_a_spreadsheet_rounded_is_told_of() {
    let reading = read(SourceKind::LandingZone, &mut "Account ID\n1.23457E+11\n".as_bytes(), &Mapping::default());
    assert!(!reading.complete);
    assert!(reading.problems[0].message.contains("a spreadsheet rounded it"), "{:?}", reading.problems);
}
