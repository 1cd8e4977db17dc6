//! The IAM action that allows an operation.
//!
//! The rule is `signing name:Operation`. Where AWS deviates, the tables below say so; they are reviewed against the
//! service authorization reference, and a test of `plumb-clouds` compares every result with the published actions.

use serde_json::Value;

/// Services whose IAM prefix is not their signing name.
const PREFIXES: &[(&str, &str)] = &[("cloudwatch", "cloudwatch"), ("resourcegroupstaggingapi", "tag")];

/// Operations whose action is not `prefix:Operation`: service, operation, action.
const ACTIONS: &[(&str, &str, &str)] = &[
    ("s3", "GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration"),
    ("s3", "GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration"),
    ("s3", "GetBucketCors", "s3:GetBucketCORS"),
    ("s3", "GetBucketEncryption", "s3:GetEncryptionConfiguration"),
    ("s3", "GetBucketIntelligentTieringConfiguration", "s3:GetIntelligentTieringConfiguration"),
    ("s3", "GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration"),
    ("s3", "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"),
    ("s3", "GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration"),
    ("s3", "GetBucketNotificationConfiguration", "s3:GetBucketNotification"),
    ("s3", "GetBucketReplication", "s3:GetReplicationConfiguration"),
    ("s3", "GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"),
    ("s3", "GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ("s3", "HeadBucket", "s3:ListBucket"),
    ("s3", "HeadObject", "s3:GetObject"),
    ("s3", "ListBuckets", "s3:ListAllMyBuckets"),
    ("s3", "ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration"),
    ("s3", "ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration"),
    ("s3", "ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration"),
    ("s3", "ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration"),
    ("s3", "ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ("s3", "ListObjects", "s3:ListBucket"),
    ("s3", "ListObjectsV2", "s3:ListBucket"),
    ("s3", "ListObjectVersions", "s3:ListBucketVersions"),
    ("s3control", "GetPublicAccessBlock", "s3:GetAccountPublicAccessBlock"),
    ("s3control", "GetAccessPointScope", "s3express:GetAccessPointScope"),
    ("s3control", "GetBucketLifecycleConfiguration", "s3-outposts:GetLifecycleConfiguration"),
    ("s3control", "GetBucketReplication", "s3-outposts:GetReplicationConfiguration"),
    ("s3control", "ListAccessPointsForDirectoryBuckets", "s3express:ListAccessPointsForDirectoryBuckets"),
    ("accessanalyzer", "GetFindingV2", "access-analyzer:GetFinding"),
    ("accessanalyzer", "ListFindingsV2", "access-analyzer:ListFindings"),
    ("budgets", "DescribeBudgets", "budgets:ViewBudget"),
    ("cloudcontrol", "GetResource", "cloudformation:GetResource"),
    ("cloudcontrol", "ListResources", "cloudformation:ListResources"),
    ("keyspaces", "GetTable", "cassandra:Select"),
    ("keyspaces", "ListKeyspaces", "cassandra:Select"),
    ("keyspaces", "ListTables", "cassandra:Select"),
    ("lambda", "GetLayerVersionByArn", "lambda:GetLayerVersion"),
];

/// The action of one operation.
pub fn action(service: &str, signing: &str, operation: &str, model: &Value) -> String {
    if let Some((_, _, action)) = ACTIONS.iter().find(|(s, o, _)| (*s, *o) == (service, operation)) {
        return (*action).to_owned();
    }
    // API Gateway's management API is authorised by HTTP method, not by operation.
    if matches!(service, "apigateway" | "apigatewayv2") {
        return format!("apigateway:{}", model["http"]["method"].as_str().unwrap_or("GET"));
    }
    // S3 Control's bucket operations are those of S3 on Outposts.
    if service == "s3control" && operation.starts_with("GetBucket") {
        return format!("s3-outposts:{operation}");
    }
    let prefix = PREFIXES.iter().find(|(s, _)| *s == service).map_or(signing, |(_, prefix)| prefix);
    format!("{prefix}:{operation}")
}
