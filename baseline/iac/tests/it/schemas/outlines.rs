//! Outlines of registry modules say what the providers know, all that our kinds read, and nothing about no version.

use super::{Found, NO_TYPE, Written, catalog, languages};
use plumb_catalog::{Catalog, Take};
use plumb_iac::{Code, MemoryFiles, Reading, terraform};
use std::collections::BTreeSet;

/// Calls of each outlined module, in as many ways as it takes to reach each of its resources: `outlined/README.md`.
const CALLS: &[(&str, &str)] = &[
    ("terraform-aws-modules/s3-bucket/aws", include_str!("../outlined/terraform-aws-modules/s3-bucket.tf")),
    ("terraform-aws-modules/security-group/aws", include_str!("../outlined/terraform-aws-modules/security-group.tf")),
    (
        "terraform-aws-modules/security-group/aws//modules/*",
        include_str!("../outlined/terraform-aws-modules/security-group.tf"),
    ),
    ("terraform-aws-modules/ec2-instance/aws", include_str!("../outlined/terraform-aws-modules/ec2-instance.tf")),
    ("terraform-aws-modules/vpc/aws", include_str!("../outlined/terraform-aws-modules/vpc.tf")),
    ("terraform-aws-modules/sqs/aws", include_str!("../outlined/terraform-aws-modules/sqs.tf")),
    ("terraform-aws-modules/sns/aws", include_str!("../outlined/terraform-aws-modules/sns.tf")),
    ("terraform-aws-modules/dynamodb-table/aws", include_str!("../outlined/terraform-aws-modules/dynamodb-table.tf")),
    ("terraform-aws-modules/kms/aws", include_str!("../outlined/terraform-aws-modules/kms.tf")),
    ("terraform-aws-modules/ecr/aws", include_str!("../outlined/terraform-aws-modules/ecr.tf")),
    ("terraform-aws-modules/rds/aws", include_str!("../outlined/terraform-aws-modules/rds.tf")),
    ("terraform-aws-modules/rds/aws//modules/db_instance", include_str!("../outlined/terraform-aws-modules/rds.tf")),
    (
        "terraform-aws-modules/rds/aws//modules/db_parameter_group",
        include_str!("../outlined/terraform-aws-modules/rds.tf"),
    ),
    ("terraform-aws-modules/elb/aws", include_str!("../outlined/terraform-aws-modules/elb.tf")),
    ("terraform-aws-modules/elb/aws//modules/elb", include_str!("../outlined/terraform-aws-modules/elb.tf")),
    ("terraform-aws-modules/alb/aws", include_str!("../outlined/terraform-aws-modules/alb.tf")),
    ("terraform-aws-modules/lambda/aws", include_str!("../outlined/terraform-aws-modules/lambda.tf")),
    ("terraform-aws-modules/acm/aws", include_str!("../outlined/terraform-aws-modules/acm.tf")),
    ("terraform-aws-modules/secrets-manager/aws", include_str!("../outlined/terraform-aws-modules/secrets-manager.tf")),
    (
        "terraform-aws-modules/iam/aws//modules/iam-user",
        include_str!("../outlined/terraform-aws-modules/iam/iam-user.tf"),
    ),
    (
        "terraform-aws-modules/iam/aws//modules/iam-account",
        include_str!("../outlined/terraform-aws-modules/iam/iam-account.tf"),
    ),
    (
        "terraform-aws-modules/iam/aws//modules/iam-assumable-role",
        include_str!("../outlined/terraform-aws-modules/iam/iam-assumable-role.tf"),
    ),
    (
        "terraform-aws-modules/iam/aws//modules/iam-policy",
        include_str!("../outlined/terraform-aws-modules/iam/iam-policy.tf"),
    ),
    (
        "terraform-aws-modules/iam/aws//modules/iam-group-with-policies",
        include_str!("../outlined/terraform-aws-modules/iam/iam-group-with-policies.tf"),
    ),
    ("terraform-aws-modules/eks/aws", include_str!("../outlined/terraform-aws-modules/eks.tf")),
    (
        "terraform-aws-modules/eks/aws//modules/eks-managed-node-group",
        include_str!("../outlined/terraform-aws-modules/eks.tf"),
    ),
    ("terraform-aws-modules/autoscaling/aws", include_str!("../outlined/terraform-aws-modules/autoscaling.tf")),
    ("terraform-aws-modules/cloudfront/aws", include_str!("../outlined/terraform-aws-modules/cloudfront.tf")),
    ("terraform-aws-modules/ecs/aws//modules/cluster", include_str!("../outlined/terraform-aws-modules/ecs.tf")),
    ("terraform-aws-modules/efs/aws", include_str!("../outlined/terraform-aws-modules/efs.tf")),
    ("terraform-aws-modules/redshift/aws", include_str!("../outlined/terraform-aws-modules/redshift.tf")),
    ("terraform-aws-modules/rds-aurora/aws", include_str!("../outlined/terraform-aws-modules/rds-aurora.tf")),
    ("terraform-aws-modules/opensearch/aws", include_str!("../outlined/terraform-aws-modules/opensearch.tf")),
    (
        "terraform-aws-modules/msk-kafka-cluster/aws",
        include_str!("../outlined/terraform-aws-modules/msk-kafka-cluster.tf"),
    ),
    ("terraform-aws-modules/notify-slack/aws", include_str!("../outlined/terraform-aws-modules/notify-slack.tf")),
    ("cloudposse/cloudtrail/aws", include_str!("../outlined/cloudposse/cloudtrail.tf")),
    (
        "terraform-aws-modules/eks/aws//modules/self-managed-node-group",
        include_str!("../outlined/terraform-aws-modules/eks.tf"),
    ),
    (
        "terraform-aws-modules/eks/aws//modules/fargate-profile",
        include_str!("../outlined/terraform-aws-modules/eks.tf"),
    ),
    ("terraform-aws-modules/elasticache/aws", include_str!("../outlined/terraform-aws-modules/elasticache.tf")),
];

