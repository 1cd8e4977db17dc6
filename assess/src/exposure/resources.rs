//! Which facts decide for which kind.

use super::services;
use super::{
    Class, Estate, Exposure, Item, Judged, Need, Step,
    network::{self, Place},
    policies::{self, Reading},
};
use crate::identity::aws::document::{Document, Effect, Statement};
use crate::policy::{Definition, open_providers, public_statements};
use plumb_model::{Reason, Unknown, Value};
use std::sync::Arc;

/// Every resource of an account whose kind can be reached from outside, by kind and id.
///
/// Kinds with rules of their own are buckets, access points, snapshots, images, instances, network interfaces,
/// functions, keys, roles and managed services (databases, clusters, search domains, load balancers, APIs, distributions,
/// file systems, container services); any other kind with a resource policy is judged by that. A kind that was not read
/// completely adds one unknown entry, named `*`, for what may be missing.
pub fn exposures(estate: &Estate) -> Vec<Exposure> {
    let mut out = Vec::new();
    for (name, table) in &estate.tables {
        if let Some(gap) = table.gap.as_ref().filter(|_| is_judged(name)) {
            out.push(unread(estate, name, gap));
        }
        for resource in &table.resources {
            let item = Item { kind: &table.kind, resource };
            if let Some(judged) = judge(estate, name, &item) {
                out.push(judged.exposure(&item));
            }
        }
    }
    out.sort_by(|a, b| (&a.kind, &a.resource).cmp(&(&b.kind, &b.resource)));
    out
}

/// Kinds whose resources are judged.
fn is_judged(kind: &str) -> bool {
    is_resource_policy(kind)
        || matches!(
            kind,
            "aws.s3.bucket"
                | "aws.s3.access-point"
                | "aws.ec2.ebs-snapshot"
                | "aws.ec2.image"
                | "aws.ec2.instance"
                | "aws.lambda.function"
                | "aws.iam.role"
                | "aws.sqs.queue"
                | "aws.sns.topic"
        )
        || services::is_judged(kind)
}

/// The resources of a kind that may be there and were not read.
fn unread(estate: &Estate, kind: &str, gap: &Need) -> Exposure {
    Exposure {
        account: estate.account.clone(),
        region: String::new(),
        kind: kind.to_owned(),
        resource: format!("{}:{kind}", estate.account),
        name: "*".into(),
        class: Class::Unknown,
        at_most: Some(Class::Internet),
        proof: Vec::new(),
        needs: vec![gap.describe()],
        missing: vec![Arc::clone(gap)],
        openings: Vec::new(),
        actions: Vec::new(),
        outside_accounts: Vec::new(),
    }
}

fn judge(estate: &Estate, kind: &str, item: &Item<'_>) -> Option<Judged> {
    Some(match kind {
        "aws.s3.bucket" => bucket(estate, item),
        "aws.s3.access-point" => access_point(estate, item),
        "aws.ec2.ebs-snapshot" => snapshot(estate, item),
        "aws.ec2.image" => image(estate, item),
        "aws.ec2.instance" => instance(estate, item),
        "aws.ec2.network-interface" => return interface(estate, item),
        "aws.lambda.function" => function(estate, item),
        "aws.kms.key" if item.text("manager").is_ok_and(|m| m == "AWS") => Judged::internal(),
        "aws.iam.role" => role(estate, item),
        "aws.sqs.queue" | "aws.sns.topic" => policies::judge(estate, item, reading(Class::Internet)),
        _ if services::is_judged(kind) => services::judge(estate, kind, item),
        _ if item.has("policy") && is_resource_policy(kind) => {
            policies::judge(estate, item, reading(Class::InternetAuthenticated))
        }
        _ => return None,
    })
}

pub(super) fn reading(anyone: Class) -> Reading<'static> {
    Reading { field: "policy", anyone, definition: Definition::Reachable }
}

/// Kinds whose `policy` field says who may use them.
fn is_resource_policy(kind: &str) -> bool {
    matches!(
        kind,
        "aws.kms.key"
            | "aws.secretsmanager.secret"
            | "aws.ecr.repository"
            | "aws.ecr.registry"
            | "aws.vpc.endpoint-service"
            | "aws.backup.vault"
            | "aws.dynamodb.table"
            | "aws.eventbridge.event-bus"
            | "aws.glacier.vault"
            | "aws.kinesis.stream"
    )
}

pub(super) fn not_asked(call: &str, detail: &str) -> Need {
    let mut unknown = Unknown::new(Reason::NotAsked, call);
    unknown.detail = detail.to_owned();
    Arc::new(unknown)
}

