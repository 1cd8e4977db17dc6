//! Outlines of registry modules: what a module declares for the inputs it is given, for code whose modules are not on disk.
//!
//! An outline is Terraform in our own words: the module's inputs with their defaults, and its resources under the names the
//! module gives them, so that an address is the same once `terraform init` has fetched the module. It says nothing that
//! is not so in the version the call asks for (`var.version`, see [`newest`]); what it cannot say is an input without
//! default, and unknown. Findings stand where the module is called. `outlines/README.md` has the rules.

use super::config::Module;
use super::world::World;
use crate::resource::Code;
use crate::source::{FileId, Span};
use crate::value::{Data, Doc, Part, Prov, Val, Why};
use std::sync::Arc;

/// What the folder of an outline begins with; no folder of a repository does.
pub(super) const FOLDER: &str = "\0outline/";

/// Outlines by the module's address in the registry; a `*` at the end stands for the name of a part (`var.part`).
const OUTLINES: &[(&str, &str)] = &[
    ("terraform-aws-modules/s3-bucket/aws", include_str!("../../outlines/terraform-aws-modules/s3-bucket.tf")),
    (
        "terraform-aws-modules/security-group/aws",
        include_str!("../../outlines/terraform-aws-modules/security-group.tf"),
    ),
    (
        "terraform-aws-modules/security-group/aws//modules/*",
        include_str!("../../outlines/terraform-aws-modules/security-group/parts.tf"),
    ),
    ("terraform-aws-modules/ec2-instance/aws", include_str!("../../outlines/terraform-aws-modules/ec2-instance.tf")),
    ("terraform-aws-modules/vpc/aws", include_str!("../../outlines/terraform-aws-modules/vpc.tf")),
    ("terraform-aws-modules/sqs/aws", include_str!("../../outlines/terraform-aws-modules/sqs.tf")),
    ("terraform-aws-modules/sns/aws", include_str!("../../outlines/terraform-aws-modules/sns.tf")),
    (
        "terraform-aws-modules/dynamodb-table/aws",
        include_str!("../../outlines/terraform-aws-modules/dynamodb-table.tf"),
    ),
    ("terraform-aws-modules/kms/aws", include_str!("../../outlines/terraform-aws-modules/kms.tf")),
    ("terraform-aws-modules/ecr/aws", include_str!("../../outlines/terraform-aws-modules/ecr.tf")),
    ("terraform-aws-modules/rds/aws", include_str!("../../outlines/terraform-aws-modules/rds.tf")),
    (
        "terraform-aws-modules/rds/aws//modules/db_instance",
        include_str!("../../outlines/terraform-aws-modules/rds/db_instance.tf"),
    ),
    (
        "terraform-aws-modules/rds/aws//modules/db_parameter_group",
        include_str!("../../outlines/terraform-aws-modules/rds/db_parameter_group.tf"),
    ),
    ("terraform-aws-modules/elb/aws", include_str!("../../outlines/terraform-aws-modules/elb.tf")),
    ("terraform-aws-modules/elb/aws//modules/elb", include_str!("../../outlines/terraform-aws-modules/elb/elb.tf")),
    ("terraform-aws-modules/alb/aws", include_str!("../../outlines/terraform-aws-modules/alb.tf")),
    ("terraform-aws-modules/lambda/aws", include_str!("../../outlines/terraform-aws-modules/lambda.tf")),
    ("terraform-aws-modules/acm/aws", include_str!("../../outlines/terraform-aws-modules/acm.tf")),
    (
        "terraform-aws-modules/secrets-manager/aws",
        include_str!("../../outlines/terraform-aws-modules/secrets-manager.tf"),
    ),
    (
        "terraform-aws-modules/iam/aws//modules/iam-user",
        include_str!("../../outlines/terraform-aws-modules/iam/iam-user.tf"),
    ),
    (
        "terraform-aws-modules/iam/aws//modules/iam-account",
        include_str!("../../outlines/terraform-aws-modules/iam/iam-account.tf"),
    ),
    (
        "terraform-aws-modules/iam/aws//modules/iam-assumable-role",
        include_str!("../../outlines/terraform-aws-modules/iam/iam-assumable-role.tf"),
    ),
    (
        "terraform-aws-modules/iam/aws//modules/iam-policy",
        include_str!("../../outlines/terraform-aws-modules/iam/iam-policy.tf"),
    ),
    (
        "terraform-aws-modules/iam/aws//modules/iam-group-with-policies",
        include_str!("../../outlines/terraform-aws-modules/iam/iam-group-with-policies.tf"),
    ),
    ("terraform-aws-modules/eks/aws", include_str!("../../outlines/terraform-aws-modules/eks.tf")),
    (
        "terraform-aws-modules/eks/aws//modules/eks-managed-node-group",
        include_str!("../../outlines/terraform-aws-modules/eks/eks-managed-node-group.tf"),
    ),
    ("terraform-aws-modules/autoscaling/aws", include_str!("../../outlines/terraform-aws-modules/autoscaling.tf")),
    ("terraform-aws-modules/cloudfront/aws", include_str!("../../outlines/terraform-aws-modules/cloudfront.tf")),
    (
        "terraform-aws-modules/ecs/aws//modules/cluster",
        include_str!("../../outlines/terraform-aws-modules/ecs/cluster.tf"),
    ),
    ("terraform-aws-modules/efs/aws", include_str!("../../outlines/terraform-aws-modules/efs.tf")),
    ("terraform-aws-modules/redshift/aws", include_str!("../../outlines/terraform-aws-modules/redshift.tf")),
    ("terraform-aws-modules/rds-aurora/aws", include_str!("../../outlines/terraform-aws-modules/rds-aurora.tf")),
    ("terraform-aws-modules/opensearch/aws", include_str!("../../outlines/terraform-aws-modules/opensearch.tf")),
    (
        "terraform-aws-modules/msk-kafka-cluster/aws",
        include_str!("../../outlines/terraform-aws-modules/msk-kafka-cluster.tf"),
    ),
    ("terraform-aws-modules/notify-slack/aws", include_str!("../../outlines/terraform-aws-modules/notify-slack.tf")),
    ("cloudposse/cloudtrail/aws", include_str!("../../outlines/cloudposse/cloudtrail.tf")),
    (
        "terraform-aws-modules/eks/aws//modules/self-managed-node-group",
        include_str!("../../outlines/terraform-aws-modules/eks/self-managed-node-group.tf"),
    ),
    (
        "terraform-aws-modules/eks/aws//modules/fargate-profile",
        include_str!("../../outlines/terraform-aws-modules/eks/fargate-profile.tf"),
    ),
    ("terraform-aws-modules/elasticache/aws", include_str!("../../outlines/terraform-aws-modules/elasticache.tf")),
];

