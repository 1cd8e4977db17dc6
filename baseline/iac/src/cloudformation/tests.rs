use super::*;
use crate::resource::{Key, plain};
use crate::source::MemoryFiles;
use serde_json::{Value as Json, json};

const HEAD: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Env: {Type: String, Default: prod}
  Open: {Type: String}
  Size: {Type: Number, Default: 20}
  Nets: {Type: CommaDelimitedList, Default: "a, b,c"}
  One: {Type: String, AllowedValues: [only]}
  Tier: {Type: String, AllowedValues: [gold, silver]}
  Secret: {Type: String, NoEcho: true, Default: hunter2}
  Ami: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/ami}
Mappings:
  M:
    eu-west-1: {ami: ami-1, same: x, list: [p, q]}
    us-east-1: {ami: ami-2, same: x, list: [p, q]}
Conditions:
  Prod: !Equals [!Ref Env, prod]
  Dev: !Not [!Condition Prod]
  Maybe: !Equals [!Ref Open, "yes"]
  Both: !And [!Condition Prod, !Condition Maybe]
  Any: !Or [!Condition Prod, !Condition Maybe]
  Neither: !And [!Condition Dev, !Condition Maybe]
  Bronze: !Equals [!Ref Tier, bronze]
  Loop: !Not [!Condition Loop]
"#;

fn template(properties: &str) -> Reading {
    let text = format!(
        "{HEAD}Resources:\n  B: {{Type: 'AWS::S3::Bucket'}}\n  Gone: {{Type: 'AWS::S3::Bucket', Condition: Dev}}\n  X:\n    Type: AWS::Test::X\n    Properties:\n      {properties}\n"
    );
    read(&MemoryFiles::new([("t.yaml", text)]), "t.yaml")
}

fn find<'r>(reading: &'r Reading, address: &str) -> &'r Code {
    reading.resources.iter().find(|c| &*c.address == address).unwrap_or_else(|| {
        panic!("no {address} in {:?}", reading.resources.iter().map(|c| &c.address).collect::<Vec<_>>())
    })
}

#[track_caller]
fn check(expression: &str, expected: Json) {
    let reading = template(&format!("P: {expression}"));
    let x = find(&reading, "X");
    let found = x.attrs.get("P").map(plain);
    assert_eq!(found, Some(expected), "{expression}\n{:?}", reading.problems);
}

#[track_caller]
fn unknown(expression: &str, describes: &str, kind: &str) {
    let reading = template(&format!("P: {expression}"));
    let x = find(&reading, "X");
    let p = x.attrs.get("P").unwrap();
    assert!(p.is_unknown(), "{expression} is known: {:?}", p.data);
    assert_eq!(p.describe(), describes, "{expression}");
    assert_eq!(p.why().map_or("ref", |w| w.kind.name()), kind, "{expression}");
}

