//! Measures the identity engine: one decision, the corpus of managed policies, reach of a large account.
//!
//! `cargo run --release -p plumb-assess --example bench -- [principals] [resources]`; `account N FILE` writes the
//! authorization details of an account with N principals, `assess FILE` assesses such a file, `lint FOLDER` lints the
//! policy documents of a folder, `corpus FOLDER` writes the managed policies there, `overland N M` finds the attack paths
//! over N accounts of M principals each.

use plumb_assess::identity::aws::{
    Admin, Assessed, Caller, Details, Document, Organization, Policies, Policy, Request, World,
    action_sets::ActionSets, context::Context, data, decide, reach::Evaluator,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Instant};

/// The allocator of the command, so that the figures are the command's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ACCOUNT: &str = "111111111111";

fn memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let out = work();
    println!(
        "{what:<52} wall {:>8.3} s  cpu {:>6.2} s  peak {} MB",
        wall.elapsed().as_secs_f64(),
        cpu_seconds() - cpu,
        memory_mb()
    );
    out
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["account", count, file] => return Ok(std::fs::write(file, account(count.parse()?).to_string())?),
        ["assess", file] => return assess_file(file),
        ["corpus", folder] => return write_corpus(folder),
        ["lint", folder] => return lint_folder(folder),
        ["overland", accounts, principals] => return overland(accounts.parse()?, principals.parse()?),
        _ => {}
    }
    let mut args = std::env::args().skip(1).map(|a| a.parse::<usize>());
    let principals = args.next().transpose()?.unwrap_or(10_000);
    let resources = args.next().transpose()?.unwrap_or(100_000);
    timed("unpack the action catalogue", data::actions);
    corpus();
    decisions()?;
    reach(principals, resources)?;
    Ok(())
}

/// An account of users and roles of which some can become administrators: by passing roles, by trust, by their own keys.
fn account(count: usize) -> Value {
    let arn = |kind: &str, i: usize| format!("arn:aws:iam::{ACCOUNT}:{kind}/{}{i}", &kind[..1]);
    let (mut users, mut roles) = (Vec::new(), Vec::new());
    for i in 0..count {
        let statement = match i % 10 {
            0 => {
                json!({"Effect": "Allow", "Action": ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"], "Resource": "*"})
            }
            1 => json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn("role", i + 1)}),
            2 => json!({"Effect": "Allow", "Action": ["ec2:Describe*", "ssm:StartSession"], "Resource": "*"}),
            3 => json!({"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": arn("user", i + 7)}),
            4 => {
                json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}])
            }
            _ => {
                json!({"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": format!("arn:aws:s3:::corp-{i}/*")})
            }
        };
        let inline = json!([{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": statement}}]);
        if i % 2 == 0 {
            let service = ["ec2", "lambda", "glue"][i / 2 % 3];
            let mut role = json!({"RoleName": format!("r{i}"), "RoleId": format!("AROA{i}"), "Path": "/", "Arn": arn("role", i), "RolePolicyList": inline,
                "InstanceProfileList": [], "AttachedManagedPolicies": [], "Tags": [], "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": format!("{service}.amazonaws.com")}, "Action": "sts:AssumeRole"},
                    {"Effect": "Allow", "Principal": {"AWS": arn("user", i + 1)}, "Action": "sts:AssumeRole"}]}});
            if i % 50 == 2 {
                role["AttachedManagedPolicies"] = json!([{"PolicyName": "AdministratorAccess", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}]);
            }
            roles.push(role);
        } else {
            users.push(json!({"UserName": format!("u{i}"), "UserId": format!("AIDA{i}"), "Path": "/", "Arn": arn("user", i), "UserPolicyList": inline,
                "GroupList": [], "AttachedManagedPolicies": [], "Tags": []}));
        }
    }
    let admin = json!({"PolicyName": "AdministratorAccess", "Arn": "arn:aws:iam::aws:policy/AdministratorAccess", "DefaultVersionId": "v1",
        "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}]});
    json!({"UserDetailList": users, "RoleDetailList": roles, "GroupDetailList": [], "Policies": [admin]})
}

fn assess_file(file: &str) -> Result<(), Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(file)?;
    let assessed = Assessed::new(&text, None, None)?;
    let rows = assessed.rows();
    // Written, as the command writes them, but to nowhere.
    let mut sink = std::io::BufWriter::new(std::io::sink());
    for row in &rows {
        serde_json::to_writer(&mut sink, row)?;
    }
    let standings = &assessed.found.standings;
    let admins = standings.iter().filter(|s| s.admin != Admin::No).count();
    let become_admin = standings.iter().filter(|s| s.can_become_admin).count() - admins;
    let edges = assessed.found.edges.len();
    println!("{admins} administrators, {become_admin} who can become one, {edges} edges; peak {} MB", memory_mb());
    drop(rows);
    // The process ends here; so does the command's.
    std::mem::forget(assessed);
    Ok(())
}

