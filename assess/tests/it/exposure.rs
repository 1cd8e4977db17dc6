//! Exposure of hand-made resources, class by class.

use plumb_assess::exposure::{Class, Estate, Exposure, Table, exposures};
use plumb_catalog::{Catalog, Kind};
use plumb_model::{AccountId, KindId, Reason, Region, Resource, ResourceId, Sources, Unknown, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::sync::{Arc, LazyLock};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::load([]).0);
/// A resource: kind, id, fields.
pub(crate) type Given = (&'static str, &'static str, Json);

pub(crate) const OWN: &str = "111111111111";

pub(crate) fn kind(name: &str) -> Arc<Kind> {
    Arc::clone(CATALOG.kinds.get(&KindId::from(name)).expect("a kind of the catalog"))
}

/// A field nobody could read is written `"?"`.
fn resource(kind: &Kind, id: &str, fields: &Json) -> Resource {
    let value = |name: &str, default: &Value| match fields.get(name) {
        Some(Json::String(text)) if text == "?" => Value::unknown(Unknown::new(Reason::Denied, format!("api:{name}"))),
        Some(json) => Value::from_json(json),
        None => default.clone(),
    };
    for name in fields.as_object().into_iter().flat_map(|o| o.keys()) {
        assert!(kind.slot(name).is_some(), "{} has no field {name}", kind.id);
    }
    Resource {
        kind: kind.id.clone(),
        account: AccountId::from(OWN),
        region: Region::from("us-east-1"),
        id: ResourceId::from(id),
        name: id.into(),
        fields: kind.fields.iter().map(|f| value(&f.name, &f.default)).collect(),
        sources: Sources::default(),
    }
}

/// An account with these resources: `(kind, id, fields)`.
pub(crate) fn estate(resources: &[(&str, &str, Json)]) -> Estate {
    let mut estate = Estate { account: OWN.into(), ..Estate::default() };
    estate.organization.insert("222222222222".into());
    for (name, id, fields) in resources {
        let kind = kind(name);
        let one = resource(&kind, id, fields);
        let table = estate.tables.entry((*name).into());
        table.or_insert_with(|| Table { kind, resources: Vec::new(), gap: None }).resources.push(one);
    }
    estate
}

fn of(estate: &Estate, id: &str) -> Exposure {
    exposures(estate).into_iter().find(|e| e.resource == id).expect("an exposure of the resource")
}

#[track_caller]
pub(crate) fn check(resources: &[(&str, &str, Json)], id: &str, class: Class, at_most: Option<Class>) {
    let found = of(&estate(resources), id);
    assert_eq!((found.class, found.at_most), (class, at_most), "{found:#?}");
    assert_eq!(at_most.is_some(), !found.needs.is_empty(), "{found:#?}");
    if class > Class::Unknown {
        assert!(!found.proof.is_empty(), "{found:#?}");
    }
}

fn allow(principal: Json, condition: Json) -> Json {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "S", "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*", "Condition": condition}
    ]})
}

fn with_deny(mut policy: Json, condition: Json) -> Json {
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition});
    policy["Statement"].as_array_mut().expect("statements").push(deny);
    policy
}

const ACCOUNT: &str = "aws.s3.account";
const BUCKET: &str = "aws.s3.bucket";
const FREE: &str = r#"{"object_ownership": "BucketOwnerEnforced"}"#;

fn bucket(fields: Json) -> Given {
    let mut all: Json = serde_json::from_str(FREE).expect("JSON");
    for (name, value) in fields.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    (BUCKET, "b", all)
}

fn account(fields: Json) -> Given {
    (ACCOUNT, "acct", fields)
}

