use super::*;
use crate::aws::model::table;
use proptest::prelude::*;
use serde_json::json;

fn read(name: &str, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<Value, String> {
    let (service, operation) = name.split_once(':').expect("service:Operation");
    let service = table().expect("table").service(service).expect("a service of the table");
    let frame = service.frame().expect("a frame");
    let model = frame.operations.get(operation).expect("an operation of the table");
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    answer(service, frame, operation, model, &Reply { status, headers, body: body.to_vec() })
}

#[track_caller]
fn check(name: &str, body: &str, document: Value) {
    assert_eq!(read(name, 200, &[], body.as_bytes()), Ok(document));
}

#[test]
fn query_answers() {
    check(
        "iam:ListUsers",
        r#"<?xml version="1.0"?><ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUsersResult>
           <IsTruncated>true</IsTruncated><Marker>m</Marker><Users><member><UserName>ann &amp; bob</UserName>
           <CreateDate>2024-01-02T03:04:05Z</CreateDate><Tags/></member></Users></ListUsersResult>
           <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></ListUsersResponse>"#,
        json!({"IsTruncated": true, "Marker": "m", "Users": [
            {"UserName": "ann & bob", "CreateDate": "2024-01-02T03:04:05Z", "Tags": []}]}),
    );
    // A map.
    check(
        "sns:GetTopicAttributes",
        "<GetTopicAttributesResponse><GetTopicAttributesResult><Attributes><entry><key>Owner</key><value>1</value></entry>\
         <entry><key>Policy</key><value/></entry></Attributes></GetTopicAttributesResult></GetTopicAttributesResponse>",
        json!({"Attributes": {"Owner": "1", "Policy": ""}}),
    );
    check(
        "iam:GetAccountSummary",
        "<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap><entry><key>Users</key>\
         <value>3</value></entry></SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>",
        json!({"SummaryMap": {"Users": 3}}),
    );
}

#[test]
fn policies_of_iam_are_readable() {
    check(
        "iam:GetRole",
        "<GetRoleResponse><GetRoleResult><Role><AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%7D\
         </AssumeRolePolicyDocument><Description>100%7B</Description></Role></GetRoleResult></GetRoleResponse>",
        json!({"Role": {"AssumeRolePolicyDocument": r#"{"Version":"2012-10-17"}"#, "Description": "100%7B"}}),
    );
}

#[test]
fn ec2_answers() {
    check(
        "ec2:DescribeSecurityGroups",
        r#"<DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>
           <securityGroupInfo><item><groupId>sg-1</groupId><ipPermissions><item><fromPort>22</fromPort><ipRanges><item>
           <cidrIp>0.0.0.0/0</cidrIp></item></ipRanges><groups/></item></ipPermissions></item></securityGroupInfo>
           </DescribeSecurityGroupsResponse>"#,
        json!({"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [
            {"FromPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "UserIdGroupPairs": []}]}]}),
    );
}

#[test]
fn json_answers() {
    check(
        "kms:DescribeKey",
        r#"{"KeyMetadata":{"KeyId":"k","CreationDate":1704164645.5,"Enabled":true,"Description":null,"Unmodelled":1}}"#,
        json!({"KeyMetadata": {"KeyId": "k", "CreationDate": "2024-01-02T03:04:05.5Z", "Enabled": true}}),
    );
    check("sqs:ListQueues", r#"{"QueueUrls":[]}"#, json!({"QueueUrls": []}));
    check("sqs:ListQueues", "{}", json!({}));
}

#[test]
fn rest_json_answers() {
    check("eks:ListClusters", r#"{"clusters":["a"],"nextToken":"t"}"#, json!({"clusters": ["a"], "nextToken": "t"}));
    // Names on the wire differ from those of the model.
    check(
        "apigateway:GetRestApis",
        r#"{"item":[{"id":"1","createdDate":1704164645}],"position":"p"}"#,
        json!({"items": [{"id": "1", "createdDate": "2024-01-02T03:04:05Z"}], "position": "p"}),
    );
}

#[test]
fn rest_xml_answers() {
    check(
        "s3:ListObjectsV2",
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>3</Size></Contents>\
         <Contents><Key>b</Key></Contents></ListBucketResult>",
        json!({"IsTruncated": false, "Contents": [{"Key": "a", "Size": 3}, {"Key": "b"}]}),
    );
    // An attribute in a namespace.
    check(
        "s3:GetBucketAcl",
        r#"<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
           xsi:type="Group"><URI>u</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"#,
        json!({"Grants": [{"Grantee": {"Type": "Group", "URI": "u"}, "Permission": "READ"}]}),
    );
    // Payloads.
    check("s3:GetBucketPolicy", r#"{"Statement": []}"#, json!({"Policy": r#"{"Statement": []}"#}));
    check(
        "s3:GetPublicAccessBlock",
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
        json!({"PublicAccessBlockConfiguration": {"BlockPublicAcls": true}}),
    );
    // S3's bare answer.
    check(
        "s3:GetBucketLocation",
        "<LocationConstraint>eu-west-1</LocationConstraint>",
        json!({"LocationConstraint": "eu-west-1"}),
    );
    check("s3:GetBucketLocation", "<LocationConstraint/>", json!({}));
    check(
        "route53:ListHostedZones",
        "<ListHostedZonesResponse><HostedZones><HostedZone><Id>/hostedzone/Z</Id></HostedZone></HostedZones>\
         <MaxItems>100</MaxItems></ListHostedZonesResponse>",
        json!({"HostedZones": [{"Id": "/hostedzone/Z"}], "MaxItems": "100"}),
    );
}

#[test]
fn headers_and_bytes() {
    let headers =
        [("content-length", "3"), ("last-modified", "Tue, 02 Jan 2024 03:04:05 GMT"), ("x-amz-meta-owner", "ann")];
    let object = read("s3:GetObject", 200, &headers, &[0xff, 0, 1]).expect("an answer");
    assert_eq!(object["Body"], "/wAB");
    assert_eq!(object["ContentLength"], 3);
    assert_eq!(object["LastModified"], "2024-01-02T03:04:05Z");
    assert_eq!(object["Metadata"], json!({"owner": "ann"}));
    let head = read("s3:HeadBucket", 200, &[("x-amz-bucket-region", "eu-west-1")], b"").expect("an answer");
    assert_eq!(head, json!({"BucketRegion": "eu-west-1"}));
}

#[test]
fn malformed_answers_are_told_and_never_empty() {
    for (name, body) in [
        ("kms:ListKeys", &b"{\"Keys\""[..]),
        ("kms:ListKeys", b""),
        ("kms:ListKeys", b"null"),
        ("kms:ListKeys", b"{\"Keys\": 7}"),
        ("iam:ListUsers", b"<a><b></a>"),
        ("iam:ListUsers", &[0xff, 0xfe]),
        ("iam:ListUsers", b"<html><body>Please sign in</body></html>"),
        ("ec2:DescribeInstances", b"<HTML><BODY/></HTML>"),
        ("ec2:DescribeInstances", b"<Response><Errors><Error><Code>Unavailable</Code></Error></Errors></Response>"),
        ("s3:ListBuckets", b"<html xmlns='http://www.w3.org/1999/xhtml'/>"),
        ("s3:ListBuckets", b"<Error><Code>InternalError</Code></Error>"),
        ("lambda:ListFunctions", b"<html><body>Please sign in</body></html>"),
        ("lambda:ListFunctions", b""),
        ("s3:ListBuckets", b""),
        ("s3:ListBuckets", b"<!DOCTYPE x [<!ENTITY e 'e'>]><x>&e;</x>"),
    ] {
        assert!(read(name, 200, &[], body).is_err(), "{name} {:?}", String::from_utf8_lossy(body));
    }
    let deep = format!("{}{}", "<member>".repeat(5000), "</member>".repeat(5000));
    let _ = read("iam:ListUsers", 200, &[], deep.as_bytes());
}

const ONE_OF_EACH: [&str; 7] = [
    "iam:ListUsers",
    "ec2:DescribeInstances",
    "kms:DescribeKey",
    "lambda:GetFunction",
    "s3:GetBucketAcl",
    "s3:GetObject",
    "glue:GetTables",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_can_break_a_decoder(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for name in ONE_OF_EACH {
            let _ = read(name, 200, &[], &body);
        }
    }

    #[test]
    fn no_markup_can_break_a_decoder(parts in proptest::collection::vec(
        prop_oneof![
            Just("<"), Just(">"), Just("</"), Just("/>"), Just("{"), Just("}"), Just("["), Just("]"), Just(":"), Just(","),
            Just("\"Users\""), Just("ListUsersResult"), Just("member"), Just("Users"), Just("reservationSet"), Just("item"),
            Just("\"Configuration\""), Just("1e999"), Just("null"), Just("<![CDATA["), Just("]]>"), Just("&amp;"), Just(" "),
        ], 0..40)) {
        let body = parts.concat();
        for name in ONE_OF_EACH {
            let _ = read(name, 200, &[], body.as_bytes());
        }
    }
}