fn write_corpus(folder: &str) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    for arn in data::managed_policy_arns() {
        let Some(text) = data::managed_policy_text(arn) else { continue };
        let name = arn.rsplit('/').next().unwrap_or_default();
        std::fs::write(format!("{folder}/{name}.json"), text)?;
    }
    Ok(())
}

fn lint_folder(folder: &str) -> Result<(), Box<dyn std::error::Error>> {
    use plumb_assess::identity::aws::lint::{Use, lint};
    let mut found: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    let (mut documents, mut remarked) = (0, 0);
    for entry in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(entry?.path())?;
        let remarks = lint(&Document::parse(text)?, Use::Identity);
        documents += 1;
        remarked += usize::from(!remarks.is_empty());
        remarks.iter().for_each(|r| *found.entry(r.code).or_default() += 1);
    }
    println!("{documents} documents, {remarked} with remarks: {found:?}; peak {} MB", memory_mb());
    Ok(())
}

fn corpus() {
    let documents: Vec<Document> = timed("parse 1,594 managed policies", || {
        data::managed_policy_arns().iter().filter_map(|arn| data::managed_policy(arn)).collect()
    });
    timed("compile them to action sets", || {
        let mut sets = ActionSets::default();
        let bits: usize = documents.iter().flat_map(|d| d.statements.iter()).map(|s| sets.of(&s.actions).count()).sum();
        println!("  {} documents, {bits} bits", documents.len());
    });
}

fn decisions() -> Result<(), Box<dyn std::error::Error>> {
    let arns = ["AmazonS3FullAccess", "ReadOnlyAccess", "PowerUserAccess"];
    let identity: Vec<Arc<Policy>> = arns
        .iter()
        .filter_map(|n| {
            data::managed_policy(&format!("arn:aws:iam::aws:policy/{n}")).map(|d| Arc::new(Policy::new(*n, d)))
        })
        .collect();
    let bucket = Policy::new(
        "bucket",
        Document::parse(
            r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::data/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/x"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::data/${aws:username}/*"}]}"#,
        )?,
    );
    let caller = Caller::parse("arn:aws:iam::111111111111:user/ann").ok_or("caller")?;
    let request = Request::new(caller, "s3:GetObject", "arn:aws:s3:::data/ann/k", Some(ACCOUNT), Context::default());
    let policies = Policies { identity: &identity, resource: Some(&bucket), ..Policies::default() };
    let rounds = 200_000_u32;
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let mut allowed = 0_u32;
    for _ in 0..rounds {
        allowed += u32::from(decide(&request, &policies).allowed.is_yes());
    }
    let each = |seconds: f64| seconds * 1e6 / f64::from(rounds);
    println!(
        "one decision with reasons: wall {:.2} µs, cpu {:.2} µs ({allowed} allowed)",
        each(start.elapsed().as_secs_f64()),
        each(cpu_seconds() - cpu)
    );
    Ok(())
}

