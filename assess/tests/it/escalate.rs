//! Escalation scenarios: for every method of the data a small account where it works, and accounts where something
//! forbids it.

use plumb_assess::identity::aws::{
    assess,
    data::{Method, methods},
};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111111111111";
const ADMIN_POLICY: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

pub(crate) fn arn(resource: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{resource}")
}

pub(crate) fn doc(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn inline(statements: Value) -> Value {
    json!([{"PolicyName": "p", "PolicyDocument": doc(statements)}])
}

pub(crate) fn trust(principal: Value) -> Value {
    let action = if principal.get("Federated").is_some() { "sts:AssumeRoleWithWebIdentity" } else { "sts:AssumeRole" };
    doc(json!([{"Effect": "Allow", "Principal": principal, "Action": action}]))
}

pub(crate) fn user(name: &str, statements: Value) -> Value {
    json!({"UserName": name, "UserId": format!("AIDA{name}"), "Arn": arn(&format!("user/{name}")), "Path": "/",
        "CreateDate": "2024-01-01T00:00:00Z", "UserPolicyList": inline(statements), "GroupList": [],
        "AttachedManagedPolicies": [], "Tags": []})
}

pub(crate) fn role(name: &str, trust: Value, statements: Value) -> Value {
    json!({"RoleName": name, "RoleId": format!("AROA{name}"), "Arn": arn(&format!("role/{name}")), "Path": "/",
        "CreateDate": "2024-01-01T00:00:00Z", "AssumeRolePolicyDocument": trust, "RolePolicyList": inline(statements),
        "AttachedManagedPolicies": [], "InstanceProfileList": [{"InstanceProfileName": name,
        "Arn": arn(&format!("instance-profile/{name}"))}], "Tags": []})
}

/// An account under test: the start is `user/start` or `role/start`.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub details: Value,
    pub resources: Option<Value>,
    pub org: Option<Value>,
    pub start: String,
}

impl Scenario {
    pub fn start(&mut self) -> &mut Value {
        let (list, at) = if self.start.contains(":user/") { ("UserDetailList", 0) } else { ("RoleDetailList", 0) };
        &mut self.details[list][at]
    }

    pub fn run(&self) -> (Value, Vec<Value>) {
        let text = |v: &Option<Value>| v.as_ref().map(Value::to_string);
        let (resources, org) = (text(&self.resources), text(&self.org));
        let out =
            assess(&self.details.to_string(), resources.as_deref(), org.as_deref()).expect("the scenario is read");
        let start = out.iter().find(|o| o["arn"] == self.start.as_str()).expect("the start is reported").clone();
        let edges = out.into_iter().filter(|o| o["from"] == self.start.as_str()).collect();
        (start, edges)
    }
}

pub(crate) fn admin_statement() -> Value {
    json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
}

pub(crate) fn nothing() -> Value {
    json!([{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}])
}

pub(crate) fn permissions(method: &Method) -> Value {
    let actions: Vec<&str> = method.requires.iter().map(|(p, _)| p.as_str()).collect();
    json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}])
}