#[test]
fn buckets() {
    use Class::*;
    let open = || allow(json!("*"), json!({}));
    let everyone = json!([{"group": "http://acs.amazonaws.com/groups/global/AllUsers", "permission": "READ"}]);
    let members = json!([{"group": "http://acs.amazonaws.com/groups/global/AuthenticatedUsers", "permission": "READ"}]);
    let no = || account(json!({}));
    check(&[no(), bucket(json!({}))], "b", Internal, None);
    check(&[no(), bucket(json!({"policy": open()}))], "b", Internet, None);
    check(&[no(), bucket(json!({"policy": open(), "restrict_public_buckets": true}))], "b", Internal, None);
    check(&[account(json!({"restrict_public_buckets": true})), bucket(json!({"policy": open()}))], "b", Internal, None);
    // The account's setting is not known: never internal.
    check(&[bucket(json!({"policy": open()}))], "b", Unknown, Some(Internet));
    check(
        &[account(json!({"restrict_public_buckets": "?"})), bucket(json!({"policy": open()}))],
        "b",
        Unknown,
        Some(Internet),
    );
    // It does not matter where nothing is open.
    check(&[bucket(json!({}))], "b", Internal, None);
    check(&[no(), bucket(json!({"policy": "?"}))], "b", Unknown, Some(Internet));
    check(
        &[
            no(),
            bucket(json!({"policy": allow(json!("*"), json!({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}))})),
        ],
        "b",
        Limited,
        None,
    );
    check(
        &[no(), bucket(json!({"policy": allow(json!("*"), json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))}))],
        "b",
        Internal,
        None,
    );
    check(
        &[no(), bucket(json!({"policy": allow(json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": "o-abc"}}))}))],
        "b",
        CrossAccount,
        None,
    );
    check(
        &[no(), bucket(json!({"policy": allow(json!("*"), json!({"StringEquals": {"aws:PrincipalAccount": OWN}}))}))],
        "b",
        Internal,
        None,
    );
    check(
        &[no(), bucket(json!({"policy": allow(json!({"AWS": "999999999999"}), json!({}))}))],
        "b",
        CrossAccount,
        None,
    );
    check(&[no(), bucket(json!({"policy": allow(json!({"AWS": OWN}), json!({}))}))], "b", Internal, None);
    check(&[no(), bucket(json!({"policy": with_deny(open(), json!({}))}))], "b", Internal, None);
    let org = json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}});
    check(&[no(), bucket(json!({"policy": with_deny(open(), org)}))], "b", CrossAccount, None);
    let insecure = json!({"Bool": {"aws:SecureTransport": "false"}});
    check(&[no(), bucket(json!({"policy": with_deny(open(), insecure)}))], "b", Internet, None);
    check(&[no(), bucket(json!({"object_ownership": "ObjectWriter", "acl_grants": everyone}))], "b", Internet, None);
    check(
        &[no(), bucket(json!({"object_ownership": "ObjectWriter", "acl_grants": members}))],
        "b",
        InternetAuthenticated,
        None,
    );
    check(&[no(), bucket(json!({"acl_grants": everyone}))], "b", Internal, None);
    check(
        &[
            no(),
            bucket(json!({"object_ownership": "ObjectWriter", "acl_grants": everyone, "ignore_public_acls": true})),
        ],
        "b",
        Internal,
        None,
    );
    check(&[no(), bucket(json!({"object_ownership": "?", "acl_grants": everyone}))], "b", Unknown, Some(Internet));
}

#[test]
fn outside_accounts_are_told_from_the_organization() {
    let found = |principal: &str| {
        let policy = allow(json!({"AWS": principal}), json!({}));
        of(&estate(&[account(json!({})), bucket(json!({"policy": policy}))]), "b").outside_accounts
    };
    assert_eq!(found("999999999999"), ["999999999999"]);
    assert!(found("222222222222").is_empty());
}

#[test]
fn shared_things() {
    use Class::*;
    let snapshot = |permissions: Json| [("aws.ec2.ebs-snapshot", "snap", json!({"permissions": permissions}))];
    check(&snapshot(json!([{"group": "all"}])), "snap", InternetAuthenticated, None);
    check(&snapshot(json!([{"user_id": "999999999999"}])), "snap", CrossAccount, None);
    check(&snapshot(json!([])), "snap", Internal, None);
    check(&snapshot(Json::Null), "snap", Unknown, Some(CrossAccount));
    check(&snapshot(json!("?")), "snap", Unknown, Some(InternetAuthenticated));
    check(&[("aws.ec2.image", "ami", json!({"public": true}))], "ami", InternetAuthenticated, None);
    check(&[("aws.ec2.image", "ami", json!({"public": false}))], "ami", Unknown, Some(CrossAccount));
    let open = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}});
    check(&[("aws.sqs.queue", "q", json!({"policy": open}))], "q", Internet, None);
    check(&[("aws.secretsmanager.secret", "s", json!({"policy": open}))], "s", InternetAuthenticated, None);
    check(&[("aws.kms.key", "k", json!({"policy": open, "manager": "CUSTOMER"}))], "k", InternetAuthenticated, None);
    check(&[("aws.ecr.repository", "r", json!({"policy": open}))], "r", InternetAuthenticated, None);
    check(
        &[(
            "aws.iam.role",
            "role",
            json!({"trust": {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}}),
        )],
        "role",
        InternetAuthenticated,
        None,
    );
    let service = json!({"Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}});
    check(&[("aws.iam.role", "role", json!({"trust": service}))], "role", Internal, None);
}

#[test]
fn functions() {
    use Class::*;
    let by =
        |action: &str| json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}});
    let function = |policy: Json, url: &str| [("aws.lambda.function", "f", json!({"policy": policy, "url_auth": url}))];
    check(&function(Json::Null, ""), "f", Internal, None);
    check(&function(by("lambda:InvokeFunction"), ""), "f", InternetAuthenticated, None);
    check(&function(by("lambda:InvokeFunctionUrl"), "NONE"), "f", Internet, None);
    check(&function(by("lambda:InvokeFunctionUrl"), "AWS_IAM"), "f", InternetAuthenticated, None);
    check(&function(Json::Null, "NONE"), "f", Internal, None);
    check(&function(by("lambda:InvokeFunctionUrl"), "?"), "f", InternetAuthenticated, Some(Internet));
}

