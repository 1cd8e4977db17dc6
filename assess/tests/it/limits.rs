//! The methods that do not make an administrator of this account by themselves: what they give, and what they need.

use super::escalate::{Scenario, admin_statement, arn, doc, nothing, permissions, role, scenario, trust, user};
use plumb_assess::identity::aws::{
    assess,
    data::{Method, methods},
};
use serde_json::{Value, json};

/// A change that takes away what a method needs.
type Spoil = fn(&mut Scenario);

fn no_resources(s: &mut Scenario) {
    s.resources = Some(json!([]));
}

fn not_management(s: &mut Scenario) {
    s.org = Some(json!({"management_account": false}));
}

fn other_service(s: &mut Scenario) {
    s.details["RoleDetailList"][0]["AssumeRolePolicyDocument"] = trust(json!({"Service": "firehose.amazonaws.com"}));
}

/// The resource's own policy denies everyone.
fn denied_by_resource(s: &mut Scenario) {
    let policy = doc(json!([{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}])).to_string();
    if let Some(items) = s.resources.as_mut().and_then(Value::as_array_mut) {
        items[0]["attrs"]["policy"] = json!(policy);
    }
}

fn first_attr(s: &mut Scenario, name: &str, value: Value) {
    if let Some(items) = s.resources.as_mut().and_then(Value::as_array_mut) {
        items[0]["attrs"][name] = value;
    }
}

/// The smallest account in which a method has its edge, and what spoils it.
fn limited(method: &Method) -> Option<(Scenario, Vec<Spoil>)> {
    let how = &method.how;
    let start = user("start", permissions(method));
    let mut s = Scenario {
        details: json!({"UserDetailList": [start], "RoleDetailList": [], "GroupDetailList": [], "Policies": []}),
        resources: None,
        org: None,
        start: arn("user/start"),
    };
    let mut spoils: Vec<Spoil> = Vec::new();
    let item = |kind: &str, attrs: Value| json!({"type": kind, "name": "it", "attrs": attrs});
    let target = |s: &mut Scenario, principal: Value| {
        s.details["RoleDetailList"] = json!([role("target", trust(principal), admin_statement())]);
    };
    match how.kind.as_str() {
        "take-user" => {
            s.details["UserDetailList"].as_array_mut()?.push(user("target", admin_statement()));
            if how.needs == "inactive-key" {
                s.resources =
                    Some(json!([item("aws_iam_access_key", json!({"user": "target", "status": "Inactive"}))]));
                spoils.push(|s| first_attr(s, "status", json!("Active")));
                spoils.push(no_resources);
            }
        }
        "guardrail" | "member" => {
            s.org = Some(json!({"management_account": true}));
            spoils.push(not_management);
        }
        "permission-set" => {}
        "pass" => {
            target(&mut s, json!({"Service": how.services[0]}));
            spoils.push(other_service);
        }
        "workload" => {
            target(&mut s, json!({"Service": how.services[0]}));
            let attrs =
                json!({"iam_instance_profile": "target", "id": "i-0123456789abcdef0", "get_password_data": true});
            s.resources = Some(json!([item(&how.types[0], attrs)]));
            spoils.extend([no_resources as Spoil, |s| first_attr(s, "get_password_data", json!(false)), other_service]);
        }
        "poison" => {
            target(&mut s, json!({"Service": "glue.amazonaws.com"}));
            let attrs = json!({"role_arn": arn("role/target"), "command": [{"script_location": "s3://code/job.py"}]});
            s.resources = Some(json!([item(&how.types[0], attrs), item("aws_s3_bucket", json!({"bucket": "code"}))]));
            spoils.push(no_resources);
            spoils.push(|s| first_attr(s, "command", json!([])));
            // The bucket's policy keeps everyone from writing.
            spoils.push(|s| {
                let policy = doc(json!([{"Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": "*"}]));
                let attach =
                    json!({"type": "aws_s3_bucket_policy", "name": "p", "attrs": {"bucket": "code", "policy": policy}});
                s.resources.as_mut().and_then(Value::as_array_mut).expect("a list").push(attach);
            });
        }
        "resource" => {
            let attrs = json!({"name": "it", "bucket": "it", "key": "prod/terraform.tfstate", "key_id": "1234",
                "iam_database_authentication_enabled": true});
            s.resources = Some(json!([item(&how.types[0], attrs)]));
            spoils.push(no_resources);
            if matches!(
                method.requires[0].0.split(':').next(),
                Some("s3" | "kms" | "secretsmanager" | "sqs" | "sns" | "ecr")
            ) {
                spoils.push(denied_by_resource);
            }
            match how.needs.as_str() {
                "state" => spoils.push(|s| first_attr(s, "key", json!("readme.txt"))),
                "iam-auth" => spoils.push(|s| first_attr(s, "iam_database_authentication_enabled", json!(false))),
                _ => {}
            }
        }
        _ => return None,
    }
    Some((s, spoils))
}

