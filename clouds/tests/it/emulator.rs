//! All five protocols against an emulator, when one is named by `PLUMB_MOTO_URL`.
//!
//! With `PLUMB_MOTO_ESTATE` naming the `estate.json` of a seeded organisation, its management account is entered with
//! the keys given there and a member account through `sts:AssumeRole`; else any keys do. `PLUMB_MOTO_REPORT` names a
//! file for what was read (operation, pages, items), to be compared with another client's reading.

use plumb_clouds::{
    Answer, Budgets, Call, Share, Target, Wire,
    aws::{self, AssumeRole, Client, Config, Endpoints, Session},
};
use serde_json::{Value, json};
use std::{collections::HashMap, env, fmt::Write as _, sync::Arc};

/// Lists, and then calls about the first thing of a list: `$` and a pointer into the first page that has one.
const CALLS: &[(&str, &str)] = &[
    ("accessanalyzer:ListAnalyzers", "{}"),
    ("acm:ListCertificates", "{}"),
    ("apigateway:GetRestApis", "{}"),
    ("apigatewayv2:GetApis", "{}"),
    ("athena:ListWorkGroups", "{}"),
    ("autoscaling:DescribeAutoScalingGroups", "{}"),
    ("backup:ListBackupVaults", "{}"),
    ("batch:DescribeComputeEnvironments", "{}"),
    ("cloudformation:DescribeStacks", "{}"),
    ("cloudfront:ListDistributions", "{}"),
    ("cloudtrail:DescribeTrails", "{}"),
    ("cloudwatch:DescribeAlarms", "{}"),
    ("codebuild:ListProjects", "{}"),
    ("cognito-idp:ListUserPools", r#"{"MaxResults": 5}"#),
    ("config:DescribeConfigurationRecorders", "{}"),
    ("dynamodb:ListTables", "{}"),
    ("dynamodb:DescribeTable", r#"{"TableName": "$dynamodb:ListTables/TableNames/0"}"#),
    ("dynamodb:DescribeContinuousBackups", r#"{"TableName": "$dynamodb:ListTables/TableNames/0"}"#),
    ("ec2:DescribeInstances", "{}"),
    ("ec2:DescribeSecurityGroups", "{}"),
    ("ec2:DescribeVpcs", "{}"),
    ("ec2:DescribeSubnets", "{}"),
    ("ec2:DescribeVolumes", "{}"),
    ("ec2:DescribeSnapshots", r#"{"OwnerIds": ["self"]}"#),
    ("ec2:DescribeImages", r#"{"Owners": ["self"]}"#),
    ("ec2:DescribeNetworkAcls", "{}"),
    ("ec2:DescribeRouteTables", "{}"),
    ("ec2:DescribeRegions", "{}"),
    ("ec2:DescribeFlowLogs", "{}"),
    ("ec2:GetEbsEncryptionByDefault", "{}"),
    (
        "ec2:DescribeInstanceAttribute",
        r#"{"Attribute": "userData", "InstanceId": "$ec2:DescribeInstances/Reservations/0/Instances/0/InstanceId"}"#,
    ),
    ("ecr:DescribeRepositories", "{}"),
    ("ecs:ListClusters", "{}"),
    ("ecs:ListTaskDefinitions", "{}"),
    ("ecs:DescribeTaskDefinition", r#"{"taskDefinition": "$ecs:ListTaskDefinitions/taskDefinitionArns/0"}"#),
    ("efs:DescribeFileSystems", "{}"),
    ("eks:ListClusters", "{}"),
    ("eks:DescribeCluster", r#"{"name": "$eks:ListClusters/clusters/0"}"#),
    ("elb:DescribeLoadBalancers", "{}"),
    ("elbv2:DescribeLoadBalancers", "{}"),
    (
        "elbv2:DescribeLoadBalancerAttributes",
        r#"{"LoadBalancerArn": "$elbv2:DescribeLoadBalancers/LoadBalancers/0/LoadBalancerArn"}"#,
    ),
    (
        "elbv2:DescribeListeners",
        r#"{"LoadBalancerArn": "$elbv2:DescribeLoadBalancers/LoadBalancers/0/LoadBalancerArn"}"#,
    ),
    ("events:ListEventBuses", "{}"),
    ("firehose:ListDeliveryStreams", "{}"),
    ("guardduty:ListDetectors", "{}"),
    ("guardduty:GetDetector", r#"{"DetectorId": "$guardduty:ListDetectors/DetectorIds/0"}"#),
    ("iam:ListUsers", "{}"),
    ("iam:ListRoles", "{}"),
    ("iam:ListPolicies", r#"{"Scope": "Local"}"#),
    ("iam:GetAccountAuthorizationDetails", "{}"),
    ("iam:GetAccountSummary", "{}"),
    ("iam:GetAccountPasswordPolicy", "{}"),
    ("iam:ListAccessKeys", r#"{"UserName": "$iam:ListUsers/Users/0/UserName"}"#),
    ("iam:ListAttachedUserPolicies", r#"{"UserName": "$iam:ListUsers/Users/0/UserName"}"#),
    ("iam:GetRole", r#"{"RoleName": "$iam:ListRoles/Roles/0/RoleName"}"#),
    ("iam:GenerateCredentialReport", "{}"),
    ("iam:GetCredentialReport", "{}"),
    ("kinesis:ListStreams", "{}"),
    ("kms:ListKeys", "{}"),
    ("kms:ListAliases", "{}"),
    ("kms:DescribeKey", r#"{"KeyId": "$kms:ListKeys/Keys/0/KeyId"}"#),
    ("kms:GetKeyPolicy", r#"{"KeyId": "$kms:ListKeys/Keys/0/KeyId", "PolicyName": "default"}"#),
    ("kms:GetKeyRotationStatus", r#"{"KeyId": "$kms:ListKeys/Keys/0/KeyId"}"#),
    ("lambda:ListFunctions", "{}"),
    ("lambda:GetFunction", r#"{"FunctionName": "$lambda:ListFunctions/Functions/0/FunctionName"}"#),
    ("logs:DescribeLogGroups", "{}"),
    ("logs:DescribeMetricFilters", "{}"),
    ("opensearch:ListDomainNames", "{}"),
    ("rds:DescribeDBInstances", "{}"),
    ("rds:DescribeDBSnapshots", "{}"),
    ("redshift:DescribeClusters", "{}"),
    ("resourcegroupstaggingapi:GetResources", "{}"),
    ("route53:ListHostedZones", "{}"),
    ("route53:ListResourceRecordSets", r#"{"HostedZoneId": "$route53:ListHostedZones/HostedZones/0/Id"}"#),
    ("s3:ListBuckets", "{}"),
    ("s3:GetBucketLocation", r#"{"Bucket": "$s3:ListBuckets/Buckets/0/Name"}"#),
    ("s3:GetBucketAcl", r#"{"Bucket": "$s3:ListBuckets/Buckets/0/Name"}"#),
    ("s3:GetBucketEncryption", r#"{"Bucket": "$s3:ListBuckets/Buckets/0/Name"}"#),
    ("s3:GetBucketVersioning", r#"{"Bucket": "$s3:ListBuckets/Buckets/0/Name"}"#),
    ("s3:GetBucketTagging", r#"{"Bucket": "$s3:ListBuckets/Buckets/0/Name"}"#),
    ("s3:GetPublicAccessBlock", r#"{"Bucket": "$s3:ListBuckets/Buckets/0/Name"}"#),
    ("s3:ListObjectsV2", r#"{"Bucket": "$s3:ListBuckets/Buckets/0/Name"}"#),
    ("s3:HeadBucket", r#"{"Bucket": "$s3:ListBuckets/Buckets/0/Name"}"#),
    ("s3control:GetPublicAccessBlock", r#"{"AccountId": "@account"}"#),
    ("sagemaker:ListNotebookInstances", "{}"),
    ("secretsmanager:ListSecrets", "{}"),
    ("secretsmanager:DescribeSecret", r#"{"SecretId": "$secretsmanager:ListSecrets/SecretList/0/ARN"}"#),
    ("sesv2:ListEmailIdentities", "{}"),
    ("sns:ListTopics", "{}"),
    ("sns:GetTopicAttributes", r#"{"TopicArn": "$sns:ListTopics/Topics/0/TopicArn"}"#),
    ("sns:ListTagsForResource", r#"{"ResourceArn": "$sns:ListTopics/Topics/0/TopicArn"}"#),
    ("sqs:ListQueues", "{}"),
    ("sqs:GetQueueAttributes", r#"{"QueueUrl": "$sqs:ListQueues/QueueUrls/0", "AttributeNames": ["All"]}"#),
    ("sqs:ListQueueTags", r#"{"QueueUrl": "$sqs:ListQueues/QueueUrls/0"}"#),
    ("ssm:DescribeParameters", "{}"),
    ("ssm:ListDocuments", "{}"),
    ("stepfunctions:ListStateMachines", "{}"),
    ("sts:GetCallerIdentity", "{}"),
    ("wafv2:ListWebACLs", r#"{"Scope": "REGIONAL"}"#),
];

#[tokio::test]
async fn all_protocols_answer() {
    let Ok(url) = env::var("PLUMB_MOTO_URL") else {
        println!("skipped: PLUMB_MOTO_URL names no emulator");
        return;
    };
    let client = Client::new(Config {
        endpoints: Endpoints { everywhere: Some(url), ..Endpoints::default() },
        budgets: Arc::new(Budgets::new(Share::Unlimited, 1)),
        ..Config::default()
    })
    .expect("the committed table");
    let account = enter(&client);
    let target = Target::new(&account, "us-east-1");
    let (mut read, mut report): (HashMap<&str, Vec<Value>>, String) = Default::default();
    let (mut problems, mut several) = (Vec::new(), 0);
    for (name, params) in CALLS {
        let (service, operation) = name.split_once(':').expect("service:Operation");
        let Some(params) = resolve(params, &account, &read) else {
            println!("{name}: nothing to ask about");
            continue;
        };
        let call = Call {
            page_size: Some(5),
            absent: [
                "NoSuchEntity",
                "NoSuchPublicAccessBlockConfiguration",
                "ServerSideEncryptionConfigurationNotFoundError",
                "NoSuchTagSet",
            ]
            .map(Into::into)
            .to_vec(),
            ..Call::new(service, operation, params)
        };
        let (pages, end) = client.all(&target, &call).await;
        let items = pages.iter().map(|page| count(service, operation, page)).sum::<usize>();
        println!("{name}: {} pages, {items} items, {end:?}", pages.len());
        let _ = writeln!(
            report,
            "{}",
            json!({"service": service, "operation": operation, "params": call.params, "pages": pages.len(), "items": items,
                   "first": pages.first()})
        );
        several += usize::from(pages.len() > 1);
        match end {
            None if pages.is_empty() => problems.push(format!("{name}: no page")),
            None | Some(Answer::Absent { .. }) => {}
            Some(other) => problems.push(format!("{name}: {other:?}")),
        }
        read.insert(name, pages);
    }
    if let Ok(path) = env::var("PLUMB_MOTO_REPORT") {
        std::fs::write(path, report).expect("the report can be written");
    }
    println!("{:?}", client.budgets().counters());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    if env::var("PLUMB_MOTO_ESTATE").is_ok() {
        assert!(read.len() >= 60, "only {} operations had something to ask about", read.len());
        assert!(several >= 8, "only {several} lists had more than one page");
    }
}

/// Enters the accounts and says which one to read.
fn enter(client: &Client) -> String {
    let Ok(path) = env::var("PLUMB_MOTO_ESTATE") else {
        client.enter("123456789012".into(), Session::fixed("test", "test", None), "us-east-1");
        return "123456789012".into();
    };
    let estate: Value = serde_json::from_slice(&std::fs::read(path).expect("the estate")).expect("json");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let base = Session::fixed(&text(&estate["auditor_key"]["id"]), &text(&estate["auditor_key"]["secret"]), None);
    let member = text(&estate["accounts"][1]["id"]);
    let role = format!("arn:aws:iam::{member}:role/{}", text(&estate["admin_role"]));
    client.enter(text(&estate["mgmt"]).into(), base.clone(), "us-east-1");
    client.enter(member.as_str().into(), base.assume(AssumeRole::new(role, "us-east-1")), "us-east-1");
    member
}

/// Puts account and earlier answers into the parameters; none if the list it points into was empty.
fn resolve(params: &str, account: &str, read: &HashMap<&str, Vec<Value>>) -> Option<Value> {
    let mut params: Value = serde_json::from_str(params).expect("json");
    for value in params.as_object_mut().expect("an object").values_mut() {
        let Some(text) = value.as_str() else { continue };
        if text == "@account" {
            *value = json!(account);
        } else if let Some((name, pointer)) = text.strip_prefix('$').and_then(|text| text.split_once('/')) {
            let pages = read.get(name)?;
            *value = pages.iter().find_map(|page| page.pointer(&format!("/{pointer}")))?.clone();
        }
    }
    Some(params)
}

/// The items of a page, where the model says they are.
fn count(service: &str, operation: &str, page: &Value) -> usize {
    let paths = aws::paginator(service, operation).map(|page| page.items.clone()).unwrap_or_default();
    let found = paths.iter().filter_map(|path| page.pointer(&format!("/{}", path.replace('.', "/"))));
    found.map(|value| value.as_array().map_or(0, Vec::len)).sum()
}
