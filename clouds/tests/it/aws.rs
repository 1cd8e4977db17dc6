//! The client against a scripted server: paging, retries, classes of answers.

use crate::server::{Request, Say, Server};
use plumb_clouds::{
    Answer, Budgets, Call, Quota, Scope, Share, Target, Wire,
    aws::{AssumeRole, Client, Config, Endpoints, Session},
    http,
};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const ACCOUNT: &str = "123456789012";

fn config(url: &str) -> Config {
    Config {
        http: http::Options {
            connect_timeout: Duration::from_millis(500),
            read_timeout: Duration::from_millis(500),
            ..http::Options::default()
        },
        endpoints: Endpoints { everywhere: Some(url.to_owned()), ..Endpoints::default() },
        budgets: Arc::new(Budgets::new(Share::Unlimited, 1)),
        service_deadline: Duration::from_secs(20),
        ..Config::default()
    }
}

fn client_of(config: Config) -> Client {
    let client = Client::new(config).expect("the committed table");
    client.enter(ACCOUNT.into(), Session::fixed("AKIDEXAMPLE", "secret-key", Some("secret-token")), "eu-west-1");
    client
}

fn client(url: &str) -> Client {
    client_of(config(url))
}

fn here() -> Target {
    Target::new(ACCOUNT, "eu-west-1")
}

fn call(name: &str, params: Value) -> Call {
    let (service, operation) = name.split_once(':').expect("service:Operation");
    Call::new(service, operation, params)
}

/// One call against one script: what the client answered, and what the server saw.
async fn ask(
    name: &str,
    params: Value,
    script: impl Fn(usize, &Request) -> Say + Send + Sync + 'static,
) -> (Answer, Vec<Request>) {
    let server = Server::start(script).await;
    let answer = client(&server.url).send(&here(), &call(name, params)).await;
    (answer, server.requests())
}

