//! Decisions, from the specification: one line in, one answer out.

use plumb_assess::identity::aws::can_line;
use serde_json::{Value, json};

const USER: &str = "arn:aws:iam::111111111111:user/team/ann";
const ROLE: &str = "arn:aws:iam::111111111111:role/app/worker";
const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/worker/s1";
const OTHER: &str = "arn:aws:iam::222222222222:user/bob";
const ROOT: &str = "arn:aws:iam::111111111111:root";
const OBJECT: &str = "arn:aws:s3:::data/k";
const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/1";
const TARGET: &str = "arn:aws:iam::111111111111:role/target";

fn ask(line: &Value) -> Value {
    serde_json::from_str(&can_line(&line.to_string())).expect("answers are JSON")
}

/// One request with the named policy members; `want` is the decision.
#[track_caller]
fn check(what: &str, principal: &str, action: &str, resource: &str, policies: Value, want: &str) {
    let mut line = json!({"id": what, "request": {"principal": principal, "action": action, "resource": resource,
        "resource_account": "111111111111", "context": {}}});
    let Value::Object(policies) = policies else { panic!("policies must be an object") };
    for (member, value) in policies {
        if member == "context" || member == "resource_account" {
            line["request"][member] = value;
        } else {
            line[member] = value;
        }
    }
    let answer = ask(&line);
    assert_eq!(answer["decision"], want, "{what}: {answer}");
    assert_eq!(answer["id"], what);
}

fn doc(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(action: &str, resource: &str) -> Value {
    doc(json!([{"Effect": "Allow", "Action": action, "Resource": resource}]))
}

fn deny(action: &str, resource: &str) -> Value {
    doc(json!([{"Effect": "Deny", "Action": action, "Resource": resource}]))
}

fn grant(principal: Value, action: &str) -> Value {
    doc(json!([{"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}]))
}

fn allow_if(condition: Value) -> Value {
    doc(json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}]))
}

fn deny_if(condition: Value) -> Value {
    doc(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}]))
}

const A: &str = "Allowed";
const I: &str = "ImplicitlyDenied";
const E: &str = "ExplicitlyDenied";

#[test]
fn identity_policies() {
    let get = "s3:GetObject";
    for (what, policy, want) in [
        ("exact", allow("s3:GetObject", OBJECT), A),
        ("action case", allow("S3:getobject", OBJECT), A),
        ("star", allow("*", "*"), A),
        ("star star", allow("*:*", "*"), A),
        ("service wildcard", allow("s3:*", "*"), A),
        ("action glob", allow("s3:Get*ject", "*"), A),
        ("question mark", allow("s3:GetObjec?", "*"), A),
        ("wildcard in the service never matches", allow("s*:GetObject", "*"), I),
        ("leading space is significant", allow(" s3:GetObject", "*"), I),
        ("other action", allow("s3:PutObject", "*"), I),
        ("other resource", allow("s3:GetObject", "arn:aws:s3:::other/*"), I),
        ("middle wildcard", allow("s3:GetObject", "arn:aws:s3:::d*a/k"), A),
        ("resource case", allow("s3:GetObject", "arn:aws:s3:::Data/k"), I),
        ("incomplete ARN", allow("s3:GetObject", "arn:aws:s3"), A),
        (
            "deny",
            doc(json!([{"Effect":"Allow","Action":"*","Resource":"*"},
            {"Effect":"Deny","Action":"s3:Get*","Resource":"arn:aws:s3:::data/*"}])),
            E,
        ),
        (
            "deny elsewhere",
            doc(json!([{"Effect":"Allow","Action":"*","Resource":"*"},
            {"Effect":"Deny","Action":"s3:Get*","Resource":"arn:aws:s3:::other/*"}])),
            A,
        ),
        ("NotAction allows", doc(json!({"Effect":"Allow","NotAction":"iam:*","Resource":"*"})), A),
        ("NotAction leaves out", doc(json!({"Effect":"Allow","NotAction":["s3:*"],"Resource":"*"})), I),
        ("NotResource allows", doc(json!({"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::x/*"})), A),
        ("NotResource leaves out", doc(json!({"Effect":"Allow","Action":"s3:*","NotResource":OBJECT})), I),
        (
            "deny NotAction",
            doc(json!([{"Effect":"Allow","Action":"*","Resource":"*"},
            {"Effect":"Deny","NotAction":"ec2:*","Resource":"*"}])),
            E,
        ),
        ("unknown element is ignored", doc(json!({"Effect":"Allow","Action":"*","Resource":"*","Foo":1})), I),
    ] {
        check(what, USER, get, OBJECT, json!({"identity": [policy]}), want);
    }
    check("no policy", USER, get, OBJECT, json!({}), I);
    check("policy as text", USER, get, OBJECT, json!({"identity": [allow("*", "*").to_string()]}), A);
    check("policy with a name", USER, get, OBJECT, json!({"identity": [{"name": "n", "policy": allow("*", "*")}]}), A);
    check("single policy", USER, get, OBJECT, json!({"identity": allow("*", "*")}), A);
    check("unlisted resource", USER, "ec2:DescribeInstances", "*", json!({"identity": [allow("ec2:*", "*")]}), A);
    check(
        "an action without resources needs *",
        USER,
        "ec2:DescribeInstances",
        "*",
        json!({"identity": [allow("ec2:*", "arn:aws:ec2:*:*:instance/*")]}),
        I,
    );
    check(
        "NotResource covers *",
        USER,
        "ec2:DescribeInstances",
        "*",
        json!({"identity": [doc(json!({"Effect":"Allow","Action":"ec2:*","NotResource":OBJECT}))]}),
        A,
    );
}