/// All outlines: the address of the module in the registry, and the text.
pub fn outlines() -> impl ExactSizeIterator<Item = (&'static str, &'static str)> {
    OUTLINES.iter().copied()
}

/// The folder that stands for a module by its source, when there is an outline of it.
pub(super) fn folder(source: &str) -> Option<Arc<str>> {
    let address = address(source)?;
    outline(&address).map(|_| format!("{FOLDER}{address}").into())
}

/// The outline of a module by its address.
fn outline(address: &str) -> Option<(&'static str, &'static str)> {
    let stands_for = |name: &str| match name.strip_suffix('*') {
        Some(parts) => address.strip_prefix(parts).is_some_and(|part| !part.is_empty() && !part.contains('/')),
        None => name == address,
    };
    OUTLINES.iter().copied().find(|(name, _)| stands_for(name))
}

/// The address and text of the outline that a folder stands for.
pub(super) fn of_folder(folder: &str) -> Option<(&'static str, &'static str)> {
    outline(folder.strip_prefix(FOLDER)?)
}

/// `namespace/name/provider`, with `//modules/part` behind it, of a source: the registry's own form, or the repository
/// that the registry takes the module from (`github.com/NAMESPACE/terraform-PROVIDER-NAME`).
fn address(source: &str) -> Option<String> {
    let source = source.split('?').next()?;
    if let Some(rest) =
        source.strip_prefix("registry.terraform.io/").or_else(|| source.strip_prefix("app.terraform.io/"))
    {
        return Some(rest.to_owned());
    }
    let Some((_, rest)) = source.split_once("github.com") else { return Some(source.to_owned()) };
    let rest = rest.trim_start_matches([':', '/']);
    let (repository, part) = match rest.split_once("//") {
        Some((repository, part)) => (repository, format!("//{part}")),
        None => (rest, String::new()),
    };
    let (namespace, name) = repository.trim_end_matches(".git").split_once('/')?;
    let (provider, name) = name.strip_prefix("terraform-")?.split_once('-')?;
    Some(format!("{namespace}/{name}/{provider}{part}"))
}

