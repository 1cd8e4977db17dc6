//! Identity questions through the binary: reach by prefix, use handed in, policies in code.

use crate::machine::{folder, lines, plumb, write};
use serde_json::json;

const DETAILS: &str = r#"{"UserDetailList":[{"UserName":"ann","Arn":"arn:aws:iam::111111111111:user/ann","UserPolicyList":[
  {"PolicyName":"p","PolicyDocument":{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/team/*"},
    {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::data/own/ann/*"}]}}]}]}"#;

#[test]
fn reach_tells_prefixes_apart() {
    let dir = folder("reach");
    std::fs::create_dir_all(dir.join("policies")).unwrap();
    write(&dir, "policies/details.json", DETAILS);
    let ask = ["reach", "--policies", "policies", "--resource", "arn:aws:s3:::data", "-F", "jsonl"];
    let found: Vec<(String, String)> = lines(&dir, &ask, 0)
        .into_iter()
        .map(|r| (r["resource"].as_str().unwrap().into(), r["access"].as_str().unwrap().into()))
        .collect();
    let of = |r: &str, a: &str| (format!("arn:aws:s3:::data/{r}/*"), a.to_owned());
    assert_eq!(found, [of("own/ann", "write"), of("team", "read")]);
    let writes = [&ask[..], &["--least", "write"]].concat();
    assert_eq!(lines(&dir, &writes, 0).len(), 1);
    assert_eq!(plumb(&dir, &["reach", "--policies", "policies", "--least", "much"]).status.code(), Some(2));
    assert_eq!(plumb(&dir, &["reach", "--policies", "policies"]).status.code(), Some(2), "the files name no resources");
}

#[test]
fn use_that_is_handed_in_gives_a_smaller_policy() {
    let dir = folder("usage");
    let demo = plumb(&dir, &["demo", "--quiet"]);
    assert!(matches!(demo.status.code(), Some(0 | 1 | 3)), "{}", String::from_utf8_lossy(&demo.stderr));
    let principals = lines(&dir, &["principals", "-F", "jsonl"], 0);
    let admin = principals.iter().find(|p| p["admin"] == json!(true) && p["type"] == json!("user")).unwrap();
    let arn = admin["arn"].as_str().unwrap();
    let answer = json!({arn: {"ServicesLastAccessed": [{"ServiceNamespace": "s3", "LastAuthenticated": "2026-01-01T00:00:00Z"},
        {"ServiceNamespace": "sqs"}]}});
    write(&dir, "usage.json", &answer.to_string());
    let with = lines(&dir, &["principals", "--usage", "usage.json", "-F", "jsonl"], 0);
    let fit = &with.iter().find(|p| p["arn"] == json!(arn)).unwrap()["right_sized"];
    assert!(fit["actions_after"].as_u64().unwrap() < fit["actions_before"].as_u64().unwrap(), "{fit}");
    assert_eq!(fit["policy"]["Statement"][0]["Action"], json!(["s3:*"]), "{fit}");
    write(&dir, "bad.json", "[]");
    assert_eq!(plumb(&dir, &["principals", "--usage", "bad.json"]).status.code(), Some(2));
}

#[test]
fn policies_in_code_are_linted() {
    let dir = folder("lint-code");
    let code = r#"
resource "aws_iam_role" "x" {
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = "*", Action = "sts:AssumeRole" }] })
}
resource "aws_sqs_queue" "q" { name = "q" }
resource "aws_sqs_queue_policy" "q" {
  queue_url = aws_sqs_queue.q.url
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "s3.amazonaws.com" }, Action = "sqs:SendMesage", Resource = aws_sqs_queue.q.arn }] })
}
"#;
    write(&dir, "main.tf", code);
    let found = lines(&dir, &["lint", "main.tf", "-F", "jsonl"], 1);
    let codes: Vec<&str> = found.iter().filter_map(|r| r["code"].as_str()).collect();
    for code in ["public", "confused-deputy", "unknown-action"] {
        assert!(codes.contains(&code), "{code}: {found:?}");
    }
    assert!(found.iter().all(|r| r["file"].as_str().unwrap().starts_with("main.tf:")), "{found:?}");
}