#[test]
fn every_intrinsic_with_known_arguments() {
    check("!Ref Env", json!("prod"));
    check("{Ref: Env}", json!("prod"));
    check("!Ref Size", json!(20));
    check("!Ref Nets", json!(["a", "b", "c"]));
    check("!Ref One", json!("only"));
    check("!Join ['-', [a, !Ref Env, 3, true]]", json!("a-prod-3-true"));
    check("!Join [',', !Ref Nets]", json!("a,b,c"));
    check("!Sub 'x-${Env}-y'", json!("x-prod-y"));
    check("!Sub ['${A}/${!Lit}/${Env}', {A: !Ref Size}]", json!("20/${Lit}/prod"));
    check("!Select [1, !Ref Nets]", json!("b"));
    check("!Select ['0', [p, q]]", json!("p"));
    check("!Split ['.', 'a.b.c']", json!(["a", "b", "c"]));
    check("!Select [2, !Split ['.', 'a.b.c']]", json!("c"));
    check("!FindInMap [M, eu-west-1, ami]", json!("ami-1"));
    check("!FindInMap [M, eu-west-1, list]", json!(["p", "q"]));
    check("!FindInMap [M, nowhere, ami, {DefaultValue: none}]", json!("none"));
    check("!FindInMap [M, !Ref 'AWS::Region', same]", json!("x"));
    check("!If [Prod, 1, 2]", json!(1));
    check("!If [Dev, 1, 2]", json!(2));
    check("!If [Maybe, 7, 7]", json!(7));
    check("!If [Both, 1, 1]", json!(1));
    check("!If [Any, 1, 2]", json!(1));
    check("!If [Neither, 1, 2]", json!(2));
    check("!If [Bronze, 1, 2]", json!(2));
    check("!Base64 'hello'", json!("aGVsbG8="));
    check("!Base64 {'Fn::Sub': '${Env}'}", json!("cHJvZA=="));
    check("!Cidr ['10.0.0.0/24', 2, 5]", json!(["10.0.0.0/27", "10.0.0.32/27"]));
    check("!Select [1, !Cidr ['2001:db8::/56', 2, 64]]", json!("2001:db8:0:1::/64"));
    check("{'Fn::Length': [1, 2, 3]}", json!(3));
    check("{'Fn::Length': !Ref Nets}", json!(3));
    check("{'Fn::ToJsonString': {a: [1, !Ref Env]}}", json!("{\"a\":[1,\"prod\"]}"));
    check("[1, !Ref 'AWS::NoValue', 2]", json!([1, 2]));
    check("{a: !Ref 'AWS::NoValue', b: 1}", json!({"b": 1}));
    check("{a: !If [Dev, 1, !Ref 'AWS::NoValue'], b: 1}", json!({"b": 1}));
    check(
        "!If [Maybe, {a: 1, b: 2}, {a: 1, b: 3}]",
        json!({"a": 1, "b": {"unknown": "condition Maybe, which depends on Open"}}),
    );
    check("!Equals [!Ref Env, prod]", json!(true));
    check("2012-10-17", json!("2012-10-17"));
    check("012345678901", json!("012345678901"));
    check("yes", json!(true));
    check("'yes'", json!("yes"));
    check("{'80': x}", json!({"80": "x"}));
    check("!Ref Secret", json!("(sensitive)"));
}

#[test]
fn what_is_not_known_says_why() {
    unknown("!Ref Open", "Open", "input");
    unknown("!Ref AWS::Region", "AWS::Region", "lookup");
    unknown("!Ref Ami", "Ami", "lookup");
    unknown("!Ref Nothing", "Nothing", "error");
    unknown("!Ref Gone", "Gone", "error");
    unknown("!Ref B", "B", "ref");
    unknown("!GetAtt B.Arn", "B.Arn", "ref");
    unknown("!GetAtt [B, Arn]", "B.Arn", "ref");
    unknown("!Sub '${B.Arn}/*'", "${B.Arn}/*", "ref");
    unknown("!Sub 'arn:${AWS::Partition}:s3:::x'", "arn:${AWS::Partition}:s3:::x", "lookup");
    unknown("!Join ['', ['arn:', !Ref 'AWS::Partition', ':s3:::x']]", "arn:${AWS::Partition}:s3:::x", "lookup");
    unknown("!GetAZs ''", "Fn::GetAZs", "lookup");
    unknown("!Select [0, !GetAZs '']", "Fn::Select(Fn::GetAZs)", "lookup");
    unknown("!ImportValue vpc-id", "Fn::ImportValue vpc-id", "lookup");
    unknown("!ImportValue {'Fn::Sub': '${Env}-vpc'}", "Fn::ImportValue prod-vpc", "lookup");
    unknown("!FindInMap [M, !Ref 'AWS::Region', ami]", "Fn::FindInMap(AWS::Region)", "lookup");
    unknown("!FindInMap [M, eu-west-1, nope]", "M.eu-west-1.nope", "error");
    unknown("!If [Maybe, 1, 2]", "condition Maybe, which depends on Open", "repeat");
    unknown("!If [Loop, 1, 2]", "condition Loop, which depends on itself", "repeat");
    unknown("{'Fn::Transform': {Name: Mine}}", "Mine", "function");
    unknown("{'Fn::Whatever': 1}", "Fn::Whatever", "function");
    unknown("!Split [',', !Ref B]", "Fn::Split(B)", "apply");
    unknown("!Join [x]", "Fn::Join", "error");
    unknown("!Cidr ['10.0.0.0/24', 9, 6]", "Fn::Cidr", "error");
    unknown(
        "'{{resolve:secretsmanager:db:SecretString:password}}'",
        "{{resolve:secretsmanager:db:SecretString:password}}",
        "lookup",
    );
    unknown(
        "!Sub '{{resolve:secretsmanager:${B}:SecretString:p}}'",
        "{{resolve:secretsmanager:${B}:SecretString:p}}",
        "lookup",
    );
}

