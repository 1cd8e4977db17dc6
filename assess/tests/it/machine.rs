//! The border of `can --batch`: what a line may look like, and the rules a first reading gets wrong.

use plumb_assess::identity::aws::can_line;
use serde_json::{Value, json};

const USER: &str = "arn:aws:iam::111111111111:user/ann";
const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/worker/s1";
const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/1";

fn doc(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn everything() -> Value {
    doc(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]))
}

/// One line; `want` is the decision.
#[track_caller]
fn check(what: &str, line: Value, want: &str) {
    let answer: Value = serde_json::from_str(&can_line(&line.to_string())).expect("answers are JSON");
    assert_eq!(answer["decision"], want, "{what}: {answer}");
}

fn get(principal: Value, more: Value) -> Value {
    let mut line = json!({"id": 1, "request": {"principal": principal, "action": "s3:GetObject",
        "resource": "arn:aws:s3:::data/k", "resource_account": "111111111111", "context": {}}});
    for (key, value) in more.as_object().expect("an object") {
        if matches!(key.as_str(), "context" | "action" | "resource" | "resource_account") {
            line["request"][key] = value.clone();
        } else {
            line[key] = value.clone();
        }
    }
    line
}

#[test]
fn principals_may_be_written_in_many_ways() {
    let allowed = json!({"identity": [everything()]});
    for principal in [
        json!(USER),
        json!({"type": "User", "arn": USER}),
        json!({"AWS": USER}),
        json!({"accountId": "111111111111", "arn": USER, "type": "IAMUser"}),
        json!({"type": "AssumedRole", "account": "111111111111", "value": SESSION}),
        json!("111111111111"),
    ] {
        check("an identity", get(principal, allowed.clone()), "Allowed");
    }
    let open = |principal: Value| json!({"resource_policy": doc(json!([{"Effect": "Allow", "Principal": principal, "Action": "s3:*", "Resource": "*"}]))});
    for principal in [json!({"type": "Anonymous"}), json!("*"), Value::Null, json!("anonymous")] {
        check("nobody", get(principal.clone(), open(json!("*"))), "Allowed");
        check("nobody named", get(principal, open(json!({"AWS": USER}))), "ImplicitlyDenied");
    }
    let service = open(json!({"Service": "sns.amazonaws.com"}));
    for principal in [
        json!({"type": "Service", "service": "sns.amazonaws.com"}),
        json!({"Service": "sns.amazonaws.com"}),
        json!("sns.amazonaws.com"),
    ] {
        check("a service", get(principal, service.clone()), "Allowed");
    }
    check("another service", get(json!("sqs.amazonaws.com"), service), "ImplicitlyDenied");
    let origin = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1";
    check(
        "an origin access identity needs the bucket's consent alone",
        get(json!(origin), open(json!({"AWS": origin}))),
        "Allowed",
    );
}

#[test]
fn members_may_be_missing_null_or_in_another_form() {
    let text = everything().to_string();
    for (what, more, want) in [
        ("a policy as text", json!({"identity": [text]}), "Allowed"),
        ("a policy as text inside a name", json!({"identity": [{"name": "p", "policy": text}]}), "Allowed"),
        ("one policy without a list", json!({"identity": everything()}), "Allowed"),
        (
            "null layers",
            json!({"identity": [everything()], "boundaries": null, "session": null, "resource_policy": null,
            "scps": null, "rcps": null, "endpoint_policies": null, "grants": null, "context": null, "resource_account": null}),
            "Allowed",
        ),
        (
            "empty layers",
            json!({"identity": [everything()], "boundaries": [], "session": [], "scps": [], "rcps": [], "endpoint_policies": []}),
            "Allowed",
        ),
        (
            "a level without policies allows nothing",
            json!({"identity": [everything()], "scps": [{"orgIdentifier": "r", "policies": []}]}),
            "ImplicitlyDenied",
        ),
        (
            "a resource level without policies limits nothing",
            json!({"identity": [everything()], "rcps": [{"orgIdentifier": "r", "policies": []}]}),
            "Allowed",
        ),
        ("no policies at all", json!({}), "ImplicitlyDenied"),
    ] {
        check(what, get(json!(USER), more), want);
    }
    let only = |context: Value| {
        let condition = json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}});
        json!({"context": context, "identity": [doc(json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}]))]})
    };
    check("a value", get(json!(USER), only(json!({"aws:RequestedRegion": "eu-west-1"}))), "Allowed");
    check("a list of one", get(json!(USER), only(json!({"AWS:requestedregion": ["eu-west-1"]}))), "Allowed");
    check(
        "a list of two without a quantifier",
        get(json!(USER), only(json!({"aws:RequestedRegion": ["eu-west-1", "x"]}))),
        "ImplicitlyDenied",
    );
    check(
        "named pairs",
        get(json!(USER), only(json!([{"key": "aws:RequestedRegion", "values": ["eu-west-1"]}]))),
        "Allowed",
    );
}

