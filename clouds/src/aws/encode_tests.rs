use super::*;
use crate::aws::model::table;

/// The request the table's own model gives for an input.
fn built(name: &str, input: Value) -> Result<Request, EncodeError> {
    let (service, operation) = name.split_once(':').expect("service:Operation");
    let service = table().expect("table").service(service).expect("a service of the table");
    let frame = service.frame().expect("a frame");
    let model = frame.operations.get(operation).expect("an operation of the table");
    request(service, frame, operation, model, &input)
}

#[track_caller]
fn check_form(name: &str, input: Value, form: &str) {
    let request = built(name, input).expect("a request");
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
    assert_eq!(String::from_utf8(request.body).expect("text"), form);
}

#[track_caller]
fn check_rest(name: &str, input: Value, line: &str, body: &str) {
    let request = built(name, input).expect("a request");
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    assert_eq!(format!("{} {}{query}", request.method, request.path), line);
    assert_eq!(String::from_utf8(request.body).expect("text"), body);
}

#[test]
fn query_forms() {
    check_form(
        "iam:ListUsers",
        json!({"PathPrefix": "/a b/", "MaxItems": 5}),
        "Action=ListUsers&Version=2010-05-08&MaxItems=5&PathPrefix=%2Fa%20b%2F",
    );
    // Lists count from one, under `member`.
    check_form(
        "elbv2:DescribeTags",
        json!({"ResourceArns": ["a", "b"]}),
        "Action=DescribeTags&Version=2015-12-01&ResourceArns.member.1=a&ResourceArns.member.2=b",
    );
    // A list whose elements are named.
    check_form(
        "rds:DescribeDBInstances",
        json!({"Filters": [{"Name": "n", "Values": ["v"]}]}),
        "Action=DescribeDBInstances&Version=2014-10-31&Filters.Filter.1.Name=n&Filters.Filter.1.Values.Value.1=v",
    );
    check_form(
        "elbv2:DescribeTags",
        json!({"ResourceArns": []}),
        "Action=DescribeTags&Version=2015-12-01&ResourceArns=",
    );
}

#[test]
fn ec2_forms_are_flat_and_capitalised() {
    check_form(
        "ec2:DescribeInstances",
        json!({"InstanceIds": ["i-1", "i-2"], "Filters": [{"Name": "n", "Values": ["a"]}]}),
        "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=n&Filter.1.Value.1=a&InstanceId.1=i-1&InstanceId.2=i-2",
    );
    check_form(
        "ec2:DescribeVpcs",
        json!({"MaxResults": 5, "DryRun": false, "NextToken": null}),
        "Action=DescribeVpcs&Version=2016-11-15&DryRun=false&MaxResults=5",
    );
}

#[test]
fn json_bodies_name_their_target() {
    let request = built("cloudtrail:LookupEvents", json!({"StartTime": "2026-01-02T03:04:05Z", "MaxResults": 7}))
        .expect("a request");
    let body: Value = serde_json::from_slice(&request.body).expect("json");
    assert_eq!(body, json!({"StartTime": 1_767_323_045, "MaxResults": 7}));
    let headers: std::collections::BTreeMap<_, _> = request.headers.into_iter().collect();
    assert_eq!(headers["x-amz-target"], "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents");
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    let request = built("sqs:ListQueues", Value::Null).expect("a request");
    assert!(request.headers.contains(&("x-amzn-query-mode".into(), "true".into())));
    assert_eq!(request.body, b"{}");
}

