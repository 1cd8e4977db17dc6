//! Managed services: what stands between their endpoints and the internet.

use super::{
    Class, Estate, Item, Judged, Need, Opening, Step, balancers,
    network::{self, Place},
    policies,
    resources::{not_asked, reading},
};
use crate::identity::aws::arn::{Arn, is_account_id};
use plumb_model::Value;

/// Kinds judged here.
pub(super) fn is_judged(kind: &str) -> bool {
    matches!(
        kind,
        "aws.apigateway.rest-api"
            | "aws.apigatewayv2.api"
            | "aws.cloudfront.distribution"
            | "aws.ecr-public.repository"
            | "aws.ecs.service"
            | "aws.efs.file-system"
            | "aws.eks.cluster"
            | "aws.elbv2.load-balancer"
            | "aws.elbv2.target-group"
            | "aws.opensearch.domain"
            | "aws.ram.resource-share"
            | "aws.rds.cluster-snapshot"
            | "aws.rds.instance"
            | "aws.rds.snapshot"
            | "aws.redshift.cluster"
    )
}

pub(super) fn judge(estate: &Estate, kind: &str, item: &Item<'_>) -> Judged {
    match kind {
        "aws.apigateway.rest-api" => rest_api(estate, item),
        "aws.apigatewayv2.api" => http_api(item),
        "aws.cloudfront.distribution" => distribution(item),
        "aws.ecr-public.repository" => match item.text("uri") {
            Ok(_) => {
                let says = "the public registry serves its images to everyone";
                Judged::sure(Class::Internet, vec![Step::new(item.id(), "uri", says)])
            }
            Err(need) => Judged::open(Class::Internet, need),
        },
        "aws.ecs.service" => container_service(estate, item),
        // File systems answer in their network only; a policy can let other accounts' clients in.
        "aws.efs.file-system" => match policies::document(item, "policy") {
            Err(need) => Judged::open(Class::CrossAccount, need),
            Ok(_) => policies::judge(estate, item, reading(Class::Internal)),
        },
        "aws.eks.cluster" => cluster(item),
        "aws.elbv2.load-balancer" => balancers::load_balancer(estate, item),
        "aws.elbv2.target-group" => balancers::target_group(estate, item),
        "aws.opensearch.domain" => domain(estate, item),
        "aws.ram.resource-share" => resource_share(estate, item),
        "aws.rds.snapshot" | "aws.rds.cluster-snapshot" => shared_snapshot(estate, item),
        "aws.rds.instance" | "aws.redshift.cluster" => database(estate, item),
        _ => Judged::internal(),
    }
}

/// Whether the internet can connect to an endpoint that may stand in any of these subnets. The endpoint's own address
/// is not on the record, only that it has a public one, which is what `address` says.
pub(super) fn anywhere(
    estate: &Estate,
    item: &Item<'_>,
    address: (&str, &str),
    subnets: &[&str],
    groups: &[&str],
) -> Judged {
    let mut out: Option<Judged> = None;
    for subnet in subnets {
        let vpc = match estate.find("aws.vpc.subnet", "subnet_id", subnet) {
            Ok(found) => found.text("vpc_id").unwrap_or_default(),
            Err(_) => item.text("vpc_id").unwrap_or_default(),
        };
        let place = Place {
            id: item.id(),
            address_field: address.0,
            v4: Some(address.1),
            v6: Vec::new(),
            subnet,
            vpc,
            groups: groups.to_vec(),
        };
        let one = network::judge(estate, &place);
        out = Some(match out {
            None => one,
            Some(before) => either(before, one),
        });
    }
    out.unwrap_or_else(|| {
        Judged::open(
            Class::Internet,
            not_asked(&format!("{} subnets", item.kind.id), "which subnets it stands in is not on the record"),
        )
    })
}