#[test]
fn resource_guardrails_bind_the_services_aws_names() {
    let rcp = |action: &str| {
        let deny = doc(json!([{"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"}]));
        json!({"action": action, "resource": "*", "identity": [everything()], "rcps": [{"orgIdentifier": "r", "policies": [deny]}]})
    };
    for (action, want) in [
        ("s3:ListAllMyBuckets", "ExplicitlyDenied"),
        ("sqs:ListQueues", "ExplicitlyDenied"),
        ("events:ListRules", "ExplicitlyDenied"),
        ("ec2:DescribeInstances", "Allowed"),
        ("iam:ListRoles", "Allowed"),
        ("lambda:ListFunctions", "Allowed"),
        ("kms:RetireGrant", "Allowed"),
    ] {
        check(action, get(json!(USER), rcp(action)), want);
    }
    let linked = "arn:aws:sts::111111111111:assumed-role/AWSServiceRoleForSupport/s";
    check("service-linked roles are exempt", get(json!(linked), rcp("s3:ListAllMyBuckets")), "Allowed");
}

#[test]
fn grants_bind_to_their_encryption_context() {
    let decrypt = |constraints: Value, context: Value| {
        json!({"action": "kms:Decrypt", "resource": KEY, "context": context, "identity": [],
            "resource_policy": doc(json!([])), "grants": [{"grantee": USER, "operations": ["Decrypt"], "constraints": constraints}]})
    };
    let pair = json!({"kms:EncryptionContext:app": "shop"});
    let more = json!({"kms:EncryptionContext:app": "shop", "kms:EncryptionContext:env": "prod"});
    let subset = json!({"EncryptionContextSubset": {"app": "shop"}});
    let equals = json!({"EncryptionContextEquals": {"app": "shop"}});
    for (what, constraints, context, want) in [
        ("no constraint", json!(null), json!({}), "Allowed"),
        ("subset held", subset.clone(), more.clone(), "Allowed"),
        ("subset missing", subset, json!({}), "ImplicitlyDenied"),
        ("equal", equals.clone(), pair, "Allowed"),
        ("more than equal", equals, more, "ImplicitlyDenied"),
    ] {
        check(what, get(json!(USER), decrypt(constraints, context)), want);
    }
    check(
        "of another",
        get(json!("arn:aws:iam::111111111111:user/bob"), decrypt(json!(null), json!({}))),
        "ImplicitlyDenied",
    );
}

