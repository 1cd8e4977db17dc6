//! Request rates AWS publishes for the calls of a scan, per account and region.
//!
//! Each row names the page it was read from. Where a service publishes a rate per operation, the lowest among the
//! operations of a scan that are called per item stands here, and operations far below it cost more than one token. Where
//! AWS publishes nothing (or only says that it throttles), the row or [`ASSUMED`] says so and is cautious: a rate too low
//! costs time, one too high costs somebody's workload.

use crate::Quota;

/// For services that publish no rate. Not published; conservative default: what EC2 grants each of its reads, of which a
/// scan takes a fifth. IAM, Organizations, SNS, SQS, DynamoDB's describing calls, RDS and ELB are of this sort: their
/// pages say that calls are throttled, without a number for these.
const ASSUMED: Quota = Quota { per_second: 20.0, burst: 100.0 };

const fn quota(per_second: f64, burst: f64) -> Quota {
    Quota { per_second, burst }
}

const PUBLISHED: &[(&str, Quota)] = &[
    // docs.aws.amazon.com/apigateway/latest/developerguide/limits.html, "creating, deploying and managing": total
    // operations 10 a second with a burst of 40. Both services are the same control plane.
    ("apigateway", quota(10.0, 40.0)),
    ("apigatewayv2", quota(10.0, 40.0)),
    // docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html: get, describe and list 10 a second.
    ("cloudtrail", quota(10.0, 10.0)),
    // docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html: DescribeAlarms 9 a second.
    ("cloudwatch", quota(9.0, 9.0)),
    // docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html: each read has a bucket of 100 that refills by 20 a
    // second. One bucket serves all of them here, so we stay far below.
    ("ec2", quota(20.0, 100.0)),
    // docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html says there are sustained and burst rates,
    // but the text read leaves their table out. Conservative default.
    ("ecs", quota(10.0, 20.0)),
    // docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html (archived text of the guide; later editions
    // are higher): DescribeKey, ListKeys, ListAliases, ListKeyPolicies, ListResourceTags 100 a second.
    ("kms", quota(100.0, 100.0)),
    // docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: GetPolicy 15 a second, and 15 over all other
    // control plane calls but GetFunction (100).
    ("lambda", quota(15.0, 15.0)),
    // docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: DescribeLogStreams 5 a second; what
    // the other describing calls may do is not in the text read, so the same.
    ("logs", quota(5.0, 5.0)),
    // docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html: five requests a second for the whole account.
    ("route53", quota(5.0, 5.0)),
    // docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html: 5,500 GET a second per prefix, for objects.
    // For what buckets are configured with: not published; conservative default, a hundredth.
    ("s3", quota(50.0, 50.0)),
    // docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html: GetResourcePolicy and its like 50 a second
    // together, DescribeSecret 10,000.
    ("secretsmanager", quota(50.0, 50.0)),
];

/// Operations whose own rate is below the service's, as a multiple of one turn. Sources as above.
const COSTS: &[(&str, &str, f64)] = &[
    // 5 requests every 2 seconds.
    ("apigateway", "GetResources", 4.0),
    // 2 a second.
    ("cloudtrail", "LookupEvents", 5.0),
    // 3 a second.
    ("cloudwatch", "DescribeAlarmHistory", 3.0),
    // 30 a second.
    ("kms", "GetKeyPolicy", 3.5),
    ("kms", "GetKeyRotationStatus", 3.5),
    // 5 a second.
    ("kms", "DescribeCustomKeyStores", 20.0),
    // docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html, "API-specific limits": five a second.
    ("dynamodb", "DescribeContributorInsights", 4.0),
    ("dynamodb", "ListContributorInsights", 4.0),
];

/// The rate of a service.
pub fn of(service: &str) -> Quota {
    PUBLISHED.iter().find(|(name, _)| *name == service).map_or(ASSUMED, |(_, quota)| *quota)
}

/// How many turns a call of an operation takes.
pub fn cost(service: &str, operation: &str) -> f64 {
    COSTS.iter().find(|(s, o, _)| (*s, *o) == (service, operation)).map_or(1.0, |(.., cost)| *cost)
}