#[test]
fn conditions_decide_presence_and_references_keep_their_edges() {
    let reading = template("P: !Sub 'x${B.Arn}'");
    assert!(reading.resources.iter().all(|c| &*c.address != "Gone"));
    let mut edges = Vec::new();
    find(&reading, "X").attrs.edges(&mut |path, edge, _| edges.push(format!("{path}={}.{}", edge.address, edge.path)));
    assert_eq!(edges, ["P=B.Arn"]);
    let reading = template("P: !Sub '{{resolve:secretsmanager:${B}}}'");
    assert_eq!(find(&reading, "X").attrs.get("P").unwrap().edge().unwrap().address.as_ref(), "B");
}

#[test]
fn fields_know_where_they_stand_and_what_they_went_through() {
    let reading = template("P: !Ref Env");
    let p = find(&reading, "X").attrs.get("P").unwrap().clone();
    assert_eq!(reading.sources.text(p.span), "!Ref Env");
    assert_eq!(reading.sources.text(p.origin()), "prod");
    assert_eq!(reading.sources.place(p.origin()).line, 4);
    let json = r#"{"Resources": {"A": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "née"}}}}"#;
    let reading = read(&MemoryFiles::new([("t.json", json)]), "t.json");
    let name = find(&reading, "A").attrs.get("BucketName").unwrap();
    assert_eq!(
        (reading.sources.text(name.span), reading.sources.place(name.span).column),
        ("\"née\"", 1 + json.find("\"née").unwrap() as u32)
    );
}

#[test]
fn loops_make_resources_and_properties() {
    let text = r#"
Transform: AWS::LanguageExtensions
Parameters:
  Names: {Type: CommaDelimitedList, Default: "a,b"}
  More: {Type: CommaDelimitedList}
Resources:
  'Fn::ForEach::Buckets':
    - Name
    - !Ref Names
    - 'Bucket${Name}':
        Type: AWS::S3::Bucket
        Properties:
          BucketName: !Sub '${Name}-logs'
          Other: !Ref Name
          'Fn::ForEach::Props':
            - Key
            - [X, Y]
            - '${Key}Prop': !Ref Key
  'Fn::ForEach::Open':
    - N
    - !Ref More
    - 'Topic${N}': {Type: 'AWS::SNS::Topic'}
Outputs:
  'Fn::ForEach::O': [Name, !Ref Names, {'Out${Name}': {Value: !Ref 'Bucket${Name}'}}]
"#;
    let reading = read(&MemoryFiles::new([("t.yaml", text)]), "t.yaml");
    let names: Vec<&str> = reading.resources.iter().map(|c| &*c.address).collect();
    assert_eq!(names, ["Bucketa", "Bucketb", "Topic*"]);
    assert_eq!(
        plain(&find(&reading, "Bucketa").attrs),
        json!({"BucketName": "a-logs", "Other": "a", "XProp": "X", "YProp": "Y"})
    );
    assert_eq!(find(&reading, "Topic*").key, Key::Any);
    assert_eq!(find(&reading, "Bucketb").key, Key::Name("b".into()));
}

#[test]
fn nested_stacks_on_disk_are_expanded_with_their_arguments() {
    let root = r#"
Parameters: {Env: {Type: String, Default: prod}}
Resources:
  Net:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: !Sub 'https://${AWS::Region}.example/templates/net.yaml'
      Parameters: {Name: !Ref Env, Key: !Ref K}
  K: {Type: 'AWS::KMS::Key'}
  X: {Type: 'AWS::Test::X', Properties: {Id: !GetAtt Net.Outputs.Id, Lit: !GetAtt Net.Outputs.Lit}}
  Away: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: 'https://s3/none.yaml'}}
  Y: {Type: 'AWS::Test::X', Properties: {Id: !GetAtt Away.Outputs.Id}}
"#;
    let net = r#"
Parameters: {Name: {Type: String}, Key: {Type: String}}
Resources:
  V: {Type: 'AWS::EC2::VPC', Properties: {N: !Ref Name, K: !Ref Key}}