/// Every operator on a value, on a missing key, and in its `IfExists`, `ForAllValues` and `ForAnyValue` forms.
#[test]
fn operators() {
    let ask = |operator: &str, wanted: Value, given: Option<Value>| -> String {
        let condition = json!({operator: {"test:Key": wanted}});
        let policy = doc(json!([{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}]));
        let context = given.map_or_else(|| json!({}), |v| json!({"TEST:key": v}));
        let line = get(json!(USER), json!({"identity": [policy], "context": context}));
        let answer: Value = serde_json::from_str(&can_line(&line.to_string())).expect("answers are JSON");
        answer["decision"].as_str().unwrap_or_default().to_owned()
    };
    for (operator, wanted, given, holds) in [
        ("StringEquals", json!(["a", "b"]), json!("b"), true),
        ("StringEquals", json!("A"), json!("a"), false),
        ("StringEquals", json!("a*"), json!("ab"), false),
        ("StringNotEquals", json!(["a", "b"]), json!("b"), false),
        ("StringNotEquals", json!(["a", "b"]), json!("c"), true),
        ("StringEqualsIgnoreCase", json!("ÄB"), json!("äb"), true),
        ("StringNotEqualsIgnoreCase", json!("A"), json!("a"), false),
        ("StringLike", json!("a*c?"), json!("abbcd"), true),
        ("StringLike", json!("A*"), json!("abc"), false),
        ("StringNotLike", json!(["a*", "b*"]), json!("cab"), true),
        ("NumericEquals", json!("10"), json!("10.0"), true),
        ("NumericNotEquals", json!("10"), json!("11"), true),
        ("NumericNotEquals", json!(["10", "11"]), json!("11"), false),
        ("NumericLessThan", json!("10"), json!("9"), true),
        ("NumericLessThanEquals", json!("10"), json!("10"), true),
        ("NumericGreaterThan", json!("10"), json!("10"), false),
        ("NumericGreaterThanEquals", json!(10), json!(10), true),
        ("NumericEquals", json!("ten"), json!("ten"), false),
        ("NumericLessThan", json!("10"), json!("-inf"), false),
        ("DateGreaterThan", json!("2020-01-01T00:00:00Z"), json!("2020-01-01T00:00:01Z"), true),
        ("DateLessThan", json!("2020-01-01T00:00:00Z"), json!("1577836799"), true),
        ("DateEquals", json!("1577836800"), json!("2020-01-01T00:00:00Z"), true),
        ("DateNotEquals", json!("2020-01-01"), json!("2020-01-02"), true),
        ("DateLessThan", json!("soon"), json!("2020-01-01"), false),
        ("Bool", json!("true"), json!("TRUE"), true),
        ("Bool", json!(true), json!(true), true),
        ("Bool", json!("false"), json!("true"), false),
        ("BinaryEquals", json!("QmluYXJ5"), json!("QmluYXJ5"), true),
        ("BinaryEquals", json!("QmluYXJ5"), json!("QmluYXJ6"), false),
        ("IpAddress", json!(["10.0.0.0/8", "2001:db8::/32"]), json!("2001:db8::1"), true),
        ("IpAddress", json!("203.0.113.7"), json!("203.0.113.7"), true),
        ("IpAddress", json!("0.0.0.0/0"), json!("2001:db8::1"), false),
        ("NotIpAddress", json!("0.0.0.0/0"), json!("2001:db8::1"), true),
        ("NotIpAddress", json!("10.0.0.0/8"), json!("10.1.2.3"), false),
        ("ArnEquals", json!("arn:aws:sns:*:111111111111:t*"), json!("arn:aws:sns:eu-west-1:111111111111:topic"), true),
        ("ArnLike", json!("arn:aws:*:111111111111:topic"), json!("arn:aws:sns:eu-west-1:111111111111:topic"), false),
        ("ArnLike", json!("arn:aws:s3:::b"), json!("not an arn"), false),
        ("ArnNotLike", json!("arn:aws:s3:::b"), json!("not an arn"), true),
        ("ArnNotEquals", json!("arn:aws:s3:::b"), json!("arn:aws:s3:::b"), false),
        ("Null", json!("true"), json!("x"), false),
        ("Null", json!(false), json!("x"), true),
        ("Null", json!("true"), json!([]), true),
        ("ForAllValues:StringEquals", json!(["a", "b"]), json!(["a", "b", "a"]), true),
        ("ForAllValues:StringEquals", json!(["a", "b"]), json!(["a", "c"]), false),
        ("ForAllValues:StringEquals", json!(["a"]), json!([]), true),
        ("ForAnyValue:StringEquals", json!(["a", "b"]), json!(["c", "b"]), true),
        ("ForAnyValue:StringEquals", json!(["a"]), json!([]), false),
        ("ForAllValues:StringNotEquals", json!(["a", "b"]), json!(["c", "d"]), true),
        ("ForAllValues:StringNotEquals", json!(["a", "b"]), json!(["c", "a"]), false),
        ("ForAnyValue:StringNotEquals", json!(["a", "b"]), json!(["a", "c"]), true),
        ("ForAnyValue:StringNotEquals", json!(["a", "b"]), json!(["a", "b"]), false),
        ("ForAnyValue:StringLike", json!("a*"), json!("abc"), true),
        ("StringMatches", json!("a"), json!("a"), false),
    ] {
        let want = if holds { "Allowed" } else { "ImplicitlyDenied" };
        assert_eq!(ask(operator, wanted.clone(), Some(given.clone())), want, "{operator} {wanted} on {given}");
    }
    for (operator, holds) in [
        ("StringEquals", false),
        ("StringNotEquals", true),
        ("StringLike", false),
        ("StringNotLike", true),
        ("StringNotEqualsIgnoreCase", true),
        ("NumericLessThan", false),
        ("NumericNotEquals", true),
        ("DateNotEquals", true),
        ("Bool", false),
        ("BinaryEquals", false),
        ("IpAddress", false),
        ("NotIpAddress", true),
        ("ArnLike", false),
        ("ArnNotLike", true),
        ("StringEqualsIfExists", true),
        ("BoolIfExists", true),
        ("ArnLikeIfExists", true),
        ("NotIpAddressIfExists", true),
        ("ForAllValues:StringEquals", true),
        ("ForAnyValue:StringEquals", false),
        ("ForAnyValue:StringNotEquals", false),
        ("ForAnyValue:StringEqualsIfExists", true),
        ("NoSuchIfExists", false),
    ] {
        let want = if holds { "Allowed" } else { "ImplicitlyDenied" };
        assert_eq!(ask(operator, json!("1"), None), want, "{operator} on a missing key");
    }
    assert_eq!(ask("Null", json!("true"), None), "Allowed");
    assert_eq!(ask("Null", json!("false"), None), "ImplicitlyDenied");
}