fn document(n: usize) -> Value {
    let team = n % 250;
    let condition =
        n.is_multiple_of(11).then(|| json!({"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}}));
    let mut statements = vec![
        json!({"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": [format!("arn:aws:s3:::corp-{team:04}"), format!("arn:aws:s3:::corp-{team:04}/*")]}),
        json!({"Effect": "Allow", "Action": ["dynamodb:*Item", "dynamodb:Query"], "Resource": format!("arn:aws:dynamodb:*:{ACCOUNT}:table/t{:02}*", n % 90)}),
        json!({"Effect": "Allow", "Action": "sqs:*", "Resource": format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:q{n}*")}),
        json!({"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "kms:Decrypt"], "Resource": "*"}),
        json!({"Effect": "Deny", "Action": ["s3:PutBucketPolicy", "s3:DeleteBucket"], "NotResource": "arn:aws:s3:::scratch-*"}),
    ];
    if let (Some(condition), Some(first)) = (condition, statements.first_mut()) {
        first["Condition"] = condition;
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn reach(principals: usize, resources: usize) -> Result<(), Box<dyn std::error::Error>> {
    let policies: Vec<Value> = (0..1500)
        .map(|n| json!({"Arn": format!("arn:aws:iam::{ACCOUNT}:policy/p{n}"), "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": document(n)}]}))
        .chain([json!({"Arn": format!("arn:aws:iam::{ACCOUNT}:policy/limit"), "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true,
            "Document": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}}]})])
        .collect();
    let (mut users, mut roles) = (Vec::new(), Vec::new());
    for i in 0..principals {
        let attached: Vec<Value> = (0..3)
            .map(|k| json!({"PolicyArn": format!("arn:aws:iam::{ACCOUNT}:policy/p{}", (i % 700 * 7 + k * 13) % 1500)}))
            .collect();
        let boundary =
            (i % 5 == 0).then(|| json!({"PermissionsBoundaryArn": format!("arn:aws:iam::{ACCOUNT}:policy/limit")}));
        if i % 3 == 0 {
            users.push(json!({"UserName": format!("u{i}"), "Arn": format!("arn:aws:iam::{ACCOUNT}:user/u{i}"), "AttachedManagedPolicies": attached, "PermissionsBoundary": boundary}));
        } else {
            roles.push(json!({"RoleName": format!("r{i}"), "Arn": format!("arn:aws:iam::{ACCOUNT}:role/r{i}"), "AttachedManagedPolicies": attached, "PermissionsBoundary": boundary,
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}}));
        }
    }
    let details = timed(&format!("read {principals} principals"), || {
        Details::from_json(&json!({"UserDetailList": users, "RoleDetailList": roles, "Policies": policies}))
    })?;
    let org = Organization::parse(&json!({"scps": [{"orgIdentifier": "r", "policies": [
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "NotAction": "iam:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}}},
            {"Effect": "Deny", "Action": "sqs:DeleteQueue", "Resource": "*"}]}]}],
        "rcps": [{"orgIdentifier": "r", "policies": [{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}}]}]}], "organization_id": "o-1"}).to_string())?;
    let mut world = World::new(details, org, None);
    let names: Vec<String> = (0..resources)
        .map(|i| match i % 5 {
            0 => format!("arn:aws:s3:::corp-{:04}/k{i}", i / 5 % 250),
            1 => format!("arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/t{:02}-{i}", i % 90),
            2 => format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:q{}-{i}", i % 1500),
            3 => format!("arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:s{i}-AbCdEf"),
            _ => format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{i:08x}"),
        })
        .collect();
    timed("resource policies", || -> Result<(), Box<dyn std::error::Error>> {
        for b in 0..250 {
            let arn = format!("arn:aws:s3:::corp-{b:04}");
            let text = json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn.clone(), format!("{arn}/*")], "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
                {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/u{}", b * 3)}, "Action": "s3:GetObject", "Resource": format!("{arn}/*")}]});
            world.add_resource_policy(&arn, Policy::new(arn.clone(), Document::parse(&text)?));
        }
        for (i, arn) in names.iter().enumerate().filter(|(_, n)| n.contains(":kms:")) {
            let text = json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": if i % 2 == 0 { "kms:*" } else { "kms:Describe*" }, "Resource": "*"}]});
            world.add_resource_policy(arn, Policy::new(arn.clone(), Document::parse(&text)?));
        }
        Ok(())
    })?;
    let mut evaluator = timed(&format!("prepare {resources} resources"), || Evaluator::new(&world, names));
    let found = timed("reach of everyone", || evaluator.reach());
    let pairs: usize = found.by_principal.iter().map(|r| r.sets.iter().map(|s| s.count()).sum::<usize>()).sum();
    println!("  {} signatures, {pairs} reachable pairs", found.signatures);
    let mut changed = world.clone();
    let policy = Arc::new(Policy::new("changed", Document::parse(document(9_999))?));
    let target = changed.details.principals.first().and_then(|p| p.attachments.first()).map(|a| Arc::clone(&a.policy));
    for held in changed.details.principals.iter_mut().flat_map(|p| p.attachments.iter_mut()) {
        if target.as_ref().is_some_and(|t| Arc::ptr_eq(t, &held.policy)) {
            held.policy = Arc::clone(&policy);
        }
    }
    timed("refresh after one changed policy", || {
        evaluator.refresh(&changed);
        evaluator.reach()
    });
    Ok(())
}

/// Attack paths over an organization: each account trusts the one before and one that serves all, lets a partner in,
/// and holds data that the serving account reads.
fn overland(accounts: usize, principals: usize) -> Result<(), Box<dyn std::error::Error>> {
    use plumb_assess::{
        exposure::{Estate, Table, exposures},
        identity::aws::{Chain, escalations},
        paths::{self, DataClasses, Facts, Join, Outside},
    };
    use plumb_catalog::Catalog;
    use plumb_model::{Resource, Value as Field};
    use std::collections::BTreeMap;

    let (catalog, _) = Catalog::load([]);
    let id = |n: usize| format!("{:012}", 100_000_000_000 + n as u64);
    let arn = |n: usize, name: &str| format!("arn:aws:iam::{}:role/{name}", id(n));
    let allow = |action: &str, resource: String| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let policy = |statements: Value| json!({"Version": "2012-10-17", "Statement": statements});
    let trust =
        |who: Vec<String>| policy(json!([{"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole"}]));
    let roles = |n: usize| -> Vec<Value> {
        let before = arn((n + accounts - 1) % accounts, "step");
        let mut out: Vec<(String, Value, Value)> = vec![
            ("partner".into(), trust(vec!["999999999999".into()]), json!([allow("sts:AssumeRole", arn(n, "step"))])),
            ("step".into(), trust(vec![arn(n, "partner"), before]), json!([allow("sts:AssumeRole", "*".into())])),
            (
                "audit".into(),
                trust(vec![arn(0, "audit")]),
                json!([allow("s3:GetObject", "arn:aws:s3:::data-*".into()), allow("sts:AssumeRole", "*".into())]),
            ),
            ("owner".into(), trust(vec![arn(0, "step")]), json!([allow("*", "*".into())])),
        ];
        out.extend((4..principals).map(|p| {
            let doing =
                json!([allow("s3:GetObject", format!("arn:aws:s3:::other-{p}/*")), allow("dynamodb:*", "*".into())]);
            (format!("work-{p}"), trust(vec![arn(n, "partner")]), doing)
        }));
        let role = |(name, trust, statements): (String, Value, Value)| {
            json!({"Arn": arn(n, &name), "RoleName": name, "AssumeRolePolicyDocument": trust,
                "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": policy(statements)}]})
        };
        out.into_iter().map(role).collect()
    };
    let estate = |n: usize| -> Estate {
        let mut estate = Estate { account: id(n), ..Estate::default() };
        estate.organization = (0..accounts).filter(|other| *other != n).map(id).collect();
        let bucket = format!("arn:aws:s3:::data-{n}");
        let readers = policy(
            json!([{"Effect": "Allow", "Principal": {"AWS": arn(0, "audit")}, "Action": "s3:GetObject", "Resource": format!("{bucket}/*")}]),
        );
        let mut given = vec![(
            "aws.s3.bucket",
            bucket,
            json!({"object_ownership": "BucketOwnerEnforced", "policy": readers, "tags": {"data-class": "customer-pii"}}),
        )];
        given.push(("aws.s3.account", id(n), json!({})));
        for role in roles(n) {
            let arn = role["Arn"].as_str().unwrap_or_default().to_owned();
            given.push(("aws.iam.role", arn, json!({"trust": role["AssumeRolePolicyDocument"]})));
        }
        for (kind, name, fields) in given {
            let Some(kind) = catalog.kinds.get(kind) else { continue };
            let fields = kind
                .fields
                .iter()
                .map(|f| fields.get(&f.name).map_or_else(|| f.default.clone(), Field::from_json))
                .collect();
            let (account, region) = (id(n).as_str().into(), "us-east-1".into());
            let resource = Resource {
                kind: kind.id.clone(),
                account,
                region,
                id: name.as_str().into(),
                name: name.into(),
                fields,
                sources: plumb_model::Sources::default(),
            };
            let table = estate.tables.entry(kind.id.to_string());
            table
                .or_insert_with(|| Table { kind: Arc::clone(kind), resources: Vec::new(), gap: None })
                .resources
                .push(resource);
        }
        estate
    };
    let data = DataClasses::default();
    let chain = || Chain { path: Some("o-1/r-1/".into()), ..Chain::default() };
    let organization = Organization {
        id: Some("o-1".into()),
        accounts: (0..accounts).map(|n| (id(n), chain())).collect(),
        ..Organization::default()
    };
    let label = |what: &str| format!("{what}, {accounts} accounts x {principals} principals");
    let doors =
        timed(&label("doors"), || (0..accounts).flat_map(|n| paths::doors(&estate(n), &data).0).collect::<Vec<_>>());
    println!("{} doors", doors.len());
    let outside = Outside::new(doors, organization, BTreeMap::new(), BTreeMap::new());
    let mut alone = std::time::Duration::ZERO;
    let borders: Vec<String> = timed(&label("assess each, with its border"), || {
        (0..accounts)
            .map(|n| {
                let estate = estate(n);
                let details = Details::from_json(&json!({"RoleDetailList": roles(n)}))?;
                let escalations = escalations(&details, &Organization::default(), None);
                let exposures = exposures(&estate);
                let world = paths::world(&estate, details, Organization::default());
                let mut facts = Facts {
                    estate: &estate,
                    exposures: &exposures,
                    world: &world,
                    escalations: &escalations,
                    data: &data,
                    guardrails: &[],
                    outside: None,
                };
                let begun = Instant::now();
                let report = paths::paths(&facts);
                alone += begun.elapsed();
                facts.outside = Some(&outside);
                let (again, border) = paths::survey(&facts);
                assert_eq!(report, again, "the others change nothing within an account");
                Ok(serde_json::to_string(&border)?)
            })
            .collect::<Result<_, Box<dyn std::error::Error>>>()
    })?;
    println!(
        "of it paths within accounts {:.3} s wall; borders {} KB",
        alone.as_secs_f64(),
        borders.iter().map(String::len).sum::<usize>() / 1024
    );
    let found = timed(&label("put borders together"), || -> Result<_, serde_json::Error> {
        let mut join = Join::default();
        for border in &borders {
            join.add(serde_json::from_str(border)?);
        }
        Ok(join.find(&data))
    })?;
    let families: Vec<_> = found.values().flat_map(|b| &b.families).collect();
    let limits: std::collections::BTreeSet<&String> = found.values().flat_map(|b| &b.limits).collect();
    println!(
        "{} families of {} paths end in {} accounts; {limits:?}",
        families.len(),
        families.iter().map(|f| f.paths.len()).sum::<usize>(),
        found.len()
    );
    Ok(())
}