/// The smallest account in which a method makes `start` an administrator; none for methods that never do.
pub(crate) fn scenario(method: &Method) -> Option<Scenario> {
    let how = &method.how;
    if how.limited || how.retired {
        return None;
    }
    let own = permissions(method);
    let base = |as_role: bool, own: Value| {
        let mut details = json!({"UserDetailList": [], "RoleDetailList": [], "GroupDetailList": [], "Policies": []});
        let start = if as_role {
            details["RoleDetailList"] = json!([role("start", trust(json!({"AWS": arn("user/nobody")})), own)]);
            arn("role/start")
        } else {
            details["UserDetailList"] = json!([user("start", own)]);
            arn("user/start")
        };
        Scenario { details, resources: None, org: None, start }
    };
    let push = |s: &mut Scenario, list: &str, item: Value| {
        if let Some(items) = s.details[list].as_array_mut() {
            items.push(item);
        }
    };
    let managed = |name: &str, versions: Value| {
        json!({"PolicyName": name, "Arn": arn(&format!("policy/{name}")), "DefaultVersionId": "v1",
            "PolicyVersionList": versions})
    };
    let version = |id: &str, default: bool, statements: Value| json!({"VersionId": id, "IsDefaultVersion": default, "Document": doc(statements)});
    let attach = |item: &mut Value, policy: &str| {
        item["AttachedManagedPolicies"] = json!([{"PolicyName": "x", "PolicyArn": policy}]);
    };
    let to_start = |s: &Scenario| trust(json!({"AWS": s.start}));
    let mut s;
    match how.kind.as_str() {
        "self-write" => {
            s = base(how.write.ends_with("role"), own.clone());
            match how.write.as_str() {
                "policy-version" => {
                    push(&mut s, "Policies", managed("mine", json!([version("v1", true, own)])));
                    attach(s.start(), &arn("policy/mine"));
                    s.start()["UserPolicyList"] = json!([]);
                }
                "attach-group" | "put-group" => {
                    push(
                        &mut s,
                        "GroupDetailList",
                        json!({"GroupName": "team", "Arn": arn("group/team"), "GroupPolicyList": []}),
                    );
                    s.start()["GroupList"] = json!(["team"]);
                }
                _ => {}
            }
        }
        "older-version" => {
            s = base(false, own.clone());
            let versions = json!([version("v1", true, nothing()), version("v2", false, admin_statement())]);
            push(&mut s, "Policies", managed("mine", versions));
            attach(s.start(), &arn("policy/mine"));
        }
        "join-group" => {
            s = base(false, own);
            push(
                &mut s,
                "GroupDetailList",
                json!({"GroupName": "admins", "Arn": arn("group/admins"),
                "AttachedManagedPolicies": [{"PolicyArn": ADMIN_POLICY}]}),
            );
        }
        "self-unbound" | "edit-boundary" => {
            s = base(false, admin_statement());
            push(&mut s, "Policies", managed("limit", json!([version("v1", true, own)])));
            s.start()["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": arn("policy/limit")});
        }
        "unbind-role" => {
            s = base(false, own);
            let mut target = role("target", to_start(&s), admin_statement());
            push(&mut s, "Policies", managed("limit", json!([version("v1", true, nothing())])));
            target["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": arn("policy/limit")});
            push(&mut s, "RoleDetailList", target);
        }
        "drop-deny" => {
            let as_role = how.source.starts_with("role");
            s = base(as_role, admin_statement());
            let action = &method.requires[0].0;
            let denied = json!([{"Effect": "Deny", "NotAction": [action], "Resource": "*"}]);
            let list = if as_role { "RolePolicyList" } else { "UserPolicyList" };
            if how.source.ends_with("inline") {
                s.start()[list] = json!([{"PolicyName": "a", "PolicyDocument": doc(denied)}]);
                attach(s.start(), ADMIN_POLICY);
            } else if how.source == "group" {
                push(
                    &mut s,
                    "GroupDetailList",
                    json!({"GroupName": "held", "Arn": arn("group/held"),
                    "GroupPolicyList": inline(denied)}),
                );
                s.start()["GroupList"] = json!(["held"]);
            } else {
                push(&mut s, "Policies", managed("deny", json!([version("v1", true, denied)])));
                attach(s.start(), &arn("policy/deny"));
            }
        }
        "tag-self" => {
            let own = json!([{"Effect": "Allow", "Action": method.requires[0].0, "Resource": "*"},
                {"Effect": "Allow", "Action": "*", "Resource": "*",
                 "Condition": {"StringEquals": {"aws:PrincipalTag/level": "chief"}}}]);
            s = base(how.actor == "role", own);
        }
        "take-user" => {
            s = base(false, own);
            push(&mut s, "UserDetailList", user("target", admin_statement()));
        }
        "take-role" => {
            s = base(false, own);
            push(
                &mut s,
                "RoleDetailList",
                role("target", trust(json!({"Service": "ec2.amazonaws.com"})), admin_statement()),
            );
        }
        "assume" => {
            s = base(false, own);
            push(&mut s, "RoleDetailList", role("target", trust(json!({"AWS": arn("root")})), admin_statement()));
        }
        "write-and-take" => {
            s = base(false, own);
            let mut target = match how.take.as_str() {
                "key" => user("target", nothing()),
                "assume" => role("target", to_start(&s), nothing()),
                _ => role("target", trust(json!({"Service": "ec2.amazonaws.com"})), nothing()),
            };
            if how.write == "policy-version" {
                push(&mut s, "Policies", managed("theirs", json!([version("v1", true, nothing())])));
                attach(&mut target, &arn("policy/theirs"));
            }
            push(&mut s, if how.take == "key" { "UserDetailList" } else { "RoleDetailList" }, target);
        }
        "new-role" | "new-user" | "permission-set" => s = base(false, own),
        "provider" => {
            s = base(false, own);
            let provider =
                if method.id.contains("saml") { "saml-provider/corp" } else { "oidc-provider/idp.example.com" };
            push(
                &mut s,
                "RoleDetailList",
                role("target", trust(json!({"Federated": arn(provider)})), admin_statement()),
            );
        }
        "pass" | "workload" => {
            let mut own = own;
            if how.controls == "aws_instance" {
                own[0]["Action"].as_array_mut()?.push(json!("ssm:StartSession"));
            }
            s = base(false, own);
            let service = how.services[0].as_str();
            let principal = if service.starts_with("cognito") {
                json!({"Federated": service})
            } else {
                json!({"Service": service})
            };
            push(&mut s, "RoleDetailList", role("target", trust(principal), admin_statement()));
            if how.kind == "workload" {
                s.resources =
                    Some(json!([{"type": how.types[0], "name": "it", "attrs": {"role_arn": arn("role/target")}}]));
            } else if !how.controls.is_empty() {
                s.resources = Some(json!([{"type": how.controls, "name": "it", "attrs": {}}]));
            }
        }
        _ => return None,
    }
    Some(s)
}