#[test]
fn variables_stand_for_one_known_value() {
    let ask = |version: &str, resource: &str, context: Value| -> String {
        let policy = json!({"Version": version, "Statement": {"Effect": "Allow", "Action": "*", "Resource": resource}});
        let line = get(json!(USER), json!({"identity": [policy], "context": context}));
        let answer: Value = serde_json::from_str(&can_line(&line.to_string())).expect("answers are JSON");
        answer["decision"].as_str().unwrap_or_default().to_owned()
    };
    for (what, resource, context, want) in [
        ("set", "arn:aws:s3:::${aws:PrincipalTag/Bucket}/k", json!({"aws:PrincipalTag/bucket": "data"}), "Allowed"),
        ("unset", "arn:aws:s3:::${aws:PrincipalTag/Bucket}/*", json!({}), "ImplicitlyDenied"),
        ("default", "arn:aws:s3:::${aws:PrincipalTag/Bucket, 'data'}/*", json!({}), "Allowed"),
        (
            "several values",
            "arn:aws:s3:::${aws:PrincipalTag/Bucket, 'data'}/*",
            json!({"aws:PrincipalTag/Bucket": ["data", "x"]}),
            "ImplicitlyDenied",
        ),
        (
            "a star in the value",
            "arn:aws:s3:::${aws:PrincipalTag/Bucket}/k",
            json!({"aws:PrincipalTag/Bucket": "d*"}),
            "ImplicitlyDenied",
        ),
        ("user name", "arn:aws:s3:::data/${aws:username}", json!({"aws:username": "k"}), "Allowed"),
        ("literal star", "arn:aws:s3:::data/${*}", json!({}), "ImplicitlyDenied"),
    ] {
        assert_eq!(ask("2012-10-17", resource, context), want, "{what}");
    }
    let tagged = json!({"aws:PrincipalTag/Bucket": "data"});
    assert_eq!(
        ask("2008-10-17", "arn:aws:s3:::${aws:PrincipalTag/Bucket}/k", tagged),
        "ImplicitlyDenied",
        "old versions know no variables"
    );
}