#[tokio::test]
async fn pages_are_followed_by_the_model() {
    let server = Server::start(|number, request| {
        let body: Value = serde_json::from_str(&request.body).expect("json");
        assert_eq!(body["MaxResults"], 2);
        match number {
            0 => {
                assert!(body.get("NextToken").is_none());
                Say::ok(r#"{"QueueUrls":["a","b"],"NextToken":"t1"}"#)
            }
            1 => {
                assert_eq!(body["NextToken"], "t1");
                Say::ok(r#"{"QueueUrls":["c"]}"#)
            }
            _ => Say::error(500, ""),
        }
    })
    .await;
    let call = Call { page_size: Some(2), ..call("sqs:ListQueues", json!({})) };
    let (pages, end) = client(&server.url).all(&here(), &call).await;
    assert_eq!(pages, [json!({"QueueUrls": ["a", "b"], "NextToken": "t1"}), json!({"QueueUrls": ["c"]})]);
    assert_eq!(end, None);
}

#[tokio::test]
async fn a_token_that_repeats_is_a_truncated_list() {
    let server = Server::start(|_, _| Say::ok(r#"{"QueueUrls":["a"],"NextToken":"same"}"#)).await;
    let (pages, end) = client(&server.url).all(&here(), &call("sqs:ListQueues", json!({}))).await;
    assert_eq!(pages.len(), 2);
    assert!(matches!(end, Some(Answer::Truncated { .. })), "{end:?}");
}

#[tokio::test]
async fn a_cap_on_pages_is_a_truncated_list() {
    let server = Server::start(|number, _| Say::ok(format!(r#"{{"QueueUrls":["a"],"NextToken":"t{number}"}}"#))).await;
    let capped = Call { max_pages: Some(3), ..call("sqs:ListQueues", json!({})) };
    let (pages, end) = client(&server.url).all(&here(), &capped).await;
    assert_eq!((pages.len(), server.requests().len()), (3, 3));
    assert!(matches!(end, Some(Answer::Truncated { .. })), "{end:?}");
}

#[tokio::test]
async fn a_list_denied_halfway_says_so() {
    let server = Server::start(|number, _| match number {
        0 => Say::ok(r#"{"QueueUrls":["a"],"NextToken":"t"}"#),
        _ => Say::error(403, r#"{"__type":"AccessDeniedException","message":"no"}"#),
    })
    .await;
    let (pages, end) = client(&server.url).all(&here(), &call("sqs:ListQueues", json!({}))).await;
    assert_eq!(pages.len(), 1);
    let denied = Answer::Denied {
        permission: "sqs:ListQueues".into(),
        code: "AccessDeniedException".into(),
        message: "no".into(),
    };
    assert_eq!(end, Some(denied));
}

#[tokio::test]
async fn throttling_waits_as_long_as_it_is_told_and_is_counted() {
    let server = Server::start(|number, _| match number {
        0 => Say::Reply(
            400,
            vec![("retry-after", "1".into())],
            r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#.into(),
        ),
        _ => Say::ok(r#"{"Keys":[]}"#),
    })
    .await;
    let client = client(&server.url);
    let start = Instant::now();
    let answer = client.send(&here(), &call("kms:ListKeys", json!({}))).await;
    assert_eq!(answer, Answer::Page { page: json!({"Keys": []}) });
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    let counters = client.budgets().counters()["kms"];
    assert_eq!((counters.calls, counters.retries, counters.throttles), (2, 1, 1));
    let bodies = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#.len() + r#"{"Keys":[]}"#.len();
    assert_eq!(counters.bytes, bodies as u64);
}

#[tokio::test]
async fn endless_throttling_is_throttled_out_in_time() {
    let server = Server::start(|_, _| Say::error(400, r#"{"__type":"ThrottlingException"}"#)).await;
    let client = client_of(Config { service_deadline: Duration::from_secs(1), ..config(&server.url) });
    let start = Instant::now();
    let answer = client.send(&here(), &call("kms:ListKeys", json!({}))).await;
    assert!(matches!(answer, Answer::ThrottledOut { .. }), "{answer:?}");
    // What comes after the deadline is answered without asking.
    let asked = server.requests().len();
    let answer = client.send(&here(), &call("kms:ListAliases", json!({}))).await;
    assert!(matches!(answer, Answer::ThrottledOut { .. }), "{answer:?}");
    assert_eq!(server.requests().len(), asked);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_call_that_is_throttled_while_others_get_through_is_not_given_up_as_soon() {
    const TOO_FAST: &str = r#"{"__type":"ThrottlingException"}"#;
    // Throttles of the call, whether others are answered in between; what is sent, and whether it ends well.
    for (throttles, others, sent, well) in [(3, true, 4, true), (9, true, 4, false), (3, false, 2, false)] {
        let budgets = Arc::new(Budgets::new(Share::Unlimited, 1));
        let (shared, config) = (budgets.clone(), |url: &str| Config { attempts: 2, budgets, ..config(url) });
        let server = Server::start(move |number, _| {
            if others {
                let scope = Scope { account: ACCOUNT.into(), region: "eu-west-1".into(), service: "kms".into() };
                shared.answered(&scope, Quota { per_second: 1.0, burst: 1.0 });
            }
            if number < throttles { Say::error(400, TOO_FAST) } else { Say::ok(r#"{"Keys":[]}"#) }
        })
        .await;
        let answer = client_of(config(&server.url)).send(&here(), &call("kms:ListKeys", json!({}))).await;
        assert_eq!(server.requests().len(), sent, "{throttles} throttles, others {others}: {answer:?}");
        assert_eq!(matches!(answer, Answer::Page { .. }), well, "{throttles} throttles, others {others}: {answer:?}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_permission() {
    let (answer, _) = ask("s3:GetPublicAccessBlock", json!({"Bucket": "b"}), |_, _| {
        Say::error(403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
    })
    .await;
    let denied = Answer::Denied {
        permission: "s3:GetBucketPublicAccessBlock".into(),
        code: "AccessDenied".into(),
        message: "Access Denied".into(),
    };
    assert_eq!(answer, denied);
    let unknown = answer.unknown("s3:GetPublicAccessBlock").expect("a gap");
    assert_eq!(unknown.describe(), "needs s3:GetBucketPublicAccessBlock (Access Denied)");
}

#[tokio::test]
async fn absent_and_gone_are_what_the_caller_declared() {
    let script = |_: usize, request: &Request| {
        let code = if request.path.starts_with("/missing") { "NoSuchBucket" } else { "NoSuchBucketPolicy" };
        Say::error(404, format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
    };
    let server = Server::start(script).await;
    let client = client(&server.url);
    let policy = |bucket: &str| Call {
        absent: vec!["NoSuchBucketPolicy".into()],
        gone: vec!["NoSuchBucket".into()],
        ..call("s3:GetBucketPolicy", json!({"Bucket": bucket}))
    };
    let absent = client.send(&here(), &policy("there")).await;
    assert_eq!(absent, Answer::Absent { code: "NoSuchBucketPolicy".into() });
    let gone = client.send(&here(), &policy("missing")).await;
    assert_eq!(gone, Answer::Gone { code: "NoSuchBucket".into() });
    let undeclared = client.send(&here(), &call("s3:GetBucketPolicy", json!({"Bucket": "there"}))).await;
    assert!(matches!(undeclared, Answer::Broken { .. }), "{undeclared:?}");
}

#[tokio::test]
async fn broken_bodies_are_broken_answers() {
    for (name, params, body) in [
        ("kms:ListKeys", json!({}), "{\"Keys\": ["),
        ("kms:ListKeys", json!({}), "[]"),
        ("kms:ListKeys", json!({}), ""),
        ("kms:ListKeys", json!({}), r#"{"Keys": "none"}"#),
        ("iam:ListUsers", json!({}), "<ListUsersResponse><ListUsersResult>"),
        ("s3:ListBuckets", json!({}), "<!DOCTYPE x [<!ENTITY a \"b\">]><x>&a;</x>"),
        ("lambda:ListFunctions", json!({}), "<html></html>"),
    ] {
        let server = Server::start(move |_, _| Say::ok(body)).await;
        let client = client_of(Config { attempts: 2, ..config(&server.url) });
        let answer = client.send(&here(), &call(name, params)).await;
        assert!(matches!(&answer, Answer::Broken { code, .. } if code == "malformed"), "{name} {body:?}: {answer:?}");
        assert_eq!(server.requests().len(), 2, "{name} {body:?} is worth one retry");
    }
}

#[tokio::test]
async fn a_body_cut_short_is_asked_for_again() {
    let server = Server::start(|number, _| match number {
        0 => Say::CutShort("{\"Keys\"".into()),
        _ => Say::ok(r#"{"Keys":[]}"#),
    })
    .await;
    let client = client(&server.url);
    let answer = client.send(&here(), &call("kms:ListKeys", json!({}))).await;
    assert_eq!(answer, Answer::Page { page: json!({"Keys": []}) });
    let server = Server::start(|_, _| Say::CutShort("{\"Keys\"".into())).await;
    let client = client_of(Config { attempts: 2, ..config(&server.url) });
    let answer = client.send(&here(), &call("kms:ListKeys", json!({}))).await;
    assert!(matches!(&answer, Answer::Broken { code, .. } if code == "connection"), "{answer:?}");
}

#[tokio::test]
async fn a_region_nobody_answers_in_is_given_up() {
    // A port that was free a moment ago refuses.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let client = client(&url);
    for name in ["kms:ListKeys", "sqs:ListQueues", "sns:ListTopics"] {
        let answer = client.send(&here(), &call(name, json!({}))).await;
        assert!(matches!(&answer, Answer::Disabled { code, .. } if code == "unreachable"), "{name}: {answer:?}");
    }
    let calls = client.budgets().counters().values().map(|counters| counters.calls).sum::<u64>();
    assert_eq!(calls, 6, "each service is tried twice");
    let answer = client.send(&here(), &call("ecs:ListClusters", json!({}))).await;
    assert!(matches!(answer, Answer::Disabled { .. }), "{answer:?}");
    assert!(!client.budgets().counters().contains_key("ecs"), "the region is not asked again");
    // The next scan begins without prejudice.
    client.next_scan().send(&here(), &call("ecs:ListClusters", json!({}))).await;
    assert!(client.budgets().counters().contains_key("ecs"));
}

#[tokio::test]
async fn a_service_that_is_not_in_the_region_is_no_gap() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let server = Server::start(|_, _| Say::ok(r#"{"Keys":[]}"#)).await;
    let mut config = config(&server.url);
    for service in ["KENDRA", "ECS"] {
        config.endpoints.by_service.insert(service.into(), nobody.clone());
    }
    let client = client_of(config);
    let at = |region: &str| Target::new(ACCOUNT, region);
    let (kendra, ecs, kms) = ("kendra:ListIndices", "ecs:ListClusters", "kms:ListKeys");
    // Nobody answered there yet: the region itself may be out of reach.
    let answer = client.send(&at("eu-north-1"), &call(kendra, json!({}))).await;
    assert!(matches!(answer, Answer::Disabled { .. }), "{answer:?}");
    // It should be in this region, and this one should be in that.
    for (name, region, fact) in [(kendra, "eu-west-1", false), (ecs, "eu-south-1", false), (kendra, "eu-south-1", true)]
    {
        client.send(&at(region), &call(kms, json!({}))).await;
        for _ in 0..2 {
            let answer = client.send(&at(region), &call(name, json!({}))).await;
            assert_eq!(answer.unknown(name).is_none(), fact, "{name} in {region}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_not_for_long() {
    let server = Server::start(|_, _| Say::Nothing).await;
    let start = Instant::now();
    let answer = client(&server.url).send(&here(), &call("kms:ListKeys", json!({}))).await;
    assert!(matches!(&answer, Answer::Broken { code, .. } if code == "timeout"), "{answer:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn one_slow_call_does_not_close_a_service_and_three_do() {
    let server = Server::start(|_, request| {
        if request.header("x-amz-target").ends_with("ListKeys") { Say::Nothing } else { Say::ok(r#"{"Aliases":[]}"#) }
    })
    .await;
    let mut quick = config(&server.url);
    quick.http.read_timeout = Duration::from_millis(50);
    let client = client_of(quick);
    let (slow, fine) = (call("kms:ListKeys", json!({})), call("kms:ListAliases", json!({})));
    for _ in 0..3 {
        let answer = client.send(&here(), &slow).await;
        assert!(matches!(&answer, Answer::Broken { code, .. } if code == "timeout"), "{answer:?}");
        let answer = client.send(&here(), &fine).await;
        assert!(matches!(answer, Answer::Page { .. }), "{answer:?}");
    }
    for _ in 0..3 {
        client.send(&here(), &slow).await;
    }
    let answer = client.send(&here(), &fine).await;
    assert!(matches!(&answer, Answer::Disabled { code, .. } if code == "unreachable"), "{answer:?}");
}

#[tokio::test]
async fn failures_of_the_provider_are_retried() {
    let server = Server::start(|number, _| match number {
        0 => Say::error(503, ""),
        1 => Say::error(500, r#"{"__type":"InternalFailure"}"#),
        _ => Say::ok(r#"{"Keys":[]}"#),
    })
    .await;
    let answer = client(&server.url).send(&here(), &call("kms:ListKeys", json!({}))).await;
    assert!(matches!(answer, Answer::Page { .. }), "{answer:?}");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn requests_are_signed_for_service_and_region() {
    let (_, seen) = ask("elbv2:DescribeLoadBalancers", json!({}), |_, _| {
        Say::ok("<DescribeLoadBalancersResponse><DescribeLoadBalancersResult/></DescribeLoadBalancersResponse>")
    })
    .await;
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/"));
    let authorization = seen[0].header("authorization");
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
    assert!(authorization.contains("/eu-west-1/elasticloadbalancing/aws4_request"), "{authorization}");
    assert_eq!(seen[0].header("x-amz-security-token"), "secret-token");
    let (_, seen) = ask("iam:ListUsers", json!({}), |_, _| Say::error(400, "<Error/>")).await;
    assert!(seen[0].header("authorization").contains("/us-east-1/iam/aws4_request"));
    let (_, seen) = ask("s3control:GetPublicAccessBlock", json!({"AccountId": ACCOUNT}), |_, _| {
        Say::error(404, "<Error><Code>NoSuchPublicAccessBlockConfiguration</Code></Error>")
    })
    .await;
    assert_eq!(seen[0].header("x-amz-account-id"), ACCOUNT);
    assert!(seen[0].header("host").starts_with("127.0.0.1:"));
    assert!(seen[0].header("authorization").contains("/eu-west-1/s3/aws4_request"));
}

#[tokio::test]
async fn expired_keys_cannot_be_renewed_and_roles_can() {
    let expired =
        r#"{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}"#;
    let (answer, seen) = ask("kms:ListKeys", json!({}), move |_, _| Say::error(400, expired)).await;
    assert!(matches!(&answer, Answer::Broken { code, .. } if code == "credentials"), "{answer:?}");
    assert_eq!(seen.len(), 1);

    let server = Server::start(move |number, request| {
        if request.body.contains("Action=AssumeRole") {
            assert!(request.body.contains("ExternalId=shared") && request.body.contains("RoleSessionName=plumbline"));
            return Say::ok(format!(
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA{number}</AccessKeyId>\
                 <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                 <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
            ));
        }
        if request.header("authorization").contains("Credential=ASIA0/") {
            Say::error(400, expired)
        } else {
            Say::ok(r#"{"Keys":[]}"#)
        }
    })
    .await;
    let client = client(&server.url);
    let base = client.session(&ACCOUNT.into()).expect("entered");
    let role = AssumeRole {
        external_id: Some("shared".into()),
        ..AssumeRole::new("arn:aws:iam::210987654321:role/Reader", "eu-west-1")
    };
    client.enter("210987654321".into(), base.assume(role), "eu-west-1");
    let there = Target::new("210987654321", "eu-west-1");
    for _ in 0..2 {
        let answer = client.send(&there, &call("kms:ListKeys", json!({}))).await;
        assert!(matches!(answer, Answer::Page { .. }), "{answer:?}");
    }
    let entered = server.requests().iter().filter(|request| request.body.contains("Action=AssumeRole")).count();
    assert_eq!(entered, 2, "once, and once more after the credentials were refused");
}

#[tokio::test]
async fn a_bucket_elsewhere_is_followed_once_and_remembered() {
    let server = Server::start(|_, request| {
        if request.header("authorization").contains("/eu-central-1/s3/") {
            Say::ok("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
        } else {
            Say::Reply(
                301,
                vec![("x-amz-bucket-region", "eu-central-1".into())],
                "<Error><Code>PermanentRedirect</Code><Message>m</Message></Error>".into(),
            )
        }
    })
    .await;
    let client = client(&server.url);
    for _ in 0..2 {
        let answer = client.send(&here(), &call("s3:GetBucketVersioning", json!({"Bucket": "b"}))).await;
        assert_eq!(answer, Answer::Page { page: json!({"Status": "Enabled"}) });
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn keys_unknown_in_a_region_mean_it_is_not_enabled() {
    let server = Server::start(|_, request| {
        if request.header("authorization").contains("/eu-west-1/") {
            Say::ok(r#"{"Keys":[]}"#)
        } else {
            Say::error(400, r#"{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}"#)
        }
    })
    .await;
    let client = client(&server.url);
    let far = Target::new(ACCOUNT, "ap-east-1");
    let before = client.send(&far, &call("kms:ListKeys", json!({}))).await;
    assert!(matches!(&before, Answer::Broken { code, .. } if code == "credentials"), "{before:?}");
    client.send(&here(), &call("kms:ListKeys", json!({}))).await;
    let after = client.send(&far, &call("kms:ListKeys", json!({}))).await;
    assert!(matches!(after, Answer::Disabled { .. }), "{after:?}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_put_right() {
    let server = Server::start(|number, request| match number {
        0 => Say::Reply(
            403,
            vec![("date", "Tue, 01 Jan 2030 00:00:00 GMT".into())],
            "<Error><Code>RequestTimeTooSkewed</Code><Message>m</Message></Error>".into(),
        ),
        _ => {
            assert!(request.header("x-amz-date").starts_with("20300101T0000"), "{}", request.header("x-amz-date"));
            Say::ok("<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>")
        }
    })
    .await;
    let answer = client(&server.url).send(&here(), &call("s3:ListBuckets", json!({}))).await;
    assert_eq!(answer, Answer::Page { page: json!({"Buckets": []}) });
}

#[tokio::test]
async fn mistakes_of_the_caller_are_told_without_a_request() {
    for (name, params, problem) in [
        ("sqs:ListQueus", json!({}), "sqs:ListQueus"),
        ("squeues:List", json!({}), "squeues"),
        ("sqs:GetQueueAttributes", json!({}), "`QueueUrl` is required"),
        ("sqs:ListQueues", json!({"Max": 1}), "no input `Max`"),
        ("s3:GetBucketPolicy", json!({"Bucket": ""}), "must not be empty"),
        ("sqs:ListQueues", json!([]), "a list, not an object"),
    ] {
        let (answer, seen) = ask(name, params, |_, _| Say::ok("{}")).await;
        assert!(matches!(&answer, Answer::Broken { message, .. } if message.contains(problem)), "{answer:?}");
        assert_eq!(seen.len(), 0);
    }
    let client = client("http://127.0.0.1:9");
    let stranger = Target::new("999999999999", "eu-west-1");
    let answer = client.send(&stranger, &call("sqs:ListQueues", json!({}))).await;
    assert!(matches!(&answer, Answer::Broken { message, .. } if message.contains("999999999999")), "{answer:?}");
}

#[tokio::test]
async fn one_bad_service_does_not_slow_another() {
    let server = Server::start(|_, request| {
        if request.header("x-amz-target").starts_with("TrentService") {
            Say::Reply(400, vec![("retry-after", "3".into())], r#"{"__type":"ThrottlingException"}"#.into())
        } else {
            Say::ok(r#"{"QueueUrls":[]}"#)
        }
    })
    .await;
    let client = client_of(Config { service_deadline: Duration::from_secs(2), ..config(&server.url) });
    let (kms, sqs) = (call("kms:ListKeys", json!({})), call("sqs:ListQueues", json!({})));
    let place = here();
    let start = Instant::now();
    let quick = async {
        let answer = client.send(&place, &sqs).await;
        (answer, start.elapsed())
    };
    let (slow, (answer, took)) = tokio::join!(client.send(&place, &kms), quick);
    assert!(matches!(slow, Answer::ThrottledOut { .. }), "{slow:?}");
    assert!(matches!(answer, Answer::Page { .. }), "{answer:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn debug_output_shows_no_secrets() {
    let client = client("http://127.0.0.1:9");
    let shown = format!("{client:?} {:?}", client.session(&ACCOUNT.into()));
    assert!(!shown.contains("secret-key") && !shown.contains("secret-token"), "{shown}");
}