/// The newest version a call may get, as major × 10,000 + minor: an outline compares it where versions differ. A part
/// that nothing bounds is 9,999, for the newest of those is fetched. The call's `version`, else the `ref` of its source.
pub(super) fn newest(version: Option<&str>, source: &str) -> i64 {
    const ANY: [i64; 2] = [9_999, 9_999];
    let reference = || source.split_once("ref=").map(|(_, tag)| tag.split('&').next().unwrap_or(tag));
    let bound = |constraint: &str| -> [i64; 2] {
        let constraint = constraint.trim();
        let digits = constraint.trim_start_matches(['=', '~', '>', '<', '!', ' ', 'v']);
        let operator = constraint.get(..constraint.len() - digits.len()).unwrap_or("").trim_end_matches('v').trim();
        let parts: Vec<i64> = digits.split('.').map_while(|p| p.trim().parse().ok()).collect();
        match (operator, parts.as_slice()) {
            ("~>", [major, minor, _, ..]) | ("" | "=" | "<=", [major, minor, ..]) => [*major, *minor],
            ("~>", [major, _]) | ("" | "=" | "<=", [major]) => [*major, ANY[1]],
            ("<", [major, 0, ..] | [major]) => [major - 1, ANY[1]],
            ("<", [major, minor]) | ("<", [major, minor, 0]) => [*major, minor - 1],
            ("<", [major, minor, ..]) => [*major, *minor],
            _ => ANY,
        }
    };
    let asked = version.or_else(reference).unwrap_or("");
    let [major, minor] = asked.split(',').map(bound).min().unwrap_or(ANY);
    major * 10_000 + minor
}

impl Module {
    /// The address of the module this is an outline of.
    pub(super) fn outlined(&self) -> Option<&str> {
        self.dir.strip_prefix(FOLDER)
    }

    /// The part of a module this is an outline of: `ssh` of `//modules/ssh`.
    pub(super) fn outlined_part(&self) -> &str {
        self.outlined().and_then(|address| address.rsplit_once("//modules/")).map_or("", |(_, part)| part)
    }
}

impl World<'_> {
    /// Where the resource of an outline is shown: the call in somebody's own code that leads to it. None for others.
    fn called_at(&self, mut scope: usize) -> Option<(Span, Vec<crate::resource::Skip>)> {
        let mut found = None;
        while let Some(here) = self.scopes.get(scope).filter(|s| s.module.outlined().is_some()) {
            let parent = here.parent.as_ref()?;
            scope = parent.env.scope;
            let block = self.scopes.get(scope)?.module.calls.get(parent.call)?;
            found = Some((block.span, block.skips.clone()));
        }
        found
    }

    /// Puts a resource that an outline declares where its module is called: nobody can go to a place in an outline.
    pub(super) fn in_sight(&self, code: Code, scope: usize) -> Code {
        let Some((call, skips)) = self.called_at(scope) else { return code };
        let header = code.module.iter().rev().map(|c| c.span).find(|s| !self.outlined.contains(&s.file));
        let inside = |file: FileId| self.outlined.contains(&file);
        Code {
            attrs: moved(&code.attrs, &inside, header.unwrap_or(call)),
            header: header.unwrap_or(call),
            span: call,
            skips,
            ..code
        }
    }
}

