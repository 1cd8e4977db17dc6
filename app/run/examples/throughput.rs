//! How fast rules judge a synthetic organisation: `cargo run --release -p plumb-run --example throughput [COUNT]`.
//! `cargo xtask bench eval` runs it.
//!
//! What is judged, by all rules of the catalog and with the engines a scan uses (policies, end of support):
//! - COUNT resources in accounts of about 2,000, made one account at a time, so that memory does not grow. Of ten
//!   accounts eight are AWS, one is Azure, one is Google. Each has every kind of its provider: the kinds of which an
//!   account or region has one, once; of the others as many as accounts have, relative to each other (`WEIGHTS`: many
//!   roles, groups, interfaces, log groups, snapshots; a few VPCs and domains).
//! - Fields by their types and names: references point at things that exist, so that links and joins find what they
//!   look for; lists have 0 to 5 elements, security groups 1 to 8 rules; policies are documents of 1 to 4 statements as
//!   people write them, about half of the documents of an account being the same few; variables, user data and
//!   descriptions are texts of 20 to 400 bytes. One field in a hundred is unknown.
//! - Each account's tables and indexes are built from its own resources; that counts as judging. Making the resources
//!   does not.
//!
//! Times are processor time of this process. The times by rule are from every eighth account, by the wall clock.

use plumb_catalog::{Catalog, Field, Kind, Scope, Type};
use plumb_evaluate::{AccountFacts, Explain, Helpers, Judging, RuleSet, Selection, Table, World};
use plumb_model::{KindId, Outcome, Reason, Region, Resource, Sources, Time, Unknown, Value};
use plumb_run::{EndOfLife, Engine};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How many resources an account has, about.
const ACCOUNT: u64 = 2_000;

/// How many an account has of a kind, relative to each other; 12 where nothing is said.
const WEIGHTS: [(&str, u64); 31] = [
    ("aws.iam.role", 150),
    ("aws.iam.policy", 60),
    ("aws.iam.user", 12),
    ("aws.ec2.security-group", 120),
    ("aws.ec2.network-interface", 200),
    ("aws.ec2.instance", 120),
    ("aws.ec2.ebs-volume", 140),
    ("aws.ec2.ebs-snapshot", 200),
    ("aws.ec2.image", 30),
    ("aws.logs.log-group", 180),
    ("aws.cloudwatch.alarm", 120),
    ("aws.lambda.function", 110),
    ("aws.s3.bucket", 60),
    ("aws.kms.key", 40),
    ("aws.sqs.queue", 50),
    ("aws.sns.topic", 40),
    ("aws.sns.subscription", 60),
    ("aws.dynamodb.table", 40),
    ("aws.secretsmanager.secret", 50),
    ("aws.ecr.repository", 40),
    ("aws.vpc.subnet", 36),
    ("aws.vpc.route-table", 24),
    ("aws.vpc.vpc", 6),
    ("aws.vpc.endpoint", 10),
    ("aws.vpc.peering", 3),
    ("aws.rds.instance", 20),
    ("aws.rds.snapshot", 60),
    ("aws.backup.protected-resource", 60),
    ("aws.ecs.task-definition", 60),
    ("aws.cloudtrail.trail", 2),
    ("aws.rds.event-subscription", 3),
];

/// Which kind a reference names, by the name of the field.
const OWNERS: [(&str, &str); 11] = [
    ("vpc", "aws.vpc.vpc"),
    ("subnet", "aws.vpc.subnet"),
    ("group", "aws.ec2.security-group"),
    ("security_group", "aws.ec2.security-group"),
    ("volume", "aws.ec2.ebs-volume"),
    ("instance", "aws.ec2.instance"),
    ("snapshot", "aws.ec2.ebs-snapshot"),
    ("bucket", "aws.s3.bucket"),
    ("topic", "aws.sns.topic"),
    ("key", "aws.kms.key"),
    ("log_group", "aws.logs.log-group"),
];

const WORDS: [&str; 24] = [
    "Enabled",
    "Disabled",
    "ACTIVE",
    "tcp",
    "udp",
    "-1",
    "aws:kms",
    "AES256",
    "available",
    "running",
    "postgres",
    "mysql",
    "8.0.36",
    "14.11",
    "python3.12",
    "nodejs20.x",
    "TLSv1.2",
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "*",
    "default",
    "PAY_PER_REQUEST",
    "network",
    "application",
    "",
];

/// Mixes bits (splitmix64), so that values look unrelated and are the same each time.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Maker {
    counts: HashMap<KindId, u64>,
    documents: Vec<Value>,
    account: String,
}