#[test]
fn conditions() {
    let context = json!({"aws:SourceIp": "10.1.2.3", "aws:PrincipalTag/Team": "blue", "S3:MaxKeys": "10",
        "aws:CurrentTime": "2026-05-01T00:00:00Z", "aws:MultiFactorAuthPresent": "true", "aws:TagKeys": ["a", "b"],
        "aws:SourceArn": "arn:aws:sns:eu-west-1:111111111111:topic", "aws:PrincipalOrgID": "o-1", "x:bin": "QmluCg=="});
    for (what, condition, want) in [
        ("equals", json!({"StringEquals": {"aws:PrincipalTag/team": "blue"}}), A),
        ("equals is exact", json!({"StringEquals": {"aws:PrincipalTag/team": "Blue"}}), I),
        ("equals takes no wildcard", json!({"StringEquals": {"aws:PrincipalTag/team": "bl*"}}), I),
        ("ignore case", json!({"StringEqualsIgnoreCase": {"aws:PrincipalTag/team": "BLUE"}}), A),
        ("or over values", json!({"StringEquals": {"aws:PrincipalTag/team": ["red", "blue"]}}), A),
        ("nor over values", json!({"StringNotEquals": {"aws:PrincipalTag/team": ["red", "blue"]}}), I),
        ("not equals", json!({"StringNotEquals": {"aws:PrincipalTag/team": ["red", "green"]}}), A),
        ("like", json!({"StringLike": {"aws:PrincipalTag/team": "b?u*"}}), A),
        ("not like", json!({"StringNotLike": {"aws:PrincipalTag/team": "b*"}}), I),
        ("and over keys", json!({"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:PrincipalOrgID": "o-2"}}), I),
        ("number", json!({"NumericLessThanEquals": {"s3:maxkeys": "10"}}), A),
        ("number json", json!({"NumericGreaterThan": {"s3:maxkeys": 10}}), I),
        ("number unreadable", json!({"NumericEquals": {"aws:PrincipalTag/team": "10"}}), I),
        ("date", json!({"DateGreaterThan": {"aws:CurrentTime": "2026-04-30T23:59:59Z"}}), A),
        ("date bare", json!({"DateLessThan": {"aws:CurrentTime": "2026-05-01"}}), I),
        ("date epoch", json!({"DateGreaterThan": {"aws:CurrentTime": "1"}}), A),
        ("bool", json!({"Bool": {"aws:MultiFactorAuthPresent": true}}), A),
        ("bool case", json!({"Bool": {"aws:MultiFactorAuthPresent": "True"}}), A),
        ("bool absent", json!({"Bool": {"aws:SecureTransport": "true"}}), I),
        ("bool if exists", json!({"BoolIfExists": {"aws:SecureTransport": "true"}}), A),
        ("binary", json!({"BinaryEquals": {"x:bin": "QmluCg=="}}), A),
        ("address", json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), A),
        ("address single", json!({"IpAddress": {"aws:SourceIp": "10.1.2.4"}}), I),
        ("address family", json!({"IpAddress": {"aws:SourceIp": "::/0"}}), I),
        ("not address", json!({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "1.1.1.1/32"]}}), I),
        ("arn like", json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:111111111111:*"}}), A),
        ("arn equals globs too", json!({"ArnEquals": {"aws:SourceArn": "arn:aws:sns:*:*:top*"}}), A),
        ("arn star stays in its part", json!({"ArnLike": {"aws:SourceArn": "arn:aws:*:topic"}}), I),
        ("arn not like", json!({"ArnNotLike": {"aws:SourceArn": "arn:aws:sqs:*:*:*"}}), A),
        ("null present", json!({"Null": {"aws:SourceIp": "false"}}), A),
        ("null absent", json!({"Null": {"aws:SourceVpc": "true"}}), A),
        ("null wrong", json!({"Null": {"aws:SourceIp": true}}), I),
        ("absent positive", json!({"StringEquals": {"aws:SourceVpc": "vpc-1"}}), I),
        ("absent negated", json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}), A),
        ("absent if exists", json!({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-1"}}), A),
        ("present if exists", json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-2"}}), I),
        ("for all", json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}}), A),
        ("for all fails", json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}), I),
        ("for all absent", json!({"ForAllValues:StringEquals": {"x:none": ["a"]}}), A),
        ("for any", json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["b"]}}), A),
        ("for any absent", json!({"ForAnyValue:StringEquals": {"x:none": ["b"]}}), I),
        ("for all negated", json!({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["b"]}}), I),
        ("for any negated", json!({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["b"]}}), A),
        ("unknown operator", json!({"StringMatches": {"aws:PrincipalOrgID": "o-1"}}), I),
        ("derived account", json!({"StringEquals": {"aws:PrincipalAccount": "111111111111"}}), A),
        ("derived name", json!({"StringEquals": {"aws:username": "ann"}}), A),
        ("derived arn", json!({"ArnEquals": {"aws:PrincipalArn": USER}}), A),
        ("derived resource account", json!({"StringEquals": {"aws:ResourceAccount": "111111111111"}}), A),
        ("derived type", json!({"StringEquals": {"aws:PrincipalType": "User"}}), A),
        ("variable", json!({"StringEquals": {"aws:username": "${aws:username}"}}), A),
        ("variable default", json!({"StringEquals": {"aws:username": "${aws:none, 'ann'}"}}), A),
        ("variable absent", json!({"StringEquals": {"aws:username": "${aws:none}"}}), I),
        ("variable like", json!({"StringLike": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}*"}}), A),
    ] {
        let policies = json!({"identity": [allow_if(condition)], "context": context});
        check(what, USER, "s3:GetObject", OBJECT, policies, want);
    }
    let tagged = json!({"id": 1, "request": {"principal": USER, "action": "s3:GetObject", "resource": OBJECT,
        "principal_tags": {"Team": "blue"}}, "identity": [allow_if(json!({"StringEquals": {"aws:PrincipalTag/team": "blue"}}))]});
    assert_eq!(ask(&tagged)["decision"], A);
    let without_transport = json!({"identity": [deny_if(json!({"Bool": {"aws:SecureTransport": "false"}}))]});
    check("deny on an absent key", USER, "s3:GetObject", OBJECT, without_transport, A);
    let mfa = json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}});
    check("deny if exists on an absent key", USER, "s3:GetObject", OBJECT, json!({"identity": [deny_if(mfa)]}), E);
    let network = json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
    check("deny outside the network", USER, "s3:GetObject", OBJECT, json!({"identity": [deny_if(network)]}), E);
}