/// An instance with a public address in a public subnet, open to the world on port 22.
pub(crate) fn bastion() -> Vec<Given> {
    vec![
        (
            "aws.ec2.instance",
            "i",
            json!({"instance_id": "i-1", "public_address": "198.51.100.7", "subnet_id": "subnet-1", "vpc_id": "vpc-1", "group_ids": ["sg-1"], "instance_profile": "arn:aws:iam::111111111111:instance-profile/app"}),
        ),
        (
            "aws.ec2.security-group",
            "sg",
            json!({"group_id": "sg-1", "ingress": [{"protocol": "tcp", "from_port": 22, "to_port": 22, "cidrs": ["0.0.0.0/0"], "ipv6_cidrs": [], "groups": [], "prefix_lists": []}]}),
        ),
        (
            "aws.vpc.route-table",
            "rtb",
            json!({"vpc_id": "vpc-1", "main_flags": [true], "subnet_ids": [], "routes": [{"destination": "0.0.0.0/0", "gateway_id": "igw-1", "state": "active"}]}),
        ),
        (
            "aws.ec2.network-acl",
            "acl",
            json!({"vpc_id": "vpc-1", "subnet_ids": ["subnet-1"], "entries": [entry(100, false, "allow", "-1", "0.0.0.0/0", -1, -1), entry(100, true, "allow", "-1", "0.0.0.0/0", -1, -1)]}),
        ),
    ]
}

fn entry(number: i64, egress: bool, action: &str, protocol: &str, cidr: &str, from: i64, to: i64) -> Json {
    json!({"rule_number": number, "egress": egress, "action": action, "protocol": protocol, "cidr": cidr, "ipv6_cidr": "", "from_port": from, "to_port": to})
}

#[track_caller]
fn check_bastion(class: Class, at_most: Option<Class>, change: impl FnOnce(&mut Vec<Given>)) {
    let mut world = bastion();
    change(&mut world);
    check(&world, "i", class, at_most);
}

#[test]
fn instances() {
    use Class::*;
    check_bastion(Internet, None, |_| {});
    check_bastion(Internal, None, |w| w[0].2["public_address"] = json!(""));
    check_bastion(Internal, None, |w| w[0].2["state"] = json!("stopped"));
    check_bastion(Internal, None, |w| w[2].2["routes"][0]["gateway_id"] = json!("local"));
    check_bastion(Internal, None, |w| w[2].2["routes"][0]["state"] = json!("blackhole"));
    check_bastion(Limited, None, |w| w[1].2["ingress"][0]["cidrs"] = json!(["198.51.100.0/24"]));
    check_bastion(Internal, None, |w| w[1].2["ingress"][0]["cidrs"] = json!(["10.0.0.0/8"]));
    check_bastion(Internet, None, |w| w[1].2["ingress"][0]["cidrs"] = json!(["0.0.0.0/1"]));
    check_bastion(Unknown, Some(Internet), |w| w[1].2["ingress"] = json!("?"));
    check_bastion(Unknown, Some(Internet), |w| {
        w[1].2["ingress"][0] = json!({"protocol": "tcp", "cidrs": [], "prefix_lists": ["pl-1"]})
    });
    // Each missing link leaves the question open.
    for missing in 1..4 {
        check_bastion(Unknown, Some(Internet), |w| {
            w.remove(missing);
        });
    }
    // The ACL: closed for the port, closed for answers, open for a part.
    let acl = |inbound: Json| move |w: &mut Vec<Given>| w[3].2["entries"][0] = inbound;
    check_bastion(Internal, None, acl(entry(100, false, "allow", "6", "0.0.0.0/0", 443, 443)));
    check_bastion(Limited, None, acl(entry(100, false, "allow", "6", "198.51.100.0/24", 22, 22)));
    check_bastion(Internal, None, |w| w[3].2["entries"][1] = entry(100, true, "allow", "6", "0.0.0.0/0", 80, 80));
}

