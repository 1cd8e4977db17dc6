//! AWS Security Finding Format, 2018-10-08. Source: the `AwsSecurityFinding` shape of Security Hub's service model.

use crate::{Exported, Report};
use plumb_model::{Outcome, Severity};
use serde_json::{Value as Json, json};

/// One finding a row, within ASFF's lengths. Ready for `securityhub:BatchImportFindings`, at most 100 a call.
pub fn asff(rows: &[Exported], report: &Report) -> Vec<Json> {
    rows.iter().map(|row| finding(row, report)).collect()
}

/// At most `most` characters, with an ellipsis when cut.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.into() } else { text.chars().take(most - 1).chain(['…']).collect() }
}

fn finding(row: &Exported, report: &Report) -> Json {
    let pass = row.outcome == Outcome::Pass;
    let (label, normalized) = match (pass, row.severity) {
        (true, _) | (_, Severity::Info) => ("INFORMATIONAL", 0),
        (_, Severity::Low) => ("LOW", 1),
        (_, Severity::Medium) => ("MEDIUM", 40),
        (_, Severity::High) => ("HIGH", 70),
        (_, Severity::Critical) => ("CRITICAL", 90),
    };
    let workflow = match row.state.as_str() {
        "open" | "pass" => "NEW",
        "accepted" | "deferred" | "false-positive" => "SUPPRESSED",
        "fixed" | "resource-gone" | "superseded" => "RESOLVED",
        _ => "NOTIFIED",
    };
    let partition = row.resource.split(':').nth(1).filter(|p| p.starts_with("aws")).unwrap_or("aws");
    let region = if row.region == "global" { "us-east-1" } else { row.region.as_str() };
    let description = if row.summary.is_empty() { &row.title } else { &row.summary };
    let mut fields = serde_json::Map::new();
    fields.insert("ProviderName".into(), json!("Plumbline"));
    fields.insert("ProviderVersion".into(), json!(report.version));
    fields.insert("ShortId".into(), json!(row.short));
    if !row.sub_key.is_empty() {
        fields.insert("Part".into(), json!(cut(&row.sub_key, 1024)));
    }
    for (i, leaf) in row.because.iter().take(8).enumerate() {
        let text =
            format!("{} is {} (wanted {}; {})", leaf.path, leaf.observed.to_plain_json(), leaf.expected, leaf.source);
        fields.insert(format!("Because{}", i + 1), json!(cut(&text, 1024)));
    }
    let requirements: Vec<String> = row.controls.iter().take(32).map(|(f, c)| format!("{f} {c}")).collect();
    let mut compliance = json!({ "Status": if pass { "PASSED" } else { "FAILED" }, "SecurityControlId": row.rule });
    if let (false, Some(object)) = (requirements.is_empty(), compliance.as_object_mut()) {
        object.insert("RelatedRequirements".into(), json!(requirements));
    }
    let mut out = json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("plumbline/{}", row.key),
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{0}:product/{0}/default", row.account),
        "GeneratorId": row.rule,
        "AwsAccountId": row.account,
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "FirstObservedAt": row.first_seen,
        "LastObservedAt": row.last_seen,
        "CreatedAt": row.first_seen,
        "UpdatedAt": row.last_seen,
        "Severity": { "Label": label, "Normalized": normalized, "Original": row.severity.name() },
        "Title": cut(&row.title, 256),
        "Description": cut(description, 1024),
        "ProductFields": fields,
        "Resources": [{ "Type": asff_type(&row.kind), "Id": row.resource, "Partition": partition, "Region": region }],
        "Compliance": compliance,
        "Workflow": { "Status": workflow },
        "RecordState": if workflow == "RESOLVED" { "ARCHIVED" } else { "ACTIVE" },
    });
    let fix = row.fix.lines().find(|l| !l.is_empty() && !l.starts_with("```")).unwrap_or_default();
    if let (false, Some(object)) = (fix.is_empty(), out.as_object_mut()) {
        object.insert("Remediation".into(), json!({ "Recommendation": { "Text": cut(fix, 512) } }));
    }
    out
}

/// Security Hub's names for what it has details of; anything else is `Other`.
fn asff_type(kind: &str) -> &'static str {
    match kind {
        "aws.s3.bucket" => "AwsS3Bucket",
        "aws.ec2.instance" => "AwsEc2Instance",
        "aws.ec2.security-group" => "AwsEc2SecurityGroup",
        "aws.ec2.volume" => "AwsEc2Volume",
        "aws.ec2.network-acl" => "AwsEc2NetworkAcl",
        "aws.vpc.vpc" => "AwsEc2Vpc",
        "aws.iam.user" => "AwsIamUser",
        "aws.iam.role" => "AwsIamRole",
        "aws.iam.group" => "AwsIamGroup",
        "aws.iam.policy" => "AwsIamPolicy",
        "aws.kms.key" => "AwsKmsKey",
        "aws.lambda.function" => "AwsLambdaFunction",
        "aws.rds.instance" => "AwsRdsDbInstance",
        "aws.rds.cluster" => "AwsRdsDbCluster",
        "aws.sns.topic" => "AwsSnsTopic",
        "aws.sqs.queue" => "AwsSqsQueue",
        "aws.secretsmanager.secret" => "AwsSecretsManagerSecret",
        "aws.dynamodb.table" => "AwsDynamoDbTable",
        "aws.ecr.repository" => "AwsEcrRepository",
        "aws.ecs.cluster" => "AwsEcsCluster",
        "aws.eks.cluster" => "AwsEksCluster",
        "aws.cloudtrail.trail" => "AwsCloudTrailTrail",
        "aws.cloudfront.distribution" => "AwsCloudFrontDistribution",
        "aws.efs.file-system" => "AwsEfsFileSystem",
        kind if kind.contains(".account") => "AwsAccount",
        _ => "Other",
    }
}
