//! Accounts that look like a way to administration and are none, each beside the account in which it is one.

use super::escalate::{ACCOUNT, Scenario, admin_statement, arn, doc, nothing, role, trust, user};
use serde_json::{Value, json};

/// A user with `statements` and an administrator's role that trusts `trusted`.
fn account(statements: Value, trusted: Value) -> Scenario {
    let mut details = json!({"UserDetailList": [user("start", statements)], "GroupDetailList": [], "Policies": []});
    details["RoleDetailList"] = json!([role("chief", trusted, admin_statement())]);
    Scenario { details, resources: None, org: None, start: arn("user/start") }
}

fn allow(actions: &[&str], resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resource})
}

fn when(mut statement: Value, condition: Value) -> Value {
    statement["Condition"] = condition;
    statement
}

#[track_caller]
fn wins(what: &str, scenario: &Scenario, want: bool) {
    let (start, edges) = scenario.run();
    assert_eq!(start["admin"], false, "{what}");
    assert_eq!(start["can_become_admin"], want, "{what}: {edges:#?}");
    assert!(want || edges.iter().all(|e| e["leads_to_admin"] == false), "{what}: {edges:#?}");
}

/// The statements of the user alone decide; the account has an administrator's role for `service`.
#[track_caller]
fn check(what: &str, service: &str, statements: Value, want: bool) {
    wins(what, &account(statements, trust(json!({"Service": service}))), want);
}

const LAMBDA: &str = "lambda.amazonaws.com";
const EC2: &str = "ec2.amazonaws.com";
const CREATE: &[&str] = &["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"];

#[test]
fn passing_roles() {
    check("everything is there", LAMBDA, json!([allow(CREATE, "*")]), true);
    check("the role trusts another service", EC2, json!([allow(CREATE, "*")]), false);
    let held = |resource: &str| {
        json!([allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], "*"), allow(&["iam:PassRole"], resource)])
    };
    check("this role may be passed", LAMBDA, held(&arn("role/chief")), true);
    check("only others may be passed", LAMBDA, held(&arn("role/app-*")), false);
    check("roles of another path", LAMBDA, held(&arn("role/team/*")), false);
    check("roles of another account", LAMBDA, held("arn:aws:iam::222222222222:role/*"), false);
    check("one character stands in", LAMBDA, held(&arn("role/chie?")), true);
    check("two do not", LAMBDA, held(&arn("role/chie??")), false);
    let to = |condition: Value| {
        json!([
            allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], "*"),
            when(allow(&["iam:PassRole"], "*"), condition)
        ])
    };
    check("to this service", LAMBDA, to(json!({"StringEquals": {"iam:PassedToService": LAMBDA}})), true);
    check("to another service", LAMBDA, to(json!({"StringEquals": {"iam:PassedToService": EC2}})), false);
    check("to any but this", LAMBDA, to(json!({"StringNotEquals": {"iam:PassedToService": LAMBDA}})), false);
    check("to services like it", LAMBDA, to(json!({"StringLike": {"iam:PassedToService": "lambda.*"}})), true);
    let but = |deny: Value| json!([allow(CREATE, "*"), deny]);
    let deny = |action: &str, resource: &str| json!({"Effect": "Deny", "Action": action, "Resource": resource});
    check("denied for this role", LAMBDA, but(deny("iam:PassRole", &arn("role/chief"))), false);
    check("denied for another", LAMBDA, but(deny("iam:PassRole", &arn("role/other"))), true);
    check("no function may be made", LAMBDA, but(deny("lambda:Create*", "*")), false);
    check("denied without these", LAMBDA, but(json!({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"})), false);
    let tagged = when(deny("lambda:CreateFunction", "*"), json!({"Null": {"aws:RequestTag/owner": "true"}}));
    check("a tag it can give", LAMBDA, but(tagged), true);
    let unlike = when(deny("iam:PassRole", "*"), json!({"StringNotEquals": {"aws:RequestTag/owner": "x"}}));
    check("a tag this call never carries", LAMBDA, but(unlike), false);
    let machine = |resource: &str| json!([allow(&["iam:PassRole"], "*"), allow(&["ec2:RunInstances"], resource)]);
    check("a machine", EC2, machine("*"), true);
    check("a machine without network", EC2, machine("arn:aws:ec2:*:*:instance/*"), false);
}

#[test]
fn writing_policies() {
    let put = |resource: &str, condition: Value| {
        let statement = allow(&["iam:PutUserPolicy"], resource);
        json!([if condition.is_null() { statement } else { when(statement, condition) }])
    };
    let own = arn("user/start");
    check("own policies", LAMBDA, put(&own, Value::Null), true);
    check("own policies by variable", LAMBDA, put(&arn("user/${aws:username}"), Value::Null), true);
    check("policies of others", LAMBDA, put(&arn("user/other"), Value::Null), false);
    check("names are case-sensitive", LAMBDA, put(&arn("user/Start"), Value::Null), false);
    check(
        "with a tag the call does not carry",
        LAMBDA,
        put(&own, json!({"StringEquals": {"aws:RequestTag/a": "b"}})),
        false,
    );
    check(
        "with a key of another service",
        LAMBDA,
        put(&own, json!({"StringEquals": {"ec2:Region": "eu-west-1"}})),
        false,
    );
    check("where IAM answers", LAMBDA, put(&own, json!({"StringEquals": {"aws:RequestedRegion": "us-east-1"}})), true);
    check(
        "where IAM does not",
        LAMBDA,
        put(&own, json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})),
        false,
    );
    check("from anywhere", LAMBDA, put(&own, json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})), true);
    check("from one network", LAMBDA, put(&own, json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})), false);
    check("by its id", LAMBDA, put(&own, json!({"StringEquals": {"aws:userid": "AIDAstart"}})), true);
    check("by another's", LAMBDA, put(&own, json!({"StringEquals": {"aws:userid": "AIDAother"}})), false);
    check("in one department", LAMBDA, put(&own, json!({"StringEquals": {"aws:PrincipalTag/dept": "it"}})), false);
    let attach = |policy: &str| {
        json!([when(allow(&["iam:AttachUserPolicy"], "*"), json!({"ArnEquals": {"iam:PolicyARN": policy}}))])
    };
    check("attach anything of AWS", LAMBDA, attach("arn:aws:iam::aws:policy/*"), true);
    check("attach a reader's policy", LAMBDA, attach("arn:aws:iam::aws:policy/ReadOnlyAccess"), false);
    let mut old = account(nothing(), trust(json!({"Service": LAMBDA})));
    old.start()["UserPolicyList"][0]["PolicyDocument"] = json!({"Version": "2008-10-17",
        "Statement": [allow(&["iam:PutUserPolicy"], &arn("user/${aws:username}"))]});
    wins("variables are text in the old version", &old, false);
}