/// A setting that is on when the bucket's or the account's is on.
enum Setting {
    On(Step),
    Off,
    Unknown(Need),
}

fn setting(estate: &Estate, item: &Item<'_>, field: &str) -> Setting {
    let own = item.flag(field);
    if let Ok(true) = own {
        return Setting::On(Step::new(item.id(), field, "is on"));
    }
    let account = match estate.of("aws.s3.account").next() {
        Some(account) => account.flag(field).map(|on| (account.id(), on)),
        None => Err(estate.missing("aws.s3.account", "the account's block public access")),
    };
    match (own, account) {
        (_, Ok((id, true))) => Setting::On(Step::new(id, field, "is on for the whole account")),
        (Err(need), _) | (_, Err(need)) => Setting::Unknown(need),
        _ => Setting::Off,
    }
}

/// Whether a bucket's policy is public and a block on public buckets leaves only the account itself and AWS services.
pub(crate) fn serves_only_its_account(estate: &Estate, item: &Item<'_>, document: &Document) -> bool {
    !public_statements(document, Definition::S3).is_empty()
        && matches!(setting(estate, item, "restrict_public_buckets"), Setting::On(_))
}

fn blocked_by(judged: Judged, setting: Setting) -> Judged {
    match setting {
        Setting::Off => judged,
        Setting::On(step) => Judged::sure(Class::Internal, vec![step]),
        Setting::Unknown(need) => {
            let mut judged = judged;
            if judged.possible > Class::Internal {
                judged.certain = Class::Internal;
                judged.needs.push(need);
            }
            judged
        }
    }
}

fn bucket(estate: &Estate, item: &Item<'_>) -> Judged {
    let reading = Reading { field: "policy", anyone: Class::Internet, definition: Definition::S3 };
    let policy = match policies::document(item, "policy") {
        Ok(None) => Judged::internal(),
        Err(need) => Judged::open(Class::Internet, need),
        Ok(Some(document)) => {
            let judged = policies::judge_document(estate, item.id(), reading, &document);
            // A public policy under this block serves the account itself and AWS services only.
            if public_statements(&document, Definition::S3).is_empty() {
                judged
            } else {
                blocked_by(judged, setting(estate, item, "restrict_public_buckets"))
            }
        }
    };
    let acl = match item.text("object_ownership") {
        Ok("BucketOwnerEnforced") => Judged::internal(),
        ownership => {
            let mut judged = acl(item);
            if let Err(need) = ownership
                && judged.possible > Class::Internal
            {
                judged.certain = Class::Internal;
                judged.needs.push(need);
            }
            judged
        }
    };
    // Grants to named accounts are not public and pass the block.
    let acl = if acl.possible <= Class::CrossAccount {
        acl
    } else {
        blocked_by(acl, setting(estate, item, "ignore_public_acls"))
    };
    policy.or(acl)
}

fn acl(item: &Item<'_>) -> Judged {
    let grants = match item.list("acl_grants") {
        Ok(grants) => grants,
        Err(need) => return Judged::open(Class::Internet, need),
    };
    let mut out = Judged::internal();
    for (i, grant) in grants.iter().enumerate() {
        let text = |field: &str| grant.get(field).and_then(Value::as_str).unwrap_or_default();
        let (class, who) = match text("group").rsplit('/').next().unwrap_or_default() {
            "AllUsers" => (Class::Internet, "anyone"),
            "AuthenticatedUsers" => (Class::InternetAuthenticated, "anyone with an AWS account"),
            _ => continue,
        };
        let says = format!("gives {} to {who}", text("permission"));
        let mut one = Judged::sure(class, vec![Step::new(item.id(), format!("acl_grants[{i}]"), says)]);
        one.actions.push(format!("acl:{}", text("permission")));
        out = out.or(one);
    }
    // The owner holds one grant; the field does not tell whose the others are.
    if grants.iter().filter(|g| g.get("group").and_then(Value::as_str).is_none_or(str::is_empty)).count() > 1 {
        out = out.or(Judged::open(
            Class::CrossAccount,
            not_asked("s3:GetBucketAcl", "the accounts named by the ACL are not on the record"),
        ));
    }
    out
}