/// It stands in one of two places, and which is not known: certain is what both have.
fn either(a: Judged, b: Judged) -> Judged {
    let certain = a.certain.min(b.certain);
    let differs = a.certain != b.certain;
    let mut out = a.or(b);
    out.certain = certain;
    if differs && out.needs.is_empty() {
        out.needs.push(not_asked(
            "ec2:DescribeNetworkInterfaces",
            "which of its subnets it stands in now is not on the record",
        ));
    }
    out
}

/// A wrong turn at reading a field leaves everything open.
pub(super) fn or_open(judged: Result<Judged, Need>) -> Judged {
    judged.unwrap_or_else(|need| Judged::open(Class::Internet, need))
}

fn database(estate: &Estate, item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        if !item.flag("public")? {
            return Ok(Judged::sure(Class::Internal, vec![Step::new(item.id(), "public", "has no public address")]));
        }
        let (mut subnets, groups) = (item.texts("subnet_ids")?, item.texts("security_group_ids")?);
        // It stands in a subnet of its own zone.
        let zone = item.text("zone")?;
        let there = |s: &&str| {
            let found = estate.find("aws.vpc.subnet", "subnet_id", s);
            zone.is_empty() || found.is_ok_and(|f| f.text("zone").is_ok_and(|z| z == zone))
        };
        if subnets.iter().any(&there) {
            subnets.retain(&there);
        }
        let mut judged = anywhere(estate, item, ("public", "(assigned by the service)"), &subnets, &groups);
        let port = item.known("port")?.as_int().unwrap_or_default();
        only_ports(&mut judged, item.id(), &[port], "the port it listens on");
        // Who connects must still sign in.
        judged.certain = authenticated(judged.certain);
        judged.possible = authenticated(judged.possible);
        Ok(judged)
    };
    or_open(judged())
}

/// An endpoint that asks for credentials is not open to everyone, whoever reaches it.
fn authenticated(class: Class) -> Class {
    if class == Class::Internet { Class::InternetAuthenticated } else { class }
}

/// Keeps what reaches one of the ports a service listens on; nothing left means nobody is served.
pub(super) fn only_ports(judged: &mut Judged, id: &str, ports: &[i64], what: &str) {
    let ports: Vec<u16> = ports.iter().filter_map(|p| u16::try_from(*p).ok()).filter(|p| *p != 0).collect();
    if ports.is_empty() || judged.openings.is_empty() {
        return;
    }
    let serves = |o: &Opening| {
        ports.iter().any(|p| (o.from..=o.to).contains(p)) && matches!(o.protocol.as_str(), "tcp" | "udp" | "all")
    };
    let class = |o: &Opening| network::breadth(&o.source).unwrap_or(Class::Internet);
    judged.openings.retain(serves);
    let most = judged.openings.iter().map(class).max().unwrap_or(Class::Internal);
    judged.certain = judged.certain.min(most);
    if judged.needs.is_empty() {
        judged.possible = judged.possible.min(most);
    }
    if most == Class::Internal {
        let shown: Vec<String> = ports.iter().map(u16::to_string).collect();
        judged.proof =
            vec![Step::new(id, "security_group_ids", format!("nothing admits {}, {what}", shown.join(", ")))];
    }
}

fn container_service(estate: &Estate, item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        if !item.flag("public_ip")? {
            return Ok(Judged::sure(
                Class::Internal,
                vec![Step::new(item.id(), "public_ip", "tasks get no public address")],
            ));
        }
        let (subnets, groups) = (item.texts("subnet_ids")?, item.texts("security_group_ids")?);
        // Tasks are spread over its subnets: one that is open opens the service.
        let each =
            subnets.iter().map(|s| anywhere(estate, item, ("public_ip", "(assigned to each task)"), &[*s], &groups));
        Ok(each.reduce(Judged::or).unwrap_or_else(|| anywhere(estate, item, ("public_ip", ""), &[], &groups)))
    };
    or_open(judged())
}