#[test]
fn rest_bindings() {
    check_rest(
        "lambda:GetFunction",
        json!({"FunctionName": "arn:aws:lambda:f", "Qualifier": "1"}),
        "GET /2015-03-31/functions/arn%3Aaws%3Alambda%3Af?Qualifier=1",
        "",
    );
    check_rest(
        "s3:ListObjectsV2",
        json!({"Bucket": "b", "MaxKeys": 2, "Prefix": "a/b c"}),
        "GET /b?list-type=2&max-keys=2&prefix=a%2Fb%20c",
        "",
    );
    // A greedy label keeps its slashes.
    check_rest("s3:GetObject", json!({"Bucket": "b", "Key": "x/y z+"}), "GET /b/x/y%20z%2B", "");
    check_rest("s3:GetBucketPolicy", json!({"Bucket": "b"}), "GET /b?policy", "");
    check_rest(
        "inspector2:ListFindings",
        json!({"maxResults": 3, "filterCriteria": {"awsAccountId": [{"comparison": "EQUALS", "value": "1"}]}}),
        "POST /findings/list",
        r#"{"filterCriteria":{"awsAccountId":[{"comparison":"EQUALS","value":"1"}]},"maxResults":3}"#,
    );
    check_rest(
        "route53:ListResourceRecordSets",
        json!({"HostedZoneId": "/hostedzone/Z1"}),
        "GET /2013-04-01/hostedzone/Z1/rrset",
        "",
    );
    // Lists and maps in the query.
    check_rest("eks:ListClusters", json!({"include": ["all", "x"]}), "GET /clusters?include=all&include=x", "");
    let request = built("s3control:GetPublicAccessBlock", json!({"AccountId": "123456789012"})).expect("a request");
    assert_eq!(request.host_prefix, "123456789012.");
    assert_eq!(request.headers, [("x-amz-account-id".into(), "123456789012".into())]);
    let request = built("s3:GetObject", json!({"Bucket": "b", "Key": "k", "IfModifiedSince": "2026-01-02T03:04:05Z"}))
        .expect("a request");
    assert_eq!(request.headers, [("if-modified-since".into(), "Fri, 02 Jan 2026 03:04:05 GMT".into())]);
}

/// The table names reads only; the XML bodies of writes are tested with a model of our own.
#[test]
fn xml_bodies() {
    let service: Service = serde_json::from_value(json!({
        "name": "own", "protocol": "rest-xml", "prefix": "own", "signing": "own", "operations": {}, "offset": 0, "length": 0,
    }))
    .expect("a service");
    let frame: Frame = serde_json::from_value(json!({
        "operations": {
            "PutBlock": { "m": "PUT", "u": "/{Bucket}?block", "i": 0, "c": true },
            "Create": { "m": "POST", "u": "/things", "i": 4, "n": "CreateRequest", "x": "https://own.example/doc" },
        },
        "shapes": [
            { "k": "structure", "p": "Config", "r": ["Bucket"], "m": [
                { "n": "Bucket", "s": 1, "w": "uri", "l": "Bucket" },
                { "n": "Config", "s": 2, "l": "PublicAccess", "x": "http://own.example/s3" } ] },
            { "k": "string" },
            { "k": "structure", "m": [{ "n": "BlockAcls", "s": 3 }, { "n": "Rules", "s": 5, "l": "Rule", "f": true }] },
            { "k": "boolean" },
            { "k": "structure", "m": [{ "n": "Name", "s": 1 }, { "n": "Items", "s": 6 }, { "n": "When", "s": 7 }] },
            { "k": "list", "e": { "s": 1 } },
            { "k": "list", "e": { "s": 1, "l": "Item" } },
            { "k": "timestamp" },
        ],
    }))
    .expect("a frame");
    let body = |name: &str, input: Value| {
        let request = request(&service, &frame, name, &frame.operations[name], &input).expect("a request");
        (String::from_utf8(request.body).expect("text"), request.headers)
    };
    let (xml, headers) = body("PutBlock", json!({"Bucket": "b", "Config": {"BlockAcls": true, "Rules": ["a<", "b"]}}));
    assert_eq!(
        xml,
        "<PublicAccess xmlns=\"http://own.example/s3\"><BlockAcls>true</BlockAcls><Rule>a&lt;</Rule><Rule>b</Rule></PublicAccess>"
    );
    assert!(headers.iter().any(|(name, value)| name == "x-amz-checksum-sha256" && value.len() == 44));
    let (xml, _) = body("Create", json!({"Name": "n", "Items": ["x"], "When": 1_767_323_045}));
    assert_eq!(
        xml,
        "<CreateRequest xmlns=\"https://own.example/doc\"><Name>n</Name><Items><Item>x</Item></Items><When>2026-01-02T03:04:05Z</When></CreateRequest>"
    );
}

#[test]
fn what_does_not_fit_is_said() {
    for (name, input, problem) in [
        ("sqs:GetQueueAttributes", json!({}), "`QueueUrl` is required"),
        ("sts:GetCallerIdentity", json!({"A": 1}), "there is no input `A`; it takes no input"),
        ("lambda:GetFunction", json!({"FunctionName": {}}), "found an object"),
        ("cloudtrail:LookupEvents", json!({"StartTime": "soon"}), "is not an instant"),
        ("iam:ListUsers", json!("x"), "the input is a text, not an object"),
    ] {
        let error = built(name, input).expect_err(problem).to_string();
        assert!(error.starts_with(name) && error.contains(problem), "{error}");
    }
}
