//! Laws: what must hold for any policies.

use plumb_assess::identity::aws::{
    Details, Document, Organization, Policy, Tri, World, assess, can_line, reach::Evaluator,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const RESOURCES: &[&str] = &[
    "arn:aws:s3:::data",
    "arn:aws:s3:::data/a/1",
    "arn:aws:s3:::data/b/2",
    "arn:aws:s3:::logs",
    "arn:aws:kms:eu-west-1:111111111111:key/k1",
    "arn:aws:sqs:eu-west-1:111111111111:q1",
    "arn:aws:sqs:us-east-1:222222222222:q2",
    "arn:aws:iam::111111111111:role/r1",
    "arn:aws:iam::111111111111:role/team/r2",
    "arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/r3",
];
const ACTIONS: &[&str] = &[
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteBucket",
    "kms:Decrypt",
    "sqs:SendMessage",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "sts:AssumeRole",
];

fn principal_arn(i: usize) -> String {
    format!("arn:aws:iam::111111111111:{}", ["user/u1", "user/team/u2", "role/r1", "role/team/r2"][i])
}

fn actions() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        "*",
        "s3:*",
        "s3:Get*",
        "s3:*Object",
        "kms:*",
        "sqs:SendMessage",
        "iam:*",
        "iam:P?ss*",
        "sts:*",
        "s3:PutObject",
        "ec2:*",
    ])
    .prop_map(|a| json!([a]))
}

fn resources() -> impl Strategy<Value = Value> {
    let one = prop::sample::select(vec![
        "*",
        "arn:aws:s3:::data/*",
        "arn:aws:s3:::*",
        "arn:aws:s3:::data/${aws:username}/*",
        "arn:aws:s3:::d*/1",
        "arn:aws:sqs:*:*:*",
        "arn:aws:sqs:*:111111111111:q?",
        "arn:aws:iam::*:role/*",
        "arn:aws:iam::111111111111:role/r1",
        "arn:aws:kms:*:*:key/*",
        "arn:aws:kms",
    ]);
    prop::collection::vec(one, 1..3).prop_map(|r| json!(r))
}

fn condition() -> impl Strategy<Value = Option<Value>> {
    prop::option::weighted(
        0.35,
        prop::sample::select(vec![
            json!({"StringEquals": {"aws:PrincipalTag/team": "blue"}}),
            json!({"StringNotEquals": {"aws:PrincipalTag/team": "blue"}}),
            json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
            json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}),
            json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
            json!({"StringEquals": {"aws:ResourceAccount": "111111111111"}}),
            json!({"StringEquals": {"aws:PrincipalAccount": "111111111111"}}),
            json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
            json!({"StringEquals": {"aws:username": "u1"}}),
        ]),
    )
}

fn statement() -> impl Strategy<Value = Value> {
    (
        prop::bool::weighted(0.75),
        prop::bool::weighted(0.85),
        actions(),
        prop::bool::weighted(0.85),
        resources(),
        condition(),
    )
        .prop_map(|(allow, action, actions, resource, resources, condition)| {
            let mut s = json!({"Effect": if allow { "Allow" } else { "Deny" }});
            s[if action { "Action" } else { "NotAction" }] = actions;
            s[if resource { "Resource" } else { "NotResource" }] = resources;
            if let Some(condition) = condition {
                s["Condition"] = condition;
            }
            s
        })
}

fn document() -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(), 1..4).prop_map(|s| json!({"Version": "2012-10-17", "Statement": s}))
}

fn resource_document() -> impl Strategy<Value = Value> {
    let principal = prop::sample::select(vec![
        json!("*"),
        json!({"AWS": "111111111111"}),
        json!({"AWS": principal_arn(0)}),
        json!({"AWS": [principal_arn(2), principal_arn(1)]}),
        json!({"Service": "ec2.amazonaws.com"}),
        json!({"AWS": ["222222222222", principal_arn(3)]}),
    ]);
    let one = (statement(), principal, prop::bool::weighted(0.9)).prop_map(|(mut s, principal, named)| {
        s[if named { "Principal" } else { "NotPrincipal" }] = principal;
        s
    });
    prop::collection::vec(one, 1..3).prop_map(|s| json!({"Version": "2012-10-17", "Statement": s}))
}

#[derive(Debug, Clone)]
struct Plan {
    identity: Vec<Vec<Value>>,
    boundary: Option<Value>,
    bounded: [bool; 4],
    tagged: [bool; 4],
    scps: Vec<Vec<Value>>,
    rcp: Option<Value>,
    resource: Vec<Option<Value>>,
    trust: Vec<Value>,
}

fn plan() -> impl Strategy<Value = Plan> {
    (
        prop::collection::vec(prop::collection::vec(document(), 1..3), 4),
        prop::option::of(document()),
        prop::array::uniform4(prop::bool::ANY),
        prop::array::uniform4(prop::bool::ANY),
        prop::collection::vec(prop::collection::vec(document(), 1..3), 0..2),
        prop::option::weighted(0.3, resource_document()),
        prop::collection::vec(prop::option::of(resource_document()), 5),
        prop::collection::vec(resource_document(), 2),
    )
        .prop_map(|(identity, boundary, bounded, tagged, scps, rcp, resource, trust)| Plan {
            identity,
            boundary,
            bounded,
            tagged,
            scps,
            rcp,
            resource,
            trust,
        })
}