fn has_edge(s: &Scenario, method: &Method) -> bool {
    let (_, edges) = s.run();
    edges.iter().any(|e| e["method"] == method.id.as_str() && e["because"].as_array().is_some_and(|b| !b.is_empty()))
}

#[test]
fn every_other_method_has_its_edge_and_its_needs() {
    let mut tried = 0;
    for method in methods().iter().filter(|m| scenario(m).is_none()) {
        let Some((s, spoils)) = limited(method) else { continue };
        assert!(has_edge(&s, method), "{} has no edge: {:?}", method.id, s.run().1);
        let (start, _) = s.run();
        let wins = method.how.kind == "poison";
        assert_eq!(start["can_become_admin"], wins, "{}", method.id);
        for (i, spoil) in spoils.iter().enumerate() {
            let mut spoilt = s.clone();
            spoil(&mut spoilt);
            assert!(!has_edge(&spoilt, method), "{} in spite of spoil {i}", method.id);
        }
        for (permission, _) in &method.requires {
            let mut denied = s.clone();
            let deny = doc(json!([{"Effect": "Deny", "Action": permission, "Resource": "*"}]));
            let list = denied.start()["UserPolicyList"].as_array_mut().expect("a list");
            list.push(json!({"PolicyName": "no", "PolicyDocument": deny}));
            assert!(!has_edge(&denied, method), "{} without {permission}", method.id);
            let mut bound = s.clone();
            bound.details["Policies"] = json!([{"Arn": arn("policy/ro"), "DefaultVersionId": "v1", "PolicyVersionList":
                [{"VersionId": "v1", "IsDefaultVersion": true, "Document": doc(nothing())}]}]);
            bound.start()["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": arn("policy/ro")});
            assert!(!has_edge(&bound, method), "{} in spite of a boundary", method.id);
        }
        tried += 1;
    }
    // Two begin outside; see the next test.
    assert_eq!(tried, 184 - 141 - 2, "methods with limits");
}