#[test]
fn variables_in_resources() {
    let home = |version: &str, resource: &str| {
        json!({"identity": [{"Version": version,
            "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": resource}}]})
    };
    let mine = "arn:aws:s3:::home/ann/x";
    let pattern = "arn:aws:s3:::home/${aws:username}/*";
    check("own folder", USER, "s3:GetObject", mine, home("2012-10-17", pattern), A);
    check("old version is literal", USER, "s3:GetObject", mine, home("2008-10-17", pattern), I);
    check("a role has no user name", ROLE, "s3:GetObject", mine, home("2012-10-17", pattern), I);
    let with_default = "arn:aws:s3:::home/${aws:username, 'ann'}/*";
    check("a role takes the default", ROLE, "s3:GetObject", mine, home("2012-10-17", with_default), A);
    check("other folder", USER, "s3:GetObject", "arn:aws:s3:::home/bob/x", home("2012-10-17", pattern), I);
    let mut starred = home("2012-10-17", "arn:aws:s3:::home/${aws:PrincipalTag/t}/*");
    starred["context"] = json!({"aws:PrincipalTag/t": "*"});
    check("values are literal", USER, "s3:GetObject", mine, starred, I);
}

#[test]
fn same_account_resource_policies() {
    let get = "s3:GetObject";
    for (what, who, principal, want) in [
        ("user alone suffices", USER, json!({"AWS": USER}), A),
        ("account adds nothing", USER, json!({"AWS": "111111111111"}), I),
        ("root adds nothing", USER, json!({"AWS": ROOT}), I),
        ("star", USER, json!("*"), A),
        ("AWS star", USER, json!({"AWS": "*"}), A),
        ("other user", USER, json!({"AWS": "arn:aws:iam::111111111111:user/bob"}), I),
        ("no wildcard in principals", USER, json!({"AWS": "arn:aws:iam::111111111111:user/*"}), I),
        ("role for its session", SESSION, json!({"AWS": ROLE}), A),
        ("session", SESSION, json!({"AWS": SESSION}), A),
        ("other session", SESSION, json!({"AWS": "arn:aws:sts::111111111111:assumed-role/worker/s2"}), I),
        ("service only", USER, json!({"Service": "ec2.amazonaws.com"}), I),
        ("unique id dangles", USER, json!({"AWS": "AIDAEXAMPLE"}), I),
    ] {
        check(what, who, get, OBJECT, json!({"resource_policy": grant(principal, "s3:*")}), want);
    }
    let none = json!({"resource_policy": allow("s3:*", "*")});
    check("no principal never matches", USER, get, OBJECT, none, I);
    let both = json!({"identity": [allow("s3:*", "*")], "resource_policy": deny("s3:*", "*")});
    check("deny without principal never matches", USER, get, OBJECT, both, A);
    let account_deny = doc(json!({"Effect":"Deny","Principal":{"AWS":ROOT},"Action":"s3:*","Resource":"*"}));
    let both = json!({"identity": [allow("s3:*", "*")], "resource_policy": account_deny});
    check("deny by account", USER, get, OBJECT, both, E);
}