impl Plan {
    fn world(&self) -> World {
        let boundary = "arn:aws:iam::111111111111:policy/limit";
        let mut details = json!({"UserDetailList": [], "RoleDetailList": [], "GroupDetailList": [], "Policies": []});
        if let Some(document) = &self.boundary {
            details["Policies"] = json!([{"Arn": boundary, "PolicyVersionList":
                [{"VersionId": "v1", "IsDefaultVersion": true, "Document": document}]}]);
        }
        for (i, policies) in self.identity.iter().enumerate() {
            let inline: Vec<Value> = policies
                .iter()
                .enumerate()
                .map(|(n, d)| json!({"PolicyName": format!("p{i}{n}"), "PolicyDocument": d}))
                .collect();
            let arn = principal_arn(i);
            let name = arn.rsplit('/').next().unwrap_or_default();
            let (list, mut p) = if i < 2 {
                ("UserDetailList", json!({"UserName": name, "Arn": arn, "UserPolicyList": inline}))
            } else {
                let p = json!({"RoleName": name, "Arn": arn, "RolePolicyList": inline, "AssumeRolePolicyDocument": self.trust[i - 2]});
                ("RoleDetailList", p)
            };
            if self.bounded[i] && self.boundary.is_some() {
                p["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": boundary});
            }
            if self.tagged[i] {
                p["Tags"] = json!([{"Key": "team", "Value": "blue"}]);
            }
            details[list].as_array_mut().expect("a list").push(p);
        }
        let level = |id: String, policies: &[Value]| json!({"orgIdentifier": id, "policies": policies});
        let scps: Vec<Value> = self.scps.iter().enumerate().map(|(i, l)| level(format!("l{i}"), l)).collect();
        let rcps: Vec<Value> = self.rcp.iter().map(|d| level("r".into(), std::slice::from_ref(d))).collect();
        let org =
            Organization::parse(&json!({"scps": scps, "rcps": rcps}).to_string()).expect("the organization is read");
        let details = Details::from_json(&details).expect("the details are read");
        let mut world = World::new(details, org, None);
        let owners = ["arn:aws:s3:::data", "arn:aws:s3:::logs", RESOURCES[4], RESOURCES[5], RESOURCES[6]];
        for (arn, document) in owners.iter().zip(&self.resource) {
            if let Some(document) = document {
                world.add_resource_policy(arn, Policy::new(*arn, Document::parse(document).expect("a policy")));
            }
        }
        world
    }

    /// Every point of principal × action × resource that makes sense, and whether it is certainly allowed.
    fn points(&self) -> Vec<bool> {
        let world = self.world();
        let mut out = Vec::new();
        for i in 0..4 {
            for action in ACTIONS {
                for resource in RESOURCES {
                    out.push(certain(&world, &principal_arn(i), action, resource));
                }
            }
        }
        out
    }
}

fn certain(world: &World, principal: &str, action: &str, resource: &str) -> bool {
    world.can(principal, action, resource, &[]).expect("the principal is an ARN").allowed == Tri::Yes
}

