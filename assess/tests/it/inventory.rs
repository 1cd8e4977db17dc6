//! The inventory of principals and the lint of policies.

use plumb_assess::identity::aws::{
    Details, Document, Organization, escalations,
    inventory::{
        Activity, Class, admin_assumers, credential_report, inventory, last_accessed, long_lived_keys, right_sized,
    },
    lint::{Use, lint},
};
use plumb_model::Time;
use serde_json::{Value, json};

fn details() -> Details {
    let arn = |r: &str| format!("arn:aws:iam::111111111111:{r}");
    let trust = |principal: Value, action: &str| json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": principal, "Action": action}});
    let role = |name: &str, trust: Value| {
        json!({"RoleName": name, "Arn": arn(&format!("role/{name}")), "AssumeRolePolicyDocument": trust,
            "CreateDate": "2024-01-01T00:00:00Z"})
    };
    let mut boss = role("boss", trust(json!({"AWS": [arn("user/ann"), "222222222222"]}), "sts:AssumeRole"));
    boss["AttachedManagedPolicies"] = json!([{"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}]);
    boss["RoleLastUsed"] = json!({"LastUsedDate": "2026-10-01T00:00:00Z"});
    let web = "sts:AssumeRoleWithWebIdentity";
    Details::from_json(&json!({
        "UserDetailList": [
            {"UserName": "ann", "Arn": arn("user/ann"), "CreateDate": "2024-01-01T00:00:00Z", "UserPolicyList": [
                {"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                    {"Sid": "Store", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "sqs:*"], "Resource": "*",
                     "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
                    {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}]}}]},
            {"UserName": "bot", "Arn": arn("user/bot"), "CreateDate": "2024-01-01T00:00:00Z"},
            {"UserName": "new", "Arn": arn("user/new"), "CreateDate": "2026-11-01T00:00:00Z"}],
        "RoleDetailList": [
            boss,
            role("ci", trust(json!({"Federated": arn("oidc-provider/token.actions.githubusercontent.com")}), web)),
            role("people", trust(json!({"Federated": arn("saml-provider/corp")}), "sts:AssumeRoleWithSAML")),
            role("box", trust(json!({"Service": "ec2.amazonaws.com"}), "sts:AssumeRole")),
            role("fn", trust(json!({"Service": "lambda.amazonaws.com"}), "sts:AssumeRole")),
            role("vendor", trust(json!({"AWS": "333333333333"}), "sts:AssumeRole")),
        ],
    }))
    .expect("the details are read")
}

const REPORT: &str = "user,arn,password_enabled,password_last_used,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date
<root_account>,arn:aws:iam::111111111111:root,not_supported,2026-11-10T00:00:00+00:00,false,false,N/A,N/A,false,N/A,N/A
ann,arn:aws:iam::111111111111:user/ann,true,2026-11-15T00:00:00+00:00,true,false,N/A,N/A,false,N/A,N/A
bot,arn:aws:iam::111111111111:user/bot,false,N/A,false,true,2024-02-01T00:00:00+00:00,2025-01-01T00:00:00+00:00,false,N/A,N/A
new,arn:aws:iam::111111111111:user/new,false,no_information,false,true,2026-11-01T00:00:00+00:00,N/A,false,N/A,N/A";

#[test]
fn principals() {
    let details = details();
    let found = escalations(&details, &Organization::default(), None);
    let usage = last_accessed(&json!({"ServicesLastAccessed": [
        {"ServiceNamespace": "s3", "LastAuthenticated": "2026-11-01T00:00:00Z", "TrackedActionsLastAccessed": [
            {"ActionName": "GetObject", "LastAccessedTime": "2026-11-01T00:00:00Z"}, {"ActionName": "PutObject"}]},
        {"ServiceNamespace": "sqs"}]}));
    let ann = "arn:aws:iam::111111111111:user/ann";
    let activity = Activity {
        credentials: credential_report(REPORT),
        usage: [(ann.to_owned(), usage.clone())].into_iter().collect(),
    };
    let now: Time = "2026-11-21T00:00:00Z".parse().expect("an instant");
    let entries = inventory(&details, &found, &activity, now, 90);
    let rows: Vec<(&str, Class, bool, Option<bool>)> = entries
        .iter()
        .map(|e| (e.arn.trim_start_matches("arn:aws:iam::111111111111:"), e.class, e.can_become_admin, e.dormant))
        .collect();
    assert_eq!(
        rows,
        [
            ("role/boss", Class::CrossAccount, true, Some(false)),
            ("role/box", Class::InstanceProfile, false, None),
            ("role/ci", Class::Workload, false, None),
            ("role/fn", Class::ServiceRole, false, None),
            ("role/people", Class::Federated, false, None),
            ("role/vendor", Class::CrossAccount, false, None),
            ("root", Class::Root, true, Some(false)),
            ("user/ann", Class::Human, true, Some(false)),
            ("user/bot", Class::ServiceUser, false, Some(true)),
            ("user/new", Class::ServiceUser, false, Some(false)),
        ]
    );
    let entry = entries.iter().find(|e| e.arn == ann).expect("ann is listed");
    assert_eq!(
        (entry.mfa, entry.used_actions, entry.unused_services.as_slice()),
        (Some(true), Some(1), &["sqs".to_owned()][..])
    );
    let old: Vec<&str> = long_lived_keys(&entries, now, 90).into_iter().map(|(arn, _)| arn).collect();
    assert_eq!(old, ["arn:aws:iam::111111111111:user/bot"]);
    let assumers: Vec<(String, bool)> =
        admin_assumers(&details, &found).into_iter().map(|a| (a.principal, a.external)).collect();
    assert_eq!(assumers, [("222222222222".to_owned(), true), (ann.to_owned(), false)]);
    let proposal = right_sized(details.principal(ann).expect("ann"), &usage).expect("there is something to take away");
    assert_eq!(proposal.after, 1);
    assert_eq!(
        proposal.document["Statement"],
        json!([{"Sid": "Store", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"],
                "Condition": {"Bool": {"aws:SecureTransport": ["true"]}}},
            {"Effect": "Deny", "Action": ["s3:DeleteBucket"], "Resource": ["*"]}])
    );
}

#[test]
fn remarks() {
    #[track_caller]
    fn check(statement: Value, kind: Use, want: &[&str]) {
        let document = Document::parse(json!({"Version": "2012-10-17", "Statement": statement})).expect("a policy");
        let found: Vec<&str> = lint(&document, kind).iter().map(|r| r.code).collect();
        assert_eq!(found, want, "{statement}");
    }
    let one = |action: &str| json!({"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::b/*"});
    check(one("s3:GetObject"), Use::Identity, &[]);
    check(one("s3:GetObjet"), Use::Identity, &["unknown-action"]);
    check(one("s4:Get*"), Use::Identity, &["unknown-action"]);
    check(one("s3*:GetObject"), Use::Identity, &["unknown-action"]);
    check(one("ec2:DescribeInstances"), Use::Identity, &["resource-needed"]);
    check(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}), Use::Identity, &["wide"]);
    check(json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Foo": 1}), Use::Identity, &["invalid"]);
    check(json!([one("s3:GetObject"), one("s3:Get*")]), Use::Identity, &["redundant-statement"]);
    check(json!([one("s3:GetObject"), one("s3:GetObject")]), Use::Identity, &["redundant-statement"]);
    check(
        json!([one("s3:GetObject"), {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]),
        Use::Identity,
        &["unreachable-statement"],
    );
    let with = |name: &str, value: Value| {
        let mut changed = one("s3:GetObject");
        changed[name] = value;
        changed
    };
    // Grants that have no effect: on what the action is not of, on what is nothing, on conditions that never hold.
    check(with("Resource", json!("arn:aws:s3:::b")), Use::Identity, &["resource-mismatch"]);
    check(with("Resource", json!(["arn:aws:s3:::b", "arn:aws:s3:::b/*"])), Use::Identity, &[]);
    check(with("Resource", json!("arn:aws:s3:::b*")), Use::Identity, &[]);
    check(with("Resource", json!("arn:*:s3:::${aws:username}-b/?")), Use::Identity, &[]);
    check(with("Action", json!("s3:ListBucket")), Use::Identity, &["resource-mismatch"]);
    check(with("Action", json!("dynamodb:GetItem")), Use::Identity, &["resource-mismatch"]);
    check(with("Action", json!("s3:List*")), Use::Identity, &[]);
    check(with("Effect", json!("Deny")), Use::Identity, &[]);
    check(with("Resource", json!("b/*")), Use::Identity, &["resource-form"]);
    check(with("Resource", json!("*")), Use::Identity, &[]);
    check(json!({"Effect": "Allow", "Action": "s3:GetObject"}), Use::Identity, &["invalid"]);
    check(
        json!([with("Sid", json!("a")), {"Sid": "a", "Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}]),
        Use::Identity,
        &["invalid"],
    );
    let when = |operator: &str, key: &str, value: &str| with("Condition", json!({operator: {key: value}}));
    check(when("IpAddress", "aws:SourceIp", "10.0.0.0/8"), Use::Identity, &[]);
    check(when("IpAddress", "aws:SourceIp", "10.0.0.0/99"), Use::Identity, &["condition-value"]);
    check(when("IpAddress", "aws:SourceIp", "${aws:PrincipalTag/net}"), Use::Identity, &[]);
    check(when("StringLike", "aws:SourceIp", "10.*"), Use::Identity, &["condition-type"]);
    check(when("IpAddress", "aws:SourceVpc", "10.0.0.0/8"), Use::Identity, &["condition-type"]);
    check(when("DateLessThan", "aws:CurrentTime", "soon"), Use::Identity, &["condition-value"]);
    check(when("Bool", "aws:SecureTransport", "yes"), Use::Identity, &["condition-value"]);
    check(when("Null", "aws:SourceVpc", "true"), Use::Identity, &[]);
    check(when("StringFoo", "aws:SourceVpc", "x"), Use::Identity, &["invalid"]);
    let trust = |who: &str| json!({"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole"});
    check(trust("arn:aws:iam::111122223333:user/*"), Use::Trust, &["invalid"]);
    check(trust("11112222333"), Use::Trust, &["invalid"]);
    let except =
        |who: Value| json!({"Effect": "Deny", "NotPrincipal": {"AWS": who}, "Action": "s3:*", "Resource": "*"});
    let role = "arn:aws:iam::111122223333:role/x";
    check(except(json!(role)), Use::Resource, &["not-principal"]);
    let session = "arn:aws:sts::111122223333:assumed-role/x/s";
    check(except(json!([role, session, "111122223333"])), Use::Resource, &[]);
    check(except(json!("arn:aws:iam::111122223333:user/ann")), Use::Resource, &[]);
    let mut conditional = one("s3:GetObject");
    conditional["Condition"] = json!({"ForAllValues:StringEquals": {"aws:NoSuchKey": "x"}});
    check(conditional, Use::Identity, &["unknown-condition-key", "for-all-values"]);
    let queue = |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": "*"});
    check(queue(json!("*")), Use::Resource, &["public"]);
    check(queue(json!({"Service": "sns.amazonaws.com"})), Use::Resource, &["confused-deputy"]);
    check(queue(json!({"AWS": "AIDAEXAMPLE"})), Use::Resource, &["dangling-principal"]);
    check(json!({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}), Use::Resource, &["no-principal"]);
    check(json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}), Use::Trust, &["public"]);
    let github = json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"}});
    check(github, Use::Trust, &["public"]);
}