#[test]
fn openings_name_ports_and_group() {
    let mut world = bastion();
    world[1].2["ingress"][0]["to_port"] = json!(25);
    world[3].2["entries"][0] = entry(90, false, "deny", "6", "0.0.0.0/0", 23, 23);
    world[3].2["entries"].as_array_mut().expect("entries").push(entry(100, false, "allow", "-1", "0.0.0.0/0", -1, -1));
    let found = of(&estate(&world), "i");
    let shown: Vec<String> = found.openings.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["tcp/22 from 0.0.0.0/0", "tcp/24-25 from 0.0.0.0/0"]);
    let fields: Vec<&str> = found.proof.iter().take(4).map(|s| s.field.as_str()).collect();
    assert_eq!(fields, ["public_address", "routes[0]", "entries[2]", "ingress[0].cidrs"]);
}

#[test]
fn a_kind_that_was_not_read_is_unknown() {
    let mut world = estate(&[("aws.sqs.queue", "q", json!({}))]);
    let table = world.tables.get_mut("aws.sqs.queue").expect("the table");
    table.gap = Some(Arc::new(Unknown::new(Reason::Denied, "sqs:ListQueues")));
    let found = exposures(&world);
    let classes: Vec<(&str, Class)> = found.iter().map(|e| (e.name.as_str(), e.class)).collect();
    assert_eq!(classes, [("*", Class::Unknown), ("q", Class::Internal)]);
    assert_eq!(found[0].needs.len(), 1);
}

/// What a class can be at the worst.
fn most(e: &Exposure) -> Class {
    e.at_most.unwrap_or(e.class)
}

fn condition() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(json!({})),
        Just(json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-abc"}})),
        Just(json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}})),
        Just(json!({"Bool": {"aws:SecureTransport": "false"}})),
        Just(json!({"StringNotEquals": {"aws:PrincipalAccount": OWN}})),
    ]
}

fn principal() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(json!("*")),
        Just(json!({"AWS": "999999999999"})),
        Just(json!({"AWS": OWN})),
        Just(json!({"Service": "s3.amazonaws.com"}))
    ]
}

proptest! {
    #[test]
    fn a_deny_or_a_block_never_exposes_more(principal in principal(), kept in condition(), deny in condition(), block in 0..3usize) {
        let policy = with_deny(allow(principal, json!({})), kept);
        let before = of(&estate(&[account(json!({})), bucket(json!({"policy": policy.clone()}))]), "b");
        let denied = of(&estate(&[account(json!({})), bucket(json!({"policy": with_deny(policy.clone(), deny)}))]), "b");
        prop_assert!(most(&denied) <= most(&before));
        let (own, whole) = [(json!(true), json!(false)), (json!(false), json!(true)), (json!("?"), json!(true))][block].clone();
        let blocked = of(&estate(&[
            account(json!({"restrict_public_buckets": whole})),
            bucket(json!({"policy": policy, "restrict_public_buckets": own})),
        ]), "b");
        prop_assert!(most(&blocked) <= most(&before));
    }

    #[test]
    fn an_acl_deny_never_opens_more(number in 1..200i64, from in 0..100i64, width in 0..100i64, egress: bool, wide: bool) {
        let before = of(&estate(&bastion()), "i");
        let mut world = bastion();
        let cidr = if wide { "0.0.0.0/0" } else { "198.51.100.0/24" };
        world[3].2["entries"].as_array_mut().expect("entries").push(entry(number, egress, "deny", "6", cidr, from, from + width));
        let after = of(&estate(&world), "i");
        prop_assert!(most(&after) <= most(&before));
    }
}