/// `after` grants nothing that `before` does not.
fn narrows(before: &[bool], after: &[bool]) -> bool {
    before.iter().zip(after).all(|(b, a)| *b || !*a)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sets_equal_decisions_at_every_point(plan in plan()) {
        let world = plan.world();
        let mut evaluator = Evaluator::new(&world, RESOURCES.iter().map(|r| (*r).to_owned()));
        for (i, principal) in world.details.principals.iter().enumerate() {
            for action in ACTIONS {
                let set = evaluator.allowed(i, action);
                for (at, resource) in evaluator.resources().to_vec().iter().enumerate() {
                    let service = resource.split(':').nth(2).unwrap_or_default();
                    let fits = action.starts_with(service) || (*action == "sts:AssumeRole" && service == "iam");
                    let object = resource.contains(":::data/");
                    let object_action = action.ends_with("Object");
                    if !fits || (service == "s3" && object != object_action) {
                        continue;
                    }
                    let want = certain(&world, &principal.arn, action, resource);
                    prop_assert_eq!(set.contains(at as u32), want, "{} {} {}", principal.arn, action, resource);
                }
            }
        }
        let reach = evaluator.reach();
        for (i, principal) in world.details.principals.iter().enumerate() {
            if certain(&world, &principal.arn, "s3:GetObject", RESOURCES[1]) {
                prop_assert!(reach.access(i, RESOURCES[1]) >= plumb_assess::identity::aws::reach::Access::Read);
            }
        }
    }

    #[test]
    fn a_deny_never_adds_and_an_allow_never_removes(plan in plan(), extra in statement(), at in 0_usize..4) {
        let before = plan.points();
        let mut more = plan.clone();
        more.identity[at].push(json!({"Version": "2012-10-17", "Statement": extra}));
        let after = more.points();
        if extra["Effect"] == "Deny" {
            prop_assert!(narrows(&before, &after));
        } else {
            prop_assert!(narrows(&after, &before));
        }
    }

    #[test]
    fn boundaries_and_guardrails_only_narrow(plan in plan(), limit in document()) {
        let mut free = plan.clone();
        free.boundary = None;
        prop_assert!(narrows(&free.points(), &plan.points()));
        let before = plan.points();
        let mut guarded = plan;
        guarded.scps.push(vec![limit]);
        prop_assert!(narrows(&before, &guarded.points()));
    }

    #[test]
    fn names_of_policies_change_nothing(plan in plan()) {
        let mut named = plan.clone();
        for (i, document) in named.identity.iter_mut().flatten().enumerate() {
            for (n, s) in document["Statement"].as_array_mut().expect("a list").iter_mut().enumerate() {
                s["Sid"] = json!(format!("Renamed{i}x{n}"));
            }
        }
        prop_assert_eq!(plan.points(), named.points());
    }

    #[test]
    fn a_refreshed_evaluator_equals_a_new_one(plan in plan(), extra in document(), at in 0_usize..4) {
        let world = plan.world();
        let all = || RESOURCES.iter().map(|r| (*r).to_owned());
        let mut changed = world.clone();
        let policy = std::sync::Arc::new(Policy::new("changed", Document::parse(&extra).expect("a policy")));
        if let Some(first) = changed.details.principals[at].attachments.first_mut() {
            first.policy = policy;
        }
        let mut evaluator = Evaluator::new(&world, all());
        evaluator.reach();
        evaluator.refresh(&changed);
        let refreshed = evaluator.reach();
        let fresh = Evaluator::new(&changed, all()).reach();
        prop_assert_eq!(refreshed.by_principal, fresh.by_principal);
    }

    #[test]
    fn any_text_is_answered(text in ".{0,200}") {
        let answer: Value = serde_json::from_str(&can_line(&text)).expect("answers are JSON");
        prop_assert!(answer["error"].is_string() || answer["decision"].is_string());
        let _ = assess(&text, Some(&text), Some(&text));
        let _ = Document::parse(text.as_str());
    }

    #[test]
    fn any_policy_is_survived(key in "[A-Za-z]{0,12}", value in ".{0,40}", operator in "[A-Za-z:]{0,24}") {
        let statement = json!({"Effect": "Allow", "Action": value, "Resource": value, "Principal": {"AWS": value},
            "Condition": {operator: {key.clone(): [value]}}});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement, {key.clone(): 1}, 7, null]});
        let line = json!({"id": 1, "request": {"principal": "111111111111", "action": "s3:GetObject", "resource": value,
            "context": {key: value}}, "identity": [policy], "resource_policy": policy, "boundaries": [policy],
            "scps": [{"orgIdentifier": "r", "policies": [policy]}]});
        let answer: Value = serde_json::from_str(&can_line(&line.to_string())).expect("answers are JSON");
        prop_assert!(answer["decision"].is_string(), "{}", answer);
    }
}

#[test]
fn one_changed_policy_refreshes_only_who_holds_it() {
    let policy = |n: usize, action: &str| {
        json!({"Arn": format!("arn:aws:iam::111111111111:policy/p{n}"), "PolicyVersionList": [{"VersionId": "v1",
            "IsDefaultVersion": true, "Document": {"Version": "2012-10-17", "Statement":
            {"Effect": "Allow", "Action": action, "Resource": format!("arn:aws:s3:::data/{n}/*")}}}]})
    };
    let users: Vec<Value> = (0..40)
        .map(|i| {
            json!({"UserName": format!("u{i}"), "Arn": format!("arn:aws:iam::111111111111:user/u{i}"),
            "AttachedManagedPolicies": [{"PolicyArn": format!("arn:aws:iam::111111111111:policy/p{}", i % 10)}]})
        })
        .collect();
    let policies: Vec<Value> = (0..10).map(|n| policy(n, "s3:GetObject")).collect();
    let details = Details::from_json(&json!({"UserDetailList": users, "Policies": policies})).expect("details");
    let world = World::new(details, Organization::default(), None);
    let objects = || (0..10).map(|n| format!("arn:aws:s3:::data/{n}/k"));
    let mut evaluator = Evaluator::new(&world, objects());
    let first = evaluator.reach();
    assert_eq!((first.signatures, first.computed), (10, 10));
    let mut changed = world.clone();
    let text =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}});
    let new = std::sync::Arc::new(Policy::new("p3", Document::parse(&text).expect("a policy")));
    let old = changed.details.principals[3].attachments[0].policy.clone();
    for held in changed.details.principals.iter_mut().flat_map(|p| p.attachments.iter_mut()) {
        if std::sync::Arc::ptr_eq(&held.policy, &old) {
            held.policy = std::sync::Arc::clone(&new);
        }
    }
    evaluator.refresh(&changed);
    let second = evaluator.reach();
    assert_eq!((second.signatures, second.computed), (10, 1));
    assert_eq!(second.by_principal, Evaluator::new(&changed, objects()).reach().by_principal);
}