/// An access point answers whom its own policy admits, if the bucket's policy hands the decision to access points.
fn access_point(estate: &Estate, item: &Item<'_>) -> Judged {
    match item.text("network_origin") {
        Ok("VPC") => {
            return Judged::sure(Class::Internal, vec![Step::new(item.id(), "network_origin", "answers one VPC only")]);
        }
        Err(need) => return Judged::open(Class::Internet, need),
        Ok(_) => {}
    }
    let reading = Reading { field: "policy", anyone: Class::Internet, definition: Definition::S3 };
    let document = match policies::document(item, "policy") {
        Ok(None) => return Judged::internal(),
        Err(need) => return Judged::open(Class::Internet, need),
        Ok(Some(document)) => document,
    };
    let mut judged = policies::judge_document(estate, item.id(), reading, &document);
    if !public_statements(&document, Definition::S3).is_empty() {
        judged = blocked_by(judged, setting(estate, item, "restrict_public_buckets"));
    }
    if judged.possible == Class::Internal {
        return judged;
    }
    let name = item.text("bucket").unwrap_or_default();
    let bucket = estate
        .of("aws.s3.bucket")
        .find(|b| b.resource.name.as_ref() == name || b.id().ends_with(&format!(":::{name}")));
    let Some(bucket) = bucket else {
        judged.certain = Class::Internal;
        judged.needs.push(estate.missing("aws.s3.bucket", name));
        return judged;
    };
    let hands_over = |document: &Document| {
        let names_points = |s: &Statement| s.conditions.iter().any(|c| c.key.starts_with("s3:dataaccesspoint"));
        let allow = |s: &&Statement| s.effect == Effect::Allow && s.principals.as_ref().is_some_and(|p| p.is_open());
        document.statements.iter().filter(allow).find(|s| names_points(s)).map(|s| s.label())
    };
    match policies::document(&bucket, "policy") {
        Ok(Some(document)) => match hands_over(&document) {
            Some(label) => {
                let says = format!("{name} leaves the decision to its access points");
                judged.proof.push(Step::new(bucket.id(), format!("policy.{label}"), says));
                judged
            }
            None => Judged::sure(
                Class::Internal,
                vec![Step::new(bucket.id(), "policy", "hands nothing over to access points")],
            ),
        },
        Ok(None) => {
            Judged::sure(Class::Internal, vec![Step::new(bucket.id(), "policy", "hands nothing over to access points")])
        }
        Err(need) => {
            judged.certain = Class::Internal;
            judged.needs.push(need);
            judged
        }
    }
}

fn snapshot(estate: &Estate, item: &Item<'_>) -> Judged {
    let permissions = match item.known("permissions") {
        Ok(value) => value,
        Err(need) => return Judged::open(Class::InternetAuthenticated, need),
    };
    let Some(permissions) = permissions.as_list() else {
        let need = not_asked(
            "ec2:DescribeSnapshotAttribute",
            "not public; whether it is shared with named accounts was not asked",
        );
        return Judged::open(Class::CrossAccount, need);
    };
    let mut out = Judged::internal();
    for (i, permission) in permissions.iter().enumerate() {
        let text = |field: &str| permission.get(field).and_then(Value::as_str).unwrap_or_default();
        let place = format!("permissions[{i}]");
        if text("group") == "all" {
            let step = Step::new(item.id(), place, "anyone with an AWS account may make a volume from it");
            out = out.or(Judged::sure(Class::InternetAuthenticated, vec![step]));
        } else if !text("user_id").is_empty() && text("user_id") != estate.account {
            let says = format!("account {} may make a volume from it", text("user_id"));
            let mut one = Judged::sure(Class::CrossAccount, vec![Step::new(item.id(), place, says)]);
            if !estate.organization.contains(text("user_id")) {
                one.outside.push(text("user_id").to_owned());
            }
            out = out.or(one);
        }
    }
    out
}

fn image(estate: &Estate, item: &Item<'_>) -> Judged {
    match item.flag("public") {
        Ok(true) => {
            return Judged::sure(
                Class::InternetAuthenticated,
                vec![Step::new(item.id(), "public", "anyone with an AWS account may launch it")],
            );
        }
        Ok(false) => {}
        Err(need) => return Judged::open(Class::InternetAuthenticated, need),
    }
    let permissions = match item.known("launch_permissions") {
        Ok(value) => value,
        Err(need) => return Judged::open(Class::CrossAccount, need),
    };
    let Some(permissions) = permissions.as_list() else {
        let need = not_asked(
            "ec2:DescribeImageAttribute",
            "not public; whether it is shared with named accounts was not asked",
        );
        return Judged::open(Class::CrossAccount, need);
    };
    let mut out = Judged::internal();
    for (i, permission) in permissions.iter().enumerate() {
        let text = |field: &str| permission.get(field).and_then(Value::as_str).unwrap_or_default();
        let (account, whole) = (text("user_id"), text("organization"));
        let who = if whole.is_empty() { format!("account {account}") } else { whole.to_owned() };
        if account == estate.account || (account.is_empty() && whole.is_empty()) {
            continue;
        }
        let says = format!("{who} may launch it");
        let step = Step::new(item.id(), format!("launch_permissions[{i}]"), says);
        let mut one = Judged::sure(Class::CrossAccount, vec![step]);
        if !account.is_empty() && !estate.organization.contains(account) {
            one.outside.push(account.to_owned());
        }
        out = out.or(one);
    }
    out
}

