//! Steps that hang on what nobody knows beforehand: told apart from those that certainly can be taken (§1.11).

use super::escalate::{ACCOUNT, Scenario, admin_statement, arn, nothing, role, scenario, trust, user};
use plumb_assess::identity::aws::data::methods;
use serde_json::{Value, json};

fn account(users: Value, roles: Value, org: Option<Value>) -> Scenario {
    let details = json!({"UserDetailList": users, "RoleDetailList": roles, "GroupDetailList": [], "Policies": []});
    Scenario { details, resources: None, org, start: arn("user/start") }
}

fn alone(statements: Value) -> Scenario {
    account(json!([user("start", statements)]), json!([]), None)
}

fn deny(condition: Value) -> Value {
    json!({"Sid": "Guard", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition})
}

/// The principal's row has no certain way, and a conditional one that names each of `hangs_on`; its method is no edge.
#[track_caller]
fn hangs(what: &str, scenario: &Scenario, method: &str, hangs_on: &[&str]) {
    let (start, edges) = scenario.run();
    assert_eq!(start["can_become_admin"], false, "{what}");
    assert_eq!(start["steps"], json!([]), "{what}");
    assert!(!edges.iter().any(|e| e["from"] == scenario.start && e["method"] == method), "{what}: {edges:#?}");
    let maybe = &start["conditional"];
    assert_eq!(maybe["can_become_admin"], true, "{what}: {start:#}");
    assert_eq!(maybe["steps"][0]["method"], method, "{what}: {start:#}");
    let said = maybe["depends_on"].to_string();
    hangs_on.iter().for_each(|part| assert!(said.contains(part), "{what}: {part} in {said}"));
    let mut steps = maybe["edges"].as_array().into_iter().flatten();
    let step = steps.find(|e| e["method"] == method).unwrap_or(&Value::Null);
    assert_eq!(step["leads_to_admin"], true, "{what}: {start:#}");
    assert!(step["assumes"].as_array().is_some_and(|a| !a.is_empty()), "{what}: {step:#}");
    assert!(step["because"][0]["statements"][0]["effect"] == "Allow", "{what}: {step:#}");
}

/// Nothing is conditional about the principal.
#[track_caller]
fn certain(what: &str, scenario: &Scenario, can: bool) {
    let (start, _) = scenario.run();
    assert_eq!(start["can_become_admin"], can, "{what}");
    assert_eq!(start["conditional"], Value::Null, "{what}: {start:#}");
}

const PUT: &str = "aws.iam.put-user-policy";

#[test]
fn i11_denies_nobody_can_judge() {
    let held = |guard: Value| {
        alone(json!([
            {"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": arn("user/${aws:username}")},
            guard
        ]))
    };
    let mfa = json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}});
    hangs("a second factor", &held(deny(mfa.clone())), PUT, &["Deny Guard", "aws:MultiFactorAuthPresent"]);
    let office = json!({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}});
    hangs("an address", &held(deny(office)), PUT, &["aws:SourceIp", "192.0.2.0/24"]);
    let endpoint = json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}});
    hangs("an endpoint", &held(deny(endpoint)), PUT, &["aws:SourceVpce"]);
    // A region is the caller's to choose, and IAM answers in one.
    let region = json!({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}});
    certain("a region it may choose", &held(deny(region)), true);
    let elsewhere = json!({"StringEquals": {"aws:RequestedRegion": "us-east-1"}});
    certain("the region IAM answers in", &held(deny(elsewhere)), false);
    let itself = json!({"StringEquals": {"aws:PrincipalArn": arn("user/start")}});
    certain("a deny that names it", &held(deny(itself)), false);
    let other = json!({"Sid": "Guard", "Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": mfa});
    certain("a deny of something else", &held(other), true);
}

#[test]
fn i11_allows_nobody_can_judge() {
    let own = json!({"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": arn("user/start"),
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}});
    hangs(
        "an allow with a second factor",
        &alone(json!([own])),
        PUT,
        &["Allow", "applies", "aws:MultiFactorAuthPresent"],
    );
    let both = json!([own, {"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": arn("user/start")}]);
    certain("another allows it without", &alone(both), true);
    let narrow = json!({"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": arn("user/other"),
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}});
    certain("on somebody else", &alone(json!([narrow])), false);
}