#[test]
fn versions_and_groups() {
    let policy = |name: &str, versions: Value| {
        json!({"PolicyName": name, "Arn": arn(&format!("policy/{name}")), "DefaultVersionId": "v1",
            "PolicyVersionList": versions})
    };
    let version = |id: &str, statements: Value| json!({"VersionId": id, "IsDefaultVersion": id == "v1", "Document": doc(statements)});
    let own = json!([allow(&["iam:SetDefaultPolicyVersion", "iam:CreatePolicyVersion"], &arn("policy/mine"))]);
    let with = |statements: Value, attached: bool, versions: Value| {
        let mut s = account(statements, trust(json!({"Service": EC2})));
        s.details["Policies"] = json!([policy("mine", versions)]);
        if attached {
            s.start()["AttachedManagedPolicies"] = json!([{"PolicyName": "mine", "PolicyArn": arn("policy/mine")}]);
        }
        s
    };
    let one = json!([version("v1", nothing())]);
    wins("a new version of its policy", &with(own.clone(), true, one.clone()), true);
    wins("a new version of a policy nobody holds", &with(own, false, one.clone()), false);
    let set = json!([allow(&["iam:SetDefaultPolicyVersion"], "*")]);
    let older = |statements: Value| json!([version("v1", nothing()), version("v2", statements)]);
    wins("an older version with everything", &with(set.clone(), true, older(admin_statement())), true);
    wins("an older version with little", &with(set.clone(), true, older(nothing())), false);
    wins("no older version", &with(set, true, one), false);
    let group = |attached: Value| {
        let mut s = account(json!([allow(&["iam:AddUserToGroup"], "*")]), trust(json!({"Service": EC2})));
        s.details["GroupDetailList"] =
            json!([{"GroupName": "g", "Arn": arn("group/g"), "AttachedManagedPolicies": attached}]);
        s
    };
    wins(
        "the administrators' group",
        &group(json!([{"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}])),
        true,
    );
    wins("the readers' group", &group(json!([{"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}])), false);
}

#[test]
fn assuming_roles() {
    let trusted = |principal: Value, actions: Value, condition: Value| {
        let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": actions});
        if !condition.is_null() {
            statement["Condition"] = condition;
        }
        doc(json!([statement]))
    };
    let own = json!([allow(&["sts:AssumeRole", "sts:TagSession"], "*")]);
    let start = || json!({"AWS": arn("user/start")});
    let root = || json!({"AWS": arn("root")});
    let assume = || json!("sts:AssumeRole");
    let tag = || json!({"StringEquals": {"aws:RequestTag/project": "x"}});
    let both = || json!(["sts:AssumeRole", "sts:TagSession"]);
    for (what, statements, document, want) in [
        ("trusted by name", nothing(), trusted(start(), assume(), Value::Null), true),
        ("trusted by account", own.clone(), trusted(root(), assume(), Value::Null), true),
        ("trusted by account alone", nothing(), trusted(root(), assume(), Value::Null), false),
        ("another user is trusted", own.clone(), trusted(json!({"AWS": arn("user/x")}), assume(), Value::Null), false),
        (
            "another account is trusted",
            own.clone(),
            trusted(json!({"AWS": "222222222222"}), assume(), Value::Null),
            false,
        ),
        (
            "an external id",
            own.clone(),
            trusted(start(), assume(), json!({"StringEquals": {"sts:ExternalId": "s3cr3t"}})),
            false,
        ),
        (
            "a second factor",
            own.clone(),
            trusted(start(), assume(), json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
            false,
        ),
        (
            "a session name it chooses",
            own.clone(),
            trusted(start(), assume(), json!({"StringLike": {"sts:RoleSessionName": "deploy-*"}})),
            true,
        ),
        ("a session tag", own.clone(), trusted(start(), both(), tag()), true),
        ("a session tag it may not give", own.clone(), trusted(start(), assume(), tag()), false),
        (
            "a source identity",
            own.clone(),
            trusted(
                start(),
                json!(["sts:AssumeRole", "sts:SetSourceIdentity"]),
                json!({"StringEquals": {"sts:SourceIdentity": "me"}}),
            ),
            true,
        ),
        (
            "a source identity it may not set",
            own.clone(),
            trusted(start(), assume(), json!({"StringEquals": {"sts:SourceIdentity": "me"}})),
            false,
        ),
        (
            "its name in the path",
            own.clone(),
            trusted(root(), assume(), json!({"ArnLike": {"aws:PrincipalArn": arn("user/st*")}})),
            true,
        ),
        (
            "another's",
            own.clone(),
            trusted(root(), assume(), json!({"ArnLike": {"aws:PrincipalArn": arn("role/*")}})),
            false,
        ),
        (
            "not in this organization",
            own.clone(),
            trusted(json!("*"), assume(), json!({"StringEquals": {"aws:PrincipalOrgID": "o-other"}})),
            false,
        ),
        (
            "all but it",
            own,
            json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": root(), "Action": "sts:AssumeRole"},
            {"Effect": "Deny", "Principal": start(), "Action": "sts:*"}]}),
            false,
        ),
    ] {
        wins(what, &account(statements, document), want);
    }
}

#[test]
fn guardrails_and_boundaries() {
    let guarded = |statements: Value, policies: Value| {
        let mut s = account(statements, trust(json!({"Service": LAMBDA})));
        let full = json!({"name": "full", "policy": doc(admin_statement())});
        s.org = Some(json!({"scps": [{"orgIdentifier": "r", "policies": [full]},
            {"orgIdentifier": ACCOUNT, "policies": policies}]}));
        s
    };
    let create = || json!([allow(CREATE, "*")]);
    let outside = |not: Value| {
        json!([doc(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "NotAction": not, "Resource": "*",
             "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-central-1"]}}}]))])
    };
    wins("in the region that is left", &guarded(create(), outside(json!(["iam:*", "sts:*"]))), true);
    wins("IAM is not in that region", &guarded(create(), outside(json!(["sts:*"]))), false);
    wins("a level without an allow", &guarded(create(), json!([])), false);
    wins("a level for another service", &guarded(create(), json!([doc(json!([allow(&["s3:*"], "*")]))])), false);
    let others = json!([doc(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*",
         "Condition": {"ArnNotLike": {"aws:PrincipalArn": arn("user/st*")}}}]))]);
    wins("an exception for it", &guarded(create(), others), true);
    let mut managed = guarded(create(), json!([]));
    managed.org.as_mut().expect("the organization is set")["management_account"] = json!(true);
    wins("guardrails do not bind the management account", &managed, true);

    // The role to be passed is held back itself.
    let mut bounded = account(create(), trust(json!({"Service": LAMBDA})));
    bounded.details["Policies"] = json!([{"PolicyName": "limit", "Arn": arn("policy/limit"), "DefaultVersionId": "v1",
        "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": doc(json!([allow(&["s3:*"], "*")]))}]}]);
    bounded.details["RoleDetailList"][0]["PermissionsBoundary"] =
        json!({"PermissionsBoundaryArn": arn("policy/limit")});
    wins("the target is bounded", &bounded, false);
    let mut unread = account(create(), trust(json!({"Service": LAMBDA})));
    unread.details["RoleDetailList"][0]["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": arn("policy/gone")});
    wins("the target's boundary could not be read", &unread, false);
    // What is created must carry a boundary.
    let born = |boundary: Value| {
        let make = when(allow(&["iam:CreateUser", "iam:AttachUserPolicy", "iam:CreateAccessKey"], "*"), boundary);
        account(json!([make]), trust(json!({"Service": EC2})))
    };
    wins(
        "whom it makes is bounded",
        &born(json!({"StringEquals": {"iam:PermissionsBoundary": arn("policy/b")}})),
        false,
    );
}

