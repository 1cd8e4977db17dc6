//! Which services resource control policies bind.

/// IAM prefixes, sorted. From the AWS Organizations user guide, "List of AWS services that support RCPs" (2026-09-26).
#[rustfmt::skip]
const SERVICES: &[&str] = &[
    "aoss", "appconfig", "appstream", "autoscaling", "autoscaling-plans", "budgets", "clouddirectory", "cloudfront",
    "cloudsearch", "cloudtrail-data", "codeartifact", "codebuild", "codecommit", "codepipeline", "cognito-identity",
    "cognito-idp", "cognito-sync", "comprehend", "comprehendmedical", "compute-optimizer", "cost-optimization-hub",
    "dax", "dsql", "dynamodb", "ecr", "ecr-public", "events", "firehose", "fis", "fms", "gamelift", "health",
    "inspector-scan", "kendra", "kinesisvideo", "kms", "logs", "memorydb", "networkmonitor", "notifications",
    "opensearch", "pca-connector-ad", "personalize", "polly", "pricing", "resource-groups", "rolesanywhere", "s3",
    "secretsmanager", "servicediscovery", "signin", "sqs", "sts", "support", "swf", "textract",
    "timestream-influxdb", "transcribe", "transfer", "translate", "wafv2", "workspaces", "xray",
];

/// Whether resource control policies bind the actions of a service, given by its IAM prefix in lower case.
pub fn binds(service: &str) -> bool {
    SERVICES.binary_search(&service).is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_is_sorted() {
        assert!(super::SERVICES.is_sorted());
        assert!(super::binds("s3") && super::binds("sts") && !super::binds("ec2"));
    }
}