fn cluster(item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        if !item.flag("endpoint_public")? {
            return Ok(Judged::sure(
                Class::Internal,
                vec![Step::new(item.id(), "endpoint_public", "its endpoint is private")],
            ));
        }
        let mut ranges = item.texts("public_cidrs")?;
        if ranges.is_empty() {
            ranges.push("0.0.0.0/0");
        }
        let mut out = Judged::internal();
        for range in ranges {
            let Some(class) = network::breadth(range).filter(|c| *c > Class::Internal) else { continue };
            let steps = vec![
                Step::new(item.id(), "endpoint_public", "its endpoint has a public address"),
                Step::new(item.id(), "public_cidrs", format!("admits {range}")),
            ];
            // The cluster's API asks for credentials.
            let mut one = Judged::sure(authenticated(class), steps);
            one.openings.push(Opening {
                protocol: "tcp".into(),
                from: 443,
                to: 443,
                source: range.into(),
                group: String::new(),
            });
            out = out.or(one);
        }
        Ok(out)
    };
    or_open(judged())
}

fn domain(estate: &Estate, item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        if item.flag("vpc")? {
            return Ok(Judged::sure(Class::Internal, vec![Step::new(item.id(), "vpc", "answers in its VPC only")]));
        }
        let signs_in = item.flag("fine_grained")?;
        let mut judged = policies::judge(estate, item, reading(Class::Internet));
        if signs_in && judged.possible == Class::Internet {
            judged.certain = authenticated(judged.certain);
            judged.possible = authenticated(judged.possible);
            judged.proof.push(Step::new(item.id(), "fine_grained", "asks who connects to sign in"));
        }
        Ok(judged)
    };
    or_open(judged())
}

fn rest_api(estate: &Estate, item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        let types = item.texts("endpoint_types")?;
        if types == ["PRIVATE"] {
            return Ok(Judged::sure(
                Class::Internal,
                vec![Step::new(item.id(), "endpoint_types", "answers through VPC endpoints only")],
            ));
        }
        let entrance = Step::new(item.id(), "endpoint_types", format!("has a public endpoint ({})", types.join(", ")));
        let methods = item.list("methods")?;
        let mut out = Judged::internal();
        for (i, method) in methods.iter().enumerate() {
            let text = |name: &str| method.get(name).and_then(Value::as_str).unwrap_or_default();
            if text("http_method") == "OPTIONS" {
                continue;
            }
            let key = method.get("api_key").and_then(Value::as_bool).unwrap_or(false);
            let (class, says) = match (text("auth"), key) {
                ("NONE" | "", false) => (Class::Internet, "asks nobody who they are".to_owned()),
                ("NONE" | "", true) => (Class::InternetAuthenticated, "asks for an API key".to_owned()),
                (other, _) => (Class::InternetAuthenticated, format!("asks for {other}")),
            };
            let field = format!("methods[{i}]");
            let steps = vec![entrance.clone(), Step::new(item.id(), field, format!("{} {says}", text("http_method")))];
            out = out.or(Judged::sure(class, steps));
        }
        let policy = match policies::document(item, "policy") {
            Ok(Some(document)) => policies::judge_document(estate, item.id(), reading(Class::Internet), &document),
            Ok(None) => return Ok(out),
            Err(need) => {
                out.certain = Class::Internal;
                out.needs.push(need);
                return Ok(out);
            }
        };
        // A resource policy narrows who may call at all.
        if policy.possible < out.possible {
            out.proof.extend(policy.proof);
            out.needs.extend(policy.needs);
        }
        out.certain = out.certain.min(policy.certain);
        out.possible = out.possible.min(policy.possible);
        out.outside.extend(policy.outside);
        Ok(out)
    };
    or_open(judged())
}

fn http_api(item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        let mut out = Judged::internal();
        for (i, route) in item.list("routes")?.iter().enumerate() {
            let text = |name: &str| route.get(name).and_then(Value::as_str).unwrap_or_default();
            let (class, says) = match text("auth") {
                "NONE" | "" => (Class::Internet, "asks nobody who they are".to_owned()),
                other => (Class::InternetAuthenticated, format!("asks for {other}")),
            };
            let step = Step::new(item.id(), format!("routes[{i}]"), format!("{} {says}", text("key")));
            out = out.or(Judged::sure(class, vec![step]));
        }
        Ok(out)
    };
    or_open(judged())
}