fn place_of<'a>(item: &Item<'a>, address: &'a str) -> Result<Place<'a>, Need> {
    Ok(Place {
        id: item.id(),
        address_field: address,
        v4: Some(item.text(address)?).filter(|a| !a.is_empty()),
        v6: item.texts("ipv6_addresses")?,
        subnet: item.text("subnet_id")?,
        vpc: item.text("vpc_id")?,
        groups: item.texts("group_ids")?,
    })
}

fn instance(estate: &Estate, item: &Item<'_>) -> Judged {
    match item.text("state") {
        Ok("stopped" | "stopping" | "terminated" | "shutting-down") => {
            return Judged::sure(Class::Internal, vec![Step::new(item.id(), "state", "does not run")]);
        }
        Ok(_) => {}
        Err(need) => return Judged::open(Class::Internet, need),
    }
    let id = item.text("instance_id").unwrap_or_default();
    let own = |i: &Item<'_>| !id.is_empty() && i.text("instance_id").is_ok_and(|t| t == id);
    let interfaces: Vec<Item<'_>> = estate.of("aws.ec2.network-interface").filter(own).collect();
    let judged = |item: &Item<'_>, address| match place_of(item, address) {
        Ok(place) => network::judge(estate, &place),
        Err(need) => Judged::open(Class::Internet, need),
    };
    if interfaces.is_empty() {
        return judged(item, "public_address");
    }
    interfaces.iter().map(|i| judged(i, "public_ip")).fold(Judged::internal(), Judged::or)
}

/// Interfaces of instances are judged with them; those of NAT gateways accept nothing.
fn interface(estate: &Estate, item: &Item<'_>) -> Option<Judged> {
    let nat = item.text("interface_type").is_ok_and(|t| matches!(t, "nat_gateway" | "natGateway"));
    if nat || item.text("instance_id").is_ok_and(|i| !i.is_empty()) {
        return None;
    }
    Some(match place_of(item, "public_ip") {
        Ok(place) => network::judge(estate, &place),
        Err(need) => Judged::open(Class::Internet, need),
    })
}

fn function(estate: &Estate, item: &Item<'_>) -> Judged {
    let mut judged = policies::judge(estate, item, reading(Class::InternetAuthenticated));
    let url = match item.text("url_auth") {
        Ok(url) => url,
        Err(need) => return judged.or(Judged::open(Class::Internet, need)),
    };
    if url != "NONE" {
        return judged;
    }
    // Without authentication at the URL, who calls is decided by the policy alone.
    let invoke = match policies::document(item, "policy") {
        Ok(Some(document)) => public_statements(&document, Definition::Reachable).into_iter().find(|s| {
            document
                .statements
                .iter()
                .any(|d| d.label() == s.statement && d.actions.matches("lambda:invokefunctionurl"))
        }),
        _ => None,
    };
    if let Some(statement) = invoke
        && judged.certain == Class::InternetAuthenticated
    {
        let steps = vec![
            Step::new(item.id(), "url_auth", "has a URL that asks nobody who they are"),
            Step::new(item.id(), format!("policy.{}", statement.statement), "lets anyone invoke it through the URL"),
        ];
        judged = judged.or(Judged::sure(Class::Internet, steps));
    }
    judged
}

fn role(estate: &Estate, item: &Item<'_>) -> Judged {
    let reading = Reading { field: "trust", anyone: Class::InternetAuthenticated, definition: Definition::Reachable };
    let document = match policies::document(item, "trust") {
        Ok(Some(document)) => document,
        Ok(None) => return Judged::internal(),
        Err(need) => return Judged::open(Class::InternetAuthenticated, need),
    };
    let mut judged = policies::judge_document(estate, item.id(), reading, &document);
    for (issuer, statement, unauthenticated) in open_providers(&document) {
        let class = if unauthenticated { Class::Internet } else { Class::InternetAuthenticated };
        let says = format!("admits every identity of {issuer}");
        judged = judged.or(Judged::sure(class, vec![Step::new(item.id(), format!("trust.{statement}"), says)]));
    }
    judged
}