impl Maker {
    /// The text by which the resource numbered `at` of a kind is known.
    fn known_as(&self, kind: &str, field: &str, at: u64) -> String {
        let at = at % self.counts.get(kind).copied().unwrap_or(1).max(1);
        let short = kind.rsplit('.').next().unwrap_or(kind);
        if field == "id" || field.ends_with("arn") {
            return format!("arn:aws:{short}:eu-west-1:{}:{short}/{at:08x}", self.account);
        }
        format!("{short}-{at:08x}")
    }

    fn text(&self, kind: &Kind, name: &str, at: u64, seed: u64) -> Value {
        let short = kind.id.as_str().rsplit('.').next().unwrap_or_default().replace('-', "_");
        let stem = name.trim_end_matches("_ids").trim_end_matches("_id").trim_end_matches("_arn").trim_end_matches('s');
        let own = short == stem || short.ends_with(&format!("_{stem}"));
        let pick = mix(seed);
        if own || name == "arn" {
            return Value::from(self.known_as(kind.id.as_str(), if name.contains("arn") { "id" } else { name }, at));
        }
        // A link names what it points at as that is known there.
        if let Some(link) = kind.links.values().find(|l| l.from.split('.').next() == Some(name)) {
            let to = link.to.first().map_or("id", String::as_str);
            return Value::from(self.known_as(link.kind.as_str(), to, pick));
        }
        if let Some((_, owner)) = OWNERS.iter().find(|(word, _)| *word == stem).filter(|_| name != stem) {
            return Value::from(self.known_as(owner, if name.ends_with("arn") { "id" } else { name }, pick));
        }
        Value::from(match name {
            "cidr" | "cidrs" | "cidr_block" => {
                ["10.0.0.0/16", "10.20.0.0/16", "172.16.4.0/24", "203.0.113.7/32", "0.0.0.0/0"][(pick % 5) as usize]
                    .into()
            }
            "ipv6_cidrs" => ["fd00::/8", "2001:db8::/32", "::/0"][(pick % 3) as usize].to_owned(),
            "protocol" => ["tcp", "tcp", "tcp", "udp", "-1"][(pick % 5) as usize].to_owned(),
            "user_data" | "description" => "echo starting; yum install -y collector; ".repeat((pick % 10) as usize),
            "pattern" => "{ ($.eventName = ConsoleLogin) && ($.errorMessage = \"Failed authentication\") }".to_owned(),
            "region" => "eu-west-1".to_owned(),
            _ => WORDS[(pick % WORDS.len() as u64) as usize].to_owned(),
        })
    }

    fn value(&self, kind: &Kind, name: &str, ty: &Type, members: &[Field], at: u64, seed: u64) -> Value {
        let pick = mix(seed);
        match ty {
            Type::Bool => Value::Bool(pick.is_multiple_of(2)),
            Type::Int => Value::Int(match name {
                "from_port" | "to_port" | "port" => [443, 443, 80, 22, 5432, 3389, 8080][(mix(seed / 2) % 7) as usize],
                _ => (pick % 400) as i64,
            }),
            Type::Double => Value::Double((pick % 1000) as f64 / 7.0),
            Type::String => self.text(kind, name, at, seed),
            Type::Time => Value::Time(Time::from_seconds(1_700_000_000 + (pick % 90_000_000) as i64)),
            Type::Policy => match pick % 3 {
                0 => Value::Null,
                _ => self.documents[(mix(pick) % self.documents.len() as u64) as usize].clone(),
            },
            Type::Any => Value::Null,
            Type::List(item) => {
                let most = if name == "ingress" { 8 } else { 5 };
                let least = u64::from(name == "ingress");
                let item = |i| self.value(kind, name, item, members, at, seed ^ mix(i + 1));
                Value::list((0..(pick % (most + 1)).max(least)).map(item))
            }
            Type::Map(item) => Value::map((0..pick % 6).map(|i| {
                let key = ["STAGE", "TABLE", "LOG_LEVEL", "ENDPOINT", "OWNER", "TEAM"][i as usize];
                (key, self.value(kind, key, item, &[], at, seed ^ mix(i + 9)))
            })),
            Type::Object(types) => Value::map(types.iter().enumerate().map(|(i, (member, ty))| {
                let inner = members.iter().find(|m| m.name == *member).map_or(&[][..], |m| &m.members);
                // Ports of one rule go together.
                let salt = if member.ends_with("port") { 0 } else { mix(i as u64 + 77) };
                (member.as_str(), self.value(kind, member, ty, inner, at, seed ^ salt))
            })),
        }
    }