#[test]
fn every_method_works_where_it_should() {
    let mut tried = 0;
    for method in methods() {
        let Some(scenario) = scenario(method) else { continue };
        let (start, edges) = scenario.run();
        assert_eq!(start["admin"], false, "{}", method.id);
        assert_eq!(start["can_become_admin"], true, "{}: {edges:?}", method.id);
        assert!(!start["steps"].as_array().expect("steps are a list").is_empty(), "{}", method.id);
        let begins = start["methods"].as_array().is_some_and(|m| m.iter().any(|m| *m == method.id.as_str()));
        assert!(begins, "{} is not among {}", method.id, start["methods"]);
        let edge = edges.iter().find(|e| e["method"] == method.id.as_str()).expect("the method has an edge");
        assert!(edge["because"].as_array().is_some_and(|b| !b.is_empty()), "{}: {edge}", method.id);
        tried += 1;
    }
    assert_eq!(tried, 141, "methods that lead to administration; `limits` has the others");
}

/// Every scenario with one thing changed: the start must not become an administrator.
#[track_caller]
fn forbid(what: &str, change: impl Fn(&Method, &mut Scenario) -> bool) {
    let mut tried = 0;
    for method in methods() {
        let Some(mut scenario) = scenario(method) else { continue };
        if !change(method, &mut scenario) {
            continue;
        }
        let (start, edges) = scenario.run();
        assert_eq!(start["can_become_admin"], false, "{what}, {}: {edges:?}", method.id);
        assert!(edges.iter().all(|e| e["leads_to_admin"] == false), "{what}, {}: {edges:?}", method.id);
        tried += 1;
    }
    assert!(tried > 20, "{what}: tried {tried}");
}

/// A permission whose denial stops the method for certain: of several ways to the same end the data names one.
fn key_permission(method: &Method) -> Option<String> {
    let how = &method.how;
    match how.kind.as_str() {
        "pass" => Some("iam:PassRole".into()),
        // One call of several may do by another method, so the whole service goes.
        "workload" => method.requires.first().and_then(|(p, _)| p.split(':').next()).map(|s| format!("{s}:*")),
        "permission-set" => method.requires.first().and_then(|(p, _)| p.split(':').next()).map(|s| format!("{s}:*")),
        "provider" | "older-version" | "join-group" | "take-user" | "take-role" | "assume" | "self-write" => {
            method.requires.last().map(|(p, _)| p.clone())
        }
        _ => None,
    }
}