Outputs: {Id: {Value: !Ref V}, Lit: {Value: !Sub '${Name}-1'}}
"#;
    let files = MemoryFiles::new([("infra/main.yaml", root), ("infra/templates/net.yaml", net)]);
    let mut reading = Reading::default();
    let nested = read_into(&files, "infra/main.yaml", &mut reading);
    assert!(nested.contains("infra/templates/net.yaml"));
    let v = find(&reading, "Net/V");
    assert_eq!(plain(v.attrs.get("N").unwrap()), json!("prod"));
    assert_eq!(&*v.attrs.get("K").unwrap().edge().unwrap().address, "K");
    assert_eq!((v.module.len(), &*v.module[0].address, &*v.root), (1, "Net", "infra/main.yaml"));
    let x = find(&reading, "X");
    assert_eq!(&*x.attrs.get("Id").unwrap().edge().unwrap().address, "Net/V");
    assert_eq!(plain(x.attrs.get("Lit").unwrap()), json!("prod-1"));
    assert_eq!(find(&reading, "Y").attrs.get("Id").unwrap().why().unwrap().kind.name(), "module");
    assert_eq!(reading.problems.len(), 1, "{:?}", reading.problems);
}

#[test]
fn serverless_resources_become_what_they_stand_for() {
    let text = r#"
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.12, Timeout: 5, Environment: {Variables: {A: 1}}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      CodeUri: ./src
      Tracing: Active
      Environment: {Variables: {B: 2}}
      FunctionUrlConfig: {AuthType: NONE}
      Policies: [AmazonS3ReadOnlyAccess, {Statement: [{Effect: Allow, Action: 's3:*', Resource: '*'}]}, {S3ReadPolicy: {BucketName: x}}]
      Tags: {team: x}
      Events:
        Get: {Type: Api, Properties: {Path: /, Method: get}}
        Put: {Type: Api, Properties: {Path: /, Method: put}}
        Q: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, BatchSize: 3}}
        T: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Queue: {Type: 'AWS::SQS::Queue'}
  T: {Type: 'AWS::Serverless::SimpleTable', Properties: {SSESpecification: {SSEEnabled: true}}}
  A: {Type: 'AWS::Serverless::Api', Properties: {StageName: prod, EndpointConfiguration: REGIONAL, TracingEnabled: true}}
  H: {Type: 'AWS::Serverless::HttpApi'}
  L: {Type: 'AWS::Serverless::LayerVersion', Properties: {ContentUri: ./l}}
  S: {Type: 'AWS::Serverless::StateMachine', Properties: {DefinitionUri: s.json, Logging: {Level: ALL}}}
  G: {Type: 'AWS::Serverless::Function', Properties: {Role: arn:x, InlineCode: x}}
Outputs: {Api: {Value: !Ref ServerlessRestApi}}
"#;
    let reading = read(&MemoryFiles::new([("t.yaml", text)]), "t.yaml");
    let bare = text.replace("Transform: AWS::Serverless-2016-10-31\n", "");
    let bare = read(&MemoryFiles::new([("t.yaml", bare.as_str())]), "t.yaml");
    assert_eq!(bare.resources.len(), reading.resources.len(), "its resources say that it is serverless");
    assert_eq!(find(&reading, "AprodStage").written.as_deref(), Some("A"));
    assert_eq!(find(&reading, "A").written, None);
    let mut names: Vec<String> = reading.resources.iter().map(|c| format!("{} {}", c.address, c.type_)).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "A AWS::ApiGateway::RestApi",
            "AprodStage AWS::ApiGateway::Stage",
            "F AWS::Lambda::Function",
            "FGetPermissionProd AWS::Lambda::Permission",
            "FPutPermissionProd AWS::Lambda::Permission",
            "FQ AWS::Lambda::EventSourceMapping",
            "FRole AWS::IAM::Role",
            "FT AWS::Events::Rule",
            "FTPermission AWS::Lambda::Permission",
            "FUrl AWS::Lambda::Url",
            "FUrlPublicPermissions AWS::Lambda::Permission",
            "G AWS::Lambda::Function",
            "H AWS::ApiGatewayV2::Api",
            "HApiGatewayDefaultStage AWS::ApiGatewayV2::Stage",
            "L AWS::Lambda::LayerVersion",
            "Queue AWS::SQS::Queue",
            "S AWS::StepFunctions::StateMachine",
            "SRole AWS::IAM::Role",
            "ServerlessRestApi AWS::ApiGateway::RestApi",
            "ServerlessRestApiProdStage AWS::ApiGateway::Stage",
            "T AWS::DynamoDB::Table",
        ]
    );
    let f = plain(&find(&reading, "F").attrs);
    assert_eq!(f["Environment"]["Variables"], json!({"A": 1, "B": 2}));
    assert_eq!((&f["Runtime"], &f["TracingConfig"]), (&json!("python3.12"), &json!({"Mode": "Active"})));
    assert_eq!(f["Tags"], json!([{"Key": "team", "Value": "x"}]));
    let role = plain(&find(&reading, "FRole").attrs);
    assert_eq!(role["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"], json!("s3:*"));
    assert_eq!(role["ManagedPolicyArns"].as_array().unwrap().len(), 3);
    assert_eq!(plain(&find(&reading, "T").attrs)["BillingMode"], json!("PAY_PER_REQUEST"));
}

