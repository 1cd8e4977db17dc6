//! Attack paths of a hand-made account.

use super::exposure::{Given, OWN, bastion, estate};
use plumb_assess::{
    exposure::{Need, exposures},
    identity::aws::{Details, Organization, escalations},
    paths::{self, DataClasses, Facts, Report, dot, svg},
};
use serde_json::{Value as Json, json};

pub(crate) fn role(name: &str, trust: Json, statement: Json) -> Json {
    json!({
        "Arn": format!("arn:aws:iam::{OWN}:role/{name}"), "RoleName": name,
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}],
        "AttachedManagedPolicies": [],
        "InstanceProfileList": [{"Arn": format!("arn:aws:iam::{OWN}:instance-profile/{name}")}],
    })
}

pub(crate) fn find(resources: &[Given], roles: &[Json]) -> Report {
    find_under(resources, roles, &[])
}

/// The same where what `guardrails` say is missing to tell what the organization forbids.
fn find_under(resources: &[Given], roles: &[Json], guardrails: &[Need]) -> Report {
    let mut resources = resources.to_vec();
    resources.push(("aws.s3.account", "acct", json!({})));
    for r in roles {
        let id: &'static str = Box::leak(r["Arn"].as_str().expect("an ARN").to_owned().into_boxed_str());
        resources.push(("aws.iam.role", id, json!({"trust": r["AssumeRolePolicyDocument"]})));
    }
    let mut estate = estate(&resources);
    tag(&mut estate);
    let details = Details::from_json(&json!({"RoleDetailList": roles})).expect("details");
    let found = escalations(&details, &Organization::default(), None);
    let exposures = exposures(&estate);
    let world = paths::world(&estate, details, Organization::default());
    paths::paths(&Facts {
        estate: &estate,
        exposures: &exposures,
        world: &world,
        escalations: &found,
        data: &DataClasses::default(),
        guardrails,
        outside: None,
    })
}

/// Buckets called `*pii` hold such data.
fn tag(estate: &mut plumb_assess::exposure::Estate) {
    let Some(table) = estate.tables.get_mut("aws.s3.bucket") else { return };
    let slot = table.kind.slot("tags").expect("tags");
    for bucket in table.resources.iter_mut().filter(|b| b.id.as_str().ends_with("pii")) {
        bucket.fields[slot] = plumb_model::Value::from_json(&json!({"data-class": "customer-pii"}));
    }
}

pub(crate) fn ec2() -> Json {
    json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
}