#[test]
fn boundaries_and_sessions() {
    let get = "s3:GetObject";
    let ec2 = json!([allow("ec2:*", "*")]);
    let id = json!([allow("*", "*")]);
    for (what, who, policies, want) in [
        ("boundary limits identity", USER, json!({"identity": id, "boundaries": ec2}), I),
        ("boundary allows", USER, json!({"identity": id, "boundaries": [allow("s3:*", "*")]}), A),
        ("boundary grants nothing", USER, json!({"boundaries": [allow("*", "*")]}), I),
        ("boundary denies", USER, json!({"identity": id, "boundaries": [deny("s3:*", "*")]}), E),
        (
            "user grant passes the boundary",
            USER,
            json!({"boundaries": ec2, "resource_policy": grant(json!({"AWS": USER}), "s3:*")}),
            A,
        ),
        (
            "role grant does not",
            SESSION,
            json!({"boundaries": ec2, "resource_policy": grant(json!({"AWS": ROLE}), "s3:*")}),
            I,
        ),
        (
            "session grant does",
            SESSION,
            json!({"boundaries": ec2, "resource_policy": grant(json!({"AWS": SESSION}), "s3:*")}),
            A,
        ),
        ("session policy limits identity", SESSION, json!({"identity": id, "session": ec2}), I),
        ("session policy allows", SESSION, json!({"identity": id, "session": [allow("s3:Get*", "*")]}), A),
        (
            "session policy limits a role grant",
            SESSION,
            json!({"session": ec2, "resource_policy": grant(json!({"AWS": ROLE}), "s3:*")}),
            I,
        ),
        (
            "but not a session grant",
            SESSION,
            json!({"session": ec2, "resource_policy": grant(json!({"AWS": SESSION}), "s3:*")}),
            A,
        ),
        ("null boundary", USER, json!({"identity": id, "boundaries": null}), A),
        (
            "boundary bites a user grant explicitly",
            USER,
            json!({"boundaries": [deny("s3:*", "*")], "resource_policy": grant(json!({"AWS": USER}), "s3:*")}),
            E,
        ),
    ] {
        check(what, who, get, OBJECT, policies, want);
    }
}

