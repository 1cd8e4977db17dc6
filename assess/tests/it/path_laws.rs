//! Laws of attack paths: taking something away never opens a way, and order says nothing.

use super::{
    exposure::{Given, bastion},
    paths::{ec2, find, role},
};
use plumb_assess::paths::Report;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

const BUCKETS: [&str; 3] = ["arn:aws:s3:::a-pii", "arn:aws:s3:::b-pii", "arn:aws:s3:::c-pii"];
const GRANTS: [(&str, &str); 6] = [
    ("s3:GetObject", "arn:aws:s3:::a-pii/*"),
    ("s3:*", "*"),
    ("iam:PutRolePolicy", "*"),
    ("sts:AssumeRole", "arn:aws:iam::111111111111:role/next"),
    ("ssm:SendCommand", "*"),
    ("*", "*"),
];

/// Whether every way of `after` was there before. Who reaches administration reaches everything, said as one goal.
fn within(after: &BTreeSet<(String, String)>, before: &BTreeSet<(String, String)>) -> bool {
    let all = |entry: &str| before.iter().any(|(e, goal)| e == entry && goal.starts_with("admin:"));
    after.iter().all(|end| before.contains(end) || all(&end.0))
}

/// Way in and goal of every path.
fn ends(report: &Report) -> BTreeSet<(String, String)> {
    let paths = report.families.iter().flat_map(|f| &f.paths);
    paths.filter_map(|p| Some((p.nodes.get(1)?.clone(), p.nodes.last()?.clone()))).collect()
}

fn statement(grant: usize) -> Json {
    let (action, resource) = GRANTS[grant % GRANTS.len()];
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

fn world(policies: &[Option<bool>]) -> Vec<Given> {
    let mut world = bastion();
    for (id, public) in BUCKETS.iter().zip(policies) {
        let policy = match public {
            Some(true) => {
                json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{id}/*")}]})
            }
            _ => Json::Null,
        };
        world.push((
            "aws.s3.bucket",
            id,
            json!({"object_ownership": "BucketOwnerEnforced", "policy": policy, "restrict_public_buckets": false}),
        ));
    }
    world
}

fn roles(app: usize, next: usize, deny: Option<usize>) -> Vec<Json> {
    let own = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:role/app"}, "Action": "sts:AssumeRole"});
    let mut app = role("app", ec2(), statement(app));
    if let Some(deny) = deny {
        let mut deny = statement(deny);
        deny["Effect"] = json!("Deny");
        app["RolePolicyList"][0]["PolicyDocument"]["Statement"].as_array_mut().expect("statements").push(deny);
    }
    vec![app, role("next", own, statement(next))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn taking_away_never_adds_a_way(
        app in 0usize..6, next in 0usize..6, deny in 0usize..6, cut in 0usize..6,
        policies in prop::collection::vec(prop::option::of(any::<bool>()), 3),
    ) {
        let given = world(&policies);
        let before = ends(&find(&given, &roles(app, next, None)));
        let denied = ends(&find(&given, &roles(app, next, Some(deny))));
        prop_assert!(within(&denied, &before), "a deny added {:?}", denied.difference(&before));
        let mut less = given;
        match cut {
            0 => less[0].2["public_address"] = json!(""),
            1 => less[0].2["instance_profile"] = json!(""),
            2 => less[1].2["ingress"] = json!([]),
            3 => less[2].2["routes"] = json!([]),
            4 => less[3].2["entries"] = json!([]),
            _ => less[4].2["policy"] = Json::Null,
        }
        let after = ends(&find(&less, &roles(app, next, None)));
        prop_assert!(within(&after, &before), "a cut added {:?}", after.difference(&before));
    }

    #[test]
    fn order_says_nothing(app in 0usize..6, next in 0usize..6, turn in 0usize..7) {
        let given = world(&[Some(true), None, None]);
        let mut turned = given.clone();
        turned.rotate_left(turn);
        let roles = roles(app, next, None);
        let mut backwards = roles.clone();
        backwards.reverse();
        prop_assert_eq!(find(&given, &roles), find(&turned, &backwards));
    }

    #[test]
    fn a_cut_kills_as_many_paths_as_it_says(app in 0usize..6, next in 0usize..6) {
        let given = world(&[None, None, None]);
        let report = find(&given, &roles(app, next, None));
        let paths: usize = report.families.iter().map(|f| f.paths.len()).sum();
        for cut in &report.cuts {
            prop_assert!(cut.kills >= 1 && cut.kills <= cut.of && cut.of == paths);
        }
        prop_assert_eq!(report.cuts.is_empty(), paths == 0);
    }
}