/// P02: what a template leaves to the account is told, and what the CDK puts beside it is read.
#[test]
fn what_the_account_adds_is_told_and_assets_are_read() {
    let text = r#"
Transform: [AWS::LanguageExtensions, Mine]
Resources:
  M: {Type: 'My::Org::Thing::MODULE'}
  R:
    Type: AWS::Serverless::Application
    Properties: {Location: {ApplicationId: 'arn:x', SemanticVersion: 1.0.0}}
  N:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: !Sub 'https://s3.${AWS::URLSuffix}/assets/1.json'}
    Metadata: {'aws:asset:path': N.nested.template.json, 'aws:asset:property': TemplateURL}
"#;
    let files = MemoryFiles::new([
        ("t.yaml", text),
        ("N.nested.template.json", r#"{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}"#),
    ]);
    let reading = crate::templates::read(&files);
    let addresses: Vec<&str> = reading.resources.iter().map(|c| &*c.address).collect();
    assert_eq!(addresses.iter().filter(|a| **a == "N/Q").count(), 1, "{addresses:?}");
    assert!(!addresses.contains(&"Q"), "{addresses:?}");
    let told: Vec<&str> = reading.problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "the changes that the macro Mine makes are not read: it runs in the account",
            "the module `My::Org::Thing::MODULE` is not in the repository: it is registered in the account",
            "application R of the Serverless Application Repository is not in the repository",
        ]
    );
}

/// What the transform adds by itself: compared with the output of its official implementation.
#[test]
fn serverless_events_bring_apis_stages_roles_and_narrow_permissions() {
    let text = r#"
Transform: AWS::Serverless-2016-10-31
Globals:
  Api: {TracingEnabled: true, AccessLogSetting: {DestinationArn: arn:logs}}
  HttpApi: {AccessLogSettings: {DestinationArn: arn:logs}}
Resources:
  Bucket: {Type: 'AWS::S3::Bucket'}
  A:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
      - S3ReadPolicy: {BucketName: nw-data}
      - SQSPollerPolicy: {QueueName: !GetAtt Queue.QueueName}
      - NoSuchPolicy: {}
      Events:
        Get: {Type: Api, Properties: {Path: /, Method: get}}
        Web: {Type: HttpApi}
        Day: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
        New: {Type: S3, Properties: {Bucket: !Ref Bucket}}
        Log: {Type: CloudWatchLogs, Properties: {LogGroupName: app}}
  B: {Type: 'AWS::Serverless::Function', Properties: {Events: {Put: {Type: Api, Properties: {Path: /, Method: put}}}}}
  M: {Type: 'AWS::Serverless::StateMachine', Properties: {Role: arn:x, Events: {Day: {Type: Schedule, Properties: {Schedule: rate(1 day)}}}}}
  Queue: {Type: 'AWS::SQS::Queue'}
"#;
    let reading = read(&MemoryFiles::new([("t.yaml", text)]), "t.yaml");
    let of = |address: &str| plain(&find(&reading, address).attrs);
    let stage = of("ServerlessRestApiProdStage");
    assert_eq!((&stage["TracingEnabled"], &stage["StageName"]), (&json!(true), &json!("Prod")));
    assert_eq!(stage["AccessLogSetting"]["DestinationArn"], json!("arn:logs"));
    assert_eq!(of("ServerlessHttpApiApiGatewayDefaultStage")["AccessLogSettings"]["DestinationArn"], json!("arn:logs"));
    let made = |type_: &str| reading.resources.iter().filter(|c| &*c.type_ == type_).count();
    assert_eq!((made("AWS::ApiGateway::RestApi"), made("AWS::ApiGateway::Stage")), (1, 1));
    for (permission, narrowed_by) in [
        ("AGetPermissionProd", "SourceArn"),
        ("BPutPermissionProd", "SourceArn"),
        ("AWebPermission", "SourceArn"),
        ("ADayPermission", "SourceArn"),
        ("ALogPermission", "SourceArn"),
        ("ANewPermission", "SourceAccount"),
    ] {
        assert!(find(&reading, permission).attrs.get(narrowed_by).is_some(), "{permission}");
    }
    let policies = &of("ARole")["Policies"];
    let read_only = &policies[0]["PolicyDocument"]["Statement"][0];
    assert_eq!(read_only["Action"][0], json!("s3:GetObject"));
    assert!(read_only["Resource"].to_string().contains("nw-data"), "{read_only}");
    assert!(policies[1]["PolicyDocument"]["Statement"][0]["Action"].to_string().contains("sqs:ReceiveMessage"));
    assert!(find(&reading, "ARole").attrs.at("Policies[2].PolicyDocument").is_some_and(crate::Val::is_unknown));
    let start = &of("MDayRole")["Policies"][0]["PolicyDocument"]["Statement"][0];
    assert_eq!(start["Action"], json!("states:StartExecution"));
    assert_eq!(of("MDay")["ScheduleExpression"], json!("rate(1 day)"));
}