#[test]
fn not_principal() {
    let get = "s3:GetObject";
    let deny_but = |listed: Value| {
        json!({"identity": [allow("*", "*")], "resource_policy": doc(json!({"Effect": "Deny",
            "NotPrincipal": {"AWS": listed}, "Action": "s3:*", "Resource": "*"}))})
    };
    check("user and account", USER, get, OBJECT, deny_but(json!([USER, ROOT])), A);
    check("user alone", USER, get, OBJECT, deny_but(json!([USER])), A);
    check("account alone", USER, get, OBJECT, deny_but(json!([ROOT])), E);
    check("nobody listed", USER, get, OBJECT, deny_but(json!([OTHER])), E);
    check("role alone", SESSION, get, OBJECT, deny_but(json!([ROLE])), E);
    check("role and account", SESSION, get, OBJECT, deny_but(json!([ROLE, "111111111111"])), E);
    check("all three", SESSION, get, OBJECT, deny_but(json!([ROLE, "111111111111", SESSION])), A);
    let mut bounded = deny_but(json!([USER, ROOT]));
    bounded["boundaries"] = json!([allow("*", "*")]);
    check("a boundary makes it bite", USER, get, OBJECT, bounded, E);
    let open = json!({"resource_policy": doc(json!({"Effect": "Allow", "NotPrincipal": {"AWS": OTHER},
        "Action": "s3:*", "Resource": "*"}))});
    check("allow but", USER, get, OBJECT, open.clone(), A);
    check("allow but, anonymous", "*", get, OBJECT, open, A);
}

#[test]
fn cross_account() {
    let get = "s3:GetObject";
    let id = json!([allow("s3:*", "*")]);
    for (what, policies, want) in [
        ("identity alone", json!({"identity": id}), I),
        ("resource alone", json!({"resource_policy": grant(json!({"AWS": OTHER}), "s3:*")}), I),
        ("both", json!({"identity": id, "resource_policy": grant(json!({"AWS": OTHER}), "s3:*")}), A),
        ("by account", json!({"identity": id, "resource_policy": grant(json!({"AWS": "222222222222"}), "s3:*")}), A),
        ("by star", json!({"identity": id, "resource_policy": grant(json!("*"), "s3:*")}), A),
        ("star alone", json!({"resource_policy": grant(json!("*"), "s3:*")}), I),
        (
            "another account",
            json!({"identity": id, "resource_policy": grant(json!({"AWS": "333333333333"}), "s3:*")}),
            I,
        ),
        (
            "boundary bites",
            json!({"identity": id, "boundaries": [allow("ec2:*", "*")],
            "resource_policy": grant(json!({"AWS": OTHER}), "s3:*")}),
            I,
        ),
        (
            "scp bites",
            json!({"identity": id, "scps": [{"orgIdentifier": "r", "policies": [allow("ec2:*", "*")]}],
            "resource_policy": grant(json!({"AWS": OTHER}), "s3:*")}),
            I,
        ),
    ] {
        check(what, OTHER, get, OBJECT, policies, want);
    }
}