#[test]
fn open_issuers_are_edges_from_outside() {
    let github = "token.actions.githubusercontent.com";
    let cognito = "cognito-identity.amazonaws.com";
    let statement = |provider: Value, condition: Value| {
        doc(json!([{"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition}]))
    };
    let provider = json!(arn(&format!("oidc-provider/{github}")));
    let sub = |v: &str| json!({"StringLike": {format!("{github}:sub"): v}});
    let amr = |v: &str| {
        json!({"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:1"},
        "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": v}})
    };
    for (what, trust, from, method) in [
        ("no subject", statement(provider.clone(), json!({})), github, Some("aws.sts.web-identity-loose-subject")),
        ("any subject", statement(provider.clone(), sub("repo:*")), github, Some("aws.sts.web-identity-loose-subject")),
        ("one owner", statement(provider.clone(), sub("repo:acme/*")), github, None),
        ("one repository", statement(provider, sub("repo:acme/app:*")), github, None),
        ("no sign-in", statement(json!(cognito), amr("unauthenticated")), cognito, Some("aws.cognito.unauth-identity")),
        ("signed in", statement(json!(cognito), amr("authenticated")), cognito, None),
    ] {
        let details = json!({"RoleDetailList": [role("target", trust, admin_statement())]});
        let out = assess(&details.to_string(), None, None).expect("the details are read");
        let found = out.iter().find(|o| o["from"] == from).map(|o| o["method"].as_str().unwrap_or_default());
        assert_eq!(found, method, "{what}: {out:?}");
    }
}

/// Whether `start` has an edge by `method` when it may do `actions` on what exists.
#[track_caller]
fn check(what: &str, method: &str, statements: Value, role_trust: &str, resources: Value, want: bool) {
    let details = json!({"UserDetailList": [user("start", statements)],
        "RoleDetailList": [role("target", trust(json!({"Service": role_trust})), admin_statement())]});
    let s = Scenario { details, resources: Some(resources), org: None, start: arn("user/start") };
    let (start, edges) = s.run();
    assert_eq!(edges.iter().any(|e| e["method"] == method), want, "{what}: {edges:?}");
    assert_eq!(start["can_become_admin"], want, "{what}");
}

/// Roles are found by the attributes Terraform has for them, whatever the type.
#[test]
fn terraform_attributes_lead_to_roles() {
    let target = arn("role/target");
    let profile =
        json!({"type": "aws_iam_instance_profile", "name": "p", "attrs": {"name": "target", "role": "target"}});
    for (kind, method, service, actions, attrs) in [
        (
            "aws_instance",
            "aws.ssm.start-session",
            "ec2.amazonaws.com",
            json!("ssm:StartSession"),
            json!({"iam_instance_profile": "target"}),
        ),
        (
            "aws_lambda_function",
            "aws.lambda.update-code",
            "lambda.amazonaws.com",
            json!("lambda:UpdateFunctionCode"),
            json!({"role": target, "function_name": "f"}),
        ),
        (
            "aws_codebuild_project",
            "aws.codebuild.start-build",
            "codebuild.amazonaws.com",
            json!("codebuild:StartBuild"),
            json!({"service_role": target, "name": "b"}),
        ),
        (
            "aws_glue_dev_endpoint",
            "aws.glue.update-dev-endpoint",
            "glue.amazonaws.com",
            json!("glue:UpdateDevEndpoint"),
            json!({"role_arn": target, "name": "d"}),
        ),
        (
            "aws_sagemaker_notebook_instance",
            "aws.sagemaker.presigned-url",
            "sagemaker.amazonaws.com",
            json!("sagemaker:CreatePresignedNotebookInstanceUrl"),
            json!({"role_arn": target, "name": "n"}),
        ),
        (
            "aws_sagemaker_user_profile",
            "aws.sagemaker.presigned-domain",
            "sagemaker.amazonaws.com",
            json!("sagemaker:CreatePresignedDomainUrl"),
            json!({"user_settings": [{"execution_role": target}], "domain_id": "d-1", "user_profile_name": "u"}),
        ),
        (
            "aws_ecs_task_definition",
            "aws.ecs.execute-command",
            "ecs-tasks.amazonaws.com",
            json!(["ecs:ExecuteCommand", "ecs:DescribeTasks"]),
            json!({"task_role_arn": target, "family": "t"}),
        ),
        (
            "aws_cloudformation_stack",
            "aws.cloudformation.update-stack",
            "cloudformation.amazonaws.com",
            json!("cloudformation:UpdateStack"),
            json!({"iam_role_arn": target, "name": "s"}),
        ),
        (
            "aws_apprunner_service",
            "aws.apprunner.update-service",
            "tasks.apprunner.amazonaws.com",
            json!("apprunner:UpdateService"),
            json!({"instance_configuration": [{"instance_role_arn": target}], "service_name": "s"}),
        ),
        (
            "aws_batch_job_definition",
            "aws.batch.submit-job",
            "ecs-tasks.amazonaws.com",
            json!("batch:SubmitJob"),
            json!({"container_properties": json!({"jobRoleArn": target}).to_string(), "name": "j"}),
        ),
        (
            "aws_elastic_beanstalk_environment",
            "aws.elasticbeanstalk.update-environment",
            "ec2.amazonaws.com",
            json!(["elasticbeanstalk:CreateApplicationVersion", "elasticbeanstalk:UpdateEnvironment"]),
            json!({"name": "e", "application": "a", "setting": [{"namespace": "aws:autoscaling:launchconfiguration", "name": "IamInstanceProfile", "value": "target"}]}),
        ),
        (
            "aws_emr_cluster",
            "aws.emr.add-steps",
            "ec2.amazonaws.com",
            json!("elasticmapreduce:AddJobFlowSteps"),
            json!({"ec2_attributes": [{"instance_profile": "target"}], "id": "j-1"}),
        ),
        (
            "aws_sfn_state_machine",
            "aws.states.update-start",
            "states.amazonaws.com",
            json!(["states:UpdateStateMachine", "states:StartExecution"]),
            json!({"role_arn": target, "name": "m"}),
        ),
    ] {
        let allow = |on: Value| json!([{"Effect": "Allow", "Action": actions, "Resource": on}]);
        let resources = json!([{"type": kind, "name": "it", "attrs": attrs}, profile]);
        check(kind, method, allow(json!("*")), service, resources.clone(), true);
        check(
            &format!("{kind} of another service"),
            method,
            allow(json!("*")),
            "firehose.amazonaws.com",
            resources,
            false,
        );
        let mut bare = attrs.clone();
        bare.as_object_mut().expect("an object").retain(|_, v| !v.to_string().contains("target"));
        check(
            &format!("{kind} without the role"),
            method,
            allow(json!("*")),
            service,
            json!([{"type": kind, "name": "it", "attrs": bare}]),
            false,
        );
    }
}

/// References that lead in a circle end.
#[test]
fn circles_of_references_end() {
    let resources = json!([
        {"type": "aws_iam_instance_profile", "name": "p", "attrs": {"name": "p", "role": "p"}},
        {"type": "aws_launch_template", "name": "a", "attrs": {"x": "${aws_launch_template.a.id}", "iam_instance_profile": "p"}},
        {"type": "aws_autoscaling_group", "name": "g", "attrs": {"launch_template": [{"id": "aws_launch_template.a.id"}]}}]);
    let allow = json!([{"Effect": "Allow", "Action": "ssm:StartSession", "Resource": "*"}]);
    check("a circle", "aws.ssm.start-session", allow.clone(), "ec2.amazonaws.com", resources.clone(), false);
    let text = resources.to_string().replace(r#""role":"p""#, r#""role":"target""#);
    let resources = serde_json::from_str(&text).expect("the same list");
    check("the template's profile", "aws.ssm.start-session", allow, "ec2.amazonaws.com", resources, true);
}

/// What is allowed on another resource, or on part of what the call touches, is no way.
#[test]
fn the_resource_must_be_the_one() {
    let function = json!([{"type": "aws_lambda_function", "name": "it", "attrs": {"role": arn("role/target"), "function_name": "f"}}]);
    let on = |action: Value, resource: Value| json!([{"Effect": "Allow", "Action": action, "Resource": resource}]);
    let update = "aws.lambda.update-code";
    let lambda = "lambda.amazonaws.com";
    let code = json!("lambda:UpdateFunctionCode");
    check("by name", update, on(code.clone(), json!("arn:aws:lambda:*:*:function:f")), lambda, function.clone(), true);
    check("another function", update, on(code, json!("arn:aws:lambda:*:*:function:g")), lambda, function, false);

    let machine =
        json!([{"type": "aws_instance", "name": "it", "attrs": {"iam_instance_profile": "target", "id": "i-0a"}}]);
    let send = json!("ssm:SendCommand");
    let both = json!(["arn:aws:ec2:*:*:instance/i-0a", "arn:aws:ssm:*:*:document/AWS-RunShellScript"]);
    let (method, ec2) = ("aws.ssm.send-command", "ec2.amazonaws.com");
    check("instance and document", method, on(send.clone(), both.clone()), ec2, machine.clone(), true);
    check("the document alone", method, on(send.clone(), json!([both[1]])), ec2, machine.clone(), false);
    check("the instance alone", method, on(send.clone(), json!([both[0]])), ec2, machine.clone(), false);
    let other = json!(["arn:aws:ec2:*:*:instance/i-0b", both[1]]);
    check("another instance", method, on(send, other), ec2, machine, false);

    let run = |resource: Value| {
        json!([{"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": resource},
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}])
    };
    let method = "aws.ec2.run-instances";
    check("all of EC2", method, run(json!("arn:aws:ec2:*:*:*")), ec2, json!([]), true);
    check(
        "the instance without image or subnet",
        method,
        run(json!("arn:aws:ec2:*:*:instance/*")),
        ec2,
        json!([]),
        false,
    );
}

/// Guardrails of units and accounts bind the accounts below them alone.
#[test]
fn each_account_has_its_chain() {
    let other = "222222222222";
    let mut stranger = user("start", json!([{"Effect": "Allow", "Action": "iam:AttachUserPolicy", "Resource": "*"}]));
    let own = stranger.clone();
    stranger["Arn"] = json!(format!("arn:aws:iam::{other}:user/start"));
    let details = json!({"UserDetailList": [own, stranger]}).to_string();
    let full = json!({"name": "full", "policy": doc(admin_statement())});
    let no = json!({"name": "no", "policy": doc(json!([{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]))});
    let level = |id: &str, policies: Value| json!({"orgIdentifier": id, "policies": policies});
    let chain = |last: Value| json!([level("r-1", json!([full])), level("ou-1", last)]);
    let reach = |org: Value| -> Vec<bool> {
        let out = assess(&details, None, Some(&org.to_string())).expect("the organization is read");
        out.iter().filter(|o| o["arn"].is_string()).map(|o| o["can_become_admin"] == true).collect()
    };
    let accounts = |scps: Value| json!({"accounts": {other: {"scps": scps}}});
    assert_eq!(reach(accounts(chain(json!([full])))), [true, true]);
    assert_eq!(reach(accounts(chain(json!([full, no])))), [true, false], "a unit's deny binds the account below it");
    assert_eq!(reach(accounts(chain(json!([])))), [true, false], "each level must allow");
    assert_eq!(reach(json!({"scps": [level("r", json!([full, no]))]})), [false, false], "one chain for all");
    let managed = json!({"scps": [level("r", json!([full, no]))], "management_account": other});
    assert_eq!(reach(managed), [false, true], "the management account is not bound");
}

/// A role in another account is a step when both sides consent, and chains go on from there.
#[test]
fn roles_chain_across_accounts() {
    let there = |resource: &str| format!("arn:aws:iam::222222222222:{resource}");
    let far = |name: &str, principal: Value, statements: Value| {
        let mut r = role(name, trust(principal), statements);
        r["Arn"] = json!(there(&format!("role/{name}")));
        r
    };
    let hop = json!([{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": there("role/admin")}]);
    let run = |mine: Value, trusted: Value| {
        let roles = json!([
            far("middle", trusted, hop.clone()),
            far("admin", json!({"AWS": there("role/middle")}), admin_statement())
        ]);
        let details = json!({"UserDetailList": [user("start", mine)], "RoleDetailList": roles});
        let out = assess(&details.to_string(), None, None).expect("the details are read");
        let start = out.iter().find(|o| o["arn"] == arn("user/start")).expect("the start").clone();
        start["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .map(|s| s["target"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let may = json!([{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]);
    assert_eq!(run(may.clone(), json!({"AWS": arn("user/start")})), [there("role/middle"), there("role/admin")]);
    assert_eq!(run(may.clone(), json!({"AWS": arn("root")})), [there("role/middle"), there("role/admin")]);
    assert!(run(nothing(), json!({"AWS": arn("user/start")})).is_empty(), "across accounts both sides must allow");
    assert!(run(may, json!({"AWS": "333333333333"})).is_empty());
}