#[test]
fn what_exists() {
    let function = |role: &str, name: &str| {
        json!({"type": "aws_lambda_function", "name": name, "attrs":
        {"function_name": name, "role": arn(&format!("role/{role}")), "arn": format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}")}})
    };
    let update = |resource: &str| json!([allow(&["lambda:UpdateFunctionCode", "lambda:InvokeFunction"], resource)]);
    let with = |statements: Value, items: Value| {
        let mut s = account(statements, trust(json!({"Service": LAMBDA})));
        let list = s.details["RoleDetailList"].as_array_mut().expect("a list");
        list.push(role("small", trust(json!({"Service": LAMBDA})), nothing()));
        s.resources = Some(items);
        s
    };
    wins("a function with the role", &with(update("*"), json!([function("chief", "f")])), true);
    wins("functions with another role", &with(update("*"), json!([function("small", "f")])), false);
    wins("no function", &with(update("*"), json!([])), false);
    let of = |name: &str| format!("arn:aws:lambda:*:{ACCOUNT}:function:{name}");
    wins("this function", &with(update(&of("f")), json!([function("chief", "f")])), true);
    wins("the other function", &with(update(&of("g")), json!([function("chief", "f"), function("small", "g")])), false);

    let key = json!([allow(&["iam:CreateAccessKey"], "*")]);
    let keys = |count: usize| {
        let mut s = with(
            key.clone(),
            json!(
                (0..count)
                    .map(|i| json!({"type": "aws_iam_access_key", "name": i.to_string(),
            "attrs": {"user": "boss", "status": "Active"}}))
                    .collect::<Vec<_>>()
            ),
        );
        s.details["UserDetailList"].as_array_mut().expect("a list").push(user("boss", admin_statement()));
        s
    };
    wins("one key is there", &keys(1), true);
    wins("both keys are there", &keys(2), false);

    let instance = |tags: Value| {
        json!([{"type": "aws_instance", "name": "i", "attrs": {"id": "i-0123456789abcdef0",
        "iam_instance_profile": "chief", "tags": tags}}])
    };
    let send = |condition: Value| {
        let mut on = allow(&["ssm:SendCommand"], "arn:aws:ec2:*:*:instance/*");
        on["Condition"] = condition;
        json!([allow(&["ssm:SendCommand"], "arn:aws:ssm:*:*:document/*"), on])
    };
    let machine = |tags: Value, condition: Value| {
        let mut s = account(send(condition), trust(json!({"Service": EC2})));
        s.resources = Some(instance(tags));
        s
    };
    let dev = json!({"StringEquals": {"ssm:resourceTag/env": "dev"}});
    wins("commands on what is tagged so", &machine(json!({"env": "dev"}), dev.clone()), true);
    wins("commands on what is tagged otherwise", &machine(json!({"env": "prod"}), dev), false);
}