fn read(text: &str) -> Reading {
    terraform::read(&MemoryFiles::new([("main.tf", text)]), &terraform::Options::default())
}

/// The outline with inputs of which nothing is known, so that whatever it may declare is there.
fn whole(text: &str) -> Reading {
    let line = |line: &str| match line.split_once('{').filter(|_| line.starts_with("variable ")) {
        Some((head, rest)) => {
            assert!(rest.contains('}'), "an input is declared on one line: {line}");
            format!("{head}{{}}\n")
        }
        None => format!("{line}\n"),
    };
    read(&text.lines().map(line).collect::<String>())
}

/// What kinds read from a type: the first names of paths, and who reads them.
fn read_by_kinds(catalog: &Catalog, type_: &str) -> BTreeSet<(String, String)> {
    let mut wanted = BTreeSet::new();
    for kind in catalog.kinds.values() {
        let own = kind.terraform.iter().any(|t| t == type_);
        let reads = |take: &Take| match &take.from {
            Some(from) => from == type_,
            None => own && take.value.is_none(),
        };
        for field in &kind.fields {
            for take in field.terraform.0.iter().filter(|take| reads(take)) {
                let first = take.path.root().filter(|root| !root.starts_with('$'));
                wanted.extend(first.map(|root| (root.to_owned(), format!("{} {}", kind.id, field.name))));
            }
        }
    }
    wanted
}

/// What the head of an outline says the module never does: `# Never writes TYPE: a, b` and
/// `# Never declares: TYPE, TYPE`, or `anything else` where all it declares stands in the outline.
fn never<'a>(text: &'a str, what: &str) -> BTreeSet<&'a str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# Never ")?.strip_prefix(what)?.strip_prefix(':'));
    lines.flat_map(|names| names.split(',')).map(str::trim).collect()
}

#[test]
fn outlines_say_all_that_kinds_read_of_their_resources() {
    let catalog = catalog();
    let mut missing = Vec::new();
    for (address, text) in terraform::outlines() {
        let reading = whole(text);
        let problems: Vec<_> = reading.problems.iter().filter(|p| !p.message.contains("is not on disk")).collect();
        assert!(problems.is_empty(), "{address}: {problems:?}");
        let written: Vec<&Code> = reading.resources.iter().filter(|code| !code.existing).collect();
        assert!(!written.is_empty(), "{address} declares nothing");
        // What a part makes is asked of the part's own outline.
        for code in written.iter().filter(|code| code.module.is_empty()) {
            for (name, who) in read_by_kinds(&catalog, &code.type_) {
                let never = never(text, &format!("writes {}", code.type_));
                if code.attrs.at(&name).is_some() == never.contains(&*name) {
                    missing.push(format!("{address} {}.{}: `{name}`, for {who}", code.type_, code.name));
                }
            }
        }
        let types: BTreeSet<&str> = written.iter().map(|code| &*code.type_).collect();
        let never = |from| never(text, "declares").contains(from);
        let all_said = never("anything else");
        for kind in catalog.kinds.values().filter(|k| k.terraform.iter().any(|t| types.contains(t.as_str()))) {
            let takes = kind.fields.iter().flat_map(|f| &f.terraform.0);
            for from in takes.filter_map(|take| take.from.as_deref()).collect::<BTreeSet<_>>() {
                if !all_said && types.contains(from) == never(from) {
                    missing.push(format!("{address}: `{from}` is neither declared nor said to be never declared"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{} missing:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn outlines_give_what_the_schemas_have() {
    let languages = languages();
    let mut found = Found::default();
    for (address, text) in terraform::outlines() {
        let calls = CALLS.iter().find(|(name, _)| *name == address);
        let (_, calls) = calls.unwrap_or_else(|| panic!("{address} is called nowhere in `outlined/`"));
        let reading = read(calls);
        let not_said = reading.problems.iter().filter(|p| !p.message.contains("is not on disk"));
        let not_said: Vec<String> = not_said.map(ToString::to_string).collect();
        assert!(not_said.is_empty(), "{address}: {not_said:?}");
        let sources = &reading.sources;
        let mut reached = BTreeSet::new();
        for code in reading.resources.iter().filter(|code| !code.module.is_empty()) {
            reached.insert((code.type_.to_string(), code.name.to_string()));
            assert_eq!(&*sources.place(code.span).file, "main.tf", "{address}: {}", code.address);
            code.attrs.walk("", 0, &mut |path, val| {
                for span in [val.span, val.origin()] {
                    assert_eq!(&*sources.place(span).file, "main.tf", "{address}: {} {path}", code.address);
                }
            });
            let mut written = Written { language: &languages[0], wrong: Vec::new() };
            match languages[0].schemas.type_(&code.type_) {
                Some(node) => written.resource(code, node),
                None => written.wrong.push(NO_TYPE.into()),
            }
            for wrong in written.wrong {
                found.add(format!("{address} {}.{}", code.type_, code.name), wrong);
            }
        }
        for code in whole(text).resources.iter().filter(|code| !code.existing && code.module.is_empty()) {
            let one = (code.type_.to_string(), code.name.to_string());
            assert!(reached.contains(&one), "{address}: no call reaches {}.{}", code.type_, code.name);
        }
    }
    found.check(&[]);
}