fn reader() -> Json {
    role("app", ec2(), json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::nw-*/*"}))
}

pub(crate) fn pii() -> Given {
    ("aws.s3.bucket", "arn:aws:s3:::nw-pii", json!({"object_ownership": "BucketOwnerEnforced"}))
}

#[test]
fn from_the_internet_through_an_instance_to_data() {
    let mut world = bastion();
    world.push(pii());
    let report = find(&world, &[reader()]);
    assert_eq!(report.families.len(), 1, "{report:#?}");
    let family = &report.families[0];
    assert_eq!(family.path, ["internet", "i", "arn:aws:iam::111111111111:role/app", "arn:aws:s3:::nw-pii"]);
    assert!(family.severity == "critical" && family.certain);
    assert!(family.steps.iter().all(|s| !s.because.is_empty()));
    // Any of the three edges ends it.
    assert_eq!(report.cuts.len(), 3);
    assert!(report.cuts.iter().all(|c| c.kills == 1 && c.of == 1));
    assert!(dot(&report).contains("CODE_AS") && svg(&report).starts_with("<svg"));
    assert_eq!(report, find(&world, &[reader()]));
}

#[test]
fn no_path_without_every_link() {
    let world = |change: &dyn Fn(&mut Vec<Given>)| {
        let mut world = bastion();
        world.push(pii());
        change(&mut world);
        world
    };
    let none = |world: &[Given], role: Json| {
        let report = find(world, &[role]);
        assert!(report.families.is_empty() && report.cuts.is_empty(), "{report:#?}");
    };
    none(&world(&|w| w[0].2["public_address"] = json!("")), reader());
    none(&world(&|w| w[0].2["instance_profile"] = json!("")), reader());
    none(&world(&|w| w[4].1 = "arn:aws:s3:::other-pii"), reader());
    none(&world(&|w| w[4].1 = "arn:aws:s3:::nw-logs"), reader());
    let denied = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]});
    none(&world(&|w| w[4].2["policy"] = denied.clone()), reader());
}

/// The bastion without a public address, behind a load balancer with one.
fn balanced() -> Vec<Given> {
    let mut world = bastion();
    world[0].2["public_address"] = json!("");
    let mut inner = world[0].2["group_ids"].clone();
    inner[0] = json!("sg-inner");
    world[0].2["group_ids"] = inner;
    let lb = "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/app/web/1";
    let group = "arn:aws:elasticloadbalancing:us-east-1:111111111111:targetgroup/web/1";
    world.push((
        "aws.elbv2.load-balancer",
        lb,
        json!({"internal": false, "subnet_ids": ["subnet-1"],
        "security_group_ids": ["sg-1"], "listeners": [{"port": 22, "protocol": "TCP"}]}),
    ));
    world.push((
        "aws.elbv2.target-group",
        group,
        json!({"port": 8080, "load_balancer_arns": [lb],
        "targets": [{"target": "i-1", "port": 8080, "state": "healthy"}]}),
    ));
    world.push((
        "aws.ec2.security-group",
        "sg-inner",
        json!({"group_id": "sg-inner",
        "ingress": [{"protocol": "tcp", "from_port": 8080, "to_port": 8080, "groups": ["sg-1"]}]}),
    ));
    world.push(pii());
    world.push(("aws.vpc.subnet", "subnet-1", json!({"subnet_id": "subnet-1", "vpc_id": "vpc-1"})));
    world
}

#[test]
fn through_a_load_balancer_to_what_stands_behind_it() {
    let report = find(&balanced(), &[reader()]);
    let family = report.families.first().expect("a path");
    let kinds: Vec<&str> = family.steps.iter().map(|s| s.kind).collect();
    assert_eq!(kinds, ["NETWORK_REACH", "NETWORK_REACH", "CODE_AS", "DATA"], "{family:#?}");
    assert!(family.certain);
    let fields: Vec<&str> = family.steps[1].because.iter().map(|s| s.field.as_str()).collect();
    assert_eq!(fields, ["load_balancer_arns", "targets[0]", "ingress[0]"]);
    type Change = fn(&mut Vec<Given>);
    let spoils: [(&str, Change); 5] = [
        ("another balancer", |w| w[5].2["load_balancer_arns"] = json!(["arn:other"])),
        ("nothing registered", |w| w[5].2["targets"] = json!([])),
        ("no longer in use", |w| w[5].2["targets"][0]["state"] = json!("draining")),
        ("another port", |w| w[5].2["targets"][0]["port"] = json!(9090)),
        ("another group is admitted", |w| w[6].2["ingress"][0]["groups"] = json!(["sg-9"])),
    ];
    for (what, spoil) in spoils {
        let mut world = balanced();
        spoil(&mut world);
        assert!(find(&world, &[reader()]).families.is_empty(), "{what}");
    }
    let mut unread = balanced();
    unread.retain(|g| g.1 != "sg-inner");
    let report = find(&unread, &[reader()]);
    assert!(report.families.first().is_some_and(|f| !f.certain), "{report:#?}");
}

#[test]
fn what_a_policy_nobody_read_says_stays_open() {
    let certain = |change: &dyn Fn(&mut Vec<Given>)| -> Option<(bool, Vec<String>)> {
        let mut world = bastion();
        world.push(pii());
        change(&mut world);
        let report = find(&world, &[reader()]);
        report.families.first().map(|f| (f.certain, f.steps.iter().flat_map(|s| s.depends_on.clone()).collect()))
    };
    assert!(certain(&|_| {}).is_some_and(|(certain, _)| certain));
    // The bucket's may keep the role out.
    let (sure, open) = certain(&|w| w[4].2["policy"] = json!("?")).expect("the way is still there");
    assert!(!sure && open.iter().any(|o| o.contains("resource")), "{open:?}");
    // The key's may let it decrypt, or not.
    let key = "arn:aws:kms:us-east-1:111111111111:key/1";
    let with_key = |w: &mut Vec<Given>, policy: Json| {
        w[4].2["kms_key_id"] = json!(key);
        w.push(("aws.kms.key", key, json!({"policy": policy})));
    };
    let decrypts = json!({"Effect": "Allow", "Action": ["s3:GetObject", "kms:Decrypt"], "Resource": "*"});
    let report = |policy: Json| {
        let mut world = bastion();
        world.push(pii());
        with_key(&mut world, policy);
        find(&world, &[role("app", ec2(), decrypts.clone())]).families.first().map(|f| f.certain)
    };
    let delegates = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "kms:*", "Resource": "*"}});
    assert_eq!(report(delegates), Some(true));
    assert_eq!(report(json!("?")), Some(false));
    assert_eq!(report(json!({"Version": "2012-10-17", "Statement": []})), None);
}

#[test]
fn a_rule_leads_to_its_own_target_group() {
    let listener = "arn:aws:elasticloadbalancing:us-east-1:111111111111:listener/app/web/1/2";
    let group = "arn:aws:elasticloadbalancing:us-east-1:111111111111:targetgroup/web/1";
    let with = |sends: &str, actions: Json, sources: Json| {
        let mut world = balanced();
        world[4].2["type"] = json!("application");
        world[4].2["listeners"] = json!([{"port": 22, "protocol": "HTTPS", "listener_arn": listener,
            "actions": ["forward"], "groups": ["arn:other"]}]);
        world[4].2["rules"] = json!([{"rule_arn": format!("{}/1", listener.replace(":listener/", ":listener-rule/")),
            "actions": actions, "groups": [sends], "source_ips": sources}]);
        let report = find(&world, &[reader()]);
        report.families.first().map(|f| (f.steps[1].cost, f.steps[1].because[0].says.clone()))
    };
    let oidc = json!(["authenticate-oidc", "forward"]);
    let (cost, says) = with(group, oidc.clone(), json!([])).expect("a path");
    assert_eq!((cost, says.as_str()), (6, "port 22 sends requests on after authenticate-oidc"));
    assert_eq!(with(group, json!(["forward"]), json!([])).map(|w| w.0), Some(5));
    assert_eq!(with("arn:other", json!(["forward"]), json!([])), None);
    assert_eq!(with(group, json!(["forward"]), json!(["203.0.113.0/28"])), None);
}

#[test]
fn from_an_outside_account_to_administration() {
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"});
    let report = find(&[], &[role("shadow", trust, json!({"Effect": "Allow", "Action": "*", "Resource": "*"}))]);
    assert_eq!(report.families.len(), 1, "{report:#?}");
    assert_eq!(
        report.families[0].path,
        ["account:999999999999", "arn:aws:iam::111111111111:role/shadow", "admin:111111111111"]
    );
    // An account of the organization is not outside.
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "sts:AssumeRole"});
    assert!(
        find(&[], &[role("peer", trust, json!({"Effect": "Allow", "Action": "*", "Resource": "*"}))])
            .families
            .is_empty()
    );
}

#[test]
fn escalation_leads_on() {
    let grant =
        json!({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "arn:aws:iam::111111111111:role/app"});
    let report = find(&bastion(), &[role("app", ec2(), grant)]);
    let family = report.families.first().expect("a path to administration");
    assert_eq!(family.path, ["internet", "i", "arn:aws:iam::111111111111:role/app", "admin:111111111111"]);
    assert_eq!(family.steps.last().map(|s| s.kind), Some("SELF_GRANT"));
}

#[test]
fn a_path_on_an_unknown_condition_is_not_certain() {
    let mut world = bastion();
    world.push(pii());
    let statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}});
    let report = find(&world, &[role("app", ec2(), statement)]);
    let family = report.families.first().expect("an uncertain path");
    assert!(!family.certain && family.severity == "high");
}

#[test]
fn a_path_under_guardrails_nobody_read_is_not_certain() {
    let mut world = bastion();
    world.push(pii());
    let before = find(&world, &[reader()]);
    assert!(before.families.iter().all(|f| f.certain));
    let need = Need::new(plumb_model::Unknown::new(plumb_model::Reason::NotAsked, "organizations:ListPolicies"));
    let report = find_under(&world, &[reader()], &[need]);
    assert_eq!(report.families.len(), before.families.len());
    let family = report.families.first().expect("a path");
    assert!(!family.certain);
    let (last, first) = (family.steps.last().expect("steps"), family.steps.first().expect("steps"));
    assert!(last.depends_on.iter().any(|d| d.contains("organizations:ListPolicies")), "{last:?}");
    assert!(first.depends_on.is_empty(), "the network knows no guardrails: {first:?}");
}

#[test]
fn one_edge_that_ends_several_paths() {
    let mut world = bastion();
    world.push(pii());
    world.push(("aws.s3.bucket", "arn:aws:s3:::nw-more-pii", json!({"object_ownership": "BucketOwnerEnforced"})));
    let report = find(&world, &[reader()]);
    assert_eq!((report.families.len(), report.families[0].paths.len()), (1, 2));
    let kills: Vec<usize> = report.cuts.iter().map(|c| c.kills).collect();
    assert_eq!(kills, [2, 2, 1, 1]);
}

#[test]
fn families_keep_their_name() {
    let mut world = bastion();
    world.push(pii());
    let before = find(&world, &[reader()]);
    // Another instance with the same role, another bucket: the same problem.
    let mut second = world[0].2.clone();
    second["instance_id"] = json!("i-2");
    world.insert(0, ("aws.ec2.instance", "h", second));
    world.push(("aws.s3.bucket", "arn:aws:s3:::nw-2-pii", json!({"object_ownership": "BucketOwnerEnforced"})));
    let after = find(&world, &[reader()]);
    let names = |r: &Report| r.families.iter().map(|f| f.id.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    assert_eq!(after.families[0].paths.len(), 4);
}

#[test]
fn commands_move_on_to_other_instances() {
    let command = json!({"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": "*"});
    let administrator = role("ops", ec2(), json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
    let mut world = bastion();
    let inner = json!({"instance_id": "i-2", "state": "running", "vpc_id": "vpc-1", "ssm_ping": "Online", "instance_profile": "arn:aws:iam::111111111111:instance-profile/ops"});
    world.push(("aws.ec2.instance", "inner", inner));
    let report = find(&world, &[role("app", ec2(), command.clone()), administrator.clone()]);
    let family = report.families.first().expect("a path over the second instance");
    let role = |name: &str| format!("arn:aws:iam::111111111111:role/{name}");
    assert_eq!(family.path, ["internet", "i", &role("app"), "inner", &role("ops"), "admin:111111111111"]);
    assert!(family.certain && family.steps.iter().any(|s| s.kind == "LATERAL_MOVE"), "{family:#?}");
    // An agent that does not report takes no commands; what is left hangs on there being one.
    world.last_mut().expect("the instance").2["ssm_ping"] = json!("ConnectionLost");
    let report = find(&world, &[self::role("app", ec2(), command), administrator]);
    assert!(report.families.iter().all(|f| !f.certain), "{report:#?}");
}

#[test]
fn credentials_left_behind_lead_to_the_database_beside() {
    let mut world = bastion();
    world[0].2["user_data"] = json!("export DB_PASSWORD=[redacted: password]");
    let group = json!({"group_id": "sg-db", "ingress": [{"protocol": "tcp", "from_port": 5432, "to_port": 5432, "cidrs": [], "ipv6_cidrs": [], "groups": ["sg-1"], "prefix_lists": []}]});
    world.push(("aws.ec2.security-group", "db-group", group));
    world.push(("aws.rds.instance", "db", json!({"vpc_id": "vpc-1", "port": 5432, "security_group_ids": ["sg-db"]})));
    let report = find(&world, &[]);
    let family = report.families.first().expect("a path to the database");
    assert_eq!(family.path, ["internet", "i", "db"]);
    assert!(!family.certain && family.steps.last().is_some_and(|s| s.kind == "READ_CREDENTIAL"));
    world[4].2["ingress"][0]["groups"] = json!(["sg-other"]);
    assert!(find(&world, &[]).families.is_empty());
}