#[test]
fn an_explicit_deny_forbids() {
    forbid("deny", |method, s| {
        let Some(permission) = key_permission(method) else { return false };
        let list = if s.start.contains(":user/") { "UserPolicyList" } else { "RolePolicyList" };
        let denied = doc(json!([{"Effect": "Deny", "Action": permission, "Resource": "*"}]));
        let mut policies = s.start()[list].clone();
        policies.as_array_mut().expect("a list").push(json!({"PolicyName": "no", "PolicyDocument": denied}));
        s.start()[list] = policies;
        true
    });
}

#[test]
fn a_boundary_forbids() {
    forbid("boundary", |method, s| {
        if !matches!(s.start()["PermissionsBoundary"], Value::Null) || method.how.kind == "drop-deny" {
            return false;
        }
        // A role whose trust policy names the user directly needs no identity permission.
        if matches!(method.how.kind.as_str(), "tag-self") {
            return false;
        }
        let limit = json!({"PolicyName": "ro", "Arn": arn("policy/ro"), "DefaultVersionId": "v1", "PolicyVersionList":
            [{"VersionId": "v1", "IsDefaultVersion": true, "Document": doc(json!([{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]))}]});
        s.details["Policies"].as_array_mut().expect("a list").push(limit);
        s.start()["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": arn("policy/ro")});
        true
    });
}

#[test]
fn a_guardrail_forbids() {
    forbid("scp", |method, s| {
        let Some(permission) = key_permission(method) else { return false };
        s.org = Some(
            json!({"scps": [{"orgIdentifier": "r-1", "policies": [{"name": "full", "policy": doc(admin_statement())},
            {"name": "no", "policy": doc(json!([{"Effect": "Deny", "Action": permission, "Resource": "*"}]))}]}]}),
        );
        true
    });
}

#[test]
fn a_condition_forbids() {
    forbid("mfa", |method, s| {
        if matches!(method.how.kind.as_str(), "self-unbound" | "edit-boundary" | "drop-deny" | "tag-self") {
            return false;
        }
        // Roles that name the start in their trust policy need nothing of it.
        let list = if s.start.contains(":user/") { "UserPolicyList" } else { "RolePolicyList" };
        let mut own = permissions(method);
        own[0]["Condition"] = json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
        s.start()[list] = inline(own.clone());
        if method.how.write == "policy-version" && method.how.kind == "self-write" {
            s.details["Policies"][0]["PolicyVersionList"][0]["Document"] = doc(own);
        }
        true
    });
}

#[test]
fn missing_trust_or_target_forbids() {
    forbid("other service", |method, s| {
        if !matches!(method.how.kind.as_str(), "pass" | "workload") {
            return false;
        }
        s.details["RoleDetailList"][0]["AssumeRolePolicyDocument"] =
            trust(json!({"Service": "firehose.amazonaws.com"}));
        true
    });
    forbid("no workload", |method, s| {
        if method.how.kind != "workload" {
            return false;
        }
        s.resources = Some(json!([]));
        true
    });
    forbid("passed to another service", |method, s| {
        if method.how.kind != "pass" {
            return false;
        }
        let mut own = permissions(method);
        own[0]["Condition"] = json!({"StringEqualsIfExists": {"iam:PassedToService": "firehose.amazonaws.com"}});
        s.start()["UserPolicyList"] = inline(own);
        true
    });
    forbid("source account of another", |method, s| {
        if method.how.kind != "pass" {
            return false;
        }
        let mut document = s.details["RoleDetailList"][0]["AssumeRolePolicyDocument"].clone();
        document["Statement"][0]["Condition"] = json!({"StringEquals": {"aws:SourceAccount": "999999999999"}});
        s.details["RoleDetailList"][0]["AssumeRolePolicyDocument"] = document;
        true
    });
    forbid("the role is no administrator", |method, s| {
        if !matches!(method.how.kind.as_str(), "pass" | "workload") {
            return false;
        }
        s.details["RoleDetailList"][0]["RolePolicyList"] = inline(nothing());
        true
    });
}
