//! Attack paths over the accounts of a hand-made organization.

use super::exposure::{Given, bastion, estate};
use plumb_assess::{
    exposure::exposures,
    identity::aws::{Chain, Details, Document, Organization, Policy, decide::Level, escalations},
    paths::{self, Beyond, Border, DataClasses, Door, Facts, Family, Gaps, Join, Outside, Report},
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const WEB: &str = "111111111111";
const BUILD: &str = "222222222222";
const DATA: &str = "333333333333";

#[derive(Clone, Default)]
struct Account {
    id: &'static str,
    resources: Vec<Given>,
    roles: Vec<Json>,
    scps: Vec<Json>,
    rcps: Vec<Json>,
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn policy(statements: Json) -> Json {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn role(account: &str, name: &str, trust: Json, statements: Json) -> Json {
    json!({
        "Arn": arn(account, name), "RoleName": name, "RoleId": format!("AROA{}", name.to_uppercase()), "AssumeRolePolicyDocument": policy(json!([trust])),
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": policy(statements)}],
        "InstanceProfileList": [{"Arn": format!("arn:aws:iam::{account}:instance-profile/{name}")}],
    })
}

fn arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

fn trusts(principal: impl Into<Json>, condition: Json) -> Json {
    json!({"Effect": "Allow", "Principal": {"AWS": principal.into()}, "Action": "sts:AssumeRole", "Condition": condition})
}

fn allows(action: &str, resource: impl Into<Json>) -> Json {
    json!({"Effect": "Allow", "Action": action, "Resource": resource.into()})
}

fn ec2() -> Json {
    json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
}

/// An instance the internet reaches, in an account of its own.
fn entry(account: &'static str) -> Vec<Given> {
    let mut out = bastion();
    out[0].1 = leak(format!("i-{account}"));
    out[0].2["instance_id"] = json!(format!("i-{account}"));
    out[0].2["instance_profile"] = json!(format!("arn:aws:iam::{account}:instance-profile/app"));
    out
}

/// The web account's instance becomes a role of the build account, which reads data of the third and owns it.
fn planted() -> Vec<Account> {
    let bucket = json!({"object_ownership": "BucketOwnerEnforced", "tags": {"data-class": "customer-pii"},
        "policy": policy(json!([{"Sid": "Readers", "Effect": "Allow", "Principal": {"AWS": arn(BUILD, "deploy")},
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::nw-pii/*"}]))});
    vec![
        Account {
            id: WEB,
            resources: entry(WEB),
            roles: vec![role(WEB, "app", ec2(), json!([allows("sts:AssumeRole", arn(BUILD, "deploy"))]))],
            ..Account::default()
        },
        Account {
            id: BUILD,
            roles: vec![role(
                BUILD,
                "deploy",
                trusts(arn(WEB, "app"), json!({})),
                json!([allows("sts:AssumeRole", arn(DATA, "owner")), allows("s3:GetObject", "arn:aws:s3:::nw-pii/*")]),
            )],
            ..Account::default()
        },
        Account {
            id: DATA,
            resources: vec![("aws.s3.bucket", "arn:aws:s3:::nw-pii", bucket)],
            roles: vec![role(DATA, "owner", trusts(BUILD, json!({})), json!([allows("*", "*")]))],
            ..Account::default()
        },
    ]
}

fn levels(policies: &[Json], id: &str) -> Vec<Level> {
    let parse = |p: &Json| Arc::new(Policy::new("guardrail", Document::parse(p).expect("a policy")));
    let everything = policy(json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]));
    let policies = std::iter::once(&everything).chain(policies).map(parse).collect();
    vec![Level { id: id.into(), policies }]
}

fn organization(accounts: &[Account], unread: &[&str]) -> Organization {
    let chain = |a: &Account| Chain {
        scps: levels(&a.scps, a.id),
        rcps: levels(&a.rcps, a.id),
        management: false,
        path: Some("o-1/r-1/".into()),
    };
    let mut chains: BTreeMap<String, Chain> = accounts.iter().map(|a| (a.id.to_owned(), chain(a))).collect();
    chains.extend(unread.iter().map(|id| ((*id).to_owned(), chain(&Account::default()))));
    Organization { id: Some("o-1".into()), accounts: chains, ..Organization::default() }
}

struct Looked {
    reports: BTreeMap<String, Report>,
    borders: Vec<Border>,
    beyond: BTreeMap<String, Beyond>,
}

impl Looked {
    fn families(&self, account: &str) -> &[Family] {
        self.beyond.get(account).map(|b| b.families.as_slice()).unwrap_or_default()
    }

    /// Way in and goal of every way over accounts.
    fn ends(&self) -> BTreeSet<(String, String)> {
        let paths = self.beyond.values().flat_map(|b| &b.families).flat_map(|f| &f.paths);
        paths.map(|p| (p.nodes[1].clone(), p.nodes[p.nodes.len() - 1].clone())).collect()
    }
}

/// Looks at every account alone, as it is done, and puts their borders together.
fn look(accounts: &[Account], unread: &[&str]) -> Looked {
    let organization = organization(accounts, unread);
    let estates: Vec<_> = accounts
        .iter()
        .map(|a| {
            let mut given = a.resources.clone();
            given.push(("aws.s3.account", "acct", json!({})));
            for r in &a.roles {
                let id = leak(r["Arn"].as_str().expect("an ARN").to_owned());
                given.push(("aws.iam.role", id, json!({"trust": r["AssumeRolePolicyDocument"]})));
            }
            let mut estate = estate(&given);
            estate.account = a.id.into();
            estate.organization = organization.accounts.keys().filter(|id| *id != a.id).cloned().collect();
            estate
        })
        .collect();
    let data = DataClasses::default();
    // Doors come from the record, where they are JSON.
    let (mut doors, mut gaps): (Vec<Door>, Gaps) = Default::default();
    for estate in &estates {
        let (found, mut missing) = paths::doors(estate, &data);
        doors.extend(found);
        // What a made-up account has nothing of was read all the same.
        missing.retain(|kind, _| estate.tables.contains_key(kind));
        gaps.insert(estate.account.clone(), missing);
    }
    let doors = serde_json::from_value(serde_json::to_value(&doors).expect("JSON")).expect("doors");
    let unread = unread.iter().map(|id| ((*id).to_owned(), "needs sts:AssumeRole".to_owned())).collect();
    let outside = Outside::new(doors, organization.clone(), unread, gaps);
    let (mut reports, mut borders) = (BTreeMap::new(), Vec::new());
    for (a, estate) in accounts.iter().zip(&estates) {
        let details = Details::from_json(&json!({"RoleDetailList": a.roles})).expect("details");
        let own = Organization { scps: levels(&a.scps, a.id), rcps: levels(&a.rcps, a.id), ..Organization::default() };
        let found = escalations(&details, &own, None);
        let exposures = exposures(estate);
        let world = paths::world(estate, details, own);
        let mut facts = Facts {
            estate,
            exposures: &exposures,
            world: &world,
            escalations: &found,
            data: &data,
            guardrails: &[],
            outside: None,
        };
        let alone = paths::paths(&facts);
        facts.outside = Some(&outside);
        let (report, border) = paths::survey(&facts);
        assert_eq!(report, alone, "what is found within an account does not depend on the others");
        reports.insert(a.id.to_owned(), report);
        let kept = serde_json::to_string(&border).expect("JSON");
        assert_eq!(serde_json::from_str::<Border>(&kept).expect("a border"), border);
        borders.push(border);
    }
    let beyond = join(&borders);
    Looked { reports, borders, beyond }
}

fn join(borders: &[Border]) -> BTreeMap<String, Beyond> {
    let mut join = Join::default();
    borders.iter().for_each(|b| join.add(b.clone()));
    let mut found = join.find(&DataClasses::default());
    for beyond in found.values_mut() {
        let needs = beyond.needs();
        borders.iter().filter(|b| needs.contains(&b.account)).for_each(|b| beyond.fill(b));
    }
    found
}

#[test]
fn from_a_workload_over_two_accounts_to_data_and_administration() {
    let found = look(&planted(), &[]);
    assert!(found.reports.values().all(|r| r.families.is_empty()), "no account has a way of its own");
    let families = found.families(DATA);
    let paths: Vec<Vec<&str>> = families.iter().map(|f| f.path.iter().map(String::as_str).collect()).collect();
    let (app, deploy, owner) = (arn(WEB, "app"), arn(BUILD, "deploy"), arn(DATA, "owner"));
    let start = ["internet", "i-111111111111", &app, &deploy];
    let data = [&start[..], &["arn:aws:s3:::nw-pii"]].concat();
    assert_eq!(paths, [data, [&start[..], &[owner.as_str(), "admin:333333333333"]].concat()]);
    for family in families {
        assert!(family.certain && family.severity == "critical", "{family:#?}");
        assert_eq!(family.accounts, [WEB, BUILD, DATA]);
        assert!(family.id.starts_with("internet > aws.ec2.instance > over accounts > arn:aws:iam::"), "{}", family.id);
        assert!(family.title.contains("beginning in account 111111111111"), "{}", family.title);
        for step in &family.steps {
            assert!(!step.because.is_empty() && !step.to_account.is_empty(), "{step:#?}");
        }
        let crossed: Vec<[&str; 2]> = family
            .steps
            .iter()
            .filter(|s| s.crosses())
            .map(|s| [s.from_account.as_str(), s.to_account.as_str()])
            .collect();
        assert_eq!(crossed, [[WEB, BUILD], [BUILD, DATA]]);
        // Both sides say so: the caller's policy and the policy of what it comes to.
        let step = &family.steps[2];
        let cited: Vec<[&str; 2]> = step.because.iter().map(|s| [s.resource.as_str(), s.field.as_str()]).collect();
        assert_eq!(cited, [[app.as_str(), "own #0"], [deploy.as_str(), "trust.#0"]], "{step:#?}");
    }
    // Every way goes over the role in the build account.
    let worst = &found.beyond[DATA].cuts[0];
    assert_eq!((worst.kills, worst.of), (2, 2), "{worst:#?}");
    assert!(!worst.because.is_empty());
}

#[test]
fn both_sides_and_all_guardrails_are_heard() {
    type Change = fn(&mut Vec<Account>);
    let closed: [(&str, Change); 10] = [
        ("nothing on the caller's side", |o| o[0].roles[0]["RolePolicyList"] = json!([])),
        ("the trust names another role", |o| {
            o[1].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(arn(WEB, "other"), json!({}))]));
        }),
        ("a guardrail over the caller", |o| {
            o[0].scps = vec![policy(json!([{"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}]))];
        }),
        ("a guardrail for what is in the organization only", |o| {
            o[0].scps = vec![policy(json!([{"Effect": "Deny", "Action": "sts:*", "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceOrgID": "o-1"}}}]))];
        }),
        ("a resource guardrail over the role", |o| {
            o[1].rcps = vec![policy(
                json!([{"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"}]),
            )];
        }),
        ("another organization", |o| {
            let only = json!({"StringEquals": {"aws:PrincipalOrgID": "o-2"}});
            o[1].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts("*", only)]));
        }),
        ("a boundary", |o| {
            let role = &mut o[0].roles[0];
            role["PermissionsBoundary"] =
                json!({"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"});
        }),
        ("a tag the role does not carry", |o| {
            let tagged = json!({"StringEquals": {"aws:PrincipalTag/team": "build"}});
            o[1].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(arn(WEB, "app"), tagged)]));
        }),
        ("nobody outside reaches it", |o| o[0].resources[0].2["public_address"] = json!("")),
        ("another action", |o| o[0].roles[0] = role(WEB, "app", ec2(), json!([allows("s3:*", "*")]))),
    ];
    for (what, change) in closed {
        let mut organization = planted();
        change(&mut organization);
        let found = look(&organization, &[]);
        assert!(found.beyond.is_empty(), "{what}: {:#?}", found.ends());
    }
    let trusting: [(&str, Json, Json, bool); 5] = [
        ("the account", json!(WEB), json!({}), true),
        ("the organization", json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), true),
        ("its paths", json!("*"), json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/r-1/*"}}), true),
        ("an external id", json!(WEB), json!({"StringEquals": {"sts:ExternalId": "x"}}), false),
        ("a second factor", json!(WEB), json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}), false),
    ];
    for (what, principal, condition, certain) in trusting {
        let mut organization = planted();
        organization[1].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(principal, condition)]));
        let found = look(&organization, &[]);
        let families = found.families(DATA);
        assert_eq!(families.len(), 2, "{what}");
        assert!(families.iter().all(|f| f.certain == certain), "{what}: {families:#?}");
        assert_eq!(families[0].steps[2].depends_on.is_empty(), certain, "{what}");
    }
}

#[test]
fn data_of_another_account_takes_its_policy_and_its_key() {
    let key = "arn:aws:kms:us-east-1:333333333333:key/1";
    let named = |principal: Json| {
        policy(json!([{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:Decrypt", "Resource": "*"}]))
    };
    let with = |key_id: &str, key_policy: Option<Json>, decrypts: bool| {
        let mut o = planted();
        o[2].roles.clear();
        o[2].resources[0].2["kms_key_id"] = json!(key_id);
        if let Some(policy) = key_policy {
            o[2].resources.push(("aws.kms.key", key, json!({"policy": policy})));
        }
        if decrypts {
            let policies = &mut o[1].roles[0]["RolePolicyList"][0]["PolicyDocument"]["Statement"];
            policies.as_array_mut().expect("statements").push(allows("kms:Decrypt", key));
        }
        look(&o, &[]).families(DATA).len()
    };
    assert_eq!(with("", None, false), 1, "S3's own key");
    assert_eq!(with(key, Some(named(json!(BUILD))), true), 1, "the key admits the account, whose role may decrypt");
    assert_eq!(with(key, Some(named(json!(BUILD))), false), 0, "the role may not decrypt");
    assert_eq!(with(key, Some(named(json!(WEB))), true), 0, "the key admits somebody else");
    assert_eq!(with(key, Some(named(json!(DATA))), true), 0, "the key admits its own account");
    assert_eq!(with("arn:aws:kms:us-east-1:333333333333:alias/aws/s3", None, true), 0, "AWS's key serves one account");
    // A block on public buckets leaves nothing of a policy that is public besides.
    let mut o = planted();
    o[2].roles.clear();
    let open = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::nw-pii/public/*"});
    o[2].resources[0].2["policy"]["Statement"].as_array_mut().expect("statements").push(open);
    o[2].resources[0].2["restrict_public_buckets"] = json!(true);
    assert!(look(&o, &[]).beyond.is_empty());
}

#[test]
fn whoever_administers_an_account_acts_as_any_of_its_principals() {
    let mut o = planted();
    // The instance's role may do everything in its own account; the build account trusts another role there.
    o[0].roles[0] = role(WEB, "app", ec2(), json!([allows("*", "*")]));
    o[0].roles.push(role(WEB, "pipeline", ec2(), json!([])));
    o[1].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(arn(WEB, "pipeline"), json!({}))]));
    let found = look(&o, &[]);
    assert_eq!(found.reports[WEB].families.len(), 1);
    let path = &found.families(DATA)[0].path;
    assert_eq!(path[2..5], [arn(WEB, "app"), "admin:111111111111".to_owned(), arn(BUILD, "deploy")]);
    // A role nobody made cannot be acted as.
    o[0].roles.pop();
    assert!(look(&o, &[]).beyond.is_empty());
}

#[test]
fn an_account_that_could_not_be_read_leaves_steps_open() {
    let mut o = planted();
    o.remove(1);
    let found = look(&o, &[BUILD]);
    // What leads into it may lead anywhere there; the finding is the last account's that was read.
    let [into] = found.families(WEB) else { panic!("{:#?}", found.beyond) };
    assert_eq!(into.path, ["internet", "i-111111111111", &arn(WEB, "app"), "admin:222222222222"]);
    assert!(!into.certain && into.id.ends_with(" > administration of account 222222222222"), "{}", into.id);
    // What comes out of it may have been reached by anybody.
    let [out, data] = found.families(DATA) else { panic!("{:#?}", found.beyond) };
    assert_eq!(out.path, ["account:222222222222", &arn(DATA, "owner"), "admin:333333333333"]);
    assert_eq!(data.path, ["account:222222222222", "arn:aws:s3:::nw-pii"]);
    for family in [into, out, data] {
        assert!(!family.certain, "{family:#?}");
        let open: Vec<&String> = family.steps.iter().flat_map(|s| &s.depends_on).collect();
        assert!(open.iter().any(|d| d.contains("needs sts:AssumeRole")), "{open:?}");
    }
    // It is not taken for a stranger when it is nobody's.
    assert!(look(&o, &[]).beyond.is_empty());
}

#[test]
fn who_becomes_an_administrator_may_do_so_in_another_account() {
    let ways = |accounts: &[Account]| -> Vec<(String, Vec<(String, String)>)> {
        let roles: Vec<Json> = accounts.iter().flat_map(|a| a.roles.clone()).collect();
        let details = Details::from_json(&json!({"RoleDetailList": roles})).expect("details");
        let found = escalations(&details, &organization(accounts, &[]), None);
        let told = details.principals.iter().zip(found.standings).filter(|(_, s)| !s.steps.is_empty());
        let steps = |s: &[plumb_assess::identity::aws::escalate::Step]| {
            s.iter().map(|s| (s.method.to_owned(), s.target.clone())).collect()
        };
        told.map(|(p, s)| (p.arn.clone(), steps(&s.steps))).collect()
    };
    let become_it = |account: &str, name: &str| ("aws.sts.assume-role".to_owned(), arn(account, name));
    let mut o = planted();
    assert_eq!(
        ways(&o),
        [
            (arn(WEB, "app"), vec![become_it(BUILD, "deploy"), become_it(DATA, "owner")]),
            (arn(BUILD, "deploy"), vec![become_it(DATA, "owner")]),
        ]
    );
    o[1].scps = vec![policy(json!([{"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}]))];
    assert!(ways(&o).is_empty(), "a guardrail over the account in between");
}

const GRANTS: [(&str, &str); 6] = [
    ("sts:AssumeRole", "*"),
    ("*", "*"),
    ("s3:GetObject", "*"),
    ("sts:AssumeRole", "arn:aws:iam::333333333333:role/owner"),
    ("iam:PutRolePolicy", "*"),
    ("sqs:*", "*"),
];

/// An organization whose roles hold what the numbers say and trust one another as they say.
fn drawn(grants: [usize; 3], trust: [usize; 3]) -> Vec<Account> {
    let mut o = planted();
    let mut second = o[0].clone();
    second.id = "444444444444";
    second.resources = entry(second.id);
    second.roles = vec![role(second.id, "app", ec2(), json!([allows("sts:AssumeRole", "*")]))];
    o.push(second);
    for (at, (grant, trust)) in grants.into_iter().zip(trust).enumerate() {
        let (action, resource) = GRANTS[grant % GRANTS.len()];
        let id = o[at].id;
        o[at].roles[0]["RolePolicyList"][0]["PolicyDocument"] = policy(json!([allows(action, resource)]));
        let trusted = [json!(WEB), json!(BUILD), json!("444444444444"), json!(arn(WEB, "app")), json!("*")];
        let condition = json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}});
        if at > 0 {
            let who = trusted[trust % trusted.len()].clone();
            o[at].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(who, condition)]));
        } else {
            assert_eq!(id, WEB);
        }
    }
    o
}

/// Whether every way of `after` was there before; whoever administers an account reaches what is in it.
fn within(after: &BTreeSet<(String, String)>, before: &BTreeSet<(String, String)>) -> bool {
    let all = |entry: &str| before.iter().any(|(e, goal)| e == entry && goal == &format!("admin:{DATA}"));
    after.iter().all(|end| before.contains(end) || all(&end.0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_guardrail_removes_ways_and_never_adds_any(
        grants in [0usize..6, 0usize..6, 0usize..6],
        trust in [0usize..5, 0usize..5, 0usize..5],
        over in 0usize..4,
        action in 0usize..3,
        resource_side in any::<bool>(),
    ) {
        let given = drawn(grants, trust);
        let before = look(&given, &[]).ends();
        let mut after = given;
        let action = ["sts:AssumeRole", "s3:GetObject", "*"][action];
        let deny = json!({"Effect": "Deny", "Action": action, "Resource": "*"});
        if resource_side {
            let mut deny = deny;
            deny["Principal"] = json!("*");
            after[over].rcps.push(policy(json!([deny])));
        } else {
            after[over].scps.push(policy(json!([deny])));
        }
        let after = look(&after, &[]).ends();
        prop_assert!(within(&after, &before), "a deny added {:?}", after.difference(&before));
    }

    #[test]
    fn the_order_of_accounts_says_nothing(
        grants in [0usize..6, 0usize..6, 0usize..6],
        trust in [0usize..5, 0usize..5, 0usize..5],
        turn in 0usize..4,
    ) {
        let given = drawn(grants, trust);
        let mut turned = given.clone();
        turned.rotate_left(turn);
        turned.swap(0, 2);
        prop_assert_eq!(look(&given, &[]).beyond, look(&turned, &[]).beyond);
    }

    #[test]
    fn one_accounts_border_touches_only_what_leads_over_it(
        grants in [0usize..6, 0usize..6, 0usize..6],
        trust in [0usize..5, 0usize..5, 0usize..5],
        fresh in 0usize..6,
    ) {
        let given = drawn(grants, trust);
        let before = look(&given, &[]);
        // What the build account's role holds changes; its doors stay.
        let mut changed = given.clone();
        let (action, resource) = GRANTS[fresh];
        changed[1].roles[0]["RolePolicyList"][0]["PolicyDocument"] = policy(json!([allows(action, resource)]));
        let after = look(&changed, &[]);
        for (at, (a, b)) in before.borders.iter().zip(&after.borders).enumerate() {
            prop_assert!(at == 1 || a == b, "the border of {} changed", a.account);
        }
        let mut mixed = before.borders.clone();
        mixed[1] = after.borders[1].clone();
        prop_assert_eq!(&join(&mixed), &after.beyond);
        let elsewhere = |l: &BTreeMap<String, Beyond>| -> Vec<Family> {
            l.values().flat_map(|b| &b.families).filter(|f| !f.accounts.iter().any(|a| a == BUILD)).cloned().collect()
        };
        let others = |l: &Looked| -> BTreeSet<(String, String)> {
            elsewhere(&l.beyond).iter().flat_map(|f| &f.paths).map(|p| (p.nodes[1].clone(), p.nodes[p.nodes.len() - 1].clone())).collect()
        };
        // A way that never enters the account stays, or becomes cheaper over it.
        let all = after.ends();
        prop_assert!(others(&before).iter().all(|end| all.contains(end)));
    }
}

/// The planted organization, whose build account has a function with a role instead of a trusted role.
fn with_function(policy: Json, allowed: &str) -> Vec<Account> {
    let function = "arn:aws:lambda:us-east-1:222222222222:function:job";
    let mut o = planted();
    o[0].roles[0] = role(WEB, "app", ec2(), json!([allows(allowed, function)]));
    let lambda =
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
    o[1].roles[0]["AssumeRolePolicyDocument"] = self::policy(json!([lambda]));
    let fields = json!({"policy": policy, "role_arn": arn(BUILD, "deploy"), "env": {}});
    o[1].resources.push(("aws.lambda.function", function, fields));
    o
}

fn by(who: &str, action: &str) -> Json {
    policy(json!([{"Effect": "Allow", "Principal": {"AWS": who}, "Action": action, "Resource": "*"}]))
}

#[test]
fn a_function_is_a_door_to_the_role_it_runs_as() {
    let step = |policy: Json, allowed: &str| -> Option<(String, u32, bool)> {
        let found = look(&with_function(policy, allowed), &[]);
        let family = found.families(DATA).first()?;
        let step = family.steps.iter().find(|s| s.crosses()).expect("a step over the border");
        Some((step.kind.to_owned(), step.cost, family.certain))
    };
    let told = |kind: &str, cost: u32, certain: bool| Some((kind.to_owned(), cost, certain));
    let (invoke, code, any) = ("lambda:InvokeFunction", "lambda:UpdateFunctionCode", "lambda:*");
    for (policy, allowed, want) in [
        (by(WEB, invoke), invoke, told("INVOKE", 5, true)),
        (by(WEB, invoke), code, None),
        (by(WEB, code), code, told("LATERAL_MOVE", 1, true)),
        (by(WEB, any), any, told("LATERAL_MOVE", 1, true)),
        (by(WEB, "lambda:GetFunction"), any, None),
        (by(DATA, any), any, None),
        (Json::Null, any, None),
        // A policy that could not be read is never "no way"; what the caller may do still counts.
        (json!("?"), invoke, told("INVOKE", 8, false)),
        (json!("?"), any, told("LATERAL_MOVE", 4, false)),
        (json!("?"), "lambda:GetFunction", None),
    ] {
        let told = format!("{policy} {allowed}");
        assert_eq!(step(policy, allowed), want, "{told}");
    }
    let found = look(&with_function(json!("?"), invoke), &[]);
    let step = found.families(DATA)[0].steps.iter().find(|s| s.crosses()).expect("the step").clone();
    assert!(step.depends_on.iter().any(|d| d.contains("whether the policy of arn:aws:lambda")), "{step:#?}");
    assert!(step.because.iter().any(|b| b.says.contains("could not be read")), "{step:#?}");
    // A guardrail closes it whatever its policy says.
    let mut o = with_function(json!("?"), invoke);
    o[0].scps = vec![policy(json!([{"Effect": "Deny", "Action": "lambda:*", "Resource": "*"}]))];
    assert!(look(&o, &[]).beyond.is_empty());
}

#[test]
fn functions_of_an_account_that_could_not_be_read_may_let_anyone_in() {
    let mut o = with_function(Json::Null, "lambda:InvokeFunction");
    o.remove(1);
    o[1].roles.clear();
    let found = look(&o, &[BUILD]);
    let [into] = found.families(WEB) else { panic!("{:#?}", found.beyond) };
    assert_eq!(into.path[3], "admin:222222222222");
    assert!(into.steps[2].depends_on[0].contains("whether a function of account 222222222222 lets it in"), "{into:#?}");
}

#[test]
fn policies_that_could_not_be_read_leave_data_roles_and_keys_open() {
    // A trust policy: the way goes through that role and no other.
    let mut o = planted();
    let trust = json!({"trust": "?", "tags": {}});
    o[1].resources.push(("aws.iam.role", leak(arn(BUILD, "deploy")), trust));
    o[1].roles[0]["AssumeRolePolicyDocument"] = Json::Null;
    let found = look(&o, &[]);
    assert_eq!(found.families(DATA).len(), 2, "{:#?}", found.beyond);
    assert!(found.families(DATA).iter().all(|f| !f.certain));
    // A bucket's policy.
    let mut o = planted();
    o[2].resources[0].2["policy"] = json!("?");
    let found = look(&o, &[]);
    let certain: Vec<(bool, &str)> =
        found.families(DATA).iter().map(|f| (f.certain, f.path.last().expect("a goal").as_str())).collect();
    assert_eq!(certain, [(true, "admin:333333333333"), (false, "arn:aws:s3:::nw-pii")]);
    // A key's.
    let key = "arn:aws:kms:us-east-1:333333333333:key/1";
    let mut o = planted();
    o[2].roles.clear();
    o[2].resources[0].2["kms_key_id"] = json!(key);
    o[2].resources.push(("aws.kms.key", key, json!({"policy": "?"})));
    let statements = &mut o[1].roles[0]["RolePolicyList"][0]["PolicyDocument"]["Statement"];
    statements.as_array_mut().expect("statements").push(allows("kms:Decrypt", key));
    let found = look(&o, &[]);
    let [family] = found.families(DATA) else { panic!("{:#?}", found.beyond) };
    assert!(!family.certain, "{family:#?}");
}

#[test]
fn sessions_are_principals_of_their_own() {
    let session = |name: &str| format!("arn:aws:sts::{WEB}:assumed-role/app/{name}");
    let with = |principal: String| {
        let mut o = planted();
        o[1].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(principal, json!({}))]));
        o
    };
    let ways = |o: &[Account]| look(o, &[]).families(DATA).iter().map(|f| f.certain).collect::<Vec<_>>();
    // An instance's session is called as the instance is.
    let own = with(session("i-111111111111"));
    assert_eq!(ways(&own), [true, true]);
    let found = look(&own, &[]);
    let step = &found.families(DATA)[0].steps[2];
    assert!(step.because.iter().any(|b| b.says.contains("acts in the session arn:aws:sts::111111111111")), "{step:#?}");
    assert_eq!(ways(&with(session("i-999999999999"))), [] as [bool; 0]);
    assert_eq!(ways(&with(format!("arn:aws:sts::{WEB}:assumed-role/other/i-111111111111"))), [] as [bool; 0]);
    // Who assumes the role calls the session as they like.
    let mut chosen = with(session("release"));
    let stranger = "999999999999";
    chosen[0].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(stranger, json!({}))]));
    chosen[0].resources.clear();
    assert_eq!(ways(&chosen), [true, true]);
    // Whoever administers the account calls it so, if there is such a role.
    let mut administered = with(format!("arn:aws:sts::{WEB}:assumed-role/pipeline/x"));
    administered[0].roles[0] = role(WEB, "app", ec2(), json!([allows("*", "*")]));
    assert_eq!(ways(&administered), [] as [bool; 0]);
    administered[0].roles.push(role(WEB, "pipeline", ec2(), json!([])));
    assert_eq!(ways(&administered), [true, true]);
    // Data may be given to a federated user, who cannot assume roles.
    let federated = format!("arn:aws:sts::{WEB}:federated-user/bob");
    let mut o = with(federated.clone());
    o[0].roles[0] = role(WEB, "app", ec2(), json!([allows("*", "*")]));
    assert_eq!(ways(&o), [] as [bool; 0]);
    o[2].resources[0].2["policy"]["Statement"][0]["Principal"] = json!({"AWS": federated});
    assert_eq!(ways(&o), [true]);
}

#[test]
fn unique_ids_are_those_of_roles_and_their_sessions() {
    let planted_with = |condition: Json| {
        let mut o = planted();
        o[1].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(WEB, condition)]));
        o
    };
    let ways = |o: &[Account]| look(o, &[]).families(DATA).iter().map(|f| f.certain).collect::<Vec<_>>();
    let asks = |operator: &str, value: &str| json!({ operator: { "aws:userid": value } });
    let (yes, no): (&[bool], &[bool]) = (&[true, true], &[]);
    // An instance's session is called as the instance is.
    for (operator, value, want) in [
        ("StringLike", "AROAAPP:*", yes),
        ("StringLike", "AROAOTHER:*", no),
        ("StringEquals", "AROAAPP:i-111111111111", yes),
        ("StringLike", "AROAAPP:i-*", yes),
        ("StringLike", "AROA*:i-1*", yes),
        ("StringEquals", "AROAAPP:i-999999999999", no),
        ("StringEquals", "AROAAPP", no),
        ("StringNotLike", "AROAAPP:*", no),
        ("StringNotLike", "AROAOTHER:*", yes),
    ] {
        assert_eq!(ways(&planted_with(asks(operator, value))), want, "{operator} {value}");
    }
    // An id that was not read leaves it open.
    let mut unknown = planted_with(asks("StringLike", "AROAAPP:*"));
    unknown[0].roles[0].as_object_mut().expect("a role").remove("RoleId");
    assert_eq!(ways(&unknown), [false, false]);
    // Who assumes the role calls the session as they like.
    let mut chosen = planted_with(asks("StringEquals", "AROAAPP:release"));
    assert_eq!(ways(&chosen), no);
    chosen[0].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts("999999999999", json!({}))]));
    chosen[0].resources.clear();
    assert_eq!(ways(&chosen), yes);
    // Whoever administers the account acts as whom the id is of, and as somebody made, whose id nobody could name.
    for (operator, value, alone, with) in [
        ("StringLike", "AROAPIPELINE:*", no, yes),
        ("StringEquals", "AROAPIPELINE:deploy", no, yes),
        ("StringLike", "AROAAPP:*", yes, yes),
        ("StringNotLike", "AROAAPP:*", yes, yes),
    ] {
        let mut o = planted_with(asks(operator, value));
        o[0].roles[0] = role(WEB, "app", ec2(), json!([allows("*", "*")]));
        assert_eq!(ways(&o), alone, "{operator} {value}");
        o[0].roles.push(role(WEB, "pipeline", ec2(), json!([])));
        assert_eq!(ways(&o), with, "{operator} {value} with the role");
    }
    // Ids of an account that was not read are not known.
    let mut o = planted();
    o[2].roles[0] = role(DATA, "owner", trusts(BUILD, asks("StringLike", "AROAX:*")), json!([allows("*", "*")]));
    o.remove(1);
    let found = look(&o, &[BUILD]);
    let owner = found.families(DATA).iter().find(|f| f.path.contains(&arn(DATA, "owner"))).expect("a way");
    assert!(!owner.certain, "{owner:#?}");
}

#[test]
fn whoever_administers_an_account_may_come_into_those_nobody_read() {
    let mut o = planted();
    o.truncate(1);
    o[0].roles[0] = role(WEB, "app", ec2(), json!([allows("*", "*")]));
    let found = look(&o, &[BUILD, DATA]);
    let [into] = found.families(WEB) else { panic!("{:#?}", found.beyond) };
    assert_eq!(into.path[into.path.len() - 2..], ["admin:111111111111", "admin:unread"], "{into:#?}");
    assert!(!into.certain, "{into:#?}");
    let last = into.steps.last().expect("a step");
    assert!(last.depends_on.iter().any(|d| d.contains("needs sts:AssumeRole")), "{last:#?}");
    // A guardrail over its own account forbids it, and where nobody is unread there is nothing to come into.
    assert!(look(&o, &[]).beyond.is_empty());
    o[0].scps = vec![policy(json!([{"Effect": "Deny", "Action": ["sts:AssumeRole", "lambda:*"], "Resource": "*"}]))];
    assert!(look(&o, &[BUILD, DATA]).families(WEB).is_empty());
}

#[test]
fn who_administers_an_account_is_whom_the_conditions_ask_for() {
    let ways = |principal: &str, condition: Json| {
        let mut o = planted();
        o[0].roles[0] = role(WEB, "app", ec2(), json!([allows("*", "*")]));
        o[1].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(principal, condition)]));
        look(&o, &[]).families(DATA).iter().map(|f| f.certain).collect::<Vec<_>>()
    };
    let arn_like = |value: &str| json!({"ArnLike": {"aws:PrincipalArn": value}});
    for (principal, condition, want) in [
        (WEB, arn_like("arn:aws:iam::111111111111:role/pipeline"), &[true, true][..]),
        (WEB, arn_like("arn:aws:iam::*:role/pipeline-*"), &[true, true]),
        ("*", arn_like("arn:aws:iam::111111111111:role/ci/*"), &[true, true]),
        (WEB, arn_like("arn:aws:iam::444444444444:role/pipeline"), &[]),
        (WEB, json!({"StringEquals": {"aws:PrincipalTag/team": "build"}}), &[true, true]),
        (WEB, json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), &[true, true]),
        (WEB, json!({"StringEquals": {"aws:PrincipalOrgID": "o-2"}}), &[]),
        (WEB, json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}), &[]),
        ("*", json!({"StringEquals": {"aws:PrincipalAccount": WEB}}), &[true, true]),
        ("*", json!({"StringEquals": {"aws:PrincipalAccount": DATA}}), &[]),
    ] {
        assert_eq!(ways(principal, condition.clone()), want, "{principal} {condition}");
    }
    // Others are who they are.
    let plain = |condition: Json| {
        let mut o = planted();
        o[1].roles[0]["AssumeRolePolicyDocument"] = policy(json!([trusts(WEB, condition)]));
        look(&o, &[]).families(DATA).len()
    };
    assert_eq!(plain(arn_like("arn:aws:iam::111111111111:role/app")), 2);
    assert_eq!(plain(arn_like("arn:aws:iam::*:role/a*")), 2);
    assert_eq!(plain(arn_like("arn:aws:iam::111111111111:role/pipeline")), 0);
    assert_eq!(plain(json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}})), 0);
}

#[test]
fn values_of_fields_reach_the_doors() {
    // A trust nobody could read is no door, and no error.
    let mut o = planted();
    o[1].roles.clear();
    o[1].resources.push(("aws.iam.role", "arn:aws:iam::222222222222:role/deploy", json!({"trust": "?"})));
    assert!(look(&o, &[]).beyond.is_empty());
}