#[test]
fn i11_trusts_and_guardrails_nobody_can_judge() {
    let chief = |condition: Value| {
        let mut trusted = trust(json!({"AWS": arn("user/start")}));
        trusted["Statement"][0]["Condition"] = condition;
        account(json!([user("start", nothing())]), json!([role("chief", trusted, admin_statement())]), None)
    };
    let mfa = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    hangs(
        "a trust that asks for a second factor",
        &chief(mfa),
        "aws.sts.assume-role",
        &["resource policy", "aws:MultiFactorAuthPresent"],
    );
    let me = json!({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}});
    certain("a trust that asks for what is so", &chief(me), true);
    let guard = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}, deny(json!({"NotIpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}}))]});
    let org = json!({"scps": [{"orgIdentifier": "r-1", "policies": [{"name": "office", "policy": guard}]}]});
    let statements = json!([{"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": "*"}]);
    let scenario = account(json!([user("start", statements)]), json!([]), Some(org));
    hangs("a guardrail of addresses", &scenario, PUT, &["scp policy office", "198.51.100.0/24"]);
}

#[test]
fn i11_conditional_steps_combine_with_certain_ones() {
    // The user becomes a role that only with a second factor may rewrite another's trust.
    let helper = json!([{"Effect": "Allow", "Action": "iam:UpdateAssumeRolePolicy", "Resource": arn("role/chief"),
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}, {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]);
    let roles = json!([
        role("helper", trust(json!({"AWS": arn("user/start")})), helper),
        role("chief", trust(json!({"Service": "ec2.amazonaws.com"})), admin_statement())
    ]);
    let (start, edges) = account(json!([user("start", nothing())]), roles, None).run();
    let first = edges.iter().find(|e| e["from"] == arn("user/start"));
    assert_eq!(first.map(|e| (&e["to"], &e["leads_to_admin"])), Some((&json!(arn("role/helper")), &json!(false))));
    let steps = start["conditional"]["steps"].as_array().cloned().unwrap_or_default();
    let targets: Vec<&Value> = steps.iter().map(|s| &s["target"]).collect();
    assert_eq!(targets, [&json!(arn("role/helper")), &json!(arn("role/chief"))], "{start:#}");
    assert_eq!(start["conditional"]["edges"], json!([]), "the user's own step is certain");
    assert!(start["conditional"]["depends_on"].to_string().contains("aws:MultiFactorAuthPresent"), "{start:#}");
}

/// Every method behind a Deny without a second factor: no certain way, and each conditional step says what it hangs on.
#[test]
fn i11_every_method_behind_a_guard_hangs_on_it() {
    let guard = json!({"PolicyName": "guard", "PolicyDocument": {"Version": "2012-10-17",
        "Statement": [deny(json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}))]}});
    let mut tried = 0;
    for method in methods() {
        let Some(mut scenario) = scenario(method) else { continue };
        let list = if scenario.start.contains(":user/") { "UserPolicyList" } else { "RolePolicyList" };
        let Some(policies) = scenario.start()[list].as_array_mut() else { continue };
        policies.push(guard.clone());
        let (start, edges) = scenario.run();
        assert_eq!(start["can_become_admin"], false, "{}: {edges:#?}", method.id);
        let maybe = &start["conditional"];
        assert_eq!(maybe["can_become_admin"], true, "{}: {start:#}", method.id);
        for edge in maybe["edges"].as_array().into_iter().flatten() {
            let hangs = edge["assumes"].to_string();
            assert!(hangs.contains("aws:MultiFactorAuthPresent"), "{}: {edge:#}", method.id);
        }
        tried += 1;
    }
    assert!(tried > 100, "tried {tried}");
}

/// A step whose own calls are certain, and which hangs on a call that only makes it possible, is no certain step.
#[test]
fn i11_what_only_makes_a_step_possible_counts_too() {
    let statements = json!([
        {"Effect": "Allow", "Action": ["iam:PassRole", "ec2:AssociateIamInstanceProfile"], "Resource": "*"},
        {"Effect": "Allow", "Action": "ssm:StartSession", "Resource": "*",
         "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
    ]);
    let chief = role("chief", trust(json!({"Service": "ec2.amazonaws.com"})), admin_statement());
    let (start, edges) = account(json!([user("start", statements)]), json!([chief]), None).run();
    assert_eq!(start["can_become_admin"], false, "{edges:#?}");
    let steps = start["conditional"]["edges"].as_array().cloned().unwrap_or_default();
    let step = steps.iter().find(|e| e["method"] == "aws.ec2.associate-profile").unwrap_or(&Value::Null);
    for said in [&step["assumes"], &start["conditional"]["depends_on"]] {
        assert!(said.to_string().contains("aws:MultiFactorAuthPresent"), "{start:#}");
    }
}
