//! The IAM action of every operation, against the published action catalogue when it is at hand.

use plumb_clouds::aws;
use serde_json::Value;
use std::collections::HashSet;

#[test]
fn actions_that_deviate_from_their_operation() {
    for (service, operation, action) in [
        ("s3", "ListBuckets", "s3:ListAllMyBuckets"),
        ("s3", "GetBucketEncryption", "s3:GetEncryptionConfiguration"),
        ("s3control", "GetPublicAccessBlock", "s3:GetAccountPublicAccessBlock"),
        ("elbv2", "DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers"),
        ("apigateway", "GetRestApis", "apigateway:GET"),
        ("cloudwatch", "DescribeAlarms", "cloudwatch:DescribeAlarms"),
        ("resourcegroupstaggingapi", "GetResources", "tag:GetResources"),
    ] {
        assert_eq!(aws::permission_for(service, operation), Some(action), "{service}:{operation}");
    }
    assert_eq!(aws::permission_for("s3", "Nothing"), None);
}

#[test]
fn every_action_is_published() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/iam/aws_actions.jsonl.zst");
    let Ok(packed) = std::fs::read(path) else {
        println!("skipped: no action catalogue at {path}");
        return;
    };
    let plain = zstd::decode_all(packed.as_slice()).expect("zstd");
    let published: HashSet<String> = plain
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice::<Value>(line).expect("json"))
        .map(|row| {
            format!("{}:{}", row["s"].as_str().unwrap_or_default(), row["a"].as_str().unwrap_or_default())
                .to_lowercase()
        })
        .collect();
    let strange: Vec<String> = aws::operations()
        .filter(|(.., action)| !published.contains(&action.to_lowercase()))
        .map(|(service, operation, action)| format!("{service}:{operation} -> {action}"))
        .collect();
    assert!(strange.is_empty(), "{} not published:\n{}", strange.len(), strange.join("\n"));
}