fn distribution(item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        if !item.flag("enabled")? {
            return Ok(Judged::sure(Class::Internal, vec![Step::new(item.id(), "enabled", "is switched off")]));
        }
        let field = if item.flag("signed_keys")? { "signed_keys" } else { "signed_accounts" };
        let signed = item.flag(field)?;
        let class = if signed { Class::InternetAuthenticated } else { Class::Internet };
        let who = if signed { "viewers need a signed URL or cookie" } else { "answers every viewer" };
        let mut steps = vec![Step::new(item.id(), if signed { field } else { "enabled" }, who)];
        for (i, origin) in item.list("origins")?.iter().enumerate() {
            let text = |name: &str| origin.get(name).and_then(Value::as_str).unwrap_or_default();
            let guard = !text("access_control").is_empty() || !text("access_identity").is_empty();
            let by = if guard { ", as the distribution" } else { "" };
            steps.push(Step::new(
                item.id(),
                format!("origins[{i}]"),
                format!("serves what {} holds{by}", text("domain")),
            ));
        }
        Ok(Judged::sure(class, steps))
    };
    or_open(judged())
}

fn shared_snapshot(estate: &Estate, item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        let mut out = Judged::internal();
        for account in item.texts("shared_with")? {
            if account == "all" {
                let says = "anyone with an AWS account may restore it";
                out =
                    out.or(Judged::sure(Class::InternetAuthenticated, vec![Step::new(item.id(), "shared_with", says)]));
            } else if account != estate.account {
                let says = format!("account {account} may restore it");
                let mut one = Judged::sure(Class::CrossAccount, vec![Step::new(item.id(), "shared_with", says)]);
                if !estate.organization.contains(account) {
                    one.outside.push(account.to_owned());
                }
                out = out.or(one);
            }
        }
        Ok(out)
    };
    or_open(judged())
}

/// A share lets in whom it is associated with: accounts, units, or single principals.
fn resource_share(estate: &Estate, item: &Item<'_>) -> Judged {
    let judged = || -> Result<Judged, Need> {
        let status = item.text("status")?;
        if !matches!(status, "ACTIVE" | "PENDING") {
            return Ok(Judged::sure(Class::Internal, vec![Step::new(item.id(), "status", format!("is {status}"))]));
        }
        let what: Vec<&str> =
            item.list("resources")?.iter().filter_map(|r| r.get("arn").and_then(Value::as_str)).collect();
        let shown = if what.is_empty() { "nothing yet".to_owned() } else { what.join(", ") };
        let mut out = Judged::internal();
        for (i, principal) in item.list("principals")?.iter().enumerate() {
            let text = |name: &str| principal.get(name).and_then(Value::as_str).unwrap_or_default();
            let id = text("principal");
            if !matches!(text("state"), "ASSOCIATED" | "ASSOCIATING" | "") {
                continue;
            }
            let arn = Arn::parse(id);
            let account = if is_account_id(id) { id } else { arn.map(|a| a.account()).unwrap_or_default() };
            if account == estate.account && arn.is_none_or(|a| a.service() != "organizations") {
                continue;
            }
            // An organization's or unit's ARN names the management account; RAM shares with the own organization only.
            let whole = arn.is_some_and(|a| a.service() == "organizations");
            let says = format!("shares {shown} with {id}");
            let place = format!("principals[{i}]");
            let mut one = Judged::sure(Class::CrossAccount, vec![Step::new(item.id(), place, says)]);
            if !whole && is_account_id(account) && !estate.organization.contains(account) {
                one.outside.push(account.to_owned());
            }
            out = out.or(one);
        }
        Ok(out)
    };
    judged().unwrap_or_else(|need| Judged::open(Class::CrossAccount, need))
}