#[test]
fn organizations() {
    let get = "s3:GetObject";
    let id = json!([allow("*", "*")]);
    let full = json!({"name": "FullAWSAccess", "policy": allow("*", "*")});
    let level = |id: &str, policies: Value| json!({"orgIdentifier": id, "policies": policies});
    for (what, who, extra, want) in [
        ("every level allows", USER, json!({"scps": [level("r", json!([full])), level("ou", json!([full]))]}), A),
        (
            "one level does not",
            USER,
            json!({"scps": [level("r", json!([full])), level("ou", json!([allow("ec2:*", "*")]))]}),
            I,
        ),
        ("an empty level allows nothing", USER, json!({"scps": [level("r", json!([]))]}), I),
        ("a level denies", USER, json!({"scps": [level("r", json!([full, deny("s3:*", "*")]))]}), E),
        ("the root user is bound", ROOT, json!({"scps": [level("r", json!([full, deny("s3:*", "*")]))]}), E),
        (
            "the management account is not",
            USER,
            json!({"management_account": true, "scps": [level("r", json!([full, deny("s3:*", "*")]))]}),
            A,
        ),
        (
            "service-linked roles are not",
            "arn:aws:iam::111111111111:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
            json!({"scps": [level("r", json!([deny("s3:*", "*")]))]}),
            A,
        ),
        (
            "rcp denies",
            USER,
            json!({"rcps": [level("r", json!([doc(json!({"Effect": "Deny", "Principal": "*",
            "Action": "s3:*", "Resource": "*"}))]))]}),
            E,
        ),
        ("rcp without a deny", USER, json!({"rcps": [level("r", json!([]))]}), A),
        (
            "rcp conditioned on the organization",
            USER,
            json!({"context": {"aws:PrincipalOrgID": "o-1"},
            "rcps": [level("r", json!([doc(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
                "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}}))]))]}),
            A,
        ),
    ] {
        let mut policies = extra;
        policies["identity"] = id.clone();
        check(what, who, get, OBJECT, policies, want);
    }
    let rcp =
        json!([level("r", json!([doc(json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}))]))]);
    check(
        "rcps bind some services only",
        USER,
        "ec2:StartInstances",
        "arn:aws:ec2:eu-west-1:111111111111:instance/i-1",
        json!({"identity": id, "rcps": rcp}),
        A,
    );
    let public = grant(json!("*"), "s3:*");
    check("rcps bind anonymous callers", "*", get, OBJECT, json!({"resource_policy": public, "rcps": rcp}), E);
    let endpoint = json!([grant(json!("*"), "s3:GetObject")]);
    check("endpoint allows", USER, get, OBJECT, json!({"identity": id, "endpoint_policies": endpoint}), A);
    check("endpoint does not", USER, "s3:PutObject", OBJECT, json!({"identity": id, "endpoint_policies": endpoint}), I);
}

#[test]
fn callers_without_an_identity() {
    let public = json!({"resource_policy": grant(json!("*"), "s3:GetObject")});
    check("anonymous", "anonymous", "s3:GetObject", OBJECT, public.clone(), A);
    check("anonymous, other action", "*", "s3:PutObject", OBJECT, public, I);
    let named = json!({"resource_policy": grant(json!({"AWS": ROOT}), "s3:*")});
    check("anonymous is in no account", "*", "s3:GetObject", OBJECT, named, I);
    let line = json!({"id": 1, "request": {"principal": {"type": "Anonymous"}, "action": "s3:GetObject",
        "resource": OBJECT, "resource_account": "111111111111"}, "resource_policy": grant(json!("*"), "s3:*")});
    assert_eq!(ask(&line)["decision"], A);
    let service =
        doc(json!({"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": "*", "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}}}));
    let queue = "arn:aws:sqs:eu-west-1:111111111111:q";
    for (account, want) in [("111111111111", A), ("222222222222", I)] {
        let line = json!({"id": 1, "request": {"principal": {"type": "Service", "name": "sns.amazonaws.com"},
            "action": "sqs:SendMessage", "resource": queue, "context": {"aws:SourceAccount": account}},
            "resource_policy": service});
        assert_eq!(ask(&line)["decision"], want);
    }
    check("root may do everything", ROOT, "s3:GetObject", OBJECT, json!({}), A);
    let closed = doc(json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}));
    check("a bucket policy binds root", ROOT, "s3:GetObject", OBJECT, json!({"resource_policy": closed}), E);
    check(
        "but root can mend it",
        ROOT,
        "s3:PutBucketPolicy",
        "arn:aws:s3:::data",
        json!({"resource_policy": closed}),
        A,
    );
}

#[test]
fn services_with_their_own_rules() {
    let id = json!([allow("*", "*")]);
    let delegated = grant(json!({"AWS": ROOT}), "kms:*");
    for (what, who, action, resource, policies, want) in [
        ("kms identity alone", USER, "kms:Decrypt", KEY, json!({"identity": id}), I),
        ("kms delegated", USER, "kms:Decrypt", KEY, json!({"identity": id, "resource_policy": delegated}), A),
        ("kms delegated, no identity", USER, "kms:Decrypt", KEY, json!({"resource_policy": delegated}), I),
        (
            "kms key policy alone",
            USER,
            "kms:Decrypt",
            KEY,
            json!({"resource_policy": grant(json!({"AWS": USER}), "kms:*")}),
            A,
        ),
        (
            "kms other user named",
            USER,
            "kms:Decrypt",
            KEY,
            json!({"identity": id, "resource_policy": grant(json!({"AWS": "arn:aws:iam::111111111111:user/bob"}), "kms:*")}),
            I,
        ),
        ("kms without a key", USER, "kms:ListKeys", "*", json!({"identity": id}), A),
        ("kms root needs the key policy", ROOT, "kms:Decrypt", KEY, json!({}), I),
        ("kms grant", ROLE, "kms:Decrypt", KEY, json!({"grants": [{"grantee": ROLE, "operations": ["Decrypt"]}]}), A),
        (
            "kms aws alias",
            USER,
            "kms:DeleteAlias",
            "arn:aws:kms:eu-west-1:111111111111:alias/aws/s3",
            json!({"identity": id}),
            I,
        ),
        ("assume, identity alone", USER, "sts:AssumeRole", TARGET, json!({"identity": id}), I),
        (
            "assume, trusted account",
            USER,
            "sts:AssumeRole",
            TARGET,
            json!({"identity": id, "resource_policy": doc(json!({"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}))}),
            A,
        ),
        (
            "assume, trusted account, no identity",
            USER,
            "sts:AssumeRole",
            TARGET,
            json!({"resource_policy": doc(json!({"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}))}),
            I,
        ),
        (
            "assume, trusted by name",
            USER,
            "sts:AssumeRole",
            TARGET,
            json!({"resource_policy": doc(json!({"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "sts:AssumeRole"}))}),
            A,
        ),
        (
            "assume, external id",
            USER,
            "sts:AssumeRole",
            TARGET,
            json!({"resource_policy": doc(json!({"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}))}),
            I,
        ),
        ("caller identity", USER, "sts:GetCallerIdentity", "*", json!({"identity": [deny("*", "*")]}), A),
        (
            "managed policies are AWS's",
            USER,
            "iam:CreatePolicyVersion",
            "arn:aws:iam::aws:policy/AdministratorAccess",
            json!({"identity": id}),
            I,
        ),
        (
            "service-linked roles are AWS's",
            USER,
            "iam:AttachRolePolicy",
            "arn:aws:iam::111111111111:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
            json!({"identity": id}),
            I,
        ),
        (
            "reserved roles are AWS's",
            USER,
            "iam:PutRolePolicy",
            "arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_a",
            json!({"identity": id}),
            I,
        ),
    ] {
        check(what, who, action, resource, policies, want);
    }
}

#[test]
fn what_is_not_known_is_said() {
    let line = json!({"id": 7, "request": {"principal": USER, "action": "s3:GetObject", "resource": OBJECT,
        "context": {"aws:SourceIp": null}},
        "identity": [allow_if(json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))]});
    let answer = ask(&line);
    assert_eq!(answer["decision"], I);
    assert_eq!(answer["residual"][0]["key"], "aws:SourceIp");
    assert_eq!(answer["residual"][0]["effect"], "Allow");
    let unread = json!({"id": 8, "request": {"principal": USER, "action": "s3:GetObject", "resource": OBJECT},
        "identity": [allow("*", "*")], "resource_policy": {"unknown": "AccessDenied"}});
    let answer = ask(&unread);
    assert_eq!(answer["residual"][0]["layer"], "resource");
    let certain = json!({"id": 9, "request": {"principal": USER, "action": "s3:GetObject", "resource": OBJECT},
        "identity": [{"name": "reader", "policy": allow("*", "*")}]});
    let answer = ask(&certain);
    assert_eq!(answer["residual"], Value::Null);
    assert_eq!(answer["because"][0]["policy"], "reader");
    assert_eq!(answer["because"][0]["statement"], "#0");
}

/// A range of every IPv4 address helps whoever is allowed, wherever from; nobody can be said to be denied by it who may
/// come by IPv6 or through an endpoint.
#[test]
fn the_whole_internet_as_a_source_widens_an_allow_and_never_a_deny() {
    let whole = || json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}});
    let two = || json!({"IpAddress": {"aws:SourceIp": ["198.51.100.0/24", "0.0.0.0/0"]}});
    let others = || json!({"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}});
    let exists = || json!({"IpAddressIfExists": {"aws:SourceIp": "0.0.0.0/0"}});
    for (what, deny, condition, source, want, open) in [
        ("allow, unknown", false, whole(), Value::Null, A, false),
        ("allow among others, unknown", false, two(), Value::Null, A, false),
        ("allow, IPv4", false, whole(), json!("198.51.100.7"), A, false),
        ("allow, IPv6", false, whole(), json!("2001:db8::1"), I, false),
        ("allow outside of it, unknown", false, others(), Value::Null, I, true),
        ("deny, unknown", true, whole(), Value::Null, E, true),
        ("deny among others, unknown", true, two(), Value::Null, E, true),
        ("deny if it exists, unknown", true, exists(), Value::Null, E, true),
        ("deny, IPv4", true, whole(), json!("198.51.100.7"), E, false),
        ("deny, IPv6", true, whole(), json!("2001:db8::1"), A, false),
        ("deny outside of it, unknown", true, others(), Value::Null, E, true),
    ] {
        let policies = if deny { json!([allow("*", "*"), deny_if(condition)]) } else { json!([allow_if(condition)]) };
        let line = json!({"id": what, "identity": policies, "request": {"principal": USER, "action": "s3:GetObject",
            "resource": OBJECT, "context": {"aws:SourceIp": source}}});
        let answer = ask(&line);
        assert_eq!(answer["decision"], want, "{what}: {answer}");
        let residual = answer["residual"].as_array().is_some_and(|r| r.iter().any(|r| r["key"] == "aws:SourceIp"));
        assert_eq!(residual, open, "{what}: {answer}");
    }
}

/// A session's ARN has lost the path of its role; a grant names the role with it.
#[test]
fn a_grant_to_a_role_serves_its_sessions() {
    let grants = |grantee: &str| json!({"grants": [{"grantee": grantee, "operations": ["Decrypt"]}]});
    check("by the role's ARN", SESSION, "kms:Decrypt", KEY, grants(ROLE), A);
    check("by another's", SESSION, "kms:Decrypt", KEY, grants("arn:aws:iam::111111111111:role/app/other"), I);
    check("another operation", SESSION, "kms:Encrypt", KEY, grants(ROLE), I);
}

#[test]
fn lines_that_make_no_sense_are_answered() {
    for line in [
        "",
        "{",
        "[]",
        "7",
        "{\"id\":1}",
        "{\"id\":2,\"request\":7}",
        "{\"id\":3,\"request\":{\"principal\":7,\"action\":\"s3:GetObject\"}}",
        "{\"id\":4,\"request\":{\"principal\":\"*\",\"action\":\"s3:GetObject\"},\"identity\":[7]}",
    ] {
        let answer: Value = serde_json::from_str(&can_line(line)).expect("answers are JSON");
        assert!(answer["error"].is_string(), "{line}: {answer}");
    }
}