    fn resource(&self, kind: &Kind, at: u64, seed: u64) -> Resource {
        let field = |(i, field): (usize, &Field)| {
            let seed = mix(seed ^ (i as u64) << 40);
            if seed.is_multiple_of(100) {
                let mut unknown = Unknown::new(Reason::Denied, "synthetic:Read");
                unknown.permission = "synthetic:Read".into();
                return Value::unknown(unknown);
            }
            self.value(kind, &field.name, &field.ty, &field.members, at, seed)
        };
        let region = if kind.scope == Scope::Region { "eu-west-1".into() } else { Region::global() };
        Resource {
            kind: kind.id.clone(),
            account: self.account.as_str().into(),
            region,
            id: self.known_as(kind.id.as_str(), "id", at).into(),
            name: self.known_as(kind.id.as_str(), "name", at).into(),
            fields: kind.fields.iter().enumerate().map(field).collect(),
            sources: Sources::default(),
        }
    }
}

/// Documents as people write them.
fn documents(account: &str) -> Vec<Value> {
    let read = |text: String| serde_json::from_str(&text).map(|json| Value::from_json(&json)).unwrap_or_default();
    let statement = |i: u64| {
        let (who, what, on) = match i % 6 {
            0 => (format!(r#"{{"AWS":"arn:aws:iam::{account}:root"}}"#), r#""kms:*""#, r#""*""#),
            1 => (r#"{"Service":"lambda.amazonaws.com"}"#.into(), r#""sts:AssumeRole""#, r#""*""#),
            2 => (r#""*""#.into(), r#"["s3:GetObject","s3:ListBucket"]"#, r#""arn:aws:s3:::site/*""#),
            3 => (r#"{"AWS":["arn:aws:iam::444455556666:role/reader"]}"#.into(), r#""sqs:SendMessage""#, r#""*""#),
            4 => (
                format!(r#"{{"AWS":"arn:aws:iam::{account}:role/ci"}}"#),
                r#"["ecr:BatchGetImage","ecr:Get*"]"#,
                r#""*""#,
            ),
            _ => (r#"{"AWS":"*"}"#.into(), r#""sns:Publish""#, r#""arn:aws:sns:eu-west-1:111122223333:topic""#),
        };
        let condition = match i % 4 {
            0 => format!(r#","Condition":{{"StringEquals":{{"aws:SourceAccount":"{account}"}}}}"#),
            1 => r#","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#.to_owned(),
            _ => String::new(),
        };
        let effect = if i % 4 == 1 { "Deny" } else { "Allow" };
        format!(r#"{{"Sid":"s{i}","Effect":"{effect}","Principal":{who},"Action":{what},"Resource":{on}{condition}}}"#)
    };
    (0..24u64)
        .map(|d| {
            let statements: Vec<String> = (0..1 + d % 4).map(|i| statement(d * 7 + i * 5)).collect();
            read(format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(",")))
        })
        .collect()
}

/// Processor time of this process so far; the kernel counts in hundredths of a second.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

#[derive(Default)]
struct Totals {
    resources: u64,
    verdicts: u64,
    tally: [u64; 4],
    judging: Duration,
    /// By rule: time and verdicts, of the accounts that were timed.
    by_rule: HashMap<String, (Duration, u64)>,
}

fn account(catalog: &Catalog, rules: &RuleSet, provider: &str, number: u64, wanted: u64, totals: &mut Totals) {
    let id = format!("{:012}", 100_000_000_000 + number);
    let kinds: Vec<&Kind> = catalog.kinds.values().map(AsRef::as_ref).filter(|k| k.id.provider() == provider).collect();
    // Code knows no account's own settings: kinds that only it can read are counted like the others.
    let single = |k: &Kind| k.list.as_ref().is_some_and(|l| l.items.is_none() && l.decode.is_none());
    let weight = |k: &Kind| WEIGHTS.iter().find(|(id, _)| *id == k.id.as_str()).map_or(12, |(_, w)| *w);
    let all: u64 = kinds.iter().filter(|k| !single(k)).map(|k| weight(k)).sum();
    let count = |k: &Kind| if single(k) { 1 } else { (weight(k) * wanted).div_ceil(all.max(1)) };
    let counts = kinds.iter().map(|k| (k.id.clone(), count(k))).collect();
    let maker = Maker { counts, documents: documents(&id), account: id.clone() };
    let mut resources: Vec<(&Kind, Vec<Resource>)> = Vec::new();
    for kind in &kinds {
        let salt = mix(number ^ (kind.id.as_str().len() as u64) << 50);
        let own = (0..maker.counts[&kind.id]).map(|at| maker.resource(kind, at, mix(salt ^ at)));
        resources.push((kind, own.collect()));
    }
    let mut asked: Vec<(Arc<Kind>, Vec<Resource>)> = Vec::new();
    for (kind, own) in &resources {
        if let (true, Some(kind)) = (rules.needs().asked.contains(&kind.id), rules.kind(&kind.id)) {
            asked.push((Arc::clone(kind), own.clone()));
        }
    }
    let facts = AccountFacts { id, state: "active".into(), ..AccountFacts::default() };
    let now = Time::from_seconds(1_790_000_000);
    let timed = number.is_multiple_of(8);
    let began = cpu();
    let mut world = World::new(facts, Helpers { policies: &Engine, end_of_support: &EndOfLife::BUNDLED });
    for (kind, rows) in asked {
        let paths: Vec<String> = rules.needs().indexes.get(&kind.id).into_iter().flatten().cloned().collect();
        world.put(kind.id.clone(), Table::new(kind, rows, None), &paths);
    }
    let judging = Judging::new(rules, &world, now);
    for (_, own) in &resources {
        for resource in own {
            totals.resources += 1;
            let mut last = timed.then(Instant::now);
            judging.judge(resource, Explain::Nothing, |judged| {
                totals.verdicts += 1;
                totals.tally[judged.outcome as usize] += 1;
                if let Some(before) = last {
                    let slot = match totals.by_rule.get_mut(judged.rule.id.as_str()) {
                        Some(slot) => slot,
                        None => totals.by_rule.entry(judged.rule.id.to_string()).or_default(),
                    };
                    slot.0 += before.elapsed();
                    slot.1 += 1;
                    last = Some(Instant::now());
                }
            });
        }
    }
    if !timed {
        totals.judging += cpu().saturating_sub(began);
    } else {
        // The clock itself costs; these accounts count by rule only.
        totals.resources -= resources.iter().map(|(_, own)| own.len() as u64).sum::<u64>();
    }
}

// As the program does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let (catalog, _) = Catalog::load([]);
    let (rules, _) = RuleSet::compile(&catalog, &Selection::default());
    let mut totals = Totals::default();
    let (began, mut number, mut counted) = (Instant::now(), 0, 0);
    while totals.resources < count {
        let provider = ["aws", "aws", "aws", "aws", "azure", "aws", "aws", "aws", "gcp", "aws"][(number % 10) as usize];
        let before = totals.verdicts;
        account(&catalog, &rules, provider, number, ACCOUNT.min(count), &mut totals);
        if !number.is_multiple_of(8) {
            counted += totals.verdicts - before;
        }
        number += 1;
    }
    let mut slowest: Vec<(u64, &str)> =
        totals.by_rule.iter().map(|(id, (t, n))| (t.as_nanos() as u64 / n.max(&1), id.as_str())).collect();
    slowest.sort_unstable_by(|a, b| b.cmp(a));
    println!("slowest rules (wall clock, mean):");
    for (ns, id) in slowest.iter().take(10) {
        println!("{ns:>9} ns  {id}");
    }
    let peak = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned();
    let names = [Outcome::Pass, Outcome::Fail, Outcome::Unknown, Outcome::NotApplicable].map(Outcome::name);
    let tally = names.iter().zip(totals.tally).map(|(n, t)| format!("{t} {n}")).collect::<Vec<_>>().join(", ");
    let mean = totals.judging.as_nanos() as f64 / counted.max(1) as f64;
    println!("{} resources in {number} accounts, {} rules: {tally}", totals.resources, rules.len());
    println!(
        "judging   {:.2} s of processor: {:.0} resources/s, {:.1} verdicts a resource",
        totals.judging.as_secs_f64(),
        totals.resources as f64 / totals.judging.as_secs_f64().max(0.001),
        counted as f64 / totals.resources.max(1) as f64,
    );
    println!("a verdict {mean:.0} ns in the mean; limit 1000 ns, ratio {:.2}", mean / 1000.0);
    let p99 = slowest.get(slowest.len() / 100).map_or(0, |(ns, _)| *ns);
    println!("by rule   99 % of rules take at most {p99} ns a verdict in their own mean (wall clock)");
    println!("memory    at most {peak}; with making the resources {:.1} s", began.elapsed().as_secs_f64());
}
