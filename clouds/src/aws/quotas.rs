//! Request rates AWS publishes for the calls of a scan, per account and region.
//!
//! Source: the Service Quotas pages of each service in the AWS General Reference ("Request rate" and "Throttle rate"
//! rows). Where a service publishes a rate per operation, the lowest among the operations of a scan stands here, and
//! operations far below it cost more than one token. Services without a published rate get [`ASSUMED`].

use crate::Quota;

/// For services that publish no rate: what EC2 grants its unmutating calls at the least.
const ASSUMED: Quota = Quota { per_second: 20.0, burst: 100.0 };

const fn quota(per_second: f64, burst: f64) -> Quota {
    Quota { per_second, burst }
}

const PUBLISHED: &[(&str, Quota)] = &[
    ("apigateway", quota(10.0, 40.0)),
    ("apigatewayv2", quota(10.0, 40.0)),
    ("cloudtrail", quota(10.0, 10.0)),
    ("cloudwatch", quota(9.0, 9.0)),
    ("dynamodb", quota(2500.0, 2500.0)),
    ("ec2", quota(20.0, 100.0)),
    ("ecs", quota(20.0, 50.0)),
    ("kms", quota(500.0, 500.0)),
    ("lambda", quota(15.0, 15.0)),
    ("logs", quota(10.0, 10.0)),
    ("route53", quota(5.0, 5.0)),
    ("s3", quota(100.0, 500.0)),
    ("secretsmanager", quota(50.0, 50.0)),
    ("sns", quota(30.0, 30.0)),
    ("sts", quota(600.0, 600.0)),
];

/// Operations whose own rate is below the service's, as a multiple of one turn.
const COSTS: &[(&str, &str, f64)] =
    &[("cloudtrail", "LookupEvents", 5.0), ("logs", "DescribeSubscriptionFilters", 2.0)];

/// The rate of a service.
pub fn of(service: &str) -> Quota {
    PUBLISHED.iter().find(|(name, _)| *name == service).map_or(ASSUMED, |(_, quota)| *quota)
}

/// How many turns a call of an operation takes.
pub fn cost(service: &str, operation: &str) -> f64 {
    COSTS.iter().find(|(s, o, _)| (*s, *o) == (service, operation)).map_or(1.0, |(.., cost)| *cost)
}