/// The value with no place inside: what came in through an input stands where it was given, all else `at` the call.
fn moved(val: &Val, inside: &dyn Fn(FileId) -> bool, at: Span) -> Val {
    let here = |span: Span| if inside(span.file) { at } else { span };
    let given = |val: &Val| val.steps().map(|p| p.span).find(|s| !inside(s.file));
    let span = if inside(val.span.file) { given(val).unwrap_or(at) } else { val.span };
    let item = |v: &Val| moved(v, inside, span);
    let data = match &val.data {
        Data::List(items) => Data::List(Arc::new(items.iter().map(item).collect())),
        Data::Set(items) => Data::Set(Arc::new(items.iter().map(item).collect())),
        Data::Map(members) => Data::Map(Arc::new(members.iter().map(|(k, v)| (k.clone(), item(v))).collect())),
        Data::Doc(doc) => Data::Doc(Arc::new(Doc { text: doc.text.clone(), value: item(&doc.value) })),
        Data::Partial(parts) => Data::Partial(Arc::new(
            (parts.iter())
                .map(|part| match part {
                    Part::Text(text) => Part::Text(text.clone()),
                    Part::Hole(hole) => Part::Hole(item(hole)),
                })
                .collect(),
        )),
        Data::Unknown(why) => Data::Unknown(Arc::new(Why { span: here(why.span), ..Why::clone(why) })),
        other => other.clone(),
    };
    // Only steps through somebody's own code are a way that can be followed.
    let mut prov = None;
    let outside: Vec<&Prov> = val.steps().filter(|p| !inside(p.span.file) && p.span != span).collect();
    for step in outside.into_iter().rev() {
        prov = Some(Arc::new(Prov { step: step.step.clone(), span: step.span, next: prov }));
    }
    let edge = val.edge().filter(|_| !matches!(val.data, Data::Ref(_))).cloned();
    if let Some(edge) = edge
        && !std::iter::successors(prov.as_deref(), |p: &&Prov| p.next.as_deref())
            .any(|p| matches!(&p.step, crate::value::Step::Resource(_)))
    {
        prov = Some(Arc::new(Prov { step: crate::value::Step::Resource(edge), span, next: prov }));
    }
    Val { data, span, sensitive: val.sensitive, typed: val.typed, prov }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_a_call_may_get() {
        for (version, source, expected) in [
            (Some("3.7.0"), "a/b/aws", 30_007),
            (Some("= 3.7"), "a/b/aws", 30_007),
            (Some("~> 3.7.1"), "a/b/aws", 30_007),
            (Some("~> 3.7"), "a/b/aws", 39_999),
            (Some("~> 3"), "a/b/aws", 99_999_999),
            (Some(">= 3.1, < 4.0"), "a/b/aws", 39_999),
            (Some(">= 3.1, < 3.9"), "a/b/aws", 30_008),
            (Some("<= 2.5.1"), "a/b/aws", 20_005),
            (None, "a/b/aws", 99_999_999),
            (None, "git::https://github.com/a/terraform-aws-b.git?ref=v2.3.1", 20_003),
            (Some("newest"), "a/b/aws", 99_999_999),
        ] {
            assert_eq!(newest(version, source), expected, "{version:?} {source}");
        }
    }

    #[test]
    fn a_module_is_known_by_each_way_of_naming_it() {
        for source in [
            "terraform-aws-modules/s3-bucket/aws",
            "registry.terraform.io/terraform-aws-modules/s3-bucket/aws",
            "git::https://github.com/terraform-aws-modules/terraform-aws-s3-bucket.git?ref=v4.1.0",
            "github.com/terraform-aws-modules/terraform-aws-s3-bucket",
            "git@github.com:terraform-aws-modules/terraform-aws-s3-bucket.git",
        ] {
            let folder = folder(source).expect(source);
            assert_eq!(of_folder(&folder).expect(source).0, "terraform-aws-modules/s3-bucket/aws");
        }
        let ssh = folder("terraform-aws-modules/security-group/aws//modules/ssh").expect("a part");
        assert_eq!(of_folder(&ssh).expect("its outline").0, "terraform-aws-modules/security-group/aws//modules/*");
        assert_eq!(Module { dir: ssh, ..Module::default() }.outlined_part(), "ssh");
        for source in [
            "./modules/s3-bucket",
            "terraform-aws-modules/s3-bucket/google",
            "github.com/a",
            "",
            "../x",
            "terraform-aws-modules/security-group/aws//modules/",
        ] {
            assert_eq!(folder(source), None, "{source}");
        }
    }
}