#[test]
fn skips_in_comments_and_metadata_belong_to_their_resource() {
    let text = "Resources:\n  # checkov:skip=CKV_1:above\n  A:\n    Type: AWS::S3::Bucket # plumb:skip=aws.s3.bucket.logging site\n    Properties:\n      # trivy:ignore:AVD-1\n      X: 1\n  B:\n    Type: AWS::S3::Bucket\n    Metadata:\n      checkov: {skip: [{id: CKV_2, comment: why}]}\n      cfn_nag: {rules_to_suppress: [{id: W35, reason: fine}]}\n      cfn-lint: {config: {ignore_checks: [E1]}}\n";
    let reading = read(&MemoryFiles::new([("t.yaml", text)]), "t.yaml");
    let ids = |address: &str| -> Vec<String> {
        let code = find(&reading, address);
        code.skips.iter().map(|s| format!("{}:{}:{}", s.tool, s.ids[0], s.reason)).collect()
    };
    assert_eq!(ids("A"), ["checkov:CKV_1:above", "plumb:aws.s3.bucket.logging:site", "trivy:AVD-1:"]);
    assert_eq!(ids("B"), ["checkov:CKV_2:why", "cfn-nag:W35:fine", "cfn-lint:E1:"]);
}

#[test]
fn broken_text_keeps_what_was_whole_and_shows_where() {
    let json = r#"{"Resources": {"A": {"Type": "AWS::S3::Bucket"}, "B": {"Type": "AWS::S3::Bucket", "Properties": {"#;
    let yaml = "Resources:\n  A:\n    Type: AWS::S3::Bucket\n  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      X: [1, 2\n      Y: 'open\n";
    for (path, text) in [("t.json", json), ("t.yaml", yaml)] {
        let reading = read(&MemoryFiles::new([(path, text)]), path);
        let names: Vec<&str> = reading.resources.iter().map(|c| &*c.address).collect();
        assert_eq!(names, ["A"], "{path}");
        assert_eq!(reading.problems.len(), 1, "{path}: {:?}", reading.problems);
        assert!(reading.problems[0].frame.contains(path));
    }
}

#[test]
fn bombs_end() {
    let mut aliases = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for i in 1..12 {
        let items = vec![format!("*a{}", i - 1); 9].join(",");
        aliases.push_str(&format!("a{i}: &a{i} [{items}]\n"));
    }
    aliases.push_str("Resources: {A: {Type: 'AWS::S3::Bucket'}}\n");
    assert!(!read(&MemoryFiles::new([("t.yaml", aliases)]), "t.yaml").problems.is_empty());
    let deep = format!("{{\"Resources\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(!read(&MemoryFiles::new([("t.json", deep)]), "t.json").problems.is_empty());
    let list = vec!["a"; 400].join(",");
    let loops = format!(
        "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::A:\n  - A\n  - [{list}]\n  - Fn::ForEach::B:\n    - B\n    - [{list}]\n    - Fn::ForEach::C:\n      - C\n      - [{list}]\n      - 'R${{A}}${{B}}${{C}}': {{Type: 'AWS::S3::Bucket'}}\n"
    );
    let reading = read(&MemoryFiles::new([("t.yaml", loops)]), "t.yaml");
    assert!(reading.resources.len() <= MAX_RESOURCES && !reading.problems.is_empty());
    let own = "Resources: {S: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: t.yaml}}}";
    assert_eq!(read(&MemoryFiles::new([("t.yaml", own)]), "t.yaml").problems.len(), 1);
}
